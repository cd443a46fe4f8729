#!/usr/bin/env python3
"""Attacks from outside on a running post: bytes on the HJ 212 port, forged requests, damaged files. Same seed, same attack."""
import collections
import concurrent.futures
import json
import os
import pathlib
import random
import re
import socket
import struct
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(__file__))
import hostile_inputs
from post import Post, cli, crc16, damaged, frame, read_answers, run_tests

SEED = int(os.environ.get("LT_SEED", "1"))
INVALID = pathlib.Path(__file__).resolve().parent.parent / "src/hj212/testdata/hj212-invalid.txt"
PASSWORD = "Blauer-Himmel-2026"
GOOD = "GOOD00000000000000000001"


def stamp(offset_s=0.0):
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() + 8 * 3600 + offset_s))


class Numbers:
    """QNs that differ."""
    n = 0

    @classmethod
    def qn(cls):
        cls.n += 1
        return stamp(-(cls.n // 1000)) + f"{cls.n % 1000:03d}"


def sealed(seg):
    return b"##%04d%s%04X\r\n" % (len(seg), seg, crc16(seg))


def rss_kib(post):
    return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{post.proc.pid}/status", encoding="ascii").read()).group(1))


def throw(post, data, piece=0):
    """Sends and forgets; a peer that hangs up is no fault."""
    try:
        with post.connect(timeout=5) as s:
            for i in range(0, len(data), piece or max(len(data), 1)):
                s.sendall(data[i:i + (piece or len(data))])
            s.shutdown(socket.SHUT_WR)
            s.settimeout(10)
            while s.recv(65536):
                pass
    except OSError:
        pass


def good_device_is_served(post, n=3):
    with post.connect() as s:
        s.sendall(b"".join(frame(GOOD, Numbers.qn(), f"DataTime={stamp()};a21026-Rtd=1.5,a21026-Flag=N") for _ in range(n)))
        got = read_answers(s, n)
    assert len(got) == n, got
    status, body = post.request("GET", "/healthz")
    assert status == 200 and body["ok"], body
    return n


def ledger(post):
    rows = [json.loads(x) for x in cli("ledger", "--data", post.data, "--all-days", "--json", check=0).stdout.splitlines()]
    for r in rows:
        assert r["received"] == r["stored"] + r["duplicate"] + sum(r["rejected"].values()), r
    return rows


def forged(rnd):
    """Bytes a hostile or broken device may send, with a name each."""
    area = f"DataTime={stamp()};a21026-Rtd=1.1,a21026-Flag=N"
    good = frame("EVIL00000000000000000001", Numbers.qn(), area)
    mn = "E" * 24
    yield "truncated", good[:-9]
    yield "length lies low", b"##0010" + good[6:]
    yield "length lies high", b"##1023" + good[6:]
    yield "length 9999", b"##9999" + good[6:] + b"A" * 12000
    yield "length not a number", b"##-001" + good[6:] + b"##+0x1" + good[6:]
    yield "crc lies", damaged(good)
    yield "crc not hex", good[:-6] + b"zzzz\r\n"
    yield "nul bytes", b"\0" * 70000
    yield "only hashes", b"#" * 70000
    yield "heads", b"##0000" * 1000
    yield "random", rnd.randbytes(200000)
    yield "no end", b"##0200QN=" + b"1" * 100
    yield "long mn", frame("M" * 64, Numbers.qn(), area) + frame("M" * 65, Numbers.qn(), area) + frame("M" * 600, Numbers.qn(), area)
    yield "empty mn", frame("", Numbers.qn(), area)
    for odd in ("../../../etc/x", "a'; DROP TABLE device;--", "a\tb", "%s%n%s%n", "\x1b[2J", "MN=", "<script>"):
        yield f"mn {odd!r}", frame(odd, Numbers.qn(), area) + frame(mn, Numbers.qn(), area, pw=odd)
    for odd in ("00000000000000", "99999999999999", "20260231080000", "20991231235959", "19700101000000", "2026", "x" * 14):
        yield f"time {odd}", frame(mn, Numbers.qn(), f"DataTime={odd};a21026-Rtd=1,a21026-Flag=N") + frame(mn, odd + "000", area)
    for odd in ("9" * 18, "-" + "9" * 18, "9" * 400, "0." + "1" * 300, "1e308", "-1e308", "NaN", "Infinity", "0x10", "--1", ".", "-", "",
                "922337203685477.5807", "-9223372036854.775808", "1,5", "١"):
        text = f"DataTime={stamp()};a21026-Rtd={odd},a21026-Avg={odd},a21026-Cou={odd},a21026-Flag=N"
        seg = f"QN={Numbers.qn()};ST=31;CN=2061;PW=123456;MN={mn};Flag=5;CP=&&{text}&&".encode()
        yield f"number {odd[:20]}", sealed(seg)
    many = ";".join(f"a{i:05d}-Rtd=1,a{i:05d}-Flag=N" for i in range(38))
    yield "many items", frame(mn, Numbers.qn(), f"DataTime={stamp()};" + many)
    yield "tiny items", frame(mn, Numbers.qn(), f"DataTime={stamp()};" + "a=1;" * 230)
    yield "separators", frame(mn, Numbers.qn(), ";,=-;,&" * 100)
    yield "odd factors", sealed(b"QN=%s;ST=31;CN=2011;PW=1;MN=%s;Flag=5;CP=&&DataTime=%s;\xff\xfe\x01-Rtd=1,=-=1,-Rtd=2;\xe4\xb8-Flag=N&&"
                                % (Numbers.qn().encode(), mn.encode(), stamp().encode()))
    yield "packets", b"".join(frame(mn, Numbers.qn(), area).replace(b"Flag=5;", b"") for _ in range(2)) + sealed(
        f"QN={Numbers.qn()};ST=31;CN=2011;PW=1;MN={mn};Flag=7;PNUM=9999;PNO=9999;CP=&&{area}&&".encode()) + sealed(
        f"QN={Numbers.qn()};ST=31;CN=2011;PW=1;MN={mn};Flag=7;PNUM=0;PNO=5;CP=&&{area}&&".encode())
    yield "flags", b"".join(sealed(f"QN={Numbers.qn()};ST=31;CN=2011;PW=1;MN={mn};Flag={f};CP=&&{area}&&".encode()) for f in range(0, 260, 7))
    yield "commands", b"".join(frame(mn, Numbers.qn(), area, cn=c) for c in (0, 1, 1011, 1012, 1013, 2012, 9011, 9012, 9013, 9014, 9999, 99999))
    yield "systems", b"".join(sealed(f"QN={Numbers.qn()};ST={st};CN=2011;PW=1;MN={mn};Flag=5;CP=&&{area}&&".encode())
                              for st in ("", "0", "91", "99", "100", "A1", "Z9", "-1"))
    yield "answers nobody asked for", b"".join(frame(mn, Numbers.qn(), f"QnRtn={v}", cn=9011) + frame(mn, Numbers.qn(), f"ExeRtn={v}", cn=9012)
                                               for v in ("1", "-1", "99999999999999999999", ""))
    yield "an http request", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    yield "a tls hello", bytes.fromhex("160301020001000001fc0303") + rnd.randbytes(500)
    for i in range(60):
        f = bytearray(good)
        for _ in range(rnd.randrange(1, 6)):
            f[rnd.randrange(len(f))] = rnd.randrange(256)
        yield f"mutation {i}", bytes(f)


def hostile_bytes_leave_others_alone():
    rnd = random.Random(SEED)
    with Post() as post:
        post.start()
        served = good_device_is_served(post)
        data = INVALID.read_bytes()
        throw(post, data)
        for line in data.split(b"\n"):
            if line and not line.startswith(b"# "):
                throw(post, line + b"\r\n")
        served += good_device_is_served(post)
        before = rss_kib(post)
        for i, (_, bytes_) in enumerate(forged(rnd)):
            throw(post, bytes_, piece=rnd.choice((0, 0, 0, 7, 1000)) if len(bytes_) < 3000 else 0)
            if i % 40 == 0:
                served += good_device_is_served(post, 1)
        served += good_device_is_served(post)
        grown = rss_kib(post) - before
        rows = ledger(post)
        good = [r for r in rows if r["mn"] == GOOD]
        assert sum(r["stored"] for r in good) == served and not any(r["rejected"] for r in good), good
        assert sum(sum(r["rejected"].values()) for r in rows) > 100, rows
        assert grown < 200 * 1024, f"grew by {grown} KiB"
        assert post.stop() == 0
        after = ledger(post)
        assert after == rows, [(a, b) for a, b in zip(after, rows) if a != b]
        cli("verify-journal", "--data", post.data, check=0)


def strangers_have_a_limit():
    """1,000 devices not enrolled are kept; beyond that frames are refused, and after thirty in a row the connection is closed."""
    with Post() as post:
        post.start()
        answered = 0
        for part in range(4):
            with post.connect() as s:
                s.settimeout(20)
                got = b""
                try:
                    s.sendall(b"".join(frame(f"STRANGER{part:04d}{i:012d}", Numbers.qn(), f"DataTime={stamp()};a21026-Rtd=1,a21026-Flag=N")
                                       for i in range(750)))
                    while got.count(b"CN=9014") < 750 and (more := s.recv(65536)):
                        got += more
                except ConnectionResetError:
                    pass
            answered += got.count(b"CN=9014")
        with post.connect() as s:  # one that was early is still served
            s.sendall(frame("STRANGER0000" + f"{0:012d}", Numbers.qn(), f"DataTime={stamp()};a21026-Rtd=2,a21026-Flag=N"))
            assert len(read_answers(s, 1)) == 1
        rows = ledger(post)
        reasons = collections.Counter()
        for r in rows:
            reasons.update(r["rejected"])
        assert sum(r["stored"] for r in rows) == 1001 and len(reasons) == 1 and 30 * 3 <= sum(reasons.values()) <= 2000, (reasons, len(rows))
        assert 750 <= answered <= 1000, answered
        assert post.request("GET", "/healthz")[0] == 200
        assert post.stop() == 0


def slow_half_open_and_flooding_peers():
    with Post() as post:
        post.start()
        before = rss_kib(post)
        slow = post.connect()
        drip = frame("SLOW00000000000000000001", Numbers.qn(), f"DataTime={stamp()};a21026-Rtd=1,a21026-Flag=N")
        open_ = [post.connect() for _ in range(200)]
        for s in open_[:100]:
            s.sendall(b"##0200QN=2026")
        stop = threading.Event()

        def flood():
            part = frame("FLOOD0000000000000000001", Numbers.qn(), f"DataTime={stamp()};a21026-Rtd=1,a21026-Flag=N") * 200
            while not stop.is_set():
                try:
                    with post.connect(timeout=2) as f:
                        while not stop.is_set():
                            f.sendall(part)  # never reads
                except OSError:
                    pass

        floods = [threading.Thread(target=flood) for _ in range(3)]
        for t in floods:
            t.start()
        for b in drip[:-1]:
            slow.sendall(bytes([b]))
            time.sleep(0.005)
        served, t0 = 0, time.monotonic()
        while time.monotonic() - t0 < 3:
            served += good_device_is_served(post, 2)
        slow.sendall(drip[-1:])
        assert len(read_answers(slow, 1)) == 1
        for s in open_[100:]:  # reset instead of a good end
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
        stop.set()
        for t in floods:
            t.join()
        grown = rss_kib(post) - before
        assert grown < 200 * 1024, f"grew by {grown} KiB"
        served += good_device_is_served(post)
        good = [r for r in ledger(post) if r["mn"] == GOOD]
        assert sum(r["stored"] for r in good) == served, (served, good)
        assert post.stop() == 0  # with half-open peers still there
        for s in [slow, *open_[:100]]:
            s.close()


def two_devices_and_doubled_connections():
    with Post() as post:
        post.start()
        a, b = "PAIR00000000000000000001", "PAIR00000000000000000002"
        with post.connect() as one, post.connect() as two:
            for s in (one, two):
                s.sendall(b"".join(frame(mn, Numbers.qn(), f"DataTime={stamp()};a21026-Rtd={i},a21026-Flag=N")
                                   for i in range(20) for mn in (a, b)))
            assert len(read_answers(one, 40)) == 40 and len(read_answers(two, 40)) == 40
        rows = {r["mn"]: r for r in ledger(post)}
        assert rows[a]["stored"] == rows[b]["stored"] == 40, rows
        assert post.stop() == 0


# ---- HTTP ----

class Session:
    def __init__(self, post, login, password):
        status, headers, body = post.request("POST", "/api/v1/session", {"login": login, "password": password}, raw=True)
        assert status == 200, (login, status, body)
        answer = json.loads(body)
        self.post, self.user, self.password = post, answer["user"], password
        self.headers = {"Cookie": headers["Set-Cookie"].split(";")[0], "X-CSRF-Token": answer["csrf"]}

    def call(self, method, path, body=None):
        return self.post.request(method, path, body, self.headers)

    def must(self, method, path, body=None):
        status, answer = self.call(method, path, body)
        assert status in (200, 201, 204), (method, path, status, answer)
        return answer


def administrator(post):
    once = re.search(r"password[^:]*: (\S+)", "".join(post.out)).group(1)
    Session(post, "admin", once).must("PUT", "/api/v1/session/password", {"old": once, "new": PASSWORD})
    return Session(post, "admin", PASSWORD)


def person(post, admin, login, role, **more):
    role_id = {r["code"]: r["id"] for r in admin.must("GET", "/api/v1/role")["items"]}[role]
    user = admin.must("POST", "/api/v1/user", {"login": login, "name": login, "role": role_id, **more})["id"]
    once = admin.must("POST", f"/api/v1/user/{user}/password")["password"]
    Session(post, login, once).must("PUT", "/api/v1/session/password", {"old": once, "new": PASSWORD})
    return Session(post, login, PASSWORD)


def town(admin):
    top = admin.must("POST", "/api/v1/territory", {"code": "410300", "name": "洛阳市", "level": "city"})["id"]
    out = []
    for i, code in enumerate(("91410100MA44000015", "91410100MA44000023")):
        county = admin.must("POST", "/api/v1/territory", {"code": f"41032{i + 2}", "name": f"县{i}", "level": "county", "parent": top})["id"]
        plant = admin.must("POST", "/api/v1/enterprise", {"code": code, "name": f"厂{i}", "industry": "steel", "territory": county})["id"]
        outlet = admin.must("POST", "/api/v1/outlet", {"code": f"DA{i}", "name": f"口{i}", "enterprise": plant})["id"]
        device = admin.must("POST", "/api/v1/device", {"mn": f"WALL0000000000000000000{i}", "name": f"设备{i}", "outlet": outlet,
                                                       "status": "active", "pw": f"Se{i}ret"})["id"]
        out.append({"territory": county, "enterprise": plant, "outlet": outlet, "device": device})
    return top, out


def every_object_route(post, method):
    """Routes with an id in them, as (kind, template)."""
    _, api = post.request("GET", "/api/v1/openapi.json")
    for path, operations in api["paths"].items():
        if method in operations and path.count("{") == 1 and "{id}" in path:
            need = "&".join(f"{q['name']}={'rtd' if q['name'] == 'kind' else '1'}" for q in operations[method].get("parameters", [])
                            if q["in"] == "query" and q["required"])
            yield path.split("/")[3], path + ("?" + need if need else "")


def one_county_cannot_reach_the_other():
    with Post() as post:
        post.start()
        admin = administrator(post)
        _, (own, other) = town(admin)
        for login, role, more in (("a-county", "county", {}), ("a-plant", "plant", {"enterprise": own["enterprise"]}),
                                  ("an-analyst", "analyst", {})):
            s = person(post, admin, login, role, territory=own["territory"], **more)
            tried = 0
            for method in ("get", "post", "patch", "delete"):
                for kind, template in every_object_route(post, method):
                    if kind not in other or kind == "territory":  # territories are for all to read
                        continue
                    body = {"version": 1, "name": "taken", "cn": 1061, "outlet": own["outlet"]} if method in ("post", "patch") else None
                    status, answer = s.call(method.upper(), template.replace("{id}", str(other[kind])), body)
                    assert status in (403, 404), (role, method, template, status, answer)
                    tried += 1
            assert tried > 15, tried
            for kind in ("enterprise", "outlet", "device"):
                status, _, text = post.request("GET", f"/api/v1/{kind}/export?format=csv", headers=s.headers, raw=True)
                assert status == 200 and "0,县1" not in text.decode() and "厂1" not in text.decode() and "口1" not in text.decode()
            for method, path, body in (
                    ("PATCH", f"/api/v1/enterprise/{own['enterprise']}", {"version": 1, "territory": other["territory"]}),
                    ("PATCH", f"/api/v1/outlet/{own['outlet']}", {"version": 1, "enterprise": other["enterprise"]}),
                    ("POST", "/api/v1/outlet", {"code": "X", "name": "x", "enterprise": other["enterprise"]}),
                    ("POST", "/api/v1/process_state", {"outlet": other["outlet"], "state": "stopped", "begin_at": "2026-01-01T00:00:00+08:00"})):
                status, answer = s.call(method, path, body)
                assert status in (403, 404, 422), (role, method, path, status, answer)
            taken = f"code,name\n91410100MA44000023,taken\n".encode()
            status, answer = s.call("POST", "/api/v1/enterprise/import?format=csv", taken)
            assert status == 403 or not answer["written"], (role, answer)
        assert admin.must("GET", f"/api/v1/enterprise/{other['enterprise']}")["name"] == "厂1"
        assert post.stop() == 0


def passwords_do_not_leak():
    with Post() as post:
        post.start()
        admin = administrator(post)
        top, (own, _) = town(admin)
        key, new = "00112233445566778899aabbccddeeff", "Ne0Pass"
        device = admin.must("GET", f"/api/v1/device/{own['device']}")
        admin.must("PATCH", f"/api/v1/device/{own['device']}", {"version": device["version"], "sm4_key": key})
        duty = person(post, admin, "a-duty", "duty", territory=top)
        leader = person(post, admin, "a-leader", "leader", territory=top)
        auditor = person(post, admin, "an-auditor", "auditor", territory=top)
        with post.connect() as s:
            s.sendall(frame(device["mn"], Numbers.qn(), f"DataTime={stamp()};a21026-Rtd=1,a21026-Flag=N", pw="Se0ret"))
            s.settimeout(10)
            got, refused, asked = b"", set(), False
            while f"NewPW={new}".encode() not in got:  # the device itself must get it; what the post asks before is refused
                part = s.recv(4096)
                assert part, got
                got += part
                for qn in set(re.findall(rb"QN=(\d{17});ST=31;CN=10", got)) - refused:
                    s.sendall(sealed(b"QN=" + qn + b";ST=91;CN=9011;PW=Se0ret;MN=" + device["mn"].encode() + b";Flag=4;CP=&&QnRtn=2&&"))
                    refused.add(qn)
                if not asked and b"CN=9014" in got:
                    status, answer = duty.call("POST", f"/api/v1/device/{own['device']}/command", {"cn": 1072, "area": f"NewPW={new}"})
                    assert status == 201, answer
                    asked = True
            time.sleep(0.5)
        throw(post, frame(device["mn"], Numbers.qn(), f"DataTime={stamp()};a21026-Rtd=1,a21026-Flag=N", pw="Se0ret")[:-3] * 2)
        secrets = ("Se0ret", key, new, "argon2", PASSWORD)
        paths = ["/api/v1/device", "/api/v1/device/export?format=csv", f"/api/v1/device/{own['device']}/history", "/api/v1/command",
                 "/api/v1/command/export?format=csv", f"/api/v1/device/{own['device']}/commands", "/api/v1/command/1/history",
                 f"/api/v1/device/{own['device']}/frames", "/api/v1/user", "/api/v1/user/export?format=csv", "/api/v1/audit",
                 "/api/v1/user/1/history", "/api/v1/system", "/metrics"]
        seen = 0
        for who in (leader, auditor, admin):
            for path in paths:
                if who is admin and path.endswith("/frames"):
                    continue  # who may change the device may see its frames as they are
                status, _, text = post.request("GET", path, headers=who.headers, raw=True)
                seen += status == 200
                for secret in secrets:
                    assert secret.encode() not in text, (who.user["role"], path, secret, text[:2000])
        assert seen > 25, seen
        log = post.tail()
        assert not any(x in log for x in secrets), log
        for name in ("pw", "sm4_key"):
            for query in (f"{name}=x", f"sort={name}", f"{name}.min=a", f"{name}_set=true"):
                assert admin.call("GET", f"/api/v1/device?{query}")[0] == 422, query
        assert admin.call("GET", "/api/v1/user?sort=password")[0] == 422
        assert post.stop() == 0


def tokens_stay_in_their_scope():
    with Post() as post:
        post.start()
        admin = administrator(post)
        top, _ = town(admin)
        duty = person(post, admin, "a-duty", "duty", territory=top)
        end = time.strftime("%Y-%m-%dT00:00:00+08:00", time.gmtime(time.time() + 30 * 86400))
        for wide in ("*", "user:write", "*:read", "enterprise:*", "device:read,audit:read"):
            assert duty.call("POST", "/api/v1/token", {"name": "t", "permissions": wide, "expires_at": end})[0] == 403, wide
        token = duty.must("POST", "/api/v1/token", {"name": "t", "permissions": "enterprise:read", "expires_at": end})
        bearer = {"Authorization": "Bearer " + token["token"]}
        assert post.request("GET", "/api/v1/enterprise", headers=bearer)[0] == 200
        for method, path, body in (("GET", "/api/v1/device", None), ("GET", "/api/v1/alarm/board", None),
                                   ("POST", "/api/v1/token", {"name": "x", "permissions": "enterprise:read", "expires_at": end}),
                                   ("PUT", "/api/v1/session/password", {"old": PASSWORD, "new": "Anderer-Himmel-77"})):
            status, answer = post.request(method, path, body, bearer)
            assert status == 403, (method, path, status, answer)
        assert Session(post, "a-duty", PASSWORD).user["login"] == "a-duty", "the password is what it was"
        assert admin.call("DELETE", f"/api/v1/token/{token['id']}")[0] == 404
        duty.must("DELETE", f"/api/v1/token/{token['id']}")
        assert post.request("GET", "/api/v1/enterprise", headers=bearer)[0] == 401
        assert post.stop() == 0


def nobody_raises_himself():
    """Who keeps users or roles cannot give more than he has: not by a record, a role, an import, a password or a token."""
    with Post() as post:
        post.start()
        admin = administrator(post)
        top, (own, _) = town(admin)
        for code, permissions in (("clerk", "user:read,user:write,role:read"), ("keeper", "role:read,role:write,user:read")):
            admin.must("POST", "/api/v1/role", {"code": code, "name": code, "permissions": permissions})
        roles = {r["code"]: r for r in admin.must("GET", "/api/v1/role")["items"]}
        clerk, keeper = (person(post, admin, f"a-{c}", c, territory=own["territory"]) for c in ("clerk", "keeper"))
        me, boss = clerk.user["id"], admin.user["id"]
        version = admin.must("GET", f"/api/v1/user/{me}")["version"]
        keeper_role = roles["keeper"]
        for s, method, path, body in (
                (clerk, "POST", "/api/v1/user", {"login": "evil", "name": "e", "role": roles["admin"]["id"]}),
                (clerk, "PATCH", f"/api/v1/user/{me}", {"version": version, "role": roles["admin"]["id"]}),
                (clerk, "PATCH", f"/api/v1/user/{me}", {"version": version, "territory": top}),
                (clerk, "PATCH", f"/api/v1/user/{me}", {"version": version, "territory": None}),
                (clerk, "PATCH", f"/api/v1/user/{me}", {"version": version, "password": "x"}),
                (clerk, "POST", f"/api/v1/user/{boss}/password", None),
                (clerk, "PATCH", f"/api/v1/user/{boss}", {"version": 1, "disabled": True}),
                (clerk, "DELETE", f"/api/v1/user/{boss}?version=1", None),
                (keeper, "POST", "/api/v1/role", {"code": "evil", "name": "e", "permissions": "*"}),
                (keeper, "PATCH", f"/api/v1/role/{keeper_role['id']}", {"version": keeper_role["version"], "permissions": "*"}),
                (keeper, "PATCH", f"/api/v1/role/{keeper_role['id']}",
                 {"version": keeper_role["version"], "permissions": "role:read,role:write,user:read,audit:read"})):
            status, answer = s.call(method, path, body)
            assert status in (403, 404, 422), (s.user["login"], method, path, body, status, answer)
        for row in (f"evil,e,{roles['admin']['code']}", "a-clerk,e,admin"):
            status, answer = clerk.call("POST", "/api/v1/user/import?format=csv", f"login,name,role\n{row}\n".encode())
            assert status in (403, 422) or not answer["written"], answer
        assert [u["login"] for u in admin.must("GET", "/api/v1/user?q=evil")["items"]] == []
        assert post.stop() == 0


def hostile_imports_write_nothing():
    import io
    import zipfile
    with Post() as post:
        post.start()
        admin = administrator(post)
        town(admin)
        count = len(admin.must("GET", "/api/v1/unit")["items"])

        def xlsx(sheet, strings=b"", extra=()):
            out = io.BytesIO()
            with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
                z.writestr("[Content_Types].xml", b"<Types/>")
                z.writestr("xl/workbook.xml", b'<workbook xmlns:r="r"><sheets><sheet name="a" sheetId="1" r:id="rId1"/></sheets></workbook>')
                z.writestr("xl/_rels/workbook.xml.rels", b'<Relationships><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/'
                           b'officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>')
                z.writestr("xl/worksheets/sheet1.xml", sheet)
                if strings:
                    z.writestr("xl/sharedStrings.xml", strings)
                for name, data in extra:
                    z.writestr(name, data)
            return out.getvalue()

        def rows(*cells):
            return b'<worksheet><sheetData>' + b"".join(cells) + b"</sheetData></worksheet>"

        bomb = rows(b'<row r="1"><c r="A1" t="inlineStr"><is><t>' + b"A" * 120_000_000 + b"</t></is></c></row>")
        billion = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + b"".join(
            b'<!ENTITY %c "%s">' % (98 + i, (b"&%c;" % (97 + i)) * 10) for i in range(9)) + b']><sst><si><t>&j;</t></si></sst>'
        external = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><sst><si><t>&e;</t></si></sst>'
        text = rows(b'<row r="1"><c r="A1" t="s"><v>0</v></c></row>')
        attacks = {
            "zip bomb": ("xlsx", xlsx(bomb)), "entities": ("xlsx", xlsx(text, billion)), "external": ("xlsx", xlsx(text, external)),
            "far cell": ("xlsx", xlsx(rows(b'<row r="1048577"><c r="XFE1048577"><v>1</v></c></row>'))),
            "odd cell": ("xlsx", xlsx(rows(b'<row r="-1"><c r="ZZZZZZZZ99999999999"><v>1</v></c></row>'))),
            "string index": ("xlsx", xlsx(rows(b'<row r="1"><c r="A1" t="s"><v>999999999999</v></c><c r="A2" t="s"><v>-1</v></c></row>'))),
            "no zip": ("xlsx", b"PK\3\4" + b"\0" * 1000), "empty": ("csv", b""), "nul": ("csv", b"name,type\na\0b,team\n"),
            "columns": ("csv", b"name" + b",x" * 1_000_000 + b"\n"), "quote": ("csv", b'name,type\n"' + b"a" * 1_000_000),
            "not utf-8": ("csv", b"name,type\n\xff\xfe,team\n"), "types": ("csv", b"name,type,territory\na,team,abc\nb,nonsense,1\n"),
            "foreign columns": ("csv", b"name,type,version,deleted,id\na,team,1,1,1\n"),
            "secret": ("csv", b"name,password\na,b\n"), "rows": ("csv", b"name,type\n" + b"x,\n" * 200_000),
        }
        before = rss_kib(post)
        for name, (form, data) in attacks.items():
            t = time.monotonic()
            status, answer = admin.call("POST", f"/api/v1/unit/import?format={form}", data)
            assert status in (200, 400, 413, 422, 429), (name, status, answer)
            assert status != 200 or not answer["written"], (name, answer)
            assert b"root:" not in json.dumps(answer).encode(), name
            assert len(json.dumps(answer)) < 2_000_000, (name, len(json.dumps(answer)))
            assert time.monotonic() - t < 10, (name, time.monotonic() - t)
        grown = rss_kib(post) - before
        assert grown < 300 * 1024, f"grew by {grown} KiB"
        assert len(admin.must("GET", "/api/v1/unit")["items"]) == count
        formula = "=HYPERLINK(1)"
        admin.must("POST", "/api/v1/unit", {"name": formula, "type": "team"})
        _, _, out = post.request("GET", "/api/v1/unit/export?format=csv", headers=admin.headers, raw=True)
        assert not re.search(rb'(^|,)"?=HYPERLINK', out, re.M), out
        assert admin.must("POST", "/api/v1/unit/import?format=csv&dry_run=1", out)["errors"] == [], "an export can be imported"
        assert post.request("GET", "/healthz")[0] == 200
        assert post.stop() == 0


def cost_of(post, work):
    """(its result, seconds of processor, MiB above what it had) of the post for one piece of work."""
    def cpu():
        with open(f"/proc/{post.proc.pid}/stat", encoding="ascii") as f:
            return sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13])) / os.sysconf("SC_CLK_TCK")

    with open(f"/proc/{post.proc.pid}/clear_refs", "w", encoding="ascii") as f:
        f.write("5")  # the peak starts anew
    before, had = cpu(), rss_kib(post)
    out = work()
    with open(f"/proc/{post.proc.pid}/status", encoding="ascii") as f:
        peak = int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1))
    return out, cpu() - before, (peak - had) / 1024


