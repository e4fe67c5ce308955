"""What operators copy agrees with the product: units, proxies, alerts and dashboard (spec 14)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client
from prometheus_client import REGISTRY

from billing_site.launcher.children import WEB_OPTIONS
from billing_site.launcher.places import PROJECT
from billing_site.queues import WORKERS

OPS = PROJECT / "ops"
METRIC = re.compile(r"\b(?:django|countinghouse|process|python)_[a-z_]+\b")


def command_of(unit: Path) -> str:
    found = re.search(r"^ExecStart=((?:.*\\\n)*.*)$", unit.read_text("utf-8"), re.MULTILINE)
    assert found is not None, unit
    return " ".join(found[1].replace("\\\n", " ").split())


def test_there_is_a_unit_for_each_worker_with_its_queues() -> None:
    for worker in WORKERS:
        command = command_of(OPS / "systemd" / f"countinghouse-{worker.name}.service")
        assert f"--queues={','.join(worker.queues)} " in command
        assert f"--concurrency={worker.processes} " in command
    names = {unit.stem.removeprefix("countinghouse-") for unit in (OPS / "systemd").glob("*.service")}
    assert names == {"web", "beat", *(worker.name for worker in WORKERS)}


def test_web_is_started_as_make_run_does() -> None:
    command = command_of(OPS / "systemd" / "countinghouse-web.service")
    told = (PROJECT / "docs" / "deployment.md").read_text("utf-8")
    for option in WEB_OPTIONS:
        assert f" {option} " in command
        assert option in told


@pytest.fixture(scope="module")
def exposed() -> set[str]:
    """The names that /metrics answers, or would once something had happened."""
    samples = {sample.name for metric in REGISTRY.collect() for sample in metric.samples}
    kinds = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
    return samples | {metric.name + end for metric in REGISTRY.collect() for end in kinds.get(metric.type, ())}


def test_alerts_and_dashboard_name_metrics_that_there_are(exposed: set[str]) -> None:
    answer = Client().get("/metrics", REMOTE_ADDR="127.0.0.1")
    assert answer.status_code == 200
    assert {line.split()[2] for line in answer.content.decode().splitlines() if line.startswith("# HELP django_")}
    for expression in [*alert_expressions(), *dashboard_expressions()]:
        found = set(METRIC.findall(expression)) or {"up"}
        assert found <= exposed | {"up"}, expression


def test_each_alert_says_what_to_do() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"].keys() == {"summary", "remedy"}


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((OPS / "alerts.yml").read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alert_expressions() -> list[str]:
    return [rule["expr"] for rule in rules()]


def dashboard_expressions() -> list[str]:
    board = json.loads((OPS / "grafana-dashboard.json").read_text("utf-8"))
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]
