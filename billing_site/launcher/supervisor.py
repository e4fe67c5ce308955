"""`make run`: the engines, the database's shape, the static files, the sample data, then web, workers and beat."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from billing_site.launcher import children, locks, places, sessions
from billing_site.launcher.children import HOST, MARK, Child
from billing_site.launcher.errors import LauncherError
from billing_site.launcher.processes import kill_marked, last_lines

_POLL_SECONDS = 0.1
_START_SECONDS = 90
_STOP_SECONDS = 15.0
_RELEASE_SECONDS = 10.0
_HIGHEST_PORT = 65_535


class _Stop(Exception):  # noqa: N818 - it is no error
    """Somebody asked us to end while we were still starting."""


class Supervisor:
    """Runs the stack until it is told to stop; whatever happens, nothing of it stays behind."""

    def __init__(self, port: int, *, with_demo: bool) -> None:
        self.port = port
        self.with_demo = with_demo
        self.children = [Child(program) for program in children.programs(port)]
        self._asked_to_stop = False
        self._is_starting = True

    def run(self) -> None:
        """The whole run, from the first lock to the last process."""
        self._listen_for_signals()
        try:
            with _only_run():
                self._clear_the_way()
                with sessions.engines() as shares:
                    self._prepare()
                    self._run_children(shares)
        except _Stop:
            say("Stopped.")

    def _run_children(self, shares: list[sessions.Share]) -> None:
        try:
            self._start()
            self._watch(shares)
        finally:
            self._is_starting = False
            self._stop()

    def _clear_the_way(self) -> None:
        """End what a killed run left behind; refuse to start where another program listens."""
        killed = kill_marked(MARK, str(places.state_folder()))
        if killed:
            say(f"Ended {killed} processes that an interrupted run had left behind.")
        # The kernel closes the sockets of what was killed a moment after it is no longer to be found.
        refuse_a_port_in_use(self.port, patience_seconds=_RELEASE_SECONDS if killed else 0)

    def _prepare(self) -> None:
        """What each start does before the web server answers."""
        for folder in (children.log_folder(), children.metrics_folder()):
            places.make_folder(folder, 0o700)
        for old in children.metrics_folder().iterdir():
            old.unlink()  # the counters of processes that are gone
        self._manage("migrate", "--verbosity=0", "--noinput", saying="Bringing the database up to date.")
        self._manage("collectstatic", "--verbosity=0", "--noinput", saying="Collecting static files.")
        if self.with_demo and not sign_ins_note().exists():
            self._seed()

    def _start(self) -> None:
        say("Starting web, workers and beat.")
        for child in self.children:
            with self._whole():
                child.start()
        self._wait_until_ready()
        self._is_starting = False
        _print_addresses(self.port)

    def _watch(self, shares: list[sessions.Share]) -> None:
        while not self._asked_to_stop:
            for share in shares:
                if not share.is_kept():
                    say(f"The embedded {share.engine.name} ended; it is started again.")
                    share.begin()
                    share.complete()
            self._watch_children()
            time.sleep(_POLL_SECONDS)

    def _watch_children(self) -> None:
        for child in self.children:
            news = child.watch()
            if news:
                say(news)

    def _stop(self) -> None:
        """End the children, first gently, at a second request by force."""
        say("Stopping.")
        self._asked_to_stop = False
        for child in self.children:
            child.end(signal.SIGTERM)
        deadline = time.monotonic() + _STOP_SECONDS
        while not all(child.has_ended() for child in self.children):
            if self._asked_to_stop or time.monotonic() > deadline:
                break
            time.sleep(_POLL_SECONDS)
        for child in self.children:
            child.kill()
        kill_marked(MARK, str(places.state_folder()))

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        web = self.children[0]
        while (obstacle := obstacle_to_ready(self.port)) is not None:
            with self._whole():
                self._watch_children()
            if time.monotonic() > deadline:
                raise LauncherError(f"{obstacle}\n{web.log} ends with:\n{last_lines(web.log)}")
            time.sleep(_POLL_SECONDS)

    def _seed(self) -> None:
        say("Making sample data; this happens on the first start only.")
        sign_ins = self._manage("seed_demo", saying=None)
        note = sign_ins_note()
        fresh = note.with_name(f"{note.name}.new")
        fresh.touch(mode=0o600)
        fresh.write_text(sign_ins, encoding="utf-8")
        fresh.rename(note)

    def _manage(self, *arguments: str, saying: str | None) -> str:
        """Run a command of `manage.py`; what it printed, or an error with what it said."""
        if saying:
            say(saying)
        process: subprocess.Popen[str] | None = None
        try:
            with self._whole():
                process = subprocess.Popen(
                    [sys.executable, "manage.py", *arguments],
                    cwd=places.PROJECT,
                    env=children.environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            output, errors = process.communicate()
        except BaseException:
            if process is not None:
                process.kill()
                process.wait()
            raise
        if process.returncode:
            raise LauncherError(f"manage.py {arguments[0]} failed:\n{output}{errors}".rstrip())
        return output

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """For starting a process: whoever asks us to end meanwhile is heard when we know the process.

        Interrupted half-way, it would run and be nobody's.
        """
        self._is_starting = False
        yield
        self._is_starting = True
        if self._asked_to_stop:
            self._is_starting = False
            raise _Stop

    def _listen_for_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._asked_to_stop = True
        if self._is_starting:
            self._is_starting = False
            raise _Stop


def say(sentence: str) -> None:
    """Tell the person at the console, at once."""
    print(f"[countinghouse] {sentence}", flush=True)


def port_from_environment() -> int:
    """`PORT`, 8000 by default."""
    text = os.environ.get("PORT", "") or "8000"
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= _HIGHEST_PORT):
        raise LauncherError(f"PORT is {text!r}; it must be a number from 1 to {_HIGHEST_PORT}.")
    return int(text)


def refuse_a_port_in_use(port: int, *, patience_seconds: float = 0) -> None:
    """Raise when another program listens on the port, and still does after the seconds of patience."""
    deadline = time.monotonic() + patience_seconds
    while (error := _port_error(port)) is not None:
        if time.monotonic() >= deadline:
            raise LauncherError(
                f"Port {port} cannot be used ({error.strerror}). Choose another, for example: PORT={port + 1} make run"
            ) from error
        time.sleep(_POLL_SECONDS)


def _port_error(port: int) -> OSError | None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error
    return None


def obstacle_to_ready(port: int) -> str | None:
    """Why `/readyz` doesn't say that the web server can serve, with the remedies; None when it does."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/readyz", headers={"Host": _host()})
        answer = connection.getresponse()
        if answer.status == http.HTTPStatus.OK:
            return None
        checks = json.loads(answer.read()).get("checks", [])
    except (OSError, http.client.HTTPException, ValueError):
        return "The web server does not answer."
    finally:
        connection.close()
    failed = [f"{check['name']} failed ({check['remedy']})" for check in checks if check["status"] != "ok"]
    return f"The web server is not ready: {'; '.join(failed) or f'/readyz answers {answer.status}'}"


