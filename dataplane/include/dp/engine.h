/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packet path: one scan through one port or several.
 *
 *     dp_plan_make()       look at the port, choose driver, source, next hop and lcores; sends nothing
 *     dp_engine_create()   start EAL and the device, fill the pools; sends nothing
 *     dp_engine_start()    launch the lcores: neighbours first, then probes
 *     dp_engine_release()  where it was to hold before the first probe: let it send
 *     dp_engine_collect()  take validated answers (again and again, from one thread)
 *     dp_engine_stop()     join the lcores; what is still in the rings can be collected after it
 *     dp_engine_destroy()
 *
 * All functions are called from the thread that called dp_engine_create(), the EAL main lcore, but
 * for dp_engine_stop_sending(), which is also safe in a signal handler. EAL can start once in the
 * life of a process, and so can an engine.
 */
#ifndef DP_ENGINE_H
#define DP_ENGINE_H

#include <dp/answer.h>
#include <dp/error.h>
#include <dp/payload.h>
#include <dp/pieces.h>
#include <dp/sim.h>
#include <dp/space.h>

enum {
	DP_MAX_LCORES = 32, /* TX plus RX lcores, of all ports */
	DP_MAX_PORTS = 8,
	DP_MAX_SOURCES = 16, /* ranges of source addresses of a port */
	DP_MAX_PROBES = 16, /* transmissions of a pair */
	DP_MAX_PASSES = DP_MAX_PROBES * DP_PAYLOADS_A_PORT,
	DP_PORT_NAME_BYTES = 512,
	DP_BANNER_MAX_BYTES = 4096,
};

enum dp_hugepages {
	DP_HUGEPAGES_AUTO, /* where enough of them are free */
	DP_HUGEPAGES_ON,
	DP_HUGEPAGES_OFF,
};

/* A secret of 16 bytes: the key of the cookies. */
struct dp_key {
	uint8_t bytes[16];
};

/* What the operator asked for, of one port (network device). */
struct dp_port_params {
	const char *port; /* as INTERFACE section 3: auto, lo, sim, interface, PCI address, vdev */
	struct dp_range sources[DP_MAX_SOURCES]; /* ascending, disjoint */
	unsigned nb_sources; /* none of a family: automatic */
	dp_ip gateway4, gateway6; /* 0: automatic */
	bool has_gateway_mac;
	uint8_t gateway_mac[6];
	uint16_t vlan; /* 0: untagged */
};

/* What the operator asked for. Pointers must outlive the engine. */
struct dp_params {
	const struct dp_space *space;
	const struct dp_scan_type *type;
	struct dp_slice slice; /* the counters of this shard */
	const struct dp_pieces *left; /* what of them is to be scanned; NULL: all */
	uint64_t seed; /* key of the order */
	struct dp_key key; /* key of the cookies */
	unsigned probes; /* transmissions of a pair, at least 1 */

	struct dp_port_params ports[DP_MAX_PORTS]; /* the scan is spread over them */
	unsigned nb_ports;
	uint16_t source_port_first, source_port_last;
	unsigned tx_lcores; /* of each port; 0: automatic, as is rx_lcores */
	unsigned rx_lcores;
	enum dp_hugepages hugepages;
	const char *eal; /* further EAL arguments, separated by blanks; NULL: none */

	/*
	 * The address that plugin sockets are bound to. Where no interface of the kernel's has it, a TAP
	 * on the first port carries it, and frames for it travel between TAP and port, at most max_pps a second each way.
	 * It may be source_ip: then the TAP has what is not for our source ports.
	 */
	struct {
		dp_ip ip; /* IPv4; 0: none, plugin sockets are the kernel's affair */
		uint32_t max_pps; /* 0: DP_EXCEPTION_PPS */
	} exception;

	double rate_pps; /* probes a second for the whole run; 0: see rate_bps */
	double rate_bps; /* bits a second on the wire; 0 too: unlimited */
	bool hold; /* no probe before dp_engine_release() */

	/*
	 * Stateless banners: complete the connections of SYN-ACKs to the scan's probes, say hello,
	 * and hand over what comes back, as many bytes of it as max_bytes. What UDP services reply
	 * comes along with their answer.
	 * Not where the kernel holds our address and would reset such connections.
	 */
	struct {
		bool enable;
		uint16_t max_bytes; /* 1 to DP_BANNER_MAX_BYTES */
		const struct dp_hello *hellos; /* the operator's, in front of the built-in ones */
		unsigned nb_hellos;
	} banner;
	const struct dp_payload *payloads; /* the operator's, likewise, for UDP */
	unsigned nb_payloads;
	bool capture; /* keep copies of responses for dp_engine_capture(), see dp/capture.h */
	struct dp_sim_params sim;
	bool verbose; /* let EAL and driver messages through to standard error */
	bool telemetry; /* DPDK's socket for it; dp/telemetry.h */
};

