/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading Recog's XML fingerprints as rules. Main thread, before the scan starts; the rules own all that
 * was read.
 *
 * A database (file) is about one kind of text, named by its attribute `matches`; in it the first fingerprint that
 * matches counts. So all of a database get the same confidence, its `preference`, and the order of the
 * file decides between them. Patterns are Ruby's, whose ^ and $ are about lines.
 */
#include "detect_rule.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <dirent.h>
#include <errno.h>
#include <expat.h>
#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

enum {
	MAX_FILE_BYTES = 32 << 20,
	MAX_PARAMS = 32,
	TEXT_BYTES = 512,
};

static const double usual_preference = 0.85;

/* What databases are about, and the field that shows it. */
static const struct {
	const char *matches;
	enum detect_field field;
} databases[] = {
	{"ssh.banner", DETECT_SSH_SOFTWARE},
	{"ftp.banner", DETECT_GREETING},
	{"smtp.banner", DETECT_GREETING},
	{"pop3.banner", DETECT_POP3_GREETING},
	{"pop.banner", DETECT_POP3_GREETING},
	{"imap4.banner", DETECT_IMAP_GREETING},
	{"imap.banner", DETECT_IMAP_GREETING},
	{"nntp.banner", DETECT_NNTP_GREETING},
	{"mysql.banners", DETECT_MYSQL_VERSION},
	{"mysql.banner", DETECT_MYSQL_VERSION},
	{"http_header.server", DETECT_HTTP_SERVER},
	{"http_header.x-powered-by", DETECT_HTTP_POWERED_BY},
	{"http_header.wwwauth", DETECT_HTTP_AUTH},
	{"http_header.cookie", DETECT_HTTP_COOKIE},
	{"html_title", DETECT_HTTP_TITLE},
	{"html_body", DETECT_HTTP_BODY},
	{"sip_header.server", DETECT_SIP_SERVER},
	{"sip_header.user_agent", DETECT_SIP_AGENT},
	{"rtsp_header.server", DETECT_RTSP_SERVER},
	{"dns.versionbind", DETECT_DNS_VERSION},
	{"snmp.sys_description", DETECT_SNMP_DESCR},
	{"telnet.banner", DETECT_BANNER},
};

struct param {
	char *name, *value; /* value NULL: what group @pos holds */
	unsigned pos;
};

struct reader {
	struct detect_rules *rules;
	const char *path;
	XML_Parser parser;
	unsigned left_out;
	bool no_memory, inside; /* of a fingerprint */

	/* Of the database. */
	bool known;
	enum detect_field field;
	char protocol[TEXT_BYTES];
	double preference;

	/* Of the fingerprint. */
	unsigned line;
	char *pattern;
	bool icase, dotall;
	double certainty;
	struct param param[MAX_PARAMS];
	unsigned nb_params;
	bool too_many;
};

static const char *attribute(const char **attributes, const char *name) {
	for (; *attributes; attributes += 2)
		if (!strcmp(attributes[0], name))
			return attributes[1];
	return NULL;
}

static double fraction(const char *text, double otherwise) {
	char *end;
	const double value = text ? strtod(text, &end) : -1;

	return value >= 0 && value <= 1 ? value : otherwise;
}

static void begin_database(struct reader *r, const char **attributes) {
	const char *matches = attribute(attributes, "matches");
	const char *protocol = attribute(attributes, "protocol");

	r->known = false;
	for (unsigned i = 0; matches && i < sizeof(databases) / sizeof(databases[0]); i++) {
		if (strcmp(databases[i].matches, matches))
			continue;
		r->known = true;
		r->field = databases[i].field;
	}
	snprintf(r->protocol, sizeof(r->protocol), "%s", protocol ? protocol : "");
	r->preference = fraction(attribute(attributes, "preference"), usual_preference);
}

static char *copy(struct reader *r, const char *text) {
	char *result = text ? strdup(text) : NULL;

	r->no_memory |= text && !result;
	return result;
}

static void begin_fingerprint(struct reader *r, const char **attributes) {
	const char *flags = attribute(attributes, "flags");

	r->inside = true;
	r->line = (unsigned)XML_GetCurrentLineNumber(r->parser);
	r->pattern = copy(r, attribute(attributes, "pattern"));
	r->icase = flags && (strstr(flags, "REG_ICASE") || strstr(flags, "IGNORECASE"));
	/* Ruby's multi-line is about the dot. */
	r->dotall = flags && (strstr(flags, "REG_DOT_NEWLINE") || strstr(flags, "REG_MULTILINE"));
	r->certainty = fraction(attribute(attributes, "certainty"), r->preference);
	r->nb_params = 0;
	r->too_many = false;
}

