/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Single keys from the terminal that standard input is, while a scan runs in its foreground.
 *
 * The terminal then gives keys at once and does not show them; Ctrl-C and the like go on to make
 * signals. Whatever ends or stops the process gives it back as it was: keys_close(), exit(), a signal that
 * kills or crashes, Ctrl-Z. What cannot be caught (SIGKILL) leaves it so, as `stty sane` undoes. There is one
 * terminal, so there is one of these in a process.
 */
#ifndef CTL_KEYS_H
#define CTL_KEYS_H

#include <stdbool.h>

/* Whether there are keys to be had: standard input is a terminal. */
bool keys_possible(void);

/* Begin; main thread. */
void keys_open(void);

/*
 * Keys that were pressed since, at most @room; 0 where there are none, or we are not in the foreground now.
 * Never blocks, and never stops a background job. A sequence that begins with Escape, such as an arrow
 * key, is left out.
 */
unsigned keys_read(char *keys, unsigned room);

/* Give the terminal back. Also where nothing was opened, and again. */
void keys_close(void);

/* The same from a signal's handler. Async-signal-safe. */
void keys_restore(void);

#endif
