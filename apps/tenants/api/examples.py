"""The examples of the OpenAPI document for tenants."""

from __future__ import annotations

from typing import Any

_USER_ID = "7c2b6a0e-93f4-4b1c-8f27-3f0f2d6f1a55"
_ORGANIZATION_ID = "0f0a5f3e-6d3b-4a53-9f0b-5f2f7f4a9c10"
_WORKSPACE_ID = "5b6c1d7e-2f7b-4d47-8a0b-3c8f8d5e9a21"
_JOB_RUN_ID = "b6f3f5cc-7a4e-4d0b-9d3e-6f8f2a9e4c33"

USER: dict[str, Any] = {"id": _USER_ID, "email": "ann@example.com", "name": "Ann Smith"}
USER_ANSWER: dict[str, Any] = {**USER, "created": True, "applied": True}
ORGANIZATION: dict[str, Any] = {
    "id": _ORGANIZATION_ID,
    "name": "Northwind Traders",
    "kind": "team",
    "time_zone": "Europe/Berlin",
    "billing_email": "billing@northwind.example",
    "owner_user_id": _USER_ID,
}
ORGANIZATION_ANSWER: dict[str, Any] = {
    "id": _ORGANIZATION_ID,
    "name": "Northwind Traders",
    "slug": "northwind-traders-0f0a5f3e",
    "kind": "team",
    "time_zone": "Europe/Berlin",
    "billing_email": "billing@northwind.example",
    "is_demo": False,
    "created": True,
}
WORKSPACE: dict[str, Any] = {"id": _WORKSPACE_ID, "organization_id": _ORGANIZATION_ID, "name": "Production"}
WORKSPACE_ANSWER: dict[str, Any] = {**WORKSPACE, "slug": "production-5b6c1d7e", "created": True}
MEMBER: dict[str, Any] = {"user_id": _USER_ID, "role": "admin", "changed_at": "2026-04-03T09:30:00Z"}
MEMBER_READ: dict[str, Any] = {
    "organization_id": _ORGANIZATION_ID,
    "user_id": _USER_ID,
    "role": "admin",
    "changed_at": "2026-04-03T09:30:00Z",
}
MEMBER_ANSWER: dict[str, Any] = {**MEMBER_READ, "created": True, "applied": True, "explanation": []}
MEMBERS: dict[str, Any] = {"members": [MEMBER_READ], "next_cursor": None}
MEMBER_STAYS: dict[str, Any] = {
    "applied": False,
    "explanation": [
        {
            "rule": "owner_report",
            "outcome": "deny",
            "fact": f"user {_USER_ID} is an owner; only the identity service and staff change owners, so the report of "
            "red is kept as drift",
            "record": "membership:0a1c8a64-3b1f-4f0e-8d2a-6a1f0f0f5a11",
        }
    ],
}
RELATION: dict[str, Any] = {"product": "blue"}
RELATION_ANSWER: dict[str, Any] = {"organization_id": _ORGANIZATION_ID, "product": "blue", "created": True}
PORTAL_SESSION: dict[str, Any] = {
    "user_id": _USER_ID,
    "workspace_id": _WORKSPACE_ID,
    "return_url": "https://app.example.com/settings",
}
PORTAL_SESSION_ANSWER: dict[str, Any] = {
    "url": "https://billing.example.com/portal/chl_3vJ0d8YkZ1mQ7tXbN2sL5wRfC9uHgA4eKpT6iVoMzBE/",
    "expires_at": "2026-04-03T09:35:00Z",
}
JOB: dict[str, Any] = {"organization_id": _ORGANIZATION_ID}
JOB_ANSWER: dict[str, Any] = {"job_run_id": _JOB_RUN_ID, "name": "drain-outbox", "status": "queued", "error": ""}
JOB_RUN: dict[str, Any] = {
    **JOB_ANSWER,
    "status": "succeeded",
    "slot": "manual:6f1c0a52-8f0d-4a0f-9a37-0c8f4f1f3b77",
    "organization_id": _ORGANIZATION_ID,
    "counts": {"done": 3},
    "started_at": "2026-04-03T09:30:01Z",
    "finished_at": "2026-04-03T09:30:02Z",
}
SNAPSHOT: dict[str, Any] = {
    "snapshot_id": "1d2f8e0c-5c56-4b35-9a2c-0a5f3f6f7b21",
    "sequence": 1,
    "last": True,
    "members": [
        {
            "organization_id": _ORGANIZATION_ID,
            "user_id": _USER_ID,
            "role": "admin",
            "changed_at": "2026-04-03T09:30:00Z",
        }
    ],
}
SNAPSHOT_ANSWER: dict[str, Any] = {
    "snapshot_id": "1d2f8e0c-5c56-4b35-9a2c-0a5f3f6f7b21",
    "status": "queued",
    "received": 1,
    "missing": [],
    "run_id": "c2a3b3a0-2f1e-4e0b-8d43-0c3f5d1a7e60",
    "stop_reason": "",
    "counts": {},
}
BILLING_MODE: dict[str, Any] = {"mode": "central", "source": "organization"}
