"""The sample month, generated once for all tests of it."""

from __future__ import annotations

import gzip
import importlib
import io
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

EXAMPLES_DIR = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="session")
def generator() -> Iterator[ModuleType]:
    """`examples/generate.py`, which is a script and no package."""
    sys.path.insert(0, str(EXAMPLES_DIR))
    try:
        yield importlib.import_module("generate")
    finally:
        sys.path.remove(str(EXAMPLES_DIR))


@pytest.fixture(scope="session")
def sample(generator: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the sample month lies."""
    out_dir = tmp_path_factory.mktemp("sample")
    generator.generate(out_dir)
    return out_dir


@pytest.fixture(scope="session")
def checks(sample: Path) -> dict[str, Any]:
    """Per object of checks, by name: its rows as a table of texts, instants as the object writes them."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv
    import pyarrow.json
    import pyarrow.parquet

    names = ("monitor_id", "location", "checked_at", "status")
    text = pa.schema([(name, pa.string()) for name in names])
    tables = {}
    for path in sorted((sample / "monitoring/checks").iterdir()):
        body = path.read_bytes()
        if path.suffix == ".parquet":
            table = pa.parquet.read_table(io.BytesIO(body))
            instants = pc.strftime(table["checked_at"].cast(pa.timestamp("s", "UTC")), "%Y-%m-%dT%H:%M:%SZ")
            table = table.set_column(table.column_names.index("checked_at"), "checked_at", instants)
        elif path.name.endswith(".csv.gz"):
            options = pa.csv.ConvertOptions(column_types=text)
            table = pa.csv.read_csv(io.BytesIO(gzip.decompress(body)), convert_options=options)
        else:
            assert path.name.endswith(".ndjson.gz")
            options = pa.json.ParseOptions(explicit_schema=text)
            table = pa.json.read_json(io.BytesIO(gzip.decompress(body)), parse_options=options)
        tables[path.name] = table
    return tables
