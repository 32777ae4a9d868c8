/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NDJSON: one line a result.
 *
 *     {"ts":"2026-01-31T12:00:00.123456Z","ip":"198.18.0.2","port":80,"proto":"tcp","state":"open",
 *      "reason":"syn-ack","ttl":64,"rtt_us":412}
 *
 * and, where there is more to say, "zero_window", "banner", "service" and "plugins" behind that.
 *
 * Runs on the writer thread and owns a few prepared pieces of text. Millions of lines a second go
 * through here: what can only take few values is prepared once (the second, each octet, each
 * triple of protocol, state and reason), so that a line is a row of copies and three or four small numbers.
 */
#include "json.h"
#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A piece of text with its length. Copied whole: a fixed number of bytes is a few moves. */
struct piece {
	unsigned bytes;
	char text[76];
};

struct octet {
	char text[3];
	uint8_t bytes;
};

struct ndjson {
	struct sink *sink;
	uint64_t second; /* since 1970, of the piece below */
	struct piece start; /* from the brace to the point of the time stamp */
	struct octet octet[256];
	struct piece verdict[DP_PROTO_COUNT][DP_STATE_COUNT]
			    [DP_REASON_COUNT]; /* from "proto" to the TTL's colon */
};

enum {
	LONGEST_START = 32, /* bytes of the piece that make it up at the most, padding included */
};

static void set_second(struct ndjson *nd, uint64_t second) {
	struct tm tm;
	time_t t = (time_t)second;

	gmtime_r(&t, &tm);
	nd->second = second;
	nd->start.bytes = (unsigned)strftime(
		nd->start.text, sizeof nd->start.text, "{\"ts\":\"%Y-%m-%dT%H:%M:%S.", &tm);
}

static void set_verdict(
	struct piece *piece, enum dp_proto proto, enum dp_state state, enum dp_reason reason) {
	piece->bytes = (unsigned)snprintf(piece->text, sizeof piece->text,
		",\"proto\":\"%s\",\"state\":\"%s\",\"reason\":\"%s\",\"ttl\":",
		dp_proto_name(proto), dp_state_name(state), dp_reason_name(reason));
}

static int ndjson_open(struct sink *sink, const struct output_params *params, void **state) {
	struct ndjson *nd = calloc(1, sizeof *nd);

	(void)params;
	if (!nd)
		return -ENOMEM;
	nd->sink = sink;
	set_second(nd, 0);
	for (unsigned i = 0; i < 256; i++) {
		char text[4];
		nd->octet[i].bytes = (uint8_t)snprintf(text, sizeof text, "%u", i);
		memcpy(nd->octet[i].text, text, sizeof nd->octet[i].text);
	}
	for (unsigned p = 0; p < DP_PROTO_COUNT; p++)
		for (unsigned s = 0; s < DP_STATE_COUNT; s++)
			for (unsigned r = 0; r < DP_REASON_COUNT; r++)
				set_verdict(&nd->verdict[p][s][r], p, s, r);
	*state = nd;
	return 0;
}

static char *put_number(char *p, uint32_t n) {
	char digits[10];
	unsigned at = sizeof digits;

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	memcpy(p, digits + at, sizeof digits - at);
	return p + sizeof digits - at;
}

static char *put_micros(char *p, uint32_t n) {
	for (int i = 5; i >= 0; i--) {
		p[i] = (char)('0' + n % 10);
		n /= 10;
	}
	return p + 6;
}

/* Copies three bytes and moves on by as many as count. */
static char *put_octet(const struct ndjson *nd, char *p, uint32_t value) {
	const struct octet *octet = &nd->octet[value & 255];

	memcpy(p, octet->text, sizeof octet->text);
	return p + octet->bytes;
}

static char *put_ip(const struct ndjson *nd, char *p, dp_ip any) {
	const uint32_t ip = dp_ip_to_v4(any);

	if (!dp_ip_is_v4(any))
		return p + dp_ip_write(any, p);
	p = put_octet(nd, p, ip >> 24);
	*p++ = '.';
	p = put_octet(nd, p, ip >> 16);
	*p++ = '.';
	p = put_octet(nd, p, ip >> 8);
	*p++ = '.';
	return put_octet(nd, p, ip);
}

#define PUT(p, literal) ((char *)memcpy((p), (literal), sizeof(literal) - 1) + sizeof(literal) - 1)

static char *put_time(struct ndjson *nd, char *p, uint64_t ts_ns) {
	uint64_t second = ts_ns / 1000000000;

	if (second != nd->second)
		set_second(nd, second);
	memcpy(p, nd->start.text, LONGEST_START);
	p = put_micros(p + nd->start.bytes, (uint32_t)(ts_ns / 1000 % 1000000));
	return PUT(p, "Z\"");
}

