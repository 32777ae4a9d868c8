/* SPDX-License-Identifier: BSD-3-Clause */
/* What has to be right before EAL starts with telemetry. Main thread. */
#ifndef TELEMETRY_H
#define TELEMETRY_H

#include <dp/error.h>

/* Whether there is a folder of the user's own for the socket. 0, or a negative errno with @err filled. */
int telemetry_check(struct dp_error *err);

#endif
