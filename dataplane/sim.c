/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulated network's truth: pure functions of its seed, the address and the port.
 */
#include "sim.h"

#include <dp/sim.h>

#include <stdio.h>
#include <string.h>

/* A fixed mix of two words (the finaliser of MurmurHash3, Appleby 2011, run over both). */
uint64_t sim_mix(uint64_t a, uint64_t b) {
	uint64_t z = a ^ (b * 0x9e3779b97f4a7c15u);

	for (unsigned i = 0; i < 2; i++) {
		z = (z ^ (z >> 33)) * 0xff51afd7ed558ccdu;
		z = (z ^ (z >> 33)) * 0xc4ceb9fe1a85ec53u;
		z ^= z >> 33;
		z += b;
	}
	return z;
}

bool sim_chance(uint64_t random, double probability) {
	/* 2^53 values, each a double: 0 never, 1 always. */
	return (double)(random >> 11) * 0x1p-53 < probability;
}

enum dp_sim_state dp_sim_truth(const struct dp_sim_params *params, uint32_t ip, uint16_t port) {
	if (!sim_chance(sim_mix(params->seed, ip), params->alive))
		return DP_SIM_SILENT;
	if (sim_chance(sim_mix(params->seed, UINT64_C(1) << 48 | (uint64_t)ip << 16 | port),
		    params->open))
		return DP_SIM_OPEN;
	return DP_SIM_CLOSED;
}

/* --- banners ---------------------------------------------------------------------------------- */

/* A service's banner under @key, which decides which product it is, and its version. */
typedef unsigned banner_writer(uint64_t key, uint8_t *banner);

static unsigned text(uint8_t *banner, const char *format, unsigned number) {
	int n = snprintf((char *)banner, DP_SIM_BANNER_BYTES, format, number);

	return (unsigned)n < DP_SIM_BANNER_BYTES ? (unsigned)n : DP_SIM_BANNER_BYTES - 1;
}

static unsigned ssh_banner(uint64_t key, uint8_t *banner) {
	return text(banner, key & 1 ? "SSH-2.0-OpenSSH_9.%u\r\n" : "SSH-2.0-dropbear_2022.%u\r\n",
		(unsigned)(key >> 8) % 10);
}

static unsigned ftp_banner(uint64_t key, uint8_t *banner) {
	return text(banner,
		key & 1 ? "220 (vsFTPd 3.0.%u)\r\n" : "220 ProFTPD 1.3.%u Server ready.\r\n",
		(unsigned)(key >> 8) % 9);
}

static unsigned smtp_banner(uint64_t key, uint8_t *banner) {
	return text(banner,
		key & 1 ? "220 mail-%05u.example ESMTP Postfix\r\n"
			: "220 mail-%05u.example ESMTP Exim 4.96\r\n",
		(unsigned)(key >> 8) % 100000);
}

static unsigned http_banner(uint64_t key, uint8_t *banner) {
	return text(banner,
		key & 1 ? "HTTP/1.0 200 OK\r\nServer: nginx/1.%u.0\r\nContent-Length: 0\r\n\r\n"
			: "HTTP/1.0 403 Forbidden\r\nServer: Apache/2.4.%u\r\n"
			  "Content-Length: 0\r\n\r\n",
		(unsigned)(key >> 8) % 60);
}

/* The first packet of MySQL's protocol 10: binary, and no UTF-8. */
static unsigned mysql_banner(uint64_t key, uint8_t *banner) {
	static const char plugin[] = "caching_sha2_password";
	uint8_t *p = banner + 4;

	*p++ = 10; /* protocol */
	p += snprintf((char *)p, 16, "8.0.%u", (unsigned)(key >> 8) % 40) + 1;
	for (unsigned i = 0; i < 12; i++) /* thread, and the first part of the salt */
		*p++ = (uint8_t)(1 + sim_mix(key, i) % 255);
	memcpy(p, "\0\xff\xff\xff\x02\0\xff\xdf\x15", 9); /* abilities, character set, state */
	p += 9;
	memset(p, 0, 10);
	p += 10;
	for (unsigned i = 12; i < 24; i++)
		*p++ = (uint8_t)(1 + sim_mix(key, i) % 255);
	*p++ = 0;
	memcpy(p, plugin, sizeof(plugin));
	p += sizeof(plugin);
	banner[0] = (uint8_t)(p - banner - 4);
	memset(banner + 1, 0, 3);
	return (unsigned)(p - banner);
}

static unsigned no_banner(uint64_t key, uint8_t *banner) {
	return 0;
}

static banner_writer *service_of(uint64_t key, uint16_t port) {
	static const struct {
		uint16_t port;
		banner_writer *writer;
	} known[] = {
		{21, ftp_banner},
		{22, ssh_banner},
		{25, smtp_banner},
		{80, http_banner},
		{443, no_banner}, /* TLS: the client has to begin */
		{587, smtp_banner},
		{2222, ssh_banner},
		{3306, mysql_banner},
		{8000, http_banner},
		{8080, http_banner},
		{8888, http_banner},
	};
	static banner_writer *const any[]
		= {ssh_banner, ftp_banner, smtp_banner, http_banner, mysql_banner, no_banner};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].port == port)
			return known[i].writer;
	return any[key % (sizeof(any) / sizeof(any[0]))];
}

unsigned dp_sim_banner(const struct dp_sim_params *params, uint32_t ip, uint16_t port,
	const uint8_t *said, unsigned said_bytes, uint8_t *banner) {
	uint64_t key = sim_mix(params->seed, UINT64_C(2) << 48 | (uint64_t)ip << 16 | port);
	banner_writer *writer = service_of(key, port);

	if (!params->banners)
		return 0;
	/* A web server waits for a request; the others speak first. */
	if (writer == http_banner && (said_bytes < 4 || memcmp(said, "GET ", 4) != 0))
		return 0;
	return writer(key >> 16, banner);
}
