/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control core: the main thread while a scan runs. It drains the packet path's rings,
 * de-duplicates, hands results to the writer thread and keeps the account. It owns the engine, the
 * dedup structure and the counters of this file, and makes no blocking call until sending and
 * cooldown are over.
 */
#include "archive.h"
#include "checkpoint.h"
#include "clock.h"
#include "console.h"
#include "coverage.h"
#include "dedup.h"
#include "filter.h"
#include "human.h"
#include "journal.h"
#include "keeper.h"
#include "names.h"
#include "notify.h"
#include "output.h"
#include "pipeline.h"
#include "plan.h"
#include "plugin_run.h"
#include "privilege.h"
#include "progress.h"
#include "reload.h"
#include "run.h"
#include "saver.h"
#include "status.h"
#include "telemetry.h"
#include "version.h"
#include "watch.h"
#include "web.h"
#include "writer.h"

#include <dp/nap.h>
#include <dp/secret.h>
#include <dp/telemetry.h>

#include <assert.h>
#include <errno.h>
#include <libgen.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
	BATCH = 256,
	MAX_FOLDERS = 2 + CTL_MAX_OUTPUTS, /* where files are made while a scan runs */
	TICK_NS = 100 * 1000 * 1000,
	DRAIN_LIMIT_NS = 2000 * 1000 * 1000,
	GRACE_NS = 1000 * 1000 * 1000,
	STALL_NS
	= 50 * 1000 * 1000, /* no turn takes this long, but for who was stopped meanwhile */
};

/* A result that waited for plugins when the scan was interrupted. */
struct resumed_result {
	struct result result;
	uint64_t segment;
	bool written; /* it is in an output, or left out */
};

struct run {
	const struct ctl_config *config;
	const atomic_int *interrupts, *reloads;
	struct dp_error *err;
	struct dp_plan plan;
	struct dp_key *key; /* of the cookies */
	struct dp_engine *engine;
	struct writer *writer;
	struct capture_source capture;
	struct dedup *dedup;
	struct coverage *coverage; /* NULL: not estimated */
	struct saver *saver; /* NULL: no checkpoints */
	struct journal *journal; /* likewise */
	uint64_t lines; /* that were in it when the scan went on */
	bool exact; /* an output has each result once, so that its lines say what answered */
	struct resumed_result *waiting; /* of the journal, by pair, until they are taken up */
	size_t nb_waiting;
	struct pair {
		dp_ip ip;
		uint32_t endpoint;
	} * left_out; /* of the journal: results that wait no more, and are in no output */
	size_t nb_left_out;
	struct dp_space *narrowed_before; /* what on_pre_scan left when the scan began; NULL: all */
	const struct checkpoint *resume; /* what is gone on from; NULL: the scan begins */
	struct checkpoint_counts before; /* what was counted then */
	char at_least_once[512]; /* names of outputs */
	struct reload *reload;
	int reloaded; /* SIGHUPs that were followed */
	uint64_t taken; /* results on their way or written: at most max_results */
	struct progress progress;
	struct console *console;
	struct status *status; /* NULL: no status records */
	struct notify notify; /* the service manager, if there is one */
	bool status_failed; /* and it was said */
	struct watch *watch; /* what others may see of the run; NULL: nobody looks */
	struct web *web; /* NULL: no [metrics] listen */
	struct telemetry telemetry;
	cpu_set_t cpus; /* that the process may use */
	struct ctl_summary summary, shown; /* the latter with what plugins have used so far */
	struct plugin_run *plugins; /* NULL: none */
	struct pipeline *pipeline; /* NULL: results go straight to the writer */
	struct archive *archive; /* NULL: nobody looks at results again */
	struct narrowed narrowed; /* by on_pre_scan */
	bool released; /* the first probe was allowed */
	bool closed; /* the scan is over: answers are no longer results */
	bool cooled; /* the last answers had their time */
	struct result held[BATCH]; /* results that the writer had no room for yet */
	unsigned nb_held, held_at;
	uint64_t started_ns, sending_ns, sent_ns; /* monotonic; 0: not yet */
	uint64_t behind_ns; /* when answers last had to wait for us or for the writer */
	uint64_t tick_ns;
	uint64_t turn_ns; /* when the latest turn of a loop began */
	uint64_t link_down_ns; /* since when a port's link is down; 0: all are up */
	unsigned idle; /* turns in a row without anything to do */
	uint64_t busy_ns; /* when there was something last */
	bool failed; /* err says why */
};

static double seconds(uint64_t ns) {
	return (double)ns / 1e9;
}

static bool deliver_held(struct run *run) {
	unsigned n = run->nb_held - run->held_at;

	if (n) {
		n = writer_put(run->writer, &run->held[run->held_at], n);
		run->held_at += n;
		run->summary.delivered += n;
	}
	return run->held_at == run->nb_held;
}

/* What a UDP service said, with a result that goes straight to the writer. */
static struct result_extra *own_banner(struct run *run, const struct dp_answer *answer) {
	struct result_extra *extra = calloc(1, sizeof *extra);
	const uint32_t most = run->config->banner_bytes;
	const uint32_t n = answer->banner_bytes < most ? answer->banner_bytes : most;
	uint8_t *banner = extra ? malloc(n) : NULL;

	if (!banner) {
		free(extra);
		dp_fail(run->err, false, -ENOMEM, "out of memory for banners");
		run->failed = true;
		return NULL;
	}
	extra->banner = memcpy(banner, answer->banner, n);
	extra->banner_bytes = n;
	return extra;
}

/* What a pair of (@proto, @port) is in the space. Without ports a host is found, whatever it answered to. */
static uint32_t endpoint_of(const struct run *run, enum dp_proto proto, uint16_t port) {
	const struct dp_scan_type *type = run->config->type;

	if (!type->has_ports)
		return 0;
	return type->nb_parts ? dp_endpoint(proto, port) : port;
}

static uint32_t answer_endpoint(const struct run *run, const struct dp_answer *answer) {
	return endpoint_of(run, (enum dp_proto)answer->proto, answer->port);
}

/*
 * It is not written, for good: a scan that goes on need not ask again. @waited: it may be in the journal as
 * a result that waits.
 */
static void leave_out(struct run *run, const struct dp_answer *answer, bool waited) {
	run->summary.filtered[answer->state]++;
	if (!run->journal)
		return;
	if (waited)
		journal_left_out(run->journal, answer->ip,
			dp_endpoint((enum dp_proto)answer->proto, answer->port));
	else
		journal_pair(run->journal, answer->ip, answer_endpoint(run, answer));
}

/* Whether a complete record is written. */
static bool passes(struct run *run, const struct result *result) {
	const struct filter *filter = run->config->filter;
	enum filter_verdict verdict;

	if (!filter || filter_is_early(filter))
		return true;
	verdict = filter_match(filter, result, true);
	/* What cannot be decided is not lost. */
	run->summary.undecided += verdict == FILTER_UNKNOWN;
	return verdict != FILTER_NO;
}

/* What plugins said to a record that nobody reads: it counts all the same. */
static void count_unwritten(struct run *run, const struct result_extra *extra) {
	struct ctl_summary *s = &run->summary;

	for (unsigned i = 0; extra && i < extra->nb_plugins; i++)
		for (unsigned k = 0; k < s->nb_plugins; k++)
			if (!strcmp(s->plugins[k].name, extra->plugins[i].name))
				s->plugins[k].filtered[extra->plugins[i].status]++;
}

/* Keep those of the finished results that are written. */
static void filter_held(struct run *run) {
	unsigned kept = 0;

	for (unsigned i = 0; i < run->nb_held; i++) {
		struct result *result = &run->held[i];

		if (passes(run, result)) {
			run->held[kept++] = *result;
			continue;
		}
		leave_out(run, &result->answer, true);
		count_unwritten(run, result->extra);
		result_extra_free(result->extra);
		run->taken--;
	}
	run->nb_held = kept;
}

