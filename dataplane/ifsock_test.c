/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loss counters and kicks on a packet socket of our own, in a network namespace of the test's own
 * (needs root, else skipped). AF_XDP is tested where there is a device for it: tests/lab/.
 */
#include "ifsock.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	FRAMES = 8, /* in the receive ring */
	SENT = 50,
};

static void enter_namespace(void) {
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		cr_skip_test("a network namespace needs root");
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	cr_assert_eq(ioctl(fd, SIOCSIFFLAGS, &request), 0);
	close(fd);
}

static int open_ring(void) {
	int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IP)), version = TPACKET_V2;
	struct tpacket_req ring = {
		.tp_block_size = 2048 * FRAMES,
		.tp_block_nr = 1,
		.tp_frame_size = 2048,
		.tp_frame_nr = FRAMES,
	};

	cr_assert_geq(fd, 0);
	cr_assert_eq(setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)), 0);
	cr_assert_eq(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof(ring)), 0);
	cr_assert_eq(setsockopt(fd, SOL_PACKET, PACKET_TX_RING, &ring, sizeof(ring)), 0);
	return fd;
}

static void send_datagrams(unsigned n) {
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(9)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (unsigned i = 0; i < n; i++)
		cr_assert_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to)), 1);
	close(fd);
}

Test(ifsock, counts_drops_of_sockets_opened_since) {
	struct ifsock ifsock;
	struct ifsock_losses losses;
	int foreign, own;
	uint64_t once;

	enter_namespace();
	foreign = open_ring();
	cr_assert_eq(ifsock_mark(&ifsock), 0);
	own = open_ring();
	send_datagrams(SENT);
	cr_assert_eq(ifsock_scan(&ifsock), 1);
	cr_assert_eq(ifsock.socket[0].fd, own);
	ifsock_read(&ifsock, &losses);
	cr_assert_eq(losses.rx, 0, "what was lost before the scan counts for nobody");

	/* Both rings are full by now: lo shows each datagram once to a receiver, once as sent. */
	send_datagrams(SENT);
	ifsock_read(&ifsock, &losses);
	once = losses.rx;
	cr_assert_geq(once, SENT);
	ifsock_read(&ifsock, &losses);
	cr_assert_eq(losses.rx, once, "reading again must not change the total");
	send_datagrams(SENT);
	ifsock_read(&ifsock, &losses);
	cr_assert_eq(losses.rx, 2 * once);
	cr_assert_eq(losses.tx, 0);

	/* A socket that is gone keeps what it lost. */
	close(own);
	ifsock_read(&ifsock, &losses);
	cr_assert_eq(losses.rx, 2 * once);
	close(foreign);
}

Test(ifsock, kick_sends_what_waits) {
	struct ifsock ifsock;
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP)};
	struct tpacket2_hdr *slot;
	char *ring;
	int fd;

	enter_namespace();
	cr_assert_eq(ifsock_mark(&ifsock), 0);
	fd = open_ring();
	address.sll_ifindex = (int)if_nametoindex("lo");
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(ifsock_scan(&ifsock), 1);
	ring = mmap(NULL, 2 * 2048 * FRAMES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	cr_assert_neq(ring, MAP_FAILED);

	slot = (struct tpacket2_hdr *)(ring + 2048 * FRAMES);
	memset((char *)slot + TPACKET2_HDRLEN - sizeof(struct sockaddr_ll), 0, 60);
	slot->tp_len = 60;
	slot->tp_status = TP_STATUS_SEND_REQUEST;
	ifsock_kick(&ifsock);
	cr_assert_eq(slot->tp_status, TP_STATUS_AVAILABLE);
	close(fd);
}

Test(ifsock, none) {
	struct ifsock ifsock;
	struct ifsock_losses losses;

	cr_assert_eq(ifsock_mark(&ifsock), 0);
	cr_assert_eq(ifsock_scan(&ifsock), 0);
	ifsock_kick(&ifsock);
	ifsock_read(&ifsock, &losses);
	cr_assert_eq(losses.rx + losses.tx, 0);
}
