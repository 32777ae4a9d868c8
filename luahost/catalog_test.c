/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The catalog: what is found, who wins, and the table and JSON of it.
 */
#include "plugin_fixture.h"
#include "sandbox.h"

#include <stdio.h>

#define NB(table) (sizeof(table) / sizeof((table)[0]))

static struct fixture fix;

static void setup(void) {
	fixture_setup(&fix);
	fixture_mkdir(&fix, "one");
	fixture_mkdir(&fix, "two");
}

static void teardown(void) {
	fixture_teardown(&fix);
}

TestSuite(catalog, .init = setup, .fini = teardown);

static struct lh_catalog *read_both(void) {
	const char *const dirs[] = {fixture_path(&fix, "one"), fixture_path(&fix, "nowhere"),
		fixture_path(&fix, "two")};
	struct lh_catalog *catalog = NULL;
	struct lh_error err = {0};

	cr_assert_eq(lh_catalog_read(dirs, NB(dirs), PROGRAM_VERSION, &catalog, &err), 0, "%s",
		err.text);
	return catalog;
}

/* What lh_catalog_print() writes, to be freed. */
static char *printed(const struct lh_catalog *catalog, bool json) {
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	cr_assert_eq(lh_catalog_print(catalog, json, out), 0);
	fclose(out);
	return text;
}

Test(catalog, entries_are_folders_with_a_manifest) {
	fixture_plugin(&fix, "two/zeta", MANIFEST_OF("zeta", "1.0.0", "scan"), MAIN_SCAN);
	fixture_plugin(&fix, "one/beta", MANIFEST_OF("beta", "2.0.0", "scan"), MAIN_SCAN);
	fixture_plugin(&fix, "one/broken", "[plugin", MAIN_SCAN);
	fixture_plugin(&fix, "one/.hidden", MANIFEST_OF("hidden", "1.0.0", "scan"), MAIN_SCAN);
	fixture_mkdir(&fix, "one/empty");
	fixture_write(&fix, "one/file", "");
	cr_assert_eq(symlink("nowhere", fixture_path(&fix, "one/dangling")), 0);
	fixture_mkdir(&fix, "tree");
	fixture_plugin(&fix, "tree/alpha", MANIFEST_OF("alpha", "1.0.0", "scan"), MAIN_SCAN);
	cr_assert_eq(symlink("../tree/alpha", fixture_path(&fix, "two/alpha")), 0);
	struct lh_catalog *catalog = read_both();
	static const char *const names[] = {"alpha", "beta", "broken", "zeta"};

	cr_assert_eq(catalog->nb_entries, NB(names));
	for (unsigned i = 0; i < NB(names); i++) {
		const struct lh_entry *entry = &catalog->entries[i];

		cr_expect_str_eq(entry->name, names[i]);
		cr_expect_eq(lh_catalog_find(catalog, names[i]), entry);
		cr_expect_eq(entry->plugin == NULL, i == 2);
		cr_expect_null(entry->shadows);
	}
	cr_expect_null(lh_catalog_find(catalog, "empty"));
	cr_expect_null(lh_catalog_find(catalog, "hidden"));
	cr_expect_str_eq(catalog->entries[0].folder, fixture_path(&fix, "two/alpha"));
	cr_expect(strstr(catalog->entries[2].error.text, "one/broken/plugin.toml:1: "), "%s",
		catalog->entries[2].error.text);
	lh_catalog_free(catalog);
	lh_catalog_free(NULL);
}

Test(catalog, an_earlier_folder_wins) {
	fixture_mkdir(&fix, "three");
	fixture_plugin(&fix, "two/same", MANIFEST_OF("same", "9.0.0", "scan"), MAIN_SCAN);
	fixture_plugin(&fix, "one/same", MANIFEST_OF("same", "1.0.0", "scan"), MAIN_SCAN);
	fixture_plugin(&fix, "three/same", MANIFEST_OF("same", "1.0.0", "scan"), MAIN_SCAN);
	fixture_plugin(&fix, "one/bad", "", MAIN_SCAN);
	fixture_plugin(&fix, "two/bad", MANIFEST_OF("bad", "1.0.0", "scan"), MAIN_SCAN);
	const char *const dirs[] = {
		fixture_path(&fix, "one"), fixture_path(&fix, "two"), fixture_path(&fix, "three")};
	struct lh_catalog *catalog;
	struct lh_error err;

	cr_assert_eq(lh_catalog_read(dirs, 3, PROGRAM_VERSION, &catalog, &err), 0);
	cr_assert_eq(catalog->nb_entries, 2);
	cr_expect_str_eq(catalog->entries[1].plugin->version, "1.0.0");
	cr_expect_str_eq(catalog->entries[1].folder, fixture_path(&fix, "one/same"));
	cr_expect_str_eq(catalog->entries[1].shadows, fixture_path(&fix, "two/same"));
	/* Also one that is broken: whoever put it there has to hear of it. */
	cr_expect_null(catalog->entries[0].plugin);
	cr_expect_str_eq(catalog->entries[0].shadows, fixture_path(&fix, "two/bad"));
	lh_catalog_free(catalog);
}

