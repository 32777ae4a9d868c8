#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""docs/migrating.md, line by line: each command line of zmap, masscan and nmap does with prtip-dp what the
document says, and so does ours beside it. Prints TAP.

    tests/cli/migrating.py [PROGRAM]

The plan of the document is held against --dry-run (addresses, rate, type) and --print-config (ports and
settings). Nothing is sent, and names are those of `KNOWN`. The reference at the end of the document has to
be what the program's own table says (control/habits_test.c); HABITS_WRITE=1 build/control/test_habits writes it.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.abspath(
    sys.argv[1]
    if len(sys.argv) > 1
    else os.environ.get("PRTIP_DP", os.path.join(TOP, "build", "prtip-dp"))
)
DOCUMENT = os.path.join(TOP, "docs", "migrating.md")
PEERS = ("zmap", "masscan", "nmap")
ROWS = 20  # of each

SIM = ["--set", "dataplane.port=sim"]
KNOWN = ["--set", "scan.resolved=198.18.0.5 web.example, 198.18.9.5 web.example/28"]
FILES = {
    "hosts.txt": "198.18.0.1\n198.18.0.2 ; one\n# none\n198.18.0.7-198.18.0.8\n",
    "exclude.txt": "198.18.3.0/24\n",
    "allow.txt": "198.18.0.0/16\n",
    "deny.txt": "198.18.4.0/24\n",
    "zmap.conf": "target-ports 80\nrate 1000\n",
    "scan.conf": "rate = 1000.00\nports = 80\n",
    "scan.ini": "[scan]\nrate = 500\n",
    "hellos.txt": '80 web "GET / HTTP/1.0\\r\\n\\r\\n"\n',
    "scan.bin": "",
}
# Instead of scanning: such a line has no second action.
ACTIONS = {"--dryrun", "--dry-run", "--echo", "--print-config"}


def rows():
    """(peer, their words, what becomes of these, our words, plan) of each row of the three tables."""
    peer = None
    with open(DOCUMENT, encoding="utf-8") as file:
        for line in file:
            if line.startswith("## "):
                peer = line[3:].strip()
            cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
            if peer in PEERS and line.startswith("| `") and len(cells) == 4:
                yield (peer, cells[0].strip("`"), cells[1], cells[2].strip("`"), cells[3])


def run(words, more):
    return subprocess.run(
        [PROGRAM, *[word for word in shlex.split(words) if word not in ACTIONS], *more],
        capture_output=True, text=True, timeout=60, check=False, stdin=subprocess.DEVNULL,
    )


def number(text):
    """`10k`, `1.5M` and the like."""
    factor = {"k": 1e3, "M": 1e6, "G": 1e9}.get(text[-1:], 1)
    return float(text.rstrip("kMG").replace(",", "")) * factor


def seconds(text):
    """A duration, which may be printed in another unit."""
    match = re.fullmatch(r"([0-9.]+)(ms|s|m|h)", text)
    return match and float(match[1]) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[match[2]]


def same_value(got, wanted):
    return got == wanted or (seconds(wanted) is not None and seconds(got) == seconds(wanted))


def count_ports(text):
    ends = [item.split("-") for item in text.split(",")]
    return sum(int(item[-1]) - int(item[0]) + 1 for item in ends)


def expand(text):
    """The parts of a plan, which are split at `, `."""
    space, rate, kind, *settings = text.split(", ")
    addresses, ports = space.split(" x ")
    return int(addresses), ports, rate, kind, settings


