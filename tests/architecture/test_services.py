"""Every service that changes state takes the execution context first (spec 02, ExecutionContext)."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.architecture.sources import PROJECT

APPS = sorted(path.parts[-3] for path in (PROJECT / "apps").glob("*/services/__init__.py"))


def exported_services() -> list[tuple[str, Callable[..., Any]]]:
    found: list[tuple[str, Callable[..., Any]]] = []
    for app in APPS:
        module = importlib.import_module(f"apps.{app}.services")
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isfunction(value):
                found.append((f"{app}.{name}", value))
    return found


SERVICES = exported_services()


@pytest.mark.parametrize(("name", "service"), SERVICES, ids=[name for name, _ in SERVICES])
def test_a_service_takes_the_context_first_and_the_rest_by_keyword(name: str, service: Callable[..., Any]) -> None:
    parameters = list(inspect.signature(service).parameters.values())
    assert parameters[0].name == "context", name
    assert parameters[0].annotation == "ExecutionContext", name
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters[1:]), name
    assert service.__doc__, name


def test_there_are_services_to_check() -> None:
    assert Path(PROJECT / "apps/tenants/services").is_dir()
    assert len(SERVICES) >= 10
