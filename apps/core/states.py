"""States of the machinery's records, as text enumerations."""

from __future__ import annotations

from apps.core.enums import TextEnum


class IdempotencyOutcome(TextEnum):
    """What the first request with a key came to; every repetition gets the same."""

    ANSWERED = "answered", "Answered"
    REFUSED = "refused", "Refused"


class OutboxStatus(TextEnum):
    """Where a call to the outside stands."""

    PENDING = "pending", "Pending"
    IN_PROGRESS = "in_progress", "In progress"
    DONE = "done", "Done"
    PARKED = "parked", "Parked"
    SUPPRESSED = "suppressed", "Suppressed: a demo tenant's"


class JobRunStatus(TextEnum):
    """Where one firing of a job stands."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    SKIPPED = "skipped", "Skipped"


class JobTrigger(TextEnum):
    """What started a job."""

    SCHEDULE = "schedule", "Schedule"
    CRON = "cron", "Cron token"
    USER = "user", "User"
    CONSOLE = "console", "Console"
