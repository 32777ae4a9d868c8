/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The steering program's verdict on every kind of frame, run by the kernel on made-up frames
 * (BPF_PROG_TEST_RUN; needs root, else skipped), and the loader's parts that need no privilege.
 */
#include "xdp.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/if_xdp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Its last two octets read as a port of ours: what takes the address for the ports is found out. */
#define US "198.18.156.100"
#define PEER "198.18.0.2"
#define OTHER "198.18.0.3"
#define NOBODY "0.0.0.0"

/* Of a few addresses in a row; also read as ports of ours. */
#define US6 "2001:db8::9c41:9c42"
#define PEER6 "2001:db8::2"
#define OTHER6 "2001:db8::3"
#define ALL_NODES "ff02::1"

/* Our hardware address, and whence we ask where the kernel holds the others. */
#define MAC "\x02\x03\x04\x05\x06\x07"
#define ASKER "fe80::7064:203:405:607"

enum {
	FIRST = 40000,
	LAST = 40999,
	MAX_FRAME = 256,
};

/* A frame under construction. */
struct frame {
	uint8_t bytes[MAX_FRAME];
	unsigned length;
};

static void put8(struct frame *f, unsigned v) {
	f->bytes[f->length++] = (uint8_t)v;
}

static void put16(struct frame *f, unsigned v) {
	put8(f, v >> 8);
	put8(f, v & 0xff);
}

static void put_ip(struct frame *f, const char *address) {
	uint32_t be = inet_addr(address);

	memcpy(f->bytes + f->length, &be, 4);
	f->length += 4;
}

static void put_eth(struct frame *f, unsigned type) {
	memcpy(f->bytes, MAC, 6);
	f->length += 12;
	put16(f, type);
}

static void put_ip6(struct frame *f, const char *address) {
	cr_assert_eq(inet_pton(AF_INET6, address, f->bytes + f->length), 1);
	f->length += 16;
}

static void put_ipv6(struct frame *f, unsigned next, const char *source, const char *destination) {
	put16(f, 0x6000);
	f->length += 4;
	put8(f, next);
	put8(f, 255);
	put_ip6(f, source);
	put_ip6(f, destination);
}

/* An IPv4 header with @options words of options; the steering program reads no length or checksum. */
static void put_ipv4(struct frame *f, unsigned protocol, const char *source,
	const char *destination, unsigned fragment, unsigned options) {
	put8(f, 0x45 + options);
	f->length += 5;
	put16(f, fragment);
	put8(f, 64);
	put8(f, protocol);
	put16(f, 0);
	put_ip(f, source);
	put_ip(f, destination);
	f->length += 4 * options;
}

static void put_ports(struct frame *f, unsigned source, unsigned destination) {
	put16(f, source);
	put16(f, destination);
	f->length += 16;
}

static struct frame tcp(
	const char *destination, unsigned port, unsigned fragment, unsigned options) {
	struct frame f = {0};

	put_eth(&f, 0x0800);
	put_ipv4(&f, 6, PEER, destination, fragment, options);
	put_ports(&f, 80, port);
	return f;
}

static struct frame icmp(unsigned type, const char *destination) {
	struct frame f = {0};

	put_eth(&f, 0x0800);
	put_ipv4(&f, 1, PEER, destination, 0, 0);
	put8(&f, type);
	f.length += 7;
	return f;
}

static struct frame icmp_error(unsigned type, const char *destination, unsigned protocol,
	const char *quoted_source, unsigned quoted_port, unsigned fragment, unsigned options) {
	struct frame f = icmp(type, destination);

	put_ipv4(&f, protocol, quoted_source, PEER, fragment, options);
	put_ports(&f, quoted_port, 80);
	return f;
}

static struct frame arp(unsigned operation, const char *target) {
	struct frame f = {0};

	put_eth(&f, 0x0806);
	put16(&f, 1);
	put16(&f, 0x0800);
	put8(&f, 6);
	put8(&f, 4);
	put16(&f, operation);
	f.length += 6;
	put_ip(&f, PEER);
	f.length += 6;
	put_ip(&f, target);
	return f;
}

static struct frame other_protocol(struct frame f, unsigned protocol) {
	f.bytes[23] = (uint8_t)protocol;
	return f;
}

static struct frame quoted_type(struct frame f, unsigned type) {
	f.bytes[62] = (uint8_t)type;
	return f;
}

static struct frame with_ports6(unsigned protocol, const char *destination, unsigned port) {
	struct frame f = {0};

