/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Installing and removing: what arrives, what is refused, and that a refusal leaves all as it was.
 */
#include "plugin_fixture.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define NB(table) (sizeof(table) / sizeof((table)[0]))

static struct fixture fix;

static void setup(void) {
	fixture_setup(&fix);
	fixture_mkdir(&fix, "src");
}

static void teardown(void) {
	fixture_teardown(&fix);
}

TestSuite(install, .init = setup, .fini = teardown);

static const char *target(void) {
	return fixture_path(&fix, "home/.prtip/plugins");
}

/* A plugin "demo" of @version to be installed, instead of the one before. */
static struct lh_plugin *make_source(const char *version) {
	char manifest[512];

	snprintf(manifest, sizeof manifest,
		"[plugin]\nname = \"demo\"\nversion = \"%s\"\nauthor = \"\"\ndescription = \"\"\n"
		"plugin_type = \"scan\"\n",
		version);
	if (access(fixture_path(&fix, "src/demo"), F_OK))
		fixture_plugin(&fix, "src/demo", manifest, MAIN_SCAN);
	fixture_write(&fix, "src/demo/plugin.toml", manifest);
	return fixture_load(&fix, "src/demo");
}

/* Install @version; the result, with the message in @err. */
static int install(const char *version, char **replaced, struct lh_error *err) {
	struct lh_plugin *plugin = make_source(version);
	int rc = lh_install(plugin, target(), replaced, err);

	lh_plugin_free(plugin);
	return rc;
}

static void install_well(const char *version, const char *old) {
	struct lh_error err = {0};
	char *replaced = NULL;

	cr_assert_eq(install(version, &replaced, &err), 0, "%s: %s", version, err.text);
	if (old)
		cr_expect_str_eq(replaced, old);
	else
		cr_expect_null(replaced);
	free(replaced);
}

static void install_badly(const char *version, int code, const char *piece) {
	struct lh_error err = {0};
	char *replaced = NULL;

	cr_expect_eq(install(version, &replaced, &err), code, "%s: %s", version, err.text);
	cr_expect(strstr(err.text, piece), "%s\n  not: %s", err.text, piece);
	cr_expect_null(replaced);
	cr_expect_not(err.usage, "a refused installation has status 1");
}

/* Whatever was tried, only these are in the folder, hidden ones included. */
static void check_entries(const char *const *names, unsigned nb_names) {
	DIR *dir = opendir(target());
	struct dirent *entry;
	unsigned count = 0;

	cr_assert_not_null(dir);
	while ((entry = readdir(dir)) != NULL) {
		bool known = !strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..");

		for (unsigned i = 0; i < nb_names; i++)
			known = known || !strcmp(entry->d_name, names[i]);
		cr_expect(known, "left behind: %s", entry->d_name);
		count++;
	}
	closedir(dir);
	cr_expect_eq(count, nb_names + 2);
}

static void check_installed(const char *version) {
	static const char *const names[] = {"demo"};

	check_entries(names, version ? 1 : 0);
	if (!version)
		return;
	struct lh_plugin *plugin = fixture_load(&fix, "home/.prtip/plugins/demo");
	cr_expect_str_eq(plugin->version, version);
	lh_plugin_free(plugin);
}

static void check_file(const char *name, const char *text) {
	char have[256] = "";
	struct stat st;
	FILE *file = fopen(fixture_path(&fix, name), "r");

	cr_assert_not_null(file, "%s: %m", name);
	have[fread(have, 1, sizeof have - 1, file)] = '\0';
	fclose(file);
	cr_expect_str_eq(have, text, "%s", name);
	cr_expect_eq(lstat(fixture_path(&fix, name), &st), 0);
	cr_expect(S_ISREG(st.st_mode));
	cr_expect_eq(st.st_mode & 07777, 0644);
}

