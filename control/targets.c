/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From address lists, files and exclusions to the frozen target space.
 *
 * Main thread, before the scan starts. Files are read in pieces and never held whole; what stays is
 * the set of ranges.
 */
#include "datadir.h"
#include "names.h"
#include "targets.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	TOKEN_BYTES = NAMES_LONGEST + 8, /* more than any address expression or name takes */
	CHUNK_BYTES = 64 * 1024,
	PATTERN_RANGES = 1 << 20, /* that one octet pattern may expand to */
};

/* Never scanned, whatever is configured: no single host answers there. */
static const struct dp_range never_scanned[] = {
	{DP_IP_V4_FIRST, DP_IP_V4_FIRST + 0x00ffffff}, /* "this network", RFC 791 section 3.2 */
	{DP_IP_V4_FIRST + 0xe0000000, DP_IP_V4_FIRST + 0xefffffff}, /* multicast, RFC 5771 */
	{DP_IP_V4_LAST, DP_IP_V4_LAST}, /* limited broadcast, RFC 919 section 7 */
	/* Unspecified, and IPv4-compatible but for ::1, RFC 4291 sections 2.5.2 and 2.5.5.1. */
	{0, 0}, {2, UINT32_MAX},
	{(dp_ip)0xff << 120, DP_U128_MAX}, /* multicast, RFC 4291 section 2.7 */
};

enum {
	NB_NEVER = sizeof(never_scanned) / sizeof(never_scanned[0]),
};

/* One entry of a list. */
struct entry {
	dp_ip first, last; /* hull; all of it where not @pattern */
	bool pattern; /* IPv4: for each octet, the lowest and highest value it takes */
	uint8_t low[4], high[4];
	const char *name; /* NULL: addresses; else all that counts is this, not terminated */
	size_t name_length;
};

/* How the entries of a list are read: 0, or -EINVAL with @err filled. */
typedef int (*read_fn)(
	const char *text, size_t length, struct entry *entry, struct value_error *err);

/* The list that is built from; what an entry means depends on which list it stands in. */
typedef int (*entry_fn)(void *user, const struct entry *entry);

/* ---- Entries ---- */

static bool is_host_name(const char *text, size_t length) {
	bool letter = false;

	for (size_t i = 0; i < length; i++) {
		const unsigned char c = (unsigned char)text[i];

		if (!isalnum(c) && c != '-' && c != '.' && c != '_')
			return false;
		letter = letter || isalpha(c);
	}
	return letter;
}

/* Say why the token is no address, from the likeliest mistake to the least. */
static int refuse(const char *text, size_t length, struct value_error *err) {
	if (length > 1 && text[0] == '0' && (text[1] | 0x20) == 'x')
		return value_fail(err, text, length,
			"hexadecimal; write the address in decimal, such as 192.0.2.1");
	if (is_host_name(text, length))
		return value_fail(err, text, length,
			"host names can be targets, but this takes addresses, as a name may stand "
			"for others tomorrow; give an address");
	return value_fail(err, text, length,
		"not an address; give one such as 192.0.2.1, 192.0.2.0/24, "
		"192.0.2.1-192.0.2.9, 192.0.2-3.1-99, 2001:db8::1, 2001:db8::/120 or "
		"2001:db8::1-2001:db8::ff");
}

/* A number up to 255 at @text[*at]. 1: read, 0: there is none, -EINVAL: a bad one. */
static int read_number(
	const char *text, size_t length, size_t *at, uint8_t *out, struct value_error *err) {
	const size_t first = *at;
	unsigned value = 0;

	while (*at < length && isdigit((unsigned char)text[*at]) && *at < first + 4)
		value = value * 10 + (unsigned)(text[(*at)++] - '0');
	if (*at == first)
		return 0;
	if (text[first] == '0' && *at > first + 1)
		return value_fail(err, text, length,
			"leading zero, octal or decimal is unclear; write numbers without it");
	if (value > 255)
		return value_fail(err, text, length, "%.*s is above 255, the most an octet holds",
			(int)(*at - first), text + first);
	*out = (uint8_t)value;
	return 1;
}

/* `7`, `1-9` or `*` at @text[*at]. 1, 0 and -EINVAL as above. */
static int read_octets(const char *text, size_t length, size_t *at, uint8_t *low, uint8_t *high,
	struct value_error *err) {
	int ret;

	if (*at < length && text[*at] == '*') {
		(*at)++;
		*low = 0;
		*high = 255;
		return 1;
	}
	ret = read_number(text, length, at, low, err);
	if (ret <= 0)
		return ret;
	*high = *low;
	/* `1.2.3.4-5.6.7.8` is a range of addresses: its dash is not ours if a dot follows. */
	if (*at < length && text[*at] == '-') {
		(*at)++;
		ret = read_number(text, length, at, high, err);
		if (ret <= 0)
			return ret;
		if (*low > *high)
			return value_fail(err, text, length, "reversed; give the lower end first");
	}
	return 1;
}

