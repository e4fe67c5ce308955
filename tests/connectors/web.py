"""A web server that stands for a provider's outside system, and can be told to fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

import pytest
from pytest_django.fixtures import Settings

from tests.connectors.providers.stand_in import Asked, Reply, StandIn
from tests.http_server import QuietHandler, serve


@dataclass
class Web:
    """`failing` is answered instead of the stand-in's own answer, for as long as it is set."""

    base: str = ""
    stand_in: StandIn | None = None
    failing: Reply | None = None
    asked: list[Asked] = field(default_factory=list)

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        if self.failing is not None:
            return self.failing
        if self.stand_in is None or self.stand_in.answer is None:
            return 404, {}, b""
        name, value = self.stand_in.key_header
        return self.stand_in.answer(asked) if asked.headers.get(name) == value else (401, {}, b"{}")


@pytest.fixture
def web(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """The server, reachable although it is private; one try a call, since the tries have tests of their own."""
    told = Web()

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            sent = self.rfile.read(int(headers.get("content-length", "0")))
            status, extra, body = told.answer(Asked(parts.path, dict(parse_qsl(parts.query)), headers, sent))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **extra}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

    settings.OUTBOUND_ALLOWLIST, settings.OUTBOUND_CALLS_PER_SECOND = ["127.0.0.1"], 0
    monkeypatch.setattr("apps.core.outgoing.calls._ATTEMPTS", 1)
    with serve(Handler) as port:
        told.base = f"http://127.0.0.1:{port}"
        yield told


def put_up(web: Web, stand_in: StandIn, settings: Settings) -> None:
    """Let the server answer as the stand-in, where the provider looks for its system."""
    web.stand_in = stand_in
    if stand_in.base_setting:
        setattr(settings, stand_in.base_setting, web.base)
