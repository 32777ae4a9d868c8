/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * XML as readers of nmap's take it: an element a host, with its ports, their services, and what banners
 * and plugins said as script elements.
 *
 * Runs on the writer thread, its end on the control core. Owns the results that wait to be grouped. A
 * host is one line, so that a file that was cut anywhere has whole hosts up to its last newline; a host
 * whose results come far apart has several elements, which is as valid.
 */
#include "host_groups.h"
#include "json.h"
#include "output.h"
#include "version.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char first_line[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
static const char trailer[] = "<runstats>";

enum {
	ESCAPED = 6, /* bytes that one byte of text becomes at the most */
	PORT_FRAME = 512, /* more than all that has a fixed length */
	SCRIPT_FRAME = 64,
	HOST_FRAME = 512,
	DATE_BYTES = 32,
};

struct xml {
	struct sink *sink;
	const struct ctl_config *config; /* NULL: not known */
	struct host_groups *groups;
	uint64_t hosts, up; /* elements written */
	time_t begun_at; /* the document in hand */
	bool begun;
	bool rotated; /* it is not the first one */
};

/* ---- Text ---- */

/* What stands for an ASCII character between quotes; NULL: itself. */
static const char *entity(uint8_t c) {
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\n':
		return "&#10;";
	case '\r':
		return "&#13;";
	case '\t':
		return "&#9;";
	default:
		return NULL;
	}
}

/* XML has no form for other control characters, not even as references (XML 1.0, 2.2). */
static bool is_character(const uint8_t *p, unsigned length) {
	if (length == 1)
		return *p >= 0x20 && *p != 0x7f;
	/* U+FFFE and U+FFFF */
	return length && !(length == 3 && p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe);
}

/* @n bytes as they stand between quotes, what is no character of XML as \xNN. */
static char *put_text(char *to, const void *bytes, size_t n) {
	const uint8_t *p = bytes, *end = p + n;

	while (p < end) {
		unsigned length = json_utf8_length(p, (size_t)(end - p));
		const char *name = length == 1 ? entity(*p) : NULL;

		if (name) {
			to = stpcpy(to, name);
		} else if (!is_character(p, length)) {
			length = 1;
			to += sprintf(to, "\\x%02X", *p);
		} else if (length == 2 && p[0] == 0xc2 && p[1] < 0xa0) {
			/* C1, which some terminals obey */
			to += sprintf(to, "&#x%X;", p[1]);
		} else {
			to = mempcpy(to, p, length);
		}
		p += length;
	}
	return to;
}

/* ` NAME="TEXT"`, where there is text. */
static char *put_attribute(char *p, const char *name, const char *text, size_t most) {
	const size_t bytes = strnlen(text, most);

	if (!bytes)
		return p;
	p += sprintf(p, " %s=\"", name);
	p = put_text(p, text, bytes);
	return stpcpy(p, "\"");
}

static char *put_script(
	char *p, const char *id, const char *word, const void *output, size_t bytes) {
	p = stpcpy(p, "<script id=\"");
	p = put_text(p, id, strlen(id));
	p = stpcpy(p, "\" output=\"");
	p = stpcpy(p, word);
	if (*word && bytes)
		p = stpcpy(p, ": ");
	p = put_text(p, output, bytes);
	return stpcpy(p, "\"/>");
}

static void put_date(time_t when, char date[DATE_BYTES]) {
	struct tm tm;

	strftime(date, DATE_BYTES, "%a %b %e %H:%M:%S %Y", gmtime_r(&when, &tm));
}

/* ---- Results ---- */

/* What is known of the operating system, of hardware and applications: `cpe:/a:...`, split at blanks. */
static char *put_cpe(char *p, const char *cpe, size_t most) {
	const size_t bytes = strnlen(cpe, most);

	if (!bytes)
		return p;
	p = stpcpy(p, "<cpe>");
	p = put_text(p, cpe, bytes);
	return stpcpy(p, "</cpe>");
}

