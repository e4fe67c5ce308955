"""The products, as a filter offers them."""

from __future__ import annotations

from apps.tenants.models import Product


def product_choices() -> list[tuple[str, str]]:
    """Each product by its id."""
    return [(str(pk), name) for pk, name in Product.objects.order_by("slug").values_list("pk", "name")]
