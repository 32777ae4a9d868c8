/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The program: read the configuration, do what it asks for, give the exit status. The only place
 * that prints an error, and the only one with globals: what signals count.
 */
#include "doctor.h"
#include "keys.h"
#include "listing.h"
#include "plan.h"
#include "plugin_cmd.h"
#include "progress.h"
#include "remote.h"
#include "run.h"
#include "version.h"

#include <lh/host.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	LOADING_INTERVAL_NS = 1000 * 1000 * 1000,
};

/* writers: signal handlers on any thread, reader: control core */
static atomic_int interrupts, reloads, state_asks, rate_asks;
static_assert(ATOMIC_INT_LOCK_FREE == 2); /* or a handler could not touch them */

static void count_interrupt(int signal) {
	(void)signal;
	/* The third time is for a reader of ours that has stopped: nothing else ends a write to it. */
	if (atomic_fetch_add(&interrupts, 1) == 2) {
		keys_restore();
		_exit(RUN_INTERRUPTED);
	}
}

static void count_reload(int signal) {
	(void)signal;
	atomic_fetch_add(&reloads, 1);
}

static void count_state_ask(int signal) {
	(void)signal;
	atomic_fetch_add(&state_asks, 1);
}

static void count_rate_ask(int signal) {
	(void)signal;
	atomic_fetch_add(&rate_asks, 1);
}

static void catch_signals(void) {
	struct sigaction action = {.sa_handler = count_interrupt};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	action.sa_handler = count_reload;
	sigaction(SIGHUP, &action, NULL);
	action.sa_handler = count_state_ask;
	sigaction(SIGUSR1, &action, NULL);
	action.sa_handler = count_rate_ask;
	sigaction(SIGUSR2, &action, NULL);
	/* A closed pipe is an error of the write that met it. A full size limit likewise. */
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
	sigaction(SIGXFSZ, &action, NULL);
}

/*
 * A closed standard descriptor would be given to the next file or socket that is opened. Open it the
 * wrong way round instead, so that using it is an error with a name.
 */
static void fill_standard_descriptors(void) {
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

static int report(int status, const struct dp_error *err) {
	/* What --doctor finds is no error of ours. */
	if ((status == RUN_FAILED || status == RUN_USAGE) && *err->text)
		fprintf(stderr, "prtip-dp: %s\n", err->text);
	return status;
}

/* The status of what only prints. */
static int printed(int rc, struct dp_error *err) {
	if (rc == 0 && fflush(stdout) == 0)
		return RUN_COMPLETE;
	if (rc == 0)
		rc = -errno;
	dp_fail(err, false, rc, "standard output: %s", strerror(-rc));
	return RUN_FAILED;
}

static int print_version(void) {
	return printf("prtip-dp %s\n", CTL_VERSION) < 0 ? -errno : 0;
}

static int run_doctor(bool json, struct dp_error *err) {
	unsigned nb_bad = 0;
	const int rc = printed(doctor(getenv(DOCTOR_ROOT_VARIABLE), json, stdout, &nb_bad), err);

	return rc == RUN_COMPLETE && nb_bad ? RUN_FAILED : rc;
}

/* `--control SOCKET COMMAND`: nothing but the scan behind the socket matters. */
static int control(int argc, char **argv, struct dp_error *err) {
	bool ok = false;

	if (argc < 4) {
		dp_fail(err, true, -EINVAL,
			"--control: give a socket and a command: prtip-dp --control SOCKET status, "
			"rate N, pause, resume or stop");
		return RUN_USAGE;
	}
	if (remote_ask(argv[2], &argv[3], (unsigned)argc - 3, stdout, &ok, err))
		return err->usage ? RUN_USAGE : RUN_FAILED;
	if (!ok)
		dp_fail(err, false, -EINVAL, "the command was refused");
	return ok ? RUN_COMPLETE : RUN_FAILED;
}

/* Before the command line is read in full. */
static bool is_silent(int argc, char **argv) {
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--quiet") || !strcmp(argv[i], "--json-status"))
			return true;
	return false;
}

/* Reading targets and exclusions can take long. */
static int load(int argc, char **argv, struct ctl_config **config, struct dp_error *err) {
	struct progress progress;
	int rc;

	progress_init(&progress, STDERR_FILENO, LOADING_INTERVAL_NS);
	if (!is_silent(argc, argv))
		progress_begin(&progress, "loading");
	rc = ctl_config_load(argc, argv, config, err);
	progress_end(&progress);
	return rc;
}

static int act(const struct ctl_config *config, struct dp_error *err) {
	const struct run_signals signals = {&interrupts, &reloads, &state_asks, &rate_asks};

	switch (config->action) {
	case CTL_ACTION_HELP:
		return printed(ctl_config_print_help(stdout), err);
	case CTL_ACTION_DOCTOR:
		return run_doctor(config->json, err);
	case CTL_ACTION_VERSION:
		return printed(print_version(), err);
	case CTL_ACTION_PRINT_CONFIG:
		return printed(ctl_config_print(config, stdout), err);
	case CTL_ACTION_LIST_TARGETS:
		return printed(ctl_list_targets(config, STDOUT_FILENO), err);
	case CTL_ACTION_SIM_TRUTH:
		return printed(ctl_list_sim_truth(config, STDOUT_FILENO), err);
	case CTL_ACTION_DRY_RUN:
		return plan_print(config, stdout, err) == 0 ? RUN_COMPLETE
			: err->usage			    ? RUN_USAGE
							    : RUN_FAILED;
	case CTL_ACTION_LIST_PLUGINS:
	case CTL_ACTION_INSTALL_PLUGIN:
	case CTL_ACTION_REMOVE_PLUGIN:
	case CTL_ACTION_CHECK_PLUGIN:
	case CTL_ACTION_NEW_PLUGIN:
		return plugin_cmd(config, stdout, err) == 0 ? RUN_COMPLETE : RUN_FAILED;
	case CTL_ACTION_SCAN:
		return run_scan(config, &signals, err);
	case CTL_ACTION_CONTROL:
		break; /* was done before the configuration was looked at */
	}
	return RUN_FAILED;
}

static void print_warnings(const struct ctl_config *config) {
	for (unsigned i = 0; i < config->nb_warnings && !config->quiet; i++)
		fprintf(stderr, "prtip-dp: warning: %s\n", config->warnings[i]);
}

int main(int argc, char **argv) {
	struct ctl_config *config;
	struct dp_error err = {0};
	int status;

	lh_process_name_init(argc, argv);
	fill_standard_descriptors();
	catch_signals();
	if (argc > 1 && !strcmp(argv[1], "--control"))
		return report(control(argc, argv, &err), &err);
	if (load(argc, argv, &config, &err))
		return report(err.usage ? RUN_USAGE : RUN_FAILED, &err);
	print_warnings(config);
	status = act(config, &err);
	ctl_config_destroy(config);
	return report(status, &err);
}
