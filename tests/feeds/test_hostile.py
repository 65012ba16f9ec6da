"""Hostile bodies: whatever they hold, rows and rejects or one rejected object, never another exception."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from slaledger.feeds.reasons import ObjectRejected
from slaledger.feeds.registry import CHECKS, FEEDS
from slaledger.feeds.rows import Record
from tests.feeds import test_reasons as sound

BODIES = {
    "catalog/monitors": sound.MONITORS + b"m1,dashboard,eu,fra;ams,60,,,\nm2,dashboard,eu,fra,60,90,,\n",
    "catalog/components": b'component_id,name,service,region\nc1,"C, ""D""",dashboard,eu\nc2,E,dashboard,eu\n',
    "status_page/statuspage": sound.incidents(sound.INCIDENT, {**sound.INCIDENT, "id": "i2"}),
    "notices": sound.ndjson(sound.NOTICE, sound.NOTICE),
    "exclusions": sound.ndjson(sound.EXCLUSION, sound.EXCLUSION),
    "tickets/events": sound.ndjson(sound.EVENT, sound.EVENT),
    "tickets/zendesk": sound.page(
        tickets=[sound.ZENDESK_TICKET],
        ticket_events=[{**sound.ZENDESK_EVENT, "child_events": [{"event_type": "Comment", "public": True}]}],
        users=[sound.ZENDESK_USER],
    ),
    "accounts/accounts": b"account_id,company_name\na1,K\na2,L\n",
    "accounts/contracts": sound.ndjson(sound.CONTRACT, sound.CONTRACT),
    "accounts/fees": b"contract_id,service_month,monthly_fee,currency\nk,2026-03,1000.00,USD\n",
    "claims": sound.ndjson(sound.CLAIM, sound.CLAIM),
    "terms": b"id: t\nversion: '1'\neffective_from: 2026-01-01T00:00:00Z\nextends: klink-enterprise\n",
    CHECKS.name: sound.ndjson(sound.CHECK, sound.CHECK),
}
FRAGMENTS = st.sampled_from(
    [
        *(b"\x00 \\u0000 \xff \" ' , ; : { } [ ] \\ NaN 1e999 \\ud800 \xef\xbb\xbf \xed\xa0\x80 -1 null true".split()),
        *(b'\n \r\n \r \t "" --- &a *a !!python/object:os.system <<'.split(b" ")),
        *(b"2026-02-30T00:00:00Z infinity 9999-12-31T23:59:59Z 0001-01-01T00:00:00Z".split()),
        b"9" * 40,
        "\u2028é😀".encode(),
    ]
)
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 5), st.one_of(FRAGMENTS, st.binary(max_size=3))), max_size=6)


def texts(value: object) -> Iterator[str]:
    """Every text in a value, at any depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from texts([*value.keys(), *value.values()])
    elif isinstance(value, list | tuple):
        for item in value:
            yield from texts(item)


def test_every_feed_has_a_body() -> None:
    """Discovered, not listed."""
    assert set(BODIES) == set(FEEDS)


@pytest.mark.parametrize("feed", sorted(BODIES))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=EDITS)
@example(edits=[(0.0, 0, b"\\ud800")])  # six plain characters of a field's name, no surrogate
def test_nothing_but_rejects(tmp_path: Path, feed: str, edits: list[tuple[float, int, bytes]]) -> None:
    """Sound bodies with random edits; what comes of them is JSON, and PostgreSQL's text."""
    body = bytearray(BODIES[feed])
    for place, length, fragment in edits:
        start = int(place * len(body))
        body[start : start + length] = fragment
    try:
        rows = sound.read(tmp_path, feed, bytes(body))
    except ObjectRejected as error:
        assert error.code in sound.OBJECT_REASONS
        return
    for row in rows:
        for text in texts(dict(row.values) if isinstance(row, Record) else (row.reason, dict(row.raw_record))):
            assert "\x00" not in text
            text.encode("utf-8")  # a lone surrogate would raise
        assert isinstance(row, Record) or json.dumps(row.raw_record, allow_nan=False)
