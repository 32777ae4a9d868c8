/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The output formats: one row each. A new one is one row in output.c and one file.
 *
 * All functions run on one thread at a time: open and finish on the control core, before and after
 * the scan, write_results on the writer thread. A format owns what its state points to; the sink is
 * the writer's, which also looks at the sink's error.
 */
#ifndef CTL_OUTPUT_H
#define CTL_OUTPUT_H

#include "result.h"
#include "sink.h"
#include "summary.h"

struct output_params {
	bool color; /* ANSI colours are welcome */
	unsigned index; /* in ctl_config.outputs */
};

struct output_format {
	const char *name; /* as in -o NAME:PATH */
	const char *line_start; /* see sink_admit(); NULL: free text */
	bool raw; /* takes a raw sink */
	bool exact; /* a line is a result, and output_ndjson_read() knows whose: it can be gone on with */

	/* Make the state. 0 or a negative errno. */
	int (*open)(struct sink *sink, const struct output_params *params, void **state);

	/*
	 * @n results in the order of their arrival, and what they point to: the writer's, and gone after
	 * this. NULL: takes none.
	 */
	void (*write_results)(void *state, const struct result *results, unsigned n);

	/* Write what is held back, as a checkpoint relies on it; as write_results. NULL: nothing is. */
	void (*settle)(void *state);

	/* What comes last. 0 or a negative errno (the sink's own errors not counted). */
	int (*finish)(void *state, const struct ctl_summary *summary);

	void (*close)(void *state); /* free the state */
};

extern const struct output_format output_ndjson, output_summary, output_table;

/*
 * What stands for an output plugin, under whatever name: one with format_result(), whose texts are
 * appended, and one that has only export(), which writes into the file by itself.
 */
extern const struct output_format output_plugin, output_plugin_export;

/*
 * Whose result a line of NDJSON is, one that output_ndjson wrote. @port: 0 where it has none. False:
 * it is no such line.
 */
bool output_ndjson_read(const char *line, size_t bytes, dp_ip *ip, uint16_t *port,
	enum dp_proto *proto, uint8_t *state);

/* Call @fn for each plugin that it has the status of. False: it is no such line. */
bool output_ndjson_plugins(const char *line, size_t bytes,
	void (*fn)(void *user, const char *name, enum lh_status status), void *user);

/* The row of that name, or NULL; plugins have none. */
const struct output_format *output_find(const char *name);

/* Row @i in the order of the help text, or NULL behind the last. */
const struct output_format *output_at(unsigned i);

#endif
