/* SPDX-License-Identifier: BSD-3-Clause */
#include "checkpoint.h"

#include <dp/secret.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char program[] = "0.1.0", folder[] = "/somewhere", section[] = "scan", key[] = "ports",
	    value[] = "80", what[] = "target file", path[] = "hosts.txt", format[] = "ndjson",
	    output[] = "out.ndjson", plugin[] = "http-enum", version[] = "1.0.0";

/* One that has something in every list; its pointers are not to be freed. */
static struct checkpoint sample(void) {
	static struct checkpoint_setting settings[] = {{section, key, value}};
	static struct checkpoint_input inputs[] = {{.what = what, .path = path, .digest = {1}}};
	static struct dp_piece pieces[] = {{10, 20, 0}, {25, (dp_u128)1 << 100, 2}};
	static struct dp_range excluded[] = {{5, 9}};
	static struct checkpoint_output outputs[] = {{.format = format,
		.path = output,
		.regular = true,
		.start = 7,
		.end = 700,
		.results = 3,
		.digest = {2}}};
	static struct checkpoint_plugin plugins[]
		= {{.name = plugin, .version = version, .offered = 2, .status = {2}}};
	static uint64_t segments[] = {3, 9};
	static struct coverage_pair pairs[] = {{77, 5}};
	struct checkpoint k = {.program = program,
		.folder = folder,
		.settings = settings,
		.nb_settings = 1,
		.inputs = inputs,
		.nb_inputs = 1,
		.begun = true,
		.passes = 3,
		.first = 0,
		.end = (dp_u128)1 << 100,
		.left = {pieces, 2},
		.excluded = excluded,
		.nb_excluded = 1,
		.outputs = outputs,
		.nb_outputs = 1,
		.plugins = plugins,
		.nb_plugins = 1,
		.resumed = 4,
		.segments = segments,
		.nb_segments = 2,
		.next_segment = 10,
		.coverage = {pairs, 1, 2}};

	k.counts.unique = 12;
	k.counts.stats.probes_sent = 34;
	k.key = dp_secret_alloc(sizeof *k.key);
	cr_assert(k.key);
	memset(k.key->bytes, 0xab, sizeof k.key->bytes);
	return k;
}

static uint8_t *encoded(size_t *n) {
	const struct checkpoint k = sample();
	uint8_t *bytes;

	cr_assert_eq(checkpoint_encode(&k, &bytes, n), 0);
	return bytes;
}

Test(checkpoint, comes_back_as_it_was) {
	const struct checkpoint k = sample();
	struct checkpoint back;
	struct dp_error err;
	size_t n, again_n;
	uint8_t *bytes = encoded(&n), *again;

	cr_assert_eq(checkpoint_decode(bytes, n, &back, &err), 0, "%s", err.text);
	cr_expect_str_eq(back.settings[0].value, "80");
	cr_expect_str_eq(back.inputs[0].path, "hosts.txt");
	cr_expect_eq(back.left.nb, 2);
	cr_expect(back.left.list[1].end == k.left.list[1].end);
	cr_expect_eq(back.outputs[0].end, 700);
	cr_expect_eq(back.segments[1], 9);
	cr_expect_eq(back.counts.stats.probes_sent, 34);
	cr_expect_eq(memcmp(back.key, k.key, sizeof *k.key), 0);
	/* Every field: the same bytes come of what was read. */
	cr_assert_eq(checkpoint_encode(&back, &again, &again_n), 0);
	cr_assert_eq(again_n, n);
	cr_expect_eq(memcmp(bytes, again, n), 0);
	checkpoint_clear(&back);
	checkpoint_free_bytes(again, again_n);
	checkpoint_free_bytes(bytes, n);
}

Test(checkpoint, every_byte_counts) {
	struct checkpoint back;
	struct dp_error err;
	size_t n;
	uint8_t *bytes = encoded(&n);

	for (size_t i = 0; i < n; i++) {
		for (unsigned bit = 1; bit < 256; bit *= 16) {
			bytes[i] ^= (uint8_t)bit;
			err.text[0] = '\0';
			cr_expect_eq(
				checkpoint_decode(bytes, n, &back, &err), -EBADMSG, "byte %zu", i);
			cr_expect(err.usage && err.text[0], "byte %zu", i);
			bytes[i] ^= (uint8_t)bit;
		}
	}
	checkpoint_free_bytes(bytes, n);
}

