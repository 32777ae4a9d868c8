/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Results as bytes and back, for the files that they wait in. Functions of their arguments, for any
 * thread; what they allocate is the caller's.
 *
 * The bytes never leave the process, so numbers stand as in memory. A result is its answer (struct
 * packed_answer), a byte
 * of flags and, where it has more, in this order: banner, service, plugins, texts. Text and bytes are
 * led by their length (u32), which is ABSENT where the pointer was NULL; names are their place in the
 * table of names. Reading believes nothing: a file may come back other than it was written.
 */
#include "archive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	HAS_EXTRA = 1,
	HAS_SERVICE = 2,
	FLAGS = HAS_EXTRA | HAS_SERVICE,
	LEAST_PLUGIN = 13, /* bytes of the shortest one */
	LEAST_TEXT = 8,
	FIRST_ROOM = 256,
};

#define ABSENT UINT32_MAX

struct packer {
	uint8_t *bytes;
	size_t used, room;
	int error; /* the first; what comes after it is swallowed */
};

static bool make_room(struct packer *p, size_t n) {
	size_t room = p->room ? p->room : FIRST_ROOM;

	if (p->error)
		return false;
	if (p->room - p->used >= n)
		return true;
	while (room - p->used < n)
		room *= 2;
	uint8_t *bytes = realloc(p->bytes, room);
	if (!bytes) {
		p->error = -ENOMEM;
		return false;
	}
	p->bytes = bytes;
	p->room = room;
	return true;
}

static void put(struct packer *p, const void *bytes, size_t n) {
	if (!n || !make_room(p, n))
		return;
	memcpy(p->bytes + p->used, bytes, n);
	p->used += n;
}

static void put_u8(struct packer *p, uint8_t value) {
	put(p, &value, sizeof value);
}

static void put_u32(struct packer *p, uint32_t value) {
	put(p, &value, sizeof value);
}

static void put_blob(struct packer *p, const void *bytes, size_t n) {
	if (bytes && n >= ABSENT)
		p->error = p->error ? p->error : -EMSGSIZE;
	put_u32(p, bytes ? (uint32_t)n : ABSENT);
	put(p, bytes, bytes ? n : 0);
}

static void put_string(struct packer *p, const char *string) {
	put_blob(p, string, string ? strlen(string) : 0);
}

/* Most names are the very pointers of the table. */
static void put_name(struct packer *p, const struct result_names *names, const char *name) {
	for (uint32_t i = 0; name && i < names->nb; i++) {
		if (names->names[i] == name || !strcmp(names->names[i], name)) {
			put_u32(p, i);
			return;
		}
	}
	if (name)
		p->error = p->error ? p->error : -EINVAL;
	put_u32(p, ABSENT);
}

/* The strings of a service, in the order in which they are written. */
static const struct {
	size_t offset, bytes;
} service_fields[] = {
	{offsetof(struct lh_service, name), sizeof(((struct lh_service *)0)->name)},
	{offsetof(struct lh_service, product), sizeof(((struct lh_service *)0)->product)},
	{offsetof(struct lh_service, version), sizeof(((struct lh_service *)0)->version)},
	{offsetof(struct lh_service, info), sizeof(((struct lh_service *)0)->info)},
	{offsetof(struct lh_service, os), sizeof(((struct lh_service *)0)->os)},
	{offsetof(struct lh_service, cpe), sizeof(((struct lh_service *)0)->cpe)},
};

enum {
	SERVICE_FIELDS = sizeof service_fields / sizeof *service_fields,
};

static void put_service(struct packer *p, const struct lh_service *service) {
	for (unsigned i = 0; i < SERVICE_FIELDS; i++) {
		const char *text = (const char *)service + service_fields[i].offset;
		put_blob(p, text, strnlen(text, service_fields[i].bytes - 1));
	}
	put(p, &service->confidence, sizeof service->confidence);
}

