"""The `OIDC_…` settings: all or none, refused in one sentence that names the variable."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from billing_site.identity_service import identity_service

NAMES = ("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET")


def configure(monkeypatch: pytest.MonkeyPatch, *values: str) -> None:
    for name, value in zip(NAMES, values, strict=True):
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    "issuer", ["https://id.example.com", "https://id.example.com/", "https://id.example.com/realms/a"]
)
def test_all_three_are_taken_as_they_are_written(monkeypatch: pytest.MonkeyPatch, issuer: str) -> None:
    configure(monkeypatch, issuer, "client", "secret")
    assert identity_service(is_production=True) == (issuer, "client", "secret")


def test_none_is_no_identity_service(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, "", "", "")
    assert identity_service(is_production=True) == ("", "", "")


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (("https://id.example.com", "", "secret"), "OIDC_CLIENT_ID"),
        (("https://id.example.com", "client", ""), "OIDC_CLIENT_SECRET"),
        (("", "client", ""), "OIDC_CLIENT_ID"),
        (("", "", "secret"), "OIDC_CLIENT_SECRET"),
        (("id.example.com", "client", "secret"), "OIDC_ISSUER"),
        (("ftp://id.example.com", "client", "secret"), "OIDC_ISSUER"),
        (("https://", "client", "secret"), "OIDC_ISSUER"),
        (("https://user:pass@id.example.com", "client", "secret"), "OIDC_ISSUER"),
        (("https://id.example.com?x=1", "client", "secret"), "OIDC_ISSUER"),
        (("https://id.example.com#x", "client", "secret"), "OIDC_ISSUER"),
        (("http://id.example.com", "client", "secret"), "OIDC_ISSUER"),
    ],
)
def test_anything_between_is_refused(monkeypatch: pytest.MonkeyPatch, values: tuple[str, str, str], named: str) -> None:
    configure(monkeypatch, *values)
    with pytest.raises(ImproperlyConfigured, match=named) as refused:
        identity_service(is_production=True)
    assert "secret" not in str(refused.value).replace("OIDC_CLIENT_SECRET", "")
    assert "\n" not in str(refused.value)
