"""Products, and which organizations they may speak of."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.enums import Scope
from apps.core.errors import FieldError, NotFoundError, UnprocessableError
from apps.core.free_text import refuse_key_like, stored_form
from apps.core.ids import OrganizationId, ProductId
from apps.core.locks import lock_name
from apps.core.operations import require
from apps.tenants import events
from apps.tenants.enums import RelationSource
from apps.tenants.models import Product, ProductRelation
from apps.tenants.return_urls import HOSTS_AT_MOST, registered_host
from apps.tenants.selectors.organizations import organization_for_update
from apps.tenants.selectors.products import product_by_slug, product_for_update
from apps.tenants.services.refusals import unknown_organization
from apps.tenants.services.results import Upserted, values_of


@transaction.atomic
def product_upsert(
    context: ExecutionContext, *, slug: str, name: str | None = None, reason: str = ""
) -> Upserted[Product]:
    """Make the product, or give it another name. Without a name an existing product stays as it is."""
    refuse_key_like("slug", slug)
    name = stored_form(Product, "name", name)
    lock_name(f"product:{slug}")
    product = product_by_slug(slug)
    if product is not None and (name is None or product.name == name):
        return Upserted(product, is_created=False)
    before = values_of(product, "name") if product else {}
    is_created = product is None
    if product is None:
        product = Product.objects.create(slug=slug, name=name or slug.replace("-", " ").title())
    else:
        product.name = name or product.name
        product.save(update_fields=["name"])
    audit_append(
        context,
        events.PRODUCT_CREATED if is_created else events.PRODUCT_CHANGED,
        product.audit_target,
        before=before,
        after=values_of(product, "slug", "name", "billing_mode"),
        reason=reason,
    )
    return Upserted(product, is_created=is_created)


@transaction.atomic
def product_return_hosts_change(
    context: ExecutionContext, *, product_id: ProductId, hosts: Sequence[str], reason: str
) -> Product:
    """Say which hosts visits from the product may lead back to; the same ones again change nothing.

    Raises `ForbiddenError`, `NotFoundError`, `UnprocessableError` for what is no host or without a reason.
    """
    require(context, "products.manage")
    if not reason.strip():
        raise UnprocessableError("Say why these hosts are right.")
    product = product_for_update(product_id)
    if product is None:
        raise NotFoundError(f"There is no product {product_id}.")
    wanted = "\n".join(_hosts(hosts))
    if product.return_hosts == wanted:
        return product
    before = {"return_hosts": product.hosts_to_return_to()}
    product.return_hosts = wanted
    product.save(update_fields=["return_hosts"])
    audit_append(
        context,
        events.PRODUCT_CHANGED,
        product.audit_target,
        before=before,
        after={"return_hosts": product.hosts_to_return_to()},
        reason=reason,
    )
    return product


def _hosts(texts: Sequence[str]) -> list[str]:
    try:
        hosts = sorted({registered_host(text) for text in texts if text.strip()})
    except ValueError as error:
        raise UnprocessableError(str(error), errors=[FieldError("hosts", "no_host", str(error))]) from None
    if len(hosts) > HOSTS_AT_MOST:
        raise UnprocessableError(f"A product has at most {HOSTS_AT_MOST} hosts to return to.")
    return hosts


@transaction.atomic
def product_relation_upsert(
    context: ExecutionContext, *, organization_id: OrganizationId, product_slug: str, reason: str = ""
) -> Upserted[ProductRelation]:
    """Let the product speak of the organization. Said by the identity service or by staff; again changes nothing."""
    organization = organization_for_update(organization_id)
    if organization is None:
        raise unknown_organization(organization_id)
    product = product_by_slug(product_slug)
    if product is None:
        sentence = f"There is no product {product_slug!r}. Its slug is on the product's admin page."
        raise UnprocessableError(
            sentence, code="unknown_product", errors=[FieldError("product", "unknown_product", sentence)]
        )
    relation = ProductRelation.objects.filter(organization=organization, product=product).first()
    if relation is not None:
        return Upserted(relation, is_created=False)
    source = RelationSource.IDENTITY if Scope.TENANTS_MANAGE in context.scopes else RelationSource.STAFF
    relation = ProductRelation.objects.create(organization=organization, product=product, source=source)
    audit_append(
        context,
        events.PRODUCT_RELATED,
        organization.audit_target,
        after={"product": product.slug, "source": relation.source},
        reason=reason,
    )
    return Upserted(relation, is_created=True)
