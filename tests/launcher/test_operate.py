"""What operators copy agrees with the product: units, proxies, alerts and dashboard (spec 14)."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.test import Client

from billing_site.launcher.children import WEB_OPTIONS
from billing_site.launcher.places import PROJECT
from billing_site.queues import WORKERS

OPS = PROJECT / "ops"
RULES = (OPS / "alerts.yml").read_text("utf-8")
_ENDS = {"histogram": ("_bucket", "_count", "_sum")}
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
def exposed(lasting_db: None) -> set[str]:
    """The names that /metrics answers, or would once something had happened."""
    answer = Client().get("/metrics", REMOTE_ADDR="127.0.0.1")
    assert answer.status_code == 200
    types = re.findall(r"^# TYPE (\S+) (\S+)$", answer.content.decode(), re.MULTILINE)
    return {name + end for name, kind in types for end in _ENDS.get(kind, ("",))}


def test_alerts_and_dashboard_name_metrics_that_there_are(exposed: set[str]) -> None:
    for expression in [*alert_expressions(), *dashboard_expressions()]:
        found = set(METRIC.findall(expression)) or {"up"}
        assert found <= exposed | {"up"}, expression


def test_each_metric_of_ours_is_described_and_shown(exposed: set[str]) -> None:
    ours = {name for name in exposed if name.startswith("countinghouse_") and not name.endswith("_created")}
    told = (PROJECT / "docs" / "operations.md").read_text("utf-8")
    assert set(re.findall(r"`(countinghouse_[a-z_]+)`", told)) == ours
    shown = METRIC.findall(" ".join([*dashboard_expressions(), *alert_expressions()]))
    assert ours <= set(shown), "neither a panel nor an alert asks for it"


def test_each_alert_says_what_to_do() -> None:
    rules = RULES.split("- alert: ")[1:]
    assert len(rules) == len(alert_expressions()) > 3
    for rule in rules:
        assert re.search(r"severity: (page|ticket)}", rule)
        assert "summary: " in rule
        assert "remedy: " in rule


def alert_expressions() -> list[str]:
    """What stands between `expr:` and the next key."""
    return re.findall(r"expr: (.*?)\n +(?:for|labels):", RULES, re.DOTALL)


def dashboard_expressions() -> list[str]:
    board = json.loads((OPS / "grafana-dashboard.json").read_text("utf-8"))
    return [target["expr"] for panel in board["panels"] for target in panel["targets"]]
