#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What is scanned: --list-targets against an independent model, and what follows from the order.
Prints TAP.

    tests/cli/targets.py [PROGRAM]
"""

import ipaddress
import os
import random
import resource
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.abspath(
    sys.argv[1]
    if len(sys.argv) > 1
    else os.environ.get("PRTIP_DP", os.path.join(TOP, "build", "prtip-dp"))
)
SIM = ["--set", "dataplane.port=sim"]
SANITIZED = os.environ.get("PRTIP_SANITIZED") or "asan" in PROGRAM

# The model's own copy of the default list: it must not read the file under test.
DEFAULT = """0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4
240.0.0.0/4 255.255.255.255/32""".split()
NEVER = ["0.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32"]
DEFAULT6 = """::/128 ::1/128 64:ff9b::/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 2001:db8::/32 2002::/16
3fff::/20 5f00::/16 fc00::/7 fe80::/10 ff00::/8""".split()
NEVER6 = [(0, 0), (2, 0xFFFFFFFF), (0xFF << 120, (1 << 128) - 1)]


def span(text):
    net = ipaddress.ip_network(text, strict=False)
    return int(net[0]), int(net[-1])


def expand(entry):
    """The addresses of one entry, as a set."""
    if "/" in entry:
        low, high = span(entry)
        return set(range(low, high + 1))
    if entry.count(".") == 6:
        low, high = (int(ipaddress.ip_address(part)) for part in entry.split("-"))
        return set(range(low, high + 1))
    octets = []
    for part in entry.split("."):
        low, _, high = ("0-255" if part == "*" else part).partition("-")
        octets.append(range(int(low), int(high or low) + 1))
    return {
        a << 24 | b << 16 | c << 8 | d
        for a in octets[0]
        for b in octets[1]
        for c in octets[2]
        for d in octets[3]
    }


def model(targets, exclude=(), default=True):
    """(addresses to scan, excluded by default, excluded by the operator)."""
    listed = [span(text) for text in DEFAULT] if default else []
    union, scanned = set(), set()
    for entry in targets:
        addresses = expand(entry)
        union |= addresses
        low, high = min(addresses), max(addresses)
        if not any(first <= low and high <= last for first, last in listed):
            addresses = {a for a in addresses if not any(f <= a <= l for f, l in listed)}
        scanned |= addresses
    scanned = {a for a in scanned if not any(f <= a <= l for f, l in map(span, NEVER))}
    by_default = len(union) - len(scanned)
    left = scanned.difference(*(expand(entry) for entry in exclude))
    return left, by_default, len(scanned) - len(left)


def run(arguments, stdin=""):
    return subprocess.run(
        [PROGRAM] + arguments, input=stdin, capture_output=True, text=True, timeout=120, check=False
    )


def listing(arguments, stdin=""):
    result = run(SIM + arguments + ["--list-targets"], stdin)
    if result.returncode:
        raise AssertionError(f"exit {result.returncode}: {result.stderr.strip()}")
    return result.stdout.splitlines()


def pairs(addresses, ports):
    return {f"{ipaddress.ip_address(a)} {p} tcp" for a in addresses for p in ports}


def same(lines, expected):
    assert len(lines) == len(set(lines)), "a pair is listed twice"
    got = set(lines)
    assert got == expected, f"missing {list(expected - got)[:3]}, extra {list(got - expected)[:3]}"


TESTS = []


def test(function):
    TESTS.append(function)
    return function


@test
def forms_of_targets():
    """addresses, prefixes, ranges and octets mean what nmap takes them for"""
    for entry in (
        "198.18.0.1 198.18.0.77/28 198.18.1.250-198.18.2.5 198.18.0-3.1-99 198.18.7.* 11.0.0.0/22 "
        "9.255.255.250-10.0.0.5 8-9.0.0-1.5 11.22.*.3 1.2.3.4/32 11.*.1-2.7 198.18.0.5-9"
    ).split():
        same(listing(["-p", "80", entry]), pairs(model([entry])[0], [80]))


@test
def lists_and_options():
    """commas, blanks, several arguments, overlaps and repetitions"""
    entries = ["198.18.0.0/24", "198.18.0.128/25", "198.18.1.0/24", "198.18.0.3", "198.18.0.3"]
    expected = pairs(model(entries)[0], [22, 80])
    for form in ([",".join(entries)], [" ".join(entries)], entries, [", ".join(entries)]):
        same(listing(["-p22,80"] + form), expected)


def span6(entry):
    """First and last address of an IPv6 address, prefix or range."""
    if "/" in entry:
        net = ipaddress.IPv6Network(entry, strict=False)
        return int(net[0]), int(net[-1])
    low, _, high = entry.partition("-")
    return int(ipaddress.IPv6Address(low)), int(ipaddress.IPv6Address(high or low))


def model6(targets, exclude=(), default=True):
    """The IPv6 addresses to scan; entries must be small."""
    listed = [span6(text) for text in DEFAULT6] if default else []
    scanned = set()
    for entry in targets:
        low, high = span6(entry)
        addresses = set(range(low, high + 1))
        if not any(first <= low and high <= last for first, last in listed):
            addresses = {a for a in addresses if not any(f <= a <= l for f, l in listed)}
        scanned |= addresses
    out = NEVER6 + [span6(entry) for entry in exclude]
    return {a for a in scanned if not any(f <= a <= l for f, l in out)}


def pairs6(addresses, ports, proto="tcp"):
    return {f"{ipaddress.IPv6Address(a)} {p} {proto}" for a in addresses for p in ports}


@test
def forms_of_ipv6_targets():
    """addresses, prefixes and ranges of IPv6, alone and beside IPv4"""
    for entry in (
        "2001:db8::1 2001:DB8:0:0::77/124 2001:db8::fffe-2001:db8::1:5 2a00:1:2:3:4:5:6:7 ::1/128 fe80::1/126 "
        "2001:db8::7/120 1:0:0:2::/125 1::-1::3"
    ).split():
        same(listing(["-p", "80", entry]), pairs6(model6([entry]), [80]))
    mixed = pairs(model(["198.18.0.0/28"])[0], [22, 80]) | pairs6(model6(["2001:db8::/124"]), [22, 80])
    same(listing(["-p22,80", "198.18.0.0/28,2001:db8::/124"]), mixed)
    same(listing(["-p22,80", "2001:db8::/124", "198.18.0.0/28"]), mixed)


@test
def ipv6_default_list():
    """the default list holds for IPv6 as it does for IPv4; some is never scanned"""
    for targets in (
        ["2001:db7:ffff:ffff:ffff:ffff:ffff:fff0-2001:db8::5"],
        ["fe7f:ffff:ffff:ffff:ffff:ffff:ffff:fff0-fe80::10"],
        ["feff:ffff:ffff:ffff:ffff:ffff:ffff:fff0-ff00::10"],
        ["2000:ffff:ffff:ffff:ffff:ffff:ffff:ff00-2001::"],
        ["fd00::/120", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ff00-fc00::7"],
    ):
        same(listing(["-p80"] + targets), pairs6(model6(targets), [80]))
    off = ["--set", "scan.default_excludes=no"]
    for target in ("::", "::2", "::192.0.2.1", "ff02::1", "ff00::/120"):
        assert run(SIM + off + ["-p80", target, "--list-targets"]).returncode == 2, target
    same(listing(off + ["-p80", "::-::3"]), {"::1 80 tcp"})


@test
def bad_ipv6():
    """what is no IPv6 target is exit 2, and says what would be right"""
    for target, why in (
        ("2001:db8::1::2", "not an IPv6 address"),
        ("::ffff:192.0.2.1", "write the IPv4 address"),
        ("::ffff:c000:0/120", "write the IPv4 address"),
        ("fe80::1%eth0", "zone"),
        ("2001:db8::/129", "/0 to /128"),
        ("2001:db8::2-2001:db8::1", "reversed"),
        ("2001:db8::1-198.18.0.1", "one family"),
        ("::/0", "more than 2^120"),
    ):
        result = run(SIM + ["-p80", target, "--list-targets"])
        assert result.returncode == 2 and why in result.stderr, f"{target}: {result.stderr}"


@test
def random_ipv6_sets():
    """random IPv6 targets and exclusions against the model"""
    rng = random.Random(8)
    bases = [0x20010DB8 << 96, (0x20010DB8 << 96) - 300, 0xFE80 << 112, (0xFF << 120) - 400, 0, 0x2A00 << 112]

    def entry():
        first = max(0, rng.choice(bases) + rng.randrange(900))
        text = str(ipaddress.IPv6Address(first))
        kind = rng.randrange(3)
        if kind == 0:
            return text
        if kind == 1:
            return f"{text}/{rng.randrange(118, 129)}"
        return f"{text}-{ipaddress.IPv6Address(first + rng.randrange(600))}"

    for _ in range(8 if SANITIZED else 40):
        targets = [entry() for _ in range(rng.randrange(1, 7))]
        exclude = [entry() for _ in range(rng.randrange(3))]
        default = rng.random() < 0.7
        arguments = ["-p", "53,443", " ".join(targets)]
        arguments += ["--exclude", ",".join(exclude)] if exclude else []
        arguments += [] if default else ["--set", "scan.default_excludes=no"]
        left = model6(targets, exclude, default)
        if left:
            same(listing(arguments), pairs6(left, [53, 443]))
        else:
            result = run(SIM + arguments + ["--list-targets"])
            assert result.returncode == 2 and "no targets left" in result.stderr, arguments


@test
def scan_types():
    """types have families and ports: what does not fit is one clear error"""
    v4, v6 = "198.18.0.0/30", "2001:db8::/126"
    for name, proto in (("udp", "udp"), ("sctp", "sctp"), ("ack", "tcp")):
        both = {f"{ip} 53 {proto}" for net in (v4, v6) for ip in ipaddress.ip_network(net)}
        same(listing(["--scan-type", name, "-p53", v4, v6]), both)
    same(listing(["--scan-type", "udp", "-pU:53", v4]), {f"198.18.0.{i} 53 udp" for i in range(4)})
    for name, net in (("icmp", v4), ("icmp", v6), ("arp", v4), ("ndp", v6)):
        lines = {f"{ip} - {name}" for ip in ipaddress.ip_network(net)}
        same(listing(["--scan-type", name, net]), lines)
    for arguments, why in (
        (["--scan-type", "arp", v6], "IPv4 only"),
        (["--scan-type", "ndp", v6, v4], "IPv6 only"),
        (["--scan-type", "icmp", "-p80", v4], "leave the ports out"),
        (["--scan-type", "udp", "-pT:80", v4], "TCP ports need"),
        (["-pU:53", v4], "UDP ports need"),
        (["-pT:22,S:132", v4], "SCTP ports need"),
    ):
        result = run(SIM + arguments + ["--list-targets"])
        assert result.returncode == 2 and why in result.stderr, f"{arguments}: {result.stderr}"


@test
def random_sets():
    """random targets and exclusions against the model"""
    rng = random.Random(7)

    def entry():
        base = rng.choice([0x0A000000, 0x09FFFF00, 0xC6120000, 0xC6140000 - 600, 0xC0A80000, 0xDFFFFF00])
        first = base + rng.randrange(900)
        kind = rng.randrange(4)
        text = str(ipaddress.ip_address(first))
        if kind == 0:
            return text
        if kind == 1:
            return f"{text}/{rng.randrange(21, 33)}"
        if kind == 2:
            return f"{text}-{ipaddress.ip_address(first + rng.randrange(700))}"
        a, b, c, _ = text.split(".")
        low = rng.randrange(200)
        high = min(255, int(c) + rng.randrange(3))
        return f"{a}.{b}.{c}-{high}.{low}-{low + rng.randrange(50)}"

    for _ in range(15 if SANITIZED else 60):
        targets = [entry() for _ in range(rng.randrange(1, 8))]
        exclude = [entry() for _ in range(rng.randrange(3))]
        default = rng.random() < 0.7
        ports = sorted(rng.sample(range(65536), rng.randrange(1, 4)))
        arguments = ["-p", ",".join(map(str, ports)), ",".join(targets)]
        arguments += ["--exclude", ",".join(exclude)] if exclude else []
        arguments += [] if default else ["--set", "scan.default_excludes=no"]
        left, _, _ = model(targets, exclude, default)
        if left:
            same(listing(arguments), pairs(left, ports))
        else:
            result = run(SIM + arguments + ["--list-targets"])
            assert result.returncode == 2 and "no targets left" in result.stderr, arguments


@test
def default_list():
    """the default list holds for what a target covers, not for what it names"""
    for targets, count in (
        (["10.1.0.0/16"], 65536),
        (["127.0.0.1"], 1),
        (["9.255.255.0-10.0.0.255"], 256),
        (["198.17.255.0-198.18.0.255"], 256),
        (["192.168.0.0/16", "192.167.255.0-192.168.0.255"], 65536 + 256),
        (["255.255.255.250-255.255.255.255"], 5),
        (["223.255.255.0-224.0.0.255"], 256),
        (["192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24"], 768),
    ):
        lines = listing(["-p", "80"] + targets)
        assert len(lines) == count, f"{targets}: {len(lines)} and not {count}"
        same(lines, pairs(model(targets)[0], [80]))


@test
def never_scanned():
    """multicast, broadcast and 0.0.0.0/8 are not scanned, even without the default list"""
    off = ["--set", "scan.default_excludes=no"]
    for target in ("224.0.0.1", "239.0.0.0/8", "255.255.255.255", "0.0.0.1"):
        assert run(SIM + off + ["-p80", target, "--list-targets"]).returncode == 2, target
    assert len(listing(off + ["-p80", "223.255.255.254-224.0.0.3"])) == 2


@test
def port_syntax():
    """nmap's port lists"""
    for text, ports in (
        ("80", [80]),
        ("443,80,80,8000-8003", [80, 443, 8000, 8001, 8002, 8003]),
        ("-3", [1, 2, 3]),
        ("65533-", [65533, 65534, 65535]),
        ("-", range(1, 65536)),
        ("0,1", [0, 1]),
        ("0-65535", range(65536)),
        ("T:22,80", [22, 80]),
        ("1-5,3-9, 20", list(range(1, 10)) + [20]),
    ):
        same(listing([f"-p{text}", "198.18.0.1"]), pairs([0xC6120001], ports))


