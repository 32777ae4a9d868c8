/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading payload files. Main thread, before the scan starts; what was read lives in one owner until
 * the engine is gone.
 */
#include "payload_file.h"
#include "targets.h"
#include "text_line.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	NAME_BYTES = 32, /* with the end */
	MAX_FILE_BYTES = 16 << 20,
	CHUNK_BYTES = 64 * 1024,
};

/* What an entry owns; its payload or hello points into it. */
struct entry {
	char name[NAME_BYTES];
	uint16_t *ports;
	uint8_t *bytes;
};

struct payload_file {
	enum payload_file_kind kind;
	unsigned nb, room;
	struct entry *entries;
	struct dp_payload *payloads; /* of all entries, whichever kind they are */
	struct dp_hello *hellos;
	uint8_t a_port[PORTS_MAX]; /* entries that a port has */
};

struct reader {
	struct payload_file *file;
	struct text_line line;

	/* The entry so far. */
	struct entry entry;
	struct dp_payload payload;
	bool has_token, has_reply, has_keep;
};

/* ---- Words ---- */

static bool at_end(const struct reader *r) {
	return r->line.at == r->line.end || *r->line.at == '#';
}

static int take_ports(struct reader *r) {
	const char *word;
	const size_t length = text_word(&r->line, &word);
	struct value_error why;
	uint16_t *ports;
	unsigned nb;
	char *list;
	int ret;

	/* What is read as a string must not end before the word does. */
	if (memchr(word, '\0', length))
		return text_fail(
			&r->line, word, length, "not ports; write them as in 80,443,8000-8010");
	list = strndup(word, length);
	ports = calloc(PORTS_MAX, sizeof(*ports));
	if (!list || !ports) {
		free(list);
		free(ports);
		return text_no_memory(&r->line);
	}
	ret = targets_read_ports(list, NULL, ports, &nb, &why);
	free(list);
	if (ret < 0) {
		free(ports);
		return dp_fail(r->line.err, true, ret, "%s:%u: %s: %s", r->line.name,
			r->line.number, why.part, why.why);
	}
	r->entry.ports = reallocarray(ports, nb, sizeof(*ports));
	if (!r->entry.ports)
		r->entry.ports = ports;
	r->payload.nb_ports = nb;
	return 0;
}

static int take_name(struct reader *r) {
	const char *word;
	size_t length;

	text_skip_blanks(&r->line);
	length = text_word(&r->line, &word);
	if (!length || *word == '"')
		return text_fail(&r->line, word, length,
			"a name is missing; write PORTS NAME \"BYTES\", such as 7 echo \"hello\"");
	if (length >= NAME_BYTES)
		return text_fail(&r->line, word, length,
			"too long; give a name of at most %d characters", NAME_BYTES - 1);
	for (size_t i = 0; i < length; i++)
		if (!isalnum((unsigned char)word[i]) && !strchr("-_.", word[i]))
			return text_fail(&r->line, word, length,
				"not a name; it has letters, digits, '-', '_' and '.'");
	memcpy(r->entry.name, word, length);
	return 0;
}

/* ---- Bytes ---- */

/* One quoted string, appended to the entry's bytes. */
static int take_string(struct reader *r, unsigned max) {
	size_t used = r->payload.length;
	int ret = text_quoted(&r->line, r->entry.bytes, max, &used);

	r->payload.length = (uint16_t)used;
	if (ret == -ENOBUFS)
		return text_fail(&r->line, r->entry.name, strlen(r->entry.name),
			"too long; give at most %u bytes, which fit any host", max);
	return ret;
}

static int take_strings(struct reader *r) {
	const unsigned max
		= r->file->kind == PAYLOAD_FILE_UDP ? DP_PAYLOAD_MAX_BYTES : DP_HELLO_MAX_BYTES;
	bool any = false;

	r->entry.bytes = calloc(1, max);
	if (!r->entry.bytes)
		return text_no_memory(&r->line);
	for (;; any = true) {
		int ret;

		text_skip_blanks(&r->line);
		if (r->line.at == r->line.end || *r->line.at != '"')
			break;
		ret = take_string(r, max);
		if (ret < 0)
			return ret;
	}
	if (!any)
		return text_fail(&r->line, r->entry.name, strlen(r->entry.name),
			"its bytes are missing; write them in quotes, \"\" for none");
	return 0;
}

/* ---- Tokens ---- */

/* A number up to @max in decimal, or in hexadecimal behind 0x; moves *@at behind it. */
static bool read_number(const char **at, const char *end, unsigned max, unsigned *out) {
	const bool hex = end - *at > 2 && (*at)[0] == '0' && (*at)[1] == 'x';
	const unsigned base = hex ? 16 : 10;
	const char *p = *at + (hex ? 2 : 0), *first = p;

	for (*out = 0; p < end && p - first < 8; p++) {
		const int digit = text_hex_digit(*p);

		if (digit < 0 || (unsigned)digit >= base)
			break;
		*out = *out * base + (unsigned)digit;
	}
	*at = p;
	return p > first && *out <= max;
}

