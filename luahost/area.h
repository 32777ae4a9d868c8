/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What control core, warden and lanes share, and the messages between them.
 *
 * An area is the shared memory of one lane: a header that the lane writes, and two rings. All areas
 * are mapped before the warden is forked, so that the three sides see them at the same address; a
 * lane unmaps all but its own. A second mapping, which lanes never see, tells the warden which
 * address each of a lane's slots stands for: what a lane may connect to does not depend on its word.
 *
 * The direction down (control core to lane) is trusted. All that comes up is hostile.
 */
#ifndef LH_AREA_H
#define LH_AREA_H

#include "ring.h"

#include <lh/host.h>

#include <assert.h>
#include <sys/types.h>

enum {
	LANE_SLOTS = 16384, /* results that one lane may have at once */
	LANE_SLOT_PHASE = LANE_SLOTS, /* on_load, on_pre_scan ...: not a result */
	LANE_SLOT_NONE = UINT32_MAX,
	DOWN_BYTES = 1 << 20,
	UP_BYTES = 512 << 10,
	CHUNK_BYTES = 64 << 10, /* of a long text going up */
	MESSAGE_BYTES = 512 << 10, /* longest message down */
	PAGE_ROWS = 1024, /* of a sequence */
	FORMATTED_MAX = 16 << 20, /* of format_result() for one result */
	NARROWING_MAX = 1 << 20, /* of ports and of exclude */
	LANE_EXIT = 100, /* exit status of a lane that gave up: this plus an enum lh_status */
	LANE_EXIT_LOAD = 90, /* it could not load its plugin, and said why */
};

struct area {
	/* writer: lane, readers: warden and control core */
	alignas(64) _Atomic uint32_t slice; /* odd while plugin code runs; grows */
	_Atomic uint32_t running; /* slot of that code */
	_Atomic uint64_t cpu_before_ns; /* processor time of that slot before this slice */
	/*
	 * Results up to this position of the ring down are not wanted any more: the lane answers for
	 * those that it has not begun without calling a hook.
	 * writer: control core, reader: lane
	 */
	_Atomic uint64_t unwanted;
	alignas(64) uint8_t rings[]; /* down, then up */
};

static inline size_t area_bytes(void) {
	return (sizeof(struct area) + ring_bytes(DOWN_BYTES) + ring_bytes(UP_BYTES) + 4095)
		& ~(size_t)4095;
}

static inline struct ring_shared *area_down(struct area *area) {
	return (struct ring_shared *)area->rings;
}

static inline struct ring_shared *area_up(struct area *area) {
	return (struct ring_shared *)(area->rings + ring_bytes(DOWN_BYTES));
}

/* ---- Down the ring ---- */

enum down_type {
	DOWN_RECORD = 1, /* struct wire_record and what follows it */
	DOWN_PHASE, /* struct wire_phase */
	DOWN_PAGE, /* struct wire_page and rows */
	DOWN_PROBED, /* struct wire_probed */
	DOWN_UNLOAD,
};

enum {
	WIRE_HAS_PORT = 1,
	WIRE_HAS_SERVICE = 2,
	WIRE_ZERO_WINDOW = 4,
};

/* An address within messages, which are aligned to 8 bytes in rings and in Lua's memory. */
struct wire_ip {
	uint64_t high, low;
};

static inline struct wire_ip wire_ip_put(lh_ip ip) {
	return (struct wire_ip){(uint64_t)(ip >> 64), (uint64_t)ip};
}

static inline lh_ip wire_ip_get(struct wire_ip ip) {
	return lh_ip_v6(ip.high, ip.low);
}

/* A service as lanes know it. */
struct wire_service {
	struct lh_service service;
	char source[LH_NAME_BYTES]; /* who named it; "": nobody says */
};

