/* SPDX-License-Identifier: BSD-3-Clause */
/* The exclude files, read again while a scan runs. Control core; owns the sets it made. */
#include "reload.h"
#include "targets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct reload {
	const struct ctl_config *config;
	struct dp_ipset **sets; /* each has all of those before it; the last one holds */
	unsigned nb_sets;
};

int reload_create(const struct ctl_config *config, struct reload **reload) {
	struct reload *r = calloc(1, sizeof *r);

	if (!r)
		return -ENOMEM;
	r->config = config;
	*reload = r;
	return 0;
}

void reload_destroy(struct reload *reload) {
	for (unsigned i = 0; reload && i < reload->nb_sets; i++)
		dp_ipset_destroy(reload->sets[i]);
	if (reload)
		free(reload->sets);
	free(reload);
}

static int no_memory(struct dp_error *err) {
	return dp_fail(err, false, -ENOMEM, "out of memory for the exclusions");
}

/* The files of the list one after the other; NULL at its end. Standard input is left out. */
static const char *next_file(char **rest) {
	char *file;

	while ((file = strsep(rest, ","))) {
		file += strspn(file, " ");
		if (*file && strcmp(file, "-"))
			return file;
	}
	return NULL;
}

int reload_check(const struct reload *reload, struct dp_error *err) {
	const char *files = reload->config->exclude_files, *file;
	char *copy = strdup(files ? files : ""), *rest = copy;
	int rc = copy ? 0 : no_memory(err);

	while (!rc && (file = next_file(&rest)))
		if (faccessat(AT_FDCWD, file, R_OK, AT_EACCESS) < 0 && errno == EACCES)
			rc = dp_fail(err, false, -EACCES,
				"exclude file %.200s cannot be read again on SIGHUP: it has to be "
				"readable to the user that runs the scan, as the right to read all "
				"files is given up after the start",
				file);
	free(copy);
	return rc;
}

/* A pipe was read at the start and gives nothing more, or makes us wait for it. */
static int check_regular(const char *path, struct dp_error *err) {
	struct stat status;

	if (stat(path, &status) < 0)
		return dp_fail(err, false, -errno, "exclude file %s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return dp_fail(err, false, -ESPIPE,
			"exclude file %s: not a regular file, so it cannot be read again", path);
	return 0;
}

/* What standard input said holds on. */
static int check_files(const char *files, struct dp_error *err) {
	char *copy = strdup(files), *rest = copy;
	int rc = copy ? 0 : no_memory(err);
	const char *file;
	unsigned nb = 0;

	while (!rc && (file = next_file(&rest))) {
		rc = check_regular(file, err);
		nb++;
	}
	free(copy);
	if (!rc && !nb)
		rc = dp_fail(err, false, -ENOENT, "there is no exclude_file to read again");
	return rc;
}

static int unite(struct dp_ipset *set, const struct dp_ipset *other) {
	const struct dp_range *ranges;
	const size_t nb = dp_ipset_ranges(other, &ranges);
	int rc = 0;

	for (size_t i = 0; !rc && i < nb; i++)
		rc = dp_ipset_add(set, ranges[i].first, ranges[i].last);
	return rc;
}

/* Addresses of the scan that @set leaves. */
static int count_left(const struct reload *r, const struct dp_ipset *set, dp_u128 *left) {
	struct dp_ipset *copy;
	int rc = dp_ipset_copy(dp_space_addresses(r->config->space), &copy);

	if (rc)
		return rc;
	if (set)
		rc = dp_ipset_subtract(copy, set);
	*left = dp_ipset_count(copy);
	dp_ipset_destroy(copy);
	return rc;
}

/* Keep @set, which has all that the last one has, and count what it adds. */
static int keep(struct reload *r, struct dp_ipset *set, uint64_t *nb_new) {
	const struct dp_ipset *last = r->nb_sets ? r->sets[r->nb_sets - 1] : NULL;
	dp_u128 before, after;
	struct dp_ipset **sets;

	if (count_left(r, last, &before) || count_left(r, set, &after))
		return -ENOMEM;
	sets = reallocarray(r->sets, r->nb_sets + 1, sizeof *sets);
	if (!sets)
		return -ENOMEM;
	r->sets = sets;
	r->sets[r->nb_sets++] = set;
	*nb_new = before - after > UINT64_MAX ? UINT64_MAX : (uint64_t)(before - after);
	return 0;
}

int reload_restore(
	struct reload *r, const struct dp_range *ranges, unsigned nb, const struct dp_ipset **all) {
	struct dp_ipset *set = NULL;
	uint64_t nb_new;
	int rc = dp_ipset_create(&set);

	for (unsigned i = 0; !rc && i < nb; i++)
		rc = dp_ipset_add(set, ranges[i].first, ranges[i].last);
	if (rc)
		goto destroy;
	dp_ipset_seal(set);
	rc = keep(r, set, &nb_new);
	if (rc)
		goto destroy;
	*all = set;
	return 0;

destroy:
	dp_ipset_destroy(set);
	return rc;
}

int reload_read(
	struct reload *r, const struct dp_ipset **all, uint64_t *nb_new, struct dp_error *err) {
	const struct targets_spec spec
		= {.type = r->config->type, .exclude_files = r->config->exclude_files};
	struct dp_ipset *set;
	int rc = check_files(r->config->exclude_files, err);

	if (!rc)
		rc = targets_read_excludes(&spec, &set, err);
	if (rc)
		return rc;
	if (r->nb_sets)
		rc = unite(set, r->sets[r->nb_sets - 1]);
	dp_ipset_seal(set);
	if (!rc)
		rc = keep(r, set, nb_new);
	if (rc) {
		dp_ipset_destroy(set);
		return no_memory(err);
	}
	*all = set;
	return 0;
}
