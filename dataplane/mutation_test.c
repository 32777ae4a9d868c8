/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every scan type, in both families, with banners and without: probes as their modules make them, the
 * answers that simulated hosts give to them and the errors of routers about them, each changed in a few
 * bits. No byte beyond a frame is read, no reply is longer than its room, and what is believed is
 * about the pair that was probed.
 */
#include "scan_test.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum {
	ROUNDS = 100000, /* of each type; PDP_ROUNDS in the environment has other numbers */
};

static unsigned mutate(uint8_t *frame, unsigned length, uint64_t *state) {
	static const uint8_t favourites[] = {0, 1, 2, 4, 6, 17, 43, 44, 58, 60, 127, 128, 132, 255};
	const unsigned changes = (unsigned)(next(state) >> 62);

	for (unsigned i = 0; i <= changes; i++) {
		const uint64_t r = next(state);
		const unsigned near = length < 100 ? length : 100;
		uint8_t *byte = &frame[(r >> 32) % (r & 8 ? near : length)];

		if (r % 4 == 0)
			*byte = favourites[(r >> 8) % sizeof(favourites)];
		else
			*byte ^= (uint8_t)(1 << (r >> 8) % 8);
	}
	if (next(state) >> 61 == 0)
		length = (unsigned)(next(state) % (length + 20));
	if (next(state) >> 62)
		put_sums(frame, length);
	return length;
}

static unsigned rounds(void) {
	const char *text = getenv("PDP_ROUNDS");

	return text ? (unsigned)strtoul(text, NULL, 10) : ROUNDS;
}

/* Returns how many answers were about somebody else. */
static unsigned change(struct lab *lab, unsigned *kept) {
	static uint8_t *cage;
	const struct frame_meta meta = {.clock_us = CLOCK_US + 1000};
	const unsigned nb_rounds = rounds();
	uint64_t state = nb_rounds; /* other numbers, other changes */
	unsigned strays = 0;

	if (!cage)
		cage = cage_end();
	for (unsigned round = 0; round < nb_rounds; round++) {
		const struct right *right = &lab->right[round % lab->nb_right];
		struct frame_view view;
		uint8_t frame[ROOM];
		enum frame_kind kind;
		unsigned n;

		memset(&view, 0xee, sizeof(view));
		memcpy(frame, right->frame, sizeof(frame));
		n = round < lab->nb_right ? right->length : mutate(frame, right->length, &state);
		memcpy(cage - n, frame, n);
		kind = frame_parse(&lab->scan, cage - n, n, &meta, &view);
		reply_all(&lab->scan, kind, cage - n, &view);
		if (round < lab->nb_right)
			cr_assert(kind == FRAME_ANSWER, "%s: frame %u of %u bytes is kind %d",
				lab->scan.type->scan.name, round, n, kind);
		if (kind != FRAME_ANSWER)
			continue;
		cr_assert(banner_fits(&view, cage - n, n));
		cr_assert_eq(dp_ip_is_v4(view.answer.ip), view.packet.family == FAMILY_V4);
		(*kept)++;
		strays += view.answer.ip != right->ip;
	}
	return strays;
}

static void check_type(const struct probe_type *type, enum family family, bool banners) {
	const enum dp_proto proto = type->scan.proto;
	static struct lab lab;
	unsigned kept = 0, strays, allowed = 0;

	open_lab(&lab, type, family, banners);
	collect(&lab);
	cr_assert_gt(lab.nb_right, 0, "%s says nothing", type->scan.name);
	strays = change(&lab, &kept);
	/*
	 * Eight quoted bytes of UDP or SCTP prove a source port alone, one in 1,024 of these with 16
	 * transmissions; what neighbours say proves nothing.
	 */
	if (proto == DP_PROTO_UDP || proto == DP_PROTO_SCTP)
		allowed = rounds() / 2000;
	if (type->scan.link || type->host)
		allowed = rounds();
	cr_assert_leq(strays, allowed, "%s: %u of %u answers are about somebody else",
		type->scan.name, strays, kept);
	cr_assert_gt(kept, rounds() / 100, "%s: %u answers", type->scan.name, kept);
}

Test(mutation, every_type) {
	const struct dp_scan_type *type;

	for (unsigned i = 0; (type = dp_scan_at(i)); i++)
		for (unsigned k = 0; k < 4; k++) {
			const enum family family = k & 1 ? FAMILY_V6 : FAMILY_V4;

			if (probe_type_of(type)->nb_steps[family])
				check_type(probe_type_of(type), family, k & 2);
		}
}