enum dp_driver {
	DP_DRIVER_SIM,
	DP_DRIVER_LO,
	DP_DRIVER_AF_PACKET,
	DP_DRIVER_AF_XDP,
	DP_DRIVER_PCI,
	DP_DRIVER_VDEV,
};

enum {
	DP_MAX_ONLINK = 16, /* directly connected prefixes of one interface */
	DP_EXCEPTION_PPS = 10000,
};

/* Where packets of one family come from and go, on one port. */
struct dp_route_plan {
	bool used; /* the port sends probes of this family */
	struct dp_range sources[DP_MAX_SOURCES];
	unsigned nb_sources;
	bool kernel_owns_source; /* the kernel answers ARP or ND and ICMP for it, and resets */
	dp_ip gateway; /* 0: none */
	struct dp_range onlink[DP_MAX_ONLINK];
	unsigned nb_onlink;
	bool onlink_all; /* an interface without a gateway: every target is on link */
};

/* What dp_plan_make() decided for one port. */
struct dp_port_plan {
	enum dp_driver driver;
	char port[DP_PORT_NAME_BYTES]; /* interface name, PCI address or vdev string */
	char note[256]; /* why `auto` chose as it did; empty where it did not choose */
	bool auto_driver; /* af_xdp was our choice: where it cannot start, af_packet follows */
	unsigned ephemeral_overlap; /* af_xdp: source ports that the kernel may use for itself */
	struct dp_route_plan v4, v6;
	bool has_gateway_mac;
	uint8_t gateway_mac[6];
	uint16_t vlan;
	uint64_t neighbours; /* on-link targets to resolve */

	unsigned nb_workers; /* packet lcores */
	unsigned nb_tx, nb_rx; /* of them sending, receiving; merged: both are nb_workers */
	bool merged; /* each worker sends and receives */
	bool auto_lcores; /* a device with fewer queues gets fewer */
	unsigned nb_queues; /* RX queues that must be polled; 0: as many as receive */
	bool has_peer; /* one more lcore plays the simulated network or feeds lo */
	int peer_cpu;
	int worker_cpu[DP_MAX_LCORES];
};

/* What dp_plan_make() decided. */
struct dp_plan {
	struct dp_port_plan ports[DP_MAX_PORTS];
	unsigned nb_ports;

	/* How plugin sockets reach the first port where it is not the kernel's. */
	struct {
		bool on; /* off: the kernel has the address, or none was given */
		dp_ip ip;
		char name[16]; /* the TAP; sockets that are bound to ip may be bound to it, too */
		unsigned number; /* of the TAP */
		unsigned max_pps; /* each way */
		unsigned mtu;
	} exception;

	unsigned nb_workers; /* packet lcores of all ports */
	unsigned nb_tx; /* of them sending */
	unsigned nb_cpus;
	int main_cpu;
	bool shared_cpus; /* some lcores share a CPU, so that loops yield */
	bool hugepages;
	unsigned memory_mb; /* packet memory */

	unsigned passes; /* walks over the order: transmissions times payloads */
	double rate_pps; /* of all ports; 0: unlimited */
	unsigned frame_bytes; /* the largest probe as handed to the port */
	unsigned wire_bytes; /* with preamble, FCS and gap; what a rate in bits counts */
	double wire_bits; /* the same, the mean of all probes: a rate in bits is so many times that in probes */
};

/*
 * Look at the machine and decide. Reads /proc, /sys and netlink; starts nothing, sends nothing.
 * 0 or a negative errno with @err filled.
 */
int dp_plan_make(const struct dp_params *params, struct dp_plan *plan, struct dp_error *err);

const char *dp_driver_name(enum dp_driver driver); /* "simulated network" "af_xdp" ... */

struct dp_engine;

/* The plan as carried out: a device may have fewer queues than planned for. */
const struct dp_plan *dp_engine_plan(const struct dp_engine *engine);

/*
 * The capabilities that the engine needs from after dp_engine_create() to the end of
 * dp_engine_destroy(), as bits of 1 << CAP_*; every thread of the process may give up all others.
 */
