#!/usr/bin/env python3
"""An hour under ten times a city's load, with everything going wrong all through; figures every few seconds, a verdict at the end.

usage: tests/soak.py [--minutes 60] [--csv FILE] [--seed 1] [--factor 10] [--report FILE]

Load: the city of 4,709 plants: power meters (ST 44) of every plant, 942 stack monitors, 500 dust sites, 5,000 vehicles and gates, each at ten
times its frequency: 2,878 frames and 44,000 values a second over 11,151 connections. Against it by turns: kill -9, a full disk, kill -9 while
it is full, the clock an hour on and back, a network that goes away, peers that vanish without a word, peers that freeze; and without pause
hostile frames, sheets and requests, slow clients, streams nobody reads, people who try other counties.

It makes a network and mounts of its own (unshare), which end with it; as root the data lie on a small ext4, else on a small tmpfs. The post's
clock is stepped by soak_clock.c, its monotonic clock is left alone. Other work on the machine makes figures worse, not wrong."""
import argparse
import array
import csv
import glob
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import hostile_inputs
from post import LANTIAN, Post, cli, frame, read_answers

PASSWORD = "Blauer-Himmel-2026"
PLANTS, STACKS, SITES, VEHICLES = 4709, 942, 500, 5000
# load, devices, frames a second of a city at its own pace, where it connects from
FLEETS = [("power", PLANTS, 78.5, "here"), ("cems", STACKS, 31, "here"), ("dust", SITES, 8.3, "here"), ("vehicle", VEHICLES, 170, "there")]
ST = {"power": 44, "cems": 31, "dust": 39, "vehicle": 99}
SAMPLE_S = 5
HERE, THERE = "10.99.0.1", "10.99.0.2"
COLUMNS = ["s", "event", "up", "rss_mib", "fds", "conns", "threads", "received", "stored", "duplicate", "rejected", "acked", "frames_s", "lost", "ack_p50_ms",
           "ack_p99_ms", "page_p50_ms", "page_p99_ms", "lag_ms", "disk_mib", "cpu_s", "hostile_frames", "hostile_sheets", "hostile_requests", "walls_tried"]


def say(text):
    print(f"# {time.strftime('%H:%M:%S')} {text}", flush=True)


def inside():
    """Runs this program again in namespaces of its own: what it mounts, connects and starts ends with it."""
    if os.environ.get("LT_SOAK_INSIDE"):
        return
    root = os.geteuid() == 0
    os.environ["LT_SOAK_INSIDE"] = "root" if root else "user"
    cmd = ["unshare", *([] if root else ["--map-root-user"]), "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", sys.executable, *sys.argv]
    os.execvp(cmd[0], cmd)


def sh(*cmd, check=True):
    return subprocess.run(list(map(str, cmd)), check=check, capture_output=True, text=True)