@test
def files():
    """target and exclude files: comments, CRLF, blank lines, no final newline, pipes"""
    with tempfile.TemporaryDirectory(prefix="prtip-") as folder:
        path, out = os.path.join(folder, "t"), os.path.join(folder, "x")
        with open(path, "wb") as file:
            file.write(
                b"\xef\xbb\xbf# a\r\n198.18.0.0/28 ; b\r\n\r\n\n198.18.1.1,198.18.1.2 198.18.1.3#c\n;\n"
                b"\t198.18.2.1-3"
            )
        with open(out, "w", encoding="ascii") as file:
            file.write("198.18.0.3\n198.18.2.0/24")
        targets = ["198.18.0.0/28", "198.18.1.1-3", "198.18.2.1-3"]
        same(listing(["-p80", "-iL", path]), pairs(model(targets)[0], [80]))
        expected = pairs(model(targets, ["198.18.0.3", "198.18.2.0/24"])[0], [80])
        same(listing(["-p80", "-iL", path, "--exclude-file", out]), expected)
        with open(path, encoding="utf-8-sig") as file:
            text = file.read()
        same(listing(["-p80", "-iL", "-", "--exclude-file", out], text), expected)


@test
def command_line_and_file():
    """targets of the command line replace the file's, exclusions add to it"""
    with tempfile.TemporaryDirectory(prefix="prtip-") as folder:
        ini = os.path.join(folder, "s.ini")
        with open(ini, "w", encoding="ascii") as file:
            file.write("[scan]\ntargets = 198.18.0.0/30,\n  198.18.9.9\nports = 80\n")
            file.write("exclude = 198.18.0.1\ntargets_file = /nonexistent\n")
        expected = model(["198.18.0.0/29"], ["198.18.0.1", "198.18.0.2"])[0]
        same(
            listing(["-c", ini, "198.18.0.0/29", "--exclude", "198.18.0.2"]), pairs(expected, [80])
        )
        same(
            listing(["198.18.0.0/29", "-c", ini, "--set", "scan.exclude=198.18.0.2"]),
            pairs(expected, [80]),
        )


