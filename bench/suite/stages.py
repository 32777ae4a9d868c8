# SPDX-License-Identifier: BSD-3-Clause
"""What the build's *_bench programs print, as numbers."""
import os
import re

from suite.lab import Missing, call

STAGE = re.compile(r"^  (\S.*?)\s{2,}([0-9.]+) cycles\s+([0-9.]+) ns")
RECORD = re.compile(r"^  (\S.*?)\s{2,}([0-9.]+) ns\s+([0-9.]+) M/s")


def read(lab, folder, name, rounds):
    """(section, stage): {"ns", maybe "cycles"}, from a program of stages."""
    program = os.path.join(lab.build, folder, name)
    if not os.access(program, os.X_OK):
        raise Missing(f"no {program}")
    ended = call([program, str(rounds)], 120)
    if ended.status:
        raise Missing(f"{name} ended with {ended.status}: {ended.stderr.strip()[-100:]}")
    found, section = {}, ""
    for line in ended.stdout.splitlines():
        if line and not line.startswith(" "):
            section = line.strip()
        stage, record = STAGE.match(line), RECORD.match(line)
        if stage:
            found[section, ' '.join(stage[1].split())] = {"cycles": float(stage[2]), "ns": float(stage[3])}
        elif record:
            found[section, ' '.join(record[1].split())] = {"ns": float(record[2])}
    if not found:
        raise Missing(f"{name} printed no stage")
    return found

