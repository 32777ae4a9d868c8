#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What `make install` installs, run from there: the program with its data, units as systemd reads them, and the
# scripts that they call, on a tree that stands for /sys.

# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

build=$(dirname "$PRTIP_DP")
if ! [ -w "$build/meson-info" ] || ! command -v meson >/dev/null; then
	tap_skip_all "no meson, or another user's build folder"
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/pdp-install.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
root=$work/root

DESTDIR=$root meson install -C "$build" --no-rebuild >"$work/log" 2>&1
tap_is "make install, staged" $? 0 || tap_note_file "$work/log"
prefix=$(cd "$root" && find . -name prtip-dp -path '*/bin/*' | sed 's|^\.||; s|/bin/prtip-dp$||')
libexec=$root$(cd "$root" && find . -name prtip-bind | sed 's|^\.||; s|/prtip-bind$||')
for file in share/man/man1/prtip-dp.1 share/man/man5/scan.ini.5 share/man/man7/prtip-plugin.7 \
	share/bash-completion/completions/prtip-dp share/zsh/site-functions/_prtip-dp \
	share/doc/prtip-dp/resume.md lib/sysusers.d/prtip-dp.conf lib/tmpfiles.d/prtip-dp.conf; do
	tap_true "installed: $file" test -s "$root$prefix/$file"
done

# installed COMMAND...: with what was installed where it will be.
# shellcheck disable=SC2016 # for the inner shell
installed() {
	unshare --map-root-user --mount -- sh -c 'mount --bind "$0$1" "$1" && shift && exec "$@"' "$root" "$prefix" "$@"
}

# --- The program ----------------------------------------------------------------------------------

if [ -d "$prefix" ] && installed true 2>/dev/null; then
	export HOME=$work
	cd "$work" || exit 1
	installed "$prefix/bin/prtip-dp" --list-plugins --json >plugins 2>err
	tap_is "it finds its plugins" "$(grep -o '"state":"[a-z]*"' plugins | sort | uniq -c | tr -s ' ')" \
		" $(find "$TOP_DIR/plugins" -mindepth 1 -maxdepth 1 -type d | wc -l) \"state\":\"valid\"" || tap_note_file err
	tap_is "where they were installed" "$(grep -o '"folder":"[^"]*"' plugins | grep -vc "$prefix/share/prtip/plugins/")" 0
	installed "$prefix/bin/prtip-dp" --quiet --set dataplane.port=sim --set sim.alive=1 --set sim.open=1 \
		--set scan.cooldown=300ms --set banner.enable=on --set banner.wait=500ms --plugin banner-analyzer \
		-p 22 198.18.0.0/28 -o ndjson:found 2>err
	tap_is "it scans, with a plugin and fingerprints" "$? $(grep -c '"service":.*"banner-analyzer"' found)" "0 16" || tap_note_file err
	installed "$prefix/bin/prtip-dp" --set dataplane.port=sim -p 80 10.0.0.0/8,10.0.0.1 --list-targets 2>err | head -n 1 >first
	tap_true "and knows what is left out by default" test -s first

	units=$(cd "$root" && find . -name 'prtip-*.service' | sed 's|^\.||' | sort)
	if command -v systemd-analyze >/dev/null; then
		# Of another place than systemd looks in only these are asked for.
		# shellcheck disable=SC2086 # a list of words
		installed systemd-analyze verify --man=no $units >verified 2>&1
		tap_is "systemd-analyze verify" "$? $(grep -c prtip verified)" "0 0" || tap_note_file verified
		installed systemd-analyze security --offline=true --threshold=30 "$(echo "$units" | grep prtip-dp@)" >exposure 2>&1
		tap_is "systemd-analyze security: 3.0 or better" $? 0 || tail -n 1 exposure
	else
		tap_skip "systemd-analyze" "systemd is not installed"
	fi
	tap_is "the unit runs what was installed" \
		"$(sed -n 's/^ExecStart=//p' "$root$(echo "$units" | grep prtip-dp@)")" \
		"$prefix/bin/prtip-dp --config /etc/prtip/%i.ini --resume-or-start"
else
	tap_skip "what is installed runs" "there is no $prefix here, or no user namespaces"
fi

# --- Hugepages ------------------------------------------------------------------------------------

export SYSFS=$work/sys
pages=$SYSFS/kernel/mm/hugepages/hugepages-2048kB
mkdir -p "$pages" "$SYSFS/devices/system/node/node1/hugepages/hugepages-1048576kB"
echo 0 >"$pages/nr_hugepages"
tap_is "hugepages: as many as wanted" "$(PAGES_2M=64 PAGES_1G='' "$libexec/prtip-hugepages")" "64 pages of 2048 kB"
tap_is "they are asked for" "$(cat "$pages/nr_hugepages")" 64
PAGES_2M=8 "$libexec/prtip-hugepages" >/dev/null
tap_is "those that are there stay" "$(cat "$pages/nr_hugepages")" 64
echo 0 >"$SYSFS/devices/system/node/node1/hugepages/hugepages-1048576kB/nr_hugepages"
tap_is "on a node" "$(PAGES_1G=4 NODE=1 "$libexec/prtip-hugepages")" "4 pages of 1048576 kB on node 1"
tap_match "a size that the CPU has not" "$(PAGES_1G=4 "$libexec/prtip-hugepages" 2>&1; echo $?)" 'no pages of 1048576 kB'
tap_match "no number" "$(PAGES_2M=many "$libexec/prtip-hugepages" 2>&1)" 'many: not a number'
# A kernel that has fewer gives what it has: reading back tells.
mkdir -p "$work/less"
printf '#!/bin/sh\necho 3\n' >"$work/less/cat"
chmod +x "$work/less/cat"
tap_match "fewer than wanted is a failure" "$(PATH=$work/less:$PATH PAGES_2M=64 "$libexec/prtip-hugepages" 2>&1)$?" \
	'^prtip-hugepages: 3 of 64 pages of 2048 kB: .*command line1$'

# --- Binding --------------------------------------------------------------------------------------

export RUN=$work/run DEV=$work/dev
device=$SYSFS/bus/pci/devices/0000:03:00.0
mkdir -p "$device" "$SYSFS/drivers/ice" "$SYSFS/drivers/vfio-pci" "$SYSFS/groups/17" "$DEV/vfio" "$work/bin"
ln -s "$SYSFS/drivers/ice" "$device/driver"
: >"$DEV/vfio/17"
# What stands for DPDK's tool does to the tree what it does to /sys.
cat >"$work/bin/dpdk-devbind.py" <<-'SH'
	#!/bin/sh
	echo "$*" >>"$RUN.calls"
	[ ! -e "$RUN.refuse" ] || exit 0
	rm -f "$SYSFS/bus/pci/devices/$2/driver"
	case $1 in
	--bind=*) ln -s "$SYSFS/drivers/${1#--bind=}" "$SYSFS/bus/pci/devices/$2/driver" ;;
	esac
