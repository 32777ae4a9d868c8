/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is asked of a running scan. Control core; owns the control socket and the terminal's mode.
 */
#include "command.h"
#include "console.h"
#include "human.h"
#include "json.h"
#include "keys.h"
#include "remote.h"
#include "status.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	KEYS = 32, /* in a step */
};

static const double least_pps = 0.001, most_pps = 10e9; /* as for [scan] rate */

struct console {
	struct console_view view;
	struct remote *remote; /* NULL: none */
	bool keys;
	int state_asked, rate_asked; /* signals that were followed */
	const char *phase;
	bool spoke; /* something was printed in this step */
	bool stopped; /* by a command */
};

static void say(struct console *console, const char *text) {
	progress_clear(console->view.progress);
	fprintf(stderr, "%s\n", text);
	console->spoke = true;
}

/* For those who asked; with --json-status the record that they read anyhow. */
static void say_state(struct console *console) {
	const struct console_view *view = &console->view;

	progress_clear(view->progress);
	console->spoke = true;
	if (view->config->json_status)
		status_put(view->status, view->summary, console->phase, 0, true);
	else
		ctl_summary_print_state(view->summary, console->phase, stderr);
}

static void say_rate(struct console *console, double before) {
	const struct dp_engine *engine = console->view.engine;
	const double pps = dp_engine_rate(engine);
	char now[HUMAN_BYTES], then[HUMAN_BYTES], text[160];

	snprintf(text, sizeof text, "rate %s, before %s%s",
		pps > 0 ? human_rate(pps, now) : "unlimited",
		before > 0 ? human_rate(before, then) : "unlimited",
		dp_engine_is_paused(engine) ? "; paused" : "");
	say(console, text);
}

/* What a factor makes of the rate; of an unlimited one what it has come to so far is taken. */
static double scaled(const struct console *console, double factor) {
	double pps = dp_engine_rate(console->view.engine);

	if (pps <= 0 && factor >= 1)
		return 0;
	if (pps <= 0)
		pps = console->view.summary->rate_pps;
	if (!(pps > 0))
		return 0;
	return fmin(fmax(pps * factor, least_pps), most_pps);
}

static void set_rate(struct console *console, const struct command *command) {
	struct dp_engine *engine = console->view.engine;
	double pps = command->rate.pps;

	if (command->factor > 0)
		pps = scaled(console, command->factor);
	else if (command->rate.bps > 0)
		pps = command->rate.bps / dp_engine_plan(engine)->wire_bits;
	dp_engine_set_rate(engine, pps);
}

static void stop(struct console *console) {
	/* A second one from there would end the cooldown, as it does from the keyboard. */
	if (!console->stopped)
		raise(SIGINT);
	console->stopped = true;
}

static void act(struct console *console, const struct command *command) {
	struct dp_engine *engine = console->view.engine;

	switch (command->kind) {
	case COMMAND_RATE:
		if (command->given)
			set_rate(console, command);
		break;
	case COMMAND_PAUSE:
	case COMMAND_RESUME:
		dp_engine_pause(engine, command->kind == COMMAND_PAUSE);
		break;
	case COMMAND_TOGGLE:
		dp_engine_pause(engine, !dp_engine_is_paused(engine));
		break;
	case COMMAND_STOP:
		stop(console);
		break;
	case COMMAND_STATUS:
	case COMMAND_KEYS:
		break;
	}
}

/* ---- Signals and keys ---- */

/* SIGUSR2: the rate that the configuration file has now. */
static void read_rate_again(struct console *console) {
	struct command command = {.kind = COMMAND_RATE, .given = true};
	const double before = dp_engine_rate(console->view.engine);
	struct dp_error err;

	if (ctl_config_read_rate(console->view.config, &command.rate, &err)) {
		char text[sizeof err.text + 64];

		snprintf(text, sizeof text, "prtip-dp: SIGUSR2: %s; the rate stays as it is",
			err.text);
		say(console, text);
		return;
	}
	act(console, &command);
	if (!console->view.config->quiet)
		say_rate(console, before);
}

