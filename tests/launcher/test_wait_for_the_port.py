"""A port that is just being given back is waited for; one that another program keeps is named."""

from __future__ import annotations

import socket
import threading

import pytest

from billing_site.launcher.errors import LauncherError
from billing_site.launcher.supervisor import refuse_a_port_in_use


@pytest.fixture
def listener() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


def test_a_port_that_is_given_back_in_time_is_no_obstacle(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with pytest.raises(LauncherError, match=f"Port {port} cannot be used"):  # the control: without patience it is one
        refuse_a_port_in_use(port)
    threading.Timer(0.3, listener.close).start()
    refuse_a_port_in_use(port, patience_seconds=30)


def test_a_port_that_another_program_keeps_is_named_after_the_patience(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    with listener, pytest.raises(LauncherError, match=f"PORT={port + 1} make run"):
        refuse_a_port_in_use(port, patience_seconds=0.2)
