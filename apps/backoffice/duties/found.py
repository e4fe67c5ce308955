"""The tasks as they are now. Each source reads the newest few by an index, whatever the number of customers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db.models import OuterRef, Subquery

from apps.backoffice.cells import page_url_of, relative
from apps.backoffice.enums import TaskKind, TaskState
from apps.backoffice.models import TaskDecision
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

OF_EACH = 25
GRACE_AHEAD = timedelta(days=7)
EMPTY_AHEAD = timedelta(days=7)
LOOKED_BACK = timedelta(hours=24)
MOST_DENIALS, MANY_DENIALS = 1000, 20


@dataclass(frozen=True, slots=True)
class Task:
    """One thing for a person. `marker` names the occurrence: what was dismissed comes back with another."""

    kind: TaskKind
    organization_id: UUID
    subject_id: UUID
    what: str
    marker: str
    url: str


@dataclass(frozen=True, slots=True)
class ShownTask:
    """A task with the name of its customer and what was decided about it; `taken_by` is empty for a free one."""

    task: Task
    customer: str
    taken_by: str = ""


def _reviews() -> Iterator[Task]:
    for review in Review.objects.select_related("workspace").order_by("-opened_at", "pk")[:OF_EACH]:
        is_twice = review.kind == ReviewKind.CHARGED_TWICE
        url = _place(review.organization_id, review.workspace_id)
        kind = TaskKind.CHARGED_TWICE if is_twice else TaskKind.REVIEW
        yield Task(kind, review.organization_id, review.pk, review.sentence, review.opened_at.isoformat(), url)


def _due_changes() -> Iterator[Task]:
    due = PendingChange.objects.filter(status=PendingChangeStatus.OPEN, due_at__lte=clock.now())
    for change in due.select_related("workspace", "plan").order_by("due_at")[:OF_EACH]:
        plan = f" to {change.plan.name}" if change.plan else ""
        what = f"{change.get_kind_display()}{plan} in {change.workspace.name}, due {relative(change.due_at)}"
        url = page_url_of(Workspace, change.workspace_id)
        yield Task(TaskKind.DUE_CHANGE, change.workspace.organization_id, change.pk, what, str(change.pk), url)


def _grace() -> Iterator[Task]:
    ending = OrganizationPaymentConfig.objects.filter(grace_period_end_at__lte=clock.now() + GRACE_AHEAD)
    for config in ending.order_by("grace_period_end_at")[:OF_EACH]:
        if config.grace_period_end_at is None:
            continue
        what = f"Ends {relative(config.grace_period_end_at)}. Then payments are disabled and connectors turned off."
        marker = config.grace_period_end_at.isoformat()
        yield Task(TaskKind.GRACE_ENDS, config.organization_id, config.pk, what, marker, _place(config.organization_id))


def _locked() -> Iterator[Task]:
    for config in locked_configs().order_by("pk")[:OF_EACH]:
        what = "Payments are locked: every workspace is read-only."
        marker = f"version {config.version}"
        yield Task(TaskKind.LOCKED, config.organization_id, config.pk, what, marker, _place(config.organization_id))


def _connectors() -> Iterator[Task]:
    """Those that were turned off or lost their permission, and those whose last sync failed."""
    off = Connector.objects.filter(NEEDS_A_PERSON)
    for connector in off.select_related("workspace").order_by("-created_at", "pk")[:OF_EACH]:
        what = f"{connector.name} in {connector.workspace.name}: {connector.get_status_display().lower()}"
        yield _of_connector(connector, what, f"version {connector.version}")
    failed = SyncRun.objects.filter(status=SyncStatus.FAILED, finished_at__gte=clock.now() - LOOKED_BACK)
    seen: set[UUID] = set()
    for run in failed.select_related("connector__workspace").order_by("-finished_at")[: 2 * OF_EACH]:
        connector = run.connector
        is_mended = connector.last_success_at is not None and connector.last_success_at >= run.created_at
        if connector.pk in seen or is_mended or connector.removed_at or connector.status != ConnectorStatus.ENABLED:
            continue
        seen.add(connector.pk)
        what = f"{connector.name} in {connector.workspace.name}: its last sync failed. {run.error}"
        yield _of_connector(connector, what, f"failed on {run.created_at:%Y-%m-%d}")


def _of_connector(connector: Connector, what: str, marker: str) -> Task:
    organization_id = connector.workspace.organization_id
    url = page_url_of(Connector, connector.pk)
    return Task(TaskKind.CONNECTOR, organization_id, connector.pk, what, marker, url)


def _soon_empty() -> Iterator[Task]:
    """Customers whose credits run out soon at their pace. With a new grant it is another occurrence."""
    latest = CreditGrant.objects.filter(account=OuterRef("account")).order_by("-created_at").values("created_at")
    until = clock.now() + EMPTY_AHEAD
    ending = AccountRunway.objects.filter(runs_out_at__lte=until, account__organization__closed_at=None)
    rows = ending.annotate(granted_at=Subquery(latest[:1])).order_by("runs_out_at", "pk")
    for row in rows[:OF_EACH]:
        if row.runs_out_at is None:
            continue
        pace = f"{format_credits(round_to_quantum(row.a_day, 1, MICRO // 100))} a day"
        what = f"Credits run out {relative(row.runs_out_at)}, at {pace}."
        marker = f"granted {row.granted_at:%Y-%m-%d %H:%M:%S}" if row.granted_at else "never granted"
        yield Task(TaskKind.SOON_EMPTY, row.pk, row.pk, what, marker, page_url_of(CreditAccount, row.pk))


def _denials() -> Iterator[Task]:
    """Customers that were denied much in the last day, and those whose credits did not suffice."""
    denied = DecisionReceipt.objects.filter(decision=Verdict.DENY, created_at__gte=clock.now() - LOOKED_BACK)
    rows = list(denied.order_by("-created_at").values_list("organization_id", "code")[:MOST_DENIALS])
    today = f"{clock.now():%Y-%m-%d}"
    empty = Counter(key for key, code in rows if key and code == "insufficient_credits")
    for key, times in empty.most_common(OF_EACH):
        what = f"{times:,} requests in 24 hours were denied: not enough credits."
        yield Task(TaskKind.OUT_OF_CREDITS, key, key, what, today, _place(key))
    others = Counter(key for key, code in rows if key and code != "insufficient_credits")
    for key, times in others.most_common(OF_EACH):
        if times >= MANY_DENIALS:
            what = f"{times:,} requests were denied in 24 hours."
            yield Task(TaskKind.DENIALS, key, key, what, today, f"{_place(key)}?show=denials#timeline")


def _place(organization_id: UUID, workspace_id: UUID | None = None) -> str:
    return page_url_of(Workspace, workspace_id) if workspace_id else page_url_of(Organization, organization_id)


# In the order in which they press.
SOURCES: tuple[tuple[str, Callable[[], Iterator[Task]]], ...] = (
    ("workspaces.read", _reviews),
    ("payment_configs.read", _locked),
    ("payment_configs.read", _grace),
    ("workspaces.read", _due_changes),
    ("credits.read", _soon_empty),
    ("decisions.read", _denials),
    ("connectors.read", _connectors),
)


def find_tasks(operations: Iterable[str]) -> list[Task]:
    """All tasks of the sources that whoever asks may read."""
    allowed = frozenset(operations)
    return [task for operation, source in SOURCES if operation in allowed for task in source()]


def open_tasks(tasks: list[Task]) -> list[ShownTask]:
    """Without those that are snoozed or dismissed, and those of synthetic organizations."""
    keys = {task.organization_id for task in tasks}
    names = dict(Organization.objects.filter(pk__in=keys, is_synthetic=False).values_list("pk", "name"))
    decided = {
        (row.kind, row.organization_id, row.subject_id): row
        for row in TaskDecision.objects.filter(organization_id__in=keys)
    }
    shown = []
    for task in tasks:
        decision = decided.get((task.kind.value, task.organization_id, task.subject_id))
        if task.organization_id in names and not is_put_away(task, decision):
            is_taken = decision is not None and decision.outcome == TaskState.TAKEN and decision.marker == task.marker
            taken_by = decision.decided_by if decision is not None and is_taken else ""
            shown.append(ShownTask(task, names[task.organization_id], taken_by))
    return shown


def is_put_away(task: Task, decision: TaskDecision | None) -> bool:
    """Whether the decision hides the task: dismissed for this occurrence, or snoozed until later."""
    if decision is None or decision.marker != task.marker:
        return False
    if decision.outcome == TaskState.SNOOZED:
        return decision.until is not None and decision.until > clock.now()
    return decision.outcome == TaskState.DISMISSED
