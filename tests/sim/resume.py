#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Checkpoints and resuming on the simulated network: kill -9 and Ctrl-C at several moments, other numbers
of lcores, plugins, banners, and what is refused. What the network truly has is the judge.
Prints TAP.

    tests/sim/resume.py [TEST...]
"""

import os
import random
import shutil
import signal
import subprocess
import time

from flow import NETWORK, key, main, same, test, wait_for
from resuming import BANNERS, BANNER_SPACE, CHECKPOINT, LCORES, SPACE, check_whole, kill, refused, resume, truth, wait_lines


@test
def killed(place):
    """kill -9 at four moments, each time another number of lcores, and half a line at the end"""
    kill(place, place.start(*CHECKPOINT, *SPACE), 250)
    for number, lcores in enumerate(LCORES):
        with open(place.path("out.ndjson"), "a", encoding="ascii") as file:
            file.write('{"ts":"2026-01-31T12:0')
        if number + 1 < len(LCORES):
            kill(place, resume(place, *lcores), random.randrange(100, 350))
    run = place.finish(resume(place, *LCORES[-1]))
    same(run.summary["resumed"], len(LCORES))
    check_whole(place, run, *SPACE)
    # Nothing is left beside the checkpoint of a scan that is over.
    same(sorted(os.listdir(place.top)), ["plugins", "scan.ckpt"])


@test
def killed_with_banners(place):
    """the same with banners: each record has the one that its port says"""
    whole = place.scan(*BANNERS, *BANNER_SPACE)
    banners = {key(record): record.get("banner") for record in whole.records}
    kill(place, place.start(*CHECKPOINT, *BANNERS, *BANNER_SPACE), 600)
    kill(place, resume(place, *LCORES[0]), 100)
    run = place.finish(resume(place))
    check_whole(place, run, *BANNERS, *BANNER_SPACE)
    said = {key(record): record.get("banner") for record in run.records}
    same({pair: (said[pair], banners[pair]) for pair in banners if said[pair] != banners[pair]}, {})


SLOWLY = """
local n = 0
function on_target(target)
	n = n + 1
	if n % 2 == 0 then prtip.sleep(1) end
	prtip.add_result("port", target.port)
