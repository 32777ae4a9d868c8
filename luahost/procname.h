/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names of our processes for people who look at `ps`.
 */
#ifndef LH_PROCNAME_H
#define LH_PROCNAME_H

/*
 * Name this process "prtip-dp: lane http-enum/0": all of it in `ps -o args`, and what stands behind
 * the first ": " (15 bytes of it) in `ps -o comm`. The first is cut at 255 bytes, and at the room
 * that the arguments and the environment had at the start of the program; it is left as it is where
 * lh_process_name_init() was not called. In a locked process only the first changes.
 */
[[gnu::format(printf, 1, 2)]] void process_name_set(const char *format, ...);

#endif
