#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What a plugin found on web servers, what curl says of it, and what the servers' logs say of its requests.

  webtruth.py list RESULTS              `IP PORT TLS PATH` of each finding, PATH `-` where there is none
  webtruth.py curl RESULTS IP           the findings on that address beside what curl says of the same
                                        URLs, their titles by Python's own parser; prints what differs
  webtruth.py log RESULTS IP LOG PATHS  the requests in LOG, `PORT CONNECTION METHOD PATH VERSION STATUS
                                        AGENT` a line, CONNECTION "-" where it is not known; prints what is
                                        not as the plugin documents it
"""
import collections
import html.parser
import json
import os
import re
import subprocess
import sys
import tempfile


END = "-- end of an answer --"


# Pages that count requests: two looks differ.
LIVE = {"/nginx_status", "/server-status"}
# TLS on a port where it is not expected: the first request goes out plain before.
PLAIN_FIRST = 8010


def results_of(path, ip=None):
    """(address, port, results) of each record that the plugin said something of."""
    for line in open(path, encoding="utf-8"):
        record = json.loads(line)
        results = record["plugins"]["http-enum"].get("results")
        if results and ip in (None, record["ip"]):
            yield record["ip"], record["port"], results


class Title(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.inside, self.text = False, None

    def handle_starttag(self, tag, attrs):
        if tag == "title" and self.text is None:
            self.inside, self.text = True, ""

    def handle_endtag(self, tag):
        if tag == "title":
            self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.text += data


def title_of(page):
    parser = Title()
    parser.feed(page.decode("utf-8", "replace"))
    return " ".join((parser.text or "").split())[:120] or None


def curl(urls):
    """What curl says of each, with one connection as far as it is kept."""
    with tempfile.TemporaryDirectory() as folder:
        with open(f"{folder}/config", "w") as config:
            for i, url in enumerate(urls):
                config.write(f'{"next" if i else ""}\nurl = "{url}"\noutput = "{folder}/{i}"\n'
                             'silent\ninsecure\npath-as-is\nhttp1.1\nmax-time = 5\n'
                             f'write-out = "%{{json}}\\t%{{header_json}}\\n{END}\\n"\n')
        # Its proxy settings are not ours.
        done = subprocess.run(["curl", "-q", "-K", f"{folder}/config"], capture_output=True, env={
            "PATH": os.environ["PATH"], "NO_PROXY": "*", "HOME": folder})
        answers = done.stdout.decode().split(f"{END}\n")[:-1]
        for i, (url, answer) in enumerate(zip(urls, answers, strict=True)):
            facts, headers = answer.split("\t", 1)
            facts, headers = json.loads(facts), json.loads(headers)
            body = open(f"{folder}/{i}", "rb").read() if os.path.exists(f"{folder}/{i}") else b""
            yield url, facts, headers, body


def compare_with_curl(path, ip):
    found, servers = {}, {}
    for _, port, results in results_of(path, ip):
        base = f"http{'s' * results['tls']}://{ip}:{port}"
        servers[base + "/"] = results.get("server")
        found[base + "/"] = results["root"]
        found.update({base + one["path"]: one for one in results.get("paths", [])})
    for url, facts, headers, body in curl(list(found)):
        one, is_root = found[url], url in servers
        one.pop("path", None)
        kind = (facts["content_type"] or "").split(";")[0].strip().lower() or None
        want = {"status": facts["http_code"], "length": facts["size_download"], "type": kind,
                "location": headers.get("location", [None])[0]}
        if kind and "html" in kind:
            want["title"] = title_of(body)
        if facts["http_code"] >= 300 and not is_root and "title" not in one:
            # Told by HEAD, with which servers send the length or do not.
            want.pop("title", None)
            if "length" not in one:
                want.pop("length")
        if "/" + url.split("/", 3)[3] in LIVE:
            want["length"] = one["length"]
        want = {key: value for key, value in want.items() if value is not None}
        if one != want:
            print(f"{url}: found {one}, curl says {want}")
        if is_root and headers.get("server", [None])[0] != servers[url]:
            print(f"{url}: server {servers[url]}, curl says {headers.get('server')}")


def requests_of(log):
    """The plugin's requests, by port."""
    requests = collections.defaultdict(list)
    for line in open(log, encoding="utf-8"):
        words = line.split()
        if len(words) == 7 and words[6] == "prtip-lab":
            requests[int(words[0])].append(words[1:4])
    return requests


def check_server(port, results, requests, paths):
    asked = collections.Counter((method, path) for _, method, path in requests)
    connections = [requests[i][0] for i in range(len(requests))
                   if i == 0 or requests[i - 1][0] != requests[i][0]]
    made_up = {path for _, path in asked if path != "/" and path not in paths}
    for (method, path), count in asked.items():
        if method not in ("GET", "HEAD") or method == "HEAD" and path in made_up:
            yield f"{method} {path}"
        if count > 1 and not (port == PLAIN_FIRST and path in made_up and count == 2):
            yield f"{method} {path}: {count} times"
    for path in paths:
        if not asked["HEAD", path] and not asked["GET", path]:
            yield f"{path} was not asked for"
    for path in made_up:
        if not re.search(r"[a-z]{14}(\.[a-z]+)?/?$", path):
            yield f"nobody said {path}"
    if not 1 <= len(made_up) <= 20:
        yield f"{len(made_up)} made-up paths"
    # A server need not log what came to its TLS port without TLS.
    unseen = (0, 1) if port == PLAIN_FIRST else (0,)
    if results["requests"] - len(requests) not in unseen:
        yield f"{len(requests)} requests in the log, {results['requests']} in the results"
    if "-" in connections:
        return
    # One after the other: no two connections have their requests mixed.
    if len(set(connections)) != len(connections):
        yield f"two connections at once: {connections}"
    if results["connections"] - len(connections) not in unseen:
        yield f"{len(connections)} connections in the log, {results['connections']} in the results"


def check_log(results_path, ip, log, list_path):
    paths = open(list_path, encoding="utf-8").read().split()
    requests = requests_of(log)
    for _, port, results in results_of(results_path, ip):
        for wrong in check_server(port, results, requests.pop(port, []), paths):
            print(f"{port}: {wrong}")
    if requests:
        print(f"requests to {list(requests)} of which the plugin says nothing")


def list_findings(path):
    for ip, port, results in results_of(path):
        for one in results.get("paths", [{"path": "-"}]):
            print(ip, port, "tls" if results["tls"] else "plain", one["path"])


{"list": list_findings, "curl": compare_with_curl, "log": check_log}[sys.argv[1]](*sys.argv[2:])