static void hand_over(struct run *run, const struct dp_answer *answer) {
	struct result *result;

	run->taken++;
	if (run->pipeline) {
		pipeline_enter(run->pipeline, answer);
		return;
	}
	result = &run->held[run->nb_held++];
	*result = (struct result){.answer = *answer};
	/* The packet path takes its bytes back. */
	result->answer.banner = NULL;
	result->answer.banner_bytes = 0;
	if (run->config->banner && answer->banner_bytes)
		result->extra = own_banner(run, answer);
	if (passes(run, result))
		return;
	leave_out(run, answer, false);
	result_extra_free(result->extra);
	run->nb_held--;
	run->taken--;
}

static bool has_all_results(const struct run *run) {
	return run->config->max_results && run->taken >= run->config->max_results;
}

static bool is_hidden(const struct run *run, const struct dp_answer *answer) {
	return answer->state == DP_STATE_CLOSED && !run->config->include_closed;
}

/* Whether the answer alone tells that its record is not written. */
static bool is_filtered(const struct run *run, const struct dp_answer *answer) {
	const struct ctl_config *config = run->config;
	const struct result result = {.answer = *answer};

	if (config->open_only && answer->state != DP_STATE_OPEN && answer->state != DP_STATE_UP)
		return true;
	return config->filter && filter_match(config->filter, &result, false) == FILTER_NO;
}

static void take_state(struct run *run, const struct dp_answer *answer) {
	const uint32_t endpoint = answer_endpoint(run, answer);

	if (run->coverage)
		coverage_answer(run->coverage, answer->ip, endpoint, answer->pass);
	if (!dedup_first(run->dedup, answer->ip, endpoint)) {
		run->summary.duplicates++;
		return;
	}
	run->summary.unique++;
	run->summary.states[answer->state]++;
	if (is_hidden(run, answer)) {
		run->summary.hidden++;
	} else if (is_filtered(run, answer)) {
		leave_out(run, answer, false);
		return;
	} else if (has_all_results(run)) {
		run->summary.surplus++;
	} else {
		hand_over(run, answer);
		return;
	}
	if (run->journal)
		journal_pair(run->journal, answer->ip, endpoint);
}

static void take_answer(struct run *run, const struct dp_answer *answer) {
	switch ((enum dp_answer_kind)answer->kind) {
	case DP_ANSWER_STATE:
		if (!run->closed)
			take_state(run, answer);
		break;
	case DP_ANSWER_PROBE:
		if (run->plugins)
			plugin_run_probed(run->plugins, answer);
		break;
	case DP_ANSWER_BANNER:
		if (run->pipeline && !run->closed)
			pipeline_banner(run->pipeline, answer);
		break;
	}
}

/*
 * Of results that no output can be asked for, the journal knows whose they are: a resumed scan then
 * repeats fewer of them.
 */
static void note_held(struct run *run) {
	for (unsigned i = run->held_at; run->journal && !run->exact && i < run->nb_held; i++)
		journal_pair(run->journal, run->held[i].answer.ip,
			answer_endpoint(run, &run->held[i].answer));
}

/* Hand finished results to the writer, as far as it has room. */
static bool take_finished(struct run *run) {
	if (!deliver_held(run) || !run->pipeline)
		return false;
	run->held_at = 0;
	const unsigned taken = run->nb_held = pipeline_take(run->pipeline, run->held, BATCH);
	filter_held(run);
	note_held(run);
	deliver_held(run);
	return taken > 0;
}

/* Take one batch of answers as far as the results have somewhere to go. True where there was one. */
static bool take_answers(struct run *run, uint64_t now_ns) {
	struct dp_answer answer[BATCH];
	unsigned n;

	/* While the writer is behind, answers wait in the rings, and full rings slow the sending. */
	if (!deliver_held(run) || (run->pipeline && !pipeline_has_room(run->pipeline))
		|| (run->saver && !saver_has_room(run->saver))) {
		run->behind_ns = now_ns;
		return false;
	}
	n = dp_engine_collect(run->engine, answer, BATCH);
	if (n == BATCH)
		run->behind_ns = now_ns;
	run->nb_held = run->held_at = 0;
	for (unsigned i = 0; i < n; i++)
		take_answer(run, &answer[i]);
	note_held(run);
	deliver_held(run);
	return n > 0;
}

/* One turn of everything that goes from answers to outputs. True where something moved. */
static bool move_on(struct run *run, uint64_t now_ns) {
	bool any = take_answers(run, now_ns);

	if (!run->pipeline)
		return any;
	any |= pipeline_step(run->pipeline, now_ns);
	return take_finished(run) || any;
}

static const char *phase_name(const struct run *run, enum dp_phase phase) {
	if (phase == DP_PHASE_RESOLVING)
		return "resolving";
	if (phase == DP_PHASE_HELD || run->closed)
		return "plugins";
	if (run->link_down_ns)
		return "link down";
	if (run->sent_ns)
		return "cooldown";
	return dp_engine_is_paused(run->engine) ? "paused" : "scanning";
}

/* Of the scan, what came before a resumption included. */
static double elapsed_s(const struct run *run, uint64_t now_ns) {
	return seconds(now_ns - run->started_ns) + seconds(run->before.elapsed_ns);
}

static double runtime_left_s(const struct run *run, uint64_t now_ns) {
	return seconds(run->config->max_runtime_ns) - elapsed_s(run, now_ns);
}

static double remaining_s(const struct run *run, uint64_t now_ns) {
	const struct ctl_summary *s = &run->summary;
	const uint64_t done = ctl_summary_tried(s);
	const dp_u128 all = ctl_summary_transmissions(s);
	const dp_u128 left = all > done ? all - done : 0;
	double pps = dp_engine_rate(run->engine), sending_s;

	if (run->closed)
		return -1;
	if (run->sent_ns)
		return seconds(run->sent_ns + run->config->cooldown_ns) - seconds(now_ns);
	if (dp_engine_is_paused(run->engine))
		return -1;
	if (pps <= 0 && run->sending_ns && now_ns > run->sending_ns)
		pps = (double)(s->stats.probes_sent - run->before.stats.probes_sent)
			/ seconds(now_ns - run->sending_ns);
	if (pps <= 0 && !run->config->max_runtime_ns)
		return -1;
	sending_s = pps > 0 ? (double)left / pps : INFINITY;
	if (run->config->max_runtime_ns)
		sending_s = fmin(sending_s, fmax(0, runtime_left_s(run, now_ns)));
	return sending_s + seconds(run->config->cooldown_ns);
}

/* Where the results are that were taken and not handed over. */
static void count_waiting(struct run *run) {
	struct ctl_summary *s = &run->summary;

	s->finished = run->nb_held - run->held_at;
	if (!run->pipeline)
		return;
	s->finished += pipeline_finished(run->pipeline);
	s->waiting = pipeline_waiting(run->pipeline);
	s->awaiting_banner = pipeline_awaiting_banner(run->pipeline);
	for (unsigned i = 0; i < s->nb_plugins; i++)
		s->plugins[i].waiting = pipeline_at_plugin(run->pipeline, i);
}

static_assert(sizeof(struct dp_stats) % sizeof(uint64_t) == 0);

/* All of them are counts, or times that add up. */
static void add_before(struct dp_stats *stats, const struct dp_stats *before) {
	uint64_t now[sizeof *stats / sizeof(uint64_t)], then[sizeof *stats / sizeof(uint64_t)];

	memcpy(now, stats, sizeof now);
	memcpy(then, before, sizeof then);
	for (unsigned i = 0; i < sizeof now / sizeof *now; i++)
		now[i] += then[i];
	memcpy(stats, now, sizeof now);
}

static void update_summary(struct run *run, uint64_t now_ns) {
	struct ctl_summary *s = &run->summary;

	dp_engine_stats(run->engine, &s->stats);
	dp_engine_levels(run->engine, &s->levels);
	if (run->resume)
		add_before(&s->stats, &run->before.stats);
	s->results = writer_written(run->writer);
	count_waiting(run);
	s->elapsed_s = elapsed_s(run, now_ns);
	s->asked_pps = dp_engine_rate(run->engine);
	s->paused = dp_engine_is_paused(run->engine);
	s->remaining_s = remaining_s(run, now_ns);
	/* N probes have N - 1 gaps between them. */
	if (s->stats.sending_ns && s->stats.probes_sent > 1)
		s->rate_pps = (double)(s->stats.probes_sent - 1) / seconds(s->stats.sending_ns);
}

