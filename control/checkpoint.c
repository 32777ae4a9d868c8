/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The checkpoint file as bytes and back.
 *
 * Functions of their arguments, for any thread; what they allocate is the caller's. One function
 * names the fields for both directions, so that reading and writing cannot differ. Reading believes
 * no number: a count is held against the bytes that are left before anything is allocated for it.
 */
#include "checkpoint.h"
#include "targets.h"

#include <dp/secret.h>

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char magic[] = "prtip-dp checkpoint\n";
static const char segment_magic[] = "prtip-dp journal\n\n\n\n";
static const char space_magic[] = "prtip-dp addresses\n\n";

enum {
	MAGIC_BYTES = sizeof magic - 1,
	HEAD_BYTES = MAGIC_BYTES + 4 + 8,
	FIRST_ROOM = 64 << 10,
};

static_assert(sizeof space_magic == sizeof magic && sizeof segment_magic == sizeof magic);

/* Both directions: fields are written to @bytes, or read from @at. */
struct codec {
	bool reading;
	uint8_t *bytes;
	size_t used;
	const uint8_t *at;
	size_t left;
	int error; /* the first */
};

static void fail(struct codec *c, int error) {
	c->error = c->error ? c->error : error;
	c->left = 0;
}

/* How much is had for @n bytes. It is in no dump: a checkpoint has the key, and may take long to be written. */
static size_t room_for(size_t n) {
	size_t room = FIRST_ROOM;

	while (room < n)
		room *= 2;
	return room;
}

void checkpoint_free_bytes(uint8_t *bytes, size_t n) {
	dp_secret_free(bytes, room_for(n));
}

static void put(struct codec *c, const void *bytes, size_t n) {
	const size_t room = room_for(c->used + n);

	if (!c->bytes || room != room_for(c->used)) {
		uint8_t *more = c->error ? NULL : dp_secret_alloc(room);

		if (!more) {
			fail(c, -ENOMEM);
			return;
		}
		if (c->used)
			memcpy(more, c->bytes, c->used);
		checkpoint_free_bytes(c->bytes, c->used);
		c->bytes = more;
	}
	if (n)
		memcpy(c->bytes + c->used, bytes, n);
	c->used += n;
}

/* @n bytes as they are. */
static void raw(struct codec *c, void *bytes, size_t n) {
	if (!c->reading) {
		put(c, bytes, n);
		return;
	}
	if (c->left < n) {
		fail(c, -EBADMSG);
		memset(bytes, 0, n);
		return;
	}
	memcpy(bytes, c->at, n);
	c->at += n;
	c->left -= n;
}

static void u64(struct codec *c, uint64_t *value) {
	uint64_t wire = htole64(*value);

	raw(c, &wire, sizeof wire);
	*value = le64toh(wire);
}

static void u32(struct codec *c, uint32_t *value) {
	uint32_t wire = htole32(*value);

	raw(c, &wire, sizeof wire);
	*value = le32toh(wire);
}

static void u128(struct codec *c, dp_u128 *value) {
	uint64_t high = (uint64_t)(*value >> 64), low = (uint64_t)*value;

	u64(c, &high);
	u64(c, &low);
	*value = (dp_u128)high << 64 | low;
}

static void boolean(struct codec *c, bool *value) {
	uint8_t byte = *value;

	raw(c, &byte, 1);
	if (byte > 1)
		fail(c, -EBADMSG);
	*value = byte == 1;
}

/* A string without a NUL in it. */
static void text(struct codec *c, char **value) {
	uint32_t n = c->reading ? 0 : (uint32_t)strlen(*value);

	u32(c, &n);
	if (!c->reading) {
		put(c, *value, n);
		return;
	}
	*value = NULL;
	if (c->error || n > c->left || memchr(c->at, '\0', n)) {
		fail(c, -EBADMSG);
		return;
	}
	*value = malloc((size_t)n + 1);
	if (!*value) {
		fail(c, -ENOMEM);
		return;
	}
	raw(c, *value, n);
	(*value)[n] = '\0';
}

