/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sockets and files for lanes: checked, opened, made non-blocking.
 *
 * Runs in the warden, which has the privileges that a lane gave up; owns no memory. Nothing here
 * waits: connections are begun and completed by the lane that gets the descriptor.
 */
#include "warden.h"

#include <lh/path.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef IP_LOCAL_PORT_RANGE /* Linux 6.3 */
#define IP_LOCAL_PORT_RANGE 51
#endif

enum {
	FIRST_PORT = 1024, /* lowest source port of a plugin's socket */
	PORT_TRIES = 64,
	CONNECT_TRIES = 8,
	PORTS_FEW = 1024, /* too few for a plugin's connections to one server */
};

void asked_read(struct asked *asked, const uint8_t *datagram, size_t bytes) {
	const size_t whole = bytes / sizeof(asked->request[0]);
	size_t length;

	asked->nb = whole < REQUESTS_MAX ? (unsigned)whole : REQUESTS_MAX;
	asked->name[0] = '\0';
	memcpy(asked->request, datagram, asked->nb * sizeof(asked->request[0]));
	if (asked->nb == 0 || asked->request[0].op != REQUEST_OPEN)
		return;
	asked->nb = 1;
	length = bytes - sizeof(asked->request[0]);
	if (length > sizeof(asked->name) - 1)
		length = sizeof(asked->name) - 1;
	memcpy(asked->name, datagram + sizeof(asked->request[0]), length);
	asked->name[length] = '\0';
}

/* Whether the lane may talk to the address of @request. */
static bool may_connect(const struct setup *setup, unsigned area, const struct request *request) {
	const struct lh_host_params *params = setup->params;
	const struct lh_plugin *plugin = params->plugins[setup_plugin(setup, area)].plugin;
	lh_ip ip = wire_ip_get(request->ip);

	if (!(plugin->capabilities & LH_CAP_NETWORK) || !params->network || request->port == 0)
		return false;
	/* 0 stands for no address below. */
	if (ip == 0 || !scope_allows(setup, ip))
		return false;
	if (plugin->scope == LH_SCOPE_SCAN)
		return true;
	return request->slot < LANE_SLOTS
		&& authority_get(setup_authority(setup, area, request->slot)) == ip;
}

/* The larger of what [@low, @high] has below and above the scan's own source ports; how many. */
static unsigned free_ports(const struct lh_host_params *params, unsigned low, unsigned high,
	uint16_t *first, uint16_t *last) {
	unsigned below_last = params->avoid_first - 1u < high ? params->avoid_first - 1u : high;
	unsigned above_first = params->avoid_last + 1u > low ? params->avoid_last + 1u : low;
	unsigned below = low <= below_last ? below_last - low + 1 : 0;
	unsigned above = above_first <= high ? high - above_first + 1 : 0;

	*first = (uint16_t)(below > above ? low : above_first);
	*last = (uint16_t)(below > above ? below_last : high);
	return below > above ? below : above;
}

static bool has_port_ranges(void) {
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint32_t range = 0;
	bool has = setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range, sizeof(range)) == 0;

	if (fd >= 0)
		close(fd);
	return has;
}

void grant_ports(struct setup *setup) {
	const struct lh_host_params *params = setup->params;
	FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	unsigned low = 32768, high = 60999;

	if (file) {
		if (fscanf(file, "%u %u", &low, &high) != 2 || low < 1 || high > UINT16_MAX)
			high = low = 0;
		fclose(file);
	}
	/* Linux before 6.3 has no ranges of sockets. The kernel takes no notice of a socket's own range where it lies outside the system's. */
	setup->ports_by_hand
		= free_ports(params, low, high, &setup->port_first, &setup->port_last) < PORTS_FEW
		|| !has_port_ranges();
	if (setup->ports_by_hand)
		free_ports(params, FIRST_PORT, UINT16_MAX, &setup->port_first, &setup->port_last);
}

