#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A scan that is watched: /metrics and /status.json by HTTP, and DPDK's telemetry by Debian's dpdk-telemetry.py,
against the scan's own summary; who is refused, and what the socket costs those that must not have it. In a network
namespace of its own."""

import glob
import http.client
import json
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("PRTIP_DP", os.path.join(TOP, "build", "prtip-dp"))
sys.path.insert(0, os.path.join(TOP, "tests", "soak"))
import plugins  # pylint: disable=wrong-import-position

PORT = 9464
PLUGINS = ("banner-analyzer", "http-enum")
NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})(?:\{{({NAME}=\"[^\"\\\n]*\"(?:,{NAME}=\"[^\"\\\n]*\")*)\}})? (-?[0-9.e+]+|NaN)")


def enter_namespace():
    """With loopback and nothing else."""
    if "--inside" in sys.argv:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        subprocess.run(["ip", "address", "add", "198.18.0.1/32", "dev", "lo"], check=True)
    elif os.geteuid() != 0:
        print("1..0 # SKIP root is needed to make a network namespace")
        sys.exit(77)
    else:
        os.execvp("unshare", ["unshare", "-n", sys.executable, __file__, "--inside"])


def start(name, *arguments):
    log = open(f"{name}.err", "w", encoding="utf-8")  # pylint: disable=consider-using-with
    return subprocess.Popen(
        [PROGRAM, "--set", "dataplane.port=sim", "--set", "scan.cooldown=1s", "-p", "21-24", "--overwrite",
         "-o", f"ndjson:{name}.ndjson", "-o", f"summary:{name}.sum", *arguments],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log,
    )  # fmt: skip


def said(name):
    with open(f"{name}.err", encoding="utf-8") as file:
        return file.read()


def until(what, condition, process=None, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        if process and process.poll() is not None:
            break
        time.sleep(0.05)
    raise AssertionError(f"never: {what}")


def ask(path, method="GET", host="127.0.0.1", source=None, **headers):
    """(status, headers, body), or the error."""
    connection = http.client.HTTPConnection(host, PORT, timeout=10, source_address=(source, 0) if source else None)
    try:
        connection.request(method, path, headers={key.replace("_", "-"): value for key, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode()
    except OSError as error:
        return error, {}, ""
    except http.client.HTTPException as error:
        return error, {}, ""
    finally:
        connection.close()


def raw(data, wait=10):
    """What comes back for these bytes, until the other side closes."""
    with socket.create_connection(("127.0.0.1", PORT), timeout=wait) as sock:
        sock.sendall(data)
        said_back = b""
        while True:
            try:
                part = sock.recv(65536)
            except ConnectionResetError:
                return said_back
            if not part:
                return said_back
            said_back += part


def parse(text):
    """The text format 0.0.4, strictly: {name: {labels: value}}. Raises ValueError."""
    families, samples, current = {}, {}, None
    if not text.endswith("\n"):
        raise ValueError("no newline at the end")
    for line in text[:-1].split("\n"):
        words = line.split(" ", 3)
        if words[:2] == ["#", "HELP"]:
            current = words[2]
            if current in families or not words[3:]:
                raise ValueError(f"twice, or without text: {line}")
            families[current] = None
        elif words[:2] == ["#", "TYPE"]:
            if words[2] != current or families[current] or words[3] not in ("counter", "gauge"):
                raise ValueError(line)
            families[current] = words[3]
        else:
            match = SAMPLE.fullmatch(line)
            if not match or match[1] != current or not families[current]:
                raise ValueError(f"no sample of {current}: {line}")
            if (families[current] == "counter") != current.endswith("_total"):
                raise ValueError(f"{current} is a {families[current]}")
            labels = tuple(sorted(re.findall(rf'({NAME})="([^"]*)"', match[2] or "")))
            if labels in samples.setdefault(current, {}):
                raise ValueError(f"twice: {line}")
            samples[current][labels] = float(match[3])
            if math.isnan(samples[current][labels]):
                raise ValueError(line)
    return samples


def value(samples, name, **labels):
    return samples[name][tuple(sorted(labels.items()))]


def sums(tap, samples, record, when):
    """What the metrics say, by the record."""
    for name, key in (("probes_sent_total", "probes_sent"), ("duplicates_total", "duplicates"),
                      ("received_frames_total", "rx_frames"), ("results_total", "results"),
                      ("results_hidden_total", "hidden"), ("targets", "targets")):  # fmt: skip
        tap.check(value(samples, "prtip_" + name) == record[key], f"{when}: prtip_{name} is the record's {key}")
    parts = {"answered_total": ("state", record["states"]), "responses_total": ("kind", record["responses"]),
             "lost_total": ("where", record["lost_by"])}  # fmt: skip
    for name, (label, wanted) in parts.items():
        got = {dict(labels)[label]: int(v) for labels, v in samples["prtip_" + name].items()}
        tap.check(got == wanted, f"{when}: prtip_{name} by {label}", f"{got}, {wanted}")


def check_metrics(tap):
    scan = start("watched", "--rate", "1k", "--set", f"metrics.listen=127.0.0.1:{PORT}", "--set", "metrics.telemetry=on",
                 "--set", "plugins.enable=" + ",".join(PLUGINS), "--set", "banner.enable=on",
                 "--set", "banner.wait=500ms", "--set", "sim.duplicate=0.2", "--set", "status.file=watched.status",
                 "--set", "status.interval=100ms", "198.18.0.0/18")  # fmt: skip
    until("results", lambda: json.loads(ask("/status.json")[2] or '{"results":0}')["results"] > 20, scan)
    status, headers, text = ask("/metrics")
    tap.check((status, headers.get("content-type")) == (200, "text/plain; version=0.0.4; charset=utf-8"),
              "/metrics: status and type", str(headers))  # fmt: skip
    first = parse(text)
    tap.check(True, f"/metrics is in the text format ({len(first)} families)")
    with open(os.path.join(TOP, "docs", "watching.md"), encoding="utf-8") as file:
        known = {name for row in file if row.startswith("| `prtip_") for name in re.findall("`(prtip_[a-z_]+)`", row.split("|")[1])}
    tap.check(known == set(first), "docs/watching.md has each of them", str(known ^ set(first)))
    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
        tap.check(done.returncode == 0 and not done.stderr, "promtool finds nothing", done.stderr)
    tap.check(value(first, "prtip_phase", phase="scanning") == 1 and sum(first["prtip_phase"].values()) == 1,
              "the phase is one of them", str(first["prtip_phase"]))  # fmt: skip
    for name in PLUGINS:
        cpu = until(f"{name}'s lanes have used time", lambda name=name: value(
            parse(ask("/metrics")[2]), "prtip_plugin_lane_cpu_seconds_total", plugin=name), scan)  # fmt: skip
        tap.check(cpu > 0, f"{name}: its lanes' time is known while they run ({cpu:.3f} s)")
        offered = value(first, "prtip_plugin_offered_total", plugin=name)
        got = sum(v for labels, v in first["prtip_plugin_results_total"].items() if ("plugin", name) in labels)
        tap.check(offered == got + value(first, "prtip_plugin_waiting", plugin=name) > 0,
                  f"{name}: offered is what came back and what waits")  # fmt: skip
    sent = value(first, "prtip_probes_sent_total")
    second = until("more probes", lambda: value(s := parse(ask("/metrics")[2]), "prtip_probes_sent_total") > sent and s, scan)
    fell = [name for name in first if name.endswith("_total") for labels in first[name]
            if second[name][labels] < first[name][labels]]  # fmt: skip
    tap.check(not fell, "counters grow, and none falls", str(fell))
    check_record(tap, scan)
    check_requests(tap)
    check_holders(tap, scan)
    check_telemetry(tap)
    scan.send_signal(signal.SIGINT)
    tap.check(scan.wait(60) == 130, "it is interrupted as ever", said("watched"))
    tap.check(not glob.glob("run/dpdk/rte/dpdk_telemetry*"), "DPDK's socket is removed")


def check_record(tap, scan):
    """The same record as the file's, and one that keeps its rules."""
    record = json.loads(ask("/status.json")[2])
    tap.check(not plugins.broken(record), "/status.json keeps the rules of records", str(plugins.broken(record)))

    def in_file():
        with open("watched.status", encoding="utf-8") as file:
            lines = file.read().splitlines()
        return json.loads(lines[-1])

    other = until("a record in the file", in_file, scan)
    tap.check(list(record) == list(other), "/status.json has the fields of the file's records")


