"""The files for containers, as far as they can be checked without an engine."""

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import compose_spec
import pytest
import yaml
from cryptography.fernet import Fernet

from slaledger import settings
from slaledger.stack import airflow

PROJECT = settings.PROJECT_DIR
COMPOSE = PROJECT / "docker-compose.yml"
ENV_EXAMPLE = PROJECT / ".env.example"
RUNBOOK = PROJECT / "docs" / "runbooks" / "containers.md"


@pytest.fixture(scope="module")
def compose() -> dict:
    return yaml.safe_load(COMPOSE.read_text())


def flat(value: object) -> list[str]:
    """All texts in a tree."""
    if isinstance(value, dict):
        return [text for part in value.values() for text in flat(part)]
    if isinstance(value, list):
        return [text for part in value for text in flat(part)]
    return [str(value)]


def filled() -> str:
    """The file as an engine would read it: defaults taken, secrets filled in."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", COMPOSE.read_text())
    return re.sub(r"\$\{\w+:\?[^}]*\}", "0123456789abcdef", text)


def test_it_is_valid_by_the_compose_specification() -> None:
    assert "${" not in filled()
    options = compose_spec.PyOptions(apply_merge=True)
    options.from_yaml(filled()).validate()
    for right, wrong in (("restart: unless-stopped", "restart: perhaps"), ("healthcheck:", "healthchek:")):
        with pytest.raises(ValueError):
            options.from_yaml(filled().replace(right, wrong)).validate()


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="docker-compose is not installed")
def test_docker_compose_accepts_it(tmp_path: Path) -> None:
    secrets = re.sub(r"(?m)^(\w+)=$", r"\1=0123456789abcdef", ENV_EXAMPLE.read_text())
    (tmp_path / ".env").write_text(secrets)
    result = subprocess.run(
        ["docker-compose", "--env-file", str(tmp_path / ".env"), "-f", str(COMPOSE), "config", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


def test_the_dockerfile_lints() -> None:
    linter = Path(sys.prefix) / "bin" / "hadolint"
    result = subprocess.run([linter, PROJECT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_airflow_s_parts_are_those_of_the_embedded_stack(compose: dict) -> None:
    for part, command in airflow.PARTS.items():
        assert compose["services"][part]["command"] == ["airflow", *command]


def test_airflow_has_the_settings_of_the_embedded_stack(compose: dict, tmp_path: Path) -> None:
    metadata = settings.Warehouse(host="h", port=1, user="u", database="airflow", password="p")
    embedded = airflow.environment(tmp_path, port=1, metadata=metadata, shared={})
    contained = compose["x-part"]["environment"]
    wanted = {name for name in embedded if name.startswith("AIRFLOW__")}
    # Off in the image; true of every address in a container; the port of a check that is not used.
    wanted -= {
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED",
        "AIRFLOW__API__HOST",
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK",
    }
    assert wanted - contained.keys() == set(), "settings of the embedded stack that the containers lack"
    for name in ("EXECUTOR", "PARALLELISM", "LOAD_EXAMPLES", "DAGS_ARE_PAUSED_AT_CREATION"):
        assert contained[f"AIRFLOW__CORE__{name}"] == embedded[f"AIRFLOW__CORE__{name}"]
    users = "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"
    assert contained[users] == embedded[users]
    image = (PROJECT / "Dockerfile").read_text()
    for name, value in settings.QUIET_ENVIRONMENT.items():
        assert f"{name}={value}" in image, f"telemetry: {name} is not off in the image"


def test_ports_are_published_on_loopback_only(compose: dict) -> None:
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert len(published) == 3
    assert all(re.fullmatch(r"127\.0\.0\.1:\$\{\w+:-\d+\}:\d+", port) for port in published), published


def test_secrets_come_from_the_environment_alone(compose: dict) -> None:
    example = dict(line.split("=", 1) for line in ENV_EXAMPLE.read_text().splitlines() if line and line[0] != "#")
    secret = {name for name, value in example.items() if value == ""}
    used = set(re.findall(r"\$\{(\w+):\?fill in \.env\}", COMPOSE.read_text()))
    assert used == secret, "each secret is demanded by the compose file, and named in .env.example"
    defaults = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", COMPOSE.read_text()))
    assert defaults == {name: value for name, value in example.items() if value}
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD$|SECRET|FERNET|ACCESS_KEY|_CONN", name):
                assert "${" in str(value), f"{name} is written into docker-compose.yml"
    assert not any(re.search(r"://[^/\s]+:[^$][^/\s]*@", text) for text in flat(compose["services"]))


def test_the_runbook_s_commands_fill_in_every_secret(tmp_path: Path) -> None:
    shutil.copy(ENV_EXAMPLE, tmp_path)
    commands = textwrap.dedent(re.findall(r"(?ms)^ *```\n(.*?)^ *```", RUNBOOK.read_text())[0])
    subprocess.run(["sh", "-euc", commands], cwd=tmp_path, check=True)
    filled_in = (tmp_path / ".env").read_text()
    subprocess.run(["sh", "-euc", commands], cwd=tmp_path, check=True)
    assert (tmp_path / ".env").read_text() == filled_in
    made = dict(line.split("=", 1) for line in filled_in.splitlines() if line and line[0] != "#")
    example = dict(line.split("=", 1) for line in ENV_EXAMPLE.read_text().splitlines() if line and line[0] != "#")
    secrets = {name: made[name] for name, value in example.items() if not value}
    assert made.keys() == example.keys()
    assert {name for name, value in secrets.items() if len(value) < 16} == set()
    assert len(set(secrets.values())) == len(secrets)
    assert Fernet(made["SLA_FERNET_KEY"])
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0


def test_the_command_line_s_container_takes_a_command_and_a_directory(compose: dict) -> None:
    sla = compose["services"]["sla"]
    assert sla["entrypoint"] == ["sla"] and "command" not in sla and "read_only" not in sla
    assert all(not volume.partition(":")[2].startswith("/exports") for volume in sla["volumes"])
    assert "SLA_AIRFLOW_URL" in sla["environment"] and "AIRFLOW_CONN_SLA_EXPORTS" in sla["environment"]


def test_every_lasting_service_has_a_health_check_and_waits_for_what_it_needs(compose: dict) -> None:
    services = compose["services"]
    for name, service in services.items():
        assert name in ("init", "sla") or "healthcheck" in service, f"{name} has no health check"
        assert set(service.get("depends_on", {})) <= set(services)
    for part in ("api-server", "dag-processor"):
        assert services[part]["depends_on"]["init"]["condition"] == "service_completed_successfully"
    assert services["scheduler"]["depends_on"]["api-server"]["condition"] == "service_healthy"


def test_images_are_pinned(compose: dict) -> None:
    images = {service["image"] for service in compose["services"].values()}
    assert images == {"slaledger:local", "postgres:18-bookworm"}
    bases = re.findall(r"(?m)^FROM (\S+)", (PROJECT / "Dockerfile").read_text())
    assert bases and all(":" in base and not base.endswith(":latest") for base in bases)
