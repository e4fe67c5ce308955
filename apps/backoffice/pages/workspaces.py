"""Workspaces: the list, and the page where staff change subscriptions (spec 08)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, ClassVar, cast
from uuid import UUID

from django.contrib.admin import display
from django.core.paginator import Paginator
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from apps.backoffice.cells import NOTHING, badge, moment, page_url, record_link, title_and_slug
from apps.backoffice.filters import StaffFilter, choice_filter, flag_filter, of_customers, organization_filter
from apps.backoffice.list_files import FileColumns
from apps.backoffice.paginator import BoundedPaginator, SortingPaginator
from apps.backoffice.panels import Fact
from apps.backoffice.staff import require_may
from apps.backoffice.staff_admin import StaffAdmin
from apps.backoffice.verbs import Verb
from apps.backoffice.workspace.labels import lifecycle_badge
from apps.backoffice.workspace.page import page_context
from apps.backoffice.workspace.subject import WorkspaceSubject, subject_now
from apps.backoffice.workspace.verbs import VERBS
from apps.backoffice.workspace.why import why_page
from apps.connectors.enums import ConnectorStatus
from apps.connectors.models import Connector
from apps.connectors.models.connectors import NEEDS_A_PERSON
from apps.core import clock
from apps.core.enums import LifecycleState
from apps.core.ids import WorkspaceId
from apps.payments.enums import ReviewKind
from apps.payments.selectors.reviews import has_review
from apps.subscriptions.enums import ManagedBy, PendingChangeStatus
from apps.subscriptions.messages import STATE_WORDS
from apps.subscriptions.models import PendingChange
from apps.subscriptions.selectors.filters import has_due_change, in_grace_period, needs_review, with_lifecycle
from apps.subscriptions.selectors.lifecycle import workspace_lifecycles
from apps.tenants.models import Workspace

WHY_OPERATION = "decisions.read"


def has_auto_disabled() -> Q:
    """Workspaces in which a connector was switched off, but for those of closed organizations, as on the dashboard."""
    # By its key and not by EXISTS: a partial index has these connectors, and they are few.
    off = Connector.objects.filter(NEEDS_A_PERSON, status=ConnectorStatus.AUTO_DISABLED)
    return Q(pk__in=off.values("workspace"))


class LifecycleFilter(StaffFilter):
    """Filters by lifecycle state with the resolver compiled to SQL."""

    title = "lifecycle"
    parameters = ("lifecycle",)
    input_type = "select"

    def options(self) -> Sequence[tuple[str, str]]:
        return [(state.value, words.label) for state, words in STATE_WORDS.items()]

    def condition(self) -> Q | None:
        return Q(lifecycle=self.value()) if self.value() in LifecycleState.values else None

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return super().queryset(request, with_lifecycle(queryset) if self.value() else queryset)


class AskedFilter(StaffFilter):
    """Filters by what the providers' news ask."""

    title = "question"
    parameters = ("asked",)
    input_type = "select"

    def options(self) -> Sequence[tuple[str, str]]:
        return ReviewKind.choices

    def condition(self) -> Q | None:
        return has_review(kind=self.value()) if self.value() in ReviewKind.values else None


def moment_filter(name: str, heading: str, condition_at: Callable[[datetime], Q]) -> type[StaffFilter]:
    """A filter whose condition depends on the current time."""

    class MomentFilter(StaffFilter):
        title = heading
        parameters = (name,)
        input_type = "select"

        def options(self) -> Sequence[tuple[str, str]]:
            return (("yes", "Yes"),)

        def condition(self) -> Q | None:
            return condition_at(clock.now()) if self.value() == "yes" else None

    return MomentFilter


