"""One module an outside system, behind one small contract."""

from __future__ import annotations
