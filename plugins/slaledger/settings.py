"""The only reader of the environment, and the defaults that every DAG shares."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlsplit

PROJECT_DIR = Path(__file__).resolve().parents[2]
TERMS_DIR = PROJECT_DIR / "terms"
DBT_PROJECT_DIR = PROJECT_DIR / "dbt_project"
EXPECTATIONS_DIR = PROJECT_DIR / "expectations"

WAREHOUSE_CONNECTION = "AIRFLOW_CONN_SLA_WAREHOUSE"
EXPORTS_CONNECTION = "AIRFLOW_CONN_SLA_EXPORTS"

# Each has a role of PostgreSQL, `sla_loader` say, and may have a login of its own.
STAGES = ("loader", "transformer", "validator", "approver", "biller", "relay", "auditor", "goodwill")
# Typed by people, and no task's of Airflow.
COMMAND_LINE_ROLES = ("sla_goodwill",)

# One writer at a time: the pool of one slot that the stack creates.
WRITER_POOL = "sla_writer"

DEFAULT_ARGS = {
    "owner": "slaledger",
    "retries": 1,
    "retry_delay": timedelta(seconds=5),
    "execution_timeout": timedelta(hours=1),
}

# Telemetry of everything that we start, off.
QUIET_ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "SCARF_ANALYTICS": "false",
}


class SettingsError(Exception):
    """A setting is absent or malformed; the message names it and says what to do."""


@dataclass(frozen=True)
class Warehouse:
    """Where the books are."""

    host: str
    port: int
    user: str
    database: str
    password: str = field(repr=False)
    # Role -> the login of its stage, where there is one.
    stages: Mapping[str, Warehouse] = field(default_factory=dict, repr=False, compare=False)

    def login(self, role: str | None) -> Warehouse:
        """What a session in this role logs in with: the stage's own login, else this one."""
        own = self.stages.get(role) if role else None
        return replace(self, user=own.user, password=own.password) if own else self

    @property
    def dsn(self) -> str:
        """A libpq URI, with the password."""
        return (
            f"postgresql://{quote(self.user, safe='')}:{quote(self.password, safe='')}"
            f"@{self.host}:{self.port}/{quote(self.database, safe='')}"
        )


@dataclass(frozen=True)
class Requests:
    """How S3 is asked: what is waited for an answer, how often it is asked again, and within what time in all."""

    connect_seconds: float = 5
    read_seconds: float = 30  # without a byte
    attempts: int = 4
    backoff_seconds: float = 0.25  # before the second attempt; doubled before each one more
    total_seconds: float = 900  # for one object, all attempts together
    page_keys: int = 1000  # of a page of a listing


@dataclass(frozen=True)
class Exports:
    """Where the exports are, and the billing drop goes."""

    bucket: str
    endpoint_url: str | None
    region: str
    access_key: str | None = field(repr=False)
    secret_key: str | None = field(repr=False)
    requests: Requests = Requests()


@dataclass(frozen=True)
class AirflowAccess:
    """Where Airflow's API is, and whom `sla run` logs in as."""

    url: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Settings:
    """All that the environment decides."""

    home: Path
    warehouse: Warehouse
    exports: Exports
    quarantine_limit_percent: Decimal


def home() -> Path:
    """`$SLA_HOME`, by default `.sla/` below the working directory."""
    return Path(os.environ.get("SLA_HOME") or ".sla").absolute()


def landing_schedule() -> str | None:
    """When `land_exports` runs by itself, as cron in UTC: `SLA_LANDING_SCHEDULE`, by default hourly.

    None for `never`: the embedded stack lands when `sla run` asks, and does nothing else meanwhile.
    """
    schedule = os.environ.get("SLA_LANDING_SCHEDULE") or "0 * * * *"
    return None if schedule == "never" else schedule


def user_name() -> str:
    """Who runs this process, and so prepares what it asks for: `SLA_USER`, else the name of the system's user."""
    if name := (os.environ.get("SLA_USER") or "").strip():
        return name
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


