/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What --check-plugin says of plugins, with real lanes. What the scripted network does is tested by
 * tests/cli/plugins.py.
 */
#include "plugin_fixture.h"
#include "syntax.h"

#include <lh/host.h>

static struct fixture fix;

static void setup(void) {
	fixture_setup(&fix);
}

static void teardown(void) {
	fixture_teardown(&fix);
}

TestSuite(check, .init = setup, .fini = teardown, .timeout = 120);

static char report[16384];
static struct lh_error err;

/* Check the plugin `p`; its report is in @report then. */
static int check(const char *manifest, const char *lua, const char *tests) {
	struct lh_plugin *plugin;
	FILE *out = fmemopen(report, sizeof(report), "w");
	int rc;

	fixture_plugin(&fix, "p", manifest, lua);
	if (tests) {
		fixture_mkdir(&fix, "p/tests");
		fixture_write(&fix, "p/tests/t.lua", tests);
	}
	plugin = fixture_load(&fix, "p");
	rc = lh_check(plugin, PROGRAM_VERSION, out, &err);
	fclose(out);
	lh_plugin_free(plugin);
	return rc;
}

static void expect_report(const char *piece) {
	cr_expect(strstr(report, piece), "\"%s\" is not in:\n%s", piece, report);
}

static void expect_error(const char *piece) {
	cr_expect(strstr(err.text, piece), "\"%s\" is not in: %s", piece, err.text);
}

#define SCAN MANIFEST_OF("p", "1.0.0", "scan")
#define QUICK "[plugin.limits]\ncpu_seconds = 0.2\n"

Test(check, good) {
	cr_expect_eq(check(SCAN, MAIN_SCAN, NULL), 0, "%s", err.text);
	expect_report("p 1.0.0 (scan), checked by prtip-dp " PROGRAM_VERSION "\n");
	expect_report("ok       hooks: on_target\n");
	expect_report("ok       capabilities: none\n");
	expect_report("ok       main.lua and on_load ran in a lane\n");
	expect_report("warning  there are no tests (tests/*.lua)\n");
	cr_expect_null(strstr(report, "error"));
}

Test(check, hook_of_another_type) {
	cr_expect_eq(check(SCAN, MAIN_SCAN "function analyze_banner() end\n", NULL), -EINVAL);
	expect_error("analyze_banner is a hook of plugins of type detection; this one is of type "
		     "scan");
}

/* Addresses of both families, in any spelling, and ports that there may not be. */
Test(check, the_scripted_network_has_ipv6_and_udp) {
	cr_expect_eq(
		check(SCAN "capabilities = [\"network\"]\n",
			"function on_target(t)\n"
			"  local s = assert(prtip.connect(t.ip, 80))\n"
			"  prtip.add_result('r', {prtip.receive(s, 9), t.port or 'none',\n"
			"    prtip.scan_port(t.ip, 80), prtip.scan_port(t.ip, 53, 'udp'),\n"
			"    prtip.scan_port(t.ip, 54, 'udp'), prtip.scan_port(t.ip, 54)})\n"
			"end\n",
			"test.case('all', function()\n"
			"  test.server('2001:DB8:0::1', 80, {{reply = 'hi'}})\n"
			"  test.ports('2001:db8::1', {[53] = 'filtered'}, 'udp')\n"
			"  test.call('on_target', test.target{ip = '2001:db8::1'})\n"
			"  test.equal(test.results().r,\n"
			"    {'hi', 80, 'open', 'filtered', 'no-answer', 'closed'})\n"
			"  test.call('on_target', test.target{ip = '2001:db8::1', "
			"protocol = 'icmp'})\n"
			"  test.equal(test.results().r[2], 'none')\n"
			"end)\n"
			"test.case('none', function()\n"
			"  for _, ip in ipairs{'::ffff:1.2.3.4', '1.2.3.256', 'x', '[::1]'} do\n"
			"    local _, why = prtip.connect(ip, 80)\n"
			"    test.equal(why, 'not an IP address')\n"
			"  end\n"
			"end)\n"),
		0, "%s\n%s", err.text, report);
	expect_report("2 tests passed\n");
}

