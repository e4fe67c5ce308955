"""How a product's members are compared with ours: pure rules (spec 02, Membership authority).

Two streams in the order of (organization, user) become one list of pairs; each pair is a finding or agrees. Nothing
here holds more than one row of each stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from apps.core.enums import MembershipRole
from apps.tenants.enums import DriftClass, StopReason

Key = tuple[UUID, UUID]
# A product's first run imports so many by itself; above that a person looks first.
FIRST_RUN_AT_MOST = 1_000
# What may be missing, compared with the last complete report: both must be exceeded.
SHRUNKEN_ROWS, SHRUNKEN_PERCENT = 20, 20


@dataclass(frozen=True, slots=True)
class ReportedRow:
    """One member as the product has them. `changed_at` None: it does not say since when."""

    organization_id: UUID
    user_id: UUID
    role: MembershipRole
    changed_at: datetime | None = None
    email: str = ""

    @property
    def key(self) -> Key:
        return self.organization_id, self.user_id


@dataclass(frozen=True, slots=True)
class OurRow:
    """One membership as we have it. `is_personal`: of a person's own account, of which products don't report."""

    organization_id: UUID
    user_id: UUID
    role: MembershipRole
    changed_at: datetime
    is_personal: bool = False

    @property
    def key(self) -> Key:
        return self.organization_id, self.user_id


@dataclass(frozen=True, slots=True)
class RowFacts:
    """What else we know of a reported row.

    `is_left_out`: the organization is a demo, synthetic or closed. `is_taken`: the reported e-mail address is that of
    another user here. `removed_at`: when the membership last ended.
    """

    organization_exists: bool = True
    is_related: bool = True
    is_left_out: bool = False
    user_exists: bool = True
    is_taken: bool = False
    removed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What comes of one pair: a class of drift, an import, or neither where both sides agree."""

    drift_class: DriftClass | None = None
    is_import: bool = False


AGREED, IMPORT = Finding(), Finding(is_import=True)
RowT = TypeVar("RowT", ReportedRow, OurRow)


class UnsortedError(ValueError):
    """A stream is not in the order of its keys, or has one twice."""


def merge(
    reported: Iterable[ReportedRow], ours: Iterable[OurRow]
) -> Iterator[tuple[ReportedRow | None, OurRow | None]]:
    """Pair the two streams by their keys. Raises `UnsortedError` where one goes back or repeats a key."""
    theirs, mine = _ascending(reported), _ascending(ours)
    left, right = next(theirs, None), next(mine, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left.key < right.key):
            yield left, None
            left = next(theirs, None)
        elif left is None or right.key < left.key:
            yield None, right
            right = next(mine, None)
        else:
            yield left, right
            left, right = next(theirs, None), next(mine, None)


def _ascending(rows: Iterable[RowT]) -> Iterator[RowT]:
    last: Key | None = None
    for row in rows:
        if last is not None and row.key <= last:
            raise UnsortedError(f"{row.key} stands after {last}.")
        last = row.key
        yield row


def classify(reported: ReportedRow | None, ours: OurRow | None, facts: RowFacts) -> Finding:
    """What comes of the pair. Only what is missing here is changed, and only by an import.

    Owners are never imported, and nobody with a remembered removal, unless the report is later than it: a report
    without a time never is, and at the same time the removal wins.
    """
    if reported is None:
        return AGREED if ours is None or ours.is_personal else Finding(DriftClass.MISSING_THERE)
    if facts.organization_exists and facts.is_left_out:
        return AGREED
    stranger = _strangeness(facts)
    if stranger is not None:
        return Finding(stranger)
    return _compare_roles(reported.role, ours.role) if ours is not None else _judge_missing(reported, facts)


def _strangeness(facts: RowFacts) -> DriftClass | None:
    """What of the row is not known here, or is somebody else's; the gravest first."""
    if not facts.organization_exists:
        return DriftClass.UNKNOWN_ORGANIZATION
    if not facts.is_related:
        return DriftClass.NOT_RELATED
    if facts.is_taken:
        return DriftClass.DUPLICATE_IDENTITY
    return None if facts.user_exists else DriftClass.UNKNOWN_USER


def _judge_missing(reported: ReportedRow, facts: RowFacts) -> Finding:
    if reported.role == MembershipRole.OWNER:
        return Finding(DriftClass.OWNER_REPORTED)
    if facts.removed_at is not None and (reported.changed_at is None or reported.changed_at <= facts.removed_at):
        return Finding(DriftClass.REMOVED_HERE)
    return IMPORT


def _compare_roles(theirs: MembershipRole, ours: MembershipRole) -> Finding:
    if theirs == ours:
        return AGREED
    is_about_owner = MembershipRole.OWNER in {theirs, ours}
    return Finding(DriftClass.OWNER_REPORTED if is_about_owner else DriftClass.ROLE_DIFFERS)


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """What a whole report looks like. `baseline` is the number of members to compare it with: of the last complete
    report, or ours where there was none. `imports` is what it would add here.
    """

    received: int
    total: int | None
    is_unsorted: bool
    repeated: int
    baseline: int
    imports: int
    is_first: bool


def stop_reason(facts: ReportFacts) -> StopReason | None:
    """Why the run has to wait for a person, if it has to; the gravest reason first."""
    if facts.total is not None and facts.received < facts.total:
        return StopReason.TRUNCATED
    if facts.repeated:
        return StopReason.REPEATED
    if facts.is_unsorted:
        return StopReason.UNSORTED
    if facts.total is not None and facts.received > facts.total:
        return StopReason.MISCOUNTED
    if is_shrunken(facts.received, facts.baseline):
        return StopReason.SHRUNKEN
    return StopReason.FIRST_RUN if facts.is_first and facts.imports > FIRST_RUN_AT_MOST else None


def is_shrunken(received: int, baseline: int) -> bool:
    """Whether more than 20 % and more than 20 rows are gone, or all of them."""
    missing = baseline - received
    if received == 0 and baseline > 0:
        return True
    return missing > SHRUNKEN_ROWS and missing * 100 > baseline * SHRUNKEN_PERCENT
