/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The actions on plugins: --list-plugins, --install-plugin, --remove-plugin, --check-plugin and
 * --new-plugin.
 */
#ifndef CTL_PLUGIN_CMD_H
#define CTL_PLUGIN_CMD_H

#include "config.h"

/*
 * Do what config->action says and print what was done to @out. 0, or a negative errno with @err
 * filled; then what is installed is as before, and
 * nothing was made.
 */
int plugin_cmd(const struct ctl_config *config, FILE *out, struct dp_error *err);

#endif
