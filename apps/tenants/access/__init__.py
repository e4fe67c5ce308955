"""Access: who acts, for which tenant, with which role (`resolver`), through which door (`doors`), may they (`gate`)."""

from __future__ import annotations

from apps.core.gate import permits, require
from apps.tenants.access.doors import (
    account_context,
    api_context,
    console_context,
    job_context,
    page_context,
    staff_context,
    task_context,
    webhook_context,
)

__all__ = [
    "account_context",
    "api_context",
    "console_context",
    "job_context",
    "page_context",
    "permits",
    "require",
    "staff_context",
    "task_context",
    "webhook_context",
]
