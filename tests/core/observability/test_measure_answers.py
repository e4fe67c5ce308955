"""Every answer is counted by status, view and method, whoever gives it; no client makes series at will (spec 14)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.conf import settings
from django.test import Client
from django.urls import resolve
from django_prometheus.middleware import Metrics
from prometheus_client import REGISTRY

from apps.core.observability.answers import METHODS
from billing_site.web.front import _refuse
from billing_site.web.refusals import BUSY

pytestmark = pytest.mark.django_db

_TIMED = "django_http_requests_latency_seconds_by_view_method"
_ANSWERS = "django_http_responses_total_by_status_view_method_total"
_BY_STATUS = "django_http_responses_total_by_status_total"
_BY_METHOD = "django_http_requests_total_by_method_total"


def value(metric: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(metric, labels) or 0


def labels_of(metric: Any) -> set[str]:
    """Which methods the metric has series of."""
    return {sample.labels["method"] for family in metric.collect() for sample in family.samples}


@pytest.mark.parametrize("path", sorted(settings.HOT_PATHS))
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_hot_call_is_counted_and_timed_under_its_name(path: str, method: str) -> None:
    view = resolve(path).view_name

    def counted(status: int) -> tuple[float, ...]:
        return (
            value(_ANSWERS, method=method, status=str(status), view=view),
            value(_BY_STATUS, status=str(status)),
            value(f"{_TIMED}_count", method=method, view=view),
        )

    before = {status: counted(status) for status in (401, 405)}
    answer = Client().generic(method, path, b"{}", content_type="application/json")
    assert counted(answer.status_code) == tuple(number + 1 for number in before[answer.status_code])


@pytest.mark.parametrize("path", ["/sign-in/", "/webhooks/stripe", "/nothing/here"])
def test_methods_that_are_made_up_share_one_series(path: str) -> None:
    for number in range(3):
        Client().generic(f"MADEUP{number}", path)
    metrics = Metrics.get_instance()
    for metric in (metrics.requests_latency_by_view_method, metrics.responses_by_status_view_method):
        assert labels_of(metric) <= METHODS | {"<invalid method>"}
    assert value(_BY_METHOD, method="<invalid method>") > 0 or path in settings.HOT_PATHS


def test_what_is_refused_before_django_is_counted() -> None:
    def counted() -> tuple[float, float]:
        labels = {"method": "<invalid method>", "status": "503", "view": "<before Django>"}
        return value(_ANSWERS, **labels), value(_BY_STATUS, status="503")

    sent, before = list[int](), counted()
    scope = SimpleNamespace(method="MADEUP", path="/api/x", headers={})
    protocol = SimpleNamespace(response_bytes=lambda status, *_: sent.append(status))
    _refuse(cast("Any", scope), cast("Any", protocol), BUSY)
    assert sent == [503]
    assert counted() == (before[0] + 1, before[1] + 1)
