/* SPDX-License-Identifier: BSD-3-Clause */
/* CRC-32C: the published vectors, a division bit by bit, and the way it lies in SCTP packets. */
#include "crc32c.h"
#include "frame_test.h"

#include <criterion/criterion.h>

typedef uint32_t (*crc_fn)(uint32_t crc, const uint8_t *p, size_t n);

static const crc_fn ways[] = {crc32c, crc32c_portable};

enum {
	WAYS = sizeof(ways) / sizeof(ways[0]),
	VECTORS = 5,
};

/* A division with one bit of the message after the other, highest power first in each byte's low bit. */
static uint32_t reference_crc(const uint8_t *p, size_t n) {
	uint32_t crc = 0xffffffff;

	for (size_t bit = 0; bit < 8 * n; bit++) {
		const uint32_t out = (crc ^ p[bit / 8] >> bit % 8) & 1;

		crc = crc >> 1 ^ (out ? 0x82f63b78 : 0);
	}
	return ~crc;
}

/* RFC 3720 B.4. It prints the bytes as they are sent, the low one first. */
Test(crc32c, published_vectors) {
	static const uint8_t read_command[48]
		= {0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04,
			0, 0, 0, 0, 0x14, 0, 0, 0, 0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02};
	uint8_t message[VECTORS][48] = {{0}};
	static const struct {
		size_t n;
		uint32_t crc;
	} expected[VECTORS] = {
		{32, 0x8a9136aa}, /* zeroes */
		{32, 0x62a8ab43}, /* ones */
		{32, 0x46dd794e}, /* 00 01 .. 1f */
		{32, 0x113fdb5c}, /* 1f 1e .. 00 */
		{48, 0xd9963a56}, /* an iSCSI read command */
	};

	memset(message[1], 0xff, 32);
	for (uint8_t i = 0; i < 32; i++) {
		message[2][i] = i;
		message[3][i] = 31 - i;
	}
	memcpy(message[4], read_command, sizeof(read_command));
	for (unsigned v = 0; v < VECTORS; v++) {
		cr_assert_eq(reference_crc(message[v], expected[v].n), expected[v].crc,
			"the test's own, vector %u", v);
		for (unsigned w = 0; w < WAYS; w++)
			cr_assert_eq(ways[w](0, message[v], expected[v].n), expected[v].crc,
				"way %u, vector %u", w, v);
	}
	cr_assert_eq(crc32c(0, (const uint8_t *)"123456789", 9), 0xe3069283);
}

/* All bytes by table and instruction, all lengths and alignments, in one piece and in two. */
Test(crc32c, equals_division) {
	uint8_t *end = cage_end();
	uint64_t state = 31;

	cr_assert_not_null(end);
	for (unsigned round = 0; round < 3000; round++) {
		const size_t n = round % 300, cut = n ? next_random(&state) % n : 0;
		uint8_t *p = end - n;
		uint32_t expected;

		for (size_t i = 0; i < n; i++)
			p[i] = (uint8_t)(next_random(&state) >> 56);
		expected = reference_crc(p, n);
		for (unsigned w = 0; w < WAYS; w++) {
			cr_assert_eq(ways[w](0, p, n), expected, "%zu bytes", n);
			cr_assert_eq(ways[w](ways[w](0, p, cut), p + cut, n - cut), expected);
		}
	}
	for (unsigned byte = 0; byte < 256; byte++) {
		end[-1] = (uint8_t)byte;
		cr_assert_eq(crc32c_portable(0, end - 1, 1), reference_crc(end - 1, 1));
	}
}

/* The field counts as zero whatever it holds, and any changed byte shows. */
Test(crc32c, sctp_packets) {
	uint8_t *end = cage_end();
	uint64_t state = 32;

	cr_assert_not_null(end);
	for (unsigned n = SCTP_BYTES; n < 120; n++) {
		uint8_t *p = end - n;
		uint32_t expected;

		for (unsigned i = 0; i < n; i++)
			p[i] = (uint8_t)(next_random(&state) >> 56);
		sctp_put_checksum(p, n);
		cr_assert(sctp_checksum_good(p, n));
		for (unsigned i = 0; i < n; i++) {
			p[i] ^= 0x10;
			cr_assert_not(sctp_checksum_good(p, n), "byte %u", i);
			p[i] ^= 0x10;
		}
		expected = p[8] | p[9] << 8 | p[10] << 16 | (uint32_t)p[11] << 24;
		memset(p + 8, 0, 4);
		cr_assert_eq(reference_crc(p, n), expected);
	}
}