Test(install, whole_plugin) {
	struct stat st;

	umask(022);
	lh_plugin_free(make_source("1.0.0"));
	fixture_mkdir(&fix, "src/demo/lib");
	fixture_mkdir(&fix, "src/demo/tests");
	fixture_mkdir(&fix, "src/demo/data");
	fixture_mkdir(&fix, "src/demo/.git");
	fixture_write(&fix, "src/demo/.git/config", "x");
	fixture_write(&fix, "src/demo/.luarc.json", "x");
	fixture_write(&fix, "src/demo/lib/a.lua", "return 1");
	fixture_write(&fix, "src/demo/tests/b.lua", "return 2");
	fixture_write(&fix, "src/demo/data/words.txt", "words");
	fixture_write(&fix, "src/demo/LICENSE", "free");
	cr_assert_eq(chmod(fixture_path(&fix, "src/demo/LICENSE"), 04755), 0);
	cr_assert_eq(symlink("LICENSE", fixture_path(&fix, "src/demo/COPYING")), 0);
	cr_assert_eq(symlink("data", fixture_path(&fix, "src/demo/more")), 0);
	install_well("1.0.0", NULL);
	check_installed("1.0.0");
	check_file("home/.prtip/plugins/demo/main.lua", MAIN_SCAN);
	check_file("home/.prtip/plugins/demo/lib/a.lua", "return 1");
	check_file("home/.prtip/plugins/demo/tests/b.lua", "return 2");
	check_file("home/.prtip/plugins/demo/data/words.txt", "words");
	check_file("home/.prtip/plugins/demo/LICENSE", "free");
	check_file("home/.prtip/plugins/demo/COPYING", "free");
	check_file("home/.prtip/plugins/demo/more/words.txt", "words");
	cr_expect_neq(access(fixture_path(&fix, "home/.prtip/plugins/demo/.git"), F_OK), 0);
	cr_expect_neq(access(fixture_path(&fix, "home/.prtip/plugins/demo/.luarc.json"), F_OK), 0);
	cr_expect_eq(lstat(fixture_path(&fix, "home/.prtip/plugins/demo/more"), &st), 0);
	cr_expect(S_ISDIR(st.st_mode));
}

Test(install, modes_of_folders) {
	static const char *const names[]
		= {"home/.prtip", "home/.prtip/plugins", "home/.prtip/plugins/demo"};
	struct stat st;

	umask(022);
	install_well("1.0.0", NULL);
	for (unsigned i = 0; i < NB(names); i++) {
		cr_assert_eq(stat(fixture_path(&fix, names[i]), &st), 0);
		cr_expect_eq(st.st_mode & 07777, 0755, "%s: %o", names[i], st.st_mode);
	}
}

Test(install, only_a_newer_one_replaces) {
	install_well("1.2.0", NULL);
	install_badly("1.2.0", -EEXIST,
		"plugins/demo is there already: version 1.2.0, which 1.2.0 is not newer than");
	install_badly("1.1.9", -EEXIST, "version 1.2.0, which 1.1.9 is not newer than");
	install_badly("1.2.0-rc.1", -EEXIST, "version 1.2.0, which 1.2.0-rc.1 is not newer than");
	install_badly("1.2.0+build", -EEXIST, "version 1.2.0, which 1.2.0+build is not newer than");
	check_installed("1.2.0");
	fixture_write(&fix, "home/.prtip/plugins/demo/old.txt", "of the old one");
	install_well("1.10.0", "1.2.0");
	check_installed("1.10.0");
	cr_expect_neq(access(fixture_path(&fix, "home/.prtip/plugins/demo/old.txt"), F_OK), 0);
}

Test(install, over_a_broken_one) {
	install_well("1.0.0", NULL);
	/* Broken, but it says which version it is. */
	fixture_write(&fix, "home/.prtip/plugins/demo/main.lua", "not Lua");
	install_badly("1.0.0", -EEXIST, "version 1.0.0, which 1.0.0 is not newer than");
	install_well("1.0.1", "1.0.0");
	fixture_write(&fix, "home/.prtip/plugins/demo/plugin.toml", "not TOML");
	install_badly("1.0.2", -EEXIST, "its version cannot be read");
	cr_expect_eq(lh_remove("demo", target(), &(struct lh_error){0}), 0);
	install_well("1.0.2", NULL);
}

