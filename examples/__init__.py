"""Programs that show how to integrate with Countinghouse. They import nothing of it."""

from __future__ import annotations
