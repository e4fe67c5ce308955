"""Visits from products: a link for one person to one workspace's pages, used once within minutes (spec 02)."""

from __future__ import annotations

import uuid

from django.db import transaction
from django.urls import reverse

from apps.core import clock
from apps.core.audit import AuditEvent, audit_append
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, FieldError, ForbiddenError, NotFoundError, Reason, UnprocessableError
from apps.core.ids import AuditTarget, UserId, WorkspaceId
from apps.core.mails import public_address
from apps.core.operations import require
from apps.tenants import events
from apps.tenants.enums import LinkKind
from apps.tenants.link_rules import (
    LIFETIMES,
    VISIT_LASTS,
    LinkState,
    hash_link_secret,
    make_link_secret,
    time_state,
)
from apps.tenants.models import Product, SignInLink, User, Workspace
from apps.tenants.return_urls import leads_to
from apps.tenants.selectors.links import link_by_id, link_for_update
from apps.tenants.selectors.users import user_for_update
from apps.tenants.selectors.visits import is_permitted
from apps.tenants.services.sign_in_links import LinkRefusedError, retire_ended_links

CREATE = "portal_sessions.create"


@transaction.atomic
def portal_session_create(
    context: ExecutionContext, *, user_id: UserId, workspace_id: WorkspaceId, return_url: str = ""
) -> tuple[SignInLink, str]:
    """Make a link that signs the person in to the workspace's pages, and answer it with its address.

    The context's resolver has refused a person who is no member. Raises `ForbiddenError` without the scope,
    `ConflictError` `organization_closed` or `account_deactivated`, `UnprocessableError` `return_url_not_registered`.
    """
    require(context, CREATE)
    workspace = Workspace.objects.select_related("organization").get(pk=workspace_id)
    if context.product_id is None:
        reason = Reason("caller", "deny", "Only a product's token begins a portal session.")
        raise ForbiddenError("Only a product sends people to their pages.", explanation=[reason])
    user, product = User.objects.get(pk=user_id), Product.objects.get(pk=context.product_id)
    if workspace.organization.closed_at is not None:
        raise ConflictError("The organization is closed; nobody visits its pages.", code="organization_closed")
    if not user.is_active:
        raise ConflictError("This person's account is deactivated.", code="account_deactivated")
    _guard_return_url(return_url, product)
    retire_ended_links(user)
    token, now = make_link_secret(), clock.now()
    link = SignInLink.objects.create(
        kind=LinkKind.PORTAL,
        user=user,
        email=user.email,
        organization=workspace.organization,
        workspace=workspace,
        product=product,
        service_token_id=context.token_id,
        return_url=return_url,
        token_hash=hash_link_secret(token),
        created_at=now,
        expires_at=now + LIFETIMES[LinkKind.PORTAL],
    )
    _audit(context, events.PORTAL_SESSION_CREATED, link)
    return link, public_address(reverse("portal-session", args=[token]))


def _guard_return_url(return_url: str, product: Product) -> None:
    if not return_url or leads_to(return_url) in product.hosts_to_return_to():
        return
    sentence = (
        f"return_url must begin with https:// and lead to a host that is registered for {product.slug}. Staff register "
        "hosts on the product's admin page."
    )
    raise UnprocessableError(
        sentence,
        code="return_url_not_registered",
        title="The return address is not registered",
        errors=[FieldError("return_url", "not_registered", sentence)],
    )


def portal_link_state(link: SignInLink | None) -> LinkState:
    """What a link of a product is good for now, whoever shows it."""
    if link is None or link.kind != LinkKind.PORTAL:
        return LinkState.UNKNOWN
    state = time_state(used_at=link.used_at, replaced_at=link.replaced_at, expires_at=link.expires_at, now=clock.now())
    if state is not LinkState.OPEN:
        return state
    if link.organization is not None and link.organization.closed_at is not None:
        return LinkState.CLOSED
    return LinkState.OPEN if is_permitted(link.pk) else LinkState.NOT_A_MEMBER


@transaction.atomic
def portal_session_begin(context: ExecutionContext, *, link_id: uuid.UUID) -> SignInLink:
    """Use the link up: its visit lasts an hour from now. Raises `LinkRefusedError`; of several at once one gets in."""
    found = link_by_id(link_id)
    if found is None or user_for_update(UserId(found.user_id)) is None:
        raise NotFoundError("There is no such link.")
    link = link_for_update(link_id)
    state = portal_link_state(link)
    if link is None or state is not LinkState.OPEN:
        raise LinkRefusedError(state)
    link.used_at = clock.now()
    link.ends_at = link.used_at + VISIT_LASTS
    link.save(update_fields=["used_at", "ends_at"])
    _audit(context, events.PORTAL_SESSION_BEGUN, link)
    return link


def _audit(context: ExecutionContext, event: AuditEvent, link: SignInLink) -> None:
    audit_append(
        context,
        event,
        AuditTarget("user", link.user_id, link.organization_id, link.workspace_id),
        after={"link_id": link.pk, "product_id": link.product_id, "return_url": link.return_url.partition("?")[0]},
    )
