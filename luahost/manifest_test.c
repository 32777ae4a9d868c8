/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Loading a plugin: what a good one becomes, and that each bad one gives one line that says where
 * and why, whatever it does to its files.
 */
#include "plugin_fixture.h"
#include "sandbox.h"
#include "syntax.h"

#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#define NB(table) (sizeof(table) / sizeof((table)[0]))

#define HEAD MANIFEST_OF("demo", "1.0.0", "scan")

static struct fixture fix;

static void setup(void) {
	fixture_setup(&fix);
}

static void teardown(void) {
	fixture_teardown(&fix);
}

TestSuite(manifest, .init = setup, .fini = teardown);
TestSuite(folder, .init = setup, .fini = teardown);
TestSuite(lua, .init = setup, .fini = teardown);
TestSuite(settings, .init = setup, .fini = teardown);

/* One printable line of UTF-8. */
static void check_line(const char *text, const char *what) {
	const size_t bytes = strlen(text);

	cr_expect(bytes > 0, "%s: no message", what);
	cr_expect_eq(utf8_valid(text, bytes), bytes, "%s: no UTF-8", what);
	for (const char *p = text; *p; p++)
		cr_expect((unsigned char)*p >= 0x20 && *p != 0x7f, "%s: byte %02x in: %s", what, *p,
			text);
}

/* The plugin "demo" is refused with @piece in the message. */
static void check_refused(const char *piece, const char *what) {
	struct lh_plugin *plugin = NULL;
	struct lh_error err = {0};
	int rc = lh_plugin_load(fixture_path(&fix, "demo"), PROGRAM_VERSION, &plugin, &err);

	cr_expect_lt(rc, 0, "taken: %.200s", what);
	cr_expect_null(plugin);
	cr_expect(err.usage, "%.200s: not the plugin's fault?", what);
	cr_expect(strstr(err.text, piece), "%.200s\n  has: %s\n  not: %s", what, err.text, piece);
	check_line(err.text, what);
	lh_plugin_free(plugin);
}

/* ---- Manifests ---- */

Test(manifest, everything) {
	fixture_plugin(&fix, "demo",
		"# comment\r\n[plugin]\r\nname = \"demo\"\r\nversion = \"1.2.3-rc.1+b\"\r\n"
		"author = \"\xc3\x84nne\"\r\ndescription = \"\"\"two\nlines\"\"\"\r\n"
		"license = 'MIT'\r\nplugin_type = \"detection\"\r\n"
		"capabilities = [\"filesystem\", \"network\", \"network\"]\r\n"
		"match.ports = [80, \"8000-8100\", \"443\", 0, 65535]\r\n"
		"match.state = [\"open\", \"filtered\"]\r\nmatch.service = [\"http\", "
		"\"https\"]\r\n"
		"[plugin.network]\r\nscope = \"scan\"\r\nmax_connections = 65536\r\n"
		"[plugin.limits]\r\nmemory_mb = 1\r\ncpu_seconds = 0.5\r\nwall_seconds = 7\r\n"
		"instructions = 9007199254740993\r\nphase_seconds = 1e2\r\n"
		"[plugin.dependencies]\r\nmin_prtip_version = \"0.1.0\"\r\nlua_version = "
		"\"5.1\"\r\n"
		"[plugin.metadata]\r\ntags = [\"a\", \"b\"]\r\ncategory = \"c\"\r\n"
		"homepage = \"https://example.org\"\r\nrepository = \"\"\r\n"
		"[config]\r\nzeta = 1\r\nalpha = \"x\"\r\nmiddle = [1, 2.5, true, \"s\"]\r\n"
		"on = true\r\nhalf = 0.5\r\nempty = []\r\n",
		"function analyze_banner(banner) end\n");
	struct lh_plugin *p = fixture_load(&fix, "demo");

	cr_expect_str_eq(p->name, "demo");
	cr_expect_str_eq(p->folder, fixture_path(&fix, "demo"));
	cr_expect_str_eq(p->version, "1.2.3-rc.1+b");
	cr_expect_str_eq(p->author, "\xc3\x84nne");
	cr_expect_str_eq(p->description, "two\nlines");
	cr_expect_str_eq(p->license, "MIT");
	cr_expect_eq(p->type, LH_TYPE_DETECTION);
	cr_expect_eq(p->capabilities, LH_CAP_NETWORK | LH_CAP_FILESYSTEM);

	static const struct lh_port_range ports[]
		= {{80, 80}, {8000, 8100}, {443, 443}, {0, 0}, {65535, 65535}};
	cr_assert_eq(p->match.nb_ports, NB(ports));
	for (unsigned i = 0; i < NB(ports); i++) {
		cr_expect_eq(p->match.ports[i].first, ports[i].first);
		cr_expect_eq(p->match.ports[i].last, ports[i].last);
	}
	cr_expect_eq(p->match.states, 1u << LH_STATE_OPEN | 1u << LH_STATE_FILTERED);
	cr_assert_eq(p->match.nb_services, 2);
	cr_expect_str_eq(p->match.services[0], "http");
	cr_expect_str_eq(p->match.services[1], "https");

	cr_expect_eq(p->scope, LH_SCOPE_SCAN);
	cr_expect_eq(p->max_connections, 65536);
	cr_expect_eq(p->limits.memory_mb, 1);
	cr_expect_eq(p->limits.cpu_s, 0.5);
	cr_expect_eq(p->limits.wall_s, 7);
	cr_expect_eq(p->limits.instructions, UINT64_C(9007199254740993));
	cr_expect_eq(p->limits.phase_s, 100);

	static const char *const keys[] = {"zeta", "alpha", "middle", "on", "half", "empty"};
	cr_assert_eq(p->nb_config, NB(keys));
	for (unsigned i = 0; i < NB(keys); i++)
		cr_expect_str_eq(p->config[i].key, keys[i]);
	cr_expect_eq(p->config[0].kind, LH_VALUE_INTEGER);
	cr_expect_eq(p->config[0].integer, 1);
	cr_expect_str_eq(p->config[1].string, "x");
	cr_assert_eq(p->config[2].nb_items, 4);
	cr_expect_eq(p->config[2].items[0].integer, 1);
	cr_expect_eq(p->config[2].items[1].kind, LH_VALUE_NUMBER);
	cr_expect_eq(p->config[2].items[1].number, 2.5);
	cr_expect(p->config[2].items[2].boolean);
	cr_expect_str_eq(p->config[2].items[3].string, "s");
	cr_expect_eq(p->config[3].kind, LH_VALUE_BOOLEAN);
	cr_expect_eq(p->config[4].number, 0.5);
	cr_expect_eq(p->config[5].kind, LH_VALUE_ARRAY);
	cr_expect_eq(p->config[5].nb_items, 0);
	lh_plugin_free(p);
}

Test(manifest, defaults) {
	fixture_plugin(&fix, "demo", "\xef\xbb\xbf" HEAD, MAIN_SCAN);
	struct lh_plugin *p = fixture_load(&fix, "demo");

	cr_expect_eq(p->type, LH_TYPE_SCAN);
	cr_expect_eq(p->capabilities, 0);
	cr_expect_null(p->match.ports);
	cr_expect_null(p->match.services);
	cr_expect_eq(p->match.states, 1u << LH_STATE_OPEN | 1u << LH_STATE_UP);
	cr_expect_eq(p->scope, LH_SCOPE_TARGET);
	cr_expect_eq(p->max_connections, 512);
	cr_expect_eq(p->limits.memory_mb, 0);
	cr_expect_eq(p->limits.instructions, 0);
	cr_expect_str_eq(p->license, "");
	cr_expect_eq(p->nb_config, 0);
	cr_assert_eq(p->nb_sources, 1);
	cr_expect_str_eq(p->sources[0].name, "main.lua");
	cr_expect_str_eq(p->sources[0].text, MAIN_SCAN);
	cr_expect_eq(p->sources[0].bytes, strlen(MAIN_SCAN));
	lh_plugin_free(p);
}

