/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Plugins that talk to servers and use files: real warden, lanes and servers, in a network namespace
 * of their own.
 */
#include "host_rig.h"
#include "tls_lab.h"

#include <fcntl.h>
#include <sys/mount.h>

enum {
	LOOPBACK = 0x7f000001,
	PORT = 7000,
	MEGABYTES = 3,
};

/* ---- Servers: one process each, for TCP port PORT unless said otherwise ---- */

static void swallow(int fd) {
	char bytes[4096];

	while (read(fd, bytes, sizeof(bytes)) > 0)
		;
}

static void do_echo(int fd) {
	char bytes[4096];

	for (ssize_t n; (n = read(fd, bytes, sizeof(bytes))) > 0;)
		if (write(fd, bytes, (size_t)n) != n)
			return;
}

static void do_nothing(int fd) {
	sleep(60);
}

static void do_reset(int fd) {
	const struct linger now_ = {.l_onoff = 1};
	char byte;

	if (read(fd, &byte, 1) == 1)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now_, sizeof(now_));
}

static void do_flood(int fd) {
	char bytes[4096];

	memset(bytes, 'x', sizeof(bytes));
	for (unsigned i = 0; i < MEGABYTES * 256; i++)
		if (write(fd, bytes, sizeof(bytes)) < 0)
			return;
}

/* Reads late, then says how much it was. */
static void do_count(int fd) {
	char bytes[65536];
	size_t sum = 0;

	usleep(200000);
	for (ssize_t n; sum < MEGABYTES << 20 && (n = read(fd, bytes, sizeof(bytes))) > 0;)
		sum += (size_t)n;
	dprintf(fd, "%zu", sum);
	swallow(fd);
}

/* Bytes that are no ServerHello. */
static void do_nonsense(int fd) {
	char byte;

	if (read(fd, &byte, 1) == 1)
		dprintf(fd, "220 not TLS at all\r\n");
	swallow(fd);
}

