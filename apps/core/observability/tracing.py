"""Traces by OpenTelemetry, where OTEL_EXPORTER_OTLP_ENDPOINT is set (spec 14, Watching it).

Needs the packages of the extra `tracing`, and is imported only then. A span names what we have written ourselves: the
route and not the address, the host that is called, the name of a task; and the request id, which logs carry too. It
holds no path, no query, no header, no id of a tenant and no text of an error, so that no secret can be in it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from celery import states
from celery.signals import before_task_publish, task_postrun, task_prerun, worker_process_shutdown
from celery.utils.dispatch import Signal
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.urls import Resolver404, resolve
from opentelemetry import context as contexts
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, set_span_in_context, use_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from apps.core.observability.requests import QUIET_PATHS, current_request_id
from apps.core.observability.spans import NoteStatus, show_spans

REQUEST_ID = "countinghouse.request_id"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SERVER_ERROR, _CLIENT_ERROR = 500, 400
# Ids and times alone; no baggage, which callers could fill with anything.
_trace_context = TraceContextTextMapPropagator()
_FIELDS = sorted(_trace_context.fields)


class Tracing:
    """The spans of this process, sent to the collector in the background."""

    def __init__(self, endpoint: str, service: str) -> None:
        self._provider = TracerProvider(resource=Resource.create({SERVICE_NAME: service}))
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer: Tracer = self._provider.get_tracer("countinghouse")
        self._tasks: dict[str, tuple[Span, Any]] = {}

    @contextmanager
    def request(self, request: HttpRequest) -> Iterator[Callable[[HttpResponseBase], None]]:
        """The span of one request, below the caller's; it is told the answer."""
        given = {name: request.META.get(f"HTTP_{name.upper()}", "") for name in _FIELDS}
        method = str(request.method) if request.method in _METHODS else "_OTHER"
        shown = {"http.request.method": method, REQUEST_ID: current_request_id()}
        with self._span(method, SpanKind.SERVER, shown, _trace_context.extract(given)) as span:
            yield lambda response: _note_answer(span, method, request, response)

    @contextmanager
    def outgoing(self, host: str, method: str) -> Iterator[NoteStatus]:
        """The span of one call to the outside."""
        shown = {"http.request.method": method, "server.address": host, REQUEST_ID: current_request_id()}
        with self._span(f"{method} {host}", SpanKind.CLIENT, shown) as span:
            yield lambda status: _note_status(span, status, error_from=_CLIENT_ERROR)

    def headers(self) -> Mapping[str, str]:
        """The present trace, for a product of ours."""
        carried: dict[str, str] = {}
        _trace_context.inject(carried)
        return carried

    def publish(self, headers: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """A message to a worker carries the trace of its cause."""
        if headers is not None:
            headers.update(self.headers())

    def begin_task(self, task_id: str, task: Any, **kwargs: Any) -> None:
        """The span of one task, below that of its cause."""
        carried = {name: task.request.get(name) or "" for name in _FIELDS}
        of_cause = (task.request.get("__django_structlog__") or {}).get("request_id")
        span = self._tracer.start_span(
            task.name,
            context=_trace_context.extract(carried),
            kind=SpanKind.CONSUMER,
            attributes={"messaging.operation.name": task.name, REQUEST_ID: str(of_cause or current_request_id())},
        )
        self._tasks[task_id] = span, contexts.attach(set_span_in_context(span))

    def end_task(self, task_id: str, state: str | None = None, **kwargs: Any) -> None:
        """The task is over."""
        if task_id not in self._tasks:
            return
        span, token = self._tasks.pop(task_id)
        if state in {states.FAILURE, states.RETRY}:
            span.set_status(StatusCode.ERROR)
        span.end()
        contexts.detach(token)

    def close(self) -> None:
        """Send what waits, and stop."""
        self._provider.shutdown()

    @contextmanager
    def _span(
        self, name: str, kind: SpanKind, shown: Mapping[str, str], parent: contexts.Context | None = None
    ) -> Iterator[Span]:
        span = self._tracer.start_span(name, context=parent, kind=kind, attributes=shown)
        # An exception's text may hold what nobody else shall read: that there was one is enough.
        with use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            try:
                yield span
            except BaseException:
                span.set_status(StatusCode.ERROR)
                raise


def _note_answer(span: Span, method: str, request: HttpRequest, response: HttpResponseBase) -> None:
    route = _route_of(request)
    if route is not None:
        span.update_name(f"{method} {route}")
        span.set_attribute("http.route", route)
    _note_status(span, response.status_code, error_from=_SERVER_ERROR)


def _route_of(request: HttpRequest) -> str | None:
    """The route's own text, such as `/holds/<uuid:hold_id>`; None where the address leads nowhere."""
    try:
        # The hot path asks Django's resolver by itself.
        match = request.resolver_match or resolve(request.path_info)
    except Resolver404:
        return None
    return f"/{match.route}"


def _note_status(span: Span, status: int, *, error_from: int) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= error_from:
        span.set_status(StatusCode.ERROR)


class TracingMiddleware:
    """Stands after the request id. What machines ask every few seconds has no spans, as it has no log lines."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path in QUIET_PATHS or _present is None:
            return self._get_response(request)
        with _present.request(request) as note:
            response = self._get_response(request)
            note(response)
        return response


_present: Tracing | None = None


def set_up_tracing(endpoint: str) -> Tracing:
    """Show the spans of requests, calls to the outside and tasks of this process to the collector at `endpoint`."""
    global _present  # noqa: PLW0603 - one a process
    tracing = _present = Tracing(
        endpoint, os.environ.get("OTEL_SERVICE_NAME") or f"countinghouse-{settings.KIND_OF_WORK}"
    )
    show_spans(tracing)
    for signal, receiver in _receivers(tracing):
        signal.connect(receiver, weak=False)
    return tracing


def stop_tracing(**kwargs: Any) -> None:
    """Send what waits, and show nothing from now on."""
    global _present
    tracing, _present = _present, None
    show_spans(None)
    if tracing is not None:
        for signal, receiver in _receivers(tracing):
            signal.disconnect(receiver)
        tracing.close()


def _receivers(tracing: Tracing) -> list[tuple[Signal, Callable[..., None]]]:
    return [
        (before_task_publish, tracing.publish),
        (task_prerun, tracing.begin_task),
        (task_postrun, tracing.end_task),
        # A process of the pool ends without what Python does at its end.
        (worker_process_shutdown, stop_tracing),
    ]
