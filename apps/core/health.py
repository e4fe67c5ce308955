"""`/healthz` (alive) and `/readyz` (can serve: database, migrations, broker, keys).

A failed check names itself and its remedy. No answer holds a secret, an address or an error's own text.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from celery import current_app
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse

log = structlog.get_logger(__name__)

_BROKER_SECONDS = 2
_KEY_BYTES = 32
_READING = frozenset({"GET", "HEAD"})


class CheckFailedError(Exception):
    """A check that answered, and not well."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing without which we can't serve. `run` returns when it is well and raises when it is not."""

    name: str
    run: Callable[[], None]
    remedy: str


def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers; it asks nothing else. The front answers most of these before Django sees them."""
    return _only_reading(request) or alive()


def alive() -> HttpResponse:
    """The answer of `/healthz`, without a request."""
    return _uncached({"status": "alive"}, 200)


def readyz(request: HttpRequest) -> HttpResponse:
    """200 when every check is well, else 503; each check is named with its remedy."""
    refusal = _only_reading(request)
    if refusal is not None:
        return refusal
    results = [_result(check) for check in CHECKS]
    is_ready = all(result["status"] == "ok" for result in results)
    return _uncached({"status": "ready" if is_ready else "not_ready", "checks": results}, 200 if is_ready else 503)


def _result(check: Check) -> dict[str, str]:
    try:
        check.run()
    except Exception as error:  # noqa: BLE001 - whatever a check dies of, the probe must say which one it was
        log.warning("check_failed", check=check.name, cause=type(error).__name__, detail=str(error))
        return {"name": check.name, "status": "failed", "remedy": check.remedy}
    return {"name": check.name, "status": "ok"}


def _check_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _check_migrations() -> None:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise CheckFailedError("Migrations are missing.")


def _check_broker() -> None:
    with current_app.connection_for_write(connect_timeout=_BROKER_SECONDS) as broker:
        broker.ensure_connection(max_retries=1, interval_start=0, timeout=_BROKER_SECONDS)
        broker.default_channel  # noqa: B018 - opening the channel is what reaches a Redis-protocol broker


def _check_credential_keys() -> None:
    lengths = [len(base64.urlsafe_b64decode(key)) for key in settings.CREDENTIAL_KEYS]
    if not lengths or set(lengths) != {_KEY_BYTES}:
        raise CheckFailedError("No usable key.")


CHECKS: list[Check] = [
    Check("database", _check_database, "Start PostgreSQL, or correct DATABASE_URL."),
    Check("migrations", _check_migrations, "Run: manage.py migrate."),
    Check("broker", _check_broker, "Start the broker, or correct CELERY_BROKER_URL."),
    Check("credential_keys", _check_credential_keys, "Set CREDENTIAL_KEYS to base64url text of 32 random bytes each."),
]


def register_check(check: Check) -> None:
    """Add what an app needs to serve. Called once, when the app is ready."""
    CHECKS.append(check)


def _only_reading(request: HttpRequest) -> HttpResponse | None:
    return None if request.method in _READING else HttpResponseNotAllowed(sorted(_READING))


def _uncached(body: dict[str, object], status: int) -> JsonResponse:
    return JsonResponse(body, status=status, headers={"Cache-Control": "no-store"})
