#!/usr/bin/env python3
"""The second, independent computation of attainment, weights, dust switches and targets: exact fractions,
written from the text of the rules. Prints the vectors that src/airq/airq_rules_test.c reads.

usage: rules_reference.py > src/airq/testdata/rules_vectors.txt      seeded: prints the same every time"""
import math
import random
from fractions import Fraction as F

from assess_reference import LIMITS, MEAN, QUANTILE, aqi_of, decimals, even

ORDER = ("SO2", "NO2", "CO", "PM10", "PM25", "O3")
PM = ("PM10", "PM25")
# GB 3095, grade I: daily limit and annual limit
GRADE_1 = {
    "2012": {"SO2": (50, 20), "NO2": (80, 40), "PM10": (50, 40), "PM25": (35, 15), "CO": (4, None), "O3": (100, None)},
    "2026f": {"SO2": (50, 20), "NO2": (50, 30), "PM10": (50, 20), "PM25": (25, 10), "CO": (4, None), "O3": (100, None)},
}
GRADE_1["2026t"] = GRADE_1["2012"]
WEIGHTS = {"SO2": 1, "NO2": 2, "CO": 1, "PM10": 1, "PM25": 3, "O3": 2}
STRIP, RECOMPUTE = 1, 2


def text(v):
    """A fraction of at most six decimals, shortest; None: -"""
    if v is None:
        return "-"
    millionths = F(v) * 10**6
    assert millionths.denominator == 1
    whole, rest = divmod(abs(int(millionths)), 10**6)
    return ("-" if v < 0 else "") + str(whole) + (f".{rest:06d}".rstrip("0") if rest else "")


def quantile(values, percent):
    values = sorted(values)
    k = F((len(values) - 1) * percent, 100)
    low = math.floor(k)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (k - low)


def judge(name, v):
    return even(v, 1 if name == "CO" else 0)


def verdict(ok):
    return "U" if ok is None else "A" if ok else "E"


def attainment(standard, grade, name, mean, high):
    if high is None:
        return "U"
    day, year = GRADE_1[standard][name] if grade == 1 else LIMITS[standard][name]
    return verdict(judge(name, high) <= day and (name not in MEAN or judge(name, mean) <= year))


def overall(letters):
    return "E" if "E" in letters else "U" if "U" in letters else "A"


def multiple(v, limit):
    return None if v is None or v <= limit else even(F(v - limit) / limit, 2)


def period_vector(r):
    standard, rounding = r.choice(tuple(LIMITS)), r.choice(("stepwise", "final"))
    scale = {"SO2": 30, "NO2": 60, "CO": 3, "PM10": 130, "PM25": 70, "O3": 200}
    level = r.choice((0.3, 0.6, 1, 2))
    days = []
    for _ in range(r.choice((1, 2, 5, 28, 31, 90))):
        day = {n: None if r.random() < 0.06 else F(round(r.uniform(0, scale[n] * level) * 10**4), 10**4) for n in ORDER}
        if r.random() < 0.15:
            day = {n: None if v is None else F(round(v * 2), 2) for n, v in day.items()}  # halves
        days.append((day, r.choice((0, 0, 0, 0, 1, 2, 3))))
    out, letters, c = [], {1: "", 2: ""}, {}
    for n in ORDER:
        kept = [v[n] for v, dust in days if v[n] is not None and not (n in PM and dust & STRIP)]
        used = [even(v, decimals(standard, n)) if rounding == "stepwise" else v for v in kept]
        mean = sum(used) / F(len(used)) if used else None
        high = quantile(used, QUANTILE[n]) if used else None
        day, year = LIMITS[standard][n]
        exceed = sum(judge(n, v) > day for v in kept)
        for g in (1, 2):
            letters[g] += attainment(standard, g, n, mean, high)
        c[n] = mean if n in MEAN else high
        if c[n] is not None and rounding == "stepwise":
            c[n] = even(c[n], decimals(standard, n))
        out += [text(mean and judge(n, mean)), text(high and judge(n, high)),
                text(multiple(judge(n, mean), year) if mean is not None and n in MEAN else None),
                text(multiple(judge(n, high), day) if high is not None else None),
                text(even(F(100 * (len(kept) - exceed), len(kept)), 1) if kept else None)]
    known = None not in c.values()
    equal = even(sum(c[n] / LIMITS[standard][n][1] for n in ORDER), 2) if known else None
    weighted = even(sum(WEIGHTS[n] * c[n] / LIMITS[standard][n][1] for n in ORDER), 2) if known else None
    valid = good = heavy = dusty = polluted = 0
    for v, dust in days:
        judged = {n: judge(n, x) for n, x in v.items() if x is not None}
        if "O3" in judged:
            judged["O3_1h"] = judged["O3"]
        index, _ = aqi_of(standard, judged)
        dusty += dust != 0
        polluted += dust != 0 and index is not None and index > 100
        if dust & RECOMPUTE:  # as if particles were not monitored: they neither count nor withhold
            gases = {n: x for n, x in judged.items() if n not in PM}
            index, _ = aqi_of("2012" if len(gases) == 5 else standard, gases)
            index = max(index, 1) if index is not None and standard != "2012" else index
        valid += index is not None
        good += index is not None and index <= 100
        heavy += index is not None and index > 200
    fields = ["/".join(text(v[n]) for n in ORDER) + f"/{dust}" for v, dust in days]
    return (f"period;{standard};{rounding};{' '.join(fields)};{' '.join(out)};{letters[1]}{overall(letters[1])};"
            f"{letters[2]}{overall(letters[2])};{text(equal)};{text(weighted)};{valid} {good} {heavy} {dusty} {polluted}")


def floor_to(v, places):
    return F(math.floor(v * 10**places), 10**places)


def left_vector(r):
    name, places = r.choice(ORDER), r.choice((0, 1, 2))
    values = [F(r.randrange(0, 1200000), 10**4) for _ in range(r.choice((0, 1, 7, 60)))]
    left, target = r.randrange(1, 200), F(r.randrange(0, 900), r.choice((1, 10)))
    step = F(1, 10**places)
    most = even(target, places)
    helped = most + step / 2 - (0 if (most / step) % 2 == 0 else F(1, 10**6))  # the largest that still rounds to it
    allowed = (helped * (len(values) + left) - sum(values)) / left
    x = F(r.randrange(0, 900), 10)
    with_x = even((sum(values) + x * left) / F(len(values) + left), places)
    return (f"left;{name};{' '.join(text(v) for v in values)};{left};{text(most)};{places};{text(helped)};"
            f"{text(floor_to(allowed, 1))};{text(x)};{text(with_x)}")


def days_vector(r):
    valid = r.randrange(0, 366)
    good, left = r.randrange(0, valid + 1), r.randrange(0, 366 - valid)
    target = F(r.randrange(0, 1001), 10)
    share = lambda n: even(F(100 * n, valid + left), 1) if valid + left else None
    reach = [k for k in range(left + 1) if valid + left and share(good + k) >= target]
    bad = [k for k in range(left + 1) if valid + left and share(valid - good + k) <= target]
    return f"days;{good};{valid};{left};{text(target)};{min(reach) if reach else left + 1};{max(bad) if bad else -1}"


def vectors():
    r = random.Random(663)
    out = []
    for make, count in ((period_vector, 90), (left_vector, 150), (days_vector, 150)):
        out += [make(r) for _ in range(count)]
    return out


if __name__ == "__main__":
    print("\n".join(vectors()))
