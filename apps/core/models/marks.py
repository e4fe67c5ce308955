"""How far each purge has come."""

from __future__ import annotations

from django.db import models


class PurgeMark(models.Model):
    """A purge that takes a part of a row away, and leaves the row, goes on from here.

    Without it each purge would read again all rows that earlier ones have been through.
    """

    name = models.CharField(max_length=64, primary_key=True)
    number = models.BigIntegerField(default=0, help_text="The last id that it has been through.")
    moment = models.DateTimeField(null=True, blank=True, help_text="Up to when it has been through.")

    def __str__(self) -> str:
        return self.name
