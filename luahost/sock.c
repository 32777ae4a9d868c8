/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sockets of a lane, and its side of the channel to the warden, which opens them.
 *
 * Runs in a lane, which owns a table of sockets; a socket belongs to one conversation and is closed
 * with it. All are watched edge-triggered from the beginning: an operation tries first and waits only
 * after the socket said that it has nothing, so that no event is missed and epoll is told once.
 */
#include "lane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	TLS_BYTES = 16 << 10, /* moved at once; what a drained BIO has room for */
};

/* ---- The table ---- */

static uint32_t place_of(const struct lane *lane, const struct sock *sock) {
	return (uint32_t)(sock - lane->sock);
}

static struct sock *take_place(struct lane *lane) {
	struct sock *sock = lane->free_sock;

	if (sock) {
		lane->free_sock = sock->next;
		return sock;
	}
	return lane->nb_socks < lane->socks_max ? &lane->sock[lane->nb_socks++] : NULL;
}

static void free_place(struct lane *lane, struct sock *sock) {
	sock->open = false;
	sock->generation++;
	sock->next = lane->free_sock;
	lane->free_sock = sock;
}

/* The socket's place was counted when it was asked for. */
static int adopt(struct lane *lane, struct convo *convo, int fd, bool udp, uint32_t *place) {
	struct sock *sock = take_place(lane);
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};
	uint32_t generation;

	if (!sock)
		return -EMFILE;
	generation = sock->generation;
	*sock = (struct sock){.fd = fd,
		.generation = generation,
		.owner = convo,
		.next = convo->socks,
		.udp = udp,
		.open = true};
	convo->socks = sock;
	*place = place_of(lane, sock);
	event.data.u64 = (uint64_t)generation << 32 | *place;
	if (epoll_ctl(lane->epoll, EPOLL_CTL_ADD, fd, &event) == 0)
		return 0;
	convo->socks = sock->next;
	free_place(lane, sock);
	return -errno;
}

void sock_close(struct lane *lane, struct sock *sock) {
	struct sock **link = &sock->owner->socks;

	while (*link != sock)
		link = &(*link)->next;
	*link = sock->next;
	close(sock->fd); /* leaves epoll by itself */
	tls_destroy(sock->tls);
	free(sock->out);
	sock->tls = NULL;
	sock->out = NULL;
	free_place(lane, sock);
	lane->socks_open--;
}

void sock_close_all(struct lane *lane, struct convo *convo) {
	while (convo->socks)
		sock_close(lane, convo->socks);
}

void sock_event(struct lane *lane, uint32_t place, uint32_t generation) {
	struct sock *sock = &lane->sock[place];
	struct convo *convo = sock->owner;

	if (!sock->open || sock->generation != generation || convo->op.sock != place)
		return;
	if (convo->op.kind == OP_SEND || convo->op.kind == OP_RECEIVE || convo->op.kind == OP_TLS
		|| (convo->op.kind == OP_CONNECT && convo->op.stage >= CONNECT_BEGUN))
		op_continue(lane, convo);
}

/* ---- Asking the warden ---- */

static int open_request(struct lane *lane, struct convo *convo, const char *name) {
	uint8_t datagram[sizeof(struct request) + OPEN_NAME_BYTES];
	const struct request request = {.op = REQUEST_OPEN,
		.id = convo->op.id,
		.slot = convo->slot,
		.mode = convo->op.mode};
	size_t length = strlen(name) + 1;

	if (length > OPEN_NAME_BYTES)
		return -ENAMETOOLONG;
	memcpy(datagram, &request, sizeof(request));
	memcpy(datagram + sizeof(request), name, length);
	return send(lane->warden, datagram, sizeof(request) + length, MSG_NOSIGNAL) < 0 ? -errno
											: 0;
}

/* Connections wait for a place, in the order of their asking. */
int warden_ask(struct lane *lane, struct convo *convo, enum request_op op, const char *name) {
	if (op == REQUEST_OPEN)
		return open_request(lane, convo, name);
	if ((lane->waiting_tail + 1) % WAITING == lane->waiting_head)
		return -EBUSY; /* full of attempts that timed out while they waited */
	convo->op.stage = CONNECT_QUEUED;
	lane->waiting[lane->waiting_tail] = convo->op.id;
	lane->waiting_tail = (lane->waiting_tail + 1) % WAITING;
	return 0;
}

