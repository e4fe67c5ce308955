"""Whether an answer from Google belongs to what we asked: pure (spec 06, Google authorization).

An attempt is made when a person sets out for Google. It is bound to their session, to themselves, to the workspace and
to the connector, lives ten minutes and is good for one answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

VALID_FOR = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was noted when the person set out."""

    session_digest: str
    user_id: UUID
    workspace_id: UUID
    connector_id: UUID
    expires_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Return:
    """Who comes back with the answer, and where the connector of the state is now."""

    session_digest: str
    user_id: UUID
    workspace_id: UUID
    connector_id: UUID
    at: datetime


def why_refused(attempt: Attempt, returned: Return) -> str | None:
    """The sentence that says why the answer is not taken; None when it is."""
    if attempt.session_digest != returned.session_digest:
        return "The authorization was begun in another session."
    if attempt.user_id != returned.user_id:
        return "The authorization was begun by another person."
    if (attempt.workspace_id, attempt.connector_id) != (returned.workspace_id, returned.connector_id):
        return "The authorization was begun for another connector."
    if attempt.used_at is not None:
        return "The answer of this authorization was used before."
    if returned.at >= attempt.expires_at:
        return f"The authorization took longer than {VALID_FOR.seconds // 60} minutes."
    return None


def missing_scopes(asked: frozenset[str], granted: str) -> list[str]:
    """What was asked for and not granted; Google orders and repeats scopes freely."""
    return sorted(asked - set(granted.split()))
