/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * New plugins: that each type is made whole, passes its own check, and takes nobody's place.
 */
#include "plugin_fixture.h"

#include <lh/host.h>

#include <signal.h>
#include <sys/resource.h>

static struct fixture fix;

static void setup(void) {
	fixture_setup(&fix);
}

static void teardown(void) {
	fixture_teardown(&fix);
}

TestSuite(skeleton, .init = setup, .fini = teardown, .timeout = 120);

static char text[16384];
static struct lh_error err;

/* Make the plugin `new-one`; what is printed is in @text then. */
static int make(enum lh_type type) {
	FILE *out = fmemopen(text, sizeof(text), "w");
	int rc = lh_skeleton(fix.dir, "new-one", type, PROGRAM_VERSION, out, &err);

	fclose(out);
	return rc;
}

static void remove_all(void) {
	fixture_teardown(&fix);
	fixture_setup(&fix);
}

Test(skeleton, each_type) {
	for (unsigned type = 0; type < LH_TYPE_COUNT; type++) {
		struct lh_plugin *plugin;

		cr_assert_eq(make((enum lh_type)type), 0, "%s", err.text);
		cr_expect(strstr(text,
				  " plugin:\n  new-one/plugin.toml\n  new-one/main.lua\n"
				  "  new-one/README.md\n  new-one/tests/basic.lua\n"),
			"%s", text);
		plugin = fixture_load(&fix, "new-one");
		cr_expect_str_eq(plugin->name, "new-one");
		cr_expect_eq(plugin->type, type);
		cr_expect_eq(plugin->capabilities, 0);
		for (unsigned i = 0; i < plugin->nb_sources; i++)
			cr_expect(!strstr(plugin->sources[i].text, "@NAME@"), "%s",
				plugin->sources[i].name);

		FILE *out = fmemopen(text, sizeof(text), "w");
		cr_expect_eq(lh_check(plugin, PROGRAM_VERSION, out, &err), 0, "%s", err.text);
		fclose(out);
		cr_expect(!strstr(text, "\nwarning"), "%s", text);
		cr_expect(strstr(text, " tests passed\n"), "%s", text);
		lh_plugin_free(plugin);
		remove_all();
	}
}

static void expect_refused(void) {
	cr_expect_eq(make(LH_TYPE_SCAN), -EEXIST);
	cr_expect_str_eq(err.text, "new-one is there already; nothing was changed");
	cr_expect_str_eq(text, "");
}

Test(skeleton, takes_no_place) {
	struct stat st;

	fixture_mkdir(&fix, "new-one");
	expect_refused();
	cr_expect_neq(stat(fixture_path(&fix, "new-one/main.lua"), &st), 0);
	remove_all();

	fixture_write(&fix, "new-one", "precious");
	expect_refused();
	remove_all();

	fixture_mkdir(&fix, "elsewhere");
	cr_assert_eq(symlink("elsewhere", fixture_path(&fix, "new-one")), 0);
	expect_refused();
	cr_expect_neq(stat(fixture_path(&fix, "elsewhere/main.lua"), &st), 0);
	remove_all();

	cr_assert_eq(symlink("nowhere", fixture_path(&fix, "new-one")), 0);
	expect_refused();
}

/* The manifest is written, main.lua does not fit. */
Test(skeleton, all_or_nothing) {
	const struct rlimit small = {1000, RLIM_INFINITY};
	struct stat st;

	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	cr_expect_eq(make(LH_TYPE_SCAN), -EFBIG);
	cr_expect_str_eq(err.text, "cannot make new-one: File too large");
	cr_expect_neq(stat(fixture_path(&fix, "new-one"), &st), 0);
}