/* All but the end of the line. */
static char *put_answer(struct ndjson *nd, char *p, const struct dp_answer *a) {
	const struct piece *verdict = &nd->verdict[a->proto][a->state][a->reason];

	p = put_time(nd, p, a->ts_ns);
	p = PUT(p, ",\"ip\":\"");
	p = put_ip(nd, p, a->ip);
	*p++ = '"';
	if (result_has_port(a)) {
		p = PUT(p, ",\"port\":");
		p = put_number(p, a->port);
	}
	memcpy(p, verdict->text, sizeof verdict->text);
	p = put_number(p + verdict->bytes, a->ttl);
	if (a->rtt_us != DP_RTT_NONE) {
		p = PUT(p, ",\"rtt_us\":");
		p = put_number(p, a->rtt_us);
	}
	if (a->zero_window)
		p = PUT(p, ",\"zero_window\":true");
	return p;
}

/* JSON text has no form for bytes that are no characters. */
static char *put_banner(char *p, const uint8_t *banner, size_t n) {
	static const char hex[] = "0123456789abcdef";

	if (json_is_utf8(banner, n)) {
		p = PUT(p, ",\"banner\":\"");
		p = json_escape(p, banner, n);
		*p++ = '"';
		return p;
	}
	p = PUT(p, ",\"banner_hex\":\"");
	for (size_t i = 0; i < n; i++) {
		*p++ = hex[banner[i] >> 4];
		*p++ = hex[banner[i] & 15];
	}
	*p++ = '"';
	return p;
}

/* A member with a comma behind it, where there is something to say. */
static char *put_known(char *p, const char *key, const char *text, size_t most) {
	size_t bytes = strnlen(text, most);

	if (!bytes)
		return p;
	*p++ = '"';
	p = stpcpy(stpcpy(p, key), "\":\"");
	p = json_escape(p, text, bytes);
	return PUT(p, "\",");
}

static char *put_confidence(char *p, double confidence) {
	/* Not a number is not less than 1 either. */
	double c = !(confidence > 0) ? 0 : confidence < 1 ? confidence : 1;

	p = PUT(p, "\"confidence\":");
	return p + sprintf(p, "%.4g", c);
}

static char *put_service(char *p, const struct result_extra *extra) {
	const struct lh_service *s = &extra->service;

	p = PUT(p, ",\"service\":{");
	p = put_known(p, "name", s->name, sizeof s->name);
	p = put_known(p, "product", s->product, sizeof s->product);
	p = put_known(p, "version", s->version, sizeof s->version);
	p = put_known(p, "info", s->info, sizeof s->info);
	p = put_known(p, "os", s->os, sizeof s->os);
	p = put_known(p, "cpe", s->cpe, sizeof s->cpe);
	p = put_confidence(p, s->confidence);
	if (extra->service_source) {
		p = PUT(p, ",\"source\":\"");
		p = json_escape(p, extra->service_source, strlen(extra->service_source));
		*p++ = '"';
	}
	*p++ = '}';
	return p;
}

static char *put_extra(char *p, const struct result_extra *extra) {
	if (extra->banner)
		p = put_banner(p, extra->banner, extra->banner_bytes);
	if (extra->has_service)
		p = put_service(p, extra);
	if (extra->nb_plugins) {
		p = PUT(p, ",\"plugins\":");
		p = result_plugins_write(extra, p);
	}
	return p;
}

/* More bytes than the line of this result can have. */
static size_t longest(const struct result_extra *extra) {
	const size_t source = extra->service_source ? strlen(extra->service_source) : 0;

	return 1024 + JSON_ESCAPED * (extra->banner_bytes + sizeof extra->service + source)
		+ result_plugins_room(extra);
}

/* As the writer's fast path is for those without, those with more are a function of their own. */
[[gnu::noinline]] static void put_long_line(struct ndjson *nd, const struct result *result) {
	char *line = sink_room_for(nd->sink, longest(result->extra));

	if (!line)
		return;
	char *p = put_extra(put_answer(nd, line, &result->answer), result->extra);
	p = PUT(p, "}\n");
	sink_line(nd->sink, (size_t)(p - line));
}

static void ndjson_write(void *state, const struct result *results, unsigned n) {
	struct ndjson *nd = state;

	for (unsigned i = 0; i < n; i++) {
		if (results[i].extra) {
			put_long_line(nd, &results[i]);
			continue;
		}
		char *line = sink_room(nd->sink);
		char *p = put_answer(nd, line, &results[i].answer);
		p = PUT(p, "}\n");
		sink_line(nd->sink, (size_t)(p - line));
	}
}

/* The text between @before, which must come next at or behind *@at, and the next @end. */
static bool text_behind(
	const char **at, const char *stop, const char *before, char end, char *text, size_t room) {
	const char *from = memmem(*at, (size_t)(stop - *at), before, strlen(before));
	const char *to = from
		? memchr(from + strlen(before), end, (size_t)(stop - from) - strlen(before))
		: NULL;
	size_t n;

	if (!to)
		return false;
	from += strlen(before);
	n = (size_t)(to - from);
	if (n >= room)
		return false;
	memcpy(text, from, n);
	text[n] = '\0';
	*at = to;
	return true;
}