/* The conversation whose operation has the id, or NULL where it went on without it. */
static struct convo *asker(struct lane *lane, uint32_t id) {
	struct convo *convo = convo_of(lane, id % (LANE_SLOTS + 1));

	return convo && convo->op.kind != OP_NONE && convo->op.id == id ? convo : NULL;
}

static bool send_requests(struct lane *lane) {
	size_t bytes = lane->nb_requests * sizeof(lane->request[0]);

	if (lane->nb_requests && send(lane->warden, lane->request, bytes, MSG_NOSIGNAL) < 0)
		return false;
	lane->nb_requests = 0;
	return true;
}

void warden_flush(struct lane *lane) {
	while (lane->waiting_head != lane->waiting_tail && lane->socks_open < lane->socks_max) {
		struct convo *convo = asker(lane, lane->waiting[lane->waiting_head]);

		if (lane->nb_requests == REQUESTS_MAX && !send_requests(lane))
			return;
		lane->waiting_head = (lane->waiting_head + 1) % WAITING;
		if (!convo)
			continue;
		lane->request[lane->nb_requests++] = (struct request){.op = REQUEST_CONNECT,
			.id = convo->op.id,
			.slot = convo->slot,
			.ip = wire_ip_put(convo->op.ip),
			.port = convo->op.port,
			.udp = convo->op.udp};
		convo->op.stage = CONNECT_ASKED;
		lane->socks_open++;
	}
	send_requests(lane);
}

static const char *refusal(const struct reply *reply, int fd) {
	if (reply->error == REPLY_DENIED)
		return "denied";
	if (reply->error)
		return strerror(reply->error);
	return fd < 0 ? "too many open sockets" : NULL;
}

/* A connection's descriptor, or why there is none. */
static void take_connection(struct lane *lane, const struct reply *reply, int fd) {
	struct convo *convo = asker(lane, reply->id);
	const char *why = refusal(reply, fd);

	if (convo && !why && adopt(lane, convo, fd, convo->op.udp, &convo->op.sock))
		why = "too many open sockets";
	if (!convo || why) {
		lane->socks_open--;
		if (fd >= 0)
			close(fd);
	}
	if (!convo)
		return;
	if (why) {
		const struct outcome outcome = {.kind = OUTCOME_FAILED, .error = why};

		convo_resume(lane, convo, &outcome);
		return;
	}
	convo->op.stage = CONNECT_BEGUN;
	if (reply->connected)
		op_continue(lane, convo);
}

static void take_opened(struct lane *lane, const struct reply *reply, int fd) {
	struct convo *convo = asker(lane, reply->id);
	const char *why = refusal(reply, fd);
	const struct outcome outcome = {.kind = OUTCOME_FAILED, .error = why};

	if (!convo) {
		if (fd >= 0)
			close(fd);
	} else if (why) {
		convo_resume(lane, convo, &outcome);
	} else {
		convo->op.sock = (uint32_t)fd;
		convo->op.stage = 1;
		op_continue(lane, convo);
	}
}

/* The descriptors of a datagram, -1 behind the last. */
static unsigned descriptors(struct msghdr *message, int fd[REQUESTS_MAX]) {
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(message);
	unsigned n = 0;

	if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS) {
		n = (unsigned)((cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fd, CMSG_DATA(cmsg), n * sizeof(int));
	}
	return n;
}

void warden_receive(struct lane *lane) {
	for (;;) {
		struct reply reply[REQUESTS_MAX];
		int fd[REQUESTS_MAX];
		alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(fd))];
		struct iovec iov = {reply, sizeof(reply)};
		struct msghdr message = {.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control)};
		ssize_t n = recvmsg(lane->warden, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		unsigned nb_fds, used = 0;

		if (n == 0)
			_exit(1); /* no warden, no lane */
		if (n < 0)
			return;
		nb_fds = descriptors(&message, fd);
		for (unsigned i = 0; i < (size_t)n / sizeof(reply[0]); i++) {
			int mine = reply[i].error == 0 && used < nb_fds ? fd[used++] : -1;

			if (reply[i].op == REQUEST_CONNECT)
				take_connection(lane, &reply[i], mine);
			else
				take_opened(lane, &reply[i], mine);
		}
	}
}

