"""Previews: the very change, made by the same code and rolled back (spec 03, Preview).

`preview` runs the change in a transaction that it rolls back, and says what it would do. Its signed token binds the
workspace, the verb, the inputs, the state that was seen, the actor and an expiry. `apply_previewed` refuses when any of
them differs, and tells what changed in between.

Apps above add lines for the page with `register_consequence`; they are called inside the transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from django.core import signing
from django.db import transaction

from apps.core import clock
from apps.core.canonical import canonical_hash, moment_text
from apps.core.context import ExecutionContext
from apps.core.enums import LifecycleNeed, Role
from apps.core.errors import ConflictError, Reason
from apps.core.ids import WorkspaceId
from apps.core.moments import zone_of
from apps.core.registry import Registry
from apps.core.rehearsals import rehearsal
from apps.subscriptions.history import changes_between
from apps.subscriptions.messages import banner_of
from apps.subscriptions.rules.lifecycle import Allowance, LifecycleDecision
from apps.subscriptions.selectors.lifecycle import unknown_workspace, workspace_facts, workspace_lifecycle
from apps.subscriptions.selectors.records import PREVIEWED_STATE
from apps.tenants.models import Organization
from apps.tenants.selectors.organizations import workspace_for_update

VALID_FOR = timedelta(minutes=30)
_SALT = "apps.subscriptions.preview"
ResultT = TypeVar("ResultT")

# Looks before the change, and answers with what tells its lines after it.
ConsequenceHook = Callable[[WorkspaceId], Callable[[], Sequence[str]]]
_consequences: Registry[ConsequenceHook] = Registry("preview consequence")


@dataclass(frozen=True, slots=True)
class AllowanceChange:
    """One class of operations whose allowance changes."""

    need: LifecycleNeed
    before: Allowance
    after: Allowance


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change would do, and the token with which exactly this change can be applied.

    `tenant_sees` is the text of the very banner that the billing pages will show.
    """

    before: LifecycleDecision
    after: LifecycleDecision
    allowance_changes: tuple[AllowanceChange, ...]
    operations_allowed: tuple[str, ...]
    operations_denied: tuple[str, ...]
    consequences: tuple[str, ...]
    tenant_sees: str
    token: str


def register_consequence(name: str, hook: ConsequenceHook) -> None:
    """Add lines to every preview, such as the connectors that will be switched off."""
    _consequences.register(name, hook)


@transaction.atomic
def preview(
    context: ExecutionContext,
    *,
    workspace_id: WorkspaceId,
    verb: str,
    inputs: Mapping[str, object],
    run: Callable[[], object],
) -> Preview:
    """What `run` would do to the workspace; nothing of it stays. Whatever `run` refuses is raised here already."""
    digest = _state_digest(workspace_id)
    issued_at = clock.now()
    before = workspace_lifecycle(workspace_id)
    tellers = [hook(workspace_id) for hook in _consequences.values()]
    with rehearsal():
        run()
        after = workspace_lifecycle(workspace_id)
        tenant_sees = banner_text(workspace_id, after)
        lines = tuple(line for tell in tellers for line in tell())
    could, can = before.operations(role=Role.OWNER), after.operations(role=Role.OWNER)
    return Preview(
        before=before,
        after=after,
        allowance_changes=_allowance_changes(before, after),
        operations_allowed=tuple(name for name in can if can[name] and not could[name]),
        operations_denied=tuple(name for name in can if could[name] and not can[name]),
        consequences=lines,
        tenant_sees=tenant_sees,
        token=preview_token(Previewed(context, "workspace", workspace_id, verb, inputs), digest, issued_at),
    )


