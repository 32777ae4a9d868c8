/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lane_bench [NAME]...: what plugins cost, with real warden and lanes, driven as the control core
 * drives them. Figures of processor time hold on a busy machine too; those of the wall clock want
 * the lane and the control core to have a core each.
 *
 * Prints a table; a figure that has a peer is taken beside it, in the same run.
 */
#include "loopback.h"
#include "rig.h"

#include <lauxlib.h>
#include <lua.h>
#include <luajit.h>
#include <lualib.h>

#include <err.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char light_lua[] = "function on_target(t, r) n = (n or 0) + t.port end\n";

/* Ten patterns, of which the ninth fits. */
static const char banner_lua[]
	= "local patterns = {\n"
	  "  {'^220 .*ProFTPD (%S+)', 'ftp', 'ProFTPD'},\n"
	  "  {'^220 %(vsFTPd (%S+)%)', 'ftp', 'vsftpd'},\n"
	  "  {'^220 %S+ ESMTP Postfix', 'smtp', 'Postfix'},\n"
	  "  {'^220 %S+ ESMTP Exim (%S+)', 'smtp', 'Exim'},\n"
	  "  {'^%+OK Dovecot', 'pop3', 'Dovecot'},\n"
	  "  {'^%* OK.*Dovecot', 'imap', 'Dovecot'},\n"
	  "  {'^RFB (%d+%.%d+)', 'vnc', 'VNC'},\n"
	  "  {'^SSH%-2%.0%-dropbear_(%S+)', 'ssh', 'Dropbear'},\n"
	  "  {'^SSH%-2%.0%-OpenSSH_(%S+)', 'ssh', 'OpenSSH'},\n"
	  "  {'^HTTP/1%.[01] %d+', 'http', 'HTTP'},\n"
	  "}\n"
	  "function analyze_banner(banner)\n"
	  "  for i = 1, #patterns do\n"
	  "    local p = patterns[i]\n"
	  "    local version = banner:match(p[1])\n"
	  "    if version then\n"
	  "      return {service = p[2], product = p[3], version = version, confidence = 0.9}\n"
	  "    end\n"
	  "  end\n"
	  "end\n";
static const char banner[] = "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n";

static const char talk_lua[] = "function on_target(t, r)\n"
			       "  local s, why = prtip.connect(t.ip, 7777, {timeout = 30})\n"
			       "  if not s then error(why) end\n"
			       "  prtip.send(s, 'HELLO lane\\r\\n')\n"
			       "  local line, why = prtip.receive(s, 256, 30)\n"
			       "  if not line or line == '' then error(why or 'closed') end\n"
			       "  prtip.close(s)\n"
			       "end\n";
static const char talk_manifest[] = "capabilities = [\"network\"]\n"
				    "[plugin.network]\nmax_connections = 16384\n";

static const char post_lua[] = "function on_target(t, r) end\n"
			       "function on_post_scan(results)\n"
			       "  local sum = 0\n"
			       "  for i, r in prtip.each(results) do sum = sum + r.port end\n"
			       "end\n";

