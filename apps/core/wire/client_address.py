"""Where a request comes from, as limits count it: one IPv4 address, or one IPv6 network of 64 bits.

A subscriber gets at least 64 bits of IPv6, so counting single addresses would count nobody. What a proxy says of the
client is believed only where the connection comes from one of `TRUSTED_PROXIES`. Of `X-Forwarded-For` the last entry
that is no trusted proxy itself counts: the proxies wrote what follows it, the client may have written what precedes it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Protocol

from django.conf import settings

UNKNOWN = "unknown"
_SUBSCRIBER_BITS = 64
# What some proxies add to the address: brackets and a port.
_WITH_PORT = re.compile(r"\[(?P<six>[^\]]+)\](?::\d+)?|(?P<four>\d+\.\d+\.\d+\.\d+):\d+", re.ASCII)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class HasMeta(Protocol):
    """A request of Django, or one of REST framework around it."""

    @property
    def META(self) -> Mapping[str, Any]: ...  # noqa: N802 - Django's name


def client_address(request: HasMeta) -> str:
    """The address of the client, in one form for each subscriber."""
    meta = request.META
    nearest = _address(str(meta.get("REMOTE_ADDR", "")))
    if _is_trusted(nearest):
        for entry in reversed(str(meta.get("HTTP_X_FORWARDED_FOR", "")).split(",")):
            found = _address(entry)
            if found is None:
                break
            nearest = found
            if not _is_trusted(found):
                break
    return _subscriber(nearest)


def is_forwarded_https(meta: Mapping[str, Any]) -> bool:
    """Whether a trusted proxy says that the client came to it by HTTPS."""
    return str(meta.get("HTTP_X_FORWARDED_PROTO", "")).strip().lower() == "https" and _is_trusted(
        _address(str(meta.get("REMOTE_ADDR", "")))
    )


def _is_trusted(address: Address | None) -> bool:
    return address is not None and any(address in network for network in _networks(tuple(settings.TRUSTED_PROXIES)))


@cache
def _networks(texts: tuple[str, ...]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


def _address(text: str) -> Address | None:
    text = text.strip()
    match = _WITH_PORT.fullmatch(text)
    if match:
        text = match["six"] or match["four"]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _subscriber(address: Address | None) -> str:
    if address is None:
        return UNKNOWN
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((address, _SUBSCRIBER_BITS), strict=False))