SH
printf '#!/bin/sh\n' >"$work/bin/modprobe"
# shellcheck disable=SC2016
printf '#!/bin/sh\necho chgrp "$@" >>"$RUN.calls"\n' >"$work/bin/chgrp"
chmod +x "$work/bin/"*
PATH=$work/bin:$PATH

bind() {
	"$libexec/prtip-bind" "$@" 2>&1
	echo "$?"
}
driver() {
	basename "$(readlink "$device/driver")"
}
tap_match "bind: without an IOMMU it says what to do" "$(bind bind 0000:03:00.0)" 'no IOMMU group: enable VT-d'
tap_is "unbind: the first driver has it again" "$(bind unbind 0000:03:00.0) $(driver)" "0 ice"
ln -s "$SYSFS/groups/17" "$device/iommu_group"
tap_is "bind" "$(bind bind 0000:03:00.0) $(driver)" "0 vfio-pci"
tap_match "bind: the group's device is prtip's" "$(cat "$RUN.calls")" "chgrp prtip $DEV/vfio/17"
tap_is "bind: once more changes nothing" "$(bind bind 0000:03:00.0) $(cat "$RUN/0000:03:00.0")" "0 ice"
tap_is "unbind" "$(bind unbind 0000:03:00.0) $(driver)" "0 ice"
tap_is "unbind: once more changes nothing" "$(bind unbind 0000:03:00.0) $(driver)" "0 ice"
touch "$RUN.refuse"
tap_match "bind: a device that stays with its driver is a failure" "$(bind bind 0000:03:00.0)" 'is with ice, not with vfio-pci'
tap_match "a device that is not there" "$(bind bind 0000:04:00.0)" 'no such device'
tap_match "not an address" "$(bind bind eth0)" 'eth0: not a PCI address'

tap_done
