"""How each embedded server is set up, started, found ready and stopped. Unix sockets only; nothing listens on TCP."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from billing_site.launcher import places
from billing_site.launcher.processes import end_process, fresh_log


class Engine:
    """One embedded server. Its keeper alone calls `start`, `is_ready` and `end_leftover`."""

    name: ClassVar[str]
    variable: ClassVar[str]
    """The environment variable that names an outside server in its place."""
    stop_signals: ClassVar[Sequence[tuple[signal.Signals, float]]]
    """The signals that stop it, gentlest first, with the seconds that each gets."""

    @property
    def folder(self) -> Path:
        """The server's home."""
        raise NotImplementedError

    @property
    def log(self) -> Path:
        """What the server writes."""
        return self.folder / "server.log"

    @property
    def pid_file(self) -> Path:
        """Where the server notes its process."""
        raise NotImplementedError

    @property
    def mark(self) -> str:
        """Words on the server's command line that no other process has."""
        raise NotImplementedError

    def start(self) -> subprocess.Popen[bytes]:
        """Start the server; it ends with this process."""
        raise NotImplementedError

    def is_ready(self) -> bool:
        """Whether the server answers and has all that the product needs."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Make the home, and clear away what a killed keeper left."""
        places.make_home(self.folder)
        fresh_log(self.log)
        self.end_leftover()

    def end_leftover(self) -> None:
        """End a server that outlived its keeper, and remove a note of one that is gone."""
        try:
            pid = int(self.pid_file.read_text(encoding="ascii").split()[0])
        except (OSError, ValueError, IndexError):
            return
        end_process(pid, self.mark, self.stop_signals)
        self.pid_file.unlink(missing_ok=True)
