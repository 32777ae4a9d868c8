#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Compile an XDP program and write its object as the body of a C array.
# usage: bpf-object.sh CLANG SOURCE OUTPUT
set -eu
include=/usr/include/$(cc -print-multiarch 2>/dev/null || gcc -print-multiarch)
"$1" -O2 -g -ffile-prefix-map="$(dirname "$2")"=. -target bpf -Wall -I"$include" -c "$2" -o "$3.o"
od -An -v -tx1 "$3.o" | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g' >"$3"
rm "$3.o"
