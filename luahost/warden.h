/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a lane asks the warden for: sockets and files, after checks that do not take its word.
 */
#ifndef LH_WARDEN_H
#define LH_WARDEN_H

#include "area.h"

/* A lane's datagram, taken apart. */
struct asked {
	unsigned nb; /* requests; 0: it was none */
	struct request request[REQUESTS_MAX];
	char name[OPEN_NAME_BYTES]; /* of REQUEST_OPEN, which comes alone; else "" */
};

/* Take apart @bytes of a datagram, which may be anything. What is beyond the limits is not looked at. */
void asked_read(struct asked *asked, const uint8_t *datagram, size_t bytes);

enum grant_kind {
	GRANT_DENIED, /* REPLY_DENIED */
	GRANT_INVALID, /* EINVAL */
	GRANT_SOCKET,
	GRANT_OUTPUT, /* the file of export() */
	GRANT_FILE, /* beneath the plugin's folder */
};

/*
 * What the lane @area may have of what it asks for; opens nothing. @has_output: there is a file that
 * export() may write.
 */
enum grant_kind grant_decide(const struct setup *setup, unsigned area,
	const struct request *request, const char *name, bool has_output);

/* Choose the source ports of plugin sockets: none that the scan uses. Before the first grant(). */
void grant_ports(struct setup *setup);

/*
 * Open what @request of the lane @area asks for. *@fd is a descriptor (the caller closes it) where
 * the returned reply's error is 0. @name: of REQUEST_OPEN, NUL-terminated.
 */
struct reply grant(const struct setup *setup, unsigned area, const struct request *request,
	const char *name, int output_fd, int *fd);

#endif
