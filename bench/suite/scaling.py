# SPDX-License-Identifier: BSD-3-Clause
"""Tables 6 and 8: memory and start-up over sizes, lcores, and the first result of a small scan."""
import os

from suite.lab import ROUTER_MAC, Missing, Program, call, which
from suite.senders import Masscan, Ours
from suite.sending import scaled
from suite.stats import Table, alternate, column

SPACES = [(3, "198.18.0.0/25", "1-8"), (4, "198.18.0.0/22", "1-10"), (5, "198.18.0.0/19", "1-12"),
          (6, "198.18.0.0/19", "1-122"), (7, "198.18.0.0/16", "1-153"),
          (8, "198.18.0.0/15", "1-763"), (9, "198.18.0.0/15", "1-7629"),
          (10, "2001:db8::/110", "1-38147"), (11, "2001:db8::/107", "1-47684"),
          (12, "2001:db8::/104", "1-59605")]


def on_null(targets, ports):
    source = "2001:db8:ff::1" if ":" in targets else "198.19.255.1"
    return ["--set", "dataplane.port=net_null0,no-rx=1", "--set", f"dataplane.source={source}",
            "--set", f"dataplane.gateway_mac={ROUTER_MAC}", "--set", "scan.max_runtime=1s", "--rate",
            "max", "-o", "ndjson:/dev/null", "-p", ports, targets]


def scale(lab, plan, clock):
    table = Table(
        "scale", "6. Scaling",
        "Peak of resident memory of a scan that sends on net_null for a second, and the time of --dry-run, which reads and "
        "freezes the targets, for growing spaces and exclude lists. What de-duplication reserves is touched as answers come; none "
        "do here. lcores: one to four that send on net_null, mapped to the CPUs that there are.")
    table.memory = []
    for exponent, targets, ports in SPACES:
        if exponent not in plan.exponents:
            continue
        name = f"10^{exponent} pairs"
        clock.say(name)
        arguments = on_null(targets, ports)

        def memory():
            run, ended = lab.ours(*arguments, cooldown="0s")
            return {"mb": ended.peak_kb / 1024, "pairs": run["targets"]}

        def planning():
            ended = call([lab.prtip, "--dry-run", *arguments])
            if ended.status:
                raise Missing(f"--dry-run ended with {ended.status}: {ended.stderr[-100:]}")
            return {"ms": ended.wall_s * 1000, "cpu_ms": ended.cpu_s * 1000}

        got = alternate(table, plan.scale_rounds, [(name, memory)])[name]
        table.figure(name, "MB", column(got, "mb"), "lower")
        if any(got):
            table.memory.append((next(s["pairs"] for s in got if s), max(s["mb"] for s in got if s)))
        got = alternate(table, 3, [(name + ", plan", planning)])[name + ", plan"]
        table.figure(name + ", plan", "ms", column(got, "ms"), "lower")
    excludes(lab, table, plan, clock)
    lcores(lab, table, plan, clock)
    return table


def excludes(lab, table, plan, clock):
    """Single addresses out of a space of 2^24, every sixteenth of them."""
    table.excludes = []
    for exponent in plan.exclude_exponents:
        count, path = 10 ** exponent, lab.path("excludes")
        clock.say(f"{count:,} ranges left out")
        with open(path, "w") as file:
            for i in range(count):
                file.write(f"2001:db8::{i * 16 >> 16:x}:{i * 16 & 0xffff:x}\n")
        arguments = ["--exclude-file", path] + on_null("2001:db8::/104", "80")
        name = f"10^{exponent} excluded ranges"

        def planning():
            ended = call([lab.prtip, "--dry-run", *arguments])
            if ended.status:
                raise Missing(f"--dry-run ended with {ended.status}: {ended.stderr[-100:]}")
            return {"ms": ended.wall_s * 1000}

        def scan():
            run, ended = lab.ours(*arguments, cooldown="0s")
            return {"mb": ended.peak_kb / 1024, "pps": run["rate_pps"]}

        got = alternate(table, 3, [(name + ", plan", planning)])[name + ", plan"]
        table.figure(name + ", plan", "ms", column(got, "ms"), "lower")
        got = alternate(table, plan.scale_rounds, [(name, scan)])[name]
        table.figure(name, "MB", column(got, "mb"), "lower")
        table.figure(name + ", sent", "M/s", scaled(column(got, "pps"), 1e-6))
        if any(got):
            table.excludes.append((count, max(s["mb"] for s in got if s)))


def lcores(lab, table, plan, clock):
    clock.say("lcores")
    ours = Ours(lab)

    def with_lcores(n):
        return lambda: ours.null(extra=("--set", f"dataplane.tx_lcores={n}", "--set",
                                        f"dataplane.rx_lcores={n}"))
    names = [(f"{n} lcore{'s' if n > 1 else ''}", with_lcores(n)) for n in (1, 2, 3, 4)]
    samples = alternate(table, plan.scale_rounds, names)
    for name, _ in names:
        table.figure(name, "M/s", scaled(column(samples[name], "pps"), 1e-6))
        table.figure(name + ", CPU a probe", "ns", column(samples[name], "ns"), "lower")
    table.note(f"{os.cpu_count()} CPUs: more lcores than that share them.")


def first(lab, plan, clock):
    table = Table(
        "first", "8. A newcomer's scan",
        "One port of 198.18.0.0/24 in a world where half of the addresses have it open, each program with its own defaults but for interface and address: "
        "from its start to the first address on standard output, and to its end.")

    def timed(command):
        def measure():
            with lab.world("-p", "80", "--alive", "0.5", "--open", "1", "--no-banners"):
                with lab.trickle():
                    ended = Program(command, netns="scanner").wait(60, result=rb"198\.18\.0\.\d+")
            if ended.status or ended.first_s is None:
                raise Missing(f"ended with {ended.status}, {len(ended.stdout)} bytes of output: "
                              + ended.stderr[-100:])
            return {"first": ended.first_s, "end": ended.wall_s, "cpu": ended.cpu_s}
        return measure

    net = "198.18.0.0/24"
    ours = [lab.prtip, "--quiet", "--set", "dataplane.port=af_packet:veth0", "-o", "ndjson:-", "-p", "80", net]
    contenders = [("prtip-dp", ours), ("prtip-dp, cooldown = 1s", ours + ["--set", "scan.cooldown=1s"])]
    peer = Masscan(lab)
    for name, command in (
            ("masscan", lambda: peer.arguments("-p", "80", net)),
            ("zmap", lambda: [which("ZMAP", "zmap"), "-i", "veth0", "-G", ROUTER_MAC, "-b",
                              "/dev/null", "-p", "80", net]),
            ("nmap", lambda: [which("NMAP", "nmap"), "-n", "-Pn", "-v", "-p", "80", net])):
        if name not in plan.first_peers:
            continue
        try:
            contenders.append((name, command()))
        except Missing as why:
            table.miss(name, why)
    contenders = [(name, timed(command)) for name, command in contenders]
    samples = alternate(table, plan.first_rounds, contenders)
    table.note("A stateless scan waits for late answers when all is sent: 5 s by default here, 8 s in zmap, 10 s and more in masscan, unless all have "
               "answered. nmap keeps the state of each probe and goes by the round trips that it has seen.")
    for name, _ in contenders:
        table.figure(f"{name}, first result", "s", column(samples[name], "first"), "lower")
        table.figure(f"{name}, end", "s", column(samples[name], "end"), "lower")
        table.figure(f"{name}, CPU", "s", column(samples[name], "cpu"), "lower")
    return table