static void row(const char *what, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void row(const char *what, const char *format, ...) {
	va_list args;

	printf("%-44s ", what);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

/* ---- Starting ---- */

static int compare(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void start(void) {
	const struct rig_params params = {.type = "scan", .lua = light_lua};
	double ready_s[21];

	for (unsigned i = 0; i < 21; i++) {
		struct rig *rig = rig_start(&params);

		ready_s[i] = rig->ready_s;
		rig_stop(rig);
	}
	qsort(ready_s, 21, sizeof(ready_s[0]), compare);
	row("start of warden and lane, to ready", "%6.1f ms (%.1f to %.1f)", ready_s[10] * 1e3,
		ready_s[0] * 1e3, ready_s[20] * 1e3);
}

static void memory_of(unsigned copies) {
	const struct rig_params params = {.type = "scan", .lua = light_lua, .copies = copies};
	struct rig *rig = rig_start(&params);
	double end = seconds() + 0.2;
	struct use use;

	while (seconds() < end)
		rig_turn(rig, true);
	use = rig_use();
	if (copies == 1)
		row("a lane: Pss (Rss)", "%6.1f MB (%.1f)", use.most_pss_mb, use.most_rss_mb);
	else
		row("five plugins: warden and all lanes, Pss", "%6.1f MB (%u lanes)",
			use.pss_mb + use.warden_pss_mb, use.lanes);
	rig_stop(rig);
}

static void memory(void) {
	memory_of(1);
	memory_of(5);
}

/* ---- Hooks ---- */

static void hook(const char *name, const struct rig_params *params, uint64_t n) {
	struct rig *rig = rig_start(params);
	struct use before, after;
	double begin, wall_s, cpu_s;

	rig_offer(rig, 100000, false);
	before = rig_use();
	begin = seconds();
	rig_offer(rig, n, false);
	wall_s = seconds() - begin;
	after = rig_use();
	cpu_s = after.cpu_s - before.cpu_s;
	if (rig->good != rig->answered)
		warnx("%s: only %lu of %lu went well", name, rig->good, rig->answered);
	row(name, "%6.2f M/s  lane: %4.0f ns of processor time each", (double)n / wall_s / 1e6,
		cpu_s / (double)n * 1e9);
	rig_stop(rig);
}

static double cpu_now(void) {
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/*
 * The floor of a hook: the same function in a VM of this process, called from C with a table at hand
 * (on_target) or a new string (analyze_banner): no record, ring, limit, conversation or answer.
 */
static void bare(
	const char *name, const char *code, const char *hook, const char *text, unsigned n) {
	lua_State *L = luaL_newstate();
	double begin = 0;

	if (!L)
		errx(1, "no memory for a VM");
	luaL_openlibs(L);
	luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
	if (luaL_dostring(L, code))
		errx(1, "%s", lua_tostring(L, -1));
	lua_createtable(L, 0, 1);
	lua_pushinteger(L, 80);
	lua_setfield(L, -2, "port");
	for (unsigned i = 0; i < n + n / 10; i++) {
		if (i == n / 10) /* warm */
			begin = cpu_now();
		lua_getglobal(L, hook);
		if (text)
			lua_pushlstring(L, text, strlen(text));
		else
			lua_pushvalue(L, 1);
		lua_pushvalue(L, 1);
		if (lua_pcall(L, 2, 1, 0))
			errx(1, "%s", lua_tostring(L, -1));
		lua_pop(L, 1);
	}
	row(name, "%4.0f ns of processor time each", (cpu_now() - begin) / n * 1e9);
	lua_close(L);
}

static void on_target(void) {
	bare("bare VM: on_target, light", light_lua, "on_target", NULL, 4000000);
	hook("on_target, light", &(struct rig_params){.type = "scan", .lua = light_lua}, 4000000);
}

static void analyze_banner(void) {
	bare("bare VM: analyze_banner, ten patterns", banner_lua, "analyze_banner", banner,
		1000000);
	hook("analyze_banner, ten patterns",
		&(struct rig_params){.type = "detection", .lua = banner_lua, .banner = banner},
		1000000);
}

/* ---- Conversations ---- */

static const struct rig_params talk_params = {.type = "scan",
	.manifest = talk_manifest,
	.lua = talk_lua,
	.first_ip = LOOPBACK_FIRST,
	.nb_ips = LOOPBACK_HOSTS};

static double talk_of_lane(unsigned n) {
	struct rig *rig = rig_start(&talk_params);
	double begin, took;

	begin = seconds();
	rig_offer(rig, n, true);
	took = seconds() - begin;
	if (rig->good != n)
		warnx("conversations: only %lu of %u went well", rig->good, n);
	rig_stop(rig);
	return n / took;
}

static double talk_of_peer(unsigned n, unsigned at_once) {
	double begin = seconds(), took;
	unsigned good = loopback_talk(n, at_once);

	took = seconds() - begin;
	if (good != n)
		warnx("peer: only %u of %u went well", good, n);
	return n / took;
}

/* Four turns of each, one after the other, so that both see the same machine. */
static void conversations(void) {
	const unsigned n = 20000, at_once = 10000;
	double lane = 0, peer = 0;
	pid_t server = loopback_serve(0);

	for (unsigned i = 0; i < 4; i++) {
		peer += talk_of_peer(n, at_once) / 4;
		lane += talk_of_lane(n) / 4;
	}
	row("conversations on loopback", "%6.1f k/s, %.0f%% of a C client's %.1f", lane / 1e3,
		lane / peer * 100, peer / 1e3);
	loopback_end(server);
}

static void concurrent(void) {
	const unsigned n = 10000;
	struct use use = {0};
	struct rig *rig;
	pid_t server = loopback_serve(4000);
	double begin = seconds();
	bool seen = false;

	rig = rig_start(&talk_params);
	for (unsigned i = 0; i < n; i++)
		lh_host_submit(rig->host, 0, i);
	while (rig->answered < n) {
		rig_turn(rig, true);
		if (!seen && seconds() - begin > 3.5) {
			seen = true;
			use = rig_use();
			row("held at that time", "%6u", n - (unsigned)rig->answered);
		}
	}
	row("10,000 conversations at once", "%6lu went well", rig->good);
	row("their lane: Pss (Rss)", "%6.1f MB (%.1f)", use.most_pss_mb, use.most_rss_mb);
	rig_stop(rig);
	loopback_end(server);
}

/* ---- Sequences ---- */

static void post_scan(void) {
	const struct rig_params params = {.type = "scan", .lua = post_lua};
	struct rig *rig = rig_start(&params);
	struct use use = {0}, before = rig_use();
	double begin = seconds(), next = begin + 1, took;

	rig->nb_results = 10000000;
	lh_host_phase(rig->host, 0, LH_HOOK_ON_POST_SCAN, rig->nb_results);
	while (!rig->phase_ended) {
		rig_turn(rig, false);
		if (seconds() > next) {
			use = rig_use();
			next += 1;
		}
	}
	took = seconds() - begin;
	row("on_post_scan, 10^7 results",
		"%6.2f M/s, the lane then %.1f MB Pss (%.1f s of processor time), status %s",
		(double)rig->nb_results / took / 1e6, use.most_pss_mb, use.cpu_s - before.cpu_s,
		lh_status_names[rig->phase_status]);
	rig_stop(rig);
}

/* ---- All ---- */

static const struct {
	const char *name;
	void (*run)(void);
	bool network;
} benches[] = {
	{"start", start, false},
	{"memory", memory, false},
	{"on_target", on_target, false},
	{"analyze_banner", analyze_banner, false},
	{"conversations", conversations, true},
	{"concurrent", concurrent, true},
	{"post_scan", post_scan, false},
};

static bool wanted(const char *name, int argc, char **argv) {
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], name))
			return true;
	return argc == 1;
}

int main(int argc, char **argv) {
	bool network;

	lh_process_name_init(argc, argv);
	network = loopback_enter();
	printf("Plugins, one lane\n\n");
	for (unsigned i = 0; i < sizeof(benches) / sizeof(benches[0]); i++) {
		if (!wanted(benches[i].name, argc, argv))
			continue;
		if (benches[i].network && !network)
			row(benches[i].name, "not measured: a network namespace needs root");
		else
			benches[i].run();
	}
	return 0;
}
