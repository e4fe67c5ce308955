"""Growing a chain of the audit log, and tampering with it as only an owner of the database can."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction

from apps.core.audit import audit_append, audit_event
from apps.core.audit.chain import EntryContent, entry_hash
from apps.core.ids import AuditTarget, OrganizationId
from apps.core.models import AuditEntry
from tests.contexts import console_context

THING_WRITTEN = audit_event("test_thing.written", "Thing written")
LENGTH = 12


def grow(organization_id: OrganizationId | None, entries: int = LENGTH) -> None:
    with transaction.atomic():
        for number in range(entries):
            audit_append(
                console_context(),
                THING_WRITTEN,
                AuditTarget("thing", f"t-{number}", organization_id),
                before={"n": number - 1},
                after={"n": number, "name": "Zoë"},
                reason="Growing",
            )


@contextmanager
def triggers_off() -> Iterator[None]:
    """What an owner of the database can do, and the triggers can't prevent."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        try:
            yield
        finally:
            cursor.execute("SET session_replication_role = DEFAULT")


def tamper(statement: str, *values: Any) -> int:
    with triggers_off(), connection.cursor() as cursor:
        cursor.execute(statement, values)
        return int(cursor.rowcount)


def own_hashes_only(chain: OrganizationId) -> list[int]:
    """The control: a verifier that looks at each row alone."""
    return [
        entry.sequence
        for entry in AuditEntry.objects.filter(organization_id=chain)
        if entry_hash(content_of(entry)) != entry.hash
    ]


def content_of(entry: AuditEntry) -> EntryContent:
    return EntryContent(**{name: getattr(entry, name) for name in EntryContent.__dataclass_fields__})


def copy_entry(chain: OrganizationId, sequence: int, to: int) -> None:
    entry = AuditEntry.objects.get(organization_id=chain, sequence=sequence)
    entry.pk, entry.sequence = uuid.uuid4(), to
    entry.hash = entry_hash(content_of(entry))
    with triggers_off():
        entry.save(force_insert=True)
