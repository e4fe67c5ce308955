"""Run by `test_load_rules` as a process of its own where Django can't be imported: loads the rules, asks their tables.

Prints the modules that it loaded, one a line.
"""

from __future__ import annotations

import importlib
import itertools
import sys
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

FRAMEWORKS = frozenset({"django", "rest_framework", "celery"})
PROJECT = Path(__file__).resolve().parents[2]


class RefuseFrameworks(MetaPathFinder):
    """An import hook: the frameworks are not there."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in FRAMEWORKS:
            raise ModuleNotFoundError(f"A rule imports {fullname}.", name=fullname)
        return None


def load_rules() -> list[str]:
    paths = sorted((PROJECT / "apps").glob("*/rules/*.py"))
    modules = [".".join(path.relative_to(PROJECT).with_suffix("").parts) for path in paths]
    for module in modules:
        importlib.import_module(module.removesuffix(".__init__"))
    return modules


def ask_transitions() -> None:
    from apps.subscriptions.enums import PaymentStatus, SubscriptionState  # noqa: PLC0415
    from apps.subscriptions.rules import payment_transitions, transitions  # noqa: PLC0415

    assert {row.verb for row in transitions.legal_verbs(None)} == {"start_trial", "activate"}
    assert transitions.verb_between(SubscriptionState.ACTIVE, SubscriptionState.SUSPENDED) == "suspend"
    assert ("ended", "past_due") not in set(transitions.state_pairs())
    assert {row.verb for row in payment_transitions.legal_verbs(PaymentStatus.GRACE_PERIOD)} >= {"end_grace"}
    assert ("grace_period", "disabled") in set(payment_transitions.status_pairs())


def ask_lifecycle() -> None:
    from apps.core.enums import LifecycleNeed, LifecycleState  # noqa: PLC0415
    from apps.core.ids import OrganizationId, WorkspaceId  # noqa: PLC0415
    from apps.subscriptions.enums import ManagedBy, PaymentStatus, SubscriptionState, SubscriptionStatus  # noqa: PLC0415
    from apps.subscriptions.ids import WorkspaceSubscriptionId  # noqa: PLC0415
    from apps.subscriptions.rules.lifecycle import LifecycleFacts, SubscriptionFacts, resolve  # noqa: PLC0415

    nobody = uuid.UUID(int=1)
    for payment, state, status in itertools.product(PaymentStatus, SubscriptionState, SubscriptionStatus):
        facts = LifecycleFacts(
            workspace_id=WorkspaceId(nobody),
            organization_id=OrganizationId(nobody),
            at=datetime(2026, 1, 1, tzinfo=UTC),
            payment_status=payment,
            subscription_status=status,
            subscription=SubscriptionFacts(WorkspaceSubscriptionId(nobody), state, ManagedBy.STAFF, 1),
        )
        decision = resolve(facts)
        may_sync = payment not in {PaymentStatus.DISABLED, PaymentStatus.LOCKED} and state not in {
            SubscriptionState.SUSPENDED,
            SubscriptionState.ENDED,
        }
        assert decision.permits(LifecycleNeed.SYNC) is may_sync, facts
        assert decision.state is not LifecycleState.CLOSED


def ask_prices() -> None:
    from apps.credits.rules.decision import compile_gate  # noqa: PLC0415
    from apps.credits.rules.pricing import Price, charge_for  # noqa: PLC0415

    assert charge_for(Price("review", "run", 2_500_000), 3_000_000) == 7_500_000
    assert set(compile_gate().letters)


if __name__ == "__main__":
    sys.meta_path.insert(0, RefuseFrameworks())
    loaded = load_rules()
    ask_transitions()
    ask_lifecycle()
    ask_prices()
    assert FRAMEWORKS.isdisjoint(sys.modules)
    sys.stdout.write("\n".join(loaded))
