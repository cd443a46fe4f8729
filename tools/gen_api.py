#!/usr/bin/env python3
"""Writes docs/API.md from the OpenAPI file a post serves. usage: tools/gen_api.py [--check]   (needs build/src/main/lantian)"""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from post import Post  # noqa: E402


def cell(text) -> str:
    return str(text or "").replace("|", "\\|").replace("\n", " ")


def main() -> int:
    with Post() as post:
        post.start()
        spec = post.request("GET", "/api/v1/openapi.json")[1]
        post.stop()
    out = ["# HTTP API", "", "Made from the routes and record kinds of the program by `tools/gen_api.py`; the full description with schemas is "
           "`GET /api/v1/openapi.json` of any post.", "",
           "Sign in with `POST /api/v1/session`; the session is a cookie, and every request that changes something carries the header `X-CSRF-Token`. "
           "Programs send `Authorization: Bearer TOKEN`. Errors are `{\"error\":{\"code\",\"message\",\"detail\",\"hint\",\"field\"}}` "
           "([ERRORS.md](ERRORS.md)) in the language of `?lang=` or `Accept-Language`. Lists are paged by cursor: `?limit=50&cursor=…`; filters are "
           "`FIELD=value`, `FIELD.min=`, `FIELD.max=`, `FIELD.not=`; `sort=-FIELD`; `q=` searches.", "",
           "| method | path | what | permission |", "|---|---|---|---|"]
    for path, item in sorted(spec["paths"].items()):
        for method, op in item.items():
            if method in ("get", "post", "put", "patch", "delete"):
                out.append(f"| {method.upper()} | `{cell(path)}` | {cell(op.get('summary'))} | {cell(op.get('x-permission'))} |")
    out += ["", "## Kinds of record", ""]
    for name, schema in sorted(spec.get("components", {}).get("schemas", {}).items()):
        props = schema.get("properties")
        if not props:
            continue
        out += [f"### {name}", "", "| field | type | |", "|---|---|---|"]
        for field, p in props.items():
            kind = p.get("type") or (p.get("allOf") or [{}])[0].get("$ref", "").split("/")[-1] or p.get("$ref", "").split("/")[-1]
            note = p.get("description") or p.get("title") or ""
            if p.get("enum"):
                note += " (" + ", ".join(str(x) for x in p["enum"]) + ")"
            out.append(f"| `{field}` | {kind}{' · ' + p['format'] if p.get('format') else ''} | {cell(note)} |")
        out.append("")
    text = "\n".join(out) + "\n"
    path = ROOT / "docs/API.md"
    if "--check" in sys.argv:
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            print("docs/API.md is out of date: run tools/gen_api.py")
            return 1
        return 0
    path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