/* An address of either family, as the socket calls take it. */
struct endpoint {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t length;
};

static struct endpoint endpoint_of(lh_ip ip, uint16_t port) {
	struct endpoint at = {.length = sizeof(at.v4)};

	if (lh_ip_is_v4(ip)) {
		at.v4 = (struct sockaddr_in){.sin_family = AF_INET,
			.sin_port = htons(port),
			.sin_addr.s_addr = htonl(lh_ip_to_v4(ip))};
		return at;
	}
	at.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
	at.length = sizeof(at.v6);
	lh_ip_put_v6(at.v6.sin6_addr.s6_addr, ip);
	return at;
}

/* Both families have the port in the same place. */
static_assert(offsetof(struct sockaddr_in, sin_port) == offsetof(struct sockaddr_in6, sin6_port));

/* Pick a port by hand. Connections may share one where their servers differ; connect() tells. */
static int bind_port(const struct setup *setup, int fd, bool udp, struct endpoint *from) {
	unsigned span = (unsigned)setup->port_last - setup->port_first + 1;
	struct timespec now;
	int one = 1;

	if (!udp)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	clock_gettime(CLOCK_MONOTONIC, &now);
	for (unsigned i = 0; i < PORT_TRIES; i++) {
		unsigned at = (unsigned)(now.tv_nsec / 64 + i * 7919) % span;

		from->v4.sin_port = htons((uint16_t)(setup->port_first + at));
		if (bind(fd, &from->any, from->length) == 0)
			return 0;
	}
	return -errno;
}

/*
 * From the address (where it is of the family of @to) and device that the operator gave, and from a
 * port that the scan does not use. The options of level IPPROTO_IP hold for IPv6 sockets too.
 */
static int bind_source(const struct setup *setup, int fd, bool udp, lh_ip to) {
	const struct lh_host_params *params = setup->params;
	bool ours = params->source_ip && lh_ip_is_v4(params->source_ip) == lh_ip_is_v4(to);
	struct endpoint from = endpoint_of(ours ? params->source_ip
			: lh_ip_is_v4(to)	? lh_ip_v4(INADDR_ANY)
						: 0,
		0);
	uint32_t range = setup->port_first | (uint32_t)setup->port_last << 16;
	int one = 1;

	if (params->device && *params->device
		&& setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, params->device,
			(socklen_t)strlen(params->device)))
		return -errno;
	if (setup->ports_by_hand)
		return bind_port(setup, fd, udp, &from);
	if (setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range, sizeof(range)))
		return -errno;
	if (!ours)
		return 0;
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	return bind(fd, &from.any, from.length) ? -errno : 0;
}

