/* SPDX-License-Identifier: BSD-3-Clause */
/* The writer: every result once and in order, whole lines whatever fails, nothing overwritten. */
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
static const struct ctl_summary empty = {.version = "0", .scan_type = "syn", .dedup_exact = true};

static void enter_folder(void) {
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_not_null(mkdtemp(folder));
	cr_assert_eq(chdir(folder), 0);
}

static void leave_folder(void) {
	static const char *const names[] = {"a", "b", "c", "pipe", "link"};

	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		unlink(names[i]);
	cr_expect_eq(rmdir(folder), 0, "a file is left behind");
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
static struct dp_answer result_at(uint64_t i) {
	return (struct dp_answer){
		.ts_ns = 1769860800ull * 1000000000 + i * 1000,
		.ip = (uint32_t)(i >> 16),
		.port = (uint16_t)i,
		.rtt_us = 1,
		.ttl = 64,
	};
}

/* Until all are in, or @give_up and an output has failed. */
static uint64_t put_results(struct writer *w, uint64_t first, uint64_t n, bool give_up) {
	struct dp_answer batch[64];
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

Test(writer, writes_each_result_once_and_in_order) {
	struct writer *w;
	const uint64_t n = 1000000;

	cr_assert_eq(open_writer(&w, CTL_FILE_CREATE, OUTPUTS({"ndjson", "a"})), 0, "%s", err.text);
	cr_assert_eq(writer_start(w, &err), 0);
	put_results(w, 0, n, false);
	cr_assert_eq(end_writer(w), 0, "%s", err.text);
	cr_assert_eq(writer_written(w), n);
	cr_assert_null(writer_failure(w));
	writer_destroy(w);
	cr_assert_eq(results_in("a"), n);
}

Test(writer, shows_results_at_once_when_idle) {
	struct writer *w;
	char text[512] = "";

	mkfifo("pipe", 0600);
	int fd = open("pipe", O_RDONLY | O_NONBLOCK);
	cr_assert_eq(
		open_writer(&w, CTL_FILE_CREATE, OUTPUTS({"ndjson", "pipe"})), 0, "%s", err.text);
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
Test(writer, leaves_whole_lines_on_a_full_disk) {
	struct writer *w;
	char want[128];

	cr_assert_eq(
		open_writer(&w, CTL_FILE_CREATE, OUTPUTS({"ndjson", "a"}, {"ndjson", "/dev/null"})),
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

Test(writer, cuts_an_appended_file_at_its_own_last_line) {
	struct writer *w;
	char *old = calloc(1, 200000), *text;

	for (unsigned i = 0; i < 4000; i++)
		strcpy(old + i * 24, "{\"ts\":\"an older line.\"}\n");
	put_file("a", old);
	cr_assert_eq(open_writer(&w, CTL_FILE_APPEND, OUTPUTS({"ndjson", "a"})), 0, "%s", err.text);
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

Test(writer, names_a_device_that_is_full) {
	struct writer *w;

	cr_assert_eq(symlink("/dev/full", "link"), 0);
	cr_assert_eq(open_writer(&w, CTL_FILE_CREATE,
			     OUTPUTS({"ndjson", "/dev/full"}, {"ndjson", "a"}, {"table", "link"})),
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

Test(writer, names_a_closed_pipe) {
	struct writer *w;
	int fd[2];

	cr_assert_eq(pipe(fd), 0);
	int saved = dup(STDOUT_FILENO);
	dup2(fd[1], STDOUT_FILENO);
	int rc = open_writer(&w, CTL_FILE_CREATE, OUTPUTS({"table", "-"}));
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

Test(writer, waits_for_a_slow_reader_of_a_non_blocking_pipe) {
	struct writer *w;
	pthread_t thread;
	void *text;
	int fd[2];

	cr_assert_eq(pipe(fd), 0);
	fcntl(fd[1], F_SETFL, O_NONBLOCK);
	int saved = dup(STDOUT_FILENO);
	dup2(fd[1], STDOUT_FILENO);
	int rc = open_writer(&w, CTL_FILE_CREATE, OUTPUTS({"ndjson", "-"}));
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

Test(writer, tells_the_summary_what_the_end_of_a_table_lost) {
	struct writer *w;
	struct ctl_summary summary = empty;

	cr_assert_eq(
		open_writer(&w, CTL_FILE_CREATE, OUTPUTS({"summary", "b"}, {"table", "/dev/full"})),
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

Test(writer, refuses_an_existing_file) {
	struct writer *w;

	put_file("b", "precious\n");
	cr_assert_eq(open_writer(&w, CTL_FILE_CREATE, OUTPUTS({"ndjson", "a"}, {"table", "b"})),
		-EEXIST);
	cr_assert(err.usage);
	cr_assert_str_eq(
		err.text, "b exists: use --overwrite to replace it or --append to add to it");
	expect_file("b", "precious\n");
	cr_assert_not(is_there("a"), "the run did not start");
}

Test(writer, overwrites_only_when_all_are_open) {
	struct writer *w;

	put_file("a", "precious\n");
	cr_assert_eq(open_writer(&w, CTL_FILE_OVERWRITE,
			     OUTPUTS({"ndjson", "a"}, {"summary", "no/such"})),
		-ENOENT);
	cr_assert_str_eq(err.text, "cannot write to no/such: No such file or directory");
	expect_file("a", "precious\n");
	cr_assert_eq(open_writer(&w, CTL_FILE_OVERWRITE, OUTPUTS({"ndjson", "a"})), 0);
	writer_destroy(w);
	expect_file("a", "precious\n"); /* a run that did not start */
	cr_assert_eq(open_writer(&w, CTL_FILE_OVERWRITE, OUTPUTS({"ndjson", "a"})), 0);
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
	cr_assert_eq(open_writer(&w, CTL_FILE_APPEND, OUTPUTS({"ndjson", "a"})), 0, "%s", err.text);
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

Test(writer, appends_behind_the_last_whole_line) {
	append_one("", "");
	append_one("{\"ts\":1}\n", "{\"ts\":1}\n");
	append_one("{\"ts\":1}\n{\"ts\":\"2026-01", "{\"ts\":1}\n");
	append_one("{\"ts\":1}\n{", "{\"ts\":1}\n");
	append_one("{\"ts\":\"2026", "");
}

Test(writer, appends_to_no_foreign_file) {
	struct writer *w;

	put_file("a", "dear diary\nall is well");
	cr_assert_eq(open_writer(&w, CTL_FILE_APPEND, OUTPUTS({"ndjson", "a"})), -EINVAL);
	cr_assert_eq(strncmp(err.text, "cannot append to a: ", 20), 0, "%s", err.text);
	expect_file("a", "dear diary\nall is well");
}

Test(writer, appends_tables_to_any_text) {
	struct writer *w;

	put_file("a", "all is well");
	cr_assert_eq(open_writer(&w, CTL_FILE_APPEND, OUTPUTS({"table", "a"})), 0, "%s", err.text);
	cr_assert_eq(writer_start(w, &err), 0);
	cr_assert_eq(end_writer(w), 0);
	writer_destroy(w);
	expect_file("a", "all is well\nNothing answered.\n");
}

Test(writer, refuses_two_outputs_for_one_place) {
	struct writer *w;

	cr_assert_eq(open_writer(&w, CTL_FILE_CREATE, OUTPUTS({"ndjson", "a"}, {"table", "./a"})),
		-EINVAL);
	cr_assert_str_eq(err.text, "two outputs (ndjson and table) go to ./a");
	cr_assert_not(is_there("a"));
	put_file("a", "");
	cr_assert_eq(link("a", "link"), 0);
	cr_assert_eq(
		open_writer(&w, CTL_FILE_OVERWRITE, OUTPUTS({"ndjson", "a"}, {"table", "link"})),
		-EINVAL);
	cr_assert_eq(open_writer(&w, CTL_FILE_CREATE, OUTPUTS({"ndjson", "-"}, {"table", "-"})),
		-EINVAL);
	cr_assert_str_eq(err.text, "two outputs (ndjson and table) go to standard output");
	cr_assert_eq(open_writer(&w, CTL_FILE_CREATE,
			     OUTPUTS({"ndjson", "/dev/null"}, {"table", "/dev/null"})),
		0, "%s", err.text);
	writer_destroy(w);
}

Test(writer, refuses_an_unknown_format_and_a_directory) {
	struct writer *w;

	cr_assert_eq(open_writer(&w, CTL_FILE_CREATE, OUTPUTS({"xml", "a"})), -EINVAL);
	cr_assert_str_eq(err.text,
		"output format 'xml' is not in this version: use one of table, ndjson, summary");
	cr_assert_eq(open_writer(&w, CTL_FILE_OVERWRITE, OUTPUTS({"ndjson", "/tmp"})), -EISDIR);
	cr_assert_str_eq(err.text, "cannot write to /tmp: Is a directory");
	writer_destroy(NULL);
}

Test(writer, leaves_an_empty_file_only_after_a_run) {
	struct writer *w;

	cr_assert_eq(open_writer(&w, CTL_FILE_CREATE, OUTPUTS({"ndjson", "a"})), 0);
	cr_assert_eq(writer_start(w, &err), 0);
	writer_destroy(w); /* the engine did not start, say */
	cr_assert_not(is_there("a"));
	cr_assert_eq(open_writer(&w, CTL_FILE_CREATE, OUTPUTS({"ndjson", "a"})), 0);
	cr_assert_eq(writer_start(w, &err), 0);
	cr_assert_eq(end_writer(w), 0);
	writer_destroy(w);
	expect_file("a", "");
}
