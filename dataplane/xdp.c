/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The user-space side of the steering program: patch, probe, lock, detach.
 *
 * Run by the EAL main thread before the port starts and after it stopped. Owns no memory that lasts;
 * the memfd and the lock's descriptor belong to the caller.
 */
#include "caps.h"
#include "xdp.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

/* The compiled program, as bytes separated by commas; made from steer.bpf.c by the build. */
static const unsigned char steer_object[] = {
#include "steer_object.inc"
};

_Static_assert(sizeof(STEER_MARKER) == STEER_MARKER_BYTES + 1, "the marker fills its field");
_Static_assert(sizeof(STEER_PROGRAM_NAME) <= BPF_OBJ_NAME_LEN, "the kernel would cut the name");
_Static_assert(sizeof(struct steer_family) == STEER_MAX_RANGES * 32 + 8
		&& sizeof(struct steer_config)
			== STEER_MARKER_BYTES + 2 * sizeof(struct steer_family) + 20,
	"same layout for both sides");

static int write_all(int fd, const void *data, size_t bytes, off_t at) {
	while (bytes > 0) {
		ssize_t n = pwrite(fd, data, bytes, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		data = (const char *)data + n;
		bytes -= (size_t)n;
		at += n;
	}
	return 0;
}

/* Offset of the one configuration in the object, or -EBADMSG where there is none or a second one. */
static ssize_t find_config(void) {
	const unsigned char *at, *end = steer_object + sizeof(steer_object);

	at = memmem(steer_object, sizeof(steer_object), STEER_MARKER, STEER_MARKER_BYTES);
	if (at == NULL || (size_t)(end - at) < sizeof(struct steer_config)
		|| memmem(at + 1, (size_t)(end - at - 1), STEER_MARKER, STEER_MARKER_BYTES) != NULL)
		return -EBADMSG;
	return at - steer_object;
}

int xdp_program_prepare(const struct steer_config *config, char path[static XDP_PATH_BYTES],
	int *fd, struct dp_error *err) {
	struct steer_config patch = *config;
	ssize_t at = find_config();
	int memfd, rc;

	if (at < 0)
		return dp_fail(err, false, (int)at,
			"the built-in XDP program has no place for its settings: this build is "
			"broken");
	memcpy(patch.marker, STEER_MARKER, STEER_MARKER_BYTES);

	memfd = memfd_create(STEER_PROGRAM_NAME, MFD_CLOEXEC);
	if (memfd < 0) {
		rc = -errno;
		return dp_fail(err, false, rc, "cannot make a memory file for the XDP program: %s",
			strerror(-rc));
	}
	rc = write_all(memfd, steer_object, sizeof(steer_object), 0);
	if (rc == 0)
		rc = write_all(memfd, &patch, sizeof(patch), at);
	if (rc < 0) {
		close(memfd);
		return dp_fail(err, false, rc, "cannot write the XDP program to a memory file: %s",
			strerror(-rc));
	}
	snprintf(path, XDP_PATH_BYTES, "/proc/self/fd/%d", memfd);
	*fd = memfd;
	return 0;
}

/* Who listens at @address, or 0 where that cannot be told (gone by now, or in another pid namespace). */
static pid_t lock_holder(const struct sockaddr_un *address, socklen_t address_bytes) {
	struct ucred peer = {0};
	socklen_t peer_bytes = sizeof(peer);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return 0;
	if (connect(fd, (const struct sockaddr *)address, address_bytes) < 0
		|| getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_bytes) < 0)
		peer.pid = 0;
	close(fd);
	return peer.pid;
}

int xdp_interface_lock(const char *ifname, struct dp_error *err) {
	/* An abstract name: it belongs to the network namespace, as the interface does. */
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t address_bytes = offsetof(struct sockaddr_un, sun_path) + 1;
	int fd, rc;

	if (strlen(ifname) >= IFNAMSIZ)
		return dp_fail(err, true, -EINVAL, "'%s' is too long for the name of an interface",
			ifname);
	address_bytes += (socklen_t)snprintf(address.sun_path + 1, sizeof(address.sun_path) - 1,
		"prtip-dp/interface/%s", ifname);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		rc = -errno;
		return dp_fail(err, false, rc, "cannot make a socket to lock %s: %s", ifname,
			strerror(-rc));
	}
	/* Listening lets the next one ask who we are. */
	if (bind(fd, (const struct sockaddr *)&address, address_bytes) == 0 && listen(fd, 16) == 0)
		return fd;
	rc = -errno;
	close(fd);
	if (rc == -EADDRINUSE) {
		pid_t pid = lock_holder(&address, address_bytes);
		char who[32] = "";

		if (pid > 0)
			snprintf(who, sizeof(who), " (process %d)", (int)pid);
		return dp_fail(err, false, -EBUSY,
			"another prtip-dp%s is using %s: wait until it has ended, or use another "
			"interface",
			who, ifname);
	}
	return dp_fail(err, false, rc, "cannot lock %s: %s", ifname, strerror(-rc));
}

