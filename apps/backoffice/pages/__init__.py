"""One module a kind of record: its list, its page, its verbs."""

from __future__ import annotations
