"""Workspaces."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import display
from django.db.models import Q
from django.http import HttpRequest
from django.utils.safestring import SafeString

from apps.backoffice.display import NOTHING, badge, code, moment, record_link, title_and_slug
from apps.backoffice.filters import flag_filter, organization_filter
from apps.backoffice.pages.evidence import changes_of_target
from apps.backoffice.panels import Fact, Panel
from apps.backoffice.staff_admin import StaffAdmin
from apps.tenants.models import Workspace


class WorkspaceAdmin(StaffAdmin[Workspace]):
    """What an organization works in, and what subscriptions and connectors belong to."""

    operation = "workspaces.read"
    icon = "workspaces"
    heading = "Workspaces"
    about = "Where organizations work. Subscriptions and connectors belong to a workspace."
    ordering = ("slug",)
    list_select_related = ("organization",)
    list_display = ("named", "owner", "overlay", "created")
    list_filter = (
        organization_filter("organization_id"),
        flag_filter("overlay", "manual overlay", ~Q(manual_lifecycle_state="")),
        flag_filter("demo", "of a demo organization", Q(organization__is_demo=True)),
    )
    search_ids = ("pk", "organization_id")
    search_prefixes = ("slug",)
    search_names = ("name",)
    search_help_text = "Id, slug or beginning of the name"

    @display(description="Workspace")
    def named(self, record: Workspace) -> SafeString:
        return title_and_slug(record.name, record.slug)

    @display(description="Organization")
    def owner(self, record: Workspace) -> SafeString:
        return record_link(record.organization)

    @display(description="Manual overlay")
    def overlay(self, record: Workspace) -> SafeString:
        return badge(record.get_manual_lifecycle_state_display(), "warn") if record.manual_lifecycle_state else NOTHING

    @display(description="Created")
    def created(self, record: Workspace) -> SafeString:
        return moment(record.created_at)

    def badges(self, record: Workspace) -> list[Any]:
        shown = [badge("Demo", "info")] if record.organization.is_demo else []
        return [*shown, self.overlay(record)] if record.manual_lifecycle_state else shown

    def facts(self, record: Workspace) -> list[Fact]:
        overlay = record.get_manual_lifecycle_state_display() or "None"
        return [
            Fact("Organization", record_link(record.organization)),
            Fact("Id", code(record.pk)),
            Fact("Slug", code(record.slug)),
            Fact("Manual lifecycle overlay", overlay, "Counts only where there is no subscription record."),
            Fact("Reason of the overlay", record.manual_lifecycle_reason or NOTHING),
            Fact("Created", moment(record.created_at)),
        ]

    def panels(self, request: HttpRequest, record: Workspace) -> list[Panel]:
        return changes_of_target(request, "workspace", record.pk)
