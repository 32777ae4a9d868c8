/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interfaces by ioctl, addresses and routes by rtnetlink. Main thread, at start; keeps nothing.
 */
#include "frame.h"
#include "netif.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>
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

/* --- rtnetlink --- */

enum {
	DUMP_BYTES = 32768, /* the most that the kernel puts into one message of a dump */
	LAST_ATTRIBUTE = RTA_MAX > IFA_MAX ? RTA_MAX : IFA_MAX,
};

/* Takes one entry of a dump; 0, or a negative errno, which ends it. */
typedef int take_fn(void *context, const struct nlmsghdr *message);

/* All messages of one datagram. 1 where the dump goes on, 0 where it ended, or a negative errno. */
static int take_all(const uint8_t *buffer, int bytes, take_fn *take, void *context) {
	const struct nlmsghdr *m = (const struct nlmsghdr *)buffer;
	int rc = 0;

	for (; rc == 0 && NLMSG_OK(m, (unsigned)bytes); m = NLMSG_NEXT(m, bytes)) {
		if (m->nlmsg_type == NLMSG_DONE)
			return 0;
		if (m->nlmsg_type == NLMSG_ERROR)
			return ((const struct nlmsgerr *)NLMSG_DATA(m))->error;
		rc = take(context, m);
	}
	return rc ? rc : 1;
}

static int receive_dump(int netlink, take_fn *take, void *context) {
	union {
		struct nlmsghdr aligned;
		uint8_t bytes[DUMP_BYTES];
	} buffer;
	int rc = 1;

	while (rc == 1) {
		const ssize_t n = recv(netlink, &buffer, sizeof(buffer), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EBADMSG;
		rc = take_all(buffer.bytes, (int)n, take, context);
	}
	return rc;
}

/* Hand every @request (RTM_GETROUTE, RTM_GETADDR) entry of @family to @take. 0 or a negative errno. */
static int dump(uint16_t request, uint8_t family, take_fn *take, void *context) {
	const struct {
		struct nlmsghdr header;
		struct rtgenmsg family;
	} question = {
		.header = {
			.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtgenmsg)),
			.nlmsg_type = request,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		},
		.family.rtgen_family = family,
	};
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), rc = 0;

	if (netlink < 0)
		return -errno;
	if (send(netlink, &question, sizeof(question), 0) < 0)
		rc = -errno;
	if (rc == 0)
		rc = receive_dump(netlink, take, context);
	close(netlink);
	return rc;
}

/* The last attribute of each kind. */
struct attributes {
	const struct rtattr *at[LAST_ATTRIBUTE + 1];
};

static struct attributes attributes_of(const struct rtattr *attribute, int bytes) {
	struct attributes found = {0};

	for (; RTA_OK(attribute, bytes); attribute = RTA_NEXT(attribute, bytes))
		if (attribute->rta_type <= LAST_ATTRIBUTE)
			found.at[attribute->rta_type] = attribute;
	return found;
}

static uint32_t u32_of(const struct rtattr *attribute, uint32_t otherwise) {
	uint32_t value = otherwise;

	if (attribute && RTA_PAYLOAD(attribute) >= sizeof(value))
		memcpy(&value, RTA_DATA(attribute), sizeof(value));
	return value;
}

/* An address as netlink has it, by its length; 0 where there is none. */
static dp_ip ip_of(const uint8_t *bytes, size_t n) {
	if (n == 4)
		return dp_ip_v4(get32(bytes));
	return n == 16 ? dp_ip_get_v6(bytes) : 0;
}

static dp_ip ip_attribute(const struct rtattr *attribute) {
	return attribute ? ip_of(RTA_DATA(attribute), RTA_PAYLOAD(attribute)) : 0;
}

/* @ip/@bits, where @v4 bits of IPv4. */
static struct dp_range prefix_range(dp_ip ip, unsigned bits, bool v4) {
	const unsigned left = (v4 ? 32 : 128) - bits;
	const dp_u128 host = left == 128 ? DP_U128_MAX : ((dp_u128)1 << left) - 1;

