/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The listener of [metrics]. Its socket is opened on the main thread; requests are answered on one thread of
 * libmicrohttpd's, which reads nothing of the run but the published copy. Owns the socket and what it
 * answers with, until that is sent.
 *
 * Nothing can be changed by a request: GET and HEAD of three paths, no parameters, no cookies, no CORS.
 */
#include "clock.h"
#include "metrics.h"
#include "page.inc"
#include "status.h"
#include "value.h"
#include "web.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	BACKLOG = 16,
	MOST_CONNECTIONS = 32,
	FOLLOW_MS = 1200, /* who asks again within this time follows the scan, as the page does */
	IDLE_S = 3, /* a connection without a byte is closed */
	REQUEST_BYTES = 16 << 10, /* memory of a connection: its headers have to fit */
};

struct web {
	struct watch *watch;
	struct ctl_listen listen;
	struct ctl_allowed allow;
	int fd; /* -1: libmicrohttpd's */
	struct MHD_Daemon *daemon;
	_Atomic uint64_t
		asked_ns; /* when a record was last given out; writer: libmicrohttpd's thread */
	char name[VALUE_TEXT_BYTES + 16]; /* "127.0.0.1:9464" */
};

/* ---- Who may ask ---- */

static dp_ip address_of(const struct sockaddr *from) {
	if (from->sa_family == AF_INET)
		return dp_ip_v4(ntohl(((const struct sockaddr_in *)from)->sin_addr.s_addr));
	return dp_ip_get_v6(((const struct sockaddr_in6 *)from)->sin6_addr.s6_addr);
}

/* Before a byte of the connection is read. */
static enum MHD_Result may_connect(void *user, const struct sockaddr *from, socklen_t bytes) {
	const struct web *web = user;
	const dp_ip ip = address_of(from);

	if (!web->allow.nb) /* then it listens on a loopback address */
		return MHD_YES;
	for (unsigned i = 0; i < web->allow.nb; i++)
		if (ip >= web->allow.range[i].first && ip <= web->allow.range[i].last)
			return MHD_YES;
	return MHD_NO;
}

static bool is_port(const char *text) {
	const size_t digits = strspn(text, "0123456789");

	return digits && digits <= 5 && !text[digits];
}

bool web_is_own_host(const char *host) {
	const char *colon = strrchr(host, ':'), *end = strchr(host, ']');
	size_t length;
	struct value_error why;
	dp_ip ip;

	if (colon && end && colon < end)
		colon = NULL; /* of the address */
	if (colon && !is_port(colon + 1))
		return false;
	length = colon ? (size_t)(colon - host) : strlen(host);
	if (length == strlen("localhost") && !strncasecmp(host, "localhost", length))
		return true;
	if (*host == '[')
		return length > 2 && host[length - 1] == ']'
			&& !value_read_ip(host + 1, length - 2, &ip, &why) && !dp_ip_is_v4(ip);
	return !value_read_ip(host, length, &ip, &why) && dp_ip_is_v4(ip);
}

/* ---- Answers ---- */

static int write_metrics(const struct watch_view *view, FILE *out) {
	return metrics_write(view, out);
}

static int write_status(const struct watch_view *view, FILE *out) {
	return status_record(out, &view->summary, view->phase, &view->at);
}

static const struct resource {
	const char *path, *type;
	int (*write)(const struct watch_view *view, FILE *out); /* NULL: the page */
} resources[] = {
	{"/", "text/html; charset=utf-8", NULL},
	{"/metrics", METRICS_CONTENT_TYPE, write_metrics},
	{"/status.json", "application/json", write_status},
};

static const struct resource *find_resource(const char *path) {
	for (unsigned i = 0; i < sizeof resources / sizeof *resources; i++)
		if (!strcmp(resources[i].path, path))
			return &resources[i];
	return NULL;
}

/* Takes @response, which may be NULL: then the connection is closed. */
static enum MHD_Result reply(struct MHD_Connection *connection, unsigned status, const char *type,
	struct MHD_Response *response) {
	static const char *const headers[][2] = {
		{MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"},
		{"X-Content-Type-Options", "nosniff"},
		{"Referrer-Policy", "no-referrer"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
		{"Content-Security-Policy", PAGE_CSP},
	};
	enum MHD_Result done;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	for (unsigned i = 0; i < sizeof headers / sizeof *headers; i++)
		MHD_add_response_header(response, headers[i][0], headers[i][1]);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	done = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return done;
}

static enum MHD_Result refuse(
	struct MHD_Connection *connection, unsigned status, const char *text) {
	return reply(connection, status, "text/plain; charset=utf-8",
		MHD_create_response_from_buffer(
			strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT));
}

/* What the resource says of the run now; NULL: no memory. */
static struct MHD_Response *written(
	const struct resource *resource, const struct watch_view *view) {
	struct MHD_Response *response = NULL;
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);

	if (!out)
		return NULL;
	if (!(resource->write(view, out) | fclose(out)))
		response = MHD_create_response_from_buffer(bytes, text, MHD_RESPMEM_MUST_FREE);
	if (!response)
		free(text);
	return response;
}

static enum MHD_Result answer(
	struct web *web, struct MHD_Connection *connection, const struct resource *resource) {
	struct watch_view view;

	if (!resource->write)
		return reply(connection, MHD_HTTP_OK, resource->type,
			MHD_create_response_from_buffer(sizeof page_html,
				(void *)(uintptr_t)page_html, MHD_RESPMEM_PERSISTENT));
	if (resource->write == write_status)
		atomic_store_explicit(&web->asked_ns, monotonic_ns(), memory_order_relaxed);
	if (!watch_read(web->watch, &view))
		return refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
			"the scan has not begun; ask again\n");
	return reply(connection, MHD_HTTP_OK, resource->type, written(resource, &view));
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *body, size_t *body_bytes,
	void **seen) {
	static char marker;
	const char *host;
	const struct resource *resource;

	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
			"only GET and HEAD are answered\n");
	/* The first call comes with the headers, later ones with a body, which nobody wants. */
	if (!*seen) {
		*seen = &marker;
		return MHD_YES;
	}
	if (*body_bytes) {
		*body_bytes = 0;
		return MHD_YES;
	}
	host = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
	if (!host)
		return refuse(connection, MHD_HTTP_BAD_REQUEST, "the Host header is missing\n");
	if (!web_is_own_host(host))
		return refuse(connection, MHD_HTTP_MISDIRECTED_REQUEST,
			"the Host header has to be an address, or localhost\n");
	resource = find_resource(url);
	if (!resource)
		return refuse(
			connection, MHD_HTTP_NOT_FOUND, "there are /, /metrics and /status.json\n");
	return answer(user, connection, resource);
}