#define BARE(rest) "[plugin]\nname = \"demo\"\nversion = \"1.0.0\"\n" rest
#define CHANGED(name, version, type)                                                               \
	"[plugin]\nname = " name "\nversion = " version                                            \
	"\nauthor = \"A\"\ndescription = \"D\"\nplugin_type = " type "\n"
#define NETWORK HEAD "capabilities = [\"network\"]\n"

static const struct {
	const char *text;
	const char *piece;
} malformed[] = {
	/* Not TOML */
	{"", "plugin.toml: [plugin] is missing"},
	{"\n\n\n", "[plugin] is missing"},
	{"# only a comment", "[plugin] is missing"},
	{"\xef\xbb\xbf", "[plugin] is missing"},
	{"[config]\nx = 1\n", "[plugin] is missing"},
	{"[plugin\nname = \"demo\"\n", "plugin.toml:1: "},
	{"[plugin]]\n", "plugin.toml:1: "},
	{"[]\n", "plugin.toml:1: "},
	{"[plugin]\nname = demo\n", "plugin.toml:2: "},
	{"[plugin]\nname = \"demo\n", "plugin.toml:2: "},
	{"[plugin]\nname = 'demo\"\n", "plugin.toml:2: "},
	{"[plugin]\nname =\n", "plugin.toml:2: "},
	{"[plugin]\nname\n", "plugin.toml:2: "},
	{"[plugin]\n= \"demo\"\n", "plugin.toml:2: "},
	{"[plugin]\nname = \"demo\" version = \"1.0.0\"\n", "plugin.toml:2: "},
	{"[plugin]\nname = \"de\\qmo\"\n", "plugin.toml:2: "},
	{"[plugin]\nname = \"de\\uD800mo\"\n", "plugin.toml:2: "},
	{"[plugin]\nname = \"\"\"demo\n", "plugin.toml:"},
	{"{\"plugin\": {\"name\": \"demo\"}}\n", "plugin.toml:1: "},
	{"<?xml version=\"1.0\"?>\n", "plugin.toml:1: "},
	{"\r\rname\r", "plugin.toml:1: "},
	{HEAD "license = \"a\x01z\"\n", "plugin.toml:7: "},
	{HEAD "license = \"a\x1b[31mz\"\n", "plugin.toml:7: "},
	{HEAD "license = \"a\x7fz\"\n", "plugin.toml:7: "},
	{HEAD "license = \"\xff\xfe\"\n", "plugin.toml:7: "},
	{HEAD "license = \"\xc3\"\n", "plugin.toml:7: "},
	{HEAD "license = \"\xed\xa0\x80\"\n", "plugin.toml:7: "},
	{HEAD "license = \"\xc0\x80\"\n", "plugin.toml:7: "},
	{HEAD "# \xff in a comment\n", "plugin.toml:7: "},
	{"\xff\xfe[\0p\0", "plugin.toml:1: "},
	{HEAD "license = \"a\\u0000b\"\n", "plugin.toml:7: a NUL character"},
	{HEAD "\"a\\u0000b\" = 1\n", "plugin.toml:7: a NUL character"},
	{HEAD "name = \"demo\"\n", "plugin.toml:7: "},
	{HEAD "[plugin]\nlicense = \"x\"\n", "plugin.toml:7: "},
	{HEAD "[config]\n[config]\n", "plugin.toml:8: "},
	{HEAD "[plugin.match]\n[plugin.match]\n", "plugin.toml:8: "},
	{HEAD "match = {state = \"open\"}\n[plugin.match]\nports = [1]\n", "plugin.toml:8: "},
	{HEAD "match.state = \"open\"\n[plugin.match]\nports = [1]\n", "plugin.toml:8: "},
	{HEAD "[plugin.name]\n", "plugin.toml:7: "},
	{HEAD "[plugin.limits]\ninstructions = 99999999999999999999999\n", "plugin.toml:8: "},
	{HEAD "[plugin.limits]\nmemory_mb = 007\n", "plugin.toml:8: "},
	{HEAD "[plugin.limits]\ncpu_seconds = 1.\n", "plugin.toml:8: "},
	{HEAD "[plugin.limits]\ncpu_seconds = 1e400\n", "plugin.toml:8: "},
	{HEAD "[plugin.limits]\ncpu_seconds = 5s\n", "plugin.toml:8: "},
	{HEAD "capabilities = [\"network\"\n", "plugin.toml:"},
	{HEAD "match = {state = \"open\",\n}\n", "plugin.toml:7: "},
	{HEAD "license = 1979-13-45\n", "plugin.toml:7: "},
	/* What toml++ 3.3 has but an assertion for */
	{HEAD "capabilities = [}]\n", "plugin.toml:7: bad TOML; a value was expected here"},
	{HEAD "\xc3\xa4 = 1\n", "plugin.toml:7: "},
	{HEAD "license = \xc3\xa4\n", "plugin.toml:7: "},
	{HEAD "license = 1980-05-27 07:'\xc4\xbf'\n", "plugin.toml:7: "},
	{HEAD "\n[config]\na = [1,}\nb = 1\n",
		"plugin.toml:9: bad TOML; a value was expected here"},

	/* Keys and tables */
	{"name = \"demo\"\n",
		"plugin.toml:1: unknown key \"name\" in the top; it belongs in [plugin]"},
	{HEAD "[match]\nports = [80]\n",
		"plugin.toml:7: unknown table \"match\" in the top; it belongs "
		"in [plugin]"},
	{HEAD "ports = [80]\n",
		"plugin.toml:7: unknown key \"ports\" in [plugin]; it belongs in "
		"[plugin.match]"},
	{HEAD "capabilites = []\n",
		"unknown key \"capabilites\" in [plugin]; the nearest one known is "
		"\"capabilities\""},
	{HEAD "[plugin.limit]\n",
		"unknown table \"limit\" in [plugin]; the nearest one known is "
		"\"limits\""},
	{HEAD "[plugin.limits]\nmemory = 5\n",
		"plugin.toml:8: unknown key \"memory\" in "
		"[plugin.limits]; the nearest one known is "
		"\"memory_mb\""},
	{HEAD "[plugins]\n",
		"plugin.toml:7: unknown table \"plugins\" in the top; the nearest one known "
		"is \"plugin\""},
	{HEAD "[plugin.config]\n",
		"unknown table \"config\" in [plugin]; it belongs at the top, as "
		"[config]"},
	{HEAD "[plugin.metadata]\ntag = []\n", "the nearest one known is \"tags\""},
	{HEAD "[plugin.match.ports]\n", "plugin.toml:7: ports must be an array"},
	{HEAD "\"na\\nme\" = 1\n",
		"unknown key \"na?me\" in [plugin]; the nearest one known is \"name\""},
	{HEAD "\"\" = 1\n", "plugin.toml:7: unknown key \"\""},
	{HEAD "a.b.c.d = 1\n", "plugin.toml:7: unknown table \"a\""},
	{"[[plugin]]\nname = \"demo\"\n",
		"plugin.toml:1: plugin must be a table, [plugin], not an array"},
	{"plugin = \"demo\"\n", "plugin.toml:1: plugin must be a table, [plugin], not a string"},
	{"plugin = 1979-05-27\n", "plugin must be a table, [plugin], not a date or a time"},
	{"plugin = {}\n", "plugin.toml:1: name is missing in [plugin]"},
	{"[plugin]\n", "plugin.toml:1: name is missing in [plugin]"},
	{"[plugin]\nname = \"demo\"\n",
		"version is missing in [plugin]; it must be a string like "
		"\"1.0.0\""},
	{BARE("description = \"\"\nplugin_type = \"scan\"\n"), "author is missing in [plugin]"},
	{BARE("author = \"\"\nplugin_type = \"scan\"\n"), "description is missing in [plugin]"},
	{BARE("author = \"\"\ndescription = \"\"\n"), "plugin_type is missing in [plugin]"},

	/* Values of [plugin] */
	{CHANGED("7", "\"1.0.0\"", "\"scan\""),
		"plugin.toml:2: name must be a string, the folder's "
		"name, not a whole number"},
	{CHANGED("\"other\"", "\"1.0.0\"", "\"scan\""),
		"plugin.toml:2: name \"other\" is not the folder's name, \"demo\""},
	{CHANGED("\"Demo\"", "\"1.0.0\"", "\"scan\""), "name \"Demo\" is no plugin name"},
	{CHANGED("\"\"", "\"1.0.0\"", "\"scan\""), "name \"\" is no plugin name"},
	{CHANGED("\"../demo\"", "\"1.0.0\"", "\"scan\""), "is no plugin name"},
	{CHANGED("\"de\\u001b[2Jmo\"", "\"1.0.0\"", "\"scan\""),
		"name \"de?[2Jmo\" is no plugin name"},
	{CHANGED("\"de\\u009bmo\"", "\"1.0.0\"", "\"scan\""), "name \"de??mo\" is no plugin name"},
	{CHANGED("\"demo\"", "\"1.0\"", "\"scan\""),
		"plugin.toml:3: version \"1.0\" is no semantic "
		"version like 1.0.0"},
	{CHANGED("\"demo\"", "1.0", "\"scan\""),
		"version must be a string like \"1.0.0\", not a number "
		"with a point"},
	{CHANGED("\"demo\"", "\"1.0.0\"", "\"scanner\""),
		"plugin.toml:6: plugin_type \"scanner\" is not "
		"known; it must be \"scan\", \"output\" or "
		"\"detection\""},
	{CHANGED("\"demo\"", "\"1.0.0\"", "[\"scan\"]"), "plugin_type must be \"scan\""},
	{CHANGED("\"demo\"", "\"1.0.0\"", "true"), "not true or false"},
	{HEAD "license = 07:32:00\n", "license must be a string, not a date or a time"},
	{HEAD "license = \"a\\u001b[31m\"\n", "plugin.toml:7: license has control characters"},
	{HEAD "license = \"a\\u0085\"\n", "license has control characters"},
	{HEAD "capabilities = \"network\"\n",
		"capabilities must be an array like [\"network\"], not a "
		"string"},
	{HEAD "capabilities = [\n\"network\",\n7]\n",
		"plugin.toml:9: capabilities must be an array like "
		"[\"network\"], but item 2 is a whole number"},
	{HEAD "capabilities = [[\"network\"]]\n", "but item 1 is an array"},
	{HEAD "capabilities = [\"networking\"]\n",
		"unknown capability \"networking\"; known are network "
		"and filesystem"},
	{HEAD "capabilities = [\"system\"]\n",
		"capability \"system\" is known, but this version always "
		"refuses it"},
	{HEAD "capabilities = [\"database\"]\n",
		"capability \"database\" is known, but this version "
		"always refuses it"},

	/* [plugin.match] */
	{HEAD "match.ports = 80\n",
		"ports must be an array like [80, \"8000-8100\"], not a whole "
		"number"},
	{HEAD "match.ports = []\n", "ports is empty"},
	{HEAD "match.ports = [65536]\n", "ports: 65536 is no port; give 0 to 65535"},
	{HEAD "match.ports = [-1]\n", "ports: -1 is no port"},
	{HEAD "match.ports = [9223372036854775807]\n", "ports: 9223372036854775807 is no port"},
	{HEAD "match.ports = [80.0]\n", "but item 1 is a number with a point"},
	{HEAD "match.ports = [\"8100-8000\"]\n", "\"8100-8000\" is no range of ports"},
	{HEAD "match.ports = [\"80-\"]\n", "\"80-\" is no range of ports"},
	{HEAD "match.ports = [\"80,443\"]\n", "\"80,443\" is no range of ports"},
	{HEAD "match.ports = [\"1-99999\"]\n", "\"1-99999\" is no range of ports"},
	{HEAD "match.ports = [\"\"]\n", "\"\" is no range of ports"},
	{HEAD "match.ports = [\" 80\"]\n", "\" 80\" is no range of ports"},
	{HEAD "match.ports = [\"00000000000000000080\"]\n", "is no range of ports"},
	{HEAD "match.ports = [{}]\n", "but item 1 is a table"},
	{HEAD "match.state = \"opened\"\n",
		"state \"opened\" is not known; it must be open, closed"},
	{HEAD "match.state = []\n", "state is empty"},
	{HEAD "match.state = [\"open\", 1]\n", "but item 2 is a whole number"},
	{HEAD "match.state = 1\n",
		"state must be a string like \"open\", or an array of them, not a "
		"whole number"},
	{HEAD "match.service = \"http\"\n", "service must be an array like"},
	{HEAD "match.service = []\n", "service is empty"},
	{HEAD "match.service = [\"http\", \"\"]\n", "service: item 2 is empty"},
	{HEAD "match = []\n", "match must be a table, [plugin.match], not an array"},

	/* [plugin.network] */
	{HEAD "[plugin.network]\nscope = \"target\"\n",
		"plugin.toml:7: [plugin.network] needs capability "
		"\"network\""},
	{HEAD "[plugin.network]\n", "[plugin.network] needs capability \"network\""},
	{NETWORK "[plugin.network]\nscope = \"any\"\n",
		"plugin.toml:9: scope \"any\" is not known; it "
		"must be \"target\" or \"scan\""},
	{NETWORK "[plugin.network]\nmax_connections = 0\n",
		"max_connections is 0; give a whole number "
		"from 1 to 65536"},
	{NETWORK "[plugin.network]\nmax_connections = 65537\n", "max_connections is 65537"},
	{NETWORK "[plugin.network]\nmax_connections = \"9\"\n",
		"max_connections must be a whole number"},
	{NETWORK "[plugin.network]\nmax_connections = 9.0\n", "not a number with a point"},

	/* [plugin.limits] */
	{HEAD "[plugin.limits]\nmemory_mb = 0\n", "plugin.toml:8: memory_mb is 0; give"},
	{HEAD "[plugin.limits]\nmemory_mb = -5\n", "memory_mb is -5; give"},
	{HEAD "[plugin.limits]\nmemory_mb = 4294967296\n", "memory_mb is 4294967296; give"},
	{HEAD "[plugin.limits]\nmemory_mb = 1.5\n", "memory_mb must be a whole number"},
	{HEAD "[plugin.limits]\ncpu_seconds = 0\n", "cpu_seconds is 0; give a number over 0"},
	{HEAD "[plugin.limits]\ncpu_seconds = -0.0\n", "cpu_seconds is -0; give"},
	{HEAD "[plugin.limits]\nwall_seconds = nan\n", "wall_seconds is nan; give"},
	{HEAD "[plugin.limits]\nwall_seconds = inf\n", "wall_seconds is inf; give"},
	{HEAD "[plugin.limits]\nphase_seconds = \"1\"\n",
		"phase_seconds must be a number over 0, not a "
		"string"},
	{HEAD "[plugin.limits]\ninstructions = 0\n",
		"instructions is 0; give a whole number from 1 up"},
	{HEAD "[plugin.limits]\ninstructions = 1e6\n", "instructions must be a whole number"},

	/* [plugin.dependencies] and [plugin.metadata] */
	{HEAD "[plugin.dependencies]\nmin_prtip_version = \"0.1.1\"\n",
		"plugin.toml:8: needs prtip-dp 0.1.1 or newer, and this is 0.1.0"},
	{HEAD "[plugin.dependencies]\nmin_prtip_version = \"0.1\"\n",
		"is no semantic version like 0.1.0"},
	{HEAD "[plugin.dependencies]\nmin_prtip_version = 1\n",
		"min_prtip_version must be a string"},
	{HEAD "[plugin.dependencies]\nlua_version = \"5.4\"\n",
		"lua_version \"5.4\" cannot be had: plugins "
		"run in LuaJIT, which is Lua 5.1"},
	{HEAD "[plugin.dependencies]\nlua_version = 5.1\n",
		"lua_version must be \"5.1\" or \"luajit\", in "
		"quotes"},
	{HEAD "[plugin.metadata]\ntags = \"a\"\n",
		"tags must be an array of strings, not a string"},
	{HEAD "[plugin.metadata]\ntags = [1]\n", "tags must be an array of strings, but item 1 is"},
	{HEAD "[plugin.metadata]\ncategory = 1\n", "category must be a string"},

	/* [config] */
	{HEAD "[config.deep]\nx = 1\n", "plugin.toml:7: deep in [config] holds a table"},
	{HEAD "[config]\na.b = 1\n", "plugin.toml:8: a in [config] holds a table"},
	{HEAD "[config]\na = {b = 1}\n", "a in [config] holds a table"},
	{HEAD "[config]\na = 1979-05-27T07:32:00Z\n", "a in [config] holds a date or a time"},
	{HEAD "[config]\na = [1979-05-27]\n", "an array in [config] holds a date or a time"},
	{HEAD "[config]\na = [[1]]\n", "a in [config] holds an array in an array"},
	{HEAD "[config]\na = [{}]\n", "an array in [config] holds a table"},
	{HEAD "[[config]]\na = 1\n", "config must be a table, [config], not an array"},
	{HEAD "[config]\n\"a\\nb\" = 1\n", "\"a?b\" in [config] is no name for a setting"},
	{HEAD "[config]\n\"\" = 1\n", "\"\" in [config] is no name for a setting"},
};

