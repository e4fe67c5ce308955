"""What lets people see what happened: request ids, structured logs, redaction."""

from __future__ import annotations

from apps.core.observability.requests import current_request_id

__all__ = ["current_request_id"]
