/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What can be said about Lua text without running it.
 */
#ifndef LH_SYNTAX_H
#define LH_SYNTAX_H

#include <stddef.h>
#include <stdint.h>

enum {
	SYNTAX_WHY_BYTES = 192,
};

struct syntax_fault {
	unsigned line; /* 0: the file as a whole */
	char why[SYNTAX_WHY_BYTES];
};

/*
 * Compile @text, as text only (bytecode is refused), in a VM of its own with a memory cap. 0,
 * -EINVAL with @fault filled, or -ENOMEM where not even the VM could be made.
 */
int syntax_check(const char *text, size_t bytes, struct syntax_fault *fault);

/*
 * Hooks (1 << enum lh_hook) that the good Lua @text defines as globals by
 *
 *     function NAME(...)        at any depth, also within `if` or another function
 *     NAME = ...                the same
 *
 * Names behind `local`, `.` or `:`, loop variables and fields of a table constructor do not count,
 * nor does what only running shows (`_G.NAME = f`, `_G["NAME"] = f`), nor any but the last name of an
 * assignment to several. That a name was made a local one before is not seen.
 */
uint32_t syntax_hooks(const char *text, size_t bytes);

/*
 * Tell @use of each mention of the global `prtip` in the good Lua @text: the field's @name where it is
 * `prtip.NAME` or `prtip["NAME"]`, NULL where what becomes of it is not seen (`prtip[x]`,
 * `local p = prtip`). Fields that are assigned to are no use.
 */
void syntax_prtip(const char *text, size_t bytes,
	void (*use)(void *ctx, unsigned line, const char *name, size_t length), void *ctx);

#endif
