# SPDX-License-Identifier: BSD-3-Clause
"""
Figures, ratios, and tables of them, as the JSON report has them.

A figure is all samples of one quantity. A ratio is taken pair by pair: samples of the same round,
so that what else the machine did hits both sides alike.
"""
import statistics
import subprocess
import time

from suite.lab import Missing


def spread(samples):
    return {"median": statistics.median(samples), "low": min(samples), "high": max(samples)}


class Table:
    def __init__(self, ident, title, method):
        self.ident, self.title, self.method = ident, title, method
        self.figures, self.ratios, self.missing, self.notes = [], [], [], []
        self.by_name = {}

    def name_of(self, what):
        return f"{self.ident}/{what}"

    def figure(self, what, unit, samples, better="higher", goal=None, detail=None, digits=None,
               single=False):
        """@single: one run only, which says nothing of its noise."""
        samples = [s for s in samples if s is not None]
        if not samples:
            return
        entry = {"id": self.name_of(what), "what": what, "unit": unit, "better": better,
                 "samples": samples, **spread(samples)}
        if goal is not None:
            entry["goal"] = goal
        if detail:
            entry["detail"] = detail
        if digits is not None:
            entry["digits"] = digits
        if single or len(samples) == 1:
            entry["single"] = True
        self.figures.append(entry)

    def ratio(self, what, ours, theirs, goal=None, better="higher"):
        """@ours and @theirs: samples by round, None where there is none."""
        pairs = [a / b for a, b in zip(ours, theirs) if a is not None and b]
        if pairs:
            entry = {"id": self.name_of(what), "what": what, "better": better, "pairs": pairs,
                     **spread(pairs)}
            if goal is not None:
                entry["goal"] = goal
            self.ratios.append(entry)

    def miss(self, what, why):
        if all(entry["what"] != what for entry in self.missing):
            self.missing.append({"what": what, "why": " ".join(str(why).split())})

    def note(self, text):
        self.notes.append(text)

    def as_json(self):
        return {"id": self.ident, "title": self.title, "method": self.method,
                "figures": self.figures, "ratios": self.ratios, "missing": self.missing,
                "notes": self.notes}


def alternate(table, rounds, contenders, warm_up=False):
    """
    Let @contenders, (name, function), take turns. A function returns a dict of numbers; one that
    raises Missing is named and left out from then on. Returns name: [dict or None, one a round].
    """
    samples = {name: [] for name, _ in contenders}
    gone = set()
    for round_ in range(-1 if warm_up else 0, rounds):
        for name, measure in contenders:
            got = None
            if name not in gone:
                try:
                    got = measure()
                except (Missing, OSError, ValueError, KeyError, IndexError,
                        subprocess.SubprocessError) as why:
                    table.miss(name, str(why) or type(why).__name__)
                    gone.add(name)
            if round_ >= 0:
                samples[name].append(got)
    return samples


def column(samples, key):
    return [sample.get(key) if sample else None for sample in samples]


class Clock:
    """Prints what is being measured, and for how long."""

    def __init__(self, out):
        self.out, self.begin = out, time.monotonic()

    def say(self, text):
        print(f"[{time.monotonic() - self.begin:5.0f} s] {text}", file=self.out, flush=True)
