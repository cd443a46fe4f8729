#!/usr/bin/env python3
"""Small mistakes a machine can see: banned functions, SQL by concatenation, long functions (the list may only shrink),
headers that do not compile alone, left-over marks."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BANNED = re.compile(r"(?<![\w.>])(strcpy|strcat|sprintf|vsprintf|gets|strtok|strncpy|atoi|atof|atol|sscanf|alloca|system|popen|"
                    r"setlocale|localtime|localtime_r|gmtime|gmtime_r|ctime|rand|usleep|signal)\s*\(")
LONG = 80  # lines; a function longer than this must be in tools/long_functions.txt


def strip(text: str) -> str:
    """Comments and strings blanked, line structure kept."""
    out = re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'',
                 lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.S)
    return out


def functions(text: str):
    """(name, lines) of each function body that starts in column 0."""
    lines = text.splitlines()
    start = None
    for i, line in enumerate(lines):
        if line == "{":
            start = i
        elif line == "}" and start is not None:
            k = start - 1
            while k > 0 and not re.match(r"\w", lines[k]):
                k -= 1
            m = re.search(r"(\w+)\s*\(", lines[k])
            yield (m.group(1) if m else "?"), i - start + 1
            start = None


IDS = [f"{letter}{n}" for letter, last in (("A", 9), ("B", 19), ("C", 6), ("D", 10), ("E", 6)) for n in range(1, last + 1)]


def capabilities():
    """What docs/CAPABILITIES.md says: each ID once, a known state, and tests that exist (as meson.build and tests/ name them)."""
    tests = set()
    for path in (ROOT / "src").rglob("meson.build"):
        text = path.read_text(encoding="utf-8")
        for m in re.finditer(r"\btest\('(\w+)'( \+ t)?|\btest\(t,|'(\w+_fuzz)'", text):
            names = re.findall(r"'(\w+)'", " ".join(re.findall(r"foreach t : \[([^\]]*)\]", text[:m.start()])[-1:]))
            tests.update([m.group(3)] if m.group(3) else [m.group(1)] if m.group(1) and not m.group(2) else [(m.group(1) or "") + n for n in names])
    rows = [[c.strip() for c in line.strip("|").split(" | ")] for line in (ROOT / "docs/CAPABILITIES.md").read_text(encoding="utf-8").splitlines()
            if re.match(r"\| [A-E]\d", line)]
    if [r[0] for r in rows] != IDS:
        yield "docs/CAPABILITIES.md: rows are not the IDs A1 to E6, each once and in order"
    for row in rows:
        shown = re.findall(r"`([^`]+)`", row[3]) if len(row) == 4 else []
        if len(row) != 4 or not re.match(r"(works|partly)\b(?=: )|not yet", row[2]):
            yield f"docs/CAPABILITIES.md: {row[0]}: four cells, and a state that is works:, partly: or not yet"
        elif not shown and not row[2].startswith("not yet"):
            yield f"docs/CAPABILITIES.md: {row[0]}: no test shows it"
        for name in shown:
            known = (ROOT / name).exists() if "/" in name else any(re.fullmatch(name.replace("*", ".*"), t) for t in tests)
            if not known and not name.startswith("./test"):
                yield f"docs/CAPABILITIES.md: {row[0]}: there is no test {name}"


def main() -> int:
    bad = list(capabilities())
    known = set((ROOT / "tools/long_functions.txt").read_text().split())
    seen = set()
    files = sorted(list((ROOT / "src").rglob("*.[ch]")) + list((ROOT / "bench").rglob("*.[ch]")))
    for path in files:
        rel = path.relative_to(ROOT)
        text = path.read_text(encoding="utf-8")
        code = strip(text)
        for n, line in enumerate(code.splitlines(), 1):
            if m := BANNED.search(line):
                bad.append(f"{rel}:{n}: {m.group(1)} is banned (CONTRIBUTING.md)")
            if re.search(r"(?<![\w.>])time\s*\(\s*(NULL|0|&)", line) and rel.parts[1] != "base":
                bad.append(f"{rel}:{n}: time() outside base")
            if "CLOCK_REALTIME" in line and rel.parts[1] != "base":
                bad.append(f"{rel}:{n}: CLOCK_REALTIME outside base (waits go by lt_mono_after(), the time of day by lt_wall_ms())")
        if re.search(r"\b(TODO|FIXME|XXX)\b", text):
            bad.append(f"{rel}: a left-over mark (TODO, FIXME, XXX)")
        if path.suffix == ".c":
            for name, length in functions(code):
                key = f"{rel}:{name}"
                if length > LONG:
                    seen.add(key)
                    if key not in known:
                        bad.append(f"{key}: {length} lines; split it, or add it to tools/long_functions.txt with a reason in review")
    for key in sorted(known - seen):
        bad.append(f"tools/long_functions.txt: {key} is short now: take it off the list")
    for path in sorted((ROOT / "src").rglob("*.h")):
        if path.name == "err_list.h" or "testdata" in path.parts:
            continue
        r = subprocess.run(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-fsyntax-only", "-Isrc", "-xc", str(path)],
                           cwd=ROOT, capture_output=True, text=True, check=False)
        if r.returncode:
            bad.append(f"{path.relative_to(ROOT)} does not compile alone:\n{r.stderr[:400]}")
    print("\n".join(bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
