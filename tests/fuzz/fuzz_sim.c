/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames that the simulated network gets, which may come from a port of another machine (bench/world). The first
 * byte says what the hosts are like. What it answers fits its room and is the scanner's, and what it repeats of the
 * frame lies within it. The mutator starts from the probes of all scan types and mends checksums.
 */
#include "fuzz.h"
#include "scan_test.h"

enum {
	MOST_TYPES = 16, /* of scans */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static uint8_t out[SIM_FRAME_ROOM], note_bytes[SIM_NOTE_MAX];
	struct sim_hosts hosts = {.params = {.alive = 1, .open = 1, .seed = 42},
		.scanner_mac = OUR_MAC,
		.book = builtin_book()};
	const uint8_t *frame = data + 1, *note = NULL;
	struct sim_reply reply;
	enum sim_taken taken;
	unsigned length;

	if (size < 1 || size > ROOM)
		return 0;
	length = (unsigned)size - 1;
	hosts.params.banners = data[0] & 1;
	hosts.params.open = data[0] & 2 ? 1 : 0.5;
	sim_is_damaged(&hosts, frame, length);
	taken = sim_take(&hosts, frame, length, &reply, &note);
	if ((taken != SIM_REQUEST && taken != SIM_CONNECTION) || reply.kind == SIM_NOTHING)
		return 0;
	FUZZ_ASSERT(reply.kind < SIM_KINDS && reply.note_bytes <= SIM_NOTE_MAX);
	if (reply.note_bytes) {
		FUZZ_ASSERT(note >= frame && note + reply.note_bytes <= frame + length);
		memcpy(note_bytes, note, reply.note_bytes);
	}
	length = sim_write(&hosts, &reply, note_bytes, out);
	FUZZ_ASSERT(length >= ETH_BYTES && length <= SIM_FRAME_ROOM);
	FUZZ_ASSERT(mac_get(out) == OUR_MAC);
	return 0;
}

/* A probe of any scan type to a host, as it is sent. */
static size_t take_probe(uint8_t *data, uint64_t *state) {
	const unsigned k = (unsigned)(next(state) % (2 * MOST_TYPES));
	const struct dp_scan_type *scan = dp_scan_at(k / 2);
	const enum family family = k & 1 ? FAMILY_V6 : FAMILY_V4;
	static struct lab lab[2 * MOST_TYPES]; /* opened when first needed */
	const struct probe_type *type;
	const struct probe_module *module;
	const struct dp_target target = {.ip = family == FAMILY_V6
			? dp_ip_v6(UINT64_C(0x20010db800000000), next(state) & 255)
			: dp_ip_v4(0xc6120000 + (next(state) & 255)),
		.port = next(state) & 1 ? 53 : 80};
	uint8_t *packet = data + 1 + ETH_BYTES;
	struct probe_sums sums;
	uint16_t length;

	if (!scan || !probe_type_of(scan)->nb_steps[family])
		return 0;
	type = probe_type_of(scan);
	module = type->step[family][next(state) % type->nb_steps[family]].module;
	length = module->packet_bytes[family];
	if (!lab[k].book)
		open_lab(&lab[k], type, family, true);
	data[0] = (uint8_t)next(state);
	eth_put(data + 1, 0x020000000001, OUR_MAC, 0,
		family == FAMILY_V6		      ? ETH_TYPE_IPV6
			: module->protocol[FAMILY_V4] ? ETH_TYPE_IPV4
						      : ETH_TYPE_ARP);
	memset(packet, 0, PROBE_ROOM);
	module->prepare(&lab[k].scan.env, family, packet, &sums);
	module->make(&lab[k].scan.env, family, &sums, &packet, &length, &target, 1, CLOCK_US);
	return 1u + ETH_BYTES + length;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
	uint64_t state = seed;

	if (max_size >= 1 + ETH_BYTES + PROBE_ROOM && (size < 20 || next(&state) % 64 == 0)) {
		const size_t taken = take_probe(data, &state);

		if (taken)
			size = taken;
	}
	size = LLVMFuzzerMutate(data, size, max_size);
	if (size > 1 + ETH_BYTES && next(&state) & 7)
		put_sums(data + 1, (unsigned)(size - 1));
	return size;
}
