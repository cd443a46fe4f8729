#!/usr/bin/env python3
"""Air data into a running post: import over HTTP and by the command line, push, HJ 212 stations, review by two, undo,
events; what is refused; a post killed while it imports."""
import datetime
import gzip
import http.client
import json
import os
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(__file__))
from api_test import PASSWORD, Session, administrator
from post import Post, cli, frame, read_answers, run_tests

DATA = pathlib.Path(__file__).resolve().parent.parent / "src/airq/testdata/beijing12_hourly_2013-03_2015-12.csv.gz"
CN = datetime.timezone(datetime.timedelta(hours=8))
POST, ADMIN, WHO, TOWN = None, None, {}, {}


class Events(threading.Thread):
    """Follows the event stream."""

    def __init__(self, session):
        super().__init__(daemon=True)
        self.c = http.client.HTTPConnection("127.0.0.1", session.post.http, timeout=60)
        self.c.request("GET", "/api/v1/events?types=air", headers=session.headers)
        self.r = self.c.getresponse()
        self.got = []
        self.start()

    def run(self):
        kind = ""
        try:
            for line in self.r:
                line = line.decode().strip()
                if line.startswith("event:"):
                    kind = line[6:].strip()
                elif line.startswith("data:") and kind == "air":
                    self.got.append((time.monotonic(), json.loads(line[5:])))
        except (OSError, ValueError, AttributeError):
            pass

    def wait(self, n, timeout=10):
        end = time.monotonic() + timeout
        while len(self.got) < n and time.monotonic() < end:
            time.sleep(0.02)
        assert len(self.got) >= n, f"{len(self.got)} of {n} events"
        return [e for _, e in self.got]


def send(session, path, data, status=200):
    got, _, body = session.post.request("POST", path, data, {**session.headers, "Content-Type": "text/csv"}, raw=True)
    answer = json.loads(body)
    assert got == status, (path, got, answer)
    return answer


def hours(session, station, first, last, version=None):
    more = f"&version={version}" if version else ""
    return session.must("GET", f"/api/v1/air/stations/{station}/hours?from={first}&to={last}{more}")


def start():
    global POST, ADMIN
    POST = Post(enroll="closed").start()
    ADMIN = administrator(POST)
    city = ADMIN.must("POST", "/api/v1/territory", {"code": "110100", "name": "北京市", "level": "city"})["id"]
    other = ADMIN.must("POST", "/api/v1/territory", {"code": "410300", "name": "洛阳市", "level": "city"})["id"]
    roles = {r["code"]: r["id"] for r in ADMIN.must("GET", "/api/v1/role")["items"]}
    for login, role, where in (("duty1", "duty", city), ("analyst1", "analyst", city), ("analyst2", "analyst", city),
                               ("away", "analyst", other)):
        user = ADMIN.must("POST", "/api/v1/user", {"login": login, "name": login, "role": roles[role], "territory": where})
        once = ADMIN.must("POST", f"/api/v1/user/{user['id']}/password", {})["password"]
        Session(POST, login, once).must("PUT", "/api/v1/session/password", {"old": once, "new": PASSWORD})
        WHO[login] = Session(POST, login, PASSWORD)
    TOWN.update(city=city, other=other)


