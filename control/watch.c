/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The published copy. The control core writes it, threads that answer others read it; it owns the copy and
 * its lock. The lock is held for a copy of some kilobytes and nothing else: no reader can hold it for longer
 * by being slow to send, and the control core does not even wait for that.
 */
#include "watch.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct watch {
	pthread_mutex_t lock;
	/* Under the lock. */
	struct watch_view view;
	bool published;
};

int watch_create(struct watch **out) {
	struct watch *watch = calloc(1, sizeof *watch);

	*out = watch;
	if (!watch)
		return -ENOMEM;
	pthread_mutex_init(&watch->lock, NULL);
	return 0;
}

void watch_destroy(struct watch *watch) {
	if (!watch)
		return;
	pthread_mutex_destroy(&watch->lock);
	free(watch);
}

bool watch_publish(
	struct watch *watch, const struct ctl_summary *summary, const char *phase, bool wait) {
	if (wait)
		pthread_mutex_lock(&watch->lock);
	else if (pthread_mutex_trylock(&watch->lock))
		return false;
	watch->view.summary = *summary;
	snprintf(watch->view.phase, sizeof watch->view.phase, "%s", phase);
	clock_gettime(CLOCK_REALTIME, &watch->view.at);
	watch->published = true;
	pthread_mutex_unlock(&watch->lock);
	return true;
}

bool watch_read(struct watch *watch, struct watch_view *view) {
	bool published;

	pthread_mutex_lock(&watch->lock);
	published = watch->published;
	if (published)
		*view = watch->view;
	pthread_mutex_unlock(&watch->lock);
	return published;
}
