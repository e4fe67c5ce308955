"""Tracks credits: grants that were posted, accounts that ran out (spec 04, Tracking).

Derived from what credits keeps anyway, its entries and its refusals, so that neither a consumption nor a refusal costs
a statement more. Each cause has its own key: looking again, or twice at once, finds nothing new. Which accounts are
looked at, the positions of `services.credit_stops` say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, Min, OuterRef, Q, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Cast, Concat

from apps.core.amounts import format_micro
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId
from apps.credits.models import CreditAccount, CreditEntry, CreditGrant
from apps.credits.selectors.parts import grants_of_parts
from apps.payments.models import BillingEvent
from apps.payments.tracking import CreditsExhausted, CreditsGranted, Tracked, billing_event_record
from apps.subscriptions.enums import ReceiptKind, Verdict
from apps.subscriptions.models import DecisionReceipt
from apps.tenants.models import Organization

_REFUSED_FOR_WANT = "insufficient_credits"
_GRANTED, _EXHAUSTED = "credits_granted:", "credits_exhausted:"


@dataclass(frozen=True, slots=True)
class CreditScope:
    """Whose credits are looked at; None: everybody's."""

    organization_id: UUID | None
    include_demo: bool

    def accounts(self) -> QuerySet[Organization]:
        """The organizations that are meant."""
        found = Organization.objects.all() if self.include_demo else Organization.objects.filter(is_demo=False)
        return found.filter(pk=self.organization_id) if self.organization_id else found


def track_grants(context: ExecutionContext, parts: Sequence[tuple[UUID, int, int]]) -> int:
    """Record `Credits Granted` for each grant among these entries, when it begins to count; how many were new."""
    count = 0
    for entry in grants_of_parts(parts):
        grant_type = entry.grant.grant_type if entry.grant else ""
        properties = CreditsGranted(format_micro(entry.amount), grant_type)
        count += _record(context, f"{_GRANTED}{entry.pk}", entry.account_id, entry.recorded_at, properties)
    return count


def track_exhaustion(
    context: ExecutionContext, ids: Sequence[UUID], *, since: datetime | None, of_refusals: bool = True
) -> int:
    """Record `Credits Exhausted` of these accounts, once between two grants of each; how many were new.

    An account is exhausted when something is refused for want of credits, or when nothing may be spent any more. One
    that never had credits has none to run out of.
    """
    count = 0
    refusals = _find_refusals(ids, since) if of_refusals else ()
    for key, account, at in (*refusals, *_find_empty_accounts(ids)):
        entries = CreditEntry.objects.filter(account=account, recorded_at__lte=at)
        balance = entries.order_by("-sequence").values_list("balance_after", flat=True).first()
        count += _record(context, key, account, at, CreditsExhausted(format_micro(balance or 0)))
    return count


def find_refused(scope: CreditScope, since: datetime | None) -> list[UUID]:
    """The accounts to which something was refused for want of credits."""
    receipts = _refusals(since).filter(organization_id__in=scope.accounts().values("pk"))
    found = receipts.order_by().values_list("organization_id", flat=True).distinct()
    return sorted(account for account in found if account is not None)


def _refusals(since: datetime | None) -> QuerySet[DecisionReceipt]:
    receipts = DecisionReceipt.objects.filter(kind=ReceiptKind.CREDITS, decision=Verdict.DENY, code=_REFUSED_FOR_WANT)
    return receipts.filter(created_at__gte=since) if since is not None else receipts


def _find_refusals(ids: Sequence[UUID], since: datetime | None) -> Iterator[tuple[str, UUID, datetime]]:
    """The earliest refusal after each account's latest grant."""
    receipts = _refusals(since).filter(organization_id__in=ids)
    asked = receipts.annotate(grant=_grant_before(OuterRef("organization_id"), OuterRef("created_at")))
    found = asked.filter(grant__isnull=False).annotate(event_key=_key(F("organization_id"), F("grant")))
    firsts = found.filter(~_is_recorded()).values("event_key", "organization_id").annotate(at=Min("created_at"))
    for key, account, at in firsts.values_list("event_key", "organization_id", "at"):
        if account is not None:
            yield key, account, at


def _find_empty_accounts(ids: Sequence[UUID]) -> Iterator[tuple[str, UUID, datetime]]:
    """Those with nothing left but what they hold."""
    accounts = CreditAccount.objects.filter(balance__lte=-F("overdraft_limit"), last_sequence__gt=0)
    accounts = accounts.filter(pk__in=ids)
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
