"""What was imported of a product's balances, and which accounts a file may name (spec 02, Cutover)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar
from uuid import UUID

from django.db.models import Count, Sum

from apps.core.ids import ProductId
from apps.credits.enums import AccountType
from apps.credits.models import ImportedBalance
from apps.credits.rules.balance_file import BalanceLine, LineFault
from apps.credits.rules.balance_plan import KnownBalance
from apps.tenants.personal_accounts import PersonalFacts, may_use_personal_account
from apps.tenants.standings import OrganizationStanding, organization_standings, person_standings

_AT_ONCE = 1_000
_NOBODY = PersonalFacts(user_exists=False)
Standing = TypeVar("Standing")
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class ImportedTotal:
    """How many balances of a product are imported, and their sum in micro-credits."""

    count: int
    total: int


def imported_total(product_id: ProductId) -> ImportedTotal:
    found = ImportedBalance.objects.filter(product=product_id).aggregate(count=Count("pk"), total=Sum("balance"))
    return ImportedTotal(found["count"], found["total"] or 0)


def known_balances(product_id: ProductId, refs: Sequence[str]) -> dict[str, KnownBalance]:
    """Those of the references that were imported before."""
    rows = ImportedBalance.objects.filter(product=product_id)
    columns = ("external_ref", "account_type", "account_id", "balance")
    return {
        ref: KnownBalance(AccountType(account_type), account_id, balance)
        for some in _portions(refs)
        for ref, account_type, account_id, balance in rows.filter(external_ref__in=some).values_list(*columns)
    }


def account_faults(product_id: ProductId, lines: Sequence[BalanceLine]) -> Iterator[LineFault]:
    """The lines whose account does not exist, or is not the product's to speak of."""
    organizations = _found(product_id, lines, AccountType.ORGANIZATION, organization_standings)
    people = _found(product_id, lines, AccountType.USER, person_standings)
    for line in lines:
        if line.account_type is AccountType.USER:
            sentence = person_fault(line, people.get(line.account_id, _NOBODY))
        else:
            sentence = organization_fault(line, organizations.get(line.account_id))
        if sentence:
            yield LineFault(line.number, sentence)


def organization_fault(line: BalanceLine, standing: OrganizationStanding | None) -> str:
    """Why this organization's account can't be named; empty where it can."""
    if standing is None:
        return f"there is no organization {line.account_id}. Report it first, with organizations:upsert."
    if not standing.is_related:
        return f"the product has no access to the organization {line.account_id}. Relate the two first."
    if not standing.is_customer:
        return f"the organization {line.account_id} is a demo or of a cutover check: it has no real balance."
    if not standing.is_open:
        return f"the organization {line.account_id} is closed."
    return ""


def person_fault(line: BalanceLine, facts: PersonalFacts) -> str:
    """Why this person's account can't be named; empty where it can. Others' people are as those who don't exist."""
    if may_use_personal_account(facts):
        return ""
    return f"there is no user {line.account_id} whom this product may speak of. Report the person first."


def _found(
    product_id: ProductId,
    lines: Sequence[BalanceLine],
    account_type: AccountType,
    read: Callable[[ProductId, list[UUID]], dict[UUID, Standing]],
) -> dict[UUID, Standing]:
    ids = list(dict.fromkeys(line.account_id for line in lines if line.account_type is account_type))
    return {pk: standing for some in _portions(ids) for pk, standing in read(product_id, some).items()}


def _portions(items: Sequence[Item]) -> Iterator[list[Item]]:
    rest = iter(items)
    while some := list(islice(rest, _AT_ONCE)):
        yield some
