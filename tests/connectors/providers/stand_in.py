"""What a provider's test file says of its outside system, so that the shared contract can be put to it.

A stand-in answers like the real system: it is a function from a request to a reply, behind a real web server. A test
file `test_<provider>.py` holds it under the name `STAND_IN`; `test_contract.py` finds it there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.connectors.contracts import Month, Provider, Secret
from apps.connectors.providers.registry import provider_class

KEY = "key-of-the-contract-4f1d9a"
MONTH = Month(2026, 4)
Reply = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as the outside system sees it. Header names are in lower case."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


def reply(value: Any, status: int = 200) -> Reply:
    """A JSON answer."""
    return status, {"Content-Type": "application/json"}, json.dumps(value).encode()


@dataclass(frozen=True, slots=True)
class StandIn:
    """`answer` is asked with a good key alone; what happens with a bad one is the same everywhere.

    `external_ids` are those of MONTH, in the order of the pages. `key_header` is where the key must arrive, and how.
    """

    provider: str
    external_ids: tuple[str, ...]
    answer: Callable[[Asked], Reply] | None = None
    base_setting: str = ""
    settings: Callable[[str], dict[str, Any]] = lambda base: {}
    key_header: tuple[str, str] = ("authorization", f"Bearer {KEY}")
    requests: list[Asked] = field(default_factory=list)

    def open(self, base: str, key: str = KEY) -> Provider:
        """The provider, with the key, at the stand-in's address."""
        cls = provider_class(self.provider)
        return cls(Secret(cls.credential_kind, key), self.settings(base))