static bool proto_named(const char *name, enum dp_proto *proto) {
	for (*proto = 0; *proto < DP_PROTO_COUNT; (*proto)++)
		if (!strcmp(name, dp_proto_name(*proto)))
			return true;
	return false;
}

bool output_ndjson_read(const char *line, size_t bytes, dp_ip *ip, uint16_t *port,
	enum dp_proto *proto, uint8_t *state) {
	/* What comes before the banner is ours and short. */
	const char *at = line, *stop = line + (bytes < 256 ? bytes : 256);
	char text[64];
	unsigned long number;

	if (!text_behind(&at, stop, ",\"ip\":\"", '"', text, sizeof text)
		|| dp_ip_read(text, strlen(text), ip))
		return false;
	*port = 0;
	if (stop - at > 9 && !memcmp(at, "\",\"port\":", 9)) {
		at += 1;
		if (!text_behind(&at, stop, ",\"port\":", ',', text, sizeof text))
			return false;
		number = strtoul(text, NULL, 10);
		if (number > UINT16_MAX)
			return false;
		*port = (uint16_t)number;
	}
	if (!text_behind(&at, stop, "\"proto\":\"", '"', text, sizeof text)
		|| !proto_named(text, proto)
		|| !text_behind(&at, stop, "\"state\":\"", '"', text, sizeof text))
		return false;
	for (uint8_t i = 0; i < DP_STATE_COUNT; i++)
		if (!strcmp(text, dp_state_name(i))) {
			*state = i;
			return true;
		}
	return false;
}

/* The end of the string that begins behind @at's quote: its closing quote, or NULL. */
static const char *string_end(const char *at, const char *stop) {
	for (; at < stop && *at != '"'; at++)
		at += *at == '\\';
	return at < stop ? at : NULL;
}

/* The end of the object that begins at @at: its closing brace, or NULL. */
static const char *object_end(const char *at, const char *stop) {
	unsigned depth = 0;

	for (; at && at < stop; at++) {
		if (*at == '"')
			at = string_end(at + 1, stop);
		else if (*at == '{')
			depth++;
		else if (*at == '}' && --depth == 0)
			return at;
		if (!at)
			break;
	}
	return NULL;
}

static bool read_status(const char *text, size_t bytes, enum lh_status *status) {
	for (unsigned i = 0; i < LH_STATUS_COUNT; i++)
		if (strlen(lh_status_names[i]) == bytes
			&& !memcmp(lh_status_names[i], text, bytes)) {
			*status = (enum lh_status)i;
			return true;
		}
	return false;
}

/* One member of "plugins", `"NAME":{"status":"ok"...}`; *@at moves behind it. */
static bool read_plugin(const char **at, const char *stop,
	void (*fn)(void *user, const char *name, enum lh_status status), void *user) {
	static const char key[] = ":{\"status\":\"";
	const char *name_end = **at == '"' ? string_end(*at + 1, stop) : NULL;
	const char *text = name_end ? name_end + sizeof key : NULL;
	const char *text_end, *end;
	char name[LH_NAME_BYTES];
	enum lh_status status;

	if (!text || text >= stop || memcmp(name_end + 1, key, sizeof key - 1)
		|| (size_t)(name_end - *at) > sizeof name)
		return false;
	text_end = string_end(text, stop);
	end = object_end(name_end + 2, stop);
	if (!text_end || !end || !read_status(text, (size_t)(text_end - text), &status))
		return false;
	memcpy(name, *at + 1, (size_t)(name_end - *at - 1));
	name[name_end - *at - 1] = '\0';
	fn(user, name, status);
	*at = end + 1;
	return true;
}

bool output_ndjson_plugins(const char *line, size_t bytes,
	void (*fn)(void *user, const char *name, enum lh_status status), void *user) {
	/* No string has such quotes, and no object before it has members that are objects. */
	static const char key[] = ",\"plugins\":{";
	const char *stop = line + bytes, *at = memmem(line, bytes, key, sizeof key - 1);

	if (!at)
		return true;
	for (at += sizeof key - 1; at < stop && *at != '}'; at += *at == ',')
		if (!read_plugin(&at, stop, fn, user))
			return false;
	return at < stop;
}

static int ndjson_finish(void *state, const struct ctl_summary *summary) {
	(void)state;
	(void)summary;
	return 0;
}

/* Each line stands for itself. */
static void ndjson_begin_file(void *state) {
	(void)state;
}

static void ndjson_close(void *state) {
	free(state);
}

const struct output_format output_ndjson = {
	.name = "ndjson",
	.exact = true,
	.line_start = "{\"ts\":\"",
	.open = ndjson_open,
	.write_results = ndjson_write,
	.begin_file = ndjson_begin_file,
	.finish = ndjson_finish,
	.close = ndjson_close,
};
