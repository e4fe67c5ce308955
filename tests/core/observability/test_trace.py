"""Requests, calls to the outside and tasks of one cause are one trace without a secret (spec 14, Watching it)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from celery.signals import before_task_publish
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from apps.core.observability import spans, tracing
from apps.core.outgoing.calls import Call, OutgoingError, outgoing_call
from apps.core.wakeups import send_wakeup
from billing_site import celery, collector
from billing_site.launcher.places import PROJECT
from tests.connectors.web import Web
from tests.faults.web_servers import database_url
from tests.http_server import QuietHandler, serve

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{CALLER}-01"
CANARY = f"canary{uuid.uuid4().hex}"
MIDDLEWARE = "apps.core.observability.tracing.TracingMiddleware"


@dataclass
class Collector:
    """What arrived, as OpenTelemetry's own messages."""

    base: str = ""
    bodies: list[bytes] = field(default_factory=list)

    def spans(self) -> dict[str, Span]:
        """The latest span of each name."""
        found = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        scopes = [scope for one in found for resource in one.resource_spans for scope in resource.scope_spans]
        return {span.name: span for scope in scopes for span in scope.spans}

    def wait_for(self, name: str) -> Span:
        """The span of this name, when it has come from another process."""
        until = time.monotonic() + 300
        while name not in self.spans():
            assert time.monotonic() < until, (name, list(self.spans()))
            time.sleep(0.1)
        return self.spans()[name]


def shown(span: Span) -> dict[str, Any]:
    return {one.key: one.value.string_value or one.value.int_value for one in span.attributes}


@pytest.fixture
def received() -> Iterator[Collector]:
    """A collector over HTTP."""
    told = Collector()

    class Handler(QuietHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert (self.path, self.headers["Content-Type"]) == ("/v1/traces", "application/x-protobuf")
            told.bodies.append(body)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with serve(Handler) as port:
        told.base = f"http://127.0.0.1:{port}"
        yield told


@pytest.fixture
def traced(received: Collector, settings: Any) -> Iterator[tracing.Tracing]:
    """Tracing as a process has it whose environment names the collector."""
    place = settings.MIDDLEWARE.index("apps.core.observability.requests.RequestIdMiddleware") + 1
    settings.MIDDLEWARE = [*settings.MIDDLEWARE[:place], MIDDLEWARE, *settings.MIDDLEWARE[place:]]
    shown_here = tracing.set_up_tracing(received.base)
    yield shown_here
    tracing.stop_tracing()


def asking(request: HttpRequest, word: str) -> HttpResponse:
    """A view that asks a provider and a product, and wakes a worker."""
    base = request.headers["X-Base"]
    outgoing_call(Call(f"{base}/provider/{CANARY}", params={"key": CANARY}, secret_headers={"Key": CANARY}))
    outgoing_call(Call(f"{base}/product", is_to_product=True))
    send_wakeup("core.sweep_jobs")
    return HttpResponse(CANARY, status=201)


def failing(request: HttpRequest) -> HttpResponse:
    raise ValueError(CANARY)


urlpatterns = [path("asking/<slug:word>/", asking), path("failing/", failing)]


def ask(web: Web, address: str, **headers: str) -> HttpResponse:
    client = Client(raise_request_exception=False)
    sent = {"X-Base": web.base, "X-Request-ID": "request-1", "Authorization": CANARY, "Cookie": CANARY, **headers}
    answer: HttpResponse = client.get(f"{address}?token={CANARY}", headers=sent)  # type: ignore[assignment]
    return answer


@pytest.mark.urls(__name__)
@pytest.mark.django_db
def test_a_request_and_what_it_asks_continue_the_callers_trace(
    traced: tracing.Tracing,
    received: Collector,
    web: Web,
) -> None:
    published: list[dict[str, Any]] = []
    keep = lambda headers=None, **kwargs: published.append(dict(headers))  # noqa: E731
    before_task_publish.connect(keep, weak=False)
    assert ask(web, f"/asking/{CANARY}/", traceparent=TRACEPARENT).status_code == 201
    before_task_publish.disconnect(keep)
    tracing.stop_tracing()
    found = received.spans()
    request, call = found["GET /asking/<slug:word>/"], found["GET 127.0.0.1"]
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, CALLER)
    assert request.kind == Span.SPAN_KIND_SERVER
    assert shown(request) == {
        "http.request.method": "GET",
        "http.route": "/asking/<slug:word>/",
        "http.response.status_code": 201,
        tracing.REQUEST_ID: "request-1",
    }
    assert (call.trace_id.hex(), call.parent_span_id, call.kind) == (TRACE, request.span_id, Span.SPAN_KIND_CLIENT)
    assert shown(call) == {
        "http.request.method": "GET",
        "server.address": "127.0.0.1",
        "http.response.status_code": 404,
        tracing.REQUEST_ID: "request-1",
    }
    provider, product = web.asked
    assert "traceparent" not in provider.headers
    assert product.headers["traceparent"].split("-")[1] == TRACE
    [message] = published
    assert message["traceparent"].split("-")[1:3] == [TRACE, request.span_id.hex()]


