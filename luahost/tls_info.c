/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a handshake told about the peer, as a Lua table.
 *
 * Runs in a lane, within Lua's protection: any push may raise, and skips all that follows. So nothing
 * that OpenSSL allocated is held over one; text is gathered in the context's scratch buffer.
 * Dates are taken apart here: gmtime() and timegm() of the C library open /etc/localtime.
 */
#include "sandbox.h"
#include "tls_state.h"

#include <lauxlib.h>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

/* Where the fields go: the table on the top of L's stack. */
struct info {
	lua_State *L;
	BIO *scratch;
};

/* ---- Fields ---- */

static void set_string(const struct info *info, const char *key, const char *text) {
	if (!text)
		return;
	lua_pushstring(info->L, text);
	lua_setfield(info->L, -2, key);
}

static void set_number(const struct info *info, const char *key, double number) {
	lua_pushnumber(info->L, number);
	lua_setfield(info->L, -2, key);
}

static void set_boolean(const struct info *info, const char *key, bool value) {
	lua_pushboolean(info->L, value);
	lua_setfield(info->L, -2, key);
}

/* The scratch buffer's text, which is left in it. */
static size_t scratch_text(const struct info *info, const char **text) {
	char *data = NULL;
	const long bytes = BIO_get_mem_data(info->scratch, &data);

	*text = data ? data : "";
	return bytes > 0 ? (size_t)bytes : 0;
}

static void set_scratch(const struct info *info, const char *key) {
	const char *text;
	const size_t bytes = scratch_text(info, &text);

	lua_pushlstring(info->L, text, bytes);
	lua_setfield(info->L, -2, key);
}

/* ---- Text out of certificates ---- */

typedef int print_fn(BIO *out, const void *object, unsigned long flags);

static int print_name(BIO *out, const void *object, unsigned long flags) {
	return X509_NAME_print_ex(out, object, 0,
		XN_FLAG_SEP_CPLUS_SPC | XN_FLAG_FN_SN | ASN1_STRFLGS_ESC_2253 | flags);
}

static int print_string(BIO *out, const void *object, unsigned long flags) {
	return ASN1_STRING_print_ex(out, object, flags);
}

/*
 * As UTF-8; where the string does not keep to its own type, with \XX for all that is not ASCII; where
 * not even that goes, as #DER. NUL and control characters are \XX each time.
 */
static void set_text(
	const struct info *info, const char *key, print_fn *print, const void *object) {
	static const unsigned long ways[] = {
		ASN1_STRFLGS_ESC_CTRL | ASN1_STRFLGS_UTF8_CONVERT,
		ASN1_STRFLGS_ESC_CTRL | ASN1_STRFLGS_ESC_MSB,
		ASN1_STRFLGS_DUMP_ALL | ASN1_STRFLGS_DUMP_DER,
	};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		const char *text;

		BIO_reset(info->scratch);
		if (print(info->scratch, object, ways[i]) < 0)
			continue;
		const size_t bytes = scratch_text(info, &text);
		if (utf8_valid(text, bytes) != bytes)
			continue;
		set_scratch(info, key);
		return;
	}
}

static void set_common_name(const struct info *info, const char *key, const X509_NAME *name) {
	int last = -1;

	/* The last is the most specific one. */
	for (int at; (at = X509_NAME_get_index_by_NID(name, NID_commonName, last)) >= 0;)
		last = at;
	if (last >= 0)
		set_text(info, key, print_string,
			X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last)));
}

static void write_hex(BIO *out, const uint8_t *bytes, size_t n) {
	for (size_t i = 0; i < n; i++)
		BIO_printf(out, "%02x", bytes[i]);
}

/* ---- Names ---- */

static void write_address(BIO *out, const ASN1_OCTET_STRING *address) {
	const uint8_t *bytes = ASN1_STRING_get0_data(address);
	const int n = ASN1_STRING_length(address);
	char text[INET6_ADDRSTRLEN];

	if (n == 4 || n == 16)
		BIO_puts(out, inet_ntop(n == 4 ? AF_INET : AF_INET6, bytes, text, sizeof(text)));
	else
		ASN1_STRING_print_ex(out, address, ASN1_STRFLGS_DUMP_ALL);
}

/* One a line: a newline within a name comes out as \0A. */
static void write_names(BIO *out, const GENERAL_NAMES *names) {
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS)
			ASN1_STRING_print_ex(
				out, name->d.dNSName, ASN1_STRFLGS_ESC_CTRL | ASN1_STRFLGS_ESC_MSB);
		else if (name->type == GEN_IPADD)
			write_address(out, name->d.iPAddress);
		else
			continue;
		BIO_puts(out, "\n");
	}
}

