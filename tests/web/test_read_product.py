"""The product's own endpoints over real HTTP: bodies in chunks, and sizes that nobody sends in earnest."""

from __future__ import annotations

import http.client
import json
import re
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.credits.models import CreditEntry
from apps.payments.models import WebhookEvent
from tests.benchmarks.signed_events import SECRET, SignedEvents
from tests.credits.cast import make_place
from tests.factories.tenants import PASSWORD, make_signing_in_user, make_token
from tests.faults.web_servers import database_url
from tests.web.servers import Answer, ask, head, in_chunks, serving

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.faults]

CONSUME = "/api/v1/internal/credits:consume"


@pytest.fixture
def product_port() -> Iterator[int]:
    environment = {"DATABASE_URL": database_url(), "STRIPE_WEBHOOK_SECRETS": SECRET, "WEB_THREADS": "1"}
    with (
        tempfile.TemporaryDirectory() as folder,
        serving("billing_site.rsgi:application", Path(folder) / "log", environment=environment) as port,
    ):
        yield port


def post(port: int, path: str, body: bytes, chunk: int | None, **headers: str) -> Answer:
    if chunk is None:
        return ask(port, head(f"POST {path}", Content_Length=str(len(body)), **headers) + body)
    return ask(port, head(f"POST {path}", Transfer_Encoding="chunked", **headers) + in_chunks(body, chunk))


@pytest.mark.parametrize("chunk", [None, 1, 7, 4096])
def test_a_body_in_chunks_is_read_as_any_other(product_port: int, chunk: int | None) -> None:
    _webhook_is_stored(product_port, chunk)
    _run_is_charged(product_port, chunk)
    _person_is_signed_in(product_port, chunk)


def _webhook_is_stored(port: int, chunk: int | None) -> None:
    body, headers = SignedEvents("invoice.paid").fresh()
    signature = headers["Stripe-Signature"]
    answer = post(port, "/webhooks/stripe", body, chunk, Stripe_Signature=signature, Content_Type="application/json")
    assert answer.status == 200, answer.body
    assert WebhookEvent.objects.count() == 1
    # The control: what was read is what was signed.
    forged = body.replace(b"invoice.paid", b"invoice.void")
    answer = post(port, "/webhooks/stripe", forged, chunk, Stripe_Signature=signature, Content_Type="application/json")
    assert answer.status == 401
    assert WebhookEvent.objects.count() == 1


def _run_is_charged(port: int, chunk: int | None) -> None:
    place = make_place(whole_credits=10)
    bearer = {"Authorization": f"Bearer {make_token(place.product)}", "Content_Type": "application/json"}
    run: dict[str, Any] = {"account": {"type": "organization", "id": str(place.organization.pk)}, "operation": "unit"}
    run |= {"idempotency_key": uuid.uuid4().hex, "run_id": "run-1", "quantity": "1", "outcome": "succeeded"}
    before = CreditEntry.objects.count()
    assert post(port, CONSUME, json.dumps(run).encode(), chunk, **bearer).status == 201
    assert CreditEntry.objects.count() == before + 1


def _person_is_signed_in(port: int, chunk: int | None) -> None:
    user = make_signing_in_user()
    page = ask(port, head("GET /sign-in/"))
    [token] = re.findall(rb'name="csrfmiddlewaretoken" value="(\w+)"', page.body)[:1]
    cookie = page.headers["Set-Cookie"].partition(";")[0]
    form = f"csrfmiddlewaretoken={token.decode()}&username={user.email}&password={PASSWORD}".encode()
    kind = "application/x-www-form-urlencoded"
    answer = post(port, "/sign-in/", form, chunk, Cookie=cookie, Content_Type=kind)
    assert answer.status == 302, answer.body


FORM, JSON, PARTS = "application/x-www-form-urlencoded", "application/json", "multipart/form-data; boundary=b"
_PART = b'--b\r\nContent-Disposition: form-data; name="f%d"; filename="f"\r\n\r\nx\r\n'
HUGE: dict[str, bytes] = {
    "a long query": head("GET /sign-in/?next=/billing/" + "x" * 50_000),
    "many parameters": head("GET /sign-in/?" + "&".join(f"p{n}=1" for n in range(5_000))),
    "a long path": head("GET /billing/" + "x" * 50_000 + "/"),
    "a deep path": head("GET /" + "a/" * 20_000),
    "many cookies": head("GET /sign-in/", Cookie="; ".join(f"c{n}=1" for n in range(4_000))),
    "a long session": head("GET /billing/", Cookie="sessionid=" + "x" * 40_000),
    "a long token": head(f"POST {CONSUME}", Authorization="Bearer " + "x" * 40_000, Content_Length="0"),
    "a long signature": head("POST /webhooks/stripe", Stripe_Signature="t=1," + "v1=a," * 8_000, Content_Length="0"),
    "a long host": head("GET /sign-in/").replace(b"localhost", b"x" * 40_000),
    "many languages": head("GET /sign-in/", Accept_Language=",".join(f"l{n};q=0.1" for n in range(4_000))),
    "many codings": head("GET /sign-in/", Accept_Encoding=",".join(f"c{n}" for n in range(4_000))),
    "a long request id": head("GET /healthz", X_Request_ID="x" * 40_000),
    "a long content type": head("POST /sign-in/", Content_Type="text/" + "x" * 40_000, Content_Length="0"),
    "a form of many fields": head("POST /sign-in/", Content_Type=FORM, Content_Length="500000") + b"a=1&b" * 100_000,
    "a form of 2 MiB": head("POST /sign-in/", Content_Type=FORM, Content_Length="2097152") + b"x" * 2_097_152,
    "many files": head("POST /sign-in/", Content_Type=PARTS, Content_Length=str(67 * 2_000))
    + b"".join(_PART % (1000 + n) for n in range(2_000)),
    "a large file": head("POST /sign-in/", Content_Type=PARTS, Content_Length="2000067") + _PART % 1 + b"x" * 2_000_003,
    "deep JSON": head("POST /webhooks/stripe", Content_Type=JSON, Content_Length="1000000") + b"[" * 1_000_000,
    "over the limit": head("POST /sign-in/", Content_Type=FORM, Content_Length="9000000"),
}


def test_no_size_is_an_error_of_ours(product_port: int) -> None:
    """All of them in one server with one thread: none takes the thread with it, or the time of the others."""
    statuses = {name: ask(product_port, request).status for name, request in HUGE.items()}
    assert {name: status for name, status in statuses.items() if status >= http.HTTPStatus.INTERNAL_SERVER_ERROR} == {}
    assert statuses["over the limit"] == 413
    assert ask(product_port, head("GET /sign-in/")).status == 200


@pytest.mark.parametrize("path", [CONSUME, "/webhooks/stripe", "/sign-in/"])
def test_a_body_over_every_limit_says_what_the_limit_is(product_port: int, path: str) -> None:
    answer = ask(product_port, head(f"POST {path}", Content_Length="3000000"))
    assert answer.status == 413
    assert b"2097152 bytes" in answer.body
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["X-Request-ID"])
    if path != "/sign-in/":
        problem = json.loads(answer.body)
        assert (problem["code"], problem["request_id"]) == ("too_large", answer.headers["X-Request-ID"])
