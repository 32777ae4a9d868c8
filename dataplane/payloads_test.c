/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The built-in tables: every row fits where it goes, its token lies in it, and ports that must not be
 * spoken to are not. What the bytes mean is what tests/golden/payloads.py asks tshark.
 */
#include "book.h"

#include <criterion/criterion.h>
#include <string.h>

static void check_ports(const char *name, const uint16_t *ports, unsigned nb) {
	cr_assert_gt(nb, 0, "%s", name);
	for (unsigned i = 0; i + 1 < nb; i++)
		cr_assert_lt(ports[i], ports[i + 1], "%s: ports ascend", name);
	cr_assert_gt(ports[0], 0, "%s", name);
}

Test(payloads, rows) {
	unsigned nb, max = 0;
	const struct dp_payload *rows = dp_payloads_builtin(&nb);
	uint8_t seen[65536] = {0};

	cr_assert_geq(nb, 25);
	for (unsigned i = 0; i < nb; i++) {
		check_ports(rows[i].name, rows[i].ports, rows[i].nb_ports);
		cr_assert_gt(rows[i].length, 0, "%s", rows[i].name);
		cr_assert_leq(rows[i].length, DP_PAYLOAD_MAX_BYTES, "%s", rows[i].name);
		for (unsigned j = i + 1; j < nb; j++)
			cr_assert_str_neq(rows[i].name, rows[j].name);
		for (unsigned j = 0; j < rows[i].nb_ports; j++) {
			const unsigned here = ++seen[rows[i].ports[j]];

			max = here > max ? here : max;
		}
	}
	cr_assert_leq(max, 3, "each payload of a port is a probe more");
}

Test(payloads, tokens) {
	unsigned nb;
	const struct dp_payload *rows = dp_payloads_builtin(&nb);

	for (unsigned i = 0; i < nb; i++) {
		const struct dp_payload *p = &rows[i];
		const unsigned length = p->token_bytes * (p->token == DP_TOKEN_HEX ? 2 : 1);
		uint8_t bytes[DP_PAYLOAD_MAX_BYTES];

		if (p->token == DP_TOKEN_NONE) {
			cr_assert_eq(p->token_bytes, 0, "%s", p->name);
			continue;
		}
		cr_assert_geq(p->token_bytes, 1, "%s", p->name);
		cr_assert_leq(p->token_bytes, DP_TOKEN_MAX_BYTES, "%s", p->name);
		cr_assert_leq(p->token_at + length, p->length, "%s", p->name);
		cr_assert_geq(p->reply_at, DP_TOKEN_ANYWHERE, "%s", p->name);
		cr_assert(p->token == DP_TOKEN_BINARY || !p->token_keep, "%s", p->name);

		/* Zeros hold its place, but for the bits that stay: no field was hit by mistake. */
		for (unsigned j = 0; j < length; j++)
			cr_assert_eq(p->bytes[p->token_at + j] & (j ? 0xff : ~p->token_keep & 0xff),
				p->token == DP_TOKEN_HEX ? '0' : 0, "%s: byte %u", p->name, j);

		/* And it is unlike any other one. */
		memcpy(bytes, p->bytes, p->length);
		payload_put_token(p, 0x0123456789abcdef, bytes);
		cr_assert_neq(memcmp(bytes, p->bytes, p->length), 0, "%s", p->name);
		if (p->reply_at == DP_TOKEN_ANYWHERE) {
			cr_assert(payload_echoed(p, 0x0123456789abcdef, bytes, p->length));
			cr_assert_not(payload_echoed(p, 0xfedcba9876543210, bytes, p->length));
		}
	}
}

Test(payloads, hellos) {
	unsigned nb, spoken = 0;
	const struct dp_hello *rows = dp_hellos_builtin(&nb);
	uint8_t seen[65536] = {0};

	for (unsigned i = 0; i < nb; i++) {
		check_ports(rows[i].name, rows[i].ports, rows[i].nb_ports);
		cr_assert_leq(rows[i].length, DP_HELLO_MAX_BYTES, "%s", rows[i].name);
		cr_assert_eq(rows[i].bytes != NULL, rows[i].length != 0, "%s", rows[i].name);
		for (unsigned j = i + 1; j < nb; j++)
			cr_assert_str_neq(rows[i].name, rows[j].name);
		for (unsigned j = 0; j < rows[i].nb_ports; j++)
			cr_assert_eq(++seen[rows[i].ports[j]], 1, "%s: port %u has another row",
				rows[i].name, rows[i].ports[j]);
		spoken += rows[i].length != 0;
	}
	cr_assert_geq(spoken, 12, "HTTP, TLS, and at least ten others");
}

/* A printer prints what it hears, and FTP, SSH and mail servers want to speak first. */
Test(payloads, silence) {
	static const uint16_t quiet[]
		= {21, 22, 23, 25, 110, 143, 515, 587, 3306, 5900, 9100, 9107};
	struct payload_book *book;

	cr_assert_eq(book_create(NULL, 0, NULL, 0, &book), 0);
	for (size_t i = 0; i < sizeof(quiet) / sizeof(quiet[0]); i++)
		for (unsigned pass = 0; pass < 8; pass++)
			cr_assert_eq(
				book_hello(book, quiet[i], pass)->length, 0, "port %u", quiet[i]);
	book_destroy(book);
}

/* Ports that have had an HTTP request since the first version keep it, to the byte. */
Test(payloads, http) {
	static const uint16_t ports[] = {80, 81, 591, 3000, 5000, 5985, 7080, 8000, 8008, 8080,
		8081, 8088, 8888, 9080, 9090, 9200};
	static const char request[] = "GET / HTTP/1.0\r\n\r\n";
	struct payload_book *book;

	cr_assert_eq(book_create(NULL, 0, NULL, 0, &book), 0);
	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		const struct dp_hello *hello = book_hello(book, ports[i], 0);

		cr_assert_eq(hello->length, sizeof(request) - 1, "port %u", ports[i]);
		cr_assert_arr_eq(hello->bytes, request, sizeof(request) - 1);
	}
	book_destroy(book);
}
