/* SPDX-License-Identifier: BSD-3-Clause */
/* The writer: every result once and in order, whole lines whatever fails, nothing overwritten. */
#include "result_fixture.h"
#include "writer.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/writer_test.XXXXXX";
static struct dp_error err;
static const struct dp_scan_type syn = {.name = "syn",
	.has_ports = true,
	.v4 = true,
	.v6 = true,
	.flags = "S",
	.silence = "filtered"};
static const struct ctl_summary empty = {.version = "0", .type = &syn, .dedup_exact = true};

static void enter_folder(void) {
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_not_null(mkdtemp(folder));
	cr_assert_eq(chdir(folder), 0);
}

static int remove_folder(void) {
	static const char *const names[] = {"a", "b", "c", "pipe", "link"};

	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		unlink(names[i]);
	return rmdir(folder);
}

static void expect_nothing_left(void) {
	cr_expect_eq(remove_folder(), 0, "a file is left behind");
	cr_expect_not(fixture_leaks());
}

/* Of a test that failed. */
static void leave_folder(void) {
	remove_folder();
}

TestSuite(writer, .init = enter_folder, .fini = leave_folder, .timeout = 120);

static void put_file(const char *path, const char *text) {
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file);
	fputs(text, file);
	fclose(file);
}

/* The text of a file, to be freed. */
static char *get_file(const char *path) {
	FILE *file = fopen(path, "r");
	struct stat st;

	cr_assert_not_null(file, "%s is not there", path);
	fstat(fileno(file), &st);
	char *text = calloc(1, (size_t)st.st_size + 1);
	cr_assert_eq(fread(text, 1, (size_t)st.st_size, file), (size_t)st.st_size);
	fclose(file);
	return text;
}

static void expect_file(const char *path, const char *want) {
	char *text = get_file(path);

	cr_expect_str_eq(text, want);
	free(text);
}

static bool is_there(const char *path) {
	return !access(path, F_OK);
}

static int open_writer(struct writer **w, enum ctl_file_mode mode, unsigned n,
	const struct ctl_output_spec *outputs) {
	struct writer_params params = {.outputs = outputs, .nb_outputs = n, .file_mode = mode};

	memset(&err, 0, sizeof err);
	return writer_create(&params, w, &err);
}

#define OUTPUTS(...)                                                                               \
	sizeof((struct ctl_output_spec[]){__VA_ARGS__}) / sizeof(struct ctl_output_spec),          \
		(struct ctl_output_spec[]) {                                                       \
		__VA_ARGS__                                                                        \
	}

/* Result @i; its number can be read back from address and port. */
static struct result result_at(uint64_t i) {
	return (struct result){
		.answer = {
			.ts_ns = 1769860800ull * 1000000000 + i * 1000,
			.ip = dp_ip_v4((uint32_t)(i >> 16)),
			.port = (uint16_t)i,
			.rtt_us = 1,
			.ttl = 64,
		},
	};
}

/* Until all are in, or @give_up and an output has failed. */
static uint64_t put_results(struct writer *w, uint64_t first, uint64_t n, bool give_up) {
	struct result batch[64];
	uint64_t done = 0;

	while (done < n && !(give_up && writer_failure(w))) {
		unsigned want = n - done < 64 ? (unsigned)(n - done) : 64, put = 0;
		for (unsigned i = 0; i < want; i++)
			batch[i] = result_at(first + done + i);
		while (put < want) {
			unsigned took = writer_put(w, batch + put, want - put);
			put += took;
			if (!took)
				sched_yield();
		}
		done += put;
	}
	return done;
}

/* The number that result_at() hid in this line. */
static uint64_t number_of(const char *line) {
	char *at = strstr(line, "\"ip\":\"") + 5;
	uint64_t ip = 0;

	for (unsigned i = 0; i < 4; i++)
		ip = ip << 8 | strtoul(at + 1, &at, 10);
	return ip << 16 | strtoul(at + strlen("\",\"port\":"), NULL, 10);
}

/*
 * Lines of NDJSON in order from result 0 on; the text must end with one. Each is looked at by
 * itself, as the sanitizers' string functions measure the whole text for every search in it.
 */
