/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The writer: results from the control core to every output.
 *
 * Two threads run this. The control core creates it, puts results into the queue, and ends it; the
 * writer thread, in between, takes results out, has each format turn them into lines and writes the
 * blocks. It owns the outputs and their files, and the archive, from writer_start() to the join in
 * writer_drain(); before and after that they are the control core's. Of a result that it took out it
 * owns what the result points to, and frees it when all outputs have had it.
 *
 * The control core makes no system call to hand over results, not even to wake the writer: an idle
 * writer looks again every millisecond. Before it sleeps it writes all that it holds, so that the
 * reader of a pipe sees a result at once; while results keep coming it writes large blocks.
 */
#include "clock.h"
#include "human.h"
#include "output.h"
#include "spsc.h"
#include "writer.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	QUEUE_RESULTS = 64 << 10,
	BATCH = 256,
	IDLE_NS = 1000000,
	MOST_HEAVY_BYTES = 64 << 20, /* that results in the queue point to, or one more */
};

struct output {
	const char *name; /* as the user wrote it */
	unsigned index; /* among the outputs */
	const struct output_format *format;
	struct sink *sink;
	void *state; /* the format's */
	bool failed;

	/* Rotation, where number is not 0: that of the file being written, once it is full. */
	unsigned number;
	uint64_t file_ns; /* when it began, monotonic */
	uint64_t results_before; /* in those before it */
};

struct writer {
	struct spsc *queue;
	struct output outputs[CTL_MAX_OUTPUTS]; /* as said above, one thread at a time */
	unsigned nb_outputs;
	struct rotation rotation;
	struct archive *archive; /* not owned; NULL: none */
	struct result *again; /* that only some outputs may have; until the thread starts */
	unsigned nb_again;
	uint64_t taken; /* results out of the queue; goes with the outputs */
	int error; /* of the first output that failed; goes with the outputs */
	char text[512]; /* its text: written once, before @failure points to it */
	pthread_t thread;
	bool begun; /* the files are ours */
	bool running; /* control core alone */
	bool finished; /* control core alone */

	alignas(64) _Atomic(const char *) failure; /* writer: owner of the outputs, readers: any */
	_Atomic uint64_t written; /* writer: owner of the outputs, readers: any */
	_Atomic uint64_t
		heavy_done; /* bytes freed so far. writer: writer thread, reader: control core */
	alignas(64) atomic_bool ending; /* writer: control core, reader: writer thread */
	uint64_t heavy_put; /* bytes that results pointed to, ever. control core alone */
	uint64_t
		put; /* results ever put, those of a resumed scan's beginning too. control core alone */
	uint64_t sync_at; /* results that have to be written first. writer: control core, before */
	_Atomic unsigned sync_wanted; /* writer: control core, reader: writer thread */
	struct sink_point points[CTL_MAX_OUTPUTS]; /* written before */
	_Atomic unsigned sync_done; /* writer: writer thread, reader: control core */
};

static const char *describe(int error) {
	switch (error) {
	case -EPIPE:
		return "closed by its reader (Broken pipe)";
	case -ESTALE: /* sink_flush(); and what NFS says */
		return "removed while the scan ran, with all that was in it";
	default:
		return strerror(-error);
	}
}

/* The first failure is the one that is told: it stops the scan, and others often follow from it. */
[[gnu::format(printf, 3, 4)]] static void fail(
	struct writer *w, int error, const char *format, ...) {
	va_list args;

	if (w->error)
		return;
	w->error = error;
	va_start(args, format);
	vsnprintf(w->text, sizeof w->text, format, args);
	va_end(args);
	/* Release: who sees the pointer sees the text. */
	atomic_store_explicit(&w->failure, w->text, memory_order_release);
}

