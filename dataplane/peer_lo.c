/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lo as a peer behind a net_ring port. Frames injected into lo get no reply, so probes leave by raw
 * IP sockets; responses are taken from a packet socket on lo, which a BPF filter narrows to what can
 * be one. One lcore runs it, system calls and all, and owns its buffers.
 */
#include "core.h"
#include "netif.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	RECEIVE_BUFFER = 64 << 20, /* a full port range answers in one go */
};

/* By which socket a probe leaves. */
enum way_kind {
	WAY_OWN, /* to addresses of the machine, which the kernel keeps on it */
	WAY_BOUND, /* to all others: bound to lo, so that nothing leaves by another route */
	WAY_KINDS,
};

/* A raw socket and what it has not accepted yet. */
struct way {
	int fd; /* -1: none, as no probe is of this family */
	struct rte_mbuf *unsent[BURST];
	unsigned n;
};

struct lo {
	struct peer peer;
	struct way way[FAMILIES][WAY_KINDS];
	struct dp_ipset *own_addresses;
	int packet_fd;
	struct idle idle;
	struct rte_mbuf *spare[BURST]; /* buffers to receive into */
	unsigned nb_spare;
	counter refused; // writer: the lcore
	counter missed; // writer: control core
};

/* Where a packet goes, as a raw socket is told. No port: a raw socket has none. */
union destination {
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* Address a whole packet, as its own header says. */
static void address(struct msghdr *message, struct iovec *iov, union destination *to,
	enum family family, uint8_t *packet) {
	memset(to, 0, sizeof(*to));
	if (family == FAMILY_V4) {
		to->v4.sin_family = AF_INET;
		memcpy(&to->v4.sin_addr, packet + 16, 4);
		*iov = (struct iovec){packet, get16(packet + 2)};
	} else {
		to->v6.sin6_family = AF_INET6;
		memcpy(&to->v6.sin6_addr, packet + 24, 16);
		*iov = (struct iovec){packet, IPV6_BYTES + (size_t)get16(packet + 4)};
	}
	message->msg_name = to;
	message->msg_namelen = family == FAMILY_V4 ? sizeof(to->v4) : sizeof(to->v6);
	message->msg_iov = iov;
	message->msg_iovlen = 1;
}

/* Give a way's probes to the kernel; true where it took any. */
static bool send_raw(struct lo *lo, struct way *way, enum family family) {
	union destination to[BURST];
	struct mmsghdr message[BURST];
	struct iovec iov[BURST];
	int sent;

	if (way->n == 0)
		return false;
	memset(message, 0, way->n * sizeof(message[0]));
	for (unsigned i = 0; i < way->n; i++)
		address(&message[i].msg_hdr, &iov[i], &to[i], family,
			rte_pktmbuf_mtod(way->unsent[i], uint8_t *) + ETH_BYTES);
	sent = sendmmsg(way->fd, message, way->n, MSG_DONTWAIT);
	if (sent < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == EINTR))
		return false;
	if (sent < 0) {
		/* A firewall's refusal, or an address that has gone: this one will never go. */
		count(&lo->refused, 1);
		sent = 1;
	}
	rte_pktmbuf_free_bulk(way->unsent, (unsigned)sent);
	way->n -= (unsigned)sent;
	memmove(way->unsent, way->unsent + sent, way->n * sizeof(way->unsent[0]));
	return true;
}

/* The way of a frame, or NULL: lo has neither links nor tags, nor IPv6 where that is off. */
static struct way *way_of(struct lo *lo, const uint8_t *frame) {
	const uint16_t type = get16(frame + ETH_TYPE_AT);
	const uint8_t *packet = frame + ETH_BYTES;
	enum family family;
	struct way *way;
	dp_ip to;

	if (type == ETH_TYPE_IPV4) {
		family = FAMILY_V4;
		to = dp_ip_v4(get32(packet + 16));
	} else if (type == ETH_TYPE_IPV6) {
		family = FAMILY_V6;
		to = dp_ip_get_v6(packet + 24);
	} else {
		return NULL;
	}
	way = &lo->way[family][dp_ipset_contains(lo->own_addresses, to) ? WAY_OWN : WAY_BOUND];
	return way->fd < 0 ? NULL : way;
}

static bool all_sent(const struct lo *lo) {
	for (unsigned i = 0; i < FAMILIES * WAY_KINDS; i++)
		if (lo->way[i / WAY_KINDS][i % WAY_KINDS].n)
			return false;
	return true;
}

