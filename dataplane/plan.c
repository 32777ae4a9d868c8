/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decide how a scan will run: driver, source address, next hops, lcores, memory. Main thread, before
 * EAL; looks at the machine and changes nothing.
 */
#include "book.h"
#include "netif.h"
#include "plan.h"
#include "probe.h"
#include "tap.h"
#include "xdp.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Documentation addresses (RFC 5737, RFC 3849), where nothing leaves the machine and nobody gave a source. */
#define DOCUMENTATION_V4 dp_ip_v4(0xc0000201u)
#define DOCUMENTATION_V6 dp_ip_v6(UINT64_C(0x20010db800000000), 1)
#define LOOPBACK_V4 dp_ip_v4(0x7f000001u)
#define LOOPBACK_V6 dp_ip_v6(0, 1)

/* What is known while the plan is made: of the whole, and of the port that is being planned. */
struct planner {
	const struct dp_params *params;
	const struct probe_type *type;
	struct dp_plan *whole;
	struct dp_error *err;
	struct netif_route *route;
	unsigned nb_routes;
	bool has_family[FAMILIES]; /* among the targets */
	dp_ip first[FAMILIES]; /* target of each */

	const struct dp_port_params *port; /* what was asked for */
	struct dp_port_plan *plan;
	bool has_netif;
	struct netif netif;
	char key[16]; /* "port", "port1": what an error names */
};

struct ip_text {
	char s[DP_IP_TEXT_BYTES];
};

static struct ip_text ip_text(dp_ip ip) {
	struct ip_text text;

	dp_ip_write(ip, text.s);
	return text;
}

static const char *family_name(enum family family) {
	return family == FAMILY_V4 ? "IPv4" : "IPv6";
}

static struct dp_route_plan *route_plan(struct dp_port_plan *plan, enum family family) {
	return family == FAMILY_V4 ? &plan->v4 : &plan->v6;
}

const char *dp_driver_name(enum dp_driver driver) {
	static const char *const names[] = {
		[DP_DRIVER_SIM] = "simulated network",
		[DP_DRIVER_LO] = "raw sockets",
		[DP_DRIVER_AF_PACKET] = "af_packet",
		[DP_DRIVER_AF_XDP] = "af_xdp",
		[DP_DRIVER_PCI] = "DPDK device",
		[DP_DRIVER_VDEV] = "DPDK virtual device",
	};

	return names[driver];
}

