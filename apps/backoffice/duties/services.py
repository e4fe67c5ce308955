"""Taking, snoozing and dismissing a task; audited, and shown to colleagues."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from apps.backoffice import events
from apps.backoffice.duties.occurrences import Task
from apps.backoffice.enums import TaskState
from apps.backoffice.models import TaskDecision
from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.errors import UnprocessableError
from apps.core.operations import require

DECIDE_OPERATION = "tasks.decide"


@transaction.atomic
def task_decide(
    context: ExecutionContext, *, task: Task, outcome: TaskState, reason: str, until: datetime | None = None
) -> TaskDecision:
    """Keep the decision about this occurrence in the place of an earlier one.

    Raises `ForbiddenError`, and `UnprocessableError` for a task that is snoozed without a future moment.
    """
    require(context, DECIDE_OPERATION)
    if outcome == TaskState.SNOOZED and (until is None or until <= clock.now()):
        raise UnprocessableError("Snooze until a moment in the future.")
    place: dict[str, Any] = {
        "kind": task.kind.value,
        "organization_id": task.organization_id,
        "subject_id": task.subject_id,
    }
    former = TaskDecision.objects.select_for_update().filter(**place).first()
    decision, _ = TaskDecision.objects.update_or_create(
        **place,
        defaults={
            "marker": task.marker,
            "outcome": outcome.value,
            "until": until if outcome == TaskState.SNOOZED else None,
            "reason": reason,
            "decided_by": context.actor.label,
            "decided_at": clock.now(),
        },
    )
    audit_append(
        context,
        events.TASK_DECIDED,
        decision.audit_target,
        before={"outcome": former.outcome, "until": former.until} if former else None,
        after={"outcome": decision.outcome, "until": decision.until, "task": task.what},
        reason=reason,
    )
    return decision
