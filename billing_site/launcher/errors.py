"""What the launcher says when it cannot go on."""

from __future__ import annotations


class LauncherError(Exception):
    """A sentence for the person at the console: what is wrong and what to do about it."""
