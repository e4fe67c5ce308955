"""Where Google is and who we are there: every address is a setting, so that a stand-in can take its place (spec 09)."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from apps.core.errors import UnavailableError


@dataclass(frozen=True, slots=True)
class GoogleConfiguration:
    """Our registration at Google and its addresses. The secret shows in no repr."""

    client_id: str
    client_secret: str
    authorize_url: str
    token_url: str

    def __repr__(self) -> str:
        return f"GoogleConfiguration(client_id={self.client_id!r}, token_url={self.token_url!r})"


def google_api_base(host: str) -> str:
    """The base address of the API that Google serves at `host`."""
    return settings.GOOGLE_API_BASE.rstrip("/") or f"https://{host}"


def is_configured() -> bool:
    """Whether an authorization can be begun at all."""
    return bool(settings.GOOGLE_CLIENT_ID and settings.GOOGLE_CLIENT_SECRET)


def google_configuration() -> GoogleConfiguration:
    """The configuration; raises `UnavailableError` `google_not_configured` where this installation has none."""
    if not is_configured():
        raise UnavailableError(
            "Google is not set up on this installation: GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET are not set.",
            code="google_not_configured",
            title="Google is not set up here",
        )
    return GoogleConfiguration(
        client_id=settings.GOOGLE_CLIENT_ID,
        client_secret=settings.GOOGLE_CLIENT_SECRET,
        authorize_url=settings.GOOGLE_AUTHORIZE_URL,
        token_url=settings.GOOGLE_TOKEN_URL,
    )
