"""The examples of the OpenAPI document for credits."""

from __future__ import annotations

from typing import Any

_ORGANIZATION = "0f0a5f3e-6d3b-4a53-9f0b-5f2f7f4a9c10"
_USER = "7d0e2c54-8f6b-4f38-9d26-0c3b1a5e7f42"
_ENTRY = "3c9b0f5e-1a2d-4e6f-8b7c-9d0e1f2a3b4c"
_HOLD = "a1d2f3b4-5c6e-4788-9a0b-1c2d3e4f5061"
_GRANT = "5e4d3c2b-1a09-4f8e-9d7c-6b5a49382716"
_ACCOUNT = {"type": "organization", "id": _ORGANIZATION}
_BALANCE = {"balance": "97.5", "held": "0", "available": "97.5"}
_CHARGE = {"category": "regular", "billable": True, "policy_version": 3, "decided_by": "central", "warnings": []}

AUTHORIZE: dict[str, Any] = {"account": _ACCOUNT, "operation": "fix_run", "quantity": "1", "user_id": _USER}
AUTHORIZE_ANSWER: dict[str, Any] = {
    "decision": "allow",
    "code": "ok",
    "decided_by": "central",
    "price": "2.5",
    "balance": "100",
    "held": "0",
    "available": "100",
    "lifecycle": "active",
    "free_month_ends_at": "2026-05-01T00:00:00Z",
    "warnings": [],
    "explanation": [
        {"rule": "balance", "outcome": "allow", "fact": "2.5 is due and 100 is available", "record": ""},
    ],
    "decision_id": None,
    "hold": None,
}
CONSUME: dict[str, Any] = {
    "idempotency_key": "run-8841",
    "account": _ACCOUNT,
    "operation": "fix_run",
    "quantity": "1",
    "outcome": "succeeded",
    "run_id": "8841",
}
CONSUME_ANSWER: dict[str, Any] = {
    "entry_id": _ENTRY,
    "charged": "2.5",
    **_BALANCE,
    **_CHARGE,
    "late": False,
    "replayed": False,
}
BATCH_ANSWER: dict[str, Any] = {"results": [{"status": 201, "body": CONSUME_ANSWER}]}
GRANT: dict[str, Any] = {
    "idempotency_key": "order-17",
    "account": _ACCOUNT,
    "grant_type": "purchased",
    "amount": "100",
    "expires_at": "2027-04-03T00:00:00Z",
    "note": "Order 17",
}
GRANT_ANSWER: dict[str, Any] = {
    "grant_id": _GRANT,
    "entry_id": _ENTRY,
    "account_id": _ORGANIZATION,
    "amount": "100",
    "balance": "100",
    "held": "0",
    "available": "100",
    "replayed": False,
}
CAPTURE: dict[str, Any] = {"idempotency_key": "capture-8841", "quantity": "1", "outcome": "succeeded"}
CAPTURE_ANSWER: dict[str, Any] = {
    "entry_id": _ENTRY,
    "hold_id": _HOLD,
    "charged": "2.5",
    **_BALANCE,
    **_CHARGE,
    "replayed": False,
}
RELEASE: dict[str, Any] = {"idempotency_key": "release-8841"}
EXTEND: dict[str, Any] = {"idempotency_key": "extend-8841", "ttl_seconds": 600}
EXTEND_ANSWER: dict[str, Any] = {
    "hold_id": _HOLD,
    "amount": "2.5",
    "expires_at": "2026-04-03T10:20:00Z",
    "replayed": False,
}
RELEASE_ANSWER: dict[str, Any] = {"hold_id": _HOLD, "released": "2.5", **_BALANCE, "replayed": False}
REVERSE: dict[str, Any] = {"idempotency_key": "reverse-8841", "reason": "The run was ours to repeat."}
REVERSE_ANSWER: dict[str, Any] = {
    "entry_id": "b7a69584-7362-4514-8f3e-2d1c0bfae9d8",
    "reversal_of": _ENTRY,
    "reversed": "2.5",
    "lapsed": "0",
    "free_quantity_returned": "0",
    "remaining": "0",
    **_BALANCE,
    "replayed": False,
}
POLICY: dict[str, Any] = {
    "product": "red",
    "version": 3,
    "effective_from": "2026-04-01T00:00:00Z",
    "rounding": "half_up",
    "operations": [
        {
            "operation": "fix_run",
            "unit": "run",
            "unit_price": "2.5",
            "minimum_charge": "0",
            "free_quantity": "0",
            "billable_outcomes": ["succeeded"],
            "other_outcomes": ["failed", "canceled", "timed_out", "skipped"],
            "quantum": "0.000001",
        }
    ],
}
