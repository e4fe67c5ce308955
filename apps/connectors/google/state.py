"""The state that goes to Google and back: signed, and naming the attempt that it stands for."""

from __future__ import annotations

import base64
import hashlib
import secrets
from uuid import UUID

from django.core import signing
from django.utils.crypto import salted_hmac

_SALT = "apps.connectors.google.state"
_LONGEST = 512


def new_state(attempt_id: UUID) -> str:
    """A state of 128 random bits for the attempt, signed."""
    return signing.Signer(salt=_SALT).sign_object([str(attempt_id), secrets.token_urlsafe(16)])


def attempt_of(state: str) -> UUID | None:
    """The attempt that the state names; None when the state is not ours."""
    if not 0 < len(state) <= _LONGEST:
        return None
    try:
        attempt_id, _ = signing.Signer(salt=_SALT).unsign_object(state)
        return UUID(attempt_id)
    except (signing.BadSignature, ValueError, TypeError):
        return None


def verifier_of(state: str) -> str:
    """The secret half of PKCE (RFC 7636): only we can derive it from the state, so that it need not be stored."""
    made = salted_hmac("apps.connectors.google.pkce", state, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def digest(text: str) -> str:
    """What is stored of a state or a session: enough to know it again, too little to use it."""
    return hashlib.sha256(text.encode()).hexdigest()