Test(checkpoint, cut_anywhere_is_refused) {
	struct checkpoint back;
	struct dp_error err;
	size_t n;
	uint8_t *bytes = encoded(&n);

	for (size_t i = 0; i < n; i++) {
		/* A copy of its own, so that reading behind the end shows. */
		uint8_t *copy = malloc(i ? i : 1);

		memcpy(copy, bytes, i);
		cr_expect_eq(checkpoint_decode(copy, i, &back, &err), -EBADMSG, "%zu bytes", i);
		cr_expect(strstr(err.text, i ? "cut short" : "empty"), "%s", err.text);
		free(copy);
	}
	checkpoint_free_bytes(bytes, n);
}

static void expect_refused(const uint8_t *bytes, size_t n, const char *why) {
	struct checkpoint back;
	struct dp_error err = {0};

	cr_expect_eq(checkpoint_decode(bytes, n, &back, &err), -EBADMSG);
	cr_expect(strstr(err.text, why), "%s", err.text);
}

Test(checkpoint, says_what_is_wrong) {
	size_t n;
	uint8_t *bytes = encoded(&n);

	expect_refused((const uint8_t *)"hello", 5, "no checkpoint");
	bytes[20] = CHECKPOINT_VERSION + 1;
	expect_refused(bytes, n, "it has version 3, and this program reads version 2");
	bytes[20] = CHECKPOINT_VERSION;
	bytes[n / 2] ^= 1;
	expect_refused(bytes, n, "altered");
	checkpoint_free_bytes(bytes, n);
}

/* A checksum is no proof of sense: what is right but impossible is refused, too. */
Test(checkpoint, nonsense_is_refused) {
	struct dp_piece overlap[] = {{10, 20, 0}, {15, 30, 0}};
	struct checkpoint k = sample();
	uint8_t *bytes;
	size_t n;

	k.left = (struct dp_pieces){overlap, 2};
	cr_assert_eq(checkpoint_encode(&k, &bytes, &n), 0);
	expect_refused(bytes, n, "makes no sense");
	checkpoint_free_bytes(bytes, n);
	k = sample();
	k.outputs[0].start = 701;
	cr_assert_eq(checkpoint_encode(&k, &bytes, &n), 0);
	expect_refused(bytes, n, "makes no sense");
	k.outputs[0].start = 7;
	checkpoint_free_bytes(bytes, n);
	k = sample();
	k.passes = 2;
	cr_assert_eq(checkpoint_encode(&k, &bytes, &n), 0);
	expect_refused(bytes, n, "makes no sense");
	checkpoint_free_bytes(bytes, n);
}

