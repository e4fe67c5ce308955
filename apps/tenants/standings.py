"""How many organizations or people stand to a product, read together: for files that name thousands."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, OuterRef

from apps.core.ids import ProductId
from apps.tenants.access import related_to
from apps.tenants.models import Membership, Organization, User
from apps.tenants.personal_accounts import PersonalFacts


@dataclass(frozen=True, slots=True)
class OrganizationStanding:
    """`is_customer` is false for a demo and for what a cutover check made."""

    is_related: bool
    is_customer: bool
    is_open: bool


def organization_standings(product_id: ProductId, ids: Collection[UUID]) -> dict[UUID, OrganizationStanding]:
    """Those that exist; related as `apps.tenants.access.is_related` says of one."""
    rows = Organization.objects.filter(pk__in=ids).annotate(is_related=related_to(product_id))
    values = rows.values_list("pk", "is_related", "is_demo", "is_synthetic", "closed_at")
    return {
        pk: OrganizationStanding(is_related, not (is_demo or is_synthetic), closed_at is None)
        for pk, is_related, is_demo, is_synthetic, closed_at in values
    }


def person_standings(product_id: ProductId, ids: Collection[UUID]) -> dict[UUID, PersonalFacts]:
    """Those who exist, with the facts of `apps.tenants.access.personal_facts`."""
    shared = Membership.objects.filter(user=OuterRef("pk"), organization__product_relations__product=product_id)
    rows = User.objects.filter(pk__in=ids).annotate(shares=Exists(shared))
    return {
        pk: PersonalFacts(user_exists=True, is_creator=creator == product_id, shares_organization=shares)
        for pk, creator, shares in rows.values_list("pk", "created_by_product", "shares")
    }
