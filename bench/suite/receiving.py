# SPDX-License-Identifier: BSD-3-Clause
"""Tables 3 and 4: from a response to its record, and banners."""
import json

from suite import stages
from suite.lab import GATEWAY_IP, NET, SPARE_IP, Missing, Program, threads_of
from suite.senders import Masscan
from suite.stats import Table, alternate, column
from suite.sending import scaled


def receive(lab, plan, clock):
    table = Table(
        "receive", "3. Receive path",
        "The simulated network with a share of the hosts alive and all of their ports open, as fast as it goes, all "
        "records to a file: answers a second while probes were sent, and the processor time of the busiest threads "
        "for each answer, which holds beside other work. By stage: medians of answer_bench, record_bench and detect_bench.")
    for share in plan.answer_shares:
        clock.say(f"{share}% answer")
        name = f"{share}% answer"
        samples = alternate(table, plan.scan_rounds, [(name, answering(lab, share / 100, plan))])[name]
        table.figure(name, "k/s", scaled(column(samples, "rate"), 1e-3),
                     detail={"lost": sum(s["lost"] for s in samples if s)})
        table.figure(name + ": probes", "M/s", scaled(column(samples, "probes"), 1e-6))
        # The control core never sleeps for long: with few answers its time is mostly waiting.
        for thread in ("control", "writer") if share >= 50 else ():
            table.figure(f"{name}: {thread} thread, CPU an answer", "ns", column(samples, thread),
                         "lower")
    for folder, program in (("dataplane", "answer_bench"), ("control", "record_bench"),
                            ("control", "detect_bench")):
        clock.say(program)
        try:
            for (section, stage), cost in stages.read(lab, folder, program,
                                                      plan.bench_rounds).items():
                table.figure(f"{section}: {stage}", "ns", [cost["ns"]], "lower", single=True)
        except Missing as why:
            table.miss(program, why)
    return table


def answering(lab, share, plan):
    # Enough answers for a second or two, whatever the share.
    ports = plan.answer_ports * (4 if share < 0.1 else 1)

    def measure():
        threads = {}

        def watch(program):
            threads.update(threads_of(program.pid))

        run, _ = lab.ours("--set", "dataplane.port=sim", "--set", f"sim.alive={share}", "--set",
                          "sim.open=1", "--set", "sim.rtt=1ms", "--set", "sim.jitter=0s", "--set",
                          "scan.default_excludes=no", "--rate", "max", "-p", f"1-{ports}", "-o",
                          "ndjson:" + lab.path("records"), NET, each=watch)
        answers = max(run["validated"], 1)
        named = {}
        for (_, name), seconds in threads.items():
            named[name] = named.get(name, 0) + seconds
        return {"rate": run["validated"] / run["sending_s"], "probes": run["rate_pps"],
                "lost": sum(run["lost"].values()),
                "control": named.get("prtip-dp", 0) / answers * 1e9,
                "writer": sum(s for n, s in named.items() if "writ" in n) / answers * 1e9 or None}
    return measure


def banners(lab, plan, clock):
    table = Table(
        "banners", "4. Banners",
        "Servers of one world that speak first (SSH; in a full run FTP and SMTP, too); the truth knows how many there are. The share "
        "of them whose banner was recorded, banners a second of the whole run, its last seconds of waiting included, "
        "and the processor time of the process for each.")
    truth = {pair for pair, state in lab.truth(plan.banner_ports, alive=0.5, open=0.5).items()
             if state == "open"}
    rate = plan.banner_rate

    def ours(driver):
        def measure():
            found = lab.path("banners.ndjson")
            with lab.world("-p", plan.banner_ports, "--alive", "0.5", "--open", "0.5") as world:
                _, ended = lab.ours(
                    "--set", f"dataplane.port={driver}:veth0", "--set",
                    f"dataplane.source={SPARE_IP}", "--set", f"dataplane.gateway={GATEWAY_IP}",
                    "--set", "banner.enable=yes", "--rate", str(rate), "-p", plan.banner_ports, "-o",
                    f"ndjson:{found}", NET, netns="scanner", cooldown="2s")
            with open(found) as file:
                records = [json.loads(line) for line in file]
            got = {(r["ip"], r["port"]) for r in records if r.get("banner") or r.get("banner_hex")}
            return judge(got, ended, world)
        return measure

    def masscan():
        peer = Masscan(lab)
        output = lab.path("masscan.json")
        with lab.world("-p", plan.banner_ports, "--alive", "0.5", "--open", "0.5") as world:
            with lab.trickle():
                ended = Program(peer.arguments("--banners", "--rate", str(rate), "-p", plan.banner_ports,
                                               "--wait", "3", "-oD", output, NET),
                                netns="scanner").wait(60)
        if ended.status:
            raise Missing(f"ended with {ended.status}: {ended.stderr[-100:]}")
        got = set()
        with open(output) as file:
            for line in file:
                try:
                    record = json.loads(line)
                except ValueError:
                    continue
                if record.get("rec_type") == "banner":
                    got.add((record["ip"], record["port"]))
        return judge(got, ended, world)

    def judge(got, ended, world):
        return {"share": 100 * len(got & truth) / len(truth), "rate": len(got) / ended.wall_s,
                "us": ended.cpu_s / max(len(got), 1) * 1e6,
                "lost": world.report["lost_rx"] + world.report["lost_tx"]}

    contenders = [("prtip-dp, af_xdp", ours("af_xdp")), ("prtip-dp, af_packet", ours("af_packet")),
                  ("masscan --banners", masscan)]
    samples = alternate(table, plan.scan_rounds, contenders)
    for name, _ in contenders:
        got = samples[name]
        table.figure(f"{name}, banners got", "%", column(got, "share"), digits=2,
                     detail={"lost by the world": sum(s["lost"] for s in got if s)})
        table.figure(f"{name}, a second", "k/s", scaled(column(got, "rate"), 1e-3))
        table.figure(f"{name}, CPU each", "us", column(got, "us"), "lower")
    for name, _ in contenders[:2]:
        table.ratio(f"{name} / masscan, CPU a banner", column(samples[name], "us"),
                    column(samples["masscan --banners"], "us"), better="lower")
    table.note(f"{len(truth):,} servers, asked for at {rate:,} probes a second.")
    return table
