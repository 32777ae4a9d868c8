/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of a lane process: give up all privileges, load the plugin, then serve the ring from the
 * control core, the warden's replies, sockets and timers until told to unload.
 *
 * The only thread of its process, which owns everything in struct lane.
 */
#include "lane.h"
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	FD_WARDEN = 3,
	FD_EPOLL,
	FD_FIRST, /* of sockets and files */
	FD_SPARE = 8, /* for files and what libraries hold for a moment */
	MESSAGES = 64, /* taken in a turn */
	EVENTS = 256,
	IDLE_SHORT_MS = 1,
	IDLE_LONG_MS = 5,
	IDLE_TURNS = 100, /* short sleeps before the long ones */
	SPIN_TURNS = 200, /* while the control core fetches a page */
	ROOM_NS = 50 * 1000,
	NICE = 5, /* packet lcores on the same CPU go first */
	SLICE_NS = 100 * 1000, /* and get it back soon after they gave way */
	OWN_MB = 64, /* address space for what is not the VM: OpenSSL, buffers, tables */
	SOCK_BYTES = 128 << 10, /* likewise, for a connection with TLS */
	FILE_MB = 1024,
};

uint64_t lane_now(struct lane *lane) {
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	lane->now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	return lane->now_ns;
}

uint64_t lane_cpu(struct lane *lane) {
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	lane->cpu_sample_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	return lane->cpu_sample_ns;
}

_Noreturn void lane_die(enum lh_status status) {
	_exit(LANE_EXIT + (int)status);
}

void *lane_reserve(struct lane *lane, enum up_type type, size_t bytes) {
	const struct timespec nap = {.tv_nsec = ROOM_NS};
	void *room;

	/* What the lane sends is short enough by construction; a ring without end of life has room. */
	while (!(room = ring_reserve(&lane->up, type, (uint32_t)bytes))) {
		if (lane->up.broken)
			lane_die(LH_KILLED);
		nanosleep(&nap, NULL);
	}
	return room;
}

void lane_send_text(
	struct lane *lane, uint32_t slot, enum text_kind kind, const char *text, size_t n) {
	const struct wire_text head = {slot, kind};

	do {
		size_t part = n < CHUNK_BYTES ? n : CHUNK_BYTES;
		uint8_t *room = lane_reserve(lane, UP_TEXT, sizeof(head) + part);

		memcpy(room, &head, sizeof(head));
		memcpy(room + sizeof(head), text, part);
		ring_commit(&lane->up);
		text += part;
		n -= part;
	} while (n);
}

/* ---- Messages from the control core ---- */

/* The control core has given the result up. */
static void decline(struct lane *lane, uint32_t slot) {
	const struct wire_done done = {.slot = slot, .status = LH_OK};

	memcpy(lane_reserve(lane, UP_DONE, sizeof(done)), &done, sizeof(done));
	ring_commit(&lane->up);
}

/*
 * Whether results wait for others' connections to end. One that begins while all places are taken and
 * some wait for one would only spend its wall_seconds, and the time-out of its connect(), in that queue.
 */
static bool must_hold(const struct lane *lane) {
	unsigned waiting = (lane->waiting_tail + WAITING - lane->waiting_head) % WAITING;

	return waiting && lane->socks_open + waiting >= lane->socks_max;
}

static void begin_or_decline(struct lane *lane, struct convo *convo, uint32_t slot) {
	if (convo->position > atomic_load_explicit(&lane->shared->unwanted, memory_order_relaxed)) {
		convo_start(lane, convo);
		return;
	}
	record_clear(&convo->record);
	decline(lane, slot);
}

static bool is_held(const struct lane *lane) {
	return lane->held_head != lane->held_tail;
}

static void hold(struct lane *lane, uint32_t slot) {
	lane->held[lane->held_tail] = slot;
	lane->held_tail = (lane->held_tail + 1) % (LANE_SLOTS + 1);
}

