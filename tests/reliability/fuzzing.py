"""Sound exports, spoiled: rows, field by field, and whole files, byte by byte."""

from __future__ import annotations

import csv
import gzip
import io
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tests.reliability.fuzzing_documents import LISTS, SPOILED, spoil_document, spoil_parquet, spoil_terms
from tests.second_route.packing import Upload

NDJSON = ("monitoring/checks", "notices", "exclusions", "tickets/events", "accounts/contracts", "claims")
CSV = ("catalog/monitors", "catalog/components", "accounts/accounts", "accounts/fees", "monitoring/checks")

INSTANTS = (
    *("now", "infinity", "-infinity", "epoch", "2026-03-01", "2026-03-01T00:00:00", "2026-02-30T00:00:00Z"),
    *("2026-03-31T24:00:00Z", "2026-03-31T23:59:60Z", "2026-03-01T00:00:00.1234567Z", "2026-03-01T00:00:00+24:00"),
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-14:00", "-2026-03-01T00:00:00Z"),
    *("1772323200", "1772323200000", "2026-03-01T00:00:00 Z", "2026-03-29T02:30:00+01:00", "٢٠٢٦-03-01T00:00:00Z"),
)
NUMBERS = (
    *("NaN", "Infinity", "-0", "1e400", "1e-400", "0.1000000000000000055", "1_000", "１２", "9" * 40, "-1", "1,5", ""),
    *("0x10", "1e15", "999999999999999.999999999", "00012", "+5", " 5", ".5", "5."),
)
TEXTS = (
    *("", " ", "\t", "null", "None", "true", "ﬁ", "İstanbul", "a\u2028b", "a\u202eb", "e\u0301", "\ud800", "\x00"),
    *("=1+1", "@SUM(1)", "'; drop table raw.claims; --", "{{ 7 * 7 }}", "${HOME}", "../../etc/passwd", "%s%n"),
    *("<script>alert(1)</script>", "\x1b[31m", "a|b", "a;b", "P1", "p1", "DOWN", "down ", "x" * 5_000),
)
VALUES: tuple[Any, ...] = (*INSTANTS, *TEXTS, None, True, 0, -1, 10**40, 1.5, [], {}, [None], [[]], {"": ""})
# What no JSON writer would put there.
RAW = (
    b"NaN",
    b"1e999",
    b"-",
    b"\\ud800",
    b"\x00",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"[" * 300,
    b'"',
    b",",
)


def spoil(rng: random.Random, upload: Upload, *, copies: int, told: Counter[str]) -> Iterator[Upload]:
    """The upload with each row so many times, most of them spoiled, each otherwise.

    Of Parquet so many further objects, each of some rows, spoiled in a column; of terms one, spoiled in a line.
    `told["spoiled"]` grows by the rows that are not what they were, those of Parquet not counted.
    """
    feed = next((feed for feed in (*NDJSON, *CSV, *LISTS, "terms") if upload.key.startswith(f"{feed}/")), None)
    is_zipped = upload.body[:2] == b"\x1f\x8b"
    try:
        body = gzip.decompress(upload.body) if is_zipped else upload.body
    except OSError:
        yield upload
        return
    if body[:4] == b"PAR1":
        yield upload
        for copy in range(copies):
            yield replace(upload, key=f"{upload.key}-{copy}", body=spoil_parquet(rng, body))
        return
    if feed == "terms":
        # Before or after the sound one, or instead of it: of one version the first that lands counts (rule T1).
        key = rng.choice((f"{upload.key}-spoiled", upload.key.replace("terms/", "terms/+"), upload.key))
        yield replace(upload, key=key, body=spoil_terms(rng, body))
        if key != upload.key:
            yield upload
        return
    if feed in LISTS:
        try:
            spoiled = spoil_document(rng, body, LISTS[feed], values=VALUES, copies=copies, told=told)
        except (ValueError, AttributeError):
            spoiled = spoil_bytes(rng, body) if rng.random() < 0.5 else body
    else:
        rows = _ndjson if body.lstrip()[:1] in (b"{", b"[") else _csv
        spoiled = b"".join(rows(rng, body, copies, told))
    yield replace(upload, body=gzip.compress(spoiled, mtime=0) if is_zipped else spoiled)


