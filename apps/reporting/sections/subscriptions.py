"""Subscriptions: what started, changed and ended, and what waits for somebody's word (spec 07, Daily report)."""

from __future__ import annotations

from datetime import date, datetime

from apps.core import clock
from apps.payments.models import Review
from apps.reporting.rules.document import Group, Line, ReportScope, Section, Unit, Window
from apps.reporting.sections.links import audit_link, page_link, staff_link
from apps.reporting.sections.registry import section
from apps.reporting.sections.scoping import day_of_zone, list_group, name_of, within
from apps.reporting.selectors.news import audit_counts
from apps.subscriptions.enums import PendingChangeStatus
from apps.subscriptions.events import (
    CANCELLATION_SET,
    PENDING_CHANGE_APPLIED,
    PLAN_SWITCHED,
    SUBSCRIPTION_ACTIVATED,
    SUBSCRIPTION_ENDED,
    SUBSCRIPTION_PAST_DUE,
    SUBSCRIPTION_RESUMED,
    SUBSCRIPTION_SUSPENDED,
    TRIAL_STARTED,
)
from apps.subscriptions.models import PendingChange
from apps.subscriptions.selectors.filters import needs_review
from apps.tenants.models import Workspace

_NEWS = (
    (TRIAL_STARTED, "Trials started"),
    (SUBSCRIPTION_ACTIVATED, "Subscriptions started"),
    (PLAN_SWITCHED, "Plans changed"),
    (SUBSCRIPTION_PAST_DUE, "Marked past due"),
    (SUBSCRIPTION_SUSPENDED, "Suspended"),
    (SUBSCRIPTION_RESUMED, "Resumed"),
    (CANCELLATION_SET, "Cancellation set or unset"),
    (PENDING_CHANGE_APPLIED, "Scheduled changes applied"),
    (SUBSCRIPTION_ENDED, "Ended"),
)


@section("subscriptions", order=30)
def read_subscriptions(scope: ReportScope, day: date, window: Window) -> Section:
    """News of the window; what needs a person as it stands. What we ask ourselves is the platform's alone."""
    now = clock.now()
    counts = audit_counts(scope, window, [event for event, _ in _NEWS])
    news = tuple(
        Line(event.name, label, counts[event.name], link=audit_link(scope, window, event.name))
        for event, label in _NEWS
    )
    groups = [Group("news", "In the day", news), _past_their_end(scope, now), _due_changes(scope, now)]
    if scope.is_platform:
        groups.append(_reviews(scope, now))
    return Section("subscriptions", "Subscriptions", tuple(groups))


def _past_their_end(scope: ReportScope, now: datetime) -> Group:
    workspaces = Workspace.objects.filter(
        needs_review(now), within(scope, "organization"), organization__closed_at=None
    )

    def line(workspace: Workspace) -> Line:
        label = name_of(scope, workspace.organization, workspace)
        note = "Its period has passed, and nobody has said how it goes on."
        return Line(str(workspace.pk), label, 1, link=_workspace_link(scope, workspace), note=note, is_alarm=True)

    rows = workspaces.select_related("organization").order_by("pk")
    return list_group("needs_review", "Needs review", rows, line, empty="Nothing needs a review.")


def _due_changes(scope: ReportScope, now: datetime) -> Group:
    due = PendingChange.objects.filter(
        within(scope, "workspace__organization"), status=PendingChangeStatus.OPEN, due_at__lte=now
    ).select_related("workspace__organization", "plan")

    def line(change: PendingChange) -> Line:
        label = name_of(scope, change.workspace.organization, change.workspace)
        what = f"{change.get_kind_display()}{f' to {change.plan.name}' if change.plan else ''}"
        note = f"{what}, due on {day_of_zone(scope, change.due_at)}"
        days = (now - change.due_at).days
        link = _workspace_link(scope, change.workspace)
        return Line(str(change.pk), label, days, Unit.DAYS, link=link, note=note, is_alarm=True)

    rows = due.order_by("due_at", "pk")
    return list_group("due_changes", "Scheduled changes that are due", rows, line, empty="No change is due.")


def _reviews(scope: ReportScope, now: datetime) -> Group:
    asked = Review.objects.filter(within(scope, "organization")).select_related("organization", "workspace")

    def line(review: Review) -> Line:
        label = f"{name_of(scope, review.organization, review.workspace)}: {review.get_kind_display()}"
        days = (now - review.opened_at).days
        link = staff_link("tenants_organization", review.organization_id)
        return Line(str(review.pk), label, days, Unit.DAYS, link=link, note=review.sentence, is_alarm=True)

    rows = asked.order_by("opened_at", "pk")
    return list_group("reviews", "Questions about payments, with their age", rows, line, empty="No question is open.")


def _workspace_link(scope: ReportScope, workspace: Workspace) -> str:
    if scope.is_platform:
        return staff_link("tenants_workspace", workspace.pk)
    return page_link(scope, "billing-settings", slug=workspace.slug)
