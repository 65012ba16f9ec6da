"""Terms as the tables of a published SLA. Shows what `resolve` found, and reckons nothing."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from rich.markup import escape
from rich.table import Table

from slaledger.terms.faults import instant_text
from slaledger.terms.resolve import Resolved
from slaledger.terms.versions import VersionInForce

Row = tuple[str, str, str]  # what, what is said of it, and the dotted path that says it

UNITS = {"s": "second", "m": "minute", "h": "hour", "d": "day"}
WORDS = {
    "any": "any core service is",
    "all": "all core services are",
    "either": "monitoring or the status page says so",
    "monitoring": "monitoring says so",
    "status_page": "the status page says so",
    "both": "monitoring and the status page both say so",
    "as_uptime": "counts as uptime",
    "out_of_base": "is taken out of the measured period",
    "period_start": "of the version at the start of the measured period",
    "period_end": "of the version at the end of the measured period",
    "human": "by a human agent",
    "any_reply": "by a human agent or the AI",
    "third_party_meta": "outages of Meta's platforms",
    "third_party_messaging": "outages of other messaging providers",
    "third_party_ai": "outages of AI providers",
    "customer_connectivity": "the customer's own connection",
    "force_majeure": "force majeure",
    "scheduled_maintenance": "scheduled maintenance, announced in time",
}

ALONE = "One applies, the lowest that uptime is strictly below, and alone: credits are not added up (rule U3)."


def tables(shown: VersionInForce) -> Iterator[Table]:
    """A table for each part of the terms; what is inherited says from which version."""
    version = shown.version
    content = version.content
    effort = "" if content["guaranteed"] else " (best effort)"
    yield _head(shown)
    yield _table(version, f"Availability{effort}", ("", "rule"), list(_availability(content)))
    credits = _table(version, "Service credits", ("uptime of the month", "credit"), list(_tiers(content)))
    if content["credits"]:
        credits.caption, credits.caption_justify = ALONE, "left"
    yield credits
    yield _table(version, f"Response times{effort}", ("severity", "first reply"), list(_targets(content)))
    yield _table(version, "Response times: how they are reckoned", ("", "rule"), list(_response_rules(content)))
    yield _table(version, "Exclusions", ("category", "what is no downtime"), list(_exclusions(content)))
    yield _table(version, "Scheduled maintenance", ("", "rule"), list(_maintenance(content)))
    yield _table(version, "Claims", ("", "rule"), list(_claims(content)))


def _head(shown: VersionInForce) -> Table:
    version, document = shown.version, shown.version.document
    terms_id, number = document.key
    table = Table(title=f"Terms {terms_id}, version {number}", title_justify="left", show_header=False)
    until = instant_text(shown.until) if shown.until else "another version comes"
    rows = {
        "plan": version.content["plan"],
        "credits": "guaranteed" if version.content["guaranteed"] else "best effort: measured and reported, no credits",
        "in force": f"from {instant_text(document.effective_from)} until {until}",
        "time zone": version.content["time_zone"],
        "extends": " ".join(version.parent) if version.parent else "no other terms",
        "document": f"{document.name}, from line {document.line_number}" if document.line_number else document.name,
    }
    if document.exported_at is not None:
        late = ": after it came into force" if document.exported_at > document.effective_from else ""
        rows["exported"] = f"{instant_text(document.exported_at)}{late}"
    if len(shown.versions) > 1:
        rows["all versions"] = ", ".join(
            f"{each.document.key[1]} from {instant_text(each.document.effective_from)}" for each in shown.versions
        )
    paths = {"plan": "plan", "credits": "guaranteed", "time zone": "time_zone"}
    sources = {name: _source(version, paths[name]) if name in paths else "" for name in rows}
    table.add_column()
    table.add_column(overflow="fold")
    if any(sources.values()):
        table.add_column()
    for name, said in rows.items():
        inherited = f"inherited from {sources[name]}" if sources[name] not in ("", "default") else sources[name]
        table.add_row(name, escape(said), *([inherited] if len(table.columns) == 3 else []))
    return table


def _table(version: Resolved, title: str, columns: tuple[str, str], rows: list[Row]) -> Table:
    table = Table(title=title, title_justify="left")
    for name in columns:
        table.add_column(name, overflow="fold")
    sources = [_source(version, path) for _, _, path in rows]
    if any(sources):
        table.add_column("inherited from" if version.parent else "", overflow="fold")
    for (name, said, _), source in zip(rows, sources, strict=True):
        table.add_row(escape(name), escape(said), *([source] if any(sources) else []))
    return table


def _source(version: Resolved, path: str) -> str:
    """Who states a path: "" for the version itself, else its id and version, or that it is a default of the rules."""
    origin = version.origins.get(path)
    return "default" if origin is None else "" if origin == version.document.key else " ".join(origin)


def _availability(content: dict[str, Any]) -> Iterator[Row]:
    given = content["availability"]
    shortest = given["minimum_outage"]
    for name, said, field in (
        ("uptime", f"{_uptime(given['commitment'])} of a calendar month", "commitment"),
        ("core services", ", ".join(given["core_services"]) or "none", "core_services"),
        ("down when", WORDS[given["down_when"]], "down_when"),
        ("a service is down when", WORDS[given["evidence"]], "evidence"),
        ("degraded is", _down(given["degraded_counts"]), "degraded_counts"),
        ("a partial outage is", _down(given["partial_outage_counts"]), "partial_outage_counts"),
        (
            "outages count, if they last",
            "any time" if int(shortest[:-1]) == 0 else f"at least {duration(shortest)}",
            "minimum_outage",
        ),
        ("excluded time", WORDS[given["excluded_time"]], "excluded_time"),
        ("tiers and commitment", WORDS[given["thresholds_from"]], "thresholds_from"),
    ):
        yield name, said, f"availability.{field}"


def _tiers(content: dict[str, Any]) -> Iterator[Row]:
    tiers = sorted(content["credits"], key=lambda tier: -tier["below"])
    for tier in tiers:
        best_effort = "" if content["guaranteed"] else " (best effort: not paid)"
        said = f"{_percent(tier['percent'])} of the monthly fee{best_effort}"
        yield f"below {_uptime(tier['below'])}", said, "credits"
    if not tiers:
        yield "any", "none", "credits"


def _targets(content: dict[str, Any]) -> Iterator[Row]:
    for severity, target in sorted(content["response_times"]["targets"].items()):
        yield severity, f"within {duration(target)}", f"response_times.targets.{severity}"


def _response_rules(content: dict[str, Any]) -> Iterator[Row]:
    given = content["response_times"]
    calendar = given["calendar"]
    holidays = calendar["holidays"]
    yield (
        "first reply",
        WORDS["any_reply" if given["counted_reply"] == "any" else "human"],
        "response_times.counted_reply",
    )
    yield (
        "business days",
        f"Monday to Friday, 00:00-24:00 in {calendar['time_zone']}",
        "response_times.calendar.time_zone",
    )
    if holidays is None or holidays == []:
        said = "none"
    else:
        said = f"those of {holidays}" if isinstance(holidays, str) else ", ".join(sorted(set(holidays)))
    yield "holidays", said, "response_times.calendar.holidays"
    for each in sorted(given["credits"], key=lambda credit: credit["severity"]):
        said = f"{_percent(each['percent'])} of the monthly fee a breach"
        yield f"credit for {each['severity']}", said, "response_times.credits"
    if not given["credits"]:
        yield "credits for breaches", "none", "response_times.credits"
    else:
        said = f"{_percent(given['response_credit_cap'])} of the monthly fee"
        yield "at most a month", said, "response_times.response_credit_cap"


def _exclusions(content: dict[str, Any]) -> Iterator[Row]:
    for category in content["exclusions"]:
        yield category, WORDS[category], "exclusions"
    if not content["exclusions"]:
        yield "none", "all downtime counts", "exclusions"


def _maintenance(content: dict[str, Any]) -> Iterator[Row]:
    given = content["maintenance"]
    yield "notice", f"at least {duration(given['notice'])} before the window starts", "maintenance.notice"
    yield "announced by", ", ".join(given["channels"]) or "no channel is accepted", "maintenance.channels"


def _claims(content: dict[str, Any]) -> Iterator[Row]:
    given = content["claims"]
    yield "needed for a credit", "yes" if given["required"] else "no", "claims.required"
    days = duration(given["within"]).replace("day", "calendar day")
    yield "received within", f"{days} after the month's end, in {content['time_zone']}", "claims.within"
    included = ", ".join(name.replace("_", " ") for name in given["must_include"])
    yield "must include", included or "nothing", "claims.must_include"


def duration(text: str) -> str:
    """A duration in words: 48h is 48 hours; business days are written in words already."""
    if "business" in text:
        number, _, _ = text.partition(" ")
        unit = "business day"
    else:
        number, unit = text[:-1], UNITS[text[-1]]
    return f"{int(number)} {unit}{'' if int(number) == 1 else 's'}"


def _uptime(number: Decimal) -> str:
    """A percent of uptime, as SLAs write it: 99.0, whether the document has 99 or 99.00."""
    return _percent(number, decimals=1)


def _percent(number: Decimal, *, decimals: int = 0) -> str:
    """A percent with all its decimals, and at least as many."""
    shortest = number.normalize()
    exponent = min(int(shortest.as_tuple().exponent), -decimals)
    return f"{shortest.quantize(Decimal(1).scaleb(exponent)):f} %"


def _down(counts: bool) -> str:
    return "down" if counts else "up"
