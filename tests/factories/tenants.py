"""Tenants for tests, made through the services, so that what every organization has is there."""

from __future__ import annotations

import itertools
import uuid

from apps.core.enums import MembershipRole, Role, Scope
from apps.core.ids import OrganizationId, ProductId, UserId, WorkspaceId
from apps.tenants.enums import OrganizationKind, TokenKind
from apps.tenants.models import Membership, Organization, Product, User, Workspace
from apps.tenants.services import (
    member_upsert,
    organization_upsert,
    product_relation_upsert,
    product_upsert,
    service_token_create,
    staff_create,
    user_upsert,
    workspace_upsert,
)
from apps.tenants.services.organizations import OrganizationParams
from tests.contexts import console_context

PASSWORD = "a-password-of-tests-only"
_numbers = itertools.count(1)


def make_user(email: str | None = None, name: str = "") -> User:
    """A user without a password."""
    number = next(_numbers)
    address = email or f"user{number}-{uuid.uuid4().hex[:6]}@example.com"
    return user_upsert(
        console_context(), user_id=UserId(uuid.uuid4()), email=address, name=name or f"User {number}"
    ).record


def make_signing_in_user(email: str | None = None) -> User:
    """A user who can sign in with `PASSWORD`."""
    user = make_user(email)
    user.set_password(PASSWORD)
    user.save(update_fields=["password"])
    return user


def make_staff(role: Role = Role.SUPPORT, email: str | None = None) -> User:
    """A staff member with the platform role, who signs in with `PASSWORD`; the second factor is not enrolled."""
    address = email or f"{role.value}-{uuid.uuid4().hex[:6]}@countinghouse.example"
    return staff_create(console_context(), email=address, name=role.label, role=role, password=PASSWORD).record


def make_organization(
    name: str = "Northwind",
    *,
    owner: User | None = None,
    kind: OrganizationKind = OrganizationKind.TEAM,
    is_demo: bool = False,
    time_zone: str = "UTC",
    billing_email: str | None = None,
) -> Organization:
    """An organization; without an owner nobody is a member."""
    params = OrganizationParams(
        name=name,
        kind=kind,
        owner_user_id=UserId(owner.pk) if owner else None,
        is_demo=is_demo,
        time_zone=time_zone,
        billing_email=billing_email,
    )
    return organization_upsert(console_context(), organization_id=OrganizationId(uuid.uuid4()), params=params).record


def make_workspace(organization: Organization, name: str = "Production") -> Workspace:
    """A workspace of the organization."""
    return workspace_upsert(
        console_context(OrganizationId(organization.pk), is_demo=organization.is_demo),
        workspace_id=WorkspaceId(uuid.uuid4()),
        organization_id=OrganizationId(organization.pk),
        name=name,
    ).record


def make_membership(organization: Organization, user: User, role: MembershipRole = MembershipRole.MEMBER) -> Membership:
    """A membership as the console would make it."""
    return member_upsert(
        console_context(OrganizationId(organization.pk)),
        organization_id=OrganizationId(organization.pk),
        user_id=UserId(user.pk),
        role=role,
    ).record


def make_product(slug: str = "red", *related: Organization) -> Product:
    """A product, related to the organizations by staff."""
    product = product_upsert(console_context(), slug=slug).record
    for organization in related:
        product_relation_upsert(console_context(), organization_id=OrganizationId(organization.pk), product_slug=slug)
    return product


def make_token(product: Product, *scopes: Scope) -> str:
    """The text of a live token; without scopes it carries every product scope."""
    _, text = service_token_create(
        console_context(),
        kind=TokenKind.PRODUCT,
        product_id=ProductId(product.pk),
        name="test",
        scopes=scopes or None,
    )
    return text


def make_cron_token() -> str:
    """The text of a live cron token."""
    return service_token_create(console_context(), kind=TokenKind.CRON, name="test")[1]
