/* SPDX-License-Identifier: BSD-3-Clause */
/* For tests: results that have all that a result can have. */
#ifndef CTL_RESULT_FIXTURE_H
#define CTL_RESULT_FIXTURE_H

#include "archive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

/*
 * A test that ends with @check: criterion takes no notice of what fails in a `.fini`.
 */
#define CHECKED_TEST(suite, name, check)                                                           \
	static void suite##_##name(void);                                                          \
	Test(suite, name) {                                                                        \
		suite##_##name();                                                                  \
		check();                                                                           \
	}                                                                                          \
	static void suite##_##name(void)

/* Memory that nobody can free any more, which is looked for with the sanitizers only. */
[[maybe_unused]] static bool fixture_leaks(void) {
#ifdef __SANITIZE_ADDRESS__
	return __lsan_do_recoverable_leak_check();
#else
	return false;
#endif
}

static const char *const fixture_names[] = {"builtin", "http-enum", "banner-analyzer"};
static const struct result_names fixture_table = {fixture_names, 3};

[[maybe_unused]] static char *fixture_text(const char *format, uint64_t i) {
	char *text;

	return asprintf(&text, format, (unsigned long long)i) < 0 ? NULL : text;
}

/* Every field that a record needs, of either family, with what only lives in memory besides. */
[[maybe_unused]] static struct dp_answer fixture_answer(uint64_t i) {
	return (struct dp_answer){
		.ip = i % 2
			? dp_ip_v6(UINT64_C(0x20010db8) << 32 | i, i * UINT64_C(0x9e3779b97f4a7c15))
			: dp_ip_v4((uint32_t)i * 2654435761u),
		.ts_ns = i * UINT64_C(0x9e3779b97f4a7c15),
		.banner = (const uint8_t *)"gone",
		.banner_bytes = 4,
		.rtt_us = i % 7 ? (uint32_t)i : DP_RTT_NONE,
		.port = (uint16_t)i,
		.proto = i % DP_PROTO_COUNT,
		.state = i % DP_STATE_COUNT,
		.reason = i % DP_REASON_COUNT,
		.ttl = (uint8_t)i,
		.pass = i % 16,
		.zero_window = i % 3 == 0,
	};
}

/* Without what only lives in memory. */
[[maybe_unused]] static bool fixture_is_answer(const struct dp_answer *a, uint64_t i) {
	const struct dp_answer want = fixture_answer(i);

	return a->ip == want.ip && a->ts_ns == want.ts_ns && a->rtt_us == want.rtt_us
		&& a->port == want.port && a->proto == want.proto && a->state == want.state
		&& a->reason == want.reason && a->ttl == want.ttl && a->pass == want.pass
		&& a->zero_window == want.zero_window && !a->banner && !a->banner_bytes;
}

/* All fields, each telling @i. */
[[maybe_unused]] static struct result_extra *fixture_extra(uint64_t i) {
	struct result_extra *extra = calloc(1, sizeof *extra);

	extra->banner = (uint8_t *)fixture_text("banner %llu\r\n", i);
	extra->banner_bytes = (uint32_t)strlen((char *)extra->banner);
	extra->has_service = true;
	extra->service.confidence = 0.5 + (double)(i % 5) / 10;
	snprintf(extra->service.name, sizeof extra->service.name, "http");
	snprintf(extra->service.product, sizeof extra->service.product, "product %u", (unsigned)i);
	snprintf(extra->service.version, sizeof extra->service.version, "1.%u", (unsigned)i % 7);
	snprintf(extra->service.info, sizeof extra->service.info, "info %u", (unsigned)i);
	snprintf(extra->service.cpe, sizeof extra->service.cpe, "cpe:/a:x:%u", (unsigned)i);
	extra->service_source = fixture_names[i % 3];
	extra->nb_plugins = 2;
	extra->plugins = calloc(2, sizeof *extra->plugins);
	extra->plugins[0] = (struct result_plugin){
		.name = fixture_names[1],
		.status = LH_OK,
		.results = fixture_text("{\"n\":%llu}", i),
	};
	extra->plugins[1] = (struct result_plugin){
		.name = fixture_names[2],
		.status = LH_TIMEOUT,
		.error = fixture_text("wall_seconds of %llu", i),
	};
	extra->nb_texts = 2;
	extra->texts = calloc(2, sizeof *extra->texts);
	extra->texts[0] = (struct result_text){.output = 1, .bytes = fixture_text("text %llu;", i)};
	extra->texts[0].length = strlen(extra->texts[0].bytes);
	extra->texts[1].output = 2; /* nil */
	return extra;
}

static inline bool fixture_text_equal(const char *a, const char *b) {
	return a && b ? !strcmp(a, b) : a == b;
}

[[maybe_unused]] static bool fixture_equal(
	const struct result_extra *a, const struct result_extra *b) {
	bool equal = a->banner_bytes == b->banner_bytes && !a->banner == !b->banner
		&& (!a->banner || !memcmp(a->banner, b->banner, a->banner_bytes))
		&& a->has_service == b->has_service
		&& !memcmp(&a->service, &b->service, sizeof a->service)
		&& a->service_source == b->service_source && a->nb_plugins == b->nb_plugins
		&& a->nb_texts == b->nb_texts;

	for (unsigned i = 0; equal && i < a->nb_plugins; i++)
		equal = a->plugins[i].name == b->plugins[i].name
			&& a->plugins[i].status == b->plugins[i].status
			&& fixture_text_equal(a->plugins[i].error, b->plugins[i].error)
			&& fixture_text_equal(a->plugins[i].results, b->plugins[i].results);
	for (unsigned i = 0; equal && i < a->nb_texts; i++)
		equal = a->texts[i].output == b->texts[i].output
			&& a->texts[i].length == b->texts[i].length
			&& !a->texts[i].bytes == !b->texts[i].bytes
			&& (!a->texts[i].bytes
				|| !memcmp(
					a->texts[i].bytes, b->texts[i].bytes, a->texts[i].length));
	return equal;
}

#endif
