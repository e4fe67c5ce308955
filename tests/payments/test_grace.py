"""Grace that ends, connectors that come back, and notices to owners (spec 04, Grace period, Auto-disable)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from apps.connectors.models import Connector
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.core.jobs.record_errors import SomeFailedError
from apps.core.models import OutboxItem
from apps.payments import grace
from apps.payments.grace import end_due_grace_periods, remind_before_grace_ends
from apps.payments.jobs import end_grace_periods
from apps.subscriptions.contracts import EndGrace, ExtendGrace, StartGrace, Unlock
from apps.subscriptions.services import payment_config_change
from tests.contexts import console_context, staff_context
from tests.payments.cast import NOON, Stripe, Tenant, make_tenant
from tests.payments.on_time import deliver
from tests.subscriptions.cast import REASON

pytestmark = pytest.mark.django_db(transaction=True)
DAY = timedelta(days=1)


def end_due(after: timedelta) -> dict[str, int]:
    return end_due_grace_periods(console_context(), now=NOON + after, organization_id=None, include_demo=False)


def in_grace() -> tuple[Tenant, Stripe]:
    tenant = make_tenant()
    stripe = Stripe(tenant)
    deliver(stripe.checkout(NOON), stripe.event("invoice.payment_failed", stripe.invoice("1", "open"), NOON))
    return tenant, stripe


def notices(tenant: Tenant) -> list[str]:
    rows = OutboxItem.objects.filter(organization_id=tenant.organization.pk, kind="email.send").order_by("created_at")
    return [key.partition(":")[0] for key in rows.values_list("key", flat=True)]


def test_a_grace_period_ends_when_it_is_due_and_the_owners_are_told_once() -> None:
    tenant, stripe = in_grace()
    assert end_due(14 * DAY - timedelta(seconds=1)) == {"ended": 0, "changed_meanwhile": 0}
    early = remind_before_grace_ends(console_context(), now=NOON + 10 * DAY, organization_id=None, include_demo=False)
    assert early == 0
    for _ in range(2):
        assert (
            remind_before_grace_ends(console_context(), now=NOON + 12 * DAY, organization_id=None, include_demo=False)
            == 1
        )
    assert end_due(14 * DAY)["ended"] == 1
    assert end_due(15 * DAY)["ended"] == 0
    assert tenant.status == "disabled"
    assert notices(tenant) == ["grace-started", "grace-reminder", "grace-ended"]
    deliver(stripe.event("invoice.paid", stripe.invoice("1", "paid"), NOON + 20 * DAY))
    assert tenant.status == "okay"


@pytest.mark.slow
def test_one_organization_that_fails_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    tenants = sorted((in_grace()[0] for _ in range(3)), key=lambda tenant: tenant.organization.pk)
    broken, soon = tenants[0].organization.pk, make_tenant()
    stripe, later = Stripe(soon), NOON + 3 * DAY
    deliver(stripe.checkout(later), stripe.event("invoice.payment_failed", stripe.invoice("1", "open"), later))

    def change(context: ExecutionContext, *, organization_id: OrganizationId, **values: Any) -> object:
        if organization_id == broken:
            raise RuntimeError
        return payment_config_change(context, organization_id=organization_id, **values)

    monkeypatch.setattr(grace, "payment_config_change", change)
    with pytest.raises(SomeFailedError, match=rf"organizations: 1 failed, 2 were done.*{broken} \(RuntimeError\)"):
        end_due(15 * DAY)
    assert [tenant.status for tenant in tenants] == ["grace_period", "disabled", "disabled"]
    with time_machine.travel(NOON + 15 * DAY), pytest.raises(SomeFailedError):
        end_grace_periods(console_context(), slot=NOON, organization_id=None, include_demo=False)
    assert "grace-reminder" in notices(soon)
    monkeypatch.undo()
    assert end_due(15 * DAY)["ended"] == 1
    assert tenants[0].status == "disabled"


def test_the_grace_period_is_counted_from_the_earliest_unpaid_invoice() -> None:
    tenant, stripe = in_grace()
    deliver(stripe.event("invoice.payment_failed", stripe.invoice("2", "open"), NOON + 3 * DAY))
    assert tenant.config.grace_period_end_at == NOON + 14 * DAY
    deliver(stripe.event("invoice.paid", stripe.invoice("1", "paid"), NOON + 4 * DAY))
    assert tenant.config.grace_period_end_at == NOON + 17 * DAY
    deliver(stripe.event("invoice.payment_failed", stripe.invoice("0", "open"), NOON + DAY))
    assert tenant.config.grace_period_end_at == NOON + 15 * DAY


@pytest.mark.slow
def test_what_staff_promised_stays_promised() -> None:
    tenant, stripe = in_grace()
    until = NOON + 60 * DAY
    organization_id = tenant.organization_id
    payment_config_change(staff_context(), organization_id=organization_id, change=ExtendGrace(until), reason=REASON)
    deliver(stripe.event("invoice.payment_failed", stripe.invoice("0", "open"), NOON - DAY))
    assert tenant.config.grace_period_end_at == until


@pytest.mark.slow
def test_the_overdue_invoice_paid_while_another_is_open_starts_that_ones_grace() -> None:
    tenant, stripe = in_grace()
    end_due(14 * DAY)
    deliver(stripe.event("invoice.payment_failed", stripe.invoice("2", "open"), NOON + 15 * DAY))
    assert tenant.status == "disabled"
    deliver(stripe.event("invoice.paid", stripe.invoice("1", "paid"), NOON + 16 * DAY))
    assert tenant.status == "grace_period"
    assert tenant.config.grace_period_end_at == NOON + 29 * DAY


def test_a_grace_period_that_staff_started_is_not_ended_by_other_news() -> None:
    tenant = make_tenant()
    stripe = Stripe(tenant)
    deliver(stripe.checkout(NOON))
    change = StartGrace(NOON)
    payment_config_change(staff_context(), organization_id=tenant.organization_id, change=change, reason=REASON)
    deliver(stripe.event("customer.updated", stripe.customer(), NOON + DAY))
    assert tenant.status == "grace_period"


def test_an_uncollectible_invoice_locks_and_staff_who_unlock_are_not_overruled() -> None:
    tenant, stripe = in_grace()
    given_up = stripe.invoice("1", "uncollectible")
    deliver(stripe.event("invoice.marked_uncollectible", given_up, NOON + DAY))
    assert tenant.status == "locked"
    payment_config_change(staff_context(), organization_id=tenant.organization_id, change=Unlock(), reason=REASON)
    deliver(stripe.event("invoice.updated", given_up, NOON + 2 * DAY))
    assert tenant.status == "okay"


def make_connector(tenant: Tenant, name: str, status: str = "enabled") -> Connector:
    return Connector.objects.create(workspace=tenant.workspace, provider="demo", name=name, status=status)


def states(tenant: Tenant) -> dict[str, str]:
    return dict(Connector.objects.filter(workspace=tenant.workspace).values_list("name", "status"))


def test_connectors_go_off_when_grace_ends_and_come_back_after_payment_but_for_what_a_person_disabled() -> None:
    tenant, stripe = in_grace()
    make_connector(tenant, "one")
    make_connector(tenant, "two", "disabled")
    before = states(tenant)
    payment_config_change(staff_context(), organization_id=tenant.organization_id, change=EndGrace(), reason=REASON)
    assert states(tenant) == {"one": "auto_disabled", "two": "disabled"}
    deliver(stripe.event("invoice.paid", stripe.invoice("1", "paid"), NOON + DAY))
    assert states(tenant) == before
