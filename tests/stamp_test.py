#!/usr/bin/env python3
"""Time stamps of day statements (RFC 3161): asked from a real stamping office (openssl ts behind a small HTTP server), kept,
checked; another office, another statement and a turned bit are found; an office that refuses stops nothing."""
import http.server
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from api_test import administrator
from post import Post, cli, run_tests

DIR = pathlib.Path(tempfile.mkdtemp(prefix="lantian-stamp-"))
CONF = """
[ca]
distinguished_name = dn
prompt = no
[dn]
CN = Office of time
[ext]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[tsa]
default_tsa = one
[one]
serial = SERIAL
crypto_device = builtin
signer_cert = CERT
signer_key = KEY
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""
POST = OFFICE = None


def make_office(name):
    d = DIR / name
    d.mkdir()
    (d / "serial").write_text("01\n")
    (d / "conf").write_text(CONF.replace("SERIAL", str(d / "serial")).replace("CERT", str(d / "cert.pem")).replace("KEY", str(d / "key.pem")))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-keyout", d / "key.pem", "-out", d / "cert.pem",
                    "-config", d / "conf", "-section", "ca", "-extensions", "ext"], check=True, capture_output=True)
    return d


class Office(http.server.BaseHTTPRequestHandler):
    asked, refuse = 0, False

    def do_POST(self):
        Office.asked += 1
        query = self.rfile.read(int(self.headers["Content-Length"]))
        (DIR / "query").write_bytes(query)
        if Office.refuse:
            self.send_error(503)
            return
        d = DIR / "office"
        r = subprocess.run(["openssl", "ts", "-reply", "-queryfile", DIR / "query", "-config", d / "conf", "-section", "one"], capture_output=True)
        self.send_response(200)
        self.send_header("Content-Type", "application/timestamp-reply")
        self.send_header("Content-Length", str(len(r.stdout)))
        self.end_headers()
        self.wfile.write(r.stdout)

    def log_message(self, *_):
        pass


def stamps():
    return sorted((pathlib.Path(POST.data) / "proof").glob("*.tsr"))


def wait(what, seconds=90):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.2)


def start():
    global POST, OFFICE
    make_office("office")
    make_office("other")
    OFFICE = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Office)
    threading.Thread(target=OFFICE.serve_forever, daemon=True).start()
    conf = DIR / "lantian.conf"
    conf.write_text(f'ts_url = "http://127.0.0.1:{OFFICE.server_port}/"\nts_ca = "{DIR}/office/cert.pem"\n')
    POST = Post(extra=("--config", str(conf))).start()


def a_statement_is_stamped():
    admin = administrator(POST)
    admin.must("POST", "/api/v1/proof/seal", {})
    wait(stamps)
    items = admin.must("GET", "/api/v1/proof/days")["items"]
    assert items and items[0]["stamped"] is True, items
    r = subprocess.run(["openssl", "ts", "-reply", "-in", stamps()[0], "-text"], capture_output=True, text=True, check=True)
    assert "Status: Granted" in r.stdout and items[0]["sha256"][:4] in r.stdout.replace(" ", ""), r.stdout


def check(ca, want, word):
    r = cli("verify", "--data", POST.data, "--ts-ca", str(DIR / ca / "cert.pem"), "--lang", "en")
    assert r.returncode == want and word in r.stdout.decode(), (r.returncode, r.stdout, r.stderr)


def the_stamp_is_checked():
    assert POST.stop() == 0
    check("office", 0, "1 time stamps")
    check("other", 1, "not of this statement")
    path = stamps()[0]
    good = path.read_bytes()
    for at in range(20, len(good), max(1, len(good) // 12)):
        bad = bytearray(good)
        bad[at] ^= 1
        path.write_bytes(bad)
        check("office", 1, "not of this statement")
    path.write_bytes(good)
    check("office", 0, "it holds")


def an_office_that_refuses_stops_nothing():
    Office.refuse = True
    POST.start()
    status = POST.request("GET", "/healthz")[0]
    assert status == 200, status
    assert POST.stop() == 0
    check("office", 0, "it holds")


if __name__ == "__main__":
    start()
    try:
        run_tests([a_statement_is_stamped, the_stamp_is_checked, an_office_that_refuses_stops_nothing])
    finally:
        POST.close()
        OFFICE.shutdown()