static bool starts(const char *text, const char *prefix) {
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* --- which port ------------------------------------------------------------------------------ */

static int interfaces_here(char *text, size_t size) {
	struct if_nameindex *list = if_nameindex();
	size_t n = 0;

	text[0] = '\0';
	for (struct if_nameindex *i = list; i && i->if_name && n < size; i++)
		n += (size_t)snprintf(text + n, size - n, "%s%s", n ? ", " : "", i->if_name);
	if_freenameindex(list);
	return 0;
}

static int no_such_port(struct planner *p, const char *name) {
	char list[256];

	interfaces_here(list, sizeof(list));
	return dp_fail(p->err, true, -ENODEV,
		"port = %.80s: no such interface; there are %s; or give auto, sim, a PCI address "
		"or "
		"a DPDK vdev such as net_null0",
		name, list);
}

static int use_interface(struct planner *p, const char *name) {
	int rc = netif_find(name, &p->netif);

	if (rc == -ENODEV)
		return no_such_port(p, name);
	if (rc)
		return dp_fail(p->err, false, rc, "port = %s: %s", name, strerror(-rc));
	p->has_netif = true;
	snprintf(p->plan->port, sizeof(p->plan->port), "%s", name);
	if (p->netif.loopback) {
		p->plan->driver = DP_DRIVER_LO;
		return 0;
	}
	if (!p->netif.ethernet)
		return dp_fail(p->err, true, -EPROTONOSUPPORT,
			"port = %s: not an Ethernet interface; give one, or scan through lo or sim",
			name);
	if (!p->netif.up || !p->netif.running)
		return dp_fail(p->err, true, -ENETDOWN, "port = %s: the interface %s", name,
			p->netif.up ? "has no carrier; check the cable or the peer"
				    : "is down; set it up with `ip link set NAME up`");
	return 0;
}

/* Responses that arrive on a queue we do not serve would go to the kernel, and be lost to us. */
static int check_queues(const char *name, struct dp_error *err) {
	bool paired;
	unsigned n = netif_rx_queues(name, &paired);

	if (paired)
		return 0;
	return dp_fail(err, true, -EOPNOTSUPP,
		"%.15s has %u receive queues apart from its transmit queues, of which af_xdp "
		"serves one; `ethtool -L %.15s rx 1` leaves one",
		name, n, name);
}

static int choose_driver(struct planner *p) {
	struct dp_error why;

	if (p->plan->driver == DP_DRIVER_LO)
		return 0;
	if (xdp_supported(p->plan->port, &why) == 0 && check_queues(p->plan->port, &why) == 0) {
		p->plan->driver = DP_DRIVER_AF_XDP;
		p->plan->auto_driver = true;
		return 0;
	}
	p->plan->driver = DP_DRIVER_AF_PACKET;
	snprintf(p->plan->note, sizeof(p->plan->note),
		"af_packet, as af_xdp cannot be used: %.180s", why.text);
	return 0;
}

static bool all_targets_local(const struct dp_params *params) {
	const struct dp_ipset *addresses = dp_space_addresses(params->space);
	struct dp_ipset *own, *rest;
	bool local = false;

	if (netif_own_addresses(&own))
		return false;
	if (dp_ipset_copy(addresses, &rest) == 0) {
		local = dp_ipset_subtract(rest, own) == 0 && dp_ipset_count(rest) == 0;
		dp_ipset_destroy(rest);
	}
	dp_ipset_destroy(own);
	return local;
}

static int use_default_route(struct planner *p) {
	const struct netif_route *best = NULL;
	int rc;

	if (all_targets_local(p->params))
		return use_interface(p, "lo");
	for (unsigned i = 0; i < p->nb_routes; i++) {
		const struct netif_route *route = &p->route[i];

		/* The route of the first family that is scanned decides. */
		if (!netif_is_default(route)
			|| dp_ip_is_v4(route->first) != p->has_family[FAMILY_V4])
			continue;
		if (!best || route->metric < best->metric)
			best = route;
	}
	if (!best)
		return dp_fail(p->err, true, -ENETUNREACH,
			"port = auto: there is no default route to take the interface from; give "
			"port = "
			"NAME");
	rc = use_interface(p, best->name);
	return rc ? rc : choose_driver(p);
}

/* Drivers that leave a device usable by DPDK: user-space I/O, and those that share it. */
static bool dpdk_can_use(const char *kernel_driver) {
	static const char *const usable[] = {
		"vfio-pci",
		"uio_pci_generic",
		"igb_uio",
		"mlx4_core",
		"mlx5_core",
		"mana",
	};

	for (size_t i = 0; i < sizeof(usable) / sizeof(usable[0]); i++)
		if (strcmp(kernel_driver, usable[i]) == 0)
			return true;
	return false;
}

static int use_pci(struct planner *p, const char *address) {
	char path[128], link[256], full[32];
	const char *driver;
	ssize_t n;

	/* The domain may be left out, as lspci does. */
	snprintf(full, sizeof(full), "%s%s", strlen(address) < 12 ? "0000:" : "", address);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", full);
	if (access(path, F_OK))
		return dp_fail(p->err, true, -ENODEV,
			"port = %s: no such PCI device; `dpdk-devbind.py --status` lists them",
			address);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver", full);
	n = readlink(path, link, sizeof(link) - 1);
	link[n > 0 ? n : 0] = '\0';
	driver = strrchr(link, '/') ? strrchr(link, '/') + 1 : "none";
	if (!dpdk_can_use(driver))
		return dp_fail(p->err, true, -EBUSY,
			"port = %s: the device is bound to kernel driver %s; bind it with "
			"`dpdk-devbind.py --bind=vfio-pci %s`, or give its interface name instead",
			address, driver, full);
	p->plan->driver = DP_DRIVER_PCI;
	snprintf(p->plan->port, sizeof(p->plan->port), "%s", full);
	return 0;
}

static bool looks_like_pci(const char *text) {
	unsigned a, b, c, d;
	int end = 0;

	if (sscanf(text, "%4x:%2x:%2x.%1x%n", &a, &b, &c, &d, &end) == 4 && !text[end])
		return true;
	end = 0;
	return sscanf(text, "%2x:%2x.%1x%n", &a, &b, &c, &end) == 3 && !text[end];
}

/* A vdev may sit on an interface (iface=NAME): then source and next hop can come from there. */
static int use_vdev(struct planner *p, const char *vdev) {
	const char *iface = strstr(vdev, ",iface=");
	char name[IF_NAMESIZE];

	p->plan->driver = DP_DRIVER_VDEV;
	if (strlen(vdev) >= sizeof(p->plan->port))
		return dp_fail(p->err, true, -ENAMETOOLONG, "port: a vdev string of over %zu bytes",
			sizeof(p->plan->port) - 1);
	snprintf(p->plan->port, sizeof(p->plan->port), "%s", vdev);
	if (!iface)
		return 0;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(iface + 7, ","), iface + 7);
	p->has_netif = netif_find(name, &p->netif) == 0;
	return 0;
}

static int plan_port(struct planner *p) {
	const char *port = p->port->port;
	int rc;

	if (strcmp(port, "sim") == 0) {
		p->plan->driver = DP_DRIVER_SIM;
		snprintf(p->plan->port, sizeof(p->plan->port), "sim");
		return 0;
	}
	if (strcmp(port, "auto") == 0)
		return use_default_route(p);
	if (starts(port, "af_packet:") || starts(port, "af_xdp:")) {
		rc = use_interface(p, strchr(port, ':') + 1);
		if (rc)
			return rc;
		if (p->netif.loopback)
			return dp_fail(p->err, true, -EINVAL,
				"port = %s: frames sent into lo get no reply; give port = lo",
				port);
		p->plan->driver = starts(port, "af_xdp:") ? DP_DRIVER_AF_XDP : DP_DRIVER_AF_PACKET;
		return p->plan->driver == DP_DRIVER_AF_XDP ? check_queues(p->plan->port, p->err)
							   : 0;
	}
	if (looks_like_pci(port))
		return use_pci(p, port);
	if (starts(port, "net_") || starts(port, "eth_"))
		return use_vdev(p, port);
	rc = use_interface(p, port);
	return rc ? rc : choose_driver(p);
}

