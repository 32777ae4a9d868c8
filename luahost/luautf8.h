/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The utf8 library of Lua 5.3 for LuaJIT. Runs in a lane; owns nothing.
 */
#ifndef LH_LUAUTF8_H
#define LH_LUAUTF8_H

#include <lua.h>

#include <stddef.h>
#include <stdint.h>

/* A Lua C function: pushes the library's table. */
int luautf8_open(lua_State *L);

/* Write the UTF-8 of @code (up to 10FFFF); returns its length, 1 to 4. */
size_t utf8_encode(uint32_t code, char out[4]);

#endif
