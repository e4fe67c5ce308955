"""Random lives of an organization with usage of every kind, and what they come to, computed in another way.

The second computation reads every entry and record, asks Python for each day, and adds up in dictionaries.
"""

from __future__ import annotations

import random
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

import time_machine

from apps.connectors.contracts import Month, ProviderRecord
from apps.connectors.enums import ConnectorStatus, RecordKind, SyncStatus, SyncTrigger
from apps.connectors.models import BillingRecord, Connector, SyncRun
from apps.connectors.rules.months import MonthFrame
from apps.connectors.sync.records import PageContext, make_rows, void_missing_records, write_page
from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.enums import AuthorizationSource, Role, UsageCategory
from apps.core.ids import OrganizationId, WorkspaceId
from apps.core.moments import zone_of
from apps.credits.models import CreditEntry
from apps.credits.services import account_apply_due, credit_adjust, credits_consume, entry_reverse
from apps.reporting.selectors.usage import Span, connector_usage, credit_usage, zone_of_rollups
from apps.reporting.services import rollups_refresh
from apps.tenants.models import Organization, Workspace
from tests.contexts import console_context
from tests.credits.cast import Place, consumption, give, make_place
from tests.factories.tenants import make_workspace

_EXACT = Context(prec=200)
CHARGES = ("consumption", "capture")


@dataclass(slots=True)
class Life:
    """One organization with two workspaces and a connector, and chance."""

    place: Place
    workspaces: list[Workspace]
    connector: Connector
    chance: random.Random
    records: dict[str, ProviderRecord] = field(default_factory=dict)

    @property
    def organization(self) -> Organization:
        return self.place.organization


