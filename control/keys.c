/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keys from the terminal. Control core; signal handlers, which run on any thread, only restore. Owns the
 * terminal's mode.
 *
 * A terminal belongs to the process group in its foreground. Who changes its mode from the background is stopped
 * (SIGTTOU), and changes what another one relies on: so each look asks first, and a job that comes to
 * the foreground takes its mode again. Shells differ in whether they put the mode back when a job stops.
 */
#include "keys.h"

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

enum {
	TERMINAL = STDIN_FILENO,
	ESCAPE = 27,
	NB_DEADLY = 8,
};

/* Those that end a process that does not catch them, but for what main() counts. */
static const int deadly[NB_DEADLY]
	= {SIGQUIT, SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS};

static struct termios before; /* written before opened */
static atomic_bool opened; /* the mode is ours; writers: control core, handlers */
static bool active; /* between keys_open() and keys_close(); control core's */

static bool in_foreground(void) {
	return tcgetpgrp(TERMINAL) == getpgrp();
}

/* In the foreground, or it would stop us where that changed just now. */
static void set_mode(const struct termios *mode) {
	sigset_t block, mask;

	sigemptyset(&block);
	sigaddset(&block, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &block, &mask);
	tcsetattr(TERMINAL, TCSANOW, mode);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

void keys_restore(void) {
	if (atomic_exchange(&opened, false) && in_foreground())
		set_mode(&before);
}

static void take_mode(void) {
	struct termios mode;

	if (tcgetattr(TERMINAL, &mode) < 0)
		return;
	if (!(mode.c_lflag & (ICANON | ECHO)) && atomic_load(&opened))
		return;
	if (!atomic_load(&opened) || mode.c_lflag & ICANON)
		before = mode;
	mode.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	mode.c_cc[VMIN] = 1;
	mode.c_cc[VTIME] = 0;
	atomic_store(&opened, true);
	set_mode(&mode);
}

static void die(int signal) {
	keys_restore();
	/* SA_RESETHAND has put the default back. */
	raise(signal);
}

static void catch_stop(void);

/* As if it were not caught, with the terminal as it was: an orphan does not stop, for one. */
static void stop(int signal) {
	sigset_t unblock, mask;

	keys_restore();
	(void)sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
	sigemptyset(&unblock);
	sigaddset(&unblock, signal);
	pthread_sigmask(SIG_UNBLOCK, &unblock, &mask);
	raise(signal);
	/* Continued. */
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	catch_stop();
}

static void catch_stop(void) {
	const struct sigaction action = {.sa_handler = stop, .sa_flags = SA_RESTART};

	sigaction(SIGTSTP, &action, NULL);
}

/* Only what nobody else has a handler for: sanitizers do. */
static void catch_deadly(void) {
	const struct sigaction action
		= {.sa_handler = die, .sa_flags = (int)(SA_RESETHAND | SA_NODEFER)};
	struct sigaction now;

	for (unsigned i = 0; i < NB_DEADLY; i++)
		if (!sigaction(deadly[i], NULL, &now) && !(now.sa_flags & SA_SIGINFO)
			&& now.sa_handler == SIG_DFL)
			sigaction(deadly[i], &action, NULL);
}

bool keys_possible(void) {
	return isatty(TERMINAL);
}

void keys_open(void) {
	struct sigaction now;
	static bool registered;

	active = true;
	if (!registered)
		atexit(keys_restore);
	registered = true;
	catch_deadly();
	if (!sigaction(SIGTSTP, NULL, &now) && now.sa_handler == SIG_DFL)
		catch_stop();
}

/* What a terminal sends for arrows and the like: Escape, [ or O, and on to a letter or ~. */
static unsigned skip_sequence(const char *keys, unsigned at, unsigned n) {
	if (++at < n && (keys[at] == '[' || keys[at] == 'O'))
		do
			at++;
		while (at < n && (keys[at] < '@' || keys[at] > '~'));
	return at + 1;
}

static unsigned leave_sequences_out(char *keys, unsigned n) {
	unsigned kept = 0;

	for (unsigned i = 0; i < n;) {
		if (keys[i] == ESCAPE)
			i = skip_sequence(keys, i, n);
		else
			keys[kept++] = keys[i++];
	}
	return kept;
}

unsigned keys_read(char *keys, unsigned room) {
	struct pollfd ready = {.fd = TERMINAL, .events = POLLIN};
	ssize_t n;

	if (!active || !in_foreground())
		return 0;
	take_mode();
	if (poll(&ready, 1, 0) != 1 || !(ready.revents & POLLIN))
		return 0;
	n = read(TERMINAL, keys, room);
	return n > 0 ? leave_sequences_out(keys, (unsigned)n) : 0;
}

void keys_close(void) {
	active = false;
	keys_restore();
}