def two_hundred_hostile_sheets():
    """Bombs, lies, wrong encodings, merged cells, formulas, dates that are none: each refused with its reason, cells by row and column."""
    with Post() as post:
        post.start()
        admin = administrator(post)
        town(admin)
        sheets = [(n, "enterprise", f, d, None, None) for n, f, d in hostile_inputs.bad_files(random.Random(SEED))]
        sheets += list(hostile_inputs.bad_cells(random.Random(SEED)))
        assert len(sheets) >= 200, len(sheets)
        worst_s = worst_mib = 0.0
        wrong = []
        for name, kind, form, data, row, column in sheets:
            (status, answer), seconds, mib = cost_of(post, lambda: admin.call("POST", f"/api/v1/{kind}/import?format={form}", data))
            worst_s, worst_mib = max(worst_s, seconds), max(worst_mib, mib)
            text = json.dumps(answer, ensure_ascii=False)
            ok = status in (400, 413, 422) and answer["error"]["message"] or status == 200 and answer["errors"] and not answer["written"]
            if row and status == 200:
                ok = ok and any(e["row"] == row and e["column"] == column for e in answer["errors"])
            elif row and column != "code":  # a code too long for a cell is a fault of the file
                ok = False
            if not ok or "root:" in text or len(text) > 2_000_000 or seconds > 5 or mib > 200:
                wrong.append(f"{name}: {status} {text[:200]} ({seconds:.1f} s of processor, {mib:.0f} MiB)")
        print(f"# {len(sheets)} sheets; at most {worst_s:.2f} s of processor and {worst_mib:.0f} MiB each", flush=True)
        assert not wrong, f"{len(wrong)} sheets:\n" + "\n".join(wrong[:30])
        assert post.request("GET", "/healthz")[0] == 200
        assert post.stop() == 0


