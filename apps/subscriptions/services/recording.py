"""How a change of this app is written down: signed row versions first, one audit entry last."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.core import clock
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.subscriptions.contracts import ProviderNews, WorkspacePlace
from apps.subscriptions.enums import EvidenceSubject
from apps.subscriptions.models import ProviderEvidence
from apps.subscriptions.services.guards import provider_of


def moment_of(news: ProviderNews | None) -> datetime:
    """When the change happened: at the provider's own time if one told of it, else now."""
    return news.claimed_at if news else clock.now()


def evidence_store(
    context: ExecutionContext,
    *,
    subject: EvidenceSubject,
    organization_id: OrganizationId,
    place: WorkspacePlace | None,
    verb: str,
    news: ProviderNews | None,
    why_kept: str,
) -> ProviderEvidence:
    """Keep a provider's news that changes nothing, with why."""
    moment = clock.now()
    return ProviderEvidence.objects.create(
        provider=provider_of(context) or "",
        subject=subject,
        organization_id=organization_id,
        workspace_id=place.workspace_id if place else None,
        object_id=news.object_id if news else "",
        verb=verb,
        claimed_state=news.claimed_state if news else verb,
        claimed_at=news.claimed_at if news else moment,
        why_kept=why_kept,
        received_at=moment,
        request_id=context.request_id,
    )


def changed_names(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    """The names of the values that differ, the count of versions aside."""
    return {name for name in after if name != "version" and before.get(name) != after[name]}
