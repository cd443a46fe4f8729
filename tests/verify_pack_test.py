#!/usr/bin/env python3
"""The second verifier (tests/verify_pack.py, written from docs/FORMATS-proof.md alone) on what a running post makes: known
answers, evidence packages, day statements, trees, inclusion proofs, and the same flips as `lantian verify` finds."""
import datetime
import glob
import hashlib
import json
import os
import random
import re
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(__file__))
import verify_pack as v
from post import LONG, Post, cli, frame, read_answers, run_tests

PASSWORD = "Blauer-Himmel-2026"
TZ = datetime.timezone(datetime.timedelta(hours=8))
TMP = tempfile.TemporaryDirectory(prefix="lantian-pack-")
T = {}


def put(name, data):
    path = os.path.join(TMP.name, name)
    with open(path, "wb") as f:
        f.write(data)
    return path


def openssl(*args, stdin=b""):
    return subprocess.run(["openssl", *args], input=stdin, capture_output=True, check=True).stdout


# ---- known answers ----
def known_answers():
    """SHA-256: FIPS 180-4 examples. SM3: GB/T 32905-2016 Annex A. SM2: GB/T 32918.5-2017 Annex A. Ed25519: RFC 8032, 7.1.
    SM4: GB/T 32907-2016 Annex A, by OpenSSL."""
    assert v.sha256(b"abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert v.sm3(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert v.sm3(b"abcd" * 16).hex() == "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"
    public = bytes.fromhex("0409f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
                           "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13")
    sig = der(0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3,
              0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA)
    assert v.sm2_verify(public, b"message digest", sig)
    assert not v.sm2_verify(public, b"message digesu", sig)
    assert not v.sm2_verify(public, b"message digest", sig[:-1] + bytes([sig[-1] ^ 1]))
    for pub, msg, s in (
            ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
             "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe2465"
             "5141438e7a100b"),
            ("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
             "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb0"
             "0d291612bb0c00"),
            ("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
             "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc0"
             "27beceea1ec40a")):
        p, m, s = bytes.fromhex(pub), bytes.fromhex(msg), bytes.fromhex(s)
        assert v.ed25519_verify(p, m, s) and not v.ed25519_verify(p, m + b"x", s)
        assert not v.ed25519_verify(p, m, s[:32] + (int.from_bytes(s[32:], "little") + v.ED_L).to_bytes(32, "little"))
    block = bytes.fromhex("0123456789abcdeffedcba9876543210")
    out = openssl("enc", "-sm4-ecb", "-nopad", "-K", block.hex(), stdin=block)
    assert out.hex() == "681edf34d206965e86b3e94f536e4246"


def der(r, s):
    def integer(x):
        b = x.to_bytes(33, "big").lstrip(b"\0") or b"\0"
        b = b"\0" + b if b[0] & 0x80 else b
        return b"\2" + bytes([len(b)]) + b

    body = integer(r) + integer(s)
    return b"\x30" + bytes([len(body)]) + body


def crossed_with_openssl():
    """Random messages: hashes equal, signatures of OpenSSL hold here, and do not after a changed bit."""
    r = random.Random(5)
    for n in (0, 1, 55, 56, 63, 64, 65, 119, 120, 1000):
        m = r.randbytes(n)
        assert v.sm3(m).hex() == openssl("dgst", "-sm3", "-r", stdin=m).split()[0].decode(), n
    for algo, verify in (("ed25519", v.ed25519_verify), ("sm2", v.sm2_verify)):
        pem = put("k.pem", openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2") if algo == "sm2"
                  else openssl("genpkey", "-algorithm", "ed25519"))
        spki = openssl("pkey", "-in", pem, "-pubout", "-outform", "DER")
        public = spki[-65:] if algo == "sm2" else spki[-32:]
        for n in (1, 100, 3000):
            m = r.randbytes(n)
            more = ["-digest", "sm3", "-pkeyopt", "distid:1234567812345678"] if algo == "sm2" else []
            sig = openssl("pkeyutl", "-sign", "-inkey", pem, "-rawin", "-in", put("m", m), *more)
            assert verify(public, m, sig), (algo, n)
            i = r.randrange(len(sig))
            assert not verify(public, m, sig[:i] + bytes([sig[i] ^ 1 << r.randrange(8)]) + sig[i + 1:]), (algo, n, i)
            assert not verify(public, m[:-1] + bytes([m[-1] ^ 1]), sig)