/* ---- Beginning and end ---- */

static socklen_t fill_address(const struct ctl_listen *listen, struct sockaddr_storage *address) {
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;

	*address = (struct sockaddr_storage){0};
	if (dp_ip_is_v4(listen->ip)) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(listen->port);
		v4->sin_addr.s_addr = htonl(dp_ip_to_v4(listen->ip));
		return sizeof *v4;
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(listen->port);
	dp_ip_put_v6(v6->sin6_addr.s6_addr, listen->ip);
	return sizeof *v6;
}

/* 0 with *@fd, or a negative errno. */
static int open_socket(const struct ctl_listen *listen_at, int *fd) {
	struct sockaddr_storage address;
	const socklen_t bytes = fill_address(listen_at, &address);
	const int on = 1;

	*fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return -errno;
	/* Connections of the scan before may still be in TIME_WAIT. */
	setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (address.ss_family == AF_INET6)
		setsockopt(*fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(*fd, (struct sockaddr *)&address, bytes) < 0 || listen(*fd, BACKLOG) < 0)
		return -errno;
	return 0;
}

static const char *reason_of(int rc) {
	switch (-rc) {
	case EADDRINUSE:
		return "another program listens there; give another port";
	case EADDRNOTAVAIL:
		return "no interface of this machine has this address";
	case EACCES:
		return "no permission for this port; give one from 1024 on";
	default:
		return strerror(-rc);
	}
}

int web_open(const struct ctl_config *config, struct watch *watch, struct web **out,
	struct dp_error *err) {
	struct web *web;
	char ip[VALUE_TEXT_BYTES];
	int rc;

	*out = NULL;
	if (!config->listen.on)
		return 0;
	web = calloc(1, sizeof *web);
	if (!web)
		return dp_fail(err, false, -ENOMEM, "out of memory");
	web->watch = watch;
	web->listen = config->listen;
	web->allow = config->allow;
	value_write_ip(web->listen.ip, ip);
	snprintf(web->name, sizeof web->name, dp_ip_is_v4(web->listen.ip) ? "%s:%u" : "[%s]:%u", ip,
		web->listen.port);
	rc = open_socket(&web->listen, &web->fd);
	if (rc) {
		dp_fail(err, true, rc, "[metrics] listen = %s: %s", web->name, reason_of(rc));
		web_destroy(web);
		return rc;
	}
	*out = web;
	return 0;
}

/* libmicrohttpd writes what it has to say about connections to standard error. */
static void say_nothing(void *user, const char *format, va_list args) {}

int web_start(struct web *web, struct dp_error *err) {
	sigset_t all, before;

	if (!web)
		return 0;
	/* The thread inherits the mask: signals are for the control core. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	web->daemon = MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD, 0, may_connect, web,
		on_request, web, MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL,
		MHD_OPTION_LISTEN_SOCKET, web->fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)MOST_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_BYTES, MHD_OPTION_END);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!web->daemon)
		return dp_fail(err, false, -ENOMEM, "[metrics] listen = %s: cannot start to answer",
			web->name);
	web->fd = -1;
	return 0;
}

void web_print(const struct web *web, FILE *out) {
	if (!web)
		return;
	fprintf(out, "state: http://%s/ and /metrics\n", web->name);
	if (!web->listen.local)
		fprintf(out,
			"prtip-dp: warning: [metrics] listen = %s: what is sent there is neither "
			"encrypted nor behind a password\n",
			web->name);
}

void web_show_end(const struct web *web, const atomic_int *interrupts) {
	const uint64_t now_ns = monotonic_ns(), time_ns = FOLLOW_MS * UINT64_C(1000000);

	if (!web || now_ns - atomic_load_explicit(&web->asked_ns, memory_order_relaxed) > time_ns)
		return;
	while (monotonic_ns() - now_ns < time_ns && atomic_load(interrupts) < 2)
		nanosleep(&(struct timespec){.tv_nsec = 20 * 1000 * 1000}, NULL);
}

void web_destroy(struct web *web) {
	if (!web)
		return;
	if (web->daemon)
		MHD_stop_daemon(web->daemon);
	if (web->fd >= 0)
		close(web->fd);
	free(web);
}
