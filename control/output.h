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

#include <dp/capture.h>

/* Where frames for captures come from. */
struct capture_source {
	struct dp_engine *engine;
	bool (*read)(
		struct dp_engine *engine, dp_capture_fn fn, void *user); /* dp_engine_capture() */
	const struct dp_plan *plan; /* what its ports are */
};

struct output_params {
	bool color; /* ANSI colours are welcome */
	const struct capture_source *capture; /* NULL: no frames are kept */
	unsigned index; /* in ctl_config.outputs */
	const struct ctl_config *config; /* for what headings say; NULL: nothing is known */
};

struct output_format {
	const char *name; /* as in -o NAME:PATH */
	const char *line_start; /* see sink_admit(); NULL: free text */
	bool raw; /* takes a raw sink */
	bool grouped; /* a line may have several results */

	/*
	 * How the last lines begin, of a file that has one end: it is not appended to, and a scan that goes
	 * on with it takes the end off first. NULL: a file that any number of runs may add to.
	 */
	const char *trailer;
	bool exact; /* a line is a result, and output_ndjson_read() knows whose: it can be gone on with */

	/* Make the state. 0 or a negative errno. */
	int (*open)(struct sink *sink, const struct output_params *params, void **state);

	/*
	 * The line that its files begin with, as an existing one has to (@line_start is "" then: whatever
	 * is cut short at the end of such a file is a line of ours); the state's. NULL: none.
	 */
	const char *(*first_line)(const void *state);

	/*
	 * @n results in the order of their arrival, and what they point to: the writer's, and gone after
	 * this. NULL: takes none.
	 */
	void (*write_results)(void *state, const struct result *results, unsigned n);

	/*
	 * Take what comes from elsewhere than write_results, as much as is here; true where there was some.
	 * On the writer thread, after its end on the control core. NULL: nothing does.
	 */
	bool (*pump)(void *state);

	/* See sink.h; NULL where it has lines. */
	size_t (*whole)(const char *bytes, size_t n);

	/*
	 * Where files can be rotated: write what each further one begins with, and before that, to the
	 * one that ends, what is held back. On the writer thread. begin_file NULL: cannot be; end_file NULL:
	 * nothing is.
	 */
	void (*end_file)(void *state);
	void (*begin_file)(void *state);

	/* Write what is held back, as a checkpoint relies on it; as write_results. NULL: nothing is. */
	void (*settle)(void *state);

	/* What comes last. 0 or a negative errno (the sink's own errors not counted). */
	int (*finish)(void *state, const struct ctl_summary *summary);

	void (*close)(void *state); /* free the state */
};

extern const struct output_format output_csv, output_grep, output_list, output_ndjson,
	output_pcapng, output_summary, output_table, output_xml;

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
