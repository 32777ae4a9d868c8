/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The first words of a TLS server, read without trust: alerts, and a ServerHello that may lie in
 * several records, each of which may be cut anywhere.
 *
 * Pure functions, any process; own nothing. The formats are those of RFC 8446 (sections 4.1.3, 4.2,
 * 5.1, 6), RFC 5246, RFC 6101 (SSL 3.0) and Hickman's SSL 2.0.
 */
#include "tls_hello.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
	RECORD_HEADER = 5,
	LONGEST_RECORD = 16384 + 2048, /* RFC 5246 section 6.2.3 */
	TYPE_ALERT = 21,
	TYPE_HANDSHAKE = 22,
	MESSAGE_HEADER = 4,
	HELLO_REQUEST = 0,
	SERVER_HELLO = 2,
	/* Version, random, session, suite, compression, extensions, each as long as it can be. */
	LONGEST_HELLO = 2 + 32 + 33 + 2 + 1 + 2 + 65535,
	LEVEL_WARNING = 1,
	CLOSE_NOTIFY = 0,
	EXT_ALPN = 16,
	EXT_VERSIONS = 43,
	EXT_KEY_SHARE = 51,
	SSL2_SERVER_HELLO = 4,
};

/* RFC 8446 section 4.1.3: this in place of a random number makes it a HelloRetryRequest. */
static const uint8_t retry_random[32] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d,
	0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07,
	0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

static const char *const alerts[] = {
	[0] = "close_notify",
	[10] = "unexpected_message",
	[20] = "bad_record_mac",
	[21] = "decryption_failed",
	[22] = "record_overflow",
	[30] = "decompression_failure",
	[40] = "handshake_failure",
	[41] = "no_certificate",
	[42] = "bad_certificate",
	[43] = "unsupported_certificate",
	[44] = "certificate_revoked",
	[45] = "certificate_expired",
	[46] = "certificate_unknown",
	[47] = "illegal_parameter",
	[48] = "unknown_ca",
	[49] = "access_denied",
	[50] = "decode_error",
	[51] = "decrypt_error",
	[60] = "export_restriction",
	[70] = "protocol_version",
	[71] = "insufficient_security",
	[80] = "internal_error",
	[86] = "inappropriate_fallback",
	[90] = "user_canceled",
	[100] = "no_renegotiation",
	[109] = "missing_extension",
	[110] = "unsupported_extension",
	[111] = "certificate_unobtainable",
	[112] = "unrecognized_name",
	[113] = "bad_certificate_status_response",
	[114] = "bad_certificate_hash_value",
	[115] = "unknown_psk_identity",
	[116] = "certificate_required",
	[120] = "no_application_protocol",
};

const char *tls_alert_name(uint8_t description) {
	return description < sizeof(alerts) / sizeof(alerts[0]) ? alerts[description] : NULL;
}

