/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which of the vector units this processor has. Here and not in lanes_x86.c, of which everything is
 * compiled for processors that have them.
 */
#include "lanes.h"

#ifdef __x86_64__

bool lanes_have_avx2(void) {
	return __builtin_cpu_supports("avx2");
}

bool lanes_have_avx512(void) {
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq");
}

const struct lanes *lanes_widest(void) {
	if (lanes_have_avx512())
		return &lanes_avx512;
	return lanes_have_avx2() ? &lanes_avx2 : NULL;
}

#else

bool lanes_have_avx2(void) {
	return false;
}

bool lanes_have_avx512(void) {
	return false;
}

const struct lanes *lanes_widest(void) {
	return NULL;
}

#endif
