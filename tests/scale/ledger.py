"""The entries: one account has a fifth of all, the others share the rest; each begins with a grant that pays for it."""

from __future__ import annotations

from django.db import connection

from apps.credits.models import CreditAccount, CreditEntry, CreditGrant
from tests.scale.rows import at, multiply, row_id

_GRANTED, _CHARGED = 10**13, 1_000
ENTRIES_AN_ACCOUNT = 400


def fill_ledger(charge: CreditEntry, hot: int, organizations: int) -> None:
    # The first organization is the hot one.
    size = f"(CASE WHEN n = 1 THEN {hot} ELSE {ENTRIES_AN_ACCOUNT} END)"
    numbers = f"generate_series(1, {organizations}) n"
    multiply(
        charge.account,
        numbers,
        organization_id=row_id("o"),
        balance=f"{_GRANTED} - {_CHARGED} * ({size} - 1)",
        held="0",
        overdraft_limit="0",
        floor="0",
        last_sequence=size,
        burned_sequence=size,
        next_due_at="NULL",
    )
    _grants(charge.account, numbers, size)
    _charges(charge, size, organizations)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO credits_grantburn (entry_id, grant_id, amount)"
            " SELECT e.id, g.id, -e.amount FROM credits_creditentry e"
            " JOIN credits_creditgrant g ON g.account_id = e.account_id AND g.idempotency_key LIKE 'scale-grant-%'"
            " WHERE e.amount < 0"
        )


def _grants(account: CreditAccount, numbers: str, size: str) -> None:
    grant = CreditGrant.objects.filter(account=account, is_posted=True).latest("created_at")
    multiply(
        grant,
        numbers,
        id=row_id("g"),
        account_id=row_id("o"),
        amount=str(_GRANTED),
        remaining=f"{_GRANTED} - {_CHARGED} * ({size} - 1)",
        expires_at="NULL",
        voided_at="NULL",
        idempotency_key="'scale-grant-' || n",
        effective_at=at("0"),
        created_at=at("0"),
    )
    first = CreditEntry.objects.filter(grant=grant, kind="grant").earliest("sequence")
    multiply(
        first,
        numbers,
        id=row_id("f"),
        account_id=row_id("o"),
        grant_id=row_id("g"),
        sequence="1",
        amount=str(_GRANTED),
        balance_after=str(_GRANTED),
        recorded_at=at("0"),
        occurred_at=at("0"),
    )


def _charges(charge: CreditEntry, size: str, organizations: int) -> None:
    lines = (
        f"(SELECT n, s, {size} AS size FROM generate_series(1, {organizations}) n, "
        f"LATERAL generate_series(2, {size}) s) x"
    )
    multiply(
        charge,
        lines,
        "ORDER BY s::float / size, n",
        id="gen_random_uuid()",
        account_id=row_id("o"),
        sequence="s",
        amount=str(-_CHARGED),
        balance_after=f"{_GRANTED} - {_CHARGED} * (s - 1)",
        operation="(ARRAY['fix_run', 'scan', 'review', 'unit'])[1 + s % 4]",
        workspace_id=row_id("w"),
        acting_user_id=row_id("u"),
        run_id="'run-' || n || '-' || s",
        hold_id="NULL",
        grant_id="NULL",
        idempotency_key="'key-' || n || '-' || s",
        recorded_at=at("s::float / size"),
        occurred_at=at("s::float / size"),
    )
