"""Whether a run may start and go on to its next page (spec 06, "The gate"; spec 02), when it tries a page again, and
whether it may void what is gone.

The requester must still reach `connector.sync`, the lifecycle must allow it, and the connector must be enabled, all as
of now: a demotion, an unpaid invoice or a disabled connector stops a run before its next page.
"""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings

from apps.connectors.enums import ConnectorStatus
from apps.connectors.models import Connector, SyncRun
from apps.connectors.rules.months import shrinks
from apps.connectors.sync.records import PageContext, count_records, void_missing_records
from apps.core import clock
from apps.core.context import ExecutionContext, system_context
from apps.core.enums import AuthorizationSource, Role
from apps.core.errors import ConflictError, CountinghouseError, ForbiddenError, Reason
from apps.core.ids import OrganizationId, RequestId, ServiceTokenId, UserId, WorkspaceId
from apps.core.operations import OPERATIONS, PLATFORM_LADDER, reaches, require
from apps.subscriptions.services import lifecycle_require
from apps.tenants.access import platform_role, tenant_facts, token_scopes
from apps.tenants.contracts import Person
from apps.tenants.models import User
from apps.tenants.resolver import tenant_role

OPERATION = "connector.sync"
MAX_TRIES = 6
FAILURES_IN_A_ROW = 10
_FIRST = timedelta(seconds=2)
_LONGEST = timedelta(minutes=15)
# A provider that asks for more is asked again after this, and may refuse again.
_LONGEST_WISH = timedelta(hours=24)


def run_context(run: SyncRun) -> ExecutionContext:
    """A run is carried out as `system`, never with the requester's role (spec 02, Celery task)."""
    organization = run.connector.workspace.organization
    return system_context(
        AuthorizationSource.SCHEDULER,
        name="sync",
        request_id=RequestId(run.request_id),
        organization_id=OrganizationId(organization.pk),
        is_demo=organization.is_demo,
    )


# What a cron token may do here follows from the jobs that it may start (spec 02, "Cron or authenticated").
_FOR_CRON = {OPERATION: "jobs.billing_sync", "connectors.read": "jobs.read"}


def require_operation(context: ExecutionContext, operation: str) -> None:
    """Raise `ForbiddenError` unless the context reaches the operation; a cron token, the job's in its place."""
    is_cron = context.authorization_source is AuthorizationSource.CRON_TOKEN
    require(context, _FOR_CRON.get(operation, operation) if is_cron else operation)


def require_may_sync(context: ExecutionContext, connector: Connector) -> None:
    """Raise `ForbiddenError`, also `lifecycle_denied`, or `ConflictError` `connector_not_enabled`."""
    require_operation(context, OPERATION)
    lifecycle_require(context, workspace_id=WorkspaceId(connector.workspace_id), operation=OPERATION)
    require_enabled(connector)


def require_enabled(connector: Connector) -> None:
    """Raise `ConflictError` `connector_not_enabled` for one that is off, or waits for its credential."""
    status = ConnectorStatus(connector.status)
    if status is not ConnectorStatus.ENABLED:
        raise ConflictError(
            f"The connector is {status.label.lower()}. Enable it, then sync.",
            code="connector_not_enabled",
            title="The connector is not enabled",
            explanation=[
                Reason("connector_status", "deny", f"the status is {status.value}", f"connector:{connector.pk}")
            ],
        )


def check_run(run: SyncRun) -> CountinghouseError | None:
    """Why the run may not read its next page; None where it may. Its connector must have been read just now."""
    try:
        _require_still_allowed(run)
        require_may_sync(run_context(run), run.connector)
    except (ForbiddenError, ConflictError) as error:
        return error
    return None


def _require_still_allowed(run: SyncRun) -> None:
    """A person's role and a token's scopes count as they are now."""
    match run.authorization_source:
        case AuthorizationSource.SESSION:
            missing = _check_role(run)
        case AuthorizationSource.SERVICE_TOKEN | AuthorizationSource.CRON_TOKEN:
            missing = _check_scope(run)
        case _:
            return
    if missing is not None:
        # It names nobody: the tenant reads it, and the requester may be one of our staff.
        raise ForbiddenError("Whoever asked for this sync is no longer allowed to sync.", explanation=[missing])


def _check_role(run: SyncRun) -> Reason | None:
    role = _current_role(run)
    operation = OPERATIONS[OPERATION]
    if role is not None and (reaches(role, operation.tenant_role) or reaches(role, operation.platform_role)):
        return None
    return Reason("role", "deny", f"the role is {role.value if role else 'none'}", f"user:{run.actor_id}")


def _check_scope(run: SyncRun) -> Reason | None:
    is_cron = run.authorization_source == AuthorizationSource.CRON_TOKEN
    needed = OPERATIONS[_FOR_CRON[OPERATION] if is_cron else OPERATION].scope
    organization_id = OrganizationId(run.connector.workspace.organization_id)
    # Another token of the same product did not ask.
    if run.token_id and needed in token_scopes(ServiceTokenId(run.token_id), organization_id, at=clock.now()):
        return None
    return Reason(
        "token_scope",
        "deny",
        f"the token that asked is revoked or expired, or lacks the scope {needed}",
        f"service_token:{run.token_id or ''}",
    )


def _current_role(run: SyncRun) -> Role | None:
    user = User.objects.filter(pk=run.actor_id, is_active=True).first()
    if user is None:
        return None
    if Role(run.role) in PLATFORM_LADDER:
        return platform_role(user)
    organization_id = OrganizationId(run.connector.workspace.organization_id)
    tenant = tenant_facts(organization_id, user_id=UserId(user.pk))
    person = Person(UserId(user.pk), user.email, platform_role(user))
    # A request with a tenant role has not passed the second factor that a platform role needs.
    return tenant_role(tenant, person) if tenant is not None else None


def page_delay(tries: int, *, jitter: float, wish: timedelta | None = None) -> timedelta:
    """How long to wait after try number `tries` (1 or more) of a page failed.

    Doubles from 2 seconds to 15 minutes; `jitter` (0 to 1) takes up to half of that off, so that the calls that failed
    together do not return together. What the provider wished for (Retry-After) is never undercut, up to a day.
    """
    if not 0 <= jitter <= 1:
        raise ValueError(f"jitter is {jitter}; it lies between 0 and 1.")
    # The exponent is capped, so that no number of tries overflows a timedelta.
    doublings: int = 1 << min(max(tries, 1) - 1, 16)
    full = min(_LONGEST, _FIRST * doublings)
    delay = full - full * (jitter / 2)
    return delay if wish is None else max(delay, min(wish, _LONGEST_WISH))


class MonthShrinksError(Exception):
    """The month would lose more of its records than may be voided without a person."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(f"{before} to {after}")
        self.before, self.after = before, after


def void_unless_shrinking(locked: SyncRun, place: PageContext) -> int:
    """Void what is gone, and say how many; raises `MonthShrinksError` where that would be too much of the month."""
    voided = void_missing_records(place, was_final=locked.was_final)
    if not voided:
        return 0
    after = count_records(place)
    before = after + voided - locked.created
    if locked.expected_records is not None:
        before = min(before, locked.expected_records)
    if shrinks(before, after, percent=settings.SYNC_LARGEST_SHRINK_PERCENT):
        raise MonthShrinksError(before, after)
    return voided
