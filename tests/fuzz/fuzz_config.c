/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whole configurations: an INI file that is read as --config, printed as --print-config and read
 * again gives the same text. Plugins and the folders of the user are out of reach.
 */
#include "config.h"
#include "fuzz.h"

#include <netdb.h>
#include <stdio.h>

/* In place of the C library's: host names among the targets must not be looked up. */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
	struct addrinfo **list) {
	(void)host;
	(void)service;
	(void)hints;
	*list = NULL;
	return EAI_NONAME;
}

/* Devices and processes are no files; and what is read must not depend on the machine. */
static bool names_system(const uint8_t *data, size_t size) {
	static const char *const places[] = {"/dev", "/proc", "/sys", "/run", "/etc", "/root"};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (memmem(data, size, places[i], strlen(places[i])))
			return true;
	return false;
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
	static char empty[] = "/tmp/fuzz_config.XXXXXX";

	/* No plugins are found there. libFuzzer has its folders by relative names: we stay here. */
	FUZZ_ASSERT(mkdtemp(empty));
	FUZZ_ASSERT(setenv("HOME", empty, 1) == 0);
	FUZZ_ASSERT(rmdir(empty) == 0);
	return 0;
}

/* What --print-config of @text prints, to be freed; NULL where it is refused. */
static char *print(const char *text, size_t n, size_t *length) {
	static struct fuzz_file file;
	char program[] = "prtip-dp", config_flag[] = "--config", action[] = "--print-config",
	     set[] = "--set", pair[] = "scan.default_excludes=no", quiet[] = "--quiet";
	char *argv[] = {program, config_flag, file.path, action, set, pair, quiet, NULL};
	struct ctl_config *config;
	struct dp_error err = {0};
	char *printed = NULL;
	FILE *out;
	int rc;

	fuzz_file_put(&file, text, n);
	rc = ctl_config_load(7, argv, &config, &err);
	if (rc) {
		FUZZ_ASSERT(rc < 0 && err.text[0]);
		return NULL;
	}
	FUZZ_ASSERT(config->action == CTL_ACTION_PRINT_CONFIG);
	out = open_memstream(&printed, length);
	FUZZ_ASSERT(out && ctl_config_print(config, out) == 0 && fclose(out) == 0);
	ctl_config_destroy(config);
	return printed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	size_t n, m;
	char *first, *second;

	if (names_system(data, size))
		return 0;
	first = print((const char *)data, size, &n);
	if (!first)
		return 0;
	second = print(first, n, &m);
	FUZZ_ASSERT(second && n == m && !memcmp(first, second, n));
	free(first);
	free(second);
	return 0;
}