@test
def shards():
    """1 to 7 shards are disjoint, their union is the whole, and each is a part of the order"""
    base = ["-p", "1-50", "198.18.0.0/22", "--exclude", "198.18.1.7", "--seed", "11"]
    whole = listing(base)
    for count in range(1, 8):
        parts = []
        for shard in range(1, count + 1):
            part = listing(base + ["--shard", f"{shard}/{count}"])
            assert abs(len(part) - len(whole) / count) <= 1, f"shard {shard}/{count}: {len(part)}"
            parts += part
        assert parts == whole, f"{count} shards"
    parts = []
    for shard in range(1, 8):
        parts += listing(["-p80", "198.18.0.1-3", "--seed", "1", "--shard", f"{shard}/7"])
    same(parts, pairs(model(["198.18.0.1-3"])[0], [80]))


@test
def order():
    """the seed makes the order; without one every run has its own"""
    base = ["-p80,443", "198.18.0.0/20"]
    first, again = listing(base + ["--seed", "5"]), listing(base + ["--seed", "5"])
    other = listing(base + ["--seed", "6"])
    assert first == again, "one seed, two orders"
    assert first != other and set(first) == set(other), "the seed does not matter"
    assert listing(base) != listing(base), "two runs without a seed are alike"


@test
def neighbours():
    """neighbouring probes go to different networks"""
    lines = listing(["-p80", "198.18.0.0/16", "--seed", "9"])
    nets = [line.split(" ")[0].rsplit(".", 1)[0] for line in lines]
    equal = sum(a == b for a, b in zip(nets, nets[1:]))
    assert equal < len(nets) / 256 * 2, f"{equal} of {len(nets)} neighbours share a /24"
    ascending = sum(a < b for a, b in zip(lines, lines[1:])) / len(lines)
    assert 0.45 < ascending < 0.55, f"{ascending:.2f} of the steps go up"


