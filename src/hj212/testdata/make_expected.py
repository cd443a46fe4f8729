#!/usr/bin/env python3
"""Makes hj212-valid.expected.tsv from hj212-valid.txt: what every valid frame means, by an implementation that shares
nothing with the C library (regular expressions, bit-by-bit CRC, decimal and datetime modules). Run once; the result
is committed and reviewed, so that a change of the library cannot change what is expected.

F edition qn st cn pw mn flag pnum pno rf crc      one line per frame, "-" for absent
I group name field kind number decimals text        one line per item of its data area"""
import datetime, decimal, re, sys

NUMBERS = set("Rtd ZsRtd Min Avg Max Cou ZsMin ZsAvg ZsMax ZsCou Data DayData NightData RS RT Ala LowValue UpValue "
              "SampleRd StandardValue".split())
KNOWN = NUMBERS | set("Flag EFlag SampleTime CompleteTime SampleType ResultType Info SN".split())
TIMES = set("DataTime BeginTime EndTime SystemTime RestartTime AlarmTime SKCreateTime".split())
NAMES = set("PolId PolID QN PW NewPW NewSK InfoId AlarmTarget ReportTarget ReportTime CstartTime".split())


def crc(b):
    c = 0xFFFF
    for x in b:
        c = (c >> 8) ^ x
        for _ in range(8):
            c = (c >> 1) ^ 0xA001 if c & 1 else c >> 1
    return c


def ms(t):
    d = datetime.datetime.strptime(t[:14], "%Y%m%d%H%M%S") - datetime.datetime(1970, 1, 1)
    return d.days * 86400000 + d.seconds * 1000 + int(t[14:] or 0)


def number(t):
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)", t):
        return None
    with decimal.localcontext(decimal.Context(prec=60)):
        sign, digits, exp = decimal.Decimal(t).as_tuple()
    digits, dec = list(digits), -exp
    while (len(digits) > 18 or dec > 18) and dec > 0 and digits[-1] == 0:
        digits.pop()
        dec -= 1
    v = int("".join(map(str, digits)) or "0")
    return (-v if sign else v, dec)


def areas(a):
    """Groups of pairs; //text// may hold any character."""
    out, group = [], 0
    for m in re.finditer(r"((?:[^=,;]*=\s*//.*?//\s*(?=[,;]|$))|[^,;]*)([,;]|$)", a, re.S):
        if m.group(1).strip():
            out.append((group, m.group(1)))
        if m.group(2) == ";":
            group += 1
    return out


def item(group, pair):
    name, value = (x.strip(" ") for x in pair.split("=", 1))
    factor, dash, field = name.partition("-")
    kind, num, dec = "text", 0, 0
    n = number(value)
    if not dash:
        field = ""
    if not value:
        kind = "empty"
    elif (not dash and factor in TIMES) or field in ("SampleTime", "CompleteTime"):
        kind, num = "time", ms(value)
    elif field in NUMBERS and factor[0] != "p" and n is None:
        raise SystemExit("no number: " + pair)
    elif n is not None and not (field in ("Flag", "EFlag", "SN") or (not dash and factor in NAMES)):
        kind, (num, dec) = "number", n
    known = field if field in KNOWN or not dash else "?"
    return "\t".join(["I", str(group), factor, known, kind, str(num), str(dec), value])


def frame(line):
    m = re.fullmatch(rb"##(\d{4})(.*)([0-9A-Fa-f]{4})", line, re.S)
    seg = m.group(2)
    assert len(seg) == int(m.group(1)) and crc(seg) == int(m.group(3), 16), line
    text = seg.decode()
    head, _, cp = text.partition("CP=")
    fields = {k.strip().upper(): v.strip() for k, v in (x.split("=", 1) for x in head.split(";") if x.strip())}
    flag = fields.get("FLAG", "-")
    edition = "2005" if flag == "-" else ("2005", "2017", "2025")[int(flag) >> 2]
    row = ["F", edition] + [fields.get(k) or "-" for k in ("QN", "ST", "CN", "PW", "MN")]
    row += [flag, fields.get("PNUM", "-"), fields.get("PNO", "-"), fields.get("RF", "-"), m.group(3).decode()]
    if not cp:
        return ["\t".join(row)]
    assert cp.startswith("&&") and cp.endswith("&&") and len(cp) >= 4
    return ["\t".join(row)] + [item(g, p) for g, p in areas(cp[2:-2])]


lines = [l for l in open(sys.argv[1], "rb").read().split(b"\n") if l.startswith(b"##")]
sys.stdout.write("".join(x + "\n" for l in lines for x in frame(l)))
