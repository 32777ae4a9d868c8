/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * forge: an adversary on the far side of a scan. It knows the scanner's addresses, targets, ports and
 * range of source ports, sees the probes to addresses of its own, and sends at rate what looks like
 * answers of others: right in all but the proof. One thread, raw sockets, no state but the probes that
 * it saw. What each kind of forgery ought to be counted as by the scanner stands in the table of kinds.
 *
 * It answers for its own addresses in truth, each answer three times, and writes down what it said.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	BURST = 32,
	FRAME_BYTES = 512,
	SEEN = 4096, /* probes that are remembered: the latest */
	SEEN_BYTES = 192, /* of each, from the network layer on */
	REPEATS = 3, /* of a true answer */
	USAGE = 2,

	IP4 = 20,
	IP6 = 40,
	ICMP4 = 1,
	TCP = 6,
	UDP = 17,
	ICMP6 = 58,
	SCTP = 132,

	FIN_ = 1,
	SYN_ = 2,
	RST_ = 4,
	PSH_ = 8,
	ACK_ = 16,
};

/* What the scanner is to count a frame as. */
enum fate {
	REJECTED,
	OTHER,
	MALFORMED,
	BAD_CHECKSUM,
	NEIGHBOUR, /* an answer that nobody waits for: counted as a frame, and no more */
	ORPHAN, /* what an open port might say, of one that never opened: no record */
	ANSWER, /* of its own addresses */
	FATES,
};

static const char *const fate_names[FATES]
	= {"rejected", "other", "malformed", "bad_checksum", "neighbour", "orphan", "answer"};

struct address {
	uint8_t bytes[16];
	bool v6;
};

struct network {
	struct address base;
	unsigned bits;
};

/* A probe to one of our own addresses. */
struct probe {
	struct address scanner, target;
	uint16_t scanner_port, target_port;
	uint8_t protocol;
	unsigned bytes, l4_at;
	uint8_t packet[SEEN_BYTES];
};

struct frame {
	uint8_t bytes[FRAME_BYTES];
	unsigned length;
	uint8_t *l4; /* where the transport begins */
	bool v6;
};

struct forger {
	int socket;
	uint8_t our_mac[6], scanner_mac[6];
	struct address scanner[2], gateway[2]; /* by family */
	bool has[2];
	struct network victims[2], own[2];
	uint16_t port[64];
	unsigned nb_ports;
	uint16_t first_port, last_port;
	uint64_t random;
	struct probe seen[SEEN];
	unsigned nb_seen;
	uint64_t probes; /* seen, in all */
	struct mmsghdr message[BURST];
	struct iovec part[BURST];
	struct frame frame[BURST];
	enum fate fate[BURST];
	unsigned kind[BURST], nb_frames;
	uint64_t by_fate[FATES], by_kind[64], unsent;
	FILE *truth;
};

static volatile sig_atomic_t stopped;

static void on_signal(int number) {
	stopped = number;
}

/* --- bytes ------------------------------------------------------------------------------------ */

