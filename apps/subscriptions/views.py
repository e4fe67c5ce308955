"""The Settings page of a workspace (spec 08)."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, ClassVar, NamedTuple

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from apps.core.errors import UnprocessableError
from apps.core.ids import WorkspaceId
from apps.core.moments import zone_of
from apps.core.operations import OPERATIONS
from apps.subscriptions.commercial_facts import Calendar, allowance_lines, payment_facts, subscription_facts
from apps.subscriptions.messages import words_of
from apps.subscriptions.rules.lifecycle import resolve
from apps.subscriptions.selectors.lifecycle import workspace_facts
from apps.subscriptions.selectors.records import payment_config_of, workspace_subscription_of
from apps.tenants.forms import BillingEmailForm, TimeZoneForm
from apps.tenants.pages import BillingPage
from apps.tenants.services import billing_email_change, organization_settings_change


class PageBelow(NamedTuple):
    """A page below Settings that an app above brings, and for whom its link is."""

    url_name: str
    operation: str
    label: str


_MAILS = (
    PageBelow("billing-notices", "notices.change", "Who gets mails about payments and connectors"),
    PageBelow("billing-report-recipients", "daily_reports.recipients", "Who gets the daily report"),
    PageBelow("billing-balance-alerts", "balance_alerts.change", "When to warn that credits run low, and whom"),
)
# What holds is for everybody who sees Settings.
_CREDITS = (PageBelow("billing-credit-stop", "settings.read", "Whether connectors stop when credits run out"),)


class SettingsPage(BillingPage):
    """Changes no commercial truth: what a workspace has bought is changed by staff and by providers alone."""

    operations: ClassVar[dict[str, str]] = {"GET": "settings.read", "POST": "settings.change"}
    page = "settings"

    def get(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """The facts, with the forms for those who may use them."""
        return self.show()

    def post(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """Set the time zone; a value that can't be comes back with the form and a sentence."""
        form = TimeZoneForm(request.POST, current=self.workspace.organization.time_zone)
        if not form.is_valid():
            return self.show(form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
        try:
            organization = organization_settings_change(
                self.execution_context, organization_id=self.organization_id, time_zone=form.cleaned_data["time_zone"]
            )
        except UnprocessableError as refusal:
            form.add_error("time_zone", refusal.detail)
            return self.show(form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
        zone = organization.time_zone.replace("_", " ")
        messages.success(request, f"Saved. The time zone is {zone}. Usage follows within a few minutes.")
        return HttpResponseRedirect(reverse("billing-settings", args=[workspace_slug]))

    def show(
        self,
        form: TimeZoneForm | None = None,
        billing_form: BillingEmailForm | None = None,
        status: int = HTTPStatus.OK,
    ) -> HttpResponse:
        """The page; forms that were sent come back with what is wrong with them."""
        organization = self.workspace.organization
        if form is None and self.may("settings.change"):
            form = TimeZoneForm(current=organization.time_zone)
        if billing_form is None and self.may("billing_email.change"):
            billing_form = BillingEmailForm(initial={"billing_email": organization.billing_email})
        forms = {"form": form, "billing_form": billing_form}
        below = {"mails": self._links(_MAILS), "credit_links": self._links(_CREDITS)}
        facts = {**self._commercial_facts(), **forms, **below}
        return self.render("subscriptions/settings.html", facts, title="Settings", status=status)

    def _links(self, pages: Sequence[PageBelow]) -> list[tuple[str, str]]:
        """Address and label of those that the person may open."""
        slug = self.workspace.slug
        present = [page for page in pages if page.operation in OPERATIONS and self.may(page.operation)]
        return [(reverse(page.url_name, args=[slug]), page.label) for page in present]

    def _commercial_facts(self) -> dict[str, Any]:
        workspace_id, zone = WorkspaceId(self.workspace.pk), zone_of(self.workspace.organization.time_zone)
        facts = workspace_facts(workspace_id)
        decision, calendar = resolve(facts), Calendar(facts.at, zone)
        record = workspace_subscription_of(workspace_id)
        config = payment_config_of(self.organization_id)
        return {
            "words": words_of(facts, decision, zone=zone),
            "state": decision.state.value,
            "allowances": allowance_lines(decision),
            "subscription": subscription_facts(record, calendar) if record else [],
            "payment": payment_facts(config, calendar) if config else [],
        }


class BillingEmailPage(SettingsPage):
    """Where invoices are sent, by its form on the Settings page."""

    operations: ClassVar[dict[str, str]] = {"POST": "billing_email.change"}

    def post(self, request: HttpRequest, workspace_slug: str) -> HttpResponse:
        """Set the address; what is none comes back with the form and a sentence."""
        form = BillingEmailForm(request.POST)
        if form.is_valid():
            try:
                organization = billing_email_change(
                    self.execution_context,
                    organization_id=self.organization_id,
                    billing_email=form.cleaned_data["billing_email"],
                )
            except UnprocessableError as refusal:
                form.add_error("billing_email", refusal.detail)
            else:
                whom = organization.billing_email or "an owner"
                messages.success(request, f"Saved. Invoices and receipts go to {whom}.")
                return HttpResponseRedirect(reverse("billing-settings", args=[workspace_slug]))
        return self.show(billing_form=form, status=HTTPStatus.UNPROCESSABLE_ENTITY)
