/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Taking a banner apart. Functions of their arguments, for the control core; every length is checked, as a
 * banner is whatever a stranger sent, cut off anywhere.
 */
#include "detect_field.h"

#include <string.h>
#include <strings.h>

const char *const detect_field_names[DETECT_FIELDS] = {
	[DETECT_BANNER] = "banner",
	[DETECT_GREETING] = "greeting",
	[DETECT_SSH_SOFTWARE] = "ssh.software",
	[DETECT_POP3_GREETING] = "pop3.greeting",
	[DETECT_IMAP_GREETING] = "imap.greeting",
	[DETECT_NNTP_GREETING] = "nntp.greeting",
	[DETECT_HTTP_STATUS] = "http.status",
	[DETECT_HTTP_SERVER] = "http.server",
	[DETECT_HTTP_POWERED_BY] = "http.powered-by",
	[DETECT_HTTP_AUTH] = "http.auth",
	[DETECT_HTTP_LOCATION] = "http.location",
	[DETECT_HTTP_VIA] = "http.via",
	[DETECT_HTTP_COOKIE] = "http.cookie",
	[DETECT_HTTP_TITLE] = "http.title",
	[DETECT_HTTP_GENERATOR] = "http.generator",
	[DETECT_HTTP_HEAD] = "http.head",
	[DETECT_HTTP_BODY] = "http.body",
	[DETECT_SIP_SERVER] = "sip.server",
	[DETECT_SIP_AGENT] = "sip.agent",
	[DETECT_RTSP_SERVER] = "rtsp.server",
	[DETECT_MYSQL_VERSION] = "mysql.version",
	[DETECT_DNS_VERSION] = "dns.version",
	[DETECT_SNMP_DESCR] = "snmp.descr",
	[DETECT_TLS_VERSION] = "tls.version",
};

bool detect_field_of(const char *name, size_t length, enum detect_field *field) {
	for (unsigned i = 0; i < DETECT_FIELDS; i++) {
		if (strlen(detect_field_names[i]) != length
			|| memcmp(detect_field_names[i], name, length))
			continue;
		*field = (enum detect_field)i;
		return true;
	}
	return false;
}

static struct detect_value value_of(const char *at, const char *end) {
	return (struct detect_value){at, (size_t)(end - at)};
}

static bool is_blank(char c) {
	return c == ' ' || c == '\t';
}

static struct detect_value trimmed(const char *at, const char *end) {
	while (at < end && is_blank(*at))
		at++;
	while (at < end && (is_blank(end[-1]) || end[-1] == '\r'))
		end--;
	return value_of(at, end);
}

/* Where the line at @at ends: at its newline, or at @end. */
static const char *line_end(const char *at, const char *end) {
	const char *newline = memchr(at, '\n', (size_t)(end - at));

	return newline ? newline : end;
}

static bool begins(const char *at, const char *end, const char *with) {
	const size_t n = strlen(with);

	return (size_t)(end - at) >= n && !memcmp(at, with, n);
}

/*
 * Append to a value that is put together, @glue between its parts. One that is not the latest in the store moves
 * to its end. What the store cannot hold is left out.
 */
static void append(struct detect_fields *fields, struct detect_value *value, char glue,
	const char *at, size_t n) {
	const bool latest = value->at && value->at + value->n == fields->store + fields->used;
	const size_t moved = value->at && !latest ? value->n : 0;
	char *to = fields->store + fields->used;

	if (fields->used + moved + 1 + n > sizeof(fields->store))
		return;
	if (moved)
		memcpy(to, value->at, moved);
	if (!latest) {
		value->at = to;
		to += moved;
	}
	if (value->n)
		*to++ = glue;
	memcpy(to, at, n);
	to += n;
	fields->used = (size_t)(to - fields->store);
	value->n = (size_t)(to - value->at);
}

/* ---- Greetings of a line or more ---- */

