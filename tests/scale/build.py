"""Builds a database of years in minutes: one row of each kind as tests make it, then many like it in one statement.

The ledger is sound by `manage.py verify_ledger`. Moments lie in the 400 days before now, in the order of the disk.
"""

from __future__ import annotations

from django.db import connection
from django.db.models import Model

from apps.connectors.models import BillingRecord, SyncRun
from apps.core import clock
from apps.core.models import AuditEntry, IdempotencyRecord, JobRun, OutboxItem
from apps.credits.models import CreditEntry, GrantBurn, ShadowDisagreement
from apps.payments.enums import BillingEventName
from apps.payments.models import BillingEvent, ProviderInvoice, WebhookEvent
from apps.reporting.services import rollups_refresh
from apps.subscriptions.models import DecisionReceipt, OrganizationPaymentConfig, WorkspaceSubscription
from apps.subscriptions.models.payment_configs import CUSTOMER_FIELDS
from apps.tenants.models import Membership, Organization, Product, ProductRelation, User, Workspace
from tests.access.ledgers import publish_prices
from tests.backoffice.records import MAKERS
from tests.connectors.cast import activate
from tests.contexts import console_context
from tests.factories.tenants import make_organization, make_product
from tests.scale.ledger import ENTRIES_AN_ACCOUNT, fill_ledger
from tests.scale.records import fill_records, make_templates
from tests.scale.rows import at, filling, multiply, numbers, row_id

PRODUCT = "red"