Test(manifest, malformed_ones_say_where_and_why) {
	cr_assert_geq(NB(malformed), 60);
	fixture_plugin(&fix, "demo", HEAD, MAIN_SCAN);
	for (unsigned i = 0; i < NB(malformed); i++) {
		fixture_write(&fix, "demo/plugin.toml", malformed[i].text);
		check_refused(malformed[i].piece, malformed[i].text);
	}
}

Test(manifest, good_ones_in_other_words) {
	static const char *const good[] = {
		HEAD,
		HEAD "capabilities = []\n",
		NETWORK "[plugin.network]\n",
		HEAD "license = \"\"\"a\"\"\"\"\"\nmatch.state = 'up'\n",
		"config.a = 1\n" HEAD,
		"plugin = {name = \"demo\", version = '1.0.0', author = '', description = '', "
		"plugin_type = 'scan', match = {ports = ['1-2']}}\n",
		"plugin.name = \"demo\"\nplugin.version = \"1.0.0\"\nplugin.author = ''\n"
		"plugin.description = '...................................... # [[[[[[['\n"
		"plugin.plugin_type = \"scan\"\n",
		HEAD "[plugin.match]\nports = [\n  80, # web\n  \"90-91\",\n]\n",
		HEAD "[plugin.dependencies]\nmin_prtip_version = \"0.1.0-rc.1\"\nlua_version = "
		     "\"luajit\"\n",
		HEAD "[config]\n\"a key\" = 0x10\nn = nan\ni = -inf\nd = 1_000\n",
		"[plugin.match]\nstate = \"open\"\n" HEAD,
	};

	fixture_plugin(&fix, "demo", HEAD, MAIN_SCAN);
	for (unsigned i = 0; i < NB(good); i++) {
		fixture_write(&fix, "demo/plugin.toml", good[i]);
		lh_plugin_free(fixture_load(&fix, "demo"));
	}
}

