/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hello of our own and the parser of its answer: against real servers, against a small server of
 * this file for what OpenSSL no longer speaks, and against rubbish.
 */
#include "tls.h"
#include "tls_hello.h"
#include "tls_lab.h"

#include <openssl/ssl.h>

TestSuite(tls_suites);
TestSuite(tls_hello);
TestSuite(tls_answer, .timeout = 240);
TestSuite(tls_probe, .init = lab_enter, .fini = lab_leave, .timeout = 120);

/* ---- Names ---- */

Test(tls_suites, table_is_sorted_and_names_differ) {
	for (unsigned i = 0; i < tls_nb_suites; i++) {
		cr_assert(!i || tls_suites[i - 1].id < tls_suites[i].id, "%s", tls_suites[i].name);
		cr_assert_eq(tls_suite_by_id(tls_suites[i].id), &tls_suites[i]);
		cr_assert_eq(tls_suite_by_name(tls_suites[i].name), &tls_suites[i]);
	}
	cr_assert_null(tls_suite_by_id(0xfefe));
	cr_assert_null(tls_suite_by_name("(NONE)"));
	cr_assert_null(tls_suite_by_name(""));
}

/* Ids, both names, and what the name says of the version: as OpenSSL has them. */
Test(tls_suites, agree_with_openssl) {
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	cr_assert(SSL_CTX_set_cipher_list(ctx, "ALL:COMPLEMENTOFALL:@SECLEVEL=0"));
	cr_assert(SSL_CTX_set_ciphersuites(ctx,
		"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:"
		"TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256"));
	const STACK_OF(SSL_CIPHER) *ciphers = SSL_CTX_get_ciphers(ctx);
	cr_assert_gt(sk_SSL_CIPHER_num(ciphers), 150);
	for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); i++) {
		const SSL_CIPHER *cipher = sk_SSL_CIPHER_value(ciphers, i);
		const struct tls_suite *suite = tls_suite_by_id(SSL_CIPHER_get_protocol_id(cipher));
		const char *version = SSL_CIPHER_get_version(cipher);

		cr_assert_not_null(suite, "%s", SSL_CIPHER_standard_name(cipher));
		cr_assert_str_eq(suite->name, SSL_CIPHER_standard_name(cipher));
		cr_assert_eq(tls_suite_by_name(SSL_CIPHER_get_name(cipher)), suite);
		cr_assert_eq(tls_suite_from(suite),
			!strcmp(version, "TLSv1.3")	      ? TLS13_VERSION_NUMBER
				: !strcmp(version, "TLSv1.2") ? TLS12_VERSION_NUMBER
							      : SSL3_VERSION_NUMBER,
			"%s", suite->name);
	}
	SSL_CTX_free(ctx);
}