/* For both families. */
static int open_server(int type) {
	const struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
	int fd = socket(AF_INET6, type, 0), no = 0;

	cr_assert_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)), 0);

	cr_assert_eq(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static pid_t serve(void (*talk)(int fd)) {
	int listener = open_server(SOCK_STREAM);
	pid_t pid;

	cr_assert_eq(listen(listener, 1024), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		for (;;) {
			int fd = accept(listener, NULL, NULL);

			talk(fd);
			close(fd);
		}
	}
	close(listener);
	return pid;
}

static pid_t serve_udp(void) {
	int fd = open_server(SOCK_DGRAM);
	pid_t pid = fork();

	while (pid == 0) {
		struct sockaddr_in6 from;
		socklen_t length = sizeof(from);
		char bytes[2048];
		ssize_t n
			= recvfrom(fd, bytes, sizeof(bytes), 0, (struct sockaddr *)&from, &length);

		sendto(fd, bytes, (size_t)n, 0, (struct sockaddr *)&from, length);
	}
	close(fd);
	return pid;
}

/* ---- The rig, for results on loopback ---- */

#define NETWORK "capabilities = [\"network\"]\n"
#define ANYWHERE NETWORK "[plugin.network]\nscope = \"scan\"\n"

static struct rig *start_at(lh_ip ip, const char *manifest, const char *lua) {
	struct rig *rig = make(manifest, "scan", lua);
	struct lh_error err = {0};

	rig->ip = ip;
	cr_assert_eq(begin(rig, &err), 0, "%s", err.text);
	return rig;
}

static struct rig *start_local(const char *manifest, const char *lua) {
	return start_at(lh_ip_v4(LOOPBACK), manifest, lua);
}

/* Run @lua for one result at @ip; what it added as `r` must be @wanted (JSON). */
static void expect_at(lh_ip ip, const char *manifest, const char *lua, const char *wanted) {
	struct rig *rig = start_at(ip, manifest, lua);
	char results[256];

	snprintf(results, sizeof(results), "{\"r\":%s}", wanted);
	offer(rig, 1);
	cr_expect_eq(rig->count[LH_OK], 1u, "%s", rig->error);
	cr_expect_str_eq(rig->results, results);
	stop(rig);
}

/* At 127.0.0.1. */
static void expect(const char *manifest, const char *lua, const char *wanted) {
	expect_at(lh_ip_v4(LOOPBACK), manifest, lua, wanted);
}

/* 2001:db8::7, which loopback gets. */
static const lh_ip seven = (lh_ip)0x20010db8 << 96 | 7;

static void add_seven(void) {
	lab_run("ip address add 2001:db8::7/128 dev lo nodad");
}

TestSuite(host_net, .init = lab_enter, .fini = lab_leave);

/* ---- TCP and UDP ---- */

Test(host_net, talks_tcp) {
	pid_t server = serve(do_echo);

	expect(NETWORK,
		"function on_target(t)\n"
		"  local s = assert(prtip.connect(t.ip, 7000, {timeout = 5}))\n"
		"  local n = prtip.send(s, 'hello')\n"
		"  local got = prtip.receive(s, 100)\n"
		"  assert(prtip.send(s, '') == 0)\n"
		"  assert(prtip.close(s) and prtip.close(s))\n"
		"  prtip.add_result('r', {n, got})\n"
		"end\n",
		"[5,\"hello\"]");
	lab_stop(server);
}

Test(host_net, talks_udp) {
	pid_t server = serve_udp();

	expect(NETWORK,
		"function on_target(t)\n"
		"  local s = assert(prtip.connect(t.ip, 7000, {protocol = 'udp'}))\n"
		"  local a = prtip.send(s, 'ping') local b = prtip.receive(s, 100, 5)\n"
		"  local _, c = prtip.receive(s, 100, 0.05)\n"
		"  local _, d = prtip.start_tls(s)\n"
		"  local _, e = prtip.tls_info(s)\n"
		"  prtip.add_result('r', {a, b, c, d, e})\n"
		"end\n",
		"[4,\"ping\",\"timeout\",\"no TLS over udp\",\"no TLS on this socket\"]");
	lab_stop(server);
}

Test(host_net, talks_over_ipv6) {
	pid_t tcp = serve(do_echo), udp = serve_udp();

	add_seven();
	expect_at(seven, NETWORK,
		"function on_target(t)\n"
		"  assert(t.ip == '2001:db8::7')\n"
		"  local s = assert(prtip.connect(t.ip, 7000, {timeout = 5}))\n"
		"  local a = prtip.send(s, 'hello') local b = prtip.receive(s, 100)\n"
		"  s = assert(prtip.connect('2001:DB8:0::0007', 7000, {protocol = 'udp'}))\n"
		"  local c = prtip.send(s, 'ping') local d = prtip.receive(s, 100, 5)\n"
		"  local _, e = prtip.connect(t.ip, 7001)\n"
		"  local _, f = prtip.connect('2001:db8::8', 7000)\n"
		"  local _, g = prtip.connect('127.0.0.1', 7000)\n"
		"  prtip.add_result('r', {a, b, c, d, e, f, g})\n"
		"end\n",
		"[5,\"hello\",4,\"ping\",\"Connection refused\",\"denied\",\"denied\"]");
	lab_stop(tcp);
	lab_stop(udp);
}

/* What is excluded while plugins run holds from the next request on, for sockets and probes. */
Test(host_net, reaches_no_address_that_was_excluded_meanwhile) {
	pid_t server = serve(do_echo);
	const struct lh_range more[] = {{seven, seven}, {lh_ip_v4(LOOPBACK), lh_ip_v4(LOOPBACK)}};
	struct rig *rig;

	add_seven();
	rig = start_at(seven, ANYWHERE,
		"local kept\n"
		"function on_target(t)\n"
		"  local r = {}\n"
		"  for i, ip in ipairs{'2001:db8::7', '127.0.0.1', '127.0.0.2'} do\n"
		"    local s, why = prtip.connect(ip, 7000)\n"
		"    r[i] = s and 'open' or why\n"
		"  end\n"
		"  r[4] = select(2, prtip.scan_port('127.0.0.1', 22)) or 'no'\n"
		"  prtip.add_result('r', r)\n"
		"end\n");
	rig->deaf = true;
	cr_assert(lh_host_submit(rig->host, 0, 0));
	while (!rig->probes)
		turn(rig);
	/* The probe waits for its turn, and is not sent any more. */
	cr_expect_eq(lh_host_exclude(rig->host, more, 2), 0);
	rig->deaf = false;
	rig->probes = 0;
	while (!rig->answered)
		turn(rig);
	cr_expect_eq(rig->probes, 0u);
	cr_expect_str_eq(rig->results, "{\"r\":[\"open\",\"open\",\"open\",\"denied\"]}");
	for (unsigned again = 0; again < 2; again++) {
		cr_expect_eq(lh_host_exclude(rig->host, more, 2), 0);
		rig->answered = 0;
		offer(rig, 1);
		cr_expect_str_eq(
			rig->results, "{\"r\":[\"denied\",\"denied\",\"open\",\"denied\"]}");
	}
	stop(rig);
	lab_stop(server);
}

Test(host_net, tells_why_there_is_no_connection) {
	expect(NETWORK,
		"function on_target(t)\n"
		"  local _, a = prtip.connect(t.ip, 7001)\n"
		"  local _, b = prtip.connect('127.0.0.2', 7001)\n"
		"  local _, c = prtip.connect('10.0.0.1', 7001)\n"
		"  local _, d = prtip.connect('localhost', 7001)\n"
		"  local _, e = prtip.connect('::ffff:127.0.0.1', 7001)\n"
		"  local _, f = prtip.connect('127.0.0.1\\0', 7001)\n"
		"  local _, g = prtip.connect('::1', 7001)\n"
		"  prtip.add_result('r', {a, b, c, d, e, f, g})\n"
		"end\n",
		"[\"Connection refused\",\"denied\",\"denied\",\"not an IP address\","
		"\"not an IP address\",\"not an IP address\",\"denied\"]");
}

Test(host_net, waits_no_longer_than_it_should) {
	pid_t server = serve(do_nothing);

	expect(NETWORK,
		"function on_target(t)\n"
		"  local s = assert(prtip.connect(t.ip, 7000))\n"
		"  local _, a = prtip.receive(s, 10, 0.1)\n"
		"  local _, b = prtip.send(s, ('x'):rep(8000000), 0.1)\n"
		"  local _, c = prtip.start_tls(prtip.connect(t.ip, 7000), {timeout = 0.1})\n"
		"  local _, d = prtip.connect(t.ip, 7000, {timeout = 0.1, tls = true})\n"
		"  local _, e = prtip.connect(t.ip, 7000, {timeout = 0})\n"
		"  prtip.add_result('r', {a, b, c, d, e})\n"
		"end\n",
		"[\"timeout\",\"timeout\",\"timeout\",\"timeout\",\"timeout\"]");
	lab_stop(server);
}

Test(host_net, hears_of_resets) {
	pid_t server = serve(do_reset);

	expect(NETWORK,
		"function on_target(t)\n"
		"  local s = assert(prtip.connect(t.ip, 7000))\n"
		"  prtip.send(s, 'x')\n"
		"  local _, a = prtip.receive(s, 10)\n"
		"  local _, b = prtip.send(s, 'x')\n"
		"  prtip.add_result('r', {a, b})\n"
		"end\n",
		"[\"Connection reset by peer\",\"Broken pipe\"]");
	lab_stop(server);
}

Test(host_net, takes_megabytes) {
	pid_t server = serve(do_flood);

	expect(NETWORK,
		"function on_target(t)\n"
		"  local s, sum = assert(prtip.connect(t.ip, 7000)), 0\n"
		"  while true do\n"
		"    local data = assert(prtip.receive(s, 1e12))\n"
		"    if data == '' then break end\n"
		"    sum = sum + #data\n"
		"  end\n"
		"  prtip.add_result('r', sum)\n"
		"end\n",
		"3145728");
	lab_stop(server);
}

Test(host_net, gives_megabytes_to_a_slow_reader) {
	pid_t server = serve(do_count);

	expect(NETWORK,
		"function on_target(t)\n"
		"  local s = assert(prtip.connect(t.ip, 7000))\n"
		"  local n = assert(prtip.send(s, ('x'):rep(3 * 1024 * 1024)))\n"
		"  prtip.add_result('r', {n, prtip.receive(s, 100)})\n"
		"end\n",
		"[3145728,\"3145728\"]");
	lab_stop(server);
}

Test(host_net, keeps_many_conversations_apart) {
	struct rig *rig;
	pid_t server = serve(do_echo);

	/* More at once than connections: they wait for a place, in their order. */
	rig = make(NETWORK "[plugin.network]\nmax_connections = 20\n", "scan",
		"function on_target(t)\n"
		"  for i = 1, 3 do\n"
		"    local s = assert(prtip.connect(t.ip, 7000))\n"
		"    local text = t.port .. '/' .. i\n"
		"    assert(prtip.send(s, text))\n"
		"    assert(prtip.receive(s, 100) == text)\n"
		"    if i > 1 then prtip.close(s) end\n"
		"    if i == 1 then assert(prtip.close(s)) end\n"
		"  end\n"
		"end\n");
	struct lh_error err = {0};

	rig->ip = lh_ip_v4(LOOPBACK);
	cr_assert_eq(begin(rig, &err), 0, "%s", err.text);
	offer(rig, 500);
	cr_expect_eq(rig->count[LH_OK], 500u, "%s", rig->error);
	stop(rig);
	lab_stop(server);
}

/* Each has a connection for 0.2 s, five at once: 4 s for all, but only 3 s for each. */
static const char *const takes_its_time
	= "function on_target(t)\n"
	  "  local s, why = prtip.connect(t.ip, 7000, {timeout = 2})\n"
	  "  if not s then error(why) end\n"
	  "  prtip.sleep(0.2)\n"
	  "end\n";

Test(host_net, a_result_does_not_spend_its_time_in_the_queue_for_connections) {
	struct rig *rig;
	pid_t server = serve(do_echo);
	struct lh_error err = {0};

	rig = make(NETWORK "[plugin.network]\nmax_connections = 5\n", "scan", takes_its_time);
	rig->ip = lh_ip_v4(LOOPBACK);
	cr_assert_eq(begin(rig, &err), 0, "%s", err.text);
	offer(rig, 100);
	cr_expect_eq(rig->count[LH_OK], 100u, "%u failed: %s", rig->count[LH_ERROR], rig->error);
	stop(rig);
	lab_stop(server);
}

/* What is held when nobody wants it any more is answered without a hook. */
Test(host_net, results_that_are_held_can_be_given_up) {
	struct rig *rig;
	pid_t server = serve(do_echo);
	struct lh_error err = {0};
	double end = now() + 20;
	unsigned submitted = 0;

	rig = make(NETWORK "[plugin.network]\nmax_connections = 5\n", "scan", takes_its_time);
	rig->ip = lh_ip_v4(LOOPBACK);
	cr_assert_eq(begin(rig, &err), 0, "%s", err.text);
	while (rig->answered == 0 && now() < end) {
		while (submitted < 1000 && lh_host_submit(rig->host, 0, submitted))
			submitted++;
		turn(rig);
	}
	lh_host_give_up(rig->host, 0);
	while (rig->answered < 1000 && now() < end)
		turn(rig);
	cr_expect_eq(rig->answered, 1000u);
	cr_expect_geq(rig->count[LH_SKIPPED], 900u);
	cr_expect_eq(rig->count[LH_KILLED] + rig->count[LH_TIMEOUT], 0u);
	/* The lane is fit for more. */
	rig->answered = 0;
	memset(rig->count, 0, sizeof(rig->count));
	offer(rig, 10);
	cr_expect_eq(rig->count[LH_OK], 10u, "%s", rig->error);
	stop(rig);
	lab_stop(server);
}

Test(host_net, a_socket_belongs_to_one_result) {
	struct rig *rig;
	pid_t server = serve_udp();

	rig = start_local(NETWORK,
		"local kept, closed\n"
		"function on_target(t)\n"
		"  if not kept then\n"
		"    kept = assert(prtip.connect(t.ip, 7000, {protocol = 'udp'}))\n"
		"    closed = assert(prtip.connect(t.ip, 7000, {protocol = 'udp'}))\n"
		"    prtip.close(closed)\n"
		"    local ok, why = pcall(prtip.send, closed, 'x')\n"
		"    assert(not ok and why:find('this socket is closed'), why)\n"
		"    prtip.sleep(0.5)\n"
		"    return\n"
		"  end\n"
		"  local ok, why = pcall(prtip.send, kept, 'x')\n"
		"  assert(not ok and why:find('belongs to another result'), why)\n"
		"  ok, why = pcall(prtip.close, kept)\n"
		"  assert(not ok and why:find('belongs to another result'), why)\n"
		"  prtip.sleep(1)\n"
		"  ok, why = pcall(prtip.receive, kept, 1)\n"
		"  assert(not ok and why:find('this socket is closed'), why)\n"
		"end\n");
	offer(rig, 3);
	cr_expect_eq(rig->count[LH_OK], 3u, "%s", rig->error);
	stop(rig);
	lab_stop(server);
}

Test(host_net, says_what_is_wrong_with_an_argument) {
	struct rig *rig;
	pid_t server = serve_udp();

	rig = start_local("capabilities = [\"network\", \"filesystem\"]\n",
		"local function bad(piece, f, ...)\n"
		"  local ok, why = pcall(f, ...)\n"
		"  assert(not ok and tostring(why):find(piece, 1, true), piece .. ': ' .. "
		"tostring(why))\n"
		"end\n"
		"function on_target(t)\n"
		"  local s = assert(prtip.connect(t.ip, 7000, {protocol = 'udp'}))\n"
		"  bad('a port is a whole number', prtip.connect, t.ip, 0)\n"
		"  bad('a port is a whole number', prtip.connect, t.ip, 65536)\n"
		"  bad('a port is a whole number', prtip.connect, t.ip, 1.5)\n"
		"  bad('table expected', prtip.connect, t.ip, 1, 5)\n"
		"  bad('protocol is tcp or udp', prtip.connect, t.ip, 1, {protocol = 'sctp'})\n"
		"  bad('at most 7 bytes', prtip.connect, t.ip, 1, {protocol = 'very-long'})\n"
		"  bad('no TLS over udp', prtip.connect, t.ip, 1, {protocol = 'udp', tls = true})\n"
		"  bad('seconds must be', prtip.connect, t.ip, 1, {timeout = -1})\n"
		"  bad('min_version: TLSv1.0', prtip.connect, t.ip, 1, {tls = {min_version = "
		"'SSL'}})\n"
		"  bad('a whole number', prtip.receive, s, 0)\n"
		"  bad('a whole number', prtip.receive, s, 1.5)\n"
		"  bad('over 16 MiB', prtip.send, s, ('x'):rep(16 * 1024 * 1024 + 1))\n"
		"  bad('socket expected', prtip.send, 5, 'x')\n"
		"  bad('seconds must be', prtip.sleep, -1)\n"
		"  bad('number expected', prtip.sleep)\n"
		"  bad('invalid option', prtip.log, 'loud', 'x')\n"
		"  bad('a name of 1 to 1020 bytes', prtip.read_file, '')\n"
		"  bad('a name of 1 to 1020 bytes', prtip.read_file, 'a\\0b')\n"
		"  bad('a name of 1 to 1020 bytes', prtip.read_file, ('x'):rep(1021))\n"
		"  bad('options must be a table', prtip.tls_probe, t.ip, 1, 5)\n"
		"  bad('read-only', function() prtip.scan_config.rate = 1 end)\n"
		"  bad('read-only', function() t.port = 1 end)\n"
		"  bad('cannot wait inside', string.gsub, 'x', 'x', function() prtip.sleep(1) "
		"end)\n"
		"  bad('protocol is tcp or udp', prtip.scan_port, t.ip, 1, 'sctp')\n"
		"  assert(select(2, prtip.scan_port('x', 1)) == 'not an IP address')\n"
		"end\n");
	offer(rig, 1);
	cr_expect_eq(rig->count[LH_OK], 1u, "%s", rig->error);
	stop(rig);
	lab_stop(server);
}

Test(host_net, has_no_network_where_the_port_has_none) {
	struct rig *rig = make(NETWORK, "scan",
		"function on_target(t)\n"
		"  prtip.add_result('r', {select(2, prtip.connect(t.ip, 80)), "
		"select(2, prtip.tls_probe(t.ip, 80, {}))})\n"
		"end\n");
	struct lh_error err = {0};

	rig->params.network = false;
	cr_assert_eq(begin(rig, &err), 0, "%s", err.text);
	offer(rig, 1);
	cr_expect_str_eq(
		rig->results, "{\"r\":[\"no network on this port\",\"no network on this port\"]}");
	stop(rig);
}

Test(host_net, needs_the_capability) {
	static const char *const calls[]
		= {"connect(t.ip, 1)", "send(1, '')", "receive(1, 1)", "close(1)", "start_tls(1)",
			"tls_info(1)", "tls_probe(t.ip, 1)", "scan_port(t.ip, 1)", "sleep(1)",
			"read_file('a')", "write_file('a', 'b')", "append_file('a', 'b')"};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		char lua[200], wanted[100];
		struct rig *rig;

		snprintf(lua, sizeof(lua), "function on_target(t) prtip.%s end\n", calls[i]);
		snprintf(wanted, sizeof(wanted), "PermissionDenied: %.*s needs capability",
			(int)strcspn(calls[i], "("), calls[i]);
		rig = start_local("", lua);
		offer(rig, 1);
		cr_expect_eq(rig->count[LH_DENIED], 1u, "%s: %s", calls[i], rig->error);
		cr_expect(strstr(rig->error, wanted), "%s", rig->error);
		stop(rig);
	}
}

