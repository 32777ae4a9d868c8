#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""
Measure, and write a report: report.json, report.md and plots.

    report.py [--quick] [--only TABLE[,TABLE]] [--list] [-o DIR] [BUILD]

Needs root, for network namespaces; all traffic stays inside of those. MASSCAN, ZMAP, TESTPMD and NMAP
name other programs than the ones in PATH.
"""
import argparse
import json
import os
import platform
import subprocess
import sys
import time
import traceback

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from suite import lab, plugins, profile, receiving, render, scaling, sending  # noqa: E402
from suite.stats import Clock, Table  # noqa: E402

TABLES = {"generate": sending.generate, "wire": sending.wire, "receive": receiving.receive,
          "banners": receiving.banners, "plugins": plugins.plugins, "scale": scaling.scale,
          "rate": sending.rate, "first": scaling.first, "profile": profile.profile}


class Full:
    """How often and how long: under fifteen minutes on two CPUs."""
    rounds, wire_rounds, scan_rounds, scale_rounds, rate_rounds = 5, 5, 3, 3, 3
    bench_rounds, lane_rounds, first_rounds = 3, 2, 2
    warm_up = True
    scan_rates = (100000, "max")
    answer_shares, answer_ports = (1, 10, 50, 100), 32
    rates, peer_rates = (10, 100, 1000, 10000, 100000, 1000000), (10000,)
    rate_seconds = 3
    exponents, exclude_exponents = tuple(range(3, 13)), (1, 2, 3, 4, 5, 6)
    banner_rate, banner_ports = 50000, "21,22,25"
    plugin_cases = ()  # all
    first_peers = ("masscan", "zmap", "nmap")
    lane_benches = ("start", "memory", "on_target", "analyze_banner", "conversations", "post_scan")
    title_hosts = 512
    left_out = ()


class Quick(Full):
    """Under two minutes: one round or two of the figures that tell most."""
    rounds, wire_rounds, scan_rounds, scale_rounds, rate_rounds = 2, 1, 1, 1, 1
    bench_rounds, lane_rounds, first_rounds = 1, 1, 1
    warm_up = False
    scan_rates = (100000,)
    answer_shares, answer_ports = (1, 100), 16
    rates, peer_rates = (100, 10000, 1000000), ()
    rate_seconds = 1
    exponents, exclude_exponents = (3, 6, 9, 12), (1, 4)
    lane_benches = ("start",)
    banner_ports = "22"
    plugin_cases = ("one plugin", "one that loops")
    title_hosts = 0
    first_peers = ("nmap",)
    left_out = ("profile",)  # a minute of its own


def machine():
    cpu = memory = "unknown"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
                break
    with open("/proc/meminfo") as file:
        memory = int(file.readline().split()[1]) / 1e6
    system = "unknown"
    try:
        system = platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        pass
    return {"cpu": cpu, "cpus": os.cpu_count(), "memory_gb": memory, "kernel": platform.release(),
            "system": system, "load": os.getloadavg()}


def versions(wires):
    def debian(package):
        done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package],
                              capture_output=True, text=True)
        return done.stdout.strip() or None
    return {"prtip-dp": lab.first_line(wires.prtip, "--version"),
            "DPDK": debian("libdpdk-dev"),
            "testpmd": debian("dpdk-dev"),
            "masscan": lab.first_line(os.environ.get("MASSCAN", "masscan"), "--version"),
            "zmap": lab.first_line(os.environ.get("ZMAP", "zmap"), "--version"),
            "nmap": lab.first_line(os.environ.get("NMAP", "nmap"), "--version"),
            "python": platform.python_version()}


def commit():
    done = subprocess.run(["git", "-c", "safe.directory=*", "-C", TOP, "describe", "--always",
                           "--dirty", "--abbrev=12"], capture_output=True, text=True)
    return done.stdout.strip() or "an unknown commit"


def measure(wires, plan, wanted, clock):
    tables = []
    for name in wanted:
        clock.say(name)
        try:
            tables.append(TABLES[name](wires, plan, clock))
        except Exception as why:  # one table's failure is no reason to lose the others
            table = Table(name, name, "")
            table.miss("the whole table", f"{type(why).__name__}: {why}")
            traceback.print_exc()
            tables.append(table)
    return tables


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("-o", "--output", default=os.path.join(TOP, "bench", "results"))
    parser.add_argument("build", nargs="?", default=os.path.join(TOP, "build"))
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(TABLES))
        return
    plan = Quick if arguments.quick else Full
    wanted = [name for name in arguments.only.split(",") if name] or [
        name for name in TABLES if name not in plan.left_out]
    for name in wanted:
        if name not in TABLES:
            sys.exit(f"report.py: no table {name}: " + ", ".join(TABLES))
    if os.geteuid() != 0:
        sys.exit("report.py: network namespaces need root: sudo make bench")
    if not os.access(os.path.join(arguments.build, "prtip-dp"), os.X_OK):
        sys.exit(f"report.py: no program in {arguments.build}: run `make build` first")
    lab.enter()
    os.makedirs(arguments.output, exist_ok=True)
    wires, clock, started = lab.Lab(arguments.build), Clock(sys.stderr), time.time()
    report = {"format": 1, "quick": arguments.quick, "machine": machine(),
              "versions": versions(wires), "commit": commit(),
              "started": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(started)), "plots": []}
    tables = measure(wires, plan, wanted, clock)
    report["seconds"] = time.time() - started
    report["tables"] = [table.as_json() for table in tables]
    report["rate_over_time"] = next((t.series for t in tables if getattr(t, "series", None)), {})
    render.plot(arguments.output, report, tables)
    with open(os.path.join(arguments.output, "report.json"), "w") as file:
        json.dump(report, file, indent=1)
        file.write("\n")
    text = render.markdown(report)
    with open(os.path.join(arguments.output, "report.md"), "w") as file:
        file.write(text)
    print(text)


main()
