"""How tenants sign in: links by mail, forgotten passwords, and the page of one's own account (spec 02)."""

from __future__ import annotations
