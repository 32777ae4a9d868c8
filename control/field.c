/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of record fields, and their values.
 *
 * Functions of their arguments, for whichever thread owns the record; a value owns what it says.
 */
#include "field.h"
#include "json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

struct field_row {
	const char *name;
	enum field_kind kind;
	bool late; /* known once banners and plugins are through */
	const char *(*word)(unsigned i); /* NULL: any text */
	int (*get)(
		const struct field *field, const struct result *result, struct field_value *value);
	size_t offset, most; /* of a text in struct lh_service */
};

/* zmap's two words for what TCP says, and the reasons else. */
static const char *class_of(enum dp_reason reason) {
	return reason == DP_REASON_SYN_ACK  ? "synack"
		: reason == DP_REASON_RESET ? "rst"
					    : dp_reason_name(reason);
}

static const char *state_word(unsigned i) {
	return i < DP_STATE_COUNT ? dp_state_name(i) : NULL;
}

static const char *proto_word(unsigned i) {
	return i < DP_PROTO_COUNT ? dp_proto_name(i) : NULL;
}

static const char *reason_word(unsigned i) {
	return i < DP_REASON_COUNT ? dp_reason_name(i) : NULL;
}

static const char *class_word(unsigned i) {
	return i < DP_REASON_COUNT ? class_of(i) : NULL;
}

static const char *status_word(unsigned i) {
	return i < LH_STATUS_COUNT ? lh_status_names[i] : NULL;
}

/* ---- Values ---- */

static int text(struct field_value *value, enum field_kind kind, const void *bytes, size_t n) {
	value->kind = kind;
	value->text = bytes;
	value->bytes = n;
	return 0;
}

static int number(struct field_value *value, double n, const char *format, ...) {
	va_list args;

	va_start(args, format);
	vsnprintf(value->buffer, sizeof value->buffer, format, args);
	va_end(args);
	value->number = n;
	return text(value, FIELD_NUMBER, value->buffer, strlen(value->buffer));
}

static int word(struct field_value *value, const char *name) {
	return text(value, FIELD_WORD, name, strlen(name));
}

/* zmap writes 1 and 0, NDJSON true or nothing. */
static int truth(struct field_value *value, bool is, const char *written) {
	value->number = is;
	return text(value, FIELD_BOOL, written, strlen(written));
}

static int get_ts(const struct field *f, const struct result *r, struct field_value *value) {
	const time_t second = (time_t)(r->answer.ts_ns / 1000000000);
	char *to = value->buffer;
	struct tm tm;

	(void)f;
	to += strftime(to, 32, "%Y-%m-%dT%H:%M:%S.", gmtime_r(&second, &tm));
	to += sprintf(to, "%06uZ", (unsigned)(r->answer.ts_ns / 1000 % 1000000));
	return text(value, FIELD_WORD, value->buffer, (size_t)(to - value->buffer));
}

static int get_seconds(const struct field *f, const struct result *r, struct field_value *value) {
	const uint64_t second = r->answer.ts_ns / 1000000000;

	(void)f;
	return number(value, (double)second, "%llu", (unsigned long long)second);
}

static int get_micros(const struct field *f, const struct result *r, struct field_value *value) {
	const unsigned us = (unsigned)(r->answer.ts_ns / 1000 % 1000000);

	(void)f;
	return number(value, us, "%u", us);
}

static int get_ip(const struct field *f, const struct result *r, struct field_value *value) {
	(void)f;
	value->ip = r->answer.ip;
	return text(
		value, FIELD_IP, value->buffer, (size_t)dp_ip_write(r->answer.ip, value->buffer));
}

static int get_port(const struct field *f, const struct result *r, struct field_value *value) {
	(void)f;
	return result_has_port(&r->answer) ? number(value, r->answer.port, "%u", r->answer.port)
					   : 0;
}

static int get_proto(const struct field *f, const struct result *r, struct field_value *value) {
	(void)f;
	return word(value, dp_proto_name(r->answer.proto));
}

static int get_state(const struct field *f, const struct result *r, struct field_value *value) {
	(void)f;
	return word(value, dp_state_name(r->answer.state));
}

static int get_reason(const struct field *f, const struct result *r, struct field_value *value) {
	(void)f;
	return word(value, dp_reason_name(r->answer.reason));
}

static int get_class(const struct field *f, const struct result *r, struct field_value *value) {
	(void)f;
	return word(value, class_of(r->answer.reason));
}

static int get_success(const struct field *f, const struct result *r, struct field_value *value) {
	const bool is = r->answer.state == DP_STATE_OPEN || r->answer.state == DP_STATE_UP;

	(void)f;
	return truth(value, is, is ? "1" : "0");
}

static int get_repeat(const struct field *f, const struct result *r, struct field_value *value) {
	(void)f;
	(void)r;
	return truth(value, false, "0");
}

