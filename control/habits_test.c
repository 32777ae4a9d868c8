/* SPDX-License-Identifier: BSD-3-Clause */
#include "habits.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum {
	ROOM = 1 << 20, /* for the document */
};

static const char document[] = TEST_DOCS_DIR "/migrating.md";
static const char begin[] = "| option | of | here | note |\n";

static char *slurp(const char *path) {
	FILE *file = fopen(path, "r");
	char *text = calloc(1, ROOM);

	cr_assert(file && text, "%s", path);
	cr_assert_lt(fread(text, 1, ROOM, file), ROOM);
	fclose(file);
	return text;
}

static char *reference(void) {
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	cr_assert(file);
	habits_print(file);
	cr_assert_eq(fclose(file), 0);
	return text;
}

/* HABITS_WRITE=1 writes the reference anew instead, behind what stands before it. */
static void rewrite(const char *text, const char *table) {
	const char *old = strstr(text, begin);
	FILE *file = fopen(document, "w");

	cr_assert(file);
	fprintf(file, "%.*s%s", (int)(old ? old - text : (long)strlen(text)), text, table);
	cr_assert_eq(fclose(file), 0);
}

Test(habits, document_has_the_whole_table) {
	char *text = slurp(document), *table = reference();
	const char *old = strstr(text, begin);

	if (getenv("HABITS_WRITE"))
		rewrite(text, table);
	else
		cr_assert(old && !strcmp(old, table),
			"docs/migrating.md is not what the program does: HABITS_WRITE=1 "
			"build/control/test_habits");
	free(text);
	free(table);
}

/* Calls @each with every text in backticks in the cell @column of the table's rows. */
static void each_quoted(unsigned column, void (*each)(const char *text, size_t length)) {
	char *table = reference(), *rest = table, *line;

	strsep(&rest, "\n");
	strsep(&rest, "\n");
	while ((line = strsep(&rest, "\n")) && *line) {
		char *cell = line;

		for (unsigned i = 0; i < column; i++)
			strsep(&cell, "|");
		cell[strcspn(cell, "|")] = '\0';
		for (char *quote = strchr(cell, '`'); quote;) {
			char *end = strchr(quote + 1, '`');

			cr_assert(end);
			each(quote + 1, (size_t)(end - quote - 1));
			quote = strchr(end + 1, '`');
		}
	}
	free(table);
}

static char seen[64 * 1024];

/* A flag that is ours would never get here; one that is there twice means two things. */
static void check_flag(const char *text, size_t length) {
	char flag[64];

	snprintf(flag, sizeof(flag), " %.*s ", (int)strcspn(text, " `"), text);
	cr_assert(!options_by_flag(flag + 1, strlen(flag) - 2), "%s is ours", flag);
	cr_assert(!strstr(seen, flag), "%s twice", flag);
	strcat(seen, flag);
}

Test(habits, flags_are_nobody_elses) {
	each_quoted(1, check_flag);
	cr_assert_gt(strlen(seen), 500);
}

/* Options that another part of the same version brings. */
static bool is_to_come(const char *flag, size_t length) {
	return (length == 8 && !memcmp(flag, "--fields", 8))
		|| (length == 8 && !memcmp(flag, "--filter", 8));
}

static unsigned nb_checked;

static void check_meaning(const char *text, size_t length) {
	char section[32], key[32];
	size_t flag = strcspn(text, " `");

	nb_checked++;
	if (sscanf(text, "--set %31[a-z].%31[a-z_]=", section, key) == 2)
		cr_assert(options_by_key(section, key), "%s.%s", section, key);
	else if (!is_to_come(text, flag))
		cr_assert(options_by_flag(text, flag), "%.*s", (int)flag, text);
}

Test(habits, mean_options_that_are_there) {
	each_quoted(3, check_meaning);
	cr_assert_gt(nb_checked, 40);
}

static const struct habit *find(const char *text, const char *flag, const char *joined) {
	const char *value;
	size_t length = 0;
	const struct habit *row = habits_find(text, &length, &value);

	cr_assert_eq(!row, !flag, "%s", text);
	if (row) {
		cr_assert_eq(length, strlen(flag), "%s", text);
		cr_assert(joined ? value && !strcmp(value, joined) : !value, "%s", text);
	}
	return row;
}

Test(habits, are_found_as_each_scanner_writes_them) {
	find("--max-rate=1000", "--max-rate", "1000");
	find("--max-rate", "--max-rate", NULL);
	find("-r1000", "-r", "1000");
	find("-PS22,80", "-PS22,80", NULL);
	find("-vvv", "-vvv", NULL);
	find("-d2", "-d2", NULL);
	find("-dns", NULL, NULL);
	find("-n7", NULL, NULL);
	find("-", NULL, NULL);
	find("--", NULL, NULL);
	find("--max-rates", NULL, NULL);
	cr_assert(habit_is_refused(find("-sT", "-sT", NULL)));
	cr_assert(!habit_is_refused(find("-Pn", "-Pn", NULL)));
}