/* The programs that @ifindex has attached, with the flag that detaches each. */
struct attached {
	uint32_t id;
	uint32_t mode;
};

enum {
	MAX_ATTACHED = 3, /* driver, generic, offloaded */
};

static int query_attached(int ifindex, struct attached attached[MAX_ATTACHED]) {
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	unsigned n = 0;
	int rc = bpf_xdp_query(ifindex, 0, &query);

	if (rc < 0)
		return rc;
	if (query.drv_prog_id != 0)
		attached[n++] = (struct attached){query.drv_prog_id, XDP_FLAGS_DRV_MODE};
	if (query.skb_prog_id != 0)
		attached[n++] = (struct attached){query.skb_prog_id, XDP_FLAGS_SKB_MODE};
	if (query.hw_prog_id != 0)
		attached[n++] = (struct attached){query.hw_prog_id, XDP_FLAGS_HW_MODE};
	return (int)n;
}

/*
 * A descriptor of program @id, with its name in @name. -ENOENT where it is gone by now; -EPERM
 * without CAP_SYS_ADMIN, which the kernel wants for this.
 */
static int open_program(uint32_t id, char name[static BPF_OBJ_NAME_LEN]) {
	struct bpf_prog_info info = {0};
	uint32_t info_bytes = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id), rc;

	if (fd < 0)
		return fd;
	rc = bpf_obj_get_info_by_fd(fd, &info, &info_bytes);
	if (rc < 0) {
		close(fd);
		return rc;
	}
	memcpy(name, info.name, BPF_OBJ_NAME_LEN);
	name[BPF_OBJ_NAME_LEN - 1] = '\0';
	return fd;
}

static bool is_own_name(const char *name) {
	return strcmp(name, STEER_PROGRAM_NAME) == 0;
}

int xdp_hold(int ifindex, struct xdp_program *program, struct dp_error *err) {
	struct attached attached[MAX_ATTACHED];
	int n = query_attached(ifindex, attached);

	program->fd = -1;
	if (n < 0)
		return dp_fail(err, false, n, "cannot ask for the XDP program of interface %d: %s",
			ifindex, strerror(-n));
	for (int i = 0; i < n; i++) {
		char name[BPF_OBJ_NAME_LEN];
		int fd = open_program(attached[i].id, name);

		if (fd == -ENOENT)
			continue;
		if (fd < 0)
			return dp_fail(err, false, fd,
				"cannot tell whose XDP program is attached to interface %d: %s%s",
				ifindex, strerror(-fd),
				fd == -EPERM ? " (this needs CAP_SYS_ADMIN)" : "");
		if (is_own_name(name)) {
			*program = (struct xdp_program){fd, attached[i].id, attached[i].mode};
			return 0;
		}
		close(fd);
	}
	return 0;
}

static bool is_attached(int ifindex, uint32_t id) {
	struct attached attached[MAX_ATTACHED];
	int n = query_attached(ifindex, attached);

	for (int i = 0; i < n; i++)
		if (attached[i].id == id)
			return true;
	return false;
}

int xdp_release(int ifindex, struct xdp_program *program) {
	int rc = 0;

	if (program->fd < 0)
		return 0;
	/* The kernel compares before it detaches, so that nobody's new program goes. */
	LIBBPF_OPTS(bpf_xdp_attach_opts, expect, .old_prog_fd = program->fd);
	if (is_attached(ifindex, program->id))
		rc = bpf_xdp_detach(ifindex, program->mode | XDP_FLAGS_REPLACE, &expect);
	close(program->fd);
	program->fd = -1;
	return rc;
}

int xdp_detach(int ifindex, struct dp_error *err) {
	struct xdp_program program;

	/* A driver may have one in each mode. */
	for (unsigned detached = 0; detached <= MAX_ATTACHED; detached++) {
		int rc = xdp_hold(ifindex, &program, err);

		if (rc < 0)
			return rc;
		if (program.fd < 0)
			return detached > 0;
		rc = xdp_release(ifindex, &program);
		if (rc < 0)
			return dp_fail(err, false, rc,
				"cannot detach our XDP program from interface %d: %s", ifindex,
				strerror(-rc));
	}
	return dp_fail(err, false, -EBUSY,
		"our XDP program comes back to interface %d as often as it is detached", ifindex);
}

/* Exists, is Ethernet, is not lo; its index, or a negative errno. */
static int check_interface(const char *ifname, struct dp_error *err) {
	struct ifreq request = {0};
	int ifindex, fd, rc = 0;

	if (strlen(ifname) >= IFNAMSIZ || (ifindex = (int)if_nametoindex(ifname)) == 0)
		return dp_fail(err, true, -ENODEV, "there is no interface %s: 'ip link' lists them",
			ifname);
	strcpy(request.ifr_name, ifname);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		rc = -errno;
	if (fd >= 0)
		close(fd);
	if (rc < 0)
		return dp_fail(
			err, false, rc, "cannot look at interface %s: %s", ifname, strerror(-rc));
	if (request.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK)
		return dp_fail(
			err, false, -EOPNOTSUPP, "af_xdp does not work on the loopback interface");
	if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return dp_fail(err, false, -EOPNOTSUPP,
			"af_xdp needs an Ethernet interface, which %s is not", ifname);
	return ifindex;
}

