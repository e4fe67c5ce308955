"""Stripe: its webhooks, its objects, its API (spec 04)."""

from __future__ import annotations
