/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Semantic versions: what is one, and their order by section 11 of semver 2.0.0.
 */
#include <lh/plugin.h>

#include <criterion/criterion.h>

#define NB(table) (sizeof(table) / sizeof((table)[0]))

/* In ascending order: those of section 11.4.4 and others. */
static const char *const ordered[] = {
	"0.0.0-0",
	"0.0.0",
	"0.0.9",
	"0.0.10",
	"0.1.0",
	"0.9.9",
	"0.10.0",
	"1.0.0--",
	"1.0.0-alpha",
	"1.0.0-alpha.1",
	"1.0.0-alpha.beta",
	"1.0.0-beta",
	"1.0.0-beta.2",
	"1.0.0-beta.11",
	"1.0.0-rc.1",
	"1.0.0",
	"1.0.1-x.1.2.3",
	"1.0.1",
	"2.0.0",
	"10.0.0",
	"18446744073709551616.0.0",
	"18446744073709551617.0.0",
	"99999999999999999999999999999999.0.0",
};

static const char *const bad[] = {
	"",
	"1",
	"1.0",
	"1.0.",
	"1.0.0.0",
	"1..0",
	".1.0.0",
	"01.0.0",
	"1.00.0",
	"1.0.01",
	"v1.0.0",
	" 1.0.0",
	"1.0.0 ",
	"1.0.0\n",
	"-1.0.0",
	"+1.0.0",
	"1.0.0-",
	"1.0.0+",
	"1.0.0-a..b",
	"1.0.0-01",
	"1.0.0-a_b",
	"1.0.0-\xc3\xa4",
	"1.0.0+a+b",
	"1.0.0-+b",
	"1.0.0+b.",
	"1,0,0",
	"0x1.0.0",
	"one",
};

static int sign(int value) {
	return (value > 0) - (value < 0);
}

Test(version, order) {
	for (int i = 0; i < (int)NB(ordered); i++)
		for (int j = 0; j < (int)NB(ordered); j++) {
			bool valid = false;
			const int order = lh_version_compare(ordered[i], ordered[j], &valid);

			cr_expect(valid, "%s, %s", ordered[i], ordered[j]);
			cr_expect_eq(sign(order), sign(i - j), "%s against %s: %d", ordered[i],
				ordered[j], order);
		}
}

Test(version, build_has_no_rank) {
	static const char *const same[] = {"1.0.0", "1.0.0+1", "1.0.0+001.b-c", "1.0.0+x-y.z"};
	bool valid;

	for (unsigned i = 0; i < NB(same); i++)
		for (unsigned j = 0; j < NB(same); j++) {
			cr_expect_eq(lh_version_compare(same[i], same[j], &valid), 0);
			cr_expect(valid);
		}
	cr_expect_eq(lh_version_compare("1.0.0-a.1+9", "1.0.0-a.1+1", &valid), 0);
	cr_expect_lt(lh_version_compare("1.0.0-a+9", "1.0.0+1", &valid), 0);
	cr_expect(valid);
}

Test(version, bad_ones) {
	for (unsigned i = 0; i < NB(bad); i++) {
		bool valid = true;

		lh_version_compare(bad[i], "1.0.0", &valid);
		cr_expect_not(valid, "\"%s\" was taken", bad[i]);
		valid = true;
		lh_version_compare("1.0.0", bad[i], &valid);
		cr_expect_not(valid, "\"%s\" was taken", bad[i]);
	}
}