/* Begin those that were held, in their order; what is not wanted any more is answered at once. */
static bool release_held(struct lane *lane) {
	bool any = false;

	for (unsigned i = 0; i < MESSAGES && is_held(lane); i++) {
		uint32_t slot = lane->held[lane->held_head];
		struct convo *convo = &lane->convo[slot];
		uint64_t unwanted
			= atomic_load_explicit(&lane->shared->unwanted, memory_order_relaxed);

		if (convo->position > unwanted && must_hold(lane))
			break;
		lane->held_head = (lane->held_head + 1) % (LANE_SLOTS + 1);
		begin_or_decline(lane, convo, slot);
		any = true;
	}
	return any;
}

static void start_record(struct lane *lane, size_t bytes) {
	struct wire_record wire;
	struct convo *convo;

	if (bytes < sizeof(wire))
		lane_die(LH_KILLED);
	memcpy(&wire, lane->message, sizeof(wire));
	convo = &lane->convo[wire.slot];
	convo->position = lane->down.own;
	if (record_read(&convo->record, lane->message, bytes))
		lane_die(LH_KILLED);
	if (is_held(lane) || must_hold(lane))
		hold(lane, wire.slot);
	else
		begin_or_decline(lane, convo, wire.slot);
}

static void start_phase(struct lane *lane, size_t bytes) {
	struct wire_phase wire;
	char *path;

	memcpy(&wire, lane->message, sizeof(wire));
	path = strndup((const char *)lane->message + sizeof(wire), bytes - sizeof(wire));
	convo_phase(lane, (enum lh_hook)wire.hook, path, wire.count);
	free(path);
}

static void take_probed(struct lane *lane) {
	static const char *const names[] = {[LH_PROBE_OPEN] = "open",
		[LH_PROBE_CLOSED] = "closed",
		[LH_PROBE_FILTERED] = "filtered",
		[LH_PROBE_NO_ANSWER] = "no-answer"};
	struct outcome outcome = {.kind = OUTCOME_FAILED, .error = "denied"};
	struct wire_probed wire;
	struct convo *convo;

	memcpy(&wire, lane->message, sizeof(wire));
	convo = convo_of(lane, wire.id % (LANE_SLOTS + 1));
	if (!convo || convo->op.kind != OP_PROBE || convo->op.id != wire.id)
		return;
	if (wire.state == PROBED_BUSY)
		outcome.error = "too many single probes at once";
	else if (wire.state != PROBED_DENIED)
		outcome = (struct outcome){.kind = OUTCOME_BYTES,
			.bytes = names[wire.state],
			.length = strlen(names[wire.state])};
	convo_resume(lane, convo, &outcome);
}

static void take_page(struct lane *lane, size_t bytes) {
	const struct outcome outcome = {.kind = OUTCOME_ROW};
	struct convo *convo = lane->phase;

	seq_take(lane, lane->message, bytes);
	if (convo->active && convo->op.kind == OP_PAGE)
		convo_resume(lane, convo, &outcome);
}

/* Conversations end where they are, and others do not begin; their results are no longer wanted. */
static void unload(struct lane *lane) {
	lane->ending = true;
	lane->held_head = lane->held_tail;
	convo_drop_all(lane);
	convo_phase(lane, LH_HOOK_ON_UNLOAD, NULL, 0);
}

/* Take one message; false where there is none. */
static bool take_message(struct lane *lane) {
	uint32_t type, bytes;
	int rc = ring_pop(&lane->down, &type, lane->message, MESSAGE_BYTES, &bytes);

	if (rc < 0)
		lane_die(LH_KILLED);
	if (rc == 0)
		return false;
	switch ((enum down_type)type) {
	case DOWN_RECORD:
		start_record(lane, bytes);
		break;
	case DOWN_PHASE:
		start_phase(lane, bytes);
		break;
	case DOWN_PAGE:
		take_page(lane, bytes);
		break;
	case DOWN_PROBED:
		take_probed(lane);
		break;
	case DOWN_UNLOAD:
		unload(lane);
		break;
	}
	return true;
}

/* ---- The loop ---- */

static bool wait_events(struct lane *lane, int timeout_ms) {
	struct epoll_event event[EVENTS];
	int n = epoll_wait(lane->epoll, event, EVENTS, timeout_ms);

	lane_now(lane);
	for (int i = 0; i < n; i++) {
		uint32_t place = (uint32_t)event[i].data.u64;

		if (place == UINT32_MAX)
			warden_receive(lane);
		else
			sock_event(lane, place, (uint32_t)(event[i].data.u64 >> 32));
	}
	return n > 0;
}

