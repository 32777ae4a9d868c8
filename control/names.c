/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Host names among the targets: looked up by the system's resolver, several at a time.
 *
 * Main thread before the scan starts, and the lookups' own threads, each of which writes only the row
 * that it took. Owns all texts and addresses.
 */
#include "names.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <search.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	MOST_THREADS = 16, /* lookups at a time: mostly they wait */
	REASON_BYTES = 160,
	INTERRUPTED = 130, /* exit status */
};

struct row {
	struct name public; /* first: what callers hold is a pointer to it */
	char *text;
	char *host; /* without the prefix */
	dp_ip *ips;
	bool known;
	char failure[REASON_BYTES];
};

struct names {
	struct row **rows; /* in the order in which they came */
	unsigned nb, room;
	void *by_text; /* tree of the same rows */
};

/* ---- What is a name ---- */

/*
 * Letters, digits, - and _ in labels of 1 to 63, the last with a letter (RFC 1123 section 2.1), so that
 * 192.0.2.1-99 is none.
 */
static bool is_host(const char *text, size_t length) {
	size_t label = 0;
	bool letter = false;

	if (length && text[length - 1] == '.')
		length--; /* of an absolute name */
	if (!length || length > NAMES_LONGEST)
		return false;
	for (size_t i = 0; i < length; i++) {
		const unsigned char c = (unsigned char)text[i];

		if (c == '.') {
			if (!label)
				return false;
			label = 0;
			letter = false;
			continue;
		}
		if ((!isalnum(c) && c != '-' && c != '_') || (!label && c == '-') || ++label > 63)
			return false;
		letter = letter || isalpha(c);
	}
	return label && letter;
}

static bool is_hexadecimal(const char *text, size_t length) {
	return length > 1 && text[0] == '0' && (text[1] | 0x20) == 'x';
}

int names_is_one(const char *text, size_t length, unsigned *bits, struct value_error *err) {
	const char *slash = memchr(text, '/', length);
	const size_t host = slash ? (size_t)(slash - text) : length;
	const size_t digits = slash ? length - host - 1 : 0;

	*bits = NAMES_NO_PREFIX;
	if (!is_host(text, host) || is_hexadecimal(text, host))
		return 0;
	if (!slash)
		return 1;
	*bits = 0;
	for (size_t i = 1; i <= digits && *bits <= 128; i++)
		*bits = isdigit((unsigned char)slash[i]) ? *bits * 10 + (unsigned)(slash[i] - '0')
							 : 129;
	if (!digits || (digits > 1 && slash[1] == '0') || *bits > 128)
		return value_fail(err, text, length,
			"bad prefix length; give /0 to /32 for a name's IPv4 address, /33 to /128 "
			"for its IPv6 address");
	return 1;
}

/* ---- Rows ---- */

static int by_text(const void *left, const void *right) {
	const struct row *a = left, *b = right;

	return strcmp(a->text, b->text);
}

static void free_row(struct row *row) {
	if (!row)
		return;
	free(row->text);
	free(row->host);
	free(row->ips);
	free(row);
}

static struct row *create_row(const char *text, size_t length) {
	struct row *row = calloc(1, sizeof(*row));
	struct value_error why;

	if (!row)
		return NULL;
	row->text = strndup(text, length);
	row->host = strndup(text, length);
	if (!row->text || !row->host) {
		free_row(row);
		return NULL;
	}
	for (char *c = row->text; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	row->host[strcspn(row->host, "/")] = '\0';
	names_is_one(row->text, length, &row->public.bits, &why);
	row->public.text = row->text;
	row->public.failure = row->failure;
	return row;
}

static int append(struct names *names, struct row *row) {
	if (names->nb == names->room) {
		const unsigned room = names->room ? names->room * 2 : 16;
		struct row **rows = reallocarray(names->rows, room, sizeof(struct row *));

		if (!rows)
			return -ENOMEM;
		names->rows = rows;
		names->room = room;
	}
	if (!tsearch(row, &names->by_text, by_text))
		return -ENOMEM;
	names->rows[names->nb++] = row;
	return 0;
}

/* The row of a name, which is made where there is none. NULL: no memory. */
static struct row *row_of(struct names *names, const char *text, size_t length) {
	struct row *row = create_row(text, length), **found;

