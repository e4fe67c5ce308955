"""The files of an export: JSON Lines, CSV for spreadsheets, and the manifest that vouches for both."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from apps.core.canonical import moment_text
from apps.core.errors import UnprocessableError
from apps.core.exports import csv_lines, harmless

MANIFEST = "manifest.json"
_PRIVATE_FOLDER, _PRIVATE_FILE = 0o700, 0o600


@dataclass(frozen=True, slots=True)
class Written:
    """One file of the export."""

    file: str
    rows: int
    bytes: int
    sha256: str


class _Output:
    """A file that only its owner can read, and whose hash is taken as it is written."""

    def __init__(self, path: Path) -> None:
        self.path, self.rows = path, 0
        self._hash, self._bytes = hashlib.sha256(), 0
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE_FILE), "wb")

    def write(self, text: str) -> None:
        data = text.encode()
        self._hash.update(data)
        self._bytes += len(data)
        self._file.write(data)

    def close(self) -> Written:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return Written(self.path.name, self.rows, self._bytes, self._hash.hexdigest())


@contextmanager
def folder_at_once(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` to write into, which takes its name when all is written, and goes when it is not.

    Raises `UnprocessableError` for a place that is taken or can't be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        kind = "a folder that is not empty" if folder.is_dir() else "no folder"
        raise UnprocessableError(f"{folder} is {kind}. Name an empty one, or one that does not exist yet, with --to.")
    partial = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.partial")
    try:
        partial.mkdir(mode=_PRIVATE_FOLDER)
    except OSError as error:
        raise UnprocessableError(f"{folder.parent} can't be written into: {error.strerror}.") from error
    try:
        yield partial
        partial.rename(folder)
    except OSError as error:
        raise UnprocessableError(f"{folder} could not be written: {error.strerror}. Nothing is left of it.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_rows(
    folder: Path, name: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]], *, has_sheet: bool
) -> list[Written]:
    """Each row as a line of `name.jsonl`, and of `name.csv` where a spreadsheet helps."""
    lines = _Output(folder / f"{name}.jsonl")
    sheet = _Output(folder / f"{name}.csv") if has_sheet else None
    if sheet is not None:
        sheet.write(next(csv_lines(columns, ())))
    for row in rows:
        lines.write(json.dumps(row, ensure_ascii=False, default=_text) + "\n")
        lines.rows += 1
        if sheet is not None:
            sheet.write(list(csv_lines(columns, [[_cell(row[column]) for column in columns]]))[1])
            sheet.rows += 1
    return [output.close() for output in (lines, sheet) if output is not None]


def write_manifest(folder: Path, facts: Mapping[str, Any], written: Sequence[Written]) -> None:
    """What the export is of, and each file with its rows, size and SHA-256."""
    output = _Output(folder / MANIFEST)
    document = {**facts, "files": [asdict(file) for file in written]}
    output.write(json.dumps(document, ensure_ascii=False, indent=2, default=_text) + "\n")
    output.close()


def _text(value: object) -> str:
    """The canonical text of what JSON has no form for; a moment as the audit log writes it."""
    if isinstance(value, datetime):
        return moment_text(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def _cell(value: object) -> object:
    match value:
        case None:
            return ""
        case bool() | int():
            return value
        case str():
            return harmless(value)
        case list() | dict():
            return harmless(json.dumps(value, ensure_ascii=False, default=_text))
    return _text(value)
