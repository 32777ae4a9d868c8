/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The plugin host when things end: deaths of lanes and of the warden, results given up, phases; and
 * what hooks return.
 */
#include "host_rig.h"
#include "lock_parts.h"

#include <signal.h>
#include <stdio.h>

#define NETWORK "capabilities = [\"network\"]\n"

static void turn_for(struct rig *rig, double seconds) {
	double end = now() + seconds;

	while (now() < end)
		turn(rig);
}

/* Processes whose name begins with @name and whose parent is @parent (0: any): the first one. */
static pid_t find_process(const char *name, pid_t parent) {
	char command[200], text[32] = "";
	FILE *pipe;

	snprintf(command, sizeof(command), "pgrep -f '^%s' %s%d | head -1", name,
		parent ? "-P " : "-u ", parent);
	pipe = popen(command, "r");
	cr_assert(pipe);
	if (!fgets(text, sizeof(text), pipe))
		text[0] = '\0';
	pclose(pipe);
	return atoi(text);
}

/* ---- Giving up ---- */

Test(host_flow, gives_up_and_goes_on) {
	struct rig *rig = start(NETWORK, "scan",
		"local n = 0\n"
		"function on_target(t) n = n + 1 prtip.sleep(0.3) prtip.add_result('late', 1) end\n"
		"function on_post_scan(r) prtip.log('info', 'saw ' .. n) end\n"
		"function on_unload() prtip.log('info', 'bye') end\n");

	for (unsigned i = 0; i < 50; i++)
		cr_assert(lh_host_submit(rig->host, 0, i));
	cr_expect_eq(lh_host_lag(rig->host, 0), 50u);
	turn_for(rig, 0.1);
	lh_host_give_up(rig->host, 0);
	offer(rig, 0);
	while (!lh_host_idle(rig->host))
		turn(rig);
	cr_expect_eq(rig->count[LH_SKIPPED], 50u);
	/* The lane still answers what nobody asks any more: that is no crime. */
	turn_for(rig, 0.5);
	cr_expect_eq(rig->answered, 50u);
	phase(rig, LH_HOOK_ON_POST_SCAN, 0);
	cr_expect_eq(rig->phase_status, LH_OK);
	lh_host_stop(rig->host);
	cr_expect(strstr(rig->log, "saw 50"), "%s", rig->log);
	cr_expect(strstr(rig->log, "bye"), "%s", rig->log);
	cr_expect(!strstr(rig->log, "nonsense"), "%s", rig->log);
	stop(rig);
}

Test(host_flow, a_lane_that_dies_with_given_up_results_is_replaced) {
	struct rig *rig = start(NETWORK, "scan",
		"function on_target(t)\n"
		"  if t.port > 5 then return end\n"
		"  prtip.sleep(0.3)\n"
		"  while true do end\n"
		"end\n");

	for (unsigned i = 0; i < 5; i++)
		cr_assert(lh_host_submit(rig->host, 0, i));
	turn_for(rig, 0.1);
	lh_host_give_up(rig->host, 0);
	turn_for(rig, 0.5);
	cr_expect_eq(rig->count[LH_SKIPPED], 5u);
	cr_expect_eq(rig->answered, 5u);
	cr_assert(lh_host_submit(rig->host, 0, 10));
	while (rig->answered < 6)
		turn(rig);
	cr_expect_eq(rig->count[LH_OK], 1u);
	stop(rig);
}

Test(host_flow, gives_up_a_phase) {
	struct rig *rig
		= start(NETWORK, "scan", "function on_post_scan(r) prtip.sleep(1000) end\n");

	cr_assert_eq(lh_host_phase(rig->host, 0, LH_HOOK_ON_POST_SCAN, 0), 0);
	turn_for(rig, 0.1);
	cr_expect(!lh_host_idle(rig->host));
	lh_host_give_up(rig->host, 0);
	turn(rig);
	cr_expect(rig->phase_ended);
	cr_expect_eq(rig->phase_status, LH_SKIPPED);
	stop(rig);
}

Test(host_flow, gives_up_a_phase_that_has_not_begun) {
	struct rig *rig = start("", "scan", "function on_post_scan(r) end\n");

	cr_assert_eq(lh_host_phase(rig->host, 0, LH_HOOK_ON_POST_SCAN, 0), 0);
	lh_host_give_up(rig->host, 0);
	turn(rig);
	cr_expect_eq(rig->phase_status, LH_SKIPPED);
	cr_expect_eq(lh_host_phase(rig->host, 0, LH_HOOK_EXPORT, 0), -ENOENT);
	stop(rig);
}

