"""The contract between the outbox and whoever makes the calls, and the registry of kinds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from apps.core.context import ExecutionContext
from apps.core.ids import OutboxItemId
from apps.core.registry import Registry


class OutboxError(Exception):
    """A call failed. `permanent` means that trying again can't help; the item is parked at once.

    The message is stored and shown to staff: it must hold no secret. `retry_after_seconds` is the provider's own wish.
    """

    def __init__(self, message: str, *, permanent: bool = False, retry_after_seconds: int | None = None) -> None:
        super().__init__(message)
        self.permanent = permanent
        self.retry_after_seconds = retry_after_seconds


class OutboxWait(OutboxError):  # noqa: N818 - no error: nothing was tried
    """The call can't be made yet, and nothing was tried: for want of an address, say. The item waits, however long.

    It is looked at again each hour; whoever brings what is missing makes it due with `outbox_wake`.
    """


@dataclass(frozen=True, slots=True)
class Delivery:
    """One try of one call. `key` is the same at every try, and must reach the provider as its idempotency key."""

    item_id: OutboxItemId
    kind: str
    key: str
    payload: dict[str, Any]
    organization_id: UUID | None
    request_id: str
    attempt: int


class OutboxHandler(ABC):
    """Makes the calls of one kind. Subclass, decorate with `@outbox_handler("<kind>")`.

    A call may be repeated, with the same key, when a worker dies. What `record` writes happens exactly once.
    """

    # Whether the other calls of the kind wait too when the provider asks one of them to be slower.
    shares_limit: ClassVar[bool] = False

    @abstractmethod
    def unconfigured_reason(self) -> str:
        """Why these calls can't be made now, in words for staff ("STRIPE_SECRET_KEY is not set"); empty when they can.

        Items of a kind that is not configured wait; they are not tried and not parked.
        """

    @abstractmethod
    def deliver(self, delivery: Delivery) -> Any:
        """Make the call, outside any transaction, and return what `record` needs of the answer.

        Takes less than a minute, time-outs included. Raises `OutboxError`; any other error counts as a failed try.
        """

    def record(self, context: ExecutionContext, delivery: Delivery, result: Any) -> None:  # noqa: B027 - may stay empty
        """Write down what the call brought, in the very transaction that marks the item done."""

    def is_configured(self) -> bool:
        return not self.unconfigured_reason()


_handlers: Registry[OutboxHandler] = Registry("outbox handler")


def outbox_handler(kind: str) -> Callable[[type[OutboxHandler]], type[OutboxHandler]]:
    """Register the class as the handler of `kind`. A kind has one handler."""

    def register(handler: type[OutboxHandler]) -> type[OutboxHandler]:
        _handlers.register(kind, handler())
        return handler

    return register


def handler_of(kind: str) -> OutboxHandler:
    """The handler of a kind; raises `KeyError` for a kind that has none."""
    return _handlers[kind]


def kinds() -> list[str]:
    """Every kind that has a handler."""
    return sorted(_handlers)


def ready_kinds() -> list[str]:
    """The kinds whose calls can be made now."""
    return sorted(kind for kind, handler in _handlers.items() if handler.is_configured())


def waiting_kinds() -> dict[str, str]:
    """The kinds whose calls wait for a setting, each with the reason in words."""
    return {kind: reason for kind, handler in _handlers.items() if (reason := handler.unconfigured_reason())}


def waiting_reason(kind: str) -> str:
    """Why items of this kind wait, in words; empty when they are carried out."""
    handler = _handlers.get(kind)
    if handler is None:
        return f"Nothing here knows how to carry out {kind}."
    return handler.unconfigured_reason()
