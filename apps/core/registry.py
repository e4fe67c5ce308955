"""Registries: what the apps declare under a name at their start, so that no app calls upward (spec 10)."""

from __future__ import annotations

from typing import Never, TypeVar

T = TypeVar("T")


class RegistryError(RuntimeError):
    """A name is registered twice."""


class UnknownNameError(KeyError):
    """Nothing is registered under this name. The message lists the names that exist."""

    def __str__(self) -> str:
        return str(self.args[0])  # a `KeyError` would put the message into quotes


class Registry(dict[str, T]):
    """Values by name, in the order of registration. `what` says what they are, for messages: "outbox handler"."""

    def __init__(self, what: str, values: dict[str, T] | None = None) -> None:
        super().__init__(values or {})
        self.what = what

    def register(self, name: str, value: T) -> T:
        """Add the value; raises `RegistryError` when the name is taken."""
        if name in self:
            raise RegistryError(f"The {self.what} {name!r} is registered twice: as {self[name]!r} and as {value!r}.")
        self[name] = value
        return value

    def __missing__(self, name: str) -> Never:
        raise UnknownNameError(f"There is no {self.what} {name!r}. There are: {', '.join(sorted(self)) or 'none'}.")
