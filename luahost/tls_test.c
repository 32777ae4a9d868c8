/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TLS against real servers (`openssl s_server` in a network namespace), from a process that may open
 * no file and make no socket; against a server in this process; and against certificates as nobody
 * should make them. What tls_info() says is compared with what `openssl x509` prints.
 */
#include "sandbox.h"
#include "tls.h"
#include "tls_lab.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <seccomp.h>
#include <sys/mman.h>

TestSuite(tls, .init = lab_enter, .fini = lab_leave, .timeout = 240);

/* ---- A connection over a socket ---- */

struct link {
	struct tls *tls;
	int fd;
	uint8_t bytes[3000]; /* from the network, not fed yet */
	size_t at, held;
};

static void flush(struct link *link) {
	uint8_t bytes[1500];

	for (size_t n; (n = tls_take(link->tls, bytes, sizeof(bytes)));)
		for (size_t at = 0; at < n;) {
			const ssize_t sent = send(link->fd, bytes + at, n - at, MSG_NOSIGNAL);

			if (sent <= 0)
				return;
			at += (size_t)sent;
		}
}

static void fill(struct link *link) {
	if (link->at == link->held) {
		const ssize_t n = recv(link->fd, link->bytes, sizeof(link->bytes), 0);

		link->at = 0;
		link->held = n > 0 ? (size_t)n : 0;
		if (n <= 0)
			tls_feed_end(link->tls);
	}
	link->at += tls_feed(link->tls, link->bytes + link->at, link->held - link->at);
}

/* True where the call is to be made again. */
static bool again(struct link *link, enum tls_result result) {
	flush(link);
	if (result == TLS_WANT_READ)
		fill(link);
	return result == TLS_WANT_READ || result == TLS_WANT_WRITE;
}

static enum tls_result handshake(struct link *link) {
	enum tls_result result;

	do
		result = tls_handshake(link->tls);
	while (again(link, result));
	return result;
}

static enum tls_result read_some(struct link *link, void *data, size_t room, size_t *done) {
	enum tls_result result;

	do
		result = tls_read(link->tls, data, room, done);
	while (again(link, result));
	return result;
}

static enum tls_result write_all(struct link *link, const char *data, size_t n) {
	enum tls_result result = TLS_OK;
	size_t done;

	for (size_t at = 0; at < n && result == TLS_OK; at += done)
		do
			result = tls_write(link->tls, data + at, n - at, &done);
		while (again(link, result));
	return result;
}

static void push_info(lua_State *L, const struct tls *tls) {
	tls_push_info(L, tls);
	lua_setglobal(L, "r");
}

/* Connect to the server that was started, and put what it is into global `r`. */
static void connect_info(lua_State *L, struct tls_options options) {
	struct link link = {.fd = lab_connect()};

	cr_assert_eq(tls_create(&options, &link.tls), 0);
	cr_assert_eq(handshake(&link), TLS_OK, "%s", tls_error(link.tls));
	push_info(L, link.tls);
	tls_destroy(link.tls);
	close(link.fd);
}

/* ---- Locked ---- */

/*
 * All that a lane may need for TLS. Anything else kills: in particular open, openat, socket, execve,
 * and mmap and mprotect with PROT_EXEC.
 */
static void lock(void) {
	static const int allowed[] = {SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(sendto),
		SCMP_SYS(recvfrom), SCMP_SYS(close), SCMP_SYS(brk), SCMP_SYS(munmap),
		SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(getrandom), SCMP_SYS(getpid),
		SCMP_SYS(futex), SCMP_SYS(exit_group)};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int rc = 0;

	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		rc |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	/* qsort() asks how much memory there is, and does without an answer. */
	rc |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(sysinfo), 0);
	rc |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
		SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	rc |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
		SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (rc || seccomp_load(filter))
		_exit(99);
	seccomp_release(filter);
}

/* In a new process that locks itself before the first call of OpenSSL: 0, or the step that failed. */
static int talk_locked(lua_State *L, int fd, const char *protocol) {
	struct tls_context *context;
	struct tls_options options = {.server_name = "lab.example"};
	struct link link = {.fd = fd};
	char line[64] = "";
	size_t got = 0, done;

	if (tls_context_create(&context))
		return 1;
	options.context = context;
	if (tls_create(&options, &link.tls) || handshake(&link) != TLS_OK)
		return 2;
	if (write_all(&link, "stressed\n", 9) != TLS_OK)
		return 3;
	while (got < 9 && read_some(&link, line + got, sizeof(line) - 1 - got, &done) == TLS_OK)
		got += done;
	if (strcmp(line, "desserts\n"))
		return 4;
	push_info(L, link.tls);
	lua_getglobal(L, "r");
	lua_getfield(L, -1, "protocol");
	if (strcmp(lua_tostring(L, -1), protocol))
		return 5;
	lua_getfield(L, -2, "certificate");
	lua_getfield(L, -1, "not_after");
	if (lua_tonumber(L, -1) < 1.7e9)
		return 6;
	tls_shutdown(link.tls);
	flush(&link);
	tls_destroy(link.tls);
	tls_context_destroy(context);
	return 0;
}

