"""Decision receipts: what a gate answered, and everything that the answer rested on (spec 05)."""

from __future__ import annotations

import uuid
from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.db.models.fields.json import KeyTextTransform, KeyTransform

from apps.core.constraints import one_of
from apps.core.models.protection import refuse_truncate
from apps.subscriptions.enums import ReceiptKind, Verdict

# The person of the question, as text: who would have acted.
ASKED_BY = KeyTextTransform("user_id", "question")
_PRODUCT, _OPERATION = KeyTransform("product_id", "question"), KeyTransform("operation", "question")


class DecisionReceipt(models.Model):
    """One answer, never changed, kept 90 days. It names what it speaks of by plain ids, so that it outlives them.

    `chain` holds the rules tried, in order; `records` each record read with its version; `question` what was asked, so
    that it can be asked again ("replay now").
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=16, choices=ReceiptKind.choices)
    decision = models.CharField(max_length=8, choices=Verdict.choices)
    code = models.CharField(max_length=64)
    organization_id = models.UUIDField(null=True, blank=True)
    workspace_id = models.UUIDField(null=True, blank=True)
    actor_label = models.CharField(max_length=254)
    question = models.JSONField()
    chain = models.JSONField()
    records = models.JSONField()
    policy_version = models.PositiveIntegerField(null=True, blank=True)
    request_id = models.CharField(max_length=200)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            one_of("kind", ReceiptKind, "decision_receipt_kind_known"),
            one_of("decision", Verdict, "decision_receipt_decision_known"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["created_at"], name="decision_receipt_age"),
            # With whose they are: most are of one gate, and counting them reads no receipt.
            models.Index(fields=["kind", "-created_at"], include=["organization_id"], name="decision_receipt_of_gate"),
            models.Index(fields=["decision", "-created_at"], name="decision_receipt_of_answer"),
            models.Index(fields=["code", "-created_at"], name="decision_receipt_of_code"),
            models.Index(fields=["workspace_id", "-created_at"], name="decision_receipt_workspace"),
            models.Index(fields=["organization_id", "-created_at"], name="decision_receipt_tenant"),
            models.Index(fields=["request_id"], name="decision_receipt_request"),
            models.Index(
                fields=["organization_id", "-created_at"], condition=Q(decision=Verdict.DENY), name="denial_of_tenant"
            ),
            models.Index(
                fields=["workspace_id", "-created_at"], condition=Q(decision=Verdict.DENY), name="denial_of_workspace"
            ),
            models.Index(fields=["-created_at"], condition=Q(decision=Verdict.DENY), name="denial_latest"),
            models.Index(ASKED_BY, F("created_at").desc(), name="decision_receipt_person"),
            # As filters of the question itself ask it.
            models.Index(_PRODUCT, F("created_at").desc(), name="decision_receipt_product"),
            models.Index(_OPERATION, F("created_at").desc(), name="decision_receipt_operation"),
        ]
        triggers: ClassVar = [
            pgtrigger.Protect(name="decision_receipt_is_not_updated", operation=pgtrigger.Update),
            refuse_truncate("decision_receipt_is_not_truncated"),
        ]

    def __str__(self) -> str:
        return f"{self.decision} ({self.code}) of {self.created_at:%Y-%m-%d %H:%M}"