/* --- where packets come from and go ---------------------------------------------------------- */

/* Ports that no frame leaves the machine by, so that addresses need no meaning. */
static bool stays_here(const struct planner *p) {
	const char *port = p->plan->port;

	return p->plan->driver == DP_DRIVER_SIM
		|| (p->plan->driver == DP_DRIVER_VDEV && !p->has_netif
			&& (starts(port, "net_null") || starts(port, "net_ring")
				|| starts(port, "net_pcap")));
}

/* The addresses of @family that were asked for. */
static void given_sources(
	const struct planner *p, enum family family, struct dp_route_plan *route) {
	for (unsigned i = 0; i < p->port->nb_sources; i++)
		if (family_of(p->port->sources[i].first) == family)
			route->sources[route->nb_sources++] = p->port->sources[i];
}

static dp_ip automatic_source(const struct planner *p, enum family family) {
	dp_ip gateway = family == FAMILY_V4 ? p->port->gateway4 : p->port->gateway6;

	if (p->plan->driver == DP_DRIVER_LO && family == FAMILY_V4)
		return LOOPBACK_V4;
	/* Closed ports of another address of this machine do not answer ::1, but they do itself. */
	if (p->plan->driver == DP_DRIVER_LO)
		return netif_owns(p->first[family]) ? p->first[family] : LOOPBACK_V6;
	if (p->has_netif)
		return netif_address(p->netif.name,
			/* A link-local router says nothing about our own address. */
			gateway && gateway >> 118 != 0x3fa ? gateway : p->first[family]);
	if (stays_here(p))
		return family == FAMILY_V4 ? DOCUMENTATION_V4 : DOCUMENTATION_V6;
	return 0;
}

/* Whether the kernel holds all of the sources, or none of them: it cannot be both. */
static int kernel_owns(struct planner *p, struct dp_route_plan *route) {
	struct dp_ipset *own = NULL, *sources = NULL;
	dp_u128 all, rest;
	int rc = netif_own_addresses(&own);

	if (rc == 0)
		rc = dp_ipset_create(&sources);
	for (unsigned i = 0; rc == 0 && i < route->nb_sources; i++)
		rc = dp_ipset_add(sources, route->sources[i].first, route->sources[i].last);
	if (rc == 0) {
		dp_ipset_seal(sources);
		all = dp_ipset_count(sources);
		rc = dp_ipset_subtract(sources, own);
	}
	if (rc == 0) {
		rest = dp_ipset_count(sources);
		route->kernel_owns_source = rest < all;
	}
	dp_ipset_destroy(own);
	dp_ipset_destroy(sources);
	if (rc)
		return dp_fail(p->err, false, rc, "cannot list this machine's addresses: %s",
			strerror(-rc));
	if (p->plan->driver == DP_DRIVER_LO && rest > 0)
		return dp_fail(p->err, true, -EADDRNOTAVAIL,
			"source = %s: on lo the source must be an address of this machine",
			ip_text(route->sources[0].first).s);
	if (rest > 0 && rest < all)
		return dp_fail(p->err, true, -EADDRINUSE,
			"source: some of the addresses are this machine's own, so that its kernel "
			"answers for them, and some are not; give either kind");
	return 0;
}

static int plan_source(struct planner *p, enum family family) {
	struct dp_route_plan *route = route_plan(p->plan, family);
	dp_ip ip;
	int rc;

	if (!p->has_family[family])
		return 0;
	route->used = true;
	given_sources(p, family, route);
	if (route->nb_sources == 0) {
		ip = automatic_source(p, family);
		if (ip == 0)
			return dp_fail(p->err, true, -EADDRNOTAVAIL,
				"source = auto: %s has no %s address; give source = ADDRESS",
				p->plan->port, family_name(family));
		route->sources[route->nb_sources++] = (struct dp_range){ip, ip};
	}
	if (stays_here(p))
		return 0;
	rc = kernel_owns(p, route);
	if (rc == 0 && p->plan->driver == DP_DRIVER_AF_XDP && route->kernel_owns_source) {
		int n = ports_overlap(
			p->params->source_port_first, p->params->source_port_last, PORTS_SYSCTL);

		p->plan->ephemeral_overlap = n > 0 ? (unsigned)n : 0;
	}
	return rc;
}

