#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# check.sh FOLDER: the package in FOLDER is installed into a fresh Debian 12, and run there as its unit says: with the
# unit's user, capabilities and limits, and a socket that records what a service manager is told. Not part of
# `make check`: it downloads a Debian (kept in FOLDER/debian) and what the package depends on. As root.
#
# MIRROR: where Debian comes from.

# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

[ "$(id -u)" -eq 0 ] || tap_skip_all "a fresh Debian needs root"
folder=$(cd "$1" && pwd) || exit 1
if [ -z "${PDP_DEB_CHECK:-}" ]; then
	if ! [ -e "$folder/debian/made" ]; then
		rm -rf "$folder/debian"
		debootstrap --variant=minbase bookworm "$folder/debian" "${MIRROR:-http://deb.debian.org/debian}" \
			>"$folder/debootstrap.log" 2>&1 || tap_skip_all "debootstrap: see $folder/debootstrap.log"
		touch "$folder/debian/made"
	fi
	PDP_DEB_CHECK=1 exec unshare --mount --pid --fork --kill-child=KILL --mount-proc -- "$0" "$folder"
fi

# --- A Debian of our own, of which nothing stays but downloads ------------------------------------

mount -t tmpfs pdp-deb /mnt
mkdir /mnt/upper /mnt/work /mnt/root
root=/mnt/root
mount -t overlay overlay -o "lowerdir=$folder/debian,upperdir=/mnt/upper,workdir=/mnt/work" $root
mkdir -p "$folder/archives/partial"
mount --bind "$folder/archives" $root/var/cache/apt/archives
mount -t proc proc $root/proc
mount --rbind /sys $root/sys
mount --rbind /dev $root/dev
cp /etc/resolv.conf $root/etc/
cp "$folder"/prtip-dp_*_amd64.deb $root/tmp/prtip-dp.deb
export DEBIAN_FRONTEND=noninteractive

inside() {
	chroot $root "$@"
}

inside apt-get update -q >/mnt/log 2>&1
inside apt-get install -q -y --no-install-recommends /tmp/prtip-dp.deb >>/mnt/log 2>&1
tap_is "apt-get install" $? 0 || { tap_note "$(tail -n 20 /mnt/log)"; tap_done; }
tap_match "the user prtip is there" "$(inside id prtip 2>&1)" '^uid=[0-9]+\(prtip\)'
tap_true "so are its folders" test -d $root/etc/prtip -a -d $root/var/lib/prtip
tap_is "its files' places" "$(inside dpkg -L prtip-dp | grep -cE '^/(usr/local|usr/libexec|opt)')" 0
tap_true "completion and units are there" test -s $root/usr/share/bash-completion/completions/prtip-dp \
	-a -s $root/usr/share/zsh/site-functions/_prtip-dp -a -s $root/lib/systemd/system/prtip-dp@.service
tap_is "no scan is started, nor would be" "$(inside find /etc/systemd -name '*prtip*')" ""
inside apt-get install -q -y --no-install-recommends systemd >>/mnt/log 2>&1
for unit in prtip-dp@lab prtip-bind@device prtip-hugepages; do
	inside systemd-analyze verify --man=no "$unit.service" >/mnt/verify 2>&1
	tap_is "systemd-analyze verify $unit" "$? $(grep -c prtip /mnt/verify)" "0 0" || tap_note_file /mnt/verify
done

# --- As the unit runs it --------------------------------------------------------------------------

unit=$root/lib/systemd/system/prtip-dp@.service
setting() {
	sed -n "s/^$1=//p" "$unit" | tail -n 1 | sed 's/%i/lab/g; s|%S|/var/lib|g'
}

# From here on no packet leaves: a network of its own, with another machine at the end of a wire.
cat >/mnt/manager.py <<'PY'
import os, socket, sys
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
with open(sys.argv[2], "w") as file:
    while True:
        file.write(notify.recv(4096).decode() + "\n")
        file.flush()
PY
cat >/mnt/as-unit <<'SH'
#!/bin/bash
# as-unit COMMAND...: with the user, the capabilities and the limits of the unit (but LimitMEMLOCK, which not each
# root may raise, and CAP_IPC_LOCK makes needless)
caps=$(echo "$CAPS" | tr 'A-Z ' 'a-z,' | sed 's/cap_/+/g')
cd "$FOLDER" || exit 1
exec prlimit --nofile="$FILES" --core=0 setpriv --reuid prtip --regid prtip --clear-groups \
	--bounding-set="-all,$caps" --inh-caps="-all,$caps" --ambient-caps="-all,$caps" --no-new-privs -- "$@"