static int check_capabilities(const char *ifname, struct dp_error *err) {
	const uint64_t needed = CAPS_BIT(CAP_NET_RAW) | CAPS_BIT(CAP_NET_ADMIN) | CAPS_BIT(CAP_BPF)
		| CAPS_BIT(CAP_PERFMON);
	char missing[CAPS_TEXT_BYTES];

	/* How much is locked depends on the number of queues; it is never little. */
	if (!caps_missing(needed, RLIM_INFINITY, missing))
		return 0;
	return dp_fail(err, false, -EPERM, "af_xdp on %s needs %s; run as root", ifname, missing);
}

/* Capabilities of a user namespace look complete and yet load nothing, so load the least there is. */
static int check_load(const char *ifname, struct dp_error *err) {
	const struct bpf_insn pass[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "prtip_probe", "BSD", pass, 2, NULL);

	if (fd == -EPERM)
		return dp_fail(err, false, fd,
			"af_xdp on %s needs the right to load BPF programs, which a container or "
			"user "
			"namespace does not give",
			ifname);
	if (fd < 0)
		return dp_fail(err, false, fd,
			"af_xdp on %s: the kernel does not load XDP programs: %s", ifname,
			strerror(-fd));
	close(fd);
	return 0;
}

static int check_socket(const char *ifname, struct dp_error *err) {
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0), rc;

	if (fd >= 0) {
		close(fd);
		return 0;
	}
	rc = -errno;
	if (rc == -EAFNOSUPPORT)
		return dp_fail(err, false, -EOPNOTSUPP,
			"af_xdp on %s: this kernel has no AF_XDP sockets (CONFIG_XDP_SOCKETS)",
			ifname);
	return dp_fail(err, false, rc, "af_xdp on %s: cannot open an AF_XDP socket: %s", ifname,
		strerror(-rc));
}

static int check_attached(const char *ifname, int ifindex, struct dp_error *err) {
	struct attached attached[MAX_ATTACHED];
	int n = query_attached(ifindex, attached);

	if (n < 0)
		return dp_fail(err, false, n, "cannot ask for the XDP program of %s: %s", ifname,
			strerror(-n));
	for (int i = 0; i < n; i++) {
		char name[BPF_OBJ_NAME_LEN] = "";
		int fd = open_program(attached[i].id, name);

		if (fd >= 0)
			close(fd);
		if (fd == -ENOENT || is_own_name(name))
			continue;
		return dp_fail(err, false, -EBUSY,
			"%s has an XDP program attached already (%s, id %u): whoever runs it must "
			"remove "
			"it first; 'ip link set dev %s xdp off' removes any",
			ifname, name[0] != '\0' ? name : "of unknown name", attached[i].id, ifname);
	}
	return 0;
}

int xdp_supported(const char *ifname, struct dp_error *err) {
	int ifindex = check_interface(ifname, err), rc;

	if (ifindex < 0)
		return ifindex;
	rc = check_capabilities(ifname, err);
	if (rc == 0)
		rc = check_socket(ifname, err);
	if (rc == 0)
		rc = check_load(ifname, err);
	if (rc == 0)
		rc = check_attached(ifname, ifindex, err);
	return rc;
}

static FILE *open_setting(const char *directory, const char *name) {
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return fopen(path, "re");
}

static unsigned count_common(
	unsigned first, unsigned last, unsigned other_first, unsigned other_last) {
	if (first < other_first)
		first = other_first;
	if (last > other_last)
		last = other_last;
	return first <= last ? last - first + 1 : 0;
}

int ports_overlap(uint16_t first, uint16_t last, const char *directory) {
	unsigned low, high, reserved_first, overlap;
	FILE *file = open_setting(directory, "ip_local_port_range");
	int n;

	if (file == NULL)
		return -errno;
	n = fscanf(file, "%u %u", &low, &high);
	fclose(file);
	if (n != 2)
		return -EBADMSG;
	if (low < first)
		low = first;
	if (high > last)
		high = last;
	overlap = count_common(low, high, first, last);

	/* "1024,40000-40999": ascending and disjoint, as the kernel prints its bitmap. */
	file = open_setting(directory, "ip_local_reserved_ports");
	if (file == NULL)
		return (int)overlap;
	while (overlap > 0 && fscanf(file, "%u", &reserved_first) == 1) {
		unsigned reserved_last = reserved_first;
		int c = fgetc(file);

		if (c == '-') {
			if (fscanf(file, "%u", &reserved_last) != 1)
				break;
			c = fgetc(file);
		}
		overlap -= count_common(low, high, reserved_first, reserved_last);
		if (c != ',')
			break;
	}
	fclose(file);
	return (int)overlap;
}