@test
def whole_internet():
    """0.0.0.0/0 on all ports is planned at once and in little memory"""
    result = run(SIM + ["0.0.0.0/0", "-p-", "--dry-run"])
    assert result.returncode == 0, result.stderr
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    # The peak of all children so far: what came before is small too.
    assert SANITIZED or peak < 64 * 1024, f"{peak} KiB"


@test
def whole_prefix():
    """a /32 of IPv6 on all ports is planned at once, and its shards begin where they should"""
    result = run(SIM + ["2001:db8::/32", "-p-", "--dry-run"])
    assert result.returncode == 0, result.stderr
    heads = []
    for shard in ("1/4", "3/4", "1/1"):
        command = [PROGRAM] + SIM + ["2001:db8::/32", "-p-", "--seed=2", f"--shard={shard}", "--list-targets"]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            heads.append([process.stdout.readline() for _ in range(2000)])
            process.stdout.close()
            process.wait(30)
    net = ipaddress.ip_network("2001:db8::/32")
    for head in heads:
        assert len(set(head)) == 2000
        for line in head:
            ip, port, proto = line.split()
            assert ipaddress.ip_address(ip) in net and 1 <= int(port) <= 65535 and proto == "tcp"
    assert heads[0] == heads[2] and not set(heads[0]) & set(heads[1])
    nets = [line[:12] for line in heads[0]]
    assert sum(a == b for a, b in zip(nets, nets[1:])) < 10, "neighbours share a network"


