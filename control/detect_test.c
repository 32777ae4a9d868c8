/* SPDX-License-Identifier: BSD-3-Clause */
/* Service detection: files and their errors, fields, what rules say together, and banners that are hostile. */
#include "detect.h"
#include "detect_field.h"
#include "detect_literal.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct detect_rules *parse(const char *text) {
	struct detect_rules *rules;
	struct dp_error err;

	cr_assert_eq(detect_rules_create(&rules), 0);
	cr_assert_eq(detect_rules_parse(rules, "F", text, strlen(text), &err), 0, "%s", err.text);
	return rules;
}

static struct detect *compile(const struct detect_rules *rules) {
	struct detect *detect;
	struct dp_error err;

	cr_assert_eq(detect_create(rules, &detect, &err), 0, "%s", err.text);
	return detect;
}

/* What the rules of @text say of @banner at TCP @port; all empty where they say nothing. */
static struct lh_service say(const char *text, uint16_t port, const char *banner, size_t n) {
	struct detect_rules *rules = parse(text);
	struct detect *detect = compile(rules);
	struct lh_service service = {0};

	detect_run(detect, DP_PROTO_TCP, port, (const uint8_t *)banner, n, &service);
	detect_destroy(detect);
	detect_rules_destroy(rules);
	return service;
}

/* ---- Files ---- */

Test(detect, errors_name_line_and_remedy) {
	static const struct {
		const char *text, *error;
	} cases[] = {
		{"service ssh\n",
			"F:1: service: a rule begins with match, and its keys are indented"},
		{"\tservice ssh\n", "F:1: service: a key before the first rule"},
		{"match nothing /x/\n", "F:1: nothing: no field; give one of docs/fingerprints.md"},
		{"match banner x\n", "F:1: x: no pattern; write it between slashes"},
		{"match banner /x\n", "the pattern has no / at its end"},
		{"\nmatch banner /a(b/\n\tservice x\n",
			"F:2: a(b: not a pattern: missing closing parenthesis, behind its "
			"character 3"},
		{"match banner /x/g\n\tservice x\n", "F:1: g: not a flag"},
		{"match banner /x/ii\n\tservice x\n", "F:1: i: not a flag"},
		{"match banner /x/ y\n\tservice x\n", "F:1: y: more than a field and a pattern"},
		{"\n# c\nmatch banner /x/\n", "F:3: match: the rule says nothing"},
		{"match banner /x/\nmatch banner /y/\n\tinfo i\n",
			"F:1: match: the rule says nothing"},
		{"match banner /x/\n\tname x\n", "F:2: name: no such key"},
		{"match banner /x/\n\tservice\n", "F:2: service: nothing behind it"},
		{"match banner /x/\n\tservice Http\n", "F:2: Http: not a service's name"},
		{"match banner /x/\n\tservice a\n\tservice b\n", "F:3: service: given twice"},
		{"match banner /x/\n\tport 0\n\tservice a\n", "F:2: 0: not ports"},
		{"match banner /x/\n\tport 1,x\n\tservice a\n", "F:2: x: not ports"},
		{"match banner /x/\n\tport 9-3\n\tservice a\n", "F:2: 9-3: not ports"},
		{"match banner /x/\n\tport 65536\n\tservice a\n", "F:2: 65536: not ports"},
		{"match banner /x/\n\tconfidence 2\n\tservice a\n", "F:2: 2: not a confidence"},
		{"match banner /x/\n\tinfo a $x\n", "F:2: a $x: a dollar is $$"},
		{"match banner /x/\n\tinfo [a\n", "F:2: [a: [ without a ]"},
		{"match banner /x/\n\tinfo a]\n", "] without a ["},
		{"match banner /x/\n\tcpe a:b\n", "F:2: a:b: not a CPE 2.2 URI"},
		{"match banner /x/\n\tservice a\n\texample banner x\n",
			"F:3: x: a \"text\" is missing"},
		{"match banner /x/\n\tservice a\n\texample banner \"\\q\"\n", "not an escape"},
		{"match banner /x/\n\tservice a\n\texample banner \"x\" y=\"z\"\n",
			"write what comes out"},
		{"match http.server /x/\n\tservice a\n\texample http.title \"x\"\n",
			"another field"},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct detect_rules *rules;
		struct dp_error err = {.text = ""};

		cr_assert_eq(detect_rules_create(&rules), 0);
		cr_expect_eq(
			detect_rules_parse(rules, "F", cases[i].text, strlen(cases[i].text), &err),
			-EINVAL, "%s", cases[i].text);
		cr_expect(err.usage);
		cr_expect(
			strstr(err.text, cases[i].error), "%s\nnot: %s", err.text, cases[i].error);
		detect_rules_destroy(rules);
	}
}

