/* SPDX-License-Identifier: BSD-3-Clause */
/* INI files: what is read of them, with lines of any length, and where errors are said to be. */
#include "inifile.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the file said, one entry a line: "LINE [section] key = value". */
struct heard {
	char *text;
	size_t length;
	FILE *out;
};

static int hear(void *user, const struct ini_entry *entry, struct dp_error *err) {
	struct heard *heard = user;

	if (entry->key)
		fprintf(heard->out, "%u [%s] %s = %s\n", entry->line, entry->section, entry->key,
			entry->value);
	else
		fprintf(heard->out, "%u [%s]\n", entry->line, entry->section);
	return 0;
}

/* Read @text as a file; returns what was heard (to be freed), or NULL with @err filled. */
static char *read_text(const char *text, size_t length, struct dp_error *err) {
	char path[] = "/tmp/inifile_test.XXXXXX";
	int fd = mkstemp(path);
	struct heard heard = {0};
	int ret;

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, length), (ssize_t)length);
	close(fd);
	heard.out = open_memstream(&heard.text, &heard.length);
	ret = inifile_read(path, hear, &heard, err);
	fclose(heard.out);
	unlink(path);
	if (ret < 0) {
		free(heard.text);
		cr_assert(err->usage);
		return NULL;
	}
	return heard.text;
}

static void expect(const char *text, const char *heard) {
	struct dp_error err = {0};
	char *got = read_text(text, strlen(text), &err);

	cr_assert_not_null(got, "%s", err.text);
	cr_assert_str_eq(got, heard);
	free(got);
}

static void expect_error(const char *text, size_t length, const char *fragment) {
	struct dp_error err = {0};
	char *got = read_text(text, length, &err);

	cr_assert_null(got, "%s was heard, not: %s", got, fragment);
	cr_assert(strstr(err.text, fragment), "%s does not say: %s", err.text, fragment);
}

Test(inifile, plain) {
	expect("[scan]\nrate = 5k\n\n# a comment\n; another\nports=80 ; why\n",
		"1 [scan]\n2 [scan] rate = 5k\n6 [scan] ports = 80\n");
	expect("", "");
	expect("\n\n", "");
	expect("[a]\nk =", "1 [a]\n2 [a] k = \n");
	expect("[a]\nk = v", "1 [a]\n2 [a] k = v\n");
}

Test(inifile, line_ends_and_mark) {
	expect("\xef\xbb\xbf[a]\r\nk = v\r\n\r\nl = w\r\n", "1 [a]\n2 [a] k = v\n4 [a] l = w\n");
}