/* HEAD, then @start, @count times @piece, then @end. */
static void write_repeated(const char *start, const char *piece, unsigned count, const char *end) {
	const size_t bytes = strlen(piece);
	char *text = malloc(strlen(HEAD) + strlen(start) + count * bytes + strlen(end) + 1);

	cr_assert_not_null(text);
	size_t at = (size_t)sprintf(text, "%s%s", HEAD, start);
	for (unsigned i = 0; i < count; i++, at += bytes)
		memcpy(text + at, piece, bytes);
	strcpy(text + at, end);
	fixture_write_bytes(&fix, "demo/plugin.toml", text, at + strlen(end));
	free(text);
}

static const struct {
	const char *start, *piece, *end;
	const char *expect;
} deep[] = {
	{"license = ", "[", "\n", "plugin.toml:7: values nested deeper than 16"},
	{"license = ", "[\n", "\n", "values nested deeper than 16"},
	{"license = ", "{a=", "\n", "plugin.toml:7: values nested deeper than 16"},
	{"license = ", "[{a=", "\n", "plugin.toml:7: values nested deeper than 16"},
	{"a", ".a", " = 1\n", "plugin.toml:7: a key with more than 16 dots"},
	{"a", " . \"b.c\"", " = 1\n", "plugin.toml:7: a key with more than 16 dots"},
	{"[a", ".a", "]\n", "plugin.toml:7: a key with more than 16 dots"},
	{"[[a", ".a", "]]\n", "plugin.toml:7: a key with more than 16 dots"},
	{"license = {a", ".a", " = 1}\n", "plugin.toml:7: a key with more than 16 dots"},
	{"license = '''\\'''\na", ".a", " = 1\n", "plugin.toml:8: a key with more than 16 dots"},
	{"license = \"\"\"x\"\"\"\"\"\na", ".a", " = 1\n",
		"plugin.toml:8: a key with more than 16"},
	{"x = ['''y'''', {a", ".a", " = 1}]\n", "plugin.toml:7: a key with more than 16 dots"},
	{"license = \"\\\\\"\na", ".a", " = 1\n", "plugin.toml:8: a key with more than 16 dots"},
	{"# \"\na", ".a", " = 1\n", "plugin.toml:8: a key with more than 16 dots"},
	{"license = ", "[[", "\n", "plugin.toml:7: values nested deeper than 16"},
	{"", "[", "\n", "plugin.toml:7: "},
	{"", "{", "\n", "plugin.toml:7: "},
	{"license = ", "-", "\n", "plugin.toml:7: "},
	{"license = ", "9", "\n", "plugin.toml:7: "},
	{"license = \"", "\\", "\n", "plugin.toml:7: "},
	{"license = \"", "a", "\n", "plugin.toml:7: "},
	{"", "k", " = 1\n", "plugin.toml:7: unknown key \"kkkk"},
	{"capabilities = [", "\"x\",", "]\n", "plugin.toml:7: unknown capability \"x\""},
	{"", "\xc3\xa4", " = 1\n", "plugin.toml:7: "},
	{"", "\"\xe2\x82\xac", "\" = 1\n", "plugin.toml:7: "},
};

/* One frame of the parser a bracket would not fit the stack. */
Test(manifest, hundred_thousand_of_anything, .timeout = 120) {
	fixture_plugin(&fix, "demo", HEAD, MAIN_SCAN);
	for (unsigned i = 0; i < NB(deep); i++) {
		write_repeated(deep[i].start, deep[i].piece, 100000, deep[i].end);
		check_refused(deep[i].expect, deep[i].start);
	}
}

/* The deepest tree that gets through both limits is freed without harm. */
Test(manifest, deepest_tree) {
	char text[8192] = "x = ";

	fixture_plugin(&fix, "demo", HEAD, MAIN_SCAN);
	for (unsigned i = 0; i < 15; i++)
		strcat(text, "{a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a = ");
	strcat(text, "1");
	for (unsigned i = 0; i < 15; i++)
		strcat(text, "}");
	fixture_write(&fix, "demo/plugin.toml", text);
	check_refused("plugin.toml:1: unknown table \"x\"", text);
}

Test(manifest, nul_bytes_and_size) {
	const size_t bytes = 10 << 20;
	char *text = malloc(bytes);

	cr_assert_not_null(text);
	fixture_plugin(&fix, "demo", HEAD, MAIN_SCAN);
	fixture_write_bytes(&fix, "demo/plugin.toml", HEAD "# \0\n", strlen(HEAD) + 4);
	check_refused("plugin.toml:7: a NUL byte", "NUL");
	memset(text, '\n', bytes);
	memcpy(text, HEAD, strlen(HEAD));
	fixture_write_bytes(&fix, "demo/plugin.toml", text, bytes);
	check_refused("plugin.toml: has more than 4 MiB", "10 MiB");
	fixture_write_bytes(&fix, "demo/plugin.toml", text, (4 << 20) + 1);
	check_refused("plugin.toml: has more than 4 MiB", "4 MiB and a byte");
	fixture_write_bytes(&fix, "demo/plugin.toml", text, 4 << 20);
	lh_plugin_free(fixture_load(&fix, "demo"));
	free(text);
}

