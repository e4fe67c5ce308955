"""Who decides on credits, for one organization and at a cutover: pure rules (spec 02, Cutover)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from apps.tenants.enums import BillingMode, BillingModeSource

CHECK_LASTS = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ModeFacts:
    """What is set: for the product, for a percentage of its organizations, and for the organization."""

    product: BillingMode
    percentage: int = 0
    percentage_mode: BillingMode | None = None
    exception: BillingMode | None = None


@dataclass(frozen=True, slots=True)
class Mode:
    """The mode that holds, and what it comes from."""

    mode: BillingMode
    source: BillingModeSource


def bucket_of(organization_id: UUID) -> int:
    """The organization's place from 0 to 99, always the same; `tenants_billing_mode` in the database says the same."""
    return int.from_bytes(hashlib.sha256(organization_id.bytes).digest()[:4], "big") % 100


def mode_of(facts: ModeFacts, organization_id: UUID | None) -> Mode:
    """The exception for the organization, else the percentage, else the product."""
    if facts.exception is not None:
        return Mode(facts.exception, BillingModeSource.ORGANIZATION)
    is_within = organization_id is not None and bucket_of(organization_id) < facts.percentage
    if facts.percentage_mode is not None and is_within:
        return Mode(facts.percentage_mode, BillingModeSource.PERCENTAGE)
    return Mode(facts.product, BillingModeSource.PRODUCT)


@dataclass(frozen=True, slots=True)
class ShadowFigures:
    """The compared decisions of the last days, in whole days of UTC. What staff have explained counts as agreement."""

    days: int = 0
    compared: int = 0
    agreed: int = 0
    unexplained_amounts: int = 0


@dataclass(frozen=True, slots=True)
class GateLine:
    """One thing that central asks for; `said` is what there is, or what is missing."""

    name: str
    is_met: bool
    said: str


@dataclass(frozen=True, slots=True)
class Least:
    """What shadow mode must have shown before we decide (spec 02); settings say other figures."""

    days: int = 7
    compared: int = 1_000
    agreed_per_mille: int = 995


@dataclass(frozen=True, slots=True)
class CheckFacts:
    """The latest cutover check of a product, with what its shadow mode shows. Without a moment none was ever made."""

    finished_at: datetime | None
    has_passed: bool
    days: int
    compared: int
    agreed: int
    unexplained_amounts: int
    least: Least = Least()


def missing_for_central(check: CheckFacts, now: datetime) -> list[str]:
    """What is missing before the mode may become central, one sentence each; empty when nothing is."""
    return [line.said for line in gate_lines(check, now) if not line.is_met]


def gate_lines(check: CheckFacts, now: datetime) -> list[GateLine]:
    """The gate to central, line by line."""
    least = check.least
    needed = f"{least.agreed_per_mille // 10}.{least.agreed_per_mille % 10} %"
    per_mille = check.agreed * 1_000 // check.compared if check.compared else 0
    agreed = f"{per_mille // 10}.{per_mille % 10} % of decisions agree"
    return [
        _check_line(check, now),
        _line(
            "Days in shadow mode",
            check.days >= least.days,
            f"Shadow mode has run on {_count(check.days, 'day')}",
            f"{least.days} are needed",
        ),
        _line(
            "Compared decisions",
            check.compared >= least.compared,
            f"{_count(check.compared, 'decision')} compared",
            f"{least.compared:,} are needed",
        ),
        _line(
            "Agreement",
            check.agreed * 1_000 >= check.compared * least.agreed_per_mille,
            agreed if check.compared else "Nothing was compared",
            f"{needed} are needed",
        ),
        GateLine(
            "Differences in money",
            not check.unexplained_amounts,
            f"{_count(check.unexplained_amounts, 'difference')} in money not explained."
            if check.unexplained_amounts
            else "All are explained, or there is none.",
        ),
    ]


def _check_line(check: CheckFacts, now: datetime) -> GateLine:
    said = "The latest cutover check has passed, within a day."
    if check.finished_at is None:
        said = "No cutover check was ever made."
    elif not check.has_passed:
        said = "The latest cutover check has failed."
    elif check.finished_at <= now - CHECK_LASTS:
        said = "The latest cutover check is older than a day."
    return GateLine("Cutover check", said.endswith("within a day."), said)


def _line(name: str, is_met: bool, there: str, needed: str) -> GateLine:
    return GateLine(name, is_met, f"{there}." if is_met else f"{there}; {needed}.")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
