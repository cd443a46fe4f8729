#!/usr/bin/env python3
"""Evidence and sealed days of a running post: a package within two seconds of the alarm, checked offline; follow-ups, custody,
rights, holds; kill -9 while sealing; altered files."""
import http.client
import json
import os
import pathlib
import random
import shutil
import sys
import tempfile
import threading
import time
import zipfile

sys.path.insert(0, os.path.dirname(__file__))
from api_test import Session, administrator
from hostile_test import Numbers, person, stamp, town
from post import LONG, Post, cli, frame, read_answers, run_tests

DIR = pathlib.Path(tempfile.mkdtemp(prefix="lantian-proof-"))
POST = ADMIN = OWN = OTHER = DUTY = None
KILLS = 100 if LONG else 20


def exceed(post, hours_ago=1, factor="a21026", value="500.5", mn="WALL00000000000000000000", pw="Se0ret"):
    """An hour far above its limit; returns when it was acknowledged."""
    with post.connect() as s:
        qn = Numbers.qn()
        s.sendall(frame(mn, qn, f"DataTime={stamp(-3600 * hours_ago)[:10]}0000;{factor}-Avg={value},{factor}-Flag=N", cn=2061, flag=9, pw=pw))
        read_answers(s, 1)
    return time.time()


def evidence(session, n=1, timeout=15, **query):
    q = "&".join(f"{k}={v}" for k, v in query.items())
    end = time.monotonic() + timeout
    while True:
        items = session.must("GET", f"/api/v1/evidence?limit=200&{q}")["items"]
        if len(items) >= n or time.monotonic() > end:
            return items
        time.sleep(0.05)


def download(session, id_, name):
    status, headers, body = session.post.request("GET", f"/api/v1/evidence/{id_}/download", headers=session.headers, raw=True)
    assert status == 200 and headers["Content-Type"] == "application/zip", (status, headers)
    path = DIR / name
    path.write_bytes(body)
    return path


def start():
    global POST, ADMIN, OWN, OTHER
    POST = Post().start()
    ADMIN = administrator(POST)
    _, (OWN, OTHER) = town(ADMIN)
    for where in (OWN, OTHER):
        for factor in ("a21026", "a21002", "a34013"):
            ADMIN.must("POST", "/api/v1/factor_limit", {"outlet": where["outlet"], "factor": factor, "period": "hour", "basis": "measured",
                                                        "limit_value": 10, "standard": "GB test", "valid_from": "2020-01-01"})
    with POST.connect() as s:  # some frames before, of this hour and the one before
        for i in range(20):
            s.sendall(frame("WALL00000000000000000000", Numbers.qn(), f"DataTime={stamp(-60 * i)};a21026-Rtd={i}.5,a21026-Flag=N", flag=9, pw="Se0ret"))
        read_answers(s, 20)


def a_package_within_two_seconds():
    sent = exceed(POST)
    found = evidence(ADMIN)
    assert found, "no package"
    late = time.time() - sent
    e = found[0]
    assert e["type"] == "alarm" and e["rule"] == "hour_exceed" and e["state"] == "sealed" and "500.5" in e["alarm_text"], e
    assert late < 2.5 and 0 <= e["delay_ms"] <= 2000, (late, e["delay_ms"])
    assert e["size"] <= 1 << 20, f"{e['size']} bytes"
    print(f"# package {e['size']} bytes, {late:.2f} s after the frame, {e['delay_ms']} ms after the alarm")
    path = download(ADMIN, e["id"], "first.zip")
    (DIR / "public.txt").write_bytes(POST.request("GET", "/api/v1/proof/keys?format=text", headers=ADMIN.headers, raw=True)[2])
    out = cli("verify", path, "--key", DIR / "public.txt", "--lang", "en", check=0).stdout.decode()
    assert "it holds" in out and "[ok] key" in out and "[NO]" not in out, out
    assert "核验通过" in cli("verify", path, "--lang", "zh", check=0).stdout.decode()
    with zipfile.ZipFile(path) as z:  # an ordinary ZIP for everybody else
        assert z.testzip() is None
        names = z.namelist()
        for name in ("manifest.json", "signature.sm2", "signature.ed25519", "alarm.json", "frames.bin", "decoded.jsonl", "values.jsonl",
                     "state.json", "ledger.json", "neighbours.json", "context.json", "audit.jsonl", "custody.jsonl", "cover.html", "cover.pdf"):
            assert name in names, names
        decoded = [json.loads(x) for x in z.read("decoded.jsonl").decode().splitlines()]
        assert sum(1 for d in decoded if d["kind"] == "frame") == 21, len(decoded)
        assert "Se0ret" not in z.read("decoded.jsonl").decode()
        alarm = json.loads(z.read("alarm.json"))
        assert alarm["verdicts"] and alarm["verdicts"][0]["outcome"] == "raise" and alarm["rules"][0]["code"] == "hour_exceed", alarm
        assert alarm["limits"][0]["limit_value"] in (10, "10"), alarm["limits"]
        assert json.loads(z.read("ledger.json"))["received"] == 21
        assert "500.5" in z.read("cover.html").decode() and z.read("cover.pdf")[:5] == b"%PDF-"