def spoil_bytes(rng: random.Random, body: bytes) -> bytes:
    """A whole file: cut, doubled, zipped once more, or with a few bytes changed."""
    made = bytearray(body)
    way = rng.randrange(8)
    if way == 0:
        return bytes(made[: rng.randrange(len(made) + 1)])
    if way == 1:
        return body + bytes(made[: rng.randrange(len(made) + 1)])
    if way == 2:
        return gzip.compress(body, mtime=0)
    for _ in range(rng.randint(1, 12)):
        start = rng.randrange(len(made) + 1)
        patch = rng.choice((*RAW, bytes([rng.randrange(256)]), json.dumps(rng.choice(VALUES)).encode()))
        made[start : start + rng.randrange(6)] = patch
    return bytes(made)


def _ndjson(rng: random.Random, body: bytes, copies: int, told: Counter[str]) -> Iterator[bytes]:
    for line in body.split(b"\n"):
        if line.strip():
            for _ in range(copies):
                row = rng.choice(LINE_WAYS)(rng, line) if rng.random() < SPOILED else line
                told["spoiled"] += row != line
                yield row + b"\n"


def _field(rng: random.Random, line: bytes) -> bytes:
    try:
        row = json.loads(line)
    except ValueError:
        return line
    if not isinstance(row, dict) or not row:
        return line
    name = rng.choice(list(row))
    way = rng.randrange(6)
    if way == 0:
        del row[name]
    elif way == 1:
        row[rng.choice(("unheard_of", "Status", " status", name.upper(), ""))] = row.pop(name)
    elif way == 2:
        row[name] = [row[name]] if not isinstance(row[name], list) else (row[name] or [None])[0]
    elif way == 3:
        row[name], other = row[rng.choice(list(row))], row[name]
        row[rng.choice(list(row))] = other
    else:
        row[name] = rng.choice(VALUES)
    return json.dumps(row, ensure_ascii=rng.random() < 0.5 or _has_surrogate(row)).encode()


def _has_surrogate(row: Any) -> bool:
    return "\\ud800" in json.dumps(row)


def _patched(rng: random.Random, line: bytes) -> bytes:
    start = rng.randrange(len(line) + 1)
    return line[:start] + rng.choice(RAW) + line[start + rng.randrange(3) :]


def _cut(rng: random.Random, line: bytes) -> bytes:
    return line[: rng.randrange(len(line) + 1)]


def _twice_named(rng: random.Random, line: bytes) -> bytes:
    return line.replace(b"{", b'{"status": "up", "amount": 1, ', 1)


def _with_return(rng: random.Random, line: bytes) -> bytes:
    return rng.choice((line + b"\r", line.replace(b",", b",\r", 1), b" \t" + line + b"  "))


LINE_WAYS: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    *(_field, _field, _field, _field, _field, _field),
    *(_patched, _cut, _twice_named, _with_return),
)


def _csv(rng: random.Random, body: bytes, copies: int, told: Counter[str]) -> Iterator[bytes]:
    try:
        header, *rows = csv.reader(io.StringIO(body.decode(), newline=""))
    except (ValueError, csv.Error):
        yield body
        return
    yield _record(header)
    for row in rows:
        for _ in range(copies if row else 0):
            record = _spoiled_record(rng, list(row)) if rng.random() < SPOILED else _record(row)
            told["spoiled"] += record != _record(row)
            yield record


def _spoiled_record(rng: random.Random, row: list[str]) -> bytes:
    way = rng.randrange(10)
    if way == 0:
        return _record(row).rstrip(b"\n").rsplit(b",", 1)[0] + b"\n"
    if way == 1:
        # Not a lone quote: that swallows all that follows, and is a file's fault, not a row's.
        return _record(row).replace(b",", rng.choice((b",,", b"", b";")), 1)
    if way == 2:
        return _record([*row, "more"])
    row[rng.randrange(len(row))] = rng.choice((*INSTANTS, *NUMBERS, *(text for text in TEXTS if text != "\ud800")))
    return _record(row)


def _record(cells: list[str]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()