	put_eth(&f, 0x86dd);
	put_ipv6(&f, protocol, PEER6, destination);
	put_ports(&f, 80, port);
	return f;
}

/* TCP behind as many extension headers, each of 8 bytes and 8 times its number. */
static struct frame extended(const uint8_t *header, unsigned n) {
	struct frame f = {0};

	put_eth(&f, 0x86dd);
	put_ipv6(&f, n ? header[0] : 6, PEER6, US6);
	for (unsigned i = 0; i < n; i++) {
		put8(&f, i + 1 < n ? header[i + 1] : 6);
		put8(&f, i);
		f.length += 6 + 8 * i;
	}
	put_ports(&f, 80, FIRST);
	return f;
}

static struct frame icmp6(unsigned type, const char *destination) {
	struct frame f = {0};

	put_eth(&f, 0x86dd);
	put_ipv6(&f, 58, PEER6, destination);
	put8(&f, type);
	f.length += 7;
	return f;
}

static struct frame icmp6_error(unsigned type, const char *destination, unsigned protocol,
	const char *quoted_source, unsigned quoted_port) {
	struct frame f = icmp6(type, destination);

	put_ipv6(&f, protocol, quoted_source, PEER6);
	put_ports(&f, quoted_port, 80);
	return f;
}

static struct frame nd(unsigned type, const char *destination, const char *target) {
	struct frame f = icmp6(type, destination);

	put_ip6(&f, target);
	return f;
}

static struct frame tagged(unsigned tci, struct frame f) {
	memmove(f.bytes + 16, f.bytes + 12, f.length - 12);
	f.bytes[12] = 0x81;
	f.bytes[13] = 0;
	f.bytes[14] = (uint8_t)(tci >> 8);
	f.bytes[15] = (uint8_t)tci;
	f.length += 4;
	return f;
}

static struct frame cut(struct frame f, unsigned length) {
	f.length = length;
	return f;
}

static struct frame patched(struct frame f, unsigned at, unsigned value) {
	f.bytes[at] = (uint8_t)value;
	return f;
}

static void add_range(struct steer_family *family, const char *first, const char *last) {
	struct steer_range *range = &family->range[family->nb_ranges++];
	const bool v6 = strchr(first, ':');

	cr_assert_eq(inet_pton(v6 ? AF_INET6 : AF_INET, first, range->first + (v6 ? 0 : 12)), 1);
	cr_assert_eq(inet_pton(v6 ? AF_INET6 : AF_INET, last, range->last + (v6 ? 0 : 12)), 1);
}

static struct steer_config config(bool kernel_owns) {
	struct steer_config c = {
		.v4.kernel_owns = kernel_owns,
		.v6.kernel_owns = kernel_owns,
		.port_first = FIRST,
		.port_last = LAST,
	};

	add_range(&c.v4, US, US);
	add_range(&c.v6, US6, US6);
	return c;
}

static bool may_load(void) {
	const struct bpf_insn pass[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "pass", "BSD", pass, 2, NULL);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Load the program, with a socket for queue 0 if @with_socket. Its descriptor. */
static int load_config(struct steer_config c, bool with_socket) {
	struct dp_error err;
	char path[XDP_PATH_BYTES];
	int memfd, map, xsk, ring = 64;
	uint32_t queue = 0;
	struct bpf_object *object;
	struct bpf_program *program;

	if (!may_load())
		cr_skip_test("loading a BPF program needs root, and not of a user namespace");
	cr_assert_eq(xdp_program_prepare(&c, path, &memfd, &err), 0, "%s", err.text);
	libbpf_set_print(NULL);
	object = bpf_object__open_file(path, NULL);
	cr_assert_not_null(object);
	program = bpf_object__next_program(object, NULL);
	cr_assert_str_eq(bpf_program__name(program), STEER_PROGRAM_NAME);
	cr_assert_eq(bpf_object__load(object), 0, "the kernel refused the program");
	close(memfd);
	if (with_socket) {
		map = bpf_object__find_map_fd_by_name(object, "xsks_map");
		xsk = socket(AF_XDP, SOCK_RAW, 0);
		cr_assert_geq(xsk, 0);
		cr_assert_eq(setsockopt(xsk, SOL_XDP, XDP_RX_RING, &ring, sizeof(ring)), 0);
		cr_assert_eq(bpf_map_update_elem(map, &queue, &xsk, 0), 0);
	}
	return bpf_program__fd(program);
}

static int load(bool kernel_owns, bool with_socket) {
	return load_config(config(kernel_owns), with_socket);
}

static int verdict(int program, const struct frame *f) {
	uint8_t out[MAX_FRAME];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = f->bytes, .data_size_in = f->length,
		.data_out = out, .data_size_out = sizeof(out), .repeat = 1);

	cr_assert_eq(bpf_prog_test_run_opts(program, &run), 0);
	return (int)run.retval;
}

