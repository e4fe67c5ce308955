"""Connectors of the internal API (spec 09, Connectors)."""
