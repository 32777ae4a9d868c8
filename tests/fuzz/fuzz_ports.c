/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lists of ports. The first byte says for which scan type; 0 is for any, and those from 128 on are mixes.
 * What was read is ascending, and the same once it was written as ranges and read again.
 */
#include "fuzz.h"
#include "targets.h"

static char *write_ports(const uint16_t *port, unsigned nb, char *text) {
	char *at = text;

	for (unsigned i = 0, k; i < nb; i = k) {
		for (k = i + 1; k < nb && port[k] == port[k - 1] + 1; k++)
			continue;
		at += sprintf(at, "%s%u-%u", i ? "," : "", port[i], port[k - 1]);
	}
	return text;
}

static void read_ports(const char *list, const struct dp_scan_type *type) {
	static uint16_t port[PORTS_MAX], again[PORTS_MAX];
	static char text[PORTS_MAX * 12];
	struct value_error err = {0};
	unsigned nb, nb_again;

	if (targets_read_ports(list, type, port, &nb, &err)) {
		FUZZ_ASSERT(err.why[0]);
	} else if (nb) {
		FUZZ_ASSERT(nb <= PORTS_MAX);
		for (unsigned i = 1; i < nb; i++)
			FUZZ_ASSERT(port[i - 1] < port[i]);
		FUZZ_ASSERT(targets_read_ports(
				    write_ports(port, nb, text), type, again, &nb_again, &err)
			== 0);
		FUZZ_ASSERT(nb == nb_again && !memcmp(port, again, nb * sizeof(port[0])));
	} else {
		FUZZ_ASSERT(!*list);
	}
}

/* `T:1-9,U:53`, of ascending endpoints. */
static char *write_endpoints(const uint32_t *at, unsigned nb, char *text) {
	char *end = text;

	*end = '\0';
	for (unsigned i = 0, k; i < nb; i = k) {
		const enum dp_proto proto = dp_endpoint_proto(at[i]);

		for (k = i + 1;
			k < nb && at[k] == at[k - 1] + 1 && dp_endpoint_proto(at[k]) == proto; k++)
			continue;
		end += sprintf(end, "%s%c:%u-%u", i ? "," : "", targets_letter(proto),
			dp_endpoint_port(at[i]), dp_endpoint_port(at[k - 1]));
	}
	return text;
}

static void read_endpoints(const char *list, const struct dp_scan_type *mix) {
	static uint32_t at[DP_ENDPOINTS], again[DP_ENDPOINTS];
	static char text[DP_ENDPOINTS * 16];
	struct value_error err = {0};
	unsigned nb, nb_again;

	if (targets_read_endpoints(list, mix, at, &nb, &err)) {
		FUZZ_ASSERT(err.why[0]);
		return;
	}
	FUZZ_ASSERT(nb <= DP_ENDPOINTS && (nb || !*list));
	for (unsigned i = 0; i < nb; i++) {
		FUZZ_ASSERT(i == 0 || at[i - 1] < at[i]);
		FUZZ_ASSERT(dp_scan_part(mix, dp_endpoint_proto(at[i])));
	}
	FUZZ_ASSERT(
		targets_read_endpoints(write_endpoints(at, nb, text), mix, again, &nb_again, &err)
		== 0);
	FUZZ_ASSERT(nb == nb_again && !memcmp(at, again, nb * sizeof(at[0])));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static const char *const mixes[] = {"syn,udp", "udp,sctp", "syn,udp,sctp", "ack,udp"};
	char *list = size ? fuzz_string(data + 1, size - 1) : NULL;

	if (!list)
		return 0;
	if (data[0] < 128)
		read_ports(list, data[0] ? dp_scan_at(data[0] - 1u) : NULL);
	else
		read_endpoints(
			list, dp_scan_find(mixes[data[0] % (sizeof(mixes) / sizeof(mixes[0]))]));
	free(list);
	return 0;
}
