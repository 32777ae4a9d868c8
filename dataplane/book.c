/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The payload book: made on the main thread, then read by every lcore, once a probe and once a
 * response, without a lock.
 *
 * Each of its two shelves maps a port to a run of rows through a table of 65,536 words. Neighbouring
 * ports with the same rows share them, so that a whole shelf of built-in entries stays small.
 */
#include "book.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	PORTS = 65536,
	NB_BITS = 4, /* of a slot: how many rows; the rest is the first one's place */
	NB_MASK = (1 << NB_BITS) - 1,
};

static_assert((int)DP_PAYLOADS_A_PORT <= (int)NB_MASK);

struct shelf {
	uint32_t slot[PORTS];
	const void **row;
};

struct payload_book {
	struct shelf payloads, hellos;
	unsigned payloads_max, longest;
};

/* The rows of every port while a shelf is put together. */
struct draft {
	uint8_t nb[PORTS];
	const void *row[PORTS][DP_PAYLOADS_A_PORT];
};

static const struct dp_payload empty_datagram = {.name = "empty"};
static const struct dp_hello silence = {.name = "silence"};

static void draft_add(
	struct draft *draft, const void *row, const uint16_t *ports, unsigned nb_ports) {
	for (unsigned i = 0; i < nb_ports; i++) {
		uint8_t *nb = &draft->nb[ports[i]];

		if (*nb < DP_PAYLOADS_A_PORT)
			draft->row[ports[i]][(*nb)++] = row;
	}
}

/* Where the operator has said something about a port, what is built in does not count. */
static void draft_merge(struct draft *draft, const struct draft *builtin) {
	for (unsigned port = 0; port < PORTS; port++)
		if (!draft->nb[port]) {
			draft->nb[port] = builtin->nb[port];
			memcpy(draft->row[port], builtin->row[port], sizeof(draft->row[port]));
		}
}

static void draft_payloads(struct draft *draft, const struct dp_payload *payloads, unsigned nb) {
	for (unsigned i = 0; i < nb; i++)
		draft_add(draft, &payloads[i], payloads[i].ports, payloads[i].nb_ports);
}

static void draft_hellos(struct draft *draft, const struct dp_hello *hellos, unsigned nb) {
	for (unsigned i = 0; i < nb; i++)
		draft_add(draft, &hellos[i], hellos[i].ports, hellos[i].nb_ports);
}

/* What ports get that nobody names. */
static void draft_rest(struct draft *draft, const void *first, const void *second) {
	for (unsigned port = 0; port < PORTS; port++) {
		if (draft->nb[port])
			continue;
		draft->row[port][draft->nb[port]++] = first;
		if (second)
			draft->row[port][draft->nb[port]++] = second;
	}
}

static bool draft_same(const struct draft *draft, unsigned port, unsigned other) {
	return draft->nb[port] == draft->nb[other]
		&& !memcmp(draft->row[port], draft->row[other],
			draft->nb[port] * sizeof(draft->row[port][0]));
}

/* Walk over the draft; twice: first to count the rows, then to write them. */
static unsigned shelf_fill(struct shelf *shelf, const struct draft *draft) {
	unsigned nb = 0;

	for (unsigned port = 0; port < PORTS; port++) {
		if (port && draft_same(draft, port, port - 1)) {
			shelf->slot[port] = shelf->slot[port - 1];
			continue;
		}
		shelf->slot[port] = nb << NB_BITS | draft->nb[port];
		if (shelf->row)
			memcpy(&shelf->row[nb], draft->row[port],
				draft->nb[port] * sizeof(draft->row[port][0]));
		nb += draft->nb[port];
	}
	return nb;
}

static int shelf_make(struct shelf *shelf, const struct draft *draft) {
	const unsigned nb = shelf_fill(shelf, draft);

	shelf->row = calloc(nb, sizeof(shelf->row[0]));
	if (!shelf->row)
		return -ENOMEM;
	shelf_fill(shelf, draft);
	return 0;
}

static unsigned shelf_nb(const struct shelf *shelf, uint16_t port) {
	return shelf->slot[port] & NB_MASK;
}

static const void *shelf_at(const struct shelf *shelf, uint16_t port, unsigned pass) {
	const uint32_t slot = shelf->slot[port];
	const unsigned nb = slot & NB_MASK;

	/* Nearly all ports have one; spare them the division. */
	return shelf->row[(slot >> NB_BITS) + (nb == 1 ? 0 : pass % nb)];
}

static void book_measure(struct payload_book *book) {
	for (unsigned port = 0; port < PORTS; port++) {
		const unsigned nb = shelf_nb(&book->payloads, (uint16_t)port);

		if (nb > book->payloads_max)
			book->payloads_max = nb;
		for (unsigned i = 0; i < nb; i++) {
			const struct dp_payload *payload
				= shelf_at(&book->payloads, (uint16_t)port, i);

			if (payload->length > book->longest)
				book->longest = payload->length;
		}
	}
}

