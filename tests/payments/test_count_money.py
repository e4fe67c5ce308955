"""What counts as paid, as failed and as told; who hands back to what; what owners read (spec 04)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine

from apps.connectors.models import Connector
from apps.core.errors import ConflictError
from apps.core.ids import WorkspaceId
from apps.core.models import AuditEntry, OutboxItem
from apps.payments.config_handlers import describe_open_invoices
from apps.payments.grace import end_due_grace_periods, remind_before_grace_ends, start_overdue_grace
from apps.payments.models import GraceAnchor, ProviderInvoice, Review
from apps.payments.services import invoice_forgive
from apps.subscriptions.contracts import Lock, Unlock
from apps.subscriptions.services import payment_config_change
from tests.contexts import console_context, staff_context
from tests.payments.cast import NOON, Stripe, Tenant, make_tenant, seconds
from tests.payments.cast import deliver as deliver_now
from tests.payments.on_time import deliver
from tests.subscriptions.cast import REASON

pytestmark = pytest.mark.django_db(transaction=True)
DAY = timedelta(days=1)


def customer(stripe: Stripe) -> dict[str, Any]:
    return stripe.event("customer.created", stripe.customer(), NOON)


def mails(tenant: Tenant) -> list[dict[str, Any]]:
    rows = OutboxItem.objects.filter(organization_id=tenant.organization.pk, kind="email.send").order_by("created_at")
    return [row.payload for row in rows]


def at(days: int) -> datetime:
    return NOON + days * DAY


def failed(stripe: Stripe, name: str, day: int) -> dict[str, Any]:
    return stripe.event("invoice.payment_failed", stripe.invoice(name, "open"), at(day))


def staff_do(tenant: Tenant, change: Any, day: int) -> None:
    with time_machine.travel(at(day), tick=False):
        payment_config_change(staff_context(), organization_id=tenant.organization_id, change=change, reason=REASON)


def test_an_invoice_over_nothing_is_no_payment() -> None:
    tenant = make_tenant()
    stripe = Stripe(tenant)
    deliver(customer(stripe), stripe.event("invoice.paid", stripe.invoice("1", "paid", amount=0), NOON))
    assert tenant.status == "uninitialized"
    deliver(stripe.event("invoice.paid", stripe.invoice("2", "paid"), NOON))
    assert tenant.status == "okay"


def test_a_first_payment_that_is_abandoned_starts_no_grace_and_is_no_good_sign() -> None:
    tenant = make_tenant()
    stripe = Stripe(tenant)
    first = stripe.invoice("1", "open", billing_reason="subscription_create")
    deliver(customer(stripe), stripe.event("invoice.payment_failed", first, NOON))
    voided = stripe.invoice("1", "void", billing_reason="subscription_create")
    deliver(stripe.event("invoice.voided", voided, NOON + DAY))
    assert (tenant.status, mails(tenant)) == ("uninitialized", [])


def test_what_was_sent_counts_from_its_due_date_by_the_look_of_the_job() -> None:
    tenant = make_tenant()
    stripe = Stripe(tenant)
    sent = stripe.invoice("1", "open", collection_method="send_invoice", due_date=seconds(at(5)))
    deliver(customer(stripe), stripe.event("invoice.finalized", sent, NOON))

    def look(day: int) -> int:
        with time_machine.travel(at(day), tick=False):
            return start_overdue_grace(console_context(), now=at(day), organization_id=None, include_demo=False)

    assert (look(4), tenant.status) == (0, "uninitialized")
    assert (look(6), tenant.status, tenant.config.grace_period_end_at) == (1, "grace_period", at(19))
    assert look(7) == 0
    deliver(stripe.event("invoice.paid", stripe.invoice("1", "paid"), at(8)))
    assert tenant.status == "okay"


def test_who_hears_late_has_three_days_and_no_mail_names_a_day_that_is_over() -> None:
    tenant = make_tenant()
    stripe = Stripe(tenant)
    deliver(stripe.checkout(NOON))
    with time_machine.travel(at(40), tick=False):
        deliver_now(failed(stripe, "1", 1))
        assert tenant.config.grace_period_end_at == at(43)
        soon: dict[str, Any] = {"organization_id": None, "include_demo": False}
        # Told a moment ago: the reminder comes a day later.
        assert remind_before_grace_ends(console_context(), now=at(40), **soon) == 0
        assert remind_before_grace_ends(console_context(), now=at(42), **soon) == 1
        assert end_due_grace_periods(console_context(), now=at(42), **soon)["ended"] == 0
        assert end_due_grace_periods(console_context(), now=at(43), **soon)["ended"] == 1
    by_subject = {mail["subject"].partition(":")[0]: mail["text"] for mail in mails(tenant)}
    assert "until 14 May 2026" in by_subject["A payment failed"]
    assert "On 14 May 2026" in by_subject["1 day left to pay the open invoice"]
    assert len(by_subject) == 3


def test_unlocking_ends_in_what_the_invoices_say_and_names_them() -> None:
    tenant = make_tenant()
    stripe = Stripe(tenant)
    deliver(stripe.checkout(NOON), failed(stripe, "1", 0))
    staff_do(tenant, Lock(), 1)
    tell = describe_open_invoices(WorkspaceId(tenant.workspace.pk))
    staff_do(tenant, Unlock(), 20)
    # Told on the first day: nothing is left of the grace period, and only this very invoice brings service back.
    assert (tenant.status, GraceAnchor.objects.get().anchored_at) == ("disabled", NOON)
    assert tell() == [
        f"Still open: {stripe.prefix}-1 (49.00 EUR, failed on 1 April 2026). To let one go, use Forgive an invoice."
    ]
    deliver(stripe.event("invoice.paid", stripe.invoice("2", "paid"), at(21)))
    assert tenant.status == "disabled"
    deliver(stripe.event("invoice.paid", stripe.invoice("1", "paid"), at(22)))
    assert tenant.status == "okay"
    staff_do(tenant, Lock(), 23)
    staff_do(tenant, Unlock(), 24)
    assert tenant.status == "okay"


def test_unlocking_gives_three_days_for_what_nobody_was_told_of() -> None:
    tenant = make_tenant()
    stripe = Stripe(tenant)
    deliver(stripe.checkout(NOON))
    staff_do(tenant, Lock(), 1)
    deliver(failed(stripe, "1", 2))
    assert tenant.status == "locked"
    staff_do(tenant, Unlock(), 30)
    assert (tenant.status, tenant.config.grace_period_end_at) == ("grace_period", at(33))


def test_forgiving_an_invoice_settles_the_status_and_is_audited() -> None:
    tenant = make_tenant()
    stripe = Stripe(tenant)
    deliver(stripe.checkout(NOON), failed(stripe, "1", 0), failed(stripe, "2", 1))
    rows = list(ProviderInvoice.objects.filter(organization=tenant.organization).order_by("external_id"))

    def forgive(row: ProviderInvoice) -> None:
        with time_machine.travel(at(2), tick=False):
            invoice_forgive(staff_context(), organization_id=tenant.organization_id, invoice_id=row.pk, reason=REASON)

    forgive(rows[0])
    assert (tenant.status, tenant.config.grace_period_end_at) == ("grace_period", at(15))
    forgive(rows[1])
    assert tenant.status == "okay"
    entries = AuditEntry.objects.filter(event="invoice.forgiven", organization_id=tenant.organization.pk)
    assert {entry.reason for entry in entries} == {REASON}
    before = tenant.config.version, entries.count()
    with pytest.raises(ConflictError, match="does not count"):
        forgive(rows[1])
    assert (tenant.config.version, entries.count()) == before
    # Staff's word stays: another try of the provider starts nothing.
    deliver(failed(stripe, "1", 3))
    assert tenant.status == "okay"


def test_a_lock_tells_what_was_switched_off_and_a_late_payment_is_asked_about() -> None:
    tenant = make_tenant()
    stripe = Stripe(tenant)
    deliver(stripe.checkout(NOON))
    for name in ("Sheets", "Cloud {costs}"):
        Connector.objects.create(workspace=tenant.workspace, provider="demo", name=name, status="enabled")
    deliver(
        stripe.event("invoice.marked_uncollectible", stripe.invoice("1", "uncollectible"), NOON + DAY),
    )
    [mail] = mails(tenant)
    for words in ("is locked", "We switched off Cloud {costs} (", ", Sheets (", "contact our billing team"):
        assert words in mail["text"]
    paid = stripe.invoice("1", "paid", status_transitions={"paid_at": seconds(at(3))})
    deliver(stripe.event("invoice.paid", paid, at(3)))
    assert tenant.status == "locked"
    review = Review.objects.get(organization=tenant.organization)
    assert f"{stripe.prefix}-1 (49.00 EUR, paid on 4 April 2026)" in review.sentence
    staff_do(tenant, Unlock(), 4)
    assert (tenant.status, Review.objects.count()) == ("okay", 0)


def test_the_end_of_all_subscriptions_is_told_once() -> None:
    tenant = make_tenant()
    stripe = Stripe(tenant)
    nameless: dict[str, Any] = {"metadata": {}}
    deliver(
        stripe.checkout(NOON),
        stripe.event("customer.subscription.created", stripe.subscription("active", **nameless), NOON),
    )
    Connector.objects.create(workspace=tenant.workspace, provider="demo", name="Sheets", status="enabled")
    gone = stripe.subscription("canceled", **nameless)
    deliver(stripe.event("customer.subscription.deleted", gone, at(2)))
    deliver(stripe.event("customer.subscription.updated", gone, at(3)))
    [mail] = mails(tenant)
    assert mail["subject"].startswith("Your connectors are switched off")
    assert "The subscription of Northwind has ended." in mail["text"]