/* The length of a list of items of @item_bytes, which take @least bytes each at the least. */
static void list(struct codec *c, void *items, unsigned *nb, size_t item_bytes, size_t least) {
	uint32_t n = *nb;
	void *made = NULL;

	u32(c, &n);
	if (!c->reading)
		return;
	*nb = 0;
	if (n > c->left / least) {
		fail(c, -EBADMSG);
		n = 0;
	}
	if (n) {
		made = calloc(n, item_bytes);
		if (!made)
			fail(c, -ENOMEM);
	}
	memcpy(items, &made, sizeof made);
	*nb = made ? n : 0;
	/* cppcheck-suppress memleak ; the list has it */
}

static void u64s(struct codec *c, void *values, size_t bytes) {
	uint32_t n = (uint32_t)(bytes / sizeof(uint64_t)), wanted = n;

	u32(c, &n);
	if (n != wanted)
		fail(c, -EBADMSG);
	for (uint32_t i = 0; i < wanted; i++) {
		uint64_t value;

		memcpy(&value, (char *)values + i * sizeof value, sizeof value);
		u64(c, &value);
		memcpy((char *)values + i * sizeof value, &value, sizeof value);
	}
}

static_assert(sizeof(struct checkpoint_counts) % sizeof(uint64_t) == 0);

static void settings(struct codec *c, struct checkpoint *k) {
	list(c, &k->settings, &k->nb_settings, sizeof *k->settings, 12);
	for (unsigned i = 0; i < k->nb_settings && !c->error; i++) {
		text(c, &k->settings[i].section);
		text(c, &k->settings[i].key);
		text(c, &k->settings[i].value);
	}
}

static void inputs(struct codec *c, struct checkpoint *k) {
	list(c, &k->inputs, &k->nb_inputs, sizeof *k->inputs, 8 + DIGEST_BYTES);
	for (unsigned i = 0; i < k->nb_inputs && !c->error; i++) {
		text(c, &k->inputs[i].what);
		text(c, &k->inputs[i].path);
		raw(c, k->inputs[i].digest, DIGEST_BYTES);
	}
}

static void key(struct codec *c, struct checkpoint *k) {
	if (!k->key)
		k->key = dp_secret_alloc(sizeof *k->key);
	if (k->key)
		raw(c, k->key->bytes, sizeof k->key->bytes);
	else
		fail(c, -ENOMEM);
}

static void space(struct codec *c, struct checkpoint *k) {
	boolean(c, &k->complete);
	boolean(c, &k->begun);
	boolean(c, &k->none);
	boolean(c, &k->by_value);
	boolean(c, &k->narrowed);
	raw(c, k->space_digest, DIGEST_BYTES);
	raw(c, k->narrowed_digest, DIGEST_BYTES);
	u128(c, &k->excluded_default);
	u128(c, &k->excluded_exclude);
	key(c, k);
	u32(c, &k->passes);
	u128(c, &k->first);
	u128(c, &k->end);
}

static void left(struct codec *c, struct checkpoint *k) {
	list(c, &k->left.list, &k->left.nb, sizeof *k->left.list, 36);
	for (unsigned i = 0; i < k->left.nb && !c->error; i++) {
		u128(c, &k->left.list[i].first);
		u128(c, &k->left.list[i].end);
		u32(c, &k->left.list[i].done);
	}
	if (c->reading && !c->error
		&& (k->first > k->end
			|| !dp_pieces_valid(
				&k->left, (struct dp_slice){k->first, k->end}, k->passes)))
		fail(c, -EBADMSG);
	list(c, &k->excluded, &k->nb_excluded, sizeof *k->excluded, 32);
	for (unsigned i = 0; i < k->nb_excluded && !c->error; i++) {
		u128(c, &k->excluded[i].first);
		u128(c, &k->excluded[i].last);
	}
}

