"""Sign-in links by mail: sent, replaced by a newer one, used once (spec 02, How people sign in)."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import transaction

from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.crypto import Binding, seal
from apps.core.errors import ConflictError, NotFoundError
from apps.core.ids import AuditTarget, OrganizationId, UserId
from apps.core.outbox import outbox_enqueue
from apps.tenants import events
from apps.tenants.enums import LinkKind
from apps.tenants.link_rules import (
    KEPT_FOR,
    LIFETIMES,
    LinkState,
    hash_link_secret,
    make_link_secret,
    time_state,
)
from apps.tenants.models import Organization, SignInLink, User
from apps.tenants.selectors.links import (
    belongs_to_demos_alone,
    is_member,
    link_by_id,
    link_for_update,
    real_organizations_of,
)
from apps.tenants.selectors.users import user_for_update
from apps.tenants.services.passwords import password_change

SEND_LINK = "sign_in_link.send"
# Kinds whose use sets a password.
SETS_PASSWORD = frozenset({LinkKind.INVITATION, LinkKind.PASSWORD_RESET})


class LinkRefusedError(Exception):
    """The link is good for nothing, or not for this; `state` says why. Nothing was changed."""

    def __init__(self, state: LinkState) -> None:
        super().__init__(state.value)
        self.state = state


def token_binding(link_id: uuid.UUID) -> Binding:
    """The associated data of the sealed secret: it opens for this link only."""
    return Binding("sign_in_link", link_id, "token")


@transaction.atomic
def sign_in_link_send(context: ExecutionContext, *, user_id: UserId, kind: LinkKind, reason: str = "") -> SignInLink:
    """Send the person a link, which replaces an open one of the same kind.

    The mail leaves through the outbox once this is committed. Raises `ConflictError` for a person who can't use such a
    link (staff, deactivated, no real organization, signed in before an invitation), `NotFoundError`.
    """
    user = user_for_update(user_id)
    if user is None:
        raise NotFoundError(f"There is no user {user_id}.")
    organization = _guard(user, kind)
    _retire_older(user, kind)
    link = _create(user, kind, organization)
    organization_id = OrganizationId(organization.pk) if organization else None
    outbox_enqueue(
        context,
        kind=SEND_LINK,
        key=str(link.pk),
        payload={"link_id": link.pk, "kind": link.kind, "to": link.email},
        organization_id=organization_id,
    )
    audit_append(
        context,
        events.SIGN_IN_LINK_SENT,
        AuditTarget("user", user.pk, organization_id),
        after={"kind": link.kind, "link_id": link.pk, "expires_at": link.expires_at},
        reason=reason,
    )
    return link


def _create(user: User, kind: LinkKind, organization: Organization | None) -> SignInLink:
    link_id, token, now = uuid.uuid4(), make_link_secret(), clock.now()
    return SignInLink.objects.create(
        id=link_id,
        kind=kind,
        user=user,
        email=user.email,
        organization=organization,
        token_hash=hash_link_secret(token),
        sealed_token=seal(token, token_binding(link_id)),
        created_at=now,
        expires_at=now + LIFETIMES[kind],
    )


def may_be_sent_links(user: User) -> bool:
    """Whether links by mail are for this person at all: an active tenant whose mails leave the building."""
    return user.is_active and not user.is_staff and not belongs_to_demos_alone(UserId(user.pk))


def _guard(user: User, kind: LinkKind) -> Organization | None:
    """The organization that the link speaks for, which only an invitation has."""
    if not settings.PASSWORD_SIGN_IN:
        raise ConflictError(
            "People sign in through the identity service here (OIDC_ISSUER is set), not by links of ours.",
            code="signs_in_elsewhere",
        )
    if user.is_staff:
        raise ConflictError(
            "This is a staff account. No mail may open it: staff sign in with password and second factor.",
            code="staff_account",
        )
    if not user.is_active:
        raise ConflictError("This account is deactivated.", code="account_deactivated")
    if belongs_to_demos_alone(UserId(user.pk)):
        raise ConflictError("This person belongs to demo organizations alone, from which no mail leaves.", code="demo")
    return _inviting_organization(user) if kind == LinkKind.INVITATION else None


def _inviting_organization(user: User) -> Organization:
    if has_signed_in(user):
        raise ConflictError(
            "This person has signed in before and needs no invitation. Send a sign-in link instead.",
            code="has_signed_in",
        )
    organizations = real_organizations_of(UserId(user.pk))
    if not organizations:
        raise ConflictError("This person is a member of no open organization that could invite.", code="not_a_member")
    return organizations[0]


def has_signed_in(user: User) -> bool:
    """Whether the person has signed in before, or has a password."""
    return user.last_login is not None or user.has_usable_password()


def _retire_older(user: User, kind: LinkKind) -> None:
    now = clock.now()
    links = SignInLink.objects.filter(user=user, kind=kind, used_at=None, replaced_at=None)
    links.update(replaced_at=now, sealed_token=None)
    retire_ended_links(user)


def retire_ended_links(user: User) -> None:
    """Delete the person's links that ended long ago, so that their number has a bound."""
    SignInLink.objects.filter(user=user, expires_at__lt=clock.now() - KEPT_FOR).delete()


def link_state(link: SignInLink | None) -> LinkState:
    """What the link is good for now, whoever shows it. Visits from a product have an entrance of their own."""
    if link is None or link.kind == LinkKind.PORTAL:
        return LinkState.UNKNOWN
    state = time_state(used_at=link.used_at, replaced_at=link.replaced_at, expires_at=link.expires_at, now=clock.now())
    return _person_state(link) if state is LinkState.OPEN else state


def _person_state(link: SignInLink) -> LinkState:
    user = link.user
    if not user.is_active or user.is_staff or not settings.PASSWORD_SIGN_IN:
        return LinkState.NOT_FOR_YOU
    if user.email != link.email:
        return LinkState.REPLACED
    if link.organization is None:
        return LinkState.OPEN
    if link.organization.closed_at is not None:
        return LinkState.CLOSED
    return LinkState.OPEN if is_member(UserId(user.pk), link.organization.pk) else LinkState.NOT_A_MEMBER


@transaction.atomic
def sign_in_link_use(context: ExecutionContext, *, link_id: uuid.UUID, password: str = "") -> User:
    """Use the link up and answer its person, with the password set where its kind sets one.

    Of several who use it at once one does. Raises `LinkRefusedError`, `UnprocessableError` for a weak password.
    """
    found = link_by_id(link_id)
    user = user_for_update(UserId(found.user_id)) if found is not None else None
    link = link_for_update(link_id)
    state = link_state(link)
    if link is None or user is None or state is not LinkState.OPEN:
        raise LinkRefusedError(state)
    link.used_at, link.sealed_token = clock.now(), None
    link.save(update_fields=["used_at", "sealed_token"])
    if link.kind in SETS_PASSWORD:
        user = password_change(context, user_id=UserId(user.pk), password=password)
    audit_append(
        context,
        events.SIGN_IN_LINK_USED,
        AuditTarget("user", user.pk, link.organization_id),
        after={"kind": link.kind, "link_id": link.pk},
    )
    return user
