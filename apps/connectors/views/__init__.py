"""The billing pages of connectors: Connectors, Billing records, Automation (spec 08, Billing pages)."""

from __future__ import annotations
