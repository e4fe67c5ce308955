"""The echo application behind the front, and without it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from billing_site.launcher.children import WEB_OPTIONS
from tests.web.servers import PLAIN_OPTIONS, serving

FRONT = "tests.web.echo:application"
PLAIN = "tests.web.echo:plain"
# Of an option that is given twice, granian takes the last.
SHORT_OPTIONS = (*WEB_OPTIONS, "--http1-header-read-timeout=1000")


@pytest.fixture(scope="package")
def port() -> Iterator[int]:
    """Of the front with the echo behind it; its limits in seconds are short."""
    with _front() as port:
        yield port


@pytest.fixture
def fresh_port() -> Iterator[int]:
    """Of one that nobody has asked anything yet."""
    with _front() as port:
        yield port


@pytest.fixture
def hasty_port() -> Iterator[int]:
    """Of one where no request waits for longer than a second."""
    with _front(ECHO_WAITING_SECONDS="1") as port:
        yield port


@pytest.fixture
def crowded_port() -> Iterator[int]:
    """Of one where three requests are too many to wait."""
    with _front(ECHO_WAITING_REQUESTS="3") as port:
        yield port


@pytest.fixture(scope="package")
def plain_port() -> Iterator[int]:
    """Of granian's own WSGI interface."""
    with _plain() as port:
        yield port


@pytest.fixture
def holdable_port() -> Iterator[int]:
    """The same for one test, which may hold it up for good."""
    with _plain() as port:
        yield port


@contextmanager
def _plain() -> Iterator[int]:
    with tempfile.TemporaryDirectory() as folder, serving(PLAIN, Path(folder) / "log", options=PLAIN_OPTIONS) as port:
        yield port


@contextmanager
def _front(**environment: str) -> Iterator[int]:
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(FRONT, Path(folder) / "log", options=SHORT_OPTIONS, environment=environment) as port,
    ):
        yield port
