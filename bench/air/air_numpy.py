#!/usr/bin/env python3
"""The job of airq_bench with NumPy arrays: days, city days, months and years with means, percentiles, exceedances, AQI days.

usage: air_numpy.py HOURS.raw STATIONS YEARS CITIES [FIGURES.csv]      HOURS.raw: airq_bench --raw; apt: python3-numpy
Doubles, one thread. np.rint is half to even; single figures may differ in the last digit."""
import datetime
import sys
import time

import numpy as np

NAMES = ("SO2", "NO2", "CO", "PM10", "PM25", "O3")
UNIT = (10, 10, 100, 10, 10, 10)
PLACES, JUDGE = (0, 0, 1, 0, 1, 0), (0, 0, 1, 0, 0, 0)
LIMIT, ANNUAL, PERCENT = (150, 80, 4, 120, 60, 160), (60, 40, 4, 60, 30, 160), (98, 98, 95, 95, 95, 90)
STEPS = ((0, 50, 150, 475, 800, 1600, 2100, 2620), (0, 40, 80, 180, 280, 565, 750, 940), (0, 2, 4, 14, 24, 36, 48, 60),
         (0, 50, 120, 250, 350, 420, 500, 600), (0, 35, 60, 115, 150, 250, 350, 500), (0, 100, 160, 215, 265, 800))
INDEX = (0, 50, 100, 150, 200, 300, 400, 500)


def even(v, places):
    return np.rint(v * 10) / 10 if places else np.rint(v)


def station_days(hours):
    """hours: [pollutant][hour] uint16 of one station -> exact daily values [pollutant][day], NaN where not valid."""
    v = hours.reshape(6, -1, 24)
    there = v != 65535
    n, total = there.sum(axis=2), np.where(there, v, 0).sum(axis=2, dtype=np.int64)
    with np.errstate(invalid="ignore", divide="ignore"):
        out = np.where(n >= 20, total / n, np.nan) / np.array(UNIT)[:, None]
        cs = np.cumsum(np.where(there[5], v[5], 0), axis=1, dtype=np.int64)
        cn = np.cumsum(there[5], axis=1)
        ws, wn = cs[:, 7:].copy(), cn[:, 7:].copy()
        ws[:, 1:] -= cs[:, :16]
        wn[:, 1:] -= cn[:, :16]
        best = np.where(wn >= 6, ws / wn, -1).max(axis=1) / 10
    windows = (wn >= 6).sum(axis=1)
    out[5] = np.where((windows >= 14) | ((windows > 0) & (np.rint(best) > 160)), best, np.nan)
    return out


def aqi(judged):
    with np.errstate(invalid="ignore"):
        sub = np.array([np.where(np.isnan(judged[p]), np.nan,
                                 np.ceil(np.round(np.interp(judged[p], STEPS[p], INDEX[:len(STEPS[p])]), 9))) for p in range(6)])
        top = np.nanmax(np.where(np.isnan(sub), -1, sub), axis=0)
        return np.where((top >= 0) & (~np.isnan(sub).any(axis=0) | (top > 100)), np.maximum(top, 1), np.nan)


def periods(exact, bounds):
    """exact: [pollutant][day] of statistics, judged beside -> figures of each stretch."""
    value, judged = exact
    index = aqi(judged)
    out = []
    for a, b in zip(bounds, bounds[1:]):
        row, composite = [], 0
        for p in range(6):
            x = value[p, a:b]
            x = x[~np.isnan(x)]
            mean = even(x.mean(), PLACES[p]) if len(x) else np.nan
            quantile = even(np.percentile(x, PERCENT[p]), PLACES[p]) if len(x) else np.nan
            composite += (quantile if p in (2, 5) else mean) / ANNUAL[p]
            row += [mean, quantile, (judged[p, a:b] > LIMIT[p]).sum()]
        i = index[a:b]
        out.append((*row, np.rint(composite * 100) / 100, (i <= 100).sum(), (~np.isnan(i)).sum()))
    return out


def both(exact):
    return np.array([even(exact[p], PLACES[p]) for p in range(6)]), np.array([even(exact[p], JUDGE[p]) for p in range(6)])


def main():
    path, stations, years, cities = sys.argv[1], *(int(x) for x in sys.argv[2:5])
    hours = np.fromfile(path, dtype="<u2").reshape(stations, 6, -1)
    first = datetime.date(2013, 1, 1)
    days = [first + datetime.timedelta(days=d) for d in range(hours.shape[2] // 24 + 1)]
    months = [i for i, d in enumerate(days) if d.day == 1]
    year_at = [i for i, d in enumerate(days) if d.day == 1 and d.month == 1]
    begin, figures = time.perf_counter(), []
    with np.errstate(invalid="ignore", divide="ignore"):
        for c in range(cities):
            a, b = c * stations // cities, (c + 1) * stations // cities
            total, n = 0, 0
            for s in range(a, b):
                value = both(station_days(hours[s]))
                periods(value, months)
                periods(value, year_at)
                total = total + np.where(np.isnan(value[0]), 0, value[0])
                n = n + ~np.isnan(value[0])
            city = both(np.where((n > 0) & (n * (2 if b - a < 4 else 4) >= (b - a) * (1 if b - a < 4 else 3)), total / n, np.nan))
            periods(city, months)
            figures += [(c, 2013 + y, r[12], r[16], r[7], r[18], r[19], r[20]) for y, r in enumerate(periods(city, year_at))]
    t, n = time.perf_counter() - begin, stations * hours.shape[2]
    print(f"NumPy {np.__version__}, 1 thread: {n} station-hours in {t:.2f} s, {n / t / 1e6:.2f} million/s; 131.5 million, reckoned "
          f"linearly: {t * 131.5e6 / n:.0f} s")
    if len(sys.argv) > 5:
        with open(sys.argv[5], encoding="ascii") as f:
            ours = [[float(x) for x in line.split(",")] for line in f.read().split()[1:]]
        same = sum(all(abs(x - y) < 1e-9 for x, y in zip(a, b)) for a, b in zip(figures, ours))
        print(f"annual figures of cities that are equal in all six: {same} of {len(ours)}")
        for a, b in zip(figures, ours):
            if not all(abs(x - y) < 1e-9 for x, y in zip(a, b)):
                print("first difference:", a, "ours:", b)
                break


if __name__ == "__main__":
    main()
