/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hosts of the simulated network: from a frame that reaches one to the reply that it owes, and
 * from that to a frame. They see frames only, know no key, and remember nothing: what a reply needs
 * is in what is answered. Pure, no DPDK.
 */
#ifndef SIM_HOST_H
#define SIM_HOST_H

#include "book.h"

#include <dp/sim.h>

enum {
	/* Bytes of data in a segment: what every host takes without having said (RFC 9293 3.7.1). */
	SIM_SEGMENT = 536,

	/* The longest frame: an ICMPv6 error of the least MTU (RFC 4443 2.4 c), with a tag. */
	SIM_FRAME_ROOM = 14 + 4 + 1280,
	SIM_NOTE_MAX = 1280,
};

struct sim_hosts {
	struct dp_sim_params params;
	const struct payload_book *book; /* what UDP services understand */
	uint64_t scanner_mac;
	uint16_t vlan; /* the network that they are in; 0: untagged */
	dp_ip gateway[2]; /* always up, whatever the truth says of others; 0: none */
};

enum sim_kind {
	SIM_NOTHING, /* no reply */
	SIM_RESET, /* to a segment with an acknowledgement */
	SIM_RESET_ACK, /* to one without */
	SIM_SYN_ACK,
	SIM_DATA,
	SIM_UDP,
	SIM_UNREACHABLE, /* the port */
	SIM_ECHO,
	SIM_TIMESTAMP,
	SIM_ARP,
	SIM_ADVERTISEMENT,
	SIM_INIT_ACK,
	SIM_ABORT,
	SIM_KINDS,
};

/* A reply until it is due: a cache line, and a note beside it where it repeats what was said. */
struct sim_reply {
	dp_ip host, scanner;
	int32_t next, first_note; /* for who keeps it */
	uint32_t seq, ack;
	uint32_t echo; /* the clock of what is answered; in SCTP its tag */
	uint16_t host_port, scanner_port;
	uint16_t note_bytes;
	uint16_t at; /* of data: offset in the banner; of UDP: of the note in the reply */
	uint16_t room; /* of data: as much as may be said */
	uint8_t kind; /* enum sim_kind */
	bool has_clock : 1, has_scale : 1; /* options of what is answered */
	bool shows_window : 1; /* a reset */
};

enum sim_taken {
	SIM_BAD, /* nothing that a host would look at: checksums, lengths, unknown protocols */
	SIM_REQUEST, /* asks for an answer in its own right, whether or not there is one */
	SIM_CONNECTION, /* goes on with a connection */
	SIM_FAREWELL, /* a reset or an abort */
};

/*
 * Take a frame. Fills @reply (but for next and first_note) where it returns SIM_REQUEST or
 * SIM_CONNECTION; the note of note_bytes is at *@note, within the frame.
 */
enum sim_taken sim_take(const struct sim_hosts *hosts, const uint8_t *frame, unsigned length,
	struct sim_reply *reply, const uint8_t **note);

/* Whether what sim_take() called SIM_BAD is an IP packet that would do but for a wrong checksum. */
bool sim_is_damaged(const struct sim_hosts *hosts, const uint8_t *frame, unsigned length);

/* Write the frame of a reply, which is not SIM_NOTHING, to @frame, of SIM_FRAME_ROOM; its length. */
unsigned sim_write(const struct sim_hosts *hosts, const struct sim_reply *reply,
	const uint8_t *note, uint8_t *frame);

#endif
