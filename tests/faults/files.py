#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Files that fail while a scan runs: a full disk, a reader that goes, a folder that is removed, a file
system that becomes read-only or broken. One clear error and exit 1 where results have nowhere to go,
whole true lines in what is there, and every result either written or counted. Prints TAP.

Small file systems are made in a mount namespace of the test's own.

    [FAULT_SEED=N] tests/faults/files.py [TEST...]
"""

import errno
import os
import re
import shutil
import subprocess
import sys
import time

if os.geteuid() != 0:
    print("1..0 # SKIP a mount namespace needs root")
    sys.exit(77)
if os.environ.get("FAULT_MOUNTS") != str(os.getppid()):
    # The mark is ours: nothing inherited may let us mount in the machine's own namespace.
    os.environ["FAULT_MOUNTS"] = str(os.getpid())
    os.execvp("unshare", ["unshare", "--mount", "--fork", "--kill-child=KILL", sys.executable, *sys.argv])

from harness import SCAN, Shim, errors, instants, judge, judge_failed, resume, run_all, truth_of
from flow import NETWORK, Place, children, same, test, wait_for

BUSY = "function on_target() local x = 0 for i = 1, 100000 do x = x + i % 7 end end\n"


def tmpfs(place, name, size):
    folder = place.path(name)
    os.mkdir(folder)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "none", folder], check=True)
    return folder


def told_count(run, name):
    """How many results the error line says that the file has."""
    line = next(line for line in run.err.splitlines() if line.startswith("prtip-dp: "))
    return int(re.search(r"([\d,]+) results of this run are in it", line)[1].replace(",", ""))


def count_answers(run):
    return sum(run.summary[state] for state in ("open", "closed", "filtered"))


def until_running(place, process):
    wait_for("the scan", lambda: "through " in place.read("err") or process.poll() is not None)


def start(place, *arguments, **more):
    return place.start(*arguments, stderr=open(place.path("err"), "wb"), **more)


def finish(place, process, status, timeout=60):
    run = place.finish(process, status=process.wait(timeout), timeout=timeout)
    run.err = place.read("err")
    assert run.status == status, f"exit {run.status}, not {status}: {run.err[-700:]}"
    return run


@test
def disk_full(place):
    """the output's disk is full: exit 1, one error that counts what is in the file, whole lines"""
    truth = truth_of(place, *SCAN)
    tmpfs(place, "small", "100k")
    process = start(place, *SCAN, "-o", "ndjson:small/out.ndjson", results=False)
    run = finish(place, process, 1)
    run.records = place.records("small/out.ndjson")
    judge_failed(run, truth, "small/out.ndjson", os.strerror(errno.ENOSPC))
    same(told_count(run, "small/out.ndjson"), len(run.records))
    assert run.records, "nothing was written"


@test
def disk_full_resumed(place):
    """the output's disk is full and then has room again: --resume brings the rest, each once"""
    truth = truth_of(place, *SCAN)
    folder = tmpfs(place, "small", "500k")
    process = start(
        place,
        *(*SCAN, "--checkpoint", "scan.ckpt", "--set", "checkpoint.interval=100ms"),
        *("-o", "ndjson:small/out.ndjson"),
        results=False,
    )
    run = finish(place, process, 1)
    run.records = place.records("small/out.ndjson")
    judge_failed(run, truth, "small/out.ndjson", os.strerror(errno.ENOSPC))
    subprocess.run(["mount", "-o", "remount,size=20m", folder], check=True)
    run = finish(place, resume(place, stderr=open(place.path("err"), "wb")), 0)
    run.records = place.records("small/out.ndjson")
    same(judge(run, truth), set())


@test
def disk_full_other_output(place):
    """one of two outputs is full: the other has whole lines, too, and the account is of the shorter"""
    truth = truth_of(place, *SCAN)
    tmpfs(place, "small", "100k")
    run = finish(place, start(place, *SCAN, "-o", "table:small/table"), 1)
    same(run.summary["results"], told_count(run, "small/table"))
    same(run.summary["results"] + run.summary["lost"]["results"], count_answers(run))
    assert len(run.records) >= run.summary["results"] > 0
    run.summary = {}
    judge_failed(run, truth, "small/table", os.strerror(errno.ENOSPC))


