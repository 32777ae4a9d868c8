/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the warden opens for a lane, and what it refuses, whatever the lane asks.
 */
#include "warden.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	SLOT = 7,
	LOOPBACK = 0x7f000001,
};

/* One plugin with one lane, and what it may do. */
struct office {
	char base[32], data[64], folder[96], out[64];
	struct lh_plugin plugin;
	struct lh_enabled enabled;
	struct lh_range scope[3];
	struct lh_host_params params;
	struct setup setup;
	struct authority authority[2 * LANE_SLOTS];
	struct excluded *excluded;
	int output_fd;
};

static struct office *open_office(void) {
	struct office *office = calloc(1, sizeof(*office));

	strcpy(office->base, "/tmp/grant_test.XXXXXX");
	cr_assert(mkdtemp(office->base));
	snprintf(office->data, sizeof(office->data), "%s/home/data", office->base);
	snprintf(office->folder, sizeof(office->folder), "%s/victim", office->data);
	snprintf(office->out, sizeof(office->out), "%s/out", office->base);
	strcpy(office->plugin.name, "victim");
	office->plugin.capabilities = LH_CAP_NETWORK | LH_CAP_FILESYSTEM;
	office->plugin.scope = LH_SCOPE_TARGET;
	office->enabled.plugin = &office->plugin;
	office->scope[0] = (struct lh_range){lh_ip_v4(1), lh_ip_v4(1)};
	office->scope[1] = (struct lh_range){lh_ip_v4(0x7f000000), lh_ip_v4(0x7f0000ff)};
	office->scope[2] = (struct lh_range){lh_ip_v4(0xc6120000), lh_ip_v4(0xc6120000)};
	office->params = (struct lh_host_params){.plugins = &office->enabled,
		.nb_plugins = 1,
		.lanes = 1,
		.network = true,
		.avoid_first = 32768,
		.avoid_last = 49151,
		.scope = office->scope,
		.nb_scope = 3,
		.data_dir = office->data};
	office->setup.params = &office->params;
	office->setup.areas_each = 2;
	office->setup.nb_areas = 2;
	office->setup.authority = office->authority;
	office->excluded = calloc(1, sizeof(*office->excluded));
	office->setup.excluded = office->excluded;
	authority_set(&office->authority[SLOT], lh_ip_v4(LOOPBACK));
	office->output_fd = -1;
	grant_ports(&office->setup);
	return office;
}

static void close_office(struct office *office) {
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", office->base);
	cr_expect_eq(system(command), 0);
	free(office->excluded);
	free(office);
}

/* Descriptor, or the reply's error where there is none. */
static int ask(const struct office *office, const struct request *request, const char *name,
	int32_t *error) {
	int fd = -1;
	struct reply reply = grant(&office->setup, 0, request, name, office->output_fd, &fd);

	cr_expect_eq(reply.op, request->op);
	cr_expect_eq(reply.id, request->id);
	cr_expect_eq(fd < 0, reply.error != 0);
	*error = reply.error;
	return fd;
}

/* ---- Connections ---- */

/* A listener on loopback; its port. */
static int listen_tcp(uint16_t *port) {
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(LOOPBACK)};
	socklen_t length = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	cr_assert_eq(listen(fd, 16), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &length), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static uint16_t source_port(int fd) {
	struct sockaddr_in at;
	socklen_t length = sizeof(at);

	cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &length), 0);
	return ntohs(at.sin_port);
}

Test(grant, connects_without_waiting_from_a_port_that_the_scan_does_not_use) {
	/* Whatever the kernel's own range is, 32768 to 60999 by default. */
	static const struct {
		uint16_t avoid_first, avoid_last;
	} cases[] = {{32768, 49151}, {49152, 65535}, {1024, 20000}, {1, 60000}, {32768, 60999},
		{20000, 65535}, {33000, 60990}};
	struct office *office = open_office();
	struct request request = {.op = REQUEST_CONNECT,
		.id = 42,
		.slot = SLOT,
		.ip = wire_ip_put(lh_ip_v4(LOOPBACK))};
	int listener = listen_tcp(&request.port);

	for (size_t i = 0; i < 10 * sizeof(cases) / sizeof(cases[0]); i++) {
		uint16_t first = cases[i / 10].avoid_first, last = cases[i / 10].avoid_last, port;
		int32_t error;
		int fd, accepted;

		office->params.avoid_first = first;
		office->params.avoid_last = last;
		grant_ports(&office->setup);
		fd = ask(office, &request, "", &error);
		cr_assert_geq(fd, 0, "%s", strerror(error));
		accepted = accept(listener, NULL, NULL);
		cr_expect_geq(accepted, 0);
		cr_expect(fcntl(fd, F_GETFL) & O_NONBLOCK);
		cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		port = source_port(fd);
		cr_expect(port >= 1024 && (port < first || port > last), "%u: %u-%u", port, first,
			last);
		close(accepted);
		close(fd);
	}
	close(listener);
	close_office(office);
}

