#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""How a run with plugins ends: drain, Ctrl-C once and twice, failed outputs, and on_unload after each.
Prints TAP.

    tests/sim/plugins-end.py [TEST...]
"""

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import time

from flow import NETWORK, children, check_account, holds, main, same, test, wait_for

SPACE = ("-p", "1-16", "198.18.0.0/24", "--rate", "20k")
UNLOAD = "function on_unload() prtip.log('info', 'unloaded') end\n"
FOREVER = "function on_target(t) if t.port > 1 then prtip.sleep(1000) end end\n" + UNLOAD
BUSY = "function on_target() local n = {} for i = 1, 3e6 do n[i % 8] = i end end\n" + UNLOAD
UNLIMITED = ("--set", "plugins.instructions=1000000000", "--set", "plugins.cpu_seconds=100")


def interrupt(process, times=1):
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)


def start_and_drain(place, *arguments):
    """Start a scan and wait until only plugins are waited for. Its standard error goes to a file."""
    with open(place.path("err"), "wb") as err:
        process = place.start(*arguments, "--set", "status.interval=100ms", stderr=err)
    wait_for("drain", lambda: re.search("^plugins +.*waiting", place.read("err"), re.M))
    return process


@test
def drained(place):
    """conversations that never end: the run ends after drain, and what they held is skipped"""
    place.plugin("forever", FOREVER, capabilities=NETWORK)
    place.plugin("after", "function on_post_scan(r) prtip.log('info', 'saw ' .. #r) end\n" + UNLOAD)
    run = place.scan(
        *("--plugin", "forever", "--plugin", "after", "--set", "plugins.drain=1s", *SPACE),
        status=3,
        )
    check_account(run)
    account = run.accounts["forever"]
    same(account["skipped"], sum(r["port"] > 1 for r in run.records))
    same(account["ok"], sum(r["port"] == 1 for r in run.records))
    assert account["ok"] and account["deaths"] == 0, account
    # A lane and its spare each.
    same(len(re.findall("forever: unloaded", run.err)), 2)
    holds(run.err, f"after: saw {len(run.records)}")
    assert "nonsense" not in run.err, run.err

    run = place.scan(
        *("--plugin", "forever", "--set", "plugins.wall_seconds=0.5", *SPACE), )
    check_account(run)
    same(run.accounts["forever"]["timeout"], sum(r["port"] > 1 for r in run.records))


@test
def drained_busy(place):
    """thousands of results before a busy plugin: drain ends it, on_post_scan and on_unload follow"""
    post = "function on_post_scan(r) prtip.log('info', 'saw ' .. #r) end\n"
    place.plugin("busy", BUSY + post)
    run = place.scan(
        *("--plugin", "busy", "--set", "plugins.drain=500ms", *UNLIMITED, *SPACE[2:]),
        *("-p", "1-256"),
        status=3,
        )
    check_account(run)
    account = run.accounts["busy"]
    assert account["skipped"] > 1000 and account["ok"] > 0 and account["deaths"] == 0, account
    same(len(re.findall("busy: unloaded", run.err)), 2)
    holds(run.err, f"busy: saw {len(run.records)}")


@test
def progress(place):
    """on a terminal the progress line counts the results that wait"""
    place.plugin("forever", FOREVER, capabilities=NETWORK)
    terminal, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 150, 0, 0))
    process = place.start(
        *("--plugin", "forever", "--set", "plugins.drain=2s", *SPACE),
        *("--set", "status.interval=100ms"),
        stderr=side,
        stdout=subprocess.DEVNULL,
    )
    os.close(side)
    text = b""
    try:
        while chunk := os.read(terminal, 65536):
            text += chunk
    except OSError:
        pass  # the other side is closed
    os.close(terminal)
    same(process.wait(60), 3)
    waiting = re.findall(rb"plugins .*waiting (\d+)", text)
    same({int(count) for count in waiting}, {sum(r["port"] > 1 for r in place.records("out.ndjson"))})


@test
def interrupted_scan(place):
    """Ctrl-C during the scan: exit 130, records whole, hooks and on_unload called"""
    place.plugin("add", "function on_target() prtip.add_result('a', 1) end\n"
                 "function on_post_scan(r) prtip.log('info', 'saw ' .. #r) end\n" + UNLOAD)
    process = place.start("--plugin", "add", "-p", "1-100", "198.18.0.0/16", "--rate", "10k")
    wait_for("results", lambda: os.path.exists(place.path("out.ndjson"))
             and os.path.getsize(place.path("out.ndjson")))
    interrupt(process)
    run = place.finish(process, status=130, )
    check_account(run)
    same(run.accounts["add"]["ok"], len(run.records))
    same(run.summary["complete"], False)
    holds(run.err, f"add: saw {len(run.records)}", "add: unloaded")


@test
def interrupted_drain(place):
    """Ctrl-C during drain: once waits on, twice gives up at once; exit 130 and all records written"""
    place.plugin("forever", FOREVER, capabilities=NETWORK)
    process = start_and_drain(place, "--plugin", "forever", "--set", "plugins.drain=100s", *SPACE)
    interrupt(process)
    time.sleep(1)
    assert process.poll() is None, "ended at the first"
    interrupt(process)
    run = place.finish(process, status=130)
    check_account(run)
    assert run.accounts["forever"]["skipped"] > 100, run.accounts
    holds(place.read("err"), "once more to stop at once", "forever: unloaded")


@test
def interrupted_busy(place):
    """twice Ctrl-C while a plugin computes, and while on_unload does: the run ends all the same"""
    place.plugin("busy", BUSY.replace("3e6", "3e9"))
    unlimited = ("--set", "plugins.instructions=1000000000000", "--set", "plugins.cpu_seconds=100",
                 "--set", "plugins.wall_seconds=200", "--set", "plugins.drain=100s")
    process = start_and_drain(place, "--plugin", "busy", *unlimited, *SPACE)
    interrupt(process, 2)
    check_account(place.finish(process, status=130))

    place.plugin("late", "function on_target() end\n"
                 "function on_unload() prtip.log('info', 'goes') prtip.sleep(200) end",
                 capabilities=NETWORK)
    with open(place.path("err"), "wb") as err:
        process = place.start("--plugin", "late", *SPACE, stderr=err)
    wait_for("on_unload", lambda: "late: goes" in place.read("err"))
    interrupt(process, 2)
    check_account(place.finish(process, status=0))


@test
def interrupted_before(place):
    """Ctrl-C during on_pre_scan: no probe is sent, on_post_scan sees no result, on_unload follows"""
    place.plugin(
        "wait",
        "function on_pre_scan(t) prtip.log('info', 'waits') prtip.sleep(100) end\n"
        "function on_post_scan(r) prtip.log('info', 'saw ' .. #r) end\n" + UNLOAD,
        capabilities=NETWORK,
    )
    err = open(place.path("err"), "wb")
    process = place.start("--plugin", "wait", *SPACE, stderr=err)
    wait_for("on_pre_scan", lambda: "wait: waits" in place.read("err"))
    interrupt(process)
    same(process.wait(60), 130)
    err.close()
    holds(place.read("err"), "wait: saw 0", "wait: unloaded")
    same(place.records("out.ndjson"), [])


@test
def failed_output(place):
    """an output on a full disk: exit 1, no more than is in it is called written, on_unload called"""
    place.plugin("add", "function on_target() prtip.add_result('a', ('x'):rep(9000)) end\n" + UNLOAD)
    os.mkdir(place.path("small"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", place.path("small")],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        return  # not allowed here
    try:
        run = place.scan(
            *("--plugin", "add", "-o", "ndjson:small/out.ndjson", *SPACE),
            status=1,
            results=False,
        )
        records = place.records("small/out.ndjson")
    finally:
        subprocess.run(["umount", place.path("small")], check=True)
    holds(run.err, "No space left", "add: unloaded")
    same(run.summary["results"], len(records))
    account = run.accounts["add"]
    assert 0 < account["ok"] <= account["offered"], account


@test
def killed(place):
    """a run that is killed leaves no process behind"""
    place.plugin("forever", FOREVER, capabilities=NETWORK)
    process = place.start("--plugin", "forever", "--set", "plugins.lanes=3", *SPACE)
    wait_for("results", lambda: os.path.exists(place.path("out.ndjson")))
    warden = children(process.pid)
    lanes = [lane for pid in warden for lane in children(pid)]
    assert len(lanes) >= 3, lanes
    process.kill()
    process.communicate()

    def gone(pid):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
                return file.read().rsplit(")", 1)[1].split()[0] in "ZX"
        except OSError:
            return True

    wait_for("warden and lanes to be gone", lambda: all(map(gone, warden + lanes)), seconds=5)


main()
