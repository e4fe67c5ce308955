"""Records of the machinery: audit, idempotency, outbox, job runs."""

from __future__ import annotations
