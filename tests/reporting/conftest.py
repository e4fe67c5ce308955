"""Fixtures of the tests of reports by mail."""

from __future__ import annotations

from tests.reporting.mailboxes import house as house  # noqa: PLC0414
from tests.reporting.mailboxes import refusing as refusing  # noqa: PLC0414
from tests.reporting.mailboxes import sent as sent  # noqa: PLC0414
