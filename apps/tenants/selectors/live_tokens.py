"""What the live tokens of a caller permit now, for work that outlasts the call that asked for it (spec 02)."""

from __future__ import annotations

from datetime import datetime
from itertools import chain

from django.db.models import Q, QuerySet

from apps.core.enums import Scope
from apps.core.ids import OrganizationId, ProductId, ServiceTokenId
from apps.tenants.enums import TokenKind
from apps.tenants.models import ProductRelation, ServiceToken


def product_scopes(product_id: ProductId, organization_id: OrganizationId, *, at: datetime) -> frozenset[Scope]:
    """What the product's live tokens together permit it in the organization; nothing where the two are not related."""
    found = _live(at).filter(kind=TokenKind.PRODUCT, product=product_id).values_list("scopes", flat=True)
    scopes = frozenset(Scope(scope) for scope in chain.from_iterable(found))
    is_related = (
        Scope.TENANTS_MANAGE in scopes
        or ProductRelation.objects.filter(product=product_id, organization=organization_id).exists()
    )
    return scopes if is_related else frozenset()


def cron_scopes(token_id: ServiceTokenId, *, at: datetime) -> frozenset[Scope]:
    """What the cron token permits; nothing once it is revoked or its time is over."""
    found = _live(at).filter(kind=TokenKind.CRON, pk=token_id).values_list("scopes", flat=True).first()
    return frozenset(Scope(scope) for scope in found or ())


def _live(at: datetime) -> QuerySet[ServiceToken]:
    return ServiceToken.objects.filter(Q(expires_at=None) | Q(expires_at__gt=at), revoked_at=None)