static void add_param(struct reader *r, const char **attributes) {
	const char *name = attribute(attributes, "name"), *pos = attribute(attributes, "pos");
	struct param *param = &r->param[r->nb_params];

	if (!name)
		return;
	if (r->nb_params == MAX_PARAMS) {
		r->too_many = true;
		return;
	}
	param->name = copy(r, name);
	param->value = copy(r, attribute(attributes, "value"));
	param->pos = pos ? (unsigned)strtoul(pos, NULL, 10) : 0;
	r->too_many |= param->pos > 9;
	r->nb_params++;
}

static void on_begin(void *user, const char *name, const char **attributes) {
	struct reader *r = user;

	if (!strcmp(name, "fingerprints"))
		begin_database(r, attributes);
	else if (!strcmp(name, "fingerprint") && !r->inside)
		begin_fingerprint(r, attributes);
	else if (!strcmp(name, "param") && r->inside)
		add_param(r, attributes);
}

/* ---- Texts: of what is written, with $N for groups ---- */

struct text {
	char bytes[TEXT_BYTES];
	size_t used;
	bool over;
};

static void put(struct text *text, const char *bytes, size_t n) {
	if (text->used + n >= sizeof(text->bytes)) {
		text->over = true;
		return;
	}
	memcpy(text->bytes + text->used, bytes, n);
	text->used += n;
	text->bytes[text->used] = '\0';
}

static void put_literal(struct text *text, char c) {
	if (c == '$')
		put(text, "$$", 2);
	else if (strchr("[]\\", c))
		put(text, (char[]){'\\', c}, 2);
	else
		put(text, &c, 1);
}

static const struct param *find(const struct reader *r, const char *name, size_t n) {
	for (unsigned i = 0; i < r->nb_params; i++)
		if (r->param[i].name && strlen(r->param[i].name) == n
			&& !memcmp(r->param[i].name, name, n))
			return &r->param[i];
	return NULL;
}

/* The value of @param, in which {name} stands for another one's. */
static void put_param(
	struct text *text, const struct reader *r, const struct param *param, unsigned depth) {
	const char *at = param->value;

	if (!at) {
		put(text, (char[]){'$', (char)('0' + param->pos % 10)}, 2);
		return;
	}
	for (; *at; at++) {
		const char *close = *at == '{' ? strchr(at, '}') : NULL;
		const struct param *other
			= close && depth < 4 ? find(r, at + 1, (size_t)(close - at - 1)) : NULL;

		if (other)
			put_param(text, r, other, depth + 1);
		else if (!close)
			put_literal(text, *at);
		if (close)
			at = close;
	}
}

/* The params of @names, a blank between them; one that repeats what stands there is left out. */
static char *join(struct reader *r, const char *const *names) {
	struct text text = {.used = 0};

	for (; *names; names++) {
		const struct param *param = find(r, *names, strlen(*names));
		struct text one = {.used = 0};

		if (!param)
			continue;
		put_param(&one, r, param, 0);
		if (!one.used || (text.used && strstr(text.bytes, one.bytes)))
			continue;
		if (text.used && !strncmp(one.bytes, text.bytes, text.used))
			text.used = 0; /* "Lab" before "Lab OS" */
		if (text.used)
			put(&text, " ", 1);
		put(&text, one.bytes, one.used);
		text.over |= one.over;
	}
	return text.used && !text.over ? copy(r, text.bytes) : NULL;
}

/* Names of services as IANA has them. */
static const char *service_of(const char *protocol) {
	return !strcmp(protocol, "imap4") ? "imap" : !strcmp(protocol, "dns") ? "domain" : protocol;
}

/* The service of a whole database; no group stands in it. */
static char *service_text(struct reader *r) {
	struct text text = {.used = 0};

	for (const char *at = service_of(r->protocol); *at; at++)
		put_literal(&text, *at);
	return text.used && !text.over ? copy(r, text.bytes) : NULL;
}

static bool compiles(const struct reader *r) {
	PCRE2_SIZE at;
	int code;
	pcre2_code *compiled
		= pcre2_compile((PCRE2_SPTR)r->pattern, PCRE2_ZERO_TERMINATED, 0, &code, &at, NULL);

	pcre2_code_free(compiled);
	return compiled != NULL;
}

static void add_rule(struct reader *r) {
	static const char *const product[] = {"service.product", NULL};
	static const char *const vendor[] = {"service.vendor", NULL};
	static const char *const version[] = {"service.version", NULL};
	static const char *const info[] = {"hw.vendor", "hw.product", "hw.version", NULL};
	static const char *const os[] = {"os.vendor", "os.product", "os.version", NULL};
	static const char *const cpe[] = {"service.cpe23", NULL};
	struct detect_rule *rule = detect_rules_add(r->rules, r->line);

	if (!rule) {
		r->no_memory = true;
		return;
	}
	rule->field = r->field;
	rule->pattern = r->pattern;
	r->pattern = NULL;
	rule->icase = r->icase;
	rule->dotall = r->dotall;
	rule->multiline = true;
	rule->confidence = r->certainty;
	rule->text[DETECT_SERVICE] = service_text(r);
	rule->text[DETECT_PRODUCT] = join(r, product);
	if (!rule->text[DETECT_PRODUCT])
		rule->text[DETECT_PRODUCT] = join(r, vendor);
	rule->text[DETECT_VERSION] = join(r, version);
	rule->text[DETECT_INFO] = join(r, info);
	rule->text[DETECT_OS] = join(r, os);
	rule->text[DETECT_CPE] = join(r, cpe);
}