SH
chmod +x /mnt/as-unit
cp /mnt/as-unit $root/tmp/as-unit
CAPS=$(setting AmbientCapabilities)
FOLDER=$(setting WorkingDirectory)
FILES=$(setting LimitNOFILE)
# Not each root may raise its own.
[ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -ge "$FILES" ] || FILES=$(ulimit -Hn)
HOME=$FOLDER
export CAPS FOLDER FILES HOME
tap_is "what systemd would set is read" "$FOLDER $(setting User) $(setting Type)" "/var/lib/prtip/lab prtip notify"
inside install -d -o prtip -g prtip -m "$(setting StateDirectoryMode)" "$FOLDER"
python3 /mnt/manager.py $root/run/notify /mnt/told &
manager=$!

# The other machine answers for 198.18.0.0/16, and has a server on port 80.
cat >/mnt/net.sh <<'SH'
set -e
ip link set lo up
ip link add veth0 type veth peer name veth1
unshare --net sleep 600 &
echo $! >/mnt/world
sleep 0.3
ip link set veth1 netns "$(cat /mnt/world)"
ip address add 198.19.0.1/24 dev veth0
ip link set veth0 up
world() { nsenter -t "$(cat /mnt/world)" -n "$@"; }
world ip link set lo up
world ip address add 198.19.0.2/24 dev veth1
world ip link set veth1 up
world ip route add local 198.18.0.0/16 dev lo
ip route add 198.18.0.0/16 via 198.19.0.2
world python3 "$TESTS_DIR/lab/tools/listen.py" 0.0.0.0 80 >/dev/null 2>&1 &
sleep 1
SH

# start NAME PORT SOURCE: the unit's command for a scan through that port; its words in /mnt/NAME.
# shellcheck disable=SC2317 # called by the shell below
start() {
	cat >"$root/etc/prtip/lab.ini" <<-INI
		[scan]
		targets  = 198.18.1.0/24
		ports    = 80,81
		rate     = 1k
		cooldown = 1s
		[dataplane]
		port     = $2
		source   = $3
		[output]
		ndjson   = $1.ndjson
		[checkpoint]
		file     = $1.ckpt
		[plugins]
		enable   = banner-analyzer
		[banner]
		enable   = on
		wait     = 1s
	INI
	# shellcheck disable=SC2046 # words
	NOTIFY_SOCKET=/run/notify WATCHDOG_USEC=2000000 inside /tmp/as-unit $(setting ExecStart) >"/mnt/$1" 2>&1
}

export -f start inside setting
export root unit
: >/mnt/told
# shellcheck disable=SC2016 # for the shell inside
unshare --net bash -c '
	bash /mnt/net.sh || exit 1
	for port in sim af_packet:veth0 af_xdp:veth0; do
		name=${port%%:*}
		source=198.19.0.77 # the kernel would reset connections of its own addresses
		[ "$port" != sim ] || source=auto
		start "$name" "$port" "$source"
		echo "$name $?"
		start "$name" "$port" "$source"
		echo "$name-again $?"
	done
	kill "$(cat /mnt/world)"
' >/mnt/ran 2>/mnt/ran.err
for name in sim af_packet af_xdp; do
	if [ $name = af_xdp ] && ! python3 -c 'import socket; socket.socket(44, socket.SOCK_RAW, 0)' 2>/dev/null; then
		tap_skip "$name" "this kernel has no XDP sockets"
		continue
	fi
	tap_is "$name: the unit's command ends well" "$(grep "^$name " /mnt/ran)" "$name 0" ||
		{ tap_note_file "/mnt/$name"; tap_note_file /mnt/ran.err; }
	records "$root$FOLDER/$name.ndjson" >/mnt/records
	if [ $name != sim ]; then
		tap_is "$name: it found all that is open" "$(grep -c '80 tcp open' /mnt/records) of $(wc -l </mnt/records)" "256 of 256"
	else
		tap_match "$name: it found what there is, with banners and a plugin" \
			"$(grep -m 1 banner-analyzer "$root$FOLDER/$name.ndjson")" '"service":.*"banner-analyzer"'
	fi
	tap_is "$name: once more there is nothing left" "$(grep "^$name-again" /mnt/ran) $(grep -c 'nothing left' "/mnt/$name")" "$name-again 0 1"
	tap_is "$name: its files are prtip's" "$(stat -c %u "$root$FOLDER/$name.ckpt")" "$(inside id -u prtip)"
done
kill $manager
tap_is "each start was told of" "$(grep -c '^READY=1' /mnt/told) $(grep -c '^STOPPING=1' /mnt/told)" "6 6" || tap_note_file /mnt/told
tap_true "with signs of life between" grep -q '^WATCHDOG=1' /mnt/told

# --- And away -------------------------------------------------------------------------------------

inside apt-get purge -q -y prtip-dp >>/mnt/log 2>&1
tap_is "apt-get purge" $? 0
tap_is "nothing of it stays in /usr and /lib" "$(find $root/usr $root/lib/systemd -iname '*prtip*' | head -n 5)" ""
tap_true "what scans wrote stays" test -s "$root$FOLDER/sim.ckpt"
tap_done
