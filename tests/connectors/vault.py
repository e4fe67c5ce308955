"""Keys and stored credentials of the tests."""

from __future__ import annotations

import base64
import secrets
import uuid
from collections.abc import Sequence
from pathlib import Path

from apps.connectors.enums import ConnectorStatus, CredentialKind
from apps.connectors.ids import ConnectorId
from apps.connectors.models import Connector
from apps.connectors.services.credentials import credential_write
from apps.tenants.models import Workspace

KIND = CredentialKind.API_KEY


def fresh_key() -> str:
    """A key for CREDENTIAL_KEYS."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


def fill(workspace: Workspace, count: int) -> list[ConnectorId]:
    """So many enabled connectors, each with a credential named after it."""
    connectors = Connector.objects.bulk_create(
        Connector(workspace=workspace, provider="stripe", name=f"c{number}", status=ConnectorStatus.ENABLED)
        for number in range(count)
    )
    ids = [ConnectorId(connector.pk) for connector in connectors]
    for connector_id in ids:
        credential_write(connector_id=connector_id, kind=KIND, text=first_text(connector_id))
    return ids


def first_text(connector_id: uuid.UUID) -> str:
    """The credential that a connector begins with."""
    return f"rk_live_first_{connector_id}"


def write_in_turn(ids: Sequence[ConnectorId], log: str, stop: str) -> None:
    """Replace credentials one after the other until the file `stop` is there; each is logged once it is stored."""
    with Path(log).open("a", encoding="ascii", buffering=1) as lines:
        number = 0
        while not Path(stop).exists():
            connector_id = ids[number % len(ids)]
            text = f"rk_live_{number}_{connector_id}"
            credential_write(connector_id=connector_id, kind=KIND, text=text)
            lines.write(f"{connector_id} {text}\n")
            number += 1
