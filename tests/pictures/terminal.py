"""Runs a program in a terminal of its own for some seconds and draws what is on the screen then.

terminal.py COLUMNS ROWS SECONDS PICTURE.svg PROGRAM ARGUMENT...
terminal.py COLUMNS ROWS - PICTURE.svg        draws what standard input has: lines with colours, as `tmux capture-pane -e` gives them

Knows as much of a terminal as ratatui with crossterm needs: moving, colours, attributes.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
import unicodedata
from xml.sax.saxutils import escape

INK, PAPER = "#e6e6e1", "#1a1a19"
COLOURS = ["#3b3b37", "#f0716a", "#6fd49a", "#f2c14e", "#6da7ec", "#d58be0", "#58c7d6", "#e6e6e1"]
WIDTH, HEIGHT = 8.43, 18


def record(columns, rows, seconds, command):
    """What the program writes in this time."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(TERM="xterm-256color", LANG="C.UTF-8")
        os.environ.pop("NO_COLOR", None)
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    os.kill(child, signal.SIGWINCH)
    written, until = b"", time.monotonic() + seconds
    while time.monotonic() < until:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                written += os.read(terminal, 65536)
            except OSError:
                break
    screen = written.decode("utf-8", "replace")
    os.write(terminal, b"q")
    until = time.monotonic() + 5
    while time.monotonic() < until and os.waitpid(child, os.WNOHANG)[0] == 0:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                os.read(terminal, 65536)
            except OSError:
                pass
    return screen


def play(text, columns, rows):
    """The screen: for each cell a character and its style."""
    blank = (" ", (None, False, False, False))
    cells = [[blank] * columns for _ in range(rows)]
    row = column = 0
    colour, bold, dim, reverse = None, False, False, False
    for sequence, final, char in re.findall(r"\x1b\[([?<>=]?[\d;]*)([A-Za-z])|\x1b[()].|\x1b.|(.)", text, re.S):
        if final == "H":
            where = [int(n or 1) for n in (sequence or "1;1").split(";")]
            row, column = where[0] - 1, (where[1] if len(where) > 1 else 1) - 1
        elif final == "J":
            cells = [[blank] * columns for _ in range(rows)]
        elif final == "m":
            codes = [int(n or 0) for n in sequence.split(";")]
            while codes:
                code = codes.pop(0)
                if code == 0:
                    colour, bold, dim, reverse = None, False, False, False
                elif code in (38, 48) and codes[:1] == [5]:
                    if code == 38:
                        colour = COLOURS[codes[1] % 8] if codes[1] < 16 else colour
                    del codes[:2]
                elif 30 <= code <= 37 or 90 <= code <= 97:
                    colour = COLOURS[code % 10]
                elif code == 39:
                    colour = None
                elif code in (1, 2, 7):
                    bold, dim, reverse = bold or code == 1, dim or code == 2, reverse or code == 7
                elif code == 22:
                    bold = dim = False
                elif code == 27:
                    reverse = False
        elif char == "\r":
            column = 0
        elif char == "\n":
            row += 1
        elif char and not unicodedata.category(char).startswith("C"):
            if row < rows and column < columns:
                cells[row][column] = (char, (colour, bold, dim, reverse))
            column += 1
    return cells


def draw(cells):
    """The screen as a picture."""
    width, height = len(cells[0]) * WIDTH + 24, len(cells) * HEIGHT + 24
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        'font-family="ui-monospace, Menlo, Consolas, DejaVu Sans Mono, monospace" font-size="14">',
        f'<rect width="100%" height="100%" rx="10" fill="{PAPER}"/>',
    ]
    for at, line in enumerate(cells):
        column = 0
        while column < len(line):
            style, first = line[column][1], column
            while column < len(line) and line[column][1] == style:
                column += 1
            text = "".join(char for char, _ in line[first:column])
            colour, bold, dim, reverse = style
            x, y, span = 12 + first * WIDTH, 12 + at * HEIGHT, (column - first) * WIDTH
            ink = colour or INK
            if reverse:
                out.append(f'<rect x="{x:.1f}" y="{y}" width="{span:.1f}" height="{HEIGHT}" fill="{ink}"/>')
                ink = PAPER
            # Each stretch without gaps keeps its columns, whatever the font.
            for match in re.finditer(r"\S+(?: \S+)*", text):
                start, length = x + match.start() * WIDTH, len(match.group()) * WIDTH
                out.append(
                    f'<text x="{start:.1f}" y="{y + 13.5}" textLength="{length:.1f}" lengthAdjust="spacingAndGlyphs" fill="{ink}"'
                    + (' font-weight="bold"' if bold else "")
                    + (' opacity=".6"' if dim else "")
                    + f">{escape(match.group())}</text>"
                )
    return "\n".join(out + ["</svg>", ""])


def main():
    columns, rows = (int(n) for n in sys.argv[1:3])
    if sys.argv[3] == "-":
        screen = sys.stdin.read().replace("\n", "\r\n")
    else:
        screen = record(columns, rows, int(sys.argv[3]), sys.argv[5:])
    cells = play(screen, columns, rows)
    with open(sys.argv[4], "w", encoding="utf-8") as picture:
        picture.write(draw(cells))


main()
