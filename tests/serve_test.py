#!/usr/bin/env python3
"""The command line scripts rely on: serve, export frames, ledger, sim, hj212."""
import json
import os
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
from post import Post, cli, damaged, frame, read_answers, run_tests

QN = "2026112508000{:04d}".format


def now_qn(i):
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() + 8 * 3600)) + f"{i:03d}"


def data_time():
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() + 8 * 3600))


def ready_and_graceful_end():
    with Post() as post:
        post.start()
        assert f"127.0.0.1:{post.http}" in post.ready_line and f"127.0.0.1:{post.hj212}" in post.ready_line, post.ready_line
        assert post.request("GET", "/healthz")[0] == 200
        assert post.stop() == 0


def acknowledged_frames_are_exported_once():
    with Post() as post:
        post.start()
        frames = [frame("010000A8900016F000169DC0", now_qn(i), f"DataTime={data_time()};a21026-Rtd={i}.5,a21026-Flag=N")
                  for i in range(50)]
        with post.connect() as s:
            s.sendall(b"".join(frames))
            assert len(read_answers(s, 50)) == 50
            s.sendall(frames[7] + frames[9])  # sent again: answered again, stored once
            assert len(read_answers(s, 2)) == 2
            s.sendall(damaged(frames[0]))  # damaged: silence
            s.settimeout(1)
            try:
                extra = s.recv(100)
            except socket.timeout:
                extra = b""
            assert b"9014" not in extra, extra
        out = cli("export", "frames", "--data", post.data, check=0).stdout.decode().splitlines()
        assert out == [f.decode().rstrip("\r\n") for f in frames]
        one = cli("export", "frames", "--data", post.data, "--mn", "NOBODY", check=0).stdout
        assert one == b""
        row = json.loads(cli("ledger", "--data", post.data, "--json", check=0).stdout.splitlines()[0])
        assert (row["mn"], row["received"], row["stored"], row["duplicate"], row["rejected"]) == \
            ("010000A8900016F000169DC0", 53, 50, 2, {"crc": 1}), row
        assert post.stop() == 0
        again = json.loads(cli("ledger", "--data", post.data, "--json", check=0).stdout.splitlines()[0])
        assert again == row, "the ledger is the same when the post is down"


def closed_enrolment_keeps_but_does_not_answer():
    with Post(enroll="closed") as post:
        post.start()
        f = frame("AAAA00000000000000000001", now_qn(1), f"DataTime={data_time()};a21026-Rtd=1.5,a21026-Flag=N")
        with post.connect() as s:
            s.sendall(f)
            s.settimeout(1.5)
            try:
                got = s.recv(1000)
            except socket.timeout:
                got = b""
            assert b"9014" not in got, got
        out = cli("export", "frames", "--data", post.data, check=0).stdout
        assert out.strip() == f.strip()
        assert post.stop() == 0


def a_second_post_on_the_same_directory_is_refused():
    with Post() as post:
        post.start()
        r = cli("serve", "--data", post.data, "--http", "127.0.0.1:0", "--hj212", "127.0.0.1:0")
        assert r.returncode == 2 and b"used by another post" in r.stderr, r.stderr
        assert post.stop() == 0


def simulator_reports():
    with Post() as post:
        post.start()
        r = cli("sim", "--to", f"127.0.0.1:{post.hj212}", "--devices", 20, "--rate", 500, "--seconds", 3, "--quiet", check=0)
        rep = json.loads(r.stdout)
        assert rep["sent"] == rep["acknowledged"] > 1000 and rep["resent"] == 0 and rep["lost"] == 0, rep
        assert set(rep["latency_ms"]) == {"p50", "p90", "p99", "p999", "max"} and rep["latency_ms"]["p50"] > 0
        out = cli("export", "frames", "--data", post.data, check=0).stdout.splitlines()
        assert len(out) == rep["sent"] == len(set(out))
        assert post.stop() == 0


def decode_and_encode():
    text = frame("010000A8900016F000169DC0", QN(1), "DataTime=20261125080000;a34013-Rtd=3.21,a34013-Flag=N")
    r = cli("hj212", "decode", stdin=text, check=0)
    o = json.loads(r.stdout)
    assert o["ok"] is True and o["edition"] == 2017 and o["mn"] == "010000A8900016F000169DC0" and o["flag"] == 5, o
    assert {"factor": "a34013", "field": "Rtd", "value": "3.21"} in o["items"] and o["cp"]["DataTime"] == "20261125080000"
    assert cli("hj212", "encode", stdin=r.stdout, check=0).stdout == text
    bad = json.loads(cli("hj212", "decode", stdin=text.replace(b"3.21", b"3.22")).stdout)
    assert bad["ok"] is False and bad["error"] == "crc" and isinstance(bad["at"], int), bad


def wrong_use_is_told():
    for args in (["serve", "--nonsense"], ["sim"], ["ledger", "--data", "/nonexistent/x", "--json"], ["frobnicate"]):
        r = cli(*args)
        assert r.returncode == 2 and r.stderr and not r.stdout, (args, r)