static void outputs(struct codec *c, struct checkpoint *k) {
	list(c, &k->outputs, &k->nb_outputs, sizeof *k->outputs, 33 + DIGEST_BYTES);
	for (unsigned i = 0; i < k->nb_outputs && !c->error; i++) {
		struct checkpoint_output *output = &k->outputs[i];

		text(c, &output->format);
		text(c, &output->path);
		boolean(c, &output->regular);
		u64(c, &output->start);
		u64(c, &output->end);
		u64(c, &output->results);
		raw(c, output->digest, DIGEST_BYTES);
		if (c->reading && (output->start > output->end || output->end > INT64_MAX))
			fail(c, -EBADMSG);
	}
}

static void plugins(struct codec *c, struct checkpoint *k) {
	list(c, &k->plugins, &k->nb_plugins, sizeof *k->plugins, 44 + 8 * LH_STATUS_COUNT);
	for (unsigned i = 0; i < k->nb_plugins && !c->error; i++) {
		struct checkpoint_plugin *plugin = &k->plugins[i];

		text(c, &plugin->name);
		text(c, &plugin->version);
		u64(c, &plugin->offered);
		u64s(c, plugin->status, sizeof plugin->status);
		u64s(c, plugin->filtered, sizeof plugin->filtered);
		u64(c, &plugin->spilled);
		u64(c, &plugin->deaths);
		u64(c, &plugin->lane_cpu_us);
	}
}

static void coverage(struct codec *c, struct checkpoint *k) {
	list(c, &k->coverage.pairs, &k->coverage.nb, sizeof *k->coverage.pairs, 12);
	u32(c, &k->coverage.thinned);
	for (unsigned i = 0; i < k->coverage.nb && !c->error; i++) {
		u64(c, &k->coverage.pairs[i].hash);
		u32(c, &k->coverage.pairs[i].heard);
	}
}

/* All of them. */
static void fields(struct codec *c, struct checkpoint *k) {
	text(c, &k->program);
	text(c, &k->folder);
	raw(c, k->config_digest, DIGEST_BYTES);
	settings(c, k);
	inputs(c, k);
	space(c, k);
	left(c, k);
	outputs(c, k);
	plugins(c, k);
	u64s(c, &k->counts, sizeof k->counts);
	u32(c, &k->resumed);
	list(c, &k->segments, &k->nb_segments, sizeof *k->segments, 8);
	for (unsigned i = 0; i < k->nb_segments && !c->error; i++)
		u64(c, &k->segments[i]);
	u64(c, &k->next_segment);
	boolean(c, &k->archived);
	coverage(c, k);
}

void checkpoint_clear(struct checkpoint *k) {
	dp_secret_free(k->key, sizeof *k->key);
	free(k->program);
	free(k->folder);
	for (unsigned i = 0; i < k->nb_settings; i++) {
		free(k->settings[i].section);
		free(k->settings[i].key);
		free(k->settings[i].value);
	}
	for (unsigned i = 0; i < k->nb_inputs; i++) {
		free(k->inputs[i].what);
		free(k->inputs[i].path);
	}
	for (unsigned i = 0; i < k->nb_outputs; i++) {
		free(k->outputs[i].format);
		free(k->outputs[i].path);
	}
	for (unsigned i = 0; i < k->nb_plugins; i++) {
		free(k->plugins[i].name);
		free(k->plugins[i].version);
	}
	free(k->settings);
	free(k->inputs);
	dp_pieces_clear(&k->left);
	free(k->excluded);
	free(k->outputs);
	free(k->plugins);
	free(k->segments);
	free(k->coverage.pairs);
	*k = (struct checkpoint){0};
}

/* ---- The frame ---- */

/* Put head and sum around the body that begins at HEAD_BYTES. */
static void frame(struct codec *c, const char *name) {
	uint32_t version = htole32(CHECKPOINT_VERSION);
	uint64_t bytes = htole64(c->used - HEAD_BYTES);
	uint8_t digest[DIGEST_BYTES];

	if (c->error)
		return;
	memcpy(c->bytes, name, MAGIC_BYTES);
	memcpy(c->bytes + MAGIC_BYTES, &version, sizeof version);
	memcpy(c->bytes + MAGIC_BYTES + sizeof version, &bytes, sizeof bytes);
	digest_of(c->bytes, c->used, digest);
	put(c, digest, sizeof digest);
}

