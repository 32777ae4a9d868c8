/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the files that belong to the program are: in the source tree for a program that runs from
 * its build tree, else where they were installed.
 */
#ifndef CTL_DATADIR_H
#define CTL_DATADIR_H

/*
 * The path of @in_tree (from the top of the source tree), or of @installed (in PREFIX/share/prtip).
 * To be freed; NULL where there is no memory.
 */
char *datadir_path(const char *in_tree, const char *installed);

#endif
