"""Which product may speak of an organization: only known ones are related, and only known organizations."""

from __future__ import annotations

import uuid

import pytest

from apps.core.errors import CountinghouseError
from apps.core.ids import OrganizationId
from apps.core.models import AuditEntry
from apps.tenants.models import ProductRelation
from apps.tenants.services import product_relation_upsert
from tests.contexts import console_context
from tests.factories.tenants import make_organization, make_product

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("has_organization", "slug", "code"), [(True, "nobody", "unknown_product"), (False, "red", "unknown_organization")]
)
def test_what_is_unknown_is_not_related(has_organization: bool, slug: str, code: str) -> None:
    make_product("red")
    organization_id = OrganizationId(make_organization().pk if has_organization else uuid.uuid4())
    before = AuditEntry.objects.count()
    with pytest.raises(CountinghouseError) as refusal:
        product_relation_upsert(console_context(), organization_id=organization_id, product_slug=slug)
    assert refusal.value.problem_code == code
    assert not ProductRelation.objects.exists()
    assert AuditEntry.objects.count() == before
