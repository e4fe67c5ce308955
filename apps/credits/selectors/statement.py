"""An account's entries for a person to read: filtered, page by page, or all of them for an export."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef, Prefetch, QuerySet

from apps.core.ids import OrganizationId
from apps.core.pieces import in_pieces
from apps.credits.enums import EntryKind
from apps.credits.models import CreditEntry, CreditGrant, GrantBurn
from apps.credits.selectors.policies import priced_operations
from apps.subscriptions.enums import ReceiptKind, Verdict
from apps.subscriptions.models import DecisionReceipt
from apps.tenants.models import Membership, Product, ProductRelation, User, Workspace
from apps.tenants.selectors.members import FORMER_MEMBER, SUPPORT

# The kinds of entries that are about usage, and so about a workspace or none.
USES = (EntryKind.CONSUMPTION, EntryKind.CAPTURE, EntryKind.REVERSAL)
_CHUNK = 1_000
_LATELY = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries; `since` and `until` are moments of recording, the second one not included."""

    kind: EntryKind | None = None
    product_id: UUID | None = None
    workspace_id: UUID | None = None
    without_workspace: bool = False
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class EntryPage:
    """One page, newest first. `older_than` is the place from which the next page goes on, None on the last one."""

    entries: Sequence[CreditEntry]
    older_than: int | None


def filtered_entries(account_id: UUID, wanted: EntryFilter) -> QuerySet[CreditEntry]:
    """The account's entries that are wanted, newest first, with all that explains them."""
    rows = CreditEntry.objects.filter(account_id=account_id)
    if wanted.kind:
        rows = rows.filter(kind=wanted.kind)
    if wanted.product_id:
        rows = rows.filter(product_id=wanted.product_id)
    if wanted.workspace_id:
        rows = rows.filter(workspace_id=wanted.workspace_id)
    if wanted.without_workspace:
        rows = rows.filter(workspace_id=None, kind__in=USES)
    if wanted.since:
        rows = rows.filter(recorded_at__gte=wanted.since)
    if wanted.until:
        rows = rows.filter(recorded_at__lt=wanted.until)
    burns = Prefetch("burns", GrantBurn.objects.select_related("grant").order_by("pk"))
    return rows.select_related("grant", "reversal_of").prefetch_related(burns).order_by("-sequence")


def entry_page(account_id: UUID, wanted: EntryFilter, *, before: int | None, size: int) -> EntryPage:
    """The page that begins below the place `before`; the first one without it."""
    rows = filtered_entries(account_id, wanted)
    if before is not None:
        rows = rows.filter(sequence__lt=before)
    found = list(rows[: size + 1])
    entries = found[:size]
    return EntryPage(entries, entries[-1].sequence if len(found) > size else None)


def all_entries(account_id: UUID, wanted: EntryFilter) -> Iterator[CreditEntry]:
    """Every entry that is wanted, in chunks, however many there are."""
    yield from in_pieces(filtered_entries(account_id, wanted), key=["-sequence"], size=_CHUNK)


def refused_lately(organization_id: OrganizationId, now: datetime, *, most: int) -> list[DecisionReceipt]:
    """The organization's latest refusals of credits in 30 days, newest first."""
    rows = DecisionReceipt.objects.filter(
        organization_id=organization_id, decision=Verdict.DENY, kind=ReceiptKind.CREDITS, created_at__gt=now - _LATELY
    )
    return list(rows.order_by("-created_at")[:most])


def product_names() -> dict[UUID, str]:
    """The products' names by id."""
    return dict(Product.objects.order_by("name").values_list("pk", "name"))


def used_products(organization_id: OrganizationId) -> set[UUID]:
    """The products that may speak of the organization: those that it uses."""
    return set(ProductRelation.objects.filter(organization=organization_id).values_list("product_id", flat=True))


def workspace_names(organization_id: OrganizationId) -> dict[UUID, str]:
    """The names of the organization's workspaces by id."""
    return dict(Workspace.objects.filter(organization=organization_id).order_by("name").values_list("pk", "name"))


def operation_units(product_ids: Iterable[UUID], at: datetime) -> dict[tuple[UUID, str], str]:
    """The unit of each operation that these products have had a price for, by product and operation."""
    return {key: price.unit for key, price in priced_operations(sorted(product_ids), at).items()}


def people_names(organization_id: OrganizationId, ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """What the acting people are called. Of somebody who is no member the address is not told; staff are support."""
    wanted = {found for found in ids if found}
    if not wanted:
        return {}
    is_member = Exists(Membership.objects.filter(organization=organization_id, user=OuterRef("pk")))
    people = User.objects.filter(pk__in=wanted).annotate(is_member=is_member)
    return {person.pk: _name_of(person, is_member=person.is_member) for person in people}


def _name_of(person: User, *, is_member: bool) -> str:
    if is_member:
        return person.name or person.email
    return SUPPORT if person.is_staff else person.name or FORMER_MEMBER


def grants_with_rest(account_id: UUID, now: datetime) -> list[CreditGrant]:
    """The grants that can pay, in the order in which they will, and those that begin later, last."""
    return grants_of_accounts([account_id], now)[account_id]


def grants_of_accounts(ids: Sequence[UUID], now: datetime) -> dict[UUID, list[CreditGrant]]:
    """The same of each account, with two statements in all."""
    grants = CreditGrant.objects.filter(account__in=ids)
    live = grants.filter(is_spent=False).order_by("priority", "expires_at", "created_at", "pk")
    waiting = grants.filter(is_posted=False, voided_at__isnull=True, effective_at__gt=now)
    found: dict[UUID, list[CreditGrant]] = {key: [] for key in ids}
    for grant in [*live, *waiting.order_by("effective_at", "pk")]:
        found[grant.account_id].append(grant)
    return found
