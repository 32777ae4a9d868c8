/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The plugin host: runs plugins in sandboxed lane processes and gives back what they said.
 *
 *     lh_host_create()   fork the warden (before EAL and before any thread), which forks the lanes
 *     lh_host_ready()    wait until every plugin's lanes have loaded it and on_load returned
 *     lh_host_phase()    on_pre_scan, on_post_scan, export: start one; lh_host_poll() tells its end
 *     lh_host_submit()   offer a result to a plugin; lh_host_poll() gives the answer
 *     lh_host_poll()     move everything on (again and again, from one thread); never blocks
 *     lh_host_destroy()  on_unload in each lane, then the warden ends
 *
 * All functions are called from one thread of the process that called lh_host_create(), the control
 * core. None but lh_host_ready() and lh_host_destroy() blocks. What lanes write is taken as hostile:
 * copied out once, then checked.
 */
#ifndef LH_HOST_H
#define LH_HOST_H

#include <lh/ip.h>
#include <lh/plugin.h>

#include <sched.h>

/* What became of a result at a plugin, from best to worst: the worst of its hooks counts. */
enum lh_status {
	LH_OK,
	LH_ERROR, /* uncaught Lua error */
	LH_DENIED, /* uncaught PermissionDenied */
	LH_MEMORY, /* uncaught allocation failure */
	LH_INSTRUCTIONS,
	LH_TIMEOUT, /* cpu_seconds or wall_seconds */
	LH_KILLED, /* any other death of the lane */
	LH_SKIPPED, /* overflow, quarantine, or end of `drain` */
	LH_STATUS_COUNT,
};

extern const char *const lh_status_names[LH_STATUS_COUNT]; /* "ok" "error" ... */

enum {
	LH_MAX_PLUGINS = 32,
	LH_RESULTS_BYTES = 64 << 10, /* of one plugin for one record, as JSON */
	LH_EXCLUDED_MAX = 1 << 20, /* disjoint ranges of lh_host_exclude() */
};

/* Elements of a sequence at the most: numbers in Lua are doubles, and hold no more of them exactly. */
#define LH_SEQUENCE_MAX (UINT64_C(1) << 53)

/* A service as a plugin or the built-in detection named it. Strings end in NUL, "" where unknown. */
struct lh_service {
	char name[64];
	char product[128];
	char version[64];
	char info[192];
	char os[64]; /* hint at the operating system */
	char cpe[160];
	double confidence; /* 0 to 1 */
};

/* A result as plugins see it. Pointers belong to whoever fills it in. */
struct lh_record {
	lh_ip ip;
	uint64_t ts_ns; /* since 1970-01-01 UTC */
	uint32_t rtt_us; /* UINT32_MAX: none */
	uint16_t port;
	uint8_t state; /* enum lh_state */
	uint8_t ttl;
	bool has_port;
	bool zero_window; /* a port that lets nobody send */
	const char *protocol; /* "tcp" */
	const char *reason; /* nmap's word */
	const char *banner; /* bytes, NULL: none */
	uint32_t banner_bytes;
	const struct lh_service *service; /* NULL: none */
	const char *service_source; /* "builtin" or a plugin; NULL: none */
	const char *plugins; /* JSON object of what other plugins said; NULL: none */
	uint32_t plugins_bytes;
};

struct lh_range {
	lh_ip first, last; /* inclusive */
};

/* A pair of the target sequence. */
struct lh_target {
	lh_ip ip;
	uint16_t port; /* none where the scan has none */
	const char *protocol; /* up to five letters; NULL: as lh_host_params says */
};

/* What scan_port sends. */
enum lh_probe_protocol {
	LH_PROBE_TCP,
	LH_PROBE_UDP,
	LH_PROBE_PROTOCOLS,
};

/* What scan_port found. */
enum lh_probe_state {
	LH_PROBE_OPEN,
	LH_PROBE_CLOSED,
	LH_PROBE_FILTERED,
	LH_PROBE_NO_ANSWER,
};

/* What the host asks of the control core, from within lh_host_poll() and lh_host_submit(). */
struct lh_host_ops {
	/* Fill @record of the result that was submitted as @tag; valid until the next call. */
	void (*record)(void *ctx, uint64_t tag, struct lh_record *record);
	/* Elements @first.. of the target sequence: returns how many of @max there were. */
	unsigned (*targets)(void *ctx, uint64_t first, struct lh_target *targets, unsigned max);
	/*
	 * Result @index of the result sequence; false: there is none, or it cannot be read. Valid until
	 * the next call.
	 */
	bool (*result)(void *ctx, uint64_t index, struct lh_record *record);
	/*
	 * Send one probe for scan_port; an answer is told by lh_host_probed(), none within 2 s by
	 * nobody. False: not now (the host asks again).
	 */
	bool (*probe)(void *ctx, enum lh_probe_protocol protocol, lh_ip ip, uint16_t port);
	/* A line for people. @level: 0 debug, 1 info, 2 warn, 3 error. @plugin may be NULL. */
	void (*log)(void *ctx, unsigned level, const char *plugin, const char *text);
	/* True: the user wants the end at once; lh_host_stop() gives on_unload a second. May be NULL. */
	bool (*hurried)(void *ctx);
};

/* A plugin that runs. */
struct lh_enabled {
	const struct lh_plugin *plugin; /* with its settings; must outlive the host */
	const char *output_path; /* of `-o NAME:PATH`, as export() sees it; NULL: none */
};

struct lh_host_params {
	const struct lh_enabled *plugins;
	unsigned nb_plugins; /* in `enable` order */
	unsigned lanes; /* a plugin */
	struct lh_limits limits; /* the operator's; a plugin's own only tighten them */
	uint32_t queue; /* results that may be submitted to one plugin and unanswered */

