#!/usr/bin/env python3
"""The raw journal and the series of a demonstration city, read by a program made from docs/FORMATS.md and
docs/FORMATS-series.md alone (SQLite, libzstd and SHA-256): every batch hashes into the chain, every byte of every body and chunk
is accounted for, the ledger follows from the records, and the hours devices reported stand in the series as they were sent."""
import collections
import ctypes
import ctypes.util
import decimal
import glob
import hashlib
import json
import os
import sqlite3
import sys
import tempfile

sys.path.insert(0, os.path.dirname(__file__))
from post import cli, run_tests

TMP = tempfile.TemporaryDirectory(prefix="lantian-formats-")
CITY = os.path.join(TMP.name, "city")
ZSTD = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
for name, ret in (("ZSTD_createDCtx", ctypes.c_void_p), ("ZSTD_getFrameContentSize", ctypes.c_ulonglong), ("ZSTD_decompress_usingDict", ctypes.c_size_t)):
    getattr(ZSTD, name).restype = ret
DCTX = ctypes.c_void_p(ZSTD.ZSTD_createDCtx())
# FORMATS-series.md: numbers of fields
FIELDS = {"Min": 3, "Avg": 4, "Max": 5, "Cou": 6, "ZsMin": 7, "ZsAvg": 8, "ZsMax": 9}
RECORDS = []
Record = collections.namedtuple("Record", "seq at kind mn data")


def unpack(frame, n, dictionary=b""):
    out = ctypes.create_string_buffer(n or 1)
    got = ZSTD.ZSTD_decompress_usingDict(DCTX, out, ctypes.c_size_t(n), frame, ctypes.c_size_t(len(frame)), dictionary, ctypes.c_size_t(len(dictionary)))
    assert got == n, "zstd"
    return out.raw[:n]


class Bytes:
    def __init__(self, b):
        self.b, self.at = b, 0

    def take(self, n):
        assert self.at + n <= len(self.b), "cut short"
        self.at += n
        return self.b[self.at - n:self.at]

    def varint(self):
        v = shift = 0
        while True:
            x = self.take(1)[0]
            v |= (x & 127) << shift
            shift += 7
            if x < 128:
                return v

    def zz(self):
        v = self.varint()
        return v >> 1 ^ -(v & 1)


def wrap(v):
    return (v + (1 << 63)) % (1 << 64) - (1 << 63)


def u64(v):
    return (v % (1 << 64)).to_bytes(8, "little")


# ---- FORMATS.md ----

def records_of(body, first_seq, count):
    r = Bytes(body)
    base = int.from_bytes(r.take(8), "little", signed=True)
    for seq in range(first_seq, first_seq + count):
        head = r.take(1)[0]
        at, _conn = base + r.zz(), r.varint()
        ref = seq - r.zz() if head & 0x10 else 0
        _flags = r.varint() if head & 0x20 else 0
        _reason = r.take(1)[0] if head & 0x40 else 0
        n = r.varint()
        mn_at = r.varint() if head & 0x80 else None
        mn = r.take(n) if mn_at is None else None
        data = r.take(r.varint())
        mn = mn if mn_at is None else data[mn_at:mn_at + n]
        assert len(mn) == n and (head & 15 == 3) == (ref != 0)
        assert head & 15 not in (3, 4) or not data, "kinds without bytes"
        yield Record(seq, at, head & 15, mn.decode(), data)
    assert r.at == len(body), "bytes behind the last record"


