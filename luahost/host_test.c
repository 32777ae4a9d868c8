/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The plugin host with real warden and lanes: what becomes of results, whatever a plugin does.
 */
#include "host_rig.h"

#include <stdio.h>

/* ---- Results ---- */

Test(host, answers_each_result_once) {
	struct rig *rig = start("", "scan", "function on_target(t, r) end\n");

	offer(rig, 50000);
	cr_expect_eq(rig->count[LH_OK], 50000u);
	cr_expect(lh_host_idle(rig->host));
	stop(rig);
}

Test(host, gives_the_fields_of_a_result) {
	struct rig *rig = start("", "scan",
		"function on_target(t, r)\n"
		"  prtip.add_result('a', table.concat({t.ip, t.port, t.protocol, r.state, r.reason,"
		" r.ttl, r.rtt_us, r.ts, tostring(r.banner), tostring(r.nothing)}, ' '))\n"
		"end\n");

	offer(rig, 1);
	cr_expect_str_eq(rig->results,
		"{\"a\":\"198.18.0.0 1 tcp open syn-ack 64 412 1970-01-01T00:00:01.000000Z nil "
		"nil\"}");
	stop(rig);
}

/* What is not there is nil, in each way to ask. */
Test(host, gives_the_fields_of_a_result_without_a_port) {
	struct rig *rig = start("", "scan",
		"function on_target(t, r)\n"
		"  local n = 0 for k, v in pairs(r) do n = n + (k == 'port' and 1 or 0) end\n"
		"  prtip.add_result('a', table.concat({t.ip, tostring(t.port), t.protocol, r.state,"
		" r.reason, tostring(prtip.target_info.port), n, tostring(r)}, ' '))\n"
		"end\n");

	rig->ip = lh_ip_v6(UINT64_C(0x20010db8) << 32, 0xa);
	rig->portless = true;
	offer(rig, 1);
	cr_expect_str_eq(rig->results,
		"{\"a\":\"2001:db8::a nil icmp unfiltered echo-reply nil 0 2001:db8::a/icmp\"}");
	stop(rig);
}

Test(host, gives_the_fields_of_a_fake_open_port) {
	struct rig *rig = start("", "scan",
		"function on_target(t, r)\n"
		"  prtip.add_result('a', {tostring(r.zero_window), tostring(t), r.port})\n"
		"end\n");

	rig->ip = lh_ip_v6(UINT64_C(0x20010db8) << 32, 0xa);
	rig->zero_window = true;
	offer(rig, 1);
	cr_expect_str_eq(rig->results, "{\"a\":[\"true\",\"[2001:db8::a]:1/tcp\",1]}");
	rig->zero_window = false;
	rig->ip = 0;
	rig->answered = 0;
	offer(rig, 1);
	cr_expect_str_eq(rig->results, "{\"a\":[\"nil\",\"198.18.0.0:1/tcp\",1]}");
	stop(rig);
}

Test(host, keeps_the_last_value_of_a_key) {
	struct rig *rig = start("", "scan",
		"function on_target(t, r)\n"
		"  prtip.add_result('k', 1) prtip.add_result('l', {}) prtip.add_result('k', "
		"{1,2})\n"
		"end\n");

	offer(rig, 1);
	cr_expect_str_eq(rig->results, "{\"l\":{},\"k\":[1,2]}");
	stop(rig);
}

static void expect_all(const char *lua, unsigned n, enum lh_status status) {
	struct rig *rig = start("", "scan", lua);

	offer(rig, n);
	cr_expect_eq(rig->count[status], n, "%u ok, %u error, %u of status %d: %s %s",
		rig->count[LH_OK], rig->count[LH_ERROR], rig->count[status], (int)status,
		rig->error, rig->log);
	stop(rig);
}

/* What one result was given does not count for the next one in its place. */
Test(host, gives_each_result_its_own_room) {
	expect_all("function on_target() prtip.add_result('k', ('x'):rep(60000)) end\n", 20, LH_OK);
}

Test(host, goes_through_the_fields_of_a_result) {
	expect_all("function on_target(t, r)\n"
		   "  local seen = {} for k, v in pairs(r) do seen[k] = v end\n"
		   "  assert(seen.ip == r.ip and seen.port == r.port and seen.state == 'open')\n"
		   "end\n",
		3, LH_OK);
}

Test(host, refuses_text_without_end) {
	struct rig *rig = start(
		"", "output", "function format_result(r) return ('x'):rep(17 * 2^20) end\n");

	offer(rig, 2);
	cr_expect_eq(rig->count[LH_ERROR], 2u);
	cr_expect(strstr(rig->error, "16 MiB"), "%s", rig->error);
	stop(rig);
}

