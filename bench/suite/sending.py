# SPDX-License-Identifier: BSD-3-Clause
"""Tables 1, 2 and 7: generating and sending, over a wire, and how well a rate is kept."""
import collections

from suite import stages
from suite.lab import GATEWAY_IP, NET, SPARE_IP, Missing
from suite.senders import Masscan, Ours, Testpmd, Zmap
from suite.stats import Table, alternate, column


def generate(lab, plan, clock):
    table = Table(
        "generate", "1. Generate and send, one core, no wire",
        "net_null takes frames and forgets them. prtip-dp makes a probe of its own for each target, next "
        "hop, cookie and checksums included; testpmd's txonly sends the same 60 bytes again and again; "
        "masscan --offline and zmap --fast-dryrun make packets and send none. M/cpu-s is by the "
        "processor time of the sending lcore and holds beside other work.")
    ours = Ours(lab)
    peers = [(Testpmd(lab), 1.5), (Masscan(lab), 10), (Zmap(lab), 5)]
    samples = alternate(table, plan.rounds, [(ours.name, ours.null)]
                        + [(peer.name, peer.null) for peer, _ in peers], warm_up=plan.warm_up)
    for name, _ in [(ours.name, None)] + [(peer.name, None) for peer, _ in peers]:
        table.figure(name, "M/s", scaled(column(samples[name], "pps"), 1e-6))
        table.figure(name + ", by processor time", "M/cpu-s",
                     scaled(column(samples[name], "lcore_pps"), 1e-6))
    for peer, goal in peers:
        for key, how in (("pps", ""), ("lcore_pps", ", by processor time")):
            table.ratio(f"prtip-dp / {peer.name}{how}", column(samples[ours.name], key),
                        column(samples[peer.name], key), goal)
    clock.say("stages of a probe")
    try:
        found = stages.read(lab, "dataplane", "probe_bench", plan.bench_rounds)
        for (section, stage), cost in found.items():
            table.figure(f"{section}: {stage}", "cycles", [cost["cycles"]], "lower", single=True)
        table.stages = [(stage, cost["cycles"]) for (section, stage), cost in found.items()
                        if section.startswith("IPv4, a /15")]
    except Missing as why:
        table.miss("cycles by stage", why)
    return table


def scaled(samples, factor):
    return [None if s is None else s * factor for s in samples]


def wire(lab, plan, clock):
    table = Table(
        "wire", "2. Over a veth",
        "Flood: as fast as each can; the far end counts frames and drops them. CPU is the whole process's "
        "for each frame that arrived. Scans: the same 65,536 addresses of one world "
        f"(bench/world over af_packet, half of the hosts alive, half of their ports open), at each rate; the hit rate is the "
        "share of the truth's open ports that was found, and the world counts probes and repeats.")
    flooders = [Ours(lab, "af_xdp"), Testpmd(lab, "af_xdp"), Ours(lab, "af_packet"),
                Testpmd(lab, "af_packet"), Masscan(lab), Zmap(lab)]
    samples = alternate(table, plan.wire_rounds, [(s.name, s.flood) for s in flooders],
                        warm_up=True)  # the first run over a new veth has been half as fast
    for sender in flooders:
        got = samples[sender.name]
        table.figure(f"flood: {sender.name}", "k/s", scaled(column(got, "pps"), 1e-3))
        table.figure(f"flood: {sender.name}, CPU a frame", "ns", column(got, "ns"), "lower")
    for driver in ("af_xdp", "af_packet"):
        ours, theirs = samples[f"prtip-dp, {driver}"], samples[f"testpmd txonly, {driver}"]
        table.ratio(f"flood: prtip-dp / testpmd, {driver}", column(ours, "pps"),
                    column(theirs, "pps"), 0.95)
        table.ratio(f"flood: prtip-dp / testpmd, {driver}, by processor time",
                    column(ours, "lcore_pps"), column(theirs, "lcore_pps"), 0.95)
    for peer in ("masscan", "zmap"):
        for driver in ("af_xdp", "af_packet"):
            table.ratio(f"flood: prtip-dp, {driver} / {peer}",
                        column(samples[f"prtip-dp, {driver}"], "pps"),
                        column(samples[peer], "pps"))
    truth = {pair for pair, state in lab.truth("80", alive=0.5, open=0.5).items()
             if state == "open"}
    scanners = [Ours(lab, "af_xdp"), Ours(lab, "af_packet"), Masscan(lab), Zmap(lab)]
    for rate in plan.scan_rates:
        clock.say(f"scans of the world at {rate}/s")
        scan_at(lab, table, plan, scanners, truth, rate)
    return table


