/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * --check-plugin: what can be seen in the text of a plugin, whether it loads in a real lane, and its
 * tests, which run in lanes too: one host for each file of tests, whose cases are its "results".
 * Number 0 gives the names of the cases (check.lua is the other side).
 *
 * Main thread, without a scan. What comes from lanes is hostile text.
 */
#include "host.h"
#include "syntax.h"

#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	COLUMNS = 80,
	INDENT = 9,
	CASES_MAX = 1000, /* of one file */
	TOTAL_S = 120, /* for all tests; those that are left then are not run */
	UNKNOWN_MAX = 20, /* unknown names that are told */
	NAME_MAX_BYTES = 48, /* of a name whose nearest is looked for */
	NAP_NS = 200 * 1000,
};

/* All of `prtip`. */
static const struct {
	const char *name;
	uint32_t capability; /* 0: none */
} fields[] = {
	{"add_result", 0},
	{"append_file", LH_CAP_FILESYSTEM},
	{"base64", 0},
	{"close", LH_CAP_NETWORK},
	{"connect", LH_CAP_NETWORK},
	{"each", 0},
	{"get_scan_type", 0},
	{"get_target", 0},
	{"hex", 0},
	{"json_decode", 0},
	{"json_encode", 0},
	{"log", 0},
	{"now", 0},
	{"null", 0},
	{"read_file", LH_CAP_FILESYSTEM},
	{"receive", LH_CAP_NETWORK},
	{"scan_config", 0},
	{"scan_port", LH_CAP_NETWORK},
	{"send", LH_CAP_NETWORK},
	{"sha256", 0},
	{"sleep", LH_CAP_NETWORK},
	{"start_tls", LH_CAP_NETWORK},
	{"target_info", 0},
	{"tls_info", LH_CAP_NETWORK},
	{"tls_probe", LH_CAP_NETWORK},
	{"write_file", LH_CAP_FILESYSTEM},
};

enum {
	NB_FIELDS = sizeof(fields) / sizeof(fields[0]),
};

struct check {
	const struct lh_plugin *plugin;
	const struct lh_source *source; /* that is looked at */
	FILE *out;
	char *data_dir; /* in place of ~/.prtip/data */
	unsigned errors;
	char first[400]; /* of the errors */
	uint32_t used; /* capabilities */
	bool told[NB_FIELDS]; /* that it is used without its capability */
	bool opaque; /* some uses cannot be seen */
	unsigned unknown;
	unsigned tests, failed, not_run;
	uint64_t end_ns;
};