static int by_first(const void *a, const void *b) {
	const struct dp_range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Ascending and disjoint: a prefix that lies in another one is left out. */
static void sort_onlink(struct dp_route_plan *route) {
	unsigned n = 0;

	qsort(route->onlink, route->nb_onlink, sizeof(route->onlink[0]), by_first);
	for (unsigned i = 0; i < route->nb_onlink; i++) {
		if (n && route->onlink[i].first <= route->onlink[n - 1].last) {
			if (route->onlink[i].last > route->onlink[n - 1].last)
				route->onlink[n - 1].last = route->onlink[i].last;
			continue;
		}
		route->onlink[n++] = route->onlink[i];
	}
	route->nb_onlink = n;
}

static int plan_onlink(struct planner *p, enum family family, struct dp_route_plan *route) {
	for (unsigned i = 0; i < p->nb_routes; i++) {
		const struct netif_route *r = &p->route[i];

		if (strcmp(r->name, p->netif.name) != 0 || r->gateway != 0
			|| family_of(r->first) != family)
			continue;
		if (netif_is_default(r)) {
			route->onlink_all = true;
			continue;
		}
		if (route->nb_onlink == DP_MAX_ONLINK)
			return dp_fail(p->err, true, -E2BIG,
				"port = %s: more than %u directly connected prefixes; give gateway "
				"= ADDRESS of the router that leads to the targets",
				p->plan->port, DP_MAX_ONLINK);
		route->onlink[route->nb_onlink++] = (struct dp_range){r->first, r->last};
	}
	sort_onlink(route);
	return 0;
}

/* The targets of @family as a set to take from, or NULL. */
static struct dp_ipset *targets_of(const struct planner *p, enum family family) {
	const struct dp_range *range;
	size_t n = dp_ipset_ranges(dp_space_addresses(p->params->space), &range);
	struct dp_ipset *set;
	int rc = dp_ipset_create(&set);

	if (rc)
		return NULL;
	for (size_t i = 0; rc == 0 && i < n; i++)
		if (family_of(range[i].first) == family)
			rc = dp_ipset_add(set, range[i].first, range[i].last);
	if (rc) {
		dp_ipset_destroy(set);
		return NULL;
	}
	dp_ipset_seal(set);
	return set;
}

/* Take what is on link out of @targets. */
static int take_onlink(const struct dp_route_plan *route, struct dp_ipset *targets) {
	struct dp_ipset *onlink;
	int rc = dp_ipset_create(&onlink);

	for (unsigned i = 0; rc == 0 && i < route->nb_onlink; i++)
		rc = dp_ipset_add(onlink, route->onlink[i].first, route->onlink[i].last);
	if (rc == 0) {
		dp_ipset_seal(onlink);
		rc = dp_ipset_subtract(targets, onlink);
		dp_ipset_destroy(onlink);
	}
	return rc;
}

/* Number of targets on link, and one that is not (0: none). */
static int split_targets(const struct planner *p, enum family family,
	const struct dp_route_plan *route, dp_u128 *onlink, dp_ip *off_link) {
	struct dp_ipset *rest = targets_of(p, family);
	const struct dp_range *range;
	int rc = 0;

	if (!rest)
		return -ENOMEM;
	*onlink = dp_ipset_count(rest);
	*off_link = 0;
	if (!route->onlink_all) {
		rc = take_onlink(route, rest);
		*onlink -= dp_ipset_count(rest);
		if (rc == 0 && dp_ipset_ranges(rest, &range))
			*off_link = range[0].first;
	}
	dp_ipset_destroy(rest);
	return rc;
}

/* Which router leads to what is not on link. */
static int plan_gateway(struct planner *p, struct dp_route_plan *route, dp_ip off_link) {
	const struct netif_route *to;

	if (route->gateway || p->plan->has_gateway_mac)
		return 0;
	to = p->has_netif ? netif_route_to(p->route, p->nb_routes, p->netif.name, off_link) : NULL;
	if (!to || !to->gateway)
		return dp_fail(p->err, true, -ENETUNREACH,
			"gateway = auto: %s has no route to %s; give gateway = ADDRESS or "
			"gateway_mac = ADDRESS of the next hop",
			p->plan->port, ip_text(off_link).s);
	route->gateway = to->gateway;
	return 0;
}

static bool asks_targets(const struct probe_type *type, enum family family) {
	return type->scan.link || type->on_link[family];
}

static int plan_next_hop(struct planner *p, enum family family) {
	struct dp_route_plan *route = route_plan(p->plan, family);
	dp_u128 onlink;
	dp_ip off_link;
	int rc;

	if (!route->used)
		return 0;
	route->gateway = family == FAMILY_V4 ? p->port->gateway4 : p->port->gateway6;
	if (p->plan->driver == DP_DRIVER_LO || (stays_here(p) && !route->gateway)) {
		static const uint8_t nobody[6]
			= {0x02, 0, 0, 0, 0, 0x01}; /* locally administered */

		if (!p->plan->has_gateway_mac)
			memcpy(p->plan->gateway_mac, nobody, sizeof(nobody));
		p->plan->has_gateway_mac = true;
		return 0;
	}
	rc = p->has_netif ? plan_onlink(p, family, route) : 0;
	if (rc)
		return rc;
	rc = split_targets(p, family, route, &onlink, &off_link);
	if (rc)
		return dp_fail(p->err, false, rc, "out of memory");
	if (off_link && p->type->scan.link)
		return dp_fail(p->err, true, -ENETUNREACH,
			"type = %s: %s is not on the link of %s; only targets of its own networks "
			"can be asked so; type = discovery finds the others",
			p->type->scan.name, ip_text(off_link).s, p->plan->port);
	if (!asks_targets(p->type, family)) {
		if (onlink > MAX_NEIGHBOURS - p->plan->neighbours)
			return dp_fail(p->err, true, -E2BIG,
				"more than %u targets are on the link of %s, too many to be "
				"resolved one by one; narrow the targets%s or give gateway = "
				"ADDRESS on another port",
				MAX_NEIGHBOURS, p->plan->port,
				family == FAMILY_V6 ? ", find hosts with type = ndp first," : "");
		p->plan->neighbours += (uint64_t)onlink;
	}
	if (!off_link) {
		route->gateway = 0; /* whom nobody needs, nobody has to wait for */
		return 0;
	}
	return plan_gateway(p, route, off_link);
}

/* --- plugin sockets -------------------------------------------------------------------------- */

/* Why frames for an address that the kernel does not hold cannot be brought to it; NULL: they can. */
static const char *no_exception_path(const struct planner *p) {
	switch (p->plan->driver) {
	case DP_DRIVER_AF_XDP:
	case DP_DRIVER_PCI:
		return NULL;
	case DP_DRIVER_AF_PACKET:
		/* It would take the frames itself, as for an address of its own, and reset. */
		return "the kernel receives all that comes by af_packet, too";
	case DP_DRIVER_VDEV:
		if (!stays_here(p) && !p->has_netif)
			return NULL;
		return "this vdev has no link of its own to bring it to";
	default:
		return "no link leads out of this port";
	}
}

/* Of the first port, which is planned already. */
static int plan_exception(struct planner *p) {
	struct dp_plan *plan = p->whole;
	dp_ip ip = p->params->exception.ip;
	const char *why_not;
	int number;

	if (ip == 0 || netif_owns(ip))
		return 0;
	why_not = no_exception_path(p);
	if (why_not)
		return dp_fail(p->err, true, -EADDRNOTAVAIL,
			"[plugins] source = %s: no interface has this address, and %s; give it to "
			"one (`ip address add %s/32 dev NAME`), or give an address that one has",
			ip_text(ip).s, why_not, ip_text(ip).s);
	if (dp_ip_to_v4(ip) >> 28 >= 14 || ip == p->plan->v4.gateway)
		return dp_fail(p->err, true, -EINVAL,
			"[plugins] source = %s: not an address that this machine could have",
			ip_text(ip).s);
	number = tap_free_number();
	if (number < 0)
		return dp_fail(p->err, false, number,
			"[plugins] source = %s: interfaces prtip0 to prtip%d are taken; `ip link` "
			"lists them",
			ip_text(ip).s, TAP_MAX - 1);
	plan->exception.on = true;
	plan->exception.ip = ip;
	plan->exception.number = (unsigned)number;
	tap_name(plan->exception.number, plan->exception.name);
	plan->exception.max_pps
		= p->params->exception.max_pps ? p->params->exception.max_pps : DP_EXCEPTION_PPS;
	plan->exception.mtu = ETH_MTU;
	if (p->has_netif && p->netif.mtu < ETH_MTU)
		plan->exception.mtu = p->netif.mtu;
	return 0;
}

/* Whether the kernel gets a copy of the segments that come for its address, and resets. */
static bool kernel_resets(const struct planner *p, const struct dp_route_plan *route) {
	const char *port = p->plan->port;

	switch (p->plan->driver) {
	case DP_DRIVER_LO:
	case DP_DRIVER_AF_PACKET:
		return route->kernel_owns_source;
	case DP_DRIVER_VDEV:
		return route->kernel_owns_source
			&& (starts(port, "net_af_packet") || starts(port, "net_pcap"));
	default:
		return false;
	}
}

static int check_banners(const struct planner *p, const struct dp_route_plan *route) {
	const struct dp_port_plan *plan = p->plan;

	if (!p->params->banner.enable || !dp_scan_part(&p->type->scan, DP_PROTO_TCP) || !route->used
		|| !kernel_resets(p, route))
		return 0;
	if (plan->driver == DP_DRIVER_LO)
		return dp_fail(p->err, true, -EOPNOTSUPP,
			"banner.enable = on: not possible on lo, where the kernel holds every "
			"address and resets the connections that banners come from; scan through "
			"an interface, with a source of its own");
	return dp_fail(p->err, true, -EADDRINUSE,
		"banner.enable = on: the kernel holds %s and would reset the connections that "
		"banners come from; set source to a free address of %.15s's network%s%.15s%s",
		ip_text(route->sources[0].first).s, p->has_netif ? p->netif.name : plan->port,
		p->has_netif ? ", or port to af_xdp:" : "", p->has_netif ? p->netif.name : "",
		p->has_netif ? ", where the kernel does not see them" : "");
}

/* --- lcores and memory ----------------------------------------------------------------------- */

static int list_cpus(int *cpu, unsigned max) {
	cpu_set_t set;
	unsigned n = 0;

	if (sched_getaffinity(0, sizeof(set), &set))
		return -errno;
	for (int i = 0; i < CPU_SETSIZE && n < max; i++)
		if (CPU_ISSET(i, &set))
			cpu[n++] = i;
	return (int)n;
}

/* How many lcores send and receive where the operator left it to us. */
static unsigned auto_workers(const struct dp_port_plan *plan, unsigned nb_cpus, unsigned nb_ports) {
	unsigned n = nb_cpus > 2 ? (nb_cpus - 1) / nb_ports : 1;

	if (n > 1)
		n -= plan->has_peer;

	if (plan->driver == DP_DRIVER_LO || plan->driver == DP_DRIVER_VDEV)
		return 1;
	if (plan->driver == DP_DRIVER_AF_XDP && n > plan->nb_queues)
		n = plan->nb_queues;
	return n > 4 ? 4 : n < 1 ? 1 : n;
}

static int count_lcores(struct planner *p) {
	struct dp_port_plan *plan = p->plan;
	unsigned tx = p->params->tx_lcores, rx = p->params->rx_lcores;
	const char *plural;

	if (tx == 0 && rx == 0) {
		plan->auto_lcores = plan->merged = true;
		plan->nb_workers = plan->nb_tx = plan->nb_rx
			= auto_workers(plan, p->whole->nb_cpus, p->whole->nb_ports);
		return 0;
	}
	plan->nb_tx = tx ? tx : 1;
	plan->nb_rx = rx ? rx : 1;
	if (plan->driver == DP_DRIVER_AF_XDP) {
		plural = plan->nb_queues == 1 ? "" : "s";
		if (plan->nb_tx > plan->nb_queues || plan->nb_rx > plan->nb_queues)
			return dp_fail(p->err, true, -EBUSY,
				"%s = %u: %s has %u queue%s; one lcore a queue at the most",
				plan->nb_tx > plan->nb_queues ? "tx_lcores" : "rx_lcores",
				plan->nb_tx > plan->nb_queues ? plan->nb_tx : plan->nb_rx,
				plan->port, plan->nb_queues, plural);
		/* Both directions of an af_xdp queue share one socket, so one lcore has both. */
		plan->merged = true;
		plan->nb_workers = plan->nb_tx > plan->nb_rx ? plan->nb_tx : plan->nb_rx;
		plan->nb_tx = plan->nb_rx = plan->nb_workers;
		return 0;
	}
	plan->nb_workers = plan->nb_tx + plan->nb_rx;
	if (plan->nb_workers > DP_MAX_LCORES)
		return dp_fail(p->err, true, -E2BIG,
			"tx_lcores + rx_lcores = %u: at most %u packet lcores", plan->nb_workers,
			DP_MAX_LCORES);
	return 0;
}

static int count_cpus(struct planner *p, int *cpu) {
	int rc = list_cpus(cpu, CPU_SETSIZE);

	if (rc <= 0)
		return dp_fail(p->err, false, rc ? rc : -ENODEV, "cannot list the CPUs to run on");
	p->whole->nb_cpus = (unsigned)rc;
	return 0;
}

/* How many lcores the port has; which CPUs they get is known when all ports are planned. */
static int plan_workers(struct planner *p) {
	struct dp_port_plan *plan = p->plan;
	bool paired;
	int rc;

	plan->has_peer = plan->driver == DP_DRIVER_SIM || plan->driver == DP_DRIVER_LO;
	if (plan->driver == DP_DRIVER_AF_XDP)
		plan->nb_queues = netif_rx_queues(plan->port, &paired);
	rc = count_lcores(p);
	if (rc)
		return rc;
	/* Its queues come in pairs. */
	if (plan->driver == DP_DRIVER_VDEV && starts(plan->port, "net_tap"))
		plan->nb_queues = plan->nb_tx > plan->nb_rx ? plan->nb_tx : plan->nb_rx;
	p->whole->nb_workers += plan->nb_workers;
	p->whole->nb_tx += plan->nb_tx;
	if (p->whole->nb_workers > DP_MAX_LCORES)
		return dp_fail(p->err, true, -E2BIG,
			"tx_lcores + rx_lcores over all ports = %u: at most %u packet lcores",
			p->whole->nb_workers, DP_MAX_LCORES);
	return 0;
}

/* The control core has the first CPU; packet lcores have the rest; peers what is left. */
static void plan_cpus(struct planner *p, const int *cpu) {
	struct dp_plan *whole = p->whole;
	unsigned n = whole->nb_cpus, worker = 0, next = 1 + whole->nb_workers, peers = 0;

	whole->main_cpu = cpu[0];
	for (unsigned i = 0; i < whole->nb_ports; i++) {
		struct dp_port_plan *plan = &whole->ports[i];

		for (unsigned k = 0; k < plan->nb_workers; k++, worker++)
			plan->worker_cpu[k] = n > 1 ? cpu[1 + worker % (n - 1)] : cpu[0];
		if (!plan->has_peer)
			continue;
		plan->peer_cpu = next < n ? cpu[next] : cpu[0];
		next++;
		peers++;
	}
	whole->shared_cpus = n < 1 + whole->nb_workers + peers;
}

/* Without hugepages a buffer does not cross a page, so that larger ones take one or more each. */
static uint64_t pool_bytes(uint64_t buffers, uint64_t room) {
	uint64_t each = POOL_HEADER + MBUF_HEADER + PRIVATE + HEADROOM + room;
	uint64_t in_page = each > PAGE / 2 ? 1 : PAGE / each;

	return (buffers / in_page + 1) * PAGE;
}

static uint64_t free_hugepage_bytes(void) {
	static const unsigned kilobytes[] = {2048, 1048576};
	uint64_t bytes = 0;

	for (unsigned i = 0; i < 2; i++) {
		char path[96];
		unsigned long long n = 0;
		FILE *file;

		snprintf(path, sizeof(path),
			"/sys/kernel/mm/hugepages/hugepages-%ukB/free_hugepages", kilobytes[i]);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fscanf(file, "%llu", &n) == 1)
			bytes += n * kilobytes[i] * 1024;
		fclose(file);
	}
	return bytes;
}

