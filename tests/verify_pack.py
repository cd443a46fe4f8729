#!/usr/bin/env python3
"""A second verifier of evidence packages, day statements and inclusion proofs. Written from docs/FORMATS-proof.md alone, in
Python's integers and standard library; shares nothing with the C code: SM3, SM2, Ed25519 are computed here, SHA-256 and
CRC-32 come from the library.

    verify_pack.py FILE [--key KEYID] [--roots FILE]        FILE: a package (.zip), a .day statement, an inclusion proof (.json)
exit 0: everything holds, 1: something does not, and the first byte that does not fit is named when it can be."""
import functools
import hashlib
import json
import re
import struct
import sys
import zlib

# ---- SM3 (GB/T 32905) ----
M32 = 0xFFFFFFFF


def rol(x, n):
    n %= 32
    return ((x << n) | (x >> (32 - n))) & M32 if n else x


SM3_T = [rol(0x79CC4519 if j < 16 else 0x7A879D8A, j) for j in range(64)]


@functools.lru_cache(4096)
def sm3(data: bytes) -> bytes:
    v = [0x7380166F, 0x4914B2B9, 0x172442D7, 0xDA8A0600, 0xA96F30BC, 0x163138AA, 0xE38DEE4D, 0xB0FB0E4E]
    data = data + b"\x80" + b"\0" * ((55 - len(data)) % 64) + struct.pack(">Q", 8 * len(data))
    for at in range(0, len(data), 64):
        w = list(struct.unpack_from(">16I", data, at))
        for j in range(16, 68):
            x = w[j - 16] ^ w[j - 9] ^ ((w[j - 3] << 15 | w[j - 3] >> 17) & M32)
            x ^= ((x << 15 | x >> 17) ^ (x << 23 | x >> 9)) & M32
            w.append((x ^ (w[j - 13] << 7 | w[j - 13] >> 25) ^ w[j - 6]) & M32)
        a, b, c, d, e, f, g, h = v
        for j in range(64):
            a12 = (a << 12 | a >> 20) & M32
            ss1 = (a12 + e + SM3_T[j]) & M32
            ss1 = (ss1 << 7 | ss1 >> 25) & M32
            if j < 16:
                ff, gg = a ^ b ^ c, e ^ f ^ g
            else:
                ff, gg = (a & b) | (a & c) | (b & c), (e & f) | (~e & g)
            tt1 = (ff + d + (ss1 ^ a12) + (w[j] ^ w[j + 4])) & M32
            tt2 = (gg + h + ss1 + w[j]) & M32
            a, b, c, d = tt1, a, (b << 9 | b >> 23) & M32, c
            e, f, g, h = (tt2 ^ (tt2 << 9 | tt2 >> 23) ^ (tt2 << 17 | tt2 >> 15)) & M32, e, (f << 19 | f >> 13) & M32, g
        v = [x ^ y for x, y in zip(v, (a, b, c, d, e, f, g, h))]
    return struct.pack(">8I", *v)


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


# ---- SM2 (GB/T 32918.2, curve of GB/T 32918.5) ----
SM2_P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
SM2_A = SM2_P - 3
SM2_B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
SM2_N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
SM2_G = (0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
         0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0)
SM2_ID = b"1234567812345678"


def sm2_add(p, q):
    if p is None or q is None:
        return q if p is None else p
    if p[0] == q[0]:
        if (p[1] + q[1]) % SM2_P == 0:
            return None
        k = (3 * p[0] * p[0] + SM2_A) * pow(2 * p[1], -1, SM2_P)
    else:
        k = (q[1] - p[1]) * pow(q[0] - p[0], -1, SM2_P)
    x = (k * k - p[0] - q[0]) % SM2_P
    return x, (k * (p[0] - x) - p[1]) % SM2_P


def sm2_mul(n, p):
    r = None
    while n:
        if n & 1:
            r = sm2_add(r, p)
        p, n = sm2_add(p, p), n >> 1
    return r


def sm2_digest(public: bytes, message: bytes) -> int:
    def b(x):
        return x.to_bytes(32, "big")

    z = sm3(struct.pack(">H", 8 * len(SM2_ID)) + SM2_ID + b(SM2_A) + b(SM2_B) + b(SM2_G[0]) + b(SM2_G[1]) + public[1:])
    return int.from_bytes(sm3(z + message), "big")


