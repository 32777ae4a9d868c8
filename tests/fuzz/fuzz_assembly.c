/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a port said, put together: the host chooses offsets, lengths and order. Two bytes are the limit, then
 * pieces: offset (2), length (1), last (1) and bytes. What comes out is a beginning of what was said, with
 * no byte that nobody sent at its place.
 */
#include "assembly.h"
#include "fuzz.h"

enum {
	PIECE_HEADER = 4,
	PLACES = 65536 + 256,
};

/* Which byte values came for each offset, a bit each. */
static uint8_t said[PLACES][32];

struct piece {
	uint32_t at, n;
	const uint8_t *bytes;
	bool last;
};

static bool next_piece(const uint8_t **data, size_t *size, struct piece *piece) {
	if (*size < PIECE_HEADER)
		return false;
	*piece = (struct piece){.at = (uint32_t)((*data)[0] << 8 | (*data)[1]),
		.n = (*data)[2],
		.last = (*data)[3] & 1,
		.bytes = *data + PIECE_HEADER};
	if (piece->n > *size - PIECE_HEADER)
		piece->n = (uint32_t)*size - PIECE_HEADER;
	*data += PIECE_HEADER + piece->n;
	*size -= PIECE_HEADER + piece->n;
	return true;
}

static void mark(const struct piece *piece, bool set) {
	for (uint32_t i = 0; i < piece->n; i++) {
		uint8_t *place = &said[piece->at + i][piece->bytes[i] / 8];
		const uint8_t bit = (uint8_t)(1 << piece->bytes[i] % 8);

		*place = set ? *place | bit : *place & (uint8_t)~bit;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	const uint8_t *at = data + 2;
	size_t left = size - 2;
	struct assembly *assembly;
	struct piece piece;
	uint32_t max, n = 0;
	uint8_t *bytes;

	if (size < 2 || size > 4096)
		return 0;
	max = (uint32_t)(data[0] << 8 | data[1]) + 1;
	assembly = assembly_create(max);
	FUZZ_ASSERT(assembly);
	while (next_piece(&at, &left, &piece)) {
		mark(&piece, true);
		assembly_add(assembly, piece.at, piece.bytes, piece.n, piece.last);
	}
	bytes = assembly_take(assembly, &n);
	FUZZ_ASSERT(n <= max && (bytes || n == 0));
	for (uint32_t i = 0; i < n; i++)
		FUZZ_ASSERT(said[i][bytes[i] / 8] >> bytes[i] % 8 & 1);
	FUZZ_ASSERT(!bytes || bytes[n] == '\0');
	free(bytes);
	at = data + 2;
	left = size - 2;
	while (next_piece(&at, &left, &piece))
		mark(&piece, false);
	return 0;
}
