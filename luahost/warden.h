/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a lane asks the warden for: sockets and files, after checks that do not take its word.
 */
#ifndef LH_WARDEN_H
#define LH_WARDEN_H

#include "area.h"

/* Choose the source ports of plugin sockets: none that the scan uses. Before the first grant(). */
void grant_ports(struct setup *setup);

/*
 * Open what @request of the lane @area asks for. *@fd is a descriptor (the caller closes it) where
 * the returned reply's error is 0. @name: of REQUEST_OPEN, NUL-terminated.
 */
struct reply grant(const struct setup *setup, unsigned area, const struct request *request,
	const char *name, int output_fd, int *fd);

#endif
