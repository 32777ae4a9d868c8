/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files of payloads and hellos. The first byte says which. What was read keeps its limits, and a token
 * lies within its payload: one that is written there is found in a reply that repeats it.
 */
#include "book.h"
#include "fuzz.h"
#include "payload_file.h"

static void check_ports(const uint16_t *port, unsigned nb) {
	FUZZ_ASSERT(nb > 0);
	for (unsigned i = 0; i < nb; i++)
		FUZZ_ASSERT(i == 0 || port[i - 1] < port[i]);
}

static void check_payload(const struct dp_payload *payload) {
	const unsigned token = payload->token == DP_TOKEN_HEX ? 2u * payload->token_bytes
		: payload->token == DP_TOKEN_BINARY	      ? payload->token_bytes
							      : 0;
	const unsigned reply_at
		= payload->reply_at == DP_TOKEN_ANYWHERE ? 0 : (unsigned)payload->reply_at;
	uint8_t *packet, *reply;

	FUZZ_ASSERT(payload->length <= DP_PAYLOAD_MAX_BYTES);
	FUZZ_ASSERT(payload->token_bytes <= DP_TOKEN_MAX_BYTES);
	FUZZ_ASSERT(!token || payload->token_at + token <= payload->length);
	check_ports(payload->ports, payload->nb_ports);
	if (!payload->length)
		return;
	packet = malloc(payload->length);
	reply = calloc(1, reply_at + token + 1);
	FUZZ_ASSERT(packet && reply);
	memcpy(packet, payload->bytes, payload->length);
	payload_put_token(payload, UINT64_C(0x0123456789abcdef), packet);
	memcpy(reply + reply_at, packet + payload->token_at, token);
	FUZZ_ASSERT(payload_echoed(payload, UINT64_C(0x0123456789abcdef), reply, reply_at + token));
	FUZZ_ASSERT(!token
		|| !payload_echoed(
			payload, UINT64_C(0x0123456789abcdef), reply, reply_at + token - 1));
	free(packet);
	free(reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct payload_file *file;
	struct dp_error err = {0};
	const struct dp_payload *payload;
	const struct dp_hello *hello;
	struct payload_book *book;
	unsigned nb_payloads, nb_hellos;

	if (!size)
		return 0;
	if (payload_file_parse("F", (const char *)data + 1, size - 1,
		    data[0] & 1 ? PAYLOAD_FILE_HELLO : PAYLOAD_FILE_UDP, &file, &err)) {
		FUZZ_ASSERT(err.text[0]);
		return 0;
	}
	payload = payload_file_payloads(file, &nb_payloads);
	hello = payload_file_hellos(file, &nb_hellos);
	for (unsigned i = 0; i < nb_payloads; i++)
		check_payload(&payload[i]);
	for (unsigned i = 0; i < nb_hellos; i++) {
		FUZZ_ASSERT(hello[i].length <= DP_HELLO_MAX_BYTES);
		check_ports(hello[i].ports, hello[i].nb_ports);
	}
	if (nb_payloads + nb_hellos && data[0] & 2) {
		FUZZ_ASSERT(book_create(payload, nb_payloads, hello, nb_hellos, &book) == 0);
		for (unsigned i = 0; i < nb_payloads; i++)
			FUZZ_ASSERT(book_payload(book, payload[i].ports[0], 0));
		book_destroy(book);
	}
	payload_file_destroy(file);
	return 0;
}
