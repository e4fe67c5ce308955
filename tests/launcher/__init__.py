"""Tests of the launcher's parts."""

from __future__ import annotations
