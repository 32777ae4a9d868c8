/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of other scanners' options.
 *
 * Main thread, before the scan starts. Owns nothing but the texts that it hands out with an argument.
 */
#include "habits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum kind {
	MEANS, /* settings of ours, `ours` says which; the value goes behind the last of them */
	FLAG, /* the option of ours in `ours` */
	NOTHING, /* accepted, as it is so in any case */
	REFUSED, /* `ours` is the nearest option, or NULL */
};

struct habit {
	const char *peers; /* whose it is */
	const char *flags; /* separated by blanks; with * at its end: whatever begins so */
	const char *metavar; /* NULL: takes no value */
	enum kind kind;
	const char *ours;
	/* What the value is here, to be freed; NULL: @why says what is wrong with it. */
	char *(*convert)(const char *value, struct value_error *why);
	const char *note;
};

/* ---- Values ---- */

static char *formatted(const char *before, const char *text, const char *after) {
	char *out;

	return asprintf(&out, "%s%s%s", before, text, after) < 0 ? NULL : out;
}

static char *refuse_value(struct value_error *why, const char *value, const char *text) {
	value_fail(why, value, strlen(value), "%s", text);
	return NULL;
}

/* Retries are what comes after the first transmission. */
static char *one_more(const char *value, struct value_error *why) {
	char text[VALUE_TEXT_BYTES];
	uint64_t retries;

	if (value_read_count(value, 0, DP_MAX_PROBES - 1, &retries, why) < 0)
		return NULL;
	snprintf(text, sizeof(text), "%u", (unsigned)retries + 1);
	return strdup(text);
}

/* zmap's bandwidth: bits a second, whose unit is not written. */
static char *bits(const char *value, struct value_error *why) {
	struct value_rate rate;
	char *text = formatted("", value, "bit");

	if (text && value[strspn(value, "0123456789.")] == 'K')
		text[strlen(value) - 1] = 'k';
	if (!text || value_read_rate(text, &rate, why) == 0)
		return text;
	free(text);
	return refuse_value(why, value, "not a bandwidth; give bits a second, such as 10M");
}

static char *rate_or_order(const char *value, struct value_error *why) {
	struct value_rate rate;

	if (value_read_rate(value, &rate, why) == 0)
		return strdup(value);
	return refuse_value(why, value,
		"not a rate, which -r takes as in zmap; and nmap's -r, ports in ascending order, "
		"is "
		"not done: the order is always a random one");
}

static char *at_least(const char *value, struct value_error *why) {
	struct value_rate rate;

	return value_read_rate(value, &rate, why) == 0 ? strdup(value) : NULL;
}

static char *interface_name(const char *value, struct value_error *why) {
	return value[strspn(value, "0123456789")]
		? strdup(value)
		: refuse_value(why, value,
			"an interface is wanted, as in nmap; zmap's -e, the seed, is --seed N");
}

/* masscan writes Ethernet addresses with dashes too. */
static char *with_colons(const char *value, struct value_error *why) {
	char *text = strdup(value);

	(void)why;
	for (char *c = text; c && *c; c++)
		if (*c == '-')
			*c = ':';
	return text;
}