def hostile_requests_break_nothing():
    with Post() as post:
        post.start()
        before, wrong = rss_kib(post), []

        def send(name, data):
            out = b""
            try:
                with socket.create_connection(("127.0.0.1", post.http), timeout=2) as s:
                    s.sendall(data)
                    s.shutdown(socket.SHUT_WR)
                    while part := s.recv(65536):
                        out += part
            except OSError:
                pass  # hanging up on it is an answer, too
            # libmicrohttpd itself answers 500 to a chunk extension that does not fit its buffer, and hangs up
            codes = set(re.findall(rb"^HTTP/1\.[01] (\d{3})", out, re.M)) - ({b"500"} if name == "chunk extension" else set())
            if any(c >= b"500" and c not in (b"501", b"505") for c in codes) or b"root:" in out:
                wrong.append(f"{name}: {out[:200]!r}")

        attacks = list(hostile_inputs.requests(random.Random(SEED)))
        with concurrent.futures.ThreadPoolExecutor(16) as pool:  # most are waited for until the post gives them up, or two seconds
            list(pool.map(lambda a: send(*a), attacks))
        assert post.request("GET", "/healthz")[0] == 200
        grown = rss_kib(post) - before
        print(f"# {len(attacks)} requests, memory grown by {grown} KiB", flush=True)
        assert not wrong, "\n".join(wrong[:20])
        assert grown < 100 * 1024, f"grew by {grown} KiB"
        assert post.stop() == 0