static char *put_service(char *p, const struct lh_service *s) {
	double confidence = s->confidence > 0 ? s->confidence : 0;
	int conf = confidence < 1 ? (int)(confidence * 10 + 0.5) : 10;

	p = stpcpy(p, "<service");
	p = *s->name ? put_attribute(p, "name", s->name, sizeof s->name)
		     : stpcpy(p, " name=\"unknown\"");
	p = put_attribute(p, "product", s->product, sizeof s->product);
	p = put_attribute(p, "version", s->version, sizeof s->version);
	p = put_attribute(p, "extrainfo", s->info, sizeof s->info);
	p = put_attribute(p, "ostype", s->os, sizeof s->os);
	p += sprintf(p, " method=\"probed\" conf=\"%d\">", conf);
	p = put_cpe(p, s->cpe, sizeof s->cpe);
	return stpcpy(p, "</service>");
}

/* The status of a plugin where it says something, with its error, and what it found. */
static char *put_plugin(char *p, const struct result_plugin *plugin) {
	const char *error = plugin->error ? plugin->error : "";

	if (plugin->status != LH_OK || plugin->error)
		p = put_script(
			p, plugin->name, lh_status_names[plugin->status], error, strlen(error));
	if (plugin->results)
		p = put_script(p, plugin->name, "", plugin->results, strlen(plugin->results));
	return p;
}

static char *put_scripts(char *p, const struct result_extra *extra) {
	if (extra->banner)
		p = put_script(p, "banner", "", extra->banner, extra->banner_bytes);
	for (unsigned i = 0; i < extra->nb_plugins; i++)
		p = put_plugin(p, &extra->plugins[i]);
	return p;
}

/* More bytes than a result can have. */
static size_t longest(const struct result_extra *extra) {
	size_t bytes = PORT_FRAME;

	if (!extra)
		return bytes;
	bytes += SCRIPT_FRAME + ESCAPED * (sizeof extra->service + extra->banner_bytes);
	for (unsigned i = 0; i < extra->nb_plugins; i++) {
		const struct result_plugin *plugin = &extra->plugins[i];
		bytes += 2 * (SCRIPT_FRAME + ESCAPED * strlen(plugin->name));
		bytes += plugin->error ? ESCAPED * strlen(plugin->error) : 0;
		bytes += plugin->results ? ESCAPED * strlen(plugin->results) : 0;
	}
	return bytes;
}

static char *put_port(char *p, const struct result *result) {
	const struct dp_answer *a = &result->answer;

	p += sprintf(p,
		"<port protocol=\"%s\" portid=\"%u\"><state state=\"%s\" reason=\"%s\" "
		"reason_ttl=\"%u\"/>",
		dp_proto_name(a->proto), a->port, dp_state_name(a->state),
		dp_reason_name(a->reason), a->ttl);
	if (result->extra && result->extra->has_service)
		p = put_service(p, &result->extra->service);
	if (result->extra)
		p = put_scripts(p, result->extra);
	return stpcpy(p, "</port>");
}

/* The result that says most about the host: one that came from itself. */
static const struct dp_answer *witness(const struct host_row *rows, unsigned n) {
	for (unsigned i = 0; i < n; i++)
		if (rows[i].answer.state != DP_STATE_FILTERED)
			return &rows[i].answer;
	return &rows->answer;
}

static char *put_head(char *p, const struct host_row *rows, unsigned n) {
	const struct dp_answer *a = witness(rows, n);
	uint64_t first_ns = rows->answer.ts_ns, last_ns = first_ns;
	char ip[DP_IP_TEXT_BYTES];

	for (unsigned i = 0; i < n; i++) {
		const uint64_t ts_ns = rows[i].answer.ts_ns;
		first_ns = ts_ns < first_ns ? ts_ns : first_ns;
		last_ns = ts_ns > last_ns ? ts_ns : last_ns;
	}
	dp_ip_write(a->ip, ip);
	return p
		+ sprintf(p,
			"<host starttime=\"%llu\" endtime=\"%llu\"><status state=\"%s\" "
			"reason=\"%s\" reason_ttl=\"%u\"/><address addr=\"%s\" addrtype=\"%s\"/>",
			(unsigned long long)(first_ns / 1000000000),
			(unsigned long long)(last_ns / 1000000000),
			a->state == DP_STATE_FILTERED ? "unknown" : "up", dp_reason_name(a->reason),
			a->ttl, ip, dp_ip_is_v4(a->ip) ? "ipv4" : "ipv6");
}

