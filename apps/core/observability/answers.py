"""What `/metrics` says of each answer: how many by status, view and method, and how long they took (spec 14).

In the metrics of django-prometheus, which counts only what passes all other middleware: no hot call, no refusal by a
middleware or before Django, no error on the way.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from time import perf_counter

from django.http import HttpRequest, HttpResponseBase
from django_prometheus.middleware import Metrics
from prometheus_client import Counter, Histogram

# A client may make up any other one, and each would be a series that stays.
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "OPTIONS", "CONNECT", "PATCH"})
OTHER_METHOD = "<invalid method>"
_NO_VIEW = "<unnamed view>"
_BEFORE_DJANGO = "<before Django>"


class AnswerMetricsMiddleware:
    """Counts and times every answer. It stands before all middleware that may answer, where errors are answers too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = perf_counter()
        response = self._get_response(request)
        match = request.resolver_match
        view, method = (match.view_name if match else "") or _NO_VIEW, _bounded(request.method)
        _count(view, method, response.status_code)
        _latency(view, method).observe(perf_counter() - started)
        return response


def count_refusal(method: str, status: int) -> None:
    """Count what was answered before Django saw the request, such as a 503 of a server that has too much to do."""
    _count(_BEFORE_DJANGO, _bounded(method), status)


def _bounded(method: str | None) -> str:
    return method if method in METHODS else OTHER_METHOD


def _count(view: str, method: str, status: int) -> None:
    for counter in _counters(view, method, status):
        counter.inc()


# Looking a series up by its labels costs more than counting. Views, methods and statuses are few.
@cache
def _counters(view: str, method: str, status: int) -> tuple[Counter, Counter]:
    metrics = Metrics.get_instance()
    return (
        metrics.responses_by_status.labels(status=str(status)),
        metrics.responses_by_status_view_method.labels(status=str(status), view=view, method=method),
    )


@cache
def _latency(view: str, method: str) -> Histogram:
    histogram: Histogram = Metrics.get_instance().requests_latency_by_view_method.labels(view=view, method=method)
    return histogram
