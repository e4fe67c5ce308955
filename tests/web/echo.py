"""A WSGI application that says what it was asked, behind the product's front and, as `plain`, without it.

The limits are shorter here than in the product where a test would have to wait for them.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.benchmarks.bare")

if "pytest" in sys.modules:
    raise ImportError("Only a web server may load this module: it changes the product's limits in its process.")

import django

django.setup()

from billing_site.web import limits  # noqa: E402 - Django comes first
from billing_site.web.front import Front  # noqa: E402
from tests.web.servers import ECHO_THREADS  # noqa: E402

limits.BODY_SECONDS = 1
limits.ANSWER_STALL_SECONDS = 2
limits.WAITING_SECONDS = int(os.environ.get("ECHO_WAITING_SECONDS", "60"))
limits.WAITING_REQUESTS = int(os.environ.get("ECHO_WAITING_REQUESTS", "1000"))
_calls = itertools.count()
_OWN = ("wsgi.input", "wsgi.errors", "wsgi.file_wrapper")


class Broken(Exception):  # noqa: N818 - it is what the test says
    """Raised where a view would have failed."""


def plain(environ: dict[str, Any], start_response: Any) -> Any:
    """Answer with the environ as JSON; the query asks for other things."""
    asked = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    time.sleep(float(asked.get("sleep", 0)))
    if "break" in asked:
        raise {"error": Broken, "exit": SystemExit}[asked["break"]]("on demand")
    if "pieces" in asked:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return _pieces(int(asked["pieces"]))
    if "file" in asked:
        start_response("200 OK", [("Content-Type", "text/plain")])
        file = _file(int(asked["file"]))
        return environ["wsgi.file_wrapper"](file) if "wsgi.file_wrapper" in environ else file
    body = environ["wsgi.input"].read()
    said = {name: value for name, value in environ.items() if name not in _OWN and name not in os.environ}
    said |= {"body": hashlib.sha256(body).hexdigest(), "size": len(body), "calls": next(_calls)}
    text = json.dumps(said, default=str).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
    return [text]


def _pieces(count: int) -> Iterator[bytes]:
    for number in range(count):
        yield f"{number:09d}\n".encode() * 100


def _file(size: int) -> Any:
    with tempfile.NamedTemporaryFile(delete=False) as file:
        file.write(b"x" * size)
    return open(file.name, "rb")  # noqa: PTH123 - the server closes it


application = Front(plain, threads=ECHO_THREADS)
