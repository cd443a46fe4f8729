#!/usr/bin/env python3
"""Replay beside a running post: the command and its exit status, the queue and its restart, the gate before rules."""
import csv
import io
import json
import os
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(__file__))
from api_test import Session, administrator, city
from hostile_test import person
from post import Post, cli, frame, read_answers, run_tests

DEMO_PASSWORD = "Blue-Sky-2026"
DIR = tempfile.mkdtemp(prefix="lantian-replay-")
DATA = os.path.join(DIR, "city")
POST = None
ADMIN = None


def days():
    names = sorted(n[:8] for n in os.listdir(os.path.join(DATA, "journal")) if n.endswith(".db"))
    return [f"{n[:4]}-{n[4:6]}-{n[6:]}" for n in (names[0], names[-1])]


def rules_file(name, text):
    path = os.path.join(DIR, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def wait_for(session, id_, states=("finished",), timeout=120):
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        r = session.must("GET", f"/api/v1/replay/{id_}")
        if r["state"] in states:
            return r
        assert r["state"] in ("queued", "running"), r
        time.sleep(0.1)
    raise AssertionError(f"replay {id_} is still {r['state']}")


def rule(code):
    return next(r for r in ADMIN.must("GET", "/api/v1/rule?limit=100")["items"] if r["code"] == code)


def refused(answer, what):
    status, body = answer
    assert status == 409 and body["error"]["code"] == "REPLAY_NEEDED" and what in body["error"]["message"], answer
    assert "/api/v1/replay" in body["error"]["hint"], body


def start():
    global POST, ADMIN
    cli("demo", "--data", DATA, "--days", 4, "--outlets", 60, timeout=300, check=0)
    POST = Post(data=DATA, enroll="closed", extra=["--demo"]).start()
    ADMIN = Session(POST, "admin", DEMO_PASSWORD)


def same_rules_are_identical_beside_a_running_post():
    start()
    first, last = days()
    r = cli("replay", "--data", DATA, "--from", first, "--to", last, "--lang", "en", "--json", check=0)
    got = json.loads(r.stdout)
    assert got["checked"]["identical"] is True and got["checked"]["differences"] == 0, got
    assert got["checked"]["hours"] > 1000 and got["checked"]["alarms"] > 5, got
    assert got["warm_why"] == "journal_start" and got["change"] is None, got
    r = cli("replay", "--data", DATA, "--from", last, "--to", last, "--lang", "en", check=0)
    assert b"identical (0 differences)" in r.stdout, r.stdout
    assert POST.proc.poll() is None


def changed_rules_tell_what_would_differ():
    first, last = days()
    f = rules_file("more.json", '[{"code": "hour_exceed", "enter_fix": 1.2}]')
    r = cli("replay", "--data", DATA, "--from", first, "--to", last, "--rules", f, "--json", check=1)
    change = json.loads(r.stdout)["change"]
    assert change["lost"] > 0 and change["gained"] == 0 and change["plants"] > 0, change
    assert sum(x["lost"] for x in change["by_rule"]) == change["lost"], change
    assert sum(x["lost"] for x in change["by_day"]) == change["lost"], change
    g = rules_file("more.csv", "code,enter_fix\r\nhour_exceed,1.2\r\n")
    r = cli("replay", "--data", DATA, "--from", first, "--to", last, "--rules", g, "--csv", "--lang", "en", check=1)
    rows = list(csv.DictReader(io.StringIO(r.stdout.decode("utf-8-sig"))))
    assert sum(x["Change"] == "lost" for x in rows) == change["lost"], len(rows)
    assert all(x["Rule"] and x["Enterprise"] and x["Outlet"] for x in rows), rows[0]
    county = next(t for t in ADMIN.must("GET", "/api/v1/territory?level=county&limit=100")["items"]
                  if any(x["territory"] == t["id"] and x["lost"] for x in change["by_county"]))
    r = cli("replay", "--data", DATA, "--from", first, "--to", last, "--rules", f, "--json", "--territory",
            county["code"], check=1)
    part = json.loads(r.stdout)["change"]
    want = next(x["lost"] for x in change["by_county"] if x["territory"] == county["id"])
    assert part["lost"] == want and part["counties"] == 1, (part, want)
    same = rules_file("same.json", '[{"code": "hour_exceed", "enabled": true}]')
    cli("replay", "--data", DATA, "--from", last, "--to", last, "--rules", same, check=0)


def wrong_use_is_told():
    first, last = days()
    for args in (["--from", first, "--to", last],
                 ["--data", DIR + "/none", "--from", first, "--to", last],
                 ["--data", DATA, "--from", first],
                 ["--data", DATA, "--from", "yesterday", "--to", last],
                 ["--data", DATA, "--from", last, "--to", "2001-01-01"],
                 ["--data", DATA, "--from", "2001-01-01", "--to", "2001-01-02"],
                 ["--data", DATA, "--from", first, "--to", last, "--rules", DIR + "/none.json"],
                 ["--data", DATA, "--from", first, "--to", last, "--rules", rules_file("bad.json", '[{"code":"x"}]')],
                 ["--data", DATA, "--from", first, "--to", last, "--rules", rules_file("bad2.json", "[{")],
                 ["--data", DATA, "--from", first, "--to", last, "--territory", "999999"],
                 ["--data", DATA, "--from", first, "--to", last, "--lang", "fr"]):
        r = cli("replay", *args)
        assert r.returncode == 2 and r.stderr, (args, r.returncode, r.stdout, r.stderr)


def a_rule_needs_its_replay():
    r = rule("hour_exceed")
    path = f"/api/v1/rule/{r['id']}"
    refused(ADMIN.call("PATCH", path, {"version": r["version"], "enter_fix": 1.2}), "")
    refused(ADMIN.call("PATCH", path, {"version": r["version"], "enabled": False}), "")
    refused(ADMIN.call("DELETE", f"{path}?version={rule('hour_exceed')['version']}"), "")
    assert rule("hour_exceed")["version"] == r["version"]
    r = ADMIN.must("PATCH", path, {"version": r["version"], "severity": "important"})  # judges nothing
    sheet = b"code,enter_fix\r\nhour_exceed,1.2\r\n"
    status, body = POST.request("POST", "/api/v1/rule/import?format=csv", sheet, ADMIN.headers)
    refused((status, body), "")
    status, body = POST.request("POST", "/api/v1/rule/import?format=csv&dry_run=1", sheet, ADMIN.headers)
    assert status == 200 and body["updated"] == 1, body

    file = rules_file("cli.csv", sheet.decode())  # nor is the command line a way around it
    r1 = cli("import", "rule", file, "--data", POST.data, check=2)
    assert "--override REASON" in r1.stderr.decode(), r1.stderr
    cli("import", "rule", file, "--data", POST.data, "--override", " ", check=2)
    assert "1 changed" in cli("import", "rule", file, "--data", POST.data, "--dry-run", check=0).stdout.decode()
    assert rule("hour_exceed")["version"] == r["version"]

    change = [{"code": "hour_exceed", "enter_fix": "1.2"}]
    made = ADMIN.must("POST", "/api/v1/replay", {"change": change, "note": "20 % more"}, (201,))
    assert made["state"] == "queued" and made["change"] == {"items": [{"code": "hour_exceed", "enter_fix": 1.2}]}, made
    done = wait_for(ADMIN, made["id"])
    assert done["identical"] is True and done["lost"] > 0 and done["gained"] == 0 and done["progress"] == 100, done
    assert done["result"]["change"]["lost"] == done["lost"], done["result"]

    refused(ADMIN.call("PATCH", path, {"version": r["version"], "enter_fix": 1.2, "leave_fix": 1}), "")
    refused(ADMIN.call("PATCH", f"{path}?replay={made['id']}", {"version": r["version"], "enter_fix": 1.3}), "另一项变更")
    part = ADMIN.must("POST", "/api/v1/replay", {"from": days()[1], "to": days()[1], "change": change}, (201,))
    wait_for(ADMIN, part["id"])
    refused(ADMIN.call("PATCH", f"{path}?replay={part['id']}", {"version": r["version"], "enter_fix": 1.2}), "最近 30 天")
    assert ADMIN.call("PATCH", f"{path}?replay=99999", {"version": r["version"], "enter_fix": 1.2})[0] == 404

    r = ADMIN.must("PATCH", f"{path}?replay={made['id']}", {"version": r["version"], "enter_fix": 1.2})
    assert r["enter_fix"] == 1.2
    assert ADMIN.must("GET", f"/api/v1/replay/{made['id']}")["applied_at"]
    back = ADMIN.must("POST", "/api/v1/replay", {"change": [{"code": "hour_exceed", "enter_fix": None}]}, (201,))
    wait_for(ADMIN, back["id"])
    audit = ADMIN.must("GET", "/api/v1/audit?kind=rule&limit=20")["items"]
    assert any(a["action"] == "apply" and a["detail"] == {"replay": made["id"]} for a in audit), audit
    answer = ADMIN.must("POST", f"/api/v1/replay/{back['id']}/apply", {})
    assert [x["code"] for x in answer["rules"]] == ["hour_exceed"] and answer["limits"] == [], answer
    assert rule("hour_exceed")["enter_fix"] is None
    refused(ADMIN.call("POST", f"/api/v1/replay/{back['id']}/apply", {}), "")  # it has been done

    today = ADMIN.must("POST", "/api/v1/replay", {"change": [{"limits": "today"}]}, (201,))  # shows, changes nothing
    assert wait_for(ADMIN, today["id"])["result"]["change"]["gained"] == 0
    assert ADMIN.call("POST", f"/api/v1/replay/{today['id']}/apply", {})[1]["error"]["code"] == "BAD_INPUT"

    cli("import", "rule", file, "--data", POST.data, "--override", "court order 12", check=0)
    assert rule("hour_exceed")["enter_fix"] == 1.2
    audit = ADMIN.must("GET", "/api/v1/audit?kind=rule&limit=20")["items"]
    assert any(a["action"] == "override" and a["detail"]["reason"] == "court order 12" for a in audit), audit
    cli("import", "rule", rules_file("cli2.csv", "code,enter_fix\r\nhour_exceed,\r\n"), "--data", POST.data, "--override", "test", check=0)


def differences_come_in_pages():
    id_ = next(r["id"] for r in ADMIN.must("GET", "/api/v1/replay?sort=id")["items"] if r["note"] == "20 % more")
    want = ADMIN.must("GET", f"/api/v1/replay/{id_}")
    seen, cursor = [], 0
    while True:
        page = ADMIN.must("GET", f"/api/v1/replay/{id_}/diff.json?limit=7&side=change&cursor={cursor}")
        seen += page["items"]
        if not page["next"]:
            break
        cursor = page["next"]
    assert len(seen) == page["total"] == want["diffs"] and len({d["n"] for d in seen}) == len(seen), (len(seen), want)
    lost = ADMIN.must("GET", f"/api/v1/replay/{id_}/diff.json?change=lost&limit=1")
    assert lost["total"] == want["lost"], lost
    d = lost["items"][0]
    assert d["rule"] == "hour_exceed" and d["after"] is None and d["before"]["value"] > d["before"]["limit"], d
    assert d["enterprise_name"] and d["factor_name"] and d["territory_name"], d
    for query in ("change=sideways", "limit=0", "rule=nonsense", "what=day%20dream", "cursor=x"):
        assert ADMIN.call("GET", f"/api/v1/replay/{id_}/diff.json?{query}")[0] == 422, query
    status, headers, body = POST.request("GET", f"/api/v1/replay/{id_}/diff.csv?lang=en", None, ADMIN.headers, raw=True)
    assert status == 200 and headers["Content-Type"].startswith("text/csv"), headers
    assert len(body.decode("utf-8-sig").strip().split("\r\n")) == 1 + want["diffs"], body[:200]
    assert ADMIN.call("GET", "/api/v1/replay/99999/diff.json")[0] == 404


def roles_may_what_they_may():
    for login, may_run, may_read in (("analyst", True, True), ("auditor", False, True), ("leader", False, True),
                                     ("plant", False, False), ("county", False, False), ("inspector", False, False)):
        s = Session(POST, login, DEMO_PASSWORD)
        status, answer = s.call("POST", "/api/v1/replay", {"from": days()[1], "to": days()[1]})
        assert status == (201 if may_run else 403), (login, status, answer)
        assert s.call("GET", "/api/v1/replay")[0] == (200 if may_read else 403), login
        if may_run:
            wait_for(s, answer["id"])
        assert s.call("POST", f"/api/v1/replay/{1}/apply", {})[0] in ((409, 422) if may_run else (403,)), login
    county = ADMIN.must("GET", "/api/v1/territory?level=county&limit=1")["items"][0]["id"]
    part = person(POST, ADMIN, "leader-county", "leader", territory=county)  # names of the whole city's plants are not a county's
    assert part.must("GET", "/api/v1/replay")["items"] == []
    for path in ("", "/diff.json", "/diff.csv"):
        assert part.call("GET", f"/api/v1/replay/1{path}")[0] == 404, path


def bad_requests_are_told():
    for body, status in (({"from": "x"}, 422), ({"from": "2026-01-02", "to": "2026-01-01"}, 422), ({"days": 3}, 422),
                         ({"change": [{"code": "nonsense"}]}, 422), ({"change": {"code": "silence"}}, 422),
                         ({"change": [{"code": "silence", "severity": "urgent"}]}, 422),
                         ({"territory": 99999}, 422), ({"to": "2999-01-01"}, 422)):
        got, answer = ADMIN.call("POST", "/api/v1/replay", body)
        assert got == status, (body, got, answer)


def queue_cancel_and_restart():
    first, last = days()
    ids = [ADMIN.must("POST", "/api/v1/replay", {"from": first, "to": last, "note": f"q{i}"}, (201,))["id"]
           for i in range(6)]
    cancelled = ADMIN.must("POST", f"/api/v1/replay/{ids[5]}/cancel", {})
    assert cancelled["state"] == "cancelled", cancelled
    status, answer = ADMIN.call("POST", f"/api/v1/replay/{ids[5]}/cancel", {})
    assert status == 409, answer
    wait_for(ADMIN, ids[0], ("running", "finished"))
    POST.kill()
    POST.start()
    admin = Session(POST, "admin", DEMO_PASSWORD)
    states = [admin.must("GET", f"/api/v1/replay/{i}")["state"] for i in ids]
    assert states[5] == "cancelled" and states[0] in ("interrupted", "finished"), states
    assert "interrupted" in states[:2] or "finished" in states[:2], states
    for i, state in zip(ids[1:5], states[1:5]):
        if state in ("queued", "running"):
            assert wait_for(admin, i)["identical"] is True
    waiting = [admin.call("POST", "/api/v1/replay", {"from": first, "to": last}) for _ in range(14)]
    full = [w for w in waiting if w[0] != 201]
    assert full and full[0][1]["error"]["code"] == "LIMIT", [w[0] for w in waiting]
    for status, answer in waiting:
        if status == 201:
            admin.call("POST", f"/api/v1/replay/{answer['id']}/cancel", {})
    assert POST.stop() == 0
    assert not os.path.exists(os.path.join(DATA, "replay", "run")), os.listdir(os.path.join(DATA, "replay"))


def first_set_up_needs_none():
    cli("import", "rule", rules_file("new.csv", "code,enter_fix\r\nhour_exceed,1.3\r\n"), "--data", tempfile.mkdtemp(dir=DIR), check=0)
    with Post().start() as post:
        admin = administrator(post)
        r = next(x for x in admin.must("GET", "/api/v1/rule?limit=100")["items"] if x["code"] == "silence")
        r = admin.must("PATCH", f"/api/v1/rule/{r['id']}", {"version": r["version"], "enter_fix": 3})
        with post.connect() as s:
            now = time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() + 8 * 3600))
            s.sendall(frame("88888880000009", now + "000", f"DataTime={now};a21026-Rtd=1,a21026-Flag=N"))
            assert len(read_answers(s, 1)) == 1
        status, answer = admin.call("PATCH", f"/api/v1/rule/{r['id']}", {"version": r["version"], "enter_fix": 4})
        assert status == 409 and answer["error"]["code"] == "REPLAY_NEEDED", answer
        cli("import", "rule", rules_file("first.csv", "code,enter_fix\r\nsilence,5\r\n"), "--data", post.data, check=2)
        made = admin.must("POST", "/api/v1/replay", {"change": [{"code": "silence", "enter_fix": 4}]}, (201,))
        end = time.monotonic() + 60
        while (got := admin.must("GET", f"/api/v1/replay/{made['id']}"))["state"] != "finished":
            # until the first checkpoint (half a minute) nothing is on record that could be replayed
            if got["state"] == "failed":
                made = admin.must("POST", "/api/v1/replay", {"change": [{"code": "silence", "enter_fix": 4}]}, (201,))
            assert time.monotonic() < end, got
            time.sleep(0.5)
        admin.must("POST", f"/api/v1/replay/{made['id']}/apply", {})
        assert post.stop() == 0