static uint64_t count_results(const char *text) {
	char line[256];
	uint64_t n = 0;

	for (size_t left = strlen(text); left; n++) {
		const char *end
			= memccpy(line, text, '\n', left < sizeof line ? left : sizeof line);
		cr_assert_not_null(end, "cut: %.99s", text);
		size_t bytes = (size_t)(end - line);
		line[bytes - 1] = '\0';
		cr_assert_eq(number_of(line), n, "%s", line);
		cr_assert_eq(line[bytes - 2], '}');
		text += bytes;
		left -= bytes;
	}
	return n;
}

static uint64_t results_in(const char *path) {
	char *text = get_file(path);
	uint64_t n = count_results(text);

	free(text);
	return n;
}

static int end_writer(struct writer *w) {
	int drained = writer_drain(w, &err);
	int finished = writer_finish(w, &empty, &err);

	cr_expect(!drained || finished == drained, "the first failure is the one that is told");
	return finished;
}

CHECKED_TEST(writer, writes_each_result_once_and_in_order, expect_nothing_left) {
	struct writer *w;
	const uint64_t n = 1000000;

	cr_assert_eq(
		open_writer(&w, CTL_FILE_CREATE, OUTPUTS({"ndjson", "a", 0})), 0, "%s", err.text);
	cr_assert_eq(writer_start(w, &err), 0);
	put_results(w, 0, n, false);
	cr_assert_eq(end_writer(w), 0, "%s", err.text);
	cr_assert_eq(writer_written(w), n);
	cr_assert_null(writer_failure(w));
	writer_destroy(w);
	cr_assert_eq(results_in("a"), n);
}

CHECKED_TEST(writer, shows_results_at_once_when_idle, expect_nothing_left) {
	struct writer *w;
	char text[512] = "";

	mkfifo("pipe", 0600);
	int fd = open("pipe", O_RDONLY | O_NONBLOCK);
	cr_assert_eq(open_writer(&w, CTL_FILE_CREATE, OUTPUTS({"ndjson", "pipe", 0})), 0, "%s",
		err.text);
	cr_assert_eq(writer_start(w, &err), 0);
	put_results(w, 0, 1, false);
	cr_assert_eq(poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 5000), 1);
	cr_assert_gt(read(fd, text, sizeof text - 1), 0);
	cr_assert_eq(count_results(text), 1);
	cr_assert_eq(end_writer(w), 0, "%s", err.text);
	writer_destroy(w);
	close(fd);
}

/* The limit cuts a write in the middle of a line, as a full disk does. */
CHECKED_TEST(writer, leaves_whole_lines_on_a_full_disk, expect_nothing_left) {
	struct writer *w;
	char want[128];

	cr_assert_eq(open_writer(&w, CTL_FILE_CREATE,
			     OUTPUTS({"ndjson", "a", 0}, {"ndjson", "/dev/null", 0})),
		0, "%s", err.text);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000003, RLIM_INFINITY}), 0);
	cr_assert_eq(writer_start(w, &err), 0);
	put_results(w, 0, 100000, false);
	cr_assert_eq(end_writer(w), -EFBIG);
	uint64_t n = results_in("a");
	cr_assert(n > 5000 && n < 10000);
	cr_assert_eq(writer_written(w), n);
	snprintf(want, sizeof want,
		"a: File too large; %d,%03d results of this run are in it, whole lines",
		(int)n / 1000, (int)n % 1000);
	cr_assert_str_eq(err.text, want);
	cr_assert_not(err.usage);
	writer_destroy(w);
	cr_assert_eq(results_in("a"), n);
}

CHECKED_TEST(writer, cuts_an_appended_file_at_its_own_last_line, expect_nothing_left) {
	struct writer *w;
	char *old = calloc(1, 200000), *text;

	for (unsigned i = 0; i < 4000; i++)
		strcpy(old + i * 24, "{\"ts\":\"an older line.\"}\n");
	put_file("a", old);
	cr_assert_eq(
		open_writer(&w, CTL_FILE_APPEND, OUTPUTS({"ndjson", "a", 0})), 0, "%s", err.text);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){200001, RLIM_INFINITY}), 0);
	cr_assert_eq(writer_start(w, &err), 0);
	put_results(w, 0, 100000, false);
	cr_assert_eq(end_writer(w), -EFBIG);
	text = get_file("a");
	cr_assert_eq(strncmp(text, old, 96000), 0);
	cr_assert_eq(count_results(text + 96000), writer_written(w));
	cr_assert_gt(writer_written(w), 500);
	writer_destroy(w);
	free(text);
	free(old);
}

