"""Starting processes that do not outlive their parent, and finding those that did."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
STOP_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Identity:
    """The user and group that a process runs as."""

    user: int
    group: int


def end_with_parent(number: signal.Signals, parent: int) -> None:
    """Ask the kernel to send this process the signal when its parent ends, even by kill -9. Linux only."""
    if _LIBC is None:
        return
    _LIBC.prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:  # it ended before we asked
        os.kill(os.getpid(), number)


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    environment: Mapping[str, str],
    folder: Path,
    end_signal: signal.Signals,
    identity: Identity | None = None,
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, output to `log`; it gets `end_signal` when this process ends."""
    parent = os.getpid()
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=dict(environment),
            start_new_session=True,
            umask=0o077,  # what the program writes is for its own user
            user=None if identity is None else identity.user,
            group=None if identity is None else identity.group,
            extra_groups=None if identity is None else [],
            preexec_fn=lambda: end_with_parent(end_signal, parent),  # noqa: PLW1509 - we have one thread
        )


def fresh_log(log: Path) -> Path:
    """An empty log; the one before is kept beside it."""
    if log.exists():
        log.replace(log.with_name(f"{log.name}.1"))
    log.touch(mode=0o600)
    return log


def last_lines(log: Path, count: int = 15) -> str:
    """The end of a log, for a message."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])


def is_running_with(pid: int, words: str) -> bool:
    """Whether the process exists and its command line has the words; a number that was given out again has not."""
    try:
        os.kill(pid, 0)
        if Path("/proc/self/cmdline").exists():
            line = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace")
        else:
            line = subprocess.run(
                ["/bin/ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
            ).stdout
    except (ProcessLookupError, FileNotFoundError):
        return False
    except PermissionError:  # somebody else's
        return False
    return words in line


def end_process(pid: int, words: str, signals: Sequence[tuple[signal.Signals, float]]) -> None:
    """End a process that is not our child: each signal in turn, with the seconds that it gets."""
    for number, seconds in signals:
        if not is_running_with(pid, words):
            return
        os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while is_running_with(pid, words) and time.monotonic() < deadline:
            time.sleep(STOP_POLL_SECONDS)


def processes_marked(variable: str, value: str) -> Iterator[int]:
    """The processes of this user, this one left out, that were started with the environment variable. Linux only."""
    mark = f"{variable}={value}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if int(entry.name) != os.getpid() and mark in (entry / "environ").read_bytes().split(b"\0"):
                yield int(entry.name)
        except OSError:  # it ended meanwhile, or it is somebody else's
            continue


def kill_marked(variable: str, value: str) -> int:
    """Kill what `processes_marked` finds, and what these start meanwhile; how many there were."""
    killed: set[int] = set()
    for _ in range(10):
        found = set(processes_marked(variable, value))
        if not found:
            break
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        killed |= found
        time.sleep(STOP_POLL_SECONDS)
    return len(killed)
