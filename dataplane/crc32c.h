/* SPDX-License-Identifier: BSD-3-Clause */
/* The CRC-32C (Castagnoli) that SCTP packets carry (RFC 9260 6.8 and appendix A). Pure; any thread. */
#ifndef CRC32C_H
#define CRC32C_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SCTP_BYTES = 12, /* RFC 9260 3.1 */
	SCTP_CHECKSUM_AT = 8,
};

/* Of the @n bytes at @p, behind others whose CRC-32C is @crc (0: behind none). */
uint32_t crc32c(uint32_t crc, const uint8_t *p, size_t n);

/* The same without special instructions: what crc32c() is where the CPU has none. */
uint32_t crc32c_portable(uint32_t crc, const uint8_t *p, size_t n);

/*
 * What belongs into the checksum field of the SCTP packet of @n bytes, at least SCTP_BYTES, at @sctp,
 * as a number in network byte order; the field counts as zero.
 */
uint32_t sctp_checksum(const uint8_t *sctp, size_t n);

void sctp_put_checksum(uint8_t *sctp, size_t n);
bool sctp_checksum_good(const uint8_t *sctp, size_t n);

#endif