def a_quick_restart_is_known_to_a_replay():
    """A rule changed while the post was down, which is back within a minute: a replay judges by it from then on."""
    with Post(enroll="closed").start() as post:
        city(administrator(post))
        mn = "88888880000000"
        assert post.stop() == 0
        cli("import", "rule", rules_file("double.csv", "code,param1\r\ndouble_connection,20\r\n"), "--data", post.data,
            "--override", "test", check=0)
        post.start()
        with post.connect() as one, post.connect() as two:  # they take turns: the rule finds them at once
            for i, s in enumerate((one, two, one)):
                now = time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() + 8 * 3600))
                s.sendall(frame(mn, f"{now}{i:03d}", f"DataTime={now};a21026-Rtd={i + 1},a21026-Flag=N"))
                assert len(read_answers(s, 1)) == 1
        assert post.stop() == 0
        day = sorted(os.listdir(os.path.join(post.data, "journal")))[-1]
        day = f"{day[:4]}-{day[4:6]}-{day[6:8]}"
        r = cli("replay", "--data", post.data, "--from", day, "--to", day, "--lang", "en", "--json", check=0)
        got = json.loads(r.stdout)["checked"]
        assert got["alarms"] == 1 and got["identical"] is True, got


if __name__ == "__main__":
    try:
        run_tests([same_rules_are_identical_beside_a_running_post, changed_rules_tell_what_would_differ,
                   wrong_use_is_told, a_rule_needs_its_replay, differences_come_in_pages, roles_may_what_they_may,
                   bad_requests_are_told, queue_cancel_and_restart, first_set_up_needs_none,
                   a_quick_restart_is_known_to_a_replay])
    finally:
        if POST:
            POST.close()
        shutil.rmtree(DIR, ignore_errors=True)