CHECKED_TEST(writer, names_a_device_that_is_full, expect_nothing_left) {
	struct writer *w;

	cr_assert_eq(symlink("/dev/full", "link"), 0);
	cr_assert_eq(open_writer(&w, CTL_FILE_CREATE,
			     OUTPUTS({"ndjson", "/dev/full", 0}, {"ndjson", "a", 0},
				     {"table", "link", 0})),
		0, "%s", err.text);
	cr_assert_eq(writer_start(w, &err), 0);
	while (!writer_failure(w))
		put_results(w, 0, 1, true);
	uint64_t n = 1000;
	cr_assert_str_eq(writer_failure(w), "/dev/full: No space left on device");
	put_results(w, 0, n, false);
	cr_assert_eq(end_writer(w), -ENOSPC);
	cr_assert_str_eq(
		err.text, "/dev/full: No space left on device", "not the first: %s", err.text);
	cr_assert_eq(writer_written(w), 0);
	writer_destroy(w);
	char *text = get_file("a");
	cr_assert_gt(strlen(text), n * 100, "the other output goes on");
	free(text);
}

CHECKED_TEST(writer, names_a_closed_pipe, expect_nothing_left) {
	struct writer *w;
	int fd[2];

	cr_assert_eq(pipe(fd), 0);
	int saved = dup(STDOUT_FILENO);
	dup2(fd[1], STDOUT_FILENO);
	int rc = open_writer(&w, CTL_FILE_CREATE, OUTPUTS({"table", "-", 0}));
	dup2(saved, STDOUT_FILENO);
	close(fd[1]);
	close(fd[0]);
	cr_assert_eq(rc, 0, "%s", err.text);
	cr_assert_eq(writer_start(w, &err), 0);
	put_results(w, 0, 10, false);
	cr_assert_eq(writer_drain(w, &err), 0, "a table waits for its end");
	cr_assert_eq(writer_finish(w, &empty, &err), -EPIPE);
	cr_assert_str_eq(err.text, "standard output: closed by its reader (Broken pipe)");
	cr_assert_eq(writer_written(w), 0);
	writer_destroy(w);
}

static void *read_slowly(void *arg) {
	static char text[2 << 20];
	size_t have = 0;
	ssize_t n;

	while ((n = read(*(int *)arg, text + have, 7001)) > 0) {
		have += (size_t)n;
		usleep(100);
	}
	return text;
}

CHECKED_TEST(writer, waits_for_a_slow_reader_of_a_non_blocking_pipe, expect_nothing_left) {
	struct writer *w;
	pthread_t thread;
	void *text;
	int fd[2];

	cr_assert_eq(pipe(fd), 0);
	fcntl(fd[1], F_SETFL, O_NONBLOCK);
	int saved = dup(STDOUT_FILENO);
	dup2(fd[1], STDOUT_FILENO);
	int rc = open_writer(&w, CTL_FILE_CREATE, OUTPUTS({"ndjson", "-", 0}));
	dup2(saved, STDOUT_FILENO);
	close(fd[1]);
	cr_assert_eq(rc, 0, "%s", err.text);
	cr_assert_eq(pthread_create(&thread, NULL, read_slowly, &fd[0]), 0);
	cr_assert_eq(writer_start(w, &err), 0);
	put_results(w, 0, 10000, false);
	cr_assert_eq(end_writer(w), 0, "%s", err.text);
	writer_destroy(w);
	pthread_join(thread, &text);
	cr_assert_eq(count_results(text), 10000);
}

CHECKED_TEST(writer, tells_the_summary_what_the_end_of_a_table_lost, expect_nothing_left) {
	struct writer *w;
	struct ctl_summary summary = empty;

	cr_assert_eq(open_writer(&w, CTL_FILE_CREATE,
			     OUTPUTS({"summary", "b", 0}, {"table", "/dev/full", 0})),
		0, "%s", err.text);
	cr_assert_eq(writer_start(w, &err), 0);
	put_results(w, 0, 100, false);
	cr_assert_eq(writer_drain(w, &err), 0);
	summary.results = writer_written(w);
	cr_assert_eq(summary.results, 100);
	summary.complete = true;
	cr_assert_eq(writer_finish(w, &summary, &err), -ENOSPC);
	writer_destroy(w);
	char *text = get_file("b");
	cr_assert_not_null(strstr(text, "\"results\":100},\"results\":0,"), "%s", text);
	cr_assert_not_null(strstr(text, "\"complete\":false,"), "%s", text);
	free(text);
}

