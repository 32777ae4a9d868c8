/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A program of the build: what is written out of the table of options besides --help and conf/scan.ini.
 *
 *     options_doc bash|zsh                completion
 *     options_doc options|keys < FILE     a manual page: FILE with the line @OPTIONS@ or @KEYS@ replaced
 */
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	LINE_BYTES = 4096,
	MOST_NUMBERS = 16, /* of a count, so that each is offered */
};

static const struct option *rows;
static unsigned nb_rows;

/* ---- What a value may be ---- */

static const char *kind_of(const struct option *row) {
	if (row->role == OPTION_CONFIG || row->role == OPTION_RESUME)
		return "file";
	if (row->role == OPTION_SET)
		return "set";
	if (row->role == OPTION_OUTPUT)
		return "output";
	if (row->role == OPTION_PLUGIN_ARG)
		return "plugin-arg";
	if (row->role == OPTION_ACTION)
		return row->action == CTL_ACTION_REMOVE_PLUGIN ? "plugin"
			: !strcmp(row->metavar, "PATH")	       ? "folder"
							       : "none";
	if (row->type && row->type->complete)
		return row->type->complete;
	if (row->section && !strcmp(row->section, "dataplane") && !strcmp(row->key, "port"))
		return "port";
	if (row->metavar && !strcmp(row->metavar, "FILE"))
		return "file";
	return "none";
}

/* The values of an enumeration, separated by blanks; false where they are too many to list. */
static bool list_values(const struct option *row, FILE *out) {
	const struct dp_scan_type *type;

	if (row->names) {
		for (unsigned i = 0; row->names[i]; i++)
			fprintf(out, "%s%s", i ? " " : "", row->names[i]);
		return true;
	}
	if (!strcmp(kind_of(row), "bool")) {
		fputs(!strcmp(row->initial, "on") || !strcmp(row->initial, "off") ? "on off"
										  : "yes no",
			out);
		return true;
	}
	if (!strcmp(kind_of(row), "type")) {
		for (unsigned i = 0; (type = dp_scan_at(i)); i++)
			fprintf(out, "%s%s", i ? " " : "", type->name);
		return true;
	}
	if (!row->max || row->max - row->min >= MOST_NUMBERS || row->role != OPTION_VALUE
		|| !row->initial || strspn(row->initial, "0123456789") != strlen(row->initial))
		return false;
	for (uint64_t i = row->min; i <= row->max; i++)
		fprintf(out, "%s%llu", i == row->min ? "" : " ", (unsigned long long)i);
	return true;
}

static bool has_values(const struct option *row) {
	FILE *nowhere = fopen("/dev/null", "w");
	const bool any = nowhere && list_values(row, nowhere);

	if (nowhere)
		fclose(nowhere);
	return any;
}

static bool is_shown(const struct option *row) {
	return row->flags && row->group && !row->later;
}

/* ---- bash ---- */

static void print_pattern(FILE *out, const char *flags) {
	for (; *flags; flags++)
		fputc(*flags == ' ' ? '|' : *flags, out);
}

static void bash_flag(FILE *out, const struct option *row) {
	fputs("\t", out);
	print_pattern(out, row->flags);
	fputs(") ", out);
	if (has_values(row)) {
		fputs("COMPREPLY=($(compgen -W \"", out);
		list_values(row, out);
		fputs("\" -- \"$cur\")) ;;\n", out);
	} else {
		fprintf(out, "_prtip_dp_%s ;;\n", kind_of(row));
	}
}

/* SECTION.KEY=VALUE: a case for each key whose values are known. */
static void bash_keys(FILE *out) {
	for (unsigned i = 0; i < nb_rows; i++) {
		const struct option *row = &rows[i];

		if (!row->key || row->later)
			continue;
		if (has_values(row)) {
			fprintf(out, "\t%s.%s) values=\"", row->section, row->key);
			list_values(row, out);
			fputs("\" ;;\n", out);
		} else if (!strcmp(kind_of(row), "port") || !strcmp(kind_of(row), "device")) {
			fprintf(out, "\t%s.%s%s) values=$(_prtip_dp_%ss) ;;\n", row->section,
				row->key, row->numbered ? "*" : "", kind_of(row));
		} else if (!strcmp(kind_of(row), "plugin")) {
			fprintf(out, "\t%s.%s) values=\"all $(_prtip_dp_plugins)\" ;;\n",
				row->section, row->key);
		}
	}
}

static void list_formats(FILE *out) {
	for (unsigned i = 0; i < nb_rows; i++)
		if (rows[i].key && rows[i].type == &option_path && !rows[i].later)
			fprintf(out, " %s:", rows[i].key);
}

