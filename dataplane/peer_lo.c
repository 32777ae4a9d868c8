/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lo as a peer behind a net_ring port. Frames injected into lo get no reply, so probes leave by a
 * raw IP socket; responses are taken from a packet socket on lo, which a BPF filter narrows to what
 * can be one. One lcore runs it, system calls and all, and owns its buffers.
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

/* A raw socket and what it has not accepted yet. */
struct way {
	int fd;
	struct rte_mbuf *unsent[BURST];
	unsigned n;
};

struct lo {
	struct peer peer;
	struct way own; /* to addresses of the machine, which the kernel keeps on it */
	struct way bound; /* to all others: bound to lo, so that nothing leaves by another route */
	struct dp_ipset *own_addresses;
	int packet_fd;
	unsigned idle;
	struct rte_mbuf *spare[BURST]; /* buffers to receive into */
	unsigned nb_spare;
	counter refused; // writer: the lcore
	counter missed; // writer: control core
};

/* Give a way's probes to the kernel; true where it took any. */
static bool send_raw(struct lo *lo, struct way *way) {
	struct sockaddr_in to[BURST];
	struct mmsghdr message[BURST];
	struct iovec iov[BURST];
	int sent;

	if (way->n == 0)
		return false;
	memset(message, 0, way->n * sizeof(message[0]));
	for (unsigned i = 0; i < way->n; i++) {
		uint8_t *ip = rte_pktmbuf_mtod(way->unsent[i], uint8_t *) + ETH_BYTES;

		to[i] = (struct sockaddr_in){.sin_family = AF_INET};
		memcpy(&to[i].sin_addr, ip + 16, 4);
		iov[i] = (struct iovec){ip, get16(ip + 2)};
		message[i].msg_hdr.msg_name = &to[i];
		message[i].msg_hdr.msg_namelen = sizeof(to[i]);
		message[i].msg_hdr.msg_iov = &iov[i];
		message[i].msg_hdr.msg_iovlen = 1;
	}
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

static bool take_probes(struct lo *lo) {
	struct rte_mbuf *mbuf[BURST];
	bool busy;

	for (unsigned i = 0; lo->own.n + lo->bound.n == 0 && i < lo->peer.nb_from_tx; i++) {
		unsigned n = rte_ring_sc_dequeue_burst(
			lo->peer.from_tx[i], (void **)mbuf, BURST, NULL);

		for (unsigned k = 0; k < n; k++) {
			const uint8_t *ip = rte_pktmbuf_mtod(mbuf[k], uint8_t *) + ETH_BYTES;
			struct way *way = dp_ipset_contains(lo->own_addresses, get32(ip + 16))
				? &lo->own
				: &lo->bound;

			way->unsent[way->n++] = mbuf[k];
		}
	}
	busy = send_raw(lo, &lo->own);
	return send_raw(lo, &lo->bound) || busy;
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
	room = rte_ring_free_count(lo->peer.to_rx[0]);
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
	taken = rte_ring_sp_enqueue_burst(
		lo->peer.to_rx[0], (void **)lo->spare, (unsigned)got, NULL);
	lo->nb_spare -= taken;
	memmove(lo->spare, lo->spare + taken, lo->nb_spare * sizeof(lo->spare[0]));
	return true;
}

static int lo_lcore(void *arg) {
	struct lo *lo = arg;
	const struct dp_engine *engine = lo->peer.engine;

	while (!engine_stopping(engine)) {
		bool busy = take_probes(lo);

		busy |= receive(lo);
		if (busy)
			lo->idle = 0;
		else
			lcore_idle(engine, &lo->idle, UINT64_MAX);
	}
	return 0;
}

/*
 * Classic BPF over Ethernet frames: to our address, and either TCP to one of our ports with ACK set
 * (both kinds of answer have it; our own SYNs and the kernel's resets do not) or an ICMP error.
 */
static int attach_filter(int fd, const struct dp_engine *engine) {
	const struct dp_params *params = &engine->params;
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, ETH_TYPE_AT),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_TYPE_IPV4, 0, 14),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ETH_BYTES + 16),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, engine->env.source_ip, 0, 12),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, ETH_BYTES),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ETH_BYTES + 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPV4_TCP, 0, 5),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, ETH_BYTES + 2),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, params->source_port_first, 0, 7),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, params->source_port_last, 6, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, ETH_BYTES + 13),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TCP_ACK, 3, 4),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPV4_ICMP, 0, 3),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, ETH_BYTES),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP_UNREACHABLE, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, PEER_ROOM),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) ? -errno : 0;
}

static int open_packet_socket(const struct dp_engine *engine) {
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), size = RECEIVE_BUFFER, one = 1, rc;
	struct netif netif;

	if (fd < 0)
		return -errno;
	rc = attach_filter(fd, engine);
	if (rc == 0)
		rc = netif_find("lo", &netif);
	/* Each frame passes lo twice, outgoing and incoming. */
	if (rc == 0 && setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)))
		rc = -errno;
	if (rc == 0 && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	address.sll_ifindex = (int)netif.index;
	if (rc == 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)))
		rc = -errno;
	if (rc) {
		close(fd);
		return rc;
	}
	return fd;
}

static int open_raw_socket(bool bind_to_lo) {
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW), rc;

	if (fd < 0)
		return -errno;
	if (!bind_to_lo || setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", sizeof("lo")) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

static void lo_destroy(struct peer *peer) {
	struct lo *lo = (struct lo *)peer;
	const int fd[] = {lo->packet_fd, lo->own.fd, lo->bound.fd};

	rte_pktmbuf_free_bulk(lo->spare, lo->nb_spare);
	rte_pktmbuf_free_bulk(lo->own.unsent, lo->own.n);
	rte_pktmbuf_free_bulk(lo->bound.unsent, lo->bound.n);
	for (unsigned i = 0; i < 3; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	dp_ipset_destroy(lo->own_addresses);
	free(lo);
}

/* 0, or the errno of what could not be opened; what was is closed by lo_destroy(). */
static int open_sockets(struct lo *lo, const struct dp_engine *engine) {
	int rc = netif_own_addresses(&lo->own_addresses);

	lo->own.fd = lo->bound.fd = lo->packet_fd = -1;
	if (rc)
		return rc;
	lo->own.fd = open_raw_socket(false);
	lo->bound.fd = open_raw_socket(true);
	lo->packet_fd = open_packet_socket(engine);
	if (lo->own.fd < 0)
		return lo->own.fd;
	return lo->bound.fd < 0 ? lo->bound.fd : lo->packet_fd < 0 ? lo->packet_fd : 0;
}

static int lo_create(struct dp_engine *engine, struct peer **peer, struct dp_error *err) {
	struct lo *lo = calloc(1, sizeof(*lo));
	int rc;

	if (!lo)
		return dp_fail(err, false, -ENOMEM, "out of memory");
	rc = open_sockets(lo, engine);
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