static int get_ttl(const struct field *f, const struct result *r, struct field_value *value) {
	(void)f;
	return number(value, r->answer.ttl, "%u", r->answer.ttl);
}

static int get_rtt(const struct field *f, const struct result *r, struct field_value *value) {
	(void)f;
	return r->answer.rtt_us == DP_RTT_NONE
		? 0
		: number(value, r->answer.rtt_us, "%u", r->answer.rtt_us);
}

static int get_zero_window(
	const struct field *f, const struct result *r, struct field_value *value) {
	(void)f;
	return r->answer.zero_window ? truth(value, true, "true") : 0;
}

static bool has_banner(const struct result *r) {
	return r->extra && r->extra->banner;
}

/* As JSON has it: text where it is text, else hexadecimal. */
static int get_banner(const struct field *f, const struct result *r, struct field_value *value) {
	(void)f;
	if (!has_banner(r) || !json_is_utf8(r->extra->banner, r->extra->banner_bytes))
		return 0;
	return text(value, FIELD_TEXT, r->extra->banner, r->extra->banner_bytes);
}

static int get_banner_hex(
	const struct field *f, const struct result *r, struct field_value *value) {
	(void)f;
	if (!has_banner(r) || json_is_utf8(r->extra->banner, r->extra->banner_bytes))
		return 0;
	value->made = malloc(2ul * r->extra->banner_bytes + 1);
	if (!value->made)
		return -ENOMEM;
	for (uint32_t i = 0; i < r->extra->banner_bytes; i++)
		sprintf(value->made + 2ul * i, "%02x", r->extra->banner[i]);
	return text(value, FIELD_WORD, value->made, 2ul * r->extra->banner_bytes);
}

static int get_service(const struct field *f, const struct result *r, struct field_value *value) {
	const char *of;

	if (!r->extra || !r->extra->has_service)
		return 0;
	of = (const char *)&r->extra->service + f->row->offset;
	const size_t n = strnlen(of, f->row->most);
	return n ? text(value, FIELD_TEXT, of, n) : 0;
}

static int get_confidence(
	const struct field *f, const struct result *r, struct field_value *value) {
	double c;

	(void)f;
	if (!r->extra || !r->extra->has_service)
		return 0;
	c = !(r->extra->service.confidence > 0)	   ? 0
		: r->extra->service.confidence < 1 ? r->extra->service.confidence
						   : 1;
	return number(value, c, "%.4g", c);
}

static int get_source(const struct field *f, const struct result *r, struct field_value *value) {
	(void)f;
	if (!r->extra || !r->extra->has_service || !r->extra->service_source)
		return 0;
	return word(value, r->extra->service_source);
}

/* ---- Plugins ---- */

/* The text of a JSON string without its quotes. */
static int decode(struct field_value *value, const char *at, const char *end) {
	value->made = malloc((size_t)(end - at) + 1);
	if (!value->made)
		return -ENOMEM;
	return text(value, FIELD_TEXT, value->made, json_unescape(value->made, at, end));
}

static int json_value(struct field_value *value, const char *at) {
	const char *end = json_value_end(at);

	if (*at == '"')
		return decode(value, at + 1, end - 1);
	if (*at == 't' || *at == 'f')
		return truth(value, *at == 't', *at == 't' ? "true" : "false");
	if (*at == 'n')
		return 0;
	text(value, FIELD_TEXT, at, (size_t)(end - at));
	if (*at != '{' && *at != '[') {
		value->kind = FIELD_NUMBER;
		value->number = strtod(at, NULL);
	}
	return 0;
}

static const struct result_plugin *plugin_of(const struct field *f, const struct result *r) {
	for (unsigned i = 0; r->extra && i < r->extra->nb_plugins; i++)
		if (!strcmp(r->extra->plugins[i].name, f->plugin))
			return &r->extra->plugins[i];
	return NULL;
}

static int get_status(const struct field *f, const struct result *r, struct field_value *value) {
	const struct result_plugin *plugin = plugin_of(f, r);

	return plugin ? word(value, lh_status_names[plugin->status]) : 0;
}

static int get_error(const struct field *f, const struct result *r, struct field_value *value) {
	const struct result_plugin *plugin = plugin_of(f, r);

	return plugin && plugin->error
		? text(value, FIELD_TEXT, plugin->error, strlen(plugin->error))
		: 0;
}

static int get_results(const struct field *f, const struct result *r, struct field_value *value) {
	const struct result_plugin *plugin = plugin_of(f, r);
	const char *at = plugin ? plugin->results : NULL, *path = f->name + f->path;

	while (at && *path) {
		const size_t length = strcspn(path, ".");

		at = json_member(at, path, length);
		path += length;
		path += *path == '.';
	}
	return at ? json_value(value, at) : 0;
}