/* A result. Followed by struct wire_service where flagged, the banner and the plugins' JSON. */
struct wire_record {
	uint64_t ts_ns;
	struct wire_ip ip;
	uint32_t slot;
	uint32_t rtt_us;
	uint16_t port;
	uint8_t state, ttl;
	uint8_t flags;
	char protocol[7];
	char reason[24];
	uint32_t banner_bytes; /* UINT32_MAX: none */
	uint32_t plugins_bytes;
};

struct wire_phase {
	uint32_t hook; /* enum lh_hook */
	uint32_t path_bytes; /* of export; the path follows */
	uint64_t count; /* elements of the sequence */
};

/* A pair of the target sequence. */
struct wire_target {
	struct wire_ip ip;
	uint16_t port;
	char protocol[6]; /* "": as the scan's */
};

/* Part of a sequence: @rows struct wire_target, or wire records each with its length (uint32_t) before. */
struct wire_page {
	uint64_t first;
	uint32_t rows;
	uint32_t targets; /* 1: of targets, 0: of results */
};

struct wire_probed {
	uint32_t id;
	uint32_t state; /* enum lh_probe_state, or one of the following */
};

enum {
	PROBED_DENIED = 100,
	PROBED_BUSY, /* more at once than the plugin's share */
};

/* Rings align to 8 bytes, and so does Lua: nothing in messages may want more. */
static_assert(alignof(struct wire_record) == 8 && alignof(struct wire_target) == 8
	&& alignof(struct wire_page) == 8);
static_assert(sizeof(struct wire_target) == 24);

/* ---- Up the ring ---- */

enum up_type {
	UP_READY = 1, /* text: what could not be confined */
	UP_FAILED, /* text: why the plugin could not be loaded */
	UP_DONE, /* struct wire_done, struct lh_service where flagged, error text */
	UP_TEXT, /* struct wire_text and bytes: appended to a slot's text */
	UP_PHASE_DONE, /* struct wire_done, error text */
	UP_WANT, /* struct wire_want */
	UP_PROBE, /* struct wire_probe */
	UP_LOG, /* one byte level, text */
};

enum text_kind {
	TEXT_RESULTS,
	TEXT_FORMATTED,
	TEXT_PORTS,
	TEXT_EXCLUDE,
	TEXT_KINDS,
};

struct wire_done {
	uint32_t slot;
	uint8_t status; /* enum lh_status */
	uint8_t flags; /* WIRE_HAS_SERVICE */
	uint16_t error_bytes;
};

struct wire_text {
	uint32_t slot;
	uint32_t kind;
};

struct wire_want {
	uint64_t first;
	uint32_t targets;
	uint32_t rows;
};

struct wire_probe {
	struct wire_ip ip;
	uint32_t id;
	uint32_t slot;
	uint16_t port;
	uint16_t protocol; /* enum lh_probe_protocol */
	uint32_t pad;
};

static_assert(alignof(struct wire_probe) == 8 && sizeof(struct wire_probe) == 32);

/* ---- Lane to warden and back: datagrams of a socket pair ---- */

enum request_op {
	REQUEST_CONNECT = 1, /* several in one datagram */
	REQUEST_OPEN, /* one, with the name behind it */
};

enum open_mode {
	OPEN_READ,
	OPEN_WRITE,
	OPEN_APPEND,
};

struct request {
	uint32_t op;
	uint32_t id; /* given back in the reply */
	uint32_t slot; /* whose target it is for */
	uint16_t port;
	uint8_t udp;
	uint8_t mode; /* enum open_mode */
	struct wire_ip ip;
};

static_assert(sizeof(struct request) == 32);

enum {
	REQUESTS_MAX = 64, /* in one datagram; as many descriptors come back in one */
	OPEN_NAME_BYTES = 1024,
};

enum {
	REPLY_DENIED = -1, /* out of scope, excluded, or without the capability */
};

/* One for each request of the datagram, with descriptors for those whose @error is 0, in order. */
struct reply {
	uint32_t op; /* enum request_op */
	uint32_t id;
	int32_t error; /* 0, an errno, or REPLY_DENIED */
	uint32_t connected; /* the connection stands already */
};

