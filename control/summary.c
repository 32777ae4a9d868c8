/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The account of a run, for people and for programs.
 *
 * Runs on the control core; owns no memory. Every counter of struct dp_stats that is not zero is
 * visible in both forms, and each place where something can be lost is one row of the table below.
 */
#include "human.h"
#include "json.h"
#include "summary.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

struct counter {
	const char *name; /* in the JSON, and for people */
	size_t offset; /* in struct ctl_summary */
	uint64_t (*sum)(const struct ctl_summary *summary); /* instead, where it is not NULL */
};

static uint64_t plugin_skipped(const struct ctl_summary *summary) {
	uint64_t skipped = 0;

	for (unsigned i = 0; i < summary->nb_plugins; i++)
		skipped += summary->plugins[i].status[LH_SKIPPED];
	return skipped;
}

#define STAT(field) offsetof(struct ctl_summary, stats.field)

/* Any that is not zero makes the run incomplete in a way that the user has to know. */
static const struct counter lost_counters[] = {
	{"tx_dropped", STAT(lost_tx_dropped), NULL},
	{"rx_missed", STAT(lost_rx_missed), NULL},
	{"ring_full", STAT(lost_ring_full), NULL},
	{"plugin_skipped", 0, plugin_skipped},
	{"rx_no_mbuf", STAT(lost_rx_no_mbuf), NULL},
	{"reply_dropped", STAT(lost_reply_dropped), NULL},
	{"capture_full", STAT(lost_capture_full), NULL},
	{"link_down", STAT(lost_link_down), NULL},
	{"next_hop_moved", STAT(lost_next_hop_moved), NULL},
	{"results", offsetof(struct ctl_summary, lost_results), NULL},
};

/* Frames that are none of this scan's business. */
static const struct counter ignored_counters[] = {
	{"own", STAT(rx_own), NULL},
	{"other", STAT(rx_other), NULL},
	{"malformed", STAT(rx_malformed), NULL},
	{"bad_checksum", STAT(rx_bad_checksum), NULL},
};

