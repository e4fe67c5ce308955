"""npm's `oidc-provider` in Google's place: PKCE required, codes used once, refresh tokens that can be revoked."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import requests

from tests.counterparts.environments import node_environment
from tests.faults.stacks import free_port

CLIENT_ID, CLIENT_SECRET = "countinghouse-test", "stand-in-client-secret-7f3a"
_STARTS_WITHIN = 30
_TIMEOUT = 10


@dataclass(frozen=True, slots=True)
class GoogleStandIn:
    """The running server."""

    issuer: str

    @property
    def authorize_url(self) -> str:
        return f"{self.issuer}/auth"

    @property
    def token_url(self) -> str:
        return f"{self.issuer}/token"

    def counts(self) -> dict[str, int]:
        """How often the token endpoint was asked, and how often for a refresh: `tokenCalls`, `refreshCalls`."""
        answer: dict[str, int] = requests.get(f"{self.issuer}/control", timeout=_TIMEOUT).json()
        return answer

    def control(self, **values: object) -> None:
        """Change how the next answers go: `issueRefreshToken`."""
        requests.post(f"{self.issuer}/control", json=values, timeout=_TIMEOUT).raise_for_status()

    def revoke(self, token: str) -> None:
        """What a person does on the page of connected apps."""
        body = {"token": token, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        requests.post(f"{self.issuer}/token/revocation", data=body, timeout=_TIMEOUT).raise_for_status()

    def consent(self, address: str, *, login: str = "pat") -> str:
        """Sign in and agree, as a person in a browser does; the address of our callback that it ends at."""
        with requests.Session() as session:
            answer = session.get(address, allow_redirects=False, timeout=_TIMEOUT)
            for _ in range(12):
                if answer.is_redirect:
                    target = urljoin(answer.url, answer.headers["Location"])
                    if not target.startswith(self.issuer):
                        return target
                    answer = session.get(target, allow_redirects=False, timeout=_TIMEOUT)
                    continue
                prompt = "login" if 'name="login"' in answer.text else "consent"
                form = {"prompt": prompt, "login": login, "password": "any"}
                answer = session.post(answer.url, data=form, allow_redirects=False, timeout=_TIMEOUT)
        raise AssertionError(f"The stand-in did not come back to us: {answer.status_code} {answer.text[:300]}")


@contextmanager
def google_stand_in(
    *,
    redirect_uris: Sequence[str],
    scopes: Sequence[str],
    access_token_seconds: int = 3600,
    token_auth_method: str = "client_secret_post",
) -> Iterator[GoogleStandIn]:
    """Run the server on a free port until the block is left."""
    node, folder = node_environment(Path(__file__).parent)
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    settings = {
        "issuer": issuer,
        "port": port,
        "clientId": CLIENT_ID,
        "clientSecret": CLIENT_SECRET,
        "redirectUris": list(redirect_uris),
        "scopes": list(scopes),
        "accessTokenSeconds": access_token_seconds,
        "tokenAuthMethod": token_auth_method,
    }
    process = subprocess.Popen(
        [str(node), "server.mjs"],
        cwd=folder,
        env={"SETTINGS": json.dumps(settings), "NODE_NO_WARNINGS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait(process, port)
        yield GoogleStandIn(issuer)
    finally:
        process.kill()
        process.wait()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + _STARTS_WITHIN
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"The stand-in ended at once with status {process.returncode}.")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("The stand-in did not start.")
