/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of all options, the kinds of values they take, and the texts made from it.
 *
 * Main thread, before the scan starts. Owns nothing.
 */
#include "filter.h"
#include "names.h"
#include "options.h"
#include "targets.h"

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	MOST_SCAN_TYPES = 32,
};

/* ---- Kinds of values ---- */

static int keep(const char *text, char **canonical) {
	*canonical = strdup(text);
	return *canonical ? 0 : -ENOMEM;
}

/* The part of the @length bytes at @text without the blanks around it. */
static const char *trim(const char *text, size_t *length) {
	while (*length && (*text == ' ' || *text == '\t')) {
		text++;
		(*length)--;
	}
	while (*length && (text[*length - 1] == ' ' || text[*length - 1] == '\t'))
		(*length)--;
	return text;
}

static int read_text(const struct option *option, const char *text, void *field, char **canonical,
	struct value_error *why) {
	const size_t length = strlen(text);

	if (length < option->min)
		return value_fail(why, text, length, "empty; %s", option->help);
	if (option->max && length > option->max)
		return value_fail(why, text, length, "too long; give at most %llu characters",
			(unsigned long long)option->max);
	return keep(text, canonical);
}

static int read_bool(const struct option *option, const char *text, void *field, char **canonical,
	struct value_error *why) {
	const bool on_off = !strcmp(option->initial, "on") || !strcmp(option->initial, "off");
	bool *value = field;
	int ret = value_read_bool(text, value, why);

	if (ret < 0)
		return ret;
	return keep(*value ? (on_off ? "on" : "yes") : (on_off ? "off" : "no"), canonical);
}

static int read_name(const struct option *option, const char *text, void *field, char **canonical,
	struct value_error *why) {
	int ret = value_read_name(text, option->names, field, why);

	return ret < 0 ? ret : keep(text, canonical);
}

static int read_count(const struct option *option, const char *text, void *field, char **canonical,
	struct value_error *why) {
	char buffer[VALUE_TEXT_BYTES];
	uint64_t *value = field;
	int ret = value_read_count(text, option->min, option->max, value, why);

	if (ret < 0)
		return ret;
	snprintf(buffer, sizeof(buffer), "%llu", (unsigned long long)*value);
	return keep(buffer, canonical);
}

/* A timing template by number, or by nmap's name for it. */
static int read_timing(const struct option *option, const char *text, void *field, char **canonical,
	struct value_error *why) {
	static const char *const names[]
		= {"paranoid", "sneaky", "polite", "normal", "aggressive", "insane", NULL};
	uint64_t *value = field;

	for (unsigned i = 0; names[i]; i++)
		if (!strcmp(text, names[i])) {
			*value = i;
			return asprintf(canonical, "%u", i) < 0 ? -ENOMEM : 0;
		}
	return read_count(option, text, field, canonical, why);
}

static int read_auto_count(const struct option *option, const char *text, void *field,
	char **canonical, struct value_error *why) {
	struct value_error number;
	uint64_t *value = field;

	if (!strcmp(text, "auto")) {
		*value = 0;
		return keep(text, canonical);
	}
	if (read_count(option, text, field, canonical, &number) < 0)
		return value_fail(why, text, strlen(text),
			"give auto, or a number from %llu to %llu", (unsigned long long)option->min,
			(unsigned long long)option->max);
	return 0;
}

static int read_fraction(const struct option *option, const char *text, void *field,
	char **canonical, struct value_error *why) {
	char buffer[VALUE_TEXT_BYTES];
	double *value = field;
	int ret = value_read_fraction(text, value, why);

	if (ret < 0)
		return ret;
	value_write_fraction(*value, buffer);
	return keep(buffer, canonical);
}

static int read_duration(const struct option *option, const char *text, void *field,
	char **canonical, struct value_error *why) {
	char buffer[VALUE_TEXT_BYTES];
	uint64_t *ns = field;
	int ret = value_read_duration(text, option->min, option->max, ns, why);

	if (ret < 0)
		return ret;
	value_write_duration(*ns, buffer);
	return keep(buffer, canonical);
}

/* 0, or the row's bounds. */
static int read_size(const struct option *option, const char *text, void *field, char **canonical,
	struct value_error *why) {
	char buffer[VALUE_TEXT_BYTES];
	uint64_t *bytes = field;
	int ret = value_read_size(text, option->min, option->max, bytes, why);

	if (ret < 0)
		return ret;
	value_write_size(*bytes, buffer);
	return keep(buffer, canonical);
}

/* The row's bounds are in milliseconds. */
static int read_seconds(const struct option *option, const char *text, void *field,
	char **canonical, struct value_error *why) {
	char buffer[VALUE_TEXT_BYTES];
	double *seconds = field;
	int ret = value_read_seconds(text, option->min, option->max, seconds, why);

	if (ret < 0)
		return ret;
	value_write_seconds(*seconds, buffer);
	return keep(buffer, canonical);
}

static int read_rate(const struct option *option, const char *text, void *field, char **canonical,
	struct value_error *why) {
	__typeof__(((struct settings *)0)->rate) *rate = field;
	char buffer[VALUE_TEXT_BYTES];
	int ret;

	rate->given = *text;
	if (!rate->given)
		return keep(text, canonical);
	ret = value_read_rate(text, &rate->value, why);
	if (ret < 0)
		return ret;
	value_write_rate(rate->value, buffer);
	return keep(buffer, canonical);
}

static int read_shard(const struct option *option, const char *text, void *field, char **canonical,
	struct value_error *why) {
	__typeof__(((struct settings *)0)->shard) *shard = field;
	char buffer[VALUE_TEXT_BYTES];
	int ret = value_read_shard(text, &shard->number, &shard->of, why);

	if (ret < 0)
		return ret;
	snprintf(buffer, sizeof(buffer), "%u/%u", shard->number, shard->of);
	return keep(buffer, canonical);
}

/* Whether a single station can have @ip: no network 0, loopback aside no group, not unspecified. */
static bool is_host(dp_ip ip) {
	const uint32_t v4 = dp_ip_to_v4(ip);

	if (dp_ip_is_v4(ip))
		return v4 >> 24 != 0 && v4 < 0xe0000000;
	return ip != 0 && ip >> 120 != 0xff;
}

/* Takes the next of the items that @list splits at commas, without the blanks around it. */
static const char *next_item(const char **list, size_t *length) {
	const size_t whole = strcspn(*list, ",");
	const char *item = *list;

	*length = whole;
	item = trim(item, length);
	*list += whole + ((*list)[whole] == ',');
	return item;
}

static bool all_digits(const char *text, size_t length) {
	for (size_t i = 0; i < length; i++)
		if (text[i] < '0' || text[i] > '9')
			return false;
	return length > 0;
}

/* `192.0.2.0/28`: @slash is where the length begins. */
static int read_prefix(const char *item, size_t length, const char *slash, struct dp_range *range,
	struct value_error *why) {
	const size_t digits = (size_t)(item + length - slash - 1);
	int ret = value_read_ip(item, (size_t)(slash - item), &range->first, why);
	unsigned bits, width;

	if (ret < 0)
		return ret;
	width = dp_ip_is_v4(range->first) ? 32 : 128;
	bits = digits <= 3 && all_digits(slash + 1, digits) ? (unsigned)atoi(slash + 1) : 129;
	if (bits > width || (digits > 1 && slash[1] == '0'))
		return value_fail(
			why, item, length, "not a prefix; its length is /0 to /%u", width);
	const dp_u128 host = bits == width ? 0 : DP_U128_MAX >> (128 - (width - bits));
	if (range->first & host)
		return value_fail(
			why, item, length, "not a prefix; bits behind its length are set");
	range->last = range->first | host;
	return 0;
}

/* An address, `first-last`, or a prefix, all of it hosts. */
static int read_source_item(
	const char *item, size_t length, struct dp_range *range, struct value_error *why) {
	const char *dash = memchr(item, '-', length), *slash = memchr(item, '/', length);
	const size_t first = dash ? (size_t)(dash - item) : length;
	int ret;

	if (slash) {
		ret = read_prefix(item, length, slash, range, why);
	} else {
		ret = value_read_ip(item, first, &range->first, why);
		range->last = range->first;
		if (!ret && dash)
			ret = value_read_ip(
				dash + 1, (size_t)(item + length - dash - 1), &range->last, why);
	}
	if (ret < 0)
		return ret;
	if (dp_ip_is_v4(range->first) != dp_ip_is_v4(range->last) || range->first > range->last)
		return value_fail(why, item, length,
			"not a range; give the lower address first, of one family");
	if (!is_host(range->first) || !is_host(range->last))
		return value_fail(why, item, length,
			"not addresses of hosts; give auto, or such as 192.0.2.1 or "
			"2001:db8::/120");
	return 0;
}