/* What a port's scan type sends: how many kinds of frames, and buffers for the longest of each. */
static uint64_t probe_pool_bytes(const struct planner *p, const struct dp_port_plan *plan) {
	const bool used[FAMILIES] = {plan->v4.used, plan->v6.used};
	uint64_t bytes = 0;

	for (enum family f = 0; f < FAMILIES; f++) {
		const struct probe_module *link = p->type->on_link[f];

		for (unsigned i = 0; used[f] && i < p->type->nb_steps[f]; i++)
			bytes += pool_bytes(TX_POOL,
				plan_tx_room(ETH_BYTES + VLAN_BYTES
					+ p->type->step[f][i].module->packet_bytes[f]));
		if (used[f] && link)
			bytes += pool_bytes(TX_POOL, TX_ROOM);
	}
	return bytes;
}

static uint64_t port_bytes(const struct planner *p, const struct dp_port_plan *plan) {
	uint64_t queues = plan->nb_queues > plan->nb_rx ? plan->nb_queues : plan->nb_rx;

	return plan->nb_tx * (probe_pool_bytes(p, plan) + pool_bytes(REPLY_POOL, REPLY_ROOM))
		+ (plan->has_peer ? pool_bytes(PEER_POOL, PEER_ROOM)
				  : plan->nb_rx * pool_bytes(RX_POOL, RX_ROOM)
					+ (queues - plan->nb_rx)
						* pool_bytes(RX_DESCRIPTORS, RX_ROOM));
}