static void set_names(const struct info *info, X509 *cert) {
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	const char *text;

	BIO_reset(info->scratch);
	write_names(info->scratch, names);
	GENERAL_NAMES_free(names);
	size_t left = scratch_text(info, &text);
	lua_newtable(info->L);
	for (int i = 1; left; i++) {
		const char *end = memchr(text, '\n', left);
		const size_t n = end ? (size_t)(end - text) : left;

		lua_pushlstring(info->L, text, n);
		lua_rawseti(info->L, -2, i);
		text += n + (end != NULL);
		left -= n + (end != NULL);
	}
	lua_setfield(info->L, -2, "names");
}

/* ---- Dates ---- */

/* Days from 1970-01-01 to a date of the Gregorian calendar, for years from 0 on. */
static int64_t days_to(int year, int month, int day) {
	/* Years that begin in March, so that the leap day comes last; 400 more keep them positive. */
	const int64_t y = year + 399 + (month > 2);
	const int64_t m = (month + 9) % 12;

	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468 - 146097;
}

static void set_date(
	const struct info *info, const char *key, const char *text_key, const ASN1_TIME *date) {
	struct tm tm;
	char text[64];

	if (!date || !ASN1_TIME_to_tm(date, &tm))
		return;
	set_number(info, key,
		(double)(days_to(tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday) * 86400
			+ tm.tm_hour * 3600 + tm.tm_min * 60 + tm.tm_sec));
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
		tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	set_string(info, text_key, text);
}

/* ---- Keys and signatures ---- */

static const struct {
	int id;
	const char *name;
} key_types[] = {
	{EVP_PKEY_RSA, "rsa"},
	{EVP_PKEY_RSA_PSS, "rsa-pss"},
	{EVP_PKEY_EC, "ec"},
	{EVP_PKEY_SM2, "sm2"},
	{EVP_PKEY_DSA, "dsa"},
	{EVP_PKEY_DH, "dh"},
	{EVP_PKEY_DHX, "dh"},
	{EVP_PKEY_ED25519, "ed25519"},
	{EVP_PKEY_ED448, "ed448"},
	{EVP_PKEY_X25519, "x25519"},
	{EVP_PKEY_X448, "x448"},
};

/* What TLS calls the curves that X9.62 has other names for (RFC 8422 appendix A). */
static const char *curve_name(const char *name) {
	if (!strcmp(name, "prime256v1"))
		return "secp256r1";
	return strcmp(name, "prime192v1") ? name : "secp192r1";
}

/* The name of an algorithm, or its dotted number. */
static void set_object(const struct info *info, const char *key, const ASN1_OBJECT *object) {
	char text[256];

	if (object && OBJ_obj2txt(text, sizeof(text), object, 0) > 0)
		set_string(info, key, text);
}

/* A key that OpenSSL cannot read has a type all the same: what its algorithm is called. */
static void set_unknown_key(const struct info *info, X509 *cert) {
	ASN1_OBJECT *algorithm = NULL;

	if (X509_PUBKEY_get0_param(&algorithm, NULL, NULL, NULL, X509_get_X509_PUBKEY(cert)))
		set_object(info, "key_type", algorithm);
}

static void set_key(const struct info *info, X509 *cert) {
	const EVP_PKEY *key = X509_get0_pubkey(cert);
	const char *type = NULL;
	char curve[64];
	size_t length;

	if (!key) {
		set_unknown_key(info, cert);
		return;
	}
	for (size_t i = 0; i < sizeof(key_types) / sizeof(key_types[0]); i++)
		if (EVP_PKEY_get_base_id(key) == key_types[i].id)
			type = key_types[i].name;
	if (type)
		set_string(info, "key_type", type);
	else
		set_unknown_key(info, cert);
	set_number(info, "key_bits", EVP_PKEY_get_bits(key));
	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC
		&& EVP_PKEY_get_group_name(key, curve, sizeof(curve), &length) > 0)
		set_string(info, "curve", curve_name(curve));
}

static void set_signature(const struct info *info, const X509 *cert) {
	const X509_ALGOR *algorithm = NULL;
	const ASN1_OBJECT *object = NULL;

	X509_get0_signature(NULL, &algorithm, cert);
	if (algorithm)
		X509_ALGOR_get0(&object, NULL, NULL, algorithm);
	set_object(info, "signature", object);
}

/* ---- Certificates ---- */

static void set_fingerprint(
	const struct info *info, const char *key, const X509 *cert, const EVP_MD *digest) {
	uint8_t bytes[EVP_MAX_MD_SIZE];
	unsigned n;

	if (!X509_digest(cert, digest, bytes, &n))
		return;
	BIO_reset(info->scratch);
	write_hex(info->scratch, bytes, n);
	set_scratch(info, key);
}

static void set_serial(const struct info *info, const X509 *cert) {
	const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);

	BIO_reset(info->scratch);
	if (ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER)
		BIO_puts(info->scratch, "-");
	write_hex(info->scratch, ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial));
	set_scratch(info, "serial");
}

