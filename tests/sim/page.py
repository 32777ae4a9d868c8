#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The status page of a running scan in headless Chromium: what it shows is what /status.json says, it asks nobody
else, the console stays empty, it fits a telephone, and it says so when the scan has ended. In a network namespace of
its own. PAGE_SHOTS=FOLDER keeps pictures."""

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("PRTIP_DP", os.path.join(TOP, "build", "prtip-dp"))
sys.path.insert(0, os.path.join(TOP, "tests", "soak"))
import plugins  # pylint: disable=wrong-import-position

URL = "http://127.0.0.1:9464/"
SHOTS = os.environ.get("PAGE_SHOTS")

# What the page shows, as numbers where they are.
SHOWN = """(() => {
    const text = (id) => document.getElementById(id).textContent;
    const number = (text) => Number(text.replaceAll(",", ""));
    const rows = (id) => Object.fromEntries([...document.querySelectorAll(`#${id} tr[data-name]`)]
        .map((row) => [row.dataset.name, number(row.lastChild.textContent)]));
    return {ts: text("ts"), phase: text("phase"), title: document.title,
        probes_sent: number(text("probes_sent")), unique: number(text("unique")), results: number(text("results")),
        lost: number(text("lost")), states: rows("states"), responses: rows("responses"), lost_by: rows("lost_by"),
        plugins: Object.fromEntries([...document.querySelectorAll("#plugins tr[data-name]")]
            .map((row) => [row.dataset.name, [...row.children].slice(1, 3).map((cell) => number(cell.textContent))])),
        bad: [...document.querySelectorAll("td.bad, dd.bad")].map((cell) => getComputedStyle(cell).color),
        points: document.getElementById("line").getAttribute("points").split(" ").filter(Boolean).length,
        done: Number(document.getElementById("done").getAttribute("width")),
        wide: document.documentElement.scrollWidth, window: innerWidth,
        paper: getComputedStyle(document.body).backgroundColor, ink: getComputedStyle(document.body).color};
})()"""


def enter_namespace():
    """With loopback and nothing else: what the browser wants of others it cannot reach."""
    if "--inside" in sys.argv:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    elif os.geteuid() != 0 or not shutil.which("chromium"):
        print("1..0 # SKIP root is needed to make a network namespace, and Debian's chromium")
        sys.exit(77)
    else:
        os.execvp("unshare", ["unshare", "-n", sys.executable, __file__, "--inside"])


class Browser:
    """Chromium, spoken to by its DevTools protocol over two pipes (descriptors 3 and 4), JSON with a NUL behind."""

    def __init__(self, profile):
        there, self.out = os.pipe()
        self.into, back = os.pipe()
        script = f"exec 3<&{there} 4>&{back}; exec chromium --headless --no-sandbox --disable-gpu --hide-scrollbars" \
            " --disable-dev-shm-usage --no-first-run --disable-background-networking --remote-debugging-pipe" \
            f" --user-data-dir={profile} about:blank"  # fmt: skip
        self.process = subprocess.Popen(["bash", "-c", script], pass_fds=(there, back), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        os.close(there)
        os.close(back)
        self.number, self.rest, self.events, self.session = 0, b"", [], None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(domain + ".enable")

    def message(self):
        while b"\0" not in self.rest:
            part = os.read(self.into, 1 << 20)
            if not part:
                raise AssertionError("chromium ended")
            self.rest += part
        one, self.rest = self.rest.split(b"\0", 1)
        return json.loads(one)

    def call(self, method, **parameters):
        self.number += 1
        wanted = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            wanted["sessionId"] = self.session
        os.write(self.out, json.dumps(wanted).encode() + b"\0")
        while True:
            got = self.message()
            if got.get("id") == self.number:
                if "error" in got:
                    raise AssertionError(f"{method}: {got['error']}")
                return got["result"]
            self.events.append(got)

    def evaluate(self, expression):
        got = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in got:
            raise AssertionError(str(got["exceptionDetails"]))
        return got["result"].get("value")

    def shown(self):
        return self.evaluate(SHOWN)

    def look(self, width, scheme, name):
        """As a window of that width shows it, in light or dark colours."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=1000, deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        if SHOTS:
            picture = self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"]
            with open(os.path.join(SHOTS, name + ".png"), "wb") as file:
                file.write(base64.b64decode(picture))
        return self.shown()

    def problems(self):
        """What the console says, and to whom else it spoke."""
        found = []
        for event in self.events:
            method, p = event.get("method"), event.get("params", {})
            if method == "Runtime.exceptionThrown":
                found.append(p["exceptionDetails"].get("text"))
            elif method == "Log.entryAdded" and p["entry"]["level"] in ("error", "warning"):
                found.append(p["entry"]["text"])
            elif method == "Runtime.consoleAPICalled":
                found.append(str(p["args"]))
            elif method == "Network.requestWillBeSent":
                url = p["request"]["url"]
                if not url.startswith((URL, "data:", "about:")):
                    found.append(url)
        return found

    def asked(self):
        return sorted({e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"})

    def end(self):
        os.close(self.out)  # which ends it
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def until(what, condition, seconds=40):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError(f"never: {what}")


def record():
    try:
        with urllib.request.urlopen(URL + "status.json", timeout=10) as answer:
            return json.load(answer)
    except OSError:
        return None


def start():
    return subprocess.Popen(
        [PROGRAM, "--set", "dataplane.port=sim", "--set", "metrics.listen=127.0.0.1:9464", "--rate", "600", "-p", "21-24",
         "--set", "scan.cooldown=500ms", "--set", "plugins.enable=banner-analyzer,http-enum", "--set", "banner.enable=on",
         "--set", "banner.wait=500ms", "--set", "sim.duplicate=0.2", "-o", "ndjson:results",
         "-o", "summary:summary",
         "198.18.0.0/18"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def between(before, shown, after):
    """Names of numbers on the page that lie not between those of two records."""
    wrong = [key for key in ("probes_sent", "unique", "results", "lost") if not before[key] <= shown[key] <= after[key]]
    for part in ("states", "responses", "lost_by"):
        wrong += [f"{part}.{key}" for key, value in before[part].items()
                  if not value <= shown[part].get(key, -1) <= after[part][key]]  # fmt: skip
    for name, plugin in before["plugins"].items():
        got = shown["plugins"].get(name, [-1, -1])
        wrong += [f"{name}.{key}" for key, value in zip(("offered", "ok"), got)
                  if not plugin[key] <= value <= after["plugins"][name][key]]  # fmt: skip
    return wrong


def check_page(tap, browser):
    until("a scan that answers", record)
    browser.call("Page.navigate", url=URL)
    until("the page", lambda: browser.evaluate(f"location.href === '{URL}' && document.readyState === 'complete'"))
    until("some points", lambda: browser.shown()["points"] >= 2)
    # The page is as old as its time says; records of before and after that enclose it.
    before = record()
    shown = until("a newer state", lambda: (s := browser.shown())["ts"] > before["ts"] and s)
    after = until("a newer record", lambda: (r := record()) and r["ts"] > shown["ts"] and r)
    wrong = between(before, shown, after)
    tap.check(not wrong, "each number on the page lies between those of the records before and after", f"{wrong}: {shown}")
    tap.check(shown["probes_sent"] > 0 and shown["states"]["open"] > 0 and len(shown["plugins"]) == 2, "and some are not 0",
              str(shown))  # fmt: skip
    tap.check(shown["phase"] == "scanning" and shown["title"].startswith("scanning"), "the phase is there", str(shown))
    tap.check(shown["points"] >= 2 and 0 < shown["done"] < 100, "the curve has points, and the bar its length", str(shown))
    tap.check(not shown["bad"], "nothing is red where nothing is lost", str(shown["bad"]))


def check_looks(tap, browser):
    light = browser.look(1100, "light", "light")
    dark = browser.look(1100, "dark", "dark")
    tap.check(light["paper"] != dark["paper"] and light["ink"] != dark["ink"], "it follows light and dark",
              f"{light['paper']} {dark['paper']}")  # fmt: skip
    for scheme in ("light", "dark"):
        narrow = browser.look(400, scheme, "narrow-" + scheme)
        tap.check((narrow["window"], narrow["wide"]) == (400, 400), f"400 pixels are enough for it, {scheme}", str(narrow))


def check_losses(tap, browser):
    """With a record that no scan here would make: losses, dead lanes, a name that is no markup."""
    browser.evaluate("""(() => {
        const record = structuredClone(before);
        record.lost = record.lost_by.tx_dropped = 1234567;
        record.plugins["<b>x"] = {...record.plugins["http-enum"], killed: 3, deaths: 2, quarantined: true};
        window.ask = window.fetch;
        window.fetch = async () => ({ok: true, json: async () => record});
    })()""")
    until("the record that is none", lambda: browser.shown()["lost"])
    shown = browser.look(1100, "light", "losses")
    tap.check(shown["lost"] == shown["lost_by"]["tx_dropped"] == 1234567, "losses are shown", str(shown))
    tap.check(len(shown["bad"]) >= 4 and set(shown["bad"]) == {"rgb(198, 40, 40)"}, "in red", str(shown["bad"]))
    tap.check("<b>x" in shown["plugins"] and browser.evaluate("document.querySelectorAll('b b, td b, th b').length") == 0,
              "what a record says is text")  # fmt: skip
    browser.evaluate("window.fetch = window.ask; 0")
    until("the scan's own record again", lambda: not browser.shown()["lost"])


def check_end(tap, browser, scan):
    scan.send_signal(signal.SIGINT)
    tap.check(scan.wait(60) == 130, "the scan comes to its end")
    shown = until("an end", lambda: (s := browser.shown())["phase"].startswith("ended") and s)
    with open("summary", encoding="utf-8") as file:
        summary = json.load(file)
    tap.check(shown["phase"] == "ended: interrupted" and shown["title"].startswith("ended"), "the page says how", str(shown))
    wrong = [key for key in ("probes_sent", "results", "responses") if shown[key] != {**summary, "responses": {
        **summary["responses"], "rejected": summary["rejected"]}}[key]]  # fmt: skip
    tap.check(not wrong, "and what it shows is the summary's", f"{wrong}: {shown}, {summary}")
    until("polls that fail", lambda: browser.evaluate("failures >= FAILURES"))
    tap.check(browser.shown()["phase"] == "ended: interrupted", "it stays so when nobody answers any more")
    browser.look(1100, "light", "ended")
    browser.evaluate("before = {...before, phase: 'scanning'}; 0")
    until("an end without a last record", lambda: browser.shown()["phase"].startswith("ended: what it came to"))
    tap.check(True, "who did not see the end is told that it was")


def main():
    enter_namespace()
    tap = plugins.Tap()
    with tempfile.TemporaryDirectory(prefix="pdp-page.") as work:
        os.chdir(work)
        os.environ["HOME"] = work
        scan = start()
        browser = Browser(os.path.join(work, "profile"))
        try:
            check_page(tap, browser)
            check_looks(tap, browser)
            check_losses(tap, browser)
            tap.check(not browser.problems(), "nothing on the console, and nobody else was asked", str(browser.problems()))
            asked = [url for url in browser.asked() if url.startswith("http")]
            tap.check(asked == [URL, URL + "status.json"], "it asked for itself and the record", str(asked))
            check_end(tap, browser, scan)
        finally:
            browser.end()
            scan.kill()
            scan.wait()
        os.chdir("/")
    print(f"1..{tap.count}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
