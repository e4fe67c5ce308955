"""What `/metrics` says of each answer: how many by status, view and method, and how long they took (spec 14).

django-prometheus counts what passes its middleware. Hot calls and what is refused before Django do not, and are counted
here in the same metrics, so that one question of Prometheus is about all answers.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django_prometheus.middleware import Metrics, PrometheusAfterMiddleware
from prometheus_client import Counter, Histogram

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "TRACE", "OPTIONS", "CONNECT", "PATCH"})
_OTHER_METHOD = "<invalid method>"
_BEFORE_DJANGO = "<before Django>"


class AnswerMetricsMiddleware(PrometheusAfterMiddleware):  # type: ignore[misc]
    """django-prometheus's, which would keep a new series for each method that a client makes up, for ever."""

    def label_metric(self, metric: Any, request: Any, response: Any = None, **labels: str) -> Any:
        """The metric with its labels."""
        if "method" in labels:
            labels["method"] = _bounded(labels["method"])
        return super().label_metric(metric, request, response, **labels)


def count_hot_call(view: str, method: str, status: int, seconds: float) -> None:
    """Count the answer of a view that `HotPathMiddleware` called."""
    _count(view, method, status)
    _latency(view, _bounded(method)).observe(seconds)


def count_refusal(method: str, status: int) -> None:
    """Count what was answered before Django saw the request, such as a 503 of a server that has too much to do."""
    _count(_BEFORE_DJANGO, method, status)


def _count(view: str, method: str, status: int) -> None:
    for counter in _counters(view, _bounded(method), str(status)):
        counter.inc()


def _bounded(method: str) -> str:
    return method if method in METHODS else _OTHER_METHOD


# Looking a series up by its labels costs more than counting. Views, methods and statuses are few.
@cache
def _counters(view: str, method: str, status: str) -> tuple[Counter, Counter]:
    metrics = Metrics.get_instance()
    return (
        metrics.responses_by_status.labels(status=status),
        metrics.responses_by_status_view_method.labels(status=status, view=view, method=method),
    )


@cache
def _latency(view: str, method: str) -> Histogram:
    histogram: Histogram = Metrics.get_instance().requests_latency_by_view_method.labels(view=view, method=method)
    return histogram