Test(catalog, folders_that_cannot_be_read) {
	fixture_plugin(&fix, "one/locked", MANIFEST_OF("locked", "1.0.0", "scan"), MAIN_SCAN);
	cr_assert_eq(symlink("loop", fixture_path(&fix, "one/loop")), 0);
	cr_assert_eq(chmod(fixture_path(&fix, "one/locked"), 0), 0);
	cr_assert_eq(chmod(fix.dir, 0755), 0);
	const bool root = geteuid() == 0;
	struct lh_catalog *catalog;
	struct lh_error err;
	const char *const dirs[] = {fixture_path(&fix, "one"), fixture_path(&fix, "two")};

	cr_assert(!root || !seteuid(65534));
	int rc = lh_catalog_read(dirs, 1, PROGRAM_VERSION, &catalog, &err);
	cr_assert_eq(rc, 0, "%s", err.text);
	cr_assert_eq(catalog->nb_entries, 2);
	cr_expect_null(catalog->entries[0].plugin);
	cr_expect(strstr(catalog->entries[0].error.text,
			  "one/locked: cannot be read: Permission denied"),
		"%s", catalog->entries[0].error.text);
	cr_expect(strstr(catalog->entries[1].error.text, "one/loop: cannot be read: Too many"),
		"%s", catalog->entries[1].error.text);
	lh_catalog_free(catalog);

	/* The place itself is another matter. */
	cr_assert(!root || !seteuid(0));
	cr_assert_eq(chmod(fixture_path(&fix, "two"), 0), 0);
	cr_assert(!root || !seteuid(65534));
	catalog = NULL;
	cr_expect_eq(lh_catalog_read(dirs, 2, PROGRAM_VERSION, &catalog, &err), -EACCES);
	cr_expect(strstr(err.text, "/two: cannot look for plugins here: Permission denied"), "%s",
		err.text);
	cr_expect_null(catalog);
	cr_assert(!root || !seteuid(0));
	chmod(fixture_path(&fix, "two"), 0755);
	chmod(fixture_path(&fix, "one/locked"), 0755);

	fixture_write(&fix, "file", "");
	const char *const file[] = {fixture_path(&fix, "file")};
	cr_expect_eq(lh_catalog_read(file, 1, PROGRAM_VERSION, &catalog, &err), -ENOTDIR);
}

Test(catalog, empty) {
	struct lh_catalog *catalog = read_both();
	char *text = printed(catalog, true);

	cr_expect_eq(catalog->nb_entries, 0);
	cr_expect_str_eq(text, "[]\n");
	free(text);
	text = printed(catalog, false);
	cr_expect_str_eq(text, "NAME  VERSION  TYPE  CAPABILITIES  STATE  DESCRIPTION\n");
	free(text);
	lh_catalog_free(catalog);
}

#define DESCRIBED(name, type, capabilities, description)                                           \
	"[plugin]\nname = \"" name                                                                 \
	"\"\nversion = \"1.0.0\"\nauthor = \"A\"\nplugin_type = \"" type                           \
	"\"\ncapabilities = " capabilities "\ndescription = \"" description "\"\n"

Test(catalog, table) {
	fixture_plugin(&fix, "one/enum",
		DESCRIBED("enum", "scan", "[\"network\"]",
			"Asks web servers for   well-known paths and\\nsays which \xc3\xa4re "
			"there."),
		MAIN_SCAN);
	fixture_plugin(&fix, "one/csv2", DESCRIBED("csv2", "output", "[]", "Short."),
		"function export() end");
	fixture_plugin(&fix, "two/csv2", "", "");
	fixture_plugin(&fix, "one/bad", "[plugin]\nnames = 1\n", MAIN_SCAN);
	struct lh_catalog *catalog = read_both();
	char *text = printed(catalog, false), expect[2048];

	/* Where the reason breaks depends on the folder's name, which has a fixed length. */
	snprintf(expect, sizeof expect,
		"NAME  VERSION  TYPE    CAPABILITIES  STATE    DESCRIPTION\n"
		"bad   -        -       -             invalid\n"
		"    %s/one/bad/plugin.toml:2: unknown key \"names\" in [plugin];\n"
		"    the nearest one known is \"name\"\n"
		"csv2  1.0.0    output  -             valid    Short.\n"
		"    (shadows %s/two/csv2)\n"
		"enum  1.0.0    scan    network       valid    Asks web servers for well-known\n"
		"                                              paths and says which \xc3\xa4re "
		"there.\n",
		fix.dir, fix.dir);
	cr_expect_str_eq(text, expect);
	free(text);
	lh_catalog_free(catalog);
}

#define TEN "a a a a a a a a a a "

