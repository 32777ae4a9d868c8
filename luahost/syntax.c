/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The syntax of plugins' Lua files, checked where nothing can run.
 *
 * Any thread or process. The VM of a check lives for that check. Its memory is capped, because a
 * small file can make the compiler ask for much, and its time, because it walks some lists again and
 * again: four MiB of `elseif x then` would take it a minute and a half.
 */
#include "syntax.h"

#include <lh/plugin.h>

#include <lauxlib.h>
#include <lua.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	MOST_MEMORY = 128 << 20,
	MOST_SECONDS = 2, /* of processor time; four MiB of ordinary Lua take a tenth of one */
	CHUNK_BYTES = 4 << 10, /* given to the compiler between two looks at the clock */
};

struct budget {
	size_t used;
};

struct source {
	const char *text;
	size_t bytes; /* not given yet */
	double deadline_s; /* on the thread's processor clock */
	bool late;
};

static double thread_seconds(void) {
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void *allocate(void *ctx, void *block, size_t old_bytes, size_t bytes) {
	struct budget *budget = ctx;

	if (!bytes) {
		free(block);
		budget->used -= old_bytes;
		return NULL;
	}
	if (bytes > old_bytes && bytes - old_bytes > MOST_MEMORY - budget->used)
		return NULL;
	void *grown = realloc(block, bytes);
	if (grown)
		budget->used += bytes - old_bytes;
	return grown;
}

/* For a compiler that is late the text ends here. */
static const char *give_chunk(lua_State *L, void *ctx, size_t *bytes) {
	struct source *source = ctx;
	const char *text = source->text;

	source->late = source->late || thread_seconds() > source->deadline_s;
	*bytes = source->bytes < CHUNK_BYTES ? source->bytes : CHUNK_BYTES;
	if (!*bytes || source->late)
		return NULL;
	source->text += *bytes;
	source->bytes -= *bytes;
	return text;
}

/* "lua:7: what" becomes line 7 and "what". */
static void split_message(const char *message, struct syntax_fault *fault) {
	static const char prefix[] = "lua:";
	char *end = NULL;

	if (!strncmp(message, prefix, sizeof prefix - 1))
		fault->line = (unsigned)strtoul(message + sizeof prefix - 1, &end, 10);
	if (end && !strncmp(end, ": ", 2))
		message = end + 2;
	int n = snprintf(fault->why, sizeof fault->why, "%s", message);
	if (n >= (int)sizeof fault->why)
		strcpy(fault->why + sizeof fault->why - sizeof "...", "...");
}

static void explain(lua_State *L, int rc, bool late, struct syntax_fault *fault) {
	const char *message = rc ? lua_tostring(L, -1) : NULL;

	fault->line = 0;
	if (late)
		message = "takes too long to compile";
	else if (rc == LUA_ERRMEM)
		message = "needs too much memory to compile";
	else if (!message || strstr(message, "wrong mode"))
		message = "is bytecode; only Lua text is run";
	split_message(message, fault);
}

int syntax_check(const char *text, size_t bytes, struct syntax_fault *fault) {
	struct budget budget = {0};
	struct source source = {text, bytes, thread_seconds() + MOST_SECONDS, false};
	lua_State *L = lua_newstate(allocate, &budget);

	if (!L)
		return -ENOMEM;
	/* Catches what it raises, so that nothing here needs a protected call. */
	int rc = lua_loadx(L, give_chunk, &source, "=lua", "t");
	if (rc || source.late)
		explain(L, rc, source.late, fault);
	lua_close(L);
	return rc || source.late ? -EINVAL : 0;
}

/* ---- Hooks ---- */

/* Kinds of tokens: characters stand for themselves. */
enum {
	TOKEN_END,
	TOKEN_NAME = 256,
	TOKEN_LITERAL,
	TOKEN_OPERATOR, /* == :: .. ... */
};

struct token {
	int kind;
	const char *start;
	size_t length;
};

struct lexer {
	const char *at, *end;
};

static bool is_name_start(char c) {
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80);
}

static bool is_digit(char c) {
	return c >= '0' && c <= '9';
}

