/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Decide how a scan will run: driver, source address, next hops, lcores, memory. Main thread, before
 * EAL; looks at the machine and changes nothing.
 */
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

/* TEST-NET-1 (RFC 5737), where nothing leaves the machine and nobody gave a source. */
#define DOCUMENTATION_SOURCE 0xc0000201u
#define LOOPBACK_SOURCE 0x7f000001u

/* What is known while the plan is made. */
struct planner {
	const struct dp_params *params;
	struct dp_plan *plan;
	struct dp_error *err;
	bool has_netif;
	struct netif netif;
	struct netif_route *route;
	unsigned nb_routes;
};

struct ip_text {
	char s[16];
};

static struct ip_text ip_text(uint32_t ip) {
	struct ip_text text;

	snprintf(text.s, sizeof(text.s), "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255,
		ip & 255);
	return text;
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
	for (unsigned i = 0; i < p->nb_routes; i++)
		if (p->route[i].mask == 0 && (!best || p->route[i].metric < best->metric))
			best = &p->route[i];
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
	const char *port = p->params->port;
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

static int plan_source(struct planner *p, uint32_t near) {
	struct dp_plan *plan = p->plan;

	plan->source_ip = p->params->source_ip;
	if (plan->source_ip == 0 && plan->driver == DP_DRIVER_LO)
		plan->source_ip = LOOPBACK_SOURCE;
	else if (plan->source_ip == 0 && p->has_netif)
		plan->source_ip = netif_address(p->netif.name, near);
	else if (plan->source_ip == 0 && stays_here(p))
		plan->source_ip = DOCUMENTATION_SOURCE;
	if (plan->source_ip == 0)
		return dp_fail(p->err, true, -EADDRNOTAVAIL,
			"source = auto: %s has no IPv4 address; give source = ADDRESS", plan->port);
	plan->kernel_owns_source = netif_owns(plan->source_ip);
	if (plan->driver == DP_DRIVER_LO && !plan->kernel_owns_source)
		return dp_fail(p->err, true, -EADDRNOTAVAIL,
			"source = %s: on lo the source must be an address of this machine",
			ip_text(plan->source_ip).s);
	if (stays_here(p))
		plan->kernel_owns_source = false;
	if (plan->driver == DP_DRIVER_AF_XDP && plan->kernel_owns_source) {
		int n = ports_overlap(
			p->params->source_port_first, p->params->source_port_last, PORTS_SYSCTL);

		plan->ephemeral_overlap = n > 0 ? (unsigned)n : 0;
	}
	return 0;
}

static bool add_onlink(struct dp_plan *plan, uint32_t prefix, uint32_t mask) {
	if (plan->nb_onlink == DP_MAX_ONLINK)
		return false;
	plan->onlink[plan->nb_onlink++] = (struct dp_range){prefix, prefix | ~mask};
	return true;
}

static int by_first(const void *a, const void *b) {
	const struct dp_range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Ascending and disjoint: a prefix that lies in another one is left out. */
static void sort_onlink(struct dp_plan *plan) {
	unsigned n = 0;

	qsort(plan->onlink, plan->nb_onlink, sizeof(plan->onlink[0]), by_first);
	for (unsigned i = 0; i < plan->nb_onlink; i++) {
		if (n && plan->onlink[i].first <= plan->onlink[n - 1].last) {
			if (plan->onlink[i].last > plan->onlink[n - 1].last)
				plan->onlink[n - 1].last = plan->onlink[i].last;
			continue;
		}
		plan->onlink[n++] = plan->onlink[i];
	}
	plan->nb_onlink = n;
}

static int plan_onlink(struct planner *p) {
	struct dp_plan *plan = p->plan;

	for (unsigned i = 0; i < p->nb_routes; i++) {
		const struct netif_route *r = &p->route[i];

		if (strcmp(r->name, p->netif.name) != 0 || r->gateway != 0)
			continue;
		if (r->mask == 0)
			plan->onlink_all = true;
		else if (!add_onlink(plan, r->prefix, r->mask))
			return dp_fail(p->err, true, -E2BIG,
				"port = %s: more than %u directly connected prefixes; give gateway "
				"= "
				"ADDRESS of the router that leads to the targets",
				plan->port, DP_MAX_ONLINK);
	}
	sort_onlink(plan);
	return 0;
}

/* Number of targets on link, and one that is not (0: none). */
static uint64_t split_targets(const struct planner *p, uint32_t *off_link) {
	const struct dp_ipset *addresses = dp_space_addresses(p->params->space);
	const struct dp_range *range;
	struct dp_ipset *onlink = NULL, *rest = NULL;
	uint64_t all = dp_ipset_count(addresses), off = all;

	*off_link = 0;
	if (p->plan->onlink_all)
		return all;
	if (dp_ipset_create(&onlink) || dp_ipset_copy(addresses, &rest))
		goto out;
	for (unsigned i = 0; i < p->plan->nb_onlink; i++)
		dp_ipset_add(onlink, p->plan->onlink[i].first, p->plan->onlink[i].last);
	dp_ipset_seal(onlink);
	if (dp_ipset_subtract(rest, onlink) == 0) {
		off = dp_ipset_count(rest);
		if (dp_ipset_ranges(rest, &range))
			*off_link = range[0].first;
	}
out:
	dp_ipset_destroy(onlink);
	dp_ipset_destroy(rest);
	return all - off;
}

static int plan_next_hop(struct planner *p) {
	static const uint8_t nobody[6] = {0x02, 0, 0, 0, 0, 0x01}; /* locally administered */
	struct dp_plan *plan = p->plan;
	const struct netif_route *route;
	uint32_t off_link;
	int rc;

	plan->gateway_ip = p->params->gateway_ip;
	plan->has_gateway_mac = p->params->has_gateway_mac;
	memcpy(plan->gateway_mac, p->params->gateway_mac, sizeof(plan->gateway_mac));
	if (plan->driver == DP_DRIVER_LO || (stays_here(p) && !plan->gateway_ip)) {
		if (!plan->has_gateway_mac)
			memcpy(plan->gateway_mac, nobody, sizeof(nobody));
		plan->has_gateway_mac = true;
		return 0;
	}
	if (p->has_netif) {
		rc = plan_onlink(p);
		if (rc)
			return rc;
	}
	plan->neighbours = split_targets(p, &off_link);
	if (plan->neighbours > MAX_NEIGHBOURS)
		return dp_fail(p->err, true, -E2BIG,
			"%llu targets are on the link of %s, more than the %u that can be resolved "
			"one "
			"by one; narrow the targets or give gateway = ADDRESS on another port",
			(unsigned long long)plan->neighbours, plan->port, MAX_NEIGHBOURS);
	if (plan->neighbours == dp_ipset_count(dp_space_addresses(p->params->space))) {
		plan->gateway_ip = 0; /* whom nobody needs, nobody has to wait for */
		return 0;
	}
	if (plan->gateway_ip || plan->has_gateway_mac)
		return 0;
	route = p->has_netif ? netif_route_to(p->route, p->nb_routes, p->netif.name, off_link)
			     : NULL;
	if (!route || !route->gateway)
		return dp_fail(p->err, true, -ENETUNREACH,
			"gateway = auto: %s has no route to %s; give gateway = ADDRESS or "
			"gateway_mac = "
			"ADDRESS of the next hop",
			plan->port, ip_text(off_link).s);
	plan->gateway_ip = route->gateway;
	return 0;
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

static int plan_exception(struct planner *p) {
	struct dp_plan *plan = p->plan;
	uint32_t ip = p->params->exception.ip;
	const char *why_not;
	int number;

	if (ip == 0 || netif_owns(ip))
		return 0;
	why_not = no_exception_path(p);
	if (why_not)
		return dp_fail(p->err, true, -EADDRNOTAVAIL,
			"[plugins] source = %s: no interface has this address, and %s; give it to "
			"one "
			"(`ip address add %s/32 dev NAME`), or give an address that one has",
			ip_text(ip).s, why_not, ip_text(ip).s);
	if (ip >> 28 >= 14 || ip == plan->gateway_ip)
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
static bool kernel_resets(const struct planner *p) {
	const char *port = p->plan->port;

	switch (p->plan->driver) {
	case DP_DRIVER_LO:
	case DP_DRIVER_AF_PACKET:
		return p->plan->kernel_owns_source;
	case DP_DRIVER_VDEV:
		return p->plan->kernel_owns_source
			&& (starts(port, "net_af_packet") || starts(port, "net_pcap"));
	default:
		return false;
	}
}

static int check_banners(const struct planner *p) {
	const struct dp_plan *plan = p->plan;

	if (!p->params->banner.enable || !kernel_resets(p))
		return 0;
	if (plan->driver == DP_DRIVER_LO)
		return dp_fail(p->err, true, -EOPNOTSUPP,
			"banner.enable = on: not possible on lo, where the kernel holds every "
			"address and resets the connections that banners come from; scan through "
			"an interface, with a source of its own");
	return dp_fail(p->err, true, -EADDRINUSE,
		"banner.enable = on: the kernel holds %s and would reset the connections that "
		"banners come from; set source to a free address of %.15s's network",
		ip_text(plan->source_ip).s, p->has_netif ? p->netif.name : plan->port);
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
static unsigned auto_workers(const struct dp_plan *plan) {
	unsigned n = plan->nb_cpus > 2 ? plan->nb_cpus - 1 - plan->has_peer : 1;

	if (plan->driver == DP_DRIVER_LO || plan->driver == DP_DRIVER_VDEV)
		return 1;
	if (plan->driver == DP_DRIVER_AF_XDP && n > plan->nb_queues)
		n = plan->nb_queues;
	return n > 4 ? 4 : n < 1 ? 1 : n;
}

static int count_lcores(struct planner *p) {
	struct dp_plan *plan = p->plan;
	unsigned tx = p->params->tx_lcores, rx = p->params->rx_lcores;
	const char *plural;

	if (tx == 0 && rx == 0) {
		plan->auto_lcores = plan->merged = true;
		plan->nb_workers = plan->nb_tx = plan->nb_rx = auto_workers(plan);
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

static int plan_lcores(struct planner *p) {
	struct dp_plan *plan = p->plan;
	int cpu[CPU_SETSIZE];
	int rc = list_cpus(cpu, CPU_SETSIZE);
	unsigned n, needed;
	bool paired;

	if (rc <= 0)
		return dp_fail(p->err, false, rc ? rc : -ENODEV, "cannot list the CPUs to run on");
	n = plan->nb_cpus = (unsigned)rc;
	plan->has_peer = plan->driver == DP_DRIVER_SIM || plan->driver == DP_DRIVER_LO;
	if (plan->driver == DP_DRIVER_AF_XDP)
		plan->nb_queues = netif_rx_queues(plan->port, &paired);
	rc = count_lcores(p);
	if (rc)
		return rc;
	/* The control core has the first CPU; packet lcores have the rest; a peer what is left. */
	plan->main_cpu = cpu[0];
	for (unsigned i = 0; i < plan->nb_workers; i++)
		plan->worker_cpu[i] = n > 1 ? cpu[1 + i % (n - 1)] : cpu[0];
	needed = 1 + plan->nb_workers + plan->has_peer;
	plan->peer_cpu = n >= needed ? cpu[needed - 1] : cpu[0];
	plan->shared_cpus = n < needed;
	return 0;
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

static int plan_memory(struct planner *p) {
	struct dp_plan *plan = p->plan;
	uint64_t bytes = 24 << 20, free_bytes = free_hugepage_bytes(), queues;

	queues = plan->nb_queues > plan->nb_rx ? plan->nb_queues : plan->nb_rx;
	if (plan->exception.on)
		bytes += pool_bytes(EXCEPTION_POOL, REPLY_ROOM);
	bytes += plan->nb_tx * (pool_bytes(TX_POOL, TX_ROOM) + pool_bytes(REPLY_POOL, REPLY_ROOM));
	bytes += plan->has_peer ? pool_bytes(PEER_POOL, PEER_ROOM)
				: plan->nb_rx * pool_bytes(RX_POOL, RX_ROOM)
			+ (queues - plan->nb_rx) * pool_bytes(RX_DESCRIPTORS, RX_ROOM);
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

static void plan_rate(struct planner *p) {
	struct dp_plan *plan = p->plan;

	plan->frame_bytes = probe_syn.frame_bytes;
	plan->wire_bytes = plan->frame_bytes + ETH_WIRE_EXTRA;
	plan->rate_pps = p->params->rate_pps;
	if (plan->rate_pps <= 0 && p->params->rate_bps > 0)
		plan->rate_pps = p->params->rate_bps / (8.0 * plan->wire_bytes);
}

int dp_plan_make(const struct dp_params *params, struct dp_plan *plan, struct dp_error *err) {
	struct planner planner = {.params = params, .plan = plan, .err = err}, *p = &planner;
	struct dp_target first;
	int rc;

	memset(plan, 0, sizeof(*plan));
	dp_space_pick(params->space, &(uint64_t){0}, &first, 1);
	p->route = calloc(NETIF_MAX_ROUTES, sizeof(*p->route));
	if (!p->route)
		return dp_fail(err, false, -ENOMEM, "out of memory");
	rc = netif_routes(p->route, NETIF_MAX_ROUTES);
	p->nb_routes = rc > 0 ? (unsigned)rc : 0;
	if (rc == -E2BIG)
		rc = dp_fail(err, true, rc,
			"more than %u routes; give port, source and gateway_mac instead of auto",
			NETIF_MAX_ROUTES);
	else
		rc = plan_port(p);
	if (rc == 0)
		rc = plan_source(p, params->gateway_ip ? params->gateway_ip : first.ip);
	if (rc == 0)
		rc = check_banners(p);
	if (rc == 0)
		rc = plan_next_hop(p);
	if (rc == 0)
		rc = plan_exception(p);
	if (rc == 0)
		rc = plan_lcores(p);
	if (rc == 0)
		rc = plan_memory(p);
	plan_rate(p);
	free(p->route);
	return rc;
}
