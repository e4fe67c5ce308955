"""A witness outside the database shows what its owner did to the audit log (spec 03, History)."""

from __future__ import annotations

import io
import json
import logging
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings
from structlog.testing import capture_logs

from apps.core.audit import verify_audit
from apps.core.audit.chain import GENESIS_HASH, entry_hash
from apps.core.audit.verification import ChainReport
from apps.core.audit.witness import EVENT, HEADS_A_LINE, ChainHead, WitnessError, witness_lines, witnessed_heads
from apps.core.ids import OrganizationId
from apps.core.models import AuditChain, AuditEntry
from apps.credits.services.books import books_verify
from tests.contexts import console_context
from tests.core.tampering import content_of, grow, tamper

pytestmark = pytest.mark.django_db

LENGTH = 12
Lines = list[dict[str, Any]]


@pytest.fixture
def chain() -> OrganizationId:
    found = OrganizationId(uuid.uuid4())
    grow(found, LENGTH)
    grow(None, 3)
    return found


def witness_of_now() -> Lines:
    with capture_logs() as logs:
        books_verify(console_context())
    return [dict(line) for line in logs if line["event"] == EVENT]


def file_of(lines: Lines, folder: Path) -> Path:
    """A log, among whose lines the witnesses stand."""
    path = folder / "worker-reports.log"
    other = '{"event": "request_finished", "path": "/audit_witness"}\nTraceback (most recent call last):\n'
    path.write_text(other + "".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    try:
        call_command("verify_audit", *arguments)
    except CommandError as error:
        return error.returncode, capsys.readouterr().out + str(error)
    return 0, capsys.readouterr().out


# --- What only an owner of the database can do, and what the chain alone does not show -----------------------------


def cut_the_tail(chain: OrganizationId) -> str:
    tamper("DELETE FROM core_auditentry WHERE organization_id = %s AND sequence > 9", chain)
    last = AuditEntry.objects.get(organization_id=chain, sequence=9)
    set_head(chain, 9, last.hash)
    return "now the chain ends with entry 9: its tail was cut off"


def rewrite_the_head(chain: OrganizationId) -> str:
    rewrite_from(chain, LENGTH)
    return "now another entry has this number: the chain was rewritten"


def rewrite_everything_from_the_middle(chain: OrganizationId) -> str:
    rewrite_from(chain, 5)
    return "now another entry has this number: the chain was rewritten"


def cut_the_tail_and_grow_another(chain: OrganizationId) -> str:
    cut_the_tail(chain)
    grow(chain, 8)
    return "now another entry has this number: the chain was rewritten"


def remove_the_chain(chain: OrganizationId) -> str:
    tamper("DELETE FROM core_auditentry WHERE organization_id = %s", chain)
    tamper("DELETE FROM core_auditchain WHERE organization_id = %s", chain)
    return "now the chain ends with entry 0: its tail was cut off"


def empty_the_chain(chain: OrganizationId) -> str:
    tamper("DELETE FROM core_auditentry WHERE organization_id = %s", chain)
    set_head(chain, 0, GENESIS_HASH)
    return "now the chain ends with entry 0: its tail was cut off"


def set_head(chain: OrganizationId, sequence: int, code: str) -> None:
    changed = tamper(
        "UPDATE core_auditchain SET last_sequence = %s, last_hash = %s WHERE organization_id = %s",
        sequence,
        code,
        chain,
    )
    assert changed == 1


def rewrite_from(chain: OrganizationId, first: int) -> None:
    """Each entry from there on with another reason, and with the hashes that make the chain sound again."""
    before = AuditEntry.objects.get(organization_id=chain, sequence=first).previous_hash
    for entry in AuditEntry.objects.filter(organization_id=chain, sequence__gte=first).order_by("sequence"):
        entry.reason, entry.previous_hash = "Never happened", before
        before = entry_hash(content_of(entry))
        tamper(
            "UPDATE core_auditentry SET reason = %s, previous_hash = %s, hash = %s WHERE id = %s",
            entry.reason,
            entry.previous_hash,
            before,
            entry.pk,
        )
    set_head(chain, LENGTH, before)


FORGERIES: list[Callable[[OrganizationId], str]] = [
    cut_the_tail,
    rewrite_the_head,
    rewrite_everything_from_the_middle,
    cut_the_tail_and_grow_another,
    remove_the_chain,
    empty_the_chain,
]


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_a_forgery_by_the_owner_of_the_database_is_found_by_its_witness(
    chain: OrganizationId,
    forge: Callable[[OrganizationId], str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = file_of(witness_of_now(), tmp_path)
    assert printed(capsys, "--against", str(path))[0] == 0
    expected = forge(chain)
    # The control: without the witness everything is sound.
    assert printed(capsys)[0] == 0
    assert all(report.is_sound for report in verify_audit())
    code, text = printed(capsys, "--against", str(path))
    assert code == 1
    assert f"organization {chain}: at " in text
    assert f"entry {LENGTH} was the last; {expected}" in text
    assert "1 of 2 witnessed heads are contradicted" in text
    assert printed(capsys, "--against", str(path), "--organization", str(uuid.uuid4()))[0] == 0


def test_a_log_that_grew_since_agrees_with_every_witness(
    chain: OrganizationId, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = witness_of_now()
    grow(chain, 5)
    lines += witness_of_now()
    assert printed(capsys, "--against", str(file_of(lines, tmp_path))) == (
        0,
        f"Sound: {LENGTH + 8} entries in 2 chains. 4 witnessed heads agree.\n",
    )


def test_a_witness_of_many_chains_stands_in_several_lines_and_none_may_be_missing(settings: Settings) -> None:
    heads = [ChainHead(uuid.uuid4(), number, "a" * 64) for number in range(2 * HEADS_A_LINE + 1)]
    lines = [json.dumps({"event": EVENT, **line}) for line in witness_lines(heads, datetime(2026, 1, 1, tzinfo=UTC))]
    assert len(lines) == 3
    assert [head for head, _ in witnessed_heads(lines)] == heads
    with pytest.raises(WitnessError, match="incomplete: it has 3 lines, and 2 are here"):
        list(witnessed_heads(lines[:2]))


def changed(line: dict[str, Any], **values: Any) -> str:
    return json.dumps({**line, **values})


def bad_files(line: dict[str, Any]) -> dict[str, str]:
    [[owner, sequence, code], *rest] = line["heads"]
    return {
        "another hash": changed(line, heads=[[owner, sequence, "b" * 64], *rest]),
        "another number": changed(line, heads=[[owner, sequence - 1, code], *rest]),
        "a head less": changed(line, heads=rest),
        "another moment": changed(line, witnessed_at="2020-01-01T00:00:00+00:00"),
        "another code": changed(line, mac="0" * 64),
        "no code": json.dumps({name: value for name, value in line.items() if name != "mac"}),
        "a code that is no text": changed(line, mac=5),
        "another key": changed(line, key_id="00" * 8),
        "a number for a key": changed(line, key_id=7),
        "fractions": changed(line, heads=[[owner, 1.5, code]]),
        "no JSON": json.dumps(line)[:-20],
        "nothing": "",
        "other lines": '{"event": "request_finished"}',
    }


@pytest.mark.parametrize("kind", list(bad_files({"heads": [["x", 1, "y"]]})))
def test_a_file_that_is_no_witness_is_refused_in_one_sentence(
    chain: OrganizationId, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [line] = witness_of_now()
    path = tmp_path / "log"
    path.write_text(bad_files(line)[kind], encoding="utf-8")
    code, text = printed(capsys, "--against", str(path))
    assert code == 1
    assert text.startswith("--against: ")
    assert "\n" not in text


def test_a_file_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = printed(capsys, "--against", "/nowhere/log")
    assert (code, text.startswith("--against: /nowhere/log can't be read")) == (1, True)


def test_a_witness_under_an_older_key_is_read_as_long_as_the_key_is_there(
    chain: OrganizationId, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file_of(witness_of_now(), tmp_path)
    old = settings.CREDENTIAL_KEYS
    settings.CREDENTIAL_KEYS = ("A" * 43 + "=", *old)
    assert printed(capsys, "--against", str(path))[0] == 0
    settings.CREDENTIAL_KEYS = ("A" * 43 + "=",)
    code, text = printed(capsys, "--against", str(path))
    assert code == 1
    assert "is not among CREDENTIAL_KEYS" in text


def test_the_log_keeps_the_witness_as_it_was_signed(
    chain: OrganizationId, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The logs stamp and redact each line; what they changed could not be verified."""
    [ours] = [handler for handler in logging.getLogger().handlers if isinstance(handler, logging.StreamHandler)][:1]
    stream = io.StringIO()
    before = ours.setStream(stream)
    try:
        books_verify(console_context())
    finally:
        ours.setStream(before)
    path = tmp_path / "log"
    path.write_text(stream.getvalue(), encoding="utf-8")
    code, text = printed(capsys, "--against", str(path))
    assert (code, text.endswith("2 witnessed heads agree.\n")) == (0, True)


def test_a_report_knows_its_head(chain: OrganizationId) -> None:
    report: ChainReport
    (report,) = verify_audit(chain)
    head = AuditChain.objects.get(organization_id=chain)
    assert report.head == ChainHead(chain, head.last_sequence, head.last_hash)
