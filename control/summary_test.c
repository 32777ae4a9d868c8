/* SPDX-License-Identifier: BSD-3-Clause */
/* The account of a run: its JSON, its lines, and that no counter is missing from either. */
#include "summary.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct dp_scan_type syn
	= {.name = "syn", .proto = DP_PROTO_TCP, .has_ports = true, .silence = "filtered"},
	udp = {.name = "udp", .proto = DP_PROTO_UDP, .has_ports = true, .silence = "open|filtered"},
	discovery = {.name = "discovery", .proto = DP_PROTO_ICMP, .silence = "down"};

static const struct ctl_summary example = {
	.version = "0.1.0",
	.type = &syn,
	.probes = 1,
	.passes = 1,
	.seed = 123,
	.targets = 1048576,
	.shard = 1,
	.shards = 1,
	.stats = {.probes_sent = 1048576,
		.responses = {[DP_RESPONSE_SYN_ACK] = 10, [DP_RESPONSE_RST] = 3}},
	.unique = 13,
	.states = {[DP_STATE_OPEN] = 10, [DP_STATE_CLOSED] = 3},
	.hidden = 3,
	.results = 10,
	.dedup_exact = true,
	.rate_pps = 99950.2,
	.elapsed_s = 10.49,
	.complete = true,
};

static char *as_text(const struct ctl_summary *summary, bool json, bool color) {
	char *text;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	cr_assert_eq(
		json ? ctl_summary_json(summary, out) : ctl_summary_print(summary, color, out), 0);
	fclose(out);
	return text;
}

Test(summary, json_golden) {
	char *text = as_text(&example, true, false);

	cr_assert_str_eq(text,
		"{\"version\":\"0.1.0\",\"scan_type\":\"syn\",\"seed\":123,\"targets\":1048576,"
		"\"shard\":\"1/1\",\"excluded\":{\"default\":0,\"exclude\":0},"
		"\"probes_sent\":1048576,"
		"\"responses\":{\"syn_ack\":10,\"rst\":3,\"icmp_unreachable\":0},"
		"\"validated\":13,\"rejected\":0,\"duplicates\":0,\"no_answer\":1048563,"
		"\"no_answer_means\":\"filtered\","
		"\"lost\":{\"tx_dropped\":0,\"rx_missed\":0,\"ring_full\":0,\"plugin_skipped\":0,"
		"\"rx_no_mbuf\":0,\"reply_dropped\":0,\"capture_full\":0,\"link_down\":0,"
		"\"next_hop_moved\":0,"
		"\"results\":0},\"results\":10,\"plugins\":{},"
		"\"rate_pps\":99950.2,\"elapsed_s\":10.490,\"coverage\":null,\"complete\":true,"
		"\"interrupted\":false,\"probes\":1,\"open\":10,\"closed\":3,\"filtered\":0,"
		"\"unfiltered\":0,\"up\":0,\"hidden\":3,"
		"\"dedup\":{\"kind\":\"exact\",\"capacity\":0,\"evicted\":0},\"tx_bytes\":0,"
		"\"replies_sent\":0,\"rx_frames\":0,"
		"\"ignored\":{\"own\":0,\"other\":0,\"malformed\":0,\"bad_checksum\":0},"
		"\"arp\":{\"sent\":0,\"unresolved\":0},\"sending_s\":0.000000,"
		"\"throttled_s\":0.000000}\n");
	free(text);
}

/* A number that does not exist in JSON must not get into it. */
Test(summary, json_stays_json) {
	struct ctl_summary summary = example;

	summary.rate_pps = NAN;
	summary.elapsed_s = INFINITY;
	summary.version = "a\"b\\c\n";
	char *text = as_text(&summary, true, false);
	cr_assert_not_null(strstr(text, "\"rate_pps\":null,\"elapsed_s\":null,"));
	cr_assert_not_null(strstr(text, "\"version\":\"a\\\"b\\\\c\\n\","));
	free(text);
}

