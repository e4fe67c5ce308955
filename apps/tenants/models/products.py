"""Products: the SaaS products that call the internal API, and the organizations they may speak of."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core import clock
from apps.core.constraints import one_of
from apps.core.free_text import FreeCharField
from apps.core.ids import AuditTarget
from apps.tenants.enums import BillingMode, RelationSource
from apps.tenants.models.organizations import Organization


class Product(models.Model):
    """A SaaS product, or the identity service (the product whose tokens have the scope `tenants:manage`)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(max_length=40, unique=True)
    name = FreeCharField(max_length=100)
    billing_mode = models.CharField(max_length=16, choices=BillingMode.choices, default=BillingMode.LOCAL)
    # A stable part of its organizations, by `apps.tenants.billing_modes.bucket_of`, has this mode instead.
    percentage = models.PositiveSmallIntegerField(default=0, db_default=0)
    percentage_mode = models.CharField(
        max_length=16, choices=BillingMode.choices, blank=True, default="", db_default=""
    )
    membership_export_url = models.URLField(blank=True, default="")
    # The product's own bearer key for that address, sealed by `apps.tenants.export_keys`.
    sealed_export_key = models.BinaryField(null=True, blank=True)
    # One host a line, as `apps.tenants.return_urls` writes it.
    return_hosts = models.TextField(blank=True, default="", db_default="")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints: ClassVar = [
            one_of("billing_mode", BillingMode, "product_billing_mode_known"),
            one_of("percentage_mode", BillingMode, "product_percentage_mode_known", also=[""]),
            models.CheckConstraint(
                condition=Q(percentage=0, percentage_mode="")
                | (Q(percentage__gte=1, percentage__lte=100) & ~Q(percentage_mode="")),
                name="product_percentage_has_mode",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def audit_target(self) -> AuditTarget:
        return AuditTarget("product", self.pk)

    def hosts_to_return_to(self) -> list[str]:
        """The hosts that visits from this product may lead back to."""
        return self.return_hosts.split()


class ProductRelation(models.Model):
    """A product may speak of this organization; without a row every call answers 403 `product_not_related`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="relations")
    organization = models.ForeignKey(
        Organization, on_delete=models.PROTECT, related_name="product_relations", db_index=False
    )
    source = models.CharField(max_length=16, choices=RelationSource.choices)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organization", "product"], name="product_relation_unique"),
            one_of("source", RelationSource, "product_relation_source_known"),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} to {self.organization_id}"
