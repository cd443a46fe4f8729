#!/usr/bin/env python3
"""`lantian draw` against tests/draw_repeat.py, which was written from docs/FORMATS-draw.md alone: the same draws, every
change of list, seed, weight, quota, value and result found, and everything that must be refused."""
import copy
import json
import os
import random
import stat
import sys
import tempfile

sys.path.insert(0, os.path.dirname(__file__))
import draw_repeat as repeat
from post import cli, run_tests

TMP = tempfile.TemporaryDirectory(prefix="lantian-draw-")
VALUE = "03 09 14 22 28 31 + 07"
CHECKS = ["form", "list", "seed", "public", "weight", "quota", "conflict", "result"]


def path(name):
    return os.path.join(TMP.name, name)


def put(name, data):
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=bool(len(name) % 2))
    with open(path(name), "w", encoding="utf-8") as f:
        f.write(text)
    return path(name)


def make_list(seed, targets=120, inspectors=24, pick=30, team=2, quotas=True):
    r = random.Random(seed)
    county = [f"4103{n:02d}" for n in range(2, 2 + r.randint(2, 9))]
    industry = ["steel", "cement", "glass", "coking", "brick", "casting"][: r.randint(2, 6)]
    risk, credit = {"high": r.randint(2, 9), "medium": 2, "low": 1}, {"A": 1, "B": 2, "C": 3, "D": r.randint(3, 9)}
    li = {"format": "lantian-draw-list", "version": 1, "name": f"十二月抽查 \"{seed}\" \\", "pick": pick, "team": team,
          "avoid_own_county": r.random() < 0.7, "public": "双色球 2026137 期, \"red + blue\"",
          "weights": [{"by": "risk", "value": v, "weight": w} for v, w in risk.items()]
          + [{"by": "credit", "value": v, "weight": w} for v, w in credit.items()],
          "quotas": [], "conflicts": [],
          "inspectors": [{"id": f"P{n}", "name": f"检查员{n}", "unit": f"{n % 3}队", "county": r.choice(county + [""] * 9)}
                         for n in range(inspectors)],
          "targets": [{"id": f"E{n}", "name": f"恒川{n}厂", "county": r.choice(county), "industry": r.choice(industry),
                       "risk": r.choice(list(risk)), "credit": r.choice(list(credit))} for n in range(targets)]}
    for pair in {(r.randrange(inspectors // 3), r.randrange(targets)) for _ in range(targets // 3)}:
        li["conflicts"].append({"inspector": f"P{pair[0]}", "target": f"E{pair[1]}", "why": r.choice(["relative", ""])})
    if quotas:  # around a set that exists, so that they can be met; tight
        sample = r.sample(li["targets"], pick)
        for by, values in (("county", county), ("industry", industry)):
            for v in values:
                n = sum(t[by] == v for t in sample)
                if r.random() < 0.8:
                    li["quotas"].append({"by": by, "value": v, "min": max(0, n - r.randint(0, 2)), "max": n + r.randint(0, 2)})
    for k in ("weights", "quotas", "inspectors", "targets", "conflicts"):
        r.shuffle(li[k])
    return li


def commit(li, name):
    """Commits with a fresh seed; the line and the seed."""
    if os.path.exists(path(name + ".seed")):
        os.unlink(path(name + ".seed"))
    r = cli("draw", "--in", put(name + ".json", li), "--seed-file", path(name + ".seed"), "--new-seed", check=0)
    with open(path(name + ".seed"), encoding="ascii") as f:
        text = f.read()
    assert len(text) == 65 and text.endswith("\n")
    return r.stdout.decode().rstrip("\n"), bytes.fromhex(text)


def run(name, value=VALUE, *more, check=0):
    r = cli("draw", "--in", path(name + ".json"), "--seed-file", path(name + ".seed"), "--public", value, *more, check=check)
    return json.loads(r.stdout) if check == 0 else r


def verify(data, commitment="", check=0):
    text = data if isinstance(data, bytes) else json.dumps(data, ensure_ascii=False).encode()
    r = cli("draw", "--verify", "-", *(["--commitment", commitment] if commitment else []), stdin=text, check=check)
    state = {}
    for row in r.stdout.decode().splitlines():
        word, name = row.split()[:2]
        state[name] = word
    return [n for n in CHECKS if state.get(n) == "WRONG"], state


def the_commitment_and_the_seed_file():
    li = make_list(1)
    line, seed = commit(li, "a")
    assert line == repeat.commitment(li, seed), (line, repeat.commitment(li, seed))
    assert stat.S_IMODE(os.stat(path("a.seed")).st_mode) == 0o600
    r = cli("draw", "--in", path("a.json"), "--seed-file", path("a.seed"), "--new-seed", check=2)
    assert b"exists" in r.stderr
    again = cli("draw", "--in", "-", "--seed-file", path("a.seed"), stdin=json.dumps(li).encode(), check=0)
    assert again.stdout.decode().rstrip("\n") == line
    assert commit(li, "b")[1] != seed


def the_test_set_repeated_by_the_other_program():
    repeated = 0
    for n in range(40):
        li = make_list(n, targets=60 + n * 3, inspectors=9 + n, pick=10 + n, team=1 + n % 4, quotas=n % 5 != 0)
        try:
            line, seed = commit(li, "c")
        except AssertionError as e:
            assert "inspectors are free" in str(e), e  # some sets leave a target without a team: told, not drawn
            continue
        f = run("c", VALUE + str(n), "--commitment", line)
        assert f["commitment"] == line and f["seed"] == seed.hex() and f["public_value"] == VALUE + str(n)
        want = repeat.draw(li, seed, VALUE + str(n))
        assert f["result"]["drawn"] == want, n
        assert f["result"]["sha256"] == repeat.result_hash(want)
        assert repeat.canonical(f["list"]) == repeat.canonical(li)
        assert repeat.checks(f, line) == []
        assert verify(f, line) == ([], dict.fromkeys(CHECKS, "ok"))
        repeated += 1
    assert repeated > 30, repeated


def the_order_of_the_list_does_not_matter():
    li = make_list(7)
    commit(li, "d")
    one = run("d")
    for k in ("weights", "quotas", "inspectors", "targets", "conflicts"):
        li[k].reverse()
    put("d.json", dict(reversed(li.items())))
    assert run("d") == one


def base():
    li = make_list(3, targets=40, inspectors=12, pick=10)
    line, _ = commit(li, "e")
    return run("e"), line


def leaves(x, at=()):
    if isinstance(x, dict):
        for k, v in x.items():
            yield from leaves(v, at + (k,))
    elif isinstance(x, list):
        for i, v in enumerate(x):
            yield from leaves(v, at + (i,))
    else:
        yield at


def changed(f, at, value=None):
    f = copy.deepcopy(f)
    o = f
    for k in at[:-1]:
        o = o[k]
    old = o[at[-1]]
    o[at[-1]] = value if value is not None else (not old if isinstance(old, bool) else old + 1 if isinstance(old, int)
                                                  else old + "x")
    return f


def every_entry_of_the_list():
    """Each text and each number of the list by itself: found, and by the name of what is wrong."""
    f, line = base()
    places = list(leaves(f["list"], ("list",)))
    assert len(places) > 350, len(places)
    names = {}
    for at in places:
        bad, _ = verify(changed(f, at), line, check=1)
        assert bad and bad[0] in ("form", "list"), (at, bad)
        names[bad[0]] = names.get(bad[0], 0) + 1
    assert names["list"] > 100, names  # the others refer to something the list no longer has: told by "form"
    for key in ("weights", "quotas", "inspectors", "targets", "conflicts"):
        less, more = copy.deepcopy(f), copy.deepcopy(f)
        less["list"][key].pop()
        more["list"][key].append(dict(f["list"][key][0], **({"id": "Z9"} if key in ("inspectors", "targets") else {})))
        for g in (less, more):
            assert verify(g, line, check=1)[0][0] in ("form", "list"), key


def seed_value_and_commitment():
    f, line = base()
    s = f["seed"]
    for i in range(0, 64, 7):
        assert verify(changed(f, ("seed",), s[:i] + ("0" if s[i] != "0" else "1") + s[i + 1:]), check=1)[0] == ["seed"]
    for value in (VALUE + " ", VALUE[:-1] + "8", "03 09 14 22 28 07 + 31"):
        bad, state = verify(changed(f, ("public_value",), value), line, check=1)
        assert bad == ["result"] and state["result"] == "WRONG", value
    assert verify(changed(f, ("commitment",), line.replace("red", "Red")), check=1)[0] == ["public"]
    assert verify(f, line.replace("list=", "list=0", 1)[:-1], check=1)[0] == ["public"]
    other = dict(f, commitment=line[:20] + "0" * 64 + line[84:])
    assert verify(other, check=1)[0] == ["list"]
    # list and commitment changed together show only against the published line
    li = copy.deepcopy(f["list"])
    li["targets"][0]["credit"] = "D" if li["targets"][0]["credit"] != "D" else "A"
    seed = bytes.fromhex(s)
    forged = dict(f, list=li, commitment=repeat.commitment(li, seed))
    drawn = repeat.draw(li, seed, VALUE)
    forged["result"] = {"sha256": repeat.result_hash(drawn), "drawn": drawn}
    assert verify(forged)[0] == []
    assert verify(forged, line, check=1)[0] == ["public"] and repeat.checks(forged, line) == ["public"]


def every_entry_of_the_result():
    f, line = base()
    for at in leaves(f["result"], ("result",)):
        bad, _ = verify(changed(f, at), line, check=1)
        assert bad, at
        if at[-1] == "weight":
            assert bad == ["weight", "result"], (at, bad)
        if at[-1] == "n":
            assert bad == ["quota", "result"], (at, bad)
    drawn = f["result"]["drawn"]
    g = copy.deepcopy(f)
    g["result"]["drawn"].pop()
    assert verify(g, check=1)[0] == ["quota", "result"] == repeat.checks(g)
    g = copy.deepcopy(f)
    g["result"]["drawn"][0]["team"], g["result"]["drawn"][1]["team"] = drawn[1]["team"], drawn[0]["team"]
    if drawn[0]["team"] != drawn[1]["team"]:
        assert verify(g, check=1)[0][-1] == "result"
    g = copy.deepcopy(f)
    g["result"]["drawn"][4]["team"][1] = g["result"]["drawn"][4]["team"][0]
    assert verify(g, check=1)[0] == ["conflict", "result"] == repeat.checks(g)
    own = {t["id"] for t in f["list"]["targets"]} - {d["target"] for d in drawn}
    g = copy.deepcopy(f)  # somebody else instead of the drawn one: found even where weight and quota still fit
    g["result"]["drawn"][2]["target"] = sorted(own)[0]
    assert "result" in verify(g, check=1)[0] and "result" in repeat.checks(g)


def a_quota_that_is_not_kept():
    """A draw forged whole under other quotas: the file then says so by name."""
    f, _ = base()
    free = dict(f["list"], quotas=[])
    for n in range(50):
        drawn = repeat.draw(free, bytes([n]) * 32, VALUE)
        g = dict(f, result={"sha256": repeat.result_hash(drawn), "drawn": drawn})
        if "quota" in repeat.checks(g):
            assert verify(g, check=1)[0] == ["quota", "result"]
            return
    raise AssertionError("no such draw in 50")


def what_cannot_be_drawn_is_told():
    li = make_list(11, quotas=False)
    put("seed", "0" * 64 + "\n")

    def refused(change, *words):
        g = copy.deepcopy(li)
        change(g)
        r = cli("draw", "--in", put("f.json", g), "--seed-file", path("seed"), check=2)
        assert r.stdout == b"", r.stdout
        for w in words:
            assert w.encode() in r.stderr, (w, r.stderr.decode())

    def quota(by, value, lo, hi):
        return lambda g: g["quotas"].append({"by": by, "value": value, "min": lo, "max": hi})

    county = li["targets"][0]["county"]
    counties = sorted({t["county"] for t in li["targets"]})
    refused(quota("county", "999999", 1, 5), "999999", "only 0 there")
    refused(quota("county", county, 5, 4), "quotas")
    refused(quota("town", county, 0, 4), "county, industry")
    refused(lambda g: [quota("county", c, 0, 1)(g) for c in counties], "greatest numbers", "county")
    refused(lambda g: g.update(pick=len(counties), quotas=[{"by": "county", "value": c, "min": 2, "max": 3} for c in counties]),
            "least numbers")
    refused(lambda g: g.update(pick=121), "121", "120")
    refused(lambda g: g.update(pick=0), "pick")
    refused(lambda g: g.update(team=5), "team")
    refused(lambda g: g["targets"].append(dict(g["targets"][3])), "targets", g_id(li))
    refused(lambda g: g["targets"][0].update(risk="none"), "risk", "none", "no weight")
    refused(lambda g: g.update(inspectors=g["inspectors"][:1], conflicts=[]), "only", "free for")
    refused(lambda g: g["conflicts"].append({"inspector": "P999", "target": "E1", "why": ""}), "P999")
    refused(lambda g: g["targets"][5].update(name="a\nb"), "targets")
    refused(lambda g: g["targets"][5].update(more=1), "more")
    refused(lambda g: g["weights"][0].update(weight=1.5), "weights[0].weight")
    refused(lambda g: g["weights"][0].update(weight=1001), "1000")
    refused(lambda g: g.pop("public"), "public")
    refused(lambda g: g.update(format="lantian-draw"), "lantian-draw-list")


def g_id(li):
    return li["targets"][3]["id"]


def both_quotas_together():
    li = make_list(5, quotas=False, targets=20, pick=6, inspectors=8)
    for n, t in enumerate(li["targets"]):
        t["county"], t["industry"] = ("410301", "steel") if n < 10 else ("410302", "glass")
    li["quotas"] = [{"by": "county", "value": "410301", "min": 4, "max": 6}, {"by": "industry", "value": "steel", "min": 0, "max": 3}]
    put("seed", "0" * 64 + "\n")
    r = cli("draw", "--in", put("g.json", li), "--seed-file", path("seed"), check=2)
    assert b"cannot be met together" in r.stderr, r.stderr


def wrong_use_and_damaged_files():
    li = make_list(2)
    line, _ = commit(li, "h")
    assert b"LANTIAN-DRAW" in run("h", VALUE, "--commitment", line[:-2] + 'X"', check=1).stderr
    cli("draw", check=2)
    cli("draw", "--in", path("h.json"), check=2)
    cli("draw", "--verify", path("nothing"), check=2)
    cli("draw", "--verify", path("h.json"), "--public", "x", check=2)
    cli("draw", "--in", path("h.json"), "--seed-file", put("short", "00\n"), check=2)
    run("h", "", check=2)
    assert b"--verify" in cli("draw", "--help", check=0).stdout
    f = run("h")
    sealed = {k: f[k] for k in ("format", "version", "commitment")}
    assert verify(sealed, check=2)[1] == {"form": "ok"}
    text = json.dumps(f, ensure_ascii=False).encode()
    for cut in (0, 1, len(text) // 2, len(text) - 1):
        assert verify(text[:cut], check=1)[0] == ["form"]
    assert verify(text + b"{}", check=1)[0] == ["form"]
    for member in f:
        g = {k: v for k, v in f.items() if k != member}
        assert verify(g, check=1)[0] == ["form"], member


def flipped_bits():
    """Bits of the file at random places: found, or the file still says exactly the same."""
    f, line = base()
    text = json.dumps(f, ensure_ascii=False).encode()
    r, same = random.Random(8), 0
    for _ in range(300):
        b = bytearray(text)
        i = r.randrange(len(b))
        b[i] ^= 1 << r.randrange(8)
        out = cli("draw", "--verify", "-", "--commitment", line, stdin=bytes(b))
        if out.returncode == 0:
            assert json.loads(b) == f, i  # a blank that became another white space
            same += 1
        else:
            assert out.returncode == 1, (i, out)
    assert same < 30


run_tests([the_commitment_and_the_seed_file, the_test_set_repeated_by_the_other_program,
           the_order_of_the_list_does_not_matter, every_entry_of_the_list, seed_value_and_commitment,
           every_entry_of_the_result, a_quota_that_is_not_kept, what_cannot_be_drawn_is_told, both_quotas_together,
           wrong_use_and_damaged_files, flipped_bits])
