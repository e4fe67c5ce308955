"""Composition only: settings, URLs, Celery and the beat table."""

from __future__ import annotations

from billing_site.celery import app as celery_app

__all__ = ["celery_app"]