Test(install, onto_itself) {
	struct lh_error err;
	char *replaced;

	install_well("1.0.0", NULL);
	struct lh_plugin *plugin = fixture_load(&fix, "home/.prtip/plugins/demo");
	cr_expect_eq(lh_install(plugin, target(), &replaced, &err), -EEXIST);
	cr_expect(strstr(err.text, "is there already: it is the very plugin"), "%s", err.text);
	lh_plugin_free(plugin);
	check_installed("1.0.0");

	/* A link to the working tree is the same plugin too, and the tree survives its removal. */
	cr_assert_eq(lh_remove("demo", target(), &err), 0);
	cr_assert_eq(symlink(fixture_path(&fix, "src/demo"),
			     fixture_path(&fix, "home/.prtip/plugins/demo")),
		0);
	install_badly("2.0.0", -EEXIST, "it is the very plugin");
	cr_expect_eq(lh_remove("demo", target(), &err), 0);
	check_installed(NULL);
	lh_plugin_free(fixture_load(&fix, "src/demo"));
}

/* A link to another tree is replaced; what it leads to is not touched. */
Test(install, over_a_link) {
	fixture_mkdir(&fix, "other");
	fixture_mkdir(&fix, "home");
	fixture_mkdir(&fix, "home/.prtip");
	fixture_mkdir(&fix, "home/.prtip/plugins");
	fixture_plugin(&fix, "other/demo", MANIFEST_OF("demo", "0.5.0", "scan"), MAIN_SCAN);
	cr_assert_eq(
		symlink("../../../other/demo", fixture_path(&fix, "home/.prtip/plugins/demo")), 0);
	install_well("1.0.0", "0.5.0");
	check_installed("1.0.0");
	lh_plugin_free(fixture_load(&fix, "other/demo"));
}

/* What a hostile folder may hold, and what is said about it. */
static void make_fifo(const char *path) {
	cr_assert_eq(mkfifo(path, 0644), 0);
}

static void make_link_out(const char *path) {
	cr_assert_eq(symlink("/etc/passwd", path), 0);
}

static void make_link_up(const char *path) {
	cr_assert_eq(symlink("../../src", path), 0);
}

static void make_dangling(const char *path) {
	cr_assert_eq(symlink("nothing", path), 0);
}

static void make_circle(const char *path) {
	cr_assert_eq(symlink(".", path), 0);
}

static void make_large(const char *path) {
	int fd = open(path, O_WRONLY | O_CREAT, 0644);

	cr_assert_eq(ftruncate(fd, (64 << 20) + 1), 0);
	close(fd);
}

static void make_many(const char *path) {
	char name[512];

	cr_assert_eq(mkdir(path, 0755), 0);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof name, "%s/%u", path, i);
		close(open(name, O_WRONLY | O_CREAT, 0644));
	}
}

static const struct {
	void (*make)(const char *path);
	const char *piece;
	int code;
} hostile[] = {
	{make_fifo, "src/demo/thing: is neither a regular file nor a folder", -ENODEV},
	{make_link_out, "src/demo/thing: is a link that leaves the plugin's folder", -EXDEV},
	{make_link_up, "src/demo/thing: is a link that leaves the plugin's folder", -EXDEV},
	{make_dangling, "src/demo/thing: is missing", -ENOENT},
	{make_circle, "lies deeper than 8 folders, or links make a circle", -ELOOP},
	{make_large, "src/demo/thing: is more than a plugin may have, 64 MiB in all", -EFBIG},
	{make_many, "is one more than the 1000 files of a plugin", -E2BIG},
};

