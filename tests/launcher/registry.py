"""A package registry on this machine that serves made-up packages, and remembers what it was asked for."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.http_server import QuietHandler, serve


@dataclass
class Registry:
    """Files by their names, grouped by the project that each belongs to."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    """The names of the files that were fetched, or whose metadata were."""
    address: str = ""

    def add(self, name: str, content: bytes) -> str:
        """Offer the file; what a lock says of it."""
        self.files[name] = content
        project, version = name.removesuffix(".tar.gz").split("-")[:2]
        return f"{project}=={version} --hash=sha256:{hashlib.sha256(content).hexdigest()}\n"

    def page(self, project: str) -> str | None:
        """The project's page of links, as PEP 503 has it."""
        names = [name for name in self.files if _project(name) == project]
        links = "".join(f'<a href="/files/{name}">{name}</a>' for name in names)
        return f"<!DOCTYPE html><html><body>{links}</body></html>" if names else None


@contextmanager
def serving(registry: Registry) -> Iterator[Registry]:
    """The registry listens at `address` inside."""

    class Handler(QuietHandler):
        def do_GET(self) -> None:
            place, _, name = self.path.strip("/").partition("/")
            if place == "files":
                registry.asked.append(name)
                content = registry.files.get(name)
            else:
                page = registry.page(name)
                content = None if page is None else page.encode()
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Type", "text/html" if place == "simple" else "application/octet-stream")
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            self.wfile.write(content or b"")

    with serve(Handler) as port:
        registry.address = f"http://127.0.0.1:{port}/simple"
        yield registry


def wheel(project: str, version: str, *requires: str, extra: str = "", modules: dict[str, str] | None = None) -> bytes:
    """A wheel. Of `requires`, those that name the extra count with it only."""
    metadata = [f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}"]
    metadata += [f"Provides-Extra: {extra}"] if extra else []
    metadata += [f"Requires-Dist: {requirement}" for requirement in requires]
    folder = f"{project}-{version}.dist-info"
    files = {f"{name}.py": source for name, source in (modules or {project: ""}).items()}
    files[f"{folder}/METADATA"] = "\n".join(metadata) + "\n"
    files[f"{folder}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = [f"{name},sha256={_digest(content)},{len(content)}" for name, content in files.items()]
    files[f"{folder}/RECORD"] = "\n".join([*record, f"{folder}/RECORD,,"]) + "\n"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return packed.getvalue()


def sources(project: str, version: str, build_tool: str) -> bytes:
    """A package that comes as sources, and wants the newest of its build tool."""
    files = {
        "pyproject.toml": f'[build-system]\nrequires = ["{build_tool}"]\nbuild-backend = "{build_tool}"\n',
        "PKG-INFO": f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n",
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"{project}-{version}/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content.encode()))
    return packed.getvalue()


def build_tool(project: str, version: str, ready: bytes, name: str) -> bytes:
    """The wheel of a build tool that hands out a ready wheel, whatever it is asked to build."""
    source = (
        "import base64, pathlib\n"
        f"def build_wheel(folder, settings=None, metadata=None):\n"
        f"    pathlib.Path(folder, {name!r}).write_bytes(base64.b64decode({base64.b64encode(ready).decode()!r}))\n"
        f"    return {name!r}\n"
    )
    return wheel(project, version, modules={project: source})


def _project(name: str) -> str:
    """The normal form of the name of the file's project (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name.split("-", maxsplit=1)[0]).lower()


def _digest(content: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest()).rstrip(b"=").decode()