CHECKED_TEST(writer, refuses_an_existing_file, expect_nothing_left) {
	struct writer *w;

	put_file("b", "precious\n");
	cr_assert_eq(
		open_writer(&w, CTL_FILE_CREATE, OUTPUTS({"ndjson", "a", 0}, {"table", "b", 0})),
		-EEXIST);
	cr_assert(err.usage);
	cr_assert_str_eq(
		err.text, "b exists: use --overwrite to replace it or --append to add to it");
	expect_file("b", "precious\n");
	cr_assert_not(is_there("a"), "the run did not start");
}

CHECKED_TEST(writer, overwrites_only_when_all_are_open, expect_nothing_left) {
	struct writer *w;

	put_file("a", "precious\n");
	cr_assert_eq(open_writer(&w, CTL_FILE_OVERWRITE,
			     OUTPUTS({"ndjson", "a", 0}, {"summary", "no/such", 0})),
		-ENOENT);
	cr_assert_str_eq(err.text, "cannot write to no/such: No such file or directory");
	expect_file("a", "precious\n");
	cr_assert_eq(open_writer(&w, CTL_FILE_OVERWRITE, OUTPUTS({"ndjson", "a", 0})), 0);
	writer_destroy(w);
	expect_file("a", "precious\n"); /* a run that did not start */
	cr_assert_eq(open_writer(&w, CTL_FILE_OVERWRITE, OUTPUTS({"ndjson", "a", 0})), 0);
	cr_assert_eq(writer_start(w, &err), 0);
	put_results(w, 0, 3, false);
	cr_assert_eq(end_writer(w), 0);
	writer_destroy(w);
	cr_assert_eq(results_in("a"), 3);
}

static void append_one(const char *before, const char *kept) {
	struct writer *w;
	size_t bytes = strlen(kept);

	put_file("a", before);
	cr_assert_eq(
		open_writer(&w, CTL_FILE_APPEND, OUTPUTS({"ndjson", "a", 0})), 0, "%s", err.text);
	cr_assert_eq(writer_start(w, &err), 0);
	put_results(w, 0, 1, false);
	cr_assert_eq(end_writer(w), 0, "%s", err.text);
	writer_destroy(w);
	char *text = get_file("a");
	cr_expect_eq(strncmp(text, kept, bytes), 0, "%s", text);
	cr_expect_eq(count_results(text + bytes), 1, "%s", text);
	cr_expect_eq(strncmp(text + bytes, "{\"ts\":\"2026-01-31T", 18), 0, "%s", text);
	free(text);
}

CHECKED_TEST(writer, appends_behind_the_last_whole_line, expect_nothing_left) {
	append_one("", "");
	append_one("{\"ts\":1}\n", "{\"ts\":1}\n");
	append_one("{\"ts\":1}\n{\"ts\":\"2026-01", "{\"ts\":1}\n");
	append_one("{\"ts\":1}\n{", "{\"ts\":1}\n");
	append_one("{\"ts\":\"2026", "");
}

CHECKED_TEST(writer, appends_to_no_foreign_file, expect_nothing_left) {
	struct writer *w;

	put_file("a", "dear diary\nall is well");
	cr_assert_eq(open_writer(&w, CTL_FILE_APPEND, OUTPUTS({"ndjson", "a", 0})), -EINVAL);
	cr_assert_eq(strncmp(err.text, "cannot append to a: ", 20), 0, "%s", err.text);
	expect_file("a", "dear diary\nall is well");
}

CHECKED_TEST(writer, appends_tables_to_any_text, expect_nothing_left) {
	struct writer *w;

	put_file("a", "all is well");
	cr_assert_eq(
		open_writer(&w, CTL_FILE_APPEND, OUTPUTS({"table", "a", 0})), 0, "%s", err.text);
	cr_assert_eq(writer_start(w, &err), 0);
	cr_assert_eq(end_writer(w), 0);
	writer_destroy(w);
	expect_file("a", "all is well\nNothing answered.\n");
}

