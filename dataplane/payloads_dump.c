/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes what is built in, for tests that hold it against other programs:
 *
 *     udp NAME PORT HEX TOKEN_HEX REPLY_AT
 *     tcp NAME PORT HEX
 *
 * payloads_dump [RANDOM]: one line for every port; tokens are those of the hexadecimal number
 * RANDOM, and TOKEN_HEX is what a reply has to repeat at REPLY_AT (`any`: somewhere), each `-` where
 * there is no token.
 */
#include "book.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put_hex(const uint8_t *bytes, unsigned n) {
	for (unsigned i = 0; i < n; i++)
		printf("%02x", bytes[i]);
}

static void put_payload(const struct dp_payload *payload, uint16_t port, uint64_t random) {
	uint8_t bytes[DP_PAYLOAD_MAX_BYTES];

	memcpy(bytes, payload->bytes, payload->length);
	payload_put_token(payload, random, bytes);
	printf("udp %s %u ", payload->name, port);
	put_hex(bytes, payload->length);
	if (payload->token == DP_TOKEN_NONE) {
		puts(" - -");
		return;
	}
	putchar(' ');
	put_hex(bytes + payload->token_at,
		payload->token_bytes * (payload->token == DP_TOKEN_HEX ? 2 : 1));
	if (payload->reply_at == DP_TOKEN_ANYWHERE)
		puts(" any");
	else
		printf(" %d\n", payload->reply_at);
}

int main(int argc, char **argv) {
	const uint64_t random = argc > 1 ? strtoull(argv[1], NULL, 16) : 0;
	const struct dp_payload *payloads;
	const struct dp_hello *hellos;
	unsigned nb;

	payloads = dp_payloads_builtin(&nb);
	for (unsigned i = 0; i < nb; i++)
		for (unsigned j = 0; j < payloads[i].nb_ports; j++)
			put_payload(&payloads[i], payloads[i].ports[j], random);
	hellos = dp_hellos_builtin(&nb);
	for (unsigned i = 0; i < nb; i++)
		for (unsigned j = 0; j < hellos[i].nb_ports; j++) {
			printf("tcp %s %u ", hellos[i].name, hellos[i].ports[j]);
			put_hex(hellos[i].bytes, hellos[i].length);
			putchar('\n');
		}
	return fflush(stdout) ? 1 : 0;
}