	return (struct dp_range){ip & ~host, ip | host};
}

/* --- Routes --- */

struct route_list {
	struct netif_route *route;
	unsigned n, max;
	uint8_t family;
};

static dp_ip gateway_of(const struct attributes *a) {
	const struct rtattr *via = a->at[RTA_VIA];

	/* A gateway of the other family (RFC 8950). */
	if (via && RTA_PAYLOAD(via) > sizeof(struct rtvia))
		return ip_of(((const struct rtvia *)RTA_DATA(via))->rtvia_addr,
			RTA_PAYLOAD(via) - sizeof(struct rtvia));
	return ip_attribute(a->at[RTA_GATEWAY]);
}

/* Interface and gateway: of several next hops those of the first. */
static uint32_t next_hop(const struct attributes *a, dp_ip *gateway) {
	const struct rtattr *several = a->at[RTA_MULTIPATH];
	const struct rtnexthop *hop;
	struct attributes of_hop;

	if (!several || RTA_PAYLOAD(several) < sizeof(*hop)) {
		*gateway = gateway_of(a);
		return u32_of(a->at[RTA_OIF], 0);
	}
	hop = RTA_DATA(several);
	of_hop = attributes_of(RTNH_DATA(hop), (int)(hop->rtnh_len - sizeof(*hop)));
	*gateway = gateway_of(&of_hop);
	return (uint32_t)hop->rtnh_ifindex;
}

static int take_route(void *context, const struct nlmsghdr *message) {
	const struct rtmsg *m = NLMSG_DATA(message);
	struct route_list *list = context;
	const bool v4 = list->family == AF_INET;
	struct netif_route found = {0};
	struct attributes a;
	struct dp_range range;
	uint32_t index;
	dp_ip prefix;

	/* A kernel without IPv6 answers with what it has. */
	if (message->nlmsg_type != RTM_NEWROUTE || m->rtm_family != list->family
		|| m->rtm_type != RTN_UNICAST || m->rtm_flags & (RTM_F_CLONED | RTNH_F_DEAD))
		return 0;
	a = attributes_of(RTM_RTA(m), (int)RTM_PAYLOAD(message));
	if (u32_of(a.at[RTA_TABLE], m->rtm_table) != RT_TABLE_MAIN)
		return 0;
	index = next_hop(&a, &found.gateway);
	if (index == 0 || !if_indextoname(index, found.name))
		return 0;
	prefix = a.at[RTA_DST] ? ip_attribute(a.at[RTA_DST]) : v4 ? dp_ip_v4(0) : 0;
	range = prefix_range(prefix, m->rtm_dst_len, v4);
	found.first = range.first;
	found.last = range.last;
	found.metric = u32_of(a.at[RTA_PRIORITY], 0);
	if (list->n == list->max)
		return -E2BIG;
	list->route[list->n++] = found;
	return 0;
}

int netif_routes(struct netif_route *route, unsigned max) {
	struct route_list list = {.route = route, .max = max, .family = AF_INET};
	int rc = dump(RTM_GETROUTE, AF_INET, take_route, &list);

	list.family = AF_INET6;
	if (rc == 0)
		rc = dump(RTM_GETROUTE, AF_INET6, take_route, &list);
	return rc ? rc : (int)list.n;
}

static bool route_is_v4(const struct netif_route *route) {
	return dp_ip_is_v4(route->first) && dp_ip_is_v4(route->last);
}

bool netif_is_default(const struct netif_route *route) {
	return route_is_v4(route) ? route->first == DP_IP_V4_FIRST && route->last == DP_IP_V4_LAST
				  : route->first == 0 && route->last == DP_U128_MAX;
}

