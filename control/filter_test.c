/* SPDX-License-Identifier: BSD-3-Clause */
/* Record fields by name, and filters on them. */
#include "filter.h"
#include "result_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>

static char found[] = "{\"paths\":[\"/a,b\",\"/\\\"}\"],\"n\":12,\"deep\":{\"x\":{\"yes\":true}},"
		      "\"text\":\"\\u00e9\\ud83d\\ude00\\n\\\\\"}";
static char late[] = "wall_seconds";
static struct result_plugin plugins[] = {
	{.name = "http-enum", .status = LH_OK, .results = found},
	{.name = "slow", .status = LH_TIMEOUT, .error = late},
};

static struct result_extra extra = {
	.banner = (uint8_t *)"HTTP/1.1 200 OK\r\nServer: nginx",
	.banner_bytes = 30,
	.has_service = true,
	.service = {.name = "http", .product = "nginx", .version = "1.22.1", .confidence = 0.9},
	.service_source = "builtin",
	.plugins = plugins,
	.nb_plugins = 2,
};

static struct result web(void) {
	struct result result = {.extra = &extra};

	result.answer = (struct dp_answer){.ip = dp_ip_v4(0xc6120002),
		.ts_ns = 1769860800123456789ull,
		.port = 80,
		.rtt_us = 412,
		.ttl = 64,
		.state = DP_STATE_OPEN,
		.reason = DP_REASON_SYN_ACK};
	return result;
}

static enum filter_verdict match(const char *text, const struct result *result, bool complete) {
	struct value_error why;
	struct filter *filter;

	cr_assert_eq(filter_create(text, &filter, &why), 0, "%s: %s", text, why.why);
	enum filter_verdict verdict = filter_match(filter, result, complete);
	filter_destroy(filter);
	return verdict;
}

static void look_for_leaks(void) {
	cr_expect_not(fixture_leaks());
}

CHECKED_TEST(filter, decides, look_for_leaks) {
	static const struct {
		const char *text;
		bool yes;
	} wanted[] = {
		{"state = open", true},
		{"state==open", true},
		{"state != open", false},
		{"state = open && port in (80,443)", true},
		{"state = open and port in (81, 443)", false},
		{"port in (81) || ttl = 64", true},
		{"port in (81) or not ttl = 64", false},
		{"!(port = 81)", true},
		{"!port = 80", false},
		{"port < 80", false},
		{"port <= 80", true},
		{"port > 79.5", true},
		{"port >= 80 && port >= 81", false},
		{"ip = 198.18.0.2", true},
		{"ip in (198.18.0.0/16)", true},
		{"ip in (198.19.0.0/16, 2001:db8::/32)", false},
		{"ip = 198.18.0.1-198.18.0.2", true},
		{"ip != 198.18.0.0/31", true},
		{"ip > 198.18.0.1 && ip < 198.18.0.3", true},
		{"ip = ::/0", false}, /* of the other family */
		{"ip = 0.0.0.0/0", true},
		{"saddr = 198.18.0.2 && sport = 80", true},
		{"success = 1 && repeat = 0", true},
		{"success = true", true},
		{"success", true},
		{"repeat", false},
		{"classification = synack", true},
		{"classification = \"synack\"", true},
		{"reason = syn-ack", true},
		{"proto = tcp", true},
		{"ts > 2026-01-31T12:00:00 && ts < 2026-02", true},
		{"timestamp_ts = 1769860800", true},
		{"banner ~ nginx", true},
		{"banner ~ 'Server: (nginx|apache)'", true},
		{"banner ~ '(?i)SERVER'", true},
		{"banner ~ '^Server'", false},
		{"banner ~ '200.*nginx'", true}, /* . is any byte */
		{"banner !~ apache", true},
		{"banner", true},
		{"banner_hex", false},
		{"banner_hex = 00", false},
		{"banner_hex != 00", true},
		{"zero_window", false},
		{"service.name = http", true},
		{"service.product in ('apache', 'nginx')", true},
		{"service.version >= 1.22 && service.version < 1.3", true},
		{"service.os = Linux", false},
		{"service.os < zzz", false}, /* it is not there: neither less nor more */
		{"service.os >= a", false},
		{"service.confidence > 0.8", true},
		{"service.source = builtin", true},
		{"plugins.http-enum.status = ok", true},
		{"plugins.slow.status = timeout", true},
		{"plugins.slow.error ~ wall", true},
		{"plugins.http-enum.error", false},
		{"plugins.http-enum.results.n = 12", true},
		{"plugins.http-enum.results.n > 12", false},
		{"plugins.http-enum.results.paths ~ '/a'", true},
		{"plugins.http-enum.results.deep.x.yes", true},
		{"plugins.http-enum.results.deep.x.yes = true", true},
		{"plugins.http-enum.results.deep.x.no", false},
		{"plugins.http-enum.results.text.none", false},
		{"plugins.http-enum.results.text = 'é😀\n\\\\'", true},
		{"plugins.slow.results.n != 12", true},
	};
	const struct result result = web();

	for (unsigned i = 0; i < sizeof wanted / sizeof *wanted; i++)
		cr_expect_eq(match(wanted[i].text, &result, true),
			wanted[i].yes ? FILTER_YES : FILTER_NO, "%s", wanted[i].text);
}

