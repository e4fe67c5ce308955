"""The run of a call knows the token that was shown, so that the gate asks about that very one (spec 06, The gate)."""

from __future__ import annotations

import pytest
from django.test import Client

from apps.connectors.models import SyncRun
from apps.tenants.models import ServiceToken
from tests.connectors.cast import make_active_workspace, make_connector
from tests.factories.tenants import make_product, make_token


@pytest.mark.django_db
def test_a_run_carries_the_token_that_asked(client: Client) -> None:
    connector = make_connector(make_active_workspace())
    product = make_product("red", connector.workspace.organization)
    make_token(product)
    text = make_token(product)
    answer = client.post(
        f"/api/v1/internal/connectors/{connector.pk}/syncs",
        {"month": "2026-03"},
        content_type="application/json",
        headers={"Authorization": f"Bearer {text}"},
    )
    assert answer.status_code == 202
    assert SyncRun.objects.get().token_id == ServiceToken.objects.latest("created_at").pk