end
function on_post_scan(results)
	local open = 0
	for _, result in prtip.each(results) do
		if result.state == "open" then open = open + 1 end
	end
	prtip.log("info", "saw " .. #results .. " " .. open)
end
"""


@test
def killed_with_plugins(place):
    """results that wait for plugins, in memory and on disk, come once, and the account is exact"""
    place.plugin("slowly", SLOWLY, capabilities=NETWORK)
    place.plugin("second", "function on_target() prtip.add_result('seen', true) end")
    plugins = ("--plugin", "slowly", "--plugin", "second", "--set", "plugins.queue=64")
    kill(place, place.start(*CHECKPOINT, *plugins, *SPACE), 300)
    kill(place, resume(place), 300)
    kill(place, resume(place, *LCORES[0]), 300)
    run = place.finish(resume(place))
    check_whole(place, run, *SPACE)
    opened = len(truth(place, *SPACE))
    for name in ("slowly", "second"):
        same(run.accounts[name]["offered"], opened)
        same(run.accounts[name]["ok"], opened)
    same(sorted(run.said("slowly", "port")), sorted(r["port"] for r in run.records))
    assert f"saw {opened} {opened}" in run.err, run.err


@test
def interrupted(place):
    """Ctrl-C: the checkpoint covers all that was sent, and nothing is sent again"""
    process = wait_lines(place, place.start(*CHECKPOINT, *SPACE), 400)
    process.send_signal(signal.SIGINT)
    run = place.finish(process, status=130)
    assert "go on with: prtip-dp --resume scan.ckpt" in run.err, run.err
    assert run.summary["probes_sent"] < run.summary["targets"]
    dry = resume(place, "--dry-run").communicate()[0].decode()
    left = run.summary["targets"] - run.summary["probes_sent"]
    assert f"{left:,} transmissions left" in dry, dry
    run = place.finish(resume(place, *LCORES[0]))
    same(run.summary["sim"]["probes"], run.summary["targets"])
    check_whole(place, run, *SPACE)
    over = place.finish(resume(place))
    assert "nothing left to do" in over.err, over.err


@test
def interrupted_with_plugins(place):
    """Ctrl-C twice: what still waits for plugins goes on with the scan"""
    place.plugin("waits", "function on_target(t) prtip.sleep(t.port % 4) end\n"
        "function on_post_scan(r) prtip.log('info', 'saw ' .. #r) end", capabilities=NETWORK)
    process = wait_lines(place, place.start(*CHECKPOINT, "--plugin", "waits", *SPACE), 100)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    run = place.finish(process, status=130)
    assert "saw " not in run.err, run.err
    same(run.summary["lost"]["results"], 0)
    same(run.accounts["waits"]["skipped"], 0)
    run = place.finish(resume(place))
    check_whole(place, run, *SPACE)
    assert f"saw {len(run.records)}" in run.err, run.err


@test
def narrowed(place):
    """on_pre_scan narrows once, also where the scan goes on"""
    place.plugin("narrow", "function on_pre_scan(t) prtip.log('info', 'asked')\n"
        "return {ports = '1-32', exclude = {'198.18.1.0/25'}} end")
    kill(place, place.start(*CHECKPOINT, "--plugin", "narrow", *SPACE), 250)
    run = place.finish(resume(place, *LCORES[0]))
    assert "asked" not in run.err, run.err
    wanted = [pair for pair in truth(place, *SPACE)
        if pair[1] <= 32 and not (pair[0].startswith("198.18.1.") and int(pair[0].split(".")[3]) < 128)]
    same(sorted(key(record) for record in run.records), wanted)
    same(run.summary["targets"], (512 - 128) * 32)


@test
def passes(place):
    """several transmissions: each goes out, and the coverage is estimated over all"""
    more = ("--set", "scan.probes=3", "-p", "1-16", "198.18.0.0/23", "--rate", "5k")
    loss = ("--set", "sim.loss=0.1")
    process = wait_lines(place, place.start(*CHECKPOINT, *more, *loss), 100)
    process.send_signal(signal.SIGINT)
    place.finish(process, status=130)
    kill(place, resume(place, *LCORES[0]), 200)
    run = place.finish(resume(place))
    same(run.summary["probes_sent"], 3 * run.summary["targets"])
    wanted = set(truth(place, *more))
    found = [key(record) for record in run.records]
    same(len(set(found)), len(found))
    assert set(found) <= wanted and len(found) > 0.95 * len(wanted), (len(found), len(wanted))
    # What was sent again after the kill had one chance more than the estimate knows of.
    coverage, share = run.summary["coverage"], len(found) / len(wanted)
    assert coverage["low"] - 0.005 <= share <= coverage["high"] + 0.005, (coverage, share)


@test
def excluded(place):
    """what SIGHUP excluded stays so, though the file is another one by then"""
    place.write("exclude", "198.18.1.128/25\n")
    process = wait_lines(
        place, place.start(*CHECKPOINT, "--exclude-file", "exclude", *SPACE), 200)
    place.write("exclude", "198.18.1.0/25\n")
    process.send_signal(signal.SIGHUP)
    # It is part of the checkpoints that follow.
    before = os.stat(place.path("scan.ckpt")).st_mtime_ns
    wait_for("the set by value", lambda: os.path.exists(place.path("scan.ckpt.space")))
    wait_for("a checkpoint", lambda: os.stat(place.path("scan.ckpt")).st_mtime_ns > before)
    before = os.stat(place.path("scan.ckpt")).st_mtime_ns
    wait_for("a checkpoint", lambda: os.stat(place.path("scan.ckpt")).st_mtime_ns > before)
    kill(place, process, 1)
    place.write("exclude", "# none\n")
    kill(place, resume(place), 100)
    before = len(place.records("out.ndjson"))
    run = place.finish(resume(place))
    for record in run.records[before:]:
        assert not record["ip"].startswith("198.18.1."), record
    same(run.summary["excluded_running"]["addresses"], 128)
    same(run.summary["targets"], (512 - 128) * 64)


@test
def standard_input(place):
    """targets from standard input are in the checkpoint"""
    process = subprocess.Popen(
        place.command(*CHECKPOINT, "-p", "1-64", "-iL", "-", "--rate", "10k"),
        cwd=place.top, env=dict(os.environ, HOME=place.top), stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(b"198.18.0.0/23\n")
    process.stdin.close()
    wait_lines(place, process, 300)
    process.kill()
    process.wait()
    check_whole(place, place.finish(resume(place)), *SPACE)


@test
def other_outputs(place):
    """a table is at least once, and the summary says so"""
    process = place.start(*CHECKPOINT, "-o", "table:out.table", *SPACE, results=False)
    kill(place, process, 300, "out.table")
    run = place.finish(resume(place))
    same(run.summary["at_least_once"], "table")
    rows = [line.split() for line in place.read("out.table").splitlines()[1:]]
    found = {(row[0], int(row[1])) for row in rows if len(row) > 3 and row[3] == "open"}
    same(found, set(truth(place, *SPACE)))


@test
def a_checkpoint_that_cannot_be_written(place):
    """a folder that is gone: a warning, a count, and the scan goes on"""
    os.mkdir(place.path("gone"))
    process = place.start("--checkpoint", "gone/scan.ckpt", "--set", "checkpoint.interval=200ms",
        *SPACE)
    wait_for("a checkpoint", lambda: os.path.exists(place.path("gone/scan.ckpt")))
    shutil.rmtree(place.path("gone"))
    run = place.finish(process)
    assert "cannot write the checkpoint gone/scan.ckpt" in run.err, run.err
    assert run.summary["checkpoints_failed"] > 0
    same(run.summary["complete"], True)


@test
def what_is_refused(place):
    """what was changed behind the scan's back, with the reason"""
    place.write("targets", "198.18.0.0/23\n")
    process = wait_lines(place,
        place.start(*CHECKPOINT, "-p", "1-64", "-iL", "targets", "--rate", "10k"), 300)
    process.send_signal(signal.SIGINT)
    place.finish(process, status=130)
    results, checkpoint = place.read("out.ndjson"), "scan.ckpt"
    with open(place.path(checkpoint), "rb") as file:
        good = file.read()
    same(os.stat(place.path(checkpoint)).st_mode & 0o777, 0o600)

    for what, arguments, reason in (
        ("ports", ("-p", "80"), "[scan] ports = 80: the scan was begun with 1-64"),
        ("targets", ("198.18.0.1",), "[scan] targets"),
        ("output", ("-o", "ndjson:x"), "[output] ndjson = x"),
        ("seed", ("--seed", "8"), "[scan] seed = 8"),
        ("type", ("-sA",), "[scan] type = ack"),
        ("sim", ("--set", "sim.seed=1"), "[sim] seed = 1"),
        ("checkpoint", ("--checkpoint", "x"), "leave out x"),
    ):
        assert reason in refused(place, *arguments), what
    place.write("targets", "198.18.0.0/24\n")
    assert "the target file targets was changed" in refused(place)
    place.write("targets", "198.18.0.0/23\n")

    place.write("out.ndjson", results[:-100])
    assert "out.ndjson: it has" in refused(place)
    place.write("out.ndjson", results.replace("open", "opem", 1))
    assert "are not those that the scan wrote" in refused(place)
    os.unlink(place.path("out.ndjson"))
    assert "out.ndjson: it is gone" in refused(place)
    assert not os.path.exists(place.path("out.ndjson")), "it made the file"
    place.write("out.ndjson", results)

    for wrong, reason in (
        (b"", "empty"),
        (good[:200], "cut short"),
        (good[:-1], "cut short"),
        (good + b"x", "behind its end"),
        (good[:20] + bytes([good[20] + 1]) + good[21:], f"version {good[20] + 1}"),
        (good[:300] + bytes([good[300] ^ 1]) + good[301:], "altered"),
        (b"#!/bin/sh\n", "no checkpoint"),
    ):
        with open(place.path(checkpoint), "wb") as file:
            file.write(wrong)
        assert reason in refused(place), reason
    with open(place.path(checkpoint), "wb") as file:
        file.write(good)
    again = place.start(*CHECKPOINT, "-p", "80", "198.18.0.1")
    err = again.communicate()[1].decode()
    same(again.returncode, 2)
    assert "a scan that is not complete" in err, err
    place.write("out.ndjson", results)
    check_whole(place, place.finish(resume(place)), *SPACE)


if __name__ == "__main__":
    main()
