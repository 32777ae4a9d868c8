#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Status records: one each interval and one at the end, whose counters agree in each record, and in the
last one with the summary; and what is refused as a file for them."""

import json
import os
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("PRTIP_DP", os.path.join(TOP, "build", "prtip-dp"))
sys.path.insert(0, os.path.join(TOP, "tests", "soak"))
import plugins  # pylint: disable=wrong-import-position


def scan(*arguments):
    return subprocess.run(
        [PROGRAM, "--quiet", "--set", "dataplane.port=sim", "--set", "sim.open=0.3", "-p", "21-24",
         "-o", "ndjson:results", "-o", "summary:summary", *arguments, "198.18.0.0/22"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def load(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def check_records(tap):
    done = scan(
        "--rate", "3k", "--set", "banner.enable=on", "--set", "banner.wait=1s", "--set", "scan.cooldown=1s",
        "--set", "plugins.enable=banner-analyzer", "--set", "sim.duplicate=0.2",
        "--set", "status.file=status", "--set", "status.interval=100ms",
    )  # fmt: skip
    tap.check(done.returncode == 0, "exit status", done.stderr)
    records, summary = load("status"), load("summary")[0]
    tap.check(len(records) >= 10, f"there are {len(records)} records")
    wrong = {rule: r for r in records for rule in plugins.broken(r)}
    tap.check(not wrong, "the identities hold in each", str(wrong))
    waiting = max(r["awaiting_banner"] for r in records)
    tap.check(waiting > 0, f"some waited for banners ({waiting})")
    ran = [key for pair in zip(records, records[1:]) for key in plugins.backwards(*pair)]
    tap.check(not ran, "no counter runs backwards", str(ran))
    last = records[-1]
    tap.check(last["phase"] == "end" and records[0]["phase"] != "end", "the last is the end's")
    for key in ("targets", "probes_sent", "rx_frames", "validated", "rejected", "duplicates", "results", "hidden"):
        tap.check(last[key] == summary[key], f"at the end {key} is the summary's", f"{last[key]}, {summary[key]}")
    one = last["plugins"]["banner-analyzer"]
    tap.check(one["offered"] == summary["plugins"]["banner-analyzer"]["offered"] == one["ok"] > 0,
              "so is what the plugin was offered", str(one))  # fmt: skip
    tap.check(len(load("results")) == last["results"], "and results are the records written")


def check_files(tap):
    os.mkfifo("pipe")
    cases = (
        (("--set", "status.file=pipe"), "pipe: a regular file is wanted"),
        (("--set", "status.file=."), ".: a regular file is wanted"),
        (("--set", "status.file=-"), "-: a regular file is wanted"),
        (("--set", "status.file=no/such/file"), "no/such/file"),
        (("--set", "status.file=status"), "status exists"),
        (("--overwrite", "--set", "status.file=results"), "results are written there"),
    )
    for arguments, words in cases:
        if "--overwrite" not in arguments:
            for old in ("results", "summary"):
                if os.path.exists(old):
                    os.unlink(old)
        done = scan(*arguments)
        tap.check(done.returncode == 2 and words in done.stderr, f"{arguments[-1]}: refused",
                  f"exit {done.returncode}: {done.stderr}")  # fmt: skip
    before = len(load("status"))
    done = scan("--append", "--rate", "max", "--set", "scan.cooldown=0s", "--set", "status.file=status")
    tap.check(done.returncode == 0 and len(load("status")) > before, "--append adds to it", done.stderr)
    done = scan("--overwrite", "--rate", "max", "--set", "scan.cooldown=0s", "--set", "status.file=/dev/full")
    tap.check(done.returncode == 0 and done.stderr.count("no more status records") == 1,
              "a full disk is said once, and the scan goes on", f"exit {done.returncode}: {done.stderr}")  # fmt: skip


def main():
    tap = plugins.Tap()
    with tempfile.TemporaryDirectory(prefix="pdp-status.") as work:
        os.chdir(work)
        os.environ["HOME"] = work
        check_records(tap)
        check_files(tap)
        os.chdir("/")
    print(f"1..{tap.count}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