Test(tls_suites, classes) {
	static const struct {
		const char *class, *in, *out;
	} cases[] = {
		{"RC4", "TLS_RSA_WITH_RC4_128_SHA", "TLS_RSA_WITH_DES_CBC_SHA"},
		{"3DES", "TLS_RSA_WITH_3DES_EDE_CBC_SHA", "TLS_RSA_WITH_DES_CBC_SHA"},
		{"DES", "TLS_RSA_EXPORT_WITH_DES40_CBC_SHA", "TLS_RSA_WITH_3DES_EDE_CBC_SHA"},
		{"EXPORT", "TLS_RSA_EXPORT1024_WITH_RC4_56_SHA", "TLS_RSA_WITH_RC4_128_SHA"},
		{"NULL", "TLS_SHA256_SHA256", "TLS_NULL_WITH_NULL_NULL"},
		{"anon", "TLS_ECDH_anon_WITH_NULL_SHA", "TLS_DH_RSA_WITH_DES_CBC_SHA"},
		{"ALL", "TLS_AES_128_GCM_SHA256", "TLS_FALLBACK_SCSV"},
		{"DHE", "TLS_DHE_RSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const int class = tls_class_by_name(cases[i].class);

		cr_assert_geq(class, 0);
		cr_assert(tls_class_has(class, tls_suite_by_name(cases[i].in)), "%s", cases[i].in);
		cr_assert_not(
			tls_class_has(class, tls_suite_by_name(cases[i].out)), "%s", cases[i].out);
	}
	cr_assert_lt(tls_class_by_name("TLS_RSA_WITH_RC4_128_SHA"), 0);
}

/* ---- What we send, read by code of its own ---- */

struct seen {
	unsigned record_version, version, session, nb_ciphers, nb_extensions;
	uint32_t ciphers[512];
	uint16_t extensions[32];
	const uint8_t *bodies[32];
	size_t lengths[32];
	size_t compressions;
};

static unsigned number(const uint8_t **at, unsigned bytes) {
	unsigned value = 0;

	while (bytes--)
		value = value << 8 | *(*at)++;
	return value;
}

static void see_extensions(struct seen *seen, const uint8_t *at, const uint8_t *end) {
	if (at == end)
		return;
	cr_assert_eq(number(&at, 2), (unsigned)(end - at));
	while (at < end) {
		const unsigned i = seen->nb_extensions++;

		seen->extensions[i] = (uint16_t)number(&at, 2);
		seen->lengths[i] = number(&at, 2);
		seen->bodies[i] = at;
		at += seen->lengths[i];
	}
	cr_assert_eq(at, end);
}

static void see(struct seen *seen, const char *bytes, size_t n) {
	const uint8_t *at = (const uint8_t *)bytes, *end = at + n;

	memset(seen, 0, sizeof(*seen));
	cr_assert_eq(number(&at, 1), 22);
	seen->record_version = number(&at, 2);
	cr_assert_eq(number(&at, 2), (unsigned)(end - at));
	cr_assert_eq(number(&at, 1), 1);
	cr_assert_eq(number(&at, 3), (unsigned)(end - at));
	seen->version = number(&at, 2);
	at += 32;
	seen->session = number(&at, 1);
	at += seen->session;
	seen->nb_ciphers = number(&at, 2) / 2;
	cr_assert_leq(seen->nb_ciphers, 512);
	for (unsigned i = 0; i < seen->nb_ciphers; i++)
		seen->ciphers[i] = number(&at, 2);
	seen->compressions = number(&at, 1);
	at += seen->compressions;
	see_extensions(seen, at, end);
}

static bool offers(const struct seen *seen, uint32_t id) {
	for (unsigned i = 0; i < seen->nb_ciphers; i++)
		if (seen->ciphers[i] == id)
			return true;
	return false;
}

static int extension(const struct seen *seen, unsigned id) {
	for (unsigned i = 0; i < seen->nb_extensions; i++)
		if (seen->extensions[i] == id)
			return (int)i;
	return -1;
}

static lua_State *vm(void) {
	lua_State *L = lab_vm();

	lua_register(L, "build", tls_hello_build);
	lua_register(L, "parse", tls_hello_parse);
	return L;
}

static void run(lua_State *L, const char *chunk) {
	if (luaL_dostring(L, chunk))
		cr_assert_fail("%s: %s", chunk, lua_tostring(L, -1));
}

static const char *global(lua_State *L, const char *name, size_t *n) {
	lua_getglobal(L, name);
	return lua_tolstring(L, -1, n);
}

static void see_build(lua_State *L, const char *options, struct seen *seen) {
	size_t n;

	lua_settop(L, 0);
	lua_pushfstring(L, "hello = build(%s)", options);
	run(L, lua_tostring(L, -1));
	const char *bytes = global(L, "hello", &n);
	see(seen, bytes, n);
}

Test(tls_hello, ssl3_has_no_extensions) {
	lua_State *L = vm();
	struct seen seen;

	see_build(L, "{versions = 'SSLv3', ciphers = {'RC4-SHA', 10}, server_name = 'a.example'}",
		&seen);
	cr_assert_eq(seen.record_version, 0x0300);
	cr_assert_eq(seen.version, 0x0300);
	cr_assert_eq(seen.session, 0);
	cr_assert_eq(seen.nb_extensions, 0);
	cr_assert_eq(seen.nb_ciphers, 3);
	cr_assert(seen.ciphers[0] == 5 && seen.ciphers[1] == 10 && seen.ciphers[2] == 0xff);
	cr_assert_eq(seen.compressions, 2);
	lua_close(L);
}

Test(tls_hello, tls12) {
	lua_State *L = vm();
	struct seen seen;

	see_build(L,
		"{versions = {'TLSv1.2'}, ciphers = {'EXPORT', 0x1234, "
		"'TLS_RSA_WITH_RC4_128_SHA'}, "
		"server_name = 'a.example', alpn = {'h2', 'http/1.1'}}",
		&seen);
	cr_assert_eq(seen.record_version, 0x0301);
	cr_assert_eq(seen.version, 0x0303);
	cr_assert(offers(&seen, 0x1234) && offers(&seen, 5) && offers(&seen, 3)
		&& offers(&seen, 0x64));
	cr_assert_not(offers(&seen, 4));
	cr_assert_not(offers(&seen, 0x1301));
	const int name = extension(&seen, 0), alpn = extension(&seen, 16);
	cr_assert(name >= 0 && seen.lengths[name] == 14
		&& !memcmp(seen.bodies[name],
			"\0\x0c\0\0\x09"
			"a.example",
			14));
	cr_assert(alpn >= 0 && seen.lengths[alpn] == 14
		&& !memcmp(seen.bodies[alpn], "\0\x0c\x02h2\x08http/1.1", 14));
	cr_assert(extension(&seen, 10) >= 0 && extension(&seen, 13) >= 0);
	cr_assert(extension(&seen, 43) < 0 && extension(&seen, 51) < 0);
	lua_close(L);
}

Test(tls_hello, default_is_tls10_to_tls13) {
	lua_State *L = vm();
	struct seen seen;

	see_build(L, "{}", &seen);
	const int versions = extension(&seen, 43), shares = extension(&seen, 51);
	cr_assert_eq(seen.version, 0x0303);
	cr_assert_eq(seen.session, 32);
	cr_assert_eq(seen.compressions, 1);
	cr_assert(versions >= 0 && seen.lengths[versions] == 9);
	cr_assert(!memcmp(seen.bodies[versions], "\x08\x03\x04\x03\x03\x03\x02\x03\x01", 9));
	cr_assert(shares >= 0 && seen.lengths[shares] == 2 + 4 + 32 + 4 + 65);
	cr_assert_eq(
		seen.ciphers[0], 0x1301u); /* what all have comes first, what none should last */
	cr_assert(offers(&seen, 0xc6) && offers(&seen, 0x1301) && offers(&seen, 5)
		&& offers(&seen, 0xff));
	for (unsigned i = 0; i < seen.nb_ciphers; i++)
		for (unsigned k = 0; k < i; k++)
			cr_assert_neq(seen.ciphers[i], seen.ciphers[k]);
	lua_close(L);
}

Test(tls_hello, tls13_alone) {
	lua_State *L = vm();
	struct seen seen;

	see_build(L, "{versions = 'TLSv1.3'}", &seen);
	cr_assert(offers(&seen, 0x1301));
	cr_assert_not(offers(&seen, 0xff));
	cr_assert_not(offers(&seen, 0xc02f));
	lua_close(L);
}

Test(tls_hello, old_versions_get_old_suites) {
	lua_State *L = vm();
	struct seen seen;

	see_build(L, "{versions = {'SSLv3', 'TLSv1.0'}}", &seen);
	cr_assert_eq(seen.version, 0x0301);
	cr_assert(offers(&seen, 0x2f) && offers(&seen, 3));
	cr_assert_not(offers(&seen, 0x9c));
	cr_assert_not(offers(&seen, 0x1301));
	lua_close(L);
}

Test(tls_hello, ssl2) {
	static const uint8_t start[]
		= {0x80, 9 + 3 * 7 + 16, 1, 0, 2, 0, 21, 0, 0, 0, 16, 1, 0, 0x80};
	lua_State *L = vm();
	size_t n;

	run(L, "hello = build{versions = 'SSLv2'}");
	const char *bytes = global(L, "hello", &n);
	cr_assert_eq(n, 2 + 9 + 3 * 7 + 16);
	/* Not the weakest first. */
	cr_assert(!memcmp(bytes, start, 11));
	run(L, "hello = build{versions = {'SSLv2', 'TLSv1.0'}, ciphers = {0x10080, 5}}");
	bytes = global(L, "hello", &n);
	cr_assert(!memcmp(bytes, "\x80\x22\x01\x03\x01\x00\x09\x00\x00\x00\x10", 11));
	cr_assert(!memcmp(bytes + 11, "\x01\x00\x80\x00\x00\x05\x00\x00\xff", 9));
	lua_close(L);
}

Test(tls_hello, random_is_random) {
	lua_State *L = vm();

	run(L, "same = build{} == build{}");
	lab_expect(L, "same", "false");
	lua_close(L);
}

Test(tls_hello, errors_say_what_would_be_right) {
	static const struct {
		const char *options, *error;
	} cases[] = {
		{"{versions = 'TLSv1.4'}", "no version \"TLSv1.4\": there are SSLv2, SSLv3"},
		{"{versions = {}}", "versions is an empty list"},
		{"{versions = {771}}", "a version is a string such as \"TLSv1.2\", not a number"},
		{"{versions = {'SSLv2', 'TLSv1.3'}}", "no one hello offers SSLv2 and TLSv1.3"},
		{"{ciphers = 'RC5'}", "no cipher \"RC5\": take an IANA name"},
		{"{ciphers = '(NONE)'}", "no cipher \"(NONE)\""},
		{"{ciphers = {}}", "ciphers is an empty list"},
		{"{ciphers = {true}}", "a cipher is a name or a number, not a boolean"},
		{"{ciphers = {1.5}}", "whole and from 0 to 65535"},
		{"{ciphers = {-1}}", "whole and from 0 to 65535"},
		{"{ciphers = {65536}}", "whole and from 0 to 65535"},
		{"{ciphers = {0/0}}", "whole and from 0 to 65535"},
		{"{ciphers = 'SSL_CK_RC4_128_WITH_MD5'}", "needs \"SSLv2\" among the versions"},
		{"{versions = 'SSLv3', ciphers = 'GCM'}", "none of the ciphers goes with"},
		{"{server_name = ''}", "server_name has 1 to 255 bytes"},
		{"{server_name = ('a'):rep(256)}", "server_name has 1 to 255 bytes"},
		{"{server_name = 1}", "server_name is a string, not a number"},
		{"{alpn = 'h2'}", "alpn is a list, not a string"},
		{"{alpn = {''}}", "alpn is a list of strings of 1 to 255 bytes"},
		{"{alpn = {1}}", "alpn is a list of strings of 1 to 255 bytes"},
		{"{ciphers = many}", "does not fit into one record"},
		{"{ciphers = more}", "too many ciphers"},
	};
	lua_State *L = vm();

	run(L,
		"many, more = {}, {} for i = 0, 8150 do many[i + 1] = i end "
		"for i = 0, 9000 do more[i + 1] = i end");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char expression[256];

		snprintf(expression, sizeof(expression), "select(2, pcall(build, %s))",
			cases[i].options);
		const char *error = lab_eval(L, expression);
		cr_assert(strstr(error, cases[i].error), "%s: %s", cases[i].options, error);
	}
	lua_close(L);
}

