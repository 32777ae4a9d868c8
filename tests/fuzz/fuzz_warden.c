/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests of lanes to the warden. The first byte is the lane, the second what the host allows, the
 * rest a datagram. Nothing is opened: what would be is held against the rules, written a second time.
 */
#include "fuzz.h"
#include "warden.h"

enum {
	PLUGINS = 3,
	SLOTS = 4, /* of each lane that stand for an address */
	HEADER_BYTES = 2,

	HAS_NETWORK = 1, /* of the second byte */
	HAS_OUTPUT = 2,
};

static struct lh_plugin plugin[PLUGINS] = {
	{.name = "sockets", .capabilities = LH_CAP_NETWORK, .scope = LH_SCOPE_TARGET},
	{.name = "files", .capabilities = LH_CAP_FILESYSTEM, .scope = LH_SCOPE_SCAN},
	{.name = "both",
		.capabilities = LH_CAP_NETWORK | LH_CAP_FILESYSTEM,
		.scope = LH_SCOPE_SCAN},
};
static struct lh_enabled enabled[PLUGINS]
	= {{&plugin[0], "out.txt"}, {&plugin[1], NULL}, {&plugin[2], "o"}};
static struct lh_range scope[2], excluded[2];
static struct lh_host_params params
	= {.plugins = enabled, .nb_plugins = PLUGINS, .lanes = 1, .scope = scope, .nb_scope = 2};
static struct setup setup = {.params = &params, .areas_each = 2, .nb_areas = 2 * PLUGINS};

/* 198.18.0.0/24 and 2001:db8::/120 but for one address each. */
int LLVMFuzzerInitialize(int *argc, char ***argv) {
	const lh_ip v4 = lh_ip_v4(0xc6120000), v6 = lh_ip_v6(UINT64_C(0x20010db8) << 32, 0);

	scope[0] = (struct lh_range){v4, v4 + 255};
	scope[1] = (struct lh_range){v6, v6 + 255};
	excluded[0] = (struct lh_range){v4 + 13, v4 + 13};
	excluded[1] = (struct lh_range){v6 + 13, v6 + 13};
	setup.authority = calloc((size_t)setup.nb_areas * LANE_SLOTS, sizeof(*setup.authority));
	setup.excluded = calloc(1, sizeof(*setup.excluded));
	FUZZ_ASSERT(setup.authority && setup.excluded);
	FUZZ_ASSERT(excluded_add(setup.excluded, excluded, 2) == 0);
	for (unsigned area = 0; area < setup.nb_areas; area++)
		for (unsigned slot = 0; slot < SLOTS; slot++)
			authority_set(setup_authority(&setup, area, slot),
				slot & 1 ? v6 + 12 + slot : v4 + 12 + slot);
	return 0;
}

static bool within(const struct lh_range *range, lh_ip ip) {
	for (unsigned i = 0; i < 2; i++)
		if (ip >= range[i].first && ip <= range[i].last)
			return true;
	return false;
}

static bool is_slots(unsigned area, const struct request *request, lh_ip ip) {
	return request->slot < SLOTS
		&& authority_get(setup_authority(&setup, area, request->slot)) == ip;
}

/* The rules of INTERFACE and of the plugin guide. */
static bool may_connect(unsigned area, const struct request *request) {
	const struct lh_plugin *asker = &plugin[area / 2];
	const lh_ip ip = wire_ip_get(request->ip);

	return params.network && asker->capabilities & LH_CAP_NETWORK && request->port
		&& within(scope, ip) && !within(excluded, ip)
		&& (asker->scope == LH_SCOPE_SCAN || is_slots(area, request, ip));
}

static enum grant_kind expected(
	unsigned area, const struct request *request, const char *name, bool has_output) {
	const char *output = enabled[area / 2].output_path;

	if (request->op != REQUEST_OPEN)
		return may_connect(area, request) ? GRANT_SOCKET : GRANT_DENIED;
	if (request->mode > OPEN_APPEND)
		return GRANT_INVALID;
	if (has_output && output && !strcmp(name, output))
		return GRANT_OUTPUT;
	return plugin[area / 2].capabilities & LH_CAP_FILESYSTEM ? GRANT_FILE : GRANT_DENIED;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct asked *asked;
	unsigned area;
	bool has_output;

	if (size < HEADER_BYTES)
		return 0;
	area = data[0] % setup.nb_areas;
	params.network = data[1] & HAS_NETWORK;
	has_output = data[1] & HAS_OUTPUT;
	asked = malloc(sizeof(*asked));
	FUZZ_ASSERT(asked);
	memset(asked, 0xee, sizeof(*asked));
	asked_read(asked, data + HEADER_BYTES, size - HEADER_BYTES);
	FUZZ_ASSERT(asked->nb <= REQUESTS_MAX);
	FUZZ_ASSERT(asked->nb * sizeof(struct request) <= size - HEADER_BYTES);
	FUZZ_ASSERT(memchr(asked->name, '\0', sizeof(asked->name)));
	for (unsigned i = 0; i < asked->nb; i++)
		FUZZ_ASSERT(grant_decide(&setup, area, &asked->request[i], asked->name, has_output)
			== expected(area, &asked->request[i], asked->name, has_output));
	free(asked);
	return 0;
}
