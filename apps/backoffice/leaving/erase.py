"""Erases a person: e-mail, name and logins go from every row, ids stay, books and audit chain hold (spec 14, Leaving).

In this order, each step in transactions of its own, so that nothing is locked for long: the person can't sign in any
more; the texts go, table by table; last the user's own row, which says how the person is named. So a run that was
interrupted is finished by running it again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Q
from django_otp.plugins.otp_totp.models import TOTPDevice

from apps.backoffice import events
from apps.backoffice.leaving.columns import AT_ONCE, Table, portions, table_of, tables
from apps.backoffice.leaving.mentions import Mentions
from apps.connectors.models import AuthorizationAttempt
from apps.core import clock
from apps.core.audit import audit_append
from apps.core.audit.chain import ERASED, PERSONAL
from apps.core.audit.erasing import MOST_AT_ONCE, audit_texts_erase, is_named
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, FieldError, NotFoundError, UnprocessableError
from apps.core.ids import OrganizationId, UserId
from apps.core.models import AuditEntry, OutboxItem
from apps.core.outbox_handlers import EMAIL_KIND
from apps.core.pieces import in_one_transaction, in_pieces
from apps.core.states import OutboxStatus
from apps.credits.models import CreditEntry
from apps.credits.services.erasing import ERASED_TEXTS, entry_texts_erase
from apps.reporting.models import ReportRecipient
from apps.tenants.models import Membership, MembershipDrift, SignInLink, User
from apps.tenants.selectors.members import is_last_owner
from apps.tenants.services import member_remove

_log = structlog.get_logger(__name__)
# Reserved, so that no mail ever gets there (RFC 2606).
_DOMAIN = "erased.invalid"
_REASON = "the person was erased"


@dataclass(frozen=True, slots=True)
class ErasedUser:
    """Rows of each table that named the person, and when nothing was left; None for a preview."""

    rows: dict[str, int]
    erased_at: datetime | None


def user_erase(
    context: ExecutionContext, *, user_id: UserId, reason: str, also: Collection[str] = (), is_preview: bool = False
) -> ErasedUser:
    """Erase the person; for one who is erased, nothing is done. `also` are further addresses and names of theirs.

    A preview counts what names them and changes nothing. Raises `NotFoundError`, `UnprocessableError` without a reason,
    `ConflictError` for an open organization's last owner and for staff who work here.
    """
    user = User.objects.filter(pk=user_id).first()
    if user is None:
        raise NotFoundError(f"There is no user {user_id}.")
    if user.erased_at is not None:
        return ErasedUser({}, user.erased_at)
    if not reason.strip():
        sentence = "Give a reason; it is saved in the audit log."
        raise UnprocessableError(sentence, errors=[FieldError("reason", "required", sentence)])
    _guard(user)
    mentions = mentions_of(user, also)
    if not is_preview:
        _close_doors(context, user, mentions)
    rows = _erase_texts(context, user, mentions, is_preview=is_preview)
    if is_preview:
        return ErasedUser(rows, None)
    return ErasedUser(rows, _erase_user(context, user, mentions.without(reason), sum(rows.values())))


def mentions_of(user: User, also: Collection[str] = ()) -> Mentions:
    """Every address and name under which we know the person, those of former years from the audit log."""
    emails, names = {user.email, *SignInLink.objects.filter(user=user).values_list("email", flat=True)}, {user.name}
    drift = MembershipDrift.objects.filter(user_id=user.pk).exclude(reported_email="")
    emails |= set(drift.values_list("reported_email", flat=True))
    for before, after in AuditEntry.objects.filter(target_type="user", target_id=str(user.pk)).values_list(
        "before", "after"
    ):
        emails |= {values["email"] for values in (before, after) if isinstance(values.get("email"), str)}
        names |= {values["name"] for values in (before, after) if isinstance(values.get("name"), str)}
    for text in also:
        (emails if "@" in text else names).add(text.strip())
    unknown = {"", ERASED}
    return Mentions(frozenset(emails - unknown), frozenset(names - unknown))


def _guard(user: User) -> None:
    if user.is_staff and user.is_active:
        raise ConflictError(
            f"User {user.pk} is staff who may sign in here, and can't be erased. Take the platform role and the staff "
            "access away first."
        )
    for membership in user.memberships.select_related("organization"):
        organization = membership.organization
        if organization.closed_at is None and is_last_owner(membership):
            raise ConflictError(
                f"User {user.pk} is the last owner of {organization.slug}. Make somebody else an owner of it, or close "
                "it, first."
            )


def _close_doors(context: ExecutionContext, user: User, mentions: Mentions) -> None:
    """From here on the person can't sign in, is no member, and gets no mail."""
    with transaction.atomic():
        user.is_active = False
        user.is_staff = False
        user.set_unusable_password()
        user.save(update_fields=["is_active", "is_staff", "password"])
        user.groups.clear()
        user.user_permissions.clear()
        user.recovery_codes.all().delete()
        TOTPDevice.objects.filter(user=user).delete()
        AuthorizationAttempt.objects.filter(user=user).delete()
        ReportRecipient.objects.filter(Q(user=user) | Q(email__in=mentions.emails)).delete()
        SignInLink.objects.filter(user=user).delete()
        waiting = OutboxItem.objects.filter(kind=EMAIL_KIND, status=OutboxStatus.PENDING)
        for email in mentions.emails:
            waiting.filter(payload__to__contains=[email]).update(
                status=OutboxStatus.SUPPRESSED, finished_at=clock.now(), last_error="The person was erased."
            )
        for membership in Membership.objects.filter(user=user).order_by("organization_id"):
            if not is_last_owner(membership):
                organization_id = OrganizationId(membership.organization_id)
                member_remove(context, organization_id=organization_id, user_id=UserId(user.pk), reason=_REASON)
    sessions = in_pieces(Session.objects.all(), key=["session_key"])
    theirs = [session.pk for session in sessions if session.get_decoded().get("_auth_user_id") == str(user.pk)]
    Session.objects.filter(pk__in=theirs).delete()


