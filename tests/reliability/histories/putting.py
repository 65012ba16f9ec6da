"""What arrives in a round, as objects of the bucket: also copied, overwritten and deleted."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from slaledger import objects
from slaledger.settings import Exports
from tests.edge_cases.world import SUFFIXES, body
from tests.reliability.histories.arriving import MONTHS, Arrival, History, custom_terms, exported_at
from tests.second_route.packing import Upload


@dataclass
class Bucket:
    """The exports of all histories, put round by round."""

    exports: Exports
    arrivals: list[Arrival]
    chance: random.Random
    told: Counter[str] = field(default_factory=Counter)
    uploads: list[Upload] = field(default_factory=list)  # in the order in which they were put

    def put_round(self, number: int) -> None:
        """Put the objects of a round, in an order of chance; then copies of older ones, and deletions."""
        due = _uploads(self.arrivals, number)
        known = {upload.key for upload in self.uploads}
        self.told["objects overwritten"] += sum(upload.key in known for upload in due)
        self.chance.shuffle(due)
        for upload in [*due, *self._copies(number)]:
            objects.put(self.exports, upload.key, upload.body, metadata=upload.metadata)
            self.uploads.append(upload)
        if number:
            gone = self.chance.choice(self.uploads).key
            objects.client(self.exports).delete_object(Bucket=self.exports.bucket, Key=gone)
            self.told["objects deleted"] += 1

    def _copies(self, number: int) -> list[Upload]:
        """Objects of earlier rounds under other names, as of when they were exported or as of now."""
        older = [upload for upload in self.uploads if not upload.key.startswith(("terms/", "monitoring/"))]
        copies = []
        for each, upload in enumerate(self.chance.sample(older, 2) if number else ()):
            feed, _, name = upload.key.rpartition("/")
            metadata = dict(upload.metadata)
            if self.chance.random() < 0.3:
                metadata["exported-at"] = exported_at(number)
                self.told["objects copied as of now"] += 1
            copies.append(replace(upload, key=f"{feed}/copy-{number}-{each}-{name}", metadata=metadata))
            self.told["objects copied"] += 1
        return copies


def arrivals_of(
    count: int, *, spans: Sequence[tuple[str, ...]], rounds: int, seed: int
) -> tuple[list[Arrival], Counter[str]]:
    """All that so many histories bring, and what happens in them; each is of the next of the spans of months.

    A history is the same, whoever is beside it.
    """
    told: Counter[str] = Counter()
    arrivals = custom_terms(rounds, random.Random(f"terms {seed}"))
    for number in range(count):
        history = History(number, spans[number % len(spans)], rounds, random.Random(f"history {seed} {number}"))
        history.happen()
        arrivals += history.arrivals
        told += history.told
    return arrivals, told


def _uploads(arrivals: list[Arrival], number: int) -> list[Upload]:
    of_round: dict[tuple[str, str], list[Arrival]] = defaultdict(list)
    for arrival in arrivals:
        if arrival.round == number:
            of_round[arrival.feed, arrival.name].append(arrival)
    uploads = []
    for (feed, name), due in of_round.items():
        rows = [arrival.row for arrival in due]
        if due[0].is_growing:
            earlier = [
                arrival.row
                for arrival in arrivals
                if arrival.round < number and (arrival.feed, arrival.name) == (feed, name)
            ]
            rows = earlier + rows
        key = f"{feed}/{name}.{SUFFIXES.get(feed, 'ndjson')}"
        metadata = {"exported-at": due[0].exported_at}
        if feed != "status_page/statuspage":
            uploads.append(Upload(key, body(key, rows).encode(), metadata))
            continue
        page = {"id": due[0].page, "updated_at": due[0].exported_at}
        if due[0].is_whole_page:
            metadata["complete"] = "true"
        uploads.append(Upload(key, json.dumps({"page": page, "incidents": rows}).encode(), metadata))
    return uploads


def uploads_of(count: int, *, rounds: int, seed: int) -> list[Upload]:
    """The objects of all rounds of so many histories of March and April, each round in the order of their keys."""
    arrivals, _ = arrivals_of(count, spans=[MONTHS[:2]], rounds=rounds, seed=seed)
    return [
        upload for number in range(rounds) for upload in sorted(_uploads(arrivals, number), key=lambda each: each.key)
    ]
