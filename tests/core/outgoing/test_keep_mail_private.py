"""E-mails that are kept as files are for their owner alone: a link in them may sign somebody in."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core import mail
from pytest_django import Settings

import billing_site.settings

FILES = "django.core.mail.backends.filebased.EmailBackend"


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def open_umask() -> Iterator[None]:
    """The umask of most machines: others may read."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def send(settings: Settings, backend: str, folder: Path) -> Path:
    settings.EMAIL_BACKEND, settings.EMAIL_FILE_PATH = backend, str(folder)
    for _ in range(2):
        mail.send_mail("Your link", "https://example.com/secret", "us@example.com", ["you@example.com"])
    return next(folder.iterdir())


@pytest.mark.parametrize("is_there", [False, True])
def test_folder_and_files_are_for_their_owner(
    settings: Settings, tmp_path: Path, open_umask: None, *, is_there: bool
) -> None:
    folder = tmp_path / "mail"
    if is_there:
        folder.mkdir(mode=0o755)
    backend = "apps.core.outgoing.mail_files.PrivateFileBackend"
    file = send(settings, backend, folder)
    assert "https://example.com/secret" in file.read_text()
    assert (mode_of(folder), {mode_of(one) for one in folder.iterdir()}) == (0o700, {0o600})


def test_djangos_own_would_be_readable_to_all(settings: Settings, tmp_path: Path, open_umask: None) -> None:
    """The negative control, and why there is a backend of our own."""
    file = send(settings, FILES, tmp_path / "mail")
    assert mode_of(file) & 0o044


def test_the_settings_never_name_djangos_own() -> None:
    assert billing_site.settings.EMAIL_CONFIG["EMAIL_BACKEND"] == FILES
    assert billing_site.settings.EMAIL_BACKEND != FILES