/* The texts of those that have a port, or of those that have none. */
static char *put_rows(char *p, const struct host_row *rows, unsigned n, const char *text,
	bool ports, const char *before, const char *behind) {
	bool any = false;

	for (unsigned i = 0; i < n; i++) {
		if (result_has_port(&rows[i].answer) != ports || !rows[i].bytes)
			continue;
		if (!any)
			p = stpcpy(p, before);
		any = true;
		p = mempcpy(p, text + rows[i].at, rows[i].bytes);
	}
	return any ? stpcpy(p, behind) : p;
}

static void put_host(
	void *user, const struct host_row *rows, unsigned n, const char *text, size_t bytes) {
	struct xml *xml = user;
	char *line = sink_room_for(xml->sink, HOST_FRAME + bytes), *p;

	if (!line)
		return;
	p = put_head(line, rows, n);
	p = put_rows(p, rows, n, text, true, "<ports>", "</ports>");
	p = put_rows(p, rows, n, text, false, "<hostscript>", "</hostscript>");
	p = stpcpy(p, "</host>\n");
	sink_lines(xml->sink, (size_t)(p - line), n);
	xml->hosts++;
	xml->up += witness(rows, n)->state != DP_STATE_FILTERED;
}

static void hold(struct xml *xml, const struct result *result) {
	char *text = host_groups_room(xml->groups, longest(result->extra)), *end = text;

	if (!text) {
		xml->sink->error = xml->sink->error ? xml->sink->error : -ENOMEM;
		return;
	}
	if (result_has_port(&result->answer))
		end = put_port(text, result);
	else if (result->extra)
		end = put_scripts(text, result->extra);
	host_groups_add(xml->groups, &result->answer, (size_t)(end - text));
}

/* ---- The document ---- */

static int xml_open(struct sink *sink, const struct output_params *params, void **state) {
	struct xml *xml = calloc(1, sizeof *xml);

	if (!xml || host_groups_create(put_host, xml, &xml->groups)) {
		free(xml);
		return -ENOMEM;
	}
	xml->sink = sink;
	xml->config = params->config;
	*state = xml;
	return 0;
}

static const char *xml_first_line(const void *state) {
	(void)state;
	return first_line;
}

/* The format's word for a scan type; NULL: it has none. */
static const char *scan_word(const struct dp_scan_type *type) {
	static const char *const same[]
		= {"syn", "ack", "window", "fin", "null", "xmas", "maimon", "udp"};

	for (unsigned i = 0; i < sizeof same / sizeof *same; i++)
		if (!strcmp(type->name, same[i]))
			return same[i];
	return strcmp(type->name, "sctp") ? NULL : "sctpinit";
}

/* Ports in a list such as `22,80-82`, or `T:22,U:53`. */
static unsigned count_ports(const char *list) {
	unsigned count = 0;

	while (*list) {
		list += strcspn(list, "0123456789");
		if (!*list)
			break;
		char *end;
		unsigned long first = strtoul(list, &end, 10), last = first;
		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		count += last >= first ? (unsigned)(last - first + 1) : 0;
		list = end;
	}
	return count;
}

/* Lists may have letters of protocols in them: the line has a protocol of its own. */
static void put_scaninfo(struct xml *xml) {
	const struct dp_scan_type *type = xml->config->type;
	const char *word = scan_word(type), *ports = xml->config->ports;
	char *line, *p;

	if (!word || !type->has_ports)
		return;
	line = sink_room_for(xml->sink, 256 + strlen(ports));
	if (!line)
		return;
	p = line
		+ sprintf(line,
			"<scaninfo type=\"%s\" protocol=\"%s\" numservices=\"%u\" services=\"",
			word, dp_proto_name(type->proto), count_ports(ports));
	for (; *ports; ports++)
		if (strchr("0123456789-,", *ports))
			*p++ = *ports;
	p = stpcpy(p, "\"/>\n");
	sink_line(xml->sink, (size_t)(p - line));
	xml->sink->headings++;
}