static uint16_t get16(const uint8_t *bytes) {
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static uint32_t get24(const uint8_t *bytes) {
	return (uint32_t)bytes[0] << 16 | get16(bytes + 1);
}

__attribute__((format(printf, 2, 3))) static enum tls_answer_state other(
	struct tls_answer *answer, const char *format, ...) {
	va_list args;

	va_start(args, format);
	vsnprintf(answer->why, sizeof(answer->why), format, args);
	va_end(args);
	return TLS_ANSWER_OTHER;
}

/* ---- Fields of a message ---- */

/* What is left of it. A field that goes over the end empties it and sets @broken. */
struct cursor {
	const uint8_t *at;
	size_t left;
	bool broken;
};

/* The next @n bytes, or NULL where there are not as many. */
static const uint8_t *take(struct cursor *cursor, size_t n) {
	const uint8_t *field = cursor->at;

	if (cursor->broken || n > cursor->left) {
		cursor->broken = true;
		cursor->left = 0;
		return NULL;
	}
	cursor->at += n;
	cursor->left -= n;
	return field;
}

static uint8_t take8(struct cursor *cursor) {
	const uint8_t *field = take(cursor, 1);

	return field ? *field : 0;
}

static uint16_t take16(struct cursor *cursor) {
	const uint8_t *field = take(cursor, 2);

	return field ? get16(field) : 0;
}

bool tls_extension_next(const uint8_t **list, size_t *left, struct tls_extension *extension) {
	struct cursor cursor = {.at = *list, .left = *left};

	if (!*left)
		return false;
	extension->id = take16(&cursor);
	extension->bytes = take16(&cursor);
	extension->body = take(&cursor, extension->bytes);
	if (cursor.broken)
		return false;
	*list = cursor.at;
	*left = cursor.left;
	return true;
}

/* ---- ServerHello ---- */

/* A list with one name (RFC 7301 section 3.1). */
static bool read_alpn(const struct tls_extension *extension, struct tls_answer *answer) {
	struct cursor body = {.at = extension->body, .left = extension->bytes};
	const uint16_t list = take16(&body);
	const uint8_t name = take8(&body);

	answer->alpn = take(&body, name);
	answer->alpn_bytes = name;
	return answer->alpn && name && list == name + 1 && !body.left;
}

static bool read_version(const struct tls_extension *extension, struct tls_answer *answer) {
	if (extension->bytes != 2)
		return false;
	answer->version = get16(extension->body);
	return true;
}

/* The group alone in a HelloRetryRequest, with a key in a ServerHello. */
static bool read_group(const struct tls_extension *extension, struct tls_answer *answer) {
	if (extension->bytes < 2 || (answer->hello_retry && extension->bytes != 2))
		return false;
	answer->group = get16(extension->body);
	return true;
}

static const struct {
	uint16_t id;
	bool (*read)(const struct tls_extension *extension, struct tls_answer *answer);
} readers[] = {
	{EXT_ALPN, read_alpn},
	{EXT_VERSIONS, read_version},
	{EXT_KEY_SHARE, read_group},
};

static bool read_extension(const struct tls_extension *extension, struct tls_answer *answer) {
	for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++)
		if (readers[i].id == extension->id)
			return readers[i].read(extension, answer);
	return true;
}

static enum tls_answer_state read_extensions(struct cursor *hello, struct tls_answer *answer) {
	struct tls_extension extension;

	if (!hello->left)
		return TLS_ANSWER_DONE;
	const uint16_t bytes = take16(hello);
	const uint8_t *list = take(hello, bytes);
	if (!list || hello->left)
		return other(answer, "ServerHello: extensions do not fill the message");
	answer->extensions = list;
	answer->extensions_bytes = bytes;
	size_t left = bytes;
	while (tls_extension_next(&list, &left, &extension))
		if (!read_extension(&extension, answer))
			return other(
				answer, "ServerHello: extension %u is malformed", extension.id);
	return left ? other(answer, "ServerHello: an extension goes over the end")
		    : TLS_ANSWER_DONE;
}

static enum tls_answer_state read_hello(
	const uint8_t *message, size_t bytes, struct tls_answer *answer) {
	struct cursor hello = {.at = message, .left = bytes};

	answer->version = take16(&hello);
	const uint8_t *random = take(&hello, sizeof(retry_random));
	take(&hello, take8(&hello)); /* session */
	answer->cipher = take16(&hello);
	answer->compression = take8(&hello);
	if (hello.broken)
		return other(answer, "ServerHello of %zu bytes is too short", bytes);
	if (answer->version >> 8 != 3)
		return other(answer, "ServerHello has version 0x%04x", answer->version);
	answer->hello_retry = !memcmp(random, retry_random, sizeof(retry_random));
	answer->has_hello = true;
	return read_extensions(&hello, answer);
}

/* ---- Messages in records ---- */

/*
 * Look for a ServerHello in the @n handshake bytes gathered so far. HelloRequests may go ahead of it
 * (RFC 5246 section 7.4.1.1).
 */
static enum tls_answer_state read_messages(
	const uint8_t *bytes, size_t n, struct tls_answer *answer) {
	while (n >= MESSAGE_HEADER && bytes[0] == HELLO_REQUEST && !get24(bytes + 1)) {
		bytes += MESSAGE_HEADER;
		n -= MESSAGE_HEADER;
	}
	if (n && bytes[0] != SERVER_HELLO && bytes[0] != HELLO_REQUEST)
		return other(answer, "handshake message %u in place of a ServerHello", bytes[0]);
	if (n < MESSAGE_HEADER)
		return TLS_ANSWER_MORE;
	const uint32_t length = get24(bytes + 1);
	if (bytes[0] == HELLO_REQUEST || length > LONGEST_HELLO)
		return other(answer, "handshake message %u of %u bytes", bytes[0], length);
	if (n - MESSAGE_HEADER < length)
		return TLS_ANSWER_MORE;
	return read_hello(bytes + MESSAGE_HEADER, length, answer);
}

