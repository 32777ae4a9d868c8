/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands as text and as keys. Pure functions; they own no memory. */
#include "command.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double step = 1.1, leap = 2; /* what + and * multiply with */
static const double least_factor = 1e-3, most_factor = 1e3;

static const char blanks[] = " \t\r";

static const struct {
	const char *name;
	enum command_kind kind;
} commands[] = {
	{"status", COMMAND_STATUS},
	{"rate", COMMAND_RATE},
	{"pause", COMMAND_PAUSE},
	{"resume", COMMAND_RESUME},
	{"stop", COMMAND_STOP},
};

const char command_keys[] = "keys: + a tenth more, - a tenth less, * double, / halve the rate\n"
			    "      p pause or go on, Enter and others: state, Ctrl-C stop";

static int read_factor(const char *text, double *factor, struct value_error *err) {
	char *end;

	*factor = strtod(text + 1, &end);
	if (strspn(text + 1, "0123456789.") != strlen(text + 1) || !text[1] || *end
		|| !(*factor >= least_factor && *factor <= most_factor))
		return value_fail(err, text, strlen(text),
			"not a factor; give one such as x2 or x0.5, from x0.001 to x1000");
	return 0;
}

static int read_rate(const char *text, struct command *command, struct value_error *err) {
	command->given = *text;
	if (!*text)
		return 0;
	if (*text == 'x')
		return read_factor(text, &command->factor, err);
	return value_read_rate(text, &command->rate, err);
}

int command_read(const char *line, struct command *command, struct value_error *err) {
	char copy[COMMAND_LINE_BYTES], *name, *value;
	size_t length = strlen(line);

	*command = (struct command){0};
	if (length >= sizeof copy)
		return value_fail(err, line, length,
			"too long; a command has at most %d characters", COMMAND_LINE_BYTES - 1);
	memcpy(copy, line, length + 1);
	while (length && strchr(blanks, copy[length - 1]))
		copy[--length] = '\0';
	name = copy + strspn(copy, blanks);
	value = name + strcspn(name, blanks);
	if (*value)
		*value++ = '\0';
	value += strspn(value, blanks);
	for (unsigned i = 0; i < sizeof commands / sizeof *commands; i++) {
		if (strcmp(name, commands[i].name) != 0)
			continue;
		command->kind = commands[i].kind;
		if (command->kind == COMMAND_RATE)
			return read_rate(value, command, err);
		return *value ? value_fail(err, value, strlen(value), "%s takes no value", name)
			      : 0;
	}
	return value_fail(err, name, strlen(name),
		"unknown command; give status, rate [N], pause, resume or stop");
}

static struct command by(double factor) {
	return (struct command){.kind = COMMAND_RATE, .given = true, .factor = factor};
}

struct command command_of_key(char key) {
	switch (key) {
	case '+':
		return by(step);
	case '-':
		return by(1 / step);
	case '*':
		return by(leap);
	case '/':
		return by(1 / leap);
	case 'p':
		return (struct command){.kind = COMMAND_TOGGLE};
	case '?':
	case 'h':
		return (struct command){.kind = COMMAND_KEYS};
	default:
		return (struct command){.kind = COMMAND_STATUS};
	}
}
