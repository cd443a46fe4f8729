#!/usr/bin/env python3
"""`lantian assess` against tests/assess_reference.py on measured data (12 stations of Beijing, 2013-03 to 2015-12) and on
random hours; orders, several files, and everything that must be refused."""
import datetime
import functools
import gzip
import json
import os
import pathlib
import random
import sys
import tempfile

sys.path.insert(0, os.path.dirname(__file__))
import assess_reference as reference
import rules_reference
from post import cli, run_tests

DATA = pathlib.Path(__file__).resolve().parent.parent / "src/airq/testdata/beijing12_hourly_2013-03_2015-12.csv.gz"
HEADER = "time,station,PM25,PM10,SO2,NO2,CO,O3"
STANDARDS = ("2012", "2026t", "2026f")
ROUNDINGS = ("stepwise", "final")
TMP = tempfile.TemporaryDirectory(prefix="lantian-assess-")


def put(name, text):
    path = os.path.join(TMP.name, name)
    with open(path, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    return path


def assess(files, first, last, standard="2012", rounding="stepwise", scope="city", label="end", co="ug", stdin=None, check=0):
    files = [files] if isinstance(files, (str, pathlib.Path)) else files
    r = cli("assess", *[x for f in files for x in ("--in", f)], "--co-unit", co, "--hour-label", label, "--from", first,
            "--to", last, "--scope", scope, "--standard", standard, "--rounding", rounding, stdin=stdin, check=check)
    return r


def refused(text, *words, **more):
    """Exit 2, nothing on standard output, every word in the message."""
    args = {"first": "2014-01-01", "last": "2014-01-31", "co": "mg", **more}
    r = assess(put("bad.csv", text), check=2, **args)
    assert r.stdout == b"", r.stdout
    for w in words:
        assert w.encode() in r.stderr, (w, r.stderr.decode())
    return r.stderr.decode()  # whatever the file holds, the message is text


@functools.lru_cache(None)
def lines():
    with gzip.open(DATA, "rt", encoding="utf-8") as f:
        return f.read().splitlines()


@functools.lru_cache(None)
def year_file(year):
    """The rows that either label can bring into the year."""
    keep = [x for x in lines()[1:] if x.startswith(str(year)) or x.startswith(f"{year + 1}-01-01 00:00")]
    return put(f"{year}.csv", "\n".join([lines()[0], *keep]) + "\n")


@functools.lru_cache(None)
def measured(label):
    return reference.load(str(DATA) if label == "end" else year_file(2014), "ug", label)


@functools.lru_cache(None)
def exact(label):
    return {k: reference.exact_station_day(h) for k, h in measured(label).items()}


def expected(label, first, last, standard, rounding, scope):
    a = reference.Assessment({}, standard, rounding)
    a.exact = exact(label)
    day = datetime.date.fromisoformat
    return reference.assess(a, measured(label), day(first), day(last), scope)


def same(got, want, path=""):
    """Every figure, with the place of the first that differs."""
    if isinstance(want, dict):
        assert isinstance(got, dict) and got.keys() == want.keys(), f"{path}: {got} and {want}"
        return sum(same(got[k], want[k], f"{path}/{k}") for k in want)
    assert got == want and type(got) is type(want), f"{path}: {got}, the reference has {want}"
    return 1


def compare(file, label, first, last, standard, rounding, scope="city"):
    got = json.loads(assess(file, first, last, standard, rounding, scope, label).stdout)
    n = same(got, expected(label, first, last, standard, rounding, scope))
    assert n >= 40
    return n


def years_of_measured_data():
    for year in (2013, 2014, 2015):
        for standard in STANDARDS:
            for rounding in ROUNDINGS:
                compare(year_file(year), "end", f"{year}-01-01", f"{year}-12-31", standard, rounding)


def the_whole_file_and_other_periods():
    compare(DATA, "end", "2013-03-01", "2015-12-31", "2012", "final")
    compare(DATA, "end", "2014-11-15", "2015-03-15", "2026t", "stepwise")
    compare(year_file(2015), "end", "2015-02-01", "2015-02-28", "2026f", "final")
    compare(year_file(2014), "end", "2014-12-31", "2014-12-31", "2012", "stepwise")


def labels_of_the_hour():
    for standard, rounding in (("2012", "final"), ("2026t", "stepwise")):
        compare(year_file(2014), "start", "2014-01-01", "2014-12-31", standard, rounding)
    ends = assess(year_file(2014), "2014-01-01", "2014-12-31", rounding="final").stdout
    assert ends != assess(year_file(2014), "2014-01-01", "2014-12-31", rounding="final", label="start").stdout


def each_station():
    compare(year_file(2015), "end", "2015-01-01", "2015-12-31", "2012", "stepwise", "station")
    compare(year_file(2015), "end", "2015-01-01", "2015-12-31", "2026f", "final", "station")


def random_cell(r, name):
    kind = r.random()
    if kind < 0.12:
        return ""
    top = {"CO": 6, "O3": 330}.get(name, 220) * (4 if kind > 0.97 else 1)
    return f"{r.uniform(0, top):.{r.choice((0, 0, 1, 4)) if name != 'CO' else r.choice((1, 1, 3, 6))}f}"


def random_file(seed):
    """Some stations, some weeks; gaps of hours, of days and of pollutants, so that every minimum is met from both sides."""
    r = random.Random(seed)
    rows = []
    for s in range(r.choice((1, 2, 3, 4, 5, 9))):
        base = r.uniform(0.2, 1.2)
        for d in range(40):
            lost = {n: set(range(24)) if r.random() < 0.05 else set(r.sample(range(24), r.randint(0, 6)))
                    for n in reference.NAMES}
            if r.random() < 0.3:  # the end of the day is missing: 13 or 14 windows of O3
                lost["O3"] = set(range(r.randint(16, 20), 24))
            level = base * r.uniform(0.1, 1.5)
            for h in range(24):
                if r.random() < 0.02:
                    continue
                at = datetime.datetime(2014, 1, 25) + datetime.timedelta(days=d, hours=h + 1)
                cells = []
                for n in reference.NAMES:
                    cell = "" if h in lost[n] else random_cell(r, n)
                    if cell:
                        cell = f"{float(cell) * level:.{len(cell.partition('.')[2])}f}"
                    cells.append(cell)
                rows.append(f"{at:%Y-%m-%d %H}:00,S{s},{','.join(cells)}")
    r.shuffle(rows)
    return put(f"random{seed}.csv", "\n".join([HEADER, *rows]) + "\n")


def random_hours():
    for seed in range(8):
        path = random_file(seed)
        days = reference.load(path, "mg", "end")
        first, last = datetime.date(2014, 1, 27), datetime.date(2014, 2, 28)
        for standard in STANDARDS:
            for rounding in ROUNDINGS:
                a = reference.Assessment(days, standard, rounding)
                for scope in ("city", "station"):
                    got = json.loads(assess(path, first, last, standard, rounding, scope, co="mg").stdout)
                    same(got, reference.assess(a, days, first, last, scope), f"seed {seed} {standard} {rounding} {scope}")


def any_order_gives_the_same_bytes():
    head, *rows = pathlib.Path(year_file(2014)).read_text(encoding="utf-8").splitlines()
    want = {s: assess(year_file(2014), "2014-01-01", "2014-12-31", "2026t", "final", s).stdout for s in ("city", "station")}
    r = random.Random(1)
    by_station = sorted(rows, key=lambda x: x.split(",")[1])
    for name, order in (("reversed", rows[::-1]), ("station", by_station), ("shuffled", r.sample(rows, len(rows)))):
        path = put(f"{name}.csv", "\n".join([head, *order]) + "\n")
        for scope, out in want.items():
            assert assess(path, "2014-01-01", "2014-12-31", "2026t", "final", scope).stdout == out, (name, scope)


def several_files_columns_and_line_ends():
    head, *rows = pathlib.Path(year_file(2014)).read_text(encoding="utf-8").splitlines()
    want = assess(year_file(2014), "2014-01-01", "2014-12-31").stdout
    half = put("half1.csv", "\r\n".join([head, *rows[:50000]]))  # no line end at the end
    swap = [",".join(reversed(x.split(","))) for x in [head, *rows[50000:]]]
    rest = put("half2.csv.gz", gzip.compress(("\ufeff" + "\n".join(swap) + "\n\n").encode()))
    assert assess([half, rest], "2014-01-01", "2014-12-31").stdout == want
    assert assess([rest, half], "2014-01-01", "2014-12-31").stdout == want
    whole = pathlib.Path(year_file(2014)).read_bytes()
    assert assess("-", "2014-01-01", "2014-12-31", stdin=whole).stdout == want
    assert assess("-", "2014-01-01", "2014-12-31", stdin=gzip.compress(whole)).stdout == want


def rows_of(day="2014-01-05", station="A", cells="10,20,3,4,0.5,60", hours=range(24)):
    return [f"{day} {h:02d}:00,{station},{cells}" for h in hours]


def a_doubled_hour_is_refused_with_its_line():
    rows = rows_of()
    refused("\n".join([HEADER, *rows, rows[7]]), "line 26", "'A'", "twice", "from 06:00")
    refused("\n".join([HEADER, *rows, rows[7].replace("10,", "11,")]), "line 26", "twice")
    # the same hour by its two names: 24:00 and 00:00 of the next day
    refused("\n".join([HEADER, *rows_of("2014-01-06", hours=[0]), *rows_of("2014-01-05", hours=[24])]), "line 3", "twice")
    # over two files
    a, b = put("a.csv", "\n".join([HEADER, *rows])), put("b.csv", "\n".join([HEADER, *rows_of("2014-01-06"), rows[3]]))
    r = assess([a, b], "2014-01-01", "2014-01-31", co="mg", check=2)
    assert b"b.csv: line 26" in r.stderr and r.stdout == b"", r.stderr
    assert assess([a], "2014-01-01", "2014-01-31", co="mg", check=0).stdout


def what_cannot_be_is_refused_with_its_line():
    rows = rows_of()
    for line, *words in (("2014-01-05 07:00,B,-999,20,3,4,0.5,60", "line 26", "PM25 '-999'", "negative", "empty"),
                         ("2014-01-05 07:00,B,NaN,20,3,4,0.5,60", "line 26", "PM25 'NaN'", "not a number"),
                         ("2014-01-05 07:00,B,1,20000,3,4,0.5,60", "line 26", "PM10 '20000'", "more than can be"),
                         ("2014-01-05 07:00,B,1,2,3,4,0.5,6e1", "line 26", "O3 '6e1'"),
                         ("2014-02-30 07:00,B,1,2,3,4,0.5,6", "line 26", "time '2014-02-30 07:00'", "that exists"),
                         ("05.01.2014 07:00,B,1,2,3,4,0.5,6", "line 26", "time", "YYYY-MM-DD"),
                         ("2014-01-05 07:30,B,1,2,3,4,0.5,6", "line 26", "time", "full hour"),
                         ("2014-01-05 25:00,B,1,2,3,4,0.5,6", "line 26", "time", "does not exist"),
                         ("2014-01-05 07:00,,1,2,3,4,0.5,6", "line 26", "station"),
                         ("2014-01-05 07:00,B,1,2,3,4,0.5", "line 26", "as many cells"),
                         ("2014-01-05 07:00,B,1,2,3,4,500,6", "line 26", "CO '500'", "150 mg/m3")):
        refused("\n".join([HEADER, *rows, line]), *words)
    refused(b"\n".join([HEADER.encode(), b"2014-01-05 07:00,\xff\xfe,1,2,3,4,0.5,6"]), "line 2", "UTF-8")
    told = refused("\n".join([HEADER, *["2014-01-05 07:00,B,x,2,3,4,0.5,6"] * 500]), "line 2:", "line 21:", "no further")
    assert "line 22:" not in told


def wrong_headers_are_refused():
    rows = rows_of()
    refused("\n".join([HEADER.replace("PM25", "PM2.5"), *rows]), "line 1", "PM25", "lacks this column")
    refused("\n".join([HEADER.replace(",", ";"), *rows]), "line 1")
    refused("\n".join([HEADER + ",O3", *rows]), "line 1", "O3", "twice")
    refused("\n".join(rows), "line 1")
    refused("", "empty")
    refused(HEADER + "\n", "no row lies in the period")
    refused("\n".join([HEADER, *rows]), "no row lies in the period", first="2015-01-01", last="2015-12-31")


def the_wrong_unit_of_co_is_refused():
    r = assess(DATA, "2014-01-01", "2014-12-31", co="mg", check=2)
    assert r.stdout == b"" and b"--co-unit ug" in r.stderr, r.stderr
    told = refused("\n".join([HEADER, *rows_of()]), "--co-unit mg", co="ug")
    assert "below 20" in told


def damaged_files_are_refused():
    whole = gzip.compress("\n".join([HEADER, *rows_of(), *rows_of("2014-01-06")]).encode())
    assert b"cut off" in assess(put("cut.csv.gz", whole[:-40]), "2014-01-01", "2014-01-31", co="mg", check=2).stderr
    assert b"cut off" in assess(put("cut.csv.gz", whole[:-4]), "2014-01-01", "2014-01-31", co="mg", check=2).stderr
    broken = bytearray(whole)
    broken[len(broken) // 2] ^= 0xFF
    r = assess(put("broken.csv.gz", bytes(broken)), "2014-01-01", "2014-01-31", co="mg", check=2)
    assert r.stdout == b"" and r.stderr
    refused(HEADER + "\n" + "x" * (2 << 20), "longer than")
    assert b"cannot be opened" in assess(TMP.name + "/none.csv", "2014-01-01", "2014-01-31", check=2).stderr


def wrong_use_is_told():
    good = {"--in": str(DATA), "--co-unit": "ug", "--hour-label": "end", "--from": "2014-01-01", "--to": "2014-01-31",
            "--standard": "2012"}
    for option, value in (("--in", None), ("--co-unit", None), ("--co-unit", "g"), ("--hour-label", None),
                          ("--hour-label", "middle"), ("--from", None), ("--from", "2014-02-30"), ("--from", "20140101"),
                          ("--to", "2013-12-31"), ("--to", None), ("--to", "2190-01-01"), ("--standard", None),
                          ("--standard", "2026"), ("--scope", "province"), ("--rounding", "up"), ("--what", "x")):
        args = {**good, option: value}
        r = cli("assess", *[x for k, v in args.items() if v is not None for x in (k, v)], check=2)
        assert r.stdout == b"" and option.encode() in r.stderr, (option, value, r.stderr)
    assert b"--hour-label" in cli("assess", "--help", check=0).stdout


def what_is_not_valid_is_marked_and_explained():
    r = assess(year_file(2014), "2014-01-01", "2014-12-31")
    assert json.loads(r.stdout)["statistics_valid"] is False
    assert "city: NO2 2014-02: 24 valid days, 25 are needed" in r.stderr.decode(), r.stderr
    r = assess(year_file(2015), "2015-05-01", "2015-06-30")
    assert json.loads(r.stdout)["statistics_valid"] is True and r.stderr == b"", r.stderr
    r = assess(year_file(2015), "2015-05-01", "2015-06-29")
    assert json.loads(r.stdout)["statistics_valid"] is False and b"29 days of 2015-06" in r.stderr, r.stderr


def no_valid_day_is_null_not_zero():
    text = "\n".join([HEADER, *rows_of(hours=range(1, 12))])
    out = json.loads(assess(put("few.csv", text), "2014-01-05", "2014-01-05", co="mg", standard="2026t").stdout)
    assert out["days_valid"] == 0 and out["good_share_pct"] is None and out["composite_index"] is None
    assert out["pollutants"]["PM25"] == {"mean": None, "p95": None, "days_valid": 0, "exceed_days": 0, "max": None}
    assert set(out["pollutants"]["O3"]) == {"p90", "days_valid", "exceed_days", "max"}


def aqi_by_the_scale_of_another_country():
    """US EPA, Technical Assistance Document of May 2024: O3 0.078 ppm -> 126, PM2.5 35.9 -> 102, CO 8.4 ppm -> 90."""
    text = b"id,SO2,NO2,CO,O3,PM10,PM25,O3_1h\na,20,30,8.4,0.07853333,54.9,35.9,\nb,,,,,,9.0,0.162\n"
    out = cli("aqi", "--standard", "epa", "--lang", "en", stdin=text, check=0).stdout.decode().splitlines()
    assert out[1].endswith(",29,28,90,126,50,102,126,Unhealthy for sensitive groups,O3"), out
    assert out[2].endswith(",NA,NA,NA,147,NA,50,147,Unhealthy for sensitive groups,O3"), out
    assert b"2012, 2026 or epa" in cli("aqi", "--standard", "who", stdin=text, check=2).stderr


def the_vectors_of_the_rules_are_what_the_reference_prints():
    kept = (pathlib.Path(__file__).resolve().parent.parent / "src/airq/testdata/rules_vectors.txt").read_text("utf-8")
    assert kept.splitlines() == rules_reference.vectors(), "run tests/rules_reference.py"


run_tests([years_of_measured_data, the_whole_file_and_other_periods, labels_of_the_hour, each_station, random_hours,
           any_order_gives_the_same_bytes, several_files_columns_and_line_ends, a_doubled_hour_is_refused_with_its_line,
           what_cannot_be_is_refused_with_its_line, wrong_headers_are_refused, the_wrong_unit_of_co_is_refused,
           damaged_files_are_refused, wrong_use_is_told, what_is_not_valid_is_marked_and_explained,
           no_valid_day_is_null_not_zero, aqi_by_the_scale_of_another_country,
           the_vectors_of_the_rules_are_what_the_reference_prints])
