/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hand-driven net_af_xdp port for tests/lab/xdp-steer.sh: starts one with the steering program as
 * the scanner does, obeys commands on standard input, and prints what reaches the socket.
 *
 *     xdp_lab INTERFACE SOURCES FIRST LAST owned|unowned[,pings][,asks][,vlan=N] [DESCRIPTORS]
 *
 * SOURCES is a list of addresses or ranges (A or A-B) with commas; frames come from the first one of
 * their family.
 *
 *     xdp_lab object     write the unpatched program's ELF object to standard output
 *
 * Commands:
 *
 *     ask IP          ask for a neighbour, as the scanner would
 *     syn IP PORT N   send N SYNs to the neighbour found last, from ports FIRST, FIRST + 1, ...
 *     udp IP PORT N   the same with empty datagrams
 *     sctp IP PORT N  the same with SCTP headers
 *     ping IP         send it an echo request
 *     sleep MS        do not poll, so that the receive ring fills
 *     stats           sockets' and driver's counters
 *     quit            (or end of input) close the port
 *
 * One thread. Not part of the scanner.
 */
#include "frame.h"
#include "ifsock.h"
#include "xdp.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
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
	FRAME_ROOM = 128,
};

struct lab {
	struct steer_config config;
	struct ifsock ifsock;
	struct rte_mempool *rx_pool, *tx_pool;
	uint64_t mac, peer_mac;
	uint64_t tcp_received;
	uint16_t port, descriptors;
};

static dp_ip parse_ip(const char *text) {
	uint8_t bytes[16];

	if (inet_pton(AF_INET6, text, bytes) == 1)
		return dp_ip_get_v6(bytes);
	return inet_pton(AF_INET, text, bytes) == 1 ? dp_ip_v4(get32(bytes)) : 0;
}

static const char *text_of(dp_ip ip, char text[static INET6_ADDRSTRLEN]) {
	uint8_t bytes[16];

	dp_ip_put_v6(bytes, ip);
	return dp_ip_is_v4(ip) ? inet_ntop(AF_INET, bytes + 12, text, INET6_ADDRSTRLEN)
			       : inet_ntop(AF_INET6, bytes, text, INET6_ADDRSTRLEN);
}

static void print_arp(struct lab *lab, const uint8_t *arp) {
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];
	const bool reply = get16(arp + 6) == ARP_REPLY;

	if (reply)
		lab->peer_mac = mac_get(arp + 8);
	printf("rx arp %s from %s to %s\n", reply ? "reply" : "request",
		text_of(dp_ip_v4(get32(arp + 14)), from), text_of(dp_ip_v4(get32(arp + 24)), to));
}

/* Of either family. */
static void print_icmp(struct lab *lab, const uint8_t *icmp, const uint8_t *frame, bool v4,
	const char *from, const char *to) {
	char target[INET6_ADDRSTRLEN];

	if (icmp[0] == (v4 ? ICMP_ECHO_REQUEST : ICMPV6_ECHO_REQUEST)) {
		printf("rx echo request from %s to %s\n", from, to);
	} else if (icmp[0] == (v4 ? ICMP_ECHO_REPLY : ICMPV6_ECHO_REPLY)) {
		printf("rx echo reply from %s to %s\n", from, to);
	} else if (!v4 && (icmp[0] == ICMPV6_SOLICITATION || icmp[0] == ICMPV6_ADVERTISEMENT)) {
		if (icmp[0] == ICMPV6_ADVERTISEMENT)
			lab->peer_mac = mac_get(frame + 6);
		printf("rx nd %s from %s to %s for %s\n",
			icmp[0] == ICMPV6_SOLICITATION ? "solicitation" : "advertisement", from, to,
			text_of(dp_ip_get_v6(icmp + 8), target));
	} else {
		const uint8_t *quoted = icmp + ICMP_BYTES;

		printf("rx icmp %u/%u from %s quotes protocol %u port %u\n", icmp[0], icmp[1], from,
			quoted[v4 ? 9 : 6], get16(quoted + (v4 ? IPV4_BYTES : IPV6_BYTES)));
	}
}

/* One line a packet, but for TCP, of which there can be many: `stats` has their number. */
static void print_ip(struct lab *lab, const uint8_t *ip, const uint8_t *frame) {
	const bool v4 = ip[0] >> 4 == 4;
	const uint8_t protocol = ip[v4 ? 9 : 6], *payload = ip + (v4 ? IPV4_BYTES : IPV6_BYTES);
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];

	text_of(v4 ? dp_ip_v4(get32(ip + 12)) : dp_ip_get_v6(ip + 8), from);
	text_of(v4 ? dp_ip_v4(get32(ip + 16)) : dp_ip_get_v6(ip + 24), to);
	if (protocol == IPV4_TCP) {
		if (lab->tcp_received++ < 2)
			printf("rx tcp %s:%u to %s:%u flags %#x\n", from, get16(payload), to,
				get16(payload + 2), payload[13]);
	} else if (protocol == IPV4_UDP || protocol == IPV4_SCTP) {
		printf("rx %s %s:%u to %s:%u\n", protocol == IPV4_UDP ? "udp" : "sctp", from,
			get16(payload), to, get16(payload + 2));
	} else if (protocol == (v4 ? IPV4_ICMP : IPV4_ICMPV6)) {
		print_icmp(lab, payload, frame, v4, from, to);
	} else {
		printf("rx other protocol %u\n", protocol);
	}
}

