// SPDX-License-Identifier: BSD-3-Clause
// Asks for the status record each second and shows it. Text goes in as text only: nothing of the record is markup.
"use strict";

const POLL_MS = 1000, PATIENCE_MS = 4000, SAMPLES = 180, FEW = 30, FAILURES = 3;
const WIDTH = 600, HEIGHT = 120;
const STATUSES = ["ok", "error", "denied", "memory", "instructions", "timeout", "killed", "skipped"];

const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en-US");
const count = (value) => number.format(value);
const words = (name) => name.replaceAll("_", " ");

let samples = []; // probes a second, the latest last
let before = null; // the latest record
let failures = 0;

function duration(seconds) {
	const s = Math.floor(seconds), two = (n) => String(n).padStart(2, "0");
	return `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

function cell(row, tag, text, bad) {
	const made = document.createElement(tag);
	made.textContent = text;
	if (bad)
		made.className = "bad";
	row.append(made);
}

/* Rows of [name, value, what is wrong with it]; those with nothing to say are grey. */
function table(id, rows) {
	$(id).replaceChildren(...rows.map(([name, value, bad]) => {
		const row = document.createElement("tr");
		row.className = parseFloat(value) === 0 ? "none" : "";
		row.dataset.name = name;
		cell(row, "th", words(name), bad);
		cell(row, "td", typeof value === "number" ? count(value) : value, bad);
		return row;
	}));
}

function plugins(all) {
	const names = Object.keys(all), head = document.createElement("thead"), top = document.createElement("tr");
	const shown = STATUSES.filter((status) => status === "ok" || names.some((name) => all[name][status]));
	const columns = ["plugin", "offered", ...shown, "waiting", "spilled", "lane deaths", "lane cpu s"];

	$("plugins_section").hidden = !names.length;
	columns.forEach((column) => cell(top, "th", column));
	head.append(top);
	$("plugins").replaceChildren(head, ...names.map((name) => {
		const p = all[name], row = document.createElement("tr");
		row.dataset.name = name;
		cell(row, "th", p.quarantined ? `${name} (quarantined)` : name, p.quarantined);
		cell(row, "td", count(p.offered));
		shown.forEach((status) => cell(row, "td", count(p[status]), status !== "ok" && p[status]));
		cell(row, "td", count(p.waiting));
		cell(row, "td", count(p.spilled));
		cell(row, "td", count(p.deaths), p.deaths);
		cell(row, "td", p.lane_cpu_s.toFixed(2));
		return row;
	}));
}

function chart() {
	const shown = Math.max(samples.length, FEW), from = shown - samples.length;
	const most = Math.max(...samples, 1), step = WIDTH / (shown - 1);
	const points = samples.map((value, i) =>
		`${((from + i) * step).toFixed(1)},${(HEIGHT - 4 - value / most * (HEIGHT - 12)).toFixed(1)}`);

	$("line").setAttribute("points", points.join(" "));
	$("area").setAttribute("points", points.length
		? `${(from * step).toFixed(1)},${HEIGHT} ${points.join(" ")} ${WIDTH},${HEIGHT}` : "");
	$("top").textContent = samples.length ? `probes/s, at most ${count(Math.round(most))} in the last 3 minutes` : "";
}

/* The rate between two records; a scan that stands still has another elapsed time, but no more probes. */
function sample(record) {
	if (before && record.elapsed_s > before.elapsed_s) {
		samples.push((record.probes_sent - before.probes_sent) / (record.elapsed_s - before.elapsed_s));
		samples = samples.slice(-SAMPLES);
	}
	before = record;
	$("rate").textContent = samples.length && record.phase !== "end" ? count(Math.round(samples.at(-1))) : "–";
	chart();
}

function outcome(record) {
	if (record.complete)
		return "complete";
	return record.interrupted ? "interrupted" : record.ended_by ? `ended by ${record.ended_by}` : "not complete";
}

function phase(text, kind) {
	$("phase").textContent = text;
	$("phase").className = kind;
	document.title = `${text} · prtip-dp`;
}

function progress(record) {
	const all = Number(record.transmissions), part = all ? Math.min(record.probes_tried / all, 1) : 0;
	const left = record.rate_pps > 0 ? (all - record.probes_tried) / record.rate_pps : 0;

	$("percent").textContent = `${(Math.floor(part * 1000) / 10).toFixed(1)}%`;
	$("done").setAttribute("width", part * 100);
	$("left").textContent = `${count(record.probes_tried)} of ${count(all)} probes`
		+ (left > 0 && record.phase === "scanning" ? `, ${duration(left)} left` : "");
}

function show(record) {
	if (record.phase === "end")
		phase(`ended: ${outcome(record)}`, record.complete && !record.lost ? "good" : "bad");
	else
		phase(record.phase, record.phase === "link down" ? "bad" : "");
	$("type").textContent = `${record.scan_type} scan${record.resumed ? ", resumed" : ""}`;
	progress(record);
	sample(record);
	for (const id of ["probes_sent", "unique", "results", "lost"])
		$(id).textContent = count(record[id]);
	$("lost").className = record.lost ? "bad" : "";
	$("elapsed").textContent = duration(record.elapsed_s);
	$("ts").textContent = record.ts;
	$("ts").dateTime = record.ts;
	table("states", [...Object.entries(record.states), ["duplicates", record.duplicates]]);
	table("responses", [...Object.entries(record.responses), ["rejected", record.rejected]]);
	table("lost_by", Object.entries(record.lost_by).map(([name, value]) => [name, value, value > 0]));
	table("backlog", [
		["rings", record.ring_level], ["awaiting_banner", record.awaiting_banner], ["at_plugins",
			record.waiting - record.awaiting_banner], ["to_the_writer", record.finished],
		["throttled", `${record.throttled_s.toFixed(1)} s`]]);
	plugins(record.plugins);
}

/* The listener goes with the scan: who does not answer any more has ended. */
function silent() {
	if (++failures < FAILURES || (before && before.phase === "end"))
		return;
	$("rate").textContent = "–";
	$("left").textContent = "";
	phase(before ? "ended: what it came to is in its summary" : "no scan answers here", "over");
}

async function poll() {
	try {
		const answer = await fetch("/status.json", {cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS)});
		if (answer.ok) {
			show(await answer.json());
			failures = 0;
		} else {
			silent();
		}
	} catch {
		silent();
	}
	setTimeout(poll, POLL_MS);
}

poll();