/* ---- TLS ---- */

#define TLS_VERSIONS                                                                               \
	"function on_target(t)\n"                                                                  \
	"  local s = assert(prtip.connect(t.ip, 4433, {tls = {server_name = 'lab.example',\n"      \
	"    min_version = 'TLSv1.2', max_version = 'TLSv1.2', ciphers = 'ALL',\n"                 \
	"    alpn = {'h2', 'http/1.1'}}}))\n"                                                      \
	"  local info = assert(prtip.tls_info(s))\n"                                               \
	"  assert(prtip.send(s, 'stressed\\n'))\n"                                                 \
	"  local line = ''\n"                                                                      \
	"  while #line < 9 do line = line .. assert(prtip.receive(s, 100)) end\n"                  \
	"  local _, again = prtip.start_tls(s)\n"                                                  \
	"  prtip.add_result('r', {info.protocol, line, again, info.certificate.subject})\n"        \
	"end\n"

static pid_t tls_server(const char *options) {
	char all[200];
	pid_t server;

	lab_certificate("server", "-newkey rsa:2048 -subj /CN=lab.example");
	snprintf(all, sizeof(all), "-cert server.pem -key server.key %s", options);
	server = lab_server(all);
	close(lab_connect());
	return server;
}

Test(host_net, talks_tls) {
	pid_t server = tls_server("-rev -alpn http/1.1");

	expect(NETWORK, TLS_VERSIONS,
		"[\"TLSv1.2\",\"desserts\\n\",\"TLS already\",\"CN=lab.example\"]");
	lab_stop(server);
}

