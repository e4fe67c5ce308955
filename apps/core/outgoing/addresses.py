"""Which addresses a tenant may make us call: public ones, over HTTPS (spec 06, Outgoing requests).

Pure but for `OUTBOUND_ALLOWLIST`, the operator's list of hosts and networks that may be reached though private; to
those alone plain HTTP is allowed too, so that a test or a private network needs no certificate.

`ipaddress` calls many a way to write 127.0.0.1 public, because the prefix that carries it is: so every prefix that
embeds an IPv4 address is refused as such, whatever it embeds (spec 11).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from django.conf import settings

Address = IPv4Address | IPv6Address
_Allowlist = tuple[frozenset[str], tuple[IPv4Network | IPv6Network, ...]]

_LONGEST_URL = 2_000
_GLOBAL_UNICAST = ip_network("2000::/3")
# What of the IPv4 space `is_global` lets through and is not somebody's host.
_NOT_HOSTS_4: tuple[IPv4Network, ...] = tuple(
    IPv4Network(text)
    for text in (
        "192.0.0.0/24",  # IETF protocols; a cloud's metadata answer there
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # once the relay of 6to4
        "192.175.48.0/24",  # AS112
        "168.63.129.16/32",  # public, and yet a cloud's own machinery
    )
)
# What of the public IPv6 space is not somebody's host. Outside of 2000::/3 everything is refused anyway: loopback,
# IPv4-mapped and -compatible forms, NAT64 (64:ff9b::/96 and 64:ff9b:1::/48), private, link-local and multicast ones.
_NOT_HOSTS_6: tuple[IPv6Network, ...] = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # IETF protocols, Teredo among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)
# The interface part of ISATAP, which embeds an IPv4 address in any network.
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})


class RefusedAddressError(Exception):
    """The address may not be called. The sentence is for the person who typed it."""


def checked_url(text: str) -> SplitResult:
    """The address in its parts, as far as can be judged before the host is resolved; raises `RefusedAddressError`."""
    if len(text) > _LONGEST_URL or any(character.isspace() or not character.isprintable() for character in text):
        raise RefusedAddressError("The address holds blanks or control characters, or is too long.")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise RefusedAddressError("This is no address; it must read https://host/path.") from None
    if not host or "%" in host or "\\" in text:
        raise RefusedAddressError("This is no address; it must read https://host/path.")
    if parts.username is not None or parts.password is not None:
        raise RefusedAddressError("The address holds a user name or password; the key goes into its own field.")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_named(host)):
        raise RefusedAddressError("The address must begin with https://.")
    _refuse_literal(host)
    return parts


def permitted(host: str, resolved: Iterable[str]) -> list[str]:
    """The resolved addresses if every one may be called; raises `RefusedAddressError` if a single one may not."""
    addresses = list(resolved)
    if not addresses:
        raise RefusedAddressError(f"The host {host} has no address.")
    for text in addresses:
        if not (_is_named(host) or is_public(text) or _is_in_listed_network(text)):
            raise RefusedAddressError(
                f"The host {host} is at {text}, which is no public address. Only public addresses may be called."
            )
    return addresses


def is_public(text: str) -> bool:
    """Whether the address is one of a host on the public internet."""
    try:
        address: Address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        if not address.is_global or address.is_multicast or address.is_reserved:
            return False
        return not any(address in network for network in _NOT_HOSTS_4)
    if address not in _GLOBAL_UNICAST or address.scope_id is not None:
        return False
    embeds = (int(address) >> 32) & 0xFFFFFFFF in _ISATAP
    return not embeds and not any(address in network for network in _NOT_HOSTS_6)


def _refuse_literal(host: str) -> None:
    """An address instead of a name is judged at once, so that a form says so before anything is stored."""
    try:
        ip_address(host)
    except ValueError:
        return
    permitted(host, [host])


def _is_named(host: str) -> bool:
    name = host.lower().rstrip(".")
    return name in _allowlist()[0] or _is_in_listed_network(name)


def _is_in_listed_network(text: str) -> bool:
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return any(address in network for network in _allowlist()[1])


def _allowlist() -> _Allowlist:
    return _parsed(tuple(getattr(settings, "OUTBOUND_ALLOWLIST", ())))


@lru_cache(maxsize=8)
def _parsed(entries: tuple[str, ...]) -> _Allowlist:
    names, networks = set(), []
    for entry in entries:
        try:
            networks.append(ip_network(entry.strip(), strict=False))
        except ValueError:
            names.add(entry.strip().lower().rstrip("."))
    return frozenset(names), tuple(networks)