/* The text that stands for a range: an address, else a prefix where it is one, else both ends. */
static char *put_range(char *p, const struct dp_range *range) {
	const dp_u128 host = range->last - range->first;
	const bool prefix = (host & (host + 1)) == 0 && (range->first & host) == 0;
	char text[VALUE_TEXT_BYTES];
	unsigned bits = dp_ip_is_v4(range->first) ? 32 : 128;

	value_write_ip(range->first, text);
	p = stpcpy(p, text);
	if (!host)
		return p;
	for (dp_u128 left = host; left; left >>= 1)
		bits--;
	if (prefix)
		return p + sprintf(p, "/%u", bits);
	value_write_ip(range->last, text);
	return p + sprintf(p, "-%s", text);
}

static int put_ranges(const struct dp_range *range, size_t nb, char **canonical) {
	char *p = *canonical = malloc(nb * (2 * VALUE_TEXT_BYTES + 3) + 1);

	if (!p)
		return -ENOMEM;
	*p = '\0';
	for (size_t i = 0; i < nb; i++) {
		p = stpcpy(p, i ? ", " : "");
		p = put_range(p, &range[i]);
	}
	return 0;
}

static int gather_sources(const char *text, struct dp_ipset *set, struct value_error *why) {
	const char *rest = text;

	while (*rest) {
		size_t length;
		const char *item = next_item(&rest, &length);
		struct dp_range range;
		int ret = length ? read_source_item(item, length, &range, why)
				 : value_fail(why, text, strlen(text),
					 "an item is empty; give auto, or addresses, ranges and "
					 "prefixes");

		if (ret < 0)
			return ret;
		ret = dp_ipset_add(set, range.first, range.last);
		if (ret < 0)
			return ret == -ENOMEM
				? ret
				: value_fail(why, item, length, "not a range of one family");
	}
	return 0;
}

/* `auto`, or addresses, ranges and prefixes, of both families. */
static int read_sources(const struct option *option, const char *text, void *field,
	char **canonical, struct value_error *why) {
	__typeof__(((struct port_settings *)0)->source) *source = field;
	const struct dp_range *ranges;
	struct dp_ipset *set;
	size_t nb;
	int ret;

	source->nb = 0;
	if (!strcmp(text, "auto"))
		return keep(text, canonical);
	if (!*text)
		return value_fail(why, text, 0, "empty; give auto, or addresses");
	ret = dp_ipset_create(&set);
	if (ret < 0)
		return ret;
	ret = gather_sources(text, set, why);
	dp_ipset_seal(set);
	nb = dp_ipset_ranges(set, &ranges);
	if (!ret && nb > DP_MAX_SOURCES)
		ret = value_fail(why, text, strlen(text),
			"%zu ranges; give at most %d that do not touch", nb, DP_MAX_SOURCES);
	if (!ret)
		ret = put_ranges(ranges, nb, canonical);
	if (!ret) {
		memcpy(source->range, ranges, nb * sizeof(*ranges));
		source->nb = (unsigned)nb;
	}
	dp_ipset_destroy(set);
	return ret;
}

/* `auto`, or the address of a router, or one of each family. */
static int read_gateways(const struct option *option, const char *text, void *field,
	char **canonical, struct value_error *why) {
	__typeof__(((struct port_settings *)0)->gateway) *gateway = field;
	char v4[VALUE_TEXT_BYTES] = "", v6[VALUE_TEXT_BYTES] = "";
	const char *rest = text;

	*gateway = (__typeof__(*gateway)){0};
	if (!strcmp(text, "auto"))
		return keep(text, canonical);
	do {
		size_t length;
		const char *item = next_item(&rest, &length);
		dp_ip ip, *place;
		int ret = value_read_ip(item, length, &ip, why);

		if (ret < 0)
			return ret;
		if (!is_host(ip))
			return value_fail(why, item, length,
				"not the address of a host; give auto, or one such as 192.0.2.1");
		place = dp_ip_is_v4(ip) ? &gateway->v4 : &gateway->v6;
		if (*place)
			return value_fail(why, item, length,
				"a second one of its family; give at most one IPv4 and one IPv6 "
				"address");
		*place = ip;
		value_write_ip(ip, dp_ip_is_v4(ip) ? v4 : v6);
	} while (*rest);
	return asprintf(canonical, "%s%s%s", v4, *v4 && *v6 ? ", " : "", v6) < 0 ? -ENOMEM : 0;
}

/* The name of a row of the packet core's table. */
static int read_one_type(
	const char *text, const struct dp_scan_type **type, struct value_error *why) {
	const char *names[MOST_SCAN_TYPES + 1] = {0};
	const struct dp_scan_type *row;
	unsigned place;
	int ret;

	for (unsigned i = 0; i < MOST_SCAN_TYPES && (row = dp_scan_at(i)); i++)
		names[i] = row->name;
	ret = value_read_name(text, names, &place, why);
	if (!ret)
		*type = dp_scan_at(place);
	return ret;
}

/* Why @more does not go with @type. */
static int refuse_mix(const struct dp_scan_type *type, const struct dp_scan_type *more,
	const char *text, struct value_error *why) {
	const struct dp_scan_type *alone = type->has_ports ? more : type;

	if (!alone->has_ports)
		return value_fail(why, text, strlen(text),
			"%s goes with no other type; a run takes one TCP type, udp and sctp "
			"together",
			alone->name);
	if (dp_scan_part(type, more->proto) == more)
		return value_fail(why, text, strlen(text), "%s is there twice", more->name);
	return value_fail(why, text, strlen(text),
		"%s and %s exclude each other: a run takes one TCP type, and udp and sctp with it",
		dp_scan_part(type, more->proto)->name, more->name);
}

/* One type, or a mix of them separated by commas, in any order. */
static int read_scan_type(const struct option *option, const char *text, void *field,
	char **canonical, struct value_error *why) {
	const struct dp_scan_type **type = field, *sum = NULL, *more = NULL, *mix;
	char *list = strdup(text), *rest = list, *item;
	int ret = list ? 0 : -ENOMEM;

	while (!ret && (item = strsep(&rest, ","))) {
		item += strspn(item, " \t");
		item[strcspn(item, " \t")] = '\0';
		ret = read_one_type(item, &more, why);
		mix = !ret && sum ? dp_scan_mix(sum, more) : more;
		if (!ret && !mix)
			ret = refuse_mix(sum, more, text, why);
		sum = mix;
	}
	free(list);
	if (ret)
		return ret;
	*type = sum;
	return keep(sum->name, canonical);
}

/* Empty, or the IPv4 address of one host. */
static int read_local(const struct option *option, const char *text, void *field, char **canonical,
	struct value_error *why) {
	char buffer[VALUE_TEXT_BYTES];
	dp_ip *ip = field;
	int ret;

	*ip = 0;
	if (!*text)
		return keep(text, canonical);
	ret = value_read_ip(text, strlen(text), ip, why);
	if (ret < 0)
		return ret;
	if (!dp_ip_is_v4(*ip) || !is_host(*ip))
		return value_fail(why, text, strlen(text),
			"not the IPv4 address of a host; leave it empty, or give one such as "
			"192.0.2.1");
	value_write_ip(*ip, buffer);
	return keep(buffer, canonical);
}

/* Empty, or what the kernel takes for the name of an interface. */
static int read_device(const struct option *option, const char *text, void *field, char **canonical,
	struct value_error *why) {
	const size_t length = strlen(text);

	if (length >= IFNAMSIZ || strpbrk(text, "/ \t"))
		return value_fail(why, text, length,
			"not the name of an interface; give one such as eth1, with up to %d "
			"characters",
			IFNAMSIZ - 1);
	return keep(text, canonical);
}

static int read_mac(const struct option *option, const char *text, void *field, char **canonical,
	struct value_error *why) {
	__typeof__(((struct port_settings *)0)->gateway_mac) *mac = field;
	char buffer[VALUE_TEXT_BYTES];
	int ret;

	mac->given = *text;
	if (!mac->given)
		return keep(text, canonical);
	ret = value_read_mac(text, mac->bytes, why);
	if (ret < 0)
		return ret;
	value_write_mac(mac->bytes, buffer);
	return keep(buffer, canonical);
}

