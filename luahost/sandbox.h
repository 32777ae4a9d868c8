/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One VM for one plugin: an allocator with a cap, an environment that holds only what is on the
 * list, and the plugin's sources, loaded as text.
 *
 * Runs in a lane. The VM and all that is in it belong to the struct sandbox.
 */
#ifndef LH_SANDBOX_H
#define LH_SANDBOX_H

#include <lh/plugin.h>

#include <lua.h>

struct sandbox;

struct sandbox_params {
	uint64_t memory_bytes;
	const struct lh_source *sources; /* main.lua and lib/ are used; tests/ by name */
	unsigned nb_sources;
	/* Adds fields to the `prtip` table, which is on the top of the stack; called protected. */
	void (*open)(lua_State *L, void *ctx);
	void *ctx;
};

/*
 * Make a VM without running the plugin: JIT off, standard functions in a fresh environment, `utf8`,
 * the pure helpers of `prtip` (json_encode, json_decode, base64, hex, sha256, now), @params->open's,
 * and the plugin's own require. 0 or -ENOMEM. Free with sandbox_destroy().
 */
int sandbox_create(const struct sandbox_params *params, struct sandbox **box);
void sandbox_destroy(struct sandbox *box);

lua_State *sandbox_state(const struct sandbox *box);
uint64_t sandbox_used(const struct sandbox *box); /* bytes now allocated */

/*
 * Push the main chunk (a function whose environment is the plugin's) or, on a syntax error, the
 * message. 0 or a LUA_ERR code. @L may be any thread of the VM.
 */
int sandbox_push_main(struct sandbox *box, lua_State *L);

/*
 * The same for the plugin's file of tests @name: it sees the plugin's globals, and as `test` the value
 * at @test_ref in the registry; globals that it sets are its own.
 */
int sandbox_push_tests(struct sandbox *box, lua_State *L, const char *name, int test_ref);

/* Push the plugin's global @name raw (nil where it is none). May raise out of memory. */
void sandbox_push_global(struct sandbox *box, lua_State *L, const char *name);

/*
 * After an uncaught error: what kind, and its text as valid UTF-8 of at most @room bytes with the
 * NUL, without addresses. @L's top is the error value (left there). Never raises.
 */
void sandbox_error_text(lua_State *L, char *text, size_t room);

/*
 * The value that a coroutine of the plugin yields when the host has to wait (see prelude.lua): code
 * that waits calls `return sandbox_wait(L)` as the last thing of a C function. sandbox_is_wait()
 * tells such a yield of @L, which lua_resume() returned from, from one of the plugin's own.
 */
int sandbox_wait(lua_State *L);
/* Before anything is begun that ends in a wait: false where a wait would raise (table.sort below). */
bool sandbox_can_wait(lua_State *L);
bool sandbox_is_wait(lua_State *L);

/*
 * The JSON text of the value at @index, appended to *@text (malloc, grown). Takes string, number,
 * boolean, and tables of these; sequences 1..n are arrays, {} is an object; numbers that are whole
 * print without point or exponent up to 2^53. NULL on success, else what is wrong, for people ("a
 * function cannot be a result", "invalid UTF-8", "too deep, or a cycle", "over 65536 bytes",
 * "out of memory"). Uses raw access only; never raises but for out of memory of the VM; nesting up
 * to 32.
 */
struct luajson_buffer {
	char *text;
	size_t used, room, max; /* @max: bytes that may be used */
};
const char *luajson_encode(lua_State *L, int index, struct luajson_buffer *out);

/* Push the value of JSON @text (null: nil; objects and arrays: tables), nesting up to 64. On an error
 * pushes nothing and returns what is wrong, with its place ("byte 17: ..."), in a static buffer. */
const char *luajson_decode(lua_State *L, const char *text, size_t bytes);

/* Length of the valid UTF-8 at the start of @text: @bytes where all of it is. RFC 3629. */
size_t utf8_valid(const char *text, size_t bytes);

#endif
