"""Why a sign-in through the identity service came to nothing."""

from __future__ import annotations

from enum import Enum


class OidcRefusal(Enum):
    """Each is told on a page of its own; nobody is signed in, and nothing is changed."""

    NOT_BEGUN = "not_begun"
    LATE = "late"
    CANCELLED = "cancelled"
    PROVIDER_ERROR = "provider_error"
    UNAVAILABLE = "unavailable"
    WRONG_ISSUER = "wrong_issuer"
    BAD_TOKEN = "bad_token"  # noqa: S105 - the name of a refusal
    UNKNOWN_PERSON = "unknown_person"
    DEACTIVATED = "deactivated"
    STAFF = "staff"
    NOT_STAFF = "not_staff"
    NO_PROOF = "no_proof"


class OidcError(Exception):
    """The sign-in is refused. `fact` is for the log: it names what was wrong, and holds no secret."""

    def __init__(self, refusal: OidcRefusal, fact: str) -> None:
        super().__init__(fact)
        self.refusal = refusal
        self.fact = fact
