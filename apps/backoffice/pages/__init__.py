"""One module for each kind of record: its list, its page and its verbs."""

from __future__ import annotations
