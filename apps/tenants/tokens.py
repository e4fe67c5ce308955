"""Recognises live service tokens, and remembers each for a few seconds (spec 11, Speed)."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from apps.core import clock
from apps.core.enums import Scope
from apps.core.errors import UnauthenticatedError
from apps.core.ids import ProductId, ServiceTokenId
from apps.tenants.contracts import CronCaller, ProductCaller
from apps.tenants.credentials import is_same_hash, token_hash, token_prefix
from apps.tenants.models import ServiceToken
from apps.tenants.selectors.products import service_token_by_prefix

# How long a process believes what it read: a revocation counts everywhere within this time (spec 11).
REMEMBERED_FOR = timedelta(seconds=5)
LAST_USED_WRITTEN_EVERY = timedelta(minutes=1)
REMEMBERED_AT_MOST = 10_000

Caller = ProductCaller | CronCaller


@dataclass(frozen=True, slots=True)
class _Remembered:
    caller: Caller
    until: datetime


_remembered: dict[bytes, _Remembered] = {}
_lock = threading.Lock()


def caller_of(text: str) -> Caller:
    """The caller that a bearer token stands for. Raises `UnauthenticatedError`; all bad tokens answer alike."""
    prefix = token_prefix(text)
    if prefix is None:
        raise _refused()
    presented = token_hash(text)
    moment = clock.now()
    known = _remembered.get(presented)
    if known is not None and known.until > moment:
        return known.caller
    token = service_token_by_prefix(prefix)
    # The comparison runs for an unknown prefix too, so that its time tells nothing.
    stored = bytes(token.token_hash) if token is not None else bytes(32)
    if not is_same_hash(presented, stored) or token is None or not _is_live(token, moment):
        raise _refused()
    caller = _caller(token)
    _remember(presented, caller, token, moment)
    _note_use(token, moment)
    return caller


def forget_all() -> None:
    """Drop what this process remembers; for tests, and after a revocation in this very process."""
    with _lock:
        _remembered.clear()


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
    """Write `last_used_at` at most once a minute, whoever of several processes comes first."""
    due = moment - LAST_USED_WRITTEN_EVERY
    if token.last_used_at is not None and token.last_used_at > due:
        return
    ServiceToken.objects.filter(Q(last_used_at__isnull=True) | Q(last_used_at__lte=due), pk=token.pk).update(
        last_used_at=moment
    )
