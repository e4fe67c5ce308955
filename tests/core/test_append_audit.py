"""Appending to the audit log: one entry a change, in the change's transaction, never touched again."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from apps.core.audit import audit_append, audit_event, event_label
from apps.core.audit.chain import GENESIS_HASH
from apps.core.audit.secrecy import REDACTED, SecretInAuditError
from apps.core.audit_events import AuditEvent
from apps.core.canonical import NotCanonicalError
from apps.core.ids import AuditTarget, OrganizationId, WorkspaceId
from apps.core.models import AuditChain, AuditEntry
from apps.core.registry import RegistryError
from tests.contexts import console_context, staff_context
from tests.core.threads import at_once

THING_CHANGED = audit_event("test_thing.changed", "Thing changed")


def append(organization_id: OrganizationId | None = None, **values: Any) -> AuditEntry:
    with transaction.atomic():
        return audit_append(console_context(), THING_CHANGED, AuditTarget("thing", "t-1", organization_id), **values)


def new_organization() -> OrganizationId:
    return OrganizationId(uuid.uuid4())


@pytest.mark.django_db
def test_an_entry_keeps_who_what_and_why() -> None:
    organization_id, workspace_id = new_organization(), WorkspaceId(uuid.uuid4())
    context = staff_context()
    moment = datetime(2026, 4, 3, 10, tzinfo=UTC)
    with transaction.atomic():
        entry = audit_append(
            context,
            THING_CHANGED,
            AuditTarget("thing", workspace_id, organization_id, workspace_id),
            before={"ends_at": None, "amount": 5},
            after={"ends_at": moment, "amount": 6},
            reason="Agreed by phone",
        )
    entry.refresh_from_db()
    assert (entry.event, event_label(entry.event)) == ("test_thing.changed", "Thing changed")
    assert (entry.actor_kind, entry.actor_id, entry.actor_label) == ("user", context.actor.id, context.actor.label)
    assert (entry.role, entry.authorization_source) == ("billing_operations", "session")
    assert (entry.target_type, entry.target_id, entry.workspace_id) == ("thing", str(workspace_id), workspace_id)
    assert (entry.reason, entry.request_id) == ("Agreed by phone", context.request_id)
    assert entry.before == {"ends_at": None, "amount": 5}
    assert entry.after == {"ends_at": "2026-04-03T10:00:00.000000Z", "amount": 6}
    assert (entry.sequence, entry.previous_hash) == (1, GENESIS_HASH)


@pytest.mark.django_db
def test_entries_of_a_chain_follow_each_other_and_chains_do_not_mix() -> None:
    first_organization, second_organization = new_organization(), new_organization()
    first, other, second, platform = (
        append(first_organization),
        append(second_organization),
        append(first_organization),
        append(),
    )
    assert (first.sequence, second.sequence, second.previous_hash) == (1, 2, first.hash)
    assert (other.sequence, other.previous_hash) == (1, GENESIS_HASH)
    assert platform.organization_id is None
    head = AuditChain.objects.get(organization_id=first_organization)
    assert (head.last_sequence, head.last_hash) == (2, second.hash)


@pytest.mark.django_db
def test_the_tenant_of_the_context_counts_when_none_is_named() -> None:
    organization_id = new_organization()
    with transaction.atomic():
        entry = audit_append(console_context(organization_id), THING_CHANGED, AuditTarget("t", "1"))
    assert entry.organization_id == organization_id


@pytest.mark.django_db(transaction=True)
def test_outside_a_transaction_it_refuses() -> None:
    with pytest.raises(RuntimeError, match="outside a transaction"):
        audit_append(console_context(), THING_CHANGED, AuditTarget("t", "1"))
    assert not AuditEntry.objects.exists()
    assert not AuditChain.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_undoing_the_change_undoes_its_entry() -> None:
    organization_id = new_organization()
    append(organization_id)

    def change_then_fail() -> None:
        append(organization_id)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        change_then_fail()
    assert AuditEntry.objects.get().sequence == AuditChain.objects.get().last_sequence == 1


SECRET_FIELDS = ["password", "api_key", "apiKey", "token", "client_secret", "refresh-token", "Authorization", "tokens"]
TELLING_FIELDS = ["token_id", "token_prefix", "credential_changed_at", "token_count", "monkey", "tokenize", "secretary"]


@pytest.mark.django_db
@pytest.mark.parametrize("field", SECRET_FIELDS)
def test_a_secret_is_refused_and_not_told(field: str) -> None:
    with pytest.raises(SecretInAuditError) as refusal:
        append(after={"nested": [{field: "hunter2"}]})
    assert field in str(refusal.value)
    assert "hunter2" not in str(refusal.value)
    assert not AuditEntry.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("field", TELLING_FIELDS)
def test_what_tells_of_a_secret_without_telling_it_is_kept(field: str) -> None:
    assert append(after={field: "x"}).after == {field: "x"}


@pytest.mark.django_db
def test_whether_there_is_a_secret_may_be_told() -> None:
    values = {"api_key": None, "password": True}
    assert append(after=values).after == values


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["sk_live_abc123", "whsec_0123abc", "Bearer abcdefghijklmnopqrst"])
def test_keys_that_people_type_are_redacted(text: str) -> None:
    entry = append(after={"name": f"Old: {text}"}, reason=f"Rotated {text} away")
    assert entry.after == {"name": f"Old: {REDACTED}"}
    assert entry.reason == f"Rotated {REDACTED} away"


@pytest.mark.django_db
def test_a_float_is_refused() -> None:
    with pytest.raises(NotCanonicalError, match=r"after\.amount"):
        append(after={"amount": 0.5})


@pytest.mark.parametrize("name", ["test_thing.changed", "Thing.changed", "thing", "thing.changed.twice", "thing.", ""])
def test_an_event_has_a_good_name_and_is_declared_once(name: str) -> None:
    with pytest.raises((ValueError, RegistryError), match="audit event"):
        audit_event(name, "Something")


def test_the_label_of_an_event_of_the_past_is_its_name() -> None:
    assert event_label("long.gone") == "long.gone"
    assert AuditEvent("a.b", "c") == AuditEvent("a.b", "c")


FORBIDDEN_SQL = [
    "UPDATE core_auditentry SET reason = 'nicer'",
    "DELETE FROM core_auditentry",
    "TRUNCATE core_auditentry",
    "UPDATE core_auditchain SET last_sequence = 0",
    "UPDATE core_auditchain SET last_sequence = last_sequence",
    "UPDATE core_auditchain SET last_sequence = last_sequence + 2",
    "UPDATE core_auditchain SET organization_id = gen_random_uuid(), last_sequence = last_sequence + 1",
    "DELETE FROM core_auditchain",
    "TRUNCATE core_auditchain",
]


@pytest.mark.django_db
@pytest.mark.parametrize("statement", FORBIDDEN_SQL)
def test_the_database_refuses_to_change_history(statement: str) -> None:
    entry = append()
    with pytest.raises(DatabaseError, match="Cannot"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert AuditEntry.objects.get().hash == entry.hash
    assert AuditChain.objects.get().last_sequence == 1


@pytest.mark.django_db
def test_the_database_refuses_a_second_entry_of_the_same_number() -> None:
    entry = append()
    entry.pk = uuid.uuid4()
    with pytest.raises(DatabaseError, match="audit_entry_sequence_unique"), transaction.atomic():
        entry.save(force_insert=True)


@pytest.mark.django_db(transaction=True)
def test_appends_at_the_same_moment_make_one_unbroken_chain() -> None:
    organizations = [new_organization(), None]
    results = at_once(16, lambda number: [append(organizations[number % 2]) for _ in range(5)])
    assert [result for result in results if isinstance(result, Exception)] == []
    for organization_id in organizations:
        chain = AuditEntry.objects.filter(organization_id=organization_id).order_by("sequence")
        hashes = list(chain.values_list("sequence", "previous_hash", "hash"))
        assert [sequence for sequence, _, _ in hashes] == list(range(1, 41))
        assert [previous for _, previous, _ in hashes[1:]] == [own for _, _, own in hashes[:-1]]


@pytest.mark.django_db(transaction=True)
def test_control_without_the_lock_appends_collide() -> None:
    """The same race without the head's lock, which the test above must be able to notice."""
    append()

    def append_without_lock(_: int) -> None:
        latest = AuditEntry.objects.order_by("-sequence")[0]
        latest.pk, latest.sequence, latest.previous_hash = uuid.uuid4(), latest.sequence + 1, latest.hash
        latest.save(force_insert=True)

    results = at_once(16, append_without_lock)
    assert any(isinstance(result, DatabaseError) for result in results)
