"""Calls to the outside over HTTP: time and size limits for all, and a guard for addresses that a tenant typed.

`outgoing_call` is the one way out for providers; requests and stamina are used in here alone.
"""

from __future__ import annotations

from apps.core.outgoing.addresses import RefusedAddressError
from apps.core.outgoing.calls import Answer, Call, OutgoingError, outgoing_call

__all__ = ["Answer", "Call", "OutgoingError", "RefusedAddressError", "outgoing_call"]
