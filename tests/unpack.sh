#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# unpack.sh FOLDER SET...: download what the Debian packages of the sets need beyond what is installed
# here, and unpack it into FOLDER, without installing anything: no maintainer script runs, no daemon
# starts. A SET is one argument, a list of packages that go together; those which conflict with each
# other (two mail servers) belong in different sets. An installed package needs nothing.
#
#   FOLDER/usr, etc, ...   the files; the old /bin, /sbin and /lib are in usr
#   FOLDER/packages        `package version file` of each that was unpacked
#   FOLDER/stamp           what it was made from
#
# Made only where what is installed here or the list has changed, in a folder beside it that takes its
# name when it is whole. All of it belongs to whom the folder around it belongs to. A package that cannot
# be had is said in one line and costs no other.
set -euo pipefail
umask 022
export LC_ALL=C PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive

if [ $# -lt 2 ]; then
	echo "usage: unpack.sh FOLDER SET..." >&2
	exit 2
fi
folder=$1
shift
parent=$(dirname "$folder")
[ -d "$parent" ] || install -d -o "$(stat -c %U "$(dirname "$parent")")" "$parent"
exec 9>"$folder.lock"
flock 9

# The quick look: nothing was installed or removed since, and the same is asked for.
inputs=$(cat "$0" - <<<"$*" | sha256sum | cut -d' ' -f1)
status=$(stat -c %Y /var/lib/dpkg/status)
if [ "$(cat "$folder/stamp" 2>/dev/null)" = "$inputs $status" ]; then
	exit 0
fi

if [ "$(id -u)" -ne 0 ]; then
	echo "no programs of Debian's packages in $folder: run: sudo make deps-servers" >&2
	exit 0
fi

new=$folder.new
rm -rf "$new"
mkdir -p "$new/etc" "$new/usr/bin" "$new/usr/sbin" "$new/usr/lib" "$new/none/partial"
: >"$new/packages"
trap 'rm -rf "$new"' EXIT
ln -s usr/bin usr/sbin usr/lib "$new"

apt() {
	apt-get -qq -y --no-install-recommends --no-upgrade -o DPkg::Lock::Timeout=60 "$@"
}

# What `apt-get install` would fetch for these packages were its cache empty, as `URI file size hash`.
uris_of() {
	apt install --print-uris -o Dir::Cache::archives="$new/none" "$@"
}

# plan SET...: fill $plan with the packages that can be had, one set a line, and $new/uris.
plan() {
	local set package
	local -a packages could
	plan=()
	refused=()
	why=
	: >"$new/uris"
	for set in "$@"; do
		read -rd '' -a packages <<<"$set" || true
		if uris_of "${packages[@]}" >>"$new/uris" 2>/dev/null; then
			plan+=("$set")
			continue
		fi
		# One of them cannot be had, which should not cost the others.
		could=()
		for package in "${packages[@]}"; do
			if uris_of "$package" >>"$new/uris" 2>"$new/why"; then
				could+=("$package")
			else
				refused+=("$package")
				[ "$why" ] || why=$(grep '^E: ' "$new/why" | tail -n 1)
			fi
		done
		# Alone each is possible, all at once may not be.
		plan+=("${could[@]}")
	done
	sort -u -o "$new/uris" "$new/uris"
}

download() {
	local set
	local -a packages
	for set in "${plan[@]}"; do
		read -rd '' -a packages <<<"$set" || true
		apt install --download-only "${packages[@]}" >"$new/log" 2>&1 || return
	done
}

plan "$@"
if [ ${#refused[@]} -eq 0 ] && [ "$(cat "$folder/uris" 2>/dev/null)" = "$(cat "$new/uris")" ] &&
	[ "$(cut -d' ' -f1 "$folder/stamp" 2>/dev/null)" = "$inputs" ]; then
	echo "$inputs $status" >"$folder/stamp"
	exit 0
fi

# shellcheck disable=SC2048,SC2086 # without their line breaks
echo "unpacking into $folder, not installing:" $*
# apt's lists that are missing know of no packages, and old ones of such as are gone.
if [ ${#refused[@]} -ne 0 ] || ! download; then
	apt-get -q update >"$new/log" 2>&1 || true
	plan "$@"
	download || {
		sed 's/^/unpack.sh: /' "$new/log" >&2
		echo "unpack.sh: cannot download packages; nothing was made" >&2
		exit 1
	}
fi
if [ ${#refused[@]} -ne 0 ]; then
	echo "unpack.sh: cannot be had: ${refused[*]} ($why)" >&2
	# Offline, say. What there is was whole.
	if [ "$(cut -d' ' -f1 "$folder/stamp" 2>/dev/null)" = "$inputs" ]; then
		echo "unpack.sh: $folder stays as it is" >&2
		exit 0
	fi
fi

archives=
eval "$(apt-config shell archives Dir::Cache::archives/d)"
while read -r _ file _; do
	deb=$archives$file
	dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$new" --keep-directory-symlink --exclude='./usr/share/doc' \
		--exclude='./usr/share/man' --exclude='./usr/share/locale'
	# shellcheck disable=SC2016 # dpkg's own names
	dpkg-deb --show --showformat '${Package} ${Version} ' "$deb" >>"$new/packages"
	echo "$file" >>"$new/packages"
done <"$new/uris"

rm -rf "$new/none" "$new/log" "$new/why"
# What could not be had is asked for again the next time.
[ ${#refused[@]} -ne 0 ] || echo "$inputs $status" >"$new/stamp"
# Also takes away the setuid bits.
chown -Rh --reference="$parent" "$new" "$folder.lock"
rm -rf "$folder.old"
[ ! -e "$folder" ] || mv "$folder" "$folder.old"
mv "$new" "$folder"
rm -rf "$folder.old"