static int read_port_range(const struct option *option, const char *text, void *field,
	char **canonical, struct value_error *why) {
	__typeof__(((struct settings *)0)->source_ports) *ports = field;
	char buffer[VALUE_TEXT_BYTES];
	int ret = value_read_port_range(text, &ports->first, &ports->last, why);

	if (ret < 0)
		return ret;
	snprintf(buffer, sizeof(buffer), "%u-%u", ports->first, ports->last);
	return keep(buffer, canonical);
}

static int read_addresses(const struct option *option, const char *text, void *field,
	char **canonical, struct value_error *why) {
	return targets_check(text, canonical, why);
}

/* Addresses and host names. */
static int read_targets(const struct option *option, const char *text, void *field,
	char **canonical, struct value_error *why) {
	return targets_check_named(text, canonical, why);
}

/* What names stood for, as names_text() has it. */
static int read_resolved(const struct option *option, const char *text, void *field,
	char **canonical, struct value_error *why) {
	struct names *names;
	int ret = names_create(text, &names, why);

	if (ret < 0)
		return ret;
	names_want_all(names);
	*canonical = names_text(names);
	names_destroy(names);
	return *canonical ? 0 : -ENOMEM;
}

/*
 * Names split at commas: the canonical text has ", " between them. With @check, which gives a
 * complaint about one of them or NULL.
 */
static int read_list(const char *text, const char *(*check)(const char *name, size_t length),
	char **canonical, struct value_error *why) {
	char *out = malloc(2 * strlen(text) + 1);
	size_t at = 0;

	if (!out)
		return -ENOMEM;
	while (*text) {
		const size_t whole = strcspn(text, ",");
		size_t length = whole;
		const char *name = trim(text, &length);
		const char *complaint = length && check ? check(name, length) : NULL;

		if (complaint) {
			free(out);
			return value_fail(why, name, length, "%s", complaint);
		}
		if (length && at) {
			out[at++] = ',';
			out[at++] = ' ';
		}
		memcpy(out + at, name, length);
		at += length;
		text += whole + (text[whole] == ',');
	}
	out[at] = '\0';
	*canonical = out;
	return 0;
}

/* `127.0.0.1:9464`, `[::1]:9464`, or nothing. */
static int read_listen(const struct option *option, const char *text, void *field, char **canonical,
	struct value_error *why) {
	struct ctl_listen *listen = field;
	const char *colon = strrchr(text, ':');
	const bool bracket = *text == '[' && colon && colon > text + 1 && colon[-1] == ']';
	uint64_t port;
	char ip[VALUE_TEXT_BYTES], buffer[VALUE_TEXT_BYTES + 16];
	int ret;

	*listen = (struct ctl_listen){0};
	if (!*text)
		return keep(text, canonical);
	if (!colon || colon == text)
		return value_fail(why, text, strlen(text),
			"not an address and a port; give such as 127.0.0.1:9464 or [::1]:9464");
	ret = value_read_ip(
		text + bracket, (size_t)(colon - text) - 2 * (size_t)bracket, &listen->ip, why);
	if (!ret && bracket == dp_ip_is_v4(listen->ip))
		ret = value_fail(why, text, strlen(text),
			"an IPv6 address stands in brackets, [::1]:9464, an IPv4 address without");
	if (!ret)
		ret = value_read_count(colon + 1, 1, UINT16_MAX, &port, why);
	if (ret)
		return ret;
	listen->on = true;
	listen->local
		= dp_ip_is_v4(listen->ip) ? dp_ip_to_v4(listen->ip) >> 24 == 127 : listen->ip == 1;
	listen->port = (uint16_t)port;
	value_write_ip(listen->ip, ip);
	snprintf(buffer, sizeof buffer, bracket ? "[%s]:%u" : "%s:%u", ip, listen->port);
	return keep(buffer, canonical);
}

/* Addresses and prefixes, split at commas. */
static int gather_prefixes(const char *text, struct dp_ipset *set, struct value_error *why) {
	int ret = 0;

	for (const char *rest = text; !ret && *rest;) {
		size_t length;
		const char *item = next_item(&rest, &length);
		const char *slash = memchr(item, '/', length);
		struct dp_range range;

		if (slash) {
			ret = read_prefix(item, length, slash, &range, why);
		} else {
			ret = value_read_ip(item, length, &range.first, why);
			range.last = range.first;
		}
		if (!ret)
			ret = dp_ipset_add(set, range.first, range.last);
		if (ret == -EINVAL && !*why->why)
			value_fail(why, item, length, "not a range of one family");
	}
	return ret;
}

static int read_prefixes(const struct option *option, const char *text, void *field,
	char **canonical, struct value_error *why) {
	struct ctl_allowed *allowed = field;
	const struct dp_range *ranges;
	struct dp_ipset *set;
	size_t nb = 0;
	int ret;

	*why = (struct value_error){0};
	if (dp_ipset_create(&set) < 0)
		return -ENOMEM;
	ret = gather_prefixes(text, set, why);
	dp_ipset_seal(set);
	if (!ret)
		nb = dp_ipset_ranges(set, &ranges);
	if (nb > CTL_MAX_ALLOWED)
		ret = value_fail(why, text, strlen(text), "more than %d ranges of addresses",
			CTL_MAX_ALLOWED);
	if (!ret) {
		allowed->nb = (unsigned)nb;
		if (nb)
			memcpy(allowed->range, ranges, nb * sizeof *ranges);
		ret = read_list(text, NULL, canonical, why);
	}
	dp_ipset_destroy(set);
	return ret;
}

static int read_files(const struct option *option, const char *text, void *field, char **canonical,
	struct value_error *why) {
	return read_list(text, NULL, canonical, why);
}

static const char *complain_folder(const char *name, size_t length) {
	if (*name == '~' && length > 1 && name[1] != '/')
		return "only ~ and ~/... stand for a home; give the whole path";
	return NULL;
}

static int read_folders(const struct option *option, const char *text, void *field,
	char **canonical, struct value_error *why) {
	return read_list(text, complain_folder, canonical, why);
}

static const char *complain_plugin(const char *name, size_t length) {
	char copy[LH_NAME_BYTES];

	if (memchr(name, '/', length))
		return "a path, not a plugin's name; give its name, and the folder that it lies in "
		       "with --plugin-dir";
	snprintf(copy, sizeof(copy), "%.*s", (int)length, name);
	if (length >= sizeof(copy) || !lh_name_valid(copy))
		return "not a plugin's name; they have 1 to 64 of a-z, 0-9 and -";
	return NULL;
}

static int read_plugins(const struct option *option, const char *text, void *field,
	char **canonical, struct value_error *why) {
	return read_list(text, complain_plugin, canonical, why);
}

enum {
	PORTS_TEXT_BYTES = PORTS_MAX / 2 * sizeof("65535,") + 1,
};

/* Ascending ports as ranges; returns how long that is. */
static size_t write_ports(const uint16_t *ports, unsigned nb, char *out) {
	size_t at = 0;

	out[0] = '\0';
	for (unsigned i = 0, last; i < nb; i = last + 1) {
		last = i;
		while (last + 1 < nb && ports[last + 1] == ports[last] + 1)
			last++;
		at += (size_t)sprintf(out + at, "%s%u", i ? "," : "", ports[i]);
		if (last > i)
			at += (size_t)sprintf(out + at, "-%u", ports[last]);
	}
	return at;
}

char *option_ports_text(const uint16_t *ports, unsigned nb) {
	char *out = malloc(PORTS_TEXT_BYTES);

	if (out)
		write_ports(ports, nb, out);
	return out;
}

char *option_endpoints_text(const struct dp_scan_type *type, const uint32_t *ports, unsigned nb) {
	char *out = malloc(DP_SCAN_PARTS * (PORTS_TEXT_BYTES + sizeof(",T:")));
	uint16_t *plain = malloc(PORTS_MAX * sizeof(*plain));
	size_t at = 0;

	if (!out || !plain) {
		free(out);
		free(plain);
		return NULL;
	}
	out[0] = '\0';
	for (unsigned i = 0, n; i < nb; i += n) {
		const enum dp_proto proto = dp_endpoint_proto(ports[i]);

		for (n = 0; i + n < nb && dp_endpoint_proto(ports[i + n]) == proto; n++)
			plain[n] = dp_endpoint_port(ports[i + n]);
		if (type->nb_parts)
			at += (size_t)sprintf(
				out + at, "%s%c:", i ? "," : "", targets_letter(proto));
		at += write_ports(plain, n, out + at);
	}
	free(plain);
	return out;
}

/*
 * Ports as ascending ranges. Where protocols are named they stay as they are until the scan type is
 * known.
 */
