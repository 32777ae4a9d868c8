/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Single values as text, read strictly and written canonically.
 *
 * Any thread. Owns no memory.
 */
#include "value.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	SHOWN_CHARACTERS = 40, /* of a part in an error */
	MAX_SHARDS = 1000000,
};

static const double max_pps = 1e10, min_pps = 0.001;
static const double max_bps = 1e12, min_bps = 1;

/* Copy a part of the input so that it can be shown: cut to size, with escapes for the rest. */
static void show(const char *text, size_t length, char part[VALUE_PART_BYTES]) {
	size_t at = 0;

	for (size_t i = 0; i < length; i++) {
		const unsigned char c = (unsigned char)text[i];
		const bool plain = c >= 0x20 && c < 0x7f;

		if (at + (plain ? 1 : 4) > SHOWN_CHARACTERS) {
			memcpy(part + at, "...", 3);
			at += 3;
			break;
		}
		if (plain)
			part[at++] = (char)c;
		else
			at += (size_t)snprintf(part + at, 5, "\\x%02x", c);
	}
	part[at] = '\0';
}

int value_fail(struct value_error *err, const char *text, size_t length, const char *format, ...) {
	va_list args;

	show(text, length, err->part);
	va_start(args, format);
	vsnprintf(err->why, sizeof(err->why), format, args);
	va_end(args);
	return -EINVAL;
}

static bool all_digits(const char *text) {
	return *text && strspn(text, "0123456789") == strlen(text);
}

int value_read_count(
	const char *text, uint64_t min, uint64_t max, uint64_t *out, struct value_error *err) {
	unsigned long long value;

	if (!all_digits(text))
		return value_fail(err, text, strlen(text),
			"not a number; give a whole number from %llu to %llu",
			(unsigned long long)min, (unsigned long long)max);
	errno = 0;
	value = strtoull(text, NULL, 10);
	if (errno || value < min || value > max)
		return value_fail(err, text, strlen(text),
			"out of range; give a whole number from %llu to %llu",
			(unsigned long long)min, (unsigned long long)max);
	*out = value;
	return 0;
}

int value_read_bool(const char *text, bool *out, struct value_error *err) {
	static const char *const names[2][4]
		= {{"no", "off", "false", "0"}, {"yes", "on", "true", "1"}};

	for (unsigned value = 0; value < 2; value++)
		for (unsigned i = 0; i < 4; i++)
			if (!strcasecmp(text, names[value][i])) {
				*out = value;
				return 0;
			}
	return value_fail(err, text, strlen(text), "neither yes nor no; give yes, no, on or off");
}

int value_read_name(
	const char *text, const char *const *names, unsigned *out, struct value_error *err) {
	char list[VALUE_WHY_BYTES - 32] = "";

	for (unsigned i = 0; names[i]; i++) {
		size_t used = strlen(list);

		if (!strcmp(text, names[i])) {
			*out = i;
			return 0;
		}
		snprintf(list + used, sizeof(list) - used, "%s%s",
			!i		       ? ""
				: names[i + 1] ? ", "
					       : " or ",
			names[i]);
	}
	return value_fail(err, text, strlen(text), "not known; give %s", list);
}

enum { MOST_DECIMALS = 18 };

/*
 * A plain decimal such as 12, 0.5 or .25: no sign, exponent, infinity or hexadecimal, which strtod()
 * would take. With at most MOST_DECIMALS digits behind the point, so that write_decimal() finds a text that reads
 * back the same. Returns the length, 0 where there is none.
 */
static size_t read_decimal(const char *text, double *out) {
	size_t whole = strspn(text, "0123456789"), length = whole;
	char copy[VALUE_TEXT_BYTES];

	if (text[length] == '.')
		length += 1 + strspn(text + length + 1, "0123456789");
	if (length == (text[whole] == '.' ? 1u : 0u) || length >= sizeof(copy)
		|| length > whole + 1 + MOST_DECIMALS)
		return 0;
	memcpy(copy, text, length);
	copy[length] = '\0';
	*out = strtod(copy, NULL);
	return length;
}

/* The shortest decimal without exponent that reads back as @value. */
static int write_decimal(double value, char *text, size_t room) {
	for (int digits = 0; digits < 25; digits++) {
		int length = snprintf(text, room, "%.*f", digits, value);

		if (strtod(text, NULL) == value)
			return length;
	}
	return snprintf(text, room, "%.25f", value);
}

