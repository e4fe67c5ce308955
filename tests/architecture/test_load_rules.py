"""Rules load and decide where there is no Django: no settings, no database, no registry of apps (spec 10)."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from typing import Any

import grimp
import pytest
from importlinter.configuration import configure
from importlinter.contracts.forbidden import ForbiddenContract

from tests.architecture.rules_without_django import PROJECT, RefuseFrameworks, load_rules

NAME = "Rules know no Django"


def run_alone(program: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *program], cwd=PROJECT, capture_output=True, text=True, check=False)


def test_every_rule_loads_and_decides_without_django() -> None:
    process = run_alone(["-m", "tests.architecture.rules_without_django"])
    assert process.returncode == 0, process.stderr
    assert len(process.stdout.splitlines()) >= 15


def test_the_hook_refuses_what_imports_django() -> None:
    refused = RefuseFrameworks.__name__
    program = (
        f"import sys; from tests.architecture.rules_without_django import {refused}; "
        f"sys.meta_path.insert(0, {refused}()); import apps.subscriptions.models"
    )
    process = run_alone(["-c", program])
    assert process.returncode != 0
    assert "A rule imports django" in process.stderr


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("billing_site", "apps", include_external_packages=True, exclude_type_checking_imports=True)


def the_contract() -> ForbiddenContract:
    configure()
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    options: dict[str, Any] = next(row for row in settings["contracts"] if row["name"].startswith(NAME))
    session = {"root_packages": settings["root_packages"], "include_external_packages": True}
    return ForbiddenContract(options["name"], session, {key: options[key] for key in options if key != "name"})


def test_the_contract_is_kept(graph: grimp.ImportGraph) -> None:
    assert the_contract().check(graph, verbose=False).kept


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("apps.credits.rules.pricing", "django"),
        ("apps.subscriptions.rules.transitions", "apps.subscriptions.models"),
        # A step further away: vocabulary that rules stand on.
        ("apps.core.amounts", "django"),
    ],
)
def test_an_import_of_django_breaks_the_contract(graph: grimp.ImportGraph, importer: str, imported: str) -> None:
    graph.add_import(importer=importer, imported=imported)
    try:
        assert not the_contract().check(graph, verbose=False).kept
    finally:
        graph.remove_import(importer=importer, imported=imported)


def test_every_app_with_rules_is_among_them() -> None:
    assert {module.split(".")[1] for module in load_rules()} == {
        "connectors", "credits", "payments", "reporting", "subscriptions",
    }  # fmt: skip
