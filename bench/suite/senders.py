# SPDX-License-Identifier: BSD-3-Clause
"""
Programs that send, each driven by its own options: prtip-dp, testpmd, masscan, zmap. A peer that is
not there or does not work raises Missing with what it said.
"""
import json
import re
import signal
import subprocess
import time

from suite.lab import (GATEWAY_IP, NET, ROUTER_MAC, SPARE_IP, Missing, Program, call, cpu_of,
                       first_line, run, which, worker_cpu)

EAL = ["--no-huge", "-m256", "--no-pci", "--no-shconf", "--no-telemetry", "--iova-mode=va",
       "--lcores=0@0,1@1", "--log-level=*:error"]
NULL = "net_null0,no-rx=1"


def watched(lab, program, seconds=0.7):
    """What arrives on the far side while @program sends, and what it takes of the processor."""
    read = lab.arrivals()
    try:
        before, deadline = read(), time.monotonic() + 10
        while read() < before + 1000:
            if program.poll() or time.monotonic() > deadline:
                raise Missing("sent nothing: " + program.text(program.err).strip()[-200:])
            time.sleep(0.01)
        time.sleep(0.3)
        start, cpu, lcores, frames = (time.monotonic(), cpu_of(program.pid),
                                      worker_cpu(program.pid), read())
        time.sleep(seconds)
        frames, wall = read() - frames, time.monotonic() - start
        cpu, lcores = cpu_of(program.pid) - cpu, worker_cpu(program.pid) - lcores
    finally:
        read.end()
    if program.poll() or frames == 0:
        raise Missing("ended too early to be watched")
    return {"pps": frames / wall, "ns": cpu / frames * 1e9,
            "lcore_pps": frames / lcores if lcores else None}


class Ours:
    def __init__(self, lab, driver=None):
        self.lab, self.driver = lab, driver
        self.name = f"prtip-dp, {driver}" if driver else "prtip-dp"

    def null(self, seconds=1, extra=()):
        """Probes a second on net_null, by the clock and by the lcores' processor time."""
        lcores = [0]
        ended_cpu = lambda p: lcores.append(worker_cpu(p.pid) or lcores[-1])
        run, ended = self.lab.ours(
            "--rate", "max", "-p", "1-4096", "--set", f"scan.max_runtime={seconds}s", "--set",
            f"dataplane.port={NULL}", "--set", f"dataplane.source={SPARE_IP}", "--set",
            f"dataplane.gateway_mac={ROUTER_MAC}", "-o", "ndjson:/dev/null", *extra, NET,
            each=ended_cpu, cooldown="0s")
        return {"pps": run["rate_pps"], "lcore_pps": run["probes_sent"] / lcores[-1],
                "peak_kb": ended.peak_kb, "ns": ended.cpu_s / run["probes_sent"] * 1e9}

    def flood(self):
        program = Program(
            [self.lab.prtip, "--quiet", "--overwrite", "--rate", "max", "-p", "1-4096", "--set",
             "scan.cooldown=0s", "--set", "scan.max_runtime=6s", "--set",
             f"dataplane.port={self.driver}:veth0", "--set", f"dataplane.source={SPARE_IP}", "--set",
             f"dataplane.gateway_mac={ROUTER_MAC}", "-o", "ndjson:/dev/null", NET], netns="scanner")
        try:
            return watched(self.lab, program)
        finally:
            program.stop()

    def scan(self, ports, rate, extra=()):
        """(found, Ended): each open (ip, port) as often as it was reported."""
        found = self.lab.path("ours.ndjson")
        _, ended = self.lab.ours(
            "--set", f"dataplane.port={self.driver}:veth0", "--set", f"dataplane.source={SPARE_IP}",
            "--set", f"dataplane.gateway={GATEWAY_IP}", "--rate", rate, "-p", ports, "-o",
            f"ndjson:{found}", *extra, NET, netns="scanner", cooldown="2s")
        with open(found) as file:
            records = [json.loads(line) for line in file]
        return [(r["ip"], r["port"]) for r in records if r["state"] == "open"], ended


class Testpmd:
    """Sends the same 60 bytes again and again: no generator at all, so an upper bound of sending."""

    def __init__(self, lab, driver=None):
        self.lab, self.driver = lab, driver
        self.name = f"testpmd txonly, {driver}" if driver else "testpmd txonly"

    def start(self, vdev, netns=None):
        program = which("TESTPMD", "dpdk-testpmd")
        return Program([program] + EAL + [f"--vdev={vdev}", "--", "--forward-mode=txonly",
                       "--txpkts=60", "--stats-period=1", "--nb-cores=1",
                       "--total-num-mbufs=16384"], netns=netns, stdin=subprocess.PIPE)

    def null(self):
        """By its own counter, which it prints each second."""
        program, samples, deadline = self.start(NULL), [], time.monotonic() + 15
        try:
            while len(samples) < 3 and time.monotonic() < deadline and not program.poll():
                counts = re.findall(r"TX-packets: (\d+)", program.text(program.out))
                if len(counts) > len(samples):
                    samples.append((int(counts[-1]), time.monotonic(), worker_cpu(program.pid)))
                time.sleep(0.002)
        finally:
            program.stop(signal.SIGKILL)
        if len(samples) < 3:
            raise Missing("testpmd ended early: " + program.text(program.err)[-200:])
        packets, seconds, cpu = (b - a for a, b in zip(samples[0], samples[2]))
        return {"pps": packets / seconds, "lcore_pps": packets / cpu}

    def flood(self):
        vdev = ("net_af_xdp0,iface=veth0,busy_budget=0" if self.driver == "af_xdp" else
                "net_af_packet0,iface=veth0,blocksz=4096,framesz=2048,framecnt=16384,qdisc_bypass=1")
        program = self.start(vdev, "scanner")
        try:
            return watched(self.lab, program)
        finally:
            program.stop(signal.SIGKILL)
            # Killed, it leaves libxdp's program behind, which others cannot do with.
            run("ip", "-n", "scanner", "link", "set", "dev", "veth0", "xdp", "off")


