"""Text that callers choose never becomes a key that a rule of ours judges: hostile names through every verb.

The audit log refuses fields whose names say secret. An operation named `tokens` is no such field, and neither is any
other name that a customer gives to a thing.
"""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from apps.backoffice.audit_diff import field_changes
from apps.core.amounts import MICRO
from apps.core.enums import Role
from apps.core.ids import ProductId
from apps.core.models import AuditEntry
from apps.credits.contracts import Question
from apps.credits.models import CreditPolicy
from apps.credits.rules.pricing import Price
from apps.credits.services import credit_policy_publish_prices, credits_authorize, credits_consume
from apps.credits.services.authorization import LocalDecision
from tests.access.routes import Route, api_routes
from tests.access.world import World, request_of
from tests.backoffice.people import client_of
from tests.contexts import console_context
from tests.credits.cast import Place, consumption, give, make_place
from tests.factories.tenants import make_membership, make_signing_in_user, make_token, make_workspace
from tests.sizes import size

# What the rules for our own field names look for, and what code and templates might take for something of their own.
HOSTILE = (
    *("tokens", "token", "input_tokens", "secret_scan", "password_reset", "cookie_consent", "api_key_rotation"),
    *("authorization", "credentials", "Authorization", "privateKey", "signing_key", "session_id", "csrf", "otp"),
    *("items", "keys", "values", "count", "get", "__class__", "__proto__", "constructor", "toString", "prices"),
    *("null", "true", "0", "-1", "NaN", "a.b", "a__b", "..", "../x", "%s", "{0}", "{{ x }}", "a,b", "a;b", "'", '"'),
    *("id", "status", "organization_id", "request_id", "event", "level", "exception", "=1+1", "Zoë", "操作", "🙂"),
)


def with_text(body: Any, text: str) -> Iterator[Any]:
    """The body again and again, each time with one of its texts replaced; ids stay."""
    if isinstance(body, dict):
        for name, value in body.items():
            yield from ({**body, name: inner} for inner in with_text(value, text))
    elif isinstance(body, list):
        for place, value in enumerate(body):
            yield from ([*body[:place], inner, *body[place + 1 :]] for inner in with_text(value, text))
    elif isinstance(body, str) and not _is_id(body):
        yield text


def _is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


# In the gate a text goes into every third of a body's fields, the next text beginning one further.
STEP = size(small=3, full=1)
WRITES = [
    (route, method) for route in api_routes() for method in ("POST", "PUT", "PATCH") if method in route.operations
]


@pytest.mark.prove("hostile texts in every field of the API", size=len(HOSTILE) // STEP)
@pytest.mark.parametrize(("route", "method"), WRITES, ids=lambda part: getattr(part, "name", part))
def test_the_api_takes_or_refuses_a_hostile_text_and_never_stumbles(world: World, route: Route, method: str) -> None:
    principal = "identity token" if route.name == "organization-products-upsert" else "product token"
    client, headers = world.client(principal)
    arguments, body = request_of(route.name, world.tenants["own"], world)
    path = reverse(route.name, kwargs=arguments)
    stumbled = []
    for number, text in enumerate(HOSTILE):
        for changed in itertools.islice(with_text(body, text), number % STEP, None, STEP):
            undoing = transaction.atomic()
            # As the test's own transaction: services that insist on committing themselves take it for none.
            undoing._from_testcase = True  # type: ignore[attr-defined]
            with undoing:
                answer: Any = client.generic(
                    method, path, json.dumps(changed), content_type="application/json", headers=headers
                )
                transaction.set_rollback(True)
            if answer.status_code >= 500:
                stumbled.append((text, changed, answer.content[:200]))
    assert stumbled == []


@pytest.fixture
def place(db: None) -> Place:
    """A product whose operations, units and outcomes all have hostile names; each was used, and disagreed about."""
    place = make_place(f"p{uuid.uuid4().hex[:8]}")
    give(place, 10_000 * MICRO)
    prices = [Price(name, name[:40], MICRO, billable_outcomes=("succeeded", name[:40])) for name in HOSTILE]
    credit_policy_publish_prices(console_context(), product_id=ProductId(place.product.pk), prices=prices)
    for name in HOSTILE:
        credits_consume(place.context, consumption=consumption(place, operation=name, outcome=name[:40], run_id=name))
        question = Question(account=place.ref, operation=name, quantity=MICRO)
        credits_authorize(place.context, question=question, local=LocalDecision("deny", 0, 0))
    return place


def test_a_policy_is_audited_by_rows_whatever_its_operations_are_called(place: Place) -> None:
    entry = AuditEntry.objects.filter(event="credit_policy.published").latest("recorded_at")
    assert sorted(row["operation"] for row in entry.after["prices"]) == sorted(HOSTILE)
    changes = {change.field: change.after for change in field_changes(entry.before, entry.after)}
    assert {changes[f"prices.{place}.operation"] for place in range(1, len(HOSTILE) + 1)} == set(HOSTILE)


def test_every_page_that_shows_such_names_opens(place: Place) -> None:
    owner = make_signing_in_user()
    make_membership(place.organization, owner)
    workspace = make_workspace(place.organization)
    tenant, staff = Client(), client_of(Role.PLATFORM_ADMIN)
    tenant.force_login(owner)
    for name in ("billing-credits", "billing-credits-csv"):
        answer: Any = tenant.get(reverse(name, args=[workspace.slug]))
        shown = b"".join(answer.streaming_content) if answer.streaming else answer.content
        assert (answer.status_code, b"Traceback" in shown) == (200, False)
    policy = CreditPolicy.objects.filter(product=place.product).latest("version")
    entry = AuditEntry.objects.filter(event="credit_policy.published").latest("recorded_at")
    pages = [
        reverse("admin:credits_creditpolicy_draft", args=[place.product.pk]),
        reverse("admin:tenants_product_drift", args=[place.product.pk]),
        reverse("admin:core_auditentry_change", args=[entry.pk]),
        reverse("admin:credits_creditpolicy_change", args=[policy.pk]),
        reverse("admin:credits_creditentry_changelist"),
        reverse("admin:credits_shadowdisagreement_changelist"),
    ]
    for page in pages:
        assert staff.get(page).status_code == 200, page


def test_the_policy_answers_each_name_over_the_api(place: Place, client: Client) -> None:
    path = reverse("credit-policy", args=[place.product.slug])
    answer = client.get(path, headers={"authorization": f"Bearer {make_token(place.product)}"})
    assert {row["operation"] for row in answer.json()["operations"]} == set(HOSTILE)
