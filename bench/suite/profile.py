# SPDX-License-Identifier: BSD-3-Clause
"""
Table 9: where it goes. Instructions by callgrind, which counts the same whatever else the machine does;
time by perf's sampling of the processor clock, which needs no counters of the hardware.
"""
import os
import re
import signal
import subprocess
import time

from suite.lab import NET, ROUTER_MAC, SPARE_IP, Missing, Program, call, threads_of, which
from suite.senders import EAL, NULL, Testpmd
from suite.stats import Table

# What a function belongs to, by its name or its object: the first that fits.
PARTS = (
    ("net_null, and buffers back to their pool", r"librte_net_null|__tls_get_addr"),
    ("cookie (SipHash-2-4)", r"siphash|hash_v[46]|cookie"),
    ("order and map", r"encipher|burst_chunk|dp_perm|dp_space|order\.c|space\.c|ip\.h"),
    ("patch and checksums", r"syn_make|probe_tcp"),
    ("testpmd's own", r"testpmd"),
    ("buffers, next hop, rate, loop", r"."),
)
COST = re.compile(r"^\s*([0-9,]+) \(\s*[0-9.]+%\)\s+(\S.*)$")
SAMPLES = re.compile(r"^\s*([0-9.]+)%?\s*;\s*([^;]*?)\s*;\s*([^;]*?)\s*$")
FREQUENCY = 4000


def profile(lab, plan, clock):
    table = Table(
        "profile", "9. Where it goes",
        "Instructions: callgrind of the sending thread, divided by the packets that it sent; valgrind has no "
        "AVX-512, so that SipHash and the order run four or eight lanes at a time. Time: perf's samples of the processor clock, by "
        "the object that the code belongs to, as shares of what the thread in question took.")
    for name, work in (("instructions of a probe", instructions), ("af_xdp", wire),
                       ("hooks", hooks)):
        clock.say(name)
        try:
            work(lab, table)
        except (Missing, OSError, ValueError, IndexError, subprocess.SubprocessError) as why:
            table.miss(name, why)
    return table


# ---- Instructions ----

def counted(lab, name, command, packets_of, seconds=None):
    """{part: instructions a packet} of the busiest thread but the first. @seconds: until its input ends."""
    out = lab.path(f"callgrind.{name}")
    program = Program([which("VALGRIND", "valgrind"), "--tool=callgrind", "--separate-threads=yes",
                       f"--callgrind-out-file={out}", *command], stdin=subprocess.PIPE)
    if seconds:
        time.sleep(seconds)
    program.process.stdin.close()
    ended = program.wait(120)
    packets = packets_of(ended)
    found = {}
    for file in sorted(os.listdir(os.path.dirname(out))):
        if not re.match(re.escape(f"callgrind.{name}-") + "0[2-9]", file):
            continue
        text = call(["callgrind_annotate", "--auto=no", "--threshold=100", lab.path(file)]).stdout
        costs = [(int(m[1].replace(",", "")), m[2]) for m in map(COST.match, text.splitlines()) if m]
        if costs and costs[0][0] > found.get("all", 0):
            found = parts_of(costs[1:], costs[0][0])
    if not found or not packets:
        raise Missing("callgrind wrote nothing: " + ended.stderr.strip()[-150:])
    return {part: count / packets for part, count in found.items()}


def parts_of(costs, total):
    found = {"all": total}
    for count, function in costs:
        part = next(part for part, pattern in PARTS if re.search(pattern, function))
        found[part] = found.get(part, 0) + count
    return found


def instructions(lab, table):
    summary = lab.path("profile.summary")
    ours = counted(lab, "ours", [
        lab.prtip, "--quiet", "--overwrite", "--rate", "max", "-p", "1-16", "--set",
        "scan.cooldown=0s", "--set", f"dataplane.port={NULL}", "--set",
        f"dataplane.source={SPARE_IP}", "--set", f"dataplane.gateway_mac={ROUTER_MAC}", "-o",
        "ndjson:/dev/null", "-o", f"summary:{summary}", NET],
        lambda ended: int(re.search(r'"probes_sent":(\d+)', open(summary).read())[1]))
    theirs = counted(lab, "testpmd", [
        which("TESTPMD", "dpdk-testpmd"), *EAL, f"--vdev={NULL}", "--", "--forward-mode=txonly",
        "--txpkts=60", "--nb-cores=1", "--total-num-mbufs=16384"],
        lambda ended: int(re.findall(r"TX-packets: (\d+)", ended.stdout)[-1]), seconds=15)
    for name, found in (("prtip-dp", ours), ("testpmd txonly", theirs)):
        for part in ["all"] + [part for part, _ in PARTS]:
            if found.get(part, 0) >= 0.5:
                table.figure(f"net_null, instructions a packet: {name}: {part}", "instructions",
                             [found[part]], "lower", single=True)
    driver = ours[PARTS[0][0]]
    table.note(
        f"net_null and its buffers take {driver:.0f} instructions a packet of both programs. 1.5 times testpmd's rate, at as many "
        f"instructions a cycle, leaves {theirs['all'] / 1.5:.0f} for all of a probe, {theirs['all'] / 1.5 - driver:.0f} "
        f"without the driver, of which the cookie alone takes {ours.get('cookie (SipHash-2-4)', 0):.0f} here. testpmd sends the same "
        "bytes again and again and knows no target.")


