"""`make mutants`: mutate the compiled SQL of the money models, run the tests' data through each mutant, and report.

`.venv/bin/python -m tests.mutants int_claims int_credits` mutates those models alone.
Ends with 1 where a survivor is not in `equivalents.yml`, an entry there no longer holds, or too few are killed.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path

import psycopg

from slaledger.settings import QUIET_ENVIRONMENT, Warehouse
from slaledger.stack.postgres import Postgres
from slaledger.stack.s3 import S3
from tests.mutants import equivalents, running, unit_tests
from tests.mutants.models import Project
from tests.mutants.operators import Mutant, mutants
from tests.mutants.worlds import Ground, compile_models, worlds

AT_LEAST_PERCENT = 95
WORKERS = 2
NO_KILLS = ("survives", "never ends")


def main(only: Sequence[str]) -> int:
    """Run everything, or the mutants of some models alone; 0 where all is well, 2 where a model is none of money."""
    os.environ.update(QUIET_ENVIRONMENT)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        server, bucket = Postgres(home, is_durable=False), S3(home)
        try:
            server.start()
            bucket.start()
            ground = Ground(server, bucket.exports, home)
            project = compile_models(ground)
            if unknown := [name for name in only if name not in project.models]:
                print(f"not a money model: {', '.join(unknown)}\nThere are: {', '.join(sorted(project.models))}")
                return 2
            models = [project.models[name] for name in only or project.models]
            made = [mutant for model in models for mutant in mutants(model.name, model.sql)]
            left, verdicts = made, dict[str, running.Verdict]()
            for stage in stages(ground, project):
                tried = stage.run(project, left)
                verdicts |= tried
                left = [mutant for mutant in left if tried[mutant.key].fate == "survives"]
                counts = Counter(verdict.fate for verdict in tried.values())
                fates = ", ".join(f"{number} {fate}" for fate, number in sorted(counts.items()))
                minutes = (time.monotonic() - started) / 60
                print(f"{minutes:4.1f} min  {stage.name}: {len(tried)} tried, {fates}", flush=True)
        finally:
            server.stop()
            bucket.stop()
    reasons = {
        key: reason for key, reason in equivalents.read().items() if not only or equivalents.model_of(key) in only
    }
    print(report(made, verdicts, reasons))
    survivors = [mutant.key for mutant in made if verdicts[mutant.key].fate in NO_KILLS]
    judgement = equivalents.judge(survivors, reasons)
    if judgement.stale:
        print("Killed or no more, to be taken out of equivalents.yml:", *judgement.stale, sep="\n    ")
    if judgement.unexplained:
        print("Surviving, and not in equivalents.yml; kill it, or give the reason why nothing can:")
        print(equivalents.to_paste({key: verdicts[key].by for key in judgement.unexplained}))
    fates = Counter(verdict.fate for verdict in verdicts.values())
    count = fates["killed"] + fates["survives"]
    percent = Decimal(100 * fates["killed"]) / count
    print(f"{count} mutants that end, {fates['killed']} killed ({percent:.1f} %), {fates['survives']} survive,")
    print(f"{fates['never ends']} never end; {fates['refused']} more are no SQL of the database's.")
    print(f"{(time.monotonic() - started) / 60:.0f} minutes")
    if percent < AT_LEAST_PERCENT:
        print(f"only {percent:.1f} % are killed: at least {AT_LEAST_PERCENT} % must be")
    return int(bool(judgement.unexplained or judgement.stale or percent < AT_LEAST_PERCENT))


@dataclass(frozen=True)
class Stage:
    """Data that mutants run through."""

    name: str
    warehouse: Warehouse
    judge: Callable[[psycopg.Connection, Mutant], running.Verdict]

    def run(self, project: Project, todo: Sequence[Mutant]) -> dict[str, running.Verdict]:
        """Verdicts by key. Raises AssertionError where an unmutated model does not give the same rows each time."""
        held = threading.local()

        def verdict(mutant: Mutant) -> running.Verdict:
            if not hasattr(held, "connection"):
                held.connection = running.connect(self.warehouse.dsn)
            return self.judge(held.connection, mutant)

        unmutated = [Mutant(model.name, "none", 0, model.name, model.sql) for model in project.models.values()]
        with ThreadPoolExecutor(WORKERS) as pool:
            for mutant, same in zip(unmutated, pool.map(verdict, unmutated), strict=True):
                assert same.by == running.NOTHING, f"{self.name}: {mutant.key} differs from itself: {same.by}"
            return dict(zip((mutant.key for mutant in todo), pool.map(verdict, todo), strict=True))


def stages(ground: Ground, project: Project) -> Iterator[Stage]:
    """dbt's unit tests, as they are quick, in the first world's database; then every world."""
    tests = unit_tests.read(ground.manifest)
    for number, world in enumerate(worlds(ground, project)):
        if number == 0:
            yield Stage("dbt's unit tests", world.warehouse, partial(unit_tests.tell, project, tests))
        yield Stage(world.name, world.warehouse, partial(running.try_mutant, project, world.already_failing))


def report(made: Sequence[Mutant], verdicts: Mapping[str, running.Verdict], reasons: Mapping[str, str]) -> str:
    """A line per model and per operator: mutants, killed, surviving; then each survivor with its reason."""
    lines = []
    made = [mutant for mutant in made if verdicts[mutant.key].fate != "refused"]
    for title, of in (("model", lambda mutant: mutant.model), ("operator", lambda mutant: mutant.operator)):
        total = Counter(map(of, made))
        killed = Counter(of(mutant) for mutant in made if verdicts[mutant.key].fate == "killed")
        lines.append(f"{title:40} mutants  killed  surviving")
        for name in [*total, "all"]:
            count, dead = (total[name], killed[name]) if name != "all" else (total.total(), killed.total())
            lines.append(f"{name:40} {count:7} {dead:7} {count - dead:10}")
        lines.append("")
    for mutant in made:
        if verdicts[mutant.key].fate in NO_KILLS and mutant.key in reasons:
            fate = verdicts[mutant.key].fate
            lines.append(f"{fate}: {mutant.key} (line {mutant.line}): {reasons[mutant.key]}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