/* Every manifest that one lost, doubled or changed byte makes of a good one is taken or refused
 * with one line. */
Test(manifest, mutations, .timeout = 120) {
	static const char good[] = NETWORK "match.ports = [1, \"2-3\"]\nnetwork.scope = 'scan'\n"
					   "[plugin.limits]\ncpu_seconds = 1.5 # x\n[config]\n"
					   "a = [1, true]\nb = \"\"\"c\nd\"\"\"\n";
	static const char bytes[] = {'"', '\'', '[', ']', '{', '}', '=', '.', ',', '#', '\n', '\\',
		'0', 'a', ' ', '\0', '\x80', '\xff'};
	char text[sizeof good];
	unsigned refused = 0;

	fixture_plugin(&fix, "demo", good, MAIN_SCAN);
	lh_plugin_free(fixture_load(&fix, "demo"));
	for (size_t i = 0; i < (sizeof good - 1) * sizeof bytes; i++) {
		struct lh_plugin *plugin = NULL;
		struct lh_error err = {0};

		memcpy(text, good, sizeof good);
		text[i / sizeof bytes] = bytes[i % sizeof bytes];
		fixture_write_bytes(&fix, "demo/plugin.toml", text, sizeof good - 1);
		if (lh_plugin_load(fixture_path(&fix, "demo"), PROGRAM_VERSION, &plugin, &err)) {
			check_line(err.text, text);
			cr_expect(strstr(err.text, "demo/plugin.toml"), "%s", err.text);
			refused++;
		}
		lh_plugin_free(plugin);
	}
	cr_expect_gt(refused, sizeof good);
}

/* ---- Folders ---- */

Test(folder, files_that_are_missing) {
	static const char *const names[] = {"plugin.toml", "main.lua", "README.md"};
	char path[64], piece[128];

	fixture_plugin(&fix, "demo", HEAD, MAIN_SCAN);
	for (unsigned i = 0; i < NB(names); i++) {
		snprintf(path, sizeof path, "demo/%s", names[i]);
		snprintf(piece, sizeof piece, "/demo/%s: is missing; a plugin is a folder",
			names[i]);
		rename(fixture_path(&fix, path), fixture_path(&fix, "away"));
		check_refused(piece, names[i]);
		fixture_mkdir(&fix, path);
		snprintf(piece, sizeof piece, "/demo/%s: is a folder; it has to be", names[i]);
		check_refused(piece, names[i]);
		rmdir(fixture_path(&fix, path));
		rename(fixture_path(&fix, "away"), fixture_path(&fix, path));
	}
	lh_plugin_free(fixture_load(&fix, "demo"));
}

/* None of these may be read, waited for, or woken. */
Test(folder, files_that_are_none, .timeout = 20) {
	static const char *const names[]
		= {"plugin.toml", "main.lua", "README.md", "lib/a.lua", "tests/b.lua"};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char path[64], piece[128];

	fixture_plugin(&fix, "demo", HEAD, MAIN_SCAN);
	fixture_mkdir(&fix, "demo/lib");
	fixture_mkdir(&fix, "demo/tests");
	fixture_write(&fix, "demo/lib/a.lua", "return {}");
	fixture_write(&fix, "demo/tests/b.lua", "return {}");
	fixture_write(&fix, "outside", MAIN_SCAN);
	lh_plugin_free(fixture_load(&fix, "demo"));
	for (unsigned i = 0; i < NB(names); i++) {
		char target[128];

		snprintf(path, sizeof path, "demo/%s", names[i]);
		snprintf(target, sizeof target, "%s/%s", fix.dir, path);
		rename(target, fixture_path(&fix, "away"));

		snprintf(piece, sizeof piece, "/%s: is neither a regular file nor a folder", path);
		cr_assert_eq(mkfifo(target, 0644), 0);
		check_refused(piece, "a FIFO");
		unlink(target);
		/* Not everybody may make devices. */
		if (!mknod(target, S_IFCHR | 0644, makedev(1, 5)))
			check_refused(piece, "/dev/zero");
		unlink(target);
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		strcpy(address.sun_path, target);
		cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
		check_refused(piece, "a socket");
		close(fd);
		unlink(target);

		snprintf(piece, sizeof piece, "/%s: is a link that leaves the plugin's folder",
			path);
		cr_assert_eq(symlink("/etc/passwd", target), 0);
		check_refused(piece, "an absolute link");
		unlink(target);
		cr_assert_eq(symlink(i < 3 ? "../outside" : "../../outside", target), 0);
		check_refused(piece, "a link up and out");
		unlink(target);
		cr_assert_eq(symlink("/proc/self/exe", target), 0);
		check_refused(path, "a magic link");
		unlink(target);
		cr_assert_eq(symlink(strrchr(path, '/') + 1, target), 0);
		snprintf(piece, sizeof piece, "/%s: is a link that ends nowhere", path);
		check_refused(piece, "a link to itself");
		unlink(target);
		rename(fixture_path(&fix, "away"), target);
	}
	lh_plugin_free(fixture_load(&fix, "demo"));
}

Test(folder, links_inside) {
	fixture_plugin(&fix, "demo", HEAD, "");
	fixture_write(&fix, "demo/real.lua", MAIN_SCAN);
	unlink(fixture_path(&fix, "demo/main.lua"));
	cr_assert_eq(symlink("../demo/real.lua", fixture_path(&fix, "demo/main.lua")), 0);
	check_refused("is a link that leaves", "out and in again");
	unlink(fixture_path(&fix, "demo/main.lua"));
	cr_assert_eq(symlink("real.lua", fixture_path(&fix, "demo/main.lua")), 0);
	fixture_mkdir(&fix, "demo/other");
	fixture_write(&fix, "demo/other/c.lua", "return 1");
	cr_assert_eq(symlink("other", fixture_path(&fix, "demo/lib")), 0);
	struct lh_plugin *plugin = fixture_load(&fix, "demo");
	cr_assert_eq(plugin->nb_sources, 2);
	cr_expect_str_eq(plugin->sources[0].text, MAIN_SCAN);
	cr_expect_str_eq(plugin->sources[1].name, "lib/c.lua");
	lh_plugin_free(plugin);

	unlink(fixture_path(&fix, "demo/lib"));
	fixture_mkdir(&fix, "outside");
	cr_assert_eq(symlink("../outside", fixture_path(&fix, "demo/lib")), 0);
	check_refused("demo/lib: is a link that leaves", "a folder outside");
	unlink(fixture_path(&fix, "demo/lib"));
	fixture_write(&fix, "demo/lib", "");
	check_refused("demo/lib: is a file where a folder has to be", "a file as lib");
}

Test(folder, sources_are_sorted) {
	static const char *const names[] = {"main.lua", "lib/a.lua", "lib/b.lua", "tests/a.lua"};

	fixture_plugin(&fix, "demo", HEAD, MAIN_SCAN);
	fixture_mkdir(&fix, "demo/lib");
	fixture_mkdir(&fix, "demo/tests");
	fixture_write(&fix, "demo/lib/b.lua", "return 'b'");
	fixture_write(&fix, "demo/lib/a.lua", "return 'a'");
	fixture_write(&fix, "demo/lib/.hidden.lua", "not Lua");
	fixture_write(&fix, "demo/lib/notes.txt", "not Lua");
	fixture_write(&fix, "demo/lib/.lua", "not Lua");
	fixture_write(&fix, "demo/tests/a.lua", "return 't'");
	struct lh_plugin *plugin = fixture_load(&fix, "demo");
	cr_assert_eq(plugin->nb_sources, NB(names));
	for (unsigned i = 0; i < NB(names); i++)
		cr_expect_str_eq(plugin->sources[i].name, names[i]);
	cr_expect_str_eq(plugin->sources[2].text, "return 'b'");
	lh_plugin_free(plugin);
}