/* The format knows one scanner's name only: whose it is, `args` says. */
static void put_root(struct xml *xml) {
	const time_t now = xml->begun_at = time(NULL);
	char date[DATE_BYTES], line[320];

	put_date(now, date);
	snprintf(line, sizeof line,
		"<nmaprun scanner=\"nmap\" args=\"prtip-dp%s%s\" start=\"%lld\" startstr=\"%s\" "
		"version=\"%s\" xmloutputversion=\"1.05\">\n",
		xml->config ? " --scan-type " : "", xml->config ? xml->config->type->name : "",
		(long long)now, date, CTL_VERSION);
	sink_heading(xml->sink, line);
}

static void begin(struct xml *xml) {
	if (!xml->begun && !xml->sink->follows) {
		sink_heading(xml->sink, first_line);
		sink_heading(xml->sink, "<!DOCTYPE nmaprun>\n");
		put_root(xml);
		if (xml->config)
			put_scaninfo(xml);
		sink_heading(xml->sink, "<verbose level=\"0\"/>\n");
		sink_heading(xml->sink, "<debugging level=\"0\"/>\n");
	}
	xml->begun = true;
}

static void xml_write(void *state, const struct result *results, unsigned n) {
	begin(state);
	for (unsigned i = 0; i < n; i++)
		hold(state, &results[i]);
}

static void xml_settle(void *state) {
	struct xml *xml = state;

	host_groups_flush(xml->groups);
}

/* Hosts that were to be scanned; at least those that are in the file. */
static uint64_t count_hosts(const struct xml *xml, const struct ctl_summary *summary) {
	const bool ports = xml->config && xml->config->type->has_ports;
	const unsigned each = ports ? count_ports(xml->config->ports) : 1;
	const dp_u128 hosts = summary->targets / (each ? each : 1);

	return hosts < xml->hosts ? xml->hosts : hosts > UINT64_MAX ? UINT64_MAX : (uint64_t)hosts;
}

/* The elements behind the last host; @summary as text between quotes. */
static void put_end(struct xml *xml, double elapsed_s, const char *summary, uint64_t total) {
	const time_t now = time(NULL);
	char date[DATE_BYTES], line[512];

	put_date(now, date);
	snprintf(line, sizeof line,
		"%s<finished time=\"%lld\" timestr=\"%s\" elapsed=\"%.2f\" summary=\"prtip-dp %s\" "
		"exit=\"success\"/><hosts up=\"%llu\" down=\"%llu\" total=\"%llu\"/></runstats>\n",
		trailer, (long long)now, date, elapsed_s, summary, (unsigned long long)xml->up,
		(unsigned long long)(total - xml->up), (unsigned long long)total);
	sink_heading(xml->sink, line);
	sink_heading(xml->sink, "</nmaprun>\n");
}

/* A document of a scan that goes on in the next one. */
static void xml_end_file(void *state) {
	struct xml *xml = state;

	begin(xml);
	host_groups_flush(xml->groups);
	put_end(xml, difftime(time(NULL), xml->begun_at), "goes on in another file", xml->hosts);
}

static void xml_begin_file(void *state) {
	struct xml *xml = state;

	xml->begun = xml->sink->follows = false;
	xml->hosts = xml->up = 0;
	xml->rotated = true;
	begin(xml);
}

static int xml_finish(void *state, const struct ctl_summary *summary) {
	struct xml *xml = state;
	char date[DATE_BYTES], text[256];

	begin(xml);
	host_groups_flush(xml->groups);
	put_date(time(NULL), date);
	snprintf(text, sizeof text, "done at %s; %llu results in %.2f seconds%s", date,
		(unsigned long long)summary->results, summary->elapsed_s,
		summary->complete ? "" : "; not complete");
	/* Silent hosts are in no file, so that the last of several does not count them as its own. */
	put_end(xml, summary->elapsed_s, text,
		xml->rotated ? xml->hosts : count_hosts(xml, summary));
	return 0;
}

static void xml_close(void *state) {
	struct xml *xml = state;

	host_groups_destroy(xml->groups);
	free(xml);
}

const struct output_format output_xml = {
	.name = "xml",
	.line_start = "",
	.grouped = true,
	.trailer = trailer,
	.open = xml_open,
	.first_line = xml_first_line,
	.write_results = xml_write,
	.settle = xml_settle,
	.end_file = xml_end_file,
	.begin_file = xml_begin_file,
	.finish = xml_finish,
	.close = xml_close,
};