/* Eight folders in each other are fine, nine are not. */
Test(install, deep_folders) {
	char name[64] = "src/demo";

	lh_plugin_free(make_source("1.0.0"));
	for (unsigned i = 0; i < 8; i++)
		fixture_mkdir(&fix, strcat(name, "/d"));
	install_well("1.0.0", NULL);
	fixture_mkdir(&fix, strcat(name, "/d"));
	install_badly("2.0.0", -ELOOP, "d/d/d/d/d/d/d/d/d: lies deeper than 8 folders");
	check_installed("1.0.0");
}

/* With nothing there before, and with an older one there. */
Test(install, hostile_folders, .timeout = 60) {
	fixture_mkdir(&fix, "home");
	for (unsigned old = 0; old < 2; old++) {
		if (old)
			install_well("1.0.0", NULL);
		for (unsigned i = 0; i < NB(hostile); i++) {
			char path[128];

			lh_plugin_free(make_source("1.0.0"));
			snprintf(path, sizeof path, "%s/src/demo/thing", fix.dir);
			hostile[i].make(path);
			install_badly("2.0.0", hostile[i].code, hostile[i].piece);
			check_installed(old ? "1.0.0" : NULL);
			nftw(path, fixture_unlink, 16, FTW_DEPTH | FTW_PHYS);
		}
	}
}

/* What changed between the check and the copy is not installed. */
Test(install, a_source_that_changed) {
	static const struct {
		const char *file, *text, *piece;
	} changes[] = {
		{"src/demo/main.lua", "not Lua", "the plugin changed while it was copied: "},
		{"src/demo/plugin.toml", MANIFEST_OF("demo", "0.1.0", "scan"),
			"the plugin changed while it was copied"},
		{"src/demo/plugin.toml", MANIFEST_OF("other", "2.0.0", "scan"),
			"name \"other\" is not the folder's name"},
	};

	install_well("1.0.0", NULL);
	for (unsigned i = 0; i < NB(changes); i++) {
		struct lh_error err = {0};
		char *replaced;
		struct lh_plugin *plugin = make_source("2.0.0");

		fixture_write(&fix, changes[i].file, changes[i].text);
		cr_expect_lt(lh_install(plugin, target(), &replaced, &err), 0);
		cr_expect(strstr(err.text, changes[i].piece), "%s", err.text);
		fixture_write(&fix, "src/demo/main.lua", MAIN_SCAN);
		lh_plugin_free(plugin);
		check_installed("1.0.0");
	}
}

/* In a process of its own, whose files may not grow. */
static int install_short_of_space(void) {
	const struct rlimit limit = {4096, 4096};
	struct lh_plugin *plugin = fixture_load(&fix, "src/demo");
	struct lh_error err = {0};
	char *replaced;

	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &limit);
	int rc = lh_install(plugin, target(), &replaced, &err);
	return rc == -EFBIG && strstr(err.text, "/demo/big") ? 0 : 1;
}

Test(install, a_write_that_fails) {
	int status;

	install_well("1.0.0", NULL);
	lh_plugin_free(make_source("2.0.0"));
	int fd = open(fixture_path(&fix, "src/demo/big"), O_WRONLY | O_CREAT, 0644);
	cr_assert_eq(ftruncate(fd, 100000), 0);
	close(fd);
	pid_t pid = fork();
	if (!pid)
		_exit(install_short_of_space());
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
	check_installed("1.0.0");
}

/* One who looks sees the old plugin or the new one, whole, at every moment. */
Test(install, replacing_is_atomic, .timeout = 60) {
	int status;

	install_well("1.0.0", NULL);
	pid_t pid = fork();
	if (!pid) {
		char version[32];

		for (unsigned i = 1; i <= 100; i++) {
			snprintf(version, sizeof version, "1.%u.0", i);
			struct lh_plugin *plugin = make_source(version);
			char *replaced;
			if (lh_install(plugin, target(), &replaced, &(struct lh_error){0}))
				_exit(1);
		}
		_exit(0);
	}
	unsigned looks = 0;
	for (; !waitpid(pid, &status, WNOHANG); looks++)
		cr_assert_eq(access(fixture_path(&fix, "home/.prtip/plugins/demo"), F_OK), 0);
	cr_expect_eq(status, 0);
	cr_expect_gt(looks, 0);
	check_installed("1.100.0");
}

