"""Seals and opens the bearer key with which we read a product's membership export (spec 02, Membership authority)."""

from __future__ import annotations

from uuid import UUID

from apps.core.crypto import Binding, SealError, configured_key_ids, key_id_of, newest_key_id, open_sealed, seal
from apps.tenants.models import Product


def seal_export_key(product_id: UUID, text: str) -> bytes:
    """The key as the product's row keeps it. Raises `SealError` where no key is configured."""
    return seal(text, _binding(product_id))


def open_export_key(product: Product) -> str:
    """The product's key in clear; empty where it has none. Raises `SealError`."""
    sealed = product.sealed_export_key
    return open_sealed(bytes(sealed), _binding(product.pk)) if sealed else ""


def export_keys_reseal() -> tuple[int, list[UUID]]:
    """Bring the keys of all products under the newest key: how many were changed, and whose don't open.

    Each is written only while it is still what was read. Raises `SealError` without a key.
    """
    newest, changed, unreadable = newest_key_id(), 0, []
    for product in Product.objects.filter(sealed_export_key__isnull=False).order_by("pk"):
        sealed = bytes(product.sealed_export_key or b"")
        if key_id_of(sealed) == newest:
            continue
        try:
            fresh = seal_export_key(product.pk, open_sealed(sealed, _binding(product.pk)))
        except SealError:
            unreadable.append(product.pk)
            continue
        changed += Product.objects.filter(pk=product.pk, sealed_export_key=sealed).update(sealed_export_key=fresh)
    return changed, unreadable


def check_export_keys() -> None:
    """Raise `SealError` when a product's key is under a key that is not configured: it could not be read."""
    sealed = Product.objects.filter(sealed_export_key__isnull=False).values_list("sealed_export_key", flat=True)
    used = {key_id_of(bytes(value)) for value in sealed if value is not None}
    if used and (missing := used - configured_key_ids()):
        raise SealError(f"Membership export keys are under keys that are not configured: {', '.join(sorted(missing))}.")


def _binding(product_id: UUID) -> Binding:
    return Binding("product", product_id, "membership_export_key")
