#!/usr/bin/env python3
"""A second, independent computation of what `lantian assess` prints: exact fractions, dictionaries, nothing shared.

usage: assess_reference.py FILE(.csv|.csv.gz) --co-unit ug --hour-label end --from DAY --to DAY
       [--scope city|station] --standard 2012|2026t|2026f [--rounding stepwise|final]

Rules: GB 3095-2012 and -2026, HJ 633-2012 and -2026, HJ 663. Written from the text of the standards, not from the C code."""
import argparse
import calendar
import collections
import csv
import datetime
import decimal
import fractions
import gzip
import json
import math
import sys

F = fractions.Fraction
NAMES = ("PM25", "PM10", "SO2", "NO2", "CO", "O3")
# Grade II: daily limit, and what the composite index divides by (GB 3095; CO and O3: daily, 8 h)
LIMITS = {
    "2012": {"SO2": (150, 60), "NO2": (80, 40), "PM10": (150, 70), "PM25": (75, 35), "CO": (4, 4), "O3": (160, 160)},
    "2026t": {"SO2": (150, 60), "NO2": (80, 40), "PM10": (120, 60), "PM25": (60, 30), "CO": (4, 4), "O3": (160, 160)},
    "2026f": {"SO2": (50, 20), "NO2": (50, 30), "PM10": (100, 50), "PM25": (50, 25), "CO": (4, 4), "O3": (160, 160)},
}
QUANTILE = {"SO2": 98, "NO2": 98, "PM10": 95, "PM25": 95, "CO": 95, "O3": 90}
MEAN = {"SO2", "NO2", "PM10", "PM25"}
# HJ 633: (concentration, index) of the daily averages
STEPS = {
    "SO2": [(0, 0), (50, 50), (150, 100), (475, 150), (800, 200), (1600, 300), (2100, 400), (2620, 500)],
    "NO2": [(0, 0), (40, 50), (80, 100), (180, 150), (280, 200), (565, 300), (750, 400), (940, 500)],
    "CO": [(0, 0), (2, 50), (4, 100), (14, 150), (24, 200), (36, 300), (48, 400), (60, 500)],
    "O3": [(0, 0), (100, 50), (160, 100), (215, 150), (265, 200), (800, 300)],
    "PM10": [(0, 0), (50, 50), (150, 100), (250, 150), (350, 200), (420, 300), (500, 400), (600, 500)],
    "PM25": [(0, 0), (35, 50), (75, 100), (115, 150), (150, 200), (250, 300), (350, 400), (500, 500)],
}
O3_HOUR = [(0, 0), (160, 50), (200, 100), (300, 150), (400, 200), (800, 300), (1000, 400), (1200, 500)]
CATEGORY = [(50, "excellent"), (100, "good"), (150, "light"), (200, "moderate"), (300, "heavy"), (500, "severe")]


def decimals(standard, name):
    return 1 if name == "CO" or (name == "PM25" and standard != "2012") else 0


def even(value, places):
    """GB/T 8170; round() of a Fraction is exact and goes to even."""
    return round(value, places) if places else F(round(value))


def load(path, co_unit, label):
    """{(station, date): {pollutant: {hour: Decimal}}}"""
    opened = gzip.open(path, "rt", encoding="utf-8-sig") if path.endswith(".gz") else open(path, encoding="utf-8-sig")
    days = collections.defaultdict(lambda: {n: {} for n in NAMES})
    begin = {}
    cache = {}
    with opened as f:
        rows = csv.reader(f)
        head = next(rows)
        time, station = head.index("time"), head.index("station")
        columns = [(n, head.index(n)) for n in NAMES]
        for row in rows:
            at = row[time]
            if at not in begin:
                t = datetime.datetime.strptime(at, "%Y-%m-%d %H:%M")
                begin[at] = t - datetime.timedelta(hours=1) if label == "end" else t
            t = begin[at]
            day = days[row[station], t.date()]
            for name, column in columns:
                cell = row[column]
                if cell:
                    if (name == "CO", cell) not in cache:
                        d = decimal.Decimal(cell)
                        cache[name == "CO", cell] = d / 1000 if name == "CO" and co_unit == "ug" else d
                    day[name][t.hour] = cache[name == "CO", cell]
    return dict(days)


