"""Sharing the embedded engines: the first user starts them, the last one to leave sees them stopped."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from billing_site.launcher import locks, places, servers
from billing_site.launcher.engines import Engine
from billing_site.launcher.errors import LauncherError
from billing_site.launcher.keeper import ENGINES, KEEPER_LOCK, READY_NOTE, START_SECONDS, USE_LOCK
from billing_site.launcher.processes import last_lines

# These answer without a database; everything else gets one.
_COMMANDS_WITHOUT_ENGINES = frozenset(
    {"help", "version", "check", "collectstatic", "findstatic", "diffsettings", "startapp", "startproject"}
)
_POLL_SECONDS = 0.02


class Share:
    """One process's share in an engine. `begin` and `complete` are two calls so that engines start side by side."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.folder = places.make_home(engine.folder)
        self._start = locks.FileLock(self.folder / "start.lock")
        self._use = locks.FileLock(self.folder / USE_LOCK)
        self._keeper: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Use the engine; start it when nobody does yet. Others wait until `complete`."""
        self._start.take()
        self._use.share()  # waits while a keeper is stopping the engine
        if not self.is_kept():
            self._start_keeper()

    def complete(self) -> None:
        """Come back when the engine is ready, or raise with what it said."""
        try:
            self._wait_until_ready()
        finally:
            self._start.release()

    def leave(self) -> None:
        """Stop using the engine; when nobody else does, come back only after it has ended."""
        self._start.take()
        self._use.release()
        # Taken: nobody else uses it. Not even shared: its keeper has noticed and is stopping it.
        others = not self._use.try_take() and self._use.try_share()
        self._use.release()
        if not others:
            with locks.alone(self.folder / KEEPER_LOCK):
                pass  # the keeper has let go
            if self._keeper is not None:
                self._keeper.wait()
        self._use.close()
        self._start.close()

    def is_kept(self) -> bool:
        """Whether the engine has a keeper at this moment."""
        return locks.is_held(self.folder / KEEPER_LOCK)

    def _start_keeper(self) -> None:
        (self.folder / READY_NOTE).unlink(missing_ok=True)
        if self._keeper is not None:
            self._keeper.wait()
        with self._keeper_log.open("wb") as log:
            self._keeper = subprocess.Popen(
                [sys.executable, "-m", "billing_site.launcher.keeper", self.engine.name],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=places.PROJECT,
                env=os.environ | {"COUNTINGHOUSE_STATE_DIR": str(places.state_folder())},
                start_new_session=True,  # Ctrl-C is for us; the keeper ends when nobody uses its engine
            )

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS + 10
        while not (self.folder / READY_NOTE).exists():
            if self._has_ended() or time.monotonic() > deadline:
                said = last_lines(self._keeper_log, 40)
                raise LauncherError(said or f"The embedded {self.engine.name} did not start.")
            time.sleep(_POLL_SECONDS)

    def _has_ended(self) -> bool:
        # The keeper of another starter, which was killed meanwhile, can only be told by its lock.
        return not self.is_kept() if self._keeper is None else self._keeper.poll() is not None

    @property
    def _keeper_log(self) -> Path:
        return self.folder / "keeper.log"


def needed_engines() -> list[Engine]:
    """The engines that no environment variable replaces. Production has no embedded ones."""
    if os.environ.get("DJANGO_ENV") == "production":
        return []
    return [engine() for engine in ENGINES.values() if not os.environ.get(engine.variable)]


@contextmanager
def engines(*, with_broker: bool = True) -> Iterator[list[Share]]:
    """The embedded engines run inside; afterwards they are stopped unless somebody else uses them too.

    Raises `LauncherError` when one does not start, or when a server that the environment names in its place does not
    serve. Without the broker, an outside one may be away.
    """
    servers.refuse_unreachable(with_broker=with_broker)
    with ExitStack() as leaving:
        shares = [Share(engine) for engine in needed_engines()]
        for share in shares:
            leaving.callback(share.leave)
            share.begin()
        for share in shares:
            share.complete()
        yield shares


@contextmanager
def engines_for_command(arguments: Sequence[str]) -> Iterator[None]:
    """What `manage.py` with these arguments needs: the running stack's engines, or its own for as long as it runs."""
    words = arguments[1:2]
    if not words or words[0].startswith("-") or words[0] in _COMMANDS_WITHOUT_ENGINES or "--help" in arguments:
        yield
        return
    with engines(with_broker=False):
        yield
