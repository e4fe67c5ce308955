"""What follows when an account moves: tracking, and connectors that stop while there are no credits (spec 04).

Accounts are found by their positions, so that a run where nothing happened reads no entry, and a consumption costs no
statement more.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import F

from apps.connectors.enums import AutoDisableReason
from apps.connectors.services import connectors_auto_disable, connectors_restore
from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext, system_context
from apps.core.enums import AuthorizationSource
from apps.core.errors import UnprocessableError
from apps.core.ids import OrganizationId
from apps.core.jobs.record_errors import RecordErrors
from apps.core.mails import Mail, mail_payload, public_address
from apps.core.operations import require
from apps.core.outbox import outbox_enqueue
from apps.core.outbox_handlers import EMAIL_KIND
from apps.credits.models import CreditAccount
from apps.credits.selectors.parts import first_places_since
from apps.payments import events
from apps.payments.credit_tracking import CreditScope, find_refused, track_exhaustion, track_grants
from apps.payments.models import CreditStop, TrackingPosition
from apps.tenants.enums import NoticeKind
from apps.tenants.models import Organization
from apps.tenants.selectors.notices import notice_emails, notices_address
from apps.tenants.selectors.organizations import organization_for_update
from apps.tenants.services.refusals import unknown_organization

CREDIT_STOP_OPERATION = "credit_stop.change"
_LIST = 200


def credits_follow(
    context: ExecutionContext, *, since: datetime | None, organization_id: UUID | None, include_demo: bool
) -> dict[str, int]:
    """Track grants and exhausted accounts, and stop or restore connectors, for every account that moved.

    `since` is when refusals were last looked at; None: always. Accounts that fail stop no other.
    """
    require(context, "jobs.track_credits")
    scope = CreditScope(organization_id, include_demo)
    _begin_positions(scope, since)
    counts = {"granted": 0, "exhausted": 0, "stopped": 0, "restored": 0}
    moved = list(
        TrackingPosition.objects.filter(
            pk__in=scope.accounts().values("pk"), last_sequence__lt=F("organization__credit_account__last_sequence")
        )
        .order_by("pk")
        .values_list("pk", flat=True)
    )
    errors = RecordErrors("lists of accounts")
    for start in range(0, len(moved), _LIST):
        with errors.record(moved[start]):
            _follow(context, moved[start : start + _LIST], counts)
    refused = find_refused(scope, since)
    if refused:
        counts["exhausted"] += track_exhaustion(context, refused, since=since)
    errors.finish()
    return counts


def _begin_positions(scope: CreditScope, since: datetime | None) -> None:
    """Accounts without a position: from where the last run of the former release, if there was one, had looked."""
    new = list(scope.accounts().filter(tracking_position=None).values_list("pk", flat=True))
    if not new:
        return
    lasts = dict(CreditAccount.objects.filter(pk__in=new).values_list("pk", "last_sequence"))
    firsts = first_places_since(since) if since is not None else dict.fromkeys(new, 1)
    rows = [TrackingPosition(pk=pk, last_sequence=firsts.get(pk, last + 1) - 1) for pk, last in lasts.items()]
    TrackingPosition.objects.bulk_create(rows, ignore_conflicts=True, batch_size=1_000)


@transaction.atomic
def _follow(context: ExecutionContext, ids: Sequence[UUID], counts: dict[str, int]) -> None:
    positions = list(TrackingPosition.objects.select_for_update().filter(pk__in=ids).order_by("pk"))
    lasts = dict(CreditAccount.objects.filter(pk__in=ids).values_list("pk", "last_sequence"))
    parts = [(row.pk, row.last_sequence + 1, lasts[row.pk]) for row in positions]
    counts["granted"] += track_grants(context, parts)
    counts["exhausted"] += track_exhaustion(context, ids, since=None, of_refusals=False)
    stops = CreditStop.objects.select_for_update().filter(pk__in=ids).order_by("pk")
    for stop in stops:
        outcome = _settle(context, stop)
        if outcome:
            counts[outcome] += 1
    for row in positions:
        row.last_sequence = lasts[row.pk]
    TrackingPosition.objects.bulk_update(positions, ["last_sequence"])


@transaction.atomic
def credit_stop_change(
    context: ExecutionContext, *, organization_id: OrganizationId, is_on: bool, reason: str = ""
) -> CreditStop | None:
    """Say whether the organization's connectors stop while it has no credits; takes effect at once, both ways.

    Raises `ForbiddenError`, `NotFoundError` `unknown_organization`, also for another organization than the context's,
    `UnprocessableError` when staff give no reason.
    """
    require(context, CREDIT_STOP_OPERATION)
    if context.organization_id is None and not reason.strip():
        raise UnprocessableError("Say why the connectors are to stop without credits, or not any more.")
    is_ours = context.organization_id in {None, organization_id}
    organization = organization_for_update(organization_id) if is_ours else None
    if organization is None:
        raise unknown_organization(organization_id)
    stop = CreditStop.objects.select_for_update().filter(pk=organization_id).first()
    if (stop is not None) == is_on:
        return stop
    # The connectors follow from the account, whoever pressed the switch.
    machine = system_context(AuthorizationSource.SCHEDULER, name="credit stop", request_id=context.request_id)
    machine = machine.within(organization_id, is_demo=organization.is_demo)
    if stop is not None:
        _restore(machine, stop)
        stop.delete()
        stop = None
    else:
        stop = CreditStop.objects.create(organization=organization)
        _settle(machine, stop)
    audit_append(
        context,
        events.CREDIT_STOP_CHANGED,
        organization.audit_target,
        before={"stops_without_credits": not is_on},
        after={"stops_without_credits": is_on},
        reason=reason.strip(),
    )
    return stop


def has_run_out(organization_id: OrganizationId) -> bool:
    """Whether the organization had credits and can spend none now."""
    accounts = CreditAccount.objects.filter(pk=organization_id, last_sequence__gt=0)
    return accounts.filter(balance__lte=-F("overdraft_limit")).exists()


def _settle(context: ExecutionContext, stop: CreditStop) -> str:
    """Stop or restore, as the account is now; which of the two, or nothing."""
    is_empty = has_run_out(OrganizationId(stop.pk))
    if is_empty and stop.stopped_at is None:
        stop.stopped_at = clock.now()
        stop.save(update_fields=["stopped_at"])
        count = connectors_auto_disable(
            context, organization_id=OrganizationId(stop.pk), reason=AutoDisableReason.CREDITS_EXHAUSTED
        )
        _tell(context, stop, count)
        return "stopped"
    if not is_empty and stop.stopped_at is not None:
        _restore(context, stop)
        return "restored"
    return ""


def _restore(context: ExecutionContext, stop: CreditStop) -> None:
    stop.stopped_at = None
    stop.save(update_fields=["stopped_at"])
    connectors_restore(context, organization_id=OrganizationId(stop.pk), reason=AutoDisableReason.CREDITS_EXHAUSTED)


def _tell(context: ExecutionContext, stop: CreditStop, count: int) -> None:
    """Mail that connectors stopped, and what helps; nobody is told of none."""
    organization = Organization.objects.get(pk=stop.pk)
    recipients = notice_emails(OrganizationId(stop.pk), NoticeKind.CONNECTORS)
    if not count or not recipients or stop.stopped_at is None:
        return
    stopped = "1 connector" if count == 1 else f"{count} connectors"
    mail = Mail(
        subject=f"Your credits are used up: {organization.name}",
        paragraphs=[
            "Hello,",
            f"{organization.name} has no credits left, so we stopped {stopped}, as you asked us to.",
            "Nothing was deleted. They start again by themselves once there are credits.",
            "An admin can let them go on without credits: on Settings, under When credits run out.",
        ],
        url=public_address("/billing/"),
        link_text="Open billing",
        choose_url=notices_address(OrganizationId(stop.pk)),
    )
    outbox_enqueue(
        context,
        kind=EMAIL_KIND,
        key=f"credits-exhausted:{stop.pk}:{stop.stopped_at:%Y-%m-%dT%H:%M:%S.%f}",
        payload=mail_payload(mail, to=recipients),
        organization_id=OrganizationId(stop.pk),
        is_demo=organization.is_demo,
    )
