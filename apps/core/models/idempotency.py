"""The idempotency store: what each key was answered, for ever (spec 05, No double charge)."""

from __future__ import annotations

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.db.models.lookups import Exact, IsNull

from apps.core.constraints import one_of
from apps.core.models.protection import refuse_truncate
from apps.core.states import IdempotencyOutcome

# Parts of an old answer may be dropped (spec 14, Years of data); nothing is added to it, and nothing else changes.
_CHANGES_MORE_THAN_IT_DROPS = (
    "NOT (OLD.answer @> NEW.answer AND OLD.created_at < now() - interval '30 days'"
    " AND (OLD.id, OLD.scope, OLD.key, OLD.operation, OLD.body_hash, OLD.outcome, OLD.status, OLD.created_at)"
    " IS NOT DISTINCT FROM"
    " (NEW.id, NEW.scope, NEW.key, NEW.operation, NEW.body_hash, NEW.outcome, NEW.status, NEW.created_at))"
)


class IdempotencyRecord(models.Model):
    """One key of one scope (such as `product:<uuid>`): the request it stood for and the answer it got.

    Committed in the transaction of the effect, so that there is never the one without the other. Of an answer that is
    400 days old only what tells where to find it again is kept (`purge-payloads`).
    """

    id = models.BigAutoField(primary_key=True)
    scope = models.CharField(max_length=100)
    key = models.CharField(max_length=255)
    operation = models.CharField(max_length=80)
    body_hash = models.CharField(max_length=64, help_text="SHA-256 of the request's canonical form.")
    outcome = models.TextField(choices=IdempotencyOutcome.choices)
    status = models.SmallIntegerField(null=True, blank=True, help_text="HTTP status of an answer; empty for a refusal.")
    answer = models.JSONField()
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["scope", "key"], name="idempotency_record_unique"),
            one_of("outcome", IdempotencyOutcome, "idempotency_record_outcome_known"),
            models.CheckConstraint(
                condition=Exact(Exact(F("outcome"), IdempotencyOutcome.ANSWERED), IsNull(F("status"), False)),
                name="idempotency_record_status_iff_answered",
            ),
            models.CheckConstraint(condition=Q(status__range=(200, 299)), name="idempotency_record_status_of_success"),
            models.CheckConstraint(condition=~Q(key="") & ~Q(scope=""), name="idempotency_record_has_key"),
        ]
        triggers: ClassVar = [
            pgtrigger.Protect(
                name="idempotency_record_is_not_updated",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(_CHANGES_MORE_THAN_IT_DROPS),
            ),
            pgtrigger.Protect(name="idempotency_record_is_not_deleted", operation=pgtrigger.Delete),
            refuse_truncate("idempotency_record_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.scope} {self.key}"
