#!/usr/bin/env python3
"""How fast `lantian assess` reads and evaluates hourly rows.

usage: air_bench.py [STATIONS [DAYS]]      default 1500 stations, 31 days; LANTIAN names the program"""
import datetime
import os
import pathlib
import random
import resource
import subprocess
import sys
import tempfile

LANTIAN = os.environ.get("LANTIAN", str(pathlib.Path(__file__).resolve().parents[2] / "build/src/main/lantian"))


def write(path, stations, days):
    r = random.Random(1)
    cells = [f"{r.randint(5, 200)},{r.randint(5, 300)},{r.randint(2, 50)},{r.randint(5, 120)},{r.randint(2, 30) / 10},{r.randint(2, 200)}"
             for _ in range(5000)]
    with open(path, "w", encoding="ascii") as f:
        f.write("time,station,PM25,PM10,SO2,NO2,CO,O3\n")
        for h in range(days * 24):
            at = datetime.datetime(2014, 1, 1) + datetime.timedelta(hours=h)
            f.write("".join(f"{at:%Y-%m-%d %H}:00,{1000 + s}A,{cells[r.randrange(5000)]}\n" for s in range(stations)))


def main():
    stations, days = (int(x) for x in (*sys.argv[1:], *("1500", "31")[len(sys.argv) - 1:]))
    last = datetime.date(2014, 1, 1) + datetime.timedelta(days=days - 1)
    rows = stations * days * 24
    with tempfile.TemporaryDirectory(prefix="lantian-bench-") as d:
        path = os.path.join(d, "hours.csv")
        write(path, stations, days)
        for scope in ("city", "station"):
            best = None
            for _ in range(5):
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                subprocess.run([LANTIAN, "assess", "--in", path, "--co-unit", "mg", "--hour-label", "start", "--from", "2014-01-01",
                                "--to", str(last), "--standard", "2026t", "--rounding", "final", "--scope", scope],
                               check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                best = cpu if best is None else min(best, cpu)
            print(f"{scope}: {rows} rows, {os.path.getsize(path) / 1e6:.0f} MB, CPU {best:.2f} s, {rows / best / 1e6:.1f} million rows/s, "
                  f"at most {after.ru_maxrss // 1024} MiB")


if __name__ == "__main__":
    main()
