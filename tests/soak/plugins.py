#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A long scan of the simulated network, with banners, detection and plugins that work, fail, die and
lag behind: each second its memory, descriptors, threads and files, and what its status records say.

    plugins.py [MINUTES [RATE]]     or MINUTES and RATE of the environment; 10 minutes at 2,000 probes/s

Once the first half has filled what fills up, nothing may grow any more; the counters' identities hold
in each status record; the rings stay bounded; and the records are the truth, each once. What is seen
comes from /proc; the status records' part of it is held against the truth at the end.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("PRTIP_DP", os.path.join(TOP, "build", "prtip-dp"))
PORTS = "21-25,53,79-88,110,143,389,443,445,587,636,993,995,3306,3389,5432,5900,6379,8080"
NB_PORTS = 31
SIM = {"alive": "0.5", "open": "0.3", "seed": "42", "duplicate": "0.05", "rtt": "20ms"}
STATUSES = ("ok", "error", "denied", "memory", "instructions", "timeout", "killed", "skipped")
KEEP = 1 << 20  # bytes by which a process may have grown in the second half; see flat()

# Fixtures beside the shipped banner-analyzer and custom-service.
FIXTURES = {
    # Strings, tables and digests: garbage in each call.
    "soak-works": """
function on_target(target, result)
	local words = {}
	for i = 1, 200 do words[i] = prtip.sha256(target.ip .. i):sub(1, 8) end
	prtip.add_result("digest", prtip.sha256(table.concat(words)))
end
""",
    # One result in 50 fails, one in 1,000 never ends: its lane is killed, and another takes over.
    "soak-fails": """
local n = 0
function on_target(target, result)
	n = n + 1
	if n % 1000 == 0 then while true do end end
	if n % 50 == 0 then error("on purpose") end
end
""",
    # Works for a while now and then, in C, which counts as few instructions; its results go to disk and
    # come back.
    "soak-lags": """
local n, much = 0, ("x"):rep(200000)
function on_target(target, result)
	n = n + 1
	if n % 500 ~= 0 then return end
	for _ = 1, 4000 do prtip.sha256(much) end
end
""",
}


def make_plugins(folder):
    for name, lua in FIXTURES.items():
        os.makedirs(os.path.join(folder, name))
        with open(os.path.join(folder, name, "plugin.toml"), "w", encoding="utf-8") as file:
            file.write(
                f'[plugin]\nname = "{name}"\nversion = "1.0.0"\nauthor = "the prtip-dp project"\n'
                'description = "A fixture"\nplugin_type = "scan"\ncapabilities = []\n'
            )
        for other, text in (("main.lua", lua), ("README.md", "A fixture.\n")):
            with open(os.path.join(folder, name, other), "w", encoding="utf-8") as file:
                file.write(text)


