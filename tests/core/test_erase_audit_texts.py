"""Texts go from the audit log, and the chain proves the rest: what is changed afterwards is still located (spec 03)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from pytest_django import Settings

from apps.core.audit import audit_append, verify_audit
from apps.core.audit.chain import ERASED, PERSONAL, Break, Erasure, Fault, digest_of, hash_with_digests, texts_of
from apps.core.audit.erasing import MOST_AT_ONCE, audit_texts_erase
from apps.core.audit.vouching import TEXTS_ERASED, keys_of_vouchers
from apps.core.audit.witness import ChainHead, contradiction
from apps.core.canonical import Plain
from apps.core.errors import ConflictError
from apps.core.ids import AuditTarget, OrganizationId, UserId
from apps.core.models import AuditChain, AuditEntry
from tests.contexts import console_context
from tests.core.tampering import LENGTH, content_of, grow, tamper

pytestmark = pytest.mark.django_db
USER = UserId(uuid.uuid4())
WHERE = "WHERE organization_id = %s AND sequence = %s"


def is_name(entry: AuditEntry, place: str, text: str) -> bool:
    return text == "Zoë"


def is_reason(entry: AuditEntry, place: str, text: str) -> bool:
    return place == "reason"


def erase(
    chain: OrganizationId | None, names_them: Callable[[AuditEntry, str, str], bool] = is_name, *, number: int = 0
) -> int:
    entries = AuditEntry.objects.filter(organization_id=chain).order_by("sequence")
    ids = list((entries.filter(sequence=number) if number else entries).values_list("pk", flat=True))
    return audit_texts_erase(console_context(), user_id=USER, organization_id=chain, entries=ids, names_them=names_them)


@pytest.fixture
def chain() -> OrganizationId:
    made = OrganizationId(uuid.uuid4())
    grow(made)
    grow(None, 3)
    return made


@pytest.fixture
def erased(chain: OrganizationId) -> OrganizationId:
    assert erase(chain, number=5) == 1
    return chain


def breaks_of(chain: OrganizationId) -> tuple[Break, ...]:
    (report,) = verify_audit(chain)
    return report.breaks


def test_the_texts_are_gone_the_rest_stays_and_the_chain_is_sound(chain: OrganizationId) -> None:
    before = {entry.sequence: entry for entry in AuditEntry.objects.filter(organization_id=chain)}
    head = AuditChain.objects.get(organization_id=chain)
    assert erase(chain) == LENGTH
    assert erase(None) == 3
    for entry in AuditEntry.objects.filter(organization_id=chain, sequence__lte=LENGTH):
        was = before[entry.sequence]
        assert entry.after == {**was.after, "name": ERASED}
        assert (entry.before, entry.reason, entry.hash) == (was.before, was.reason, was.hash)
        assert entry.erased is not None
        assert set(entry.erased["digests"]) == {"after/name"}
        assert "after/name" not in entry.erased["salts"]
    assert all(report.is_sound for report in verify_audit())
    # A witness from before the erasure agrees with the chain of today.
    assert contradiction(ChainHead(chain, head.last_sequence, head.last_hash), "then") is None
    voucher = AuditEntry.objects.get(organization_id=chain, sequence=LENGTH + 1)
    assert (voucher.event, voucher.target_id, voucher.after["entries"]) == (TEXTS_ERASED.name, str(USER), LENGTH)
    # The chain grows on.
    grow(chain, 2)
    assert breaks_of(chain) == ()


def test_an_entry_can_lose_more_texts_later_and_none_twice(erased: OrganizationId) -> None:
    assert erase(erased, number=5) == 0
    assert erase(erased, is_reason, number=5) == 1
    entry = AuditEntry.objects.get(organization_id=erased, sequence=5)
    assert (entry.reason, entry.after["name"]) == (ERASED, ERASED)
    assert entry.erased is not None
    assert set(entry.erased["digests"]) == {"after/name", "reason"}
    assert breaks_of(erased) == ()
    assert AuditEntry.objects.filter(organization_id=erased, event=TEXTS_ERASED.name).count() == 2


TAMPERED = [
    ("another text in the place of the mark", 'after = after || \'{"name": "Ann"}\''),
    ("another reason", "reason = 'growing'"),
    ("another number", "after = after || '{\"n\": 77}'"),
    ("a field more", 'after = after || \'{"more": "x"}\''),
    ("a field less", "after = after - 'name'"),
    ("another event", "event = 'thing.forged'"),
    ("another moment", "recorded_at = recorded_at + interval '1 microsecond'"),
    ("another label", "actor_label = 'console:other'"),
    ("another salt", "erased = jsonb_set(erased, '{salts,reason}', '\"00\"')"),
    ("another digest", "erased = jsonb_set(erased, '{digests,after/name}', to_jsonb(repeat('0', 64)))"),
    ("a mark where nothing was erased", "reason = '[erased]'"),
]


@pytest.mark.parametrize("change", [change for _, change in TAMPERED], ids=[name for name, _ in TAMPERED])
def test_a_change_of_an_erased_entry_is_located(erased: OrganizationId, change: str) -> None:
    assert tamper(f"UPDATE core_auditentry SET {change} {WHERE}", erased, 5) == 1
    assert breaks_of(erased) == (Break(Fault.ERASED_UNVOUCHED, 5, 5),)


def test_another_stored_hash_of_an_erased_entry_is_located(erased: OrganizationId) -> None:
    tamper(f"UPDATE core_auditentry SET hash = reverse(hash) {WHERE}", erased, 5)
    assert breaks_of(erased) == (Break(Fault.REPLACED, 5, 5),)


def test_an_entry_that_says_it_was_erased_needs_a_voucher_that_is_ours(chain: OrganizationId) -> None:
    """What only an owner of the database can do: change an entry, and call that an erasure."""
    erase(chain, number=3)
    entry = AuditEntry.objects.get(organization_id=chain, sequence=7)
    entry.reason = "Never happened"
    salts = dict.fromkeys((place for name in PERSONAL for place, _ in texts_of(getattr(entry, name), name)), "00")
    known = hash_with_digests(content_of(entry), Erasure(salts, {}))
    kept = json.dumps({"salts": salts, "digests": {}})
    tamper(f"UPDATE core_auditentry SET reason = %s, erased = %s::jsonb {WHERE}", entry.reason, kept, chain, 7)
    assert breaks_of(chain) == (Break(Fault.ERASED_UNVOUCHED, 7, 7),)
    # A voucher without our key vouches for nothing, though the chain takes it.
    mine = AuditEntry.objects.get(organization_id=chain, event=TEXTS_ERASED.name).after
    audit_append(
        console_context(), TEXTS_ERASED, AuditTarget("user", USER, chain), after={**mine, "renewed": {"7": known}}
    )
    assert breaks_of(chain) == (Break(Fault.ERASED_UNVOUCHED, 7, 7),)


def test_without_its_key_a_voucher_can_t_be_checked(erased: OrganizationId, settings: Settings) -> None:
    old = settings.CREDENTIAL_KEYS
    settings.CREDENTIAL_KEYS = ("A" * 43 + "=", *old)
    assert breaks_of(erased) == ()
    settings.CREDENTIAL_KEYS = ("A" * 43 + "=",)
    assert breaks_of(erased) == (Break(Fault.ERASED_UNVOUCHED, 5, 5),)


def test_the_rotation_of_keys_says_which_key_is_still_needed(
    erased: OrganizationId, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("rotate_credential_keys")
    assert "Keep the key" not in capsys.readouterr().out
    (key_id,) = keys_of_vouchers()
    settings.CREDENTIAL_KEYS = ("A" * 43 + "=", *settings.CREDENTIAL_KEYS)
    call_command("rotate_credential_keys")
    assert f"Keep the key {key_id}, behind the newest: erasures of personal data" in capsys.readouterr().out


def test_a_broken_entry_is_not_erased(chain: OrganizationId) -> None:
    tamper(f"UPDATE core_auditentry SET event = 'thing.forged' {WHERE}", chain, 5)
    with pytest.raises(ConflictError, match=r"Audit entry 5 .* does not fit its hash"), transaction.atomic():
        erase(chain)
    assert not AuditEntry.objects.filter(erased__isnull=False).exists()
    assert breaks_of(chain) == (Break(Fault.CHANGED, 5, 5),)


def test_the_triggers_stay_in_force_after_an_erasure(erased: OrganizationId) -> None:
    for statement in ("UPDATE core_auditentry SET reason = '[erased]'", "DELETE FROM core_auditentry"):
        with pytest.raises(DatabaseError, match="Cannot"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_the_second_form_is_the_same_before_and_after_an_erasure(chain: OrganizationId) -> None:
    entry = AuditEntry.objects.get(organization_id=chain, sequence=2)
    texts = dict(found for name in PERSONAL for found in texts_of(getattr(entry, name), name))
    salts = {place: f"{number:02x}" for number, place in enumerate(texts)}
    whole = hash_with_digests(content_of(entry), Erasure(salts, {}))
    digests = {"after/name": digest_of(salts.pop("after/name"), texts["after/name"])}
    entry.after = {**entry.after, "name": ERASED}
    assert hash_with_digests(content_of(entry), Erasure(salts, digests)) == whole


def test_places_of_texts_are_told_apart() -> None:
    value: Plain = {"a/b": "1", "a": {"b": "2", "c": ["3", 4, None, {"~": "5"}]}}
    assert dict(texts_of(value, "after")) == {
        "after/a~1b": "1", "after/a/b": "2", "after/a/c/0": "3", "after/a/c/3/~0": "5"
    }  # fmt: skip
    assert MOST_AT_ONCE >= 100
