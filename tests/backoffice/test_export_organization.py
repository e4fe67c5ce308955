"""`manage.py export_organization`: all of one organization, nothing of another, whole or not at all (spec 14)."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import threading
import tracemalloc
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import Model, UUIDField
from pytest_django import DjangoDbBlocker

from apps.backoffice.leaving import export
from apps.backoffice.leaving.files import MANIFEST, Written, folder_at_once
from apps.backoffice.leaving.parts import LEFT_OUT, PARTS, Part
from apps.backoffice.seeding.data import seed_id
from apps.connectors.models import BillingRecord
from apps.core.audit.secrecy import names_secret
from apps.core.errors import UnprocessableError
from apps.core.ids import OrganizationId
from apps.core.models import AuditEntry
from apps.tenants.models import Organization, User, Workspace
from tests import databases
from tests.factories.tenants import make_workspace

NORTHWIND = seed_id("organization:northwind")


@pytest.fixture(scope="module", autouse=True)
def world(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """The sample, committed: an export begins a transaction of its own."""
    with django_db_blocker.unblock():
        call_command("seed_demo")
        yield
        databases.empty_tables()


@pytest.fixture(autouse=True)
def _with_database(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield


@pytest.fixture(scope="module")
def exported(world: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "northwind"
    call_command("export_organization", str(NORTHWIND), "--to", str(folder))
    return folder


def lines(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text("utf-8").splitlines()]


# --- Which tables -----------------------------------------------------------------------------------------------------

_NAMES = {"organization_id", "workspace_id", "account_id", "connector_id"}


def of_an_organization() -> set[type[Model]]:
    """Every model with a column that leads to an organization, by a foreign key or a plain id, at any distance."""
    models = [model for model in apps.get_models(include_auto_created=True) if model._meta.managed]
    models = [model for model in models if not model._meta.proxy]
    found: set[type[Model]] = {Organization}
    while True:
        more = {
            model
            for model in models
            for field in model._meta.concrete_fields
            if field.related_model in found or (isinstance(field, UUIDField) and field.attname in _NAMES)
        }
        if more <= found:
            return found
        found |= more


@pytest.mark.slow
def test_every_model_with_an_organization_is_exported_or_left_out_for_a_reason() -> None:
    exported = {part.model for part in PARTS}
    assert of_an_organization() - exported - set(LEFT_OUT) == set(), "add a Part, or a reason to LEFT_OUT"
    assert exported.isdisjoint(LEFT_OUT)
    assert all(LEFT_OUT.values())
    names = [part.name for part in PARTS]
    assert len(names) == len(set(names))


def test_no_part_has_a_column_that_holds_a_secret_or_is_unknown() -> None:
    for part in PARTS:
        columns = {field.attname for field in part.model._meta.concrete_fields}
        assert set(part.only) | part.without <= columns, part.name
        assert not [field for field in part.fields if names_secret(field.attname)], part.name
        assert part.fields


# --- What stands in them ----------------------------------------------------------------------------------------------


def test_each_file_has_exactly_the_rows_of_the_organization(exported: Path) -> None:
    for part in PARTS:
        expected = {str(pk) for pk in part.rows_of(NORTHWIND).values_list("pk", flat=True)}
        key = part.model._meta.pk.attname
        found = [str(row[key]) for row in lines(exported, part.name)]
        if part.model is not AuditEntry:  # the export itself is audited after its snapshot
            assert sorted(found) == sorted(expected), part.name
    empty = [part.name for part in PARTS if not lines(exported, part.name)]
    assert len(PARTS) - len(empty) >= 30, empty
    assert lines(exported, "credit_entries")[0].keys() >= {"amount", "balance_after", "idempotency_key"}


def test_nothing_of_another_organization_and_no_secret_stands_in_it(exported: Path) -> None:
    text = "".join(path.read_text("utf-8") for path in exported.iterdir())
    others = Organization.objects.exclude(pk=NORTHWIND)
    assert len(others) >= 2
    for other in others:
        assert str(other.pk) not in text
        assert str(other.slug) not in {row.get("slug") for row in lines(exported, "organization")}
    members = set(User.objects.filter(memberships__organization=NORTHWIND).values_list("email", flat=True))
    strangers = set(User.objects.values_list("email", flat=True)) - members
    assert strangers
    assert [email for email in strangers if email in text] == []
    assert "sample-key-that-opens-nothing" not in text
    assert not re.search(r"\b(?:sk|rk|pk)_(?:live|test)_|whsec_|pbkdf2_|argon2", text)


def test_what_our_people_did_is_told_without_their_names_and_words(exported: Path) -> None:
    entries = lines(exported, "audit_entries")
    staff = [row for row in entries if row["role"] in export._STAFF_ROLES]
    assert {(row["actor_label"], row["actor_id"], row["reason"]) for row in staff} <= {("support", "", "")}
    consoles = [row for row in entries if row["actor_label"] == "an operator"]
    assert consoles
    assert {row["reason"] for row in consoles} == {""}
    assert not any("console:" in row["actor_label"] for row in entries)


def test_the_manifest_vouches_for_each_file(exported: Path) -> None:
    manifest = json.loads((exported / MANIFEST).read_text("utf-8"))
    assert manifest["organization"]["id"] == str(NORTHWIND)
    assert {file["file"] for file in manifest["files"]} | {MANIFEST} == {path.name for path in exported.iterdir()}
    for file in manifest["files"]:
        data = (exported / file["file"]).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (file["sha256"], file["bytes"])
        if file["file"].endswith(".jsonl"):
            assert data.count(b"\n") == file["rows"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in (exported, *exported.iterdir()))


def test_a_sheet_says_what_its_lines_say(exported: Path) -> None:
    sheets = [part for part in PARTS if part.has_sheet]
    assert {"credit_entries", "invoices", "people"} <= {part.name for part in sheets}
    for part in sheets:
        with (exported / f"{part.name}.csv").open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == len(lines(exported, part.name)), part.name
        for row, line in zip(rows, lines(exported, part.name), strict=True):
            numbers = {name: value for name, value in line.items() if isinstance(value, int)}
            assert {name: row[name] for name in numbers} == {name: str(value) for name, value in numbers.items()}


def test_the_export_is_audited(exported: Path) -> None:
    entry = AuditEntry.objects.filter(organization_id=NORTHWIND, event="organization.exported").latest("recorded_at")
    assert entry.after["files"] == len(list(exported.iterdir())) - 1


# --- Refusals, and what happens meanwhile -----------------------------------------------------------------------------


def test_a_folder_that_is_not_empty_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    before = AuditEntry.objects.count()
    with pytest.raises(CommandError, match=r"is a folder that is not empty\. Name an empty one"):
        call_command("export_organization", str(NORTHWIND), "--to", str(tmp_path))
    with pytest.raises(CommandError, match="is no folder"):
        call_command("export_organization", str(NORTHWIND), "--to", str(tmp_path / "mine.txt"))
    with pytest.raises(CommandError, match=r"can't be written into: No such file or directory\."):
        call_command("export_organization", str(NORTHWIND), "--to", str(tmp_path / "none" / "here"))
    with pytest.raises(CommandError, match="There is no organization"):
        call_command("export_organization", str(uuid.uuid4()), "--to", str(tmp_path / "new"))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    assert AuditEntry.objects.count() == before


def test_an_export_that_breaks_off_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []

    def break_off(folder: Path, part: Part, organization_id: OrganizationId) -> list[Written]:
        (folder / f"{part.name}.jsonl").write_text("half", encoding="utf-8")
        written.append(part.name)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "_write_part", break_off)
    with pytest.raises(CommandError, match=r"could not be written: No space left on device\. Nothing is left of it"):
        call_command("export_organization", str(NORTHWIND), "--to", str(tmp_path / "new"))
    assert written
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    with folder_at_once(tmp_path / "new") as partial:
        (partial / "a").write_text("a", encoding="utf-8")
        assert not (tmp_path / "new").exists()
    assert (tmp_path / "new" / "a").read_text("utf-8") == "a"
    (tmp_path / "empty").mkdir()
    with folder_at_once(tmp_path / "empty") as partial:
        (partial / "b").write_text("b", encoding="utf-8")
    assert (tmp_path / "empty" / "b").exists()
    with pytest.raises(UnprocessableError), folder_at_once(tmp_path / "empty"):
        pass


def test_all_files_are_of_one_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workspace that comes between two files stands in none of them."""
    write, made = export._write_part, []

    def make_meanwhile() -> None:
        made.append(str(make_workspace(Organization.objects.get(pk=NORTHWIND)).pk))
        connection.close()

    def write_later(folder: Path, part: Part, organization_id: OrganizationId) -> list[Written]:
        if part.name == "workspaces":
            thread = threading.Thread(target=make_meanwhile)
            thread.start()
            thread.join()
        return write(folder, part, organization_id)

    monkeypatch.setattr(export, "_write_part", write_later)
    call_command("export_organization", str(NORTHWIND), "--to", str(tmp_path / "new"))
    assert made
    assert made[0] not in (tmp_path / "new" / "workspaces.jsonl").read_text("utf-8")
    call_command("export_organization", str(NORTHWIND), "--to", str(tmp_path / "next"))
    assert made[0] in (tmp_path / "next" / "workspaces.jsonl").read_text("utf-8")
    # The other tests compare with what was there before.
    Workspace.objects.filter(pk__in=made).delete()


def test_memory_does_not_grow_with_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand rows read by twenty need a part of the memory of a thousand at once."""
    part = next(part for part in PARTS if part.model is BillingRecord)
    peaks = []
    for size in (20, 10_000):
        monkeypatch.setattr(export, "_FETCHED_AT_ONCE", size)
        tracemalloc.start()
        count = sum(bool(row) for row in export._rows(part, part.fields, OrganizationId(NORTHWIND)))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert count >= 1_000
    assert peaks[0] < peaks[1] / 4