static dp_ip join(const uint8_t octet[4]) {
	return dp_ip_v4((uint32_t)octet[0] << 24 | (uint32_t)octet[1] << 16
		| (uint32_t)octet[2] << 8 | octet[3]);
}

/* Four octets; ends at @length. 1, 0 and -EINVAL as above. */
static int read_quad(
	const char *text, size_t length, struct entry *entry, struct value_error *err) {
	size_t at = 0;

	for (unsigned i = 0; i < 4; i++) {
		int ret;

		if (i && (at >= length || text[at++] != '.'))
			return 0;
		ret = read_octets(text, length, &at, &entry->low[i], &entry->high[i], err);
		if (ret <= 0)
			return ret;
	}
	if (at != length)
		return 0;
	entry->first = join(entry->low);
	entry->last = join(entry->high);
	entry->pattern = entry->first != entry->last;
	return 1;
}

/* The number behind a slash, up to @most. */
static int read_prefix_length(const char *number, size_t digits, unsigned most, unsigned *bits) {
	*bits = 0;
	if (!digits || (digits > 1 && number[0] == '0'))
		return -EINVAL;
	for (size_t i = 0; i < digits; i++) {
		if (!isdigit((unsigned char)number[i]))
			return -EINVAL;
		*bits = *bits * 10 + (unsigned)(number[i] - '0');
		if (*bits > most)
			return -EINVAL;
	}
	return 0;
}

/* `a.b.c.d/n`, host bits ignored as nmap does. */
static int read_prefix(const char *text, size_t length, size_t slash, struct entry *entry,
	struct value_error *err) {
	unsigned bits;
	int ret = read_quad(text, slash, entry, err);

	if (ret < 0)
		return ret;
	if (!ret)
		return refuse(text, length, err);
	if (entry->pattern)
		return value_fail(err, text, length, "a prefix length needs one address before it");
	if (read_prefix_length(text + slash + 1, length - slash - 1, 32, &bits) < 0)
		return value_fail(err, text, length, "bad prefix length; give /0 to /32");
	uint32_t mask = bits ? UINT32_MAX << (32 - bits) : 0;
	entry->first = dp_ip_v4(dp_ip_to_v4(entry->first) & mask);
	entry->last = entry->first | (uint32_t)~mask;
	return 0;
}

/* `a.b.c.d-e.f.g.h`. */
static int read_range(
	const char *text, size_t length, struct entry *entry, struct value_error *err) {
	const char *dash = memchr(text, '-', length);
	size_t left;

	if (!dash)
		return refuse(text, length, err);
	left = (size_t)(dash - text);
	if (dp_ip_read(text, left, &entry->first) < 0
		|| dp_ip_read(dash + 1, length - left - 1, &entry->last) < 0)
		return refuse(text, length, err);
	if (entry->first > entry->last)
		return value_fail(err, text, length, "reversed; give the lower address first");
	entry->pattern = false;
	return 0;
}

/* `2001:db8::/32`, host bits ignored. */
static int read_prefix6(const char *text, size_t length, size_t slash, struct entry *entry,
	struct value_error *err) {
	unsigned bits;
	dp_ip mask;

	if (!slash)
		return refuse(text, length, err);
	if (value_read_ip(text, slash, &entry->first, err) < 0)
		return -EINVAL;
	if (read_prefix_length(text + slash + 1, length - slash - 1, 128, &bits) < 0)
		return value_fail(err, text, length, "bad prefix length; give /0 to /128");
	mask = bits ? DP_U128_MAX << (128 - bits) : 0;
	entry->first &= mask;
	entry->last = entry->first | ~mask;
	return 0;
}

/* An address, a prefix or a range of IPv6. */
static int read_entry6(
	const char *text, size_t length, struct entry *entry, struct value_error *err) {
	const char *slash = memchr(text, '/', length), *dash = memchr(text, '-', length);
	size_t left = dash ? (size_t)(dash - text) : length;

	entry->pattern = false;
	if (slash)
		return read_prefix6(text, length, (size_t)(slash - text), entry, err);
	if (dash && (!left || left + 1 == length))
		return refuse(text, length, err);
	if (value_read_ip(text, left, &entry->first, err) < 0)
		return -EINVAL;
	entry->last = entry->first;
	if (!dash)
		return 0;
	if (value_read_ip(dash + 1, length - left - 1, &entry->last, err) < 0)
		return -EINVAL;
	if (dp_ip_is_v4(entry->first) || dp_ip_is_v4(entry->last))
		return value_fail(err, text, length, "a range from one family to the other");
	if (entry->first > entry->last)
		return value_fail(err, text, length, "reversed; give the lower address first");
	return 0;
}

static unsigned count_dots(const char *text, size_t length) {
	unsigned dots = 0;

	for (size_t i = 0; i < length; i++)
		dots += text[i] == '.';
	return dots;
}