static void list_keys(FILE *out) {
	for (unsigned i = 0; i < nb_rows; i++)
		if (rows[i].key && !rows[i].later)
			fprintf(out, " %s.%s=", rows[i].section, rows[i].key);
}

static void list_flags(FILE *out) {
	for (unsigned i = 0; i < nb_rows; i++)
		if (is_shown(&rows[i]))
			fprintf(out, " %s", rows[i].flags);
}

/* What both shells can run: they ask the kernel and the program. */
static const char shell_lists[]
	= "_prtip_dp_devices() {\n"
	  "\tlocal path\n"
	  "\tfor path in /sys/class/net/*; do\n"
	  "\t\t[ -e \"$path\" ] && echo \"${path##*/}\"\n"
	  "\tdone\n"
	  "}\n\n"
	  "_prtip_dp_ports() {\n"
	  "\techo auto sim lo\n"
	  "\tlocal path\n"
	  "\tfor path in /sys/class/net/*; do\n"
	  "\t\t[ -e \"$path/device\" ] || [ ! -e \"$path/loopback\" ] || continue\n"
	  "\t\tpath=${path##*/}\n"
	  "\t\t[ \"$path\" = lo ] || echo \"$path af_xdp:$path af_packet:$path\"\n"
	  "\tdone\n"
	  "}\n\n"
	  "_prtip_dp_plugins() {\n"
	  "\tcommand \"${_prtip_dp_program:-prtip-dp}\" --list-plugins --json 2>/dev/null |\n"
	  "\t\tsed -n 's/^.*{\"name\":\"\\([a-z0-9-]*\\)\".*/\\1/p'\n"
	  "}\n\n";

static void print_bash(FILE *out) {
	fputs("# bash completion of prtip-dp, made from its table of options\n"
	      "# SPDX-License-Identifier: BSD-3-Clause\n\n",
		out);
	fputs(shell_lists, out);
	fputs("_prtip_dp_none() { :; }\n"
	      "_prtip_dp_file() { _filedir; }\n"
	      "_prtip_dp_folder() { _filedir -d; }\n"
	      "_prtip_dp_device() { COMPREPLY=($(compgen -W \"$(_prtip_dp_devices)\" -- "
	      "\"$cur\")); }\n"
	      "_prtip_dp_plugin() { COMPREPLY=($(compgen -W \"$(_prtip_dp_plugins)\" -- "
	      "\"$cur\")); }\n"
	      "_prtip_dp_plugin-arg() {\n"
	      "\tcompopt -o nospace\n"
	      "\tCOMPREPLY=($(compgen -S . -W \"$(_prtip_dp_plugins)\" -- \"$cur\"))\n"
	      "}\n\n"
	      "# What stands before the last = or : that breaks words is not typed again.\n"
	      "_prtip_dp_trim() {\n"
	      "\tlocal breaks= before\n"
	      "\t[[ $COMP_WORDBREAKS == *=* ]] && breaks+==\n"
	      "\t[[ $COMP_WORDBREAKS == *:* ]] && breaks+=:\n"
	      "\t[ \"$breaks\" ] || return 0\n"
	      "\tbefore=${1%\"${1##*[$breaks]}\"}\n"
	      "\tCOMPREPLY=(\"${COMPREPLY[@]#\"$before\"}\")\n"
	      "}\n\n"
	      "# FORMAT:PATH\n"
	      "_prtip_dp_output() {\n"
	      "\tlocal format=${cur%%:*}\n"
	      "\tif [[ $cur == *:* ]]; then\n"
	      "\t\tcur=${cur#*:}\n"
	      "\t\t_filedir\n"
	      "\t\tCOMPREPLY=(\"${COMPREPLY[@]/#/$format:}\")\n"
	      "\t\tcur=$format:$cur\n"
	      "\telse\n"
	      "\t\tcompopt -o nospace\n"
	      "\t\tCOMPREPLY=($(compgen -W \"",
		out);
	list_formats(out);
	fputs("\" -- \"$cur\"))\n"
	      "\tfi\n"
	      "\t_prtip_dp_trim \"$cur\"\n"
	      "}\n\n"
	      "# SECTION.KEY=VALUE\n"
	      "_prtip_dp_set() {\n"
	      "\tlocal key=${cur%%=*} values=\n"
	      "\tif [[ $cur != *=* ]]; then\n"
	      "\t\tcompopt -o nospace\n"
	      "\t\tCOMPREPLY=($(compgen -W \"",
		out);
	list_keys(out);
	fputs("\" -- \"$cur\"))\n"
	      "\t\treturn\n"
	      "\tfi\n"
	      "\tcase $key in\n",
		out);
	bash_keys(out);
	fputs("\tesac\n"
	      "\tcur=${cur#*=}\n"
	      "\tif [ \"$values\" ]; then\n"
	      "\t\tCOMPREPLY=($(compgen -W \"$values\" -- \"$cur\"))\n"
	      "\telse\n"
	      "\t\t_filedir\n"
	      "\tfi\n"
	      "\tCOMPREPLY=(\"${COMPREPLY[@]/#/$key=}\")\n"
	      "\t_prtip_dp_trim \"$key=$cur\"\n"
	      "}\n\n"
	      "_prtip_dp() {\n"
	      "\tlocal cur prev words cword _prtip_dp_program=$1\n"
	      "\t_init_completion -n =: || return\n"
	      "\tcase $prev in\n",
		out);
	for (unsigned i = 0; i < nb_rows; i++)
		if (is_shown(&rows[i]) && rows[i].metavar)
			bash_flag(out, &rows[i]);
	fputs("\t*)\n"
	      "\t\t[[ $cur == -* ]] || return\n"
	      "\t\tCOMPREPLY=($(compgen -W \"",
		out);
	list_flags(out);
	fputs("\" -- \"$cur\"))\n"
	      "\t\t;;\n"
	      "\tesac\n"
	      "} &&\n"
	      "\tcomplete -F _prtip_dp prtip-dp\n",
		out);
}

