/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * --doctor: what of this machine helps or hinders a scan at full rate, and what to change. It sends nothing, opens no
 * device, and reads /proc, /sys and the names of DPDK's drivers only.
 */
#ifndef CTL_DOCTOR_H
#define CTL_DOCTOR_H

#include <stdbool.h>
#include <stdio.h>

/* Set in the environment, the folder that /proc, /sys and /usr/lib are looked for in instead of /. */
#define DOCTOR_ROOT_VARIABLE "PRTIP_DOCTOR_ROOT"

/*
 * Write a line a finding, `ok|warn|bad  what  -- what to change`, wrapped to 80 columns with what goes on indented; or
 * one JSON array of {"verdict", "check", "what", "change"}. *@nb_bad is how many are bad. 0 or a negative
 * errno.
 */
int doctor(const char *root, bool json, FILE *out, unsigned *nb_bad);

#endif