def raw_http(post, data, seconds=3):
    out, end = b"", time.monotonic() + seconds
    with socket.create_connection(("127.0.0.1", post.http), timeout=seconds) as s:
        try:
            s.sendall(data)
            while time.monotonic() < end and (part := s.recv(65536)):
                out += part
        except OSError:
            pass
    return out


def forged_requests_are_refused():
    rnd = random.Random(SEED)
    with Post() as post:
        post.start()
        admin = administrator(post)
        cookie = admin.headers["Cookie"]
        close = b"Host: x\r\nConnection: close\r\n"
        for head, want in ((b"BREW / HTTP/1.1", (b"405",)), (b"TRACE / HTTP/1.1", (b"405",)), (b"GET http://evil/ HTTP/1.1", (b"400",)),
                           (b"GET / HTTP/9.9", (b"505",)), (b"GET /%zz HTTP/1.1", (b"400",)), (b"GET /%ff HTTP/1.1", (b"400",)),
                           (b"HEAD /healthz HTTP/1.1", (b"200",)), (b"OPTIONS /api/v1/unit HTTP/1.1", (b"204",)),
                           (b"POST /api/v1/session HTTP/1.1\r\nContent-Length: -2", (b"400",)),
                           (b"POST /api/v1/session HTTP/1.1\r\nContent-Length: 99999999999999999999", (b"413", b"400"))):
            answer = raw_http(post, head + b"\r\n" + close + b"\r\n")
            assert answer.split(b"\r\n")[0][9:12] in want, (head, answer[:200])
            assert b"Access-Control-Allow-Origin" not in answer, head
        for method, path in (("POST", "/api/v1/unit"), ("PATCH", "/api/v1/unit/1"), ("DELETE", "/api/v1/unit/1?version=1"),
                             ("PUT", "/api/v1/session"), ("DELETE", "/api/v1/session"), ("POST", "/api/v1/unit/import?format=csv")):
            for csrf in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "x" * 43}, {"X-CSRF-Token": admin.headers["X-CSRF-Token"][:-1]}):
                status, answer = post.request(method, path, None if method == "DELETE" else {}, {"Cookie": cookie, **csrf})
                assert status == 403 and answer["error"]["code"] == "AUTH_CSRF", (method, path, csrf, answer)
        given = "lt_session=" + "A" * 43  # a session cannot be chosen by who attacks
        status, headers, _ = post.request("POST", "/api/v1/session", {"login": "admin", "password": PASSWORD}, {"Cookie": given}, raw=True)
        assert status == 200 and given not in headers["Set-Cookie"]
        assert post.request("GET", "/api/v1/session", headers={"Cookie": given})[0] == 401
        page = admin.must("GET", "/api/v1/rule?limit=3&sort=severity")
        wrong = collections.Counter()
        for _ in range(100):
            c = bytearray(page["next"].encode())
            c[rnd.randrange(len(c))] = rnd.choice(b"abc0189xyzAZ-_")
            wrong[admin.call("GET", f"/api/v1/rule?limit=3&sort=severity&cursor={c.decode()}")[0]] += 1
        assert set(wrong) <= {200, 422} and wrong[422], wrong
        assert admin.call("GET", f"/api/v1/rule?limit=3&sort=code&cursor={page['next']}")[0] == 422
        for query in ("limit=0", "limit=201", "limit=1e3", "sort=id;--", "deleted=1", "code.like=%25", "nothing=1"):
            assert admin.call("GET", f"/api/v1/rule?{query}")[0] == 422, query
        for id_ in ("0", "-1", "+1", "1e1", "9223372036854775808", "01x", "%31%00"):
            assert admin.call("GET", f"/api/v1/rule/{id_}")[0] in (400, 404), id_
        for body in (b"[]", b"null", b"{", b'{"a":' * 2000, b'{"name":"\\u0000"}', b'{"name":"\xff"}', b'{"name":1e999}'):
            assert admin.call("POST", "/api/v1/unit", body)[0] == 400, body[:30]
        assert post.request("GET", "/healthz")[0] == 200
        assert post.stop() == 0


