"""Sync: runs are asked for, handed out, carried out page by page, and recovered from the database (spec 06)."""

from __future__ import annotations
