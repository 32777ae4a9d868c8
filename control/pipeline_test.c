/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Results on their way without plugins: what waits for a banner, what comes of it, and what plugins
 * would see.
 */
#include "pipeline.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum {
	WAIT_NS = 1000,
	START_NS = 5000,
	MAX_BYTES = 32,
};

static struct dp_scan_type type = {.name = "syn", .has_ports = true};
static struct ctl_config config
	= {.type = &type, .banner = true, .banner_bytes = MAX_BYTES, .banner_wait_ns = WAIT_NS};
static struct pipeline *p;

static void setup(void) {
	struct dp_error err;

	cr_assert_eq(pipeline_create(&config, NULL, NULL, &p, &err), 0);
	pipeline_step(p, START_NS);
}

static void teardown(void) {
	pipeline_destroy(p);
}

TestSuite(pipeline, .init = setup, .fini = teardown);

#define WEB dp_ip_v6(UINT64_C(0x20010db8) << 32, 7)

static struct dp_answer open_port(dp_ip ip, uint16_t port) {
	return (struct dp_answer){.ip = ip,
		.port = port,
		.proto = DP_PROTO_TCP,
		.state = DP_STATE_OPEN,
		.reason = DP_REASON_SYN_ACK};
}

static void enter(struct dp_answer answer) {
	pipeline_enter(p, &answer);
}

/* A piece of @text from @at on, of port 80 of WEB unless @answer says otherwise. */
static void say_as(struct dp_answer answer, const char *text, unsigned at, bool last) {
	char *copy = strdup(text); /* gone with the next call */

	answer.kind = DP_ANSWER_BANNER;
	answer.banner = (const uint8_t *)copy;
	answer.banner_bytes = (uint16_t)strlen(text);
	answer.banner_at = at;
	answer.banner_last = last;
	pipeline_banner(p, &answer);
	free(copy);
}

static void say(const char *text, unsigned at, bool last) {
	say_as(open_port(WEB, 80), text, at, last);
}

/* One result is finished now, with this banner (NULL: none). */
static void expect_one(uint16_t port, const char *banner) {
	struct result result;

	cr_assert_eq(pipeline_finished(p), 1);
	cr_assert_eq(pipeline_take(p, &result, 1), 1u);
	cr_expect_eq(result.answer.port, port);
	cr_expect_null(result.answer.banner);
	if (banner) {
		cr_assert(result.extra && result.extra->banner);
		cr_expect_eq(result.extra->banner_bytes, strlen(banner));
		cr_expect_str_eq((char *)result.extra->banner, banner);
	} else {
		cr_expect(!result.extra || !result.extra->banner);
	}
	result_extra_free(result.extra);
}

static void expect_none(void) {
	cr_assert_eq(pipeline_finished(p), 0);
}

Test(pipeline, puts_a_banner_together) {
	enter(open_port(WEB, 80));
	say("brown", 8, true);
	say("quick ", 2, false);
	say("quick ", 2, false);
	expect_none();
	cr_expect(pipeline_awaits_banners(p));
	say("a qu", 0, false);
	expect_one(80, "a quick brown");
	cr_expect(!pipeline_awaits_banners(p));
	/* For one that does not wait any more. */
	say("late", 0, true);
	pipeline_step(p, START_NS + 10 * WAIT_NS);
	expect_none();
	cr_expect_eq(pipeline_waiting(p), 0);
}

Test(pipeline, waits_no_longer_than_it_should) {
	enter(open_port(WEB, 80));
	enter(open_port(WEB, 81));
	say("before the hole", 0, false);
	say("behind it", 20, true);
	pipeline_step(p, START_NS + WAIT_NS - 1);
	expect_none();
	pipeline_step(p, START_NS + WAIT_NS);
	{
		struct result result[3];

		cr_assert_eq(pipeline_take(p, result, 3), 2u);
		cr_expect_eq(result[0].answer.port, 80);
		cr_expect_str_eq((char *)result[0].extra->banner, "before the hole");
		cr_expect_null(result[1].extra);
		result_extra_free(result[0].extra);
	}
	cr_expect(!pipeline_awaits_banners(p));
}

