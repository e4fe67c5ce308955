"""Leaving: everything of one organization as files, and the erasure of one person (spec 14)."""

from __future__ import annotations

from apps.backoffice.leaving.erase import user_erase
from apps.backoffice.leaving.export import organization_export

__all__ = ["organization_export", "user_erase"]