struct expected {
	const char *what;
	struct frame frame;
	bool ours[2]; /* where the kernel holds no address, where it does */
};

#define BOTH                                                                                       \
	{ true, true }
#define NEITHER                                                                                    \
	{ false, false }
#define UNOWNED                                                                                    \
	{ true, false }
#define OWNED                                                                                      \
	{ false, true }

#define ARRAY(a) (sizeof(a) / sizeof((a)[0]))

static void judge(struct steer_config c, const struct expected *expected, size_t n) {
	int program = load_config(c, true);

	for (size_t i = 0; i < n; i++)
		cr_expect_eq(verdict(program, &expected[i].frame),
			expected[i].ours[c.v4.kernel_owns] ? XDP_REDIRECT : XDP_PASS, "%s",
			expected[i].what);
}

static void check_all(bool kernel_owns) {
	const struct expected all[] = {
		{"TCP, first port", tcp(US, FIRST, 0, 0), BOTH},
		{"TCP, last port", tcp(US, LAST, 0, 0), BOTH},
		{"TCP, below", tcp(US, FIRST - 1, 0, 0), NEITHER},
		{"TCP, above", tcp(US, LAST + 1, 0, 0), NEITHER},
		{"TCP, other address", tcp(OTHER, FIRST, 0, 0), NEITHER},
		{"TCP, may not be fragmented", tcp(US, FIRST, 0x4000, 0), BOTH},
		{"TCP, first fragment", tcp(US, FIRST, 0x2000, 0), NEITHER},
		{"TCP, later fragment", tcp(US, FIRST, 0x0001, 0), NEITHER},
		{"TCP, IP options", tcp(US, FIRST, 0, 10), BOTH},
		{"TCP, header length 16", patched(tcp(US, FIRST, 0, 0), 14, 0x44), NEITHER},
		{"TCP, version 6", patched(tcp(US, FIRST, 0, 0), 14, 0x65), NEITHER},
		{"TCP, header beyond the end", patched(cut(tcp(US, FIRST, 0, 0), 54), 14, 0x4f),
			NEITHER},
		{"TCP, ports only", cut(tcp(US, FIRST, 0, 0), 38), BOTH},
		{"TCP, cut in the ports", cut(tcp(US, FIRST, 0, 0), 37), NEITHER},
		{"IPv4, cut", cut(tcp(US, FIRST, 0, 0), 33), NEITHER},
		{"UDP", other_protocol(tcp(US, FIRST, 0, 0), 17), BOTH},
		{"UDP, above", other_protocol(tcp(US, LAST + 1, 0, 0), 17), NEITHER},
		{"SCTP", other_protocol(tcp(US, LAST, 0, 0), 132), BOTH},
		{"SCTP, below", other_protocol(tcp(US, FIRST - 1, 0, 0), 132), NEITHER},
		{"DCCP", other_protocol(tcp(US, FIRST, 0, 0), 33), NEITHER},
		{"VLAN", tagged(5, tcp(US, FIRST, 0, 0)), NEITHER},
		{"priority", tagged(0xe000, tcp(US, FIRST, 0, 0)), BOTH},
		{"priority, cut", cut(tagged(0xe000, tcp(US, FIRST, 0, 0)), 17), NEITHER},

		{"unreachable", icmp_error(3, US, 6, US, FIRST, 0, 0), BOTH},
		{"time exceeded", icmp_error(11, US, 6, US, LAST, 0, 0), BOTH},
		{"parameter problem", icmp_error(12, US, 6, US, FIRST, 0, 0), BOTH},
		{"redirect", icmp_error(5, US, 6, US, FIRST, 0, 0), NEITHER},
		{"unreachable, for other", icmp_error(3, OTHER, 6, US, FIRST, 0, 0), NEITHER},
		{"unreachable, quotes UDP", icmp_error(3, US, 17, US, FIRST, 0, 0), BOTH},
		{"unreachable, quotes SCTP", icmp_error(3, US, 132, US, FIRST, 0, 0), BOTH},
		{"unreachable, quotes other UDP", icmp_error(3, US, 17, US, 1024, 0, 0), NEITHER},
		{"unreachable, quotes ESP", icmp_error(3, US, 50, US, FIRST, 0, 0), NEITHER},
		{"unreachable, quotes a ping",
			quoted_type(icmp_error(3, US, 1, US, FIRST, 0, 0), 8), NEITHER},
		{"unreachable, quotes other", icmp_error(3, US, 6, OTHER, FIRST, 0, 0), NEITHER},
		{"unreachable, quotes other port", icmp_error(3, US, 6, US, 1024, 0, 0), NEITHER},
		{"unreachable, quotes fragment", icmp_error(3, US, 6, US, FIRST, 1, 0), NEITHER},
		{"unreachable, quotes options", icmp_error(3, US, 6, US, FIRST, 0, 3), BOTH},
		{"unreachable, 8 bytes quoted", cut(icmp_error(3, US, 6, US, FIRST, 0, 0), 70),
			BOTH},
		{"unreachable, cut", cut(icmp_error(3, US, 6, US, FIRST, 0, 0), 65), NEITHER},
		{"unreachable, nothing quoted", icmp(3, US), NEITHER},
		{"echo request", icmp(8, US), UNOWNED},
		{"echo request, for other", icmp(8, OTHER), NEITHER},
		{"echo reply", icmp(0, US), NEITHER},
		{"timestamp reply", icmp(14, US), NEITHER},

		{"ARP request", arp(1, US), UNOWNED},
		{"ARP request, for other", arp(1, OTHER), NEITHER},
		{"ARP reply", arp(2, US), UNOWNED},
		{"ARP reply to a probe", arp(2, NOBODY), OWNED},
		{"ARP request for 0.0.0.0", arp(1, NOBODY), NEITHER},
		{"ARP reply, for other", arp(2, OTHER), NEITHER},
		{"ARP, cut", cut(arp(1, US), 41), NEITHER},
		{"ARP, other hardware", patched(arp(1, US), 15, 6), NEITHER},
	};

	judge(config(kernel_owns), all, ARRAY(all));
}

