"""What runs when, in UTC (spec 08, Celery). The slots and catch-up rules of each job are in `apps.core.jobs`."""

from __future__ import annotations

from typing import Any

SCHEDULE: dict[str, dict[str, Any]] = {}