/* ---- zsh ---- */

/* Within '...[...]': quotes, brackets and colons are special. */
static void zsh_text(FILE *out, const char *text) {
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\'", out);
		else if (strchr("[]:\\", *text))
			fputc('\\', out);
		fputc(*text, out);
	}
}

static void zsh_action(FILE *out, const struct option *row) {
	const char *kind = kind_of(row);

	fputs(":", out);
	zsh_text(out, row->metavar);
	fputs(":", out);
	if (has_values(row)) {
		fputs("(", out);
		list_values(row, out);
		fputs(")", out);
	} else if (!strcmp(kind, "file")) {
		fputs("_files", out);
	} else if (!strcmp(kind, "folder")) {
		fputs("_files -/", out);
	} else if (!strcmp(kind, "none")) {
		fputs(" ", out);
	} else {
		fprintf(out, "_prtip_dp_%s", kind);
	}
}

static void zsh_flag(FILE *out, const struct option *row) {
	const char *flags = row->flags;
	const bool repeats = row->role == OPTION_SET || row->role == OPTION_OUTPUT
		|| row->role == OPTION_PLUGIN_ARG || row->role == OPTION_MORE
		|| (row->type && row->type->list);

	while (*flags) {
		const int length = (int)strcspn(flags, " ");

		fprintf(out, "\t\t'%s%.*s[", repeats ? "*" : "", length, flags);
		zsh_text(out, row->help);
		fputs("]", out);
		if (row->metavar)
			zsh_action(out, row);
		fputs("' \\\n", out);
		flags += length;
		flags += strspn(flags, " ");
	}
}

static void print_zsh(FILE *out) {
	fputs("#compdef prtip-dp\n"
	      "# zsh completion of prtip-dp, made from its table of options\n"
	      "# SPDX-License-Identifier: BSD-3-Clause\n\n",
		out);
	fputs(shell_lists, out);
	fputs("_prtip_dp_device() { compadd -- $(_prtip_dp_devices) }\n"
	      "_prtip_dp_plugin() { compadd -- $(_prtip_dp_plugins) }\n"
	      "_prtip_dp_plugin-arg() { compadd -S . -- $(_prtip_dp_plugins) }\n\n"
	      "_prtip_dp_output() {\n"
	      "\tif compset -P '*:'; then\n"
	      "\t\t_files\n"
	      "\telse\n"
	      "\t\tcompadd -S '' --",
		out);
	list_formats(out);
	fputs("\n\tfi\n"
	      "}\n\n"
	      "_prtip_dp_set() {\n"
	      "\tlocal key=${PREFIX%%=*} values=\n"
	      "\tif ! compset -P '*='; then\n"
	      "\t\tcompadd -S '' --",
		out);
	list_keys(out);
	fputs("\n\t\treturn\n"
	      "\tfi\n"
	      "\tcase $key in\n",
		out);
	bash_keys(out);
	fputs("\tesac\n"
	      "\tif [[ -n $values ]]; then\n"
	      "\t\tcompadd -- ${=values}\n"
	      "\telse\n"
	      "\t\t_files\n"
	      "\tfi\n"
	      "}\n\n"
	      "_prtip_dp() {\n"
	      "\tlocal _prtip_dp_program=${words[1]}\n"
	      "\t_arguments -S \\\n",
		out);
	for (unsigned i = 0; i < nb_rows; i++)
		if (is_shown(&rows[i]))
			zsh_flag(out, &rows[i]);
	fputs("\t\t'*:target:_guard \"^-*\" target'\n"
	      "}\n\n"
	      "_prtip_dp \"$@\"\n",
		out);
}