def a_file_goes_in_whole():
    start()
    events = Events(WHO["duty1"])
    packed = DATA.read_bytes()
    path = "/api/v1/air/import?hour_label=start&name=beijing12.csv.gz"
    first = send(WHO["analyst1"], path + "&dry_run=1", packed)
    assert not first["applied"] and first["rows"] == 298368 and len(first["unknown_stations"]) == 12, first["rows"]
    assert {"unit_ug"} <= {f["code"] for f in first["findings"] if f["level"] == "wrong"}, first["findings"]
    t = time.monotonic()
    done = send(WHO["analyst1"], path + f"&co_unit=ug&create_in={TOWN['city']}", packed)
    took = time.monotonic() - t
    assert done["applied"] and done["result"]["version"] == 1 and done["stations"] == 12, done
    print(f"# 298,368 rows imported in {took:.2f} s")
    got = events.wait(1)
    assert got[0]["version"] == 1 and got[0]["from"] == "2013-03-01" and len(got[0]["stations"]) == 12, got
    stations = WHO["duty1"].must("GET", "/api/v1/station?limit=50")["items"]
    TOWN["station"] = {s["code"]: s["id"] for s in stations}
    again = send(WHO["analyst1"], path + "&co_unit=ug", packed)
    assert again["result"]["version"] == 0 and again["result"]["first"] == 0, again["result"]
    # every value against the file, for one station and a month
    want = {}
    with gzip.open(DATA, "rt") as f:
        names = f.readline().strip().split(",")
        for line in f:
            row = dict(zip(names, line.strip().split(",")))
            if row["station"] == "Gucheng" and row["time"].startswith("2014-10"):
                want[row["time"]] = row
    h = hours(WHO["duty1"], TOWN["station"]["Gucheng"], "2014-10-01", "2014-11-01")
    assert len(h["rows"]) == len(want) == 744
    for at, values, state, _ in h["rows"]:
        row = want[at[:10] + " " + at[11:16]]
        for item in ("PM25", "PM10", "SO2", "NO2", "CO", "O3"):
            v = values[h["items"].index(item)]
            raw = row[item]
            expect = None if raw == "" else float(raw) / (1000 if item == "CO" else 1)
            assert (v is None) == (expect is None) and (v is None or abs(v - expect) < 6e-5), (at, item, v, raw)
        assert state == [0] * 12


def what_is_wrong_keeps_all_out():
    who = WHO["analyst1"]
    before = who.must("GET", "/api/v1/air/versions?limit=1")["items"][0]["version"]
    bad = "time,station,PM25\n2015-12-31 20:00,Gucheng,11\n2015-12-31 21:00,Gucheng,x1\n2015-12-31 21:30,Gucheng,3\n"
    r = send(who, "/api/v1/air/import?hour_label=start&lang=en", bad.encode())
    assert not r["applied"] and [e["row"] for e in r["errors"]] == [3, 4], r["errors"]
    assert r["errors"][0]["column"] == "PM25"
    send(who, "/api/v1/air/import", b"a,b\n1,2\n", status=400)
    send(who, "/api/v1/air/import?format=xml", b"<a><b></a>", status=400)
    send(WHO["duty1"], "/api/v1/air/push", b"{}", status=403)
    r = send(WHO["away"], "/api/v1/air/import", b"time,station,PM25\n2015-12-31 20:00,Gucheng,11\n")
    assert not r["applied"] and r["unknown_stations"], r  # another's stations do not exist for him
    assert WHO["away"].must("GET", "/api/v1/air/now")["stations"] == []
    status, _ = WHO["away"].call("GET", f"/api/v1/air/stations/{TOWN['station']['Gucheng']}/hours")
    assert status == 404
    assert who.must("GET", "/api/v1/air/versions?limit=1")["items"][0]["version"] == before


def a_past_hour_and_gaps():
    now = WHO["duty1"].must("GET", "/api/v1/air/now?at=2014-10-09T12:30:00%2B08:00")
    gucheng = [s for s in now["stations"] if s["code"] == "Gucheng"][0]
    assert gucheng["hour"].startswith("2014-10-09T12:00") and gucheng["aqi"] > 200 and gucheng["level"] >= 5, gucheng
    assert now["standard"].startswith("HJ 633-2012") and gucheng["states"]["PM25"] == "preliminary"
    gaps = WHO["duty1"].must("GET", f"/api/v1/air/gaps?station={TOWN['station']['Aotizhongxin']}&from=2014-01-01&to=2014-12-31")
    s = gaps["stations"][0]
    assert s["hours"] == 8760 and s["missing"] + 0 <= min(s["missing_by_item"].values()), s
    missing = dict.fromkeys(("PM25", "CO", "O3"), 0)
    with gzip.open(DATA, "rt") as f:
        names = f.readline().strip().split(",")
        for line in f:
            row = line.strip().split(",")
            if row[0].startswith("2014") and row[1] == "Aotizhongxin":
                for item in missing:
                    missing[item] += row[names.index(item)] == ""
    for item, n in missing.items():
        assert s["missing_by_item"][item] == n, (item, s["missing_by_item"], n)