def exact_station_day(hours):
    """Exact daily values of one station: means, O3 as (max 8 h, number of windows, max hour)."""
    out = {}
    for name in NAMES:
        if name != "O3" and len(hours[name]) >= 20:
            out[name] = F(sum(hours[name].values())) / len(hours[name])
    windows = []
    for end in range(8, 25):
        inside = [hours["O3"][h] for h in range(end - 8, end) if h in hours["O3"]]
        if len(inside) >= 6:
            windows.append(F(sum(inside)) / len(inside))
    if windows:
        out["O3"] = (max(windows), len(windows), F(max(hours["O3"].values())))
    return out


def index_of(steps, c):
    for (c0, i0), (c1, i1) in zip(steps, steps[1:]):
        if c <= c1:
            return math.ceil(F(i1 - i0) / (c1 - c0) * (c - c0) + i0)
    return None


def aqi_of(standard, judged):
    """(AQI or None, primaries) of one day; judged: rounded concentrations, O3_1h beside."""
    sub = {}
    for name in NAMES:
        if name not in judged:
            continue
        steps = STEPS[name]
        if standard != "2012" and name in ("PM10", "PM25"):
            steps = [s if s[1] != 100 else ({"PM10": 120, "PM25": 60}[name], 100) for s in steps]
        i = index_of(steps, judged[name])
        if i is None and name == "O3":
            i = 300 if standard != "2012" else index_of(O3_HOUR, judged["O3_1h"])
        sub[name] = 500 if i is None else i
    if not sub:
        return None, []
    top = max(sub.values())
    if standard != "2012" and len(sub) < 6 and top <= 100:
        return None, []
    primaries = [n for n in sub if sub[n] == top] if top > 50 else []
    return (max(top, 1) if standard != "2012" else top), primaries


