/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TLS between byte strings: OpenSSL at one end of a BIO pair, the caller at the other.
 *
 * Runs in a lane after it was locked: nothing here, nor in OpenSSL as it is set up here, opens a
 * file or asks for anything but memory, random bytes (getrandom) and its process id. A struct tls
 * owns its SSL and both ends of the pair: 29 KiB at first, of which the pair's 20 are touched only as
 * far as they are used; 62 KiB during the handshake, 39 to 56 KiB after it.
 */
#include "tls_state.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/tls1.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* Outgoing bytes wait here. A lane has thousands of them, and a record need not fit into one. */
	OUT_BYTES = 4096,
	/*
	 * What records add to the data in them (RFC 5246 section 6.2.3: header, IV, MAC, padding;
	 * twice, as an empty one goes ahead of CBC in TLS 1.0), and room for an alert after them.
	 */
	RECORD_RESERVE = 512,
	LONGEST_ALPN = 65535 - 2, /* RFC 7301 section 3.1 */
};

/* ---- Context ---- */

/* Weak keys and old algorithms are findings, not errors. */
static int allow_all(
	const SSL *ssl, const SSL_CTX *ctx, int op, int bits, int nid, void *other, void *ex) {
	return 1;
}

/* Nothing is verified: no chain is built, no signature but the handshake's own is checked. */
static int accept_all(X509_STORE_CTX *store, void *arg) {
	return 1;
}

static bool configure(SSL_CTX *ctx) {
	/* SSL_OP_NO_TICKET: sessions are never resumed, so that tickets would only take memory. */
	SSL_CTX_set_options(ctx,
		SSL_OP_ALL | SSL_OP_LEGACY_SERVER_CONNECT | SSL_OP_NO_TICKET
			| SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx,
		SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE
			| SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, accept_all, NULL);
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_security_callback(ctx, allow_all);
	return SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION)
		&& SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION)
		&& SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0");
}

int tls_context_create(struct tls_context **context) {
	/* The first call of a process decides: no openssl.cnf, nothing to do at exit. */
	const uint64_t init = OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_ATEXIT
		| OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS;
	struct tls_context *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	if (!OPENSSL_init_ssl(init, NULL))
		goto destroy;
	c->ctx = SSL_CTX_new(TLS_client_method());
	c->scratch = BIO_new(BIO_s_mem());
	if (!c->ctx || !c->scratch || !configure(c->ctx))
		goto destroy;
	*context = c;
	return 0;

destroy:
	tls_context_destroy(c);
	ERR_clear_error();
	return -ENOMEM;
}

void tls_context_destroy(struct tls_context *context) {
	if (!context)
		return;
	SSL_CTX_free(context->ctx);
	BIO_free(context->scratch);
	free(context);
}

/* ---- Options ---- */

static bool version_valid(int version) {
	return !version || (version >= TLS1_VERSION && version <= TLS1_3_VERSION);
}

static int set_versions(SSL *ssl, int min, int max) {
	if (!version_valid(min) || !version_valid(max) || (min && max && min > max))
		return -EINVAL;
	if (min && !SSL_set_min_proto_version(ssl, min))
		return -EINVAL;
	return max && !SSL_set_max_proto_version(ssl, max) ? -EINVAL : 0;
}

static int set_server_name(SSL *ssl, const char *name) {
	if (!name)
		return 0;
	if (!*name || strlen(name) > TLSEXT_MAXLEN_host_name)
		return -EINVAL;
	return SSL_set_tlsext_host_name(ssl, name) ? 0 : -ENOMEM;
}

/* The length of @names on the wire, each behind one byte with its length; 0: cannot be. */
static size_t alpn_bytes(const char *const *names, unsigned nb) {
	size_t total = 0;

	for (unsigned i = 0; i < nb; i++) {
		const size_t n = strlen(names[i]);

		if (!n || n > UINT8_MAX)
			return 0;
		total += 1 + n;
	}
	return total <= LONGEST_ALPN ? total : 0;
}

static int set_alpn(SSL *ssl, const char *const *names, unsigned nb) {
	if (!names || !nb)
		return 0;

	const size_t bytes = alpn_bytes(names, nb);
	if (!bytes)
		return -EINVAL;
	uint8_t *wire = malloc(bytes);
	if (!wire)
		return -ENOMEM;
	uint8_t *at = wire;
	for (unsigned i = 0; i < nb; i++) {
		const size_t n = strlen(names[i]);

		*at++ = (uint8_t)n;
		at = mempcpy(at, names[i], n);
	}
	const int rc = SSL_set_alpn_protos(ssl, wire, (unsigned)bytes) ? -ENOMEM : 0;
	free(wire);
	return rc;
}

static int apply(SSL *ssl, const struct tls_options *options) {
	int rc = set_versions(ssl, options->min_version, options->max_version);

	if (!rc)
		rc = set_server_name(ssl, options->server_name);
	if (!rc)
		rc = set_alpn(ssl, options->alpn, options->nb_alpn);
	if (!rc && options->ciphers && !SSL_set_cipher_list(ssl, options->ciphers))
		rc = -EINVAL;
	return rc;
}

/* ---- Connection ---- */

