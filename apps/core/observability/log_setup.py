"""One form of log lines for Django, Celery and our own code: JSON, or readable lines in development.

Imports nothing of Django, so that settings can ask it.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

import structlog
from structlog.typing import Processor

from apps.core.observability.redaction import Redactor

# The secret settings of spec 09, Environment. Their values are redacted wherever they turn up.
SECRET_VARIABLES = (
    "DJANGO_SECRET_KEY",
    "CREDENTIAL_KEYS",
    "STRIPE_SECRET_KEY",
    "STRIPE_WEBHOOK_SECRETS",
    "ORB_API_KEY",
    "ORB_WEBHOOK_SECRETS",
    "GOOGLE_CLIENT_SECRET",
    "SEGMENT_WRITE_KEY",
    "OIDC_CLIENT_SECRET",
    # Read by OpenTelemetry itself: how the collector knows us.
    "OTEL_EXPORTER_OTLP_HEADERS",
)
# Of these, the password is the secret.
SECRET_URL_VARIABLES = ("DATABASE_URL", "CELERY_BROKER_URL", "EMAIL_URL")


def set_up_logs(*, level: str, readable: bool, secrets: tuple[str, ...] = ()) -> dict[str, Any]:
    """Configure structlog, and return the dictionary for Django's `LOGGING`.

    `secrets` are values that are not in the environment, such as keys that were made at the first start.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.StackInfoRenderer(),
        # Plain tracebacks, never the values of local variables, which may be secrets.
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
        if readable
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    processors: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        Redactor((*_secrets_of_environment(), *secrets)),
        renderer,
    ]
    return _django_logging(level, shared, processors)


def _secrets_of_environment() -> list[str]:
    values = (os.environ.get(name, "") for name in SECRET_VARIABLES)
    passwords = (_password(os.environ.get(name, "")) for name in SECRET_URL_VARIABLES)
    return [*(part.strip() for value in values for part in (value, *value.split(","))), *passwords]


def _password(url: str) -> str:
    try:
        return urlsplit(url).password or ""
    except ValueError:  # the settings refuse this URL; until then all of it counts as secret
        return url


def _django_logging(level: str, shared: list[Processor], processors: list[Processor]) -> dict[str, Any]:
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "lines": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": shared,
                "processors": processors,
                # Else the traceback would be appended again, past the redaction.
                "keep_exc_info": False,
            }
        },
        "handlers": {"stream": {"class": "logging.StreamHandler", "formatter": "lines"}},
        "root": {"handlers": ["stream"], "level": level},
        "loggers": {
            # Replaces Django's own handlers, which would write past our form.
            "django": {"handlers": [], "level": level, "propagate": True},
            # 4xx answers are on the request's own line.
            "django.request": {"level": "ERROR"},
            "django.server": {"handlers": [], "level": "WARNING", "propagate": True},
            # Both write each SQL statement or signature with its parameters at lower levels.
            "django.db.backends": {"level": "INFO"},
            "urllib3": {"level": "INFO"},
            # Says what the settings say, and that a successful sign-in deleted no failures; lock-outs are warnings.
            # A line for each wake-up of a worker, beside the worker's own.
            "django_structlog.celery.receivers": {"level": "WARNING"},
        },
    }