static void end_fingerprint(struct reader *r) {
	if (!r->known || !r->pattern || r->too_many || !compiles(r))
		r->left_out++;
	else
		add_rule(r);
	free(r->pattern);
	r->pattern = NULL;
	for (unsigned i = 0; i < r->nb_params; i++) {
		free(r->param[i].name);
		free(r->param[i].value);
	}
	r->nb_params = 0;
	r->inside = false;
}

static void on_end(void *user, const char *name) {
	struct reader *r = user;

	if (!strcmp(name, "fingerprint") && r->inside)
		end_fingerprint(r);
}

/* ---- Files ---- */

static int parse(struct reader *r, const char *text, size_t n, struct dp_error *err) {
	int ret = 0;

	r->parser = XML_ParserCreate(NULL);
	if (!r->parser)
		return dp_fail(err, false, -ENOMEM, "%s: out of memory", r->path);
	XML_SetUserData(r->parser, r);
	XML_SetElementHandler(r->parser, on_begin, on_end);
	if (XML_Parse(r->parser, text, (int)n, 1) != XML_STATUS_OK)
		ret = dp_fail(err, true, -EINVAL, "%s:%lu: %s; [detection] recog wants Recog's XML",
			r->path, XML_GetCurrentLineNumber(r->parser),
			XML_ErrorString(XML_GetErrorCode(r->parser)));
	else if (r->no_memory)
		ret = dp_fail(err, false, -ENOMEM, "%s: out of memory", r->path);
	XML_ParserFree(r->parser);
	if (r->inside)
		end_fingerprint(r); /* of a file that broke off in it */
	return ret;
}

int detect_rules_parse_recog(struct detect_rules *rules, const char *name, const char *text,
	size_t length, unsigned *left_out, struct dp_error *err) {
	struct reader r = {.rules = rules, .path = name};
	int ret;

	if (detect_rules_add_file(rules, name))
		return dp_fail(err, false, -ENOMEM, "%s: out of memory", name);
	ret = parse(&r, text, length, err);
	*left_out += r.left_out;
	return ret;
}

static int read_file(
	struct detect_rules *rules, const char *path, unsigned *left_out, struct dp_error *err) {
	FILE *file = fopen(path, "re");
	char *text = malloc(MAX_FILE_BYTES + 1);
	int ret = 0;
	size_t n;

	if (!file)
		ret = dp_fail(err, true, -errno, "%s: cannot read it: %m", path);
	else if (!text)
		ret = dp_fail(err, false, -ENOMEM, "%s: out of memory", path);
	else if ((n = fread(text, 1, MAX_FILE_BYTES + 1, file)) > MAX_FILE_BYTES || ferror(file))
		ret = dp_fail(err, true, -EIO, "%s: cannot read it, or it is over %d MiB", path,
			MAX_FILE_BYTES >> 20);
	else
		ret = detect_rules_parse_recog(rules, path, text, n, left_out, err);
	if (file)
		fclose(file);
	free(text);
	return ret;
}

static int is_xml(const struct dirent *entry) {
	const size_t n = strlen(entry->d_name);

	return entry->d_name[0] != '.' && n > 4 && !strcmp(entry->d_name + n - 4, ".xml");
}

int detect_rules_read_recog(
	struct detect_rules *rules, const char *path, unsigned *left_out, struct dp_error *err) {
	struct dirent **names = NULL;
	int nb = scandir(path, &names, is_xml, alphasort), ret = 0;

	*left_out = 0;
	if (nb < 0)
		return dp_fail(err, true, -errno,
			"%s: cannot read the folder: %m; [detection] recog is the folder with "
			"Recog's XML files",
			path);
	if (nb == 0)
		ret = dp_fail(err, true, -ENOENT,
			"%s: no *.xml in it; [detection] recog is the folder with Recog's XML "
			"files, xml/ of its repository",
			path);
	for (int i = 0; i < nb; i++) {
		char *file;

		if (!ret && asprintf(&file, "%s/%s", path, names[i]->d_name) < 0)
			ret = dp_fail(err, false, -ENOMEM, "out of memory");
		else if (!ret) {
			ret = read_file(rules, file, left_out, err);
			free(file);
		}
		free(names[i]);
	}
	free(names);
	return ret;
}