def check_requests(tap):
    for path in ("/", "/metrics", "/status.json"):
        got = ask(path)
        head = ask(path, "HEAD")
        tap.check(got[0] == head[0] == 200 and head[2] == "", f"{path}: GET and HEAD")
        policy = got[1].get("content-security-policy", "")
        tap.check("default-src 'none'" in policy and "unsafe" not in policy and "*" not in policy
                  and got[1].get("x-content-type-options") == "nosniff"
                  and not any(name.startswith("access-control") for name in got[1]),
                  f"{path}: policy, and no CORS", str(got[1]))  # fmt: skip
    for path in ("/nothing", "/metrics/", "//", "/../etc/passwd", "/page.js", "/" + "x" * 9000):
        tap.check(ask(path)[0] == 404, f"404 for {path[:20]}", str(ask(path)[0]))
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT"):
        status, headers, _ = ask("/metrics", method)
        tap.check((status, headers.get("allow")) == (405, "GET, HEAD"), f"405 for {method}", f"{status} {headers}")
    for host, wanted in (("127.0.0.1", 200), (f"localhost:{PORT}", 200), ("[::1]:1", 200), ("evil.example", 421),
                         (f"evil.example:{PORT}", 421), ("127.0.0.1.evil.example", 421)):  # fmt: skip
        tap.check(ask("/status.json", Host=host)[0] == wanted, f"Host: {host} is {wanted}")
    for what, data in (("a request without Host", b"GET /metrics HTTP/1.1\r\n\r\n"),
                       ("an old one without Host", b"GET /metrics HTTP/1.0\r\n\r\n"),
                       ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"),
                       ("headers without end", b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20000)):  # fmt: skip
        said_back = raw(data)
        tap.check(not said_back or re.match(rb"HTTP/1\.[01] 4\d\d ", said_back), f"{what} is refused", str(said_back[:90]))
    # Some that say nothing take neither the others' places for long nor for ever.
    silent = [socket.create_connection(("127.0.0.1", PORT)) for _ in range(40)]
    until("an answer beside those who say nothing", lambda: ask("/metrics")[0] == 200, seconds=20)
    tap.check(True, "40 silent connections are closed, and others are answered")
    for sock in silent:
        sock.close()


