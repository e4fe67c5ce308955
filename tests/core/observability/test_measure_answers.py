"""Every answer is counted by status, view and method, whoever gives it; no client makes series at will (spec 14)."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.conf import settings
from django.test import Client
from django.urls import resolve

from apps.core.observability.answers import METHODS
from billing_site.web.front import _refuse
from billing_site.web.refusals import BUSY

pytestmark = pytest.mark.django_db

_LATENCY = "django_http_requests_latency_seconds_by_view_method_count"
_ANSWERS = "django_http_responses_total_by_status_view_method_total"


def read() -> dict[str, dict[str, float]]:
    """By metric and labels, as Prometheus reads them."""
    text = Client().get("/metrics", REMOTE_ADDR="127.0.0.1").content.decode()
    found: dict[str, dict[str, float]] = {}
    for name, labels, value in re.findall(r"^(django_http_\w+){(.*)} (\S+)$", text, re.MULTILINE):
        found.setdefault(name, {})[labels] = float(value)
    return found


def rise(before: dict[str, dict[str, float]], metric: str, labels: str) -> float:
    return read().get(metric, {}).get(labels, 0) - before.get(metric, {}).get(labels, 0)


@pytest.mark.parametrize("path", sorted(settings.HOT_PATHS))
@pytest.mark.parametrize(("method", "status"), [("POST", 401), ("GET", 405)])
def test_a_hot_call_is_counted_and_timed_under_its_name(path: str, method: str, status: int) -> None:
    before, view = read(), resolve(path).view_name
    answer = Client().generic(method, path, b"{}", content_type="application/json")
    status = answer.status_code  # some views look at the method first, some at the token
    assert 400 <= status < 500
    assert rise(before, _ANSWERS, f'method="{method}",status="{status}",view="{view}"') == 1
    assert rise(before, _LATENCY, f'method="{method}",view="{view}"') == 1
    assert rise(before, "django_http_responses_total_by_status_total", f'status="{status}"') == 1


@pytest.mark.parametrize("path", ["/sign-in/", "/webhooks/stripe", "/nothing/here"])
def test_methods_that_are_made_up_share_one_series(path: str) -> None:
    client = Client()
    client.generic("MADEUP", path)
    before = sum(map(len, read().values()))
    for number in range(20):
        client.generic(f"MADEUP{number}", path)
    after = read()
    # The reading itself is counted: at most its own view's series are new.
    assert sum(map(len, after.values())) <= before + 25
    methods = {
        name for metric in after.values() for labels in metric for name in re.findall(r'method="([^"]*)"', labels)
    }
    assert methods <= METHODS | {"<invalid method>"}


def test_what_is_refused_before_django_is_counted() -> None:
    before, sent = read(), list[int]()
    scope = SimpleNamespace(method="MADEUP", path="/api/x", headers={})
    _refuse(
        cast("Any", scope), cast("Any", SimpleNamespace(response_bytes=lambda status, *_: sent.append(status))), BUSY
    )
    assert sent == [503]
    labels = 'method="<invalid method>",status="503",view="<before Django>"'
    assert rise(before, _ANSWERS, labels) == 1
    assert rise(before, "django_http_responses_total_by_status_total", 'status="503"') == 1
