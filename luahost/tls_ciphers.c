/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names of cipher suites, sets of them, and named groups. What a suite is made of follows from its
 * name: IANA's names are regular.
 *
 * Constant tables and pure functions; owns nothing. OpenSSL is only asked for its names.
 */
#include "tls_hello.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const struct tls_suite tls_suites[] = {
#define SUITE(id, name, openssl) {id, name, openssl},
#include "tls_ciphers.inc"
#undef SUITE
};

const unsigned tls_nb_suites = sizeof(tls_suites) / sizeof(tls_suites[0]);

static int compare_id(const void *key, const void *element) {
	const uint32_t id = *(const uint32_t *)key;
	const struct tls_suite *suite = element;

	return (id > suite->id) - (id < suite->id);
}

const struct tls_suite *tls_suite_by_id(uint32_t id) {
	return bsearch(&id, tls_suites, tls_nb_suites, sizeof(tls_suites[0]), compare_id);
}

static bool is_called(const struct tls_suite *suite, const char *name) {
	if (!strcmp(suite->name, name))
		return true;
	return suite->openssl ? !strcmp(suite->openssl, name)
			      : !strcmp(OPENSSL_cipher_name(suite->name), name);
}

const struct tls_suite *tls_suite_by_name(const char *name) {
	/* What OpenSSL answers for suites that it does not know. */
	if (!strcmp(name, "(NONE)"))
		return NULL;
	for (unsigned i = 0; i < tls_nb_suites; i++)
		if (is_called(&tls_suites[i], name))
			return &tls_suites[i];
	return NULL;
}

/* ---- Properties ---- */

static bool has(const struct tls_suite *suite, const char *const *fragments) {
	for (; *fragments; fragments++)
		if (strstr(suite->name, *fragments))
			return true;
	return false;
}

uint16_t tls_suite_from(const struct tls_suite *suite) {
	static const char *const tls13[]
		= {"_MGM_", "TLS_AES", "TLS_CHACHA", "TLS_SM4", "TLS_SHA", NULL};
	static const char *const tls12[]
		= {"_GCM_", "_CCM", "_POLY1305", "_SHA256", "_SHA384", "_OMAC", "_IMIT", NULL};

	static const char *const any[] = {"_CBC_", "_NULL_", NULL};

	if (suite->id > UINT16_MAX)
		return SSL2_VERSION_NUMBER;
	if (has(suite, tls13))
		return TLS13_VERSION_NUMBER;
	/* RFC 5487 section 3 and RFC 5489 section 2: with a shared key they go with older ones, too. */
	if (!has(suite, tls12) || (strstr(suite->name, "PSK_") && has(suite, any)))
		return SSL3_VERSION_NUMBER;
	return TLS12_VERSION_NUMBER;
}

unsigned tls_suite_rank(const struct tls_suite *suite) {
	static const char *const weak[] = {"EXPORT", "_NULL_", "_anon_", "RC4", "_DES", "3DES",
		"RC2", "IDEA", "_MD5", "TLS_SHA", NULL};
	static const char *const tls13[] = {"TLS_AES", "TLS_CHACHA", NULL};
	static const char *const forward[] = {"ECDHE_RSA", "ECDHE_ECDSA", "DHE_RSA", NULL};

	if (has(suite, weak))
		return 3;
	if (has(suite, tls13))
		return 0;
	return has(suite, forward) ? 1 : 2;
}

/* ---- Classes ---- */

static const struct {
	const char *name;
	const char *fragments[3]; /* of the names of its suites, with a NULL behind */
} classes[] = {
	{"ALL", {"_"}},
	{"EXPORT", {"EXPORT"}},
	{"NULL", {"_NULL_", "TLS_SHA"}},
	{"anon", {"_anon_"}},
	{"RC4", {"RC4"}},
	{"RC2", {"RC2"}},
	{"DES", {"_DES_CBC", "_DES40", "_DES_64"}},
	{"3DES", {"3DES", "_DES_192_EDE3"}},
	{"IDEA", {"IDEA"}},
	{"SEED", {"SEED"}},
	{"AES", {"_AES_"}},
	{"CAMELLIA", {"CAMELLIA"}},
	{"ARIA", {"ARIA"}},
	{"SM4", {"SM4"}},
	{"GOST", {"GOST"}},
	{"CHACHA20", {"CHACHA20"}},
	{"CBC", {"_CBC"}},
	{"GCM", {"_GCM_"}},
	{"CCM", {"_CCM"}},
	{"MD5", {"_MD5"}},
	{"PSK", {"PSK"}},
	{"SRP", {"_SRP_"}},
	{"KRB5", {"KRB5"}},
	{"DHE", {"TLS_DHE_"}},
	{"ECDHE", {"TLS_ECDHE_"}},
};

int tls_class_by_name(const char *name) {
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (!strcasecmp(classes[i].name, name))
			return (int)i;
	return -1;
}

/* Suites that are signals, or stand for none, are in no class. */
static bool is_suite(const struct tls_suite *suite) {
	return suite->id && suite->id != TLS_RENEGOTIATION_SCSV && suite->id != TLS_FALLBACK_SCSV;
}

bool tls_class_has(int class, const struct tls_suite *suite) {
	for (size_t i = 0; i < 3; i++)
		if (classes[class].fragments[i] && is_suite(suite)
			&& strstr(suite->name, classes[class].fragments[i]))
			return true;
	return false;
}

/* ---- Groups ---- */

/* RFC 4492 section 5.1.1, RFC 7027, RFC 7919, RFC 8422, RFC 8446 section 4.2.7, RFC 8734. */
static const struct {
	uint16_t id;
	const char *name;
} groups[] = {
	{1, "sect163k1"},
	{2, "sect163r1"},
	{3, "sect163r2"},
	{4, "sect193r1"},
	{5, "sect193r2"},
	{6, "sect233k1"},
	{7, "sect233r1"},
	{8, "sect239k1"},
	{9, "sect283k1"},
	{10, "sect283r1"},
	{11, "sect409k1"},
	{12, "sect409r1"},
	{13, "sect571k1"},
	{14, "sect571r1"},
	{15, "secp160k1"},
	{16, "secp160r1"},
	{17, "secp160r2"},
	{18, "secp192k1"},
	{19, "secp192r1"},
	{20, "secp224k1"},
	{21, "secp224r1"},
	{22, "secp256k1"},
	{23, "secp256r1"},
	{24, "secp384r1"},
	{25, "secp521r1"},
	{26, "brainpoolP256r1"},
	{27, "brainpoolP384r1"},
	{28, "brainpoolP512r1"},
	{29, "x25519"},
	{30, "x448"},
	{31, "brainpoolP256r1tls13"},
	{32, "brainpoolP384r1tls13"},
	{33, "brainpoolP512r1tls13"},
	{256, "ffdhe2048"},
	{257, "ffdhe3072"},
	{258, "ffdhe4096"},
	{259, "ffdhe6144"},
	{260, "ffdhe8192"},
};

const char *tls_group_name(uint16_t id) {
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (groups[i].id == id)
			return groups[i].name;
	return NULL;
}
