/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which ports are worth asking first: --top-ports and -F.
 *
 * An order of our own, made from what IANA assigned and where services are commonly put, tier by tier
 * (docs/top-ports.md); no measurement, and nobody else's list.
 */
#ifndef CTL_TOP_PORTS_H
#define CTL_TOP_PORTS_H

#include <dp/scan.h>

#include <stdint.h>

/* How many ports of @proto are listed; 0 for a protocol without ports. */
unsigned top_ports_count(enum dp_proto proto);

/* The first @nb of them, at most top_ports_count(), in their order, to @ports. */
void top_ports_read(enum dp_proto proto, unsigned nb, uint16_t *ports);

#endif
