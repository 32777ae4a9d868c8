/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Addresses as text. Pure functions; any thread; owns no memory.
 */
#include <dp/ip.h>

#include <errno.h>
#include <string.h>

enum {
	GROUPS = 8, /* of 16 bits */
};

/* A number in decimal without leading zeros; returns where it ends. */
static char *put_decimal(char *out, unsigned value) {
	if (value >= 100)
		*out++ = (char)('0' + value / 100);
	if (value >= 10)
		*out++ = (char)('0' + value / 10 % 10);
	*out++ = (char)('0' + value % 10);
	return out;
}

static unsigned write_v4(uint32_t ip, char *text) {
	char *out = text;

	for (int shift = 24; shift >= 0; shift -= 8) {
		out = put_decimal(out, ip >> shift & 255);
		*out++ = shift ? '.' : '\0';
	}
	return (unsigned)(out - text - 1);
}

static char *put_group(char *out, unsigned group) {
	static const char hex[] = "0123456789abcdef";
	int shift = 12;

	while (shift && !(group >> shift))
		shift -= 4;
	for (; shift >= 0; shift -= 4)
		*out++ = hex[group >> shift & 15];
	return out;
}

/*
 * The longest run of two or more zero groups, the first of equal ones (RFC 5952 4.2): its length,
 * and where it begins in *@first.
 */
static unsigned zero_run(const uint16_t *group, unsigned *first) {
	unsigned best = 0, run = 0;

	for (unsigned i = 0; i < GROUPS; i++) {
		run = group[i] ? 0 : run + 1;
		if (run > best && run > 1) {
			best = run;
			*first = i + 1 - run;
		}
	}
	return best;
}

static unsigned write_v6(dp_ip ip, char *text) {
	uint16_t group[GROUPS];
	unsigned first = GROUPS, run;
	char *out = text;

	for (unsigned i = 0; i < GROUPS; i++)
		group[i] = (uint16_t)(ip >> (112 - 16 * i));
	run = zero_run(group, &first);
	for (unsigned i = 0; i < GROUPS; i++) {
		if (i == first) {
			*out++ = ':';
			if (i + run == GROUPS)
				*out++ = ':';
			i += run - 1;
			continue;
		}
		if (i)
			*out++ = ':';
		out = put_group(out, group[i]);
	}
	*out = '\0';
	return (unsigned)(out - text);
}

unsigned dp_ip_write(dp_ip ip, char text[static DP_IP_TEXT_BYTES]) {
	return dp_ip_is_v4(ip) ? write_v4(dp_ip_to_v4(ip), text) : write_v6(ip, text);
}

/* All of [@text, @text + @length) as four decimal numbers, none with a leading zero. */
static int read_v4(const char *text, size_t length, uint32_t *ip) {
	size_t at = 0;

	*ip = 0;
	for (unsigned i = 0; i < 4; i++) {
		size_t digits = 0;
		unsigned value = 0;

		if (i && (at >= length || text[at++] != '.'))
			return -EINVAL;
		while (at < length && digits < 4 && text[at] >= '0' && text[at] <= '9') {
			value = value * 10 + (unsigned)(text[at++] - '0');
			digits++;
		}
		if (!digits || value > 255 || (digits > 1 && text[at - digits] == '0'))
			return -EINVAL;
		*ip = *ip << 8 | value;
	}
	return at == length ? 0 : -EINVAL;
}

static int hex_value(char c) {
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Groups read so far, left to right; where a `::` stood, if any did. */
struct groups {
	dp_ip value;
	unsigned nb;
	int gap; /* groups in front of `::`; -1: there was none */
};

/* One group, or dotted numbers for the last two (RFC 4291 2.2.3), at @text[*at]. */
static int read_group(const char *text, size_t length, size_t *at, struct groups *groups) {
	const size_t first = *at;
	unsigned value = 0;
	uint32_t v4;

	while (*at < length && *at < first + 4 && hex_value(text[*at]) >= 0)
		value = value << 4 | (unsigned)hex_value(text[(*at)++]);
	if (*at == first)
		return -EINVAL;
	if (*at == length || text[*at] == ':') {
		groups->value = groups->value << 16 | value;
		groups->nb++;
		return 0;
	}
	if (text[*at] != '.' || read_v4(text + first, length - first, &v4) < 0)
		return -EINVAL;
	*at = length;
	groups->value = groups->value << 32 | v4;
	groups->nb += 2;
	return 0;
}

/* Put the groups where they belong: those behind `::` at the end, zeros between. */
static int place(const struct groups *groups, dp_ip *ip) {
	unsigned behind;
	dp_ip mask;

	if (groups->gap < 0) {
		*ip = groups->value;
		return groups->nb == GROUPS ? 0 : -EINVAL;
	}
	if (groups->nb >= GROUPS)
		return -EINVAL;
	behind = 16 * (groups->nb - (unsigned)groups->gap);
	mask = ((dp_ip)1 << behind) - 1;
	*ip = groups->value & mask;
	if (groups->gap)
		*ip |= groups->value >> behind << (128 - 16 * (unsigned)groups->gap);
	return 0;
}

static int read_v6(const char *text, size_t length, dp_ip *ip) {
	struct groups groups = {.gap = -1};
	size_t at = 0;

	if (length >= 2 && text[0] == ':' && text[1] == ':') {
		groups.gap = 0;
		at = 2;
	}
	while (at < length) {
		if (groups.nb >= GROUPS || read_group(text, length, &at, &groups) < 0)
			return -EINVAL;
		if (at == length)
			break;
		at++; /* the colon behind the group; an address does not end with one */
		if (at == length)
			return -EINVAL;
		if (text[at] != ':')
			continue;
		if (groups.gap >= 0)
			return -EINVAL;
		groups.gap = (int)groups.nb;
		at++;
	}
	return place(&groups, ip);
}

int dp_ip_read(const char *text, size_t length, dp_ip *ip) {
	uint32_t v4;
	dp_ip v6;

	if (!memchr(text, ':', length < 5 ? length : 5)) {
		if (read_v4(text, length, &v4) < 0)
			return -EINVAL;
		*ip = dp_ip_v4(v4);
		return 0;
	}
	if (read_v6(text, length, &v6) < 0 || dp_ip_is_v4(v6))
		return -EINVAL;
	*ip = v6;
	return 0;
}

unsigned dp_u128_write(dp_u128 value, char text[static DP_U128_TEXT_BYTES]) {
	char digits[DP_U128_TEXT_BYTES];
	unsigned nb = 0;

	do {
		digits[nb++] = (char)('0' + (unsigned)(value % 10));
		value /= 10;
	} while (value);
	for (unsigned i = 0; i < nb; i++)
		text[i] = digits[nb - 1 - i];
	text[nb] = '\0';
	return nb;
}
