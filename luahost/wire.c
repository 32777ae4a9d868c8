/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A result as bytes for the ring down to a lane. Control core; owns nothing.
 */
#include "host.h"

#include <string.h>

size_t wire_size(const struct lh_record *record) {
	return sizeof(struct wire_record) + (record->service ? sizeof(struct wire_service) : 0)
		+ (record->banner ? record->banner_bytes : 0)
		+ (record->plugins ? record->plugins_bytes : 0);
}

/* Words of the field's own, the longest is "admin-prohibited", and names of plugins. */
static void put_word(char *out, size_t room, const char *word) {
	size_t length = strnlen(word, room - 1);

	memcpy(out, word, length);
	memset(out + length, 0, room - length);
}

void wire_write(uint8_t *out, uint32_t slot, const struct lh_record *record) {
	struct wire_record wire = {.ts_ns = record->ts_ns,
		.slot = slot,
		.ip = wire_ip_put(record->ip),
		.rtt_us = record->rtt_us,
		.port = record->port,
		.state = record->state,
		.ttl = record->ttl,
		.flags = (uint8_t)((record->has_port ? WIRE_HAS_PORT : 0)
			| (record->service ? WIRE_HAS_SERVICE : 0)
			| (record->zero_window ? WIRE_ZERO_WINDOW : 0)),
		.banner_bytes = record->banner ? record->banner_bytes : UINT32_MAX,
		.plugins_bytes = record->plugins ? record->plugins_bytes : 0};

	put_word(wire.protocol, sizeof(wire.protocol), record->protocol);
	put_word(wire.reason, sizeof(wire.reason), record->reason);
	memcpy(out, &wire, sizeof(wire));
	out += sizeof(wire);
	if (record->service) {
		struct wire_service service = {.service = *record->service};

		put_word(service.source, sizeof(service.source),
			record->service_source ? record->service_source : "");
		memcpy(out, &service, sizeof(service));
		out += sizeof(service);
	}
	if (record->banner) {
		memcpy(out, record->banner, record->banner_bytes);
		out += record->banner_bytes;
	}
	if (record->plugins)
		memcpy(out, record->plugins, record->plugins_bytes);
}
