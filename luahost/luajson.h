/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * JSON for plugins: prtip.json_encode, prtip.json_decode and prtip.null, the light userdata that
 * stands for null. What the host itself calls is in sandbox.h. Runs in a lane; owns nothing.
 */
#ifndef LH_LUAJSON_H
#define LH_LUAJSON_H

#include <lua.h>

#include <stdbool.h>

/* Add json_encode, json_decode and null to the table on the top of the stack. May raise. */
void luajson_open(lua_State *L);

/* True where the value at @index is prtip.null. */
bool luajson_is_null(lua_State *L, int index);

#endif
