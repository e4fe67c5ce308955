"""Every answer is counted by status, view and method, whoever gives it; no client makes series at will (spec 14)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.conf import settings
from django.test import Client
from django.urls import ResolverMatch, resolve
from django_prometheus.middleware import Metrics
from prometheus_client import REGISTRY

from apps.core.observability.answers import METHODS, OTHER_METHOD
from billing_site.web.front import _refuse
from billing_site.web.refusals import BUSY

pytestmark = pytest.mark.django_db

_TIMED = "django_http_requests_latency_seconds_by_view_method"
_ANSWERS = "django_http_responses_total_by_status_view_method_total"
_BY_STATUS = "django_http_responses_total_by_status_total"


def value(metric: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(metric, labels) or 0


def labels_of(metric: Any) -> set[str]:
    """Which methods the metric has series of."""
    return {sample.labels["method"] for family in metric.collect() for sample in family.samples}


def counted(status: int, method: str, view: str) -> tuple[float, ...]:
    return (
        value(_ANSWERS, method=method, status=str(status), view=view),
        value(_BY_STATUS, status=str(status)),
        value(f"{_TIMED}_count", method=method, view=view),
    )


def counted_as(method: str, path: str, status: int, view: str, **meta: Any) -> None:
    """Ask, and find the answer counted once and timed."""
    before = counted(status, method, view)
    client = Client(raise_request_exception=False, enforce_csrf_checks=True)
    answer = client.generic(method, path, b"{}", content_type="application/json", **meta)
    assert answer.status_code == status
    assert counted(status, method, view) == tuple(number + 1 for number in before)


HOT = [(path, resolve(path).view_name) for path in sorted(settings.HOT_PATHS)]


@pytest.mark.parametrize(("path", "view"), HOT)
def test_a_hot_call_is_counted_and_timed_under_its_name(path: str, view: str) -> None:
    counted_as("POST", path, 401, view)


@pytest.mark.parametrize(("path", "view"), [*HOT, ("/sign-in/", "sign-in")])
def test_an_error_of_ours_is_counted_under_its_view(path: str, view: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise KeyError("a mistake")

    monkeypatch.setattr(ResolverMatch, "func", property(lambda self: fail, lambda self, value: None), raising=False)
    counted_as("GET", path, 500, view)


@pytest.mark.parametrize(
    ("method", "path", "status", "view", "meta"),
    [
        ("GET", "/sign-in/?next=%00", 400, "<unnamed view>", {}),  # by the middleware about texts
        ("GET", "/sign-in/", 400, "<unnamed view>", {"HTTP_HOST": "evil.example"}),  # by Django's own
        ("POST", "/sign-in/", 403, "sign-in", {}),  # by the one about forms from elsewhere
        ("GET", "/nothing/here", 404, "<unnamed view>", {}),
        ("GET", "/sign-in/", 200, "sign-in", {}),
    ],
)
def test_an_answer_is_counted_whoever_gives_it(
    method: str, path: str, status: int, view: str, meta: dict[str, str]
) -> None:
    counted_as(method, path, status, view, **meta)


@pytest.mark.parametrize("path", ["/sign-in/", "/webhooks/stripe", "/nothing/here"])
def test_methods_that_are_made_up_share_one_series(path: str) -> None:
    for number in range(3):
        Client().generic(f"MADEUP{number}", path)
    metrics = Metrics.get_instance()
    for metric in (metrics.requests_latency_by_view_method, metrics.responses_by_status_view_method):
        assert OTHER_METHOD in labels_of(metric)
        assert labels_of(metric) <= METHODS | {OTHER_METHOD}


def test_what_is_refused_before_django_is_counted() -> None:
    sent, before = list[int](), counted(503, OTHER_METHOD, "<before Django>")
    scope = SimpleNamespace(method="MADEUP", path="/api/x", headers={})
    protocol = SimpleNamespace(response_bytes=lambda status, *_: sent.append(status))
    _refuse(cast("Any", scope), cast("Any", protocol), BUSY)
    assert sent == [503]
    assert counted(503, OTHER_METHOD, "<before Django>") == (before[0] + 1, before[1] + 1, 0)