static bool take_probes(struct lo *lo) {
	struct rte_mbuf *mbuf[BURST];
	bool busy = false;

	for (unsigned i = 0; i < lo->peer.nb_from_tx && all_sent(lo); i++) {
		unsigned n = peer_take(lo->peer.from_tx[i], mbuf);

		for (unsigned k = 0; k < n; k++) {
			struct way *way = way_of(lo, rte_pktmbuf_mtod(mbuf[k], uint8_t *));

			if (way) {
				way->unsent[way->n++] = mbuf[k];
				continue;
			}
			count(&lo->refused, 1);
			rte_pktmbuf_free(mbuf[k]);
		}
	}
	for (unsigned i = 0; i < FAMILIES * WAY_KINDS; i++)
		busy |= send_raw(
			lo, &lo->way[i / WAY_KINDS][i % WAY_KINDS], (enum family)(i / WAY_KINDS));
	return busy;
}

static void fill_spare(struct lo *lo) {
	while (lo->nb_spare < BURST) {
		struct rte_mbuf *mbuf = rte_pktmbuf_alloc(lo->peer.pool);

		if (!mbuf)
			return;
		lo->spare[lo->nb_spare++] = mbuf;
	}
}

static bool receive(struct lo *lo) {
	struct mmsghdr message[BURST];
	struct iovec iov[BURST];
	unsigned n, room, taken;
	int got;

	/* What finds no room stays in the socket: a peer drops nothing itself. */
	room = ring_room(lo->peer.to_rx[0]);
	fill_spare(lo);
	n = lo->nb_spare < room ? lo->nb_spare : room;
	if (n == 0)
		return false;
	memset(message, 0, n * sizeof(message[0]));
	for (unsigned i = 0; i < n; i++) {
		iov[i] = (struct iovec){rte_pktmbuf_mtod(lo->spare[i], void *), PEER_ROOM};
		message[i].msg_hdr.msg_iov = &iov[i];
		message[i].msg_hdr.msg_iovlen = 1;
	}
	got = recvmmsg(lo->packet_fd, message, n, MSG_DONTWAIT, NULL);
	if (got <= 0)
		return false;
	for (int i = 0; i < got; i++) {
		lo->spare[i]->data_len = (uint16_t)message[i].msg_len;
		lo->spare[i]->pkt_len = message[i].msg_len;
	}
	taken = peer_feed(lo->peer.to_rx[0], lo->spare, (unsigned)got);
	lo->nb_spare -= taken;
	memmove(lo->spare, lo->spare + taken, lo->nb_spare * sizeof(lo->spare[0]));
	return true;
}

static int lo_lcore(void *arg) {
	struct lo *lo = arg;
	const struct dp_engine *engine = lo->peer.engine;

	lcore_begin();
	while (!engine_stopping(engine)) {
		bool busy = take_probes(lo);

		busy |= receive(lo);
		if (busy)
			lo->idle.turns = 0;
		else
			lcore_idle(engine, &lo->idle, UINT64_MAX, false);
	}
	handover_give(&lo->peer);
	return 0;
}

/* The filter's instructions by their places, so that jumps can name where they go. */
enum filter_at {
	TYPE,
	IF_V4,
	IF_V6,
	V4_TO,
	V4_FIRST,
	V4_LAST,
	V4_HEADER,
	V4_PROTOCOL,
	V4_ON,
	V6_HEADER,
	V6_PROTOCOL,
	IF_TCP,
	IF_UDP,
	IF_SCTP,
	IF_ICMP,
	IF_ICMPV6,
	TCP_FLAGS,
	TCP_ANSWER,
	SCTP_CHUNK,
	SCTP_PROBE,
	PORT,
	PORT_FIRST,
	PORT_LAST,
	ICMP_TYPE,
	ICMP_ERROR,
	ICMP_ECHO,
	ICMP_STAMP,
	ICMPV6_TYPE,
	ICMPV6_ERROR,
	ICMPV6_ECHO,
	TAKE,
	LEAVE,
	FILTER_LENGTH,
};

#define STEP(at, code, k) [at] = BPF_STMT(code, k)
#define JUMP(at, op, k, yes, no)                                                                   \
	[at] = BPF_JUMP(BPF_JMP | op | BPF_K, k, (yes) - (at)-1, (no) - (at)-1)

enum {
	SCTP_CHUNK_AT = 12,
	SCTP_INIT = 1, /* RFC 9260 3.2 */
};

/*
 * Classic BPF over Ethernet frames, as probes of ours come by, too, and the kernel's resets, which
 * are no answers: to one of our IPv4 addresses, or to any IPv6 one, which the parser looks at; to one
 * of our ports, in TCP with flags that answers have and probes have not, in SCTP no INIT; or what
 * ICMP says of errors and, where we ping, replies.
 */