/* How many separate ranges a pattern makes: the octets up to the last that is not `*` count. */
static uint64_t pattern_ranges(const struct entry *entry) {
	uint64_t ranges = 1;
	int i = 3;

	while (i > 0 && entry->low[i] == 0 && entry->high[i] == 255)
		i--;
	while (--i >= 0)
		ranges *= (uint64_t)(entry->high[i] - entry->low[i]) + 1;
	return ranges;
}

static int read_entry(
	const char *text, size_t length, struct entry *entry, struct value_error *err) {
	const char *slash = memchr(text, '/', length);
	int ret;

	entry->name = NULL;
	if (memchr(text, ':', length))
		return read_entry6(text, length, entry, err);
	if (slash)
		return read_prefix(text, length, (size_t)(slash - text), entry, err);
	if (count_dots(text, length) == 6)
		return read_range(text, length, entry, err);
	ret = read_quad(text, length, entry, err);
	if (ret < 0)
		return ret;
	if (!ret)
		return refuse(text, length, err);
	if (entry->pattern && pattern_ranges(entry) > PATTERN_RANGES)
		return value_fail(err, text, length,
			"expands to %llu separate ranges, at most %d are taken; give fewer",
			(unsigned long long)pattern_ranges(entry), PATTERN_RANGES);
	return 0;
}

/* An entry of a list of targets, which may be a host name. */
static int read_target(
	const char *text, size_t length, struct entry *entry, struct value_error *err) {
	unsigned bits;
	int ret = names_is_one(text, length, &bits, err);

	if (ret <= 0)
		return ret < 0 ? ret : read_entry(text, length, entry, err);
	entry->name = text;
	entry->name_length = length;
	return 0;
}

/* Add a range of IPv6 that may have the numbers of IPv4 (dp/ip.h) in it, which are not meant. */
static int add_around_v4(struct dp_ipset *set, dp_ip first, dp_ip last) {
	int ret = 0;

	if (first > DP_IP_V4_LAST || last < DP_IP_V4_FIRST || dp_ip_is_v4(first))
		return dp_ipset_add(set, first, last);
	if (first < DP_IP_V4_FIRST)
		ret = dp_ipset_add(set, first, DP_IP_V4_FIRST - 1);
	return !ret && last > DP_IP_V4_LAST ? dp_ipset_add(set, DP_IP_V4_LAST + 1, last) : ret;
}

/* Add all addresses of an entry to a set, as few ranges as it has. */
static int add_entry(struct dp_ipset *set, const struct entry *entry) {
	uint8_t octet[4], top[4];
	int varying = 3;

	if (!entry->pattern)
		return add_around_v4(set, entry->first, entry->last);
	while (varying > 0 && entry->low[varying] == 0 && entry->high[varying] == 255)
		varying--;
	memcpy(octet, entry->low, 4);
	memcpy(top, entry->high, 4);
	for (;;) {
		int i = varying - 1, ret;

		/* From octet[varying] at its lowest to it at its highest is one range. */
		memcpy(top, octet, (size_t)varying);
		ret = dp_ipset_add(set, join(octet), join(top));
		if (ret < 0)
			return ret;
		while (i >= 0 && octet[i] == entry->high[i]) {
			octet[i] = entry->low[i];
			i--;
		}
		if (i < 0)
			return 0;
		octet[i]++;
	}
}

/* ---- Lists ---- */

