#!/usr/bin/env python3
"""The HTTP API of a running post: cookies, limits, streams, TLS. Every route for every role: matrix_test.py."""
import http.client
import json
import os
import re
import resource
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(__file__))
from post import LONG, Post, frame, read_answers, run_tests

PASSWORD = "Blauer-Himmel-2026"


class Session:
    def __init__(self, post, login, password):
        status, headers, body = post.request("POST", "/api/v1/session", {"login": login, "password": password}, raw=True)
        assert status == 200, (login, status, body)
        self.cookie_line = headers["Set-Cookie"]
        answer = json.loads(body)
        self.post, self.user = post, answer["user"]
        self.headers = {"Cookie": self.cookie_line.split(";")[0], "X-CSRF-Token": answer["csrf"]}

    def call(self, method, path, body=None):
        return self.post.request(method, path, body, self.headers)

    def must(self, method, path, body=None, status=(200, 201)):
        got, answer = self.call(method, path, body)
        assert got in status, (method, path, got, answer)
        return answer


def administrator(post):
    once = re.search(r"password[^:]*: (\S+)", "".join(post.out)).group(1)
    s = Session(post, "admin", once)
    assert s.user["must_change"]
    status, answer = s.call("GET", "/api/v1/enterprise")
    assert status == 403 and answer["error"]["code"] == "AUTH_CHANGE", answer
    s.must("PUT", "/api/v1/session/password", {"old": once, "new": PASSWORD})
    return Session(post, "admin", PASSWORD)


def city(admin):
    """Two counties with a plant, an outlet and a device each."""
    out = {"county": [], "plant": [], "outlet": [], "device": []}
    top = admin.must("POST", "/api/v1/territory", {"code": "410300", "name": "洛阳市", "level": "city"})["id"]
    for i, code in enumerate(["91410100MA44000015", "91410100MA44000023"]):
        county = admin.must("POST", "/api/v1/territory", {"code": f"41032{i + 2}", "name": f"县{i}", "level": "county",
                                                          "parent": top})["id"]
        plant = admin.must("POST", "/api/v1/enterprise", {"code": code, "name": f"钢铁{i}", "industry": "steel",
                                                          "territory": county})["id"]
        outlet = admin.must("POST", "/api/v1/outlet", {"code": f"DA{i}", "name": f"烧结{i}", "enterprise": plant})["id"]
        device = admin.must("POST", "/api/v1/device", {"mn": f"8888888000000{i}", "name": f"设备{i}", "outlet": outlet,
                                                       "status": "active", "pw": "123456"})["id"]
        for kind, value in (("county", county), ("plant", plant), ("outlet", outlet), ("device", device)):
            out[kind].append(value)
    return out


def cookies_tokens_and_errors():
    with Post() as post:
        post.start()
        admin = administrator(post)
        for part in ("HttpOnly", "SameSite=Strict", "Path=/"):
            assert part in admin.cookie_line, admin.cookie_line
        meta = admin.must("GET", "/api/v1/meta?lang=en")
        said = {(x["cn"], x["code"]): x["name"] for x in meta["answers"]}
        assert (said[9011, 2], said[9012, 100], len(said)) == ("refused", "no data", 17), said
        silence = next(r for r in meta["rules"] if r["code"] == "silence")
        assert [(f["name"], f["unit"]) for f in silence["fields"]] == [("enter_fix", None), ("param1", "s")], silence
        assert [c["cn"] for c in meta["commands"] if c["notice"]] == [2012, 2022], "answered without a code"
        status, answer = post.request("POST", "/api/v1/unit", {"name": "x", "type": "team"},
                                      {"Cookie": admin.headers["Cookie"]})
        assert status == 403 and answer["error"]["code"] == "AUTH_CSRF", answer
        status, answer = admin.call("POST", "/api/v1/unit?lang=en", {"type": "nonsense"})
        assert status == 422 and len(answer["error"]["faults"]) == 2, answer
        assert not re.search("[一-鿿]", answer["error"]["message"]), answer
        status, answer = admin.call("POST", "/api/v1/unit", b'{"name":"a","name":"b"}')
        assert status == 400 and answer["error"]["code"] == "BAD_JSON", answer
        status, answer = admin.call("POST", "/api/v1/unit", b"[" * 5000)
        assert status == 400, answer
        status, headers, _ = post.request("GET", "/", raw=True)
        assert status == 200 and "default-src 'self'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["ETag"]
        assert post.request("GET", "/", headers={"If-None-Match": headers["ETag"]}, raw=True)[0] == 304
        for path in ("/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc/passwd"):
            assert b"root:" not in post.request("GET", path, raw=True)[2], path
        admin.must("DELETE", "/api/v1/session", status=(204,))
        assert admin.call("GET", "/api/v1/session")[0] == 401
        assert post.stop() == 0


