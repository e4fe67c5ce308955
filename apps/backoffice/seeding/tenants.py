"""Sample staff, products, users, organizations, workspaces and memberships."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django_otp.plugins.otp_totp.models import TOTPDevice

from apps.backoffice.seeding.data import SEEDS, SeedOrganization, SeedUser, seed_id
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId, UserId, WorkspaceId
from apps.tenants.models import User
from apps.tenants.selectors.products import product_by_slug
from apps.tenants.services import (
    member_upsert,
    organization_upsert,
    product_relation_upsert,
    product_upsert,
    staff_create,
    user_upsert,
    workspace_upsert,
)
from apps.tenants.services.organizations import OrganizationParams

REASON = "sample data"


def seed_tenants(context: ExecutionContext, *, password: str) -> None:
    """Create the sample tenants; people who can sign in get `password`."""
    for slug, name in SEEDS.products:
        product_upsert(context, slug=slug, name=name, reason=REASON)
    for user in SEEDS.users:
        seed_user(context, user, password)
    for organization in SEEDS.organizations:
        with transaction.atomic():
            _seed_organization(context, organization)


def seed_staff(context: ExecutionContext, *, password: str) -> None:
    """Create one account for each platform role, with a second factor, so that you can sign in at once."""
    for seed in SEEDS.staff:
        if User.objects.filter(email=seed.email, is_staff=True).exists():
            continue
        user = staff_create(
            context, email=seed.email, name=seed.name, role=seed.role, password=password, reason=REASON
        ).record
        TOTPDevice.objects.create(user=user, name="sample", confirmed=True)


def seed_user(context: ExecutionContext, seed: SeedUser, password: str) -> None:
    """Create the person; `password` is set only for those who can sign in."""
    user = user_upsert(context, user_id=UserId(seed_id(seed.email)), email=seed.email, name=seed.name).record
    if seed.can_sign_in and not user.has_usable_password():
        user.set_password(password)
        User.objects.filter(pk=user.pk).update(password=user.password)


def _seed_organization(context: ExecutionContext, seed: SeedOrganization) -> None:
    workspace_ids = {slug: WorkspaceId(seed_id(f"workspace:{slug}")) for slug, _ in seed.workspaces}
    seed_organization(context, seed, OrganizationId(seed_id(f"organization:{seed.slug}")), workspace_ids)


def seed_organization(
    context: ExecutionContext,
    seed: SeedOrganization,
    organization_id: OrganizationId,
    workspace_ids: Mapping[str, WorkspaceId],
) -> None:
    """Create the organization with its relations, workspaces and members."""
    params = OrganizationParams(
        name=seed.name,
        kind=seed.kind,
        slug=seed.slug,
        time_zone=seed.time_zone,
        owner_user_id=UserId(seed_id(seed.owner)),
        is_demo=seed.is_demo,
    )
    is_new = organization_upsert(context, organization_id=organization_id, params=params).is_created
    inside = context.within(organization_id, is_demo=seed.is_demo)
    for product in seed.products:
        # Where products are real, the sample ones may be missing.
        if product_by_slug(product) is None:
            continue
        product_relation_upsert(inside, organization_id=organization_id, product_slug=product, reason=REASON)
    for slug, name in seed.workspaces:
        workspace_upsert(
            inside, workspace_id=workspace_ids[slug], organization_id=organization_id, name=name, slug=slug
        )
    if not is_new:
        # Roles that somebody changed since stay as they are: seeding again must not undo a person's work.
        return
    for email, role in seed.members:
        member_upsert(inside, organization_id=organization_id, user_id=UserId(seed_id(email)), role=role)
