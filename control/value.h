/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Single values as text: reading them strictly, and writing them in one canonical form that reads
 * back to the same value.
 *
 * Every reader takes a whole string, without blanks around it. It returns 0, or -EINVAL with @err
 * filled: which part is at fault and what would be right. Nothing is ever guessed or cut.
 */
#ifndef CTL_VALUE_H
#define CTL_VALUE_H

#include <dp/ip.h>

enum {
	VALUE_PART_BYTES = 64,
	VALUE_WHY_BYTES = 256,
	VALUE_TEXT_BYTES = 64, /* room for the canonical text of any single value */
};

struct value_error {
	char part[VALUE_PART_BYTES]; /* what is at fault: printable, at most some 40 characters */
	char why[VALUE_WHY_BYTES];
};

/* Fill @err for the part [@text, @text + @length) and return -EINVAL. */
[[gnu::format(printf, 4, 5)]] int value_fail(
	struct value_error *err, const char *text, size_t length, const char *format, ...);

/* A whole number from @min to @max in plain decimal. */
int value_read_count(
	const char *text, uint64_t min, uint64_t max, uint64_t *out, struct value_error *err);

/* yes no on off true false 1 0, in any case. */
int value_read_bool(const char *text, bool *out, struct value_error *err);

/* One of @names (NULL-terminated). */
int value_read_name(
	const char *text, const char *const *names, unsigned *out, struct value_error *err);

/* 0 to 1. */
int value_read_fraction(const char *text, double *out, struct value_error *err);
void value_write_fraction(double fraction, char text[VALUE_TEXT_BYTES]);

/* A decimal number of seconds without a unit, `5` or `0.5`, in the range of whole milliseconds. */
int value_read_seconds(
	const char *text, uint64_t min_ms, uint64_t max_ms, double *out, struct value_error *err);
void value_write_seconds(double seconds, char text[VALUE_TEXT_BYTES]);

/* `5s`, `20ms`, `150us`, `1.5m`, `2h`; without a unit seconds. From @min_ns to @max_ns. */
int value_read_duration(
	const char *text, uint64_t min_ns, uint64_t max_ns, uint64_t *ns, struct value_error *err);
void value_write_duration(uint64_t ns, char text[VALUE_TEXT_BYTES]);

/* Bytes: `0`, `4096`, `100k`, `100M`, `1G`, in powers of 1024; 0, or from @min to @max. */
int value_read_size(
	const char *text, uint64_t min, uint64_t max, uint64_t *bytes, struct value_error *err);
void value_write_size(uint64_t bytes, char text[VALUE_TEXT_BYTES]);

/* Probes a second, or bits a second; both 0: unlimited. */
struct value_rate {
	double pps;
	double bps;
};

/* `10k`, `1.5M`, `500Mbit`, `max`. */
int value_read_rate(const char *text, struct value_rate *out, struct value_error *err);
void value_write_rate(struct value_rate rate, char text[VALUE_TEXT_BYTES]);

/* An address of either family, written by RFC 5952. */
int value_read_ip(const char *text, size_t length, dp_ip *out, struct value_error *err);
void value_write_ip(dp_ip ip, char text[VALUE_TEXT_BYTES]);

/* A dotted IPv4 address, to host byte order. */
int value_read_ipv4(const char *text, size_t length, uint32_t *out, struct value_error *err);
void value_write_ipv4(uint32_t ip, char text[VALUE_TEXT_BYTES]);

/* `02:00:5e:10:00:01`; the address of one station, so neither a group nor all zero. */
int value_read_mac(const char *text, uint8_t out[6], struct value_error *err);
void value_write_mac(const uint8_t mac[6], char text[VALUE_TEXT_BYTES]);

/* `32768-49151` or one port; 1 to 65535. */
int value_read_port_range(
	const char *text, uint16_t *first, uint16_t *last, struct value_error *err);

/* `I/N` with 1 <= I <= N. */
int value_read_shard(const char *text, uint32_t *shard, uint32_t *shards, struct value_error *err);

/* How many single edits turn @a into @b; stops counting at @limit. For "did you mean". */
unsigned value_distance(const char *a, const char *b, unsigned limit);

#endif