/*
 * For status records, and for those who ask: where one of them looks at this moment, they have the next one.
 * The scan is worth more than its records: it goes on without them, and says so once.
 */
static void put_status(struct run *run, const char *phase, uint64_t now_ns, bool force) {
	int rc;

	if (!run->status && !run->watch)
		return;
	run->shown = run->summary;
	if (run->plugins)
		plugin_run_add_stats(run->plugins, run->shown.plugins);
	if (run->watch)
		watch_publish(run->watch, &run->shown, phase, force);
	rc = status_put(run->status, &run->shown, phase, now_ns, force);
	if (!rc || run->status_failed)
		return;
	run->status_failed = true;
	progress_clear(&run->progress);
	fprintf(stderr, "prtip-dp: %s: %s; no more status records\n", run->config->status_file,
		strerror(-rc));
}

static void say(struct run *run, const char *text) {
	progress_clear(&run->progress);
	fprintf(stderr, "%s\n", text);
}

/* Probes wait while a link is down. */
static void watch_link(struct run *run, uint64_t now_ns) {
	const char *down = dp_engine_link_down(run->engine);
	char text[DP_PORT_NAME_BYTES + 80];

	if (!down == !run->link_down_ns)
		return;
	if (down)
		snprintf(text, sizeof text, "prtip-dp: the link of %s is down: probes wait for it",
			down);
	else
		snprintf(text, sizeof text, "prtip-dp: the link is up again, after %.1f s",
			seconds(now_ns - run->link_down_ns));
	run->link_down_ns = down ? now_ns : 0;
	if (!run->config->quiet)
		say(run, text);
}

/* To the service manager: a turn was made, and how far the scan is. */
static void notify_turn(struct run *run, const char *phase, uint64_t now_ns) {
	const struct ctl_summary *s = &run->summary;
	const dp_u128 all = ctl_summary_transmissions(s);
	const double left_s = remaining_s(run, now_ns);
	char text[160], sent[HUMAN_BYTES], results[HUMAN_BYTES], left[HUMAN_BYTES];

	if (run->sending_ns)
		notify_ready(&run->notify);
	notify_alive(&run->notify, now_ns);
	if (!notify_wants_status(&run->notify, now_ns))
		return;
	snprintf(text, sizeof text, "%s %.1f%%, %s probes sent, %s results, %s left", phase,
		all ? fmin(100, 100 * (double)ctl_summary_tried(s) / (double)all) : 100,
		human_short(s->stats.probes_sent, sent), human_short(s->results, results),
		left_s >= 0 ? human_clock(left_s, left) : "unknown time");
	notify_status(&run->notify, text);
}

static bool shows_progress(const struct run *run) {
	return !run->config->quiet && !run->config->json_status;
}

/* What is due ten times a second. */
static void tick(struct run *run, uint64_t now_ns, enum dp_phase phase) {
	bool spoke;

	if (now_ns - run->tick_ns < TICK_NS)
		return;
	run->tick_ns = now_ns;
	dp_engine_tick(run->engine);
	watch_link(run, now_ns);
	update_summary(run, now_ns);
	notify_turn(run, phase_name(run, phase), now_ns);
	spoke = console_step(run->console, phase_name(run, phase));
	if (spoke)
		update_summary(run, now_ns);
	put_status(run, phase_name(run, phase), now_ns, false);
	if (shows_progress(run))
		progress_show(&run->progress, &run->summary, phase_name(run, phase), now_ns,
			spoke && run->progress.terminal);
}

/* Answers come slowly if at all, and no plugin waits for what the control core brings it. */
static bool is_calm(const struct run *run) {
	const double pps = dp_engine_rate(run->engine);

	return (run->sent_ns || (pps > 0 && pps <= DP_NAP_CALM_PPS))
		&& !(run->plugins && pipeline_waiting(run->pipeline));
}

/* Nothing to do: give way, and sleep if there was nothing the last time either, so that those on the same CPU can work. */
static void rest(struct run *run) {
	const uint64_t now_ns = monotonic_ns();

	if (run->idle++ == 0) {
		run->busy_ns = now_ns;
		sched_yield();
	} else {
		nanosleep(&(struct timespec){.tv_nsec
				  = dp_nap_ns(now_ns - run->busy_ns, is_calm(run))},
			NULL);
	}
}

/*
 * True where nothing can be missing: every pair of this shard has answered, and given its banner; and
 * nobody counts how often it did.
 */
static bool all_answered(const struct run *run) {
	return !run->coverage && dedup_is_exact(run->dedup)
		&& run->summary.unique == run->summary.targets
		&& !(run->pipeline && pipeline_awaits_banners(run->pipeline));
}

static bool cooled_down(const struct run *run, uint64_t now_ns) {
	/* Answers that wait below us must not be cut off: the cooldown is one without a backlog. */
	uint64_t since_ns = run->behind_ns > run->sent_ns ? run->behind_ns : run->sent_ns;

	if (!run->sent_ns)
		return false;
	if (run->summary.stats.probes_sent == run->before.stats.probes_sent)
		return true;
	/* All that were wanted are there, but for banners that some still wait for. */
	if (has_all_results(run) && !(run->pipeline && pipeline_awaits_banners(run->pipeline)))
		return true;
	return now_ns - since_ns >= run->config->cooldown_ns || all_answered(run)
		|| atomic_load(run->interrupts) > 1;
}

static void watch_phase(struct run *run, enum dp_phase phase, uint64_t now_ns) {
	if (phase == DP_PHASE_SENDING && !run->sending_ns)
		run->sending_ns = now_ns;
	if (phase == DP_PHASE_SENT && !run->sent_ns) {
		run->sent_ns = now_ns;
		if (!run->sending_ns)
			run->sending_ns = now_ns;
		update_summary(run, now_ns);
	}
}

/*
 * How long nobody was at work since the turn before: SIGSTOP, a suspended machine, a host that gave its
 * CPUs to others. What came meanwhile waits below us, and no time that was given to others has passed for
 * them.
 */
static uint64_t stalled_ns(struct run *run, uint64_t now_ns) {
	uint64_t gap_ns = run->turn_ns ? now_ns - run->turn_ns : 0;

	run->turn_ns = now_ns;
	return gap_ns > STALL_NS ? gap_ns : 0;
}

static void say_stopping(struct run *run) {
	notify_stopping(&run->notify, "interrupted: late answers have their time");
	if (run->config->quiet)
		return;
	progress_clear(&run->progress);
	fprintf(stderr,
		"stopping: no more probes; late answers have %.3g s; once more to stop at once\n",
		(double)run->config->cooldown_ns / 1e9);
}

/* While probes are held: on_pre_scan of the plugins, then the probes of what they left. */
static void pre_scan(struct run *run) {
	if (!plugin_run_pre_scan(run->plugins, &run->narrowed))
		return;
	run->released = true;
	run->summary.targets
		= run->narrowed.space ? run->narrowed.slice.end - run->narrowed.slice.first : 0;
	if (!run->narrowed.space)
		dp_engine_stop_sending(run->engine);
	else if (dp_engine_release(run->engine, run->narrowed.space, run->narrowed.slice, NULL)) {
		dp_fail(run->err, false, -ENOMEM, "out of memory");
		run->failed = true;
	}
	if (run->saver
		&& saver_released(run->saver, run->narrowed.space, run->narrowed.slice,
			!run->narrowed.space, run->err))
		run->failed = true;
}