/* The hello that unknown ports get in the end. */
static const struct dp_hello *find_http(void) {
	unsigned nb;
	const struct dp_hello *hellos = dp_hellos_builtin(&nb);

	for (unsigned i = 0; i < nb; i++)
		if (!strcmp(hellos[i].name, "http"))
			return &hellos[i];
	return NULL;
}

static int book_fill(struct payload_book *book, struct draft draft[2],
	const struct dp_payload *payloads, unsigned nb_payloads, const struct dp_hello *hellos,
	unsigned nb_hellos) {
	const struct dp_payload *builtin_payloads;
	const struct dp_hello *builtin_hellos;
	unsigned nb;
	int ret;

	draft_payloads(&draft[0], payloads, nb_payloads);
	builtin_payloads = dp_payloads_builtin(&nb);
	draft_payloads(&draft[1], builtin_payloads, nb);
	draft_merge(&draft[0], &draft[1]);
	draft_rest(&draft[0], &empty_datagram, NULL);
	ret = shelf_make(&book->payloads, &draft[0]);
	if (ret < 0)
		return ret;

	memset(draft, 0, 2 * sizeof(draft[0]));
	draft_hellos(&draft[0], hellos, nb_hellos);
	builtin_hellos = dp_hellos_builtin(&nb);
	draft_hellos(&draft[1], builtin_hellos, nb);
	draft_merge(&draft[0], &draft[1]);
	draft_rest(&draft[0], &silence, find_http());
	return shelf_make(&book->hellos, &draft[0]);
}

int book_create(const struct dp_payload *payloads, unsigned nb_payloads,
	const struct dp_hello *hellos, unsigned nb_hellos, struct payload_book **book) {
	struct draft *draft = calloc(2, sizeof(*draft));
	int ret = -ENOMEM;

	*book = calloc(1, sizeof(**book));
	if (*book && draft)
		ret = book_fill(*book, draft, payloads, nb_payloads, hellos, nb_hellos);
	free(draft);
	if (ret < 0) {
		book_destroy(*book);
		*book = NULL;
		return ret;
	}
	book_measure(*book);
	return 0;
}

void book_destroy(struct payload_book *book) {
	if (!book)
		return;
	free(book->payloads.row);
	free(book->hellos.row);
	free(book);
}

unsigned book_payloads(const struct payload_book *book, uint16_t port) {
	return shelf_nb(&book->payloads, port);
}

unsigned book_payloads_max(const struct payload_book *book) {
	return book->payloads_max;
}

const struct dp_payload *book_payload(
	const struct payload_book *book, uint16_t port, unsigned pass) {
	return shelf_at(&book->payloads, port, pass);
}

const struct dp_hello *book_hello(const struct payload_book *book, uint16_t port, unsigned pass) {
	return shelf_at(&book->hellos, port, pass);
}

unsigned book_longest_payload(const struct payload_book *book) {
	return book->longest;
}

/* ---- Tokens ---- */

enum {
	TOKEN_ROOM = 2 * DP_TOKEN_MAX_BYTES,
};

/* The token as it stands in the datagram; returns its length there. */
static unsigned token_write(
	const struct dp_payload *payload, uint64_t random, uint8_t token[static TOKEN_ROOM]) {
	static const char digits[16] = "0123456789abcdef";
	const unsigned n = payload->token_bytes;

	switch (payload->token) {
	case DP_TOKEN_BINARY:
		for (unsigned i = 0; i < n; i++)
			token[i] = (uint8_t)(random >> 8 * i);
		if (payload->token_keep)
			token[0] = (uint8_t)((token[0] & ~payload->token_keep)
				| (payload->bytes[payload->token_at] & payload->token_keep));
		return n;
	case DP_TOKEN_HEX:
		for (unsigned i = 0; i < 2 * n; i++)
			token[i] = (uint8_t)digits[random >> 4 * i & 15];
		return 2 * n;
	default:
		return 0;
	}
}

void payload_put_token(const struct dp_payload *payload, uint64_t random, uint8_t *bytes) {
	uint8_t token[TOKEN_ROOM];
	const unsigned n = token_write(payload, random, token);

	if (n)
		memcpy(bytes + payload->token_at, token, n);
}

bool payload_carries(const struct dp_payload *payload, uint64_t random, const uint8_t *datagram,
	unsigned bytes) {
	uint8_t token[TOKEN_ROOM];
	const unsigned n = token_write(payload, random, token);

	return n && bytes >= payload->token_at + n
		&& !memcmp(datagram + payload->token_at, token, n);
}

bool payload_echoed(
	const struct dp_payload *payload, uint64_t random, const uint8_t *reply, unsigned bytes) {
	uint8_t token[TOKEN_ROOM];
	const unsigned n = token_write(payload, random, token);

	if (!n)
		return true;
	if (n > bytes)
		return false;
	if (payload->reply_at != DP_TOKEN_ANYWHERE)
		return (unsigned)payload->reply_at <= bytes - n
			&& !memcmp(reply + payload->reply_at, token, n);
	for (unsigned at = 0; at <= bytes - n; at++)
		if (reply[at] == token[0] && !memcmp(reply + at, token, n))
			return true;
	return false;
}
