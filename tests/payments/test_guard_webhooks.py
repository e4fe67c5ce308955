"""The webhooks let in a signature and nobody else, whoever is signed in or shows a token (spec 11, P4)."""

from __future__ import annotations

import pytest
from django.urls import reverse

from apps.payments.models import WebhookEvent
from tests.access.routes import METHODS, SIGNED, all_routes
from tests.access.world import PRINCIPALS, make_world

pytestmark = pytest.mark.django_db


def test_every_webhook_is_declared() -> None:
    assert {route.name for route in all_routes() if route.pattern.startswith("webhooks/")} == set(SIGNED)


@pytest.mark.parametrize("name", SIGNED)
def test_no_principal_is_let_in_without_a_signature(name: str) -> None:
    world = make_world()
    for principal in PRINCIPALS:
        client, headers = world.client(principal)
        for method in METHODS:
            answer = client.generic(method, reverse(name), "{}", content_type="application/json", headers=headers)
            assert answer.status_code == (401 if method == "POST" else 405), (principal, method)
    assert not WebhookEvent.objects.exists()