class WorkspaceAdmin(StaffAdmin[Workspace]):
    """Workspaces, which have a subscription and connectors."""

    operation = "workspaces.read"
    icon = "workspaces"
    heading = "Workspaces"
    about = "Each workspace with its subscription and what it may do now."
    ordering = ("slug",)
    list_display = ("named", "lifecycle", "grace_end", "plan", "attention", "customer")
    sortable_by = ("named",)
    listed = of_customers("organization_id")
    file_columns: ClassVar[FileColumns] = {
        "organization": lambda row: row.organization.name,
        "workspace": lambda row: row.name,
        "slug": lambda row: row.slug,
        "lifecycle": lambda row: STATE_WORDS[row.decision.state].label if row.decision else "",
        "grace ends (UTC)": lambda row: row.grace_ends_at,
        "plan": lambda row: row.subscription.plan.name if hasattr(row, "subscription") else "",
        "subscription": lambda row: row.subscription.get_state_display() if hasattr(row, "subscription") else "",
        "managed by": lambda row: row.subscription.get_managed_by_display() if hasattr(row, "subscription") else "",
        "needs review": lambda row: bool(row.is_asked or (row.decision and row.decision.needs_review)),
        "change due": lambda row: row.has_due_change,
        "demo": lambda row: row.organization.is_demo,
        "created (UTC)": lambda row: row.created_at,
        "id": lambda row: row.pk,
    }
    list_filter = (
        LifecycleFilter,
        moment_filter("review", "needs review", lambda moment: needs_review(moment) | has_review()),
        AskedFilter,
        flag_filter("grace", "payments in a grace period", in_grace_period()),
        moment_filter("due", "scheduled change is due", has_due_change),
        choice_filter("managed_by", "managed by", lambda: ManagedBy.choices, field="subscription__managed_by"),
        organization_filter("organization_id"),
        flag_filter("auto_disabled", "auto-disabled connectors", has_auto_disabled()),
        flag_filter("overlay", "manual overlay", ~Q(manual_lifecycle_state="")),
        flag_filter("demo", "of a demo organization", Q(organization__is_demo=True)),
    )
    search_ids = ("pk", "organization_id")
    search_prefixes = ("slug",)
    search_names = ("name",)
    search_help_text = "Id, slug or beginning of the name"
    verbs: ClassVar[Sequence[Verb]] = tuple(VERBS.values())

    def get_queryset(self, request: HttpRequest) -> QuerySet[Workspace]:
        due = PendingChange.objects.filter(
            workspace=OuterRef("pk"), status=PendingChangeStatus.OPEN, due_at__lte=clock.now()
        )
        return (
            super()
            .get_queryset(request)
            .select_related("organization", "subscription__plan")
            .annotate(
                has_due_change=Exists(due),
                is_asked=has_review(),
                grace_ends_at=F("organization__payment_config__grace_period_end_at"),
            )
        )

    def get_paginator(self, request: HttpRequest, *args: Any, **options: Any) -> Paginator[Any]:
        chosen = SortingPaginator if request.GET.get("lifecycle") else BoundedPaginator
        return cast("Paginator[Any]", chosen(*args, **options))

    def prepare_rows(self, rows: list[Any]) -> list[Any]:
        """Resolve the lifecycles of all rows at once."""
        decisions = workspace_lifecycles(WorkspaceId(row.pk) for row in rows)
        for row in rows:
            row.decision = decisions.get(WorkspaceId(row.pk))
        return rows

    def title_of(self, record: Workspace) -> str:
        return f"{record.organization.name} · {record.name}"

    # --- The list --------------------------------------------------------------------------------------------------
    @display(description="Workspace", ordering="slug")
    def named(self, record: Workspace) -> SafeString:
        """The customer first: many workspaces are called "Production"."""
        return title_and_slug(record.organization.name, f"{record.name} · {record.slug}")

    @display(description="Customer")
    def customer(self, record: Workspace) -> SafeString:
        return record_link(record.organization, "Open")

    @display(description="Grace ends")
    def grace_end(self, record: Any) -> SafeString:
        return moment(record.grace_ends_at)

    @display(description="Lifecycle")
    def lifecycle(self, record: Any) -> SafeString:
        return lifecycle_badge(record.decision.state) if record.decision else NOTHING

    @display(description="Plan")
    def plan(self, record: Workspace) -> SafeString:
        held = getattr(record, "subscription", None)
        if held is None:
            return NOTHING
        return title_and_slug(held.plan.name, f"{held.get_state_display()}, by {held.get_managed_by_display()}")

    @display(description="Attention")
    def attention(self, record: Any) -> SafeString:
        is_dated = record.decision and record.decision.needs_review
        shown = [badge("Needs review", "warn")] if is_dated or record.is_asked else []
        if record.has_due_change:
            shown.append(badge("Change is due", "warn"))
        if record.manual_lifecycle_state:
            shown.append(badge("Overlay", "info"))
        if record.organization.is_demo:
            shown.append(badge("Demo", "info"))
        return SafeString(" ".join(shown)) if shown else NOTHING

    # --- The page --------------------------------------------------------------------------------------------------
    def verb_target(self, record: Workspace) -> WorkspaceSubject:
        return subject_now(record)

    def badges(self, record: Workspace) -> list[Any]:
        return [badge("Demo", "info")] if record.organization.is_demo else []

    def facts(self, record: Workspace) -> list[Fact]:
        return []

    def further_routes(self) -> dict[str, str]:
        return {f"{self.route_prefix}_why": WHY_OPERATION}

    def get_urls(self) -> list[URLPattern]:
        why = self.admin_site.admin_view(require_safe(self.why))
        return [path("<uuid:object_id>/why/", why, name=f"{self.route_prefix}_why"), *super().get_urls()]

    def page(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """Show the workspace page with its sections and the verbs that are possible now."""
        require_may(request, self.operation)
        record = self.record_or_404(request, object_id)
        context = {
            **self._base(request),
            "title": self.title_of(record),
            "original": record,
            "original_url": page_url(record),
            "organization_url": page_url(record.organization),
            "badges": self.badges(record),
            **page_context(request, record),
        }
        return TemplateResponse(request, "backoffice/workspace/page.html", context)

    def why(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """Show whether a person may do an operation here, and why."""
        require_may(request, WHY_OPERATION)
        return why_page(request, self.record_or_404(request, object_id), self._base(request))

    def _base(self, request: HttpRequest) -> dict[str, Any]:
        request.current_app = self.admin_site.name
        return {**self.admin_site.each_context(request), "opts": self.opts, "page": self}