/* ---- Streams ---- */

enum flow {
	FLOW_DONE,
	FLOW_WAIT,
	FLOW_FAILED, /* errno says why */
};

/* Send as much of @data as there is room for. */
static enum flow send_some(int fd, const void *data, size_t n, size_t *sent) {
	ssize_t rc = send(fd, data, n, MSG_NOSIGNAL);

	if (rc < 0)
		return errno == EAGAIN || errno == EINTR ? FLOW_WAIT : FLOW_FAILED;
	*sent = (size_t)rc;
	return FLOW_DONE;
}

static enum flow keep_rest(struct sock *sock, const uint8_t *data, size_t n) {
	sock->out = malloc(n);
	if (!sock->out) {
		errno = ENOMEM;
		return FLOW_FAILED;
	}
	memcpy(sock->out, data, n);
	sock->out_at = 0;
	sock->out_bytes = n;
	return FLOW_WAIT;
}

/* What TLS has for the network. FLOW_DONE where all of it is out. */
static enum flow flush_tls(struct lane *lane, struct sock *sock) {
	for (;;) {
		size_t n, sent = 0;
		enum flow flow;

		if (sock->out) {
			flow = send_some(sock->fd, sock->out + sock->out_at,
				sock->out_bytes - sock->out_at, &sent);
			if (flow != FLOW_DONE)
				return flow;
			sock->out_at += sent;
			if (sock->out_at < sock->out_bytes)
				continue;
			free(sock->out);
			sock->out = NULL;
		}
		n = tls_take(sock->tls, lane->io, TLS_BYTES);
		if (n == 0)
			return FLOW_DONE;
		flow = send_some(sock->fd, lane->io, n, &sent);
		if (flow == FLOW_FAILED)
			return flow;
		if (sent < n && (flow = keep_rest(sock, lane->io + sent, n - sent)) == FLOW_FAILED)
			return flow;
	}
}

/* Bring TLS what the network has. */
static enum flow fill_tls(struct lane *lane, struct sock *sock) {
	ssize_t n;

	if (sock->eof)
		return FLOW_DONE;
	n = recv(sock->fd, lane->io, TLS_BYTES, 0);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? FLOW_WAIT : FLOW_FAILED;
	if (n == 0) {
		sock->eof = true;
		tls_feed_end(sock->tls);
	} else if (tls_feed(sock->tls, lane->io, (size_t)n) != (size_t)n) {
		errno = ENOBUFS;
		return FLOW_FAILED;
	}
	return FLOW_DONE;
}

static bool fail(struct outcome *outcome, const char *why) {
	*outcome = (struct outcome){.kind = OUTCOME_FAILED, .error = why};
	return true;
}

/* The next step of TLS for the operation. */
static enum tls_result step_tls(struct lane *lane, struct op *op, struct sock *sock, size_t *done) {
	size_t most = op->max < IO_BYTES ? op->max : IO_BYTES;

	if (op->kind == OP_RECEIVE)
		return tls_read(sock->tls, lane->io, most, done);
	if (op->kind == OP_SEND && op->at == op->length)
		return TLS_OK;
	if (op->kind == OP_SEND)
		return tls_write(sock->tls, op->data + op->at, op->length - op->at, done);
	return tls_handshake(sock->tls);
}

static bool tls_done(struct lane *lane, struct op *op, size_t done, struct outcome *outcome) {
	switch (op->kind) {
	case OP_RECEIVE:
		*outcome = (struct outcome){
			.kind = OUTCOME_BYTES, .bytes = (const char *)lane->io, .length = done};
		return true;
	case OP_SEND:
		*outcome = (struct outcome){.kind = OUTCOME_NUMBER, .number = (double)op->at};
		return op->at == op->length;
	case OP_CONNECT:
		*outcome = (struct outcome){.kind = OUTCOME_SOCK, .sock = op->sock};
		return true;
	default:
		outcome->kind = OUTCOME_TRUE;
		return true;
	}
}

