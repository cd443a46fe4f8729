#!/usr/bin/env python3
"""Makes golden_day.txt (frames of one device and day, as received) and golden_day.csv (the hour and day values that must
come of them), computed here with exact fractions, independently of the C code. Run it in this folder; the output is
checked in, so that the tests need no Python.

golden_day.txt: "at_ms frame" per line, in order of receipt. golden_day.csv: kind,hour,factor,field,millionths.
Rules: HJ 212-2017 Appendix D (24) (25) (28) (33), notes under C.16-C.18; 5-minute rows; outlet: reference oxygen 6 %,
cap 19 %, device intervals 60 s and 5 min."""
import datetime as dt
import random
from fractions import Fraction as F

T0 = 1795881600000  # 2026-11-29 00:00:00 +08:00
TZ = dt.timezone(dt.timedelta(hours=8))
MN = "88888880000001"
VALID, CAP, AMOUNT, CONVERTED, DISPUTED = 1, 16, 64, 128, 8
STEP = {"a21026": 10000, "a19001": 100000, "a00000": 100000}  # printed decimals of HJ 212-2017 table B.2: N5.2, N3.1, N6.1


def half_even(x: F) -> int:
    n, d = x.numerator, x.denominator
    q, r = divmod(n, d)
    if 2 * r > d or (2 * r == d and q % 2):
        q += 1
    return q


def crc(data: bytes) -> int:
    c = 0xFFFF
    for b in data:
        c = (c >> 8) ^ b
        for _ in range(8):
            c = (c >> 1) ^ (0xA001 if c & 1 else 0)
    return c


