"""The posture that the billing pages of tenants show, decided by the WorkspaceLifecycleResolver."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo

from apps.core.context import ExecutionContext
from apps.core.enums import LifecycleNeed, LifecycleState
from apps.core.ids import WorkspaceId
from apps.core.moments import zone_of
from apps.subscriptions.messages import words_of
from apps.subscriptions.rules.lifecycle import LifecycleDecision, LifecycleFacts, resolve
from apps.subscriptions.selectors.lifecycle import workspace_facts
from apps.tenants.posture import Banner, BannerTone, WorkspacePosture

# A state that restricts nothing needs no banner.
_TONES: Mapping[LifecycleState, BannerTone] = {
    LifecycleState.PRE_SUBSCRIPTION: BannerTone.NOTE,
    LifecycleState.GRACE: BannerTone.WARNING,
    LifecycleState.SUSPENDED_READ_ONLY: BannerTone.STOP,
    LifecycleState.CLOSED: BannerTone.STOP,
}


def workspace_posture(context: ExecutionContext, *, time_zone: str) -> WorkspacePosture:
    """What the context's role may do in its workspace now, and the banner that says why not more.

    Raises `NotFoundError` where the context names no workspace.
    """
    facts = workspace_facts(WorkspaceId(context.workspace_id)) if context.workspace_id else None
    if facts is None:
        return WorkspacePosture(allowed=frozenset())
    decision = resolve(facts)
    allowed = frozenset(need for need in LifecycleNeed if decision.permits(need, role=context.role))
    return WorkspacePosture(allowed=allowed, banner=banner_of(facts, decision, zone=zone_of(time_zone)))


def banner_of(facts: LifecycleFacts, decision: LifecycleDecision, *, zone: tzinfo) -> Banner | None:
    """The banner of the decision; None where everything works."""
    tone = _TONES.get(decision.state)
    if tone is None:
        return None
    words = words_of(facts, decision, zone=zone)
    # The last reason is the one that restricts; the Settings page tells them all.
    return Banner(tone=tone, title=words.state.title, why=words.why[-1], remedy=words.remedy)
