/* SPDX-License-Identifier: BSD-3-Clause */
#include "watch.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static struct watch *watch;
static atomic_bool over;

/* Every copy has been of one moment: all that is in it says the same number. */
static void *look(void *unused) {
	struct watch_view view;
	uint64_t last = 0, reads = 0;

	while (!atomic_load(&over) || !reads) { /* who got no CPU before has the last one */
		if (!watch_read(watch, &view))
			continue;
		const uint64_t now = view.summary.unique;
		if (view.summary.plugins[LH_MAX_PLUGINS - 1].offered != now
			|| view.summary.stats.probes_sent != now || now < last
			|| strtoull(view.phase, NULL, 10) != now)
			return NULL;
		last = now;
		reads++;
	}
	return (void *)(uintptr_t)reads;
}

Test(watch, whole_copies, .timeout = 30) {
	static struct ctl_summary summary;
	pthread_t reader[2];
	struct watch_view view;
	void *reads;
	char phase[WATCH_PHASE_BYTES];
	unsigned published = 0;

	cr_assert_eq(watch_create(&watch), 0);
	cr_expect_not(watch_read(watch, &view), "nothing was published");
	for (unsigned i = 0; i < 2; i++)
		pthread_create(&reader[i], NULL, look, NULL);
	for (uint64_t i = 1; i <= 20000; i++) {
		summary.unique = summary.stats.probes_sent = i;
		summary.plugins[LH_MAX_PLUGINS - 1].offered = i;
		snprintf(phase, sizeof phase, "%llu", (unsigned long long)i);
		published += watch_publish(watch, &summary, phase, i == 20000);
	}
	cr_expect_gt(published, 0);
	cr_assert(watch_read(watch, &view));
	cr_expect_eq(view.summary.unique, 20000, "one that waits is published");
	atomic_store(&over, true);
	for (unsigned i = 0; i < 2; i++) {
		pthread_join(reader[i], &reads);
		cr_expect(reads, "a copy was torn, or there was none");
	}
	watch_destroy(watch);
}
