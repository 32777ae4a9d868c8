/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * world: the far side of a scan. Answers for whole networks at the other end of a wire, by the
 * simulated network's rules, and writes down as JSON what it saw. One thread, from options to JSON.
 */
#include <dp/world.h>

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

enum {
	MAX_PORTS = 65536,
	FAILED = 1,
	USAGE = 2,
};

static const char help_text[]
	= "Usage: world [options] DEVICE PREFIX...\n"
	  "\n"
	  "Answers for every address of the PREFIXes (198.18.0.0/15, 10.0.0.0/8, 2001:db8::/112) "
	  "as the\n"
	  "simulated network does, and counts what comes. DEVICE: af_packet:IF, af_xdp:IF, "
	  "tap:NAME,\n"
	  "memif:SOCKET, or a DPDK vdev. What it answers is what `prtip-dp --sim-truth` prints for "
	  "the\n"
	  "same [sim] settings, here of the same names.\n"
	  "\n"
	  "  -g, --gateway IP     answer ARP (or neighbour discovery) and pings for this address, "
	  "too;\n"
	  "                       one of each family\n"
	  "  -p, --ports LIST     ports that are probed: 80,443,8000-8010; 0 for pings (default: "
	  "0-65535)\n"
	  "  -x, --exact          count the probes of each target, up to 2^32 targets\n"
	  "      --targets FILE   write `IP PORT PROBES` of each that was probed; needs --exact\n"
	  "  -o, --output FILE    where the JSON goes (default: standard output)\n"
	  "  -s, --seconds N      end after that long (default: on SIGINT or SIGTERM)\n"
	  "      --idle N         end when N seconds after a probe nothing more has come\n"
	  "      --cpu N          run there\n"
	  "  -v, --verbose        let DPDK and its drivers talk\n"
	  "  -h, --help           print this text\n"
	  "\n"
	  "The simulated network, with the defaults of prtip-dp but no delay:\n"
	  "      --alive 0..1     addresses that answer (0.5)\n"
	  "      --open 0..1      ports of these that are open (0.1)\n"
	  "      --loss 0..1      chance that a packet is lost, each way (0)\n"
	  "      --duplicate 0..1 chance that a reply comes twice (0)\n"
	  "      --rtt MS         delay of a reply in milliseconds (0)\n"
	  "      --jitter MS      most that it differs, plus or minus (0)\n"
	  "      --seed N         which addresses and ports those are (1)\n"
	  "      --no-banners     open ports say nothing\n"
	  "\n"
	  "It writes `ready` to standard error when it answers.\n";

struct options {
	struct dp_world_params world;
	const char *output, *targets;
	double seconds;
	uint16_t ports[MAX_PORTS];
	unsigned nb_ports;
	struct dp_ipset *addresses;
	struct dp_space *space;
};

static atomic_bool stop; /* writers: signal handlers, reader: the world */

static void on_signal(int signal) {
	atomic_store(&stop, true);
}

/* --- options ---------------------------------------------------------------------------------- */

static double number(const char *name, const char *text, double most) {
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= 0) || value > most)
		errx(USAGE, "--%s %s: a number from 0 to %.0f is wanted", name, text, most);
	return value;
}

static dp_ip address(const char *text, size_t length) {
	dp_ip ip;

	if (dp_ip_read(text, length, &ip))
		errx(USAGE, "%s is no address", text);
	return ip;
}

static void add_prefix(struct options *options, const char *text) {
	const size_t n = strcspn(text, "/");
	const dp_ip ip = address(text, n);
	const unsigned whole = dp_ip_is_v4(ip) ? 32 : 128;
	unsigned bits = whole;
	dp_ip rest;

	if (text[n])
		bits = (unsigned)number("PREFIX", text + n + 1, whole);
	rest = whole == bits ? 0 : DP_U128_MAX >> (128 - (whole - bits));
	if (ip & rest)
		errx(USAGE, "%s: the address has bits beyond its prefix", text);
	if (dp_ipset_add(options->addresses, ip, ip | rest))
		errx(USAGE, "%s: not a range of one family", text);
}

static void add_ports(struct options *options, const char *list) {
	static bool wanted[MAX_PORTS];
	const char *p = list;

	while (*p) {
		char *end;
		unsigned long first = strtoul(p, &end, 10), last = first;

		if (end > p && *end == '-') {
			p = end + 1;
			last = strtoul(p, &end, 10);
		}
		if (end == p || (*end && *end != ',') || first > last || last >= MAX_PORTS)
			errx(USAGE, "--ports %s: ports and ranges of them, such as 22,80-89", list);
		for (; first <= last; first++)
			wanted[first] = true;
		p = *end ? end + 1 : end;
	}
	options->nb_ports = 0;
	for (unsigned port = 0; port < MAX_PORTS; port++)
		if (wanted[port])
			options->ports[options->nb_ports++] = (uint16_t)port;
}

