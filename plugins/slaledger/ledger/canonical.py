"""One encoding of values for every digest, key and id of the books."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

HASH_VERSION = 1

# Of all ids of the books; a constant, so that a business key has the same id everywhere and for good.
NAMESPACE = uuid.uuid5(uuid.UUID(int=0), "slaledger.billing")


def encode(values: Iterable[object]) -> bytes:
    """The values as bytes that no other values give (hash version 1).

    Each value is its type's letter, the length of its bytes, a colon and the bytes: `t2:P1`, `d5:99.95`, `n0:`.
    Numbers have no trailing zeros, instants are UTC with 6 digits, lists are encoded inside: neither the
    database's settings nor the machine's have a say. Raises `TypeError` for any other type, floats above all,
    and `ValueError` for an instant without an offset.
    """
    fields = []
    for value in values:
        try:
            letter, body = _FORMS[type(value)](value)
        except KeyError:
            raise TypeError(f"{type(value).__name__} has no canonical form: {value!r}") from None
        fields.append(b"%s%d:%s" % (letter, len(body), body))
    return b"".join(fields)


def number_text(value: Decimal) -> str:
    """A number's plain digits without trailing zeros: `50`, `-0.03`, `99.895833333333`."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def instant_text(value: datetime) -> str:
    """An instant in UTC with 6 digits: `2026-03-01T00:00:00.000000Z`."""
    if value.tzinfo is None:
        raise ValueError(f"{value} has no offset.")
    return value.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


# By exact type: a float, or anything else that nobody thought of, has no form.
_FORMS: dict[type, Callable[[Any], tuple[bytes, bytes]]] = {
    type(None): lambda _: (b"n", b""),
    bool: lambda value: (b"b", b"1" if value else b"0"),
    str: lambda value: (b"t", value.encode()),
    int: lambda value: (b"d", b"%d" % value),
    Decimal: lambda value: (b"d", number_text(value).encode()),
    datetime: lambda value: (b"s", instant_text(value).encode()),
    date: lambda value: (b"y", value.isoformat().encode()),
    uuid.UUID: lambda value: (b"u", str(value).encode()),
    list: lambda value: (b"l", encode(value)),
    tuple: lambda value: (b"l", encode(value)),
}


def digest(*values: object) -> str:
    """SHA-256, in hex, of the canonical encoding of the values."""
    return hashlib.sha256(encode(values)).hexdigest()


def row_digest(kind: str, fields: Iterable[tuple[str, object]]) -> str:
    """The hash of a row of the books: its kind, and its columns' names and values."""
    return digest(f"slaledger {kind}", [part for field in fields for part in field])


def text_digest(text: str) -> str:
    """SHA-256, in hex, of a text's UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def month_text(service_month: date) -> str:
    """`YYYY-MM`."""
    return f"{service_month.year:04d}-{service_month.month:02d}"


def idempotency_key(contract_id: str, *, service_month: date, basis: str, ordinal: int) -> str:
    """The key of a line (rule L2): `contract|YYYY-MM|basis|ordinal`.

    Only the contract's id can hold a `|`, and it comes first: read from the right, the key is never ambiguous.
    """
    return f"{contract_id}|{month_text(service_month)}|{basis}|{ordinal}"


def line_item_id(key: str) -> uuid.UUID:
    """The id of the line with this idempotency key."""
    return uuid.uuid5(NAMESPACE, f"line|{key}")


def statement_id(contract_id: str, *, service_month: date, revision: int) -> uuid.UUID:
    """The id of a revision of an account-month's statement."""
    return uuid.uuid5(NAMESPACE, f"statement|{contract_id}|{month_text(service_month)}|{revision}")