def guessing_locks_the_account():
    with Post() as post:
        post.start()
        admin = administrator(post)
        top, _ = town(admin)
        person(post, admin, "a-duty", "duty", territory=top)
        answers = [post.request("POST", "/api/v1/session", {"login": "a-duty", "password": f"wrong-{i}-Pass"}) for i in range(6)]
        codes = [a["error"]["code"] for _, a in answers]
        assert codes[:5] == ["AUTH_FAILED"] * 5 and codes[5] in ("AUTH_LOCKED", "LIMIT"), codes
        status, answer = post.request("POST", "/api/v1/session", {"login": "a-duty", "password": PASSWORD})
        assert status != 200 and answer["error"]["code"] in ("AUTH_LOCKED", "LIMIT"), answer
        assert admin.call("GET", "/api/v1/session")[0] == 200, "others go on"
        assert post.stop() == 0


def damaged_files_are_told():
    rnd = random.Random(SEED)
    with Post() as post:
        post.start()
        good_device_is_served(post, 50)
        assert post.stop() == 0
        cli("verify-journal", "--data", post.data, check=0)
        day = next(pathlib.Path(post.data, "journal").glob("*.db"))
        whole = day.read_bytes()
        last = next(i for i in range(len(whole) - 4096, 0, -4096) if any(whole[i:i + 4096]))
        used = [i for i in range(last + 8, last + 4096) if whole[i]]  # the page of the batches; free space is nobody's
        for _ in range(12):
            b, at = bytearray(whole), rnd.choice(used)
            b[at] ^= 1 << rnd.randrange(8)
            day.write_bytes(b)
            r = cli("verify-journal", "--data", post.data)
            assert r.returncode in (1, 2) and r.stdout + r.stderr, (at, r)
            for more in (["export", "frames"], ["ledger", "--json"]):
                assert cli(*more, "--data", post.data).returncode in (0, 1, 2), more
        day.write_bytes(whole)
        cli("verify-journal", "--data", post.data, check=0)
        state = pathlib.Path(post.data, "state.db")
        kept = state.read_bytes()
        for damaged in (b"", b"not a database" * 1000, kept[:2048] + rnd.randbytes(len(kept) - 2048)):
            if damaged == b"":
                continue  # an empty file is a new database to SQLite
            state.write_bytes(damaged)
            r = cli("serve", "--data", post.data, "--http", "127.0.0.1:0", "--hj212", "127.0.0.1:0", timeout=30)
            assert r.returncode in (1, 2) and b"state.db" in r.stderr, r
        state.write_bytes(kept)
        good_device_is_served(post.start())
        assert post.stop() == 0