def airflow_user() -> str:
    """Whom `sla run` logs in as: `SLA_AIRFLOW_USER`, by default `admin`. Its word for who typed the command counts."""
    return os.environ.get("SLA_AIRFLOW_USER") or "admin"


def stack_ports() -> dict[str, int]:
    """The ports that the embedded stack must take: `SLA_POSTGRES_PORT`, `SLA_S3_PORT`, `SLA_AIRFLOW_PORT`.

    Those that are not set it chooses itself. Raises `SettingsError` for what is no port.
    """
    ports = {}
    for part in ("postgres", "s3", "airflow"):
        name = f"SLA_{part.upper()}_PORT"
        if text := os.environ.get(name):
            if not (text.isascii() and text.isdigit() and 1024 <= int(text) <= 65535):
                raise SettingsError(f"{name} is {text!r}: set a port from 1024 to 65535, or leave it unset.")
            ports[part] = int(text)
    return ports


def stack_state_path() -> Path:
    """Where the embedded stack records its ports, connections and process ids."""
    return home() / "stack.json"


def load(*, quarantine_limit: str | None = None) -> Settings:
    """Read the settings: Airflow's own connections first, else the embedded stack's.

    `quarantine_limit` (percent) goes before the environment's: a run carries that of who asked for it.
    Raises `SettingsError` naming what is absent or malformed.
    """
    limit = quarantine_limit or os.environ.get("SLA_QUARANTINE_LIMIT") or "10"
    try:
        limit_percent = Decimal(limit)
    except InvalidOperation:
        limit_percent = Decimal("NaN")
    if not (limit_percent.is_finite() and 0 <= limit_percent <= 100):
        raise SettingsError(f"SLA_QUARANTINE_LIMIT is {limit!r}: set a percentage from 0 to 100.")
    exports = _connection(EXPORTS_CONNECTION)
    extra = _extra(EXPORTS_CONNECTION, exports)
    return Settings(
        home=home(),
        warehouse=_warehouses(),
        exports=Exports(
            bucket=os.environ.get("SLA_BUCKET") or "sla-exports",
            endpoint_url=extra.get("endpoint_url"),
            region=extra.get("region_name") or "us-east-1",
            access_key=exports.get("login") or None,
            secret_key=exports.get("password") or None,
        ),
        quarantine_limit_percent=limit_percent,
    )


def load_airflow() -> AirflowAccess:
    """The Airflow that `sla run` asks: `SLA_AIRFLOW_URL`, `_USER`, `_PASSWORD`, else the embedded stack's.

    Raises `SettingsError` where neither is there.
    """
    if url := os.environ.get("SLA_AIRFLOW_URL"):
        return AirflowAccess(url, airflow_user(), os.environ.get("SLA_AIRFLOW_PASSWORD", ""))
    try:
        airflow = json.loads(stack_state_path().read_text())["airflow"]
        return AirflowAccess(airflow["url"], "admin", airflow["users"]["admin"])
    except (OSError, KeyError, ValueError):
        raise SettingsError(
            f"No stack is up in {home()} and SLA_AIRFLOW_URL is not set: run `sla up`, or say where Airflow is."
        ) from None


def stage_connection(stage: str) -> str:
    """The variable with the connection of a stage's own login."""
    return f"{WAREHOUSE_CONNECTION}_{stage.upper()}"


def _warehouses() -> Warehouse:
    """The base connection, with the stages' own where they are set: beside it, not in another stack's state."""
    base = _warehouse(WAREHOUSE_CONNECTION)
    names = {f"sla_{stage}": stage_connection(stage) for stage in STAGES}
    given = os.environ if os.environ.get(WAREHOUSE_CONNECTION) else _stack_environment()
    stages = {role: _warehouse(name) for role, name in names.items() if given.get(name)}
    for role, stage in stages.items():
        if (stage.host, stage.port, stage.database) != (base.host, base.port, base.database):
            raise SettingsError(
                f"{names[role]} leads to {stage.host}:{stage.port}/{stage.database}, and {WAREHOUSE_CONNECTION} to "
                f"{base.host}:{base.port}/{base.database}: only login and password may differ."
            )
    return replace(base, stages=stages)