def two_persons_correct_an_hour():
    station = TOWN["station"]["Gucheng"]
    day = ("2015-12-25T10:00:00%2B08:00", "2015-12-25T13:00:00%2B08:00")
    before = hours(WHO["duty1"], station, *day)
    body = {"station": station, "items": ["PM25"], "from": "2015-12-25T11:00:00+08:00", "to": "2015-12-25T12:00:00+08:00",
            "action": "correct", "value": 301.5, "reason": "calibration"}
    made = WHO["analyst1"].must("POST", "/api/v1/air/review", body)
    assert made["state"] == "proposed" and made["author"] and made["moves"] == ["withdraw"], made
    detail = WHO["analyst2"].must("GET", f"/api/v1/air/review/{made['id']}")
    assert detail["hours"][0]["proposed"] == 301.5, detail["hours"]
    assert hours(WHO["duty1"], station, *day)["rows"] == before["rows"]
    move = f"/api/v1/air/review/{made['id']}/"
    status, answer = WHO["analyst1"].call("POST", move + "approve", {})
    assert status == 403, answer  # never the author
    status, answer = WHO["duty1"].call("POST", move + "approve", {})
    assert status == 403, answer
    events = Events(WHO["duty1"])
    t = time.monotonic()
    done = WHO["analyst2"].must("POST", move + "approve", {"note": "ok"})
    got = events.wait(1, 5)
    assert done["state"] == "approved" and got[0]["version"] == done["applied_version"], (done, got)
    assert got[0]["from"] == got[0]["to"] == "2015-12-25" and got[0]["stations"] == [station]
    print(f"# event {1000 * (events.got[0][0] - t):.0f} ms after the approval was sent")
    after = hours(WHO["duty1"], station, *day)
    k = after["items"].index("PM25")
    assert after["rows"][1][1][k] == 301.5 and after["rows"][1][2][k] == 3
    assert hours(WHO["duty1"], station, *day, version=before["version"])["rows"] == before["rows"]
    # what a file says later of a reviewed hour is kept, not taken
    r = send(WHO["analyst1"], "/api/v1/air/import?hour_label=start", b"time,station,PM25\n2015-12-25 11:00,Gucheng,77\n")
    assert r["result"]["refused_reviewed"] == 1, r["result"]
    trail = WHO["duty1"].must("GET", f"/api/v1/air/changes?station={station}&limit=10")["items"]
    assert trail[0]["refused"] == "reviewed" and trail[0]["new"] == 77 and trail[0]["old"] == 301.5, trail[0]
    assert trail[1]["refused"] is None and trail[1]["review"] == made["id"] and trail[1]["author"] == "analyst2"
    assert trail[1]["reason"] == "calibration" and trail[1]["old"] == before["rows"][1][1][k]
    WHO["analyst2"].must("POST", move + "reverse", {"note": "the gas was fine"})
    assert hours(WHO["duty1"], station, *day)["rows"] == before["rows"]
    listed = WHO["analyst1"].must("GET", "/api/v1/air/review/list?state=reversed")["items"]
    assert [x["id"] for x in listed] == [made["id"]]


def programs_push_and_an_old_version_returns():
    analyst, station = WHO["analyst1"], TOWN["station"]["Wanliu"]
    at = datetime.datetime.now(CN).replace(minute=0, second=0, microsecond=0)
    rows = [{"station": "Wanliu", "time": (at - datetime.timedelta(hours=k)).isoformat(), "PM25": 30 + k, "CO": 0.7}
            for k in range(3)]
    token = analyst.must("POST", "/api/v1/token", {"name": "p", "permissions": "air:push,station:read",
                                                   "expires_at": (at + datetime.timedelta(days=1)).isoformat()})["token"]
    auth = {"Authorization": "Bearer " + token}
    status, r = POST.request("POST", "/api/v1/air/push", {"rows": rows}, auth)
    assert status == 200 and r["first"] == 6, r
    status, again = POST.request("POST", "/api/v1/air/push", {"rows": rows}, auth)
    assert status == 200 and again["version"] == 0 and again["equal"] == 6, again
    now = [s for s in analyst.must("GET", "/api/v1/air/now")["stations"] if s["id"] == station][0]
    assert now["values"]["PM25"] == 30 and now["age_h"] in (0, 1) and now["hour"] == (at - datetime.timedelta(hours=1)).isoformat(), now
    status, r2 = POST.request("POST", "/api/v1/air/push", {"rows": [{**rows[0], "PM25": 99}, {**rows[1], "PM25": -1}]}, auth)
    assert status == 422 and r2["error"]["code"] == "FIELD_RANGE", r2
    status, r3 = POST.request("POST", "/api/v1/air/push", {"rows": [{**rows[0], "PM25": 99}]}, auth)
    assert status == 200 and r3["replaced"] == 1, r3
    back = analyst.must("POST", "/api/v1/air/undo", {"version": r["version"], "station": station, "reason": "wrong push"})
    assert back["replaced"] == 1, back
    now = [s for s in analyst.must("GET", "/api/v1/air/now")["stations"] if s["id"] == station][0]
    assert now["values"]["PM25"] == 30, now


