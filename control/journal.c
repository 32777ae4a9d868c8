/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The journal beside a checkpoint. Control core; owns the entries until they are on the disk, and the
 * list of segments.
 */
#include "journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	KIND_PAIR,
	KIND_RESULT,
	KIND_LEFT_OUT,
	KIND_ENDPOINT, /* a pair whose endpoint takes more than a port */
	FIRST_ROOM = 64 << 10,
};

struct segment {
	uint64_t number;
	uint64_t waiting; /* results of it that are not in the outputs */
	uint64_t sent_ns; /* the probes of its pairs were sent before */
	uint8_t *bytes; /* NULL: none, or on the disk */
	size_t used, room;
	bool on_disk, pairs;
	bool left_out; /* it has such pairs: of results from segment @of on */
	uint64_t of;
};

struct journal {
	struct segment *segment; /* ascending; the last one is open */
	unsigned nb;
	struct journal_segment *wanted;
	uint64_t *dropped;
	unsigned nb_dropped;
};

static void *need(void *memory) {
	if (!memory)
		abort();
	return memory;
}

static struct segment *add_segment(struct journal *journal, uint64_t number) {
	journal->segment
		= need(reallocarray(journal->segment, journal->nb + 1, sizeof *journal->segment));
	journal->segment[journal->nb] = (struct segment){.number = number};
	return &journal->segment[journal->nb++];
}

static struct segment *open_segment(struct journal *journal) {
	return &journal->segment[journal->nb - 1];
}

int journal_create(uint64_t first, struct journal **out) {
	struct journal *journal = calloc(1, sizeof *journal);

	if (!journal)
		return -ENOMEM;
	add_segment(journal, first);
	*out = journal;
	return 0;
}

void journal_destroy(struct journal *journal) {
	if (!journal)
		return;
	for (unsigned i = 0; i < journal->nb; i++)
		free(journal->segment[i].bytes);
	free(journal->segment);
	free(journal->wanted);
	free(journal->dropped);
	free(journal);
}

static void put(struct segment *segment, const void *bytes, size_t n) {
	size_t room = segment->room ? segment->room : FIRST_ROOM;

	while (room - segment->used < n)
		room *= 2;
	if (room != segment->room) {
		segment->bytes = need(realloc(segment->bytes, room));
		segment->room = room;
	}
	memcpy(segment->bytes + segment->used, bytes, n);
	segment->used += n;
}

/* An entry of @kind: an address, and @bytes of what follows. */
static void put_pair(
	struct journal *journal, uint8_t kind, dp_ip ip, const void *end, size_t bytes) {
	const uint64_t high = (uint64_t)(ip >> 64), low = (uint64_t)ip;
	uint8_t entry[1 + 2 * sizeof high + sizeof(uint32_t)] = {kind};

	memcpy(entry + 1, &high, sizeof high);
	memcpy(entry + 1 + sizeof high, &low, sizeof low);
	memcpy(entry + 1 + 2 * sizeof high, end, bytes);
	put(open_segment(journal), entry, 1 + 2 * sizeof high + bytes);
	open_segment(journal)->pairs = true;
}

void journal_pair(struct journal *journal, dp_ip ip, uint32_t endpoint) {
	const uint16_t port = (uint16_t)endpoint;

	if (endpoint <= UINT16_MAX)
		put_pair(journal, KIND_PAIR, ip, &port, sizeof port);
	else
		put_pair(journal, KIND_ENDPOINT, ip, &endpoint, sizeof endpoint);
}

void journal_left_out(struct journal *journal, dp_ip ip, uint32_t endpoint) {
	struct segment *open = open_segment(journal);

	put_pair(journal, KIND_LEFT_OUT, ip, &endpoint, sizeof endpoint);
	if (!open->left_out)
		open->of = journal->segment[0].number;
	open->left_out = true;
}

uint64_t journal_result(struct journal *journal, const uint8_t *packed, uint32_t bytes) {
	struct segment *segment = open_segment(journal);
	const uint8_t kind = KIND_RESULT;

	put(segment, &kind, 1);
	put(segment, &bytes, sizeof bytes);
	put(segment, packed, bytes);
	segment->waiting++;
	return segment->number;
}

void journal_done(struct journal *journal, uint64_t number) {
	for (unsigned i = journal->nb; i-- > 0;)
		if (journal->segment[i].number == number) {
			journal->segment[i].waiting--;
			return;
		}
}

