"""An identity service of the tests' own, which can be told to answer wrongly."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from joserfc.jws import JWSRegistry
from pytest_django.fixtures import Settings

from apps.core import clock
from apps.core.models import AuditEntry
from apps.tenants.models import User
from apps.tenants.oidc.provider import memory
from tests.http_server import QuietHandler, serve

CLIENT_ID, CLIENT_SECRET = "countinghouse", "a secret: of the tests/é"
HOME = reverse("billing-home")
ALL = JWSRegistry(algorithms=list(JWSRegistry.algorithms))
RSA = RSAKey.generate_key(2048, {"kid": "rsa-1", "use": "sig"})
EC = ECKey.generate_key("P-256", {"kid": "ec-1", "use": "sig"})
OTHER = RSAKey.generate_key(2048, {"kid": "rsa-1", "use": "sig"})


@dataclass
class IdentityService:
    """`token` is what the code is exchanged for; `answers` takes the place of a path's own answer."""

    issuer: str = ""
    keys: list[Any] = field(default_factory=lambda: [RSA, EC])
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    more_metadata: dict[str, object] = field(default_factory=dict)
    token: Any = None
    access_token: str = "an-access-token"
    asked: list[tuple[str, dict[str, str], str]] = field(default_factory=list)

    def answer(self, path: str) -> tuple[int, bytes]:
        if path in self.answers:
            return self.answers[path]
        if path == "/.well-known/openid-configuration":
            return 200, json.dumps(self.metadata()).encode()
        if path == "/keys":
            return 200, json.dumps(KeySet(self.keys).as_dict(private=False)).encode()
        return 200, json.dumps({"id_token": self.token, "access_token": self.access_token}).encode()

    def metadata(self) -> dict[str, object]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            **self.more_metadata,
        }

    def count(self, path: str) -> int:
        return sum(asked == path for asked, _, _ in self.asked)

    def claims(self, user: User, nonce: str, /, **changes: object) -> dict[str, Any]:
        """What a right token says, with changes; a change to None leaves the claim out."""
        now = int(clock.now().timestamp())
        right = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "sub": str(user.pk),
            "nonce": nonce,
            "iat": now,
            "exp": now + 300,
        }
        return {name: value for name, value in {**right, **changes}.items() if value is not None}


def signed(claims: dict[str, Any], key: Any = RSA, alg: str = "RS256", **header: object) -> str:
    """The claims as a token of that key."""
    named = {"alg": alg, "kid": key.kid, **header}
    return jwt.encode({name: value for name, value in named.items() if value is not None}, claims, key, registry=ALL)


@pytest.fixture
def service(settings: Settings) -> Iterator[IdentityService]:
    """The service, configured as ours."""
    told = IdentityService()

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            sent = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
            path = urlsplit(self.path).path
            form = {name: values[0] for name, values in parse_qs(sent).items()}
            told.asked.append((path, form, self.headers.get("authorization", "")))
            status, body = told.answer(path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

    with serve(Handler) as port:
        told.issuer = f"http://127.0.0.1:{port}"
        configure(settings, told.issuer)
        yield told


def configure(settings: Settings, issuer: str) -> None:
    """Make the issuer our identity service."""
    settings.OIDC_ISSUER, settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = issuer, CLIENT_ID, CLIENT_SECRET
    settings.PUBLIC_URL, settings.PASSWORD_SIGN_IN = "http://testserver", False
    memory.clear()


def begin(client: Client, wanted: str = "") -> dict[str, str]:
    """Set out for the service; what the address says."""
    answer: Any = client.get(reverse("oidc-begin"), {"next": wanted} if wanted else {})
    assert answer.status_code == 302, answer.content
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}


def come_back(client: Client, **query: str) -> HttpResponse:
    """Return from the service with this answer."""
    answer: Any = client.get(reverse("oidc-callback"), query)
    return answer  # type: ignore[no-any-return]


def truth() -> list[Any]:
    """What a refused sign-in leaves as it was."""
    return [*User.objects.order_by("pk").values(), AuditEntry.objects.count()]


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def half_hash(text: str, algorithm: Callable[[bytes], Any] = hashlib.sha256) -> str:
    """The claims `at_hash` and `c_hash` of the text."""
    digest = algorithm(text.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
