"""The internal API of tenants: provisioning, memberships, relations and jobs (spec 09)."""

from __future__ import annotations