@test
def million_ipv6_lines():
    """a hit list of a million IPv6 addresses is read, and each comes once"""
    rng = random.Random(4)
    with tempfile.TemporaryDirectory(prefix="prtip-") as folder:
        path = os.path.join(folder, "million6")
        prefixes = [0x20010DB8 << 96 | rng.getrandbits(32) << 64 for _ in range(5000)]
        addresses = {rng.choice(prefixes) | rng.getrandbits(rng.choice([8, 16, 64])) for _ in range(1000000)}
        with open(path, "w", encoding="ascii") as file:
            for a in addresses:
                text = f"{a:032x}"
                file.write(":".join(text[i : i + 4] for i in range(0, 32, 4)) + "\n")
        lines = listing(["-p80", "-iL", path])
        assert len(lines) == len(set(lines)) == len(addresses)
        for line in lines[::997]:
            assert int(ipaddress.IPv6Address(line.split()[0])) in addresses


@test
def million_lines():
    """a file of a million lines is read, each of them once"""
    rng = random.Random(3)
    with tempfile.TemporaryDirectory(prefix="prtip-") as folder:
        path = os.path.join(folder, "million")
        addresses = {rng.randrange(0x0B000000, 0x64000000) for _ in range(1000000)}
        order_of_file = list(addresses)
        rng.shuffle(order_of_file)
        with open(path, "w", encoding="ascii") as file:
            for a in order_of_file:
                file.write(f"{a >> 24}.{a >> 16 & 255}.{a >> 8 & 255}.{a & 255}\n")
        lines = listing(["-p80", "-iL", path])
        assert len(lines) == len(set(lines)) == len(addresses)


