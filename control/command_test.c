/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands as lines and as keys. */
#include "command.h"

#include <criterion/criterion.h>
#include <string.h>

Test(command, lines) {
	static const struct {
		const char *line;
		enum command_kind kind;
		bool given;
		double factor, pps, bps;
	} cases[] = {
		{"status", COMMAND_STATUS, false, 0, 0, 0},
		{" \tstatus \r", COMMAND_STATUS, false, 0, 0, 0},
		{"pause", COMMAND_PAUSE, false, 0, 0, 0},
		{"resume", COMMAND_RESUME, false, 0, 0, 0},
		{"stop", COMMAND_STOP, false, 0, 0, 0},
		{"rate", COMMAND_RATE, false, 0, 0, 0},
		{"rate 50k", COMMAND_RATE, true, 0, 50000, 0},
		{"rate   0.5\r", COMMAND_RATE, true, 0, 0.5, 0},
		{"rate 100Mbit", COMMAND_RATE, true, 0, 0, 1e8},
		{"rate max", COMMAND_RATE, true, 0, 0, 0},
		{"rate x1.5", COMMAND_RATE, true, 1.5, 0, 0},
		{"rate x.5", COMMAND_RATE, true, 0.5, 0, 0},
	};

	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct command command;
		struct value_error why;

		cr_assert_eq(command_read(cases[i].line, &command, &why), 0, "%s", cases[i].line);
		cr_expect_eq(command.kind, cases[i].kind, "%s", cases[i].line);
		cr_expect_eq(command.given, cases[i].given, "%s", cases[i].line);
		cr_expect(command.factor == cases[i].factor && command.rate.pps == cases[i].pps
				&& command.rate.bps == cases[i].bps,
			"%s", cases[i].line);
	}
}

Test(command, what_is_none_is_refused) {
	static const char *const lines[] = {"", " ", "Status", "stat", "rate 5q", "rate 0",
		"rate -5", "rate 50k 60k", "rate x", "rate x0", "rate x-1", "rate x1e2",
		"rate xinf", "rate x5000", "pause now", "stop 1", "rate 99G",
		"status                                                                            "
		"                                                              "};
	struct command command;
	struct value_error why;

	for (unsigned i = 0; i < sizeof lines / sizeof *lines; i++) {
		*why.why = '\0';
		cr_expect_lt(command_read(lines[i], &command, &why), 0, "%s", lines[i]);
		cr_expect_gt(strlen(why.why), 10, "%s", lines[i]);
	}
}

Test(command, keys) {
	const struct command more = command_of_key('+'), less = command_of_key('-');
	const struct command twice = command_of_key('*'), half = command_of_key('/');

	cr_expect(more.kind == COMMAND_RATE && more.given && more.factor > 1);
	cr_expect_float_eq(more.factor * less.factor, 1, 1e-12, "one takes back the other");
	cr_expect_float_eq(twice.factor, 2, 1e-12);
	cr_expect_float_eq(twice.factor * half.factor, 1, 1e-12);
	cr_expect_eq(command_of_key('p').kind, COMMAND_TOGGLE);
	cr_expect_eq(command_of_key('?').kind, COMMAND_KEYS);
	cr_expect_eq(command_of_key('\n').kind, COMMAND_STATUS);
	cr_expect_eq(command_of_key('x').kind, COMMAND_STATUS);
	cr_expect_eq(command_of_key('q').kind, COMMAND_STATUS, "nothing ends a scan by mistake");
}
