/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which plugins are there, valid or not, and the list of them for people and for machines.
 *
 * Runs in main(), before anything is forked. A catalog owns its entries and their plugins.
 */
#include "folder.h"
#include "sandbox.h"

#include <lh/plugin.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A catalog that grows. */
struct reading {
	struct lh_catalog *catalog;
	const char *version;
	const char *dir; /* absolute */
	int dir_fd;
	struct lh_error *err;
};

static int fail_memory(struct lh_error *err) {
	return lh_fail(err, false, -ENOMEM, "out of memory");
}

static const char *folder_name(const struct lh_entry *entry) {
	return strrchr(entry->folder, '/') + 1;
}

/* By the folders' whole names: lh_entry's own may be cut. */
static struct lh_entry *find_folder(const struct lh_catalog *catalog, const char *name) {
	for (unsigned i = 0; i < catalog->nb_entries; i++)
		if (!strcmp(folder_name(&catalog->entries[i]), name))
			return &catalog->entries[i];
	return NULL;
}

struct lh_entry *lh_catalog_find(const struct lh_catalog *catalog, const char *name) {
	return find_folder(catalog, name);
}

static char *join(const char *dir, const char *name) {
	char *path;

	return asprintf(&path, "%s/%s", dir[1] ? dir : "", name) < 0 ? NULL : path;
}

/*
 * 1: @name is a folder with a plugin.toml; 0: it is none; or the negative errno that kept us from
 * knowing. Links to folders are followed, as people link their working trees.
 */
static int looks_like_plugin(int dir, const char *name) {
	struct stat st;
	char path[NAME_MAX + sizeof("/plugin.toml")];

	snprintf(path, sizeof path, "%s/plugin.toml", name);
	if (!fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW))
		return 1;
	return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
}

/* The first loser is named. @folder is transferred. */
static void note_shadow(struct lh_entry *winner, char *folder) {
	if (winner->shadows)
		free(folder);
	else
		winner->shadows = folder;
}

/* @rc is why the folder cannot be looked into, or 0. @folder is transferred. */
static int add_entry(struct reading *reading, const char *name, char *folder, int rc) {
	struct lh_catalog *catalog = reading->catalog;
	const struct place place = {folder, NULL, 0};
	struct lh_entry *grown
		= realloc(catalog->entries, (catalog->nb_entries + 1) * sizeof *catalog->entries);

	if (!grown) {
		free(folder);
		return fail_memory(reading->err);
	}
	catalog->entries = grown;
	struct lh_entry *entry = &grown[catalog->nb_entries++];
	*entry = (struct lh_entry){.folder = folder};
	snprintf(entry->name, sizeof entry->name, "%.*s", LH_NAME_BYTES - 1, name);
	if (rc)
		place_fail(&entry->error, &place, rc, "cannot be read: %s", strerrordesc_np(-rc));
	else
		rc = lh_plugin_load(folder, reading->version, &entry->plugin, &entry->error);
	return rc == -ENOMEM ? fail_memory(reading->err) : 0;
}

static int read_folder(struct reading *reading, const char *name) {
	const int looks = looks_like_plugin(reading->dir_fd, name);

	if (!looks)
		return 0;
	char *folder = join(reading->dir, name);
	if (!folder)
		return fail_memory(reading->err);
	struct lh_entry *winner = find_folder(reading->catalog, name);
	if (!winner)
		return add_entry(reading, name, folder, looks < 0 ? looks : 0);
	note_shadow(winner, folder);
	return 0;
}

static int fail_dir(struct reading *reading, int rc) {
	const struct place place = {reading->dir, NULL, 0};

	return place_fail(
		reading->err, &place, rc, "cannot look for plugins here: %s", strerrordesc_np(-rc));
}

static int read_entries(struct reading *reading, DIR *dir) {
	struct dirent *entry;
	int rc = 0;

	/* What begins with a dot is no name, and may be an installation under way. */
	while (!rc && (errno = 0, (entry = readdir(dir)) != NULL))
		if (entry->d_name[0] != '.')
			rc = read_folder(reading, entry->d_name);
	return rc || !errno ? rc : fail_dir(reading, -errno);
}

static int read_open_dir(struct reading *reading, DIR *dir) {
	char *path = realpath(reading->dir, NULL);

	if (!path)
		return fail_dir(reading, -errno);
	reading->dir = path;
	reading->dir_fd = dirfd(dir);
	int rc = read_entries(reading, dir);
	free(path);
	return rc;
}

static int read_dir(struct reading *reading) {
	DIR *dir = opendir(reading->dir);

	if (!dir)
		return errno == ENOENT ? 0 : fail_dir(reading, -errno);
	int rc = read_open_dir(reading, dir);
	closedir(dir);
	return rc;
}

static int compare_entries(const void *a, const void *b) {
	return strcmp(folder_name(a), folder_name(b));
}

