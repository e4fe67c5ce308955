"""What a developer adds for a second OAuth server: its data, and a provider that names it. Nothing else changes."""

from __future__ import annotations

from typing import ClassVar

from apps.connectors.contracts import CheckResult, Month, OAuthServer, Provider, RecordPage
from apps.connectors.enums import CredentialKind

ACME = OAuthServer(
    name="acme",
    label="Acme",
    settings_prefix="ACME",
    authorize_parameters={"prompt": "consent"},
    removal_hint="Remove this product under Apps in your Acme account",
)


class AcmeLedgerProvider(Provider):
    name: ClassVar[str] = "acme_ledger"
    label: ClassVar[str] = "Acme Ledger"
    brings: ClassVar[str] = "nothing"
    credential_kind: ClassVar[CredentialKind] = CredentialKind.OAUTH
    oauth_server: ClassVar[OAuthServer | None] = ACME
    oauth_scopes: ClassVar[tuple[str, ...]] = ("ledger.read",)

    def check(self) -> CheckResult:
        return CheckResult("the ledger")

    def fetch_month(self, month: Month, cursor: str | None = None) -> RecordPage:
        return RecordPage(())
