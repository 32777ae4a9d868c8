/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What /proc, and so ps, shows of a process that was given a name.
 *
 * The test runner keeps main's arguments to itself: each test finds them in /proc and puts together
 * its own list, in a child.
 */
#include "procname.h"

#include <lh/host.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	MAX_STRINGS = 4096,
};

static void expect_success(void (*body)(void)) {
	pid_t pid = fork();
	int status;

	cr_assert_geq(pid, 0);
	if (!pid) {
		body();
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0, "status %x", (unsigned)status);
}

static void need(bool good, const char *what) {
	if (good)
		return;
	fprintf(stderr, "not so: %s\n", what);
	_exit(1);
}

#define NEED(condition) need(condition, #condition)

static size_t read_self(const char *path, char *text, size_t room) {
	int fd = open(path, O_RDONLY);
	size_t used = 0;
	ssize_t n;

	NEED(fd >= 0);
	while ((n = read(fd, text + used, room - 1 - used)) > 0)
		used += (size_t)n;
	NEED(n == 0);
	text[used] = '\0';
	close(fd);
	return used;
}

/* Where the kernel put arguments and environment: the last fields but one of /proc/self/stat. */
struct area {
	char *arg_start, *arg_end, *env_start, *env_end;
};

static struct area find_area(void) {
	char text[2048], *at;
	uintptr_t fields[4];

	read_self("/proc/self/stat", text, sizeof text);
	at = strrchr(text, ')') + 1;
	for (unsigned field = 3; field <= 51; field++) {
		at += strspn(at, " ");
		if (field >= 48)
			fields[field - 48] = strtoull(at, NULL, 10);
		at += strcspn(at, " ");
	}
	return (struct area){
		(char *)fields[0], (char *)fields[1], (char *)fields[2], (char *)fields[3]};
}

static int list_strings(char *start, const char *end, char **list) {
	int n = 0;

	for (; start < end && n < MAX_STRINGS; start += strlen(start) + 1)
		list[n++] = start;
	list[n] = NULL;
	return n;
}

/* main()'s argv and environ, as at the start. */
static struct {
	struct area area;
	char *argv[MAX_STRINGS + 1];
	char *variables[MAX_STRINGS + 1];
	int argc;
} start;

static void restart(void) {
	start.area = find_area();
	start.argc = list_strings(start.area.arg_start, start.area.arg_end, start.argv);
	list_strings(start.area.env_start, start.area.env_end, start.variables);
	environ = start.variables;
	NEED(start.argc >= 1);
}

static bool is_at_start(const char *string) {
	return string >= start.area.arg_start && string < start.area.env_end;
}

static void expect_cmdline(const char *name) {
	char text[1 << 16];
	size_t n = read_self("/proc/self/cmdline", text, sizeof text);

	NEED(!strcmp(text, name));
	for (size_t i = strlen(name); i < n; i++)
		NEED(text[i] == '\0');
}

static void expect_comm(const char *name) {
	char text[64];

	read_self("/proc/self/comm", text, sizeof text);
	NEED(!strcmp(text, name));
}

static void set_names(void) {
	restart();
	lh_process_name_init(start.argc, start.argv);
	process_name_set("prtip-dp: lane %s/%u", "http-enum", 0);
	expect_cmdline("prtip-dp: lane http-enum/0");
	expect_comm("lane http-enum/\n");
	process_name_set("prtip-dp: warden");
	expect_cmdline("prtip-dp: warden");
	expect_comm("warden\n");
	process_name_set("bare");
	expect_cmdline("bare");
	expect_comm("bare\n");
}

Test(procname, shown_in_full) {
	expect_success(set_names);
}

/* Longer than the arguments: the kernel goes on into what was the environment. */
static void set_long_name(void) {
	char name[200];
	size_t room;

	setenv("LONG", "enough", 1);
	restart();
	room = (size_t)(start.area.arg_end - start.area.arg_start);
	NEED(room < sizeof name - 1);
	NEED((size_t)(start.area.env_end - start.area.arg_start) > sizeof name);
	lh_process_name_init(start.argc, start.argv);
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	process_name_set("%s", name);
	expect_cmdline(name);
	process_name_set("short");
	expect_cmdline("short");
}