/* Replies of FTP and SMTP (RFC 959 4.2, RFC 5321 4.2.1): `220-text`, `220 text`. */
static void split_reply(struct detect_fields *fields, const char *at, const char *end,
	const char code[3], enum detect_field field) {
	while (at < end) {
		const char *stop = line_end(at, end);
		const bool last = begins(at, end, code) && stop - at > 3 && at[3] == ' ';
		const char *text
			= begins(at, end, code) && stop - at > 3 && (at[3] == ' ' || at[3] == '-')
			? at + 4
			: at;
		const struct detect_value line = trimmed(text, stop);

		append(fields, &fields->value[field], '\n', line.at, line.n);
		if (last || stop == end)
			return;
		at = stop + 1;
	}
}

static void split_ssh(struct detect_fields *fields, const char *at, const char *end) {
	const char *stop = line_end(at, end);
	/* RFC 4253 4.2: SSH-protoversion-softwareversion SP comments */
	const char *dash = memchr(at + 4, '-', (size_t)(stop - at - 4));

	if (dash)
		fields->value[DETECT_SSH_SOFTWARE] = trimmed(dash + 1, stop);
}

/* `* OK text`, RFC 9051 7.1; `+OK text`, RFC 1939 3. */
static void split_star(struct detect_fields *fields, const char *at, const char *end) {
	static const char *const words[] = {"* OK ", "* PREAUTH ", "* BYE "};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (begins(at, end, words[i]))
			fields->value[DETECT_IMAP_GREETING]
				= trimmed(at + strlen(words[i]), line_end(at, end));
}

/* ---- HTTP, SIP, RTSP: a status line, headers, a body (RFC 9112 2.1) ---- */

enum family {
	HTTP,
	SIP,
	RTSP,
};

static const struct {
	enum family family;
	enum detect_field field;
	const char *name;
	bool several;
} headers[] = {
	{HTTP, DETECT_HTTP_SERVER, "server", false},
	{HTTP, DETECT_HTTP_POWERED_BY, "x-powered-by", true},
	{HTTP, DETECT_HTTP_AUTH, "www-authenticate", true},
	{HTTP, DETECT_HTTP_LOCATION, "location", false},
	{HTTP, DETECT_HTTP_VIA, "via", true},
	{HTTP, DETECT_HTTP_COOKIE, "set-cookie", true},
	{HTTP, DETECT_HTTP_GENERATOR, "x-generator", false},
	{SIP, DETECT_SIP_SERVER, "server", false},
	{SIP, DETECT_SIP_AGENT, "user-agent", false},
	{RTSP, DETECT_RTSP_SERVER, "server", false},
};

static void take_header(
	struct detect_fields *fields, enum family family, const char *at, const char *end) {
	const char *colon = memchr(at, ':', (size_t)(end - at));
	const size_t n = colon ? (size_t)(colon - at) : 0;

	for (unsigned i = 0; n && i < sizeof(headers) / sizeof(headers[0]); i++) {
		struct detect_value *value = &fields->value[headers[i].field], text;

		if (headers[i].family != family || (headers[i].name[0] ^ at[0]) & ~0x20
			|| strlen(headers[i].name) != n || strncasecmp(headers[i].name, at, n))
			continue;
		text = trimmed(colon + 1, end);
		if (headers[i].several)
			append(fields, value, '\n', text.at, text.n);
		else if (!value->at)
			*value = text;
		return;
	}
}

/* The first @what from @at on, in any case; NULL: none. */
static const char *find(const char *at, const char *end, const char *what) {
	const size_t n = strlen(what);

	for (; (size_t)(end - at) >= n; at++) {
		at = memchr(at, what[0], (size_t)(end - at));
		if (!at || (size_t)(end - at) < n)
			return NULL;
		if (!strncasecmp(at, what, n))
			return at;
	}
	return NULL;
}

static void take_title(struct detect_fields *fields, const char *at, const char *end) {
	const char *title = find(at, end, "<title"), *text, *stop;

	text = title ? memchr(title, '>', (size_t)(end - title)) : NULL;
	stop = text ? find(text, end, "</title") : NULL;
	/* One that is cut off says less than it seems to. */
	if (stop)
		fields->value[DETECT_HTTP_TITLE] = trimmed(text + 1, stop);
}