static void check_all6(bool kernel_owns) {
	static const uint8_t two[] = {0, 60}, four[] = {0, 43, 60, 60},
			     five[] = {0, 43, 60, 60, 60}, fragment[] = {60, 44};
	const struct frame syn = with_ports6(6, US6, FIRST),
			   error = icmp6_error(1, US6, 6, US6, FIRST);
	const struct expected all[] = {
		{"TCP, first port", syn, BOTH},
		{"TCP, last port", with_ports6(6, US6, LAST), BOTH},
		{"TCP, below", with_ports6(6, US6, FIRST - 1), NEITHER},
		{"TCP, above", with_ports6(6, US6, LAST + 1), NEITHER},
		{"TCP, other address", with_ports6(6, OTHER6, FIRST), NEITHER},
		{"TCP, other upper half", patched(syn, 38, 0x21), NEITHER},
		{"TCP, next address", patched(syn, 53, 0x43), NEITHER},
		{"TCP, address before", patched(syn, 53, 0x41), NEITHER},
		{"UDP", with_ports6(17, US6, FIRST), BOTH},
		{"UDP, above", with_ports6(17, US6, LAST + 1), NEITHER},
		{"SCTP", with_ports6(132, US6, FIRST), BOTH},
		{"DCCP", with_ports6(33, US6, FIRST), NEITHER},
		{"version 4", patched(syn, 14, 0x45), NEITHER},
		{"ports only", cut(syn, 58), BOTH},
		{"cut in the ports", cut(syn, 57), NEITHER},
		{"IPv6, cut", cut(syn, 53), NEITHER},
		{"VLAN", tagged(5, syn), NEITHER},
		{"priority", tagged(0xe000, syn), BOTH},
		{"two extensions", extended(two, 2), BOTH},
		{"four", extended(four, 4), BOTH},
		{"four, cut", cut(extended(four, 4), 14 + 40 + 32 + 48 + 3), NEITHER},
		{"second one's length cut", cut(extended(four, 4), 14 + 40 + 8 + 1), NEITHER},
		{"five", extended(five, 5), NEITHER},
		{"fragment", extended(fragment, 2), NEITHER},

		{"unreachable", error, BOTH},
		{"too big", icmp6_error(2, US6, 6, US6, LAST), BOTH},
		{"time exceeded", icmp6_error(3, US6, 17, US6, FIRST), BOTH},
		{"parameter problem", icmp6_error(4, US6, 132, US6, FIRST), BOTH},
		{"error 0", icmp6_error(0, US6, 6, US6, FIRST), NEITHER},
		{"error 5", icmp6_error(5, US6, 6, US6, FIRST), NEITHER},
		{"unreachable, for other", icmp6_error(1, OTHER6, 6, US6, FIRST), NEITHER},
		{"unreachable, quotes other", icmp6_error(1, US6, 6, OTHER6, FIRST), NEITHER},
		{"unreachable, quotes other port", icmp6_error(1, US6, 6, US6, 1024), NEITHER},
		{"unreachable, quotes ESP", icmp6_error(1, US6, 50, US6, FIRST), NEITHER},
		{"unreachable, quotes a ping",
			patched(icmp6_error(1, US6, 58, US6, FIRST), 102, 128), NEITHER},
		{"unreachable, ports quoted", cut(error, 106), BOTH},
		{"unreachable, cut in them", cut(error, 105), NEITHER},
		{"unreachable, cut", cut(error, 101), NEITHER},
		{"echo request", icmp6(128, US6), UNOWNED},
		{"echo request, for other", icmp6(128, OTHER6), NEITHER},
		{"echo reply", icmp6(129, US6), NEITHER},
		{"router advertisement", icmp6(134, ALL_NODES), NEITHER},
		{"multicast listener query", icmp6(130, ALL_NODES), NEITHER},

		{"solicitation to the group", nd(135, "ff02::1:ff41:9c42", US6), UNOWNED},
		{"solicitation to us", nd(135, US6, US6), UNOWNED},
		{"solicitation for other", nd(135, "ff02::1:ff00:3", OTHER6), NEITHER},
		{"solicitation, routed", patched(nd(135, US6, US6), 21, 254), NEITHER},
		{"solicitation, cut", cut(nd(135, US6, US6), 77), NEITHER},
		{"solicitation of the asker", nd(135, ASKER, ASKER), NEITHER},
		{"advertisement to us", nd(136, US6, PEER6), UNOWNED},
		{"advertisement to other", nd(136, OTHER6, PEER6), NEITHER},
		{"advertisement to all", nd(136, ALL_NODES, PEER6), NEITHER},
		{"advertisement to the asker", nd(136, ASKER, PEER6), BOTH},
		{"advertisement, routed", patched(nd(136, ASKER, PEER6), 21, 254), NEITHER},
		{"advertisement to another's asker", patched(nd(136, ASKER, PEER6), 53, 8),
			NEITHER},
		{"advertisement to the asker at another's MAC",
			patched(nd(136, ASKER, PEER6), 5, 8), NEITHER},
		{"advertisement to another link-local address",
			patched(nd(136, ASKER, PEER6), 46, 0x72), NEITHER},
	};

	judge(config(kernel_owns), all, ARRAY(all));
}