/* ---- Control core to warden and back ---- */

enum command_op {
	COMMAND_SPAWN = 1,
	COMMAND_KILL, /* with the status that it means */
	COMMAND_OUTPUT, /* with a descriptor: what export() of the plugin may write */
	COMMAND_END,
};

struct command {
	uint32_t op;
	uint32_t area;
	uint32_t plugin;
	uint32_t number; /* of the lane, for its name; UINT32_MAX: a spare */
	uint32_t status;
};

struct notice {
	uint32_t area;
	uint32_t status; /* LH_OK: ended as asked; else what its death means */
	uint32_t exit; /* wait status */
	uint32_t load_failed; /* it said why with UP_FAILED */
	uint64_t cpu_ns; /* of its whole life */
};

/* ---- Control core and warden; lanes never see it ---- */

/*
 * Which address a slot stands for. Read by the warden while the control core may write: what changes
 * meanwhile is none.
 * writer: control core, readers: it and the warden
 */
struct authority {
	_Atomic uint64_t version; /* odd while it is written */
	_Atomic uint64_t high, low; /* both 0: none */
};

void authority_set(struct authority *authority, lh_ip ip); /* 0: none */
lh_ip authority_get(struct authority *authority);

/*
 * What was excluded while the scan runs: two tables of ascending, disjoint ranges, of which one
 * holds and the other is where the next one is made.
 * writer: control core, readers: it and the warden
 */
struct excluded {
	_Atomic uint64_t version; /* of the tables; the lowest bit says which one holds */
	_Atomic uint32_t nb[2];
	/* Ranges: high and low half of the first address, then of the last. A reader may meet a change. */
	_Atomic uint64_t range[2][LH_EXCLUDED_MAX][4];
};

bool excluded_contains(struct excluded *excluded, lh_ip ip);
int excluded_add(struct excluded *excluded, const struct lh_range *more, size_t nb);

/*
 * Processor time of all lanes that an area has had, the one that runs included; never falls.
 * writer: warden, readers: control core
 */
struct lane_time {
	_Atomic uint64_t cpu_ns;
};

/* The whole arrangement, made before the warden is forked; constant but for what areas hold. */
struct setup {
	const struct lh_host_params *params;
	struct lh_limits limits[LH_MAX_PLUGINS]; /* the operator's, tightened by the plugin's */
	unsigned areas_each; /* lanes and a spare */
	unsigned nb_areas;
	uint8_t *areas; /* nb_areas * area_bytes() */
	struct authority *authority; /* nb_areas * LANE_SLOTS */
	struct excluded *excluded;
	struct lane_time *times; /* nb_areas */
	uint32_t connections[LH_MAX_PLUGINS]; /* a lane */
	/* Source ports of plugins' sockets, none of the scan's; the warden's own. */
	uint16_t port_first, port_last;
	bool ports_by_hand; /* the kernel would not keep to them */
	int socket; /* to the warden, on the control core's side; to the control core, on its */
};

static inline struct area *setup_area(const struct setup *setup, unsigned i) {
	return (struct area *)(setup->areas + i * area_bytes());
}

static inline struct authority *setup_authority(
	const struct setup *setup, unsigned area, uint32_t slot) {
	return &setup->authority[(size_t)area * LANE_SLOTS + slot];
}

/* True where @ip lies in one of the sorted ranges. */
bool scope_contains(const struct lh_range *ranges, size_t nb, lh_ip ip);

/* False where it is not in the scan's scope, or excluded since. */
bool scope_allows(const struct setup *setup, lh_ip ip);

static inline unsigned setup_plugin(const struct setup *setup, unsigned area) {
	return area / setup->areas_each;
}

/* In the warden: serve until COMMAND_END or the control core's death. Never returns. */
_Noreturn void warden_main(struct setup *setup, pid_t control);

/* In a lane: never returns. @socket leads to the warden. */
_Noreturn void lane_main(
	const struct setup *setup, unsigned area, unsigned number, int socket, pid_t warden);

#endif
