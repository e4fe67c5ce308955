"""What runs when, in UTC (spec 08, Celery). The slots and catch-up rules of each job are declared with the job.

An entry is a job's name and its moments; a test holds both to the declaration. Beat only wakes: which slots are due is
computed from the database, and the sweep fires whatever an entry missed.
"""

from __future__ import annotations

from typing import Any

from celery.schedules import crontab

_EVERY_MINUTE = crontab()


def _fire(name: str, schedule: crontab) -> dict[str, Any]:
    # A message that waited longer than a minute tells nothing that the sweep does not know by then.
    return {"task": "core.fire_job", "schedule": schedule, "args": [name], "options": {"expires": 60}}


SCHEDULE: dict[str, dict[str, Any]] = {
    "sweep-jobs": {"task": "core.sweep_jobs", "schedule": _EVERY_MINUTE, "options": {"expires": 60}},
    "drain-outbox": _fire("drain-outbox", _EVERY_MINUTE),
    "billing-sync": _fire("billing-sync", crontab(minute=0)),
    "sweep-syncs": _fire("sweep-syncs", _EVERY_MINUTE),
    "release-holds": _fire("release-holds", _EVERY_MINUTE),
    "sweep-inbox": _fire("sweep-inbox", _EVERY_MINUTE),
    "reconcile-payments": _fire("reconcile-payments", crontab(hour=3, minute=0)),
    "end-grace-periods": _fire("end-grace-periods", crontab(minute="*/5")),
    "track-credits": _fire("track-credits", crontab(minute="*/5")),
    "expire-grants": _fire("expire-grants", crontab(minute=0)),
    "reset-demo": _fire("reset-demo", crontab(hour=2, minute=30)),
    "verify-books": _fire("verify-books", crontab(hour=2, minute=40)),
    "purge-receipts": _fire("purge-receipts", crontab(hour=3, minute=20)),
}
