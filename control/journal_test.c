/* SPDX-License-Identifier: BSD-3-Clause */
#include "journal.h"

#include <dp/space.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct seen {
	unsigned pairs, results;
	dp_ip ip;
	uint32_t port;
	char packed[16];
};

static int see_pair(void *user, dp_ip ip, uint32_t port) {
	struct seen *seen = user;

	seen->pairs++;
	seen->ip = ip;
	seen->port = port;
	return 0;
}

static int see_result(void *user, const uint8_t *packed, uint32_t bytes) {
	struct seen *seen = user;

	seen->results++;
	memcpy(seen->packed, packed, bytes < sizeof seen->packed ? bytes : sizeof seen->packed);
	return 0;
}

static struct journal *create(void) {
	struct journal *journal;

	cr_assert_eq(journal_create(5, &journal), 0);
	return journal;
}

Test(journal, entries_come_back) {
	struct journal *journal = create();
	struct seen seen = {0};
	const struct journal_reader reader = {see_pair, see_result, &seen, see_pair};
	const struct journal_segment *segment;
	unsigned nb;

	journal_pair(journal, (dp_ip)7 << 100, 443);
	cr_expect_eq(journal_result(journal, (const uint8_t *)"packed", 7), 5);
	journal_close(journal, 100);
	segment = journal_wanted(journal, 0, &nb);
	cr_assert_eq(nb, 1);
	cr_expect_eq(segment->number, 5);
	cr_assert_eq(journal_read(segment->bytes, segment->n, &reader), 0);
	cr_expect_eq(seen.pairs, 1);
	cr_expect(seen.ip == (dp_ip)7 << 100 && seen.port == 443);
	cr_expect_eq(seen.results, 1);
	cr_expect_str_eq(seen.packed, "packed");
	/* Cut anywhere but between the two, it is none. */
	for (size_t n = 1; n < segment->n; n++)
		cr_expect_eq(
			journal_read(segment->bytes, n, &reader), n == 19 ? 0 : -EBADMSG, "%zu", n);
	journal_destroy(journal);
}

Test(journal, a_segment_is_wanted_while_something_waits) {
	struct journal *journal = create();
	uint64_t number;
	unsigned nb;

	journal_result(journal, (const uint8_t *)"x", 1);
	journal_result(journal, (const uint8_t *)"y", 1);
	journal_close(journal, 100);
	journal_wanted(journal, 1000, &nb);
	cr_assert_eq(nb, 1);
	journal_written(journal);
	journal_done(journal, 5);
	cr_assert_null(journal_wanted(journal, 1000, &nb)->bytes, "it is on the disk");
	cr_expect_eq(nb, 1);
	cr_expect_not(journal_dropped(journal, &number));
	journal_done(journal, 5);
	journal_wanted(journal, 1000, &nb);
	cr_expect_eq(nb, 0);
	cr_assert(journal_dropped(journal, &number));
	cr_expect_eq(number, 5);
	cr_expect_not(journal_dropped(journal, &number));
	journal_destroy(journal);
}

Test(journal, pairs_are_wanted_until_their_probes_are_covered) {
	struct journal *journal = create();
	unsigned nb;

	journal_pair(journal, 1, 1);
	journal_close(journal, 100);
	journal_wanted(journal, 99, &nb);
	cr_expect_eq(nb, 1);
	journal_wanted(journal, 100, &nb);
	cr_expect_eq(nb, 0);
	journal_pair(journal, 1, 1);
	journal_close(journal, JOURNAL_TO_THE_END);
	journal_take_up(journal, 2, 0);
	journal_wanted(journal, JOURNAL_TO_THE_END - 1, &nb);
	cr_expect_eq(nb, 2);
	journal_wanted(journal, JOURNAL_TO_THE_END, &nb);
	cr_expect_eq(nb, 0);
	journal_destroy(journal);
}

/* A result that was left out is in the earlier segment all the same: who reads that has to know. */
Test(journal, what_is_left_out_is_told_as_long_as_it_may_be_read) {
	struct journal *journal = create();
	unsigned nb;

	journal_result(journal, (const uint8_t *)"x", 1);
	journal_result(journal, (const uint8_t *)"y", 1);
	journal_close(journal, 100);
	journal_left_out(journal, 1, 1);
	journal_done(journal, 5);
	journal_close(journal, 100);
	journal_wanted(journal, JOURNAL_TO_THE_END, &nb);
	cr_expect_eq(nb, 2);
	journal_done(journal, 5);
	journal_wanted(journal, JOURNAL_TO_THE_END, &nb);
	cr_expect_eq(nb, 0);
	journal_destroy(journal);
}

Test(journal, an_empty_segment_is_none) {
	struct journal *journal = create();
	unsigned nb;

	journal_close(journal, 1);
	journal_wanted(journal, 0, &nb);
	cr_expect_eq(nb, 0);
	cr_expect_eq(journal_next(journal), 5);
	journal_destroy(journal);
}

/* Pairs of a mix keep their protocol, beside those of before, which have none. */
Test(journal, endpoints) {
	struct journal *journal = create();
	struct seen seen = {0};
	const struct journal_reader reader = {see_pair, see_result, &seen, see_pair};
	const struct journal_segment *segment;
	unsigned nb;

	journal_pair(journal, 5, 80);
	journal_pair(journal, 6, dp_endpoint(DP_PROTO_SCTP, 132));
	journal_close(journal, 100);
	segment = journal_wanted(journal, 0, &nb);
	cr_assert_eq(nb, 1);
	cr_assert_eq(journal_read(segment->bytes, segment->n, &reader), 0);
	cr_expect_eq(seen.pairs, 2);
	cr_expect(seen.ip == 6 && seen.port == dp_endpoint(DP_PROTO_SCTP, 132));
	cr_assert_eq(journal_read(segment->bytes, segment->n - 1, &reader), -EBADMSG);
	journal_destroy(journal);
}
