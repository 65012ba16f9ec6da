"""Rows of every format, and which row of a key is in force."""

from __future__ import annotations

import gzip
import json
import random
from typing import Any

import pytest

from tests.reperform.export_objects import csv, ndjson, put, read, reasons, rejected_rows

NOTICE: dict[str, Any] = {
    "notice_id": "n1",
    "maintenance_id": "m1",
    "action": "announce",
    "channel": "email",
    "sent_at": "2026-03-01T00:00:00Z",
    "window_start": "2026-03-04T00:00:00Z",
    "window_end": "2026-03-04T01:00:00Z",
    "component_ids": ["c1"],
}
ACCOUNTS = "account_id,company_name,sandbox"


def test_lines_end_at_a_line_feed_alone_and_blank_ones_are_none() -> None:
    body = f'\n  \n{json.dumps(NOTICE)}\r\n\n{{"notice_id": "a\u2028b"}}'
    exports = read(put("notices/a", body))
    assert [notice.notice_id for notice in exports.notices] == ["n1"]
    assert rejected_rows(exports) == [5]


@pytest.mark.parametrize(
    "line",
    [
        *(b"{", b"[]", b"1", b"null", b'"text"', b"{} {}"),
        json.dumps(NOTICE | {"sent_at": float("nan")}).encode(),
        json.dumps(NOTICE | {"channel": 10**30}).encode(),
        json.dumps(NOTICE | {"notice_id": "n" * 257}).encode(),
        json.dumps(NOTICE | {"account_ids": ["a" * 257]}).encode(),
        json.dumps(NOTICE | {"note": json.loads("[" * 256 + "]" * 256)}).encode(),
        json.dumps(NOTICE | {"note": "\0"}).encode(),
        json.dumps(NOTICE | {"note": [{"\0": 1}]}).encode(),
        json.dumps(NOTICE | {"note": "\ud800"}).encode(),
        json.dumps(NOTICE).encode().replace(b"{", b'{"notice_id": "n1", '),
        json.dumps(NOTICE | {"note": 0}).encode().replace(b'"note": 0', b'"note": [{"a": 1, "a": 1}]'),
        json.dumps(NOTICE).encode().replace(b'"n1"', b'"n\xff"'),
        json.dumps(NOTICE).encode() + b"\0",
        b"[" * 100_000,
    ],
)
def test_a_line_that_is_no_usable_json_object_is_rejected_alone(line: bytes) -> None:
    good = json.dumps(NOTICE | {"notice_id": "n2"}).encode()
    exports = read(put("notices/a", line + b"\n" + good))
    assert [notice.notice_id for notice in exports.notices] == ["n2"]
    assert rejected_rows(exports) == [1]


@pytest.mark.parametrize("value", ["9" * 5000, "1e400", "1e" + "9" * 30, "NaN", "-Infinity", "[" * 255 + "]" * 255])
def test_a_field_that_nobody_reads_may_hold_any_number_at_any_depth(value: str) -> None:
    exports = read(put("notices/a", json.dumps(NOTICE | {"note": 0}).replace('"note": 0', f'"note": {value}')))
    assert len(exports.notices) == 1
    page = f'{{"tickets": [{{"id": 7, "created_at": "2026-03-01T00:00:00Z", "x": {value}}}]}}'
    exports = read(put("tickets/zendesk/a", page))
    assert [event.ticket_id for event in exports.ticket_events] == ["7"] and exports.rejected == []


def test_a_backslash_before_u0000_that_is_itself_escaped_is_no_nul() -> None:
    exports = read(put("notices/a", json.dumps(NOTICE | {"note": "\\u0000"})))
    assert len(exports.notices) == 1


@pytest.mark.parametrize(("surplus", "usable"), [(0, 1), (1, 0)])
def test_a_row_may_have_one_mebibyte_and_no_more(surplus: int, usable: int) -> None:
    padding = (1 << 20) - len(json.dumps(NOTICE | {"note": ""})) + surplus
    exports = read(put("notices/a", json.dumps(NOTICE | {"note": "x" * padding})))
    assert len(exports.notices) == usable

    cell = "x" * ((1 << 20) - len("a1,A,") + surplus)
    assert len(read(put("accounts/accounts/a", csv("account_id,company_name,note", f"a1,A,{cell}"))).accounts) == usable