	bool network; /* false: connect() says "no network on this port" */
	lh_ip source_ip; /* of plugin sockets of its family; 0: the kernel's choice */
	const char *device; /* "" or NULL: none */
	uint16_t avoid_first, avoid_last; /* source ports of the scan */
	const struct lh_range *scope; /* sorted and disjoint: targets without exclusions */
	size_t nb_scope;
	const char *data_dir; /* ~/.prtip/data */
	const char *tests; /* "tests/basic.lua": results are its cases (lh_check()); NULL: none */
	const cpu_set_t *cpus; /* that lanes run on; NULL: all */

	/* prtip.scan_config and get_scan_type() */
	const char *scan_type; /* "syn" */
	const char
		*protocol; /* of the target sequence's pairs that have none of their own: "tcp" */
	bool has_ports; /* those have ports */
	const char *flags; /* "S"; "": no TCP flags */
	const char *ports; /* canonical list */
	double rate_pps; /* 0: unlimited */
	unsigned timing;
	uint64_t seed;

	const struct lh_host_ops *ops;
	void *ctx;
};

struct lh_host;

/* Fork the warden and begin to start lanes. 0 or a negative errno with @err filled. */
int lh_host_create(
	const struct lh_host_params *params, struct lh_host **host, struct lh_error *err);

/*
 * Block until every lane has loaded its plugin, or one failed: then a negative errno with @err
 * filled (usage), naming the plugin and what its on_load or main.lua said.
 */
int lh_host_ready(struct lh_host *host, struct lh_error *err);

/* What of the confinement could not be applied ("uid (not root)"), or "" where all was. */
const char *lh_host_unconfined(const struct lh_host *host);

enum lh_event_kind {
	LH_EVENT_RESULT, /* of lh_host_submit() */
	LH_EVENT_PHASE, /* of lh_host_phase() */
};

/* Pointers are valid until the next lh_host_poll(). */
struct lh_event {
	enum lh_event_kind kind;
	unsigned plugin;
	uint64_t tag; /* of a result */
	enum lh_status status;
	const char *error; /* UTF-8; NULL: none */
	const char *results; /* JSON object of add_result() values; NULL: none */
	size_t results_bytes;
	const struct lh_service *service; /* of a detection plugin; NULL: none */
	const char *text; /* of format_result, any bytes; NULL: nil */
	size_t text_bytes;
	/* of on_pre_scan */
	const char *ports; /* port list to narrow to; NULL: as planned */
	const char *exclude; /* addresses to leave out, separated by ", "; NULL: none */
};

/* Results submitted to @plugin and not answered yet. */
uint32_t lh_host_lag(const struct lh_host *host, unsigned plugin);

/*
 * Offer the result @tag to @plugin; false where its lag has reached `queue`. The answer comes as
 * one LH_EVENT_RESULT, whatever becomes of the lane. A plugin in quarantine answers LH_SKIPPED.
 */
bool lh_host_submit(struct lh_host *host, unsigned plugin, uint64_t tag);

/*
 * Start on_pre_scan, on_post_scan or export of @plugin in one lane; @count elements are in its
 * sequence, LH_SEQUENCE_MAX at the most. Ends with one LH_EVENT_PHASE. 0, or -ENOENT where the plugin
 * has no such hook.
 */
int lh_host_phase(struct lh_host *host, unsigned plugin, enum lh_hook hook, uint64_t count);

/* The descriptor of `-o NAME:PATH`, before export of @plugin is started; stays the caller's. */
int lh_host_output(struct lh_host *host, unsigned plugin, int fd);

/* An answer to ops->probe(). */
void lh_host_probed(struct lh_host *host, enum lh_probe_protocol protocol, lh_ip ip, uint16_t port,
	enum lh_probe_state state);

/*
 * More addresses that are out of bounds for plugins, from their next request on: connect() and
 * scan_port() give "denied". Adds to what earlier calls said, in any order and with repeats;
 * connections that stand stay. 0; -EINVAL where a range is none, -E2BIG beyond LH_EXCLUDED_MAX
 * disjoint ranges, or -ENOMEM: then nothing changed.
 */
int lh_host_exclude(struct lh_host *host, const struct lh_range *more, size_t nb);

/* Move on, and take up to @max events. Returns their number; never blocks. */
unsigned lh_host_poll(struct lh_host *host, struct lh_event *events, unsigned max);

/* True where nothing is submitted, running or waiting. */
bool lh_host_idle(const struct lh_host *host);

/*
 * Give up all of @plugin that is unanswered: it comes as LH_SKIPPED with the next polls. For the end
 * of `drain`.
 */
void lh_host_give_up(struct lh_host *host, unsigned plugin);

struct lh_plugin_stats {
	uint64_t deaths; /* of lanes, without the last one at the end */
	bool quarantined;
	double lane_cpu_s; /* processor time of its lanes, ended ones included */
	uint64_t log_suppressed; /* lines */
};

void lh_host_stats(const struct lh_host *host, unsigned plugin, struct lh_plugin_stats *stats);

/*
 * on_unload in each lane, within phase_seconds; then end all processes. What was unanswered stays so;
 * the statistics are complete after it. Idempotent.
 */
void lh_host_stop(struct lh_host *host);

/* Stop and free. NULL is fine. */
void lh_host_destroy(struct lh_host *host);

/*
 * --check-plugin: load @plugin in a real lane, run its tests there with a scripted network, and write
 * a report for people to @out. 0, or a negative errno with @err filled where something is wrong.
 */
int lh_check(const struct lh_plugin *plugin, const char *version, FILE *out, struct lh_error *err);

/* Remember the space of the arguments for readable process names. Call first in main(). */
void lh_process_name_init(int argc, char **argv);

#endif
