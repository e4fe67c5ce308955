"""`manage.py publish_policy`: a reviewed file becomes a version, once; a bad file names its field (spec 05, 09)."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction

from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.errors import ConflictError, UnprocessableError
from apps.core.ids import ProductId
from apps.credits.models import CreditPolicy, OperationPrice
from apps.credits.rules.pricing import Price
from apps.credits.services import credit_policy_draft, credit_policy_publish, credits_consume
from tests.contexts import console_context
from tests.credits.cast import PRICES, Place, consumption, make_place
from tests.factories.tenants import make_product

pytestmark = pytest.mark.django_db
FIX_RUN = {"operation": "fix_run", "unit": "run", "unit_price": "2.5"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    make_product("red")
    return tmp_path / "policy.json"


def publish(file: Path, content: Any, product: str = "red") -> str:
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    out = StringIO()
    call_command("publish_policy", "--product", product, str(file), stdout=out)
    return out.getvalue()


def test_an_unchanged_file_publishes_nothing(file: Path) -> None:
    scan = {"operation": "scan", "unit": "file", "unit_price": "0.01", "free_quantity": "100", "quantum": "0.01"}
    content = {"operations": [FIX_RUN, scan]}
    assert publish(file, content) == "Published version 1 of red.\n"
    assert publish(file, content) == "Unchanged: nothing published.\n"
    assert publish(file, {"operations": [scan, FIX_RUN]}) == "Unchanged: nothing published.\n"
    assert publish(file, {"operations": [{**FIX_RUN, "unit_price": "3"}, scan]}) == "Published version 2 of red.\n"
    assert list(CreditPolicy.objects.values_list("version", "status")) == [(1, "published"), (2, "published")]


BAD: tuple[tuple[Any, str], ...] = (
    ({}, "operations: "),
    ({"operations": []}, "operations: "),
    ({"operation": [FIX_RUN]}, "did you mean `operations`"),
    ({"operations": [{**FIX_RUN, "unit_prize": "1"}]}, "operations.0.unit_prize: unknown field `unit_prize`; did you"),
    ({"operations": [FIX_RUN, {**FIX_RUN, "operation": ""}]}, "operations.1.operation: "),
    ({"operations": [{**FIX_RUN, "unit_price": 2.5}]}, "operations.0.unit_price: "),
    ({"operations": [{**FIX_RUN, "unit_price": "-1"}]}, "operations.0.unit_price: "),
    ({"operations": [{**FIX_RUN, "quantum": "0"}]}, "operations.0.quantum: "),
    ({"operations": [{**FIX_RUN, "billable_outcomes": []}]}, "operations.0.billable_outcomes: "),
    ({"operations": [{**FIX_RUN, "minimum_charge": "0.3", "quantum": "0.2"}]}, "The price of fix_run"),
    ({"operations": [FIX_RUN, FIX_RUN]}, "twice: fix_run"),
    ({"operations": [FIX_RUN], "effective_from": "soon"}, "effective_from: "),
    ('{"operations": [], "operations": []}', "stands twice"),
    ("not json", "not JSON"),
)


@pytest.mark.parametrize(("content", "said"), BAD)
def test_a_bad_file_names_its_field_and_publishes_nothing(file: Path, content: Any, said: str) -> None:
    with pytest.raises(CommandError) as failure:
        publish(file, content)
    assert said in str(failure.value)
    assert not CreditPolicy.objects.exists()


def test_a_missing_file_and_an_unknown_product_are_said(file: Path) -> None:
    with pytest.raises(CommandError, match="can't be read"):
        call_command("publish_policy", "--product", "red", str(file))
    with pytest.raises(CommandError, match="There is no product blue"):
        publish(file, {"operations": [FIX_RUN]}, product="blue")


def dearer(place: Place, **values: Any) -> CreditPolicy:
    """A draft in which a fix run costs four times as much."""
    prices = (Price("fix_run", "run", 10 * MICRO), *PRICES[1:])
    return credit_policy_draft(console_context(), product_id=ProductId(place.product.pk), prices=prices, **values)


def charged(place: Place) -> object:
    return credits_consume(place.context, consumption=consumption(place)).body["charged"]


def test_a_draft_prices_nothing_until_it_is_published_and_in_force() -> None:
    place = make_place(whole_credits=100)
    assert charged(place) == 2_500_000
    dearer(place)
    assert charged(place) == 2_500_000
    later = dearer(place, effective_from=clock.now() + timedelta(days=1))
    assert CreditPolicy.objects.filter(status="draft").count() == 1
    credit_policy_publish(console_context(), policy_id=later.pk)
    assert charged(place) == 2_500_000
    now = dearer(place, effective_from=clock.now() + timedelta(days=1))
    with pytest.raises(ConflictError, match="Only a draft"):
        credit_policy_publish(console_context(), policy_id=later.pk)
    CreditPolicy.objects.filter(pk=now.pk).delete()
    early = dearer(place)
    with pytest.raises(ConflictError, match="begin before version 2"):
        credit_policy_publish(console_context(), policy_id=early.pk)


def test_a_published_draft_is_the_price_from_then_on_and_never_changes() -> None:
    place = make_place(whole_credits=100)
    published = credit_policy_publish(console_context(), policy_id=dearer(place).pk)
    assert charged(place) == 10 * MICRO
    for change in (
        lambda: CreditPolicy.objects.filter(pk=published.pk).update(version=9),
        lambda: OperationPrice.objects.filter(policy=published).update(unit_price=1),
        lambda: OperationPrice.objects.filter(policy=published).delete(),
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()
    with pytest.raises(UnprocessableError, match="A policy has prices"):
        credit_policy_draft(console_context(), product_id=ProductId(place.product.pk), prices=())


@pytest.mark.parametrize("lists", [{"billable_outcomes": ["suceeded"]}, {"other_outcomes": ["failed", "cancelled"]}])
def test_an_outcome_that_is_nearly_a_usual_one_is_published_on_confirmation_alone(
    file: Path, lists: dict[str, list[str]]
) -> None:
    content = {"operations": [{**FIX_RUN, **lists}]}
    with pytest.raises(CommandError, match=r"close to the usual.*--accept-outcomes"):
        publish(file, content)
    assert not CreditPolicy.objects.exists()
    call_command("publish_policy", "--product", "red", "--accept-outcomes", str(file), stdout=StringIO())
    assert CreditPolicy.objects.get().status == "published"


def test_own_words_for_an_outcome_need_no_confirmation(file: Path) -> None:
    lists = {"billable_outcomes": ["succeeded", "partial"], "other_outcomes": ["completed_before"]}
    assert publish(file, {"operations": [{**FIX_RUN, **lists}]}) == "Published version 1 of red.\n"
    price = OperationPrice.objects.get()
    assert (price.billable_outcomes, price.other_outcomes) == (["succeeded", "partial"], ["completed_before"])