def a_wrong_directory_is_told():
    with tempfile.TemporaryDirectory() as d:
        for args in (["verify-journal"], ["export", "frames"], ["export", "unit"], ["backup", "--to", d + "/b"]):
            for where in (d, d + "/none"):
                r = cli(*args, "--data", where)
                assert r.returncode == 2 or args[0] == "backup", (args, where, r)
        assert not os.path.exists(d + "/state.db"), "looking must not make anything"
        assert cli("export", "unit", "--data", d, "--format", "pdf").returncode == 2


def an_older_journal_beside_a_newer_state_is_refused():
    import shutil
    with Post() as post:
        post.start()
        good_device_is_served(post, 10)
        assert post.stop() == 0
        journal = post.data + "/journal"
        shutil.copytree(journal, post.data + "/older")
        post.start()
        good_device_is_served(post, 50)
        assert post.stop() == 0
        os.rename(journal, post.data + "/newer")
        for other in (None, "/older"):  # lost, or of an older copy
            shutil.rmtree(journal, ignore_errors=True)
            if other:
                shutil.copytree(post.data + other, journal)
            r = cli("serve", "--data", post.data, "--http", "127.0.0.1:0", "--hj212", "127.0.0.1:0", timeout=30)
            assert r.returncode == 2 and b"journal" in r.stderr and b"backup" in r.stderr, r
        shutil.rmtree(journal)
        os.rename(post.data + "/newer", journal)
        good_device_is_served(post.start())
        assert post.stop() == 0


