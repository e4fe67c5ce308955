"""P7: the keys and signing secrets of Stripe, Orb and Segment never stand in a log line (spec 11)."""

from __future__ import annotations

import base64
import logging
import secrets
from collections.abc import Callable, Iterator

import pytest
import structlog

from apps.core.observability.log_setup import set_up_logs

VARIABLES = ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRETS", "ORB_API_KEY", "ORB_WEBHOOK_SECRETS", "SEGMENT_WRITE_KEY")
Lines = Callable[..., str]


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Values without a shape that would give them away, two where two are live while one is replaced."""
    values = {name: [secrets.token_hex(16) for _ in range(1 + name.endswith("SECRETS"))] for name in VARIABLES}
    for name, found in values.items():
        monkeypatch.setenv(name, " , ".join(found))
    return values


@pytest.fixture(params=[False, True], ids=["JSON", "readable"])
def line_of(planted: dict[str, list[str]], request: pytest.FixtureRequest) -> Iterator[Lines]:
    """The line that the real configuration makes of a record."""
    before = structlog.get_config()
    made = set_up_logs(level="DEBUG", readable=request.param)["formatters"]["lines"]
    formatter = structlog.stdlib.ProcessorFormatter(
        processors=made["processors"], foreign_pre_chain=made["foreign_pre_chain"], keep_exc_info=False
    )

    def line(message: str, *, error: BaseException | None = None) -> str:
        trouble = (type(error), error, error.__traceback__) if error else None
        return formatter.format(logging.LogRecord("theirs", logging.WARNING, __file__, 1, message, (), trouble))

    yield line
    structlog.configure(**before)


@pytest.mark.parametrize("name", VARIABLES)
def test_none_of_its_values_is_written(planted: dict[str, list[str]], line_of: Lines, name: str) -> None:
    for value in planted[name]:
        basic = base64.b64encode(f"{value}:".encode()).decode()
        written = "\n".join(
            [
                line_of(f"calling with {value}."),
                line_of(f"headers: {{'Authorization': 'Basic {basic}'}}"),
                line_of(f"https://api.example/?key={value}&a=1"),
                line_of("failed", error=ValueError(f"the provider said: {value} is wrong")),
            ]
        )
        assert "the provider said" in written, "the control: the line is written"
        assert value not in written
        assert basic not in written
