"""The examples of the OpenAPI document for the gate."""

from __future__ import annotations

from typing import Any

LIFECYCLE: dict[str, Any] = {
    "workspace_id": "5b6c1d7e-2f7b-4d47-8a0b-3c8f8d5e9a21",
    "state": "trial",
    "source": "subscription",
    "operations": {"connector.sync": True, "credits.consume": True},
    "reasons": [
        {
            "rule": "subscription",
            "fact": "the subscription record is trialing, managed by staff",
            "record": "workspace_subscription:9a0e7a34-6c0f-4d5e-8f1e-2b7c9d3e4f50",
        }
    ],
    "needs_review": False,
}
PAYMENT_CONFIG: dict[str, Any] = {
    "organization_id": "0f0a5f3e-6d3b-4a53-9f0b-5f2f7f4a9c10",
    "payment_status": "grace_period",
    "subscription_status": "subscribed",
    "grace_period_end_at": "2026-04-17T09:30:00Z",
    "usage_category_override": None,
    "payment_provider_id": "cus_QXg1b2c3d4e5f6",
    "orb_customer_id": None,
}
