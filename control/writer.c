/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The writer: results from the control core to every output.
 *
 * Two threads run this. The control core creates it, puts results into the queue, and ends it; the
 * writer thread, in between, takes results out, has each format turn them into lines and writes the
 * blocks. It owns the outputs and their files from writer_start() to the join in writer_drain();
 * before and after that they are the control core's.
 *
 * The control core makes no system call to hand over results, not even to wake the writer: an idle
 * writer looks again every millisecond. Before it sleeps it writes all that it holds, so that the
 * reader of a pipe sees a result at once; while results keep coming it writes large blocks.
 */
#include "human.h"
#include "output.h"
#include "spsc.h"
#include "writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	QUEUE_RESULTS = 64 << 10,
	BATCH = 256,
	IDLE_NS = 1000000,
};

struct output {
	const struct output_format *format;
	struct sink *sink;
	void *state; /* the format's */
	bool failed;
};

struct writer {
	struct spsc *queue;
	struct output outputs[CTL_MAX_OUTPUTS]; /* as said above, one thread at a time */
	unsigned nb_outputs;
	uint64_t taken; /* results out of the queue; goes with the outputs */
	int error; /* of the first output that failed; goes with the outputs */
	char text[512]; /* its text: written once, before @failure points to it */
	pthread_t thread;
	bool running; /* control core alone */
	bool finished; /* control core alone */

	alignas(64) _Atomic(const char *) failure; /* writer: owner of the outputs, readers: any */
	_Atomic uint64_t written; /* writer: owner of the outputs, readers: any */
	alignas(64) atomic_bool ending; /* writer: control core, reader: writer thread */
};

static const char *describe(int error) {
	return error == -EPIPE ? "closed by its reader (Broken pipe)" : strerror(-error);
}

/* The first failure is the one that is told: it stops the scan, and others often follow from it. */
static void fail_output(struct writer *w, struct output *o, int error) {
	char count[HUMAN_BYTES];

	o->failed = true;
	if (w->error)
		return;
	w->error = error;
	if (o->format->write_results && o->sink->regular)
		snprintf(w->text, sizeof w->text,
			"%s: %s; %s results of this run are in it, whole lines", sink_name(o->sink),
			describe(error), human_count(sink_results(o->sink), count));
	else
		snprintf(w->text, sizeof w->text, "%s: %s", sink_name(o->sink), describe(error));
	/* Release: who sees the pointer sees the text. */
	atomic_store_explicit(&w->failure, w->text, memory_order_release);
}

/* What all outputs have: of one that failed only what reached its file. */
static void publish_written(struct writer *w) {
	uint64_t written = w->taken;

	for (unsigned i = 0; i < w->nb_outputs; i++) {
		const struct output *o = &w->outputs[i];
		if (o->failed && o->format->write_results && sink_results(o->sink) < written)
			written = sink_results(o->sink);
	}
	atomic_store_explicit(&w->written, written, memory_order_relaxed);
}

static void write_batch(struct writer *w, const struct dp_answer *results, unsigned n) {
	w->taken += n;
	for (unsigned i = 0; i < w->nb_outputs; i++) {
		struct output *o = &w->outputs[i];
		if (o->failed || !o->format->write_results)
			continue;
		o->format->write_results(o->state, results, n);
		if (o->sink->error)
			fail_output(w, o, o->sink->error);
	}
	publish_written(w);
}

static void flush_all(struct writer *w) {
	for (unsigned i = 0; i < w->nb_outputs; i++) {
		struct output *o = &w->outputs[i];
		if (!o->failed && sink_flush(o->sink))
			fail_output(w, o, o->sink->error);
	}
	publish_written(w);
}

static void *writer_main(void *arg) {
	struct writer *w = arg;
	struct dp_answer batch[BATCH];

	for (;;) {
		/* Read before the queue: nothing is put after this was set. */
		bool ending = atomic_load_explicit(&w->ending, memory_order_acquire);
		unsigned n = spsc_get(w->queue, batch, BATCH);
		if (n) {
			write_batch(w, batch, n);
			continue;
		}
		flush_all(w);
		if (ending)
			return NULL;
		nanosleep(&(struct timespec){.tv_nsec = IDLE_NS}, NULL);
	}
}

static int unknown_format(const char *name, struct dp_error *err) {
	char known[256] = "";
	const struct output_format *format;

	for (unsigned i = 0; (format = output_at(i)); i++) {
		size_t at = strlen(known);
		snprintf(known + at, sizeof known - at, "%s%s", at ? ", " : "", format->name);
	}
	return dp_fail(err, true, -EINVAL,
		"output format '%s' is not in this version: use one of %s", name, known);
}