def failures_have_a_status():
    import tempfile
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))  # bound, not listening: refused
        r = cli("sim", "--to", f"127.0.0.1:{s.getsockname()[1]}", "--seconds", 1, "--drain", 500, "--quiet")
    assert r.returncode == 2 and b"nothing answers at" in r.stderr, r
    with tempfile.TemporaryDirectory() as empty:
        r = cli("ledger", "--data", empty)
        assert r.returncode == 2 and b"no post in" in r.stderr and not r.stdout, r
    with Post() as post:
        post.start()
        r = cli("ledger", "--data", post.data, "--day", "2020-01-01", check=0)
        assert not r.stdout and b"nothing was received on that day" in r.stderr, r
        assert post.stop() == 0


def backup_and_restore():
    with Post() as post, Post(data=None) as other:
        post.start()
        cli("sim", "--to", f"127.0.0.1:{post.hj212}", "--devices", 5, "--rate", 200, "--seconds", 2, "--quiet", check=0)
        target = post.data + "-backup"
        cli("backup", "--data", post.data, "--to", target, check=0)
        before = cli("export", "frames", "--data", post.data, check=0).stdout
        assert post.stop() == 0
        restored = post.data + "-restored"
        cli("restore", "--from", target, "--data", restored, check=0)
        assert cli("export", "frames", "--data", restored, check=0).stdout == before
        other.data = restored
        other.own = False
        other.start()
        assert other.request("GET", "/healthz")[0] == 200
        assert other.stop() == 0
        said = cli("verify-journal", "--data", restored, check=0).stdout.decode()
        import glob
        import shutil
        import sqlite3
        with sqlite3.connect(sorted(glob.glob(os.path.join(restored, "journal", "????????.db")))[-1]) as day:
            (last,) = day.execute("SELECT hash FROM batch ORDER BY first_seq DESC LIMIT 1").fetchone()
        assert said.endswith(f"last hash {last.hex()}\n"), "whoever notes it sees later that newest batches were cut off: " + said
        shutil.rmtree(target)
        shutil.rmtree(restored)


def a_lost_or_damaged_journal_is_repaired_only_on_demand():
    import glob
    import shutil
    with Post() as post:
        post.start()
        cli("sim", "--to", f"127.0.0.1:{post.hj212}", "--devices", 5, "--rate", 200, "--seconds", 2, "--quiet", check=0)
        assert post.stop() == 0
        r = cli("repair-journal", "--data", post.data, check=0)
        assert r.stdout.startswith(b"nothing to repair"), r
        shutil.rmtree(os.path.join(post.data, "journal"))
        args = ("serve", "--data", post.data, "--http", "127.0.0.1:0", "--hj212", "127.0.0.1:0")
        r = cli(*args)
        assert r.returncode == 2 and b"journal" in r.stderr, r
        r = cli("repair-journal", "--data", post.data)
        assert r.returncode == 1 and b"are missing" in r.stdout and b"nothing was changed" in r.stdout, r
        assert cli("repair-journal", "--data", post.data, "--accept-loss").returncode == 2, "a name is needed"
        r = cli("repair-journal", "--data", post.data, "--accept-loss", "--by", "wang", check=0)
        assert b"audit row written" in r.stdout, r
        post.start()
        cli("sim", "--to", f"127.0.0.1:{post.hj212}", "--devices", 5, "--rate", 200, "--seconds", 2, "--quiet", check=0)
        assert post.request("GET", "/healthz")[0] == 200
        assert post.stop() == 0
        cli("verify-journal", "--data", post.data, check=0)
        stored = len(cli("export", "frames", "--data", post.data, check=0).stdout.splitlines())
        path = sorted(glob.glob(os.path.join(post.data, "journal", "????????.db")))[-1]
        with open(path, "r+b") as f:
            f.write(b"\xa5" * 100)
        assert cli(*args).returncode == 2
        r = cli("repair-journal", "--data", post.data, "--accept-loss", "--by", "wang", check=0)
        assert glob.glob(path + ".damaged-*"), os.listdir(os.path.dirname(path))
        post.start()
        assert post.request("GET", "/healthz")[0] == 200
        assert post.stop() == 0
        cli("verify-journal", "--data", post.data, check=0)
        assert stored > 0
        import sqlite3
        db = sqlite3.connect(os.path.join(post.data, "state.db"))
        rows = [json.loads(d) for (d,) in db.execute("SELECT detail FROM audit WHERE action = 'repair_journal' ORDER BY seq")]
        assert len(rows) == 2 and rows[0]["accepted_by"] == "wang" and rows[0]["lost"] > 0 and rows[1]["aside"], rows


run_tests([ready_and_graceful_end, acknowledged_frames_are_exported_once, closed_enrolment_keeps_but_does_not_answer,
           a_second_post_on_the_same_directory_is_refused, simulator_reports, decode_and_encode, wrong_use_is_told,
           failures_have_a_status, backup_and_restore, a_lost_or_damaged_journal_is_repaired_only_on_demand])
