"""What a stack in containers needs once: databases and logins, the warehouse's tables, the bucket, Airflow's users.

`python -m slaledger.stack.initialize`, in the environment of docker-compose.yml. Safe to repeat.
"""

from __future__ import annotations

import json
import os
import sys

from slaledger import settings
from slaledger.stack import airflow, logins
from slaledger.stack.home_secrets import replace_secret
from slaledger.stack.s3 import ensure_bucket
from slaledger.warehouse import migrate

SHORTEST_PASSWORD = 16


def main() -> None:
    """Make what is not there. Exits with a message that names the setting that is absent or too short."""
    found = settings.load()
    passwords = {user: _password(f"SLA_{user.upper()}_PASSWORD") for user in airflow.ROLES}
    metadata_password = _password("SLA_POSTGRES_AIRFLOW_PASSWORD")
    replace_secret(found.home, airflow.PASSWORDS, json.dumps(passwords))
    logins.ensure_airflow(found.warehouse, metadata_password)
    migrate(found.warehouse)
    logins.ensure_stages(found.warehouse)
    ensure_bucket(found.exports)


def _password(name: str) -> str:
    password = os.environ.get(name, "")
    if len(password) < SHORTEST_PASSWORD:
        sys.exit(f"{name} is shorter than {SHORTEST_PASSWORD} characters: set it in .env.")
    return password


if __name__ == "__main__":
    main()
