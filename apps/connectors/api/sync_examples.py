"""The examples of the OpenAPI document for syncs."""

from __future__ import annotations

from typing import Any

AUTO: dict[str, Any] = {"month": "auto"}
BY_NAME: dict[str, Any] = {"month": "2026-03"}
_QUEUED: dict[str, Any] = {
    "id": "0c9ad1a4-5f0e-4f3a-8f43-8b0c2b1d7a52",
    "month": "2026-03",
    "reason": "It has ended, and its provider may still change it until 5 April 2026.",
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
