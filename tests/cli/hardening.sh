#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What the compiler and the linker were to do for the program's safety, read from the program itself:
# what Debian's hardening-check looks at (devscripts), and what its packages are built with.

# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"
command -v readelf >/dev/null || tap_skip_all "no readelf (package binutils)"

work=$(mktemp -d "${TMPDIR:-/tmp}/pdp-hardening.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

readelf -hldW "$PRTIP_DP" >elf
readelf --dyn-syms -W "$PRTIP_DP" >symbols

if grep -q '__asan_\|__tsan_\|__llvm_profile' symbols; then
	tap_skip_all "a build for sanitizers or counters is not the one that is shipped"
fi

tap_true "position independent, so that addresses differ from run to run" \
	grep -q 'Type: *DYN (Position-Independent Executable' elf
tap_true "relocations are read-only once it runs" grep -q GNU_RELRO elf
tap_match "all of them, as none is left for later" "$(grep 'FLAGS_1' elf)" NOW
tap_is "the stack is not executable" "$(awk '$1 == "GNU_STACK" { print $7 }' elf)" RW
tap_is "no segment is both writable and executable" "$(grep -cE '^ +LOAD.* RWE ' elf)" 0
tap_true "stacks are guarded" grep -q '__stack_chk_fail' symbols
checked=$(grep -oE '__[a-z]+_chk\b' symbols | grep -v stack_chk | sort -u | wc -l)
tap_true "functions of the C library check their buffers ($checked of them)" test "$checked" -ge 5
tap_is "it brings no search path for libraries along" "$(grep -cE '\((RPATH|RUNPATH)\)' elf)" 0

tap_done
