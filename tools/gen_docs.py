#!/usr/bin/env python3
"""Writes docs/CONFIG.md and docs/ERRORS.md from the tables in the source. --check: fails when they are out of date."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
STRING = r'"((?:[^"\\]|\\.)*)"'


def config() -> str:
    text = (ROOT / "src/main/config.def").read_text(encoding="utf-8")
    out = ["# Settings", "", "Made from `src/main/config.def` by `tools/gen_docs.py`. A file has lines `name = value`; texts in quotes. "
           "`lantian check-config` prints all of them with their defaults, `lantian check-config FILE` checks a file. The command line wins "
           "over the file.", "", "| name | default | range | meaning | 说明 |", "|---|---|---|---|---|"]
    for m in re.finditer(rf'^(STR|INT)\((\w+), (?:{STRING}|(-?\d+)), (.*)\)$', text, re.M):
        kind, name, s, n, rest = m.groups()
        if kind == "STR":
            en, zh = re.findall(STRING, rest)
            out.append(f"| `{name}` | `\"{s}\"` | | {en} | {zh} |")
        else:
            least, most, tail = rest.split(",", 2)
            unit, en, zh = re.findall(STRING, tail)
            out.append(f"| `{name}` | `{n}` | {least.strip()}..{most.strip()} {unit} | {en} | {zh} |")
    return "\n".join(out) + "\n"


def errors() -> str:
    text = (ROOT / "src/base/err_list.h").read_text(encoding="utf-8")
    out = ["# Errors", "", "Made from `src/base/err_list.h` by `tools/gen_docs.py`. `{0}` … are replaced. The API answers "
           '`{"error":{"code","message","detail","hint","field"}}` with the HTTP status below.', "",
           "| code | HTTP | English | 中文 | hint | 提示 |", "|---|---|---|---|---|---|"]
    for m in re.finditer(rf'^X\((\w+), (\d+), {STRING},\s*{STRING},\s*{STRING},\s*{STRING}\)', text, re.M):
        out.append("| `{}` | {} | {} | {} | {} | {} |".format(*m.groups()))
    return "\n".join(out) + "\n"


def main() -> int:
    bad = 0
    for path, text in ((ROOT / "docs/CONFIG.md", config()), (ROOT / "docs/ERRORS.md", errors())):
        if "--check" in sys.argv:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                print(f"{path.relative_to(ROOT)} is out of date: run tools/gen_docs.py")
                bad = 1
        else:
            path.write_text(text, encoding="utf-8")
    return bad


if __name__ == "__main__":
    sys.exit(main())
