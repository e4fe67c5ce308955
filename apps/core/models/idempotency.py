"""The idempotency store: what each key was answered, for ever (spec 05, No double charge)."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.lookups import Exact, IsNull

from apps.core.constraints import one_of
from apps.core.models.protection import append_only
from apps.core.states import IdempotencyOutcome


class IdempotencyRecord(models.Model):
    """One key of one scope (such as `product:<uuid>`): the request it stood for and the answer it got.

    Committed in the transaction of the effect, so that there is never the one without the other.
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
        triggers: ClassVar = append_only("idempotency_record")

    def __str__(self) -> str:
        return f"{self.operation} {self.scope} {self.key}"