def raw(post, data, timeout=40):
    with socket.create_connection(("127.0.0.1", post.http), timeout=timeout) as s:
        out = b""
        try:
            s.sendall(data)
            while part := s.recv(65536):
                out += part
        except OSError:
            pass
        return out


def limits_hold():
    with Post() as post:
        post.start()
        big = b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n{"
        assert b" 413 " in raw(post, big).split(b"\r\n")[0]
        many = b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"v" * 90) for i in range(900)) + b"\r\n"
        assert raw(post, many).split(b"\r\n")[0][9:12] in (b"431", b"413", b""), "huge head"
        t = time.monotonic()
        with socket.create_connection(("127.0.0.1", post.http), timeout=40) as s:  # slow loris
            s.sendall(b"GET / HTTP/1.1\r\n")
            try:
                while time.monotonic() - t < 40:
                    s.sendall(b"X")
                    s.settimeout(1)
                    try:
                        if s.recv(100) == b"":
                            break
                    except socket.timeout:
                        pass
            except OSError:
                pass
        assert 10 < time.monotonic() - t < 25, time.monotonic() - t
        for odd in (b"\x00" * 100, b"GET /%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                    b"GET /a%0d%0aX-Evil:1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"):
            out = raw(post, odd)
            assert b"X-Evil" not in out and (out == b"" or b" 400 " in out.split(b"\r\n")[0]), out[:200]
        assert post.request("GET", "/healthz")[0] == 200
        assert post.stop() == 0


def stream(post, headers, more=""):
    s = socket.create_connection(("127.0.0.1", post.http), timeout=15)
    s.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: x\r\nCookie: {headers['Cookie']}\r\n{more}\r\n".encode())
    return s


def until(s, what, timeout=15):
    s.settimeout(timeout)
    out = b""
    while what not in out:
        part = s.recv(65536)
        if not part:
            break
        out += part
    assert what in out, (what, out[-500:])
    return out


def send_values(post, mn, first, n):
    stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() + 8 * 3600))
    with post.connect() as s:
        s.sendall(b"".join(frame(mn, f"{stamp}{i:03d}", f"DataTime={stamp};a21026-Rtd={first + i}.5,a21026-Flag=N")
                           for i in range(n)))
        assert len(read_answers(s, n)) == n


def values_reach_the_stream():
    with Post() as post:
        post.start()
        admin = administrator(post)
        town = city(admin)
        s = stream(post, admin.headers)
        until(s, b"event: hello")
        send_values(post, "88888880000000", 10, 1)
        out = until(s, b'"rtd":10.5')
        last = re.findall(rb"^id: (\d+)", out, re.M)[-1].decode()
        s.close()
        time.sleep(1.2)  # one event a second and device
        send_values(post, "88888880000000", 20, 1)
        time.sleep(0.5)
        s = stream(post, admin.headers, f"Last-Event-ID: {last}\r\n")
        out = until(s, b'"rtd":20.5')
        assert b'"rtd":10.5' not in out
        s.close()
        rows = admin.must("GET", f"/api/v1/device/{town['device'][0]}/series?kind=rtd")["rows"]
        assert any(10.5 in r for r in rows) or any(20.5 in r for r in rows), rows
        frames = admin.must("GET", f"/api/v1/device/{town['device'][0]}/frames")["items"]
        assert [f["kind"] for f in frames if f["kind"] != "sent"] == ["frame", "frame"], frames
        assert post.stop() == 0


