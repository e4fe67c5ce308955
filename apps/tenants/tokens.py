"""Makes and recognises service tokens, and remembers each live one for a few seconds (spec 11, Speed).

`chp_1f2e3d4c_<secret>` is a product's, `chc_…` a cron token's. The middle part is the readable prefix under which staff
find the token; the secret has 256 random bits, so one SHA-256 is a sufficient hash (OWASP ASVS 5, 6.5.2).

A good token gets in whatever bad ones came before it, from its address or any other. A bad one costs a query while few
come. In a flood, tokens are first held against the hashes that exist, which the process reads at most ten times a
second: then only a token that is in the table costs a query of its own, and a bad one costs none.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from apps.core import clock
from apps.core.bookkeeping import bookkeeping
from apps.core.enums import Scope
from apps.core.errors import TooManyRequestsError, UnauthenticatedError
from apps.core.ids import ProductId, ServiceTokenId
from apps.tenants.bad_tokens import BadTokenLimit
from apps.tenants.contracts import CronCaller, ProductCaller
from apps.tenants.enums import TokenKind
from apps.tenants.models import ServiceToken
from apps.tenants.selectors.products import service_token_by_prefix, token_hashes_since

# How long a process believes what it read: a revocation counts everywhere within this time (spec 11).
REMEMBERED_FOR = timedelta(seconds=5)
LAST_USED_WRITTEN_EVERY = timedelta(minutes=1)
REMEMBERED_AT_MOST = 10_000
# In a flood of bad tokens, a token that another process made counts here after this time at the latest.
HASHES_READ_EVERY = timedelta(milliseconds=100)
# A row may become visible this much later than its `created_at` says.
_LONGEST_TRANSACTION = timedelta(minutes=5)
_TAGS = {TokenKind.PRODUCT: "chp", TokenKind.CRON: "chc"}
_FORM = re.compile(r"(?:chp|chc)_[0-9a-f]{8}_[A-Za-z0-9_-]{43}", re.ASCII)

Caller = ProductCaller | CronCaller


@dataclass(frozen=True, slots=True)
class FreshToken:
    """A new token; its text is known only now."""

    text: str
    prefix: str
    token_hash: bytes


def make_token(kind: TokenKind) -> FreshToken:
    """A new token of the kind, with 256 bits from the system's random source."""
    prefix = f"{_TAGS[kind]}_{secrets.token_hex(4)}"
    text = f"{prefix}_{secrets.token_urlsafe(32)}"
    return FreshToken(text=text, prefix=prefix, token_hash=hash_token(text))


def hash_token(text: str) -> bytes:
    """The hash that is stored instead of the token."""
    return hashlib.sha256(text.encode()).digest()


def prefix_of(text: str) -> str | None:
    """The readable prefix of a well-formed token; None for anything else, which needs no look-up."""
    return text[:12] if _FORM.fullmatch(text) else None


@dataclass(frozen=True, slots=True)
class _Remembered:
    caller: Caller
    until: datetime