@test
def truth():
    """--sim-truth of the shards is that of the whole, in order, and about its pairs only"""
    base = ["-p", "1-20", "198.18.0.0/24", "--seed", "4"]

    def facts(*more):
        result = run(SIM + base + ["--sim-truth", *more])
        assert result.returncode == 0, result.stderr
        return result.stdout.splitlines()

    whole = facts()

    def key(line):
        ip, port, _, _ = line.split()
        return int(ipaddress.ip_address(ip)), int(port)

    assert whole == sorted(whole, key=key) and len(whole) == len(set(map(key, whole)))
    assert {line.split()[3] for line in whole} == {"open", "closed"}
    parts = [facts("--shard", f"{shard}/3") for shard in (1, 2, 3)]
    assert sorted(sum(parts, []), key=key) == whole
    for shard, part in enumerate(parts, 1):
        assert part == sorted(part, key=key)
        listed = set(listing(base + ["--shard", f"{shard}/3"]))
        assert all(line.rsplit(" ", 1)[0] in listed for line in part)


@test
def closed_pipe():
    """a reader that goes away ends a listing with exit 1"""
    with subprocess.Popen(
        [PROGRAM] + SIM + ["-p-", "198.18.0.0/15", "--list-targets"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == 1, process.returncode


@test
def fixed_point():
    """--print-config reads back to the same bytes"""
    for arguments in (
        [],
        ["-p80", "198.18.0.0/24"],
        ["--seed", "7", "--shard=2/5", "--rate", "1500k", "-p-", "198.18.0.0/15"],
        ["--rate", "0.1Gbit", "-p", "T:22,1-9", "1.2.3.4", "--exclude", "3.1.0.0/9 , 2.0.0.0/8"],
        ["-T1", "-o", "ndjson:a;b#c d.ndjson", "-o", "table:-", "--overwrite", "-p1", "5.6.7.8"],
        ["--set", "scan.cooldown=90", "--set", "sim.rtt=0.5ms", "--set", "sim.loss=.25"],
        ["--set", "dataplane.gateway_mac=02:AA:00:00:00:01", "--", "--vdev=net_null0", "-m", "64"],
        ["-p1", ",".join(f"198.18.{i >> 8}.{i & 255}" for i in range(0, 4000, 3))],
    ):
        once = run(["--print-config"] + arguments)
        assert once.returncode == 0, once.stderr
        twice = run(["--config", "/dev/stdin", "--print-config"], once.stdout)
        assert twice.returncode == 0, twice.stderr
        assert once.stdout == twice.stdout, arguments[:8]
        assert "seed             = 0\n" not in once.stdout.split("[dataplane]")[0]
    result = run(["-c", os.path.join(TOP, "conf", "scan.ini"), "--print-config"])
    assert result.returncode == 0, result.stderr


def main():
    failed = 0
    print(f"1..{len(TESTS)}")
    for number, function in enumerate(TESTS, 1):
        try:
            function()
            print(f"ok {number} - {function.__doc__}", flush=True)
        except (AssertionError, subprocess.TimeoutExpired, OSError) as error:
            failed += 1
            print(f"not ok {number} - {function.__doc__}")
            print("# " + str(error)[:400].replace("\n", "\n# "), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