def many_streams_need_no_thread_each():
    want = 1000 if LONG else 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as conf:
        conf.write("http_conns = 4000\nhttp_conns_per_addr = 3000\n")
        conf.flush()
        with Post(extra=["--config", conf.name]) as post:
            post.start()
            admin = administrator(post)
            city(admin)

            def status(name):
                return int(re.search(rf"{name}:\s+(\d+)", open(f"/proc/{post.proc.pid}/status").read()).group(1))

            threads, rss = status("Threads"), status("VmRSS")
            streams = [stream(post, admin.headers) for _ in range(want)]
            for s in streams:
                until(s, b"event: hello")
            assert status("Threads") == threads, (threads, status("Threads"))
            each = (status("VmRSS") - rss) / want
            ticks = sum(map(int, open(f"/proc/{post.proc.pid}/stat").read().rsplit(") ", 1)[1].split()[11:13]))
            send_values(post, "88888880000000", 10, 1)
            until(streams[0], b'"rtd":10.5')
            t = time.monotonic()
            for s in streams[1:]:
                until(s, b'"rtd":10.5')
            took = time.monotonic() - t
            used = sum(map(int, open(f"/proc/{post.proc.pid}/stat").read().rsplit(") ", 1)[1].split()[11:13])) - ticks
            print(f"# {want} streams: {each:.1f} KiB each, one event to the others within {took * 1000:.0f} ms, "
                  f"{used * 10} ms of processor time", flush=True)
            assert each < 64 and took < 5, (each, took)
            for s in streams:
                s.close()
            t = time.monotonic()
            assert post.stop() == 0
            assert time.monotonic() - t < 20


def pages_from_a_directory():
    with tempfile.TemporaryDirectory() as d:
        for name, text in (("index.html", "<p>own page"), (".secret", "hidden"), ("a.js", "1")):
            with open(os.path.join(d, name), "w", encoding="utf-8") as f:
                f.write(text)
        os.symlink("/etc/passwd", os.path.join(d, "link.txt"))
        with Post(extra=["--web-root", d]) as post:
            post.start()
            assert post.request("GET", "/", raw=True)[2] == b"<p>own page"
            assert post.request("GET", "/alarms/7", raw=True)[2] == b"<p>own page"
            status, headers, body = post.request("GET", "/a.js", raw=True)
            assert (status, body) == (200, b"1") and headers["Content-Type"].startswith("text/javascript"), headers
            for path in ("/.secret", "/link.txt", "/../etc/passwd.txt", "/%2e%2e/index.html", "/none.js"):
                assert post.request("GET", path, raw=True)[0] == 404, path
            assert post.stop() == 0


def pages_over_tls():
    with tempfile.TemporaryDirectory() as d:
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{d}/key.pem", "-out",
                        f"{d}/cert.pem", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
                       check=True, capture_output=True)
        with open(f"{d}/lt.conf", "w", encoding="utf-8") as f:
            f.write(f'tls_cert = "{d}/cert.pem"\ntls_key = "{d}/key.pem"\n')
        with Post(extra=["--config", f"{d}/lt.conf"]) as post:
            post.start()
            once = re.search(r"password[^:]*: (\S+)", "".join(post.out)).group(1)
            context = ssl.create_default_context(cafile=f"{d}/cert.pem")
            c = http.client.HTTPSConnection("127.0.0.1", post.http, context=context, timeout=20)
            c.request("POST", "/api/v1/session", json.dumps({"login": "admin", "password": once}))
            r = c.getresponse()
            body = r.read()
            assert r.status == 200, body
            assert "; Secure" in r.getheader("Set-Cookie") and r.getheader("Strict-Transport-Security")
            c.close()
            assert raw(post, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 10)[:15] != b"HTTP/1.1 200 OK"
            assert post.stop() == 0


def slow_workers_do_not_stop_the_others():
    with Post() as post:
        post.start()
        admin = administrator(post)
        results = []

        def guess(i):
            results.append(post.request("POST", "/api/v1/session", {"login": f"nobody{i}", "password": "guess-guess-9"})[0])

        threads = [threading.Thread(target=guess, args=(i,)) for i in range(40)]  # tries come back, one in six seconds
        for t in threads:
            t.start()
        admin.must("GET", "/api/v1/enterprise")
        assert len(results) < len(threads), "a reader waited until every password was looked at"
        for t in threads:
            t.join()
        assert set(results) <= {401, 429, 503} and 429 in results, results
        assert post.stop() == 0


if __name__ == "__main__":
    run_tests([cookies_tokens_and_errors, values_reach_the_stream, limits_hold,
               many_streams_need_no_thread_each, slow_workers_do_not_stop_the_others, pages_from_a_directory,
               pages_over_tls])