static void print_frame(struct lab *lab, const uint8_t *frame) {
	const uint8_t *packet = frame + ETH_BYTES;
	uint16_t type = get16(frame + ETH_TYPE_AT);

	if (type == ETH_TYPE_VLAN) {
		printf("rx tag %u\n", get16(packet) & VLAN_ID);
		type = get16(packet + 2);
		packet += VLAN_BYTES;
	}
	if (type == ETH_TYPE_ARP)
		print_arp(lab, packet);
	else if (type == ETH_TYPE_IPV4 || type == ETH_TYPE_IPV6)
		print_ip(lab, packet, frame);
	else
		printf("rx other\n");
}

static void receive(struct lab *lab) {
	struct rte_mbuf *burst[BURST];
	unsigned n = rte_eth_rx_burst(lab->port, 0, burst, BURST);

	/* Buffers have room for more than is looked at. */
	for (unsigned i = 0; i < n; i++)
		print_frame(lab, rte_pktmbuf_mtod(burst[i], const uint8_t *));
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

/* Our first address of the family of @peer. */
static dp_ip source_to(const struct lab *lab, dp_ip peer) {
	return dp_ip_is_v4(peer) ? dp_ip_v4(get32(lab->config.v4.range[0].first + 12))
				 : dp_ip_get_v6(lab->config.v6.range[0].first);
}

static unsigned begin_frame(
	const struct lab *lab, uint8_t frame[static FRAME_ROOM], uint64_t to, uint16_t type) {
	memset(frame, 0, FRAME_ROOM);
	return eth_put(frame, to, lab->mac, (uint16_t)lab->config.vlan, type);
}

static void send_arp(struct lab *lab, dp_ip target) {
	uint8_t frame[FRAME_ROOM];
	unsigned at = begin_frame(lab, frame, MAC_BROADCAST, ETH_TYPE_ARP);
	uint8_t *arp = frame + at;

	put16(arp, 1);
	put16(arp + 2, ETH_TYPE_IPV4);
	arp[4] = 6;
	arp[5] = 4;
	put16(arp + 6, ARP_REQUEST);
	mac_put(arp + 8, lab->mac);
	if (!lab->config.v4.kernel_owns)
		put32(arp + 14, dp_ip_to_v4(source_to(lab, target)));
	put32(arp + 24, dp_ip_to_v4(target));
	transmit(lab, frame, ETH_MIN_FRAME + VLAN_BYTES);
}

static void send_solicitation(struct lab *lab, dp_ip target) {
	const dp_ip source
		= lab->config.v6.kernel_owns ? neigh_asker(lab->mac) : source_to(lab, target);
	const unsigned bytes = ND_BYTES + ND_OPTION_BYTES;
	uint8_t frame[FRAME_ROOM];
	unsigned at = begin_frame(lab, frame, solicited_mac(target), ETH_TYPE_IPV6);
	uint8_t *nd = frame + at + IPV6_BYTES;

	ipv6_put(frame + at, (uint16_t)bytes, IPV4_ICMPV6, ND_HOP_LIMIT, source,
		solicited_node(target));
	nd[0] = ICMPV6_SOLICITATION;
	dp_ip_put_v6(nd + 8, target);
	nd[24] = ND_OPTION_SOURCE;
	nd[25] = 1;
	mac_put(nd + 26, lab->mac);
	put16(nd + 2,
		(uint16_t)~sum_fold(
			sum_pseudo_ip(source, solicited_node(target), IPV4_ICMPV6, bytes)
			+ sum_bytes(nd, bytes)));
	transmit(lab, frame, at + IPV6_BYTES + bytes);
}

static void send_packet(
	struct lab *lab, dp_ip target, uint8_t protocol, uint8_t *payload, unsigned bytes) {
	const bool v4 = dp_ip_is_v4(target);
	const dp_ip source = source_to(lab, target);
	uint8_t frame[FRAME_ROOM];
	unsigned at = begin_frame(lab, frame, lab->peer_mac, v4 ? ETH_TYPE_IPV4 : ETH_TYPE_IPV6);

	if (v4)
		ipv4_put(frame + at, (uint16_t)(IPV4_BYTES + bytes), 0, 64, protocol,
			dp_ip_to_v4(source), dp_ip_to_v4(target));
	else
		ipv6_put(frame + at, (uint16_t)bytes, protocol, 64, source, target);
	at += v4 ? IPV4_BYTES : IPV6_BYTES;
	memcpy(frame + at, payload, bytes);
	transmit(lab, frame, at + bytes < ETH_MIN_FRAME ? ETH_MIN_FRAME : at + bytes);
}

/* The checksum of all that have one over the pseudo-header, whose place in them is @at. */
static void put_checksum(const struct lab *lab, dp_ip target, uint8_t protocol, uint8_t *payload,
	unsigned bytes, unsigned at) {
	uint64_t sum = sum_pseudo_ip(source_to(lab, target), target, protocol, bytes);

	put16(payload + at, 0);
	put16(payload + at, (uint16_t)~sum_fold(sum + sum_bytes(payload, bytes)));
}

static void send_probes(
	struct lab *lab, uint8_t protocol, dp_ip target, uint16_t port, unsigned n) {
	uint8_t payload[TCP_BYTES] = {0};
	unsigned bytes = protocol == IPV4_TCP ? TCP_BYTES : protocol == IPV4_UDP ? UDP_BYTES : 12;

	put16(payload + 2, port);
	if (protocol == IPV4_TCP) {
		put32(payload + 4, 1000);
		payload[12] = TCP_BYTES / 4 << 4;
		payload[13] = TCP_SYN;
		put16(payload + 14, 1024);
	} else if (protocol == IPV4_UDP) {
		put16(payload + 4, UDP_BYTES);
	}
	for (unsigned i = 0; i < n; i++) {
		put16(payload,
			(uint16_t)(lab->config.port_first
				+ i % (lab->config.port_last - lab->config.port_first + 1u)));
		if (protocol == IPV4_TCP)
			put_checksum(lab, target, protocol, payload, bytes, 16);
		else if (protocol == IPV4_UDP)
			put_checksum(lab, target, protocol, payload, bytes, 6);
		send_packet(lab, target, protocol, payload, bytes);
		receive(lab);
	}
	ifsock_kick(&lab->ifsock);
}

static void send_ping(struct lab *lab, dp_ip target) {
	uint8_t icmp[ICMP_BYTES] = {0};

	if (dp_ip_is_v4(target)) {
		icmp[0] = ICMP_ECHO_REQUEST;
		put16(icmp + 2, (uint16_t)~sum_fold(sum_bytes(icmp, ICMP_BYTES)));
		send_packet(lab, target, IPV4_ICMP, icmp, ICMP_BYTES);
	} else {
		icmp[0] = ICMPV6_ECHO_REQUEST;
		put_checksum(lab, target, IPV4_ICMPV6, icmp, ICMP_BYTES, 2);
		send_packet(lab, target, IPV4_ICMPV6, icmp, ICMP_BYTES);
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

static void ask(struct lab *lab, dp_ip target) {
	if (dp_ip_is_v4(target))
		send_arp(lab, target);
	else
		send_solicitation(lab, target);
}

/* False at the end. */
static bool obey(struct lab *lab, const char *line) {
	char verb[8], ip[64];
	unsigned port, n;

	if (sscanf(line, "ask %63s", ip) == 1)
		ask(lab, parse_ip(ip));
	else if (sscanf(line, "ping %63s", ip) == 1)
		send_ping(lab, parse_ip(ip));
	else if (sscanf(line, "%7s %63s %u %u", verb, ip, &port, &n) == 4)
		send_probes(lab,
			strcmp(verb, "syn") == 0	   ? IPV4_TCP
				: strcmp(verb, "udp") == 0 ? IPV4_UDP
							   : IPV4_SCTP,
			parse_ip(ip), (uint16_t)port, n);
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
	struct rte_ether_addr mac = {0};
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
		rc = rte_eth_macaddr_get(lab->port, &mac);
	lab->mac = mac_get(mac.addr_bytes);
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

/* "A,B-C,...": each to its family. */
static void add_sources(struct steer_config *config, char *list) {
	for (char *word = strtok(list, ","); word; word = strtok(NULL, ",")) {
		char *last = strchr(word, '-');
		struct steer_family *family;
		struct steer_range *range;

		if (last)
			*last++ = '\0';
		family = strchr(word, ':') ? &config->v6 : &config->v4;
		range = &family->range[family->nb_ranges++];
		dp_ip_put_v6(range->first, parse_ip(word));
		dp_ip_put_v6(range->last, parse_ip(last ? last : word));
	}
}

static void set_options(struct steer_config *config, const char *options) {
	const char *vlan = strstr(options, "vlan=");

	config->v4.kernel_owns = config->v6.kernel_owns = strncmp(options, "owned", 5) == 0;
	config->pings = strstr(options, "pings") != NULL;
	config->asks = strstr(options, "asks") != NULL;
	config->vlan = vlan ? (unsigned)atoi(vlan + 5) : 0;
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
			"usage: xdp_lab INTERFACE SOURCES FIRST LAST "
			"owned|unowned[,pings][,asks][,vlan=N] [DESCRIPTORS]\n");
		return 2;
	}
	add_sources(&lab.config, argv[2]);
	lab.config.port_first = (uint16_t)atoi(argv[3]);
	lab.config.port_last = (uint16_t)atoi(argv[4]);
	set_options(&lab.config, argv[5]);
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