def the_command_line_imports_beside_the_post(tmp=None):
    events = Events(WHO["duty1"])
    path = os.path.join(POST.data, "more.csv")
    with open(path, "w") as f:
        f.write("时间,站点编码,PM2.5,O3\n2016-01-01 09:00,Gucheng,12,40\n2016-01-01 10:00,Gucheng,13,41\n")
    dry = cli("import", "air", path, "--data", POST.data, "--dry-run", check=0).stdout.decode()
    assert "4 new values" in dry, dry
    out = cli("import", "air", path, "--data", POST.data, "--hour-label", "end", check=0).stdout.decode()
    assert "4 new values" in out, out
    got = events.wait(1, 5)
    assert got[0]["from"] == "2016-01-01", got
    h = hours(WHO["duty1"], TOWN["station"]["Gucheng"], "2016-01-01", "2016-01-02")
    assert [r[0][11:16] for r in h["rows"]] == ["08:00", "09:00"], h["rows"]
    with open(path, "w") as f:
        f.write("time,station,PM25\n2016-01-01 11:00,nowhere,12\n")
    r = cli("import", "air", path, "--data", POST.data, check=2)
    assert b"nowhere" in r.stdout, r.stdout
    cli("import", "air", path, "--data", "/nonexistent", check=2)
    cli("import", "air", check=2)


def a_station_speaks_hj212():
    mn = "88888880000022"
    ADMIN.must("POST", "/api/v1/device", {"mn": mn, "name": "空气站", "st": 22, "status": "active", "pw": "123456"})
    ADMIN.must("POST", "/api/v1/station", {"code": "A22", "name": "演示站", "type": "county", "territory": TOWN["city"],
                                           "mn": mn, "units": "hj212"})
    hour = datetime.datetime.now(CN).replace(minute=0, second=0, microsecond=0) - datetime.timedelta(hours=2)
    area = (f"DataTime={hour:%Y%m%d%H}0000;a34004-Avg=35.2,a34004-Flag=N;a34002-Avg=61,a34002-Flag=N;"
            "a21026-Avg=0.012,a21026-Flag=N;a21004-Avg=0.031,a21004-Flag=N;a21005-Avg=0.8,a21005-Flag=N;"
            "a05024-Avg=64,a05024-Flag=D;a01001-Avg=-2.5,a01001-Flag=N;a01006-Avg=101.3,a01006-Flag=N")
    with POST.connect() as s:
        qn = f"{datetime.datetime.now(CN):%Y%m%d%H%M%S}000"
        s.sendall(frame(mn, qn, area, cn=2061, st=22))
        assert read_answers(s, 1) == [qn]
        old = hour - datetime.timedelta(days=10)  # a logger gives back what it had kept: older than the feed's window
        qn = f"{datetime.datetime.now(CN):%Y%m%d%H%M%S}001"
        s.sendall(frame(mn, qn, f"DataTime={old:%Y%m%d%H}0000;a34004-Avg=77,a34004-Flag=N", cn=2061, st=22))
        assert read_answers(s, 1) == [qn]
        end = time.monotonic() + 50
        while time.monotonic() < end:
            me = [x for x in WHO["duty1"].must("GET", "/api/v1/air/now")["stations"] if x["code"] == "A22"][0]
            if me["hour"]:
                break
            time.sleep(1)
    assert me["hour"] == hour.isoformat(), me
    assert me["values"]["PM25"] == 35.2 and me["values"]["SO2"] == 12 and me["values"]["CO"] == 0.8, me
    assert me["values"]["O3"] is None and me["states"]["O3"] == "invalid", me
    assert me["weather"]["TEMP"] == -2.5 and me["weather"]["PRES"] == 1013, me
    TOWN["old"] = old


