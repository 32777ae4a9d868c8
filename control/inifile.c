/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Strict reading of INI files through inih.
 *
 * inih reads into a buffer of fixed size (200 bytes as Debian builds it) and cuts longer lines
 * without a word. So it is fed by a reader of our own, which hands long lines on in pieces: the
 * first as the key's line, the others as the continuation lines that inih knows. GLUE marks the
 * ends of pieces, for two reasons: the handler joins what it marks without a separator, and blanks
 * next to it survive inih's stripping. It cannot occur in a file, where control characters are
 * refused. What inih would pass over in silence is checked here before it sees the line.
 *
 * Main thread. Owns the line and value buffers while a file is read.
 */
#include "inifile.h"
#include "value.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	GLUE = '\x01',
	LONGEST_LINE = 64 << 20,
	LONGEST_SECTION = 80, /* inih's own copy, which is cut, is not used */
	PIECE_MARKS = 8, /* blank, two marks, line feed, end, and room */
};

struct text {
	char *bytes;
	size_t length, room;
};

struct reading {
	const char *path;
	FILE *file;
	ini_entry_fn entry_cb;
	void *user;
	struct dp_error *err;
	int ret; /* 0 until something fails */

	unsigned line; /* physical, of the text in @raw */
	struct text raw; /* the physical line */
	size_t fed; /* how much of it went to inih; all of it where there is no more */
	bool unheard; /* inih owes a call for what it was fed last */
	bool continued; /* what it was fed last continues the value before it */

	char section[LONGEST_SECTION + 2];
	char key[INIFILE_LONGEST_KEY + 2];
	bool has_key;
	unsigned key_line;
	bool multi_line;
	struct text value;
};

static int append(struct text *text, const char *bytes, size_t length) {
	if (text->length + length + 1 > text->room) {
		size_t room = (text->length + length + 1) * 2;
		char *grown = realloc(text->bytes, room);

		if (!grown)
			return -ENOMEM;
		text->bytes = grown;
		text->room = room;
	}
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
	text->bytes[text->length] = '\0';
	return 0;
}

static bool is_blank(char c) {
	return c == ' ' || c == '\t';
}

static const char byte_order_mark[] = "\xef\xbb\xbf"; /* in UTF-8 */

static bool has_mark(const char *text) {
	return !strncmp(text, byte_order_mark, strlen(byte_order_mark));
}

/* ---- Physical lines ---- */

static int fail_at_line(struct reading *in, const char *what) {
	in->ret = dp_fail(in->err, true, -EINVAL, "%s:%u: %s", in->path, in->line, what);
	return in->ret;
}

static int fail_control(struct reading *in, int c) {
	if (!c)
		return fail_at_line(in, "a NUL byte; give a text file (UTF-8, not UTF-16)");
	in->ret = dp_fail(in->err, true, -EINVAL,
		"%s:%u: control character 0x%02x; give a text file", in->path, in->line, c);
	return in->ret;
}

/* Read one line without its end into in->raw. 1, 0 at the end, or a negative errno. */
static int read_raw(struct reading *in) {
	bool any = false;
	int c;

	in->raw.length = in->fed = 0;
	if (append(&in->raw, "", 0) < 0)
		goto no_memory;
	in->line++;
	while ((c = getc_unlocked(in->file)) != EOF && c != '\n') {
		const char byte = (char)c;

		any = true;
		if ((c < 0x20 && c != '\t' && c != '\r') || c == 0x7f)
			return fail_control(in, c);
		if (in->raw.length >= LONGEST_LINE)
			return fail_at_line(in, "longer than 64 MiB; use a targets_file");
		if (append(&in->raw, &byte, 1) < 0)
			goto no_memory;
	}
	if (ferror(in->file)) {
		in->ret = dp_fail(in->err, true, -errno, "%s: %s", in->path, strerror(errno));
		return in->ret;
	}
	if (in->raw.length && in->raw.bytes[in->raw.length - 1] == '\r')
		in->raw.bytes[--in->raw.length] = '\0';
	if (memchr(in->raw.bytes, '\r', in->raw.length))
		return fail_control(in, '\r');
	if (in->line == 1 && has_mark(in->raw.bytes)) {
		in->raw.length -= strlen(byte_order_mark);
		memmove(in->raw.bytes, in->raw.bytes + strlen(byte_order_mark), in->raw.length + 1);
	}
	return c == EOF && !any ? 0 : 1;
no_memory:
	in->ret = dp_fail(in->err, false, -ENOMEM, "%s: out of memory", in->path);
	return in->ret;
}

