/* SPDX-License-Identifier: BSD-3-Clause */
#include "web.h"

#include <criterion/criterion.h>

/* What a browser sends as Host where the page was opened by address; no name can be pointed at us. */
Test(web, hosts) {
	static const char *const own[] = {"localhost", "LOCALHOST:9464", "127.0.0.1",
		"127.0.0.1:9464", "192.0.2.7:80", "[::1]", "[::1]:9464", "[2001:db8::1]:9464"};
	static const char *const others[] = {"", ":", ":9464", "example.org", "example.org:9464",
		"localhost.example.org", "127.0.0.1.example.org", "127.0.0.1:", "127.0.0.1:http",
		"127.0.0.1:123456", "127.1", "0x7f000001", "2130706433", "[::1", "::1",
		"[127.0.0.1]", "[]", "[::1]x", "[::1]:9464:1", "localhost:1:2"};

	for (unsigned i = 0; i < sizeof own / sizeof *own; i++)
		cr_expect(web_is_own_host(own[i]), "%s", own[i]);
	for (unsigned i = 0; i < sizeof others / sizeof *others; i++)
		cr_expect_not(web_is_own_host(others[i]), "%s", others[i]);
}
