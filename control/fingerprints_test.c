/* SPDX-License-Identifier: BSD-3-Clause */
/* The fingerprints that come along: their own examples, and banners that are hostile. */
#include "detect.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct detect *compile(const struct detect_rules *rules) {
	struct detect *detect;
	struct dp_error err;

	cr_assert_eq(detect_create(rules, &detect, &err), 0, "%s", err.text);
	return detect;
}

static struct detect_rules *shipped(void) {
	struct detect_rules *rules;
	struct dp_error err;

	cr_assert_eq(detect_rules_create(&rules), 0);
	cr_assert_eq(detect_rules_read(rules, TEST_CONF_DIR "/fingerprints.txt", &err), 0, "%s",
		err.text);
	return rules;
}

Test(fingerprints, shipped_rules_hold_their_examples) {
	struct detect_rules *rules = shipped();
	struct detect *detect = compile(rules);
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	unsigned nb, wrong = detect_try_examples(detect, &nb, out);

	fclose(out);
	cr_expect_eq(wrong, 0, "%s", text);
	cr_expect_geq(nb, 150);
	free(text);
	detect_destroy(detect);
	detect_rules_destroy(rules);
}

/* Banners cut anywhere and with bytes changed: the sanitizers' build sees what is read beyond them. */
Test(fingerprints, hostile_banners) {
	static const char *const banners[] = {
		"HTTP/1.1 200 OK\r\nServer: Apache/2.4.57 (Debian)\r\nSet-Cookie: a=1\r\nVia: x\r\n"
		"Set-Cookie: PHPSESSID=x\r\n\r\n<meta name=\"generator\" content=\"WordPress "
		"6\"><title>t</title>",
		"220-x\r\n220 ProFTPD 1.3.5 Server\r\n",
		"* OK [CAPABILITY IMAP4rev1] Dovecot ready.\r\n",
		"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n",
		"SIP/2.0 200 OK\r\nServer: Asterisk PBX 16\r\nUser-Agent: x\r\n\r\n",
	};
	struct detect_rules *rules = shipped();
	struct detect *detect = compile(rules);
	uint64_t state = 88172645463325252u;

	for (unsigned i = 0; i < 200000; i++) {
		const char *from = banners[i % (sizeof(banners) / sizeof(banners[0]))];
		size_t n = strlen(from);
		struct lh_service service = {0};
		uint8_t *bytes;

		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		n = state % (n + 1);
		bytes = malloc(n + 1);
		memcpy(bytes, from, n);
		for (unsigned k = 0; n && k < (state >> 32) % 4; k++)
			bytes[(state >> (8 * k)) % n] = (uint8_t)(state >> (40 + 4 * k));
		bytes = realloc(bytes, n ? n : 1);
		detect_run(detect, i & 1 ? DP_PROTO_UDP : DP_PROTO_TCP, 80, bytes, n, &service);
		cr_assert(memchr(service.info, '\0', sizeof(service.info)));
		free(bytes);
	}
	detect_destroy(detect);
	detect_rules_destroy(rules);
}
