"""What has become of a grant. Pure."""

from __future__ import annotations

from datetime import datetime

from apps.credits.enums import GrantState


def grant_state(
    *, is_posted: bool, remaining: int, expires_at: datetime | None, voided_at: datetime | None, now: datetime
) -> GrantState:
    """The state at `now`; of a grant that has ended, how it ended, whatever open holds still stand on."""
    if voided_at is not None:
        return GrantState.VOIDED
    if expires_at is not None and expires_at <= now:
        return GrantState.EXPIRED
    if not is_posted:
        return GrantState.UPCOMING
    return GrantState.LIVE if remaining else GrantState.SPENT
