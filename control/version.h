/* SPDX-License-Identifier: BSD-3-Clause */
/* The version, from the build (meson's project version). */
#ifndef CTL_VERSION_H
#define CTL_VERSION_H

#ifndef CTL_VERSION
#error "the build defines CTL_VERSION"
#endif

#endif