static bool is_separator(char c) {
	return c == ',' || c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Call @entry_cb for every entry of a list. 0, a negative errno, -EINVAL with @err filled. */
static int each_in_list(const char *list, read_fn read_one, entry_fn entry_cb, void *user,
	struct value_error *err) {
	while (list && *list) {
		struct entry entry;
		size_t length = 0;
		int ret;

		while (is_separator(*list))
			list++;
		while (list[length] && !is_separator(list[length]))
			length++;
		if (!length)
			break;
		ret = read_one(list, length, &entry, err);
		if (ret < 0)
			return ret;
		ret = entry_cb(user, &entry);
		if (ret < 0)
			return ret;
		list += length;
	}
	return 0;
}

static int ignore_entry(void *user, const struct entry *entry) {
	return 0;
}

/* The entries of a list separated by ", ", to be freed. */
static int tidy_list(const char *list, char **canonical) {
	char *out;
	size_t at = 0;

	out = malloc(2 * strlen(list) + 1);
	if (!out)
		return -ENOMEM;
	for (const char *c = list; *c; c++) {
		if (is_separator(*c))
			continue;
		if (c > list && is_separator(c[-1]) && at) {
			out[at++] = ',';
			out[at++] = ' ';
		}
		out[at++] = *c;
	}
	out[at] = '\0';
	*canonical = out;
	return 0;
}

int targets_check(const char *list, char **canonical, struct value_error *err) {
	int ret = each_in_list(list, read_entry, ignore_entry, NULL, err);

	return ret < 0 ? ret : tidy_list(list, canonical);
}

int targets_check_named(const char *list, char **canonical, struct value_error *err) {
	int ret = each_in_list(list, read_target, ignore_entry, NULL, err);

	return ret < 0 ? ret : tidy_list(list, canonical);
}

/* ---- Files ---- */

/* A file of entries while it is read. */
struct list_file {
	const char *name; /* as it is shown */
	int fd;
	unsigned line;
	bool comment; /* until the end of the line */
	size_t length;
	char token[TOKEN_BYTES];
	read_fn read_one;
	entry_fn entry_cb;
	void *user;
	struct dp_error *err;
};

static int finish_token(struct list_file *file) {
	struct value_error why;
	struct entry entry;
	int ret;

	if (!file->length)
		return 0;
	ret = file->read_one(file->token, file->length, &entry, &why);
	if (ret < 0)
		return dp_fail(file->err, true, ret, "%s:%u: %s: %s", file->name, file->line,
			why.part, why.why);
	file->length = 0;
	ret = file->entry_cb(file->user, &entry);
	return ret < 0
		? dp_fail(file->err, false, ret, "%s:%u: out of memory", file->name, file->line)
		: 0;
}

static int take_character(struct list_file *file, char c) {
	int ret = 0;

	if (c == '\n') {
		ret = finish_token(file);
		file->comment = false;
		file->line++;
	} else if (file->comment) {
		return 0;
	} else if (c == '#' || c == ';') {
		file->comment = true;
		ret = finish_token(file);
	} else if (is_separator(c)) {
		ret = finish_token(file);
	} else if (file->length < TOKEN_BYTES) {
		file->token[file->length++] = c;
	} else {
		ret = finish_token(file); /* far too long: refused, with its beginning shown */
	}
	return ret;
}

static int read_file(struct list_file *file, char *chunk) {
	static const char bom[] = "\xef\xbb\xbf";
	bool start = true;

	for (;;) {
		ssize_t got = read(file->fd, chunk, CHUNK_BYTES);
		ssize_t i = 0;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return dp_fail(
				file->err, true, -errno, "%s: %s", file->name, strerror(errno));
		if (!got)
			return finish_token(file);
		if (start && got >= 3 && !memcmp(chunk, bom, 3))
			i = 3;
		start = false;
		for (; i < got; i++) {
			int ret = take_character(file, chunk[i]);

			if (ret < 0)
				return ret;
		}
	}
}

/* Call @entry_cb for every entry of the file @path; `-` is standard input. */
static int each_in_file(const char *path, const char *what, read_fn read_one, entry_fn entry_cb,
	void *user, struct dp_error *err) {
	const bool standard = !strcmp(path, "-");
	struct list_file *file = calloc(1, sizeof(*file) + CHUNK_BYTES);
	int ret;

	if (!file)
		return dp_fail(err, false, -ENOMEM, "out of memory");
	file->name = standard ? "standard input" : path;
	file->line = 1;
	file->read_one = read_one;
	file->entry_cb = entry_cb;
	file->user = user;
	file->err = err;
	file->fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (file->fd < 0)
		ret = dp_fail(err, true, -errno, "%s %s: %s", what, path, strerror(errno));
	else
		ret = read_file(file, (char *)(file + 1));
	if (!standard && file->fd >= 0)
		close(file->fd);
	free(file);
	return ret;
}

/* The same for every file of a list of them, split at commas; @again: but not standard input. */
static int each_in_files(const char *paths, const char *what, bool again, read_fn read_one,
	entry_fn entry_cb, void *user, struct dp_error *err) {
	char *copy, *rest, *path;
	int ret = 0;

	if (!paths || !*paths)
		return 0;
	copy = strdup(paths);
	if (!copy)
		return dp_fail(err, false, -ENOMEM, "out of memory");
	rest = copy;
	while (!ret && (path = strsep(&rest, ","))) {
		size_t length;

		path += strspn(path, " \t");
		length = strlen(path);
		while (length && (path[length - 1] == ' ' || path[length - 1] == '\t'))
			path[--length] = '\0';
		if (length && !(again && !strcmp(path, "-")))
			ret = each_in_file(path, what, read_one, entry_cb, user, err);
	}
	free(copy);
	return ret;
}

/* ---- The default exclusions ---- */

/* The ranges as listed, not merged: a target must lie inside one of them to be meant. */
struct range_list {
	struct dp_range *ranges;
	size_t nb, room;
};

static int add_default(void *user, const struct entry *entry) {
	struct range_list *list = user;

	if (list->nb == list->room) {
		size_t room = list->room ? list->room * 2 : 32;
		struct dp_range *ranges = reallocarray(list->ranges, room, sizeof(*ranges));

		if (!ranges)
			return -ENOMEM;
		list->ranges = ranges;
		list->room = room;
	}
	list->ranges[list->nb++] = (struct dp_range){entry->first, entry->last};
	return 0;
}

static int by_first(const void *left, const void *right) {
	const struct dp_range *a = left, *b = right;

	return (a->first > b->first) - (a->first < b->first);
}

/* True where [first, last] lies wholly inside one range of the tidied list. */
static bool inside_one(const struct range_list *list, dp_ip first, dp_ip last) {
	size_t low = 0, high = list->nb;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (list->ranges[middle].first <= first)
			low = middle + 1;
		else
			high = middle;
	}
	return low && list->ranges[low - 1].last >= last;
}

