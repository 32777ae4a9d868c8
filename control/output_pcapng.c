/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `-o pcapng:PATH`: the responses as they were received, each with its verdict as a comment
 * (draft-ietf-opsawg-pcapng; docs/capture.md says what is in it).
 *
 * Runs where write_results of other formats runs, but takes frames from the packet path instead of results
 * from the queue. A block is handed to the sink as a whole, so that what is written ends with one. All
 * fields are in the byte order of this machine, as the format has it.
 */
#include "output.h"
#include "version.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

enum {
	/* Block types (sections 4.1 to 4.3), and what a section begins with. */
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 6,
	BYTE_ORDER_MAGIC = 0x1a2b3c4d,
	VERSION_MAJOR = 1,
	VERSION_MINOR = 0,
	BLOCK_HEAD = 8, /* type and length; the length stands at the end again */
	BLOCK_LEAST = 12,

	/* Options (section 3.5 and those of the blocks). */
	OPT_END = 0,
	OPT_COMMENT = 1,
	SHB_HARDWARE = 2,
	SHB_OS = 3,
	SHB_USERAPPL = 4,
	IF_NAME = 2,
	IF_TSRESOL = 9,
	TSRESOL_NS = 9, /* 10^-9 s */

	/* Link types (www.tcpdump.org/linktypes.html). */
	LINKTYPE_ETHERNET = 1,
	LINKTYPE_RAW = 101, /* begins with the IP header, of either version */

	LINK_HEADER_BYTES = 14, /* of Ethernet, as frames of lo have it in front */
	COMMENT_BYTES = 128,
	OPTION_BYTES = 4 + DP_PORT_NAME_BYTES,
	HEADING_BYTES = 4096, /* most of a section's or an interface's block */
	FRAME_BYTES = 128 + COMMENT_BYTES, /* of a packet's block, without the packet */
};

struct pcapng {
	struct sink *sink;
	const struct capture_source *source;
};

/* A block while it is written. */
struct block {
	char *bytes;
	size_t used;
};

static void put(struct block *block, const void *bytes, size_t n) {
	memcpy(block->bytes + block->used, bytes, n);
	block->used += n;
}

static void put_u16(struct block *block, unsigned value) {
	const uint16_t v = (uint16_t)value;

	put(block, &v, sizeof v);
}

static void put_u32(struct block *block, uint32_t value) {
	put(block, &value, sizeof value);
}

/* Everything is filled up to 32 bits. */
static void put_padded(struct block *block, const void *bytes, size_t n) {
	static const char zero[4];

	put(block, bytes, n);
	put(block, zero, -n & 3);
}

static void put_option(struct block *block, unsigned code, const void *value, size_t n) {
	put_u16(block, code);
	put_u16(block, (unsigned)n);
	put_padded(block, value, n);
}

static void put_text(struct block *block, unsigned code, const char *text) {
	put_option(block, code, text, strlen(text));
}

static struct block begin_block(char *room, uint32_t type) {
	struct block block = {room, 0};

	put_u32(&block, type);
	put_u32(&block, 0); /* end_block() knows it */
	return block;
}

static size_t end_block(struct block *block) {
	const uint32_t bytes = (uint32_t)block->used + 4;

	memcpy(block->bytes + 4, &bytes, sizeof bytes);
	put_u32(block, bytes);
	return block->used;
}

static void put_section(struct sink *sink) {
	const uint64_t unknown = UINT64_MAX; /* how long the section is */
	struct block block = begin_block(sink_room(sink), BLOCK_SECTION);
	struct utsname system;
	char os[sizeof system.sysname + sizeof system.release];

	put_u32(&block, BYTE_ORDER_MAGIC);
	put_u16(&block, VERSION_MAJOR);
	put_u16(&block, VERSION_MINOR);
	put(&block, &unknown, sizeof unknown);
	if (!uname(&system)) {
		snprintf(os, sizeof os, "%s %s", system.sysname, system.release);
		put_text(&block, SHB_HARDWARE, system.machine);
		put_text(&block, SHB_OS, os);
	}
	put_text(&block, SHB_USERAPPL, "prtip-dp " CTL_VERSION);
	put_u32(&block, OPT_END);
	sink_raw_heading(sink, end_block(&block));
}

/* Packets of lo have no link header but what the kernel puts in front of them. */
static bool is_raw(const struct dp_port_plan *port) {
	return port->driver == DP_DRIVER_LO;
}

