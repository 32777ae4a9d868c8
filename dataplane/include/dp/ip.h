/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An IP address of either family as one number in host byte order, so that addresses compare, add
 * and sort as numbers do. An IPv4 address is its IPv4-mapped IPv6 address (RFC 4291 2.5.5.2), which
 * never stands on a wire: ::ffff:192.0.2.1 is 192.0.2.1 here and nothing else.
 */
#ifndef DP_IP_H
#define DP_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 dp_u128;
typedef dp_u128 dp_ip;

#define DP_IP_V4_FIRST ((dp_ip)0xffff << 32)
#define DP_IP_V4_LAST (DP_IP_V4_FIRST | UINT32_MAX)
#define DP_U128_MAX (~(dp_u128)0)

enum {
	DP_IP_TEXT_BYTES = 46, /* the longest text of an address, with its NUL */
	DP_U128_TEXT_BYTES = 40, /* of a number */
};

static inline dp_ip dp_ip_v4(uint32_t v4) {
	return DP_IP_V4_FIRST | v4;
}

static inline dp_ip dp_ip_v6(uint64_t high, uint64_t low) {
	return (dp_ip)high << 64 | low;
}

static inline bool dp_ip_is_v4(dp_ip ip) {
	return (uint64_t)(ip >> 64) == 0 && (uint64_t)ip >> 32 == 0xffff;
}

/* The 32 bits of an IPv4 address. */
static inline uint32_t dp_ip_to_v4(dp_ip ip) {
	return (uint32_t)ip;
}

/* The 16 bytes of an IPv6 header, and back. */
static inline dp_ip dp_ip_get_v6(const uint8_t *p) {
	uint64_t high, low;

	__builtin_memcpy(&high, p, 8);
	__builtin_memcpy(&low, p + 8, 8);
	return dp_ip_v6(__builtin_bswap64(high), __builtin_bswap64(low));
}

static inline void dp_ip_put_v6(uint8_t *p, dp_ip ip) {
	uint64_t high = __builtin_bswap64((uint64_t)(ip >> 64));
	uint64_t low = __builtin_bswap64((uint64_t)ip);

	__builtin_memcpy(p, &high, 8);
	__builtin_memcpy(p + 8, &low, 8);
}

/* As people write it: dotted, or by RFC 5952. Returns the text's length. */
unsigned dp_ip_write(dp_ip ip, char text[static DP_IP_TEXT_BYTES]);

/*
 * Read @length bytes that are one address and nothing else; no zone (`%eth0`), and no mapped IPv4
 * (`::ffff:192.0.2.1`: write 192.0.2.1). 0 or -EINVAL.
 */
int dp_ip_read(const char *text, size_t length, dp_ip *ip);

/* A decimal number; returns its length. */
unsigned dp_u128_write(dp_u128 value, char text[static DP_U128_TEXT_BYTES]);

#endif
