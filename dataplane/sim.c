/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulated network's truth: pure functions of its seed, the address and the port.
 */
#include "sim.h"

#include <assert.h>
#include <string.h>

/* A fixed mix of two words (the finaliser of MurmurHash3, Appleby 2011, run over both). */
uint64_t sim_mix(uint64_t a, uint64_t b) {
	uint64_t z = a ^ (b * 0x9e3779b97f4a7c15u);

	for (unsigned i = 0; i < 2; i++) {
		z = (z ^ (z >> 33)) * 0xff51afd7ed558ccdu;
		z = (z ^ (z >> 33)) * 0xc4ceb9fe1a85ec53u;
		z ^= z >> 33;
		z += b;
	}
	return z;
}

bool sim_chance(uint64_t random, double probability) {
	/* 2^53 values, each a double: 0 never, 1 always. */
	return (double)(random >> 11) * 0x1p-53 < probability;
}

/* What is drawn of a port, each under numbers of its own. */
enum draw {
	DRAW_OPEN = 1,
	DRAW_SERVICE = 2,
};

static uint64_t host_key(const struct dp_sim_params *params, dp_ip ip) {
	if (dp_ip_is_v4(ip))
		return sim_mix(params->seed, dp_ip_to_v4(ip));
	return sim_mix(sim_mix(params->seed ^ UINT64_C(0x6970763600000000), (uint64_t)(ip >> 64)),
		(uint64_t)ip);
}

/* IPv4's is one mix of both, as address and port fit one word with room for the protocol. */
static uint64_t port_key(const struct dp_sim_params *params, enum draw draw, enum dp_proto proto,
	dp_ip ip, uint16_t port) {
	const uint64_t what = ((uint64_t)proto << 8 | draw) << 48;

	if (dp_ip_is_v4(ip))
		return sim_mix(params->seed, what | (uint64_t)dp_ip_to_v4(ip) << 16 | port);
	return sim_mix(host_key(params, ip), what | port);
}

static bool alive(const struct dp_sim_params *params, dp_ip ip) {
	return sim_chance(host_key(params, ip), params->alive);
}

static_assert(DP_PROTO_TCP == 0, "what is drawn of TCP ports is as it always was");

enum dp_sim_state dp_sim_port(
	const struct dp_sim_params *params, enum dp_proto proto, dp_ip ip, uint16_t port) {
	if (!alive(params, ip))
		return DP_SIM_SILENT;
	/* What has no ports answers wherever there is a host. */
	if (proto != DP_PROTO_TCP && proto != DP_PROTO_UDP && proto != DP_PROTO_SCTP)
		return DP_SIM_OPEN;
	if (sim_chance(port_key(params, DRAW_OPEN, proto, ip, port), params->open))
		return DP_SIM_OPEN;
	return DP_SIM_CLOSED;
}

/* What the answer to a scan's probe means, of an open and of a closed port. */
struct meaning {
	const char *type;
	bool open_answers;
	uint8_t open, closed; /* enum dp_state */
};

static const struct meaning meanings[] = {
	{"syn", true, DP_STATE_OPEN, DP_STATE_CLOSED},
	{"ack", true, DP_STATE_UNFILTERED, DP_STATE_UNFILTERED},
	{"window", true, DP_STATE_OPEN, DP_STATE_CLOSED},
	{"fin", false, DP_STATE_OPEN, DP_STATE_CLOSED},
	{"null", false, DP_STATE_OPEN, DP_STATE_CLOSED},
	{"xmas", false, DP_STATE_OPEN, DP_STATE_CLOSED},
	{"maimon", false, DP_STATE_OPEN, DP_STATE_CLOSED},
	{"udp", true, DP_STATE_OPEN, DP_STATE_CLOSED},
	{"sctp", true, DP_STATE_OPEN, DP_STATE_CLOSED},
};

static const struct meaning *meaning_of(const char *type) {
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (strcmp(meanings[i].type, type) == 0)
			return &meanings[i];
	return NULL;
}

bool dp_sim_truth(const struct dp_sim_params *params, const struct dp_scan_type *type, dp_ip ip,
	uint16_t port, enum dp_state *state, enum dp_proto *proto) {
	const struct meaning *meaning;
	enum dp_sim_state there;

	if (!(dp_ip_is_v4(ip) ? type->v4 : type->v6))
		return false;
	if (!type->has_ports) {
		/* Nobody is on link with these hosts, so that discovery begins with an echo. */
		*proto = type->link ? type->proto : DP_PROTO_ICMP;
		*state = DP_STATE_UP;
		return alive(params, ip);
	}
	meaning = meaning_of(type->name);
	there = dp_sim_port(params, type->proto, ip, port);
	if (!meaning || there == DP_SIM_SILENT || (there == DP_SIM_OPEN && !meaning->open_answers))
		return false;
	*state = there == DP_SIM_OPEN ? meaning->open : meaning->closed;
	*proto = type->proto;
	return true;
}