Test(host_net, talks_tls_over_ipv6) {
	pid_t server;

	lab_certificate("server", "-newkey rsa:2048 -subj /CN=lab.example");
	server = lab_server_at("*", "-cert server.pem -key server.key -rev -alpn http/1.1");
	close(lab_connect());
	add_seven();
	expect_at(seven, NETWORK, TLS_VERSIONS,
		"[\"TLSv1.2\",\"desserts\\n\",\"TLS already\",\"CN=lab.example\"]");
	expect_at(seven, NETWORK,
		"function on_target(t)\n"
		"  local hello = assert(prtip.tls_probe(t.ip, 4433, {versions = {'TLSv1.2'}}))\n"
		"  prtip.add_result('r', hello.version)\n"
		"end\n",
		"\"TLSv1.2\"");
	lab_stop(server);
}

Test(host_net, upgrades_to_tls) {
	pid_t server = tls_server("-rev");

	expect(NETWORK,
		"function on_target(t)\n"
		"  local s = assert(prtip.connect(t.ip, 4433))\n"
		"  local none = select(2, prtip.tls_info(s))\n"
		"  assert(prtip.start_tls(s))\n"
		"  prtip.add_result('r', {none, prtip.tls_info(s).protocol})\n"
		"end\n",
		"[\"no TLS on this socket\",\"TLSv1.3\"]");
	lab_stop(server);
}

