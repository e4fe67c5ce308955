"""Nobody but the rules compares a subscription state or a payment status to decide something (spec 03).

Looked for in the whole product: comparisons, pattern matches, membership tests and query filters that speak of
`SubscriptionState`, `PaymentStatus` or `SubscriptionStatus`, or of the fields that hold them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.sources import Source, sources

ENUMERATIONS = {"SubscriptionState", "PaymentStatus", "SubscriptionStatus"}
FIELDS = {"payment_status", "subscription_status", "subscription__state"}
LOOKUPS = {"filter", "exclude", "get", "Q", "When", "get_or_create", "update_or_create"}
# Who may: the rules themselves; the constraints of the tables; the SQL form of the resolver, built from its tables and
# tested against it; and the page's line about what a provider says.
ALLOWED = (
    "apps/subscriptions/rules/",
    "apps/subscriptions/models/",
    "apps/subscriptions/selectors/filters.py",
    "apps/subscriptions/differences.py",
)


def speaks_of_a_state(node: ast.AST) -> bool:
    """Whether an expression names one of the enumerations' members or one of the fields."""
    for part in ast.walk(node):
        match part:
            case ast.Attribute(value=ast.Name(id=name)) if name in ENUMERATIONS:
                return True
            case ast.Attribute(attr=attribute) if attribute in FIELDS:
                return True
            case ast.Attribute(attr="state", value=ast.Name(id=name)) if name in {"subscription", "record"}:
                return True
            case ast.Attribute(attr="state", value=ast.Attribute(attr="subscription")):
                return True
    return False


def names_a_field(keyword: ast.keyword) -> bool:
    return keyword.arg is not None and any(
        keyword.arg == field or f"{field}__" in keyword.arg + "__" for field in FIELDS
    )


def decisions(source: Source) -> Iterator[str]:
    for node in source.nodes:
        where = f"{source.path}:{getattr(node, 'lineno', 0)}"
        match node:
            case ast.Compare() if speaks_of_a_state(node):
                yield where
            case ast.Match(subject=subject) if speaks_of_a_state(subject):
                yield where
            case ast.match_case(pattern=pattern) if speaks_of_a_state(pattern):
                yield f"{source.path}:{pattern.lineno}"
            case ast.Subscript(slice=index) if speaks_of_a_state(index) and isinstance(node.ctx, ast.Load):
                yield where
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if name in LOOKUPS:
                if any(names_a_field(keyword) or speaks_of_a_state(keyword.value) for keyword in node.keywords):
                    yield where


@pytest.mark.slow
def test_only_the_rules_compare_states() -> None:
    found = [where for source in sources("apps", "billing_site") for where in decisions(source)]
    assert [where for where in found if not where.startswith(ALLOWED)] == []
    assert any(where.startswith("apps/subscriptions/rules/lifecycle.py") for where in found)


@pytest.mark.parametrize(
    "code",
    [
        "config.payment_status == 'locked'",
        "if record.state != SubscriptionState.ENDED: pass",
        "status in (PaymentStatus.LOCKED, PaymentStatus.DISABLED)",
        "config.subscription_status is SubscriptionStatus.SUBSCRIBED",
        "subscription.state in allowed",
        "workspace.subscription.state == 'active'",
        "match config.payment_status:\n    case _: pass",
        "match value:\n    case PaymentStatus.LOCKED: pass",
        "{'locked': False}[config.payment_status]",
        "Organization.objects.filter(payment_config__payment_status='locked')",
        "Workspace.objects.exclude(subscription__state__in=['ended'])",
        "records.filter(state=SubscriptionState.ENDED)",
        "Q(organization__payment_config__subscription_status='subscribed')",
    ],
)
def test_a_second_gate_is_caught(code: str) -> None:
    assert list(decisions(Source("made_up.py", code, ast.parse(code))))


@pytest.mark.parametrize("code", ["config.payment_status = x", "show(config.payment_status)", "run.state == 'done'"])
def test_showing_a_state_is_no_decision(code: str) -> None:
    assert not list(decisions(Source("made_up.py", code, ast.parse(code))))
