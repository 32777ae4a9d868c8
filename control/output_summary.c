/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * `-o summary:PATH`: the account of the run as one JSON object, one line, written at the end.
 *
 * Runs on the control core, after the scan. Its state is the sink; the text is freed here.
 */
#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int summary_open(struct sink *sink, const struct output_params *params, void **state) {
	(void)params;
	*state = sink;
	return 0;
}

/* Many plugins make it longer than other lines. */
static int put_line(struct sink *sink, const char *text, size_t bytes) {
	char *room = sink_room_for(sink, bytes);

	if (!room)
		return -ENOMEM;
	memcpy(room, text, bytes);
	sink_line(sink, bytes);
	sink->headings++;
	return 0;
}

static int summary_finish(void *state, const struct ctl_summary *summary) {
	struct sink *sink = state;
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return -errno;
	int rc = ctl_summary_json(summary, out);
	if (fclose(out) && !rc)
		rc = -errno;
	if (!rc)
		rc = put_line(sink, text, bytes);
	free(text);
	return rc;
}

static void summary_close(void *state) {
	(void)state;
}

const struct output_format output_summary = {
	.name = "summary",
	.line_start = "{\"version\":\"",
	.open = summary_open,
	.finish = summary_finish,
	.close = summary_close,
};
