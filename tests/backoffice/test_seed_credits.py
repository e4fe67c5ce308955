"""The sample credits look as if they had grown over weeks, and seeding again changes nothing (spec 09, Commands)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db.models import Count

from apps.backoffice.seeding.credits import AGREE
from apps.core import clock
from apps.core.ids import ProductId
from apps.core.models import AuditEntry, IdempotencyRecord
from apps.credits.models import (
    CreditAccount,
    CreditEntry,
    CreditGrant,
    CreditPolicy,
    GrantBurn,
    Hold,
    ShadowDisagreement,
)
from apps.credits.selectors.drift import shadow_figures
from apps.credits.selectors.ledger import ledger_faults
from apps.subscriptions.models import DecisionReceipt
from apps.tenants.models import Product

APPS = Path(__file__).resolve().parents[2] / "apps"
KEPT = (CreditEntry, CreditGrant, CreditPolicy, GrantBurn, Hold, ShadowDisagreement, DecisionReceipt, IdempotencyRecord)


def everything() -> dict[str, Any]:
    counts = {model.__name__: model._default_manager.count() for model in KEPT}
    accounts = CreditAccount.objects.order_by("pk").values_list("pk", "balance", "held", "last_sequence")
    return {**counts, "accounts": list(accounts), "audit": AuditEntry.objects.filter(event__contains="credit").count()}


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_sample_credits_grew_over_weeks_and_seeding_again_changes_nothing() -> None:
    call_command("seed_demo")
    once = everything()
    call_command("seed_demo")
    assert everything() == once
    assert list(ledger_faults()) == []
    # Each decision that differs was compared, and counted as such.
    shadow = shadow_figures(ProductId(Product.objects.get(slug="blue").pk))
    differing = ShadowDisagreement.objects.filter(entry_id=None).count()
    assert (shadow.compared, shadow.agreed) == (differing + AGREE, AGREE)
    entries = CreditEntry.objects.filter(account__organization__slug="northwind")
    assert entries.dates("recorded_at", "day").count() >= 19
    assert entries.filter(recorded_at__gt=clock.now()).count() == 0
    places = entries.order_by("sequence").values_list("recorded_at", flat=True)
    assert list(places) == sorted(places)
    assert not entries.filter(is_late=True).exists()
    assert not IdempotencyRecord.objects.values("key", "scope").annotate(n=Count("pk")).filter(n__gt=1).exists()


def test_nothing_but_sample_data_is_told_as_of_another_moment() -> None:
    tellers = {path.relative_to(APPS).as_posix() for path in APPS.rglob("*.py") if "as_of(" in path.read_text("utf-8")}
    told = {name for name in tellers if "clock.as_of(" in (APPS / name).read_text("utf-8")}
    assert {name for name in told if not name.startswith("backoffice/seeding/")} == {
        "backoffice/management/commands/seed_demo.py",
        "core/jobs/skipped.py",
    }


def test_the_told_moment_ends_with_its_block() -> None:
    before = clock.now()
    with clock.as_of(before - timedelta(days=3)):
        assert clock.now() == before - timedelta(days=3)
    assert clock.now() >= before