static int read_ports(const struct option *option, const char *text, void *field, char **canonical,
	struct value_error *why) {
	uint16_t *ports = malloc(PORTS_MAX * sizeof(*ports));
	unsigned nb;
	int ret = ports ? targets_read_ports(text, NULL, ports, &nb, why) : -ENOMEM;

	if (!ret) {
		*canonical = strchr(text, ':') ? strdup(text) : option_ports_text(ports, nb);
		ret = *canonical ? 0 : -ENOMEM;
	}
	free(ports);
	return ret;
}

/* Empty, or names of record fields. */
static int read_fields(const struct option *option, const char *text, void *field, char **canonical,
	struct value_error *why) {
	const char *rest = text;
	char problem[VALUE_WHY_BYTES];
	struct field found;

	while (*rest) {
		size_t length;
		const char *name = next_item(&rest, &length);

		if (!length)
			return value_fail(why, text, strlen(text), "a name is empty");
		if (field_find(name, length, &found, problem, sizeof problem))
			return value_fail(why, name, length, "%s", problem);
	}
	return read_list(text, NULL, canonical, why);
}

/* Empty, or an expression that can stand in an INI file. */
static int read_filter(const struct option *option, const char *text, void *field, char **canonical,
	struct value_error *why) {
	struct filter *filter = NULL;
	const char *comment = strstr(text, " ;");
	int ret = *text ? filter_create(text, &filter, why) : 0;

	filter_destroy(filter);
	if (!ret && comment)
		ret = value_fail(why, comment, strlen(comment),
			"column %d: ` ;` begins a comment in a file; write \\x3b in a pattern",
			(int)(comment - text) + 1);
	if (!ret && strlen(text) > option->max)
		ret = value_fail(why, text, strlen(text), "too long; give at most %llu characters",
			(unsigned long long)option->max);
	return ret ? ret : keep(text, canonical);
}

static const struct option_type type_fields = {.read = read_fields, .text = true, .list = true};
static const struct option_type type_filter = {.read = read_filter, .text = true};
static const struct option_type type_text = {.read = read_text, .text = true};
const struct option_type option_path = {.read = read_text, .text = true, .complete = "file"};
static const struct option_type type_bool = {.read = read_bool, .complete = "bool"};
static const struct option_type type_name = {.read = read_name};
static const struct option_type type_count = {.read = read_count};
static const struct option_type type_timing = {.read = read_timing};
static const struct option_type type_auto_count = {.read = read_auto_count};
static const struct option_type type_fraction = {.read = read_fraction};
static const struct option_type type_duration = {.read = read_duration};
static const struct option_type type_size = {.read = read_size};
static const struct option_type type_rate = {.read = read_rate};
static const struct option_type type_seconds = {.read = read_seconds};
static const struct option_type type_shard = {.read = read_shard};
static const struct option_type type_scan_type = {.read = read_scan_type, .complete = "type"};
static const struct option_type type_sources = {.read = read_sources, .list = true};
static const struct option_type type_gateways = {.read = read_gateways};
static const struct option_type type_local = {.read = read_local};
static const struct option_type type_device
	= {.read = read_device, .text = true, .complete = "device"};
static const struct option_type type_mac = {.read = read_mac};
static const struct option_type type_port_range = {.read = read_port_range};
static const struct option_type type_listen = {.read = read_listen};
static const struct option_type type_prefixes = {.read = read_prefixes, .list = true};
static const struct option_type type_addresses
	= {.read = read_addresses, .text = true, .list = true};
static const struct option_type type_targets = {.read = read_targets, .text = true, .list = true};
static const struct option_type type_resolved = {.read = read_resolved, .text = true, .list = true};
static const struct option_type type_files
	= {.read = read_files, .text = true, .list = true, .complete = "file"};
static const struct option_type type_folders
	= {.read = read_folders, .text = true, .list = true, .complete = "folder"};
static const struct option_type type_plugins
	= {.read = read_plugins, .text = true, .list = true, .complete = "plugin"};
static const struct option_type type_ports = {.read = read_ports, .text = true, .list = true};

/* ---- The table ---- */

static const char *const dedup_names[] = {"auto", "exact", "window", NULL};
static const char *const resolve_names[] = {"first", "all", NULL};
static const char *const family_names[] = {"both", "ipv4", "ipv6", NULL};
static const char *const hugepage_names[] = {"auto", "on", "off", NULL};
static const char *const plugin_type_names[] = {[LH_TYPE_SCAN] = "scan",
	[LH_TYPE_OUTPUT] = "output",
	[LH_TYPE_DETECTION] = "detection",
	[LH_TYPE_COUNT] = NULL};
const char *const option_overflow_names[] = {"spill", "skip", "throttle", NULL};

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define HOUR (3600 * SECOND)
#define DAY_MS (24 * HOUR / MS)
#define FIELD(name) .offset = offsetof(struct settings, name)
#define KEY(s, k) .section = s, .key = k
/* nmap's letter for a scan type. */
#define TYPE(flag, name)                                                                           \
	{                                                                                          \
		.role = OPTION_SHORTHAND, .group = "Scan", .flags = flag,                          \
		.sets = "scan.type=" name, .help = "the same as --scan-type " name                 \
	}
/* An output by a flag of its own: a format, or several, each with the ending of its file's name. */
#define OUTPUT(flag, formats, argument, text)                                                      \
	{                                                                                          \
		.role = OPTION_OUTPUT, .group = "Output", .flags = flag, .metavar = argument,      \
		.sets = formats, .help = text                                                      \
	}
/* A key of one port: `source`, and `source0` to `source7`. */
#define OF_PORT(name) .numbered = true, FIELD(ports_of[0].name)
#define LATER_TEXT(s, k, value, text)                                                              \
	{ KEY(s, k), .type = &type_text, .initial = value, .later = true, .help = text }

