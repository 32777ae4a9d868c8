/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbers as people read them. Each function fills @text and returns it, so that it can stand in an
 * argument list; no result is longer than the comment says.
 */
#ifndef CTL_HUMAN_H
#define CTL_HUMAN_H

#include <dp/ip.h>

enum {
	HUMAN_BYTES = 32,
	HUMAN_WIDE_BYTES = 56,
};

char *human_count(uint64_t n, char text[static HUMAN_BYTES]); /* "1,234,567"; 26 characters */
char *human_wide(dp_u128 n, char text[static HUMAN_WIDE_BYTES]); /* the same; 51 */
char *human_short(uint64_t n, char text[static HUMAN_BYTES]); /* "123,456", "1.23M"; 8 */
char *human_tiny(double n, char text[static HUMAN_BYTES]); /* "2.5", "999", "1.2k", "12M"; 4 */
char *human_bytes(uint64_t n, char text[static HUMAN_BYTES]); /* "62.9 MB"; 9 */
char *human_rate(double pps, char text[static HUMAN_BYTES]); /* "99.9 kpps"; 12 */
char *human_clock(
	double seconds, char text[static HUMAN_BYTES]); /* "0:04", "1:02:03", "3d04h"; 7 */
char *human_rtt(uint32_t rtt_us, char text[static HUMAN_BYTES]); /* "0.41 ms", "1.20 s"; 9 */

/*
 * What others said, safe on a terminal: printable ASCII as it is, each other byte as \xNN, cut with
 * a ~ in its last place where it needs more than @columns (of at least 1). Fills @text, of
 * @columns + 1 bytes, and returns it.
 */
char *human_text(const void *bytes, size_t n, char *text, unsigned columns);

#endif