Test(install, places_that_are_none) {
	struct lh_plugin *plugin = make_source("1.0.0");
	struct lh_error err;
	char *replaced;

	fixture_write(&fix, "file", "");
	cr_expect_eq(lh_install(plugin, fixture_path(&fix, "file"), &replaced, &err), -ENOTDIR);
	cr_expect(strstr(err.text, "/file: Not a directory"), "%s", err.text);
	cr_expect_eq(lh_install(plugin, fixture_path(&fix, "file/x"), &replaced, &err), -ENOTDIR);
	cr_expect(strstr(err.text, "cannot make"), "%s", err.text);
	lh_plugin_free(plugin);
}

Test(install, removing) {
	struct lh_error err = {0};

	cr_expect_eq(lh_remove("demo", target(), &err), -ENOENT);
	cr_expect(strstr(err.text, "no plugin \"demo\", as there is no folder /"), "%s", err.text);
	install_well("1.0.0", NULL);
	cr_expect_eq(lh_remove("other", target(), &err), -ENOENT);
	cr_expect(strstr(err.text, "no plugin \"other\" in "), "%s", err.text);
	static const char *const no_names[]
		= {"", ".", "..", "../plugins", "demo/", "demo/lib", "Demo"};
	for (unsigned i = 0; i < NB(no_names); i++) {
		cr_expect_eq(lh_remove(no_names[i], target(), &err), -EINVAL, "%s", no_names[i]);
		cr_expect(strstr(err.text, "no plugin can have this name"), "%s", err.text);
	}
	check_installed("1.0.0");
	fixture_mkdir(&fix, "home/.prtip/plugins/demo/deep");
	fixture_write(&fix, "home/.prtip/plugins/demo/deep/x", "");
	fixture_write(&fix, "precious", "precious");
	cr_assert_eq(symlink(fix.dir, fixture_path(&fix, "home/.prtip/plugins/demo/deep/out")), 0);
	cr_expect_eq(lh_remove("demo", target(), &err), 0, "%s", err.text);
	check_installed(NULL);
	check_file("precious", "precious");
	cr_expect_eq(lh_remove("demo", target(), &err), -ENOENT);

	/* A folder that is no plugin is somebody's. */
	fixture_mkdir(&fix, "home/.prtip/plugins/demo");
	cr_expect_eq(lh_remove("demo", target(), &err), -ENOENT);
	cr_expect(strstr(err.text, "plugins/demo is no plugin: it has no plugin.toml"), "%s",
		err.text);
	static const char *const names[] = {"demo"};
	check_entries(names, 1);
}

Test(install, home) {
	char *path;

	setenv("HOME", "/home/anna", 1);
	path = lh_home_plugins();
	cr_expect_str_eq(path, "/home/anna/.prtip/plugins");
	free(path);
	path = lh_home_data();
	cr_expect_str_eq(path, "/home/anna/.prtip/data");
	free(path);
	setenv("HOME", "/", 1);
	path = lh_home_data();
	cr_expect_str_eq(path, "/.prtip/data");
	free(path);

	/* Not absolute, or not there: the password file knows. */
	static const char *const none[] = {"anna", "", NULL};
	for (unsigned i = 0; i < NB(none); i++) {
		if (none[i])
			setenv("HOME", none[i], 1);
		else
			unsetenv("HOME");
		path = lh_home_data();
		cr_expect_eq(*path, '/', "%s", path);
		cr_expect(strstr(path, "/.prtip/data"), "%s", path);
		cr_expect(!strstr(path, "anna"), "%s", path);
		if (!geteuid())
			cr_expect_str_eq(path, "/root/.prtip/data");
		free(path);
	}
}
