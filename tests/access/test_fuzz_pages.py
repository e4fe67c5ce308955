"""Made-up queries and forms for every page of tenants and staff: none is answered in the 500s (spec 11, P9).

The pages themselves say what they take: their forms with the values in them, and the queries of their links. Each
request exchanges some of that for worse; what it changed is undone.
"""

from __future__ import annotations

import itertools
import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client
from django.test.client import MULTIPART_CONTENT, encode_multipart

from apps.core.pages import PROGRAM_PATHS
from tests.access.test_refuse_unstorable_text import addresses, query_names
from tests.access.world import World, make_world
from tests.core.wire.fuzzing import HOSTILE, UNKNOWN_NAMES, as_text, mutate
from tests.markup import Page
from tests.sizes import size

SEED = os.environ.get("FUZZ_SEED", "countinghouse")
REQUESTS = size(small=100, full=10_000)
_BOUNDARY = "made-up-boundary"
Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Form:
    """What a person can send from a page: by GET its query, by POST its form."""

    caller: str
    method: str
    path: str
    fields: Fields


@pytest.fixture
def world(db: None) -> World:
    return make_world()


class Browsers:
    """A signed-in client of each kind of caller; no request changes what the next one starts from."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._clients: dict[str, tuple[Client, str]] = {}

    def send(self, caller: str, method: str, address: str, **parts: Any) -> HttpResponse | StreamingHttpResponse:
        """Ask for it, then undo what it did."""
        if caller not in self._clients:
            client, _ = self._world.client(caller)
            self._clients[caller] = client, client.cookies.output(header="", sep=";")
        client, cookies = self._clients[caller]
        client.cookies.clear()
        client.cookies.load(cookies)
        point = transaction.savepoint()
        answer: Any = client.generic(method, address, **parts)
        answer.getvalue()  # of a stream too: what is written late fails late
        transaction.savepoint_rollback(point)
        transaction.savepoint_commit(point)  # else it stays open
        return cast("HttpResponse | StreamingHttpResponse", answer)


def forms_of(caller: str, address: str, html: str) -> Iterator[Form]:
    """The forms of a page with their values, and its links that carry a query."""
    page = Page(html)
    starts = [spot for spot, (tag, _) in enumerate(page.elements) if tag == "form"]
    for start, end in itertools.pairwise([*starts, len(page.elements)]):
        attributes = page.elements[start][1]
        path = urlsplit(urljoin(address, attributes.get("action", ""))).path
        fields = tuple(_fields(page.elements[start + 1 : end]).items())
        yield Form(caller, attributes.get("method", "get").upper(), path, fields)
    for link in page.links():
        target = urlsplit(urljoin(address, link))
        if target.query and not target.netloc:
            yield Form(caller, "GET", target.path, tuple(parse_qsl(target.query)))


def _fields(elements: Sequence[tuple[str, dict[str, str]]]) -> dict[str, str]:
    """Name and value; of a list the last value that is not empty."""
    fields: dict[str, str] = {}
    select = ""
    for tag, attributes in elements:
        if tag == "option":
            fields[select] = attributes.get("value") or fields[select]
        elif attributes.get("name") and tag in {"input", "textarea", "button", "select"}:
            fields[attributes["name"]] = attributes.get("value", "")
            select = attributes["name"]
    return fields


def all_forms(world: World, browsers: Browsers) -> list[Form]:
    """What every page offers to those who may most there, each kind once."""
    found: dict[tuple[str, str, tuple[str, ...]], Form] = {}
    for address, caller in list(addresses(world)):
        if address.startswith(PROGRAM_PATHS):
            continue
        queries = tuple((name, "1") for name in sorted(query_names(address)))
        forms = [Form(caller, "GET", address, queries)]
        answer = browsers.send(caller, "GET", address)
        if (
            isinstance(answer, HttpResponse)
            and answer.status_code == 200
            and answer.headers["Content-Type"].startswith("text/html")
        ):
            forms += forms_of(caller, address, answer.content.decode())
        else:
            forms.append(Form(caller, "POST", address, (("reason", "made up"),)))
        for form in forms:
            found.setdefault((form.method, form.path, tuple(sorted({name for name, _ in form.fields}))), form)
    return list(found.values())


def worsened(rng: random.Random, fields: Fields) -> list[tuple[str, str]]:
    """The fields with up to three exchanged, left out, repeated or added."""
    pairs = list(fields)
    for _ in range(rng.choice([0, 1, 1, 1, 2, 3])):
        what = rng.random()
        if not pairs or what < 0.1:
            pairs.append((rng.choice(UNKNOWN_NAMES), as_text(rng.choice(HOSTILE))))
            continue
        spot = rng.randrange(len(pairs))
        name, value = pairs[spot]
        if what < 0.2:
            del pairs[spot]
        elif what < 0.3:
            pairs.append((name, as_text(rng.choice(HOSTILE))))
        elif what < 0.5 and value:
            pairs[spot] = (name, mutate(rng, value))
        else:
            pairs[spot] = (name, as_text(rng.choice(HOSTILE)))
    return pairs


def made_up(rng: random.Random, form: Form) -> tuple[str, dict[str, Any]]:
    """An address and the parts of a request to it."""
    pairs = worsened(rng, form.fields)
    query = urlencode(pairs, errors="surrogatepass" if rng.random() < 0.5 else "replace")
    if form.method == "GET":
        return f"{form.path}?{query}", {}
    if rng.random() < 0.8:
        return form.path, {"data": query, "content_type": "application/x-www-form-urlencoded"}
    data: dict[str, Any] = {name: value.encode("utf-8", "replace").decode() for name, value in pairs if name}
    if data and rng.random() < 0.3:
        # A file where text is expected.
        data[rng.choice(list(data))] = SimpleUploadedFile("a\u202etxt.exe", b"\x00\xff")
    body = encode_multipart(_BOUNDARY, data)
    return form.path, {"data": body, "content_type": MULTIPART_CONTENT.replace("BoUnDaRyStRiNg", _BOUNDARY)}


def wrong_with(answer: HttpResponse | StreamingHttpResponse) -> str:
    """What may not be about the answer; empty where nothing is wrong."""
    if answer.status_code >= 500:
        return "an answer in the 500s"
    if answer.status_code >= 400 and not getattr(answer, "content", b"").strip():
        return "a refusal that says nothing"
    return ""


@pytest.mark.prove("P9 made-up queries and forms of every page: 0 in the 500s", size=REQUESTS)
def test_no_query_or_form_breaks_a_page(world: World) -> None:
    browsers = Browsers(world)
    forms = all_forms(world, browsers)
    posts = {form.path.split("/")[1] for form in forms if form.method == "POST"}
    assert {"admin", "billing", "sign-in", "account"} <= posts
    rng = random.Random(SEED)  # noqa: S311 - tests that can be repeated
    rng.shuffle(forms)
    wrong, statuses = [], Counter[tuple[str, int]]()
    for form in itertools.islice(itertools.cycle(forms), REQUESTS):
        address, parts = made_up(rng, form)
        answer = browsers.send(form.caller, form.method, address, **parts)
        statuses[form.method, answer.status_code] += 1
        if problem := wrong_with(answer):
            wrong.append((problem, form.caller, form.method, address[:1_000], str(parts)[:1_000], answer.status_code))
    print(f"P9 pages: seed {SEED!r}, {len(forms)} forms, {REQUESTS} requests, answers {dict(sorted(statuses.items()))}")
    assert wrong == []
    # The pages took some of it: else only refusals would be tried.
    assert statuses["GET", 200] > REQUESTS // 10
    assert statuses["POST", 302] + statuses["POST", 200] + statuses["POST", 422] > REQUESTS // 20


def test_an_error_of_ours_and_an_empty_refusal_are_found() -> None:
    assert wrong_with(HttpResponse(b"oops", status=500)) == "an answer in the 500s"
    assert wrong_with(HttpResponse(status=405)) == "a refusal that says nothing"
    assert wrong_with(HttpResponse(b"Wrong month.", status=422)) == ""


def test_the_forms_of_a_page_are_found_with_their_values() -> None:
    html = """<form method="post" action="/to/"><input name="a" value="1"><select name="b"><option value="">-</option>
        <option value="x">X</option></select><textarea name="c"></textarea></form><form><input name="q"></form>
        <a href="?p=2&amp;o=1">next</a><a href="/plain/">plain</a>"""
    assert list(forms_of("anybody", "/from/", html)) == [
        Form("anybody", "POST", "/to/", (("a", "1"), ("b", "x"), ("c", ""))),
        Form("anybody", "GET", "/from/", (("q", ""),)),
        Form("anybody", "GET", "/from/", (("p", "2"), ("o", "1"))),
    ]