static char peek(const struct lexer *lex, size_t ahead) {
	return (size_t)(lex->end - lex->at) > ahead ? lex->at[ahead] : '\0';
}

/* Level of the long bracket that begins here, [[ being 0; -1: none does. */
static long bracket_level(const struct lexer *lex) {
	size_t level = 0;

	if (peek(lex, 0) != '[')
		return -1;
	while (peek(lex, level + 1) == '=')
		level++;
	return peek(lex, level + 1) == '[' ? (long)level : -1;
}

static bool bracket_closes(const struct lexer *lex, size_t level) {
	if (peek(lex, 0) != ']')
		return false;
	for (size_t i = 1; i <= level; i++)
		if (peek(lex, i) != '=')
			return false;
	return peek(lex, level + 1) == ']';
}

static void skip_bracket(struct lexer *lex, size_t level) {
	lex->at += level + 2;
	while (lex->at < lex->end && !bracket_closes(lex, level))
		lex->at++;
	if (lex->at < lex->end)
		lex->at += level + 2;
}

static void skip_line(struct lexer *lex) {
	while (lex->at < lex->end && *lex->at != '\n' && *lex->at != '\r')
		lex->at++;
}

/* Behind "--". */
static void skip_comment(struct lexer *lex) {
	const long level = bracket_level(lex);

	if (level >= 0)
		skip_bracket(lex, (size_t)level);
	else
		skip_line(lex);
}

static void skip_blank(struct lexer *lex) {
	for (;;) {
		while (lex->at < lex->end && strchr(" \t\r\n\v\f", *lex->at) && *lex->at)
			lex->at++;
		if (peek(lex, 0) != '-' || peek(lex, 1) != '-')
			return;
		lex->at += 2;
		skip_comment(lex);
	}
}

static void skip_quoted(struct lexer *lex) {
	const char quote = *lex->at++;

	while (lex->at < lex->end && *lex->at != quote)
		lex->at += *lex->at == '\\' && lex->end - lex->at > 1 ? 2 : 1;
	if (lex->at < lex->end)
		lex->at++;
}

/* 0x1p-4, 1e+5, 10LL */
static void skip_number(struct lexer *lex) {
	char last = '\0';

	for (;; lex->at++) {
		const char c = peek(lex, 0);
		const bool sign = (c == '+' || c == '-') && last && strchr("eEpP", last);

		if (!is_name_start(c) && !is_digit(c) && c != '.' && !sign)
			return;
		last = c;
	}
}

static void skip_name(struct lexer *lex) {
	while (is_name_start(peek(lex, 0)) || is_digit(peek(lex, 0)))
		lex->at++;
}

static int skip_operator(struct lexer *lex) {
	const char c = *lex->at++;

	if (!c || !strchr("=:.", c) || peek(lex, 0) != c)
		return (unsigned char)c;
	while (peek(lex, 0) == c)
		lex->at++;
	return TOKEN_OPERATOR;
}

static int skip_token(struct lexer *lex) {
	const char c = *lex->at;
	const long level = bracket_level(lex);

	if (is_name_start(c)) {
		skip_name(lex);
		return TOKEN_NAME;
	}
	if (is_digit(c) || (c == '.' && is_digit(peek(lex, 1))))
		skip_number(lex);
	else if (c == '"' || c == '\'')
		skip_quoted(lex);
	else if (level >= 0)
		skip_bracket(lex, (size_t)level);
	else
		return skip_operator(lex);
	return TOKEN_LITERAL;
}

static struct token next_token(struct lexer *lex) {
	struct token token = {TOKEN_END, NULL, 0};

	skip_blank(lex);
	token.start = lex->at;
	if (lex->at < lex->end)
		token.kind = skip_token(lex);
	token.length = (size_t)(lex->at - token.start);
	return token;
}

static bool is_word(const struct token *token, const char *word) {
	return token->kind == TOKEN_NAME && token->length == strlen(word)
		&& !memcmp(token->start, word, token->length);
}

static uint32_t hook_bit(const struct token *token) {
	for (unsigned i = 0; i < LH_HOOK_COUNT; i++)
		if (is_word(token, lh_hook_names[i]))
			return UINT32_C(1) << i;
	return 0;
}