static int open_output(struct writer *w, const struct writer_params *params,
	const struct ctl_output_spec *spec, struct dp_error *err) {
	struct output *o = &w->outputs[w->nb_outputs];

	o->format = output_find(spec->format);
	if (!o->format)
		return unknown_format(spec->format, err);
	int rc = sink_open(spec->path, &o->sink, err);
	if (rc)
		return rc;
	w->nb_outputs++; /* from here on writer_destroy() takes care of it */
	for (unsigned i = 0; o != &w->outputs[i]; i++)
		if (sink_same(w->outputs[i].sink, o->sink))
			return dp_fail(err, true, -EINVAL, "two outputs (%s and %s) go to %s",
				w->outputs[i].format->name, o->format->name, sink_name(o->sink));
	rc = sink_admit(o->sink, params->file_mode, o->format->line_start, err);
	if (rc)
		return rc;
	rc = o->format->open(o->sink, params->color, &o->state);
	if (rc)
		return dp_fail(err, false, rc, "output %s: %s", o->format->name, strerror(-rc));
	return 0;
}

int writer_create(
	const struct writer_params *params, struct writer **writer, struct dp_error *err) {
	if (params->nb_outputs > CTL_MAX_OUTPUTS)
		return dp_fail(
			err, true, -E2BIG, "more than %d outputs in one run", CTL_MAX_OUTPUTS);
	struct writer *w = aligned_alloc(alignof(struct writer), sizeof *w);
	if (!w)
		return dp_fail(err, false, -ENOMEM, "out of memory");
	memset(w, 0, sizeof *w);
	int rc = spsc_create(QUEUE_RESULTS, sizeof(struct dp_answer), &w->queue);
	if (rc) {
		dp_fail(err, false, rc, "out of memory");
		goto destroy;
	}
	for (unsigned i = 0; i < params->nb_outputs; i++) {
		rc = open_output(w, params, &params->outputs[i], err);
		if (rc)
			goto destroy;
	}
	*writer = w;
	return 0;

destroy:
	writer_destroy(w);
	return rc;
}

/* Signals are for the control core: the thread starts with all of them blocked. */
static int start_thread(struct writer *w) {
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int rc = -pthread_create(&w->thread, NULL, writer_main, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!rc)
		pthread_setname_np(w->thread, "writer");
	return rc;
}

int writer_start(struct writer *writer, struct dp_error *err) {
	for (unsigned i = 0; i < writer->nb_outputs; i++) {
		int rc = sink_begin(writer->outputs[i].sink, err);
		if (rc)
			return rc;
	}
	int rc = start_thread(writer);
	if (rc)
		return dp_fail(err, false, rc, "cannot start the writer thread: %s", strerror(-rc));
	writer->running = true;
	return 0;
}

unsigned writer_put(struct writer *writer, const struct dp_answer *results, unsigned n) {
	return spsc_put(writer->queue, results, n);
}

const char *writer_failure(const struct writer *writer) {
	return atomic_load_explicit(&writer->failure, memory_order_acquire);
}

uint64_t writer_written(const struct writer *writer) {
	return atomic_load_explicit(&writer->written, memory_order_relaxed);
}

static int first_failure(const struct writer *w, struct dp_error *err) {
	return w->error ? dp_fail(err, false, w->error, "%s", w->text) : 0;
}

static void join(struct writer *w) {
	if (!w->running)
		return;
	/* Release: the last results are in the queue. */
	atomic_store_explicit(&w->ending, true, memory_order_release);
	pthread_join(w->thread, NULL);
	w->running = false;
}

int writer_drain(struct writer *writer, struct dp_error *err) {
	join(writer);
	return first_failure(writer, err);
}

/* A failed output is closed too: what is in it stays. */
static void finish_output(struct writer *w, struct output *o, const struct ctl_summary *summary) {
	int rc = o->failed ? 0 : o->format->finish(o->state, summary);
	int sink_rc = sink_finish(o->sink);

	if (!o->failed && (rc || sink_rc))
		fail_output(w, o, rc ? rc : sink_rc);
}

static void finish_outputs(
	struct writer *w, bool takes_results, const struct ctl_summary *summary) {
	for (unsigned i = 0; i < w->nb_outputs; i++) {
		struct output *o = &w->outputs[i];
		if (!o->format->write_results != takes_results)
			finish_output(w, o, summary);
	}
	publish_written(w);
}

/*
 * Those that take results end first: what fails with their last lines is in the account that the
 * others write.
 */
int writer_finish(struct writer *writer, const struct ctl_summary *summary, struct dp_error *err) {
	struct ctl_summary account = *summary;

	if (writer->finished)
		return first_failure(writer, err);
	writer->finished = true;
	join(writer);
	finish_outputs(writer, true, summary);
	uint64_t written = writer_written(writer);
	if (written < account.results) {
		account.lost_results += account.results - written;
		account.results = written;
		account.complete = false;
	}
	finish_outputs(writer, false, &account);
	return first_failure(writer, err);
}

void writer_destroy(struct writer *writer) {
	if (!writer)
		return;
	join(writer);
	for (unsigned i = 0; i < writer->nb_outputs; i++) {
		struct output *o = &writer->outputs[i];
		if (o->state)
			o->format->close(o->state);
		sink_destroy(o->sink);
	}
	spsc_destroy(writer->queue);
	free(writer);
}