Test(grant, sends_datagrams_from_the_operators_address) {
	struct office *office = open_office();
	const struct request request = {.op = REQUEST_CONNECT,
		.slot = SLOT,
		.ip = wire_ip_put(lh_ip_v4(LOOPBACK)),
		.port = 9,
		.udp = 1};
	struct sockaddr_in at;
	socklen_t length = sizeof(at);
	int32_t error;
	int fd, type = 0;

	office->params.source_ip = lh_ip_v4(LOOPBACK + 1);
	office->params.device = "lo";
	fd = ask(office, &request, "", &error);
	cr_assert_geq(fd, 0, "%s", strerror(error));
	cr_expect_eq(getsockname(fd, (struct sockaddr *)&at, &length), 0);
	cr_expect_eq(ntohl(at.sin_addr.s_addr), LOOPBACK + 1);
	length = sizeof(type);
	cr_expect_eq(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length), 0);
	cr_expect_eq(type, SOCK_DGRAM);
	close(fd);

	office->params.device = "no-such-device";
	fd = ask(office, &request, "", &error);
	cr_expect_eq(error, ENODEV);
	office->params.device = NULL;
	office->params.source_ip = lh_ip_v4(0xc6130001); /* not this machine's */
	fd = ask(office, &request, "", &error);
	cr_expect_eq(error, EADDRNOTAVAIL);
	close_office(office);
}

static void expect_denied(const struct office *office, const struct request *request) {
	int32_t error;
	int fd = ask(office, request, "", &error);

	cr_expect_eq(error, REPLY_DENIED, "%d", error);
	if (fd >= 0)
		close(fd);
}

Test(grant, denies_connections) {
	const struct request good = {.op = REQUEST_CONNECT,
		.slot = SLOT,
		.ip = wire_ip_put(lh_ip_v4(LOOPBACK)),
		.port = 80};
	struct office *office = open_office();
	struct request request = good;

	request.port = 0;
	expect_denied(office, &request);
	request = good;
	request.ip = wire_ip_put(lh_ip_v4(LOOPBACK + 1)); /* in the scope, but not this result's */
	expect_denied(office, &request);
	request.ip = wire_ip_put(lh_ip_v4(0x0a000001)); /* outside of the scope */
	expect_denied(office, &request);
	request = good;
	request.slot = SLOT + 1; /* a slot without a result */
	expect_denied(office, &request);
	request.slot = LANE_SLOT_PHASE;
	expect_denied(office, &request);
	request.slot = UINT32_MAX;
	expect_denied(office, &request);
	authority_set(&office->authority[SLOT],
		lh_ip_v4(0x0a000001)); /* a target that was excluded meanwhile */
	request = good;
	request.ip = wire_ip_put(lh_ip_v4(0x0a000001));
	expect_denied(office, &request);
	authority_set(&office->authority[SLOT], lh_ip_v4(LOOPBACK));
	office->params.network = false;
	expect_denied(office, &good);
	office->params.network = true;
	office->plugin.capabilities = LH_CAP_FILESYSTEM;
	expect_denied(office, &good);
	close_office(office);
}

Test(grant, any_address_of_the_scan_where_the_plugin_declared_it) {
	struct office *office = open_office();
	struct request request = {.op = REQUEST_CONNECT,
		.slot = LANE_SLOT_PHASE,
		.ip = wire_ip_put(lh_ip_v4(LOOPBACK + 5)),
		.port = 9,
		.udp = 1};
	int32_t error;
	int fd;

	office->plugin.scope = LH_SCOPE_SCAN;
	fd = ask(office, &request, "", &error);
	cr_expect_geq(fd, 0);
	close(fd);
	request.ip = wire_ip_put(lh_ip_v4(0x7f000100));
	expect_denied(office, &request);
	close_office(office);
}

/* ::1 at the office: in scope, and what SLOT stands for. */
static struct office *open_office6(void) {
	struct office *office = open_office();

	office->scope[0] = (struct lh_range){1, 1};
	authority_set(&office->authority[SLOT], 1);
	return office;
}

