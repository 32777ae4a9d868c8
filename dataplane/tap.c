/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The TAP of the exception path: the device, and what the kernel has to know to use it. Main thread,
 * at start and end; owns no memory, and a netlink socket only while a function runs.
 */
#include "frame.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	FIRST_TABLE = 7714, /* routing tables and rule priorities of TAP 0, 1, ... */
	REQUEST_BYTES = 512,
};

/* Whoever is given a gateway's hardware address only needs some name for it: RFC 7600's. */
#define DUMMY_GATEWAY dp_ip_v4(0xc0000008)

/* One rtnetlink request under construction. */
struct request {
	union {
		struct nlmsghdr header;
		uint8_t bytes[REQUEST_BYTES];
	};
};

static void *begin(struct request *r, uint16_t type, uint16_t flags, size_t bytes) {
	memset(r, 0, sizeof(*r));
	r->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(bytes);
	r->header.nlmsg_type = type;
	r->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	return NLMSG_DATA(&r->header);
}

static struct rtattr *put(struct request *r, unsigned short type, const void *data, size_t bytes) {
	struct rtattr *attribute = (struct rtattr *)(r->bytes + NLMSG_ALIGN(r->header.nlmsg_len));

	attribute->rta_type = type;
	attribute->rta_len = (unsigned short)RTA_LENGTH(bytes);
	if (bytes)
		memcpy(RTA_DATA(attribute), data, bytes);
	r->header.nlmsg_len = NLMSG_ALIGN(r->header.nlmsg_len) + RTA_ALIGN(attribute->rta_len);
	return attribute;
}

static void put_u32(struct request *r, unsigned short type, uint32_t value) {
	put(r, type, &value, sizeof(value));
}

static void put_ip(struct request *r, unsigned short type, dp_ip ip) {
	put_u32(r, type, __builtin_bswap32(dp_ip_to_v4(ip)));
}

/* All that was put since @attribute lies in it. */
static void end_nest(struct request *r, struct rtattr *attribute) {
	attribute->rta_len
		= (unsigned short)(r->bytes + r->header.nlmsg_len - (uint8_t *)attribute);
}

/* Send and wait for the kernel's verdict: 0 or a negative errno. */
static int ask(int netlink, struct request *r) {
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char request[REQUEST_BYTES];
	} answer;
	ssize_t n;

	if (send(netlink, r, r->header.nlmsg_len, 0) < 0)
		return -errno;
	do
		n = recv(netlink, &answer, sizeof(answer), 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if ((size_t)n < NLMSG_LENGTH(sizeof(answer.error))
		|| answer.header.nlmsg_type != NLMSG_ERROR)
		return -EBADMSG;
	return answer.error.error;
}

void tap_name(unsigned number, char name[static TAP_NAME_BYTES]) {
	snprintf(name, TAP_NAME_BYTES, "prtip%u", number);
}

int tap_free_number(void) {
	char name[TAP_NAME_BYTES];

	for (unsigned i = 0; i < TAP_MAX; i++) {
		tap_name(i, name);
		if (if_nametoindex(name) == 0)
			return (int)i;
	}
	return -EBUSY;
}

/* No address of its own making, so that nothing of IPv6 is said. Not every kernel has IPv6. */
static void silence_ipv6(int netlink, int index) {
	const uint8_t none = IN6_ADDR_GEN_MODE_NONE;
	struct request r;
	struct ifinfomsg *link = begin(&r, RTM_NEWLINK, 0, sizeof(*link));
	struct rtattr *families, *ipv6;

	link->ifi_index = index;
	families = put(&r, IFLA_AF_SPEC, NULL, 0);
	ipv6 = put(&r, AF_INET6, NULL, 0);
	put(&r, IFLA_INET6_ADDR_GEN_MODE, &none, sizeof(none));
	end_nest(&r, ipv6);
	end_nest(&r, families);
	ask(netlink, &r);
}

static int set_link(int netlink, int index, const struct tap_params *params) {
	struct request r;
	struct ifinfomsg *link = begin(&r, RTM_NEWLINK, 0, sizeof(*link));
	uint8_t mac[6];

	/* Without multicast, so that no daemon announces itself there. */
	link->ifi_index = index;
	link->ifi_flags = IFF_UP;
	link->ifi_change = IFF_UP | IFF_MULTICAST;
	mac_put(mac, params->mac);
	put(&r, IFLA_ADDRESS, mac, sizeof(mac));
	put_u32(&r, IFLA_MTU, params->mtu);
	return ask(netlink, &r);
}

static int add_address(int netlink, int index, dp_ip ip) {
	struct request r;
	struct ifaddrmsg *address
		= begin(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*address));

	address->ifa_family = AF_INET;
	address->ifa_prefixlen = 32;
	address->ifa_index = (unsigned)index;
	put_ip(&r, IFA_LOCAL, ip);
	put_ip(&r, IFA_ADDRESS, ip);
	return ask(netlink, &r);
}

static struct request rule_request(uint16_t type, uint16_t flags, unsigned number) {
	struct request r;
	struct fib_rule_hdr *rule = begin(&r, type, flags, sizeof(*rule));

	rule->family = AF_INET;
	rule->action = FR_ACT_TO_TBL;
	put_u32(&r, FRA_TABLE, FIRST_TABLE + number);
	put_u32(&r, FRA_PRIORITY, FIRST_TABLE + number);
	return r;
}