Test(check, results_by_protocol) {
	cr_expect_eq(
		check(SCAN, MAIN_SCAN,
			"test.case('kinds', function()\n"
			"  for protocol, reason in pairs{tcp = 'syn-ack', udp = 'udp-response', "
			"sctp = 'init-ack',\n"
			"      icmp = 'echo-reply', arp = 'arp-response', ndp = 'nd-response'} do\n"
			"    local r = test.result{protocol = protocol}\n"
			"    local has = not "
			"({icmp = 1, arp = 1, ndp = 1})[protocol]\n"
			"    test.equal({r.port, r.state, r.reason, r.proto},\n"
			"      {has and 80 or nil, has and 'open' or 'up', reason, protocol})\n"
			"  end\n"
			"  test.equal(test.result().state, 'open')\n"
			"  test.equal(test.result{protocol = 'icmp', state = 'filtered'}.state, "
			"'filtered')\n"
			"end)\n"),
		0, "%s", err.text);
	expect_report("1 test passed\n");
}

Test(check, targets_have_the_text_of_a_scan) {
	cr_expect_eq(check(SCAN, "function on_target(t) prtip.add_result('t', tostring(t)) end\n",
			     "local function text(fields)\n"
			     "  test.call('on_target', test.target(fields))\n"
			     "  test.equal(tostring(test.result(fields)), test.results().t)\n"
			     "  test.equal(('%s'):format(test.result(fields)), test.results().t)\n"
			     "  return test.results().t\n"
			     "end\n"
			     "test.case('text', function()\n"
			     "  test.equal(text(), '198.18.0.1:80/tcp')\n"
			     "  test.equal(text{port = 53, proto = 'udp'}, '198.18.0.1:53/udp')\n"
			     "  test.equal(text{ip = '2001:DB8:0::1'}, '[2001:db8::1]:80/tcp')\n"
			     "  test.equal(text{protocol = 'icmp'}, '198.18.0.1/icmp')\n"
			     "  test.equal(text{ip = '2001:db8::1', protocol = 'ndp'}, "
			     "'2001:db8::1/ndp')\n"
			     "end)\n"),
		0, "%s\n%s", err.text, report);
}

/* A misspelt field would let a test pass that tests nothing. */
Test(check, fields_that_no_result_has) {
	cr_expect_eq(
		check(SCAN, "function on_target(t, r) r.mine = 1 end\n",
			"local list = 'is not known; the fields are ip port protocol proto state'\n"
			"test.case('refused', function()\n"
			"  for name, f in pairs{target = test.target, result = test.result} do\n"
			"    local start = 'test.' .. name .. ': '\n"
			"    test.fails(function() f{bannr = 'x'} end,\n"
			"      'tests/t.lua:5: ' .. start .. '\"bannr\" ' .. list)\n"
			"    test.fails(function() f{80} end, start .. '1 ' .. list)\n"
			"    test.fails(function() f('x') end,\n"
			"      start .. 'the fields must be a table, not a string')\n"
			"    test.fails(function() f().prot = 1 end, '\"prot\" ' .. list)\n"
			"  end\n"
			"end)\n"
			"test.case('known', function()\n"
			"  local all = {zero_window = true, banner = '', service = '', product = "
			"'',\n"
			"    version = '', info = '', os = '', cpe = '', confidence = 1, source = "
			"'',\n"
			"    plugins = {}}\n"
			"  for name, value in pairs(all) do\n"
			"    test.equal(test.target(all)[name], value)\n"
			"    test.equal(test.result(all)[name], value)\n"
			"  end\n"
			"  local r = test.result(test.target{port = 7})\n"
			"  r.rtt_us, r.banner = nil, 'b'\n"
			"  test.equal({r.port, r.rtt_us, r.banner, r.ttl}, {7, nil, 'b', 64})\n"
			"end)\n"
			"test.case('in a hook', function()\n"
			"  test.fails(function() test.call('on_target', test.target{}, "
			"test.result{}) end,\n"
			"    'main.lua:1: read-only; keep your own values')\n"
			"end)\n"),
		0, "%s\n%s", err.text, report);
	expect_report("3 tests passed\n");
}