/* <meta name="generator" content="...">, its attributes in any order. */
static void take_generator(struct detect_fields *fields, const char *at, const char *end) {
	const char *meta, *close, *content;

	while ((meta = find(at, end, "<meta"))
		&& (close = memchr(meta, '>', (size_t)(end - meta)))) {
		at = close;
		if (!find(meta, close, "=\"generator\"") && !find(meta, close, "='generator'"))
			continue;
		content = find(meta, close, "content=");
		if (!content || close - content < 10)
			return;
		content += 8;
		close = memchr(content + 1, *content, (size_t)(close - content - 1));
		if (close && (*content == '"' || *content == '\''))
			fields->value[DETECT_HTTP_GENERATOR] = trimmed(content + 1, close);
		return;
	}
}

static void split_head(
	struct detect_fields *fields, enum family family, const char *begin, const char *end) {
	const char *at = line_end(begin, end), *stop;
	const char *status = memchr(begin, ' ', (size_t)(at - begin));

	if (family == HTTP && status)
		fields->value[DETECT_HTTP_STATUS] = trimmed(status, at);
	for (at = at < end ? at + 1 : end; at < end; at = stop + 1) {
		stop = line_end(at, end);
		if (stop == at || (stop == at + 1 && *at == '\r'))
			break;
		take_header(fields, family, at, stop);
		if (stop == end) {
			at = end;
			break;
		}
	}
	if (family != HTTP)
		return;
	fields->value[DETECT_HTTP_HEAD] = value_of(begin, at);
	at = at < end ? line_end(at, end) : end;
	if (at == end)
		return;
	fields->value[DETECT_HTTP_BODY] = value_of(at + 1, end);
	take_title(fields, at + 1, end);
	if (!fields->value[DETECT_HTTP_GENERATOR].at)
		take_generator(fields, at + 1, end);
}

/* ---- Binary protocols ---- */

static unsigned be16(const uint8_t *p) {
	return (unsigned)p[0] << 8 | p[1];
}

/* Protocol::HandshakeV10: length (3), number 0, version 10, the server's version with a NUL. */
static void split_mysql(struct detect_fields *fields, const uint8_t *p, size_t n) {
	const uint8_t *nul;

	if (n < 7 || p[3] != 0 || p[4] != 10 || p[2] != 0)
		return;
	nul = memchr(p + 5, 0, n - 5);
	if (nul && nul > p + 5)
		fields->value[DETECT_MYSQL_VERSION]
			= value_of((const char *)p + 5, (const char *)nul);
}

/* Behind the name at @at, compressed or not (RFC 1035 4.1.4); 0: it does not end. */
static size_t skip_name(const uint8_t *p, size_t n, size_t at) {
	while (at < n) {
		if (p[at] == 0)
			return at + 1;
		if (p[at] >= 0xc0)
			return at + 2 <= n ? at + 2 : 0;
		at += 1u + p[at];
	}
	return 0;
}

/* The first string of the first TXT record of class CHAOS among the answers. */
static void split_dns(struct detect_fields *fields, const uint8_t *p, size_t n) {
	size_t at = 12;
	unsigned questions, answers;

	if (n < 12 || !(p[2] & 0x80))
		return;
	questions = be16(p + 4);
	answers = be16(p + 6);
	if (questions > 1 || answers > 16)
		return;
	while (questions--) {
		at = skip_name(p, n, at);
		if (!at || at + 4 > n)
			return;
		at += 4;
	}
	while (answers--) {
		at = skip_name(p, n, at);
		if (!at || at + 11 > n)
			return;
		if (be16(p + at) == 16 && be16(p + at + 2) == 3 && p[at + 10] < be16(p + at + 8)
			&& at + 11 + p[at + 10] <= n) {
			fields->value[DETECT_DNS_VERSION]
				= (struct detect_value){(const char *)p + at + 11, p[at + 10]};
			return;
		}
		at += 10u + be16(p + at + 8);
	}
}

