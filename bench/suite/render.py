# SPDX-License-Identifier: BSD-3-Clause
"""The report as Markdown, and its plots as SVG."""
import os


def number(value, digits=None):
    """Three figures that say something, or @digits behind the point."""
    if digits is not None:
        return f"{value:,.{digits}f}"
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    for least, places in ((100, 0), (10, 1), (1, 2), (0.1, 3)):
        if size >= least:
            return f"{value:.{places}f}"
    return f"{value:.3g}"


def met(entry):
    goal, better, value = entry.get("goal"), entry["better"], entry["median"]
    if goal is None:
        return ""
    if better == "near":
        return f"{number(goal)}"
    good = value >= goal if better == "higher" else value <= goal
    return f"{number(goal)}" + ("" if good else ": **missed**")


def row(entry, values, unit):
    digits = entry.get("digits")
    spread = "one run" if entry.get("single") else (
        f"{number(entry['low'], digits)} to {number(entry['high'], digits)}, n = {len(values)}")
    more = "; ".join(f"{name}: {value:,}" for name, value in entry.get("detail", {}).items())
    return (f"| {entry['what']} | {number(entry['median'], digits)} {unit} | {spread} | {met(entry)} |"
            + (f" {more} |" if more else " |"))


def markdown(report):
    machine = report["machine"]
    lines = ["# Benchmarks: " + ("a quick run" if report["quick"] else "a run of the whole suite"), "",
             f"{machine['cpu']}, {machine['cpus']} CPUs, {machine['memory_gb']:.0f} GB, Linux "
             f"{machine['kernel']}, {machine['system']}. Load when it began: "
             f"{machine['load'][0]:.2f}. {report['started']}, {report['seconds']:.0f} s. "
             f"prtip-dp at {report['commit']}.", "",
             "Beside: " + "; ".join(f"{name}: {version or 'not there'}" for name, version
                                    in report["versions"].items()) + ".", "",
             "Medians with lowest and highest; ratios are taken pair by pair, of runs in the same "
             "round, and the median of these is shown. `bench/README.md` says how all of it is "
             "measured, `bench/compare` compares two runs.", ""]
    for table in report["tables"]:
        lines += [f"## {table['title']}", "", table["method"], ""]
        if table["figures"]:
            lines += ["| what | median | range | goal | |", "| --- | --- | --- | --- | --- |"]
            lines += [row(figure, figure["samples"], figure["unit"]) for figure in table["figures"]]
            lines.append("")
        if table["ratios"]:
            lines += ["| ratio | median | range | goal | |", "| --- | --- | --- | --- | --- |"]
            lines += [row(ratio, ratio["pairs"], "x") for ratio in table["ratios"]]
            lines.append("")
        lines += [f"Left out: {entry['what']}: {entry['why']}." for entry in table["missing"]]
        lines += table["notes"]
        if table["missing"] or table["notes"]:
            lines.append("")
        lines += [f"![{plot['alt']}]({plot['file']})\n" for plot in report["plots"]
                  if plot["table"] == table["id"]]
    if "missing_plots" in report:
        lines += [f"Left out: plots: {report['missing_plots']}."]
    return "\n".join(lines).rstrip() + "\n"


class Plots:
    def __init__(self, folder, report):
        import matplotlib
        matplotlib.use("svg")
        matplotlib.rcParams.update({"svg.hashsalt": "prtip-dp", "font.size": 9,
                                    "svg.fonttype": "none"})
        import matplotlib.pyplot
        self.pyplot, self.folder, self.report = matplotlib.pyplot, folder, report

    def save(self, figure, table, name, alt):
        figure.tight_layout()
        figure.savefig(os.path.join(self.folder, name), metadata={"Date": None})
        self.pyplot.close(figure)
        self.report["plots"].append({"table": table, "file": name, "alt": alt})

    def rates(self, series):
        figure, axes = self.pyplot.subplots(figsize=(7, 3.2))
        for name, slots in series.items():
            asked = float(name.split("/")[0].replace(",", "")) / 10
            if asked >= 10 and len(slots) > 2:
                axes.plot([i / 10 for i in range(len(slots) - 1)],
                          [100 * n / asked for n in slots[:-1]], label=name)
        axes.set_xlabel("seconds since the first probe arrived")
        axes.set_ylabel("% of the rate asked for")
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=7)
        self.save(figure, "rate", "rate.svg", "Rate over time, in tenths of a second")

    def stages(self, stages):
        parts = [(name, cycles) for name, cycles in stages
                 if not name.startswith(("both", "cookie", "alloc and free"))]
        figure, axes = self.pyplot.subplots(figsize=(7, 2.2))
        axes.barh([name for name, _ in parts][::-1], [cycles for _, cycles in parts][::-1])
        axes.set_xlabel("cycles of the TSC a probe")
        self.save(figure, "generate", "stages.svg", "Cycles a probe by stage")

    def memory(self, memory, excludes):
        figure, (left, right) = self.pyplot.subplots(1, 2, figsize=(7, 2.8), sharey=True)
        for axes, points, label in ((left, memory, "pairs"), (right, excludes, "excluded ranges")):
            axes.semilogx([x for x, _ in points], [y for _, y in points], "o-")
            axes.set_xlabel(label)
            axes.set_ylim(bottom=0)
        left.set_ylabel("MB resident, at most")
        self.save(figure, "scale", "memory.svg", "Peak of memory over pairs and exclude lists")


def plot(folder, report, tables):
    try:
        plots = Plots(folder, report)
    except ImportError:
        report["missing_plots"] = "no matplotlib (Debian: python3-matplotlib)"
        return
    for table in tables:
        if getattr(table, "series", None):
            plots.rates(table.series)
        if getattr(table, "stages", None):
            plots.stages(table.stages)
        if getattr(table, "memory", None) and getattr(table, "excludes", None):
            plots.memory(table.memory, table.excludes)
