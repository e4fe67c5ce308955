"""Builds a database of years in minutes: one row of each kind as tests make it, then many like it in one statement.

The ledger is sound by `manage.py verify_ledger`: one account has a fifth of all entries, the others share the rest,
each begins with a grant that pays for everything. Moments lie in the 400 days before now, in the order of the disk.
"""

from __future__ import annotations

from django.db import connection, transaction
from django.db.models import Model

from apps.core.models import AuditEntry, IdempotencyRecord, JobRun, OutboxItem
from apps.credits.models import CreditAccount, CreditEntry, CreditGrant, ShadowDisagreement
from apps.payments.models import ProviderInvoice, WebhookEvent
from apps.subscriptions.models import DecisionReceipt, OrganizationPaymentConfig
from apps.subscriptions.models.payment_configs import CUSTOMER_FIELDS
from apps.tenants.models import Membership, Organization, User, Workspace
from tests.backoffice.records import MAKERS

_GRANTED, _CHARGED = 10**13, 1_000
ENTRIES_AN_ACCOUNT = 400


def _id(kind: str, number: str = "n") -> str:
    """SQL: the id of the row with this number."""
    return f"md5('{kind}-' || ({number}))::uuid"


def _at(share: str) -> str:
    """SQL: a moment of the last 400 days, later for a greater share between 0 and 1."""
    return f"now() - interval '400 days' * (1 - ({share}))"


def _multiply(template: Model, source: str, order: str = "", **values: str) -> None:
    """Insert a row like the template for each row of `source`, with `values` in SQL; generated columns are left out."""
    meta = type(template)._meta
    columns = [field.column for field in meta.local_concrete_fields if not field.generated]
    if meta.pk.get_internal_type() == "BigAutoField":
        columns.remove(meta.pk.column)
    chosen = ", ".join(values.get(column, f't."{column}"') for column in columns)
    chosen = chosen.replace("%", "%%")
    names = ", ".join(f'"{column}"' for column in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {meta.db_table} ({names}) SELECT {chosen} FROM {source}, "
            f"(SELECT * FROM {meta.db_table} WHERE {meta.pk.column} = %s) t {order}",
            [template.pk],
        )


