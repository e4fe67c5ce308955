"""Google as an authorization server (spec 06, Google authorization)."""

from __future__ import annotations

from django.conf import settings

from apps.connectors.contracts import OAuthServer

GOOGLE = OAuthServer(
    name="google",
    label="Google",
    settings_prefix="GOOGLE",
    # Offline access brings a refresh token, and only a renewed consent brings it each time.
    authorize_parameters={"access_type": "offline", "prompt": "consent", "include_granted_scopes": "true"},
    revoked_errors=frozenset({"invalid_grant", "invalid_rapt"}),
    removal_hint="Remove this product's access in your Google account (Security, third-party access)",
)


def google_api_base(host: str) -> str:
    """The base address of the API that Google serves at `host`."""
    return settings.GOOGLE_API_BASE.rstrip("/") or f"https://{host}"
