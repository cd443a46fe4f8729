"""Helpers for black-box tests: a running post, TAP output, HJ 212 frames made independently of the C code."""
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

LANTIAN = os.environ.get("LANTIAN", str(pathlib.Path(__file__).resolve().parent.parent / "build/src/main/lantian"))
LONG = os.environ.get("LT_LONG") == "1"


def free_port() -> int:
    """A port nobody else is given meanwhile: below the range from which the system takes ports for outgoing connections."""
    while True:
        port = random.SystemRandom().randrange(12000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass


def crc16(data: bytes) -> int:
    """HJ 212-2017 Appendix A, as printed."""
    crc = 0xFFFF
    for b in data:
        crc = (crc >> 8) ^ b
        for _ in range(8):
            crc = (crc >> 1) ^ 0xA001 if crc & 1 else crc >> 1
    return crc


def frame(mn: str, qn: str, area: str, cn: int = 2011, st: int = 31, flag: int = 5, pw: str = "123456") -> bytes:
    seg = f"QN={qn};ST={st};CN={cn};PW={pw};MN={mn};Flag={flag};CP=&&{area}&&".encode()
    return b"##%04d%s%04X\r\n" % (len(seg), seg, crc16(seg))


def damaged(whole: bytes) -> bytes:
    """The frame with the first digit of its CRC changed; a fixed wrong CRC would be right once in 65,536 times."""
    return whole[:-6] + (b"1" if whole[-6:-5] == b"0" else b"0") + whole[-5:]


class Post:
    """A `lantian serve` process on ports of its own."""

    def __init__(self, data=None, enroll="open", extra=(), env=None, listen="127.0.0.1"):
        self.own, self.listen = data is None, listen
        self.data = data or tempfile.mkdtemp(prefix="lantian-test-")
        self.http, self.hj212 = free_port(), free_port()
        self.enroll, self.extra, self.env = enroll, list(extra), {**os.environ, **(env or {})}
        self.proc = None
        self.ready_line = ""
        self.log = open(os.path.join(tempfile.gettempdir(), f"lantian-test-{os.getpid()}-{self.hj212}.log"), "ab+")

    def start(self, timeout=60):
        t = time.monotonic()
        self.proc = subprocess.Popen(
            [LANTIAN, "serve", "--data", self.data, "--http", f"127.0.0.1:{self.http}", "--hj212",
             f"{self.listen}:{self.hj212}", "--enroll", self.enroll, *self.extra],
            stdout=subprocess.PIPE, stderr=self.log, stdin=subprocess.DEVNULL, env=self.env, text=True)
        self.out = []
        while True:
            line = self.proc.stdout.readline()
            if not line:
                self.proc.wait()
                raise RuntimeError(f"post did not start (exit {self.proc.returncode}):\n{self.tail()}")
            self.out.append(line)
            if line.startswith("ready"):
                self.ready_line = line
                break
            if time.monotonic() - t > timeout:
                self.kill()
                raise RuntimeError("post is not ready in time")
        self.start_s = time.monotonic() - t
        return self

    def tail(self):
        self.log.flush()
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-4000:]

    def kill(self):
        self.proc.send_signal(signal.SIGKILL)
        self.proc.wait()
        self.proc.stdout.close()

    def stop(self, timeout=60) -> int:
        self.proc.send_signal(signal.SIGTERM)
        try:
            self.proc.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        return self.proc.returncode

    def close(self):
        if self.proc and self.proc.poll() is None:
            self.kill()
        self.log.close()
        if self.own:
            shutil.rmtree(self.data, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def connect(self, timeout=10) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.hj212), timeout=timeout)

    def request(self, method, path, body=None, headers=None, raw=False):
        c = http.client.HTTPConnection("127.0.0.1", self.http, timeout=30)
        h = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            h.setdefault("Content-Type", "application/json")
        c.request(method, path, body, h)
        r = c.getresponse()
        data = r.read()
        c.close()
        return (r.status, dict(r.getheaders()), data) if raw else (r.status, json.loads(data) if data else None)


def cli(*args, stdin=None, timeout=120, check=None):
    r = subprocess.run([LANTIAN, *map(str, args)], input=stdin, capture_output=True, timeout=timeout, check=False)
    if check is not None and r.returncode != check:
        raise AssertionError(f"lantian {' '.join(map(str, args))}: exit {r.returncode}, wanted {check}\n"
                             f"{r.stderr.decode(errors='replace')[-2000:]}")
    return r


def read_answers(sock, want, timeout=20):
    """Reads until `want` answers came; returns the QNs acknowledged by 9014."""
    sock.settimeout(timeout)
    buf, got = b"", []
    while len(got) < want:
        part = sock.recv(65536)
        if not part:
            break
        buf += part
        got = re.findall(rb"QN=(\d{17});ST=91;CN=9014", buf)
    return [q.decode() for q in got]


def run_tests(tests):
    """Runs functions named in order, prints TAP, exits 0 when all passed."""
    bad = 0
    print(f"1..{len(tests)}", flush=True)
    for i, t in enumerate(tests, 1):
        try:
            t()
            print(f"ok {i} - {t.__name__}", flush=True)
        except Exception:  # a test that dies is a failed test
            bad += 1
            print("# " + traceback.format_exc().replace("\n", "\n# "), flush=True)
            print(f"not ok {i} - {t.__name__}", flush=True)
    sys.exit(1 if bad else 0)
