"""The test clock: one row that every process of a development reads (spec 08, Test clock)."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.db.models import F, Q


class ClockShift(models.Model):
    """How far the clock is ahead of real time: by `ahead` from `since` on, in real time; until then by `before`."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    ahead = models.DurationField()
    before = models.DurationField()
    since = models.DateTimeField()

    class Meta:
        constraints = [  # noqa: RUF012 - Django's own form
            models.CheckConstraint(condition=Q(id=1), name="clock_shift_is_one_row"),
            models.CheckConstraint(
                condition=Q(before__gte=timedelta(0), ahead__gte=F("before")), name="clock_shift_forward"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ahead} ahead of real time"
