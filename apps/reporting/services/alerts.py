"""Tells people once that credits run low, and lets them choose when, and whom (spec 07, Balance alerts).

Accounts that moved are found by their positions, so that nothing is added to a consumption. How a threshold stands and
the mails about it are written in one transaction, under the lock of the account's settings: there is
none without the other.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import groupby
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext, system_context
from apps.core.enums import AuthorizationSource
from apps.core.errors import UnprocessableError
from apps.core.ids import OrganizationId
from apps.core.jobs.record_errors import RecordErrors
from apps.core.operations import require
from apps.credits.selectors.parts import peaks_of_parts
from apps.reporting.events import BALANCE_ALERTS_CHANGED
from apps.reporting.models import AlertSettings, AlertThreshold
from apps.reporting.rules.alerts import (
    BALANCE_KINDS,
    DEFAULTS,
    Audience,
    Threshold,
    ThresholdKind,
    Verdict,
    judge,
    level_of,
    next_look,
)
from apps.reporting.selectors.alerts import AlertScope, accounts_with_purchase, runways_of
from apps.reporting.services.alert_mails import Found, alert_record
from apps.tenants.selectors.organizations import organization_for_update
from apps.tenants.services.refusals import unknown_organization

CHANGE_OPERATION = "balance_alerts.change"
_LIST = 200
_Counts = dict[str, int]


def balances_follow(context: ExecutionContext, *, organization_id: UUID | None, include_demo: bool) -> _Counts:
    """Judge the balance of every account that moved; an account that is new begins with the usual thresholds.

    Accounts that fail stop no other. Returns how many moved and how many were told.
    """
    require(context, "jobs.follow_balances")
    scope = AlertScope(organization_id, include_demo)
    moved = AlertSettings.objects.filter(
        organization__in=scope.organizations(), last_sequence__lt=F("organization__credit_account__last_sequence")
    )
    new = list(scope.organizations().filter(alert_settings=None).order_by("pk").values_list("pk", flat=True))
    ids = list(moved.order_by("pk").values_list("pk", flat=True))
    counts, errors = {"moved": len(ids), "begun": len(new), "told": 0}, RecordErrors("lists of accounts")
    for some in _lists(new):
        with errors.record(some[0]):
            _begin(context, some)
    for some in _lists(ids):
        with errors.record(some[0]), transaction.atomic():
            counts["told"] += _follow(context, some)
    errors.finish()
    return counts


def runways_look(context: ExecutionContext, *, organization_id: UUID | None, include_demo: bool) -> _Counts:
    """Judge how long the credits last, of the accounts with a threshold in days whose next look is due."""
    require(context, "jobs.balance_alerts")
    organizations = AlertScope(organization_id, include_demo).organizations()
    due = AlertSettings.objects.filter(next_look_at__lte=clock.now(), organization__in=organizations)
    ids = list(due.order_by("next_look_at", "pk").values_list("pk", flat=True))
    counts, errors = {"due": len(ids), "told": 0}, RecordErrors("lists of accounts")
    for some in _lists(ids):
        with errors.record(some[0]), transaction.atomic():
            counts["told"] += _look(context, some)
    errors.finish()
    return counts


@transaction.atomic
def balance_alerts_change(
    context: ExecutionContext,
    *,
    organization_id: OrganizationId,
    thresholds: Collection[Threshold],
    audience: Audience,
    reason: str = "",
) -> bool:
    """Set when to warn, and whom; whether that changed anything. A threshold that stays keeps how it stands.

    No threshold: nobody is warned. Raises `ForbiddenError`, `NotFoundError` `unknown_organization`, also for another
    organization than the context's, `UnprocessableError` when staff give no reason.
    """
    require(context, CHANGE_OPERATION)
    if context.organization_id is None and not reason.strip():
        raise UnprocessableError("Say why the balance alerts are to change.")
    is_ours = context.organization_id in {None, organization_id}
    organization = organization_for_update(organization_id) if is_ours else None
    if organization is None:
        raise unknown_organization(organization_id)
    # What is found now is the account's doing, whoever changes its alerts.
    machine = system_context(AuthorizationSource.SCHEDULER, name="balance alerts", request_id=context.request_id)
    machine = machine.within(organization_id, is_demo=organization.is_demo)
    _begin(machine, [organization.pk])
    _follow(machine, [organization.pk])
    settings = AlertSettings.objects.get(pk=organization_id)
    before = _as_audited([row.threshold for row in settings.thresholds.all()], settings.audience)
    after = _as_audited(thresholds, audience)
    if before == after:
        return False
    _replace(settings, set(thresholds), audience)
    _follow(machine, [organization.pk])
    audit_append(
        context, BALANCE_ALERTS_CHANGED, settings.audit_target, before=before, after=after, reason=reason.strip()
    )
    return True


def _replace(settings: AlertSettings, wanted: Collection[Threshold], audience: Audience) -> None:
    former = {row.threshold: row.pk for row in settings.thresholds.all()}
    AlertThreshold.objects.filter(pk__in=[pk for one, pk in former.items() if one not in wanted]).delete()
    _add([(settings, one) for one in sorted(wanted) if one not in former])
    settings.audience, settings.is_chosen = audience, True
    settings.next_look_at = clock.now() if any(one.kind == ThresholdKind.DAYS for one in wanted) else None
    settings.save(update_fields=["audience", "is_chosen", "next_look_at"])


def _as_audited(thresholds: Collection[Threshold], audience: str) -> dict[str, object]:
    return {"thresholds": [str(one) for one in sorted(set(thresholds))], "audience": str(audience)}


def _lists(ids: Sequence[UUID]) -> list[Sequence[UUID]]:
    return [ids[start : start + _LIST] for start in range(0, len(ids), _LIST)]


@transaction.atomic
def _begin(context: ExecutionContext, ids: Sequence[UUID]) -> None:
    """Give these accounts the usual thresholds, where they have none; what is low already is told to nobody."""
    now = clock.now()
    accounts = accounts_with_purchase(ids)
    rows = [
        AlertSettings(pk=pk, last_sequence=account.last_sequence, next_look_at=now)
        for pk, (account, _) in sorted(accounts.items())
    ]
    AlertSettings.objects.bulk_create(rows, ignore_conflicts=True)
    # Whoever came first holds the rows: only who finds no threshold under the lock adds the usual ones.
    locked = list(_locked(ids))
    have = set(AlertThreshold.objects.filter(settings__in=ids).values_list("settings", flat=True))
    begun = [settings for settings in locked if not settings.is_chosen and settings.pk not in have]
    if begun:
        _add([(settings, one) for settings in begun for one in DEFAULTS])
        _follow(context, [settings.pk for settings in begun])


def _add(thresholds: Sequence[tuple[AlertSettings, Threshold]]) -> None:
    AlertThreshold.objects.bulk_create(
        AlertThreshold(settings=settings, kind=one.kind, value=one.value) for settings, one in thresholds
    )


def _follow(context: ExecutionContext, ids: Sequence[UUID]) -> int:
    """Judge the balances of these accounts since their positions, in the caller's transaction; how many were told."""
    locked = list(_locked(ids))
    accounts = accounts_with_purchase(ids)
    parts = [(row.pk, row.last_sequence + 1, accounts[row.pk][0].last_sequence) for row in locked]
    peaks = peaks_of_parts([part for part in parts if part[1] <= part[2]])
    thresholds = _thresholds(ids, BALANCE_KINDS)
    found = []
    for settings in locked:
        account, last_purchase = accounts[settings.pk]
        for row in thresholds.get(settings.pk, ()):
            level = level_of(row.threshold, last_purchase=last_purchase)
            if level is not None:
                verdict = judge(row.is_low, level, value=account.balance, peak=peaks.get(settings.pk))
                found.append(Found(settings, row, verdict, account.balance))
        settings.last_sequence = account.last_sequence
    AlertSettings.objects.bulk_update(locked, ["last_sequence"])
    return _settle(context, found)


