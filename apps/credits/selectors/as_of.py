"""What an account held at a moment of the past, and which prices were in force (spec 09, Balance `at`; spec 03)."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from uuid import UUID

from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from apps.core.models import AuditEntry
from apps.credits.enums import EntryKind, PolicyStatus
from apps.credits.events import OVERDRAFT_CHANGED
from apps.credits.models import CreditAccount, CreditEntry, CreditPolicy, Hold
from apps.credits.rules.months import AHEAD_AT_MOST, month_of
from apps.credits.rules.pricing import PolicyTerms
from apps.credits.selectors.policies import known_terms

_LONGEST_HOLD = timedelta(hours=24)
# A page adds up no more entries than these of one month.
MOST_OF_A_MONTH = 50_000


@dataclass(frozen=True, slots=True)
class Standing:
    """What stood in an account, in micro-credits."""

    balance: int = 0
    held: int = 0
    overdraft_limit: int = 0

    @property
    def available(self) -> int:
        """What could still be spent, the overdraft included."""
        return self.balance - self.held + self.overdraft_limit


def standing_at(account: CreditAccount, at: datetime) -> Standing:
    """The account as its entries, holds and audit log say that it was at the moment.

    Whatever fell due then counts from when it was recorded, at most a minute later. Costs about twenty look-ups in an
    index, however many entries there are.
    """
    return Standing(_balance_at(account, at), _held_at(account.pk, at), _overdraft_at(account, at))


def terms_at(product_id: UUID, at: datetime) -> PolicyTerms | None:
    """The policy that the product's requests were priced by at the moment: begun, and published by then."""
    policies = CreditPolicy.objects.filter(
        product_id=product_id, status=PolicyStatus.PUBLISHED, effective_from__lte=at, published_at__lte=at
    )
    policy_id = policies.order_by("-version").values_list("pk", flat=True).first()
    return None if policy_id is None else known_terms(product_id, policy_id)


def free_used_at(account: CreditAccount, product_id: UUID, operation: str, zone: tzinfo, at: datetime) -> int | None:
    """How much of the free quantity of the moment's month was used then, in micro-units; open holds count as used.

    None where more entries came in since the month began than are added up for a page.
    """
    month = month_of(at, zone)
    since = datetime.combine(month, time(), zone) - AHEAD_AT_MOST
    first, last = _place_at(account, since), _place_at(account, at)
    if last - first > MOST_OF_A_MONTH:
        return None
    of_operation = Q(product_id=product_id, operation=operation, free_month=month)
    entries = CreditEntry.objects.filter(of_operation, account=account, sequence__gt=first, sequence__lte=last)
    is_given_back = Q(kind=EntryKind.REVERSAL)
    used = entries.aggregate(
        taken=Coalesce(Sum("free_quantity", filter=~is_given_back), 0),
        back=Coalesce(Sum("free_quantity", filter=is_given_back), 0),
    )
    held: int = _open_holds(account.pk, at).filter(of_operation).aggregate(s=Coalesce(Sum("free_quantity"), 0))["s"]
    return int(used["taken"]) - int(used["back"]) + held


def _balance_at(account: CreditAccount, at: datetime) -> int:
    place = _place_at(account, at)
    entries = CreditEntry.objects.filter(account_id=account.pk, sequence=place)
    return entries.values_list("balance_after", flat=True).get() if place else 0


def _place_at(account: CreditAccount, at: datetime) -> int:
    """The place of the last entry that was recorded by then; 0 where there was none."""
    entries = CreditEntry.objects.filter(account_id=account.pk)

    def recorded_at(place: int) -> datetime:
        return entries.values_list("recorded_at", flat=True).get(sequence=place)

    # Places have no gap, and their moments rise with them, but for the milliseconds in which requests overtake.
    places = range(1, account.last_sequence + 1)
    return bisect_right(places, at, key=recorded_at)


def _held_at(account_id: UUID, at: datetime) -> int:
    held: int = _open_holds(account_id, at).aggregate(sum=Coalesce(Sum("amount"), 0))["sum"]
    return held


def _open_holds(account_id: UUID, at: datetime) -> QuerySet[Hold]:
    opened = Hold.objects.filter(account_id=account_id, created_at__lte=at, created_at__gt=at - _LONGEST_HOLD)
    return opened.filter(Q(ended_at__isnull=True) | Q(ended_at__gt=at), expires_at__gt=at)


def _overdraft_at(account: CreditAccount, at: datetime) -> int:
    later = AuditEntry.objects.filter(
        target_type=account.audit_target.kind,
        target_id=str(account.pk),
        event=OVERDRAFT_CHANGED.name,
        recorded_at__gt=at,
    )
    before = later.order_by("recorded_at").values_list("before", flat=True).first()
    return int(before["overdraft_limit"]) if before is not None else account.overdraft_limit
