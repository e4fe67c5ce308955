"""Each import contract is seen broken by one import planted against it in a copy of the tree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.sources import PROJECT

# How a contract's name begins: a module of the copy, and what it is made to import against the contract.
PLANTED = {
    "Calls go down the stack of apps": ("apps.core.clock", "apps.tenants.enums"),
    "Inside tenants": ("apps.tenants.enums", "apps.tenants.services"),
    "Inside subscriptions": ("apps.subscriptions.enums", "apps.subscriptions.services"),
    "Inside credits": ("apps.credits.enums", "apps.credits.services"),
    "Inside connectors": ("apps.connectors.enums", "apps.connectors.services"),
    "Inside payments": ("apps.payments.enums", "apps.payments.services"),
    "Inside reporting": ("apps.reporting.rules.pieces", "apps.reporting.services"),
    "Inside core": ("apps.core.enums", "apps.core.jobs"),
    "Inside backoffice": ("apps.backoffice.cells", "apps.backoffice.pages"),
    "Rules, records and services": ("apps.core.amounts", "celery"),
    "Rules know no Django": ("apps.credits.rules.pricing", "django"),
}
_CONTRACTS = (PROJECT / "pyproject.toml").read_text(encoding="utf-8").partition("[tool.importlinter]")[2]
NAMES = re.findall(r'^name = "(.*)"$', _CONTRACTS, re.MULTILINE)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What import-linter says of a copy of the product with every planted import."""
    copy = tmp_path_factory.mktemp("tree")
    for folder in ("apps", "billing_site"):
        shutil.copytree(PROJECT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(PROJECT / "pyproject.toml", copy)
    for module, imported in PLANTED.values():
        path = copy / f"{module.replace('.', '/')}.py"
        path.write_text(f"{path.read_text(encoding='utf-8')}\nimport {imported}\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--no-logo"],
        cwd=copy,
        env={**os.environ, "COLUMNS": "300"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout.partition("Broken contracts")[2]


def test_every_contract_has_its_planted_import() -> None:
    assert sorted(begin for begin in PLANTED for name in NAMES if name.startswith(begin)) == sorted(PLANTED)
    assert len(NAMES) == len(PLANTED)


@pytest.mark.parametrize("begin", PLANTED)
def test_a_planted_import_breaks_the_contract(begin: str, report: str) -> None:
    module, imported = PLANTED[begin]
    _, name, rest = report.partition(next(name for name in NAMES if name.startswith(begin)))
    assert name, report
    following = [rest.index(other) for other in NAMES if other in rest]
    section = rest[: min(following, default=len(rest))]
    assert f"{module} -> {imported} (l." in section, report