Test(procname, longer_than_the_arguments) {
	expect_success(set_long_name);
}

/* Without an environment, or with one that lies elsewhere, the arguments are all the room. */
static void cut_name(void) {
	char expected[256] = "", name[250], *mine[] = {(char[]){"HOME=/elsewhere"}, NULL};
	char following;
	size_t room;

	restart();
	environ = mine;
	room = (size_t)(start.area.arg_end - start.area.arg_start);
	following = *start.area.arg_end;
	NEED(room < sizeof name);
	lh_process_name_init(start.argc, start.argv);
	memset(name, 'y', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	process_name_set("%s", name);
	memset(expected, 'y', room - 1);
	expect_cmdline(expected);
	NEED(*start.area.arg_end == following);
	NEED(!strcmp(getenv("HOME"), "/elsewhere"));
}

Test(procname, cut_at_the_room) {
	expect_success(cut_name);
}

/* What main() and the C library knew before, they know after. */
static void keep_strings(void) {
	char *args[MAX_STRINGS + 1], *variables[MAX_STRINGS + 1];
	int n = 0;

	restart();
	for (int i = 0; i < start.argc; i++)
		args[i] = strdup(start.argv[i]);
	for (n = 0; environ[n]; n++)
		variables[n] = strdup(environ[n]);
	NEED(n > 0);
	lh_process_name_init(start.argc, start.argv);
	process_name_set("prtip-dp: %0200d", 0);
	for (int i = 0; i < start.argc; i++)
		NEED(!strcmp(start.argv[i], args[i]) && !is_at_start(start.argv[i]));
	NEED(!start.argv[start.argc]);
	for (int i = 0; i < n; i++)
		NEED(!strcmp(environ[i], variables[i]) && !is_at_start(environ[i]));
	NEED(!environ[n]);
	NEED(!strcmp(program_invocation_name, args[0]));
	NEED(!strchr(program_invocation_short_name, '/'));
	NEED(!is_at_start(program_invocation_short_name));
	NEED(setenv("NEW", "value", 1) == 0 && !strcmp(getenv("NEW"), "value"));
}

Test(procname, arguments_and_environment_stay) {
	expect_success(keep_strings);
}

/* Called twice, the second list is on the heap and must not become the room. */
static void init_twice(void) {
	restart();
	lh_process_name_init(start.argc, start.argv);
	lh_process_name_init(start.argc, start.argv);
	process_name_set("twice");
	expect_cmdline("twice");
	NEED(strcmp(start.argv[0], "twice") != 0);
}

Test(procname, second_init_does_nothing) {
	expect_success(init_twice);
}

static void init_moved(void) {
	char before[1 << 16], after[1 << 16], first[] = "moved", second[] = "arguments";
	char *argv[] = {first, NULL, second, NULL}, *nothing[] = {NULL};
	size_t n;

	argv[1] = strdup("between");
	restart();
	n = read_self("/proc/self/cmdline", before, sizeof before);
	lh_process_name_init(3, argv);
	process_name_set("prtip-dp: unknown");
	NEED(!strcmp(first, "moved") && !strcmp(second, "arguments"));
	lh_process_name_init(0, nothing);
	process_name_set("prtip-dp: none");
	NEED(read_self("/proc/self/cmdline", after, sizeof after) == n);
	NEED(!memcmp(before, after, n));
	expect_comm("none\n");
}

Test(procname, moved_arguments_are_left_alone) {
	expect_success(init_moved);
}

static void set_without_init(void) {
	char before[1 << 16], after[1 << 16];
	size_t n = read_self("/proc/self/cmdline", before, sizeof before);

	process_name_set("prtip-dp: early");
	NEED(read_self("/proc/self/cmdline", after, sizeof after) == n);
	NEED(!memcmp(before, after, n));
	expect_comm("early\n");
}

Test(procname, without_init_only_the_short_name) {
	expect_success(set_without_init);
}
