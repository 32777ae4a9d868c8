/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plugin.toml of a plugin named "p". What is taken keeps the limits that the rest of the host relies on; what
 * is refused says why, in one printable line.
 */
#include "fuzz.h"
#include "manifest.h"
#include "sandbox.h"

#include <math.h>

static void check_match(const struct lh_match *match) {
	FUZZ_ASSERT((match->ports != NULL) == (match->nb_ports > 0));
	for (unsigned i = 0; i < match->nb_ports; i++)
		FUZZ_ASSERT(match->ports[i].first >= 1
			&& match->ports[i].first <= match->ports[i].last);
	FUZZ_ASSERT(match->states && match->states < 1u << LH_STATE_COUNT);
	for (unsigned i = 0; i < match->nb_services; i++)
		FUZZ_ASSERT(match->services[i]);
}

static void check_value(const struct lh_value *value, bool in_array) {
	FUZZ_ASSERT((value->key == NULL) == in_array);
	FUZZ_ASSERT(value->kind != LH_VALUE_STRING
		|| utf8_valid(value->string, strlen(value->string)) == strlen(value->string));
	for (unsigned i = 0; i < value->nb_items; i++) {
		FUZZ_ASSERT(value->items[i].kind != LH_VALUE_ARRAY);
		check_value(&value->items[i], true);
	}
}

static void check_plugin(const struct lh_plugin *plugin) {
	const struct lh_limits *limits = &plugin->limits;
	bool valid;

	FUZZ_ASSERT(!strcmp(plugin->name, "p"));
	lh_version_compare(plugin->version, plugin->version, &valid);
	FUZZ_ASSERT(valid);
	FUZZ_ASSERT(plugin->author && plugin->description && plugin->license);
	FUZZ_ASSERT(plugin->type < LH_TYPE_COUNT);
	FUZZ_ASSERT(!(plugin->capabilities & ~(uint32_t)(LH_CAP_NETWORK | LH_CAP_FILESYSTEM)));
	FUZZ_ASSERT(plugin->scope == LH_SCOPE_TARGET || plugin->scope == LH_SCOPE_SCAN);
	FUZZ_ASSERT(plugin->max_connections >= 1 && plugin->max_connections <= 65536);
	FUZZ_ASSERT(isfinite(limits->cpu_s) && limits->cpu_s >= 0);
	FUZZ_ASSERT(isfinite(limits->wall_s) && limits->wall_s >= 0);
	FUZZ_ASSERT(isfinite(limits->phase_s) && limits->phase_s >= 0);
	check_match(&plugin->match);
	for (unsigned i = 0; i < plugin->nb_config; i++)
		check_value(&plugin->config[i], false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct lh_plugin *plugin = calloc(1, sizeof(*plugin));
	struct lh_error err = {0};

	FUZZ_ASSERT(plugin);
	strcpy(plugin->name, "p");
	plugin->folder = strdup("/plugins/p");
	if (manifest_read(plugin, "0.1.0", (const char *)data, size, &err) == 0) {
		check_plugin(plugin);
	} else {
		const size_t n = strnlen(err.text, sizeof(err.text));

		FUZZ_ASSERT(n > 0 && n < sizeof(err.text));
		FUZZ_ASSERT(utf8_valid(err.text, n) == n && !strpbrk(err.text, "\n\r\x1b"));
	}
	free(manifest_version((const char *)data, size));
	lh_plugin_free(plugin);
	return 0;
}