static uint64_t dice(struct forger *f) { /* splitmix64 */
	uint64_t z = f->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint32_t below(struct forger *f, uint32_t n) {
	return (uint32_t)((dice(f) >> 32) * n >> 32);
}

static void put16(uint8_t *p, uint16_t v) {
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v) {
	put16(p, (uint16_t)(v >> 16));
	put16(p + 2, (uint16_t)v);
}

static uint16_t get16(const uint8_t *p) {
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p) {
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put_random(struct forger *f, uint8_t *p, unsigned n) {
	while (n--)
		p[n] = (uint8_t)dice(f);
}

static uint32_t sum(const uint8_t *p, unsigned n) {
	uint32_t total = 0;

	for (unsigned i = 0; i + 1 < n; i += 2)
		total += get16(p + i);
	return n & 1 ? total + (uint32_t)(p[n - 1] << 8) : total;
}

static uint16_t fold(uint32_t total) {
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint16_t)~total;
}

/* CRC-32C of an SCTP packet (RFC 9260 appendix A), bit by bit: there are few. */
static uint32_t crc32c(const uint8_t *p, unsigned n) {
	uint32_t crc = UINT32_MAX;

	for (; n--; p++) {
		crc ^= *p;
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
	}
	return ~crc;
}

/* --- packets ---------------------------------------------------------------------------------- */

static unsigned width(bool v6) {
	return v6 ? 16 : 4;
}

static bool inside(const struct network *network, const uint8_t *ip) {
	for (unsigned bit = 0; bit < network->bits; bit++)
		if ((network->base.bytes[bit / 8] ^ ip[bit / 8]) & 0x80 >> bit % 8)
			return false;
	return network->bits > 0;
}

static struct address pick_address(struct forger *f, const struct network *network) {
	struct address ip = network->base;

	for (unsigned bit = network->bits; bit < 8 * width(ip.v6); bit++)
		if (dice(f) >> 63)
			ip.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return ip;
}

/* Ethernet and IP headers of a packet to the scanner. */
static void begin(struct forger *f, struct frame *frame, const struct address *from,
	const struct address *to, uint8_t protocol, uint8_t ttl) {
	uint8_t *ip = frame->bytes + 14;

	frame->v6 = from->v6;
	memset(frame->bytes, 0, 128);
	memcpy(frame->bytes, f->scanner_mac, 6);
	memcpy(frame->bytes + 6, f->our_mac, 6);
	put16(frame->bytes + 12, from->v6 ? ETHERTYPE_IPV6 : ETHERTYPE_IP);
	if (from->v6) {
		ip[0] = 0x60;
		ip[6] = protocol;
		ip[7] = ttl;
		memcpy(ip + 8, from->bytes, 16);
		memcpy(ip + 24, to->bytes, 16);
		frame->l4 = ip + IP6;
	} else {
		ip[0] = 0x45;
		put16(ip + 4, (uint16_t)dice(f));
		ip[8] = ttl;
		ip[9] = protocol;
		memcpy(ip + 12, from->bytes, 4);
		memcpy(ip + 16, to->bytes, 4);
		frame->l4 = ip + IP4;
	}
}

static unsigned checksum_at(uint8_t protocol) {
	return protocol == TCP ? 16 : protocol == UDP ? 6 : 2;
}

/* Lengths and checksums over @bytes of transport. */
static void end(struct frame *frame, unsigned bytes) {
	uint8_t *ip = frame->bytes + 14, *l4 = frame->l4;
	const uint8_t protocol = frame->v6 ? ip[6] : ip[9];
	const uint8_t *addresses = frame->v6 ? ip + 8 : ip + 12;
	const unsigned at = checksum_at(protocol);
	uint32_t pseudo
		= protocol == ICMP4 ? 0 : sum(addresses, 2 * width(frame->v6)) + protocol + bytes;

	frame->length = (unsigned)(l4 - frame->bytes) + bytes;
	if (frame->v6) {
		put16(ip + 4, (uint16_t)bytes);
	} else {
		put16(ip + 2, (uint16_t)(IP4 + bytes));
		put16(ip + 10, 0);
		put16(ip + 10, fold(sum(ip, IP4)));
	}
	if (protocol == UDP)
		put16(l4 + 4, (uint16_t)bytes);
	if (protocol == SCTP) {
		uint32_t crc;

		memset(l4 + 8, 0, 4);
		crc = __builtin_bswap32(crc32c(l4, bytes));
		put32(l4 + 8, crc);
		return;
	}
	put16(l4 + at, 0);
	put16(l4 + at, fold(pseudo + sum(l4, bytes)));
	if (protocol == UDP && get16(l4 + at) == 0)
		put16(l4 + at, 0xffff);
}

/* --- material --------------------------------------------------------------------------------- */

/* What a forgery is about: a pair that we do not own, and numbers of our choice. */
struct pair {
	struct address target, scanner;
	uint16_t target_port, scanner_port;
};

static uint16_t any_port(struct forger *f) {
	return (uint16_t)(f->first_port + below(f, f->last_port - f->first_port + 1u));
}

static struct pair victim(struct forger *f) {
	bool v6 = f->has[1] && (!f->has[0] || dice(f) >> 63);

	return (struct pair){
		.target = pick_address(f, &f->victims[v6]),
		.scanner = f->scanner[v6],
		.target_port = f->port[below(f, f->nb_ports)],
		.scanner_port = any_port(f),
	};
}

/* A probe of @protocol that we saw; NULL: none yet. */
static const struct probe *material(struct forger *f, uint8_t protocol) {
	for (unsigned i = 0; i < 16 && f->nb_seen; i++) {
		const struct probe *probe = &f->seen[below(f, f->nb_seen)];

		if (probe->protocol == protocol || (protocol == ICMP4 && probe->protocol == ICMP6))
			return probe;
	}
	return NULL;
}

static struct pair pair_of(const struct probe *probe) {
	return (struct pair){
		probe->target, probe->scanner, probe->target_port, probe->scanner_port};
}

static const uint8_t *l4_of(const struct probe *probe) {
	return probe->packet + probe->l4_at;
}

static uint32_t flip(struct forger *f, uint32_t v, unsigned lowest) {
	return v ^ 1u << (lowest + below(f, 32 - lowest));
}

/* --- TCP -------------------------------------------------------------------------------------- */

static void segment(struct forger *f, struct frame *frame, const struct pair *pair, uint32_t seq,
	uint32_t ack, uint8_t flags, const char *data) {
	unsigned bytes = (unsigned)strlen(data);

	begin(f, frame, &pair->target, &pair->scanner, TCP, 60);
	put16(frame->l4, pair->target_port);
	put16(frame->l4 + 2, pair->scanner_port);
	put32(frame->l4 + 4, seq);
	put32(frame->l4 + 8, ack);
	frame->l4[12] = 5 << 4;
	frame->l4[13] = flags;
	put16(frame->l4 + 14, 64240);
	memcpy(frame->l4 + 20, data, bytes);
	end(frame, 20 + bytes);
}

static uint8_t syn_ack_or_reset(struct forger *f) {
	return dice(f) >> 63 ? SYN_ | ACK_ : RST_ | ACK_;
}

static bool tcp_random(struct forger *f, struct frame *frame) {
	const struct pair pair = victim(f);

	segment(f, frame, &pair, (uint32_t)dice(f), (uint32_t)dice(f), syn_ack_or_reset(f), "");
	return true;
}

static bool tcp_zero(struct forger *f, struct frame *frame) {
	const struct pair pair = victim(f);

	segment(f, frame, &pair, 0, 0, syn_ack_or_reset(f), "");
	return true;
}

static bool tcp_bare_reset(struct forger *f, struct frame *frame) {
	const struct pair pair = victim(f);

	segment(f, frame, &pair, (uint32_t)dice(f), 0, RST_, "");
	return true;
}

/* Another's answer with the port and number of a probe to us. */
static bool tcp_borrowed(struct forger *f, struct frame *frame) {
	const struct probe *probe = material(f, TCP);
	struct pair pair = victim(f);

	if (!probe || probe->target.v6 != pair.target.v6)
		return false;
	pair.scanner_port = probe->scanner_port;
	segment(f, frame, &pair, get32(l4_of(probe) + 8), get32(l4_of(probe) + 4) + 1,
		syn_ack_or_reset(f), "");
	return true;
}

/* Our own, with the number of a probe to another of our addresses. */
static bool tcp_swapped(struct forger *f, struct frame *frame) {
	const struct probe *probe = material(f, TCP), *other = material(f, TCP);
	struct pair pair;

	if (!probe || !other || get32(l4_of(probe) + 4) == get32(l4_of(other) + 4))
		return false;
	pair = pair_of(probe);
	segment(f, frame, &pair, 1, get32(l4_of(other) + 4) + 1, SYN_ | ACK_, "");
	return true;
}

/* Our own, one bit off, or without the one that a SYN counts. Low bits might name an octet of data. */
static bool tcp_near(struct forger *f, struct frame *frame) {
	const struct probe *probe = material(f, TCP);
	struct pair pair;
	uint32_t seq;

	if (!probe)
		return false;
	pair = pair_of(probe);
	seq = get32(l4_of(probe) + 4);
	segment(f, frame, &pair, (uint32_t)dice(f), dice(f) & 7 ? flip(f, seq + 1, 12) : seq,
		syn_ack_or_reset(f), "");
	return true;
}

/* Our own, to another port of the scanner's. */
static bool tcp_port(struct forger *f, struct frame *frame) {
	const struct probe *probe = material(f, TCP);
	struct pair pair;

	if (!probe)
		return false;
	pair = pair_of(probe);
	pair.scanner_port = any_port(f);
	if (pair.scanner_port == probe->scanner_port)
		return false;
	segment(f, frame, &pair, 1, get32(l4_of(probe) + 4) + 1, SYN_ | ACK_, "");
	return true;
}

static bool tcp_data(struct forger *f, struct frame *frame) {
	static const uint8_t flags[] = {PSH_ | ACK_, ACK_, FIN_ | ACK_, FIN_ | PSH_ | ACK_};
	const struct pair pair = victim(f);

	segment(f, frame, &pair, (uint32_t)dice(f), (uint32_t)dice(f), flags[below(f, 4)],
		"forged\r\n");
	return true;
}

static bool tcp_near_data(struct forger *f, struct frame *frame) {
	const struct probe *probe = material(f, TCP);
	struct pair pair;

	if (!probe)
		return false;
	pair = pair_of(probe);
	segment(f, frame, &pair, 2, flip(f, get32(l4_of(probe) + 4) + 1, 12), PSH_ | ACK_,
		"forged\r\n");
	return true;
}

static bool tcp_elsewhere(struct forger *f, struct frame *frame) {
	struct pair pair = victim(f);

	pair.scanner_port = (uint16_t)(f->first_port - 1 - below(f, 1000));
	segment(f, frame, &pair, 1, (uint32_t)dice(f), SYN_ | ACK_, "");
	return true;
}

/* But not so that it might be one that a device was to complete: the pseudo-header's sum alone. */
static bool tcp_damaged(struct forger *f, struct frame *frame) {
	uint16_t pseudo;

	tcp_random(f, frame);
	pseudo = (uint16_t)~fold(
		sum(frame->l4 - 2 * width(frame->v6), 2 * width(frame->v6)) + TCP + 20);
	frame->l4[16] ^= 0x5a;
	return get16(frame->l4 + 16) != pseudo;
}

static bool tcp_cut(struct forger *f, struct frame *frame) {
	tcp_random(f, frame);
	frame->l4[12] = 15 << 4; /* more header than there is segment */
	end(frame, 20);
	return true;
}

/* --- ICMP errors ------------------------------------------------------------------------------ */

/* An error about @quoted, of which all but @bytes is left out. */
static void unreachable(struct forger *f, struct frame *frame, const struct address *from,
	const struct address *scanner, const uint8_t *quoted, unsigned bytes) {
	static const uint8_t codes[2][4] = {{1, 3, 10, 13}, {0, 1, 3, 4}};

	begin(f, frame, from, scanner, from->v6 ? ICMP6 : ICMP4, 64);
	frame->l4[0] = from->v6 ? 1 : 3;
	frame->l4[1] = codes[from->v6][below(f, 4)];
	memcpy(frame->l4 + 8, quoted, bytes);
	end(frame, 8 + bytes);
}

/* A packet that might have been a probe to @pair. */
static unsigned invented(
	struct forger *f, struct frame *packet, const struct pair *pair, uint8_t protocol) {
	begin(f, packet, &pair->scanner, &pair->target, protocol, 50);
	put16(packet->l4, pair->scanner_port);
	put16(packet->l4 + 2, pair->target_port);
	if (protocol == TCP) {
		put32(packet->l4 + 4, (uint32_t)dice(f));
		packet->l4[12] = 5 << 4;
		packet->l4[13] = SYN_;
	} else if (protocol == ICMP4 || protocol == ICMP6) {
		put32(packet->l4, protocol == ICMP4 ? 8u << 24 : 128u << 24);
		put_random(f, packet->l4 + 4, 16);
	}
	end(packet, 20);
	return packet->length - 14;
}

static bool error_random(struct forger *f, struct frame *frame, uint8_t protocol, unsigned l4) {
	const struct pair pair = victim(f);
	struct frame packet = {.length = 0};
	unsigned headers = pair.target.v6 ? IP6 : IP4;

	if (protocol == ICMP4 && pair.target.v6)
		protocol = ICMP6;
	invented(f, &packet, &pair, protocol);
	unreachable(f, frame, &pair.target, &pair.scanner, packet.bytes + 14, headers + l4);
	return true;
}

static bool error_tcp(struct forger *f, struct frame *frame) {
	return error_random(f, frame, TCP, dice(f) >> 63 ? 8 : 20);
}

static bool error_udp(struct forger *f, struct frame *frame) {
	return error_random(f, frame, UDP, dice(f) >> 63 ? 8 : 20);
}

static bool error_sctp(struct forger *f, struct frame *frame) {
	return error_random(f, frame, SCTP, 8);
}

static bool error_echo(struct forger *f, struct frame *frame) {
	return error_random(f, frame, ICMP4, dice(f) >> 63 ? 8 : 20);
}

static bool error_cut(struct forger *f, struct frame *frame) {
	return error_random(f, frame, TCP, 7);
}

static bool error_code(struct forger *f, struct frame *frame) {
	error_tcp(f, frame);
	frame->l4[1] = frame->v6 ? 7 : 12;
	end(frame, frame->length - (unsigned)(frame->l4 - frame->bytes));
	return true;
}

/* Of a probe that we saw, with its number or, where the port alone is the proof, its stamp changed. */
static bool error_near(struct forger *f, struct frame *frame, uint8_t protocol) {
	const struct probe *probe = material(f, protocol);
	uint8_t quoted[SEEN_BYTES], *l4;
	unsigned bytes;

	if (!probe)
		return false;
	memcpy(quoted, probe->packet, SEEN_BYTES);
	l4 = quoted + probe->l4_at;
	bytes = probe->l4_at + 8;
	if (protocol == TCP) {
		bytes += 12;
		put32(l4 + 4, flip(f, get32(l4 + 4), 0));
	} else if (protocol == ICMP4) {
		put32(l4 + 4, flip(f, get32(l4 + 4), 2)); /* the lowest tell transmissions apart */
	} else if (probe->target.v6) {
		quoted[2] ^= (uint8_t)(1 + below(f, 255)); /* flow label */
	} else {
		quoted[4] ^= (uint8_t)(1 + below(f, 127)); /* identification */
	}
	unreachable(f, frame, &probe->target, &probe->scanner, quoted, bytes);
	return true;
}

static bool error_near_tcp(struct forger *f, struct frame *frame) {
	return error_near(f, frame, TCP);
}

static bool error_near_udp(struct forger *f, struct frame *frame) {
	return error_near(f, frame, UDP);
}

static bool error_near_sctp(struct forger *f, struct frame *frame) {
	return error_near(f, frame, SCTP);
}

static bool error_near_echo(struct forger *f, struct frame *frame) {
	return error_near(f, frame, ICMP4);
}

/* A probe to us, quoted as if it had gone to another. */
static bool error_borrowed(struct forger *f, struct frame *frame, uint8_t protocol) {
	const struct probe *probe = material(f, protocol);
	const struct pair pair = victim(f);
	uint8_t quoted[SEEN_BYTES];

	if (!probe || probe->target.v6 != pair.target.v6)
		return false;
	memcpy(quoted, probe->packet, SEEN_BYTES);
	memcpy(quoted + (pair.target.v6 ? 24 : 16), pair.target.bytes, width(pair.target.v6));
	if (protocol != ICMP4)
		put16(quoted + probe->l4_at + 2, pair.target_port);
	unreachable(f, frame, &pair.target, &pair.scanner, quoted, probe->bytes);
	return true;
}

static bool error_borrowed_tcp(struct forger *f, struct frame *frame) {
	return error_borrowed(f, frame, TCP);
}

static bool error_borrowed_udp(struct forger *f, struct frame *frame) {
	return error_borrowed(f, frame, UDP);
}

static bool error_borrowed_sctp(struct forger *f, struct frame *frame) {
	return error_borrowed(f, frame, SCTP);
}

static bool error_borrowed_echo(struct forger *f, struct frame *frame) {
	return error_borrowed(f, frame, ICMP4);
}

/* --- UDP -------------------------------------------------------------------------------------- */

/* Where a probe to @port has its token, and its reply: DNS's id, and NTP's time of sending. */
static unsigned token(uint16_t port, unsigned *in_probe, unsigned *in_reply) {
	*in_probe = port == 123 ? 40 : 0;
	*in_reply = port == 123 ? 24 : 0;
	return port == 123 ? 8 : 2;
}

static uint8_t *datagram(struct forger *f, struct frame *frame, const struct pair *pair) {
	begin(f, frame, &pair->target, &pair->scanner, UDP, 60);
	put16(frame->l4, pair->target_port);
	put16(frame->l4 + 2, pair->scanner_port);
	memset(frame->l4 + 8, 0, 48);
	return frame->l4 + 8;
}

static bool udp_random(struct forger *f, struct frame *frame) {
	const struct pair pair = victim(f);

	put_random(f, datagram(f, frame, &pair), 48);
	end(frame, 8 + 48);
	return true;
}

static bool udp_short(struct forger *f, struct frame *frame) {
	const struct pair pair = victim(f);

	datagram(f, frame, &pair);
	end(frame, 8 + below(f, 2));
	return true;
}

/* Our own reply with a token that is one bit off, none, or another's. */
static bool udp_near(struct forger *f, struct frame *frame) {
	const struct probe *probe = material(f, UDP), *other = material(f, UDP);
	unsigned in_probe, in_reply, bytes;
	struct pair pair;
	uint8_t *data;

	if (!probe || !other)
		return false;
	pair = pair_of(probe);
	bytes = token(probe->target_port, &in_probe, &in_reply);
	data = datagram(f, frame, &pair);
	memcpy(data + in_reply, l4_of(probe) + 8 + in_probe, bytes);
	switch (below(f, 3)) {
	case 0:
		data[in_reply + below(f, bytes)] ^= (uint8_t)(1 << below(f, 8));
		break;
	case 1:
		memset(data + in_reply, 0, bytes);
		break;
	default:
		memcpy(data + in_reply, l4_of(other) + 8 + in_probe, bytes);
		break;
	}
	if (memcmp(data + in_reply, l4_of(probe) + 8 + in_probe, bytes) == 0)
		return false;
	end(frame, 8 + 48);
	return true;
}

static bool udp_borrowed(struct forger *f, struct frame *frame) {
	const struct probe *probe = material(f, UDP);
	struct pair pair = victim(f);
	unsigned in_probe, in_reply, bytes;

	if (!probe || probe->target.v6 != pair.target.v6)
		return false;
	pair.scanner_port = probe->scanner_port;
	pair.target_port = probe->target_port;
	bytes = token(probe->target_port, &in_probe, &in_reply);
	memcpy(datagram(f, frame, &pair) + in_reply, l4_of(probe) + 8 + in_probe, bytes);
	end(frame, 8 + 48);
	return true;
}

/* --- echo, timestamps ------------------------------------------------------------------------- */

static bool echo_random(struct forger *f, struct frame *frame) {
	const struct pair pair = victim(f);

	begin(f, frame, &pair.target, &pair.scanner, pair.target.v6 ? ICMP6 : ICMP4, 60);
	frame->l4[0] = pair.target.v6 ? 129 : 0;
	put_random(f, frame->l4 + 4, 20);
	end(frame, 24);
	return true;
}

static void echo_of(struct forger *f, struct frame *frame, const struct probe *probe,
	const struct address *from, unsigned *bytes) {
	*bytes = probe->bytes - probe->l4_at;
	begin(f, frame, from, &probe->scanner, from->v6 ? ICMP6 : ICMP4, 60);
	memcpy(frame->l4, l4_of(probe), *bytes);
	frame->l4[0] = from->v6 ? 129 : 0;
}

static bool echo_near(struct forger *f, struct frame *frame) {
	const struct probe *probe = material(f, ICMP4);
	unsigned bytes, at;

	if (!probe)
		return false;
	echo_of(f, frame, probe, &probe->target, &bytes);
	at = 4 + below(f, bytes - 4);
	frame->l4[at] ^= (uint8_t)(1 << below(f, 8));
	end(frame, bytes);
	return true;
}

static bool echo_borrowed(struct forger *f, struct frame *frame) {
	const struct probe *probe = material(f, ICMP4);
	const struct pair pair = victim(f);
	unsigned bytes;

	if (!probe || probe->target.v6 != pair.target.v6)
		return false;
	echo_of(f, frame, probe, &pair.target, &bytes);
	end(frame, bytes);
	return true;
}

/* --- SCTP ------------------------------------------------------------------------------------- */

static void chunk(struct forger *f, struct frame *frame, const struct pair *pair, uint32_t tag,
	bool init_ack) {
	unsigned bytes = init_ack ? 20 : 4;

	begin(f, frame, &pair->target, &pair->scanner, SCTP, 60);
	put16(frame->l4, pair->target_port);
	put16(frame->l4 + 2, pair->scanner_port);
	put32(frame->l4 + 4, tag);
	memset(frame->l4 + 12, 0, bytes);
	frame->l4[12] = init_ack ? 2 : 6;
	put16(frame->l4 + 14, (uint16_t)bytes);
	if (init_ack) {
		put32(frame->l4 + 16, (uint32_t)dice(f) | 1);
		put32(frame->l4 + 20, 65536);
		put32(frame->l4 + 24, 10 << 16 | 10);
	}
	end(frame, 12 + bytes);
}

static bool sctp_random(struct forger *f, struct frame *frame) {
	const struct pair pair = victim(f);

	chunk(f, frame, &pair, dice(f) & 7 ? (uint32_t)dice(f) : 0, dice(f) >> 63);
	return true;
}

/* The tag of a probe to us one bit off, or right, but of another; and an ABORT that reflects 0. */
static bool sctp_near(struct forger *f, struct frame *frame) {
	const struct probe *probe = material(f, SCTP);
	struct pair pair;

	if (!probe)
		return false;
	pair = pair_of(probe);
	chunk(f, frame, &pair, flip(f, get32(l4_of(probe) + 16), 0), dice(f) >> 63);
	return true;
}

static bool sctp_borrowed(struct forger *f, struct frame *frame) {
	const struct probe *probe = material(f, SCTP);
	struct pair pair = victim(f);

	if (!probe || probe->target.v6 != pair.target.v6)
		return false;
	pair.scanner_port = probe->scanner_port;
	chunk(f, frame, &pair, get32(l4_of(probe) + 16), dice(f) >> 63);
	return true;
}

static bool sctp_reflected(struct forger *f, struct frame *frame) {
	const struct probe *probe = material(f, SCTP);
	struct pair pair;

	if (!probe)
		return false;
	pair = pair_of(probe);
	chunk(f, frame, &pair, 0, false);
	frame->l4[13] = 1;
	end(frame, 16);
	return true;
}

/* --- neighbours ------------------------------------------------------------------------------- */

static const uint8_t elsewhere[6] = {2, 0, 0, 0, 0, 0x66};
static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static void arp(struct frame *frame, uint16_t operation, const uint8_t *to_mac,
	const struct address *about, const struct address *to) {
	uint8_t *body = frame->bytes + 14;

	memcpy(frame->bytes, to_mac, 6);
	memcpy(frame->bytes + 6, elsewhere, 6);
	put16(frame->bytes + 12, ETHERTYPE_ARP);
	put16(body, 1);
	put16(body + 2, ETHERTYPE_IP);
	put16(body + 4, 6 << 8 | 4);
	put16(body + 6, operation);
	memcpy(body + 8, elsewhere, 6);
	memcpy(body + 14, about->bytes, 4);
	memcpy(body + 18, to_mac, 6);
	memcpy(body + 24, to->bytes, 4);
	frame->length = 42;
}

/* "The gateway is at...", to us, unasked. */
static bool arp_unasked(struct forger *f, struct frame *frame) {
	arp(frame, 2, f->scanner_mac, &f->gateway[0], &f->scanner[0]);
	return f->has[0];
}

static bool arp_other(struct forger *f, struct frame *frame) {
	const struct address about = pick_address(f, &f->victims[0]);

	arp(frame, 2, f->scanner_mac, &about, &f->scanner[0]);
	return f->has[0];
}

static bool arp_broadcast(struct forger *f, struct frame *frame) {
	arp(frame, 2, everybody, &f->gateway[0], &f->scanner[0]);
	return f->has[0];
}

/* RFC 5227's announcement, and the old one by a reply. */
static bool arp_gratuitous(struct forger *f, struct frame *frame) {
	arp(frame, dice(f) >> 63 ? 1 : 2, everybody, &f->gateway[0], &f->gateway[0]);
	return f->has[0];
}

static void advertise(struct forger *f, struct frame *frame, uint8_t hops, uint8_t flags,
	uint8_t option_words, unsigned bytes) {
	begin(f, frame, &f->gateway[1], &f->scanner[1], ICMP6, hops);
	memcpy(frame->bytes + 6, elsewhere, 6);
	frame->l4[0] = 136;
	frame->l4[4] = flags;
	memcpy(frame->l4 + 8, f->gateway[1].bytes, 16);
	frame->l4[24] = 2;
	frame->l4[25] = option_words;
	memcpy(frame->l4 + 26, elsewhere, 6);
	end(frame, bytes);
}

static bool nd_override(struct forger *f, struct frame *frame) {
	advertise(f, frame, 255, 0xe0, 1, 32); /* router, solicited, override */
	return f->has[1];
}

static bool nd_unasked(struct forger *f, struct frame *frame) {
	advertise(f, frame, 255, 0xa0, 1, 32); /* not solicited */
	return f->has[1];
}

static bool nd_routed(struct forger *f, struct frame *frame) {
	advertise(f, frame, (uint8_t)(1 + below(f, 254)), 0xe0, 1, 32);
	return f->has[1];
}

static bool nd_cut(struct forger *f, struct frame *frame) {
	advertise(f, frame, 255, 0xe0, 1, 25 + below(f, 7));
	return f->has[1];
}

static bool nd_bad_option(struct forger *f, struct frame *frame) {
	advertise(f, frame, 255, 0xe0, dice(f) >> 63 ? 0 : 2, 32);
	return f->has[1];
}

/* --- the table -------------------------------------------------------------------------------- */

static const struct kind {
	const char *name, *set;
	enum fate fate;
	bool (*write)(struct forger *f, struct frame *frame); /* false: not with what there is */
} kinds[] = {
	{"tcp-random", "tcp", REJECTED, tcp_random},
	{"tcp-zero", "tcp", REJECTED, tcp_zero},
	{"tcp-bare-reset", "tcp", REJECTED, tcp_bare_reset},
	{"tcp-borrowed", "tcp", REJECTED, tcp_borrowed},
	{"tcp-swapped", "tcp", REJECTED, tcp_swapped},
	{"tcp-near", "tcp", REJECTED, tcp_near},
	{"tcp-port", "tcp", REJECTED, tcp_port},
	{"tcp-data", "tcp", REJECTED, tcp_data},
	{"tcp-near-data", "tcp", REJECTED, tcp_near_data},
	{"tcp-elsewhere", "tcp", OTHER, tcp_elsewhere},
	{"tcp-damaged", "tcp", BAD_CHECKSUM, tcp_damaged},
	{"tcp-cut", "tcp", MALFORMED, tcp_cut},
	{"error-tcp", "tcp", REJECTED, error_tcp},
	{"error-near-tcp", "tcp", REJECTED, error_near_tcp},
	{"error-borrowed-tcp", "tcp", REJECTED, error_borrowed_tcp},
	{"error-cut", "tcp", MALFORMED, error_cut},
	{"error-code", "tcp", OTHER, error_code},
	{"udp-random", "udp", REJECTED, udp_random},
	{"udp-short", "udp", REJECTED, udp_short},
	{"udp-near", "udp", REJECTED, udp_near},
	{"udp-borrowed", "udp", REJECTED, udp_borrowed},
	{"error-udp", "udp", REJECTED, error_udp},
	{"error-near-udp", "udp", REJECTED, error_near_udp},
	{"error-borrowed-udp", "udp", REJECTED, error_borrowed_udp},
	{"echo-random", "icmp", REJECTED, echo_random},
	{"echo-near", "icmp", REJECTED, echo_near},
	{"echo-borrowed", "icmp", REJECTED, echo_borrowed},
	{"error-echo", "icmp", REJECTED, error_echo},
	{"error-near-echo", "icmp", REJECTED, error_near_echo},
	{"error-borrowed-echo", "icmp", REJECTED, error_borrowed_echo},
	{"sctp-random", "sctp", REJECTED, sctp_random},
	{"sctp-near", "sctp", REJECTED, sctp_near},
	{"sctp-borrowed", "sctp", REJECTED, sctp_borrowed},
	{"sctp-reflected", "sctp", REJECTED, sctp_reflected},
	{"error-sctp", "sctp", REJECTED, error_sctp},
	{"error-near-sctp", "sctp", REJECTED, error_near_sctp},
	{"error-borrowed-sctp", "sctp", REJECTED, error_borrowed_sctp},
	{"arp-unasked", "link", NEIGHBOUR, arp_unasked},
	{"arp-other", "link", NEIGHBOUR, arp_other},
	{"arp-broadcast", "link", OTHER, arp_broadcast},
	{"arp-gratuitous", "link", OTHER, arp_gratuitous},
	{"nd-override", "link", NEIGHBOUR, nd_override},
	{"nd-unasked", "link", OTHER, nd_unasked},
	{"nd-routed", "link", MALFORMED, nd_routed},
	{"nd-cut", "link", MALFORMED, nd_cut},
	{"nd-bad-option", "link", MALFORMED, nd_bad_option},
};

enum {
	KINDS = sizeof(kinds) / sizeof(kinds[0]),
	TRUE_ANSWER = KINDS,
};

_Static_assert(KINDS < 64, "by_kind[]");

/* --- sending ---------------------------------------------------------------------------------- */

/* Frames that the queue has no room for are gone, and not counted as sent. */
static void flush(struct forger *f) {
	unsigned done = 0;

	for (unsigned i = 0; i < f->nb_frames; i++) {
		f->part[i] = (struct iovec){f->frame[i].bytes, f->frame[i].length};
		f->message[i].msg_hdr = (struct msghdr){.msg_iov = &f->part[i], .msg_iovlen = 1};
	}
	while (done < f->nb_frames) {
		int n = sendmmsg(f->socket, f->message + done, f->nb_frames - done, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != ENOBUFS && errno != EAGAIN)
			err(1, "sendmmsg");
		if (n <= 0) {
			f->unsent++;
			n = 1;
		} else {
			for (unsigned i = done; i < done + (unsigned)n; i++) {
				f->by_fate[f->fate[i]]++;
				f->by_kind[f->kind[i]]++;
			}
		}
		done += (unsigned)n;
	}
	f->nb_frames = 0;
}

static struct frame *next_frame(struct forger *f, unsigned kind, enum fate fate) {
	if (f->nb_frames == BURST)
		flush(f);
	f->kind[f->nb_frames] = kind;
	f->fate[f->nb_frames] = fate;
	return &f->frame[f->nb_frames];
}

/* --- the truth about our own ------------------------------------------------------------------ */

static void write_truth(struct forger *f, const struct probe *probe, const char *state) {
	static const char *const names[256] = {
		[TCP] = "tcp", [UDP] = "udp", [SCTP] = "sctp", [ICMP4] = "icmp", [ICMP6] = "icmp"};
	char text[INET6_ADDRSTRLEN], port[8] = "-";

	inet_ntop(probe->target.v6 ? AF_INET6 : AF_INET, probe->target.bytes, text, sizeof(text));
	if (probe->protocol != ICMP4 && probe->protocol != ICMP6)
		snprintf(port, sizeof(port), "%u", probe->target_port);
	fprintf(f->truth, "%s %s %s %s\n", text, port, names[probe->protocol], state);
}

/* Which of four ways one of our pairs has: a function of it, so that each probe meets the same. */
static unsigned manner(const struct probe *probe) {
	const unsigned bytes = width(probe->target.v6);

	return (probe->target.bytes[bytes - 1] + probe->target_port) & 3;
}

/* The answer of a host that is there; NULL where it is silent. */
static const char *true_answer(struct forger *f, const struct probe *probe, struct frame *frame) {
	const struct pair pair = pair_of(probe);
	const uint8_t *l4 = l4_of(probe);
	unsigned in_probe, in_reply, bytes;

	if (manner(probe) > 1)
		return NULL;
	switch (probe->protocol) {
	case TCP:
		segment(f, frame, &pair, 7, get32(l4 + 4) + 1,
			manner(probe) ? RST_ | ACK_ : SYN_ | ACK_, "");
		return manner(probe) ? "closed" : "open";
	case UDP:
		bytes = token(pair.target_port, &in_probe, &in_reply);
		memcpy(datagram(f, frame, &pair) + in_reply, l4 + 8 + in_probe, bytes);
		end(frame, 8 + 48);
		return "open";
	case SCTP:
		chunk(f, frame, &pair, get32(l4 + 16), !manner(probe));
		return manner(probe) ? "closed" : "open";
	default:
		echo_of(f, frame, probe, &probe->target, &bytes);
		end(frame, bytes);
		return "up";
	}
}

static void answer(struct forger *f, const struct probe *probe) {
	const char *state = NULL;

	for (unsigned i = 0; i < REPEATS; i++) {
		struct frame *frame = next_frame(f, TRUE_ANSWER, ANSWER);

		state = true_answer(f, probe, frame);
		if (!state)
			break;
		f->nb_frames++;
	}
	if (state) {
		write_truth(f, probe, state);
		return;
	}
	/* Port 22 waits for the other side to speak: this is what it might say, had it opened. */
	if (probe->protocol == TCP && probe->target_port == 22 && manner(probe) == 2) {
		const struct pair pair = pair_of(probe);

		segment(f, next_frame(f, TRUE_ANSWER, ORPHAN), &pair, 8,
			get32(l4_of(probe) + 4) + 1, PSH_ | ACK_, "SSH-2.0-forged\r\n");
		f->nb_frames++;
	}
}

/* A frame from the scanner: a probe to one of ours, or nothing. */
static void look(struct forger *f, const uint8_t *frame, unsigned length) {
	const uint8_t *ip = frame + 14;
	bool v6;
	struct probe *probe = &f->seen[f->probes % SEEN];

	if (length < 14 + IP6)
		return;
	v6 = get16(frame + 12) == ETHERTYPE_IPV6;
	if (!v6 && get16(frame + 12) != ETHERTYPE_IP)
		return;
	if (!inside(&f->own[v6], ip + (v6 ? 24 : 16)))
		return;
	*probe = (struct probe){.protocol = v6 ? ip[6] : ip[9], .l4_at = v6 ? IP6 : IP4};
	probe->bytes = (v6 ? IP6 + get16(ip + 4) : get16(ip + 2));
	if (probe->bytes > length - 14 || probe->bytes > SEEN_BYTES
		|| probe->bytes < probe->l4_at + 8u)
		return;
	memcpy(probe->packet, ip, probe->bytes);
	probe->scanner.v6 = probe->target.v6 = v6;
	memcpy(probe->scanner.bytes, ip + (v6 ? 8 : 12), width(v6));
	memcpy(probe->target.bytes, ip + (v6 ? 24 : 16), width(v6));
	probe->scanner_port = get16(ip + probe->l4_at);
	probe->target_port = get16(ip + probe->l4_at + 2);
	switch (probe->protocol) {
	case TCP: /* what resets or goes on with an open one is no probe */
		if ((ip[probe->l4_at + 13] & (SYN_ | RST_ | ACK_)) != SYN_)
			return;
		break;
	case SCTP:
		if (ip[probe->l4_at + 12] != 1)
			return;
		break;
	case UDP:
		break;
	case ICMP4:
	case ICMP6:
		if (ip[probe->l4_at] != (v6 ? 128 : 8))
			return;
		probe->target_port = 0;
		break;
	default:
		return;
	}
	f->probes++;
	if (f->nb_seen < SEEN)
		f->nb_seen++;
	answer(f, probe);
}

static void look_around(struct forger *f) {
	uint8_t frame[2048];

	for (unsigned i = 0; i < 4 * BURST; i++) {
		ssize_t n = recv(f->socket, frame, sizeof(frame), MSG_DONTWAIT);

		if (n < 0)
			return;
		look(f, frame, (unsigned)n);
	}
}

/* --- the attack ------------------------------------------------------------------------------- */

static double now_s(void) {
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void nap(long microseconds) {
	const struct timespec time = {.tv_nsec = microseconds * 1000};

	nanosleep(&time, NULL);
}

static bool forge_one(struct forger *f, unsigned kind) {
	if (!kinds[kind].write(f, next_frame(f, kind, kinds[kind].fate)))
		return false;
	f->nb_frames++;
	return true;
}

static uint64_t forged(const struct forger *f) {
	uint64_t n = 0;

	for (unsigned i = 0; i < KINDS; i++)
		n += f->by_kind[i];
	return n;
}

/* From the first probe to us on, at @rate, until @count or @seconds; then only the truth. */
static void attack(struct forger *f, const unsigned *chosen, unsigned n, uint64_t count,
	double rate, double seconds) {
	double began = 0;
	uint64_t tried = 0;

	while (!stopped) {
		double now = now_s();
		bool due;

		look_around(f);
		if (!began && f->nb_seen)
			began = now;
		due = began && now < began + seconds && tried < count
			&& (double)tried < (now - began) * rate;
		for (unsigned i = 0; due && i < BURST; i++)
			tried += forge_one(f, chosen[below(f, n)]);
		flush(f);
		if (!due)
			nap(100);
	}
}

/* --- options ---------------------------------------------------------------------------------- */

static const char help_text[]
	= "Usage: forge [options] DEVICE SCANNER_MAC\n"
	  "\n"
	  "Sends forged answers to a scanner from the other end of its wire, once it has seen a "
	  "probe\n"
	  "to an address of its own; ends on SIGTERM, and writes as JSON what it sent.\n"
	  "\n"
	  "  --scanner IP        its address; one of each family\n"
	  "  --victims PREFIX    addresses whose probes it does not see; one of each family\n"
	  "  --own PREFIX        addresses of its own; one of each family\n"
	  "  --gateway IP        whose neighbour entries it attacks; one of each family\n"
	  "  --ports LIST        that are probed: 22,80,443\n"
	  "  --source-ports A-B  of the scanner (32768-49151)\n"
	  "  --kinds LIST        of tcp, udp, icmp, sctp, link\n"
	  "  --count N           forgeries at the most\n"
	  "  --rate N            of them a second\n"
	  "  --seconds N         from the first probe on\n"
	  "  --truth FILE        `IP PORT PROTO STATE` of each own pair that was answered\n"
	  "  --list              what there is to forge, and as what it is to be counted\n";

enum option_name {
	SCANNER = 256,
	VICTIMS,
	OWN,
	GATEWAY,
	PORTS,
	SOURCE_PORTS,
	KINDS_,
	COUNT,
	RATE,
	SECONDS,
	TRUTH,
	LIST,
	HELP,
};

static const struct option long_options[] = {
	{"scanner", required_argument, NULL, SCANNER},
	{"victims", required_argument, NULL, VICTIMS},
	{"own", required_argument, NULL, OWN},
	{"gateway", required_argument, NULL, GATEWAY},
	{"ports", required_argument, NULL, PORTS},
	{"source-ports", required_argument, NULL, SOURCE_PORTS},
	{"kinds", required_argument, NULL, KINDS_},
	{"count", required_argument, NULL, COUNT},
	{"rate", required_argument, NULL, RATE},
	{"seconds", required_argument, NULL, SECONDS},
	{"truth", required_argument, NULL, TRUTH},
	{"list", no_argument, NULL, LIST},
	{"help", no_argument, NULL, HELP},
	{0},
};

struct options {
	const char *kinds;
	double count, rate, seconds;
};

static struct address read_address(const char *text) {
	struct address ip = {.v6 = strchr(text, ':') != NULL};

	if (inet_pton(ip.v6 ? AF_INET6 : AF_INET, text, ip.bytes) != 1)
		errx(USAGE, "%s is no address", text);
	return ip;
}

static void read_network(struct network *networks, char *text) {
	char *slash = strchr(text, '/'), *rest = NULL;
	struct network network;
	unsigned long bits;

	if (!slash)
		errx(USAGE, "%s: a prefix is wanted, such as 198.18.0.0/16", text);
	*slash = '\0';
	network.base = read_address(text);
	bits = strtoul(slash + 1, &rest, 10);
	if (rest == slash + 1 || *rest || bits < 1 || bits > 8 * width(network.base.v6))
		errx(USAGE, "%s/%s: no such length of a prefix", text, slash + 1);
	network.bits = (unsigned)bits;
	networks[network.base.v6] = network;
}

static double number(const char *name, const char *text) {
	char *rest;
	double value = strtod(text, &rest);

	if (rest == text || *rest || !(value > 0))
		errx(USAGE, "--%s %s: a number above 0 is wanted", name, text);
	return value;
}

static void read_ports(struct forger *f, const char *text) {
	for (const char *p = text; *p; p++) {
		char *rest;
		unsigned long port = strtoul(p, &rest, 10);

		if (rest == p || (*rest && *rest != ',') || port > 65535
			|| f->nb_ports == sizeof(f->port) / sizeof(f->port[0]))
			errx(USAGE, "--ports %s: up to 64 ports, such as 22,80", text);
		f->port[f->nb_ports++] = (uint16_t)port;
		p = rest;
		if (!*p)
			break;
	}
}

static void read_option(struct forger *f, struct options *options, int option) {
	struct address ip;
	unsigned first, last;

	switch (option) {
	case SCANNER:
		ip = read_address(optarg);
		f->scanner[ip.v6] = ip;
		f->has[ip.v6] = true;
		break;
	case VICTIMS:
		read_network(f->victims, optarg);
		break;
	case OWN:
		read_network(f->own, optarg);
		break;
	case GATEWAY:
		ip = read_address(optarg);
		f->gateway[ip.v6] = ip;
		break;
	case PORTS:
		read_ports(f, optarg);
		break;
	case SOURCE_PORTS:
		if (sscanf(optarg, "%u-%u", &first, &last) != 2 || first < 2000 || first > last
			|| last > 65535)
			errx(USAGE, "--source-ports %s: a range from 2000 on is wanted", optarg);
		f->first_port = (uint16_t)first;
		f->last_port = (uint16_t)last;
		break;
	case KINDS_:
		options->kinds = optarg;
		break;
	case COUNT:
		options->count = number("count", optarg);
		break;
	case RATE:
		options->rate = number("rate", optarg);
		break;
	case SECONDS:
		options->seconds = number("seconds", optarg);
		break;
	case TRUTH:
		f->truth = fopen(optarg, "w");
		if (!f->truth)
			err(1, "%s", optarg);
		break;
	case LIST:
		for (unsigned i = 0; i < KINDS; i++)
			printf("%s %s %s\n", kinds[i].set, kinds[i].name,
				fate_names[kinds[i].fate]);
		exit(0);
	case HELP:
		fputs(help_text, stdout);
		exit(0);
	default:
		errx(USAGE, "see forge --help");
	}
}

/* The kinds of the sets that are named, as places in the table. */
static unsigned choose(const char *list, unsigned chosen[KINDS]) {
	unsigned n = 0;
	size_t length;

	for (const char *p = list; *p; p += length + (p[length] == ',')) {
		const unsigned before = n;

		length = strcspn(p, ",");
		for (unsigned i = 0; i < KINDS && n < KINDS; i++)
			if (strlen(kinds[i].set) == length && !strncmp(kinds[i].set, p, length))
				chosen[n++] = i;
		if (n == before)
			errx(USAGE, "--kinds %s: tcp, udp, icmp, sctp, link, each once", list);
	}
	return n;
}

static void open_device(struct forger *f, const char *device, const char *mac) {
	const int on = 1, room = 8 << 20;
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	socklen_t length = sizeof(address);
	unsigned byte[6];

	if (sscanf(mac, "%x:%x:%x:%x:%x:%x", &byte[0], &byte[1], &byte[2], &byte[3], &byte[4],
		    &byte[5])
		!= 6)
		errx(USAGE, "%s is no hardware address", mac);
	for (unsigned i = 0; i < 6; i++)
		f->scanner_mac[i] = (uint8_t)byte[i];
	address.sll_ifindex = (int)if_nametoindex(device);
	if (!address.sll_ifindex)
		err(USAGE, "%s", device);
	f->socket = socket(AF_PACKET, SOCK_RAW, 0);
	if (f->socket < 0 || bind(f->socket, (struct sockaddr *)&address, sizeof(address)))
		err(1, "%s", device);
	/* Past other sockets of this end, which are to see the scanner's frames alone. */
	if (setsockopt(f->socket, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on))
		|| setsockopt(f->socket, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on))
		|| setsockopt(f->socket, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)))
		err(1, "%s", device);
	if (getsockname(f->socket, (struct sockaddr *)&address, &length))
		err(1, "%s", device);
	memcpy(f->our_mac, address.sll_addr, 6);
}

