"""A draft's way from its form over its price preview to its publication (spec 05, Policy)."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.core import clock
from apps.core.enums import Role
from apps.core.ids import ProductId
from apps.credits.models import CreditPolicy, PricePreviewRun
from apps.credits.services import credit_policy_draft, credits_consume
from apps.credits.services.price_previews import price_preview_execute
from tests.backoffice.people import client_of
from tests.contexts import console_context
from tests.credits.cast import PRICES, consumption, make_place
from tests.factories.tenants import make_product

WHY = "ticket 4711"
ROW = {"operation": "fix_run", "unit": "run", "unit_price": "5", "minimum_charge": "0", "quantum": "0.000001"}


def form_of(**changes: str) -> dict[str, str]:
    row = {**ROW, **changes}
    return {"rows": "1", "step": "save", "reason": WHY, **{f"row0-{name}": value for name, value in row.items()}}


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_a_draft_is_saved_previewed_and_published_for_good() -> None:
    place, client = make_place(whole_credits=100), client_of(Role.PLATFORM_ADMIN)
    credits_consume(place.context, consumption=consumption(place))
    url = reverse("admin:credits_creditpolicy_draft", args=(place.product.pk,))
    assert 'value="fix_run"' in client.get(url).content.decode()
    answer = client.post(url, form_of(billable_outcomes="succeeded, partial"))
    draft = CreditPolicy.objects.get(status="draft")
    page = reverse("admin:credits_creditpolicy_change", args=(draft.pk,))
    assert answer.headers["Location"] == page
    live = client.get(page)
    assert 'hx-trigger="every 2s"' in live.content.decode()
    assert "would have charged" not in live.content.decode()
    publish = reverse("admin:credits_creditpolicy_publish", args=(draft.pk,))
    typed = {"reason": WHY, "key": str(uuid.uuid4())}
    assert "Nobody knows yet" in client.post(publish, {**typed, "step": "preview"}).content.decode()
    price_preview_execute(PricePreviewRun.objects.get().pk)
    over = client.get(page, headers={"HX-Request": "true"})
    assert (over["HX-Refresh"], 'hx-trigger="every 2s"' in over.content.decode()) == ("true", False)
    shown = client.get(page).content.decode()
    assert "would have charged 100.0 % more" in shown
    assert f"when {PricePreviewRun.objects.get().requested_by} asked for this preview" in shown
    assert "100.0 % more" in client.post(publish, {**typed, "step": "preview"}).content.decode()
    assert CreditPolicy.objects.get(pk=draft.pk).status == "draft"
    client.post(publish, {**typed, "step": "apply"})
    assert CreditPolicy.objects.get(pk=draft.pk).status == "published"
    assert "Only a draft" in client.post(publish, {**typed, "step": "apply"}).content.decode()
    published = client.get(page).content.decode()
    assert publish not in published
    assert "would have charged 100.0 % more" in published


@pytest.mark.django_db(transaction=True)
def test_a_result_of_other_prices_is_not_shown_and_is_asked_for_anew() -> None:
    place, client = make_place(whole_credits=100), client_of(Role.PLATFORM_ADMIN)
    credits_consume(place.context, consumption=consumption(place))
    product_id = ProductId(place.product.pk)
    draft = credit_policy_draft(console_context(), product_id=product_id, prices=PRICES)
    first = reverse("admin:credits_creditpolicy_change", args=(draft.pk,))
    assert "Not computed yet. Choose Preview prices" in client.get(first).content.decode()
    client.post(f"{first}preview-prices/", {"reason": WHY, "step": "apply"})
    price_preview_execute(PricePreviewRun.objects.get().pk)
    assert "would have charged the same" in client.get(first).content.decode()
    draft = credit_policy_draft(console_context(), product_id=product_id, prices=PRICES[:1])
    page = reverse("admin:credits_creditpolicy_change", args=(draft.pk,))
    shown = client.get(page).content.decode()
    assert "The draft has changed since its preview" in shown
    assert "would have charged" not in shown
    client.post(f"{page}preview-prices/", {"reason": WHY, "step": "apply"})
    PricePreviewRun.objects.filter(status="queued").update(
        status="failed", error="The disk is full.", finished_at=clock.now()
    )
    assert "It could not be computed: The disk is full." in client.get(page).content.decode()


@pytest.mark.django_db
def test_no_page_reads_the_ledger_for_a_preview() -> None:
    place, client = make_place(whole_credits=100), client_of(Role.PLATFORM_ADMIN)
    credits_consume(place.context, consumption=consumption(place))
    draft = credit_policy_draft(console_context(), product_id=ProductId(place.product.pk), prices=PRICES)
    page = reverse("admin:credits_creditpolicy_change", args=(draft.pk,))
    dialog = reverse("admin:credits_creditpolicy_publish", args=(draft.pk,))
    with CaptureQueriesContext(connection) as captured:
        client.get(page)
        client.post(dialog, {"reason": WHY, "key": str(uuid.uuid4()), "step": "preview"})
    assert not [query["sql"] for query in captured if "creditentry" in query["sql"]]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"unit": ""}, "What is counted?"),
        ({"unit_price": ""}, "What does one cost?"),
        ({"unit_price": "1e2"}, "Write a number such as 1000"),
        ({"minimum_charge": "0.5", "quantum": "0.3"}, "multiple of the smallest step"),
        ({"operation": ""}, "at least one operation"),
    ],
)
def test_each_wrong_field_says_what_is_wrong_and_nothing_is_kept(changes: dict[str, str], words: str) -> None:
    url = reverse("admin:credits_creditpolicy_draft", args=(make_product().pk,))
    assert words in client_of(Role.PLATFORM_ADMIN).post(url, form_of(**changes)).content.decode()
    assert not CreditPolicy.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("role", [Role.SUPPORT, Role.BILLING_OPERATIONS])
def test_only_platform_admins_write_drafts(role: Role) -> None:
    url = reverse("admin:credits_creditpolicy_draft", args=(make_product().pk,))
    client = client_of(role)
    assert client.get(url).status_code == client.post(url, form_of()).status_code == 403
    assert not CreditPolicy.objects.exists()
