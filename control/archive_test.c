/* SPDX-License-Identifier: BSD-3-Clause */
/* The archive: every result at its place, in whatever order it is asked for, and errors that show. */
#include "result_fixture.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
	MANY = 3000000,
	SOME = 50000,
	BATCH = 256,
};

static char folder[] = "/tmp/archive_test.XXXXXX";
static struct dp_error err;
static struct archive *archive;

static void enter(void) {
	cr_assert_not_null(mkdtemp(folder));
	cr_assert_eq(archive_create(folder, &fixture_table, &archive, &err), 0, "%s", err.text);
}

static void leave(void) {
	archive_destroy(archive);
	cr_expect_eq(rmdir(folder), 0, "a file is left behind");
	cr_expect_not(fixture_leaks());
}

/* Of a test that failed. */
static void remove_folder(void) {
	rmdir(folder);
}

TestSuite(archive, .init = enter, .fini = remove_folder, .timeout = 120);

/* Every @every-th result has all that one can have; 0: none. */
static void put_results(uint64_t n, uint64_t every) {
	struct result batch[BATCH];

	for (uint64_t done = 0; done < n;) {
		unsigned want = n - done < BATCH ? (unsigned)(n - done) : BATCH;
		for (unsigned i = 0; i < want; i++, done++)
			batch[i] = (struct result){
				.answer = fixture_answer(done),
				.extra = every && done % every == 0 ? fixture_extra(done) : NULL,
			};
		archive_put(archive, batch, want);
		for (unsigned i = 0; i < want; i++)
			result_extra_free(batch[i].extra);
	}
}

static bool is_result(uint64_t i, uint64_t every) {
	struct result result;

	cr_assert_eq(archive_get(archive, i, &result), 0, "result %d", (int)i);
	bool has_extra = every && i % every == 0;
	if (!fixture_is_answer(&result.answer, i) || !result.extra != !has_extra)
		return false;
	if (!has_extra)
		return true;
	struct result_extra *want = fixture_extra(i);
	bool equal = fixture_equal(result.extra, want);
	result_extra_free(want);
	return equal;
}

CHECKED_TEST(archive, gives_millions_back_in_order, leave) {
	struct result result;
	uint64_t wrong = 0;

	put_results(MANY, 0);
	cr_assert_eq(archive_error(archive), 0);
	cr_assert_eq(archive_count(archive), MANY);
	for (uint64_t i = 0; i < MANY; i++)
		wrong += archive_get(archive, i, &result) || !fixture_is_answer(&result.answer, i)
			|| result.extra;
	cr_assert_eq(wrong, 0);
	cr_assert_eq(archive_get(archive, MANY, &result), -ENOENT);
	cr_assert_eq(archive_get(archive, UINT64_MAX, &result), -ENOENT);
}

CHECKED_TEST(archive, gives_any_result_at_any_time, leave) {
	uint64_t wrong = 0, i = 1;

	put_results(SOME, 3);
	for (unsigned n = 0; n < 20000; n++) {
		i = (i * 6364136223846793005u + 1442695040888963407u);
		wrong += !is_result((i >> 33) % SOME, 3);
	}
	cr_assert_eq(wrong, 0);
	for (uint64_t at = 0; at < SOME; at++)
		wrong += !is_result(at, 3);
	for (uint64_t at = SOME; at-- > SOME - 20000;)
		wrong += !is_result(at, 3);
	cr_assert_eq(wrong, 0);
}

/* What was put last need not be in the file yet, and more may follow. */
CHECKED_TEST(archive, gives_what_was_put_just_now, leave) {
	struct result one = {.answer = fixture_answer(0), .extra = fixture_extra(0)};
	struct result got;

	cr_assert_eq(archive_get(archive, 0, &got), -ENOENT);
	archive_put(archive, &one, 1);
	cr_assert(is_result(0, 1));
	result_extra_free(one.extra);
	one = (struct result){.answer = fixture_answer(1), .extra = fixture_extra(1)};
	archive_put(archive, &one, 1);
	cr_assert(is_result(1, 1));
	cr_assert(is_result(0, 1));
	result_extra_free(one.extra);
}

CHECKED_TEST(archive, takes_the_largest_results, leave) {
	struct result large = {.answer = fixture_answer(1)}, got;
	const size_t bytes = 3 << 20;

	put_results(1, 1);
	large.extra = fixture_extra(1);
	free(large.extra->plugins[0].results);
	large.extra->plugins[0].results = malloc(bytes + 1);
	memset(large.extra->plugins[0].results, '1', bytes);
	large.extra->plugins[0].results[bytes] = '\0';
	for (unsigned i = 0; i < 3; i++)
		archive_put(archive, &large, 1);
	for (unsigned i = 3; i > 0; i--) {
		cr_assert_eq(archive_get(archive, i, &got), 0);
		cr_assert(fixture_equal(got.extra, large.extra));
	}
	cr_assert(is_result(0, 1));
	result_extra_free(large.extra);
}