class Net:
    """The peers' own network, joined by a cable that can be pulled."""

    def __init__(self):
        sh("ip", "link", "set", "lo", "up")
        self.holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        self.enter = ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net"]
        while os.readlink(f"/proc/{self.holder.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            time.sleep(0.01)
        sh("ip", "link", "add", "lt0", "type", "veth", "peer", "name", "lt1")
        sh("ip", "link", "set", "lt1", "netns", self.holder.pid)
        sh("ip", "addr", "add", HERE + "/24", "dev", "lt0")
        sh("ip", "link", "set", "lt0", "up")
        sh(*self.enter, "ip", "addr", "add", THERE + "/24", "dev", "lt1")
        sh(*self.enter, "ip", "link", "set", "lt1", "up")

    def cable(self, plugged):
        sh("ip", "link", "set", "lt0", "up" if plugged else "down")


class Disk:
    """The small disk of the post, and the ballast that fills it."""

    def __init__(self, work, mib):
        self.at = os.path.join(work, "disk")
        os.mkdir(self.at)
        if os.environ["LT_SOAK_INSIDE"] == "root":
            image = os.path.join(work, "disk.img")
            with open(image, "wb") as f:
                f.truncate(mib << 20)
            sh("mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0", image)
            sh("mount", "-o", "loop", image, self.at)
        else:
            sh("mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", self.at)
        self.ballast = os.path.join(self.at, "ballast")

    def used_mib(self):
        v = os.statvfs(self.at)
        return (v.f_blocks - v.f_bfree) * v.f_frsize // (1 << 20)

    def ballast_mib(self):
        return os.path.getsize(self.ballast) // (1 << 20) if os.path.exists(self.ballast) else 0

    def fill(self):
        """Until not a page is free. Called again and again, because the post may free some."""
        with open(self.ballast, "ab") as f:
            step = 1 << 30
            while step >= 4096:
                try:
                    os.posix_fallocate(f.fileno(), os.fstat(f.fileno()).st_size, step)
                except OSError:
                    step //= 4

    def free(self):
        if os.path.exists(self.ballast):
            os.unlink(self.ballast)


def credit(n):
    """An 18-character credit code with its check character (GB 32100)."""
    alphabet, base = "0123456789ABCDEFGHJKLMNPQRTUWXY", f"91410300MA4{n:06d}"
    return base + alphabet[(31 - sum(alphabet.index(c) * 3 ** i for i, c in enumerate(base)) % 31) % 31]


def mn(load, i):
    return f"SOAK{load.upper()}{i:06d}"


def register(data, work):
    """The whole city by the command line, as an administrator would."""
    def put(kind, head, rows):
        path = os.path.join(work, kind + ".csv")
        with open(path, "w", encoding="utf-8", newline="") as f:
            csv.writer(f).writerows([head, *rows])
        return cli("import", kind, path, "--data", data, timeout=600, check=0)

    put("territory", ["code", "name", "level"], [["410300", "洛阳市", "city"]])
    put("territory", ["code", "name", "level", "parent"], [[f"4103{i + 20}", f"县{i}", "county", "410300"] for i in range(15)])
    put("enterprise", ["code", "name", "industry", "territory"], [[credit(i), f"企业{i}", "steel", f"4103{i % 15 + 20}"] for i in range(PLANTS)])
    put("outlet", ["code", "name", "enterprise"], [[f"DA{i:05d}", f"排放口{i}", credit(i)] for i in range(PLANTS)])
    for load, devices, _, _ in FLEETS:
        put("device", ["mn", "name", "outlet", "st", "status", "rtd_interval_s"],
            [[mn(load, i), f"{load} {i}", f"DA{i % PLANTS:05d}", ST[load], "active", 60] for i in range(devices)])
    put("device", ["mn", "name", "outlet", "st", "status"], [["SOAKPROBE", "probe", "DA00000", 31, "active"],
                                                                   *[[f"SOAKGHOST{i:03d}", "ghost", "DA00001", 31, "active"] for i in range(200)]])


class Person:
    """A session that is had again when a restart or the clock ended it."""

    def __init__(self, soak, login, password=PASSWORD):
        self.soak, self.login, self.password, self.headers = soak, login, password, None

    def sign_in(self):
        status, headers, body = self.soak.request("POST", "/api/v1/session", {"login": self.login, "password": self.password})
        if status != 200:
            raise OSError(f"{self.login}: {status} {body[:200]}")
        self.headers = {"Cookie": headers["Set-Cookie"].split(";")[0], "X-CSRF-Token": json.loads(body)["csrf"]}

    def call(self, method, path, body=None):
        for _ in range(2):
            if not self.headers:
                self.sign_in()
            status, _, answer = self.soak.request(method, path, body, self.headers)
            if status != 401:
                return status, answer
            self.headers = None
        return status, answer

    def must(self, method, path, body=None):
        status, answer = self.call(method, path, body)
        assert status in (200, 201, 204), (method, path, status, answer[:300])
        return json.loads(answer) if answer else None


class Soak:
    def __init__(self, a, work):
        self.a, self.work, self.seconds = a, work, a.minutes * 60
        self.rnd = random.Random(a.seed)
        self.net, self.disk = Net(), Disk(work, max(800, int(160 * a.minutes)))
        self.clock_file = os.path.join(work, "clock")
        self.clock(0)
        config = os.path.join(work, "lantian.conf")
        with open(config, "w", encoding="utf-8") as f:
            f.write("max_conns_per_addr = 20000\nidle_s = 120\nlog = \"warn\"\n")
        shim = os.path.join(work, "clock.so")
        sh("cc", "-O2", "-shared", "-fPIC", "-o", shim, pathlib.Path(__file__).with_name("soak_clock.c"))
        env = {"LD_PRELOAD": shim, "LT_CLOCK_FILE": self.clock_file}
        self.post = Post(os.path.join(self.disk.at, "data"), enroll="closed", extra=["--config", config], env=env, listen="0.0.0.0")
        self.lock = threading.Lock()
        self.stop, self.expect_death = threading.Event(), False
        self.faults, self.events, self.disturbances = [], [], []
        self.pages, self.well_at = [], 0.0  # latency of the page; when all was last seen well
        self.counts = dict.fromkeys(("hostile_frames", "hostile_sheets", "hostile_requests", "walls_tried"), 0)
        self.rows, self.sims, self.stored_seen = [], {}, 0
        self.started, self.threads, self.fds_at_rest = 0.0, 0, 0

    # ---- the post and those who talk to it ----

    def clock(self, hours):
        """In place: the post has the file mapped."""
        fd = os.open(self.clock_file, os.O_RDWR | os.O_CREAT, 0o600)
        os.pwrite(fd, struct.pack("<q", hours * 3600), 0)
        os.close(fd)

    def fault(self, text):
        with self.lock:
            if len(self.faults) < 200:
                self.faults.append(text)
        say("FAULT " + text)

    def request(self, method, path, body=None, headers=None, timeout=20, source="127.0.0.1"):
        c = http.client.HTTPConnection("127.0.0.1", self.post.http, timeout=timeout, source_address=(source, 0))
        try:
            if body is not None and not isinstance(body, bytes):
                body = json.dumps(body)
            c.request(method, path, body, headers or {})
            r = c.getresponse()
            return r.status, dict(r.getheaders()), r.read()
        except http.client.HTTPException as e:
            raise OSError(str(e)) from e
        finally:
            c.close()

    def start_post(self, patience=60):
        """As systemd does with Restart=always: again until it stands."""
        end = time.monotonic() + patience
        while True:
            try:
                self.post.start(patience)
                return
            except RuntimeError as e:
                if time.monotonic() > end or self.stop.is_set():
                    raise
                say(f"start refused: {str(e).splitlines()[-1][:160]}")
                time.sleep(2)

    def begin(self):
        os.makedirs(self.post.data)
        register(self.post.data, self.work)
        self.start_post()
        once = re.search(r"password[^:]*: (\S+)", "".join(self.post.out)).group(1)
        Person(self, "admin", once).must("PUT", "/api/v1/session/password", {"old": once, "new": PASSWORD})
        self.admin = Person(self, "admin")
        roles = {r["code"]: r["id"] for r in self.admin.must("GET", "/api/v1/role")["items"]}
        places = {t["code"]: t["id"] for t in self.admin.must("GET", "/api/v1/territory?limit=50")["items"]}
        plants = self.admin.must("GET", "/api/v1/enterprise?limit=30&sort=id")["items"]
        self.outlets = self.admin.must("GET", "/api/v1/outlet?limit=30&sort=id")["items"]
        self.people = {}
        for login, role, more in (("duty", "duty", {"territory": places["410300"]}), ("county", "county", {"territory": places["410320"]}),
                                  ("plant", "plant", {"territory": places["410320"], "enterprise": plants[0]["id"]})):
            user = self.admin.must("POST", "/api/v1/user", {"login": login, "name": login, "role": roles[role], **more})["id"]
            once = self.admin.must("POST", f"/api/v1/user/{user}/password")["password"]
            Person(self, login, once).must("PUT", "/api/v1/session/password", {"old": once, "new": PASSWORD})
            self.people[login] = Person(self, login)
        self.others = {"enterprise": [p["id"] for p in plants[1:15]], "outlet": [o["id"] for o in self.outlets[1:15]]}
        self.api = json.loads(self.request("GET", "/api/v1/openapi.json")[2])

    def start_load(self):
        for load, devices, rate, where in FLEETS:
            names = {k: os.path.join(self.work, f"{k}.{load}") for k in ("acked", "samples", "report")}
            cmd = [LANTIAN, "sim", "--to", f"{'127.0.0.1' if where == 'here' else HERE}:{self.post.hj212}", "--devices", devices, "--mn-prefix",
                   "SOAK" + load.upper(), "--load", load, "--rate", rate * self.a.factor, "--seconds", self.seconds, "--timeout", 20000, "--window", 2,
                   "--drain", 90000, "--acked", names["acked"], "--samples", names["samples"], "--quiet"]
            with open(names["report"], "w", encoding="utf-8") as out:
                self.sims[load] = subprocess.Popen((self.net.enter if where == "there" else []) + list(map(str, cmd)), stdout=out)
        self.started = time.monotonic()

    # ---- those who mean ill, each a thread ----

    def every(self, pause, work):
        """Runs `work` again and again; that the post is away is no fault."""
        def run():
            while not self.stop.is_set():
                try:
                    work()
                except (OSError, ValueError) as e:
                    if isinstance(e, ValueError):
                        self.fault(f"{work.__name__}: answer is no JSON: {e}")
                except Exception as e:  # a test that dies is a fault
                    self.fault(f"{work.__name__}: {type(e).__name__} {e}")
                self.stop.wait(pause)
        t = threading.Thread(target=run, name=work.__name__, daemon=True)
        t.start()
        return t

    def hostile_frames(self):
        from hostile_test import forged
        for _, data in forged(random.Random(self.rnd.random())):
            if self.stop.is_set():
                return
            try:
                with socket.create_connection(("127.0.0.1", self.post.hj212), 5, ("127.0.0.66", 0)) as s:
                    s.settimeout(5)
                    s.sendall(data)
                    s.shutdown(socket.SHUT_WR)
                    while s.recv(65536):
                        pass
            except OSError:
                pass
            self.counts["hostile_frames"] += 1
            self.stop.wait(0.1)

    def hostile_sheets(self):
        for name, kind, form, data in [*((n, "enterprise", f, d) for n, f, d in hostile_inputs.bad_files(self.rnd)),
                                       *((n, k, f, d) for n, k, f, d, _, _ in hostile_inputs.bad_cells(self.rnd))]:
            if self.stop.wait(1):
                return
            try:
                status, body = self.admin.call("POST", f"/api/v1/{kind}/import?format={form}", data)
            except OSError:
                continue
            self.counts["hostile_sheets"] += 1
            if status == 200 and json.loads(body)["written"]:
                self.fault(f"sheet {name} was written: {body[:200]}")

    def hostile_requests(self):
        for name, data in hostile_inputs.requests(self.rnd):
            if self.stop.wait(0.2):
                return
            try:
                with socket.create_connection(("127.0.0.1", self.post.http), 3, ("127.0.0.67", 0)) as s:
                    s.settimeout(2)
                    s.sendall(data)
                    got = s.recv(65536)
            except OSError:
                got = b""
            self.counts["hostile_requests"] += 1
            # libmicrohttpd answers a chunk extension beyond its buffer with a 500 of its own and closes
            if got[9:12] == b"500" and name != "chunk extension" or b"root:" in got:
                self.fault(f"request {name}: {got[:200]}")

    def slow_clients(self):
        """Slowloris and streams nobody reads."""
        slow = []
        for i in range(60):
            s = socket.create_connection(("127.0.0.1", self.post.http), 3, ("127.0.0.68", 0))
            s.sendall(b"GET /api/v1/unit HTTP/1.1\r\nHost: x\r\n" if i % 2 else b"POST /api/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n")
            slow.append(s)
        self.people["duty"].call("GET", "/api/v1/session")
        for _ in range(10):
            s = socket.create_connection(("127.0.0.1", self.post.http), 3, ("127.0.0.69", 0))
            s.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\nCookie: " + self.people["duty"].headers["Cookie"].encode() + b"\r\n\r\n")
            slow.append(s)
        for _ in range(40):
            if self.stop.wait(1):
                break
            for s in slow[:60]:
                try:
                    s.send(b"X")
                except OSError:
                    pass
        for s in slow:
            s.close()

    def walls(self):
        """A county's officer and a plant's person at objects of others, on every route that has an id."""
        for path, operations in self.api["paths"].items():
            for method, op in operations.items():
                kind = path.split("/")[3] if path.startswith("/api/v1/") else ""
                if "{id}" not in path or path.count("{") > 1 or kind not in self.others:
                    continue
                need = "&".join(f"{q['name']}=1" for q in op.get("parameters", []) if q["in"] == "query" and q["required"])
                target = path.replace("{id}", str(self.rnd.choice(self.others[kind]))) + ("?" + need if need else "")
                who = self.people[self.rnd.choice(("county", "plant"))]
                if self.stop.wait(0.5):
                    return
                try:
                    status, body = who.call(method.upper(), target, {"version": 1} if method in ("post", "patch") else None)
                except OSError:
                    continue
                self.counts["walls_tried"] += 1
                if status not in (403, 404, 422, 429, 503):
                    self.fault(f"{who.login} {method} {target}: {status} {body[:120]}")

    # ---- watching ----

    def probe(self):
        """Once or twice a second: is the post well, is a frame answered, does the page come?"""
        t0 = time.monotonic()
        now = time.gmtime(time.time() + 8 * 3600)
        qn = time.strftime("%Y%m%d%H%M%S", now) + f"{int(time.time() * 1000) % 1000:03d}"
        status, _, body = self.request("GET", "/healthz", timeout=5)
        well = status == 200 and json.loads(body)["lag_ms"] < 10000
        with socket.create_connection(("127.0.0.1", self.post.hj212), 5) as s:
            s.sendall(frame("SOAKPROBE", qn, f"DataTime={qn[:14]};a21026-Rtd=1.5,a21026-Flag=N"))
            well = len(read_answers(s, 1, 5)) == 1 and well
        t = time.monotonic()
        status, _ = self.people["duty"].call("GET", "/api/v1/alarm/board")
        took = time.monotonic() - t
        status2, _ = self.people["duty"].call("GET", "/api/v1/device?limit=50")
        with self.lock:
            self.pages += [took * 1000, (time.monotonic() - t - took) * 1000]
            if well and status == status2 == 200:
                self.well_at = t0

    def sims_now(self):
        out = []
        for load in self.sims:
            try:
                with open(os.path.join(self.work, f"samples.{load}"), "rb") as f:
                    f.seek(0, 2)
                    f.seek(max(0, f.tell() - 1000))
                    lines = [x for x in f.read().split(b"\n")[:-1] if x.startswith(b"{") and x.endswith(b"}")]
                out.append(json.loads(lines[-1]))
            except (OSError, IndexError):
                pass
        return out

    def sample(self):
        row = dict.fromkeys(COLUMNS, "")
        with self.lock:
            row["event"] = " + ".join(self.events)
            pages, self.pages = sorted(self.pages), []
            self.events = []
        row["s"] = round(time.monotonic() - self.started, 1)
        sims = self.sims_now()
        if len(sims) == len(FLEETS):
            answers = sum(x["answers"] for x in sims)
            row.update(acked=sum(x["acknowledged"] for x in sims), lost=sum(x["lost"] for x in sims), frames_s=round(answers / 5, 1))
            if answers:
                row["ack_p50_ms"] = round(sum(x["p50_ms"] * x["answers"] for x in sims) / answers, 2)
                row["ack_p99_ms"] = max(x["p99_ms"] for x in sims)
        if pages:
            row.update(page_p50_ms=round(pages[len(pages) // 2], 1), page_p99_ms=round(pages[int(len(pages) * 0.99)], 1))
        row.update(disk_mib=self.disk.used_mib() - self.disk.ballast_mib(), **self.counts, up=0)
        pid = self.post.proc.pid
        try:
            with open(f"/proc/{pid}/status", encoding="ascii") as f:
                status = f.read()
            row.update(rss_mib=int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) // 1024, threads=int(re.search(r"Threads:\s+(\d+)", status).group(1)),
                       fds=len(os.listdir(f"/proc/{pid}/fd")))
            with open(f"/proc/{pid}/stat", encoding="ascii") as f:
                ticks = f.read().rsplit(")", 1)[1].split()
            row["cpu_s"] = (int(ticks[11]) + int(ticks[12])) / os.sysconf("SC_CLK_TCK")
            text = self.request("GET", "/metrics", timeout=5)[2].decode()
            m = dict(re.findall(r"^lantian_(\w+) (\d+)$", text, re.M))
            row.update(up=1, conns=int(m["gateway_connections"]) + int(m["http_connections"]), received=int(m["gateway_frames_total"]),
                       stored=int(m["recorder_stored_total"]), duplicate=int(m["recorder_duplicates_total"]), rejected=int(m["recorder_rejected_total"]),
                       lag_ms=int(m["engine_lag_milliseconds"]))
        except (OSError, AttributeError, KeyError):
            pass
        self.rows.append(row)
        self.csv.writerow(row)
        self.csv_file.flush()
        if self.post.proc.poll() is not None and not self.expect_death:
            self.fault(f"the post died by itself: {self.post.proc.returncode}\n{self.post.tail()}")
            self.start_post()

    def ledger(self):
        """Exact at any moment: every device's row adds up, and whatever was acknowledged is in it."""
        acked = sum(x["acknowledged"] for x in self.sims_now())
        r = cli("ledger", "--data", self.post.data, "--all-days", "--json", timeout=300)
        if r.returncode:
            return r.stderr.decode()
        rows = [json.loads(x) for x in r.stdout.splitlines()]
        wrong = [x for x in rows if x["received"] != x["stored"] + x["duplicate"] + sum(x["rejected"].values())]
        stored = sum(x["stored"] for x in rows)
        if wrong or stored < acked:
            self.fault(f"ledger: {len(wrong)} rows do not add up; {stored} stored, {acked} acknowledged; {wrong[:1]}")
        with self.lock:
            self.stored_seen = stored
        return None

    # ---- what goes wrong by turns; each returns the moment from which all should be well again ----

    def kill(self):
        self.expect_death = True
        self.post.kill()
        self.start_post()
        self.expect_death = False

    def full_disk(self, kill=False):
        end = time.monotonic() + self.hold
        while time.monotonic() < end:
            self.disk.fill()
            if kill:
                self.expect_death, kill = True, False
                self.post.kill()
                try:
                    self.post.start(10)
                except RuntimeError as e:
                    say(f"no start on a full disk: {str(e).splitlines()[-1][:160]}")
            self.stop.wait(0.5)
        self.disk.free()
        if self.post.proc.poll() is not None:
            self.start_post()
        self.expect_death = False

    def killed_on_a_full_disk(self):
        self.full_disk(kill=True)

    def clock_on_and_back(self):
        self.clock(1)
        self.stop.wait(self.hold * 2)
        self.clock(0)
        self.stop.wait(2)

    def clock_back_and_on(self):
        self.clock(-1)
        self.stop.wait(self.hold * 2)
        self.clock(0)
        self.stop.wait(2)

    def cable_pulled(self):
        self.net.cable(False)
        self.stop.wait(self.hold)
        self.net.cable(True)

    def peers_freeze(self):
        for load in ("dust", "cems"):
            self.sims[load].send_signal(signal.SIGSTOP)
        self.stop.wait(self.hold)
        for load in ("dust", "cems"):
            self.sims[load].send_signal(signal.SIGCONT)

    def peers_vanish(self):
        """200 devices in a network of their own, which ends with all its sockets: no FIN, no RST ever comes."""
        code = ("import sys,socket,time\nsys.path.insert(0,%r)\nfrom post import frame\nopen_=[]\nsys.stdin.readline()\n"
                "for i in range(200):\n s=socket.create_connection(('10.98.0.1',%d),5)\n q=time.strftime('%%Y%%m%%d%%H%%M%%S',time.gmtime(time.time()+28800))\n"
                " s.sendall(frame('SOAKGHOST%%03d'%%i,q+'%%03d'%%i,'DataTime='+q+';a21026-Rtd=1,a21026-Flag=N'))\n open_.append(s)\n"
                "print('there',flush=True)\ntime.sleep(1000)\n") % (os.path.dirname(os.path.abspath(__file__)), self.post.hj212)
        ghosts = subprocess.Popen(["unshare", "--net", sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        while os.readlink(f"/proc/{ghosts.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            time.sleep(0.01)
        sh("ip", "link", "add", "gh0", "type", "veth", "peer", "name", "gh1", "netns", ghosts.pid)
        sh("ip", "addr", "add", "10.98.0.1/24", "dev", "gh0")
        sh("ip", "link", "set", "gh0", "up")
        enter = ["nsenter", f"--net=/proc/{ghosts.pid}/ns/net", "ip"]
        sh(*enter, "addr", "add", "10.98.0.2/24", "dev", "gh1")
        sh(*enter, "link", "set", "gh1", "up")
        ghosts.stdin.write("go\n")
        ghosts.stdin.flush()
        told = ghosts.stdout.readline()
        sh("ip", "link", "del", "gh0")
        ghosts.kill()
        ghosts.wait()
        if told.strip() != "there":
            say("the ghosts did not come in")

    def waited(self):
        """Seconds the thread of the post that waited most for a processor has waited: what other work on the machine took away."""
        most = 0
        for path in glob.glob(f"/proc/{self.post.proc.pid}/task/*/schedstat"):
            try:
                with open(path, encoding="ascii") as f:
                    most = max(most, int(f.read().split()[1]))
            except (OSError, IndexError):
                pass
        return most / 1e9

    def disturb(self, what):
        with self.lock:
            self.events.append(what.__name__)
        began = time.monotonic()
        say(f"{began - self.started:.0f} s: {what.__name__}")
        try:
            what()
        except Exception as e:
            self.fault(f"{what.__name__}: {type(e).__name__} {e}")
            self.expect_death = False
            if self.post.proc.poll() is not None:
                self.start_post()
        over, waited = time.monotonic(), self.waited()
        while self.well_at < over and time.monotonic() < over + 120 and not self.stop.is_set():
            self.stop.wait(0.2)
        took = time.monotonic() - over
        own = max(0.0, took - (self.waited() - waited))
        self.disturbances.append((what.__name__, began - self.started, over - began, took, own))
        if own > 60:
            self.fault(f"{what.__name__}: not well again within {took:.0f} s, {own:.0f} s beside waiting for a processor")

    def disturb_all(self):
        self.hold = min(30, max(6, self.a.minutes / 2))
        calm = min(40, max(4, self.a.minutes * 0.7))
        end = self.started + self.seconds - max(15, self.hold)
        with_kills = [self.kill, self.full_disk, self.kill, self.clock_on_and_back, self.kill, self.cable_pulled, self.peers_vanish, self.kill,
                      self.peers_freeze, self.killed_on_a_full_disk, self.clock_back_and_on, self.kill]
        without = [self.full_disk, self.clock_back_and_on, self.cable_pulled, self.peers_vanish, self.peers_freeze, self.clock_on_and_back]
        self.stop.wait(calm)
        first = True
        while time.monotonic() < end:
            # the last third has no kills, so that what leaks can be seen to grow
            late = self.a.minutes > 10 and time.monotonic() - self.started > self.seconds * 0.67
            deck = list(without if late else with_kills)
            if not first:
                self.rnd.shuffle(deck)
            first = False
            for what in deck:
                if time.monotonic() >= end:
                    return
                self.disturb(what)
                self.stop.wait(calm * self.rnd.uniform(0.5, 1.5))

    # ---- the whole ----

    def run(self):
        self.begin()
        with open(f"/proc/{self.post.proc.pid}/status", encoding="ascii") as f:
            self.threads = int(re.search(r"Threads:\s+(\d+)", f.read()).group(1))
        say(f"{sum(f[1] for f in FLEETS)} devices are in the register; the load begins")
        self.start_load()
        self.csv_file = open(self.a.csv, "w", encoding="utf-8", newline="")
        self.csv = csv.DictWriter(self.csv_file, COLUMNS)
        self.csv.writeheader()
        threads = [self.every(SAMPLE_S, self.sample), self.every(0.5, self.probe), self.every(60, self.ledger), self.every(0.1, self.hostile_frames),
                   self.every(0.1, self.hostile_sheets), self.every(0.1, self.hostile_requests), self.every(1, self.slow_clients), self.every(1, self.walls)]
        self.disturb_all()
        for p in self.sims.values():
            p.wait(timeout=self.seconds + 300)
        self.stop.set()
        for t in threads:
            t.join(60)
        return self.verdict()

    def catch_up(self):
        """The load is over: the engine reaches the end of the journal, and connections that nobody holds any more are closed."""
        t = time.monotonic()
        while time.monotonic() - t < 180:
            self.fds_at_rest = len(os.listdir(f"/proc/{self.post.proc.pid}/fd"))
            if self.fds_at_rest < 150:
                break
            time.sleep(1)
        t = time.monotonic()
        while time.monotonic() - t < 120:
            try:
                if json.loads(self.request("GET", "/healthz", timeout=5)[2])["lag_ms"] < 1000:
                    return
            except OSError:
                pass
            time.sleep(0.5)
        self.fault("the engine has not caught up within two minutes")

    def lost_frames(self):
        """Every acknowledged line against every stored one, by 64-bit hashes in 256 boxes; what seems lost is looked up as text."""
        boxes = [array.array("q") for _ in range(256)]
        export = subprocess.Popen([LANTIAN, "export", "frames", "--data", self.post.data], stdout=subprocess.PIPE)
        stored = 0
        for line in export.stdout:
            h = hash(line.rstrip(b"\r\n"))
            boxes[h & 255].append(h)
            stored += 1
        if export.wait():
            self.fault(f"export frames: exit {export.returncode}")
        sets = []
        doubled = 0
        for i, b in enumerate(boxes):
            s = set(b)
            doubled += len(b) - len(s)
            sets.append(array.array("q", sorted(s)))
            boxes[i] = None
        del boxes
        acked = lost = 0
        import bisect
        for load in self.sims:
            with open(os.path.join(self.work, f"acked.{load}"), "rb") as f:
                for line in f:
                    h = hash(line.rstrip(b"\r\n"))
                    s = sets[h & 255]
                    at = bisect.bisect_left(s, h)
                    acked += 1
                    if at == len(s) or s[at] != h:
                        lost += 1
                        if lost <= 3:
                            say(f"LOST {line[:160]!r}")
        return acked, stored, lost, doubled

    def verdict(self):
        self.catch_up()
        said = self.ledger()
        if said:
            self.fault("ledger: " + said)
        t = time.monotonic()
        if self.post.stop(120) != 0:
            self.fault(f"the post ended with {self.post.proc.returncode}")
        say(f"stopped in {time.monotonic() - t:.1f} s; every acknowledged frame is looked for")
        acked, stored, lost, doubled = self.lost_frames()
        if lost or not acked:
            self.fault(f"{lost} of {acked} acknowledged frames are lost")
        if doubled:
            self.fault(f"{doubled} frames are stored twice")
        if stored != self.stored_seen:
            self.fault(f"{stored} frames in the journal, {self.stored_seen} in the ledger")
        for args in (("verify-journal",),):
            r = cli(*args, "--data", self.post.data, timeout=1200)
            if r.returncode:
                self.fault(f"{args}: {r.stdout[-300:]} {r.stderr[-300:]}")
        import sqlite3
        db = sqlite3.connect(f"file:{self.post.data}/state.db?mode=ro", uri=True)
        if db.execute("PRAGMA quick_check").fetchone()[0] != "ok":
            self.fault("state.db is damaged")
        alarms = db.execute("SELECT rule, count(*) FROM alarm GROUP BY rule").fetchall()
        packs = db.execute("SELECT count(*) FROM evidence").fetchone()[0]
        db.close()
        reports = {}
        for load in self.sims:
            with open(os.path.join(self.work, f"report.{load}"), encoding="utf-8") as f:
                text = f.read()
            reports[load] = json.loads(text) if text else {"rate": 0, "lost": 0, "resent": 0, "connects": 0}
            if not text:
                self.fault(f"sim {load} did not report: exit {self.sims[load].returncode}")
        up = [r for r in self.rows if r["up"] and r["fds"] != ""]
        self.bounds(up)
        slow = {}
        for name, _, _, took, own in self.disturbances:
            slow.setdefault(name, []).append((round(took, 1), round(own, 1)))
        num = lambda key: sorted(r[key] for r in self.rows if r[key] != "")
        at = lambda v, share: v[min(len(v) - 1, int(len(v) * share))] if v else None
        result = {"minutes": self.a.minutes, "factor": self.a.factor, "acknowledged": acked, "stored": stored, "lost": lost, "doubled": doubled,
                  "frames_s": round(sum(r["rate"] for r in reports.values())), "offered_frames_s": round(sum(f[2] for f in FLEETS) * self.a.factor),
                  "given_up_by_devices": sum(r["lost"] for r in reports.values()), "resent": sum(r["resent"] for r in reports.values()),
                  "connects": sum(r["connects"] for r in reports.values()),
                  "rss_mib": {"median": at(num("rss_mib"), 0.5), "max": at(num("rss_mib"), 1)}, "threads": [at(num("threads"), 0), at(num("threads"), 1)],
                  "fds_beside_connections": [at(sorted(r["fds"] - r["conns"] for r in up if r["conns"] != ""), s) for s in (0.5, 1)],
                  "ack_p50_ms": {"median": at(num("ack_p50_ms"), 0.5)}, "ack_p99_ms": {"median": at(num("ack_p99_ms"), 0.5), "max": at(num("ack_p99_ms"), 1)},
                  "page_p50_ms": {"median": at(num("page_p50_ms"), 0.5)}, "page_p99_ms": {"median": at(num("page_p99_ms"), 0.5), "max": at(num("page_p99_ms"), 1)},
                  "lag_ms": {"median": at(num("lag_ms"), 0.5), "max": at(num("lag_ms"), 1)}, "disk_mib": at(num("disk_mib"), 1),
                  "recovery_s": {k: {"times": len(v), "longest": max(x for x, _ in v), "beside_waiting_for_a_processor": max(x for _, x in v)}
                                                                for k, v in slow.items()}, "alarms": {str(k): n for k, n in alarms}, "packages": packs,
                  **self.counts, "faults": len(self.faults)}
        print(json.dumps(result, ensure_ascii=False), flush=True)
        if self.a.report:
            with open(self.a.report, "w", encoding="utf-8") as f:
                json.dump(result, f, ensure_ascii=False, indent=1)
        for f in self.faults:
            print("# fault: " + f, flush=True)
        return not self.faults

    def bounds(self, up):
        """Memory has a bound, threads are always the same, and descriptors are connections and a handful."""
        if not up:
            self.fault("no sample at all")
            return
        rss = [r["rss_mib"] for r in up]
        if max(rss) > 1536:
            self.fault(f"memory of {max(rss)} MiB")
        # counted a moment apart, while thousands connect: so means of a third each, not every single sample
        own = [r["fds"] - r["conns"] for r in up if r["conns"] != "" and r["threads"] >= self.threads]
        third = max(1, len(own) // 3)
        first, last = (sorted(x)[len(x) // 2] for x in (own[:third], own[-third:]))
        if abs(first - last) > 20:
            self.fault(f"descriptors beside connections: {first} in the first third, {last} in the last")
        if self.fds_at_rest > 150:
            self.fault(f"{self.fds_at_rest} descriptors when every device has gone")
        if max(r["threads"] for r in up) > self.threads + 2:
            self.fault(f"threads: {max(r['threads'] for r in up)}, {self.threads} at first")


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--minutes", type=float, default=60)
    ap.add_argument("--factor", type=float, default=10, help="times the city's load")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--csv", default="soak.csv")
    ap.add_argument("--report", default="")
    ap.add_argument("--keep", action="store_true", help="keep the working directory")
    a = ap.parse_args()
    inside()
    work = tempfile.mkdtemp(prefix="lantian-soak-", dir=os.environ.get("LT_SOAK_DIR"))
    ok = False
    try:
        ok = Soak(a, work).run()
    finally:
        if not a.keep:
            sh("umount", os.path.join(work, "disk"), check=False)
            shutil.rmtree(work, ignore_errors=True)
    print(f"{'ok' if ok else 'not ok'} 1 - soak of {a.minutes:g} minutes", flush=True)
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
