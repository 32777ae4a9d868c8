/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loss counters and transmit kicks of a port's own sockets.
 *
 * Run by the control core (EAL main thread), beside the lcores that use the same sockets through the
 * driver. Owns no memory and no descriptor: the sockets are the driver's.
 */
#include "ifsock.h"

#include <dirent.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <linux/if_xdp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* The packet sockets of this process, at most IFSOCK_MAX of them; their number or a negative errno. */
static int find_sockets(struct ifsock_socket sockets[IFSOCK_MAX], uint64_t inodes[IFSOCK_MAX]) {
	DIR *directory = opendir("/proc/self/fd");
	const struct dirent *entry;
	int n = 0;

	if (directory == NULL)
		return -errno;
	while ((entry = readdir(directory)) != NULL) {
		char *end;
		int fd = (int)strtol(entry->d_name, &end, 10), domain = 0;
		socklen_t domain_bytes = sizeof(domain);
		struct stat status;

		if (end == entry->d_name || *end != '\0'
			|| getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_bytes) < 0
			|| (domain != AF_PACKET && domain != AF_XDP) || fstat(fd, &status) < 0)
			continue;
		if (n == IFSOCK_MAX) {
			n = -E2BIG;
			break;
		}
		sockets[n] = (struct ifsock_socket){.fd = fd, .domain = domain};
		inodes[n++] = status.st_ino;
	}
	closedir(directory);
	return n;
}

int ifsock_mark(struct ifsock *ifsock) {
	int n;

	memset(ifsock, 0, sizeof(*ifsock));
	n = find_sockets(ifsock->socket, ifsock->before);
	if (n < 0)
		return n;
	ifsock->nb_before = (unsigned)n;
	return 0;
}

static int was_before(const struct ifsock *ifsock, uint64_t inode) {
	for (unsigned i = 0; i < ifsock->nb_before; i++)
		if (ifsock->before[i] == inode)
			return 1;
	return 0;
}

/* What the kernel counted since the last call; getsockopt() clears it. */
static int read_packet(int fd, struct ifsock_losses *losses) {
	/* Written whole by TPACKET_V3, in its first two members by the other versions. */
	struct tpacket_stats_v3 stats = {0};
	socklen_t bytes = sizeof(stats);

	if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &bytes) < 0)
		return -errno;
	losses->rx += stats.tp_drops;
	return 0;
}

/*
 * The kernel's totals. A frame that our XDP program redirected is lost where the receive ring has no
 * place (rx_ring_full), or where it is too long or finds no buffer (rx_dropped). The other counters
 * are not frames: rx_fill_ring_empty_descs and tx_ring_empty_descs count failed attempts, the former
 * in copy mode once more for each rx_dropped; rx_invalid_descs counts buffers that were passed over.
 */
static int read_xdp(int fd, struct ifsock_losses *losses) {
	struct xdp_statistics stats = {0};
	socklen_t bytes = sizeof(stats);

	if (getsockopt(fd, SOL_XDP, XDP_STATISTICS, &stats, &bytes) < 0)
		return -errno;
	losses->rx = stats.rx_dropped + stats.rx_ring_full;
	losses->tx = stats.tx_invalid_descs;
	return 0;
}

int ifsock_scan(struct ifsock *ifsock) {
	struct ifsock_socket sockets[IFSOCK_MAX];
	uint64_t inodes[IFSOCK_MAX];
	int n = find_sockets(sockets, inodes);

	if (n < 0)
		return n;
	ifsock->nb_sockets = 0;
	for (int i = 0; i < n; i++) {
		struct ifsock_losses discarded = {0};

		if (was_before(ifsock, inodes[i]))
			continue;
		/* Whatever overflowed before anybody polled the socket is nobody's loss. */
		if (sockets[i].domain == AF_PACKET)
			read_packet(sockets[i].fd, &discarded);
		ifsock->socket[ifsock->nb_sockets++] = sockets[i];
	}
	return (int)ifsock->nb_sockets;
}

void ifsock_read(struct ifsock *ifsock, struct ifsock_losses *losses) {
	*losses = (struct ifsock_losses){0};
	for (unsigned i = 0; i < ifsock->nb_sockets; i++) {
		struct ifsock_socket *s = &ifsock->socket[i];

		if (s->domain == AF_PACKET)
			read_packet(s->fd, &s->losses);
		else
			read_xdp(s->fd, &s->losses);
		losses->rx += s->losses.rx;
		losses->tx += s->losses.tx;
	}
}

void ifsock_kick(const struct ifsock *ifsock) {
	/* A full ring, a busy device or an interface that is down: the next kick will do. */
	for (unsigned i = 0; i < ifsock->nb_sockets; i++)
		(void)sendto(ifsock->socket[i].fd, NULL, 0, MSG_DONTWAIT, NULL, 0);
}