static int plan_memory(struct planner *p) {
	struct dp_plan *plan = p->whole;
	uint64_t bytes = 24 << 20, free_bytes = free_hugepage_bytes();

	if (plan->exception.on)
		bytes += pool_bytes(EXCEPTION_POOL, REPLY_ROOM);
	for (unsigned i = 0; i < plan->nb_ports; i++)
		bytes += port_bytes(p, &plan->ports[i]);
	plan->memory_mb = (unsigned)((bytes >> 20) + 1);
	plan->hugepages = p->params->hugepages == DP_HUGEPAGES_ON
		|| (p->params->hugepages == DP_HUGEPAGES_AUTO && free_bytes >= bytes);
	if (p->params->hugepages == DP_HUGEPAGES_ON && free_bytes < bytes)
		return dp_fail(p->err, true, -ENOMEM,
			"hugepages = on: %llu MB of hugepages are free, %u are needed; reserve "
			"some with "
			"`echo %u > /proc/sys/vm/nr_hugepages`, or set hugepages = off",
			(unsigned long long)(free_bytes >> 20), plan->memory_mb,
			plan->memory_mb / 2 + 1);
	return 0;
}

/* --- what is sent ---------------------------------------------------------------------------- */

static unsigned frame_bytes(unsigned l2_bytes, unsigned packet_bytes) {
	unsigned bytes = l2_bytes + packet_bytes;

	return bytes < ETH_MIN_FRAME ? ETH_MIN_FRAME : bytes;
}

