"""Signing in to the staff plane: password, then second factor; nothing of the plane is reachable before both."""

from __future__ import annotations
