"""The enumerations of tasks."""

from __future__ import annotations

from apps.core.enums import TextEnum


class TaskKind(TextEnum):
    """What asks for a person. Audit entries name the values."""

    REVIEW = "review", "Needs review"
    CHARGED_TWICE = "charged_twice", "Charged twice"
    DUE_CHANGE = "due_change", "Scheduled change is due"
    GRACE_ENDS = "grace_ends", "Grace period ends"
    LOCKED = "locked", "Payments locked"
    CONNECTOR = "connector", "Connector fails"
    OUT_OF_CREDITS = "out_of_credits", "Out of credits"
    SOON_EMPTY = "soon_empty", "Credits run out soon"
    DENIALS = "denials", "Many denials"


class TaskState(TextEnum):
    """What was decided about a task."""

    TAKEN = "taken", "Taken"
    SNOOZED = "snoozed", "Snoozed"
    DISMISSED = "dismissed", "Dismissed"
