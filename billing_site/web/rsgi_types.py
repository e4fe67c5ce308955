"""The names of granian's RSGI interface that its own annotations do not export."""

from __future__ import annotations

from granian.rsgi import (  # type: ignore[attr-defined]  # it documents them
    Headers,
    HTTPProtocol,
    ProtocolError,
    Scope,
)

__all__ = ["HTTPProtocol", "Headers", "ProtocolError", "Scope"]