def two_people_sign_at_once():
    """One alarm, many hands: one signs, the others are told; nothing skips a step; re-opening ends the silence."""
    with Post() as post:
        post.start()
        admin = administrator(post)
        top, (own, _) = town(admin)
        admin.must("POST", "/api/v1/factor_limit", {"outlet": own["outlet"], "factor": "a21026", "period": "hour", "basis": "measured",
                                                    "limit_value": 10, "standard": "test", "valid_from": "2020-01-01"})
        people = [person(post, admin, f"duty-{i}", "duty", territory=top) for i in range(3)]
        with post.connect() as s:
            s.sendall(frame("WALL00000000000000000000", Numbers.qn(), f"DataTime={stamp(-3600)[:10]}0000;a21026-Avg=500.5,a21026-Flag=N",
                            cn=2061, pw="Se0ret"))
            end = time.monotonic() + 15
            while not (found := admin.must("GET", "/api/v1/alarm")["items"]) and time.monotonic() < end:
                time.sleep(0.2)
        assert found, "an hour of fifty times the limit"
        path = f"/api/v1/alarm/{found[0]['id']}"
        results = []
        threads = [threading.Thread(target=lambda p=p: results.append((p.user["id"], p.call("POST", path + "/sign")[0]))) for p in people * 4]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        winners = [u for u, status in results if status == 200]
        assert len(winners) == 1 and {x for _, x in results} == {200, 409}, results
        assert admin.must("GET", path)["signed_by"] == winners[0]
        duty, until = people[0], time.strftime("%Y-%m-%dT%H:%M:%S+08:00", time.gmtime(time.time() + 9 * 3600))
        for move, body, want in (("sign", {}, 409), ("close", {}, 409), ("report", {}, 422), ("report", {"note": " "}, 422),
                                 ("confirm", {}, 422), ("confirm", {"outcome": "perhaps"}, 422), ("suppress", {"reason": "x"}, 422),
                                 ("suppress", {"until": until}, 422), ("suppress", {"reason": "x", "until": "2020-01-01"}, 422),
                                 ("suppress", {"reason": "x", "until": "9999-01-01"}, 422),
                                 ("delete", {}, 404), ("suppress", {"reason": "检修", "until": until}, 200), ("reopen", {}, 422),
                                 ("reopen", {"note": "提前结束"}, 200)):
            status, answer = duty.call("POST", f"{path}/{move}", body)
            assert status == want, (move, body, status, answer)
        lifted = duty.must("GET", "/api/v1/suppression")["items"]
        assert len(lifted) == 1 and lifted[0]["until_at"] < until, lifted
        assert duty.call("PATCH", path, {"version": 1, "state": "closed"})[0] in (404, 405)
        assert post.stop() == 0


