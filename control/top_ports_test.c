/* SPDX-License-Identifier: BSD-3-Clause */
#include "top_ports.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	enum dp_proto proto;
	unsigned least;
	uint16_t begins[5]; /* what nobody would leave out of the first hundred */
} lists[] = {
	{DP_PROTO_TCP, 1000, {80, 443, 22, 3389, 445}},
	{DP_PROTO_UDP, 100, {53, 123, 161, 137, 500}},
	{DP_PROTO_SCTP, 100, {2905, 3868, 36412, 38412, 443}},
};

static bool has(const uint16_t *ports, unsigned nb, uint16_t port) {
	for (unsigned i = 0; i < nb; i++)
		if (ports[i] == port)
			return true;
	return false;
}

Test(top_ports, are_many_and_each_is_there_once) {
	for (unsigned i = 0; i < 3; i++) {
		const unsigned nb = top_ports_count(lists[i].proto);
		uint16_t *ports = calloc(nb, sizeof(*ports));

		cr_assert(ports);
		cr_assert_geq(nb, lists[i].least);
		top_ports_read(lists[i].proto, nb, ports);
		for (unsigned k = 0; k < nb; k++) {
			cr_assert_neq(ports[k], 0);
			cr_assert(!has(ports, k, ports[k]), "%u twice", ports[k]);
		}
		for (unsigned k = 0; k < 5; k++)
			cr_assert(has(ports, 100, lists[i].begins[k]), "%u", lists[i].begins[k]);
		free(ports);
	}
}

Test(top_ports, fewer_are_the_beginning_of_more) {
	uint16_t few[10], more[100];

	top_ports_read(DP_PROTO_TCP, 10, few);
	top_ports_read(DP_PROTO_TCP, 100, more);
	cr_assert(!memcmp(few, more, sizeof(few)));
}

Test(top_ports, hosts_have_none) {
	cr_assert_eq(top_ports_count(DP_PROTO_ICMP), 0);
	cr_assert_eq(top_ports_count(DP_PROTO_ARP), 0);
}
