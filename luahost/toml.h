/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TOML as a plain C tree: the one door to toml++, through which no exception comes.
 *
 * A tree belongs to whoever called toml_read(); strings in it are UTF-8 without NUL.
 */
#ifndef LH_TOML_H
#define LH_TOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
	TOML_MOST_DOTS = 16, /* in one key: what a key nests is freed by recursion */
	TOML_MOST_NESTED = 16, /* arrays and inline tables */
	TOML_FAULT_BYTES = 256,
};

enum toml_kind {
	TOML_STRING,
	TOML_INTEGER,
	TOML_NUMBER,
	TOML_BOOLEAN,
	TOML_DATE, /* a date, a time, or both; its value is not kept */
	TOML_ARRAY,
	TOML_TABLE,
};

struct toml_node {
	char *key; /* NULL in an array and at the root */
	unsigned line; /* of the key, else of the value; from 1 */
	unsigned column;
	enum toml_kind kind;
	char *string;
	int64_t integer;
	double number;
	bool boolean;
	struct toml_node *items; /* of an array or a table, in the order of the file */
	size_t nb_items;
};

struct toml_fault {
	unsigned line; /* 0: no line */
	char text[TOML_FAULT_BYTES]; /* valid UTF-8, cut at a character where it is too long */
};

/*
 * Parse @text. 0, -EINVAL with @fault filled where it is not good TOML, or -ENOMEM. Free *@root with
 * toml_free().
 */
int toml_read(const char *text, size_t bytes, struct toml_node **root, struct toml_fault *fault);
void toml_free(struct toml_node *root); /* NULL is fine */

/* The entry of @table with @key, or NULL. */
const struct toml_node *toml_find(const struct toml_node *table, const char *key);

#ifdef __cplusplus
}
#endif

#endif