Test(host_net, moves_megabytes_over_tls) {
	pid_t server = tls_server("-WWW");

	lab_run("head -c 3145728 /dev/zero > big");
	expect(NETWORK,
		"function on_target(t)\n"
		"  local s, sum = assert(prtip.connect(t.ip, 4433, {tls = true})), 0\n"
		"  assert(prtip.send(s, 'GET /big HTTP/1.0\\r\\n\\r\\n'))\n"
		"  while true do\n"
		"    local data = assert(prtip.receive(s, 1e6))\n"
		"    if data == '' then break end\n"
		"    sum = sum + select(2, data:gsub('%z', ''))\n"
		"  end\n"
		"  prtip.add_result('r', sum)\n"
		"end\n",
		"3145728");
	lab_stop(server);
}

Test(host_net, sends_megabytes_over_tls) {
	pid_t server = tls_server("");

	/* More than the socket takes at once, to a server that reads and says nothing. */
	expect(NETWORK,
		"function on_target(t)\n"
		"  local s = assert(prtip.connect(t.ip, 4433, {tls = true}))\n"
		"  local n = assert(prtip.send(s, ('x'):rep(1023) .. '\\n', 5))\n"
		"  for i = 1, 3 do n = n + assert(prtip.send(s, (('x'):rep(1023) .. "
		"'\\n'):rep(2048))) end\n"
		"  prtip.add_result('r', n)\n"
		"end\n",
		"6292480");
	lab_stop(server);
}

