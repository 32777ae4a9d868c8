/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hand-driven net_af_xdp port for tests/lab/xdp-steer.sh: starts one with the steering program as
 * the scanner does, obeys commands on standard input, and prints what reaches the socket.
 *
 *     xdp_lab INTERFACE SOURCE FIRST LAST owned|unowned [DESCRIPTORS]
 *
 *     xdp_lab object     write the unpatched program's ELF object to standard output
 *
 * Commands:
 *
 *     arp IP          ask for a neighbour, as the scanner would
 *     syn IP PORT N   send N SYNs to the neighbour found last, from ports FIRST, FIRST + 1, ...
 *     sleep MS        do not poll, so that the receive ring fills
 *     stats           sockets' and driver's counters
 *     quit            (or end of input) close the port
 *
 * One thread. Not part of the scanner.
 */
#include "ifsock.h"
#include "xdp.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	BUFFERS = 8191,
	BURST = 32,
};

struct lab {
	struct steer_config config;
	struct ifsock ifsock;
	struct rte_mempool *rx_pool, *tx_pool;
	struct rte_ether_addr mac, peer_mac;
	uint64_t tcp_received;
	uint16_t port, descriptors;
};

static const char *text_of(uint32_t ip_be, char text[static INET_ADDRSTRLEN]) {
	return inet_ntop(AF_INET, &ip_be, text, INET_ADDRSTRLEN);
}

/* One line a frame, but for TCP, of which there can be many: `stats` has their number. */
static void print_frame(struct lab *lab, const uint8_t *frame, unsigned length) {
	uint32_t source, destination;
	uint16_t type;
	char from[INET_ADDRSTRLEN], to[INET_ADDRSTRLEN];

	memcpy(&type, frame + 12, 2);
	if (type == htons(RTE_ETHER_TYPE_ARP) && length >= 42) {
		memcpy(&source, frame + 28, 4);
		memcpy(&destination, frame + 38, 4);
		if (frame[21] == 2)
			memcpy(&lab->peer_mac, frame + 22, RTE_ETHER_ADDR_LEN);
		printf("rx arp %s from %s to %s\n", frame[21] == 2 ? "reply" : "request",
			text_of(source, from), text_of(destination, to));
		return;
	}
	if (type != htons(RTE_ETHER_TYPE_IPV4) || length < 42) {
		printf("rx other\n");
		return;
	}
	memcpy(&source, frame + 26, 4);
	memcpy(&destination, frame + 30, 4);
	text_of(source, from);
	text_of(destination, to);
	if (frame[23] == IPPROTO_TCP && length >= 54) {
		if (lab->tcp_received++ < 2)
			printf("rx tcp %s:%u to %s:%u flags %#x\n", from,
				frame[34] << 8 | frame[35], to, frame[36] << 8 | frame[37],
				frame[47]);
	} else if (frame[23] == IPPROTO_ICMP && frame[34] == 8) {
		printf("rx echo request from %s to %s\n", from, to);
	} else if (frame[23] == IPPROTO_ICMP && length >= 64) {
		printf("rx icmp %u/%u from %s quotes port %u\n", frame[34], frame[35], from,
			frame[62] << 8 | frame[63]);
	} else {
		printf("rx other IPv4 protocol %u\n", frame[23]);
	}
}

static void receive(struct lab *lab) {
	struct rte_mbuf *burst[BURST];
	unsigned n = rte_eth_rx_burst(lab->port, 0, burst, BURST);

	for (unsigned i = 0; i < n; i++)
		print_frame(lab, rte_pktmbuf_mtod(burst[i], const uint8_t *), burst[i]->data_len);
	rte_pktmbuf_free_bulk(burst, n);
}

static void transmit(struct lab *lab, const uint8_t *frame, unsigned length) {
	struct rte_mbuf *m = rte_pktmbuf_alloc(lab->tx_pool);

	if (m == NULL)
		return;
	memcpy(rte_pktmbuf_append(m, (uint16_t)length), frame, length);
	while (rte_eth_tx_burst(lab->port, 0, &m, 1) == 0)
		receive(lab);
}

