#!/usr/bin/env python3
"""Repeats a random draw. Written from docs/FORMATS-draw.md alone; only the standard library; shares nothing with the C code.

    draw_repeat.py FILE [COMMITMENT]     exit 0: the draw is right; 1: it is not, and what does not fit is printed
As a module: draw(list, seed, value) gives the result; checks(file) the names of the checks that fail."""
import hashlib
import json
import re
import struct
import sys


def line(*values) -> str:
    return json.dumps(list(values), ensure_ascii=False, separators=(",", ":")) + "\n"


def by_bytes(*keys):
    return lambda o: tuple(o[k].encode() for k in keys)


def canonical(li: dict) -> bytes:
    out = [line("lantian-draw", 1, li["name"], li["pick"], li["team"], 1 if li["avoid_own_county"] else 0, li["public"])]
    for w in sorted(li["weights"], key=by_bytes("by", "value")):
        out.append(line("weight", w["by"], w["value"], w["weight"]))
    for q in sorted(li["quotas"], key=by_bytes("by", "value")):
        out.append(line("quota", q["by"], q["value"], q["min"], q["max"]))
    for p in sorted(li["inspectors"], key=by_bytes("id")):
        out.append(line("inspector", p["id"], p["name"], p["unit"], p["county"]))
    for t in sorted(li["targets"], key=by_bytes("id")):
        out.append(line("target", t["id"], t["name"], t["county"], t["industry"], t["risk"], t["credit"]))
    for c in sorted(li["conflicts"], key=by_bytes("inspector", "target")):
        out.append(line("conflict", c["inspector"], c["target"], c["why"]))
    return "".join(out).encode()


def list_hash(li: dict) -> bytes:
    return hashlib.sha256(canonical(li)).digest()


def commitment(li: dict, seed: bytes) -> str:
    return (f"LANTIAN-DRAW 1 list={list_hash(li).hex()} seed={hashlib.sha256(b'LTDS1' + seed).hexdigest()} "
            f"public={json.dumps(li['public'], ensure_ascii=False)}")


class Numbers:
    def __init__(self, li: dict, seed: bytes, value: str):
        v = value.encode()
        self.key = hashlib.sha256(b"LTDK1" + list_hash(li) + seed + struct.pack("<I", len(v)) + v).digest()
        self.i = 0

    def below(self, n: int) -> int:
        while True:
            block = hashlib.sha256(self.key + struct.pack("<Q", self.i)).digest()
            self.i += 1
            x = struct.unpack("<Q", block[:8])[0]
            if x < 2**64 - 2**64 % n:
                return x % n


class Quotas:
    """Whether some set of `pick` targets holds the chosen ones and keeps every bound."""

    def __init__(self, li: dict):
        self.pick = li["pick"]
        self.bound = {"county": {}, "industry": {}}
        for q in li["quotas"]:
            self.bound[q["by"]][q["value"]] = (q["min"], q["max"])
        self.left = {}
        for t in li["targets"]:
            cell = (t["county"], t["industry"])
            self.left[cell] = self.left.get(cell, 0) + 1
        self.n = {}

    def choose(self, cell, by=1):
        self.left[cell] -= by
        for k in (("county", cell[0]), ("industry", cell[1])):
            self.n[k] = self.n.get(k, 0) + by
        self.pick -= by

    def possible(self) -> bool:
        """Max flow of whole units on: source -> county -> industry -> sink with [min, max] on both outer sides and exactly
        `pick` in all; a path search on dictionaries."""
        cap = {}

        def edge(u, v, lo, hi):
            if hi < lo:
                return False
            for a, b, c in ((u, v, hi - lo), ("S*", v, lo), (u, "T*", lo)):
                cap.setdefault(a, {})
                cap.setdefault(b, {})
                cap[a][b] = cap[a].get(b, 0) + c
                cap[b].setdefault(a, 0)
            return True

        rest = self.pick
        if rest < 0:
            return False
        need = rest
        for side, k in (("county", 0), ("industry", 1)):
            for value in sorted({c[k] for c in self.left}):
                lo, hi = self.bound[side].get(value, (0, 10**9))
                have = self.n.get((side, value), 0)
                lo, hi = max(0, lo - have), min(rest, hi - have)
                node = (side, value)
                if not (edge("s", node, lo, hi) if k == 0 else edge(node, "t", lo, hi)):
                    return False
                need += lo
        for (county, industry), n in self.left.items():
            edge(("county", county), ("industry", industry), 0, n)
        edge("t", "s", rest, rest)
        sent = 0
        while True:
            came, todo = {"S*": None}, ["S*"]
            while todo and "T*" not in came:
                u = todo.pop()
                for v, c in cap.get(u, {}).items():
                    if c > 0 and v not in came:
                        came[v] = u
                        todo.append(v)
            if "T*" not in came:
                return sent == need
            path, v = [], "T*"
            while came[v] is not None:
                path.append((came[v], v))
                v = came[v]
            n = min(cap[u][v] for u, v in path)
            for u, v in path:
                cap[u][v] -= n
                cap[v][u] += n
            sent += n


