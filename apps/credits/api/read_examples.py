"""The examples of the OpenAPI document for what is read of credits."""

from __future__ import annotations

from typing import Any

_ORGANIZATION = "0f0a5f3e-6d3b-4a53-9f0b-5f2f7f4a9c10"
_ENTRY = "3c9b0f5e-1a2d-4e6f-8b7c-9d0e1f2a3b4c"
_HOLD = "a1d2f3b4-5c6e-4788-9a0b-1c2d3e4f5061"
_GRANT = "5e4d3c2b-1a09-4f8e-9d7c-6b5a49382716"
_BALANCE = {"balance": "97.5", "held": "0", "available": "97.5"}

BALANCE: dict[str, Any] = {
    "account": {"type": "organization", "id": _ORGANIZATION},
    "organization_id": _ORGANIZATION,
    **_BALANCE,
    "overdraft_limit": "0",
    "at": "2026-04-03T10:00:00Z",
    "free_month_ends_at": "2026-04-30T22:00:00Z",
    "next_expiries": [
        {"grant_id": _GRANT, "amount": "97.5", "remaining": "97.5", "expires_at": "2027-04-03T00:00:00Z"}
    ],
    "upcoming_grants": [
        {
            "grant_id": "0d9c8b7a-6958-4716-8504-f3e2d1c0bfae",
            "grant_type": "plan",
            "amount": "100",
            "effective_at": "2026-05-01T00:00:00Z",
            "expires_at": "2026-06-01T00:00:00Z",
        }
    ],
}
ENTRY: dict[str, Any] = {
    "id": _ENTRY,
    "sequence": 2,
    "kind": "consumption",
    "amount": "-2.5",
    "balance_after": "97.5",
    "product": "red",
    "own": True,
    "operation": "fix_run",
    "quantity": "1",
    "free_quantity": "0",
    "category": "regular",
    "billable": True,
    "outcome": "succeeded",
    "user_id": None,
    "workspace_id": None,
    "run_id": "8841",
    "hold_id": None,
    "grant_id": None,
    "reversal_of": None,
    "policy_version": 3,
    "idempotency_key": "run-8841",
    "late": False,
    "decided_by": "central",
    "shadow_charge": None,
    "local_charge": None,
    "occurred_at": "2026-04-03T10:00:00Z",
    "recorded_at": "2026-04-03T10:00:00Z",
}
ENTRIES: dict[str, Any] = {"items": [ENTRY], "next_cursor": None}
ONE_ENTRY: dict[str, Any] = {
    **ENTRY,
    "paid_by": [{"grant_id": _GRANT, "grant_type": "purchased", "amount": "2.5"}],
    "unpaid": "0",
    "given_back": "0",
}
BURNS: dict[str, Any] = {"items": [{"amount": "2.5", "entry": ENTRY}], "next_cursor": None}
GRANTS: dict[str, Any] = {
    "items": [
        {
            "id": _GRANT,
            "grant_type": "purchased",
            "state": "live",
            "amount": "100",
            "remaining": "97.5",
            "priority": 100,
            "effective_at": "2026-04-03T09:00:00Z",
            "expires_at": "2027-04-03T00:00:00Z",
            "voided_at": None,
            "created_at": "2026-04-03T09:00:00Z",
            "product": "red",
            "own": True,
            "granted_by": "red",
            "note": "Order 17",
            "idempotency_key": "order-17",
        }
    ],
    "next_cursor": None,
}
VOID: dict[str, Any] = {"idempotency_key": "refund-17", "reason": "Order 17 was paid back."}
VOID_ANSWER: dict[str, Any] = {
    "grant_id": _GRANT,
    "entry_id": "e1f2a3b4-c5d6-4e7f-8a9b-0c1d2e3f4a5b",
    "voided": "97.5",
    "held_back": "0",
    "balance": "0",
    "held": "0",
    "available": "0",
    "replayed": False,
}
HOLD: dict[str, Any] = {
    "id": _HOLD,
    "account_id": _ORGANIZATION,
    "status": "open",
    "amount": "2.5",
    "created_at": "2026-04-03T10:00:00Z",
    "expires_at": "2026-04-03T10:10:00Z",
    "ended_at": None,
    "product": "red",
    "own": True,
    "operation": "fix_run",
    "quantity": "1",
    "user_id": None,
    "workspace_id": None,
    "policy_version": 3,
}
HOLDS: dict[str, Any] = {"items": [HOLD], "next_cursor": None}
DECISION: dict[str, Any] = {
    "id": "9d0e1f2a-3b4c-4d5e-8f70-1a2b3c4d5e6f",
    "kind": "credits",
    "decision": "deny",
    "code": "insufficient_credits",
    "organization_id": _ORGANIZATION,
    "workspace_id": None,
    "question": {"operation": "fix_run", "quantity": 1000000},
    "explanation": [
        {"rule": "balance", "outcome": "deny", "fact": "2.5 is due and 1 is available", "record": ""},
    ],
    "records": [{"record": f"credit_account:{_ORGANIZATION}", "version": "balance 1000000, held 0"}],
    "policy_version": 3,
    "request_id": "6a1f3c0de8b94f5a8d2c7e4b90a1f2d3",
    "created_at": "2026-04-03T10:00:00Z",
    "today": {
        "decision": "allow",
        "code": "ok",
        "changes": ["the answer was deny (insufficient_credits) and is allow (ok)"],
    },
}