Test(folder, names_of_the_folder) {
	struct lh_plugin *plugin;
	struct lh_error err;
	char path[256], long_name[80];

	fixture_plugin(&fix, "demo", HEAD, MAIN_SCAN);
	snprintf(path, sizeof path, "%s//", fixture_path(&fix, "demo"));
	cr_assert_eq(lh_plugin_load(path, PROGRAM_VERSION, &plugin, &err), 0);
	cr_expect_str_eq(plugin->folder, fixture_path(&fix, "demo"));
	lh_plugin_free(plugin);

	cr_assert_eq(chdir(fixture_path(&fix, "demo")), 0);
	cr_assert_eq(lh_plugin_load(".", PROGRAM_VERSION, &plugin, &err), 0);
	cr_expect_str_eq(plugin->folder, fixture_path(&fix, "demo"));
	lh_plugin_free(plugin);
	cr_assert_eq(chdir(".."), 0);
	cr_assert_eq(lh_plugin_load("demo", PROGRAM_VERSION, &plugin, &err), 0);
	cr_expect_str_eq(plugin->folder, fixture_path(&fix, "demo"));
	lh_plugin_free(plugin);

	/* The link's name is the plugin's. */
	cr_assert_eq(symlink("demo", "linked"), 0);
	cr_expect_lt(lh_plugin_load("linked", PROGRAM_VERSION, &plugin, &err), 0);
	cr_expect(strstr(err.text, "name \"demo\" is not the folder's name, \"linked\""), "%s",
		err.text);

	cr_expect_eq(lh_plugin_load("nowhere", PROGRAM_VERSION, &plugin, &err), -ENOENT);
	cr_expect(strstr(err.text, "/nowhere: No such file or directory; a plugin is"), "%s",
		err.text);
	cr_expect_lt(lh_plugin_load("demo/main.lua", PROGRAM_VERSION, &plugin, &err), 0);
	cr_expect(strstr(err.text, "demo/main.lua: is no folder"), "%s", err.text);
	cr_expect_lt(lh_plugin_load("", PROGRAM_VERSION, &plugin, &err), 0);
	cr_expect_lt(lh_plugin_load("/", PROGRAM_VERSION, &plugin, &err), 0);
	cr_expect(strstr(err.text, "is no plugin name"), "%s", err.text);

	memset(long_name, 'a', 65);
	long_name[65] = '\0';
	fixture_plugin(&fix, long_name, HEAD, MAIN_SCAN);
	cr_expect_lt(lh_plugin_load(long_name, PROGRAM_VERSION, &plugin, &err), 0);
	cr_expect(strstr(err.text, "the folder's name is no plugin name"), "%s", err.text);
	fixture_plugin(&fix, "a\n\x1b\xff", HEAD, MAIN_SCAN);
	cr_expect_lt(lh_plugin_load("a\n\x1b\xff", PROGRAM_VERSION, &plugin, &err), 0);
	cr_expect(strstr(err.text, "/a???: the folder's name"), "%s", err.text);
	check_line(err.text, "a name of bytes");
}

/* The reason stays, where a path is too long for the message. */
Test(folder, deep_paths) {
	struct lh_plugin *plugin;
	struct lh_error err;
	char path[4096];

	strcpy(path, fix.dir);
	for (unsigned i = 0; i < 10; i++) {
		const size_t length = strlen(path);

		path[length] = '/';
		memset(path + length + 1, 'd', 100);
		path[length + 101] = '\0';
		cr_assert_eq(mkdir(path, 0755), 0);
	}
	strcat(path, "/demo");
	fixture_plugin(&fix, path + strlen(fix.dir) + 1, "[plugin]\nnames = 1\n", MAIN_SCAN);
	cr_expect_lt(lh_plugin_load(path, PROGRAM_VERSION, &plugin, &err), 0);
	cr_expect(strstr(err.text,
			  "d/demo/plugin.toml:2: unknown key \"names\" in [plugin]; the "
			  "nearest one known is \"name\""),
		"%s", err.text);
	cr_expect_eq(strncmp(err.text, "...", 3), 0);
}

/* ---- Lua ---- */

static const struct {
	const char *file, *text, *piece;
} bad_lua[] = {
	{"main.lua", "x x", "demo/main.lua:1: '=' expected near 'x'"},
	{"main.lua", "function on_target()\n\n", "demo/main.lua:3: 'end' expected"},
	{"main.lua", "a = \"\n\"", "demo/main.lua:1: unfinished string"},
	{"main.lua", "a = [[", "demo/main.lua:1: unfinished long string"},
	{"main.lua", "--[[", "demo/main.lua:1: unfinished long comment"},
	{"main.lua", "goto nowhere", "demo/main.lua:1: undefined label 'nowhere'"},
	{"main.lua", "break", "demo/main.lua:1: "},
	{"main.lua", "a = 1 // 2", "demo/main.lua:1: "},
	{"main.lua", "\n\na = 1 & 2", "demo/main.lua:3: "},
	{"main.lua", "local x <const> = 1", "demo/main.lua:1: "},
	{"main.lua", "\x1bLJ\x02", "demo/main.lua: is bytecode; only Lua text is run"},
	{"main.lua", "\x1bLua", "demo/main.lua: is bytecode; only Lua text is run"},
	{"main.lua", "\xef\xbb\xbf\x1bLJ\x02", "demo/main.lua"},
	{"main.lua", "#!/usr/bin/lua\n\x1bLJ\x02", "demo/main.lua"},
	{"main.lua", "x = '\x01\x02\x1b[31m' y", "demo/main.lua:1: '=' expected near"},
	{"main.lua", "\xff\xfe", "demo/main.lua:1: "},
	{"main.lua", "x = 'a\nb'", "demo/main.lua:1: unfinished string near ''a'"},
	{"lib/http.lua", "return {}\n}", "demo/lib/http.lua:2: "},
	{"tests/basic.lua", "return return", "demo/tests/basic.lua:1: "},
};

Test(lua, syntax_errors) {
	char path[64];

	fixture_plugin(&fix, "demo", HEAD, MAIN_SCAN);
	fixture_mkdir(&fix, "demo/lib");
	fixture_mkdir(&fix, "demo/tests");
	for (unsigned i = 0; i < NB(bad_lua); i++) {
		snprintf(path, sizeof path, "demo/%s", bad_lua[i].file);
		fixture_write(&fix, path, bad_lua[i].text);
		check_refused(bad_lua[i].piece, bad_lua[i].text);
		fixture_write(&fix, path, MAIN_SCAN);
	}
	lh_plugin_free(fixture_load(&fix, "demo"));
}

static const struct {
	const char *start, *piece, *end;
	const char *why; /* NULL: good Lua */
} huge_lua[] = {
	{"x = ", "(", "", "too many syntax levels"},
	{"x = ", "{", "", "too many syntax levels"},
	{"x = ", "not ", "1", "too many syntax levels"},
	{"x = ", "- ", "1", "too many syntax levels"},
	{"x = 1", "..1 ", "", ""},
	{"x = 1", "^1", "", ""},
	{"", "do ", "", "too many syntax levels"},
	{"x = ", "function() return ", "", ""},
	{"x = f", "(f", "", ""},
	{"x = {", "{},", "}", "more than 65536 constants"},
	{"x = a", ".a", "", NULL},
	{"", "local x ", "", "more than 200 local variables"},
	{"", "x=1 ", "", NULL},
	{"x = 1", "+1", "", NULL},
	{"x = '", "\\", "'", NULL},
	{"--[", "=", "[", "unfinished long comment"},
	{"x = ", "9", "", NULL},
	{"", "a", " = 1", NULL},
	{"", "goto a ", "", ""},
	{"", "f();", "", NULL},
	{"x = function(", "a,", "...) end", ""},
};

