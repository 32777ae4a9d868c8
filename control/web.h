/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * [metrics] listen: /metrics for Prometheus, /status.json for programs, / for people. Read only, and
 * answered from the published copy by a thread of its own (libmicrohttpd's).
 */
#ifndef CTL_WEB_H
#define CTL_WEB_H

#include "config.h"
#include "watch.h"

#include <stdatomic.h>

struct web;

/*
 * Open the socket of [metrics] listen; *@web is NULL where there is none. Before privileges are dropped, so
 * that any port can be had, and after the lanes were forked, so that they do not have it. @watch has to outlive it. 0, or a
 * negative errno with @err filled, usage where the address cannot be had.
 */
int web_open(const struct ctl_config *config, struct watch *watch, struct web **web,
	struct dp_error *err);

/* Start to answer; NULL is fine. 0, or a negative errno with @err filled. */
int web_start(struct web *web, struct dp_error *err);

/* Where it is, and a warning where that can be reached from elsewhere. */
void web_print(const struct web *web, FILE *out);

/*
 * Once the end is published: where somebody follows /status.json by the second, leave a little more than that,
 * so that who looked on sees how it ended. @interrupts: more than one of them ends it at once. NULL is fine.
 */
void web_show_end(const struct web *web, const atomic_int *interrupts);

/* Answers that are under way are cut off. NULL is fine. */
void web_destroy(struct web *web);

/*
 * Whether a Host header names us by address, or as localhost. A name of others may have been pointed at us
 * by their DNS, so that their page could read ours (rebinding); an address cannot.
 */
bool web_is_own_host(const char *host);

#endif
