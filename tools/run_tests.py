#!/usr/bin/env python3
"""Runs every test of the project, step by step, shows progress, and ends with 'N passed, N failed'.

Steps: source checks; unit tests and fuzz corpus under ASan and UBSan; threaded units under TSan; web unit tests, types
and size budget; black-box tests of the program (tests/*.py); browser tests. A step that cannot run counts as failed."""
import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
# those with threads of their own; the long single-threaded ones (fuzz, faults of the disk) beside them run under ASan only
THREADED = ["journal", "recorder", "gateway", "registry", "series_store", "bus", "http", "api", "engine_core", "proof_post"]
passed, failed, failures = 0, 0, []
counting = threading.Lock()


def say(text: str) -> None:
    print(text, flush=True)


def count(name: str, ok: int, bad: int, note: str = "") -> None:
    global passed, failed
    with counting:
        passed += ok
        failed += bad
        if bad:
            failures.append(f"{name}: {note or str(bad) + ' failed'}")


def run(cmd, timeout, env=None, cwd=ROOT):
    try:
        return subprocess.run(cmd, cwd=cwd, env={**os.environ, **(env or {})}, timeout=timeout, capture_output=True,
                              text=True, errors="replace", check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as e:
        out = (e.stdout or b"").decode(errors="replace") if isinstance(e.stdout, bytes) else (e.stdout or "")
        return subprocess.CompletedProcess(cmd, 124, out, f"no end within {timeout} s")


def simple(name, cmd, timeout=600, env=None, cwd=ROOT):
    """A step that is one test: its exit status decides."""
    t = time.monotonic()
    r = run(cmd, timeout, env, cwd)
    ok = r.returncode == 0
    say(f"  {'ok  ' if ok else 'FAIL'} {name} ({time.monotonic() - t:.0f} s)")
    if not ok:
        say("\n".join((r.stdout + r.stderr).splitlines()[-60:]))
    count(name, ok, not ok, f"exit {r.returncode}")
    return r


def tap(name, text, exit_ok):
    """Counts TAP lines; a test program that prints none counts as one."""
    ok = len(re.findall(r"^\s*ok \d+", text, re.M))
    bad = len(re.findall(r"^\s*not ok \d+", text, re.M))
    if ok + bad == 0:
        ok, bad = int(exit_ok), int(not exit_ok)
    elif not exit_ok and bad == 0:
        bad = 1  # it died after its last line, or a sanitizer spoke
    count(name, ok, bad)
    return ok, bad


def build(folder, options, setup_only=False):
    t = time.monotonic()
    r = run(["tools/build.sh", folder, *options], 1500, {"LT_SKIP_WEB": "1", "LT_SETUP_ONLY": "1" if setup_only else ""})
    return r, time.monotonic() - t


def build_pages(check):
    if simple("pages", ["tools/web.sh"], 1500).returncode == 0 and check:
        for name, script in (("types of the pages", "check"), ("vitest", "test"), ("size budget of the pages", "budget")):
            simple(name, ["npm", "run", "--silent", script], cwd=ROOT / "web")


def meson_tests(title, folder, built, env, only=None):
    say(f"== {title}")
    r, seconds = built
    if r.returncode:
        say("\n".join((r.stdout + r.stderr).splitlines()[-60:]))
        count(title, 0, 1, "does not build")
        return
    say(f"  built ({seconds:.0f} s)")
    names = []
    if only:  # meson test builds what the chosen tests need, and no more; this Meson knows no patterns
        listed = run(["meson", "test", "-C", folder, "--list"], 60).stdout.splitlines()
        names = [n.split(" / ")[-1].strip() for n in listed]
        names = [n for n in names if not re.search("fuzz|replay_test|fault", n) and any(n == u or n.startswith(u + "_") for u in only)]
    cmd = ["meson", "test", "-C", folder, *([] if only else ["--no-rebuild"]), "--num-processes", "2", "--timeout-multiplier", "6", *names]
    r = run(cmd, 1500, env)
    log = ROOT / folder / "meson-logs" / "testlog.json"
    if not log.exists():
        say(r.stdout[-3000:] + r.stderr[-3000:])
        count(title, 0, 1, "ran no test")
        return
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        e = json.loads(line)
        good = e["result"] in ("OK", "EXPECTEDFAIL") or e.get("returncode") == 0 and e["result"] == "OK"
        text = (e.get("stdout") or "")
        ok, bad = tap(f"{title}: {e['name']}", text, good)
        say(f"  {'ok  ' if not bad else 'FAIL'} {e['name']}: {ok} passed{f', {bad} failed' if bad else ''} ({e.get('duration', 0):.1f} s)")
        if bad:
            say("\n".join(("stdout:\n" + text + "\nstderr:\n" + (e.get("stderr") or "")).splitlines()[-80:]))


def beside_each_other(jobs, timeout, env):
    """Programs that print TAP, three at a time: they wait for each other's clocks more than for processors."""
    def one(job):
        t = time.monotonic()
        return job[0], run(job[1], timeout, env), time.monotonic() - t
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for done in concurrent.futures.as_completed([pool.submit(one, j) for j in jobs]):
            name, r, seconds = done.result()
            ok, bad = tap(name, r.stdout, r.returncode == 0)
            say(f"  {'ok  ' if not bad else 'FAIL'} {name}: {ok} passed{f', {bad} failed' if bad else ''} ({seconds:.0f} s)")
            if bad:
                say("\n".join((r.stdout + r.stderr).splitlines()[-100:]))


def main() -> int:
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--long", action="store_true", help="soak tests and 200 kill cycles")
    ap.add_argument("--only", default="", help="run only steps whose name holds this word")
    a = ap.parse_args()
    started = time.monotonic()
    long_env = {"LT_LONG": "1"} if a.long else {}

    def wanted(word):
        return not a.only or a.only in word

    pool = concurrent.futures.ThreadPoolExecutor(2)
    if wanted("unit"):
        asan = pool.submit(build, "build-asan", ["-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dbuildtype=debugoptimized",
                                                 "-Doptimization=1", "-Dwerror=false", "-Dc_args=-g1"])
    if wanted("web") or wanted("blackbox") or wanted("browser"):  # downloads and compilers work beside each other
        say("== installing what the other tests need; the pages are built and checked meanwhile")
        if subprocess.run(["tools/install.sh", "web", "test"], cwd=ROOT, check=False).returncode:
            count("packages", 0, 1, "not installed")
        pages = pool.submit(build_pages, wanted("web"))
    if wanted("source"):
        say("== source checks")
        simple("layers", [sys.executable, "tools/check_layers.py"])
        simple("source", [sys.executable, "tools/check_source.py"])
        simple("docs made from tables", [sys.executable, "tools/gen_docs.py", "--check"])
    if wanted("unit"):
        meson_tests("unit tests, ASan and UBSan", "build-asan", asan.result(),
                    {**long_env, "ASAN_OPTIONS": "abort_on_error=0:detect_leaks=1:allocator_may_return_null=1",
                     "LSAN_OPTIONS": f"suppressions={ROOT / 'tools/lsan.supp'}:print_suppressions=0",
                     "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"})
    if wanted("tsan"):
        # TZ: without it libc reads the time zone again at each localtime(), under a lock TSan cannot see
        meson_tests("threaded units, TSan", "build-tsan",
                    build("build-tsan", ["-Db_sanitize=thread", "-Db_lundef=false", "-Dbuildtype=debugoptimized", "-Doptimization=1", "-Dwerror=false", "-Dc_args=-g1"], True),
                    {**long_env, "TZ": "UTC", "TSAN_OPTIONS": f"halt_on_error=0:exitcode=66:suppressions={ROOT / 'tools/tsan.supp'}"},
                    THREADED)
    if wanted("web") or wanted("blackbox") or wanted("browser"):
        say("== release build with the pages")
        pages.result()
        simple("release build", ["tools/build.sh", "build"], 1500)
    env = {**long_env, "LANTIAN": str(ROOT / "build/src/main/lantian")}
    jobs = []  # the longest first; each starts posts of its own on free ports, so that they can run beside each other
    if wanted("blackbox") or wanted("browser"):
        say("== the program from outside, and in the browser")
    if wanted("browser"):
        specs = sorted((ROOT / "tests/e2e/specs").glob("*.test.mjs"))
        alone = [p for p in specs if p.stem in ("story.test", "every_page.test")]  # minutes each, on posts of their own
        jobs += [(f"browser, {p.stem}", ["sh", "tests/e2e/run.sh", str(p)]) for p in alone]
        jobs += [("browser, the others", ["sh", "tests/e2e/run.sh", *(str(p) for p in specs if p not in alone)])]
    if wanted("blackbox"):
        simple("API reference made from the code", [sys.executable, "tools/gen_api.py", "--check"], 120, env)
        jobs += [(p.stem, [sys.executable, str(p)]) for p in sorted((ROOT / "tests").glob("*_test.py"))]
    beside_each_other(jobs, 3600 if a.long else 900, env)
    if a.long and wanted("soak"):
        say("== an hour at ten times a city's load, with everything going wrong")
        simple("soak", [sys.executable, "tests/soak.py", "--minutes", "60", "--csv", "build/soak.csv"], 7200, env)
    for f in failures:
        say(f"failed: {f}")
    say(f"time: {(time.monotonic() - started) / 60:.1f} minutes")
    say(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
