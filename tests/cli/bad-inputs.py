#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Bad command lines, INI files, address lists and plugins: each is exit 2 (what --install-plugin,
--remove-plugin and --check-plugin refuse: exit 1), one line on standard error that names what is
wrong, and nothing on standard output. Prints TAP.

    tests/cli/bad-inputs.py [PROGRAM]
"""

import os
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
import fixtures  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.abspath(
    sys.argv[1]
    if len(sys.argv) > 1
    else os.environ.get("PRTIP_DP", os.path.join(TOP, "build", "prtip-dp"))
)

GOOD = ["--set", "dataplane.port=sim", "-p", "80", "198.18.0.1"]
PORTS = ["-p", "80", "198.18.0.1"]
LO = ["--set", "dataplane.port=lo", "127.0.0.1"]
BASE = b"[scan]\ntargets = 198.18.0.1\nports = 80\n[dataplane]\nport = sim\n"

# Command lines: arguments, fragments that the error must hold.
FLAGS = [
    ([], ["no targets", "-iL"]),
    (["198.18.0.1"], ["no ports", "-p"]),
    (["-p", "80"], ["no targets"]),
    (GOOD + ["--rate", "12q"], ["--rate 12q: not a rate", "1.5M", "500Mbit", "max"]),
    (GOOD + ["--rate="], ["--rate: its value is empty"]),
    (GOOD + [""], ["empty target"]),
    (GOOD + ["--exclude", ""], ["--exclude: its value is empty"]),
    (GOOD + ["--rate", "0"], ["--rate 0", "out of range"]),
    (GOOD + ["--rate", "-5"], ["--rate -5"]),
    (GOOD + ["--rate", "1e6"], ["--rate 1e6"]),
    (GOOD + ["--rate", "inf"], ["--rate inf"]),
    (GOOD + ["--rate", "99G"], ["--rate 99G", "out of range"]),
    (GOOD + ["--rate"], ["--rate: needs a value"]),
    (GOOD + ["--rate", "10Tbit"], ["--rate 10Tbit"]),
    (GOOD + ["-T", "6"], ["-T 6", "0 to 5"]),
    (GOOD + ["-T9"], ["-T 9", "0 to 5"]),
    (GOOD + ["-Tx"], ["-T x"]),
    (GOOD + ["--shard", "0/4"], ["--shard 0/4", "1/4 to 4/4"]),
    (GOOD + ["--shard", "5/4"], ["--shard 5/4"]),
    (GOOD + ["--shard", "4"], ["--shard 4", "I/N"]),
    (GOOD + ["--shard", "1/0"], ["--shard 1/0"]),
    (GOOD + ["--shard", "a/b"], ["--shard a/b"]),
    (GOOD + ["--seed", "-1"], ["--seed -1"]),
    (GOOD + ["--seed", "18446744073709551616"], ["--seed", "18446744073709551615"]),
    (GOOD + ["--seed", "0x10"], ["--seed 0x10"]),
    (GOOD + ["--shrad", "1/2"], ["--shrad: no such option", "--shard"]),
    (GOOD + ["--max-retrys", "2"], ["--max-retrys: no such option", "--max-retries"]),
    (GOOD + ["--rat", "5"], ["--rat: no such option", "--rate"]),
    (GOOD + ["--bogus-option-name"], ["--bogus-option-name", "--help"]),
    (GOOD + ["-Z"], ["-Z: no such option"]),
    (GOOD + ["-sT"], ["-sT: whole connections are not made", "-sS"]),
    (GOOD + ["-sQ"], ["-sQ: no such option", "-sn"]),
    (GOOD + ["-Pq"], ["-Pq: no such option", "--help"]),
    (GOOD + ["-c", "8"], ["-c 8", "--cooldown-time 8"]),
    (GOOD + ["-o", "x.csv"], ["-o x.csv", "-o csv:x.csv"]),
    (GOOD + ["-r"], ["-r: needs a value"]),
    (["-r", "-p80", "198.18.0.1"], ["-r -p80: not a rate", "nmap's -r"]),
    (GOOD + ["--max-retries", "16"], ["--max-retries 16", "0 to 15"]),
    (GOOD + ["--max-retries=x"], ["--max-retries x"]),
    (GOOD + ["-B", "10X"], ["-B 10X: not a bandwidth"]),
    (GOOD + ["--shards", "4"], ["--shards 4", "--shard I/N"]),
    (GOOD + ["--shards", "4", "--shard", "4"], ["--shard 4", "counted from 0"]),
    (GOOD + ["-M", "ntp"], ["-M ntp", "udp"]),
    (GOOD + ["--output-format", "binary"], ["--output-format binary", "-o FORMAT:PATH"]),
    (GOOD + ["--top-ports", "5000"], ["--top-ports 5000", "are listed"]),
    (GOOD + ["--top-ports", "x"], ["--top-ports x"]),
    (GOOD + ["--exclude-ports", "80"], ["no ports left", "exclude_ports"]),
    (GOOD + ["--exclude-ports", "U:80"], ["exclude_ports U:80", "UDP"]),
    (["--set", "dataplane.port=sim", "-F", "-sn", "198.18.0.1"], ["-F", "discovery"]),
    (GOOD + ["-T", "hasty"], ["-T hasty"]),
    (GOOD + ["--set", "scan.family=ipv5"], ["ipv5", "ipv4"]),
    (GOOD + ["--set", "scan.resolved=198.18.0.1"], ["scan.resolved=198.18.0.1", "www.example.org"]),
    (GOOD + ["--set", "scan.resolved=x www.example.org"], ["scan.resolved=x", "not an"]),
    (GOOD + ["--set", "scan.resolved=- a.example, - a.example"], ["- a.example", "named before"]),
    (GOOD + ["-sSU"], ["-sSU: no such option", "-sS -sU"]),
    (GOOD + ["-sS", "-sA"], ["-sA: does not go with type = syn", "one TCP type"]),
    (GOOD + ["-sU", "-sF", "-sY", "-sX"], ["-sX: does not go with type = fin,udp,sctp"]),
    (GOOD + ["-sU", "-sn"], ["-sn: does not go with type = udp", "alone"]),
    (GOOD + ["--scan-type", "syn,udp,fin"], ["--scan-type syn,udp,fin", "syn and fin exclude each other"]),
    (GOOD + ["--scan-type", "icmp,udp"], ["--scan-type icmp,udp", "icmp goes with no other type"]),
    (GOOD + ["--scan-type", "syn,syn"], ["--scan-type syn,syn", "twice"]),
    (GOOD + ["--scan-type", "syn,"], ["--scan-type"]),
    (["-sS", "-p", "80,U:53", "198.18.0.1"], ["UDP ports", "syn does not", "add -sU"]),
    (["-sS", "-sU", "-p", "80,S:132", "198.18.0.1"], ["SCTP ports", "syn,udp does not", "add -sY"]),
    (["-sU", "-sY", "-p", "T:80", "198.18.0.1"], ["TCP ports", "add -sS"]),
    (["-sS", "-sU", "-p", "T:80", "198.18.0.1"], ["-p T:80", "none of them is for udp", "U:"]),
    (GOOD + ["-sA", "-sU", "--set", "banner.enable=on"], ["[banner] enable", "type = ack,udp"]),
    (GOOD + ["-"], ["-iL -"]),
    (GOOD + ["--quiet=1"], ["--quiet: takes no value"]),
    (GOOD + ["--quiet", "-v"], ["--quiet", "-v", "exclude each other"]),
    (GOOD + ["--overwrite", "--append"], ["overwrite", "append"]),
    (GOOD + ["--dry-run", "--list-targets"], ["--list-targets", "--dry-run"]),
    (GOOD + ["-o", "ndjson"], ["-o ndjson", "FORMAT:PATH"]),
    (GOOD + ["-o", "ndjson:"], ["-o ndjson:", "FORMAT:PATH"]),
    (GOOD + ["-o", ":x"], ["-o :x", "FORMAT:PATH"]),
    (GOOD + ["-o", "json:x"], ["-o json:x", "no such format", "ndjson"]),
    (GOOD + ["-o", "overwrite:yes"], ["no such format"]),
    (GOOD + ["-oA", "-"], ["-oA -", "standard output"]),
    (GOOD + ["-oX", "a", "-o", "xml:b"], ["xml goes to a already"]),
    (GOOD + ["-oX"], ["-oX: needs a value", "-oX FILE"]),
    (GOOD + ["--fields", "ip,adress"], ["--fields adress: no such field", "service.", "plugins.NAME."]),
    (GOOD + ["--fields", "ip,,port"], ["--fields ip,,port", "a name is empty"]),
    (GOOD + ["--fields", "plugins.http-enum.status"], ["fields: plugins.http-enum", "--plugin http-enum"]),
    (GOOD + ["--filter", "state = opne"], ["--filter opne: column 9: ", "open, closed, filtered"]),
    (GOOD + ["--filter", "prot = 80"], ["--filter prot: column 1: no such field"]),
    (GOOD + ["--filter", "port = 80 &"], ["--filter &: column 11: give an operator"]),
    (GOOD + ["--filter", "port in (80, 443"], ["column 17", "ends with )"]),
    (GOOD + ["--filter", "(port = 80"], ["column 11", "or )"]),
    (GOOD + ["--filter", "ip = 198.18.0.0/33"], ["column 6", "is an address"]),
    (GOOD + ["--filter", "banner ~ '('"], ["column 10", "not a pattern"]),
    (GOOD + ["--filter", "port ~ 80"], ["column 8", "port is no text"]),
    (GOOD + ["--filter", "banner = 'a"], ["column 10", "no closing '"]),
    (GOOD + ["--filter", "banner ~ 'a ;b'"], ["column 12", "begins a comment"]),
    (GOOD + ["--filter", "(" * 70 + "port = 1" + ")" * 70], ["more than 64 levels"]),
    (GOOD + ["--filter", "plugins.http-enum.status = ok"], ["filter: plugins.http-enum", "--plugin http-enum"]),
    (GOOD + ["--filter", "banner ~ x", "--set", "scan.max_results=1"], ["max_results", "exclude each other"]),
    (GOOD + ["-o", "ndjson:a", "-o", "ndjson:b"], ["-o ndjson:b", "goes to a"]),
    (GOOD + ["--set", "scan.rate"], ["--set scan.rate", "SECTION.KEY=VALUE"]),
    (GOOD + ["--set", "rate=5"], ["--set rate=5", "SECTION.KEY=VALUE"]),
    (GOOD + ["--set", "scan.rte=5"], ["[scan] rte", "rate"]),
    (GOOD + ["--set", "scna.rate=5"], ["[scna]", "[scan]"]),
    (GOOD + ["--set", "sim.rate=5"], ["[sim] rate", "[scan]"]),
    (GOOD + ["--set", "scan.rate=12q"], ["--set scan.rate=12q", "not a rate"]),
    (GOOD + ["--set", "scan.cooldown=5d"], ["scan.cooldown=5d", "not a duration"]),
    (GOOD + ["--set", "scan.cooldown=25h"], ["scan.cooldown=25h", "24h"]),
    (GOOD + ["--set", "scan.dedup=maybe"], ["scan.dedup=maybe", "auto, exact or window"]),
    (GOOD + ["--set", "scan.dedup_mb=0"], ["scan.dedup_mb=0"]),
    (GOOD + ["--set", "scan.default_excludes=perhaps"], ["perhaps", "yes"]),
    (GOOD + ["--set", "scan.probes=0"], ["probes=0", "1 to 16"]),
    (GOOD + ["--set", "scan.probes=17"], ["probes=17", "1 to 16"]),
    (GOOD + ["--set", "scan.max_runtime=5d"], ["max_runtime=5d", "not a duration"]),
    (GOOD + ["--set", "scan.max_runtime=8761h"], ["max_runtime=8761h", "8760h"]),
    (GOOD + ["--set", "scan.max_results=-5"], ["max_results=-5"]),
    (GOOD + ["--set", "scan.udp_payloads=/nonexistent"], ["/nonexistent"]),
    (GOOD + ["--set", "banner.payloads=/nonexistent"], ["/nonexistent"]),
    (GOOD + ["--set", "dataplane.port="], ["dataplane.port=", "empty"]),
    (GOOD + ["--set", "dataplane.port0=eth0"], ["port and port0 exclude each other"]),
    (PORTS + ["--set", "dataplane.port1=sim"], ["port0 is missing", "port1 is given"]),
    (
        PORTS + ["--set", "dataplane.port0=sim", "--set", "dataplane.port2=lo"],
        ["port1 is missing", "port2 is given"],
    ),
    (
        PORTS + ["--set", "dataplane.port0=net_null0", "--set", "dataplane.port1=net_null0"],
        ["port1 = net_null0", "port0 already"],
    ),
    (PORTS + ["--set", "dataplane.port0="], ["dataplane.port0=", "empty"]),
    (PORTS + ["--set", "dataplane.port8=sim"], ["[dataplane] port8", "no such key"]),
    (PORTS + ["--set", "dataplane.eal0=x"], ["[dataplane] eal0", "no such key"]),
    (PORTS + ["--set", "dataplane.source1=10.0.0.1"], ["source1", "there is no port1"]),
    (PORTS + ["--set", "dataplane.vlan7=5000"], ["dataplane.vlan7=5000", "0 to 4094"]),
    (GOOD + ["--set", "dataplane.source=1.2.3"], ["dataplane.source=1.2.3"]),
    (GOOD + ["--set", "dataplane.source=10.0.0.1/24"], ["10.0.0.1/24", "not a prefix"]),
    (GOOD + ["--set", "dataplane.source=10.0.0.0/33"], ["10.0.0.0/33", "/0 to /32"]),
    (GOOD + ["--set", "dataplane.source=2001:db8::/129"], ["2001:db8::/129", "/0 to /128"]),
    (GOOD + ["--set", "dataplane.source=10.0.0.1,,10.0.0.2"], ["an item is empty"]),
    (GOOD + ["--set", "dataplane.source=10.0.0.9-10.0.0.1"], ["10.0.0.9-10.0.0.1", "lower"]),
    (GOOD + ["--set", "dataplane.source=10.0.0.9-2001:db8::1"], ["one family"]),
    (
        GOOD + ["--set", "dataplane.source=" + ",".join(f"10.0.0.{i}" for i in range(1, 35, 2))],
        ["17 ranges", "at most 16"],
    ),
    (GOOD + ["--set", "dataplane.source=ff02::1"], ["ff02::1", "host"]),
    (GOOD + ["--set", "dataplane.source=224.0.0.1"], ["224.0.0.1", "host"]),
    (GOOD + ["--set", "dataplane.source_ports=9-8"], ["9-8", "reversed"]),
    (GOOD + ["--set", "dataplane.source_ports=0-8"], ["0-8", "1 to 65535"]),
    (GOOD + ["--set", "dataplane.gateway=router"], ["router"]),
    (GOOD + ["--set", "dataplane.gateway=10.0.0.1,10.0.0.2"], ["10.0.0.2", "a second one"]),
    (GOOD + ["--set", "dataplane.gateway=fe80::1, fe80::2"], ["fe80::2", "a second one"]),
    (GOOD + ["--set", "dataplane.gateway=10.0.0.0/8"], ["10.0.0.0/8"]),
    (GOOD + ["--set", "dataplane.gateway_mac=01:00:5e:00:00:01"], ["01:00:5e:00:00:01"]),
    (GOOD + ["--set", "dataplane.gateway_mac=02:00"], ["02:00", "02:00:5e:10:00:01"]),
    (GOOD + ["--set", "dataplane.vlan=4095"], ["vlan=4095", "0 to 4094"]),
    (GOOD + ["--set", "dataplane.vlan=none"], ["vlan=none", "not a number"]),
    (GOOD + ["--set", "dataplane.tx_lcores=0"], ["tx_lcores=0", "auto"]),
    (GOOD + ["--set", "dataplane.tx_lcores=33"], ["tx_lcores=33", "32"]),
    (GOOD + ["--set", "dataplane.tx_lcores=20", "--set", "dataplane.rx_lcores=20"], ["32"]),
    (GOOD + ["--set", "dataplane.hugepages=yes"], ["hugepages=yes", "auto, on or off"]),
    (GOOD + ["--checkpoint", "/"], ["--checkpoint /: it exists and is no checkpoint"]),
    (GOOD + ["--checkpoint", "/nonexistent/x"], ["/nonexistent/x", "No such file"]),
    (GOOD + ["--set", "checkpoint.interval=1ms"], ["checkpoint.interval=1ms", "100ms"]),
    (GOOD + ["--set", "sim.alive=1.5"], ["sim.alive=1.5", "0 to 1"]),
    (GOOD + ["--set", "sim.alive=nan"], ["sim.alive=nan"]),
    (GOOD + ["--set", "sim.open=-0.5"], ["sim.open=-0.5"]),
    (GOOD + ["--set", "sim.rtt=2h"], ["sim.rtt=2h", "60s"]),
    (GOOD + ["--set", "status.interval=1ms"], ["status.interval=1ms", "100ms"]),
    (GOOD + ["--set", "status.file=no/such/file"], ["no/such/file", "No such file or directory"]),
    (GOOD + ["--set", "status.file=-"], ["status.file", "a regular file"]),
    (GOOD + ["-sn"], ["ports", "type = discovery", "exclude each other"]),
    (GOOD + ["--scan-type", "arp"], ["ports", "type = arp"]),
    (GOOD + ["--scan-type", "icmp", "--print-config"], ["ports", "type = icmp"]),
    (GOOD + ["-sA", "--set", "banner.enable=on"], ["[banner] enable", "type = ack"]),
    (LO + ["--set", "dataplane.vlan=5", "-p", "80"], ["vlan = 5: lo has no VLANs"]),
    (LO + ["--scan-type", "arp"], ["type = arp: lo has no link", "icmp or discovery"]),
    (["-sU", "198.18.0.1"], ["no ports", "-p"]),
    (GOOD + ["--scan-type", "sny"], ["--scan-type sny", "syn"]),
    (["--resume", "/nonexistent"], ["cannot read /nonexistent: No such file"]),
    (["--resume", "/"], ["/: it is not a regular file"]),
    (["--resume", "/dev/null"], ["/dev/null: it is not a regular file"]),
    (["--resume", "/etc/passwd"], ["/etc/passwd: it is no checkpoint"]),
    (["--resume", "a", "--resume", "b"], ["--resume b: one file is read"]),
    (["--resume", "a", "--config", "/dev/null"], ["--config and --resume exclude each other"]),
    (GOOD + ["--control", "sock", "status"], ["--control: goes in front of all else"]),
    (GOOD + ["--set", "control.socket=."], ["[control] socket = .", "Is a directory"]),
    (GOOD + ["--set", "control.socket=no/such/socket"], ["[control] socket = no/such/socket"]),
    (["--control"], ["--control: give a socket and a command"]),
    (["--control", "sock"], ["--control: give a socket and a command"]),
    (GOOD + ["-c", "/nonexistent.ini"], ["/nonexistent.ini"]),
    (GOOD + ["-c", "/"], ["/: "]),
    (GOOD + ["-c"], ["-c: needs a value"]),
    (GOOD + ["-c", "/dev/null", "-c", "/dev/null"], ["-c /dev/null", "one file"]),
    (GOOD + ["--", "--vdev", "a b"], ["EAL argument 2"]),
    # Targets
    (["-p80", "300.1.2.3"], ["target 300.1.2.3", "300 is above 255"]),
    (["-p80", "1.2.3"], ["target 1.2.3"]),
    (["-p80", "1.2.3.4.5"], ["target 1.2.3.4.5"]),
    (["-p80", "010.1.2.3"], ["010.1.2.3", "leading zero"]),
    (["-p80", "0x7f.0.0.1"], ["0x7f.0.0.1", "hexadecimal"]),
    (["-p80", "198.18.0.0/33"], ["/33", "/0 to /32"]),
    (["-p80", "198.18.0.0/"], ["198.18.0.0/", "/0 to /32"]),
    (["-p80", "198.18.0.0/08"], ["/08", "/0 to /32"]),
    (["-p80", "198.18.0.0/255.255.0.0"], ["/0 to /32"]),
    (["-p80", "198.18.0-3.0/24"], ["198.18.0-3.0/24", "one address"]),
    (["-p80", "198.18.0.9-198.18.0.1"], ["reversed"]),
    (["-p80", "198.18.9-1.1"], ["reversed"]),
    (["-p80", "198.18.0.1-"], ["198.18.0.1-"]),
    (["-p80", "198.18.0.1-198.18.0"], ["198.18.0.1-198.18.0"]),
    (["-p80", "2001:db8::/129"], ["2001:db8::/129"]),
    (["-p80", "2001:db8::12345"], ["2001:db8::12345"]),
    (["-p80", "::ffff:198.18.0.1"], ["::ffff:198.18.0.1"]),
    (["-p80", "fe80::1%eth0"], ["fe80::1%eth0"]),
    (["-p80", "www.example.org/129"], ["www.example.org/129: bad prefix length"]),
    (["-p80", "--exclude", "www.example.org", "198.18.0.1"], ["www.example.org: host names can be"]),
    (["-p80", "1-255.*.1-254.1"], ["separate ranges"]),
    (["-p80", "198.18.0.1\n198.18"], ["198.18: not an address"]),
    (["-p80", "\x1b[31m"], ["\\x1b[31m"]),
    (["-p80", "x" * 5000], ["xxx..."]),
    (["-p80", "224.0.0.1"], ["no targets left", "multicast"]),
    (["-p80", "255.255.255.255"], ["no targets left"]),
    (["-p80", "0.1.2.3"], ["no targets left"]),
    (["-p80", "198.18.0.0/24", "--exclude", "198.18.0.0/16"], ["256", "exclude"]),
    (["-p80", "--exclude", "foo/8", "198.18.0.1"], ["--exclude foo/8"]),
    (["-p80", ","], ["no targets"]),
    (["-p80", "-iL", "/nonexistent"], ["target file /nonexistent"]),
    (["-p80", "-iL", "/"], ["/: "]),
    (["-p80", "-iL", "/dev/null"], ["no targets", "/dev/null"]),
    (["-p80", "-iL", "/dev/zero"], ["/dev/zero:1: \\x00"]),
    (["-p80", "-iL", "-", "--exclude-file", "-"], ["standard input", "once"]),
    (["-p80", "-iL", "-", "--print-config"], ["--print-config", "standard input"]),
    (["-p80", "198.18.0.1", "--exclude-file", "/nonexistent"], ["exclude file /nonexistent"]),
    (GOOD + ["-o", "ndjson:a ;b", "--print-config"], ["[output] ndjson", "cannot hold"]),
    # Ports
    (["198.18.0.1", "-p", "65536"], ["-p 65536", "65535"]),
    (["198.18.0.1", "-p", "80-70"], ["-p 80-70", "reversed"]),
    (["198.18.0.1", "-p", "80,,443"], ["-p 80,,443", "empty"]),
    (["198.18.0.1", "-p", "80,"], ["-p 80,", "empty"]),
    (["198.18.0.1", "-p", "T:"], ["-p T:", "empty"]),
    (["198.18.0.1", "-p", "http"], ["-p http", "service names"]),
    (["198.18.0.1", "-p", "U:53"], ["-p U:53", "scan type that sends to them", "syn does not"]),
    (["198.18.0.1", "-p", "80,S:132"], ["-p S:132", "scan type that sends to them", "syn does not"]),
    (["198.18.0.1", "-p", "X:1"], ["-p X:1", "protocol"]),
    (["198.18.0.1", "-p", "1-2-3"], ["-p 1-2-3"]),
    (["198.18.0.1", "-p", "+80"], ["-p +80"]),
    (["198.18.0.1", "-p", "99999999999999999999"], ["out of range"]),
    (["198.18.0.1", "-p", ""], ["-p: its value is empty"]),
]

# About plugins: arguments, fragments. `DIR` stands for a folder with those that make_plugins() makes.
HERE = GOOD + ["--plugin-dir", "DIR"]
ARGUMENT = HERE + ["--plugin-arg"]
PLUGINS = [
    # Names
    (
        HERE + ["--plugin", "http-enm"],
        ["--plugin http-enm: no such plugin in DIR, ", "did you mean http-enum?"],
    ),
    (
        HERE + ["--plugin", "something-else"],
        ["no such plugin in DIR, ", "--list-plugins", "--plugin-dir"],
    ),
    (HERE + ["--plugin", "DIR/http-enum"], ["--plugin /", "a path", "--plugin-dir"]),
    (HERE + ["--plugin", "./http-enum"], ["--plugin ./http-enum: a path", "--plugin-dir"]),
    (HERE + ["--plugin", "Http-Enum"], ["--plugin Http-Enum: not a plugin's name", "a-z"]),
    (HERE + ["--plugin", "http_enum"], ["--plugin http_enum: not a plugin's name"]),
    (HERE + ["--plugin", "x" * 65], ["not a plugin's name", "64"]),
    (HERE + ["--plugin", "http-enum,b/c"], ["--plugin b/c: a path"]),
    (HERE + ["--plugin", "\x1b[2J"], ["--plugin \\x1b[2J: not a plugin's name"]),
    (HERE + ["--plugin", ""], ["--plugin: its value is empty"]),
    (HERE + ["--plugin"], ["--plugin: needs a value", "NAME"]),
    (HERE + ["--set", "plugins.enable=nope"], ["--set plugins.enable=nope: no such plugin in DIR"]),
    (HERE + ["--set", "plugins.enable=a/b"], ["--set plugins.enable=a/b: a path", "--plugin-dir"]),
    (
        HERE + ["--plugin", "all", "--plugin", "broken"],
        ["--plugin broken: DIR/broken/main.lua:2: "],
    ),
    # Invalid plugins, named
    (HERE + ["--plugin", "broken"], ["--plugin broken: DIR/broken/main.lua:2: "]),
    (HERE + ["--plugin", "hookless"], ["--plugin hookless: DIR/hookless/main.lua", "hook"]),
    (HERE + ["--plugin", "bad-toml"], ["--plugin bad-toml: DIR/bad-toml/plugin.toml:"]),
    (
        HERE + ["--plugin", "wrong-name"],
        ["--plugin wrong-name: DIR/wrong-name/plugin.toml", "other"],
    ),
    (HERE + ["--plugin", "needs-system"], ["--plugin needs-system: ", "system", "refuse"]),
    (HERE + ["--plugin", "too-new"], ["--plugin too-new: ", "9.0.0", "0.1.0"]),
    (HERE + ["--plugin", "no-readme"], ["--plugin no-readme: ", "README.md"]),
    # Folders
    (GOOD + ["--plugin-dir", "/nonexistent/x"], ["--plugin-dir /nonexistent/x: No such file"]),
    (GOOD + ["--plugin-dir", "/dev/null"], ["--plugin-dir /dev/null: not a folder"]),
    (GOOD + ["--plugin-dir", "DIR/http-enum"], ["--plugin-dir DIR/http-enum: this is a plugin"]),
    (GOOD + ["--plugin-dir", "~nobody/x"], ["--plugin-dir ~nobody/x", "~/"]),
    (GOOD + ["--plugin-dir"], ["--plugin-dir: needs a value"]),
    (
        GOOD + ["--set", "plugins.dir=/dev/null", "--plugin", "x"],
        ["/dev/null", "Not a directory"],
    ),
    (
        GOOD + ["--set", "plugins.dir=/nonexistent", "--plugin", "x"],
        ["no such plugin in /nonexistent"],
    ),
    # Settings
    (ARGUMENT + ["http-enum"], ["--plugin-arg http-enum: give NAME.KEY=VALUE"]),
    (ARGUMENT + ["http-enum.depth"], ["--plugin-arg http-enum.depth: give NAME.KEY=VALUE"]),
    (ARGUMENT + ["depth=3"], ["--plugin-arg depth=3: give NAME.KEY=VALUE"]),
    (ARGUMENT + [".depth=3"], ["--plugin-arg ", "not a plugin's name"]),
    (ARGUMENT + ["http-enum.=3"], ["--plugin-arg http-enum ", "not a key", "1 to 48"]),
    (ARGUMENT + ["http-enum.a b=3"], ["--plugin-arg http-enum a b: not a key"]),
    (ARGUMENT + ["http-enum." + "k" * 49 + "=3"], ["not a key", "48"]),
    (ARGUMENT + ["Http.depth=3"], ["--plugin-arg Http: not a plugin's name"]),
    (ARGUMENT + ["all.depth=3"], ["--plugin-arg all: not a plugin's name"]),
    (
        ARGUMENT + ["htp-enum.depth=3"],
        ["--plugin-arg htp-enum: no such plugin in DIR", "http-enum?"],
    ),
    (
        ARGUMENT + ["http-enum.depth=deep"],
        ["--plugin-arg http-enum", "depth", "deep", "a whole number"],
    ),
    (ARGUMENT + ["http-enum.depth=1.5"], ["depth", "1.5", "a whole number"]),
    (ARGUMENT + ["http-enum.depth="], ["depth", "a whole number"]),
    (ARGUMENT + ["http-enum.ratio=half"], ["ratio", "half", "a number"]),
    (ARGUMENT + ["http-enum.verbose=maybe"], ["verbose", "maybe", "yes or no"]),
    (HERE + ["--set", "plugin:http-enum.depth=deep"], ["--set plugin:http-enum", "depth", "deep"]),
    (HERE + ["--set", "plugin:nope.depth=1"], ["--set plugin:nope: no such plugin"]),
    (HERE + ["--set", "plugin:No.depth=1"], ["--set plugin:No: not a plugin's name"]),
    (
        HERE + ["--plugin-arg", "http-enum.label=a ;b", "--print-config"],
        ["--print-config: [plugin:http-enum] label = a ;b", "cannot hold"],
    ),
    # Outputs
    (HERE + ["-o", "htlm:x"], ["-o htlm:x: no such format", "did you mean html?"]),
    (HERE + ["-o", "ndjsn:x"], ["-o ndjsn:x: no such format", "did you mean ndjson?"]),
    (
        HERE + ["-o", "markdown:x"],
        ["-o markdown:x: no such format", "ndjson, table, summary", "output plugins: ", "export-only, html"],
    ),
    (
        GOOD + ["--set", "plugins.dir=/nonexistent", "-o", "markdown:x"],
        ["-o markdown:x: no such format or output plugin; ", "no output plugin is in "],
    ),
    (HERE + ["-o", "My_Format:x"], ["-o My_Format:x: no such format"]),
    (
        HERE + ["-o", "http-enum:x"],
        ["-o http-enum:x: http-enum is a scan plugin, not an output plugin"],
    ),
    (HERE + ["-o", "broken-output:x"], ["-o broken-output:x: DIR/broken-output/main.lua:2: "]),
    (HERE + ["-o", "export-only:-"], ["-o export-only:-: ", "format_result", "give a file"]),
    (HERE + ["-o", "html:a", "-o", "html:b"], ["-o html:b: html goes to a already"]),
    (HERE + ["--set", "output.nope=x"], ["--set output.nope: no such format"]),
    (HERE + ["-o", "html:a ;b", "--print-config"], ["[output] html = a ;b", "cannot hold"]),
    # Ranges
    (HERE + ["--set", "plugins.lanes=0"], ["plugins.lanes=0", "1 to 64"]),
    (HERE + ["--set", "plugins.lanes=65"], ["plugins.lanes=65", "1 to 64"]),
    (HERE + ["--set", "plugins.memory_mb=0"], ["plugins.memory_mb=0", "1 to 65536"]),
    (HERE + ["--set", "plugins.memory_mb=100MB"], ["plugins.memory_mb=100MB", "not a number"]),
    (HERE + ["--set", "plugins.cpu_seconds=0"], ["plugins.cpu_seconds=0", "0.01 to 86400"]),
    (HERE + ["--set", "plugins.cpu_seconds=5s"], ["plugins.cpu_seconds=5s", "without a unit"]),
    (
        HERE + ["--set", "plugins.cpu_seconds=-1"],
        ["plugins.cpu_seconds=-1", "not a number of seconds"],
    ),
    (HERE + ["--set", "plugins.wall_seconds=1e3"], ["plugins.wall_seconds=1e3"]),
    (HERE + ["--set", "plugins.wall_seconds=86401"], ["plugins.wall_seconds=86401", "86400"]),
    (
        HERE + ["--set", "plugins.phase_seconds="],
        ["plugins.phase_seconds=", "not a number of seconds"],
    ),
    (HERE + ["--set", "plugins.instructions=999"], ["plugins.instructions=999", "1000 to"]),
    (HERE + ["--set", "plugins.instructions=1M"], ["plugins.instructions=1M", "not a number"]),
    (HERE + ["--set", "plugins.queue=15"], ["plugins.queue=15", "16 to 16777216"]),
    (HERE + ["--set", "plugins.queue=16777217"], ["plugins.queue=16777217", "16 to 16777216"]),
    (
        HERE + ["--set", "plugins.overflow=drop"],
        ["plugins.overflow=drop", "spill, skip or throttle"],
    ),
    (HERE + ["--set", "plugins.spill_dir="], ["plugins.spill_dir=", "empty"]),
    (HERE + ["--set", "plugins.spill_mb=0"], ["plugins.spill_mb=0", "1 to"]),
    (HERE + ["--set", "plugins.drain=2d"], ["plugins.drain=2d", "not a duration"]),
    (HERE + ["--set", "plugins.drain=25h"], ["plugins.drain=25h", "24h"]),
    (HERE + ["--set", "plugins.source=auto"], ["plugins.source=auto", "192.0.2.1"]),
    (HERE + ["--set", "plugins.source=::1"], ["plugins.source=::1", "IPv4 address"]),
    (HERE + ["--set", "plugins.source=224.0.0.1"], ["plugins.source=224.0.0.1", "host"]),
    (
        HERE + ["--set", "plugins.device=an-interface-too-long"],
        ["plugins.device=an-", "15 characters"],
    ),
    (HERE + ["--set", "plugins.device=a/b"], ["plugins.device=a/b", "interface"]),
    (
        HERE + ["--plugin", "networked", "--set", "plugins.device=none99"]
        + ["--set", "dataplane.port=lo", "--dry-run"],
        ["[plugins] device = none99: no such interface"],
    ),
    (
        HERE + ["--plugin", "networked", "--set", "plugins.source=192.0.2.77"]
        + ["--set", "dataplane.port=lo", "--dry-run"],
        ["[plugins] source = 192.0.2.77: no interface has this address"],
    ),
    (HERE + ["--set", "banner.max_bytes=0"], ["banner.max_bytes=0", "1 to 4096"]),
    (HERE + ["--set", "banner.max_bytes=4097"], ["banner.max_bytes=4097", "1 to 4096"]),
    (HERE + ["--set", "banner.wait=0s"], ["banner.wait=0s", "1ms"]),
    (HERE + ["--set", "banner.enable=perhaps"], ["banner.enable=perhaps", "on or off"]),
    (HERE + ["--set", "banner.payloads=x"], ["x: No such file", "give a file of payloads"]),
    (HERE + ["--set", "sim.banners=some"], ["sim.banners=some", "on or off"]),
    # Actions
    (HERE + ["--list-plugins"], ["--list-plugins: scans nothing"]),
    (GOOD + ["--json"], ["--json: goes with --list-plugins"]),
    (["--list-plugins", "--dry-run"], ["--dry-run: does not go with --list-plugins"]),
    (["--list-plugins", "--plugin-dir", "/nonexistent"], ["--plugin-dir /nonexistent"]),
    (["--list-plugins=x"], ["--list-plugins: takes no value"]),
    (["--install-plugin"], ["--install-plugin: needs a value", "PATH"]),
    (["--install-plugin="], ["--install-plugin: its value is empty"]),
    (["--install-plugin", "DIR/http-enum", "198.18.0.1"], ["--install-plugin: scans nothing"]),
    (["--install-plugin", "a", "--install-plugin", "b"], ["--install-plugin b: one at a time"]),
    (
        ["--install-plugin", "a", "--check-plugin", "b"],
        ["--check-plugin: does not go with --install"],
    ),
    (["--remove-plugin"], ["--remove-plugin: needs a value"]),
    (["--remove-plugin", "../x"], ["--remove-plugin ../x: not a plugin's name"]),
    (["--remove-plugin", "x", "198.18.0.1"], ["--remove-plugin: scans nothing"]),
    (["--check-plugin"], ["--check-plugin: needs a value"]),
    (["--check-plugin", "DIR/http-enum", "-iL", "/dev/null"], ["--check-plugin: scans nothing"]),
    (GOOD + ["--new-plugin", "x", "--type", "scan"], ["--new-plugin: scans nothing"]),
    (["--new-plugin"], ["--new-plugin: needs a value", "NAME"]),
    (["--new-plugin", "x"], ["--new-plugin x: of which type?", "scan, output or detection"]),
    (["--new-plugin", "x", "--type"], ["--type: needs a value"]),
    (["--new-plugin", "x", "--type="], ["--type: its value is empty"]),
    (["--new-plugin", "x", "--type", "sacn"], ["--type sacn", "scan, output or detection"]),
    (["--new-plugin", "x", "--type", "0"], ["--type 0", "scan, output or detection"]),
    (["--new-plugin", "a/b", "--type", "scan"], ["--new-plugin a/b: not a plugin's name", "a-z"]),
    (["--new-plugin", "..", "--type", "scan"], ["--new-plugin ..: not a plugin's name"]),
    (["--new-plugin", "My_Plugin", "--type", "scan"], ["My_Plugin: not a plugin's name"]),
    (["--new-plugin", "x" * 65, "--type", "scan"], ["not a plugin's name", "64"]),
    (["--new-plugin", "all", "--type", "scan"], ["--new-plugin all: not a plugin's name"]),
    (["--new-plugin", "csv", "--type", "output"], ["--new-plugin csv: ", "[output] has a key csv"]),
    (["--new-plugin", "a", "--new-plugin", "b", "--type", "scan"], ["--new-plugin b: one at a time"]),
    (["--new-plugin", "a", "--check-plugin", "b"], ["--check-plugin: does not go with --new-plugin"]),
    (GOOD + ["--type", "scan"], ["--type: goes with --new-plugin", "--scan-type"]),
    (["--list-plugins", "--type", "scan"], ["--type: goes with --new-plugin"]),
]

# What is refused for what it holds: exit 1.
REFUSED = [
    (["--install-plugin", "/nonexistent/x"], ["--install-plugin /nonexistent/x: ", "No such file"]),
    (["--install-plugin", "/dev/null"], ["--install-plugin /dev/null: "]),
    (["--install-plugin", "DIR/broken"], ["--install-plugin DIR/broken: DIR/broken/main.lua:2: "]),
    (["--install-plugin", "DIR/hookless/"], ["--install-plugin DIR/hookless/: ", "hook"]),
    (["--install-plugin", "DIR/wrong-name"], ["wrong-name/plugin.toml", "other"]),
    (["--install-plugin", "DIR/needs-system"], ["system"]),
    (["--install-plugin", "DIR/no-readme"], ["README.md"]),
    (["--check-plugin", "/nonexistent/x"], ["--check-plugin /nonexistent/x: ", "No such file"]),
    (["--check-plugin", "DIR/broken"], ["--check-plugin DIR/broken: DIR/broken/main.lua:2: "]),
    (
        ["--check-plugin", "DIR/bad-toml"],
        ["--check-plugin DIR/bad-toml: DIR/bad-toml/plugin.toml:"],
    ),
    (["--check-plugin", "DIR/too-new"], ["9.0.0", "0.1.0"]),
    (["--remove-plugin", "http-enum"], ["--remove-plugin http-enum: ", ".prtip/plugins"]),
    (
        ["--remove-plugin", "http-enum", "--plugin-dir", "DIR"],
        ["--remove-plugin http-enum: it lies in DIR/http-enum", ".prtip/plugins"],
    ),
]

# INI files: text, fragments; `FILE` stands for the file's name, `DIR` for the plugins' folder.
DIR = b"[plugins]\ndir = DIR\n"
FILES = [
    (BASE + b"[scan]\nrate = 12q\n", ["FILE:7: [scan] rate = 12q: not a rate"]),
    (b"[scan]\nrte = 5\n", ["FILE:2: [scan] rte: no such key", "rate"]),
    (b"[scna]\n", ["FILE:1: [scna]: no such section", "[scan]"]),
    (b"[nonsense]\n", ["FILE:1: [nonsense]", "status"]),
    (b"[sim]\ntargets = 1.2.3.4\n", ["FILE:2: [sim] targets", "[scan]"]),
    (b"rate = 5\n", ["FILE:1: rate", "section"]),
    (b"[scan]\nrate = 5\nports = 80\nrate = 6\n", ["FILE:4: [scan] rate: given twice", "line 2"]),
    (b"[scan]\nrate = 5\n[sim]\n[scan]\nrate = 5\n", ["FILE:5: [scan] rate: given twice"]),
    (b"[scan]\nrate\n", ["FILE:2: no `=`"]),
    (b"[scan\nrate = 5\n", ["FILE:1: section without `]`"]),
    (b"[scan] rate = 5\n", ["FILE:1: text behind `]`"]),
    (b"[]\n", ["FILE:1: section name"]),
    (b"[scan]\n= 5\n", ["FILE:2: no key"]),
    (b"[scan]\nrate = 5\0\n", ["FILE:2: a NUL byte"]),
    (b"[scan]\nrate = \x1b[31m\n", ["FILE:2: control character 0x1b"]),
    ("[scan]\nrate = 5\n".encode("utf-16"), ["FILE:1: a NUL byte"]),
    (b"\x7fELF\x02\x01\x01\0", ["FILE:1: control character"]),
    (b"[scan]\nrate = 5\n  ports = 80\n", ["FILE:2: [scan] rate", "first column"]),
    (b"[scan]\ntargets = 198.18.0.1\n  ports = 80\n", ["FILE:2: [scan] targets", "first column"]),
    (b"[scan]\ntargets = 198.18.0.1,\n  198.18.0.256\n", ["FILE:2: [scan] targets = 198.18.0.256"]),
    (
        b"[scan]\ntargets = " + b"198.18.0.1, " * 1000 + b"1.2.3\n",
        ["[scan] targets = 1.2.3: not an"],
    ),
    (b"[scan]\n# " + b"x" * 1000 + b"\n\nbogus = 1\n", ["FILE:4: [scan] bogus"]),
    (b"[scan]\nports = " + b"80," * 1000 + b"0x50\n", ["FILE:2: [scan] ports = 0x50"]),
    (b"[scan]\n" + b"k" * 300 + b" = 5\n", ["FILE:2: no `=`"]),
    (b"[scan]\n" + b"k" * 100 + b" = 5\n", ["FILE:2: key too long"]),
    (b"[" + b"s" * 100 + b"]\n", ["FILE:1: section name"]),
    (b"[scan]\nports = http\n", ["FILE:2: [scan] ports = http", "service names"]),
    (
        b"[scan]\ntype = udp\nports = T:80\ntargets = 198.18.0.1\n",
        ["FILE:3: [scan] ports = T:80"],
    ),
    (b"[scan]\ntype = connect\n", ["FILE:2: [scan] type = connect", "syn"]),
    (b"[scan]\ntiming = 7\n", ["FILE:2: [scan] timing = 7", "0 to 5"]),
    (b"[scan]\ntiming =\n", ["FILE:2: [scan] timing = "]),
    (b"[scan]\nprobes = 20\n", ["FILE:2: [scan] probes = 20", "1 to 16"]),
    (b"[scan]\nprobes = two\n", ["FILE:2: [scan] probes = two", "not a number"]),
    (b"[scan]\ncooldown = soon\n", ["FILE:2: [scan] cooldown = soon"]),
    (b"[scan]\nshard = 3/2\n", ["FILE:2: [scan] shard = 3/2"]),
    (b"[scan]\nseed = random\n", ["FILE:2: [scan] seed = random"]),
    (b"[scan]\ntargets = ::/129\n", ["FILE:2: [scan] targets = ::/129"]),
    (b"[scan]\nexclude = all\n", ["FILE:2: [scan] exclude = all"]),
    (b"[dataplane]\nport3 = eth0\n", ["[dataplane] port0 is missing", "port3"]),
    (b"[dataplane]\nvlan3 = x\n", ["FILE:2: [dataplane] vlan3 = x", "not a number"]),
    (
        b"[dataplane]\nport0 = a\nport0 = b\n",
        ["FILE:3: [dataplane] port0: given twice", "line 2"],
    ),
    (b"[dataplane]\nport = " + b"x" * 600 + b"\n", ["FILE:2: [dataplane] port = xxx", "too long"]),
    (b"[dataplane]\nprot = sim\n", ["FILE:2: [dataplane] prot", "port"]),
    (b"[output]\nmy-plugin = x\n", ["FILE:2: [output] my-plugin", "ndjson"]),
    (BASE + b"[output]\noverwrite = yes\nappend = yes\n", ["overwrite", "append"]),
    (b"[output]\ninclude_closed = sometimes\n", ["FILE:2: [output] include_closed = sometimes"]),
    (b"[plugins]\noverflow = explode\n", ["FILE:2: [plugins] overflow = explode"]),
    (
        b"[plugin:http-enum]\ndepth = 2\ndepth = 3\n",
        ["FILE:3: [plugin:http-enum] depth: given twice", "line 2"],
    ),
    (b"[plugin:Http]\n", ["FILE:1: [plugin:Http]: not a plugin's name"]),
    (b"[plugin:]\n", ["FILE:1: [plugin:]: not a plugin's name"]),
    (b"[plugin]\n", ["FILE:1: [plugin]: no such section", "[plugins]"]),
    (b"[plugin:" + b"x" * 65 + b"]\n", ["FILE:1: [plugin:xxx", "not a plugin's name"]),
    (b"[plugin:nope]\n", ["FILE:1: [plugin:nope]: no such plugin in "]),
    (b"[plugin:nope]\n\na = b\n", ["FILE:1: [plugin:nope]: no such plugin in "]),
    (b"[plugin:http-enum]\na key = 2\n", ["FILE:2: [plugin:http-enum] a key: not a key"]),
    (
        b"[plugin:http-enum]\npaths = /a\n  depth = 5\n",
        ["FILE:2: [plugin:http-enum] paths", "first column"],
    ),
    (
        DIR + b"[plugin:http-enum]\nlabel = a\n  b\n",
        ["FILE:4: [plugin:http-enum] label", "takes one line"],
    ),
    (
        DIR + b"[plugin:http-enum]\ndepth = x\n",
        ["FILE:4: [plugin:http-enum]", "depth", "a whole number"],
    ),
    (
        DIR + b"[plugin:http-enm]\ndepth = 1\n",
        ["FILE:3: [plugin:http-enm]: no such plugin", "http-enum?"],
    ),
    (
        DIR + b"enable = http-enm\n",
        ["FILE:3: [plugins] enable = http-enm: no such plugin", "http-enum?"],
    ),
    (
        DIR + b"enable = http-enum,\n  broken\n",
        ["FILE:3: [plugins] enable = broken: DIR/broken/main.lua:2"],
    ),
    (b"[plugins]\nenable = a/b\n", ["FILE:2: [plugins] enable = a/b: a path", "--plugin-dir"]),
    (b"[plugins]\ndir = ~root/x\n", ["FILE:2: [plugins] dir = ~root/x", "~/"]),
    (b"[plugins]\nlanes = many\n", ["FILE:2: [plugins] lanes = many", "1 to 64"]),
    (b"[plugins]\ncpu_seconds = 5s\n", ["FILE:2: [plugins] cpu_seconds = 5s", "without a unit"]),
    (b"[plugins]\nenabled = x\n", ["FILE:2: [plugins] enabled: no such key", "enable?"]),
    (b"[output]\nndjsn = x\n", ["FILE:2: [output] ndjsn: no such format", "ndjson?"]),
    (b"[output]\napend = yes\n", ["FILE:2: [output] apend", "append?"]),
    (DIR + b"[output]\nhtml = a\nhtml = b\n", ["FILE:5: [output] html: given twice", "line 4"]),
    (DIR + b"[output]\nhttp-enum = a\n", ["FILE:4: [output] http-enum", "not an output plugin"]),
    (DIR + b"[output]\nexport-only = -\n", ["FILE:4: [output] export-only", "format_result"]),
    (DIR + b"[output]\nhtml = a\n  b\n", ["FILE:4: [output] html", "takes one line"]),
    (b"[sim]\nloss = 2\n", ["FILE:2: [sim] loss = 2", "0 to 1"]),
    (b"[scan]\r\nrate = 12q\r\n", ["FILE:2: [scan] rate = 12q: not"]),
    (b"\xef\xbb\xbf[scan]\nrate = 12q\n", ["FILE:2: [scan] rate = 12q: not"]),
    (b"[scan]\nports = 80\n", ["no targets"]),
    (b"[scan]\ntargets = 198.18.0.1\n", ["no ports"]),
]

# Address lists: text, fragments. Each is tried as a target file and as an exclude file.
LISTS = [
    (b"198.18.0.1\n198.18.0.300\n", ["FILE:2: 198.18.0.300: 300 is above 255"]),
    (b"# x\r\n\r\n198.18.0.1/40 ; y\r\n", ["FILE:3: 198.18.0.1/40"]),
    (b"198.18.0.1 198.18.0.2, 198.18.0\n", ["FILE:1: 198.18.0: not an address"]),
    (b"198.18.0.9-198.18.0.3", ["FILE:1: 198.18.0.9-198.18.0.3: reversed"]),
    (b"198.18.0.1\nwww.example..org\n", ["FILE:2: www.example..org: "]),
    (b"2001:db8::\n2001:db8::g\n", ["FILE:2: 2001:db8::g"]),
    (b"198.18.0.08\n", ["FILE:1: 198.18.0.08: leading zero"]),
    (b"\0\0\0\0", ["FILE:1: \\x00"]),
    (b"\xff" * 100000, ["FILE:1: \\xff"]),
    (b"x" * 100000, ["FILE:1: xxx"]),
    (b"198.18.0.1" * 100000, ["FILE:1: 198.18.0.1198"]),
    (b"198.18.0.1\n" * 70000 + b"198.18.0.1.1\n", ["FILE:70001: 198.18.0.1.1"]),
    (b"\x7fELF\x02\x01\x01\0\0\0\0\n" * 50, ["FILE:1: \\x7fELF"]),
    (b"<html>\n", ["FILE:1: <html>"]),
]

# Files of UDP payloads and of hellos.
PAYLOADS = {
    "scan.udp_payloads": [
        (b"7 a\n", ["FILE:1: a: its bytes are missing"]),
        (b'# x\n\n7 a "b\n', ['FILE:3: "b: the quote is not closed']),
        (b'7 a "\\x4"\n', ["FILE:1:", "not an escape"]),
        (b'70000 a "b"\n', ["FILE:1: 70000"]),
        (b'9-7 a "b"\n', ["FILE:1: 9-7: reversed"]),
        (b'7 a "b" token=5+4\n', ["FILE:1: 5+4:", "the payload has 1"]),
        (b'7 a "b" reply=0\n', ["FILE:1:", "about a token"]),
        (b'7 a "b"\n' * 9, ["FILE:9: a: port 7 has more than 8"]),
        (b'7 a "' + b"x" * 1233 + b'"\n', ["FILE:1: a: too long", "1232"]),
        (b"\0" * 100, ["FILE:1:"]),
        (b"\xff" * 100000, ["FILE:1:"]),
        (b"\x7fELF\x02\x01\x01\0\n" * 50, ["FILE:1:"]),
    ],
    "banner.payloads": [
        (b'80 a "b" token=0+1\n', ["FILE:1:", "token"]),
        (b'80 a "' + b"x" * 537 + b'"\n', ["FILE:1: a: too long", "536"]),
    ],
}


def make_plugins(folder):
    """Plugins of all sorts, most of them bad."""
    fixtures.plugin(
        folder,
        "http-enum",
        config='paths = ["/"]\ndepth = 3\nratio = 0.5\nverbose = false\nlabel = "x"',
    )
    fixtures.plugin(folder, "networked", capabilities='["network"]')
    fixtures.plugin(folder, "html", "output")
    fixtures.plugin(folder, "export-only", "output", main="function export(results, path) end\n")
    fixtures.plugin(folder, "broken", main="function on_target(\n")
    fixtures.plugin(folder, "broken-output", "output", main="function export(\n")
    fixtures.plugin(folder, "hookless", main="function on_load(config) end\n")
    fixtures.plugin(folder, "bad-toml", manifest="[plugin\n")
    fixtures.plugin(folder, "wrong-name", name='"other"')
    fixtures.plugin(folder, "needs-system", capabilities='["system"]')
    fixtures.plugin(folder, "too-new", config='[plugin.dependencies]\nmin_prtip_version = "9.0.0"')
    os.unlink(os.path.join(fixtures.plugin(folder, "no-readme"), "README.md"))


def run(arguments, home):
    return subprocess.run(
        [PROGRAM] + arguments,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
        cwd=home,
        env=dict(os.environ, HOME=home),
    )


def problem(result, status, fragments):
    """What is wrong with the outcome, or None."""
    text = result.stderr.decode("utf-8", "backslashreplace")
    if result.returncode != status:
        return f"exit status {result.returncode}: {text[:300]!r}"
    if result.stdout:
        return f"standard output: {result.stdout[:200]!r}"
    if text.count("\n") != 1 or not text.endswith("\n"):
        return f"not one line: {text[:300]!r}"
    if any(ord(c) < 0x20 or ord(c) == 0x7F for c in text[:-1]):
        return f"control characters: {text!r}"
    if len(text) > 530:
        return f"{len(text)} characters long"
    for fragment in fragments:
        if fragment not in text:
            return f"{fragment!r} is not in {text!r}"
    return None


def filled(texts, **places):
    """The texts with the names of files in place of FILE and DIR."""
    for mark, name in places.items():
        texts = [text.replace(mark, name) for text in texts]
    return texts


def cases(folder):
    """(name, arguments, exit status, fragments) of every case."""
    path, plugins = os.path.join(folder, "bad"), os.path.join(folder, "plugins")
    make_plugins(plugins)
    for arguments, fragments in FLAGS:
        yield "prtip-dp " + " ".join(arguments), arguments, 2, fragments
    for status, table in ((2, PLUGINS), (1, REFUSED)):
        for arguments, fragments in table:
            name = "prtip-dp " + " ".join(arguments).replace(" ".join(GOOD), "...")
            yield name, filled(arguments, DIR=plugins), status, filled(fragments, DIR=plugins)
    for number, (text, fragments) in enumerate(FILES):
        name = f"{path}{number}.ini"
        with open(name, "wb") as file:
            file.write(text.replace(b"dir = DIR", b"dir = " + plugins.encode()))
        yield f"ini {text[:60]!r}", ["-c", name], 2, filled(fragments, FILE=name, DIR=plugins)
    for number, (text, fragments) in enumerate(LISTS):
        name = f"{path}{number}.txt"
        with open(name, "wb") as file:
            file.write(text)
        fragments = filled(fragments, FILE=name)
        yield f"targets {text[:60]!r}", ["-p80", "-iL", name], 2, fragments
        yield f"excludes {text[:60]!r}", GOOD + ["--exclude-file", name], 2, fragments
    for key, files in PAYLOADS.items():
        for number, (text, fragments) in enumerate(files):
            name = f"{path}{number}.{key}"
            with open(name, "wb") as file:
                file.write(text)
            arguments = GOOD + ["--set", f"{key}={name}"]
            yield f"{key} {text[:60]!r}", arguments, 2, filled(fragments, FILE=name)


def leave_the_network():
    """Were something in here taken for a target or a name, nothing of it could leave the machine."""
    if os.geteuid() == 0 and "BAD_INPUTS_ALONE" not in os.environ:
        os.environ["BAD_INPUTS_ALONE"] = "1"
        os.execvp("unshare", ["unshare", "--net", "--", sys.executable, *sys.argv])


def main():
    leave_the_network()
    with tempfile.TemporaryDirectory(prefix="prtip-") as folder:
        all_cases = list(cases(folder))
        home = os.path.join(folder, "home")
        os.mkdir(home)
        failed = 0
        print(f"1..{len(all_cases) + 1}")
        for number, (name, arguments, status, fragments) in enumerate(all_cases, 1):
            wrong = problem(run(arguments, home), status, fragments)
            label = ascii(name[:100])[1:-1].replace("#", "\\#")
            failed += wrong is not None
            print(f"{'not ' if wrong else ''}ok {number} - {label}")
            if wrong:
                print(f"# {wrong}")
        left = os.listdir(home)
        failed += bool(left)
        print(f"{'not ' if left else ''}ok {len(all_cases) + 1} - nothing was installed or made")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
