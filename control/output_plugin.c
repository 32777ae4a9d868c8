/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The output of an output plugin: the texts that its format_result() returned, joined as they are.
 *
 * Runs on the writer thread and owns no memory but its state. What export() writes goes into the same
 * file, by another hand, between the last result and the end.
 */
#include "output.h"

#include <errno.h>
#include <stdlib.h>

struct plugin {
	struct sink *sink;
	unsigned index; /* of this output, as the texts name it */
};

static int plugin_open(struct sink *sink, const struct output_params *params, void **state) {
	struct plugin *plugin = malloc(sizeof *plugin);

	if (!plugin)
		return -ENOMEM;
	*plugin = (struct plugin){.sink = sink, .index = params->index};
	*state = plugin;
	return 0;
}

/* What the plugin has to say about a result may be nothing: that counts as written. */
static void put_result(struct plugin *plugin, const struct result_extra *extra) {
	const struct result_text nothing = {0}, *text = &nothing;

	for (unsigned i = 0; extra && i < extra->nb_texts; i++)
		if (extra->texts[i].output == plugin->index && extra->texts[i].bytes)
			text = &extra->texts[i];
	sink_raw(plugin->sink, text->bytes, text->length);
}

static void plugin_write(void *state, const struct result *results, unsigned n) {
	for (unsigned i = 0; i < n; i++)
		put_result(state, results[i].extra);
}

static int plugin_finish(void *state, const struct ctl_summary *summary) {
	(void)state;
	(void)summary;
	return 0;
}

static void plugin_close(void *state) {
	free(state);
}

const struct output_format output_plugin = {
	.name = "plugin",
	.raw = true,
	.open = plugin_open,
	.write_results = plugin_write,
	.finish = plugin_finish,
	.close = plugin_close,
};

const struct output_format output_plugin_export = {
	.name = "plugin",
	.raw = true,
	.open = plugin_open,
	.finish = plugin_finish,
	.close = plugin_close,
};
