"""`/metrics`: Prometheus's text, with what waits in our queues (spec 14, Watching it)."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django_prometheus.exports import ExportToDjangoView

from apps.core.backlog import backlog_metrics
from apps.core.wire.problems import NOT_FOUND, ProblemResponse

_READING = frozenset({"GET", "HEAD"})
_FORWARDING_HEADERS = ("X-Forwarded-For", "Forwarded", "X-Real-IP")


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus's text, for direct callers from `METRICS_ALLOWED_NETWORKS` only.

    A request that a proxy forwarded comes from the outside, whatever address the proxy has: it gets the answer of an
    absent page, and so does every other caller.
    """
    if not _may_see_metrics(request):
        return ProblemResponse(NOT_FOUND)
    answer: HttpResponse = ExportToDjangoView(request)
    answer.content += backlog_metrics()
    return answer


def _may_see_metrics(request: HttpRequest) -> bool:
    if request.method not in _READING or any(name in request.headers for name in _FORWARDING_HEADERS):
        return False
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    return any(address in ipaddress.ip_network(network) for network in settings.METRICS_ALLOWED_NETWORKS)
