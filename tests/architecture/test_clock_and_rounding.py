"""Only `apps.core.clock` reads the time, and only `apps.core.amounts` rounds (spec 10, principle 16; spec 05)."""

from __future__ import annotations

import ast

import pytest

from tests.architecture.sources import Source, sources

CLOCK_CALLS = {"now", "utcnow", "today", "time", "time_ns", "localdate", "localtime"}
CLOCK_OWNERS = {"datetime", "date", "time", "timezone"}
# The launcher supervises processes before Django exists; nothing of the domain lives there.
CLOCK_READERS = ("apps/core/clock.py", "billing_site/launcher/")
ROUNDERS = ("apps/core/amounts.py",)


def clock_reads(source: Source) -> list[str]:
    return [
        f"{source.path}:{node.lineno}"
        for node in source.nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in CLOCK_CALLS
        and isinstance(node.func.value, ast.Name | ast.Attribute)
        and (node.func.value.id if isinstance(node.func.value, ast.Name) else node.func.value.attr) in CLOCK_OWNERS
    ] + [
        f"{source.path}:{node.value.lineno}"
        for node in ast.walk(source.tree)
        # A field that asks Django for the time passes by the clock, with its test clock and its replayed moments.
        if isinstance(node, ast.keyword) and node.arg in {"auto_now", "auto_now_add"}
    ]


def roundings(source: Source) -> list[str]:
    found = []
    for node in source.nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"round", "float"}:
            found.append(f"{source.path}:{node.lineno}")
        if isinstance(node, ast.Attribute) and node.attr in {"quantize", "FloatField"}:
            found.append(f"{source.path}:{node.lineno}")
    return found


def test_nothing_but_the_clock_reads_the_time() -> None:
    found = [where for source in sources("apps", "billing_site") for where in clock_reads(source)]
    # Migrations keep what they were written with.
    assert [where for where in found if not where.startswith(CLOCK_READERS) and "/migrations/" not in where] == []


def test_nothing_but_amounts_rounds_or_makes_floats() -> None:
    found = [where for source in sources("apps") for where in roundings(source)]
    assert [where for where in found if not where.startswith(ROUNDERS)] == []


@pytest.mark.parametrize(
    "line",
    [
        "datetime.now(UTC)",
        "timezone.now()",
        "time.time()",
        "date.today()",
        "datetime.datetime.utcnow()",
        "models.DateTimeField(auto_now_add=True)",
    ],
)
def test_the_check_finds_a_clock(line: str) -> None:
    assert clock_reads(Source("made_up.py", line, ast.parse(line))) == ["made_up.py:1"]


@pytest.mark.parametrize("line", ["round(x, 2)", "float('1')", "x.quantize(y)", "models.FloatField()"])
def test_the_check_finds_a_rounding(line: str) -> None:
    assert roundings(Source("made_up.py", line, ast.parse(line))) == ["made_up.py:1"]


# Whatever else reads a moment from outside would bring a bound, a zone and errors of its own.
READERS = {"fromisoformat", "fromtimestamp", "utcfromtimestamp", "strptime", "parse_datetime", "parse_date", "mktime"}
FIELDS = {"DateField", "DateTimeField", "SplitDateTimeField", "SelectDateWidget"}
ZONE_READERS = {"available_timezones", "ZoneInfo"}
MOMENT_READERS = ("apps/core/moments.py", "apps/core/form_fields.py")
# They read what they wrote themselves: a signed or sealed text, a row version, the audit log.
OF_OUR_OWN = (
    "apps/connectors/oauth/client.py",
    "apps/subscriptions/preview.py",
    "apps/subscriptions/selectors/records.py",
    "apps/backoffice/workspace/labels.py",
    "apps/tenants/sign_in/sessions.py",
    "apps/tenants/oidc/attempts.py",
)


def moment_reads(source: Source) -> list[str]:
    found = []
    for node in source.nodes:
        if isinstance(node, ast.Attribute):
            is_form_field = isinstance(node.value, ast.Name) and node.value.id == "forms" and node.attr in FIELDS
            if node.attr in READERS or is_form_field:
                found.append(f"{source.path}:{node.lineno}")
        if isinstance(node, ast.Name) and node.id in READERS | ZONE_READERS:
            found.append(f"{source.path}:{node.lineno}")
    return found


def test_only_the_readers_of_moments_read_moments_days_and_zones() -> None:
    found = [where for source in sources("apps") for where in moment_reads(source)]
    assert [where for where in found if not where.startswith((*MOMENT_READERS, *OF_OUR_OWN))] == []


@pytest.mark.parametrize(
    "line",
    ["datetime.fromisoformat(text)", "datetime.fromtimestamp(1, UTC)", "forms.DateField()", "ZoneInfo(name)"],
)
def test_the_check_finds_a_reader(line: str) -> None:
    assert moment_reads(Source("made_up.py", line, ast.parse(line))) == ["made_up.py:1"]