def targets(pairs):
    """Half of them IPv4, as far as 198.18.0.0/15 goes; the rest IPv6."""
    hosts = max(2, pairs // NB_PORTS)
    v4 = min(hosts // 2, 1 << 17)
    last4 = (198 << 24 | 18 << 16) + v4 - 1
    last6 = hosts - v4 - 1
    dotted = ".".join(str(last4 >> shift & 255) for shift in (24, 16, 8, 0))
    return f"198.18.0.0-{dotted}", f"2001:db8::-2001:db8::{last6 >> 16:x}:{last6 & 0xFFFF:x}"


# --- what /proc says -------------------------------------------------------------------------------


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def family(pid):
    """The process and its descendants, by what they call themselves."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parents[int(entry)] = int(read(f"/proc/{entry}/stat").rsplit(")", 1)[1].split()[1])
            except OSError:
                pass
    found, new = {pid}, {pid}
    while new:
        new = {child for child, parent in parents.items() if parent in new} - found
        found |= new
    return found


def sample_process(pid, spill_dir):
    """(name, figures), or None where it has gone."""
    try:
        words = read(f"/proc/{pid}/cmdline").replace("\0", " ").strip()
        name = words.split("prtip-dp: ")[1] if "prtip-dp: " in words else "main"
        if not words:
            return None
        rollup = read(f"/proc/{pid}/smaps_rollup")
        figures = {
            "rss": 1024 * int(re.search(r"^Rss:\s+(\d+)", rollup, re.M)[1]),
            "pss": 1024 * int(re.search(r"^Pss:\s+(\d+)", rollup, re.M)[1]),
            "threads": len(os.listdir(f"/proc/{pid}/task")),
            "fds": 0,
            "spilled": 0,
        }
        for fd in os.listdir(f"/proc/{pid}/fd"):
            figures["fds"] += 1
            link = os.readlink(f"/proc/{pid}/fd/{fd}")
            if name == "main" and link.startswith(spill_dir):
                figures["spilled"] += 512 * os.stat(f"/proc/{pid}/fd/{fd}").st_blocks
        return name, figures
    except (OSError, TypeError, IndexError):
        return None


def sample(pid, spill_dir):
    """Figures by process name. A lane's successor has its name; spares are one more of it."""
    figures = {}
    for one in sorted(family(pid)):
        if found := sample_process(one, spill_dir):
            name = found[0]
            while name in figures:
                name += "+"
            figures[name] = found[1]
    return figures


# --- judging ---------------------------------------------------------------------------------------


class Tap:
    def __init__(self):
        self.count = self.failed = 0

    def check(self, good, what, why=""):
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {what}")
        if not good and why:
            print(f"#   {why}")


def slope(points):
    """Of the least squares' line through (x, y)."""
    n = len(points)
    mean_x = sum(x for x, _ in points) / n
    mean_y = sum(y for _, y in points) / n
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0


def broken(record):
    """Which identities a status record breaks. The control core's own counters are of one moment; those
    of packet lcores are read a moment before, and go on."""
    r = record
    waiting = sum(p["waiting"] for p in r["plugins"].values())
    known = r["unique"] + r["duplicates"]
    rules = {
        "unique = hidden + filtered_out + surplus + waiting + finished + delivered": r["unique"]
        == r["hidden"] + r["filtered_out"] + r["surplus"] + r["waiting"] + r["finished"] + r["delivered"],
        "results <= delivered": r["results"] <= r["delivered"],
        "waiting = awaiting_banner + those of plugins": r["waiting"] == r["awaiting_banner"] + waiting,
        "unique + duplicates <= validated": known <= r["validated"],
        "unique <= probes_sent <= probes_tried <= targets": r["unique"] <= r["probes_sent"]
        <= r["probes_tried"] <= r["targets"],
        "validated + banner_segments <= rx_frames": r["validated"] + r["banner_segments"] <= r["rx_frames"],
        "ring_level <= ring_size": r["ring_level"] <= r["ring_size"],
    }  # fmt: skip
    if r["phase"] in ("scanning", "cooldown"):
        rules["validated - unique - duplicates <= ring_size"] = r["validated"] - known <= r["ring_size"]
    for name, p in r["plugins"].items():
        rules[f"{name}: offered = statuses + waiting"] = (
            p["offered"] == sum(p[status] for status in STATUSES) + p["waiting"]
        )
    return [rule for rule, holds in rules.items() if not holds]


def backwards(before, after):
    """Counters that ran backwards."""
    return [
        key
        for key in ("probes_sent", "rx_frames", "validated", "unique", "duplicates", "delivered", "results")
        if after[key] < before[key]
    ]


def halves(samples, name, key):
    """The figures of the second half's process @name, and all that the first half had."""
    middle = samples[len(samples) // 2][0]
    first = [(t, s[name][key]) for t, s in samples if t < middle and name in s]
    second = [(t, s[name][key]) for t, s in samples if t >= middle and name in s]
    return first, second


def flat(tap, samples, results_a_second):
    """In the second half the fitted line of a process's memory rises by less than KEEP. What fills up
    slowly without being a leak is small against that: the table of pairs seen, of a bit each, whose
    pages are all touched early, as the order is random, and the saw tooth of a lane's collector, which
    lets a heap of half a megabyte double. A leak of some bytes a result is not."""
    names = sorted({name for _, s in samples for name in s})
    print(f"# {'process':<24} {'RSS MB':>16} {'Pss MB':>7} {'KB/min':>8} {'fds':>7} {'threads':>7}")
    for name in names:
        first, second = halves(samples, name, "rss")
        if len(second) < 10:
            continue  # a spare that came and went
        seconds = second[-1][0] - second[0][0]
        rise = slope(second)
        fds1, fds2 = ([n for _, n in half] for half in halves(samples, name, "fds"))
        threads1, threads2 = ({n for _, n in half} for half in halves(samples, name, "threads"))
        rss = [n for _, n in first + second]
        pss = halves(samples, name, "pss")[1][-1][1]
        print(
            f"# {name:<24} {min(rss) / 1e6:7.1f} - {max(rss) / 1e6:6.1f} {pss / 1e6:7.1f} "
            f"{rise * 60 / 1024:8.1f} {min(fds2):3} -{max(fds2):3} {max(threads2):7}"
        )
        tenths = [rss[i * (len(rss) - 1) // 10] for i in range(11)]
        if name == "main":
            print("# main, KB by tenths of the time: " + " ".join(str(n >> 10) for n in tenths))
        tap.check(rise * seconds < KEEP, f"{name}: memory is flat in the second half",
                  f"{rise * seconds / 1024:.0f} KiB more in {seconds:.0f} s")  # fmt: skip
        # A moment's file is no leak; one that stays is in all later samples.
        tail = fds2[-max(5, len(fds2) // 4) :]
        tap.check(bool(fds1) and min(tail) <= max(fds1) and slope(list(enumerate(fds2))) * len(fds2) < 1,
                  f"{name}: no more descriptors than before", f"{max(fds1, default=0)}, then {fds2[-20:]}")  # fmt: skip
        tap.check(bool(threads1) and max(threads2) <= max(threads1), f"{name}: no more threads than before",
                  f"{threads1}, then {threads2}")  # fmt: skip
    processes = [len(s) for _, s in samples]
    middle = len(processes) // 2
    tap.check(min(processes[-10:]) <= max(processes[:middle]), "no more processes than before", str(processes[-10:]))
    seconds = samples[-1][0] - samples[len(samples) // 2][0]
    print(f"# a leak of {KEEP / max(1, results_a_second * seconds):.1f} bytes a result would show")


def judge_status(tap, records):
    wrong = {}
    for record in records:
        for rule in broken(record):
            wrong.setdefault(rule, []).append(record)
    tap.check(not wrong, f"the identities hold in each of {len(records)} status records",
              "; ".join(f"{rule} ({len(of)} times)" for rule, of in wrong.items()))  # fmt: skip
    for rule, of in wrong.items():
        print(f"#   {rule}: {json.dumps(of[0])}")
    ran = [key for pair in zip(records, records[1:]) for key in backwards(*pair)]
    tap.check(not ran, "no counter runs backwards", ", ".join(sorted(set(ran))))
    scanning = [r for r in records if r["phase"] == "scanning"]
    levels = [r["ring_level"] for r in scanning]
    size = scanning[0]["ring_size"]
    tap.check(max(levels) <= size * 3 // 4, f"the rings are at {max(levels)} of {size} at the most")
    middle = len(scanning) // 2
    early, late = (sorted(r["waiting"] for r in half) for half in (scanning[:middle], scanning[middle:]))
    print(f"# waiting: median {early[len(early) // 2]}, then {late[len(late) // 2]}; most {max(early + late)}")
    # Banners wait by the rate, plugins by their backlog: neither depends on how long the scan runs.
    tap.check(late[len(late) // 2] <= 2 * early[len(early) // 2] + 1000, "what waits does not grow",
              f"median {early[len(early) // 2]}, then {late[len(late) // 2]}")  # fmt: skip
    last = records[-1]
    tap.check(last["phase"] == "end" and last["waiting"] == last["finished"] == 0
              and last["results"] == last["delivered"], "nothing waits at the end")  # fmt: skip
    tap.check(all(r["lost"] == 0 for r in records), "nothing is lost")
    for name, p in last["plugins"].items():
        said = ", ".join(f"{p[status]} {status}" for status in STATUSES if p[status])
        print(f"# {name}: {p['offered']} offered: {said}; {p['spilled']} waited on disk")
    fails = last["plugins"]["soak-fails"]
    tap.check(fails["error"] > 0 and fails["instructions"] > 0, "plugins did fail, and lanes were killed")
    tap.check(last["plugins"]["soak-lags"]["spilled"] > 0, "results did wait on disk")


def judge_truth(tap, work, options):
    """Open ports as the simulated network has them, each once."""
    truth = subprocess.run([PROGRAM, *options, "--sim-truth"], capture_output=True, text=True, check=True)
    want = {line for line in truth.stdout.splitlines() if line.endswith(" open")}
    got = []
    with open(f"{work}/results.ndjson", encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            got.append(f"{record['ip']} {record['port']} {record['proto']} {record['state']}")
    tap.check(len(got) == len(set(got)) and set(got) == want,
              f"the records are the truth, each once ({len(want)})",
              f"{len(got)} records, {len(set(got) - want)} false, {len(want - set(got))} missing")  # fmt: skip


# --- the run ---------------------------------------------------------------------------------------


def watch(process, spill_dir):
    """(seconds, figures) once a second until it ends; and how many names /dev/shm had meanwhile."""
    samples, names = [], []
    began = time.monotonic()
    while True:
        try:
            process.wait(max(0.05, began + len(samples) + 1 - time.monotonic()))
            return samples, names
        except subprocess.TimeoutExpired:
            figures = sample(process.pid, spill_dir)
            if "main" in figures:
                samples.append((time.monotonic() - began, figures))
            names.append(len(os.listdir("/dev/shm")))


def main():
    minutes = float(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MINUTES") or 10)
    rate = int(sys.argv[2] if len(sys.argv) > 2 else os.environ.get("RATE") or 2000)
    tap = Tap()
    work = tempfile.mkdtemp(prefix="pdp-soak.")
    try:
        soak(tap, work, minutes, rate)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f"1..{tap.count}")
    return 1 if tap.failed else 0


def soak(tap, work, minutes, rate):
    spill_dir = f"{work}/spill"
    os.mkdir(spill_dir)
    make_plugins(f"{work}/plugins")
    plugins = ["banner-analyzer", "custom-service", *FIXTURES]
    settings = {
        "dataplane.port": "sim", **{f"sim.{key}": value for key, value in SIM.items()},
        "banner.enable": "on", "banner.wait": "2s", "scan.cooldown": "3s", "scan.rate": str(rate),
        "plugins.enable": ",".join(plugins), "plugins.dir": f"{work}/plugins, {TOP}/plugins",
        "plugins.queue": "16", "plugins.spill_dir": spill_dir, "status.file": f"{work}/status.ndjson",
    }  # fmt: skip
    options = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    options += ["-p", PORTS, *targets(int(60 * minutes * rate))]
    with open(f"{work}/err", "w", encoding="utf-8") as err:
        process = subprocess.Popen(
            [PROGRAM, *options, "-o", f"ndjson:{work}/results.ndjson", "-o", f"summary:{work}/summary.json"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err,
            env=dict(os.environ, HOME=work),
        )  # fmt: skip
        try:
            samples, names = watch(process, spill_dir)
        finally:
            process.kill()
    tap.check(process.returncode == 0, "exit status", read(f"{work}/err")[-2000:])
    if process.returncode != 0 or len(samples) < 20:
        return
    records = [json.loads(line) for line in read(f"{work}/status.ndjson").splitlines()]
    tap.check(len(records) >= len(samples) * 0.9, f"{len(samples)} samples, {len(records)} status records")
    # Without what comes up at the beginning, and what goes at the end.
    scanning = [r for r in records if r["phase"] == "scanning"]
    judge_status(tap, records)
    flat(tap, samples[5 : len(scanning)], records[-1]["results"] / records[-1]["elapsed_s"])
    middle = len(names) // 2
    tap.check(min(names[middle:]) <= max(names[:middle]), "/dev/shm has no more names than before")
    disk = [s["main"]["spilled"] for _, s in samples]
    print(f"# on disk: {max(disk) / 1e6:.1f} MB at the most, {disk[-1] / 1e6:.1f} MB at the end")
    tap.check(max(disk[len(disk) // 2 :]) <= 2 * max(disk[: len(disk) // 2]) + (1 << 20),
              "what is on disk does not grow")  # fmt: skip
    judge_truth(tap, work, options)


if __name__ == "__main__":
    sys.exit(main())