int lh_catalog_read(const char *const *dirs, unsigned nb_dirs, const char *version,
	struct lh_catalog **catalog, struct lh_error *err) {
	struct lh_catalog *c = calloc(1, sizeof *c);
	struct reading reading = {.catalog = c, .version = version, .err = err};
	int rc = 0;

	if (!c)
		return fail_memory(err);
	for (unsigned i = 0; i < nb_dirs && !rc; i++) {
		reading.dir = dirs[i];
		rc = read_dir(&reading);
	}
	if (rc) {
		lh_catalog_free(c);
		return rc;
	}
	if (c->nb_entries)
		qsort(c->entries, c->nb_entries, sizeof *c->entries, compare_entries);
	*catalog = c;
	return 0;
}

void lh_catalog_free(struct lh_catalog *catalog) {
	if (!catalog)
		return;
	for (unsigned i = 0; i < catalog->nb_entries; i++) {
		lh_plugin_free(catalog->entries[i].plugin);
		free(catalog->entries[i].folder);
		free(catalog->entries[i].shadows);
	}
	free(catalog->entries);
	free(catalog);
}

/* ---- The table ---- */

enum {
	PAGE = 80,
	GAP = 2, /* blanks between columns */
	INDENT = 4, /* of lines that belong to a row */
	NARROWEST = 20, /* description beside the other columns; below it goes beneath them */
};

enum column {
	COLUMN_NAME,
	COLUMN_VERSION,
	COLUMN_TYPE,
	COLUMN_CAPABILITIES,
	COLUMN_STATE,
	COLUMN_COUNT, /* the description follows */
};

static const struct {
	const char *title;
	unsigned widest; /* a longer cell ends its line */
} columns[COLUMN_COUNT] = {
	[COLUMN_NAME] = {"NAME", 24},
	[COLUMN_VERSION] = {"VERSION", 12},
	[COLUMN_TYPE] = {"TYPE", 9},
	[COLUMN_CAPABILITIES] = {"CAPABILITIES", 18},
	[COLUMN_STATE] = {"STATE", 7},
};

struct table {
	FILE *out;
	unsigned widths[COLUMN_COUNT];
	unsigned start; /* of the description */
	unsigned at; /* columns written in this line */
};

/* The cells of a row, in their own buffers where they are not constant. */
struct row {
	char name[LH_NAME_BYTES];
	const char *cells[COLUMN_COUNT];
};

static const char *capability_names(uint32_t capabilities) {
	static const char *const names[] = {
		"-",
		[LH_CAP_NETWORK] = "network",
		[LH_CAP_FILESYSTEM] = "filesystem",
		[LH_CAP_NETWORK | LH_CAP_FILESYSTEM] = "network,filesystem",
	};

	return names[capabilities];
}

static void make_row(const struct lh_entry *entry, struct row *row) {
	const struct lh_plugin *plugin = entry->plugin;

	strcpy(row->name, entry->name);
	make_printable(row->name);
	row->cells[COLUMN_NAME] = row->name;
	row->cells[COLUMN_VERSION] = plugin ? plugin->version : "-";
	row->cells[COLUMN_TYPE] = plugin ? lh_type_names[plugin->type] : "-";
	row->cells[COLUMN_CAPABILITIES] = plugin ? capability_names(plugin->capabilities) : "-";
	row->cells[COLUMN_STATE] = plugin ? "valid" : "invalid";
}

/* Characters, not bytes, of valid UTF-8. */
static unsigned text_width(const char *text, size_t bytes) {
	unsigned width = 0;

	for (size_t i = 0; i < bytes; i++)
		width += (text[i] & 0xc0) != 0x80;
	return width;
}

static void put(struct table *table, const char *text, size_t bytes) {
	fwrite(text, 1, bytes, table->out);
	table->at += text_width(text, bytes);
}

static void end_line(struct table *table) {
	putc('\n', table->out);
	table->at = 0;
}

/* Blanks up to column @to, on a line of its own where this one is beyond it. */
static void pad(struct table *table, unsigned to) {
	if (table->at > to)
		end_line(table);
	for (; table->at < to; table->at++)
		putc(' ', table->out);
}

/* Words of @text between the columns @from and PAGE; a longer one stays whole. */
static void put_wrapped(struct table *table, unsigned from, const char *text) {
	static const char blanks[] = " \t\r\n";

	for (text += strspn(text, blanks); *text; text += strspn(text, blanks)) {
		const size_t bytes = strcspn(text, blanks);

		if (table->at > from && table->at + 1 + text_width(text, bytes) > PAGE)
			end_line(table);
		if (table->at > from)
			put(table, " ", 1);
		else
			pad(table, from);
		put(table, text, bytes);
		text += bytes;
	}
}

static void measure(struct table *table, const struct row *row) {
	for (unsigned i = 0; i < COLUMN_COUNT; i++) {
		const unsigned width = text_width(row->cells[i], strlen(row->cells[i]));

		if (width > table->widths[i] && width <= columns[i].widest)
			table->widths[i] = width;
	}
}

