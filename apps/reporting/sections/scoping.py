"""Which rows a scope's report is about: one organization's, or those of every real one; and groups of such rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet

from apps.core.moments import in_zone, zone_of
from apps.reporting.rules.document import MOST_LINES, Group, Line, ReportScope

RecordT = TypeVar("RecordT", bound=Model)


def within(scope: ReportScope, organization: str) -> Q:
    """The rows whose path `organization`, such as `workspace__organization`, leads into the scope."""
    if scope.organization_id is not None:
        return Q(**{organization: scope.organization_id})
    return Q(**{f"{organization}__is_demo": False, f"{organization}__is_synthetic": False})


def list_group(
    key: str,
    title: str,
    rows: QuerySet[RecordT],
    line: Callable[[RecordT], Line],
    *,
    link: str = "",
    empty: str = "None.",
) -> Group:
    """The first rows of an ordered query as lines, and how many more there are."""
    lines = tuple(line(row) for row in rows[:MOST_LINES])
    left_out = rows.count() - len(lines) if len(lines) == MOST_LINES else 0
    return Group(key, title, lines, link, max(left_out, 0), empty)


def day_of_zone(scope: ReportScope, moment: datetime) -> str:
    """The day of the moment in the scope's zone, in words."""
    local = in_zone(moment, zone_of(scope.zone))
    return f"{local.day} {local:%B %Y}"


def name_of(scope: ReportScope, organization: Any, workspace: Any = None) -> str:
    """Whom a line is about: in an organization's own report its workspace alone."""
    names = [] if not scope.is_platform else [organization.name]
    return ", ".join([*names, *([workspace.name] if workspace is not None else [])])
