"""The operation registry refuses what would leave a gate open or ambiguous."""

from __future__ import annotations

import sys

import pytest
from django.apps import apps

from apps.core import operations
from apps.core.enums import Role
from apps.core.operations import OPERATIONS, Operation, register_operations
from apps.core.registry import Registry


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (Operation("credits.read"), "registered twice"),
        (Operation("made_up.one", tenant_role=Role.SUPPORT), "not a tenant role"),
        (Operation("made_up.one", platform_role=Role.OWNER), "not a platform role"),
        (Operation("made_up.one", tenant_role=Role.STAFF_READER), "not a tenant role"),
        (Operation("made_up.one", platform_role=Role.SUPPORT, allowed_in_visit=False), "a visit"),
    ],
)
def test_a_wrong_operation_is_refused(operation: Operation, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "OPERATIONS", Registry("operation", OPERATIONS))
    with pytest.raises(RuntimeError, match=message):
        register_operations(operation)


@pytest.mark.parametrize("allowed_in_visit", [False, True])
def test_what_a_tenant_may_can_be_refused_in_a_visit(allowed_in_visit: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    known = Registry[Operation]("operation")
    monkeypatch.setattr(operations, "OPERATIONS", known)
    register_operations(Operation("made_up.one", tenant_role=Role.MEMBER, allowed_in_visit=allowed_in_visit))
    assert known["made_up.one"].allowed_in_visit is allowed_in_visit


def test_two_operations_of_one_name_are_refused_within_one_app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "OPERATIONS", Registry("operation"))
    with pytest.raises(RuntimeError, match="registered twice"):
        register_operations(Operation("made_up.one"), Operation("made_up.one"))


def test_every_app_registers_its_own() -> None:
    ours = [config.name for config in apps.get_app_configs() if config.name.startswith("apps.")]
    assert len(ours) >= 8
    assert {f"{name}.operations" for name in ours} <= set(sys.modules)
    assert len(OPERATIONS) > 60