CHECKED_TEST(writer, refuses_two_outputs_for_one_place, expect_nothing_left) {
	struct writer *w;

	cr_assert_eq(
		open_writer(&w, CTL_FILE_CREATE, OUTPUTS({"ndjson", "a", 0}, {"table", "./a", 0})),
		-EINVAL);
	cr_assert_str_eq(err.text, "two outputs (ndjson and table) go to ./a");
	cr_assert_not(is_there("a"));
	put_file("a", "");
	cr_assert_eq(link("a", "link"), 0);
	cr_assert_eq(open_writer(&w, CTL_FILE_OVERWRITE,
			     OUTPUTS({"ndjson", "a", 0}, {"table", "link", 0})),
		-EINVAL);
	cr_assert_eq(
		open_writer(&w, CTL_FILE_CREATE, OUTPUTS({"ndjson", "-", 0}, {"table", "-", 0})),
		-EINVAL);
	cr_assert_str_eq(err.text, "two outputs (ndjson and table) go to standard output");
	cr_assert_eq(open_writer(&w, CTL_FILE_CREATE,
			     OUTPUTS({"ndjson", "/dev/null", 0}, {"table", "/dev/null", 0})),
		0, "%s", err.text);
	writer_destroy(w);
}

CHECKED_TEST(writer, refuses_an_unknown_format_and_a_directory, expect_nothing_left) {
	struct writer *w;

	cr_assert_eq(open_writer(&w, CTL_FILE_CREATE, OUTPUTS({"yaml", "a", 0})), -EINVAL);
	cr_assert_str_eq(err.text,
		"output format 'yaml' is not in this version: use one of table, ndjson, csv, xml, "
		"grep, list, pcapng, summary");
	cr_assert_eq(open_writer(&w, CTL_FILE_OVERWRITE, OUTPUTS({"ndjson", "/tmp", 0})), -EISDIR);
	cr_assert_str_eq(err.text, "cannot write to /tmp: Is a directory");
	writer_destroy(NULL);
}

CHECKED_TEST(writer, leaves_an_empty_file_only_after_a_run, expect_nothing_left) {
	struct writer *w;

	cr_assert_eq(open_writer(&w, CTL_FILE_CREATE, OUTPUTS({"ndjson", "a", 0})), 0);
	cr_assert_eq(writer_start(w, &err), 0);
	writer_destroy(w); /* the engine did not start, say */
	cr_assert_not(is_there("a"));
	cr_assert_eq(open_writer(&w, CTL_FILE_CREATE, OUTPUTS({"ndjson", "a", 0})), 0);
	cr_assert_eq(writer_start(w, &err), 0);
	cr_assert_eq(end_writer(w), 0);
	writer_destroy(w);
	expect_file("a", "");
}

/* ---- What results point to ---- */

static struct lh_plugin formats = {.name = "my-format", .hooks = 1u << LH_HOOK_FORMAT_RESULT};
static struct lh_plugin exports = {.name = "my-export", .hooks = 1u << LH_HOOK_EXPORT};
static struct lh_plugin *const plugins[] = {&formats, &exports};

static int open_with(struct writer **w, enum ctl_file_mode mode, struct archive *archive,
	unsigned n, const struct ctl_output_spec *outputs) {
	struct writer_params params = {
		.outputs = outputs,
		.nb_outputs = n,
		.file_mode = mode,
		.plugins = plugins,
		.nb_plugins = 2,
		.archive = archive,
	};

	memset(&err, 0, sizeof err);
	return writer_create(&params, w, &err);
}

/* Results from @first on that have all that one can have. */
static void put_full(struct writer *w, uint64_t first, uint64_t n) {
	for (uint64_t i = first; i < first + n; i++) {
		struct result result = result_at(i);
		result.extra = fixture_extra(i);
		while (!writer_put(w, &result, 1))
			sched_yield();
	}
}

/* Under the sanitizers also: each is freed once. */
CHECKED_TEST(writer, writes_what_results_point_to, expect_nothing_left) {
	struct writer *w;

	cr_assert_eq(open_with(&w, CTL_FILE_CREATE, NULL,
			     OUTPUTS({"ndjson", "a", 0}, {"my-format", "b", 1}, {"table", "c", 0})),
		0, "%s", err.text);
	cr_assert_eq(writer_start(w, &err), 0);
	put_full(w, 0, 1000);
	put_results(w, 1000, 1000, false);
	cr_assert_eq(end_writer(w), 0, "%s", err.text);
	cr_assert_eq(writer_written(w), 2000);
	writer_destroy(w);
	char *text = get_file("a");
	cr_expect_not_null(strstr(text,
		"\"plugins\":{\"http-enum\":{\"status\":\"ok\",\"results\":"
		"{\"n\":999}}"));
	free(text);
	text = get_file("b");
	cr_expect_eq(strncmp(text, "text 0;text 1;text 2;", 21), 0, "%.99s", text);
	cr_expect_not_null(strstr(text, ";text 999;"));
	cr_expect_eq(text[strlen(text) - 1], ';');
	free(text);
	text = get_file("c");
	cr_expect_not_null(strstr(text, "\n  | http-enum: {\"n\":999}\n"));
	free(text);
}