def every_check_and_its_exit():
    path = DIR / "first.zip"
    whole = path.read_bytes()
    rnd = random.Random(5)
    bad = DIR / "bad.zip"
    for _ in range(30):
        at, bit = rnd.randrange(len(whole)), 1 << rnd.randrange(8)
        bad.write_bytes(whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1:])
        r = cli("verify", bad, "--lang", "en", check=1)
        assert f"offset {at}".encode() in r.stdout and f"was 0x{whole[at]:02x}".encode() in r.stdout, (at, r.stdout)
    bad.write_bytes(whole[:-100])
    assert f"offset {len(whole) - 100}".encode() in cli("verify", bad, "--lang", "en", check=1).stdout
    other = DIR / "other.txt"
    with Post() as second:
        second.start()
        other.write_bytes(second.request("GET", "/api/v1/proof/keys?format=text", headers=administrator(second).headers, raw=True)[2])
    assert b"[NO] key" in cli("verify", path, "--key", other, "--lang", "en", check=1).stdout
    cli("verify", check=2)
    cli("verify", DIR / "nothing.zip", check=2)
    cli("verify", path, "--key", path, check=2)
    cli("verify", path, "--data", DIR, check=2)
    cli("verify", "--data", DIR, check=2)
    bad.write_bytes(b"nothing of the kind")
    cli("verify", bad, check=1)


