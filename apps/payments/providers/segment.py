"""Segment's HTTP tracking API: one event a call (spec 04, Tracking)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from apps.core.outgoing import Call
from apps.payments.providers.contract import LONGEST_CALL_SECONDS, ProviderCallError, call_provider

API_BASE = "https://api.segment.io"
_BAD_REQUEST = 400


class SegmentApi:
    """Segment with one write key. Raises `ProviderCallError` and nothing else."""

    def __init__(self, write_key: str, base: str = "") -> None:
        self._authorization = base64.b64encode(f"{write_key}:".encode()).decode()
        self._base = (base or API_BASE).rstrip("/")

    def track(self, *, key: str, event: Mapping[str, Any]) -> None:
        """Tell one event. Segment drops a second one with the same key (`messageId`)."""
        call = Call(
            f"{self._base}/v1/track",
            secret_headers={"Authorization": f"Basic {self._authorization}"},
            json={**event, "messageId": key},
            is_guarded=False,  # the address is the operator's
            seconds=LONGEST_CALL_SECONDS,
        )
        answer = call_provider("Segment", call)
        if answer.status >= _BAD_REQUEST:
            raise ProviderCallError(f"Segment answered {answer.status}.", is_permanent=True)


def segment_api() -> SegmentApi | None:
    """Segment with the write key of the settings; None while there is none."""
    key = settings.SEGMENT_WRITE_KEY
    return SegmentApi(key, settings.SEGMENT_API_BASE) if key else None
