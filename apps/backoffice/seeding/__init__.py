"""Sample data, created through the services. Seeding again changes nothing (spec 09, Commands)."""

from __future__ import annotations