class Masscan:
    name = "masscan"

    def __init__(self, lab):
        self.lab = lab

    def arguments(self, *more):
        return [which("MASSCAN", "masscan"), "-e", "veth0", "--source-ip", SPARE_IP, "--router-mac",
                ROUTER_MAC.replace(":", "-"), *more]

    def null(self):
        program = Program(["taskset", "-c", "1"] + self.arguments(
            "--offline", "--rate", "1000000000", "-p", "1-4096", NET), netns="scanner")
        deadline = time.monotonic() + 4
        while not program.poll() and time.monotonic() < deadline:
            time.sleep(0.05)
        program.stop(signal.SIGINT, 1)
        text = program.text(program.err).replace("\r", "\n")
        rates = [float(rate) for rate in re.findall(r"rate:\s*([0-9.]+)-kpps", text)]
        if not any(rates):
            raise Missing(f"{first_line(which('MASSCAN', 'masscan'), '--version')}: it says: "
                          + " ".join(text.split())[:100])
        return {"pps": 1000 * sorted(rates[1:] or rates)[len(rates[1:] or rates) // 2]}

    def flood(self):
        program = Program(self.arguments("--rate", "100000000", "-p", "1-4096", "--wait", "0", NET),
                          netns="scanner")
        try:
            return watched(self.lab, program)
        finally:
            program.stop(signal.SIGKILL)

    def scan(self, ports, rate, extra=()):
        rate = 100000000 if rate == "max" else rate
        with self.lab.trickle():
            program = Program(self.arguments("--rate", str(rate), "-p", ports, "--wait", "2", "-oL",
                                             self.lab.path("masscan.list"), *extra, NET),
                              netns="scanner")
            ended = program.wait(60)
        if ended.status:
            raise Missing(f"ended with {ended.status}: " + ended.stderr[-100:])
        with open(self.lab.path("masscan.list")) as file:
            lines = [line.split() for line in file if line.startswith("open ")]
        return [(line[3], int(line[2])) for line in lines], ended


class Zmap:
    name = "zmap"

    def __init__(self, lab):
        self.lab = lab

    def arguments(self, *more):
        """Also its help text, which tells what it knows."""
        program = which("ZMAP", "zmap")
        text = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=10).stdout
        files = "--blocklist-file" if "--blocklist-file" in text else "--blacklist-file"
        return [program, "-i", "veth0", "-S", SPARE_IP, "-G", ROUTER_MAC, f"{files}=/dev/null", "-v",
                "2", *more], text

    def null(self):
        command, text = self.arguments(
            "--fast-dryrun", "-p", "1-512", "-r", "0", "-T", "1", "--cores=1", "-c", "1", "-n",
            "20000000", NET)
        if "--fast-dryrun" not in text:
            raise Missing(f"{first_line(command[0], '--version')} has only --dryrun, which prints "
                          "each packet")
        log = call(command, 60, netns="scanner").stderr
        rates = re.findall(r"send: \d+ (?:done )?.*?\(([0-9.]+) ([KMG]?)p/s avg\)", log)
        if not rates:
            raise Missing("its output has no rate: " + " ".join(log.split())[:80])
        return {"pps": float(rates[-1][0]) * {"": 1, "K": 1e3, "M": 1e6, "G": 1e9}[rates[-1][1]]}

    def flood(self):
        command, _ = self.arguments("-p", "80", "-r", "0", "-c", "1", "-T", "1", "--probes=100", "-o",
                                    "/dev/null", NET)
        program = Program(command, netns="scanner")
        try:
            return watched(self.lab, program)
        finally:
            program.stop(signal.SIGKILL)

    def scan(self, ports, rate, extra=()):
        if not re.fullmatch(r"\d+", ports):
            raise Missing("scans one port at a time")
        output = self.lab.path("zmap.list")
        command, _ = self.arguments("-p", ports, "-r", "0" if rate == "max" else str(rate), "-c", "2",
                                    "-T", "1", "-o", output, *extra, NET)
        ended = call(command, 60, netns="scanner")
        if ended.status:
            raise Missing(f"ended with {ended.status}: " + ended.stderr[-100:])
        with open(output) as file:
            return [(line.strip(), int(ports)) for line in file if line[0].isdigit()], ended
