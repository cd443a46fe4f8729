#!/usr/bin/env python3
"""Random draws in a running post: the list from the register, commitment, reveal, what each role may do, the file repeated
by an independent program, papers, conflicts and weights that are records."""
import json
import os
import re
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(__file__))
import draw_repeat as repeat
from post import Post, cli, run_tests

PASSWORD = "Blauer-Himmel-2026"
SOURCE = "双色球 2026137 期开奖号码"


class Session:
    def __init__(self, login, password):
        status, headers, body = POST.request("POST", "/api/v1/session", {"login": login, "password": password}, raw=True)
        assert status == 200, (login, status, body)
        self.headers = {"Cookie": headers["Set-Cookie"].split(";")[0], "X-CSRF-Token": json.loads(body)["csrf"]}

    def call(self, method, path, body=None, raw=False):
        return POST.request(method, "/api/v1/" + path, body, self.headers, raw=raw)

    def must(self, method, path, body=None):
        got, answer = self.call(method, path, body)
        assert got in (200, 201), (method, path, got, answer)
        return answer

    def refused(self, status, code, method, path, body=None):
        got, answer = self.call(method, path, body)
        assert got == status and answer["error"]["code"] == code, (method, path, got, answer)
        return answer["error"]


def changed_password(login, once):
    Session(login, once).must("PUT", "session/password", {"old": once, "new": PASSWORD})
    return Session(login, PASSWORD)


def fill():
    """Three counties with twelve plants each, a team of the city with six people, one of a county with one."""
    a = S["admin"]
    top = a.must("POST", "territory", {"code": "410300", "name": "洛阳市", "level": "city"})["id"]
    T["county"], T["plant"], T["person"] = [], [], []
    for n in range(3):
        T["county"].append(a.must("POST", "territory", {"code": f"41030{n + 2}", "name": f"县{n}", "level": "county", "parent": top})["id"])
        for k in range(12):
            T["plant"].append(a.must("POST", "enterprise", {
                "code": f"9141010{n}MA44{k:05d}X", "name": f"厂{n}-{k}", "industry": "steel" if k % 3 else "glass",
                "grade": "ABCD"[k % 4], "territory": T["county"][n]})["id"])
    closed = a.must("POST", "enterprise", {"code": "91410109MA44999999", "name": "关闭厂", "industry": "steel",
                                           "territory": T["county"][0], "status": "closed"})["id"]
    T["closed"], T["top"] = closed, top
    team = a.must("POST", "unit", {"name": "执法一队", "type": "team", "territory": top})["id"]
    local = a.must("POST", "unit", {"name": "县二队", "type": "team", "territory": T["county"][0]})["id"]
    office = a.must("POST", "unit", {"name": "办公室", "type": "city_office", "territory": top})["id"]
    for n in range(7):
        T["person"].append(a.must("POST", "person", {"name": f"检查员{n}", "unit": local if n == 6 else team})["id"])
    a.must("POST", "person", {"name": "文员", "unit": office})
    roles = {r["code"]: r["id"] for r in a.must("GET", "role")["items"]}
    for role in ("duty", "analyst", "county", "inspector", "plant", "leader", "auditor"):
        body = {"login": f"u-{role}", "name": role, "role": roles[role], "territory": T["county"][1] if role == "county" else top}
        if role == "plant":
            body["enterprise"] = T["plant"][0]
        if role == "inspector":
            body["person"] = T["person"][0]
        user = a.must("POST", "user", body)["id"]
        S[role] = changed_password(f"u-{role}", a.must("POST", f"user/{user}/password", {})["password"])
    for _ in range(50):  # the register's snapshot follows within a second
        if S["duty"].must("POST", "draw?dry_run=1", wish())["targets"] == 36:
            return
        time.sleep(0.1)
    raise AssertionError(S["duty"].must("POST", "draw?dry_run=1", wish()))


def wish(**more):
    return {"name": "十二月抽查", "public_source": SOURCE, "pick": 9, **more}


def the_list_comes_from_the_register():
    fill()
    p = S["duty"].must("POST", "draw?dry_run=1", wish())
    assert p["inspectors"] == 7 and p["conflicts"] == 0
    assert [(c["value"], c["targets"]) for c in p["counties"]] == [("410302", 12), ("410303", 12), ("410304", 12)]
    assert {i["value"]: i["targets"] for i in p["industries"]} == {"steel": 24, "glass": 12}
    assert [i["name"] for i in p["industries"]].count("钢铁") == 1
    assert {c["value"]: c["targets"] for c in p["credit"]} == {"A": 9, "B": 9, "C": 9, "D": 9, "none": 0}
    assert {c["value"]: (c["targets"], c["weight"]) for c in p["risk"]} == {"high": (0, 4), "medium": (0, 2), "low": (36, 1)}
    p = S["duty"].must("POST", "draw?dry_run=1", wish(industry=["glass"], grade=["A", "B"], territory=T["county"][0], pick=1))
    assert p["targets"] == 2, p
    assert S["auditor"].must("GET", "draw")["items"] == []


