#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Outputs whose path ends in .zst, read by zstd(1): the same as plain ones, whole up to what was written
last when the program is killed, gone on with exactly once. Prints TAP.

    tests/sim/zst.py [TEST...]
"""

import json
import os
import re
import resource
import signal
import subprocess

from flow import PROGRAM, key, main, same, test, wait_for

SPACE = ("-p", "1-16", "198.18.0.0/23", "--rate", "20k", "--set", "output.include_closed=yes")
CHECKPOINT = ("--checkpoint", "scan.ckpt", "--set", "checkpoint.interval=200ms")


def unpack(place, name, status=0):
    done = subprocess.run(
        ["zstd", "-dc", name], cwd=place.top, capture_output=True, text=True, check=False
    )
    same((name, done.returncode, done.stderr if not status else ""), (name, status, ""))
    return done.stdout


def records(text):
    """What does not depend on when the scan ran."""
    found = [json.loads(line) for line in text.splitlines()]
    for record in found:
        del record["ts"]
        record.pop("rtt_us", None)
    return sorted(json.dumps(record, sort_keys=True) for record in found)


def rows(text):
    """Without the time of the answer."""
    return sorted(tuple(line.split()[:5]) for line in text.splitlines())


def truth(place, *arguments):
    wanted = []
    for line in place.list(*arguments, "--sim-truth"):
        ip, port, _, _ = line.split()
        wanted.append((ip, int(port)))
    return sorted(wanted)


def pairs(text):
    return sorted(key(json.loads(line)) for line in text.splitlines())


@test
def same_as_plain(place):
    """each text format holds what it holds uncompressed, and NDJSON is smaller by more than half"""
    place.scan("-o", "ndjson:plain", "-o", "table:plain.table", *SPACE, results=False)
    command = place.command("-o", "ndjson:out.ndjson.zst", "-o", "table:table.zst", *SPACE, results=False)
    command[command.index("summary:out.sum")] = "summary:sum.zst"
    subprocess.run(command, cwd=place.top, env=dict(os.environ, HOME=place.top), check=True,
                   stdin=subprocess.DEVNULL, capture_output=True)
    text = unpack(place, "out.ndjson.zst")
    same(records(text), records(place.read("plain")))
    same(rows(unpack(place, "table.zst")), rows(place.read("plain.table")))
    same(json.loads(unpack(place, "sum.zst"))["results"], len(text.splitlines()))
    same(os.path.getsize(place.path("out.ndjson.zst")) < len(text) // 2, True)


@test
def nothing(place):
    """a scan without results leaves a file that zstd takes"""
    place.scan("-o", "ndjson:out.ndjson.zst", "-p", "1", "198.18.0.1", "--set", "sim.alive=0", results=False)
    same(unpack(place, "out.ndjson.zst"), "")


@test
def append(place):
    """--append adds a frame; behind half a one it is refused, and nothing is changed"""
    place.scan("-o", "ndjson:a.zst", *SPACE, results=False)
    place.scan("--append", "-o", "ndjson:a.zst", *SPACE, results=False)
    same(pairs(unpack(place, "a.zst")), sorted(truth(place, *SPACE) * 2))
    os.truncate(place.path("a.zst"), os.path.getsize(place.path("a.zst")) - 5)
    run = place.scan("--append", "-o", "ndjson:a.zst", *SPACE, results=False, status=2)
    same("whole zstd frame" in run.err, True)


@test
def killed(place):
    """kill -9: what was written can be read; --resume goes on from the checkpoint, exactly once"""
    process = place.start("-o", "ndjson:out.ndjson.zst", *CHECKPOINT, *SPACE, "--rate", "4k", results=False)
    path = place.path("out.ndjson.zst")
    wait_for("results", lambda: os.path.exists(path) and os.path.getsize(path) > 25000, 60)
    # All but the last millisecond of results is there while the scan runs.
    process.send_signal(signal.SIGSTOP)
    before = len(unpack(place, "out.ndjson.zst", status=1).splitlines())
    process.kill()
    process.communicate()
    text = unpack(place, "out.ndjson.zst", status=1)
    same((before > 500, text.endswith("\n"), len(text.splitlines()) >= before), (True, True, True))
    run = place.finish(subprocess.Popen(
        [PROGRAM, "--resume", "scan.ckpt"], cwd=place.top, env=dict(os.environ, HOME=place.top),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
    same(pairs(unpack(place, "out.ndjson.zst")), truth(place, *SPACE))
    same(("at_least_once" in run.summary, run.summary["results"]), (False, len(truth(place, *SPACE))))


@test
def full(place):
    """no room for more: the file keeps whole lines, as many as are told"""
    process = place.start("-o", "ndjson:out.ndjson.zst", *SPACE, results=False,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20000, 20000)))
    run = place.finish(process, status=1)
    text = unpack(place, "out.ndjson.zst", status=1)
    told = int(re.search(r"([\d,]+) results of this run are in it", run.err)[1].replace(",", ""))
    same((told > 100, len(text.splitlines()), text.endswith("\n")), (True, told, True))


if __name__ == "__main__":
    main()
