"""Sign-in to the staff plane: password, then second factor."""

from __future__ import annotations
