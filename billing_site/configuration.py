"""What each setting may look like: pure functions from the text of a variable to its value.

Each raises `ValueError` with the rest of a sentence that begins with the variable's name. A sentence shows the value
only where that can't be a secret. The functions whose names begin with `refuse_` hold in production alone.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from email.utils import parseaddr
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any
from urllib.parse import SplitResult, urlsplit

import environ
import psycopg
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.validators import EmailValidator
from kombu.transport import TRANSPORT_ALIASES
from psycopg.conninfo import make_conninfo

Network = IPv4Network | IPv6Network
DatabaseSettings = dict[str, Any]

DATABASE_FORM = "postgres://user:password@host/name"
BROKER_FORM = "redis://host:6379/0"
EMAIL_FORM = "smtp+tls://user:password@host:587"
KEY_COMMAND = 'python3 -c "import base64, secrets; print(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())"'
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
SHORTEST_SECRET_KEY = 50
_KEY_BYTES = 32
_FEWEST_DIFFERENT = 10  # a random secret of these lengths has more different characters, or bytes, than this
_DATABASE_SCHEMES = frozenset({"postgres", "postgresql", "psql", "pgsql"})
# Django's own entries of OPTIONS; the others go to libpq.
DJANGO_OPTIONS = frozenset({"pool", "server_side_binding", "isolation_level", "assume_role"})
_EMAIL_SCHEMES_OF_PRODUCTION = frozenset({"smtp", "smtps", "smtp+tls", "smtp+ssl"})
_BROKERS_OF_ONE_PROCESS = frozenset({"memory", "filesystem"})
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.(?!-)[a-z0-9_-]{1,63})*\.?", re.IGNORECASE | re.ASCII)
_REGISTRIES_BELOW_COUNTRIES = frozenset({"ac", "co", "com", "edu", "gov", "net", "org"})
_MOST_ADDRESSES = {4: 2**16, 6: 2**80}
_WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def flag(text: str) -> bool:
    """True or false, by the usual words."""
    try:
        return _WORDS[text.lower()]
    except KeyError:
        raise ValueError(f"is {text!r}; it must be true or false.") from None


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """A whole number within these bounds."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and least <= int(text) <= most):
            raise ValueError(f"is {text!r}; it must be a whole number from {least} to {most}.")
        return int(text)

    return read


def words(text: str) -> list[str]:
    """The parts between commas, without empty ones."""
    return [part.strip() for part in text.split(",") if part.strip()]


def log_level(text: str) -> str:
    """The name of a level of Python's logging."""
    if text.upper() not in LOG_LEVELS:
        raise ValueError(f"is {text!r}; it must be one of {', '.join(LOG_LEVELS)}.")
    return text.upper()


def refuse_weak_secret_key(key: str) -> None:
    """Django's own measure, as an error at the start."""
    if len(key) < SHORTEST_SECRET_KEY or len(set(key)) < _FEWEST_DIFFERENT or key.startswith("django-insecure-"):
        raise ValueError(f"is too weak for production; set it to at least {SHORTEST_SECRET_KEY} random characters.")


def credential_keys(text: str) -> tuple[str, ...]:
    """Base64url texts of 32 bytes each, newest first."""
    keys = tuple(words(text))
    for position, key in enumerate(keys, start=1):
        if len(_decoded(key)) != _KEY_BYTES:
            raise ValueError(
                f"holds a key that is not base64url text of {_KEY_BYTES} bytes (number {position}). "
                f"Make one with: {KEY_COMMAND}"
            )
    if not keys:
        raise ValueError(f"holds no key. Make one with: {KEY_COMMAND}")
    return keys


def refuse_weak_credential_keys(keys: tuple[str, ...]) -> None:
    """A key of zeros, or of one text repeated, is no secret."""
    for position, key in enumerate(keys, start=1):
        if len(set(_decoded(key))) < _FEWEST_DIFFERENT:
            raise ValueError(f"holds a key that is not random (number {position}). Make one with: {KEY_COMMAND}")


def hosts(text: str) -> list[str]:
    """Host names; one that begins with a dot means its subdomains too; `*` means all."""
    found = words(text)
    for host in found:
        if host != "*" and not _HOST.fullmatch(host.removeprefix(".")) and not _is_address(host.strip("[]")):
            raise ValueError(f"holds {host!r}; list host names alone, such as billing.example.com, between commas.")
    return found


def refuse_wide_hosts(found: list[str]) -> None:
    """Whoever owns any name of a wide entry could pass for us."""
    for host in found:
        labels = host.removeprefix(".").rstrip(".").split(".")
        is_registry = len(labels) == 1 or (
            len(labels) == 2 and len(labels[1]) == 2 and labels[0] in _REGISTRIES_BELOW_COUNTRIES  # noqa: PLR2004
        )
        if host == "*" or (host.startswith(".") and is_registry):
            raise ValueError(f"holds {host!r}, which lets in names that are not yours; list your own host names.")


def origins(text: str) -> list[str]:
    """Origins as browsers send them: scheme and host, and a port where it is not the scheme's own."""
    found = words(text)
    for origin in found:
        parts = _split(origin)
        if parts is None or not _is_web(parts) or parts.path or parts.query or parts.fragment:
            raise ValueError(f"holds {origin!r}; it takes origins such as https://billing.example.com, between commas.")
    return found


