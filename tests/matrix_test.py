#!/usr/bin/env python3
"""The matrix of rights from outside, made from what the post declares of itself: every route of the OpenAPI file × every role ×
own plant, other plant of the own county, other county × no session × expired session. What is expected is computed from the declared
permission of the route and the declared scope of its kind; no route is named here but those of EXCEPT, and a route nobody can place fails."""
import concurrent.futures
import csv
import http.client
import io
import json
import os
import re
import socket
import sqlite3
import sys
import time

sys.path.insert(0, os.path.dirname(__file__))
from post import Post, frame, run_tests

PASSWORD = "Blauer-Himmel-2026"
SIDES = ("own plant", "other plant", "other county")
NOWHERE = 987654321
# Routes with an id that is no record of a kind the path names: the kind it is, or why it has no scope.
EXCEPT = {"/api/v1/air/stations/{id}/hours": "station", "/api/v1/air/review/{id}": "air_review", "/api/v1/air/review/{id}/{move}": "air_review",
          "/api/v1/air/target/{id}": "air_target", "/api/v1/air/target/{id}/parts": "air_target",
          "/api/v1/air/paper/{id}": None,             # published papers are for all who may read targets
          "/api/v1/proof/days/{id}/statement": None,  # a day's statement is the city's
          "/api/v1/token/{id}": None}                 # of the caller only, told by its own test
MOVES = {"alarm": "sign", "air_review": "approve"}


class Client:
    """One kept-alive connection in the name of one session; a thread has its own."""

    def __init__(self, post, headers=None):
        self.post, self.headers = post, headers or {}
        self.c = http.client.HTTPConnection("127.0.0.1", post.http, timeout=60)

    def call(self, method, path, body=None):
        for again in (True, False):
            try:
                self.c.request(method.upper(), path, None if body is None else json.dumps(body), self.headers)
                r = self.c.getresponse()
                return r.status, r.read()
            except http.client.IncompleteRead as e:  # a head that promises what does not come
                self.c.close()
                return 599, f"cut off after {len(e.partial)} bytes".encode()
            except (http.client.HTTPException, OSError):
                self.c.close()
                if not again:
                    raise

    def must(self, method, path, body=None):
        status, answer = self.call(method, path, body)
        assert status in (200, 201, 204), (method, path, status, answer[:300])
        return json.loads(answer) if answer else None


def sign_in(post, login, password):
    status, headers, body = post.request("POST", "/api/v1/session", {"login": login, "password": password}, raw=True)
    assert status == 200, (login, status, body)
    return {"Cookie": headers["Set-Cookie"].split(";")[0], "X-CSRF-Token": json.loads(body)["csrf"]}, json.loads(body)["user"]


