/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What may pass the exception path, either way, and the checksums that it completes. Frames end
 * where their memory ends, so that reading on is a crash.
 */
#include "exception_frame.h"
#include "frame_test.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define ARRAY(a) (sizeof(a) / sizeof((a)[0]))

enum {
	TAP_IP = 0xc6130032, /* 198.19.0.50 */
	OTHER_IP = 0xc6130033,
	MAX_FRAME = 256,
	SYN = 0x02,
	ACK = 0x10,
};

struct frame {
	uint8_t bytes[MAX_FRAME];
	unsigned length;
};

static void write16(uint8_t *p, unsigned v) {
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void write32(uint8_t *p, uint32_t v) {
	write16(p, v >> 16);
	write16(p + 2, v & 0xffff);
}

/* @bytes of @protocol in IPv4 with @options words of options. */
static struct frame ipv4(uint32_t from, uint32_t to, unsigned protocol, unsigned bytes,
	unsigned options, unsigned fragment) {
	unsigned header = 20 + 4 * options;
	struct frame f = {.length = 14 + header + bytes};
	uint8_t *ip = f.bytes + 14;

	f.bytes[0] = 0x02;
	write16(f.bytes + 12, 0x0800);
	ip[0] = (uint8_t)(0x45 + options);
	write16(ip + 2, header + bytes);
	write16(ip + 6, fragment);
	ip[8] = 64;
	ip[9] = (uint8_t)protocol;
	write32(ip + 12, from);
	write32(ip + 16, to);
	return f;
}

static struct frame tcp(uint32_t from, uint32_t to, unsigned flags, unsigned options) {
	struct frame f = ipv4(from, to, 6, 20, options, 0);
	uint8_t *segment = f.bytes + 34 + 4 * options;

	write16(segment, 80);
	write16(segment + 2, 51000);
	segment[12] = 0x50;
	segment[13] = (uint8_t)flags;
	return f;
}

static struct frame udp(uint32_t from, uint32_t to, unsigned port) {
	struct frame f = ipv4(from, to, 17, 8, 0, 0);

	write16(f.bytes + 34, 53);
	write16(f.bytes + 36, port);
	write16(f.bytes + 38, 8);
	return f;
}

static struct frame arp(unsigned operation, uint32_t sender, uint32_t target) {
	struct frame f = {.length = 42};
	uint8_t *packet = f.bytes + 14;

	memset(f.bytes, 0xff, 6);
	write16(f.bytes + 12, 0x0806);
	write16(packet + 6, operation);
	write32(packet + 14, sender);
	write32(packet + 24, target);
	return f;
}

static struct frame set(struct frame f, unsigned at, unsigned value) {
	f.bytes[at] = (uint8_t)value;
	return f;
}

static struct frame cut(struct frame f, unsigned length) {
	f.length = length;
	return f;
}

/* Memory of exactly the frame's length. */
static uint8_t *exact(const struct frame *f) {
	uint8_t *copy = malloc(f->length ? f->length : 1);

	memcpy(copy, f->bytes, f->length);
	return copy;
}

struct expected {
	const char *what;
	struct frame frame;
	bool passes;
};

static void check(
	const struct expected *cases, size_t n, bool (*judge)(const uint8_t *, unsigned, dp_ip)) {
	for (size_t i = 0; i < n; i++) {
		uint8_t *frame = exact(&cases[i].frame);

		cr_expect_eq(judge(frame, cases[i].frame.length, dp_ip_v4(TAP_IP)), cases[i].passes,
			"%s", cases[i].what);
		free(frame);
	}
}

Test(exception_frame, arrives) {
	const struct expected cases[] = {
		{"SYN-ACK", tcp(OTHER_IP, TAP_IP, SYN | ACK, 0), true},
		{"data", tcp(OTHER_IP, TAP_IP, ACK, 0), true},
		{"reset", tcp(OTHER_IP, TAP_IP, 0x04, 0), true},
		{"SYN-ACK with IP options", tcp(OTHER_IP, TAP_IP, SYN | ACK, 3), true},
		{"SYN", tcp(OTHER_IP, TAP_IP, SYN, 0), false},
		{"SYN with IP options", tcp(OTHER_IP, TAP_IP, SYN, 10), false},
		{"SYN with ECN flags", tcp(OTHER_IP, TAP_IP, SYN | 0xc0, 0), false},
		{"SYN and FIN", tcp(OTHER_IP, TAP_IP, SYN | 0x01, 0), false},
		{"SYN-ACK for another", tcp(TAP_IP, OTHER_IP, SYN | ACK, 0), false},
		{"TCP, flags cut off", cut(tcp(OTHER_IP, TAP_IP, ACK, 0), 47), false},
		{"TCP, first fragment", set(tcp(OTHER_IP, TAP_IP, ACK, 0), 20, 0x20), true},
		{"SYN, first fragment", set(tcp(OTHER_IP, TAP_IP, SYN, 0), 20, 0x20), false},
		{"TCP, first fragment of 8 bytes", ipv4(OTHER_IP, TAP_IP, 6, 8, 0, 0x2000), false},
		{"TCP, fragment at 8", ipv4(OTHER_IP, TAP_IP, 6, 20, 0, 0x0001), false},
		{"TCP, fragment at 16", ipv4(OTHER_IP, TAP_IP, 6, 20, 0, 0x0002), true},
		{"UDP", udp(OTHER_IP, TAP_IP, 51000), true},
		{"UDP, first port that is not privileged", udp(OTHER_IP, TAP_IP, 1024), true},
		{"UDP to a service", udp(OTHER_IP, TAP_IP, 1023), false},
		{"UDP, cut", cut(udp(OTHER_IP, TAP_IP, 51000), 41), false},
		{"UDP, later fragment", ipv4(OTHER_IP, TAP_IP, 17, 8, 0, 0x0001), true},
		{"ICMP", ipv4(OTHER_IP, TAP_IP, 1, 8, 0, 0), true},
		{"ICMP for another", ipv4(TAP_IP, OTHER_IP, 1, 8, 0, 0), false},
		{"header only", ipv4(OTHER_IP, TAP_IP, 1, 0, 0, 0), true},
		{"header cut", cut(ipv4(OTHER_IP, TAP_IP, 1, 0, 0, 0), 33), false},
		{"header of 16 bytes", set(ipv4(OTHER_IP, TAP_IP, 1, 8, 0, 0), 14, 0x44), false},
		{"header beyond the end", set(ipv4(OTHER_IP, TAP_IP, 1, 8, 0, 0), 14, 0x48), false},
		{"version 6", set(ipv4(OTHER_IP, TAP_IP, 1, 8, 0, 0), 14, 0x65), false},
		{"VLAN", set(tcp(OTHER_IP, TAP_IP, ACK, 0), 12, 0x81), false},
		{"ARP request", arp(1, OTHER_IP, TAP_IP), true},
		{"ARP reply", arp(2, OTHER_IP, TAP_IP), true},
		{"ARP for another", arp(1, TAP_IP, OTHER_IP), false},
		{"ARP, cut", cut(arp(1, OTHER_IP, TAP_IP), 41), false},
		{"Ethernet, cut", cut(arp(1, OTHER_IP, TAP_IP), 13), false},
		{"nothing", cut(arp(1, OTHER_IP, TAP_IP), 0), false},
	};

	check(cases, ARRAY(cases), exception_frame_arrives);
}

Test(exception_frame, leaves) {
	const struct expected cases[] = {
		{"SYN", tcp(TAP_IP, OTHER_IP, SYN, 0), true},
		{"UDP", udp(TAP_IP, OTHER_IP, 53), true},
		{"from another", tcp(OTHER_IP, TAP_IP, SYN, 0), false},
		{"multicast", set(udp(TAP_IP, OTHER_IP, 5353), 0, 0x01), false},
		{"broadcast", set(udp(TAP_IP, OTHER_IP, 67), 0, 0xff), false},
		{"IPv6", set(set(tcp(TAP_IP, OTHER_IP, SYN, 0), 12, 0x86), 13, 0xdd), false},
		{"cut", cut(tcp(TAP_IP, OTHER_IP, SYN, 0), 33), false},
		{"ARP request", arp(1, TAP_IP, OTHER_IP), true},
		{"ARP in another's name", arp(1, OTHER_IP, TAP_IP), false},
		{"ARP, cut", cut(arp(1, TAP_IP, OTHER_IP), 41), false},
		{"nothing", cut(arp(1, TAP_IP, OTHER_IP), 0), false},
	};

	check(cases, ARRAY(cases), exception_frame_leaves);
}

/* The place of the checksum, with the sum of the pseudo-header in it as veth leaves it. */
static uint8_t *make_partial(uint8_t *frame, unsigned options, unsigned protocol, unsigned bytes) {
	uint8_t *field = frame + 34 + 4 * options + (protocol == 6 ? 16 : 6);

	write16(field, reference_pseudo_sum(frame + 14, (uint8_t)protocol, bytes));
	return field;
}

static bool verifies(const uint8_t *frame, unsigned options, unsigned protocol, unsigned bytes) {
	const uint16_t pseudo = reference_pseudo_sum(frame + 14, (uint8_t)protocol, bytes);

	return reference_sum(pseudo, frame + 34 + 4 * options, bytes) == 0xffff;
}

Test(exception_frame, partial_checksums_are_completed) {
	uint64_t random = 1;

	for (unsigned turn = 0; turn < 4000; turn++) {
		unsigned protocol = turn % 2 ? 6 : 17, options = turn / 2 % 11;
		unsigned bytes = (protocol == 6 ? 20 : 8) + (unsigned)(next_random(&random) % 100);
		struct frame f
			= ipv4((uint32_t)next_random(&random), TAP_IP, protocol, bytes, options, 0);
		unsigned trailer = turn % 3; /* padding of the link, not of the packet */
		uint8_t *frame;

		for (unsigned i = 0; i < bytes; i++)
			f.bytes[34 + 4 * options + i] = (uint8_t)next_random(&random);
		make_partial(f.bytes, options, protocol, bytes);
		f.length += trailer;
		frame = exact(&f);
		exception_frame_complete(frame, f.length);
		cr_assert(verifies(frame, options, protocol, bytes), "turn %u", turn);
		free(frame);
	}
}

static void expect_untouched(const char *what, const struct frame *f) {
	uint8_t *frame = exact(f);

	exception_frame_complete(frame, f->length);
	cr_expect_eq(memcmp(frame, f->bytes, f->length), 0, "%s", what);
	free(frame);
}

Test(exception_frame, other_checksums_stay) {
	struct frame good = tcp(OTHER_IP, TAP_IP, ACK, 0), bad, partial = good, f;

	reference_fix_checksums(good.bytes + 14, 40);
	expect_untouched("complete", &good);
	bad = set(good, 53, 0x55);
	expect_untouched("wrong", &bad);
	make_partial(partial.bytes, 0, 6, 20);
	f = set(partial, 20, 0x20);
	expect_untouched("first fragment", &f);
	f = set(partial, 21, 0x01);
	expect_untouched("later fragment", &f);
	f = cut(partial, 53);
	expect_untouched("cut", &f);
	f = set(partial, 17, 39);
	expect_untouched("total length below the headers", &f);
	f = set(partial, 23, 132);
	expect_untouched("SCTP", &f);
	f = udp(OTHER_IP, TAP_IP, 51000);
	expect_untouched("UDP without a checksum", &f);
}

/* RFC 768: a computed 0 goes as 0xffff, as 0 would say that there is none. */
Test(exception_frame, udp_checksum_is_never_0) {
	struct frame f = ipv4(OTHER_IP, TAP_IP, 17, 10, 0, 0);
	uint8_t *field = f.bytes + 40;
	uint16_t sum;

	write16(f.bytes + 38, 10);
	sum = reference_sum(reference_pseudo_sum(f.bytes + 14, 17, 10), f.bytes + 34, 10);
	write16(f.bytes + 42, 0xffff - sum); /* the sum of all is 0xffff, its complement 0 */
	make_partial(f.bytes, 0, 17, 10);
	exception_frame_complete(f.bytes, f.length);
	cr_assert_eq(field[0], 0xff);
	cr_assert_eq(field[1], 0xff);
}

/* A complete checksum that happens to be the pseudo-header's sum is none of ours to mend. */
Test(exception_frame, complete_checksum_that_looks_partial) {
	struct frame f = ipv4(OTHER_IP, TAP_IP, 17, 10, 0, 0);
	uint16_t sum;

	write16(f.bytes + 38, 10);
	make_partial(f.bytes, 0, 17, 10);
	sum = reference_sum(reference_pseudo_sum(f.bytes + 14, 17, 10), f.bytes + 34, 10);
	write16(f.bytes + 42, 0xffff - sum);
	cr_assert(verifies(f.bytes, 0, 17, 10));
	expect_untouched("looks partial", &f);
}

Test(exception_frame, any_bytes) {
	uint64_t random = 2;

	for (unsigned turn = 0; turn < 20000; turn++) {
		struct frame f = tcp(OTHER_IP, TAP_IP, ACK, turn % 11);
		uint8_t *frame;

		for (unsigned i = 0; i < 4; i++)
			f.bytes[12 + next_random(&random) % 40] = (uint8_t)next_random(&random);
		f.length = (unsigned)(next_random(&random) % (f.length + 1));
		frame = exact(&f);
		exception_frame_arrives(frame, f.length, dp_ip_v4(TAP_IP));
		exception_frame_leaves(frame, f.length, dp_ip_v4(TAP_IP));
		exception_frame_complete(frame, f.length);
		free(frame);
	}
}

/* A copy of @f with a tag of @tci. */
static struct frame tagged(const struct frame *f, unsigned tci) {
	struct frame t = {.length = f->length + 4};

	memcpy(t.bytes, f->bytes, 12);
	write16(t.bytes + 12, 0x8100);
	write16(t.bytes + 14, tci);
	memcpy(t.bytes + 16, f->bytes + 12, f->length - 12);
	return t;
}

Test(exception_frame, tags) {
	const struct frame f = tcp(OTHER_IP, TAP_IP, SYN | ACK, 0);
	const struct frame of_100 = tagged(&f, 0x6000 | 100), priority = tagged(&f, 0x6000);
	struct frame out = of_100;
	unsigned length = out.length;
	uint8_t *frame;

	cr_assert_eq(exception_frame_tag_bytes(f.bytes, f.length, 0), 0);
	cr_assert_lt(exception_frame_tag_bytes(f.bytes, f.length, 100), 0);
	cr_assert_eq(exception_frame_tag_bytes(of_100.bytes, of_100.length, 100), 4);
	cr_assert_lt(exception_frame_tag_bytes(of_100.bytes, of_100.length, 101), 0);
	cr_assert_lt(exception_frame_tag_bytes(of_100.bytes, of_100.length, 0), 0);
	cr_assert_eq(exception_frame_tag_bytes(priority.bytes, priority.length, 0), 4);
	cr_assert_lt(exception_frame_tag_bytes(of_100.bytes, 17, 100), 0, "cut");
	cr_assert(exception_frame_arrives(of_100.bytes + 4, of_100.length - 4, dp_ip_v4(TAP_IP)));

	frame = exception_frame_untag(out.bytes, &length);
	cr_assert(length == f.length && memcmp(frame, f.bytes, length) == 0);
	frame = exception_frame_untag(frame, &length);
	cr_assert(length == f.length && memcmp(frame, f.bytes, length) == 0, "no tag, no change");

	memcpy(out.bytes + 4, f.bytes, f.length);
	cr_assert_eq(exception_frame_tag(out.bytes, f.length, 0x6000 | 100), of_100.length);
	cr_assert_arr_eq(out.bytes, of_100.bytes, of_100.length);
	memcpy(out.bytes + 4, f.bytes, f.length);
	cr_assert_eq(exception_frame_tag(out.bytes, f.length, 0), f.length);
	cr_assert_arr_eq(out.bytes, f.bytes, f.length);
}