/* The string bound to sysDescr.0 (RFC 3418), wherever in the message. */
static void split_snmp(struct detect_fields *fields, const uint8_t *p, size_t n) {
	static const uint8_t oid[] = {0x06, 0x08, 0x2b, 6, 1, 2, 1, 1, 1, 0};
	const uint8_t *at = n > 20 && p[0] == 0x30 ? memmem(p, n, oid, sizeof(oid)) : NULL;
	size_t length, rest;

	if (!at)
		return;
	at += sizeof(oid);
	rest = n - (size_t)(at - p);
	if (rest < 3 || at[0] != 0x04)
		return;
	length = at[1];
	at += 2, rest -= 2;
	if (length == 0x81 && rest > 1) {
		length = at[0];
		at += 1, rest -= 1;
	} else if (length == 0x82 && rest > 2) {
		length = be16(at);
		at += 2, rest -= 2;
	} else if (length > 0x7f) {
		return;
	}
	fields->value[DETECT_SNMP_DESCR]
		= (struct detect_value){(const char *)at, length < rest ? length : rest};
}

/* The version that a ServerHello picks: supported_versions (RFC 8446 4.2.1), else legacy_version. */
static unsigned hello_version(const uint8_t *p, size_t n) {
	unsigned version = be16(p);
	size_t at = 34, end;

	if (n < 35)
		return version;
	at += 1u + p[34] + 3u; /* session id, cipher suite, compression */
	if (at + 2 > n)
		return version;
	end = at + 2 + be16(p + at);
	for (at += 2; at + 4 <= n && at + 4 <= end; at += 4u + be16(p + at + 2))
		if (be16(p + at) == 43 && at + 6 <= n)
			version = be16(p + at + 4);
	return version;
}

static void split_tls(struct detect_fields *fields, const uint8_t *p, size_t n) {
	static const char *const names[] = {"SSLv3", "TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"};
	const char *name = NULL;
	unsigned version;

	if (n >= 7 && p[0] == 21 && p[1] == 3 && be16(p + 3) == 2 && (p[5] == 1 || p[5] == 2)) {
		name = "alert";
	} else if (n >= 11 && p[0] == 22 && p[1] == 3 && p[5] == 2) {
		version = hello_version(p + 9, n - 9);
		if (version >= 0x0300 && version <= 0x0304)
			name = names[version - 0x0300];
	}
	if (name)
		fields->value[DETECT_TLS_VERSION] = (struct detect_value){name, strlen(name)};
}

/* ---- All ---- */

static void split_text(struct detect_fields *fields, const char *at, const char *end) {
	if (begins(at, end, "HTTP/"))
		split_head(fields, HTTP, at, end);
	else if (begins(at, end, "SIP/2.0 "))
		split_head(fields, SIP, at, end);
	else if (begins(at, end, "RTSP/1.0 "))
		split_head(fields, RTSP, at, end);
	else if (begins(at, end, "SSH-"))
		split_ssh(fields, at, end);
	else if (begins(at, end, "220 ") || begins(at, end, "220-"))
		split_reply(fields, at, end, "220", DETECT_GREETING);
	else if (begins(at, end, "200 "))
		split_reply(fields, at, end, "200", DETECT_NNTP_GREETING);
	else if (begins(at, end, "201 "))
		split_reply(fields, at, end, "201", DETECT_NNTP_GREETING);
	else if (begins(at, end, "+OK "))
		fields->value[DETECT_POP3_GREETING] = trimmed(at + 4, line_end(at, end));
	else if (begins(at, end, "* "))
		split_star(fields, at, end);
}

void detect_split(struct detect_fields *fields, const uint8_t *banner, size_t n, bool udp) {
	const char *at = (const char *)banner;

	memset(fields->value, 0, sizeof(fields->value));
	fields->used = 0;
	fields->value[DETECT_BANNER] = (struct detect_value){at, n};
	if (!n)
		return;
	split_text(fields, at, at + n);
	split_mysql(fields, banner, n);
	split_tls(fields, banner, n);
	split_snmp(fields, banner, n);
	if (udp)
		split_dns(fields, banner, n);
	else if (n > 14 && be16(banner) >= 12) /* RFC 1035 4.2.2: a length in front */
		split_dns(fields, banner + 2, n - 2);
}
