"""How often somebody guessed lately, and the recovery codes of staff."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core import clock


class GuessCount(models.Model):
    """Tries in one window. The key is a keyed hash: what was typed as an address may be a password."""

    key = models.CharField(max_length=64, primary_key=True)
    tries = models.PositiveIntegerField()
    ends_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.tries} until {self.ends_at:%H:%M:%S}"


class RecoveryCode(models.Model):
    """One code that stands in for the second factor once.

    `selector` is the beginning of the code and finds the row; the rest is stored as a slow, salted hash. Used codes
    stay, so that the page can say how many are left of how many.
    """

    user = models.ForeignKey("tenants.User", on_delete=models.CASCADE, related_name="recovery_codes", db_index=False)
    selector = models.CharField(max_length=8)
    secret_hash = models.CharField(max_length=200)
    created_at = models.DateTimeField(default=clock.real_now, editable=False)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["user", "selector"], name="recovery_code_selector_unique"),
            models.CheckConstraint(condition=~Q(secret_hash=""), name="recovery_code_has_hash"),
        ]

    def __str__(self) -> str:
        return f"recovery code {self.selector}…"
