/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The exception path: frames that are not the scan's, between the port and a TAP that carries the
 * address of the plugins' sockets. For ports that the kernel does not see: a DPDK device, or an
 * af_xdp one where the address is none of the kernel's.
 *
 *     RX lcores --exception_offer()--> a ring each --> [thread] --write--> TAP --> kernel's sockets
 *     TX lcore <---- a ring, as for replies <--------- [thread] <--read--- TAP <-- kernel's sockets
 *
 * One thread makes all the system calls; lcores only touch rings. Each way has a token bucket. What is
 * above the rate waits: inwards in the rings, of which a full one drops, outwards in the kernel's queue,
 * which holds its sockets back. What is dropped is counted; it is no loss of the scan's, and TCP sends
 * it again.
 */
#ifndef EXCEPTION_H
#define EXCEPTION_H

#include "core.h"

struct exception;

/*
 * Open the TAP, tie the rings to the lcores and start the thread, as the plan says. Main thread, after
 * the workers are made. 0 or a negative errno with @err filled.
 */
int exception_create(struct dp_engine *engine, struct dp_error *err);

/* End the thread; the TAP stays, and its sockets wait in vain. Idempotent; NULL is fine. */
void exception_stop(struct exception *exception);

/* Stop, and close the TAP. After the lcores have been joined. */
void exception_destroy(struct exception *exception);

void exception_stats(const struct exception *exception, struct dp_stats *stats);

/*
 * A received frame that the scan has no use for: true where it is the exception path's, also where
 * that had no room for it. It takes a reference of its own, so that the caller frees the frame all the
 * same, but looks at it no more. RX lcore.
 */
bool exception_offer(const struct dp_engine *engine, struct rx *rx, struct rte_mbuf *mbuf);

#endif