Test(steer, address_without_kernel) {
	check_all(false);
	check_all6(false);
}

Test(steer, address_of_the_kernel) {
	check_all(true);
	check_all6(true);
}

/* Where the scan pings, what it brings back is ours, too. */
static void check_pings(bool kernel_owns) {
	struct steer_config c = config(kernel_owns);
	const struct frame quoted = icmp_error(3, US, 1, US, FIRST, 0, 0),
			   quoted6 = icmp6_error(1, US6, 58, US6, FIRST);
	const struct expected all[] = {
		{"echo reply", icmp(0, US), BOTH},
		{"timestamp reply", icmp(14, US), BOTH},
		{"echo reply, for other", icmp(0, OTHER), NEITHER},
		{"echo request", icmp(8, US), UNOWNED},
		{"timestamp request", icmp(13, US), NEITHER},
		{"unreachable, quotes a ping", quoted_type(quoted, 8), BOTH},
		{"unreachable, quotes a timestamp request", quoted_type(quoted, 13), BOTH},
		{"unreachable, quotes a reply", quoted_type(quoted, 0), NEITHER},
		{"unreachable, cut in the ping", cut(quoted_type(quoted, 8), 69), NEITHER},
		{"echo reply", icmp6(129, US6), BOTH},
		{"echo reply, for other", icmp6(129, OTHER6), NEITHER},
		{"echo request", icmp6(128, US6), UNOWNED},
		{"unreachable, quotes a ping", patched(quoted6, 102, 128), BOTH},
		{"unreachable, quotes a reply", patched(quoted6, 102, 129), NEITHER},
		{"unreachable, cut in the ping", cut(patched(quoted6, 102, 128), 109), NEITHER},
	};

	c.pings = 1;
	judge(c, all, ARRAY(all));
}

