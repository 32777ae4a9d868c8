/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sizes that the plan promises and the engine keeps.
 */
#ifndef PLAN_H
#define PLAN_H

enum {
	BURST = 32,
};

/* Where something is full, others wait, or drop and count; a build for tests has it full all the time. */
#ifndef PLAN_SMALL
enum {
	/*
	 * Answers on their way to the control core, one ring an RX lcore. The pool behind it also
	 * fills the device's queue and the lcore's cache.
	 */
	ANSWER_RING = 8192,
	RX_DESCRIPTORS = 4096,
	RX_POOL = 16383,

	/* Probes on their way out; more than a net_ring holds (it hands over our own buffers). */
	TX_DESCRIPTORS = 1024,
	TX_POOL = 4095,
	SINGLE_RING = 1024,

	/* ARP, ICMP echo and reset replies, one pool a sending lcore. */
	REPLY_POOL = 4095,
	REPLY_RING = 512,

	/* What the simulated network and lo receive into, in place of a device. */
	PEER_RING = 4096,
	PEER_POOL = 32767,
};
#else
enum {
	ANSWER_RING = 128,
	RX_DESCRIPTORS = 128,
	RX_POOL = 511, /* more than the caches of two lcores */
	TX_DESCRIPTORS = 64,
	TX_POOL = 511,
	SINGLE_RING = 64,
	REPLY_POOL = 511,
	REPLY_RING = 128,
	PEER_RING = 64,
	PEER_POOL = 511,
};
#endif

enum {
	/* Frames of plugin sockets on their way out: a ring, a queue and a device's descriptors. */
	EXCEPTION_POOL = 2047,

	TX_ROOM = 128, /* bytes of a probe at the least, see plan_tx_room() */
	REPLY_ROOM = 2048,
	PEER_ROOM = 1536, /* a frame of the usual MTU, with a tag */

	/* A buffer: the pool's header, the mbuf, our private area, headroom, room for the frame. */
	POOL_HEADER = 64,
	MBUF_HEADER = 128,
	PRIVATE = 64,
	HEADROOM = 128,
	PAGE = 4096,

	/*
	 * net_af_xdp takes its UMEM to be the buffers one behind the other. Without hugepages none
	 * crosses a page, so only buffers of exactly a page lie that way; with others all but the
	 * first part of the pool is outside the UMEM, and the kernel drops what is sent from there.
	 */
	RX_ROOM = PAGE - POOL_HEADER - MBUF_HEADER - PRIVATE - HEADROOM,

	MAX_NEIGHBOURS = 4 * 1024 * 1024,
	ETH_MTU = 1500, /* of the TAP for plugin sockets, whatever larger the port's is */
};

/* The room of a buffer that holds a frame of @frame_bytes. */
static inline unsigned plan_tx_room(unsigned frame_bytes) {
	return frame_bytes <= TX_ROOM ? TX_ROOM : REPLY_ROOM;
}

#endif