/* How long nothing has to be done, in ms. */
static int idle_ms(const struct lane *lane, unsigned idle) {
	uint64_t next_ns = convo_next_timer(lane);
	int most = idle < IDLE_TURNS ? IDLE_SHORT_MS : IDLE_LONG_MS;

	if (lane->phase->op.kind == OP_PAGE && idle < SPIN_TURNS)
		return 0;
	if (next_ns <= lane->now_ns)
		return 0;
	return next_ns - lane->now_ns < (uint64_t)most * 1000000 ? 1 : most;
}

static void turn(struct lane *lane, unsigned *idle) {
	bool busy = release_held(lane);

	for (unsigned i = 0; i < MESSAGES && take_message(lane); i++)
		busy = true;
	warden_flush(lane);
	/* Sockets are looked at each turn, but cost nothing where there are none. */
	if (busy && lane->socks_open + lane->nb_active == 0)
		lane_now(lane);
	else if (busy)
		wait_events(lane, 0);
	else if (!wait_events(lane, idle_ms(lane, *idle))) {
		if (lane->phase->op.kind == OP_PAGE)
			sched_yield();
		++*idle;
	}
	if (busy)
		*idle = 0;
	lane_cpu(lane);
	convo_timers(lane);
	warden_flush(lane);
}

/* ---- The beginning ---- */

/* Only our own area stays mapped. */
static void unmap_others(struct lane *lane) {
	const struct setup *setup = lane->setup;
	size_t each = area_bytes();

	if (lane->area > 0)
		munmap(setup->areas, lane->area * each);
	if (lane->area + 1 < setup->nb_areas)
		munmap(setup->areas + (lane->area + 1) * each,
			(setup->nb_areas - lane->area - 1) * each);
	munmap(setup->authority, (size_t)setup->nb_areas * LANE_SLOTS * sizeof(*setup->authority));
	munmap(setup->excluded, sizeof(*setup->excluded));
	munmap(setup->times, setup->nb_areas * sizeof(*setup->times));
}

/* 0, 1, 2: nothing; 3: the warden; 4: epoll; all others closed by the lock. */
static int arrange_descriptors(struct lane *lane, int socket) {
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = UINT32_MAX};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int warden = fcntl(socket, F_DUPFD_CLOEXEC, FD_FIRST);
	int epoll = epoll_create1(EPOLL_CLOEXEC);

	if (null < 0 || warden < 0 || epoll < 0)
		return -errno;
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	/* Up and out of the way first: one may stand where the other belongs. */
	epoll = fcntl(epoll, F_DUPFD_CLOEXEC, FD_FIRST);
	lane->warden = dup2(warden, FD_WARDEN);
	lane->epoll = dup2(epoll, FD_EPOLL);
	if (lane->warden < 0 || lane->epoll < 0)
		return -errno;
	return epoll_ctl(lane->epoll, EPOLL_CTL_ADD, lane->warden, &event) ? -errno : 0;
}

static int confine(struct lane *lane, char report[LOCK_REPORT_BYTES]) {
	static const int keep[] = {0, 1, 2, FD_WARDEN, FD_EPOLL};
	const struct lock_params params = {
		.memory_bytes = (((uint64_t)lane->limits.memory_mb + OWN_MB) << 20)
			+ (uint64_t)lane->socks_max * SOCK_BYTES,
		.file_bytes = (uint64_t)FILE_MB << 20,
		.descriptors = FD_FIRST + lane->socks_max + FD_SPARE,
	};

	return lock_process(&params, keep, sizeof(keep) / sizeof(keep[0]), report);
}