/* No metamethod of a plugin's table is called. */
Test(tls_hello, tables_are_read_raw) {
	lua_State *L = vm();

	run(L, "hello = build(setmetatable({}, {__index = function() error('called') end}))");
	lua_close(L);
}

/* ---- Answers, by hand ---- */

struct message {
	uint8_t bytes[512];
	size_t n;
};

/* One record of @type with @body, in as many records as @piece makes of it. */
static void add_records(
	struct message *message, uint8_t type, const uint8_t *body, size_t n, size_t piece) {
	for (size_t at = 0; at < n; at += piece) {
		const size_t here = n - at < piece ? n - at : piece;
		const uint8_t header[] = {type, 3, 1, (uint8_t)(here >> 8), (uint8_t)here};

		memcpy(message->bytes + message->n, header, 5);
		memcpy(message->bytes + message->n + 5, body + at, here);
		message->n += 5 + here;
	}
}

/* A ServerHello with session id and the extensions given, in records of @piece bytes. */
static struct message server_hello(
	unsigned version, unsigned cipher, const char *extensions, size_t bytes, size_t piece) {
	struct message message = {};
	uint8_t body[256] = {2, 0, 0, 0, (uint8_t)(version >> 8), (uint8_t)version};
	size_t n = 6 + 32;

	body[n++] = 4;
	n += 4;
	body[n++] = (uint8_t)(cipher >> 8);
	body[n++] = (uint8_t)cipher;
	body[n++] = 1;
	if (bytes) {
		body[n++] = (uint8_t)(bytes >> 8);
		body[n++] = (uint8_t)bytes;
		memcpy(body + n, extensions, bytes);
		n += bytes;
	}
	body[3] = (uint8_t)(n - 4);
	add_records(&message, 22, body, n, piece);
	return message;
}

