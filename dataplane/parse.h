/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a received frame to what it is. Pure and bounds-checked: no state, no DPDK, any bytes.
 */
#ifndef PARSE_H
#define PARSE_H

#include "probe.h"

enum frame_kind {
	FRAME_ANSWER, /* a validated response: view.answer and view.kind */
	FRAME_CONNECTION, /* of a connection of ours, but without data: view.kind */
	FRAME_ARP_REQUEST, /* somebody asks for our address: view.arp */
	FRAME_ARP_REPLY, /* an ARP reply to us: view.arp */
	FRAME_ECHO_REQUEST, /* somebody pings our address: view.ip_at, view.ip_bytes */
	FRAME_OWN, /* our own frame, which the device handed back */
	FRAME_OTHER, /* not for us */
	FRAME_MALFORMED,
	FRAME_BAD_CHECKSUM,
	FRAME_REJECTED, /* for us, but no answer to a probe of ours */
};

struct frame_view {
	struct dp_answer answer; /* ts_ns is left alone; a banner lies in the frame, uncut */
	enum probe_kind kind;
	uint32_t ack; /* of a segment, with our port: what a reply needs */
	uint16_t our_port;
	bool zero_window;
	struct {
		uint32_t ip;
		uint64_t mac;
	} arp; /* the sender */
	unsigned ip_at, ip_bytes;
};

/* @clock_us: the clock of probe_module.make() at arrival. */
enum frame_kind frame_parse(const struct probe_module *module, const struct probe_env *env,
	const uint8_t *frame, unsigned length, uint32_t clock_us, struct frame_view *view);

/*
 * Replies, written to @out (at least ETH_MIN_FRAME bytes, for an echo as many as the request). Each
 * returns the length to send.
 */
unsigned frame_arp_request(
	uint8_t *out, uint64_t our_mac, uint32_t our_ip, uint64_t to_mac, uint32_t asked_ip);
unsigned frame_arp_reply(
	uint8_t *out, const struct probe_env *env, uint64_t to_mac, uint32_t to_ip);
unsigned frame_echo_reply(uint8_t *out, const struct probe_env *env, const uint8_t *request,
	const struct frame_view *view);

/* Complete the connection of @syn_ack and say hello. @clock_us: the clock of probe_module.make(). */
unsigned frame_hello(uint8_t *out, const struct probe_env *env, const uint8_t *syn_ack,
	const struct frame_view *view, uint32_t clock_us);

/* End the connection of @segment, or give up the one that it would begin. */
unsigned frame_reset(uint8_t *out, const struct probe_env *env, const uint8_t *segment,
	const struct frame_view *view);

#endif