def weights(li: dict) -> dict:
    table = {(w["by"], w["value"]): w["weight"] for w in li["weights"]}
    return {t["id"]: table["risk", t["risk"]] * table["credit", t["credit"]] for t in li["targets"]}


def is_free(li: dict):
    pairs = {(c["inspector"], c["target"]) for c in li["conflicts"]}
    return lambda p, t: not ((p["id"], t["id"]) in pairs or (li["avoid_own_county"] and p["county"] == t["county"]))


def draw(li: dict, seed: bytes, value: str) -> list:
    rnd, quotas, weight, free = Numbers(li, seed, value), Quotas(li), weights(li), is_free(li)
    if not quotas.possible():
        raise ValueError("the quotas cannot be met")
    targets = sorted(li["targets"], key=by_bytes("id"))
    inspectors = sorted(li["inspectors"], key=by_bytes("id"))
    chosen, struck = [], set()
    while len(chosen) < li["pick"]:
        cand = [t for t in targets if t not in chosen and (t["county"], t["industry"]) not in struck]
        r, total = rnd.below(sum(weight[t["id"]] for t in cand)), 0
        for t in cand:
            total += weight[t["id"]]
            if total > r:
                break
        cell = (t["county"], t["industry"])
        quotas.choose(cell)
        if quotas.possible():
            chosen.append(t)
        else:
            quotas.choose(cell, -1)
            struck.add(cell)
    load, drawn = {p["id"]: 0 for p in inspectors}, []
    for n, t in enumerate(chosen, 1):
        team = []
        for _ in range(li["team"]):
            may = [p["id"] for p in inspectors if free(p, t) and p["id"] not in team]
            least = min(load[p] for p in may)
            may = [p for p in may if load[p] == least]
            team.append(may[rnd.below(len(may))])
            load[team[-1]] += 1
        drawn.append({"n": n, "target": t["id"], "weight": weight[t["id"]], "team": team})
    return drawn


def result_hash(drawn: list) -> str:
    return hashlib.sha256("".join(line("drawn", d["n"], d["target"], d["weight"], d["team"]) for d in drawn).encode()).hexdigest()


def checks(f: dict, published: str = "") -> list:
    """Names of the checks that fail, in the order of section 8."""
    bad = []
    li, seed, drawn = f["list"], bytes.fromhex(f["seed"]), f["result"]["drawn"]
    m = re.fullmatch(r"LANTIAN-DRAW 1 list=([0-9a-f]{64}) seed=([0-9a-f]{64}) public=(.*)", f["commitment"])
    if not m:
        return ["form"]
    if list_hash(li).hex() != m[1]:
        bad.append("list")
    if hashlib.sha256(b"LTDS1" + seed).hexdigest() != m[2]:
        bad.append("seed")
    if json.dumps(li["public"], ensure_ascii=False) != m[3] or (published and published != f["commitment"]):
        bad.append("public")
    before = list(bad)
    weight, target = weights(li), {t["id"]: t for t in li["targets"]}
    inspector = {p["id"]: p for p in li["inspectors"]}
    if any(d["weight"] != weight[d["target"]] for d in drawn):
        bad.append("weight")
    counts = {}
    for d in drawn:
        for by in ("county", "industry"):
            k = (by, target[d["target"]][by])
            counts[k] = counts.get(k, 0) + 1
    if ([d["n"] for d in drawn] != list(range(1, li["pick"] + 1)) or len({d["target"] for d in drawn}) != len(drawn)
            or any(not q["min"] <= counts.get((q["by"], q["value"]), 0) <= q["max"] for q in li["quotas"])):
        bad.append("quota")
    free = is_free(li)
    if any(len(set(d["team"])) != li["team"] or len(d["team"]) != li["team"]
           or any(not free(inspector[p], target[d["target"]]) for p in d["team"]) for d in drawn):
        bad.append("conflict")
    if not before and (draw(li, seed, f["public_value"]) != drawn or result_hash(drawn) != f["result"]["sha256"]):
        bad.append("result")
    return bad


def main() -> int:
    with open(sys.argv[1], encoding="utf-8") as f:
        bad = checks(json.load(f), sys.argv[2] if len(sys.argv) > 2 else "")
    print("the draw is right" if not bad else "does not fit: " + ", ".join(bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
