"""Fixtures of the tests of reports by mail and in sheets."""

from __future__ import annotations

from tests.connectors.web import web as web  # noqa: PLC0414
from tests.reporting.mailboxes import house as house  # noqa: PLC0414
from tests.reporting.mailboxes import refusing as refusing  # noqa: PLC0414
from tests.reporting.mailboxes import sent as sent  # noqa: PLC0414
from tests.reporting.office import office as office  # noqa: PLC0414
