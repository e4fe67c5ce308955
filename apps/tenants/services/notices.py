"""Choose who gets an organization's mails (spec 08, Settings)."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.errors import FieldError, UnprocessableError
from apps.core.ids import OrganizationId, UserId
from apps.core.operations import require
from apps.tenants import events
from apps.tenants.enums import NoticeAudience, NoticeKind
from apps.tenants.models import Membership, NoticeChoice
from apps.tenants.notice_rules import AUDIENCES, MOST_CHOSEN, USUAL
from apps.tenants.selectors.organizations import organization_for_update
from apps.tenants.services.refusals import unknown_organization

CHANGE = "notices.change"


@transaction.atomic
def notice_choice_change(
    context: ExecutionContext,
    *,
    organization_id: OrganizationId,
    kind: NoticeKind,
    audience: NoticeAudience,
    chosen: Collection[UserId],
) -> bool:
    """Say whom mails of the kind go to; whether that is something else than before.

    Raises `ForbiddenError`, `NotFoundError` `unknown_organization`, and `UnprocessableError` for a choice without
    owners where they must be told, for somebody who is no member, and for too many.
    """
    require(context, CHANGE)
    if context.organization_id != organization_id or organization_for_update(organization_id) is None:
        raise unknown_organization(organization_id)
    wanted = sorted(set(chosen))
    _guard(organization_id, kind, audience, wanted)
    row = NoticeChoice.objects.filter(organization=organization_id, kind=kind).first()
    row = row or NoticeChoice(organization_id=organization_id, kind=kind, audience=USUAL[kind])
    before, after = _as_audited(row), {"kind": kind.value, "audience": audience.value, "members": wanted}
    if before == after:
        return False
    row.audience, row.chosen = audience, wanted
    row.save()
    audit_append(context, events.NOTICES_CHANGED, row.audit_target, before=before, after=after)
    return True


def _as_audited(row: NoticeChoice) -> dict[str, object]:
    return {"kind": str(row.kind), "audience": str(row.audience), "members": sorted(row.chosen)}


def _guard(
    organization_id: OrganizationId, kind: NoticeKind, audience: NoticeAudience, wanted: Collection[UserId]
) -> None:
    if audience not in AUDIENCES[kind]:
        raise _refuse("audience", "Owners always get mails about payments. Choose one of the list.")
    if len(wanted) > MOST_CHOSEN:
        raise _refuse("members", f"At most {MOST_CHOSEN} members can be chosen. Use a shared mailbox for more.")
    members = Membership.objects.filter(organization=organization_id, user__in=wanted, user__is_active=True)
    if members.count() != len(wanted):
        raise _refuse("members", "Choose among the members of this organization.")


def _refuse(field: str, sentence: str) -> UnprocessableError:
    return UnprocessableError(sentence, errors=[FieldError(field, "impossible_value", sentence)])