/* Cut an inline comment by inih's rule: `;` behind a blank. Then cut blanks at the end. */
static void cut_comment(struct text *line) {
	for (size_t i = 1; i < line->length; i++)
		if (line->bytes[i] == ';' && is_blank(line->bytes[i - 1])) {
			line->length = i;
			break;
		}
	while (line->length && is_blank(line->bytes[line->length - 1]))
		line->length--;
	line->bytes[line->length] = '\0';
}

/* ---- Entries ---- */

/* Hand the finished key on, if there is one. */
static int flush(struct reading *in) {
	struct ini_entry entry = {.section = in->section,
		.key = in->key,
		.line = in->key_line,
		.multi_line = in->multi_line};

	if (!in->has_key || in->ret < 0)
		return in->ret;
	in->has_key = false;
	/* Blanks before a value survive where so many stand there that a piece begins with some. */
	entry.value = in->value.bytes + strspn(in->value.bytes, " \t");
	in->ret = in->entry_cb(in->user, &entry, in->err);
	return in->ret;
}

static int start_section(struct reading *in, const char *line) {
	const char *end = strchr(line, ']');
	struct ini_entry entry = {.section = in->section, .line = in->line};

	if (flush(in) < 0)
		return in->ret;
	if (!end)
		return fail_at_line(in, "section without `]`; write [section]");
	if (end == line + 1 || end - line - 1 > LONGEST_SECTION)
		return fail_at_line(in, "section name empty or too long");
	if (end[1 + strspn(end + 1, " \t")])
		return fail_at_line(in, "text behind `]`; begin keys on a line of their own");
	memcpy(in->section, line + 1, (size_t)(end - line - 1));
	in->section[end - line - 1] = '\0';
	in->ret = in->entry_cb(in->user, &entry, in->err);
	return in->ret;
}

static int start_key(struct reading *in, const char *key, const char *value, size_t length) {
	if (flush(in) < 0)
		return in->ret;
	if (!*key)
		return fail_at_line(in, "no key before `=`; write key = value");
	if (strlen(key) > INIFILE_LONGEST_KEY)
		return fail_at_line(in, "key too long; no key has more than 48 characters");
	strcpy(in->key, key);
	in->has_key = true;
	in->key_line = in->line;
	in->multi_line = false;
	in->value.length = 0;
	return append(&in->value, value, length);
}

/* inih's handler: one call a line or piece. Returns 1, or 0 to report an error. */
static int on_pair(void *user, const char *section, const char *key, const char *value) {
	struct reading *in = user;
	size_t length = strlen(value);
	int ret;

	in->unheard = false;
	if (in->ret < 0)
		return 0;
	if (length && value[length - 1] == GLUE)
		length--;
	if (!in->continued) {
		ret = start_key(in, key, value, length);
	} else if (length && *value == GLUE) {
		ret = append(&in->value, value + 1, length - 1);
	} else {
		/* A next line: a comma between, unless the writer set one. */
		const bool comma = in->value.length && in->value.bytes[in->value.length - 1] != ','
			&& *value != ',';

		in->multi_line = true;
		ret = comma ? append(&in->value, ",", 1) : 0;
		if (!ret)
			ret = append(&in->value, value, length);
	}
	if (ret < 0 && !in->ret)
		in->ret = dp_fail(in->err, false, ret, "%s: out of memory", in->path);
	return in->ret == 0;
}

