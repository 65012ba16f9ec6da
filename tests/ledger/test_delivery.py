from __future__ import annotations

import csv
import hashlib
import io
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal

import psycopg
import pyarrow
import pyarrow.parquet
import pytest

from slaledger import approvals, delivery, evidence, ledger, objects, run
from slaledger.ledger.chain import read_lines
from slaledger.ledger.postings import read_postings
from slaledger.warehouse import connect
from tests.ledger.books import MARCH, AccountMonth, build, rows, validate

MANY = [
    AccountMonth(),
    AccountMonth(contract_id="=cmd|' /C calc'!A0", account_id="@SUM(1)"),
    AccountMonth(contract_id="K-3", currency="JPY", amount=Decimal(100), claim_id="\u2002-1+1"),
]


def post(settings, *account_months) -> str:
    run_id = build(settings, *account_months)
    validate(settings, run_id)
    ledger.post_month(settings, run_id=run_id)
    return run_id


def prefix(settings, run_id: str) -> str:
    """Where the drop of a run's only posting is."""
    with connect(settings.warehouse) as connection:
        (posting,) = [posting for posting in read_postings(connection) if posting.run_id == run_id]
    return delivery.drop_prefix(posting)


def bodies(settings) -> dict[str, bytes]:
    return {
        version.key: objects.get(settings.exports, version.key)
        for version in objects.list_versions(settings.exports, prefix=f"{delivery.PREFIX}/")
        if version.is_latest
    }


def versions(settings) -> int:
    return len(objects.list_versions(settings.exports, prefix=f"{delivery.PREFIX}/"))


def test_a_posting_is_dropped_as_csv_parquet_and_manifest(drop_settings):
    run_id = post(drop_settings, *MANY)
    keys = delivery.deliver(drop_settings, run_id=run_id)
    dropped = bodies(drop_settings)
    assert sorted(keys) == sorted(dropped)
    assert all(key.startswith("billing/credits/2026-03/") for key in keys)
    (manifest_key,) = [key for key in keys if key.endswith("manifest.json")]
    manifest = json.loads(dropped[manifest_key])
    assert {item["key"] for item in manifest["objects"]} == set(keys) - {manifest_key}
    for item in manifest["objects"]:
        assert item["sha256"] == hashlib.sha256(dropped[item["key"]]).hexdigest()
        assert item["rows"] == 3
        assert {currency: Decimal(total) for currency, total in item["sums"].items()} == {"USD": 100, "JPY": 100}


def test_csv_has_numbers_as_they_are_and_text_that_no_spreadsheet_runs(drop_settings):
    run_id = post(drop_settings, *MANY)
    delivery.deliver(drop_settings, run_id=run_id)
    (body,) = [body for key, body in bodies(drop_settings).items() if key.endswith(".csv")]
    table = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
    by_contract = {row["contract_id"]: row for row in table}
    assert set(by_contract) == {"K-1", "'=cmd|' /C calc'!A0", "K-3"}
    assert by_contract["'=cmd|' /C calc'!A0"]["account_id"] == "'@SUM(1)"
    assert by_contract["K-3"]["claim_id"] == "'\u2002-1+1"
    assert by_contract["K-1"]["amount"] == "50.00"
    assert by_contract["K-1"]["service_month"] == "2026-03-01"


def test_a_decrease_stays_a_negative_number(drop_settings):
    post(drop_settings, AccountMonth(amount=Decimal(100), credit_percent=Decimal(10)))
    post(drop_settings, AccountMonth())
    approvals.decide(drop_settings, "decrease:K-1:2026-03:availability", is_approved=True, by="Ada", because="restated")
    run_id = post(drop_settings, AccountMonth())
    delivery.deliver(drop_settings, run_id=run_id)
    contents = [body for key, body in bodies(drop_settings).items() if key.endswith(".csv")]
    amounts = [row["amount"] for body in contents for row in csv.DictReader(io.StringIO(body.decode(), newline=""))]
    assert sorted(amounts) == ["-50.00", "100"]


def test_parquet_holds_the_lines_exactly(drop_settings):
    run_id = post(drop_settings, *MANY)
    delivery.deliver(drop_settings, run_id=run_id)
    (body,) = [body for key, body in bodies(drop_settings).items() if key.endswith(".parquet")]
    table = pyarrow.parquet.read_table(pyarrow.BufferReader(body))
    held = rows(
        drop_settings,
        "select line_item_id::text, contract_id, amount, service_month, recorded_at, line_hash"
        " from billing.credit_line_items order by chain_position",
    )
    names = ["line_item_id", "contract_id", "amount", "service_month", "recorded_at", "line_hash"]
    assert [tuple(row[name] for name in names) for row in table.to_pylist()] == held