Test(host_flow, takes_no_more_than_the_queue) {
	struct rig *rig = make(NETWORK, "scan", "function on_target(t) prtip.sleep(0.05) end\n");
	struct lh_error err = {0};

	rig->params.queue = 10;
	cr_assert_eq(begin(rig, &err), 0, "%s", err.text);
	for (unsigned i = 0; i < 10; i++)
		cr_assert(lh_host_submit(rig->host, 0, i));
	cr_expect(!lh_host_submit(rig->host, 0, 10));
	while (rig->answered < 10)
		turn(rig);
	cr_expect(lh_host_submit(rig->host, 0, 10));
	stop(rig);
}

/* ---- Deaths ---- */

Test(host_flow, ends_with_the_warden) {
	struct rig *rig = start(NETWORK, "scan", "function on_target(t) prtip.sleep(100) end\n");
	pid_t warden = find_process("prtip-dp: warden", getpid());
	struct lh_plugin_stats stats;

	if (!warden) /* without space for a name */
		warden = find_process("", getpid());
	cr_assert_gt(warden, 0);
	for (unsigned i = 0; i < 20; i++)
		cr_assert(lh_host_submit(rig->host, 0, i));
	turn_for(rig, 0.1);
	kill(warden, SIGKILL);
	while (rig->answered < 20)
		turn(rig);
	cr_expect_eq(rig->count[LH_OK], 0u);
	cr_expect(strstr(rig->log, "the process that runs the plugins died"), "%s", rig->log);
	cr_assert(lh_host_submit(rig->host, 0, 20));
	turn(rig);
	cr_expect_eq(rig->count[LH_SKIPPED], 20u);
	cr_expect_eq(lh_host_phase(rig->host, 0, LH_HOOK_ON_TARGET, 0), 0);
	turn(rig);
	cr_expect_eq(rig->phase_status, LH_SKIPPED);
	cr_expect_eq(lh_host_output(rig->host, 0, 1), -EPIPE);
	lh_host_stats(rig->host, 0, &stats);
	cr_expect(stats.quarantined);
	stop(rig);
}

Test(host_flow, a_lane_that_is_killed_from_outside) {
	struct rig *rig = start(NETWORK, "scan",
		"function on_target(t) prtip.sleep(0.4) prtip.add_result('r', 1) end\n");
	struct lh_plugin_stats stats;
	pid_t warden = find_process("", getpid()), lane;

	for (unsigned i = 0; i < 20; i++)
		cr_assert(lh_host_submit(rig->host, 0, i));
	turn_for(rig, 0.1);
	lane = find_process("", warden);
	cr_assert_gt(lane, 0);
	kill(lane, SIGKILL);
	while (rig->answered < 20)
		turn(rig);
	/* All that waited start again, but for the one whose code ran last. */
	cr_expect_geq(rig->count[LH_OK], 19u);
	cr_expect_eq(rig->count[LH_OK] + rig->count[LH_KILLED], 20u);
	lh_host_stats(rig->host, 0, &stats);
	cr_expect_eq(stats.deaths, 1u);
	cr_expect(!stats.quarantined);
	lh_host_stop(rig->host);
	lh_host_stats(rig->host, 0, &stats);
	cr_expect_gt(stats.lane_cpu_s, 0);
	stop(rig);
}

/* Of a lane that runs, and not less once it is gone. */
Test(host_flow, processor_time_under_way) {
	struct rig *rig = start(NETWORK, "scan", "function on_target(t) prtip.sleep(0.01) end\n");
	struct lh_plugin_stats stats;
	double before;

	cr_assert(lh_host_submit(rig->host, 0, 0));
	turn_for(rig, 0.6);
	lh_host_stats(rig->host, 0, &stats);
	cr_expect_eq(stats.deaths, 0u);
	cr_expect_gt(stats.lane_cpu_s, 0);
	before = stats.lane_cpu_s;
	kill(find_process("", find_process("", getpid())), SIGKILL);
	while (!stats.deaths) {
		turn(rig);
		lh_host_stats(rig->host, 0, &stats);
		cr_expect_geq(stats.lane_cpu_s, before);
		before = stats.lane_cpu_s;
	}
	stop(rig);
}

