"""Each alert is silent while all is well, and speaks soon after it is not (spec 14, Watching it).

promtool carries the rules out where it is installed (Debian's package `prometheus`). Without it, what it would be given
is compared with the rules and with what /metrics answers.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from tests.launcher.test_operate import METRIC, OPS, RULES, alert_expressions, dashboard_expressions
from tests.launcher.test_operate import exposed as exposed  # noqa: PLC0414 - a fixture of this module

PROMTOOL = shutil.which("promtool")
TOTAL = "django_http_responses_total_by_status_total"
BY_VIEW = "django_http_responses_total_by_status_view_method_total"
LATENCY = "django_http_requests_latency_seconds_by_view_method_bucket"
# Promtool writes so: a value, and how often it grows by a step, a minute each.
STEADY = "0+1000x60"


@dataclass(frozen=True, slots=True)
class Case:
    """Samples by series: when all is well, and when it is not; the labels of what is told then, and its value."""

    well: dict[str, str]
    ill: dict[str, str]
    labels: dict[str, str] = field(default_factory=dict)
    value: str = ""


def _gauge(series: str, well: str, ill: str, value: str = "", **labels: str) -> Case:
    """One number that is at the border of what is well, and one beyond it."""
    return Case({series: f"{well}x60"}, {series: f"{ill}x60"}, labels, value)


def _latency(within: int) -> dict[str, str]:
    """Of a hundred calls a minute, so many within a quarter of a second."""
    labels = 'view="credits-consume", method="POST"'
    return {
        f'{LATENCY}{{{labels}, le="0.25"}}': f"0+{within}x60",
        f'{LATENCY}{{{labels}, le="0.5"}}': "0+100x60",
        f'{LATENCY}{{{labels}, le="+Inf"}}': "0+100x60",
    }


CASES: dict[str, Case] = {
    "Down": _gauge('up{instance="web-1:8000"}', "1", "0", instance="web-1:8000", job="countinghouse"),
    "ServerErrors": Case(
        {f'{TOTAL}{{status="200"}}': STEADY, f'{TOTAL}{{status="503"}}': "0+9x60"},
        {f'{TOTAL}{{status="200"}}': STEADY, f'{TOTAL}{{status="503"}}': "0+12x60"},
    ),
    "Uncaught": _gauge(f'{BY_VIEW}{{view="sign-in", method="GET", status="500"}}', "7", "7x20 8", view="sign-in"),
    # The first of its kind: no increase is seen of a counter that begins at one.
    "Uncaught, the first": _gauge(
        f'{BY_VIEW}{{view="sign-in", method="GET", status="500"}}', "7", "_x20 1", view="sign-in"
    ),
    "SlowHotCalls": Case(_latency(100), _latency(98), {"view": "credits-consume"}),
    "RefusesCallers": _gauge(f'{TOTAL}{{status="429"}}', "0+30", "0+90"),
    "WithoutWebhooks": _gauge(
        f'{BY_VIEW}{{view="webhook-stripe", method="POST", status="400"}}', "_x15 0+0", "_x15 0+1"
    ),
    "QueueStands": _gauge('countinghouse_queue_overdue_seconds{queue="outbox"}', "600", "601", queue="outbox"),
    "JobLate": _gauge('countinghouse_job_late_seconds{name="daily-reports"}', "7200", "7201", name="daily-reports"),
    "BooksDiffer": _gauge(
        'countinghouse_books_differences{found_by="verify-books"}', "0", "3", "3", found_by="verify-books"
    ),
    "Parked": _gauge('countinghouse_parked{queue="inbox"}', "0", "2", "2", queue="inbox"),
    "ReplicaBehind": _gauge("countinghouse_replica_lag_seconds{}", "30", "31", "31"),
    "ReplicaNotRead": _gauge('countinghouse_replica_fallbacks_total{cause="away"}', "5+0", "5+1", cause="away"),
    "ConnectionsRunOut": Case(
        {
            'countinghouse_database_connections{application="web"}': "60x60",
            'countinghouse_database_connections{application="worker"}': "20x60",
            "countinghouse_database_connections_allowed{}": "100x60",
        },
        {
            'countinghouse_database_connections{application="web"}': "60x60",
            'countinghouse_database_connections{application="worker"}': "21x60",
            "countinghouse_database_connections_allowed{}": "100x60",
        },
    ),
}


def rule_of(name: str) -> str:
    """The text of the rule that a case is about; what follows a comma tells cases of one rule apart."""
    return rules()[name.partition(",")[0]]


def rules() -> dict[str, str]:
    """The text of each rule, by its name without the product's."""
    return {part.split("\n", 1)[0].removeprefix("Countinghouse"): part for part in RULES.split("- alert: ")[1:]}