Test(steer, pings) {
	check_pings(false);
	check_pings(true);
}

/* A scan that asks from an address of the kernel's. */
Test(steer, asks) {
	struct steer_config c = config(true);
	const struct expected all[] = {
		{"ARP reply", arp(2, US), BOTH},
		{"ARP reply, for other", arp(2, OTHER), NEITHER},
		{"ARP reply to a probe", arp(2, NOBODY), OWNED},
		{"ARP request", arp(1, US), UNOWNED},
		{"advertisement to us", nd(136, US6, PEER6), BOTH},
		{"advertisement to other", nd(136, OTHER6, PEER6), NEITHER},
		{"advertisement to the asker", nd(136, ASKER, PEER6), BOTH},
		{"solicitation", nd(135, US6, US6), UNOWNED},
	};

	c.asks = 1;
	judge(c, all, ARRAY(all));
}

Test(steer, vlan) {
	for (int kernel_owns = 0; kernel_owns < 2; kernel_owns++) {
		struct steer_config c = config(kernel_owns);
		const struct frame syn = tcp(US, FIRST, 0, 0), syn6 = with_ports6(6, US6, FIRST);
		const struct expected all[] = {
			{"IPv4", tagged(0xabc, syn), BOTH},
			{"IPv4 with a priority", tagged(0xfabc, syn), BOTH},
			{"IPv6", tagged(0xabc, syn6), BOTH},
			{"ARP", tagged(0xabc, arp(2, kernel_owns ? NOBODY : US)), BOTH},
			{"advertisement", tagged(0xabc, nd(136, ASKER, PEER6)), BOTH},
			{"ARP for us", tagged(0xabc, arp(1, US)), UNOWNED},
			{"untagged", syn, NEITHER},
			{"of no VLAN", tagged(0xf000, syn), NEITHER},
			{"of another VLAN", tagged(0xabd, syn), NEITHER},
			{"two tags", tagged(0xabc, tagged(0xabc, syn)), NEITHER},
			{"ports only", cut(tagged(0xabc, syn), 42), BOTH},
			{"cut in the ports", cut(tagged(0xabc, syn), 41), NEITHER},
			{"another port", tagged(0xabc, tcp(US, LAST + 1, 0, 0)), NEITHER},
		};

		c.vlan = 0xabc;
		judge(c, all, ARRAY(all));
	}
}

/* As many ranges as there can be, of both families: the first, the last and between them. */
Test(steer, ranges) {
	struct steer_config c = config(false);
	char first[64], last[64];
	int program;

	c.v4.nb_ranges = c.v6.nb_ranges = 0;
	for (unsigned i = 0; i < STEER_MAX_RANGES; i++) {
		snprintf(first, sizeof(first), "198.18.%u.10", i);
		snprintf(last, sizeof(last), "198.18.%u.19", i);
		add_range(&c.v4, first, last);
		snprintf(first, sizeof(first), "2001:db8:%x::a", i);
		snprintf(last, sizeof(last), "2001:db8:%x:1::5", i);
		add_range(&c.v6, first, last);
	}
	program = load_config(c, true);
	for (unsigned i = 0; i < STEER_MAX_RANGES; i++) {
		static const struct {
			const char *v4, *v6;
			int verdict;
		} at[] = {
			{"198.18.%u.9", "2001:db8:%x::9", XDP_PASS},
			{"198.18.%u.10", "2001:db8:%x::a", XDP_REDIRECT},
			{"198.18.%u.15", "2001:db8:%x::ffff:ffff:ffff:ffff", XDP_REDIRECT},
			{"198.18.%u.19", "2001:db8:%x:1::5", XDP_REDIRECT},
			{"198.18.%u.20", "2001:db8:%x:1::6", XDP_PASS},
			{"198.19.%u.15", "2001:db8:%x:2::3", XDP_PASS},
		};

		for (unsigned k = 0; k < ARRAY(at); k++) {
			struct frame f;

			snprintf(first, sizeof(first), at[k].v4, i);
			f = tcp(first, FIRST, 0, 0);
			cr_expect_eq(verdict(program, &f), at[k].verdict, "%s", first);
			snprintf(first, sizeof(first), at[k].v6, i);
			f = with_ports6(6, first, FIRST);
			cr_expect_eq(verdict(program, &f), at[k].verdict, "%s", first);
		}
	}
}