def trees():
    """Inclusion of every leaf of trees up to 70 leaves, paths made here by the definition of section 2 (halving at the greatest
    power of two), roots by joining from below: the two ways to say it are one."""
    def mth(h, d):
        if len(d) < 2:
            return d[0] if d else h(b"")
        k = 1 << (len(d) - 1).bit_length() - 1
        return v.node(h, mth(h, d[:k]), mth(h, d[k:]))

    def path(h, i, d):
        if len(d) < 2:
            return []
        k = 1 << (len(d) - 1).bit_length() - 1
        return path(h, i, d[:k]) + [mth(h, d[k:])] if i < k else path(h, i - k, d[k:]) + [mth(h, d[:k])]

    for n in list(range(0, 20)) + [31, 32, 33, 70]:
        d = [v.leaf(v.sha256, bytes([i])) for i in range(n)]
        root = v.root_of(v.sha256, d)
        assert root == mth(v.sha256, d)
        for i in range(n):
            p = path(v.sha256, i, d)
            assert v.inclusion_holds(v.sha256, d[i], i, n, p, root)
            assert not v.inclusion_holds(v.sha256, d[i], i, n, p + [root], root)
            assert n == 1 or not v.inclusion_holds(v.sha256, d[i], (i + 1) % n, n, p, root)
            assert not v.inclusion_holds(v.sha256, d[i], i, n, p[1:], root) or not p


# ---- what a post makes ----
class Session:
    def __init__(self, post, login, password):
        _, headers, body = post.request("POST", "/api/v1/session", {"login": login, "password": password}, raw=True)
        self.post = post
        self.headers = {"Cookie": headers["Set-Cookie"].split(";")[0], "X-CSRF-Token": json.loads(body)["csrf"]}

    def must(self, method, path, body=None, raw=False):
        status, headers, data = self.post.request(method, "/api/v1/" + path, body, self.headers, raw=True)
        assert status in (200, 201), (method, path, status, data[:500])
        return data if raw else json.loads(data)


def of_disk(name):
    (path,) = glob.glob(os.path.join(T["post"].data, "evidence", "*", "*", name + ".zip"))
    with open(path, "rb") as f:
        return f.read()


def a_post_seals():
    """An exceedance: its package is there within seconds. Then the day is sealed on demand, twice."""
    post = T["post"] = Post().start()
    once = re.search(r"password[^:]*: (\S+)", "".join(post.out)).group(1)
    Session(post, "admin", once).must("PUT", "session/password", {"old": once, "new": PASSWORD})
    a = T["admin"] = Session(post, "admin", PASSWORD)
    top = a.must("POST", "territory", {"code": "410300", "name": "洛阳市", "level": "city"})["id"]
    plant = a.must("POST", "enterprise", {"code": "91410100MA44000015", "name": "恒川钢铁", "industry": "steel", "territory": top})["id"]
    outlet = a.must("POST", "outlet", {"code": "DA001", "name": "烧结", "enterprise": plant, "convert": False})["id"]
    a.must("POST", "device", {"mn": "88888880000001", "name": "设备", "outlet": outlet, "status": "active", "pw": "123456"})
    a.must("POST", "factor_limit", {"outlet": outlet, "factor": "a21026", "limit_value": 35, "basis": "measured",
                                    "valid_from": "2020-01-01"})
    now = datetime.datetime.now(TZ)
    hour = now.replace(minute=0, second=0, microsecond=0) - datetime.timedelta(hours=1)
    with post.connect() as s:
        for i in range(30):
            qn = (now - datetime.timedelta(seconds=60 - i)).strftime("%Y%m%d%H%M%S000")
            s.sendall(frame("88888880000001", qn, f"DataTime={qn[:14]};a21026-Rtd=58.{i},a21026-Flag=N"))
        assert len(read_answers(s, 30)) == 30
        qn = now.strftime("%Y%m%d%H%M%S001")
        s.sendall(frame("88888880000001", qn, f"DataTime={hour:%Y%m%d%H%M%S};a21026-Min=50.1,a21026-Avg=58.3,a21026-Max=66.0,a21026-Flag=N",
                        cn=2061))
        assert len(read_answers(s, 1)) == 1
    end = time.monotonic() + 30
    while not a.must("GET", "evidence")["items"] and time.monotonic() < end:
        time.sleep(0.2)
    items = a.must("GET", "evidence?sort=id")["items"]
    assert items, post.tail()
    T["item"] = items[0]
    T["pack"] = of_disk(items[0]["name"])
    T["path"] = put("pack.zip", T["pack"])
    with open(os.path.join(post.data, "keys", "public.txt"), encoding="ascii") as f:
        T["public"] = f.read()
    T["key"] = re.search(r"^key ([0-9a-f]{32})$", T["public"], re.M)[1]
    T["public_path"] = put("public.txt", T["public"].encode())
    assert hashlib.sha256(T["pack"]).hexdigest() == items[0]["sha256"] and v.sm3(T["pack"]).hex() == items[0]["sm3"]


