"""Whether a webhook comes from the provider whose it says it is (spec 04, Webhooks; spec 09).

The signature covers the time that it was made at. It must be within `TOLERANCE` of ours on either side: an old body can
be a replay, and one from the future would stay good for as long as its sender likes.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from apps.core.errors import UnauthenticatedError
from apps.core.moments import MomentError, read_iso_moment, read_seconds
from apps.subscriptions.enums import Provider

TOLERANCE = timedelta(minutes=5)
_HEX = re.compile(r"[0-9a-f]{64}")
_SECONDS = re.compile(r"[0-9]{1,11}", re.ASCII)
_MOST_SIGNATURES = 20


class BadSignatureError(UnauthenticatedError):
    """The signature is missing, wrong or outside the tolerance. What was sent is neither read nor kept."""

    code = "bad_signature"
    title = "The signature is not good"


def require_signature(
    provider: Provider, headers: Mapping[str, str], body: bytes, *, secrets: Sequence[str], now: datetime
) -> None:
    """Raise `BadSignatureError` unless one of the secrets signed exactly this body just now."""
    if not secrets:
        raise BadSignatureError(f"No signing secret of {provider.label} is configured here.")
    signed_at, message, given = _SCHEMES[provider](headers, body)
    if abs(now - signed_at) > TOLERANCE:
        raise BadSignatureError("The signature was made too long ago, or its time lies in the future.")
    expected = [hmac.new(secret.encode(), message, hashlib.sha256).hexdigest() for secret in secrets]
    # Every pair is compared, so that the time taken tells nothing about which one fits.
    fits = [hmac.compare_digest(ours, theirs) for ours in expected for theirs in given]
    if not any(fits):
        raise BadSignatureError("The signature does not fit the body. Check the signing secret.")


def _stripe(headers: Mapping[str, str], body: bytes) -> tuple[datetime, bytes, list[str]]:
    """`Stripe-Signature: t=<seconds>,v1=<hex>[,v1=<hex>]` over `<t>.<body>`."""
    parts = [part.strip().partition("=") for part in headers.get("Stripe-Signature", "").split(",")]
    times = [value for name, _, value in parts if name == "t"]
    given = [value for name, _, value in parts if name == "v1"]
    if len(times) != 1 or not _SECONDS.fullmatch(times[0]):
        raise BadSignatureError("The header Stripe-Signature is missing, or has no time.")
    return _moment(times[0]), times[0].encode() + b"." + body, _hex(given)


def _orb(headers: Mapping[str, str], body: bytes) -> tuple[datetime, bytes, list[str]]:
    """`X-Orb-Signature: v1=<hex>[,v1=<hex>]` over `v1:<X-Orb-Timestamp>:<body>`."""
    stamp = headers.get("X-Orb-Timestamp", "")
    try:
        moment = read_iso_moment(stamp)  # Orb's times are UTC and do not always say so
    except MomentError as error:
        raise BadSignatureError("The header X-Orb-Timestamp is missing or no time.") from error
    parts = [part.strip().partition("=") for part in re.split(r"[,\s]+", headers.get("X-Orb-Signature", ""))]
    given = [value for name, _, value in parts if name == "v1"]
    return moment, f"v1:{stamp}:".encode() + body, _hex(given)


def _moment(seconds: str) -> datetime:
    try:
        return read_seconds(int(seconds))
    except MomentError as error:
        raise BadSignatureError("The time in the header Stripe-Signature lies beyond all bounds.") from error


def _hex(given: Sequence[str]) -> list[str]:
    found = [value for value in given if _HEX.fullmatch(value)]
    if not found or len(given) > _MOST_SIGNATURES:
        raise BadSignatureError("The signature is missing.")
    return found


_SCHEMES = {Provider.STRIPE: _stripe, Provider.ORB: _orb}
