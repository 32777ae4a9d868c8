/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A finished result on its way from the control core to the outputs: what the packet path said, and,
 * where there is more to say, what banners, detection and plugins added.
 *
 * Passed by value through the writer's queue; whoever hands one over transfers its `extra`, and the
 * writer frees it with result_extra_free() after all outputs have written it.
 */
#ifndef CTL_RESULT_H
#define CTL_RESULT_H

#include <dp/answer.h>
#include <lh/host.h>

/* What one plugin said. Pointers are its own (malloc). */
struct result_plugin {
	const char *name; /* not owned: lives as long as the run */
	enum lh_status status;
	char *error; /* UTF-8; NULL: none */
	char *results; /* JSON object text without a newline; NULL: none */
};

/* A piece of text for one output: what format_result() of its plugin returned. */
struct result_text {
	unsigned output; /* index in ctl_config.outputs */
	char *bytes; /* malloc; NULL: nil, nothing is written */
	size_t length;
};

struct result_extra {
	uint8_t *banner; /* malloc; NULL: none */
	uint32_t banner_bytes;
	bool has_service;
	struct lh_service service;
	const char *service_source; /* "builtin" or a plugin's name; not owned */
	struct result_plugin *plugins; /* malloc; in `enable` order, those that were offered it */
	unsigned nb_plugins;
	struct result_text *texts; /* malloc */
	unsigned nb_texts;
};

struct result {
	struct dp_answer answer;
	struct result_extra *extra; /* NULL: nothing more */
};

/* Whether a record is about a port: not where the host is what was found, or its protocol has none. */
static inline bool result_has_port(const struct dp_answer *answer) {
	return answer->state != DP_STATE_UP && answer->proto <= DP_PROTO_SCTP;
}

void result_extra_free(struct result_extra *extra); /* NULL is fine */

/*
 * The object of INTERFACE 4 below "plugins", `{"http-enum":{"status":"ok","results":{...}}}`, as
 * text to be freed; NULL: no memory, or nothing to say.
 */
char *result_plugins_json(const struct result_extra *extra);

/*
 * The same for who has a buffer: writes at most result_plugins_room() bytes, `{}` where there is
 * nothing to say, and no NUL; returns their end.
 */
size_t result_plugins_room(const struct result_extra *extra);
char *result_plugins_write(const struct result_extra *extra, char *to);

/*
 * Read a line that output_ndjson wrote, ending in a NUL: times are whole microseconds again. Names of
 * plugins, and "builtin", come out as those of @names, which have to live as long; what another said is
 * left out. 0, -EBADMSG where it is no such line, or -ENOMEM; the result's extra is the caller's.
 */
int result_read(const char *line, const char *const *names, unsigned nb, struct result *result);

#endif
