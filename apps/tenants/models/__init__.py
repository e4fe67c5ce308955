"""Records of the tenants app."""

from __future__ import annotations

from apps.tenants.models.links import LinkRequest, SignInLink
from apps.tenants.models.memberships import Membership, MembershipRemoval
from apps.tenants.models.organizations import Organization, Workspace
from apps.tenants.models.products import Product, ProductRelation
from apps.tenants.models.tokens import ServiceToken
from apps.tenants.models.users import User

__all__ = [
    "LinkRequest",
    "Membership",
    "MembershipRemoval",
    "Organization",
    "Product",
    "ProductRelation",
    "ServiceToken",
    "SignInLink",
    "User",
    "Workspace",
]
