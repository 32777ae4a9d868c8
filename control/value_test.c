/* SPDX-License-Identifier: BSD-3-Clause */
/* Single values: what is read, what is refused, and that what is written reads back. */
#include "value.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

Test(value, rates) {
	static const struct {
		const char *text;
		double pps, bps;
		const char *canonical;
	} cases[] = {
		{"10k", 1e4, 0, "10k"},
		{"10000", 1e4, 0, "10k"},
		{"1.5M", 1.5e6, 0, "1.5M"},
		{"1500K", 1.5e6, 0, "1.5M"},
		{"0.0033", 0.0033, 0, "0.0033"},
		{"2.5", 2.5, 0, "2.5"},
		{"999", 999, 0, "999"},
		{".5", 0.5, 0, "0.5"},
		{"10G", 1e10, 0, "10G"},
		{"500Mbit", 0, 5e8, "500Mbit"},
		{"1000bit", 0, 1000, "1kbit"},
		{"0.1Gbit", 0, 1e8, "100Mbit"},
		{"max", 0, 0, "max"},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[VALUE_TEXT_BYTES];
		struct value_error err;
		struct value_rate rate;

		cr_assert_eq(value_read_rate(cases[i].text, &rate, &err), 0, "%s", cases[i].text);
		cr_assert_eq(rate.pps, cases[i].pps, "%s", cases[i].text);
		cr_assert_eq(rate.bps, cases[i].bps, "%s", cases[i].text);
		value_write_rate(rate, text);
		cr_assert_str_eq(text, cases[i].canonical);
	}
}

Test(value, bad_rates) {
	static const char *const cases[] = {"", "0", "-1", "+1", "12q", "1e6", "inf", "nan", "0x10",
		"1 k", "k", ".", "..5", "1.5.5", "1kk", "1m", "11G", "0.0001", "0bit", "1Tbit",
		"1bits", "2000Gbit", "Max", "1,5M"};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct value_error err;
		struct value_rate rate;

		cr_assert_lt(value_read_rate(cases[i], &rate, &err), 0, "%s", cases[i]);
		cr_assert_gt(strlen(err.why), 10);
	}
}

Test(value, seconds) {
	static const struct {
		const char *text;
		double seconds;
		const char *canonical;
	} cases[] = {{"5", 5, "5"}, {"0.5", 0.5, "0.5"}, {".25", 0.25, "0.25"},
		{"007.50", 7.5, "7.5"}, {"0.01", 0.01, "0.01"}, {"86400.", 86400, "86400"}};
	static const char *const bad[] = {"", "0", "0.009", "86400.1", "5s", "-1", "+1", "1e3",
		"inf", "nan", "0x1", " 5", "5 ", "1,5", "."};
	struct value_error err;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[VALUE_TEXT_BYTES];
		double seconds;

		cr_assert_eq(value_read_seconds(cases[i].text, 10, 86400000, &seconds, &err), 0,
			"%s", cases[i].text);
		cr_assert_eq(seconds, cases[i].seconds, "%s", cases[i].text);
		value_write_seconds(seconds, text);
		cr_assert_str_eq(text, cases[i].canonical);
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		double seconds;

		cr_assert_lt(
			value_read_seconds(bad[i], 10, 86400000, &seconds, &err), 0, "%s", bad[i]);
		cr_assert(strstr(err.why, "from 0.01 to 86400"), "%s", err.why);
	}
}

/* Any rate that was read is the same after it was written. */
Test(value, rates_read_back) {
	uint32_t state = 5;

	for (unsigned i = 0; i < 20000; i++) {
		struct value_rate rate = {0}, back;
		char text[VALUE_TEXT_BYTES];
		struct value_error err;

		state = state * 1664525 + 1013904223;
		rate.pps = (state >> 4) / (double)(1 << (state & 15)) + 0.01;
		if (i & 1)
			rate = (struct value_rate){.bps = rate.pps + 1};
		value_write_rate(rate, text);
		cr_assert_eq(value_read_rate(text, &back, &err), 0, "%s", text);
		cr_assert_eq(rate.pps, back.pps, "%s", text);
		cr_assert_eq(rate.bps, back.bps, "%s", text);
	}
}

