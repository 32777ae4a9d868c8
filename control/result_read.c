/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A result from its line of NDJSON, for outputs that were not as far as that one when a scan was killed.
 *
 * Control core, before the writer thread runs. What it makes is the caller's, as any result.
 */
#include "json.h"
#include "result.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The member's value as it stands there; NULL: none. */
static const char *find(const char *object, const char *key) {
	return object ? json_member(object, key, strlen(key)) : NULL;
}

/* A member that is a text, to be freed; NULL: none, or no memory. */
static char *text_of(const char *object, const char *key, size_t *bytes) {
	const char *at = find(object, key);
	const char *end = at && *at == '"' ? json_value_end(at) : NULL;
	char *text = end ? malloc((size_t)(end - at)) : NULL;

	if (!text)
		return NULL;
	*bytes = json_unescape(text, at + 1, end - 1);
	text[*bytes] = '\0';
	return text;
}

static void copy_text(const char *object, const char *key, char *to, size_t room) {
	size_t bytes;
	char *text = text_of(object, key, &bytes);

	snprintf(to, room, "%s", text ? text : "");
	free(text);
}

static uint64_t number_of(const char *object, const char *key, uint64_t none) {
	const char *at = find(object, key);

	return at ? strtoull(at, NULL, 10) : none;
}

static uint64_t time_of(const char *line) {
	char text[40];
	struct tm tm = {0};
	const char *point;

	copy_text(line, "ts", text, sizeof text);
	point = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!point || *point != '.')
		return 0;
	return (uint64_t)timegm(&tm) * 1000000000 + strtoull(point + 1, NULL, 10) * 1000;
}

/* Which of the names the member has; false: none of them. */
static bool word_of(const char *line, const char *key, const char *(*name)(unsigned i), unsigned nb,
	uint8_t *is) {
	char text[40];

	copy_text(line, key, text, sizeof text);
	for (unsigned i = 0; i < nb; i++)
		if (!strcmp(text, name(i))) {
			*is = (uint8_t)i;
			return true;
		}
	return false;
}

static const char *proto_name(unsigned i) {
	return dp_proto_name(i);
}

static const char *state_name(unsigned i) {
	return dp_state_name(i);
}

static const char *reason_name(unsigned i) {
	return dp_reason_name(i);
}

static bool read_answer(const char *line, struct dp_answer *a) {
	char ip[64];

	*a = (struct dp_answer){.ts_ns = time_of(line),
		.port = (uint16_t)number_of(line, "port", 0),
		.ttl = (uint8_t)number_of(line, "ttl", 0),
		.rtt_us = (uint32_t)number_of(line, "rtt_us", DP_RTT_NONE),
		.zero_window = find(line, "zero_window") != NULL};
	copy_text(line, "ip", ip, sizeof ip);
	return !dp_ip_read(ip, strlen(ip), &a->ip)
		&& word_of(line, "proto", proto_name, DP_PROTO_COUNT, &a->proto)
		&& word_of(line, "state", state_name, DP_STATE_COUNT, &a->state)
		&& word_of(line, "reason", reason_name, DP_REASON_COUNT, &a->reason);
}

static void read_banner(const char *line, struct result_extra *extra) {
	size_t bytes;

	extra->banner = (uint8_t *)text_of(line, "banner", &bytes);
	if (!extra->banner) {
		extra->banner = (uint8_t *)text_of(line, "banner_hex", &bytes);
		bytes = extra->banner ? bytes / 2 : 0;
		for (size_t i = 0; i < bytes; i++) {
			char byte[3];

			memcpy(byte, extra->banner + 2 * i, 2);
			byte[2] = '\0';
			extra->banner[i] = (uint8_t)strtoul(byte, NULL, 16);
		}
	}
	extra->banner_bytes = (uint32_t)bytes;
}

/* The one of @names that is meant: results point to them. */
static const char *known_name(const char *name, const char *const *names, unsigned nb) {
	for (unsigned i = 0; i < nb; i++)
		if (!strcmp(names[i], name))
			return names[i];
	return NULL;
}

static void read_service(
	const char *line, struct result_extra *extra, const char *const *names, unsigned nb) {
	const char *service = find(line, "service"), *confidence = find(service, "confidence");
	struct lh_service *s = &extra->service;
	char source[LH_NAME_BYTES];

	if (!service)
		return;
	extra->has_service = true;
	copy_text(service, "name", s->name, sizeof s->name);
	copy_text(service, "product", s->product, sizeof s->product);
	copy_text(service, "version", s->version, sizeof s->version);
	copy_text(service, "info", s->info, sizeof s->info);
	copy_text(service, "os", s->os, sizeof s->os);
	copy_text(service, "cpe", s->cpe, sizeof s->cpe);
	copy_text(service, "source", source, sizeof source);
	s->confidence = confidence ? strtod(confidence, NULL) : 0;
	extra->service_source = known_name(source, names, nb);
}

static void read_plugin(const char *said, const char *name, struct result_plugin *plugin) {
	const char *results = find(said, "results");
	char status[LH_NAME_BYTES];
	size_t bytes;

	*plugin = (struct result_plugin){.name = name, .error = text_of(said, "error", &bytes)};
	copy_text(said, "status", status, sizeof status);
	for (unsigned i = 0; i < LH_STATUS_COUNT; i++)
		if (!strcmp(lh_status_names[i], status))
			plugin->status = (enum lh_status)i;
	if (results)
		plugin->results = strndup(results, (size_t)(json_value_end(results) - results));
}

static int read_plugins(
	const char *line, struct result_extra *extra, const char *const *names, unsigned nb) {
	const char *plugins = find(line, "plugins");

	if (!plugins)
		return 0;
	extra->plugins = calloc(nb ? nb : 1, sizeof *extra->plugins);
	if (!extra->plugins)
		return -ENOMEM;
	for (unsigned i = 0; i < nb; i++) {
		const char *said = find(plugins, names[i]);

		if (said)
			read_plugin(said, names[i], &extra->plugins[extra->nb_plugins++]);
	}
	return 0;
}

int result_read(const char *line, const char *const *names, unsigned nb, struct result *result) {
	struct result_extra *extra;
	int rc;

	*result = (struct result){0};
	if (!read_answer(line, &result->answer))
		return -EBADMSG;
	if (!find(line, "banner") && !find(line, "banner_hex") && !find(line, "service")
		&& !find(line, "plugins"))
		return 0;
	result->extra = extra = calloc(1, sizeof *extra);
	if (!extra)
		return -ENOMEM;
	read_banner(line, extra);
	read_service(line, extra, names, nb);
	rc = read_plugins(line, extra, names, nb);
	if (rc) {
		result_extra_free(extra);
		result->extra = NULL;
	}
	return rc;
}
