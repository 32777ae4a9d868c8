/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The payload book: whose entries a port has and in which order, what ports get that nobody names,
 * and that a token is written where it belongs and known again in a reply.
 */
#include "book.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define PORTS(...)                                                                                 \
	.ports = (const uint16_t[]){__VA_ARGS__},                                                  \
	.nb_ports = sizeof((const uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t)

static struct payload_book *make(const struct dp_payload *payloads, unsigned nb_payloads,
	const struct dp_hello *hellos, unsigned nb_hellos) {
	struct payload_book *book;

	cr_assert_eq(book_create(payloads, nb_payloads, hellos, nb_hellos, &book), 0);
	return book;
}

/* How many of the built-in payloads name @port. */
static unsigned builtin_payloads(uint16_t port) {
	unsigned nb, found = 0;
	const struct dp_payload *rows = dp_payloads_builtin(&nb);

	for (unsigned i = 0; i < nb; i++)
		for (unsigned j = 0; j < rows[i].nb_ports; j++)
			found += rows[i].ports[j] == port;
	return found;
}

Test(book, builtin_payloads) {
	struct payload_book *book = make(NULL, 0, NULL, 0);
	unsigned max = 1;

	for (unsigned port = 0; port < 65536; port++) {
		const unsigned nb = builtin_payloads((uint16_t)port);

		cr_assert_eq(book_payloads(book, (uint16_t)port), nb ? nb : 1, "port %u", port);
		cr_assert_eq(book_payload(book, (uint16_t)port, 0)->length != 0, nb != 0);
		max = nb > max ? nb : max;
	}
	cr_assert_eq(book_payloads_max(book), max);
	cr_assert_eq(book_longest_payload(book), 1200, "QUIC's, RFC 9000 14.1");
	cr_assert_str_eq(book_payload(book, 161, 0)->name, "snmp-v2c");
	cr_assert_str_eq(book_payload(book, 161, 1)->name, "snmp-v3");
	cr_assert_str_eq(book_payload(book, 161, 2)->name, "snmp-v1");
	cr_assert_str_eq(book_payload(book, 161, 3)->name, "snmp-v2c");
	cr_assert_str_eq(book_payload(book, 53, 127)->name, "dns");
	cr_assert_str_eq(book_payload(book, 9, 5)->name, "empty");
	book_destroy(book);
}

Test(book, builtin_hellos) {
	static const struct {
		uint16_t port;
		const char *name[2];
	} known[] = {
		{80, {"http", "http"}},
		{443, {"tls", "tls"}},
		{22, {"silence", "silence"}},
		{9100, {"silence", "silence"}},
		{6009, {"x11", "x11"}},
		{6010, {"silence", "http"}},
		{0, {"silence", "http"}},
		{65535, {"silence", "http"}},
	};
	struct payload_book *book = make(NULL, 0, NULL, 0);

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		for (unsigned pass = 0; pass < 6; pass++) {
			const struct dp_hello *hello = book_hello(book, known[i].port, pass);

			cr_assert_str_eq(hello->name, known[i].name[pass % 2], "port %u, pass %u",
				known[i].port, pass);
			cr_assert_eq(hello->length == 0, !strcmp(hello->name, "silence"));
		}
	book_destroy(book);
}

Test(book, operator_replaces) {
	const struct dp_payload mine[] = {
		{.name = "a", PORTS(53, 161), .bytes = (const uint8_t *)"aaaa", .length = 4},
		{.name = "none", PORTS(123)},
		{.name = "b",
			PORTS(161, 162, 65535, 0),
			.bytes = (const uint8_t *)"b",
			.length = 1},
	};
	const struct dp_hello hellos[] = {
		{.name = "x", PORTS(80, 4), .bytes = (const uint8_t *)"x", .length = 1},
		{.name = "y", PORTS(80), .bytes = (const uint8_t *)"y", .length = 1},
		{.name = "z", PORTS(80)},
		{.name = "quiet", PORTS(443)},
	};
	struct payload_book *book = make(mine, 3, hellos, 4);

	cr_assert_eq(book_payloads(book, 53), 1);
	cr_assert_str_eq(book_payload(book, 53, 0)->name, "a");
	cr_assert_eq(book_payloads(book, 161), 2);
	cr_assert_str_eq(book_payload(book, 161, 0)->name, "a");
	cr_assert_str_eq(book_payload(book, 161, 1)->name, "b");
	cr_assert_str_eq(book_payload(book, 161, 2)->name, "a");
	cr_assert_str_eq(book_payload(book, 123, 0)->name, "none");
	for (unsigned i = 0; i < 3; i++)
		cr_assert_str_eq(
			book_payload(book, (const uint16_t[]){0, 162, 65535}[i], 0)->name, "b");
	cr_assert_str_eq(book_payload(book, 69, 0)->name, "tftp", "other ports keep theirs");
	cr_assert_eq(book_payloads_max(book), 2, "SNMP's three are gone");

	cr_assert_str_eq(book_hello(book, 80, 0)->name, "x");
	cr_assert_str_eq(book_hello(book, 80, 1)->name, "y");
	cr_assert_str_eq(book_hello(book, 80, 2)->name, "z");
	cr_assert_str_eq(book_hello(book, 80, 3)->name, "x");
	cr_assert_str_eq(book_hello(book, 4, 1)->name, "x", "no HTTP behind it");
	cr_assert_str_eq(book_hello(book, 443, 9)->name, "quiet");
	cr_assert_str_eq(book_hello(book, 81, 0)->name, "http");
	book_destroy(book);
}

Test(book, no_more_than_fit) {
	static const uint16_t port = 7;
	struct dp_payload mine[DP_PAYLOADS_A_PORT + 2];
	struct payload_book *book;

	for (unsigned i = 0; i < DP_PAYLOADS_A_PORT + 2; i++)
		mine[i] = (struct dp_payload){.name = "x", .ports = &port, .nb_ports = 1};
	book = make(mine, DP_PAYLOADS_A_PORT + 2, NULL, 0);
	cr_assert_eq(book_payloads(book, 7), DP_PAYLOADS_A_PORT);
	cr_assert_eq(book_payload(book, 7, DP_PAYLOADS_A_PORT - 1), &mine[DP_PAYLOADS_A_PORT - 1]);
	cr_assert_eq(book_payload(book, 7, DP_PAYLOADS_A_PORT), &mine[0]);
	book_destroy(book);
	book_destroy(NULL);
}

/* ---- Tokens ---- */

static const uint8_t text[] = "abcdefghijklmnopqrst";

Test(book, binary_token) {
	const struct dp_payload payload = {.bytes = text,
		.length = 20,
		.token = DP_TOKEN_BINARY,
		.token_at = 4,
		.token_bytes = 3,
		.reply_at = 1};
	uint8_t bytes[20];

	memcpy(bytes, text, 20);
	payload_put_token(&payload, 0x8877665544332211, bytes);
	cr_assert_arr_eq(bytes, "abcd\x11\x22\x33hijklmnopqrst", 20);

	cr_assert(
		payload_echoed(&payload, 0x8877665544332211, (const uint8_t *)"x\x11\x22\x33", 4));
	cr_assert(payload_echoed(
		&payload, 0x8877665544332211, (const uint8_t *)"x\x11\x22\x33yz", 6));
	cr_assert(payload_echoed(&payload, 0x332211, (const uint8_t *)"x\x11\x22\x33", 4));
	cr_assert_not(payload_echoed(&payload, 0x332210, (const uint8_t *)"x\x11\x22\x33", 4));
	cr_assert_not(payload_echoed(&payload, 0x332211, (const uint8_t *)"x\x11\x22\x33", 3));
	cr_assert_not(payload_echoed(&payload, 0x332211, (const uint8_t *)"\x11\x22\x33", 3));
	cr_assert_not(payload_echoed(&payload, 0x332211, (const uint8_t *)"\x11\x22\x33zz", 5));
	cr_assert_not(payload_echoed(&payload, 0x332211, NULL, 0));
}

Test(book, kept_bits) {
	const struct dp_payload payload = {.bytes = (const uint8_t *)"\x40\x00",
		.length = 2,
		.token = DP_TOKEN_BINARY,
		.token_bytes = 2,
		.token_keep = 0xc0,
		.reply_at = 0};
	uint8_t bytes[2] = {0x40, 0};

	payload_put_token(&payload, 0xffff, bytes);
	cr_assert_eq(bytes[0], 0x7f);
	cr_assert_eq(bytes[1], 0xff);
	cr_assert(payload_echoed(&payload, 0xffff, bytes, 2));
	cr_assert_not(payload_echoed(&payload, 0xffff, (const uint8_t *)"\xff\xff", 2));
	payload_put_token(&payload, 0, bytes);
	cr_assert_eq(bytes[0], 0x40);
	cr_assert(payload_echoed(&payload, 0, bytes, 2));
}

Test(book, hex_token_anywhere) {
	const struct dp_payload payload = {.bytes = text,
		.length = 20,
		.token = DP_TOKEN_HEX,
		.token_at = 2,
		.token_bytes = 8,
		.reply_at = DP_TOKEN_ANYWHERE};
	const uint64_t random = 0xfedcba9876543210;
	uint8_t bytes[20];
	const uint8_t *reply;

	memcpy(bytes, text, 20);
	payload_put_token(&payload, random, bytes);
	cr_assert_arr_eq(bytes, "ab0123456789abcdefst", 20);
	reply = (const uint8_t *)"0120123456789abcdef";
	cr_assert(payload_echoed(&payload, random, reply, 19));
	cr_assert(payload_echoed(&payload, random, reply + 3, 16));
	cr_assert_not(payload_echoed(&payload, random, reply, 18));
	cr_assert_not(payload_echoed(&payload, random, reply + 4, 15));
	cr_assert_not(payload_echoed(&payload, random ^ 1, reply, 19));
}

Test(book, no_token) {
	const struct dp_payload payload = {.bytes = text, .length = 20};
	uint8_t bytes[20];

	memcpy(bytes, text, 20);
	payload_put_token(&payload, UINT64_MAX, bytes);
	cr_assert_arr_eq(bytes, text, 20);
	cr_assert(payload_echoed(&payload, UINT64_MAX, NULL, 0), "an empty reply will do");
}
