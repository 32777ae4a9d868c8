# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of checkpoints and resuming share."""

import os
import signal
import subprocess

from flow import PROGRAM, check_account, key, same, wait_for

SPACE = ("-p", "1-64", "198.18.0.0/23", "--rate", "10k")
CHECKPOINT = ("--checkpoint", "scan.ckpt", "--set", "checkpoint.interval=200ms")
LCORES = (
    ("--set", "dataplane.tx_lcores=2", "--set", "dataplane.rx_lcores=1"),
    ("--set", "dataplane.tx_lcores=3", "--set", "dataplane.rx_lcores=2"),
    ("--set", "dataplane.tx_lcores=1", "--set", "dataplane.rx_lcores=1"),
    (),
)
# Who speaks at all does so at once; the wait is for a machine with other work, on which three seconds were too few.
BANNERS = ("--set", "banner.enable=on", "--set", "banner.wait=10s", "--set", "sim.open=0.5")
BANNER_SPACE = ("-p", "1-64", "198.18.0.0/25", "--rate", "2k")


def resume(place, *arguments):
    return subprocess.Popen(
        [PROGRAM, "--resume", "scan.ckpt", *arguments],
        cwd=place.top,
        env=dict(os.environ, HOME=place.top),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def lines_of(place, name="out.ndjson"):
    try:
        return place.read(name).count("\n")
    except FileNotFoundError:
        return 0


def wait_lines(place, process, lines, name="out.ndjson"):
    """Until so many more results are there."""
    lines += lines_of(place, name)
    wait_for("results", lambda: process.poll() is not None or lines_of(place, name) >= lines, 60)
    return process


def kill(place, process, lines, name="out.ndjson"):
    """kill -9 once so many more results are there."""
    wait_lines(place, process, lines, name)
    process.kill()
    err = process.communicate()[1].decode()
    assert process.returncode == -signal.SIGKILL, f"it was over before it was killed: {err}"


def truth(place, *arguments, states=("open",)):
    wanted = []
    for line in place.list(*arguments, "--sim-truth"):
        ip, port, _, state = line.split()
        if state in states:
            wanted.append((ip, int(port)))
    return sorted(wanted)


def check_whole(place, run, *arguments, states=("open",)):
    """Each pair of the truth once, and the account is that of the whole scan."""
    same(sorted(key(record) for record in run.records), truth(place, *arguments, states=states))
    summary = run.summary
    same(summary["complete"], True)
    same(summary["results"], len(run.records))
    same(summary["probes_sent"], summary["targets"])
    same(summary["no_answer"], summary["targets"] - summary["open"] - summary["closed"])
    same(summary["open"], len(truth(place, *arguments)))
    same(summary["closed"], len(truth(place, *arguments, states=("closed",))))
    check_account(run)


def refused(place, *arguments):
    process = resume(place, *arguments)
    err = process.communicate(timeout=60)[1].decode()
    same(process.returncode, 2)
    return err
