"""A job that does one thing for each of many records: one that can't be done stops none of the others."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from apps.core.unavailability import end_if_interrupted

logger = logging.getLogger(__name__)
_NAMED = 5


class SomeFailedError(Exception):
    """Something could not be done for some records; all the others are done. The next run finds those alone."""


@dataclass(slots=True)
class RecordErrors:
    """Counts what was done and what was not: `with errors.record(pk)` around each record, `errors.finish()` at the end.

    The log says of each failure what it was; the run ends as failed and names the first of them.
    """

    what: str
    done: int = 0
    failed: list[str] = field(default_factory=list)

    @contextmanager
    def record(self, record_id: object) -> Iterator[None]:
        """What is done in here for this record may fail."""
        try:
            yield
        except Exception as error:
            end_if_interrupted(error)
            # Whatever it was belongs to this record: it is logged whole, named by the run, and raised in the end.
            logger.warning("job_record_failed", exc_info=True, extra={"record": f"{self.what} {record_id}"})
            self.failed.append(f"{record_id} ({type(error).__name__})")
        else:
            self.done += 1

    def finish(self) -> None:
        """Raise `SomeFailedError` if anything failed."""
        if self.failed:
            raise SomeFailedError(
                f"{self.what}: {len(self.failed)} failed, {self.done} were done. The log says why; the first are "
                f"{', '.join(self.failed[:_NAMED])}."
            )
