"""Leaving: everything of one organization as files (spec 14, Backup, restore, leaving)."""

from __future__ import annotations

from apps.backoffice.leaving.export import organization_export

__all__ = ["organization_export"]
