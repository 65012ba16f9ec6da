"""The mutants that no data can tell from the model, each with the reason, and what a run says about the list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

EQUIVALENTS = Path(__file__).with_name("equivalents.yml")


@dataclass(frozen=True)
class Judgement:
    """Survivors that nobody gave a reason for, and entries of the list that no longer hold."""

    unexplained: tuple[str, ...]
    stale: tuple[str, ...]


def read(path: Path = EQUIVALENTS) -> dict[str, str]:
    """Reasons by the mutants' keys. Raises ValueError naming a key that is listed twice."""
    import yaml

    reasons: dict[str, str] = {}
    for group in yaml.safe_load(path.read_text(encoding="utf-8")):
        for key in group["mutants"]:
            if key in reasons:
                raise ValueError(f"{path.name} lists {key!r} twice: leave one.")
            reasons[key] = group["because"].strip()
    return reasons


def model_of(key: str) -> str:
    """The model that a key speaks of."""
    return key.partition(".")[0]


def to_paste(survivors: Mapping[str, str]) -> str:
    """YAML for the list, but for the reasons: keys by what they make different, which is all that a run knows."""
    import yaml

    by = sorted(set(survivors.values()))
    groups = [
        {"because": f"(differing: {each})", "mutants": [k for k in survivors if survivors[k] == each]} for each in by
    ]
    return yaml.safe_dump(groups, allow_unicode=True, width=110, sort_keys=False)


def judge(survivors: Iterable[str], reasons: Mapping[str, str]) -> Judgement:
    """Hold the keys of a run's survivors against the list."""
    survived = set(survivors)
    return Judgement(tuple(sorted(survived - reasons.keys())), tuple(sorted(reasons.keys() - survived)))
