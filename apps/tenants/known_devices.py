"""Browsers in which somebody has signed in before, told by a signed cookie that outlives the session.

The cookie lets nobody in. It only says by whom tries are counted: for a browser that is known for the account, the
failures of strangers do not count. It names accounts by a keyed hash, and with how many factors they signed in: a
browser that has only given the password is no known one where the second factor is guessed, or else whoever has the
password could fetch fresh tries with it.
"""

from __future__ import annotations

import secrets
from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponseBase
from django.utils.crypto import salted_hmac

from apps.tenants.guess_limits import GuessKind

COOKIE_AGE = timedelta(days=180)
ACCOUNTS_AT_MOST = 5
_SALT = "apps.tenants.known_devices"
_FACTORS_ASKED = {GuessKind.PASSWORD: 1, GuessKind.CODE: 2, GuessKind.MAIL: 1}


def device_for(request: HttpRequest, kind: GuessKind, account: str) -> str | None:
    """The name of this browser where it is known for the account; else None."""
    device, accounts = _read(request)
    return device if accounts.get(_hash_of(account), 0) >= _FACTORS_ASKED[kind] else None


def remember_device(request: HttpRequest, response: HttpResponseBase, *, account: str, factors: int) -> None:
    """Know this browser from now on. Call it with the answer to a complete sign-in.

    `account` is the person's e-mail address; `factors` is 2 only where the second factor was given too.
    """
    device, accounts = _read(request)
    key = _hash_of(account)
    # The newest comes last and the oldest goes; a sign-in with one factor takes nothing from an earlier one with two.
    kept = [(other, count) for other, count in accounts.items() if other != key][-(ACCOUNTS_AT_MOST - 1) :]
    factors = max(factors, accounts.get(key, 0))
    response.set_cookie(
        settings.KNOWN_DEVICE_COOKIE_NAME,
        signing.dumps([device or secrets.token_hex(16), [*kept, (key, factors)]], salt=_SALT),
        max_age=COOKIE_AGE,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _read(request: HttpRequest) -> tuple[str, dict[str, int]]:
    text = request.COOKIES.get(settings.KNOWN_DEVICE_COOKIE_NAME, "")
    try:
        device, accounts = signing.loads(text, salt=_SALT, max_age=COOKIE_AGE)
        return str(device), {str(key): int(factors) for key, factors in accounts}
    except (signing.BadSignature, ValueError, TypeError):
        # Nothing, forged, too old, or of another form: a browser that nobody knows.
        return "", {}


def _hash_of(account: str) -> str:
    return salted_hmac(_SALT, account.strip().lower(), algorithm="sha256").hexdigest()[:32]