/* token=OFFSET+BYTES[h] */
static int read_token(struct reader *r, const char *at, const char *end) {
	const char *start = at;
	unsigned offset, bytes = 0, length;

	if (!read_number(&at, end, UINT16_MAX, &offset) || at == end || *at++ != '+'
		|| !read_number(&at, end, DP_TOKEN_MAX_BYTES, &bytes) || !bytes)
		return text_fail(&r->line, start, (size_t)(end - start),
			"not a token; write token=OFFSET+BYTES with 1 to %d bytes, or "
			"token=OFFSET+BYTESh for twice as many hexadecimal digits",
			DP_TOKEN_MAX_BYTES);
	r->payload.token = DP_TOKEN_BINARY;
	length = bytes;
	if (at < end && *at == 'h') {
		r->payload.token = DP_TOKEN_HEX;
		length = 2 * bytes;
		at++;
	}
	if (at != end)
		return text_fail(&r->line, start, (size_t)(end - start),
			"something follows the token; write token=OFFSET+BYTES or "
			"token=OFFSET+BYTESh");
	if (offset + length > r->payload.length)
		return text_fail(&r->line, start, (size_t)(end - start),
			"the token ends at byte %u, and the payload has %u; leave room for it",
			offset + length, r->payload.length);
	r->payload.token_at = (uint16_t)offset;
	r->payload.token_bytes = (uint8_t)bytes;
	return 0;
}

static int read_reply(struct reader *r, const char *at, const char *end) {
	const char *start = at;
	unsigned offset;

	if (end - at == 3 && !memcmp(at, "any", 3)) {
		r->payload.reply_at = DP_TOKEN_ANYWHERE;
		return 0;
	}
	if (!read_number(&at, end, INT16_MAX, &offset) || at != end)
		return text_fail(&r->line, start, (size_t)(end - start),
			"not a place; write reply=OFFSET, where replies have the token, or "
			"reply=any");
	r->payload.reply_at = (int16_t)offset;
	return 0;
}

static int read_keep(struct reader *r, const char *at, const char *end) {
	const char *start = at;
	unsigned mask;

	if (!read_number(&at, end, UINT8_MAX, &mask) || at != end)
		return text_fail(&r->line, start, (size_t)(end - start),
			"not a mask; write keep=0xc0 for the bits of the token's first byte that "
			"stay as they are");
	r->payload.token_keep = (uint8_t)mask;
	return 0;
}

static int take_setting(struct reader *r) {
	const struct {
		const char *key;
		int (*read)(struct reader *r, const char *at, const char *end);
		bool *has;
	} settings[] = {
		{"token=", read_token, &r->has_token},
		{"reply=", read_reply, &r->has_reply},
		{"keep=", read_keep, &r->has_keep},
	};
	const char *word;
	const size_t length = text_word(&r->line, &word);

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		const size_t key = strlen(settings[i].key);

		if (length < key || memcmp(word, settings[i].key, key))
			continue;
		if (r->file->kind == PAYLOAD_FILE_HELLO)
			return text_fail(&r->line, word, length,
				"hellos have no token, as TCP itself says whose answer it is; "
				"leave it out");
		if (*settings[i].has)
			return text_fail(&r->line, word, length, "given twice; keep one of them");
		*settings[i].has = true;
		return settings[i].read(r, word + key, r->line.at);
	}
	return text_fail(&r->line, word, length, "%s",
		r->file->kind == PAYLOAD_FILE_UDP
			? "unknown; behind the bytes come token=, reply= and keep="
			: "unknown; nothing comes behind the bytes");
}

static int take_settings(struct reader *r) {
	r->payload.reply_at = DP_TOKEN_ANYWHERE;
	for (;;) {
		int ret;

		text_skip_blanks(&r->line);
		if (at_end(r))
			break;
		ret = take_setting(r);
		if (ret < 0)
			return ret;
	}
	if (!r->has_token && (r->has_reply || r->has_keep))
		return text_fail(&r->line, r->entry.name, strlen(r->entry.name),
			"reply= and keep= are about a token; add token=OFFSET+BYTES");
	if (r->has_keep && r->payload.token == DP_TOKEN_HEX)
		return text_fail(&r->line, r->entry.name, strlen(r->entry.name),
			"keep= is for binary tokens; leave it out");
	return 0;
}

/* ---- Entries ---- */

static void entry_free(struct entry *entry) {
	free(entry->ports);
	free(entry->bytes);
}

static int make_room(struct payload_file *file) {
	const unsigned room = file->room ? 2 * file->room : 16;
	struct entry *entries;

	if (file->nb < file->room)
		return 0;
	entries = reallocarray(file->entries, room, sizeof(*entries));
	if (entries)
		file->entries = entries;
	void *payloads = reallocarray(file->payloads, room, sizeof(*file->payloads));
	if (payloads)
		file->payloads = payloads;
	if (!entries || !payloads)
		return -ENOMEM;
	file->room = room;
	return 0;
}

