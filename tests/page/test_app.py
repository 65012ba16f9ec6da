"""The pages behind Airflow's menu: for those who are logged in, and nothing but the Data Docs."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

SITE = "data_docs"


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from slaledger.page.app import make_app

    monkeypatch.setenv("SLA_HOME", str(tmp_path))
    (tmp_path / SITE / "validations").mkdir(parents=True)
    (tmp_path / SITE / "index.html").write_text("<p>the index")
    (tmp_path / "secret.html").write_text("a secret")
    return make_app()


@pytest.fixture
def auditor(app) -> TestClient:
    """Somebody whom Airflow let in."""
    from airflow.api_fastapi.core_api.security import get_user

    app.dependency_overrides[get_user] = lambda: "auditor"
    return TestClient(app)


@pytest.mark.parametrize("path", ["/", "/index.html", "/nothing.html"])
def test_nothing_is_shown_without_a_login(app, path: str):
    answer = TestClient(app).get(path)
    assert answer.status_code == 401
    assert "index" not in answer.text


@pytest.mark.parametrize("path", ["/", "/index.html"])
def test_pages_are_shown_and_may_load_nothing(auditor: TestClient, path: str):
    answer = auditor.get(path)
    assert (answer.status_code, answer.text) == (200, "<p>the index")
    policy = answer.headers["content-security-policy"].split("; ")
    assert policy[0] == "default-src 'none'" and "frame-ancestors 'self'" in policy
    assert not any(part.startswith("script-src") for part in policy)
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/nothing.html", "/validations", "/%00", "/" + "a" * 5000])
def test_what_is_not_there_is_404(auditor: TestClient, path: str):
    assert auditor.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/..%2fsecret.html", "/%2e%2e/secret.html", "/validations/..%2f..%2fsecret.html"])
def test_the_rest_of_the_home_is_out_of_reach(auditor: TestClient, path: str):
    answer = auditor.get(path)
    assert answer.status_code == 404 and "a secret" not in answer.text


def test_a_link_out_of_the_directory_is_not_followed(auditor: TestClient, tmp_path: Path):
    (tmp_path / SITE / "out.html").symlink_to(tmp_path / "secret.html")
    assert auditor.get("/out.html").status_code == 404


def test_before_the_first_gate_the_page_says_so(auditor: TestClient, tmp_path: Path):
    (tmp_path / SITE / "index.html").unlink()
    assert "No gate has run yet" in auditor.get("/").text