/* SIGHUP: what is new in the exclude files is not probed from now on. */
static void reload(struct run *run) {
	struct dp_error err;
	char text[sizeof err.text + 128], count[HUMAN_BYTES];
	const struct dp_ipset *all;
	uint64_t nb_new;

	run->reloaded = atomic_load(run->reloads);
	if (reload_read(run->reload, &all, &nb_new, &err)) {
		snprintf(text, sizeof text, "prtip-dp: SIGHUP: %s; exclusions stay as they are",
			err.text);
		say(run, text);
		return;
	}
	if (nb_new) {
		dp_engine_exclude(run->engine, all);
		if (run->plugins && plugin_run_exclude(run->plugins, all))
			say(run,
				"prtip-dp: SIGHUP: too many exclusions to tell the plugins; they "
				"may still reach those addresses");
		if (run->saver && saver_excluded(run->saver, all, &err)) {
			snprintf(text, sizeof text,
				"prtip-dp: SIGHUP: warning: checkpoints do not know of it: %s",
				err.text);
			say(run, text);
		}
	}
	run->summary.excluded_running += nb_new;
	snprintf(text, sizeof text, "prtip-dp: SIGHUP: %s more addresses excluded",
		human_count(nb_new, count));
	if (!run->config->quiet)
		say(run, text);
}

static void stop_sending(struct run *run, enum dp_phase phase) {
	dp_engine_stop_sending(run->engine);
	if (phase == DP_PHASE_HELD && !run->released)
		plugin_run_stop_pre_scan(run->plugins);
}

/* What the operator set as the end. */
static void watch_limits(struct run *run, enum dp_phase phase, uint64_t now_ns) {
	const bool late = run->config->max_runtime_ns && runtime_left_s(run, now_ns) <= 0;
	const bool sending = phase != DP_PHASE_SENT && phase != DP_PHASE_FAILED;

	if (run->summary.limit != CTL_LIMIT_NONE || run->summary.interrupted)
		return;
	if (has_all_results(run))
		run->summary.limit = CTL_LIMIT_RESULTS;
	else if (late && sending)
		run->summary.limit = CTL_LIMIT_RUNTIME;
	if (run->summary.limit != CTL_LIMIT_NONE)
		stop_sending(run, phase);
}

static bool is_ending(const struct run *run) {
	return run->summary.interrupted || run->summary.limit != CTL_LIMIT_NONE;
}

/* Until everything is sent and cooled down, or something failed. */
static void control_loop(struct run *run) {
	for (;;) {
		uint64_t now_ns = monotonic_ns(), stalled;
		enum dp_phase phase = dp_engine_phase(run->engine);
		const char *failure = writer_failure(run->writer);

		watch_phase(run, phase, now_ns);
		stalled = stalled_ns(run, now_ns);
		if (stalled)
			run->behind_ns = now_ns;
		if (stalled && run->saver)
			saver_stalled(run->saver, stalled);
		if (phase == DP_PHASE_FAILED) {
			dp_fail(run->err, false, -EIO, "%s", dp_engine_failure(run->engine));
			run->failed = true;
		} else if (failure) {
			dp_fail(run->err, false, -EIO, "%s", failure);
			run->failed = true;
		}
		if (atomic_load(run->interrupts) > 0 && !run->summary.interrupted) {
			run->summary.interrupted = true;
			stop_sending(run, phase);
			say_stopping(run);
		}
		if (atomic_load(run->reloads) != run->reloaded)
			reload(run);
		watch_limits(run, phase, now_ns);
		if (run->failed || cooled_down(run, now_ns)) {
			run->cooled = !run->failed && atomic_load(run->interrupts) < 2;
			return;
		}
		tick(run, now_ns, phase);
		if (run->saver)
			saver_step(run->saver, now_ns, deliver_held(run));
		if (phase == DP_PHASE_HELD && !run->released && !is_ending(run))
			pre_scan(run);
		if (move_on(run, now_ns))
			run->idle = 0;
		else
			rest(run);
	}
}

/* What is still in the rings, then what the writer has to take. */
static void drain(struct run *run) {
	uint64_t limit_ns = monotonic_ns() + DRAIN_LIMIT_NS;

	while (take_answers(run, 0) || !deliver_held(run) || take_finished(run)) {
		notify_alive(&run->notify, monotonic_ns());
		if (deliver_held(run))
			continue;
		if (writer_failure(run->writer) && monotonic_ns() > limit_ns)
			break;
		rest(run);
	}
}

static void say_still_waiting(struct run *run) {
	if (run->config->quiet)
		return;
	progress_clear(&run->progress);
	fprintf(stderr, "stopping: plugins have the rest of drain; once more to stop at once\n");
}

/* A turn of the loops after the scan. */
static void late_turn(struct run *run) {
	uint64_t now_ns = monotonic_ns();

	if (atomic_load(run->interrupts) > 0 && !run->summary.interrupted) {
		run->summary.interrupted = true;
		say_still_waiting(run);
	}
	if (atomic_load(run->reloads) != run->reloaded)
		reload(run);
	tick(run, now_ns, DP_PHASE_SENT);
	if (run->saver)
		saver_step(run->saver, now_ns, deliver_held(run));
	if (move_on(run, now_ns))
		run->idle = 0;
	else
		rest(run);
}

/* At the end of `drain` one plugin after the other is given up, and those behind it have a moment. */
static uint64_t give_up(struct run *run) {
	bool all = atomic_load(run->interrupts) > 1;

	pipeline_give_up(run->pipeline, all);
	return monotonic_ns() + GRACE_NS;
}

/* Results that wait for plugins have until the end of `drain`; then they are written without. */
static void drain_plugins(struct run *run) {
	uint64_t end_ns = monotonic_ns() + run->config->plugins.drain_ns;

	run->closed = true;
	pipeline_end_banners(run->pipeline);
	run->turn_ns = 0;
	while (pipeline_waiting(run->pipeline) || pipeline_finished(run->pipeline)
		|| !deliver_held(run)) {
		uint64_t now_ns = monotonic_ns();

		if (writer_failure(run->writer))
			return;
		end_ns += stalled_ns(run, now_ns);
		if (now_ns > end_ns || atomic_load(run->interrupts) > 1) {
			/* They go on with the scan: they are in the journal. */
			if (run->saver && run->summary.interrupted && deliver_held(run))
				return;
			end_ns = give_up(run);
		}
		late_turn(run);
	}
}

/* on_post_scan and export; the results are all in the archive. */
static void post_scan(struct run *run) {
	while (!run->failed && atomic_load(run->interrupts) < 2
		&& !plugin_run_post_scan(run->plugins, run->archive, run->writer)) {
		/* The writer thread has ended; the packet path goes on for single probes. */
		writer_pump(run->writer);
		late_turn(run);
	}
}

static void begin_summary(struct run *run) {
	const struct ctl_config *config = run->config;
	struct dp_slice slice = plan_slice(config);

	run->summary = (struct ctl_summary){
		.version = CTL_VERSION,
		.type = config->type,
		.seed = config->seed,
		.targets = slice.end - slice.first,
		.probes = config->probes,
		.passes = dp_engine_plan(run->engine)->passes,
		.shard = config->shard,
		.shards = config->shards,
		.excluded_default = config->excluded_default,
		.excluded_exclude = config->excluded_exclude,
		.names = names_count(config->names),
		.names_failed = names_failed(config->names),
		.dedup_exact = dedup_is_exact(run->dedup),
		.dedup_capacity = dedup_capacity(run->dedup),
	};
	if (!run->resume)
		return;
	run->before = run->resume->counts;
	run->summary.resumed = run->resume->resumed + 1;
	memcpy(run->summary.filtered, run->before.filtered, sizeof run->summary.filtered);
	run->summary.undecided = run->before.undecided;
	run->summary.unique
		= run->before.hidden + run->before.surplus + ctl_summary_filtered(&run->summary);
	run->summary.duplicates = run->before.duplicates;
	run->summary.hidden = run->before.hidden;
	run->summary.surplus = run->before.surplus;
	run->summary.excluded_running = run->before.excluded_running;
	/* Those that were written are counted as they are read. */
	memcpy(run->summary.states, run->before.filtered, sizeof run->summary.states);
	run->summary.states[DP_STATE_CLOSED] += run->before.hidden;
}

/* Every pair that answered is hidden, written or lost. */
static void account_results(struct run *run) {
	struct ctl_summary *s = &run->summary;

	s->results = writer_written(run->writer);
	s->waiting = run->pipeline
		? pipeline_waiting(run->pipeline) + pipeline_finished(run->pipeline)
		: 0;
	s->lost_results = s->unique - s->hidden - ctl_summary_filtered(s) - s->surplus - s->results
		- s->waiting;
}

