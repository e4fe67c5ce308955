"""Lookups of lists and forms: counts and names as subqueries, choices, and an organization by id or slug."""

from __future__ import annotations

from uuid import UUID

from django.db.models import Count, F, IntegerField, Model, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils.safestring import SafeString

from apps.backoffice.cells import NOTHING, code, link, page_url_of
from apps.core.errors import UnprocessableError
from apps.tenants.models import Organization, Product


def count_of(model: type[Model], field: str) -> Coalesce:
    """Count the records whose `field` refers to the row, as a subquery: a join would multiply rows."""
    rows: QuerySet[Model] = QuerySet(model).filter(**{field: OuterRef("pk")})
    counted = rows.annotate(key=F(field)).values("key").annotate(total=Count("pk")).values("total")
    return Coalesce(Subquery(counted, output_field=IntegerField()), Value(0))


def organization_name(field: str = "organization_id") -> Subquery:
    """The organization's name, for a row that has only its id."""
    return Subquery(Organization.objects.filter(pk=OuterRef(field)).values("name")[:1])


def product_choices() -> list[tuple[str, str]]:
    return [(str(pk), name) for pk, name in Product.objects.order_by("slug").values_list("pk", "name")]


def find_organization(text: str) -> Organization:
    """Return the organization with this id or slug, or raise `UnprocessableError`."""
    named = text.strip().lower()
    try:
        found = Organization.objects.filter(pk=UUID(named)).first()
    except ValueError:
        found = Organization.objects.filter(slug=named).first()
    if found is None:
        raise UnprocessableError(f"There is no organization {named!r}. Enter the id or slug from its page.")
    return found


def link_to(model: type[Model], key: object) -> SafeString:
    """The record by its name with a link to its page; its id where there is none: a product may name anybody."""
    if key is None:
        return NOTHING
    rows: QuerySet[Model] = QuerySet(model)
    record = rows.filter(pk=key).first()
    return code(key) if record is None else link(page_url_of(model, key), str(record))