def the_package_holds():
    for key in ("", T["key"]):
        r = v.verify_package(T["pack"], key)
        assert r.ok and r.first_bad is None, (r.checks, r.first_bad)
    cli("verify", T["path"], "--key", T["public_path"], check=0)
    assert v.verify_package(T["pack"], "0" * 32).failed() == ["key"]
    names = [n for n, _, _, _ in v.read_front(T["pack"])]
    assert names[:3] == ["manifest.json", "signature.ed25519", "signature.sm2"]
    for n in ("alarm.json", "blocks.bin", "cover.html", "cover.pdf", "custody.jsonl", "decoded.jsonl", "frames.bin", "ledger.json"):
        assert n in names, names
    content = {n: c for n, c, _, _ in v.read_front(T["pack"])}
    b, at, frames = content["frames.bin"], 0, []
    while at < len(b):
        n = struct.unpack_from("<I", b, at)[0]
        frames.append(v.journal_record(b[at + 4:at + 4 + n]))
        at += 4 + n
    assert sum(f["kind"] == 1 and f["mn"] == b"88888880000001" for f in frames) >= 31, len(frames)
    assert any(b"a21026-Avg=58.3" in f["bytes"] for f in frames)
    m = json.loads(content["manifest.json"])
    assert [e["name"] for e in m["entries"]] == names[3:] and m["key"] == T["key"]


def told(path, *more):
    """Exit status of `lantian verify` and the byte it names, if it does."""
    r = cli("verify", path, "--lang", "en", *more)
    text = (r.stdout + r.stderr).decode(errors="replace")
    m = re.search(r"(?:byte|offset)\D{0,20}(\d+)", text)
    return r.returncode, int(m[1]) if m else None, text


def places(data, n, r):
    """Random places, and some of each kind of place: headers, names, manifest, signatures, contents, directory, end."""
    out = {0, 10, 14, 18, 22, 26, 28, 30, len(data) - 1, len(data) - 3, len(data) - 12, len(data) - 22}
    for name, content, at, _ in v.read_front(data):
        out |= {at - len(name) - 30 + r.randrange(30), at - 1 - r.randrange(len(name)), at, at + max(0, len(content) - 1)}
    d = v.read_front(data)[-1]
    out |= {r.randrange(d[2] + len(d[1]), len(data)) for _ in range(20)}
    while len(out) < 2 * n:
        out.add(r.randrange(len(data)))
    return sorted(r.sample(sorted(out), n))


def the_same_flips():
    """A flipped bit: both verifiers find it, both name exactly that byte and what it was."""
    data, r = T["pack"], random.Random(20261125)
    for i in places(data, 1000 if LONG else 60, r):
        b = bytearray(data)
        b[i] ^= 1 << r.randrange(8)
        mine = v.verify_package(bytes(b), T["key"])
        assert not mine.ok, i
        assert mine.first_bad and mine.first_bad["offset"] == i, (i, mine.first_bad, mine.failed())
        assert mine.first_bad["was"] in (data[i], None) and mine.first_bad["is"] in (b[i], None), (i, mine.first_bad)
        status, at, text = told(put("flip.zip", bytes(b)))
        assert status == 1 and at == i, (i, at, text, mine.first_bad)


