"""Anchors: what each posting came to, in the bucket: written once, in order, and held against before the next."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from slaledger import approvals, delivery, evidence, ledger, objects
from slaledger.ledger import anchors, verification
from slaledger.warehouse import connect
from tests.ledger.books import MARCH, AccountMonth, build, rows, validate
from tests.support.copies import copied


def post(settings, *months: AccountMonth) -> str:
    run_id = build(settings, *months)
    validate(settings, run_id)
    with ledger.anchored(settings):
        ledger.post_month(settings, run_id=run_id)
    return run_id


def held(settings) -> dict[str, bytes]:
    listed = objects.list_versions(settings.exports, prefix=f"{anchors.PREFIX}/")
    assert len({version.key for version in listed}) == len(listed), "an anchor was written twice"
    return {version.key: objects.get(settings.exports, version.key) for version in listed}


def test_a_posting_leaves_an_anchor_with_its_hash_the_head_and_the_sums(drop_settings):
    post(drop_settings, AccountMonth())
    post(drop_settings, AccountMonth(), AccountMonth(contract_id="K-2"))
    ((ledger_id,),) = rows(drop_settings, "select ledger_id::text from billing.ledger")
    ((posting_hash, head),) = rows(
        drop_settings, "select posting_hash, head_hash from billing.postings where posting_number = 2"
    )
    found = held(drop_settings)
    assert sorted(found) == [f"billing/anchors/{ledger_id}/{number:012d}.json" for number in (1, 2)]
    assert json.loads(found[f"billing/anchors/{ledger_id}/000000000002.json"]) == {
        "anchor_version": 1,
        "ledger_id": ledger_id,
        "posting_number": 2,
        "posting_hash": posting_hash,
        "chain": {"position": 2, "hash": head},
        "sums": {"USD": "100"},
    }


def test_what_a_kill_left_out_is_written_by_the_next(drop_settings):
    run_id = build(drop_settings, AccountMonth())
    validate(drop_settings, run_id)
    ledger.post_month(drop_settings, run_id=run_id)
    approvals.goodwill(drop_settings, contract_id="K-1", service_month=MARCH, amount="5", by="Ada", because="late")
    assert held(drop_settings) == {}
    said = "2 of them have no anchor yet. 2 of them with lines are not in the billing drop yet."
    assert str(evidence.verify_books(drop_settings)).endswith(said)
    delivery.deliver(drop_settings, run_id=run_id)
    assert len(held(drop_settings)) == 2
    assert evidence.verify_books(drop_settings).unanchored == 0


def test_four_at_once_write_one_anchor(drop_settings):
    run_id = build(drop_settings, AccountMonth())
    validate(drop_settings, run_id)

    def one(_: int) -> None:
        with ledger.anchored(drop_settings):
            ledger.post_month(drop_settings, run_id=run_id)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(4)))
    assert len(held(drop_settings)) == 1


def test_another_content_under_an_anchors_key_stops_postings_and_drops(drop_settings):
    run_id = post(drop_settings, AccountMonth())
    (key,) = held(drop_settings)
    objects.put(drop_settings.exports, key, b"{}")
    with pytest.raises(ledger.AnchorConflict, match="000000000001"), ledger.anchored(drop_settings):
        raise AssertionError("a posting was let in")
    with pytest.raises(ledger.AnchorConflict):
        delivery.deliver(drop_settings, run_id=run_id)
    assert evidence.verify_books(drop_settings).first_bad_row == f"anchor {key}"


@pytest.mark.parametrize("is_goodwill", [False, True])
def test_a_database_that_is_older_than_the_bucket_takes_no_posting(drop_settings, is_goodwill):
    post(drop_settings, AccountMonth())
    with copied(drop_settings) as older:
        post(drop_settings, AccountMonth(), AccountMonth(contract_id="K-2"))
        with pytest.raises(ledger.AnchorConflict, match=r"ends at posting 1: it is older.*Restore the newest dump"):
            if is_goodwill:
                # As `sla goodwill` begins.
                ledger.require_not_behind(older)
            else:
                post(older, AccountMonth(), AccountMonth(contract_id="K-3"))
        assert rows(older, "select count(*) from billing.postings") == [(1,)]
        assert "older than the bucket" in str(evidence.verify_books(older))
    assert evidence.verify_books(drop_settings).is_intact


def test_a_deleted_anchor_still_says_what_was_posted(drop_settings):
    """Who takes the last posting and its anchor away has not taken the anchor's version."""
    post(drop_settings, AccountMonth())
    post(drop_settings, AccountMonth(), AccountMonth(contract_id="K-2"))
    last = max(held(drop_settings))
    objects.client(drop_settings.exports).delete_object(Bucket=drop_settings.exports.bucket, Key=last)
    report = evidence.verify_books(drop_settings)
    assert report.is_intact and report.unanchored == 1
    with connect(drop_settings.warehouse) as connection:
        for table in ("postings", "sla_statements", "credit_line_items"):
            connection.execute(f"alter table billing.{table} disable trigger all")
        connection.execute("delete from billing.credit_line_items where chain_position = 2")
        connection.execute("delete from billing.sla_statements where posting_number = 2")
        connection.execute("delete from billing.postings where posting_number = 2")
    assert evidence.verify_chain(drop_settings).is_intact
    assert evidence.verify_books(drop_settings).first_bad_row == f"anchor {last}"
    with pytest.raises(ledger.AnchorConflict, match="ends at posting 1"):
        post(drop_settings, AccountMonth(), AccountMonth(contract_id="K-2"))


def test_a_posting_while_the_books_are_verified_is_no_fault(drop_settings, monkeypatch):
    """Between the reading of the books and that of the anchors a month is closed."""
    post(drop_settings, AccountMonth())
    read = verification.require_anchors_and_drops

    def meanwhile(*arguments):
        post(drop_settings, AccountMonth(), AccountMonth(contract_id="K-2"))
        return read(*arguments)

    monkeypatch.setattr(verification, "require_anchors_and_drops", meanwhile)
    assert evidence.verify_books(drop_settings).is_intact


def test_what_is_no_anchor_is_told_as_such(drop_settings):
    post(drop_settings, AccountMonth())
    stray = max(held(drop_settings)).rpartition("/")[0] + "/README.txt"
    objects.put(drop_settings.exports, stray, b"")
    assert "none that a posting writes" in str(evidence.verify_books(drop_settings))