class Assessment:
    def __init__(self, days, standard, rounding):
        self.standard, self.rounding = standard, rounding
        self.exact = {key: exact_station_day(h) for key, h in days.items()} if days else {}

    def keep(self, name, value):
        return even(value, decimals(self.standard, name)) if self.rounding == "stepwise" else value

    @staticmethod
    def judge(name, value):
        return even(value, 1 if name == "CO" else 0)

    def station_day(self, key):
        """{name: (value for statistics, value for judging)}"""
        return {name: (self.keep("O3" if name == "O3_1h" else name, v), self.judge(name, v))
                for name, v in self.valid_of_station(key).items()}

    def valid_of_station(self, key):
        out = dict(self.exact.get(key, {}))
        if "O3" in out:
            best, windows, hour = out.pop("O3")
            if windows >= 14 or self.judge("O3", best) > LIMITS[self.standard]["O3"][0]:
                out["O3"], out["O3_1h"] = best, hour
        return out

    def city_day(self, stations, date):
        each = [self.valid_of_station((s, date)) for s in stations]
        out = {}
        for name in (*NAMES, "O3_1h"):
            valid = [self.keep("O3" if name == "O3_1h" else name, d[name]) for d in each if name in d]
            share = F(len(valid), len(stations))
            if valid and share >= (F(1, 2) if len(stations) < 4 else F(3, 4)):
                v = sum(valid) / len(valid)
                plain = "O3" if name == "O3_1h" else name
                out[name] = (self.keep(plain, v), self.judge(plain, v))
        return out

    def period(self, daily):
        """daily: [(date, station_day() or city_day())] of every day of the period."""
        out = {"days_valid": 0, "days_good": 0, "days_heavy": 0}
        categories = {c: 0 for _, c in CATEGORY}
        primary = {n: 0 for n in NAMES}
        for _, d in daily:
            aqi, names = aqi_of(self.standard, {n: v[1] for n, v in d.items()})
            if aqi is None:
                continue
            out["days_valid"] += 1
            out["days_good"] += aqi <= 100
            out["days_heavy"] += aqi > 200
            categories[next(c for top, c in CATEGORY if aqi <= top)] += 1
            for n in names:
                primary[n] += 1
        out["good_share_pct"] = number(F(100 * out["days_good"], out["days_valid"]), 1) if out["days_valid"] else None
        out["aqi_categories"], out["primary_days"] = categories, primary
        terms, pollutants = [], {}
        for name in NAMES:
            terms_of, pollutants[name] = self.pollutant(name, daily)
            terms.append(terms_of)
        out["composite_index"] = None if None in terms else number(sum(terms), 2)
        out["statistics_valid"] = all(self.valid(name, daily) for name in NAMES)
        out["pollutants"] = pollutants
        return out

    def pollutant(self, name, daily):
        places, key = decimals(self.standard, name), f"p{QUANTILE[name]}"
        values = sorted(d[name][0] for _, d in daily if name in d)
        out = {"mean": None} if name in MEAN else {}
        out[key] = out["max"] = None
        out["days_valid"] = len(values)
        out["exceed_days"] = sum(d[name][1] > LIMITS[self.standard][name][0] for _, d in daily if name in d)
        if not values:
            return None, out
        k = 1 + (len(values) - 1) * F(QUANTILE[name], 100)
        s = int(k)
        quantile = values[s - 1] + (values[min(s, len(values) - 1)] - values[s - 1]) * (k - s)
        mean = sum(values) / len(values)
        if name in MEAN:
            out["mean"] = number(mean, places)
        out[key], out["max"] = number(quantile, places), number(values[-1], places)
        c = mean if name in MEAN else quantile
        if self.rounding == "stepwise":
            c = even(c, places)
        return c / LIMITS[self.standard][name][1], out

    @staticmethod
    def valid(name, daily):
        """27 days a month, 25 in February, 324 in a calendar year; only whole months can be judged."""
        dates = {date for date, _ in daily}
        count = collections.Counter()
        for date, d in daily:
            count[date.year, date.month] += name in d
            count[date.year] += name in d
        for year, month in {(d.year, d.month) for d in dates}:
            last = calendar.monthrange(year, month)[1]
            if not all(datetime.date(year, month, d) in dates for d in range(1, last + 1)):
                return False
            if count[year, month] < (25 if month == 2 else 27):
                return False
        return all(count[y] >= 324 for y in {d.year for d in dates}
                   if datetime.date(y, 1, 1) in dates and datetime.date(y, 12, 31) in dates)


def number(value, places):
    return float(even(value, places)) if places else int(even(value, 0))


def dates_between(first, last):
    return [first + datetime.timedelta(days=i) for i in range((last - first).days + 1)]


def assess(assessment, days, first, last, scope):
    dates = dates_between(first, last)
    stations = sorted({s for s, d in days if first <= d <= last})
    head = {"standard": assessment.standard, "from": str(first), "to": str(last), "scope": scope,
            "rounding": assessment.rounding}
    if scope == "station":
        return {**head, "stations": {s: assessment.period([(d, assessment.station_day((s, d))) for d in dates])
                                     for s in stations}}
    return {**head, **assessment.period([(d, assessment.city_day(stations, d)) for d in dates])}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("file")
    ap.add_argument("--co-unit", choices=("mg", "ug"), required=True)
    ap.add_argument("--hour-label", choices=("start", "end"), required=True)
    ap.add_argument("--from", dest="first", type=datetime.date.fromisoformat, required=True)
    ap.add_argument("--to", dest="last", type=datetime.date.fromisoformat, required=True)
    ap.add_argument("--scope", choices=("city", "station"), default="city")
    ap.add_argument("--standard", choices=tuple(LIMITS), required=True)
    ap.add_argument("--rounding", choices=("stepwise", "final"), default="stepwise")
    a = ap.parse_args()
    days = load(a.file, a.co_unit, a.hour_label)
    json.dump(assess(Assessment(days, a.standard, a.rounding), days, a.first, a.last, a.scope), sys.stdout)
    print()


if __name__ == "__main__":
    main()
