"""Hostile sheets and hostile requests, generated: used by hostile_test.py one by one and by soak.py all through an hour."""
import io
import random
import struct
import zipfile
import zlib

REL = b"http://schemas.openxmlformats.org/officeDocument/2006/relationships"
MAIN = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def xlsx(sheet, strings=b"", extra=(), target=b"worksheets/sheet1.xml"):
    """The least package that is a workbook, with the given bytes as its only sheet."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("[Content_Types].xml", b"<Types/>")
        z.writestr("xl/workbook.xml", b'<workbook xmlns:r="r"><sheets><sheet name="a" sheetId="1" r:id="rId1"/></sheets></workbook>')
        z.writestr("xl/_rels/workbook.xml.rels", b'<Relationships><Relationship Id="rId1" Type="' + REL
                   + b'/worksheet" Target="' + target + b'"/></Relationships>')
        z.writestr("xl/worksheets/sheet1.xml", sheet)
        if strings:
            z.writestr("xl/sharedStrings.xml", strings)
        for name, data in extra:
            z.writestr(name, data)
    return out.getvalue()


def escape(v):
    return str(v).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").encode()


def cells(rows, more=b""):
    """Rows of texts as inline strings; None leaves the cell out; bytes are put as they are."""
    out = [b'<worksheet xmlns="' + MAIN + b'"><sheetData>']
    for r, row in enumerate(rows, 1):
        out.append(b'<row r="%d">' % r)
        for c, v in enumerate(row):
            ref = b"%c%d" % (65 + c, r)
            if isinstance(v, bytes):
                out.append(v.replace(b"REF", ref))
            elif v is not None:
                out.append(b'<c r="' + ref + b'" t="inlineStr"><is><t>' + escape(v) + b"</t></is></c>")
        out.append(b"</row>")
    return b"".join(out) + b"</sheetData>" + more + b"</worksheet>"


PLANT = ["code", "name", "industry", "territory"]
STATE = ["outlet", "state", "begin_at"]


def plant(**wrong):
    row = {"code": "91410100MA4400100A", "name": "厂", "industry": "steel", "territory": "410322", **wrong}
    return list(row.values())


def bad_files(rnd):
    """(name, form, bytes): no sheets at all, or such that must not be opened to the end."""
    good = xlsx(cells([PLANT, plant(industry="nonsense")]))  # whole it opens, and is refused for that
    for mib in (2, 20, 81):
        body = b"<worksheet><sheetData><row><c t=\"inlineStr\"><is><t>" + b"A" * (mib << 20) + b"</t></is></c></row></sheetData></worksheet>"
        yield f"bomb {mib} MiB", "xlsx", xlsx(body)
    yield "bomb in strings", "xlsx", xlsx(cells([PLANT]), b"<sst><si><t>" + b"B" * (90 << 20) + b"</t></si></sst>")
    yield "bomb in styles", "xlsx", xlsx(cells([PLANT]), extra=[("xl/styles.xml", b"<styleSheet>" + b" " * (90 << 20) + b"</styleSheet>")])
    yield "many parts", "xlsx", xlsx(cells([PLANT]), extra=[(f"x/{i}", b"") for i in range(9000)])
    yield "zip in zip", "xlsx", xlsx(good)
    for depth in (1000, 300_000):
        yield f"nested {depth}", "xlsx", xlsx(b"<worksheet><sheetData>" + b"<row>" * depth + b"</row>" * depth + b"</sheetData></worksheet>")
    yield "attribute", "xlsx", xlsx(b'<worksheet><sheetData><row r="' + bytes(rnd.choices(b"0123456789abcdef", k=1 << 20)) * 8 + b'"/></sheetData></worksheet>')
    for n in (3, 9):
        billion = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + b"".join(
            b'<!ENTITY %c "%s">' % (98 + i, (b"&%c;" % (97 + i)) * 10) for i in range(n)) + b"]><sst><si><t>&%c;</t></si></sst>" % (97 + n)
        yield f"entities {n}", "xlsx", xlsx(cells([PLANT]), billion)
    for url in ("file:///etc/passwd", "http://127.0.0.1:1/", "/dev/zero", "file:///proc/self/environ"):
        yield f"external {url}", "xlsx", xlsx(cells([PLANT]), b'<!DOCTYPE x [<!ENTITY e SYSTEM "' + url.encode() + b'">]><sst><si><t>&e;</t></si></sst>')
    yield "utf-16 claimed", "xlsx", xlsx(b'<?xml version="1.0" encoding="UTF-16"?>' + cells([PLANT]))
    yield "unknown encoding", "xlsx", xlsx(b'<?xml version="1.0" encoding="x-evil"?>' + cells([PLANT]))
    yield "not utf-8 inside", "xlsx", xlsx(cells([PLANT]).replace(b"code", b"\xff\xfe\xfd"))
    yield "no end", "xlsx", xlsx(cells([PLANT, plant()])[:-40])
    for ref in ("XFE1048577", "ZZZZZZZZ99999999999", "A0", "1A", "-", "A-1"):
        yield f"cell {ref}", "xlsx", xlsx(b'<worksheet><sheetData><row r="1"><c r="' + ref.encode() + b'"><v>1</v></c></row></sheetData></worksheet>')
    yield "number that is none", "xlsx", xlsx(cells([STATE, ["DA0", "stopped", b'<c r="REF"><v>NaN</v></c>']]))
    yield "string index", "xlsx", xlsx(b'<worksheet><sheetData><row r="1"><c r="A1" t="s"><v>999999999999</v></c></row></sheetData></worksheet>')
    for target in (b"../../../etc/passwd", b"/etc/passwd", b"file:///etc/passwd", b"worksheets/none.xml", b""):
        yield f"target {target.decode()!r}", "xlsx", xlsx(cells([PLANT, plant()]), target=target)
    lies = bytearray(good)
    at = lies.rfind(b"PK\1\2")
    lies[at + 24:at + 28] = struct.pack("<I", 0xFFFFFFF0)
    yield "size lies", "xlsx", bytes(lies)
    yield "encrypted", "xlsx", good.replace(b"PK\1\2\x14\x03\x14\0\0\0", b"PK\1\2\x14\x03\x14\0\1\0")
    yield "old binary format", "xlsx", bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 4096
    yield "html named sheet", "xlsx", b"<html><table><tr><td>code</td></tr></table></html>"
    yield "gzip", "xlsx", zlib.compress(b"code,name\n")
    yield "nothing", "xlsx", b""
    for i in range(24):
        cut = good[:rnd.randrange(1, len(good) - 1)]
        yield f"cut at {len(cut)}", "xlsx", cut
    for i in range(24):
        m = bytearray(good)
        for _ in range(rnd.randrange(2, 12)):
            m[rnd.randrange(len(m))] = rnd.randrange(256)
        yield f"mutated {i}", "xlsx", bytes(m)
    head = ",".join(PLANT).encode()
    yield "empty csv", "csv", b""
    yield "zip as csv", "csv", good
    yield "nul", "csv", head + b"\n91410100MA4400100A\0,a,steel,1\n"
    yield "open quote", "csv", head + b'\n"' + b"a" * 1_000_000
    yield "quotes", "csv", head + b"\n" + b'"' * 999_999
    yield "columns", "csv", head + b",x" * 500_000 + b"\n"
    yield "one line of 19 MiB", "csv", head + b"\n" + b"a" * (19 << 20)
    yield "rows", "csv", head + b"\n" + b",,,\n" + b"a,b,c,d\n" * 400_000
    yield "utf-16 without mark", "csv", (head.decode() + "\n厂,厂,steel,1\n").encode("utf-16-be")
    yield "utf-32", "csv", (head.decode() + "\n厂,厂,steel,1\n").encode("utf-32")
    yield "cut character", "csv", head + b"\n91410100MA4400100A,\xe5\x8e,steel,1\n"
    yield "overlong", "csv", head + b"\n91410100MA4400100A,\xc0\xaf\xe0\x80\xaf,steel,1\n"
    yield "surrogates", "csv", head + b"\n91410100MA4400100A,\xed\xa0\x80\xed\xb0\x80,steel,1\n"
    for extra in ("version", "password", "deleted", "created_at", "code", "__proto__", "'; DROP TABLE enterprise;--"):
        yield f"column {extra}", "csv", head + b"," + extra.encode() + b"\n91410100MA4400100A,a,steel,410322,1\n"
    yield "no header", "csv", b"91410100MA4400100A,a,steel,410322\n"


def bad_cells(rnd):
    """(name, kind, form, bytes, row, column): sheets that open, with one cell that must be named."""
    def both(name, kind, head, row, column, before=()):
        rows = [head, *before, row]
        csv = "".join(",".join('"' + ("" if v is None else str(v)).replace('"', '""') + '"' for v in r) + "\n" for r in rows)
        yield name + ", csv", kind, "csv", csv.encode(), len(rows), column
        yield name + ", xlsx", kind, "xlsx", xlsx(cells(rows)), len(rows), column

    for v in ('=HYPERLINK("http://evil/","x")', "+1+cmd|' /C calc'!A0", "@SUM(1)", "-2+3", "\t=1", "９１４１０１００ＭＡ４４", "91410100MA4400100B1", "x" * 9000):
        yield from both(f"code {v[:12]!r}", "enterprise", PLANT, plant(code=v), "code")
    for v in ("nonsense", "=1", "STEEL ", "钢", "1"):
        yield from both(f"industry {v!r}", "enterprise", PLANT, plant(industry=v), "industry")
    for v in ("999999", "-1", "1e3", "县外", "=A1", "9" * 30, "410322;410323"):
        yield from both(f"territory {v[:9]!r}", "enterprise", PLANT, plant(territory=v), "territory")
    for v in ("181", "-180.1", "1e400", "NaN", "Infinity", "112,5", "0x70", "112°", "1 12", "--1", "9" * 400):
        yield from both(f"lon {v[:9]!r}", "enterprise", [*PLANT, "lon"], [*plant(), v], "lon")
    for v in ("2026-02-30", "31/12/2026", "昨天", "2026年13月1日", "20261301", "1e9", "-1", "2026-11-26T25:00:00", "2026-11-26 08:00:61", "99999-01-01",
              "=TODAY()", "0000-00-00", "2026-11-26T08:00:00+99:00"):
        yield from both(f"date {v!r}", "process_state", STATE, ["DA0", "stopped", v], "begin_at")
    for v in ("", None):
        yield from both(f"name {v!r}", "enterprise", PLANT, plant(name=v), "name")
    merged = b'<mergeCells count="1"><mergeCell ref="B2:B9"/></mergeCells>'
    yield "merged names", "enterprise", "xlsx", xlsx(cells([PLANT, plant(name=None)], merged)), 2, "name"
    everything = b'<mergeCells count="1"><mergeCell ref="A1:XFD1048576"/></mergeCells>'
    yield "merged everything", "enterprise", "xlsx", xlsx(cells([PLANT, plant(industry="x")], everything)), 2, "industry"
    error = b'<c r="REF" t="e"><v>#REF!</v></c>'
    yield "error value", "enterprise", "xlsx", xlsx(cells([PLANT, plant(industry=error)])), 2, "industry"
    formula = b'<c r="REF" t="str"><f>CMD|"/C calc"!A0</f><v>evil</v></c>'
    yield "formula cell", "enterprise", "xlsx", xlsx(cells([PLANT, plant(industry=formula)])), 2, "industry"
    truth = b'<c r="REF" t="b"><v>1</v></c>'
    yield "true in a list", "enterprise", "xlsx", xlsx(cells([PLANT, plant(industry=truth)])), 2, "industry"
    for v in ("1e308", "-5", "2958466"):
        serial = b'<c r="REF"><v>' + v.encode() + b"</v></c>"
        yield f"serial {v}", "process_state", "xlsx", xlsx(cells([STATE, ["DA0", "stopped", serial]])), 2, "begin_at"
    far = [plant(code=f"91410100MA44{i:05d}A") for i in range(3000)]
    yield from both("one in 3,000", "enterprise", PLANT, plant(industry="x"), "industry", far)


def requests(rnd):
    """(name, bytes): what a hostile client sends to the HTTP port."""
    h = b"Host: x\r\n"
    yield "huge header", b"GET / HTTP/1.1\r\n" + h + b"X: " + b"a" * 200_000 + b"\r\n\r\n"
    yield "many headers", b"GET / HTTP/1.1\r\n" + h + b"".join(b"X-%d: y\r\n" % i for i in range(5000)) + b"\r\n"
    yield "huge target", b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n" + h + b"\r\n"
    yield "huge query", b"GET /api/v1/unit?" + b"&".join(b"a%d=1" % i for i in range(4000)) + b" HTTP/1.1\r\n" + h + b"\r\n"
    yield "huge cookie", b"GET /api/v1/unit HTTP/1.1\r\n" + h + b"Cookie: lt_session=" + b"A" * 60_000 + b"\r\n\r\n"
    yield "folded header", b"GET / HTTP/1.1\r\n" + h + b"X: a\r\n b\r\n\tc\r\n\r\n"
    yield "no colon", b"GET / HTTP/1.1\r\nHost\r\n\r\n"
    yield "space before colon", b"GET / HTTP/1.1\r\nHost : x\r\n\r\n"
    yield "nul in header", b"GET / HTTP/1.1\r\nHost: x\0y\r\n\r\n"
    yield "bare line feeds", b"GET / HTTP/1.1\nHost: x\n\n"
    yield "no host", b"GET / HTTP/1.1\r\n\r\n"
    yield "two hosts", b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"
    post = b"POST /api/v1/session HTTP/1.1\r\n" + h
    yield "chunk size not hex", post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"
    yield "chunk size huge", post + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n{}\r\n0\r\n\r\n"
    yield "chunk size negative", post + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n{}\r\n0\r\n\r\n"
    yield "chunk extension", post + b"Transfer-Encoding: chunked\r\n\r\n2;" + b"a" * 100_000 + b"\r\n{}\r\n0\r\n\r\n"
    yield "chunks without end", post + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 100_000
    yield "both lengths", post + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: y\r\n\r\n"
    yield "unknown coding", post + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"
    for v in (b"-1", b"+2", b"0x10", b"2, 2", b"2 2", b"99999999999999999999", b"1e3", b""):
        yield f"length {v.decode()!r}", post + b"Content-Length: " + v + b"\r\n\r\n{}"
    yield "two lengths", post + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} "
    yield "pipeline", (b"GET /healthz HTTP/1.1\r\n" + h + b"\r\n") * 500
    yield "pipeline behind a body", post + b"Content-Length: 2\r\n\r\n{}" + b"GET /api/v1/unit HTTP/1.1\r\n" + h + b"\r\n"
    yield "body on get", b"GET /healthz HTTP/1.1\r\n" + h + b"Content-Length: 500000\r\n\r\n" + b"a" * 500_000
    for m in (b"PUT", b"DELETE", b"PATCH", b"TRACE", b"CONNECT", b"PROPFIND", b"get", b"G\0T", b"A" * 5000):
        yield f"method {m[:8]!r}", m + b" /api/v1/summary HTTP/1.1\r\n" + h + b"\r\n"
    for p in (b"/../../etc/passwd", b"/..%2f..%2fetc/passwd", b"/%2e%2e/%2e%2e/etc/passwd", b"/....//etc/passwd", b"//etc/passwd", b"/api/v1/../../etc/passwd",
              b"/api/v1/%00", b"/api/v1/unit/%2e%2e/user", b"/api//v1/unit", b"/API/V1/UNIT", b"/api/v1/unit/", b"/assets/..\\..\\etc\\passwd", b"/%c0%ae%c0%ae/etc/passwd",
              b"*", b"http://127.0.0.1/", b"", b"/" + b"/a" * 4000, b"/api/v1/unit/1/history/../../user", b"/%252e%252e/etc/passwd", b"/api/v1/unit;x=1", b"/?\xff\xfe"):
        yield f"path {p[:24]!r}", b"GET " + p + b" HTTP/1.1\r\n" + h + b"\r\n"
    yield "http 0.9", b"GET /\r\n"
    yield "http 3", b"GET / HTTP/3.0\r\n" + h + b"\r\n"
    yield "h2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 100
    yield "tls hello", bytes.fromhex("160301020001000001fc0303") + rnd.randbytes(500)
    yield "upgrade", b"GET /api/v1/events HTTP/1.1\r\n" + h + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    yield "expect", post + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    yield "expect nonsense", post + b"Expect: the-moon\r\nContent-Length: 2\r\n\r\n{}"
    yield "range", b"GET / HTTP/1.1\r\n" + h + b"Range: bytes=" + b",".join(b"%d-%d" % (i, i) for i in range(2000)) + b"\r\n\r\n"
    for _ in range(20):
        yield "random", rnd.randbytes(rnd.randrange(1, 4000))
    base = b"POST /api/v1/unit HTTP/1.1\r\n" + h + b"Content-Length: 2\r\n\r\n{}"
    for _ in range(40):
        m = bytearray(base)
        for _ in range(rnd.randrange(1, 5)):
            m[rnd.randrange(len(m))] = rnd.randrange(256)
        yield "mutated", bytes(m)


if __name__ == "__main__":
    r = random.Random(1)
    print(len(list(bad_files(r))), "files", len(list(bad_cells(r))), "cells", len(list(requests(r))), "requests")
