"""Asks `/healthz` again and again until its input ends, then prints how many seconds the slowest answer took.

A process of its own: in the test's, it would wait for the threads of the other clients.
"""

from __future__ import annotations

import http.client
import select
import sys
import time

_PAUSE_SECONDS = 0.05


def main(port: int, patience: float) -> None:
    """Print the slowest; `patience` where there was no answer."""
    slowest = 0.0
    while not select.select([sys.stdin], [], [], _PAUSE_SECONDS)[0]:
        started = time.monotonic()
        is_well = _is_well(port, patience)
        slowest = max(slowest, time.monotonic() - started if is_well else patience)
    print(slowest)


def _is_well(port: int, patience: float) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=patience)
    try:
        connection.request("GET", "/healthz", headers={"Host": "localhost"})
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
