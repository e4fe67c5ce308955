"""Slugs: made from a name when the caller gives none. Pure."""

from __future__ import annotations

from uuid import UUID

from django.utils.text import slugify

from apps.core.audit.secrecy import redact_text

LONGEST = 80


def slug_for(name: str, record_id: UUID) -> str:
    """A slug that reads like the name and is unique through the first digits of the record's id."""
    tail = record_id.hex[:8]
    # A name that looks like a provider's key is kept without it, and so is what is made of it.
    head = slugify(redact_text(name))[: LONGEST - len(tail) - 1].strip("-")
    return f"{head}-{tail}" if head else tail


def closed_slug(slug: str, record_id: UUID) -> str:
    """The slug of a record that is closed and gives its own slug to another."""
    tail = f"-closed-{record_id.hex[:8]}"
    return f"{slug[: LONGEST - len(tail)]}{tail}"
