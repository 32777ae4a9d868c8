/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The order of a scan: a bijection for every count, different for every seed, and so even that
 * neighbouring probes fall in different networks.
 */
#include <dp/order.h>

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdlib.h>

static const uint64_t seeds[] = {0, 1, 0x123456789abcdef0u, UINT64_MAX};

enum {
	NB_SEEDS = sizeof(seeds) / sizeof(seeds[0]),
	SAMPLES = 1 << 22,
};

/* Every image is below the count and comes once; @seen holds @count numbers below @mark. */
static void check_bijection(uint64_t count, uint64_t seed, uint32_t *seen, uint32_t mark) {
	struct dp_perm perm;

	dp_perm_init(&perm, count, seed);
	for (uint64_t i = 0; i < count; i++) {
		const uint64_t image = (uint64_t)dp_perm_at(&perm, i);

		if (image >= count)
			cr_assert_fail(
				"count %lu seed %lx: %lu becomes %lu", count, seed, i, image);
		if (seen[image] == mark)
			cr_assert_fail("count %lu seed %lx: %lu comes twice", count, seed, image);
		seen[image] = mark;
	}
}

Test(order, bijection_of_small_counts) {
	static uint32_t seen[4096];
	uint32_t mark = 0;

	/* Two seeds a count, in turn: all of them would take seconds. */
	for (uint64_t count = 1; count <= 4096; count++)
		for (unsigned k = 0; k < 2; k++)
			check_bijection(count, seeds[(count + k) % NB_SEEDS], seen, ++mark);
}

Test(order, bijection_of_large_counts) {
	static const uint64_t counts[] = {65535, 65536, 65537, 1000000};
	static uint32_t seen[1000000];
	uint32_t mark = 0;

	for (unsigned c = 0; c < sizeof(counts) / sizeof(counts[0]); c++)
		for (unsigned k = 0; k < NB_SEEDS; k++)
			check_bijection(counts[c], seeds[k], seen, ++mark);
}

/* Counts too large to walk: images stay in range at both ends, and no two of many are the same. */
Test(order, huge_counts_stay_in_range) {
	static const uint64_t counts[] = {
		(UINT64_C(1) << 32) - 1,
		(UINT64_C(1) << 32) + 1,
		(UINT64_C(1) << 32) * 65535,
		UINT64_C(1) << 48,
		(UINT64_C(1) << 61) + 1,
		UINT64_C(1) << 62,
	};

	for (unsigned c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
		struct dp_perm perm;

		dp_perm_init(&perm, counts[c], 4);
		for (uint64_t i = 0; i < 20000; i++) {
			cr_assert_lt(dp_perm_at(&perm, i), counts[c]);
			cr_assert_lt(dp_perm_at(&perm, counts[c] - 1 - i), counts[c]);
		}
	}
}

/* Orders of earlier versions: checkpoints and shards of one scan must go on as they began. */
Test(order, is_the_order_it_was) {
	static const struct {
		uint64_t count, seed, sum;
	} golden[] = {
		{UINT64_C(1000), 0x0, UINT64_C(0x2c2960d0cd547060)},
		{UINT64_C(1000), 0x2468acf12, UINT64_C(0x6f1ec950c6961200)},
		{UINT64_C(65536), 0x0, UINT64_C(0xa145320e9b6b1ae3)},
		{UINT64_C(65536), 0x2468acf12, UINT64_C(0xa604e4bce5c2b923)},
		{UINT64_C(1000003), 0x0, UINT64_C(0x21a1ba1543ea1d67)},
		{UINT64_C(1000003), 0x2468acf12, UINT64_C(0xa01b44f74ba1a5de)},
		{UINT64_C(4294967297), 0x0, UINT64_C(0x10fa88954f96f933)},
		{UINT64_C(4294967297), 0x2468acf12, UINT64_C(0x237409b8d56a80b)},
		{UINT64_C(281474976710656), 0x0, UINT64_C(0x511f9b34d5b0a708)},
		{UINT64_C(281474976710656), 0x2468acf12, UINT64_C(0x946a03fcefabcd24)},
		{UINT64_C(2305843009213693953), 0x0, UINT64_C(0x4641ebaf7390ceb5)},
		{UINT64_C(2305843009213693953), 0x2468acf12, UINT64_C(0xa68a8bf2f2313f61)},
		{UINT64_C(4611686018427387904), 0x0, UINT64_C(0x773b622b925f2eb5)},
		{UINT64_C(4611686018427387904), 0x2468acf12, UINT64_C(0x21d377a322841b98)},
	};

	for (unsigned g = 0; g < sizeof(golden) / sizeof(golden[0]); g++) {
		struct dp_perm perm;
		uint64_t sum = 0;

		dp_perm_init(&perm, golden[g].count, golden[g].seed);
		for (uint64_t i = 0; i < 2000 && i < golden[g].count; i++)
			sum = sum * 0x9e3779b97f4a7c15u + (uint64_t)dp_perm_at(&perm, i);
		cr_assert_eq(sum, golden[g].sum, "count %lu seed %lx: sum %lx", golden[g].count,
			golden[g].seed, sum);
	}
}

