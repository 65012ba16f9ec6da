"""The one list of reason codes: why a row or an object was set aside, and what landing reports without losing a row.

docs/reference/reason-codes.md is generated from it (`python -m slaledger.feeds.reasons`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reason:
    """One reason code: what it says (`meaning`) and what to do about it (`remedy`)."""

    code: str
    meaning: str
    remedy: str


class RowRejected(Exception):
    """A row cannot be used. `reason` quotes nothing but short, safe values."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = ROW_REASONS[code].code
        self.reason = reason


class ObjectRejected(Exception):
    """An object cannot be used at all: it is quarantined whole."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code = OBJECT_REASONS[code].code
        self.reason = reason


def _listed(*reasons: Reason) -> dict[str, Reason]:
    return {reason.code: reason for reason in reasons}


ROW_REASONS = _listed(
    Reason("row_too_long", "The row is over 1 MiB.", "Split it, or drop what is no field of the contract."),
    Reason("invalid_utf8", "The row is no valid UTF-8.", "Export as UTF-8."),
    Reason("nul_character", "The row holds a NUL, as a byte or as `\\u0000`.", "Remove it at the source."),
    Reason("lone_surrogate", "A text holds half a UTF-16 pair, which is no character.", "Export valid Unicode."),
    Reason("carriage_return", "The row holds a carriage return outside quotes.", "End lines with LF or CRLF."),
    Reason("invalid_json", "The line is no JSON (`NaN` and `Infinity` are none).", "Export one JSON object a line."),
    Reason("duplicate_key", "A JSON object has one key twice.", "Export each field once."),
    Reason("too_deep", "The JSON is nested too deeply to be read.", "Export the contract's fields alone."),
    Reason("number_out_of_range", "A number is too large or too long.", "Export numbers of at most 30 digits."),
    Reason("not_an_object", "The row is JSON, but no object.", "Export one JSON object a line."),
    Reason("ragged_row", "The record has more or fewer fields than the header.", "Quote fields that hold commas."),
    Reason("missing_field", "A required field is absent or empty.", "Export every required field."),
    Reason("wrong_type", "A field has another type than the contract's.", "See the contract of the feed."),
    Reason("value_too_long", "An id or a name is longer than the limit.", "Shorten it."),
    Reason("value_not_allowed", "A value is outside its enumeration.", "Use one of the values that the reason lists."),
    Reason(
        "invalid_instant",
        "An instant is not ISO 8601 with an offset and at most 6 fractional digits.",
        "Export instants like 2026-03-01T00:00:00.000000Z.",
    ),
    Reason("invalid_month", "A service month is not `YYYY-MM`.", "Export months like 2026-03."),
    Reason("invalid_number", "A number is no plain decimal, or is out of its range.", "Export digits like 1000.00."),
    Reason("end_not_after_start", "An end is not after its start.", "Correct the times at the source."),
    Reason(
        "resolved_without_end",
        "A resolved incident has neither `resolved_at` nor a `resolved` update (rule S2).",
        "Set either on the status page, and export again.",
    ),
    Reason(
        "future_check",
        "The check is dated more than 5 minutes after its object's export (rule M2).",
        "Correct the clock of the monitor, or the object's `exported-at`.",
    ),
    Reason(
        "unknown_monitor",
        "The catalog does not know the monitor (rule M7). Judged again in every run.",
        "Add it to `catalog/monitors/`.",
    ),
    Reason(
        "unknown_location",
        "The catalog does not know this location of the monitor (rule M7). Judged again in every run.",
        "Add the location to the monitor's row in `catalog/monitors/`.",
    ),
    Reason("terms_fault", "The terms document fails the lint (rule T4).", "Run `sla terms lint` on it."),
)

OBJECT_REASONS = _listed(
    Reason(
        "object_unreadable",
        "S3 lists the object but does not give it. Asked for again in every run.",
        "Check permissions; upload it again.",
    ),
    Reason(
        "checksum_mismatch",
        "The body is not what S3's checksum says. Asked for again in every run.",
        "Upload the object again.",
    ),
    Reason("wrong_format", "The content is of no format of this feed.", "Export a format of the contract."),
    Reason("invalid_encoding", "It is UTF-16, or its CSV header or terms document is no UTF-8.", "Export as UTF-8."),
    Reason("gzip_truncated", "The gzip stream ends early.", "Upload the object again, whole."),
    Reason("gzip_corrupt", "The gzip stream is damaged, or followed by something else.", "Upload it again."),
    Reason("inflate_limit", "The gzip stream inflates beyond reason.", "Export smaller objects."),
    Reason(
        "csv_header",
        "The CSV header lacks a required column, has one twice, or over 1,000.",
        "Export every column once.",
    ),
    Reason("csv_quotes", "Quotes are unbalanced: rows cannot be told apart.", "Export RFC 4180 CSV."),
    Reason("not_ndjson", "The object is a JSON array or pretty-printed.", "Export one JSON object a line."),
    Reason(
        "not_json", "The object is no JSON document, or has a list of rows twice.", "Export the API's answer as it is."
    ),
    Reason("not_status_page", "The document is none of Statuspage's three.", "Export the API's answer as it is."),
    Reason(
        "not_zendesk",
        "The document has no lists of `tickets`, `ticket_events` or `users`, or one of them is no list.",
        "Export the pages of Zendesk's incremental exports as they are.",
    ),
    Reason("object_too_large", "The object is over 8 GiB.", "Export smaller objects."),
    Reason("document_too_large", "The document is over 32 MiB, or 400,000 values.", "Export pages."),
    Reason("too_many_rows", "The object has over 20 million rows.", "Export smaller objects."),
    Reason("parquet_unreadable", "The Parquet file cannot be read.", "Export it again."),
    Reason(
        "parquet_columns",
        "The Parquet file lacks a required column, has one twice or of lists, or over 1,000 columns.",
        "Export every column of the contract, once and flat.",
    ),
    Reason(
        "parquet_limit",
        "The Parquet file unpacks beyond reason, or its footer is over 4 MiB.",
        "Export smaller objects, of row groups of at most a million rows.",
    ),
)

# Of S3, not of the object: what it gives another time may be whole.
OF_THE_STORE = ("object_unreadable", "checksum_mismatch")

OBSERVATIONS = _listed(
    Reason("unknown_field", "An object has a field that the contract does not know: ignored.", "None needed."),
    Reason("unknown_prefix", "An object lies below no feed's prefix: ignored.", "Move it below its feed's prefix."),
    Reason(
        "source_deleted",
        "An object's key was deleted: its last version stays in force.",
        "Export an object of no rows under the key to take its rows back.",
    ),
    Reason(
        "malformed_metadata",
        "An object's `exported-at` or `complete` cannot be read: LastModified, or false, holds.",
        "Set them as an instant with an offset, and `true`.",
    ),
    Reason(
        "terms_version_changed",
        "A version of terms was landed before with other content, which stands (rule T1).",
        "Give the change a version of its own.",
    ),
    Reason(
        "more_pages",
        "A page of Zendesk's exports says that it is not the last one (`end_of_stream: false`).",
        "Export on: the page that follows has to lie in the bucket, too.",
    ),
    Reason(
        "incident_start_replaced",
        "An incident's `started_at` is after its resolution: it starts at its `created_at` (rule S2).",
        "Correct the incident on the status page.",
    ),
)


def reference_page() -> str:
    """The text of docs/reference/reason-codes.md."""
    lines = [
        "# Reason codes",
        "",
        "Generated from `plugins/slaledger/feeds/reasons.py`; do not edit.",
        "",
        "The line of a row (`line_number`) is the one that it starts on, from 1 and with the header. JSON and Parquet "
        "have no lines to speak of: there it is the row's place among the rows of its object, from 1.",
    ]
    for title, reasons in (
        ("Rows: `raw.quarantined_rows.reason_code`", ROW_REASONS),
        ("Objects quarantined whole: `raw.source_objects.reason_code`", OBJECT_REASONS),
        ("Observations: `raw.observations.code`, no row is lost", OBSERVATIONS),
    ):
        lines += ["", f"## {title}", "", "| code | meaning | what to do |", "| --- | --- | --- |"]
        lines += [f"| `{reason.code}` | {reason.meaning} | {reason.remedy} |" for reason in reasons.values()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(reference_page(), end="")