@test
def summary_full(place):
    """no room for the summary: exit 1, all results are there"""
    truth = truth_of(place, *SCAN)
    tmpfs(place, "small", "4k")
    with open(place.path("small/filler"), "wb") as file:
        file.write(bytes(4096))
    process = subprocess.Popen(
        [part.replace("out.sum", "small/out.sum") for part in place.command(*SCAN)],
        cwd=place.top,
        stdin=subprocess.DEVNULL,
        stderr=open(place.path("err"), "wb"),
    )
    run = finish(place, process, 1)
    same(judge_failed(run, truth, "small/out.sum", os.strerror(errno.ENOSPC)), set())


@test
def spill_full(place):
    """no room to spill to: what plugins cannot be given is skipped and counted, the scan is whole"""
    place.plugin("busy", BUSY)
    truth = truth_of(place, *SCAN)
    tmpfs(place, "small", "64k")
    process = start(
        place,
        *(*SCAN, "--rate", "max", "--plugin", "busy", "--set", "plugins.queue=64"),
        *("--set", "plugins.spill_dir=small", "--set", "plugins.drain=1s"),
    )
    run = finish(place, process, 3)
    same(judge(run, truth, statuses=(3,)), set())
    same(sum(run.summary["lost"].values()), run.accounts["busy"]["skipped"])


@test
def archive_full(place):
    """no room for the results that on_post_scan is to see: exit 1, which says so; whole lines"""
    place.plugin("after", "function on_post_scan(results) end")
    truth = truth_of(place, *SCAN)
    tmpfs(place, "small", "64k")
    process = start(place, *SCAN, "--plugin", "after", "--set", "plugins.spill_dir=small")
    run = finish(place, process, 1)
    judge_failed(run, truth, "small", os.strerror(errno.ENOSPC))


@test
def checkpoint_full(place):
    """no room for a checkpoint: one warning, the scan is whole; exit 2 where not even the first has room"""
    truth = truth_of(place, *SCAN)
    tmpfs(place, "small", "256k")
    arguments = (*SCAN, "--checkpoint", "small/scan.ckpt", "--set", "checkpoint.interval=100ms")
    process = start(place, *arguments)
    until_running(place, process)
    # Each checkpoint that replaces another gives room back.
    while process.poll() is None:
        fill(place.path("small"))
        time.sleep(0.02)
    run = finish(place, process, 0)
    same(judge(run, truth), set())
    (warning,) = errors(run)
    assert "small/scan.ckpt: " + os.strerror(errno.ENOSPC) in warning, warning
    assert run.summary["checkpoints_failed"] > 0
    os.unlink(place.path("small/scan.ckpt"))
    fill(place.path("small"))
    run = finish(place, start(place, *arguments), 2)
    assert "small/scan.ckpt: " + os.strerror(errno.ENOSPC) in run.err, run.err
    same(run.summary, {})


