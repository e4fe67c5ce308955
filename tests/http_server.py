"""A small HTTP server beside a test: the other end of a call of ours."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ssl import SSLContext
from typing import Any

HOST = "127.0.0.1"


class QuietHandler(BaseHTTPRequestHandler):
    """One that writes nothing to the console."""

    def log_message(self, *_: Any) -> None:
        return


@contextmanager
def serve(handler: type[BaseHTTPRequestHandler], *, tls: SSLContext | None = None) -> Iterator[int]:
    """Serve on a free port of this machine, which is what one gets; with the block's end nothing of it is left."""
    server = ThreadingHTTPServer((HOST, 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    # By default it looks twice a second whether it shall end, and hundreds of tests would wait for that.
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield int(server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