/* Rows stand in the order of conf/scan.ini and, group by group, of --help. */
static const struct option table[] = {
	{.role = OPTION_CONFIG,
		.group = "General",
		.flags = "-c --config",
		.metavar = "FILE",
		.help = "read an INI file; what the command line says overrides it"},
	{.role = OPTION_RESUME,
		.group = "General",
		.flags = "--resume",
		.metavar = "FILE",
		.help = "go on with the scan of a checkpoint, which knows all else"},
	{.role = OPTION_SWITCH,
		.group = "General",
		.flags = "--resume-or-start",
		FIELD(resume_or_start),
		.help = "go on with the scan of [checkpoint] file where that is there, else "
			"begin it; for services, which are started with the same line each time"},
	{.role = OPTION_SET,
		.group = "General",
		.flags = "--set",
		.metavar = "SECTION.KEY=VALUE",
		.help = "set any key of the INI file"},
	{.role = OPTION_ACTION,
		.group = "Instead of scanning",
		.flags = "--dry-run",
		.action = CTL_ACTION_DRY_RUN,
		.help = "print the plan"},
	{.role = OPTION_ACTION,
		.group = "Instead of scanning",
		.flags = "--list-targets",
		.action = CTL_ACTION_LIST_TARGETS,
		.help = "print the probes in scan order, `ip port proto`"},
	{.role = OPTION_ACTION,
		.group = "Instead of scanning",
		.flags = "--sim-truth",
		.action = CTL_ACTION_SIM_TRUTH,
		.help = "print what the simulated network answers, `ip port proto state`"},
	{.role = OPTION_ACTION,
		.group = "Instead of scanning",
		.flags = "--print-config",
		.action = CTL_ACTION_PRINT_CONFIG,
		.help = "print the merged configuration as an INI file that gives the same run"},
	{.role = OPTION_ACTION,
		.group = "Instead of scanning",
		.flags = "--doctor",
		.action = CTL_ACTION_DOCTOR,
		.help = "look at this machine and say what to change for full rate; with --json "
			"for a program; exit status 1 where something is bad"},
	{.role = OPTION_ACTION,
		.group = "Instead of scanning",
		.flags = "--version -V",
		.action = CTL_ACTION_VERSION,
		.help = "print the version"},
	{.role = OPTION_ACTION,
		.group = "Instead of scanning",
		.flags = "-h --help",
		.action = CTL_ACTION_HELP,
		.help = "print this text"},
	{.role = OPTION_SWITCH,
		.group = "General",
		.flags = "--quiet",
		FIELD(quiet),
		.help = "no progress and no summary"},
	{.role = OPTION_SWITCH,
		.group = "General",
		.flags = "-v",
		FIELD(verbose),
		.help = "let messages of DPDK and its drivers through"},

	{KEY("scan", "targets"), .type = &type_targets, .initial = "", FIELD(targets),
		.help = "addresses, prefixes, ranges and host names: 192.0.2.1, 192.0.2.0/24, "
			"192.0.2.1-192.0.2.9, 192.0.2-3.1-99, 192.0.*.1, 2001:db8::1, "
			"2001:db8::/120, www.example.org, www.example.org/24"},
	{KEY("scan", "targets_file"), .group = "Targets", .flags = "-iL", .metavar = "FILE",
		.type = &type_files, .initial = "", FIELD(targets_file),
		.help = "files of targets, split at commas; - is standard input; # and ; begin a "
			"comment"},
	{KEY("scan", "resolve"), .type = &type_name, .names = resolve_names, .initial = "first",
		FIELD(resolve),
		.help = "which addresses of a host name: first (of each family), all"},
	{KEY("scan", "family"), .type = &type_name, .names = family_names, .initial = "both",
		FIELD(family),
		.help = "families of these addresses: both (that can be sent), ipv4, ipv6"},
	{KEY("scan", "resolved"), .type = &type_resolved, .initial = "", FIELD(resolved),
		.help = "what host names stand for, as in /etc/hosts: 192.0.2.1 www.example.org; "
			"such a name is not looked up"},
	{KEY("scan", "exclude"), .group = "Targets", .flags = "--exclude", .metavar = "LIST",
		.type = &type_addresses, .initial = "", FIELD(exclude),
		.help = "never scan these; file and command line add up"},
	{KEY("scan", "exclude_file"), .group = "Targets", .flags = "--exclude-file",
		.metavar = "FILE", .type = &type_files, .initial = "", FIELD(exclude_file),
		.help = "files of addresses never to scan, read again on SIGHUP; file and "
			"command line add up"},
	{KEY("scan", "default_excludes"), .type = &type_bool, .initial = "yes",
		FIELD(default_excludes),
		.help
		= "leave out special-purpose ranges (conf/exclude.conf) that no target names: yes, "
		  "no"},
	{KEY("scan", "ports"), .group = "Scan", .flags = "-p --ports", .metavar = "LIST",
		.type = &type_ports, .initial = "", FIELD(ports),
		.help = "ports: 80,443,8000-8010; - for 1-65535; -100; 60000-; T:22, U:53 or "
			"S:132 with a type that sends them, else of all types of the run; none for "
			"types without ports"},
	{KEY("scan", "top_ports"), .group = "Scan", .flags = "--top-ports", .metavar = "N",
		.type = &type_count, .max = 65535, .initial = "0", FIELD(top_ports),
		.help = "these many of the commonest ports too (docs/top-ports.md); 0: none"},
	{.role = OPTION_SHORTHAND,
		.group = "Scan",
		.flags = "-F",
		.sets = "scan.top_ports=100",
		.help = "the same as --top-ports 100"},
	{KEY("scan", "exclude_ports"), .group = "Scan", .flags = "--exclude-ports",
		.metavar = "LIST", .type = &type_ports, .initial = "", FIELD(exclude_ports),
		.help = "never send to these ports"},
	{KEY("scan", "type"), .group = "Scan", .flags = "--scan-type", .metavar = "NAME",
		.type = &type_scan_type, .initial = "syn", FIELD(type),
		.help
		= "scan type: syn, ack, window, fin, null, xmas, maimon, udp, icmp, arp, "
		  "ndp, sctp or discovery; or one TCP type, udp and sctp in one run: syn,udp"},
	TYPE("-sS", "syn"),
	TYPE("-sA", "ack"),
	TYPE("-sW", "window"),
	TYPE("-sF", "fin"),
	TYPE("-sN", "null"),
	TYPE("-sX", "xmas"),
	TYPE("-sM", "maimon"),
	TYPE("-sU", "udp"),
	TYPE("-sY", "sctp"),
	TYPE("-sn", "discovery"),
	{KEY("scan", "timing"), .group = "Scan", .flags = "-T", .metavar = "0..5",
		.type = &type_timing, .min = 0, .max = 5, .initial = "3", FIELD(timing),
		.help = "rate by template, where no rate is given: 0: a probe in 5 min, 1: one in "
			"15 s, 2: 2.5/s, 3: 10k/s, 4: 100k/s, 5: 1M/s"},
	{KEY("scan", "rate"), .group = "Scan", .flags = "--rate", .metavar = "N",
		.type = &type_rate, .initial = "", FIELD(rate),
		.help = "probes a second, such as 1.5M; or bits on the wire, such as 500Mbit; or "
			"max; wins over timing"},
	{KEY("scan", "probes"), .type = &type_count, .min = 1, .max = DP_MAX_PROBES, .initial = "1",
		FIELD(probes),
		.help = "transmissions of each probe, spread over the run, 1 to 16; from 2 on the "
			"summary estimates how many of those that answer were heard"},
	{KEY("scan", "cooldown"), .type = &type_duration, .max = 24 * HOUR, .initial = "5s",
		FIELD(cooldown_ns),
		.help = "wait this long for answers to the last probes, 0s to 24h"},
	{KEY("scan", "shard"), .group = "Scan", .flags = "--shard", .metavar = "I/N",
		.type = &type_shard, .initial = "1/1", FIELD(shard),
		.help
		= "this run's part of the scan, 1/N to N/N; needs the same seed in all parts"},
	{KEY("scan", "seed"), .group = "Scan", .flags = "--seed", .metavar = "N",
		.type = &type_count, .max = UINT64_MAX, .initial = "0", FIELD(seed),
		.help = "order of the probes; 0: a random one, named in the summary"},
	{KEY("scan", "dedup"), .type = &type_name, .names = dedup_names, .initial = "auto",
		FIELD(dedup),
		.help
		= "how repeated answers are found: exact (a bit a pair), window (bounded), or "
		  "auto: exact where dedup_mb allows"},
	{KEY("scan", "dedup_mb"), .type = &type_count, .min = 1, .max = 1048576, .initial = "512",
		FIELD(dedup_mb), .help = "memory for that in MiB, 1 to 1048576"},
	{KEY("scan", "max_runtime"), .type = &type_duration, .max = 8760 * HOUR, .initial = "0s",
		FIELD(max_runtime_ns),
		.help = "send no more probes after this long, 0s to 8760h; late answers have the "
			"cooldown "
			"as always; 0s: no limit"},
	{KEY("scan", "max_results"), .type = &type_count, .max = UINT64_MAX, .initial = "0",
		FIELD(max_results),
		.help = "end the scan with this many results, without a cooldown; 0: no limit"},
	{KEY("scan", "udp_payloads"), .type = &type_text, .initial = "", FIELD(udp_payloads),
		.help = "file of UDP payloads (docs/payloads.md), instead of the built-in ones of "
			"their ports"},

	{KEY("dataplane", "port"), .type = &type_text, .min = 1, .max = DP_PORT_NAME_BYTES - 1,
		.initial = "auto", OF_PORT(port),
		.help
		= "give auto, sim, lo, an interface, af_xdp:NAME, af_packet:NAME, a PCI address "
		  "or a DPDK vdev"},
	{KEY("dataplane", "source"), .type = &type_sources, .initial = "auto", OF_PORT(source),
		.help = "addresses that probes come from, or auto: addresses, ranges and prefixes "
			"of both families, spread by target: 192.0.2.5, 192.0.2.16/28, "
			"2001:db8::5-2001:db8::9"},
	{KEY("dataplane", "source_ports"), .type = &type_port_range, .initial = "32768-49151",
		FIELD(source_ports), .help = "ports that probes come from, within 1-65535"},
	{KEY("dataplane", "gateway"), .type = &type_gateways, .initial = "auto", OF_PORT(gateway),
		.help = "address of the next hop, or one of each family: 192.0.2.1, 2001:db8::1; "
			"or auto"},
	{KEY("dataplane", "gateway_mac"), .type = &type_mac, .initial = "", OF_PORT(gateway_mac),
		.help
		= "Ethernet address of the next hop, such as 02:00:5e:10:00:01; empty: by ARP "
		  "or ND"},
	{KEY("dataplane", "vlan"), .type = &type_count, .max = 4094, .initial = "0", OF_PORT(vlan),
		.help = "VLAN of all frames, 1 to 4094; 0: untagged"},
	{KEY("dataplane", "tx_lcores"), .type = &type_auto_count, .min = 1, .max = DP_MAX_LCORES,
		.initial = "auto", FIELD(tx_lcores),
		.help = "sending lcores of each port, 1 to 32, or auto"},
	{KEY("dataplane", "rx_lcores"), .type = &type_auto_count, .min = 1, .max = DP_MAX_LCORES,
		.initial = "auto", FIELD(rx_lcores),
		.help
		= "receiving lcores of each port, 1 to 32 (32 with the sending ones), or auto"},
	{KEY("dataplane", "hugepages"), .type = &type_name, .names = hugepage_names,
		.initial = "auto", FIELD(hugepages),
		.help = "auto: where enough of them are free; on; off"},
	{KEY("dataplane", "eal"), .type = &type_text, .initial = "", FIELD(eal),
		.help = "further EAL arguments, separated by blanks; those behind -- are appended"},

	{KEY("banner", "enable"), .type = &type_bool, .initial = "off", FIELD(banner),
		.help = "stateless banner capture on open TCP ports (type syn), and what UDP "
			"services reply (type udp): on, off"},
	{KEY("banner", "max_bytes"), .type = &type_count, .min = 1, .max = 4096, .initial = "512",
		FIELD(banner_bytes), .help = "bytes kept of a banner, 1 to 4096"},
	{KEY("banner", "wait"), .type = &type_duration, .min = MS, .max = HOUR, .initial = "10s",
		FIELD(banner_wait_ns),
		.help = "a record waits this long for its banner, 1ms to 1h"},
	{KEY("banner", "payloads"), .type = &type_text, .initial = "", FIELD(banner_payloads),
		.help = "file of hellos (docs/payloads.md), instead of the built-in ones of their "
			"ports"},

	{KEY("detection", "enable"), .type = &type_bool, .initial = "on", FIELD(detection),
		.help = "name services from their banners, where [banner] is on: on, off"},
	{KEY("detection", "fingerprints"), .type = &type_files, .initial = "", FIELD(fingerprints),
		.help
		= "files of fingerprints (docs/fingerprints.md), before those that come along"},
	{KEY("detection", "recog"), .type = &type_text, .initial = "", FIELD(recog),
		.help = "folder with Rapid7's Recog XML files, behind those that come along"},

	{.role = OPTION_OUTPUT,
		.group = "Output",
		.flags = "-o",
		.metavar = "FORMAT:PATH",
		.help = "write results as table, ndjson, csv, xml, grep or list, responses as "
			"pcapng, the "
			"summary as summary, or what the output plugin of that name makes "
			"(docs/formats.md); - is standard "
			"output; replaces the file's outputs; once for each format"},
	OUTPUT("-oX", "xml", "FILE", "the same as -o xml:FILE"),
	OUTPUT("-oG", "grep", "FILE", "the same as -o grep:FILE"),
	OUTPUT("-oJ", "ndjson", "FILE", "the same as -o ndjson:FILE"),
	OUTPUT("-oL", "list", "FILE", "the same as -o list:FILE"),
	OUTPUT("-oN", "table", "FILE", "the same as -o table:FILE"),
	OUTPUT("-oA", "table.nmap xml.xml grep.gnmap ndjson.ndjson", "BASE",
		"all of BASE.nmap (a table), BASE.xml, BASE.gnmap and BASE.ndjson"),
	{KEY("output", "ndjson"), .type = &option_path, .initial = "", FIELD(output_ndjson),
		.help
		= "write results as NDJSON to this file; - is standard output; empty: do not"},
	{KEY("output", "table"), .type = &option_path, .initial = "", FIELD(output_table),
		.help = "write results as a table for people"},
	{KEY("output", "summary"), .type = &option_path, .initial = "", FIELD(output_summary),
		.help = "write the summary as one JSON object"},
	{KEY("output", "csv"), .type = &option_path, .initial = "", FIELD(output_csv),
		.help = "write results as CSV, the fields that `fields` names"},
	{KEY("output", "xml"), .type = &option_path, .initial = "", FIELD(output_xml),
		.help = "write results as XML for what reads nmap's"},
	{KEY("output", "list"), .type = &option_path, .initial = "", FIELD(output_list),
		.help = "write results as a list for what reads masscan's"},
	{KEY("output", "grep"), .type = &option_path, .initial = "", FIELD(output_grep),
		.help = "write results by host for what reads nmap's greppable lines"},
	{KEY("output", "pcapng"), .type = &option_path, .initial = "", FIELD(output_pcapng),
		.help = "write the responses as received to this capture file; - is standard "
			"output; empty: do not"},
	{KEY("output", "overwrite"), .type = &type_bool, .initial = "no", FIELD(overwrite),
		.help = "replace output files that exist: yes, no"},
	{KEY("output", "append"), .type = &type_bool, .initial = "no", FIELD(append),
		.help = "append to output files that exist: yes, no"},
	{.role = OPTION_SHORTHAND,
		.group = "Output",
		.flags = "--overwrite",
		.sets = "output.overwrite=yes",
		.help = "replace output files that exist"},
	{.role = OPTION_SHORTHAND,
		.group = "Output",
		.flags = "--append",
		.sets = "output.append=yes",
		.help = "append to output files that exist"},
	{KEY("output", "rotate_size"), .group = "Output", .flags = "--rotate-size",
		.metavar = "SIZE", .type = &type_size, .min = 4096, .max = 1ull << 50,
		.initial = "0", FIELD(rotate_bytes),
		.help = "once an output file has as many bytes (100k, 100M, 1G: of 1024) rename "
			"it to NAME-00001.EXT and so on, and begin another; 0: never"},
	{KEY("output", "rotate_time"), .group = "Output", .flags = "--rotate-time",
		.metavar = "TIME", .type = &type_duration, .max = 8760 * HOUR, .initial = "0s",
		FIELD(rotate_ns),
		.help = "the same once it is as old (10m, 1h) and has results; 0s: never"},
	{KEY("output", "include_closed"), .type = &type_bool, .initial = "no",
		FIELD(include_closed), .help = "write closed ports too: yes, no"},
	{KEY("output", "fields"), .group = "Output", .flags = "--fields --output-fields",
		.metavar = "A,B,C", .type = &type_fields, .initial = "", FIELD(fields),
		.help = "fields of csv, such as ip,port,service.name; empty: the usual ones "
			"(docs/formats.md)"},
	{KEY("output", "filter"), .group = "Output", .flags = "--filter --output-filter",
		.metavar = "EXPR", .type = &type_filter, .max = 4096, .initial = "", FIELD(filter),
		.help = "write only the records that it holds for, such as state = open && port in "
			"(80, 443) (docs/formats.md); empty: all"},
	{KEY("output", "open"), .type = &type_bool, .initial = "no", FIELD(open_only),
		.help = "write only open ports and hosts that are up: yes, no"},
	{KEY("output", "reason"), .type = &type_bool, .initial = "no", FIELD(reason),
		.help = "tables have the reason of each state beside services, too: yes, no"},
	{.role = OPTION_SHORTHAND,
		.group = "Output",
		.flags = "--open",
		.sets = "output.open=yes",
		.help = "write only open ports and hosts that are up"},
	{.role = OPTION_SHORTHAND,
		.group = "Output",
		.flags = "--reason",
		.sets = "output.reason=yes",
		.help = "tables have the reason of each state beside services, too"},

	{KEY("checkpoint", "file"), .group = "Output", .flags = "--checkpoint", .metavar = "FILE",
		.type = &type_text, .initial = "", FIELD(checkpoint),
		.help = "write checkpoints to this file, which --resume goes on from; empty: none"},
	{KEY("checkpoint", "interval"), .type = &type_duration, .min = 100 * MS, .max = 24 * HOUR,
		.initial = "5s", FIELD(checkpoint_interval_ns),
		.help = "time between checkpoints, 100ms to 24h"},

	{KEY("plugins", "enable"), .type = &type_plugins, .initial = "", FIELD(plugins),
		.help = "plugins to run, split at commas; all: every valid one that is found"},
	{.role = OPTION_MORE,
		.group = "Plugins",
		.flags = "--plugin",
		.metavar = "NAME",
		.type = &type_plugins,
		FIELD(more_plugins),
		.help = "run this plugin too; all: every valid one that is found"},
	{KEY("plugins", "dir"), .type = &type_folders, .initial = "", FIELD(plugin_dirs),
		.help = "folders that plugins lie in, split at commas, earlier ones win; empty: "
			"~/.prtip/plugins and where prtip-dp's own are"},
	{.role = OPTION_MORE,
		.group = "Plugins",
		.flags = "--plugin-dir",
		.metavar = "DIR",
		.type = &type_folders,
		FIELD(more_plugin_dirs),
		.help = "look for plugins in this folder, before the configured ones"},
	{.role = OPTION_PLUGIN_ARG,
		.group = "Plugins",
		.flags = "--plugin-arg",
		.metavar = "NAME.KEY=VALUE",
		.help = "a setting of the plugin NAME, as in [plugin:NAME] of the INI file"},
	{.role = OPTION_ACTION,
		.group = "Plugins",
		.flags = "--list-plugins",
		.action = CTL_ACTION_LIST_PLUGINS,
		.help = "list the plugins that are found, then stop"},
	{.role = OPTION_SWITCH,
		.group = "Plugins",
		.flags = "--json",
		FIELD(json),
		.help = "the list, or what --doctor says, as JSON"},
	{.role = OPTION_ACTION,
		.group = "Plugins",
		.flags = "--install-plugin",
		.metavar = "PATH",
		.action = CTL_ACTION_INSTALL_PLUGIN,
		.help = "check the plugin in this folder, copy it to ~/.prtip/plugins, then stop"},
	{.role = OPTION_ACTION,
		.group = "Plugins",
		.flags = "--remove-plugin",
		.metavar = "NAME",
		.action = CTL_ACTION_REMOVE_PLUGIN,
		.help = "remove it from ~/.prtip/plugins, then stop"},
	{.role = OPTION_ACTION,
		.group = "Plugins",
		.flags = "--check-plugin",
		.metavar = "PATH",
		.action = CTL_ACTION_CHECK_PLUGIN,
		.help = "check the plugin in this folder and run its tests, then stop"},
	{.role = OPTION_ACTION,
		.group = "Plugins",
		.flags = "--new-plugin",
		.metavar = "NAME",
		.action = CTL_ACTION_NEW_PLUGIN,
		.help
		= "make a small working plugin in the folder NAME here, then stop; needs --type"},
	{.group = "Plugins",
		.flags = "--type",
		.metavar = "TYPE",
		.type = &type_name,
		.names = plugin_type_names,
		FIELD(new_type),
		.help = "type of the new plugin: scan, output or detection; --new-plugin needs it"},
	{KEY("plugins", "lanes"), .type = &type_count, .min = 1, .max = 64, .initial = "1",
		FIELD(lanes), .help = "lanes (worker processes) a plugin, 1 to 64"},
	{KEY("plugins", "memory_mb"), .type = &type_count, .min = 1, .max = 65536, .initial = "100",
		FIELD(memory_mb), .help = "memory of a lane in MiB, 1 to 65536"},
	{KEY("plugins", "cpu_seconds"), .type = &type_seconds, .min = 10, .max = DAY_MS,
		.initial = "5", FIELD(cpu_s),
		.help = "processor time for one result in seconds, 0.01 to 86400"},
	{KEY("plugins", "wall_seconds"), .type = &type_seconds, .min = 10, .max = DAY_MS,
		.initial = "60", FIELD(wall_s),
		.help = "time for one result in seconds, 0.01 to 86400"},
	{KEY("plugins", "instructions"), .type = &type_count, .min = 1000,
		.max = UINT64_C(1000000000000), .initial = "1000000", FIELD(instructions),
		.help = "Lua instructions for one result, 1000 to 1000000000000"},
	{KEY("plugins", "phase_seconds"), .type = &type_seconds, .min = 10, .max = DAY_MS,
		.initial = "300", FIELD(phase_s),
		.help
		= "time for each of on_load, on_pre_scan, on_post_scan, export and on_unload in "
		  "seconds, 0.01 to 86400"},
	{KEY("plugins", "queue"), .type = &type_count, .min = 16, .max = 16777216,
		.initial = "65536", FIELD(queue),
		.help = "results a plugin may lag behind, 16 to 16777216"},
	{KEY("plugins", "overflow"), .type = &type_name, .names = option_overflow_names,
		.initial = "spill", FIELD(overflow),
		.help
		= "what then: spill (to disk), skip (counted as lost), throttle (slow the scan)"},
	{KEY("plugins", "spill_dir"), .type = &type_text, .min = 1, .max = PATH_MAX - 1,
		.initial = "/var/tmp", FIELD(spill_dir), .help = "give the folder to spill to"},
	{KEY("plugins", "spill_mb"), .type = &type_count, .min = 1, .max = 16777216,
		.initial = "1024", FIELD(spill_mb), .help = "room there in MiB, 1 to 16777216"},
	{KEY("plugins", "drain"), .type = &type_duration, .max = 24 * HOUR, .initial = "60s",
		FIELD(drain_ns),
		.help = "time for plugins to finish after the cooldown, 0s to 24h"},
	{KEY("plugins", "source"), .type = &type_local, .initial = "", FIELD(plugin_source_ip),
		.help
		= "IPv4 address that plugins' sockets are bound to; empty: the kernel chooses"},
	{KEY("plugins", "device"), .type = &type_device, .initial = "", FIELD(device),
		.help = "interface that plugins' sockets are bound to; empty: by route"},

	{KEY("sim", "alive"), .type = &type_fraction, .initial = "0.5", FIELD(sim_alive),
		.help = "fraction of addresses that answer, 0 to 1"},
	{KEY("sim", "open"), .type = &type_fraction, .initial = "0.1", FIELD(sim_open),
		.help = "fraction of the live addresses' ports that are open, 0 to 1"},
	{KEY("sim", "loss"), .type = &type_fraction, .initial = "0", FIELD(sim_loss),
		.help = "chance that a packet is lost, each way, 0 to 1"},
	{KEY("sim", "duplicate"), .type = &type_fraction, .initial = "0", FIELD(sim_duplicate),
		.help = "chance that a reply comes twice, 0 to 1"},
	{KEY("sim", "rtt"), .type = &type_duration, .max = 60 * SECOND, .initial = "20ms",
		FIELD(sim_rtt_ns), .help = "delay of a reply, 0s to 60s"},
	{KEY("sim", "jitter"), .type = &type_duration, .max = 60 * SECOND, .initial = "5ms",
		FIELD(sim_jitter_ns),
		.help = "most that the delay differs, plus or minus, 0s to 60s"},
	{KEY("sim", "banners"), .type = &type_bool, .initial = "on", FIELD(sim_banners),
		.help = "open ports send banners: on, off"},
	{KEY("sim", "seed"), .type = &type_count, .max = UINT64_MAX, .initial = "1",
		FIELD(sim_seed), .help = "which addresses and ports those are; any whole number"},

	{KEY("metrics", "listen"), .type = &type_listen, .initial = "", FIELD(listen),
		.help
		= "address and port where a browser finds the scan's state and Prometheus its "
		  "metrics, such as 127.0.0.1:9464 or [::1]:9464; empty: nowhere"},
	{KEY("metrics", "allow"), .type = &type_prefixes, .initial = "", FIELD(allow),
		.help
		= "addresses and prefixes of those who may ask there, such as 192.0.2.0/24; has "
		  "to be given where that is no loopback address; empty: this machine"},
	{KEY("metrics", "telemetry"), .type = &type_bool, .initial = "off", FIELD(telemetry),
		.help = "DPDK's telemetry socket, for dpdk-telemetry.py: on, off"},

	{KEY("status", "interval"), .type = &type_duration, .min = 100 * MS, .max = HOUR,
		.initial = "1s", FIELD(status_interval_ns),
		.help = "time between progress lines, and between status records, 100ms to 1h"},
	{KEY("status", "file"), .type = &type_text, .initial = "", FIELD(status_file),
		.help = "file for a status record every interval, as NDJSON; empty: none"},

	{KEY("control", "socket"), .type = &type_text, .max = CTL_SOCKET_PATH_MAX, .initial = "",
		FIELD(control_socket),
		.help = "unix socket to control the running scan by (docs/control.md), such as "
			"/run/prtip-dp.sock; empty: none"},
	{.role = OPTION_SWITCH,
		.group = "Output",
		.flags = "--json-status",
		FIELD(json_status),
		.help = "status records on standard error (docs/status.md) instead of progress "
			"line and summary"},
	{.role = OPTION_ACTION,
		.group = "Instead of scanning",
		.flags = "--control",
		.metavar = "SOCKET COMMAND",
		.action = CTL_ACTION_CONTROL,
		.help = "ask the scan behind a [control] socket: status, rate N, pause, resume, "
			"stop; in front of all else"},
};

