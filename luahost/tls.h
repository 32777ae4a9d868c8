/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TLS as a filter between byte strings: OpenSSL over a BIO pair, so that whoever calls it moves the
 * bytes. Security level 0, TLS 1.0 and up, no verification (a scanner reports what it finds), no
 * configuration file, no file access at all.
 *
 * And `tls_probe`: a ClientHello of our own for protocols and ciphers that OpenSSL no longer speaks.
 *
 * Runs in a lane, after it was locked.
 */
#ifndef LH_TLS_H
#define LH_TLS_H

#include <lua.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls;

/*
 * What all connections of a lane share: settings and a scratch buffer. Making one takes 130 us and
 * 18 KiB (the first of a process 1.5 ms and 350 KiB). It must outlive the connections that use it.
 */
struct tls_context;

int tls_context_create(struct tls_context **context); /* 0 or -ENOMEM */
void tls_context_destroy(struct tls_context *context); /* NULL is fine */

struct tls_options {
	struct tls_context *context; /* NULL: the connection makes one of its own */
	const char *server_name; /* SNI; NULL: none */
	const char *const *alpn; /* NULL: none */
	unsigned nb_alpn;
	int min_version, max_version; /* 0x0301 to 0x0304; 0: any */
	const char *ciphers; /* OpenSSL list up to TLS 1.2; NULL: ALL:@SECLEVEL=0 */
};

enum tls_result {
	TLS_OK, /* progress: for read and write, @done bytes */
	TLS_WANT_READ, /* feed it more */
	TLS_WANT_WRITE, /* take its output first */
	TLS_CLOSED, /* the peer ended the stream (close_notify, or fed end of stream) */
	TLS_FAILED, /* tls_error() says why */
};

int tls_create(const struct tls_options *options, struct tls **tls); /* 0 or -ENOMEM, -EINVAL */
void tls_destroy(struct tls *tls); /* NULL is fine */

enum {
	TLS_FEED_BYTES = 16 << 10,
};

/*
 * Bytes from the network; takes as many as it has room for, returns how many: TLS_FEED_BYTES at the
 * beginning and after each TLS_WANT_READ.
 */
size_t tls_feed(struct tls *tls, const void *bytes, size_t n);
void tls_feed_end(struct tls *tls); /* the network's end of stream */

/*
 * Bytes for the network: copy out up to @room. There may be some after every call of the functions
 * below, whatever it returned: an alert after TLS_FAILED, the last flight after TLS_OK.
 */
size_t tls_take(struct tls *tls, void *bytes, size_t room);

/*
 * Errors of the peer are final: the functions go on returning TLS_FAILED. TLS_WANT_READ comes only
 * with nothing left to take. tls_write() takes less than @n where there is little room, and nothing
 * where it returns anything but TLS_OK: it may be called again with other bytes.
 */
enum tls_result tls_handshake(struct tls *tls);
enum tls_result tls_read(struct tls *tls, void *data, size_t room, size_t *done);
enum tls_result tls_write(struct tls *tls, const void *data, size_t n, size_t *done);
void tls_shutdown(struct tls *tls); /* queue a close_notify */

/* "wrong version number", "alert handshake failure"; "" where nothing failed. Constant text. */
const char *tls_error(const struct tls *tls);

/*
 * Push the table of prtip.tls_info(): protocol "TLSv1.3", cipher, cipher_bits, alpn, group (name of
 * the key exchange), server_name, and chain: a sequence, leaf first, of
 * {subject, issuer, common_name, issuer_common_name, names (DNS and IP SANs), not_before, not_after
 * (seconds since 1970), not_before_text, not_after_text (ISO 8601), serial (hex), version, key_type
 * ("rsa" "ec" "ed25519" ...), key_bits, curve, signature ("sha256WithRSAEncryption"), sha1, sha256
 * (fingerprints, lower-case hex), self_signed (verified), ca, der}; `certificate` is chain[1].
 * All strings valid UTF-8 but der. May raise out of memory.
 *
 * protocol is one of tls_hello_build()'s names; cipher is IANA's; group "x25519" "secp256r1" or, for a
 * Diffie-Hellman group without a name, "dh1024". What is not known or cannot be read is nil; of a
 * handshake that failed, all that came before. Control characters in names are \0A, a backslash \\.
 */
void tls_push_info(lua_State *L, const struct tls *tls);

/*
 * tls_hello_build: Lua C function (options table) -> bytes of a ClientHello record (SSLv2-compatible
 * only where "SSLv2" is asked for). options: versions, a list of "SSLv3" "TLSv1.0" ... "TLSv1.3" (or
 * one string); ciphers, a list of IANA names ("TLS_RSA_WITH_RC4_128_SHA"), OpenSSL names or numbers,
 * or classes ("RC4" "3DES" "EXPORT" "NULL" "anon" "ALL", and more: tls_ciphers.c); server_name; alpn,
 * a list. Without versions TLS 1.0 to 1.3, without ciphers ALL. Raises on unknown names.
 * tls_hello_parse: Lua C function (bytes so far, options) -> nil where more is needed, else the table
 * {version = "TLSv1.2", cipher = "TLS_...", cipher_id, compression, group, alert = {level,
 * description}, alpn, extensions = {ids}, hello_retry} or false, "why" where it is no TLS. After an
 * alert alone there is nothing but `alert` (RFC 8446's word); numbers without a name are "0xfefe".
 * @group is that of TLS 1.3: older versions tell it after the hello.
 */
int tls_hello_build(lua_State *L);
int tls_hello_parse(lua_State *L);

#endif