def _host() -> str:
    """A host name that the web server answers to."""
    from billing_site import variables  # noqa: PLC0415 - the launcher's own errors come first

    first = variables.ALLOWED_HOSTS[0].removeprefix(".")
    return "localhost" if first == "*" else first


def sign_ins_note() -> Path:
    """What `seed_demo` printed for this database. It goes with the embedded database when that is removed."""
    outside = os.environ.get("DATABASE_URL")
    if outside:
        return places.state_folder() / f"sign-ins-{hashlib.sha256(outside.encode()).hexdigest()[:12]}.txt"
    return places.postgres_folder() / "sign-ins.txt"


@contextmanager
def _only_run() -> Iterator[None]:
    """A second run of the same state folder is refused; one that was killed holds nothing."""
    lock = locks.FileLock(places.make_state_folder() / "run.lock")
    try:
        if not lock.try_take():
            raise LauncherError(
                f"It runs already (process {lock.read_note()}) with the state in {places.state_folder()}. "
                "Stop that run first, or set COUNTINGHOUSE_STATE_DIR and PORT for a second one."
            )
        lock.write_note(str(os.getpid()))
        yield
    finally:
        lock.close()


def _print_addresses(port: int) -> None:
    say("Ready. Ctrl-C ends everything.")
    address = f"http://localhost:{port}"
    lines = {
        "Admin": f"{address}/admin/",
        "Billing pages": f"{address}/billing/",
        "API documents": f"{address}/api/v1/docs/",
        "Health": f"{address}/readyz",
        "Logs": f"{children.log_folder()}",
    }
    width = max(map(len, lines))
    text = "\n".join(f"  {name:<{width}}  {value}" for name, value in lines.items())
    note = sign_ins_note()
    if note.exists():
        text += f"\n\n{note.read_text(encoding='utf-8').rstrip()}"
    print(f"{text}\n", flush=True)
