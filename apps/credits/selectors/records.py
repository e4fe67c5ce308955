"""Entries, grants, burns and holds of an account, to read page by page (spec 09, Credits)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Sum
from django.db.models.functions import Coalesce

from apps.credits.enums import GrantState
from apps.credits.models import CreditEntry, CreditGrant, GrantBurn, UncoveredCharge
from apps.credits.rules.grant_states import grant_state
from apps.tenants.models import Product


def product_slugs(ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """The slugs of the products, by id."""
    wanted = {each for each in ids if each is not None}
    return dict(Product.objects.filter(pk__in=wanted).values_list("pk", "slug")) if wanted else {}


def grant_owners(entries: Sequence[CreditEntry]) -> dict[UUID, UUID | None]:
    """Of the entries that no product booked: whose grant each is about, by the grant's id."""
    wanted = {entry.grant_id for entry in entries if entry.product_id is None and entry.grant_id is not None}
    return dict(CreditGrant.objects.filter(pk__in=wanted).values_list("pk", "product_id")) if wanted else {}


def burns_of_entry(entry_id: UUID) -> list[GrantBurn]:
    """What the entry took of which grant, in the order in which it did; negative: what it gave back."""
    return list(GrantBurn.objects.filter(entry_id=entry_id).select_related("grant").order_by("pk"))


def unpaid_of(entry_id: UUID) -> int:
    """What no grant has paid yet of the charge."""
    left = UncoveredCharge.objects.filter(pk=entry_id).values_list("amount_left", flat=True).first()
    return left or 0


def given_back_of(entry_id: UUID) -> int:
    """What reversals gave back of the charge so far."""
    total: int = CreditEntry.objects.filter(reversal_of_id=entry_id).aggregate(sum=Coalesce(Sum("amount"), 0))["sum"]
    return total


def upcoming_grants(account_id: UUID, now: datetime, *, at_most: int = 5) -> list[CreditGrant]:
    """The grants that begin next."""
    waiting = CreditGrant.objects.filter(account_id=account_id, is_posted=False, voided_at__isnull=True)
    return list(waiting.filter(effective_at__gt=now).order_by("effective_at", "pk")[:at_most])


def state_of(grant: CreditGrant, now: datetime) -> GrantState:
    """What has become of the grant."""
    return grant_state(
        is_posted=grant.is_posted,
        remaining=grant.remaining,
        expires_at=grant.expires_at,
        voided_at=grant.voided_at,
        now=now,
    )
