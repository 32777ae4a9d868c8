/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For the tests of TLS: a network namespace of their own with real servers in it, certificates made
 * by the openssl command, and a VM.
 */
#ifndef LH_TLS_LAB_H
#define LH_TLS_LAB_H

#include <lauxlib.h>
#include <lua.h>
#include <luajit.h>
#include <lualib.h>

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	LAB_PORT = 4433,
	LAB_TEXT = 1024,
};

/* Go into a network namespace with loopback up, and into an empty folder. */
static inline void lab_enter(void) {
	char folder[] = "/tmp/tls-lab-XXXXXX";
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};

	if (unshare(CLONE_NEWNET) < 0)
		cr_skip_test("needs root, for a network namespace");
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	cr_assert(ioctl(fd, SIOCSIFFLAGS, &request) == 0, "no loopback");
	close(fd);
	cr_assert(mkdtemp(folder) && chdir(folder) == 0, "no folder");
}

static inline void lab_leave(void) {
	char folder[LAB_TEXT], command[LAB_TEXT + 16];

	if (getcwd(folder, sizeof(folder)) && !strncmp(folder, "/tmp/tls-lab-", 13)) {
		snprintf(command, sizeof(command), "rm -rf '%s'", folder);
		cr_assert(system(command) == 0);
	}
}

/* Run a shell command that must succeed. */
__attribute__((format(printf, 1, 2))) static inline void lab_run(const char *format, ...) {
	char command[LAB_TEXT];
	va_list args;

	va_start(args, format);
	cr_assert_lt(vsnprintf(command, sizeof(command), format, args), LAB_TEXT);
	va_end(args);
	cr_assert(system(command) == 0, "failed: %s", command);
}

/* What a shell command prints, without the last newline, in @text. */
__attribute__((format(printf, 2, 3))) static inline const char *lab_read(
	char text[LAB_TEXT], const char *format, ...) {
	char command[LAB_TEXT];
	va_list args;

	va_start(args, format);
	cr_assert_lt(vsnprintf(command, sizeof(command), format, args), LAB_TEXT);
	va_end(args);
	FILE *pipe = popen(command, "r");
	const size_t n = fread(text, 1, LAB_TEXT - 1, pipe);
	cr_assert(pclose(pipe) == 0, "failed: %s", command);
	text[n] = '\0';
	if (n && text[n - 1] == '\n')
		text[n - 1] = '\0';
	return text;
}

static inline int lab_connect(void) {
	const struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_port = htons(LAB_PORT),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	/* Until the server listens: 10 s at most. */
	for (unsigned i = 0; i < 1000; i++) {
		const int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
			return fd;
		close(fd);
		usleep(10000);
	}
	cr_assert_fail("nobody listens");
	return -1;
}

/* `openssl s_server @options` at an address, until the test ends. */
static inline pid_t lab_server_at(const char *at, const char *options) {
	char command[LAB_TEXT];
	const pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(command, sizeof(command),
		"exec openssl s_server -accept %s:%d -quiet %s >/dev/null 2>&1 </dev/null", at,
		LAB_PORT, options);
	execl("/bin/sh", "sh", "-c", command, NULL);
	_exit(127);
}

static inline pid_t lab_server(const char *options) {
	return lab_server_at("127.0.0.1", options);
}

static inline void lab_stop(pid_t server) {
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
}

/* A certificate NAME.pem of its own with key NAME.key. */
static inline void lab_certificate(const char *name, const char *options) {
	lab_run("openssl req -x509 -nodes -keyout %s.key -out %s.pem %s 2>log", name, name,
		options);
}

static inline lua_State *lab_vm(void) {
	lua_State *L = luaL_newstate();

	/* No assertion: it is used outside of Criterion, too. */
	if (!L)
		abort();
	luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
	luaL_openlibs(L);
	return L;
}

/* The value of a Lua expression over global `r`, as text. */
static inline const char *lab_eval(lua_State *L, const char *expression) {
	lua_settop(L, 0);
	lua_pushfstring(L, "return tostring(%s)", expression);
	if (luaL_loadstring(L, lua_tostring(L, -1)) || lua_pcall(L, 0, 1, 0))
		cr_assert_fail("%s: %s", expression, lua_tostring(L, -1));
	return lua_tostring(L, -1);
}

#define lab_expect(L, expression, text)                                                            \
	cr_assert_str_eq(lab_eval(L, expression), text, "%s is %s, not %s", expression,            \
		lab_eval(L, expression), text)

#endif