/* r, why = parse(bytes, options) */
static void parse(lua_State *L, const void *bytes, size_t n, const char *options) {
	lua_settop(L, 0);
	lua_pushlstring(L, bytes, n);
	lua_setglobal(L, "bytes");
	lua_pushfstring(L, "r, why = parse(bytes, %s)", options);
	run(L, lua_tostring(L, -1));
}

/* Every beginning of @message is not enough; the whole is. */
static void parse_message(lua_State *L, const struct message *message, const char *options) {
	for (size_t n = 0; n < message->n; n++) {
		parse(L, message->bytes, n, options);
		lab_expect(L, "r", "nil");
	}
	parse(L, message->bytes, message->n, options);
	lab_expect(L, "type(r)", "table");
}

/*
 * The server that OpenSSL no longer has: takes @cipher of SSL 3.0 where it is offered, as RFC 6101
 * section 5.6 has it, else sends the alert.
 */
static struct message old_server(lua_State *L, uint32_t cipher, size_t piece) {
	static const uint8_t refusal[] = {2, 40};
	struct message message = {};
	struct seen seen;
	size_t n;
	const char *bytes = global(L, "hello", &n);

	see(&seen, bytes, n);
	if (offers(&seen, cipher))
		return server_hello(0x0300, cipher, NULL, 0, piece);
	add_records(&message, 21, refusal, sizeof(refusal), 2);
	return message;
}

