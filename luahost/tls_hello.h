/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parts of the TLS probe: names of cipher suites, and the parser of a server's first answer. Without
 * Lua, so that the parser can be tested on memory that ends where the bytes end.
 */
#ifndef LH_TLS_HELLO_H
#define LH_TLS_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	TLS_RENEGOTIATION_SCSV = 0x00ff, /* RFC 5746 */
	TLS_FALLBACK_SCSV = 0x5600, /* RFC 7507 */
	SSL2_VERSION_NUMBER = 0x0002,
	SSL3_VERSION_NUMBER = 0x0300,
	TLS10_VERSION_NUMBER = 0x0301,
	TLS12_VERSION_NUMBER = 0x0303,
	TLS13_VERSION_NUMBER = 0x0304,
};

/* ---- Cipher suites ---- */

struct tls_suite {
	uint32_t id; /* over 0xffff: of SSL 2.0 */
	const char *name; /* IANA's */
	const char *openssl; /* NULL: the name that OpenSSL has now, or none */
};

extern const struct tls_suite tls_suites[]; /* ascending */
extern const unsigned tls_nb_suites;

const struct tls_suite *tls_suite_by_id(uint32_t id); /* NULL: unknown */
const struct tls_suite *tls_suite_by_name(
	const char *name); /* IANA's or OpenSSL's; NULL: unknown */

/* Versions that may use it: SSL 2.0's, up to TLS 1.2 from @from on, or TLS 1.3's. */
uint16_t tls_suite_from(const struct tls_suite *suite);

/* How likely a sensible server takes it: 0 the most (of TLS 1.3) to 3 (broken ones). */
unsigned tls_suite_rank(const struct tls_suite *suite);

/* A set of suites: "ALL", "RC4", "EXPORT" ...: a number from 0 on, or -1: there is none. */
int tls_class_by_name(const char *name);
bool tls_class_has(int class, const struct tls_suite *suite);

const char *tls_group_name(uint16_t id); /* "secp256r1"; NULL: unknown */

/* ---- Answers ---- */

enum tls_answer_state {
	TLS_ANSWER_MORE, /* not all here yet */
	TLS_ANSWER_DONE,
	TLS_ANSWER_OTHER, /* no TLS, or broken: @why */
};

struct tls_answer {
	char why[128];
	bool has_alert, has_hello;
	uint8_t alert_level, alert_description;
	/* with @has_hello */
	uint16_t version;
	uint32_t cipher;
	uint8_t compression;
	uint16_t group; /* 0: not told */
	bool hello_retry;
	const uint8_t *alpn; /* NULL: none */
	uint8_t alpn_bytes;
	const uint8_t *extensions; /* a well-formed list of id, length, body */
	size_t extensions_bytes;
};

/*
 * Look at the @n bytes that the server sent so far. @scratch has room for @n bytes, too: what @answer
 * points to is in it. @ssl2: an answer of SSL 2.0 is possible.
 */
enum tls_answer_state tls_answer_parse(
	const uint8_t *bytes, size_t n, bool ssl2, uint8_t *scratch, struct tls_answer *answer);

/*
 * Take the next extension off the front of @list; false at the end, or where it is malformed (then
 * *@left is not 0).
 */
struct tls_extension {
	uint16_t id, bytes;
	const uint8_t *body;
};
bool tls_extension_next(const uint8_t **list, size_t *left, struct tls_extension *extension);

const char *tls_alert_name(uint8_t description); /* "handshake_failure"; NULL: unknown */

#endif