def _in_portions(ids: list[UUID]) -> Iterator[list[UUID]]:
    return (ids[start : start + MOST_AT_ONCE] for start in range(0, len(ids), MOST_AT_ONCE))


def _erase_texts(context: ExecutionContext, user: User, mentions: Mentions, *, is_preview: bool) -> dict[str, int]:
    counts = {table.name: table.erase(mentions, is_preview=is_preview) for table in tables()}
    ledger = table_of(CreditEntry, *ERASED_TEXTS)
    if is_preview:
        counts[ledger.name] = ledger.erase(mentions, is_preview=True)
    else:
        found = portions(ledger.rows_naming(mentions))
        counts[ledger.name] = sum(entry_texts_erase(entries=portion, redact=mentions.without) for portion in found)
    log = table_of(AuditEntry, *PERSONAL)
    counts[log.name] = _erase_from_log(context, user, mentions, log, is_preview=is_preview)
    return {name: count for name, count in sorted(counts.items()) if count}


def _erase_from_log(context: ExecutionContext, user: User, mentions: Mentions, log: Table, *, is_preview: bool) -> int:
    """Chain by chain. In an entry about this person a name of one word counts too, as a text of its own."""

    def names_them(entry: AuditEntry, place: str, text: str) -> bool:
        is_about = str(user.pk) in {entry.target_id, entry.actor_id}
        return mentions.is_named(text) if is_about else mentions.are_in(text)

    chains: dict[UUID | None, dict[UUID, None]] = defaultdict(dict)
    about = AuditEntry.objects.filter(target_type="user", target_id=str(user.pk))
    for rows in (log.rows_naming(mentions), about):
        for pk, organization_id in in_one_transaction(
            rows.order_by().values_list("pk", "organization_id"), size=AT_ONCE
        ):
            chains[organization_id][pk] = None
    erased = 0
    for organization_id, ids in chains.items():
        for entries in _in_portions(list(ids)):
            if is_preview:
                erased += sum(is_named(entry, names_them) for entry in AuditEntry.objects.filter(pk__in=entries))
                continue
            erased += audit_texts_erase(
                context,
                user_id=UserId(user.pk),
                organization_id=OrganizationId(organization_id) if organization_id else None,
                entries=entries,
                names_them=names_them,
            )
    return erased


@transaction.atomic
def _erase_user(context: ExecutionContext, user: User, reason: str, rows: int) -> datetime:
    """The last step: after it nothing here knows how the person was named."""
    now = clock.now()
    user.email, user.name, user.external_id = f"erased-{user.pk}@{_DOMAIN}", "", ""
    user.last_login, user.erased_at = None, now
    user.save(update_fields=["email", "name", "external_id", "last_login", "erased_at"])
    audit_append(context, events.USER_ERASED, user.audit_target, after={"rows": rows, "erased_at": now}, reason=reason)
    # Outside the database too: after a restore from an older backup, whoever was erased since is erased again.
    _log.info("user_erased", user_id=str(user.pk))
    return now
