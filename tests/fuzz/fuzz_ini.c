/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * INI files. What was read, written down again as `[section]` and `key = value`, reads back the same,
 * wherever inifile_can_hold() says that a value can be written so.
 */
#include "fuzz.h"
#include "inifile.h"

enum {
	TEXT_BYTES = 1 << 20,
};

struct written {
	char *text;
	size_t length;
	bool can_hold;
};

static void put(struct written *out, const char *before, const char *text, const char *after) {
	const int n = snprintf(
		out->text + out->length, TEXT_BYTES - out->length, "%s%s%s", before, text, after);

	FUZZ_ASSERT(n >= 0 && (size_t)n < TEXT_BYTES - out->length);
	out->length += (size_t)n;
}

static int write_entry(void *user, const struct ini_entry *entry, struct dp_error *err) {
	struct written *out = user;

	FUZZ_ASSERT(entry->section && entry->line > 0);
	if (!entry->key) {
		put(out, "[", entry->section, "]\n");
		return 0;
	}
	FUZZ_ASSERT(*entry->key && strlen(entry->key) <= INIFILE_LONGEST_KEY);
	FUZZ_ASSERT(!strpbrk(entry->value, "\n\r\x01"));
	out->can_hold &= inifile_can_hold(entry->value);
	put(out, "", entry->key, " = ");
	put(out, "", entry->value, "\n");
	return 0;
}

static int read_back(const void *text, size_t n, struct written *out, struct dp_error *err) {
	static struct fuzz_file file;

	out->length = 0;
	out->can_hold = true;
	out->text[0] = '\0';
	*err = (struct dp_error){0};
	fuzz_file_put(&file, text, n);
	return inifile_read(file.path, write_entry, out, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static struct written first, second;
	struct dp_error err;

	if (size > TEXT_BYTES / 4)
		return 0;
	if (!first.text) {
		first.text = malloc(TEXT_BYTES);
		second.text = malloc(TEXT_BYTES);
		FUZZ_ASSERT(first.text && second.text);
	}
	if (read_back(data, size, &first, &err)) {
		FUZZ_ASSERT(err.text[0] && err.usage);
		return 0;
	}
	if (!first.can_hold)
		return 0;
	FUZZ_ASSERT(read_back(first.text, first.length, &second, &err) == 0);
	FUZZ_ASSERT(!strcmp(first.text, second.text));
	return 0;
}
