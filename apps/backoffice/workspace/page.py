"""The workspace page: its sections and verbs for one user, now or as of a moment."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from apps.backoffice.staff import may
from apps.backoffice.verbs import Button, buttons
from apps.backoffice.workspace.references import why_url
from apps.backoffice.workspace.section import SectionSpec, ShownSection
from apps.backoffice.workspace.sections import SECTIONS
from apps.backoffice.workspace.subject import WorkspaceSubject, read_as_of, subject_as_of, subject_now
from apps.backoffice.workspace.verbs import VERBS
from apps.core import clock
from apps.tenants.models import Workspace

CHANGE_OPERATION = "subscriptions.change"


def page_context(request: HttpRequest, workspace: Workspace) -> dict[str, Any]:
    """The template's context. As of a moment no verb is offered: the past can't be changed.

    As of a moment that can't be shown there is no section: the present would be read as the answer.
    """
    now = clock.now()
    asked = read_as_of(request.GET.get("at", ""), workspace, now)
    subject = subject_as_of(workspace, asked.moment) if asked.moment else subject_now(workspace)
    possible = [] if asked.problem else [spec for spec in SECTIONS if may(request, spec.operation)]
    shown = [spec for spec in possible if spec.has_history or subject.as_of is None]
    return {
        "subject": subject,
        "asked": asked,
        "latest_moment": now.strftime("%Y-%m-%dT%H:%M"),
        "may_change": may(request, CHANGE_OPERATION),
        "why_url": why_url(workspace.pk, asked.text if asked.moment else ""),
        "sections": [_build(request, spec, subject) for spec in shown],
    }


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