static void fail_output(struct writer *w, struct output *o, int error) {
	const bool counted = o->format->write_results && o->sink->regular;
	char count[HUMAN_BYTES];

	o->failed = true;
	human_count(sink_results(o->sink), count);
	if (counted && (o->sink->raw || o->format->grouped))
		fail(w, error, "%s: %s; at least %s results of this run are in it",
			sink_name(o->sink), describe(error), count);
	else if (counted)
		fail(w, error, "%s: %s; %s results of this run are in it, whole lines",
			sink_name(o->sink), describe(error), count);
	else
		fail(w, error, "%s: %s", sink_name(o->sink), describe(error));
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

static void put_archive(struct writer *w, const struct result *results, unsigned n) {
	archive_put(w->archive, results, n);
	int error = archive_error(w->archive);
	if (error)
		fail(w, error, "%s: %s", archive_name(w->archive), strerror(-error));
}

/* What plugins and banners added, about. Both threads count with this, so that the sums agree. */
static uint64_t heavy_bytes(const struct result_extra *extra) {
	uint64_t bytes = sizeof *extra + extra->banner_bytes;

	for (unsigned i = 0; i < extra->nb_plugins; i++) {
		const struct result_plugin *plugin = &extra->plugins[i];
		bytes += sizeof *plugin + (plugin->results ? strlen(plugin->results) : 0);
	}
	for (unsigned i = 0; i < extra->nb_texts; i++)
		bytes += sizeof extra->texts[i] + extra->texts[i].length;
	return bytes;
}

static uint64_t heavy_sum(const struct result *results, unsigned n) {
	uint64_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		if (results[i].extra)
			bytes += heavy_bytes(results[i].extra);
	return bytes;
}

static void free_extras(struct writer *w, const struct result *results, unsigned n) {
	uint64_t bytes = heavy_sum(results, n);

	if (!bytes)
		return;
	for (unsigned i = 0; i < n; i++)
		result_extra_free(results[i].extra);
	atomic_fetch_add_explicit(&w->heavy_done, bytes, memory_order_relaxed);
}

static void write_batch(struct writer *w, const struct result *results, unsigned n) {
	w->taken += n;
	/* First: what is in an output is in the archive, too, whenever the program is killed. */
	if (w->archive)
		put_archive(w, results, n);
	for (unsigned i = 0; i < w->nb_outputs; i++) {
		struct output *o = &w->outputs[i];
		if (o->failed || !o->format->write_results)
			continue;
		o->format->write_results(o->state, results, n);
		if (o->sink->error)
			fail_output(w, o, o->sink->error);
	}
	free_extras(w, results, n);
	publish_written(w);
}

/* Write what outputs hold, @settled: so that they could be gone on with. */
static void flush_all(struct writer *w, bool settled) {
	for (unsigned i = 0; i < w->nb_outputs; i++) {
		struct output *o = &w->outputs[i];
		if (!o->failed && (settled ? sink_settle(o->sink) : sink_flush(o->sink)))
			fail_output(w, o, o->sink->error);
	}
	publish_written(w);
}

/* Take what comes from elsewhere than the queue. True where there was some. */
static bool pump_all(struct writer *w) {
	bool any = false;

	for (unsigned i = 0; i < w->nb_outputs; i++) {
		struct output *o = &w->outputs[i];
		if (o->failed || !o->format->pump)
			continue;
		any |= o->format->pump(o->state);
		if (o->sink->error)
			fail_output(w, o, o->sink->error);
	}
	return any;
}

/* What it holds back may fail too. */
static void end_archive(struct writer *w) {
	if (!w->archive)
		return;
	archive_flush(w->archive);
	put_archive(w, NULL, 0);
}

static bool is_full(const struct writer *w, const struct output *o, uint64_t now_ns) {
	const struct sink *sink = o->sink;
	/* What a compressed one holds takes less room than it does here. */
	const uint64_t bytes = sink->at + (sink->zipped ? 0 : sink->used);

	return (w->rotation.bytes && bytes >= w->rotation.bytes)
		|| (w->rotation.ns && now_ns - o->file_ns >= w->rotation.ns);
}

/* A file without a result is gone on with. */
static void rotate(struct writer *w, struct output *o, uint64_t now_ns) {
	if (o->format->end_file)
		o->format->end_file(o->state);
	sink_flush(o->sink);
	o->file_ns = now_ns;
	if (!o->sink->error && sink_results(o->sink) > o->results_before
		&& !rotate_file(o->sink, o->number)) {
		o->number++;
		o->results_before = sink_results(o->sink);
		o->format->begin_file(o->state);
	}
	if (o->sink->error)
		fail_output(w, o, o->sink->error);
}

/* Between two results: files that are full get their numbers. */
static void rotate_full(struct writer *w) {
	uint64_t now_ns;

	if (!w->rotation.bytes && !w->rotation.ns)
		return;
	now_ns = monotonic_ns();
	for (unsigned i = 0; i < w->nb_outputs; i++) {
		struct output *o = &w->outputs[i];
		if (o->number && !o->failed && is_full(w, o, now_ns))
			rotate(w, o, now_ns);
	}
}

/* Say how far the outputs are, where that is wanted and what has to be in them is. */
static void take_points(struct writer *w) {
	unsigned wanted = atomic_load_explicit(&w->sync_wanted, memory_order_acquire);

	if (wanted == atomic_load_explicit(&w->sync_done, memory_order_relaxed)
		|| w->taken < w->sync_at)
		return;
	for (unsigned i = 0; i < w->nb_outputs; i++)
		if (!w->outputs[i].failed && w->outputs[i].format->settle)
			w->outputs[i].format->settle(w->outputs[i].state);
	flush_all(w, true);
	for (unsigned i = 0; i < w->nb_outputs; i++)
		sink_point(w->outputs[i].sink, &w->points[i]);
	/* Release: who sees the number sees the points. */
	atomic_store_explicit(&w->sync_done, wanted, memory_order_release);
}

static void *writer_main(void *arg) {
	struct writer *w = arg;
	struct result batch[BATCH];

	for (;;) {
		/* Read before the queue: nothing is put after this was set. */
		bool ending = atomic_load_explicit(&w->ending, memory_order_acquire);
		unsigned n = spsc_get(w->queue, batch, BATCH);
		bool pumped = pump_all(w);
		if (n)
			write_batch(w, batch, n);
		rotate_full(w);
		if (n || (pumped && !ending)) {
			take_points(w);
			continue;
		}
		flush_all(w, false);
		take_points(w);
		if (ending) {
			end_archive(w);
			return NULL;
		}
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

static int find_format(const struct writer_params *params, const struct ctl_output_spec *spec,
	const struct output_format **format, struct dp_error *err) {
	if (!spec->plugin) {
		*format = output_find(spec->format);
		return *format ? 0 : unknown_format(spec->format, err);
	}
	const struct lh_plugin *plugin = params->plugins[spec->plugin - 1];
	bool formats = plugin->hooks & 1u << LH_HOOK_FORMAT_RESULT;
	if (!formats && !strcmp(spec->path, "-"))
		return dp_fail(err, true, -EINVAL,
			"output plugin %s has no format_result(), which standard output needs: "
			"give "
			"a file (-o %s:PATH)",
			plugin->name, plugin->name);
	*format = formats ? &output_plugin : &output_plugin_export;
	return 0;
}

static int check_place(const struct writer *w, const struct output *o, struct dp_error *err) {
	for (unsigned i = 0; o != &w->outputs[i]; i++)
		if (sink_same(w->outputs[i].sink, o->sink))
			return dp_fail(err, true, -EINVAL, "two outputs (%s and %s) go to %s",
				w->outputs[i].name, o->name, sink_name(o->sink));
	return 0;
}

static int is_trailer(void *user, const char *line, size_t bytes) {
	const char *trailer = user;
	const size_t want = strlen(trailer);

	return bytes >= want && !memcmp(line, trailer, want);
}

/* The end of a file that goes on comes off. */
static int cut_trailer(struct output *o, struct dp_error *err) {
	const uint64_t results = o->sink->lines;
	int rc = sink_each_line(o->sink, is_trailer, (void *)o->format->trailer);

	o->sink->lines = results;
	return rc ? dp_fail(
		       err, true, rc, "cannot go on with %s: %s", sink_name(o->sink), strerror(-rc))
		  : 0;
}

/* Whether all of it is written at the end. */
static bool is_once(const struct output_format *format) {
	return !format->write_results && !format->pump;
}

struct reading {
	struct writer *writer;
	const struct writer_params *params;
	uint64_t lines, known; /* of them the checkpoint knew */
};

/* The names that results may have in them: those of plugins, and "builtin". */
static unsigned result_names_of(const struct writer_params *params, const char **names) {
	unsigned nb = 0;

	names[nb++] = "builtin";
	for (unsigned i = 0; i < params->nb_plugins; i++)
		names[nb++] = params->plugins[i]->name;
	return nb;
}

/*
 * A line of an exact output. Those behind the last checkpoint are not asked for again, and others
 * than that output may not have them: they were not written, or held back.
 */
static int on_line(void *user, const char *line, size_t bytes) {
	struct reading *reading = user;
	struct writer *w = reading->writer;
	const char *names[1 + LH_MAX_PLUGINS];
	struct result *more;
	int rc = reading->params->on_line(reading->params->user, line, bytes);

	if (rc || reading->lines++ < reading->known)
		return rc;
	more = reallocarray(w->again, w->nb_again + 1, sizeof *more);
	if (!more)
		return -ENOMEM;
	w->again = more;
	rc = result_read(line, names, result_names_of(reading->params, names), &more[w->nb_again]);
	w->nb_again += !rc;
	return rc;
}

/* Write what the exact outputs have behind the last checkpoint to the others, but for plugins' texts. */
static void write_again(struct writer *w) {
	for (unsigned i = 0; i < w->nb_outputs && w->nb_again; i++) {
		struct output *o = &w->outputs[i];

		if (!o->format->write_results || o->format->exact || o->format->raw)
			continue;
		o->format->write_results(o->state, w->again, w->nb_again);
		if (o->sink->error)
			fail_output(w, o, o->sink->error);
	}
}

static void free_again(struct writer *w) {
	for (unsigned i = 0; i < w->nb_again; i++)
		result_extra_free(w->again[i].extra);
	free(w->again);
	w->again = NULL;
	w->nb_again = 0;
}

/* Take up an output of a scan that goes on. */
static int go_on(struct writer *w, struct output *o, const struct writer_params *params,
	struct dp_error *err) {
	const struct sink_point *point = &params->resume[o->index];
	struct reading reading = {.writer = w, .params = params, .known = point->results};
	int rc;

	/* What is written at the end only is written anew. */
	if (is_once(o->format) || !point->regular)
		return sink_admit(o->sink,
			is_once(o->format) ? CTL_FILE_OVERWRITE : CTL_FILE_APPEND,
			o->format->line_start, err);
	rc = sink_go_on(o->sink, point, o->format->line_start, err);
	if (!rc && o->format->trailer)
		return cut_trailer(o, err);
	if (rc || !o->format->exact)
		return rc;
	/* One is enough. */
	free_again(w);
	rc = sink_each_line(o->sink, on_line, &reading);
	return rc ? dp_fail(err, true, rc,
		       "cannot go on with %s: line %llu of this scan is no result of it",
		       sink_name(o->sink), (unsigned long long)o->sink->lines + 1)
		  : 0;
}

/* Whether its file may be rotated, where that is wanted. The summary is one line at the end. */
static int admit_rotation(
	struct output *o, const struct writer_params *params, struct dp_error *err) {
	if ((!params->rotation.bytes && !params->rotation.ns) || o->format == &output_summary)
		return 0;
	if (!o->format->begin_file)
		return dp_fail(err, true, -EINVAL,
			"-o %s: its files are not rotated in this version: leave rotate_size and "
			"rotate_time out",
			o->name);
	o->file_ns = monotonic_ns();
	return rotate_admit(o->sink, params->file_mode, &o->number, err);
}

static int open_output(struct writer *w, const struct writer_params *params,
	const struct ctl_output_spec *spec, struct dp_error *err) {
	const struct output_params output = {.color = params->color,
		.capture = params->capture,
		.index = w->nb_outputs,
		.config = params->config};
	struct output *o = &w->outputs[w->nb_outputs];
	int rc;

	o->name = spec->format;
	o->index = w->nb_outputs;
	rc = find_format(params, spec, &o->format, err);
	if (rc)
		return rc;
	rc = sink_open(spec->path, &o->sink, err);
	if (rc)
		return rc;
	w->nb_outputs++; /* from here on writer_destroy() takes care of it */
	if (o->sink->zipped && spec->plugin)
		return dp_fail(err, true, -EINVAL,
			"-o %s:%s: what a plugin writes is not compressed in this version: give a "
			"path without .zst",
			o->name, spec->path);
	o->sink->raw = o->format->raw;
	o->sink->whole = o->format->whole;
	rc = check_place(w, o, err);
	if (!rc && o->sink->whole && o->sink->terminal)
		rc = dp_fail(err, true, -EINVAL,
			"%s:%s: it is no text, and %s is a terminal: give a file, or a pipe to "
			"what reads it",
			o->name, spec->path, sink_name(o->sink));
	if (rc)
		return rc;
	if (!params->resume && o->format->trailer && o->sink->existed
		&& params->file_mode == CTL_FILE_APPEND)
		return dp_fail(err, true, -EEXIST,
			"cannot append to %s: a file in the format %s ends once; give another, or "
			"--overwrite",
			sink_name(o->sink), o->name);
	rc = params->resume ? go_on(w, o, params, err)
			    : sink_admit(o->sink, params->file_mode, o->format->line_start, err);
	if (!rc)
		rc = admit_rotation(o, params, err);
	if (!rc && params->track && sink_track(o->sink))
		rc = dp_fail(err, false, -ENOMEM, "out of memory");
	if (rc)
		return rc;
	rc = o->format->open(o->sink, &output, &o->state);
	if (rc)
		return dp_fail(err, false, rc, "output %s: %s", o->name, strerror(-rc));
	if (o->format->first_line)
		rc = sink_check_start(o->sink, o->format->first_line(o->state), err);
	return rc;
}

unsigned writer_outputs(const struct writer *writer) {
	return writer->nb_outputs;
}

bool writer_is_exact(const struct writer *writer, unsigned output) {
	const struct output *o = &writer->outputs[output];

	return o->format->exact && o->sink->regular && !o->sink->standard;
}

bool writer_is_once(const struct writer *writer, unsigned output) {
	return is_once(writer->outputs[output].format);
}

/* A scan that goes on has results already: as many as an exact output has lines. */
static void count_resumed(struct writer *w, const struct writer_params *params) {
	if (!params->resume)
		return;
	w->taken = params->results;
	for (unsigned i = 0; i < w->nb_outputs; i++)
		if (writer_is_exact(w, i))
			w->taken = w->outputs[i].sink->lines;
	w->put = w->taken;
	atomic_store_explicit(&w->written, w->taken, memory_order_relaxed);
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
	w->archive = params->archive;
	w->rotation = params->rotation;
	int rc = spsc_create(QUEUE_RESULTS, sizeof(struct result), &w->queue);
	if (rc) {
		dp_fail(err, false, rc, "out of memory");
		goto destroy;
	}
	for (unsigned i = 0; i < params->nb_outputs; i++) {
		rc = open_output(w, params, &params->outputs[i], err);
		if (rc)
			goto destroy;
	}
	count_resumed(w, params);
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

int writer_begin(struct writer *writer, struct dp_error *err) {
	int rc = 0;

	for (unsigned i = 0; !rc && !writer->begun && i < writer->nb_outputs; i++)
		rc = sink_begin(writer->outputs[i].sink, err);
	writer->begun = !rc;
	return rc;
}

int writer_start(struct writer *writer, struct dp_error *err) {
	int rc = writer_begin(writer, err);

	if (rc)
		return rc;
	write_again(writer);
	free_again(writer);
	rc = start_thread(writer);
	if (rc)
		return dp_fail(err, false, rc, "cannot start the writer thread: %s", strerror(-rc));
	writer->running = true;
	return 0;
}

/* One may always pass the limit, however large it is: it gets in once the others are written. */
static bool is_too_heavy(const struct writer *w) {
	uint64_t done = atomic_load_explicit(&w->heavy_done, memory_order_relaxed);

	return w->heavy_put - done > MOST_HEAVY_BYTES;
}

/* Their sum has to be taken before: what was put may be freed at once. */
static unsigned put_heavy(struct writer *w, const struct result *results, unsigned n) {
	unsigned put = 0;

	while (put < n && !is_too_heavy(w)) {
		uint64_t bytes = heavy_sum(&results[put], 1);
		if (!spsc_put(w->queue, &results[put], 1))
			break;
		w->heavy_put += bytes;
		put++;
	}
	return put;
}

unsigned writer_put(struct writer *writer, const struct result *results, unsigned n) {
	bool heavy = false;

	for (unsigned i = 0; i < n; i++)
		heavy |= results[i].extra != NULL;
	n = heavy ? put_heavy(writer, results, n) : spsc_put(writer->queue, results, n);
	writer->put += n;
	return n;
}

void writer_sync(struct writer *writer) {
	writer->sync_at = writer->put;
	/* Release: who sees the number sees the place. Without the thread the outputs are ours. */
	atomic_fetch_add_explicit(&writer->sync_wanted, 1, memory_order_release);
	if (!writer->running)
		take_points(writer);
}

bool writer_synced(const struct writer *writer, const struct sink_point **points) {
	unsigned done = atomic_load_explicit(&writer->sync_done, memory_order_acquire);

	*points = writer->points;
	return done == atomic_load_explicit(&writer->sync_wanted, memory_order_relaxed);
}

int writer_output_fd(struct writer *writer, unsigned output) {
	return writer->outputs[output].sink->fd;
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

void writer_pump(struct writer *writer) {
	if (!pump_all(writer))
		return;
	flush_all(writer, false);
	rotate_full(writer);
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
		if (is_once(o->format) != takes_results)
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

/* What nobody took: the thread was never started. */
static void empty_queue(struct writer *w) {
	struct result result;

	while (w->queue && spsc_get(w->queue, &result, 1))
		result_extra_free(result.extra);
}

void writer_destroy(struct writer *writer) {
	if (!writer)
		return;
	join(writer);
	empty_queue(writer);
	for (unsigned i = 0; i < writer->nb_outputs; i++) {
		struct output *o = &writer->outputs[i];
		if (o->state)
			o->format->close(o->state);
		sink_destroy(o->sink);
	}
	free_again(writer);
	spsc_destroy(writer->queue);
	free(writer);
}