Test(tls_answer, ssl3_with_rc4) {
	static const size_t pieces[] = {1, 3, 4, 50, 512};
	lua_State *L = vm();

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		run(L, "hello = build{versions = 'SSLv3', ciphers = {'RC4', 'EXPORT'}}");
		const struct message yes = old_server(L, 0x0005, pieces[i]);
		parse_message(L, &yes, "{versions = 'SSLv3'}");
		lab_expect(L, "r.version", "SSLv3");
		lab_expect(L, "r.cipher", "TLS_RSA_WITH_RC4_128_SHA");
		lab_expect(L, "r.cipher_id", "5");
		lab_expect(L, "r.compression", "deflate");
		lab_expect(L, "#r.extensions", "0");
		lab_expect(L, "r.alert", "nil");
		lab_expect(L, "r.group", "nil");
		lab_expect(L, "r.hello_retry", "false");
		const struct message export = old_server(L, 0x0003, pieces[i]);
		parse_message(L, &export, "nil");
		lab_expect(L, "r.cipher", "TLS_RSA_EXPORT_WITH_RC4_40_MD5");
		const struct message no = old_server(L, 0x000a, pieces[i]);
		parse_message(L, &no, "nil");
		lab_expect(L, "r.alert.level", "fatal");
		lab_expect(L, "r.alert.description", "handshake_failure");
		lab_expect(L, "r.version", "nil");
	}
	lua_close(L);
}