def database(text: str) -> DatabaseSettings:
    """Django's settings of one database, of a PostgreSQL URL."""
    parts = _split(text)
    scheme = parts.scheme if parts else ""
    if parts is None or scheme not in _DATABASE_SCHEMES:
        raise ValueError(f"begins with {scheme!r}; it takes PostgreSQL alone: {DATABASE_FORM}.")
    try:
        found: DatabaseSettings = environ.Env.db_url_config(text)
    except (ValueError, ImproperlyConfigured):
        raise ValueError(
            f"can't be read; it takes {DATABASE_FORM}, where characters such as @ : / ? # in the password are written "
            "as %40 %3A %2F %3F %23."
        ) from None
    if not found["NAME"]:
        raise ValueError(f"names no database; it takes {DATABASE_FORM}.")
    _refuse_options({name: value for name, value in found.get("OPTIONS", {}).items() if name not in DJANGO_OPTIONS})
    return found


def broker(text: str) -> str:
    """A URL of a broker that Celery supports."""
    parts = _split(text)
    scheme = parts.scheme if parts else ""
    if parts is None or scheme not in TRANSPORT_ALIASES or "://" not in text:
        raise ValueError(f"begins with {scheme!r}; it takes the URL of a broker that Celery supports: {BROKER_FORM}.")
    try:
        _ = parts.port if scheme in {"redis", "rediss", "amqp", "amqps"} and "," not in parts.netloc else None
    except ValueError:
        raise ValueError(f"has a port that is no number from 1 to 65535; it takes {BROKER_FORM}.") from None
    return text


def refuse_broker_of_one_process(url: str) -> None:
    """Web, worker and beat are processes of their own, and on several machines."""
    if urlsplit(url).scheme in _BROKERS_OF_ONE_PROCESS:
        raise ValueError(f"begins with {urlsplit(url).scheme!r}, which other processes can't read: {BROKER_FORM}.")


def email(text: str) -> dict[str, Any]:
    """Django's `EMAIL_…` settings, of a URL."""
    try:
        found: dict[str, Any] = environ.Env.email_url_config(text)
    except (ValueError, ImproperlyConfigured):
        raise ValueError(f"can't be read; it takes {EMAIL_FORM}.") from None
    if found["EMAIL_BACKEND"].endswith("smtp.EmailBackend") and not found["EMAIL_HOST"]:
        raise ValueError(f"names no host; it takes {EMAIL_FORM}.")
    return found


def refuse_email_that_stays_here(found: dict[str, Any]) -> None:
    """Mail on a console or in a file reaches nobody."""
    if not found["EMAIL_BACKEND"].endswith("smtp.EmailBackend"):
        raise ValueError(f"sends no mail to anybody in production; set it to {EMAIL_FORM}.")


def sender(text: str) -> str:
    """An address, with or without a name before it."""
    try:
        EmailValidator(allowlist=["localhost"])(parseaddr(text)[1])
    except ValidationError:
        raise ValueError(f"is {text!r}; it takes an address such as Billing <billing@example.com>.") from None
    return text


def networks(text: str) -> list[str]:
    """Networks as CIDRs."""
    return [str(_network(entry)) for entry in words(text)]


def proxies(text: str) -> list[str]:
    """Networks of machines that are believed."""
    found = networks(text)
    if {"0.0.0.0/0", "::/0"}.intersection(found):
        raise ValueError(f"is {text!r}, which holds everybody; name the addresses of your own proxies.")
    return found


def refuse_wide_networks(found: list[str]) -> None:
    """Addresses of strangers don't belong to the few who may read figures."""
    for network in map(_network, found):
        if not network.is_private and network.num_addresses > _MOST_ADDRESSES[network.version]:
            raise ValueError(f"holds {str(network)!r}, which lets in strangers; name the networks of your own.")


def hosts_or_networks(text: str) -> list[str]:
    """Host names or CIDRs."""
    found = words(text)
    for entry in found:
        if not _HOST.fullmatch(entry) and not _is_address(entry):
            raise ValueError(f"holds {entry!r}; it takes host names or networks such as 10.0.0.0/8, between commas.")
    return found


def address(text: str) -> str:
    """The address of a service over HTTP."""
    parts = _split(text)
    if parts is None or not _is_web(parts) or parts.query or parts.fragment or parts.username:
        raise ValueError("must be an address such as https://api.example.com.")
    return text


def refuse_unencrypted_address(url: str) -> None:
    """Keys and money don't travel in the clear."""
    if urlsplit(url).scheme != "https":
        raise ValueError("must begin with https:// in production.")


def secret(text: str) -> str:
    """A key as a provider hands it out: one word."""
    if any(character.isspace() or not character.isprintable() for character in text) or not text.isascii():
        raise ValueError("holds white space or characters that no key has; paste the key alone.")
    return text


def secrets_between_commas(text: str) -> list[str]:
    """Several keys of which each is good, while one is replaced."""
    return [secret(part) for part in words(text)]


def stripe_key(text: str) -> str:
    """A secret or restricted key of Stripe's."""
    if text.startswith("pk_"):
        raise ValueError("is a publishable key (pk_…); it takes the secret key (sk_… or rk_…).")
    return secret(text)


def _decoded(key: str) -> bytes:
    try:
        return base64.b64decode(key.encode("ascii"), altchars=b"-_", validate=True)
    except ValueError:
        return b""


def _split(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:  # a bracket without its fellow
        return None


def _is_web(parts: SplitResult) -> bool:
    try:
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_address(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _network(text: str) -> Network:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"holds {text!r}; it takes networks such as 10.0.0.0/8, between commas.") from None


def _refuse_options(options: dict[str, Any]) -> None:
    try:
        make_conninfo(**options)
    except psycopg.Error as error:
        raise ValueError(f"has an option that PostgreSQL's driver doesn't know: {str(error).strip()}.") from None