/* What cannot be known yet does not keep the rest from being decided. */
CHECKED_TEST(filter, decides_early_what_it_can, look_for_leaks) {
	static const struct {
		const char *text;
		enum filter_verdict early;
	} wanted[] = {
		{"state = open", FILTER_YES},
		{"state = closed && banner ~ x", FILTER_NO},
		{"banner ~ x && state = closed", FILTER_NO},
		{"state = open && banner ~ x", FILTER_UNKNOWN},
		{"state = open || banner ~ x", FILTER_YES},
		{"!(state = open || banner ~ x)", FILTER_NO},
		{"!banner", FILTER_UNKNOWN},
		{"service.name = http || port = 81", FILTER_UNKNOWN},
	};
	const struct result result = web();

	for (unsigned i = 0; i < sizeof wanted / sizeof *wanted; i++)
		cr_expect_eq(match(wanted[i].text, &result, false), wanted[i].early, "%s",
			wanted[i].text);
}

/* Text from the network cannot hold the control core up; and what it did is not taken for an answer. */
CHECKED_TEST(filter, gives_up_on_a_pattern_that_takes_too_long, look_for_leaks) {
	static char slow[4096];
	struct result_extra long_extra = {.banner = (uint8_t *)slow, .banner_bytes = sizeof slow};
	struct result result = web();

	memset(slow, 'a', sizeof slow);
	result.extra = &long_extra;
	cr_expect_eq(match("banner ~ '(a+)+[bc]'", &result, true), FILTER_UNKNOWN);
	cr_expect_eq(match("banner !~ '(a+)+[bc]$'", &result, true), FILTER_UNKNOWN);
	cr_expect_eq(match("banner ~ 'a{10}'", &result, true), FILTER_YES);
}

CHECKED_TEST(filter, says_where_an_error_is, look_for_leaks) {
	static const struct {
		const char *text, *why;
	} wanted[] = {
		{"", "column 1: give a field's name"},
		{"state", NULL},
		{"state =", "column 8: give a value"},
		{"state = open)", "column 13: give an operator"},
		{"state = open & port = 80", "column 14: give an operator"},
		{"state = open &&", "column 16: give a field's name"},
		{"port = http", "column 8: port is a number"},
		{"success = 2", "column 11: success is 1 or 0"},
		{"ip < 198.18.0.0/16", "column 6: give one address"},
		{"ip = 198.18.0.9-198.18.0.1", "column 6: ip is an address"},
		{"port in 80", "column 9: give a list"},
		{"port in ()", "column 10: give a value"},
		{"proto = icmp6", "column 9: proto is none of its values; they are tcp, udp, sctp"},
		{"plugins.x = 1", "column 1: no such field"},
		{"plugins.X.status = ok", "column 1: no such field"},
		{"plugins.x.status = fine", "column 20: plugins.x.status is none of its values"},
		{"banner ~ 'a{2,1}'", "column 10: not a pattern"},
	};
	struct filter *filter;
	struct value_error why;

	for (unsigned i = 0; i < sizeof wanted / sizeof *wanted; i++) {
		if (!wanted[i].why) {
			cr_assert_eq(filter_create(wanted[i].text, &filter, &why), 0);
			filter_destroy(filter);
			continue;
		}
		cr_expect_eq(filter_create(wanted[i].text, &filter, &why), -EINVAL, "%s",
			wanted[i].text);
		cr_expect(!strncmp(why.why, wanted[i].why, strlen(wanted[i].why)), "%s: %s",
			wanted[i].text, why.why);
	}
}

CHECKED_TEST(filter, knows_what_it_needs, look_for_leaks) {
	struct value_error why;
	struct filter *filter;

	cr_assert_eq(filter_create("port = 1 && ttl < 3", &filter, &why), 0);
	cr_expect(filter_is_early(filter));
	cr_expect_null(filter_plugin(filter, 0));
	filter_destroy(filter);
	cr_assert_eq(filter_create(
			     "port = 1 && plugins.a.status = ok || plugins.b.error", &filter, &why),
		0);
	cr_expect_not(filter_is_early(filter));
	cr_expect_str_eq(filter_plugin(filter, 0), "a");
	cr_expect_str_eq(filter_plugin(filter, 1), "b");
	cr_expect_null(filter_plugin(filter, 2));
	filter_destroy(filter);
}