int value_read_fraction(const char *text, double *out, struct value_error *err) {
	double value = 0;
	size_t length = read_decimal(text, &value);

	if (!length || text[length])
		return value_fail(err, text, strlen(text),
			"not a fraction; give a decimal from 0 to 1, with at most %d digits",
			MOST_DECIMALS);
	if (value > 1)
		return value_fail(
			err, text, strlen(text), "out of range; give a decimal from 0 to 1");
	*out = value;
	return 0;
}

void value_write_fraction(double fraction, char text[VALUE_TEXT_BYTES]) {
	write_decimal(fraction, text, VALUE_TEXT_BYTES);
}

int value_read_seconds(
	const char *text, uint64_t min_ms, uint64_t max_ms, double *out, struct value_error *err) {
	const double min = (double)min_ms / 1000, max = (double)max_ms / 1000;
	double value = 0;
	size_t length = read_decimal(text, &value);

	if (!length || text[length])
		return value_fail(err, text, strlen(text),
			"not a number of seconds; give a decimal without a unit, from %g to %g",
			min, max);
	if (value < min || value > max)
		return value_fail(err, text, strlen(text),
			"out of range; give seconds from %g to %g", min, max);
	*out = value;
	return 0;
}

void value_write_seconds(double seconds, char text[VALUE_TEXT_BYTES]) {
	write_decimal(seconds, text, VALUE_TEXT_BYTES);
}

static const struct unit {
	const char *name;
	uint64_t ns;
} units[] = {
	{"h", 3600000000000}, {"m", 60000000000}, {"s", 1000000000}, {"ms", 1000000}, {"us", 1000}};

enum {
	NB_UNITS = sizeof(units) / sizeof(units[0]),
};

static const struct unit *unit_of(const char *suffix) {
	if (!*suffix)
		suffix = "s";
	for (unsigned i = 0; i < NB_UNITS; i++)
		if (!strcmp(suffix, units[i].name))
			return &units[i];
	return NULL;
}

int value_read_duration(
	const char *text, uint64_t min_ns, uint64_t max_ns, uint64_t *ns, struct value_error *err) {
	char least[VALUE_TEXT_BYTES], most[VALUE_TEXT_BYTES];
	double value = 0;
	size_t length = read_decimal(text, &value);
	const struct unit *unit = length ? unit_of(text + length) : NULL;

	value_write_duration(min_ns, least);
	value_write_duration(max_ns, most);
	if (!unit)
		return value_fail(err, text, strlen(text),
			"not a duration; give a number with us, ms, s, m or h, from %s to %s",
			least, most);
	value = value * (double)unit->ns + 0.5;
	if (value < (double)min_ns || value >= (double)max_ns + 1)
		return value_fail(
			err, text, strlen(text), "out of range; give from %s to %s", least, most);
	/* Whole microseconds: that is what a unit can be written in. */
	*ns = (uint64_t)value / 1000 * 1000;
	return 0;
}

void value_write_duration(uint64_t ns, char text[VALUE_TEXT_BYTES]) {
	unsigned i = 0;

	if (!ns) {
		snprintf(text, VALUE_TEXT_BYTES, "0s");
		return;
	}
	/* Not in minutes: 60s and 90s read better than 1m beside 90s. */
	while (i + 1 < NB_UNITS && (ns % units[i].ns || !strcmp(units[i].name, "m")))
		i++;
	snprintf(text, VALUE_TEXT_BYTES, "%llu%s", (unsigned long long)(ns / units[i].ns),
		units[i].name);
}

static const char size_units[] = "kMG";

int value_read_size(
	const char *text, uint64_t min, uint64_t max, uint64_t *bytes, struct value_error *err) {
	char least[VALUE_TEXT_BYTES], most[VALUE_TEXT_BYTES], number[VALUE_TEXT_BYTES];
	const size_t digits = strspn(text, "0123456789");
	const char *unit = digits && text[digits] ? strchr(size_units, text[digits]) : NULL;
	const unsigned shift = unit ? 10 * (unsigned)(unit - size_units + 1) : 0;

	value_write_size(min, least);
	value_write_size(max, most);
	if (!digits || digits >= sizeof number || text[digits + (unit != NULL)])
		return value_fail(err, text, strlen(text),
			"not a size; give bytes, or a number with k, M or G, from %s to %s", least,
			most);
	memcpy(number, text, digits);
	number[digits] = '\0';
	if (value_read_count(number, 0, max >> shift, bytes, err) < 0
		|| (*bytes && *bytes << shift < min))
		return value_fail(err, text, strlen(text),
			"out of range; give from %s to %s, or 0 for none", least, most);
	*bytes <<= shift;
	return 0;
}

