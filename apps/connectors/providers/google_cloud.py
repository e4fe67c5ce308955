"""Google Cloud costs, from the Cloud Billing export in BigQuery (spec 06, the table of providers).

The month is Google's invoice month. One record is what one project spent a day on one SKU; the query adds up what the
export has in many rows. A query is a job at Google whose results are read page by page; when Google has forgotten the
job, the same query is asked again, and goes on at the same row, for its order is fixed.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from apps.connectors.contracts import (
    CheckResult,
    Month,
    MonthBounds,
    OAuthServer,
    Provider,
    ProviderError,
    ProviderRecord,
    ProviderSettings,
    RecordPage,
)
from apps.connectors.enums import CredentialKind, RecordKind
from apps.connectors.oauth.google import GOOGLE, google_api_base
from apps.connectors.providers.http import fetch_json, parse
from apps.core.moments import read_iso_moment
from apps.core.outgoing import Call
from apps.core.provider_units import minor_from_decimal

_HOST = "bigquery.googleapis.com"
_ROWS_A_PAGE = 1_000
_NOT_FOUND = 404
_UNFINISHED = timedelta(seconds=5)
_COLUMNS = ("day", "project", "service", "sku_id", "sku", "unit", "currency", "quantity", "cost")
# The table's name is checked by the settings: letters, digits, underscores, points and hyphens.
_QUERY = """\
SELECT FORMAT_DATE('%F', DATE(usage_start_time)) AS day, IFNULL(project.id, '') AS project,
  service.description AS service, sku.id AS sku_id, sku.description AS sku, IFNULL(usage.unit, '') AS unit, currency,
  CAST(SUM(CAST(usage.amount AS BIGNUMERIC)) AS STRING) AS quantity,
  CAST(SUM(CAST(cost AS BIGNUMERIC)) + SUM(IFNULL((
    SELECT SUM(CAST(credit.amount AS BIGNUMERIC)) FROM UNNEST(credits) AS credit), 0)) AS STRING) AS cost
