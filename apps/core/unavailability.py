"""Which errors mean that something we need does not answer, as opposed to a mistake of ours."""

from __future__ import annotations

from django.db import InterfaceError, OperationalError
from kombu.exceptions import OperationalError as BrokerError

# PostgreSQL's classes: 08 connection, 40 rolled back for another transaction's sake, 53 out of resources, 57 stopped or
# cancelled by an operator, 58 the system below. Class 54 (a limit of the program) and others are mistakes of ours.
_UNAVAILABLE_CLASSES = ("08", "40", "53", "57", "58")
_LOCK_NOT_AVAILABLE = "55P03"


def is_unavailable(error: BaseException) -> bool:
    """Whether trying the same thing again later may well succeed: the database or the broker does not answer."""
    if isinstance(error, BrokerError):
        return True
    if isinstance(error, InterfaceError):
        return "connection" in str(error).lower()
    if not isinstance(error, OperationalError):
        return False
    state = getattr(error.__cause__, "sqlstate", None)
    # No state: the connection broke, or there never was one, before the server could say anything.
    return state is None or state == _LOCK_NOT_AVAILABLE or state.startswith(_UNAVAILABLE_CLASSES)