static void write_report(const struct forger *f) {
	struct tpacket_stats missed = {0};
	socklen_t length = sizeof(missed);
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	getsockopt(f->socket, SOL_PACKET, PACKET_STATISTICS, &missed, &length);
	printf("{\"forged\":%lu,\"unsent\":%lu,\"probes_seen\":%lu,\"probes_missed\":%u,\"fate\":{",
		forged(f), f->unsent, f->probes, missed.tp_drops);
	for (unsigned i = 0; i < FATES; i++)
		printf("%s\"%s\":%lu", i ? "," : "", fate_names[i], f->by_fate[i]);
	printf("},\"kind\":{");
	for (unsigned i = 0, n = 0; i < KINDS; i++)
		if (f->by_kind[i])
			printf("%s\"%s\":%lu", n++ ? "," : "", kinds[i].name, f->by_kind[i]);
	printf("},\"cpu_s\":%.3f}\n",
		(double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec)
			+ (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
}

int main(int argc, char **argv) {
	static struct forger forger = {.first_port = 32768, .last_port = 49151, .random = 1};
	struct options options = {"tcp", 1e18, 1e5, 1e9};
	const struct sigaction action = {.sa_handler = on_signal};
	unsigned chosen[KINDS], n;
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		read_option(&forger, &options, option);
	if (argc - optind != 2 || !forger.nb_ports || !(forger.has[0] || forger.has[1]))
		errx(USAGE,
			"a device, a hardware address, --scanner and --ports are wanted; see "
			"forge --help");
	if (!forger.truth && !(forger.truth = fopen("/dev/null", "w")))
		err(1, "/dev/null");
	n = choose(options.kinds, chosen);
	open_device(&forger, argv[optind], argv[optind + 1]);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	fputs("ready\n", stderr);
	attack(&forger, chosen, n, (uint64_t)options.count, options.rate, options.seconds);
	write_report(&forger);
	return fclose(forger.truth) || fflush(stdout) ? 1 : 0;
}