uint64_t dp_engine_capabilities(const struct dp_engine *engine);

/*
 * Start EAL and the port as planned. The key is copied to memory that is in no core dump
 * (dp/secret.h); the caller may wipe its own. 0 or a negative errno with @err filled. */
int dp_engine_create(const struct dp_params *params, const struct dp_plan *plan,
	struct dp_engine **engine, struct dp_error *err);

/* Launch the lcores. 0 or a negative errno with @err filled. */
int dp_engine_start(struct dp_engine *engine, struct dp_error *err);

/*
 * Take up to @max answers, in fair bursts over the RX lcores' rings. Never blocks; 0 means none now.
 * The banners of the answers of the last call are gone with this one.
 * One answer may come several times: hosts retransmit and networks duplicate.
 */
unsigned dp_engine_collect(struct dp_engine *engine, struct dp_answer *answers, unsigned max);

enum dp_phase {
	DP_PHASE_RESOLVING, /* next hops by ARP and ND */
	DP_PHASE_HELD, /* next hops are known; waiting for dp_engine_release() */
	DP_PHASE_SENDING,
	DP_PHASE_SENT, /* every probe of the slice is out, or sending was stopped */
	DP_PHASE_FAILED, /* nothing can be sent; dp_engine_failure() says why */
};

enum dp_phase dp_engine_phase(const struct dp_engine *engine);
const char *dp_engine_failure(const struct dp_engine *engine);

/*
 * Let an engine that was to hold send its probes, once and for all: at any time after
 * dp_engine_create(), later calls do nothing. @space is a subset of the created one, with addresses
 * from it alone, and must outlive the engine; NULL: as created. @slice: the counters of this shard
 * in it; @left: what of them is to be scanned, NULL: all. The rate begins with this call: nothing was
 * saved up before. 0 or -ENOMEM, and the engine holds on.
 */
int dp_engine_release(struct dp_engine *engine, const struct dp_space *space, struct dp_slice slice,
	const struct dp_pieces *left);

/* How far the TX lcores were at one moment. */
struct dp_progress {
	uint64_t steps[DP_MAX_LCORES]; /* of each one's walk: handed to the device, or left out */
	uint64_t sent, unresolved,
		excluded; /* as in struct dp_stats; at least those of the steps */
};

/* Never blocks. Before the release all are 0. */
void dp_engine_progress(const struct dp_engine *engine, struct dp_progress *progress);

/*
 * What is left to scan of the released work once @progress was made; tidy. Appends to @left. 0 or
 * -ENOMEM.
 */
int dp_engine_left(
	const struct dp_engine *engine, const struct dp_progress *progress, struct dp_pieces *left);

/*
 * Have all answers that are here now been collected? dp_engine_mark() remembers where the rings end,
 * and is false where a device holds back more; then try again. With @anyway it does not look at
 * devices that drop what is not taken in time. dp_engine_is_past_mark() is true once
 * dp_engine_collect() has handed out everything before that.
 */
bool dp_engine_mark(struct dp_engine *engine, bool anyway);
bool dp_engine_is_past_mark(const struct dp_engine *engine);

/*
 * More addresses never to probe, from the next burst on: probes that are made go out, no more are.
 * @addresses, sealed, must outlive the engine; a later call replaces it, so that it has the earlier
 * one's too. Single probes to them are refused. At any time after dp_engine_create().
 */
void dp_engine_exclude(struct dp_engine *engine, const struct dp_ipset *addresses);

/*
 * Send one probe besides the scan's, while those are held, sent or cooling down: a SYN for
 * DP_PROTO_TCP, a payload of the port's for DP_PROTO_UDP. Never blocks: false
 * where it cannot be taken now (its queue is full, next hops are still being resolved) or ever (@ip is
 * in no pair of the space that the engine was made for; any @port will do). It takes its turn at the
 * rate ahead of the scan's own probes. Its answers come as DP_ANSWER_PROBE, as often as the network
 * repeats them, or not at all: an on-link target that is silent to ARP or ND is not sent to.
 */
bool dp_engine_probe(struct dp_engine *engine, enum dp_proto proto, dp_ip ip, uint16_t port);

/*
 * Another rate for all ports together, 0: unlimited, from each TX lcore's next turn on. What an lcore had
 * earned stays as many probes as it was, so that nothing bursts or is left out. At any time after
 * dp_engine_create(). dp_engine_rate() is the latest; that of the plan stays as it was planned.
 */