/* ---- The table ---- */

#define SERVICE(of)                                                                                \
	.late = true, .get = get_service, .offset = offsetof(struct lh_service, of),               \
	.most = sizeof(((struct lh_service *)0)->of)

static const struct field_row rows[] = {
	{"ts", FIELD_WORD, .get = get_ts},
	{"ip", FIELD_IP, .get = get_ip},
	{"port", FIELD_NUMBER, .get = get_port},
	{"proto", FIELD_WORD, .word = proto_word, .get = get_proto},
	{"state", FIELD_WORD, .word = state_word, .get = get_state},
	{"reason", FIELD_WORD, .word = reason_word, .get = get_reason},
	{"ttl", FIELD_NUMBER, .get = get_ttl},
	{"rtt_us", FIELD_NUMBER, .get = get_rtt},
	{"zero_window", FIELD_BOOL, .get = get_zero_window},
	{"banner", FIELD_TEXT, .late = true, .get = get_banner},
	{"banner_hex", FIELD_WORD, .late = true, .get = get_banner_hex},
	{"service.name", FIELD_TEXT, SERVICE(name)},
	{"service.product", FIELD_TEXT, SERVICE(product)},
	{"service.version", FIELD_TEXT, SERVICE(version)},
	{"service.info", FIELD_TEXT, SERVICE(info)},
	{"service.os", FIELD_TEXT, SERVICE(os)},
	{"service.cpe", FIELD_TEXT, SERVICE(cpe)},
	{"service.confidence", FIELD_NUMBER, .late = true, .get = get_confidence},
	{"service.source", FIELD_TEXT, .late = true, .get = get_source},

	{"saddr", FIELD_IP, .get = get_ip},
	{"sport", FIELD_NUMBER, .get = get_port},
	{"classification", FIELD_WORD, .word = class_word, .get = get_class},
	{"success", FIELD_BOOL, .get = get_success},
	{"repeat", FIELD_BOOL, .get = get_repeat},
	{"timestamp_str", FIELD_WORD, .get = get_ts},
	{"timestamp_ts", FIELD_NUMBER, .get = get_seconds},
	{"timestamp_us", FIELD_NUMBER, .get = get_micros},
};

static const struct field_row row_status
	= {"plugins.NAME.status", FIELD_WORD, .late = true, .word = status_word, .get = get_status};
static const struct field_row row_error
	= {"plugins.NAME.error", FIELD_TEXT, .late = true, .get = get_error};
static const struct field_row row_results
	= {"plugins.NAME.results", FIELD_JSON, .late = true, .get = get_results};

static const char known[]
	= "ts, ip, port, proto, state, reason, ttl, rtt_us, zero_window, banner, banner_hex, "
	  "service.(name product version info os cpe confidence source), "
	  "plugins.NAME.(status error results.KEY)";

static int find_plugin_field(struct field *field, const char *rest) {
	const size_t length = strcspn(rest, ".");

	if (length >= sizeof field->plugin)
		return -ENOENT;
	memcpy(field->plugin, rest, length);
	field->plugin[length] = '\0';
	if (!lh_name_valid(field->plugin))
		return -ENOENT;
	rest += length;
	if (!strcmp(rest, ".status"))
		field->row = &row_status;
	else if (!strcmp(rest, ".error"))
		field->row = &row_error;
	else if (!strcmp(rest, ".results") || !strncmp(rest, ".results.", 9))
		field->row = &row_results;
	else
		return -ENOENT;
	rest += field->row == &row_results ? strlen(".results") : strlen(rest);
	field->path = (unsigned)(rest - field->name) + (*rest == '.');
	return 0;
}

int field_find(const char *name, size_t length, struct field *field, char *why, size_t room) {
	static const char plugins[] = "plugins.";

	*field = (struct field){0};
	if (length < sizeof field->name) {
		memcpy(field->name, name, length);
		if (!strncmp(field->name, plugins, sizeof plugins - 1)
			&& !find_plugin_field(field, field->name + sizeof plugins - 1))
			return 0;
		for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
			if (!strcmp(field->name, rows[i].name)) {
				field->row = &rows[i];
				return 0;
			}
	}
	snprintf(why, room, "no such field; there are %s", known);
	return -ENOENT;
}

enum field_kind field_kind(const struct field *field) {
	return field->row->kind;
}

const char *field_word(const struct field *field, unsigned i) {
	return field->row->word ? field->row->word(i) : NULL;
}

bool field_is_early(const struct field *field) {
	return !field->row->late;
}

int field_get(const struct field *field, const struct result *result, struct field_value *value) {
	*value = (struct field_value){.kind = FIELD_NONE, .text = ""};
	return field->row->get(field, result, value);
}