/* inih takes one off the first line that it gets, which is the first that is no comment. */
Test(inifile, mark_in_another_line) {
	static const char *const texts[] = {
		"; why\n\xef\xbb\xbf[a]\n",
		"; why\n\xef\xbb\xbfk = v\n",
		"\xef\xbb\xbf\xef\xbb\xbfk = v\n",
		"[a]\n  \xef\xbb\xbf  = v\n",
		"[a]\nk = v\n  \xef\xbb\xbf\n",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		expect_error(texts[i], strlen(texts[i]), "a byte order mark");
	expect("[a]\nk = x\xef\xbb\xbf\n", "1 [a]\n2 [a] k = x\xef\xbb\xbf\n");
}

Test(inifile, marks_of_comments) {
	expect("[a]\nk = x;y\nl = x ;y\nm = x#y #z\n",
		"1 [a]\n2 [a] k = x;y\n3 [a] l = x\n4 [a] m = x#y #z\n");
}

Test(inifile, several_lines) {
	expect("[a]\nk = 1,\n    2\n\t3 ; three\n # none\n\n  4\nl = 5\n",
		"1 [a]\n2 [a] k = 1,2,3,4\n8 [a] l = 5\n");
}

/* Around every length at which a line or a piece of it could be cut. */
Test(inifile, long_lines) {
	for (size_t length = 150; length < 1300; length++) {
		char text[1400], heard[1400], value[1301];
		struct dp_error err;

		for (size_t i = 0; i < length; i++)
			value[i] = i % 7 == 3 ? ' ' : i % 11 == 5 ? ';' : (char)('a' + i % 26);
		/* A `;` behind a blank would be a comment: not in this test. */
		for (size_t i = 1; i < length; i++)
			if (value[i] == ';' && value[i - 1] == ' ')
				value[i] = 'x';
		value[0] = value[length - 1] = 'E';
		value[length] = '\0';
		snprintf(text, sizeof(text), "[a]\nk = %s\nl = 1\n", value);
		snprintf(heard, sizeof(heard), "1 [a]\n2 [a] k = %s\n3 [a] l = 1\n", value);
		char *got = read_text(text, strlen(text), &err);
		cr_assert_not_null(got, "%s", err.text);
		cr_assert_str_eq(got, heard, "length %zu", length);
		free(got);
	}
}

/* A comment behind a long value ends it, wherever the pieces are cut. */
Test(inifile, long_lines_with_comments) {
	for (size_t length = 150; length < 500; length++) {
		char text[3000], heard[3000], value[501], blanks[501];

		memset(value, 'v', length);
		value[length] = '\0';
		memset(blanks, ' ', length);
		blanks[length] = '\0';
		snprintf(text, sizeof(text), "[a]\nk = %s ; %s\n  %s;x ;y\nl =%s1%s;\n", value,
			value, value, blanks, blanks);
		snprintf(heard, sizeof(heard), "1 [a]\n2 [a] k = %s,%s;x\n4 [a] l = 1\n", value,
			value);
		expect(text, heard);
	}
}

Test(inifile, long_continuations) {
	const size_t length = 1 << 20;
	char *text = malloc(length + 100), *heard = malloc(length + 100);
	size_t at = (size_t)sprintf(text, "[a]\nk = first\n  ");

	memset(text + at, '7', length);
	sprintf(text + at + length, "\n\nl = 1\n");
	at = (size_t)sprintf(heard, "1 [a]\n2 [a] k = first,");
	memset(heard + at, '7', length);
	sprintf(heard + at + length, "\n5 [a] l = 1\n");
	expect(text, heard);
	free(text);
	free(heard);
}

/* inih keeps 50 bytes of either; names of plugins are longer. */
Test(inifile, long_names) {
	char text[600], heard[600], section[82], key[50];

	memset(section, 's', 80);
	section[80] = '\0';
	memset(key, 'k', INIFILE_LONGEST_KEY);
	key[INIFILE_LONGEST_KEY] = '\0';
	snprintf(
		text, sizeof(text), "[%s]\n%s = 1,\n  2\n[%s]\nl = 3\n", section, key, section + 1);
	snprintf(heard, sizeof(heard), "1 [%s]\n2 [%s] %s = 1,2\n4 [%s]\n5 [%s] l = 3\n", section,
		section, key, section + 1, section + 1);
	expect(text, heard);
	section[80] = 's';
	section[81] = '\0';
	snprintf(text, sizeof(text), "[%s]\n", section);
	expect_error(text, strlen(text), ":1: section name");
	snprintf(text, sizeof(text), "[a]\nk%s = 1\n", key);
	expect_error(text, strlen(text), ":2: key too long");
}

Test(inifile, errors_have_lines) {
	char text[600] = "[a]\nk = ";

	expect_error("[a]\nk = v\nnonsense\n", 19, ":3: no `=`");
	expect_error("[a]\n\n\nnonsense", 14, ":4: no `=`");
	expect_error("[a\nk = v\n", 9, ":1: section without `]`");
	expect_error("[]\n", 3, ":1: section name");
	expect_error("[a] k = v\n", 10, ":1: text behind `]`");
	expect_error("[a]\n = v\n", 9, ":2: no key");
	expect_error("[a]\nk = \0v\n", 11, ":2: a NUL byte");
	expect_error("[a]\nk = \x01v\n", 11, ":2: control character 0x01");
	expect_error("[a]\nk = v\rl = w\n", 16, ":2: control character 0x0d");
	expect_error("\xff\xfe[\0a\0]\0", 8, ":1: a NUL byte");
	/* Lines fed in pieces still count once. */
	memset(text + 8, 'v', 500);
	strcpy(text + 508, "\nnonsense\n");
	expect_error(text, strlen(text), ":3: no `=`");
	/* A line too long for one piece without any `=`. */
	memset(text + 4, 'v', 500);
	strcpy(text + 504, "= 1\n");
	expect_error(text, strlen(text), ":2: no `=`");
}

Test(inifile, unreadable_files) {
	struct heard heard = {.out = stderr};
	struct dp_error err;

	cr_assert_eq(inifile_read("/nonexistent.ini", hear, &heard, &err), -ENOENT);
	cr_assert(strstr(err.text, "/nonexistent.ini"));
	cr_assert_eq(inifile_read("/", hear, &heard, &err), -EISDIR);
}

Test(inifile, says_what_it_can_hold) {
	cr_assert(inifile_can_hold(""));
	cr_assert(inifile_can_hold("a b;c#d # e"));
	cr_assert(inifile_can_hold("#a"));
	cr_assert(!inifile_can_hold(";a"));
	cr_assert(!inifile_can_hold("a ;b"));
	cr_assert(!inifile_can_hold("a\t;b"));
	cr_assert(!inifile_can_hold(" a"));
	cr_assert(!inifile_can_hold("a "));
	cr_assert(!inifile_can_hold("a\nb"));
}