/* Pairs that got fewer transmissions than others would make the estimate wrong. */
static void estimate_coverage(struct run *run) {
	struct ctl_summary *s = &run->summary;

	if (!run->coverage)
		return;
	if (!s->complete)
		s->no_coverage = "the scan did not run to its end";
	else if (s->stats.probes_excluded > s->stats.probes_sent / 100)
		s->no_coverage = "too much was excluded while running";
	else if (!coverage_estimate(run->coverage, &s->coverage))
		s->no_coverage = "nothing answered";
	s->has_coverage = !s->no_coverage;
}

/* Of probes that may have been lost no more were than stayed without an answer. */
static void cap_losses(struct ctl_summary *s) {
	dp_u128 most = ctl_summary_no_answer(s);

	if (s->stats.lost_link_down > most)
		s->stats.lost_link_down = (uint64_t)most;
	if (s->stats.lost_next_hop_moved > most)
		s->stats.lost_next_hop_moved = (uint64_t)most;
}

/* Where nothing is left, that is all there is to say. */
static bool is_over(const struct ctl_config *config) {
	if (!config->resume || !config->resume->complete)
		return false;
	if (!config->quiet)
		fprintf(stderr, "prtip-dp: %s: the scan is complete, there is nothing left to do\n",
			config->checkpoint);
	return true;
}

/* A manager that waits for the start would take an end without one for a failure. */
static int tell_over(struct dp_error *err) {
	struct notify notify;

	if (notify_open(&notify, err))
		return RUN_FAILED;
	notify_ready(&notify);
	notify_stopping(&notify, "the scan is complete, there is nothing left to do");
	notify_close(&notify);
	return RUN_COMPLETE;
}

static void end_summary(struct run *run) {
	struct ctl_summary *s = &run->summary;

	update_summary(run, monotonic_ns());
	cap_losses(s);
	account_results(run);
	s->dedup_evicted = run->before.dedup_evicted + dedup_evicted(run->dedup);
	/* The last of them may have come after all was sent, from what was on its way. */
	if (has_all_results(run) && !s->interrupted)
		s->limit = CTL_LIMIT_RESULTS;
	s->remaining_s = 0;
	s->complete = !run->failed && !is_ending(run);
	estimate_coverage(run);
}

/* Colours on a terminal, unless NO_COLOR is set to something (no-color.org). */
static bool color_on(int fd) {
	const char *no_color = getenv("NO_COLOR");

	return isatty(fd) && (!no_color || !no_color[0]);
}

static int exit_status(const struct run *run) {
	if (run->failed)
		return run->err->usage ? RUN_USAGE : RUN_FAILED;
	if (run->summary.interrupted)
		return RUN_INTERRUPTED;
	return ctl_summary_lost(&run->summary) ? RUN_LOSSES : RUN_COMPLETE;
}

static void note_failure(struct run *run, const struct dp_error *err) {
	if (run->failed)
		return;
	*run->err = *err;
	run->failed = true;
}

/* Until progress_end(). */
static void begin_writing(struct run *run) {
	if (shows_progress(run))
		progress_begin(&run->progress, "writing");
}

/* The packet path goes on while plugins may still want single probes. */
static void finish_results(struct run *run) {
	struct dp_error err;

	if (!run->plugins)
		dp_engine_stop(run->engine);
	drain(run);
	if (run->pipeline && !run->failed)
		drain_plugins(run);
	begin_writing(run);
	if (writer_drain(run->writer, &err))
		note_failure(run, &err);
	progress_end(&run->progress);
	/* What looks at all results waits for the end of a scan that will go on. */
	if (run->archive && !(run->saver && is_ending(run) && !has_all_results(run)))
		post_scan(run);
	/* From here on there are no more turns, and the manager counts the time to stop. */
	notify_ready(&run->notify);
	notify_stopping(&run->notify, "closing plugins and outputs");
	if (run->plugins)
		plugin_run_end(run->plugins, run->summary.plugins);
	dp_engine_stop(run->engine);
}

/* Nothing is left that another run could go on with. */
static bool is_done(const struct run *run) {
	return run->summary.complete || (run->summary.limit == CTL_LIMIT_RESULTS && !run->failed);
}

/* The last checkpoint, and what the user can do with it. */
static void end_saver(struct run *run) {
	const char *file = run->config->checkpoint;
	int rc;

	if (!run->saver)
		return;
	rc = saver_end(run->saver, monotonic_ns(), run->cooled);
	run->summary.checkpoints_failed = saver_failures(run->saver);
	if (run->config->quiet || is_done(run) || rc)
		return;
	progress_clear(&run->progress);
	fprintf(stderr, "checkpoint written; go on with: prtip-dp --resume %s\n", file);
}

/* The run's end: lcores, rings, plugins, writer, outputs, account. */
static void finish(struct run *run) {
	struct dp_error err;

	finish_results(run);
	if (!run->config->quiet)
		progress_clear(&run->progress);
	console_end(run->console);
	end_summary(run);
	begin_writing(run);
	end_saver(run);
	if (writer_finish(run->writer, &run->summary, &err)) {
		note_failure(run, &err);
		run->summary.complete = false;
	}
	/* Not before its outputs are whole: who is killed here finds nothing to send, but finishes them. */
	if (run->saver && is_done(run) && !run->failed)
		saver_complete(run->saver);
	/* An output that failed at its end has fewer than it took. */
	account_results(run);
	progress_end(&run->progress);
	put_status(run, "end", monotonic_ns(), true);
	if (shows_progress(run))
		ctl_summary_print(&run->summary, color_on(STDERR_FILENO), stderr);
	web_show_end(run->web, run->interrupts);
}

/* ---- A scan that goes on ---- */

static int take_pair(void *user, dp_ip ip, uint32_t endpoint) {
	struct run *run = user;

	dedup_first(run->dedup, ip, endpoint);
	return 0;
}

static int take_left_out(void *user, dp_ip ip, uint32_t endpoint) {
	struct run *run = user;
	const enum dp_proto proto = dp_endpoint_proto(endpoint);
	struct pair *more
		= reallocarray(run->left_out, run->nb_left_out + 1, sizeof *run->left_out);

	if (!more)
		return -ENOMEM;
	run->left_out = more;
	more[run->nb_left_out++] = (struct pair){ip, endpoint};
	return take_pair(user, ip, endpoint_of(run, proto, dp_endpoint_port(endpoint)));
}

static int take_waiting(void *user, const uint8_t *packed, uint32_t bytes) {
	struct run *run = user;
	struct resumed_result *more
		= reallocarray(run->waiting, run->nb_waiting + 1, sizeof *run->waiting);
	size_t taken;
	int rc;

	if (!more)
		return -ENOMEM;
	run->waiting = more;
	more = &more[run->nb_waiting];
	*more = (struct resumed_result){0};
	if (!run->pipeline)
		return -EBADMSG;
	rc = result_unpack(packed, bytes, pipeline_names(run->pipeline), &taken, &more->result);
	run->nb_waiting += !rc;
	return rc;
}

static int by_pair(const void *a, const void *b) {
	const struct dp_answer *x = &((const struct resumed_result *)a)->result.answer;
	const struct dp_answer *y = &((const struct resumed_result *)b)->result.answer;

	if (x->ip != y->ip)
		return x->ip > y->ip ? 1 : -1;
	if (x->port != y->port)
		return x->port > y->port ? 1 : -1;
	return (x->proto > y->proto) - (x->proto < y->proto);
}

static int read_segment(struct run *run, uint64_t number) {
	const struct journal_reader reader = {take_pair, take_waiting, run, take_left_out};
	const size_t before = run->nb_waiting;
	char *path = keeper_segment_path(run->config->checkpoint, number);
	uint8_t *body;
	size_t n;
	int rc;

	if (!path)
		return dp_fail(run->err, false, -ENOMEM, "out of memory");
	rc = checkpoint_read_segment(path, &body, &n, run->err);
	if (!rc) {
		rc = journal_read(body, n, &reader);
		free(body);
		if (rc)
			dp_fail(run->err, true, rc, "%s: %s", path,
				rc == -ENOMEM ? "out of memory" : "its entries make no sense");
	}
	for (size_t i = before; i < run->nb_waiting; i++)
		run->waiting[i].segment = number;
	free(path);
	return rc;
}

