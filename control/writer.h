/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The writer thread: takes finished results from the control core through a bounded queue, formats
 * them and writes them to every output, so that a slow disk or pipe never blocks the control core.
 *
 * An output writes whole lines only. Where a write fails half way into a regular file, the file is
 * cut back to its last whole line. The first failure is kept with its name and stops the scan.
 */
#ifndef CTL_WRITER_H
#define CTL_WRITER_H

#include "archive.h"
#include "config.h"
#include "result.h"
#include "rotate.h"
#include "sink.h"
#include "summary.h"

struct writer;
struct capture_source;

struct writer_params {
	const struct ctl_output_spec *outputs;
	unsigned nb_outputs;
	struct lh_plugin *const *plugins; /* that outputs may name, ctl_plugins.enabled */
	unsigned nb_plugins;
	struct archive *archive; /* gets all results too; NULL: none */
	enum ctl_file_mode file_mode;
	const struct ctl_config *config; /* what headings say; NULL: nothing is known */
	bool color; /* tables on a terminal */
	const struct capture_source *capture; /* of the packet path; NULL: it keeps no frames */
	bool track; /* for writer_sync() */
	struct rotation rotation; /* of all outputs that take results */

	/* A scan that goes on: how far each output was, and how many results there were. NULL: none. */
	const struct sink_point *resume;
	uint64_t results;
	sink_line_fn on_line; /* is called for what is in the outputs that can be gone on with */
	void *user;
};

/*
 * Open all outputs before anything is sent: an existing file without --overwrite or --append, a
 * path that cannot be written, two outputs for one path are errors (usage) that name it. Nothing of
 * an existing file is lost when a later output of the list fails to open. 0 or a negative errno.
 */
int writer_create(const struct writer_params *params, struct writer **writer, struct dp_error *err);
void writer_destroy(struct writer *writer);

/*
 * The file of output @output, for the export() of its plugin; the writer's own, valid until
 * writer_finish(). What was there before is in it until writer_start(), and all texts of
 * format_result() after writer_drain().
 */
int writer_output_fd(struct writer *writer, unsigned output);

/* From here on the files are ours: what was to be overwritten is gone. 0, or a negative errno with @err filled. */
int writer_begin(struct writer *writer, struct dp_error *err);

/* The same, where that was not done yet, and start the thread. */
int writer_start(struct writer *writer, struct dp_error *err);

/*
 * Control core: hand over up to @n results; returns how many there was room for. Transfers what those
 * point to, and waits when what is on its way is large (banners, what plugins found), not only when
 * it is much. Never blocks.
 */
unsigned writer_put(struct writer *writer, const struct result *results, unsigned n);

/*
 * Control core: ask how far the outputs are once all that was put up to now is in them. Poll
 * writer_synced(): true once it is known, with *@points (one an output, the writer's, until the next
 * request). What they say was handed to the kernel; writer_output_fd() is for who has it brought to the disk.
 */
void writer_sync(struct writer *writer);
bool writer_synced(const struct writer *writer, const struct sink_point **points);

/* Outputs, and whether one can be gone on with without losing or repeating a result. */
unsigned writer_outputs(const struct writer *writer);
bool writer_is_exact(const struct writer *writer, unsigned output);
bool writer_is_once(const struct writer *writer, unsigned output); /* written at the end alone */

/* The text of the first failure, or NULL. Any thread. */
const char *writer_failure(const struct writer *writer);

/* Results written to all outputs so far, those of a resumed scan's beginning too. Any thread. */
uint64_t writer_written(const struct writer *writer);

/* Control core, after writer_drain(): write what came from elsewhere than writer_put() since. May wait. */
void writer_pump(struct writer *writer);

/*
 * Control core, at the end: wait until the queue is written, join the thread. 0, or a negative
 * errno with @err filled where an output failed (now or earlier).
 */
int writer_drain(struct writer *writer, struct dp_error *err);

/* Then: end the outputs (a table's last rows, the summary), fsync files, close. As above. */
int writer_finish(struct writer *writer, const struct ctl_summary *summary, struct dp_error *err);

#endif