def test_an_id_has_256_characters_at_most_and_a_name_more() -> None:
    whole = NOTICE | {"notice_id": "n" * 256, "account_ids": ["a" * 256], "note": "x" * 20_000}
    assert len(read(put("notices/a", ndjson(whole))).notices) == 1
    rows = ["a1," + "x" * 10_000, "a2," + "x" * 10_001, "a" * 256 + ",A", "a" * 257 + ",A"]
    exports = read(put("accounts/accounts/a", csv("account_id,company_name", *rows)))
    assert (list(exports.accounts), rejected_rows(exports)) == (["a1", "a" * 256], [3, 5])


def test_gzip_is_seen_by_its_content_and_a_broken_one_rejects_its_object() -> None:
    packed = gzip.compress(json.dumps(NOTICE).encode())
    assert len(read(put("notices/a.ndjson", packed)).notices) == 1
    exports = read(put("notices/a", packed[:-9]), put("notices/b", json.dumps(NOTICE)))
    assert len(exports.notices) == 1
    assert [(rejection.key, rejection.row) for rejection in exports.rejected] == [("notices/a", 0)]


@pytest.mark.parametrize("prefix", ["notices/", "accounts/accounts/", "monitoring/checks/", "terms/", "claims/"])
def test_an_object_of_no_bytes_has_no_rows_and_no_fault(prefix: str) -> None:
    assert rejected_rows(read(put(f"{prefix}a", b""))) == []


def test_csv_cells_may_be_quoted_over_lines_and_a_bom_is_no_text() -> None:
    body = "\ufeff" + csv(ACCOUNTS, 'a1,"Foo, ""Bar""\nGmbH",', "", "a2,Ümlaut,true").replace("\n", "\r\n")
    accounts = read(put("accounts/accounts/a", body)).accounts
    assert accounts["a1"].company_name == 'Foo, "Bar"\nGmbH'
    assert accounts["a2"].is_sandbox


@pytest.mark.parametrize(
    "record",
    [
        b"a1,Foo, Inc,true",
        b"a1",
        b"a1,,",
        b"a1,  ,",
        b",Foo,",
        b"a1,Foo,yes",
        b"a1,F\xfco,",
        b"a1,F\0o,",
        b"a1,F\ro,",
    ],
)
def test_a_csv_record_that_cannot_be_used_is_rejected_alone(record: bytes) -> None:
    body = f"{ACCOUNTS}\na2,Bar,\n".encode() + record
    exports = read(put("accounts/accounts/a", body))
    assert list(exports.accounts) == ["a2"]
    assert rejected_rows(exports) == [3]


@pytest.mark.parametrize("record", [b'a1,"Foo', b'a1,"Foo"bar,', b'a1,"Foo"bar",\na3,"Baz,'])
def test_quotes_that_make_no_sense_cost_the_csv(record: bytes) -> None:
    exports = read(put("accounts/accounts/a", f"{ACCOUNTS}\na2,Bar,\n".encode() + record))
    assert exports.accounts == {}
    assert rejected_rows(exports) == [0]


@pytest.mark.parametrize("header", ["account_id,sandbox", "account_id,company_name,account_id", "a,\0", '"a""'])
def test_a_csv_without_a_usable_header_has_no_records(header: str) -> None:
    exports = read(put("accounts/accounts/a", csv(header, "a1,", "a2,")))
    assert exports.accounts == {}
    assert rejected_rows(exports) == [0]


def test_columns_may_be_in_any_order() -> None:
    accounts = read(put("accounts/accounts/a", csv("note,company_name,account_id,sandbox", "x,Foo,a1,"))).accounts
    assert not accounts["a1"].is_sandbox


def test_a_record_with_fewer_cells_than_the_header_is_unusable() -> None:
    exports = read(put("accounts/accounts/a", csv("account_id,company_name,sandbox", "a1,Foo", "a2,Bar,")))
    assert list(exports.accounts) == ["a2"]
    assert list(reasons(exports)) == ["it has 2 cells under a header of 3"]