def batches(path):
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    assert db.execute("PRAGMA application_id").fetchone() == (1280592202,)
    fmt, day, tz_min, first, prev = db.execute("SELECT format, day, tz_min, first_seq, prev_hash FROM meta").fetchone()
    assert (fmt, f"{day:08d}.db", tz_min) == (1, os.path.basename(path), 480)
    yield first, prev
    dicts = {0: b"", **dict(db.execute("SELECT id, body FROM dict"))}
    blocks = {i: unpack(b, n) for i, n, b in db.execute("SELECT id, raw_len, body FROM block")}
    for row in db.execute("SELECT first_seq, count, at_ms, raw_len, dict, block, pos, hash, body FROM batch ORDER BY first_seq"):
        first_seq, count, at_ms, raw_len, d, block, pos, hash_, body = row
        raw = blocks[block][pos:pos + raw_len] if block else unpack(body, raw_len, dicts[d])
        yield first_seq, count, at_ms, raw, hash_
    db.close()


def the_journal_is_one_chain():
    cli("demo", "--data", CITY, "--days", 2, "--outlets", 20, timeout=300, check=0)
    seq, hash_, time = 1, bytes(32), 0
    for path in sorted(glob.glob(os.path.join(CITY, "journal", "????????.db"))):
        rows = batches(path)
        first, prev = next(rows)
        assert first == seq and prev == hash_, "goes on over day files"
        for first_seq, count, at_ms, raw, told in rows:
            assert first_seq == seq and at_ms >= time
            seq, time = seq + count, at_ms
            hash_ = hashlib.sha256(hash_ + u64(first_seq) + u64(count) + u64(at_ms) + u64(len(raw)) + raw).digest()
            assert hash_ == told, path
            for r in records_of(raw, first_seq, count):
                assert r.at <= at_ms
                RECORDS.append(r)
    said = cli("verify-journal", "--data", CITY, check=0).stdout.decode()
    assert said == f"ok: {len(RECORDS)} records in {said.split()[4]} batches, last hash {hash_.hex()}\n", said


def the_ledger_follows_from_the_records():
    mine = collections.Counter()
    for r in RECORDS:
        what = {1: "stored", 3: "duplicate", 2: "rejected", 4: "rejected"}.get(r.kind)
        if what:
            mine[r.mn, what] += 1
    told = collections.Counter()
    for line in cli("ledger", "--data", CITY, "--all-days", "--json", check=0).stdout.splitlines():
        row = json.loads(line)
        for what in ("stored", "duplicate", "rejected"):
            told[row["mn"], what] += sum(row[what].values()) if isinstance(row[what], dict) else row[what]
    assert mine and mine == +told, [(k, mine[k], told[k]) for k in mine | told if mine[k] != told[k]][:5]


# ---- FORMATS-series.md ----