static void follow_signals(struct console *console) {
	const int state = atomic_load(console->view.state_asks);
	const int rate = atomic_load(console->view.rate_asks);

	if (state != console->state_asked)
		say_state(console);
	if (rate != console->rate_asked)
		read_rate_again(console);
	console->state_asked = state;
	console->rate_asked = rate;
}

/* True where it asked for the state. */
static bool follow_key(struct console *console, char key) {
	const struct command command = command_of_key(key);
	const double before = dp_engine_rate(console->view.engine);

	act(console, &command);
	if (command.kind == COMMAND_RATE)
		say_rate(console, before);
	else if (command.kind == COMMAND_TOGGLE)
		say(console,
			dp_engine_is_paused(console->view.engine) ? "paused; p goes on"
								  : "going on");
	else if (command.kind == COMMAND_KEYS)
		say(console, command_keys);
	return command.kind == COMMAND_STATUS;
}

static void follow_keys(struct console *console) {
	char keys[KEYS];
	unsigned n = keys_read(keys, sizeof keys);
	bool asked = false;

	for (unsigned i = 0; i < n; i++)
		asked |= follow_key(console, keys[i]);
	if (asked)
		say_state(console);
}

/* ---- The socket ---- */

static void put_error(struct json *json, const struct value_error *why) {
	char text[sizeof why->part + sizeof why->why + 8];

	snprintf(text, sizeof text, "%s: %s", why->part, why->why);
	json_bool(json, "ok", false);
	json_text(json, "error", text);
}

static void put_state(struct json *json, const struct console *console) {
	const double pps = dp_engine_rate(console->view.engine);

	json_text(json, "phase", console->phase);
	if (pps > 0)
		json_double(json, "rate_pps", pps, 3);
	else
		json_null(json, "rate_pps");
	json_bool(json, "paused", dp_engine_is_paused(console->view.engine));
}

static void put_record(FILE *out, const struct console *console) {
	char *record = status_text(console->view.summary, console->phase);

	fprintf(out, ",\"status\":%s", record ? record : "null");
	free(record);
}

static char *answer(void *user, const char *line) {
	struct console *console = user;
	struct command command;
	struct value_error why;
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);
	struct json json = {.out = out};

	if (!out)
		return NULL;
	json_begin(&json, NULL);
	if (command_read(line, &command, &why)) {
		put_error(&json, &why);
	} else {
		act(console, &command);
		json_bool(&json, "ok", true);
		put_state(&json, console);
		if (command.kind == COMMAND_STATUS)
			put_record(out, console);
	}
	json_end(&json);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

/* ---- Life ---- */

int console_create(
	const struct console_view *view, struct console **console, struct dp_error *err) {
	struct console *c = calloc(1, sizeof *c);
	int rc = 0;

	if (!c)
		return dp_fail(err, false, -ENOMEM, "out of memory");
	c->view = *view;
	if (*view->config->control_socket)
		rc = remote_create(view->config->control_socket, &c->remote, err);
	if (rc)
		free(c);
	else
		*console = c;
	return rc;
}

bool console_start(struct console *console) {
	const struct ctl_config *config = console->view.config;

	/* Who does not see what a key did, or typed targets there, shall not change the rate by it. */
	console->keys = keys_possible() && isatty(STDERR_FILENO) && !config->quiet
		&& !config->json_status && !config->stdin_used;
	if (console->keys)
		keys_open();
	return console->keys;
}

void console_end(struct console *console) {
	if (console && console->keys)
		keys_close();
	if (console)
		console->keys = false;
}

void console_destroy(struct console *console) {
	if (!console)
		return;
	console_end(console);
	remote_destroy(console->remote);
	free(console);
}

bool console_step(struct console *console, const char *phase) {
	console->phase = phase;
	console->spoke = false;
	follow_signals(console);
	if (console->keys)
		follow_keys(console);
	remote_step(console->remote, answer, console);
	return console->spoke;
}
