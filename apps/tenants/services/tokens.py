"""Service tokens: made, shown once, revoked (spec 02, Records)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.enums import DEFAULT_PRODUCT_SCOPES, Scope
from apps.core.errors import ConflictError, FieldError, NotFoundError, UnprocessableError
from apps.core.ids import ProductId, ServiceTokenId
from apps.tenants import events
from apps.tenants.enums import TokenKind
from apps.tenants.models import Product, ServiceToken
from apps.tenants.selectors.products import product_for_update, service_token_for_update
from apps.tenants.services.results import values_of
from apps.tenants.tokens import existing_hashes, make_token

_CRON_SCOPES = (Scope.JOBS_RUN,)


@transaction.atomic
def service_token_create(
    context: ExecutionContext,
    *,
    kind: TokenKind,
    name: str,
    product_id: ProductId | None = None,
    scopes: Sequence[Scope] | None = None,
    expires_at: datetime | None = None,
    reason: str = "",
) -> tuple[ServiceToken, str]:
    """Make a token and answer it with its text, which nobody can read again.

    A product's token carries every product scope unless told otherwise, a cron token only `jobs:run`. Raises
    `UnprocessableError` for a missing product, no scopes, or an expiry in the past.
    """
    product = product_for_update(product_id) if product_id is not None else None
    _guard(kind, product, expires_at)
    fresh = make_token(kind)
    token = ServiceToken.objects.create(
        kind=kind,
        product=product,
        name=name,
        prefix=fresh.prefix,
        token_hash=fresh.token_hash,
        scopes=[scope.value for scope in _scopes(kind, scopes)],
        expires_at=expires_at,
    )
    audit_append(
        context,
        events.SERVICE_TOKEN_CREATED,
        token.audit_target,
        after=values_of(token, "name", "prefix", "kind", "product_id", "scopes", "expires_at"),
        reason=reason,
    )
    existing_hashes.expect_more()
    return token, fresh.text


def _guard(kind: TokenKind, product: Product | None, expires_at: datetime | None) -> None:
    if expires_at is not None and expires_at <= clock.now():
        sentence = "The expiry lies in the past. Choose a later moment, or none."
        raise UnprocessableError(sentence, errors=[FieldError("expires_at", "in_the_past", sentence)])
    if (kind == TokenKind.PRODUCT) != (product is not None):
        sentence = "A product token belongs to a product, a cron token to none."
        raise UnprocessableError(sentence, errors=[FieldError("product", "product_mismatch", sentence)])


def _scopes(kind: TokenKind, scopes: Sequence[Scope] | None) -> tuple[Scope, ...]:
    if kind == TokenKind.CRON:
        return _CRON_SCOPES
    carried = tuple(scopes) if scopes is not None else DEFAULT_PRODUCT_SCOPES
    if not carried:
        sentence = "A token without a scope can do nothing. Choose at least one."
        raise UnprocessableError(sentence, errors=[FieldError("scopes", "empty", sentence)])
    if Scope.JOBS_RUN in carried:
        sentence = "jobs:run belongs to cron tokens. Make a cron token for the scheduler instead."
        raise UnprocessableError(sentence, errors=[FieldError("scopes", "not_for_products", sentence)])
    return carried


@transaction.atomic
def service_token_revoke(context: ExecutionContext, *, token_id: ServiceTokenId, reason: str) -> ServiceToken:
    """End the token for good; it is refused within 5 seconds everywhere (the longest that a process remembers one).

    Raises `NotFoundError`, `ConflictError` when it was revoked already, `UnprocessableError` without a reason.
    """
    if not reason.strip():
        sentence = "Say why the token is revoked; the audit log keeps it."
        raise UnprocessableError(sentence, errors=[FieldError("reason", "required", sentence)])
    token = service_token_for_update(token_id)
    if token is None:
        raise NotFoundError(f"There is no service token {token_id}.")
    if token.revoked_at is not None:
        raise ConflictError(f"The token {token.name} was revoked already, at {token.revoked_at:%Y-%m-%d %H:%M} UTC.")
    token.revoked_at = clock.now()
    token.save(update_fields=["revoked_at"])
    audit_append(
        context,
        events.SERVICE_TOKEN_REVOKED,
        token.audit_target,
        before={"revoked_at": None},
        after={"revoked_at": token.revoked_at, "prefix": token.prefix, "name": token.name},
        reason=reason,
    )
    return token
