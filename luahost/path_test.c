/* SPDX-License-Identifier: BSD-3-Clause */
/* Paths as root walks them: which links it follows, and that it ends where the kernel would. */
#include <lh/path.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NB(table) (sizeof(table) / sizeof((table)[0]))

enum { OTHER = 4242 };

static char folder[PATH_MAX];

static void write_file(const char *name) {
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, name, strlen(name)), (ssize_t)strlen(name));
	close(fd);
}

static void link_of(uid_t owner, const char *target, const char *name) {
	cr_assert_eq(symlink(target, name), 0);
	cr_assert_eq(lchown(name, owner, owner), 0);
}

static void make_scene(void) {
	if (geteuid() != 0)
		cr_skip_test("needs root");
	strcpy(folder, "/tmp/path_test.XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	cr_assert_eq(chdir(folder), 0);
	cr_assert_eq(mkdir("deep", 0755) | mkdir("deep/er", 0755), 0);
	write_file("file");
	write_file("deep/file");
	link_of(0, "file", "ours");
	link_of(OTHER, "file", "theirs");
	link_of(0, "theirs", "to-theirs");
	link_of(0, "deep", "our-folder");
	link_of(OTHER, "deep", "their-folder");
	link_of(0, "../file", "deep/up");
	link_of(0, "nowhere", "dangling");
	link_of(0, "loop", "loop");
	snprintf(folder + strlen(folder), 64, "/file");
	link_of(0, folder, "absolute");
	*strrchr(folder, '/') = '\0';
}

static void remove_scene(void) {
	char command[PATH_MAX + 16];

	if (geteuid() != 0)
		return;
	snprintf(command, sizeof command, "rm -rf %s", folder);
	cr_expect_eq(system(command), 0);
}

TestSuite(path, .init = make_scene, .fini = remove_scene);

/* Where it does not refuse, it opens what the kernel opens, and fails as it does. */
Test(path, like_the_kernel) {
	static const char *const paths[] = {"file", "./file", "deep/file", "deep//file",
		"deep/../file", "ours", "our-folder/file", "deep/up", "our-folder/up", "absolute",
		"dangling", "loop", "missing", "missing/file", "file/", "file/file", "", "/", ".",
		"deep", "deep/", "our-folder", "our-folder/", "/proc/self/cwd/file",
		"/proc/self/fd/0", "/dev/null", "/dev/stdin", "/../tmp"};

	for (unsigned i = 0; i < NB(paths); i++) {
		int want = open(paths[i], O_RDONLY), wanted = want < 0 ? -errno : 0;
		int got = lh_path_open(paths[i], O_RDONLY, 0);
		struct stat a, b;

		cr_expect_eq(got < 0 ? got : 0, wanted, "%s: %d, not %d", paths[i], got, wanted);
		if (want < 0 || got < 0)
			continue;
		fstat(want, &a);
		fstat(got, &b);
		cr_expect(
			a.st_ino == b.st_ino && a.st_dev == b.st_dev, "%s: another file", paths[i]);
		cr_expect(fcntl(got, F_GETFD) & FD_CLOEXEC);
		close(want);
		close(got);
	}
}

Test(path, links_of_others) {
	static const char *const paths[] = {"theirs", "to-theirs", "their-folder/file",
		"their-folder", "deep/../their-folder/er", "our-folder/../theirs"};

	for (unsigned i = 0; i < NB(paths); i++) {
		cr_expect_eq(lh_path_open(paths[i], O_RDONLY, 0), -ENOLINK, "%s", paths[i]);
		cr_expect_eq(lh_path_open(paths[i], O_WRONLY | O_TRUNC, 0), -ENOLINK);
		cr_expect_eq(lh_path_open(paths[i], O_PATH, 0), -ENOLINK);
	}
	cr_expect_eq(lh_path_make("their-folder/new", 0755), -ENOLINK);
	cr_expect_eq(access("deep/new", F_OK), -1);
	struct stat st;
	cr_expect(stat("file", &st) == 0 && st.st_size == 4, "nothing was truncated");
}

Test(path, creates) {
	const int new = O_WRONLY | O_CREAT | O_EXCL;
	struct stat st;

	umask(022);
	cr_expect_geq(lh_path_open("our-folder/new", new, 0666), 0);
	cr_expect(stat("deep/new", &st) == 0 && (st.st_mode & 07777) == 0644);
	cr_expect_eq(lh_path_open("our-folder/new", new, 0666), -EEXIST);
	cr_expect_eq(lh_path_open("dangling", new, 0666), -EEXIST);
	cr_expect_eq(lh_path_open("theirs", new, 0666), -EEXIST);
	cr_expect_eq(access("nowhere", F_OK), -1);
}

Test(path, makes_folders) {
	char absolute[PATH_MAX + 16];
	struct stat st;
	int fd = lh_path_make("our-folder/a/b", 0700);

	cr_assert_geq(fd, 0);
	cr_expect(stat("deep/a/b", &st) == 0 && (st.st_mode & 07777) == 0700);
	cr_expect_geq(openat(fd, ".", O_RDONLY | O_DIRECTORY), 0);
	cr_expect_geq(lh_path_make("our-folder/a/b", 0700), 0);
	cr_expect_eq(lh_path_make("file/a", 0700), -ENOTDIR);
	cr_expect_eq(lh_path_make("file", 0700), -ENOTDIR);
	snprintf(absolute, sizeof absolute, "%s/c/d", folder);
	cr_expect_geq(lh_path_make(absolute, 0700), 0);
	cr_expect_eq(access("c/d", F_OK), 0);
}

static bool trap(const char *path) {
	int fd = open(path, O_WRONLY);
	bool is = lh_path_is_trap(path, fd);

	cr_assert_geq(fd, 0);
	close(fd);
	return is;
}

Test(path, second_names) {
	cr_assert_eq(link("file", "second"), 0);
	cr_assert_eq(link("deep/file", "deep/er/second"), 0);
	cr_expect_not(trap("file"), "the folder is root's alone");
	cr_expect_not(trap("deep/er/second"));
	cr_assert_eq(chown("deep/er", OTHER, OTHER), 0);
	cr_expect(trap("deep/er/second"));
	cr_assert_eq(chmod(".", 01777), 0);
	cr_expect(trap("second"));
	write_file("single");
	cr_expect_not(trap("single"));
	cr_assert_eq(chmod(".", 0775), 0);
	cr_expect_not(trap("second"), "root's group");
	cr_assert_eq(chown(".", 0, OTHER), 0);
	cr_expect(trap("second"), "a group of others may write");
}

Test(path, other_users) {
	cr_assert_eq(chmod(".", 0755), 0);
	cr_assert_eq(chmod("file", 0644), 0);
	cr_assert_eq(seteuid(OTHER), 0);
	cr_expect_geq(lh_path_open("to-theirs", O_RDONLY, 0), 0, "the kernel's own rules hold");
	cr_assert_eq(seteuid(0), 0);
}
