"""The Celery application. When a job runs stands with the job (`apps.core.jobs`)."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.loaders.app import AppLoader
from celery.signals import beat_init, setup_logging, worker_init
from django_structlog.celery.steps import DjangoStructLogInitStep

from apps.core.garbage import settle
from billing_site.environment import exit_if_misconfigured

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_site.settings")


class Loader(AppLoader):  # type: ignore[misc]
    """Says what is wrong with the configuration, where Celery alone would print a traceback."""

    def config_from_object(self, obj: Any, silent: bool = False) -> Any:
        exit_if_misconfigured()
        return super().config_from_object(obj, silent=silent)


app = Celery("countinghouse", loader="billing_site.celery:Loader")
# Celery's current application is a thread's own. Without a default, the web server's threads would send their messages
# to an application that nobody configured.
app.set_default()
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# Tasks log with the id of the request that caused them.
app.steps["worker"].add(DjangoStructLogInitStep)


@setup_logging.connect  # type: ignore[untyped-decorator]
def _keep_the_logging_of_settings(**kwargs: Any) -> None:
    """A worker logs as the settings say: with a receiver here, Celery sets up no handlers of its own."""


@worker_init.connect  # type: ignore[untyped-decorator]
@beat_init.connect  # type: ignore[untyped-decorator]
def _refuse_forgetful_pooler(**kwargs: Any) -> None:
    """Celery has loaded Django by now."""
    from apps.core.postgresql.probe import ForgetfulPoolerError, refuse_forgetful_pooler  # noqa: PLC0415

    try:
        refuse_forgetful_pooler()
    except ForgetfulPoolerError as error:
        raise SystemExit(str(error)) from None  # Celery goes on after any other error of a receiver


@worker_init.connect  # type: ignore[untyped-decorator]
def _settle_before_the_pool_is_forked(**kwargs: Any) -> None:
    settle()