/* Drop ranges that lie inside another, so that starts and ends both ascend and one look suffices. */
static void tidy(struct range_list *list) {
	size_t kept = 0;

	if (list->nb)
		qsort(list->ranges, list->nb, sizeof(*list->ranges), by_first);
	for (size_t i = 0; i < list->nb; i++) {
		const struct dp_range range = list->ranges[i];

		if (kept && range.last <= list->ranges[kept - 1].last)
			continue;
		if (kept && range.first == list->ranges[kept - 1].first)
			kept--;
		list->ranges[kept++] = range;
	}
	list->nb = kept;
}

char *targets_default_list(void) {
	return datadir_path("conf/exclude.conf", "exclude.conf");
}

/* ---- The space ---- */

/* All sets of one build, so that one call frees them. */
struct build {
	struct range_list defaults;
	struct dp_ipset *meant; /* targets inside a default range: scanned all the same */
	struct dp_ipset *covered; /* all others: the default ranges are cut out of them */
	struct dp_ipset *all;
	struct dp_ipset *cut; /* the operator's exclusions */
	struct names *names; /* NULL: there are none among the targets */
	dp_u128 nb_all, nb_default, nb_never, nb_exclude; /* addresses */
};

static int add_target(void *user, const struct entry *entry) {
	struct build *build = user;

	if (entry->name)
		return names_want(build->names, entry->name, entry->name_length);
	return add_entry(inside_one(&build->defaults, entry->first, entry->last) ? build->meant
										 : build->covered,
		entry);
}

static int add_exclusion(void *user, const struct entry *entry) {
	return add_entry(user, entry);
}

static int add_ranges(struct dp_ipset *set, const struct dp_range *ranges, size_t nb) {
	for (size_t i = 0; i < nb; i++) {
		int ret = add_around_v4(set, ranges[i].first, ranges[i].last);

		if (ret < 0)
			return ret;
	}
	dp_ipset_seal(set);
	return 0;
}

/* Take [ranges, nb] out of @set; *@taken grows by the number of addresses that went. */
static int cut_out(struct dp_ipset *set, const struct dp_range *ranges, size_t nb, dp_u128 *taken) {
	const dp_u128 before = dp_ipset_count(set);
	struct dp_ipset *cut;
	int ret = dp_ipset_create(&cut);

	if (ret < 0)
		return ret;
	ret = add_ranges(cut, ranges, nb);
	if (!ret)
		ret = dp_ipset_subtract(set, cut);
	if (!ret)
		*taken += before - dp_ipset_count(set);
	dp_ipset_destroy(cut);
	return ret;
}

static int unite(struct dp_ipset *set, const struct dp_ipset *other) {
	const struct dp_range *ranges;
	size_t nb = dp_ipset_ranges(other, &ranges);

	return add_ranges(set, ranges, nb);
}

/* The addresses that a name stands for, or all that share their prefix. */
static int add_name(struct build *build, const struct name *name) {
	int ret = 0;

	for (unsigned i = 0; !ret && i < name->nb_ips; i++) {
		const unsigned width = dp_ip_is_v4(name->ips[i]) ? 32 : 128;
		const unsigned bits = name->bits == NAMES_NO_PREFIX ? width : name->bits;
		const dp_u128 host = bits == width ? 0 : DP_U128_MAX >> (128 - width) >> bits;
		const struct entry entry
			= {.first = name->ips[i] & ~host, .last = name->ips[i] | host};

		ret = add_target(build, &entry);
	}
	return ret;
}

static int add_names(const struct targets_spec *spec, struct build *build, struct dp_error *err) {
	const struct name *name;
	int ret = build->names ? names_resolve(build->names, &spec->policy, err) : 0;

	for (unsigned i = 0; !ret && (name = names_at(build->names, i)); i++)
		if (name->wanted && add_name(build, name) < 0)
			ret = dp_fail(err, false, -ENOMEM, "out of memory for the targets");
	return ret;
}