static void put_extra(
	struct packer *p, const struct result_extra *extra, const struct result_names *names) {
	put_blob(p, extra->banner, extra->banner_bytes);
	if (extra->has_service)
		put_service(p, &extra->service);
	put_name(p, names, extra->service_source);
	put_u32(p, extra->nb_plugins);
	for (unsigned i = 0; i < extra->nb_plugins; i++) {
		const struct result_plugin *plugin = &extra->plugins[i];
		put_name(p, names, plugin->name);
		put_u8(p, (uint8_t)plugin->status);
		put_string(p, plugin->error);
		put_string(p, plugin->results);
	}
	put_u32(p, extra->nb_texts);
	for (unsigned i = 0; i < extra->nb_texts; i++) {
		put_u32(p, extra->texts[i].output);
		put_blob(p, extra->texts[i].bytes, extra->texts[i].length);
	}
}

struct packed_answer answer_pack(const struct dp_answer *answer) {
	return (struct packed_answer){.ip_high = (uint64_t)(answer->ip >> 64),
		.ip_low = (uint64_t)answer->ip,
		.ts_ns = answer->ts_ns,
		.rtt_us = answer->rtt_us,
		.port = answer->port,
		.proto = answer->proto,
		.state = answer->state,
		.reason = answer->reason,
		.ttl = answer->ttl,
		.pass = answer->pass,
		.zero_window = answer->zero_window};
}

int answer_unpack(const struct packed_answer *packed, struct dp_answer *answer) {
	if (packed->proto >= DP_PROTO_COUNT || packed->state >= DP_STATE_COUNT
		|| packed->reason >= DP_REASON_COUNT || packed->zero_window > 1)
		return -EBADMSG;
	*answer = (struct dp_answer){.ip = dp_ip_v6(packed->ip_high, packed->ip_low),
		.ts_ns = packed->ts_ns,
		.rtt_us = packed->rtt_us,
		.port = packed->port,
		.proto = packed->proto,
		.state = packed->state,
		.reason = packed->reason,
		.ttl = packed->ttl,
		.pass = packed->pass,
		.zero_window = packed->zero_window};
	return 0;
}

int result_pack(const struct result *result, const struct result_names *names, uint8_t **bytes,
	size_t *used, size_t *room) {
	struct packer p = {.bytes = *bytes, .used = *used, .room = *room};
	const struct packed_answer answer = answer_pack(&result->answer);
	const struct result_extra *extra = result->extra;

	put(&p, &answer, sizeof answer);
	put_u8(&p, (extra ? HAS_EXTRA : 0) | (extra && extra->has_service ? HAS_SERVICE : 0));
	if (extra)
		put_extra(&p, extra, names);
	*bytes = p.bytes;
	*room = p.room;
	if (!p.error)
		*used = p.used;
	return p.error;
}

struct unpacker {
	const uint8_t *at;
	size_t left;
	const struct result_names *names;
	int error;
};

static void give_up(struct unpacker *u, int error) {
	u->error = u->error ? u->error : error;
	u->left = 0;
}

/* The next @n bytes, or NULL. */
static const uint8_t *take(struct unpacker *u, size_t n) {
	const uint8_t *at = u->at;

	if (u->error || u->left < n) {
		give_up(u, -EBADMSG);
		return NULL;
	}
	u->at += n;
	u->left -= n;
	return at;
}

static void get(struct unpacker *u, void *value, size_t n) {
	const uint8_t *bytes = take(u, n);

	if (bytes)
		memcpy(value, bytes, n);
	else
		memset(value, 0, n);
}

static uint32_t get_u32(struct unpacker *u) {
	uint32_t value;

	get(u, &value, sizeof value);
	return value;
}

static uint8_t get_u8(struct unpacker *u) {
	uint8_t value;

	get(u, &value, sizeof value);
	return value;
}

/* As put_blob() had it, in memory of its own and with a NUL behind it; NULL: absent, or an error. */
static void *get_blob(struct unpacker *u, size_t *length) {
	uint32_t n = get_u32(u);
	char *copy;

	*length = 0;
	if (u->error || n == ABSENT)
		return NULL;
	const uint8_t *bytes = take(u, n);
	if (!bytes)
		return NULL;
	copy = malloc((size_t)n + 1);
	if (!copy) {
		give_up(u, -ENOMEM);
		return NULL;
	}
	memcpy(copy, bytes, n);
	copy[n] = '\0';
	*length = n;
	return copy;
}

