"""What a stack in containers needs once: Airflow's database and users, the warehouse's tables, the bucket.

`python -m slaledger.stack.initialize`, in the environment of docker-compose.yml. Safe to repeat.
"""

from __future__ import annotations

import json
import os
import sys

from slaledger import settings
from slaledger.stack import airflow
from slaledger.stack.home_secrets import replace_secret
from slaledger.stack.postgres import ensure_database
from slaledger.stack.s3 import ensure_bucket
from slaledger.warehouse import migrate

SHORTEST_PASSWORD = 16


def main() -> None:
    """Make what is not there. Exits with a message that names the setting that is absent or too short."""
    found = settings.load()
    passwords = {user: os.environ.get(f"SLA_{user.upper()}_PASSWORD", "") for user in airflow.ROLES}
    for user, password in passwords.items():
        if len(password) < SHORTEST_PASSWORD:
            sys.exit(f"SLA_{user.upper()}_PASSWORD is shorter than {SHORTEST_PASSWORD} characters: set it in .env.")
    replace_secret(found.home, airflow.PASSWORDS, json.dumps(passwords))
    ensure_database(found.warehouse, airflow.DATABASE)
    migrate(found.warehouse)
    ensure_bucket(found.exports)


if __name__ == "__main__":
    main()
