#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# Folders are layers: what one keeps to itself does not compile in another, with the very flags of the
# build.

# shellcheck source=tests/tap.sh
. "$(dirname "$0")/../tap.sh"

commands=$(dirname "$PRTIP_DP")/compile_commands.json
[ -s "$commands" ] || tap_skip_all "no $commands"
work=$(mktemp -d "${TMPDIR:-/tmp}/pdp-layers.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT

# compiles FILE-OF-THE-BUILD INCLUDE: whether `#include INCLUDE` compiles as part of that file.
# shellcheck disable=SC2317 # called through tap_true
compiles() {
	# Outside the folder, so that only the include path counts.
	printf '#include %s\n' "$2" >"$work/probe.c"
	python3 - "$commands" "$1" "$work/probe.c" <<-'PY'
		import json, shlex, subprocess, sys
		commands, wanted, probe = sys.argv[1:]
		entry = next(e for e in json.load(open(commands)) if e["file"].endswith(wanted))
		arguments = shlex.split(entry["command"])
		arguments[arguments.index("-c") + 1] = probe
		arguments[arguments.index("-o") + 1] = "/dev/null"
		done = subprocess.run(arguments, cwd=entry["directory"], capture_output=True)
		sys.exit(done.returncode != 0)
	PY
}

# shellcheck disable=SC2317
does_not_compile() { ! compiles "$@"; }

tap_true "control may use the packet path's public headers" compiles control/run.c '<dp/engine.h>'
for private in '"core.h"' '"cookie.h"' '"probe.h"' '"frame.h"'; do
	tap_true "control cannot use $private" does_not_compile control/run.c "$private"
done
for dpdk in '<rte_eal.h>' '<rte_ring.h>' '<rte_mbuf.h>'; do
	tap_true "the packet path may use $dpdk" compiles dataplane/engine.c "$dpdk"
	tap_true "control cannot use $dpdk" does_not_compile control/run.c "$dpdk"
	tap_true "nor can the part of the packet path without lcores" \
		does_not_compile dataplane/parse.c "$dpdk"
done
for private in '"config.h"' '"writer.h"'; do
	tap_true "the packet path cannot use control's $private" \
		does_not_compile dataplane/engine.c "$private"
done
tap_true "control may use the plugin host's public headers" compiles control/run.c '<lh/host.h>'
tap_true "the plugin host may use Lua" compiles luahost/lane.c '<lua.h>'
for header in '<lua.h>' '"lane.h"' '"area.h"' '"sandbox.h"'; do
	tap_true "control cannot use $header" does_not_compile control/run.c "$header"
done
for header in '<rte_eal.h>' '<dp/engine.h>' '"config.h"'; do
	tap_true "the plugin host cannot use $header" does_not_compile luahost/lane.c "$header"
done
for header in '<lh/host.h>' '<lua.h>'; do
	tap_true "the packet path cannot use $header" does_not_compile dataplane/engine.c "$header"
done
tap_true "no include climbs out of its folder" \
	sh -c "! grep -rn '#include \"\\.\\./' '$TOP_DIR/dataplane' '$TOP_DIR/control' '$TOP_DIR/luahost'"

tap_done
