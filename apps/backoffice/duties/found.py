"""The tasks as they are now. Each source reads the few that press most by an index, whatever the number of customers.

Which are snoozed or dismissed is asked in the same query: they never take the place of one that nobody has seen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import (
    Case,
    CharField,
    F,
    Func,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.functions import Cast, Concat

from apps.backoffice.cells import list_url, page_url_of, relative
from apps.backoffice.duties.occurrences import (
    OF_EACH,
    Found,
    ShownTask,
    Task,
    Wanted,
    decisions_of,
    first_of,
    is_put_away,
    key_of,
    kind_value,
    written,
    written_as_iso,
    written_version,
)
from apps.backoffice.enums import TaskKind, TaskState
from apps.backoffice.records.credits import format_credits
from apps.connectors.enums import ConnectorStatus, SyncStatus
from apps.connectors.models import Connector, SyncRun
from apps.connectors.models.connectors import NEEDS_A_PERSON
from apps.core import clock
from apps.core.amounts import MICRO, round_to_quantum
from apps.credits.models import CreditAccount, CreditGrant
from apps.payments.enums import ReviewKind
from apps.payments.models import Review
from apps.reporting.models import AccountRunway
from apps.subscriptions.enums import PendingChangeStatus, Verdict
from apps.subscriptions.models import DecisionReceipt, OrganizationPaymentConfig, PendingChange
from apps.subscriptions.selectors.filters import locked_configs
from apps.tenants.models import Organization, Workspace

GRACE_AHEAD = timedelta(days=7)
EMPTY_AHEAD = timedelta(days=7)
LOOKED_BACK = timedelta(hours=24)
MOST_DENIALS, MANY_DENIALS = 1000, 20


Source = Callable[[Wanted], Iterator[Found]]


def _reviews(wanted: Wanted) -> Iterator[Found]:
    twice = When(kind=ReviewKind.CHARGED_TWICE, then=kind_value(TaskKind.CHARGED_TWICE))
    kind = Case(twice, default=kind_value(TaskKind.REVIEW))
    rows = wanted.choose(Review.objects.select_related("workspace"), kind, "organization", written_as_iso("opened_at"))

    def make(review: Any) -> Task:
        url = _place(review.organization_id, review.workspace_id)
        kind = TaskKind(review.task_kind)
        return Task(kind, review.organization_id, review.pk, review.sentence, review.task_marker, url)

    yield first_of(rows.order_by("opened_at", "pk"), make, "to review", list_url(Workspace, review="yes"))


def _due_changes(wanted: Wanted) -> Iterator[Found]:
    due = PendingChange.objects.filter(status=PendingChangeStatus.OPEN, due_at__lte=clock.now())
    marker = Cast("id", CharField())
    rows = wanted.choose(due, kind_value(TaskKind.DUE_CHANGE), "workspace__organization", marker)

    def make(change: Any) -> Task:
        plan = f" to {change.plan.name}" if change.plan else ""
        what = f"{change.get_kind_display()}{plan} in {change.workspace.name}, due {relative(change.due_at)}"
        url = page_url_of(Workspace, change.workspace_id)
        key = change.workspace.organization_id
        return Task(TaskKind.DUE_CHANGE, key, change.pk, what, change.task_marker, url)

    rows = rows.select_related("workspace", "plan").order_by("due_at", "pk")
    yield first_of(rows, make, "changes due", list_url(Workspace, due="yes"))


def _grace(wanted: Wanted) -> Iterator[Found]:
    ending = OrganizationPaymentConfig.objects.filter(grace_period_end_at__lte=clock.now() + GRACE_AHEAD)
    rows = wanted.choose(ending, kind_value(TaskKind.GRACE_ENDS), "organization", written_as_iso("grace_period_end_at"))

    def make(config: Any) -> Task:
        what = f"Ends {relative(config.grace_period_end_at)}. Then payments are disabled and connectors turned off."
        key = config.organization_id
        return Task(TaskKind.GRACE_ENDS, key, config.pk, what, config.task_marker, _place(key))

    url = list_url(Workspace, grace="yes")
    yield first_of(rows.order_by("grace_period_end_at", "pk"), make, "grace periods that end", url)


def _locked(wanted: Wanted) -> Iterator[Found]:
    rows = wanted.choose(locked_configs(), kind_value(TaskKind.LOCKED), "organization", written_version())

    def make(config: Any) -> Task:
        what = "Payments are locked: every workspace is read-only."
        key = config.organization_id
        return Task(TaskKind.LOCKED, key, config.pk, what, config.task_marker, _place(key))

    yield first_of(rows.order_by("pk"), make, "customers whose payments are locked", list_url(Workspace))


def _connectors(wanted: Wanted) -> Iterator[Found]:
    """Those that were turned off or lost their permission, and those whose last sync failed."""
    kind = kind_value(TaskKind.CONNECTOR)
    off = wanted.choose(Connector.objects.filter(NEEDS_A_PERSON), kind, "workspace__organization", written_version())

    def make_off(connector: Any) -> Task:
        what = f"{connector.name} in {connector.workspace.name}: {connector.get_status_display().lower()}"
        return _of_connector(connector, what, connector.task_marker)

    # From the first to the last of an index, backwards.
    rows = off.select_related("workspace").order_by("created_at", "-pk")
    yield first_of(rows, make_off, "connectors that are off", list_url(Connector))

    def make_failed(run: Any) -> Task:
        connector = run.connector
        what = f"{connector.name} in {connector.workspace.name}: its last sync failed. {run.error}"
        return _of_connector(connector, what, run.task_marker)

    day = Concat(Value("failed on "), written(F("created_at"), "YYYY-MM-DD"))
    organization = "connector__workspace__organization"
    failed = wanted.choose(_last_failures(), kind, organization, day, subject="connector_id")
    rows = failed.select_related("connector__workspace").order_by("finished_at", "pk")
    yield first_of(rows, make_failed, "connectors whose last sync failed", list_url(Connector, failing="yes"))


def _last_failures() -> QuerySet[SyncRun]:
    """Of each enabled connector that has not been mended since, its last failure of the day."""
    failed = SyncRun.objects.filter(
        Q(connector__last_success_at=None) | Q(connector__last_success_at__lt=F("created_at")),
        status=SyncStatus.FAILED,
        finished_at__gte=clock.now() - LOOKED_BACK,
        connector__removed_at=None,
        connector__status=ConnectorStatus.ENABLED,
    )
    latest = failed.order_by("connector", "-finished_at").distinct("connector")
    return SyncRun.objects.filter(pk__in=latest.values("pk"))


def _of_connector(connector: Connector, what: str, marker: str) -> Task:
    organization_id = connector.workspace.organization_id
    url = page_url_of(Connector, connector.pk)
    return Task(TaskKind.CONNECTOR, organization_id, connector.pk, what, marker, url)


def _granted() -> Func:
    """The last grant, as markers write it: with a new one it is another occurrence."""
    latest = CreditGrant.objects.filter(account=OuterRef("account")).order_by("-created_at").values("created_at")
    moment = written(Subquery(latest[:1]), '"granted "YYYY-MM-DD HH24:MI:SS')
    return Func(moment, Value("never granted"), function="coalesce", output_field=CharField())


def _soon_empty(wanted: Wanted) -> Iterator[Found]:
    """Customers whose credits run out soon at their pace."""
    ending = AccountRunway.objects.filter(
        runs_out_at__lte=clock.now() + EMPTY_AHEAD, account__organization__closed_at=None
    )
    rows = wanted.choose(ending, kind_value(TaskKind.SOON_EMPTY), "account__organization", _granted())

    def make(row: Any) -> Task:
        pace = f"{format_credits(round_to_quantum(row.a_day, 1, MICRO // 100))} a day"
        is_over = row.runs_out_at <= clock.now()
        when = "have run out" if is_over else f"run out {relative(row.runs_out_at)}"
        what = f"Credits {when}, at {pace}."
        return Task(TaskKind.SOON_EMPTY, row.pk, row.pk, what, row.task_marker, page_url_of(CreditAccount, row.pk))

    url = list_url(CreditAccount, runs_out_within=EMPTY_AHEAD.days)
    yield first_of(rows.order_by("runs_out_at", "pk"), make, "accounts that run out soon", url)

    yield _found_empty(wanted)


def _idle_and_empty() -> QuerySet[AccountRunway]:
    empty = AccountRunway.objects.filter(is_empty=True, account__balance__lte=0, account__organization__closed_at=None)
    return empty.filter(Q(runs_out_at=None) | Q(runs_out_at__gt=clock.now() + EMPTY_AHEAD))


def _found_empty(wanted: Wanted) -> Found:
    """Customers that had credits and have none, also where nobody calls and nothing is denied."""
    rows = wanted.choose(_idle_and_empty(), kind_value(TaskKind.OUT_OF_CREDITS), "account__organization", _granted())

    def make(row: Any) -> Task:
        what = f"The balance is {format_credits(row.account.balance)} credits."
        return Task(TaskKind.OUT_OF_CREDITS, row.pk, row.pk, what, row.task_marker, page_url_of(CreditAccount, row.pk))

    url = list_url(CreditAccount, exhausted="yes")
    return first_of(rows.select_related("account").order_by("pk"), make, "accounts without credits", url)


def _denials(wanted: Wanted) -> Iterator[Found]:
    """Customers that were denied much in the last day, and those whose credits did not suffice."""
    denied = DecisionReceipt.objects.filter(decision=Verdict.DENY, created_at__gte=clock.now() - LOOKED_BACK)
    rows = list(denied.order_by("-created_at").values_list("organization_id", "code")[:MOST_DENIALS])
    today = f"{clock.now():%Y-%m-%d}"
    empty = Counter(key for key, code in rows if key and code == "insufficient_credits")
    others = Counter(key for key, code in rows if key and code != "insufficient_credits")
    # Named by their account already.
    named = set(_idle_and_empty().filter(pk__in=list(empty)).values_list("pk", flat=True))
    made = [
        Task(TaskKind.OUT_OF_CREDITS, key, key, _not_enough(times), today, _place(key))
        for key, times in empty.most_common()
        if key not in named
    ]
    yield _open_of(wanted, made, "customers without enough credits", code="insufficient_credits")
    many = [
        Task(TaskKind.DENIALS, key, key, _denied(times), today, f"{_place(key)}?show=denials#timeline")
        for key, times in others.most_common()
        if times >= MANY_DENIALS
    ]
    yield _open_of(wanted, many, "customers that were denied much")


def _not_enough(times: int) -> str:
    return f"{times:,} requests in 24 hours were denied: not enough credits."


def _denied(times: int) -> str:
    return f"{times:,} requests were denied in 24 hours."


def _open_of(wanted: Wanted, tasks: list[Task], label: str, **filters: str) -> Found:
    """What `Wanted.choose` does, for tasks that were counted and are no rows."""
    url = list_url(DecisionReceipt, decision=Verdict.DENY.value, **filters)
    if wanted.subject_id:
        return Found([task for task in tasks if task.subject_id == wanted.subject_id])
    real = set(
        Organization.objects.filter(pk__in=[task.subject_id for task in tasks], is_synthetic=False).values_list(
            "pk", flat=True
        )
    )
    decided = decisions_of(tasks)
    kept = [task for task in tasks if task.subject_id in real and not is_put_away(task, decided.get(key_of(task)))]
    return Found(kept[:OF_EACH], max(len(kept) - OF_EACH, 0), label, url)


def _place(organization_id: UUID, workspace_id: UUID | None = None) -> str:
    return page_url_of(Workspace, workspace_id) if workspace_id else page_url_of(Organization, organization_id)


# In the order in which they press.
SOURCES: tuple[tuple[str, Source], ...] = (
    ("workspaces.read", _reviews),
    ("payment_configs.read", _locked),
    ("payment_configs.read", _grace),
    ("workspaces.read", _due_changes),
    ("credits.read", _soon_empty),
    ("decisions.read", _denials),
    ("connectors.read", _connectors),
)


def find(operations: Iterable[str], wanted: Wanted | None = None) -> list[Found]:
    """What each source that whoever asks may read has, most pressing first."""
    allowed = frozenset(operations)
    chosen = wanted or Wanted()
    return [found for operation, source in SOURCES if operation in allowed for found in source(chosen)]


def find_tasks(operations: Iterable[str], wanted: Wanted | None = None) -> list[Task]:
    """The tasks of these sources, one after another."""
    return [task for found in find(operations, wanted) for task in found.tasks]


def open_tasks(tasks: list[Task]) -> list[ShownTask]:
    """The tasks with the names of their customers and who has taken them."""
    names = dict(Organization.objects.filter(pk__in={task.organization_id for task in tasks}).values_list("pk", "name"))
    decided = decisions_of(tasks)
    shown = []
    for task in tasks:
        decision = decided.get(key_of(task))
        is_taken = decision is not None and decision.outcome == TaskState.TAKEN and decision.marker == task.marker
        taken_by = decision.decided_by if decision is not None and is_taken else ""
        shown.append(ShownTask(task, names[task.organization_id], taken_by))
    return shown