/* ---- Jobs in a process of their own ---- */

/*
 * Criterion uses libraries that set OpenSSL up, with its configuration file, before any test runs.
 * What is about the first call of OpenSSL starts this program again and never comes to main().
 */
static const char job_variable[] = "TLS_TEST_JOB";

/* Blocks of OpenSSL that are in use. */
static long openssl_blocks;

static void *count_malloc(size_t n, const char *file, int line) {
	void *block = malloc(n);

	openssl_blocks += block != NULL;
	return block;
}

static void *count_realloc(void *block, size_t n, const char *file, int line) {
	openssl_blocks += !block;
	return realloc(block, n);
}

static void count_free(void *block, const char *file, int line) {
	openssl_blocks -= block != NULL;
	free(block);
}

static int job_locked(int fd, const char *protocol) {
	lua_State *L = lab_vm();

	lock();
	return talk_locked(L, fd, protocol);
}

static int job_out_of_memory(int fd, const char *argument);

static const struct {
	const char *name;
	int (*run)(int fd, const char *argument);
} jobs[] = {
	{"locked", job_locked},
	{"memory", job_out_of_memory},
};

/* "NAME FD ARGUMENT". Ends the process with what the job returned. */
__attribute__((constructor)) static void run_job(void) {
	const char *text = getenv(job_variable);
	char name[16], argument[16];
	int fd;

	if (!text)
		return;
	/* This succeeds only where OpenSSL has not asked for memory yet. */
	if (sscanf(text, "%15s %d %15s", name, &fd, argument) != 3
		|| !CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free))
		_exit(98);
	for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++)
		if (!strcmp(jobs[i].name, name))
			_exit(jobs[i].run(fd, argument));
	_exit(97);
}