/* Handshake, read or write, until it is done or the socket has no more. */
static bool over_tls(struct lane *lane, struct op *op, struct sock *sock, struct outcome *outcome) {
	for (;;) {
		size_t done = 0;
		enum tls_result result = step_tls(lane, op, sock, &done);
		enum flow flow;

		/* A read's data lie in the same buffer that flushing uses: they are taken first. */
		if (result == TLS_OK && op->kind == OP_RECEIVE)
			return tls_done(lane, op, done, outcome);
		op->at += op->kind == OP_SEND ? done : 0;
		flow = flush_tls(lane, sock);
		if (flow == FLOW_FAILED)
			return fail(outcome, strerror(errno));
		if (result == TLS_CLOSED && op->kind == OP_RECEIVE) {
			*outcome = (struct outcome){.kind = OUTCOME_BYTES, .bytes = ""};
			return true;
		}
		if (result == TLS_CLOSED)
			return fail(outcome, "closed by the peer");
		if (result == TLS_FAILED)
			return fail(outcome, tls_error(sock->tls));
		if (flow == FLOW_WAIT)
			return false;
		if (result == TLS_OK && tls_done(lane, op, done, outcome))
			return true;
		if (result != TLS_WANT_READ)
			continue;
		flow = fill_tls(lane, sock);
		if (flow == FLOW_FAILED)
			return fail(outcome, strerror(errno));
		if (flow == FLOW_WAIT)
			return false;
	}
}

static bool receive_plain(
	struct lane *lane, struct op *op, struct sock *sock, struct outcome *outcome) {
	size_t most = op->max < IO_BYTES ? op->max : IO_BYTES;
	ssize_t n = recv(sock->fd, lane->io, most, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n < 0)
		return fail(outcome, strerror(errno));
	*outcome = (struct outcome){
		.kind = OUTCOME_BYTES, .bytes = (const char *)lane->io, .length = (size_t)n};
	return true;
}

static bool send_plain(struct op *op, struct sock *sock, struct outcome *outcome) {
	do {
		size_t sent = 0;
		enum flow flow = send_some(sock->fd, op->data + op->at, op->length - op->at, &sent);

		if (flow == FLOW_WAIT)
			return false;
		if (flow == FLOW_FAILED)
			return fail(outcome, strerror(errno));
		op->at += sent;
	} while (op->at < op->length);
	*outcome = (struct outcome){.kind = OUTCOME_NUMBER, .number = (double)op->length};
	return true;
}

static bool start_tls(struct op *op, struct sock *sock) {
	return sock->tls || tls_create(&op->tls->options, &sock->tls) == 0;
}

/* The connection stands, failed, or still waits. */
static bool finish_connect(
	struct lane *lane, struct op *op, struct sock *sock, struct outcome *outcome) {
	socklen_t length = sizeof(int);
	int error = 0;

	if (op->stage == CONNECT_BEGUN) {
		getsockopt(sock->fd, SOL_SOCKET, SO_ERROR, &error, &length);
		if (error) {
			sock_close(lane, sock);
			return fail(outcome, strerror(error));
		}
		op->stage = CONNECT_TLS;
	}
	*outcome = (struct outcome){.kind = OUTCOME_SOCK, .sock = op->sock};
	if (!op->wants_tls)
		return true;
	if (!start_tls(op, sock))
		fail(outcome, "TLS: out of memory, or options that OpenSSL does not take");
	else if (!over_tls(lane, op, sock, outcome))
		return false;
	/* Its text may be the TLS object's own, which goes with the socket. */
	if (outcome->kind == OUTCOME_FAILED) {
		snprintf((char *)lane->io, IO_BYTES, "%s", outcome->error);
		outcome->error = (char *)lane->io;
		sock_close(lane, sock);
	}
	return true;
}

bool op_step_stream(struct lane *lane, struct convo *convo, struct outcome *outcome) {
	struct op *op = &convo->op;
	struct sock *sock;

	if (op->kind == OP_CONNECT && op->stage < CONNECT_BEGUN)
		return false;
	sock = &lane->sock[op->sock];
	if (op->kind == OP_CONNECT)
		return finish_connect(lane, op, sock, outcome);
	if (op->kind == OP_TLS && !start_tls(op, sock))
		return fail(outcome, "TLS: out of memory, or options that OpenSSL does not take");
	if (sock->tls)
		return over_tls(lane, op, sock, outcome);
	return op->kind == OP_RECEIVE ? receive_plain(lane, op, sock, outcome)
				      : send_plain(op, sock, outcome);
}