/* Finish what was encoded: its bytes, or the error. */
static int take(struct codec *c, const char *name, uint8_t **bytes, size_t *n) {
	frame(c, name);
	if (c->error) {
		checkpoint_free_bytes(c->bytes, c->used);
		return c->error;
	}
	*bytes = c->bytes;
	*n = c->used;
	return 0;
}

static void leave_head(struct codec *c) {
	static const uint8_t head[HEAD_BYTES];

	put(c, head, sizeof head);
}

int checkpoint_encode(const struct checkpoint *checkpoint, uint8_t **bytes, size_t *n) {
	struct codec c = {0};
	struct checkpoint copy = *checkpoint; /* nothing of it is changed */

	leave_head(&c);
	fields(&c, &copy);
	return take(&c, magic, bytes, n);
}

/* Check the frame, and point @c at the body. */
static int unframe(
	struct codec *c, const char *name, const uint8_t *bytes, size_t n, struct dp_error *err) {
	const size_t compared = n < MAGIC_BYTES ? n : MAGIC_BYTES;
	uint8_t digest[DIGEST_BYTES];
	uint32_t version;
	uint64_t body;

	if (n == 0)
		return dp_fail(err, true, -EBADMSG, "it is empty");
	if (memcmp(bytes, name, compared))
		return dp_fail(err, true, -EBADMSG, "it is no checkpoint of prtip-dp");
	if (n < HEAD_BYTES)
		return dp_fail(err, true, -EBADMSG, "it is cut short: %zu bytes", n);
	memcpy(&version, bytes + MAGIC_BYTES, sizeof version);
	memcpy(&body, bytes + MAGIC_BYTES + sizeof version, sizeof body);
	version = le32toh(version);
	body = le64toh(body);
	if (version != CHECKPOINT_VERSION)
		return dp_fail(err, true, -EBADMSG,
			"it has version %u, and this program reads version %d", version,
			CHECKPOINT_VERSION);
	if (body > CHECKPOINT_MAX_BYTES || n < HEAD_BYTES + body + DIGEST_BYTES)
		return dp_fail(err, true, -EBADMSG,
			"it is cut short: %zu bytes of the %llu that it should have", n,
			(unsigned long long)body + HEAD_BYTES + DIGEST_BYTES);
	if (n > HEAD_BYTES + body + DIGEST_BYTES)
		return dp_fail(err, true, -EBADMSG, "%zu bytes stand behind its end",
			n - (size_t)(HEAD_BYTES + body + DIGEST_BYTES));
	digest_of(bytes, HEAD_BYTES + (size_t)body, digest);
	if (memcmp(digest, bytes + HEAD_BYTES + body, DIGEST_BYTES))
		return dp_fail(err, true, -EBADMSG,
			"it was altered: its checksum is not that of its content");
	*c = (struct codec){.reading = true, .at = bytes + HEAD_BYTES, .left = (size_t)body};
	return 0;
}

int checkpoint_decode(
	const uint8_t *bytes, size_t n, struct checkpoint *checkpoint, struct dp_error *err) {
	struct codec c;
	int rc = unframe(&c, magic, bytes, n, err);

	*checkpoint = (struct checkpoint){0};
	if (rc)
		return rc;
	fields(&c, checkpoint);
	if (!c.error && c.left)
		fail(&c, -EBADMSG);
	if (!c.error)
		return 0;
	checkpoint_clear(checkpoint);
	return c.error == -ENOMEM
		? dp_fail(err, false, c.error, "out of memory")
		: dp_fail(err, true, c.error,
			"its content makes no sense, though its checksum is right");
}

/* ---- Files ---- */

