"""Mistakes to plant in the second route: worlds in which one of them changes no row prove nothing of its rule."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import yaml

from slaledger.reperform import objects, reading
from slaledger.reperform.availability import account_months
from slaledger.reperform.records import ExportObject, Exports
from slaledger.reperform.responses import response_times
from slaledger.settings import TERMS_DIR
from tests.second_route.comparing import compare
from tests.second_route.packing import pack
from tests.second_route.world import Row, World


@dataclass(frozen=True)
class Plant:
    """A text of a module of the second route, and what it is mistaken for."""

    module: str
    mistake: str
    text: str
    instead: str

    def imported(self) -> ModuleType:
        """Its module."""
        return importlib.import_module(f"slaledger.reperform.{self.module}")

    @property
    def is_of_reading(self) -> bool:
        return self.module.startswith("reading")


def plants() -> list[Plant]:
    """All of `plants.yml`."""
    listed = yaml.safe_load(Path(__file__).with_name("plants.yml").read_bytes())
    return [Plant(module, **each) for module, found in listed.items() for each in found]


@contextmanager
def planted(plant: Plant) -> Iterator[None]:
    """The module with the mistake, and afterwards as it was."""
    module = plant.imported()
    source = Path(str(module.__file__)).read_text(encoding="utf-8")
    assert plant.text in source, f"{plant.module} no longer says {plant.text!r}: say in plants.yml what it says now"
    kept = dict(vars(module))
    try:
        exec(compile(source.replace(plant.text, plant.instead), str(module.__file__), "exec"), vars(module))
        yield
    finally:
        vars(module).clear()
        vars(module).update(kept)


def in_memory(world: World) -> list[ExportObject]:
    """The world's objects, without a bucket."""
    uploads = pack(world)
    latest = {each.key: number for number, each in enumerate(uploads)}
    return [
        objects.export_object(
            each.key,
            each.body,
            metadata=each.metadata,
            modified_at=0,
            version_id=str(number),
            is_latest=latest[each.key] == number,
        )
        for number, each in enumerate(uploads)
    ]


@dataclass
class Ground:
    """A world as the second route reads it, and its figures without a mistake."""

    world: World

    def __post_init__(self) -> None:
        self.found = in_memory(self.world)
        self.exports = self.read()
        self.sound = self.figures(self.exports)

    def read(self) -> Exports:
        """What the objects say, with the standard terms."""
        return reading.read(self.found, shipped_terms=[path.read_bytes() for path in sorted(TERMS_DIR.glob("*.yml"))])

    def figures(self, exports: Exports, *marts: str) -> dict[str, list[Row]]:
        """The marts that mistakes are looked for in, or some of them."""
        given = {"service_month": self.world.month, "as_of": self.world.as_of}
        told: dict[str, list[Row]] = {}
        if not marts or "response_times" in marts:
            told["response_times"] = response_times(exports, **given)
        if not marts or "account_months" in marts:
            told["account_months"], told["account_downtime"] = account_months(exports, decisions=(), **given)
        return told

    def rows_changed(self, plant: Plant) -> int:
        """How many rows of the marts the mistake changes."""
        with planted(plant):
            if plant.is_of_reading:
                mistaken = self.figures(self.read(), "response_times")
            else:
                mistaken = self.figures(self.exports, "account_months")
        found = [each for mart, rows in mistaken.items() for each in compare(mart, self.sound[mart], rows)]
        return len({(each.mart, each.key) for each in found})
