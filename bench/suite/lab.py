# SPDX-License-Identifier: BSD-3-Clause
"""
Where benchmarks run: network namespaces of this process's own, from which nothing leaves, and
programs in them whose processor time, memory and output are taken.

    scanner 198.19.0.1 --veth0--veth1-- world, which has no address: nothing of a kernel answers there

A scanner uses the spare address 198.19.0.77, which no kernel owns. All programs have a time limit.
"""
import contextlib
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SCANNER_IP, GATEWAY_IP, SPARE_IP = "198.19.0.1", "198.19.0.2", "198.19.0.77"
ROUTER_MAC = "02:00:00:00:00:01"
NET = "198.18.0.0/16"


class Missing(Exception):
    """A measurement that cannot be had, and why."""


def enter():
    """Start again inside namespaces; returns there. Everything in them ends with this process."""
    # A variable alone may have leaked into the environment: the first process of a namespace is 1.
    if "PDP_BENCH_INSIDE" in os.environ and os.getpid() == 1:
        return
    env = dict(os.environ, PDP_BENCH_INSIDE="yes")
    os.execvpe("unshare", ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child=KILL",
                           "--mount-proc", "--", sys.executable] + sys.argv, env)


def run(*command, check=True):
    return subprocess.run(command, check=check, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, timeout=30).returncode


class Ended:
    """What is known of a program that has ended."""

    def __init__(self, status, wall_s, usage, stdout, stderr, first_s):
        self.status, self.wall_s, self.stdout, self.stderr = status, wall_s, stdout, stderr
        self.cpu_s = usage.ru_utime + usage.ru_stime  # its children's too
        self.peak_kb = usage.ru_maxrss
        self.first_s = first_s  # until it wrote something to standard output; None: nothing


class Program:
    """A running program, its output in files."""

    def __init__(self, command, netns=None, stdin=subprocess.DEVNULL, env=None):
        self.command = (["ip", "netns", "exec", netns] if netns else []) + [str(c) for c in command]
        self.out, self.err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        self.begin = time.monotonic()
        self.process = subprocess.Popen(self.command, stdin=stdin, stdout=self.out, stderr=self.err,
                                        env=env)
        self.pid = self.process.pid
        self.ended = None

    def text(self, file):
        return os.pread(file.fileno(), os.fstat(file.fileno()).st_size, 0).decode(errors="replace")

    def poll(self):
        if self.ended:
            return self.ended
        pid, status, usage = os.wait4(self.pid, os.WNOHANG)
        if pid:
            self.process.returncode = os.waitstatus_to_exitcode(status)
            self.ended = Ended(self.process.returncode, time.monotonic() - self.begin, usage,
                               self.text(self.out), self.text(self.err), None)
        return self.ended

    def kill(self, number):
        if not self.poll():
            os.kill(self.pid, number)

    def wait(self, timeout, each=None, result=None):
        """
        Until it has ended; killed after @timeout. @each is called every few milliseconds; @result is
        what its standard output says first of all results.
        """
        first, deadline = None, self.begin + timeout
        while not self.poll():
            if result and first is None and re.search(result, os.pread(self.out.fileno(), 1 << 16, 0)):
                first = time.monotonic() - self.begin
            if each:
                each(self)
            if time.monotonic() > deadline:
                self.kill(signal.SIGKILL)
            time.sleep(0.002)
        if result and first is None and re.search(result, self.ended.stdout.encode()):
            first = self.ended.wall_s
        self.ended.first_s = first
        return self.ended

    def stop(self, number=signal.SIGINT, timeout=5):
        self.kill(number)
        return self.wait(time.monotonic() - self.begin + timeout)


def call(command, timeout=60, each=None, **more):
    return Program(command, **more).wait(timeout, each)


def threads_of(pid):
    """(thread, name): seconds of processor time."""
    found = {}
    for path in glob.glob(f"/proc/{pid}/task/*"):
        try:
            with open(path + "/comm") as comm, open(path + "/schedstat") as stat:
                found[path, comm.read().strip()] = int(stat.read().split()[0]) / 1e9
        except OSError:
            pass
    return found


def cpu_of(pid):
    return sum(threads_of(pid).values())


def worker_cpu(pid):
    """Of the packet lcores alone; 0: there is none yet."""
    return sum(seconds for (_, name), seconds in threads_of(pid).items()
               if re.match("(rte|lcore)-worker", name))