class ExistingHashes:
    """The hashes of all tokens that are in the table. They are never deleted, so only new ones are read again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hashes: set[bytes] = set()
        self._ended: set[bytes] = set()
        self._read_at: datetime | None = None
        self._is_stale = True

    def may_hold(self, presented: bytes, moment: datetime) -> bool:
        """Whether the hash is in the table, as read a moment ago, and is not known to have ended."""
        if presented in self._ended:
            return False
        if presented in self._hashes:
            return True
        with self._lock:
            age = moment - self._read_at if self._read_at is not None else HASHES_READ_EVERY
            if self._is_stale or not timedelta(0) <= age < HASHES_READ_EVERY:
                self._is_stale = False
                since = self._read_at - _LONGEST_TRANSACTION if self._read_at is not None else None
                self._hashes.update(token_hashes_since(since))
                self._read_at = moment
        return presented in self._hashes

    def note_end(self, presented: bytes) -> None:
        """Remember that the token is expired or revoked; both are final."""
        self._ended.add(presented)

    def expect_more(self) -> None:
        """Reload at the next lookup: this process has made a token."""
        self._is_stale = True

    def forget(self) -> None:
        with self._lock:
            self._hashes, self._ended, self._read_at, self._is_stale = set(), set(), None, True


_remembered: dict[bytes, _Remembered] = {}
_lock = threading.Lock()
_bad_tokens = BadTokenLimit()
existing_hashes = ExistingHashes()


def remembered_caller(text: str) -> Caller | None:
    """The caller that a bearer token stands for, if this process has looked it up within the last seconds."""
    if prefix_of(text) is None:
        return None
    known = _remembered.get(hash_token(text))
    return known.caller if known is not None and known.until > clock.now() else None


def caller_of(text: str, *, address: str) -> Caller:
    """The caller that a bearer token stands for.

    Raises `UnauthenticatedError`, and `TooManyRequestsError` where the address has sent many bad tokens before this
    one; all bad tokens answer alike.
    """
    moment = clock.now()
    caller = _live_caller(text, address, moment)
    if caller is not None:
        return caller
    wait = _bad_tokens.note_failure(address, moment)
    if wait:
        raise TooManyRequestsError(
            f"This service token is unknown, expired or revoked, as many before it from this address. A live one is "
            f"let in at once; bad ones are looked at again in {wait} s.",
            retry_after_seconds=wait,
        )
    raise _refused()


def forget_all() -> None:
    """Clear this process's caches of tokens; for tests."""
    with _lock:
        _remembered.clear()
    _bad_tokens.clear()
    existing_hashes.forget()


def _live_caller(text: str, address: str, moment: datetime) -> Caller | None:
    prefix = prefix_of(text)
    if prefix is None:
        return None
    presented = hash_token(text)
    if _bad_tokens.is_flooded(address, moment) and not existing_hashes.may_hold(presented, moment):
        return None
    token = service_token_by_prefix(prefix)
    # The comparison runs for an unknown prefix too, so that its time tells nothing.
    stored = bytes(token.token_hash) if token is not None else bytes(32)
    if not hmac.compare_digest(presented, stored) or token is None:
        return None
    if not _is_live(token, moment):
        existing_hashes.note_end(presented)
        return None
    caller = _caller(token)
    _remember(presented, caller, token, moment)
    _note_use(token, moment)
    return caller


def _refused() -> UnauthenticatedError:
    return UnauthenticatedError(
        "The service token is unknown, expired or revoked. Send a live one as Authorization: Bearer <token>; staff "
        "make them on the product's admin page."
    )


def _is_live(token: ServiceToken, moment: datetime) -> bool:
    return token.revoked_at is None and (token.expires_at is None or token.expires_at > moment)


def _caller(token: ServiceToken) -> Caller:
    scopes = frozenset(Scope(scope) for scope in token.scopes)
    token_id = ServiceTokenId(token.pk)
    if token.product is None:
        return CronCaller(token_id=token_id, name=token.name, scopes=scopes)
    return ProductCaller(
        token_id=token_id,
        product_id=ProductId(token.product.pk),
        product_slug=token.product.slug,
        scopes=scopes,
    )


def _remember(presented: bytes, caller: Caller, token: ServiceToken, moment: datetime) -> None:
    until = moment + REMEMBERED_FOR
    if token.expires_at is not None:
        until = min(until, token.expires_at)
    with _lock:
        if len(_remembered) >= REMEMBERED_AT_MOST:
            _remembered.clear()
        _remembered[presented] = _Remembered(caller, until)


def _note_use(token: ServiceToken, moment: datetime) -> None:
    """Write `last_used_at` at most once a minute. Where another call is writing it, this one does not wait."""
    due = moment - LAST_USED_WRITTEN_EVERY
    if token.last_used_at is not None and token.last_used_at > due:
        return
    is_due = Q(last_used_at__isnull=True) | Q(last_used_at__lte=due)
    with bookkeeping():
        free = ServiceToken.objects.select_for_update(skip_locked=True, no_key=True).filter(is_due, pk=token.pk).first()
        if free is not None:
            ServiceToken.objects.filter(pk=token.pk).update(last_used_at=moment)