static int read_targets(
	const struct targets_spec *spec, struct build *build, struct dp_error *err) {
	const read_fn read_one = build->names ? read_target : read_entry;
	struct value_error why;
	int ret = 0;

	if (spec->default_list)
		ret = each_in_file(spec->default_list, "default exclude list", read_entry,
			add_default, &build->defaults, err);
	if (ret < 0)
		return ret;
	tidy(&build->defaults);
	if (each_in_list(spec->targets, read_one, add_target, build, &why) < 0)
		return dp_fail(err, false, -ENOMEM, "out of memory for the targets");
	ret = each_in_files(
		spec->targets_files, "target file", false, read_one, add_target, build, err);
	if (!ret)
		ret = add_names(spec, build, err);
	dp_ipset_seal(build->meant);
	dp_ipset_seal(build->covered);
	return ret;
}

/* targets - default list, where it was not meant - what is never scanned. */
static int apply_defaults(struct build *build) {
	dp_u128 cut = 0;
	int ret = unite(build->all, build->covered);

	if (!ret)
		ret = unite(build->all, build->meant);
	if (ret < 0)
		return ret;
	build->nb_all = dp_ipset_count(build->all);
	ret = cut_out(build->covered, build->defaults.ranges, build->defaults.nb, &cut);
	if (!ret)
		ret = unite(build->covered, build->meant);
	if (ret < 0)
		return ret;
	build->nb_default = build->nb_all - dp_ipset_count(build->covered);
	return cut_out(build->covered, never_scanned, NB_NEVER, &build->nb_never);
}

/* The operator's exclusions, sealed; @again: standard input was read before. */
static int read_exclusions(
	const struct targets_spec *spec, bool again, struct dp_ipset *set, struct dp_error *err) {
	struct value_error why;
	int ret;

	if (each_in_list(spec->exclude, read_entry, add_exclusion, set, &why) < 0)
		return dp_fail(err, false, -ENOMEM, "out of memory for the exclusions");
	ret = each_in_files(
		spec->exclude_files, "exclude file", again, read_entry, add_exclusion, set, err);
	if (ret < 0)
		return ret;
	dp_ipset_seal(set);
	return 0;
}

static int apply_exclusions(
	const struct targets_spec *spec, struct build *build, struct dp_error *err) {
	const dp_u128 before = dp_ipset_count(build->covered);
	int ret = read_exclusions(spec, false, build->cut, err);

	if (ret < 0)
		return ret;
	ret = dp_ipset_subtract(build->covered, build->cut);
	if (ret < 0)
		return dp_fail(err, false, ret, "out of memory for the exclusions");
	build->nb_exclude = before - dp_ipset_count(build->covered);
	return 0;
}

int targets_read_excludes(
	const struct targets_spec *spec, struct dp_ipset **set, struct dp_error *err) {
	struct dp_ipset *made;
	int ret = dp_ipset_create(&made);

	if (ret < 0)
		return dp_fail(err, false, ret, "out of memory for the exclusions");
	ret = read_exclusions(spec, true, made, err);
	if (ret < 0)
		dp_ipset_destroy(made);
	else
		*set = made;
	return ret;
}

static int nothing_left(
	const struct targets_spec *spec, const struct build *build, struct dp_error *err) {
	char all[DP_U128_TEXT_BYTES], by_default[DP_U128_TEXT_BYTES], never[DP_U128_TEXT_BYTES],
		exclude[DP_U128_TEXT_BYTES];

	if (!build->nb_all && names_failed(build->names)) {
		char failures[400];

		names_list_failures(build->names, failures, sizeof(failures));
		return dp_fail(err, true, -EINVAL, "no targets: no address for %s", failures);
	}
	if (!build->nb_all)
		return dp_fail(
			err, true, -EINVAL, "no targets: %s names no address", spec->targets_files);
	dp_u128_write(build->nb_all, all);
	dp_u128_write(build->nb_default, by_default);
	dp_u128_write(build->nb_never, never);
	dp_u128_write(build->nb_exclude, exclude);
	return dp_fail(err, true, -EINVAL,
		"no targets left: of %s addresses, %s are excluded by the default list, %s are "
		"never scanned (multicast, broadcast, 0.0.0.0/8, ::/96 but ::1) and %s are "
		"excluded by exclude and exclude_file",
		all, by_default, never, exclude);
}

/* The first address of a family in a sealed set that has some. */
static dp_ip first_of_family(const struct dp_ipset *set, bool v4) {
	const struct dp_range *ranges;
	size_t nb = dp_ipset_ranges(set, &ranges), i = 0;

	while (i + 1 < nb && dp_ip_is_v4(ranges[i].first) != v4)
		i++;
	return ranges[i].first;
}

