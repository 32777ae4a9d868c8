/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An IP address of either family as one number in host byte order; an IPv4 address is its
 * IPv4-mapped IPv6 address (RFC 4291 2.5.5.2), which stands for nothing else. The packet core has the
 * same representation under a name of its own, so that the two need not know each other.
 */
#ifndef LH_IP_H
#define LH_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

__extension__ typedef unsigned __int128 lh_ip;

enum {
	LH_IP_TEXT_BYTES = 46, /* the longest text of an address, with its NUL */
};

static inline lh_ip lh_ip_v4(uint32_t v4) {
	return (lh_ip)0xffff << 32 | v4;
}

static inline lh_ip lh_ip_v6(uint64_t high, uint64_t low) {
	return (lh_ip)high << 64 | low;
}

static inline bool lh_ip_is_v4(lh_ip ip) {
	return ip >> 32 == 0xffff;
}

/* The 32 bits of an IPv4 address. */
static inline uint32_t lh_ip_to_v4(lh_ip ip) {
	return (uint32_t)ip;
}

/* The 16 bytes of an IPv6 address as it stands on a wire, and back. */
void lh_ip_put_v6(uint8_t bytes[static 16], lh_ip ip);
lh_ip lh_ip_get_v6(const uint8_t bytes[static 16]);

/* Dotted, or by RFC 5952. */
void lh_ip_write(lh_ip ip, char text[static LH_IP_TEXT_BYTES]);

/*
 * Read a text that is one address and nothing else: no zone (`%eth0`), and no mapped IPv4
 * (`::ffff:192.0.2.1`: that is 192.0.2.1). False where it is none.
 */
bool lh_ip_read(const char *text, lh_ip *ip);

#endif