def weights_and_conflicts_are_records():
    S["analyst"].must("POST", "draw_weight", {"class": "credit", "value": "D", "weight": 50})
    for n in (0, 1):
        S["duty"].must("POST", "draw_conflict", {"person": T["person"][n], "enterprise": T["plant"][0], "why": "former_employer"})
    S["duty"].must("POST", "draw_conflict", {"person": T["person"][2], "enterprise": T["closed"]})
    S["leader"].refused(403, "DENIED", "POST", "draw_conflict", {"person": T["person"][2], "enterprise": T["plant"][1]})
    p = S["duty"].must("POST", "draw?dry_run=1", wish())
    assert p["conflicts"] == 2
    assert {c["value"]: c["weight"] for c in p["credit"]} == {"A": 1, "B": 2, "C": 3, "D": 50, "none": 3}


def commit_then_reveal():
    quotas = [{"by": "county", "value": f"41030{n}", "min": 2, "max": 4} for n in (2, 3, 4)] + [
        {"by": "industry", "value": "glass", "min": 4, "max": 5}]
    made = S["duty"].must("POST", "draw", wish(quotas=quotas))
    d, line = made["draw"], made["line"]
    assert d["state"] == "committed" and d["targets"] == 36 and d["inspectors"] == 7 and d["author"] == "duty", d
    assert line.startswith(f"LANTIAN-DRAW 1 list={d['list_sha256']} seed={d['seed_sha256']} public=") and SOURCE in line
    before = S["auditor"].must("GET", f"draw/{d['id']}/result")
    assert before["revealed"] is False and before["seed"] is None and before["rows"] == [] and before["line"] == line
    sealed = S["auditor"].must("GET", f"draw/{d['id']}/file")
    assert sealed == {"format": "lantian-draw", "version": 1, "commitment": line}
    assert S["auditor"].must("POST", f"draw/{d['id']}/verify")["ok"] is False
    S["duty"].refused(422, "FIELD_REQUIRED", "POST", f"draw/{d['id']}/reveal", {})
    r = S["duty"].must("POST", f"draw/{d['id']}/reveal", {"public_value": "03 09 14"})
    assert r["revealed"] and r["draw"]["state"] == "revealed" and r["draw"]["public_value"] == "03 09 14"
    assert r["draw"]["revealed_by"] == "duty" and len(r["rows"]) == 9
    assert [q["drawn"] for q in r["quotas"]] == [sum(x["county"] == f"41030{n}" for x in r["rows"]) for n in (2, 3, 4)] + [
        sum(x["industry"] == "glass" for x in r["rows"])]
    assert sum(p["n"] for p in r["load"]) == 18 and len(r["load"]) == 7
    for row in r["rows"]:
        assert len(row["team"]) == 2 and row["county_name"].startswith("县"), row
        if row["county"] == "410302":  # the county's own team stays away
            assert T["person"][6] not in [p["person"] for p in row["team"]]
        if row["enterprise"] == T["plant"][0]:
            assert not {T["person"][0], T["person"][1]} & {p["person"] for p in row["team"]}
    S["duty"].refused(409, "FLOW_MOVE", "POST", f"draw/{d['id']}/reveal", {"public_value": "03 09 15"})
    S["duty"].refused(409, "FLOW_MOVE", "POST", f"draw/{d['id']}/cancel", {"note": "x"})
    T["draw"], T["line"], T["result"] = d["id"], line, r


def anybody_repeats_it():
    status, headers, body = S["auditor"].call("GET", f"draw/{T['draw']}/file", raw=True)
    assert status == 200 and "attachment" in headers["Content-Disposition"]
    f = json.loads(body)
    assert f["commitment"] == T["line"]
    assert repeat.checks(f, T["line"]) == []
    want = repeat.draw(f["list"], bytes.fromhex(f["seed"]), "03 09 14")
    assert [(w["n"], w["target"], w["weight"], w["team"]) for w in want] == [
        (x["n"], x["target"], x["weight"], [p["id"] for p in x["team"]]) for x in T["result"]["rows"]]
    assert T["result"]["draw"]["result_sha256"] == repeat.result_hash(want)
    with tempfile.NamedTemporaryFile() as t:
        t.write(body)
        t.flush()
        out = cli("draw", "--verify", t.name, "--commitment", T["line"], check=0).stdout.decode()
    assert out.count("ok") >= 8, out
    v = S["auditor"].must("POST", f"draw/{T['draw']}/verify")
    assert v["ok"] and [c["check"] for c in v["checks"]] == ["form", "list", "seed", "public", "weight", "quota", "conflict", "result"]
    assert all(c["ok"] and re.search("[一-鿿]", c["text"]) for c in v["checks"]), v


