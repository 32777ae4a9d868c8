/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rotation of an output's file, as logrotate does it: PATH is the file that is written, and once it is
 * full it is renamed and a new one begins under the same name. results.ndjson becomes
 * results-00001.ndjson, the next one results-00002.ndjson; results.ndjson.zst becomes
 * results-00001.ndjson.zst. A file with a number is whole and on the disk, and is not touched again.
 */
#ifndef CTL_ROTATE_H
#define CTL_ROTATE_H

#include "sink.h"

/* When a file is full. Both 0: never. */
struct rotation {
	uint64_t bytes; /* it has as many or more */
	uint64_t ns; /* it is as old, and has results */
};

/*
 * Whether the sink's file can be rotated, after sink_admit(): a regular file by its own name, with none in
 * the way of the names to come, which in mode APPEND begin behind those that are there. *@number: the
 * first. 0, or a negative errno with @err filled (usage).
 */
int rotate_admit(
	const struct sink *sink, enum ctl_file_mode mode, unsigned *number, struct dp_error *err);

/*
 * End the file, rename it with @number and begin the next one; nothing waits in the sink before and after. 0 or
 * the sink's error.
 */
int rotate_file(struct sink *sink, unsigned number);

#endif
