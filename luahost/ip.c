/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses as text and as bytes. Functions of their arguments, for any process.
 */
#include <lh/ip.h>

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

void lh_ip_put_v6(uint8_t bytes[static 16], lh_ip ip) {
	for (unsigned i = 16; i--; ip >>= 8)
		bytes[i] = (uint8_t)ip;
}

lh_ip lh_ip_get_v6(const uint8_t bytes[static 16]) {
	lh_ip ip = 0;

	for (unsigned i = 0; i < 16; i++)
		ip = ip << 8 | bytes[i];
	return ip;
}

void lh_ip_write(lh_ip ip, char text[static LH_IP_TEXT_BYTES]) {
	const struct in_addr v4 = {htonl(lh_ip_to_v4(ip))};
	uint8_t v6[16];

	if (lh_ip_is_v4(ip)) {
		inet_ntop(AF_INET, &v4, text, LH_IP_TEXT_BYTES);
		return;
	}
	lh_ip_put_v6(v6, ip);
	inet_ntop(AF_INET6, v6, text, LH_IP_TEXT_BYTES);
}

bool lh_ip_read(const char *text, lh_ip *ip) {
	struct in_addr v4;
	uint8_t v6[16];

	if (inet_pton(AF_INET, text, &v4) == 1) {
		*ip = lh_ip_v4(ntohl(v4.s_addr));
		return true;
	}
	if (inet_pton(AF_INET6, text, v6) != 1)
		return false;
	*ip = lh_ip_get_v6(v6);
	return !lh_ip_is_v4(*ip);
}