/* --- banners ---------------------------------------------------------------------------------- */

enum {
	HEAD_BYTES = 160,
	LINE_BYTES = 64, /* of a long page */
	LINES_LEAST = 30,
	LINES_SPREAD = 30,
};

static_assert(HEAD_BYTES + (LINES_LEAST + LINES_SPREAD) * LINE_BYTES <= DP_SIM_BANNER_BYTES);

struct service;

/*
 * Write the head of what a service says to @head, of HEAD_BYTES; @key decides which product it is,
 * and its version. Returns its length.
 */
typedef unsigned head_writer(uint64_t key, unsigned body_bytes, uint8_t *head);

struct service {
	head_writer *head;
	const char *wants; /* a client's first bytes; NULL: it speaks first */
	bool closes;
	bool pages; /* some hosts have a body behind the head */
};

/* @digits: at the least. */
static uint8_t *put_number(uint8_t *p, unsigned number, unsigned digits) {
	uint8_t text[10];
	unsigned n = 0;

	for (; number || n < digits; number /= 10)
		text[n++] = (uint8_t)('0' + number % 10);
	while (n > 0)
		*p++ = text[--n];
	return p;
}

static uint8_t *put_text(uint8_t *p, const char *text) {
	size_t n = strlen(text);

	memcpy(p, text, n);
	return p + n;
}

static unsigned text(
	uint8_t *head, const char *before, unsigned number, unsigned digits, const char *after) {
	uint8_t *p = put_number(put_text(head, before), number, digits);

	return (unsigned)(put_text(p, after) - head);
}

static unsigned ssh_head(uint64_t key, unsigned body_bytes, uint8_t *head) {
	return text(head, key & 1 ? "SSH-2.0-OpenSSH_9." : "SSH-2.0-dropbear_2022.",
		(unsigned)(key >> 8) % 10, 1, "\r\n");
}

static unsigned ftp_head(uint64_t key, unsigned body_bytes, uint8_t *head) {
	return text(head, key & 1 ? "220 (vsFTPd 3.0." : "220 ProFTPD 1.3.",
		(unsigned)(key >> 8) % 9, 1, key & 1 ? ")\r\n" : " Server ready.\r\n");
}

static unsigned smtp_head(uint64_t key, unsigned body_bytes, uint8_t *head) {
	return text(head, "220 mail-", (unsigned)(key >> 8) % 100000, 5,
		key & 1 ? ".example ESMTP Postfix\r\n" : ".example ESMTP Exim 4.96\r\n");
}

static unsigned http_head(uint64_t key, unsigned body_bytes, uint8_t *head) {
	unsigned n = text(head,
		key & 1 ? "HTTP/1.0 200 OK\r\nServer: nginx/1."
			: "HTTP/1.0 403 Forbidden\r\nServer: Apache/2.4.",
		(unsigned)(key >> 8) % 60, 1,
		key & 1 ? ".0\r\nContent-Length: " : "\r\nContent-Length: ");

	return n + text(head + n, "", body_bytes, 1, "\r\n\r\n");
}

/* The first packet of MySQL's protocol 10: binary, and no UTF-8. */
static unsigned mysql_head(uint64_t key, unsigned body_bytes, uint8_t *head) {
	static const char plugin[] = "caching_sha2_password";
	uint8_t *p = head + 4;

	*p++ = 10; /* protocol */
	p += text(p, "8.0.", (unsigned)(key >> 8) % 40, 1, "");
	*p++ = 0;
	for (unsigned i = 0; i < 12; i++) /* thread, and the first part of the salt */
		*p++ = (uint8_t)(1 + sim_mix(key, i) % 255);
	memcpy(p, "\0\xff\xff\xff\x02\0\xff\xdf\x15", 9); /* abilities, character set, state */
	p += 9;
	memset(p, 0, 10);
	p += 10;
	for (unsigned i = 12; i < 24; i++)
		*p++ = (uint8_t)(1 + sim_mix(key, i) % 255);
	*p++ = 0;
	memcpy(p, plugin, sizeof(plugin));
	p += sizeof(plugin);
	head[0] = (uint8_t)(p - head - 4);
	memset(head + 1, 0, 3);
	return (unsigned)(p - head);
}

