/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses as text, bytes and numbers. */
#include <lh/ip.h>

#include <criterion/criterion.h>
#include <string.h>

Test(ip, reads_and_writes) {
	static const struct {
		const char *text, *written; /* NULL: the same */
		uint64_t high, low;
	} cases[] = {
		{"0.0.0.0", NULL, 0, UINT64_C(0xffff00000000)},
		{"198.18.0.1", NULL, 0, UINT64_C(0xffffc6120001)},
		{"255.255.255.255", NULL, 0, UINT64_C(0xffffffffffff)},
		{"::", NULL, 0, 0},
		{"::1", NULL, 0, 1},
		{"2001:DB8:0:0:0:0:0:A", "2001:db8::a", UINT64_C(0x20010db800000000), 10},
		{"2001:db8:1:2:3:4:5:6", NULL, UINT64_C(0x20010db800010002),
			UINT64_C(0x0003000400050006)},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL, UINT64_MAX, UINT64_MAX},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[LH_IP_TEXT_BYTES];
		lh_ip ip = 1;

		cr_expect(lh_ip_read(cases[i].text, &ip), "%s", cases[i].text);
		cr_expect(ip == lh_ip_v6(cases[i].high, cases[i].low), "%s", cases[i].text);
		lh_ip_write(ip, text);
		cr_expect_str_eq(text, cases[i].written ? cases[i].written : cases[i].text);
	}
}

Test(ip, reads_nothing_else) {
	static const char *const bad[] = {"", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", " 1.2.3.4",
		"1.2.3.4 ", "01.2.3.4x", "localhost", ":", ":::", "1::2::3", "::ffff:1.2.3.4",
		"::ffff:102:304", "fe80::1%lo", "[::1]", "::1/128", "12345::", "1:2:3:4:5:6:7:8:9"};
	lh_ip ip;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect(!lh_ip_read(bad[i], &ip), "%s", bad[i]);
}

Test(ip, has_the_bytes_of_the_wire) {
	static const uint8_t wire[16] = {0x20, 1, 0xd, 0xb8, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
	const lh_ip ip = lh_ip_v6(UINT64_C(0x20010db800010203), UINT64_C(0x0405060708090a0b));
	uint8_t bytes[16];

	cr_expect(lh_ip_get_v6(wire) == ip);
	lh_ip_put_v6(bytes, ip);
	cr_expect_eq(memcmp(bytes, wire, 16), 0);
	cr_expect(
		!lh_ip_is_v4(ip) && lh_ip_is_v4(lh_ip_v4(0)) && lh_ip_is_v4(lh_ip_v4(UINT32_MAX)));
	cr_expect(!lh_ip_is_v4(lh_ip_v6(0, UINT64_C(0x1000000000000))));
	cr_expect_eq(lh_ip_to_v4(lh_ip_v4(0xc6120001)), 0xc6120001u);
}
