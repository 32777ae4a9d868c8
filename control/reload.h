/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SIGHUP: the exclude files are read again, and what is new in them joins the exclusions of the
 * running scan. What was excluded once stays excluded.
 *
 * Control core. Owns every set that it handed out until it is destroyed, as lcores may still look at
 * an earlier one.
 */
#ifndef CTL_RELOAD_H
#define CTL_RELOAD_H

#include "config.h"

struct reload;

/* 0 or -ENOMEM. @config must outlive it. */
int reload_create(const struct ctl_config *config, struct reload **reload);
void reload_destroy(struct reload *reload); /* NULL is fine */

/*
 * What was excluded in an earlier run of the same scan, ascending ranges, is so again; *@all as below.
 * Before reload_read(). 0 or -ENOMEM.
 */
int reload_restore(struct reload *reload, const struct dp_range *ranges, unsigned nb,
	const struct dp_ipset **all);

/*
 * Read the files. *@all is everything that was excluded since the start, and *@nb_new how many
 * addresses of the scan are so only now; where that is 0 nothing has to change. Where a file cannot
 * be read a negative errno with @err filled, and all stays as it was. Blocks while it reads.
 */
int reload_read(
	struct reload *reload, const struct dp_ipset **all, uint64_t *nb_new, struct dp_error *err);

#endif