static void add_gateway(struct options *options, const char *text) {
	const dp_ip ip = address(text, strlen(text));

	options->world.gateway[dp_ip_is_v4(ip) ? 0 : 1] = ip;
}

enum long_only {
	ALIVE = 256,
	OPEN,
	LOSS,
	DUPLICATE,
	RTT,
	JITTER,
	SEED,
	NO_BANNERS,
	IDLE,
	CPU,
	TARGETS,
};

static const struct option long_options[] = {
	{"gateway", required_argument, NULL, 'g'},
	{"ports", required_argument, NULL, 'p'},
	{"exact", no_argument, NULL, 'x'},
	{"targets", required_argument, NULL, TARGETS},
	{"output", required_argument, NULL, 'o'},
	{"seconds", required_argument, NULL, 's'},
	{"idle", required_argument, NULL, IDLE},
	{"cpu", required_argument, NULL, CPU},
	{"verbose", no_argument, NULL, 'v'},
	{"help", no_argument, NULL, 'h'},
	{"alive", required_argument, NULL, ALIVE},
	{"open", required_argument, NULL, OPEN},
	{"loss", required_argument, NULL, LOSS},
	{"duplicate", required_argument, NULL, DUPLICATE},
	{"rtt", required_argument, NULL, RTT},
	{"jitter", required_argument, NULL, JITTER},
	{"seed", required_argument, NULL, SEED},
	{"no-banners", no_argument, NULL, NO_BANNERS},
	{0},
};

static void read_option(struct options *options, int option) {
	struct dp_sim_params *sim = &options->world.sim;

	switch (option) {
	case 'g':
		add_gateway(options, optarg);
		break;
	case 'p':
		add_ports(options, optarg);
		break;
	case 'x':
		options->world.exact = true;
		break;
	case 'o':
		options->output = optarg;
		break;
	case 's':
		options->seconds = number("seconds", optarg, 1e6);
		break;
	case 'v':
		options->world.verbose = true;
		break;
	case 'h':
		fputs(help_text, stdout);
		exit(0);
	case TARGETS:
		options->targets = optarg;
		break;
	case IDLE:
		options->world.idle_ms = (uint64_t)(1000 * number("idle", optarg, 1e6));
		break;
	case CPU:
		options->world.cpu = (int)number("cpu", optarg, 1023);
		break;
	case ALIVE:
		sim->alive = number("alive", optarg, 1);
		break;
	case OPEN:
		sim->open = number("open", optarg, 1);
		break;
	case LOSS:
		sim->loss = number("loss", optarg, 1);
		break;
	case DUPLICATE:
		sim->duplicate = number("duplicate", optarg, 1);
		break;
	case RTT:
		sim->rtt_us = (uint32_t)(1000 * number("rtt", optarg, 60000));
		break;
	case JITTER:
		sim->jitter_us = (uint32_t)(1000 * number("jitter", optarg, 60000));
		break;
	case SEED:
		sim->seed = strtoull(optarg, NULL, 10);
		break;
	case NO_BANNERS:
		sim->banners = false;
		break;
	default:
		errx(USAGE, "see world --help");
	}
}

static void read_options(int argc, char **argv, struct options *options) {
	int option;

	if (dp_ipset_create(&options->addresses))
		err(FAILED, NULL);
	while ((option = getopt_long(argc, argv, "g:p:xo:s:vh", long_options, NULL)) != -1)
		read_option(options, option);
	if (argc - optind < 2)
		errx(USAGE, "a device and a prefix are wanted; see world --help");
	if (options->targets && !options->world.exact)
		errx(USAGE, "--targets wants --exact");
	if (options->nb_ports == 0)
		add_ports(options, "0-65535");
	options->world.device = argv[optind++];
	while (optind < argc)
		add_prefix(options, argv[optind++]);
	dp_ipset_seal(options->addresses);
	errno = -dp_space_create(
		options->addresses, options->ports, options->nb_ports, &options->space);
	if (errno)
		err(USAGE, "these addresses and ports");
	options->world.space = options->space;
}

/* --- the report ------------------------------------------------------------------------------- */

