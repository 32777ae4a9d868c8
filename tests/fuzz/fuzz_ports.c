/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lists of ports. The first byte says for which scan type; 0 is for any. What was read is ascending,
 * and the same once it was written as ranges and read again.
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static uint16_t port[PORTS_MAX], again[PORTS_MAX];
	static char text[PORTS_MAX * 12];
	const struct dp_scan_type *type = size && data[0] ? dp_scan_at(data[0] - 1u) : NULL;
	char *list = size ? fuzz_string(data + 1, size - 1) : NULL;
	struct value_error err = {0};
	unsigned nb, nb_again;

	if (!list)
		return 0;
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
	free(list);
	return 0;
}
