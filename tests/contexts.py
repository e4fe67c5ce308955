"""Execution contexts for tests that call services directly; through HTTP the resolver makes them."""

from __future__ import annotations

import uuid

from apps.core.context import Actor, ExecutionContext
from apps.core.enums import DEFAULT_PRODUCT_SCOPES, ActorKind, AuthorizationSource, Role, Scope
from apps.core.ids import OrganizationId, ProductId, RequestId, ServiceTokenId
from apps.tenants.models import Product


def console_context(organization_id: OrganizationId | None = None, *, is_demo: bool = False) -> ExecutionContext:
    """A management command's."""
    return ExecutionContext(
        actor=Actor(ActorKind.CONSOLE, "tester", "console:tester"),
        role=Role.SYSTEM,
        authorization_source=AuthorizationSource.CONSOLE,
        request_id=RequestId(f"test-{uuid.uuid4().hex[:12]}"),
        organization_id=organization_id,
        is_demo=is_demo,
    )


def staff_context(
    role: Role = Role.BILLING_OPERATIONS, organization_id: OrganizationId | None = None
) -> ExecutionContext:
    """A staff member's, at the admin."""
    return ExecutionContext(
        actor=Actor(ActorKind.USER, str(uuid.uuid4()), f"{role.value}@countinghouse.example"),
        role=role,
        authorization_source=AuthorizationSource.SESSION,
        request_id=RequestId(f"test-{uuid.uuid4().hex[:12]}"),
        organization_id=organization_id,
    )


def product_context(
    product: Product,
    organization_id: OrganizationId | None = None,
    *,
    scopes: frozenset[Scope] = frozenset(DEFAULT_PRODUCT_SCOPES),
    token_id: ServiceTokenId | None = None,
) -> ExecutionContext:
    """A product's, with a live token."""
    return ExecutionContext(
        actor=Actor(ActorKind.PRODUCT, str(product.pk), product.slug),
        role=Role.SERVICE,
        authorization_source=AuthorizationSource.SERVICE_TOKEN,
        request_id=RequestId(f"test-{uuid.uuid4().hex[:12]}"),
        organization_id=organization_id,
        product_id=ProductId(product.pk),
        token_id=token_id,
        scopes=scopes,
    )


def identity_context(product: Product) -> ExecutionContext:
    """The identity service's."""
    return product_context(product, scopes=frozenset({*DEFAULT_PRODUCT_SCOPES, Scope.TENANTS_MANAGE}))
