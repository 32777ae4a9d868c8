/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * --list-targets and --sim-truth.
 *
 * Main thread, instead of a scan. Owns an output buffer and, for the truth of one shard of several,
 * a bitmap of bounded size.
 */
#include "listing.h"

#include <dp/order.h>
#include <dp/scan.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	BUFFER_BYTES = 1 << 20,
	LINE_BYTES = 96, /* more than the longest line */
	BURST = 256,
	WINDOW_BITS = 30, /* indices a pass, where a shard's are sorted: 128 MiB of bitmap */
};

struct lines {
	int fd;
	bool ports;
	size_t length;
	char bytes[BUFFER_BYTES];
};

static const struct dp_scan_type *type_of(const struct ctl_config *config) {
	return config->type;
}

static struct lines *open_lines(const struct ctl_config *config, int fd) {
	struct lines *lines = malloc(sizeof(*lines));

	if (!lines)
		return NULL;
	lines->fd = fd;
	lines->ports = type_of(config)->has_ports;
	lines->length = 0;
	return lines;
}

static int flush(struct lines *lines) {
	size_t done = 0;

	while (done < lines->length) {
		ssize_t wrote = write(lines->fd, lines->bytes + done, lines->length - done);

		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			return -errno;
		done += (size_t)wrote;
	}
	lines->length = 0;
	return 0;
}

static char *put_port(char *out, unsigned port) {
	char digits[5];
	unsigned nb = 0;

	do {
		digits[nb++] = (char)('0' + port % 10);
		port /= 10;
	} while (port);
	while (nb)
		*out++ = digits[--nb];
	return out;
}

static char *put_text(char *out, const char *text) {
	const size_t length = strlen(text);

	memcpy(out, text, length);
	return out + length;
}

/* What of the scan goes to a target: of a mix the part for its protocol. */
static const struct dp_scan_type *part_for(
	const struct dp_scan_type *type, const struct dp_target *target) {
	return type->nb_parts ? dp_scan_part(type, target->proto) : type;
}

/* Append `ip port proto`, or that and a state. */
static int put_line(
	struct lines *lines, struct dp_target target, enum dp_proto proto, const char *state) {
	char *out = lines->bytes + lines->length;

	out += dp_ip_write(target.ip, out);
	*out++ = ' ';
	if (lines->ports)
		out = put_port(out, target.port);
	else
		*out++ = '-';
	*out++ = ' ';
	out = put_text(out, dp_proto_name(proto));
	if (state) {
		*out++ = ' ';
		out = put_text(out, state);
	}
	*out++ = '\n';
	lines->length = (size_t)(out - lines->bytes);
	return lines->length > BUFFER_BYTES - LINE_BYTES ? flush(lines) : 0;
}

static unsigned burst_of(dp_u128 left) {
	return left < BURST ? (unsigned)left : BURST;
}

static struct dp_slice slice_of(const struct ctl_config *config) {
	const struct dp_slice whole = {0, dp_space_count(config->space)};

	return dp_slice_part(whole, config->shard, config->shards);
}

int ctl_list_targets(const struct ctl_config *config, int fd) {
	const struct dp_scan_type *type = type_of(config);
	const struct dp_slice slice = slice_of(config);
	struct lines *lines = open_lines(config, fd);
	struct dp_perm perm;
	int ret = 0;

	if (!lines)
		return -ENOMEM;
	dp_perm_init(&perm, dp_space_count(config->space), config->seed);
	for (dp_u128 i = slice.first; !ret && i < slice.end; i += BURST) {
		struct dp_target targets[BURST];
		const unsigned n = burst_of(slice.end - i);

		dp_space_walk(config->space, &perm, i, targets, n);
		for (unsigned k = 0; !ret && k < n; k++)
			ret = put_line(lines, targets[k], part_for(type, &targets[k])->proto, NULL);
	}
	if (!ret)
		ret = flush(lines);
	free(lines);
	return ret;
}