Test(check, undeclared_capability) {
	cr_expect_eq(check(SCAN,
			     "local f = prtip[\"read_file\"]\n"
			     "function on_target() return prtip.connect, prtip.connect end\n",
			     NULL),
		-EINVAL);
	expect_error("main.lua:1: prtip.read_file needs capability \"filesystem\"");
	expect_error("(and 1 more)");
	expect_report("main.lua:2: prtip.connect needs capability \"network\"");
}

Test(check, idle_capability) {
	cr_expect_eq(check(SCAN "capabilities = [\"network\", \"filesystem\"]\n",
			     "-- prtip.connect\nlocal s = 'prtip.send'\n"
			     "function on_target() return prtip.write_file end\n",
			     NULL),
		0, "%s", err.text);
	expect_report("warning  capability \"network\" is declared, but nothing that needs it");
	cr_expect_null(strstr(report, "\"filesystem\""));
}

Test(check, export_writes_without_the_capability) {
	cr_expect_eq(
		check(MANIFEST_OF("p", "1.0.0", "output"),
			"function export(results, path) prtip.write_file(path, '') end\n", NULL),
		0, "%s", err.text);
}

Test(check, unknown_name) {
	cr_expect_eq(
		check(SCAN, "function on_target()\nprtip.add_resutl('a', 1) end\n", NULL), -EINVAL);
	expect_error("main.lua:2: there is no prtip.add_resutl; the nearest is prtip.add_result");
}

/* The table in check.c against what a lane has: on_load says what there is. */
Test(check, every_name_is_known) {
	char lua[4096] = "function on_target() end\n";
	unsigned names = 0;

	cr_assert_eq(check(SCAN,
			     MAIN_SCAN "function on_load() local t = {}\n"
				       "for k in pairs(prtip) do t[#t + 1] = k end\n"
				       "return '<' .. table.concat(t, ' ') .. ' >' end\n",
			     NULL),
		-EINVAL);
	char *list = strchr(err.text, '<');
	cr_assert(list, "%s", err.text);
	for (char *name; (name = strsep(&list, "< >"));) {
		names += *name != '\0';
		if (*name)
			sprintf(lua + strlen(lua), "local _ = prtip.%s\n", name);
	}
	cr_expect_eq(names, 26);
	fixture_teardown(&fix);
	fixture_setup(&fix);
	cr_expect_eq(check(SCAN "capabilities = [\"network\", \"filesystem\"]\n", lua, NULL), 0,
		"%s", err.text);
	cr_expect_null(strstr(report, "warning  capability"));
}

Test(check, broken_when_it_runs) {
	cr_expect_eq(check(SCAN, MAIN_SCAN "error('gone wrong')\n", "x = 1\n"), -EINVAL);
	expect_error("it does not load: main.lua:3: gone wrong");
	expect_report("so its tests are not run\n");
}

Test(check, failing_test) {
	cr_expect_eq(check(SCAN, MAIN_SCAN,
			     "test.case('good', function() end)\n"
			     "test.case('bad', function() test.equal({a = 1}, {a = 2}) end)\n"),
		-EINVAL);
	cr_expect_str_eq(err.text, "1 of 2 tests failed");
	expect_report("ok       tests/t.lua: good\n");
	expect_report("error    tests/t.lua: bad\n"
		      "         tests/t.lua:2: value.a: expected 2, got 1\n");
}

