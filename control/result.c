/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a result has beyond the packet path's answer: freeing it, and what plugins said as JSON.
 *
 * Functions of their arguments, for whichever thread owns the result; they own no memory.
 */
#include "json.h"
#include "result.h"

#include <stdlib.h>
#include <string.h>

void result_extra_free(struct result_extra *extra) {
	if (!extra)
		return;
	for (unsigned i = 0; i < extra->nb_plugins; i++) {
		free(extra->plugins[i].error);
		free(extra->plugins[i].results);
	}
	for (unsigned i = 0; i < extra->nb_texts; i++)
		free(extra->texts[i].bytes);
	free(extra->plugins);
	free(extra->texts);
	free(extra->banner);
	free(extra);
}

enum {
	PLUGIN_FRAME = 64, /* more than the keys, quotes and the longest status need */
};

size_t result_plugins_room(const struct result_extra *extra) {
	size_t room = sizeof "{}";

	for (unsigned i = 0; i < extra->nb_plugins; i++) {
		const struct result_plugin *plugin = &extra->plugins[i];
		room += PLUGIN_FRAME + JSON_ESCAPED * strlen(plugin->name);
		room += plugin->error ? JSON_ESCAPED * strlen(plugin->error) : 0;
		room += plugin->results ? strlen(plugin->results) : 0;
	}
	return room;
}

static char *write_plugin(const struct result_plugin *plugin, char *to) {
	*to++ = '"';
	to = json_escape(to, plugin->name, strlen(plugin->name));
	to = stpcpy(to, "\":{\"status\":\"");
	to = stpcpy(to, lh_status_names[plugin->status]);
	*to++ = '"';
	if (plugin->error) {
		to = stpcpy(to, ",\"error\":\"");
		to = json_escape(to, plugin->error, strlen(plugin->error));
		*to++ = '"';
	}
	if (plugin->results)
		to = stpcpy(stpcpy(to, ",\"results\":"), plugin->results);
	*to++ = '}';
	return to;
}

char *result_plugins_write(const struct result_extra *extra, char *to) {
	*to++ = '{';
	for (unsigned i = 0; i < extra->nb_plugins; i++) {
		if (i)
			*to++ = ',';
		to = write_plugin(&extra->plugins[i], to);
	}
	*to++ = '}';
	return to;
}

char *result_plugins_json(const struct result_extra *extra) {
	if (!extra || !extra->nb_plugins)
		return NULL;
	char *text = malloc(result_plugins_room(extra));
	if (text)
		*result_plugins_write(extra, text) = '\0';
	return text;
}