/* Those of killed scans, too: whatever the address, the number is ours while the interface is. */
static void remove_rules(int netlink, unsigned number) {
	struct request r;

	do
		r = rule_request(RTM_DELRULE, 0, number);
	while (ask(netlink, &r) == 0);
}

static int add_rule(int netlink, unsigned number, dp_ip ip) {
	struct request r = rule_request(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, number);
	struct fib_rule_hdr *rule = NLMSG_DATA(&r.header);

	rule->src_len = 32;
	put_ip(&r, FRA_SRC, ip);
	return ask(netlink, &r);
}

/* To @prefix/@bits through @gateway_ip, or where that is 0 on the link. */
static int add_route(int netlink, int index, const struct tap_params *params, dp_ip prefix,
	unsigned bits, dp_ip gateway_ip) {
	struct request r;
	struct rtmsg *route = begin(&r, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof(*route));

	route->rtm_family = AF_INET;
	route->rtm_dst_len = (unsigned char)bits;
	route->rtm_protocol = RTPROT_STATIC;
	route->rtm_scope = gateway_ip ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	route->rtm_type = RTN_UNICAST;
	put_u32(&r, RTA_TABLE, FIRST_TABLE + params->number);
	put_u32(&r, RTA_OIF, (uint32_t)index);
	put_ip(&r, RTA_PREFSRC, params->ip);
	if (bits)
		put_ip(&r, RTA_DST, prefix);
	if (gateway_ip) {
		/* The address has no prefix that the gateway could be in. */
		route->rtm_flags = RTNH_F_ONLINK;
		put_ip(&r, RTA_GATEWAY, gateway_ip);
	}
	return ask(netlink, &r);
}

static int add_neighbour(int netlink, int index, dp_ip ip, uint64_t mac) {
	struct request r;
	struct ndmsg *neighbour
		= begin(&r, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*neighbour));
	uint8_t bytes[6];

	neighbour->ndm_family = AF_INET;
	neighbour->ndm_ifindex = index;
	neighbour->ndm_state = NUD_PERMANENT;
	mac_put(bytes, mac);
	put_ip(&r, NDA_DST, ip);
	put(&r, NDA_LLADDR, bytes, sizeof(bytes));
	return ask(netlink, &r);
}

static unsigned prefix_bits(struct dp_range range) {
	const uint32_t differ = dp_ip_to_v4(range.first ^ range.last);

	return differ ? (unsigned)__builtin_clz(differ) : 32;
}

/* The same next hops as the probes have. */
static int add_routes(int netlink, int index, const struct tap_params *params) {
	dp_ip gateway_ip = params->gateway_ip;
	int rc = 0;

	if (params->gateway_mac) {
		if (!gateway_ip)
			gateway_ip = DUMMY_GATEWAY;
		rc = add_neighbour(netlink, index, gateway_ip, params->gateway_mac);
	}
	for (unsigned i = 0; gateway_ip && rc == 0 && i < params->nb_onlink; i++)
		rc = add_route(netlink, index, params, params->onlink[i].first,
			prefix_bits(params->onlink[i]), 0);
	return rc ? rc : add_route(netlink, index, params, 0, 0, gateway_ip);
}

static int set_up(const struct tap_params *params, const char *name, struct dp_error *err) {
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	int index = (int)if_nametoindex(name), rc = netlink < 0 ? -errno : 0;
	const char *what = "a netlink socket for";

	if (rc)
		goto fail;
	silence_ipv6(netlink, index);
	what = "hardware address and MTU of";
	rc = set_link(netlink, index, params);
	if (rc)
		goto fail;
	what = "the plugins' address on";
	rc = add_address(netlink, index, params->ip);
	if (rc)
		goto fail;
	what = "a routing rule for";
	remove_rules(netlink, params->number);
	rc = add_rule(netlink, params->number, params->ip);
	if (rc)
		goto fail;
	what = "the routes of";
	rc = add_routes(netlink, index, params);
fail:
	if (netlink >= 0)
		close(netlink);
	if (rc)
		dp_fail(err, false, rc, "cannot set %s TAP %s, which plugin sockets need: %s", what,
			name, strerror(-rc));
	return rc;
}

/* Why there is no TAP, in words that help. */
static int no_tap(int rc, const char *name, struct dp_error *err) {
	const char *advice = "";

	if (rc == -ENOENT || rc == -ENODEV || rc == -ENXIO)
		advice = "; `modprobe tun` brings the driver";
	else if (rc == -EPERM || rc == -EACCES)
		advice = "; run as root or with CAP_NET_ADMIN";
	return dp_fail(err, false, rc,
		"cannot make TAP %s, which plugin sockets need, from /dev/net/tun: %s%s", name,
		strerror(-rc), advice);
}

int tap_open(const struct tap_params *params, struct dp_error *err) {
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL};
	char name[TAP_NAME_BYTES];
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), rc;

	tap_name(params->number, name);
	if (fd < 0)
		return no_tap(-errno, name, err);
	memcpy(request.ifr_name, name, sizeof(name));
	if (ioctl(fd, TUNSETIFF, &request)) {
		rc = no_tap(-errno, name, err);
		goto close_fd;
	}
	rc = set_up(params, name, err);
	if (rc)
		goto close_tap;
	return fd;

close_tap:
	tap_close(fd, params->number);
	return rc;
close_fd:
	close(fd);
	return rc;
}

void tap_close(int fd, unsigned number) {
	int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (netlink >= 0) {
		remove_rules(netlink, number);
		close(netlink);
	}
	close(fd);
}
