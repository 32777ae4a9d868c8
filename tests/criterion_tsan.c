/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Criterion's runner for a build with ThreadSanitizer. Its own keeps memory at addresses that
 * ThreadSanitizer does not let anybody have. This one does what our unit tests use: each test in a
 * process of its own, the fixtures of test and suite, expected signals and exit codes, time limits, and
 * TAP. What is defined here comes before the library's.
 */
#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	FAILED = 113,
	SKIPPED = 114,
	SLOWER = 10, /* than without */
	PATIENCE_S = 300,
};

extern struct criterion_test *__start_cr_tst[], *__stop_cr_tst[];
extern struct criterion_suite *__start_cr_sts[] __attribute__((weak));
extern struct criterion_suite *__stop_cr_sts[] __attribute__((weak));

static bool failed;

void criterion_send_assert(struct criterion_assert_stats *stats) {
	if (stats->passed)
		return;
	failed = true;
	printf("# %s:%u: %s\n", stats->file, stats->line, stats->message ? stats->message : "");
	fflush(stdout);
}

void cri_asserts_passed_incr(void) {}

void criterion_continue_test(void) {}

void criterion_abort_test(void) {
	exit(FAILED);
}

void criterion_skip_test(const char *format, ...) {
	va_list args;

	printf("# skipped: ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	exit(SKIPPED);
}

void criterion_internal_test_setup(void) {}

void criterion_internal_test_main(void (*fn)(void)) {
	fn();
}

void criterion_internal_test_teardown(void) {}

static const struct criterion_test_extra_data *suite_of(const struct criterion_test *test) {
	static const struct criterion_test_extra_data none;

	for (struct criterion_suite **suite = __start_cr_sts; suite < __stop_cr_sts; suite++)
		if (*suite && !strcmp((*suite)->name, test->category) && (*suite)->data)
			return (*suite)->data;
	return &none;
}

static double limit_s(const struct criterion_test *test) {
	const double own = test->data->timeout, suite = suite_of(test)->timeout;

	return own > 0 ? own * SLOWER : suite > 0 ? suite * SLOWER : PATIENCE_S;
}

static void run(const struct criterion_test *test) {
	const struct criterion_test_extra_data *suite = suite_of(test);

	alarm((unsigned)limit_s(test) + 1);
	if (suite->init)
		suite->init();
	if (test->data->init)
		test->data->init();
	test->test();
	if (test->data->fini)
		test->data->fini();
	if (suite->fini)
		suite->fini();
	exit(failed ? FAILED : 0);
}

/* The exit status of the test's process. */
static int run_apart(const struct criterion_test *test) {
	int status = 0;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0)
		run(test);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		exit(1);
	return status;
}

int main(void) {
	unsigned n = 0;
	bool good = true;

	for (struct criterion_test **at = __start_cr_tst; at < __stop_cr_tst; at++) {
		const struct criterion_test *test = *at;
		int status, wanted;

		if (!test || test->data->kind_ != CR_TEST_NORMAL)
			continue; /* parameterised */
		status = run_apart(test);
		wanted = test->data->signal ? test->data->signal : suite_of(test)->signal;
		bool skipped = WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED;
		bool passed = wanted
			? WIFSIGNALED(status) && WTERMSIG(status) == wanted
			: WIFEXITED(status) && WEXITSTATUS(status) == test->data->exit_code;

		good &= passed || skipped;
		printf("%s %u - %s::%s%s\n", passed || skipped ? "ok" : "not ok", ++n,
			test->category, test->name, skipped ? " # SKIP see above" : "");
		if (!passed && !skipped)
			printf("# status %#x\n", (unsigned)status);
	}
	printf("1..%u\n", n);
	return good ? 0 : 1;
}