void dp_engine_set_rate(struct dp_engine *engine, double pps);
double dp_engine_rate(const struct dp_engine *engine);

/*
 * No probes for now, single ones neither, or go on: what was made goes out, at most a burst of each lcore.
 * Answers are received and replied to. The time of a pause earns nothing.
 */
void dp_engine_pause(struct dp_engine *engine, bool pause);
bool dp_engine_is_paused(const struct dp_engine *engine);

/* Send no more probes, or none where they are held. Answers are still received. Async-signal-safe. */
void dp_engine_stop_sending(struct dp_engine *engine);

/*
 * Housekeeping for the control core, to be called about ten times a second: kicks frames that a
 * driver left in its ring, reads the sockets' own loss counters, looks at the links, re-anchors the clock.
 * While the link of a port is down its probes are held.
 */
void dp_engine_tick(struct dp_engine *engine);

/* The port whose link is down, as its interface's name or PCI address; NULL: none. As of the last tick. */
const char *dp_engine_link_down(const struct dp_engine *engine);

/* Stop and join all lcores; nothing reaches or leaves the TAP any more. Idempotent. */
void dp_engine_stop(struct dp_engine *engine);
void dp_engine_destroy(struct dp_engine *engine); /* NULL is fine */

/* Sums over the lcores; each is exact once the engine has stopped. */
struct dp_stats {
	uint64_t probes_sent;
	uint64_t probes_unresolved; /* not sent: the on-link target did not answer ARP or ND */
	uint64_t probes_excluded; /* not sent: dp_engine_exclude() came before */
	uint64_t sending_ns; /* from the first probe to the latest */
	uint64_t tx_bytes; /* of probes, without preamble, FCS and gap */
	uint64_t arp_sent; /* and neighbour solicitations, for next hops */
	uint64_t replies_sent; /* RST and hellos to open ports, ARP, ND and echo replies of ours */

	uint64_t rx_frames;
	uint64_t rx_own; /* frames of our own that the device handed back */
	uint64_t rx_other; /* not for us: other addresses, ports, protocols */
	uint64_t rx_malformed; /* cut, inconsistent lengths, fragments */
	uint64_t rx_bad_checksum;
	uint64_t rejected; /* for our address and ports, but no answer to a probe of ours */
	uint64_t responses[DP_RESPONSE_COUNT]; /* validated, with repeats */
	uint64_t single_probes, single_answers; /* of dp_engine_probe(): in none of the above */
	uint64_t banners; /* segments with one, with repeats */
	uint64_t zero_window; /* of the SYN-ACKs: open to nothing, as tarpits and proxies are */
	uint64_t banner_mss; /* hello not said: longer than the port's MSS */

	/* Frames between port and TAP. What is dropped here is no loss: TCP sends it again. */
	uint64_t exception_rx; /* to the TAP */
	uint64_t exception_tx; /* from it */
	uint64_t exception_dropped; /* found no room; above the cap they wait first */
	uint64_t exception_ignored; /* of the TAP, but not from its address */

	uint64_t throttled_ns; /* time the rate was lowered because a ring was over half full */

	/* Losses: any that is not zero makes the exit status 3. */
	uint64_t lost_tx_dropped; /* handed to the device, which says that it dropped them */
	uint64_t
		lost_rx_missed; /* dropped below us, as the device or the kernel's socket counted */
	uint64_t lost_rx_no_mbuf;
	uint64_t lost_ring_full; /* validated, but the ring to the control core was full */
	uint64_t lost_reply_dropped; /* replies that found no room to leave */
	uint64_t
		lost_capture_full; /* frames that a capture had no room for; their verdicts are not lost */
	uint64_t
		lost_link_down; /* probes sent so shortly before a link went down that it took them, or
				  * their answers; at the most */
	uint64_t
		lost_next_hop_moved; /* probes to where a gateway or target had been before it was found at
				       * another hardware address; at the most */

	uint64_t sim_probes, sim_lost,
		sim_bad; /* what the simulated network saw, dropped, rejected */
};

void dp_engine_stats(const struct dp_engine *engine, struct dp_stats *stats);

/* How full the rings from the packet path to dp_engine_collect() are now, all together, in answers. */
struct dp_levels {
	uint64_t ring_level, ring_size;
};

void dp_engine_levels(const struct dp_engine *engine, struct dp_levels *levels);

#endif