def test_a_repeat_writes_nothing_and_the_same_lines_give_the_same_bytes(drop_settings):
    run_id = post(drop_settings, *MANY)
    delivery.deliver(drop_settings, run_id=run_id)
    first = bodies(drop_settings)
    assert delivery.deliver(drop_settings, run_id=run_id) == []
    with connect(drop_settings.warehouse) as connection:
        lines = list(read_lines(connection))
    assert delivery.csv_bytes(lines) in first.values()
    assert delivery.parquet_bytes(lines) in first.values()
    assert versions(drop_settings) == 3


def test_a_run_that_appended_nothing_drops_nothing(drop_settings):
    run_id = post(drop_settings, AccountMonth(credit_status="expired"))
    assert delivery.deliver(drop_settings, run_id=run_id) == []
    assert versions(drop_settings) == 0


@pytest.mark.parametrize("writes", [0, 1, 2, 3, 4])
def test_broken_off_after_any_write_the_repeat_makes_it_whole(drop_settings, monkeypatch, writes):
    whole = post(drop_settings, *MANY)

    class Killed(BaseException):
        pass

    done = 0

    def counted(write):
        def step(*arguments, **options):
            nonlocal done
            if done == writes:
                raise Killed
            done += 1
            return write(*arguments, **options)

        return step

    with monkeypatch.context() as patched:
        patched.setattr(objects, "put", counted(objects.put))
        patched.setattr(objects, "put_if_absent", counted(objects.put_if_absent))
        # After the last write, before it is recorded.
        patched.setattr(delivery, "_record", counted(delivery._record))
        with pytest.raises(Killed):
            delivery.deliver(drop_settings, run_id=whole)
    assert not any(key.endswith("manifest.json") for key in bodies(drop_settings)) or writes == 4
    keys = delivery.deliver(drop_settings, run_id=whole)
    dropped = bodies(drop_settings)
    assert sorted(dropped) == sorted(keys)
    (manifest,) = [json.loads(body) for key, body in dropped.items() if key.endswith("manifest.json")]
    for item in manifest["objects"]:
        assert item["sha256"] == hashlib.sha256(dropped[item["key"]]).hexdigest()


def test_a_task_that_posts_again_in_the_same_run_has_both_postings_dropped(drop_settings):
    """A decrease is approved, and the task cleared: a second posting of the same run and month."""
    post(drop_settings, AccountMonth(amount=Decimal(100), credit_percent=Decimal(10)))
    run_id = post(drop_settings, AccountMonth(), AccountMonth(contract_id="K-2"))
    first = delivery.deliver(drop_settings, run_id=run_id)
    approvals.decide(drop_settings, "decrease:K-1:2026-03:availability", is_approved=True, by="Ada", because="restated")
    assert ledger.post_month(drop_settings, run_id=run_id).lines_appended == 1
    second = delivery.deliver(drop_settings, run_id=run_id)
    assert len(first) == 6 and len(second) == 3 and not set(first) & set(second)
    contents = [body for key, body in bodies(drop_settings).items() if key.endswith(".csv")]
    dropped = [row["amount"] for body in contents for row in csv.DictReader(io.StringIO(body.decode(), newline=""))]
    assert sorted(dropped) == ["-50.00", "100", "50.00"]
    assert evidence.verify_books(drop_settings).is_intact


def test_a_later_run_drops_what_an_earlier_one_left_and_goodwill(drop_settings):
    earlier = post(drop_settings, AccountMonth())
    given = approvals.goodwill(
        drop_settings, contract_id="K-1", service_month=MARCH, amount="5", by="Ada", because="late"
    )
    later = post(drop_settings, AccountMonth(), AccountMonth(contract_id="K-2"))
    keys = delivery.deliver(drop_settings, run_id=later)
    for run_id in (earlier, given.run_id, later):
        assert f"{prefix(drop_settings, run_id)}/manifest.json" in keys
    assert len(keys) == 9


def test_what_was_posted_and_not_dropped_is_told(drop_settings):
    """`sla run` ends with it where S3 died between the two."""
    run_id = post(drop_settings, *MANY)
    told = run._undelivered(drop_settings, run_id)
    assert told.startswith(" Posting 1 stands with 3 lines, and its drop does not yet: it follows with the next")
    assert run._undelivered(drop_settings, "another") == ""
    delivery.deliver(drop_settings, run_id=run_id)
    assert run._undelivered(drop_settings, run_id) == ""


