#!/usr/bin/env python3
"""Fails when a unit includes a header it may not know (docs/ARCHITECTURE.md, "Parts and the direction of knowledge").

Arrows point down only. Within a layer a unit may include only units that stand before it in the list, so that there
are no circles. L1 may include nothing but base, itself and the freestanding part of the C library."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent / "src"
LAYERS = [
    ("base",),
    ("hj212", "airq", "chain", "draw"),
    ("json", "sql", "sheet", "journal", "series", "bus", "http", "record", "flow", "paper"),
    ("auth", "registry", "alarm", "recorder", "gateway", "engine", "replay", "air", "proof", "sim", "demo"),
    ("assets", "api"),
    ("main",),
]
LAYER = {u: i for i, units in enumerate(LAYERS) for u in units}
ORDER = {u: n for n, u in enumerate(u for units in LAYERS for u in units)}
PURE_FORBIDDEN = re.compile(r"^(stdio|unistd|time|pthread|fcntl|errno|signal|sys/|sqlite3|uv|microhttpd|openssl)")
ALLOWED_UP = set()


def main() -> int:
    bad = []
    for path in sorted(ROOT.rglob("*.[ch]")):
        unit = path.relative_to(ROOT).parts[0]
        if unit not in LAYER:
            bad.append(f"{path}: unit '{unit}' is in no layer: add it to tools/check_layers.py")
            continue
        is_test = re.search(r"_(test|fuzz|bench|example)\b|_test\.|_fuzz\.|_example\.|testlib|/test", str(path))
        for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            m = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
            if not m:
                continue
            name = m.group(2)
            other = name.split("/")[0]
            if m.group(1) == "<":
                if unit == "chain" and name.startswith("openssl/"):
                    continue  # hashes and signatures are functions of their arguments
                if LAYER[unit] == 1 and not is_test and PURE_FORBIDDEN.match(name):
                    bad.append(f"{path}:{n}: a pure library may not include <{name}>")
                continue
            if other == unit or "/" not in name or other not in LAYER:
                continue
            up = ORDER[other] > ORDER[unit]
            if up and not is_test and (unit, other) not in ALLOWED_UP:
                bad.append(f"{path}:{n}: {unit} (L{LAYER[unit]}) may not know {other} (L{LAYER[other]})")
            if LAYER[unit] == 1 and other != "base" and not is_test:
                bad.append(f"{path}:{n}: a pure library may know only base, not {other}")
    print("\n".join(bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