def _warehouse(name: str) -> Warehouse:
    connection = _connection(name)
    for key in ("host", "schema"):
        if not connection.get(key):
            raise SettingsError(f"{name} has no {key}: give it as a URI or as Airflow's JSON.")
    return Warehouse(
        host=connection["host"],
        port=_port(name, connection.get("port")),
        user=connection.get("login") or "",
        password=connection.get("password") or "",
        database=connection["schema"],
    )


def _stack_environment() -> Mapping[str, str]:
    """The embedded stack's connections; none where no stack is up."""
    try:
        return dict(json.loads(stack_state_path().read_text())["environment"])
    except (OSError, KeyError, ValueError, TypeError):
        return {}


def _connection(name: str) -> dict:
    text = os.environ.get(name) or _stack_environment().get(name)
    if not text:
        raise SettingsError(
            f"No stack is up in {home()} and {name} is not set: "
            "run `sla up`, or set SLA_HOME to a stack's home, or the connection."
        )
    # `from None`: a parser's message shows what it read, and that has the password.
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except ValueError:
            raise SettingsError(f"{name} is no JSON object: give a URI or Airflow's JSON.") from None
    try:
        uri = urlsplit(text)
        port = uri.port
    except ValueError:
        raise SettingsError(
            f"{name} is no URI with a port from 1 to 65535: give a URI (percent-encode what is special) "
            "or Airflow's JSON."
        ) from None
    query = dict(parse_qsl(uri.query))
    return {
        "host": unquote(uri.hostname or ""),
        "port": port,
        "login": unquote(uri.username or ""),
        "password": unquote(uri.password or ""),
        "schema": unquote(uri.path.lstrip("/")),
        # Airflow writes what does not fit a query as one JSON parameter.
        "extra": query.get("__extra__", query),
    }


def _port(name: str, port: object) -> int:
    if port is None or port == "":
        return 5432
    text = str(port)
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise SettingsError(f"{name} has a port that is none: give one from 1 to 65535, or leave it out.")
    return int(text)


def _extra(name: str, connection: dict) -> dict:
    extra = connection.get("extra") or {}
    try:
        extra = json.loads(extra) if isinstance(extra, str) else extra
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        raise SettingsError(f"{name} has an `extra` that is no JSON object: give endpoint_url and region_name in one.")
    return extra


@functools.cache
def code_version() -> str:
    """The version of the code that reckons: the release, and a digest of the money path's files.

    A digest of the files themselves, so that an unpacked archive without git and a checkout
    of the same commit give the same answer.
    """
    from slaledger import __version__

    digest = hashlib.sha256()
    paths = [
        *sorted((PROJECT_DIR / "plugins" / "slaledger").rglob("*.py")),
        *sorted((PROJECT_DIR / "plugins" / "slaledger").rglob("*.sql")),
        *sorted((DBT_PROJECT_DIR / "models").rglob("*.sql")),
        *sorted((DBT_PROJECT_DIR / "macros").rglob("*.sql")),
        *sorted(TERMS_DIR.glob("*.yml")),
    ]
    for path in paths:
        body = path.read_bytes()
        name = path.relative_to(PROJECT_DIR).as_posix()
        digest.update(f"{len(name)}:{name}{len(body)}:".encode())
        digest.update(body)
    return f"{__version__}+{digest.hexdigest()[:16]}"


def tzdata_version() -> str:
    """The release of the time-zone data that is recorded: the package's, to which `zones` holds PostgreSQL."""
    import tzdata

    return tzdata.IANA_VERSION