Test(host_flow, a_second_death_is_the_last) {
	struct rig *rig = start(NETWORK, "scan",
		"function on_target(t)\n"
		"  if t.port % 2 == 1 then prtip.sleep(0.2) while true do end end\n"
		"  prtip.sleep(1000)\n"
		"end\n");

	offer(rig, 8);
	cr_expect_gt(rig->count[LH_INSTRUCTIONS], 0u);
	cr_expect_gt(rig->count[LH_KILLED], 0u, "%s", rig->log);
	cr_expect_eq(rig->count[LH_OK], 0u);
	stop(rig);
}

Test(host_flow, several_lanes_share_the_results) {
	struct rig *rig = make(NETWORK, "scan",
		"local n = 0\n"
		"function on_target(t) n = n + 1 prtip.sleep(0.01) end\n"
		"function on_unload() prtip.log('info', 'had ' .. n) end\n");
	struct lh_error err = {0};
	const char *first;

	rig->params.lanes = 3;
	cr_assert_eq(begin(rig, &err), 0, "%s", err.text);
	offer(rig, 999);
	lh_host_stop(rig->host);
	cr_expect(!strstr(rig->log, "had 999"), "%s", rig->log);
	first = strstr(rig->log, "had ");
	cr_assert(first);
	cr_expect(strstr(first + 1, "had "), "%s", rig->log);
	stop(rig);
}

Test(host_flow, a_phase_dies_with_its_lane) {
	struct rig *rig = start("", "scan", "function on_post_scan(r) while true do end end\n");

	phase(rig, LH_HOOK_ON_POST_SCAN, 0);
	cr_expect_eq(rig->phase_status, LH_INSTRUCTIONS);
	cr_expect_str_eq(rig->error, "over the limit of instructions");
	stop(rig);
}

Test(host_flow, a_phase_ends_after_phase_seconds) {
	struct rig *rig = start(NETWORK "[plugin.limits]\nphase_seconds = 1\n", "scan",
		"function on_post_scan(r) prtip.sleep(1000) end\n");

	phase(rig, LH_HOOK_ON_POST_SCAN, 0);
	cr_expect_eq(rig->phase_status, LH_TIMEOUT);
	stop(rig);
}

Test(host_flow, on_unload_cannot_hold_it_up) {
	struct rig *rig = start(NETWORK "[plugin.limits]\nphase_seconds = 1\n", "scan",
		"function on_target() end\n"
		"function on_unload() while true do pcall(string.rep, 'x', 1000) end end\n");
	double begin_s = now();

	lh_host_stop(rig->host);
	cr_expect_lt(now() - begin_s, 20);
	stop(rig);
}

/* ---- Log ---- */

Test(host_flow, a_flood_of_lines_is_counted) {
	struct rig *rig = start("", "scan",
		"function on_target(t) for i = 1, 500 do prtip.log('warn', 'line') end end\n");
	struct lh_plugin_stats stats;

	offer(rig, 1);
	lh_host_stats(rig->host, 0, &stats);
	cr_expect_geq(stats.log_suppressed, 350u);
	stop(rig);
}

Test(host_flow, a_line_is_one_line) {
	struct rig *rig = start("", "scan",
		"function on_target(t)\n"
		"  prtip.log('debug', 'a\\nb\\27[2J\\127c')\n"
		"  prtip.log('error', ('y'):rep(5000))\n"
		"  prtip.log('warn', 'cut \\xc3')\n"
		"end\n");

	offer(rig, 1);
	cr_expect(strstr(rig->log, "0 victim: a b [2J c\n"), "%s", rig->log);
	cr_expect(strstr(rig->log, "2 victim: cut \n"), "%s", rig->log);
	cr_expect_lt(strlen(rig->log), 2000u);
	stop(rig);
}

/* ---- Sequences ---- */

static void walk(const char *type, enum lh_hook hook, uint64_t count, const char *lua) {
	struct rig *rig = start("", type, lua);

	rig->nb_results = count;
	rig->banner = "SSH-2.0-test";
	rig->known = &(struct lh_service){.name = "ssh", .product = "test", .confidence = 0.5};
	rig->others = "{\"other\":{\"status\":\"ok\"}}";
	phase(rig, hook, count);
	cr_expect_eq(rig->phase_status, LH_OK, "%s", rig->error);
	stop(rig);
}