static void send_arp(struct lab *lab, uint32_t target_be) {
	uint8_t frame[60] = {[12] = 8, [13] = 6, [15] = 1, [16] = 8, [18] = 6, [19] = 4, [21] = 1};

	memset(frame, 0xff, RTE_ETHER_ADDR_LEN);
	memcpy(frame + 6, &lab->mac, RTE_ETHER_ADDR_LEN);
	memcpy(frame + 22, &lab->mac, RTE_ETHER_ADDR_LEN);
	if (!lab->config.kernel_owns)
		memcpy(frame + 28, &lab->config.source_be, 4);
	memcpy(frame + 38, &target_be, 4);
	transmit(lab, frame, sizeof(frame));
}

static void send_syn(struct lab *lab, uint32_t target_be, uint16_t port, unsigned n) {
	uint8_t frame[60] = {0};
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(frame + 14);
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(ip + 1);

	memcpy(frame, &lab->peer_mac, RTE_ETHER_ADDR_LEN);
	memcpy(frame + 6, &lab->mac, RTE_ETHER_ADDR_LEN);
	frame[12] = 8;
	ip->version_ihl = RTE_IPV4_VHL_DEF;
	ip->total_length = htons(sizeof(*ip) + sizeof(*tcp));
	ip->time_to_live = 64;
	ip->next_proto_id = IPPROTO_TCP;
	ip->src_addr = lab->config.source_be;
	ip->dst_addr = target_be;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	tcp->dst_port = htons(port);
	tcp->sent_seq = htonl(1000);
	tcp->data_off = sizeof(*tcp) / 4 << 4;
	tcp->tcp_flags = RTE_TCP_SYN_FLAG;
	tcp->rx_win = htons(1024);
	for (unsigned i = 0; i < n; i++) {
		tcp->src_port = htons((uint16_t)(lab->config.port_first
			+ i % (lab->config.port_last - lab->config.port_first + 1u)));
		tcp->cksum = 0;
		tcp->cksum = rte_ipv4_udptcp_cksum(ip, tcp);
		transmit(lab, frame, sizeof(frame));
		receive(lab);
	}
	ifsock_kick(&lab->ifsock);
}

static void print_stats(struct lab *lab) {
	struct ifsock_losses losses;
	struct rte_eth_stats stats = {0};

	ifsock_read(&lab->ifsock, &losses);
	rte_eth_stats_get(lab->port, &stats);
	printf("stats tcp %" PRIu64 " lost rx %" PRIu64 " tx %" PRIu64 " imissed %" PRIu64
	       " ipackets %" PRIu64 " opackets %" PRIu64 " oerrors %" PRIu64 "\n",
		lab->tcp_received, losses.rx, losses.tx, stats.imissed, stats.ipackets,
		stats.opackets, stats.oerrors);
}

/* False at the end. */
static bool obey(struct lab *lab, const char *line) {
	char ip[32];
	unsigned port, n;

	if (sscanf(line, "arp %31s", ip) == 1)
		send_arp(lab, inet_addr(ip));
	else if (sscanf(line, "syn %31s %u %u", ip, &port, &n) == 3)
		send_syn(lab, inet_addr(ip), (uint16_t)port, n);
	else if (sscanf(line, "sleep %u", &n) == 1)
		usleep(n * 1000);
	else if (strncmp(line, "stats", 5) == 0)
		print_stats(lab);
	else
		return false;
	printf("done %s", line);
	return true;
}

static void run(struct lab *lab) {
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	char line[128];

	/* Commands come slower than lines are read, so that stdio never holds back a second one. */
	for (;;) {
		receive(lab);
		fflush(stdout);
		if (poll(&input, 1, 0) > 0
			&& (fgets(line, sizeof(line), stdin) == NULL || !obey(lab, line)))
			return;
	}
}

