"""Single-use links by which people sign in (spec 02, How people sign in)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.core.constraints import one_of
from apps.tenants.enums import LinkKind
from apps.tenants.models.organizations import Organization, Workspace
from apps.tenants.models.products import Product
from apps.tenants.models.tokens import ServiceToken
from apps.tenants.models.users import User


class SignInLink(models.Model):
    """One link for one person. Its secret is stored as a hash; sealed beside it until the mail has left.

    `email` is the address that it was made for: a person whose address changes takes no old link along. `organization`
    is who invites, or whose workspace a visit from a product is for. `ends_at` is when such a visit is over.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=16, choices=LinkKind.choices)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="sign_in_links", db_index=False)
    email = models.EmailField(max_length=254)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    service_token = models.ForeignKey(ServiceToken, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    return_url = models.CharField(max_length=2000, blank=True, default="")
    token_hash = models.BinaryField(max_length=32, unique=True)
    sealed_token = models.BinaryField(null=True, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    replaced_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            one_of("kind", LinkKind, "sign_in_link_kind_known"),
            models.CheckConstraint(
                condition=Q(kind=LinkKind.PORTAL, workspace__isnull=False, product__isnull=False)
                | (~Q(kind=LinkKind.PORTAL) & Q(workspace__isnull=True, product__isnull=True)),
                name="sign_in_link_portal_has_workspace",
            ),
            models.CheckConstraint(
                condition=Q(used_at__isnull=True) | Q(replaced_at__isnull=True), name="sign_in_link_ends_once"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["user", "-created_at"], name="sign_in_link_of_user")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} for {self.email}"