def fill(folder):
    """Write until there is no room for a byte more."""
    with open(os.path.join(folder, "filler"), "ab", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as error:
                assert error.errno == errno.ENOSPC


@test
def reader_gone(place):
    """the reader of the results goes: exit 1 at once, and it has had whole lines"""
    truth = truth_of(place, *SCAN)
    process = start(place, *SCAN, "-o", "ndjson:-", "--set", "scan.cooldown=60s", results=False)
    until_running(place, process)
    end = time.monotonic() + instants("reader").uniform(0.1, 0.9)
    got = b""
    while time.monotonic() < end:
        got += os.read(process.stdout.fileno(), 1 << 16)
    process.stdout.close()
    process.stdout = None
    closed = time.monotonic()
    process.wait(30)
    assert time.monotonic() - closed < 10, "not at once: the cooldown is a minute"
    run = finish(place, process, 1)
    same(len([line for line in run.err.splitlines() if "standard output" in line]), 1)
    place.write("got.ndjson", got[: got.rfind(b"\n") + 1].decode())
    run.records = place.records("got.ndjson")
    run.summary = {}
    judge_failed(run, truth, "standard output", "closed by its reader")


@test
def folder_removed(place):
    """the output's folder is removed: a file that has no name any more is no result; exit 1"""
    os.mkdir(place.path("gone"))
    process = start(place, *SCAN, "-o", "ndjson:gone/out.ndjson", results=False)
    until_running(place, process)
    time.sleep(instants("removed").uniform(0, 1))
    shutil.rmtree(place.path("gone"))
    run = finish(place, process, 1)
    run.records = []
    judge_failed(run, set(), "gone/out.ndjson", "removed")
    same(run.summary["lost"]["results"], count_answers(run))


@test
def folder_moved(place):
    """the output's folder gets another name: the results are there"""
    truth = truth_of(place, *SCAN)
    os.mkdir(place.path("before"))
    process = start(place, *SCAN, "-o", "ndjson:before/out.ndjson", results=False)
    until_running(place, process)
    time.sleep(instants("moved").uniform(0, 1))
    os.rename(place.path("before"), place.path("after"))
    run = finish(place, process, 0)
    run.records = place.records("after/out.ndjson")
    same(judge(run, truth), set())


@test
def spill_folder_removed(place):
    """the spill folder is removed: its files have no name, and go on"""
    place.plugin("busy", BUSY)
    truth = truth_of(place, *SCAN, "--set", "sim.open=0.05")
    os.mkdir(place.path("spill"))
    process = start(
        place,
        *(*SCAN, "--rate", "max", "--plugin", "busy", "--set", "plugins.queue=64"),
        *("--set", "plugins.spill_dir=spill", "--set", "sim.open=0.05"),
    )
    until_running(place, process)
    shutil.rmtree(place.path("spill"))
    run = finish(place, process, 0)
    same(judge(run, truth), set())
    account = run.accounts["busy"]
    same(account["ok"], account["offered"])
    assert account["spilled"] > 0, account


@test
def read_only_at_start(place):
    """a read-only folder: exit 2 and a clear error before anything is sent"""
    folder = tmpfs(place, "fixed", "1m")
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    run = finish(place, start(place, *SCAN, "-o", "ndjson:fixed/out.ndjson", results=False), 2)
    assert "fixed/out.ndjson: " + os.strerror(errno.EROFS) in run.err, run.err
    same(run.summary, {})


@test
def read_only_refused(place):
    """while a scan writes to it, the kernel lets nobody make a file system read-only"""
    truth = truth_of(place, *SCAN)
    folder = tmpfs(place, "wanted", "20m")
    process = start(place, *SCAN, "-o", "ndjson:wanted/out.ndjson", results=False)
    until_running(place, process)
    tried = subprocess.run(["mount", "-o", "remount,ro", folder], check=False, capture_output=True)
    assert tried.returncode != 0 and process.poll() is None, tried
    run = finish(place, process, 0)
    run.records = place.records("wanted/out.ndjson")
    same(judge(run, truth), set())


@test
def breaks(place):
    """a file system that becomes read-only after an error, or broken: exit 1, whole lines, all counted"""
    truth = truth_of(place, *SCAN)
    for error in (errno.EROFS, errno.EIO):
        folder = place.path(f"broken{error}")
        os.mkdir(folder)
        shim = Shim(place, folder)
        output = f"broken{error}/out.ndjson"
        process = start(place, *SCAN, "-o", "ndjson:" + output, results=False, env=shim.environment)
        until_running(place, process)
        time.sleep(instants("breaks", error).uniform(0.1, 0.9))
        shim.refuse_writes(error)
        run = finish(place, process, 1)
        run.records = place.records(output)
        judge_failed(run, truth, output, os.strerror(error))
        same(told_count(run, output), len(run.records))


run_all()
