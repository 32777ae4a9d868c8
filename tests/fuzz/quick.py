#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Each fuzz target for some seconds, a minute in all: first the inputs of the corpus, then new ones.

What they find in the long run is for `make fuzz`; this shows that the targets build, that no input that
is known does harm, and that they still reach the code that they are for.
"""

import concurrent.futures
import importlib.machinery
import importlib.util
import os
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
WALL_S = 60
JOBS = 2


def load_run():
    """tests/fuzz/run, which has no ending."""
    path = os.path.join(FOLDER, "run")
    loader = importlib.machinery.SourceFileLoader("fuzz_run", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("fuzz_run", loader))
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    return module


def declared():
    """The targets that there are sources of."""
    return sorted(f[5:-2] for f in os.listdir(FOLDER) if f.startswith("fuzz_") and f.endswith(".c"))


def main():
    run = load_run()
    built = run.targets()
    names = declared()
    if not built:
        print("1..0 # SKIP no fuzzers are built: make fuzz-build")
        return 77
    print(f"1..{2 * len(names)}")
    seconds = max(1, WALL_S * JOBS // len(names) - 1)  # a second for start and replay
    failed = number = 0
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        present = [name for name in names if name in built]
        outcomes = dict(zip(present, pool.map(lambda name: run.fuzz(name, seconds=seconds), present)))
    for name in names:
        outcome = outcomes.get(name)
        replayed = run.last(r"INITED cov: (\d+)", outcome.text) if outcome else 0
        checks = (
            (outcome and not outcome.crash, f"{name}: nothing that ends it"),
            (outcome and outcome.runs > 0 and replayed > 0.9 * outcome.reached,
             f"{name}: the corpus reaches what there is to reach, {replayed} edges of {outcome.reached if outcome else 0}"),
        )
        for good, what in checks:
            number += 1
            failed += not good
            print(f"{'ok' if good else 'not ok'} {number} - {what}")
        if outcome is None:
            print("# it is not built")
            continue
        print("# " + run.describe(outcome).replace("\n", "\n# "))
        if outcome.crash:
            print("# " + outcome.text[-4000:].replace("\n", "\n# "))
    total = sum(outcome.runs for outcome in outcomes.values())
    print(f"# {total:,} executions of {len(outcomes)} targets, {seconds} s each")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