def follow_ups_custody_and_rights():
    e = evidence(ADMIN)[0]
    insp = person(POST, ADMIN, "insp", "inspector", territory=OWN["territory"])
    plant = person(POST, ADMIN, "plant-own", "plant", enterprise=OWN["enterprise"], territory=OWN["territory"])
    elsewhere = person(POST, ADMIN, "county-else", "county", territory=OTHER["territory"])
    assert [x["id"] for x in evidence(plant)] == [e["id"]] and evidence(elsewhere, 0) == []
    for path in ("", "/detail", "/download", "/entry?name=alarm.json"):
        assert elsewhere.call("GET", f"/api/v1/evidence/{e['id']}{path}")[0] == 404, path
    assert elsewhere.call("POST", f"/api/v1/evidence/{e['id']}/verify")[0] == 404
    c = http.client.HTTPConnection("127.0.0.1", POST.http, timeout=30)
    photo = os.urandom(300000)

    def append(session, query, body):
        c.request("POST", f"/api/v1/evidence/{e['id']}/append?{query}", body, {**session.headers, "Content-Type": "image/jpeg"})
        r = c.getresponse()
        return r.status, json.loads(r.read())

    assert append(plant, "type=photo&name=a.jpg", photo)[0] == 403
    assert append(insp, "type=poem&name=a.jpg", photo)[0] == 422
    assert append(insp, "type=photo&name=a.jpg", b"")[0] == 422
    assert append(insp, "type=photo&name=a.jpg", b"x" * (17 << 20))[0] == 413
    status, f = append(insp, "type=photo&name=%E7%8E%B0%E5%9C%BA1.jpg&note=stack", photo)
    assert status == 201 and f["parent"] == e["id"] and f["type"] == "photo" and f["author"] == "insp", f
    c.close()
    path = download(insp, f["id"], "photo.zip")
    cli("verify", path, "--key", DIR / "public.txt", check=0)
    with zipfile.ZipFile(path) as z:
        manifest = json.loads(z.read("manifest.json"))
        assert manifest["previous"] == {"name": e["name"], "sha256": e["sha256"], "sm3": e["sm3"]}, manifest
        inside = [n for n in z.namelist() if n.startswith("attachment/")]
        assert len(inside) == 1 and z.read(inside[0]) == photo
        assert "address" not in json.loads(z.read("note.json")) and b'"address"' not in z.read("custody.jsonl")
    got = POST.request("GET", f"/api/v1/evidence/{f['id']}/entry?name={inside[0]}", headers=insp.headers, raw=True)
    assert got[0] == 200 and got[2] == photo, got[:2]  # a download too
    custody = ADMIN.must("GET", f"/api/v1/evidence/{f['id']}/detail")["custody"]
    assert custody[-1]["action"] == "downloaded" and custody[-1]["user"] == "insp" and custody[-1]["detail"] == {"entry": inside[0]}, custody
    assert all("address" in x for x in custody)
    assert all("address" not in x for x in plant.must("GET", f"/api/v1/evidence/{f['id']}/detail")["custody"])
    duty = person(POST, ADMIN, "duty-own", "duty", territory=OWN["territory"])
    global DUTY
    DUTY = duty
    duty.must("POST", f"/api/v1/evidence/{e['id']}/custody", {"action": "handed_over", "to": "市检察院", "note": "卷宗 1"})
    v = duty.must("POST", f"/api/v1/evidence/{e['id']}/verify")
    assert v["ok"] and v["registered"]["ok"] and v["first_bad"] is None, v
    d = ADMIN.must("GET", f"/api/v1/evidence/{e['id']}/detail")
    actions = [x["action"] for x in d["custody"]]
    assert actions[:2] == ["sealed", "downloaded"] and "handed_over" in actions and actions[-1] == "verified", actions
    assert [x["id"] for x in d["follow_ups"]] == [f["id"]] and d["evidence"]["n_follow_ups"] == 1
    rows = ADMIN.must("GET", "/api/v1/audit?kind=evidence&limit=100")["items"]
    assert any(r["action"] == "downloaded" for r in rows) and any(r["action"] == "sealed" for r in rows)
    # the stored file is changed behind the post's back
    stored = next(pathlib.Path(POST.data, "evidence").rglob(f["name"] + ".zip"))
    kept = stored.read_bytes()
    stored.chmod(0o640)
    stored.write_bytes(kept[:5000] + bytes([kept[5000] ^ 1]) + kept[5001:])
    v = duty.must("POST", f"/api/v1/evidence/{f['id']}/verify")
    assert not v["ok"] and v["first_bad"]["offset"] == 5000 and v["first_bad"]["was"] == kept[5000] and not v["registered"]["ok"], v
    stored.write_bytes(kept)