def stamp(ms: int, frac=False) -> str:
    t = dt.datetime.fromtimestamp(ms // 1000, TZ)
    return t.strftime("%Y%m%d%H%M%S") + (f"{ms % 1000:03d}" if frac else "")


def frame(qn: int, cn: int, data: int, items: str) -> str:
    seg = f"QN={stamp(qn, True)};ST=31;CN={cn};PW=123456;MN={MN};Flag=5;CP=&&DataTime={stamp(data)};{items}&&"
    return f"##{len(seg):04d}{seg}{crc(seg.encode()):04X}"


def dec(v: int) -> str:
    s = f"{abs(v) // 10**6}.{abs(v) % 10**6:06d}".rstrip("0").rstrip(".")
    return ("-" if v < 0 else "") + s


def mean_of(slots, step):
    """slots: {minute: [(value, normal)]} -> (mean, valid minutes, mark) or None"""
    if not slots:
        return None
    sums, covered, normal = [], set(), 0
    for m, samples in sorted(slots.items()):
        good = [v for v, ok in samples if ok]
        if 4 * len(good) >= 3 * len(samples) and good:
            normal += 1
            covered.update(range(m, min(60, m + step)))
            sums.append(half_even(F(sum(good), len(good))))
    avg = half_even(F(sum(sums), len(sums))) if sums else None
    return avg, len(covered), "N" if 4 * normal >= 3 * len(slots) else "D"


def main() -> None:
    rnd = random.Random(20261129)
    out = []  # (at, frame)
    minute = {h: {} for h in range(24)}   # hour -> minute -> {factor: (value, mark)}
    real = {h: [] for h in range(24)}
    report = {}
    for h in range(24):
        t = T0 + h * 3600000
        miss = {3: 4, 4: 3, 5: 12, 9: 2}.get(h, 0)       # rows that never came: hour 3 has 40 minutes, hour 4 has 45
        bad = {7: 3, 8: 4}.get(h, 0)                     # rows marked D: 9 of 12 is 75 %, 8 of 12 is not
        o2_base = {10: 19000000, 11: 19010000, 12: 21000000}.get(h)
        rows = list(range(0, 60, 5))
        for m in rnd.sample(rows, miss):
            rows.remove(m)
        marked = set(rnd.sample(rows, bad))
        if h in (14, 15):                                # hours known from real-time data alone
            for m in range(60):
                if h == 15 and m % 4 == 3:
                    continue                             # 45 minutes
                for s in (0, 30):
                    v = {"a21026": rnd.randrange(10**6, 40 * 10**6, 10000), "a19001": rnd.randrange(8 * 10**6, 12 * 10**6, 100000)}
                    mark = "M" if h == 14 and m == 5 and s == 0 else "N"
                    real[h].append((m, v, mark))
                    items = ";".join(f"{f}-Rtd={dec(x)},{f}-Flag={mark}" for f, x in v.items())
                    at = t + m * 60000 + s * 1000
                    out.append((at + 700, frame(at + 100, 2011, at, items)))
            continue
        for m in rows:
            v = {"a21026": rnd.randrange(10**6, 60 * 10**6, 10000),
                 "a19001": o2_base if o2_base is not None else rnd.randrange(8 * 10**6, 12 * 10**6, 100000),
                 "a00000": rnd.randrange(90 * 10**6, 110 * 10**6, 100000)}
            mark = "D" if m in marked else "N"
            minute[h][m] = (v, mark)
            at = t + m * 60000
            items = ";".join(f"{f}-Avg={dec(x)},{f}-Flag={mark}" for f, x in v.items())
            line = frame(at + 300100, 2051, at, items)
            late = 7200000 if h == 20 and m >= 40 else 0  # the end of hour 20 comes two hours later
            out.append((at + 300500 + late, line))
            if m == 10 and h % 5 == 0:                    # sent again with a new QN and another value: the later QN counts
                v2 = dict(v)
                v2["a21026"] += 1230000
                minute[h][m] = (v2, mark)
                items = ";".join(f"{f}-Avg={dec(x)},{f}-Flag={mark}" for f, x in v2.items())
                out.append((at + 400500, frame(at + 400100, 2051, at, items)))
    own = {}
    for h in range(24):
        for f in ("a21026", "a19001", "a00000"):
            slots = {m: [(v[f], mark == "N")] for m, (v, mark) in minute[h].items()}
            kind, step = "minutes", 5
            if not slots:
                kind, step = "realtime", 1
                for m, v, mark in real[h]:
                    if f in v:
                        slots.setdefault(m, []).append((v[f], mark == "N"))
            r = mean_of(slots, step)
            if r:
                own[h, f] = (kind, *r)
    for h in (1, 2, 6, 3):                                # reports: right, contradicted, marked, and one for a broken hour
        avg = own[h, "a21026"][1]
        value = {1: avg + 15000, 2: avg // 2 // 10000 * 10000, 6: avg, 3: avg + 2 * 10**6}[h] // 10000 * 10000
        mark = "D" if h == 6 else "N"
        report[h] = (value, mark)
        t = T0 + h * 3600000
        out.append((t + 3603000, frame(t + 3602000, 2061, t, f"a21026-Avg={dec(value)},a21026-Flag={mark}")))
    rows = []
    hours = {}
    for h in range(24):
        o2 = own.get((h, "a19001"))
        o2_avg = o2[1] if o2 and o2[2] >= 45 and o2[3] == "N" else None
        flow = own.get((h, "a00000"))
        flow_avg = flow[1] if flow and flow[2] >= 45 and flow[3] == "N" else None
        for f in ("a21026", "a19001", "a00000"):
            if (h, f) not in own:
                continue
            kind, avg, n, mark = own[h, f]
            state = VALID if n >= 45 and mark == "N" else 0
            zs, calc, diff = None, None, None
            def convert(c):
                if o2_avg > 19 * 10**6:
                    return c, CONVERTED | CAP
                return half_even(F(c * 15 * 10**6, 21 * 10**6 - o2_avg)), CONVERTED
            if f == "a21026" and avg is not None and o2_avg is not None:
                zs, bits = convert(avg)
                state |= bits
            source = kind
            if f == "a21026" and h in report:
                value, rmark = report[h]
                diff = value - avg
                step = STEP[f]
                contradicts = abs(diff) > 2 * step and abs(diff) * 100 > max(abs(value), abs(avg)) * 5
                if state & VALID and rmark == "N" and contradicts:
                    state |= DISPUTED
                else:
                    calc, calc_valid = (avg, zs), state & VALID
                    avg, mark, source = value, rmark, "reported"
                    state = (state & ~VALID) | (VALID if rmark == "N" else 0)
                    if not calc_valid:
                        zs = None
                    if o2_avg is not None:            # of the mean that stands
                        zs, bits = convert(avg)
                        state |= bits
            cou = None
            if state & VALID and flow_avg is not None and f != "a19001":
                cou = flow_avg * 3600 if f == "a00000" else half_even(F(avg * flow_avg * 3600, 10**12))
                state |= AMOUNT
            hours[h, f] = (avg, zs, n, mark, state, cou)
            cells = {"Avg": avg, "ZsAvg": zs, "Flag": ord(mark), "Valid": n, "State": state, "Cou": cou,
                     "Source": {"reported": 1, "minutes": 2, "realtime": 3}[source]}
            if calc:
                cells["CalcAvg"], cells["CalcZsAvg"] = calc
            cells["Diff"] = diff
            rows += [("hour", h, f, k, v) for k, v in cells.items() if v is not None]
    for f in ("a21026", "a19001", "a00000"):
        mine = [hours[h, f] for h in range(24) if (h, f) in hours]
        good = [x for x in mine if x[4] & VALID]
        zs = [x[1] for x in good if x[1] is not None]
        normal = sum(x[3] == "N" for x in mine)
        cells = {"Avg": half_even(F(sum(x[0] for x in good), len(good))), "Valid": len(good),
                 "ZsAvg": half_even(F(sum(zs), len(zs))) if zs and 4 * len(zs) >= 3 * len(good) else None,
                 "Flag": ord("N" if 4 * normal >= 3 * len(mine) else "D"),
                 "State": VALID if len(good) >= 20 else 0, "Source": 4,
                 "Cou": sum(x[5] for x in mine if x[5] is not None) if any(x[5] is not None for x in mine) else None}
        rows += [("day", 0, f, k, v) for k, v in cells.items() if v is not None]
    out.sort(key=lambda x: x[0])
    with open("golden_day.txt", "w", encoding="ascii") as fh:
        fh.writelines(f"{at} {line}\n" for at, line in out)
    with open("golden_day.csv", "w", encoding="ascii") as fh:
        fh.writelines(",".join(map(str, r)) + "\n" for r in rows)
    print(len(out), "frames,", len(rows), "values")


main()