static int attach_filter(int fd, const struct port *port) {
	const struct dp_params *params = &port->engine->params;
	const struct sources *v4 = &port->scan.env.sources[FAMILY_V4];
	const bool pings = params->type->proto == DP_PROTO_ICMP;
	/*
	 * An answer to SYN has ACK, which neither SYN nor the kernel's reset has. The other probes
	 * are answered by resets, and by SYN-ACK to those single ones that are SYN.
	 */
	const unsigned flags = strcmp(params->type->flags, "S") == 0 ? TCP_ACK : TCP_RST | TCP_SYN;
	struct sock_filter code[FILTER_LENGTH] = {
		STEP(TYPE, BPF_LD | BPF_H | BPF_ABS, ETH_TYPE_AT),
		JUMP(IF_V4, BPF_JEQ, ETH_TYPE_IPV4, V4_TO, IF_V6),
		JUMP(IF_V6, BPF_JEQ, ETH_TYPE_IPV6, V6_HEADER, LEAVE),

		STEP(V4_TO, BPF_LD | BPF_W | BPF_ABS, ETH_BYTES + 16),
		JUMP(V4_FIRST, BPF_JGE, v4->nb ? dp_ip_to_v4(v4->range[0].first) : UINT32_MAX,
			V4_LAST, LEAVE),
		JUMP(V4_LAST, BPF_JGT, v4->nb ? dp_ip_to_v4(v4->range[v4->nb - 1].last) : 0, LEAVE,
			V4_HEADER),
		STEP(V4_HEADER, BPF_LDX | BPF_B | BPF_MSH, ETH_BYTES),
		STEP(V4_PROTOCOL, BPF_LD | BPF_B | BPF_ABS, ETH_BYTES + 9),
		STEP(V4_ON, BPF_JMP | BPF_JA, IF_TCP - V4_ON - 1),

		STEP(V6_HEADER, BPF_LDX | BPF_W | BPF_IMM, IPV6_BYTES),
		STEP(V6_PROTOCOL, BPF_LD | BPF_B | BPF_ABS, ETH_BYTES + 6),

		/* X is the network header's length. */
		JUMP(IF_TCP, BPF_JEQ, IPV4_TCP, TCP_FLAGS, IF_UDP),
		JUMP(IF_UDP, BPF_JEQ, IPV4_UDP, PORT, IF_SCTP),
		JUMP(IF_SCTP, BPF_JEQ, IPV4_SCTP, SCTP_CHUNK, IF_ICMP),
		JUMP(IF_ICMP, BPF_JEQ, IPV4_ICMP, ICMP_TYPE, IF_ICMPV6),
		JUMP(IF_ICMPV6, BPF_JEQ, IPV4_ICMPV6, ICMPV6_TYPE, LEAVE),

		STEP(TCP_FLAGS, BPF_LD | BPF_B | BPF_IND, ETH_BYTES + 13),
		JUMP(TCP_ANSWER, BPF_JSET, flags, PORT, LEAVE),
		STEP(SCTP_CHUNK, BPF_LD | BPF_B | BPF_IND, ETH_BYTES + SCTP_CHUNK_AT),
		JUMP(SCTP_PROBE, BPF_JEQ, SCTP_INIT, LEAVE, PORT),
		STEP(PORT, BPF_LD | BPF_H | BPF_IND, ETH_BYTES + 2),
		JUMP(PORT_FIRST, BPF_JGE, params->source_port_first, PORT_LAST, LEAVE),
		JUMP(PORT_LAST, BPF_JGT, params->source_port_last, LEAVE, TAKE),

		STEP(ICMP_TYPE, BPF_LD | BPF_B | BPF_IND, ETH_BYTES),
		JUMP(ICMP_ERROR, BPF_JEQ, ICMP_UNREACHABLE, TAKE, pings ? ICMP_ECHO : LEAVE),
		JUMP(ICMP_ECHO, BPF_JEQ, ICMP_ECHO_REPLY, TAKE, ICMP_STAMP),
		JUMP(ICMP_STAMP, BPF_JEQ, ICMP_TIMESTAMP_REPLY, TAKE, LEAVE),
		STEP(ICMPV6_TYPE, BPF_LD | BPF_B | BPF_IND, ETH_BYTES),
		JUMP(ICMPV6_ERROR, BPF_JEQ, ICMPV6_UNREACHABLE, TAKE, pings ? ICMPV6_ECHO : LEAVE),
		JUMP(ICMPV6_ECHO, BPF_JEQ, ICMPV6_ECHO_REPLY, TAKE, LEAVE),

		STEP(TAKE, BPF_RET | BPF_K, PEER_ROOM),
		STEP(LEAVE, BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = {FILTER_LENGTH, code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) ? -errno : 0;
}

/* A packet socket on lo for both families; its filter is there before the first frame. */
static int open_packet_socket(const struct port *port) {
	struct sockaddr_ll where = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), size = RECEIVE_BUFFER, one = 1, rc;
	struct netif netif;

	if (fd < 0)
		return -errno;
	rc = attach_filter(fd, port);
	if (rc == 0)
		rc = netif_find("lo", &netif);
	/* Each frame passes lo twice, outgoing and incoming. */
	if (rc == 0 && setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)))
		rc = -errno;
	if (rc == 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (rc == 0)
		where.sll_ifindex = (int)netif.index;
	if (rc == 0 && bind(fd, (struct sockaddr *)&where, sizeof(where)))
		rc = -errno;
	if (rc) {
		close(fd);
		return rc;
	}
	return fd;
}