/* zmap's probe modules. */
static char *module_type(const char *value, struct value_error *why) {
	static const char *const types[][2]
		= {{"tcp_synscan", "syn"}, {"ipv6_tcp_synscan", "syn"}, {"icmp_echoscan", "icmp"},
			{"icmp6_echoscan", "icmp"}, {"udp", "udp"}, {"ipv6_udp", "udp"}};

	for (unsigned i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (!strcmp(value, types[i][0]))
			return strdup(types[i][1]);
	return refuse_value(why, value,
		"no probe module of ours; give tcp_synscan, icmp_echoscan or udp, or a type with "
		"--scan-type; DNS, NTP, UPnP and the like are payloads of udp by port");
}

/* -o's FORMAT in other words. */
static const char *format_of(const char *name) {
	static const char *const formats[][2] = {{"csv", "csv"}, {"json", "ndjson"},
		{"ndjson", "ndjson"}, {"xml", "xml"}, {"list", "list"}, {"grepable", "grep"},
		{"extended_file", "csv"}, {"default", "csv"}};

	for (unsigned i = 0; i < sizeof(formats) / sizeof(*formats); i++)
		if (!strcmp(name, formats[i][0]))
			return formats[i][1];
	return NULL;
}

static char *known_format(const char *value, struct value_error *why) {
	return format_of(value) ? strdup(value)
				: refuse_value(why, value,
					"no format of ours; give csv, json, ndjson, xml, list or "
					"grepable, or -o FORMAT:PATH");
}

static char *to_summary(const char *value, struct value_error *why) {
	(void)why;
	return formatted("summary:", value, "");
}

static char *to_pcapng(const char *value, struct value_error *why) {
	(void)why;
	return formatted("pcapng:", value, "");
}

static char *number_or_parts(const char *value, struct value_error *why) {
	uint64_t parts;
	uint32_t shard, shards;

	if (strchr(value, '/'))
		return value_read_shard(value, &shard, &shards, why) < 0 ? NULL : strdup(value);
	return value_read_count(value, 1, UINT32_MAX, &parts, why) < 0 ? NULL : strdup(value);
}

/* ---- The table ---- */

#define ROW(peers, flags, metavar, kind, ours, convert, note)                                      \
	{ peers, flags, metavar, kind, ours, convert, note }

/* In the order of the reference: by what it is about. */
static const struct habit table[] = {
	/* Targets */
	ROW("masscan", "--range --ranges", "LIST", MEANS, "scan.targets=", NULL, ""),
	ROW("masscan, zmap", "--includefile -w --allowlist-file --whitelist-file", "FILE", FLAG,
		"-iL", NULL, "with targets besides it, both are scanned"),
	ROW("zmap", "-I --list-of-ips-file", "FILE", FLAG, "-iL", NULL, ""),
	ROW("nmap, masscan, zmap", "--excludefile -b --blocklist-file --blacklist-file", "FILE",
		FLAG, "--exclude-file", NULL,
		"conf/exclude.conf holds besides it; nmap's -b, the FTP bounce scan, is not done"),
	ROW("nmap", "-iR", "N", REFUSED, "0.0.0.0/0 --max-results N, or --shard 1/N", NULL,
		"random addresses are the order of every scan"),
	ROW("nmap", "-sL", NULL, REFUSED, "--list-targets", NULL,
		"a list of targets is one of probes here, which needs ports"),
	ROW("nmap", "-6", NULL, MEANS, "scan.family=ipv6", NULL,
		"for host names; addresses say themselves what they are"),
	ROW("nmap", "-4", NULL, MEANS, "scan.family=ipv4", NULL, "likewise"),
	ROW("nmap", "--resolve-all", NULL, MEANS, "scan.resolve=all", NULL, ""),
	ROW("nmap", "-n", NULL, NOTHING, NULL, NULL,
		"addresses are never looked up for names; zmap's -n is --max-targets"),
	ROW("nmap", "-R", NULL, REFUSED, NULL, NULL, "addresses are never looked up for names"),
	ROW("nmap", "--system-dns", NULL, NOTHING, NULL, NULL,
		"host names always go to the system's resolver"),
	ROW("nmap", "--dns-servers", "LIST", REFUSED, NULL, NULL,
		"host names go to the system's resolver; set it in /etc/resolv.conf"),
	ROW("nmap", "--unique", NULL, NOTHING, NULL, NULL, "no address is scanned twice"),
	ROW("zmap", "--ignore-invalid-hosts", NULL, NOTHING, NULL, NULL,
		"host names without an address are named and left out; what is neither is an "
		"error"),
	ROW("zmap", "--max-targets", "N", REFUSED, "--shard 1/N, or --max-results N", NULL,
		"a scan ends by its targets, time or results"),
	/* Which hosts are there */
	ROW("nmap", "-Pn -P0 -PN --disable-arp-ping", NULL, NOTHING, NULL, NULL,
		"every target is scanned; -sn is the scan that only looks for hosts"),
	ROW("nmap", "-sP", NULL, FLAG, "-sn", NULL, ""),
	ROW("nmap", "-PE -PP -PM", NULL, REFUSED, "--scan-type icmp, or -sn", NULL,
		"no hosts are looked for before a scan"),
	ROW("nmap", "-PR", NULL, REFUSED, "--scan-type arp", NULL,
		"no hosts are looked for before a scan"),
	ROW("nmap", "-PS*", NULL, REFUSED, "-sS -p LIST, or -sn", NULL,
		"no hosts are looked for before a scan"),
	ROW("nmap", "-PA*", NULL, REFUSED, "-sA -p LIST, or -sn", NULL,
		"no hosts are looked for before a scan"),
	ROW("nmap", "-PU*", NULL, REFUSED, "-sU -p LIST, or -sn", NULL,
		"no hosts are looked for before a scan"),
	ROW("nmap", "-PY*", NULL, REFUSED, "-sY -p LIST, or -sn", NULL,
		"no hosts are looked for before a scan"),
	ROW("nmap", "-PO*", NULL, REFUSED, "-sn", NULL, "no hosts are looked for before a scan"),
	ROW("masscan", "--ping", NULL, MEANS, "scan.type=icmp", NULL,
		"in a run of its own, without ports"),
	ROW("nmap", "--traceroute", NULL, REFUSED, NULL, NULL, "paths are not traced"),
	/* Scan types */
	ROW("nmap", "-sT", NULL, REFUSED, "-sS", NULL, "whole connections are not made"),
	ROW("nmap", "-sO", NULL, REFUSED, "--scan-type icmp, or -sn", NULL,
		"IP protocols are not scanned"),
	ROW("nmap", "-sZ", NULL, REFUSED, "-sY", NULL, "COOKIE-ECHO is not sent"),
	ROW("nmap", "-sI", "ZOMBIE", REFUSED, "-sS", NULL, "idle scans are not done"),
	ROW("nmap", "--scanflags", "FLAGS", REFUSED, "-sS -sA -sF -sN -sX -sM", NULL,
		"TCP flags are those of the scan types"),
	ROW("zmap", "-M --probe-module", "NAME", MEANS, "scan.type=", module_type,
		"tcp_synscan, icmp_echoscan and udp"),
	ROW("zmap", "--probe-args", "ARGS", REFUSED, "--set scan.udp_payloads=FILE", NULL,
		"probes take no arguments"),
	/* Ports */
	ROW("zmap, masscan", "--target-port --target-ports --tcp-ports --port", "LIST", FLAG,
		"--ports", NULL, ""),
	ROW("masscan", "--udp-ports", "LIST", REFUSED, "-sU -p LIST", NULL, "UDP is a scan type"),
	ROW("nmap", "--port-ratio", "R", REFUSED, "--top-ports N", NULL,
		"how common a port is was not measured"),
	/* Pace */
	ROW("zmap", "-r", "N", FLAG, "--rate", rate_or_order,
		"nmap's -r, ports in order, is not done"),
	ROW("nmap, masscan", "--max-rate", "N", FLAG, "--rate", NULL, ""),
	ROW("nmap", "--min-rate", "N", FLAG, "--rate", at_least,
		"the rate is a fixed one, so the least is the most; nothing besides --max-rate or "
		"--rate"),
	ROW("zmap", "-B --bandwidth", "BITS", FLAG, "--rate", bits, ""),
	ROW("nmap, masscan", "--max-retries --retries --retry", "N", MEANS, "scan.probes=",
		one_more, "each probe goes out 1 + N times in any case, spread over the run"),
	ROW("zmap", "-P --probes", "N", MEANS, "scan.probes=", NULL, ""),
	ROW("zmap, masscan", "--cooldown-time --wait", "SECONDS", MEANS, "scan.cooldown=", NULL,
		"zmap's -c: here -c names the configuration file"),
	ROW("zmap", "-t --max-runtime", "SECONDS", MEANS, "scan.max_runtime=", NULL, ""),
	ROW("zmap", "-N --max-results", "N", MEANS, "scan.max_results=", NULL, ""),
	ROW("nmap", "--host-timeout --script-timeout", "TIME", REFUSED, "--max-runtime TIME", NULL,
		"hosts are not scanned one after the other"),
	ROW("nmap", "--scan-delay --max-scan-delay", "TIME", REFUSED, "--rate N", NULL,
		"there is one rate for all, and none for a host"),
	ROW("nmap", "--min-parallelism --max-parallelism --min-hostgroup --max-hostgroup", "N",
		REFUSED, "--rate N", NULL, "nothing is waited for between probes"),
	ROW("nmap", "--min-rtt-timeout --max-rtt-timeout --initial-rtt-timeout", "TIME", REFUSED,
		"--cooldown-time TIME", NULL, "answers count whenever they come"),
	ROW("nmap", "--defeat-rst-ratelimit --defeat-icmp-ratelimit", NULL, NOTHING, NULL, NULL,
		"the rate never follows the answers"),
	ROW("masscan", "--infinite", NULL, REFUSED, NULL, NULL,
		"a scan ends; start it again for the next one"),
	/* The order */
	ROW("masscan, zmap", "--shards", "X/Y", MEANS, "scan.shard=", number_or_parts,
		"or zmap's --shards N --shard I, counted from 0"),
	ROW("nmap, masscan", "--randomize-hosts --randomize_hosts -rH", NULL, NOTHING, NULL, NULL,
		"the order is always a random one"),
	ROW("masscan", "--blackrock-rounds", "N", REFUSED, "--seed N", NULL,
		"the order has no rounds"),
	/* Where packets come from and go */
	ROW("nmap, masscan, zmap", "-e -i --interface --adapter", "NAME", MEANS,
		"dataplane.port=", interface_name, "zmap's -e: here --seed N"),
	ROW("nmap, masscan, zmap", "-S --source-ip --adapter-ip", "LIST", MEANS,
		"dataplane.source=", NULL, ""),
	ROW("nmap, masscan, zmap", "-g -s --source-port --adapter-port", "RANGE", MEANS,
		"dataplane.source_ports=", NULL, ""),
	ROW("masscan, zmap", "-G --gateway-mac --router-mac", "MAC", MEANS,
		"dataplane.gateway_mac=", with_colons, ""),
	ROW("masscan", "--router-ip --gateway-ip", "IP", MEANS, "dataplane.gateway=", NULL, ""),
	ROW("masscan", "--vlan --adapter-vlan", "N", MEANS, "dataplane.vlan=", NULL, ""),
	ROW("nmap, masscan, zmap", "--spoof-mac --adapter-mac --source-mac", "MAC", REFUSED,
		"-S LIST", NULL, "frames carry the address of their device"),
	ROW("zmap", "-X --vpn --iplayer", NULL, REFUSED, "-e NAME", NULL,
		"probes are Ethernet frames, but on lo"),
	ROW("zmap", "--sender-threads", "N", MEANS, "dataplane.tx_lcores=", NULL,
		"zmap's -T: here -T is nmap's"),
	ROW("zmap", "--cores", "LIST", REFUSED, "-- -l LIST", NULL, "lcores are DPDK's to place"),
	ROW("nmap", "--send-eth --privileged", NULL, NOTHING, NULL, NULL, "it is always so"),
	ROW("nmap", "--send-ip --unprivileged", NULL, REFUSED, "--set dataplane.port=sim", NULL,
		"a scan sends frames, which takes CAP_NET_RAW; the simulated network needs "
		"nothing"),
	ROW("nmap", "-f --mtu", NULL, REFUSED, NULL, NULL,
		"probes are not cut in fragments; zmap's -f is --fields"),
	ROW("nmap", "-D --decoys", "LIST", REFUSED, "-S LIST", NULL,
		"probes are not sent in others' names"),
	ROW("nmap, masscan, zmap",
		"--ttl --probe-ttl --data --data-string --data-length --ip-options "
		"--proxies --proxy",
		"VALUE", REFUSED, NULL, NULL, "probes are as their type makes them"),
	ROW("nmap, masscan", "--badsum --adler32", NULL, REFUSED, NULL, NULL,
		"checksums are always right"),
	/* What is found out about services */
	ROW("nmap", "-sV", NULL, MEANS, "banner.enable=on detection.enable=on", NULL,
		"banners, and fingerprints of them; with -sS and -sU"),
	ROW("nmap", "-sSV", NULL, MEANS, "scan.type=syn banner.enable=on detection.enable=on", NULL,
		""),
	ROW("masscan", "--banners", NULL, MEANS, "banner.enable=on", NULL, ""),
	ROW("masscan", "--nobanners --nobanner", NULL, MEANS, "banner.enable=off", NULL, ""),
	ROW("masscan", "--connection-timeout --tcp-timeout", "SECONDS", MEANS, "banner.wait=", NULL,
		""),
	ROW("masscan", "--http-* --hello* --pcap-payloads --nmap-payloads", "VALUE", REFUSED,
		"--set banner.payloads=FILE", NULL, "what is said to services stands in a file"),
	ROW("nmap", "--version-intensity", "N", REFUSED, "-sV", NULL,
		"services are known by what they say to one hello"),
	ROW("nmap", "--version-all --version-light --version-trace", NULL, REFUSED, "-sV", NULL,
		"services are known by what they say to one hello"),
	ROW("nmap", "-sC -sCV -sVC", NULL, REFUSED, "--plugin NAME (--list-plugins), with -sV",
		NULL, "there are plugins, no scripts"),
	ROW("nmap", "--script", "NAMES", REFUSED, "--plugin NAME (--list-plugins)", NULL,
		"there are plugins, no scripts"),
	ROW("nmap", "--script-args", "ARGS", REFUSED, "--plugin-arg NAME.KEY=VALUE", NULL,
		"there are plugins, no scripts"),
	ROW("nmap", "--script-help --script-updatedb --script-trace", NULL, REFUSED,
		"--list-plugins", NULL, "there are plugins, no scripts"),
	ROW("nmap", "-O --osscan-guess --osscan-limit --fuzzy", NULL, REFUSED, "-sV", NULL,
		"systems are known only by their banners; zmap's -O is --output-module"),
	ROW("nmap", "-A", NULL, REFUSED, "-sV, with --plugin NAME", NULL,
		"systems are not told apart by their packets, and paths not traced"),
	ROW("masscan", "--heartbleed --ticketbleed --vuln", NULL, REFUSED, "--plugin ssl-checker",
		NULL, "weak points are not tried out"),
	/* Output */
	ROW("masscan, zmap", "--output-filename --output-file", "FILE", FLAG, "-o", NULL,
		"with --output-format or --output-module; without one, as in zmap, as CSV; zmap's "
		"and masscan's -o: here -o takes FORMAT:PATH"),
	ROW("masscan, zmap", "--output-format --output-module", "NAME", FLAG, "-o", known_format,
		"csv, json, xml, list, grepable; to --output-filename or standard output"),
	ROW("masscan", "--open-only", NULL, MEANS, "output.include_closed=no", NULL, ""),
	ROW("nmap, masscan", "--append-output", NULL, FLAG, "--append", NULL, ""),
	ROW("masscan", "-oB --readscan", "FILE", REFUSED, "-o ndjson:FILE", NULL,
		"there is no binary format"),
	ROW("masscan", "--pcap", "FILE", FLAG, "-o", to_pcapng, ""),
	ROW("masscan", "--rotate", "VALUE", FLAG, "--rotate-time", NULL, ""),
	ROW("masscan", "--rotate-offset --rotate-dir", "VALUE", REFUSED, "--rotate-time 1h", NULL,
		"files are begun by size or age, beside the first one"),
	ROW("zmap", "-m --metadata-file", "FILE", FLAG, "-o", to_summary, ""),
	ROW("zmap", "-u --status-updates-file", "FILE", MEANS, "status.file=", NULL, "as NDJSON"),
	ROW("nmap", "--stats-every", "TIME", MEANS, "status.interval=", NULL, ""),
	ROW("masscan", "--status-json --status-ndjson", NULL, FLAG, "--json-status", NULL, ""),
	ROW("zmap", "-q", NULL, FLAG, "--quiet", NULL, ""),
	ROW("nmap", "-v* -d*", NULL, FLAG, "-v", NULL, "there is one level"),
	ROW("nmap, masscan", "--packet-trace", NULL, REFUSED, "-v", NULL,
		"packets are not printed"),
	ROW("zmap", "-l --log-file -L --log-directory --syslog", "FILE", REFUSED, "2> FILE", NULL,
		"the log is standard error"),
	ROW("zmap", "--disable-syslog", NULL, NOTHING, NULL, NULL, "nothing goes to syslog"),
	ROW("nmap, masscan", "--noninteractive --interactive", NULL, NOTHING, NULL, NULL,
		"no key is read, and results are written as they come"),
	/* The program */
	ROW("masscan, zmap", "--conf -C", "FILE", FLAG, "--config", NULL,
		"an INI file of ours; --print-config writes one"),
	ROW("masscan", "--echo", NULL, FLAG, "--print-config", NULL, ""),
	ROW("zmap", "--dryrun --fast-dryrun", NULL, FLAG, "--dry-run", NULL,
		"zmap's -d: here -d is nmap's"),
	ROW("masscan", "--offline", NULL, MEANS, "dataplane.port=net_null0", NULL,
		"with -S and --gateway-mac, as no device tells them"),
	ROW("nmap", "--iflist", NULL, REFUSED, "--dry-run TARGET", NULL,
		"`ip address` and `ip route` show interfaces"),
	ROW("masscan", "--nmap --selftest --regress", NULL, REFUSED, "--help", NULL,
		"docs/migrating.md has what is like in nmap"),
	ROW("zmap", "--list-probe-modules --list-output-modules --list-output-fields", NULL,
		REFUSED, "--help", NULL, "there are no modules"),
};

enum {
	NB_ROWS = sizeof(table) / sizeof(*table),
};

/* ---- Finding rows ---- */

/* The next flag of a row at or behind *@flags: its length, with *@flags moved to it; 0 at the end. */
static size_t next_flag(const char **flags) {
	*flags += strspn(*flags, " ");
	return strcspn(*flags, " ");
}

/* What may stand for the star of a flag: of -v* and -d* only more of it, and a level. */
static bool suits_star(const char *flag, size_t size, const char *rest, size_t length) {
	if (size > 3)
		return true;
	while (length && (*rest == flag[1] || (*rest >= '0' && *rest <= '9'))) {
		rest++;
		length--;
	}
	return !length;
}

/* Whether one of the flags of @row is the @length bytes at @text; or, of those with a star, begins it. */
static bool has_flag(const struct habit *row, const char *text, size_t length, bool star) {
	const char *name = row->flags;

	for (size_t size; (size = next_flag(&name)); name += size) {
		const bool open = name[size - 1] == '*';

		if (star != open)
			continue;
		if (open ? length >= size - 1 && !memcmp(name, text, size - 1)
					&& suits_star(
						name, size, text + size - 1, length - size + 1)
			 : length == size && !memcmp(name, text, length))
			return true;
	}
	return false;
}

static const struct habit *find(const char *text, size_t length, bool star) {
	for (unsigned i = 0; i < NB_ROWS; i++)
		if (has_flag(&table[i], text, length, star))
			return &table[i];
	return NULL;
}

const struct habit *habits_find(const char *text, size_t *length, const char **joined) {
	const char *equals = text[1] == '-' ? strchr(text, '=') : NULL;
	const struct habit *row;

	*length = equals ? (size_t)(equals - text) : strlen(text);
	*joined = equals ? equals + 1 : NULL;
	row = find(text, *length, false);
	if (!row)
		row = find(text, *length, true);
	if (row || text[1] == '-' || !text[1] || text[2] < '0' || text[2] > '9')
		return row;
	/* `-r1000`: only numbers are joined to other scanners' short flags. */
	*joined = text + 2;
	*length = 2;
	row = find(text, 2, false);
	return row && row->metavar ? row : NULL;
}

bool habits_near(const char *flag, unsigned best, char near[VALUE_TEXT_BYTES]) {
	bool found = false;

	for (unsigned i = 0; i < NB_ROWS; i++) {
		const char *name = table[i].flags;

		for (size_t size; (size = next_flag(&name)); name += size) {
			char copy[VALUE_TEXT_BYTES];
			unsigned distance;

			snprintf(copy, sizeof(copy), "%.*s", (int)size, name);
			distance = value_distance(flag, copy, best);
			if (distance >= best)
				continue;
			best = distance;
			found = true;
			strcpy(near, copy);
		}
	}
	return found;
}

bool habit_is_refused(const struct habit *habit) {
	return habit->kind == REFUSED;
}

const char *habit_metavar(const struct habit *habit) {
	return habit->metavar;
}

/* ---- What it means ---- */

static int no_memory(struct dp_error *err) {
	return dp_fail(err, false, -ENOMEM, "out of memory for the configuration");
}

static int convert(struct argument *argument, struct dp_error *err) {
	const struct habit *habit = argument->habit;
	struct value_error why = {0};

	if (!argument->value)
		return 0;
	argument->text
		= habit->convert ? habit->convert(argument->value, &why) : strdup(argument->value);
	if (argument->text)
		return 0;
	if (!why.why[0])
		return no_memory(err);
	return dp_fail(err, true, -EINVAL, "%s %s: %s", argument->flag, why.part, why.why);
}

int habit_read(struct argument *argument, struct dp_error *err) {
	const struct habit *habit = argument->habit;
	int ret;

	if (habit->kind == REFUSED)
		return dp_fail(err, true, -EINVAL, "%s: %s%s%s", argument->flag, habit->note,
			habit->ours ? "; nearest: " : "; nothing here is like it",
			habit->ours ? habit->ours : "");
	ret = convert(argument, err);
	if (ret < 0 || habit->kind != FLAG)
		return ret;
	argument->option = options_by_flag(habit->ours, strlen(habit->ours));
	if (!argument->option || argument->option->later)
		return dp_fail(err, true, -EINVAL, "%s (here %s) is not in this version",
			argument->flag, habit->ours);
	argument->value = argument->text;
	return 0;
}

int habit_each_setting(const struct argument *argument,
	int (*fn)(void *user, const char *pair, struct dp_error *err), void *user,
	struct dp_error *err) {
	const char *pairs = argument->habit->ours;
	int ret = 0;

	if (argument->habit->kind != MEANS)
		return 0;
	for (size_t size; !ret && (size = next_flag(&pairs)); pairs += size) {
		char *pair;

		if (asprintf(
			    &pair, "%.*s%s", (int)size, pairs, argument->text ? argument->text : "")
			< 0)
			return no_memory(err);
		ret = fn(user, pair, err);
		free(pair);
	}
	return ret;
}

/* ---- What several say together ---- */

/* The last argument of a row, which one of its flags names; NULL: there is none. */
static struct argument *last_of(struct argument *list, unsigned nb, const char *flag) {
	const struct habit *row = find(flag, strlen(flag), false);

	while (nb-- > 0)
		if (row ? list[nb].habit == row
			: !list[nb].habit && list[nb].flag && !strcmp(list[nb].flag, flag))
			return &list[nb];
	return NULL;
}

static bool is_number(const char *text) {
	return *text && !text[strspn(text, "0123456789")];
}

/* zmap's --shards N --shard I. */
static int settle_shards(struct argument *list, unsigned nb, struct dp_error *err) {
	struct argument *shards = last_of(list, nb, "--shards"),
			*shard = last_of(list, nb, "--shard");
	const bool part = shard && is_number(shard->value);
	const bool parts = shards && is_number(shards->text);
	uint64_t number = 0;
	char *text;

	if (!part && !parts)
		return 0;
	if (!part || !parts)
		return dp_fail(err, true, -EINVAL,
			"%s %s: give --shard I/N, counted from 1, or as in zmap --shards N with "
			"--shard I, counted from 0",
			part ? shard->flag : shards->flag, part ? shard->value : shards->value);
	number = strtoull(shard->value, NULL, 10);
	if (number >= strtoull(shards->text, NULL, 10))
		return dp_fail(err, true, -EINVAL,
			"--shard %s: of %s shards, as in zmap counted from 0, there is none such",
			shard->value, shards->text);
	if (asprintf(&text, "%llu/%s", (unsigned long long)number + 1, shards->text) < 0)
		return no_memory(err);
	free(shards->text);
	shards->text = text;
	shard->dropped = true;
	return 0;
}

/* A format and a file that belong together: -o FORMAT:PATH. */
static int settle_output(struct argument *list, unsigned nb, struct dp_error *err) {
	struct argument *file = last_of(list, nb, "--output-file");
	struct argument *format = last_of(list, nb, "--output-format");
	struct argument *output = file ? file : format;
	const char *name = format ? format_of(format->text) : "csv";
	char *text;

	if (!output)
		return 0;
	if (asprintf(&text, "%s:%s", name, file ? file->text : "-") < 0)
		return no_memory(err);
	if (file && format)
		format->dropped = true;
	free(output->text);
	output->text = text;
	output->value = text;
	return 0;
}

/* The most that was asked for holds, whatever the least. */
static void settle_rate(struct argument *list, unsigned nb) {
	struct argument *least = last_of(list, nb, "--min-rate");

	if (least
		&& (last_of(list, nb, "--max-rate") || last_of(list, nb, "--rate")
			|| last_of(list, nb, "-r") || last_of(list, nb, "-B")))
		least->dropped = true;
}

/* zmap's -n N and -n P%, where ours takes no value: the number would be a target. */
static int check_max_targets(const struct argument *list, unsigned nb, struct dp_error *err) {
	for (unsigned i = 0; i + 1 < nb; i++) {
		const char *number = list[i + 1].flag ? "" : list[i + 1].value;
		const size_t digits = strspn(number, "0123456789");

		if (list[i].flag && !strcmp(list[i].flag, "-n") && digits
			&& !number[digits + (number[digits] == '%')])
			return dp_fail(err, true, -EINVAL,
				"-n %s: -n takes no value, as in nmap; zmap's -n is not done; "
				"nearest: --shard 1/N, or --max-results N",
				number);
	}
	return 0;
}

int habits_settle(struct argument *list, unsigned nb, struct dp_error *err) {
	int ret = check_max_targets(list, nb, err);

	settle_rate(list, nb);
	if (!ret)
		ret = settle_shards(list, nb, err);
	return ret ? ret : settle_output(list, nb, err);
}

int habits_check_config(const char *path, struct dp_error *err) {
	if (!is_number(path) || access(path, F_OK) == 0)
		return 0;
	return dp_fail(err, true, -EINVAL,
		"-c %s: no such file; -c names the configuration here, and zmap's -c is "
		"--cooldown-time %s",
		path, path);
}

/* ---- The reference ---- */

static void print_cell(const char *text, FILE *out) {
	for (; *text; text++) {
		if (*text == '|')
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void print_flags(const struct habit *row, FILE *out) {
	const char *name = row->flags;
	bool first = true;

	for (size_t size; (size = next_flag(&name)); name += size) {
		fprintf(out, "%s`%.*s%s%s`", first ? "" : ", ", (int)size, name,
			row->metavar ? " " : "", row->metavar ? row->metavar : "");
		first = false;
	}
}

static void print_meaning(const struct habit *row, FILE *out) {
	switch (row->kind) {
	case MEANS:
		fputs("", out);
		for (const char *pair = row->ours; *pair;) {
			const size_t size = next_flag(&pair);

			fprintf(out, "%s`--set %.*s%s`", pair == row->ours ? "" : " ", (int)size,
				pair, row->metavar ? row->metavar : "");
			pair += size;
		}
		break;
	case FLAG:
		fprintf(out, "`%s%s%s`", row->ours, row->metavar ? " " : "",
			!row->metavar			   ? ""
				: !strcmp(row->ours, "-o") ? "FORMAT:PATH"
							   : row->metavar);
		break;
	case NOTHING:
		fputs("accepted", out);
		break;
	case REFUSED:
		fprintf(out, "refused%s%s", row->ours ? "; nearest: " : "",
			row->ours ? row->ours : "");
		break;
	}
}

void habits_print(FILE *out) {
	fputs("| option | of | here | note |\n| --- | --- | --- | --- |\n", out);
	for (unsigned i = 0; i < NB_ROWS; i++) {
		fputs("| ", out);
		print_flags(&table[i], out);
		fprintf(out, " | %s | ", table[i].peers);
		print_meaning(&table[i], out);
		fputs(" | ", out);
		print_cell(table[i].note, out);
		fputs(" |\n", out);
	}
}
