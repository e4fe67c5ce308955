"""Reads the body of a request in the event loop: complete, within the limits, before a thread is taken for it."""

from __future__ import annotations

import asyncio
import io
from tempfile import SpooledTemporaryFile
from typing import IO, NamedTuple

from apps.core.wire.problems import UNAVAILABLE
from billing_site.web import limits
from billing_site.web.refusals import BROKEN_OFF, TOO_LARGE, TOO_SLOW, RefusedError
from billing_site.web.rsgi_types import Headers, HTTPProtocol, ProtocolError


class Body(NamedTuple):
    """A complete body, to be read from its beginning."""

    file: IO[bytes]
    length: int


async def read_body(headers: Headers, protocol: HTTPProtocol) -> Body | None:
    """The body; None where the request has none. Raises `RefusedError`."""
    announced = headers.get("content-length")
    if announced is None and "transfer-encoding" not in headers:
        return None
    length = None if announced is None else int(announced)  # granian has refused what is no number
    if length is not None and length > limits.LARGEST_BODY:
        raise RefusedError(TOO_LARGE)
    try:
        async with asyncio.timeout(limits.BODY_SECONDS):
            if length is not None and length <= limits.BODY_IN_MEMORY:
                return _complete(Body(io.BytesIO(await protocol()), length))
            return _complete(await _spooled(protocol), length)
    except TimeoutError as error:
        raise RefusedError(TOO_SLOW) from error
    except ProtocolError as error:
        raise RefusedError(BROKEN_OFF) from error
    except OSError as error:  # no room for a temporary file
        raise RefusedError(UNAVAILABLE) from error


async def _spooled(protocol: HTTPProtocol) -> Body:
    """The body in pieces. granian marks its end with one empty piece, and an error or trailers with one more."""
    file: IO[bytes] = SpooledTemporaryFile(limits.BODY_IN_MEMORY)  # noqa: SIM115 - whoever answers closes it
    length, has_ended = 0, False
    async for piece in protocol:
        if has_ended:
            raise RefusedError(BROKEN_OFF)
        has_ended = not piece
        length += len(piece)
        if length > limits.LARGEST_BODY:
            raise RefusedError(TOO_LARGE)
        file.write(piece)
    file.seek(0)
    return Body(file, length)


def _complete(body: Body, announced: int | None = None) -> Body:
    if announced is not None and body.length != announced:
        raise RefusedError(BROKEN_OFF)
    return body
