"""The address is chosen by the guard; the certificate is still held to the name (spec 06, Outgoing requests)."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_django.fixtures import Settings

from apps.core import clock
from apps.core.outgoing import Call, OutgoingError, outgoing_call
from tests.core.outgoing.conftest import Network
from tests.http_server import QuietHandler, serve

NAME = "feed.test"


@dataclass(frozen=True, slots=True)
class Certified:
    """A TLS server of this machine whose certificate is for NAME, and the file that says whom to trust."""

    port: int
    authority: Path


@pytest.fixture
def certified(tmp_path: Path, settings: Settings, network: Network) -> Iterator[Certified]:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    write_certificate(certificate, key)

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    settings.OUTBOUND_ALLOWLIST = ["127.0.0.1", NAME, "other.test"]
    network.names |= {NAME: ["127.0.0.1"], "other.test": ["127.0.0.1"]}
    with serve(Handler, tls=tls) as port:
        yield Certified(port, certificate)


def write_certificate(certificate: Path, key: Path) -> None:
    private, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = clock.now()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form, encoding = serialization.PrivateFormat.PKCS8, serialization.Encoding.PEM
    key.write_bytes(private.private_bytes(encoding, form, serialization.NoEncryption()))


def trust(certified: Certified, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(certified.authority))


def test_the_certificate_of_the_name_is_taken(certified: Certified, monkeypatch: pytest.MonkeyPatch) -> None:
    trust(certified, monkeypatch)
    assert outgoing_call(Call(f"https://{NAME}:{certified.port}/")).body == b"ok"


@pytest.mark.parametrize("host", ["other.test", "127.0.0.1"])
def test_the_certificate_of_another_name_is_not(
    certified: Certified, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    trust(certified, monkeypatch)
    with pytest.raises(OutgoingError) as caught:
        outgoing_call(Call(f"https://{host}:{certified.port}/"))
    assert caught.value.is_permanent


def test_an_unknown_authority_is_not(certified: Certified) -> None:
    with pytest.raises(OutgoingError, match="its certificate is not accepted"):
        outgoing_call(Call(f"https://{NAME}:{certified.port}/"))
