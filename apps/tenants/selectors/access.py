"""The facts that the context resolver rests on, one query each. Read when used: a demotion counts at once."""

from __future__ import annotations

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BooleanField, CharField, Exists, OuterRef, QuerySet, Subquery, Value

from apps.core.enums import Role
from apps.core.ids import OrganizationId, UserId, WorkspaceId
from apps.core.operations import PLATFORM_LADDER
from apps.tenants.contracts import CronCaller, ProductCaller, TenantFacts
from apps.tenants.models import Membership, Organization, ProductRelation, User, Workspace


def tenant_facts(
    organization_id: OrganizationId,
    *,
    caller: ProductCaller | CronCaller | None = None,
    user_id: UserId | None = None,
    workspace_id: WorkspaceId | None = None,
) -> TenantFacts | None:
    """The organization with what binds it to the caller; None when there is no such organization."""
    product_id = caller.product_id if isinstance(caller, ProductCaller) else None
    related = (
        Exists(ProductRelation.objects.filter(organization=OuterRef("pk"), product=product_id))
        if product_id is not None
        else Value(value=False, output_field=BooleanField())
    )
    row = (
        Organization.objects.filter(pk=organization_id)
        .annotate(membership_role=_role_subquery("pk", user_id), related=related)
        .values_list("is_demo", "membership_role", "related")
        .first()
    )
    if row is None:
        return None
    is_demo, membership_role, is_related = row
    return TenantFacts(
        organization_id=organization_id,
        workspace_id=workspace_id,
        is_demo=is_demo,
        membership_role=Role(membership_role) if membership_role else None,
        is_related_to_product=is_related,
    )


def tenant_facts_by_workspace_slug(slug: str, *, user_id: UserId) -> TenantFacts | None:
    """The tenant of the workspace that the URL names, with the user's membership in it."""
    row = (
        Workspace.objects.filter(slug=slug)
        .annotate(membership_role=_role_subquery("organization", user_id))
        .values_list("pk", "organization", "organization__is_demo", "membership_role")
        .first()
    )
    if row is None:
        return None
    workspace_id, organization_id, is_demo, membership_role = row
    return TenantFacts(
        organization_id=OrganizationId(organization_id),
        workspace_id=WorkspaceId(workspace_id),
        is_demo=is_demo,
        membership_role=Role(membership_role) if membership_role else None,
    )


def _role_subquery(organization: str, user_id: UserId | None) -> Subquery | Value:
    if user_id is None:
        return Value(None, output_field=CharField())
    return Subquery(Membership.objects.filter(organization=OuterRef(organization), user=user_id).values("role")[:1])


def platform_role(user: User) -> Role | None:
    """The highest platform role that the user's groups give; None for anyone who is not active staff."""
    if not (user.is_active and user.is_staff):
        return None
    names = set(user.groups.values_list("name", flat=True))
    return next((role for role in PLATFORM_LADDER if role.value in names), None)


def users_with_platform_roles() -> QuerySet[User]:
    """Users with the names of their platform groups in `role_names`, for lists without a query a row."""
    groups = User.groups.through.objects.filter(user=OuterRef("pk")).values("group__name")
    return User.objects.annotate(role_names=ArraySubquery(groups))