CHECKED_TEST(
	writer, frees_results_of_outputs_that_failed_and_those_never_taken, expect_nothing_left) {
	struct writer *w;

	cr_assert_eq(open_with(&w, CTL_FILE_CREATE, NULL,
			     OUTPUTS({"ndjson", "/dev/full", 0}, {"my-format", "/dev/full", 1})),
		0, "%s", err.text);
	cr_assert_eq(writer_start(w, &err), 0);
	put_full(w, 0, 5000);
	cr_assert_eq(end_writer(w), -ENOSPC);
	writer_destroy(w);
	cr_assert_eq(open_with(&w, CTL_FILE_CREATE, NULL, OUTPUTS({"ndjson", "a", 0})), 0);
	put_full(w, 0, 100);
	writer_destroy(w); /* it was never started */
}

/* A reader that stands still must not make the queue hold gigabytes. */
CHECKED_TEST(writer, bounds_the_memory_of_results_on_their_way, expect_nothing_left) {
	const size_t bytes = 1 << 20;
	struct writer *w;
	unsigned put = 0;

	cr_assert_eq(open_with(&w, CTL_FILE_CREATE, NULL, OUTPUTS({"ndjson", "a", 0})), 0);
	for (;; put++) {
		struct result result = result_at(put);
		result.extra = calloc(1, sizeof *result.extra);
		result.extra->banner = calloc(1, bytes);
		result.extra->banner_bytes = (uint32_t)bytes;
		if (!writer_put(w, &result, 1)) {
			result_extra_free(result.extra);
			break;
		}
		cr_assert_lt(put, 1000);
	}
	cr_assert(put >= 64 && put <= 66, "%u MB", put);
	struct result light = result_at(put);
	cr_assert_eq(writer_put(w, &light, 1), 1, "one without them may pass");
	cr_assert_eq(writer_start(w, &err), 0);
	put_full(w, put + 1, 100);
	cr_assert_eq(end_writer(w), 0, "%s", err.text);
	cr_assert_eq(writer_written(w), put + 101);
	writer_destroy(w);
}

CHECKED_TEST(writer, gives_an_output_plugin_its_file, expect_nothing_left) {
	struct writer *w;

	put_file("a", "old");
	cr_assert_eq(open_with(&w, CTL_FILE_CREATE, NULL, OUTPUTS({"my-export", "a", 2})), -EEXIST);
	cr_assert(err.usage);
	cr_assert_eq(open_with(&w, CTL_FILE_APPEND, NULL,
			     OUTPUTS({"my-export", "a", 2}, {"my-format", "b", 1})),
		0, "%s", err.text);
	int a = writer_output_fd(w, 0), b = writer_output_fd(w, 1);
	cr_assert(a >= 0 && b >= 0 && a != b);
	cr_assert_eq(writer_start(w, &err), 0);
	put_full(w, 1, 3);
	cr_assert_eq(writer_drain(w, &err), 0);
	cr_assert_eq(write(a, "new", 3), 3);
	cr_assert_eq(write(b, "end", 3), 3);
	cr_assert_eq(writer_finish(w, &empty, &err), 0, "%s", err.text);
	cr_assert_eq(writer_written(w), 3);
	writer_destroy(w);
	expect_file("a", "oldnew"); /* nothing is put between them */
	expect_file("b", "text 1;text 2;text 3;end");
}

CHECKED_TEST(writer, wants_format_result_for_standard_output, expect_nothing_left) {
	struct writer *w;

	cr_assert_eq(open_with(&w, CTL_FILE_CREATE, NULL, OUTPUTS({"my-export", "-", 2})), -EINVAL);
	cr_assert(err.usage);
	cr_assert_str_eq(err.text,
		"output plugin my-export has no format_result(), which standard output needs: give "
		"a "
		"file (-o my-export:PATH)");
	cr_assert_eq(open_with(&w, CTL_FILE_CREATE, NULL,
			     OUTPUTS({"my-format", "a", 1}, {"my-export", "a", 2})),
		-EINVAL);
	cr_assert_str_eq(err.text, "two outputs (my-format and my-export) go to a");
}