/* A string is one only where no NUL is in it. */
static char *get_string(struct unpacker *u) {
	size_t length;
	char *string = get_blob(u, &length);

	if (string && strlen(string) != length)
		give_up(u, -EBADMSG);
	return string;
}

static const char *get_name(struct unpacker *u) {
	uint32_t i = get_u32(u);

	if (u->error || i == ABSENT)
		return NULL;
	if (i >= u->names->nb) {
		give_up(u, -EBADMSG);
		return NULL;
	}
	return u->names->names[i];
}

/* How many follow, each of @least bytes at the least. */
static uint32_t get_count(struct unpacker *u, size_t least) {
	uint32_t n = get_u32(u);

	if (n > u->left / least) {
		give_up(u, -EBADMSG);
		return 0;
	}
	return n;
}

static void *get_array(struct unpacker *u, uint32_t n, size_t item_bytes) {
	void *array = n ? calloc(n, item_bytes) : NULL;

	if (n && !array)
		give_up(u, -ENOMEM);
	return array;
}

static void get_service(struct unpacker *u, struct lh_service *service) {
	for (unsigned i = 0; i < SERVICE_FIELDS; i++) {
		uint32_t n = get_u32(u);
		if (n >= service_fields[i].bytes)
			give_up(u, -EBADMSG);
		get(u, (char *)service + service_fields[i].offset, u->error ? 0 : n);
	}
	get(u, &service->confidence, sizeof service->confidence);
}

static void get_plugins(struct unpacker *u, struct result_extra *extra) {
	uint32_t n = get_count(u, LEAST_PLUGIN);

	extra->plugins = get_array(u, n, sizeof *extra->plugins);
	for (uint32_t i = 0; i < n && !u->error; i++) {
		struct result_plugin *plugin = &extra->plugins[i];
		extra->nb_plugins++;
		plugin->name = get_name(u);
		plugin->status = (enum lh_status)get_u8(u);
		if (!plugin->name || plugin->status >= LH_STATUS_COUNT)
			give_up(u, -EBADMSG);
		plugin->error = get_string(u);
		plugin->results = get_string(u);
	}
}

static void get_texts(struct unpacker *u, struct result_extra *extra) {
	uint32_t n = get_count(u, LEAST_TEXT);

	extra->texts = get_array(u, n, sizeof *extra->texts);
	for (uint32_t i = 0; i < n && !u->error; i++) {
		struct result_text *text = &extra->texts[i];
		extra->nb_texts++;
		text->output = get_u32(u);
		text->bytes = get_blob(u, &text->length);
	}
}

static struct result_extra *get_extra(struct unpacker *u, bool has_service) {
	struct result_extra *extra = calloc(1, sizeof *extra);
	size_t length;

	if (!extra) {
		give_up(u, -ENOMEM);
		return NULL;
	}
	extra->banner = get_blob(u, &length);
	extra->banner_bytes = (uint32_t)length;
	extra->has_service = has_service;
	if (has_service)
		get_service(u, &extra->service);
	extra->service_source = get_name(u);
	get_plugins(u, extra);
	get_texts(u, extra);
	return extra;
}

int result_unpack(const uint8_t *bytes, size_t n, const struct result_names *names, size_t *taken,
	struct result *result) {
	struct unpacker u = {.at = bytes, .left = n, .names = names};
	struct packed_answer answer;

	*result = (struct result){0};
	get(&u, &answer, sizeof answer);
	uint8_t flags = get_u8(&u);
	if (flags & ~FLAGS || flags == HAS_SERVICE || answer_unpack(&answer, &result->answer))
		give_up(&u, -EBADMSG);
	if (!u.error && flags & HAS_EXTRA)
		result->extra = get_extra(&u, flags & HAS_SERVICE);
	*taken = (size_t)(u.at - bytes);
	if (u.error) {
		result_extra_free(result->extra);
		result->extra = NULL;
	}
	return u.error;
}
