"""THE module that seals and opens credentials (spec 06, Credentials). An opened one is only ever in a `Secret`."""

from __future__ import annotations

from datetime import datetime

from django.db import connection
from django.db.models import F

from apps.connectors.contracts import Secret
from apps.connectors.enums import CredentialKind
from apps.connectors.ids import ConnectorId
from apps.connectors.models import ConnectorCredential
from apps.core import clock
from apps.core.crypto import Binding, SealError, configured_key_ids, key_id_of, open_sealed, seal

# Steps from one key id to the next along the index, however many credentials there are.
_KEY_IDS_IN_USE = """
    WITH RECURSIVE used AS (
        SELECT min(key_id) AS key_id FROM connectors_connectorcredential
        UNION ALL
        SELECT (SELECT min(key_id) FROM connectors_connectorcredential WHERE key_id > used.key_id)
        FROM used WHERE used.key_id IS NOT NULL
    )
    SELECT key_id FROM used WHERE key_id IS NOT NULL
"""


def credential_write(
    *, connector_id: ConnectorId, kind: CredentialKind, text: str, expires_at: datetime | None = None
) -> None:
    """Seal the text and store it as the connector's credential, in place of the one before.

    The caller holds the connector's lock, in a transaction. Raises `SealError` without a key: nothing is stored then.
    """
    sealed = seal(text, binding_of(connector_id, kind))
    values = {
        "kind": kind,
        "ciphertext": sealed,
        "key_id": key_id_of(sealed),
        "last_four": Secret(kind, text).last_four if kind is CredentialKind.API_KEY else "",
        "expires_at": expires_at,
        "stored_at": clock.now(),
    }
    rows = ConnectorCredential.objects.filter(connector=connector_id)
    # The revision moves with every write, so that a rotation which has read the row before leaves this one alone.
    if not rows.update(**values, revision=F("revision") + 1):
        ConnectorCredential.objects.create(connector_id=connector_id, **values)


def credential_open(connector_id: ConnectorId) -> Secret | None:
    """The connector's opened credential; None where there is none. Raises `SealError` for one that does not open."""
    row = ConnectorCredential.objects.filter(connector=connector_id).values_list("kind", "ciphertext").first()
    if row is None:
        return None
    kind = CredentialKind(row[0])
    return Secret(kind, open_sealed(bytes(row[1]), binding_of(connector_id, kind)))


def reseal(connector_id: ConnectorId, kind: CredentialKind, ciphertext: bytes) -> bytes:
    """Re-encrypt a secret under the newest key. Raises `SealError`."""
    binding = binding_of(connector_id, kind)
    return seal(open_sealed(ciphertext, binding), binding)


def check_keys_in_use() -> None:
    """Raise `SealError` when a stored credential is under a key that is not configured: its syncs would fail."""
    with connection.cursor() as cursor:
        cursor.execute(_KEY_IDS_IN_USE)
        used = {row[0] for row in cursor.fetchall()}
    if used and (missing := used - configured_key_ids()):
        raise SealError(f"Credentials are under keys that are not configured: {', '.join(sorted(missing))}.")


def binding_of(connector_id: ConnectorId, kind: CredentialKind) -> Binding:
    """The associated data that binds a ciphertext to its connector and kind."""
    return Binding("connector", connector_id, kind.value)