static void measure_all(struct table *table, const struct lh_catalog *catalog) {
	struct row row;

	for (unsigned i = 0; i < COLUMN_COUNT; i++)
		table->widths[i] = (unsigned)strlen(columns[i].title);
	for (unsigned i = 0; i < catalog->nb_entries; i++) {
		make_row(&catalog->entries[i], &row);
		measure(table, &row);
	}
	table->start = 0;
	for (unsigned i = 0; i < COLUMN_COUNT; i++)
		table->start += table->widths[i] + GAP;
}

static bool is_beside(const struct table *table) {
	return table->start + NARROWEST <= PAGE;
}

static void put_cells(struct table *table, const char *const cells[COLUMN_COUNT]) {
	unsigned to = 0;

	for (unsigned i = 0; i < COLUMN_COUNT; i++) {
		pad(table, to);
		put(table, cells[i], strlen(cells[i]));
		to += table->widths[i] + GAP;
	}
}

/* @text in lines of their own. */
static void put_beneath(struct table *table, const char *text) {
	if (table->at)
		end_line(table);
	put_wrapped(table, INDENT, text);
}

static void put_description(struct table *table, const char *text) {
	if (!*text)
		return;
	if (!is_beside(table)) {
		put_beneath(table, text);
		return;
	}
	pad(table, table->start);
	put_wrapped(table, table->start, text);
}

static void put_shadows(struct table *table, const char *folder) {
	char *text;

	if (asprintf(&text, "(shadows %s)", folder) < 0)
		return;
	make_printable(text);
	put_beneath(table, text);
	free(text);
}

static void put_entry(struct table *table, const struct lh_entry *entry) {
	struct row row;

	make_row(entry, &row);
	put_cells(table, row.cells);
	if (entry->plugin)
		put_description(table, entry->plugin->description);
	else
		put_beneath(table, entry->error.text);
	if (entry->shadows)
		put_shadows(table, entry->shadows);
	end_line(table);
}

static void print_table(const struct lh_catalog *catalog, FILE *out) {
	struct table table = {.out = out};
	const char *titles[COLUMN_COUNT];

	measure_all(&table, catalog);
	for (unsigned i = 0; i < COLUMN_COUNT; i++)
		titles[i] = columns[i].title;
	put_cells(&table, titles);
	put_description(&table, "DESCRIPTION");
	end_line(&table);
	for (unsigned i = 0; i < catalog->nb_entries; i++)
		put_entry(&table, &catalog->entries[i]);
}

/* ---- JSON ---- */

static void put_escaped(const char *text, size_t bytes, FILE *out) {
	for (size_t i = 0; i < bytes; i++) {
		const unsigned char c = (unsigned char)text[i];

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			fprintf(out, "\\u%04x", c);
		else
			putc(c, out);
	}
}

/* A byte that is not UTF-8 becomes U+FFFD: folders may have any names. */
static void put_text(const char *text, FILE *out) {
	size_t rest = strlen(text);

	putc('"', out);
	while (rest) {
		const size_t valid = utf8_valid(text, rest);

		put_escaped(text, valid, out);
		text += valid;
		rest -= valid;
		if (rest) {
			fputs("\xef\xbf\xbd", out);
			text++;
			rest--;
		}
	}
	putc('"', out);
}

static void put_member(const char *key, const char *text, FILE *out) {
	fprintf(out, ",\"%s\":", key);
	if (text)
		put_text(text, out);
	else
		fputs("null", out);
}

static void put_capabilities(uint32_t capabilities, FILE *out) {
	fputs(",\"capabilities\":[", out);
	for (uint32_t bit = 1; bit <= capabilities; bit <<= 1) {
		if (!(capabilities & bit))
			continue;
		if (capabilities & (bit - 1))
			putc(',', out);
		put_text(capability_names(bit), out);
	}
	putc(']', out);
}

static void put_object(const struct lh_entry *entry, FILE *out) {
	const struct lh_plugin *plugin = entry->plugin;

	fputs("{\"name\":", out);
	put_text(folder_name(entry), out);
	put_member("version", plugin ? plugin->version : NULL, out);
	put_member("type", plugin ? lh_type_names[plugin->type] : NULL, out);
	put_capabilities(plugin ? plugin->capabilities : 0, out);
	put_member("description", plugin ? plugin->description : NULL, out);
	put_member("state", plugin ? "valid" : "invalid", out);
	put_member("error", plugin ? NULL : entry->error.text, out);
	put_member("folder", entry->folder, out);
	put_member("shadows", entry->shadows, out);
	putc('}', out);
}

static void print_json(const struct lh_catalog *catalog, FILE *out) {
	putc('[', out);
	for (unsigned i = 0; i < catalog->nb_entries; i++) {
		fputs(i ? ",\n " : "", out);
		put_object(&catalog->entries[i], out);
	}
	fputs("]\n", out);
}

int lh_catalog_print(const struct lh_catalog *catalog, bool json, FILE *out) {
	errno = 0;
	if (json)
		print_json(catalog, out);
	else
		print_table(catalog, out);
	/* What is buffered fails here, not unseen at exit. */
	if (!fflush(out) && !ferror(out))
		return 0;
	return errno ? -errno : -EIO;
}