/* A socket that sends whole packets (raw(7); in IPv6 as in IPv4, IPPROTO_RAW implies the header). */
static int open_raw_socket(enum family family, bool bind_to_lo) {
	int fd = socket(
		family == FAMILY_V4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	int rc;

	if (fd < 0)
		return -errno;
	if (!bind_to_lo || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", sizeof("lo")) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

static void close_way(struct way *way) {
	rte_pktmbuf_free_bulk(way->unsent, way->n);
	if (way->fd >= 0)
		close(way->fd);
}

static void lo_destroy(struct peer *peer) {
	struct lo *lo = (struct lo *)peer;

	rte_pktmbuf_free_bulk(lo->spare, lo->nb_spare);
	for (unsigned i = 0; i < FAMILIES * WAY_KINDS; i++)
		close_way(&lo->way[i / WAY_KINDS][i % WAY_KINDS]);
	if (lo->packet_fd >= 0)
		close(lo->packet_fd);
	dp_ipset_destroy(lo->own_addresses);
	free(lo);
}

/* 0, or the errno of what could not be opened; what was is closed by lo_destroy(). */
static int open_sockets(struct lo *lo, const struct port *port) {
	const bool used[FAMILIES]
		= {[FAMILY_V4] = port->plan->v4.used, [FAMILY_V6] = port->plan->v6.used};
	int rc = netif_own_addresses(&lo->own_addresses);

	for (unsigned i = 0; rc == 0 && i < FAMILIES * WAY_KINDS; i++) {
		int *fd = &lo->way[i / WAY_KINDS][i % WAY_KINDS].fd;

		if (!used[i / WAY_KINDS])
			continue;
		*fd = open_raw_socket((enum family)(i / WAY_KINDS), i % WAY_KINDS == WAY_BOUND);
		if (*fd < 0)
			rc = *fd;
	}
	if (rc)
		return rc;
	lo->packet_fd = open_packet_socket(port);
	return lo->packet_fd < 0 ? lo->packet_fd : 0;
}

static int lo_create(struct port *port, struct peer **peer, struct dp_error *err) {
	struct lo *lo = calloc(1, sizeof(*lo));
	int rc;

	if (!lo)
		return dp_fail(err, false, -ENOMEM, "out of memory");
	lo->packet_fd = -1;
	for (unsigned i = 0; i < FAMILIES * WAY_KINDS; i++)
		lo->way[i / WAY_KINDS][i % WAY_KINDS].fd = -1;
	rc = open_sockets(lo, port);
	if (rc) {
		lo_destroy(&lo->peer);
		return dp_fail(err, false, rc, "port = lo: cannot open raw sockets: %s%s",
			strerror(-rc),
			rc == -EPERM ? "; run as root or with CAP_NET_RAW (sudo prtip-dp ...)"
				     : "");
	}
	*peer = &lo->peer;
	return 0;
}

static void lo_stats(const struct peer *peer, struct dp_stats *stats) {
	struct lo *lo = (struct lo *)peer;
	struct tpacket_stats kernel;
	socklen_t size = sizeof(kernel);

	/* Reading clears it. The control core alone asks. */
	if (getsockopt(lo->packet_fd, SOL_PACKET, PACKET_STATISTICS, &kernel, &size) == 0)
		count(&lo->missed, kernel.tp_drops);
	stats->lost_rx_missed += counted(&lo->missed);
	stats->lost_tx_dropped += counted(&lo->refused);
}

const struct peer_type peer_lo = {
	.create = lo_create,
	.lcore = lo_lcore,
	.destroy = lo_destroy,
	.stats = lo_stats,
};