/* How a child ended: its exit status, or minus the signal. */
static int status_of(pid_t child) {
	int status;

	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int do_job(const char *name, int fd, const char *argument) {
	char text[64];
	const pid_t child = fork();

	if (child)
		return status_of(child);
	snprintf(text, sizeof(text), "%s %d %s", name, fd, argument);
	setenv(job_variable, text, 1);
	execl("/proc/self/exe", "tls_test", NULL);
	_exit(96);
}

static void check_locked(const char *options, const char *protocol) {
#ifdef __SANITIZE_ADDRESS__
	cr_skip_test("the sanitizer makes system calls of its own");
#endif
	lab_certificate("s", "-newkey rsa:2048 -subj /CN=lab.example -days 30");
	const pid_t server = lab_server(options);
	const int fd = lab_connect();
	cr_assert_eq(do_job("locked", fd, protocol), 0);
	lab_stop(server);
}

Test(tls, locked_tls13) {
	check_locked("-cert s.pem -key s.key -rev -tls1_3", "TLSv1.3");
}

Test(tls, locked_tls12) {
	check_locked("-cert s.pem -key s.key -rev -tls1_2", "TLSv1.2");
}

Test(tls, locked_tls10) {
	check_locked("-cert s.pem -key s.key -rev -tls1 -cipher ALL:@SECLEVEL=0", "TLSv1.0");
}

/* That the lock of these tests locks. */
Test(tls, lock_kills) {
	const pid_t opens = fork();
	if (!opens) {
		lock();
		_exit(fopen("/etc/ssl/openssl.cnf", "r") != NULL);
	}
	cr_assert_eq(status_of(opens), -SIGSYS);
	const pid_t maps = fork();
	if (!maps) {
		lock();
		_exit(mmap(NULL, 4096, PROT_EXEC | PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
			!= MAP_FAILED);
	}
	cr_assert_eq(status_of(maps), -SIGSYS);
}

/* ---- What tls_info() says, against `openssl x509` ---- */

/* Compare the Lua expression with what `openssl x509 -in FILE -noout @what` prints after @filter. */
static void compare(lua_State *L, const char *expression, const char *file, const char *what) {
	char text[LAB_TEXT];

	lab_read(text, "openssl x509 -in %s -noout %s", file, what);
	lab_expect(L, expression, text);
}

static void compare_all(lua_State *L, const char *cert, const char *file) {
	static const struct {
		const char *field, *what;
	} fields[] = {
		{"subject",
			"-subject -nameopt esc_2253,esc_ctrl,utf8,sep_comma_plus_space,sname | cut "
			"-d= -f2-"},
		{"issuer",
			"-issuer -nameopt esc_2253,esc_ctrl,utf8,sep_comma_plus_space,sname | cut "
			"-d= -f2-"},
		{"serial", "-serial | cut -d= -f2 | tr A-F a-f"},
		{"sha1", "-fingerprint -sha1 | cut -d= -f2 | tr -d : | tr A-F a-f"},
		{"sha256", "-fingerprint -sha256 | cut -d= -f2 | tr -d : | tr A-F a-f"},
		{"not_before", "-startdate | cut -d= -f2 | date -u -f - +%s"},
		{"not_after", "-enddate | cut -d= -f2 | date -u -f - +%s"},
		{"not_before_text", "-startdate | cut -d= -f2 | date -u -f - +%Y-%m-%dT%H:%M:%SZ"},
		{"not_after_text", "-enddate | cut -d= -f2 | date -u -f - +%Y-%m-%dT%H:%M:%SZ"},
		{"version", "-text | sed -n 's/.*Version: \\([0-9]*\\) .*/\\1/p'"},
		{"signature", "-text | sed -n 's/.*Signature Algorithm: //p' | head -1"},
		{"ca", "-text | grep -q CA:TRUE && echo true || echo false"},
	};
	char expression[LAB_TEXT];

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		snprintf(expression, sizeof(expression), "%s.%s", cert, fields[i].field);
		compare(L, expression, file, fields[i].what);
	}
}

/* The DER is what is in the file. */
static void compare_der(lua_State *L, const char *file) {
	char text[LAB_TEXT];

	lua_getglobal(L, "r");
	lua_getfield(L, -1, "certificate");
	lua_getfield(L, -1, "der");
	size_t n;
	const char *der = lua_tolstring(L, -1, &n);
	FILE *out = fopen("got.der", "w");
	fwrite(der, 1, n, out);
	fclose(out);
	lab_run("openssl x509 -in %s -outform DER -out want.der && cmp got.der want.der", file);
	lab_read(text, "stat -c %%s want.der");
	cr_assert_eq((size_t)atol(text), n);
}

Test(tls, info_rsa) {
	lua_State *L = lab_vm();

	lab_certificate("s",
		"-newkey rsa:2048 -days 30 -utf8 "
		"-subj '/C=DE/O=Müller, Söhne/CN=old/CN=lab.example' "
		"-addext subjectAltName=DNS:lab.example,DNS:*.lab.example,IP:10.1.2.3,"
		"IP:2001:db8::7,email:a@b");
	const pid_t server = lab_server("-cert s.pem -key s.key -www -alpn http/1.1,h2");
	static const char *const alpn[] = {"h2", "http/1.1"};
	connect_info(
		L, (struct tls_options){.server_name = "lab.example", .alpn = alpn, .nb_alpn = 2});
	lab_expect(L, "r.protocol", "TLSv1.3");
	lab_expect(L, "r.cipher", "TLS_AES_256_GCM_SHA384");
	lab_expect(L, "r.cipher_bits", "256");
	lab_expect(L, "r.alpn", "http/1.1");
	lab_expect(L, "r.group", "x25519");
	lab_expect(L, "r.server_name", "lab.example");
	lab_expect(L, "#r.chain", "1");
	lab_expect(L, "r.certificate == r.chain[1]", "true");
	compare_all(L, "r.certificate", "s.pem");
	lab_expect(L, "r.certificate.subject", "C=DE, O=Müller\\, Söhne, CN=old, CN=lab.example");
	lab_expect(L, "r.certificate.common_name", "lab.example");
	lab_expect(L, "r.certificate.issuer_common_name", "lab.example");
	lab_expect(L, "table.concat(r.certificate.names, ' ')",
		"lab.example *.lab.example 10.1.2.3 2001:db8::7");
	lab_expect(L, "r.certificate.key_type", "rsa");
	lab_expect(L, "r.certificate.key_bits", "2048");
	lab_expect(L, "r.certificate.curve", "nil");
	lab_expect(L, "r.certificate.self_signed", "true");
	compare_der(L, "s.pem");
	lab_stop(server);
	lua_close(L);
}

Test(tls, info_ec_tls12) {
	lua_State *L = lab_vm();

	lab_certificate("s", "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -days 30 -subj /CN=ec");
	const pid_t server = lab_server("-cert s.pem -key s.key -www -tls1_2 -curves P-384");
	connect_info(L, (struct tls_options){.max_version = 0x0303});
	lab_expect(L, "r.protocol", "TLSv1.2");
	lab_expect(L, "r.cipher", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384");
	lab_expect(L, "r.group", "secp384r1");
	lab_expect(L, "r.server_name", "nil");
	lab_expect(L, "r.alpn", "nil");
	compare_all(L, "r.certificate", "s.pem");
	lab_expect(L, "r.certificate.key_type", "ec");
	lab_expect(L, "r.certificate.key_bits", "256");
	lab_expect(L, "r.certificate.curve", "secp256r1");
	lab_expect(L, "#r.certificate.names", "0");
	lab_stop(server);
	lua_close(L);
}

Test(tls, info_ed25519) {
	lua_State *L = lab_vm();

	lab_certificate("s", "-newkey ed25519 -days 30 -subj '/O=No name/OU=x+OU=y'");
	const pid_t server = lab_server("-cert s.pem -key s.key -www");
	connect_info(L, (struct tls_options){});
	compare_all(L, "r.certificate", "s.pem");
	lab_expect(L, "r.certificate.key_type", "ed25519");
	lab_expect(L, "r.certificate.common_name", "nil");
	lab_expect(L, "r.certificate.signature", "ED25519");
	lab_stop(server);
	lua_close(L);
}

Test(tls, info_expired_in_a_chain_of_three) {
	lua_State *L = lab_vm();

	lab_certificate("root", "-newkey rsa:2048 -days 3650 -subj /CN=Root");
	lab_run("printf 'basicConstraints=critical,CA:TRUE\n' > ca.ext");
	lab_run("openssl req -newkey rsa:1024 -nodes -keyout mid.key -subj /CN=Middle -out mid.csr "
		"2>log && openssl x509 -req -in mid.csr -CA root.pem -CAkey root.key -days 365 "
		"-set_serial 0x7fffffffffffffffffff -extfile ca.ext -out mid.pem 2>log");
	lab_run("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout leaf.key "
		"-subj /CN=leaf.example -out leaf.csr 2>log && openssl x509 -req -in leaf.csr -CA "
		"mid.pem -CAkey mid.key -days -1 -set_serial 0 -out leaf.pem 2>log");
	lab_run("cat mid.pem root.pem > rest.pem");
	const pid_t server = lab_server("-cert leaf.pem -key leaf.key -cert_chain rest.pem -www "
					"-cipher ALL:@SECLEVEL=0");
	connect_info(L, (struct tls_options){});
	lab_expect(L, "#r.chain", "3");
	compare_all(L, "r.chain[1]", "leaf.pem");
	compare_all(L, "r.chain[2]", "mid.pem");
	compare_all(L, "r.chain[3]", "root.pem");
	lab_expect(L, "r.certificate.not_after < os.time()", "true");
	lab_expect(L, "r.certificate.issuer_common_name", "Middle");
	lab_expect(L, "r.certificate.self_signed", "false");
	lab_expect(L, "r.certificate.curve", "secp384r1");
	lab_expect(L, "r.chain[2].self_signed", "false");
	lab_expect(L, "r.chain[2].key_bits", "1024");
	lab_expect(L, "r.chain[3].self_signed", "true");
	lab_stop(server);
	lua_close(L);
}

/* No certificate; a Diffie-Hellman group of its own; an old protocol. */
Test(tls, info_anonymous) {
	lua_State *L = lab_vm();

	lab_run("openssl dhparam -out dh.pem 1024 2>log");
	const pid_t server
		= lab_server("-nocert -www -tls1_1 -cipher ADH:@SECLEVEL=0 -dhparam dh.pem");
	connect_info(L, (struct tls_options){});
	lab_expect(L, "r.protocol", "TLSv1.1");
	lab_expect(L, "r.cipher:match('^TLS_DH_anon_WITH_') ~= nil", "true");
	lab_expect(L, "r.group", "dh1024");
	lab_expect(L, "#r.chain", "0");
	lab_expect(L, "r.certificate", "nil");
	lab_stop(server);
	lua_close(L);
}

/* ---- A server in this process ---- */

struct memory {
	struct link link; /* its descriptor is not used */
	SSL *server;
	BIO *wire;
	size_t step; /* bytes moved at once */
};

static bool memory_create(struct memory *memory, const struct tls_options *options, size_t step) {
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	BIO *inner;

	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_min_proto_version(ctx, TLS1_VERSION);
	if (!SSL_CTX_use_certificate_file(ctx, "s.pem", SSL_FILETYPE_PEM)
		|| !SSL_CTX_use_PrivateKey_file(ctx, "s.key", SSL_FILETYPE_PEM))
		return false;
	*memory = (struct memory){.server = SSL_new(ctx), .step = step};
	SSL_CTX_free(ctx);
	BIO_new_bio_pair(&inner, 0, &memory->wire, 0);
	SSL_set_bio(memory->server, inner, inner);
	SSL_set_accept_state(memory->server);
	return tls_create(options, &memory->link.tls) == 0;
}

static void memory_destroy(struct memory *memory) {
	tls_destroy(memory->link.tls);
	SSL_free(memory->server);
	BIO_free(memory->wire);
}

/* Move bytes both ways, as many as there is room for; false where there were none. */
static bool move(struct memory *memory) {
	struct link *link = &memory->link;
	uint8_t bytes[20000];
	bool moved = false;

	for (size_t n; (n = tls_take(link->tls, bytes, memory->step)); moved = true)
		if (BIO_write(memory->wire, bytes, (int)n) != (int)n)
			return false;
	if (link->at == link->held) {
		const int n = BIO_read(memory->wire, link->bytes, (int)memory->step);

		link->at = 0;
		link->held = n > 0 ? (size_t)n : 0;
	}
	const size_t fed = tls_feed(link->tls, link->bytes + link->at, link->held - link->at);
	link->at += fed;
	return moved || fed;
}

static bool memory_handshake(struct memory *memory) {
	for (unsigned i = 0; i < 100000; i++) {
		const int accepted = SSL_do_handshake(memory->server);
		const enum tls_result result = tls_handshake(memory->link.tls);

		move(memory);
		if (accepted == 1 && result == TLS_OK)
			return true;
		if (result == TLS_FAILED || result == TLS_CLOSED)
			return false;
	}
	return false;
}

/* Send @total bytes each way and compare. */
static void memory_exchange(struct memory *memory, size_t total) {
	char *sent = malloc(total), *got = malloc(total);
	size_t out = 0, in = 0, echoed = 0, back = 0, done;

	for (size_t i = 0; i < total; i++)
		sent[i] = (char)(i * 2654435761u >> 13);
	while (back < total) {
		size_t n = 0;

		if (out < total
			&& tls_write(memory->link.tls, sent + out, total - out, &done) == TLS_OK)
			out += done;
		move(memory);
		if (in < total && SSL_read_ex(memory->server, got + in, total - in, &n))
			in += n;
		if (echoed < in && SSL_write_ex(memory->server, got + echoed, in - echoed, &n))
			echoed = in;
		move(memory);
		const enum tls_result result = tls_read(memory->link.tls, got + back, 777, &done);
		cr_assert(result != TLS_FAILED && result != TLS_CLOSED);
		cr_assert(!memcmp(sent + back, got + back, done));
		back += done;
	}
	free(sent);
	free(got);
}

static void check_memory(int version, size_t step, size_t total) {
	const struct tls_options options = {.min_version = version, .max_version = version};
	struct memory memory;
	char rest[8];
	size_t done;

	cr_assert(memory_create(&memory, &options, step));
	cr_assert(memory_handshake(&memory), "%s", tls_error(memory.link.tls));
	cr_assert_eq(SSL_version(memory.server), version);
	memory_exchange(&memory, total);
	SSL_shutdown(memory.server);
	while (move(&memory))
		;
	cr_assert_eq(tls_read(memory.link.tls, rest, sizeof(rest), &done), TLS_CLOSED);
	cr_assert_str_eq(tls_error(memory.link.tls), "");
	tls_shutdown(memory.link.tls);
	move(&memory);
	SSL_read(memory.server, rest, 1);
	cr_assert(SSL_get_shutdown(memory.server) & SSL_RECEIVED_SHUTDOWN);
	memory_destroy(&memory);
}

Test(tls, data_both_ways) {
	lab_certificate("s", "-newkey rsa:2048 -subj /CN=x -days 30");
	for (int version = 0x0301; version <= 0x0304; version++) {
		check_memory(version, 1, 3000);
		check_memory(version, 1000, 200000);
	}
}

/*
 * Write pieces of @n bytes until there is no room, then others: nothing is half written. Returns the
 * bytes that were taken.
 */
static size_t write_until_full(struct tls *tls, size_t n) {
	char bytes[5000];
	size_t total = 0, done;

	memset(bytes, 'a', sizeof(bytes));
	while (tls_write(tls, bytes, n, &done) == TLS_OK)
		total += done;
	cr_assert_eq(done, 0);
	bytes[0] = 'b';
	cr_assert_eq(tls_write(tls, bytes, 1, &done), TLS_WANT_WRITE);
	return total;
}

static void check_full(int version, size_t n) {
	const struct tls_options options = {.min_version = version, .max_version = version};
	struct memory memory;
	size_t done, got = 0;
	char bytes[5000];

	cr_assert(memory_create(&memory, &options, 4000));
	cr_assert(memory_handshake(&memory));
	const size_t total = write_until_full(memory.link.tls, n);
	cr_assert_gt(total, 0);
	move(&memory);
	cr_assert_eq(tls_write(memory.link.tls, "c", 1, &done), TLS_OK);
	cr_assert_eq(done, 1);
	move(&memory);
	while (SSL_read_ex(memory.server, bytes, sizeof(bytes), &done))
		got += done;
	cr_assert_eq(got, total + 1);
	memory_destroy(&memory);
}

Test(tls, writes_are_never_half_done) {
	lab_certificate("s", "-newkey rsa:2048 -subj /CN=x -days 30");
	for (int version = 0x0301; version <= 0x0304; version++)
		for (size_t n = 1; n <= 5000; n = n * 3 + 1)
			check_full(version, n);
}

/* ---- Bad peers ---- */

static struct tls *fresh(void) {
	const struct tls_options options = {};
	struct tls *tls;

	cr_assert_eq(tls_create(&options, &tls), 0);
	cr_assert_eq(tls_handshake(tls), TLS_WANT_WRITE);
	for (uint8_t bytes[4096]; tls_take(tls, bytes, sizeof(bytes));)
		;
	cr_assert_eq(tls_handshake(tls), TLS_WANT_READ);
	return tls;
}

static void check_error(const void *bytes, size_t n, const char *error) {
	struct tls *tls = fresh();
	size_t done;

	cr_assert_str_eq(tls_error(tls), "");
	cr_assert_eq(tls_feed(tls, bytes, n), n);
	cr_assert_eq(tls_handshake(tls), TLS_FAILED);
	cr_assert_str_eq(tls_error(tls), error);
	cr_assert_eq(tls_write(tls, "x", 1, &done), TLS_FAILED);
	cr_assert_eq(tls_handshake(tls), TLS_FAILED);
	cr_assert_str_eq(tls_error(tls), error);
	tls_shutdown(tls);
	tls_destroy(tls);
}

Test(tls, errors) {
	check_error("HTTP/1.0 400 Bad\r\n\r\n", 20, "wrong version number");
	check_error("\x15\x03\x01\x00\x02\x02\x28", 7, "alert handshake failure");
	check_error("\x15\x03\x01\x00\x02\x02\x46", 7, "alert protocol version");
}

Test(tls, hungry_takes_all) {
	static const uint8_t zeros[TLS_FEED_BYTES + 1];
	struct tls *tls = fresh();

	cr_assert_eq(tls_feed(tls, zeros, sizeof(zeros)), TLS_FEED_BYTES);
	cr_assert_eq(tls_feed(tls, zeros, 1), 0);
	tls_destroy(tls);
}

Test(tls, end_of_stream) {
	struct tls *tls = fresh();
	size_t done;
	char byte;

	tls_feed_end(tls);
	cr_assert_eq(tls_feed(tls, "x", 1), 0);
	cr_assert_eq(tls_handshake(tls), TLS_CLOSED);
	cr_assert_str_eq(tls_error(tls), "connection closed during the handshake");
	cr_assert_eq(tls_read(tls, &byte, 1, &done), TLS_CLOSED);
	tls_destroy(tls);
}

Test(tls, end_of_stream_without_goodbye) {
	const struct tls_options options = {};
	struct memory memory;
	char text[8];
	size_t done;

	lab_certificate("s", "-newkey rsa:2048 -subj /CN=x -days 30");
	cr_assert(memory_create(&memory, &options, 4000));
	cr_assert(memory_handshake(&memory), "%s", tls_error(memory.link.tls));
	SSL_write(memory.server, "last", 4);
	while (move(&memory))
		;
	tls_feed_end(memory.link.tls);
	cr_assert_eq(tls_read(memory.link.tls, text, sizeof(text), &done), TLS_OK);
	cr_assert(done == 4 && !memcmp(text, "last", 4));
	cr_assert_eq(tls_read(memory.link.tls, text, sizeof(text), &done), TLS_CLOSED);
	memory_destroy(&memory);
}

Test(tls, options_are_checked) {
	static const char *const empty[] = {""};
	char longer[257];
	memset(longer, 'a', 256);
	longer[256] = '\0';
	const char *const too_long[] = {longer};
	const struct tls_options bad[] = {
		{.min_version = 0x0300},
		{.max_version = 0x0305},
		{.min_version = 0x0303, .max_version = 0x0301},
		{.ciphers = "NO-SUCH-CIPHER"},
		{.server_name = ""},
		{.server_name = longer},
		{.alpn = empty, .nb_alpn = 1},
		{.alpn = too_long, .nb_alpn = 1},
	};
	struct tls *tls;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(tls_create(&bad[i], &tls), -EINVAL, "%zu", i);
	tls_destroy(NULL);
	tls_context_destroy(NULL);
}

/* ---- Certificates that nobody should make ---- */

struct bytes {
	uint8_t *at;
	size_t n;
};

static X509 *odd_certificate(EVP_PKEY *key) {
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), -255);
	ASN1_TIME_set_string(X509_getm_notBefore(cert), "00000101000000Z");
	ASN1_TIME_set_string(X509_getm_notAfter(cert), "99991231235959Z");
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_NID(
		name, NID_commonName, V_ASN1_UTF8STRING, (const uint8_t *)"a.b\0.c\\d", 8, -1, 0);
	X509_NAME_add_entry_by_NID(name, NID_organizationName, V_ASN1_T61STRING,
		(const uint8_t *)"\xfc\xff", 2, -1, 0);
	X509_set_issuer_name(cert, name);
	return cert;
}

