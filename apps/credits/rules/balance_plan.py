"""What a file of balances would book, compared with what was imported before: pure (spec 02, Cutover)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from apps.core.amounts import format_micro
from apps.credits.enums import AccountType
from apps.credits.rules.balance_file import BalanceLine, LineFault


@dataclass(frozen=True, slots=True)
class KnownBalance:
    """What was imported before under a reference; micro-credits."""

    account_type: AccountType
    account_id: UUID
    balance: int


@dataclass(slots=True)
class BalancePlan:
    """How many lines are new, as before, or told otherwise, and by how much they change what is booked here.

    `known` is what was imported of the file's references before. Amounts are micro-credits.
    """

    fresh: int = 0
    unchanged: int = 0
    changed: int = 0
    file: int = 0
    booked: int = 0
    known: int = 0
    faults: list[LineFault] = field(default_factory=list)


def plan_of(lines: Iterable[BalanceLine], known: Mapping[str, KnownBalance], *, is_update: bool) -> BalancePlan:
    """The plan; a reference of another account is a fault, and so is another balance without `is_update`."""
    plan = BalancePlan()
    for line in lines:
        before = known.get(line.external_ref)
        plan.file += line.balance
        if before is None:
            plan.fresh += 1
            plan.booked += line.balance
            continue
        plan.known += before.balance
        if (before.account_type, before.account_id) != (line.account_type, line.account_id):
            plan.faults.append(LineFault(line.number, _of_another(line, before)))
        elif before.balance == line.balance:
            plan.unchanged += 1
        elif is_update:
            plan.changed += 1
            plan.booked += line.balance - before.balance
        else:
            plan.faults.append(LineFault(line.number, changed_sentence(line, before.balance)))
    return plan


def changed_sentence(line: BalanceLine, before: int) -> str:
    """Why another balance than the one before is refused, with both figures."""
    return (
        f"{line.external_ref!r} was imported with {format_micro(before)}, and is {format_micro(line.balance)} now. To "
        "book the difference, import the file as an update."
    )


def _of_another(line: BalanceLine, before: KnownBalance) -> str:
    return (
        f"{line.external_ref!r} was imported for the {before.account_type.value} {before.account_id}, and names "
        "another account now. Give this balance a reference of its own."
    )
