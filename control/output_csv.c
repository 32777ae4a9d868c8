/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CSV (RFC 4180): a heading with the fields' names, then a row a result, a line each.
 *
 * Runs on the writer thread, its end on the control core. Owns the fields that were chosen. What others
 * wrote stays one line, and is no formula to who opens the file in a spreadsheet: control characters and
 * backslashes are written as escapes, `\r\n`, `\u001b`, `\\`, and so is a first = + - or @.
 */
#include "field.h"
#include "json.h"
#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char default_fields[]
	= "ts, ip, port, proto, state, reason, ttl, rtt_us, banner, banner_hex, service.name, "
	  "service.product, service.version, service.info, service.cpe";

enum {
	ESCAPED
	= 2 * JSON_ESCAPED, /* bytes that one byte becomes at the most; a quote is doubled */
	CELL_FRAME = 16, /* comma, quotes, an escaped first character */
};

struct csv {
	struct sink *sink;
	struct field *fields;
	unsigned nb;
	char *heading;
	char *row; /* that is being put together */
	size_t used, room; /* bytes of it */
	bool begun;
};

/* Append the next field of the list; *@list moves behind it. */
static int add_field(struct csv *csv, const char **list) {
	size_t length = strcspn(*list, ", ");
	struct field *more = reallocarray(csv->fields, csv->nb + 1, sizeof *more);
	char why[64];

	if (!more)
		return -ENOMEM;
	csv->fields = more;
	/* The configuration was checked. */
	if (field_find(*list, length, &more[csv->nb], why, sizeof why))
		return -EINVAL;
	csv->nb++;
	*list += length;
	*list += strspn(*list, ", ");
	return 0;
}

static int make_heading(struct csv *csv) {
	size_t bytes = 2;
	char *p;

	for (unsigned i = 0; i < csv->nb; i++)
		bytes += 3 + 2 * strlen(csv->fields[i].name);
	csv->heading = p = malloc(bytes);
	if (!p)
		return -ENOMEM;
	for (unsigned i = 0; i < csv->nb; i++) {
		const char *name = csv->fields[i].name;
		const bool quoted = name[strcspn(name, "\",")];

		p = stpcpy(p, i ? "," : "");
		p = stpcpy(p, quoted ? "\"" : "");
		for (; *name; name++) {
			*p++ = *name;
			if (*name == '"')
				*p++ = '"';
		}
		p = stpcpy(p, quoted ? "\"" : "");
	}
	strcpy(p, "\n");
	return 0;
}

static void csv_close(void *state) {
	struct csv *csv = state;

	free(csv->fields);
	free(csv->heading);
	free(csv->row);
	free(csv);
}

static int csv_open(struct sink *sink, const struct output_params *params, void **state) {
	const char *chosen = params->config ? params->config->fields : NULL;
	const char *list = chosen && *chosen ? chosen : default_fields;
	struct csv *csv = calloc(1, sizeof *csv);
	int rc = csv ? 0 : -ENOMEM;

	while (!rc && *list)
		rc = add_field(csv, &list);
	if (!rc)
		rc = make_heading(csv);
	if (rc) {
		if (csv)
			csv_close(csv);
		return rc;
	}
	csv->sink = sink;
	*state = csv;
	return 0;
}

static const char *csv_first_line(const void *state) {
	return ((const struct csv *)state)->heading;
}

static void begin(struct csv *csv) {
	if (!csv->begun && !csv->sink->follows)
		sink_heading(csv->sink, csv->heading);
	csv->begun = true;
}

/* Text as JSON has it between its quotes, but for the quote itself, which CSV doubles. */
static char *put_network_text(char *p, const char *text, size_t bytes) {
	const char *end = text + bytes;
	bool first = true;

	*p++ = '"';
	while (text < end) {
		const char *quote = memchr(text, '"', (size_t)(end - text));
		const char *to = quote ? quote : end;

		if (first && strchr("=+-@", *text) && *text)
			p += sprintf(p, "\\u%04x", (unsigned char)*text++);
		first = false;
		if (text < to)
			p = json_escape(p, text, (size_t)(to - text));
		if (quote)
			p = stpcpy(p, "\"\"");
		text = quote ? quote + 1 : end;
	}
	*p++ = '"';
	return p;
}

static bool is_plain(const char *text, size_t bytes) {
	for (size_t i = 0; i < bytes; i++)
		if (text[i] < '!' || text[i] > '~' || text[i] == '"' || text[i] == ','
			|| text[i] == '\\')
			return false;
	return !bytes || !strchr("=+-@", *text);
}

static char *put_value(char *p, const struct field_value *value) {
	if (value->kind != FIELD_TEXT || is_plain(value->text, value->bytes))
		return mempcpy(p, value->text, value->bytes);
	return put_network_text(p, value->text, value->bytes);
}

/* Room for @bytes more in the row; false where there is no memory. */
static bool grow(struct csv *csv, size_t bytes) {
	char *row;

	if (csv->used + bytes <= csv->room)
		return true;
	row = realloc(csv->row, 2 * (csv->used + bytes));
	if (!row)
		return false;
	csv->row = row;
	csv->room = 2 * (csv->used + bytes);
	return true;
}

static int put_cell(struct csv *csv, unsigned i, const struct result *result) {
	struct field_value value;
	int rc = field_get(&csv->fields[i], result, &value);

	if (!rc && !grow(csv, CELL_FRAME + ESCAPED * value.bytes))
		rc = -ENOMEM;
	if (!rc) {
		char *p = csv->row + csv->used;

		if (i)
			*p++ = ',';
		csv->used = (size_t)(put_value(p, &value) - csv->row);
	}
	field_value_clear(&value);
	return rc;
}

static void put_row(struct csv *csv, const struct result *result) {
	int rc = 0;
	char *line;

	csv->used = 0;
	for (unsigned i = 0; !rc && i < csv->nb; i++)
		rc = put_cell(csv, i, result);
	if (rc) {
		csv->sink->error = csv->sink->error ? csv->sink->error : rc;
		return;
	}
	line = sink_room_for(csv->sink, csv->used + 1);
	if (!line)
		return;
	memcpy(line, csv->row, csv->used);
	line[csv->used] = '\n';
	sink_line(csv->sink, csv->used + 1);
}

static void csv_write(void *state, const struct result *results, unsigned n) {
	begin(state);
	for (unsigned i = 0; i < n; i++)
		put_row(state, &results[i]);
}

static int csv_finish(void *state, const struct ctl_summary *summary) {
	(void)summary;
	begin(state);
	return 0;
}

static void csv_begin_file(void *state) {
	struct csv *csv = state;

	csv->begun = csv->sink->follows = false;
	begin(csv);
}

const struct output_format output_csv = {
	.name = "csv",
	.line_start = "",
	.open = csv_open,
	.first_line = csv_first_line,
	.write_results = csv_write,
	.begin_file = csv_begin_file,
	.finish = csv_finish,
	.close = csv_close,
};
