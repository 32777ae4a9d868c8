/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rules as they were read, for those that read, compile and try them: detect_file.c, detect_recog.c,
 * detect.c.
 */
#ifndef CTL_DETECT_RULE_H
#define CTL_DETECT_RULE_H

#include "detect.h"
#include "detect_field.h"

/* The texts of a rule, in the order of the keys of a file. */
enum detect_text {
	DETECT_SERVICE,
	DETECT_PRODUCT,
	DETECT_VERSION,
	DETECT_INFO,
	DETECT_OS,
	DETECT_CPE,
	DETECT_TEXTS,
};

extern const char *const detect_text_names[DETECT_TEXTS];

struct detect_ports {
	uint16_t first, last;
	bool tcp, udp;
};

struct detect_rule {
	enum detect_field field;
	char *pattern;
	bool icase, dotall, multiline;
	char *text
		[DETECT_TEXTS]; /* NULL: none; $1 stands for a group, [...] for what may be left out */
	double confidence; /* negative: by what the texts give */
	struct detect_ports *ports;
	unsigned nb_ports; /* 0: all */
	const char *file; /* the name of what it was read from; belongs to the rules */
	unsigned line;
};

/* What one banner, or value of a field, must lead to. */
struct detect_example {
	unsigned rule;
	unsigned line;
	enum detect_field field;
	char *value;
	size_t n;
	char *wanted[DETECT_TEXTS]; /* NULL: not looked at */
};

struct detect_rules {
	struct detect_rule *rule;
	unsigned nb, room;
	struct detect_example *example;
	unsigned nb_examples, examples_room;
	char **file;
	unsigned nb_files;
};

/* A further rule of the latest file, at its defaults; NULL: no memory. Valid until the next call. */
struct detect_rule *detect_rules_add(struct detect_rules *rules, unsigned line);
struct detect_example *detect_rules_add_example(struct detect_rules *rules, unsigned line);

/* A copy of @name for the rules that follow; 0 or -ENOMEM. */
int detect_rules_add_file(struct detect_rules *rules, const char *name);

/* What is wrong with a text that has $N and [...]; NULL: nothing. */
const char *detect_text_wrong(const char *text);

#endif