	if (!row)
		return NULL;
	found = tfind(row, &names->by_text, by_text);
	if (found) {
		free_row(row);
		return *found;
	}
	if (append(names, row) < 0) {
		free_row(row);
		return NULL;
	}
	return row;
}

static int add_ip(struct row *row, dp_ip ip) {
	dp_ip *ips;

	for (unsigned i = 0; i < row->public.nb_ips; i++)
		if (row->ips[i] == ip)
			return 0;
	ips = reallocarray(row->ips, row->public.nb_ips + 1, sizeof(*ips));
	if (!ips)
		return -ENOMEM;
	ips[row->public.nb_ips++] = ip;
	row->public.ips = row->ips = ips;
	return 0;
}

/* Whether the prefix of a name is one of @ip's family: /24 is never meant for IPv6. */
static bool suits_prefix(const struct row *row, dp_ip ip) {
	return row->public.bits == NAMES_NO_PREFIX || (row->public.bits <= 32) == dp_ip_is_v4(ip);
}

/* `ADDRESS NAME` or `- NAME`. */
static int read_known(
	struct names *names, const char *item, size_t length, struct value_error *err) {
	const size_t first = strcspn(item, " \t,");
	const char *text = item + first + strspn(item + first, " \t");
	const size_t left = length - (size_t)(text - item);
	const bool failed = first == 1 && *item == '-';
	unsigned bits;
	dp_ip ip = 0;
	struct row *row;

	if (first >= length || !left || names_is_one(text, left, &bits, err) != 1)
		return value_fail(err, item, length,
			"give an address and the name that it stands for, such as 192.0.2.1 "
			"www.example.org");
	if (!failed && value_read_ip(item, first, &ip, err) < 0)
		return -EINVAL;
	row = row_of(names, text, left);
	if (!row)
		return -ENOMEM;
	if (!failed && !suits_prefix(row, ip))
		return value_fail(err, item, length, "the prefix is not of its address's family");
	if (row->known && (failed || *row->failure))
		return value_fail(
			err, item, length, "named before; a name has addresses, or - once");
	row->known = true;
	if (failed)
		snprintf(row->failure, sizeof(row->failure), "had no address when the scan began");
	return failed ? 0 : add_ip(row, ip);
}

int names_create(const char *resolved, struct names **out, struct value_error *err) {
	struct names *names = calloc(1, sizeof(*names));
	int ret = names ? 0 : -ENOMEM;

	while (!ret && *resolved) {
		const size_t whole = strcspn(resolved, ",");
		const size_t blanks = strspn(resolved, " \t");
		size_t length = whole;

		while (length > blanks
			&& (resolved[length - 1] == ' ' || resolved[length - 1] == '\t'))
			length--;
		if (length > blanks)
			ret = read_known(names, resolved + blanks, length - blanks, err);
		resolved += whole + (resolved[whole] == ',');
	}
	if (ret) {
		names_destroy(names);
		return ret;
	}
	*out = names;
	return 0;
}

static void ignore_node(void *row) {
	(void)row; /* the array owns it */
}

void names_destroy(struct names *names) {
	if (!names)
		return;
	tdestroy(names->by_text, ignore_node);
	for (unsigned i = 0; i < names->nb; i++)
		free_row(names->rows[i]);
	free(names->rows);
	free(names);
}

int names_want(struct names *names, const char *text, size_t length) {
	struct row *row = row_of(names, text, length);

	if (!row)
		return -ENOMEM;
	row->public.wanted = true;
	return 0;
}

void names_want_all(struct names *names) {
	for (unsigned i = 0; i < names->nb; i++)
		names->rows[i]->public.wanted = true;
}

/* ---- Looking up ---- */

struct lookup {
	const struct names_policy *policy;
	struct row **rows; /* what is to be looked up */
	unsigned nb;
	atomic_uint next; /* writers: all threads */
	atomic_bool no_memory; /* likewise */
	pthread_mutex_t mutex; /* of @done */
	pthread_cond_t one_done;
	unsigned done;
};

static dp_ip ip_of(const struct sockaddr *address) {
	dp_ip ip = 0;

	if (address->sa_family == AF_INET)
		return dp_ip_v4(ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr));
	for (unsigned i = 0; i < 16; i++)
		ip = ip << 8 | ((const struct sockaddr_in6 *)address)->sin6_addr.s6_addr[i];
	return ip;
}