static void set_der(const struct info *info, X509 *cert) {
	const int n = i2d_X509(cert, NULL);

	if (n <= 0)
		return;
	uint8_t *bytes = lua_newuserdata(info->L, (size_t)n);
	uint8_t *end = bytes;
	i2d_X509(cert, &end);
	lua_pushlstring(info->L, (const char *)bytes, (size_t)n);
	lua_setfield(info->L, -3, "der");
	lua_pop(info->L, 1);
}

static void push_certificate(const struct info *info, X509 *cert) {
	lua_newtable(info->L);
	set_text(info, "subject", print_name, X509_get_subject_name(cert));
	set_text(info, "issuer", print_name, X509_get_issuer_name(cert));
	set_common_name(info, "common_name", X509_get_subject_name(cert));
	set_common_name(info, "issuer_common_name", X509_get_issuer_name(cert));
	set_names(info, cert);
	set_date(info, "not_before", "not_before_text", X509_get0_notBefore(cert));
	set_date(info, "not_after", "not_after_text", X509_get0_notAfter(cert));
	set_serial(info, cert);
	set_number(info, "version", (double)X509_get_version(cert) + 1);
	set_key(info, cert);
	set_signature(info, cert);
	set_fingerprint(info, "sha1", cert, EVP_sha1());
	set_fingerprint(info, "sha256", cert, EVP_sha256());
	set_boolean(info, "self_signed", X509_self_signed(cert, 1) == 1);
	set_boolean(info, "ca", X509_check_ca(cert) == 1);
	set_der(info, cert);
	ERR_clear_error();
}

/* Fill `chain`, and `certificate` where there is one. */
static void set_chain(const struct info *info, const STACK_OF(X509) * chain) {
	lua_newtable(info->L);
	for (int i = 0; i < sk_X509_num(chain); i++) {
		push_certificate(info, sk_X509_value(chain, i));
		lua_rawseti(info->L, -2, i + 1);
	}
	lua_rawgeti(info->L, -1, 1);
	lua_setfield(info->L, -3, "certificate");
	lua_setfield(info->L, -2, "chain");
}

/* ---- The connection ---- */

static const char *protocol_name(int version) {
	static const char *const names[] = {"SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"};
	const unsigned minor = (unsigned)version - SSL3_VERSION;

	return minor < sizeof(names) / sizeof(names[0]) ? names[minor] : NULL;
}

static void set_alpn(const struct info *info, const SSL *ssl) {
	const uint8_t *name;
	unsigned n;

	SSL_get0_alpn_selected(ssl, &name, &n);
	if (!n || utf8_valid((const char *)name, n) != n)
		return;
	lua_pushlstring(info->L, (const char *)name, n);
	lua_setfield(info->L, -2, "alpn");
}

/* "x25519"; for Diffie-Hellman over numbers "ffdhe2048", or "dh1024" where it is a group of its own. */
static void set_group(const struct info *info, SSL *ssl) {
	EVP_PKEY *key = NULL;
	char text[64] = "";
	size_t length;

	if (!SSL_get_peer_tmp_key(ssl, &key))
		return;
	const int type = EVP_PKEY_get_base_id(key), bits = EVP_PKEY_get_bits(key);
	const bool named = EVP_PKEY_get_group_name(key, text, sizeof(text), &length) > 0;
	EVP_PKEY_free(key);
	if (type == EVP_PKEY_X25519 || type == EVP_PKEY_X448)
		set_string(info, "group", type == EVP_PKEY_X25519 ? "x25519" : "x448");
	else if (named)
		set_string(info, "group", curve_name(text));
	else if (type == EVP_PKEY_DH || type == EVP_PKEY_DHX) {
		snprintf(text, sizeof(text), "dh%d", bits);
		set_string(info, "group", text);
	}
}

void tls_push_info(lua_State *L, const struct tls *tls) {
	const struct info info = {.L = L, .scratch = tls->context->scratch};
	const SSL_CIPHER *cipher = SSL_get_current_cipher(tls->ssl);

	luaL_checkstack(L, 8, "no room for TLS information");
	lua_newtable(L);
	if (cipher) {
		set_string(&info, "protocol", protocol_name(SSL_version(tls->ssl)));
		set_string(&info, "cipher", SSL_CIPHER_standard_name(cipher));
		set_number(&info, "cipher_bits", SSL_CIPHER_get_bits(cipher, NULL));
		set_group(&info, tls->ssl);
	}
	set_alpn(&info, tls->ssl);
	set_string(&info, "server_name", SSL_get_servername(tls->ssl, TLSEXT_NAMETYPE_host_name));
	set_chain(&info, SSL_get_peer_cert_chain(tls->ssl));
	ERR_clear_error();
}
