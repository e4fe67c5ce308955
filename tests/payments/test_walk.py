"""From a webhook to the changed lifecycle: through few modules, in the order of `docs/upward-calls.md` (spec 10)."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from tests.architecture.sources import PROJECT
from tests.payments.cast import NOON, Stripe, deliver, make_tenant
from tests.subscriptions.cast import make_plan

pytestmark = pytest.mark.django_db(transaction=True)

# Of payments and subscriptions: what a reader opens. The connectors that a change switches are a walk of their own, and
# so is what a subscription costs, which only reports ask for.
MOST_MODULES = 20
APPS = ("apps.payments.", "apps.subscriptions.", "apps.connectors.")
STEP = re.compile(r"^\| \d \| `(apps\.[\w.]+)`", re.MULTILINE)


@contextmanager
def calls() -> Iterator[list[str]]:
    """The functions of payments, subscriptions and connectors that are called in the block, in order."""
    found: list[str] = []

    def note(frame: FrameType, what: str, _: Any) -> None:
        code = frame.f_code
        if what == "call" and code.co_filename.startswith(f"{PROJECT}/apps/"):
            module = Path(code.co_filename).relative_to(PROJECT).with_suffix("").as_posix().replace("/", ".")
            if module.startswith(APPS):
                found.append(f"{module}.{code.co_name}")

    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(None)


def modules_of(functions: list[str]) -> set[str]:
    modules = {function.rpartition(".")[0] for function in functions if not function.startswith("apps.connectors.")}
    return {module for module in modules if not module.endswith(".pricing")}


def test_a_failed_payment_and_a_changed_subscription_pass_few_modules() -> None:
    make_plan("team")
    stripe = Stripe(make_tenant())
    deliver(stripe.checkout(NOON), stripe.event("customer.subscription.created", stripe.subscription("active"), NOON))
    with calls() as found:
        deliver(stripe.event("invoice.payment_failed", stripe.invoice("1", "open"), NOON + timedelta(days=1)))
    assert len(modules_of(found)) <= MOST_MODULES, sorted(modules_of(found))
    steps = STEP.findall((PROJECT / "docs" / "upward-calls.md").read_text(encoding="utf-8"))
    assert len(steps) == 6
    assert [found.index(step) for step in steps] == sorted(found.index(step) for step in steps)
    with calls() as found:
        past_due = stripe.subscription("past_due")
        deliver(stripe.event("customer.subscription.updated", past_due, NOON + timedelta(days=2)))
    assert len(modules_of(found)) <= MOST_MODULES, sorted(modules_of(found))