Test(host_net, tells_why_tls_failed) {
	pid_t plain = serve(do_nonsense), server = tls_server("-rev -tls1_3");
	struct rig *rig = start_local(NETWORK,
		"local function why(...) return (select(2, prtip.connect(...))) end\n"
		"function on_target(t)\n"
		"  prtip.add_result('plain', why(t.ip, 7000, {tls = true}))\n"
		"  prtip.add_result('version', why(t.ip, 4433, {tls = {max_version = "
		"'TLSv1.2'}}))\n"
		"  prtip.add_result('options', why(t.ip, 4433, {tls = {ciphers = 'no-such'}}))\n"
		"  local s = prtip.connect(t.ip, 7000)\n"
		"  prtip.add_result('upgrade', (select(2, prtip.start_tls(s, {ciphers = "
		"'no-such'}))))\n"
		"end\n");

	offer(rig, 1);
	cr_expect_eq(rig->count[LH_OK], 1u, "%s", rig->error);
	cr_expect(strstr(rig->results, "\"plain\":\""), "%s", rig->results);
	cr_expect(strstr(rig->results, "\"version\":\""), "%s", rig->results);
	cr_expect(strstr(rig->results, "\"options\":\"TLS: out of memory, or options"), "%s",
		rig->results);
	cr_expect(strstr(rig->results, "\"upgrade\":\"TLS: out of memory, or options"), "%s",
		rig->results);
	stop(rig);
	lab_stop(server);
	lab_stop(plain);
}

Test(host_net, probes_tls_with_a_hello_of_its_own) {
	pid_t plain = serve(do_nonsense), server = tls_server("-rev");
	struct rig *rig = start_local(NETWORK,
		"function on_target(t)\n"
		"  local hello = assert(prtip.tls_probe(t.ip, 4433, {versions = {'TLSv1.2'}}))\n"
		"  prtip.add_result('version', hello.version or hello.protocol)\n"
		"  local _, why = prtip.tls_probe(t.ip, 7000, {timeout = 2})\n"
		"  prtip.add_result('plain', tostring(why))\n"
		"  local _, why = prtip.tls_probe(t.ip, 7001)\n"
		"  prtip.add_result('refused', why)\n"
		"end\n");

	offer(rig, 1);
	cr_expect_eq(rig->count[LH_OK], 1u, "%s", rig->error);
	cr_expect(strstr(rig->results, "\"version\":\"TLSv1.2\""), "%s", rig->results);
	cr_expect(strstr(rig->results, "\"refused\":\"Connection refused\""), "%s", rig->results);
	cr_expect(!strstr(rig->results, "\"plain\":\"nil\""), "%s", rig->results);
	stop(rig);
	lab_stop(server);
	lab_stop(plain);
}

/* Says "ready" in the clear to a connection that said "upgrade", then is openssl's server. */
static pid_t upgrading_server(void) {
	static const char *const script
		= "import socket, ssl\n"
		  "tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n"
		  "tls.load_cert_chain('server.pem', 'server.key')\n"
		  "tls.maximum_version = ssl.TLSVersion.TLSv1_2\n"
		  "listener = socket.create_server(('127.0.0.1', 7002), backlog=16)\n"
		  "while True:\n"
		  "    sock = listener.accept()[0]\n"
		  "    if sock.recv(7) == b'upgrade':\n"
		  "        sock.sendall(b'ready')\n"
		  "    try:\n"
		  "        tls.wrap_socket(sock, server_side=True).close()\n"
		  "    except OSError:\n"
		  "        sock.close()\n";
	pid_t pid;

	lab_certificate("server", "-newkey rsa:2048 -subj /CN=lab.example");
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execlp("python3", "python3", "-c", script, NULL);
		_exit(127);
	}
	return pid;
}