# ---- Time ----

def sampled(command, file, **more):
    return [which("PERF", "perf"), "record", "-q", "-e", "cpu-clock", "-F", str(FREQUENCY), "-o", file,
            *command]


def shares(file, threads="."):
    """{object: share of the samples}, from 0 to 1, of threads with such names."""
    text = call([which("PERF", "perf"), "report", "-i", file, "--no-children", "--stdio", "-g", "none",
                 "--field-separator=;", "--sort", "comm,dso"]).stdout
    found = {}
    for share, name, part in (m.groups() for m in map(SAMPLES.match, text.splitlines()) if m):
        if re.search(threads, name):
            found[part] = found.get(part, 0) + float(share)
    if not found:
        raise Missing("perf took no samples")
    total = sum(found.values())
    return {name: share / total for name, share in found.items()}


def grouped(found, groups):
    result = {name: 0 for name, _ in groups}
    for name, share in found.items():
        result[next(group for group, pattern in groups if re.search(pattern, name))] += share
    return result


WIRE_GROUPS = (("kernel", r"\[k|vdso"), ("driver", r"librte_net"), ("program", r"."))


def wire(lab, table):
    """A frame of a flood over af_xdp, ours and testpmd's, by who takes the time."""
    peer = Testpmd(lab, "af_xdp")
    contenders = (
        ("prtip-dp", lambda: Program([
            lab.prtip, "--quiet", "--overwrite", "--rate", "max", "-p", "1-4096", "--set",
            "scan.cooldown=0s", "--set", "scan.max_runtime=8s", "--set", "dataplane.port=af_xdp:veth0",
            "--set", f"dataplane.source={SPARE_IP}", "--set", f"dataplane.gateway_mac={ROUTER_MAC}",
            "-o", "ndjson:/dev/null", NET], netns="scanner")),
        ("testpmd txonly", lambda: peer.start("net_af_xdp0,iface=veth0,busy_budget=0", "scanner")))
    kernel = {}
    for name, start in contenders:
        program, file = start(), lab.path("wire.perf")
        try:
            tid, frames, cpu = watch(lab, program, file)
        finally:
            program.stop(signal.SIGKILL)
            call(["ip", "-n", "scanner", "link", "set", "dev", "veth0", "xdp", "off"])
        found = grouped(shares(file), WIRE_GROUPS)
        kernel[name] = found["kernel"]
        for group, share in found.items():
            table.figure(f"af_xdp, a frame: {name}: {group}", "ns", [share * cpu / frames * 1e9],
                         "lower", single=True)
    ours, theirs = (kernel[name] for name, _ in contenders)
    table.note(
        f"Over af_xdp the kernel has {100 * ours:.0f}% of our sending lcore's time and {100 * theirs:.0f}% of testpmd's. Where it takes "
        f"as long for a frame of each, that makes {ours / theirs:.2f} x: the rest is our probes, and net_af_xdp's copy of each into "
        "its own buffers, as probes come from pools of prepared ones.")


def watch(lab, program, file):
    deadline = time.monotonic() + 10
    before = lab.arrived()
    while lab.arrived() < before + 1000:
        if program.poll() or time.monotonic() > deadline:
            raise Missing("sent nothing: " + program.text(program.err).strip()[-150:])
        time.sleep(0.05)
    tid, cpu = busiest(program.pid)
    before = lab.arrived()
    call(sampled(["-t", tid, "sleep", "2"], file))
    return tid, lab.arrived() - before, busiest(program.pid)[1] - cpu


def busiest(pid):
    """(thread id, seconds) of the packet lcore."""
    workers = [(seconds, path.rsplit("/", 1)[1]) for (path, name), seconds in threads_of(pid).items()
               if re.match("(rte|lcore)-worker", name)]
    if not workers:
        raise Missing("it has no packet lcore")
    seconds, tid = max(workers)
    return tid, seconds


HOOK_GROUPS = (("LuaJIT's VM", r"luajit"), ("memory and strings (libc)", r"libc\.so"),
               ("clock and kernel", r"\[k|vdso"), ("record, limits, conversation, answer", r"."))


def hooks(lab, table):
    """A result in a lane, by whose code runs."""
    program, file = os.path.join(lab.build, "bench", "lane_bench"), lab.path("lane.perf")
    for hook in ("on_target", "analyze_banner"):
        ended = call(sampled([program, hook], file), 60)
        each = re.search(r"lane: +(\d+) ns", ended.stdout)
        if not each:
            raise Missing("lane_bench printed: " + ended.stdout.strip()[-100:])
        found = grouped(shares(file, "^lane bench"), HOOK_GROUPS)
        for group, share in found.items():
            table.figure(f"{hook}, a result in its lane: {group}", "ns", [share * float(each[1])],
                         "lower", single=True)
