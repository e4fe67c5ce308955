"""Tracks credits: grants that were posted, accounts that ran out (spec 04, Tracking).

Derived from what credits keeps anyway, its entries and its refusals, so that neither a consumption nor a refusal costs
a statement more. Each cause has its own key: looking again, or twice at once, finds nothing new.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, Min, OuterRef, Q, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Cast, Concat

from apps.core.amounts import format_micro
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.credits.enums import EntryKind
from apps.credits.models import CreditAccount, CreditEntry, CreditGrant
from apps.payments.models import BillingEvent
from apps.payments.tracking import CreditsExhausted, CreditsGranted, Tracked, billing_event_record
from apps.subscriptions.enums import ReceiptKind, Verdict
from apps.subscriptions.models import DecisionReceipt
from apps.tenants.models import Organization

_REFUSED_FOR_WANT = "insufficient_credits"
_GRANTED, _EXHAUSTED = "credits_granted:", "credits_exhausted:"


@dataclass(frozen=True, slots=True)
class CreditScope:
    """Whose credits are looked at, and since when; None: everybody's, and always."""

    since: datetime | None
    organization_id: UUID | None
    include_demo: bool

    def accounts(self) -> QuerySet[Organization]:
        """The organizations that are meant."""
        found = Organization.objects.all() if self.include_demo else Organization.objects.filter(is_demo=False)
        return found.filter(pk=self.organization_id) if self.organization_id else found


def track_grants(context: ExecutionContext, scope: CreditScope) -> int:
    """Record `Credits Granted` for each grant when it begins to count; how many were new."""
    entries = CreditEntry.objects.filter(kind=EntryKind.GRANT, account__in=scope.accounts().values("pk"))
    if scope.since is not None:
        entries = entries.filter(recorded_at__gte=scope.since)
    key = Concat(Value(_GRANTED), Cast("pk", TextField()), output_field=TextField())
    found = entries.annotate(event_key=key).filter(~_is_recorded())
    values = found.values_list("event_key", "account_id", "recorded_at", "amount", "grant__grant_type")
    return sum(
        _record(context, key, account, at, CreditsGranted(format_micro(amount), grant_type or ""))
        for key, account, at, amount, grant_type in values.order_by("recorded_at")
    )


def track_exhaustion(context: ExecutionContext, scope: CreditScope) -> int:
    """Record `Credits Exhausted` once between two grants of an account; how many were new.

    An account is exhausted when something is refused for want of credits, or when nothing may be spent any more. One
    that never had credits has none to run out of.
    """
    count = 0
    for key, account, at in (*_find_refusals(scope), *_find_empty_accounts(scope)):
        entries = CreditEntry.objects.filter(account=account, recorded_at__lte=at)
        balance = entries.order_by("-sequence").values_list("balance_after", flat=True).first()
        count += _record(context, key, account, at, CreditsExhausted(format_micro(balance or 0)))
    return count


def _find_refusals(scope: CreditScope) -> Iterator[tuple[str, UUID, datetime]]:
    """The earliest refusal after each account's latest grant."""
    receipts = DecisionReceipt.objects.filter(kind=ReceiptKind.CREDITS, decision=Verdict.DENY, code=_REFUSED_FOR_WANT)
    receipts = receipts.filter(organization_id__in=scope.accounts().values("pk"))
    if scope.since is not None:
        receipts = receipts.filter(created_at__gte=scope.since)
    asked = receipts.annotate(grant=_grant_before(OuterRef("organization_id"), OuterRef("created_at")))
    found = asked.filter(grant__isnull=False).annotate(event_key=_key(F("organization_id"), F("grant")))
    firsts = found.filter(~_is_recorded()).values("event_key", "organization_id").annotate(at=Min("created_at"))
    for key, account, at in firsts.values_list("event_key", "organization_id", "at"):
        if account is not None:
            yield key, account, at


def _find_empty_accounts(scope: CreditScope) -> Iterator[tuple[str, UUID, datetime]]:
    """Accounts with nothing left but what they hold; since when is not asked, as it shows until the next grant."""
    accounts = CreditAccount.objects.filter(balance__lte=-F("overdraft_limit"), last_sequence__gt=0)
    accounts = accounts.filter(pk__in=scope.accounts().values("pk"))
    last = CreditEntry.objects.filter(account=OuterRef("pk"), sequence=OuterRef("last_sequence"))
    asked = accounts.annotate(at=Subquery(last.values("recorded_at")[:1]))
    asked = asked.annotate(grant=_grant_before(OuterRef("pk"), OuterRef("at"))).filter(grant__isnull=False)
    found = asked.annotate(event_key=_key(F("pk"), F("grant"))).filter(~_is_recorded())
    yield from found.values_list("event_key", "pk", "at")


def _grant_before(account: OuterRef, moment: OuterRef) -> Subquery:
    grants = CreditGrant.objects.filter(account=account, is_posted=True)
    # A grant of the past that was made later did not count yet.
    grants = grants.filter(Q(created_at__lte=moment) & Q(effective_at__lte=moment))
    return Subquery(grants.order_by("-created_at", "pk").values("pk")[:1])


def _key(account: F, grant: F) -> Concat:
    """One exhaustion lasts from a grant to the next one."""
    parts = (Value(_EXHAUSTED), Cast(account, TextField()), Value(":"), Cast(grant, TextField()))
    return Concat(*parts, output_field=TextField())


def _is_recorded() -> Exists:
    return Exists(BillingEvent.objects.filter(key=OuterRef("event_key")))


@transaction.atomic
def _record(context: ExecutionContext, key: str, account: UUID, at: datetime, properties: Tracked) -> bool:
    organization_id = OrganizationId(account)
    return billing_event_record(
        context, properties=properties, organization_id=organization_id, occurred_at=at, key=key
    )