Test(value, durations) {
	static const struct {
		const char *text;
		uint64_t ns;
		const char *canonical;
	} cases[] = {
		{"5s", 5000000000, "5s"},
		{"5", 5000000000, "5s"},
		{"20ms", 20000000, "20ms"},
		{"1.5s", 1500000000, "1500ms"},
		{"0", 0, "0s"},
		{"1m", 60000000000, "60s"},
		{"2h", 7200000000000, "2h"},
		{"250us", 250000, "250us"},
		{"0.5m", 30000000000, "30s"},
	};
	static const char *const bad[]
		= {"", "s", "-1s", "5 s", "5d", "1e3", "5S", "3h", "1:00", "5ns"};
	const uint64_t max = 7200000000000;
	struct value_error err;
	uint64_t ns;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[VALUE_TEXT_BYTES];

		cr_assert_eq(value_read_duration(cases[i].text, 0, max, &ns, &err), 0);
		cr_assert_eq(ns, cases[i].ns, "%s", cases[i].text);
		value_write_duration(ns, text);
		cr_assert_str_eq(text, cases[i].canonical);
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_lt(value_read_duration(bad[i], 0, max, &ns, &err), 0, "%s", bad[i]);
}

Test(value, sizes) {
	static const struct {
		const char *text;
		uint64_t bytes;
		const char *canonical; /* NULL: refused */
	} cases[] = {
		{"0", 0, "0"},
		{"4096", 4096, "4k"},
		{"4k", 4096, "4k"},
		{"5000", 5000, "5000"},
		{"100M", 100 << 20, "100M"},
		{"1024k", 1 << 20, "1M"},
		{"1048576G", UINT64_C(1) << 50, "1048576G"},
		{"1048577G", 0, NULL},
		{"1k", 0, NULL},
		{"4095", 0, NULL},
		{"0.5M", 0, NULL},
		{"1T", 0, NULL},
		{"M", 0, NULL},
		{"", 0, NULL},
		{"4kB", 0, NULL},
		{"-4k", 0, NULL},
		{"99999999999999999999", 0, NULL},
		{"18446744073709551615G", 0, NULL},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[VALUE_TEXT_BYTES];
		struct value_error err;
		uint64_t bytes;
		int ret = value_read_size(cases[i].text, 4096, UINT64_C(1) << 50, &bytes, &err);

		cr_assert_eq(ret, cases[i].canonical ? 0 : -EINVAL, "%s", cases[i].text);
		if (!cases[i].canonical)
			continue;
		cr_assert_eq(bytes, cases[i].bytes, "%s", cases[i].text);
		value_write_size(bytes, text);
		cr_assert_str_eq(text, cases[i].canonical);
	}
}

Test(value, counts) {
	struct value_error err;
	uint64_t out;

	cr_assert_eq(value_read_count("18446744073709551615", 0, UINT64_MAX, &out, &err), 0);
	cr_assert_eq(out, UINT64_MAX);
	cr_assert_lt(value_read_count("18446744073709551616", 0, UINT64_MAX, &out, &err), 0);
	cr_assert_lt(value_read_count("-1", 0, UINT64_MAX, &out, &err), 0);
	cr_assert_lt(value_read_count("", 0, 9, &out, &err), 0);
	cr_assert_lt(value_read_count(" 1", 0, 9, &out, &err), 0);
	cr_assert_lt(value_read_count("10", 0, 9, &out, &err), 0);
	cr_assert_lt(value_read_count("0", 1, 9, &out, &err), 0);
}

Test(value, fractions) {
	static const char *const bad[] = {"", "1.01", "-0", "nan", "50%", "1e-3", "0,5", "."};
	struct value_error err;
	char text[VALUE_TEXT_BYTES];
	double out;

	cr_assert_eq(value_read_fraction("0.10", &out, &err), 0);
	value_write_fraction(out, text);
	cr_assert_str_eq(text, "0.1");
	cr_assert_eq(value_read_fraction("1", &out, &err), 0);
	value_write_fraction(out, text);
	cr_assert_str_eq(text, "1");
	cr_assert_eq(value_read_fraction("0.000001", &out, &err), 0);
	value_write_fraction(out, text);
	cr_assert_str_eq(text, "0.000001");
	cr_assert_eq(value_read_fraction("0.000000000000000002", &out, &err), 0);
	value_write_fraction(out, text);
	cr_assert_str_eq(text, "0.000000000000000002");
	cr_assert_lt(value_read_fraction("0.0000000000000000002", &out, &err), 0);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_lt(value_read_fraction(bad[i], &out, &err), 0, "%s", bad[i]);
}

Test(value, addresses) {
	static const char *const bad[] = {"", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4",
		"1..2.3", "1.2.3.4 ", "0x1.2.3.4", "1.2.3.-4", "1.2.3.1000", "::1"};
	struct value_error err;
	char text[VALUE_TEXT_BYTES];
	uint32_t ip;

	cr_assert_eq(value_read_ipv4("255.0.10.1", 10, &ip, &err), 0);
	cr_assert_eq(ip, 0xff000a01);
	value_write_ipv4(ip, text);
	cr_assert_str_eq(text, "255.0.10.1");
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_lt(value_read_ipv4(bad[i], strlen(bad[i]), &ip, &err), 0, "%s", bad[i]);
}