def der_pair(sig: bytes):
    """(r, s) of SEQUENCE { INTEGER, INTEGER } in its one shortest encoding; None otherwise."""
    def integer(at):
        if sig[at:at + 1] != b"\x02" or at + 2 > len(sig):
            return None
        n = sig[at + 1]
        v = sig[at + 2:at + 2 + n]
        if not 1 <= n <= 33 or len(v) != n or v[0] & 0x80 or (n > 1 and v[0] == 0 and not v[1] & 0x80):
            return None
        return int.from_bytes(v, "big"), at + 2 + n

    if len(sig) < 8 or sig[0] != 0x30 or sig[1] != len(sig) - 2 or sig[1] & 0x80:
        return None
    r = integer(2)
    s = integer(r[1]) if r else None
    return (r[0], s[0]) if s and s[1] == len(sig) else None


@functools.lru_cache(256)
def sm2_verify(public: bytes, message: bytes, sig: bytes) -> bool:
    pair = der_pair(sig)
    if len(public) != 65 or public[0] != 4 or not pair:
        return False
    p = int.from_bytes(public[1:33], "big"), int.from_bytes(public[33:], "big")
    r, s = pair
    if max(p) >= SM2_P or (p[1] ** 2 - p[0] ** 3 - SM2_A * p[0] - SM2_B) % SM2_P or not (0 < r < SM2_N and 0 < s < SM2_N):
        return False
    t = (r + s) % SM2_N
    if t == 0:
        return False
    q = sm2_add(sm2_mul(s, SM2_G), sm2_mul(t, p))
    return q is not None and (sm2_digest(public, message) + q[0]) % SM2_N == r


# ---- Ed25519 (RFC 8032) ----
ED_P = 2**255 - 19
ED_L = 2**252 + 27742317777372353535851937790883648493
ED_D = -121665 * pow(121666, -1, ED_P) % ED_P


def ed_add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % ED_P, (p[1] + p[0]) * (q[1] + q[0]) % ED_P
    c, d = 2 * p[3] * q[3] * ED_D % ED_P, 2 * p[2] * q[2] % ED_P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % ED_P, g * h % ED_P, f * g % ED_P, e * h % ED_P


def ed_mul(n, p):
    r = (0, 1, 1, 0)
    while n:
        if n & 1:
            r = ed_add(r, p)
        p, n = ed_add(p, p), n >> 1
    return r