/* Whatever a test does, the others run. */
Test(check, unruly_tests) {
	cr_expect_eq(check(SCAN QUICK, MAIN_SCAN,
			     "test.case('one', function() while true do end end)\n"
			     "test.case('two', function() local t = {}\n"
			     "for i = 1, 1e6 do t[i] = ('x'):rep(1e6) .. i end end)\n"
			     "test.case('three', function()\n"
			     "('a'):rep(200000):find(('.-'):rep(20) .. 'b') end)\n"
			     "test.case('four', function() prtip.connect('198.18.0.1', 1) end)\n"
			     "test.case('five', function() coroutine.yield() end)\n"
			     "test.case('six', function() error({}) end)\n"
			     "test.case('seven', function() test.case('x', print) end)\n"
			     "test.case('last', function() test.ok(true) end)\n"),
		-EINVAL);
	cr_expect_str_eq(err.text, "7 of 8 tests failed");
	expect_report("one\n         instructions: ");
	expect_report("two\n         memory: ");
	expect_report("three\n         timeout: ");
	expect_report("four\n         denied: PermissionDenied: connect needs capability");
	expect_report("ok       tests/t.lua: last\n");
}

/* Ten lanes that die in a row are the end of it. */
Test(check, nothing_but_loops) {
	cr_expect_eq(check(SCAN, MAIN_SCAN,
			     "for i = 1, 30 do\n"
			     "test.case('c' .. i, function() while true do end end) end\n"),
		-EINVAL);
	cr_expect_str_eq(err.text, "30 of 30 tests failed");
	expect_report("tests/t.lua: c30: not run\n");
}

Test(check, file_that_cannot_be_run) {
	cr_expect_eq(check(SCAN QUICK, MAIN_SCAN, "while true do end\n"), -EINVAL);
	cr_expect_str_eq(err.text, "1 of 1 test failed");
	expect_report("tests/t.lua: not run\n");
	fixture_write(&fix, "p/tests/t.lua", "x = nil .. 1\n");
	struct lh_plugin *plugin = fixture_load(&fix, "p");
	FILE *out = fmemopen(report, sizeof(report), "w");
	cr_expect_eq(lh_check(plugin, PROGRAM_VERSION, out, &err), -EINVAL);
	fclose(out);
	expect_report("tests/t.lua:1: attempt to concatenate a nil value");
	lh_plugin_free(plugin);
}

static unsigned columns(const char *line) {
	unsigned n = 0;

	for (; *line; line++)
		n += (*line & 0xc0) != 0x80;
	return n;
}

/* What a plugin says reaches no terminal as it is, and fits one. */
Test(check, hostile_text) {
	cr_expect_eq(check(SCAN, MAIN_SCAN,
			     "test.case('a\\n\\27[31mb\\194\\155', function()\n"
			     "error('\\27]0;x\\7 \\194\\155 ' .. ('word '):rep(100)) end)\n"),
		-EINVAL);
	cr_expect_str_eq(err.text, "1 of 1 test failed");
	for (const char *p = report; *p; p++)
		cr_expect(*p == '\n' || ((unsigned char)*p >= 0x20 && *p != 0x7f));
	cr_expect_null(strstr(report, "\xc2\x9b"));
	for (char *line, *rest = report; (line = strsep(&rest, "\n"));)
		cr_expect_leq(columns(line), 80, "%s", line);
}

/* ---- syntax_prtip() ---- */

static void note(void *ctx, unsigned line, const char *name, size_t length) {
	char *text = ctx;

	sprintf(text + strlen(text), "%u:%.*s ", line, (int)(name ? length : 1), name ? name : "?");
}

static void expect_uses(const char *lua, const char *uses) {
	char text[256] = "";

	syntax_prtip(lua, strlen(lua), note, text);
	cr_expect_str_eq(text, uses, "%s: %s", lua, text);
}

Test(syntax, uses_of_prtip) {
	expect_uses("prtip.log(1)", "1:log ");
	expect_uses("#!x\n--[[prtip.a\n]] prtip . b\n[[prtip.c]]\nprtip['d']", "3:b 5:d ");
	expect_uses("x.prtip.a = y:prtip() myprtip.a = prtips.b", "");
	expect_uses("prtip.a = 1 prtip['b'] = 2 x = prtip.c == prtip.d", "1:c 1:d ");
	expect_uses("local p = prtip", "1:? ");
	expect_uses("prtip[x]() prtip['a' .. b]() prtip[ [[l]] ]()", "1:? 1:? 1:? ");
	expect_uses("prtip", "1:? ");
	expect_uses("", "");
}