static int connect_pair(struct tls *tls) {
	BIO *inner;

	tls->ssl = SSL_new(tls->context->ctx);
	if (!tls->ssl || !BIO_new_bio_pair(&inner, OUT_BYTES, &tls->network, TLS_FEED_BYTES))
		return -ENOMEM;
	SSL_set_bio(tls->ssl, inner, inner);
	SSL_set_connect_state(tls->ssl);
	return 0;
}

int tls_create(const struct tls_options *options, struct tls **tls) {
	struct tls *t = calloc(1, sizeof(*t));
	int rc = 0;

	if (!t)
		return -ENOMEM;
	t->error = "";
	t->context = options->context;
	t->owns_context = !options->context;
	if (t->owns_context)
		rc = tls_context_create(&t->context);
	if (!rc)
		rc = connect_pair(t);
	if (!rc)
		rc = apply(t->ssl, options);
	if (rc)
		goto destroy;
	*tls = t;
	return 0;

destroy:
	ERR_clear_error();
	tls_destroy(t);
	return rc;
}

void tls_destroy(struct tls *tls) {
	if (!tls)
		return;
	SSL_free(tls->ssl);
	BIO_free(tls->network);
	if (tls->owns_context)
		tls_context_destroy(tls->context);
	free(tls);
}

size_t tls_feed(struct tls *tls, const void *bytes, size_t n) {
	const int taken = BIO_write(tls->network, bytes, n < INT_MAX ? (int)n : INT_MAX);

	ERR_clear_error(); /* after tls_feed_end() */
	return taken > 0 ? (size_t)taken : 0;
}

void tls_feed_end(struct tls *tls) {
	BIO_shutdown_wr(tls->network);
}

size_t tls_take(struct tls *tls, void *bytes, size_t room) {
	const int taken = BIO_read(tls->network, bytes, room < INT_MAX ? (int)room : INT_MAX);

	return taken > 0 ? (size_t)taken : 0;
}

/* ---- What became of a call ---- */

/*
 * Of several errors the SSL layer's own says most ("wrong version number"); where it only passes on
 * what another layer found, that one's is the first.
 */
static const char *reason(void) {
	static const char *const prefixes[] = {"sslv3 ", "tlsv1 ", "tlsv13 "};
	const unsigned long first = ERR_peek_error();
	unsigned long code, best = first;

	while ((code = ERR_get_error()))
		if (ERR_GET_LIB(code) == ERR_LIB_SSL
			&& !(ERR_GET_RFLAGS(code) & ERR_RFLAG_COMMON)) {
			best = code;
			break;
		}
	ERR_clear_error();
	const char *text = best ? ERR_reason_error_string(best) : NULL;
	if (!text)
		return "TLS failed";
	/* "sslv3 alert handshake failure" is what a TLS 1.2 server sends as well. */
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (!strncmp(text, prefixes[i], strlen(prefixes[i])) && strstr(text, "alert "))
			return text + strlen(prefixes[i]);
	return text;
}

static enum tls_result fail(struct tls *tls) {
	tls->error = reason();
	return tls->end = TLS_FAILED;
}

static enum tls_result closed(struct tls *tls) {
	if (!tls->done)
		tls->error = "connection closed during the handshake";
	return tls->end = TLS_CLOSED;
}

static enum tls_result outcome(struct tls *tls, int rc) {
	switch (SSL_get_error(tls->ssl, rc)) {
	case SSL_ERROR_NONE:
		return TLS_OK;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_WANT_READ:
		return BIO_pending(tls->network) ? TLS_WANT_WRITE : TLS_WANT_READ;
	case SSL_ERROR_ZERO_RETURN:
		return closed(tls);
	default:
		return fail(tls);
	}
}

/* ---- Moving on ---- */

enum tls_result tls_handshake(struct tls *tls) {
	if (tls->end)
		return tls->end;
	ERR_clear_error();
	const enum tls_result result = outcome(tls, SSL_do_handshake(tls->ssl));
	tls->done |= result == TLS_OK;
	return result;
}

enum tls_result tls_read(struct tls *tls, void *data, size_t room, size_t *done) {
	*done = 0;
	if (tls->end || !room)
		return tls->end;
	ERR_clear_error();
	return outcome(tls, SSL_read_ex(tls->ssl, data, room, done));
}

/*
 * A record is only begun where all of it finds room, so that no half-written one has to be finished
 * with the same bytes.
 */
enum tls_result tls_write(struct tls *tls, const void *data, size_t n, size_t *done) {
	const size_t room = BIO_get_write_guarantee(SSL_get_wbio(tls->ssl));

	*done = 0;
	if (tls->end == TLS_FAILED || !n)
		return n ? TLS_FAILED : TLS_OK;
	if (room <= RECORD_RESERVE)
		return TLS_WANT_WRITE;
	if (n > room - RECORD_RESERVE)
		n = room - RECORD_RESERVE;
	ERR_clear_error();
	return outcome(tls, SSL_write_ex(tls->ssl, data, n, done));
}

void tls_shutdown(struct tls *tls) {
	if (tls->done && tls->end != TLS_FAILED)
		SSL_shutdown(tls->ssl);
	ERR_clear_error();
}

const char *tls_error(const struct tls *tls) {
	return tls->error;
}