static FILE *create(const char *path) {
	FILE *out = path ? fopen(path, "w") : stdout;

	if (!out)
		err(FAILED, "%s", path);
	return out;
}

static void finish(FILE *out, const char *path) {
	if (fflush(out) || ferror(out) || (out != stdout && fclose(out)))
		err(FAILED, "%s", path ? path : "standard output");
}

/* How many probes went to targets that had some before. */
static uint64_t duplicates(const struct dp_world_counts *counts) {
	return counts->probes - counts->targets;
}

static void write_exact(FILE *out, const struct dp_world_counts *counts) {
	const char *comma = "";

	if (!counts->exact) {
		fputs("  \"targets\": null,\n  \"duplicates\": null,\n"
		      "  \"targets_by_probes\": null,\n",
			out);
		return;
	}
	fprintf(out, "  \"targets\": %lu,\n  \"duplicates\": %lu,\n  \"targets_by_probes\": {",
		counts->targets, duplicates(counts));
	for (unsigned i = 1; i <= DP_WORLD_TIMES_MAX; i++) {
		if (counts->targets_by_times[i] == 0)
			continue;
		fprintf(out, "%s\"%u%s\": %lu", comma, i, i == DP_WORLD_TIMES_MAX ? "+" : "",
			counts->targets_by_times[i]);
		comma = ", ";
	}
	fputs("},\n", out);
}

static void write_slots(FILE *out, const struct dp_world_counts *counts) {
	fprintf(out, "  \"slot_ms\": %d,\n  \"probes_by_slot\": [", DP_WORLD_SLOT_MS);
	for (unsigned i = 0; i < counts->nb_slots; i++)
		fprintf(out, "%s%u", i ? ", " : "", counts->slot[i].probes);
	fputs("],\n  \"answers_by_slot\": [", out);
	for (unsigned i = 0; i < counts->nb_slots; i++)
		fprintf(out, "%s%u", i ? ", " : "", counts->slot[i].answers);
	fprintf(out, "],\n  \"probes_beyond_slots\": %lu,\n", counts->probes_beyond_slots);
}

static double cpu_s(void) {
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec)
		+ (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void write_report(const char *path, const struct dp_world_counts *counts) {
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
		{"received", counts->received},
		{"probes", counts->probes},
		{"connection", counts->connection},
		{"questions", counts->questions},
		{"strays", counts->strays},
		{"bad_checksum", counts->bad_checksum},
		{"foreign", counts->foreign},
		{"answers", counts->answers},
		{"lost_by_dice", counts->lost_by_dice},
		{"lost_rx", counts->lost_rx},
		{"lost_tx", counts->lost_tx},
		{"unsent", counts->unsent},
		{"first_unix_ns", counts->first_unix_ns},
		{"span_ns", counts->span_ns},
		{"gap_ns", counts->gap_ns},
	};
	FILE *out = create(path);

	fputs("{\n", out);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		fprintf(out, "  \"%s\": %lu,\n", numbers[i].name, numbers[i].value);
	write_exact(out, counts);
	write_slots(out, counts);
	fprintf(out, "  \"cpu_s\": %.3f\n}\n", cpu_s());
	finish(out, path);
}

static void write_target(void *out, dp_ip ip, uint16_t port, unsigned probes) {
	char text[DP_IP_TEXT_BYTES];

	dp_ip_write(ip, text);
	fprintf(out, "%s %u %u\n", text, port, probes);
}

static void end_after(double seconds) {
	const struct itimerval after = {.it_value
		= {(time_t)seconds, (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6)}};

	if (seconds > 0)
		setitimer(ITIMER_REAL, &after, NULL);
}

int main(int argc, char **argv) {
	static struct options options = {
		.world
		= {.cpu = -1, .sim = {.alive = 0.5, .open = 0.1, .seed = 1, .banners = true}},
	};
	const struct sigaction action = {.sa_handler = on_signal};
	struct dp_world_counts counts;
	struct dp_world *world;
	struct dp_error error;

	read_options(argc, argv, &options);
	if (dp_world_create(&options.world, &world, &error))
		errx(error.usage ? USAGE : FAILED, "%s", error.text);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	end_after(options.seconds);
	fputs("ready\n", stderr);
	dp_world_run(world, &stop);
	dp_world_read(world, &counts);
	write_report(options.output, &counts);
	if (options.targets) {
		FILE *out = create(options.targets);

		dp_world_each(world, write_target, out);
		finish(out, options.targets);
	}
	dp_world_destroy(world);
	dp_space_destroy(options.space);
	dp_ipset_destroy(options.addresses);
	return 0;
}
