/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Banners, which any server on the line writes: taken apart, and named by the rules that come with the
 * program. Three bytes say protocol and port. Fields lie in the banner or in their store (but for the name
 * of a version), and what a rule says is valid UTF-8 that ends in its place.
 */
#include "detect_field.h"
#include "fuzz_detect.h"
#include "json.h"

enum {
	HEADER_BYTES = 3,
};

static struct detect *detect;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
	detect = fuzz_detect();
	return 0;
}

static bool lies_in(const struct detect_value *value, const void *place, size_t room) {
	const char *from = place;

	return value->at >= from && value->at <= from + room
		&& value->n <= (size_t)(from + room - value->at);
}

static void check_text(const char *text, size_t room) {
	const size_t n = strnlen(text, room);

	FUZZ_ASSERT(n < room && json_is_utf8(text, n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static struct detect_fields fields;
	struct lh_service service;
	const uint8_t *banner = data + HEADER_BYTES;
	size_t n;
	bool udp;

	if (size <= HEADER_BYTES || size > HEADER_BYTES + 4096)
		return 0;
	n = size - HEADER_BYTES;
	udp = data[0] & 1;
	detect_split(&fields, banner, n, udp);
	for (unsigned i = 0; i < DETECT_FIELDS; i++)
		FUZZ_ASSERT(!fields.value[i].at || i == DETECT_TLS_VERSION
			|| lies_in(&fields.value[i], banner, n)
			|| lies_in(&fields.value[i], fields.store, fields.used));
	FUZZ_ASSERT(fields.used <= DETECT_STORE_BYTES);
	memset(&service, 0xee, sizeof(service));
	if (!detect_run(detect, udp ? DP_PROTO_UDP : DP_PROTO_TCP,
		    (uint16_t)(data[1] << 8 | data[2]), banner, n, &service))
		return 0;
	check_text(service.name, sizeof(service.name));
	check_text(service.product, sizeof(service.product));
	check_text(service.version, sizeof(service.version));
	check_text(service.info, sizeof(service.info));
	check_text(service.os, sizeof(service.os));
	check_text(service.cpe, sizeof(service.cpe));
	FUZZ_ASSERT(service.confidence >= 0 && service.confidence <= 1);
	return 0;
}
