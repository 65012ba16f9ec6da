"""A wrong password is not a server that is down."""

from __future__ import annotations

from dataclasses import replace

import pytest

from slaledger.warehouse import LoginRefused, connect


@pytest.mark.parametrize("change", [{"password": "another"}, {"user": "nobody"}])
def test_a_login_that_is_not_let_in_is_named_and_its_password_is_not(warehouse_server, change):
    warehouse = replace(warehouse_server.warehouse("postgres"), **change)
    with (
        pytest.raises(LoginRefused, match=f"does not let the login {warehouse.user} in") as refused,
        connect(warehouse),
    ):
        pass
    assert "another" not in str(refused.value)
    assert getattr(refused.value, "is_final", False)
