"""Payments: what failed and what came back, who is in grace, and what is owed (spec 07, Daily report)."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from apps.core import clock
from apps.payments.enums import BillingEventName, InvoiceStatus
from apps.payments.models import BillingEvent, ProviderDispute, ProviderInvoice
from apps.reporting.rules.document import Group, Line, ReportScope, Section, Unit, Window
from apps.reporting.sections.links import audit_link, page_link, staff_link
from apps.reporting.sections.registry import section
from apps.reporting.sections.scoping import day_of_zone, list_group, name_of, within
from apps.reporting.selectors.news import audit_counts
from apps.subscriptions.events import GRACE_ENDED, GRACE_STARTED, PAYMENT_LOCKED, PAYMENT_OKAY, PAYMENT_UNLOCKED
from apps.subscriptions.models import OrganizationPaymentConfig

_DAY = timedelta(days=1)
# A provider sends an event again for some days; what comes later than this was never on its way.
_LATEST_NEWS = timedelta(days=60)
_CHANGES = (
    (GRACE_STARTED, "Grace periods started"),
    (PAYMENT_OKAY, "Recovered: in order again"),
    (GRACE_ENDED, "Grace periods that ended unpaid"),
    (PAYMENT_LOCKED, "Locked"),
    (PAYMENT_UNLOCKED, "Unlocked"),
)


@section("payments", order=20)
def read_payments(scope: ReportScope, day: date, window: Window) -> Section:
    """News of the window; grace periods, disputes and overdue invoices as they stand."""
    now = clock.now()
    return Section(
        "payments",
        "Payments",
        (_news(scope, window), _grace(scope, now), _disputes(scope, window), _overdue(scope, now)),
    )


def _news(scope: ReportScope, window: Window) -> Group:
    link = _invoices(scope)
    failed = BillingEvent.objects.filter(
        within(scope, "organization"),
        name=BillingEventName.INVOICE_FAILED,
        occurred_at__gte=window.start - _LATEST_NEWS,
        recorded_at__gte=window.start,
        recorded_at__lt=window.end,
    ).count()
    counts = audit_counts(scope, window, [event for event, _ in _CHANGES])
    lines = [Line("failed", "Failed payments", failed, link=link, is_alarm=failed > 0)]
    lines += [
        Line(
            event.name,
            label,
            counts[event.name],
            link=audit_link(scope, window, event.name),
            is_alarm=event is PAYMENT_LOCKED and counts[event.name] > 0,
        )
        for event, label in _CHANGES
    ]
    return Group("news", "In the day", tuple(lines))


def _grace(scope: ReportScope, now: datetime) -> Group:
    """Exactly those in a grace period have an end of one."""
    running = OrganizationPaymentConfig.objects.filter(
        within(scope, "organization"), grace_period_end_at__isnull=False
    ).select_related("organization")

    def line(config: OrganizationPaymentConfig) -> Line:
        ends_at = config.grace_period_end_at or now
        days = max((ends_at - now) // _DAY, 0)
        link = staff_link("tenants_organization", config.organization_id) if scope.is_platform else _invoices(scope)
        label = name_of(scope, config.organization) or "Days left to pay"
        note = f"ends on {day_of_zone(scope, ends_at)}"
        return Line(str(config.organization_id), label, days, Unit.DAYS, link=link, note=note, is_alarm=True)

    rows = running.order_by("grace_period_end_at", "pk")
    return list_group("grace", "Grace periods, with the days left", rows, line, empty="No grace period is running.")


def _disputes(scope: ReportScope, window: Window) -> Group:
    opened = ProviderDispute.objects.filter(
        within(scope, "organization"), created_at__gte=window.start, created_at__lt=window.end
    ).select_related("organization")
    link = staff_link("payments_providerdispute") if scope.is_platform else _invoices(scope)

    def line(dispute: ProviderDispute) -> Line:
        label = (name_of(scope, dispute.organization) if dispute.organization else "") or "Payment taken back"
        is_money = bool(dispute.currency)
        return Line(
            dispute.external_id,
            label,
            dispute.amount_minor if is_money else None,
            Unit.MONEY if is_money else Unit.COUNT,
            dispute.currency,
            link,
            dispute.reason,
            is_alarm=True,
        )

    return list_group("disputes", "Disputes opened", opened.order_by("created_at", "pk"), line, link=link)


def _overdue(scope: ReportScope, now: datetime) -> Group:
    overdue = ProviderInvoice.objects.filter(
        within(scope, "organization"),
        status=InvoiceStatus.OPEN,
        due_at__lt=now,
        deleted_at__isnull=True,
        forgiven_at__isnull=True,
    ).select_related("organization")
    link = _invoices(scope)

    def line(invoice: ProviderInvoice) -> Line:
        whose = name_of(scope, invoice.organization) if invoice.organization else ""
        label = ", ".join(part for part in (whose, f"Invoice {invoice.number or 'without a number'}") if part)
        days = (now - (invoice.due_at or now)) // _DAY
        is_money = bool(invoice.currency)
        return Line(
            invoice.external_id,
            label,
            invoice.amount_remaining_minor if is_money else None,
            Unit.MONEY if is_money else Unit.COUNT,
            invoice.currency,
            staff_link("payments_providerinvoice", invoice.pk) if scope.is_platform else link,
            f"due {days} {'day' if days == 1 else 'days'} ago",
            is_alarm=True,
        )

    rows = overdue.order_by("due_at", "pk")
    return list_group("overdue", "Overdue invoices", rows, line, link=link, empty="No invoice is overdue.")


def _invoices(scope: ReportScope) -> str:
    return staff_link("payments_providerinvoice") if scope.is_platform else page_link(scope, "billing-invoices")
