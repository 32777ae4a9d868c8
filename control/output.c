/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of output formats. Read-only; any thread.
 */
#include "output.h"

#include <string.h>

static const struct output_format *const formats[] = {
	&output_table,
	&output_ndjson,
	&output_csv,
	&output_xml,
	&output_grep,
	&output_list,
	&output_pcapng,
	&output_summary,
};

const struct output_format *output_at(unsigned i) {
	return i < sizeof formats / sizeof *formats ? formats[i] : NULL;
}

const struct output_format *output_find(const char *name) {
	const struct output_format *format;

	for (unsigned i = 0; (format = output_at(i)); i++) {
		if (!strcmp(format->name, name))
			return format;
	}
	return NULL;
}