const struct netif_route *netif_route_to(
	const struct netif_route *route, unsigned n, const char *name, dp_ip ip) {
	const struct netif_route *best = NULL;

	for (unsigned i = 0; i < n; i++) {
		const struct netif_route *r = &route[i];

		/* The default route of IPv6 covers the numbers of IPv4, too, but not its addresses. */
		if ((name && strcmp(r->name, name) != 0) || route_is_v4(r) != dp_ip_is_v4(ip)
			|| ip < r->first || ip > r->last)
			continue;
		if (!best || r->last - r->first < best->last - best->first
			|| (r->last - r->first == best->last - best->first
				&& r->metric < best->metric))
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

/* --- Addresses --- */

/* One address of the kernel's. */
struct address {
	dp_ip ip;
	unsigned index; /* of its interface */
	struct dp_range network;
	uint32_t flags; /* IFA_F_* */
};

static bool address_of(const struct nlmsghdr *message, struct address *address) {
	const struct ifaddrmsg *m = NLMSG_DATA(message);
	struct attributes a;

	if (message->nlmsg_type != RTM_NEWADDR
		|| (m->ifa_family != AF_INET && m->ifa_family != AF_INET6))
		return false;
	a = attributes_of(IFA_RTA(m), (int)IFA_PAYLOAD(message));
	/* Of a point-to-point link the other one is the peer's. */
	address->ip = ip_attribute(a.at[a.at[IFA_LOCAL] ? IFA_LOCAL : IFA_ADDRESS]);
	address->index = m->ifa_index;
	address->flags = u32_of(a.at[IFA_FLAGS], m->ifa_flags);
	address->network = prefix_range(address->ip, m->ifa_prefixlen, m->ifa_family == AF_INET);
	return address->ip != 0;
}

static bool is_link_local(dp_ip ip) {
	return ip >> 118 == 0xfe80 >> 6; /* fe80::/10, RFC 4291 2.5.6 */
}

struct choice {
	unsigned index;
	dp_ip near;
	dp_ip best;
	unsigned score; /* of the best */
};

/* The higher the better; 0: not at all. */
static unsigned score_of(const struct choice *choice, const struct address *address) {
	if (address->flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED))
		return 0;
	return 16 * (!is_link_local(address->ip) || is_link_local(choice->near))
		+ 8
		* (choice->near >= address->network.first && choice->near <= address->network.last)
		+ 4 * !(address->flags & IFA_F_DEPRECATED)
		+ 2 * !(address->flags & IFA_F_TEMPORARY) /* in IPv4: secondary */
		+ 1;
}

static int choose(void *context, const struct nlmsghdr *message) {
	struct choice *choice = context;
	struct address address;
	unsigned score;

	if (!address_of(message, &address) || address.index != choice->index
		|| dp_ip_is_v4(address.ip) != dp_ip_is_v4(choice->near))
		return 0;
	score = score_of(choice, &address);
	if (score > choice->score) {
		choice->score = score;
		choice->best = address.ip;
	}
	return 0;
}

dp_ip netif_address(const char *name, dp_ip near) {
	struct choice choice = {.index = if_nametoindex(name), .near = near};

	if (choice.index == 0 || dump(RTM_GETADDR, AF_UNSPEC, choose, &choice))
		return 0;
	return choice.best;
}

bool netif_owns(dp_ip ip) {
	struct dp_ipset *own;
	bool owns;

	if (netif_own_addresses(&own))
		return false;
	owns = dp_ipset_contains(own, ip);
	dp_ipset_destroy(own);
	return owns;
}

static int collect(void *set, const struct nlmsghdr *message) {
	struct address address;

	return address_of(message, &address) ? dp_ipset_add(set, address.ip, address.ip) : 0;
}

int netif_own_addresses(struct dp_ipset **set) {
	int rc = dp_ipset_create(set);

	if (rc)
		return rc;
	rc = dp_ipset_add(*set, dp_ip_v4(0x7f000000), dp_ip_v4(0x7fffffff));
	if (rc == 0)
		rc = dp_ipset_add(*set, dp_ip_v6(0, 1), dp_ip_v6(0, 1));
	if (rc == 0)
		rc = dump(RTM_GETADDR, AF_UNSPEC, collect, *set);
	if (rc) {
		dp_ipset_destroy(*set);
		return rc;
	}
	dp_ipset_seal(*set);
	return 0;
}