static int start_port(struct lab *lab, const char *device) {
	char vdev[128];
	const char *argv[] = {"xdp_lab", "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry",
		"--iova-mode=va", "-m", "128", "-l", "0", "--log-level=*:error", "--vdev", vdev,
		NULL};
	struct rte_eth_conf conf = {0};
	int rc;

	snprintf(vdev, sizeof(vdev), "%s", device);
	rc = rte_eal_init(sizeof(argv) / sizeof(argv[0]) - 1, (char **)argv);
	if (rc < 0)
		return -rte_errno;
	rc = rte_eth_dev_get_port_by_name("net_af_xdp0", &lab->port);
	if (rc < 0)
		return rc;
	lab->rx_pool = rte_pktmbuf_pool_create("rx", BUFFERS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	lab->tx_pool = rte_pktmbuf_pool_create("tx", BUFFERS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
	if (lab->rx_pool == NULL || lab->tx_pool == NULL)
		return -rte_errno;
	rc = rte_eth_dev_configure(lab->port, 1, 1, &conf);
	if (rc == 0)
		rc = rte_eth_rx_queue_setup(lab->port, 0, lab->descriptors, 0, NULL, lab->rx_pool);
	if (rc == 0)
		rc = rte_eth_tx_queue_setup(lab->port, 0, lab->descriptors, 0, NULL);
	if (rc == 0)
		rc = rte_eth_dev_start(lab->port);
	if (rc == 0)
		rc = rte_eth_macaddr_get(lab->port, &lab->mac);
	return rc;
}

static int write_object(void) {
	const struct steer_config none = {.port_first = 1};
	struct dp_error err;
	char path[XDP_PATH_BYTES], buffer[4096];
	int fd;
	ssize_t n;

	if (xdp_program_prepare(&none, path, &fd, &err) < 0) {
		fprintf(stderr, "xdp_lab: %s\n", err.text);
		return 1;
	}
	lseek(fd, 0, SEEK_SET);
	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		fwrite(buffer, 1, (size_t)n, stdout);
	close(fd);
	return fflush(stdout) == 0 ? 0 : 1;
}

int main(int argc, char **argv) {
	struct lab lab = {0};
	struct dp_error err = {0};
	char path[XDP_PATH_BYTES], device[128];
	const char *interface = argc == 6 || argc == 7 ? argv[1] : NULL;
	int fd, ifindex, rc;

	if (argc == 2 && strcmp(argv[1], "object") == 0)
		return write_object();
	if (interface == NULL) {
		fprintf(stderr,
			"usage: xdp_lab INTERFACE SOURCE FIRST LAST owned|unowned [DESCRIPTORS]\n");
		return 2;
	}
	lab.config.source_be = inet_addr(argv[2]);
	lab.config.port_first = (uint16_t)atoi(argv[3]);
	lab.config.port_last = (uint16_t)atoi(argv[4]);
	lab.config.kernel_owns = strcmp(argv[5], "owned") == 0;
	lab.descriptors = argc == 7 ? (uint16_t)atoi(argv[6]) : 2048;

	rc = xdp_supported(interface, &err);
	if (rc == 0)
		rc = xdp_interface_lock(interface, &err);
	ifindex = (int)if_nametoindex(interface);
	if (rc >= 0)
		rc = xdp_detach(ifindex, &err);
	if (rc < 0) {
		fprintf(stderr, "xdp_lab: %s\n", err.text);
		return 1;
	}
	printf("leftover %d\n", rc);
	rc = xdp_program_prepare(&lab.config, path, &fd, &err);
	if (rc < 0) {
		fprintf(stderr, "xdp_lab: %s\n", err.text);
		return 1;
	}
	snprintf(device, sizeof(device), "net_af_xdp0,iface=%s,busy_budget=0,xdp_prog=%s",
		interface, path);
	ifsock_mark(&lab.ifsock);
	rc = start_port(&lab, device);
	if (rc < 0) {
		fprintf(stderr, "xdp_lab: port: %s\n", strerror(-rc));
		return 1;
	}
	close(fd);
	printf("ready, %d sockets\n", ifsock_scan(&lab.ifsock));
	run(&lab);
	print_stats(&lab);
	rte_eth_dev_stop(lab.port);
	rte_eth_dev_close(lab.port);
	printf("closed, still attached %d\n", xdp_detach(ifindex, &err));
	rte_eal_cleanup();
	return 0;
}
