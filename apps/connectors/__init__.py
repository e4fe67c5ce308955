"""Connectors: a workspace's links to outside providers, their credentials, their timeline."""
