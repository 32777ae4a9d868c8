/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The checkpoint file: everything that a run needs to go on, in one file.
 *
 *     "prtip-dp checkpoint\n"   20 bytes
 *     version                   u32; numbers are little-endian
 *     bytes of the body         u64
 *     body                      the fields of struct checkpoint, in the order of fields() (checkpoint.c)
 *     SHA-256 of all before it  32 bytes
 *
 * What it means that a counter is in it, and what lies beside it, docs/resume.md says.
 *
 * checkpoint_decode() is a pure function over a buffer that may hold anything.
 */
#ifndef CTL_CHECKPOINT_H
#define CTL_CHECKPOINT_H

#include "config.h"
#include "coverage.h"
#include "digest.h"
#include "summary.h"

enum {
	CHECKPOINT_VERSION = 2,
	CHECKPOINT_MAX_BYTES = 1 << 30, /* more is refused unread */
};

/* A key of the configuration with its canonical text. */
struct checkpoint_setting {
	char *section, *key, *value;
};

/* A file that was read for the run. */
struct checkpoint_input {
	char *what; /* "target file" */
	char *path;
	uint8_t digest[DIGEST_BYTES];
};

/* An output, and how far its file is known. */
struct checkpoint_output {
	char *format, *path; /* as in the configuration */
	bool regular; /* a file; else the rest is 0 */
	uint64_t start; /* where this scan's bytes begin in it */
	uint64_t end; /* and end: on disk up to here */
	uint64_t results; /* in them */
	uint8_t digest[DIGEST_BYTES]; /* of those bytes */
};

/* A plugin and its account. */
struct checkpoint_plugin {
	char *name, *version;
	uint64_t offered, status[LH_STATUS_COUNT], spilled, deaths;
	uint64_t filtered[LH_STATUS_COUNT]; /* of status: of results that are not written */
	uint64_t lane_cpu_us;
};

/* What the whole scan has counted up to here. */
struct checkpoint_counts {
	uint64_t unique, duplicates, hidden, surplus, undecided, excluded_running, dedup_evicted;
	uint64_t waiting; /* of the unique ones, in the journal */
	uint64_t states[DP_STATE_COUNT];
	uint64_t filtered[DP_STATE_COUNT]; /* of the unique ones */
	uint64_t elapsed_ns;
	struct dp_stats stats;
};

struct checkpoint {
	char *program; /* version of the program that wrote it */
	char *folder; /* in which the program ran */
	uint8_t config_digest[DIGEST_BYTES]; /* of what must not change */
	struct checkpoint_setting *settings;
	unsigned nb_settings;
	struct checkpoint_input *inputs;
	unsigned nb_inputs;

	bool complete; /* nothing is left to do */
	bool begun; /* on_pre_scan is over, what is left is in @left */
	bool none; /* it left nothing */
	bool by_value; /* the target space lies in FILE.space */
	bool narrowed; /* what is scanned lies in FILE.narrowed */
	uint8_t space_digest[DIGEST_BYTES]; /* of addresses and ports */
	uint8_t narrowed_digest[DIGEST_BYTES];
	dp_u128 excluded_default, excluded_exclude; /* pairs */
	struct dp_key
		*key; /* of the cookies, from dp_secret_alloc(): in no dump, and in no child */
	uint32_t passes;
	dp_u128 first, end; /* the slice */
	struct dp_pieces left;
	struct dp_range *excluded; /* by SIGHUP */
	unsigned nb_excluded;

	struct checkpoint_output *outputs;
	unsigned nb_outputs;
	struct checkpoint_plugin *plugins;
	unsigned nb_plugins;
	struct checkpoint_counts counts;
	uint32_t resumed; /* how often the scan was gone on with */

	uint64_t *segments; /* of the journal (journal.h) */
	unsigned nb_segments;
	uint64_t next_segment;
	bool archived; /* there is an archive of results beside it */
	struct coverage_saved coverage;
};

void checkpoint_clear(struct checkpoint *checkpoint);

/* As bytes, with the key: in secret memory (dp/secret.h), to be freed by checkpoint_free_bytes(). 0 or -ENOMEM. */
int checkpoint_encode(const struct checkpoint *checkpoint, uint8_t **bytes, size_t *n);
void checkpoint_free_bytes(uint8_t *bytes, size_t n); /* NULL is fine */

/*
 * Read @n bytes; pure, whatever they hold. 0 with *@checkpoint filled (checkpoint_clear()); -EBADMSG
 * with @err saying what is wrong with them (it does not name the file), or -ENOMEM.
 */
int checkpoint_decode(
	const uint8_t *bytes, size_t n, struct checkpoint *checkpoint, struct dp_error *err);

/* Read a file. 0 or a negative errno with @err filled, usage where the file is at fault. */
int checkpoint_read(const char *path, struct checkpoint *checkpoint, struct dp_error *err);

/*
 * Bring @n bytes to the disk as @path: PATH.tmp, fsync, rename, fsync of the folder. The file is
 * readable by its owner only, as it holds the key of the cookies. 0 or a negative errno; the earlier
 * file is whole then.
 */
int checkpoint_write(const char *path, const uint8_t *bytes, size_t n);

/* The body of a journal's segment likewise, in a frame of its own; the body is to be freed. */
int checkpoint_write_segment(const char *path, const uint8_t *body, size_t n);
int checkpoint_read_segment(const char *path, uint8_t **body, size_t *n, struct dp_error *err);

/*
 * A target space by value, likewise (`FILE.space`, `FILE.narrowed`), and back. The digest is that of
 * checkpoint_digest(), which holds for a space however it was made.
 */
int checkpoint_write_space(const char *path, const struct dp_space *space);
int checkpoint_read_space(const char *path, const uint8_t digest[static DIGEST_BYTES],
	struct dp_space **space, struct dp_error *err);
int checkpoint_digest(const struct dp_space *space, uint8_t digest[static DIGEST_BYTES]);

#endif
