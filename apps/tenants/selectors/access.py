"""The facts that the context resolver rests on, one query each. Read when used: a demotion counts at once."""

from __future__ import annotations

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BooleanField, Case, CharField, Exists, OuterRef, Q, QuerySet, Subquery, Value, When

from apps.core.enums import MembershipRole, Role
from apps.core.ids import OrganizationId, ProductId, UserId, WorkspaceId
from apps.core.operations import PLATFORM_LADDER
from apps.tenants.contracts import CronCaller, ProductCaller, TenantFacts
from apps.tenants.enums import OrganizationKind
from apps.tenants.models import Membership, Organization, ProductRelation, User, Workspace
from apps.tenants.personal_accounts import PersonalFacts


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
        Case(
            When(Exists(ProductRelation.objects.filter(organization=OuterRef("pk"), product=product_id)), then=True),
            When(Exists(_owned_by_known_person(product_id)), then=True),
            default=False,
            output_field=BooleanField(),
        )
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


def _owned_by_known_person(product_id: ProductId) -> QuerySet[Membership]:
    """The outer organization's owner, where it is the account of a person whom the product may speak of.

    A personal account is shared by all such products, whichever of them opened it (spec 05).
    """
    return Membership.objects.filter(
        organization=OuterRef("pk"), organization__kind=OrganizationKind.INDIVIDUAL, role=MembershipRole.OWNER
    ).filter(
        Q(user__created_by_product=product_id)
        | Exists(Membership.objects.filter(user=OuterRef("user"), organization__product_relations__product=product_id))
    )


def is_related(product_id: ProductId, organization_id: OrganizationId) -> bool:
    """Whether the product may speak of the organization: related, or the account of a person whom it may speak of."""
    related = Q(Exists(ProductRelation.objects.filter(organization=OuterRef("pk"), product=product_id)))
    known = Q(Exists(_owned_by_known_person(product_id)))
    return Organization.objects.filter(related | known, pk=organization_id).exists()


def personal_facts(product_id: ProductId, user_id: UserId, *, is_identity_service: bool) -> PersonalFacts:
    """What binds the product to the user, in one query."""
    shared = Membership.objects.filter(user=OuterRef("pk"), organization__product_relations__product=product_id)
    row = User.objects.filter(pk=user_id).annotate(shares=Exists(shared)).values_list("created_by_product", "shares")
    found = row.first()
    return PersonalFacts(
        user_exists=found is not None,
        is_creator=found is not None and found[0] == product_id,
        shares_organization=found is not None and found[1],
        is_identity_service=is_identity_service,
    )


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