enum {
	NB_ROWS = sizeof(table) / sizeof(table[0]),
};

/* ---- Finding rows ---- */

const struct option *options_all(unsigned *nb) {
	*nb = NB_ROWS;
	return table;
}

const struct option *options_by_key(const char *section, const char *key) {
	for (unsigned i = 0; i < NB_ROWS; i++)
		if (table[i].key && !strcmp(table[i].section, section)
			&& !strcmp(table[i].key, key))
			return &table[i];
	return NULL;
}

const struct option *options_by_numbered_key(
	const char *section, const char *key, unsigned *number) {
	const size_t length = strlen(key);
	char base[32];

	if (length < 2 || length > sizeof(base) || key[length - 1] < '0'
		|| key[length - 1] >= '0' + DP_MAX_PORTS)
		return NULL;
	snprintf(base, sizeof(base), "%.*s", (int)length - 1, key);
	*number = 1 + (unsigned)(key[length - 1] - '0');
	const struct option *option = options_by_key(section, base);
	return option && option->numbered ? option : NULL;
}

/* The next flag of a row at or behind @flags: its length, with *@flags moved to it; 0 at the end. */
static size_t next_flag(const char **flags) {
	if (!*flags)
		return 0;
	*flags += strspn(*flags, " ");
	return strcspn(*flags, " ");
}

