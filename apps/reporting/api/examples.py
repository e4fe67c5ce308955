"""The examples of the OpenAPI document for usage."""

from __future__ import annotations

from typing import Any

QUERY: dict[str, Any] = {"time_window": "lastYear"}
_FRAME: dict[str, Any] = {"timeframe_start": "2026-04-01", "timeframe_end": "2026-05-01", "partial": True}
USAGE: dict[str, Any] = {
    "workspace_id": "5b6c1d7e-2f7b-4d47-8a0b-3c8f8d5e9a21",
    "time_window": "lastYear",
    "time_zone": "Europe/Berlin",
    "data": [
        {
            "connector": None,
            "product": "red",
            "operation": "fix_run",
            "unit": "run",
            "usage": {
                "free": [{**_FRAME, "quantity": "0"}],
                "regular": [{**_FRAME, "quantity": "12"}],
                "internal": [{**_FRAME, "quantity": "1"}],
            },
            "charges": [{**_FRAME, "charge": "30"}],
            "amounts": [],
        }
    ],
}