Test(host, refines_the_service) {
	struct rig *rig = make("", "detection",
		"function analyze_banner(b)\n"
		"  return {service='http', product='nginx', version=b:match('nginx/(%S+)'), "
		"confidence=0.9}\n"
		"end\n"
		"function probe_service(t) return {service='never', confidence=1} end\n");
	struct lh_error err;

	rig->banner = "Server: nginx/1.22.1 ";
	cr_assert_eq(begin(rig, &err), 0);
	offer(rig, 1);
	cr_assert(rig->has_service);
	cr_expect_str_eq(rig->service.name, "http");
	cr_expect_str_eq(rig->service.version, "1.22.1");
	stop(rig);
}

Test(host, formats) {
	struct rig *rig
		= start("", "output", "function format_result(r) return r.ip .. '\\n' end\n");

	offer(rig, 1);
	cr_expect_str_eq(rig->text, "198.18.0.0\n");
	stop(rig);
}

/* ---- Statuses ---- */

Test(host, tells_errors) {
	struct rig *rig = start("", "scan", "function on_target() error('oops') end\n");

	offer(rig, 3);
	cr_expect_eq(rig->count[LH_ERROR], 3u);
	cr_expect(strstr(rig->error, "main.lua:1: oops"), "%s", rig->error);
	stop(rig);
}

Test(host, tells_denials) {
	expect_all("function on_target(t) prtip.connect(t.ip, 80) end\n", 3, LH_DENIED);
}

Test(host, tells_memory) {
#ifdef __SANITIZE_THREAD__
	cr_skip_test("too slow: the limit of time comes first");
#endif
	expect_all("function on_target(t) local s = 'x' while true do s = s .. s end end\n", 3,
		LH_MEMORY);
}

Test(host, ends_loops) {
	expect_all("function on_target(t) while true do end end\n", 4, LH_INSTRUCTIONS);
}

Test(host, ends_loops_behind_pcall) {
	expect_all(
		"function on_target(t) while true do pcall(function() while true do end end) end "
		"end\n",
		4, LH_INSTRUCTIONS);
}

Test(host, ends_pattern_bombs) {
	expect_all("function on_target(t) local s = ('a'):rep(200) "
		   "s:find(('a*'):rep(50) .. 'b') end\n",
		2, LH_TIMEOUT);
}

Test(host, ends_recursion_at_the_edge) {
	expect_all("function on_target(t) local function f() pcall(f) pcall(f) return f() end f() "
		   "end\n",
		2, LH_TIMEOUT);
}

Test(host, counts_instructions_of_many_slices) {
	struct rig *rig = start("capabilities = [\"network\"]\n", "scan",
		"function on_target(t)\n"
		"  for i = 1, 2200 do for j = 1, 900 do end prtip.sleep(0) end\n"
		"end\n");

	offer(rig, 2);
	cr_expect_eq(rig->count[LH_INSTRUCTIONS], 2u, "%u ok", rig->count[LH_OK]);
	stop(rig);
}

Test(host, never_stops_at_half_the_limit) {
	struct rig *rig = start("capabilities = [\"network\"]\n", "scan",
		"function on_target(t)\n"
		"  for i = 1, 500 do for j = 1, 900 do end prtip.sleep(0) end\n"
		"end\n");

	offer(rig, 20);
	cr_expect_eq(rig->count[LH_OK], 20u, "%s", rig->error);
	stop(rig);
}

Test(host, ends_sleepers) {
	struct rig *rig = start("capabilities = [\"network\"]\n", "scan",
		"function on_target(t) prtip.sleep(1000) end\n");

	offer(rig, 5);
	cr_expect_eq(rig->count[LH_TIMEOUT], 5u);
	stop(rig);
}

Test(host, others_go_on_when_one_dies) {
	struct rig *rig = start("", "scan",
		"function on_target(t) if t.port == 500 then while true do end end end\n");

	offer(rig, 2000);
	cr_expect_eq(rig->count[LH_INSTRUCTIONS], 1u);
	cr_expect_eq(rig->count[LH_OK], 1999u);
	cr_expect_eq(rig->status[499], LH_INSTRUCTIONS + 1);
	stop(rig);
}

Test(host, puts_repeat_offenders_in_quarantine) {
	struct rig *rig = start("", "scan", "function on_target(t) while true do end end\n");

	offer(rig, 100);
	cr_expect_eq(rig->count[LH_INSTRUCTIONS] + rig->count[LH_SKIPPED], 100u);
	cr_expect_gt(rig->count[LH_SKIPPED], 0u);
	cr_expect(strstr(rig->log, "quarantine"), "%s", rig->log);
	stop(rig);
}