def with_job(series: str) -> str:
    """As Prometheus stores it that scrapes the product as its job."""
    labels = series[series.index("{") + 1 : -1]
    return f'{series[: series.index("{")]}{{job="countinghouse"{", " if labels else ""}{labels}}}'


def told(rule: str, case: Case) -> dict[str, Any]:
    """The one alert that is told, with its texts filled in."""
    texts = {name: found[1] for name in ("summary", "remedy") if (found := re.search(rf'{name}: "(.*)"', rule))}
    for name, value in {**{f"$labels.{label}": of for label, of in case.labels.items()}, "$value": case.value}.items():
        texts = {key: text.replace(f"{{{{ {name} }}}}", value) for key, text in texts.items()}
    severity = re.search(r"severity: (\w+)", rule)
    assert severity is not None
    return {"exp_labels": {**case.labels, "severity": severity[1]}, "exp_annotations": texts}


def unit_test(name: str, samples: dict[str, str], expected: list[dict[str, Any]]) -> dict[str, Any]:
    """What is told a minute after the rule has waited as long as it says."""
    found = re.search(r"for: (\d+)([mh])", rule_of(name))
    waited = int(found[1]) * {"m": 1, "h": 60}[found[2]] if found else 0
    alert = f"Countinghouse{name.partition(',')[0]}"
    expectation = {"eval_time": f"{min(26 + waited, 60)}m", "alertname": alert, "exp_alerts": expected}
    return {
        "interval": "1m",
        "input_series": [{"series": with_job(series), "values": values} for series, values in samples.items()],
        "alert_rule_test": [expectation],
    }


def test_every_alert_has_a_case_with_metrics_that_there_are(exposed: set[str]) -> None:
    assert {name.partition(",")[0] for name in CASES} == set(rules())
    for name, case in CASES.items():
        assert case.well.keys() == case.ill.keys()
        assert set(re.findall(r"\$labels\.(\w+)", rule_of(name))) <= set(case.labels), name
        for series in case.well:
            assert set(METRIC.findall(series)) <= exposed, name


@pytest.mark.django_db
def test_what_alerts_and_panels_ask_of_answers_has_samples() -> None:
    """A metric that exists may have none: nothing was ever counted in it. The same holds for names of views."""
    client = Client()
    for path in sorted(settings.HOT_PATHS):
        client.post(path, b"{}", content_type="application/json")
    client.get("/sign-in/")
    answered = client.get("/metrics", REMOTE_ADDR="127.0.0.1").content.decode()
    counted = set(re.findall(r"^(django_http_\w+)(?:{.*})? (?!0\.0$)\S+$", answered, re.MULTILINE))
    called = set(re.findall(rf'^{BY_VIEW}{{.*view="([^"]+)".*}} [1-9]', answered, re.MULTILINE))
    asked = [*alert_expressions(), *dashboard_expressions()]
    for expression in asked:
        assert {name for name in METRIC.findall(expression) if name.startswith("django_")} <= counted, expression
        for pattern in re.findall(r'view=~"([^"]+)"', expression):
            assert any(re.fullmatch(pattern, view) for view in called), (pattern, called)
    assert sum("view=~" in expression for expression in asked) > 3


def test_a_rule_that_tells_the_first_of_a_kind_sees_it() -> None:
    """No increase is seen of a counter that begins at one, unless the rule also asks which series are new."""
    first = [rule for rule in rules().values() if "increase(" in rule and "> 0" in rule and "for:" not in rule]
    assert first
    assert all(re.search(r"unless [^\n]* offset ", rule) for rule in first)


if PROMTOOL:

    @pytest.mark.parametrize("name", CASES)
    def test_it_is_silent_when_all_is_well_and_speaks_when_not(name: str, tmp_path: Path) -> None:
        case, rule = CASES[name], rule_of(name)
        wanted = [unit_test(name, case.well, []), unit_test(name, case.ill, [told(rule, case)])]
        # YAML reads JSON.
        (tmp_path / "test.yml").write_text(json.dumps({"rule_files": [str(OPS / "alerts.yml")], "tests": wanted}))
        done = subprocess.run(
            [str(PROMTOOL), "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
