"""The Invoices page of a workspace, and its redirects to Stripe's own pages (spec 04; spec 08, Billing pages)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, ClassVar
from uuid import UUID

from csp.decorators import csp_update
from django.conf import settings
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator

from apps.core import clock
from apps.core.errors import ConflictError, UnavailableError, UnprocessableError
from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.moments import in_zone, zone_of
from apps.payments.credit_stop_page import CreditStopPage
from apps.payments.enums import InvoiceStatus
from apps.payments.models import ProviderInvoice
from apps.payments.selectors.dues import organization_dues, provider_link, show_money
from apps.payments.services.checkout import checkout_obstacle, checkout_start, may_subscribe, portal_open
from apps.subscriptions.messages import day, days_from
from apps.subscriptions.models import Plan
from apps.subscriptions.selectors.records import payment_config_of
from apps.tenants.pages import BillingPage

PAGE = 24
_DONE = "Thank you. This page is updated as soon as Stripe confirms, within a minute."
# Where a form of this page may lead: the browser judges the redirect by the page's own policy.
_STRIPE_PAGES = ("https://checkout.stripe.com", "https://billing.stripe.com")


def payment_pages() -> list[str]:
    """Where Stripe's pages stand: at its own hosts, or at those of a domain of ours."""
    return [*_STRIPE_PAGES, *(f"https://{host}" for host in settings.STRIPE_CHECKOUT_HOSTS)]


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One invoice as the page shows it; addresses are the provider's own and https, or empty."""

    number: str
    status: str
    status_text: str
    total: str
    remaining: str
    issued: str
    due: str
    due_note: str
    hosted_url: str
    pdf_url: str


@dataclass(frozen=True, slots=True)
class GraceNotice:
    """The grace period that runs: how long still, and until when."""

    left: str
    end: datetime
    end_text: str


@method_decorator(csp_update({"form-action": payment_pages()}), name="dispatch")
class InvoicesPage(BillingPage):
    """The invoices, what is unpaid, and how to pay. Nothing is shown that does not work here."""

    operations: ClassVar[dict[str, str]] = {"GET": "invoices.read"}
    page = "invoices"

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """The invoices, newest first."""
        if "checkout" in request.GET:
            messages.success(request, _DONE)
            return HttpResponseRedirect(reverse("billing-invoices", args=[workspace_slug]))
        number = _page_number(request)
        found = list(_invoices_of(self.organization_id)[(number - 1) * PAGE : number * PAGE + 1])
        zone, now = zone_of(self.workspace.organization.time_zone), clock.now()
        obstacle = checkout_obstacle(self.execution_context, self.organization_id)
        facts = {
            "invoices": [_line(invoice, zone, now) for invoice in found[:PAGE]],
            "newer": number - 1,
            "older": number + 1 if len(found) > PAGE else 0,
            "grace": self._grace(zone, now),
            "dues": organization_dues(self.organization_id),
            "obstacle": obstacle,
            "may_pay": self.may("checkout.start"),
            "attempt": uuid.uuid4(),
            "plans": [] if obstacle or not self.may("checkout.start") else self._plans(),
        }
        return self.render("payments/invoices.html", facts, title="Invoices")

    def _grace(self, zone: tzinfo, now: datetime) -> GraceNotice | None:
        config = payment_config_of(self.organization_id)
        end = config.grace_period_end_at if config else None
        return GraceNotice(_left(now, end, zone), end, day(end, zone)) if end else None

    def _plans(self) -> list[dict[str, str]]:
        """What the workspace may subscribe to; nothing while one runs, or in a closed organization."""
        if self.workspace.organization.closed_at is not None or not may_subscribe(WorkspaceId(self.workspace.pk)):
            return []
        plans = Plan.objects.filter(is_active=True).order_by("price_minor", "slug")
        return [
            {
                "slug": plan.slug,
                "text": f"{plan.name}, {show_money(plan.price_minor, plan.currency)} a "
                f"{plan.get_interval_display().lower()}",
            }
            for plan in plans
        ]


