"""Lint the SQL: sqlfluff with dbt's templater, which wants a database that answers (an empty one will do)."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from slaledger.stack.postgres import Postgres

PATHS = ["dbt_project/models", "dbt_project/tests"]


def main() -> int:
    """Start PostgreSQL, lint, stop it. The linter's exit code."""
    with tempfile.TemporaryDirectory() as directory:
        server = Postgres(Path(directory), is_durable=False)
        try:
            server.start()
            warehouse = server.warehouse("postgres")
            return subprocess.run(
                [Path(sys.prefix) / "bin" / "sqlfluff", "lint", "--disable-progress-bar", *PATHS],
                env={
                    **os.environ,
                    "SLA_PG_HOST": warehouse.host,
                    "SLA_PG_PORT": str(warehouse.port),
                    "SLA_PG_USER": warehouse.user,
                    "SLA_PG_PASSWORD": warehouse.password,
                    "SLA_PG_DATABASE": warehouse.database,
                },
                check=False,
            ).returncode
        finally:
            server.stop()


if __name__ == "__main__":
    sys.exit(main())
