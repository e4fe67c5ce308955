"""Service tokens: shown once, stored as a hash with a readable prefix (spec 02, Records)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from apps.core import clock
from apps.core.constraints import one_of
from apps.core.enums import Scope
from apps.core.free_text import FreeCharField
from apps.core.ids import AuditTarget
from apps.tenants.enums import TokenKind
from apps.tenants.models.products import Product


class ServiceToken(models.Model):
    """A bearer credential of a product or of an outside cron. The token's text is nowhere in the database."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=16, choices=TokenKind.choices)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, null=True, blank=True, related_name="tokens")
    name = FreeCharField(max_length=100)
    prefix = models.CharField(max_length=16, unique=True)
    token_hash = models.BinaryField(max_length=32, unique=True)
    scopes = ArrayField(models.CharField(max_length=40, choices=Scope.choices))
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints: ClassVar = [
            one_of("kind", TokenKind, "service_token_kind_known"),
            models.CheckConstraint(
                condition=Q(kind=TokenKind.PRODUCT, product__isnull=False)
                | Q(kind=TokenKind.CRON, product__isnull=True),
                name="service_token_product_iff_product",
            ),
            models.CheckConstraint(
                condition=Q(scopes__contained_by=list(Scope.values)), name="service_token_scopes_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def audit_target(self) -> AuditTarget:
        return AuditTarget("service_token", self.pk)
