"""What may become of a connector's status, as data: verb, sources, targets (spec 06, Connector).

The database refuses any other move, whoever makes it; the test is the whole status x verb matrix.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from apps.connectors.enums import ConnectorStatus as Status

# Verb -> source -> the statuses that it may lead to. Causes that stand decide between enabled and auto-disabled.
CONNECTOR_VERBS: Mapping[str, Mapping[Status, frozenset[Status]]] = MappingProxyType(
    {
        "enable": {
            Status.DISABLED: frozenset({Status.ENABLED, Status.PENDING}),
            # Without its credential it waits for one: the cause is mended, and there is nothing to read with.
            Status.AUTO_DISABLED: frozenset({Status.ENABLED, Status.PENDING}),
        },
        "disable": {
            status: frozenset({Status.DISABLED})
            for status in (Status.PENDING, Status.ENABLED, Status.AUTO_DISABLED, Status.NEEDS_REAUTHORIZATION)
        },
        "auto_disable": {Status.ENABLED: frozenset({Status.AUTO_DISABLED})},
        "restore": {Status.AUTO_DISABLED: frozenset({Status.ENABLED})},
        "authorize": {
            status: frozenset({Status.ENABLED, Status.AUTO_DISABLED})
            for status in (Status.PENDING, Status.NEEDS_REAUTHORIZATION)
        },
        "need_reauthorization": {Status.ENABLED: frozenset({Status.NEEDS_REAUTHORIZATION})},
    }
)


def sources(verb: str) -> list[Status]:
    """The statuses that the verb may start from."""
    return list(CONNECTOR_VERBS[verb])


def verbs_from(status: Status) -> list[str]:
    """The verbs that may be used now."""
    return [verb for verb, moves in CONNECTOR_VERBS.items() if status in moves]


def status_pairs() -> Iterator[tuple[str, str]]:
    """Every legal move, for the trigger in the database."""
    pairs = {
        (source.value, target.value)
        for moves in CONNECTOR_VERBS.values()
        for source, targets in moves.items()
        for target in targets
    }
    yield from sorted(pairs)