const struct option *options_by_flag(const char *flag, size_t length) {
	for (unsigned i = 0; i < NB_ROWS; i++) {
		const char *name = table[i].flags;

		for (size_t size; (size = next_flag(&name)); name += size)
			if (size == length && !memcmp(name, flag, length))
				return &table[i];
	}
	return NULL;
}

bool options_has_section(const char *section) {
	for (unsigned i = 0; i < NB_ROWS; i++)
		if (table[i].section && !strcmp(table[i].section, section))
			return true;
	return false;
}

/* How far a misspelling may be off: one edit for short names, two for longer ones. */
static unsigned tolerance(const char *name) {
	return strlen(name) <= 4 ? 2 : 3;
}

const char *options_near_section(const char *section) {
	unsigned best = tolerance(section);
	const char *near = NULL;

	for (unsigned i = 0; i < NB_ROWS; i++) {
		unsigned distance
			= table[i].section ? value_distance(section, table[i].section, best) : best;

		if (distance < best) {
			best = distance;
			near = table[i].section;
		}
	}
	return near;
}

const char *options_near_key(const char *section, const char *key) {
	unsigned best = tolerance(key);
	const char *near = NULL;

	for (unsigned i = 0; i < NB_ROWS; i++) {
		unsigned distance = table[i].key && !strcmp(table[i].section, section)
			? value_distance(key, table[i].key, best)
			: best;

		if (distance < best) {
			best = distance;
			near = table[i].key;
		}
	}
	return near;
}

