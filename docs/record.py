#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Run commands on a terminal of their own and keep what it showed, as an SVG that plays.

    docs/record.py OUT.svg COMMAND...      each is typed at a prompt and run by a shell, one after the other

The terminal has 80 columns and is emulated by pyte (Debian: python3-pyte): what is drawn is what stood on it.
"""
import codecs
import html
import os
import pty
import select
import subprocess
import sys
import time

import fcntl
import struct
import termios

import pyte

COLUMNS, MOST_ROWS = 80, 30
FRAME_S = 0.25            # at most one frame in that time
TYPING_S = 0.6            # a command stands that long before it runs
LAST_S = 4                # the end stays
WIDE, HIGH = 8.4, 18      # of a character, in pixels
COLORS = {"black": "#1c1e22", "red": "#ff6b68", "green": "#7ec983", "brown": "#e2c06b", "yellow": "#e2c06b",
          "blue": "#6ca8f0", "magenta": "#c792ea", "cyan": "#6bc7d1", "white": "#e4e6ea", "default": "#d5d8de"}


class Recording:
    def __init__(self):
        self.screen = pyte.Screen(COLUMNS, MOST_ROWS)
        self.stream = pyte.Stream(self.screen)
        self.frames = []          # (seconds, rows)
        self.now = 0.0

    def rows(self):
        rows = []
        for y in range(MOST_ROWS):
            line, runs = self.screen.buffer[y], []
            for x in range(COLUMNS):
                cell = line[x]
                style = (cell.fg, cell.bold)
                if runs and runs[-1][0] == style:
                    runs[-1][1] += cell.data
                else:
                    runs.append([style, cell.data])
            rows.append(tuple((style, text) for style, text in runs if text.strip() or len(runs) > 1))
        return tuple(rows)

    def keep(self):
        rows = self.rows()
        if self.frames and self.now - self.frames[-1][0] < FRAME_S:
            self.frames[-1] = (self.frames[-1][0], rows)
        elif not self.frames or self.frames[-1][1] != rows:
            self.frames.append((self.now, rows))

    def wait(self, seconds):
        self.keep()
        self.now += seconds

    def run(self, command):
        self.stream.feed("\x1b[32m$\x1b[0m ")
        self.wait(TYPING_S)
        self.stream.feed(command.replace("\n", "\r\n") + "\r\n")
        self.wait(TYPING_S)
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", MOST_ROWS, COLUMNS, 0, 0))
        child = subprocess.Popen(["sh", "-c", command], stdin=slave, stdout=slave, stderr=slave, close_fds=True,
                                 start_new_session=True, env=dict(os.environ, TERM="xterm-256color"))
        os.close(slave)
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        start, began = time.monotonic(), self.now
        while True:
            readable, _, _ = select.select([master], [], [], FRAME_S)
            self.now = began + time.monotonic() - start
            if readable:
                try:
                    data = os.read(master, 1 << 16)
                except OSError:
                    break
                if not data:
                    break
                self.stream.feed(decoder.decode(data))
            self.keep()
        os.close(master)
        if child.wait():
            sys.exit(f"docs/record.py: exit status {child.returncode} of: {command}")
        self.wait(1.5)

    def svg(self):
        frames, total = self.frames, self.now + LAST_S
        used = max(y for _, rows in frames for y, row in enumerate(rows) if row) + 1
        width, height = COLUMNS * WIDE + 32, used * HIGH + 32
        out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
               f'width="{width:.0f}" height="{height:.0f}" role="img">',
               "<!-- SPDX-License-Identifier: BSD-3-Clause; made by docs/record.py of a real run -->",
               "<style>text{font:14px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;white-space:pre}"
               f"g{{visibility:hidden}}g.last{{visibility:visible}}"
               "@media (prefers-reduced-motion:no-preference){g.last{visibility:hidden}"]
        for i, (start, _) in enumerate(frames):
            end = frames[i + 1][0] if i + 1 < len(frames) else total
            a, b = 100 * start / total, 100 * end / total
            shown = f"{a:.3f}%{{visibility:visible}}"
            if a > 0:
                shown = "0%{visibility:hidden}" + shown
            if b < 100:
                shown += f"{b:.3f}%,100%{{visibility:hidden}}"
            else:
                shown += "100%{visibility:visible}"
            out.append(f"@keyframes k{i}{{{shown}}}#f{i}{{animation:k{i} {total:.1f}s step-end infinite}}")
        out.append(f'}}</style><rect width="100%" height="100%" rx="8" fill="{COLORS["black"]}"/>')
        for i, (_, rows) in enumerate(frames):
            last = ' class="last"' if i == len(frames) - 1 else ""
            out.append(f'<g id="f{i}"{last}>')
            for y, row in enumerate(rows):
                if not row:
                    continue
                spans = "".join(
                    f'<tspan fill="{COLORS.get(fg, COLORS["default"])}"{" font-weight=" + chr(34) + "bold" + chr(34) if bold else ""}>'
                    f"{html.escape(text)}</tspan>" for (fg, bold), text in row)
                out.append(f'<text x="16" y="{16 + (y + 1) * HIGH - 5}">{spans}</text>')
            out.append("</g>")
        return "\n".join(out + ["</svg>"]) + "\n"


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__.strip())
    recording = Recording()
    for command in sys.argv[2:]:
        recording.run(command)
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        file.write(recording.svg())


main()
