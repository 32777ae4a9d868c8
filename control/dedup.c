/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Has this pair answered before?
 *
 * Runs on the control core. Owns one mapping of memory that the kernel hands out zeroed, page by
 * page, when it is first touched: a scan with few answers costs little, whatever was reserved.
 *
 * Exact: a bit for each index of the target space.
 *
 * Window: sets of eight keys of 64 bits, a set a cache line, so that an answer costs one cache miss
 * at the most. Within a set the keys stand from the newest to the oldest; a new one moves the others
 * up by one, and of a full set the oldest falls out. A key is the pair itself and a bit that is
 * always set, so that no key is 0, which stands for an empty slot, and no two pairs are taken for
 * one. Of an IPv4 space the pair is address and port, of any other its index; where that takes more
 * than 63 bits, keys have 128. The set is chosen by a hash under a random key: nobody outside can
 * aim at one.
 */
#include "dedup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

enum {
	WAYS = 8,
};

#define KEY_USED (1ull << 63)
#define KEY_USED_WIDE ((dp_u128)1 << 127)

struct set {
	uint64_t key[WAYS];
};

struct wide_set {
	dp_u128 key[WAYS];
};

/* What a pair is known by in a window. */
enum key_kind {
	KEY_INDEX,
	KEY_WIDE_INDEX,
};

struct dedup {
	const struct dp_space *space;
	size_t bytes; /* of the mapping */
	uint64_t *bits; /* exact; NULL: window */
	enum key_kind kind;
	union {
		struct set *sets;
		struct wide_set *wide_sets;
	};
	uint64_t nb_sets;
	uint64_t secret[2];
	uint64_t evicted;
};

static int map(struct dedup *d, size_t bytes, void *memory) {
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		return -errno;
	d->bytes = bytes;
	memcpy(memory, &at, sizeof at);
	return 0;
}

static int random_secret(struct dedup *d) {
	/* Up to 256 bytes come at once or not at all. */
	return getrandom(d->secret, sizeof d->secret, 0) == sizeof d->secret ? 0 : -EIO;
}

static enum key_kind kind_for(const struct dp_space *space) {
	return dp_space_count(space) > KEY_USED ? KEY_WIDE_INDEX : KEY_INDEX;
}

static int make_window(struct dedup *d, uint64_t max_bytes) {
	int rc = random_secret(d);

	if (rc)
		return rc;
	d->kind = kind_for(d->space);
	size_t set_bytes = d->kind == KEY_WIDE_INDEX ? sizeof(struct wide_set) : sizeof(struct set);
	d->nb_sets = max_bytes / set_bytes;
	return d->nb_sets ? map(d, d->nb_sets * set_bytes, &d->sets) : -EINVAL;
}

int dedup_create(
	enum ctl_dedup kind, uint32_t max_mb, const struct dp_space *space, struct dedup **dedup) {
	uint64_t max_bytes = (uint64_t)max_mb << 20;
	dp_u128 exact_bytes = (dp_space_count(space) + 63) / 64 * 8;
	bool fits = exact_bytes <= max_bytes;

	if (kind == CTL_DEDUP_EXACT && !fits)
		return -EFBIG;
	struct dedup *d = calloc(1, sizeof *d);
	if (!d)
		return -ENOMEM;
	d->space = space;
	int rc = kind != CTL_DEDUP_WINDOW && fits ? map(d, (size_t)exact_bytes, &d->bits)
						  : make_window(d, max_bytes);
	if (rc) {
		free(d);
		return rc;
	}
	*dedup = d;
	return 0;
}

void dedup_destroy(struct dedup *dedup) {
	if (!dedup)
		return;
	munmap(dedup->bits ? (void *)dedup->bits : (void *)dedup->sets, dedup->bytes);
	free(dedup);
}

/* A pair outside the space was not probed, so it has no first answer. */
static bool first_exact(struct dedup *d, dp_ip ip, uint32_t endpoint) {
	dp_u128 found;

	if (!dp_space_find(d->space, ip, endpoint, &found))
		return false;
	uint64_t index = (uint64_t)found;
	uint64_t *word = &d->bits[index / 64], bit = 1ull << index % 64;
	if (*word & bit)
		return false;
	*word |= bit;
	return true;
}

/* Two rounds of multiply and fold: each bit of the key reaches the high bits, which choose. */
static uint64_t hash(const struct dedup *d, uint64_t key) {
	key = (key ^ d->secret[0]) * 0x9e3779b97f4a7c15; /* 2^64 / the golden ratio, odd */
	key ^= key >> 32;
	key = (key ^ d->secret[1]) * 0xd6e8feb86659fd93;
	return key ^ key >> 32;
}

/* The hash as a fraction of 2^64, times the number of sets. */
static uint64_t set_of(const struct dedup *d, uint64_t hashed) {
	return (uint64_t)((dp_u128)hashed * d->nb_sets >> 64);
}

static bool first_of_key(struct dedup *d, uint64_t key) {
	struct set *set = &d->sets[set_of(d, hash(d, key))];

	for (unsigned i = 0; i < WAYS; i++) {
		if (set->key[i] == key)
			return false;
	}
	d->evicted += set->key[WAYS - 1] != 0;
	memmove(&set->key[1], &set->key[0], sizeof set->key - sizeof set->key[0]);
	set->key[0] = key;
	return true;
}

static bool first_of_wide_key(struct dedup *d, dp_u128 key) {
	const uint64_t high = hash(d, (uint64_t)(key >> 64));
	struct wide_set *set = &d->wide_sets[set_of(d, hash(d, (uint64_t)key ^ high))];

	for (unsigned i = 0; i < WAYS; i++) {
		if (set->key[i] == key)
			return false;
	}
	d->evicted += set->key[WAYS - 1] != 0;
	memmove(&set->key[1], &set->key[0], sizeof set->key - sizeof set->key[0]);
	set->key[0] = key;
	return true;
}

/* As above. What neighbours say proves nothing but that (ARP and ND have no room for a cookie). */
static bool first_in_window(struct dedup *d, dp_ip ip, uint32_t endpoint) {
	dp_u128 index;

	if (!dp_space_find(d->space, ip, endpoint, &index))
		return false;
	return d->kind == KEY_INDEX ? first_of_key(d, KEY_USED | (uint64_t)index)
				    : first_of_wide_key(d, KEY_USED_WIDE | index);
}

bool dedup_first(struct dedup *dedup, dp_ip ip, uint32_t endpoint) {
	return dedup->bits ? first_exact(dedup, ip, endpoint)
			   : first_in_window(dedup, ip, endpoint);
}

bool dedup_is_exact(const struct dedup *dedup) {
	return dedup->bits;
}

uint64_t dedup_capacity(const struct dedup *dedup) {
	return dedup->nb_sets * WAYS;
}

uint64_t dedup_evicted(const struct dedup *dedup) {
	return dedup->evicted;
}

uint64_t dedup_memory_bytes(const struct dedup *dedup) {
	return dedup->bytes;
}