/* @start, as many of @piece as fit @bytes, @end. */
static int check_huge(const char *start, const char *piece, const char *end, size_t bytes,
	struct syntax_fault *fault) {
	const size_t length = strlen(piece), count = bytes / length & ~(size_t)1;
	char *text = malloc(bytes + 128), *at;

	cr_assert_not_null(text);
	at = stpcpy(text, start);
	for (size_t k = 0; k < count; k++, at += length)
		memcpy(at, piece, length);
	strcpy(at, end);
	int rc = syntax_check(text, strlen(text), fault);
	free(text);
	return rc;
}

Test(lua, huge_sources_end, .timeout = 120) {
	for (unsigned i = 0; i < NB(huge_lua); i++) {
		struct syntax_fault fault = {.why = "nothing"};
		const char *piece = huge_lua[i].piece, *why = huge_lua[i].why;
		int rc = check_huge(huge_lua[i].start, piece, huge_lua[i].end, 1 << 20, &fault);

		cr_expect_eq(rc, why ? -EINVAL : 0, "%s: %s", piece, fault.why);
		cr_expect(!why || strstr(fault.why, why), "%s: %s", piece, fault.why);
	}
}

/* LuaJIT walks all jumps for each new one: without a limit this takes a minute and more. */
Test(lua, what_takes_too_long, .timeout = 60) {
	struct syntax_fault fault = {.why = "nothing"};

	cr_expect_eq(check_huge("if x then ", "elseif x then ", "end", 4 << 20, &fault), -EINVAL);
	cr_expect_str_eq(fault.why, "takes too long to compile");
	cr_expect_eq(fault.line, 0);
}

/* What has to be remembered of each is looked through for each. */
Test(lua, many_labels_end, .timeout = 120) {
	struct syntax_fault fault;
	char *text = malloc(4 << 20), *at = text;

	cr_assert_not_null(text);
	for (unsigned i = 0; i < 60000; i++)
		at += sprintf(at, "goto l%u ::m%u:: ", i, i);
	cr_expect_eq(syntax_check(text, (size_t)(at - text), &fault), -EINVAL);
	free(text);
}

#define H(hook) (1u << LH_HOOK_##hook)

static const struct {
	const char *text;
	uint32_t hooks;
} hook_texts[] = {
	{"", 0},
	{"function on_target() end", H(ON_TARGET)},
	{"function\n\ton_target\n(a, b) end", H(ON_TARGET)},
	{"function --[[x]] on_target --y\n () end", H(ON_TARGET)},
	{"on_target = function() end", H(ON_TARGET)},
	{"on_target=f", H(ON_TARGET)},
	{"x=1;on_target=f", H(ON_TARGET)},
	{"if x then function on_load() end else on_unload = f end", H(ON_LOAD) | H(ON_UNLOAD)},
	{"function f() export = function() format_result = 1 end end",
		H(EXPORT) | H(FORMAT_RESULT)},
	{"function on_pre_scan() end function on_post_scan() end",
		H(ON_PRE_SCAN) | H(ON_POST_SCAN)},
	{"function analyze_banner() end function probe_service() end",
		H(ANALYZE_BANNER) | H(PROBE_SERVICE)},
	{"local x, y\non_target = f", H(ON_TARGET)},
	{"local x = 1, 2 on_target = f", H(ON_TARGET)},
	{"local t = {} on_target = f", H(ON_TARGET)},
	{"f{} on_target = f", H(ON_TARGET)},
	{"::a:: on_target = f", H(ON_TARGET)},
	{"a, on_target = f, g", H(ON_TARGET)},
	{"x = a .. b on_target = f", H(ON_TARGET)},
	{"x = 0x1p-4 on_target = f", H(ON_TARGET)},
	{"x = 1e+5 on_target = f", H(ON_TARGET)},
	{"x = 5 - 3 on_target = f", H(ON_TARGET)},
	{"x = '\\'' on_target = f", H(ON_TARGET)},
	{"x = [==[ ]] ]=] ]==] on_target = f", H(ON_TARGET)},
	{"x = a[b[1]] on_target = f", H(ON_TARGET)},
	{"--[x\non_target = f", H(ON_TARGET)},
	{"#!/bin/lua on_load = f\non_target = f", H(ON_TARGET)},
	{"\xef\xbb\xbf#on_load = f\non_target = f", H(ON_TARGET)},
	{"x = {f = function() on_target = g end}", H(ON_TARGET)},
	{"x = '\0' on_target = f", 0}, /* cut at the NUL here: see below */
	{"local function on_target() end", 0},
	{"local on_target = f", 0},
	{"local on_target", 0},
	{"local a, on_target = f", 0},
	{"local on_target, b = f", 0},
	{"function M.on_target() end", 0},
	{"function M:on_target() end", 0},
	{"function on_target.f() end", 0},
	{"M.on_target = f", 0},
	{"M . --x\n on_target = f", 0},
	{"_G.on_target = f", 0},
	{"_G['on_target'] = f", 0},
	{"x = {on_target = f}", 0},
	{"return {a = 1, on_target = f; on_load = g}", 0},
	{"x = on_target == f", 0},
	{"x = on_target", 0},
	{"x = on_target ~= f", 0},
	{"x = on_target <= f", 0},
	{"on_target()", 0},
	{"for on_target = 1, 2 do end", 0},
	{"-- function on_target() end", 0},
	{"--[[ \non_target = f ]]", 0},
	{"--[==[ ]]\non_target = f ]==]", 0},
	{"x = 'on_target = f'", 0},
	{"x = \"\\\"on_target = f\"", 0},
	{"x = [[on_target = f]]", 0},
	{"x = [=[ ]] on_target = f]=]", 0},
	{"on_targets = f", 0},
	{"xon_target = f", 0},
	{"on_target_ = f", 0},
	{"On_Target = f", 0},
	{"\xc3\xa4on_target = f", 0},
};

Test(lua, hooks_as_the_syntax_shows) {
	struct syntax_fault fault;

	for (unsigned i = 0; i < NB(hook_texts); i++) {
		const char *text = hook_texts[i].text;

		cr_expect_eq(syntax_hooks(text, strlen(text)), hook_texts[i].hooks, "%s", text);
		if (!strchr(text, '\0')[0] && strncmp(text, "x = '", 5))
			cr_expect_eq(syntax_check(text, strlen(text), &fault), 0, "%s: %s", text,
				fault.why);
	}
	static const char nul[] = "x = '\0' --\0\non_target = f";
	cr_expect_eq(syntax_hooks(nul, sizeof nul - 1), H(ON_TARGET));
}

/* Any prefix of any text ends, within its bytes (what else would be seen under a sanitizer). */
Test(lua, hooks_of_halves) {
	for (unsigned i = 0; i < NB(hook_texts); i++)
		for (size_t bytes = 0; bytes <= strlen(hook_texts[i].text); bytes++) {
			char *copy = malloc(bytes + 1);

			memcpy(copy, hook_texts[i].text, bytes);
			char *exact = realloc(copy, bytes ? bytes : 1);
			syntax_hooks(exact, bytes);
			free(exact);
		}
}

Test(lua, a_hook_of_its_type) {
	struct lh_plugin *plugin;

	fixture_plugin(&fix, "demo", HEAD, "function on_load() end function export() end");
	check_refused("demo/main.lua: defines no hook of a plugin of type scan; it needs a global "
		      "function on_pre_scan, on_target or on_post_scan",
		"no hook of a scan");
	fixture_write(&fix, "demo/plugin.toml", MANIFEST_OF("demo", "1.0.0", "detection"));
	check_refused(
		"of type detection; it needs a global function analyze_banner or probe_service",
		"no hook of a detection");
	fixture_write(&fix, "demo/plugin.toml", MANIFEST_OF("demo", "1.0.0", "output"));
	plugin = fixture_load(&fix, "demo");
	cr_expect_eq(plugin->hooks, H(ON_LOAD) | H(EXPORT));
	lh_plugin_free(plugin);

	/* One of another type is told, not refused. */
	fixture_write(&fix, "demo/main.lua", "function export() end function on_target() end");
	plugin = fixture_load(&fix, "demo");
	cr_expect_eq(plugin->hooks & ~lh_type_hooks(plugin->type), H(ON_TARGET));
	lh_plugin_free(plugin);
	fixture_write(&fix, "demo/main.lua", "function on_target() end");
	check_refused("it needs a global function format_result or export", "no hook of an output");
}

