"""The OpenAPI document as it is served, made once a process: each module that asked for its own took a second more."""

from __future__ import annotations

import json
from typing import Any

from drf_spectacular.generators import SchemaGenerator

DOCUMENT: dict[str, Any] = json.loads(
    json.dumps(SchemaGenerator().get_schema(public=True), default=str)  # type: ignore[no-untyped-call]
)
