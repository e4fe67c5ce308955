"""Sample data, made through the services; seeding again changes nothing (spec 09, Commands)."""

from __future__ import annotations
