/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interfaces by ioctl and getifaddrs, routes by /proc/net/route. Main thread, at start; keeps
 * nothing.
 */
#include "netif.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int ask_kernel(int fd, unsigned long request, const char *name, struct ifreq *ifr) {
	memset(ifr, 0, sizeof(*ifr));
	snprintf(ifr->ifr_name, sizeof(ifr->ifr_name), "%s", name);
	return ioctl(fd, request, ifr) ? -errno : 0;
}

int netif_find(const char *name, struct netif *netif) {
	struct ifreq ifr;
	int fd, rc;

	memset(netif, 0, sizeof(*netif));
	netif->index = strlen(name) < IF_NAMESIZE ? if_nametoindex(name) : 0;
	if (netif->index == 0)
		return -ENODEV;
	snprintf(netif->name, sizeof(netif->name), "%s", name);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	rc = ask_kernel(fd, SIOCGIFFLAGS, name, &ifr);
	if (rc == 0) {
		netif->loopback = ifr.ifr_flags & IFF_LOOPBACK;
		netif->up = ifr.ifr_flags & IFF_UP;
		netif->running = ifr.ifr_flags & IFF_RUNNING;
		rc = ask_kernel(fd, SIOCGIFHWADDR, name, &ifr);
	}
	if (rc == 0) {
		netif->ethernet = ifr.ifr_hwaddr.sa_family == ARPHRD_ETHER;
		memcpy(netif->mac, ifr.ifr_hwaddr.sa_data, sizeof(netif->mac));
		rc = ask_kernel(fd, SIOCGIFMTU, name, &ifr);
	}
	if (rc == 0)
		netif->mtu = (unsigned)ifr.ifr_mtu;
	close(fd);
	return rc;
}

int netif_routes(struct netif_route *route, unsigned max) {
	FILE *file = fopen("/proc/net/route", "re");
	char line[256];
	unsigned n = 0;

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		unsigned prefix, gateway, flags, metric, mask;
		struct netif_route found, *r = &found;

		/* Addresses are printed as the machine's words. The heading does not match. */
		if (sscanf(line, "%15s %x %x %x %*d %*d %u %x", r->name, &prefix, &gateway, &flags,
			    &metric, &mask)
			!= 6)
			continue;
		if (!(flags & 1)) /* RTF_UP */
			continue;
		r->prefix = ntohl(prefix);
		r->mask = ntohl(mask);
		r->gateway = ntohl(gateway);
		r->metric = metric;
		if (n == max) {
			fclose(file);
			return -E2BIG;
		}
		route[n++] = found;
	}
	fclose(file);
	return (int)n;
}

const struct netif_route *netif_route_to(
	const struct netif_route *route, unsigned n, const char *name, uint32_t ip) {
	const struct netif_route *best = NULL;

	for (unsigned i = 0; i < n; i++) {
		const struct netif_route *r = &route[i];

		if ((name && strcmp(r->name, name) != 0) || (ip & r->mask) != r->prefix)
			continue;
		if (!best || r->mask > best->mask
			|| (r->mask == best->mask && r->metric < best->metric))
			best = r;
	}
	return best;
}

unsigned netif_rx_queues(const char *name, bool *paired) {
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq ifr = {.ifr_data = (char *)&channels};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	unsigned n = 0;

	*paired = true;
	if (fd < 0)
		return 1;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, SIOCETHTOOL, &ifr) == 0)
		n = channels.combined_count + channels.rx_count;
	*paired = n <= 1 || channels.rx_count == 0;
	close(fd);
	return n ? n : 1;
}

static uint32_t address_of(const struct sockaddr *sa) {
	return sa ? ntohl(((const struct sockaddr_in *)sa)->sin_addr.s_addr) : 0;
}

static bool is_ipv4(const struct ifaddrs *ifa) {
	return ifa->ifa_addr && ifa->ifa_addr->sa_family == AF_INET;
}

bool netif_owns(uint32_t ip) {
	struct dp_ipset *own;
	bool owns;

	if (netif_own_addresses(&own))
		return false;
	owns = dp_ipset_contains(own, ip);
	dp_ipset_destroy(own);
	return owns;
}

uint32_t netif_address(const char *name, uint32_t near) {
	struct ifaddrs *list, *ifa;
	uint32_t first = 0, best = 0;

	if (getifaddrs(&list))
		return 0;
	for (ifa = list; ifa; ifa = ifa->ifa_next) {
		uint32_t ip, mask;

		if (!is_ipv4(ifa) || strcmp(ifa->ifa_name, name) != 0)
			continue;
		ip = address_of(ifa->ifa_addr);
		mask = address_of(ifa->ifa_netmask);
		if (first == 0)
			first = ip;
		if (best == 0 && ((ip ^ near) & mask) == 0)
			best = ip;
	}
	freeifaddrs(list);
	return best ? best : first;
}

int netif_own_addresses(struct dp_ipset **set) {
	struct ifaddrs *list, *ifa;
	int rc = dp_ipset_create(set);

	if (rc)
		return rc;
	if (getifaddrs(&list)) {
		rc = -errno;
		goto destroy_set;
	}
	rc = dp_ipset_add(*set, 0x7f000000, 0x7fffffff);
	for (ifa = list; ifa && rc == 0; ifa = ifa->ifa_next)
		if (is_ipv4(ifa))
			rc = dp_ipset_add(
				*set, address_of(ifa->ifa_addr), address_of(ifa->ifa_addr));
	freeifaddrs(list);
	if (rc)
		goto destroy_set;
	dp_ipset_seal(*set);
	return 0;

destroy_set:
	dp_ipset_destroy(*set);
	return rc;
}