def appended_at_once():
    """Several at the same moment: each has a number and a file of its own."""
    e = evidence(ADMIN, type="alarm")[0]
    before = ADMIN.must("GET", f"/api/v1/evidence/{e['id']}")["n_follow_ups"]
    data = [os.urandom(200000) for _ in range(6)]
    answers = [None] * len(data)

    def one(i):
        c = http.client.HTTPConnection("127.0.0.1", POST.http, timeout=60)
        c.request("POST", f"/api/v1/evidence/{e['id']}/append?type=document&name={i}.bin", data[i], ADMIN.headers)
        r = c.getresponse()
        answers[i] = (r.status, json.loads(r.read()))
        c.close()

    threads = [threading.Thread(target=one, args=(i,)) for i in range(len(data))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert [a[0] for a in answers] == [201] * len(data), answers
    assert len({a[1]["name"] for a in answers}) == len(data), answers
    assert ADMIN.must("GET", f"/api/v1/evidence/{e['id']}")["n_follow_ups"] == before + len(data)
    for i, (_, f) in enumerate(answers):
        v = ADMIN.must("POST", f"/api/v1/evidence/{f['id']}/verify")
        assert v["ok"] and v["registered"]["ok"], (f, v)
        with zipfile.ZipFile(download(ADMIN, f["id"], "once.zip")) as z:
            assert z.read(f"attachment/{i}.bin") == data[i], i


def holds_are_seen():
    e = evidence(ADMIN, type="alarm")[0]
    assert not e["hold"]
    assert ADMIN.call("POST", "/api/v1/legal_hold", {"object_kind": "days", "reason": "x"})[0] == 422
    h = ADMIN.must("POST", "/api/v1/legal_hold", {"object_kind": "enterprise", "object_id": OWN["enterprise"], "reason": "诉讼"})
    assert ADMIN.must("GET", f"/api/v1/evidence/{e['id']}")["hold"]
    assert ADMIN.must("GET", f"/api/v1/evidence/{e['id']}/detail")["holds"][0]["reason"] == "诉讼"
    duty, other = (person(POST, ADMIN, f"duty-{i}", "duty", territory=w["territory"]) for i, w in enumerate((OWN, OTHER)))
    assert duty.call("GET", f"/api/v1/legal_hold/{h['id']}")[0] == 200
    for path in ("", f"?version={h['version']}"):  # nobody lifts, or sees, what is held elsewhere
        assert other.call("DELETE" if path else "GET", f"/api/v1/legal_hold/{h['id']}{path}")[0] == 404, path
    assert other.call("POST", "/api/v1/legal_hold", {"object_kind": "enterprise", "object_id": OWN["enterprise"], "reason": "x"})[0] == 403
    assert other.call("POST", "/api/v1/legal_hold", {"object_kind": "days", "day_from": "2020-01-01", "reason": "x"})[0] == 403
    ADMIN.must("DELETE", f"/api/v1/legal_hold/{h['id']}?version={h['version']}", status=(200, 204))
    assert not ADMIN.must("GET", f"/api/v1/evidence/{e['id']}")["hold"]


def nobody_checks_all_day():
    leader = person(POST, ADMIN, "leader-2", "leader", territory=1)
    e = evidence(leader)[0]
    for i in range(60):  # ten at once, then one each six seconds; the others are served meanwhile
        status, answer = leader.call("POST", f"/api/v1/evidence/{e['id']}/verify")
        if status != 200:
            break
    assert i >= 10 and status == 429 and answer["error"]["code"] == "LIMIT", (i, status, answer)
    assert ADMIN.must("POST", f"/api/v1/evidence/{e['id']}/verify")["ok"]


def days_roots_and_inclusion():
    auditor = person(POST, ADMIN, "auditor-1", "auditor", territory=1)
    assert person(POST, ADMIN, "leader-1", "leader", territory=1).call("POST", "/api/v1/proof/seal")[0] == 403
    s = auditor.must("POST", "/api/v1/proof/seal")
    assert s["n"] >= 1 and not s["final"], s
    days = auditor.must("GET", "/api/v1/proof/days")
    assert days["items"][0]["n"] == s["n"] and days["items"][0]["streams"][0]["count"] > 20, days
    lines = POST.request("GET", "/api/v1/proof/lines", headers=auditor.headers, raw=True)[2]
    assert days["items"][0]["line"].encode() in lines
    (DIR / "roots.txt").write_bytes(lines)
    for stream, seq in (("journal", 5), ("audit", 3), ("verdict", 1)):
        status, _, body = POST.request("GET", f"/api/v1/proof/inclusion?stream={stream}&seq={seq}", headers=auditor.headers, raw=True)
        assert status == 200, (stream, body)
        (DIR / "proof.json").write_bytes(body)
        cli("verify", DIR / "proof.json", "--key", DIR / "public.txt", "--roots", DIR / "roots.txt", check=0)
        v = json.loads(body)
        v["record"] = v["record"][:-1] + ("0" if v["record"][-1] != "0" else "1")
        (DIR / "proof.json").write_text(json.dumps(v))
        cli("verify", DIR / "proof.json", check=1)
    assert DUTY.must("GET", "/api/v1/proof/days")["items"]  # a county's officer reads roots, not anybody's raw records
    for stream in ("journal", "verdict", "removal"):
        assert DUTY.call("GET", f"/api/v1/proof/inclusion?stream={stream}&seq=1")[0] == 403, stream
    auditor.must("POST", "/api/v1/proof/verify", {})
    end = time.monotonic() + 30
    while (v := auditor.must("GET", "/api/v1/proof/verify"))["running"] and time.monotonic() < end:
        time.sleep(0.1)
    assert v["ok"] is True and v["records"] > 20 and v["findings"] == [], v
    assert ADMIN.must("GET", "/api/v1/system")["proof"]["last_n"] == s["n"]
    exceed(POST, factor="a21002")  # a package that names a statement
    e = evidence(ADMIN, 1, type="alarm", factor="a21002")[0]  # not one of a silence that came before the statement
    path = download(ADMIN, e["id"], "second.zip")
    out = cli("verify", path, "--key", DIR / "public.txt", "--roots", DIR / "roots.txt", "--lang", "en", check=0).stdout
    assert b"[ok] statement" in out and b"[ok] published" in out, out


def everything_is_checked_from_the_outside():
    assert POST.stop() == 0
    out = cli("verify", "--data", POST.data, "--roots", DIR / "roots.txt", "--key", DIR / "public.txt", "--lang", "en", check=0).stdout
    assert b"it holds" in out, out
    backup, again = str(DIR / "backup"), str(DIR / "again")  # keys, statements and packages go along, and stay secret
    for _ in range(2):
        cli("backup", "--data", POST.data, "--to", backup, check=0)
    cli("restore", "--from", backup, "--data", again, check=0)
    assert b"it holds" in cli("verify", "--data", again, "--key", DIR / "public.txt", "--lang", "en", check=0).stdout
    assert os.stat(again + "/keys/sm2.pem").st_mode & 0o777 == 0o600
    names = [sorted(f.name for f in pathlib.Path(d, "evidence").rglob("*.zip")) for d in (POST.data, again)]
    assert names[0] == names[1] and names[0], names
    copy = str(DIR / "copy")
    day = next(pathlib.Path(POST.data, "proof").glob("*.day")).name
    rnd = random.Random(3)
    for _ in range(10):  # a bit of the statement
        shutil.copytree(POST.data, copy)
        p = pathlib.Path(copy, "proof", day)
        b = bytearray(p.read_bytes())
        at = rnd.randrange(len(b))
        b[at] ^= 1 << rnd.randrange(8)
        p.write_bytes(b)
        assert f"byte {at}\n".encode() in cli("verify", "--data", copy, "--lang", "en", check=1).stdout
        shutil.rmtree(copy)
    shutil.copytree(POST.data, copy)
    pathlib.Path(copy, "proof", day).unlink()
    assert b"published" in cli("verify", "--data", copy, "--roots", DIR / "roots.txt", "--lang", "en", check=1).stdout
    shutil.rmtree(copy)


def kill_while_sealing():
    """Complete or absent; nothing doubled; made after the restart."""
    rnd = random.Random(int(os.environ.get("LT_SEED", "7")))
    POST.start()
    admin = Session(POST, "admin", ADMIN_PASSWORD)
    before = len(evidence(admin, 0))
    for i in range(KILLS):
        where = (("WALL00000000000000000000", "Se0ret"), ("WALL00000000000000000001", "Se1ret"))[i % 2]
        for factor in ("a21002", "a34013"):
            exceed(POST, 2 + i // 2, factor, mn=where[0], pw=where[1])
        time.sleep(rnd.uniform(0, 1.5))
        POST.kill()
        for f in pathlib.Path(POST.data, "evidence").rglob("*.zip"):
            if i == KILLS - 1 or rnd.random() < 0.1:
                cli("verify", f, check=0)
        POST.start()
    admin = Session(POST, "admin", ADMIN_PASSWORD)
    alarms = admin.must("GET", "/api/v1/alarm?limit=200&rule=hour_exceed")["items"]
    end = time.monotonic() + 120  # a loaded machine; how long it takes is the first test's matter
    while time.monotonic() < end:
        items = evidence(admin, 0)
        if {a["id"] for a in alarms} <= {e["alarm"] for e in items}:
            break
        time.sleep(0.2)
    sealed = [e["alarm"] for e in items if e["type"] == "alarm"]
    assert {a["id"] for a in alarms} <= set(sealed), sorted({a["id"] for a in alarms} - set(sealed))
    assert len(sealed) == len(set(sealed)), "an alarm was sealed twice"
    assert len(alarms) >= KILLS, len(alarms)
    files = {f.name for f in pathlib.Path(POST.data, "evidence").rglob("*.zip")}
    assert files == {e["name"] + ".zip" for e in items}, "files and records differ"
    print(f"# {KILLS} kills, {len(items) - before} packages, {sum(1 for e in items if e['delay_ms'] and e['delay_ms'] > 2000)} later than 2 s")
    for e in items[:8]:
        assert admin.must("POST", f"/api/v1/evidence/{e['id']}/verify")["ok"], e
    assert POST.stop() == 0
    cli("verify", "--data", POST.data, "--key", DIR / "public.txt", check=0)


if __name__ == "__main__":
    from api_test import PASSWORD as ADMIN_PASSWORD
    try:
        run_tests([start, a_package_within_two_seconds, every_check_and_its_exit, follow_ups_custody_and_rights, appended_at_once, holds_are_seen,
                   nobody_checks_all_day, days_roots_and_inclusion, everything_is_checked_from_the_outside, kill_while_sealing])
    finally:
        if POST:
            POST.close()
        shutil.rmtree(DIR, ignore_errors=True)
