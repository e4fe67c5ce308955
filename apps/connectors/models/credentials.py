"""The credential of a connector, as ciphertext only (spec 06, Credentials)."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q

from apps.connectors.enums import CredentialKind
from apps.connectors.models.connectors import Connector
from apps.core.constraints import one_of


class ConnectorCredential(models.Model):
    """One row a connector, apart from it, so that no list, form or row version ever carries a secret by accident.

    `ciphertext` is bound to the connector's id and to the field; `key_id` repeats the key that it names, so that a
    rotation finds what is left. `last_four` is all that is ever shown. `revision` counts the writes: the rotation
    changes a row only while it is the one that it has read.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connector = models.OneToOneField(Connector, on_delete=models.PROTECT, related_name="credential")
    kind = models.CharField(max_length=16, choices=CredentialKind.choices)
    ciphertext = models.BinaryField()
    key_id = models.CharField(max_length=16)
    last_four = models.CharField(max_length=4, blank=True, default="")
    revision = models.PositiveIntegerField(default=1)
    expires_at = models.DateTimeField(null=True, blank=True)
    stored_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            one_of("kind", CredentialKind, "connector_credential_kind_known"),
            models.CheckConstraint(condition=~Q(kind=CredentialKind.NONE), name="connector_credential_is_one"),
            models.CheckConstraint(condition=~Q(key_id=""), name="connector_credential_names_key"),
        ]
        indexes: ClassVar = [models.Index(fields=["key_id", "id"], name="connector_credential_key")]

    def __str__(self) -> str:
        return f"credential of connector {self.connector_id}"
