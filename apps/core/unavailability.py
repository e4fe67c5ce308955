"""Which errors mean that something we need does not answer, as opposed to a mistake of ours.

Three questions. `is_unavailable`: will the same thing, tried later, perhaps succeed? Then the answer is 503. `is_away`:
does the database answer nobody at the moment, so that going on with the next record is of no use? `end_if_interrupted`
is for loops that go on after an error of one record: a time limit, and a database that is away, end the loop.
"""

from __future__ import annotations

from celery.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded
from django.db import Error, InterfaceError, OperationalError
from kombu.exceptions import OperationalError as BrokerError

# PostgreSQL's classes: 08 connection, 40 rolled back for another transaction's sake, 53 out of resources, 57 stopped or
# cancelled by an operator, 58 the system below. Class 54 (a limit of the program) and others are mistakes of ours.
_UNAVAILABLE_CLASSES = ("08", "40", "53", "57", "58")
# A lock that was not got in time; a server that became a standby; a session that was ended while its transaction lay
# idle, or lasted too long.
_UNAVAILABLE_STATES = frozenset({"55P03", "25006", "25P03", "25P04"})
# These befall one statement. The next one may go well.
_ONE_STATEMENT = ("40", "55P03", "57014")


def is_unavailable(error: BaseException) -> bool:
    """Whether trying the same thing again later may well succeed: the database or the broker does not answer."""
    if isinstance(error, BrokerError):
        return True
    if isinstance(error, InterfaceError):
        return "connection" in str(error).lower()
    if not isinstance(error, Error):
        return False
    state = state_of(error)
    if state is None:
        # The connection broke, or there never was one, before the server could say anything.
        return isinstance(error, OperationalError)
    return state in _UNAVAILABLE_STATES or state.startswith(_UNAVAILABLE_CLASSES)


def is_away(error: BaseException) -> bool:
    """Whether the database is out of reach, or takes nothing: for the next record just as for this one."""
    if isinstance(error, BrokerError) or not is_unavailable(error):
        return False
    return not (state_of(error) or "").startswith(_ONE_STATEMENT)


def end_if_interrupted(error: Exception) -> None:
    """Raise the error again if it is not of one record alone: a time limit of the task, or a database that is away.

    The first line of each `except Exception` in a loop over records. `KeyboardInterrupt` and `SystemExit` are no
    `Exception`, so that they pass anyway.
    """
    if isinstance(error, SoftTimeLimitExceeded | TimeLimitExceeded) or is_away(error):
        raise error


def state_of(error: BaseException) -> str | None:
    """PostgreSQL's SQLSTATE, where the server said one."""
    state: str | None = getattr(error.__cause__, "sqlstate", None)
    return state
