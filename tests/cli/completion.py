#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Completion in a real bash and a real zsh, and the manual pages: what the program's own --help and conf/scan.ini
name is all in them, and they are clean."""

import os
import pty
import re
import select
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from tap import Tap  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.environ.get("PRTIP_DP", os.path.join(TOP, "build", "prtip-dp"))
MADE = os.path.join(os.path.dirname(PROGRAM), "system")
TYPES = "syn ack window fin null xmas maimon udp icmp arp ndp sctp discovery".split()


def run(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **more)


def flags_of_help():
    text = run(PROGRAM, "--help").stdout
    lines = [line.split("  ")[0] for line in (l[2:] for l in text.splitlines() if l.startswith("  -"))]
    return [word.rstrip(",") for line in lines for word in line.split() if word.startswith("-")]


def keys_of_reference():
    keys, section = [], ""
    with open(os.path.join(TOP, "conf", "scan.ini"), encoding="ascii") as file:
        for line in file:
            if match := re.match(r"\[(.*)\]", line):
                section = match[1]
            elif match := re.match(r"([a-z_]+) *=", line):
                keys.append(f"{section}.{match[1]}")
    return keys


# --- bash -----------------------------------------------------------------------------------------

# As readline calls it: words split at COMP_WORDBREAKS, of which the last is completed.
BASH = r"""
source /usr/share/bash-completion/bash_completion
source "$1"
compopt() { :; }
while IFS= read -r COMP_LINE; do
	COMP_POINT=${#COMP_LINE}
	COMP_WORDS=() COMPREPLY=()
	word=
	for ((i = 0; i < COMP_POINT; i++)); do
		char=${COMP_LINE:i:1}
		case $char in
		' ') [ -z "$word" ] || COMP_WORDS+=("$word"); word= ;;
		[=:]) [ -z "$word" ] || COMP_WORDS+=("$word"); COMP_WORDS+=("$char"); word= ;;
		*) word+=$char ;;
		esac
	done
	COMP_WORDS+=("$word")
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	_prtip_dp "$2" "$word" "${COMP_WORDS[COMP_CWORD - 1]}"
	printf '%s ' "${COMPREPLY[@]}"
	echo