def column(r, length, rows):
    end, head = r.at + length, r.take(1)[0]
    presence, unit = head >> 6, 10 ** (head & 31)
    if presence == 0:
        at = list(range(rows))
    elif presence == 1:
        bits = r.take((rows + 7) // 8)
        at = [i for i in range(len(bits) * 8) if bits[i // 8] >> i % 8 & 1]
        assert at[-1] < rows, "unused bits are 0"
    else:
        at, last = [], -1
        for _ in range(r.varint()):
            last += 1 + r.varint()
            at.append(last)
        assert len(at) < rows / 16
    values, last = [], 0
    while len(values) < len(at):
        last = wrap(last + r.zz())
        values += [last * unit] * (1 + (r.varint() if head & 32 else 0))
    assert r.at == end and len(values) == len(at)
    return zip(at, values)


def chunk(blob, device, kind, span, start):
    assert blob[:2] == b"\xc7\x01" and blob[6] & 4, "magic, version, checksum"
    r = Bytes(unpack(blob[2:], ZSTD.ZSTD_getFrameContentSize(blob[2:], ctypes.c_size_t(len(blob) - 2))))
    assert (r.varint(), r.varint(), r.varint(), r.zz()) == (device, kind, span, start)
    n, columns = r.varint(), r.varint()
    times, at, step = [], start, 0
    for _ in range(n):
        step = wrap(step + r.zz())
        at += step
        times.append(at)
    ranks, last = [0] * n, 0
    if r.take(1)[0]:
        for i in range(n):
            last = wrap(last + r.zz())
            ranks[i] = times[i] + last
    ties = [int.from_bytes(r.take(4), "little") for _ in range(n)] if r.take(1)[0] else [0] * n
    directory, number = [], 0
    for _ in range(columns):
        number += r.varint()
        directory.append((number, r.varint()))
    rows = [{} for _ in range(n)]
    for number, length in directory:
        for i, v in column(r, length, n):
            rows[i][number] = v
    assert r.at == len(r.b), "bytes behind the columns"
    keys = list(zip(times, ranks, ties))
    assert keys == sorted(keys) and all(rows), "order of rows"
    return zip(times, rows)


def millis(text):
    import datetime
    return int(datetime.datetime.strptime(text + "+0800", "%Y%m%d%H%M%S%z").timestamp() * 1000)


def reported():
    """(MN, DataTime) -> the values of the hour report with the newest QN, as the frame has them."""
    newest = {}
    for r in RECORDS:
        text = r.data.decode("ascii", "replace")
        if r.kind != 1 or ";CN=2061;" not in text or "DataTime=" not in text:
            continue
        qn = text.partition("QN=")[2].partition(";")[0] if "QN=" in text else ""
        key = r.mn, millis(text.partition("DataTime=")[2][:14])
        items = dict(p.split("=", 1) for p in text.partition("CP=&&")[2].partition("&&")[0].replace(",", ";").split(";") if "=" in p)
        if key not in newest or qn >= newest[key][0]:
            newest[key] = qn, items
    return newest


def what_devices_reported_stands_in_the_series():
    with sqlite3.connect(os.path.join(CITY, "state.db")) as db:
        number_of = dict(db.execute("SELECT mn, id FROM device"))
    with sqlite3.connect(os.path.join(CITY, "series", "columns.db")) as db:
        columns = {(f, x): n for n, f, x in db.execute("SELECT number, factor, field FROM columns")}
        assert sorted(columns.values()) == list(range(1, len(columns) + 1)), "numbers without gaps"
    hours, kinds = {}, collections.Counter()
    for path in sorted(glob.glob(os.path.join(CITY, "series", "??????*.db"))):
        if path.endswith("columns.db"):
            continue
        name = os.path.basename(path)
        month = millis(name[:6] + "01000000")
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            assert dict(db.execute("SELECT name, value FROM meta")) == {"format": 1, "tz_min": 480}
            for id_, blob in db.execute("SELECT id, bytes FROM chunk ORDER BY id"):
                kind, device, hour, merged = id_ >> 43, id_ >> 11 & 0xFFFFFFFF, id_ >> 1 & 1023, id_ & 1
                assert (kind in (0, 1)) == name.endswith("-raw.db")
                span = {0: 0, 1: 0, 6: 0, 2: 1, 4: 1, 3: 2, 5: 2}[kind] + merged
                kinds[kind] += 1
                for at, row in chunk(blob, device, kind, span, month + hour * 3600000):
                    if kind == 2:
                        hours.setdefault((device, at), {}).update(row)  # the highest rank comes last
    assert {0, 1, 2, 4, 5} <= set(kinds), kinds
    found = missing = 0
    for (mn, at), (_qn, items) in reported().items():
        row = hours.get((number_of.get(mn), at))
        for name, text in items.items():
            factor, _, field = name.partition("-")
            n = columns.get((factor, FIELDS.get(field, 0)))
            if not n:
                continue  # a code of 2005 is kept under its name of 2017
            if row is None:
                missing += 1  # its clock was wrong by a day: not taken
                continue
            assert row[n] == decimal.Decimal(text) * 1000000, (mn, at, name, text, row[n])
            found += 1
    assert found > 1000 and missing < found / 20, (found, missing)


if __name__ == "__main__":
    run_tests([the_journal_is_one_chain, the_ledger_follows_from_the_records, what_devices_reported_stands_in_the_series])
