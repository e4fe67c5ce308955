"""Google Cloud: the costs of the month from the billing export, whose query may be forgotten (spec 06)."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from apps.connectors.contracts import ProviderError
from tests.connectors.providers.stand_in import MONTH, Asked, Reply, StandIn, reply
from tests.connectors.web import Web, put_up

ROWS = [
    [f"2026-04-{1 + n // 50:02d}", f"project-{n % 50:02d}", "Compute", "A1", "Core", "second", "EUR", "7.25", "0.105"]
    for n in range(1_200)
]
KNOWN_JOBS = {"job_1"}
STARTED: list[str] = []


def external_id(row: list[str]) -> str:
    return hashlib.sha256("\x1f".join(row[:7]).encode()).hexdigest()[:40]


def answer(asked: Asked) -> Reply:
    if "/tables/" in asked.path:
        return reply({"id": "billing:export.table"})
    if asked.path.endswith("/queries"):
        assert b'"value": "202604"' in asked.body
        STARTED.append(asked.path)
        return reply({"jobReference": {"jobId": "job_1", "location": "EU"}, "jobComplete": True})
    if asked.path.rsplit("/", 1)[1] not in KNOWN_JOBS:
        return reply({"error": {"code": 404}}, 404)
    assert asked.query["location"] == "EU"
    first, most = int(asked.query["startIndex"]), int(asked.query["maxResults"])
    rows: list[dict[str, Any]] = [{"f": [{"v": cell} for cell in row]} for row in ROWS[first : first + most]]
    return reply({"jobComplete": True, "totalRows": str(len(ROWS)), "rows": rows, "jobReference": {"jobId": "job_1"}})


STAND_IN = StandIn(
    provider="google_cloud",
    external_ids=tuple(external_id(row) for row in ROWS),
    answer=answer,
    base_setting="GOOGLE_API_BASE",
    settings=lambda _: {"table": "billing-123.export.gcp_billing_export_v1", "project_id": "billing-123"},
)


def test_a_cost_is_rounded_once_and_each_record_has_an_id_of_its_own(web: Web, settings: Settings) -> None:
    put_up(web, STAND_IN, settings)
    record = STAND_IN.open(web.base).fetch_month(MONTH).records[0]
    assert (record.amount_minor, record.currency, str(record.quantity)) == (11, "EUR", "7.25")
    assert len(set(STAND_IN.external_ids)) == len(ROWS)


def test_a_forgotten_query_is_asked_again_and_goes_on_at_its_row(web: Web, settings: Settings) -> None:
    put_up(web, STAND_IN, settings)
    provider = STAND_IN.open(web.base)
    STARTED.clear()
    page = provider.fetch_month(MONTH, "1000:EU:job_forgotten")
    assert [record.external_id for record in page.records] == list(STAND_IN.external_ids[1_000:])
    assert len(STARTED) == 1


def test_a_query_that_is_still_at_work_is_asked_for_later(web: Web, settings: Settings) -> None:
    put_up(web, STAND_IN, settings)
    web.failing = reply({"jobReference": {"jobId": "job_1", "location": "EU"}, "jobComplete": False})
    with pytest.raises(ProviderError) as caught:
        STAND_IN.open(web.base).fetch_month(MONTH)
    assert (caught.value.is_permanent, caught.value.retry_after is not None) == (False, True)
