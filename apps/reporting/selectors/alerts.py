"""What balance alerts are judged by: balances, what was purchased last, the pace, and who is told."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db.models import OuterRef, Q, QuerySet, Subquery, Sum

from apps.core.moments import in_zone, zone_of
from apps.credits.enums import EntryKind, GrantType
from apps.credits.models import CreditAccount, CreditGrant
from apps.credits.rules.forecast import WINDOW_DAYS, Forecast
from apps.credits.selectors.forecast import Pace, runways_at_pace
from apps.reporting.models import AlertSettings, CreditRollup
from apps.reporting.rules.alerts import DEFAULTS, Audience, Threshold
from apps.reporting.selectors.reports import ADMINS, mailed_recipients
from apps.tenants.models import Membership, Organization

_SPENDING = (EntryKind.CONSUMPTION, EntryKind.CAPTURE)


@dataclass(frozen=True, slots=True)
class AlertScope:
    """Whose accounts are looked at; None: everybody's. Never synthetic or closed ones."""

    organization_id: UUID | None
    include_demo: bool

    def organizations(self) -> QuerySet[Organization]:
        """The organizations that are meant."""
        found = Organization.objects.filter(is_synthetic=False, closed_at=None, credit_account__isnull=False)
        found = found if self.include_demo else found.filter(is_demo=False)
        return found.filter(pk=self.organization_id) if self.organization_id else found


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an organization's page shows: the thresholds, whether they are the usual, and whom they are mailed to."""

    settings: AlertSettings | None
    thresholds: tuple[Threshold, ...]
    audience: Audience


def wanted_alerts(organization_id: UUID) -> Wanted:
    """The alerts of the organization; the usual ones where the job did not begin yet."""
    settings = AlertSettings.objects.prefetch_related("thresholds").filter(pk=organization_id).first()
    if settings is None:
        return Wanted(None, DEFAULTS, Audience.ADMINS)
    thresholds = sorted(row.threshold for row in settings.thresholds.all())
    return Wanted(settings, tuple(thresholds), Audience(settings.audience))


def accounts_with_purchase(ids: Sequence[UUID]) -> dict[UUID, tuple[CreditAccount, int | None]]:
    """The accounts, each with what was purchased last, in micro-credits."""
    purchases = CreditGrant.objects.filter(
        account=OuterRef("pk"), grant_type=GrantType.PURCHASED, is_posted=True, voided_at=None
    ).order_by("-created_at")
    found = CreditAccount.objects.filter(pk__in=ids).annotate(last_purchase=Subquery(purchases.values("amount")[:1]))
    return {account.pk: (account, account.last_purchase) for account in found}


def runways_of(ids: Sequence[UUID], now: datetime) -> dict[UUID, Forecast]:
    """How long the credits of each account last, at the pace that its rollups say."""
    accounts = CreditAccount.objects.filter(pk__in=ids).select_related("rollup_state", "organization")
    # A day more than is counted, as the accounts' zones differ.
    since = (now - timedelta(days=WINDOW_DAYS + 1)).date()
    spent: dict[UUID, dict[date, int]] = defaultdict(dict)
    rollups = CreditRollup.objects.filter(account__in=ids, recorded_on__gte=since, kind__in=_SPENDING)
    for account_id, day, amount in rollups.values_list("account", "recorded_on").annotate(sum=Sum("amount")):
        if amount < 0:
            spent[account_id][day] = -int(amount)
    return runways_at_pace({account: _pace(account, spent[account.pk], now) for account in accounts}, now=now)


def _pace(account: CreditAccount, spent: dict[date, int], now: datetime) -> Pace:
    state = getattr(account, "rollup_state", None)
    zone = state.zone if state is not None else account.organization.time_zone
    today = in_zone(now, zone_of(zone)).date()
    counted = {day: amount for day, amount in spent.items() if day > today - timedelta(days=WINDOW_DAYS)}
    observed = (today - min(counted)).days + 1 if counted else 0
    return Pace(sum(counted.values()), observed)


@dataclass(frozen=True, slots=True)
class Addressee:
    """One mail's recipient: what names it in the mail's key, and the report recipient whose link ends the mails."""

    key: str
    email: str
    recipient_id: UUID | None = None


def addressees_of(settings: AlertSettings) -> list[Addressee]:
    """Whom an alert goes to: owners and admins, also where nobody of those who were chosen gets mail any more."""
    if settings.audience == Audience.REPORT_RECIPIENTS:
        chosen = [
            Addressee(str(one.pk), one.user.email if one.user is not None else one.email, one.pk)
            for one in mailed_recipients(settings.pk)
        ]
        if chosen:
            return chosen
    admins = Membership.objects.filter(Q(role__in=ADMINS), organization=settings.pk, user__is_active=True)
    found = admins.order_by("user__email").values_list("user", "user__email")
    return [Addressee(str(user_id), email) for user_id, email in found]