Test(tls_answer, extensions) {
	static const char list[] = "\x00\x00\x00\x00"
				   "\x00\x10\x00\x05\x00\x03\x02h2"
				   "\xff\x01\x00\x01\x00";
	lua_State *L = vm();
	const struct message message = server_hello(0x0303, 0xc02f, list, sizeof(list) - 1, 7);

	parse_message(L, &message, "{}");
	lab_expect(L, "r.version", "TLSv1.2");
	lab_expect(L, "r.cipher", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
	lab_expect(L, "r.alpn", "h2");
	lab_expect(L, "table.concat(r.extensions, ' ')", "0 16 65281");
	const struct message unknown = server_hello(0x0303, 0xfefe, NULL, 0, 100);
	parse_message(L, &unknown, "{}");
	lab_expect(L, "r.cipher", "0xfefe");
	lua_close(L);
}

/* Warnings and HelloRequests may go ahead; numbers without a name are told. */
Test(tls_answer, what_goes_ahead) {
	static const uint8_t warning[] = {1, 112}, request[] = {0, 0, 0, 0}, strange[] = {9, 199},
			     goodbye[] = {1, 0};
	lua_State *L = vm();
	const struct message hello = server_hello(0x0301, 0x2f, NULL, 0, 100);
	struct message message = {};

	add_records(&message, 21, warning, 2, 2);
	add_records(&message, 22, request, 4, 3);
	memcpy(message.bytes + message.n, hello.bytes, hello.n);
	message.n += hello.n;
	parse_message(L, &message, "{}");
	lab_expect(L, "r.alert.level", "warning");
	lab_expect(L, "r.alert.description", "unrecognized_name");
	lab_expect(L, "r.version", "TLSv1.0");
	message.n = 0;
	add_records(&message, 21, strange, 2, 2);
	parse_message(L, &message, "{}");
	lab_expect(L, "r.alert.level", "9");
	lab_expect(L, "r.alert.description", "199");
	message.n = 0;
	add_records(&message, 21, goodbye, 2, 2);
	parse_message(L, &message, "{}");
	lab_expect(L, "r.alert.description", "close_notify");
	lua_close(L);
}

/* Server hello of SSL 2.0: no session hit, X.509, a certificate of 3 bytes, RC4, an id of 2 bytes. */
Test(tls_answer, ssl2) {
	const struct message message
		= {.bytes = {0x80, 19, 4, 0, 1, 0, 2, 0, 3, 0, 3, 0, 2, 1, 2, 3, 1, 0, 0x80, 7, 7},
			.n = 21};
	const struct message none = {.bytes = {0x80, 11, 4, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0}, .n = 13};
	lua_State *L = vm();

	parse_message(L, &message, "{versions = {'SSLv2'}}");
	lab_expect(L, "r.version", "SSLv2");
	lab_expect(L, "r.cipher", "SSL_CK_RC4_128_WITH_MD5");
	parse_message(L, &none, "{versions = {'SSLv2'}}");
	lab_expect(L, "r.version", "SSLv2");
	lab_expect(L, "r.cipher", "nil");
	/* Not asked for: no TLS. */
	parse(L, message.bytes, message.n, "{}");
	lab_expect(L, "r", "false");
	lua_close(L);
}

Test(tls_answer, what_is_no_tls) {
#define BYTES(text) text, sizeof(text) - 1
	static const struct {
		const char *bytes;
		size_t n;
		const char *why;
	} cases[] = {
		{BYTES("H"), "no TLS: first byte 0x48"},
		{BYTES("\x16\x02"), "no TLS: record version 0x02"},
		{BYTES("\x16\x03\x01\x48\x01"), "no TLS: record of 18433 bytes"},
		{BYTES("\x15\x03\x01\x00\x03"), "alert of 3 bytes"},
		{BYTES("\x15\x03\x01\x00\x00"), "alert of 0 bytes"},
		{BYTES("\x16\x03\x01\x00\x40\x0b"), "handshake message 11 in place of"},
		{BYTES("\x16\x03\x01\x00\x40\x02\x01\x01\x00"),
			"handshake message 2 of 65792 bytes"},
		{BYTES("\x16\x03\x01\x00\x40\x00\x00\x00\x01"), "handshake message 0 of 1 bytes"},
		{BYTES("\x16\x03\x01\x00\x06\x02\x00\x00\x02\x03\x03"), "of 2 bytes is too short"},
		{BYTES("\x17\x03\x03\x00\x01x"), "no TLS: first byte 0x17"},
	};
	static const char over[] = "\x00\x05\x00\x09x", group[] = "\x00\x33\x00\x01x",
			  version[] = "\x00\x2b\x00\x03xxx",
			  alpn[] = "\x00\x10\x00\x04\x00\x02\x02h";
	lua_State *L = vm();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		parse(L, cases[i].bytes, cases[i].n, "{}");
		lab_expect(L, "r", "false");
		const char *why = lab_eval(L, "why");
		cr_assert(strstr(why, cases[i].why), "%s, not %s", why, cases[i].why);
	}
	const struct message broken[] = {
		server_hello(0x0303, 1, over, 5, 100),
		server_hello(0x0303, 1, group, 5, 100),
		server_hello(0x0303, 1, version, 7, 100),
		server_hello(0x0303, 1, alpn, 8, 100),
		server_hello(0x0303, 1, "x", 1, 100),
		server_hello(0x1303, 1, NULL, 0, 100),
	};
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		parse(L, broken[i].bytes, broken[i].n, "{}");
		lab_expect(L, "r", "false");
		cr_assert(strstr(lab_eval(L, "why"), "ServerHello"));
	}
	lua_close(L);
}

/* ---- Rubbish ---- */

enum {
	MUTATIONS = 1000000,
};

/* An answer may only point into what it was given; each byte of it is touched. */
static unsigned touch(const struct tls_answer *answer) {
	const uint8_t *list = answer->extensions;
	size_t left = answer->extensions_bytes;
	struct tls_extension extension;
	unsigned sum = 0;

	for (unsigned i = 0; answer->alpn && i < answer->alpn_bytes; i++)
		sum += answer->alpn[i];
	while (tls_extension_next(&list, &left, &extension))
		for (unsigned i = 0; i < extension.bytes; i++)
			sum += extension.body[i];
	cr_assert(!left);
	return sum + answer->cipher;
}