/* ---- What inih is fed ---- */

/* Write the first piece of the line in in->raw to @out of @room bytes. */
static void feed_first(struct reading *in, char *out, size_t room) {
	const size_t most = room - PIECE_MARKS;
	size_t length = in->raw.length;

	if (length > most)
		length = most;
	memcpy(out, in->raw.bytes, length);
	in->fed = length;
	if (in->fed < in->raw.length)
		out[length++] = GLUE;
	out[length++] = '\n';
	out[length] = '\0';
}

/* Write a further piece: a continuation line whose text is marked at both ends. */
static void feed_more(struct reading *in, char *out, size_t room) {
	const size_t most = room - PIECE_MARKS;
	size_t length = in->raw.length - in->fed;

	if (length > most)
		length = most;
	out[0] = ' ';
	out[1] = GLUE;
	memcpy(out + 2, in->raw.bytes + in->fed, length);
	memcpy(out + 2 + length, (const char[]){GLUE, '\n', '\0'}, 3);
	in->fed += length;
	in->continued = true;
	in->unheard = true;
}

/* Look at a fresh line before inih gets it. Returns true where inih shall see it. */
static bool admit(struct reading *in) {
	const char *start = in->raw.bytes + strspn(in->raw.bytes, " \t");
	const bool indented = start > in->raw.bytes;

	/* inih would pass over one in the first line that it sees, whichever that is. */
	if (has_mark(start)) {
		fail_at_line(in, "a byte order mark, which only the first line may begin with");
		return false;
	}
	if (!*start || *start == ';' || *start == '#')
		return false;
	in->continued = indented && in->has_key;
	if (in->continued || *start != '[') {
		in->unheard = true;
		cut_comment(&in->raw);
		return true;
	}
	cut_comment(&in->raw);
	start_section(in, start);
	return in->ret == 0;
}

/* inih's reader, shaped like fgets(). @room is inih's buffer, whatever its size was built to be. */
static char *feed(char *out, int room, void *stream) {
	struct reading *in = stream;

	if (in->ret < 0)
		return NULL;
	if (in->unheard) {
		fail_at_line(in, "no `=`; write key = value, or [section]");
		return NULL;
	}
	if (in->fed < in->raw.length) {
		feed_more(in, out, (size_t)room);
		return out;
	}
	do {
		if (read_raw(in) <= 0)
			return NULL;
	} while (!admit(in) && in->ret == 0);
	if (in->ret < 0)
		return NULL;
	feed_first(in, out, (size_t)room);
	return out;
}

int inifile_read(const char *path, ini_entry_fn entry_cb, void *user, struct dp_error *err) {
	struct reading in = {.path = path, .entry_cb = entry_cb, .user = user, .err = err};
	int parsed;

	in.file = fopen(path, "re");
	if (!in.file)
		return dp_fail(err, true, -errno, "%s: %s", path, strerror(errno));
	parsed = ini_parse_stream(feed, &in, on_pair, &in);
	if (!in.ret && in.unheard)
		fail_at_line(&in, "no `=`; write key = value, or [section]");
	if (!in.ret)
		flush(&in);
	if (!in.ret && parsed)
		fail_at_line(&in, "not understood; write key = value, or [section]");
	fclose(in.file);
	free(in.raw.bytes);
	free(in.value.bytes);
	return in.ret;
}

bool inifile_can_hold(const char *value) {
	const size_t length = strlen(value);

	for (size_t i = 0; i < length; i++) {
		const unsigned char c = (unsigned char)value[i];

		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
		/* inih sees a comment in `;` behind a blank, and a blank stands before the value. */
		if (c == ';' && (!i || is_blank(value[i - 1])))
			return false;
	}
	return !length || (!is_blank(value[0]) && !is_blank(value[length - 1]));
}