/* Frames between the port and the TAP of plugin sockets; shown where there is one. */
static const struct counter exception_counters[] = {
	{"rx", STAT(exception_rx), NULL},
	{"tx", STAT(exception_tx), NULL},
	{"dropped", STAT(exception_dropped), NULL},
	{"ignored", STAT(exception_ignored), NULL},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static uint64_t value_of(const struct ctl_summary *summary, const struct counter *counter) {
	uint64_t value;

	if (counter->sum)
		return counter->sum(summary);
	memcpy(&value, (const char *)summary + counter->offset, sizeof value);
	return value;
}

static uint64_t total_of(
	const struct ctl_summary *summary, const struct counter *counters, unsigned n) {
	uint64_t total = 0;

	for (unsigned i = 0; i < n; i++)
		total += value_of(summary, &counters[i]);
	return total;
}

uint64_t ctl_summary_tried(const struct ctl_summary *summary) {
	const struct dp_stats *t = &summary->stats;

	return t->probes_sent + t->probes_unresolved + t->probes_excluded;
}

dp_u128 ctl_summary_transmissions(const struct ctl_summary *summary) {
	return summary->targets * (summary->passes ? summary->passes : 1);
}

/*
 * Pairs whose turn came and that stayed silent. One that was not sent because its host did not
 * answer ARP or ND was silent too, so that after a whole scan targets = unique + no_answer; one that
 * was excluded under way was not asked. With several transmissions the first ones of all pairs come
 * before the second ones; a scan that goes on after a kill may count a burst of each lcore twice. A window that forgot entries can count a pair as answered twice; the
 * difference stops at zero.
 */
dp_u128 ctl_summary_no_answer(const struct ctl_summary *summary) {
	dp_u128 tried = summary->stats.probes_sent + summary->stats.probes_unresolved;

	if ((summary->passes > 1 || summary->resumed) && tried > summary->targets)
		tried = summary->targets;
	return tried > summary->unique ? tried - summary->unique : 0;
}

uint64_t ctl_summary_filtered(const struct ctl_summary *summary) {
	uint64_t all = 0;

	for (unsigned i = 0; i < DP_STATE_COUNT; i++)
		all += summary->filtered[i];
	return all;
}

uint64_t ctl_summary_lost_total(const struct ctl_summary *summary) {
	return total_of(summary, lost_counters, COUNT(lost_counters));
}

bool ctl_summary_lost(const struct ctl_summary *summary) {
	return ctl_summary_lost_total(summary) != 0;
}

uint64_t ctl_summary_validated(const struct ctl_summary *summary) {
	uint64_t sum = 0;

	for (unsigned i = 0; i < DP_RESPONSE_COUNT; i++)
		sum += summary->stats.responses[i];
	return sum;
}

#define BIT(response) (1u << DP_RESPONSE_##response)

/* The responses that a scan type can get, which are named even where there was none. */
static unsigned possible_responses(const struct dp_scan_type *type) {
	static const unsigned by_proto[DP_PROTO_COUNT] = {
		[DP_PROTO_TCP] = BIT(SYN_ACK) | BIT(RST) | BIT(ICMP_UNREACHABLE),
		[DP_PROTO_UDP] = BIT(UDP) | BIT(ICMP_UNREACHABLE),
		[DP_PROTO_SCTP] = BIT(INIT_ACK) | BIT(ABORT) | BIT(ICMP_UNREACHABLE),
		[DP_PROTO_ICMP] = BIT(ECHO_REPLY) | BIT(ICMP_UNREACHABLE),
		[DP_PROTO_ARP] = BIT(ARP_REPLY),
		[DP_PROTO_NDP] = BIT(NEIGHBOR_ADVERTISEMENT),
	};

	unsigned mixed = 0;

	for (unsigned i = 0; i < type->nb_parts; i++)
		mixed |= by_proto[type->part[i]->proto];
	if (mixed)
		return mixed;
	if (!strcmp(type->name, "discovery"))
		return BIT(SYN_ACK) | BIT(RST) | BIT(ECHO_REPLY) | BIT(TIMESTAMP_REPLY)
			| BIT(ARP_REPLY) | BIT(NEIGHBOR_ADVERTISEMENT) | BIT(ICMP_UNREACHABLE);
	return by_proto[type->proto];
}

static bool shows_response(const struct ctl_summary *s, unsigned response) {
	return possible_responses(s->type) >> response & 1 || s->stats.responses[response];
}

static void each(const struct ctl_summary *summary, const struct counter *counters, unsigned n,
	ctl_counter_fn fn, void *user) {
	for (unsigned i = 0; i < n; i++)
		fn(user, counters[i].name, value_of(summary, &counters[i]));
}

void ctl_summary_each_lost(const struct ctl_summary *summary, ctl_counter_fn fn, void *user) {
	each(summary, lost_counters, COUNT(lost_counters), fn, user);
}

void ctl_summary_each_ignored(const struct ctl_summary *summary, ctl_counter_fn fn, void *user) {
	each(summary, ignored_counters, COUNT(ignored_counters), fn, user);
}

void ctl_summary_each_response(const struct ctl_summary *summary, ctl_counter_fn fn, void *user) {
	for (unsigned i = 0; i < DP_RESPONSE_COUNT; i++)
		if (shows_response(summary, i))
			fn(user, dp_response_name(i), summary->stats.responses[i]);
}

void ctl_summary_each_packet(const struct ctl_summary *s, ctl_counter_fn fn, void *user) {
	fn(user, "probes_sent", s->stats.probes_sent);
	fn(user, "probes_tried", ctl_summary_tried(s));
	fn(user, "replies_sent", s->stats.replies_sent);
	fn(user, "rx_frames", s->stats.rx_frames);
	fn(user, "validated", ctl_summary_validated(s));
	fn(user, "banner_segments", s->stats.banners);
	fn(user, "rejected", s->stats.rejected);
	fn(user, "ring_level", s->levels.ring_level);
	fn(user, "ring_size", s->levels.ring_size);
}

void ctl_summary_each_result(const struct ctl_summary *s, ctl_counter_fn fn, void *user) {
	fn(user, "duplicates", s->duplicates);
	fn(user, "unique", s->unique);
	fn(user, "hidden", s->hidden);
	fn(user, "filtered_out", ctl_summary_filtered(s));
	fn(user, "surplus", s->surplus);
	fn(user, "waiting", s->waiting);
	fn(user, "awaiting_banner", s->awaiting_banner);
	fn(user, "finished", s->finished);
	fn(user, "delivered", s->delivered);
	fn(user, "results", s->results);
	fn(user, "lost", ctl_summary_lost_total(s));
}

const char *ctl_summary_ended_by(const struct ctl_summary *summary) {
	switch (summary->limit) {
	case CTL_LIMIT_NONE:
		break;
	case CTL_LIMIT_RUNTIME:
		return "max_runtime";
	case CTL_LIMIT_RESULTS:
		return "max_results";
	}
	return NULL;
}

/* For people: lines of a label and items, broken before they pass the width. */
struct page {
	FILE *out;
	bool color;
	unsigned column;
	unsigned items;
};

enum {
	PAGE_WIDTH = 80,
	LABEL_WIDTH = 14,
};

static void line(struct page *page, const char *label) {
	fprintf(page->out, "  %-*s", LABEL_WIDTH - 2, label);
	page->column = LABEL_WIDTH;
	page->items = 0;
}

/* Text that something may follow at once, which takes a column. */
static void put_text(struct page *page, const char *text) {
	unsigned bytes = (unsigned)strlen(text) + 1;

	if (page->column > LABEL_WIDTH) {
		if (page->column + 1 + bytes > PAGE_WIDTH) {
			fprintf(page->out, "\n%*s", LABEL_WIDTH, "");
			page->column = LABEL_WIDTH;
		} else {
			fputc(' ', page->out);
			page->column++;
		}
	}
	fputs(text, page->out);
	page->column += bytes;
}

/* Whose the items are. */
static void subject(struct page *page, const char *name) {
	char text[PAGE_WIDTH - LABEL_WIDTH];

	snprintf(text, sizeof text, "%s:", name);
	put_text(page, text);
}

[[gnu::format(printf, 2, 3)]] static void item(struct page *page, const char *format, ...) {
	char text[PAGE_WIDTH - LABEL_WIDTH];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (page->items++)
		fputc(',', page->out);
	put_text(page, text);
}

static void end_line(struct page *page) {
	fputc('\n', page->out);
}

/* "12 of_this" for each that is not zero. */
static void items(struct page *page, const struct ctl_summary *summary,
	const struct counter *counters, unsigned n) {
	char count[HUMAN_BYTES];

	for (unsigned i = 0; i < n; i++) {
		uint64_t value = value_of(summary, &counters[i]);
		if (value)
			item(page, "%s %s", human_count(value, count), counters[i].name);
	}
}

static void print_title(struct page *page, const struct ctl_summary *s) {
	const char *color = s->complete ? "" : "\033[33m";
	const char *how = s->interrupted	? "interrupted"
		: s->limit == CTL_LIMIT_RUNTIME ? "ended by max_runtime"
		: s->limit == CTL_LIMIT_RESULTS ? "ended by max_results"
		: s->complete			? "complete"
						: "not complete";

	fprintf(page->out, "prtip-dp %s: %s scan %s%s%s\n", s->version, s->type->name,
		page->color ? color : "", how, page->color && *color ? "\033[0m" : "");
}

static void print_targets(struct page *page, const struct ctl_summary *s) {
	char wide[HUMAN_WIDE_BYTES], a[HUMAN_BYTES], b[HUMAN_BYTES];

	line(page, "targets");
	put_text(page, human_wide(s->targets, wide));
	item(page, "%s", s->type->has_ports ? "address and port pairs" : "addresses");
	if (s->shards > 1)
		item(page, "shard %u/%u", s->shard, s->shards);
	if (s->names)
		item(page, "%s host names among them", human_count(s->names, a));
	if (s->names_failed)
		item(page, "%s without an address left out", human_count(s->names_failed, b));
	end_line(page);
	if (s->excluded_default || s->excluded_exclude) {
		line(page, "excluded");
		if (s->excluded_default)
			item(page, "%s by the default list", human_wide(s->excluded_default, wide));
		if (s->excluded_exclude)
			item(page, "%s by request", human_wide(s->excluded_exclude, wide));
		end_line(page);
	}
	if (!s->excluded_running && !s->stats.probes_excluded)
		return;
	line(page, "on SIGHUP");
	item(page, "%s more addresses excluded", human_count(s->excluded_running, a));
	item(page, "%s probes not sent for it", human_count(s->stats.probes_excluded, b));
	end_line(page);
}

static void print_sent(struct page *page, const struct ctl_summary *s) {
	const struct dp_stats *t = &s->stats;
	char a[HUMAN_BYTES], b[HUMAN_BYTES], c[HUMAN_BYTES];

	line(page, "sent");
	item(page, "%s probes at %s", human_count(t->probes_sent, a), human_rate(s->rate_pps, b));
	item(page, "%s", human_bytes(t->tx_bytes, a));
	if (t->replies_sent)
		item(page, "%s replies", human_count(t->replies_sent, b));
	if (t->arp_sent)
		item(page, "%s ARP and ND requests", human_count(t->arp_sent, c));
	if (s->probes > 1)
		item(page, "each up to %u times", s->probes);
	end_line(page);
	if (t->probes_unresolved) {
		line(page, "unresolved");
		item(page, "%s probes not sent", human_count(t->probes_unresolved, a));
		item(page, "no such host on this link by ARP or ND");
		end_line(page);
	}
	if (t->throttled_ns) {
		line(page, "slowed down");
		item(page, "for %.3f s, as answers piled up in a ring",
			(double)t->throttled_ns / 1e9);
		end_line(page);
	}
}

/* For people. */
static const char *const response_words[DP_RESPONSE_COUNT] = {
	[DP_RESPONSE_SYN_ACK] = "SYN-ACK",
	[DP_RESPONSE_RST] = "RST",
	[DP_RESPONSE_UDP] = "UDP",
	[DP_RESPONSE_ECHO_REPLY] = "echo replies",
	[DP_RESPONSE_TIMESTAMP_REPLY] = "timestamp replies",
	[DP_RESPONSE_ARP_REPLY] = "ARP replies",
	[DP_RESPONSE_NEIGHBOR_ADVERTISEMENT] = "neighbour advertisements",
	[DP_RESPONSE_INIT_ACK] = "INIT-ACK",
	[DP_RESPONSE_ABORT] = "ABORT",
	[DP_RESPONSE_ICMP_UNREACHABLE] = "ICMP unreachable",
};

static void print_coverage(struct page *page, const struct ctl_summary *s) {
	const struct coverage_estimate *c = &s->coverage;

	if (!s->has_coverage && !s->no_coverage)
		return;
	line(page, "coverage");
	if (!s->has_coverage) {
		item(page, "not estimated: %s", s->no_coverage);
		end_line(page);
		return;
	}
	item(page, "%.2f%% of those that answer were heard (95%%: %.2f%% to %.2f%%)",
		100 * c->estimate, 100 * c->low, 100 * c->high);
	item(page, "if losses are independent");
	end_line(page);
}

static void print_states(struct page *page, const struct ctl_summary *s) {
	char a[HUMAN_BYTES];

	line(page, "answered");
	item(page, "%s %s", human_count(s->unique, a), s->type->has_ports ? "pairs" : "addresses");
	for (unsigned i = 0; i < DP_STATE_COUNT; i++)
		if (s->states[i])
			item(page, "%s %s", human_count(s->states[i], a), dp_state_name(i));
	end_line(page);
}

static void print_answers(struct page *page, const struct ctl_summary *s) {
	const struct dp_stats *t = &s->stats;
	char wide[HUMAN_WIDE_BYTES], a[HUMAN_BYTES];

	print_states(page, s);
	line(page, "silent");
	put_text(page, human_wide(ctl_summary_no_answer(s), wide));
	item(page, "%s: %s%s", s->type->has_ports ? "pairs" : "addresses", s->type->silence,
		strcmp(s->type->silence, "down") ? ", lost or no host" : ", or lost");
	end_line(page);
	line(page, "received");
	item(page, "%s frames", human_count(t->rx_frames, a));
	for (unsigned i = 0; i < DP_RESPONSE_COUNT; i++)
		if (shows_response(s, i))
			item(page, "%s %s", human_count(t->responses[i], a), response_words[i]);
	if (s->duplicates)
		item(page, "%s duplicates", human_count(s->duplicates, a));
	if (t->rejected)
		item(page, "%s rejected: no answer to our probes", human_count(t->rejected, a));
	end_line(page);
	if (total_of(s, ignored_counters, COUNT(ignored_counters))) {
		line(page, "ignored");
		items(page, s, ignored_counters, COUNT(ignored_counters));
		end_line(page);
	}
}

static void print_singles(struct page *page, const struct dp_stats *t) {
	char a[HUMAN_BYTES];

	if (!t->single_probes && !t->single_answers)
		return;
	line(page, "plugins'");
	item(page, "%s single probes", human_count(t->single_probes, a));
	item(page, "%s answers to them", human_count(t->single_answers, a));
	end_line(page);
}

static void print_banners(struct page *page, const struct dp_stats *t) {
	char a[HUMAN_BYTES];

	if (!t->banners && !t->zero_window && !t->banner_mss)
		return;
	line(page, "banners");
	item(page, "%s received", human_count(t->banners, a));
	if (t->banner_mss)
		item(page, "%s hellos too long for the host's segments",
			human_count(t->banner_mss, a));
	if (t->zero_window)
		item(page, "%s SYN-ACKs with a window of 0", human_count(t->zero_window, a));
	end_line(page);
}

static void print_results(struct page *page, const struct ctl_summary *s) {
	char a[HUMAN_BYTES], b[HUMAN_BYTES];

	line(page, "written");
	item(page, "%s results", human_count(s->results, a));
	if (s->hidden)
		item(page, "%s closed ones left out", human_count(s->hidden, a));
	if (ctl_summary_filtered(s))
		item(page, "%s left out by the filter", human_count(ctl_summary_filtered(s), a));
	if (s->undecided)
		item(page, "%s that the filter could not decide", human_count(s->undecided, a));
	if (s->surplus)
		item(page, "%s beyond max_results left out", human_count(s->surplus, a));
	end_line(page);
	if (s->dedup_exact)
		return;
	line(page, "window");
	item(page, "%s pairs are remembered", human_count(s->dedup_capacity, a));
	if (s->dedup_evicted) {
		item(page, "%s were forgotten", human_count(s->dedup_evicted, b));
		item(page, "so some results may be there twice");
	}
	end_line(page);
}

static void print_exception(struct page *page, const struct ctl_summary *s) {
	if (!total_of(s, exception_counters, COUNT(exception_counters)))
		return;
	line(page, "plugins' TAP");
	items(page, s, exception_counters, COUNT(exception_counters));
	end_line(page);
}

static void print_sim(struct page *page, const struct dp_stats *t) {
	char a[HUMAN_BYTES];

	if (!t->sim_probes && !t->sim_lost && !t->sim_bad)
		return;
	line(page, "simulated");
	item(page, "%s probes arrived", human_count(t->sim_probes, a));
	if (t->sim_lost)
		item(page, "%s packets lost on purpose", human_count(t->sim_lost, a));
	if (t->sim_bad)
		item(page, "%s bad frames", human_count(t->sim_bad, a));
	end_line(page);
}

/* The statuses in the order of the interface. */
static const enum lh_status statuses[LH_STATUS_COUNT] = {
	LH_OK,
	LH_ERROR,
	LH_TIMEOUT,
	LH_MEMORY,
	LH_INSTRUCTIONS,
	LH_KILLED,
	LH_DENIED,
	LH_SKIPPED,
};

static const char *plugin_color(const struct ctl_plugin_account *plugin) {
	if (plugin->quarantined)
		return "\033[31m";
	return plugin->status[LH_SKIPPED] || plugin->deaths ? "\033[33m" : "";
}

static void print_plugin(struct page *page, const struct ctl_plugin_account *plugin) {
	const char *color = page->color ? plugin_color(plugin) : "";
	char a[HUMAN_BYTES];

	fputs(color, page->out);
	line(page, "plugin");
	subject(page, plugin->name);
	item(page, "%s offered", human_count(plugin->offered, a));
	for (unsigned i = 0; i < LH_STATUS_COUNT; i++) {
		uint64_t value = plugin->status[statuses[i]];
		if (value)
			item(page, "%s %s", human_count(value, a), lh_status_names[statuses[i]]);
	}
	if (plugin->spilled)
		item(page, "%s waited on disk", human_count(plugin->spilled, a));
	if (plugin->deaths)
		item(page, "%s lanes died", human_count(plugin->deaths, a));
	if (plugin->quarantined)
		item(page, "in quarantine");
	item(page, "%.2f s CPU", plugin->lane_cpu_s);
	fputs(*color ? "\033[0m" : "", page->out);
	end_line(page);
}

static void print_plugins(struct page *page, const struct ctl_summary *s) {
	for (unsigned i = 0; i < s->nb_plugins; i++)
		print_plugin(page, &s->plugins[i]);
}

static void print_lost(struct page *page, const struct ctl_summary *s) {
	bool red = page->color && ctl_summary_lost(s);

	fputs(red ? "\033[31m" : "", page->out);
	line(page, "lost");
	if (ctl_summary_lost(s))
		items(page, s, lost_counters, COUNT(lost_counters));
	else
		item(page, "nothing");
	fputs(red ? "\033[0m" : "", page->out);
	end_line(page);
}

static void print_time(struct page *page, const struct ctl_summary *s) {
	line(page, "time");
	item(page, "%.2f s with the cooldown", s->elapsed_s);
	item(page, "%.3f s of it sending", (double)s->stats.sending_ns / 1e9);
	end_line(page);
	if (s->resumed) {
		line(page, "resumed");
		item(page, "%u time%s", s->resumed, s->resumed > 1 ? "s" : "");
		if (s->at_least_once)
			item(page, "%s may have results twice", s->at_least_once);
		end_line(page);
	}
	if (s->checkpoints_failed) {
		char a[HUMAN_BYTES];

		line(page, "checkpoints");
		item(page, "%s could not be written", human_count(s->checkpoints_failed, a));
		end_line(page);
	}
	line(page, "again with");
	item(page, "--seed %llu --shard %u/%u", (unsigned long long)s->seed, s->shard, s->shards);
	end_line(page);
}

int ctl_summary_print(const struct ctl_summary *summary, bool color, FILE *out) {
	struct page page = {.out = out, .color = color};

	print_title(&page, summary);
	print_targets(&page, summary);
	print_sent(&page, summary);
	print_answers(&page, summary);
	print_coverage(&page, summary);
	print_singles(&page, &summary->stats);
	print_banners(&page, &summary->stats);
	print_results(&page, summary);
	print_plugins(&page, summary);
	print_exception(&page, summary);
	print_sim(&page, &summary->stats);
	print_lost(&page, summary);
	print_time(&page, summary);
	return fflush(out) || ferror(out) ? -EIO : 0;
}

/* ---- While it runs ---- */

static void print_state_title(struct page *page, const struct ctl_summary *s, const char *phase) {
	const dp_u128 all = ctl_summary_transmissions(s);
	const double percent = all ? 100.0 * (double)ctl_summary_tried(s) / (double)all : 100;
	char elapsed[HUMAN_BYTES], left[HUMAN_BYTES], rate[HUMAN_BYTES];

	fprintf(page->out, "%s, %.1f%% sent: %s so far", phase, floor(percent * 10) / 10,
		human_clock(s->elapsed_s, elapsed));
	if (s->remaining_s >= 0)
		fprintf(page->out, ", about %s left", human_clock(s->remaining_s, left));
	fprintf(page->out, "; rate %s%s\n",
		s->asked_pps > 0 ? human_rate(s->asked_pps, rate) : "unlimited",
		s->paused ? ", paused" : "");
}

static void print_state_packets(struct page *page, const struct ctl_summary *s) {
	const struct dp_stats *t = &s->stats;
	char a[HUMAN_BYTES], b[HUMAN_BYTES];

	line(page, "sent");
	item(page, "%s probes at %s so far", human_count(t->probes_sent, a),
		human_rate(s->rate_pps, b));
	if (t->probes_unresolved)
		item(page, "%s not, for want of a host", human_count(t->probes_unresolved, a));
	if (t->throttled_ns)
		item(page, "slowed down for %.3f s", (double)t->throttled_ns / 1e9);
	end_line(page);
	line(page, "received");
	item(page, "%s answers", human_count(ctl_summary_validated(s), a));
	if (s->duplicates)
		item(page, "%s duplicates", human_count(s->duplicates, a));
	item(page, "%s of %s wait in the rings", human_count(s->levels.ring_level, a),
		human_count(s->levels.ring_size, b));
	end_line(page);
}

static void print_state_results(struct page *page, const struct ctl_summary *s) {
	char a[HUMAN_BYTES];

	print_states(page, s);
	line(page, "written");
	item(page, "%s results", human_count(s->results, a));
	if (s->awaiting_banner)
		item(page, "%s wait for banners", human_count(s->awaiting_banner, a));
	end_line(page);
	for (unsigned i = 0; i < s->nb_plugins; i++) {
		const struct ctl_plugin_account *plugin = &s->plugins[i];

		line(page, "plugin");
		subject(page, plugin->name);
		item(page, "%s offered", human_count(plugin->offered, a));
		item(page, "%s waiting", human_count(plugin->waiting, a));
		if (plugin->spilled)
			item(page, "%s went to disk", human_count(plugin->spilled, a));
		end_line(page);
	}
}

void ctl_summary_print_state(const struct ctl_summary *summary, const char *phase, FILE *out) {
	struct page page = {.out = out};

	print_state_title(&page, summary, phase);
	print_state_packets(&page, summary);
	print_state_results(&page, summary);
	print_lost(&page, summary);
	fflush(out);
}

static void json_counters(struct json *json, const char *key, const struct ctl_summary *summary,
	const struct counter *counters, unsigned n) {
	json_begin(json, key);
	for (unsigned i = 0; i < n; i++)
		json_u64(json, counters[i].name, value_of(summary, &counters[i]));
	json_end(json);
}

static void json_plan(struct json *json, const struct ctl_summary *s) {
	char shard[32];

	snprintf(shard, sizeof shard, "%u/%u", s->shard, s->shards);
	json_text(json, "version", s->version);
	json_text(json, "scan_type", s->type->name);
	json_u64(json, "seed", s->seed);
	json_u128(json, "targets", s->targets);
	json_text(json, "shard", shard);
	json_begin(json, "excluded");
	json_u128(json, "default", s->excluded_default);
	json_u128(json, "exclude", s->excluded_exclude);
	json_end(json);
	if (s->names) {
		json_begin(json, "names");
		json_u64(json, "given", s->names);
		json_u64(json, "failed", s->names_failed);
		json_end(json);
	}
}

void ctl_account_json(struct json *json, const struct ctl_plugin_account *plugin) {
	json_u64(json, "offered", plugin->offered);
	for (unsigned j = 0; j < LH_STATUS_COUNT; j++)
		json_u64(json, lh_status_names[statuses[j]], plugin->status[statuses[j]]);
}

static void json_plugins(struct json *json, const struct ctl_summary *s) {
	json_begin(json, "plugins");
	for (unsigned i = 0; i < s->nb_plugins; i++) {
		const struct ctl_plugin_account *plugin = &s->plugins[i];
		json_begin(json, plugin->name);
		ctl_account_json(json, plugin);
		json_double(json, "lane_cpu_s", plugin->lane_cpu_s, 3);
		json_u64(json, "spilled", plugin->spilled);
		json_u64(json, "deaths", plugin->deaths);
		json_bool(json, "quarantined", plugin->quarantined);
		json_end(json);
	}
	json_end(json);
}

static void json_coverage(struct json *json, const struct ctl_summary *s) {
	if (!s->has_coverage) {
		json_null(json, "coverage");
		return;
	}
	json_begin(json, "coverage");
	json_double(json, "estimate", s->coverage.estimate, 6);
	json_double(json, "low", s->coverage.low, 6);
	json_double(json, "high", s->coverage.high, 6);
	json_end(json);
}

static void json_answers(struct json *json, const struct ctl_summary *s) {
	const struct dp_stats *t = &s->stats;

	json_u64(json, "probes_sent", t->probes_sent);
	json_begin(json, "responses");
	for (unsigned i = 0; i < DP_RESPONSE_COUNT; i++)
		if (shows_response(s, i))
			json_u64(json, dp_response_name(i), t->responses[i]);
	json_end(json);
	json_u64(json, "validated", ctl_summary_validated(s));
	json_u64(json, "rejected", t->rejected);
	json_u64(json, "duplicates", s->duplicates);
	json_u128(json, "no_answer", ctl_summary_no_answer(s));
	json_text(json, "no_answer_means", s->type->silence);
	json_counters(json, "lost", s, lost_counters, COUNT(lost_counters));
	json_u64(json, "results", s->results);
	json_plugins(json, s);
	json_double(json, "rate_pps", s->rate_pps, 1);
	json_double(json, "elapsed_s", s->elapsed_s, 3);
	json_coverage(json, s);
	json_bool(json, "complete", s->complete);
}

/* More than the interface promises: where every counter ends up. */
static void json_details(struct json *json, const struct ctl_summary *s) {
	const struct dp_stats *t = &s->stats;

	json_bool(json, "interrupted", s->interrupted);
	if (s->resumed)
		json_u64(json, "resumed", s->resumed);
	if (s->at_least_once)
		json_text(json, "at_least_once", s->at_least_once);
	if (s->checkpoints_failed)
		json_u64(json, "checkpoints_failed", s->checkpoints_failed);
	if (ctl_summary_ended_by(s))
		json_text(json, "ended_by", ctl_summary_ended_by(s));
	json_u64(json, "probes", s->probes);
	if (s->no_coverage)
		json_text(json, "no_coverage", s->no_coverage);
	for (unsigned i = 0; i < DP_STATE_COUNT; i++)
		json_u64(json, dp_state_name(i), s->states[i]);
	json_u64(json, "hidden", s->hidden);
	if (ctl_summary_filtered(s))
		json_u64(json, "filtered_out", ctl_summary_filtered(s));
	if (s->undecided)
		json_u64(json, "filter_undecided", s->undecided);
	if (s->surplus)
		json_u64(json, "surplus", s->surplus);
	if (s->excluded_running || t->probes_excluded) {
		json_begin(json, "excluded_running");
		json_u64(json, "addresses", s->excluded_running);
		json_u64(json, "probes", t->probes_excluded);
		json_end(json);
	}
	json_begin(json, "dedup");
	json_text(json, "kind", s->dedup_exact ? "exact" : "window");
	json_u64(json, "capacity", s->dedup_capacity);
	json_u64(json, "evicted", s->dedup_evicted);
	json_end(json);
	json_u64(json, "tx_bytes", t->tx_bytes);
	json_u64(json, "replies_sent", t->replies_sent);
	json_u64(json, "rx_frames", t->rx_frames);
	json_counters(json, "ignored", s, ignored_counters, COUNT(ignored_counters));
	json_begin(json, "arp");
	json_u64(json, "sent", t->arp_sent);
	json_u64(json, "unresolved", t->probes_unresolved);
	json_end(json);
	json_double(json, "sending_s", (double)t->sending_ns / 1e9, 6);
	json_double(json, "throttled_s", (double)t->throttled_ns / 1e9, 6);
	if (t->single_probes || t->single_answers) {
		json_begin(json, "single");
		json_u64(json, "probes", t->single_probes);
		json_u64(json, "answers", t->single_answers);
		json_end(json);
	}
	if (total_of(s, exception_counters, COUNT(exception_counters)))
		json_counters(json, "exception", s, exception_counters, COUNT(exception_counters));
	if (t->banners || t->zero_window || t->banner_mss) {
		json_begin(json, "banner");
		json_u64(json, "segments", t->banners);
		json_u64(json, "too_long", t->banner_mss);
		json_u64(json, "zero_window", t->zero_window);
		json_end(json);
	}
	if (!t->sim_probes)
		return;
	json_begin(json, "sim");
	json_u64(json, "probes", t->sim_probes);
	json_u64(json, "lost", t->sim_lost);
	json_u64(json, "bad", t->sim_bad);
	json_end(json);
}

int ctl_summary_json(const struct ctl_summary *summary, FILE *out) {
	struct json json = {.out = out};

	json_begin(&json, NULL);
	json_plan(&json, summary);
	json_answers(&json, summary);
	json_details(&json, summary);
	json_end(&json);
	putc('\n', out);
	return fflush(out) || ferror(out) ? -EIO : 0;
}