/* No line is wider than a page but where one word is; no word is lost or cut. */
Test(catalog, wide_tables) {
	static const char name[]
		= "a-name-that-is-as-long-as-a-name-may-be-0123456789-0123456789-01";

	cr_assert_eq(strlen(name), 64);
	fixture_plugin(&fix, "one/a-name-that-is-as-long-as-a-name-may-be-0123456789-0123456789-01",
		DESCRIBED("a-name-that-is-as-long-as-a-name-may-be-0123456789-0123456789-01",
			"detection", "[\"filesystem\", \"network\"]",
			"one two three four five six seven eight nine ten eleven twelve thirteen "
			"fourteen"),
		"function probe_service() end");
	fixture_plugin(&fix, "one/middle-sized-name",
		"[plugin]\nname = \"middle-sized-name\"\nversion = \"1.0.0-alpha.beta.gamma\"\n"
		"author = \"\"\ndescription = \"" TEN TEN TEN TEN TEN
		"\"\nplugin_type = \"scan\"\n",
		MAIN_SCAN);
	struct lh_catalog *catalog = read_both();
	char *text = printed(catalog, false), *line, *rest = text;

	cr_expect(strstr(text, name), "%s", text);
	cr_expect(strstr(text, "network,filesystem"), "%s", text);
	cr_expect(strstr(text, "1.0.0-alpha.beta.gamma"), "%s", text);
	cr_expect(strstr(text,
			  "    one two three four five six seven eight nine ten eleven twelve "
			  "thirteen\n    fourteen\n"),
		"%s", text);
	while ((line = strsep(&rest, "\n")) != NULL) {
		const size_t length = strlen(line);

		cr_expect_leq(length, 80, "%s", line);
		cr_expect(!length || line[length - 1] != ' ', "trailing blank: \"%s\"", line);
	}
	free(text);
	lh_catalog_free(catalog);
}

Test(catalog, json) {
	fixture_plugin(&fix, "one/both",
		DESCRIBED("both", "scan", "[\"network\", \"filesystem\"]",
			"\\\"quoted\\\" \\\\ back\\ttab\\nline \xe2\x82\xac"),
		MAIN_SCAN);
	fixture_plugin(&fix, "two/both", "", "");
	fixture_plugin(&fix, "one/a\"\\\n\x1b\xff\xc3", "", "");
	struct lh_catalog *catalog = read_both();
	char *text = printed(catalog, true), expect[4096];

	snprintf(expect, sizeof expect,
		"[{\"name\":\"a\\\"\\\\\\u000a\\u001b\xef\xbf\xbd\xef\xbf\xbd\",\"version\":null,"
		"\"type\":null,\"capabilities\":[],\"description\":null,\"state\":\"invalid\","
		"\"error\":\"%s/one/a\\\"\\\\????: the folder's name is no plugin name; use 1 to "
		"64 "
		"characters of a-z, 0-9 and "
		"-\",\"folder\":\"%s/one/a\\\"\\\\\\u000a\\u001b\xef\xbf\xbd"
		"\xef\xbf\xbd\",\"shadows\":null},\n"
		" {\"name\":\"both\",\"version\":\"1.0.0\",\"type\":\"scan\",\"capabilities\":["
		"\"network\",\"filesystem\"],\"description\":\"\\\"quoted\\\" \\\\ "
		"back\\u0009tab\\u000aline \xe2\x82\xac\",\"state\":\"valid\",\"error\":null,"
		"\"folder\":\"%s/one/both\",\"shadows\":\"%s/two/both\"}]\n",
		fix.dir, fix.dir, fix.dir, fix.dir);
	cr_expect_str_eq(text, expect);
	cr_expect_eq(utf8_valid(text, strlen(text)), strlen(text));
	free(text);
	lh_catalog_free(catalog);
}

Test(catalog, a_name_too_long_is_cut_but_not_confused) {
	char a[128] = "one/", b[128] = "one/";

	memset(a + 4, 'n', 80);
	strcpy(b, a);
	a[83] = 'a';
	b[83] = 'b';
	fixture_plugin(&fix, a, "", "");
	fixture_plugin(&fix, b, "", "");
	struct lh_catalog *catalog = read_both();

	cr_assert_eq(catalog->nb_entries, 2);
	cr_expect_eq(strlen(catalog->entries[0].name), 64);
	cr_expect_null(catalog->entries[0].shadows);
	cr_expect_str_eq(catalog->entries[1].folder, fixture_path(&fix, b));
	char *text = printed(catalog, true);
	cr_expect(strstr(text, b + 4), "%s", text);
	free(text);
	lh_catalog_free(catalog);
}

Test(catalog, a_full_disk_is_told) {
	struct lh_catalog *catalog = read_both();
	FILE *full = fopen("/dev/full", "w");

	cr_assert_not_null(full);
	cr_expect_eq(lh_catalog_print(catalog, true, full), -ENOSPC);
	fclose(full);
	lh_catalog_free(catalog);
}