/* ---- Manual pages ---- */

/* Text in which nothing is a request or a hyphen that could be broken. */
static void roff(FILE *out, const char *text) {
	if (*text == '.' || *text == '\'')
		fputs("\\&", out);
	for (; *text; text++) {
		if (*text == '-')
			fputs("\\-", out);
		else if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '~')
			fputs("\\(ti", out);
		else if (*text == '`')
			fputs("\\(ga", out);
		else if (*text == '^')
			fputs("\\(ha", out);
		else
			fputc(*text, out);
	}
}

/* A help text is a clause without its end. */
static void roff_sentence(FILE *out, const char *text) {
	roff(out, text);
	fputs(".\n", out);
}

static void roff_flags(FILE *out, const struct option *row) {
	const char *flags = row->flags;

	fputs(".TP\n", out);
	while (*flags) {
		char flag[64];
		const int length = (int)strcspn(flags, " ");

		snprintf(flag, sizeof flag, "%.*s", length, flags);
		fputs(flags == row->flags ? "\\fB" : ", \\fB", out);
		roff(out, flag);
		fputs("\\fR", out);
		flags += length;
		flags += strspn(flags, " ");
	}
	if (row->metavar) {
		fputs(" \\fI", out);
		roff(out, row->metavar);
		fputs("\\fR", out);
	}
	fputs("\n", out);
	roff_sentence(out, row->help);
	if (row->key) {
		fputs("The key is \\fB", out);
		roff(out, row->key);
		fprintf(out, "\\fR of [%s]", row->section);
		if (*row->initial) {
			fputs(", the default ", out);
			roff(out, row->initial);
		}
		fputs(".\n", out);
	}
}

static bool first_of_group(unsigned place) {
	for (unsigned i = 0; i < place; i++)
		if (is_shown(&rows[i]) && !strcmp(rows[i].group, rows[place].group))
			return false;
	return true;
}

static void print_options(FILE *out) {
	for (unsigned i = 0; i < nb_rows; i++) {
		if (!is_shown(&rows[i]) || !first_of_group(i))
			continue;
		fprintf(out, ".SS %s\n", rows[i].group);
		for (unsigned k = i; k < nb_rows; k++)
			if (is_shown(&rows[k]) && !strcmp(rows[k].group, rows[i].group))
				roff_flags(out, &rows[k]);
	}
}

static void roff_key(FILE *out, const struct option *row) {
	fputs(".TP\n\\fB", out);
	roff(out, row->key);
	fputs("\\fR", out);
	if (row->numbered) {
		fputs(", \\fB", out);
		roff(out, row->key);
		fprintf(out, "0\\fR to \\fB");
		roff(out, row->key);
		fprintf(out, "%d\\fR", DP_MAX_PORTS - 1);
	}
	if (*row->initial) {
		fputs(" = ", out);
		roff(out, row->initial);
	}
	fputs("\n", out);
	roff_sentence(out, row->help);
	if (row->later)
		fputs("Not in this version: only the default is taken.\n", out);
	if (row->flags) {
		fputs("On the command line: \\fB", out);
		roff(out, row->flags);
		fputs("\\fR.\n", out);
	}
}

static void print_keys(FILE *out) {
	const char *section = "";

	for (unsigned i = 0; i < nb_rows; i++) {
		if (!rows[i].key)
			continue;
		if (strcmp(section, rows[i].section))
			fprintf(out, ".SS [%s]\n", section = rows[i].section);
		roff_key(out, &rows[i]);
	}
}

static void fill_page(FILE *in, FILE *out, const char *mark, void (*print)(FILE *out)) {
	char line[LINE_BYTES];

	while (fgets(line, sizeof line, in)) {
		if (!strcmp(line, mark))
			print(out);
		else
			fputs(line, out);
	}
}

int main(int argc, char **argv) {
	const char *what = argc == 2 ? argv[1] : "";

	rows = options_all(&nb_rows);
	if (!strcmp(what, "bash")) {
		print_bash(stdout);
	} else if (!strcmp(what, "zsh")) {
		print_zsh(stdout);
	} else if (!strcmp(what, "options")) {
		fill_page(stdin, stdout, "@OPTIONS@\n", print_options);
	} else if (!strcmp(what, "keys")) {
		fill_page(stdin, stdout, "@KEYS@\n", print_keys);
	} else {
		fputs("usage: options_doc bash|zsh|options|keys\n", stderr);
		return 2;
	}
	return fflush(stdout) || ferror(stdout) ? 1 : 0;
}
