/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names of processes, written over their arguments.
 *
 * Runs in main() before all else, then in each process that we fork. Owns the copies that main's
 * arguments and environment are moved to; they live as long as the process.
 *
 * The kernel shows as a process's arguments whatever stands where it put them. The strings of the
 * environment follow, and become room for longer names once they live elsewhere.
 */
#include "procname.h"

#include <lh/host.h>

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The one place of a process's arguments, which is not ours to choose: hence the mutable global. */
static struct {
	char *start; /* NULL: unknown, or nothing to be written to */
	size_t room;
	char **copies; /* of the arguments and of the environment, both lists ended by NULL */
} arguments;

static size_t count_strings(char *const *strings) {
	size_t n = 0;

	while (strings[n])
		n++;
	return n;
}

/* The end of the strings, as far as each starts where the last one ended. */
static char *end_of_run(char *const *strings, char *end) {
	for (; *strings && *strings == end; strings++)
		end += strlen(end) + 1;
	return end;
}

static void free_strings(char **strings, size_t count) {
	for (size_t i = 0; i < count; i++)
		free(strings[i]);
}

/* Copy @count strings; all or nothing. */
static bool copy_strings(char **copies, char *const *strings, size_t count) {
	for (size_t i = 0; i < count; i++) {
		copies[i] = strdup(strings[i]);
		if (!copies[i]) {
			free_strings(copies, i);
			return false;
		}
	}
	return true;
}

/* Both lists in one block, the arguments first. NULL where there is no memory. */
static char **copy_lists(char **argv, size_t nb_args, size_t nb_variables) {
	char **copies = calloc(nb_args + nb_variables + 2, sizeof *copies);

	if (!copies)
		return NULL;
	if (!copy_strings(copies, argv, nb_args))
		goto free_list;
	if (!copy_strings(copies + nb_args + 1, environ, nb_variables))
		goto free_args;
	return copies;

free_args:
	free_strings(copies, nb_args);
free_list:
	free(copies);
	return NULL;
}

/* What the program and the C library still point to would change with the name. */
static void use_copies(char **argv, size_t nb_args) {
	const char *slash;

	memcpy(argv, arguments.copies, nb_args * sizeof *argv);
	environ = arguments.copies + nb_args + 1;
	slash = strrchr(argv[0], '/');
	program_invocation_name = argv[0];
	program_invocation_short_name = slash ? (char *)slash + 1 : argv[0];
}

void lh_process_name_init(int argc, char **argv) {
	const size_t nb_args = argc > 0 ? (size_t)argc : 0;
	char *start = nb_args ? argv[0] : NULL, *end;

	if (!start || arguments.start)
		return;
	end = end_of_run(argv, start);
	/* Arguments that someone has moved already are none of ours. */
	if (argv[nb_args - 1] + strlen(argv[nb_args - 1]) + 1 != end)
		return;
	end = end_of_run(environ, end);
	arguments.copies = copy_lists(argv, nb_args, count_strings(environ));
	if (!arguments.copies)
		return;
	use_copies(argv, nb_args);
	arguments.start = start;
	arguments.room = (size_t)(end - start);
}

static void write_name(const char *name) {
	size_t length = strlen(name);

	if (!arguments.start)
		return;
	/* The last byte stays NUL: there the kernel stops. */
	if (length > arguments.room - 1)
		length = arguments.room - 1;
	memcpy(arguments.start, name, length);
	memset(arguments.start + length, '\0', arguments.room - length);
}

void process_name_set(const char *format, ...) {
	char name[256];
	const char *colon;
	va_list args;

	va_start(args, format);
	vsnprintf(name, sizeof name, format, args);
	va_end(args);
	write_name(name);
	colon = strstr(name, ": ");
	/* Where it is refused, the old name stays: no harm. */
	prctl(PR_SET_NAME, colon ? colon + 2 : name, 0, 0, 0);
}