class _StripeRedirect(BillingPage):
    """A POST that redirects to a page of Stripe, or back to the invoices with an error message."""

    operations: ClassVar[dict[str, str]] = {"POST": "checkout.start"}
    page = "invoices"

    def post(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """Redirect to the page that `open` returns."""
        invoices = reverse("billing-invoices", args=[workspace_slug])
        try:
            address = self.open(request, attempt=_attempt(request), return_url=request.build_absolute_uri(invoices))
        except (ConflictError, UnavailableError, UnprocessableError) as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(invoices)
        return HttpResponse(status=303, headers={"Location": address})

    def open(self, request: HttpRequest, *, attempt: UUID, return_url: str) -> str:
        """The address of Stripe's page."""
        raise NotImplementedError


class CheckoutRedirect(_StripeRedirect):
    """Redirects to Stripe's checkout."""

    def open(self, request: HttpRequest, *, attempt: UUID, return_url: str) -> str:
        """Start a Checkout session."""
        return checkout_start(
            self.execution_context,
            organization_id=self.organization_id,
            workspace_id=WorkspaceId(self.workspace.pk),
            attempt=attempt,
            return_url=return_url,
            plan_slug=request.POST.get("plan", "")[:80],
        )


class PortalRedirect(_StripeRedirect):
    """Redirects to Stripe's customer portal."""

    def open(self, request: HttpRequest, *, attempt: UUID, return_url: str) -> str:
        """Open the customer portal."""
        return portal_open(
            self.execution_context, organization_id=self.organization_id, attempt=attempt, return_url=return_url
        )


def _attempt(request: HttpRequest) -> UUID:
    """The id that was made with the form; a fresh one where a form without it comes."""
    try:
        return UUID(request.POST.get("attempt", ""))
    except ValueError:
        return uuid.uuid4()


def _page_number(request: HttpRequest) -> int:
    text = request.GET.get("page", "1")
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) <= 4 else 1  # noqa: PLR2004


def _left(now: datetime, end: datetime, zone: tzinfo) -> str:
    if end <= now:
        return "The payment deadline has passed"
    days = (in_zone(end, zone).date() - in_zone(now, zone).date()).days
    return (
        "Today is the last day to pay" if days < 1 else "1 day left to pay" if days == 1 else f"{days} days left to pay"
    )


def _invoices_of(organization_id: OrganizationId) -> QuerySet[ProviderInvoice]:
    """The organization's invoices, newest first; drafts are the provider's own affair."""
    issued = ProviderInvoice.objects.filter(organization=organization_id).exclude(status=InvoiceStatus.DRAFT)
    return issued.order_by("-issued_at", "pk")


def _line(invoice: ProviderInvoice, zone: tzinfo, now: datetime) -> InvoiceLine:
    # Stripe leaves the amount remaining on an invoice that was voided: only an open one asks for money.
    is_owed = invoice.status == InvoiceStatus.OPEN and invoice.forgiven_at is None
    remaining = invoice.amount_remaining_minor if is_owed else 0
    late = _why_late(invoice, now)
    return InvoiceLine(
        number=invoice.number or "Invoice",
        status="failed" if late else invoice.status,
        status_text=late or invoice.get_status_display(),
        total=show_money(invoice.total_minor, invoice.currency),
        remaining=show_money(remaining, invoice.currency) if remaining else "",
        issued=day(invoice.issued_at, zone) if invoice.issued_at else "",
        due=day(invoice.due_at, zone) if invoice.due_at else "",
        due_note=days_from(now, invoice.due_at, zone) if invoice.due_at and remaining else "",
        hosted_url=provider_link(invoice.hosted_invoice_url),
        pdf_url=provider_link(invoice.invoice_pdf),
    )


def _why_late(invoice: ProviderInvoice, now: datetime) -> str:
    """Why an open invoice needs somebody to act, in two words; empty where it doesn't."""
    if invoice.status != InvoiceStatus.OPEN or invoice.forgiven_at is not None:
        return ""
    if invoice.failed_at is not None:
        return "Payment failed"
    return "Overdue" if invoice.due_at is not None and invoice.due_at <= now else ""


def billing_routes() -> list[tuple[str, Any, str]]:
    """Below the address of a workspace: path, page, name."""
    return [
        ("invoices/", InvoicesPage, "billing-invoices"),
        ("invoices/checkout/", CheckoutRedirect, "billing-checkout"),
        ("invoices/portal/", PortalRedirect, "billing-portal"),
        ("settings/credit-stop/", CreditStopPage, "billing-credit-stop"),
    ]
