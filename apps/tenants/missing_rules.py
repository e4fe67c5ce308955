"""Says why somebody is no member: the missing fact, as far as the reader may know it (spec 01). Pure."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from apps.core.errors import Reason
from apps.tenants.enums import DriftClass, DriftResolution, ReconciliationStatus, StopReason

_NO_REPORT = (
    "no product's report of this membership (POST members:upsert, a snapshot, or its export at reconciliation) was "
    "taken over"
)
_NOT_IMPORTED = {
    DriftClass.OWNER_REPORTED: "only the identity service and staff make owners",
    DriftClass.REMOVED_HERE: "the report is not later than the end of the membership here",
    DriftClass.NOT_RELATED: "the product was not related to the organization",
    DriftClass.UNKNOWN_USER: "the user was not known here",
    DriftClass.UNKNOWN_ORGANIZATION: "the organization was not known here",
    DriftClass.DUPLICATE_IDENTITY: "the reported e-mail address is another user's",
}
_DECIDED = {DriftResolution.IGNORED: "staff ignored the difference", DriftResolution.TOLD: "staff told the product"}


class Report(msgspec.Struct, frozen=True):
    """A product's report of the membership that we did not take over: an item of drift, or a row of a run not over."""

    product: str
    record: str
    seen_at: datetime
    reported_at: datetime | None = None
    drift_class: DriftClass | None = None
    resolution: DriftResolution | None = None
    run_status: ReconciliationStatus | None = None
    stop_reason: StopReason | None = None


class MissingFacts(msgspec.Struct, frozen=True):
    """What there is instead of the membership; the reader may know of all of it.

    `product` is the one that asks; `is_silent`: it never reported anybody. `removed_by`: the one that reported the end.
    """

    organization_id: UUID
    user_id: UUID
    is_user_known: bool = True
    removed_at: datetime | None = None
    removed_by: str = ""
    reports: tuple[Report, ...] = ()
    product: str = ""
    is_silent: bool = False


def explain_missing(facts: MissingFacts) -> Reason:
    """The sentence, and the record to look at: the newest report, else the organization."""
    told = [*_end(facts), *[_describe(report) for report in facts.reports]]
    if not told and facts.is_silent:
        told.append(f"product {facts.product} has never reported any member, and {_NO_REPORT}")
    if not facts.is_user_known:
        to = f" to product {facts.product}" if facts.product else ""
        told.append(f"no user of this id is known{to} here (POST users:upsert)")
    told = told or [_NO_REPORT]
    record = facts.reports[0].record if facts.reports else f"organization:{facts.organization_id}"
    fact = f"the membership authority has no row for user {facts.user_id}: {'; '.join(told)}"
    return Reason("membership", "deny", fact, record)


def _end(facts: MissingFacts) -> list[str]:
    if facts.removed_at is None:
        return []
    by = f", as product {facts.removed_by} reported" if facts.removed_by else ""
    return [f"the membership ended on {facts.removed_at:%Y-%m-%d}{by}"]


def _describe(report: Report) -> str:
    day = report.reported_at or report.seen_at
    said = f"product {report.product} reported that membership on {day:%Y-%m-%d}, reconciliation has not imported it"
    return f"{said}: {_why(report)}"


def _why(report: Report) -> str:
    if report.run_status is ReconciliationStatus.WAITING:
        reason = f" ({report.stop_reason.label.lower()})" if report.stop_reason else ""
        return f"its run waits for a person{reason}"
    if report.run_status is not None:
        return "its run is not over yet"
    why = _NOT_IMPORTED.get(report.drift_class, "") if report.drift_class else ""
    decided = _DECIDED[report.resolution] if report.resolution else "the item of drift is open"
    return f"{why}, and {decided}" if why else decided