static struct bytes sign(X509 *cert, EVP_PKEY *key) {
	struct bytes der = {};

	cr_assert(X509_sign(cert, key, EVP_sha256()));
	der.n = (size_t)i2d_X509(cert, &der.at);
	X509_free(cert);
	return der;
}

static void put24(uint8_t *at, size_t n) {
	at[0] = (uint8_t)(n >> 16);
	at[1] = (uint8_t)(n >> 8);
	at[2] = (uint8_t)n;
}

/* The first flight of a TLS 1.2 server with @nb times the certificate @der; to be freed. */
static struct bytes flight(struct bytes der, size_t nb) {
	static const uint8_t hello[] = {0x16, 3, 3, 0, 42, 2, 0, 0, 38, 3, 3};
	const size_t list = nb * (3 + der.n), message = 4 + 3 + list;
	const size_t records = message / 16000 + 1;
	uint8_t *body = calloc(1, message), *at;
	struct bytes out
		= {.at = calloc(1, 47 + message + 5 * records), .n = 47 + message + 5 * records};

	memcpy(out.at, hello, sizeof(hello));
	memset(out.at + sizeof(hello), 7,
		32); /* random; then no session, AES128-SHA, no compression */
	out.at[sizeof(hello) + 34] = 0x2f;
	body[0] = 11;
	put24(body + 1, message - 4);
	put24(body + 4, list);
	at = body + 7;
	for (size_t i = 0; i < nb; i++, at += 3 + der.n) {
		put24(at, der.n);
		memcpy(at + 3, der.at, der.n);
	}
	at = out.at + 47;
	for (size_t i = 0; i < records; i++) {
		const size_t n = i + 1 < records ? 16000 : message - i * 16000;

		memcpy(at, "\x16\x03\x03", 3);
		at[3] = (uint8_t)(n >> 8);
		at[4] = (uint8_t)n;
		memcpy(at + 5, body + i * 16000, n);
		at += 5 + n;
	}
	free(body);
	return out;
}

