"""Free text that looks like a key is redacted once, before anything is written: row, version, audit, as-of agree."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from apps.connectors.services import connector_create
from apps.connectors.services.onboarding import ConnectorParams
from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.audit.secrecy import REDACTED, redact_text
from apps.core.enums import LifecycleState, Role
from apps.core.errors import UnprocessableError
from apps.core.ids import OrganizationId, ProductId, UserId, WorkspaceId
from apps.core.models import AuditEntry
from apps.credits.contracts import AccountRef
from apps.credits.enums import AccountType, EntryKind, GrantType
from apps.credits.models import CreditEntry
from apps.credits.rules.pricing import Price
from apps.credits.services import credit_adjust, credit_grant, credit_policy_publish_prices, entry_reverse
from apps.credits.services.grants import GrantParams
from apps.subscriptions.enums import SubscriptionState
from apps.subscriptions.history import facts_as_of
from apps.subscriptions.ids import PlanId
from apps.subscriptions.selectors.lifecycle import workspace_facts
from apps.subscriptions.services import note_add, overlay_set, pending_change_record, plan_upsert
from apps.subscriptions.services.plans import PlanParams
from apps.tenants.enums import OrganizationKind, TokenKind
from apps.tenants.models import Organization, Product
from apps.tenants.services import (
    organization_upsert,
    product_upsert,
    service_token_create,
    user_upsert,
    workspace_upsert,
)
from apps.tenants.services.organizations import OrganizationParams
from tests.connectors.cast import make_active_workspace
from tests.contexts import console_context, staff_context
from tests.factories.tenants import make_organization, make_product, make_user, make_workspace
from tests.subscriptions.cast import lead_to, make_plan
from tests.subscriptions.cast import make_place as make_subscriber

pytestmark = pytest.mark.django_db
# No real keys: the form is what counts.
KEYS = (
    "sk_live_51H8xKeyOfATest",
    "whsec_ATestOfOurs",
    "ghp_" + "a" * 24,
    "xoxb-123-test",
    "Bearer abcdefghijklmnopqrst",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
)
FREE = PlanParams(name="Free", price_minor=0)
OURS = ("core", "tenants", "subscriptions", "credits", "connectors", "payments", "backoffice")


def _organization(text: str) -> None:
    wish = OrganizationParams(name=text, kind=OrganizationKind.TEAM)
    organization_upsert(console_context(), organization_id=OrganizationId(uuid.uuid4()), params=wish)


def _workspace(text: str) -> None:
    organization_id = OrganizationId(make_organization().pk)
    workspace_upsert(
        console_context(organization_id), workspace_id=WorkspaceId(uuid.uuid4()), organization_id=organization_id,
        name=text,
    )  # fmt: skip


def _user(text: str) -> None:
    user_upsert(console_context(), user_id=UserId(uuid.uuid4()), email=f"{uuid.uuid4().hex}@example.com", name=text)


def _token(text: str) -> None:
    service_token_create(console_context(), kind=TokenKind.CRON, name=text)


def _overlay(text: str) -> None:
    workspace = make_workspace(make_organization())
    overlay_set(staff_context(), workspace_id=WorkspaceId(workspace.pk), state=LifecycleState.TRIAL, reason=text)


def _pending(text: str) -> None:
    place = make_subscriber()
    lead_to(place, SubscriptionState.ACTIVE, PlanId(make_plan().pk))
    pending_change_record(
        staff_context(), workspace_id=place.workspace_id, due_at=clock.now() + timedelta(days=9), reason=text
    )


def _note(text: str) -> None:
    note_add(staff_context(), workspace_id=WorkspaceId(make_workspace(make_organization()).pk), text=text)


def _grant(text: str, organization: Organization | None = None) -> AccountRef:
    account = AccountRef(AccountType.ORGANIZATION, (organization or make_organization()).pk)
    wish = GrantParams(grant_type=GrantType.BONUS, amount=MICRO, note=text)
    credit_grant(console_context(), key=uuid.uuid4().hex, account=account, params=wish)
    return account


def _adjust(text: str) -> None:
    account = _grant("")
    credit_adjust(console_context(), account_id=account.id, key=uuid.uuid4().hex, amount=1, reason=text)


def _reverse(text: str) -> None:
    account = _grant("")
    credit_adjust(console_context(), account_id=account.id, key=uuid.uuid4().hex, amount=1, reason="by mistake")
    charge = CreditEntry.objects.get(account_id=account.id, kind=EntryKind.ADJUSTMENT)
    entry_reverse(console_context(), entry_id=charge.pk, key=uuid.uuid4().hex, reason=text)


def _connector(text: str) -> None:
    workspace = make_active_workspace(is_demo=True)
    context = console_context(OrganizationId(workspace.organization_id), is_demo=True)
    connector_create(
        context, workspace_id=WorkspaceId(workspace.pk), params=ConnectorParams(provider="demo", name=text)
    )


VERBS: dict[str, Callable[[str], Any]] = {
    "organization": _organization,
    "workspace": _workspace,
    "user": _user,
    "product": lambda text: product_upsert(console_context(), slug=f"p{uuid.uuid4().hex[:8]}", name=text),
    "token": _token,
    "plan": lambda text: plan_upsert(console_context(), slug="team", params=PlanParams(name=text, price_minor=1)),
    "overlay": _overlay,
    "pending change": _pending,
    "note": _note,
    "grant": _grant,
    "adjustment": _adjust,
    "reversal": _reverse,
    "connector": _connector,
}


def rows_with(text: str) -> list[str]:
    """The tables, those of row versions included, that hold the text somewhere in a row."""
    tables = sorted({model._meta.db_table for model in apps.get_models() if model._meta.app_label in OURS})
    each = " UNION ALL ".join(f"SELECT '{table}' AS name, to_jsonb(t)::text AS row FROM {table} t" for table in tables)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT name FROM ({each}) rows WHERE position(%s in row) > 0", [text])
        return sorted(name for (name,) in cursor.fetchall())


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key[:8])
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.slow
def test_no_table_keeps_what_looks_like_a_key(verb: str, key: str) -> None:
    VERBS[verb](f"Northwind {key}")
    kept = key.split("\n", maxsplit=1)[0]
    # The outbox's payload is what the provider is sent; it is made from the row.
    assert rows_with(kept) == []
    assert rows_with(f"Northwind {REDACTED}") != []


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key[:8])
def test_as_of_now_equals_the_row_where_a_reason_held_a_key(key: str) -> None:
    workspace_id = WorkspaceId(make_workspace(make_organization()).pk)
    overlay_set(staff_context(), workspace_id=workspace_id, state=LifecycleState.TRIAL, reason=f"Try {key}")
    now = clock.now()
    assert facts_as_of(workspace_id, now) == workspace_facts(workspace_id, at=now)
    entry = AuditEntry.objects.get(event="workspace.overlay_set")
    assert (
        entry.reason == entry.after["manual_lifecycle_reason"] == workspace_facts(workspace_id, at=now).overlay_reason
    )


def test_saying_the_same_again_changes_nothing() -> None:
    user = make_user(name=f"Ann {KEYS[0]}")
    organization = make_organization(f"Northwind {KEYS[0]}")
    entries = AuditEntry.objects.count()
    user_upsert(console_context(), user_id=UserId(user.pk), email=user.email, name=f"Ann {KEYS[0]}")
    organization_upsert(
        console_context(),
        organization_id=OrganizationId(organization.pk),
        params=OrganizationParams(name=f"Northwind {KEYS[0]}", kind=OrganizationKind.TEAM),
    )
    assert AuditEntry.objects.count() == entries


def test_a_name_of_full_length_stays_within_its_column() -> None:
    # Each mark is longer than the key that it stands for.
    name = ("sk_live_a " * 20).strip()
    kept = make_organization(name).name
    assert len(name) <= 200
    assert len(kept) == 200
    assert kept == redact_text(name)[:200]


def _slug_of_organization() -> None:
    wish = OrganizationParams(name="Northwind", kind=OrganizationKind.TEAM, slug=KEYS[0])
    organization_upsert(console_context(), organization_id=OrganizationId(uuid.uuid4()), params=wish)


def _operation() -> None:
    price = Price(KEYS[0], "run", MICRO)
    product = Product.objects.get(slug="red")
    credit_policy_publish_prices(console_context(), product_id=ProductId(product.pk), prices=[price])


IDENTIFIERS: dict[str, Callable[[], Any]] = {
    "slug of an organization": _slug_of_organization,
    "slug of a product": lambda: product_upsert(console_context(), slug=KEYS[0]),
    "slug of a plan": lambda: plan_upsert(staff_context(Role.PLATFORM_ADMIN), slug=KEYS[0], params=FREE, reason="new"),
    "operation": _operation,
}


@pytest.mark.parametrize("what", IDENTIFIERS)
def test_an_identifier_that_looks_like_a_key_is_refused(what: str) -> None:
    make_product("red")
    before = AuditEntry.objects.count()
    with pytest.raises(UnprocessableError) as refusal:
        IDENTIFIERS[what]()
    assert refusal.value.errors[0].code == "looks_like_a_key"
    assert AuditEntry.objects.count() == before
