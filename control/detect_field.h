/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fields of a banner: the parts of it that rules look at, such as the Server header of an HTTP
 * response. docs/fingerprints.md lists them.
 */
#ifndef CTL_DETECT_FIELD_H
#define CTL_DETECT_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum detect_field {
	DETECT_BANNER,
	DETECT_GREETING,
	DETECT_SSH_SOFTWARE,
	DETECT_POP3_GREETING,
	DETECT_IMAP_GREETING,
	DETECT_NNTP_GREETING,
	DETECT_HTTP_STATUS,
	DETECT_HTTP_SERVER,
	DETECT_HTTP_POWERED_BY,
	DETECT_HTTP_AUTH,
	DETECT_HTTP_LOCATION,
	DETECT_HTTP_VIA,
	DETECT_HTTP_COOKIE,
	DETECT_HTTP_TITLE,
	DETECT_HTTP_GENERATOR,
	DETECT_HTTP_HEAD,
	DETECT_HTTP_BODY,
	DETECT_SIP_SERVER,
	DETECT_SIP_AGENT,
	DETECT_RTSP_SERVER,
	DETECT_MYSQL_VERSION,
	DETECT_DNS_VERSION,
	DETECT_SNMP_DESCR,
	DETECT_TLS_VERSION,
	DETECT_FIELDS,
};

extern const char *const detect_field_names[DETECT_FIELDS];

struct detect_value {
	const char *at; /* NULL: the banner has no such field */
	size_t n;
};

enum {
	DETECT_STORE_BYTES = 8192, /* for values that are put together, more than a banner */
};

/* The fields of one banner. Values point into the banner or into the store. */
struct detect_fields {
	struct detect_value value[DETECT_FIELDS];
	size_t used;
	char store[DETECT_STORE_BYTES];
};

/* Fill @fields from the @n bytes of @banner, which has to live as long. @udp: it was one datagram. */
void detect_split(struct detect_fields *fields, const uint8_t *banner, size_t n, bool udp);

/* False: there is no such field. */
bool detect_field_of(const char *name, size_t length, enum detect_field *field);

#endif
