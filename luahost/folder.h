/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading the files of a plugin's folder, none of which may lie elsewhere, and saying what is wrong
 * with one of them.
 *
 * Names are relative to the folder's descriptor, and links in them may not leave the folder.
 */
#ifndef LH_FOLDER_H
#define LH_FOLDER_H

#include <lh/error.h>

#include <stddef.h>
#include <sys/types.h>

enum {
	FOLDER_FILE_BYTES = 4 << 20,
	FOLDER_NAMES = 1000, /* in one folder */
};

/* Open @path; may be a link. The descriptor or a negative errno. */
int folder_open(const char *path);

/*
 * Open @name beneath @folder for reading, without side effects where it is a FIFO or a device:
 * -ENODEV where it is neither a regular file nor a folder, -EXDEV where it leaves @folder. *@mode is
 * its st_mode. The descriptor or a negative errno.
 */
int folder_beneath(int folder, const char *name, mode_t *mode);

/*
 * Read the regular file @name into *@text (with a NUL behind it), to be freed; -EFBIG where it has
 * more than FOLDER_FILE_BYTES. 0 or a negative errno.
 */
int folder_read(int folder, const char *name, char **text, size_t *bytes);

/* 0 where @name is a regular file that folder_read() would take; else a negative errno. */
int folder_has(int folder, const char *name);

/*
 * Names in the folder @name beneath @folder that do not begin with a dot, sorted bytewise; "." is
 * @folder itself. -E2BIG where there are more than FOLDER_NAMES. 0 or a negative errno; free with
 * folder_free_names().
 */
int folder_list(int folder, const char *name, char ***names, unsigned *nb_names);
void folder_free_names(char **names, unsigned nb_names);

/* What a negative errno of these functions means for the file, for people; static text. */
const char *folder_why(int rc);

/* Where something is wrong. */
struct place {
	const char *folder;
	const char *file; /* NULL: the folder itself */
	unsigned line; /* 0: the file as a whole */
};

/*
 * Fill @err with "FOLDER/FILE:LINE: ..." as one printable line of UTF-8, and return @code. The
 * plugin is at fault. A long folder loses its beginning, so that the reason stays.
 */
__attribute__((format(printf, 4, 5))) int place_fail(
	struct lh_error *err, const struct place *place, int code, const char *format, ...);

/* Make @text one printable line: control characters and what is not UTF-8 become '?'. */
void make_printable(char *text);

#endif
