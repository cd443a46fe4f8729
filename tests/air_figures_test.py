#!/usr/bin/env python3
"""Figures of a running post, out of its store, against tests/assess_reference.py on measured data (12 stations of Beijing,
2013-03 to 2015-12); a corrected hour of a past year; rankings and targets as sums of them."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(__file__))
from post import Post, cli, run_tests

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parent / "src/airq/testdata/beijing12_hourly_2013-03_2015-12.csv.gz"
PASSWORD = "Blauer-Himmel-2026"
PERIODS = [("2014-01-01", "2014-12-31", "2012", "stepwise"), ("2015-10-01", "2015-12-31", "2026f", "final")]


class Admin:
    def __init__(self, post):
        self.post = post
        once = re.search(r"password[^:]*: (\S+)", "".join(post.out)).group(1)
        self.login(once)
        self.must("PUT", "session/password", {"old": once, "new": PASSWORD})
        self.login(PASSWORD)

    def login(self, password):
        status, headers, body = self.post.request("POST", "/api/v1/session", {"login": "admin", "password": password}, raw=True)
        assert status == 200, body
        self.headers = {"Cookie": headers["Set-Cookie"].split(";")[0], "X-CSRF-Token": json.loads(body)["csrf"]}

    def must(self, method, path, body=None):
        status, answer = self.post.request(method, "/api/v1/" + path, body, self.headers)
        assert status in (200, 201), (method, path, status, answer)
        return answer


POST = Post().start()
ADMIN = Admin(POST)
CITY = ADMIN.must("POST", "territory", {"code": "110000", "name": "北京市", "level": "city"})["id"]
cli("import", "air", DATA, "--data", POST.data, "--co-unit", "ug", "--hour-label", "end", "--create-stations", "110000",
    "--accept", "all", check=0)
for s in ADMIN.must("GET", "station?limit=200")["items"]:
    ADMIN.must("PATCH", f"station/{s['id']}", {"version": s["version"], "type": "national", "evaluated": True})


def period(first, last, standard, rounding, version=""):
    return ADMIN.must("GET", f"air/period?scope=territory:{CITY}&from={first}&to={last}&standard={standard}"
                             f"&rounding={rounding}&dust=kept" + (f"&version={version}" if version else ""))


def figures_equal_the_second_computation():
    compared = 0
    for first, last, standard, rounding in PERIODS:
        got = period(first, last, standard, rounding)
        r = subprocess.run([sys.executable, HERE / "assess_reference.py", DATA, "--co-unit", "ug", "--hour-label", "end",
                            "--from", first, "--to", last, "--standard", standard, "--rounding", rounding],
                           capture_output=True, text=True, check=True)
        want = json.loads(r.stdout)
        for name in ("days_valid", "days_good", "days_heavy", "good_share_pct", "aqi_categories", "primary_days",
                     "composite_index"):
            assert got["figures"][name] == want[name], (first, standard, name, got["figures"][name], want[name])
            compared += 1
        assert got["statistics_valid"] == want["statistics_valid"]
        for pollutant, values in want["pollutants"].items():
            for name, value in values.items():
                mine = got["figures"]["pollutants"][pollutant]["percentile" if re.fullmatch(r"p\d+", name) else name]
                assert mine == value, (first, standard, pollutant, name, mine, value)
                compared += 1
    print(f"# {compared} figures compared", flush=True)
    assert compared >= 60


def a_corrected_hour_of_last_year_is_there_within_a_second():
    before = period("2014-01-01", "2014-12-31", "2012", "stepwise")
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "fix.csv")
        with open(path, "w", encoding="utf-8") as f:
            f.write("time,station,PM25,PM10,SO2,NO2,CO,O3\n")
            for h in range(1, 25):
                day, hour = ("2014-06-15", h) if h < 24 else ("2014-06-16", 0)
                for s in ("Aotizhongxin", "Dongsi", "Tiantan", "Wanliu"):
                    f.write(f"{day} {hour:02d}:00,{s},900,950,5,20,500,60\n")
        cli("import", "air", path, "--data", POST.data, "--co-unit", "ug", "--hour-label", "end", "--accept", "all", check=0)
    t = time.monotonic()
    after = period("2014-01-01", "2014-12-31", "2012", "stepwise")
    took = time.monotonic() - t
    print(f"# annual figures after the correction: {took * 1000:.0f} ms", flush=True)
    assert after["version"] > before["version"]
    assert after["figures"]["pollutants"]["PM25"]["max"] > before["figures"]["pollutants"]["PM25"]["max"] or \
        after["figures"]["days_heavy"] > before["figures"]["days_heavy"]
    assert took < 1
    old = period("2014-01-01", "2014-12-31", "2012", "stepwise", before["version"])
    assert old["figures"] == before["figures"], "as of the older version it is what it was"


def a_station_day_and_a_city_day_agree_with_the_period():
    days = ADMIN.must("GET", f"air/days?scope=territory:{CITY}&from=2015-03-01&to=2015-03-31&standard=2012&dust=kept")["items"]
    f = period("2015-03-01", "2015-03-31", "2012", "stepwise")["figures"]
    assert sum(d["aqi"] is not None and d["aqi"] <= 100 for d in days) == f["days_good"]
    assert sum(d["aqi"] is not None and d["aqi"] > 200 for d in days) == f["days_heavy"]
    assert max(d["values"]["PM25"] for d in days if d["values"]["PM25"] is not None) == f["pollutants"]["PM25"]["max"]


def a_target_is_judged_by_the_same_figures():
    t = ADMIN.must("POST", "air_target", {"name": "2015 PM2.5", "territory": CITY, "indicator": "pm25", "period": "year",
                                          "start_day": "2015-01-01", "end_day": "2015-12-31", "value": 80})
    got = ADMIN.must("GET", f"air/target/{t['id']}?at=2015-12-31")
    want = period("2015-01-01", "2015-12-31", "2012", "stepwise")["figures"]["pollutants"]["PM25"]["mean"]
    assert got["now"] == want and got["days_left"] == 0
    assert got["light"] == ("met" if want <= 80 else "missed")
    half = ADMIN.must("GET", f"air/target/{t['id']}?at=2015-06-30")
    assert half["days_left"] == 184 and half["probability_years"] == 2 and 0 <= half["probability"] <= 1
    stations = ADMIN.must("GET", "air/ranking?scheme=station&from=2015-01-01&to=2015-12-31")["items"]
    assert [x["rank"] for x in stations] == sorted(x["rank"] for x in stations) and len(stations) == 12
    assert [x["composite_index"] for x in stations] == sorted(x["composite_index"] for x in stations)


def what_makes_no_sense_is_refused():
    parent = ADMIN.must("POST", "air_target", {"name": "2015 PM10", "territory": CITY, "indicator": "pm10", "period": "year",
                                               "start_day": "2015-01-01", "end_day": "2015-12-31", "value": 100})["id"]
    twice = {"method": "equal", "parts": [{"territory": CITY, "weight": 1}, {"territory": CITY, "weight": 1}]}
    for path, body, status in ((f"air/target/{parent}/parts", twice, 400),
                               ("air/paper", {"kind": "morning", "day": "2200-01-01"}, 422),
                               ("air/paper", {"kind": "morning", "day": "2015-12-31", "lang": "xx"}, 422)):
        got, answer = POST.request("POST", "/api/v1/" + path, body, ADMIN.headers)
        assert got == status, (path, got, answer)
    assert ADMIN.must("GET", f"air/target/{parent}/parts")["items"] == [] and ADMIN.must("GET", "air/papers")["items"] == []


try:
    run_tests([figures_equal_the_second_computation, a_corrected_hour_of_last_year_is_there_within_a_second,
               a_station_day_and_a_city_day_agree_with_the_period, a_target_is_judged_by_the_same_figures, what_makes_no_sense_is_refused])
finally:
    POST.close()