def what_is_not_there_is_said():
    duty, away, station = WHO["duty1"], WHO["away"], TOWN["station"]["Gucheng"]
    last = duty.must("GET", "/api/v1/air/versions?limit=1")
    now = last["version"]
    assert last["items"][0]["version"] == now, last
    for who, path in ((duty, f"air/stations/{station}/hours?version={now + 1}"), (duty, "air/gaps?station=999999"),
                      (away, f"air/gaps?station={station}")):
        status, answer = POST.request("GET", "/api/v1/" + path, headers=who.headers)
        assert status == 404 and answer["error"]["code"] == "NOT_FOUND", (path, status, answer)
    status, answer = POST.request("POST", "/api/v1/air/undo", {"version": now + 1, "reason": "r"}, WHO["analyst1"].headers)
    assert status == 404, answer
    # who made a version and why is for those who see one of its stations
    mine = {v["version"]: v for v in duty.must("GET", "/api/v1/air/versions?limit=200")["items"]}
    theirs = {v["version"]: v for v in away.must("GET", "/api/v1/air/versions?limit=200")["items"]}
    assert mine.keys() == theirs.keys() and all(v["author"] for v in mine.values())
    assert any(v["reason"] for v in mine.values()) and not any(v["author"] or v["reason"] for v in theirs.values()), theirs
    # the first and the last day there are
    for q in ("period=day&day=1970-01-01", "period=week&day=9999-12-31&whole=1", "period=season&day=9999-12-31&whole=1"):
        assert duty.must("GET", "/api/v1/air/period?" + q)["figures"]["days_valid"] == 0
    # a large push is one
    at = datetime.datetime.now(CN).replace(minute=0, second=0, microsecond=0) - datetime.timedelta(days=300)
    rows = [{"station": "Wanliu", "time": (at + datetime.timedelta(hours=k)).isoformat(), "PM25": 30 + k % 40, "PM10": 60}
            for k in range(5000)]
    r = WHO["analyst1"].must("POST", "/api/v1/air/push", {"rows": rows})
    assert r["rows"] == 5000 and r["first"] == 10000, r


def an_hour_that_came_weeks_late_is_taken():
    POST.kill()
    POST.start()
    for name in WHO:
        WHO[name] = Session(POST, name, PASSWORD)
    end = time.monotonic() + 50
    while time.monotonic() < end:
        then = WHO["duty1"].must("GET", f"/api/v1/air/now?at={TOWN['old'].isoformat().replace('+', '%2B')}")["stations"]
        late = [x for x in then if x["code"] == "A22"][0]
        if late["hour"]:
            break
        time.sleep(1)
    assert late["values"]["PM25"] == 77, late


def killed_in_an_import_nothing_is_half_there():
    rng = random.Random(5)
    station = TOWN["station"]["Gucheng"]
    for round_ in range(4):
        lines = ["time,station,PM25,PM10"]
        for d in range(700):
            day = datetime.date(2017, 1, 1) + datetime.timedelta(days=d)
            lines += [f"{day} {h:02}:00,{s},{20 + round_ + (d + h) % 7},{60 + h}" for h in range(24) for s in ("Gucheng", "Wanliu")]
        body = gzip.compress("\n".join(lines).encode(), 1)
        before = hours(WHO["duty1"], station, "2017-01-01", "2017-03-01")
        t = threading.Timer(0.05 + rng.random() * 0.5, POST.kill)
        t.start()
        try:
            send(WHO["analyst1"], "/api/v1/air/import?hour_label=start", body)
        except (OSError, http.client.HTTPException, ValueError):
            pass
        t.join()
        POST.start()
        for name in WHO:
            WHO[name] = Session(POST, name, PASSWORD)
        after = hours(WHO["duty1"], station, "2017-01-01", "2017-03-01")
        n = len(after["rows"])
        assert n in (0, 59 * 24), n
        if n and after["version"] == before["version"]:
            assert after["rows"] == before["rows"]
        versions = WHO["duty1"].must("GET", "/api/v1/air/versions?limit=1")["items"]
        assert versions[0]["version"] == after["version"]
    assert POST.stop() == 0
    POST.close()


if __name__ == "__main__":
    run_tests([a_file_goes_in_whole, what_is_wrong_keeps_all_out, a_past_hour_and_gaps, two_persons_correct_an_hour,
               programs_push_and_an_old_version_returns, the_command_line_imports_beside_the_post, a_station_speaks_hj212,
               what_is_not_there_is_said, an_hour_that_came_weeks_late_is_taken,
               killed_in_an_import_nothing_is_half_there])
