"""What follows when thresholds were crossed or have recovered: an audit entry each, and one mail an addressee."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.core.outbox import outbox_enqueue
from apps.core.outbox_handlers import EMAIL_KIND
from apps.reporting.events import BALANCE_EXHAUSTED, BALANCE_LOW, BALANCE_RECOVERED
from apps.reporting.mails import alert_mail
from apps.reporting.models import AlertSettings, AlertThreshold
from apps.reporting.rules.alerts import ThresholdKind, Verdict, event_of
from apps.reporting.selectors.alerts import addressees_of

_EVENTS = {event.name: event for event in (BALANCE_LOW, BALANCE_EXHAUSTED)}


@dataclass(frozen=True, slots=True)
class Found:
    """One threshold as a look found it; `days` the runway, where that was looked at."""

    settings: AlertSettings
    row: AlertThreshold
    verdict: Verdict
    balance: int
    days: int | None = None


def alert_record(context: ExecutionContext, looked_at: Sequence[Found]) -> bool:
    """Write down and mail what one look at an account found; whether anybody was to be told.

    One look is one mail, whatever it crossed: by the gravest of it. Nothing follows for synthetic organizations, and
    the mails of a demo are kept and not sent.
    """
    settings = looked_at[0].settings
    crossed = [one for one in looked_at if one.verdict.has_crossed]
    recovered = [one for one in looked_at if one.verdict.has_recovered]
    if settings.organization.is_synthetic or not (crossed or recovered):
        return False
    for one in (*crossed, *recovered):
        event = _EVENTS[event_of(one.row.threshold)] if one.verdict.has_crossed else BALANCE_RECOVERED
        after = {"threshold": str(one.row.threshold), "balance": str(one.balance), "days": one.days}
        audit_append(context, event, settings.audit_target, after=after)
    if crossed:
        _mail(context, settings, crossed)
    return bool(crossed)


def _mail(context: ExecutionContext, settings: AlertSettings, crossed: Sequence[Found]) -> None:
    gravest = min(crossed, key=lambda one: (one.row.kind != ThresholdKind.CREDITS, one.row.value))
    for addressee in addressees_of(settings):
        outbox_enqueue(
            context,
            kind=EMAIL_KIND,
            key=f"balance-alert:{gravest.row.pk}:{gravest.row.times}:{addressee.key}",
            payload=alert_mail(
                settings.organization,
                addressee,
                threshold=gravest.row.threshold,
                balance=gravest.balance,
                days=gravest.days,
            ),
            organization_id=OrganizationId(settings.pk),
            is_demo=settings.organization.is_demo,
        )
