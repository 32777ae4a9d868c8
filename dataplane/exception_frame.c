/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Judge and mend the frames of the exception path. Pure functions, run by RX lcores (arrives) and by
 * the thread of exception.c (leaves, complete); they own no memory and trust no byte.
 */
#include "exception_frame.h"
#include "frame.h"

enum {
	FRAGMENT_OFFSET = 0x1fff, /* RFC 791 3.1; the flag above says that more follow */
	FRAGMENT = 0x3fff,
	PRIVILEGED_PORTS = 1024, /* below: services; sockets that call out are never there */
};

/* Bytes of the IPv4 header at @ip, of which @room are there; 0 where it is none. */
static unsigned header_bytes(const uint8_t *ip, unsigned room) {
	unsigned bytes = (ip[0] & 0xf) * 4u;

	return ip[0] >> 4 == 4 && bytes >= IPV4_BYTES && bytes <= room ? bytes : 0;
}

/* Does the packet begin something that no socket of a plugin waits for? */
static bool calls_in(const uint8_t *ip, unsigned header, unsigned room) {
	const uint8_t *payload = ip + header;
	unsigned offset = get16(ip + 6) & FRAGMENT_OFFSET, bytes = room - header;

	if (ip[9] == IPV4_TCP && offset == 0)
		return bytes < TCP_BYTES || (payload[13] & (TCP_SYN | TCP_ACK)) == TCP_SYN;
	/* A fragment that would hold the flags was cut to get past this (RFC 1858 3). */
	if (ip[9] == IPV4_TCP)
		return offset == 1;
	if (ip[9] == IPV4_UDP && offset == 0)
		return bytes < UDP_BYTES || get16(payload + 2) < PRIVILEGED_PORTS;
	return false;
}

static bool is_arp(const uint8_t *frame, unsigned length) {
	return length >= ETH_BYTES + ARP_BYTES && get16(frame + ETH_TYPE_AT) == ETH_TYPE_ARP;
}

static bool is_ipv4(const uint8_t *frame, unsigned length) {
	return length >= ETH_BYTES + IPV4_BYTES && get16(frame + ETH_TYPE_AT) == ETH_TYPE_IPV4;
}

static bool is_tagged(const uint8_t *frame, unsigned length) {
	return length >= ETH_BYTES + VLAN_BYTES && get16(frame + ETH_TYPE_AT) == ETH_TYPE_VLAN;
}

int exception_frame_tag_bytes(const uint8_t *frame, unsigned length, uint16_t vlan) {
	if (!is_tagged(frame, length))
		return vlan == 0 ? 0 : -1;
	return (get16(frame + ETH_BYTES) & VLAN_ID) == vlan ? VLAN_BYTES : -1;
}

uint8_t *exception_frame_untag(uint8_t *frame, unsigned *length) {
	if (!is_tagged(frame, *length))
		return frame;
	memmove(frame + VLAN_BYTES, frame, ETH_TYPE_AT);
	*length -= VLAN_BYTES;
	return frame + VLAN_BYTES;
}

unsigned exception_frame_tag(uint8_t *frame, unsigned length, uint16_t vlan) {
	if (vlan == 0) {
		memmove(frame, frame + VLAN_BYTES, length);
		return length;
	}
	memmove(frame, frame + VLAN_BYTES, ETH_TYPE_AT);
	put16(frame + ETH_TYPE_AT, ETH_TYPE_VLAN);
	put16(frame + ETH_BYTES, vlan);
	return length + VLAN_BYTES;
}

bool exception_frame_arrives(const uint8_t *frame, unsigned length, dp_ip ip) {
	const uint8_t *packet = frame + ETH_BYTES;
	unsigned header;

	if (is_arp(frame, length))
		return dp_ip_v4(get32(packet + 24)) == ip;
	if (!is_ipv4(frame, length) || dp_ip_v4(get32(packet + 16)) != ip)
		return false;
	header = header_bytes(packet, length - ETH_BYTES);
	return header && !calls_in(packet, header, length - ETH_BYTES);
}

bool exception_frame_leaves(const uint8_t *frame, unsigned length, dp_ip ip) {
	if (is_arp(frame, length))
		return dp_ip_v4(get32(frame + ETH_BYTES + 14)) == ip;
	/* IEEE 802: the lowest bit of the first byte tells groups from stations. */
	return is_ipv4(frame, length) && !(frame[0] & 1)
		&& dp_ip_v4(get32(frame + ETH_BYTES + 12)) == ip;
}

void exception_frame_complete(uint8_t *frame, unsigned length) {
	uint8_t *ip = frame + ETH_BYTES, *payload, *field;
	unsigned header, total, bytes;
	uint64_t pseudo;
	uint16_t sum;

	if (!is_ipv4(frame, length))
		return;
	header = header_bytes(ip, length - ETH_BYTES);
	total = get16(ip + 2);
	/* The checksum of a fragment is one of the whole, which a sender completes before it cuts. */
	if (!header || total < header || total > length - ETH_BYTES || get16(ip + 6) & FRAGMENT)
		return;
	payload = ip + header;
	bytes = total - header;
	if (ip[9] == IPV4_TCP && bytes >= TCP_BYTES)
		field = payload + 16;
	else if (ip[9] == IPV4_UDP && bytes >= UDP_BYTES)
		field = payload + 6;
	else
		return;
	pseudo = sum_pseudo_ip(dp_ip_v4(get32(ip + 12)), dp_ip_v4(get32(ip + 16)), ip[9], bytes);
	if (get16(field) != sum_fold(pseudo)
		|| sum_fold(pseudo + sum_bytes(payload, bytes)) == 0xffff)
		return;
	put16(field, 0);
	sum = (uint16_t)~sum_fold(pseudo + sum_bytes(payload, bytes));
	/* RFC 768: a UDP checksum of 0 would say that there is none. */
	put16(field, sum == 0 && ip[9] == IPV4_UDP ? 0xffff : sum);
}