done
"""


def bash(lines):
    done = run("bash", "--norc", "-c", BASH, "bash", os.path.join(MADE, "prtip-dp"), PROGRAM, input="\n".join(lines) + "\n")
    return [line.split() for line in done.stdout.split("\n")[:-1]], done.stderr


def check_bash(tap):
    flags = flags_of_help()
    tap.check(len(flags) > 40, f"--help names {len(flags)} flags")
    asked = {
        "-": sorted(flags),
        "--scan-type ": sorted(TYPES),
        "--scan-type n": ["ndp", "null"],
        "-T ": list("012345"),
        "--type ": ["detection", "output", "scan"],
        "--set scan.type=u": ["udp"],
        "--set plugins.overflow=": ["skip", "spill", "throttle"],
        "--set banner.enable=": ["off", "on"],
        "--set output.append=": ["no", "yes"],
        "--set dataplane.port=s": ["sim"],
        "--set dataplane.port1=s": ["sim"],
        "--plugin banner": ["banner-analyzer"],
        "--remove-plugin ssh": ["ssh-hostkey"],
        "--plugin-arg csv": ["csv-report."],
        "--config ini": ["ini-file"],
        "-iL ini": ["ini-file"],
        "-o nd": ["ndjson:"],
        "-o ndjson:ini": ["ini-file"],
        "--set status.file=ini": ["ini-file"],
        "--plugin-dir fold": ["folder"],
        "-p 80 --bann": [],
        "--dry": ["--dry-run"],
    }
    answers, errors = bash(["prtip-dp " + line for line in asked])
    tap.check(len(answers) == len(asked) and not errors, "bash loads it and says nothing", errors)
    for (line, wanted), answer in zip(asked.items(), answers):
        tap.check(sorted(answer) == wanted, f"bash: {line}", f"{sorted(answer)}\n{wanted}")
    answer = bash(["prtip-dp --set "])[0][0]
    tap.check(set(a.rstrip("=") for a in answer) >= set(keys_of_reference()) - later_keys(), "bash: --set offers all keys", answer)
    devices = bash(["prtip-dp --set dataplane.port="])[0][0]
    tap.check({"auto", "sim", "lo"} <= set(devices), "bash: ports", devices)


def later_keys():
    text = open(os.path.join(TOP, "conf", "scan.ini"), encoding="ascii").read()
    found, section, later = set(), "", False
    for line in text.splitlines():
        if match := re.match(r"\[(.*)\]", line):
            section = match[1]
        elif line.startswith("#"):
            later = line.endswith("(later version)")
        elif match := re.match(r"([a-z_]+) *=", line):
            if later:
                found.add(f"{section}.{match[1]}")
    return found


# --- zsh ------------------------------------------------------------------------------------------


class Zsh:
    """An interactive zsh on a terminal, with compinit and nothing of anybody's configuration."""

    def __init__(self, folder):
        os.makedirs(folder)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="dumb", HOME=folder, PATH=os.path.dirname(PROGRAM) + ":" + os.environ["PATH"])
            os.execvp("zsh", ["zsh", "-f", "-i"])
        self.say(f"PS1='READY> '; fpath=({MADE} $fpath); autoload -U compinit; compinit -D -u")
        self.say("LISTMAX=100000; COLUMNS=250; unsetopt prompt_cr zle_bracketed_paste 2>/dev/null; zstyle ':completion:*' list-prompt ''")
        self.say("bindkey '^I' expand-or-complete; setopt no_beep no_list_beep no_always_last_prompt bash_auto_list no_menu_complete no_auto_menu; print -r -- B''EGUN")
        self.until("BEGUN")

    def say(self, text):
        os.write(self.fd, (text + "\n").encode())

    def until(self, what, seconds=20):
        text, end = "", time.monotonic() + seconds
        while what not in text and time.monotonic() < end:
            if select.select([self.fd], [], [], 0.2)[0]:
                text += os.read(self.fd, 65536).decode("utf-8", "replace")
        return text

    def complete(self, line):
        """What the line has become after a TAB, shown by a widget that prints the buffer."""
        self.say("show-buffer() { print -r -- \"<BUF:$BUFFER:END>\"; BUFFER= }; zle -N show-buffer; bindkey '^G' show-buffer; print -r -- S''ET")
        self.until("SET\r\n")
        os.write(self.fd, line.encode() + b"\t\x07")
        match = re.search(r"<BUF:(.*?):END>", self.until(":END>"))
        os.write(self.fd, b"\n")
        return match[1] if match else None

    def close(self):
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def check_zsh(tap, folder):
    syntax = run("zsh", "-n", os.path.join(MADE, "_prtip-dp"))
    tap.check(syntax.returncode == 0 and not syntax.stderr, "zsh reads it", syntax.stderr)
    with open(os.path.join(MADE, "_prtip-dp"), encoding="utf-8") as file:
        text = file.read()
    named = set(re.findall(r"^\t\t'\*?(-[A-Za-z-]+)\[", text, re.M))
    tap.check(named == set(flags_of_help()), "zsh: all flags", str(named ^ set(flags_of_help())))
    zsh = Zsh(os.path.join(folder, "home"))
    for line, wanted in (
        ("prtip-dp --dry", "prtip-dp --dry-run"),
        ("prtip-dp --scan-type wi", "prtip-dp --scan-type window"),
        ("prtip-dp --plugin banner", "prtip-dp --plugin banner-analyzer"),
        ("prtip-dp --set plugins.overflow=th", "prtip-dp --set plugins.overflow=throttle"),
        ("prtip-dp --set checkpoint.inter", "prtip-dp --set checkpoint.interval="),
        ("prtip-dp -o ndj", "prtip-dp -o ndjson:"),
        ("prtip-dp -o ndjson:ini", "prtip-dp -o ndjson:ini-file"),
        ("prtip-dp --config ini", "prtip-dp --config ini-file"),
    ):
        got = zsh.complete(line)
        tap.check(got is not None and got.rstrip() == wanted, f"zsh: {line}", f"{got}")
    zsh.close()


# --- manual pages ---------------------------------------------------------------------------------


def check_pages(tap):
    for page in ("prtip-dp.1", "scan.ini.5", "prtip-plugin.7"):
        path = os.path.join(MADE, page)
        done = run("mandoc", "-T", "lint", "-W", "warning", path)
        tap.check(done.returncode == 0 and not done.stdout, f"{page}: mandoc has nothing to say", done.stdout)
        done = run("man", "--warnings", "-l", path, env=dict(os.environ, MANWIDTH="80", LC_ALL="C.UTF-8"))
        tap.check(done.returncode == 0 and not done.stderr, f"{page}: nor has man", done.stderr)
        text = re.sub(".\b", "", done.stdout)
        if page == "prtip-dp.1":
            missing = [flag for flag in flags_of_help() if not re.search(r"^ +(\S+, )*" + flag + r"\b", text, re.M)]
            tap.check(not missing, "all flags are in prtip-dp(1)", missing)
        if page == "scan.ini.5":
            missing = [key for key in keys_of_reference() if not re.search(r"^ +" + key.split(".")[1] + r"\b", text, re.M)]
            tap.check(not missing, "all keys are in scan.ini(5)", missing)
        if page == "prtip-plugin.7":
            api = open(os.path.join(TOP, "docs", "lua-api", "prtip.lua"), encoding="utf-8").read()
            missing = [name for name in set(re.findall(r"function prtip\.(\w+)", api)) if f"prtip.{name}" not in text]
            tap.check(not missing, "all functions are in prtip-plugin(7)", missing)


def main():
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="pdp-completion.") as folder:
        os.chdir(folder)
        os.makedirs("folder")
        open("ini-file", "w", encoding="ascii").close()
        check_bash(tap)
        check_zsh(tap, folder)
        check_pages(tap)
        os.chdir("/")
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
