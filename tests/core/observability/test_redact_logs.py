"""P7: planted canaries do not reach the logs, by any way that a value can take (spec 11)."""

from __future__ import annotations

import io
import json
import logging
import logging.config
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from apps.core.observability.log_setup import set_up_logs
from apps.core.observability.redaction import REDACTED, Redactor

SEED = "k7Qz"
KNOWN = f"orbkey{SEED}{'0123456789abcdef' * 2}"


def canary(prefix: str = "") -> str:
    return f"{prefix}{SEED}{secrets.token_hex(20)}"


# How each credential looks, and so must be recognised in any text.
SHAPES: dict[str, str] = {
    "product token": f"chp_1f2e3d4c_{canary()}",
    "cron token": f"chc_1f2e3d4c_{canary()}",
    "bearer": f"Bearer {canary()}",
    "basic": f"basic {canary()}==",
    "Stripe live key": canary("sk_live_"),
    "Stripe restricted key": canary("rk_test_"),
    "Stripe webhook secret": canary("whsec_"),
    "Google key": canary("AIzaSy"),
    "Google access token": canary("ya29.a0"),
    "Google refresh token": canary("1//0g"),
    "Google client secret": canary("GOCSPX-"),
    "web token": f"eyJhbGciOiJI.{canary()}.{canary()}",
    "url password": f"postgres://user:{canary()}@db/name",
    "assignment": f"password={canary()}",
    "JSON member": json.dumps({"api_key": canary()}),
    "representation": repr({"client_secret": canary()}),
    "query": f"?code=1&access_token={canary()}&x=1",
    "cookie": f"sessionid={canary()}; csrftoken={canary()}",
    "known value": KNOWN,
}
SECRET_NAMES = (
    "authorization", "Authorization", "HTTP_AUTHORIZATION", "token", "access_token", "refresh-token", "password",
    "new_password1", "secret", "client_secret", "api_key", "apikey", "X-API-Key", "cookie", "Set-Cookie", "sessionid",
    "csrftoken", "Stripe-Signature", "signature", "credential", "credentials", "private_key", "otp_token",
)  # fmt: skip


def _raise(text: str) -> None:
    raise ValueError(text)


def log_with_traceback(text: str) -> None:
    try:
        _raise(text)
    except ValueError:
        structlog.get_logger("ours").exception("failed")


def log_foreign_traceback(text: str) -> None:
    try:
        _raise(text)
    except ValueError:
        logging.getLogger("theirs").exception("failed %s", text)


WAYS: dict[str, Callable[[str], object]] = {
    "event": lambda text: structlog.get_logger("ours").info(text),
    "value": lambda text: structlog.get_logger("ours").info("event", note=text),
    "nested": lambda text: structlog.get_logger("ours").info("event", body={"a": [{"b": (text,)}]}),
    "key": lambda text: structlog.get_logger("ours").info("event", body={text: 1}),
    "object": lambda text: structlog.get_logger("ours").info("event", error=ValueError(text)),
    "bytes": lambda text: structlog.get_logger("ours").info("event", raw=text.encode()),
    "context": lambda text: structlog.get_logger("ours").bind(note=text).warning("event"),
    "standard": lambda text: logging.getLogger("theirs").warning("said %s", text),
    "traceback": log_with_traceback,
    "foreign traceback": log_foreign_traceback,
}


@pytest.fixture(params=[False, True], ids=["JSON", "readable"])
def lines(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What the real configuration writes, in both renderings."""
    monkeypatch.setenv("ORB_API_KEY", KNOWN)
    stream = io.StringIO()
    before = structlog.get_config()
    made = set_up_logs(level="DEBUG", readable=request.param)
    formatter = made["formatters"]["lines"]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=formatter["processors"], foreign_pre_chain=formatter["foreign_pre_chain"], keep_exc_info=False
        )
    )
    loggers = [logging.getLogger("ours"), logging.getLogger("theirs")]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel("DEBUG")
        logger.propagate = False
    yield stream
    for logger in loggers:
        logger.removeHandler(handler)
        logger.propagate = True
    structlog.configure(**before)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", SHAPES)
def test_no_canary_is_written(lines: io.StringIO, shape: str, way: str) -> None:
    WAYS[way](f"before {SHAPES[shape]} after")
    written = lines.getvalue()
    assert written, "the control: something was written"
    assert SEED not in written
    assert REDACTED in written


@pytest.mark.parametrize("way", WAYS)
def test_control_a_plain_text_takes_every_way(lines: io.StringIO, way: str) -> None:
    text = canary("plain")
    WAYS[way](text)
    assert text in lines.getvalue()


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_value_under_a_secret_name_is_never_written(lines: io.StringIO, name: str) -> None:
    structlog.get_logger("ours").info("event", **{name: canary()})
    structlog.get_logger("ours").info("event", headers={name: [canary()]})
    assert SEED not in lines.getvalue()


@pytest.mark.parametrize("text", ["a\nlevel=critical", "a\r\nb", "\x1b[2Jgone", "a\u2028b", "a\x9b31mb", "a\x00b"])
def test_a_text_can_not_pretend_to_be_a_line_of_its_own(lines: io.StringIO, text: str) -> None:
    structlog.get_logger("ours").info("event", note=text, body={text: [text]})
    logging.getLogger("theirs").warning("said %s", text)
    written = lines.getvalue()
    assert written.count("\n") == 2
    assert not any(character in written for character in "\r\x1b\x9b\x00\u2028")


def redacted(**event: Any) -> dict[str, Any]:
    return dict(Redactor(["a-known-secret"])(None, "info", event))


def test_what_is_no_secret_stays() -> None:
    event = {
        "event": "charged 12.5 credits to organization 0f0a5f3e-6d3b-4a53-9f0b-5f2f7f4a9c10",
        "request_id": "6a1f3c0de8b94f5a8d2c7e4b90a1f2d3",
        "token_prefix": "chp_1f2e3d4c",
        "idempotency_key": "run-8841",
        "count": 3,
        "is_demo": False,
        "nothing": None,
    }
    assert redacted(**event) == event


def test_short_values_of_settings_do_not_black_out_the_log() -> None:
    assert Redactor(["", "db", "x" * 7])(None, "info", {"event": "the db"}) == {"event": "the db"}


def test_a_deep_or_odd_value_is_written_as_text() -> None:
    deep: Any = "a-known-secret"
    for _ in range(50):
        deep = [deep]
    assert "a-known-secret" not in str(redacted(event=deep, kind=object, numbers={1, 2}))


LONG = 60_000
# Words and signs that a search could start from again and again.
PARTS = ["x", "-", "token", "token=", "-eyJ", "eyJaaaaa.", "bearer ", "://a:", "a:", 'token="', '\\"', "1//", "v1="]


@pytest.mark.slow
def test_no_text_of_a_caller_takes_the_process_with_it() -> None:
    """In a process of its own: a search of the regular expressions can't be interrupted, nor told from a slow one."""
    texts = [start + part * (LONG // len(part)) for part in PARTS for start in ("", "token='", "token ")]
    program = (
        "import sys, json; from apps.core.observability.redaction import Redactor; r = Redactor(['a-known-secret'])"
    )
    program += "; [r.text(text) for text in json.load(sys.stdin)]"
    subprocess.run([sys.executable, "-c", program], input=json.dumps(texts), text=True, check=True, timeout=60)


def test_what_is_assigned_within_a_harmless_value_is_found() -> None:
    assert redacted(event="url=token=abc, a: password: 'x y' z") == {
        "event": f"url=token={REDACTED}, a: password: {REDACTED} z"
    }