/* Feed the flight, push what is known then, and return the error. */
static const char *show(lua_State *L, struct tls_context *context, struct bytes der, size_t nb) {
	const struct tls_options options = {.context = context, .max_version = 0x0303};
	struct bytes bytes = flight(der, nb);
	struct tls *tls;
	uint8_t out[4096];

	cr_assert_eq(tls_create(&options, &tls), 0);
	tls_handshake(tls);
	while (tls_take(tls, out, sizeof(out)))
		;
	for (size_t at = 0; at < bytes.n;) {
		const size_t n = tls_feed(tls, bytes.at + at, bytes.n - at);

		at += n;
		const enum tls_result result = tls_handshake(tls);
		while (tls_take(tls, out, sizeof(out)))
			;
		if (result == TLS_FAILED)
			break;
	}
	push_info(L, tls);
	const char *error = tls_error(tls);
	tls_destroy(tls);
	free(bytes.at);
	return error;
}

Test(tls, odd_certificate) {
	EVP_PKEY *key = EVP_RSA_gen(1024);
	lua_State *L = lab_vm();
	struct tls_context *context;
	struct bytes der = sign(odd_certificate(key), key);

	cr_assert_eq(tls_context_create(&context), 0);
	show(L, context, der, 1);
	lab_expect(L, "#r.chain", "1");
	lab_expect(L, "r.certificate.serial", "-ff");
	lab_expect(L, "r.certificate.common_name", "a.b\\00.c\\\\d");
	lab_expect(L, "r.certificate.not_before", "-62167219200");
	lab_expect(L, "r.certificate.not_before_text", "0000-01-01T00:00:00Z");
	lab_expect(L, "string.format('%d', r.certificate.not_after)", "253402300799");
	lab_expect(L, "#r.certificate.names", "0");
	lab_expect(L, "r.certificate.self_signed", "true");
	lab_expect(L, "r.certificate.subject", "CN=a.b\\00.c\\\\d, O=üÿ");
	tls_context_destroy(context);
	free(der.at);
	EVP_PKEY_free(key);
	lua_close(L);
}

