/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket. Control core; owns the socket, its name in the file system, and clients' lines.
 *
 * Names are used relative to a folder that is held open, through /proc/self/fd: what was looked at is what is
 * used, and the path may be longer than a socket's address.
 */
#include "command.h"
#include "remote.h"

#include <lh/path.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	MAX_CLIENTS = 8, /* further ones wait in the queue of the socket */
	QUEUE = 8,
	MAX_LINES = 16, /* of one client in a step */
	WAIT_S = 10, /* of our own client */
	ANSWER_BYTES = 1 << 20, /* of an answer, at the most */
};

struct client {
	int fd; /* -1: none */
	char line[COMMAND_LINE_BYTES];
	unsigned used;
};

struct remote {
	int fd, folder;
	char name[64];
	dev_t device; /* of what we made there */
	ino_t inode;
	struct client client[MAX_CLIENTS];
};

/* The address of @name in @folder. */
static int make_address(int folder, const char *name, struct sockaddr_un *address) {
	int n;

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	n = snprintf(
		address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", folder, name);
	return n < (int)sizeof address->sun_path ? 0 : -ENAMETOOLONG;
}

/* Hold the folder of @path (O_PATH), with the last component in *@name. A descriptor or a negative errno. */
static int open_folder(const char *path, char **copy, const char **name) {
	char *slash;
	int fd;

	*copy = strdup(path);
	if (!*copy)
		return -ENOMEM;
	slash = strrchr(*copy, '/');
	*name = slash ? slash + 1 : *copy;
	if (!**name || !strcmp(*name, ".") || !strcmp(*name, ".."))
		return -EISDIR;
	if (!slash)
		return lh_path_open(".", O_PATH | O_DIRECTORY, 0);
	if (slash == *copy)
		return lh_path_open("/", O_PATH | O_DIRECTORY, 0);
	*slash = '\0';
	fd = lh_path_open(*copy, O_PATH | O_DIRECTORY, 0);
	return fd;
}

/* ---- Beginning ---- */

/* 0 where nobody listens there, -EADDRINUSE where somebody does. */
static int knock(const struct sockaddr_un *address) {
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), rc;

	if (fd < 0)
		return -errno;
	rc = connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 ? errno : 0;
	close(fd);
	return rc == ECONNREFUSED || rc == ENOENT ? 0 : -EADDRINUSE;
}