def check_holders(tap, scan):
    """Of the listening socket: the scan itself, and neither warden nor lanes."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        inodes = {f"socket:[{line.split()[9]}]" for line in file if f":{PORT:04X} " in line and " 0A " in line}
    holders = set()
    for link in glob.glob("/proc/[0-9]*/fd/*"):
        try:
            if os.readlink(link) in inodes:
                holders.add(int(link.split("/")[2]))
        except OSError:
            pass
    tap.check(holders == {scan.pid}, "only the scan's main process has the socket", f"{holders}, {scan.pid}")
    masks = set()
    for path in glob.glob(f"/proc/{scan.pid}/task/*/status"):
        with open(path, encoding="ascii") as file:
            masks.add(re.search(r"CapEff:\s*([0-9a-f]+)", file.read())[1])
    # With ThreadSanitizer capabilities are dropped in the main thread only (control/privilege.c).
    wanted = {"0" * 16} if os.environ.get("PDP_SANITIZED") != "thread" else masks
    tap.check(masks == wanted, "and none of its threads has a capability", str(masks))


def telemetry(*commands):
    done = subprocess.run(["dpdk-telemetry.py"], input="\n".join(commands) + "\n", capture_output=True, text=True,
                          check=False, timeout=30)  # fmt: skip
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")], done.stderr


def check_telemetry(tap):
    if not shutil.which("dpdk-telemetry.py"):
        print("# no dpdk-telemetry.py")
        return
    tap.check(f"telemetry: {os.getcwd()}/run/dpdk/rte/dpdk_telemetry.v2" in said("watched"), "the start line has its socket",
              said("watched"))  # fmt: skip
    before = json.loads(ask("/status.json")[2])
    answers, error = telemetry("/", "/prtip/stats", "/prtip/plugins", "/prtip/config", "/prtip/config,metrics",
                               "/prtip/config,nonsense", "/help,/prtip/stats")  # fmt: skip
    after = json.loads(ask("/status.json")[2])
    # The list of commands is not shown where there is no terminal; what is asked is.
    by = {next(iter(answer)): answer for answer in answers}
    tap.check({"/prtip/stats", "/prtip/plugins", "/prtip/config"} <= set(by), "the commands answer", f"{answers} {error}")
    stats = by["/prtip/stats"]["/prtip/stats"]
    for key in ("probes_sent", "rx_frames", "unique", "results"):
        tap.check(before[key] <= stats[key] <= after[key], f"/prtip/stats: {key} lies between two records",
                  f"{before[key]} {stats[key]} {after[key]}")  # fmt: skip
    tap.check(stats["phase"] == "scanning" and set(stats["lost_by"]) == set(before["lost_by"]) and stats["targets"] == 65536,
              "/prtip/stats: phase, losses, targets", str(stats))  # fmt: skip
    shown = by["/prtip/plugins"]["/prtip/plugins"]
    tap.check(set(shown) == {"banner_analyzer", "http_enum"}, "/prtip/plugins has each", str(shown))
    tap.check(all(before["plugins"][name]["ok"] <= shown[name.replace("-", "_")]["ok"] <= after["plugins"][name]["ok"]
                  for name in PLUGINS), "with what became of its results", str(shown))  # fmt: skip
    config = [answer["/prtip/config"] for answer in answers if "/prtip/config" in answer]
    tap.check(config[0]["scan/rate"] == "1k" and config[0]["plugins/enable"] == ", ".join(PLUGINS),
              "/prtip/config is the merged configuration", str(config[0]))  # fmt: skip
    tap.check(config[1] == {"metrics/listen": f"127.0.0.1:{PORT}", "metrics/allow": "", "metrics/telemetry": "on"},
              "/prtip/config,metrics is that section", str(config[1]))  # fmt: skip
    tap.check(config[2] is None, "/prtip/config,nonsense is null", str(config[2]))
    tap.check("counters" in str(answers[-1]), "/help knows them", str(answers[-1]))


def truth():
    """How many pairs are open, as the simulated network itself says."""
    done = subprocess.run([PROGRAM, "--set", "dataplane.port=sim", "-p", "21-24", "--sim-truth", "198.18.0.0/22"],
                          capture_output=True, text=True, check=True)  # fmt: skip
    return done.stdout.count(" open\n")


def check_resumed(tap):
    """Counts go on; where it listens is kept with the checkpoint."""
    scan = start("resumed", "--rate", "2k", "--set", f"metrics.listen=[::1]:{PORT}", "--checkpoint", "ckpt",
                 "198.18.0.0/22")  # fmt: skip
    first = until("half of it", lambda: (r := ask("/status.json", host="::1"))[0] == 200
                  and json.loads(r[2])["probes_sent"] > 1000 and json.loads(r[2]), scan)  # fmt: skip
    scan.send_signal(signal.SIGINT)
    tap.check(scan.wait(60) == 130, "a scan that listens on ::1 is interrupted", said("resumed"))
    with open("resumed.err", "w", encoding="utf-8") as log:
        scan = subprocess.Popen([PROGRAM, "--resume", "ckpt"], stderr=log)  # pylint: disable=consider-using-with
    record = until("its first record", lambda: (r := ask("/status.json", host="::1"))[0] == 200
                   and json.loads(r[2]), scan)  # fmt: skip
    samples = parse(ask("/metrics", host="::1")[2])
    tap.check(not plugins.broken(record), "its first record keeps the rules of records", str(plugins.broken(record)))
    tap.check(record["resumed"] == value(samples, "prtip_resumed") == 1 and record["probes_sent"] >= first["probes_sent"],
              "a resumed scan is watched where it was, and its counts go on", str(record))  # fmt: skip
    last = {}
    while got := [ask(path, host="::1")[2] for path in ("/metrics", "/status.json")]:
        if not all(got):
            break
        last = got
    tap.check(scan.wait(60) == 0, "and it comes to its end", said("resumed"))
    with open("resumed.sum", encoding="utf-8") as file:
        summary = json.load(file)
    # In the cooldown nothing moves any more: what was published then is what the scan came to.
    samples, record = parse(last[0]), json.loads(last[1])
    sums(tap, samples, record, "at the end")
    for key in ("targets", "probes_sent", "rx_frames", "validated", "duplicates", "hidden", "results", "responses"):
        tap.check(record[key] == summary[key], f"the last record: {key} is the summary's", f"{record[key]}, {summary[key]}")
    tap.check(record["lost_by"] == summary["lost"] and record["states"]["open"] == summary["open"] == truth(),
              "so are losses, and what is open, which is the network's truth", f"{record}, {summary}")  # fmt: skip


def check_places(tap):
    """Where it listens, and for whom."""
    refused = (
        ((f"metrics.listen=198.18.0.1:{PORT}",), "[metrics] allow = "),
        ((f"metrics.listen=0.0.0.0:{PORT}",), "[metrics] allow = "),
        ((f"metrics.listen=[::]:{PORT}",), "[metrics] allow = "),
        (("metrics.allow=198.18.0.0/24",), "without [metrics] listen"),
        ((f"metrics.listen=198.18.0.9:{PORT}", "metrics.allow=198.18.0.0/24"), "no interface of this machine"),
        (("metrics.listen=localhost:9464",), "localhost"),
        (("metrics.listen=127.0.0.1",), "127.0.0.1:9464"),
        (("metrics.listen=::1:9464",), "brackets"),
        (("metrics.listen=127.0.0.1:0",), "0"),
        ((f"metrics.listen=127.0.0.1:{PORT}", "metrics.allow=198.18.0.1/24"), "bits behind its length"),
        ((f"metrics.listen=127.0.0.1:{PORT}", "metrics.allow=198.18.0.1,,"), "address"),
        (("metrics.telemetry=perhaps",), "perhaps"),
    )  # fmt: skip
    for settings, words in refused:
        scan = start("place", *(part for setting in settings for part in ("--set", setting)), "198.18.0.0/31")
        tap.check(scan.wait(60) == 2 and words in said("place") and said("place").count("\n") == 1,
                  f"refused: {' '.join(settings)}", said("place"))  # fmt: skip
    with open("place.ndjson", "w", encoding="utf-8") as file:
        file.write("kept\n")
    with socket.create_server(("127.0.0.1", PORT)):
        scan = start("place", "--set", f"metrics.listen=127.0.0.1:{PORT}", "198.18.0.0/31")
        tap.check(scan.wait(60) == 2 and "another program listens there" in said("place"), "a port that is taken: exit 2",
                  said("place"))  # fmt: skip
    with open("place.ndjson", encoding="utf-8") as file:
        tap.check(file.read() == "kept\n", "and an output that was to be replaced is untouched")
    scan = start("place", "--set", f"metrics.listen=0.0.0.0:{PORT}", "--set", "metrics.allow=198.18.0.1, 198.18.4.0/24",
                 "--rate", "100", "198.18.0.0/25")  # fmt: skip
    until("an answer", lambda: ask("/status.json", host="198.18.0.1", source="198.18.0.1")[0] == 200, scan)
    tap.check(True, "who is allowed is answered")
    tap.check(not isinstance(ask("/status.json", source="127.0.0.1")[0], int), "who is not gets no answer")
    tap.check("warning: [metrics] listen = 0.0.0.0:9464: what is sent there is neither encrypted" in said("place"),
              "and the operator is warned", said("place"))  # fmt: skip
    scan.kill()
    scan.wait()


def check_user(tap):
    """Another user than root needs a folder of its own for the socket, or there is none."""
    environment = {k: v for k, v in os.environ.items() if k not in ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR")}
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", PROGRAM, "--set",
                           "dataplane.port=sim", "--set", "metrics.telemetry=on", "-p", "1", "198.18.0.0/31"],
                          capture_output=True, text=True, check=False, env=environment, timeout=60)  # fmt: skip
    tap.check(done.returncode == 2 and "XDG_RUNTIME_DIR" in done.stderr, "telemetry below /tmp is refused", done.stderr)


def main():
    enter_namespace()
    tap = plugins.Tap()
    with tempfile.TemporaryDirectory(prefix="pdp-watching.") as work:
        os.chdir(work)
        os.chmod(work, 0o755)
        os.environ["HOME"] = work
        os.environ["RUNTIME_DIRECTORY"] = os.path.join(work, "run")
        os.mkdir("run")
        check_metrics(tap)
        check_resumed(tap)
        check_places(tap)
        check_user(tap)
        os.chdir("/")
    print(f"1..{tap.count}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
