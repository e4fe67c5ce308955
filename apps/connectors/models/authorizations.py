"""Attempts to authorize a connector at its OAuth server (spec 06, Google authorization)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from apps.connectors.models.connectors import Connector
from apps.tenants.models import User


class AuthorizationAttempt(models.Model):
    """Bound to a session, a person and a connector; takes one response until it expires. Holds no secret.

    `used_at` is set by the first response, before the server is asked for a token.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connector = models.ForeignKey(Connector, on_delete=models.PROTECT, related_name="authorization_attempts")
    workspace_id = models.UUIDField()
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    state_digest = models.CharField(max_length=64, unique=True)
    session_digest = models.CharField(max_length=64)
    started_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(expires_at__gt=F("started_at")), name="authorization_attempt_ends"),
        ]

    def __str__(self) -> str:
        return f"authorization of connector {self.connector_id} begun at {self.started_at:%Y-%m-%d %H:%M}"