class World:
    """A post with one record of every kind on each side, and a person of every role on the first."""

    def __init__(self, post):
        self.post = post
        once = re.search(r"password[^:]*: (\S+)", "".join(post.out)).group(1)
        first = Client(post, sign_in(post, "admin", once)[0])
        first.must("PUT", "/api/v1/session/password", {"old": once, "new": PASSWORD})
        self.people = {"admin": sign_in(post, "admin", PASSWORD)}
        admin = Client(post, self.people["admin"][0])
        self.api = admin.must("GET", "/api/v1/openapi.json")
        self.kinds = {k["name"]: k for k in admin.must("GET", "/api/v1/meta")["kinds"]}
        self.scope = {k: self.api["components"]["schemas"][k] for k in self.kinds}
        self.roles = {r["code"]: r for r in admin.must("GET", "/api/v1/role?limit=50")["items"]}
        assert post.stop() == 0
        self.db = sqlite3.connect(os.path.join(post.data, "state.db"))
        self.ids = {k: [None] * 3 for k in self.kinds}
        for side in range(3):
            for kind in self.kinds:
                self.record(kind, side)
        self.db.commit()
        self.seat_people()
        self.db.close()
        post.start()
        for role in self.roles:
            if role != "admin":
                self.people[role] = sign_in(post, "matrix-" + role, PASSWORD)
        self.people["city"] = sign_in(post, "matrix-city", PASSWORD)
        gone, _ = sign_in(post, "matrix-leader", PASSWORD)
        db = sqlite3.connect(os.path.join(post.data, "state.db"), timeout=20)
        db.execute("UPDATE session SET created_at_ms = 1, used_at_ms = 1 WHERE id = (SELECT max(id) FROM session)")
        db.commit()
        db.close()
        self.expired = gone

    def record(self, kind, side):
        """Its id on that side; made when there is none. Texts carry the side, so that a leak can be seen in any answer."""
        if self.ids[kind][side]:
            return self.ids[kind][side]
        if kind == "territory" and side == 1 or not self.scoped(kind) and side:  # two plants of one county; one rule for all
            self.ids[kind][side] = self.record(kind, 0)
            return self.ids[kind][side]
        there = None if self.scoped(kind) else self.db.execute(f'SELECT id FROM "{kind}" WHERE deleted = 0').fetchone()
        if there:
            self.ids[kind][side] = there[0]
            return there[0]
        row = {"version": 1, "created_at_ms": 1, "updated_at_ms": 1}
        mark = ("open" if self.scope[kind].get("x-open-read") or not self.scoped(kind) else "leak") + str(side)
        columns = {c[1] for c in self.db.execute(f'PRAGMA table_info("{kind}")')}
        for f in self.kinds[kind]["fields"]:
            name, type_ = f["name"], f["type"]
            column = name if name in columns else name + "_ms"
            if f["secret"] or column not in columns:
                continue
            if f.get("ref"):
                row[column] = None if f["ref"] == kind else self.record(f["ref"], side)
            elif name == "object_kind":
                row[column] = "device"
            elif name == "object_id":
                row[column] = self.record("device", side)
            elif f.get("choices"):
                row[column] = f.get("default") or f["choices"][0]["value"]
            elif type_ == "text":
                row[column] = f"{mark}{name}"[:f.get("max_chars", 99)]
            elif type_ in ("int", "fix", "bool"):
                row[column] = max(1, int(float(f.get("min", 1))))
            elif type_ in ("time", "day", "date"):
                row[column] = 1767225600000 - 8 * 3600000
            elif type_ == "json":
                row[column] = "{}"
        if kind == "device":
            row.update(mn=f"LEAK{side}DEVICE", status="active", pw="123456", allow=None, tolerate=None)
        if kind == "territory":
            row.update(code=f"41032{side + 2}", level="county", parent=self.city())
        if kind == "user":
            row.update(login=f"leak{side}user", disabled=1)
        names = ",".join(f'"{c}"' for c in row)
        self.ids[kind][side] = self.db.execute(f'INSERT INTO "{kind}"({names}) VALUES({",".join("?" * len(row))})', list(row.values())).lastrowid
        return self.ids[kind][side]

    def city(self):
        found = self.db.execute("SELECT id FROM territory WHERE code = '410300'").fetchone()
        return found[0] if found else self.db.execute(
            "INSERT INTO territory(version, created_at_ms, updated_at_ms, code, name, level) VALUES(1, 1, 1, '410300', '洛阳市', 'city')").lastrowid

    def seat_people(self):
        """Everybody has the administrator's password: hashing one for each would take longer than all the requests."""
        hash_ = self.db.execute("SELECT password FROM user WHERE login = 'admin'").fetchone()[0]
        for role, r in [*self.roles.items(), ("city", self.roles["duty"])]:
            if role != "admin":
                self.db.execute("INSERT INTO user(version, created_at_ms, updated_at_ms, login, name, role, territory, enterprise, password, must_change) "
                                "VALUES(1, 1, 1, ?, ?, ?, ?, ?, ?, 0)",
                                ("matrix-" + role, role, r["id"], self.city() if role == "city" else self.ids["territory"][0],
                                 self.ids["enterprise"][0] if role == "plant" else None, hash_))
        self.db.commit()

    def scoped(self, kind):
        s = self.scope[kind]
        return bool(s.get("x-territory") or s.get("x-object"))

    def sees(self, role, kind, side, verb):
        s = self.scope[kind]
        if role in ("admin", "city") or not self.scoped(kind) or (verb == "read" and s.get("x-open-read")):
            return True
        if role == "plant":
            return side == 0 and bool(s.get("x-enterprise") or s.get("x-object"))
        return side < 2

    def may(self, role, need):
        kind, verb = need.split(":")
        for p in self.people[role][1]["permissions"]:
            if p == "*":
                return True
            k, v = p.split(":")
            if (k == kind or (k == "*" and kind not in ("user", "role", "audit"))) and v in (verb, "*"):
                return True
        return False