Test(value, addresses_of_both_families) {
	static const struct {
		const char *text, *why;
	} bad[] = {{"", "not an address"}, {"host", "not an address"}, {"1.2.3", "not an address"},
		{"2001:db8::1::2", "not an IPv6 address"}, {"fe80::1%eth0", "zone"},
		{"::FFFF:192.0.2.1", "mapped"}, {"2001:db8::/32", "not an IPv6 address"}};
	struct value_error err;
	char text[VALUE_TEXT_BYTES];
	dp_ip ip;

	cr_assert_eq(value_read_ip("2001:DB8:0::1", 13, &ip, &err), 0);
	value_write_ip(ip, text);
	cr_assert_str_eq(text, "2001:db8::1");
	cr_assert_eq(value_read_ip("192.0.2.1", 9, &ip, &err), 0);
	cr_assert(ip == dp_ip_v4(0xc0000201));
	value_write_ip(ip, text);
	cr_assert_str_eq(text, "192.0.2.1");
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_assert_eq(value_read_ip(bad[i].text, strlen(bad[i].text), &ip, &err), -EINVAL);
		cr_assert(strstr(err.why, bad[i].why), "%s: %s", bad[i].text, err.why);
	}
}

Test(value, ethernet_addresses) {
	static const char *const bad[] = {"", "02:00:5e:10:00", "02:00:5e:10:00:0g",
		"02-00-5e-10-00-01", "01:00:5e:10:00:01", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff",
		"02:00:5e:10:00:011"};
	struct value_error err;
	char text[VALUE_TEXT_BYTES];
	uint8_t mac[6];

	cr_assert_eq(value_read_mac("02:AB:5e:10:00:01", mac, &err), 0);
	value_write_mac(mac, text);
	cr_assert_str_eq(text, "02:ab:5e:10:00:01");
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_lt(value_read_mac(bad[i], mac, &err), 0, "%s", bad[i]);
}

Test(value, port_ranges_and_shards) {
	static const char *const bad_ports[]
		= {"", "0-9", "9-8", "1-65536", "1-", "-1", "a-b", "1-2-3"};
	static const char *const bad_shards[]
		= {"", "0/1", "2/1", "1/0", "1", "1/", "/1", "1/2/3", "-1/2", "1/1000001", "a/b"};
	struct value_error err;
	uint16_t first, last;
	uint32_t shard, shards;

	cr_assert_eq(value_read_port_range("1-65535", &first, &last, &err), 0);
	cr_assert_eq(last, 65535);
	cr_assert_eq(value_read_port_range("40000", &first, &last, &err), 0);
	cr_assert(first == 40000 && last == 40000);
	cr_assert_eq(value_read_shard("3/7", &shard, &shards, &err), 0);
	cr_assert(shard == 3 && shards == 7);
	for (unsigned i = 0; i < sizeof(bad_ports) / sizeof(bad_ports[0]); i++)
		cr_assert_lt(value_read_port_range(bad_ports[i], &first, &last, &err), 0, "%s",
			bad_ports[i]);
	for (unsigned i = 0; i < sizeof(bad_shards) / sizeof(bad_shards[0]); i++)
		cr_assert_lt(value_read_shard(bad_shards[i], &shard, &shards, &err), 0, "%s",
			bad_shards[i]);
}

/* An error shows a piece of the value only, and nothing that could move a terminal's cursor. */
Test(value, shows_what_is_safe) {
	char junk[1000];
	struct value_error err;
	bool out;

	memset(junk, '\x1b', sizeof(junk) - 1);
	junk[sizeof(junk) - 1] = '\0';
	cr_assert_lt(value_read_bool(junk, &out, &err), 0);
	cr_assert_leq(strlen(err.part), 43);
	for (const char *c = err.part; *c; c++)
		cr_assert(*c >= 0x20 && *c < 0x7f);
}

Test(value, distances) {
	cr_assert_eq(value_distance("rate", "rate", 5), 0);
	cr_assert_eq(value_distance("rtae", "rate", 5), 1);
	cr_assert_eq(value_distance("rat", "rate", 5), 1);
	cr_assert_eq(value_distance("kitten", "sitting", 5), 3);
	cr_assert_eq(value_distance("", "abc", 5), 3);
	cr_assert_eq(value_distance("abcdef", "", 5), 5);
}