void value_write_size(uint64_t bytes, char text[VALUE_TEXT_BYTES]) {
	unsigned i = 0;

	while (bytes && bytes % 1024 == 0 && size_units[i]) {
		bytes /= 1024;
		i++;
	}
	snprintf(text, VALUE_TEXT_BYTES, "%llu%.*s", (unsigned long long)bytes, i > 0,
		i ? &size_units[i - 1] : "");
}

static double scale_of(char suffix) {
	switch (suffix) {
	case 'k':
	case 'K':
		return 1e3;
	case 'M':
		return 1e6;
	case 'G':
		return 1e9;
	default:
		return 1;
	}
}

static int bad_rate(const char *text, struct value_error *err) {
	return value_fail(err, text, strlen(text),
		"not a rate; give probes a second such as 1.5M, bits such as 500Mbit, or max");
}

int value_read_rate(const char *text, struct value_rate *out, struct value_error *err) {
	double value = 0;
	size_t length = read_decimal(text, &value);
	bool bits;

	if (!strcmp(text, "max")) {
		*out = (struct value_rate){0};
		return 0;
	}
	if (!length)
		return bad_rate(text, err);
	if (scale_of(text[length]) > 1)
		value *= scale_of(text[length++]);
	bits = !strcmp(text + length, "bit");
	if (!bits && text[length])
		return bad_rate(text, err);
	if (bits && (value < min_bps || value > max_bps))
		return value_fail(err, text, strlen(text), "out of range; give 1bit to 1000Gbit");
	if (!bits && (value < min_pps || value > max_pps))
		return value_fail(err, text, strlen(text),
			"out of range; give 0.001 to 10G probes a second, or max for no limit");
	*out = (struct value_rate){.pps = bits ? 0 : value, .bps = bits ? value : 0};
	return 0;
}

void value_write_rate(struct value_rate rate, char text[VALUE_TEXT_BYTES]) {
	static const char suffixes[] = {'G', 'M', 'k', '\0'};
	const double value = rate.pps + rate.bps;
	unsigned i = 0;

	if (value <= 0) {
		snprintf(text, VALUE_TEXT_BYTES, "max");
		return;
	}
	while (scale_of(suffixes[i]) > value && suffixes[i])
		i++;
	/* Dividing by the scale may round: only a text that reads back to the same rate will do. */
	for (int digits = 0; digits < 25; digits++) {
		struct value_error err;
		struct value_rate back;

		snprintf(text, VALUE_TEXT_BYTES, "%.*f%.1s%s", digits,
			value / scale_of(suffixes[i]), &suffixes[i], rate.bps > 0 ? "bit" : "");
		if (!value_read_rate(text, &back, &err) && back.pps == rate.pps
			&& back.bps == rate.bps)
			return;
	}
	write_decimal(value, text, VALUE_TEXT_BYTES - 3);
	if (rate.bps > 0)
		strcat(text, "bit");
}

/* Say why [@text, @text + @length) is no address, from the likeliest mistake to the least. */
static int refuse_ip(const char *text, size_t length, struct value_error *err) {
	if (!memchr(text, ':', length))
		return value_fail(err, text, length,
			"not an address; give one such as 192.0.2.1 or 2001:db8::1");
	if (memchr(text, '%', length))
		return value_fail(err, text, length,
			"an address with a zone; leave out what is behind the %% sign");
	if (length > 7 && !strncasecmp(text, "::ffff:", 7))
		return value_fail(err, text, length,
			"an IPv4-mapped address; write the IPv4 address, such as 192.0.2.1");
	return value_fail(err, text, length, "not an IPv6 address; give one such as 2001:db8::1");
}

int value_read_ip(const char *text, size_t length, dp_ip *out, struct value_error *err) {
	return dp_ip_read(text, length, out) < 0 ? refuse_ip(text, length, err) : 0;
}

void value_write_ip(dp_ip ip, char text[VALUE_TEXT_BYTES]) {
	dp_ip_write(ip, text);
}

int value_read_ipv4(const char *text, size_t length, uint32_t *out, struct value_error *err) {
	dp_ip ip;

	if (!dp_ip_read(text, length, &ip) && dp_ip_is_v4(ip)) {
		*out = dp_ip_to_v4(ip);
		return 0;
	}
	if (memchr(text, ':', length))
		return value_fail(err, text, length,
			"IPv6, where only IPv4 can be; give an address such as 192.0.2.1");
	return value_fail(err, text, length, "not an IPv4 address; give one such as 192.0.2.1");
}

void value_write_ipv4(uint32_t ip, char text[VALUE_TEXT_BYTES]) {
	dp_ip_write(dp_ip_v4(ip), text);
}

