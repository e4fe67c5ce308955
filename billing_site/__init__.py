"""Composition only: settings, URLs, Celery and the beat table."""

from __future__ import annotations

from apps.core.garbage import begin_loading

begin_loading()

from billing_site.celery import app as celery_app  # noqa: E402 - most of it is loaded here

__all__ = ["celery_app"]