/* What OpenSSL cannot read at all ends the handshake. */
Test(tls, broken_text) {
	EVP_PKEY *key = EVP_RSA_gen(1024);
	X509 *cert = odd_certificate(key);
	lua_State *L = lab_vm();
	struct tls_context *context;

	X509_NAME_add_entry_by_NID(X509_get_subject_name(cert), NID_localityName, V_ASN1_UTF8STRING,
		(const uint8_t *)"zzz", 3, -1, 0);
	struct bytes der = sign(cert, key);
	memcpy(memmem(der.at, der.n, "zzz", 3), "\xff\xc0\x80", 3);
	cr_assert_eq(tls_context_create(&context), 0);
	cr_assert_str_eq(show(L, context, der, 1), "invalid utf8string");
	lab_expect(L, "#r.chain", "0");
	tls_context_destroy(context);
	free(der.at);
	EVP_PKEY_free(key);
	lua_close(L);
}

/* The algorithm of the key becomes one that nobody has: 1.2.840.113549.1.1.99. */
Test(tls, unknown_key_type) {
	static const uint8_t rsa[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1};
	EVP_PKEY *key = EVP_RSA_gen(1024);
	lua_State *L = lab_vm();
	struct tls_context *context;
	struct bytes der = sign(odd_certificate(key), key);
	uint8_t *oid = memmem(der.at, der.n, rsa, sizeof(rsa));

	oid[8] = 99;
	cr_assert_eq(tls_context_create(&context), 0);
	cr_assert_str_eq(show(L, context, der, 1), "unable to find public key parameters");
	lab_expect(L, "r.certificate.key_type", "1.2.840.113549.1.1.99");
	lab_expect(L, "r.certificate.key_bits", "nil");
	lab_expect(L, "r.certificate.self_signed", "false");
	tls_context_destroy(context);
	free(der.at);
	EVP_PKEY_free(key);
	lua_close(L);
}