class Route:
    def __init__(self, w, path, method, op):
        self.path, self.method, self.op = path, method, op
        self.access = op.get("x-access") or "kind"
        first = path.split("/")[3] if path.startswith("/api/v1/") and len(path.split("/")) > 3 else ""
        self.need = op.get("x-permission")
        if self.access == "kind":
            assert first in w.kinds, f"{method} {path}: no kind, no declared access"
            self.need = f"{first}:" + {"get": "read", "delete": "delete"}.get(method, "write")
        self.kind = None
        if "{id}" in path:
            if path in EXCEPT:
                self.kind = EXCEPT[path]
            else:
                assert first in w.kinds, f"{method} {path}: whose is this id? Name its kind, or in EXCEPT why it has none"
                self.kind = first
        self.verb = self.need.split(":")[1] if self.need else "write"
        self.query = "&".join(f"{p['name']}={self.value(p)}" for p in op.get("parameters", []) if p["in"] == "query" and p["required"])
        if method == "delete" and self.access == "kind":
            self.query = "version=999"
        if method in ("post", "patch", "put"):  # of the right shape, so that it is the right that is asked and not the spelling
            shape = op.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            self.body = {k: self.value({"name": k, "schema": shape["properties"][k]}) for k in shape.get("required", [])}
            if self.access == "kind":
                self.body = {"version": 999}
        else:
            self.body = None

    @staticmethod
    def value(p):
        choices, type_ = p["schema"].get("enum"), p["schema"].get("type")
        if p["name"] == "permissions":
            return "territory:read"  # what everybody may hand on
        if p.get("in") != "query" and type_ in ("integer", "number", "boolean", "array"):
            return {"integer": 1, "number": 1, "boolean": True, "array": []}[type_]
        return choices[0] if choices else {"format": "csv", "date": "2026-01-01", "date-time": "2026-01-01T00:00:00"}.get(
            p["schema"].get("format", p["name"]), "1")

    def target(self, id_=None):
        path = self.path.replace("{id}", str(id_)).replace("{move}", MOVES.get(self.kind, "x"))
        assert "{" not in path, f"{self.path}: a parameter nobody can place"
        return path + ("?" + self.query if self.query else "")


def routes(w):
    return [Route(w, path, method, op) for path, ops in w.api["paths"].items() for method, op in ops.items()]


def status_only(post, path, headers):
    """For a stream, which does not end: the status line is enough."""
    with socket.create_connection(("127.0.0.1", post.http), 30) as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n{''.join(f'{k}: {v}{chr(13)}{chr(10)}' for k, v in headers.items())}\r\n".encode())
        return int(s.recv(200).split()[1]), b""


def ask(w, client, route, id_=None):
    if route.path == "/api/v1/events":
        return status_only(w.post, route.path, client.headers)
    return client.call(route.method, route.target(id_), route.body)


def cell(w, client, route, role):
    """All cells of one route and one role: (number of cells, what was wrong)."""
    wrong, n = [], 0

    def judge(where, ok, status, answer):
        nonlocal n
        n += 1
        # a record that is nothing but its row may be called damaged, by whoever may see it
        hollow = status == 500 and (b'"CORRUPT"' in answer or b"no such table: draw_file" in answer)
        busy = status == 503 and b'"BUSY"' in answer
        if not ok or status >= 500 and not busy and not (hollow and where in SIDES):
            wrong.append(f"{role}, {where}: {route.method.upper()} {route.path} ({route.need or route.access}): {status} {answer[:140]!r}")

    allowed = route.access in ("open", "signed", "user") and not route.need or w.may(role, route.need)
    if "{id}" not in route.path:
        status, answer = ask(w, client, route)
        home = status == 403 and b'"DENIED_TERRITORY"' in answer and role not in ("admin", "city")  # the city's, asked by a county
        if status == 401 and b'"AUTH_FAILED"' in answer and route.access == "signed":
            status = 422  # the old password is wrong, the session is not
        judge("", (status != 403 or home) == allowed and (route.access == "open" or status != 401), status, answer)
        return n, wrong
    _, nobody = ask(w, client, route, NOWHERE)
    for side, where in enumerate(SIDES):
        id_ = w.ids[route.kind][side] if route.kind else NOWHERE
        status, answer = ask(w, client, route, id_)
        seen = route.kind is None or w.sees(role, route.kind, side, route.verb)
        if not allowed:
            judge(where, status == 403, status, answer)
        elif not seen and w.sees(role, route.kind, side, "read"):
            judge(where, status in (403, 404), status, answer)  # it may be read, so that it is there is no secret
        elif not seen:
            same = answer.replace(str(id_).encode(), b"ID") == nobody.replace(str(NOWHERE).encode(), b"ID")
            judge(where, same and (status == 404 or status == 403 and "{move}" in route.path), status, answer)
        elif route.access == "kind" and route.method == "get":
            judge(where, status == 200, status, answer)
        else:  # seen: whatever it says, it is not that there is nothing, nor that it is forbidden (a move has a right of its own)
            judge(where, status != 401 and (status != 403 or "{move}" in route.path or route.access == "user"), status, answer)
    return n, wrong


WORLD = []


def world():
    """One for both tests: making it costs more than asking."""
    if not WORLD:
        post = Post()
        post.start()
        WORLD.append(World(post))
    return WORLD[0], WORLD[0].post