/* A warning is remembered, and what follows counts; the rest ends the conversation. */
static enum tls_answer_state read_alert(
	const uint8_t *body, size_t bytes, struct tls_answer *answer) {
	if (bytes != 2)
		return other(answer, "alert of %zu bytes", bytes);
	answer->has_alert = true;
	answer->alert_level = body[0];
	answer->alert_description = body[1];
	return body[0] == LEVEL_WARNING && body[1] != CLOSE_NOTIFY ? TLS_ANSWER_MORE
								   : TLS_ANSWER_DONE;
}

/* As soon as there is a byte that no TLS record has, it is something else. */
static enum tls_answer_state check_header(
	const uint8_t *bytes, size_t n, struct tls_answer *answer) {
	if (n && bytes[0] != TYPE_ALERT && bytes[0] != TYPE_HANDSHAKE)
		return other(answer, "no TLS: first byte 0x%02x", bytes[0]);
	if (n > 1 && bytes[1] != 3)
		return other(answer, "no TLS: record version 0x%02x..", bytes[1]);
	if (n < RECORD_HEADER)
		return TLS_ANSWER_MORE;
	if (get16(bytes + 3) > LONGEST_RECORD)
		return other(answer, "no TLS: record of %u bytes", get16(bytes + 3));
	return TLS_ANSWER_DONE;
}

static enum tls_answer_state read_records(
	const uint8_t *bytes, size_t n, uint8_t *scratch, struct tls_answer *answer) {
	enum tls_answer_state state = TLS_ANSWER_MORE;
	size_t gathered = 0;

	while (n && state == TLS_ANSWER_MORE) {
		state = check_header(bytes, n, answer);
		if (state != TLS_ANSWER_DONE)
			return state;
		const size_t length = get16(bytes + 3);
		const uint8_t *body = bytes + RECORD_HEADER;
		const size_t here = n - RECORD_HEADER < length ? n - RECORD_HEADER : length;
		if (bytes[0] == TYPE_HANDSHAKE) {
			memcpy(scratch + gathered, body, here);
			gathered += here;
			state = read_messages(scratch, gathered, answer);
		} else if (here == length || length != 2) {
			state = read_alert(body, length, answer);
		} else {
			state = TLS_ANSWER_MORE;
		}
		bytes = body + here;
		n -= RECORD_HEADER + here;
	}
	return state;
}

/* ---- SSL 2.0 ---- */

static bool looks_ssl2(const uint8_t *bytes, size_t n) {
	return n && bytes[0] & 0x80 && (n < 3 || bytes[2] == SSL2_SERVER_HELLO);
}

/*
 * Two bytes of length; type, session hit, kind of certificate, version, lengths of certificate,
 * cipher list and connection id; then these. The suites are those that both have: the first is told.
 */
static enum tls_answer_state read_ssl2(const uint8_t *bytes, size_t n, struct tls_answer *answer) {
	if (n < 2)
		return TLS_ANSWER_MORE;
	const size_t length = get16(bytes) & 0x7fff;
	struct cursor hello = {.at = bytes + 2, .left = length};
	if (n - 2 < length)
		return TLS_ANSWER_MORE;
	take(&hello, 3);
	answer->version = take16(&hello);
	const uint16_t certificate = take16(&hello), suites = take16(&hello);
	take16(&hello);
	take(&hello, certificate);
	const uint8_t *list = take(&hello, suites);
	if (!list || answer->version != SSL2_VERSION_NUMBER || suites % 3)
		return other(answer, "SSLv2 server hello of %zu bytes is malformed", length);
	answer->cipher = suites ? get24(list) : 0;
	answer->has_hello = true;
	return TLS_ANSWER_DONE;
}

enum tls_answer_state tls_answer_parse(
	const uint8_t *bytes, size_t n, bool ssl2, uint8_t *scratch, struct tls_answer *answer) {
	memset(answer, 0, sizeof(*answer));
	if (ssl2 && looks_ssl2(bytes, n))
		return read_ssl2(bytes, n, answer);
	return read_records(bytes, n, scratch, answer);
}
