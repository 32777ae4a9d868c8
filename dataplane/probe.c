/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of probe modules, and the names of what their verdicts say. Constant data only.
 */
#include "probe.h"

static const struct probe_module *const modules[] = {
	&probe_syn,
};

const struct probe_module *probe_find(const char *scan_type) {
	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++)
		if (strcmp(modules[i]->name, scan_type) == 0)
			return modules[i];
	return NULL;
}

const char *dp_state_name(enum dp_state state) {
	static const char *const names[DP_STATE_COUNT] = {
		[DP_STATE_OPEN] = "open",
		[DP_STATE_CLOSED] = "closed",
		[DP_STATE_FILTERED] = "filtered",
	};

	return names[state];
}

const char *dp_reason_name(enum dp_reason reason) {
	static const char *const names[DP_REASON_COUNT] = {
		[DP_REASON_SYN_ACK] = "syn-ack",
		[DP_REASON_RESET] = "reset",
		[DP_REASON_NET_UNREACH] = "net-unreach",
		[DP_REASON_HOST_UNREACH] = "host-unreach",
		[DP_REASON_PROTO_UNREACH] = "proto-unreach",
		[DP_REASON_PORT_UNREACH] = "port-unreach",
		[DP_REASON_NET_PROHIBITED] = "net-prohibited",
		[DP_REASON_HOST_PROHIBITED] = "host-prohibited",
		[DP_REASON_ADMIN_PROHIBITED] = "admin-prohibited",
	};

	return names[reason];
}
