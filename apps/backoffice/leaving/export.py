"""Writes everything of one organization as of one moment, whatever is booked meanwhile (spec 14).

All tables are read in one transaction that sees one snapshot and writes nothing, each by a cursor in pieces, so that
neither the length of the history nor its size matters to the memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Field, JSONField

from apps.backoffice import events
from apps.backoffice.leaving.files import Written, folder_at_once, write_manifest, write_rows
from apps.backoffice.leaving.parts import PARTS, Part
from apps.connectors.messages import describe_actor
from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.enums import Role
from apps.core.ids import OrganizationId
from apps.core.models import AuditEntry
from apps.core.operations import PLATFORM_LADDER
from apps.core.pieces import in_one_snapshot, in_one_transaction
from apps.tenants.models import Organization
from apps.tenants.selectors.members import SUPPORT, people_for_tenant
from apps.tenants.services.refusals import unknown_organization

FORMAT = 1
_FETCHED_AT_ONCE = 2_000
# Columns that say who did it. Tenants do not learn who our people are, nor what they wrote for each other.
_ACTORS = frozenset({"actor_label", "granted_by", "recorded_by", "settled_by", "made_by"})
_FREE_TEXTS = frozenset({"reason", "note", "settled_reason"})
_OURS = frozenset({SUPPORT, "an operator"})
_STAFF_ROLES = frozenset({Role.STAFF_READER.value, *(role.value for role in PLATFORM_LADDER)})


@dataclass(frozen=True, slots=True)
class Export:
    """What was written, and where."""

    folder: Path
    files: tuple[Written, ...]

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files if file.file.endswith(".jsonl"))


def organization_export(context: ExecutionContext, *, organization_id: OrganizationId, folder: Path) -> Export:
    """Write the organization's files into `folder`, whole or not at all. Audited.

    Raises `NotFoundError` `unknown_organization`, and `UnprocessableError` for a folder that is taken.
    """
    organization = Organization.objects.filter(pk=organization_id).first()
    if organization is None:
        raise unknown_organization(organization_id)
    with folder_at_once(folder) as partial:
        taken_at = clock.now()
        with in_one_snapshot():
            files = [written for part in PARTS for written in _write_part(partial, part, organization_id)]
        of = {"id": organization.pk, "slug": organization.slug, "name": organization.name}
        write_manifest(partial, {"format": FORMAT, "organization": of, "taken_at": taken_at}, files)
        with transaction.atomic():
            audit_append(
                context,
                events.ORGANIZATION_EXPORTED,
                organization.audit_target,
                after={"files": len(files), "rows": sum(file.rows for file in files), "taken_at": taken_at},
            )
    return Export(folder, tuple(files))


def _write_part(folder: Path, part: Part, organization_id: OrganizationId) -> list[Written]:
    columns = [field.attname for field in part.fields]
    shown = _Shown(organization_id)
    rows = (shown.show(part, row) for row in _rows(part, part.fields, organization_id))
    return write_rows(folder, part.name, columns, rows, has_sheet=part.has_sheet)


def _rows(part: Part, fields: list[Field[Any, Any]], organization_id: OrganizationId) -> Iterator[dict[str, Any]]:
    columns = [field.attname for field in fields]
    # A cursor of our own gives JSON as its text.
    are_json = {field.attname for field in fields if isinstance(field, JSONField)}
    values = part.rows_of(organization_id).values_list(*columns)
    for row in in_one_transaction(values, size=_FETCHED_AT_ONCE):
        found = dict(zip(columns, row, strict=True))
        yield {name: json.loads(value) if name in are_json and value else value for name, value in found.items()}


class _Shown:
    """Rows as the organization may read them: its own people by name, ours as `support` and without their words."""

    def __init__(self, organization_id: OrganizationId) -> None:
        self._organization_id = organization_id
        self._described: dict[str, str] = {}

    def show(self, part: Part, row: dict[str, Any]) -> Mapping[str, Any]:
        for column in _ACTORS & row.keys():
            row[column] = self._actor(row[column])
        is_ours = any(row[column] in _OURS for column in _ACTORS & row.keys())
        if part.model is AuditEntry and row["role"] in _STAFF_ROLES:
            row["actor_id"], row["actor_label"], is_ours = "", SUPPORT, True
        if not is_ours:
            return row
        for column in _FREE_TEXTS & row.keys():
            row[column] = ""
        for column in {"before", "after"} & row.keys():
            row[column] = {name: value for name, value in row[column].items() if not name.endswith("reason")}
        return row

    def _actor(self, label: str) -> str:
        if label and label not in self._described:
            self._described[label] = describe_actor(label, people_for_tenant(self._organization_id, [label]))
        return self._described.get(label, "")