Test(grant, connects_over_ipv6) {
	struct office *office = open_office6();
	struct request request
		= {.op = REQUEST_CONNECT, .id = 42, .slot = SLOT, .ip = wire_ip_put(1)};
	struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int listener = socket(AF_INET6, SOCK_STREAM, 0);
	socklen_t length = sizeof(at);

	cr_assert_eq(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	cr_assert_eq(listen(listener, 16), 0);
	cr_assert_eq(getsockname(listener, (struct sockaddr *)&at, &length), 0);
	request.port = ntohs(at.sin6_port);
	/* With the kernel's ports, by hand, and from an address of either family. */
	for (unsigned i = 0; i < 6; i++) {
		uint16_t first = i % 2 ? 32768 : 49152, last = i % 2 ? 60999 : 65535, port;
		int32_t error;
		int fd;

		office->params.source_ip = i < 2 ? 0 : i < 4 ? 1 : lh_ip_v4(LOOPBACK + 1);
		office->params.avoid_first = first;
		office->params.avoid_last = last;
		grant_ports(&office->setup);
		fd = ask(office, &request, "", &error);
		cr_assert_geq(fd, 0, "%s", strerror(error));
		cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &length), 0);
		cr_expect_eq(at.sin6_family, AF_INET6);
		port = ntohs(at.sin6_port);
		cr_expect(port >= 1024 && (port < first || port > last), "%u", port);
		close(fd);
	}
	office->params.source_ip = (lh_ip)0x20010db8 << 96; /* not this machine's */
	{
		int32_t error;

		cr_expect_lt(ask(office, &request, "", &error), 0);
		cr_expect_eq(error, EADDRNOTAVAIL);
	}
	close(listener);
	close_office(office);
}

Test(grant, denies_connections_over_ipv6) {
	struct office *office = open_office6();
	struct request request
		= {.op = REQUEST_CONNECT, .slot = SLOT, .ip = wire_ip_put(1), .port = 9, .udp = 1};
	const struct lh_range one = {1, 1};
	int32_t error;
	int fd = ask(office, &request, "", &error);

	cr_assert_geq(fd, 0);
	close(fd);
	request.ip = wire_ip_put((lh_ip)1 << 64 | 1); /* half of it is right */
	expect_denied(office, &request);
	request.ip = wire_ip_put(0);
	expect_denied(office, &request);
	office->scope[0].first = 0;
	authority_set(&office->authority[SLOT], 0); /* a slot without a result is not :: */
	expect_denied(office, &request);
	authority_set(&office->authority[SLOT], 1);
	request.ip = wire_ip_put(1);
	cr_assert_eq(excluded_add(office->excluded, &one, 1), 0);
	expect_denied(office, &request);
	office->plugin.scope = LH_SCOPE_SCAN;
	expect_denied(office, &request);
	close_office(office);
}

Test(grant, tells_why_a_connection_cannot_begin) {
	struct office *office = open_office();
	const struct request request = {.op = REQUEST_CONNECT,
		.slot = SLOT,
		.ip = wire_ip_put(lh_ip_v4(UINT32_MAX)),
		.port = 80};
	int32_t error;

	office->scope[2] = (struct lh_range){lh_ip_v4(UINT32_MAX), lh_ip_v4(UINT32_MAX)};
	authority_set(&office->authority[SLOT],
		lh_ip_v4(UINT32_MAX)); /* broadcast: not without asking for it */
	cr_expect_lt(ask(office, &request, "", &error), 0);
	cr_expect_gt(error, 0, "%d", error);
	close_office(office);
}

/* ---- Files ---- */

static int open_name(
	const struct office *office, const char *name, enum open_mode mode, int32_t *error) {
	const struct request request = {.op = REQUEST_OPEN, .id = 1, .slot = SLOT, .mode = mode};

	return ask(office, &request, name, error);
}

static void expect_file_error(
	const struct office *office, const char *name, enum open_mode mode, int32_t wanted) {
	int32_t error;
	int fd = open_name(office, name, mode, &error);

	cr_expect_eq(error, wanted, "%s: %d, not %d", name, error, wanted);
	if (fd >= 0)
		close(fd);
}

