"""Decision receipts: written by the gates, removed when they are 90 days old (spec 05, Decision receipts)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction

from apps.core import clock
from apps.core.canonical import plain
from apps.core.context import ExecutionContext
from apps.core.errors import ForbiddenError
from apps.core.ids import OrganizationId, WorkspaceId
from apps.subscriptions.enums import ReceiptKind, Verdict
from apps.subscriptions.models import DecisionReceipt
from apps.subscriptions.rules.answers import GateAnswer, chain_values, lifecycle_answer
from apps.subscriptions.rules.lifecycle import LifecycleFacts
from apps.subscriptions.selectors.lifecycle import workspace_facts

# For a statement of another app that stores receipts beside rows of its own; `$2` is a JSON array of them.
INSERT_RECEIPTS = """
    INSERT INTO subscriptions_decisionreceipt (id, kind, decision, code, organization_id, workspace_id, actor_label,
        question, chain, records, policy_version, request_id, created_at)
    SELECT (d->>'id')::uuid, d->>'kind', d->>'decision', d->>'code', (d->>'organization_id')::uuid,
        (d->>'workspace_id')::uuid, d->>'actor_label', d->'question', d->'chain', d->'records',
        (d->>'policy_version')::integer, d->>'request_id', (d->>'created_at')::timestamptz
    FROM jsonb_array_elements($2::jsonb) d
"""


@transaction.atomic
def decision_receipt_record(
    context: ExecutionContext,
    *,
    kind: ReceiptKind,
    answer: GateAnswer,
    question: Mapping[str, object],
    organization_id: OrganizationId | None,
    workspace_id: WorkspaceId | None = None,
    policy_version: int | None = None,
    at: datetime | None = None,
) -> DecisionReceipt:
    """Keep one answer. `at` is the moment of the facts that it rests on; default: now."""
    return DecisionReceipt.objects.create(
        kind=kind,
        decision=answer.verdict,
        code=answer.code,
        organization_id=organization_id,
        workspace_id=workspace_id,
        actor_label=context.actor.label,
        question=plain(question),
        chain=chain_values(answer.chain),
        records=[{"record": read.record, "version": read.version} for read in answer.records],
        policy_version=policy_version,
        request_id=context.request_id,
        created_at=at or clock.now(),
    )


def lifecycle_require(context: ExecutionContext, *, workspace_id: WorkspaceId, operation: str) -> LifecycleFacts:
    """THE runtime gate: raise `ForbiddenError` `lifecycle_denied` unless the lifecycle allows the operation now.

    The denial carries its whole explanation and the id of its receipt. Call it before the transaction of the work
    begins: inside one, the receipt would be rolled back with it. Returns the facts that it rests on.
    """
    facts = workspace_facts(workspace_id)
    answer = lifecycle_answer(facts, operation, context.role)
    if answer.verdict is Verdict.ALLOW:
        return facts
    receipt = decision_receipt_record(
        context,
        kind=ReceiptKind.LIFECYCLE,
        answer=answer,
        question={"workspace_id": workspace_id, "operation": operation, "role": context.role.value},
        organization_id=facts.organization_id,
        workspace_id=workspace_id,
        at=facts.at,
    )
    decisive = [step.fact for step in answer.chain if step.outcome == Verdict.DENY.value]
    raise ForbiddenError(
        f"The workspace may not do {operation} now: {'; '.join(decisive)}.",
        code="lifecycle_denied",
        title="The workspace's lifecycle does not allow this",
        explanation=answer.chain,
        decision_id=receipt.pk,
    )


@transaction.atomic
def decision_receipts_expire(
    context: ExecutionContext, *, at_most: int = 10_000, organization_id: UUID | None = None
) -> int:
    """Remove the oldest receipts past their days (`KEEP_RECEIPTS_DAYS`), of one organization or of all; how many.

    Call again while it returns any.
    """
    kept_for = timedelta(days=settings.KEEP_RECEIPTS_DAYS)
    old = DecisionReceipt.objects.filter(created_at__lt=clock.now() - kept_for).order_by("created_at")
    if organization_id is not None:
        old = old.filter(organization_id=organization_id)
    return DecisionReceipt.objects.filter(pk__in=old.values("pk")[:at_most]).delete()[0]
