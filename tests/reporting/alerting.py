"""An account whose alerts have begun, and what was told of it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.enums import MembershipRole
from apps.core.ids import OrganizationId, ProductId
from apps.core.jobs import job_of
from apps.core.models import AuditEntry, OutboxItem
from apps.credits.services import credit_policy_publish_prices, credits_consume
from apps.reporting.models import AlertSettings, AlertThreshold
from apps.reporting.rules.alerts import Audience, Threshold, ThresholdKind
from apps.reporting.services import balance_alerts_change
from apps.tenants.enums import OrganizationKind
from apps.tenants.services import organization_upsert
from apps.tenants.services.organizations import OrganizationParams
from tests.contexts import console_context, product_context, staff_context
from tests.credits.cast import PRICES, Place, consumption, give, make_place
from tests.factories.tenants import make_membership, make_product, make_user

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
HALF, EXHAUSTED = Threshold(ThresholdKind.CREDITS, 5 * MICRO), Threshold(ThresholdKind.CREDITS, 0)


def run(name: str = "follow-balances", *, include_demo: bool = False) -> dict[str, int]:
    job = job_of(name)
    assert job is not None
    return job.run(console_context(), slot=clock.now(), organization_id=None, include_demo=include_demo)


def make(whole_credits: int = 10) -> Place:
    """An organization whose alerts have begun, with an owner, an admin, and a viewer whom nobody tells."""
    return begin(make_place(whole_credits=whole_credits))


def make_other(*, is_demo: bool = False, is_synthetic: bool = False) -> Place:
    """The same with ten credits, where its organization is of another nature."""
    params = OrganizationParams(name="Other", kind=OrganizationKind.TEAM, is_demo=is_demo, is_synthetic=is_synthetic)
    organization = organization_upsert(
        console_context(), organization_id=OrganizationId(uuid.uuid4()), params=params
    ).record
    product = make_product("blue", organization)
    credit_policy_publish_prices(console_context(), product_id=ProductId(product.pk), prices=PRICES)
    place = Place(product, organization, product_context(product))
    give(place, 10 * MICRO)
    return begin(place)


def begin(place: Place) -> Place:
    for role in (MembershipRole.OWNER, MembershipRole.ADMIN, MembershipRole.VIEWER):
        make_membership(place.organization, make_user(f"{role.value}@low.example"), role)
    run(include_demo=True)
    return place


def use(place: Place, credits: int) -> None:  # noqa: A002 - whole ones
    for _ in range(credits):
        credits_consume(place.context, consumption=consumption(place, operation="unit"))


def choose(place: Place, *thresholds: Threshold, audience: Audience = Audience.ADMINS) -> bool:
    return balance_alerts_change(
        staff_context(),
        organization_id=OrganizationId(place.organization.pk),
        thresholds=thresholds,
        audience=audience,
        reason="They asked for it.",
    )


def mailed() -> list[tuple[str, str]]:
    """Address and subject of each, oldest first."""
    items = OutboxItem.objects.filter(key__startswith="balance-alert:").order_by("created_at", "pk")
    return sorted((item.payload["to"][0], item.payload["subject"].split(":")[0]) for item in items)


def told(name: str) -> int:
    return AuditEntry.objects.filter(event=name).count()


def standing(place: Place) -> dict[str, tuple[bool | None, int]]:
    rows = AlertThreshold.objects.filter(settings=place.organization.pk)
    return {str(row): (row.is_low, row.times) for row in rows}


def everything() -> list[object]:
    models = (AlertSettings, AlertThreshold)
    return [*(list(model._default_manager.order_by("pk").values()) for model in models), AuditEntry.objects.count()]
