"""The vocabulary of audit events. Each app declares its own in its `events.py`, as constants:

    MEMBERSHIP_CREATED = audit_event("membership.created", "Membership created")

A name is declared once in the whole project: a second declaration fails when it is imported. Old entries keep their
name even when its event is declared no more, so that a label falls back to the name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from apps.core.registry import Registry

_NAME = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_LONGEST = 80


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One kind of change: `name` is stored and never changes its meaning, `label` is what people read."""

    name: str
    label: str


_events: Registry[AuditEvent] = Registry("audit event")


def audit_event(name: str, label: str) -> AuditEvent:
    """Declare an event named `<entity>.<what happened>`."""
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise ValueError(f"The audit event {name!r} must be named like 'membership.created', in lower case.")
    return _events.register(name, AuditEvent(name, label))


def event_label(name: str) -> str:
    """What people read for a stored event name."""
    event = _events.get(name)
    return event.label if event else name


def event_choices() -> list[tuple[str, str]]:
    """Every declared event as (name, label), by name: for filters."""
    return sorted((event.name, event.label) for event in _events.values())
