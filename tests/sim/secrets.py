#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The cookie key is in no dump, no log and no output of a scan.

The key is taken from the running scan by a debugger, as root may; SipHash's state, of which it can be
computed, is what the program keeps. Then a dump of the process is searched for each word of it.
"""

import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time


TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("PRTIP_DP", os.path.join(TOP, "build", "prtip-dp"))
MAGIC = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
number = failed = 0


def check(what, good, note=""):
    global number, failed
    number += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {number} - {what}", flush=True)
    if not good and note:
        print(f"# {note}")


def skip_all(why):
    print(f"1..0 # SKIP {why}")
    sys.exit(77)


def debug(pid, *commands):
    arguments = [x for command in commands for x in ("-ex", command)]
    return subprocess.run(
        ["gdb", "-nx", "-batch", "-iex", "set auto-load off", "-iex", "set auto-solib-add off",
         "-p", str(pid), "-ex", "sharedlibrary libc"] + arguments,
        capture_output=True, text=True, timeout=200, check=False).stdout


def scan(*arguments, **environment):
    for name in ("out.ndjson", "out.sum"):
        if os.path.exists(name):
            os.unlink(name)
    return subprocess.Popen(
        [PROGRAM, "--set", "dataplane.port=sim", "--rate", "500", "-p", "1-1000", "198.18.0.0/24",
         "-o", "ndjson:out.ndjson", "-o", "summary:out.sum", "--overwrite", *arguments],
        stdin=subprocess.DEVNULL, stdout=open("out", "w"), stderr=open("err", "w"),
        env={**os.environ, **environment})


def until_sending(process):
    for _ in range(1200):
        if os.path.exists("out.ndjson") and os.path.getsize("out.ndjson"):
            return True
        if process.poll() is not None:
            return False
        time.sleep(0.05)
    return False


def words(key_words):
    """The key itself, and the state that is made of it, as bytes and in hexadecimal."""
    state = [key_words[i % 2] ^ MAGIC[i] for i in range(4)]
    return [w.to_bytes(8, "little") for w in [*key_words, *state]]


def count(name, needles):
    """How often any of the needles is in the file."""
    with open(name, "rb") as file:
        data = file.read()
    return sum(data.count(needle) for needle in needles)


def memory_of(name):
    """The memory in a core dump, without its notes: they have the registers, which nothing hides."""
    with open(name, "rb") as file:
        data = file.read()
    at, = struct.unpack_from("<Q", data, 32)
    size, number_of = struct.unpack_from("<HH", data, 54)
    with open("memory", "wb") as out:
        for i in range(number_of):
            kind, _, start, _, _, length = struct.unpack_from("<IIQQQQ", data, at + i * size)
            if kind == 1:
                out.write(data[start:start + length])
    return "memory"


def main():
    if not shutil.which("gdb"):
        skip_all("no gdb")
    if os.geteuid() != 0:
        skip_all("needs root, to look into another process")

    if re.search(b"__[at]san_init", open(PROGRAM, "rb").read()):
        skip_all("the shadow memory of sanitizers is too large to dump")

    # --- As it comes: no dump at all ---
    process = scan("-v")
    check("the scan runs", until_sending(process), open("err").read())
    with open(f"/proc/{process.pid}/limits") as file:
        core = next(line for line in file if line.startswith("Max core file size"))
    check("no core file may be written", core.split()[4:6] == ["0", "0"], core)
    other = subprocess.run(
        ["setpriv", "--reuid", "0", "--regid", "0", "--clear-groups", "--bounding-set=-all",
         "--inh-caps=-all", "cat", f"/proc/{process.pid}/maps"],
        capture_output=True, check=False)
    check("a process of the same user without CAP_SYS_PTRACE cannot look into it",
          other.returncode != 0)
    process.send_signal(signal.SIGABRT)
    process.wait(timeout=60)
    check("a signal that dumps leaves no core file",
          process.returncode == -signal.SIGABRT and not [x for x in os.listdir(".") if "core" in x],
          f"status {process.returncode}, {os.listdir('.')}")

    # --- Where the operator wants dumps ---
    # With checkpoints, which hold the key, too.
    process = scan("-v", "--checkpoint", "scan.ckpt", "--set", "checkpoint.interval=300ms", PRTIP_COREDUMP="1")
    check("a scan that may be dumped runs", until_sending(process), open("err").read())
    maps = open(f"/proc/{process.pid}/smaps").read()
    shown = debug(
        process.pid, "set pagination off", "thread 1",
        *["frame function run_scan", "p/x run->engine->port[0].scan.env.cookie.v",
          "p/x run->engine->port[0].single[0].env.cookie.v", "p run->engine"],
        "gcore dump")
    states = re.findall(r"= \{(0x\w+), (0x\w+), (0x\w+), (0x\w+)\}", shown)
    if len(states) != 2 or not os.path.exists("dump"):
        process.kill()
        print(f"# {shown[-1500:]}")
        check("the debugger shows the key and dumps", False)
    else:
        secret = []
        for state in states:
            v = [int(x, 16) for x in state]
            secret += words([v[0] ^ MAGIC[0], v[1] ^ MAGIC[1]])
        check("what the debugger shows is a key's state",
              all(int(s[0], 16) ^ int(s[2], 16) == MAGIC[0] ^ MAGIC[2] for s in states))
        engine = int(re.search(r"\(struct dp_engine \*\) (0x\w+)", shown)[1], 16)
        flags = ""
        for entry in re.finditer(r"^([0-9a-f]+)-([0-9a-f]+) .*?^VmFlags: ([^\n]*)", maps, re.M | re.S):
            if int(entry[1], 16) <= engine < int(entry[2], 16):
                flags = entry[3]
        check("its memory is in no dump, and in no child",
              {"dd", "wf"} <= set(flags.split()), flags)
        # That the dump has something in it, and the search would find it.
        dump = memory_of("dump")
        check("the dump has the program's own text", count(dump, [b"198.18.0.0/24"]) > 0)
        with open(f"/proc/{process.pid}/mem", "rb") as memory:
            memory.seek(engine & ~4095)
            live = memory.read(1 << 16)
        check("the words are in the memory of the scan", any(live.count(x) for x in secret))
        check("and in no memory of its dump", count(dump, secret) == 0,
              f"each {[count(dump, [x]) for x in secret]} times")
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        said = [x.hex().encode() for x in secret] + [x[::-1].hex().encode() for x in secret]
        for name in ("out", "err", "out.ndjson", "out.sum"):
            check(f"nor in {name}", count(name, secret + said) == 0)
    print(f"1..{number}")
    return failed > 0


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="pdp-secrets.") as work:
        os.chdir(work)
        sys.exit(main())