Test(host, waiting_conversations_start_again_once) {
	struct rig *rig = start("capabilities = [\"network\"]\n", "scan",
		"function on_target(t)\n"
		"  prtip.sleep(0.2)\n"
		"  if t.port == 7 then while true do end end\n"
		"  prtip.add_result('done', true)\n"
		"end\n");

	offer(rig, 100);
	cr_expect_eq(rig->count[LH_INSTRUCTIONS], 1u);
	cr_expect_eq(rig->count[LH_OK], 99u);
	stop(rig);
}

/* ---- Loading ---- */

static void expect_load_error(const char *lua, const char *piece) {
	struct rig *rig = make("", "scan", lua);
	struct lh_error err = {0};

	cr_assert_neq(begin(rig, &err), 0);
	cr_expect(err.usage);
	cr_expect(strstr(err.text, piece), "%s", err.text);
	stop(rig);
}

Test(host, on_load_can_refuse) {
	expect_load_error("function on_load(c) return 'no such thing' end\n"
			  "function on_target() end\n",
		"no such thing");
}

/* What it says is one line that steers no terminal. */
Test(host, refusal_is_plain_text) {
	expect_load_error("function on_load() return 'a\\27[1m\\nb\\127\\194\\155c' end\n"
			  "function on_target() end\n",
		"victim: a [1m b   c");
}

Test(host, main_can_fail) {
	expect_load_error("function on_target() end error('in main')\n", "in main");
}

Test(host, loading_ends) {
	expect_load_error("function on_target() end while true do end\n", "cpu_seconds");
}

Test(host, loading_has_a_memory_limit) {
	struct rig *rig = make("[plugin.limits]\nmemory_mb = 8\n", "scan",
		"function on_target() end local t = {} for i = 1, 1e9 do t[i] = {} end\n");
	struct lh_error err = {0};

	cr_assert_neq(begin(rig, &err), 0);
	cr_expect(strstr(err.text, "memory"), "%s", err.text);
	stop(rig);
}

/* ---- Phases ---- */

Test(host, narrows) {
	struct rig *rig = start("", "scan",
		"function on_pre_scan(targets)\n"
		"  assert(#targets == 100000000 and targets[5000].port == 80)\n"
		"  assert(targets[100000000].ip == '5.245.224.255', targets[100000000].ip)\n"
		"  assert(targets[100000001] == nil)\n"
		"  return {ports = '80', exclude = {'198.18.0.1', '198.18.1.0/24'}}\n"
		"end\n");

	phase(rig, LH_HOOK_ON_PRE_SCAN, 100000000);
	cr_expect_eq(rig->phase_status, LH_OK, "%s", rig->error);
	cr_expect_str_eq(rig->ports, "80");
	cr_expect_str_eq(rig->exclude, "198.18.0.1, 198.18.1.0/24");
	stop(rig);
}

Test(host, walks_through_results) {
	struct rig *rig = start("", "scan",
		"function on_post_scan(results)\n"
		"  local n, sum = 0, 0\n"
		"  for i, r in prtip.each(results) do n = n + 1 sum = sum + r.port end\n"
		"  assert(n == 200000 and n == #results)\n"
		"  prtip.log('info', 'sum ' .. sum)\n"
		"end\n");

	rig->nb_results = 200000;
	phase(rig, LH_HOOK_ON_POST_SCAN, rig->nb_results);
	cr_expect_eq(rig->phase_status, LH_OK, "%s", rig->error);
	cr_expect(strstr(rig->log, "1 victim: sum 5600100000"), "%s", rig->log);
	stop(rig);
}

/* ---- Processes ---- */

/* Number of our children. */
static unsigned children(void) {
	char path[64], text[400] = "";
	unsigned n = 0;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	in = fopen(path, "r");
	cr_assert(in);
	cr_expect(fgets(text, sizeof(text), in) || feof(in));
	fclose(in);
	for (const char *at = text; *at; at++)
		n += *at == ' ';
	return n;
}

Test(host, leaves_no_process) {
	struct rig *rig = start("", "scan", "function on_target(t) end\n");

	cr_expect_eq(children(), 1u);
	lh_host_stop(rig->host);
	cr_expect_eq(children(), 0u);
	stop(rig);
}

Test(host, calls_on_unload) {
	struct rig *rig = start("", "scan",
		"function on_target(t) end\nfunction on_unload() prtip.log('info', 'bye') end\n");

	lh_host_stop(rig->host);
	cr_expect(strstr(rig->log, "1 victim: bye"), "%s", rig->log);
	stop(rig);
}
