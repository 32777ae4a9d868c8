/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A thread that waits for the disk so that nobody else has to. It owns the job, and the bytes of the
 * checkpoint, from keeper_give() to the moment that it is idle again.
 */
#include "checkpoint.h"
#include "keeper.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct keeper {
	pthread_t thread;
	bool running;
	sem_t work;
	struct keeper_job job; /* writer: control core while idle; reader: the thread while not */
	int rc; /* of the last job; the other way round */
	atomic_bool busy; /* publishes both */
	atomic_bool ending; /* writer: control core */
};

char *keeper_segment_path(const char *checkpoint, uint64_t number) {
	char *path;

	return asprintf(&path, "%s.journal.%" PRIu64, checkpoint, number) < 0 ? NULL : path;
}

static int write_segment(const char *checkpoint, const struct journal_segment *segment) {
	char *path = segment->bytes ? keeper_segment_path(checkpoint, segment->number) : NULL;
	int rc = !segment->bytes ? 0
		: path		 ? checkpoint_write_segment(path, segment->bytes, segment->n)
				 : -ENOMEM;

	free(path);
	return rc;
}

static int do_job(const struct keeper_job *job) {
	for (unsigned i = 0; i < job->nb_segments; i++) {
		int rc = write_segment(job->path, &job->segments[i]);

		if (rc)
			return rc;
	}
	for (unsigned i = 0; i < job->nb_fds; i++)
		/* Some file systems have no fsync and say EINVAL. */
		if (fdatasync(job->fd[i]) < 0 && errno != EINVAL)
			return -errno;
	return checkpoint_write(job->path, job->bytes, job->n);
}

static void work_off(struct keeper *keeper) {
	keeper->rc = do_job(&keeper->job);
	checkpoint_free_bytes(keeper->job.bytes, keeper->job.n);
	atomic_store_explicit(&keeper->busy, false, memory_order_release);
}

static void *keeper_main(void *arg) {
	struct keeper *keeper = arg;

	for (;;) {
		while (sem_wait(&keeper->work) < 0)
			;
		if (atomic_load_explicit(&keeper->busy, memory_order_acquire))
			work_off(keeper);
		else if (atomic_load_explicit(&keeper->ending, memory_order_acquire))
			return NULL;
	}
}

int keeper_create(struct keeper **out) {
	struct keeper *keeper = calloc(1, sizeof *keeper);

	if (!keeper)
		return -ENOMEM;
	sem_init(&keeper->work, 0, 0);
	*out = keeper;
	return 0;
}

int keeper_start(struct keeper *keeper) {
	sigset_t all, before;
	int rc;

	/* Signals are for the control core. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = -pthread_create(&keeper->thread, NULL, keeper_main, keeper);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc)
		return rc;
	keeper->running = true;
	pthread_setname_np(keeper->thread, "keeper");
	return 0;
}

void keeper_destroy(struct keeper *keeper) {
	if (!keeper)
		return;
	if (keeper->running) {
		atomic_store_explicit(&keeper->ending, true, memory_order_release);
		sem_post(&keeper->work);
		pthread_join(keeper->thread, NULL);
	}
	sem_destroy(&keeper->work);
	free(keeper);
}

void keeper_give(struct keeper *keeper, const struct keeper_job *job) {
	keeper->job = *job;
	atomic_store_explicit(&keeper->busy, true, memory_order_release);
	if (keeper->running)
		sem_post(&keeper->work);
	else
		work_off(keeper);
}

bool keeper_is_idle(const struct keeper *keeper, int *rc) {
	if (atomic_load_explicit(&keeper->busy, memory_order_acquire))
		return false;
	*rc = keeper->rc;
	return true;
}
