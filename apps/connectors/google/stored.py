"""A Google token as the text that is sealed, and back."""

from __future__ import annotations

import json
from datetime import datetime

from apps.connectors.google.client import GoogleToken
from apps.core.canonical import moment_text


def to_text(token: GoogleToken) -> str:
    """The token as JSON."""
    return json.dumps(
        {
            "access_token": token.access_token,
            "refresh_token": token.refresh_token,
            "scope": token.scope,
            "expires_at": moment_text(token.expires_at),
        }
    )


def from_text(text: str) -> GoogleToken:
    """The token again."""
    stored = json.loads(text)
    return GoogleToken(
        access_token=stored["access_token"],
        refresh_token=stored["refresh_token"],
        scope=stored["scope"],
        expires_at=datetime.fromisoformat(stored["expires_at"]),
    )
