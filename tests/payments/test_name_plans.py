"""Staff say which price or product of a provider is a plan (spec 04, Webhooks)."""

from __future__ import annotations

import pytest

from apps.core.enums import Role
from apps.core.errors import ConflictError, ForbiddenError, NotFoundError, UnprocessableError
from apps.core.models import AuditEntry
from apps.payments.enums import PlanReferenceKind
from apps.payments.models import PlanReference
from apps.payments.services import plan_reference_add, plan_reference_remove
from apps.subscriptions.enums import Provider
from apps.subscriptions.models import Plan
from tests.contexts import staff_context
from tests.payments.cast import NOON, Stripe, deliver, make_tenant
from tests.subscriptions.cast import make_plan

pytestmark = pytest.mark.django_db(transaction=True)
ADMIN = Role.PLATFORM_ADMIN


def add(
    plan: Plan, value: str = "price_legacy", *, reason: str = "Sold under it.", role: Role = ADMIN
) -> PlanReference:
    return plan_reference_add(
        staff_context(role),
        plan_id=plan.pk,
        provider=Provider.STRIPE,
        kind=PlanReferenceKind.PRICE,
        value=value,
        reason=reason,
    )


def remove(plan: Plan, reference: PlanReference) -> None:
    plan_reference_remove(staff_context(ADMIN), plan_id=plan.pk, reference_id=reference.pk, reason="A mistake.")


def refuse(error: type[Exception], plan: Plan, **values: object) -> None:
    before = (PlanReference.objects.count(), AuditEntry.objects.count())
    with pytest.raises(error):
        add(plan, **values)  # type: ignore[arg-type]
    assert (PlanReference.objects.count(), AuditEntry.objects.count()) == before


def test_a_price_that_staff_named_is_the_plan() -> None:
    make_plan("team")
    add(make_plan("legacy"))
    tenant = make_tenant()
    stripe = Stripe(tenant)
    thing = stripe.subscription("active")
    thing["items"]["data"][0]["price"] = {"id": "price_legacy", "lookup_key": "team"}
    deliver(stripe.checkout(NOON), stripe.event("customer.subscription.created", thing, NOON))
    assert tenant.workspace.subscription.plan.slug == "legacy"


def test_naming_again_changes_nothing_and_removing_is_audited() -> None:
    plan = make_plan("team")
    reference = add(plan, "  price_legacy ")
    assert (add(plan).pk, reference.value) == (reference.pk, "price_legacy")
    remove(plan, reference)
    assert not PlanReference.objects.exists()
    assert AuditEntry.objects.filter(event="plan.named_at_provider").count() == 2
    with pytest.raises(NotFoundError):
        remove(plan, reference)


def test_a_name_belongs_to_one_plan() -> None:
    plan = make_plan("team")
    add(plan)
    refuse(ConflictError, make_plan("business"))
    refuse(UnprocessableError, plan, value=" ")
    refuse(UnprocessableError, plan, value="price_2", reason=" ")
    refuse(ForbiddenError, plan, value="price_2", role=Role.SUPPORT)
