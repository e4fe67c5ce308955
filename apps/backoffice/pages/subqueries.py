"""Counts and names for lists, as subqueries: one statement a page however many rows it shows."""

from __future__ import annotations

from django.db.models import Count, F, IntegerField, Model, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from apps.tenants.models import Organization


def count_of(model: type[Model], field: str) -> Coalesce:
    """How many records of the model refer to the row by `field`; by its index, without a join that multiplies rows."""
    rows: QuerySet[Model] = QuerySet(model).filter(**{field: OuterRef("pk")})
    counted = rows.annotate(key=F(field)).values("key").annotate(total=Count("pk")).values("total")
    return Coalesce(Subquery(counted, output_field=IntegerField()), Value(0))


def organization_name(field: str = "organization_id") -> Subquery:
    """The name of the organization that the row names by plain id, if it still exists."""
    return Subquery(Organization.objects.filter(pk=OuterRef(field)).values("name")[:1])