int value_read_mac(const char *text, uint8_t out[6], struct value_error *err) {
	static const char hex[] = "0123456789abcdef";
	uint8_t mac[6], any = 0;

	if (strlen(text) != 17)
		goto bad;
	for (unsigned i = 0; i < 6; i++) {
		const char *high = memchr(hex, tolower((unsigned char)text[i * 3]), 16);
		const char *low = memchr(hex, tolower((unsigned char)text[i * 3 + 1]), 16);

		if (!high || !low || (i < 5 && text[i * 3 + 2] != ':'))
			goto bad;
		mac[i] = (uint8_t)((high - hex) << 4 | (low - hex));
		any |= mac[i];
	}
	if (mac[0] & 1 || !any)
		return value_fail(err, text, strlen(text),
			"not the address of one station; give one such as 02:00:5e:10:00:01");
	memcpy(out, mac, 6);
	return 0;
bad:
	return value_fail(err, text, strlen(text),
		"not an Ethernet address; give six pairs of hex digits such as 02:00:5e:10:00:01");
}

void value_write_mac(const uint8_t mac[6], char text[VALUE_TEXT_BYTES]) {
	snprintf(text, VALUE_TEXT_BYTES, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		mac[3], mac[4], mac[5]);
}

/* Copy [@text, @text + @length) where it is short enough to be a number. */
static bool number_copy(const char *text, size_t length, char copy[24]) {
	if (!length || length >= 24)
		return false;
	memcpy(copy, text, length);
	copy[length] = '\0';
	return all_digits(copy);
}

int value_read_port_range(
	const char *text, uint16_t *first, uint16_t *last, struct value_error *err) {
	const char *dash = strchr(text, '-');
	const char *second = dash ? dash + 1 : text;
	unsigned long low, high;
	char copy[24];

	if (!number_copy(text, dash ? (size_t)(dash - text) : strlen(text), copy))
		goto bad;
	low = strtoul(copy, NULL, 10);
	if (!number_copy(second, strlen(second), copy))
		goto bad;
	high = strtoul(copy, NULL, 10);
	if (low < 1 || low > 65535 || high > 65535)
		return value_fail(
			err, text, strlen(text), "out of range; give ports from 1 to 65535");
	if (low > high)
		return value_fail(err, text, strlen(text), "reversed; give the lower port first");
	*first = (uint16_t)low;
	*last = (uint16_t)high;
	return 0;
bad:
	return value_fail(
		err, text, strlen(text), "not a range of ports; give one such as 32768-49151");
}

int value_read_shard(const char *text, uint32_t *shard, uint32_t *shards, struct value_error *err) {
	const char *slash = strchr(text, '/');
	unsigned long number, of;
	char copy[24];

	if (!slash || !number_copy(text, (size_t)(slash - text), copy))
		goto bad;
	number = strtoul(copy, NULL, 10);
	if (!number_copy(slash + 1, strlen(slash + 1), copy))
		goto bad;
	of = strtoul(copy, NULL, 10);
	if (of < 1 || of > MAX_SHARDS)
		return value_fail(
			err, text, strlen(text), "out of range; give 1 to %d shards", MAX_SHARDS);
	if (number < 1 || number > of)
		return value_fail(err, text, strlen(text),
			"out of range; give I/N with I from 1 to N, here 1/%lu to %lu/%lu", of, of,
			of);
	*shard = (uint32_t)number;
	*shards = (uint32_t)of;
	return 0;
bad:
	return value_fail(err, text, strlen(text), "not a shard; give I/N such as 1/4");
}

static unsigned least(unsigned a, unsigned b) {
	return a < b ? a : b;
}

/* Levenshtein's distance with swapped neighbours counted once (Damerau), in three rows. */
unsigned value_distance(const char *a, const char *b, unsigned limit) {
	enum { LONGEST = 40 };
	const size_t length_a = strlen(a), length_b = strlen(b);
	unsigned rows[3][LONGEST + 1];

	if (length_a > LONGEST || length_b > LONGEST)
		return limit;
	for (unsigned j = 0; j <= length_b; j++)
		rows[0][j] = j;
	for (unsigned i = 1; i <= length_a; i++) {
		unsigned *now = rows[i % 3], *above = rows[(i + 2) % 3], *two = rows[(i + 1) % 3];

		now[0] = i;
		for (unsigned j = 1; j <= length_b; j++) {
			now[j] = least(least(above[j] + 1, now[j - 1] + 1),
				above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least(now[j], two[j - 2] + 1);
		}
	}
	return least(rows[length_a % 3][length_b], limit);
}
