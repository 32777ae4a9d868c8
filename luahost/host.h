/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control core's side of the lanes. All of it runs on the control core and belongs to it; the
 * shared memory of an area is read as hostile.
 */
#ifndef LH_HOST_PRIVATE_H
#define LH_HOST_PRIVATE_H

#include "area.h"

enum lane_state {
	LANE_FREE, /* no process */
	LANE_STARTING,
	LANE_SPARE, /* loaded, without work */
	LANE_ACTIVE,
	LANE_DYING, /* killed, or asked to unload: its notice is awaited */
};

struct text {
	char *bytes; /* malloc */
	size_t length;
};

/* A result that a lane has. */
struct slot {
	uint64_t tag;
	uint64_t end; /* position of the ring down behind it: taken, once the lane is that far */
	struct text *texts; /* TEXT_KINDS of them, or NULL */
	uint8_t attempts; /* lanes that died with it */
	bool used;
	bool abandoned; /* its result was skipped; the lane may still answer */
};

/* What a lane waits for while its ring has no room, or the control core has none. */
struct want {
	bool open;
	struct wire_want wire;
};

struct host_lane {
	enum lane_state state;
	struct ring down, up;
	struct slot *slot; /* LANE_SLOTS, and one for the phase */
	uint32_t *free; /* stack of slots that were used before */
	uint32_t nb_free, nb_fresh; /* slots from nb_fresh on were never used */
	uint32_t nb_used;
	bool phase; /* a phase hook runs here */
	uint8_t phase_hook;
	uint64_t phase_end_ns;
	struct want want;
	size_t texts_bytes; /* of all slots */
	uint64_t progress_ns; /* when it last said something, or had nothing to say */
};

/* A result that waits for a lane. */
struct item {
	uint64_t tag;
	uint8_t attempts;
};

struct host_plugin {
	struct item *queue; /* ring */
	uint32_t queue_size, queue_head, queue_count;
	struct item *again; /* stack: those of dead lanes, before all others */
	uint32_t nb_again, again_room;
	uint32_t lag;
	uint32_t strikes; /* deaths without a hundred answers between them */
	uint32_t answers; /* since the latest death */
	uint64_t strikes_ns; /* time that they took */
	uint64_t spawned_ns;
	bool quarantined;
	bool phase_wanted;
	uint8_t phase_hook;
	uint64_t phase_count;
	struct lh_plugin_stats stats;
	uint64_t log_second;
	uint32_t logged;
};

/* scan_port on its way. */
struct probe {
	lh_ip ip;
	uint32_t area, id;
	uint16_t port;
	uint8_t protocol; /* enum lh_probe_protocol */
	bool used, sent;
	uint64_t sent_ns;
};

enum {
	PROBES_MAX = 4096,
};

struct lh_host {
	struct lh_host_params params;
	struct setup setup;
	struct host_lane *lane; /* one an area */
	struct host_plugin plugin[LH_MAX_PLUGINS];
	pid_t warden;
	bool broken; /* the warden is gone */
	bool ready; /* all lanes have loaded their plugins once */
	bool ending;
	char unconfined[256];
	char failure[512]; /* of a plugin that could not be loaded */
	struct lh_event *event; /* to be handed out, a ring */
	uint32_t event_size, event_head, event_count;
	void **garbage; /* to be freed at the next poll */
	uint32_t nb_garbage, garbage_room;
	struct probe *probe; /* PROBES_MAX */
	unsigned nb_probes;
	uint8_t *message; /* one, copied out of a ring */
	uint8_t *scratch; /* a page */
	uint64_t now_ns, chores_ns;
};

/* host.c */
void host_event(struct lh_host *host, const struct lh_event *event);
void host_discard(struct lh_host *host, void *memory); /* free it at the next poll */
void host_log(struct lh_host *host, unsigned level, int plugin, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void host_command(struct lh_host *host, const struct command *command, int fd);
void host_kill(struct lh_host *host, unsigned area, enum lh_status status);

/* host_lane.c: what a lane says */
void lane_make_plain(char *text); /* one line that steers no terminal, valid UTF-8 */
void lane_listen(struct lh_host *host, unsigned area, unsigned max);
void lane_serve_want(struct lh_host *host, unsigned area);
void lane_finish_slot(
	struct lh_host *host, unsigned area, uint32_t slot, enum lh_status status, const char *why);
void lane_free_slot(struct lh_host *host, unsigned area, uint32_t slot);
void lane_abandon(struct lh_host *host, unsigned area); /* skip all it has; it lives on */
void lane_end_phase(struct lh_host *host, unsigned area, enum lh_status status, const char *why);
void lane_probes(struct lh_host *host); /* send what waits, give up what is late */
void lane_forget_probes(struct lh_host *host, unsigned area);

/* host_queue.c: what goes to lanes, and what becomes of it when they die */
bool queue_push(struct host_plugin *plugin, struct item item);
void queue_pump(struct lh_host *host, unsigned plugin);
void queue_skip_all(struct lh_host *host, unsigned plugin);
void queue_bury(struct lh_host *host, const struct notice *notice);
void queue_balance(struct lh_host *host, unsigned plugin);
void queue_quarantine(struct lh_host *host, unsigned plugin, const char *why);

/* wire.c */
size_t wire_size(const struct lh_record *record);
void wire_write(uint8_t *out, uint32_t slot, const struct lh_record *record);

/* json_check.c: one object, valid UTF-8 and without a newline, nested up to 40 deep */
bool json_is_object(const char *text, size_t bytes);

#endif