Test(pipeline, goes_on_with_as_much_as_is_wanted) {
	enter(open_port(WEB, 80));
	say("0123456789012345678901234567890123456789", 0, false);
	expect_one(80, "01234567890123456789012345678901");
}

Test(pipeline, an_end_without_words_is_one) {
	enter(open_port(WEB, 80));
	say("", 0, true);
	expect_one(80, NULL);
}

/* Nobody in the middle waits for those before it. */
Test(pipeline, each_waits_for_its_own) {
	static const char *const said[] = {"zero", "one", "two", "three"};
	static const uint16_t order[] = {2, 0, 3, 1};

	for (uint16_t i = 0; i < 4; i++)
		enter(open_port(WEB + i, 80));
	say_as(open_port(WEB, 81), "of a port that does not wait", 0, true);
	say_as(open_port(dp_ip_v4(7), 80), "of an address that does not", 0, true);
	for (unsigned i = 0; i < 4; i++) {
		expect_none();
		say_as(open_port(WEB + order[i], 80), said[order[i]], 0, true);
		expect_one(80, said[order[i]]);
	}
	cr_expect_eq(pipeline_waiting(p), 0);
}

Test(pipeline, what_cannot_speak_does_not_wait) {
	struct dp_answer answer = open_port(WEB, 1);

	answer.zero_window = true;
	enter(answer);
	expect_one(1, NULL);
	answer = open_port(WEB, 2);
	answer.reason = DP_REASON_RESET; /* open by its window */
	enter(answer);
	expect_one(2, NULL);
	answer = open_port(WEB, 3);
	answer.state = DP_STATE_CLOSED;
	enter(answer);
	expect_one(3, NULL);
	answer = open_port(WEB, 4);
	answer.proto = DP_PROTO_SCTP;
	enter(answer);
	expect_one(4, NULL);
}

Test(pipeline, a_udp_reply_comes_along) {
	struct dp_answer answer = open_port(WEB, 53);
	char reply[] = "reply";

	answer.proto = DP_PROTO_UDP;
	answer.reason = DP_REASON_UDP_RESPONSE;
	answer.banner = (const uint8_t *)reply;
	answer.banner_bytes = 5;
	enter(answer);
	memset(reply, 0, sizeof(reply));
	expect_one(53, "reply");
}

/* Memory has a bound: what comes then stays in the rings until waits are over. */
Test(pipeline, takes_so_many_bytes) {
	static char text[60000];
	unsigned n = 0;

	memset(text, 'x', sizeof(text) - 1);
	config.banner_bytes = 65535;
	for (; pipeline_has_room(p) && n < 60000; n++) {
		enter(open_port(WEB + n, 80));
		say_as(open_port(WEB + n, 80), text, 0, false);
	}
	cr_expect(n > 1000 && n < 10000, "%u", n);
	cr_expect(!pipeline_has_room(p));
	pipeline_end_banners(p);
	cr_expect_eq(pipeline_finished(p), n);
	cr_expect(pipeline_has_room(p));
}

/* ---- With a plugin ---- */

static void give_record(void *ctx, uint64_t tag, struct lh_record *record) {
	pipeline_record(p, tag, record);
}

static void no_log(void *ctx, unsigned level, const char *plugin, const char *text) {}

static const struct lh_host_ops ops = {.record = give_record, .log = no_log};

