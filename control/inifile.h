/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Strict reading of INI files through inih.
 *
 * On top of inih: lines of any length, the physical line number of every entry, CRLF and a UTF-8
 * byte order mark; control characters, text behind `[section]`, a line without `=` and an unclosed
 * section are errors. The file is named so that inih's own <ini.h> stays reachable.
 */
#ifndef CTL_INIFILE_H
#define CTL_INIFILE_H

#include <dp/error.h>

enum {
	INIFILE_LONGEST_KEY = 48, /* inih keeps 50 bytes with the end */
};

/* One key with its whole value, or (@key NULL) the start of a section. */
struct ini_entry {
	const char *section; /* "" before the first one */
	const char *key;
	const char *value; /* lines of a multi-line value joined by ',' */
	unsigned line; /* where the key stands */
	bool multi_line;
};

/* Returns 0, or a negative errno with @err filled, which ends the reading. */
typedef int (*ini_entry_fn)(void *user, const struct ini_entry *entry, struct dp_error *err);

/*
 * Read @path, a file or a pipe, and call @entry_cb for everything in it in order. 0, or a negative
 * errno with @err filled.
 */
int inifile_read(const char *path, ini_entry_fn entry_cb, void *user, struct dp_error *err);

/* True where @value comes back unchanged after it was written as `key = VALUE` on one line. */
bool inifile_can_hold(const char *value);

#endif