/* Whether the scan type can do with what was asked for: ports, and families of addresses. */
static int check_type(
	const struct targets_spec *spec, const struct dp_ipset *set, struct dp_error *err) {
	const struct dp_scan_type *type = spec->type;
	const bool has_ports = !type || type->has_ports;
	char text[DP_IP_TEXT_BYTES];
	bool v4;

	if (!has_ports && spec->nb_ports)
		return dp_fail(err, true, -EINVAL,
			"scan type %s has no ports; leave out the list of ports", type->name);
	if (has_ports && !spec->nb_ports)
		return dp_fail(
			err, true, -EINVAL, "no ports: give some, such as 80,443 or - for all");
	if (!type || ((type->v4 || !dp_ipset_has_v4(set)) && (type->v6 || !dp_ipset_has_v6(set))))
		return 0;
	v4 = !type->v4 && dp_ipset_has_v4(set);
	dp_ip_write(first_of_family(set, v4), text);
	return dp_fail(err, true, -EINVAL,
		"scan type %s is for %s only, and %s is among the targets; leave out %s targets "
		"or choose another type",
		type->name, v4 ? "IPv6" : "IPv4", text, v4 ? "IPv4" : "IPv6");
}

static int make_space(const struct targets_spec *spec, const struct build *build,
	struct targets *targets, struct dp_error *err) {
	static const uint32_t no_port;
	const bool none = spec->type && !spec->type->has_ports;
	const unsigned nb_ports = none ? 1 : spec->nb_ports;
	char text[DP_U128_TEXT_BYTES];
	int ret = targets_space(build->covered, spec->type, none ? &no_port : spec->ports, nb_ports,
		&targets->space);

	dp_u128_write(dp_ipset_count(build->covered), text);
	if (ret == -E2BIG)
		return dp_fail(err, true, ret,
			"too many targets: %s addresses on %u ports are more than 2^120 pairs",
			text, nb_ports);
	if (ret < 0)
		return dp_fail(err, false, ret, "target space: %s", strerror(-ret));
	targets->excluded_default = (build->nb_default + build->nb_never) * nb_ports;
	targets->excluded_exclude = build->nb_exclude * nb_ports;
	return 0;
}

static int freeze(const struct targets_spec *spec, struct build *build, struct targets *targets,
	struct dp_error *err) {
	int ret = read_targets(spec, build, err);

	if (ret < 0)
		return ret;
	if (apply_defaults(build) < 0)
		return dp_fail(err, false, -ENOMEM, "out of memory for the targets");
	ret = check_type(spec, build->all, err);
	if (ret < 0)
		return ret;
	ret = apply_exclusions(spec, build, err);
	if (ret < 0)
		return ret;
	if (!dp_ipset_count(build->covered))
		return nothing_left(spec, build, err);
	return make_space(spec, build, targets, err);
}

int targets_build(const struct targets_spec *spec, struct targets *targets, struct dp_error *err) {
	struct build build = {.names = spec->names};
	int ret = -ENOMEM;

	*targets = (struct targets){0};
	if (dp_ipset_create(&build.meant) < 0 || dp_ipset_create(&build.covered) < 0
		|| dp_ipset_create(&build.all) < 0 || dp_ipset_create(&build.cut) < 0)
		dp_fail(err, false, ret, "out of memory for the targets");
	else
		ret = freeze(spec, &build, targets, err);
	free(build.defaults.ranges);
	dp_ipset_destroy(build.meant);
	dp_ipset_destroy(build.covered);
	dp_ipset_destroy(build.all);
	dp_ipset_destroy(build.cut);
	return ret;
}

/* ---- Ports ---- */

/* One item of a port list without its protocol: `80`, `1-9`, `-9`, `9-` or `-`. */
static int read_port_item(
	const char *item, size_t length, long *low, long *high, struct value_error *err) {
	const char *dash = memchr(item, '-', length);
	long bound[2] = {1, 65535};
	const char *from[2] = {item, dash ? dash + 1 : item};
	size_t size[2] = {dash ? (size_t)(dash - item) : length, 0};

	size[1] = (size_t)(item + length - from[1]);
	for (unsigned i = 0; i < 2; i++) {
		long value = 0;

		for (size_t k = 0; k < size[i]; k++) {
			if (!isdigit((unsigned char)from[i][k]))
				return value_fail(err, item, length,
					"%s; give ports such as 80,443,8000-8010 or - for all",
					isalpha((unsigned char)from[i][k])
						? "service names are not known"
						: "not a port");
			if (value <= 65535)
				value = value * 10 + (from[i][k] - '0');
		}
		if (value > 65535)
			return value_fail(err, item, length, "out of range; ports go up to 65535");
		if (size[i])
			bound[i] = value;
	}
	if (bound[0] > bound[1])
		return value_fail(err, item, length, "reversed; give the lower port first");
	*low = bound[0];
	*high = bound[1];
	return 0;
}

/* Strip blanks around [*item, *length). */
static void trim(const char **item, size_t *length) {
	while (*length && (**item == ' ' || **item == '\t')) {
		(*item)++;
		(*length)--;
	}
	while (*length && ((*item)[*length - 1] == ' ' || (*item)[*length - 1] == '\t'))
		(*length)--;
}

enum {
	PROTOCOLS = 3,
};