def ed_point(b: bytes):
    y = int.from_bytes(b, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= ED_P:
        return None
    x2 = (y * y - 1) * pow(ED_D * y * y + 1, -1, ED_P) % ED_P
    x = pow(x2, (ED_P + 3) // 8, ED_P)
    if (x * x - x2) % ED_P:
        x = x * pow(2, (ED_P - 1) // 4, ED_P) % ED_P
    if (x * x - x2) % ED_P or (x == 0 and sign):
        return None
    x = ED_P - x if x & 1 != sign else x
    return x, y, 1, x * y % ED_P


ED_B = ed_point((4 * pow(5, -1, ED_P) % ED_P).to_bytes(32, "little"))


@functools.lru_cache(256)
def ed25519_verify(public: bytes, message: bytes, sig: bytes) -> bool:
    if len(public) != 32 or len(sig) != 64:
        return False
    a, r, s = ed_point(public), ed_point(sig[:32]), int.from_bytes(sig[32:], "little")
    if not a or not r or s >= ED_L:
        return False
    k = int.from_bytes(hashlib.sha512(sig[:32] + public + message).digest(), "little") % ED_L
    x, y = ed_mul(s, ED_B), ed_add(r, ed_mul(k, a))
    return (x[0] * y[2] - y[0] * x[2]) % ED_P == 0 and (x[1] * y[2] - y[1] * x[2]) % ED_P == 0


# ---- trees (section 2) ----
def leaf(h, data: bytes) -> bytes:
    return h(b"\0" + data)


def node(h, left: bytes, right: bytes) -> bytes:
    return h(b"\1" + left + right)


def root_of(h, level: list) -> bytes:
    if not level:
        return h(b"")
    while len(level) > 1:
        level = [node(h, *level[i:i + 2]) if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)]
    return level[0]


def inclusion_holds(h, r: bytes, index: int, count: int, path: list, root: bytes) -> bool:
    fn, sn = index, count - 1
    if not 0 <= index < count:
        return False
    for p in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = node(h, p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node(h, r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


# ---- records (section 1) ----
def journal_record(b: bytes):
    """Fields of the canonical bytes of a journal record; None when they are not in the form."""
    if len(b) < 42 or b[:4] != b"LTJ1":
        return None
    seq, at, ref, conn, flags, kind, reason, m, n = struct.unpack_from("<QqQIHBBHI", b, 4)
    if len(b) != 42 + m + n or m > 255 or n > 65536:
        return None
    return {"seq": seq, "at_ms": at, "ref": ref, "conn": conn, "flags": flags, "kind": kind, "reason": reason,
            "mn": b[42:42 + m], "bytes": b[42 + m:]}


def row_record(letter: str, values) -> bytes:
    out = b"LT" + letter.encode() + b"1"
    for v in values:
        if isinstance(v, int):
            out += struct.pack("<q", v)
        else:
            v = v.encode() if isinstance(v, str) else v
            out += struct.pack("<I", len(v)) + v
    return out


def chained(previous: bytes, values) -> bytes:
    """The hash of a row of audit or proof_removal."""
    out = previous
    for v in values:
        if isinstance(v, int):
            out += struct.pack(">q", v)
        else:
            v = v.encode() if isinstance(v, str) else v
            out += struct.pack(">Q", len(v)) + v
    return sha256(out)


# ---- keys and statements (sections 3, 4) ----


def is_hex(s) -> bool:
    return isinstance(s, str) and re.fullmatch("(?:[0-9a-f]{2})+", s) is not None


def unhex(s) -> bytes:
    if not is_hex(s):
        raise ValueError("not lower-case hex")
    return bytes.fromhex(s)


def strict_json(data: bytes):
    """UTF-8 and nothing else; no name twice, no NaN, no U+0000."""
    def once(pairs):
        if len(dict(pairs)) != len(pairs):
            raise ValueError("a name stands twice")
        return dict(pairs)

    def never(name):
        raise ValueError(name)

    if b"\\u0000" in data:
        raise ValueError("U+0000")
    return json.loads(data.decode("utf-8"), object_pairs_hook=once, parse_constant=never)


def key_id(ed: bytes, sm: bytes) -> str:
    return sha256(ed + sm)[:16].hex()


STREAMS = ("journal", "audit", "verdict", "removal")
SIMPLE = (("key", r"[0-9a-f]{32}"), ("ed25519", r"[0-9a-f]{64}"), ("sm2", r"04[0-9a-f]{128}"), ("n", r"[1-9]\d*"),
          ("day", r"\d{8}"), ("part", r"[1-9]\d*"), ("final", r"yes|no"), ("tz_min", r"0|-?[1-9]\d*"),
          ("sealed_at_ms", r"0|[1-9]\d*"), ("previous", r"[0-9a-f]{64}"))


def parse_statement(data: bytes):
    """A dict, or a text that says what is not in the form."""
    try:
        lines = data.decode("ascii").split("\n")
    except UnicodeDecodeError as e:
        return f"not text at byte {e.start}"
    if len(lines) != 18 or lines[-1] != "" or lines[0] != "LANTIAN-DAY 1":
        return "not a statement of 17 lines"
    s = {"streams": {}}
    for line, (name, form) in zip(lines[1:11], SIMPLE):
        m = re.fullmatch(f"{name} ({form})", line)
        if not m:
            return f"line '{line[:40]}' is not '{name} …'"
        s[name] = int(m[1]) if name in ("n", "part", "tz_min", "sealed_at_ms") else m[1]
    for line, name in zip(lines[11:15], STREAMS):
        m = re.fullmatch(rf"stream {name} (\d+) (\d+) (\d+) ([0-9a-f]{{64}}) ([0-9a-f]{{64}}) ([0-9a-f]{{64}})", line)
        if not m or any(str(int(x)) != x or int(x) >= 1 << 64 for x in m.groups()[:3]):
            return f"line '{line[:40]}' is not 'stream {name} …'"
        first, last, count = (int(x) for x in m.groups()[:3])
        s["streams"][name] = {"first": first, "last": last, "count": count, "sha256": m[4], "sm3": m[5], "hash": m[6]}
    for line, name in zip(lines[15:17], ("ed25519", "sm2")):
        m = re.fullmatch(rf"sig {name} ((?:[0-9a-f]{{2}})+)", line)
        if not m:
            return f"line '{line[:40]}' is not 'sig {name} …'"
        s["sig_" + name] = bytes.fromhex(m[1])
    if s["n"] >= 1 << 64 or s["part"] > 1000000 or abs(s["tz_min"]) > 1440 or s["sealed_at_ms"] >= 1 << 63:
        return "a number is out of its range"
    s["signed"] = data[:data.index(b"\nsig ") + 1]
    return s


def statement_faults(data: bytes):
    """(statement, list of what does not hold)."""
    s = parse_statement(data)
    if isinstance(s, str):
        return None, [s]
    bad, ed, sm = [], bytes.fromhex(s["ed25519"]), bytes.fromhex(s["sm2"])
    if key_id(ed, sm) != s["key"]:
        bad.append("key id is not that of the keys")
    if not ed25519_verify(ed, s["signed"], s["sig_ed25519"]):
        bad.append("Ed25519 signature")
    if not sm2_verify(sm, s["signed"], s["sig_sm2"]):
        bad.append("SM2 signature")
    for name, t in s["streams"].items():
        if t["count"] == 0 and (t["first"] or t["last"] or t["sha256"] != sha256(b"").hex() or t["sm3"] != sm3(b"").hex()
                                or t["hash"] != "0" * 64):
            bad.append(f"stream {name}: empty, yet something is said of it")
        if t["count"] and (not 1 <= t["first"] <= t["last"] or t["last"] - t["first"] + 1 < t["count"]
                           or (name == "journal" and t["last"] - t["first"] + 1 != t["count"])):
            bad.append(f"stream {name}: first, last and count do not agree")
    return s, bad


def publication_line(s) -> str:
    return (f"LANTIAN {s['key']} n={s['n']} day={s['day']} part={s['part']} sha256={sha256(s['signed']).hex()} "
            f"sm3={sm3(s['signed']).hex()}")


def lines_of(roots: str) -> list:
    return [line.removesuffix("\r") for line in roots.split("\n")]


def chain_faults(files: list, roots: str = ""):
    """Statements in order of n: each for itself, the chain, and the published lines if there are any."""
    bad, previous, last = [], None, {}
    published = set(lines_of(roots)) if roots else None
    for n, data in enumerate(files, 1):
        s, faults = statement_faults(data)
        bad += [f"{n}: {f}" for f in faults]
        if not s:
            previous = None
            continue
        if s["n"] != n:
            bad.append(f"{n}: numbered {s['n']}")
        if n == 1 and s["previous"] != "0" * 64:
            bad.append("1: previous is not zero")
        if previous:
            if s["previous"] != sha256(previous["signed"]).hex():
                bad.append(f"{n}: previous is not the statement before")
            if s["sealed_at_ms"] < previous["sealed_at_ms"]:
                bad.append(f"{n}: sealed before the statement before it")
            if (s["key"], s["ed25519"], s["sm2"]) != (previous["key"], previous["ed25519"], previous["sm2"]):
                bad.append(f"{n}: another key")
            if s["day"] < previous["day"] or (s["day"] == previous["day"] and (previous["final"] == "yes" or s["part"] != previous["part"] + 1)):
                bad.append(f"{n}: day and part do not go on")
        for name, t in s["streams"].items():
            if t["count"] and t["first"] <= last.get(name, -1):
                bad.append(f"{n}: stream {name} goes back")
            if t["count"] and name == "journal" and name in last and t["first"] != last[name] + 1:
                bad.append(f"{n}: records are missing from stream {name}")
            last[name] = t["last"] if t["count"] else last.get(name, -1)
        if published is not None and publication_line(s) not in published:
            bad.append(f"{n}: not the line that was published")
        previous = s
    return bad


# ---- inclusion proof (section 6) ----
def proof_faults(p: dict):
    if p.get("format") != "lantian-inclusion" or p.get("version") != 1 or not is_hex(p.get("record")):
        return ["form"]
    bad, record = [], bytes.fromhex(p["record"])
    s, faults = statement_faults(p["statement"].encode())
    bad += ["statement: " + f for f in faults]
    t = s["streams"].get(p["stream"]) if s else None
    if not t:
        return bad + ["stream"]
    for name, h in (("sha256", sha256), ("sm3", sm3)):
        q = p[name]
        if leaf(h, record).hex() != q["leaf"]:
            bad.append(f"{name}: leaf is not that of the record")
        if q["root"] != t[name]:
            bad.append(f"{name}: root is not that of the statement")
        if not inclusion_holds(h, unhex(q["leaf"]), p["index"], p["count"], [unhex(x) for x in q["path"]], unhex(q["root"])):
            bad.append(f"{name}: path does not lead to the root")
    if p["count"] != t["count"]:
        bad.append("count is not that of the statement")
    first = struct.unpack_from("<q", record, 4)[0] if len(record) >= 12 else None
    letter = {"journal": b"LTJ1", "audit": b"LTA1", "verdict": b"LTV1", "removal": b"LTR1"}[p["stream"]]
    if record[:4] != letter or first != p["seq"]:
        bad.append("record is not the one named")
    if p["stream"] == "journal" and (t["first"] + p["index"] != p["seq"] or not journal_record(record)):
        bad.append("number does not fit its place")
    return bad


# ---- tree file (section 5) ----
def tree_file_faults(data: bytes, s: dict):
    if data[:8] != b"LTTREE1\0" or struct.unpack_from("<II", data, 8) != (10, 4):
        return ["head"]
    bad, end = [], 16 + 4 * 48
    for i, name in enumerate(STREAMS):
        n, first, count, nodes, offset = struct.unpack_from("<16sQQQQ", data, 16 + 48 * i)
        t = s["streams"][name]
        levels, width = [], count
        for _ in range(10):
            width = (width + 1) // 2
        while count:
            levels.append(width)
            if width == 1:
                break
            width = (width + 1) // 2
        if (n.rstrip(b"\0").decode() != name or count != t["count"] or first != t["first"] or nodes != sum(levels)
                or (nodes and offset != end)):
            bad.append(f"section {name}")
            continue
        at = offset
        for lv, width in enumerate(levels):
            for k, (hname, h) in enumerate((("sha256", sha256), ("sm3", sm3))):
                def get(j, base=at, side=k):
                    return data[base + 64 * j + 32 * side:base + 64 * j + 32 * side + 32]

                if width == 1 and get(0).hex() != t[hname]:
                    bad.append(f"{name}: {hname} root")
                if lv + 1 < len(levels):
                    up = at + 64 * width
                    for j in range(levels[lv + 1]):
                        want = node(h, get(2 * j), get(2 * j + 1)) if 2 * j + 1 < width else get(2 * j)
                        if data[up + 64 * j + 32 * k:up + 64 * j + 32 * k + 32] != want:
                            bad.append(f"{name}: level {10 + lv + 1} node {j} {hname}")
            at += 64 * width
        end = at if nodes else end
    return bad + (["length"] if len(data) != end else [])


# ---- packages (section 7) ----
LOCAL, CENTRAL, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"
HEAD = struct.pack("<HHHHH", 20, 0x0800, 0, 0, 0x0021)


def build(entries) -> bytes:
    out, directory = [], []
    at = 0
    for name, content in entries:
        n = name.encode("latin-1")
        sizes = struct.pack("<III", zlib.crc32(content), len(content), len(content))
        out.append(LOCAL + HEAD + sizes + struct.pack("<HH", len(n), 0) + n + content)
        directory.append(CENTRAL + struct.pack("<H", 20) + HEAD + sizes + struct.pack("<HHHHHII", len(n), 0, 0, 0, 0, 0, at) + n)
        at += len(out[-1])
    d = b"".join(directory)
    return b"".join(out) + d + END + struct.pack("<HHHHIIH", 0, 0, len(entries), len(entries), len(d), at, 0)


def read_front(data: bytes):
    """[(name, content, offset of content, stored CRC)] by local headers; None when they do not lead to the directory."""
    at, out = 0, []
    while data[at:at + 4] == LOCAL:
        if at + 30 > len(data):
            return None
        crc, size, size2, n, extra = struct.unpack_from("<IIIHH", data, at + 14)
        begin = at + 30 + n + extra
        if size != size2 or begin + size > len(data):
            return None
        out.append((data[at + 30:at + 30 + n].decode("latin-1"), data[begin:begin + size], begin, crc))
        at = begin + size
    return out if out and data[at:at + 4] == CENTRAL else None


def read_directory(data: bytes):
    if len(data) < 22:
        return None
    n, size, at = struct.unpack_from("<HII", data, len(data) - 12)
    out, end = [], at + size
    for _ in range(n):
        if at + 46 > len(data):
            return None
        crc, size, _, ln, extra, comment, _, _, _, local = struct.unpack_from("<IIIHHHHHII", data, at + 16)
        name = data[at + 46:at + 46 + ln]
        begin = local + 30 + ln
        if begin + size > len(data):
            return None
        out.append((name.decode("latin-1"), data[begin:begin + size], begin, crc))
        at += 46 + ln + extra + comment
    return out if out and at == end else None


def one_byte(content: bytes, crc: int):
    """Every way to alter one byte so that the CRC-32 becomes the stored one: (position, what the byte was)."""
    table = []
    for i in range(256):
        c = i
        for _ in range(8):
            c = c >> 1 ^ (0xEDB88320 if c & 1 else 0)
        table.append(c)
    top = {t >> 24: i for i, t in enumerate(table)}
    value = {t: i for i, t in enumerate(table)}
    x = zlib.crc32(content) ^ crc
    for at in range(len(content) - 1, -1, -1):
        if x in value and value[x]:
            yield at, content[at] ^ value[x]
        i = top[x >> 24]
        x = (x ^ table[i]) << 8 & M32 | i


def blocks_of(content: bytes):
    return [leaf(sha256, content[i:i + 256]) for i in range(0, len(content), 256)]


class Report:
    def __init__(self):
        self.checks, self.first_bad = [], None

    def say(self, check, ok, text=""):
        self.checks.append((check, bool(ok), text))

    def bad(self, offset, is_, was, text):
        if self.first_bad is None or offset < self.first_bad["offset"]:
            self.first_bad = {"offset": offset, "is": is_, "was": was, "text": text}

    def failed(self):
        return [c for c, ok, _ in self.checks if not ok]

    @property
    def ok(self):
        return bool(self.checks) and not self.failed()


def name_ok(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9._/-]{1,100}", name) is not None and all(p not in ("", ".", "..") for p in name.split("/"))


def signatures_hold(manifest: bytes, ed: bytes, sm: bytes):
    """The two signature entries over the manifest, with the keys the manifest names: (ed ok, sm ok)."""
    try:
        keys = strict_json(manifest)["keys"]
        ked, ksm = unhex(keys["ed25519"]), unhex(keys["sm2"])
    except (ValueError, KeyError, TypeError):
        return False, False

    def sig(b):
        m = re.fullmatch(rb"((?:[0-9a-f]{2})+)\n", b)
        return bytes.fromhex(m[1].decode()) if m else b""

    return ed25519_verify(ked, manifest, sig(ed)), sm2_verify(ksm, manifest, sig(sm))


def repair_signed(r: Report, entries: dict):
    """Manifest or a signature that does not fit: is it one altered byte?"""
    names = ("manifest.json", "signature.ed25519", "signature.sm2")
    for name in names:
        if name not in entries:
            continue
        content, at, crc = entries[name]
        if zlib.crc32(content) == crc:
            continue
        for pos, was in one_byte(content, crc):
            fixed = content[:pos] + bytes([was]) + content[pos + 1:]
            trio = [fixed if n == name else entries.get(n, (b"", 0, 0))[0] for n in names]
            ed, sm = signatures_hold(*trio)
            if (ed and sm) or (name == names[1] and ed) or (name == names[2] and sm):
                r.bad(at + pos, content[pos], was, f"{name} byte {pos}")
                return trio
        r.bad(at, None, None, f"{name}: more than one byte")
    return None


def compare(r: Report, data: bytes, entries):
    """The file built anew must be the file."""
    want = build(entries)
    same, n, step = data == want, 0, 1 << 24
    while not same and step:  # the longest common beginning
        while n + step <= min(len(data), len(want)) and data[n:n + step] == want[n:n + step]:
            n += step
        step >>= 1
    if not same:
        r.bad(n, data[n] if n < len(data) else None, want[n] if n < len(want) else None,
              "cut short" if n == len(data) else "more than the package" if n == len(want) else "structure")
    return same


def check_content(r: Report, name, content, at, crc, want, leaves):
    """Size, both hashes and the block root of one entry; finds the place. Returns the contents as they were, or None."""
    fits = (want["size"] == len(content) and want["sha256"] == sha256(content).hex() and want["sm3"] == sm3(content).hex()
            and (want["blocks"] is None if name == "blocks.bin" else want["blocks"] == root_of(sha256, blocks_of(content)).hex()))
    if fits:
        return content
    if zlib.crc32(content) != crc:
        for pos, was in one_byte(content, crc):
            fixed = content[:pos] + bytes([was]) + content[pos + 1:]
            if sha256(fixed).hex() == want["sha256"]:
                r.bad(at + pos, content[pos], was, f"{name} byte {pos}")
                return fixed
    own = blocks_of(content)
    i = next((k for k, (x, y) in enumerate(zip(own, leaves)) if x != y), min(len(own), len(leaves))) if leaves else 0
    r.bad(at + 256 * i, None, None, f"{name} block {i}")
    return None


def check_frames(entries: dict):
    if "frames.bin" not in entries and "decoded.jsonl" not in entries:
        return ""
    b, at, seqs = entries.get("frames.bin", (b"",))[0], 0, []
    while at < len(b):
        n = struct.unpack_from("<I", b, at)[0] if at + 4 <= len(b) else len(b)
        rec = journal_record(b[at + 4:at + 4 + n]) if at + 4 + n <= len(b) else None
        if not rec:
            return f"frames.bin byte {at}: not a record"
        seqs.append(rec["seq"])
        at += 4 + n
    if any(x >= y for x, y in zip([0] + seqs, seqs)):
        return "frames.bin: not ascending"
    lines = entries.get("decoded.jsonl", (b"",))[0].split(b"\n")
    fits = len(lines) == len(seqs) + 1 and lines[-1] == b"" and "frames.bin" in entries and "decoded.jsonl" in entries
    fits = fits and all(re.match(rb'\{"seq":%d[,}]' % n, line) for n, line in zip(seqs, lines))
    return "" if fits else "decoded.jsonl and frames.bin do not agree"


def verify_package(data: bytes, key: str = "", roots: str = "") -> Report:
    r = Report()
    readings = [x for x in (read_front(data), read_directory(data)) if x and len(x) <= 128 and len(data) <= 256 << 20]
    r.say("read", readings, "" if readings else "neither from the front nor by the directory")
    if not readings:
        r.bad(0 if data[:4] != LOCAL else len(data), None, None, "not a package, or cut short")
        return r
    # of two readings, the one that makes the file: a damaged name or length stands in one of them only
    def misfits(reading):
        want, names = build([(n, c) for n, c, _, _ in reading]), [x[0] for x in reading]
        try:
            listed = [e["name"] for e in strict_json(reading[0][1])["entries"]]
        except (ValueError, KeyError, TypeError):
            listed = None
        return (len(want) != len(data), names != ["manifest.json", "signature.ed25519", "signature.sm2"] + (listed or []),
                sum(a != b for a, b in zip(data, want)))

    reading = readings[0] if len(readings) == 1 or readings[0] == readings[1] else min(readings, key=misfits)
    entries = {n: (c, at, crc) for n, c, at, crc in reading}
    names = [x[0] for x in reading]
    empty = (b"", 0, 0)
    trio = [entries.get(n, empty)[0] for n in ("manifest.json", "signature.ed25519", "signature.sm2")]
    ed, sm = signatures_hold(*trio)
    r.say("signature_ed25519", ed)
    r.say("signature_sm2", sm)
    if not (ed and sm):
        trio = repair_signed(r, entries) or trio
    try:
        m = strict_json(trio[0])
        listed = [e["name"] for e in m["entries"]]
        if len(trio[0]) > 256 << 10 or not all(type(m[k]) is t for k, t in (("name", str), ("type", str), ("sealed_at_ms", int),
                                                                            ("subject", dict), ("version", int))):
            raise ValueError("not a manifest")
        if not (m["statement"] is None or type(m["statement"]) is str):
            raise ValueError("statement")
        if not all(type(e["size"]) is int and 0 <= e["size"] <= len(data) and "blocks" in e for e in m["entries"]):
            raise ValueError("not a list of entries")
        good_key = (m["format"] == "lantian-evidence" and m["version"] == 1
                    and key_id(unhex(m["keys"]["ed25519"]), unhex(m["keys"]["sm2"])) == m["key"])
    except (ValueError, KeyError, TypeError) as e:
        r.say("key", False, f"manifest.json: {e}")
        compare(r, data, [(n, c) for n, c, _, _ in reading]) if not r.first_bad else None
        return r
    r.say("key", good_key and (not key or key == m["key"]), "" if not key or key == m["key"] else "not the known key")
    order = ["manifest.json", "signature.ed25519", "signature.sm2"] + listed
    r.say("entries", names == order and listed == sorted(listed) and len(set(names)) == len(names) and all(map(name_ok, names))
          and trio[0].endswith(b"}\n"), "" if names == order else "not the list of the manifest")
    leaves, lb = {}, entries.get("blocks.bin", empty)[0]
    hashes, fixed, at = True, dict(zip(order[:3], trio)), 0
    for e in m["entries"]:
        n = -(-e["size"] // 256) if e["name"] != "blocks.bin" else 0
        leaves[e["name"]] = [lb[at + 32 * k:at + 32 * k + 32] for k in range(n)]
        at += 32 * n
    for e in m["entries"]:
        if e["name"] not in entries:
            hashes = False
            continue
        content, where, crc = entries[e["name"]]
        was = check_content(r, e["name"], content, where, crc, e, leaves[e["name"]])
        hashes = hashes and was == content
        fixed[e["name"]] = content if was is None else was
    r.say("hashes", hashes)
    r.say("blocks", "blocks.bin" in entries and b"".join(b"".join(blocks_of(entries[e["name"]][0])) for e in m["entries"] if e["name"] in entries
                             and e["name"] != "blocks.bin") == lb)
    text = check_frames(entries)
    r.say("frames", not text, text)
    if "statement.day" in entries or m["statement"] is not None:
        s, faults = statement_faults(entries.get("statement.day", empty)[0])
        if s and (s["key"] != m["key"] or sha256(s["signed"]).hex() != m["statement"]):
            faults.append("not the statement the manifest names")
        if s and roots and publication_line(s) not in lines_of(roots):
            faults.append("not among the published lines")
        r.say("statement", not faults, "; ".join(faults))
    elif roots:
        r.say("published", any(line.startswith(f"LANTIAN {m['key']} ") for line in lines_of(roots)), "")
    r.say("bytes", compare(Report(), data, [(n, entries[n][0]) for n in names]))
    if set(order) <= set(fixed) and (r.first_bad is None or r.first_bad["was"] is not None):
        # with the altered byte undone (if there was one) the rest must fit too; the first place counts
        compare(r, data, [(n, fixed[n]) for n in order])
    return r


def main() -> int:
    args, key, roots = sys.argv[1:], "", ""
    if "--key" in args:
        i = args.index("--key")
        key = args[i + 1]
        del args[i:i + 2]
    if "--roots" in args:
        i = args.index("--roots")
        with open(args[i + 1], encoding="utf-8") as f:
            roots = f.read()
        del args[i:i + 2]
    if len(args) != 1:
        print(__doc__)
        return 2
    with open(args[0], "rb") as f:
        data = f.read()
    if data[:12] == b"LANTIAN-DAY ":
        bad = statement_faults(data)[1]
        print("\n".join(bad) if bad else "the statement holds")
        return 1 if bad else 0
    if data[:1] == b"{":
        bad = proof_faults(strict_json(data))
        print("\n".join(bad) if bad else "the record is included")
        return 1 if bad else 0
    r = verify_package(data, key, roots)
    for check, ok, text in r.checks:
        print(f"{'ok' if ok else 'WRONG':5} {check} {text}")
    if r.first_bad:
        print(f"first byte that does not fit: {r.first_bad}")
    return 0 if r.ok else 1


if __name__ == "__main__":
    sys.exit(main())
