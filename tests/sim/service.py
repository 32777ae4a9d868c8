#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A scan as a service: what a manager is told through NOTIFY_SOCKET while it runs, stands still and ends; and one
command line, --resume-or-start, that begins it, goes on with it and lets it be when it is complete."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "cli"))
from tap import Tap  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("PRTIP_DP", os.path.join(TOP, "build", "prtip-dp"))
WATCHDOG_S = 1.2

CONFIG = """
[scan]
targets  = 198.18.0.0/22
ports    = 80,81
rate     = 1k
cooldown = 500ms
[dataplane]
port = sim
[output]
ndjson = results
summary = summary
[checkpoint]
file = scan.ckpt
interval = 200ms
"""


class Manager:
    """The other end of NOTIFY_SOCKET: messages with the time when each came."""

    def __init__(self, name):
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self.messages = []
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        while True:
            text = self.socket.recv(4096).decode()
            self.messages.append((time.monotonic(), text))

    def texts(self, begin):
        return [text for _, text in list(self.messages) if text.startswith(begin)]

    def since(self, begin, when):
        return [at for at, text in list(self.messages) if text.startswith(begin) and at >= when]

    def wait(self, begin, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.texts(begin):
            time.sleep(0.02)
        return bool(self.texts(begin))


def start(manager, *arguments):
    environment = dict(os.environ)
    if manager:
        environment["NOTIFY_SOCKET"] = manager if isinstance(manager, str) else manager.name
        environment["WATCHDOG_USEC"] = str(int(WATCHDOG_S * 1e6))
    return subprocess.Popen(
        [PROGRAM, "--config", "scan.ini", "--resume-or-start", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment,
    )  # fmt: skip


def end(process):
    try:
        text = process.communicate(timeout=60)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        text = process.communicate()[0]
    return process.returncode, text


def configure(text):
    with open("scan.ini", "w", encoding="ascii") as file:
        file.write(text)


def truth():
    done = subprocess.run([PROGRAM, "--config", "scan.ini", "--sim-truth"], capture_output=True, text=True, check=True)
    return sum(line.split()[3] == "open" for line in done.stdout.splitlines())


def check_signs(tap):
    """READY once it sends, signs of life while it makes turns, none while it does not."""
    manager = Manager(os.path.abspath("notify"))
    process = start(manager)
    tap.check(manager.wait("READY=1"), "READY=1 comes")
    began = time.monotonic()
    time.sleep(2 * WATCHDOG_S)
    signs = len(manager.since("WATCHDOG=1", began))
    tap.check(4 <= signs <= 12, "signs of life come at least twice in WatchdogSec, and not much more", f"{signs} in two of them")
    process.send_signal(signal.SIGSTOP)
    time.sleep(0.3)
    stopped = time.monotonic()
    time.sleep(1.5 * WATCHDOG_S)
    tap.check(not manager.since("", stopped), "none while it is stopped", str(manager.messages[-3:]))
    process.send_signal(signal.SIGCONT)
    went_on = time.monotonic()
    time.sleep(0.6 * WATCHDOG_S)
    tap.check(len(manager.since("WATCHDOG=1", went_on)) >= 1, "and again when it goes on")
    process.send_signal(signal.SIGTERM)
    tap.check(manager.wait("STOPPING=1"), "SIGTERM: STOPPING=1 is said")
    status, text = end(process)
    tap.check(status == 130, "SIGTERM: exit status", text)
    texts = [text for _, text in manager.messages]
    tap.check(texts.count("READY=1") == 1, "READY=1 came once")
    lines = manager.texts("STATUS=scanning ")
    tap.check(len(lines) >= 3 and "% " not in lines[0] and "probes sent" in lines[-1], "STATUS= says how far it is", str(lines))
    tap.check(len(set(lines)) > 1, "which changes", str(lines))


def check_again(tap):
    """The same line goes on with what was interrupted, and with what was killed; then there is nothing left."""
    process = start(None)
    time.sleep(1)
    process.kill()
    status, text = end(process)
    tap.check(status == -signal.SIGKILL and "100.0" not in text, "the second run goes on, and is killed", text)
    manager = Manager("@pdp-notify-%d" % os.getpid())
    status, text = end(start(manager))
    tap.check(status == 0, "the third completes it", text)
    tap.check(manager.texts("READY=1") and manager.texts("STOPPING=1"), "an abstract socket is told of it", str(manager.messages))
    with open("results", encoding="ascii") as file:
        lines = file.readlines()
    tap.check(len(lines) == len(set(line.split(',"rtt')[0] for line in lines)) == truth(), "each result is there once",
              f"{len(lines)} of {truth()}")  # fmt: skip
    before = os.stat("results").st_mtime_ns
    manager = Manager(os.path.abspath("again"))
    status, text = end(start(manager))
    tap.check(status == 0 and "nothing left to do" in text, "once more: nothing is left, which is no failure", text)
    tap.check(manager.texts("READY=1"), "and a manager that waits for the start is told", str(manager.messages))
    tap.check(os.stat("results").st_mtime_ns == before, "and its results stay as they are")


def check_refused(tap):
    os.unlink("scan.ckpt")
    for name in ("results", "summary"):
        os.unlink(name)
    status, text = end(start(None, "--set", "scan.max_runtime=300ms"))
    tap.check(status == 0, "a scan that max_runtime ended", text)
    for what, text, words in (
        ("a key was changed", CONFIG.replace("80,81", "80,82"), "[scan] ports = 80,82"),
        ("a key was added", CONFIG.replace("[output]", "[sim]\nseed = 7\n[output]"), "[sim] seed = 7"),
        ("an output was taken out", CONFIG.replace("summary = summary", ""), "[output] summary"),
        ("there is no checkpoint", CONFIG.replace("file = scan.ckpt", ""), "there is no checkpoint to go on from"),
    ):
        configure(text)
        status, said = end(start(None))
        tap.check(status == 2 and words in said, f"{what}: refused", f"exit {status}: {said}")
    configure(CONFIG)
    status, text = end(start(None, "--resume", "scan.ckpt"))
    tap.check(status == 2 and "exclude each other" in text, "with --resume: refused", text)
    status, text = end(start(None, "--set", "scan.rate=max"))
    tap.check(status == 0, "another rate may be, and the scan ends", text)
    with open("scan.ckpt", "r+b") as file:
        file.truncate(100)
    status, text = end(start(None))
    tap.check(status == 2 and "scan.ckpt" in text, "a cut checkpoint: refused, not begun anew", text)


def check_deaf(tap):
    """A manager that does not read keeps nobody waiting; one that is not there is an error."""
    os.unlink("scan.ckpt")
    deaf = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    deaf.bind("deaf")
    full = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        while True:
            full.sendto(b"x", "deaf")
    except BlockingIOError:
        pass
    status, text = end(start(os.path.abspath("deaf"), "--overwrite", "--set", "scan.rate=max"))
    tap.check(status == 0, "a full queue of the manager's holds up nothing", text)
    os.unlink("scan.ckpt")
    for name in ("none", os.path.abspath("none")):
        status, text = end(start(name, "--overwrite"))
        tap.check(status == 1 and f"NOTIFY_SOCKET={name}" in text, f"{os.path.basename(name)}: said", text)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="pdp-service.") as folder:
        os.chdir(folder)
        configure(CONFIG.replace("1k", "120"))
        check_signs(tap)
        configure(CONFIG)
        check_again(tap)
        check_refused(tap)
        check_deaf(tap)
        os.chdir("/")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
