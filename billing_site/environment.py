"""Reads the settings from the environment and says everything that is wrong with them at once (spec 09, Environment).

What each value may look like is in `billing_site.configuration`. A value that can't be used is noted and its default
taken, so that the next one is looked at too; `refuse_problems` ends the start.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from django.core.exceptions import ImproperlyConfigured

from billing_site.launcher import places

ENVIRONMENT_NAMES = ("development", "test", "production")
Value = TypeVar("Value")
Rule = Callable[[Value], None]
"""Raises `ValueError` with the rest of a sentence that begins with the variable's name."""


class ConfigurationError(ImproperlyConfigured):
    """One sentence for each variable that can't be used: its name, what is wrong, and what it takes."""


class Environment:
    """The variables of one start. A value that was set to nothing counts as not set."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.problems: list[str] = []
        self.name = self._environment_name()
        self.is_production = self.name == "production"

    def text(self, variable: str) -> str:
        """The value as it stands, without the white space around it; empty when it is not set."""
        return self._variables.get(variable, "").strip()

    def read(
        self, variable: str, default: Value, parse: Callable[[str], Value], *, in_production: Rule[Value] | None = None
    ) -> Value:
        """The value that `parse` makes of the text. `in_production` refuses what only production must not have."""
        text = self.text(variable)
        return self._parsed(variable, text, lambda: default, parse, in_production) if text else default

    def require(
        self,
        variable: str,
        default: Callable[[], Value],
        parse: Callable[[str], Value],
        *,
        remedy: str,
        in_production: Rule[Value] | None = None,
    ) -> Value:
        """As `read`, of a variable without which production doesn't start. `default` is made only when it is needed."""
        text = self.text(variable)
        if text:
            return self._parsed(variable, text, default, parse, in_production)
        if self.is_production:
            self.problems.append(f"{variable} is not set, and DJANGO_ENV=production has no default for it. {remedy}")
        return default()

    def require_together(self, *variables: str) -> None:
        """Refuse some of these variables without the others."""
        present = [variable for variable in variables if self.text(variable)]
        for variable in variables:
            if present and variable not in present:
                self.problems.append(f"{variable} is not set, but {present[0]} is. Set all of them or none.")

    def require_beside(self, variable: str, needed: str, *, remedy: str) -> None:
        """Refuse a variable that is set without the one that it needs."""
        if not self.text(needed):
            self.problems.append(f"{needed} is not set, but {variable} is {self.text(variable)}. {remedy}")

    def refuse_former(self, variable: str, remedy: str) -> None:
        """Refuse a variable of a former release, which would be passed over in silence."""
        if self.text(variable):
            self.problems.append(f"{variable} is not read any more. {remedy}")

    def kept_secret(self, name: str, make: Callable[[], str]) -> str:
        """The secret kept under `name` with the local state, made at the first call; two first calls agree on one."""
        path = places.state_folder() / "keys" / name
        try:
            return _kept(path, make)
        except OSError as error:
            self.problems.append(
                f"COUNTINGHOUSE_STATE_DIR: {path} can't be read or made ({error.strerror}). Set it to a folder of the "
                "user who runs this."
            )
            return make()

    def is_usable(self, variable: str) -> bool:
        """Whether nothing was found wrong with the variable, so that another may be compared with it."""
        return not any(problem.startswith(f"{variable} ") for problem in self.problems)

    def refuse_problems(self) -> None:
        """Raise `ConfigurationError` with every problem found so far."""
        if self.problems:
            raise ConfigurationError("\n".join(self.problems))

    def _parsed(
        self,
        variable: str,
        text: str,
        default: Callable[[], Value],
        parse: Callable[[str], Value],
        in_production: Rule[Value] | None,
    ) -> Value:
        try:
            value = parse(text)
            if self.is_production and in_production is not None:
                in_production(value)
        except ValueError as error:
            self.problems.append(f"{variable} {error}")
            return default()
        return value

    def _environment_name(self) -> str:
        """`DJANGO_ENV`; a typing error must not mean development."""
        name = self.text("DJANGO_ENV") or "development"
        if name in ENVIRONMENT_NAMES:
            return name
        self.problems.append(f"DJANGO_ENV is {name!r}; it must be one of {', '.join(ENVIRONMENT_NAMES)}.")
        return "development"


def exit_if_misconfigured() -> None:
    """End this process with status 1 and one sentence a problem, when the settings can't be used.

    For every entry point: nobody reads a traceback instead.
    """
    try:
        import billing_site.variables  # noqa: F401, PLC0415 - importing is what reads them
    except ConfigurationError as error:
        sys.exit(f"The configuration can't be used:\n{error}")


def _kept(path: Path, make: Callable[[], str]) -> str:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    own = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    if not path.exists():
        own.touch(mode=0o600)
        own.write_text(make(), encoding="ascii")
        try:
            os.link(own, path)  # fails when another process was first: then its secret counts
        except FileExistsError:
            pass
        finally:
            own.unlink()
    return path.read_text(encoding="ascii").strip()
