#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""What is seen of a running scan, and what can be done to it: the progress line as a terminal shows it,
keys, SIGUSR1 and SIGUSR2, the control socket, and --json-status. Whatever was done, the results are the
truth, each once."""

import json
import os
import pty
import re
import select
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import termios
import time
import fcntl

import pyte

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("PRTIP_DP", os.path.join(TOP, "build", "prtip-dp"))
sys.path.insert(0, os.path.join(TOP, "tests", "soak"))
import plugins  # pylint: disable=wrong-import-position

SIM = ("--set", "dataplane.port=sim", "--set", "sim.duplicate=0.2", "--set", "scan.cooldown=500ms",
       "--set", "output.include_closed=yes", "--set", "output.overwrite=yes", "-o", "ndjson:results")  # fmt: skip
PROGRESS = re.compile(r"^ *(\d+\.\d%|cooldown|paused|loading|starting|writing) ")
STEP_S = 20  # that anything may take


def environment():
    return dict(os.environ, TERM="xterm", NO_COLOR="")


def wait_for(what, *arguments):
    end = time.monotonic() + STEP_S
    while time.monotonic() < end:
        if found := what(*arguments):
            return found
        time.sleep(0.02)
    return what(*arguments)


class Terminal:
    """A terminal with a program in it, as its foreground or background job, and what its screen shows."""

    def __init__(self, arguments, columns=80, background=False, keys=""):
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        self.screen = pyte.HistoryScreen(columns, 24, history=1000)
        self.stream = pyte.ByteStream(self.screen)
        self.raw, self.most = b"", 0
        self.status = None
        # A session leader that holds the terminal, as a shell does; the job is a group of its own.
        leader = (
            "import os,sys,signal,termios,fcntl\n"
            "os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
            "signal.signal(signal.SIGTTOU, signal.SIG_IGN)\n"
            "pid = os.fork()\n"
            "if pid == 0:\n"
            "    os.setpgid(0, 0)\n"
            f"    if not {background}: os.tcsetpgrp(0, os.getpid())\n"
            "    for number in (signal.SIGTTOU, signal.SIGINT, signal.SIGQUIT):\n"
            "        signal.signal(number, signal.SIG_DFL)\n"  # a shell ignores the latter two behind a &
            "    os.execv(sys.argv[2], sys.argv[2:])\n"
            "open(sys.argv[1], 'w').write(str(pid))\n"
            "got = os.waitpid(pid, 0)[1]\n"
            "os._exit(os.WEXITSTATUS(got) if os.WIFEXITED(got) else 200 + os.WTERMSIG(got))\n"
        )
        if os.path.exists("job"):
            os.unlink("job")
        self.process = subprocess.Popen(
            [sys.executable, "-c", leader, "job", PROGRAM, *arguments],
            stdin=self.slave, stdout=self.slave, stderr=self.slave, env=environment(),
        )  # fmt: skip
        if keys:
            os.write(self.master, keys.encode())
        self.pid = int(wait_for(lambda: os.path.exists("job") and open("job", encoding="ascii").read()))

    def read(self, seconds):
        """What came for so long, onto the screen; false at the end."""
        if not select.select([self.master], [], [], seconds)[0]:
            return self.process.poll() is None
        data = os.read(self.master, 4096)
        self.raw += data
        self.stream.feed(data)
        self.most = max(self.most, len(self.lines(PROGRESS)))
        return True

    def lines(self, pattern):
        """Those of the screen and of what scrolled off."""
        top = ["".join(row[x].data for x in range(self.screen.columns)) for row in self.screen.history.top]
        return [line.rstrip() for line in top + self.screen.display if re.search(pattern, line)]

    def until(self, pattern):
        end = time.monotonic() + STEP_S
        while time.monotonic() < end:
            if lines := self.lines(pattern):
                return lines[-1]
            if not self.read(0.1):
                break
        return ""

    def press(self, keys):
        os.write(self.master, keys.encode())

    def kill(self, number):
        os.kill(self.pid, number)

    def mode(self):
        return termios.tcgetattr(self.slave)

    def takes_keys(self):
        return not self.mode()[3] & (termios.ICANON | termios.ECHO)

    def end(self):
        end = time.monotonic() + STEP_S
        while self.read(0.1) and time.monotonic() < end:
            pass
        if self.process.poll() is None:
            self.process.kill()
        self.status = self.process.wait()
        while select.select([self.master], [], [], 0)[0]:
            self.read(0)
        mode = self.mode()
        os.close(self.master)
        os.close(self.slave)
        return mode


def truth(*arguments):
    done = subprocess.run([PROGRAM, *SIM, *arguments, "--sim-truth"], capture_output=True, text=True, check=True)
    return sorted(done.stdout.splitlines())


def results():
    with open("results", encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    return sorted(f"{r['ip']} {r['port']} {r['proto']} {r['state']}" for r in records)


def client(*words):
    done = subprocess.run([PROGRAM, "--control", "sock", *words], capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout else {}


def ask(*words):
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(STEP_S)
        raw.connect("sock")
        raw.sendall(" ".join(words).encode() + b"\n")
        line = b""
        while not line.endswith(b"\n"):
            more = raw.recv(65536)
            if not more:
                return {}
            line += more
    return json.loads(line)


def check_terminal(tap):
    space = ("-p", "80", "198.18.0.0/18")
    want = truth(*space)
    terminal = Terminal([*SIM, "--rate", "3k", *space])
    first = terminal.until(r"\d% .*sent \S+ \S+/s ")
    tap.check(re.match(r" *\d+\.\d% \d+:\d\d -\d+:\d\d sent \S+ \S+/s got \S+ \S+/s open \S+ \d\.\d+%$", first),
              "80 columns hold percent, times, rates, what was found and the hit rate", first)  # fmt: skip
    tap.check(terminal.takes_keys(), "keys come at once, and are not shown")
    terminal.press("+")
    tap.check(terminal.until("rate 3.3 kpps, before 3.0 kpps"), "+ adds a tenth")
    terminal.press("-")
    tap.check(terminal.until("rate 3.0 kpps, before 3.3 kpps"), "- takes it back")
    terminal.press("?")
    tap.check(terminal.until("^keys: "), "? shows the keys")
    terminal.press("\033[A")
    terminal.press("p")
    tap.check(terminal.until("^paused; p goes on"), "p pauses")
    tap.check(terminal.until("^paused +"), "the line says so")
    terminal.press("p")
    tap.check(terminal.until("^going on"), "and goes on")
    tap.check(not terminal.lines("% sent: "), "an arrow key is none")
    terminal.press(" ")
    state = terminal.until(r"% sent: .*kpps\s*$")
    tap.check(re.match(r"scanning, \d+\.\d% sent: 0:\d\d so far, about .* left; rate 3.0 kpps", state), "others show the state", state)
    tap.check(terminal.until(r"^  lost +nothing"), "with losses by name")
    terminal.kill(signal.SIGUSR1)
    wait_for(lambda: terminal.read(0.1) and len(terminal.lines("% sent: ")) > 1)
    tap.check(len(terminal.lines("% sent: ")) == 2, "so does SIGUSR1")
    terminal.press("/*" * 3 + "*" * 4)
    tap.check(terminal.until("rate 48.0 kpps, before 24.0"), "* and / double and halve")
    mode = terminal.end()
    tap.check(terminal.status == 0, "exit status", str(terminal.status))
    tap.check(terminal.most == 1, f"one progress line at any time, in place ({terminal.most})")
    tap.check(not terminal.lines(PROGRESS), "it vanishes at the end", str(terminal.lines(PROGRESS)))
    shown = re.findall(rb"\r\033\[K([^\r\n]*)", terminal.raw)
    widest = max(len(re.sub(rb"\033\[[0-9;]*m", b"", line)) for line in shown)
    tap.check(40 < widest < 80, f"and was never wider than 79 columns ({widest})")
    tap.check(mode == terminal.before, "the terminal is as it was")
    tap.check(results() == want, f"results are the truth, each once ({len(want)})")


def check_ends(tap):
    """Whatever ends it gives the terminal back."""
    forever = [*SIM, "--rate", "10", "-p", "80", "198.18.0.0/22"]
    for number, status in ((signal.SIGTERM, (130,)), (signal.SIGABRT, (206,)), (signal.SIGQUIT, (203,))):
        terminal = Terminal(forever)
        terminal.until(PROGRESS)
        took = wait_for(terminal.takes_keys)
        terminal.kill(number)
        mode = terminal.end()
        tap.check(took and terminal.status in status and mode == terminal.before, f"{number.name} gives the terminal back",
                  f"exit {terminal.status}, {mode[3]:x}, before {terminal.before[3]:x}")  # fmt: skip
    terminal = Terminal(forever, columns=30)
    terminal.until(PROGRESS)
    wait_for(terminal.takes_keys)
    terminal.kill(signal.SIGTSTP)
    tap.check(wait_for(lambda: state_of(terminal.pid) == "T") and terminal.mode() == terminal.before,
              "a stop gives it back, too")  # fmt: skip
    terminal.kill(signal.SIGCONT)
    tap.check(wait_for(terminal.takes_keys), "and who goes on in the foreground has keys again")
    for _ in range(3):  # not at once: signals that wait are one
        terminal.press("\003")
        time.sleep(0.2)
    tap.check(terminal.end() == terminal.before and terminal.status == 130, "Ctrl-C, three times", str(terminal.status))
    tap.check(terminal.most == 1, "in 30 columns the line does not wrap either", str(terminal.screen.display))


def state_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rsplit(")", 1)[1].split()[0]


def check_no_keys(tap):
    """A job in the background, and one whose targets are typed, leave keys and terminal alone."""
    terminal = Terminal([*SIM, "--rate", "300", "-p", "80", "198.18.0.0/24"], background=True, keys="+")
    states = set()
    while terminal.read(0.1):
        try:
            states.add(state_of(terminal.pid))
        except OSError:
            break
        if terminal.takes_keys():
            states.add("keys")
    terminal.end()
    tap.check(terminal.status == 0 and not states & {"T", "keys"} and not terminal.lines("^rate"),
              "a background job is not stopped, and takes no key", f"{terminal.status} {states}")  # fmt: skip
    terminal = Terminal([*SIM, "--rate", "300", "-p", "80", "-iL", "-"], keys="198.18.0.0/24\n\004")
    shown = terminal.until(PROGRESS)
    took = terminal.takes_keys()
    terminal.end()
    tap.check(shown and not took and terminal.status == 0, "targets that are typed are no keys", terminal.raw.decode())


def check_loading(tap):
    """A slow list of targets shows that it is being read, and then nothing of it."""
    os.mkfifo("list")
    terminal = Terminal([*SIM, "--rate", "max", "-p", "80", "-iL", "list"])
    with open("list", "w", encoding="ascii") as file:
        shown = terminal.until("^loading +0:01")
        file.write("198.18.0.0/24\n")
    terminal.end()
    tap.check(shown and terminal.status == 0 and not terminal.lines("loading"), "loading shows the time it takes",
              terminal.raw.decode())  # fmt: skip


def start(*arguments, **options):
    return subprocess.Popen([PROGRAM, *SIM, *arguments], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                            text=True, **options)  # fmt: skip


def check_socket(tap):
    space = ("-p", "80-83", "198.18.0.0/20")
    want = truth(*space)
    common = ("--rate", "1k", "--set", "control.socket=sock", "--checkpoint", "ckpt", *space)
    scan = start(*common)
    wait_for(os.path.exists, "sock")
    mode = os.lstat("sock").st_mode
    tap.check(stat.S_ISSOCK(mode) and mode & 0o7777 == 0o600, f"the socket has mode {mode & 0o7777:o}")
    status, got = client("status")
    tap.check(status == 0 and got["ok"] and got["status"]["targets"] == 16384 and got["rate_pps"] == 1000,
              "status", str(got))  # fmt: skip
    got = ask("pause")
    sent = ask("status")["status"]["probes_sent"]
    time.sleep(0.5)
    later = ask("status")["status"]
    tap.check(got["paused"] and later["probes_sent"] <= sent + 64 and later["phase"] == "paused",
              "pause: nothing is sent", f"{sent}: {later}")  # fmt: skip
    got = ask("rate", "x4")
    tap.check(got["rate_pps"] == 4000 and got["paused"], "rate x4, paused still", str(got))
    got = ask("rate", "98kbit")
    tap.check(got["rate_pps"] == 125, "98 kbit/s are 125 SYNs of 98 bytes on the wire", str(got))
    tap.check(not ask("resume")["paused"], "resume")
    status, got = client("rate", "fast")
    tap.check(status == 1 and not got["ok"] and "fast" in got["error"], "what is no rate is refused", str(got))

    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(STEP_S)
        raw.connect("sock")
        raw.sendall(b"rate 2k\nrate\nnonsense\n")
        lines = b""
        while lines.count(b"\n") < 3:
            lines += raw.recv(4096)
        answers = [json.loads(line) for line in lines.splitlines()]
        tap.check([a["ok"] for a in answers] == [True, True, False] and answers[1]["rate_pps"] == 2000,
                  "several commands in a piece have an answer each", str(answers))  # fmt: skip
        raw.sendall(b"x" * 1000)
        try:
            gone = raw.recv(1) == b""
        except ConnectionResetError:
            gone = True
        tap.check(gone, "who sends a longer line than any command is cut off")
    second = subprocess.run([PROGRAM, *SIM[:-2], *common[:4], "-o", "ndjson:other", *space], capture_output=True, text=True,
                            check=False)  # fmt: skip
    tap.check(second.returncode == 2 and "another scan listens there" in second.stderr, "a second scan does not take it over",
              f"exit {second.returncode}: {second.stderr}")  # fmt: skip
    if os.geteuid() == 0:
        os.chmod(".", 0o755)
        other = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", PROGRAM, "--control", "sock", "stop"],
                               capture_output=True, text=True, check=False)  # fmt: skip
        tap.check(other.returncode != 0 and "Permission denied" in other.stderr, "another user is refused", other.stderr)
    tap.check(ask("stop")["ok"], "stop")
    _, err = scan.communicate(timeout=STEP_S)
    tap.check(scan.returncode == 130 and "checkpoint written" in err, "it stops as by Ctrl-C", f"{scan.returncode}: {err}")

    # A scan that was killed leaves its socket.
    with socket.socket(socket.AF_UNIX) as left:
        if os.path.exists("sock"):
            os.unlink("sock")
        left.bind("sock")
    done = subprocess.run([PROGRAM, "--resume", "ckpt", "--rate", "max"], capture_output=True, text=True, check=False)
    tap.check(done.returncode == 0 and results() == want, f"resumed, where a dead socket was, to the truth ({len(want)})",
              f"exit {done.returncode}: {done.stderr}")  # fmt: skip
    for name, make in (("link", lambda: os.symlink("elsewhere", "link")), ("file", lambda: open("file", "w", encoding="ascii").close())):
        make()
        done = subprocess.run([PROGRAM, *SIM, "--set", f"control.socket={name}", "-p", "80", "198.18.0.1"],
                              capture_output=True, text=True, check=False)  # fmt: skip
        tap.check(done.returncode == 2 and os.path.lexists(name) and not os.path.exists("elsewhere"),
                  f"a {name} in its place is refused, and stays", f"exit {done.returncode}: {done.stderr}")  # fmt: skip


def check_signals(tap):
    with open("scan.ini", "w", encoding="ascii") as file:
        file.write("[scan]\nrate = 500\n")
    scan = start("-c", "scan.ini", "-p", "80", "198.18.0.0/22", "--set", "control.socket=sock2")
    # Its own handlers are there once it says something.
    first = scan.stderr.readline()
    with open("scan.ini", "w", encoding="ascii") as file:
        file.write("[scan]\nrate = bad\n")
    scan.send_signal(signal.SIGUSR2)
    lines = [first]
    while "SIGUSR2" not in lines[-1] and lines[-1]:
        lines.append(scan.stderr.readline())
    tap.check("scan.ini: [scan] rate = bad" in lines[-1] and "the rate stays as it is" in lines[-1],
              "SIGUSR2 with a rate that is none changes nothing", lines[-1])  # fmt: skip
    with open("scan.ini", "w", encoding="ascii") as file:
        file.write("[scan]\ntiming = 5\n")
    scan.send_signal(signal.SIGUSR2)
    _, err = scan.communicate(timeout=STEP_S)
    tap.check("rate 1.00 Mpps, before 500 pps" in err and scan.returncode == 0, "SIGUSR2 takes the file's rate", err)


def check_json(tap):
    read, write = os.pipe()
    scan = subprocess.Popen([PROGRAM, *SIM, "--quiet", "--json-status", "--rate", "5k", "--set", "status.interval=100ms",
                             "-p", "80-83", "198.18.0.0/21"], stdin=subprocess.DEVNULL, stderr=write)  # fmt: skip
    os.close(write)
    data = b""
    while not data:
        data = os.read(read, 65536)
    scan.send_signal(signal.SIGUSR1)
    while more := os.read(read, 65536):
        data += more
    os.close(read)
    scan.wait()
    records = []
    for line in data.decode().splitlines():
        records.append(json.loads(line))
    tap.check(scan.returncode == 0 and len(records) >= 15, f"--json-status: {len(records)} lines, all of them records")
    tap.check([r["phase"] for r in records].count("end") == 1 and records[-1]["phase"] == "end", "the last one is final")
    wrong = {rule: r for r in records for rule in plugins.broken(r)}
    tap.check(not wrong and records[-1]["results"] == len(results()), "counters agree", str(wrong))
    tap.check(all(r["records_missed"] == 0 for r in records), "none was left out")

    read, write = os.pipe()
    fcntl.fcntl(write, 1031, 4096)  # F_SETPIPE_SZ
    began = time.monotonic()
    scan = subprocess.Popen([PROGRAM, *SIM, "--json-status", "--rate", "1k", "--set", "status.interval=100ms", "-p", "80",
                             "198.18.0.0/21"], stdin=subprocess.DEVNULL, stderr=write)  # fmt: skip
    os.close(write)
    select.select([read], [], [])
    time.sleep(2)
    data = b""
    while more := os.read(read, 65536):
        data += more
    os.close(read)
    scan.wait()
    records = [json.loads(line) for line in data.decode().splitlines() if line.startswith("{")]
    elapsed = records[-1]["elapsed_s"]
    tap.check(records[-1]["phase"] == "end" and records[-1]["records_missed"] > 5 and elapsed < 10,
              "a reader that stops holds up nothing, and what it missed is counted",
              f"{time.monotonic() - began:.1f} s, {records[-1]}")  # fmt: skip


def main():
    tap = plugins.Tap()
    with tempfile.TemporaryDirectory(prefix="pdp-console.") as work:
        os.chdir(work)
        os.environ["HOME"] = work
        for check in (check_terminal, check_ends, check_no_keys, check_loading, check_socket, check_signals, check_json):
            began = time.monotonic()
            check(tap)
            print(f"# {check.__name__}: {time.monotonic() - began:.1f} s")
        os.chdir("/")
    print(f"1..{tap.count}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
