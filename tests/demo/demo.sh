#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# `make demo`: a scan of the simulated network, then one of real servers in a network namespace lab.
# Nothing leaves this machine and nothing stays behind.
set -euo pipefail
export PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
program=build/prtip-dp

if [ "$(id -u)" -ne 0 ]; then
	echo "the demo makes network namespaces, for which it has to be root: sudo make demo" >&2
	exit 1
fi

cat <<'TEXT'

prtip-dp demo, part 1 of 2: a simulated network
-----------------------------------------------
Port `sim` is a network inside the program: it answers, delays, repeats and
reorders as a real one does, and needs neither a network card nor privileges.
One million probes (131,072 addresses, 8 ports each) at 400,000 a second:

TEXT
scan=("$program" -p '21-23,25,80,443,3389,8080' --rate 400k -o table:-
	--set dataplane.port=sim --set sim.alive=0.01 --set sim.open=0.001
	--set sim.duplicate=0.1 --set sim.seed=7 --set scan.cooldown=1s 198.18.0.0/15)
echo "  \$ prtip-dp -p 21-23,25,80,443,3389,8080 --rate 400k --set dataplane.port=sim \\"
echo "      --set sim.alive=0.01 --set sim.open=0.001 ... 198.18.0.0/15"
echo
"${scan[@]}"

cat <<'TEXT'

The simulated network can list what is really there, so that the result can be
checked rather than believed:

TEXT
echo "  \$ prtip-dp (the same) --sim-truth | grep -c open"
echo "  $("${scan[@]}" --sim-truth | grep -c ' open$')"

exec "$here/servers.sh"