static uint64_t resident_kb(void) {
	uint64_t kb = 0;
	char line[256];
	FILE *file = fopen("/proc/self/status", "r");

	while (fgets(line, sizeof line, file))
		if (!strncmp(line, "VmRSS:", 6))
			kb = strtoull(line + 6, NULL, 10);
	fclose(file);
	return kb;
}

/* 120 MB of rows and 30 MB of packed results go through it. */
CHECKED_TEST(archive, takes_no_memory_for_results, leave) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	cr_skip_test("a sanitizer keeps what was freed, or shadows of it");
#endif
	uint64_t wrong = 0, before = resident_kb();

	put_results(MANY, 20);
	for (uint64_t i = 0; i < MANY; i += 7)
		wrong += !is_result(i, 20);
	cr_assert_eq(wrong, 0);
	cr_assert_lt(resident_kb() - before, 16 * 1024);
}

CHECKED_TEST(archive, leaves_no_name_in_the_folder, leave) {
	DIR *dir = opendir(folder);
	unsigned entries = 0;

	put_results(100000, 0);
	while (readdir(dir))
		entries++;
	closedir(dir);
	cr_assert_eq(entries, 2, "only . and ..");
}

static void limit_files(rlim_t bytes) {
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &(struct rlimit){bytes, RLIM_INFINITY}), 0);
}

static void expect_failed(void) {
	struct result got;

	cr_assert_eq(archive_error(archive), -EFBIG);
	uint64_t count = archive_count(archive);
	put_results(10, 0);
	cr_assert_eq(archive_count(archive), count, "it takes nothing more");
	cr_assert_eq(archive_get(archive, 0, &got), -EFBIG);
	cr_assert_eq(archive_error(archive), -EFBIG);
}

CHECKED_TEST(archive, keeps_the_error_of_its_rows, leave) {
	limit_files(1000001);
	put_results(100000, 0);
	expect_failed();
}

CHECKED_TEST(archive, keeps_the_error_of_packed_results, leave) {
	limit_files(2000001);
	put_results(20000, 1);
	expect_failed();
}

CHECKED_TEST(archive, flush_brings_the_error_of_the_last_block, leave) {
	limit_files(1000);
	put_results(100, 0);
	cr_assert_eq(archive_error(archive), 0);
	archive_flush(archive);
	expect_failed();
}

static void find_files(int found[2]) {
	char path[64], target[256];
	unsigned n = 0;

	for (int fd = 3; fd < 64; fd++) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		ssize_t bytes = readlink(path, target, sizeof target - 1);
		target[bytes > 0 ? bytes : 0] = '\0';
		if (strncmp(target, folder, strlen(folder)))
			continue;
		cr_assert_lt(n, 2);
		found[n++] = fd;
	}
	cr_assert_eq(n, 2);
}

/* The files lost what was written to them: first the packed results, then the rows too. */
CHECKED_TEST(archive, notices_a_file_that_comes_back_shorter, leave) {
	struct result got;
	int fd[2];

	put_results(SOME, 2);
	archive_flush(archive);
	find_files(fd);
	cr_assert_eq(ftruncate(fd[1], 1000), 0);
	cr_assert_eq(archive_get(archive, SOME - 2, &got), -EIO);
	cr_assert_eq(archive_get(archive, SOME - 2, &got), -EIO, "and again");
	cr_assert_eq(archive_get(archive, SOME - 1, &got), 0);
	cr_assert_eq(ftruncate(fd[0], 1000), 0);
	cr_assert_eq(archive_get(archive, SOME / 2, &got), -EIO);
	cr_assert_eq(archive_get(archive, SOME / 2, &got), -EIO, "and again");
}

CHECKED_TEST(archive, says_its_name_and_refuses_a_bad_folder, leave) {
	struct archive *none;
	char want[128];

	snprintf(want, sizeof want, "results archive in %s", folder);
	cr_assert_str_eq(archive_name(archive), want);
	cr_assert_eq(archive_create("/no/such", &fixture_table, &none, &err), -ENOENT);
	cr_assert(err.usage);
	cr_assert_str_eq(err.text,
		"cannot make a file in /no/such: No such file or directory; plugins.spill_dir has "
		"to "
		"be a folder that can be written to");
	archive_destroy(NULL);
}
