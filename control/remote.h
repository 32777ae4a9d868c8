/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket: a unix socket that takes commands, a line each, and gives an answer of one line to
 * each, in order.
 *
 * Control core. Never blocks: a client whose answer does not fit into its socket, who sends a longer
 * line than any command is, or who is neither our user nor root, is cut off.
 */
#ifndef CTL_REMOTE_H
#define CTL_REMOTE_H

#include <dp/error.h>

#include <stdio.h>

struct remote;

/*
 * Listen at @path, with mode 0600. Links in it are followed as for outputs (lh/path.h), none in the last
 * place. A socket of ours on which nobody listens is replaced, anything else is not. 0, or a negative
 * errno with @err filled.
 */
int remote_create(const char *path, struct remote **remote, struct dp_error *err);

/* Removes the socket where that is still allowed, which after privilege_drop() it is not. NULL is fine. */
void remote_destroy(struct remote *remote);

/* The answer to @line, without its end, to be freed; NULL: no memory. */
typedef char *(*remote_answer_fn)(void *user, const char *line);

/* Take connections and commands that are there. */
void remote_step(struct remote *remote, remote_answer_fn answer, void *user);

/*
 * The other end: send @words, joined by blanks, to the socket at @path, and write the answer to @out. True
 * where it says `"ok":true`. Waits for at most ten seconds. *@ok is false with 0 where the
 * command was refused; a negative errno with @err filled where there was no answer.
 */
int remote_ask(const char *path, char *const *words, unsigned nb_words, FILE *out, bool *ok,
	struct dp_error *err);

#endif
