"""A client of Airflow's REST API: what `sla run` and the stack need of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

PAGE = 100


class AirflowUnreachable(Exception):
    """Airflow does not answer."""


class AirflowRefused(Exception):
    """Airflow answers with an error; `status` is the HTTP status, the message says what it refused and why."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class AirflowApi:
    """One user's view of one Airflow. Raises `AirflowUnreachable` and `AirflowRefused` from every method."""

    url: str
    user: str
    password: str = field(repr=False)
    timeout_seconds: float = 30
    _token: str | None = field(default=None, repr=False)
    _client: Any = field(default=None, repr=False)

    @property
    def token(self) -> str:
        """A bearer token; asked for once."""
        if self._token is None:
            body = {"username": self.user, "password": self.password}
            self._token = self._send("POST", "/auth/token", json=body)["access_token"]
        return self._token

    def health(self) -> dict[str, Any]:
        """The state of the database, the scheduler and the DAG processor. Needs no login."""
        return self._send("GET", "/api/v2/monitor/health")

    def dags(self) -> list[dict[str, Any]]:
        """All DAGs, each with `dag_id`, `last_parsed_time` and more."""
        return list(self._pages("/api/v2/dags", "dags"))

    def import_errors(self) -> list[dict[str, Any]]:
        """DAG files that do not load, each with `filename` and `stack_trace`."""
        return list(self._pages("/api/v2/importErrors", "import_errors"))

    def trigger(
        self,
        dag_id: str,
        *,
        run_id: str,
        params: Mapping[str, Any] | None = None,
        partition_key: str | None = None,
    ) -> dict[str, Any]:
        """Start a run, and return it. A run of this id that is there already is refused with status 409."""
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(params or {})}
        if partition_key is not None:
            body["partition_key"] = partition_key
        return self._api("POST", f"/dags/{dag_id}/dagRuns", json=body)

    def run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """One run: `state` is queued, running, success or failed."""
        return self._api("GET", f"/dags/{dag_id}/dagRuns/{run_id}")

    def runs(self, dag_id: str, **filters: Any) -> list[dict[str, Any]]:
        """The runs of a DAG; filters as the API's, e.g. `state=["running", "queued"]`."""
        return list(self._pages(f"/api/v2/dags/{dag_id}/dagRuns", "dag_runs", **filters))

    def set_run_state(self, dag_id: str, run_id: str, state: str) -> dict[str, Any]:
        """End a run as `failed` or `success`, its tasks too; `queued` starts it again."""
        return self._api("PATCH", f"/dags/{dag_id}/dagRuns/{run_id}", json={"state": state})

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The run's tasks: `task_id`, `map_index` (-1: not mapped), `state`, `try_number` and more."""
        return list(self._pages(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances", "task_instances"))

    def xcom(self, dag_id: str, run_id: str, task_id: str, *, key: str = "return_value", map_index: int = -1) -> Any:
        """What a task returned. None when it returned nothing."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        try:
            found = self._api("GET", path, params={"map_index": map_index, "deserialize": False})
        except AirflowRefused as refusal:
            if refusal.status == 404:
                return None
            raise
        return found["value"]

    def logs(self, dag_id: str, run_id: str, task_id: str, *, try_number: int, map_index: int = -1) -> list[str]:
        """The lines of one try of a task: each event's text, and of an exception its type and message."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/{try_number}"
        found = self._api("GET", path, params={"map_index": map_index, "full_content": True})
        lines = []
        for entry in found["content"]:
            if isinstance(entry, str):
                lines.append(entry)
                continue
            lines.append(str(entry.get("event", "")))
            for error in entry.get("error_detail") or []:
                lines.append(f"{error.get('exc_type')}: {error.get('exc_value')}")
        return lines

    def ensure_pool(self, name: str, *, slots: int, description: str) -> None:
        """Make the pool, or set it right."""
        values = {"slots": slots, "description": description, "include_deferred": True}
        try:
            self._api("PATCH", f"/pools/{name}", json={"pool": name, **values})
        except AirflowRefused as refusal:
            if refusal.status != 404:
                raise
            self._api("POST", "/pools", json={"name": name, **values})

    def _pages(self, path: str, key: str, **filters: Any) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            page = self._api("GET", path.removeprefix("/api/v2"), params={**filters, "limit": PAGE, "offset": offset})
            yield from page[key]
            offset += len(page[key])
            if not page[key] or offset >= page["total_entries"]:
                return

    def _api(self, method: str, path: str, **arguments: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"}
        try:
            return self._send(method, f"/api/v2{path}", headers=headers, **arguments)
        except AirflowRefused as refusal:
            if refusal.status != 401:
                raise
        # Expired, or the server was made anew.
        self._token = None
        headers = {"Authorization": f"Bearer {self.token}"}
        return self._send(method, f"/api/v2{path}", headers=headers, **arguments)

    def _send(self, method: str, path: str, **arguments: Any) -> Any:
        import httpx

        if self._client is None:
            # Without the caller's proxies: they would not know this machine's own address.
            self._client = httpx.Client(
                base_url=self.url,
                headers={"Accept": "application/json"},
                timeout=self.timeout_seconds,
                trust_env=False,
            )
        # A server that is slow, on a busy machine, say, is asked again where asking changes nothing.
        for attempt in range(3 if method == "GET" else 1, 0, -1):
            try:
                response = self._client.request(method, path, **arguments)
                break
            except httpx.HTTPError as error:
                if attempt > 1 and isinstance(error, httpx.TimeoutException):
                    continue
                raise AirflowUnreachable(
                    f"Airflow at {self.url} does not answer ({type(error).__name__}): "
                    "is it up? `sla status` tells for the embedded stack."
                ) from error
        if response.is_error:
            try:
                detail = response.json()["detail"]
            except (ValueError, KeyError, TypeError):
                detail = response.text[:500]
            raise AirflowRefused(
                f"Airflow refuses {method} {path}: {response.status_code}, {detail}", response.status_code
            )
        return response.json() if response.content else None