def scan_at(lab, table, plan, scanners, truth, rate):
    def contender(scanner):
        def measure():
            with lab.world("--exact", "-p", "80", "--alive", "0.5", "--open", "0.5",
                           "--no-banners") as world:
                found, ended = scanner.scan("80", rate)
            counts = collections.Counter(found)
            report = world.report
            span = report["span_ns"] / 1e9
            return {"hit": 100 * len(truth & set(counts)) / len(truth),
                    "wrong": len(set(counts) - truth),
                    "repeated": sum(counts.values()) - len(counts),
                    "probes": report["probes"], "probed": 100 * report["targets"] / 65536,
                    "twice": report["duplicates"],
                    "damaged": report["bad_checksum"],
                    "lost": report["lost_rx"] + report["lost_tx"],
                    "pps": (report["probes"] - 1) / span if span else None,
                    "us": ended.cpu_s / max(report["probes"], 1) * 1e6}
        return measure

    samples = alternate(table, plan.scan_rounds, [(s.name, contender(s)) for s in scanners])
    for scanner in scanners:
        got = samples[scanner.name]
        if not any(got):
            continue
        sums = {key: sum(s[key] for s in got if s)
                for key in ("wrong", "repeated", "twice", "damaged", "lost")}
        at = f"at {rate}/s: {scanner.name}"
        table.figure(f"{at}, hit rate", "%", column(got, "hit"), digits=3, detail={
            "records that are wrong": sums["wrong"], "records repeated": sums["repeated"],
            "probes repeated": sums["twice"], "bad checksums": sums["damaged"],
            "lost by the world": sums["lost"]})
        table.figure(f"{at}, targets that were probed", "%", column(got, "probed"), digits=3)
        table.figure(f"{at}, arrived", "k/s", scaled(column(got, "pps"), 1e-3))
        table.figure(f"{at}, CPU of the whole run a probe", "us", column(got, "us"), "lower")


def rate(lab, plan, clock):
    table = Table(
        "rate", "7. Rates",
        "By the clock of the world, between the first probe that it saw and the last: what arrived a second, as a share "
        "of what was asked for. Up to 100,000/s over a veth by af_packet, from there over memif, which has no kernel in "
        "between. The worst tenth of a second is the largest difference from the rate in one of 100 ms, the last left out.")
    table.series = {}
    for asked in plan.rates:
        clock.say(f"{asked}/s")
        wires = ["veth"] if asked <= 100000 else []
        if asked >= 100000:
            wires.append("memif")
        senders = [(f"prtip-dp, {wire}", pacer(lab, table, asked, wire, plan)) for wire in wires]
        if asked in plan.peer_rates:
            senders += [(peer.name, peer_pacer(lab, peer, asked)) for peer in (Masscan(lab), Zmap(lab))]
        samples = alternate(table, plan.rate_rounds, senders)
        for name, _ in senders:
            table.figure(f"{asked:,}/s: {name}", "%", column(samples[name], "share"), "near",
                         goal=100, digits=3, detail=largest_losses(samples[name]))
            table.figure(f"{asked:,}/s: {name}, worst tenth of a second", "%",
                         column(samples[name], "worst"), "lower", digits=3)
    return table


def largest_losses(samples):
    lost = max((s["lost"] for s in samples if s), default=0)
    return {"lost by the world": lost} if lost else None


def judge(report, asked):
    if report["probes"] < 2:
        raise Missing(f"only {report['probes']} probes arrived")
    share = 100 * (report["probes"] - 1) / (report["span_ns"] / 1e9) / asked
    slots = report["probes_by_slot"][:-1]
    per_slot = asked * report["slot_ms"] / 1000
    # Below a probe a slot there is no rate in one.
    worst = (max(abs(n - per_slot) for n in slots) / per_slot * 100
             if slots and per_slot >= 1 else None)
    return {"share": share, "worst": worst, "lost": report["lost_rx"]}


def pacer(lab, table, asked, wire, plan):
    seconds = plan.rate_seconds if asked >= 100 else 2 * plan.rate_seconds
    ports = "1-" + str(max(1, -(-asked * seconds // 65536)))
    near = ("af_packet:veth0" if wire == "veth" else
            f"net_memif0,role=client,socket={lab.path('memif')},socket-abstract=no,bsize=2048,rsize=12")

    def measure():
        device = "af_packet:veth1" if wire == "veth" else "memif:" + lab.path("memif")
        with lab.world("--alive", "0", "-p", ports, device=device) as world:
            lab.ours("--set", f"dataplane.port={near}", "--set", f"dataplane.source={SPARE_IP}",
                     "--set", f"dataplane.gateway={GATEWAY_IP}", "--rate", str(asked), "--set",
                     f"scan.max_runtime={seconds}s", "-o", "ndjson:/dev/null", "-p", ports, NET,
                     netns="scanner", cooldown="0s")
        table.series.setdefault(f"{asked:,}/s, {wire}", world.report["probes_by_slot"])
        return judge(world.report, asked)
    return measure


def peer_pacer(lab, peer, asked):
    def measure():
        extra = (["--shard", f"1/{max(1, 65536 // (asked * 3))}"] if peer.name == "masscan" else
                 ["-n", str(min(65536, asked * 3))])
        with lab.world("--alive", "0", "-p", "80") as world:
            peer.scan("80", asked, extra)
        return judge(world.report, asked)
    return measure
