"""Makes the WSGI environ of a request that granian hands over as an RSGI scope.

Names and values are those of granian's own WSGI interface, with three differences. A header whose name has an
underscore is dropped: it would pass for the header with a hyphen, which a proxy overwrites. A body that came in chunks
has its length, since Django reads nothing of a body without one. Nobody asks for parts of a file.
"""

from __future__ import annotations

import io
import sys
from typing import Any

from billing_site.web.answers import File
from billing_site.web.bodies import Body
from billing_site.web.rsgi_types import Scope

_ALWAYS: dict[str, Any] = {
    "GATEWAY_INTERFACE": "CGI/1.1",
    "SCRIPT_NAME": "",
    "SERVER_SOFTWARE": "Granian",
    "wsgi.errors": sys.stderr,
    "wsgi.file_wrapper": File,
    "wsgi.input_terminated": True,
    "wsgi.multiprocess": True,
    "wsgi.multithread": True,
    "wsgi.run_once": False,
    "wsgi.version": (1, 0),
}
# The names that callers send again and again. Whoever makes up names must not fill the memory with them.
_MOST_NAMES = 500
_names: dict[str, str] = {"content-type": "CONTENT_TYPE"}
# A part of a file would be copied for its reader; the whole file, which may always be sent instead, is not.
_LEFT_OUT = frozenset({"content-length", "transfer-encoding", "range"})


def environ_of(scope: Scope, body: Body | None) -> dict[str, Any]:
    """The environ of the request."""
    environ = dict(_ALWAYS)
    environ["SERVER_NAME"], environ["SERVER_PORT"] = _address(scope.server)
    environ["REMOTE_ADDR"], _ = _address(scope.client)
    environ["SERVER_PROTOCOL"] = f"HTTP/{scope.http_version}"
    environ["REQUEST_METHOD"] = scope.method
    environ["PATH_INFO"] = _as_latin_1(scope.path)
    environ["QUERY_STRING"] = _as_latin_1(scope.query_string)
    environ["wsgi.url_scheme"] = scope.scheme
    environ["wsgi.input"] = io.BytesIO() if body is None else body.file
    if body is not None:
        environ["CONTENT_LENGTH"] = str(body.length)
    for header, value in scope.headers.items():
        name = _names.get(header) or _name(header)
        if name in environ:
            environ[name] += f"{';' if header == 'cookie' else ','}{value}"
        elif name:
            environ[name] = value
    if "HTTP_HOST" not in environ:
        environ["HTTP_HOST"] = scope.authority or ""
    return environ


def _name(header: str) -> str:
    """The environ's name for the header; empty where it is left out."""
    if "_" in header or header in _LEFT_OUT:
        return ""
    name = f"HTTP_{header.upper().replace('-', '_')}"
    if len(_names) < _MOST_NAMES:
        _names[header] = name
    return name


def _address(text: str) -> tuple[str, str]:
    """Host and port of `127.0.0.1:8000` or `[::1]:8000`."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), port


def _as_latin_1(text: str) -> str:
    """The text's bytes as PEP 3333 wants them: one character for each."""
    return text if text.isascii() else text.encode().decode("latin-1")
