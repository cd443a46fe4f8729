#!/usr/bin/env python3
"""Draws the samples of soak.py: four panels under one axis of minutes, disturbances as marks.    usage: tests/soak_draw.py soak.csv > soak.svg"""
import csv
import math
import sys

WIDTH, LEFT, RIGHT, HIGH, GAP, TOP = 960, 76, 150, 130, 34, 96
COLOURS = ("#1f5fa8", "#c2571a", "#4a7a2c")
MARKS = {"kill": ("k", "#b02020"), "killed_on_a_full_disk": ("K", "#b02020"), "full_disk": ("f", "#8a6d00"), "clock_on_and_back": ("+", "#6a3d9a"),
         "clock_back_and_on": ("−", "#6a3d9a"), "cable_pulled": ("c", "#00707a"), "peers_vanish": ("v", "#00707a"), "peers_freeze": ("z", "#00707a")}
NAMES = {"kill": "kill −9", "killed_on_a_full_disk": "kill −9 on a full disk", "full_disk": "disk full", "clock_on_and_back": "clock +1 h and back",
         "clock_back_and_on": "clock −1 h and back", "cable_pulled": "network away", "peers_vanish": "peers vanish", "peers_freeze": "peers freeze"}
# title, unit, logarithmic, [(column, name)]
PANELS = [("Frames acknowledged", "frames/s", False, [("frames_s", "acknowledged")]),
          ("Latency", "ms", True, [("ack_p50_ms", "answer p50"), ("ack_p99_ms", "answer p99"), ("page_p50_ms", "page p50")]),
          ("Memory", "MiB", False, [("rss_mib", "resident")]),
          ("Descriptors", "", False, [("fds", "descriptors"), ("conns", "connections")])]


def number(row, key):
    return float(row[key]) if row.get(key) not in ("", None) else None


def nice(top):
    """A round number not below top."""
    step = 10 ** math.floor(math.log10(max(top, 1)))
    return next(step * m for m in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * m >= top)


def panel(out, rows, y0, title, unit, log, lines, x_of):
    values = [v for key, _ in lines for r in rows if (v := number(r, key)) is not None]
    top = 10 ** math.ceil(math.log10(max(values + [10]))) if log else nice(max(values + [1]))

    def y_of(v):
        share = (math.log10(max(v, 1)) / math.log10(top)) if log else v / top
        return y0 + HIGH - share * HIGH

    out.append(f'<text x="{LEFT}" y="{y0 - 8}" class="t">{title}{", " + unit if unit else ""}</text>')
    ticks = [10 ** i for i in range(int(math.log10(top)) + 1)] if log else [top * i / 4 for i in range(5)]
    for v in ticks:
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y_of(v):.1f}" y2="{y_of(v):.1f}" class="g"/>'
                   f'<text x="{LEFT - 6}" y="{y_of(v) + 4:.1f}" class="n">{v:,.0f}</text>')
    for i, (key, name) in enumerate(lines):
        parts, on = [], False
        for r in rows:
            v = number(r, key)
            if v is not None:
                parts.append(f"{'L' if on else 'M'}{x_of(r):.1f} {y_of(v):.1f}")
            on = v is not None
        out.append(f'<path d="{"".join(parts)}" fill="none" stroke="{COLOURS[i]}" stroke-width="1.3"/>'
                   f'<text x="{WIDTH - RIGHT + 10}" y="{y0 + 14 + 16 * i}" fill="{COLOURS[i]}">{name}</text>')


def main():
    with open(sys.argv[1], encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    end = max(float(r["s"]) for r in rows)
    bottom = TOP + len(PANELS) * (HIGH + GAP) - GAP

    def x_of(r):
        return LEFT + float(r["s"]) / end * (WIDTH - LEFT - RIGHT)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 40}" font-family="sans-serif" font-size="12">'
           '<style>.t{font-weight:bold}.n{text-anchor:end;fill:#555}.m{text-anchor:middle}.g{stroke:#ddd;stroke-width:.6}</style>'
           f'<rect width="{WIDTH}" height="{bottom + 40}" fill="#fff"/>']
    used = [k for k in MARKS if any(k in (r["event"] or "").split(" + ") for r in rows)]
    for i, k in enumerate(used):
        out.append(f'<text x="{LEFT + i % 4 * 185}" y="{18 + i // 4 * 18}" fill="{MARKS[k][1]}"><tspan font-weight="bold">{MARKS[k][0]}</tspan> {NAMES[k]}</text>')
    for r in rows:
        for k in filter(None, (r["event"] or "").split(" + ")):
            mark, colour = MARKS.get(k, ("?", "#000"))
            out.append(f'<line x1="{x_of(r):.1f}" x2="{x_of(r):.1f}" y1="{TOP - 26}" y2="{bottom}" stroke="{colour}" stroke-width=".7" stroke-dasharray="2 3"/>'
                       f'<text x="{x_of(r):.1f}" y="{TOP - 30}" class="m" fill="{colour}" font-weight="bold">{mark}</text>')
    for i, (title, unit, log, lines) in enumerate(PANELS):
        panel(out, rows, TOP + i * (HIGH + GAP), title, unit, log, lines, x_of)
    for m in range(0, int(end // 60) + 1, max(1, int(end // 600))):
        x = LEFT + m * 60 / end * (WIDTH - LEFT - RIGHT)
        out.append(f'<text x="{x:.1f}" y="{bottom + 18}" class="m" fill="#555">{m}</text>')
    out.append(f'<text x="{WIDTH - RIGHT + 10}" y="{bottom + 18}" fill="#555">minutes</text></svg>')
    print("\n".join(out))


if __name__ == "__main__":
    main()