def term_under_load_loses_nothing():
    import subprocess
    from post import LANTIAN
    with Post() as post, tempfile.NamedTemporaryFile("r", errors="replace") as acked:
        post.start()
        sim = subprocess.Popen([LANTIAN, "sim", "--to", f"127.0.0.1:{post.hj212}", "--devices", "20", "--rate", "2000", "--seconds", "4",
                                "--timeout", "1500", "--drain", "1000", "--acked", acked.name, "--quiet"], stdout=subprocess.DEVNULL)
        time.sleep(2)
        assert post.stop() == 0
        sim.wait(timeout=60)
        lines = [x.rstrip("\n") for x in acked]
        stored = set(cli("export", "frames", "--data", post.data, check=0).stdout.decode().splitlines())
        assert len(lines) > 100 and not [x for x in lines if x not in stored]
        ledger(post)


if __name__ == "__main__":
    run_tests([hostile_bytes_leave_others_alone, strangers_have_a_limit, slow_half_open_and_flooding_peers,
               two_devices_and_doubled_connections, one_county_cannot_reach_the_other, passwords_do_not_leak,
               tokens_stay_in_their_scope, nobody_raises_himself, hostile_imports_write_nothing, two_hundred_hostile_sheets,
               hostile_requests_break_nothing, forged_requests_are_refused,
               guessing_locks_the_account, two_people_sign_at_once, damaged_files_are_told, a_wrong_directory_is_told,
               an_older_journal_beside_a_newer_state_is_refused, term_under_load_loses_nothing])
