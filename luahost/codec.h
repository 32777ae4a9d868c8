/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pure helpers of `prtip` that turn bytes into text: base64, hex, sha256; and the clock. Runs in
 * a lane; owns nothing.
 */
#ifndef LH_CODEC_H
#define LH_CODEC_H

#include <lua.h>

/* Add base64, hex, sha256 and now to the table on the top of the stack. May raise out of memory. */
void codec_open(lua_State *L);

#endif
