/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses as text: what is written (RFC 5952), what is read and refused, against libc's own. */
#include <dp/ip.h>

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static const struct {
	const char *text;
	const char *canonical;
} good[] = {
	{"0.0.0.0", "0.0.0.0"},
	{"192.0.2.1", "192.0.2.1"},
	{"255.255.255.255", "255.255.255.255"},
	{"::", "::"},
	{"::1", "::1"},
	{"0:0:0:0:0:0:0:1", "::1"},
	{"1::", "1::"},
	{"2001:DB8::FF", "2001:db8::ff"},
	{"2001:0db8:0000:0000:0000:0000:0000:00ff", "2001:db8::ff"},
	{"2001:db8::", "2001:db8::"},
	/* RFC 5952 4.2.2: one group alone is not shortened. */
	{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
	{"2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},
	{"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
	{"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
	/* 4.2.3: the longest run, the first of equal ones. */
	{"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},
	{"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},
	{"0:0:1:0:0:0:0:0", "0:0:1::"},
	{"::fffe:c000:201", "::fffe:c000:201"},
	{"::1:0:0:0", "::1:0:0:0"},
	{"64:ff9b::192.0.2.33", "64:ff9b::c000:221"},
	{"1:2:3:4:5:6:255.0.0.1", "1:2:3:4:5:6:ff00:1"},
	{"::0.0.1.0", "::100"},
	{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
};

Test(ip, reads_and_writes) {
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char text[DP_IP_TEXT_BYTES];
		dp_ip ip, back;

		cr_assert_eq(
			dp_ip_read(good[i].text, strlen(good[i].text), &ip), 0, "%s", good[i].text);
		cr_assert_eq(dp_ip_write(ip, text), strlen(good[i].canonical), "%s", good[i].text);
		cr_assert_str_eq(text, good[i].canonical);
		cr_assert_eq(dp_ip_read(text, strlen(text), &back), 0);
		cr_assert(back == ip, "%s", text);
	}
}

Test(ip, refuses) {
	static const char *const bad[] = {"", ":", ":::", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256",
		"01.2.3.4", "1..2.3", "1.2.3.4 ", " 1.2.3.4", "0x1.2.3.4", "1.2.3.1000", "1.2.3.",
		"1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8",
		"1:2:3:4::5:6:7:8", "1::2::3", "1:", ":1", "1:2:3:4:5:6:7:", ":1:2:3:4:5:6:7:8",
		"12345::", "::g", "fe80::1%eth0", "::1/128", "[::1]", "::ffff:192.0.2.1",
		"::ffff:c000:201", "0:0:0:0:0:ffff:0:0", "1.2.3.4::", "::1.2.3", "::1.2.3.4.5",
		"::1.2.3.04", "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3.4:5", "1:2:3:4:5:1.2.3.4", "::1 "};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		dp_ip ip;

		cr_assert_eq(dp_ip_read(bad[i], strlen(bad[i]), &ip), -EINVAL, "%s", bad[i]);
	}
}

/* Only @length bytes count: tokens of a file have no end mark. */
Test(ip, reads_no_further) {
	dp_ip ip;

	cr_assert_eq(dp_ip_read("2001:db8::12", 11, &ip), 0);
	cr_assert(ip == dp_ip_v6(UINT64_C(0x20010db800000000), 1));
	cr_assert_eq(dp_ip_read("192.0.2.12", 9, &ip), 0);
	cr_assert(ip == dp_ip_v4(0xc0000201));
}

static uint64_t next(uint64_t *state) {
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state ^ *state >> 29;
}

/* Every pattern of zero groups, with random groups of every length between. */
Test(ip, agrees_with_libc) {
	uint64_t state = 1;

	for (unsigned round = 0; round < 100000; round++) {
		char text[DP_IP_TEXT_BYTES], theirs[INET6_ADDRSTRLEN];
		struct in6_addr raw;
		uint8_t bytes[16];
		dp_ip ip = 0, back;

		for (unsigned i = 0; i < 8; i++) {
			const unsigned group = next(&state) >> 20 & 0xffff;

			ip = ip << 16 | (round >> i & 1 ? group >> 4 * (group & 3) : 0);
		}
		/* libc writes these with dots. */
		if (ip >> 32 == 0 || dp_ip_is_v4(ip))
			continue;
		dp_ip_put_v6(bytes, ip);
		cr_assert(dp_ip_get_v6(bytes) == ip);
		memcpy(&raw, bytes, 16);
		cr_assert_not_null(inet_ntop(AF_INET6, &raw, theirs, sizeof(theirs)));
		cr_assert_eq(dp_ip_write(ip, text), strlen(theirs));
		cr_assert_str_eq(text, theirs);
		cr_assert_eq(dp_ip_read(text, strlen(text), &back), 0, "%s", text);
		cr_assert(back == ip, "%s", text);
	}
}

/* Short random strings of an address's characters: libc and we take the same ones. */
Test(ip, takes_what_libc_takes) {
	static const char letters[] = "0123afAF::::....";
	uint64_t state = 7;
	unsigned taken = 0;

	for (unsigned round = 0; round < 300000; round++) {
		const unsigned length = 2 + next(&state) % 18;
		struct in6_addr raw;
		char text[32];
		bool ours, theirs;
		dp_ip ip;

		for (unsigned i = 0; i < length; i++)
			text[i] = letters[next(&state) >> 33 & 15];
		text[length] = '\0';
		if (!strchr(text, ':'))
			continue;
		theirs = inet_pton(AF_INET6, text, &raw) == 1
			&& !dp_ip_is_v4(dp_ip_get_v6(raw.s6_addr));
		ours = !dp_ip_read(text, length, &ip);
		taken += ours;
		cr_assert_eq(ours, theirs, "%s: %d and not %d", text, ours, theirs);
		if (ours)
			cr_assert(ip == dp_ip_get_v6(raw.s6_addr), "%s", text);
	}
	cr_assert_gt(taken, 1000);
}

Test(ip, writes_numbers) {
	char text[DP_U128_TEXT_BYTES];

	cr_assert_eq(dp_u128_write(0, text), 1);
	cr_assert_str_eq(text, "0");
	dp_u128_write((dp_u128)10 << 64, text);
	cr_assert_str_eq(text, "184467440737095516160");
	cr_assert_eq(dp_u128_write(DP_U128_MAX, text), 39);
	cr_assert_str_eq(text, "340282366920938463463374607431768211455");
}
