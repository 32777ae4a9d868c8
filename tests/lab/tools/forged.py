#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""forged.py NAME SUMMARY FORGE WORLD WANT GOT OWN LEAST SENT TX_DROPPED ARRIVED RX_DROPPED

Judges a scan under attack: the records against the truth, and each frame of the adversary against what
the scanner counted. SUMMARY is the scanner's, FORGE what bench/forge and WORLD what bench/world wrote;
WANT and GOT are sorted `ip port proto state` lines, OWN those of the adversary's own addresses; SENT
to RX_DROPPED are the kernel's counters of both ends of the wire. Prints `ok -` and `not ok -` lines.
"""

import json
import sys
from collections import Counter


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def lines(path):
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def check(good, what, why=""):
    print(("ok - " if good else "not ok - ") + what)
    if not good and why:
        print(f"#   {why}")


def check_records(name, want, got, missed):
    """Each true one once and none besides; what the device lost may lack."""
    false = [line for line in got if line not in want]
    check(not false, f"{name}: no record but true ones ({len(got)})", "; ".join(false[:5]))
    twice = [line for line, n in Counter(got).items() if n > 1]
    check(not twice, f"{name}: none twice", "; ".join(twice[:5]))
    lacks = sorted(want - set(got))
    check(len(lacks) <= missed, f"{name}: each true one ({len(want)}; the device lost {missed})",
          f"{len(lacks)} lack: " + "; ".join(lacks[:5]))  # fmt: skip


def check_fates(name, summary, forge, missed):
    """Each forged frame is counted by its reason, or lost in the device."""
    fate = forge["fate"]
    counted = {
        "rejected": summary["rejected"],
        "other": summary["ignored"]["other"],
        "malformed": summary["ignored"]["malformed"],
        "bad_checksum": summary["ignored"]["bad_checksum"],
    }
    short = 0
    for reason, n in counted.items():
        sent = fate[reason]
        short += sent - n
        check(sent - missed <= n <= sent, f"{name}: {reason}: {n} of {sent} forged")
    check(short <= missed, f"{name}: what is not counted was lost in the device",
          f"{short} uncounted, {missed} lost")  # fmt: skip


def check_repeats(name, summary, forge, world, own, missed):
    """Answers beyond the first of a pair are duplicates: two of the adversary's three."""
    extra = forge["fate"]["answer"] - len(set(own))
    n = summary["duplicates"]
    check(extra - missed <= n <= extra,
          f"{name}: repeats are duplicates ({n} of {extra})")  # fmt: skip
    check(summary["validated"] <= world["answers"] + forge["fate"]["answer"],
          f"{name}: no more answers were believed than were given")  # fmt: skip


def check_wire(name, summary, forge, world, wire):
    sent, tx_dropped, arrived, rx_dropped = wire
    forged = sum(forge["fate"].values())
    said = forged + world["answers"]
    check(sent + tx_dropped == said, f"{name}: the far interface sent what the far side did ({said})",
          f"sent {sent}, dropped {tx_dropped}, written {said}")  # fmt: skip
    seen = summary["rx_frames"] + summary["lost"]["rx_missed"]
    check(arrived == sent and seen == arrived,
          f"{name}: what arrived was seen, or counted as missed ({summary['lost']['rx_missed']})",
          f"arrived {arrived}, dropped {rx_dropped}, seen or missed {seen}")  # fmt: skip


def main():
    name, *paths = sys.argv[1:8]
    summary, forge, world = (load(path) for path in paths[:3])
    want, got, own = (lines(path) for path in paths[3:6])
    least, *wire = (int(word) for word in sys.argv[8:13])
    missed = summary["lost"]["rx_missed"]
    for kind, n in sorted(forge["kind"].items()):
        print(f"#   {kind} {n}")
    check(forge["forged"] >= least, f"{name}: {forge['forged']} frames were forged", f"wanted {least}")
    check(len(own) > 50 and len(want) > 2 * len(own) / 3, f"{name}: there is a truth to find")
    check_records(name, set(want), got, missed)
    check_fates(name, summary, forge, missed)
    check_repeats(name, summary, forge, world, own, missed)
    check_wire(name, summary, forge, world, wire)


if __name__ == "__main__":
    main()
