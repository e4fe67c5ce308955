"""The rules of connectors: pure, no Django."""