/* A family without addresses of ours takes nothing. */
Test(steer, one_family) {
	struct steer_config c = config(false);
	const struct expected v4[] = {
		{"IPv4", tcp(US, FIRST, 0, 0), BOTH},
		{"IPv6", with_ports6(6, US6, FIRST), NEITHER},
		{"IPv6 to ::", with_ports6(6, "::", FIRST), NEITHER},
		{"advertisement", nd(136, US6, PEER6), NEITHER},
		{"advertisement to the asker", nd(136, ASKER, PEER6), NEITHER},
	}, v6[] = {
		{"IPv6", with_ports6(6, US6, FIRST), BOTH},
		{"IPv4", tcp(US, FIRST, 0, 0), NEITHER},
		{"ARP request", arp(1, US), NEITHER},
		{"ARP reply to a probe", arp(2, NOBODY), NEITHER},
	};

	c.v6.nb_ranges = 0;
	judge(c, v4, ARRAY(v4));
	c = config(false);
	c.v4.nb_ranges = 0;
	judge(c, v6, ARRAY(v6));
}

/* With the plugins' address OTHER: whatever is for it, beside what is ours. */
static void check_exception(bool kernel_owns) {
	const struct expected all[] = {
		{"TCP to it", tcp(OTHER, 80, 0, 0), BOTH},
		{"TCP to it, first fragment", tcp(OTHER, 80, 0x2000, 0), BOTH},
		{"TCP to it, later fragment", tcp(OTHER, 80, 0x0001, 0), BOTH},
		{"TCP to it, cut in the ports", cut(tcp(OTHER, 80, 0, 0), 37), BOTH},
		{"UDP to it", other_protocol(tcp(OTHER, 53, 0, 0), 17), BOTH},
		{"echo request to it", icmp(8, OTHER), BOTH},
		{"its header, cut", cut(tcp(OTHER, 80, 0, 0), 33), NEITHER},
		{"ARP request for it", arp(1, OTHER), BOTH},
		{"ARP reply to it", arp(2, OTHER), BOTH},
		{"ARP for it, cut", cut(arp(2, OTHER), 41), NEITHER},
		{"TCP to us", tcp(US, FIRST, 0, 0), BOTH},
		{"TCP to us, another port", tcp(US, LAST + 1, 0, 0), NEITHER},
		{"TCP to a third", tcp(PEER, FIRST, 0, 0), NEITHER},
		{"ARP request for us", arp(1, US), UNOWNED},
		{"ARP reply to an RFC 5227 probe", arp(2, NOBODY), OWNED},
		{"ARP request for a third", arp(1, PEER), NEITHER},
	};
	struct steer_config c = config(kernel_owns);

	c.exception_be = inet_addr(OTHER);
	judge(c, all, ARRAY(all));
}

Test(steer, exception_address) {
	check_exception(false);
	check_exception(true);
}

/* Nothing for 0.0.0.0 is taken because there is no exception address. */
Test(steer, no_exception_address) {
	struct frame f = tcp(NOBODY, 80, 0, 0);

	cr_assert_eq(verdict(load(false, true), &f), XDP_PASS);
}

Test(steer, exception_address_is_ours) {
	struct steer_config c = config(false);
	struct frame other_port = tcp(US, LAST + 1, 0, 0), other = tcp(OTHER, FIRST, 0, 0);
	int program;

	c.exception_be = inet_addr(US);
	program = load_config(c, true);
	cr_expect_eq(verdict(program, &other_port), XDP_REDIRECT);
	cr_expect_eq(verdict(program, &other), XDP_PASS);
}

Test(steer, queue_without_socket_passes) {
	struct frame f = tcp(US, FIRST, 0, 0);

	cr_assert_eq(verdict(load(false, false), &f), XDP_PASS);
}