/* As many as OpenSSL takes (100 KiB of them), and more. */
Test(tls, huge_chains) {
	EVP_PKEY *key = EVP_RSA_gen(1024);
	lua_State *L = lab_vm();
	struct tls_context *context;
	struct bytes der = sign(odd_certificate(key), key);

	cr_assert_eq(tls_context_create(&context), 0);
	show(L, context, der, 150);
	lab_expect(L, "#r.chain", "150");
	show(L, context, der, 2000);
	lab_expect(L, "#r.chain", "0");
	tls_context_destroy(context);
	free(der.at);
	EVP_PKEY_free(key);
	lua_close(L);
}

static X509 *named_certificate(EVP_PKEY *key) {
	X509 *cert = odd_certificate(key);
	X509_EXTENSION *names = X509V3_EXT_conf_nid(
		NULL, NULL, NID_subject_alt_name, "DNS:a.example,IP:10.0.0.1,DNS:b.example");

	X509_add_ext(cert, names, -1);
	X509_EXTENSION_free(names);
	return cert;
}

enum {
	MUTATIONS = 20000,
};

/* The strings of the certificate at @table. */
static void check_strings(lua_State *L, int table) {
	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
		size_t n;

		if (lua_type(L, -1) != LUA_TSTRING || !strcmp(lua_tostring(L, -2), "der"))
			continue;
		const char *text = lua_tolstring(L, -1, &n);
		cr_assert_eq(utf8_valid(text, n), n, "%s", lua_tostring(L, -2));
	}
}

