"""Payment status by provider news: what each news leads to from each status, as spec 04 tells it."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest

from apps.payments.models import GraceAnchor
from apps.subscriptions.contracts import EndGrace, Lock, PaymentConfigChange, SetManual
from apps.subscriptions.models import ProviderEvidence
from apps.subscriptions.services import payment_config_change
from tests.contexts import console_context
from tests.payments.cast import NOON, Stripe, Tenant, deliver, make_tenant

pytestmark = pytest.mark.django_db
LATER = NOON + timedelta(days=1)

# Status → news → status. The news speak of the invoice that led to the status, `other` of a fresh one.
MATRIX: dict[str, dict[str, str]] = {
    "uninitialized": {
        "paid": "okay",
        "failed": "grace_period",
        "voided": "uninitialized",
        "uncollectible": "locked",
        "checkout": "okay",
        "other_failed": "grace_period",
        "other_paid": "okay",
    },
    "okay": {
        "paid": "okay",
        "failed": "grace_period",
        "voided": "okay",
        "uncollectible": "locked",
        "checkout": "okay",
        "other_failed": "grace_period",
        "other_paid": "okay",
    },
    "grace_period": {
        "paid": "okay",
        "failed": "grace_period",
        "voided": "okay",
        "uncollectible": "locked",
        "checkout": "grace_period",
        "other_failed": "grace_period",
        "other_paid": "grace_period",
    },
    "disabled": {
        "paid": "okay",
        "failed": "disabled",
        "voided": "okay",
        "uncollectible": "locked",
        "checkout": "disabled",
        "other_failed": "disabled",
        "other_paid": "disabled",
    },
    "locked": dict.fromkeys(
        ("paid", "failed", "voided", "uncollectible", "checkout", "other_failed", "other_paid"), "locked"
    ),
    "manual": dict.fromkeys(
        ("paid", "failed", "voided", "uncollectible", "checkout", "other_failed", "other_paid"), "manual"
    ),
}
# While staff decide, what asks for a change of status is kept as evidence.
EVIDENCE = {"paid", "failed", "uncollectible", "checkout", "other_failed", "other_paid"}
NEWS = tuple(MATRIX["okay"])


def bring_to(status: str) -> tuple[Tenant, Stripe]:
    """A tenant of that status, by the shortest way."""
    tenant = make_tenant()
    stripe = Stripe(tenant)
    deliver(stripe.event("customer.created", stripe.customer(), NOON))
    if status == "okay":
        deliver(stripe.checkout(NOON))
    if status in {"grace_period", "disabled"}:
        deliver(stripe.event("invoice.payment_failed", stripe.invoice("1", "open"), NOON))
    changes: dict[str, PaymentConfigChange] = {"disabled": EndGrace(), "locked": Lock(), "manual": SetManual()}
    change = changes.get(status)
    if change is not None:
        payment_config_change(console_context(), organization_id=tenant.organization_id, change=change)
    assert tenant.status == status
    return tenant, stripe


def tell(stripe: Stripe, news: str) -> None:
    name = "2" if news.startswith("other") else "1"
    events = {
        "paid": ("paid", "paid"),
        "failed": ("payment_failed", "open"),
        "voided": ("voided", "void"),
        "uncollectible": ("marked_uncollectible", "uncollectible"),
    }
    if news == "checkout":
        deliver(stripe.checkout(LATER))
        return
    kind, status = events[news.removeprefix("other_")]
    deliver(stripe.event(f"invoice.{kind}", stripe.invoice(name, status), LATER))


@pytest.mark.parametrize(("status", "news"), list(itertools.product(MATRIX, NEWS)))
def test_each_news_from_each_status(status: str, news: str) -> None:
    tenant, stripe = bring_to(status)
    tell(stripe, news)
    assert tenant.status == MATRIX[status][news]
    kept = ProviderEvidence.objects.filter(organization=tenant.organization).count()
    assert kept == (1 if status == "manual" and news in EVIDENCE else 0)
    has_anchor = GraceAnchor.objects.filter(organization=tenant.organization).exists()
    assert has_anchor is (tenant.status in {"grace_period", "disabled"})
