/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checkpoints. The first byte says whether the rest is a whole file or a body, which then gets a head and a
 * checksum, as no random bytes have a right one. What is taken for a checkpoint is written as the very
 * bytes that it was read from.
 */
#include "checkpoint.h"
#include "fuzz.h"

#include <endian.h>

enum {
	MAGIC_BYTES = 20,
	HEAD_BYTES = MAGIC_BYTES + 4 + 8,
	IS_WHOLE = 1,
};

/* The body in its frame, to be freed. */
static uint8_t *frame(const uint8_t *body, size_t n) {
	const uint32_t version = htole32(CHECKPOINT_VERSION);
	const uint64_t bytes = htole64(n);
	uint8_t *file = malloc(HEAD_BYTES + n + DIGEST_BYTES);

	FUZZ_ASSERT(file);
	memcpy(file, "prtip-dp checkpoint\n", MAGIC_BYTES);
	memcpy(file + MAGIC_BYTES, &version, sizeof(version));
	memcpy(file + MAGIC_BYTES + sizeof(version), &bytes, sizeof(bytes));
	if (n)
		memcpy(file + HEAD_BYTES, body, n);
	digest_of(file, HEAD_BYTES + n, file + HEAD_BYTES + n);
	return file;
}

static void check(const uint8_t *file, size_t n) {
	struct checkpoint checkpoint;
	struct dp_error err = {0};
	uint8_t *bytes;
	size_t used;

	if (checkpoint_decode(file, n, &checkpoint, &err)) {
		FUZZ_ASSERT(err.text[0]);
		return;
	}
	FUZZ_ASSERT(checkpoint.program && checkpoint.folder);
	FUZZ_ASSERT(checkpoint.first <= checkpoint.end);
	FUZZ_ASSERT(checkpoint_encode(&checkpoint, &bytes, &used) == 0);
	FUZZ_ASSERT(used == n && !memcmp(bytes, file, n));
	checkpoint_free_bytes(bytes, used);
	checkpoint_clear(&checkpoint);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	uint8_t *file;

	if (size < 1)
		return 0;
	if (data[0] & IS_WHOLE) {
		check(data + 1, size - 1);
		return 0;
	}
	file = frame(data + 1, size - 1);
	check(file, HEAD_BYTES + size - 1 + DIGEST_BYTES);
	free(file);
	return 0;
}
