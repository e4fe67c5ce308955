"""Stripe's own fixtures, in its current shapes, are read by every event type that speaks of them (spec 04)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from apps.payments.contracts import ObjectKind
from apps.payments.providers.contract import payment_provider
from apps.payments.providers.orb.events import ORB_TYPES
from apps.payments.providers.stripe.events import STRIPE_TYPES
from apps.subscriptions.enums import Provider

RESOURCES: dict[str, dict[str, Any]] = json.loads(
    Path(__file__).with_name("stripe_resources.json").read_text(encoding="utf-8")
)["resources"]
OBJECT_OF = {
    "checkout.session": "checkout.session",
    "customer.subscription": "subscription",
    "customer": "customer",
    "invoice": "invoice",
    "payment_method": "payment_method",
    "charge.dispute": "dispute",
    "charge": "charge",
}
# The list of spec 04, word by word.
SPEC = {
    "checkout.session": ("completed", "async_payment_succeeded", "async_payment_failed", "expired"),
    "customer.subscription": (
        "created",
        "updated",
        "deleted",
        "paused",
        "resumed",
        "trial_will_end",
        "pending_update_applied",
        "pending_update_expired",
    ),
    "invoice": (
        "created",
        "finalized",
        "paid",
        "payment_succeeded",
        "payment_failed",
        "payment_action_required",
        "voided",
        "marked_uncollectible",
        "updated",
        "deleted",
        "overdue",
    ),
    "payment_method": ("attached", "detached"),
    "customer": ("updated", "deleted"),
    "charge": ("refunded",),
    "charge.dispute": ("created", "updated", "closed", "funds_withdrawn", "funds_reinstated"),
}
SPEC_STRIPE = {f"{noun}.{step}" for noun, steps in SPEC.items() for step in steps}
SPEC_OF_ORB = {
    "subscription": (
        "created",
        "started",
        "ended",
        "plan_changed",
        "plan_change_scheduled",
        "cancellation_scheduled",
        "cancellation_unscheduled",
    ),
    "invoice": ("issued", "payment_succeeded", "payment_failed"),
    "customer": ("created", "credit_balance_depleted", "credit_balance_dropped"),
}
SPEC_ORB = {f"{noun}.{step}" for noun, steps in SPEC_OF_ORB.items() for step in steps}


def test_every_type_of_the_spec_is_heard() -> None:
    # `customer.created` tells whom a customer stands for.
    assert SPEC_STRIPE | {"customer.created"} == STRIPE_TYPES
    assert ORB_TYPES == SPEC_ORB


@pytest.mark.parametrize("kind", sorted(STRIPE_TYPES))
def test_a_fixture_of_each_type_is_read(kind: str) -> None:
    resource = RESOURCES[OBJECT_OF[kind.rpartition(".")[0]]]
    event = {"id": "evt_1", "type": kind, "created": 1_775_000_000, "data": {"object": resource}}
    parsed = payment_provider(Provider.STRIPE).parse_event(event)
    if kind.startswith("checkout.session."):
        assert parsed.snapshot is None, "the fixture's checkout has no customer"
        return
    assert parsed.snapshot is not None
    assert parsed.snapshot.external_id == resource["id"]
    assert parsed.snapshot.kind in ObjectKind
