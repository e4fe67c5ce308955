"""Composition only: settings, URLs, Celery and the beat table."""

from __future__ import annotations

import gc

# What a start loads stays for ever. With Python's own threshold, of 700 new objects, looking for garbage among it took
# a fifth of the start of every process.
gc.set_threshold(50_000, 10, 10)

from billing_site.celery import app as celery_app  # noqa: E402 - most of it is loaded here

__all__ = ["celery_app"]
