"""The examples of the OpenAPI document for connectors."""

from __future__ import annotations

from typing import Any

FEED_SETTINGS: dict[str, Any] = {"base_url": "https://usage.example.com/feed", "header": "X-Api-Key", "format": "json"}
CREATE: dict[str, Any] = {
    "provider": "usage_feed",
    "name": "Usage of the data centre",
    "settings": FEED_SETTINGS,
    "api_key": "feed-key-5f2c9a7dk3fq",
    "first_month": "2026-01",
}
CREATE_PENDING: dict[str, Any] = {"provider": "stripe", "name": "Stripe", "settings": {}}
CONNECTOR: dict[str, Any] = {
    "id": "7d0f4f0c-6a5e-4c39-9f55-0d7a7f2f9b11",
    "workspace_id": "5b6c1d7e-2f7b-4d47-8a0b-3c8f8d5e9a21",
    "provider": "usage_feed",
    "name": "Usage of the data centre",
    "settings": FEED_SETTINGS,
    "status": "enabled",
    "auto_disable_reason": None,
    "credential": {"kind": "api_key", "last_four": "k3fq", "stored_at": "2026-04-03T09:30:00Z"},
    "last_success_at": "2026-04-04T01:12:00Z",
    "next_due_at": "2026-04-05T01:00:00Z",
    "first_month": "2026-01",
    "created_at": "2026-04-03T09:30:00Z",
    "version": 1,
}
DISABLED: dict[str, Any] = {**CONNECTOR, "status": "disabled", "version": 2}
DETAIL: dict[str, Any] = {
    **CONNECTOR,
    "months_waiting": [
        {"month": "2026-03", "records_before": 250, "records_after": 12, "asked_at": "2026-04-04T01:12:00Z"}
    ],
    "timeline": [
        {
            "occurred_at": "2026-04-03T09:30:00Z",
            "kind": "created",
            "sentence": "Created, for Usage feed.",
            "actor": "red",
        }
    ],
}
PAGE: dict[str, Any] = {"items": [CONNECTOR], "next_cursor": None}
CHANGES: dict[str, Any] = {"name": "Usage of the new data centre"}
CHANGED: dict[str, Any] = {**CONNECTOR, "name": "Usage of the new data centre", "version": 2}
REASON: dict[str, Any] = {"reason": "The data centre is being moved."}
CREDENTIAL: dict[str, Any] = {"api_key": "feed-key-91b3d2c7a0f4"}


AUTO: dict[str, Any] = {"month": "auto"}
BY_NAME: dict[str, Any] = {"month": "2026-03"}
_QUEUED: dict[str, Any] = {
    "id": "0c9ad1a4-5f0e-4f3a-8f43-8b0c2b1d7a52",
    "month": "2026-03",
    "reason": "Ended. The provider may still change it until 5 April 2026.",
    "status": "queued",
}
QUEUED: dict[str, Any] = {"runs": [_QUEUED]}
RUN: dict[str, Any] = {
    **_QUEUED,
    "status": "succeeded",
    "connector_id": "7d0f4f0c-6a5e-4c39-9f55-0d7a7f2f9b11",
    "trigger": "api",
    "pages": 3,
    "counts": {"fetched": 250, "created": 12, "updated": 3, "unchanged": 235, "voided": 1},
    "error_code": None,
    "error": None,
    "created_at": "2026-04-03T09:30:00Z",
    "started_at": "2026-04-03T09:30:01Z",
    "finished_at": "2026-04-03T09:30:04Z",
}
