"""Sample connectors: made once, and nobody outside is asked (spec 02, Demo tenants)."""

from __future__ import annotations

import pytest
from django.core.management import call_command

from apps.backoffice.seeding.connectors import DEMO_WISHES, WISHES
from apps.connectors.models import Connector


@pytest.mark.django_db
def test_seeding_again_changes_nothing() -> None:
    call_command("seed_demo")
    made = sorted(Connector.objects.values_list("name", "status", "version"))
    call_command("seed_demo")
    assert sorted(Connector.objects.values_list("name", "status", "version")) == made
    assert len(made) == len(WISHES) + len(DEMO_WISHES)
    assert {status for _, status, _ in made} == {"pending", "enabled", "disabled"}
