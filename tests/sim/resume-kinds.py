#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Resuming of shards, of scans with a window against repeats, with other ports, with most results, and twice at once.
What the simulated network truly has is the judge. Prints TAP.

    tests/sim/resume-kinds.py [TEST...]
"""

import signal
import subprocess

from flow import PROGRAM, key, main, same, test
from resuming import CHECKPOINT, LCORES, SPACE, check_whole, kill, resume, truth, wait_lines


@test
def at_once(place):
    """a scan that goes on already is left alone, and a file that is being written"""
    slow = (*SPACE, "--rate", "2k")
    kill(place, place.start(*CHECKPOINT, *slow), 100)
    first = wait_lines(place, resume(place), 20)
    assert first.poll() is None, first.communicate()[1].decode()
    second = resume(place)
    said = second.communicate()[1].decode()
    same(second.returncode, 2)
    assert "out.ndjson is being written by another run of prtip-dp" in said, said
    other = subprocess.run(
        [PROGRAM, "--set", "dataplane.port=sim", "-p", "80", "198.18.0.1", "--overwrite", "-o", "ndjson:out.ndjson"],
        cwd=place.top,
        capture_output=True,
    )
    said = other.stderr.decode()
    same(other.returncode, 2)
    assert "out.ndjson is being written by another run of prtip-dp" in said, said
    first.send_signal(signal.SIGINT)
    run = place.finish(first, status=130)
    found = [key(record) for record in run.records]
    same(len(set(found)), len(found))
    assert set(found) <= set(truth(place, *SPACE))


@test
def shards_and_windows(place):
    """a shard with a window against repeats, killed twice: its own part of the truth, once"""
    shard = ("--shard", "2/3", "--seed", "7", "--set", "scan.dedup=window")
    kill(place, place.start(*CHECKPOINT, *shard, *SPACE), 100)
    kill(place, resume(place, *LCORES[1]), 60)
    run = place.finish(resume(place))
    check_whole(place, run, *shard, *SPACE)
    same(run.summary["shard"], "2/3")


@test
def several_ports(place):
    """begun on two ports, gone on with on one and on two"""
    two = ("--set", "dataplane.port0=sim", "--set", "dataplane.port1=sim")
    one = ("--set", "dataplane.port=sim")
    command = place.command(*CHECKPOINT, *SPACE)
    at = command.index("dataplane.port=sim")
    command[at - 1 : at + 1] = two
    process = subprocess.Popen(command, cwd=place.top, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    kill(place, process, 250)
    kill(place, resume(place, *one), 100)
    run = place.finish(resume(place, *two))
    check_whole(place, run, *SPACE)


@test
def most_results(place):
    """max_results counts those of before the kill"""
    most = ("--set", "scan.max_results=700")
    kill(place, place.start(*CHECKPOINT, *most, *SPACE), 250)
    run = place.finish(resume(place))
    same(len(run.records), 700)
    same(run.summary["complete"], False)
    found = [key(record) for record in run.records]
    same(len(set(found)), 700)
    assert set(found) <= set(truth(place, *SPACE))


if __name__ == "__main__":
    main()