static uint64_t monotonic_ns(void) {
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- The report ---- */

static unsigned columns(const char *text, size_t bytes) {
	unsigned n = 0;

	for (size_t i = 0; i < bytes; i++)
		n += ((unsigned char)text[i] & 0xc0) != 0x80;
	return n;
}

/* Words of @text behind @label, on as many lines as it takes; no word is cut. */
static void print_wrapped(FILE *out, const char *label, const char *text) {
	unsigned at = INDENT;

	fprintf(out, "%-*s", INDENT, label);
	for (bool first = true; *text; first = false) {
		size_t word = strcspn(text, " ");
		unsigned wide = columns(text, word);

		if (!first && at + 1 + wide > COLUMNS) {
			fprintf(out, "\n%*s", INDENT, "");
			at = INDENT;
		} else if (!first) {
			fputc(' ', out);
			at++;
		}
		fprintf(out, "%.*s", (int)word, text);
		at += wide;
		text += word;
		text += *text == ' ';
	}
	fputc('\n', out);
}

__attribute__((format(printf, 3, 4))) static void tell(
	const struct check *check, const char *label, const char *format, ...) {
	char text[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	lane_make_plain(text);
	print_wrapped(check->out, label, text);
}

__attribute__((format(printf, 2, 3))) static void fault(
	struct check *check, const char *format, ...) {
	char text[sizeof(check->first)];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	lane_make_plain(text);
	if (check->errors++ == 0)
		memcpy(check->first, text, sizeof(text));
	tell(check, "error", "%s", text);
}

/* ---- What can be seen in the text ---- */

static void check_hooks(struct check *check) {
	const struct lh_plugin *plugin = check->plugin;
	uint32_t wrong = plugin->hooks & ~lh_type_hooks(plugin->type);
	char list[256] = "";

	for (unsigned hook = 0; hook < LH_HOOK_COUNT; hook++) {
		size_t at = strlen(list);

		if (plugin->hooks >> hook & 1 && !(wrong >> hook & 1))
			snprintf(list + at, sizeof(list) - at, "%s%s", at ? ", " : "",
				lh_hook_names[hook]);
		for (unsigned type = 0; wrong >> hook & 1 && type < LH_TYPE_COUNT; type++)
			if (lh_type_hooks(type) >> hook & 1)
				fault(check,
					"main.lua: %s is a hook of plugins of type %s; this one is "
					"of type %s",
					lh_hook_names[hook], lh_type_names[type],
					lh_type_names[plugin->type]);
	}
	if (!wrong)
		tell(check, "ok", "hooks: %s", list);
}

/* Levenshtein's distance. */
static unsigned distance(const char *a, size_t bytes, const char *b) {
	unsigned row[NAME_MAX_BYTES + 1], columns_of_b = (unsigned)strlen(b);

	for (unsigned j = 0; j <= columns_of_b; j++)
		row[j] = j;
	for (size_t i = 0; i < bytes; i++) {
		unsigned corner = row[0];

		row[0]++;
		for (unsigned j = 0; j < columns_of_b; j++) {
			unsigned best = corner + (a[i] != b[j]);

			corner = row[j + 1];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (corner + 1 < best)
				best = corner + 1;
			row[j + 1] = best;
		}
	}
	return row[columns_of_b];
}

static void tell_unknown(struct check *check, unsigned line, const char *name, size_t bytes) {
	unsigned best = 0, least = UINT32_MAX;

	if (check->unknown++ >= UNKNOWN_MAX)
		return;
	if (bytes > NAME_MAX_BYTES)
		bytes = NAME_MAX_BYTES;
	for (unsigned i = 0; i < NB_FIELDS; i++) {
		unsigned far = distance(name, bytes, fields[i].name);

		if (far < least) {
			least = far;
			best = i;
		}
	}
	fault(check, "%s:%u: there is no prtip.%.*s; the nearest is prtip.%s", check->source->name,
		line, (int)bytes, name, fields[best].name);
}

static const char *capability_name(uint32_t capability) {
	return capability == LH_CAP_NETWORK ? "network" : "filesystem";
}

/* export() writes its own path without the capability. */
static bool needs_capability(const struct lh_plugin *plugin, uint32_t capability) {
	return capability && !(plugin->capabilities & capability)
		&& !(capability == LH_CAP_FILESYSTEM && plugin->hooks >> LH_HOOK_EXPORT & 1);
}

static void take_use(void *ctx, unsigned line, const char *name, size_t length) {
	struct check *check = ctx;
	bool test = !strncmp(check->source->name, "tests/", 6);
	unsigned i = 0;

	if (!name) {
		check->opaque = true;
		return;
	}
	while (i < NB_FIELDS
		&& (strlen(fields[i].name) != length || memcmp(fields[i].name, name, length)))
		i++;
	if (i == NB_FIELDS) {
		tell_unknown(check, line, name, length);
		return;
	}
	/* A test may try what is refused. */
	if (test)
		return;
	check->used |= fields[i].capability;
	if (!needs_capability(check->plugin, fields[i].capability) || check->told[i])
		return;
	check->told[i] = true;
	fault(check, "%s:%u: prtip.%s needs capability \"%s\"; add it to plugin.toml",
		check->source->name, line, fields[i].name, capability_name(fields[i].capability));
}

static void check_capabilities(struct check *check) {
	static const uint32_t all[] = {LH_CAP_NETWORK, LH_CAP_FILESYSTEM};
	const struct lh_plugin *plugin = check->plugin;
	unsigned before = check->errors, idle = 0;

	for (unsigned i = 0; i < plugin->nb_sources; i++) {
		check->source = &plugin->sources[i];
		syntax_prtip(check->source->text, check->source->bytes, take_use, check);
	}
	if (check->unknown > UNKNOWN_MAX)
		fault(check, "%u more names that prtip does not have",
			check->unknown - UNKNOWN_MAX);
	for (unsigned i = 0; i < 2; i++) {
		if (!(plugin->capabilities & all[i] & ~check->used) || check->opaque)
			continue;
		idle++;
		tell(check, "warning",
			"capability \"%s\" is declared, but nothing that needs it is used",
			capability_name(all[i]));
	}
	if (check->errors == before && !idle)
		tell(check, "ok", "capabilities:%s%s%s",
			plugin->capabilities & LH_CAP_NETWORK ? " network" : "",
			plugin->capabilities & LH_CAP_FILESYSTEM ? " filesystem" : "",
			plugin->capabilities ? "" : " none");
}

/* ---- In lanes ---- */

/* The case, or nothing that is used: where its number travels is the time. */
static void give_record(void *ctx, uint64_t tag, struct lh_record *record) {
	*record = (struct lh_record){.ts_ns = tag,
		.rtt_us = UINT32_MAX,
		.state = LH_STATE_OPEN,
		.protocol = "tcp",
		.reason = "syn-ack"};
}

static unsigned give_targets(void *ctx, uint64_t first, struct lh_target *targets, unsigned max) {
	return 0;
}

static bool give_result(void *ctx, uint64_t index, struct lh_record *record) {
	return false;
}

static bool send_probe(void *ctx, enum lh_probe_protocol protocol, lh_ip ip, uint16_t port) {
	return false;
}

/* What a plugin logs is for a scan; a lane's failure comes as an error of its own. */
static void no_log(void *ctx, unsigned level, const char *plugin, const char *text) {}

static const struct lh_host_ops ops
	= {give_record, give_targets, give_result, send_probe, no_log, NULL};

/* Start a lane, with the cases of @tests or as for a scan. */
static int start(const struct check *check, const struct lh_enabled *enabled, const char *tests,
	struct lh_host **host, struct lh_error *why) {
	const struct lh_host_params params = {
		.plugins = enabled,
		.nb_plugins = 1,
		.lanes = 1,
		/* The defaults of [plugins], but for phase_seconds: it is to end soon. */
		.limits = {.memory_mb = 100,
			.cpu_s = 5,
			.wall_s = 60,
			.instructions = 1000000,
			.phase_s = 30},
		.queue = 1,
		.data_dir = check->data_dir,
		.tests = tests,
		.scan_type = "syn",
		.protocol = "tcp",
		.has_ports = true,
		.flags = "S",
		.ports = "80",
		.rate_pps = 10000,
		.timing = 3,
		.seed = 1,
		.ops = &ops,
	};
	int rc;

	/* What is not written yet must not be written by a child too. */
	fflush(check->out);
	rc = lh_host_create(&params, host, why);
	if (rc)
		return rc;
	rc = lh_host_ready(*host, why);
	if (!rc)
		return 0;
	lh_host_destroy(*host);
	*host = NULL;
	return rc;
}

/* @why without "plugin NAME: ", which the report says already. */
static const char *bare(const struct check *check, const struct lh_error *why) {
	size_t name = strlen(check->plugin->name);
	const char *text = why->text;

	if (!strncmp(text, "plugin ", 7) && !strncmp(text + 7, check->plugin->name, name)
		&& !strncmp(text + 7 + name, ": ", 2))
		text += 7 + name + 2;
	return text;
}

static bool check_load(struct check *check) {
	const struct lh_enabled enabled = {.plugin = check->plugin};
	struct lh_host *host = NULL;
	struct lh_error why = {0};

	if (start(check, &enabled, NULL, &host, &why)) {
		fault(check, "it does not load: %s", bare(check, &why));
		return false;
	}
	if (*lh_host_unconfined(host))
		tell(check, "warning", "lanes are not confined by: %s", lh_host_unconfined(host));
	lh_host_destroy(host);
	tell(check, "ok", "main.lua and on_load ran in a lane");
	return true;
}

/* ---- Tests ---- */

/* What became of a case; its strings end with the next poll. */
static struct lh_event run_case(const struct check *check, struct lh_host *host, unsigned number) {
	const struct timespec nap = {.tv_nsec = NAP_NS};
	struct lh_event event = {.status = LH_SKIPPED};
	bool given_up = false;

	if (monotonic_ns() > check->end_ns || !lh_host_submit(host, 0, number))
		return event;
	while (!lh_host_poll(host, &event, 1)) {
		if (monotonic_ns() > check->end_ns && !given_up) {
			lh_host_give_up(host, 0);
			given_up = true;
		}
		nanosleep(&nap, NULL);
	}
	return event;
}

static void tell_case(
	struct check *check, const char *file, const char *name, const struct lh_event *event) {
	check->tests++;
	if (event->status == LH_OK) {
		tell(check, "ok", "%s: %.200s", file, name);
		return;
	}
	check->failed++;
	if (event->status == LH_SKIPPED) {
		check->not_run++;
		tell(check, "error", "%s: %.200s: not run", file, name);
		return;
	}
	tell(check, "error", "%s: %.200s", file, name);
	if (event->status == LH_ERROR)
		tell(check, "", "%s", event->error ? event->error : "failed");
	else
		tell(check, "", "%s: %s", lh_status_names[event->status],
			event->error ? event->error : "the lane ended");
}

/* A file whose cases nobody knows counts as one test that failed. */
static void tell_broken(struct check *check, const char *file, const char *why) {
	check->tests++;
	check->failed++;
	tell(check, "error", "%s: not run", file);
	tell(check, "", "%s", why);
}

/* @names: one a line; taken apart. */
static void run_cases(struct check *check, struct lh_host *host, const char *file, char *names) {
	unsigned number = 0;

	for (char *name; (name = strsep(&names, "\n")) && number < CASES_MAX;) {
		struct lh_event event = run_case(check, host, ++number);

		tell_case(check, file, name, &event);
		fflush(check->out);
	}
}

static void run_file(struct check *check, const char *file) {
	const struct lh_enabled enabled = {.plugin = check->plugin};
	struct lh_host *host = NULL;
	struct lh_error why = {0};
	struct lh_event list;
	char *names = NULL;

	if (monotonic_ns() > check->end_ns) {
		tell_broken(check, file, "the tests before took too long");
		return;
	}
	if (start(check, &enabled, file, &host, &why)) {
		tell_broken(check, file, bare(check, &why));
		return;
	}
	list = run_case(check, host, 0);
	if (list.status == LH_OK && list.text && list.text_bytes)
		names = strndup(list.text, list.text_bytes);
	if (names)
		run_cases(check, host, file, names);
	else if (list.status == LH_OK)
		tell(check, "warning", "%s: has no test.case(\"name\", function() ... end)", file);
	else
		tell_broken(check, file, list.error ? list.error : "its cases cannot be listed");
	free(names);
	lh_host_destroy(host);
}

static void run_tests(struct check *check) {
	const struct lh_plugin *plugin = check->plugin;
	unsigned files = 0;

	check->end_ns = monotonic_ns() + TOTAL_S * UINT64_C(1000000000);
	for (unsigned i = 0; i < plugin->nb_sources; i++) {
		if (strncmp(plugin->sources[i].name, "tests/", 6))
			continue;
		files++;
		run_file(check, plugin->sources[i].name);
	}
	if (!files)
		tell(check, "warning", "there are no tests (tests/*.lua)");
}

/* ---- All ---- */

static int unlink_entry(const char *path, const struct stat *st, int kind, struct FTW *where) {
	return remove(path);
}

static void check_all(struct check *check) {
	unsigned lua = check->plugin->nb_sources;

	tell(check, "ok", "plugin.toml, README.md and %u Lua file%s", lua, lua == 1 ? "" : "s");
	check_hooks(check);
	check_capabilities(check);
	if (check_load(check))
		run_tests(check);
	else
		tell(check, "", "so its tests are not run");
}

static int conclude(const struct check *check, struct lh_error *err) {
	char tests[80] = "", more[80] = "";

	if (check->tests)
		snprintf(tests, sizeof(tests), "%u of %u test%s failed", check->failed,
			check->tests, check->tests == 1 ? "" : "s");
	if (check->errors > 1)
		snprintf(more, sizeof(more), " (and %u more)", check->errors - 1);
	if (check->tests && !check->failed)
		fprintf(check->out, "%u test%s passed\n", check->tests,
			check->tests == 1 ? "" : "s");
	if (check->errors)
		return lh_fail(err, true, -EINVAL, "%s%s%s%s", check->first, more,
			check->failed ? "; " : "", check->failed ? tests : "");
	return check->failed ? lh_fail(err, true, -EINVAL, "%s", tests) : 0;
}

int lh_check(const struct lh_plugin *plugin, const char *version, FILE *out, struct lh_error *err) {
	char folder[] = "/tmp/prtip-check.XXXXXX";
	struct check check = {.plugin = plugin, .out = out, .data_dir = folder};

	if (!mkdtemp(folder))
		return lh_fail(err, false, -errno, "%s: %s", folder, strerror(errno));
	fprintf(out, "%s %s (%s), checked by prtip-dp %s\n", plugin->name, plugin->version,
		lh_type_names[plugin->type], version);
	check_all(&check);
	nftw(folder, unlink_entry, 16, FTW_DEPTH | FTW_PHYS);
	return conclude(&check, err);
}