def cut_longer_swapped_removed():
    data, r = T["pack"], random.Random(3)
    entries = [(n, c) for n, c, _, _ in v.read_front(data)]
    assert v.build(entries) == data
    bad = {"cut": data[:-1], "half": data[: len(data) // 2], "longer": data + b"\0", "before": b"\0" + data,
           "swapped": v.build(entries[:4] + [entries[5], entries[4]] + entries[6:]), "removed": v.build(entries[:5] + entries[6:]),
           "added": v.build(sorted(entries[3:] + [("zz.txt", b"x")])), "twice": v.build(entries + [entries[-1]]),
           "empty": b"", "renamed": v.build(entries[:-1] + [("zzz", entries[-1][1])]),
           "changed": v.build([(n, c.replace(b"58.3", b"28.3") if n == "decoded.jsonl" else c) for n, c in entries])}
    for name, b in bad.items():
        assert not v.verify_package(b).ok, name
        assert told(put("bad.zip", b))[0] == 1, name
    two = bytearray(data)
    two[len(data) // 3] ^= 1
    two[len(data) // 2] ^= 64
    assert not v.verify_package(bytes(two)).ok and told(put("bad.zip", bytes(two)))[0] == 1
    for _ in range(6):  # any piece of 50 bytes overwritten
        i, b = r.randrange(len(data) - 50), bytearray(data)
        b[i:i + 50] = r.randbytes(50)
        assert not v.verify_package(bytes(b)).ok and told(put("bad.zip", bytes(b)))[0] == 1, i


def forge(change=lambda entries: entries, twist=lambda m: None, finish=lambda text: text):
    """The package under keys of our own: other entries, another manifest, other bytes of it; hashed and signed anew."""
    if "forger" not in T:
        ed = put("e.pem", openssl("genpkey", "-algorithm", "ed25519"))
        sm = put("s.pem", openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2"))
        T["forger"] = ed, sm, *(openssl("pkey", "-in", k, "-pubout", "-outform", "DER")[-n:] for k, n in ((ed, 32), (sm, 65)))
    ed, sm, pe, ps = T["forger"]
    first, _, _, *entries = [(n, c) for n, c, _, _ in v.read_front(T["pack"]) if n != "statement.day"]
    entries = change(entries)
    leaves = b"".join(b"".join(v.blocks_of(c)) for n, c in entries if n != "blocks.bin")
    entries = [(n, leaves if n == "blocks.bin" else c) for n, c in entries]
    m = json.loads(first[1])
    m.update(key=v.key_id(pe, ps), keys={"ed25519": pe.hex(), "sm2": ps.hex()}, statement=None)
    m["entries"] = [{"name": n, "size": len(c), "sha256": v.sha256(c).hex(), "sm3": v.sm3(c).hex(),
                     "blocks": None if n == "blocks.bin" else v.root_of(v.sha256, v.blocks_of(c)).hex()} for n, c in entries]
    twist(m)
    text = finish(json.dumps(m, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
    f = put("m.json", text)
    sigs = [("signature.ed25519", openssl("pkeyutl", "-sign", "-inkey", ed, "-rawin", "-in", f)),
            ("signature.sm2", openssl("pkeyutl", "-sign", "-inkey", sm, "-rawin", "-in", f, "-digest", "sm3", "-pkeyopt",
                                      "distid:1234567812345678"))]
    return v.build([("manifest.json", text)] + [(n, s.hex().encode() + b"\n") for n, s in sigs] + entries)


def another_key():
    """A package signed anew, consistent in itself: found by whoever knows the key."""
    # the device's name would hide on a terminal what is said of the package
    forged = forge(twist=lambda m: m["subject"].update(mn="\x1b[8m\u009b8m\nit holds"))
    assert v.verify_package(forged).ok, v.verify_package(forged).checks
    assert v.verify_package(forged, T["key"]).failed() == ["key"]
    path = put("forged.zip", forged)
    assert not re.search("[\0-\x09\x0b-\x1f\x7f-\x9f]", told(path)[2]) and len(re.findall("^it holds$", told(path)[2], re.M)) == 1
    assert told(path)[0] == 0, told(path)  # both read the page alike: what is well formed and signed holds …
    assert told(path, "--key", T["public_path"])[0] == 1  # … until the key is known


def signed_but_not_in_the_form():
    """What a key holder could sign and the page of formats does not allow: neither verifier takes it."""
    def changed(name, how):
        return lambda entries: [(n, how(c) if n == name else c) for n, c in entries]

    def blocks(m):
        next(e for e in m["entries"] if e["name"] == "blocks.bin")["blocks"] = "00"

    variants = {
        "order": {"change": lambda e: [e[1], e[0], *e[2:]]},
        "twice": {"change": lambda e: [*e, e[-1]]},
        "second manifest": {"change": lambda e: sorted([*e, ("manifest.json", b"{}\n")])},
        "dot": {"change": lambda e: sorted([*e, ("attachment/./a", b"a")])},
        "too many": {"change": lambda e: [*e, *((f"z{i:03}", b"") for i in range(126 - len(e)))]},
        "other record": {"change": changed("decoded.jsonl", lambda c: c.replace(b'{"seq":', b'{"seq":9', 1))},
        "record undecoded": {"change": lambda e: [x for x in e if x[0] != "decoded.jsonl"]},
        "no line end": {"change": changed("decoded.jsonl", lambda c: c[:-1])},
        "no blocks": {"change": lambda e: [x for x in e if x[0] != "blocks.bin"]},
        "blocks of blocks": {"twist": blocks},
        "statement": {"twist": lambda m: m.update(statement=5)},
        "no type": {"twist": lambda m: m.pop("type")},
        "version": {"twist": lambda m: m.update(version=1.0)},
        "capitals": {"twist": lambda m: m["keys"].update(sm2=m["keys"]["sm2"].upper())},
        "member twice": {"finish": lambda t: t[:-2] + b',"name":"x"}\n'},
        "nul": {"twist": lambda m: m.update(name="a\0")},
        "mark": {"finish": lambda t: b"\xef\xbb\xbf" + t},
        "utf-16": {"finish": lambda t: t.decode().encode("utf-16")},
        "blank": {"finish": lambda t: t[:-1] + b" \n"},
    }
    for name, how in variants.items():
        data = forge(**how)
        assert not v.verify_package(data).ok, name
        assert told(put("bad.zip", data))[0] == 1, name
    text = [(n, c.replace(b'"raw":"', '"raw":"\u2028\x85'.encode(), 1) if n == "decoded.jsonl" else c)
            for n, c in [(n, c) for n, c, _, _ in v.read_front(T["pack"])][3:]]
    whole = forge(change=lambda e: [x for x in text if x[0] != "statement.day"])  # what devices send is no line end
    assert v.verify_package(whole).ok and told(put("whole.zip", whole))[0] == 0


def statements():
    a, post = T["admin"], T["post"]
    for n in (1, 2, 3):
        a.must("PUT", "session", {"lang": "en" if n % 2 else "zh"})  # rows of the audit between the seals
        assert a.must("POST", "proof/seal", {})["n"] == n
    files = sorted(glob.glob(os.path.join(post.data, "proof", "*.day")))
    T["days"] = [open(f, "rb").read() for f in files]
    assert len(files) == 3
    with open(os.path.join(post.data, "proof", "roots.txt"), encoding="ascii") as f:
        T["roots"] = f.read()
    assert v.chain_faults(T["days"], T["roots"]) == []
    for f, data in zip(files, T["days"]):
        s, _ = v.statement_faults(data)
        assert os.path.basename(f) == f"{s['n']:06d}-{s['day']}-{s['part']}.day" and s["key"] == T["key"]
        with open(f[:-4] + ".tree", "rb") as t:
            tree = t.read()
        assert v.tree_file_faults(tree, s) == []
        i = len(tree) - 40
        assert v.tree_file_faults(tree[:i] + bytes([tree[i] ^ 1]) + tree[i + 1:], s)


def statements_changed():
    r = random.Random(4)
    for data in T["days"][:1] if not LONG else T["days"]:
        for _ in range(60):
            i, b = r.randrange(len(data)), bytearray(data)
            b[i] ^= 1 << r.randrange(8)
            assert v.statement_faults(bytes(b))[1], i
    d = T["days"]
    assert v.chain_faults([d[0], d[2]]) and v.chain_faults([d[1], d[0], d[2]]) and v.chain_faults(d[1:])
    assert v.chain_faults(d, T["roots"].replace("n=2 ", "n=9 "))


def rows_of_the_state():
    """Audit and verdict rows read from state.db by this page: roots and hashes of the statements come out."""
    db = sqlite3.connect(f"file:{T['post'].data}/state.db?mode=ro", uri=True)
    audit = db.execute("SELECT seq, at_ms, user_id, user_name, address, action, kind, record_id, detail, hash FROM audit"
                       " ORDER BY seq").fetchall()
    verdict = db.execute("SELECT id, alarm_key, rule, rule_version, at_ms, seq, outcome, inputs FROM verdict ORDER BY id").fetchall()
    previous = b"\0" * 32
    for row in audit:
        row = [x if x is not None else (0 if i in (2, 7) else "") for i, x in enumerate(row)]
        previous = v.chained(previous, row[:9])
        assert previous == row[9], row
    for data in T["days"]:
        s, _ = v.statement_faults(data)
        for name, letter, rows in (("audit", "A", audit), ("verdict", "V", verdict)):
            t = s["streams"][name]
            part = [[x if x is not None else (0 if i in ((2, 7) if name == "audit" else (3, 5)) else "") for i, x in enumerate(row)]
                    for row in rows if t["count"] and t["first"] <= row[0] <= t["last"]]
            assert len(part) == t["count"], (name, t)
            leaves = [v.row_record(letter, row) for row in part]
            for h, want in ((v.sha256, t["sha256"]), (v.sm3, t["sm3"])):
                assert v.root_of(h, [v.leaf(h, b) for b in leaves]).hex() == want, (name, s["n"])
            if name == "audit" and part:
                assert part[-1][9].hex() == t["hash"]
    assert sum(v.statement_faults(d)[0]["streams"]["verdict"]["count"] for d in T["days"]) > 0


def inclusion_proofs():
    a, r, n = T["admin"], random.Random(6), 0
    for data in T["days"]:
        s, _ = v.statement_faults(data)
        for stream in ("journal", "audit"):
            t = s["streams"][stream]
            for seq in {t["first"], t["last"], (t["first"] + t["last"]) // 2} - {0}:
                p = a.must("GET", f"proof/inclusion?stream={stream}&seq={seq}")
                assert v.proof_faults(p) == [] and p["statement"].encode() == data, (stream, seq, v.proof_faults(p))
                f = put("p.json", json.dumps(p).encode())
                assert told(f)[0] == 0, told(f)
                i = r.randrange(8, len(p["record"]) // 2)
                record = bytearray(bytes.fromhex(p["record"]))
                record[i] ^= 1 << r.randrange(8)
                for bad in (dict(p, record=bytes(record).hex()), dict(p, index=p["index"] + 1), dict(p, count=p["count"] + 1),
                            dict(p, seq=seq + 1), dict(p, sm3=dict(p["sm3"], leaf="0" * 64))):
                    assert v.proof_faults(bad), (stream, seq)
                    assert told(put("p.json", json.dumps(bad).encode()))[0] == 1, (stream, seq)
                n += 1
    assert n >= 6, n


def the_next_package_names_the_statement():
    """A follow-up holds the newest statement and the package it continues."""
    a = T["admin"]
    status, _, body = T["post"].request("POST", f"/api/v1/evidence/{T['item']['id']}/append?type=document&name=a.txt&note=x", b"scan",
                                        {**a.headers, "Content-Type": "text/plain"}, raw=True)
    assert status == 201, body
    pack = of_disk(json.loads(body)["name"])
    r = v.verify_package(pack, T["key"], T["roots"])
    assert r.ok, (r.checks, r.first_bad)
    content = {n: c for n, c, _, _ in v.read_front(pack)}
    m = json.loads(content["manifest.json"])
    assert content["attachment/a.txt"] == b"scan" and content["statement.day"] == T["days"][-1]
    assert m["statement"] == v.sha256(v.parse_statement(T["days"][-1])["signed"]).hex()
    assert m["previous"] == {"name": T["item"]["name"], "sha256": T["item"]["sha256"], "sm3": T["item"]["sm3"]}
    assert not v.verify_package(pack, T["key"], T["roots"].replace("n=3 ", "n=4 ")).ok
    i = pack.index(b"\nfinal ") + 3
    b = pack[:i] + bytes([pack[i] ^ 2]) + pack[i + 1:]
    assert v.verify_package(b).first_bad["offset"] == i and told(put("flip.zip", b))[1] == i


try:
    run_tests([known_answers, crossed_with_openssl, trees, a_post_seals, the_package_holds, the_same_flips,
               cut_longer_swapped_removed, another_key, signed_but_not_in_the_form, statements, statements_changed,
               rows_of_the_state, inclusion_proofs, the_next_package_names_the_statement])
finally:
    if "post" in T:
        T["post"].close()
