/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames between the port and the plugins' TAP. The first byte says which VLAN, the rest is a frame. What is
 * let in is to our address and begins nothing; what is let out is from it; a checksum that is completed
 * is right; a tag that was put on comes off again.
 */
#include "exception_frame.h"
#include "frame.h"
#include "fuzz.h"
#include "wire_test.h"

enum {
	ROOM = 2048,
	OURS = 0xc6120007,
};

static uint8_t *copy_of(const uint8_t *bytes, size_t n, size_t headroom) {
	uint8_t *copy = malloc(headroom + n + 1);

	FUZZ_ASSERT(copy);
	if (n)
		memcpy(copy + headroom, bytes, n);
	return copy;
}

static void check_arrives(const uint8_t *frame, unsigned length) {
	const uint8_t *ip = frame + ETH_BYTES;
	unsigned header;

	if (!exception_frame_arrives(frame, length, dp_ip_v4(OURS)))
		return;
	if (get16(frame + ETH_TYPE_AT) == ETH_TYPE_ARP) {
		FUZZ_ASSERT(length >= ETH_BYTES + ARP_BYTES && get32(ip + 24) == OURS);
		return;
	}
	FUZZ_ASSERT(get16(frame + ETH_TYPE_AT) == ETH_TYPE_IPV4 && get32(ip + 16) == OURS);
	header = (ip[0] & 15) * 4u;
	FUZZ_ASSERT(length >= ETH_BYTES + header);
	if (ip[9] != IPV4_TCP || get16(ip + 6) & 0x1fff)
		return;
	FUZZ_ASSERT(length >= ETH_BYTES + header + TCP_BYTES);
	FUZZ_ASSERT((ip[header + 13] & (TCP_SYN | TCP_ACK)) != TCP_SYN);
}

static void check_leaves(const uint8_t *frame, unsigned length) {
	const uint8_t *ip = frame + ETH_BYTES;

	if (!exception_frame_leaves(frame, length, dp_ip_v4(OURS)))
		return;
	if (get16(frame + ETH_TYPE_AT) == ETH_TYPE_ARP)
		FUZZ_ASSERT(get32(ip + 14) == OURS);
	else
		FUZZ_ASSERT(get32(ip + 12) == OURS && !(frame[0] & 1));
}

/* It touches the checksum alone, and where it does, it is right. */
static void check_complete(const uint8_t *frame, unsigned length) {
	uint8_t *copy = copy_of(frame, length, 0);
	const uint8_t *ip = copy + ETH_BYTES;
	unsigned changed = 0;

	exception_frame_complete(copy, length);
	for (unsigned i = 0; i < length; i++)
		changed += copy[i] != frame[i];
	FUZZ_ASSERT(changed <= 2);
	if (changed)
		FUZZ_ASSERT(reference_l4_sum(ip) == 0xffff);
	free(copy);
}

static void check_tag(const uint8_t *frame, unsigned length, uint16_t vlan) {
	uint8_t *copy = copy_of(frame, length, VLAN_BYTES), *untagged;
	unsigned n;

	if (length < ETH_BYTES || get16(frame + ETH_TYPE_AT) == ETH_TYPE_VLAN)
		goto done;
	n = exception_frame_tag(copy, length, vlan);
	FUZZ_ASSERT(n == length + (vlan ? VLAN_BYTES : 0));
	FUZZ_ASSERT(exception_frame_tag_bytes(copy, n, vlan) == (vlan ? VLAN_BYTES : 0));
	untagged = exception_frame_untag(copy, &n);
	FUZZ_ASSERT(n == length && !memcmp(untagged, frame, n));
done:
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	const uint8_t *frame = data + 1;
	unsigned length;
	uint16_t vlan;
	int tag;

	if (size < 1 || size > ROOM)
		return 0;
	length = (unsigned)size - 1;
	vlan = data[0] & 7;
	tag = exception_frame_tag_bytes(frame, length, vlan);
	FUZZ_ASSERT(tag <= (int)VLAN_BYTES);
	if (tag > 0)
		check_arrives(frame + tag, length - (unsigned)tag);
	if (tag >= 0) {
		uint8_t *copy = copy_of(frame, length, 0);
		unsigned n = length;
		const uint8_t *untagged = exception_frame_untag(copy, &n);

		check_arrives(untagged, n);
		free(copy);
	}
	check_leaves(frame, length);
	check_complete(frame, length);
	check_tag(frame, length, vlan);
	return 0;
}