const struct option *options_near_flag(const char *flag, char near[VALUE_TEXT_BYTES]) {
	unsigned best = tolerance(flag);
	const struct option *row = NULL;

	for (unsigned i = 0; i < NB_ROWS; i++) {
		const char *name = table[i].flags;

		for (size_t size; (size = next_flag(&name)); name += size) {
			char copy[VALUE_TEXT_BYTES];

			snprintf(copy, sizeof(copy), "%.*s", (int)size, name);
			unsigned distance = value_distance(flag, copy, best);
			if (distance < best) {
				best = distance;
				row = &table[i];
				strcpy(near, copy);
			}
		}
	}
	return row;
}

void options_list_keys(const char *section, bool later, char *out, size_t room) {
	size_t at = 0;

	*out = '\0';
	for (unsigned i = 0; i < NB_ROWS && at < room; i++)
		if (table[i].key && !strcmp(table[i].section, section)
			&& (later || !table[i].later))
			at += (size_t)snprintf(
				out + at, room - at, "%s%s", at ? ", " : "", table[i].key);
}

/* ---- Texts made from the table ---- */

/* What conf/scan.ini says about the keys of several ports, behind the last one of theirs. */
static const char numbered_keys[]
	= "# Several ports at once, each with what differs from the keys above:\n"
	  "# port0          = eth1\n"
	  "# source0        = 192.0.2.16/28, 2001:db8::10\n"
	  "# gateway0       = 192.0.2.1, 2001:db8::1\n"
	  "# gateway_mac0   = 02:00:5e:10:00:01\n"
	  "# vlan0          = 10\n"
	  "# port1          = eth2 ; and so on, up to port7\n";

/* What conf/scan.ini says about the sections that are not in the table. */
static const char plugin_section[]
	= "\n"
	  "# A section for each plugin. A value takes the type of its default in [config] of the\n"
	  "# plugin's plugin.toml (arrays are split at commas); a key without one is a string.\n"
	  "# [plugin:http-enum]\n"
	  "# paths          = /admin,/login\n";

static bool is_last_numbered(const struct option *row) {
	if (!row->numbered)
		return false;
	while (++row < table + NB_ROWS)
		if (row->numbered)
			return false;
	return true;
}

int ctl_config_print_reference(FILE *out) {
	const char *section = "";

	fputs("# SPDX-License-Identifier: BSD-3-Clause\n"
	      "#\n"
	      "# Reference configuration of prtip-dp: every key, at its default.\n"
	      "#\n"
	      "# Values run to the end of the line; ` ;` begins a comment. Lists may go on in\n"
	      "# indented lines. Durations take us, ms, s, m and h. File names are relative to\n"
	      "# the folder that prtip-dp is started in. `prtip-dp --print-config` prints this\n"
	      "# file as merged with the command line. Keys marked \"later version\" are known\n"
	      "# but take only their default yet.\n",
		out);
	for (unsigned i = 0; i < NB_ROWS; i++) {
		const struct option *row = &table[i];

		if (!row->key)
			continue;
		if (strcmp(section, row->section)) {
			if (!strcmp(section, "plugins"))
				fputs(plugin_section, out);
			section = row->section;
			fprintf(out, "\n[%s]\n", section);
		}
		fprintf(out, "# %s%s\n%-16s =%s%s\n", row->help,
			row->later ? " (later version)" : "", row->key, *row->initial ? " " : "",
			row->initial);
		if (is_last_numbered(row))
			fputs(numbered_keys, out);
	}
	return ferror(out) ? -EIO : 0;
}

enum {
	HELP_WIDTH = 80,
	HELP_INDENT = 28,
};

/* Print @text from column HELP_INDENT on, wrapped; the cursor is at @column. */
static void wrap(FILE *out, const char *text, int column) {
	if (column >= HELP_INDENT - 1) {
		fputc('\n', out);
		column = 0;
	}
	fprintf(out, "%*s", HELP_INDENT - column, "");
	column = HELP_INDENT;
	while (*text) {
		int word = (int)strcspn(text, " ");

		if (column > HELP_INDENT && column + 1 + word >= HELP_WIDTH) {
			fprintf(out, "\n%*s", HELP_INDENT, "");
			column = HELP_INDENT;
		} else if (column > HELP_INDENT) {
			fputc(' ', out);
			column++;
		}
		fprintf(out, "%.*s", word, text);
		column += word;
		text += word;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static void print_flag(FILE *out, const struct option *row) {
	const char *name = row->flags;
	int column = 1;
	bool first = true;

	fputs(" ", out);
	for (size_t size; (size = next_flag(&name)); name += size) {
		column += fprintf(out, "%s %.*s", first ? "" : ",", (int)size, name);
		first = false;
	}
	if (row->metavar)
		column += fprintf(out, " %s", row->metavar);
	wrap(out, row->help, column);
}

int ctl_config_print_help(FILE *out) {
	static const char *const groups[]
		= {"Targets", "Scan", "Output", "Plugins", "General", "Instead of scanning"};

	fputs("Usage: prtip-dp --config FILE\n"
	      "       prtip-dp [options] TARGET... [-- EAL ARGUMENTS]\n"
	      "\n"
	      "TARGET: 192.0.2.1, 192.0.2.0/24, 192.0.2.1-192.0.2.9, 192.0.2-3.1-99,\n"
	      "192.0.*.1, 2001:db8::1, 2001:db8::/120 or a host name, also several split at\n"
	      "commas. Targets on the command line (with -iL too) replace the configuration\n"
	      "file's; exclusions add to them.\n",
		out);
	for (unsigned g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
		fprintf(out, "\n%s:\n", groups[g]);
		for (unsigned i = 0; i < NB_ROWS; i++)
			if (table[i].group && !strcmp(table[i].group, groups[g]))
				print_flag(out, &table[i]);
	}
	fputs("\n"
	      "What nmap, masscan and zmap call otherwise is known too: docs/migrating.md.\n"
	      "\n"
	      "Examples:\n"
	      "  prtip-dp -p 1-65535 127.0.0.1\n"
	      "  prtip-dp -p 22,80,443 --rate 50k -o ndjson:results.ndjson 198.18.0.0/16\n"
	      "  prtip-dp --set dataplane.port=sim -p 80 --rate 1M 198.18.0.0/15\n",
		out);
	return ferror(out) ? -EIO : 0;
}