Test(lua, hooks_of_types) {
	uint32_t all = 0;

	for (unsigned type = 0; type < LH_TYPE_COUNT; type++) {
		const uint32_t hooks = lh_type_hooks((enum lh_type)type);

		cr_expect_eq(hooks & (H(ON_LOAD) | H(ON_UNLOAD)), H(ON_LOAD) | H(ON_UNLOAD));
		cr_expect_eq(hooks & all & ~(H(ON_LOAD) | H(ON_UNLOAD)), 0);
		all |= hooks;
	}
	cr_expect_eq(all, (1u << LH_HOOK_COUNT) - 1);
}

/* ---- Settings ---- */

#define CONFIG                                                                                     \
	HEAD "[config]\ntext = \"t\"\ncount = 3\nrate = 1.5\non = false\npaths = [\"/a\"]\n"       \
	     "ports = [1]\nmixed = [1, 2.5]\nodd = [1, \"x\"]\nnone = []\nflags = [true]\n"

static const struct lh_value *setting(const struct lh_plugin *plugin, const char *key) {
	for (unsigned i = 0; i < plugin->nb_config; i++)
		if (!strcmp(plugin->config[i].key, key))
			return &plugin->config[i];
	cr_assert_fail("no %s", key);
	return NULL;
}

static void set(struct lh_plugin *plugin, const char *key, const char *text) {
	struct lh_error err = {0};

	cr_expect_eq(lh_plugin_set(plugin, key, text, "here", &err), 0, "%s: %s", key, err.text);
}

static void set_bad(
	struct lh_plugin *plugin, const char *key, const char *text, const char *message) {
	struct lh_error err = {0};

	cr_expect_eq(lh_plugin_set(plugin, key, text, "scan.ini:12: [plugin:demo]", &err), -EINVAL,
		"%s = %s", key, text);
	cr_expect_str_eq(err.text, message);
	cr_expect(err.usage);
	check_line(err.text, key);
}

Test(settings, take_the_type_of_the_default) {
	fixture_plugin(&fix, "demo", CONFIG, MAIN_SCAN);
	struct lh_plugin *plugin = fixture_load(&fix, "demo");
	const struct lh_value *value;

	set(plugin, "text", " 12, 13");
	cr_expect_str_eq(setting(plugin, "text")->string, " 12, 13");
	set(plugin, "text", "");
	cr_expect_str_eq(setting(plugin, "text")->string, "");
	set(plugin, "count", "-9223372036854775808");
	cr_expect_eq(setting(plugin, "count")->integer, INT64_MIN);
	set(plugin, "rate", "2");
	cr_expect_eq(setting(plugin, "rate")->kind, LH_VALUE_NUMBER);
	cr_expect_eq(setting(plugin, "rate")->number, 2);
	set(plugin, "rate", "-1.5e3");
	cr_expect_eq(setting(plugin, "rate")->number, -1500);
	set(plugin, "on", "Yes");
	cr_expect(setting(plugin, "on")->boolean);
	set(plugin, "on", "off");
	cr_expect_not(setting(plugin, "on")->boolean);

	set(plugin, "paths", " /admin ,\t/log in,7 ");
	value = setting(plugin, "paths");
	cr_assert_eq(value->nb_items, 3);
	cr_expect_str_eq(value->items[0].string, "/admin");
	cr_expect_str_eq(value->items[1].string, "/log in");
	cr_expect_str_eq(value->items[2].string, "7");
	cr_expect_null(value->items[0].key);
	set(plugin, "paths", "");
	cr_expect_eq(setting(plugin, "paths")->nb_items, 0);
	cr_expect_eq(setting(plugin, "paths")->kind, LH_VALUE_ARRAY);

	set(plugin, "ports", "80,443");
	value = setting(plugin, "ports");
	cr_assert_eq(value->nb_items, 2);
	cr_expect_eq(value->items[1].kind, LH_VALUE_INTEGER);
	cr_expect_eq(value->items[1].integer, 443);
	set(plugin, "mixed", "1,2");
	cr_expect_eq(setting(plugin, "mixed")->items[0].kind, LH_VALUE_NUMBER);
	set(plugin, "odd", "1,2");
	cr_expect_str_eq(setting(plugin, "odd")->items[0].string, "1");
	set(plugin, "none", "1,2");
	cr_expect_str_eq(setting(plugin, "none")->items[1].string, "2");
	set(plugin, "flags", "yes,no");
	cr_expect(setting(plugin, "flags")->items[0].boolean);
	cr_expect_not(setting(plugin, "flags")->items[1].boolean);

	const unsigned before = plugin->nb_config;
	set(plugin, "new", "17");
	set(plugin, "new", "18");
	cr_expect_eq(plugin->nb_config, before + 1);
	cr_expect_eq(setting(plugin, "new")->kind, LH_VALUE_STRING);
	cr_expect_str_eq(setting(plugin, "new")->string, "18");
	lh_plugin_free(plugin);
}

Test(settings, bad_values_change_nothing) {
	fixture_plugin(&fix, "demo", CONFIG, MAIN_SCAN);
	struct lh_plugin *plugin = fixture_load(&fix, "demo");
	static const char *const no_integers[]
		= {"", " 1", "1 ", "1.0", "0x10", "1e3", "9223372036854775808", "x", "--1", "1,2"};
	static const char *const no_numbers[]
		= {"", "x", "1..2", "0x10", "1e999", " 1", "1 ", "1,5"};
	char text[128];

	for (unsigned i = 0; i < NB(no_integers); i++) {
		snprintf(text, sizeof text,
			"scan.ini:12: [plugin:demo]: count: \"%s\" is not a whole number, as its "
			"default is",
			no_integers[i]);
		set_bad(plugin, "count", no_integers[i], text);
	}
	for (unsigned i = 0; i < NB(no_numbers); i++) {
		snprintf(text, sizeof text,
			"scan.ini:12: [plugin:demo]: rate: \"%s\" is not a number, as its default "
			"is",
			no_numbers[i]);
		set_bad(plugin, "rate", no_numbers[i], text);
	}
	set_bad(plugin, "on", "maybe",
		"scan.ini:12: [plugin:demo]: on: \"maybe\" is not yes or no, as its default is");
	set_bad(plugin, "on", "a\n\x1b\xff",
		"scan.ini:12: [plugin:demo]: on: \"a???\" is not yes or no, as its default is");
	set_bad(plugin, "ports", "1,x",
		"scan.ini:12: [plugin:demo]: ports: \"x\" is not a whole number, as its default "
		"is");
	set_bad(plugin, "paths", "/a,,/b",
		"scan.ini:12: [plugin:demo]: paths: item 2 is empty; write items between single "
		"commas");
	set_bad(plugin, "paths", "/a,",
		"scan.ini:12: [plugin:demo]: paths: item 2 is empty; write items between single "
		"commas");
	cr_expect_eq(setting(plugin, "count")->integer, 3);
	cr_expect_eq(setting(plugin, "rate")->number, 1.5);
	cr_expect_eq(setting(plugin, "ports")->items[0].integer, 1);
	cr_expect_str_eq(setting(plugin, "paths")->items[0].string, "/a");
	lh_plugin_free(plugin);
}

Test(settings, names) {
	char name[66];

	memset(name, 'z', sizeof name);
	name[65] = '\0';
	cr_expect_not(lh_name_valid(name));
	name[64] = '\0';
	cr_expect(lh_name_valid(name));
	cr_expect(lh_name_valid("a"));
	cr_expect(lh_name_valid("-9"));
	cr_expect_not(lh_name_valid(""));
	cr_expect_not(lh_name_valid("."));
	cr_expect_not(lh_name_valid("a/b"));
	cr_expect_not(lh_name_valid("a_b"));
	cr_expect_not(lh_name_valid("A"));
	cr_expect_not(lh_name_valid("a\n"));
}
