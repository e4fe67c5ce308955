"""`manage.py rotate_credential_keys`: every credential under the newest key, while the system runs (spec 06)."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apps.connectors.services.rotation import credential_keys_rotate
from apps.core.audit.vouching import keys_of_vouchers
from apps.core.crypto import SealError
from apps.tenants.access import console_context


class Command(BaseCommand):
    help = (
        "Re-encrypts every stored credential under the newest key of CREDENTIAL_KEYS. Put the new key first, restart "
        "everything, run this, then take the old key away, unless this says that erasures are signed with it. It can "
        "be stopped and repeated at any time."
    )

    def handle(self, *_: Any, **__: Any) -> None:
        try:
            report = credential_keys_rotate(console_context())
        except SealError as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{report.resealed} credentials are now under the key {report.key_id}.")
        if report.overtaken:
            self.stdout.write(f"{report.overtaken} were replaced meanwhile and were looked at again.")
        for key_id in sorted(keys_of_vouchers() - {report.key_id}):
            self.stdout.write(
                f"Keep the key {key_id}, behind the newest: erasures of personal data are signed with it."
            )
        if report.unreadable:
            for record_id in report.unreadable:
                self.stdout.write(f"  connector or product {record_id}: no key of CREDENTIAL_KEYS opens its credential")
            raise CommandError(
                f"{len(report.unreadable)} credentials can't be opened. Put their key back into CREDENTIAL_KEYS, or "
                "replace the credentials.",
                returncode=1,
            )
