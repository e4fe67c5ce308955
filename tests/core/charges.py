"""A charge that leaves an effect, asked for with an idempotency key."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from apps.core.idempotency import Answer, idempotent
from tests.core.outbox import leave_effect as leave


def leave_effect() -> None:
    leave("charged")


def charge() -> Answer:
    leave_effect()
    return Answer(201, {"entry_id": str(uuid.uuid4()), "charged": "2.5"})


def request(perform: Callable[[], Answer] = charge, **changes: Any) -> Answer:
    facts = {"scope": "product:red", "key": "run-1", "operation": "credits.consume", "body": {"quantity": "1"}}
    return idempotent(perform=perform, **{**facts, **changes})
