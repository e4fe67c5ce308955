"""The page itself: which sections are shown to whom, with which verbs, now or as of a moment."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from apps.backoffice.staff import may
from apps.backoffice.workspace.catalogue import VERBS
from apps.backoffice.workspace.moments import asked_moment
from apps.backoffice.workspace.references import why_url
from apps.backoffice.workspace.section import OfferedVerb, SectionSpec, ShownSection
from apps.backoffice.workspace.sections import SECTIONS
from apps.backoffice.workspace.subject import WorkspaceSubject, subject_as_of, subject_now
from apps.core import clock
from apps.tenants.models import Workspace


def page_context(request: HttpRequest, workspace: Workspace) -> dict[str, Any]:
    """What the template shows. As of a moment no verb is offered: the past can't be changed."""
    now = clock.now()
    asked = asked_moment(request.GET.get("at", ""), workspace, now)
    subject = subject_as_of(workspace, asked.moment) if asked.moment else subject_now(workspace)
    shown = [spec for spec in SECTIONS if may(request, spec.operation) and (spec.has_history or subject.as_of is None)]
    return {
        "subject": subject,
        "asked": asked,
        "latest_moment": now.strftime("%Y-%m-%dT%H:%M"),
        "why_url": why_url(workspace.pk),
        "sections": [_shown(request, spec, subject) for spec in shown],
    }


def offered_verbs(request: HttpRequest, subject: WorkspaceSubject, section: str = "") -> list[OfferedVerb]:
    """The verbs that whoever asks may use on the workspace as it is, all or those of one section."""
    if subject.as_of is not None:
        return []
    return [
        OfferedVerb(
            name=verb.name,
            label=verb.label,
            icon=verb.icon,
            url=reverse(f"admin:tenants_workspace_{verb.name}", args=(subject.workspace_id,)),
            is_dangerous=verb.is_dangerous,
            is_rare=verb.is_rare,
        )
        for verb in VERBS.values()
        if section in {"", verb.section} and may(request, verb.operation) and not verb.refusal(subject)
    ]


def _shown(request: HttpRequest, spec: SectionSpec, subject: WorkspaceSubject) -> ShownSection:
    further = spec.offer(request, subject) if spec.offer is not None else []
    verbs = [*offered_verbs(request, subject, spec.name), *further]
    return ShownSection(spec.name, spec.build(request, subject), tuple(verbs))