static int try_socket(
	const struct setup *setup, const struct request *request, struct reply *reply) {
	lh_ip ip = wire_ip_get(request->ip);
	struct endpoint to = endpoint_of(ip, request->port);
	int fd = socket(to.any.sa_family,
		(request->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1, rc;

	if (fd < 0)
		return -errno;
	/* A socket bound to :: must not stand for IPv4's ports too. */
	if (to.any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	rc = bind_source(setup, fd, request->udp, ip);
	if (rc)
		goto close_fd;
	if (!request->udp)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, &to.any, to.length) == 0)
		reply->connected = 1;
	else if (errno != EINPROGRESS) {
		rc = -errno;
		goto close_fd;
	}
	return fd;

close_fd:
	close(fd);
	return rc;
}

static int open_socket(
	const struct setup *setup, const struct request *request, struct reply *reply) {
	int fd = try_socket(setup, request, reply);

	/* The port picked by hand has a connection to there already. */
	for (unsigned i = 0; fd == -EADDRNOTAVAIL && setup->ports_by_hand && i < CONNECT_TRIES; i++)
		fd = try_socket(setup, request, reply);
	return fd;
}

static int open_beneath(
	const struct lh_host_params *params, const char *plugin, const char *name, unsigned mode) {
	static const int flags[] = {[OPEN_READ] = O_RDONLY,
		[OPEN_WRITE] = O_WRONLY | O_CREAT | O_TRUNC,
		[OPEN_APPEND] = O_WRONLY | O_CREAT | O_APPEND};
	struct open_how how = {.flags = (uint64_t)(flags[mode] | O_CLOEXEC | O_NONBLOCK | O_NOCTTY),
		.mode = mode == OPEN_READ ? 0 : 0600,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS};
	char path[4096];
	struct stat st;
	int folder, fd, rc;

	if ((unsigned)snprintf(path, sizeof(path), "%s/%s", params->data_dir, plugin)
		>= sizeof(path))
		return -ENAMETOOLONG;
	folder = lh_path_make(path, 0700);
	if (folder < 0)
		return folder;
	fd = (int)syscall(SYS_openat2, folder, name, &how, sizeof(how));
	rc = fd < 0 ? -errno : fd;
	close(folder);
	if (fd >= 0 && (fstat(fd, &st) || !S_ISREG(st.st_mode))) {
		close(fd);
		return -EACCES;
	}
	return rc;
}

/* The output file of export(), as a description of its own where the system gives one. */
static int open_output(int output_fd, unsigned mode) {
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", output_fd);
	if (mode == OPEN_READ)
		return dup(output_fd);
	fd = open(path,
		O_WRONLY | O_CLOEXEC | O_NONBLOCK | (mode == OPEN_WRITE ? O_TRUNC : O_APPEND));
	if (fd >= 0)
		return fd;
	fd = fcntl(output_fd, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? -errno : fd;
}

static enum grant_kind decide_file(const struct setup *setup, unsigned area,
	const struct request *request, const char *name, bool has_output) {
	const struct lh_enabled *enabled = &setup->params->plugins[setup_plugin(setup, area)];

	if (request->mode > OPEN_APPEND)
		return GRANT_INVALID;
	if (has_output && enabled->output_path && !strcmp(name, enabled->output_path))
		return GRANT_OUTPUT;
	return enabled->plugin->capabilities & LH_CAP_FILESYSTEM ? GRANT_FILE : GRANT_DENIED;
}

enum grant_kind grant_decide(const struct setup *setup, unsigned area,
	const struct request *request, const char *name, bool has_output) {
	if (request->op == REQUEST_OPEN)
		return decide_file(setup, area, request, name, has_output);
	return may_connect(setup, area, request) ? GRANT_SOCKET : GRANT_DENIED;
}

static int open_file(
	const struct setup *setup, unsigned area, const struct request *request, const char *name) {
	const struct lh_plugin *plugin = setup->params->plugins[setup_plugin(setup, area)].plugin;
	int fd = open_beneath(setup->params, plugin->name, name, request->mode);

	/* Out of the folder by "..", an absolute path or a link. */
	return fd == -EXDEV || fd == -ELOOP ? REPLY_DENIED : fd;
}

struct reply grant(const struct setup *setup, unsigned area, const struct request *request,
	const char *name, int output_fd, int *fd) {
	struct reply reply = {.op = request->op, .id = request->id};

	switch (grant_decide(setup, area, request, name, output_fd >= 0)) {
	case GRANT_SOCKET:
		*fd = open_socket(setup, request, &reply);
		break;
	case GRANT_OUTPUT:
		*fd = open_output(output_fd, request->mode);
		break;
	case GRANT_FILE:
		*fd = open_file(setup, area, request, name);
		break;
	case GRANT_INVALID:
		*fd = -EINVAL;
		break;
	default:
		*fd = REPLY_DENIED;
		break;
	}
	/* REPLY_DENIED is -EPERM's number too: both mean the same here. */
	if (*fd < 0)
		reply.error = *fd == REPLY_DENIED ? REPLY_DENIED : -*fd;
	return reply;
}