def each_role_its_own():
    for role in ("leader", "auditor"):
        assert len(S[role].must("GET", "draw")["items"]) == 1
        S[role].refused(403, "DENIED", "POST", "draw", wish())
        S[role].refused(403, "DENIED", "POST", f"draw/{T['draw']}/reveal", {"public_value": "1"})
    assert S["county"].must("GET", "draw")["items"] == []  # a draw of the whole city lies outside its territory
    S["county"].refused(404, "NOT_FOUND", "GET", f"draw/{T['draw']}/result")
    for role in ("plant", "inspector"):
        for path in ("draw", f"draw/{T['draw']}/result", f"draw/{T['draw']}/file", f"draw/{T['draw']}/paper"):
            S[role].refused(403, "DENIED", "GET", path)
    S["plant"].refused(403, "DENIED", "GET", "draw/mine")
    mine = S["inspector"].must("GET", "draw/mine")["items"]
    want = [x for x in T["result"]["rows"] if T["person"][0] in [p["person"] for p in x["team"]]]
    assert [(m["n"], m["target_name"]) for m in mine] == [(x["n"], x["name"]) for x in want] and want
    assert all("检查员0" in m["team"] and m["name"] == "十二月抽查" for m in mine)


def papers():
    names = [x["name"] for x in T["result"]["rows"]]
    for fmt, begin in (("html", b"<!doctype html"), ("pdf", b"%PDF"), ("xlsx", b"PK")):
        status, headers, body = S["leader"].call("GET", f"draw/{T['draw']}/paper?format={fmt}", raw=True)
        assert status == 200 and body[: len(begin)].lower() == begin.lower(), (fmt, status, headers, body[:80])
        assert body == S["leader"].call("GET", f"draw/{T['draw']}/paper?format={fmt}", raw=True)[2], fmt
        if fmt == "html":
            text = body.decode()
            assert all(n in text for n in names) and T["result"]["seed"] in text and "03 09 14" in text
    S["leader"].refused(422, "FIELD_CHOICE", "GET", f"draw/{T['draw']}/paper?format=doc")


def what_cannot_be_drawn_is_told():
    d = S["duty"]
    assert "99" in d.refused(422, "DRAW_PICK", "POST", "draw", wish(pick=99))["message"]
    assert "410309" in d.refused(422, "DRAW_QUOTA_MIN", "POST", "draw",
                                 wish(quotas=[{"by": "county", "value": "410309", "min": 1, "max": 2}]))["message"]
    d.refused(422, "DRAW_QUOTA_SUM", "POST", "draw", wish(pick=3, quotas=[{"by": "industry", "value": "glass", "min": 4, "max": 9}]))
    d.refused(422, "DRAW_TEAM", "POST", "draw", wish(units=[10**6]))
    d.refused(422, "FIELD_UNKNOWN", "POST", "draw", wish(seed="00"))
    d.refused(422, "FIELD_TYPE", "POST", "draw", wish(quotas=[7]))
    d.refused(422, "FIELD_TYPE", "POST", "draw", wish(industry="steel"))
    d.refused(404, "NOT_FOUND", "GET", "draw/999/result")
    d.refused(405, "BAD_METHOD", "PUT", f"draw/{T['draw']}", {"state": "committed", "version": 2})
    assert len(d.must("GET", "draw")["items"]) == 1  # nothing was stored by what was refused


def a_cancelled_draw_stays_in_the_list():
    made = S["duty"].must("POST", "draw", wish(name="作废的抽查"))["draw"]
    S["duty"].refused(422, "FIELD_REQUIRED", "POST", f"draw/{made['id']}/cancel", {})
    assert S["duty"].must("POST", f"draw/{made['id']}/cancel", {"note": "名单有误"})["state"] == "cancelled"
    S["duty"].refused(409, "FLOW_MOVE", "POST", f"draw/{made['id']}/reveal", {"public_value": "1"})
    assert [x["state"] for x in S["auditor"].must("GET", "draw?sort=id")["items"]] == ["revealed", "cancelled"]
    actions = [x["action"] for x in S["auditor"].must("GET", "audit?kind=draw&limit=50")["items"]]
    assert actions.count("reveal") == 1 and actions.count("cancel") == 1 and actions.count("create") == 2, actions


POST = Post().start()
S, T = {}, {}
try:
    S["admin"] = changed_password("admin", re.search(r"password[^:]*: (\S+)", "".join(POST.out)).group(1))
    run_tests([the_list_comes_from_the_register, weights_and_conflicts_are_records, commit_then_reveal, anybody_repeats_it,
               each_role_its_own, papers, what_cannot_be_drawn_is_told, a_cancelled_draw_stays_in_the_list])
finally:
    POST.close()
