"""Which report of a membership counts: every order of the same reports ends alike."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.enums import MembershipRole
from apps.tenants.memberships import ReportOutcome, is_lesser, judge

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
ROLES = list(MembershipRole)


@pytest.mark.parametrize(("stored", "reported"), list(itertools.product(ROLES, ROLES)))
@pytest.mark.parametrize("seconds", [-1, 0, 1])
def test_older_news_changes_nothing_and_a_tie_goes_to_the_lesser_role(
    stored: MembershipRole, reported: MembershipRole, seconds: int
) -> None:
    verdict = judge(stored_role=stored, stored_at=NOON, role=reported, changed_at=NOON + timedelta(seconds=seconds))
    if seconds < 0:
        assert verdict is ReportOutcome.STALE
    elif stored == reported:
        assert verdict is ReportOutcome.CONFIRM
    elif seconds > 0 or ROLES.index(reported) > ROLES.index(stored):
        assert verdict is ReportOutcome.APPLY
    else:
        assert verdict is ReportOutcome.STALE


@given(
    reports=st.lists(st.tuples(st.sampled_from(ROLES), st.integers(0, 3)), min_size=1, max_size=5),
)
def test_the_order_of_arrival_does_not_matter(reports: list[tuple[MembershipRole, int]]) -> None:
    ends = {_end(list(order)) for order in itertools.permutations(reports)}
    assert len(ends) == 1


def _end(reports: list[tuple[MembershipRole, int]]) -> tuple[MembershipRole, datetime]:
    role, moment = reports[0][0], NOON + timedelta(seconds=reports[0][1])
    for reported, seconds in reports[1:]:
        at = NOON + timedelta(seconds=seconds)
        verdict = judge(stored_role=role, stored_at=moment, role=reported, changed_at=at)
        if verdict is ReportOutcome.APPLY:
            role, moment = reported, at
        elif verdict is ReportOutcome.CONFIRM:
            # The same role said again later is the newer news: an old contradiction may not undo it.
            moment = max(moment, at)
    return role, moment


@pytest.mark.parametrize(("role", "than"), list(itertools.product(ROLES, ROLES)))
def test_the_ladder_is_owner_admin_member_viewer(role: MembershipRole, than: MembershipRole) -> None:
    order = [MembershipRole.OWNER, MembershipRole.ADMIN, MembershipRole.MEMBER, MembershipRole.VIEWER]
    assert is_lesser(role, than=than) == (order.index(role) > order.index(than))
