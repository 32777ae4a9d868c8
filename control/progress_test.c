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
	};
}

Test(progress, golden) {
	struct ctl_summary summary = some();
	struct progress progress;
	int fd[2];

	make_terminal(fd, 120);
	progress_init(&progress, fd[1], S);
	progress_show(&progress, &summary, "scanning", 5.2, 10 * S, false);
	cr_assert_str_eq(seen(fd[0]),
		"\r\033[K 43.1%  0:04 (0:05 left)  sent 452,120 (110.3 kpps)  got 5.6 kpps  "
		"open 2,311  hits 0.511%");
	summary.stats.probes_sent += 200000;
	summary.stats.lost_tx_dropped = 12;
	progress_show(&progress, &summary, "scanning", -1, 10 * S + S / 2, false);
	cr_assert_str_eq(seen(fd[0]), "", "the interval has not passed");
	progress_show(&progress, &summary, "scanning", -1, 12 * S, false);
	cr_assert_str_eq(seen(fd[0]),
		"\r\033[K 62.1%  0:04  sent 652,120 (100.0 kpps)  got 0 pps  open 2,311  "
		"hits 0.354%  \033[31mlost 12\033[0m");
	progress_clear(&progress);
	cr_assert_str_eq(seen(fd[0]), "\r\033[K");
	progress_clear(&progress);
	cr_assert_str_eq(seen(fd[0]), "");
}

Test(progress, never_wraps) {
	static const char *const phases[] = {"resolving", "scanning", "cooldown", "plugins"};
	static const double remaining[] = {-1, 0, 59.7, 1e5, 1e300};
	struct ctl_summary most = some();
	struct progress progress;
	unsigned widest = 0;
	int fd[2];

	make_terminal(fd, 20); /* narrower than what is asked of a terminal */
	progress_init(&progress, fd[1], 0);
	for (unsigned bits = 0; bits <= 64; bits++) {
		uint64_t value = bits < 64 ? (1ull << bits) - 1 : UINT64_MAX;
		memset(&most.stats, 0, sizeof most.stats);
		most.stats.probes_sent = most.states[DP_STATE_OPEN] = value;
		most.stats.responses[DP_RESPONSE_SYN_ACK] = most.stats.lost_ring_full = value;
		most.elapsed_s = (double)value;
		most.waiting = value;
		for (unsigned i = 0; i < 20; i++) {
			progress_show(&progress, &most, phases[i % 4], remaining[i / 4],
				1 + bits * 20 + i, true);
			unsigned width = columns(seen(fd[0]));
			cr_assert_lt(width, 80, "%s", text);
			cr_assert_not_null(strstr(text, "open "));
			cr_assert(!value || strstr(text, "lost "));
			cr_assert(!value || strstr(text, "waiting "));
			widest = width > widest ? width : widest;
		}
	}
	cr_assert_gt(widest, 60, "more is left out than has to be");
}

Test(progress, full_percent_only_when_all_are_out) {
	struct ctl_summary summary = {.type = &syn, .targets = 100000};
	struct progress progress;
	int fd[2];

	make_terminal(fd, 80);
	progress_init(&progress, fd[1], S);
	summary.stats.probes_sent = 99999;
	progress_show(&progress, &summary, "scanning", 0, S, true);
	cr_expect_not_null(strstr(seen(fd[0]), " 99.9%"));
	summary.stats.probes_unresolved = 1;
	progress_show(&progress, &summary, "scanning", 0, S, true);
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
		progress_show(&progress, &summary, "scanning", 5.2, now * S, false);
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
	progress_show(&progress, &summary, "plugins", 60, S, true);
	cr_expect_str_eq(seen(fd[0]),
		"\r\033[Kplugins  0:04 (1:00 left)  sent 452,120 (110.3 kpps)  got 5.6 kpps  "
		"open 2,311  hits 0.511%  waiting 1,234");
	summary.waiting = 0;
	progress_show(&progress, &summary, "plugins", 60, S, true);
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
	progress_show(&progress, &summary, "scanning", 60, S, true);
	cr_expect_not_null(strstr(seen(fd[0]), " 62.5%"), "%s", text);
	cr_expect_not_null(strstr(text, "  up 12  "), "%s", text);
}
