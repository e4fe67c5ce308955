"""Records of the tenants app."""

from __future__ import annotations

from apps.tenants.models.cutover import BillingModeChange, BillingModeException, CutoverCheck, CutoverRun
from apps.tenants.models.guesses import GuessCount, RecoveryCode
from apps.tenants.models.impersonations import Impersonation
from apps.tenants.models.links import SignInLink
from apps.tenants.models.memberships import Membership, MembershipDrift, MembershipRemoval
from apps.tenants.models.notices import NoticeChoice
from apps.tenants.models.organizations import Organization, Workspace
from apps.tenants.models.products import Product, ProductRelation
from apps.tenants.models.reconciliation import ReconciliationRun, ReportedMember, SnapshotChunk
from apps.tenants.models.tokens import ServiceToken
from apps.tenants.models.users import User

__all__ = [
    "BillingModeChange",
    "BillingModeException",
    "CutoverCheck",
    "CutoverRun",
    "GuessCount",
    "Impersonation",
    "Membership",
    "MembershipDrift",
    "MembershipRemoval",
    "NoticeChoice",
    "Organization",
    "Product",
    "ProductRelation",
    "ReconciliationRun",
    "RecoveryCode",
    "ReportedMember",
    "ServiceToken",
    "SignInLink",
    "SnapshotChunk",
    "User",
    "Workspace",
]
