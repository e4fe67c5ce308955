"""Rows that other apps write through a connector to a sheet (spec 07, Daily report)."""

from __future__ import annotations

from apps.connectors.contracts import ProviderError
from apps.connectors.enums import ConnectorStatus
from apps.connectors.ids import ConnectorId
from apps.connectors.models import Connector
from apps.connectors.providers.google_sheets import GoogleSheetsProvider, SheetSettings
from apps.connectors.providers.sheet_rows import SheetRow, write_row
from apps.connectors.selectors.connectors import connectors
from apps.connectors.services.credentials import secret_for_call
from apps.core.context import ExecutionContext
from apps.core.ids import OrganizationId

SHEETS = GoogleSheetsProvider.name


def sheet_connectors(organization_id: OrganizationId) -> list[Connector]:
    """The organization's connectors of Google Sheets, by name."""
    found = connectors().filter(workspace__organization=organization_id, provider=SHEETS)
    return list(found.order_by("name", "pk"))


def sheet_row_write(context: ExecutionContext, *, connector_id: ConnectorId, sheet: str, row: SheetRow) -> None:
    """Write the row with the connector's authorization, outside a transaction. Raises `ProviderError`."""
    connector = connectors().filter(pk=connector_id, provider=SHEETS).first()
    if connector is None:
        raise ProviderError("The connector was removed. Choose another one.", is_permanent=True)
    if connector.status != ConnectorStatus.ENABLED:
        status = connector.get_status_display().lower()
        raise ProviderError(f"The connector {connector.name} is not enabled ({status}).", is_permanent=True)
    secret = secret_for_call(context, connector_id=connector_id)
    if secret is None:
        raise ProviderError(f"The connector {connector.name} is not authorized.", is_credential_invalid=True)
    settings = SheetSettings.model_validate(connector.settings)
    write_row(secret, settings.spreadsheet_id, sheet, row)