void journal_take_up(struct journal *journal, uint64_t number, uint64_t results) {
	struct segment open = *open_segment(journal);

	*open_segment(journal) = (struct segment){.number = number,
		.waiting = results,
		.sent_ns = JOURNAL_TO_THE_END,
		.on_disk = true,
		.pairs = true};
	*add_segment(journal, open.number) = open;
}

size_t journal_gathered(const struct journal *journal) {
	size_t sum = 0;

	for (unsigned i = 0; i < journal->nb; i++)
		sum += journal->segment[i].used;
	return sum;
}

void journal_close(struct journal *journal, uint64_t sent_ns) {
	struct segment *segment = open_segment(journal);

	if (!segment->used)
		return;
	segment->sent_ns = sent_ns;
	add_segment(journal, segment->number + 1);
}

static void drop(struct journal *journal, struct segment *segment) {
	if (segment->on_disk) {
		journal->dropped = need(reallocarray(
			journal->dropped, journal->nb_dropped + 1, sizeof *journal->dropped));
		journal->dropped[journal->nb_dropped++] = segment->number;
	}
	free(segment->bytes);
}

/* Whether one of the first @kept may have results that this one says are done. */
static bool speaks_of_some(
	const struct journal *journal, const struct segment *segment, unsigned kept) {
	return segment->left_out && kept && journal->segment[kept - 1].number >= segment->of;
}

const struct journal_segment *journal_wanted(
	struct journal *journal, uint64_t covered_ns, unsigned *nb) {
	unsigned kept = 0;

	for (unsigned i = 0; i < journal->nb; i++) {
		struct segment *segment = &journal->segment[i];

		if (i + 1 == journal->nb || segment->waiting
			|| (segment->pairs && segment->sent_ns > covered_ns)
			|| speaks_of_some(journal, segment, kept))
			journal->segment[kept++] = *segment;
		else
			drop(journal, segment);
	}
	journal->nb = kept;
	journal->wanted = need(reallocarray(journal->wanted, kept, sizeof *journal->wanted));
	for (unsigned i = 0; i + 1 < kept; i++)
		journal->wanted[i] = (struct journal_segment){journal->segment[i].number,
			journal->segment[i].bytes, journal->segment[i].used};
	*nb = kept - 1;
	return journal->wanted;
}

void journal_written(struct journal *journal) {
	/* None is closed while a checkpoint is under way. */
	for (unsigned i = 0; i + 1 < journal->nb; i++) {
		struct segment *segment = &journal->segment[i];

		free(segment->bytes);
		segment->bytes = NULL;
		segment->used = segment->room = 0;
		segment->on_disk = true;
	}
}

bool journal_dropped(struct journal *journal, uint64_t *number) {
	if (!journal->nb_dropped)
		return false;
	*number = journal->dropped[--journal->nb_dropped];
	return true;
}

uint64_t journal_next(const struct journal *journal) {
	return journal->segment[journal->nb - 1].number;
}

int journal_read(const uint8_t *bytes, size_t n, const struct journal_reader *reader) {
	enum { PAIR_BYTES = 18, ENDPOINT_BYTES = 20 };
	int rc = 0;

	while (!rc && n) {
		const uint8_t kind = *bytes++;
		uint64_t high, low;
		uint16_t port;
		uint32_t length, endpoint;

		n--;
		if (kind == KIND_PAIR && n >= PAIR_BYTES) {
			memcpy(&high, bytes, sizeof high);
			memcpy(&low, bytes + sizeof high, sizeof low);
			memcpy(&port, bytes + 2 * sizeof high, sizeof port);
			rc = reader->pair(reader->user, dp_ip_v6(high, low), port);
			length = PAIR_BYTES;
		} else if ((kind == KIND_ENDPOINT || kind == KIND_LEFT_OUT)
			&& n >= ENDPOINT_BYTES) {
			memcpy(&high, bytes, sizeof high);
			memcpy(&low, bytes + sizeof high, sizeof low);
			memcpy(&endpoint, bytes + 2 * sizeof high, sizeof endpoint);
			rc = (kind == KIND_ENDPOINT ? reader->pair : reader->left_out)(
				reader->user, dp_ip_v6(high, low), endpoint);
			length = ENDPOINT_BYTES;
		} else if (kind == KIND_RESULT && n >= sizeof length) {
			memcpy(&length, bytes, sizeof length);
			bytes += sizeof length;
			n -= sizeof length;
			if (length > n)
				return -EBADMSG;
			rc = reader->result(reader->user, bytes, length);
		} else {
			return -EBADMSG;
		}
		bytes += length;
		n -= length;
	}
	return rc;
}