/* The whole of a regular file, to be freed. */
static int read_file(const char *path, uint8_t **bytes, size_t *n, struct dp_error *err) {
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int rc = 0;

	if (fd < 0 || fstat(fd, &st) < 0) {
		rc = dp_fail(err, true, -errno, "cannot read %s: %s", path, strerror(errno));
		goto close;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > CHECKPOINT_MAX_BYTES) {
		rc = dp_fail(err, true, -EINVAL, "%s: %s", path,
			S_ISREG(st.st_mode) ? "it is too large for a checkpoint"
					    : "it is not a regular file");
		goto close;
	}
	*bytes = malloc((size_t)st.st_size + 1);
	if (!*bytes) {
		rc = dp_fail(err, false, -ENOMEM, "out of memory");
		goto close;
	}
	for (*n = 0; *n < (size_t)st.st_size;) {
		ssize_t got = read(fd, *bytes + *n, (size_t)st.st_size - *n);

		if (got == 0)
			break;
		if (got > 0) {
			*n += (size_t)got;
		} else if (errno != EINTR) {
			rc = dp_fail(
				err, false, -errno, "cannot read %s: %s", path, strerror(errno));
			free(*bytes);
			goto close;
		}
	}

close:
	if (fd >= 0)
		close(fd);
	return rc;
}

/* Put the file's name before what is wrong with it. */
static int name_file(const char *path, int rc, struct dp_error *err) {
	char why[sizeof err->text];

	memcpy(why, err->text, sizeof why);
	return dp_fail(err, err->usage, rc, "%s: %s", path, why);
}

int checkpoint_read(const char *path, struct checkpoint *checkpoint, struct dp_error *err) {
	uint8_t *bytes;
	size_t n;
	int rc = read_file(path, &bytes, &n, err);

	if (rc)
		return rc;
	rc = checkpoint_decode(bytes, n, checkpoint, err);
	explicit_bzero(bytes, n);
	free(bytes);
	return rc ? name_file(path, rc, err) : 0;
}