@pytest.mark.urls(__name__)
@pytest.mark.django_db
def test_no_secret_is_in_a_trace(
    traced: tracing.Tracing,
    received: Collector,
    web: Web,
) -> None:
    ask(web, f"/asking/{CANARY}/", baggage=f"key={CANARY}")
    assert ask(web, "/failing/").status_code == 500
    assert ask(web, f"/{CANARY}/nowhere/").status_code == 404
    with pytest.raises(OutgoingError):
        outgoing_call(Call(f"http://user:{CANARY}@127.0.0.1:1/{CANARY}", is_guarded=False, is_repeatable=False))
    tracing.stop_tracing()
    found = received.spans()
    assert {"GET", "GET /failing/", "GET /asking/<slug:word>/", "GET 127.0.0.1"} <= set(found)
    assert found["GET /failing/"].status.code == Status.STATUS_CODE_ERROR
    assert found["GET 127.0.0.1"].status.code == Status.STATUS_CODE_ERROR
    assert received.bodies
    assert not [body for body in received.bodies if CANARY.encode() in body or b"canary" in body]


@pytest.mark.django_db
def test_what_machines_ask_all_day_has_no_spans(traced: tracing.Tracing, received: Collector) -> None:
    assert Client().get("/healthz").status_code == 200
    tracing.stop_tracing()
    assert received.bodies == []


@pytest.mark.django_db(transaction=True)
@pytest.mark.slow
def test_a_worker_continues_the_trace_of_its_message(traced: tracing.Tracing, received: Collector) -> None:
    queue = f"trace-{uuid.uuid4().hex}"
    with traced.outgoing("cause.example", "GET"):
        # Sent while nobody listens.
        celery.app.send_task("core.sweep_jobs", queue=queue)
    environment = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "OTEL_EXPORTER_OTLP_ENDPOINT": received.base,
    }
    arguments = ["-m", "celery", "--app=billing_site", "worker", f"--queues={queue}", "--concurrency=1"]
    worker = subprocess.Popen([sys.executable, *arguments], env=environment, cwd=PROJECT, start_new_session=True)
    try:
        task = received.wait_for("core.sweep_jobs")
    finally:
        # With the processes of its pool; how a worker ends is no matter here.
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
    tracing.stop_tracing()
    cause = received.spans()["GET cause.example"]
    assert (task.trace_id, task.parent_span_id, task.kind) == (cause.trace_id, cause.span_id, Span.SPAN_KIND_CONSUMER)
    assert shown(task)[tracing.REQUEST_ID]


def _loaded(**environment: str) -> str:
    """Whether a process of ours has loaded OpenTelemetry, and has the middleware."""
    code = (
        "import sys, django; django.setup(); from django.conf import settings;"
        f"print('opentelemetry' in sys.modules, '{MIDDLEWARE}' in settings.MIDDLEWARE)"
    )
    given = {**os.environ, "DJANGO_SETTINGS_MODULE": "billing_site.settings", **environment}
    return subprocess.run(
        [sys.executable, "-c", code], env=given, cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.slow
def test_without_a_collector_nothing_of_it_is_loaded(received: Collector) -> None:
    assert _loaded(OTEL_EXPORTER_OTLP_ENDPOINT="") == "False False"
    assert _loaded(OTEL_EXPORTER_OTLP_ENDPOINT=received.base) == "True True"


def test_without_a_collector_nothing_is_sent_on() -> None:
    assert spans.trace_headers() == {}
    with spans.outgoing_span("provider.example", "GET") as note:
        note(200)


@pytest.mark.parametrize("missing", ["opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"])
def test_a_collector_without_the_packages_is_refused(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert collector.collector("http://localhost:4318") == "http://localhost:4318"

    def find(name: str) -> object | None:
        if name == missing:
            raise ModuleNotFoundError(name)
        return object()

    monkeypatch.setattr(collector, "find_spec", find)
    with pytest.raises(ValueError, match=r"packages that are not installed.*tracing\.txt"):
        collector.collector("http://localhost:4318")