def build(entries: int) -> None:
    """A database with so many entries, and of everything else its share."""
    hot = entries // 5
    organizations = max(20, (entries - hot) // ENTRIES_AN_ACCOUNT)
    charge = MAKERS[CreditEntry]()
    assert isinstance(charge, CreditEntry)
    kinds: list[type[Model]] = [*(kind for kind in _BESIDE if kind in MAKERS), Workspace, User, Membership]
    templates = {model: MAKERS[model]() for model in kinds} | {BillingEvent: _billing_event()}
    workspace = templates[Workspace]
    assert isinstance(workspace, Workspace)
    activate(workspace)
    of_connectors = make_templates(workspace)
    charge.product_id = make_product(PRODUCT, charge.account.organization).pk
    publish_prices()
    with filling(*_BESIDE, CreditEntry, GrantBurn, BillingRecord, SyncRun, IdempotencyRecord):
        CreditEntry.objects.filter(pk=charge.pk).update(product_id=charge.product_id)
        _tenants(charge.account.organization, templates, organizations)
        fill_ledger(charge, hot, organizations)
        fill_records(*of_connectors, entries, organizations)
        for model, (share, values) in _BESIDE.items():
            multiply(templates[model], numbers(max(50, int(entries * share)), organizations), "ORDER BY n", **values)
        _keys(entries)
    _settle()
    _roll_up()


def _roll_up() -> None:
    """As the job does, until nothing is left."""
    while any(rollups_refresh(console_context()).values()):
        pass
    _settle()


def _settle() -> None:
    """What autovacuum does in time."""
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("RESET statement_timeout")


def _billing_event() -> BillingEvent:
    now = clock.now()
    event: BillingEvent = BillingEvent.objects.create(
        organization=make_organization(),
        name=BillingEventName.values[0],
        key="scale",
        occurred_at=now,
        recorded_at=now,
        request_id="scale",
    )
    return event


def _tenants(template: Organization, templates: dict[type[Model], Model], count: int) -> None:
    each = f"generate_series(1, {count}) n"
    multiply(
        template, each, id=row_id("o"), slug="'scale-' || n", name="'Scale ' || n", created_at=at(f"n / {count}.0")
    )
    config = OrganizationPaymentConfig.objects.get(organization=template)
    unknown_to_providers = dict.fromkeys(CUSTOMER_FIELDS.values(), "NULL")
    multiply(config, each, id=row_id("c"), organization_id=row_id("o"), **unknown_to_providers)
    place = {"organization_id": row_id("o")}
    multiply(
        templates[Workspace], each, id=row_id("w"), slug="'scale-' || n || '-production'", name="'Scale ' || n", **place
    )
    subscription = WorkspaceSubscription.objects.get(workspace=templates[Workspace].pk)
    multiply(subscription, each, id=row_id("b"), workspace_id=row_id("w"))
    multiply(templates[User], each, id=row_id("u"), email="'user' || n || '@scale.example'", name="'Scale ' || n")
    multiply(templates[Membership], each, id=row_id("m"), user_id=row_id("u"), role="'owner'", **place)
    relation = ProductRelation.objects.get(product=Product.objects.get(slug=PRODUCT), organization=template)
    multiply(relation, each, id=row_id("r"), **place)


def _keys(count: int) -> None:
    record = IdempotencyRecord.objects.earliest("created_at")
    multiply(record, numbers(count, 1), "ORDER BY n", key="'scale-' || n", created_at=at("n::float / total"))


def _seldom(seldom: str, mostly: str) -> str:
    """SQL: one thing in a thousand rows, another in all others."""
    return f"CASE WHEN n % 1000 = 0 THEN {seldom} ELSE {mostly} END"


_TENANT, _WORKSPACE = row_id("o", "1 + n % orgs"), row_id("w", "1 + n % orgs")
_WHEN = at("n::float / total")
# Of each entry so many rows, and what differs from row to row.
_BESIDE: dict[type[Model], tuple[float, dict[str, str]]] = {
    AuditEntry: (
        0.2,
        {
            "id": row_id("a"),
            "organization_id": _TENANT,
            "sequence": "n + 1000000000",
            "event": _seldom("t.event", "'credits.granted'"),
            "actor_label": "'person' || (n % 1000) || '@scale.example'",
            "target_id": f"{row_id('t')}::text",
            "workspace_id": _WORKSPACE,
            "recorded_at": _WHEN,
        },
    ),
    BillingEvent: (
        0.1,
        {
            "id": row_id("v"),
            "organization_id": _TENANT,
            "name": "(ARRAY[" + ", ".join(f"'{name}'" for name in BillingEventName.values) + "])[1 + n % "
            f"{len(BillingEventName.values)}]",
            "key": "'scale-' || n",
            "occurred_at": _WHEN,
            "recorded_at": _WHEN,
        },
    ),
    WebhookEvent: (
        0.1,
        {
            "id": row_id("e"),
            "event_id": "'evt_scale_' || n",
            "status": _seldom("t.status", "'processed'"),
            "error": _seldom("t.error", "''"),
            "processed_at": _WHEN,
            "organization_id": _TENANT,
            "customer_external_id": "'cus_' || (n % orgs)",
            "received_at": _WHEN,
            "occurred_at": _WHEN,
        },
    ),
    JobRun: (
        0.1,
        {
            "id": row_id("j"),
            "slot": "'scale-' || n",
            "name": _seldom("t.name", "'sweep-inbox'"),
            "trigger": "'schedule'",
            "slot_at": _WHEN,
            "status": _seldom("'failed'", "'succeeded'"),
            "lease_expires_at": "NULL",
            "created_at": _WHEN,
            "started_at": _WHEN,
            "finished_at": _WHEN,
        },
    ),
    OutboxItem: (
        0.06,
        {
            "id": row_id("x"),
            "key": "'scale-' || n",
            # A third waits for its time.
            "status": "CASE WHEN n % 3 = 0 THEN 'pending' ELSE 'done' END",
            "next_attempt_at": f"CASE WHEN n % 3 = 0 THEN now() + interval '1 day' ELSE {_WHEN} END",
            "finished_at": f"CASE WHEN n % 3 = 0 THEN NULL ELSE {_WHEN} END",
            "organization_id": _TENANT,
            "created_at": _WHEN,
        },
    ),
    DecisionReceipt: (
        0.06,
        {
            "id": row_id("d"),
            "organization_id": _TENANT,
            "workspace_id": _WORKSPACE,
            "request_id": "'request-' || n",
            "code": _seldom("t.code", "'lifecycle_denied'"),
            "created_at": _WHEN,
        },
    ),
    ProviderInvoice: (
        0.1,
        {
            "id": row_id("i"),
            "external_id": "'in_scale_' || n",
            "organization_id": _TENANT,
            "customer_external_id": "'cus_' || (n % orgs)",
            "number": "'S-' || n",
            "status": _seldom("t.status", "'paid'"),
            "amount_remaining_minor": _seldom("t.amount_remaining_minor", "0"),
            "news_at": _WHEN,
            "issued_at": _WHEN,
        },
    ),
    ShadowDisagreement: (0.06, {"id": row_id("s"), "organization_id": _TENANT, "seen_at": _WHEN}),
}