/* Whether the kernel would know where to send: connecting a datagram socket sends nothing. */
static bool has_route(const struct addrinfo *info) {
	struct sockaddr_storage to = {0};
	int fd = socket(info->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool routed;

	if (fd < 0)
		return errno != EAFNOSUPPORT;
	memcpy(&to, info->ai_addr, info->ai_addrlen);
	/* Any port will do; it is at the same place in both families. */
	((struct sockaddr_in *)&to)->sin_port = htons(9);
	routed = connect(fd, (struct sockaddr *)&to, info->ai_addrlen) == 0 || errno == EACCES;
	close(fd);
	return routed;
}

struct choice {
	unsigned of_family, unrouted, repeats;
	bool v4, v6; /* one is taken */
};

static int consider(struct row *row, const struct addrinfo *info, const struct names_policy *policy,
	struct choice *choice) {
	const dp_ip ip = ip_of(info->ai_addr);
	const bool v4 = info->ai_family == AF_INET;
	bool *taken = v4 ? &choice->v4 : &choice->v6;

	/* An IPv4-mapped address is the IPv4 address, RFC 4291 section 2.5.5.2. */
	if (dp_ip_is_v4(ip) != v4 || !suits_prefix(row, ip))
		return 0;
	choice->of_family++;
	if ((v4 ? policy->routed4 : policy->routed6) && !has_route(info)) {
		choice->unrouted++;
		return 0;
	}
	if (*taken && !policy->all)
		return 0;
	*taken = true;
	return add_ip(row, ip);
}

static void say_why(
	struct row *row, const struct names_policy *policy, const struct choice *choice) {
	const unsigned bits = row->public.bits;

	if (choice->unrouted)
		snprintf(row->failure, sizeof(row->failure),
			"this machine has no route to %s of its addresses",
			choice->unrouted > 1 ? "any" : "the one");
	else if (bits != NAMES_NO_PREFIX)
		snprintf(row->failure, sizeof(row->failure), "no %s address, which /%u is of",
			bits <= 32 ? "IPv4" : "IPv6", bits);
	else
		snprintf(row->failure, sizeof(row->failure), "no %s address",
			policy->v4 ? "IPv4" : "IPv6");
}

static int choose(struct row *row, const struct addrinfo *list, const struct names_policy *policy) {
	struct choice choice = {0};
	int ret = 0;

	for (const struct addrinfo *i = list; !ret && i; i = i->ai_next)
		ret = consider(row, i, policy, &choice);
	row->public.nb_others
		= choice.of_family > row->public.nb_ips ? choice.of_family - row->public.nb_ips : 0;
	if (!ret && !row->public.nb_ips)
		say_why(row, policy, &choice);
	return ret;
}

static int look_up(struct row *row, const struct names_policy *policy) {
	const struct addrinfo hints = {
		.ai_family = policy->v4 && policy->v6 ? AF_UNSPEC
			: policy->v4		      ? AF_INET
						      : AF_INET6,
		.ai_socktype = SOCK_STREAM, /* or each address comes once a type */
	};
	struct addrinfo *list = NULL;
	int rc = getaddrinfo(row->host, NULL, &hints, &list), ret;

	row->known = true;
	if (rc == EAI_MEMORY)
		return -ENOMEM;
	if (rc) {
		snprintf(row->failure, sizeof(row->failure), "%s%s",
			rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc),
			policy->v4 && policy->v6 ? ""
				: policy->v4	 ? " (IPv4 was asked for)"
						 : " (IPv6 was asked for)");
		return 0;
	}
	ret = choose(row, list, policy);
	freeaddrinfo(list);
	return ret;
}

static void *work(void *user) {
	struct lookup *lookup = user;
	unsigned i;

	while ((i = atomic_fetch_add(&lookup->next, 1)) < lookup->nb) {
		if (look_up(lookup->rows[i], lookup->policy) < 0)
			atomic_store(&lookup->no_memory, true);
		pthread_mutex_lock(&lookup->mutex);
		lookup->done++;
		pthread_cond_signal(&lookup->one_done);
		pthread_mutex_unlock(&lookup->mutex);
	}
	return NULL;
}

/* Wait until all is done, and say once a second how far it is. */
static void watch(struct lookup *lookup) {
	struct timespec at;
	FILE *log = lookup->policy->log;

	clock_gettime(CLOCK_REALTIME, &at);
	pthread_mutex_lock(&lookup->mutex);
	while (lookup->done < lookup->nb) {
		at.tv_sec++;
		while (lookup->done < lookup->nb
			&& pthread_cond_timedwait(&lookup->one_done, &lookup->mutex, &at) == 0)
			;
		if (lookup->done < lookup->nb && log)
			fprintf(log, "resolving    %u of %u names\n", lookup->done, lookup->nb);
	}
	pthread_mutex_unlock(&lookup->mutex);
}

static void give_up(int signal) {
	static const char text[] = "prtip-dp: interrupted while names were looked up; nothing was "
				   "sent\n";
	ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);

	(void)signal;
	(void)written;
	_exit(INTERRUPTED);
}

