#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Turn a text file into C string data, a line of C for each line of text, for #include within a
# definition: static const char prelude[] =
# #include "prelude.inc"
# ;
# Usage: embed.sh FILE > FILE.inc
set -eu

sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$/\\n"/' -- "$1"