/* A fatal alert, handshake_failure (RFC 8446 5.1, 6): what a server says to offers it cannot use. */
static unsigned tls_head(uint64_t key, unsigned body_bytes, uint8_t *head) {
	static const uint8_t alert[] = {21, 3, 3, 0, 2, 2, 40};

	memcpy(head, alert, sizeof(alert));
	return sizeof(alert);
}

static unsigned no_head(uint64_t key, unsigned body_bytes, uint8_t *head) {
	return 0;
}

static const struct service ssh = {.head = ssh_head};
static const struct service ftp = {.head = ftp_head};
static const struct service smtp = {.head = smtp_head};
static const struct service mysql = {.head = mysql_head};
static const struct service http
	= {.head = http_head, .wants = "GET ", .closes = true, .pages = true};
static const struct service tls = {.head = tls_head, .wants = "\x16\x03", .closes = true};
static const struct service silent = {.head = no_head};

static const struct service *service_of(uint64_t key, uint16_t port) {
	static const struct {
		uint16_t port;
		const struct service *service;
	} known[] = {
		{21, &ftp},
		{22, &ssh},
		{25, &smtp},
		{80, &http},
		{443, &tls},
		{587, &smtp},
		{2222, &ssh},
		{3306, &mysql},
		{8000, &http},
		{8080, &http},
		{8888, &http},
	};
	static const struct service *const any[] = {&ssh, &ftp, &smtp, &http, &mysql, &silent};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].port == port)
			return known[i].service;
	return any[key % (sizeof(any) / sizeof(any[0]))];
}

static uint64_t service_key(const struct dp_sim_params *params, dp_ip ip, uint16_t port) {
	return port_key(params, DRAW_SERVICE, DP_PROTO_TCP, ip, port);
}

bool sim_speaks(const struct dp_sim_params *params, dp_ip ip, uint16_t port, const uint8_t *said,
	unsigned said_bytes) {
	const struct service *service;
	size_t n;

	if (!params->banners)
		return false;
	service = service_of(service_key(params, ip, port), port);
	if (!service->wants)
		return service != &silent;
	n = strlen(service->wants);
	return said_bytes >= n && memcmp(said, service->wants, n) == 0;
}

static unsigned least(unsigned a, unsigned b) {
	return a < b ? a : b;
}

/* Bytes [@at, @at + @max) of a page of @bytes: numbered lines. Returns how many there are of them. */
static unsigned put_page(unsigned bytes, unsigned at, unsigned max, uint8_t *out) {
	static const char text_line[]
		= "00000 lorem ipsum dolor sit amet, consectetur adipiscing elit.\r\n";
	uint8_t line[LINE_BYTES];
	const unsigned end = least(bytes, at + max);
	unsigned done = 0;

	static_assert(sizeof(text_line) == LINE_BYTES + 1);
	memcpy(line, text_line, LINE_BYTES);
	while (at + done < end) {
		const unsigned from = (at + done) % LINE_BYTES;
		const unsigned n = least(LINE_BYTES - from, end - at - done);

		put_number(line, (at + done) / LINE_BYTES, 5);
		memcpy(out + done, line + from, n);
		done += n;
	}
	return done;
}

struct sim_part sim_say(const struct dp_sim_params *params, dp_ip ip, uint16_t port, unsigned at,
	unsigned max, uint8_t *out) {
	const uint64_t key = service_key(params, ip, port);
	const struct service *service = service_of(key, port);
	const bool page = service->pages && (ip & 7) == 0; /* every eighth host has one */
	const unsigned body
		= page ? (LINES_LEAST + (unsigned)(key >> 40) % LINES_SPREAD) * LINE_BYTES : 0;
	struct sim_part part = {.closes = service->closes, .late_fin = key >> 63};
	uint8_t head[HEAD_BYTES];
	unsigned head_bytes = params->banners ? service->head(key >> 16, body, head) : 0;

	if (head_bytes == 0)
		return (struct sim_part){0};
	part.total = head_bytes + body;
	if (at < head_bytes) {
		part.bytes = least(head_bytes - at, max);
		memcpy(out, head + at, part.bytes);
	}
	if (at + part.bytes >= head_bytes && part.bytes < max)
		part.bytes += put_page(
			body, at + part.bytes - head_bytes, max - part.bytes, out + part.bytes);
	return part;
}

unsigned dp_sim_banner(const struct dp_sim_params *params, dp_ip ip, uint16_t port,
	const uint8_t *said, unsigned said_bytes, uint8_t *banner) {
	if (!sim_speaks(params, ip, port, said, said_bytes))
		return 0;
	return sim_say(params, ip, port, 0, DP_SIM_BANNER_BYTES, banner).bytes;
}
