"""Reads settings from the environment and refuses an unsafe production start by naming the variable (spec 09)."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path
from typing import Literal, cast

import environ
from django.core.exceptions import ImproperlyConfigured

from billing_site.launcher import places

EnvironmentName = Literal["development", "test", "production"]
ENVIRONMENT_NAMES: tuple[EnvironmentName, ...] = ("development", "test", "production")
SHORTEST_SECRET_KEY = 50

env = environ.Env()


def environment_name() -> EnvironmentName:
    """`DJANGO_ENV`; anything but the three names is refused, so that a typing error can't mean development."""
    name = os.environ.get("DJANGO_ENV", "development")
    if name not in ENVIRONMENT_NAMES:
        raise ImproperlyConfigured(f"DJANGO_ENV is {name!r}; it must be one of {', '.join(ENVIRONMENT_NAMES)}.")
    return cast("EnvironmentName", name)


ENVIRONMENT = environment_name()
IS_PRODUCTION = ENVIRONMENT == "production"


def required_in_production(variable: str, development_default: str, remedy: str) -> str:
    """The variable's value; a production start without it is refused with the remedy."""
    value = os.environ.get(variable, "")
    if value:
        return value
    if IS_PRODUCTION:
        raise ImproperlyConfigured(f"{variable} is not set; DJANGO_ENV=production has no default for it. {remedy}")
    return development_default


def secret_key() -> str:
    """`DJANGO_SECRET_KEY`; outside production one is made once and kept with the local state."""
    value = required_in_production(
        "DJANGO_SECRET_KEY", "", f"Set it to at least {SHORTEST_SECRET_KEY} random characters."
    )
    if not value:
        return _kept_secret("secret_key", secrets.token_urlsafe(64))
    if IS_PRODUCTION and (len(value) < SHORTEST_SECRET_KEY or len(set(value)) < 10):  # noqa: PLR2004
        raise ImproperlyConfigured(
            f"DJANGO_SECRET_KEY is too weak for production: use at least {SHORTEST_SECRET_KEY} random characters."
        )
    return value


def credential_keys() -> tuple[str, ...]:
    """`CREDENTIAL_KEYS`, newest first: base64url text of 32 random bytes each."""
    text = required_in_production(
        "CREDENTIAL_KEYS", "", "Set it to base64url text of 32 random bytes; several are comma-separated, newest first."
    )
    if not text:
        text = _kept_secret("credential_key", base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    keys = tuple(key.strip() for key in text.split(",") if key.strip())
    for position, key in enumerate(keys, start=1):
        if not _is_credential_key(key):
            raise ImproperlyConfigured(
                f"CREDENTIAL_KEYS: key {position} is not base64url text of 32 bytes. Make one with: "
                'python3 -c "import base64, secrets; '
                'print(base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())"'
            )
    return keys


def allowed_hosts() -> list[str]:
    """`DJANGO_ALLOWED_HOSTS`; a wildcard is refused in production."""
    text = required_in_production(
        "DJANGO_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1],testserver", "List the host names that we answer to."
    )
    hosts = [host.strip() for host in text.split(",") if host.strip()]
    if IS_PRODUCTION and "*" in hosts:
        raise ImproperlyConfigured("DJANGO_ALLOWED_HOSTS contains '*'; in production list the host names themselves.")
    return hosts


def small_count(variable: str, default: int, most: int) -> int:
    """The variable's whole number, from 1 to `most`."""
    text = os.environ.get(variable, "") or str(default)
    if not (text.isascii() and text.isdigit() and 0 < int(text[:4]) <= most):
        raise ImproperlyConfigured(f"{variable} is {text!r}; it must be a number from 1 to {most}.")
    return int(text)


def _is_credential_key(key: str) -> bool:
    try:
        return len(base64.b64decode(key.encode("ascii"), altchars=b"-_", validate=True)) == 32  # noqa: PLR2004 - AES-256
    except ValueError:
        return False


def _kept_secret(name: str, fresh: str) -> str:
    """The secret kept under `name` with the local state, made at the first call; two first calls agree on one."""
    path: Path = places.state_folder() / "keys" / name
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    own = path.with_name(f"{name}.{os.getpid()}.{secrets.token_hex(4)}")
    if not path.exists():
        own.touch(mode=0o600)
        own.write_text(fresh, encoding="ascii")
        try:
            os.link(own, path)  # fails when another process was first: then its secret counts
        except FileExistsError:
            pass
        finally:
            own.unlink()
    return path.read_text(encoding="ascii").strip()
