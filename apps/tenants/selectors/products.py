"""Products and tokens to read, and the functions that lock them."""

from __future__ import annotations

from datetime import datetime

from apps.core.ids import ProductId, ServiceTokenId
from apps.tenants.models import Product, ServiceToken


def product_by_slug(slug: str) -> Product | None:
    return Product.objects.filter(slug=slug).first()


def product_for_update(product_id: ProductId) -> Product | None:
    """Lock the product's row until the transaction ends."""
    return Product.objects.select_for_update(no_key=True).filter(pk=product_id).first()


def service_token_for_update(token_id: ServiceTokenId) -> ServiceToken | None:
    """Lock the token's row until the transaction ends."""
    return ServiceToken.objects.select_for_update(no_key=True, of=("self",)).filter(pk=token_id).first()


def service_token_by_prefix(prefix: str) -> ServiceToken | None:
    """The token with the readable prefix, with its product; whether it is live is the caller's question."""
    return ServiceToken.objects.select_related("product").filter(prefix=prefix).first()


def token_hashes_since(moment: datetime | None) -> list[bytes]:
    """The hashes of all tokens made since then, or ever; whether they are live is not looked at."""
    tokens = ServiceToken.objects.all() if moment is None else ServiceToken.objects.filter(created_at__gte=moment)
    return [bytes(stored) for stored in tokens.values_list("token_hash", flat=True)]
