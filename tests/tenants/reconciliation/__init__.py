"""Reconciliation of memberships."""