class Lab:
    """The wires. One of it a process, inside enter()."""

    def __init__(self, build):
        self.build = os.path.realpath(build)
        self.prtip = os.path.join(self.build, "prtip-dp")
        self.world_program = os.path.join(self.build, "bench", "world")
        run("mount", "-t", "tmpfs", "bench", "/run")
        os.makedirs("/run/netns")
        os.makedirs("/run/lock")
        self.work = tempfile.mkdtemp(dir="/run")
        run("ip", "link", "set", "lo", "up")
        for name in ("scanner", "world"):
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
            run("ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1",
                "net.ipv6.conf.default.disable_ipv6=1", "net.ipv4.icmp_ratemask=0",
                "net.ipv4.tcp_syncookies=2", "net.core.somaxconn=16384")
        run("ip", "link", "add", "veth0", "netns", "scanner", "type", "veth", "peer", "name", "veth1",
            "netns", "world")
        for name, device in (("scanner", "veth0"), ("world", "veth1")):
            run("ip", "-n", name, "link", "set", device, "up")
        run("ip", "-n", "scanner", "address", "add", SCANNER_IP + "/24", "dev", "veth0")
        run("ip", "-n", "scanner", "route", "add", NET, "via", GATEWAY_IP)
        # The far kernel has nothing to say to what packet sockets have seen already.
        run("ip", "netns", "exec", "world", "nft", "table netdev bench { chain arrived { type filter "
            "hook ingress device veth1 priority 0; policy drop; }\n}")

    def path(self, name):
        return os.path.join(self.work, name)

    def arrived(self):
        """Frames that have reached the far end of the wire."""
        done = subprocess.run(["ip", "netns", "exec", "world", "cat",
                               "/sys/class/net/veth1/statistics/rx_packets"],
                              capture_output=True, text=True, timeout=10)
        return int(done.stdout)

    def arrivals(self):
        """A function that reads the same without starting a program each time."""
        reader = subprocess.Popen(
            ["ip", "netns", "exec", "world", sys.executable, "-c",
             "import sys\nfor _ in sys.stdin:\n"
             " with open('/sys/class/net/veth1/statistics/rx_packets') as f:\n"
             "  print(f.read().strip(), flush=True)\n"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

        def read():
            reader.stdin.write("\n")
            reader.stdin.flush()
            return int(reader.stdout.readline())

        read.end = reader.kill
        return read

    @contextlib.contextmanager
    def world(self, *arguments, device="af_packet:veth1", prefix=NET):
        """A world that answers; the report is in .report once the block has ended."""
        output = self.path("world.json")
        program = Program([self.world_program, "-g", GATEWAY_IP, "-o", output, *arguments, device,
                           prefix], netns="world")
        deadline = time.monotonic() + 10
        while "ready" not in program.text(program.err):
            if program.poll() or time.monotonic() > deadline:
                program.stop(signal.SIGKILL)
                raise Missing("no world: " + program.text(program.err).strip()[-200:])
            time.sleep(0.02)
        try:
            yield program
            time.sleep(0.3)
        finally:
            ended = program.stop(signal.SIGTERM)
        if ended.status:
            raise Missing(f"the world ended with {ended.status}: {ended.stderr.strip()[-200:]}")
        with open(output) as file:
            program.report = json.load(file)

    @contextlib.contextmanager
    def trickle(self):
        """A frame to the scanner every 50 ms: masscan 1.3.2 ends only when one more arrives."""
        code = ("import socket, time\ns = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)\n"
                "s.bind(('veth1', 0))\n"
                "while True:\n s.send(b'\\xff' * 6 + b'\\x02\\0\\0\\0\\0\\x01\\x88\\xb5' + bytes(46))\n"
                " time.sleep(0.05)\n")
        program = Program([sys.executable, "-c", code], netns="world")
        try:
            yield
        finally:
            program.stop(signal.SIGKILL)

    def ours(self, *arguments, timeout=60, netns=None, each=None, cooldown="1s"):
        """A scan of ours: (summary, Ended)."""
        summary = self.path("summary")
        ended = call([self.prtip, "--quiet", "--overwrite", "--set", f"scan.cooldown={cooldown}",
                      "-o", f"summary:{summary}", *arguments], timeout=timeout, netns=netns, each=each)
        if ended.status not in (0, 3, 4):
            raise Missing(f"prtip-dp ended with {ended.status}: {ended.stderr.strip()[-200:]}")
        with open(summary) as file:
            return json.load(file), ended

    def truth(self, ports, targets=NET, **sim):
        """(ip, port): state, of the simulated network."""
        command = [self.prtip, "--set", "dataplane.port=sim", "-p", ports, "--sim-truth"]
        for name, value in sim.items():
            command += ["--set", f"sim.{name}={value}"]
        found = {}
        for line in call(command + [targets]).stdout.splitlines():
            ip, port, _, state = line.split()
            found[ip, int(port)] = state
        return found


def which(variable, name):
    """A peer's program, or why there is none."""
    program = shutil.which(os.environ.get(variable, name))
    if not program:
        raise Missing(f"no {name} in PATH; {variable}=... names one")
    return program


def first_line(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10,
                              stdin=subprocess.DEVNULL)
    except (OSError, subprocess.SubprocessError):
        return None
    for line in (done.stdout + done.stderr).splitlines():
        if line.strip():
            return line.strip()
    return None