/* Whatever the certificate is: no crash, and all strings but the DER are valid UTF-8. */
Test(tls, mutated_certificates) {
	EVP_PKEY *key = EVP_RSA_gen(1024);
	lua_State *L = lab_vm();
	struct tls_context *context;
	struct bytes der = sign(named_certificate(key), key);
	struct bytes copy = {.at = malloc(der.n), .n = der.n};
	unsigned chains = 0;

	srandom(1);
	cr_assert_eq(tls_context_create(&context), 0);
	for (unsigned i = 0; i < MUTATIONS; i++) {
		memcpy(copy.at, der.at, der.n);
		for (long k = random() % 4; k >= 0; k--)
			copy.at[(size_t)random() % der.n] = (uint8_t)random();
		show(L, context, copy, 1);
		lua_getglobal(L, "r");
		lua_getfield(L, -1, "certificate");
		if (lua_istable(L, -1)) {
			chains++;
			check_strings(L, lua_gettop(L));
		}
		lua_settop(L, 0);
	}
	cr_assert_gt(chains, MUTATIONS / 10);
	tls_context_destroy(context);
	free(copy.at);
	free(der.at);
	EVP_PKEY_free(key);
	lua_close(L);
}

/* ---- Out of memory in the VM ---- */

struct budget {
	long left; /* allocations that succeed; negative: all */
};

static void *allocate(void *ctx, void *block, size_t old, size_t size) {
	struct budget *budget = ctx;

	if (!size) {
		free(block);
		return NULL;
	}
	if (size > old && budget->left >= 0 && budget->left-- == 0) {
		budget->left = 0;
		return NULL;
	}
	return realloc(block, size);
}

static int protected_info(lua_State *L) {
	tls_push_info(L, lua_touserdata(L, 1));
	return 0;
}

/* With @k allocations of the VM, then none. */
static int info_within(lua_State *L, struct budget *budget, struct tls *tls, long k) {
	budget->left = -1;
	lua_settop(L, 0);
	lua_gc(L, LUA_GCCOLLECT, 0);
	lua_gc(L, LUA_GCSTOP, 0);
	lua_pushcfunction(L, protected_info);
	lua_pushlightuserdata(L, tls);
	budget->left = k;
	const int rc = lua_pcall(L, 1, 0, 0);
	budget->left = -1;
	return rc;
}

/* Each allocation of the VM fails once, and OpenSSL loses nothing by it. */
static int job_out_of_memory(int fd, const char *argument) {
	const struct tls_options options = {};
	struct memory memory;
	struct budget budget = {.left = -1};
	lua_State *L = lua_newstate(allocate, &budget);
	long k = 0;
	int rc;

	luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
	if (!memory_create(&memory, &options, 4000) || !memory_handshake(&memory))
		return 1;
	/* Once, for what OpenSSL keeps from then on. */
	if (info_within(L, &budget, memory.link.tls, -1))
		return 2;
	const long before = openssl_blocks;
	while ((rc = info_within(L, &budget, memory.link.tls, k)) == LUA_ERRMEM)
		k++;
	if (rc || k < 20)
		return 3;
	if (openssl_blocks != before)
		return 4;
	memory_destroy(&memory);
	lua_close(L);
	return 0;
}

Test(tls, out_of_memory) {
	lab_certificate("s",
		"-newkey rsa:2048 -subj /CN=x -addext subjectAltName=DNS:x,DNS:y "
		"-days 30");
	cr_assert_eq(do_job("memory", -1, "none"), 0);
}
