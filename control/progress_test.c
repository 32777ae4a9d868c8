/* SPDX-License-Identifier: BSD-3-Clause */
/* The progress line: what it says, and that it never wraps. */
#include "progress.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pty.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define S 1000000000ull

static char text[4096]; /* what the line's reader saw last */

static const char *seen(int fd) {
	ssize_t n = read(fd, text, sizeof text - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void make_terminal(int fd[2], unsigned short columns) {
	struct winsize size = {.ws_row = 24, .ws_col = columns};

	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	cr_assert_eq(openpty(&fd[0], &fd[1], NULL, NULL, &size), 0);
	fcntl(fd[0], F_SETFL, O_NONBLOCK);
}

/* Columns that the line takes: all but control sequences. */
static unsigned columns(const char *line) {
	unsigned n = 0;

	for (; *line; line++) {
		if (*line == '\033')
			line += strcspn(line, "mK");
		else
			n += *line != '\r';
	}
	return n;
}

static const struct dp_scan_type syn = {.name = "syn", .has_ports = true};
static const struct dp_scan_type arp = {.name = "arp"};

static struct ctl_summary some(void) {
	return (struct ctl_summary){
		.targets = 1048576,
		.type = &syn,
		.stats = {.probes_sent = 452120,
			.responses = {[DP_RESPONSE_SYN_ACK] = 3000, [DP_RESPONSE_RST] = 20000}},
		.states = {[DP_STATE_OPEN] = 2311},
		.elapsed_s = 4.1,
		.remaining_s = 5.2,
	};
}

Test(progress, golden) {
	struct ctl_summary summary = some();
	struct progress progress;
	int fd[2];

	make_terminal(fd, 120);
	progress_init(&progress, fd[1], S);
	summary.remaining_s = 5.2;
	progress_show(&progress, &summary, "scanning", 10 * S, false);
	cr_assert_str_eq(seen(fd[0]),
		"\r\033[K 43.1%  0:04 (0:05 left)  sent 452,120 (110.3 kpps)  got 23,000 (5.6 "
		"kpps)  "
		"open 2,311  hits 0.511%");
	summary.stats.probes_sent += 200000;
	summary.stats.lost_tx_dropped = 12;
	summary.remaining_s = -1;
	progress_show(&progress, &summary, "scanning", 10 * S + S / 2, false);
	cr_assert_str_eq(seen(fd[0]), "", "the interval has not passed");
	summary.remaining_s = -1;
	progress_show(&progress, &summary, "scanning", 12 * S, false);
	cr_assert_str_eq(seen(fd[0]),
		"\r\033[K 62.1%  0:04  sent 652,120 (100.0 kpps)  got 23,000 (0 pps)  open 2,311  "
		"hits 0.354%  \033[31mlost 12\033[0m");
	progress_clear(&progress);
	cr_assert_str_eq(seen(fd[0]), "\r\033[K");
	progress_clear(&progress);
	cr_assert_str_eq(seen(fd[0]), "");
}

/* In 80 columns all is there, also hours into a large scan whose plugins lag and that loses. */
Test(progress, all_of_it_in_80_columns) {
	struct ctl_summary summary = some();
	struct progress progress;
	int fd[2];

	make_terminal(fd, 80);
	progress_init(&progress, fd[1], S);
	progress_show(&progress, &summary, "scanning", 10 * S, true);
	cr_expect_str_eq(seen(fd[0]),
		"\r\033[K 43.1% 0:04 -0:05 sent 452k 110k/s got 23k 5.6k/s open 2.3k 0.51%");
	summary.targets = 4000000000;
	summary.stats.probes_sent = 3999999999;
	summary.stats.responses[DP_RESPONSE_RST] = 999000000;
	summary.states[DP_STATE_OPEN] = 999000000;
	summary.elapsed_s = summary.remaining_s = 86399;
	summary.waiting = 999000;
	summary.stats.lost_ring_full = 999000;
	progress_show(&progress, &summary, "scanning", 11 * S, true);
	cr_expect_str_eq(seen(fd[0]),
		"\r\033[K 99.9% 23h59 -23h59 sent 4.0G/s got 999M/s open 999M 25.0% "
		"wait 999k \033[31mlost 999k\033[0m");
	cr_expect_lt(columns(text), 80);
}

Test(progress, backlog_is_there_with_plugins) {
	struct ctl_summary summary = some();
	struct progress progress;
	int fd[2];

	make_terminal(fd, 80);
	progress_init(&progress, fd[1], S);
	summary.nb_plugins = 1;
	progress_show(&progress, &summary, "scanning", S, true);
	cr_expect_not_null(strstr(seen(fd[0]), " wait 0"), "%s", text);
}

Test(progress, no_color) {
	struct ctl_summary summary = some();
	struct progress progress;
	int fd[2];

	make_terminal(fd, 80);
	setenv("NO_COLOR", "1", 1);
	progress_init(&progress, fd[1], S);
	summary.stats.lost_ring_full = 7;
	progress_show(&progress, &summary, "scanning", S, true);
	cr_expect_not_null(strstr(seen(fd[0]), " lost 7"));
	cr_expect_null(strstr(text, "\033[3"), "%s", text);
}

static void check_width(struct progress *progress, int reader, struct ctl_summary *most,
	unsigned terminal, unsigned bits, unsigned *widest) {
	static const char *const phases[] = {"resolving", "scanning", "cooldown", "plugins"};
	static const double remaining[] = {-1, 0, 59.7, 1e5, 1e300};

	for (unsigned i = 0; i < 20; i++) {
		most->remaining_s = remaining[i / 4];
		progress_show(progress, most, phases[i % 4], 1 + bits * 20 + i, true);
		unsigned width = columns(seen(reader));
		cr_assert_lt(width, terminal, "%s", text);
		cr_assert(terminal < 80 || strstr(text, "open "));
		cr_assert(terminal < 80 || !bits || strstr(text, "lost "));
		cr_assert(terminal < 80 || !bits || strstr(text, "wait"));
		*widest = width > *widest ? width : *widest;
	}
}
Test(progress, never_wraps) {
	static const unsigned short terminals[] = {2, 10, 20, 40, 79, 80, 81, 100, 132, 200};

	for (unsigned t = 0; t < sizeof terminals / sizeof *terminals; t++) {
		struct ctl_summary most = some();
		struct progress progress;
		unsigned widest = 0;
		int fd[2];

		make_terminal(fd, terminals[t]);
		progress_init(&progress, fd[1], 0);
		for (unsigned bits = 0; bits <= 64; bits++) {
			uint64_t value = bits < 64 ? (1ull << bits) - 1 : UINT64_MAX;

			memset(&most.stats, 0, sizeof most.stats);
			most.stats.probes_sent = most.states[DP_STATE_OPEN] = value;
			most.stats.responses[DP_RESPONSE_SYN_ACK] = value;
			most.stats.lost_ring_full = value;
			most.elapsed_s = (double)value;
			most.waiting = value;
			check_width(&progress, fd[0], &most, terminals[t], bits, &widest);
		}
		cr_assert_gt(widest, terminals[t] < 80 ? terminals[t] / 2 - 1 : 60,
			"more is left out than has to be");
		close(fd[0]);
		close(fd[1]);
	}
}

/* A line once an interval while the caller is busy, and nothing of it at the end. */
Test(progress, stages) {
	struct progress progress;
	int fd[2];

	make_terminal(fd, 80);
	progress_init(&progress, fd[1], S / 100);
	progress_begin(&progress, "starting");
	while (!*seen(fd[0]))
		usleep(1000);
	cr_expect_str_eq(text, "\r\033[Kstarting  0:00");
	progress_clear(&progress);
	while (!strstr(seen(fd[0]), "starting"))
		usleep(1000);
	progress_end(&progress);
	seen(fd[0]);
	cr_expect_str_eq(&text[strlen(text) - 4], "\r\033[K", "the line is gone");
	usleep(30000);
	cr_expect_str_eq(seen(fd[0]), "", "and does not come back");
	progress_end(&progress);
	cr_expect_str_eq(seen(fd[0]), "");
}

Test(progress, full_percent_only_when_all_are_out) {
	struct ctl_summary summary = {.type = &syn, .targets = 100000};
	struct progress progress;
	int fd[2];

	make_terminal(fd, 80);
	progress_init(&progress, fd[1], S);
	summary.stats.probes_sent = 99999;
	summary.remaining_s = 0;
	progress_show(&progress, &summary, "scanning", S, true);
	cr_expect_not_null(strstr(seen(fd[0]), " 99.9%"));
	summary.stats.probes_unresolved = 1;
	summary.remaining_s = 0;
	progress_show(&progress, &summary, "scanning", S, true);
	cr_expect_not_null(strstr(seen(fd[0]), "100.0%"));
}

Test(progress, plain_lines_where_not_a_terminal) {
	struct ctl_summary summary = some();
	struct progress progress;
	unsigned lines = 0;
	int fd[2];

	cr_assert_eq(pipe2(fd, O_NONBLOCK), 0);
	progress_init(&progress, fd[1], S);
	for (uint64_t now = 100; now < 100 + 35; now++)
		progress_show(&progress, &summary, "scanning", now * S, false);
	progress_clear(&progress);
	cr_assert_null(strpbrk(seen(fd[0]), "\r\033"));
	for (const char *p = text; (p = strchr(p, '\n')); p++)
		lines++;
	cr_assert_eq(lines, 3, "%s", text);
	cr_assert_eq(strncmp(text, "scanning 43.1%  0:04 (0:05 left)  sent ", 39), 0, "%s", text);
}

Test(progress, says_what_waits_for_plugins) {
	struct ctl_summary summary = some();
	struct progress progress;
	int fd[2];

	make_terminal(fd, 120);
	progress_init(&progress, fd[1], S);
	summary.waiting = 1234;
	summary.remaining_s = 60;
	progress_show(&progress, &summary, "plugins", S, true);
	cr_expect_str_eq(seen(fd[0]),
		"\r\033[Kplugins  0:04 (1:00 left)  sent 452,120 (110.3 kpps)  got 23,000 (5.6 "
		"kpps)  "
		"open 2,311  hits 0.511%  waiting 1,234");
	summary.waiting = 0;
	summary.remaining_s = 60;
	progress_show(&progress, &summary, "plugins", S, true);
	cr_expect_null(strstr(seen(fd[0]), "waiting"));
}

/* All transmissions count; a scan for hosts finds those that are up. */
Test(progress, repeats_and_hosts) {
	struct ctl_summary summary = some();
	struct progress progress;
	int fd[2];

	make_terminal(fd, 120);
	progress_init(&progress, fd[1], S);
	summary.type = &arp;
	summary.targets = 400000;
	summary.passes = 2;
	summary.stats.probes_excluded = 47880;
	summary.states[DP_STATE_UP] = 12;
	summary.remaining_s = 60;
	progress_show(&progress, &summary, "scanning", S, true);
	cr_expect_not_null(strstr(seen(fd[0]), " 62.5%"), "%s", text);
	cr_expect_not_null(strstr(text, "  up 12  "), "%s", text);
}
