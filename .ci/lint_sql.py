"""Lint the SQL: sqlfluff with dbt's templater, which wants a database that answers, with our roles."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from slaledger.stack.postgres import Postgres
from slaledger.warehouse import migrate

RUNS = (["dbt_project/models", "dbt_project/tests"], ["--templater", "raw", "expectations/sql"])


def main() -> int:
    """Start PostgreSQL, lint, stop it. The linter's exit code."""
    with tempfile.TemporaryDirectory() as directory:
        server = Postgres(Path(directory), is_durable=False)
        try:
            server.start()
            warehouse = server.warehouse("postgres")
            migrate(warehouse)
            environment = {
                **os.environ,
                "SLA_PG_HOST": warehouse.host,
                "SLA_PG_PORT": str(warehouse.port),
                "SLA_PG_USER": warehouse.user,
                "SLA_PG_PASSWORD": warehouse.password,
                "SLA_PG_DATABASE": warehouse.database,
            }
            codes = [
                subprocess.run(
                    [Path(sys.prefix) / "bin" / "sqlfluff", "lint", "--disable-progress-bar", *arguments],
                    env=environment,
                    check=False,
                ).returncode
                for arguments in RUNS
            ]
            return max(codes)
        finally:
            server.stop()


if __name__ == "__main__":
    sys.exit(main())