Test(detect, a_missing_file_is_said) {
	struct detect_rules *rules;
	struct dp_error err;

	cr_assert_eq(detect_rules_create(&rules), 0);
	cr_expect_eq(detect_rules_read(rules, "/nonexistent/f", &err), -ENOENT);
	cr_expect(strstr(err.text, "/nonexistent/f: cannot read the fingerprints: No such file"));
	detect_rules_destroy(rules);
}

/* ---- Fields ---- */

static void expect_field(
	const char *banner, size_t n, bool udp, enum detect_field field, const char *wanted) {
	struct detect_fields *fields = malloc(sizeof(*fields));
	/* Exactly as long, so that a sanitizer sees reads behind it. */
	uint8_t *bytes = malloc(n ? n : 1);
	const struct detect_value *value = &fields->value[field];

	memcpy(bytes, banner, n);
	detect_split(fields, bytes, n, udp);
	if (!wanted)
		cr_expect_null(value->at, "%s of %s", detect_field_names[field], banner);
	else
		cr_expect(value->at && value->n == strlen(wanted)
				&& !memcmp(value->at, wanted, value->n),
			"%s is \"%.*s\", not \"%s\"", detect_field_names[field], (int)value->n,
			value->at ? value->at : "", wanted);
	free(bytes);
	free(fields);
}