FROM `{table}` WHERE invoice.month = @month
GROUP BY day, project, service, sku_id, sku, unit, currency
ORDER BY day, project, service, sku_id, sku, unit, currency"""


class ExportSettings(ProviderSettings):
    """The table of the billing export, `project.dataset.table`, and the project that pays for the query."""

    table: Annotated[
        str,
        Field(
            title="Table of the billing export",
            description="As BigQuery names it: project.dataset.table.",
            pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]\.[A-Za-z0-9_]{1,200}\.[A-Za-z0-9_]{1,200}$",
        ),
    ]
    project_id: Annotated[
        str,
        Field(
            title="Project that pays for the query",
            description="Its id, such as billing-123; reading the export costs BigQuery time.",
            pattern=r"^[a-z][a-z0-9-]{4,28}[a-z0-9]$",
        ),
    ]


class _Google(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class _Job(_Google):
    jobId: str  # noqa: N815 - Google's names
    location: str = ""


class _Cell(_Google):
    v: str | None


class _Row(_Google):
    f: list[_Cell]


class _Started(_Google):
    jobReference: _Job  # noqa: N815


class _Results(_Google):
    jobComplete: bool  # noqa: N815
    totalRows: str = "0"  # noqa: N815
    rows: list[_Row] = []


class GoogleCloudProvider(Provider):
    """What the projects of a billing account spent."""

    name: ClassVar[str] = "google_cloud"
    label: ClassVar[str] = "Google Cloud"
    brings: ClassVar[str] = "cost lines of the month from the Cloud Billing export in BigQuery"
    needs: ClassVar[str] = (
        "In Google Cloud under Billing, Billing export, switch on the export to BigQuery; its project and dataset are "
        "what is asked for here. Authorize it with a Google account that may read that dataset."
    )
    credential_kind: ClassVar[CredentialKind] = CredentialKind.OAUTH
    settings_form: ClassVar[type[ProviderSettings]] = ExportSettings
    # Usage of the last days of a month can stand on the next invoice.
    month_bounds: ClassVar[MonthBounds] = MonthBounds.PROVIDER
    oauth_server: ClassVar[OAuthServer | None] = GOOGLE
    oauth_scopes: ClassVar[tuple[str, ...]] = ("https://www.googleapis.com/auth/bigquery.readonly",)

    def check(self) -> CheckResult:
        project, dataset, table = self._export.table.split(".")
        self._fetch(f"/projects/{project}/datasets/{dataset}/tables/{table}", {"fields": "id"})
        return CheckResult(f"the billing export {self._export.table}")

    def fetch_month(self, month: Month, cursor: str | None = None) -> RecordPage:
        first, job = _place(cursor)
        results = self._results(job, first) if job else None
        if results is None:
            job = self._start(month)
            results = self._results(job, first)
        if job is None or results is None:
            raise ProviderError(f"{self.label} does not know the query that it has just begun.")
        if not results.jobComplete:
            raise ProviderError(f"{self.label} is still at work on the query.", retry_after=_UNFINISHED)
        records = tuple(self._record(row) for row in results.rows)
        following = first + len(records)
        has_more = bool(records) and following < int(results.totalRows)
        return RecordPage(records, f"{following}:{job.location}:{job.jobId}" if has_more else None)

    def _start(self, month: Month) -> _Job:
        question = {
            "query": _QUERY.format(table=self._export.table),
            "useLegacySql": False,
            "parameterMode": "NAMED",
            "queryParameters": [
                {
                    "name": "month",
                    "parameterType": {"type": "STRING"},
                    "parameterValue": {"value": f"{month.year:04d}{month.number:02d}"},
                }
            ],
            "maxResults": 0,
            "timeoutMs": 10_000,
        }
        answer = self._fetch(f"/projects/{self._export.project_id}/queries", {}, question)
        return parse(self.label, _Started, answer).jobReference

    def _results(self, job: _Job, first: int) -> _Results | None:
        """The rows from `first` on; None where Google has forgotten the job."""
        params = {"startIndex": str(first), "maxResults": str(_ROWS_A_PAGE), "timeoutMs": "10000"}
        if job.location:
            params["location"] = job.location
        try:
            answer = self._fetch(f"/projects/{self._export.project_id}/queries/{job.jobId}", params)
        except ProviderError as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        return parse(self.label, _Results, answer)

    def _record(self, row: _Row) -> ProviderRecord:
        if len(row.f) != len(_COLUMNS):
            raise ProviderError(f"{self.label} answered with other columns than were asked for.", is_permanent=True)
        cells = {name: cell.v or "" for name, cell in zip(_COLUMNS, row.f, strict=True)}
        try:
            day = read_iso_moment(cells["day"])
            cost, quantity = Decimal(cells["cost"] or "0"), Decimal(cells["quantity"] or "0")
        except (ValueError, ArithmeticError):
            raise ProviderError(f"{self.label}: a row holds no day or no number.", is_permanent=True) from None
        key = "\x1f".join(cells[name] for name in _COLUMNS[:-2])
        return ProviderRecord(
            external_id=hashlib.sha256(key.encode()).hexdigest()[:40],
            kind=RecordKind.COST,
            description=f"{cells['service']}: {cells['sku']}" + (f" ({cells['project']})" if cells["project"] else ""),
            occurred_at=day,
            quantity=quantity,
            unit=cells["unit"],
            amount_minor=minor_from_decimal(cost, cells["currency"]),
            currency=cells["currency"],
            raw=cells,
        )

    def _fetch(self, path: str, params: dict[str, str], question: dict[str, Any] | None = None) -> Any:
        call = Call(
            f"{google_api_base(_HOST)}/bigquery/v2{path}",
            params=params,
            secret_headers={"Authorization": f"Bearer {self._key()}"},
            json=question,
            is_guarded=False,  # the address is the operator's
        )
        return fetch_json(self.label, call)

    @property
    def _export(self) -> ExportSettings:
        assert isinstance(self._settings, ExportSettings)  # noqa: S101 - validated in the constructor
        return self._settings


def _place(cursor: str | None) -> tuple[int, _Job | None]:
    first, _, rest = (cursor or "0").partition(":")
    location, _, job_id = rest.partition(":")
    if not first.isdecimal():
        raise ProviderError("Google Cloud: this is no place to go on from.", is_permanent=True)
    return int(first), _Job(jobId=job_id, location=location) if job_id else None