/* Frames that all pairs of a family together get in one repeat, a port or a host. */
struct load {
	double frames, bytes; /* on the wire */
	unsigned longest;
};

static void add_load(struct load *load, unsigned bytes) {
	load->frames++;
	load->bytes += bytes + ETH_WIRE_EXTRA;
	if (bytes > load->longest)
		load->longest = bytes;
}

/* What goes to one host at @endpoint. */
static void add_pair(const struct planner *p, const struct payload_book *book, enum family family,
	uint32_t endpoint, unsigned l2_bytes, struct load *load) {
	const struct dp_target target = {
		.port = dp_endpoint_port(endpoint), .proto = (uint8_t)dp_endpoint_proto(endpoint)};
	unsigned passes = probe_passes(p->type, book, family, &target);

	for (unsigned k = 0; k < passes; k++) {
		const struct probe_module *module
			= p->type->step[family][probe_step(p->type, family, &target, k)].module;
		unsigned bytes = module->packet_bytes[family];

		if (module->varies)
			bytes = (family == FAMILY_V4 ? IPV4_BYTES : IPV6_BYTES) + UDP_BYTES
				+ book_payload(book, target.port, k)->length;
		add_load(load, frame_bytes(l2_bytes, bytes));
	}
}

/* What one of the ports (network devices) sends; each sends as much of every kind as the others. */
static void add_port(const struct planner *p, const struct payload_book *book,
	const struct dp_port_plan *device, struct load *load) {
	const struct dp_space *space = p->params->space;
	const unsigned l2_bytes = ETH_BYTES + (device->vlan ? VLAN_BYTES : 0);

	for (enum family f = 0; f < FAMILIES; f++)
		for (unsigned i = 0; p->has_family[f] && i < dp_space_ports(space); i++)
			add_pair(p, book, f, dp_space_endpoint(space, i), l2_bytes, load);
}

