#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A scan whose rate is changed while it runs, and what a capture on the far end says of it.

    steps.py run TIMES PROGRAM ARGUMENT...   scan on a terminal of its own, with [control] socket = sock
    steps.py judge TIMES CAPTURE             `ok - ...` and `not ok - ...` lines for tap_import

Each step lasts STEP_S. TIMES gets a line `BEGIN END RATE WHAT` for each, in seconds since 1970.
"""

import bisect
import importlib.util
import os
import pty
import subprocess
import sys
import time

STEP_S = 1.4
SECOND_S = 1.0
SETTLE_S = 0.2  # a command is seen within a tenth of a second
# What is done, by key or by command, and the rate that follows from it.
STEPS = (
    ("as it began", None, 2000),
    ("key +", "+", 2200),
    ("key *", "*", 4400),
    ("command rate 8k", ("rate", "8k"), 8000),
    ("command pause", ("pause",), 0),
    ("command resume", ("resume",), 8000),
    ("command rate x0.25", ("rate", "x0.25"), 2000),
    ("key /", "/", 1000),
    ("SIGUSR2", "signal", 6000),
)


def drain(master):
    """A terminal that is not read would stop the scan."""
    try:
        while os.read(master, 65536):
            pass
    except OSError:
        pass


def run(times, program, arguments):
    pid, master = pty.fork()
    if pid == 0:
        os.execv(program, [program, *arguments])
    if os.fork() == 0:
        drain(master)
        os._exit(0)
    end = time.monotonic() + 30
    while not os.path.exists("sock") and time.monotonic() < end:
        time.sleep(0.02)
    with open(times, "w", encoding="ascii") as file:
        while "scanning" not in ask(program, "status") and time.monotonic() < end:
            time.sleep(0.02)
        for what, step, rate in STEPS:
            began = time.time()
            if step == "signal":
                os.kill(pid, 12)
            elif isinstance(step, str):
                os.write(master, step.encode())
            elif step:
                ask(program, *step)
            time.sleep(STEP_S)
            file.write(f"{began + SETTLE_S:.6f} {time.time():.6f} {rate} {what}\n")
    ask(program, "rate", "max")
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def ask(program, *words):
    return subprocess.run([program, "--control", "sock", *words], capture_output=True, text=True, check=False).stdout


def arrivals(capture):
    spec = importlib.util.spec_from_file_location("wire", os.path.join(os.path.dirname(__file__), "wire.py"))
    wire = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(wire)
    return sorted(frame[0] for frame in wire.read_pcap(capture))


def count(when, begin, end):
    return bisect.bisect_left(when, end) - bisect.bisect_left(when, begin)


def judge(times, capture):
    """A busy machine takes the CPU away for longer than is made up for: there the rate has to hold for some
    second of the step. It is never above it but for what is made up for (a tenth), and a burst of each lcore (4 ms)."""
    when = arrivals(capture)
    with open(times, encoding="ascii") as file:
        for line in file:
            begin, end, rate, what = line.rstrip("\n").split(" ", 3)
            begin, end, rate = float(begin), float(end), int(rate)
            starts = [begin + i * 0.01 for i in range(int((end - begin - SECOND_S) / 0.01) + 1)]
            seen = min((count(when, t, t + SECOND_S) / SECOND_S for t in starts), key=lambda pps: abs(pps - rate))
            most = max(count(when, t, t + SECOND_S) / SECOND_S for t in starts)
            good = abs(seen - rate) <= rate * 0.02 and most <= rate * 1.11 + 2 * (1 + rate * 0.002)
            print(f"{'' if good else 'not '}ok - {what}: {rate} probes/s; {seen:.0f} arrive in a second, at the most {most:.0f}")
    return 0


def main():
    if sys.argv[1] == "run":
        return run(sys.argv[2], sys.argv[3], sys.argv[4:])
    return judge(*sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