/* Write the truth about the pairs of @n indices, unless they are silent. */
static int put_truth(
	struct lines *lines, const struct ctl_config *config, const dp_u128 *index, unsigned n) {
	const struct dp_scan_type *type = type_of(config);
	struct dp_target targets[BURST];
	int ret = 0;

	dp_space_pick_wide(config->space, index, targets, n);
	for (unsigned i = 0; !ret && i < n; i++) {
		enum dp_state state;
		enum dp_proto proto;

		if (dp_sim_truth(&config->sim, part_for(type, &targets[i]), targets[i].ip,
			    targets[i].port, &state, &proto))
			ret = put_line(lines, targets[i], proto, dp_state_name(state));
	}
	return ret;
}

/* The whole space: its indices are ascending as they are. */
static int truth_of_all(struct lines *lines, const struct ctl_config *config) {
	const dp_u128 count = dp_space_count(config->space);
	int ret = 0;

	for (dp_u128 i = 0; !ret && i < count; i += BURST) {
		dp_u128 index[BURST];
		const unsigned n = burst_of(count - i);

		for (unsigned k = 0; k < n; k++)
			index[k] = i + k;
		ret = put_truth(lines, config, index, n);
	}
	return ret;
}

/* Mark the shard's indices in [first, end). */
static void mark(const struct ctl_config *config, dp_u128 first, dp_u128 end, uint64_t *bits) {
	const struct dp_slice slice = slice_of(config);
	struct dp_perm perm;

	dp_perm_init(&perm, dp_space_count(config->space), config->seed);
	for (dp_u128 i = slice.first; i < slice.end; i += BURST) {
		dp_u128 index[BURST];
		const unsigned n = burst_of(slice.end - i);

		dp_perm_wide_burst(&perm, i, index, n);
		for (unsigned k = 0; k < n; k++) {
			const uint64_t bit = (uint64_t)(index[k] - first);

			if (index[k] >= first && index[k] < end)
				bits[bit / 64] |= UINT64_C(1) << bit % 64;
		}
	}
}

/* Write the truth about the marked indices, which count from @first. */
static int truth_of_marked(struct lines *lines, const struct ctl_config *config, dp_u128 first,
	const uint64_t *bits, uint64_t words) {
	dp_u128 index[BURST];
	unsigned n = 0;
	int ret = 0;

	for (uint64_t w = 0; !ret && w < words; w++)
		for (uint64_t word = bits[w]; !ret && word; word &= word - 1) {
			index[n++] = first + w * 64 + (unsigned)__builtin_ctzll(word);
			if (n < BURST)
				continue;
			ret = put_truth(lines, config, index, n);
			n = 0;
		}
	return ret ? ret : put_truth(lines, config, index, n);
}

/* One shard of several: its indices are scattered, so they are sorted window by window. */
static int truth_of_shard(struct lines *lines, const struct ctl_config *config) {
	const dp_u128 count = dp_space_count(config->space), window = (dp_u128)1 << WINDOW_BITS;
	const uint64_t words = (uint64_t)((count < window ? count : window) + 63) / 64;
	uint64_t *bits = malloc(words * sizeof(*bits));
	int ret = 0;

	if (!bits)
		return -ENOMEM;
	for (dp_u128 first = 0; !ret && first < count; first += window) {
		memset(bits, 0, words * sizeof(*bits));
		mark(config, first, first + window, bits);
		ret = truth_of_marked(lines, config, first, bits, words);
	}
	free(bits);
	return ret;
}

int ctl_list_sim_truth(const struct ctl_config *config, int fd) {
	struct lines *lines = open_lines(config, fd);
	int ret;

	if (!lines)
		return -ENOMEM;
	ret = config->shards == 1 ? truth_of_all(lines, config) : truth_of_shard(lines, config);
	if (!ret)
		ret = flush(lines);
	free(lines);
	return ret;
}
