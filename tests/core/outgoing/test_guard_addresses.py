"""Hostile addresses are refused before a socket is opened (spec 06, Outgoing requests)."""

from __future__ import annotations

import pytest
from pytest_django.fixtures import Settings

from apps.core.outgoing import Call, OutgoingError, RefusedAddressError, outgoing_call
from apps.core.outgoing.addresses import is_public
from tests.core.outgoing.conftest import Network, Server
from tests.core.outgoing.hostile import EVERY_HOSTILE, LITERALS, NAMED, PUBLIC


@pytest.mark.parametrize("url", EVERY_HOSTILE)
def test_a_hostile_address_opens_no_socket(network: Network, url: str) -> None:
    with pytest.raises((RefusedAddressError, OutgoingError)):
        outgoing_call(Call(url))
    assert network.connects == []


def test_there_are_eighty_of_them() -> None:
    assert len(set(EVERY_HOSTILE)) == len(EVERY_HOSTILE) >= 80


@pytest.mark.parametrize("url", [LITERALS[0], LITERALS[6], LITERALS[35], *NAMED[:4]])
def test_control_without_the_guard_the_spy_sees_the_socket(network: Network, url: str) -> None:
    with pytest.raises(OutgoingError):
        outgoing_call(Call(url, is_guarded=False))
    assert network.connects != []


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_connected_to(network: Network, address: str) -> None:
    network.names["feed.example"] = [address]
    with pytest.raises(OutgoingError, match="can't be reached"):
        outgoing_call(Call("https://feed.example/"))
    assert is_public(address)
    assert [where[0] for where in network.connects] == [address]


def test_a_name_that_rebinds_is_asked_once_and_connected_to_where_it_was_checked(network: Network) -> None:
    network.names["rebinding.example"] = ["93.184.215.14"]
    network.on_lookup = lambda host: network.names.update({host: ["127.0.0.1"]})
    with pytest.raises(OutgoingError):
        outgoing_call(Call("https://rebinding.example/"))
    assert network.lookups.count("rebinding.example") == 1
    assert [where[0] for where in network.connects] == ["93.184.215.14"]


def test_a_name_that_has_rebound_is_refused_at_the_next_call(network: Network) -> None:
    network.names["rebinding.example"] = ["127.0.0.1"]
    with pytest.raises(RefusedAddressError, match="no public address"):
        outgoing_call(Call("https://rebinding.example/"))
    assert network.connects == []


@pytest.mark.parametrize("url", [*LITERALS[:50:7], *NAMED[:3], "http://feed.example/", "file:///etc/passwd"])
def test_a_redirect_is_judged_like_the_first_address(
    network: Network, server: Server, settings: Settings, url: str
) -> None:
    settings.OUTBOUND_ALLOWLIST = ["feed.test"]
    network.names["feed.test"] = ["127.0.0.1"]
    server.replies = [(302, {"Location": url}, b"")]
    with pytest.raises((RefusedAddressError, OutgoingError)):
        outgoing_call(Call(f"http://feed.test:{server.port}/"))
    assert len(network.connects) == 1


@pytest.mark.parametrize("entry", ["127.0.0.1", "127.0.0.0/8", "feed.test"])
def test_the_allowlist_lets_a_private_host_through(
    network: Network, server: Server, settings: Settings, entry: str
) -> None:
    settings.OUTBOUND_ALLOWLIST = [entry]
    network.names["feed.test"] = ["127.0.0.1"]
    host = "feed.test" if entry == "feed.test" else "127.0.0.1"
    assert outgoing_call(Call(f"http://{host}:{server.port}/")).body == b"hello"


def test_the_allowlist_lets_nobody_else_through(network: Network, settings: Settings) -> None:
    settings.OUTBOUND_ALLOWLIST = ["10.0.0.0/8", "feed.test"]
    for url in ("https://127.0.0.1/", "https://loopback.evil.example/", "https://other.feed.test/"):
        with pytest.raises((RefusedAddressError, OutgoingError)):
            outgoing_call(Call(url))
    assert network.connects == []
