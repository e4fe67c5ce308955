"""The pure rules of reconciliation, case by case and against a plain second version (spec 02)."""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from apps.core.enums import MembershipRole
from apps.tenants.enums import DriftClass, StopReason
from apps.tenants.reconciliation_rules import (
    AGREED,
    IMPORT,
    Finding,
    OurRow,
    ReportedRow,
    ReportFacts,
    RowFacts,
    UnsortedError,
    classify,
    is_shrunken,
    merge,
    stop_reason,
)
from tests.subscriptions.cast import chance_of

NOON = datetime(2026, 4, 3, 12, tzinfo=UTC)
ORGANIZATION, USER = uuid.UUID(int=1), uuid.UUID(int=2)
ROLES = (None, *MembershipRole)
TIMES = (None, NOON - timedelta(seconds=1), NOON, NOON + timedelta(seconds=1))
FLAGS = (True, False)
KNOWN = [
    RowFacts(exists, related, left_out, known, taken, removed)
    for exists, related, left_out, known, taken in itertools.product(FLAGS, repeat=5)
    for removed in (None, NOON)
]
CASES = list(itertools.product(ROLES, TIMES, ROLES, (False, True), KNOWN))


def wanted(
    theirs: MembershipRole | None, since: datetime | None, ours: MembershipRole | None, personal: bool, facts: RowFacts
) -> tuple[str, ...]:
    """What the specification says of the case, in the order of its words: the classes that it belongs to."""
    if theirs is None:
        return ("missing_there",) if ours is not None and not personal else ("agreed",)
    facts_say = [
        ("unknown_organization", not facts.organization_exists),
        ("agreed", facts.is_left_out),
        ("not_related", not facts.is_related),
        ("duplicate_identity", facts.is_taken),
        ("unknown_user", not facts.user_exists),
        ("agreed", theirs == ours),
        ("owner_reported", theirs == "owner" or ours == "owner"),
        ("role_differs", ours is not None),
        ("removed_here", facts.removed_at is not None and (since is None or not since > facts.removed_at)),
        ("import", True),
    ]
    return tuple(name for name, holds in facts_say if holds)[:1]


def name_of(finding: Finding) -> str:
    if finding.is_import:
        return "import"
    return finding.drift_class.value if finding.drift_class else "agreed"


def test_every_case_has_the_class_that_the_specification_gives_it() -> None:
    seen = set()
    for theirs, since, ours, personal, facts in CASES:
        reported = ReportedRow(ORGANIZATION, USER, theirs, since) if theirs else None
        stored = OurRow(ORGANIZATION, USER, ours, NOON, personal) if ours else None
        found = name_of(classify(reported, stored, facts))
        assert (found,) == wanted(theirs, since, ours, personal, facts), (theirs, since, ours, personal, facts)
        seen.add(found)
    # `missing here` is what an import could not mend; it is no outcome of the rule.
    assert seen == {*DriftClass.values, "agreed", "import"} - {"missing_here"}
    assert len(CASES) == 5 * 4 * 5 * 2 * 64


@pytest.mark.parametrize("role", list(MembershipRole))
def test_an_owner_is_never_imported(role: MembershipRole) -> None:
    finding = classify(ReportedRow(ORGANIZATION, USER, role), None, RowFacts())
    assert finding == (Finding(DriftClass.OWNER_REPORTED) if role == MembershipRole.OWNER else IMPORT)


@pytest.mark.parametrize(
    ("since", "finding"),
    [
        (None, Finding(DriftClass.REMOVED_HERE)),
        (NOON - timedelta(microseconds=1), Finding(DriftClass.REMOVED_HERE)),
        (NOON, Finding(DriftClass.REMOVED_HERE)),
        (NOON + timedelta(microseconds=1), IMPORT),
    ],
)
def test_a_remembered_removal_wins_unless_the_report_is_later(since: datetime | None, finding: Finding) -> None:
    reported = ReportedRow(ORGANIZATION, USER, MembershipRole.MEMBER, since)
    assert classify(reported, None, RowFacts(removed_at=NOON)) == finding


def rows(keys: list[int]) -> list[ReportedRow]:
    return [ReportedRow(uuid.UUID(int=key // 10), uuid.UUID(int=key % 10), MembershipRole.MEMBER) for key in keys]


def our_rows(keys: list[int]) -> list[OurRow]:
    return [OurRow(row.organization_id, row.user_id, row.role, NOON) for row in rows(keys)]


def test_the_merge_pairs_as_a_join_of_sets_does() -> None:
    chance = chance_of(15)
    for _ in range(500):
        left = sorted(chance.sample(range(40), chance.randrange(12)))
        right = sorted(chance.sample(range(40), chance.randrange(12)))
        pairs = list(merge(rows(left), our_rows(right)))
        found = [(bool(one), bool(other)) for one, other in pairs]
        assert found == [(key in left, key in right) for key in sorted({*left, *right})]
        assert all(one.key == other.key for one, other in pairs if one and other)


@pytest.mark.parametrize("keys", [[2, 1], [1, 1], [1, 3, 2]])
def test_the_merge_refuses_a_stream_that_goes_back_or_repeats(keys: list[int]) -> None:
    with pytest.raises(UnsortedError):
        list(merge(rows(keys), []))
    with pytest.raises(UnsortedError):
        list(merge([], our_rows(keys)))


def whole(**differing: object) -> ReportFacts:
    values: dict[str, object] = {
        "received": 100, "total": 100, "is_unsorted": False, "repeated": 0, "baseline": 100, "imports": 0,
        "is_first": False,
    }  # fmt: skip
    return ReportFacts(**{**values, **differing})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("differing", "reason"),
    [
        ({}, None),
        ({"total": 101}, StopReason.TRUNCATED),
        ({"total": 99}, StopReason.MISCOUNTED),
        ({"total": None}, None),
        ({"is_unsorted": True}, StopReason.UNSORTED),
        ({"repeated": 1}, StopReason.REPEATED),
        ({"repeated": 1, "is_unsorted": True, "total": 99}, StopReason.REPEATED),
        ({"baseline": 125}, None),
        ({"baseline": 126}, StopReason.SHRUNKEN),
        ({"imports": 1_001}, None),
        ({"imports": 1_000, "is_first": True}, None),
        ({"imports": 1_001, "is_first": True}, StopReason.FIRST_RUN),
    ],
)
def test_what_stops_a_run(differing: dict[str, object], reason: StopReason | None) -> None:
    assert stop_reason(whole(**differing)) == reason


@pytest.mark.parametrize(
    ("received", "baseline", "shrunken"),
    [
        (0, 0, False),
        (0, 1, True),  # suspiciously empty
        (1, 21, False),  # 20 rows
        (1, 22, True),  # 21 rows, and nearly all of them
        (80, 100, False),  # 20 %
        (79, 100, True),
        (800_000, 1_000_000, False),
        (799_999, 1_000_000, True),
        (120, 100, False),
    ],
)
def test_what_is_suspiciously_few(received: int, baseline: int, *, shrunken: bool) -> None:
    assert is_shrunken(received, baseline) is shrunken


def test_agreement_and_absence_need_no_facts() -> None:
    assert classify(None, None, RowFacts()) == AGREED