/* What is no line is not cut back to one. */
CHECKED_TEST(writer, leaves_the_bytes_of_a_plugin_on_a_full_disk, expect_nothing_left) {
	struct writer *w;

	cr_assert_eq(open_with(&w, CTL_FILE_CREATE, NULL,
			     OUTPUTS({"ndjson", "/dev/null", 0}, {"my-format", "a", 1})),
		0);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){200003, RLIM_INFINITY}), 0);
	cr_assert_eq(writer_start(w, &err), 0);
	put_full(w, 0, 50000);
	cr_assert_eq(end_writer(w), -EFBIG);
	uint64_t n = writer_written(w);
	cr_assert(n > 5000 && n < 30000);
	writer_destroy(w);
	char *text = get_file("a"), want[128];
	cr_assert_eq(strlen(text), 200003);
	free(text);
	snprintf(want, sizeof want,
		"a: File too large; at least %d,%03d results of this run are in it", (int)n / 1000,
		(int)n % 1000);
	cr_assert_str_eq(err.text, want);
}

/* The rows of a table are counted without the lines below them. */
CHECKED_TEST(writer, counts_rows_and_not_their_notes, expect_nothing_left) {
	struct writer *w;

	cr_assert_eq(open_with(&w, CTL_FILE_CREATE, NULL, OUTPUTS({"table", "a", 0})), 0);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){300007, RLIM_INFINITY}), 0);
	cr_assert_eq(writer_start(w, &err), 0);
	put_full(w, 0, 30000);
	cr_assert_eq(end_writer(w), -EFBIG);
	uint64_t n = writer_written(w), rows = 0, notes = 0;
	writer_destroy(w);
	char *text = get_file("a"), *rest;
	cr_assert_eq(text[strlen(text) - 1], '\n');
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		rows += *line >= '0' && *line <= '9';
		notes += *line == ' ';
	}
	cr_assert_gt(notes, rows);
	cr_assert_eq(rows, n);
	free(text);
}

CHECKED_TEST(writer, feeds_the_archive, expect_nothing_left) {
	struct archive *archive;
	struct writer *w;
	struct result got;

	cr_assert_eq(archive_create(folder, &fixture_table, &archive, &err), 0, "%s", err.text);
	cr_assert_eq(open_with(&w, CTL_FILE_CREATE, archive, OUTPUTS({"ndjson", "a", 0})), 0);
	cr_assert_eq(writer_start(w, &err), 0);
	put_full(w, 0, 1000);
	put_results(w, 1000, 100000, false);
	cr_assert_eq(writer_drain(w, &err), 0, "%s", err.text);
	cr_assert_eq(archive_count(archive), 101000);
	for (uint64_t i = 0; i < 101000; i++) {
		cr_assert_eq(archive_get(archive, i, &got), 0);
		cr_assert_eq(got.answer.port, (uint16_t)i);
		cr_assert_eq(!got.extra, i >= 1000);
	}
	cr_assert_eq(writer_finish(w, &empty, &err), 0);
	writer_destroy(w);
	archive_destroy(archive);
}

/* A few results: only the last block fails, when the run has ended. Many: while it goes on. */
static void fill_archive(uint64_t n) {
	struct archive *archive;
	struct writer *w;
	char want[128];

	cr_assert_eq(archive_create(folder, &fixture_table, &archive, &err), 0, "%s", err.text);
	cr_assert_eq(
		open_with(&w, CTL_FILE_CREATE, archive, OUTPUTS({"ndjson", "/dev/null", 0})), 0);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){1001, RLIM_INFINITY}), 0);
	cr_assert_eq(writer_start(w, &err), 0);
	put_results(w, 0, n, false);
	cr_assert_eq(end_writer(w), -EFBIG);
	snprintf(want, sizeof want, "results archive in %s: File too large", folder);
	cr_assert_str_eq(err.text, want);
	cr_assert_eq(writer_written(w), n, "the outputs have them");
	writer_destroy(w);
	archive_destroy(archive);
}

CHECKED_TEST(writer, fails_with_the_archive, expect_nothing_left) {
	fill_archive(100000);
}

CHECKED_TEST(writer, fails_with_the_end_of_the_archive, expect_nothing_left) {
	fill_archive(100);
}
