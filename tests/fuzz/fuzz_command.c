/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Commands of the control socket, which another program writes. What is taken lies in the limits, and is
 * the same once it was written and read again; the first byte is a key, which is always a command.
 */
#include "command.h"
#include "fuzz.h"

static const char *const names[] = {"status", "rate", "pause", "resume", "stop"};

static void write_command(const struct command *command, char text[COMMAND_LINE_BYTES]) {
	char rate[VALUE_TEXT_BYTES] = "";

	FUZZ_ASSERT(command->kind < sizeof(names) / sizeof(names[0]));
	if (command->factor)
		snprintf(rate, sizeof(rate), "x%.9f", command->factor);
	else if (command->given)
		value_write_rate(command->rate, rate);
	FUZZ_ASSERT(command->kind == COMMAND_RATE || !*rate);
	snprintf(text, COMMAND_LINE_BYTES, "\t%s  %s\r", names[command->kind], rate);
}

static bool is_near(double a, double b) {
	return a - b <= 1e-9 && b - a <= 1e-9;
}

static void check(const struct command *command) {
	char text[COMMAND_LINE_BYTES];
	struct command again;
	struct value_error err = {0};

	FUZZ_ASSERT(!command->factor || (command->factor >= 1e-3 && command->factor <= 1e3));
	FUZZ_ASSERT(command->rate.pps >= 0 && command->rate.bps >= 0);
	write_command(command, text);
	FUZZ_ASSERT(command_read(text, &again, &err) == 0);
	FUZZ_ASSERT(again.kind == command->kind && again.given == command->given);
	FUZZ_ASSERT(is_near(again.factor, command->factor));
	FUZZ_ASSERT(again.rate.pps == command->rate.pps && again.rate.bps == command->rate.bps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	char *line = size ? fuzz_string(data + 1, size - 1) : NULL;
	struct command command;
	struct value_error err = {0};

	if (!line)
		return 0;
	command = command_of_key((char)data[0]);
	FUZZ_ASSERT(command.kind <= COMMAND_KEYS && command.factor >= 0 && command.factor <= 2);
	if (command_read(line, &command, &err) == 0)
		check(&command);
	else
		FUZZ_ASSERT(err.why[0] && strnlen(err.part, sizeof(err.part)) < sizeof(err.part));
	free(line);
	return 0;
}
