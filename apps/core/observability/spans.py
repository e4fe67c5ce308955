"""Where the product says what a trace shall show. Does nothing until tracing is set up (`tracing.py`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

NoteStatus = Callable[[int], None]


class Spans(Protocol):
    """What tracing offers to the product."""

    def outgoing(self, host: str, method: str) -> AbstractContextManager[NoteStatus]:
        """The span of one call to the outside; it is told the status of the answer."""
        ...

    def headers(self) -> Mapping[str, str]:
        """The headers by which a product of ours continues the present trace."""
        ...


_spans: Spans | None = None


def show_spans(spans: Spans | None) -> None:
    """From now on show them there, or nowhere."""
    global _spans  # noqa: PLW0603 - one a process, as tracing is
    _spans = spans


def outgoing_span(host: str, method: str) -> AbstractContextManager[NoteStatus]:
    """The span of one call to the outside."""
    return nullcontext(_ignore) if _spans is None else _spans.outgoing(host, method)


def trace_headers() -> Mapping[str, str]:
    """The headers by which a product of ours continues the present trace; never for anybody else."""
    return {} if _spans is None else _spans.headers()


def _ignore(status: int) -> None:
    """Nothing is shown."""