/* Whether a plugin that matches @states and all ports is offered @answer. */
static bool is_offered(struct dp_answer answer, uint32_t states) {
	static char name[] = "main.lua", text[] = "function on_target() end";
	struct lh_port_range all = {0, 65535};
	struct lh_source source = {name, text, sizeof(text) - 1};
	struct lh_plugin plugin = {.name = "all",
		.type = LH_TYPE_SCAN,
		.match = {.ports = &all, .nb_ports = 1, .states = states},
		.max_connections = 1,
		.sources = &source,
		.nb_sources = 1,
		.hooks = 1u << LH_HOOK_ON_TARGET};
	struct lh_plugin *enabled[] = {&plugin};
	const struct lh_enabled running = {.plugin = &plugin};
	const struct lh_host_params params = {.plugins = &running,
		.nb_plugins = 1,
		.lanes = 1,
		.limits = {100, 5, 60, 1000000, 30},
		.queue = 10,
		.scan_type = "syn",
		.protocol = "tcp",
		.flags = "",
		.ports = "",
		.ops = &ops};
	struct ctl_plugin_account account = {0};
	struct lh_host *host;
	struct result result;
	struct lh_error err;
	struct dp_error error;

	pipeline_destroy(p);
	config.plugins = (struct ctl_plugins){
		.enabled = enabled, .nb_enabled = 1, .queue = 10, .overflow = CTL_OVERFLOW_SKIP};
	cr_assert_eq(lh_host_create(&params, &host, &err), 0, "%s", err.text);
	cr_assert_eq(lh_host_ready(host, &err), 0, "%s", err.text);
	cr_assert_eq(pipeline_create(&config, host, &account, &p, &error), 0);
	enter(answer);
	while (!pipeline_finished(p))
		pipeline_step(p, START_NS);
	cr_assert_eq(pipeline_take(p, &result, 1), 1u);
	result_extra_free(result.extra);
	lh_host_destroy(host);
	cr_expect_eq(account.offered, account.status[LH_OK]);
	return account.offered;
}

Test(pipeline, a_result_without_a_port_matches_no_list_of_ports) {
	struct dp_answer up = {.ip = WEB,
		.proto = DP_PROTO_ICMP,
		.state = DP_STATE_UP,
		.reason = DP_REASON_ECHO_REPLY};
	struct dp_answer unreachable = up, unfiltered = open_port(WEB, 80);

	cr_expect(!is_offered(up, 1u << LH_STATE_UP));
	up.proto = DP_PROTO_TCP;
	cr_expect(!is_offered(up, 1u << LH_STATE_UP));
	unreachable.state = DP_STATE_FILTERED;
	cr_expect(!is_offered(unreachable, 1u << LH_STATE_FILTERED));
	unfiltered.state = DP_STATE_UNFILTERED;
	cr_expect(!is_offered(unfiltered, 1u << LH_STATE_UP));
	cr_expect(is_offered(unfiltered, 1u << LH_STATE_UNFILTERED));
}

Test(pipeline, fills_what_plugins_see) {
	static const uint8_t states[] = {
		[DP_STATE_OPEN] = LH_STATE_OPEN,
		[DP_STATE_CLOSED] = LH_STATE_CLOSED,
		[DP_STATE_FILTERED] = LH_STATE_FILTERED,
		[DP_STATE_UNFILTERED] = LH_STATE_UNFILTERED,
		[DP_STATE_UP] = LH_STATE_UP,
	};
	struct result result = {.answer = {.ip = WEB, .proto = DP_PROTO_UDP, .port = 53}};
	struct lh_record record;

	for (unsigned i = 0; i < DP_STATE_COUNT; i++) {
		result.answer.state = (uint8_t)i;
		pipeline_fill(p, &result, &record);
		cr_expect_eq(record.state, states[i]);
		cr_expect_eq(record.has_port, i != DP_STATE_UP);
	}
	cr_expect(record.ip == WEB && record.port == 53);
	cr_expect_str_eq(record.protocol, dp_proto_name(DP_PROTO_UDP));
	cr_expect(!record.zero_window);
	result.answer.proto = DP_PROTO_ARP;
	result.answer.zero_window = true;
	pipeline_fill(p, &result, &record);
	cr_expect(!record.has_port && record.zero_window);
}
