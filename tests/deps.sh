#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
#
# deps.sh GROUP...: make sure that the Debian packages of the groups are there. This is the one
# place that lists packages. Installs only when something is missing, and only as root; otherwise
# says in one line what to run.
#
# None of what is installed is a server that would start here: of dropbear and dnsmasq only the bare
# programs. Real servers (group servers) are unpacked into a folder, not installed.
# (DPDK's mlx5 drivers depend on rdma-core, whose iwpmd systemd starts only for RDMA hardware.)
set -eu

# To compile, with the unit tests. libdpdk-dev brings every DPDK driver with it; clang compiles the
# XDP program; libc6-dev and linux-libc-dev are what gcc only recommends.
build='gcc g++ libc6-dev linux-libc-dev make pkg-config meson ninja-build clang
	libdpdk-dev libinih-dev libmicrohttpd-dev python3 libcriterion-dev libbpf-dev libxdp-dev
	libvectorscan-dev libpcre2-dev libexpat1-dev libzstd-dev
	libluajit-5.1-dev libtomlplusplus-dev libseccomp-dev libssl-dev'
# To run the tests and the demo in network namespaces. nmap and tshark are what verdicts and frames are
# held against.
lab='python3 iproute2 nftables tcpdump procps util-linux dropbear-bin dnsmasq-base openssl
	nmap tshark zstd curl openssh-client dpkg tar gdb binutils'
# What tests give the program's outputs to: shells and readers of manuals, a terminal, parsers of nmap's XML,
# dpdk-telemetry.py (in dpdk-dev), and a browser for the status page.
consumers='bash-completion zsh mandoc man-db python3-pyte libxml2-utils python3-libnmap dpdk-dev chromium'
# Servers that tests run in those namespaces; those of each line go together, lines replace one another.
servers='nginx-light apache2-bin apache2-data lighttpd lighttpd-mod-openssl openssh-server vsftpd postfix dovecot-imapd
	dovecot-pop3d mariadb-server-core mariadb-client-core postgresql-15 redis-server memcached unbound
	bind9 bind9-dnsutils mosquitto slapd snmpd chrony etcd-server'
other_servers='proftpd-core exim4-daemon-light'
# To check and format the sources.
lint='clang-format shellcheck cppcheck'
# To count the lines that tests run: clang's counters, and what reads them.
coverage='clang libclang-rt-dev llvm python3'
# To fuzz: libFuzzer comes with clang's runtime, llvm has the symbolizer.
fuzz='clang libclang-rt-dev llvm python3'
# To make the Debian package, and a fresh Debian to try it in.
package='dpkg-dev debhelper lintian debootstrap git'
# To measure: the peers (testpmd is in dpdk-dev), and plots.
bench='python3 iproute2 nftables procps util-linux dpdk-dev masscan zmap nmap python3-matplotlib valgrind linux-perf'

wanted=
unpack=
for group in "$@"; do
	case $group in
	build) wanted="$wanted $build" ;;
	lab) wanted="$wanted $lab" ;;
	consumers) wanted="$wanted $consumers" ;;
	servers) unpack=yes ;;
	lint) wanted="$wanted $lint" ;;
	coverage) wanted="$wanted $coverage" ;;
	fuzz) wanted="$wanted $fuzz" ;;
	bench) wanted="$wanted $bench" ;;
	package) wanted="$wanted $package" ;;
	*)
		echo "deps.sh: no group '$group': build, lab, consumers, servers, lint, coverage, fuzz, bench or package" >&2
		exit 2
		;;
	esac
done

if ! command -v dpkg-query >/dev/null; then
	# Not Debian: nothing to check or install with; meson names what it cannot find.
	exit 0
fi

if [ "$unpack" ]; then
	tests=$(dirname "$0")
	"$tests/unpack.sh" "${LAB_ROOT:-$(dirname "$tests")/build/lab-root}" "$servers" "$other_servers"
fi

missing=
for package in $wanted; do
	status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	case $status in
	*installed*) ;;
	*) missing="$missing $package" ;;
	esac
done
if [ -z "$missing" ]; then
	exit 0
fi

if [ "$(id -u)" -ne 0 ]; then
	echo "missing Debian packages:$missing; run: sudo make deps" >&2
	exit 1
fi

echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# shellcheck disable=SC2086 # a list of words
apt-get install -q -y --no-install-recommends $missing