/* Blocks as long as the bytes, so that a sanitizer (or valgrind) sees one byte too many. */
static enum tls_answer_state parse_exactly(const uint8_t *bytes, size_t n) {
	uint8_t *copy = malloc(n), *scratch = malloc(n);
	struct tls_answer answer;

	memcpy(copy, bytes, n);
	const enum tls_answer_state state = tls_answer_parse(copy, n, n & 1, scratch, &answer);
	if (state == TLS_ANSWER_DONE) {
		cr_assert(answer.has_hello || answer.has_alert);
		touch(&answer);
	} else if (state == TLS_ANSWER_OTHER) {
		cr_assert_neq(answer.why[0], '\0');
	}
	free(copy);
	free(scratch);
	return state;
}

Test(tls_answer, mutations) {
	static const char list[] = "\x00\x2b\x00\x02\x03\x04"
				   "\x00\x33\x00\x02\x00\x17"
				   "\x00\x10\x00\x05\x00\x03\x02h2";
	const struct message seeds[] = {
		server_hello(0x0303, 0x1301, list, sizeof(list) - 1, 400),
		server_hello(0x0303, 0x1301, list, sizeof(list) - 1, 17),
		server_hello(0x0303, 0x1301, list, sizeof(list) - 1, 2),
		{.bytes = {0x80, 19, 4, 0, 1, 0, 2, 0, 3, 0, 3, 0, 2, 1, 2, 3, 1, 0, 0x80, 7, 7},
			.n = 21},
		{.bytes = {21, 3, 1, 0, 2, 2, 40}, .n = 7},
	};
	unsigned states[3] = {};

	srandom(2);
	for (unsigned i = 0; i < MUTATIONS; i++) {
		struct message message = seeds[i % (sizeof(seeds) / sizeof(seeds[0]))];

		for (long k = random() % 4; k >= 0; k--)
			message.bytes[(size_t)random() % message.n] = (uint8_t)random();
		if (random() % 2)
			message.n = (size_t)random() % (message.n + 1);
		states[parse_exactly(message.bytes, message.n)]++;
	}
	for (unsigned i = 0; i < 3; i++)
		cr_assert_gt(states[i], MUTATIONS / 100);
}

/* ---- Real servers ---- */

/* Send hello = build(@options) to a server that was started; r, why is its answer. */
static void probe(lua_State *L, const char *options) {
	char reply[8192];
	size_t n, got = 0;

	lua_settop(L, 0);
	lua_pushfstring(L, "hello = build(%s)", options);
	run(L, lua_tostring(L, -1));
	const char *hello = global(L, "hello", &n);
	const int fd = lab_connect();
	cr_assert_eq(send(fd, hello, n, 0), (ssize_t)n);
	do {
		const ssize_t more = recv(fd, reply + got, sizeof(reply) - got, 0);

		cr_assert_gt(more, 0, "the server closed after %zu bytes", got);
		got += (size_t)more;
		parse(L, reply, got, options);
	} while (!strcmp(lab_eval(L, "r"), "nil"));
	close(fd);
	lab_expect(L, "why", "nil");
}

static lua_State *start(const char *options, pid_t *server) {
	lab_certificate("s", "-newkey rsa:2048 -subj /CN=x -days 30");
	*server = lab_server(options);
	return vm();
}

Test(tls_probe, tls13) {
	pid_t server;
	lua_State *L = start("-cert s.pem -key s.key -www", &server);

	probe(L, "{server_name = 'lab.example'}");
	lab_expect(L, "r.version", "TLSv1.3");
	lab_expect(L, "r.cipher", "TLS_AES_128_GCM_SHA256");
	lab_expect(L, "r.group", "x25519");
	lab_expect(L, "r.hello_retry", "false");
	lab_expect(L, "r.compression", "null");
	lab_expect(L, "r.alert", "nil");
	probe(L, "{ciphers = 'TLS_AES_256_GCM_SHA384'}");
	lab_expect(L, "r.cipher", "TLS_AES_256_GCM_SHA384");
	probe(L, "{versions = 'TLSv1.2', ciphers = {'AES128-SHA256'}}");
	lab_expect(L, "r.version", "TLSv1.2");
	lab_expect(L, "r.cipher", "TLS_RSA_WITH_AES_128_CBC_SHA256");
	probe(L, "{versions = 'SSLv3'}");
	lab_expect(L, "r.alert.level", "fatal");
	lab_expect(L, "r.version", "nil");
	probe(L, "{versions = 'TLSv1.2', ciphers = {'RC4', '3DES', 'EXPORT'}}");
	lab_expect(L, "r.alert.description", "handshake_failure");
	lab_stop(server);
	lua_close(L);
}