Test(checkpoint, a_file_is_its_owners) {
	char name[] = "/tmp/pdp-checkpoint-XXXXXX", *file;
	struct checkpoint back;
	struct dp_error err;
	struct stat st;
	size_t n;
	uint8_t *bytes = encoded(&n);

	cr_assert_not_null(mkdtemp(name));
	cr_assert(asprintf(&file, "%s/x", name) > 0);
	cr_assert_eq(checkpoint_write(file, bytes, n), 0);
	cr_assert_eq(stat(file, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0600);
	cr_assert_eq(checkpoint_read(file, &back, &err), 0, "%s", err.text);
	checkpoint_clear(&back);
	cr_expect_eq(checkpoint_write("/nonexistent/x", bytes, n), -ENOENT);
	cr_expect_eq(checkpoint_read("/nonexistent/x", &back, &err), -ENOENT);
	unlink(file);
	/* No temporary file stays. */
	cr_expect_eq(rmdir(name), 0);
	free(file);
	checkpoint_free_bytes(bytes, n);
}

Test(checkpoint, a_space_by_value) {
	static const uint16_t ports[] = {22, 80, 65535};
	char file[] = "/tmp/pdp-space-XXXXXX";
	struct dp_space *space, *back;
	struct dp_ipset *set;
	struct dp_error err;
	uint8_t digest[DIGEST_BYTES];

	cr_assert_eq(dp_ipset_create(&set), 0);
	dp_ipset_add(set, DP_IP_V4_FIRST + 5, DP_IP_V4_FIRST + 9);
	dp_ipset_add(set, (dp_ip)0x2001 << 112, ((dp_ip)0x2001 << 112) + 99);
	dp_ipset_seal(set);
	cr_assert_eq(dp_space_create(set, ports, 3, &space), 0);
	cr_assert_eq(checkpoint_digest(space, digest), 0);
	close(mkstemp(file));
	cr_assert_eq(checkpoint_write_space(file, space), 0);
	cr_assert_eq(checkpoint_read_space(file, digest, &back, &err), 0, "%s", err.text);
	cr_expect(dp_space_count(back) == 105 * 3);
	dp_space_destroy(back);
	digest[0] ^= 1;
	cr_expect_eq(checkpoint_read_space(file, digest, &back, &err), -EBADMSG);
	cr_expect(strstr(err.text, "another checkpoint"), "%s", err.text);
	unlink(file);
	dp_space_destroy(space);
	dp_ipset_destroy(set);
}

/* Also one of several protocols, which is another than the one of the same ports. */
Test(checkpoint, mixed_space) {
	const uint32_t endpoints[] = {dp_endpoint(DP_PROTO_TCP, 80), dp_endpoint(DP_PROTO_UDP, 80),
		dp_endpoint(DP_PROTO_SCTP, 65535)};
	const uint16_t port = 80;
	char file[] = "/tmp/pdp-space-XXXXXX";
	uint8_t digest[DIGEST_BYTES], other[DIGEST_BYTES];
	struct dp_space *space, *back;
	struct dp_ipset *set;
	struct dp_error err;

	cr_assert_eq(dp_ipset_create(&set), 0);
	dp_ipset_add(set, DP_IP_V4_FIRST + 5, DP_IP_V4_FIRST + 9);
	dp_ipset_seal(set);
	cr_assert_eq(dp_space_create_mixed(set, endpoints, 3, &space), 0);
	cr_assert_eq(checkpoint_digest(space, digest), 0);
	close(mkstemp(file));
	cr_assert_eq(checkpoint_write_space(file, space), 0);
	cr_assert_eq(checkpoint_read_space(file, digest, &back, &err), 0, "%s", err.text);
	cr_expect(dp_space_is_mixed(back));
	cr_expect(dp_space_count(back) == 15);
	for (unsigned i = 0; i < 3; i++)
		cr_expect_eq(dp_space_endpoint(back, i), endpoints[i]);
	dp_space_destroy(back);
	dp_space_destroy(space);
	/* One TCP port, mixed or not, gives two digests. */
	cr_assert_eq(dp_space_create_mixed(set, endpoints, 1, &space), 0);
	cr_assert_eq(checkpoint_digest(space, digest), 0);
	dp_space_destroy(space);
	cr_assert_eq(dp_space_create(set, &port, 1, &space), 0);
	cr_assert_eq(checkpoint_digest(space, other), 0);
	cr_expect_neq(memcmp(digest, other, DIGEST_BYTES), 0);
	dp_space_destroy(space);
	dp_ipset_destroy(set);
	unlink(file);
}

/* Writing may take long, and a dump may be taken meanwhile. */
Test(checkpoint, its_bytes_are_in_no_dump) {
	unsigned long first, end, place;
	char line[512];
	bool here = false, hidden = false;
	size_t n;
	uint8_t *bytes = encoded(&n);
	FILE *maps = fopen("/proc/self/smaps", "r");

	cr_assert_not_null(maps);
	place = (unsigned long)(uintptr_t)bytes;
	while (fgets(line, sizeof line, maps)) {
		if (sscanf(line, "%lx-%lx ", &first, &end) == 2)
			here = first <= place && place + n <= end;
		else if (here && !strncmp(line, "VmFlags:", 8))
			hidden = strstr(line, " dd");
	}
	fclose(maps);
	cr_expect(hidden);
	checkpoint_free_bytes(bytes, n);
}