Test(order, burst_equals_at) {
	static const uint64_t counts[] = {1, 2, 3, 33, 1000, 4097, 1000000, (UINT64_C(1) << 32) + 1,
		UINT64_C(1) << 48, UINT64_C(1) << 62};
	static const unsigned lengths[] = {0, 1, 2, 3, 31, 32, 33, 256, 600};

	for (unsigned c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
		for (unsigned l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++) {
			const unsigned n = lengths[l];
			uint64_t index[600 + 1], first[3];
			struct dp_perm perm;

			if (n > counts[c])
				continue;
			dp_perm_init(&perm, counts[c], l);
			first[0] = 0;
			first[1] = (counts[c] - n) / 2;
			first[2] = counts[c] - n;
			for (unsigned f = 0; f < 3; f++) {
				index[n] = 0xfeed;
				dp_perm_burst(&perm, first[f], index, n);
				for (unsigned i = 0; i < n; i++)
					cr_assert_eq(index[i], dp_perm_at(&perm, first[f] + i),
						"count %lu, %lu + %u of %u", counts[c], first[f], i,
						n);
				cr_assert_eq(index[n], 0xfeed, "writes behind the burst");
			}
		}
	}
}

/* Two random orders share one place on average; 16 of them have a chance of 2^-44. */
Test(order, seeds_differ) {
	static const uint64_t counts[]
		= {4096, 65537, 1000000, UINT64_C(1) << 32, UINT64_C(1) << 48};

	for (unsigned c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
		for (uint64_t seed = 1; seed < 64; seed++) {
			struct dp_perm one, two;
			unsigned same = 0;

			dp_perm_init(&one, counts[c], 0);
			dp_perm_init(&two, counts[c], seed);
			for (uint64_t i = 0; i < 4096; i++)
				same += dp_perm_at(&one, i) == dp_perm_at(&two, i);
			cr_assert_lt(same, 16, "count %lu, seeds 0 and %lu", counts[c], seed);
		}
	}
}

/*
 * Chi-square of the top @top bits of consecutive images of a power of two, as a distance from its
 * mean in standard deviations: an even order stays within six on both sides, as too even is not
 * random either.
 */
static double chi_deviation(
	const struct dp_perm *perm, unsigned bits, unsigned top, uint64_t first, unsigned samples) {
	const size_t bins = (size_t)1 << top;
	uint16_t *seen = calloc(bins, sizeof(*seen));
	const double expected = (double)samples / (double)bins;
	double squares = 0, degrees = (double)(bins - 1);

	cr_assert_not_null(seen);
	for (unsigned i = 0; i < samples; i += 256) {
		uint64_t index[256];

		dp_perm_burst(perm, first + i, index, 256);
		for (unsigned k = 0; k < 256; k++)
			seen[index[k] >> (bits - top)]++;
	}
	for (size_t i = 0; i < bins; i++)
		squares += (double)seen[i] * seen[i];
	free(seen);
	/* Sum of (seen - expected)^2 / expected, multiplied out. */
	squares = squares / expected - samples;
	/* In units of the variance of chi-square, twice its degrees of freedom. */
	return (squares - degrees) * (squares > degrees ? 1 : -1) * (squares - degrees)
		/ (2 * degrees);
}

struct evenness {
	unsigned bits, top, samples;
};

static void check_evenness(const struct evenness *test) {
	/* At the start, where the counter's high half is 0, and somewhere in the middle. */
	static const uint64_t starts[] = {0, UINT64_C(0x5a5a5a5a0000)};

	for (unsigned k = 0; k < NB_SEEDS; k++) {
		for (unsigned s = 0; s < 2; s++) {
			const uint64_t count = UINT64_C(1) << test->bits;
			const uint64_t first = starts[s] & (count / 2 - 1);
			struct dp_perm perm;
			double squared;

			dp_perm_init(&perm, count, seeds[k]);
			squared = chi_deviation(&perm, test->bits, test->top, first, test->samples);
			cr_assert(squared < 36 && squared > -36,
				"2^%u, top %u bits of %u from %lx, seed %lx: squared deviation "
				"%.0f",
				test->bits, test->top, test->samples, first, seeds[k], squared);
		}
	}
}

