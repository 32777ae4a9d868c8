# SPDX-License-Identifier: BSD-3-Clause
"""Table 5: what plugins cost, and how fast they talk."""
import os
import re
import sys
import time

from suite.lab import Missing, Program, call, run, which
from suite.stats import Table, alternate, column

LIGHT = "function on_target(t, r) n = (n or 0) + t.port end"
STUCK = {
    "sleeps": ("function on_target(t, r) prtip.sleep(1000) end", 'capabilities = ["network"]'),
    "loops": ("function on_target(t, r) while true do end end", ""),
    # Ends by processor time only: no instruction is counted within a pattern.
    "loops inside a pattern":
        ("function on_target(t, r) local s = ('a'):rep(200) s:find(('a*'):rep(50) .. 'b') end", ""),
}
TITLE = """
function on_target(t, r)
	local s = prtip.connect(t.ip, t.port, {timeout = 10})
	if not s then return end
	prtip.send(s, "GET / HTTP/1.1\\r\\nHost: " .. t.ip .. "\\r\\nConnection: close\\r\\n\\r\\n")
	local page = ""
	while #page < 65536 do
		local part = prtip.receive(s, 4096, 10)
		if not part or part == "" then break end
		page = page .. part
	end
	prtip.close(s)
	if page:match("<title>(.-)</title>") == "A page of the world" then
		titles = (titles or 0) + 1
	end
end
function on_post_scan(results)
	prtip.log("info", "titles: " .. (titles or 0))
end
"""
# What a page needs and no more, from one thread; any request will do.
SERVER = """
import asyncio, sys
body = b"<html><head><title>A page of the world</title></head><body>hello</body></html>"
page = (b"HTTP/1.1 200 OK\\r\\nContent-Type: text/html\\r\\nConnection: close\\r\\nContent-Length: "
        + str(len(body)).encode() + b"\\r\\n\\r\\n" + body)
async def talk(reader, writer):
    try:
        await reader.read(65536)
        writer.write(page)
        await writer.drain()
    except OSError:
        pass
    writer.close()
async def main():
    server = await asyncio.start_server(talk, "0.0.0.0", 80, backlog=8192)
    print("ready", flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


def make(lab, name, code, manifest=""):
    folder = os.path.join(lab.path("plugins"), name)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "plugin.toml"), "w") as file:
        file.write(f'[plugin]\nname = "{name}"\nversion = "1.0.0"\nauthor = "bench"\n'
                   f'description = "a benchmark"\nplugin_type = "scan"\n{manifest}\n')
    with open(os.path.join(folder, "main.lua"), "w") as file:
        file.write(code)
    with open(os.path.join(folder, "README.md"), "w") as file:
        file.write(f"# {name}\n")
    return name


def plugins(lab, plan, clock):
    table = Table(
        "plugins", "5. Plugins",
        "Share of its rate that a scan keeps with plugins, beside the same scan without right before it: simulated network, "
        "100,000 probes a second, a tenth of them to open ports. Hooks and conversations: lane_bench, with real "
        "warden and lanes; its peer is a C program with epoll, against the same server on loopback.")
    light = [make(lab, f"light{i}", LIGHT) for i in range(5)]
    cases = [("one plugin", light[:1], 95), ("five plugins", light, 90)]
    cases += [(f"one that {name}", [make(lab, name.replace(" ", "-"), code, manifest)], 99)
              for name, (code, manifest) in STUCK.items()]
    for name, enabled, goal in cases:
        if plan.plugin_cases and name not in plan.plugin_cases:
            continue
        clock.say(name)
        samples = alternate(table, plan.scan_rounds, [
            (f"without, beside {name}", scanning(lab, [])), (name, scanning(lab, enabled))])
        with_, without = samples[name], samples[f"without, beside {name}"]
        table.ratio(f"rate with {name} / without", column(with_, "pps"), column(without, "pps"),
                    goal / 100)
        table.figure(f"{name}: skipped", "results", column(with_, "skipped"), "lower")
    clock.say("lane_bench")
    lane_bench(lab, table, plan)
    if plan.title_hosts:
        clock.say("titles of pages")
        titles(lab, table, plan)
    return table


def scanning(lab, enabled):
    arguments = ["--plugin-dir", lab.path("plugins")]
    for name in enabled:
        arguments += ["--plugin", name]

    def measure():
        run, _ = lab.ours("--set", "dataplane.port=sim", "--set", "sim.loss=0", "--set",
                          "scan.seed=1", "--set", "sim.alive=1", "--set", "plugins.drain=1s",
                          "--rate", "100000", "-p", "1-64", "-o", "ndjson:" + lab.path("records"),
                          *arguments, "198.18.0.0/20")
        return {"pps": run["rate_pps"], "skipped": run["lost"]["plugin_skipped"]}
    return measure


LANE_ROWS = (
    # The row, its figures: name, unit, better, pattern.
    ("start of warden and lane", (("start of warden and lane", "ms", "lower", r"([0-9.]+) ms", 10),)),
    ("a lane: Pss", (("a lane, Pss", "MB", "lower", r"([0-9.]+) MB", 20),)),
    ("five plugins", (("warden and all lanes of five plugins, Pss", "MB", "lower", r"([0-9.]+) MB", 100),)),
    ("on_target, light", (("on_target, light", "M/s", "higher", r"([0-9.]+) M/s", 4),
                          ("on_target, light, CPU of the lane", "ns", "lower", r"(\d+) ns", 250))),
    ("bare VM: on_target", (("on_target, light, CPU in a bare VM", "ns", "lower", r"(\d+) ns", None),)),
    ("bare VM: analyze_banner", (("analyze_banner, ten patterns, CPU in a bare VM", "ns", "lower",
                                  r"(\d+) ns", None),)),
    ("analyze_banner", (("analyze_banner, ten patterns", "M/s", "higher", r"([0-9.]+) M/s", 1),
                        ("analyze_banner, ten patterns, CPU of the lane", "ns", "lower", r"(\d+) ns", None))),
    ("conversations on loopback", (("conversations on loopback", "k/s", "higher", r"([0-9.]+) k/s", None),
                                   ("conversations on loopback, C with epoll", "k/s", "higher",
                                    r"client's ([0-9.]+)", None),
                                   ("conversations / C with epoll", "%", "higher", r"([0-9]+)%", 50))),
    ("on_post_scan", (("on_post_scan over 10^7 results", "M/s", "higher", r"([0-9.]+) M/s", None),)),
)


def lane_bench(lab, table, plan):
    program = os.path.join(lab.build, "bench", "lane_bench")
    if not os.access(program, os.X_OK):
        table.miss("hooks", f"no {program}")
        return
    found = {}
    for _ in range(plan.lane_rounds):
        ended = call([program, *plan.lane_benches], 120)
        for line in ended.stdout.splitlines():
            for row, figures in LANE_ROWS:
                if not line.startswith(row):
                    continue
                for name, unit, better, pattern, goal in figures:
                    value = re.search(pattern, line[44:])
                    if value:
                        found.setdefault((name, unit, better, goal), []).append(float(value[1]))
    if not found:
        table.miss("hooks", "lane_bench printed nothing")
    for (name, unit, better, goal), samples in found.items():
        table.figure(name, unit, samples, better, goal)


def titles(lab, table, plan):
    """The same kernel's servers for both: on a wire of their own."""
    hosts = plan.title_hosts
    for name in ("near", "far"):
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")
    run("ip", "link", "add", "veth2", "netns", "near", "type", "veth", "peer", "name", "veth3",
        "netns", "far")
    run("ip", "-n", "near", "link", "set", "veth2", "up")
    run("ip", "-n", "far", "link", "set", "veth3", "up")
    run("ip", "-n", "near", "address", "add", "198.19.1.1/24", "dev", "veth2")
    run("ip", "-n", "far", "address", "add", "198.19.1.2/24", "dev", "veth3")
    run("ip", "-n", "far", "route", "add", "local", "198.18.0.0/16", "dev", "lo")
    run("ip", "-n", "near", "route", "add", "198.18.0.0/16", "via", "198.19.1.2")
    targets = f"198.18.0.0-198.18.{(hosts - 1) >> 8}.{(hosts - 1) & 255}"
    nmap_targets = f"198.18.0-{(hosts - 1) >> 8}.0-255"
    make(lab, "title", TITLE, 'capabilities = ["network"]\n[plugin.network]\nmax_connections = 4096')
    server = Program([sys.executable, "-c", SERVER], netns="far")
    deadline = time.monotonic() + 5
    while "ready" not in server.text(server.out) and time.monotonic() < deadline:
        time.sleep(0.02)

    def ours():
        ended = call([lab.prtip, "--overwrite", "--set", "dataplane.port=af_packet:veth2", "--set",
                      "scan.cooldown=1s", "--rate", "10000", "--plugin-dir", lab.path("plugins"),
                      "--plugin", "title", "-p", "80", "-o", "ndjson:/dev/null", targets], 120,
                     netns="near")
        got = re.search(r"titles: (\d+)", ended.stdout + ended.stderr)
        return judge(int(got[1]) if got else 0, ended)

    def nmap():
        ended = call([which("NMAP", "nmap"), "-n", "-Pn", "-T4", "-p",
                      "80", "--script", "http-title", "-oN", "-", nmap_targets], 120, netns="near")
        return judge(len(re.findall("A page of the world", ended.stdout)), ended)

    def judge(got, ended):
        if ended.status or not got:
            raise Missing(f"ended with {ended.status}, {got} titles: {ended.stderr.strip()[-150:]}")
        return {"share": 100 * got / hosts, "rate": got / ended.wall_s, "ms": ended.cpu_s / got * 1e3}

    try:
        contenders = [("title plugin", ours), ("nmap http-title", nmap)]
        samples = alternate(table, plan.scan_rounds, contenders)
    finally:
        server.stop()
    for name, _ in contenders:
        table.figure(f"{name}, titles got", "%", column(samples[name], "share"), digits=2)
        table.figure(f"{name}, titles a second of the whole scan", "/s", column(samples[name], "rate"))
        table.figure(f"{name}, CPU each", "ms", column(samples[name], "ms"), "lower")
    table.ratio("titles a second, title plugin / nmap", column(samples["title plugin"], "rate"),
                column(samples["nmap http-title"], "rate"))
    table.note(f"{hosts} addresses of one server, in Python, which takes a part of both CPUs too. The plugin is 20 lines; "
               "nmap's script may send more than one request to a host.")