def build(entries: int) -> None:
    """A database with so many entries, and of everything else its share."""
    hot = entries // 5
    organizations = max(20, (entries - hot) // ENTRIES_AN_ACCOUNT)
    charge = MAKERS[CreditEntry]()
    kinds: list[type[Model]] = [*_BESIDE, Workspace, User, Membership]
    templates = {model: MAKERS[model]() for model in kinds}
    with transaction.atomic():
        with connection.cursor() as cursor:
            # What services and triggers would do row by row is done here at once, or does not matter to lists.
            cursor.execute("SET LOCAL session_replication_role = replica")
        assert isinstance(charge, CreditEntry)
        _tenants(charge.account.organization, templates, organizations)
        _ledger(charge, hot, organizations)
        for model, (share, values) in _BESIDE.items():
            count = max(50, int(entries * share))
            numbers = f"(SELECT n, {organizations} AS orgs, {count} AS total FROM generate_series(1, {count}) n) s"
            _multiply(templates[model], numbers, "ORDER BY n", **values)
        _keys(entries)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _tenants(template: Organization, templates: dict[type[Model], Model], count: int) -> None:
    numbers = f"generate_series(1, {count}) n"
    _multiply(
        template, numbers, id=_id("o"), slug="'scale-' || n", name="'Scale ' || n", created_at=_at(f"n / {count}.0")
    )
    config = OrganizationPaymentConfig.objects.get(organization=template)
    _multiply(config, numbers, id=_id("c"), organization_id=_id("o"), **_unknown_to_providers())
    place = {"organization_id": _id("o")}
    _multiply(templates[Workspace], numbers, id=_id("w"), slug="'scale-' || n || '-production'", **place)
    _multiply(templates[User], numbers, id=_id("u"), email="'user' || n || '@scale.example'")
    _multiply(templates[Membership], numbers, id=_id("m"), user_id=_id("u"), role="'owner'", **place)


def _unknown_to_providers() -> dict[str, str]:
    return dict.fromkeys(CUSTOMER_FIELDS.values(), "NULL")


def _ledger(charge: CreditEntry, hot: int, organizations: int) -> None:
    # The first organization is the hot one.
    size = f"(CASE WHEN n = 1 THEN {hot} ELSE {ENTRIES_AN_ACCOUNT} END)"
    numbers = f"generate_series(1, {organizations}) n"
    account = charge.account
    _multiply(
        account,
        numbers,
        organization_id=_id("o"),
        balance=f"{_GRANTED} - {_CHARGED} * ({size} - 1)",
        held="0",
        overdraft_limit="0",
        floor="0",
        last_sequence=size,
        burned_sequence="1",
        next_due_at="NULL",
    )
    _grants(account, numbers)
    _charges(charge, size, organizations)


def _grants(account: CreditAccount, numbers: str) -> None:
    grant = CreditGrant.objects.filter(account=account, is_posted=True).latest("created_at")
    _multiply(
        grant,
        numbers,
        id=_id("g"),
        account_id=_id("o"),
        amount=str(_GRANTED),
        remaining=str(_GRANTED),
        expires_at="NULL",
        voided_at="NULL",
        idempotency_key="'grant-' || n",
        effective_at=_at("0"),
        created_at=_at("0"),
    )
    first = CreditEntry.objects.filter(grant=grant, kind="grant").earliest("sequence")
    _multiply(
        first,
        numbers,
        id=_id("f"),
        account_id=_id("o"),
        grant_id=_id("g"),
        sequence="1",
        amount=str(_GRANTED),
        balance_after=str(_GRANTED),
        recorded_at=_at("0"),
        occurred_at=_at("0"),
    )


def _charges(charge: CreditEntry, size: str, organizations: int) -> None:
    lines = (
        f"(SELECT n, s, {size} AS size FROM generate_series(1, {organizations}) n, "
        f"LATERAL generate_series(2, {size}) s) x"
    )
    _multiply(
        charge,
        lines,
        "ORDER BY s::float / size, n",
        id="gen_random_uuid()",
        account_id=_id("o"),
        sequence="s",
        amount=str(-_CHARGED),
        balance_after=f"{_GRANTED} - {_CHARGED} * (s - 1)",
        workspace_id=_id("w"),
        acting_user_id=_id("u"),
        run_id="'run-' || n || '-' || s",
        hold_id="NULL",
        grant_id="NULL",
        idempotency_key="'key-' || n || '-' || s",
        recorded_at=_at("s::float / size"),
        occurred_at=_at("s::float / size"),
    )


def _keys(count: int) -> None:
    record = IdempotencyRecord.objects.first()
    if record is not None:
        numbers = f"(SELECT n, {count} AS total FROM generate_series(1, {count}) n) s"
        _multiply(record, numbers, "ORDER BY n", key="'scale-' || n", created_at=_at("n::float / total"))


_TENANT = _id("o", "1 + n % orgs")
_WHEN = _at("n::float / total")
# Of each entry so many rows, and what differs from row to row.
_BESIDE: dict[type[Model], tuple[float, dict[str, str]]] = {
    AuditEntry: (
        0.2,
        {
            "id": _id("a"),
            "organization_id": _TENANT,
            "sequence": "n + 1000000000",
            "event": "CASE WHEN n % 1000 = 0 THEN t.event ELSE 'credits.granted' END",
            "actor_label": "'person' || (n % 1000) || '@scale.example'",
            "target_id": f"{_id('t')}::text",
            "workspace_id": _id("w", "1 + n % orgs"),
            "recorded_at": _WHEN,
        },
    ),
    WebhookEvent: (
        0.1,
        {
            "id": _id("e"),
            "event_id": "'evt_scale_' || n",
            "organization_id": _TENANT,
            "customer_external_id": "'cus_' || (n % orgs)",
            "received_at": _WHEN,
            "occurred_at": _WHEN,
        },
    ),
    JobRun: (
        0.1,
        {
            "id": _id("j"),
            "slot": "'scale-' || n",
            "name": "CASE WHEN n % 1000 = 0 THEN t.name ELSE 'sweep-inbox' END",
            "slot_at": f"CASE WHEN t.slot_at IS NULL THEN NULL ELSE {_WHEN} END",
            "created_at": _WHEN,
            "finished_at": f"CASE WHEN t.finished_at IS NULL THEN NULL ELSE {_WHEN} END",
        },
    ),
    OutboxItem: (
        0.06,
        {"id": _id("x"), "key": "'scale-' || n", "organization_id": _TENANT, "created_at": _WHEN},
    ),
    DecisionReceipt: (
        0.06,
        {
            "id": _id("d"),
            "organization_id": _TENANT,
            "workspace_id": _id("w", "1 + n % orgs"),
            "request_id": "'request-' || n",
            "code": "CASE WHEN n % 1000 = 0 THEN t.code ELSE 'lifecycle_denied' END",
            "created_at": _WHEN,
        },
    ),
    ProviderInvoice: (
        0.1,
        {
            "id": _id("i"),
            "external_id": "'in_scale_' || n",
            "organization_id": _TENANT,
            "customer_external_id": "'cus_' || (n % orgs)",
            "number": "'S-' || n",
            "news_at": _WHEN,
            "issued_at": _WHEN,
        },
    ),
    ShadowDisagreement: (0.06, {"id": _id("s"), "organization_id": _TENANT, "seen_at": _WHEN}),
}