def dry_run_problem(words, plan):
    addresses, _, rate, kind, _ = plan
    result = run(words, SIM + KNOWN + ["--dry-run"])
    if result.returncode != 0:
        return f"--dry-run: exit {result.returncode}: {result.stderr.strip()}"
    shown = dict(re.findall(r"^(scan|targets|rate) +(.*)$", result.stdout, re.M))
    if not shown["scan"].startswith(kind + ","):
        return f"scan {shown['scan']}, not {kind}"
    if number(shown["targets"].split()[0]) != addresses:
        return f"targets {shown['targets']}, not {addresses}"
    got = re.match(r"([0-9.,]+) (k|M|G)?pps, ([0-9.e+]+) Mbit/s", shown["rate"])
    pps, mbit = number(got[1] + (got[2] or "")), float(got[3])
    wanted = number(rate[:-3]) / 1e6 if rate.endswith("bit") else number(rate)
    if abs((mbit if rate.endswith("bit") else pps) - wanted) > 0.01 * wanted:
        return f"rate {shown['rate']}, not {rate}"
    return None


def config_problem(words, plan):
    _, ports, _, _, settings = plan
    result = run(words, KNOWN + ["--print-config"])
    if result.returncode != 0:
        return f"--print-config: exit {result.returncode}: {result.stderr.strip()}"
    got, section = {}, None
    for line in result.stdout.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif "=" in line:
            key, _, value = line.partition("=")
            got[f"{section}.{key.strip()}"] = value.strip()
    if ports.startswith("#"):
        if count_ports(got["scan.ports"]) != int(ports[1:]):
            return f"{count_ports(got['scan.ports'])} ports, not {ports}"
    elif got["scan.ports"] != ("" if ports == "none" else ports):
        return f"ports {got['scan.ports']}, not {ports}"
    for setting in settings:
        key, _, value = setting.partition("=")
        if not same_value(got.get(key), value):
            return f"{key} = {got.get(key)}, not {value}"
    return None


def plan_problem(words, plan):
    if ACTIONS & set(shlex.split(words)):
        whole = subprocess.run([PROGRAM, *shlex.split(words), *SIM], capture_output=True, text=True,
                               timeout=60, check=False)
        if whole.returncode != 0 or not whole.stdout:
            return f"exit {whole.returncode}: {whole.stderr.strip()}"
    return dry_run_problem(words, plan) or config_problem(words, plan)


def refusal_problem(words, nearest):
    result = run(words, SIM)
    if result.returncode != 2:
        return f"exit {result.returncode}, not 2: {result.stderr.strip()}"
    if result.stdout or result.stderr.count("\n") != 1:
        return f"not one line: {result.stdout}{result.stderr}"
    if nearest not in result.stderr:
        return f"{nearest} is not named: {result.stderr.strip()}"
    return None


def theirs_problem(words, outcome, plan):
    if outcome == "same":
        return plan_problem(words, plan)
    return refusal_problem(words, re.fullmatch(r"refused: `(.*)`", outcome)[1])


def cases():
    for peer, theirs, outcome, ours, plan in rows():
        plan = expand(plan)
        yield f"{peer} {theirs}", lambda t=theirs, o=outcome, p=plan: theirs_problem(t, o, p)
        yield f"prtip-dp {ours}", lambda o=ours, p=plan: plan_problem(o, p)


def leave_the_network():
    """Nothing is sent; but what is wrong could be."""
    if os.geteuid() == 0 and "MIGRATING_ALONE" not in os.environ:
        os.environ["MIGRATING_ALONE"] = "1"
        os.execvp("unshare", ["unshare", "--net", "--", sys.executable, *sys.argv])


def main():
    leave_the_network()
    counts = [sum(row[0] == peer for row in rows()) for peer in PEERS]
    failed = counts != [ROWS] * len(PEERS)
    print(f"{'not ' if failed else ''}ok 1 - {ROWS} command lines of each of {', '.join(PEERS)}")
    total = 1
    with tempfile.TemporaryDirectory(prefix="prtip-") as folder:
        os.chdir(folder)
        for name, text in FILES.items():
            with open(name, "w", encoding="utf-8") as file:
                file.write(text)
        for name, problem in cases():
            total += 1
            wrong = problem()
            name = name.replace("#", "\\#")
            failed += wrong is not None
            print(f"{'not ' if wrong else ''}ok {total} - {name}")
            if wrong:
                print(f"# {wrong}")
    print(f"1..{total}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