/* A window of four tokens and what is open around it. */
struct reader {
	struct token before, last, now, next;
	unsigned braces;
	bool locals; /* within the names behind `local` */
};

static void advance(struct reader *reader, struct token token) {
	reader->before = reader->last;
	reader->last = reader->now;
	reader->now = reader->next;
	reader->next = token;
	if (reader->now.kind == '{')
		reader->braces++;
	else if (reader->now.kind == '}')
		reader->braces--;
	if (is_word(&reader->last, "local"))
		reader->locals = true;
	else if (reader->now.kind != ',' && reader->last.kind != ',')
		reader->locals = false;
}

static bool is_field(const struct reader *reader) {
	const int last = reader->last.kind;

	return reader->braces && (last == '{' || last == ',' || last == ';');
}

static bool defines(const struct reader *reader) {
	const int last = reader->last.kind;

	if (is_word(&reader->last, "function"))
		return reader->next.kind == '(' && !is_word(&reader->before, "local");
	return reader->next.kind == '=' && last != '.' && last != ':' && !reader->locals
		&& !is_word(&reader->last, "for") && !is_field(reader);
}

/* At the beginning of @text, behind what is no Lua. */
static struct lexer begin_text(const char *text, size_t bytes) {
	struct lexer lex = {text, text + bytes};

	if (bytes >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
		lex.at += 3;
	if (peek(&lex, 0) == '#')
		skip_line(&lex);
	return lex;
}

uint32_t syntax_hooks(const char *text, size_t bytes) {
	struct lexer lex = begin_text(text, bytes);
	struct reader reader = {0};
	uint32_t hooks = 0;

	advance(&reader, next_token(&lex));
	while (reader.next.kind != TOKEN_END) {
		advance(&reader, next_token(&lex));
		const uint32_t bit = hook_bit(&reader.now);
		if (bit && defines(&reader))
			hooks |= bit;
	}
	return hooks;
}

/* ---- The API ---- */

/* A mention of `prtip`, in the middle of what is around it. */
enum {
	WINDOW = 6,
	BEFORE = 0, /* the token before `prtip` */
	PRTIP,
	DOT, /* or [ */
	FIELD,
	BEHIND, /* ] where there is [ */
	LAST,
};

static bool is_quoted(const struct token *token) {
	return token->kind == TOKEN_LITERAL && token->length >= 2
		&& (*token->start == '"' || *token->start == '\'');
}

/* The field, with NULL as its start where it cannot be told; false: none is used. */
static bool find_use(const struct token *window, struct token *field) {
	const struct token *behind = &window[BEHIND];

	*field = (struct token){0};
	if (window[DOT].kind == '.' && window[FIELD].kind == TOKEN_NAME) {
		*field = window[FIELD];
	} else if (window[DOT].kind == '[' && is_quoted(&window[FIELD])
		&& window[BEHIND].kind == ']') {
		*field = window[FIELD];
		field->start++;
		field->length -= 2;
		behind = &window[LAST];
	}
	return !field->start || behind->kind != '=';
}

static unsigned count_lines(const char *from, const char *to) {
	unsigned lines = 0;

	for (; from < to; from++)
		lines += *from == '\n';
	return lines;
}

void syntax_prtip(const char *text, size_t bytes,
	void (*use)(void *ctx, unsigned line, const char *name, size_t length), void *ctx) {
	struct lexer lex = begin_text(text, bytes);
	struct token window[WINDOW] = {0}, field;
	const char *counted = text;
	unsigned line = 1;

	for (unsigned i = PRTIP; i < WINDOW; i++)
		window[i] = next_token(&lex);
	for (; window[PRTIP].kind != TOKEN_END;) {
		if (is_word(&window[PRTIP], "prtip") && window[BEFORE].kind != '.'
			&& window[BEFORE].kind != ':' && find_use(window, &field)) {
			line += count_lines(counted, window[PRTIP].start);
			counted = window[PRTIP].start;
			use(ctx, line, field.start, field.length);
		}
		memmove(window, window + 1, sizeof(window) - sizeof(window[0]));
		window[LAST] = next_token(&lex);
	}
}