static int make_tables(struct lane *lane) {
	lane->convo = calloc(LANE_SLOTS + 1, sizeof(*lane->convo));
	lane->heap = malloc((LANE_SLOTS + 2) * sizeof(*lane->heap));
	lane->held = malloc((LANE_SLOTS + 1) * sizeof(*lane->held));
	lane->spare_co = malloc((LANE_SLOTS + 1) * sizeof(*lane->spare_co));
	lane->spare_ref = malloc((LANE_SLOTS + 1) * sizeof(*lane->spare_ref));
	lane->waiting = malloc(WAITING * sizeof(*lane->waiting));
	lane->sock = calloc(lane->socks_max, sizeof(*lane->sock));
	lane->message = malloc(MESSAGE_BYTES);
	lane->io = malloc(IO_BYTES);
	if (!lane->convo || !lane->heap || !lane->held || !lane->spare_co || !lane->spare_ref
		|| !lane->waiting || !lane->sock || !lane->message || !lane->io)
		return -ENOMEM;
	lane->phase = &lane->convo[LANE_SLOT_PHASE];
	return 0;
}

static int make_vm(struct lane *lane) {
	const struct sandbox_params params = {
		.memory_bytes = (uint64_t)lane->limits.memory_mb << 20,
		.sources = lane->plugin->sources,
		.nb_sources = lane->plugin->nb_sources,
		.open = api_open,
		.ctx = lane,
	};
	int rc = sandbox_create(&params, &lane->box);

	if (rc)
		return rc;
	lane->lua = sandbox_state(lane->box);
	convo_install_hook(lane);
	return 0;
}

/* Niceness and, from Linux 6.12 on, the length of a turn on the processor. */
static void give_precedence(void) {
	const struct { /* struct sched_attr; only some C libraries declare it */
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime_ns, deadline_ns, period_ns;
	} attributes = {.size = sizeof(attributes),
		.policy = SCHED_OTHER,
		.nice = NICE,
		.runtime_ns = SLICE_NS};

	if (syscall(SYS_sched_setattr, 0, &attributes, 0))
		setpriority(PRIO_PROCESS, 0, NICE);
}

/* Before the lock: what a lane has of its own, and what it has from its parent. */
static void settle(struct lane *lane, pid_t warden) {
	const struct lh_host_params *params = lane->params;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != warden)
		_exit(1);
	if (params->cpus)
		sched_setaffinity(0, sizeof(*params->cpus), params->cpus);
	give_precedence();
	tzset(); /* reads a file; gmtime_r() would later */
	unmap_others(lane);
}

static void fail_load(struct lane *lane, const char *why) {
	memcpy(lane_reserve(lane, UP_FAILED, strlen(why)), why, strlen(why));
	ring_commit(&lane->up);
	_exit(LANE_EXIT_LOAD);
}

_Noreturn void lane_main(
	const struct setup *setup, unsigned area, unsigned number, int socket, pid_t warden) {
	unsigned plugin = setup_plugin(setup, area);
	char report[LOCK_REPORT_BYTES] = "";
	struct lane *lane = calloc(1, sizeof(*lane));
	unsigned idle = 0;

	if (!lane)
		lane_die(LH_MEMORY);
	lane->setup = setup;
	lane->params = setup->params;
	lane->plugin = setup->params->plugins[plugin].plugin;
	lane->limits = setup->limits[plugin];
	lane->area = area;
	lane->number = number;
	lane->shared = setup_area(setup, area);
	lane->socks_max = setup->connections[plugin];
	ring_open(&lane->down, area_down(lane->shared), DOWN_BYTES);
	ring_open(&lane->up, area_up(lane->shared), UP_BYTES);
	settle(lane, warden);
	if (make_tables(lane) || arrange_descriptors(lane, socket))
		lane_die(LH_MEMORY);
	if (confine(lane, report))
		fail_load(lane, "the lane could not be confined: seccomp or no_new_privs failed");
	if (getppid() != warden)
		_exit(1);
	if (make_vm(lane))
		fail_load(lane, "memory_mb is too small for the Lua library and the plugin");
	convo_load(lane);
	/* Loading may have to wait, for prtip.sleep() in on_load. */
	while (!lane->loaded)
		turn(lane, &idle);
	memcpy(lane_reserve(lane, UP_READY, strlen(report)), report, strlen(report));
	ring_commit(&lane->up);
	for (;;)
		turn(lane, &idle);
}
