"""Whether an authorization response belongs to an attempt of ours (spec 06, Google authorization; RFC 9700).

An attempt is bound to the session, person, workspace, connector and server, lives ten minutes and takes one response.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

VALID_FOR = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What was stored when the authorization started."""

    server: str
    session_digest: str
    user_id: UUID
    workspace_id: UUID
    connector_id: UUID
    expires_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Callback:
    """Who returns, at which server's callback, and where the connector of the attempt is now."""

    server: str
    session_digest: str
    user_id: UUID
    workspace_id: UUID
    connector_id: UUID
    at: datetime


def find_refusal(attempt: Attempt, callback: Callback) -> str | None:
    """Why the response is refused, in a sentence for people; None where it is accepted."""
    refusals = {
        # A response of one server must not reach another as if it were its own (mix-up attack).
        "The authorization was started at another server.": attempt.server != callback.server,
        "The authorization was started in another session.": attempt.session_digest != callback.session_digest,
        "The authorization was started by another person.": attempt.user_id != callback.user_id,
        "The authorization was started for another connector.": (attempt.workspace_id, attempt.connector_id)
        != (callback.workspace_id, callback.connector_id),
        "This authorization was already completed.": attempt.used_at is not None,
        f"The authorization took longer than {VALID_FOR.seconds // 60} minutes.": callback.at >= attempt.expires_at,
    }
    return next((sentence for sentence, is_refused in refusals.items() if is_refused), None)


def missing_scopes(requested: frozenset[str], granted: str) -> list[str]:
    """The requested scopes that were not granted; a server orders and repeats scopes freely."""
    return sorted(requested - set(granted.split()))