/* Our point of P-256 is taken; for another group the server asks for a new hello. */
Test(tls_probe, tls13_groups) {
	pid_t server;
	lua_State *L = start("-cert s.pem -key s.key -www -groups P-256", &server);

	probe(L, "{versions = 'TLSv1.3'}");
	lab_expect(L, "r.hello_retry", "false");
	lab_expect(L, "r.group", "secp256r1");
	lab_stop(server);
	server = lab_server("-cert s.pem -key s.key -www -groups P-384");
	probe(L, "{versions = 'TLSv1.3', ciphers = {'TLS_CHACHA20_POLY1305_SHA256'}}");
	lab_expect(L, "r.hello_retry", "true");
	lab_expect(L, "r.group", "secp384r1");
	lab_expect(L, "r.version", "TLSv1.3");
	lab_expect(L, "r.cipher", "TLS_CHACHA20_POLY1305_SHA256");
	lab_stop(server);
	lua_close(L);
}

Test(tls_probe, alpn_and_extensions) {
	static const char ids[] = "(' ' .. table.concat(r.extensions, ' ') .. ' '):match('%s')";
	pid_t server;
	lua_State *L = start("-cert s.pem -key s.key -www -tls1_2 -alpn http/1.1", &server);
	char expression[128];

	probe(L, "{alpn = {'h2', 'http/1.1'}}");
	lab_expect(L, "r.version", "TLSv1.2");
	lab_expect(L, "r.alpn", "http/1.1");
	snprintf(expression, sizeof(expression), ids, " 16 ");
	lab_expect(L, expression, " 16 ");
	snprintf(expression, sizeof(expression), ids, " 65281 ");
	lab_expect(L, expression, " 65281 ");
	probe(L, "{versions = 'TLSv1.3'}");
	lab_expect(L, "r.alert.description", "protocol_version");
	lab_stop(server);
	lua_close(L);
}

Test(tls_probe, old_protocols) {
	static const struct {
		const char *option, *version;
	} cases[] = {{"-tls1", "TLSv1.0"}, {"-tls1_1", "TLSv1.1"}, {"-tls1_2", "TLSv1.2"}};

	for (size_t i = 0; i < 3; i++) {
		char options[128];
		pid_t server;

		snprintf(options, sizeof(options),
			"-cert s.pem -key s.key -www %s -cipher ALL:@SECLEVEL=0", cases[i].option);
		lua_State *L = start(options, &server);
		probe(L, "{}");
		lab_expect(L, "r.version", cases[i].version);
		probe(L, "{versions = {'TLSv1.0', 'TLSv1.1', 'TLSv1.2'}, ciphers = 'AES256-SHA'}");
		lab_expect(L, "r.version", cases[i].version);
		lab_expect(L, "r.cipher", "TLS_RSA_WITH_AES_256_CBC_SHA");
		/* In the format of SSL 2.0, which OpenSSL still reads. */
		probe(L,
			"{versions = {'SSLv2', 'TLSv1.0', 'TLSv1.1', 'TLSv1.2'}, "
			"ciphers = {0x10080, 'AES128-SHA'}}");
		lab_expect(L, "r.version", cases[i].version);
		lab_expect(L, "r.cipher", "TLS_RSA_WITH_AES_128_CBC_SHA");
		lab_stop(server);
		lua_close(L);
	}
}

Test(tls_probe, anonymous_and_null) {
	pid_t server;
	lua_State *L = start("-nocert -www -tls1_2 -cipher ADH:@SECLEVEL=0", &server);

	probe(L, "{ciphers = 'anon'}");
	lab_expect(L, "r.cipher:match('^TLS_DH_anon_')", "TLS_DH_anon_");
	lab_stop(server);
	server = lab_server("-cert s.pem -key s.key -www -tls1_2 -cipher eNULL:@SECLEVEL=0");
	probe(L, "{ciphers = 'NULL'}");
	lab_expect(L, "r.cipher:match('_WITH_NULL_')", "_WITH_NULL_");
	probe(L, "{ciphers = 'AES'}");
	lab_expect(L, "r.alert.description", "handshake_failure");
	lab_stop(server);
	lua_close(L);
}