/* The mean cost of a probe on the wire, over devices, families and ports, and the longest. */
static int plan_rate(struct planner *p) {
	struct dp_plan *plan = p->whole;
	struct load load = {0};
	struct payload_book *book;
	int rc = book_create(p->params->payloads, p->params->nb_payloads, NULL, 0, &book);

	if (rc)
		return dp_fail(p->err, false, rc, "out of memory");
	for (unsigned k = 0; k < plan->nb_ports; k++)
		add_port(p, book, &plan->ports[k], &load);
	plan->passes = p->params->probes * probe_passes_max(p->type, book, p->params->space);
	book_destroy(book);
	plan->frame_bytes = load.longest;
	plan->wire_bytes = (unsigned)(load.bytes / load.frames + 0.5);
	plan->wire_bits = 8.0 * load.bytes / load.frames;
	plan->rate_pps = p->params->rate_pps;
	if (plan->rate_pps <= 0 && p->params->rate_bps > 0)
		plan->rate_pps = p->params->rate_bps / plan->wire_bits;
	return 0;
}

/* --- the whole ------------------------------------------------------------------------------- */

static int check_families(struct planner *p) {
	const struct dp_ipset *addresses = dp_space_addresses(p->params->space);
	const struct dp_range *range;
	size_t n = dp_ipset_ranges(addresses, &range);

	for (size_t i = n; i-- > 0;) {
		enum family family = family_of(range[i].first);

		p->has_family[family] = true;
		p->first[family] = range[i].first;
	}
	for (enum family f = 0; f < FAMILIES; f++)
		if (p->has_family[f] && p->type->nb_steps[f] == 0)
			return dp_fail(p->err, true, -EAFNOSUPPORT,
				"type = %s: not for %s addresses such as %s", p->type->scan.name,
				family_name(f), ip_text(p->first[f]).s);
	return 0;
}

/* What lo has not, though its packets would just be lost there. */
static int check_lo(const struct planner *p) {
	if (p->plan->driver != DP_DRIVER_LO)
		return 0;
	if (p->plan->vlan)
		return dp_fail(p->err, true, -EOPNOTSUPP,
			"vlan = %u: lo has no VLANs; leave it out, or scan through an interface",
			p->plan->vlan);
	if (p->type->scan.link)
		return dp_fail(p->err, true, -EOPNOTSUPP,
			"type = %s: lo has no link to ask on; give type = icmp or discovery, or "
			"scan through an interface",
			p->type->scan.name);
	return 0;
}

/* A device serves one port. */
static int check_unique(const struct planner *p) {
	for (const struct dp_port_plan *other = p->whole->ports; other < p->plan; other++)
		if (strcmp(other->port, p->plan->port) == 0 && strcmp(other->port, "sim") != 0)
			return dp_fail(p->err, true, -EEXIST,
				"%s = %s: an earlier port is the same device; give each once",
				p->key, p->plan->port);
	return 0;
}

static int plan_one(struct planner *p, unsigned number) {
	int rc;

	p->port = &p->params->ports[number];
	p->plan = &p->whole->ports[number];
	p->has_netif = false;
	snprintf(p->key, sizeof(p->key), p->params->nb_ports > 1 ? "port%u" : "port", number);
	p->plan->vlan = p->port->vlan;
	p->plan->has_gateway_mac = p->port->has_gateway_mac;
	memcpy(p->plan->gateway_mac, p->port->gateway_mac, sizeof(p->plan->gateway_mac));
	rc = plan_port(p);
	if (rc == 0)
		rc = check_unique(p);
	if (rc == 0)
		rc = check_lo(p);
	for (enum family f = 0; rc == 0 && f < FAMILIES; f++) {
		rc = plan_source(p, f);
		if (rc == 0)
			rc = check_banners(p, route_plan(p->plan, f));
		if (rc == 0)
			rc = plan_next_hop(p, f);
	}
	if (rc == 0 && number == 0)
		rc = plan_exception(p);
	return rc ? rc : plan_workers(p);
}

static int plan_all(struct planner *p) {
	int cpu[CPU_SETSIZE];
	int rc = check_families(p);

	if (rc == 0)
		rc = count_cpus(p, cpu);
	for (unsigned i = 0; rc == 0 && i < p->whole->nb_ports; i++)
		rc = plan_one(p, i);
	if (rc)
		return rc;
	plan_cpus(p, cpu);
	rc = plan_memory(p);
	return rc ? rc : plan_rate(p);
}

int dp_plan_make(const struct dp_params *params, struct dp_plan *plan, struct dp_error *err) {
	struct planner planner = {
		.params = params,
		.type = probe_type_of(params->type),
		.whole = plan,
		.err = err,
	};
	int rc;

	memset(plan, 0, sizeof(*plan));
	plan->nb_ports = params->nb_ports;
	planner.route = calloc(NETIF_MAX_ROUTES, sizeof(*planner.route));
	if (!planner.route)
		return dp_fail(err, false, -ENOMEM, "out of memory");
	rc = netif_routes(planner.route, NETIF_MAX_ROUTES);
	planner.nb_routes = rc > 0 ? (unsigned)rc : 0;
	if (rc == -E2BIG)
		rc = dp_fail(err, true, rc,
			"more than %u routes; give port, source and gateway_mac instead of auto",
			NETIF_MAX_ROUTES);
	else
		rc = plan_all(&planner);
	free(planner.route);
	return rc;
}