def _look(context: ExecutionContext, ids: Sequence[UUID]) -> int:
    """The same for the runways of these accounts, with the moments of their next looks."""
    now = clock.now()
    locked = list(_locked(ids))
    runways = runways_of(ids, now)
    accounts = accounts_with_purchase(ids)
    thresholds = _thresholds(ids, {ThresholdKind.DAYS})
    found = []
    for settings in locked:
        outlook, rows = runways[settings.pk], thresholds.get(settings.pk, [])
        is_spending = outlook.a_day > 0
        # A pace of a few days says nothing yet: how the threshold stands is left as it is.
        is_known = outlook.days is not None or not is_spending
        for row in rows if is_known else ():
            verdict = judge(row.is_low, row.value, value=outlook.days)
            found.append(Found(settings, row, verdict, accounts[settings.pk][0].balance, outlook.days))
        largest = max((row.value for row in rows), default=0)
        settings.next_look_at = _next(rows, outlook.days, is_spending=is_spending, largest=largest, now=now)
    AlertSettings.objects.bulk_update(locked, ["next_look_at"])
    return _settle(context, found)


def _next(
    rows: Sequence[AlertThreshold], days: int | None, *, is_spending: bool, largest: int, now: datetime
) -> datetime | None:
    return next_look(days, is_spending=is_spending, largest=largest, now=now) if rows else None


def _settle(context: ExecutionContext, found: Sequence[Found]) -> int:
    """Write down how the thresholds stand, and tell of what was crossed or has recovered; how many were told."""
    now = clock.now()
    changed = [one.row for one in found if _stand(one.row, one.verdict, now)]
    AlertThreshold.objects.bulk_update(changed, ["is_low", "changed_at", "times"])
    return sum(alert_record(context, list(some)) for _, some in groupby(found, key=lambda one: one.settings.pk))


def _stand(row: AlertThreshold, verdict: Verdict, now: datetime) -> bool:
    """Take the verdict over; whether that changed anything."""
    if row.is_low == verdict.is_low and not verdict.has_crossed:
        return False
    row.is_low, row.changed_at = verdict.is_low, now
    row.times += verdict.has_crossed
    return True


def _locked(ids: Sequence[UUID]) -> QuerySet[AlertSettings]:
    rows = AlertSettings.objects.select_for_update(of=("self",)).select_related("organization")
    return rows.filter(pk__in=ids).order_by("pk")


def _thresholds(ids: Sequence[UUID], kinds: Collection[ThresholdKind]) -> dict[UUID, list[AlertThreshold]]:
    found: dict[UUID, list[AlertThreshold]] = {}
    for row in AlertThreshold.objects.filter(settings__in=ids, kind__in=kinds).order_by("settings", "kind", "value"):
        found.setdefault(row.settings_id, []).append(row)
    return found
