/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbers for people. Pure functions of their arguments, for any thread; they own no memory.
 */
#include "human.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* @digits in groups of three. */
static char *group(const char *digits, unsigned length, char *text) {
	char *p = text;

	for (unsigned i = 0; i < length; i++) {
		if (i && (length - i) % 3 == 0)
			*p++ = ',';
		*p++ = digits[i];
	}
	*p = '\0';
	return text;
}

char *human_count(uint64_t n, char text[static HUMAN_BYTES]) {
	char digits[DP_U128_TEXT_BYTES];

	return group(digits, dp_u128_write(n, digits), text);
}

char *human_wide(dp_u128 n, char text[static HUMAN_WIDE_BYTES]) {
	char digits[DP_U128_TEXT_BYTES];

	return group(digits, dp_u128_write(n, digits), text);
}

char *human_short(uint64_t n, char text[static HUMAN_BYTES]) {
	static const char units[] = "MGTPE";
	double value = (double)n / 1e6;
	unsigned unit = 0;

	if (n < 1000000)
		return human_count(n, text);
	for (; value >= 999.995 && units[unit + 1]; unit++)
		value /= 1000;
	snprintf(text, HUMAN_BYTES, "%.2f%c", value, units[unit]);
	return text;
}

char *human_tiny(double n, char text[static HUMAN_BYTES]) {
	static const char units[] = "kMGTPE";
	unsigned unit = 0;

	if (!(n > 0)) /* also not a number */
		n = 0;
	if (n < 999.5) {
		snprintf(text, HUMAN_BYTES, n < 9.95 && n != floor(n) ? "%.1f" : "%.0f", n);
		return text;
	}
	for (n /= 1000; n >= 999.5 && units[unit + 1]; unit++)
		n /= 1000;
	if (n > 999)
		n = 999;
	snprintf(text, HUMAN_BYTES, n < 9.95 ? "%.1f%c" : "%.0f%c", n, units[unit]);
	return text;
}

char *human_bytes(uint64_t n, char text[static HUMAN_BYTES]) {
	static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
	double value = (double)n / 1e3;
	unsigned unit = 0;

	for (; value >= 999.95 && unit + 1 < sizeof units / sizeof *units; unit++)
		value /= 1000;
	if (n < 1000)
		snprintf(text, HUMAN_BYTES, "%u bytes", (unsigned)n);
	else
		snprintf(text, HUMAN_BYTES, "%.1f %s", value, units[unit]);
	return text;
}

char *human_rate(double pps, char text[static HUMAN_BYTES]) {
	if (!(pps > 0)) /* also not a number */
		pps = 0;
	if (pps < 999.5)
		snprintf(text, HUMAN_BYTES, pps > 0 && pps < 9.95 ? "%.1f pps" : "%.0f pps", pps);
	else if (pps < 999.95e3)
		snprintf(text, HUMAN_BYTES, "%.1f kpps", pps / 1e3);
	else if (pps < 999.995e6)
		snprintf(text, HUMAN_BYTES, "%.2f Mpps", pps / 1e6);
	else
		snprintf(text, HUMAN_BYTES, "%.2f Gpps", pps < 9999e9 ? pps / 1e9 : 9999.0);
	return text;
}

char *human_clock(double seconds, char text[static HUMAN_BYTES]) {
	const unsigned most = 999 * 86400; /* nobody waits longer */
	unsigned s = !(seconds > 0) ? 0 : seconds < most ? (unsigned)(seconds + 0.5) : most;

	if (s < 3600)
		snprintf(text, HUMAN_BYTES, "%u:%02u", s / 60, s % 60);
	else if (s < 86400)
		snprintf(text, HUMAN_BYTES, "%u:%02u:%02u", s / 3600, s / 60 % 60, s % 60);
	else
		snprintf(text, HUMAN_BYTES, "%ud%02uh", s / 86400, s / 3600 % 24);
	return text;
}

char *human_rtt(uint32_t rtt_us, char text[static HUMAN_BYTES]) {
	if (rtt_us < 100)
		snprintf(text, HUMAN_BYTES, "0.%03u ms", rtt_us);
	else if (rtt_us < 999995)
		snprintf(text, HUMAN_BYTES, "%.2f ms", rtt_us / 1e3);
	else
		snprintf(text, HUMAN_BYTES, "%.2f s", rtt_us / 1e6);
	return text;
}

/*
 * A whole \xNN or nothing of it. The last column is kept for the ~ until it is known that nothing
 * follows.
 */
char *human_text(const void *bytes, size_t n, char *text, unsigned columns) {
	static const char hex[] = "0123456789abcdef";
	const uint8_t *p = bytes;
	unsigned used = 0;

	for (size_t i = 0; i < n; i++) {
		bool printable = p[i] >= 0x20 && p[i] < 0x7f;
		unsigned want = printable ? 1 : 4;
		if (used + want + (i + 1 < n) > columns) {
			text[used++] = '~';
			break;
		}
		if (printable) {
			text[used++] = (char)p[i];
			continue;
		}
		text[used++] = '\\';
		text[used++] = 'x';
		text[used++] = hex[p[i] >> 4];
		text[used++] = hex[p[i] & 15];
	}
	text[used] = '\0';
	return text;
}