def test_a_document_in_place_of_lines_is_unreadable_and_a_bad_first_line_is_not() -> None:
    row = '{"contract_id": "c1"}'
    documents = ("[]", "[" + row + "]", "{", '{\n "contract_id": 1\n}')
    for text in documents:
        assert rejected_rows(read(put("accounts/contracts/a", text.encode()))) == [0]
    for text in ("{\n" + row, "[]\n" + row):
        assert rejected_rows(read(put("accounts/contracts/a", text.encode()))) == [1, 2]


def test_what_an_archive_or_mark_up_holds_is_no_row() -> None:
    row = b"\n" + json.dumps(NOTICE).encode() + b"\n"
    tar = b"notices.ndjson".ljust(257, b"\0") + b"ustar\0"
    for start in (b"PK\x03\x04", b"  <html>", b"%PDF-1.7", b"7z\xbc\xaf", tar):
        for body in (start + row, gzip.compress(start + row)):
            exports = read(put("notices/a", body))
            assert (list(exports.notices), rejected_rows(exports)) == ([], [0])


@pytest.mark.parametrize("bom", [b"\xff\xfe", b"\xfe\xff"])
def test_an_object_that_says_it_is_utf_16_is_unreadable_whatever_follows(bom: bytes) -> None:
    for body in (bom, bom + b"\n" + json.dumps(NOTICE).encode(), gzip.compress(bom + b"\n")):
        assert rejected_rows(read(put("notices/a", body))) == [0]
    assert rejected_rows(read(put("notices/a", b"\n" + bom + b"\n" + json.dumps(NOTICE).encode()))) == [2]


def test_the_later_export_wins_then_the_key_then_the_line() -> None:
    def named(key: str, exported_at: str, *names: str) -> Any:
        return put(f"accounts/accounts/{key}", csv(ACCOUNTS, *(f"a1,{name}," for name in names)), exported_at)

    early, late = "2026-04-01T00:00:00Z", "2026-04-01T00:00:00.000001Z"
    cases = {
        "later": [named("b", early, "earlier"), named("a", late, "later")],
        "greater key": [named("b", early, "greater key"), named("B", early, "lower key")],
        "last line": [named("a", early, "first line", "last line")],
    }
    for expected, objects in cases.items():
        for order in (objects, objects[::-1]):
            assert read(*order).accounts["a1"].company_name == expected


def test_a_row_that_cannot_be_used_overrules_nothing() -> None:
    good = put("accounts/accounts/a", csv(ACCOUNTS, "a1,Foo,"))
    bad = put("accounts/accounts/b", csv(ACCOUNTS, "a1,,"), "2026-05-01T00:00:00Z")
    assert read(good, bad).accounts["a1"].company_name == "Foo"


def test_a_copy_speaks_as_of_its_own_object() -> None:
    first = put("notices/a", ndjson(NOTICE), "2026-04-01T00:00:00Z")
    changed = put("notices/b", ndjson(NOTICE | {"channel": "in_app"}), "2026-04-02T00:00:00Z")
    copy = put("notices/c", ndjson(NOTICE), "2026-04-03T00:00:00Z")
    assert [notice.channel for notice in read(first, changed, copy).notices] == ["email"]


def test_of_a_key_only_the_latest_version_is_in_force() -> None:
    old = put("accounts/accounts/a", csv(ACCOUNTS, "a1,Old,", "a2,Gone,"), "2026-05-01T00:00:00Z", is_latest=False)
    new = put("accounts/accounts/a", csv(ACCOUNTS, "a1,New,"), "2026-04-01T00:00:00Z")
    assert {name: account.company_name for name, account in read(old, new).accounts.items()} == {"a1": "New"}


def test_keys_below_no_known_prefix_are_none_of_ours() -> None:
    exports = read(put("billing/credits/x", b"\xff"), put("notices", b"{"), put("accounts/other/x", b"{"))
    assert exports.rejected == []


def test_the_order_of_objects_and_of_rows_of_different_keys_does_not_matter() -> None:
    rows = [NOTICE | {"notice_id": f"n{index}"} for index in range(20)]
    objects = [put(f"notices/{index}", ndjson(row)) for index, row in enumerate(rows)]
    expected = {notice.notice_id: notice for notice in read(*objects).notices}
    random.Random(3).shuffle(objects)
    random.Random(3).shuffle(rows)
    assert {notice.notice_id: notice for notice in read(*objects).notices} == expected
    assert {notice.notice_id: notice for notice in read(put("notices/all", ndjson(*rows))).notices} == expected