Test(host_flow, a_sequence_is_read_as_often_as_wanted_in_any_order) {
	walk("scan", LH_HOOK_ON_POST_SCAN, 5000,
		"function on_post_scan(results)\n"
		"  for round = 1, 2 do\n"
		"    local n = 0\n"
		"    for i, r in prtip.each(results) do n = n + 1 assert(r.port == i) end\n"
		"    assert(n == 5000)\n"
		"  end\n"
		"  for i = 5000, 1, -617 do assert(results[i].port == i) end\n"
		"  for _, i in ipairs{1, 4999, 2, 3000, 5000} do assert(results[i].port == i) end\n"
		"  assert(results[0] == nil and results[5001] == nil and results[1.5] == nil)\n"
		"  assert(results.x == nil and results[0/0] == nil and results[-1] == nil)\n"
		"  local r, kept = results[7], results[8]\n"
		"  assert(r.banner == 'SSH-2.0-test' and r.service == 'ssh' and r.version == nil)\n"
		"  assert(r.plugins.other.status == 'ok' and r.confidence == 0.5\n"
		"    and r.source == 'builtin')\n"
		"  for i = 1, 5000, 500 do local _ = results[i].ip end\n"
		"  assert(kept.ip == '198.18.0.7' and kept.product == 'test')\n"
		"  local n = 0\n"
		"  for k, v in pairs(kept) do n = n + 1 assert(kept[k] ~= nil) end\n"
		"  assert(n >= 12, n)\n"
		"  assert(tostring(kept) == '198.18.0.7:8/tcp', tostring(kept))\n"
		"  assert(not pcall(function() results[1] = 1 end))\n"
		"end\n");
}

Test(host_flow, targets_are_pairs) {
	walk("scan", LH_HOOK_ON_PRE_SCAN, 100000000,
		"function on_pre_scan(targets)\n"
		"  local t = targets[99999999]\n"
		"  assert(t.port == 80 and t.protocol == 'tcp' and t.state == nil and t.nope == "
		"nil)\n"
		"  assert(tostring(targets[1]) == '0.0.0.0:80/tcp')\n"
		"  local n = 0\n"
		"  for k in pairs(t) do n = n + 1 end\n"
		"  assert(n == 4)\n"
		"  assert(prtip.get_target() == nil and prtip.target_info.ip == nil)\n"
		"  assert(not pcall(prtip.add_result, 'a', 1))\n"
		"end\n");
}

Test(host_flow, an_element_may_be_missing) {
	struct rig *rig = start("", "scan",
		"function on_post_scan(results) assert(results[11] == nil and results[10]) end\n");

	rig->nb_results = 10; /* but more were promised */
	phase(rig, LH_HOOK_ON_POST_SCAN, 20);
	cr_expect_eq(rig->phase_status, LH_OK, "%s", rig->error);
	stop(rig);
}

Test(host_flow, long_results_come_without_the_other_plugins_part) {
	struct rig *rig = start("", "scan",
		"function on_target(t, r) prtip.add_result('r', r.plugins == nil) end\n"
		"function on_post_scan(results)\n"
		"  for i = 1, 3 do assert(results[i].plugins == nil) end\n"
		"end\n");
	char *others = malloc(600001);

	memset(others, ' ', 600000);
	memcpy(others, "{\"a\":\"", 6);
	memset(others + 6, 'x', 600000 - 8);
	memcpy(others + 600000 - 2, "\"}", 3);
	rig->others = others;
	rig->nb_results = 3;
	offer(rig, 1);
	cr_expect_str_eq(rig->results, "{\"r\":true}");
	phase(rig, LH_HOOK_ON_POST_SCAN, 3);
	cr_expect_eq(rig->phase_status, LH_OK, "%s", rig->error);
	cr_expect(strstr(rig->log, "is shown without"), "%s", rig->log);
	rig->others = NULL;
	free(others);
	stop(rig);
}

Test(host_flow, what_is_kept_beyond_its_time_says_so) {
	struct rig *rig = start("", "scan",
		"local kept, seq\n"
		"function on_pre_scan(targets) seq = targets end\n"
		"function on_target(t)\n"
		"  if kept then\n"
		"    local ok, why = pcall(function() return kept.ip end)\n"
		"    assert(not ok and why:find('this result is over'), why)\n"
		"    ok, why = pcall(function() return seq[1] end)\n"
		"    assert(not ok and why:find('this sequence is over'), why)\n"
		"    ok, why = pcall(function() return #seq end)\n"
		"    assert(not ok and why:find('this sequence is over'), why)\n"
		"  end\n"
		"  kept = t\n"
		"  assert(prtip.get_target().ip == t.ip and prtip.target_info.port == t.port)\n"
		"  assert(prtip.get_scan_type() == 'syn' and prtip.scan_config.rate == 1000)\n"
		"end\n");

	phase(rig, LH_HOOK_ON_PRE_SCAN, 100);
	offer(rig, 3);
	cr_expect_eq(rig->count[LH_OK], 3u, "%s", rig->error);
	stop(rig);
}

