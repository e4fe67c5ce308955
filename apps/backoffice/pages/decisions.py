"""Decision receipts with a replay: what was decided, on which data, and the answer today (spec 05)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from django.contrib import messages
from django.contrib.admin import display
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from apps.backoffice.cells import NOTHING, badge, copyable, link, moment, page_url_of, short, title_and_slug
from apps.backoffice.filters import (
    StaffFilter,
    around_filter,
    choice_filter,
    days_filter,
    of_customers,
    organization_filter,
    text_filter,
)
from apps.backoffice.pages.lookups import link_to, product_choices
from apps.backoffice.panels import Fact, Panel, Row
from apps.backoffice.records.credits import format_credits
from apps.backoffice.records.decisions import names_in, sentence_of, who_asked, why
from apps.backoffice.staff_admin import StaffAdmin
from apps.backoffice.workspace.references import reference_link
from apps.backoffice.workspace.why import person_named
from apps.core.errors import CountinghouseError
from apps.core.ids import WorkspaceId
from apps.subscriptions.enums import ReceiptKind, Verdict
from apps.subscriptions.models import DecisionReceipt
from apps.subscriptions.models.receipts import ASKED_BY
from apps.subscriptions.receipts import Replay, replay_now
from apps.subscriptions.rules.answers import chain_values
from apps.tenants.models import Organization, Product, User, Workspace

_OUTCOMES: dict[str, Any] = {"allow": "good", "deny": "bad", "pass": "neutral"}
# The version of an account is its standing, in micro-credits.
_STANDING = re.compile(r"balance (-?\d+), held (-?\d+)")
_RECORD = re.compile(r"^([a-z_]+):\S+ was ")
_LABELS = {
    "account_id": "Account of",
    "account_type": "Kind of account",
    "organization_id": "Organization",
    "product_id": "Product",
    "user_id": "Person",
    "workspace_id": "Workspace",
}
_RECORDS: dict[str, type[Workspace | Organization | Product | User]] = {
    "product_id": Product,
    "user_id": User,
    "workspace_id": Workspace,
}


class AskedByFilter(StaffFilter):
    """Filters by the person of the question."""

    title = "person"
    parameters = ("user",)
    placeholder = "E-mail address or id"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        person = person_named(self.value())
        if person is None:
            messages.warning(request, f"There is nobody with the e-mail address or id “{self.value()}”.")
            return queryset.none()
        return cast("QuerySet[Any]", queryset.alias(asked_by=ASKED_BY).filter(asked_by=str(person.pk)))


class DecisionReceiptAdmin(StaffAdmin[DecisionReceipt]):
    """Receipts are kept for 90 days. Each page replays the request and shows what has changed."""

    operation = "decisions.read"
    is_history = True
    icon = "gavel"
    heading = "Decisions"
    about = (
        "Allowed and denied requests of the last 90 days. Open one to see why, and whether the answer would "
        "change today."
    )
    ordering = ("-created_at",)
    list_display = ("when", "verdict", "person", "asked", "customer", "reason_code")
    listed = of_customers("organization_id")
    list_filter = (
        organization_filter("organization_id"),
        AskedByFilter,
        around_filter("created_at", "time"),
        choice_filter("decision", "answer", lambda: Verdict.choices),
        choice_filter("kind", "gate", lambda: ReceiptKind.choices),
        choice_filter("product", "product", product_choices, field="question__product_id"),
        text_filter("code", "code", hint="insufficient_credits"),
        text_filter("operation", "operation", field="question__operation", hint="fix_run"),
        text_filter("request_id", "request", hint="X-Request-ID"),
        days_filter("created_at", "given"),
    )
    search_ids = ("pk", "organization_id", "workspace_id")
    search_help_text = "decision_id, or id of an organization or workspace"

    @display(description="When")
    def when(self, record: DecisionReceipt) -> SafeString:
        return moment(record.created_at)

    @display(description="Answer")
    def verdict(self, record: DecisionReceipt) -> SafeString:
        return badge(record.get_decision_display(), _OUTCOMES.get(record.decision, "neutral"))

    @display(description="Question")
    def asked(self, record: DecisionReceipt) -> SafeString:
        return title_and_slug(str(record.question.get("operation", "")), record.get_kind_display())

    @display(description="Person")
    def person(self, record: Any) -> SafeString:
        return title_and_slug(who_asked(record, record.names), record.actor_label)

    @display(description="Customer")
    def customer(self, record: Any) -> SafeString:
        organization, workspace = (
            record.names.of.get(str(key), "") for key in (record.organization_id, record.workspace_id)
        )
        if not organization:
            return NOTHING
        url = page_url_of(Organization, record.organization_id)
        return format_html('{} <small class="ch-there">{}</small>', link(url, organization), workspace)

    @display(description="Why")
    def reason_code(self, record: Any) -> SafeString:
        return _why(record)

    def prepare_rows(self, rows: list[Any]) -> list[Any]:
        """Read the names of all rows at once."""
        names = names_in(rows)
        for row in rows:
            row.names = names
        return rows

    def title_of(self, record: DecisionReceipt) -> str:
        asked = record.question.get("operation", "")
        verdict = "Allowed" if record.decision == Verdict.ALLOW else "Denied"
        why = "" if record.decision == Verdict.ALLOW else f" ({record.code.replace('_', ' ')})"
        return f"{verdict}: {asked}{why}" if asked else f"{verdict}{why}"

    def facts(self, record: DecisionReceipt) -> list[Fact]:
        workspace, organization = record.workspace_id, record.organization_id
        return [
            Fact("Answer", self.verdict(record), record.code),
            Fact("Given", moment(record.created_at)),
            Fact("Asked by", record.actor_label),
            Fact("Workspace", link_to(Workspace, workspace)),
            Fact("Organization", link_to(Organization, organization)),
            Fact("Decision id", copyable(record.pk)),
            Fact("Request", copyable(record.request_id)),
            *([Fact("Policy version", str(record.policy_version))] if record.policy_version else []),
        ]

    def extra_context(self, request: HttpRequest, record: DecisionReceipt) -> dict[str, Any]:
        return {"sentence": sentence_of(record, names_in([record]))}

    def panels(self, request: HttpRequest, record: DecisionReceipt) -> list[Panel]:
        return [
            *_replay_panels(record),
            _chain_panel("Checks made then", record.chain, record, icon="history"),
            _records_panel(record),
            Panel("Request", ("Name", "Value"), question_rows(record.question), icon="help"),
        ]


def _why(record: Any) -> SafeString:
    if record.decision == Verdict.ALLOW:
        return NOTHING
    return title_and_slug(record.code.replace("_", " "), Truncator(why(record, record.names)).chars(90))


def _replay_panels(record: DecisionReceipt) -> list[Panel]:
    """The replay of the request, or the error that prevents it."""
    try:
        replay = replay_now(record)
    except CountinghouseError as error:
        return [Panel("The answer today", ("", ""), empty=error.detail, icon="replay")]
    now = _chain_panel(
        f"The answer today: {replay.now.verdict.label} ({replay.now.code})",
        chain_values(replay.now.chain),
        record,
        icon="replay",
    )
    return [_changes_panel(replay), now]


def _records_panel(record: DecisionReceipt) -> Panel:
    """The records that were read, with their versions at that time."""
    workspace_id = WorkspaceId(record.workspace_id) if record.workspace_id else None
    rows: list[Row] = [
        (reference_link(read["record"], workspace_id), describe_version(str(read["version"])))
        for read in record.records
    ]
    empty = "No data was needed."
    return Panel("Data used for this decision", ("Record", "Version"), rows, empty=empty, icon="inventory_2")


def _changes_panel(replay: Replay) -> Panel:
    rows = [(describe_change(change),) for change in replay.changes]
    empty = "Nothing has changed. The answer and the data behind it are the same today."
    return Panel("Changed since then", ("Change",), rows, empty=empty, icon="difference")


def _chain_panel(title: str, chain: Sequence[dict[str, Any]], record: DecisionReceipt, *, icon: str) -> Panel:
    workspace_id = WorkspaceId(record.workspace_id) if record.workspace_id else None
    names = names_in([record])
    rows: list[Row] = [
        (
            str(step.get("rule", "")).replace("_", " "),
            badge(str(step.get("outcome", "")), _OUTCOMES.get(str(step.get("outcome")), "neutral")),
            names.put_into(str(step.get("fact", ""))),
            reference_link(step["record"], workspace_id) if step.get("record") else NOTHING,
        )
        for step in chain
    ]
    return Panel(title, ("Rule", "Outcome", "Fact", "Record"), rows, icon=icon)


def describe_version(version: str) -> str:
    """Format a version; the amounts of an account in credits."""
    return _STANDING.sub(
        lambda found: f"balance {format_credits(int(found[1]))}, held {format_credits(int(found[2]))}", version
    )


def describe_change(change: str) -> str:
    """A change as a sentence. Names the kind of record only: its id is in the table of records."""
    text = _RECORD.sub(lambda found: f"the {found[1].replace('_', ' ')} was ", describe_version(change), count=1)
    return text[:1].upper() + text[1:]


def question_rows(question: Mapping[str, Any]) -> list[Row]:
    return [
        (_LABELS.get(name, name.replace("_", " ").capitalize()), _value(question, name, value))
        for name, value in question.items()
    ]


def _value(question: Mapping[str, Any], name: str, value: Any) -> SafeString | str:
    if value is None:
        return NOTHING
    if name == "quantity" and isinstance(value, int):
        return format_credits(value)
    model = _RECORDS.get(name)
    if name == "account_type":
        return str(value).replace("_", " ")
    if name == "account_id":
        model = Organization if question.get("account_type") == "organization" else User
    return link_to(model, value) if model is not None else short(str(value))