@transaction.atomic
def apply_previewed(
    context: ExecutionContext,
    *,
    token: str,
    workspace_id: WorkspaceId,
    verb: str,
    inputs: Mapping[str, object],
    run: Callable[[], ResultT],
) -> ResultT:
    """Do what was previewed, if nothing has moved since; the state stays locked from the check to the change.

    Raises `ConflictError`: `preview_mismatch` for another actor, workspace, verb or input, or a forged token,
    `preview_expired`, `preview_stale` with what changed in between.
    """
    check_token(
        token,
        Previewed(context, "workspace", workspace_id, verb, inputs),
        _state_digest(workspace_id),
        changes_since=lambda moment: changes_between(workspace_id, moment),
    )
    return run()


@dataclass(frozen=True, slots=True)
class Previewed:
    """What a token is bound to: who does which verb to which record, with which inputs. `kind` names the record's."""

    context: ExecutionContext
    kind: str
    record_id: UUID
    verb: str
    inputs: Mapping[str, object]

    @property
    def binding(self) -> str:
        """The hash of all of it."""
        actor = self.context.actor
        who = (actor.kind.value, actor.id, actor.label)
        return canonical_hash({"actor": who, self.kind: self.record_id, "verb": self.verb, "inputs": dict(self.inputs)})


def preview_token(previewed: Previewed, digest: str, issued_at: datetime) -> str:
    """The signed token with which exactly this can be applied; `digest` is the hash of the state that was seen."""
    claims = {"binding": previewed.binding, "digest": digest, "issued_at": moment_text(issued_at)}
    return signing.Signer(salt=_SALT).sign_object(claims)


def check_token(
    token: str, previewed: Previewed, digest: str, *, changes_since: Callable[[datetime], Sequence[Reason]]
) -> None:
    """Raise `ConflictError` unless this was previewed, lately, and the state still has the `digest`; see above."""
    claims = _read(token)
    if claims["binding"] != previewed.binding:
        raise _mismatch()
    issued_at = datetime.fromisoformat(claims["issued_at"])
    if clock.now() > issued_at + VALID_FOR:
        raise ConflictError(
            "The preview is too old. Look at a new one; what you typed is kept.",
            code="preview_expired",
            title="The preview has expired",
        )
    if claims["digest"] != digest:
        changes = changes_since(issued_at)
        told = "; ".join(change.fact for change in changes) or "a change that left no audit entry"
        raise ConflictError(
            f"The {previewed.kind} changed since the preview: {told}. Look at a new preview; what you typed is kept.",
            code="preview_stale",
            title="The state moved on since the preview",
            explanation=changes,
        )


def banner_text(workspace_id: WorkspaceId, decision: LifecycleDecision) -> str:
    """The banner of the workspace's pages as one text."""
    time_zone = Organization.objects.values_list("time_zone", flat=True).get(workspaces=workspace_id)
    banner = banner_of(workspace_facts(workspace_id), decision, zone=zone_of(time_zone))
    return f"{banner.title}. {banner.why} {banner.remedy}" if banner else "No banner: everything works."


def _allowance_changes(before: LifecycleDecision, after: LifecycleDecision) -> tuple[AllowanceChange, ...]:
    changes = (AllowanceChange(need, before.allowance(need), after.allowance(need)) for need in LifecycleNeed)
    return tuple(change for change in changes if change.before is not change.after)


def _state_digest(workspace_id: WorkspaceId) -> str:
    """The hash of everything that a preview rests on, under the locks that every change takes."""
    workspace = workspace_for_update(workspace_id)
    if workspace is None:
        raise unknown_workspace(workspace_id)
    return canonical_hash({target: read(workspace) for target, read in PREVIEWED_STATE.items()})


def _read(token: str) -> dict[str, str]:
    try:
        claims: dict[str, str] = signing.Signer(salt=_SALT).unsign_object(token)
    except signing.BadSignature as error:
        raise _mismatch() from error
    return claims


def _mismatch() -> ConflictError:
    return ConflictError(
        "This is not what was previewed. Look at a preview of it first; what you typed is kept.",
        code="preview_mismatch",
        title="Not what was previewed",
    )
