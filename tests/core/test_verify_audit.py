"""Verification finds and locates every way of tampering with the audit log (spec 11, P10)."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.core.audit import verify_audit
from apps.core.audit.chain import Break, Fault, entry_hash
from apps.core.audit.verification import ChainReport
from apps.core.ids import OrganizationId
from apps.core.models import AuditEntry
from tests.core.tampering import LENGTH, content_of, copy_entry, grow, own_hashes_only, tamper
from tests.core.threads import at_once
from tests.sizes import size

TAMPERED = size(small=50, full=1_000)


@pytest.fixture
def organization_id() -> OrganizationId:
    return OrganizationId(uuid.uuid4())


@pytest.fixture
def chain(organization_id: OrganizationId, db: None) -> OrganizationId:
    grow(organization_id)
    grow(None, 3)
    return organization_id


def report_of(chain: OrganizationId) -> ChainReport:
    (report,) = verify_audit(chain)
    return report


def test_an_untouched_log_is_sound(chain: OrganizationId) -> None:
    reports = {report.organization_id: report for report in verify_audit()}
    assert {key: (report.entries, report.breaks) for key, report in reports.items()} == {
        chain: (LENGTH, ()),
        None: (3, ()),
    }


CHANGES: list[tuple[str, str, object]] = [
    ("id", "gen_random_uuid()", None),
    ("event", "%s", "thing.forged"),
    ("actor_kind", "%s", "product"),
    ("actor_id", "%s", "somebody"),
    ("actor_label", "actor_label || %s", " "),
    ("role", "%s", "owner"),
    ("authorization_source", "%s", "session"),
    ("target_type", "%s", "other"),
    ("target_id", "target_id || %s", "x"),
    ("workspace_id", "gen_random_uuid()", None),
    ("reason", "%s", "growing"),
    ("before", "before || %s::jsonb", '{"n": 77}'),
    ("after", "after || %s::jsonb", '{"name": "Zoe\u0308"}'),
    ("after", "after || %s::jsonb", '{"n": 1.5}'),
    ("after", "after || %s::jsonb", '{"more": null}'),
    ("request_id", "%s", "another"),
    ("recorded_at", "recorded_at + interval '1 microsecond'", None),
    ("previous_hash", "%s || substr(previous_hash, 2)", "g"),
]


@pytest.mark.parametrize("place", [1, 6, LENGTH])
@pytest.mark.parametrize(("column", "expression", "value"), CHANGES, ids=str)
def test_a_change_of_any_field_is_found_where_it_is(
    chain: OrganizationId, column: str, expression: str, value: object, place: int
) -> None:
    values = [] if value is None else [value]
    where = "WHERE organization_id = %s AND sequence = %s"
    assert tamper(f"UPDATE core_auditentry SET {column} = {expression} {where}", *values, chain, place) == 1
    assert report_of(chain).breaks == (Break(Fault.CHANGED, place, place),)


def rewrite_with_its_hash(chain: OrganizationId) -> list[Break]:
    entry = AuditEntry.objects.get(organization_id=chain, sequence=5)
    entry.reason = "Never happened"
    tamper(
        "UPDATE core_auditentry SET reason = %s, hash = %s WHERE id = %s",
        entry.reason,
        entry_hash(content_of(entry)),
        entry.pk,
    )
    return [Break(Fault.REPLACED, 5, 5)]


def rewrite_the_last_with_its_hash(chain: OrganizationId) -> list[Break]:
    entry = AuditEntry.objects.get(organization_id=chain, sequence=LENGTH)
    entry.reason = "Never happened"
    values = (entry.reason, entry_hash(content_of(entry)), entry.pk)
    tamper("UPDATE core_auditentry SET reason = %s, hash = %s WHERE id = %s", *values)
    return [Break(Fault.REPLACED, LENGTH, LENGTH)]


def change_the_hash(chain: OrganizationId) -> list[Break]:
    tamper("UPDATE core_auditentry SET hash = reverse(hash) WHERE organization_id = %s AND sequence = 5", chain)
    return [Break(Fault.HASH_CHANGED, 5, 5)]


def delete_inside(chain: OrganizationId) -> list[Break]:
    tamper("DELETE FROM core_auditentry WHERE organization_id = %s AND sequence IN (3, 7, 8)", chain)
    return [Break(Fault.MISSING, 3, 3), Break(Fault.MISSING, 7, 8)]


def delete_the_first(chain: OrganizationId) -> list[Break]:
    tamper("DELETE FROM core_auditentry WHERE organization_id = %s AND sequence = 1", chain)
    return [Break(Fault.MISSING, 1, 1)]


def delete_the_newest(chain: OrganizationId) -> list[Break]:
    tamper("DELETE FROM core_auditentry WHERE organization_id = %s AND sequence > 9", chain)
    return [Break(Fault.MISSING, 10, LENGTH)]


def delete_all(chain: OrganizationId) -> list[Break]:
    tamper("DELETE FROM core_auditentry WHERE organization_id = %s", chain)
    return [Break(Fault.MISSING, 1, LENGTH)]


def swap_two(chain: OrganizationId) -> list[Break]:
    for old, new in ((4, 99), (9, 4), (99, 9)):
        tamper("UPDATE core_auditentry SET sequence = %s WHERE organization_id = %s AND sequence = %s", new, chain, old)
    return [Break(Fault.CHANGED, 4, 4), Break(Fault.CHANGED, 9, 9)]


def duplicate_one(chain: OrganizationId) -> list[Break]:
    tamper("ALTER TABLE core_auditentry DROP CONSTRAINT audit_entry_sequence_unique")
    copy_entry(chain, 6, 6)
    return [Break(Fault.MISPLACED, 6, 6)]


def add_behind_the_end(chain: OrganizationId) -> list[Break]:
    copy_entry(chain, 6, LENGTH + 1)
    return [Break(Fault.ADDED, LENGTH + 1, LENGTH + 1)]


def move_into_another_chain(chain: OrganizationId) -> list[Break]:
    tamper("UPDATE core_auditentry SET organization_id = NULL WHERE organization_id = %s AND sequence = 7", chain)
    return [Break(Fault.MISSING, 7, 7)]


def delete_the_head(chain: OrganizationId) -> list[Break]:
    tamper("DELETE FROM core_auditchain WHERE organization_id = %s", chain)
    return [Break(Fault.NO_HEAD, 1, LENGTH)]


def delete_and_close_the_gap(chain: OrganizationId) -> list[Break]:
    tamper("DELETE FROM core_auditentry WHERE organization_id = %s AND sequence = %s", chain, LENGTH - 1)
    tamper(
        "UPDATE core_auditentry SET sequence = sequence - 1 WHERE organization_id = %s AND sequence = %s", chain, LENGTH
    )
    return [Break(Fault.CHANGED, LENGTH - 1, LENGTH - 1), Break(Fault.MISSING, LENGTH, LENGTH)]


FORGERIES: list[Callable[[OrganizationId], list[Break]]] = [
    rewrite_with_its_hash,
    rewrite_the_last_with_its_hash,
    change_the_hash,
    delete_inside,
    delete_the_first,
    delete_the_newest,
    delete_all,
    swap_two,
    duplicate_one,
    add_behind_the_end,
    move_into_another_chain,
    delete_the_head,
    delete_and_close_the_gap,
]
# What each row's own hash shows; the rest needs the chain.
SEEN_BY_OWN_HASHES = {change_the_hash, swap_two, delete_and_close_the_gap}


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_a_forgery_is_found_where_it_is(chain: OrganizationId, forge: Callable[[OrganizationId], list[Break]]) -> None:
    expected = forge(chain)
    assert list(report_of(chain).breaks) == expected
    assert bool(own_hashes_only(chain)) == (forge in SEEN_BY_OWN_HASHES)


def test_control_own_hashes_do_not_show_a_deletion(chain: OrganizationId) -> None:
    delete_inside(chain)
    assert own_hashes_only(chain) == []
    assert not report_of(chain).is_sound


BYTE_COLUMNS = ["reason", "actor_label", "target_id", "request_id", "hash", "previous_hash", "event"]


@pytest.mark.prove(
    "P10 tampered audit rows found and located", size=TAMPERED, control="own hashes alone do not show a deletion"
)
@pytest.mark.django_db
def test_every_tampered_byte_is_found_and_located() -> None:
    """One byte each in many random rows of several chains: all found, and nothing else reported."""
    chance = random.Random(20_260_403)  # noqa: S311 - it need not be secret, it must repeat
    chains = [OrganizationId(uuid.uuid4()) for _ in range(4)]
    for organization_id in chains:
        grow(organization_id, TAMPERED // 2)
    rows = [(organization_id, number) for organization_id in chains for number in range(1, TAMPERED // 2 + 1)]
    chosen = chance.sample(rows, TAMPERED)
    for organization_id, number in chosen:
        tamper_one_byte(organization_id, number, chance)
    found = [
        (report.organization_id, place)
        for report in verify_audit()
        for broken in report.breaks
        for place in range(broken.first, broken.last + 1)
    ]
    assert sorted(found, key=str) == sorted(chosen, key=str)


def tamper_one_byte(organization_id: OrganizationId, number: int, chance: random.Random) -> None:
    column = chance.choice(BYTE_COLUMNS)
    entry = AuditEntry.objects.get(organization_id=organization_id, sequence=number)
    text = getattr(entry, column)
    place = chance.randrange(len(text))
    replacement = chr(ord(text[place]) ^ 1) if text[place] not in "!\x7f" else "~"
    changed = text[:place] + replacement + text[place + 1 :]
    tamper(f"UPDATE core_auditentry SET {column} = %s WHERE id = %s", changed, entry.pk)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    try:
        call_command("verify_audit", *arguments)
    except CommandError as error:
        return error.returncode, capsys.readouterr().out + str(error)
    return 0, capsys.readouterr().out


def test_the_command_says_sound(chain: OrganizationId, capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys) == (0, f"Sound: {LENGTH + 3} entries in 2 chains.\n")
    assert printed(capsys, "--organization", str(chain)) == (0, f"Sound: {LENGTH} entries in 1 chains.\n")


def test_the_command_names_the_first_broken_entry(chain: OrganizationId, capsys: pytest.CaptureFixture[str]) -> None:
    delete_inside(chain)
    code, text = printed(capsys)
    assert code == 1
    assert f"organization {chain}: 2 breaks in 9 entries; the first broken is entry 3: it was deleted" in text
    assert "entries 7 to 8, each: it was deleted" in text
    assert "1 of 2 chains are broken" in text
    assert printed(capsys, "--organization", str(uuid.uuid4()))[0] == 0


@pytest.mark.django_db(transaction=True)
def test_appends_meanwhile_are_no_breaks(organization_id: OrganizationId) -> None:
    grow(organization_id)

    def append_or_verify(number: int) -> Any:
        if number % 2:
            return [report_of(organization_id).breaks for _ in range(20)]
        for _ in range(10):
            grow(organization_id, 2)
        return None

    results = at_once(4, append_or_verify)
    assert results[1] == results[3] == [()] * 20
    assert report_of(organization_id).entries == LENGTH + 40