def test_a_foreign_manifest_is_never_overwritten(drop_settings):
    run_id = post(drop_settings, AccountMonth())
    key = f"{prefix(drop_settings, run_id)}/manifest.json"
    objects.put(drop_settings.exports, key, b"{}")
    with pytest.raises(delivery.DropConflict, match="manifest"):
        delivery.deliver(drop_settings, run_id=run_id)
    assert bodies(drop_settings) == {key: b"{}"}


def test_four_at_once_drop_one_manifest(drop_settings):
    run_id = post(drop_settings, *MANY)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: delivery.deliver(drop_settings, run_id=run_id), range(4)))
    manifests = [
        version for version in objects.list_versions(drop_settings.exports) if version.key.endswith("manifest.json")
    ]
    assert len(manifests) == 1
    assert rows(drop_settings, "select count(*) from billing.deliveries") == [(1,)]


FALSE = ("insert into billing.deliveries values (%s, 'b', %s, %s)", "0" * 64)


@pytest.mark.parametrize(
    ("number", "name", "digest"),
    [(1, "another", FALSE[1]), (2, None, FALSE[1]), (3, None, FALSE[1]), (1, None, ""), (1, None, "F" * 64)],
)
def test_what_cannot_be_the_drop_of_a_posting_is_not_on_record(two_postings, number, name, digest):
    """By the relay in `psql`: another posting's manifest, one of a posting without lines, of none, no digest."""
    settings, postings = two_postings
    key = name or delivery.manifest_key(postings[min(number, 2) - 1])
    with pytest.raises(psycopg.errors.CheckViolation), connect(settings.warehouse, role="sla_relay") as connection:
        connection.execute(FALSE[0], (number, key, digest))
    waiting = "select posting_number, run_id from billing.undelivered"
    with connect(settings.warehouse, role="sla_biller") as connection:
        assert connection.execute(waiting).fetchall() == [(1, postings[0].run_id)]
    with connect(settings.warehouse) as connection:
        connection.execute("alter table billing.deliveries disable trigger deliveries_checked")
        connection.execute("alter table billing.deliveries drop constraint deliveries_sha256")
        connection.execute("alter table billing.deliveries drop constraint deliveries_posting_fk")
        connection.execute(FALSE[0], (number, key, digest))
        connection.rollback()


@pytest.fixture(scope="module")
def two_postings(closed_books):
    """One with a line, and one of a statement alone."""
    post(closed_books, AccountMonth(uptime_percent=Decimal("99.4")))
    with connect(closed_books.warehouse) as connection:
        return closed_books, list(read_postings(connection))


@pytest.mark.parametrize("name", ["credit_line_items.csv", "credit_line_items.parquet", "manifest.json"])
def test_a_drop_that_does_not_say_what_the_lines_say_is_found(drop_settings, name):
    """Forged by whoever may write into the bucket and `billing.deliveries`: each file has the digest that is told."""
    run_id = post(drop_settings, AccountMonth())
    with connect(drop_settings.warehouse) as connection:
        (posting,) = read_postings(connection)
        (line,) = read_lines(connection)
    forged = [replace(line, amount=Decimal(5000))]
    made = {file.key: file for file in delivery.drop_files(posting, forged if name != "manifest.json" else [line])}
    if name == "manifest.json":
        key = delivery.manifest_key(posting)
        content = json.loads(made[key].body)
        made[key] = delivery.DropFile(key, json.dumps({**content, "objects": []}).encode())
    for file in made.values():
        objects.put(drop_settings.exports, file.key, file.body)
    delivery._record(drop_settings, posting, made[delivery.manifest_key(posting)])
    assert delivery.deliver(drop_settings, run_id=run_id) == []
    report = evidence.verify_books(drop_settings)
    assert report.first_bad_row == "drop of posting 1"


def test_a_parquet_file_of_another_release_is_no_forgery(drop_settings):
    """Its values count: pyarrow's next release may write them in other bytes."""
    post(drop_settings, *MANY)
    with connect(drop_settings.warehouse) as connection:
        lines = list(read_lines(connection))
    table = pyarrow.parquet.read_table(pyarrow.BufferReader(delivery.parquet_bytes(lines)))
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(table, sink, compression="none", version="1.0")
    holds = delivery.FILES[delivery.PARQUET]
    assert holds(sink.getvalue().to_pybytes(), lines)
    assert not holds(delivery.parquet_bytes(lines[1:]), lines)
    assert not holds(b"PAR1", lines)
