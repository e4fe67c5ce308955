"""Impersonations: the verb that begins one, and what was looked at as whom."""

from __future__ import annotations

from typing import Any, cast

from django import forms
from django.contrib.admin import display
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminSelectWidget

from apps.backoffice.cells import NOTHING, badge, code, list_url, moment, number, record_link, short, title_and_slug
from apps.backoffice.filters import days_filter, organization_filter, person_filter
from apps.backoffice.panels import Fact, Panel, panel_of
from apps.backoffice.staff_admin import StaffAdmin
from apps.backoffice.verbs import ReasonForm, Verb, WayOn
from apps.core import clock
from apps.core.audit import event_label
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId, UserId
from apps.core.models import AuditEntry
from apps.tenants.enums import ImpersonationEnd
from apps.tenants.impersonation_rules import Chosen, refuse_chosen
from apps.tenants.models import Impersonation, Membership, Workspace
from apps.tenants.services import impersonation_start
from apps.tenants.services.impersonations import START
from apps.tenants.sign_in.impersonation import enter


class ViewAsForm(ReasonForm):
    """Where to begin: the other workspaces of the organization are one click away."""

    workspace = forms.ChoiceField(widget=UnfoldAdminSelectWidget())

    def prepare(self) -> None:
        """The organization's workspaces, the first one chosen."""
        rows = Workspace.objects.filter(organization=self.record.organization_id).order_by("name", "pk")
        field = cast("forms.ChoiceField", self.fields["workspace"])
        field.choices = [(row.slug, f"{row.name} ({row.slug})") for row in rows]


def _refusal(membership: Membership) -> str:
    user = membership.user
    refusal = refuse_chosen(Chosen(is_member=True, is_active=user.is_active, is_staff=user.is_staff))
    if refusal:
        return refusal
    has_pages = Workspace.objects.filter(organization=membership.organization_id).exists()
    return "" if has_pages else "This organization has no workspace, so that there are no pages to view."


def _start(context: ExecutionContext, membership: Membership, form: ViewAsForm) -> WayOn:
    begun = impersonation_start(
        context,
        organization_id=OrganizationId(membership.organization_id),
        user_id=UserId(membership.user_id),
        reason=form.cleaned_data["reason"],
    )
    url = reverse("billing-workspace", args=[form.cleaned_data["workspace"]])
    return WayOn(url, lambda request: enter(request, begun))


VIEW_AS = Verb(
    name="view_as",
    label="View as member",
    description="Opens this organization's pages as this member sees them: for 60 minutes, read-only, with a bar that "
    "says so. Every page that you open is kept in the audit log.",
    submit="Open the pages",
    operation=START,
    icon="visibility",
    form_class=ViewAsForm,
    refusal=_refusal,
    run=_start,
    organization_of=lambda membership, form: membership.organization,
    eyebrow=lambda membership: f"{membership.user.name or membership.user.email} in {membership.organization.name}",
)


class ImpersonationAdmin(StaffAdmin[Impersonation]):
    """Who of the staff looked at an organization's pages, as whom and why. Nothing here can be changed."""

    operation = "audit.read"
    icon = "visibility"
    heading = "Impersonations"
    about = "When staff viewed an organization's pages as one of its members, newest first. Read-only, 60 minutes each."
    ordering = ("-started_at",)
    list_select_related = ("staff", "member", "organization")
    list_display = ("when", "who", "as_whom", "tenant", "views", "state", "why")
    list_filter = (
        organization_filter("organization_id"),
        person_filter("staff"),
        days_filter("started_at", "started"),
    )
    search_ids = ("pk", "organization_id", "staff_id", "member_id")
    search_help_text = "Id of an impersonation, organization, member or colleague"

    @display(description="Started")
    def when(self, record: Impersonation) -> SafeString:
        return moment(record.started_at)

    @display(description="Who")
    def who(self, record: Impersonation) -> SafeString:
        return title_and_slug(record.staff.name or record.staff.email, record.staff.email)

    @display(description="As")
    def as_whom(self, record: Impersonation) -> SafeString:
        return record_link(record.member)

    @display(description="Organization")
    def tenant(self, record: Impersonation) -> SafeString:
        return record_link(record.organization)

    @display(description="Pages")
    def views(self, record: Impersonation) -> str:
        return number(record.page_views)

    @display(description="State")
    def state(self, record: Impersonation) -> SafeString:
        if record.end:
            return badge(ImpersonationEnd(record.end).label)
        if clock.real_now() >= record.ends_at:
            return badge(ImpersonationEnd.EXPIRED.label)
        return badge("Running", "info")

    @display(description="Reason")
    def why(self, record: Impersonation) -> SafeString:
        return short(record.reason, 60)

    def title_of(self, record: Impersonation) -> str:
        return f"{record.staff.name or record.staff.email} as {record.member.name or record.member.email}"

    def badges(self, record: Impersonation) -> list[Any]:
        return [self.state(record)]

    def facts(self, record: Impersonation) -> list[Fact]:
        return [
            Fact("Who", record_link(record.staff)),
            Fact("As", record_link(record.member)),
            Fact("Organization", self.tenant(record)),
            Fact("Reason", record.reason),
            Fact("Started", moment(record.started_at)),
            Fact("Ends", moment(record.ends_at), "At the latest: 60 minutes after the start."),
            Fact("Ended", moment(record.ended_at) if record.ended_at else NOTHING),
            Fact("Pages", number(record.page_views), "The same page again within a minute counts once."),
            Fact("Id", code(record.pk)),
        ]

    def panels(self, request: HttpRequest, record: Impersonation) -> list[Panel]:
        """What was opened and what was refused, as the audit log has it."""
        entries = AuditEntry.objects.filter(target_type="impersonation", target_id=str(record.pk))
        return [
            panel_of(
                "Pages and refusals",
                ("When", "What", "Page"),
                entries.order_by("-recorded_at"),
                lambda entry: (
                    moment(entry.recorded_at),
                    record_link(entry, event_label(entry.event)),
                    code(entry.after.get("path", "")),
                ),
                empty="No page was opened.",
                link=list_url(AuditEntry, target=record.pk),
                icon="history",
            )
        ]
