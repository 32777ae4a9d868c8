/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DPDK's telemetry, as far as the control core answers it. Commands run on threads that DPDK makes for each
 * client; this file owns the objects that they fill until DPDK takes them.
 */
#include "telemetry.h"

#include <dp/telemetry.h>

#include <rte_eal.h>
#include <rte_telemetry.h>

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct dp_telemetry_reply {
	struct rte_tel_data *data; /* DPDK's */
	struct rte_tel_data *inner; /* ours until it is closed; NULL: none is open */
	const char *inner_name;
	int rc; /* the first thing that went wrong */
};

/*
 * DPDK hands a command nothing of ours, and can not be asked to forget one: so what it is to call stands
 * here. The lock is held while a command runs, so that dp_telemetry_end() waits for it.
 */
static struct {
	pthread_mutex_t lock;
	const struct dp_telemetry_command *commands;
	unsigned nb;
	void *user;
} served = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void note(struct dp_telemetry_reply *reply, int rc) {
	if (rc && !reply->rc)
		reply->rc = rc < 0 ? rc : -rc;
}

static struct rte_tel_data *target_of(struct dp_telemetry_reply *reply) {
	return reply->inner ? reply->inner : reply->data;
}

void dp_telemetry_u64(struct dp_telemetry_reply *reply, const char *name, uint64_t value) {
	note(reply, rte_tel_data_add_dict_u64(target_of(reply), name, value));
}

void dp_telemetry_text(struct dp_telemetry_reply *reply, const char *name, const char *text) {
	char cut[DP_TELEMETRY_TEXT_BYTES];
	const size_t bytes = strlen(text);

	static_assert(DP_TELEMETRY_TEXT_BYTES == RTE_TEL_MAX_STRING_LEN);
	if (bytes >= sizeof cut) {
		snprintf(cut, sizeof cut, "%.*s... (%zu bytes)", (int)sizeof cut - 32, text, bytes);
		text = cut;
	}
	note(reply, rte_tel_data_add_dict_string(target_of(reply), name, text));
}

void dp_telemetry_open(struct dp_telemetry_reply *reply, const char *name) {
	struct rte_tel_data *inner = rte_tel_data_alloc();

	if (!inner) {
		note(reply, -ENOMEM);
		return;
	}
	rte_tel_data_start_dict(inner);
	reply->inner = inner;
	reply->inner_name = name;
}

void dp_telemetry_close(struct dp_telemetry_reply *reply) {
	int rc;

	if (!reply->inner)
		return;
	rc = rte_tel_data_add_dict_container(reply->data, reply->inner_name, reply->inner, 0);
	if (rc)
		rte_tel_data_free(reply->inner);
	note(reply, rc);
	reply->inner = NULL;
}

static int call(const char *path, const char *parameter, struct dp_telemetry_reply *reply) {
	for (unsigned i = 0; i < served.nb; i++)
		if (!strcmp(served.commands[i].path, path))
			return served.commands[i].answer(served.user, parameter, reply);
	return -ENOENT;
}

static int on_command(const char *path, const char *parameter, struct rte_tel_data *data) {
	struct dp_telemetry_reply reply = {.data = data};
	int rc;

	rte_tel_data_start_dict(data);
	pthread_mutex_lock(&served.lock);
	rc = call(path, parameter, &reply);
	pthread_mutex_unlock(&served.lock);
	dp_telemetry_close(&reply);
	return rc ? rc : reply.rc;
}

int dp_telemetry_begin(const struct dp_telemetry_command *commands, unsigned nb, void *user) {
	int rc = 0;

	pthread_mutex_lock(&served.lock);
	served.commands = commands;
	served.nb = nb;
	served.user = user;
	pthread_mutex_unlock(&served.lock);
	for (unsigned i = 0; !rc && i < nb; i++)
		rc = rte_telemetry_register_cmd(commands[i].path, on_command, commands[i].help);
	return rc;
}

void dp_telemetry_end(void) {
	pthread_mutex_lock(&served.lock);
	served.nb = 0;
	pthread_mutex_unlock(&served.lock);
}

const char *dp_telemetry_folder(void) {
	return rte_eal_get_runtime_dir();
}

/* Whether @fd listens on a socket of DPDK's telemetry, with its path. */
static bool is_socket(int fd, char path[static DP_TELEMETRY_PATH_BYTES]) {
	struct sockaddr_un address = {0};
	socklen_t bytes = sizeof address - 1;
	const char *folder = dp_telemetry_folder();
	int listens = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &(socklen_t){sizeof listens}) < 0
		|| !listens || getsockname(fd, (struct sockaddr *)&address, &bytes) < 0
		|| address.sun_family != AF_UNIX)
		return false;
	if (strncmp(address.sun_path, folder, strlen(folder))
		|| !strstr(address.sun_path, "/dpdk_telemetry.v"))
		return false;
	snprintf(path, DP_TELEMETRY_PATH_BYTES, "%s", address.sun_path);
	return true;
}

bool dp_telemetry_socket(char path[static DP_TELEMETRY_PATH_BYTES]) {
	/* DPDK does not say whether it came to be, nor which number it has where several programs run. */
	DIR *folder = opendir("/proc/self/fd");
	struct dirent *entry;
	bool found = false;

	if (!folder)
		return false;
	while (!found && (entry = readdir(folder)))
		found = entry->d_name[0] != '.' && is_socket(atoi(entry->d_name), path);
	closedir(folder);
	return found;
}

int telemetry_check(struct dp_error *err) {
	const char *systemd = getenv("RUNTIME_DIRECTORY"), *session = getenv("XDG_RUNTIME_DIR");

	if (geteuid() == 0 || (systemd && *systemd) || (session && *session))
		return 0;
	return dp_fail(err, true, -ENOENT,
		"telemetry = on: neither RUNTIME_DIRECTORY nor XDG_RUNTIME_DIR is set, and DPDK "
		"would "
		"make its socket below /tmp, where others could have put one; set one of them");
}
