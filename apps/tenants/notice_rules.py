"""Who of an organization's members gets which mails about it (spec 08, Settings). Pure.

Owners always get those about payments, so that nobody can silence the last one. Where nobody of those who were chosen
is a member any more, owners get the others too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from apps.core.enums import MembershipRole
from apps.tenants.enums import NoticeAudience, NoticeKind

# More than anybody reads; a list of a whole company belongs into a mailbox of its own.
MOST_CHOSEN = 20
USUAL = {NoticeKind.PAYMENTS: NoticeAudience.OWNERS, NoticeKind.CONNECTORS: NoticeAudience.ADMINS}
AUDIENCES = {
    NoticeKind.PAYMENTS: (NoticeAudience.OWNERS, NoticeAudience.ADMINS),
    NoticeKind.CONNECTORS: (NoticeAudience.ADMINS, NoticeAudience.OWNERS, NoticeAudience.CHOSEN),
}
_ROLES = {
    NoticeAudience.OWNERS: {MembershipRole.OWNER},
    NoticeAudience.ADMINS: {MembershipRole.OWNER, MembershipRole.ADMIN},
    NoticeAudience.CHOSEN: set[MembershipRole](),
}


@dataclass(frozen=True, slots=True)
class Reader:
    """An active member who may be written to."""

    user_id: UUID
    email: str
    role: MembershipRole


def readers_of(audience: NoticeAudience, chosen: Collection[UUID], members: Iterable[Reader]) -> list[Reader]:
    """Those of the active members who get the mail: by their role, or since they were chosen; else the owners."""
    people = sorted(members, key=lambda reader: reader.email)
    found = [reader for reader in people if reader.role in _ROLES[audience] or reader.user_id in chosen]
    return found or [reader for reader in people if reader.role is MembershipRole.OWNER]