Test(order, even_over_8_bits) {
	static const struct evenness tests[]
		= {{32, 8, 1 << 12}, {32, 8, SAMPLES}, {48, 8, 1 << 12}, {48, 8, SAMPLES}};

	for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		check_evenness(&tests[i]);
}

/* 2^16 samples are those of one high half, where a weak round function shows first. */
Test(order, even_over_16_bits) {
	static const struct evenness tests[]
		= {{32, 16, 1 << 16}, {32, 16, SAMPLES}, {48, 16, 1 << 16}, {48, 16, SAMPLES}};

	for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		check_evenness(&tests[i]);
}

Test(order, even_over_24_bits) {
	static const struct evenness tests[] = {{32, 24, SAMPLES}, {48, 24, SAMPLES}};

	for (unsigned i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		check_evenness(&tests[i]);
}

/*
 * Two probes that are @lag apart fall into the same network as often as two random ones. The lags
 * are neighbours, bursts, and the width of a Feistel half.
 */
static void check_lag(uint64_t count, uint64_t ports, uint64_t lag) {
	static const unsigned prefixes[] = {8, 16, 24};
	struct dp_perm perm;
	unsigned same[3] = {0};

	dp_perm_init(&perm, count, 99);
	for (uint64_t i = 0; i < SAMPLES / 8; i++) {
		const uint64_t one = (uint64_t)dp_perm_at(&perm, i) / ports;
		const uint64_t two = (uint64_t)dp_perm_at(&perm, i + lag) / ports;

		for (unsigned p = 0; p < 3; p++)
			same[p] += one >> (32 - prefixes[p]) == two >> (32 - prefixes[p]);
	}
	for (unsigned p = 0; p < 3; p++) {
		const double expected = (double)(SAMPLES / 8) / (double)(1 << prefixes[p]);
		const double off = same[p] - expected;

		/* Six standard deviations of a Poisson, and room for its tail where few are due. */
		cr_assert_leq(off * off, 36 * expected + 16,
			"count %lu, lag %lu: %u pairs in one /%u for %.1f", count, lag, same[p],
			prefixes[p], expected);
	}
}

Test(order, neighbours_are_in_different_networks) {
	static const uint64_t lags[] = {1, 2, 31, 32, 256, 65535, 65536, 65537, 1 << 24};
	static const uint64_t ports[] = {1, 1000, 65535, 65536};

	for (unsigned l = 0; l < sizeof(lags) / sizeof(lags[0]); l++)
		for (unsigned p = 0; p < sizeof(ports) / sizeof(ports[0]); p++)
			check_lag((UINT64_C(1) << 32) * ports[p], ports[p], lags[l]);
}

/*
 * Flip one bit of the seed or the counter: each bit of the image changes in half of the cases.
 * 1,024 tosses have a standard deviation of 16; the limit is six and a half of them, as there are
 * over five thousand pairs of bits.
 */
static void check_avalanche(bool of_seed, unsigned bits) {
	enum { TOSSES = 1024 };

	for (unsigned in = 0; in < (of_seed ? 64 : bits); in++) {
		unsigned flipped[64] = {0};

		for (uint64_t i = 0; i < TOSSES; i++) {
			const uint64_t flip = UINT64_C(1) << in, seed = i * 0x10001 + 5;
			const uint64_t counter = i * 977 % (UINT64_C(1) << bits);
			struct dp_perm one, two;
			uint64_t difference;

			dp_perm_init(&one, UINT64_C(1) << bits, seed);
			dp_perm_init(&two, UINT64_C(1) << bits, seed ^ (of_seed ? flip : 0));
			difference = (uint64_t)dp_perm_at(&one, counter)
				^ (uint64_t)dp_perm_at(&two, counter ^ (of_seed ? 0 : flip));
			for (unsigned out = 0; out < bits; out++)
				flipped[out] += difference >> out & 1;
		}
		for (unsigned out = 0; out < bits; out++)
			cr_assert(flipped[out] > 512 - 104 && flipped[out] < 512 + 104,
				"2^%u, %s bit %u flips bit %u %u times in %u", bits,
				of_seed ? "seed" : "counter", in, out, flipped[out], TOSSES);
	}
}

Test(order, seed_avalanche) {
	check_avalanche(true, 32);
	check_avalanche(true, 48);
}

Test(order, counter_avalanche) {
	check_avalanche(false, 32);
	check_avalanche(false, 48);
}

/*
 * The wide network on widths small enough to walk: it differs from what scans use in the width of its
 * halves alone.
 */
static void check_wide_bijection(uint64_t count, uint64_t seed, uint32_t *seen, uint32_t mark) {
	struct dp_perm perm;

	dp_perm_init(&perm, count, seed);
	perm.wide = true;
	for (uint64_t i = 0; i < count; i += 64) {
		const unsigned n = count - i < 64 ? (unsigned)(count - i) : 64;
		dp_u128 index[64];

		dp_perm_wide_burst(&perm, i, index, n);
		for (unsigned k = 0; k < n; k++) {
			if (index[k] >= count || seen[index[k]] == mark
				|| index[k] != dp_perm_at(&perm, i + k))
				cr_assert_fail("count %lu seed %lx: %lu becomes %lu", count, seed,
					i + k, (uint64_t)index[k]);
			seen[index[k]] = mark;
		}
	}
}

Test(order, wide_bijection) {
	static const uint64_t counts[] = {65535, 65536, 65537, 1000000};
	static uint32_t seen[1000000];
	uint32_t mark = 0;

	for (uint64_t count = 1; count <= 1024; count++)
		check_wide_bijection(count, seeds[count % NB_SEEDS], seen, ++mark);
	for (unsigned c = 0; c < sizeof(counts) / sizeof(counts[0]); c++)
		for (unsigned k = 0; k < NB_SEEDS; k++)
			check_wide_bijection(counts[c], seeds[k], seen, ++mark);
}

static const dp_u128 wide_counts[] = {
	((dp_u128)1 << 62) + 1,
	((dp_u128)1 << 63) - 1,
	(dp_u128)1 << 64,
	(dp_u128)1 << 80,
	((dp_u128)1 << 96) * 65535,
	((dp_u128)1 << 119) + 1,
	(dp_u128)1 << 120,
};

enum {
	NB_WIDE = sizeof(wide_counts) / sizeof(wide_counts[0]),
};

static int by_value(const void *left, const void *right) {
	const dp_u128 *a = left, *b = right;

	return (*a > *b) - (*a < *b);
}

/* Too large to walk: in range, and no two alike of many from both ends and across 2^64. */
Test(order, wide_counts_stay_in_range) {
	enum { N = 30000 };
	dp_u128 *image = malloc(3 * N * sizeof(*image));

	cr_assert_not_null(image);
	for (unsigned c = 0; c < NB_WIDE; c++) {
		const dp_u128 count = wide_counts[c];
		struct dp_perm perm;

		dp_perm_init(&perm, count, c);
		cr_assert(perm.wide);
		dp_perm_wide_burst(&perm, 0, image, N);
		dp_perm_wide_burst(&perm, count - N, image + N, N);
		dp_perm_wide_burst(&perm, count / 2 - N / 2, image + 2 * N, N);
		for (unsigned i = 0; i < 3 * N; i++)
			cr_assert(image[i] < count);
		for (unsigned i = 0; i < N; i += 97)
			cr_assert(image[i] == dp_perm_at(&perm, i));
		qsort(image, 3 * N, sizeof(*image), by_value);
		for (unsigned i = 1; i < 3 * N; i++)
			cr_assert(image[i] != image[i - 1], "an image comes twice");
	}
	free(image);
}

/* Each end of the numbers is as even as the other: a scan sees the top as networks, the rest as hosts. */
Test(order, wide_is_even) {
	enum { N = 1 << 20, BINS = 1 << 12 };

	for (unsigned c = 2; c < NB_WIDE; c++) {
		const unsigned shifts[] = {0, 20, 40, 51, 52};
		unsigned seen[sizeof(shifts) / sizeof(shifts[0]) + 1][BINS] = {0};
		const dp_u128 count = wide_counts[c];
		struct dp_perm perm;

		if (count & (count - 1))
			continue;
		dp_perm_init(&perm, count, 77 + c);
		for (unsigned i = 0; i < N; i += 256) {
			dp_u128 index[256];

			dp_perm_wide_burst(&perm, count / 3 + i, index, 256);
			for (unsigned k = 0; k < 256; k++) {
				for (unsigned s = 0; s < sizeof(shifts) / sizeof(shifts[0]); s++)
					seen[s][(unsigned)(index[k] >> shifts[s]) % BINS]++;
				seen[sizeof(shifts) / sizeof(shifts[0])]
				    [(unsigned)(index[k] / (count / BINS))]++;
			}
		}
		for (unsigned s = 0; s <= sizeof(shifts) / sizeof(shifts[0]); s++) {
			double squares = 0, deviation;

			for (unsigned i = 0; i < BINS; i++)
				squares += (double)seen[s][i] * seen[s][i];
			deviation = squares / (N / BINS) - N - (BINS - 1);
			/* Six standard deviations of chi-square. */
			cr_assert(deviation * deviation < 36.0 * 2 * (BINS - 1),
				"count %u, bits %u: %.0f off", c, s, deviation);
		}
	}
}

Test(order, wide_avalanche) {
	enum { TOSSES = 1024, BITS = 120 };

	for (unsigned in = 0; in < BITS; in++) {
		unsigned flipped[BITS] = {0};
		struct dp_perm perm;

		for (uint64_t i = 0; i < TOSSES; i++) {
			const dp_u128 counter = (dp_u128)i * 977 << (i % 60);
			dp_u128 difference;

			dp_perm_init(&perm, (dp_u128)1 << BITS, i * 0x10001 + 5);
			difference = dp_perm_at(&perm, counter)
				^ dp_perm_at(&perm, counter ^ (dp_u128)1 << in);
			for (unsigned out = 0; out < BITS; out++)
				flipped[out] += (unsigned)(difference >> out) & 1;
		}
		for (unsigned out = 0; out < BITS; out++)
			cr_assert(flipped[out] > 512 - 104 && flipped[out] < 512 + 104,
				"counter bit %u flips bit %u %u times", in, out, flipped[out]);
	}
}

/* A burst of a narrow order can be had in 128 bits, too. */
Test(order, wide_burst_of_narrow) {
	struct dp_perm perm;
	dp_u128 index[300];

	dp_perm_init(&perm, 1000003, 8);
	cr_assert(!perm.wide);
	dp_perm_wide_burst(&perm, 999000, index, 300);
	for (unsigned i = 0; i < 300; i++)
		cr_assert(index[i] == dp_perm_at(&perm, 999000 + i));
}

/* Parts follow each other without gap or overlap, and none is longer than another by two. */
static void check_parts(struct dp_slice whole, uint32_t of) {
	const dp_u128 length = whole.end - whole.first;
	dp_u128 at = whole.first;

	for (uint32_t number = 1; number <= of; number++) {
		const struct dp_slice part = dp_slice_part(whole, number, of);
		const dp_u128 size = part.end - part.first;

		if (part.first != at || part.end < part.first || size < length / of
			|| size > length / of + (length % of != 0))
			cr_assert_fail("part %u of %u of [%lu, %lu) is [%lu, %lu)", number, of,
				(uint64_t)whole.first, (uint64_t)whole.end, (uint64_t)part.first,
				(uint64_t)part.end);
		at = part.end;
	}
	cr_assert(at == whole.end, "%u parts of %lu", of, (uint64_t)length);
}

Test(order, slices) {
	static const uint64_t lengths[]
		= {0, 1, 2, 3, 63, 64, 65, 997, 1000003, UINT32_MAX, (UINT64_C(1) << 48) - 1,
			UINT64_C(1) << 48, (UINT64_C(1) << 62) - 1, UINT64_C(1) << 62};
	static const uint64_t firsts[] = {0, 1, 12345678901};

	for (unsigned l = 0; l < sizeof(lengths) / sizeof(lengths[0]); l++)
		for (unsigned f = 0; f < sizeof(firsts) / sizeof(firsts[0]); f++)
			for (uint32_t of = 1; of <= 64; of++)
				check_parts(
					(struct dp_slice){firsts[f], firsts[f] + lengths[l]}, of);
	check_parts((struct dp_slice){0, UINT64_C(1) << 48}, 1000003);
	check_parts((struct dp_slice){0, (dp_u128)1 << 120}, 1000000);
	check_parts((struct dp_slice){0, ((dp_u128)1 << 120) - 12345}, 999983);
}

/* A shard is cut into lcores: parts of parts still cover the whole. */
Test(order, slices_of_slices) {
	const struct dp_slice whole = {0, (UINT64_C(1) << 48) - 17};
	dp_u128 at = 0;

	for (uint32_t shard = 1; shard <= 7; shard++) {
		const struct dp_slice part = dp_slice_part(whole, shard, 7);

		check_parts(part, 5);
		for (uint32_t lcore = 1; lcore <= 5; lcore++) {
			const struct dp_slice slice = dp_slice_part(part, lcore, 5);

			cr_assert(slice.first == at);
			at = slice.end;
		}
	}
	cr_assert(at == whole.end);
}