Test(host_net, probes_tls_on_a_connection_that_is_there) {
	pid_t server = upgrading_server();

	expect(NETWORK,
		"local function upgraded(t)\n"
		"  local s\n"
		"  for i = 1, 50 do\n"
		"    s = prtip.connect(t.ip, 7002)\n"
		"    if s then break end\n"
		"    prtip.sleep(0.1)\n"
		"  end\n"
		"  prtip.send(s, 'upgrade')\n"
		"  assert(prtip.receive(s, 9) == 'ready')\n"
		"  return s\n"
		"end\n"
		"function on_target(t)\n"
		"  local s = upgraded(t)\n"
		"  local hello = assert(prtip.tls_probe(t.ip, 7002, {sock = s}))\n"
		"  local closed = not pcall(prtip.send, s, 'x')\n"
		"  local none = pcall(prtip.tls_probe, t.ip, 7002, {sock = s})\n"
		"  local no_sock = pcall(prtip.tls_probe, t.ip, 7002, {sock = 5})\n"
		"  s = upgraded(t)\n"
		"  assert(prtip.start_tls(s))\n"
		"  local _, why = prtip.tls_probe(t.ip, 7002, {sock = s})\n"
		"  prtip.add_result('r', {hello.version, closed, none, no_sock, why})\n"
		"end\n",
		"[\"TLSv1.2\",true,false,false,\"TLS already\"]");
	lab_stop(server);
}

/* ---- scan_port ---- */

static struct rig *start_probes(const char *lua) {
	struct rig *rig = start(ANYWHERE, "scan", lua);

	return rig;
}

/* Turn until @n probes were asked for. */
static void await_probes(struct rig *rig, unsigned n) {
	double end = now() + 20;

	while (rig->probes < n && now() < end)
		turn(rig);
	cr_assert_geq(rig->probes, n);
}

static void await_answers(struct rig *rig, unsigned n) {
	double end = now() + 20;

	while (rig->answered < n && now() < end)
		turn(rig);
	cr_assert_eq(rig->answered, n);
}

Test(host_net, scan_port_tells_what_was_found) {
	static const char *const words[] = {"open", "closed", "filtered"};
	struct rig *rig = start_probes("function on_target(t)\n"
				       "  prtip.add_result('r', prtip.scan_port('127.0.0.9', 22))\n"
				       "end\n");

	for (unsigned i = 0; i < 3; i++) {
		char wanted[32];

		snprintf(wanted, sizeof(wanted), "{\"r\":\"%s\"}", words[i]);
		cr_assert(lh_host_submit(rig->host, 0, i));
		await_probes(rig, i + 1);
		lh_host_probed(rig->host, LH_PROBE_TCP, lh_ip_v4(LOOPBACK + 8), 23,
			LH_PROBE_OPEN); /* another one's */
		lh_host_probed(rig->host, LH_PROBE_TCP, lh_ip_v4(LOOPBACK + 8), 22,
			(enum lh_probe_state)i);
		await_answers(rig, i + 1);
		cr_expect_str_eq(rig->results, wanted);
	}
	stop(rig);
}

Test(host_net, scan_port_sends_udp) {
	struct rig *rig = start_probes("function on_target(t)\n"
				       "  prtip.add_result('r', prtip.scan_port('2001:db8::7', 53, "
				       "'udp'))\n"
				       "end\n");

	cr_assert(lh_host_submit(rig->host, 0, 0));
	await_probes(rig, 1);
	cr_expect_eq(rig->probed, LH_PROBE_UDP);
	lh_host_probed(rig->host, LH_PROBE_TCP, seven, 53, LH_PROBE_OPEN); /* another one's */
	lh_host_probed(rig->host, LH_PROBE_UDP, seven, 53, LH_PROBE_CLOSED);
	await_answers(rig, 1);
	cr_expect_str_eq(rig->results, "{\"r\":\"closed\"}");
	stop(rig);
}

Test(host_net, scan_port_without_an_answer_or_out_of_scope) {
	struct rig *rig = start_probes("function on_target(t)\n"
				       "  local a = prtip.scan_port('127.0.0.9', 22)\n"
				       "  local _, b = prtip.scan_port('10.0.0.1', 22)\n"
				       "  prtip.add_result('r', {a, b})\n"
				       "end\n");

	cr_assert(lh_host_submit(rig->host, 0, 0));
	await_probes(rig, 1);
	await_answers(rig, 1);
	cr_expect_str_eq(rig->results, "{\"r\":[\"no-answer\",\"denied\"]}");
	stop(rig);
}

Test(host_net, scan_port_waits_for_its_turn) {
	struct rig *rig = start_probes("function on_target(t)\n"
				       "  prtip.add_result('r', prtip.scan_port('127.0.0.9', 22))\n"
				       "end\n");

	rig->deaf = true;
	cr_assert(lh_host_submit(rig->host, 0, 0));
	await_probes(rig, 3);
	lh_host_probed(rig->host, LH_PROBE_TCP, lh_ip_v4(LOOPBACK + 8), 22,
		LH_PROBE_CLOSED); /* of one that was not sent */
	rig->deaf = false;
	await_probes(rig, rig->probes + 1);
	lh_host_probed(rig->host, LH_PROBE_TCP, lh_ip_v4(LOOPBACK + 8), 22, LH_PROBE_OPEN);
	await_answers(rig, 1);
	cr_expect_str_eq(rig->results, "{\"r\":\"open\"}");
	stop(rig);
}

