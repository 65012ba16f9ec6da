"""Terms documents: which versions are accepted (T1, T4), what they inherit (T2), and when they are in force."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from slaledger.reperform.reading import fields
from slaledger.reperform.reading.rows import Fields, Rank, Unusable, read_rows, rejection
from slaledger.reperform.reading.terms_document import SHAPE, check_shape, terms_version
from slaledger.reperform.reading.terms_yaml import documents
from slaledger.reperform.records import ExportObject, Instant, Rejected, TermsLanding, TermsVersion

SHIPPED_AT = -(10**18)  # long before any export: what is shipped was there first
OWN_FIELDS = ("id", "version", "effective_from", "extends")


@dataclass(frozen=True)
class Draft:
    """A document as it came, before what it inherits is filled in."""

    source: ExportObject
    number: int
    terms_id: str
    version: str
    effective_from: Instant
    parent_id: str | None
    content: Fields


@dataclass(frozen=True)
class Resolved:
    """An accepted version, and its whole content for those that extend it."""

    version: TermsVersion
    content: Fields
    landing: TermsLanding


def read(
    landed: Iterable[ExportObject],
    *,
    shipped_terms: Sequence[bytes],
    services: frozenset[str],
    rejected: list[Rejected],
    landings: dict[tuple[str, str], TermsLanding],
) -> dict[str, list[TermsVersion]]:
    """The accepted versions by id, earliest first, and into `landings` how each came.

    Shipped documents count as exported before all others.
    """
    shipped = [
        ExportObject(key=f"shipped terms {index}", version_id="", body=body, exported_at=SHIPPED_AT)
        for index, body in enumerate(shipped_terms, start=1)
    ]
    ranked = read_rows([*shipped, *landed], frame=documents, parse=check_shape_of, rejected=rejected)
    drafts: dict[str, list[Draft]] = defaultdict(list)
    for rank, (source, content) in sorted(ranked, key=lambda pair: pair[0]):
        found = draft(source, rank, content)
        drafts[found.terms_id].append(found)
    accepted: dict[str, list[Resolved]] = {}
    for terms_id in drafts:
        found = accept(terms_id, drafts=drafts, accepted=accepted, services=services, rejected=rejected)
        landings.update(((terms_id, each.version.version), each.landing) for each in found)
    return {
        terms_id: with_ends([each.version for each in versions]) for terms_id, versions in accepted.items() if versions
    }


def check_shape_of(content: Fields, source: ExportObject) -> tuple[ExportObject, Fields]:
    """The document, if all that it has is known and in its place (T4)."""
    check_shape(content, SHAPE)
    for name in OWN_FIELDS[:2]:
        fields.text(content, name)
    fields.instant(content, "effective_from")
    return source, content


def draft(source: ExportObject, rank: Rank, content: Fields) -> Draft:
    """A checked document with its place."""
    return Draft(
        source=source,
        number=rank[2],
        terms_id=fields.text(content, "id"),
        version=fields.text(content, "version"),
        effective_from=fields.instant(content, "effective_from"),
        parent_id=fields.optional_text(content, "extends"),
        content=content,
    )


def accept(
    terms_id: str,
    *,
    drafts: dict[str, list[Draft]],
    accepted: dict[str, list[Resolved]],
    services: frozenset[str],
    rejected: list[Rejected],
    children: tuple[str, ...] = (),
) -> list[Resolved]:
    """The accepted versions of an id, its parents' before; each is judged against those that landed earlier."""
    if terms_id in accepted:
        return accepted[terms_id]
    found: list[Resolved] = []
    seen: dict[str, Fields] = {}
    for each in drafts.get(terms_id, []):
        try:
            if each.version in seen:
                if seen[each.version] != each.content:
                    raise Unusable(f"{terms_id} {each.version} has landed with other content (T1)")
                continue
            content, parent = each.content, None
            if each.parent_id is not None:
                if each.parent_id in (*children, terms_id):
                    raise Unusable(f"{terms_id} extends {each.parent_id}, which extends it (T2)")
                parents = accept(
                    each.parent_id,
                    drafts=drafts,
                    accepted=accepted,
                    services=services,
                    rejected=rejected,
                    children=(*children, terms_id),
                )
                parent = parent_of(each, parents)
                inherited = {name: value for name, value in parent.content.items() if name not in OWN_FIELDS}
                content = merged(inherited, content)
            version = terms_version(content, services=services)
            check_beside(version, [other.version for other in found])
        except Unusable as why:
            rejected.append(rejection(each.source, each.number, why))
        else:
            seen[each.version] = each.content
            source = each.source
            parent_key = None if parent is None else (parent.version.terms_id, parent.version.version)
            landing = TermsLanding(source.key, source.version_id, source.exported_at, parent_key)
            found.append(Resolved(version=version, content=content, landing=landing))
    accepted[terms_id] = found
    return found


def parent_of(child: Draft, parents: list[Resolved]) -> Resolved:
    """The parent's version in force at the child's own `effective_from` (T2)."""
    begun = [parent for parent in parents if parent.version.effective_from <= child.effective_from]
    if not begun:
        raise Unusable(f"it extends {child.parent_id}, of which no version is in force at its effective_from (T2)")
    return max(begun, key=lambda parent: parent.version.effective_from)


def merged(parent: Any, child: Any) -> Any:
    """The child over the parent: mappings merge, lists and scalars replace (T2)."""
    if not isinstance(parent, dict) or not isinstance(child, dict):
        return child
    return parent | {name: merged(parent.get(name), value) for name, value in child.items()}


def check_beside(version: TermsVersion, others: list[TermsVersion]) -> None:
    """Raise `Unusable` if the version cannot stand beside those of its id that landed before it (T4)."""
    for other in others:
        if other.effective_from == version.effective_from:
            raise Unusable(f"{version.terms_id} {other.version} has the same effective_from (T4)")
        if other.time_zone != version.time_zone:
            raise Unusable(f"{version.terms_id} {other.version} has the time_zone {other.time_zone} (T4)")


def with_ends(versions: list[TermsVersion]) -> list[TermsVersion]:
    """The versions of an id, earliest first, each until the next one begins (T1)."""
    in_order = sorted(versions, key=lambda version: version.effective_from)
    ends = [version.effective_from for version in in_order[1:]] + [None]
    return [replace(version, effective_until=end) for version, end in zip(in_order, ends, strict=True)]