Test(summary, silence_counts_what_was_tried) {
	struct ctl_summary s = {.targets = 1000, .unique = 30};

	s.stats.probes_sent = 400; /* interrupted: the other 590 were not tried */
	s.stats.probes_unresolved = 10;
	cr_assert_eq(ctl_summary_no_answer(&s), 380);
	s.unique = 500; /* a window that forgot */
	cr_assert_eq(ctl_summary_no_answer(&s), 0);
	/* Three times each: interrupted in the second round, when all pairs had had their turn. */
	s = (struct ctl_summary){.targets = 1000, .unique = 30, .passes = 3};
	s.stats.probes_sent = 1400;
	cr_assert_eq(ctl_summary_no_answer(&s), 970);
	s.stats.probes_sent = 400;
	cr_assert_eq(ctl_summary_no_answer(&s), 370);
}

Test(summary, responses_of_each_type) {
	struct ctl_summary summary = example;

	memset(&summary.stats, 0, sizeof summary.stats);
	summary.type = &udp;
	summary.stats.responses[DP_RESPONSE_UDP] = 5;
	char *text = as_text(&summary, true, false);
	cr_expect_not_null(
		strstr(text, "\"responses\":{\"udp\":5,\"icmp_unreachable\":0},\"validated\":5,"),
		"%s", text);
	cr_expect_not_null(strstr(text, "\"no_answer_means\":\"open|filtered\","));
	free(text);
	summary.type = &discovery;
	text = as_text(&summary, false, false);
	cr_expect_not_null(strstr(text, "  targets     1,048,576 addresses\n"), "%s", text);
	cr_expect_not_null(strstr(text, "addresses: down, or lost\n"), "%s", text);
	cr_expect_not_null(strstr(text, "0 neighbour advertisements"), "%s", text);
	cr_expect_not_null(strstr(text, "5 UDP"), "what should not be is still shown:\n%s", text);
	free(text);
}

Test(summary, wide_counts) {
	struct ctl_summary summary = example;

	summary.targets = (dp_u128)1 << 120;
	summary.stats.probes_sent = 13;
	char *text = as_text(&summary, true, false);
	cr_expect_not_null(strstr(text, ",\"targets\":1329227995784915872903807060280344576,"));
	free(text);
	text = as_text(&summary, false, false);
	cr_expect_not_null(
		strstr(text, "1,329,227,995,784,915,872,903,807,060,280,344,576\n"), "%s", text);
	free(text);
}

Test(summary, coverage) {
	struct ctl_summary summary = example;

	summary.probes = summary.passes = 3;
	summary.has_coverage = true;
	summary.coverage
		= (struct coverage_estimate){.estimate = 0.992, .low = 0.99, .high = 0.994};
	char *text = as_text(&summary, true, false);
	cr_expect_not_null(strstr(
		text, "\"coverage\":{\"estimate\":0.992000,\"low\":0.990000,\"high\":0.994000},"));
	free(text);
	text = as_text(&summary, false, false);
	cr_expect_not_null(strstr(text,
				   "  coverage    99.20% of those that answer were heard (95%: "
				   "99.00% to 99.40%),\n"
				   "              if losses are independent\n"),
		"%s", text);
	free(text);
}

Test(summary, says_why_there_is_no_coverage) {
	struct ctl_summary summary = example;

	summary.probes = summary.passes = 3;
	summary.no_coverage = "nothing answered";
	char *text = as_text(&summary, true, false);
	cr_expect_not_null(strstr(text, "\"coverage\":null,"));
	cr_expect_not_null(strstr(text, "\"no_coverage\":\"nothing answered\","));
	free(text);
	text = as_text(&summary, false, false);
	cr_expect_not_null(
		strstr(text, "  coverage    not estimated: nothing answered\n"), "%s", text);
	free(text);
}

Test(summary, says_what_ended_it) {
	struct ctl_summary summary = example;

	summary.complete = false;
	summary.limit = CTL_LIMIT_RUNTIME;
	char *text = as_text(&summary, true, false);
	cr_expect_not_null(strstr(text,
		"\"complete\":false,\"interrupted\":false,"
		"\"ended_by\":\"max_runtime\","));
	free(text);
	summary.limit = CTL_LIMIT_RESULTS;
	summary.surplus = 7;
	text = as_text(&summary, false, false);
	cr_expect_not_null(strstr(text, "syn scan ended by max_results\n"), "%s", text);
	cr_expect_not_null(strstr(text, "7 beyond max_results left out"), "%s", text);
	free(text);
}