def begin_life(seed: int, zone: str, start: datetime) -> Life:
    """An organization in the zone, whose product has had its prices for some time."""
    with at(start - timedelta(days=30)):
        place = make_place(f"product-{uuid.uuid4().hex[:8]}", whole_credits=10_000)
        Organization.objects.filter(pk=place.organization.pk).update(time_zone=zone)
        workspaces = [make_workspace(place.organization, f"Space {number}") for number in range(2)]
        connector = Connector.objects.create(
            workspace=workspaces[0], provider="demo", name=uuid.uuid4().hex, status=ConnectorStatus.ENABLED
        )
    return Life(place, workspaces, connector, random.Random(seed))  # noqa: S311 - a sample, not a secret


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Within the block it is that moment."""
    with time_machine.travel(moment, tick=False):
        yield


def live(life: Life, moment: datetime, *, zones: tuple[str, ...]) -> None:
    """Do one thing at the moment, chosen by chance."""
    with at(moment):
        act = life.chance.choices(
            (consume, reverse, sync, refresh, grow, move), weights=(12, 4, 3, 4, 2, 1 if zones else 0)
        )[0]
        if act is move:
            Organization.objects.filter(pk=life.organization.pk).update(time_zone=life.chance.choice(zones))
        else:
            act(life)


def move(life: Life) -> None:
    """The zone changes; done by `live`, which knows the zones."""


def consume(life: Life) -> None:
    """A charge, sometimes late, of either workspace or none, billable or not."""
    chance = life.chance
    late = chance.choice((timedelta(0), timedelta(0), timedelta(hours=chance.randrange(200)), timedelta(days=20)))
    credits_consume(
        life.place.context,
        consumption=consumption(
            life.place,
            operation=chance.choice(("fix_run", "unit", "scan")),
            quantity=chance.randrange(1, 5_000_000),
            occurred_at=clock.now() - late,
            outcome=chance.choice(("succeeded", "succeeded", "failed")),
            workspace_id=chance.choice((None, *(space.pk for space in life.workspaces))),
            on_insufficient="record",
        ),
    )


def reverse(life: Life) -> None:
    """Give a charge back, whole or in part."""
    open_charges = CreditEntry.objects.filter(
        account=life.organization.pk, amount__lt=0, kind__in=CHARGES, reversals=None
    )
    charge = open_charges.order_by("sequence")[life.chance.randrange(5) :].first()
    if charge is not None:
        amount = life.chance.choice((None, max(-charge.amount // 3, 1)))
        entry_reverse(life.place.context, entry_id=charge.pk, key=uuid.uuid4().hex, reason="by chance", amount=amount)


def sync(life: Life) -> None:
    """The records of a month: some new, some changed, some moved to another day or month, some gone."""
    chance, now = life.chance, clock.now()
    months = [Month(now.year, now.month), Month(now.year, now.month).shifted(-1)]
    month = chance.choice(months)
    for number in range(chance.randrange(4)):
        name = f"r-{chance.randrange(12)}"
        money = chance.choice((None, chance.randrange(-5, 10_000)))
        life.records[name] = ProviderRecord(
            external_id=name,
            occurred_at=now - timedelta(minutes=chance.randrange(30 * 24 * 60)),
            kind=chance.choice((RecordKind.USAGE, RecordKind.USAGE, RecordKind.COST, RecordKind.INVOICE)),
            description=str(number),
            quantity=chance.choice((None, Decimal(chance.randrange(-100, 10**9)).scaleb(-chance.randrange(9)))),
            unit=chance.choice(("GB", "hour")),
            amount_minor=money,
            currency=chance.choice(("EUR", "JPY")) if money is not None else "",
            category=chance.choice(tuple(UsageCategory)),
        )
    run = SyncRun.objects.create(
        connector=life.connector,
        month=str(month),
        trigger=SyncTrigger.SCHEDULE,
        reason="by chance",
        status=SyncStatus.SUCCEEDED,
        actor_label="by chance",
        role=Role.SYSTEM,
        authorization_source=AuthorizationSource.SCHEDULER,
        request_id="by-chance",
        created_at=now,
        started_at=now,
        finished_at=now,
    )
    place = PageContext(life.connector.pk, run.pk, str(month), now)
    kept = [record for record in life.records.values() if chance.random() < 0.8]
    write_page(place, make_rows(kept, MonthFrame.of(month, None)), fetched=len(kept), next_cursor=None)
    void_missing_records(place, was_final=False)


def refresh(life: Life) -> None:
    """The job comes by."""
    rollups_refresh(console_context())


def grow(life: Life) -> None:
    """What is no usage: a grant that will end, an adjustment, what has come due."""
    give(life.place, life.chance.randrange(1, 5) * MICRO, expires_at=clock.now() + timedelta(days=2))
    credit_adjust(
        console_context(), account_id=life.organization.pk, key=uuid.uuid4().hex, amount=MICRO, reason="by chance"
    )
    account_apply_due(console_context(), account_id=life.organization.pk)


def credit_truth(life: Life, zone: str, workspace_id: uuid.UUID | None) -> dict[tuple[Any, ...], list[int]]:
    """Day and words -> quantity, count, charge, of every entry that is usage."""
    found: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
    place = zone_of(zone)
    given: dict[uuid.UUID, int] = defaultdict(int)
    entries = {entry.pk: entry for entry in CreditEntry.objects.filter(account=life.organization.pk)}
    for entry in sorted(entries.values(), key=lambda entry: entry.sequence):
        if entry.kind not in {*CHARGES, "reversal"}:
            continue
        if workspace_id is not None and entry.workspace_id != workspace_id:
            continue
        words = (entry.workspace_id, entry.product_id, entry.operation, entry.category)
        found[entry.recorded_at.astimezone(place).date(), *words][2] -= entry.amount
        charge, sign = entry, 1
        if entry.kind == "reversal":
            charge = entries[entry.reversal_of_id]  # type: ignore[index]
            given[charge.pk] += entry.amount
            sign = -1 if given[charge.pk] == -charge.amount else 0
        used = found[charge.occurred_at.astimezone(place).date(), *words]
        used[0] += sign * charge.quantity
        used[1] += sign
    return {words: figures for words, figures in found.items() if any(figures)}


def record_truth(life: Life, zone: str) -> dict[tuple[Any, ...], list[Any]]:
    """The same of the connector's records of usage and cost: quantity as an exact fraction, and amount."""
    found: dict[tuple[Any, ...], list[Any]] = defaultdict(lambda: [Fraction(0), 0])
    for record in BillingRecord.objects.filter(connector=life.connector, voided_at=None):
        if record.kind in {RecordKind.USAGE, RecordKind.COST}:
            day: date = record.occurred_at.astimezone(zone_of(zone)).date()
            words = (life.connector.workspace_id, record.connector_id, record.kind, record.unit, record.category)
            figures = found[day, *words, record.currency]
            figures[0] += Fraction(Decimal(record.quantity or "0", _EXACT))
            figures[1] += record.amount_minor or 0
    return dict(found)


def shown(life: Life, now: datetime, workspace_id: WorkspaceId | None = None) -> tuple[str, Any, Any]:
    """What readers are told of a year and a half."""
    organization_id = OrganizationId(life.organization.pk)
    zone = zone_of_rollups(organization_id)
    first, until = now.date() - timedelta(days=500), now.date() + timedelta(days=3)
    with at(now):
        span = Span(organization_id, workspace_id, zone, first, until)
        used = {
            (line.day, line.workspace_id, line.product_id, line.operation, line.category): [
                line.quantity, line.count, line.charge,
            ]
            for line in credit_usage(span)
        }  # fmt: skip
        records = {
            (line.day, line.workspace_id, line.connector_id, line.kind, line.unit, line.category, line.currency): [
                Fraction(line.quantity), line.amount,
            ]
            for line in connector_usage(span)
        }  # fmt: skip
    return zone, used, records


def agree(life: Life, now: datetime) -> None:
    zone, used, records = shown(life, now)
    assert used == credit_truth(life, zone, None)
    assert records == record_truth(life, zone)
    for space in life.workspaces:
        assert shown(life, now, WorkspaceId(space.pk))[1] == credit_truth(life, zone, space.pk)
