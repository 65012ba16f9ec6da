"""A difference that is planted is seen: a value of a mart, a row, and a boundary that is a microsecond off."""

from __future__ import annotations

import pytest

from slaledger.reperform import claims, uptime
from slaledger.warehouse import connect
from tests.second_route.generating import generate
from tests.second_route.packing import pack
from tests.second_route.planting import Ground, Plant, planted, plants
from tests.second_route.running import Routes, differences, settings_for
from tests.second_route.test_agreement import CONTRACTS, SHORT, TICKETS

# Its claims' deadline is a microsecond away, and its outages are laid out about the tiers' thresholds.
SEED = 25


@pytest.fixture(scope="module")
def routes(warehouse_server, bucket, tmp_path_factory: pytest.TempPathFactory):
    world = generate(SEED, account_months=150, ticket_count=150)
    with settings_for(warehouse_server, bucket, tmp_path_factory.mktemp("home"), "planted") as settings:
        routes = Routes(settings, world)
        routes.land(pack(world))
        assert not differences(routes.models(), routes.second_route())
        yield routes


def _found(routes: Routes, alter: str | None = None) -> list[tuple[str, str]]:
    """The (mart, column) of each difference, once one row of a mart is altered; the mart is left as it was."""
    with connect(routes.settings.warehouse) as connection:
        if alter is not None:
            assert connection.execute(alter).rowcount == 1
        rows = routes.rows(connection)
        connection.rollback()
    return [(each.mart, each.column) for each in differences(rows, routes.second_route())]


def test_a_microsecond_in_a_mart_is_seen(routes: Routes) -> None:
    one = "select min(contract_id) from marts.fct_account_months where counted_seconds > 0"
    statement = (
        f"update marts.fct_account_months set counted_seconds = counted_seconds + 0.000001 where contract_id = ({one})"
    )
    assert _found(routes, statement) == [("account_months", "counted_seconds")]


def test_a_lost_row_is_seen(routes: Routes) -> None:
    one = "select min(ticket_id) from marts.fct_response_times"
    found = _found(routes, f"delete from marts.fct_response_times where ticket_id = ({one})")
    assert found == [("response_times", "(row)")]


def test_a_lost_and_an_invented_finding_are_seen(routes: Routes) -> None:
    one = "select min(ctid) from marts.fct_findings where code = 'ticket_without_severity'"
    assert _found(routes, f"delete from marts.fct_findings where ctid = ({one})") == [("findings", "(row)")]
    statement = f"""
        insert into marts.fct_findings
        select code, service_month, subject || '-', object_id, detail from marts.fct_findings where ctid = ({one})
    """
    assert _found(routes, statement) == [("findings", "(row)")]


def test_a_tier_that_an_uptime_at_its_threshold_gets_is_seen(routes: Routes, monkeypatch: pytest.MonkeyPatch) -> None:
    def tier(percent, credits):
        return min((one for one in credits if percent is not None and percent <= one[0]), default=None)

    monkeypatch.setattr(uptime, "tier", tier)
    assert ("credits", "credit_percent") in _found(routes)


def test_a_deadline_that_is_a_microsecond_late_is_seen(routes: Routes, monkeypatch: pytest.MonkeyPatch) -> None:
    due = claims.deadline
    monkeypatch.setattr(claims, "deadline", lambda *given: due(*given) + 1)
    assert {("claims", "deadline_at"), ("claims", "status")} <= set(_found(routes))


@pytest.mark.parametrize("plant", plants(), ids=lambda plant: plant.mistake)
def test_a_mistake_can_be_planted(plant: Plant) -> None:
    before = vars(plant.imported()).copy()
    with planted(plant):
        assert any(vars(plant.imported())[name] is not value for name, value in before.items())
    assert vars(plant.imported()) == before


@pytest.fixture(scope="module")
def grounds() -> list[Ground]:
    return [Ground(generate(seed, account_months=CONTRACTS, ticket_count=TICKETS)) for seed in SHORT.seeds]


@pytest.mark.deep
@pytest.mark.timeout(0)
@pytest.mark.parametrize("plant", plants(), ids=lambda plant: plant.mistake)
def test_a_mistake_in_the_second_route_changes_a_row(grounds: list[Ground], plant: Plant) -> None:
    """What the worlds of the short run are for: where the edge of a rule is mistaken, one of them has to tell."""
    assert any(ground.rows_changed(plant) for ground in grounds)