/* Each counter gets a number of its own, which must be found in both forms. */
Test(summary, shows_every_counter) {
	uint64_t counters[sizeof(struct dp_stats) / sizeof(uint64_t)];
	const unsigned n = sizeof counters / sizeof *counters;
	struct ctl_summary summary = example;

	for (unsigned i = 0; i < n; i++)
		counters[i] = 101 + i;
	memcpy(&summary.stats, counters, sizeof counters);
	summary.stats.sending_ns *= 1000000;
	summary.stats.throttled_ns *= 1000000;
	summary.lost_results = 99;
	char *lines = as_text(&summary, false, false), *json = as_text(&summary, true, false);
	for (unsigned i = 0; i < n; i++) {
		char number[16];
		snprintf(number, sizeof number, "%u", 101 + i);
		cr_expect_not_null(strstr(json, number), "counter %u is not in %s", i, json);
		cr_expect_not_null(strstr(lines, number), "counter %u is not in\n%s", i, lines);
	}
	cr_expect_not_null(strstr(lines, "99 results"));
	cr_expect(ctl_summary_lost(&summary));
	free(lines);
	free(json);
}

static void check_width(const char *text) {
	for (const char *line = text; *line;) {
		const char *end = strchr(line, '\n');
		cr_assert_not_null(end);
		cr_expect_leq(end - line, 80, "%.*s", (int)(end - line), line);
		line = end + 1;
	}
}

Test(summary, stays_within_80_columns) {
	static const char *const names[]
		= {"http-enum", "a-name-with-all-the-64-characters-that-a-name-of-a-plugin-can-ha"};
	struct ctl_summary summary;

	memset(&summary, 0xff, sizeof summary);
	summary.nb_plugins = LH_MAX_PLUGINS;
	for (unsigned i = 0; i < LH_MAX_PLUGINS; i++) {
		summary.plugins[i].name = names[i % 2];
		summary.plugins[i].quarantined = true;
		summary.plugins[i].lane_cpu_s = 1e12;
	}
	summary.version = "123.456.789";
	summary.at_least_once
		= "table, a-name-with-all-the-64-characters-that-a-name-of-a-plugin-can-ha";
	summary.type = &discovery;
	summary.limit = CTL_LIMIT_NONE;
	summary.has_coverage = true;
	summary.coverage = (struct coverage_estimate){1, 1, 1};
	summary.rate_pps = 1e300;
	summary.elapsed_s = 1e12;
	summary.dedup_exact = summary.interrupted = summary.complete = false;
	char *text = as_text(&summary, false, false);
	check_width(text);
	cr_expect_not_null(strstr(text, "18,446,744,073,709,551,615 reply_dropped"));
	cr_expect_not_null(strstr(text, "so some results may be there twice"));
	cr_assert_eq(strlen(names[1]), LH_NAME_BYTES - 1);
	cr_expect_not_null(strstr(text, names[1]));
	cr_expect_not_null(strstr(text, "or lost\n"), "an item was cut:\n%s", text);
	free(text);
}

Test(summary, losses_are_red_and_named) {
	struct ctl_summary summary = example;
	char *text = as_text(&summary, false, true);

	cr_expect_not_null(strstr(text, "lost        nothing\n"));
	cr_expect_null(strchr(text, '\033'));
	free(text);
	summary.stats.lost_rx_missed = 1234;
	text = as_text(&summary, false, true);
	cr_expect_not_null(strstr(text, "\033[31m  lost        1,234 rx_missed\033[0m\n"));
	free(text);
	text = as_text(&summary, false, false);
	cr_expect_null(strchr(text, '\033'));
	free(text);
}

static struct ctl_summary with_plugins(void) {
	struct ctl_summary summary = example;

