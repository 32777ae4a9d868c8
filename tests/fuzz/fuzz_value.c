/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Single values. The first byte says of which kind; each that is read and written reads back to the same
 * text.
 */
#include "fuzz.h"
#include "value.h"

/* The longest that an option takes; beyond three of them a double holds no microseconds. */
#define YEAR_NS (UINT64_C(8760) * 3600 * 1000000000)

/* Read @text and write the value to @out. 0 or -EINVAL. */
typedef int again(const char *text, char out[VALUE_TEXT_BYTES], struct value_error *err);

static int of_count(const char *text, char out[VALUE_TEXT_BYTES], struct value_error *err) {
	uint64_t value;
	int rc = value_read_count(text, 3, UINT64_MAX - 7, &value, err);

	FUZZ_ASSERT(rc || (value >= 3 && value <= UINT64_MAX - 7));
	return rc ? rc : (snprintf(out, VALUE_TEXT_BYTES, "%lu", value), 0);
}

static int of_bool(const char *text, char out[VALUE_TEXT_BYTES], struct value_error *err) {
	bool value;
	int rc = value_read_bool(text, &value, err);

	return rc ? rc : (strcpy(out, value ? "yes" : "no"), 0);
}

static int of_name(const char *text, char out[VALUE_TEXT_BYTES], struct value_error *err) {
	static const char *const names[] = {"syn", "ack", "window", "", "auto", NULL};
	unsigned value;
	int rc = value_read_name(text, names, &value, err);

	return rc ? rc : (strcpy(out, names[value]), 0);
}

static int of_fraction(const char *text, char out[VALUE_TEXT_BYTES], struct value_error *err) {
	double value;
	int rc = value_read_fraction(text, &value, err);

	FUZZ_ASSERT(rc || (value >= 0 && value <= 1));
	return rc ? rc : (value_write_fraction(value, out), 0);
}

static int of_seconds(const char *text, char out[VALUE_TEXT_BYTES], struct value_error *err) {
	double value;
	int rc = value_read_seconds(text, 1, 86400000, &value, err);

	FUZZ_ASSERT(rc || (value >= 0.001 && value <= 86400));
	return rc ? rc : (value_write_seconds(value, out), 0);
}

static int of_duration(const char *text, char out[VALUE_TEXT_BYTES], struct value_error *err) {
	uint64_t value;
	int rc = value_read_duration(text, 0, YEAR_NS, &value, err);

	FUZZ_ASSERT(rc || value <= YEAR_NS);
	return rc ? rc : (value_write_duration(value, out), 0);
}

static int of_rate(const char *text, char out[VALUE_TEXT_BYTES], struct value_error *err) {
	struct value_rate value;
	int rc = value_read_rate(text, &value, err);

	FUZZ_ASSERT(rc || (value.pps >= 0 && value.bps >= 0));
	return rc ? rc : (value_write_rate(value, out), 0);
}

static int of_ip(const char *text, char out[VALUE_TEXT_BYTES], struct value_error *err) {
	dp_ip value;
	int rc = value_read_ip(text, strlen(text), &value, err);

	return rc ? rc : (value_write_ip(value, out), 0);
}

static int of_ipv4(const char *text, char out[VALUE_TEXT_BYTES], struct value_error *err) {
	uint32_t value;
	int rc = value_read_ipv4(text, strlen(text), &value, err);

	return rc ? rc : (value_write_ipv4(value, out), 0);
}

static int of_mac(const char *text, char out[VALUE_TEXT_BYTES], struct value_error *err) {
	uint8_t value[6];
	int rc = value_read_mac(text, value, err);

	return rc ? rc : (value_write_mac(value, out), 0);
}

static int of_port_range(const char *text, char out[VALUE_TEXT_BYTES], struct value_error *err) {
	uint16_t first, last;
	int rc = value_read_port_range(text, &first, &last, err);

	FUZZ_ASSERT(rc || (first >= 1 && first <= last));
	return rc ? rc : (snprintf(out, VALUE_TEXT_BYTES, "%u-%u", first, last), 0);
}

static int of_shard(const char *text, char out[VALUE_TEXT_BYTES], struct value_error *err) {
	uint32_t shard, shards;
	int rc = value_read_shard(text, &shard, &shards, err);

	FUZZ_ASSERT(rc || (shard >= 1 && shard <= shards));
	return rc ? rc : (snprintf(out, VALUE_TEXT_BYTES, "%u/%u", shard, shards), 0);
}

static again *const kinds[] = {of_count, of_bool, of_name, of_fraction, of_seconds, of_duration,
	of_rate, of_ip, of_ipv4, of_mac, of_port_range, of_shard};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	char *text = size ? fuzz_string(data + 1, size - 1) : NULL;
	char first[VALUE_TEXT_BYTES], second[VALUE_TEXT_BYTES];
	struct value_error err = {0};
	again *kind;

	if (!text)
		return 0;
	kind = kinds[data[0] % (sizeof(kinds) / sizeof(kinds[0]))];
	if (kind(text, first, &err) == 0) {
		FUZZ_ASSERT(kind(first, second, &err) == 0);
		FUZZ_ASSERT(!strcmp(first, second));
	} else {
		FUZZ_ASSERT(err.why[0]);
		FUZZ_ASSERT(strnlen(err.part, sizeof(err.part)) < sizeof(err.part));
	}
	free(text);
	return 0;
}