static int add_entry(struct reader *r) {
	struct payload_file *file = r->file;

	for (unsigned i = 0; i < r->payload.nb_ports; i++) {
		uint8_t *nb = &file->a_port[r->entry.ports[i]];

		if (*nb == DP_PAYLOADS_A_PORT)
			return text_fail(&r->line, r->entry.name, strlen(r->entry.name),
				"port %u has more than %d entries; give fewer", r->entry.ports[i],
				DP_PAYLOADS_A_PORT);
		++*nb;
	}
	if (make_room(file) < 0)
		return text_no_memory(&r->line);
	file->entries[file->nb] = r->entry;
	file->payloads[file->nb++] = r->payload;
	return 0;
}

static int take_entry(struct reader *r) {
	int (*const steps[])(struct reader *)
		= {take_ports, take_name, take_strings, take_settings, add_entry};

	r->entry = (struct entry){0};
	r->payload = (struct dp_payload){0};
	r->has_token = r->has_reply = r->has_keep = false;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int ret = steps[i](r);

		if (ret < 0) {
			entry_free(&r->entry);
			return ret;
		}
	}
	return 0;
}

/* Entries have stopped moving: point at what they own. */
static int point(struct payload_file *file) {
	file->hellos = calloc(file->nb + 1, sizeof(*file->hellos));
	if (!file->hellos)
		return -ENOMEM;
	for (unsigned i = 0; i < file->nb; i++) {
		const struct entry *entry = &file->entries[i];
		struct dp_payload *payload = &file->payloads[i];

		payload->name = entry->name;
		payload->ports = entry->ports;
		payload->bytes = entry->bytes;
		file->hellos[i] = (struct dp_hello){
			.name = entry->name,
			.ports = entry->ports,
			.nb_ports = payload->nb_ports,
			.bytes = entry->bytes,
			.length = payload->length,
		};
	}
	return 0;
}

static int take_lines(struct reader *r, const char *text, size_t length) {
	const char *const end = text + length;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));

		r->line.number++;
		r->line.at = text;
		r->line.end = newline ? newline : end;
		text = newline ? newline + 1 : end;
		text_skip_blanks(&r->line);
		if (!at_end(r)) {
			int ret = take_entry(r);

			if (ret < 0)
				return ret;
		}
	}
	return 0;
}

int payload_file_parse(const char *name, const char *text, size_t length,
	enum payload_file_kind kind, struct payload_file **file, struct dp_error *err) {
	struct reader reader = {.line = {.name = name, .err = err}};
	int ret;

	*file = calloc(1, sizeof(**file));
	if (!*file)
		return dp_fail(err, false, -ENOMEM, "%s: out of memory", name);
	(*file)->kind = kind;
	reader.file = *file;
	ret = take_lines(&reader, text, length);
	if (ret == 0 && point(*file) < 0)
		ret = text_no_memory(&reader.line);
	if (ret < 0) {
		payload_file_destroy(*file);
		*file = NULL;
	}
	return ret;
}

/* ---- Files ---- */

/* All of it, in *@text; its length or a negative errno. */
static ssize_t read_all(int fd, char **text) {
	size_t length = 0, room = 0;

	for (*text = NULL;;) {
		ssize_t got;

		if (length == room) {
			char *more = room > MAX_FILE_BYTES ? NULL
							   : realloc(*text, room += CHUNK_BYTES);

			if (!more)
				return room > MAX_FILE_BYTES ? -EFBIG : -ENOMEM;
			*text = more;
		}
		got = read(fd, *text + length, room - length);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : (ssize_t)length;
		length += (size_t)got;
	}
}

int payload_file_read(const char *path, enum payload_file_kind kind, struct payload_file **file,
	struct dp_error *err) {
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	ssize_t length;
	int ret;

	*file = NULL;
	if (fd < 0)
		return dp_fail(err, true, -errno, "%s: %s; give a file of payloads", path,
			strerror(errno));
	length = read_all(fd, &text);
	close(fd);
	if (length < 0)
		ret = dp_fail(err, true, (int)length, "%s: %s", path, strerror((int)-length));
	else
		ret = payload_file_parse(path, text, (size_t)length, kind, file, err);
	free(text);
	return ret;
}

const struct dp_payload *payload_file_payloads(const struct payload_file *file, unsigned *nb) {
	*nb = file->kind == PAYLOAD_FILE_UDP ? file->nb : 0;
	return file->payloads;
}

const struct dp_hello *payload_file_hellos(const struct payload_file *file, unsigned *nb) {
	*nb = file->kind == PAYLOAD_FILE_HELLO ? file->nb : 0;
	return file->hellos;
}

void payload_file_destroy(struct payload_file *file) {
	if (!file)
		return;
	for (unsigned i = 0; i < file->nb; i++)
		entry_free(&file->entries[i]);
	free(file->entries);
	free(file->payloads);
	free(file->hellos);
	free(file);
}