	summary.nb_plugins = 2;
	summary.plugins[0] = (struct ctl_plugin_account){
		.name = "http-enum",
		.offered = 10,
		.status = {[LH_OK] = 10},
		.lane_cpu_s = 0.01,
	};
	summary.plugins[1] = (struct ctl_plugin_account){
		.name = "tls-info",
		.offered = 1036,
		.status = {[LH_OK] = 1001,
			[LH_ERROR] = 2,
			[LH_DENIED] = 3,
			[LH_MEMORY] = 4,
			[LH_INSTRUCTIONS] = 5,
			[LH_TIMEOUT] = 6,
			[LH_KILLED] = 7,
			[LH_SKIPPED] = 8},
		.spilled = 500,
		.deaths = 9,
		.quarantined = true,
		.lane_cpu_s = 12.3456,
	};
	return summary;
}

Test(summary, plugins_in_json) {
	struct ctl_summary summary = with_plugins();
	char *text = as_text(&summary, true, false);

	cr_expect_not_null(
		strstr(text,
			",\"results\":10,\"plugins\":{\"http-enum\":{\"offered\":10,\"ok\":10,"
			"\"error\":0,"
			"\"timeout\":0,\"memory\":0,\"instructions\":0,\"killed\":0,\"denied\":0,"
			"\"skipped\":0,"
			"\"lane_cpu_s\":0.010,\"spilled\":0,\"deaths\":0,\"quarantined\":false},"
			"\"tls-info\":{\"offered\":1036,\"ok\":1001,\"error\":2,\"timeout\":6,"
			"\"memory\":4,"
			"\"instructions\":5,\"killed\":7,\"denied\":3,\"skipped\":8,\"lane_cpu_s\":"
			"12.346,"
			"\"spilled\":500,\"deaths\":9,\"quarantined\":true}},\"rate_pps\":"),
		"%s", text);
	cr_expect_not_null(strstr(text, "\"plugin_skipped\":8,"));
	free(text);
}

Test(summary, plugins_for_people) {
	struct ctl_summary summary = with_plugins();
	char *text = as_text(&summary, false, false);

	cr_expect_not_null(
		strstr(text, "\n  plugin      http-enum: 10 offered, 10 ok, 0.01 s CPU\n"), "%s",
		text);
	cr_expect_not_null(strstr(text,
				   "\n  plugin      tls-info: 1,036 offered, 1,001 ok, 2 error, 6 "
				   "timeout, 4 memory,\n"
				   "              5 instructions, 7 killed, 3 denied, 8 skipped, "
				   "500 waited on disk,\n"
				   "              9 lanes died, in quarantine, 12.35 s CPU\n"),
		"%s", text);
	cr_expect_not_null(strstr(text, "\n  lost        8 plugin_skipped\n"), "%s", text);
	check_width(text);
	free(text);
}

/* Single calls that failed are no loss; results that a plugin never saw are. */
Test(summary, skipped_results_are_lost) {
	struct ctl_summary summary = with_plugins();

	cr_expect(ctl_summary_lost(&summary));
	cr_expect_eq(ctl_summary_lost_total(&summary), 8);
	summary.plugins[0].status[LH_SKIPPED] = 100;
	cr_expect_eq(ctl_summary_lost_total(&summary), 108);
	summary.plugins[0].status[LH_SKIPPED] = summary.plugins[1].status[LH_SKIPPED] = 0;
	cr_expect_not(ctl_summary_lost(&summary));
}

Test(summary, plugins_in_trouble_are_colored) {
	struct ctl_summary summary = with_plugins();
	char *text = as_text(&summary, false, true);

	cr_expect_not_null(strstr(text, "\n  plugin      http-enum: "));
	cr_expect_not_null(strstr(text, "\n\033[31m  plugin      tls-info: "));
	cr_expect_not_null(strstr(text, "12.35 s CPU\033[0m\n"));
	free(text);
	summary.plugins[1].quarantined = false;
	text = as_text(&summary, false, true);
	cr_expect_not_null(strstr(text, "\n\033[33m  plugin      tls-info: "));
	free(text);
}
