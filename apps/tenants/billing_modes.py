"""Who decides on credits, for one organization and at a cutover: pure rules (spec 02, Cutover)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from apps.tenants.enums import BillingMode, BillingModeSource

CHECK_LASTS = timedelta(days=1)
# What shadow mode must have shown before we decide (spec 02).
LEAST_DAYS, LEAST_COMPARED, LEAST_AGREED_PER_MILLE = 7, 1_000, 995


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
class CheckFacts:
    """The latest cutover check of a product, with what its shadow mode has shown."""

    finished_at: datetime
    has_passed: bool
    days: int
    compared: int
    agreed: int
    unexplained_amounts: int


def missing_for_central(check: CheckFacts | None, now: datetime) -> list[str]:
    """What is missing before the mode may become central, one sentence each; empty when nothing is."""
    if check is None:
        return ["No cutover check was ever made."]
    missing = []
    if not check.has_passed:
        missing.append("The latest cutover check has failed.")
    if check.finished_at <= now - CHECK_LASTS:
        missing.append("The latest cutover check is older than a day.")
    if check.days < LEAST_DAYS:
        missing.append(f"Shadow mode has run on {check.days} days; {LEAST_DAYS} are needed.")
    if check.compared < LEAST_COMPARED:
        missing.append(f"{check.compared:,} decisions were compared; {LEAST_COMPARED:,} are needed.")
    if check.agreed * 1_000 < check.compared * LEAST_AGREED_PER_MILLE:
        per_mille = check.agreed * 1_000 // check.compared
        missing.append(f"{per_mille // 10}.{per_mille % 10} % of decisions agree; 99.5 % are needed.")
    if check.unexplained_amounts:
        missing.append(f"{check.unexplained_amounts:,} differences in money are not explained.")
    return missing
