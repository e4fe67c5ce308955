"""The workspace page: its sections and verbs for one user, now or as of a moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from apps.backoffice.staff import may
from apps.backoffice.verbs import Button, buttons
from apps.backoffice.workspace.references import why_url
from apps.backoffice.workspace.section import SectionSpec, ShownSection
from apps.backoffice.workspace.sections import SECTIONS
from apps.backoffice.workspace.subject import WorkspaceSubject, subject_as_of, subject_now
from apps.backoffice.workspace.verbs import VERBS
from apps.core import clock
from apps.core.moments import MomentError, read_iso_moment
from apps.tenants.models import Workspace


@dataclass(frozen=True, slots=True)
class AsOf:
    """What the "as of" field holds: the moment to show, or `problem`, why it can't be shown."""

    text: str = ""
    moment: datetime | None = None
    problem: str = ""


def page_context(request: HttpRequest, workspace: Workspace) -> dict[str, Any]:
    """The template's context. As of a moment no verb is offered: the past can't be changed."""
    now = clock.now()
    asked = read_as_of(request.GET.get("at", ""), workspace, now)
    subject = subject_as_of(workspace, asked.moment) if asked.moment else subject_now(workspace)
    shown = [spec for spec in SECTIONS if may(request, spec.operation) and (spec.has_history or subject.as_of is None)]
    return {
        "subject": subject,
        "asked": asked,
        "latest_moment": now.strftime("%Y-%m-%dT%H:%M"),
        "why_url": why_url(workspace.pk),
        "sections": [_build(request, spec, subject) for spec in shown],
    }


def read_as_of(text: str, workspace: Workspace, now: datetime) -> AsOf:
    """Read the field, which is in UTC. A future moment, or one before the workspace was created, can't be shown."""
    text = text.strip()
    if not text:
        return AsOf()
    try:
        moment = read_iso_moment(text)
    except MomentError:
        return AsOf(text, problem="That is not a date and time. The page shows the present.")
    if moment > now:
        return AsOf(text, problem="That moment is in the future. The page shows the present.")
    if moment < workspace.created_at:
        created = f"{workspace.created_at:%-d %B %Y, %H:%M} UTC"
        return AsOf(text, problem=f"The workspace was created on {created}. The page shows the present.")
    return AsOf(moment.strftime("%Y-%m-%dT%H:%M"), moment)


def _build(request: HttpRequest, spec: SectionSpec, subject: WorkspaceSubject) -> ShownSection:
    offered: list[Button] = []
    if subject.as_of is None:
        verbs = [verb for verb in VERBS.values() if verb.section == spec.name]
        offered = buttons(
            request,
            verbs,
            subject,
            lambda verb: reverse(f"admin:tenants_workspace_{verb.name}", args=(subject.workspace_id,)),
        )
    further = spec.offer(request, subject) if spec.offer is not None else []
    return ShownSection(spec.name, spec.build(request, subject), (*offered, *further))