Test(host_net, scan_port_is_forgotten_with_its_lane) {
	struct rig *rig = start_probes("local probing\n"
				       "function on_target(t)\n"
				       "  if t.port == 2 then while true do end end\n"
				       "  prtip.add_result('r', prtip.scan_port('127.0.0.9', 22))\n"
				       "end\n");

	cr_assert(lh_host_submit(rig->host, 0, 0));
	await_probes(rig, 1);
	cr_assert(lh_host_submit(rig->host, 0, 1));
	await_answers(rig, 1); /* the loop's */
	await_probes(rig, 2); /* again, from the spare */
	lh_host_probed(rig->host, LH_PROBE_TCP, lh_ip_v4(LOOPBACK + 8), 22, LH_PROBE_OPEN);
	await_answers(rig, 2);
	cr_expect_eq(rig->count[LH_INSTRUCTIONS], 1u);
	cr_expect_eq(rig->count[LH_OK], 1u);
	stop(rig);
}

/* ---- Files ---- */

#define FILES "capabilities = [\"filesystem\"]\n"

Test(host_net, reads_and_writes_files) {
	expect(FILES,
		"function on_target(t)\n"
		"  assert(prtip.write_file('a', 'one'))\n"
		"  assert(prtip.append_file('a', ('x'):rep(10000)))\n"
		"  assert(prtip.write_file('empty', ''))\n"
		"  local _, why = prtip.read_file('none')\n"
		"  local _, out = prtip.read_file('../../../etc/passwd')\n"
		"  local _, abs = prtip.write_file('/etc/passwd', 'x')\n"
		"  prtip.add_result('r', {#prtip.read_file('a'), prtip.read_file('empty'), why, "
		"out, abs})\n"
		"end\n",
		"[10003,\"\",\"No such file or directory\",\"denied\",\"denied\"]");
}

Test(host_net, a_file_larger_than_the_vm_is_not_read) {
	struct rig *rig = start_local(FILES "[plugin.limits]\nmemory_mb = 16\n",
		"function on_target(t)\n"
		"  prtip.add_result('r', select(2, prtip.read_file('big')))\n"
		"end\n");

	lab_run("mkdir -p %s/victim && truncate -s 64M %s/victim/big", rig->data, rig->data);
	offer(rig, 1);
	cr_expect_str_eq(rig->results, "{\"r\":\"file too large\"}", "%s", rig->error);
	stop(rig);
}

Test(host_net, a_full_disk_is_told) {
	struct rig *rig = make(FILES, "scan",
		"function on_target(t)\n"
		"  prtip.add_result('r', select(2, prtip.write_file('a', ('x'):rep(1e6))))\n"
		"end\n");
	struct lh_error err = {0};

	/* A small disk that nobody else sees, and that goes with this process. */
	lab_run("mkdir -p %s", rig->data);
	cr_assert_eq(unshare(CLONE_NEWNS), 0);
	cr_assert_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	cr_assert_eq(mount("none", rig->data, "tmpfs", 0, "size=64k"), 0);
	cr_assert_eq(begin(rig, &err), 0, "%s", err.text);
	offer(rig, 1);
	lh_host_stop(rig->host);
	cr_expect_eq(umount(rig->data), 0);
	cr_expect_str_eq(rig->results, "{\"r\":\"No space left on device\"}", "%s", rig->error);
	stop(rig);
}

Test(host_net, exports) {
	struct rig *rig = make("", "output",
		"function export(results, path)\n"
		"  local lines = {}\n"
		"  for i, r in prtip.each(results) do lines[#lines + 1] = r.ip end\n"
		"  assert(prtip.write_file(path, table.concat(lines, ' ')))\n"
		"  assert(prtip.append_file(path, '.'))\n"
		"  local ok, why = pcall(prtip.write_file, 'other', 'x')\n"
		"  assert(not ok and why:find('PermissionDenied'))\n"
		"end\n");
	struct lh_error err = {0};
	char path[100], text[200];
	int fd;

	snprintf(path, sizeof(path), "%s/out.txt", rig->base);
	rig->enabled.output_path = path;
	rig->nb_results = 3;
	cr_assert_eq(begin(rig, &err), 0, "%s", err.text);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	cr_assert_geq(fd, 0);
	cr_assert_eq(lh_host_output(rig->host, 0, fd), 0);
	cr_assert_eq(lh_host_output(rig->host, 0, fd), 0); /* again: the former one goes */
	phase(rig, LH_HOOK_EXPORT, 3);
	cr_expect_eq(rig->phase_status, LH_OK, "%s", rig->error);
	text[pread(fd, text, sizeof(text) - 1, 0)] = '\0';
	cr_expect_str_eq(text, "198.18.0.0 198.18.0.1 198.18.0.2.");
	close(fd);
	stop(rig);
}
