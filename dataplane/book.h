/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The payload book: which UDP payloads and which hellos belong to a port, the operator's in front of
 * the built-in ones. Made once before the lcores run, read-only then.
 *
 * Where the operator names a port, the built-in entries of that port are gone: who wants one of them
 * besides his own writes it into his file. Entries of a port keep the order of their table; those
 * beyond DP_PAYLOADS_A_PORT are left out.
 *
 * A port that no UDP payload names has the empty datagram. One that no hello names has two: silence,
 * as servers there may speak first, then an HTTP request at the next transmission.
 */
#ifndef BOOK_H
#define BOOK_H

#include <dp/payload.h>

struct payload_book;

/* Keeps pointers into what it is given, which must outlive it. 0 or -ENOMEM. */
int book_create(const struct dp_payload *payloads, unsigned nb_payloads,
	const struct dp_hello *hellos, unsigned nb_hellos, struct payload_book **book);
void book_destroy(struct payload_book *book); /* NULL is fine */

/* How many payloads a port has, 1 to DP_PAYLOADS_A_PORT; and the most that any port has. */
unsigned book_payloads(const struct payload_book *book, uint16_t port);
unsigned book_payloads_max(const struct payload_book *book);

/* The payload of transmission @pass to @port; never NULL. Any lcore. */
const struct dp_payload *book_payload(
	const struct payload_book *book, uint16_t port, unsigned pass);

/* The hello on a connection that transmission @pass opened; never NULL. Any lcore. */
const struct dp_hello *book_hello(const struct payload_book *book, uint16_t port, unsigned pass);

/* Bytes of the longest payload. */
unsigned book_longest_payload(const struct payload_book *book);

/* Write the token of @random into the payload's copy at @bytes; nothing where it has none. */
void payload_put_token(const struct dp_payload *payload, uint64_t random, uint8_t *bytes);

/* Whether @bytes of a datagram of it carry the token of @random; false where it has none. */
bool payload_carries(
	const struct dp_payload *payload, uint64_t random, const uint8_t *datagram, unsigned bytes);

/* Whether a reply repeats the token of @random where it has to; true where the payload has none. */
bool payload_echoed(
	const struct dp_payload *payload, uint64_t random, const uint8_t *reply, unsigned bytes);

#endif