/* A result that is in an output, or left out, does not wait any more. */
static void strike(struct run *run, dp_ip ip, enum dp_proto proto, uint16_t port) {
	const struct resumed_result key
		= {.result.answer = {.ip = ip, .port = port, .proto = (uint8_t)proto}};
	struct resumed_result *found = run->nb_waiting
		? bsearch(&key, run->waiting, run->nb_waiting, sizeof key, by_pair)
		: NULL;

	if (found)
		found->written = true;
}

/* The journal, and what is in the one of the scan that goes on. */
static int open_journal(struct run *run) {
	const struct checkpoint *resume = run->resume;
	int rc = 0;

	if (!*run->config->checkpoint)
		return 0;
	if (journal_create(resume ? resume->next_segment : 0, &run->journal))
		return dp_fail(run->err, false, -ENOMEM, "out of memory");
	if (run->pipeline)
		pipeline_keep(run->pipeline, run->journal);
	for (unsigned i = 0; resume && !rc && i < resume->nb_segments; i++)
		rc = read_segment(run, resume->segments[i]);
	if (run->nb_waiting)
		qsort(run->waiting, run->nb_waiting, sizeof *run->waiting, by_pair);
	for (size_t i = 0; i < run->nb_left_out; i++)
		strike(run, run->left_out[i].ip, dp_endpoint_proto(run->left_out[i].endpoint),
			dp_endpoint_port(run->left_out[i].endpoint));
	return rc;
}

/* What a plugin said to a result that is in an output. */
static void take_status(void *user, const char *name, enum lh_status status) {
	struct run *run = user;

	for (unsigned i = 0; i < run->summary.nb_plugins; i++)
		if (!strcmp(run->summary.plugins[i].name, name)) {
			run->summary.plugins[i].offered++;
			run->summary.plugins[i].status[status]++;
		}
}

/* What waited goes through the plugins again. */
static void take_up_waiting(struct run *run) {
	for (unsigned i = 0; i < run->resume->nb_segments; i++) {
		const uint64_t number = run->resume->segments[i];
		uint64_t results = 0;

		for (size_t k = 0; k < run->nb_waiting; k++)
			results += run->waiting[k].segment == number && !run->waiting[k].written;
		journal_take_up(run->journal, number, results);
	}
	for (size_t i = 0; i < run->nb_waiting; i++) {
		struct resumed_result *waiting = &run->waiting[i];
		const struct dp_answer *answer = &waiting->result.answer;

		if (waiting->written) {
			result_extra_free(waiting->result.extra);
			continue;
		}
		dedup_first(run->dedup, answer->ip, answer_endpoint(run, answer));
		run->summary.unique++;
		run->summary.states[answer->state]++;
		run->taken++;
		pipeline_resume(run->pipeline, &waiting->result, waiting->segment);
	}
	free(run->waiting);
	run->waiting = NULL;
	run->nb_waiting = 0;
}

static void fill_points(const struct checkpoint *resume, struct sink_point *points) {
	for (unsigned i = 0; i < resume->nb_outputs; i++) {
		const struct checkpoint_output *output = &resume->outputs[i];

		points[i] = (struct sink_point){.regular = output->regular,
			.start = output->start,
			.end = output->end,
			.results = output->results};
		memcpy(points[i].digest, output->digest, sizeof points[i].digest);
	}
}

/* A result that is in an output already. */
static int take_line(void *user, const char *line, size_t bytes) {
	struct run *run = user;
	dp_ip ip;
	enum dp_proto proto;
	uint16_t port;
	uint8_t state;

	if (!output_ndjson_read(line, bytes, &ip, &port, &proto, &state))
		return -EBADMSG;
	/* Only a loss of power can leave lines without a row: they are made again. */
	if (run->archive && run->lines == archive_count(run->archive))
		return 1;
	run->lines++;
	strike(run, ip, proto, port);
	dedup_first(run->dedup, ip, endpoint_of(run, proto, port));
	run->summary.unique++;
	run->summary.states[state]++;
	return output_ndjson_plugins(line, bytes, take_status, run) ? 0 : -EBADMSG;
}

/* No output could be read back: what was counted holds, but for what waits. */
static void take_counts(struct run *run) {
	run->summary.unique += run->taken;
	memcpy(run->summary.states, run->before.states, sizeof run->summary.states);
	for (size_t i = 0; i < run->nb_waiting; i++)
		if (!run->waiting[i].written)
			run->summary.states[run->waiting[i].result.answer.state]--;
	for (unsigned i = 0; i < run->summary.nb_plugins; i++) {
		const struct checkpoint_plugin *plugin = &run->resume->plugins[i];

		run->summary.plugins[i].offered = plugin->offered;
		memcpy(run->summary.plugins[i].status, plugin->status, sizeof plugin->status);
	}
}

/* What plugins said to results that are in no output. */
static void take_unwritten(struct run *run) {
	for (unsigned i = 0; i < run->summary.nb_plugins; i++) {
		const struct checkpoint_plugin *plugin = &run->resume->plugins[i];

		for (unsigned k = 0; k < LH_STATUS_COUNT; k++) {
			run->summary.plugins[i].offered += plugin->filtered[k];
			run->summary.plugins[i].status[k] += plugin->filtered[k];
		}
	}
}

/* What is known of the results now, and which outputs may repeat some. */
static void take_resumed(struct run *run, const struct ctl_output_spec *outputs) {
	for (unsigned i = 0; i < writer_outputs(run->writer); i++) {
		size_t used = strlen(run->at_least_once);

		if (writer_is_once(run->writer, i) || writer_is_exact(run->writer, i))
			continue;
		snprintf(run->at_least_once + used, sizeof run->at_least_once - used, "%s%s",
			used ? ", " : "", outputs[i].format);
	}
	run->taken = run->summary.delivered = writer_written(run->writer);
	if (!run->exact)
		take_counts(run);
	else
		take_unwritten(run);
	for (unsigned i = 0; i < run->summary.nb_plugins; i++) {
		const struct checkpoint_plugin *plugin = &run->resume->plugins[i];

		memcpy(run->summary.plugins[i].filtered, plugin->filtered, sizeof plugin->filtered);
		run->summary.plugins[i].spilled += plugin->spilled;
		run->summary.plugins[i].deaths += plugin->deaths;
		run->summary.plugins[i].lane_cpu_s += (double)plugin->lane_cpu_us / 1e6;
	}
	if (run->archive)
		archive_cut(run->archive, run->exact ? run->lines : run->taken);
	take_up_waiting(run);
	if (*run->at_least_once)
		run->summary.at_least_once = run->at_least_once;
}

static int open_writer(struct run *run) {
	const struct ctl_config *config = run->config;
	const bool terminal = isatty(STDOUT_FILENO);
	const struct ctl_output_spec standard
		= {.format = terminal ? "table" : "ndjson", .path = "-"};
	struct writer_params params = {
		.outputs = config->nb_outputs ? config->outputs : &standard,
		.nb_outputs = config->nb_outputs ? config->nb_outputs : 1,
		.plugins = config->plugins.enabled,
		.nb_plugins = config->plugins.nb_enabled,
		.archive = run->archive,
		.file_mode = config->file_mode,
		.config = config,
		.color = color_on(STDOUT_FILENO),
		.capture = &run->capture,
		.track = *config->checkpoint,
		.rotation = {config->rotate_bytes, config->rotate_ns},
	};
	struct sink_point points[CTL_MAX_OUTPUTS];
	int rc;

	run->capture = (struct capture_source){
		.engine = run->engine,
		.read = dp_engine_capture,
		.plan = dp_engine_plan(run->engine),
	};
	if (run->resume) {
		if (run->resume->nb_outputs != params.nb_outputs)
			return dp_fail(run->err, true, -EINVAL,
				"%s: it has %u outputs, and the scan %u", config->checkpoint,
				run->resume->nb_outputs, params.nb_outputs);
		fill_points(run->resume, points);
		params.resume = points;
		params.results = run->before.unique - run->before.hidden - run->before.surplus
			- ctl_summary_filtered(&run->summary) - run->before.waiting;
		params.on_line = take_line;
		params.user = run;
	}
	rc = writer_create(&params, &run->writer, run->err);
	for (unsigned i = 0; !rc && i < params.nb_outputs; i++)
		run->exact |= writer_is_exact(run->writer, i);
	if (!rc && run->resume)
		take_resumed(run, params.outputs);
	return rc;
}

