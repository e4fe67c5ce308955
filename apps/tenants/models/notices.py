"""Whom an organization's mails of a kind go to, where somebody chose (spec 08, Settings)."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from apps.core.constraints import one_of
from apps.core.ids import AuditTarget
from apps.tenants.enums import NoticeAudience, NoticeKind
from apps.tenants.models.organizations import Organization


class NoticeChoice(models.Model):
    """One kind of mail of one organization. Without a row the usual people get it.

    `chosen` are ids of users. Who is no member when a mail goes out gets none, so that nothing has to follow here when
    somebody leaves.
    """

    id = models.BigAutoField(primary_key=True)
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="notice_choices", db_index=False
    )
    kind = models.CharField(max_length=16, choices=NoticeKind.choices)
    audience = models.CharField(max_length=16, choices=NoticeAudience.choices)
    chosen = ArrayField(models.UUIDField(), default=list, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "kind"], name="notice_choice_unique"),
            one_of("kind", NoticeKind, "notice_choice_kind_known"),
            one_of("audience", NoticeAudience, "notice_choice_audience_known"),
            # Owners hear of payments, whatever else is chosen.
            models.CheckConstraint(
                condition=~Q(kind=NoticeKind.PAYMENTS, audience=NoticeAudience.CHOSEN),
                name="notice_choice_keeps_owners",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.organization_id}"

    @property
    def audit_target(self) -> AuditTarget:
        return AuditTarget("notice_choice", str(self.pk), self.organization_id)
