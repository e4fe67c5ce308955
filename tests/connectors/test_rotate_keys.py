"""Credentials move to the newest key while they are replaced and while rotations are killed (spec 11, P8)."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from pytest_django.fixtures import Settings

from apps.connectors.ids import ConnectorId
from apps.connectors.models import ConnectorCredential
from apps.connectors.services import rotation
from apps.connectors.services.credentials import credential_open, credential_write, reseal
from apps.connectors.services.rotation import credential_keys_rotate
from apps.core.crypto import newest_key_id
from apps.core.errors import ForbiddenError
from apps.core.models import AuditEntry
from apps.tenants.models import Workspace
from tests.connectors.vault import KIND, fill, first_text, fresh_key, write_in_turn
from tests.contexts import console_context, staff_context
from tests.core.processes import dies_at, kill, started
from tests.factories.tenants import make_organization, make_workspace
from tests.sizes import size
from tests.subscriptions.cast import chance_of

SECRETS = size(small=240, full=10_000)
KILLS = size(small=5, full=50)
BATCH = size(small=20, full=100)
SEED = 8


@pytest.fixture
def workspace(db: None) -> Workspace:
    return make_workspace(make_organization())


def opened(ids: list[ConnectorId]) -> dict[ConnectorId, str]:
    """What each connector's credential opens to; raises for one that does not."""
    found = {}
    for connector_id in ids:
        secret = credential_open(connector_id)
        assert secret is not None
        found[connector_id] = secret.reveal()
    return found


def expected_texts(ids: list[ConnectorId], *logs: Path) -> dict[ConnectorId, str]:
    texts = {str(connector_id): first_text(connector_id) for connector_id in ids}
    for log in logs:
        for line in log.read_text(encoding="ascii").splitlines():
            connector_id, text = line.split()
            texts[connector_id] = text
    return {connector_id: texts[str(connector_id)] for connector_id in ids}


@pytest.mark.faults
@pytest.mark.prove(
    "P8 rotation under writes and kills: 0 unreadable, 0 stale, 0 on the old key",
    size=SECRETS,
    control="a rotation that does not compare before it swaps is caught",
)
@pytest.mark.django_db(transaction=True)
def test_rotation_under_writes_and_kills(settings: Settings, tmp_path: Path) -> None:
    old, new = fresh_key(), fresh_key()
    settings.CREDENTIAL_KEYS = (old,)
    ids = fill(make_workspace(make_organization()), SECRETS)
    logs, stops = [tmp_path / "a", tmp_path / "b"], [tmp_path / "stop-a", tmp_path / "stop-b"]
    # One writer has not been restarted yet and knows the old key alone; it owns the first half.
    halves = [ids[: len(ids) // 2], ids[len(ids) // 2 :]]
    late = started(partial(write_in_turn, halves[0], str(logs[0]), str(stops[0])))
    settings.CREDENTIAL_KEYS = (new, old)
    writer = started(partial(write_in_turn, halves[1], str(logs[1]), str(stops[1])))
    chance = chance_of(SEED)
    for _ in range(KILLS):
        process = started(lambda: credential_keys_rotate(console_context(), batch=BATCH))
        time.sleep(chance.uniform(0.02, 0.2))
        kill(process)
    stops[0].touch()
    late.join()
    credential_keys_rotate(console_context(), batch=BATCH)
    stops[1].touch()
    writer.join()
    assert opened(ids) == expected_texts(ids, *logs)
    assert not ConnectorCredential.objects.exclude(key_id=newest_key_id()).exists()
    settings.CREDENTIAL_KEYS = (new,)
    assert len(opened(ids)) == SECRETS


@pytest.mark.faults
@pytest.mark.django_db(transaction=True)
def test_killed_at_the_named_place_it_goes_on_where_it_stopped(settings: Settings) -> None:
    old, new = fresh_key(), fresh_key()
    settings.CREDENTIAL_KEYS = (old,)
    ids = fill(make_workspace(make_organization()), 6)
    settings.CREDENTIAL_KEYS = (new, old)
    assert dies_at("credentials.after_swap", lambda: credential_keys_rotate(console_context(), batch=2))
    assert ConnectorCredential.objects.filter(key_id=newest_key_id()).count() == 2
    assert credential_keys_rotate(console_context(), batch=2).resealed == 4
    assert opened(ids) == expected_texts(ids)


def overtake(monkeypatch: pytest.MonkeyPatch) -> None:
    """A credential is replaced between the moment when the rotation has read it and the moment when it writes."""

    def replacing(connector_id: ConnectorId, kind: Any, ciphertext: bytes) -> bytes:
        sealed = reseal(connector_id, kind, ciphertext)
        credential_write(connector_id=connector_id, kind=KIND, text="rk_live_the-newest-one")
        return sealed

    monkeypatch.setattr(rotation, "reseal", replacing)


def test_a_credential_replaced_meanwhile_is_left_alone(
    workspace: Workspace, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = settings.CREDENTIAL_KEYS[0]
    ids = fill(workspace, 3)
    settings.CREDENTIAL_KEYS = (fresh_key(), old)
    overtake(monkeypatch)
    report = credential_keys_rotate(console_context())
    assert (report.resealed, report.overtaken) == (0, 3)
    assert set(opened(ids).values()) == {"rk_live_the-newest-one"}


def test_a_rotation_that_does_not_compare_is_caught(
    workspace: Workspace, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: swapping whatever the revision brings the replaced credential back."""
    old = settings.CREDENTIAL_KEYS[0]
    ids = fill(workspace, 3)
    settings.CREDENTIAL_KEYS = (fresh_key(), old)
    overtake(monkeypatch)
    monkeypatch.setattr(rotation, "_SWAP", rotation._SWAP.replace("AND stored.revision = fresh.revision", ""))
    credential_keys_rotate(console_context())
    assert opened(ids) == expected_texts(ids)


def test_the_command_names_what_it_can_not_open(
    workspace: Workspace, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.CREDENTIAL_KEYS = (fresh_key(),)
    ids = fill(workspace, 2)
    settings.CREDENTIAL_KEYS = (fresh_key(),)
    with pytest.raises(CommandError, match="2 credentials can't be opened"):
        call_command("rotate_credential_keys")
    assert str(ids[0]) in capsys.readouterr().out


def test_repeating_it_finds_nothing_and_writes_nothing(
    workspace: Workspace, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(workspace, 3)
    settings.CREDENTIAL_KEYS = (fresh_key(), *settings.CREDENTIAL_KEYS)
    call_command("rotate_credential_keys")
    call_command("rotate_credential_keys")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["3", "0"]
    assert AuditEntry.objects.filter(event="credentials.rotated").count() == 1


def test_only_a_platform_admin_may(workspace: Workspace) -> None:
    with pytest.raises(ForbiddenError):
        credential_keys_rotate(staff_context())


@pytest.mark.django_db
def test_an_installation_without_a_key_in_use_is_not_ready(settings: Settings) -> None:
    first, second = fresh_key(), fresh_key()
    for key in (first, second):
        settings.CREDENTIAL_KEYS = (key,)
        fill(make_workspace(make_organization()), 3)
    for keys, is_ready in [((second, first), True), ((second,), False), ((first,), False), ((fresh_key(),), False)]:
        settings.CREDENTIAL_KEYS = keys
        failed = [check for check in Client().get("/readyz").json()["checks"] if check["status"] != "ok"]
        assert [check["name"] for check in failed] == ([] if is_ready else ["stored_credentials"]), keys
        assert is_ready or "CREDENTIAL_KEYS" in failed[0]["remedy"]
