"""What a live token permits now, for work that outlasts the call that asked for it (spec 02)."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q

from apps.core.enums import Scope
from apps.core.ids import OrganizationId, ProductId, ServiceTokenId
from apps.tenants.models import ServiceToken
from apps.tenants.selectors.access import is_related


def token_scopes(token_id: ServiceTokenId, organization_id: OrganizationId, *, at: datetime) -> frozenset[Scope]:
    """What this very token permits in the organization; nothing once it is revoked or its time is over.

    A product's token permits nothing where the two are not related, unless it is the identity service's.
    """
    live = Q(expires_at=None) | Q(expires_at__gt=at)
    token = ServiceToken.objects.filter(live, pk=token_id, revoked_at=None).first()
    if token is None:
        return frozenset()
    scopes = frozenset(Scope(scope) for scope in token.scopes)
    if token.product_id is None or Scope.TENANTS_MANAGE in scopes:
        return scopes
    return scopes if is_related(ProductId(token.product_id), organization_id) else frozenset()