/*
 * Threads inherit the CPUs of the one that starts them; those that write get the process's but for
 * the packet lcores'. Returns those that this thread had.
 */
static cpu_set_t leave_packet_cpus(const struct run *run) {
	const struct dp_plan *plan = dp_engine_plan(run->engine);
	cpu_set_t before, cpus = run->cpus;

	for (unsigned port = 0; port < plan->nb_ports; port++)
		for (unsigned i = 0; i < plan->ports[port].nb_workers; i++)
			CPU_CLR(plan->ports[port].worker_cpu[i], &cpus);
	sched_getaffinity(0, sizeof(before), &before);
	if (CPU_COUNT(&cpus))
		sched_setaffinity(0, sizeof(cpus), &cpus);
	return before;
}

static void print_start(const struct run *run) {
	plan_print_start(run->config, dp_engine_plan(run->engine), stderr);
	if (run->plugins)
		plugin_run_print(run->plugins, stderr);
	web_print(run->web, stderr);
	telemetry_print(run->config, stderr);
}

/* What stands between the packet path and the writer where there are plugins or banners. */
static int open_pipeline(struct run *run) {
	const struct ctl_config *config = run->config;
	int rc;

	run->summary.nb_plugins = config->plugins.nb_enabled;
	/* What UDP services say comes with the answer: it does not have to be waited for. */
	if (!run->plugins && !config->fingerprints
		&& !(config->banner && config->type->proto == DP_PROTO_TCP))
		return 0;
	rc = pipeline_create(config, plugin_run_host(run->plugins), run->summary.plugins,
		&run->pipeline, run->err);
	if (rc || !run->plugins)
		return rc;
	plugin_run_attach(run->plugins, run->engine, run->pipeline);
	if (!plugin_run_wants_results(run->plugins))
		return 0;
	if (*config->checkpoint)
		return archive_create_kept(config->checkpoint, run->resume && run->resume->archived,
			pipeline_names(run->pipeline), &run->archive, run->err);
	return archive_create(
		config->plugins.spill_dir, pipeline_names(run->pipeline), &run->archive, run->err);
}

/* Those who ask from outside. First of all that is opened: a port that is taken costs no file its content. */
static int open_metrics(struct run *run) {
	const struct ctl_config *config = run->config;

	if (!config->listen.on && !config->telemetry)
		return 0;
	if (watch_create(&run->watch))
		return dp_fail(run->err, false, -ENOMEM, "out of memory");
	return web_open(config, run->watch, &run->web, run->err);
}

/* They have the first copy from the start. */
static int start_metrics(struct run *run) {
	int rc;

	run->started_ns = monotonic_ns();
	update_summary(run, run->started_ns);
	put_status(run, phase_name(run, dp_engine_phase(run->engine)), run->started_ns, true);
	run->telemetry = (struct telemetry){run->config, run->watch};
	rc = telemetry_begin(&run->telemetry, run->err);
	return rc ? rc : web_start(run->web, run->err);
}

/* Who may change the rate, ask and stop while it runs. */
static int open_console(struct run *run, const struct run_signals *signals) {
	const struct console_view view = {.config = run->config,
		.engine = run->engine,
		.progress = &run->progress,
		.summary = &run->summary,
		.status = run->status,
		.state_asks = signals->state_asks,
		.rate_asks = signals->rate_asks};

	return console_create(&view, &run->console, run->err);
}

/* What looks on while answers come. */
static int open_watchers(struct run *run) {
	const struct ctl_config *config = run->config;
	const bool repeats = config->probes > 1;
	int rc = reload_create(config, &run->reload);

	if (repeats)
		run->summary.no_coverage = plan_no_coverage(config, dp_engine_plan(run->engine));
	if (!rc && repeats && !run->summary.no_coverage)
		rc = coverage_create(config->probes, config->seed, &run->coverage);
	return rc ? dp_fail(run->err, false, rc, "out of memory") : 0;
}

/* The folder of a file, to be freed; NULL: no memory. */
static char *folder_of(const char *file) {
	char *path = strdup(file), *folder = path ? strdup(dirname(path)) : NULL;

	free(path);
	return folder;
}

/* Where files are made while the scan runs: a checkpoint's first, then those of rotated outputs. */
static int late_folders(const struct run *run, char **folders, unsigned *nb) {
	const struct ctl_config *config = run->config;
	const bool rotates = config->rotate_bytes || config->rotate_ns;
	int rc = 0;

	*nb = 0;
	if (*config->checkpoint)
		folders[(*nb)++] = folder_of(config->checkpoint);
	for (unsigned i = 0; rotates && i < config->nb_outputs; i++)
		if (strcmp(config->outputs[i].path, "-"))
			folders[(*nb)++] = folder_of(config->outputs[i].path);
	for (unsigned i = 0; i < *nb; i++)
		if (!folders[i])
			rc = -ENOMEM;
	return rc;
}

/*
 * After this only what is open can be used, and root is a user like others. Before the writer thread,
 * so that all of the threads that are made later inherit it.
 */
static int drop_privileges(struct run *run) {
	char *folders[MAX_FOLDERS];
	unsigned nb_folders, nb_all;
	struct dp_error warning;
	const char *report;
	int rc = late_folders(run, folders, &nb_folders);

	nb_all = nb_folders;
	if (!rc && run->config->telemetry) /* DPDK removes its socket at the end */
		rc = (folders[nb_all++] = strdup(dp_telemetry_folder())) ? 0 : -ENOMEM;
	if (rc)
		dp_fail(run->err, false, rc, "out of memory");
	else
		rc = privilege_drop(dp_engine_capabilities(run->engine),
			(const char *const *)folders, nb_all, &report, run->err);
	for (unsigned i = 0; !rc && i < nb_folders; i++)
		rc = privilege_check_folder(
			i == 0 && *run->config->checkpoint ? "checkpoints" : "rotated outputs",
			folders[i], run->err);
	for (unsigned i = 0; i < nb_all; i++)
		free(folders[i]);
	if (!rc && run->plugins)
		rc = plugin_run_check_folders(run->plugins, run->err);
	if (rc || run->config->quiet)
		return rc;
	if (report)
		fprintf(stderr, "prtip-dp: warning: %s\n", report);
	if (reload_check(run->reload, &warning))
		fprintf(stderr, "prtip-dp: warning: %s\n", warning.text);
	return 0;
}

/* Checkpoints, from before the first probe on. */
static int open_saver(struct run *run) {
	const struct saver_view view = {.config = run->config,
		.key = run->key,
		.engine = run->engine,
		.writer = run->writer,
		.coverage = run->coverage,
		.journal = run->journal,
		.pipeline = run->pipeline,
		.archive = run->archive,
		.summary = &run->summary};
	int rc = 0;

	if (!*run->config->checkpoint)
		return 0;
	rc = saver_create(&view, &run->saver, run->err);
	if (!rc && run->coverage && run->resume
		&& coverage_restore(run->coverage, &run->resume->coverage))
		rc = dp_fail(run->err, true, -EBADMSG, "%s: its sample for the coverage is none",
			run->config->checkpoint);
	return rc;
}

static int begin_saver(struct run *run) {
	const struct checkpoint *resume = run->resume;
	int rc = 0;

	if (!run->saver)
		return 0;
	if (run->released)
		rc = saver_released(run->saver, run->narrowed_before,
			resume ? (struct dp_slice){resume->first, resume->end}
			       : plan_slice(run->config),
			resume && resume->none, run->err);
	return rc ? rc : saver_begin(run->saver, run->err);
}

