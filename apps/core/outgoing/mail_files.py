"""E-mails as files, for machines without a mail server: like Django's own backend, but only their owner reads them.

A mail may hold a link that signs somebody in.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.core.mail.backends.filebased import EmailBackend


class PrivateFileBackend(EmailBackend):
    """Makes its folder 0700 and its files 0600, whatever the umask."""

    file_path: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        folder = Path(self.file_path)
        if folder.stat().st_uid == os.geteuid():
            folder.chmod(0o700)

    def open(self) -> bool:
        """Open the file, made so that there is no moment in which somebody else may read it."""
        if self.stream is not None:
            return False
        descriptor = os.open(self._get_filename(), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self.stream = os.fdopen(descriptor, "ab")
        return True