Test(prepare, patches_a_copy) {
	struct steer_config c = config(true), found;
	struct dp_error err;
	char path[XDP_PATH_BYTES];
	struct stat status;
	int fd;
	FILE *file;
	char *object, *at;

	cr_assert_eq(xdp_program_prepare(&c, path, &fd, &err), 0, "%s", err.text);
	file = fopen(path, "r");
	cr_assert_not_null(file);
	cr_assert_eq(fstat(fileno(file), &status), 0);
	object = malloc((size_t)status.st_size);
	cr_assert_eq(fread(object, 1, (size_t)status.st_size, file), (size_t)status.st_size);
	cr_assert_eq(memcmp(object, "\177ELF", 4), 0);
	at = memmem(object, (size_t)status.st_size, STEER_MARKER, STEER_MARKER_BYTES);
	cr_assert_not_null(at);
	memcpy(&found, at, sizeof(found));
	memcpy(c.marker, STEER_MARKER, STEER_MARKER_BYTES);
	cr_assert_eq(memcmp(&found, &c, sizeof(c)), 0);
	free(object);
	fclose(file);
	close(fd);
}

Test(lock, second_is_refused_by_name) {
	struct dp_error err;
	char holder[32];
	int first = xdp_interface_lock("pdx-test0", &err);

	cr_assert_geq(first, 0, "%s", err.text);
	cr_assert_eq(xdp_interface_lock("pdx-test0", &err), -EBUSY);
	snprintf(holder, sizeof(holder), "process %d", (int)getpid());
	cr_assert_not_null(strstr(err.text, "pdx-test0"), "%s", err.text);
	cr_assert_not_null(strstr(err.text, holder), "%s", err.text);
	int other = xdp_interface_lock("pdx-test1", &err);
	cr_assert_geq(other, 0, "%s", err.text);
	close(first);
	first = xdp_interface_lock("pdx-test0", &err);
	cr_assert_geq(first, 0, "%s", err.text);
	close(first);
	close(other);
}

Test(lock, ends_with_its_process) {
	struct dp_error err;
	int ready[2], fd;
	char byte;
	pid_t child;

	cr_assert_eq(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		if (xdp_interface_lock("pdx-test2", &err) < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
	}
	cr_assert_eq(read(ready[0], &byte, 1), 1);
	cr_assert_eq(xdp_interface_lock("pdx-test2", &err), -EBUSY);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	fd = xdp_interface_lock("pdx-test2", &err);
	cr_assert_geq(fd, 0, "%s", err.text);
	close(fd);
}

Test(lock, name_too_long) {
	struct dp_error err;

	cr_assert_eq(xdp_interface_lock("sixteen-letters0", &err), -EINVAL);
	cr_assert(err.usage);
}

Test(supported, lo_and_missing) {
	struct dp_error err;

	cr_assert_eq(xdp_supported("lo", &err), -EOPNOTSUPP);
	cr_assert_eq(xdp_supported("pdx-none", &err), -ENODEV);
	cr_assert_not_null(strstr(err.text, "pdx-none"));
}

static void write_setting(const char *directory, const char *name, const char *text) {
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "w");
	cr_assert_not_null(file);
	fputs(text, file);
	fclose(file);
}

Test(ports, overlap) {
	static const struct {
		const char *range, *reserved;
		uint16_t first, last;
		int overlap;
	} cases[] = {
		{"32768\t60999\n", "\n", 40000, 40999, 1000},
		{"32768\t60999\n", "40000-40999\n", 40000, 40999, 0},
		{"32768\t60999\n", "1024,40000-40499,40998,50000-50001\n", 40000, 40999, 499},
		{"32768\t60999\n", "40000-40999,41005\n", 40000, 41009, 9},
		{"32768\t60999\n", "\n", 61000, 65535, 0},
		{"32768\t60999\n", "\n", 60000, 65535, 1000},
		{"32768\t60999\n", "\n", 1, 32768, 1},
		{"1024\t65535\n", "1-65535\n", 1, 65535, 0},
		{"1024\t65535\n", "\n", 0, 65535, 64512},
		{"rubbish\n", "\n", 1, 2, -EBADMSG},
	};
	char directory[] = "/tmp/ports-XXXXXX", path[256];

	cr_assert_not_null(mkdtemp(directory));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		write_setting(directory, "ip_local_port_range", cases[i].range);
		write_setting(directory, "ip_local_reserved_ports", cases[i].reserved);
		cr_expect_eq(ports_overlap(cases[i].first, cases[i].last, directory),
			cases[i].overlap, "case %zu", i);
	}
	snprintf(path, sizeof(path), "%s/ip_local_port_range", directory);
	unlink(path);
	cr_expect_eq(ports_overlap(1, 2, directory), -ENOENT);
	snprintf(path, sizeof(path), "%s/ip_local_reserved_ports", directory);
	unlink(path);
	rmdir(directory);
	cr_expect_geq(ports_overlap(1, 65535, PORTS_SYSCTL), 0);
}