/* A scan that was narrowed goes on with what on_pre_scan left then; it is not asked again. */
static int release_narrowed(struct run *run) {
	const struct checkpoint *resume = run->resume;
	char *path;
	int rc;

	if (!resume || !resume->narrowed)
		return 0;
	if (asprintf(&path, "%s.narrowed", run->config->checkpoint) < 0)
		return dp_fail(run->err, false, -ENOMEM, "out of memory");
	rc = checkpoint_read_space(path, resume->narrowed_digest, &run->narrowed_before, run->err);
	free(path);
	if (!rc && resume->end > dp_space_count(run->narrowed_before))
		rc = dp_fail(run->err, true, -EBADMSG, "%s: its counters are not of its addresses",
			run->config->checkpoint);
	if (!rc
		&& dp_engine_release(run->engine, run->narrowed_before,
			(struct dp_slice){resume->first, resume->end}, &resume->left))
		rc = dp_fail(run->err, false, -ENOMEM, "out of memory");
	if (!rc)
		run->summary.targets = resume->end - resume->first;
	return rc;
}

/* What SIGHUP took out before is out again. */
static int restore_excluded(struct run *run) {
	const struct checkpoint *resume = run->resume;
	const struct dp_ipset *all;

	if (!resume || !resume->nb_excluded)
		return 0;
	if (reload_restore(run->reload, resume->excluded, resume->nb_excluded, &all))
		return dp_fail(run->err, false, -ENOMEM, "out of memory");
	dp_engine_exclude(run->engine, all);
	if (run->plugins && plugin_run_exclude(run->plugins, all))
		return dp_fail(run->err, false, -E2BIG,
			"%s: too many exclusions to tell the plugins", run->config->checkpoint);
	return 0;
}

/* The checkpoint has to be of such a scan, on this machine or another. */
static int check_resume(struct run *run) {
	const struct checkpoint *resume = run->resume;
	const struct ctl_plugins *plugins = &run->config->plugins;
	const unsigned passes = dp_engine_plan(run->engine)->passes;

	if (!resume)
		return 0;
	if (resume->passes != passes)
		return dp_fail(run->err, true, -EINVAL,
			"%s: it has up to %u transmissions of a pair, and the scan %u",
			run->config->checkpoint, resume->passes, passes);
	for (unsigned i = 0; i < plugins->nb_enabled; i++)
		if (i >= resume->nb_plugins
			|| strcmp(resume->plugins[i].name, plugins->enabled[i]->name)
			|| strcmp(resume->plugins[i].version, plugins->enabled[i]->version))
			return dp_fail(run->err, true, -EINVAL,
				"%s: the plugin %s has version %s, and the scan was begun with "
				"another",
				run->config->checkpoint, plugins->enabled[i]->name,
				plugins->enabled[i]->version);
	return 0;
}

/* Those that nobody took up, as the run did not begin. */
static void free_waiting(struct run *run) {
	for (size_t i = 0; i < run->nb_waiting; i++)
		result_extra_free(run->waiting[i].result.extra);
	free(run->waiting);
	free(run->left_out);
}

static void free_held(struct run *run) {
	for (; run->held_at < run->nb_held; run->held_at++)
		result_extra_free(run->held[run->held_at].extra);
}

int run_scan(
	const struct ctl_config *config, const struct run_signals *signals, struct dp_error *err) {
	struct run *run;
	struct dp_params params;
	cpu_set_t cpus;
	int rc, status = RUN_FAILED;

	if (is_over(config))
		return tell_over(err);
	run = calloc(1, sizeof(*run));
	if (!run) {
		dp_fail(err, false, -ENOMEM, "out of memory");
		return RUN_FAILED;
	}
	run->config = config;
	run->resume = config->resume;
	run->interrupts = signals->interrupts;
	run->reloads = signals->reloads;
	run->err = err;
	run->failed = true; /* until it can start */
	run->notify.fd = -1;
	if (plan_params(config, &params, err) || dp_plan_make(&params, &run->plan, err))
		goto free_run;
	if (plan_dedup(config, &run->dedup, err) || privilege_begin(err))
		goto destroy_dedup;
	sched_getaffinity(0, sizeof(run->cpus), &run->cpus); /* before EAL pins this thread */
	progress_init(&run->progress, STDERR_FILENO, config->status_interval_ns);
	/* Forked while this process is small, has one thread and holds no device. */
	if (plugin_run_create(config, &run->plan, &run->cpus, signals->interrupts, &run->progress,
		    &run->plugins, err))
		goto destroy_dedup;
	if (notify_open(&run->notify, err))
		goto destroy_plugins;
	if (shows_progress(run) && !config->verbose)
		progress_begin(&run->progress, "starting");
	run->released = run->resume && run->resume->begun ? true
							  : !plugin_run_wants_targets(run->plugins);
	params.hold = !run->released || (run->resume && run->resume->narrowed);
	run->key = dp_secret_alloc(sizeof(*run->key));
	rc = run->key ? plan_key(config, run->key, err)
		      : dp_fail(err, false, -ENOMEM, "no memory for the cookie key");
	if (rc)
		goto destroy_plugins;
	params.key = *run->key;
	rc = dp_engine_create(&params, &run->plan, &run->engine, err);
	explicit_bzero(&params.key, sizeof(params.key));
	if (rc)
		goto destroy_plugins;
	begin_summary(run);
	if (run->plugins && plugin_run_ready(run->plugins, err))
		goto destroy_engine;
	cpus = leave_packet_cpus(run);
	/* After the port, so that one that cannot start costs no file its content. */
	rc = check_resume(run);
	if (!rc)
		rc = open_metrics(run);
	if (!rc)
		rc = release_narrowed(run);
	if (!rc)
		rc = open_watchers(run);
	if (!rc)
		rc = restore_excluded(run);
	if (!rc)
		rc = open_pipeline(run);
	if (!rc)
		rc = open_journal(run);
	if (!rc)
		rc = open_writer(run);
	if (!rc)
		rc = status_create(config, &run->status, err);
	if (!rc)
		rc = open_console(run, signals);
	if (!rc)
		rc = open_saver(run);
	if (!rc)
		rc = writer_begin(run->writer, err);
	if (!rc)
		rc = begin_saver(run);
	progress_end(&run->progress);
	/* Whoever fails so far removes what it made; from here on nobody can. */
	if (!rc)
		rc = drop_privileges(run);
	if (!rc)
		rc = saver_start(run->saver, err);
	if (!rc)
		rc = writer_start(run->writer, err);
	if (!rc)
		rc = start_metrics(run);
	sched_setaffinity(0, sizeof(cpus), &cpus);
	if (rc)
		goto destroy_writer;
	if (!config->quiet)
		print_start(run);
	if (console_start(run->console))
		fprintf(stderr, "press ? for the keys\n");
	run->started_ns = monotonic_ns();
	if (dp_engine_start(run->engine, err))
		goto destroy_writer;
	run->failed = false;
	control_loop(run);
	finish(run);

destroy_writer:
	/* Nobody looks at what goes now. */
	web_destroy(run->web);
	telemetry_end();
	watch_destroy(run->watch);
	free_held(run);
	console_destroy(run->console);
	saver_destroy(run->saver);
	writer_destroy(run->writer);
	status_destroy(run->status);
	/* on_unload is called after a failed scan too. */
	if (run->plugins)
		plugin_run_end(run->plugins, run->summary.plugins);
	archive_destroy(run->archive);
	pipeline_destroy(run->pipeline);
	journal_destroy(run->journal);
	free_waiting(run);
destroy_engine:
	dp_engine_destroy(run->engine);
	coverage_destroy(run->coverage);
	reload_destroy(run->reload);
destroy_plugins:
	plugin_run_destroy(run->plugins);
destroy_dedup:
	progress_end(&run->progress);
	dp_space_destroy(run->narrowed_before);
	dedup_destroy(run->dedup);
free_run:
	notify_close(&run->notify);
	dp_secret_free(run->key, sizeof(*run->key));
	status = exit_status(run);
	free(run);
	return status;
}
