/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hellos: for every port the same bytes each time, short enough to fit any host, and the ports whose
 * servers speak first are left to do so.
 */
#include "hello.h"

#include <criterion/criterion.h>
#include <string.h>

Test(hello, known_ports) {
	static const struct {
		uint16_t port;
		const char *text;
	} known[] = {
		{80, "GET / HTTP/1.0\r\n\r\n"},
		{81, "GET / HTTP/1.0\r\n\r\n"},
		{8000, "GET / HTTP/1.0\r\n\r\n"},
		{8080, "GET / HTTP/1.0\r\n\r\n"},
		{8888, "GET / HTTP/1.0\r\n\r\n"},
		{9200, "GET / HTTP/1.0\r\n\r\n"},
		{21, ""},
		{22, ""},
		{25, ""},
		{79, ""},
		{82, ""},
		{443, ""},
		{3306, ""},
		{9201, ""},
		{0, ""},
		{65535, ""},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		const struct hello hello = hello_for(known[i].port);

		cr_assert_eq(hello.length, strlen(known[i].text), "port %u", known[i].port);
		if (hello.length)
			cr_assert_arr_eq(hello.bytes, known[i].text, hello.length);
	}
}

Test(hello, all_ports) {
	unsigned said = 0;

	for (unsigned port = 0; port < 65536; port++) {
		const struct hello hello = hello_for((uint16_t)port);

		cr_assert_leq(hello.length, HELLO_MAX_BYTES);
		cr_assert_eq(hello.bytes != NULL, hello.length != 0);
		said += hello.length != 0;
	}
	/* As many as there are rows: a table out of order would hide some. */
	cr_assert_eq(said, 16);
}