/* Lookups can take long, and cannot be called off. */
static void catch (struct sigaction before[2]) {
	const struct sigaction action = {.sa_handler = give_up};

	sigaction(SIGINT, &action, &before[0]);
	sigaction(SIGTERM, &action, &before[1]);
	if (before[0].sa_handler == SIG_IGN)
		sigaction(SIGINT, &before[0], NULL);
	if (before[1].sa_handler == SIG_IGN)
		sigaction(SIGTERM, &before[1], NULL);
}

static void look_up_all(struct lookup *lookup) {
	pthread_t threads[MOST_THREADS];
	struct sigaction before[2];
	unsigned nb = 0;

	catch (before);
	while (nb < MOST_THREADS && nb < lookup->nb
		&& pthread_create(&threads[nb], NULL, work, lookup) == 0)
		nb++;
	if (!nb)
		work(lookup); /* one after the other, then */
	watch(lookup);
	for (unsigned i = 0; i < nb; i++)
		pthread_join(threads[i], NULL);
	sigaction(SIGINT, &before[0], NULL);
	sigaction(SIGTERM, &before[1], NULL);
}

int names_resolve(struct names *names, const struct names_policy *policy, struct dp_error *err) {
	struct lookup lookup = {.policy = policy,
		.rows = calloc(names->nb + 1, sizeof(struct row *)),
		.mutex = PTHREAD_MUTEX_INITIALIZER,
		.one_done = PTHREAD_COND_INITIALIZER};

	if (!lookup.rows)
		return dp_fail(err, false, -ENOMEM, "out of memory for host names");
	for (unsigned i = 0; i < names->nb; i++)
		if (names->rows[i]->public.wanted && !names->rows[i]->known)
			lookup.rows[lookup.nb++] = names->rows[i];
	if (lookup.nb)
		look_up_all(&lookup);
	free(lookup.rows);
	if (atomic_load(&lookup.no_memory))
		return dp_fail(err, false, -ENOMEM, "out of memory for host names");
	return 0;
}

/* ---- What came of it ---- */

const struct name *names_at(const struct names *names, unsigned i) {
	return names && i < names->nb ? &names->rows[i]->public : NULL;
}

unsigned names_count(const struct names *names) {
	unsigned count = 0;

	for (unsigned i = 0; names && i < names->nb; i++)
		count += names->rows[i]->public.wanted;
	return count;
}

unsigned names_failed(const struct names *names) {
	unsigned count = 0;

	for (unsigned i = 0; names && i < names->nb; i++)
		count += names->rows[i]->public.wanted && *names->rows[i]->failure;
	return count;
}

void names_log_failures(const struct names *names, FILE *log) {
	for (unsigned i = 0; names && i < names->nb; i++)
		if (names->rows[i]->public.wanted && *names->rows[i]->failure)
			fprintf(log, "prtip-dp: warning: target %s: %s; left out\n",
				names->rows[i]->text, names->rows[i]->failure);
}

void names_list_failures(const struct names *names, char *out, size_t room) {
	unsigned left = names_failed(names);
	size_t at = 0;

	*out = '\0';
	for (unsigned i = 0; i < names->nb && left; i++) {
		const struct row *row = names->rows[i];
		char more[32], text[NAMES_LONGEST + REASON_BYTES + 8];

		if (!row->public.wanted || !*row->failure)
			continue;
		snprintf(more, sizeof(more), "; and %u more", left);
		snprintf(text, sizeof(text), "%s%s: %s", at ? "; " : "", row->text, row->failure);
		if (at + strlen(text) + sizeof(more) > room) {
			snprintf(out + at, room - at, "%s", at ? more : more + strlen("; and "));
			return;
		}
		at += (size_t)snprintf(out + at, room - at, "%s", text);
		left--;
	}
}

char *names_text(const struct names *names) {
	char *out = NULL;
	size_t size;
	FILE *file = open_memstream(&out, &size);
	bool first = true;

	for (unsigned i = 0; file && i < names->nb; i++) {
		const struct row *row = names->rows[i];
		char text[VALUE_TEXT_BYTES];

		if (!row->public.wanted)
			continue;
		if (!row->public.nb_ips)
			fprintf(file, "%s- %s", first ? "" : ", ", row->text);
		for (unsigned k = 0; k < row->public.nb_ips; k++) {
			value_write_ip(row->ips[k], text);
			fprintf(file, "%s%s %s", first && !k ? "" : ", ", text, row->text);
		}
		first = false;
	}
	if (!file || fclose(file)) {
		free(out);
		return NULL;
	}
	return out;
}
