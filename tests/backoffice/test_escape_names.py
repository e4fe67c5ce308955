"""What people and products call things is text, on every list and page, in every dialog and in the search."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from apps.backoffice.registry import registered_pages
from apps.core.enums import Role
from apps.core.ids import ProductId
from apps.core.models import AuditEntry, OutboxItem
from apps.core.states import OutboxStatus
from apps.tenants.enums import TokenKind
from apps.tenants.models import Product, ServiceToken
from apps.tenants.services import product_upsert, service_token_create
from tests.backoffice.people import client_of
from tests.backoffice.records import make_job_run, make_outbox_item
from tests.contexts import console_context
from tests.factories.tenants import make_membership, make_organization, make_user, make_workspace

pytestmark = [pytest.mark.django_db, pytest.mark.walk]

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7|add:7 }}'"


@pytest.fixture
def client() -> Client:
    return client_of(Role.PLATFORM_ADMIN)


def plant() -> None:
    organization = make_organization(name=HOSTILE)
    make_workspace(organization, HOSTILE)
    make_membership(organization, make_user(name=HOSTILE))
    product = product_upsert(console_context(), slug="red", name=HOSTILE[:100], reason=HOSTILE).record
    service_token_create(
        console_context(), kind=TokenKind.PRODUCT, product_id=ProductId(product.pk), name=HOSTILE[:100], reason=HOSTILE
    )
    item = make_outbox_item(organization, status=OutboxStatus.PARKED)
    OutboxItem.objects.filter(pk=item.pk).update(
        last_error=HOSTILE, key=HOSTILE, payload={HOSTILE: HOSTILE, "list": [HOSTILE]}, actor_label=HOSTILE
    )
    run = make_job_run()
    type(run).objects.filter(pk=run.pk).update(error=HOSTILE, counts={HOSTILE: 1}, actor_label=HOSTILE)


def test_hostile_names_are_shown_as_text(client: Client) -> None:
    plant()
    urls = [reverse("admin:index"), reverse("admin:jobs")]
    for page in registered_pages():
        urls.append(reverse(f"admin:{page.route_prefix}_changelist"))
        for record in page.model._default_manager.all():
            urls.append(reverse(f"admin:{page.route_prefix}_change", args=(record.pk,)))
            urls.extend(reverse(f"admin:{page.route_prefix}_{verb.name}", args=(record.pk,)) for verb in page.verbs)
    urls.append(f"{reverse('admin:search')}?s=%22%3E&extended=1")
    seen = 0
    for url in urls:
        body = client.get(url).content.decode()
        assert "<script>alert" not in body, url
        assert "<img src=x" not in body, url
        seen += "&lt;script&gt;alert" in body
    assert seen >= len(registered_pages())
    assert AuditEntry.objects.filter(reason__contains="<script>").exists()


def test_a_hostile_token_name_is_text_beside_the_fresh_token(client: Client) -> None:
    plant()
    url = reverse("admin:tenants_product_create_token", args=(Product.objects.get(slug="red").pk,))
    form = {"name": HOSTILE[:100], "scopes": ["credits:read"], "reason": HOSTILE}
    body = client.post(url, form, headers={"HX-Request": "true"}).content.decode()
    assert ServiceToken.objects.count() == 2
    assert "<script>alert" not in body