#define FIELD(banner, field, wanted)                                                               \
	expect_field("" banner, sizeof(banner) - 1, false, DETECT_##field, wanted)

Test(detect, fields_of_greetings) {
	FIELD("SSH-2.0-OpenSSH_9.2p1 Debian\r\n", SSH_SOFTWARE, "OpenSSH_9.2p1 Debian");
	FIELD("SSH-2.0", SSH_SOFTWARE, NULL);
	FIELD("220 mail ESMTP\r\n", GREETING, "mail ESMTP");
	FIELD("220-one\r\n two\r\n220 three\r\nno more", GREETING, "one\ntwo\nthree");
	FIELD("220", GREETING, NULL);
	FIELD("+OK ready\r\n", POP3_GREETING, "ready");
	FIELD("* OK [CAPABILITY X] hi\r\nmore", IMAP_GREETING, "[CAPABILITY X] hi");
	FIELD("* NO\r\n", IMAP_GREETING, NULL);
	FIELD("200 news\r\n", NNTP_GREETING, "news");
}

Test(detect, fields_of_http) {
	FIELD("HTTP/1.1 200 OK\r\nserver:  a/1 \r\n\r\n", HTTP_SERVER, "a/1");
	FIELD("HTTP/1.1 200 OK\r\nServer: a\r\n\r\n", HTTP_STATUS, "200 OK");
	FIELD("HTTP/1.1 200 OK\nServer: a\n\nServer: b", HTTP_SERVER, "a");
	FIELD("HTTP/1.1 200 OK\r\nServer: cut", HTTP_SERVER, "cut");
	FIELD("HTTP/1.1 200 OK\r\n\r\nServer: body", HTTP_SERVER, NULL);
	FIELD("HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nVia: x\r\nSet-Cookie: b=2\r\nVia: y\r\n\r\n",
		HTTP_COOKIE, "a=1\nb=2");
	FIELD("HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nVia: x\r\nSet-Cookie: b=2\r\nVia: y\r\n\r\n",
		HTTP_VIA, "x\ny");
	FIELD("HTTP/1.1 200 OK\r\n\r\n<TITLE lang=x> Hi </title>", HTTP_TITLE, "Hi");
	FIELD("HTTP/1.1 200 OK\r\n\r\n<title>cut off", HTTP_TITLE, NULL);
	FIELD("HTTP/1.1 200 OK\r\n\r\n<meta content='W 6' name='generator'>", HTTP_GENERATOR,
		"W 6");
	FIELD("HTTP/1.1 200 OK\r\n\r\n<meta name=\"generator\" content=", HTTP_GENERATOR, NULL);
	FIELD("HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody", HTTP_BODY, "body");
	FIELD("SIP/2.0 200 OK\r\nServer: s\r\nUser-Agent: u\r\n\r\n", SIP_AGENT, "u");
	FIELD("RTSP/1.0 200 OK\r\nServer: r\r\n\r\n", RTSP_SERVER, "r");
}

Test(detect, fields_of_binary_protocols) {
	static const char dns[] = "\0\1\x84\0\0\1\0\1\0\0\0\0\7version\4bind\0\0\x10\0\3"
				  "\xc0\x0c\0\x10\0\3\0\0\0\0\0\4\3abc";
	static const char snmp[]
		= "\x30\x25\2\1\1\4\6public\xa2\x18\2\1\1\2\1\0\2\1\0\x30\x0d\x30\x0b"
		  "\6\x08\x2b\6\1\2\1\1\1\0\4\5Linux";

	FIELD("\x4a\0\0\0\x0a"
	      "5.5.5-10.11.6-MariaDB\0more",
		MYSQL_VERSION, "5.5.5-10.11.6-MariaDB");
	FIELD("\x4a\0\0\0\x0a"
	      "8.0 without its end",
		MYSQL_VERSION, NULL);
	expect_field(dns, sizeof(dns) - 1, true, DETECT_DNS_VERSION, "abc");
	expect_field(dns, sizeof(dns) - 3, true, DETECT_DNS_VERSION, NULL);
	expect_field(snmp, sizeof(snmp) - 1, true, DETECT_SNMP_DESCR, "Linux");
	FIELD("\x15\3\3\0\2\2\x28", TLS_VERSION, "alert");
	FIELD("\x16\3\1\0\x31\2\0\0\x2d\3\1", TLS_VERSION, "TLSv1.0");
	FIELD("\x16\3\3\0\x36\2\0\0\x32\3\3abcdefghijklmnopqrstuvwxyz012345\0\x13\1\0\0\6\0\x2b\0\2"
	      "\3\4",
		TLS_VERSION, "TLSv1.3");
	FIELD("\x16\3\1", TLS_VERSION, NULL);
}

/* ---- Literals ---- */

static void expect_literals(const char *pattern, const char *wanted) {
	struct detect_literal literal[DETECT_LITERALS];
	const unsigned nb = detect_literals(pattern, literal);
	char got[1024] = "";

	for (unsigned i = 0; i < nb; i++)
		sprintf(got + strlen(got), "%s<%s>", i ? " " : "", literal[i].text);
	cr_expect_str_eq(got, wanted, "%s: %s, not %s", pattern, got, wanted);
}

Test(detect, literals_that_a_pattern_needs) {
	expect_literals("^OpenSSH_([\\w.]+) Debian-(\\d)", "<openssh_> < debian->");
	expect_literals("abcd?efg", "<abc> <efg>");
	expect_literals("abcd*efg{0,3}hij", "<abc> <hij>");
	expect_literals("abc(?:def)?(ghi|jkl)mno+pqr", "<abc> <pqr>");
	expect_literals("abc|def", "");
	expect_literals("(?:abc|def)ghi", "<ghi>");
	expect_literals("a\\.b\\/c[d]e\\$f", "<a.b/c> <e$f>");
	expect_literals("[]abc]def[^]x]ghi[[:alpha:]]jkl", "<def> <ghi> <jkl>");
	expect_literals("\\x41bcd\\r\\nefg\\0hij", "<bcd> <efg> <hij>");
	expect_literals("\\x{41}bcd", "");
	expect_literals("\\Qa|b\\E", "");
	expect_literals("(?x)a b c", "");
	expect_literals("(?i)abc", "<abc>");
	expect_literals("(?ix)a b c", "");
	expect_literals("(?P<n>x)abc(?<m>y)def", "<abc> <def>");
	expect_literals("(*ANYCRLF)abc", "");
	expect_literals("abc(", "");
	expect_literals("abc[", "");
	expect_literals("ab{2}cde", "<cde>");
	expect_literals("ab{x}cdef", "<cdef>");
	expect_literals("abc(?=def)ghi", "<abc> <ghi>");
}

/* ---- What rules say ---- */

#define SSH "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"

Test(detect, texts_are_made_of_groups) {
	const struct lh_service s = say("match ssh.software /^OpenSSH_([\\w.]+)(?: (\\S+))?(x)?/\n"
					"\tservice ssh\n\tproduct OpenSSH\n\tversion $1\n\tinfo "
					"a$$[ by $2][; x $3] \\[$0\\]\n"
					"\tos Debian\n\tcpe cpe:/a:openbsd:openssh:$1:$3\n",
		22, SSH, sizeof(SSH) - 1);

	cr_expect_str_eq(s.name, "ssh");
	cr_expect_str_eq(s.product, "OpenSSH");
	cr_expect_str_eq(s.version, "9.2p1");
	cr_expect_str_eq(s.info, "a$ by Debian-2 [OpenSSH_9.2p1 Debian-2]");
	cr_expect_str_eq(s.os, "Debian");
	cr_expect_str_eq(s.cpe, "cpe:/a:openbsd:openssh:9.2p1");
	cr_expect_float_eq(s.confidence, 0.95, 1e-9);
}

Test(detect, the_surest_names_and_others_add) {
	static const char rules[] = "match banner /^SSH-/\n\tservice ssh\n"
				    "match banner /Debian/\n\tos Debian Linux\n\tinfo packaged\n"
				    "match ssh.software /^Open/\n\tproduct First\n"
				    "match ssh.software /^OpenSSH/\n\tproduct Second\n";
	const struct lh_service s = say(rules, 22, SSH, sizeof(SSH) - 1);

	cr_expect_str_eq(s.name, "ssh");
	cr_expect_str_eq(s.product, "First", "ties go to the earlier");
	cr_expect_str_eq(s.os, "Debian Linux");
	cr_expect_str_eq(s.info, "packaged");
	cr_expect_float_eq(s.confidence, 0.85, 1e-9);
}

Test(detect, info_has_each_part_once) {
	static const char rules[] = "match banner /^SSH-2/\n\tservice ssh\n\tinfo a; b\n"
				    "match banner /Open/\n\tinfo b; c\n"
				    "match banner /SSH/\n\tinfo c\n"
				    "match banner /^(.*)$/s\n\tinfo $1$1$1$1$1$1$1\n"
				    "match banner /Debian/\n\tinfo d\n";

	cr_expect_str_eq(say(rules, 22, SSH, sizeof(SSH) - 1).info, "a; b; c; ...; d");
}

Test(detect, nothing_without_a_name) {
	const struct lh_service s
		= say("match banner /Debian/\n\tos Debian\n", 22, SSH, sizeof(SSH) - 1);

	cr_expect_str_eq(s.os, "");
}

Test(detect, ports_of_rules) {
	static const char rules[]
		= "match banner /./\n\tport T:443, U:53, 8000-8010\n\tservice x\n";

	cr_expect_str_eq(say(rules, 443, "a", 1).name, "x");
	cr_expect_str_eq(say(rules, 8010, "a", 1).name, "x");
	cr_expect_str_eq(say(rules, 53, "a", 1).name, "");
	cr_expect_str_eq(say(rules, 80, "a", 1).name, "");
}

Test(detect, texts_are_clean_and_their_cuts_show) {
	static const char rules[] = "match banner /^(.*)$/s\n\tservice x\n\tproduct $1\n"
				    "\tcpe cpe:/a:v:$1\n";
	char banner[600];
	struct lh_service s = say(rules, 1, "a\x01\xff\xc3\xa9 B", 7);

	cr_expect_str_eq(s.product, "a \xef\xbf\xbd\xc3\xa9 B");
	cr_expect_str_eq(s.cpe, "cpe:/a:v:a%01%ff%c3%a9%20b");
	memset(banner, 'y', sizeof(banner));
	s = say(rules, 1, banner, sizeof(banner));
	cr_expect_eq(strlen(s.product), sizeof(s.product) - 1);
	cr_expect_str_eq(s.product + strlen(s.product) - 4, "y...");
}

/* What Vectorscan cannot compile, even as a prefilter, is tried all the same. */
Test(detect, patterns_beyond_vectorscan) {
	static const char rules[] = "match banner /^(a)(?(1)b|c)(?!d)\\1/\n\tservice x\n"
				    "match banner /(*ANYCRLF)^q$/m\n\tservice y\n";

	cr_expect_str_eq(say(rules, 1, "aba", 3).name, "x");
	cr_expect_str_eq(say(rules, 1, "abd", 3).name, "");
	cr_expect_str_eq(say(rules, 1, "p\rq", 3).name, "y");
}

/* A pattern that backtracks without end gives up and says nothing. */
Test(detect, a_bomb_ends) {
	char banner[4096];

	memset(banner, 'a', sizeof(banner));
	cr_expect_str_eq(
		say("match banner /^(a+)+$(?<=b)/\n\tservice x\n", 1, banner, sizeof(banner)).name,
		"");
}

Test(detect, examples_can_fail) {
	struct detect_rules *rules = parse("match banner /^a(.)/\n\tservice x\n\tversion $1\n"
					   "\texample banner \"a\\x31\" version=\"1\"\n"
					   "\texample banner \"a2\" version=\"1\"\n"
					   "\texample banner \"b\" service=\"x\"\n");
	struct detect *detect = compile(rules);
	char text[1024] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");
	unsigned nb;

	cr_expect_eq(detect_try_examples(detect, &nb, out), 2);
	fclose(out);
	cr_expect_eq(nb, 3);
	cr_expect(strstr(text, "F:5: example: version is \"2\", not \"1\""), "%s", text);
	cr_expect(strstr(text, "F:6: example: service is \"\", not \"x\""), "%s", text);
	detect_destroy(detect);
	detect_rules_destroy(rules);
}

/* ---- Recog's files ---- */

static char folder[] = "/tmp/detect_test.XXXXXX";

static void put_file(const char *name, const char *text) {
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	cr_assert_not_null(file);
	fputs(text, file);
	fclose(file);
}

static void make_folder(void) {
	cr_assert_not_null(mkdtemp(folder));
}

static void remove_folder(void) {
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert_eq(system(command), 0);
}

static const char recog_ssh[]
	= "<?xml version=\"1.0\"?>\n"
	  "<fingerprints matches=\"ssh.banner\" protocol=\"ssh\" preference=\"0.90\">\n"
	  "<fingerprint pattern=\"^Lab(?i:SSH)_([\\d.]+)(?: "
	  "(\\w+))?$\"><description>d</description>\n"
	  "<example service.version=\"1.2\">LabSSH_1.2</example>\n"
	  "<param pos=\"0\" name=\"service.vendor\" value=\"Lab\"/>\n"
	  "<param pos=\"0\" name=\"service.product\" value=\"Lab [$] SSH\"/>\n"
	  "<param pos=\"1\" name=\"service.version\"/>\n"
	  "<param pos=\"0\" name=\"service.cpe23\" value=\"cpe:/a:lab:ssh:{service.version}\"/>\n"
	  "<param pos=\"0\" name=\"os.vendor\" value=\"Lab\"/>\n"
	  "<param pos=\"0\" name=\"os.product\" value=\"Lab OS\"/><param pos=\"2\" "
	  "name=\"os.version\"/>\n"
	  "<param pos=\"0\" name=\"hw.product\" value=\"Box\"/></fingerprint>\n"
	  "<fingerprint pattern=\"Lab\"><param pos=\"0\" name=\"service.product\" value=\"later\"/>"
	  "</fingerprint>\n"
	  "<fingerprint pattern=\"(\"><param pos=\"0\" name=\"service.product\" "
	  "value=\"x\"/></fingerprint>\n"
	  "</fingerprints>\n";

Test(detect, recog, .init = make_folder, .fini = remove_folder) {
	static const char banner[] = "SSH-2.0-LabSSH_1.2 seven\r\n";
	struct detect_rules *rules;
	struct lh_service s = {0};
	struct detect *detect;
	struct dp_error err;
	unsigned left_out;

	put_file("ssh.xml", recog_ssh);
	put_file("favicons.xml",
		"<fingerprints matches=\"favicon.md5\"><fingerprint pattern=\"a\"/>"
		"<fingerprint pattern=\"b\"/></fingerprints>");
	put_file("notes.txt", "not XML");
	cr_assert_eq(detect_rules_create(&rules), 0);
	cr_assert_eq(detect_rules_read_recog(rules, folder, &left_out, &err), 0, "%s", err.text);
	cr_expect_eq(detect_rules_count(rules), 2);
	cr_expect_eq(left_out, 3);
	detect = compile(rules);
	cr_expect(detect_run(
		detect, DP_PROTO_TCP, 22, (const uint8_t *)banner, sizeof(banner) - 1, &s));
	cr_expect_str_eq(s.name, "ssh");
	cr_expect_str_eq(s.product, "Lab [$] SSH");
	cr_expect_str_eq(s.version, "1.2");
	cr_expect_str_eq(s.cpe, "cpe:/a:lab:ssh:1.2");
	cr_expect_str_eq(s.os, "Lab OS seven");
	cr_expect_str_eq(s.info, "Box");
	cr_expect_float_eq(s.confidence, 0.9, 1e-9);
	detect_destroy(detect);
	detect_rules_destroy(rules);
}

/* Marks that texts of rules have mean nothing in Recog's. */
Test(detect, recog_marks_in_a_protocol) {
	static const char text[] = "<fingerprints matches=\"ssh.banner\" protocol=\"]s$0[\\\">"
				   "<fingerprint pattern=\"Lab\"/></fingerprints>";
	static const char banner[] = "SSH-2.0-Lab\r\n";
	struct detect_rules *rules;
	struct lh_service s = {0};
	struct detect *detect;
	struct dp_error err;
	unsigned left_out = 0;

	cr_assert_eq(detect_rules_create(&rules), 0);
	cr_assert_eq(
		detect_rules_parse_recog(rules, "F", text, sizeof(text) - 1, &left_out, &err), 0);
	detect = compile(rules);
	cr_assert(detect_run(
		detect, DP_PROTO_TCP, 22, (const uint8_t *)banner, sizeof(banner) - 1, &s));
	cr_expect_str_eq(s.name, "]s$0[\\");
	detect_destroy(detect);
	detect_rules_destroy(rules);
}

Test(detect, recog_errors, .init = make_folder, .fini = remove_folder) {
	struct detect_rules *rules;
	struct dp_error err;
	unsigned left_out;

	cr_assert_eq(detect_rules_create(&rules), 0);
	cr_expect_eq(detect_rules_read_recog(rules, folder, &left_out, &err), -ENOENT);
	cr_expect(strstr(err.text, "no *.xml in it"), "%s", err.text);
	put_file("a.xml",
		"<fingerprints matches=\"ssh.banner\">\n<fingerprint pattern=\"a\">\n</x>");
	cr_expect_eq(detect_rules_read_recog(rules, folder, &left_out, &err), -EINVAL);
	cr_expect(strstr(err.text, "a.xml:3: mismatched tag"), "%s", err.text);
	cr_expect_eq(detect_rules_read_recog(rules, "/nonexistent", &left_out, &err), -ENOENT);
	detect_rules_destroy(rules);
}