/* Make room for ours: what a scan left that was killed goes. */
static int clear_name(const struct remote *r, const struct sockaddr_un *address) {
	struct stat st;
	int rc;

	if (fstatat(r->folder, r->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
		return -EEXIST;
	rc = knock(address);
	if (rc)
		return rc;
	return unlinkat(r->folder, r->name, 0) < 0 && errno != ENOENT ? -errno : 0;
}

/* The mode of a socket that is not bound yet is the one that its name gets, without a moment between. */
static int open_socket(struct remote *r, const struct sockaddr_un *address) {
	struct stat st;

	r->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (r->fd < 0 || fchmod(r->fd, 0600) < 0
		|| bind(r->fd, (const struct sockaddr *)address, sizeof *address) < 0)
		return -errno;
	if (fstatat(r->folder, r->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	r->device = st.st_dev;
	r->inode = st.st_ino;
	if ((st.st_mode & 07777) & ~0600u)
		return -EPERM;
	return listen(r->fd, QUEUE) < 0 ? -errno : 0;
}

static const char *why(int rc) {
	switch (rc) {
	case -EADDRINUSE:
		return "another scan listens there";
	case -EEXIST:
		return "there is something else than a socket of ours; remove it, or name another "
		       "file";
	case -EPERM:
		return "this file system does not keep it to its owner";
	default:
		return lh_path_why(rc);
	}
}

static int listen_at(struct remote *r, const char *path) {
	struct sockaddr_un address;
	const char *name;
	char *copy;
	int rc;

	r->folder = open_folder(path, &copy, &name);
	rc = r->folder < 0 ? r->folder : strlen(name) >= sizeof r->name ? -ENAMETOOLONG : 0;
	if (!rc)
		strcpy(r->name, name);
	free(copy);
	if (!rc)
		rc = make_address(r->folder, r->name, &address);
	if (!rc)
		rc = clear_name(r, &address);
	return rc ? rc : open_socket(r, &address);
}

int remote_create(const char *path, struct remote **remote, struct dp_error *err) {
	struct remote *r = calloc(1, sizeof *r);
	int rc;

	if (!r)
		return dp_fail(err, false, -ENOMEM, "out of memory");
	r->fd = r->folder = -1;
	for (unsigned i = 0; i < MAX_CLIENTS; i++)
		r->client[i].fd = -1;
	rc = listen_at(r, path);
	if (rc) {
		dp_fail(err, true, rc, "[control] socket = %.200s: %s", path, why(rc));
		remote_destroy(r);
		return rc;
	}
	*remote = r;
	return 0;
}

/* ---- Clients ---- */

static void cut_off(struct client *client) {
	if (client->fd >= 0)
		close(client->fd);
	*client = (struct client){.fd = -1};
}

void remote_destroy(struct remote *remote) {
	struct stat st;

	if (!remote)
		return;
	for (unsigned i = 0; i < MAX_CLIENTS; i++)
		cut_off(&remote->client[i]);
	if (remote->inode && !fstatat(remote->folder, remote->name, &st, AT_SYMLINK_NOFOLLOW)
		&& st.st_dev == remote->device && st.st_ino == remote->inode)
		unlinkat(remote->folder, remote->name, 0);
	if (remote->fd >= 0)
		close(remote->fd);
	if (remote->folder >= 0)
		close(remote->folder);
	free(remote);
}

/* The mode of the socket says so already; a descriptor that was handed on does not. */
static bool is_allowed(int fd) {
	struct ucred peer;
	socklen_t size = sizeof peer;

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size)
		&& (peer.uid == 0 || peer.uid == geteuid());
}

static void admit(struct remote *remote) {
	for (unsigned i = 0; i < MAX_CLIENTS; i++) {
		struct client *client = &remote->client[i];

		if (client->fd >= 0)
			continue;
		client->fd = accept4(remote->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (client->fd < 0)
			return;
		if (!is_allowed(client->fd))
			cut_off(client);
	}
}

/* False where the client does not read. */
static bool reply(struct client *client, const char *text) {
	const size_t length = strlen(text);
	char *line = malloc(length + 1);
	ssize_t n = -1;

	if (line) {
		memcpy(line, text, length);
		line[length] = '\n';
		n = send(client->fd, line, length + 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	free(line);
	return n == (ssize_t)(length + 1);
}

static bool obey(struct client *client, const char *line, remote_answer_fn answer, void *user) {
	char *text = answer(user, line);
	bool sent = text && reply(client, text);

	free(text);
	return sent;
}

/* The whole lines that are there. False where the client is to be cut off. */
static bool take_lines(struct client *client, remote_answer_fn answer, void *user) {
	for (unsigned i = 0; i < MAX_LINES; i++) {
		char *end = memchr(client->line, '\n', client->used);
		unsigned length;

		if (!end)
			return client->used < sizeof client->line;
		*end = '\0';
		length = (unsigned)(end + 1 - client->line);
		/* A zero byte would hide what follows it. */
		if (strlen(client->line) + 1 != length || !obey(client, client->line, answer, user))
			return false;
		client->used -= length;
		memmove(client->line, end + 1, client->used);
	}
	return true;
}

static void serve(struct client *client, remote_answer_fn answer, void *user) {
	ssize_t n = recv(client->fd, client->line + client->used,
		sizeof client->line - client->used, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		n = 0;
	else if (n <= 0) {
		cut_off(client);
		return;
	}
	client->used += (unsigned)n;
	if (!take_lines(client, answer, user))
		cut_off(client);
}

void remote_step(struct remote *remote, remote_answer_fn answer, void *user) {
	if (!remote)
		return;
	admit(remote);
	for (unsigned i = 0; i < MAX_CLIENTS; i++)
		if (remote->client[i].fd >= 0)
			serve(&remote->client[i], answer, user);
}

/* ---- Our own client ---- */

static int reach(const char *path) {
	const struct timeval wait = {.tv_sec = WAIT_S};
	struct sockaddr_un address;
	const char *name;
	char *copy;
	int folder = open_folder(path, &copy, &name), fd = -1, rc;

	rc = folder < 0 ? folder : make_address(folder, name, &address);
	free(copy);
	if (!rc) {
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) < 0
			|| connect(fd, (const struct sockaddr *)&address, sizeof address) < 0)
			rc = -errno;
	}
	if (folder >= 0)
		close(folder);
	if (rc && fd >= 0)
		close(fd);
	return rc ? rc : fd;
}

static int send_words(int fd, char *const *words, unsigned nb_words) {
	char line[COMMAND_LINE_BYTES + 1];
	size_t used = 0;

	for (unsigned i = 0; i < nb_words; i++) {
		used += (size_t)snprintf(
			line + used, sizeof line - used, "%s%s", i ? " " : "", words[i]);
		if (used >= COMMAND_LINE_BYTES)
			return -E2BIG;
		if (strchr(words[i], '\n'))
			return -EINVAL;
	}
	line[used++] = '\n';
	return send(fd, line, used, MSG_NOSIGNAL) == (ssize_t)used ? 0 : -errno;
}

/* A line, to be freed, without its end. */
static int receive_line(int fd, char **line) {
	size_t used = 0;

	*line = malloc(ANSWER_BYTES);
	if (!*line)
		return -ENOMEM;
	while (used < ANSWER_BYTES) {
		ssize_t n = recv(fd, *line + used, ANSWER_BYTES - used, 0);
		char *end;

		if (n <= 0)
			return n < 0 ? -errno : -ECONNRESET;
		end = memchr(*line + used, '\n', (size_t)n);
		used += (size_t)n;
		if (!end)
			continue;
		*end = '\0';
		return 0;
	}
	return -EMSGSIZE;
}

int remote_ask(const char *path, char *const *words, unsigned nb_words, FILE *out, bool *ok,
	struct dp_error *err) {
	static const char good[] = "{\"ok\":true";
	char *line = NULL;
	int fd = reach(path), rc = fd < 0 ? fd : send_words(fd, words, nb_words);

	if (!rc)
		rc = receive_line(fd, &line);
	if (fd >= 0)
		close(fd);
	if (rc)
		dp_fail(err, rc == -E2BIG || rc == -EINVAL, rc, "--control %.200s: %s", path,
			rc == -ECONNREFUSED	? "no scan listens there"
				: rc == -EAGAIN ? "no answer within ten seconds"
						: strerror(-rc));
	else if (fprintf(out, "%s\n", line) < 0 || fflush(out))
		rc = dp_fail(err, false, -EIO, "standard output: %s", strerror(errno));
	else
		*ok = !strncmp(line, good, sizeof good - 1);
	free(line);
	return rc;
}