/* ---- What hooks return ---- */

static void expect_error(const char *type, const char *lua, const char *piece) {
	struct rig *rig = make("", type, lua);
	struct lh_error err = {0};

	rig->banner = "hello";
	cr_assert_eq(begin(rig, &err), 0, "%s", err.text);
	offer(rig, 1);
	cr_expect_eq(rig->count[LH_ERROR], 1u, "%s", lua);
	cr_expect(strstr(rig->error, piece), "%s: %s", lua, rig->error);
	cr_expect(!rig->has_service);
	stop(rig);
}

Test(host_flow, a_service_must_be_one) {
	static const char *const cases[][2] = {
		{"'http'", "analyze_banner returned a string; give nil or a table"},
		{"{service = {}}", "service is a table; give a string"},
		{"{service = ('x'):rep(64)}", "service is over 63 bytes"},
		{"{product = '\\xff'}", "product is not UTF-8 text"},
		{"{version = 'a\\0b'}", "version is not UTF-8 text"},
		{"{service = 'a', confidence = 2}", "confidence must be a number from 0 to 1"},
		{"{service = 'a', confidence = 0/0}", "confidence must be a number from 0 to 1"},
		{"{service = 'a', confidence = 'b'}", "confidence must be a number from 0 to 1"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char lua[200];

		snprintf(lua, sizeof(lua), "function analyze_banner(b) return %s end\n",
			cases[i][0]);
		expect_error("detection", lua, cases[i][1]);
	}
}

Test(host_flow, a_surer_service_stays) {
	struct rig *rig = make("", "detection",
		"function analyze_banner(b) return {service = 'guess', confidence = 0.3} end\n"
		"function probe_service(t)\n"
		"  assert(t.service == 'known' and t.cpe == 'cpe:/a:x' and t.info == 'i'\n"
		"    and t.source == 'builtin')\n"
		"  return {service = 'better', version = 7, confidence = 0.7}\n"
		"end\n");
	const struct lh_service known
		= {.name = "known", .cpe = "cpe:/a:x", .info = "i", .confidence = 0.6};
	struct lh_error err = {0};

	rig->banner = "hello";
	rig->known = &known;
	cr_assert_eq(begin(rig, &err), 0, "%s", err.text);
	offer(rig, 1);
	cr_expect_eq(rig->count[LH_OK], 1u, "%s", rig->error);
	cr_assert(rig->has_service);
	cr_expect_str_eq(rig->service.name, "better");
	cr_expect_str_eq(rig->service.version, "7");
	stop(rig);
}

Test(host_flow, a_formatted_result_must_be_a_string) {
	expect_error("output", "function format_result(r) return {} end\n",
		"format_result must return a string or nil");
}

Test(host_flow, a_long_formatted_result_comes_whole) {
	struct rig *rig = start(
		"", "output", "function format_result(r) return ('0123456789'):rep(30000) end\n");

	offer(rig, 1);
	cr_expect_eq(rig->count[LH_OK], 1u, "%s", rig->error);
	cr_expect_eq(strlen(rig->text), 511u);
	stop(rig);
}

Test(host_flow, a_narrowing_must_be_one) {
	static const char *const cases[][2] = {
		{"5", "on_pre_scan must return nil or"},
		{"{ports = 80}", "ports and exclude must be strings"},
		{"{exclude = {'a', 5}}", "exclude must be a list of addresses as strings"},
		{"{exclude = {{}}}", "exclude must be a list of addresses as strings"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char lua[200];
		struct rig *rig;

		snprintf(lua, sizeof(lua), "function on_pre_scan(t) return %s end\n", cases[i][0]);
		rig = start("", "scan", lua);
		phase(rig, LH_HOOK_ON_PRE_SCAN, 1);
		cr_expect_eq(rig->phase_status, LH_ERROR, "%s", lua);
		cr_expect(strstr(rig->error, cases[i][1]), "%s: %s", lua, rig->error);
		stop(rig);
	}
}

Test(host_flow, add_result_says_what_is_wrong) {
	struct rig *rig = start("", "scan",
		"local function bad(piece, ...)\n"
		"  local ok, why = pcall(prtip.add_result, ...)\n"
		"  assert(not ok and tostring(why):find(piece, 1, true), piece .. ': ' .. "
		"tostring(why))\n"
		"end\n"
		"function on_target(t)\n"
		"  bad('string expected', 5, 1)\n"
		"  bad('value expected', 'a')\n"
		"  bad('add_result', 'a', print or tostring)\n"
		"  bad('add_result', 'a', '\\xff')\n"
		"  bad('add_result', 'a', ('x'):rep(70000))\n"
		"  local loop = {} loop[1] = loop\n"
		"  bad('add_result', 'a', loop)\n"
		"  prtip.add_result('a', ('x'):rep(40000))\n"
		"  bad('over 65536 bytes of results', 'b', ('x'):rep(40000))\n"
		"  prtip.add_result('a', 'short')\n"
		"end\n");

	offer(rig, 1);
	cr_expect_eq(rig->count[LH_OK], 1u, "%s", rig->error);
	cr_expect_str_eq(rig->results, "{\"a\":\"short\"}");
	stop(rig);
}

Test(host_flow, waits_only_where_it_can) {
	expect_error("scan", "function on_target(t) coroutine.yield(1) end\n",
		"attempt to yield outside of a coroutine");
}

Test(host_flow, a_result_of_many_slices_has_one_time) {
	struct rig *rig = start(NETWORK "[plugin.limits]\ncpu_seconds = 0.1\n", "scan",
		"function on_target(t)\n"
		"  while true do ('x'):rep(200000):find('y') prtip.sleep(0) end\n"
		"end\n");

	offer(rig, 1);
	cr_expect_eq(rig->count[LH_TIMEOUT], 1u, "%u instructions", rig->count[LH_INSTRUCTIONS]);
	stop(rig);
}

/* ---- Loading ---- */

Test(host_flow, on_load_gets_the_settings) {
	struct rig *rig = start("[config]\nname = \"n\"\ncount = 3\nratio = 0.5\non = true\n"
				"list = [\"a\", \"b\"]\nnumbers = [1, 2]\n",
		"scan",
		"function on_load(c)\n"
		"  if c.name ~= 'n' or c.count ~= 3 or c.ratio ~= 0.5 or c.on ~= true or #c.list "
		"~= 2\n"
		"    or c.list[2] ~= 'b' or c.numbers[1] ~= 1 then return 'wrong' end\n"
		"end\n"
		"function on_target() end\n");

	cr_expect_str_eq(lh_host_unconfined(rig->host),
		LOCK_SANITIZED ? "memory limit (" LOCK_SANITIZER ")" : "");
	stop(rig);
}

static void expect_load_failure(const char *manifest, const char *lua, const char *piece) {
	struct rig *rig = make(manifest, "scan", lua);
	struct lh_error err = {0};

	cr_expect_neq(begin(rig, &err), 0, "%s", lua);
	cr_expect(strstr(err.text, piece), "%s: %s", lua, err.text);
	stop(rig);
}

Test(host_flow, loading_tells_what_is_wrong) {
	expect_load_failure("", "function on_load() return 5 end function on_target() end\n",
		"on_load must return nil or an error string");
	expect_load_failure(
		"", "function on_load() error('no') end function on_target() end\n", "no");
	expect_load_failure("", "function on_target() end on_target = nil\n",
		"defined no hook of its plugin_type");
	expect_load_failure(NETWORK "[plugin.limits]\nphase_seconds = 1\n",
		"function on_load() prtip.sleep(1000) end function on_target() end\n",
		"wall_seconds");
	expect_load_failure(NETWORK,
		"function on_load() error((select(2, prtip.connect('127.0.0.1', 1))), 0) end "
		"function on_target() end\n",
		"denied");
	expect_load_failure(
		"", "prtip.read_file('a') function on_target() end\n", "PermissionDenied");
}

Test(host_flow, main_may_wait) {
	struct rig *rig = start(NETWORK, "scan",
		"prtip.sleep(0.05)\n"
		"function on_load() prtip.sleep(0.05) end\n"
		"function on_target() end\n");

	offer(rig, 1);
	cr_expect_eq(rig->count[LH_OK], 1u);
	stop(rig);
}