static void put_interface(struct sink *sink, const struct dp_port_plan *port) {
	static const uint8_t resolution = TSRESOL_NS;
	struct block block = begin_block(sink_room(sink), BLOCK_INTERFACE);

	put_u16(&block, is_raw(port) ? LINKTYPE_RAW : LINKTYPE_ETHERNET);
	put_u16(&block, 0);
	put_u32(&block, DP_CAPTURE_SNAP);
	put_text(&block, IF_NAME, port->port);
	put_option(&block, IF_TSRESOL, &resolution, sizeof resolution);
	put_u32(&block, OPT_END);
	sink_raw_heading(sink, end_block(&block));
}

static void put_headings(void *state) {
	const struct pcapng *pcapng = state;

	put_section(pcapng->sink);
	for (unsigned i = 0; i < pcapng->source->plan->nb_ports; i++)
		put_interface(pcapng->sink, &pcapng->source->plan->ports[i]);
}

static int pcapng_open(struct sink *sink, const struct output_params *params, void **state) {
	struct pcapng *pcapng;

	if (!params->capture)
		return -ENOTSUP;
	pcapng = malloc(sizeof *pcapng);
	if (!pcapng)
		return -ENOMEM;
	*pcapng = (struct pcapng){.sink = sink, .source = params->capture};
	put_headings(pcapng);
	*state = pcapng;
	return 0;
}

/* `open tcp 80 syn-ack`; of a banner's segment `banner tcp 80 512 bytes at 0`. */
static void describe(const struct dp_answer *answer, char text[static COMMENT_BYTES]) {
	const bool banner = answer->kind == DP_ANSWER_BANNER;
	char port[8] = "";

	if (answer->proto == DP_PROTO_TCP || answer->proto == DP_PROTO_UDP
		|| answer->proto == DP_PROTO_SCTP)
		snprintf(port, sizeof port, " %u", answer->port);
	if (banner)
		snprintf(text, COMMENT_BYTES, "banner %s%s %u bytes at %u",
			dp_proto_name(answer->proto), port, answer->banner_bytes,
			answer->banner_at);
	else
		snprintf(text, COMMENT_BYTES, "%s %s%s %s", dp_state_name(answer->state),
			dp_proto_name(answer->proto), port, dp_reason_name(answer->reason));
}

static void put_frame(void *user, const struct dp_capture_frame *frame) {
	const struct pcapng *pcapng = user;
	const struct dp_port_plan *port = &pcapng->source->plan->ports[frame->port];
	const uint32_t skip = is_raw(port) ? LINK_HEADER_BYTES : 0;
	const uint64_t ts_ns = frame->answer->ts_ns;
	char *room = sink_room_for(pcapng->sink, FRAME_BYTES + frame->captured);
	char comment[COMMENT_BYTES];
	struct block block;

	if (!room)
		return;
	describe(frame->answer, comment);
	block = begin_block(room, BLOCK_PACKET);
	put_u32(&block, frame->port);
	put_u32(&block, (uint32_t)(ts_ns >> 32));
	put_u32(&block, (uint32_t)ts_ns);
	put_u32(&block, frame->captured - skip);
	put_u32(&block, frame->length - skip);
	put_padded(&block, frame->bytes + skip, frame->captured - skip);
	put_text(&block, OPT_COMMENT, comment);
	put_u32(&block, OPT_END);
	sink_line(pcapng->sink, end_block(&block));
}

static bool pcapng_pump(void *state) {
	struct pcapng *pcapng = state;

	return pcapng->source->read(pcapng->source->engine, put_frame, pcapng);
}

/* The lcores are joined: what is still on its way is all there is. */
static int pcapng_finish(void *state, const struct ctl_summary *summary) {
	(void)summary;
	while (pcapng_pump(state))
		;
	return 0;
}

static void pcapng_close(void *state) {
	free(state);
}

/* Blocks that are whole; they are of this machine's byte order, as the first of a section says. */
static size_t pcapng_whole(const char *bytes, size_t n) {
	size_t used = 0;

	while (n - used >= BLOCK_LEAST) {
		uint32_t head[3], end;
		bool ours;

		memcpy(head, bytes + used, sizeof head);
		ours = head[1] % 4 == 0 && head[1] >= BLOCK_LEAST
			&& (head[0] != BLOCK_SECTION || head[2] == BYTE_ORDER_MAGIC);
		if (ours && head[1] > n - used)
			return used;
		if (ours)
			memcpy(&end, bytes + used + head[1] - 4, sizeof end);
		if (!ours || end != head[1])
			return used ? used : SIZE_MAX;
		used += head[1];
	}
	return used;
}

const struct output_format output_pcapng = {
	.name = "pcapng",
	.raw = true,
	.open = pcapng_open,
	.pump = pcapng_pump,
	.whole = pcapng_whole,
	.begin_file = put_headings,
	.finish = pcapng_finish,
	.close = pcapng_close,
};