def rows_of_others_never_leak():
    """Every list, search, export and figure there is, for every role: no text of a record of another side stands in any of them."""
    w, post = world()
    wrong, looked = [], 0
    for role, (headers, _) in w.people.items():
        client = Client(post, headers)
        foreign = [] if role in ("admin", "city") else [b"leak2", b"LEAK2"] + ([b"leak1", b"LEAK1"] if role == "plant" else [])
        for r in routes(w):
            if r.method != "get" or "{id}" in r.path or r.path in ("/api/v1/events", "/metrics", "/healthz", "/api/v1/openapi.json"):
                continue
            if r.need == "air:read":
                continue  # figures of the air are the whole city's, for whoever may read them
            targets = [r.target()]
            if r.access == "kind":
                targets.append(r.path + ("?format=csv" if r.path.endswith("/export") else "?limit=200"))
                if not r.path.endswith("/export"):
                    targets += [r.path + "?q=leak", r.path + "?q=LEAK2"]
            for target in targets:
                status, answer = client.call("GET", target)
                looked += 1
                for f in foreign:
                    if f in answer:
                        wrong.append(f"{role}: {target}: {status} …{answer[max(0, answer.find(f) - 80):answer.find(f) + 60]!r}")
        if role in ("county", "city"):  # the test can see: what is one's own is there
            text = client.call("GET", "/api/v1/enterprise/export?format=csv")[1].decode("utf-8-sig")
            names = {row[1] for row in csv.reader(io.StringIO(text))}
            assert ("leak1name" in names) and ("leak2name" in names) == (role == "city"), (role, names)
    print(f"# {looked} lists, searches, exports and figures looked through", flush=True)
    assert looked > 500 and not wrong, f"{len(wrong)} leaks:\n" + "\n".join(wrong[:40])
    events_stay_at_home(w)


def events_stay_at_home(w):
    """Frames of the other side's devices first, then one's own: when one's own event comes, no other must have come before."""
    streams = {}
    for role, sides in (("county", (0, 1)), ("plant", (0,)), ("city", (0, 1, 2))):
        s = socket.create_connection(("127.0.0.1", w.post.http), 30)
        s.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: x\r\nCookie: {w.people[role][0]['Cookie']}\r\n\r\n".encode())
        got = b""
        while b"event: hello" not in got:
            got += s.recv(65536)
        streams[role] = [s, got, sides]
    for n, side in enumerate((2, 1, 0)):
        with w.post.connect() as d:
            now = time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() + 8 * 3600))
            d.sendall(frame(f"LEAK{side}DEVICE", f"{now}{n:03d}", f"DataTime={now};a21026-Rtd={side + 10}.5,a21026-Flag=N"))
            until = time.monotonic() + 20
            for st in streams.values():
                while side in st[2] and f'"rtd":{side + 10}.5'.encode() not in st[1] and time.monotonic() < until:
                    st[1] += st[0].recv(65536)
    for role, (s, got, sides) in streams.items():
        s.close()
        for side in range(3):
            assert (f'"rtd":{side + 10}.5'.encode() in got) == (side in sides), (role, side, got[-600:])


def every_cell():
    w, post = world()
    table = routes(w)
    assert len({(r.path, r.method) for r in table}) == sum(len(v) for v in w.api["paths"].values())
    last = [r for r in table if (r.path, r.method) == ("/api/v1/session", "delete")]
    assert len(last) == 1
    table = [r for r in table if r not in last]

    def column(role):
        client = Client(post, w.people[role][0])
        n, wrong = 0, []
        for r in table + last:  # signing out comes last
            k, bad = cell(w, client, r, role)
            n += k
            wrong += bad
        return n, wrong

    def without(name, headers):
        client, n, wrong = Client(post, headers), 0, []
        for r in table + last:
            status, answer = ask(w, client, r, NOWHERE)
            n += 1
            if (status == 401) != (r.access != "open" or (r.path, r.method) == ("/api/v1/session", "post") and status == 401):
                wrong.append(f"{name}: {r.method.upper()} {r.path} ({r.access}): {status} {answer[:100]!r}")
        return n, wrong

    t = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        jobs = [pool.submit(column, role) for role in w.people]
        jobs += [pool.submit(without, "no session", {}), pool.submit(without, "expired session", w.expired)]
        results = [j.result() for j in jobs]
    cells, wrong = sum(n for n, _ in results), [x for _, bad in results for x in bad]
    with_id = sum("{id}" in r.path for r in table)
    expected = (len(table) + 1 - with_id + 3 * with_id) * len(w.people) + 2 * (len(table) + 1)
    print(f"# {len(table) + 1} routes, {len(w.people)} people, {cells} cells of {expected} in {time.monotonic() - t:.0f} s", flush=True)
    assert cells == expected, (cells, expected)
    assert not wrong, f"{len(wrong)} cells are wrong:\n" + "\n".join(wrong[:60])
    assert post.stop() == 0


try:
    run_tests([rows_of_others_never_leak, every_cell])  # the second signs everybody out
finally:
    for w in WORLD:
        w.post.close()