static int write_all(int fd, const uint8_t *bytes, size_t n) {
	while (n) {
		ssize_t done = write(fd, bytes, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? -errno : -EIO;
		bytes += done;
		n -= (size_t)done;
	}
	return fsync(fd) < 0 ? -errno : 0;
}

/* A name is as durable as the folder that it stands in. */
static int sync_folder(const char *path) {
	char *copy = strdup(path);
	int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int rc = !copy ? -ENOMEM : fd < 0 ? -errno : 0;

	/* Some file systems cannot, and say EINVAL. */
	if (!rc && fsync(fd) < 0 && errno != EINVAL)
		rc = -errno;
	if (fd >= 0)
		close(fd);
	free(copy);
	return rc;
}

int checkpoint_write(const char *path, const uint8_t *bytes, size_t n) {
	char *temporary;
	int fd, rc;

	if (asprintf(&temporary, "%s.tmp", path) < 0)
		return -ENOMEM;
	fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	rc = fd < 0 ? -errno : fchmod(fd, 0600) < 0 ? -errno : write_all(fd, bytes, n);
	if (fd >= 0 && close(fd) < 0 && !rc)
		rc = -errno;
	if (!rc && rename(temporary, path) < 0)
		rc = -errno;
	if (rc && fd >= 0)
		unlink(temporary);
	free(temporary);
	return rc ? rc : sync_folder(path);
}

int checkpoint_write_segment(const char *path, const uint8_t *body, size_t n) {
	struct codec c = {0};
	uint8_t *bytes;
	int rc;

	leave_head(&c);
	put(&c, body, n);
	rc = take(&c, segment_magic, &bytes, &n);
	if (rc)
		return rc;
	rc = checkpoint_write(path, bytes, n);
	checkpoint_free_bytes(bytes, n);
	return rc;
}

int checkpoint_read_segment(const char *path, uint8_t **body, size_t *n, struct dp_error *err) {
	struct codec c;
	int rc = read_file(path, body, n, err);

	if (rc)
		return rc;
	rc = unframe(&c, segment_magic, *body, *n, err);
	if (rc) {
		free(*body);
		return name_file(path, rc, err);
	}
	memmove(*body, c.at, c.left);
	*n = c.left;
	return 0;
}

/* ---- Target spaces ---- */

#define MIXED_SPACE (UINT32_C(1) << 31) /* in the number of ports: they are endpoints */

static void space_fields(struct codec *c, const struct dp_space *from) {
	const struct dp_range *ranges;
	uint64_t nb = dp_ipset_ranges(dp_space_addresses(from), &ranges);
	const unsigned nb_ports = dp_space_ports(from);
	uint32_t nb_ports_wire = nb_ports | (dp_space_is_mixed(from) ? MIXED_SPACE : 0);

	u64(c, &nb);
	u32(c, &nb_ports_wire);
	for (unsigned i = 0; i < nb_ports; i++) {
		uint32_t port = dp_space_endpoint(from, i);

		u32(c, &port);
	}
	for (uint64_t i = 0; i < nb; i++) {
		struct dp_range range = ranges[i];

		u128(c, &range.first);
		u128(c, &range.last);
	}
}

int checkpoint_digest(const struct dp_space *space, uint8_t digest[static DIGEST_BYTES]) {
	struct codec c = {0};

	space_fields(&c, space);
	if (!c.error)
		digest_of(c.bytes, c.used, digest);
	checkpoint_free_bytes(c.bytes, c.used);
	return c.error;
}

int checkpoint_write_space(const char *path, const struct dp_space *space) {
	struct codec c = {0};
	uint8_t *bytes;
	size_t n;
	int rc;

	leave_head(&c);
	space_fields(&c, space);
	rc = take(&c, space_magic, &bytes, &n);
	if (rc)
		return rc;
	rc = checkpoint_write(path, bytes, n);
	checkpoint_free_bytes(bytes, n);
	return rc;
}

static int decode_ranges(struct codec *c, uint64_t nb, struct dp_ipset *set) {
	int rc = 0;

	for (uint64_t i = 0; !rc && i < nb; i++) {
		struct dp_range range = {0, 0};

		u128(c, &range.first);
		u128(c, &range.last);
		rc = c->error ? c->error : dp_ipset_add(set, range.first, range.last);
	}
	dp_ipset_seal(set);
	return rc;
}

/* Ascending, below @most. */
static int decode_ports(struct codec *c, uint32_t most, uint32_t *ports, uint32_t nb) {
	if (nb > most || nb > c->left / 4)
		return -EBADMSG;
	for (uint32_t i = 0; i < nb; i++) {
		u32(c, &ports[i]);
		if (ports[i] >= most || (i && ports[i] <= ports[i - 1]))
			return -EBADMSG;
	}
	return c->error;
}

static int decode_space(struct codec *c, struct dp_space **space) {
	uint64_t nb = 0;
	uint32_t nb_ports = 0;
	uint32_t *ports = calloc(DP_ENDPOINTS, sizeof *ports);
	struct dp_ipset *set = NULL;
	int rc = ports ? dp_ipset_create(&set) : -ENOMEM;
	bool mixed;

	u64(c, &nb);
	u32(c, &nb_ports);
	mixed = nb_ports & MIXED_SPACE;
	nb_ports &= ~MIXED_SPACE;
	if (!rc)
		rc = decode_ports(c, mixed ? DP_ENDPOINTS : 1 << 16, ports, nb_ports);
	if (!rc && nb != c->left / 32)
		rc = -EBADMSG;
	if (!rc)
		rc = decode_ranges(c, nb, set);
	if (!rc)
		rc = mixed ? dp_space_create_mixed(set, ports, nb_ports, space)
			   : targets_space(set, NULL, ports, nb_ports, space);
	dp_ipset_destroy(set);
	free(ports);
	return rc;
}

int checkpoint_read_space(const char *path, const uint8_t digest[static DIGEST_BYTES],
	struct dp_space **space, struct dp_error *err) {
	uint8_t *bytes, own[DIGEST_BYTES];
	struct codec c;
	size_t n;
	int rc = read_file(path, &bytes, &n, err);

	if (rc)
		return rc;
	rc = unframe(&c, space_magic, bytes, n, err);
	if (rc) {
		free(bytes);
		return name_file(path, rc, err);
	}
	digest_of(c.at, c.left, own);
	if (memcmp(own, digest, DIGEST_BYTES))
		rc = dp_fail(err, true, -EBADMSG, "%s: it belongs to another checkpoint", path);
	else if (decode_space(&c, space))
		rc = dp_fail(err, true, -EBADMSG, "%s: its addresses make no sense", path);
	free(bytes);
	return rc;
}
