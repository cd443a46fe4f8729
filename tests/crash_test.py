#!/usr/bin/env python3
"""kill -9 at random moments under load: no acknowledged frame is lost, none is doubled, the ledger is exact."""
import collections
import json
import os
import random
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(__file__))
from post import LANTIAN, LONG, Post, cli, run_tests

CYCLES = 200 if LONG else 10


def kills_under_load():
    rnd = random.Random(int(os.environ.get("LT_SEED", "1")))
    with Post() as post, tempfile.NamedTemporaryFile("r", errors="replace") as acked:
        post.start()
        sim = subprocess.Popen([LANTIAN, "sim", "--to", f"127.0.0.1:{post.hj212}", "--devices", "40", "--rate", "4000",
                                "--window", "8", "--seconds", str(CYCLES * 2.2), "--timeout", "1500", "--drain", "40000",
                                "--acked", acked.name, "--quiet"], stdout=subprocess.PIPE, text=True)
        slowest = 0.0
        for _ in range(CYCLES):
            time.sleep(rnd.uniform(0.2, 2.2))
            post.kill()
            post.start()
            slowest = max(slowest, post.start_s)
        report = json.loads(sim.communicate(timeout=600)[0])
        assert sim.returncode in (0, 1), sim.returncode
        assert post.stop() == 0
        lines = [x.rstrip("\n") for x in acked]
        stored = collections.Counter(cli("export", "frames", "--data", post.data, check=0).stdout.decode().splitlines())
        lost = [x for x in lines if x not in stored]
        doubled = [x for x, n in stored.items() if n > 1]
        ledger = [json.loads(x) for x in cli("ledger", "--data", post.data, "--all-days", "--json", check=0).stdout.splitlines()]
        print(f"# {CYCLES} kills, {len(lines)} acknowledged, {len(stored)} stored, {report['resent']} resent, "
              f"slowest start {slowest:.2f} s")
        assert len(lines) == report["acknowledged"] > 1000
        assert not lost, f"{len(lost)} acknowledged frames are lost, e.g. {lost[:2]}"
        assert not doubled, f"{len(doubled)} frames are stored twice, e.g. {doubled[:2]}"
        for row in ledger:
            assert row["received"] == row["stored"] + row["duplicate"] + sum(row["rejected"].values()), row
        assert sum(r["stored"] for r in ledger) == sum(stored.values())
        assert sum(r["duplicate"] for r in ledger) > 0, "resends after a kill must show as duplicates"
        cli("verify-journal", "--data", post.data, check=0)


run_tests([kills_under_load])
