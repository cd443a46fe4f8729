#!/usr/bin/env python3
"""Runs the fuzz targets with libFuzzer, ASan and UBSan (clang), one after another, on a corpus that is kept.

usage: tools/fuzz.py [--seconds N] [--until HH:MM] [--minutes N] [--build DIR] CORPUS [TARGET...]

Builds DIR (build-fuzz) with -Dfuzz=true, starts each new corpus with the seeds of the target's replay test, and gives
every target a turn of N seconds (60); with --until again and again until that hour, with --minutes until each target
has had so many CPU minutes in all its turns, earlier runs included. Prints a line a target and turn: executions, edges
covered, size of the corpus, findings, CPU minutes so far. CORPUS/TARGET/ is the corpus, CORPUS/TARGET.json the sums,
CORPUS/findings/TARGET/ holds what broke it: hand the file to DIR/src/TARGET to see it again. Runs with different targets
may share CORPUS. Exit 1 with findings.
"""
import argparse
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
OPTIONS = ["-timeout=120", "-rss_limit_mb=3000", "-max_len=16384", "-print_final_stats=1", "-use_value_profile=1"]


def build(folder, names):
    if not (folder / "build.ninja").exists():
        subprocess.run(["meson", "setup", folder, "-Dfuzz=true", "-Db_sanitize=address,undefined", "-Db_lundef=false",
                        "-Dbuildtype=debugoptimized"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "CC": os.environ.get("CC", "clang")})
    tests = json.loads(subprocess.run(["meson", "introspect", "--tests", folder], check=True, capture_output=True).stdout)
    replays = {t["name"]: t["cmd"] for t in tests if t["name"].endswith("_fuzz")}
    names = names or sorted(replays)
    unknown = [n for n in names if n not in replays]
    if unknown:
        sys.exit(f"no such target: {' '.join(unknown)}; there are {' '.join(sorted(replays))}")
    subprocess.run(["ninja", "-C", folder, "--quiet"] + [f"src/{n}{end}" for n in names for end in ("", "_replay")],
                   check=True)
    return {n: replays[n] for n in names}


def sums(corpus, name):
    path = corpus / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {"executions": 0, "cpu_s": 0, "edges": 0}


def one_turn(folder, corpus, name, replay, seconds):
    own, found, log = corpus / name, corpus / "findings" / name, corpus / f"{name}.log"
    if not own.exists():
        own.mkdir(parents=True)
        subprocess.run(replay, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "FUZZ_SEEDS": str(own)})
    found.mkdir(parents=True, exist_ok=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open(log, "w", encoding="utf-8") as f:
        subprocess.run([folder / "src" / name, f"-max_total_time={seconds}", f"-artifact_prefix={found}/", *OPTIONS, own],
                       stdout=f, stderr=f, env={**os.environ, "LSAN_OPTIONS": f"suppressions={ROOT}/tools/lsan.supp"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    text = log.read_text(errors="replace")
    mine = sums(corpus, name)
    edges = re.findall(r"cov: (\d+)", text)
    executions = re.findall(r"number_of_executed_units: (\d+)", text)
    mine["edges"] = max([mine["edges"]] + [int(n) for n in edges])
    mine["executions"] += int(executions[-1]) if executions else 0
    mine["cpu_s"] += round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    mine["corpus"] = sum(1 for _ in own.iterdir())
    mine["findings"] = sum(1 for p in found.iterdir() if not p.name.startswith("slow-unit"))
    (corpus / f"{name}.json").write_text(json.dumps(mine))
    print(f"{name:18} {mine['executions']:>12,} executions  {mine['edges']:>6,} edges  {mine['corpus']:>6,} inputs  "
          f"{mine['findings']} findings  {mine['cpu_s'] / 60:6.1f} CPU min", flush=True)
    return mine["findings"]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seconds", type=int, default=60)
    p.add_argument("--until", help="HH:MM: turns go on until then")
    p.add_argument("--minutes", type=float, default=0, help="turns go on until each target has had so many CPU minutes")
    p.add_argument("--build", type=pathlib.Path, default=ROOT / "build-fuzz")
    p.add_argument("corpus", type=pathlib.Path)
    p.add_argument("target", nargs="*")
    a = p.parse_args()
    end = time.time()
    if a.until:
        hour, minute = map(int, a.until.split(":"))
        now = time.localtime()
        end += (hour * 60 + minute - now.tm_hour * 60 - now.tm_min) % 1440 * 60 - now.tm_sec
    subprocess.run([ROOT / "tools/install.sh", "build", "fuzz"], check=True)
    corpus = a.corpus.resolve()
    targets = build(a.build.resolve(), a.target)
    found = {}

    def lacks(name):
        return sums(corpus, name)["cpu_s"] < a.minutes * 60

    while True:
        for name, replay in targets.items():
            if found and a.until and time.time() >= end:
                break
            if not a.minutes or lacks(name):
                found[name] = one_turn(a.build.resolve(), corpus, name, replay, a.seconds)
        enough = not any(map(lacks, targets)) if a.minutes else not a.until
        if enough or (a.until and time.time() >= end):
            return 1 if any(found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