static void put(
	const struct office *office, const char *name, enum open_mode mode, const char *text) {
	int32_t error;
	int fd = open_name(office, name, mode, &error);

	cr_assert_geq(fd, 0, "%s: %d", name, error);
	cr_expect_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void expect_text(const struct office *office, const char *name, const char *wanted) {
	char text[100];
	int32_t error;
	int fd = open_name(office, name, OPEN_READ, &error);
	ssize_t n;

	cr_assert_geq(fd, 0, "%s: %d", name, error);
	n = read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	cr_expect_str_eq(text, wanted);
	cr_expect_lt(write(fd, "x", 1), 0, "open for reading, and can be written");
	close(fd);
}

Test(grant, opens_files_in_the_plugins_folder) {
	struct office *office = open_office();
	struct stat st;

	put(office, "a.txt", OPEN_WRITE, "one");
	put(office, "a.txt", OPEN_APPEND, " two");
	expect_text(office, "a.txt", "one two");
	put(office, "a.txt", OPEN_WRITE, "3");
	expect_text(office, "a.txt", "3");
	/* For nobody else, and so is each folder above it that was made for it. */
	cr_expect_eq(stat(office->folder, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0700u);
	cr_expect_eq(chdir(office->folder), 0);
	cr_expect_eq(stat("a.txt", &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0600u);
	cr_expect_eq(mkdir("sub", 0700), 0);
	put(office, "sub/b", OPEN_APPEND, "b");
	put(office, "sub/../c", OPEN_WRITE, "c");
	expect_text(office, "c", "c");
	expect_file_error(office, "none", OPEN_READ, ENOENT);
	expect_file_error(office, "none/none", OPEN_WRITE, ENOENT);
	expect_file_error(office, "a.txt", (enum open_mode)3, EINVAL);
	close_office(office);
}

Test(grant, keeps_files_below_the_plugins_folder) {
	static const char *const out[] = {"..", "../other", "sub/../../other", "/etc/passwd",
		"/dev/null", "./../../..", "link", "linked/x", "inside"};
	struct office *office = open_office();

	put(office, "real", OPEN_WRITE, "real");
	cr_expect_eq(chdir(office->folder), 0);
	cr_expect_eq(mkdir("sub", 0700), 0);
	cr_expect_eq(symlink("/etc/passwd", "link"), 0);
	cr_expect_eq(symlink("/tmp", "linked"), 0);
	cr_expect_eq(symlink("real", "inside"), 0);
	for (size_t i = 0; i < sizeof(out) / sizeof(out[0]); i++) {
		expect_file_error(office, out[i], OPEN_READ, REPLY_DENIED);
		expect_file_error(office, out[i], OPEN_WRITE, REPLY_DENIED);
		expect_file_error(office, out[i], OPEN_APPEND, REPLY_DENIED);
	}
	close_office(office);
}

Test(grant, opens_nothing_but_files) {
	struct office *office = open_office();
	int32_t error;
	int fd = open_name(office, "a", OPEN_WRITE, &error);

	close(fd);
	cr_expect_eq(chdir(office->folder), 0);
	/* A FIFO without the other side would hold the warden up for ever. */
	cr_expect_eq(mkfifo("fifo", 0600), 0);
	expect_file_error(office, "fifo", OPEN_READ, EACCES);
	expect_file_error(office, "fifo", OPEN_WRITE, ENXIO);
	expect_file_error(office, ".", OPEN_READ, EACCES);
	expect_file_error(office, ".", OPEN_WRITE, EISDIR);
	close_office(office);
}

Test(grant, opens_no_file_where_the_folder_cannot_be) {
	struct office *office = open_office();
	char home[64], *very_long = malloc(5000);
	FILE *file;

	snprintf(home, sizeof(home), "%s/home", office->base);
	file = fopen(home, "w");
	cr_assert(file);
	fclose(file);
	expect_file_error(office, "a", OPEN_WRITE, ENOTDIR);
	memset(very_long, 'x', 4999);
	very_long[0] = '/';
	very_long[4999] = '\0';
	office->params.data_dir = very_long;
	expect_file_error(office, "a", OPEN_WRITE, ENAMETOOLONG);
	free(very_long);
	close_office(office);
}

Test(grant, opens_no_file_without_the_capability) {
	struct office *office = open_office();

	office->plugin.capabilities = LH_CAP_NETWORK;
	expect_file_error(office, "a", OPEN_READ, REPLY_DENIED);
	expect_file_error(office, "../a", OPEN_WRITE, REPLY_DENIED);
	close_office(office);
}

Test(grant, opens_the_output_of_export_and_no_other) {
	struct office *office = open_office();

	office->plugin.capabilities = 0;
	office->enabled.output_path = office->out;
	expect_file_error(office, office->out, OPEN_WRITE, REPLY_DENIED); /* not export's time */
	office->output_fd = open(office->out, O_RDWR | O_CREAT, 0600);
	cr_assert_geq(office->output_fd, 0);
	put(office, office->out, OPEN_WRITE, "first");
	put(office, office->out, OPEN_WRITE, "se");
	put(office, office->out, OPEN_APPEND, "cond");
	{
		char text[20] = "";

		cr_expect_eq(pread(office->output_fd, text, sizeof(text) - 1, 0), 6);
		cr_expect_str_eq(text, "second");
	}
	expect_file_error(office, "out", OPEN_WRITE, REPLY_DENIED);
	close(office->output_fd);
	close_office(office);
}