/* The prefixes that an item of a port list can have. */
static const struct {
	char letter;
	const char *name, *flag;
} protocols[PROTOCOLS] = {
	[DP_PROTO_TCP] = {'T', "TCP", "-sS"},
	[DP_PROTO_UDP] = {'U', "UDP", "-sU"},
	[DP_PROTO_SCTP] = {'S', "SCTP", "-sY"},
};

char targets_letter(enum dp_proto proto) {
	return protocols[proto].letter;
}

const char *targets_flag(enum dp_proto proto) {
	return protocols[proto].flag;
}

/* The ports that a list chooses, of each protocol. */
struct choice {
	uint8_t bits[PROTOCOLS][PORTS_MAX / 8];
};

/* Take the protocol off an item, where the type sends it; it stays for the items behind it. */
static int take_protocol(const char **item, size_t *length, const struct dp_scan_type *type,
	unsigned *protocol, struct value_error *err) {
	unsigned i = 0;

	if (*length < 2 || (*item)[1] != ':')
		return 0;
	while (i < PROTOCOLS && protocols[i].letter != **item)
		i++;
	if (i == PROTOCOLS)
		return value_fail(err, *item, *length,
			"unknown protocol; give T: for TCP, U: for UDP, S: for SCTP or nothing");
	if (type && !dp_scan_part(type, i))
		return value_fail(err, *item, *length,
			"%s ports need a scan type that sends to them, and %s does not; add %s, or "
			"leave them out",
			protocols[i].name, type->name, protocols[i].flag);
	*protocol = i;
	*item += 2;
	*length -= 2;
	return 0;
}

/* Items of no protocol, before the first that has one, are of all. */
static int read_choice(const char *list, const struct dp_scan_type *type, struct choice *choice,
	struct value_error *err) {
	const char *item = list;
	unsigned protocol = PROTOCOLS;

	*choice = (struct choice){0};
	if (!*list)
		return 0;
	for (;;) {
		const size_t whole = strcspn(item, ",");
		const char *part = item;
		size_t length = whole;
		long low = 0, high = 0;
		int ret;

		trim(&part, &length);
		ret = length ? take_protocol(&part, &length, type, &protocol, err) : 0;
		if (ret < 0)
			return ret;
		if (!length)
			return value_fail(err, list, strlen(list),
				"an item is empty; give ports such as 80,443,8000-8010");
		ret = read_port_item(part, length, &low, &high, err);
		if (ret < 0)
			return ret;
		for (unsigned i = 0; i < PROTOCOLS; i++)
			for (long port = low;
				(protocol == PROTOCOLS || protocol == i) && port <= high; port++)
				choice->bits[i][port / 8] |= (uint8_t)(1u << port % 8);
		if (!item[whole])
			return 0;
		item += whole + 1;
	}
}

static bool is_chosen(const struct choice *choice, unsigned protocol, unsigned port) {
	return choice->bits[protocol][port / 8] >> port % 8 & 1;
}

/* Of whatever protocol. */
static bool is_chosen_at_all(const struct choice *choice, unsigned port) {
	bool chosen = false;

	for (unsigned i = 0; i < PROTOCOLS; i++)
		chosen |= is_chosen(choice, i, port);
	return chosen;
}

int targets_read_ports(const char *list, const struct dp_scan_type *type, uint16_t *ports,
	unsigned *nb, struct value_error *err) {
	struct choice choice;
	int ret = read_choice(list, type, &choice, err);

	*nb = 0;
	for (unsigned port = 0; !ret && port < PORTS_MAX; port++)
		if (is_chosen_at_all(&choice, port))
			ports[(*nb)++] = (uint16_t)port;
	return ret;
}

int targets_read_endpoints(const char *list, const struct dp_scan_type *type, uint32_t *ports,
	unsigned *nb, struct value_error *err) {
	struct choice choice;
	int ret = read_choice(list, type, &choice, err);

	*nb = 0;
	for (unsigned port = 0; !ret && !type->nb_parts && port < PORTS_MAX; port++)
		if (is_chosen_at_all(&choice, port))
			ports[(*nb)++] = port;
	for (unsigned i = 0; !ret && i < type->nb_parts; i++)
		for (unsigned port = 0; port < PORTS_MAX; port++)
			if (is_chosen(&choice, type->part[i]->proto, port))
				ports[(*nb)++] = dp_endpoint(type->part[i]->proto, (uint16_t)port);
	return ret;
}

int targets_space(const struct dp_ipset *addresses, const struct dp_scan_type *type,
	const uint32_t *ports, unsigned nb_ports, struct dp_space **space) {
	uint16_t *plain;
	int ret;

	if (type && type->nb_parts)
		return dp_space_create_mixed(addresses, ports, nb_ports, space);
	plain = calloc(nb_ports + 1, sizeof(*plain));
	if (!plain)
		return -ENOMEM;
	for (unsigned i = 0; i < nb_ports; i++)
		plain[i] = (uint16_t)ports[i];
	ret = dp_space_create(addresses, plain, nb_ports, space);
	free(plain);
	return ret;
}
