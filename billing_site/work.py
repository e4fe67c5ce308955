"""What kind of work this process does: the database's timeouts follow from it. Entry points say it before the settings.

`billing_site.wsgi` says web, `manage.py` says command; whatever else reads the settings does jobs.
"""

from __future__ import annotations

from typing import Literal

kind: Literal["web", "jobs", "command"] = "jobs"
