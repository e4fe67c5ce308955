"""Who is meant: each source looks for the term in one place, by an index, and says which customer it found and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar, cast
from uuid import UUID

from django.contrib.postgres.search import SearchQuery
from django.db import connection, transaction
from django.db.models import Model, Q, QuerySet, Value

from apps.backoffice.cells import page_url_of
from apps.backoffice.search.terms import Term, read_term
from apps.core.constraints import Words
from apps.core.models import AuditEntry
from apps.core.models.audit import REASONED_BY_PEOPLE
from apps.credits.models import CreditEntry
from apps.credits.models.ledger import HashOf
from apps.payments.models import (
    MirroredObject,
    ProviderCustomer,
    ProviderDispute,
    ProviderInvoice,
    ProviderSubscription,
    WebhookEvent,
)
from apps.subscriptions.enums import Provider
from apps.subscriptions.models import (
    DecisionReceipt,
    OrganizationPaymentConfig,
    WorkspaceNote,
    WorkspaceSubscription,
)
from apps.tenants.models import Membership, Organization, User, Workspace

RowT = TypeVar("RowT", bound=Model)
# Of one kind; who needs more opens the list.
AT_MOST = 6


@dataclass(frozen=True, slots=True)
class Match:
    """One record that the term names. `organization_id` is None where it belongs to no customer.

    `url` leads to the record where it has a page of its own; the customer's page is offered anyway.
    """

    organization_id: UUID | None
    why: str
    url: str = ""
    icon: str = "search"


@dataclass(frozen=True, slots=True)
class Source:
    """Where to look, for people who may do `operation`."""

    operation: str
    find: Callable[[Term], Iterator[Match]]


def find_matches(sources: list[Source], term: Term) -> list[Match]:
    """Ask every source. Rare words would else be looked for row by row: the planner trusts in the limit."""
    found: list[Match] = []
    with transaction.atomic(), without_scans():
        for source in sources:
            found.extend(source.find(term))
    return found


@contextmanager
def without_scans() -> Iterator[None]:
    """Within the transaction no table is read row by row where an index can serve."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = on")


def with_words(rows: QuerySet[RowT], term: Term, *fields: str) -> QuerySet[RowT]:
    """The rows that have all words of the term in these columns, by their index of words."""
    if not term.words:
        return rows.none()
    query = SearchQuery(term.words, config="simple", search_type="raw")
    return cast("QuerySet[RowT]", rows.alias(words=Words(*fields)).filter(words=query))


def organizations_named(text: str) -> list[tuple[UUID, str, str]]:
    """Id, name and slug of the organizations with this id, slug or name; else of those with all of its words."""
    columns = ("pk", "name", "slug")
    term = read_term(text)
    exact = Q(pk=term.key) if term.key is not None else Q(slug=term.text.lower())
    found = list(Organization.objects.filter(exact).values_list(*columns))
    if found or term.key is not None:
        return found
    with transaction.atomic(), without_scans():
        rows = with_words(Organization.objects.order_by(), term, "name", "slug")
        found = list(rows.values_list(*columns)[:AT_MOST])
    return [row for row in found if row[1].lower() == term.text.lower()] or sorted(found, key=lambda row: row[1])


def _organizations(term: Term) -> Iterator[Match]:
    rows = Organization.objects.filter(is_synthetic=False)
    if term.key is not None:
        yield from (Match(pk, "its id") for pk in rows.filter(pk=term.key).values_list("pk", flat=True))
        return
    for pk in rows.filter(slug__startswith=term.text.lower()).values_list("pk", flat=True)[:AT_MOST]:
        yield Match(pk, "slug")
    for pk in rows.filter(name__istartswith=term.text).values_list("pk", flat=True)[:AT_MOST]:
        yield Match(pk, "name")
    for pk in with_words(rows, term, "name", "slug").values_list("pk", flat=True)[:AT_MOST]:
        yield Match(pk, "name")


def _workspaces(term: Term) -> Iterator[Match]:
    rows = Workspace.objects.filter(organization__is_synthetic=False)
    if term.key is not None:
        found = list(rows.filter(pk=term.key))
    else:
        found = [
            *rows.filter(slug__startswith=term.text.lower())[:AT_MOST],
            *rows.filter(name__istartswith=term.text)[:AT_MOST],
            *with_words(rows, term, "name", "slug")[:AT_MOST],
        ]
    for row in {row.pk: row for row in found}.values():
        yield Match(row.organization_id, f"workspace {row.name}", page_url_of(Workspace, row.pk), "workspaces")


def _people(term: Term) -> Iterator[Match]:
    rows = User.objects.all()
    if term.key is not None:
        found = list(rows.filter(pk=term.key))
    else:
        found = [
            *rows.filter(email__startswith=term.as_email)[:AT_MOST],
            *rows.filter(name__istartswith=term.text)[:AT_MOST],
            *with_words(rows, term, "name", "email")[:AT_MOST],
        ]
    people = {row.pk: row for row in found}
    belongs: dict[UUID, list[UUID]] = {}
    for user_id, organization_id in Membership.objects.filter(user_id__in=list(people)).values_list(
        "user_id", "organization_id"
    )[: AT_MOST * AT_MOST]:
        belongs.setdefault(user_id, []).append(organization_id)
    for person in people.values():
        why = f"member {person.name} <{person.email}>" if person.name else f"member {person.email}"
        tenants: list[UUID | None] = [*belongs.get(person.pk, ())]
        for tenant in tenants or [None]:
            yield Match(tenant, why, page_url_of(User, person.pk), "person")


def _at_providers(term: Term) -> Iterator[Match]:
    """What we hold of providers' ids: what is bound here, and what the mirror has heard of."""
    if not term.is_one_piece:
        return
    configs = OrganizationPaymentConfig.objects.filter(Q(payment_provider_id=term.text) | Q(orb_customer_id=term.text))
    for config in configs[:AT_MOST]:
        provider = "Stripe" if config.payment_provider_id == term.text else "Orb"
        yield Match(config.organization_id, f"bound {provider} customer {term.text}", icon="badge")
    held = WorkspaceSubscription.objects.filter(
        provider__in=Provider.values, provider_subscription_id=term.text
    ).select_related("workspace")
    for row in held[:AT_MOST]:
        why = f"subscription {term.text} of {row.workspace.name}"
        yield Match(row.workspace.organization_id, why, page_url_of(Workspace, row.workspace_id), "sell")
    for model, word, has_page in _MIRRORED:
        for mirrored in model.objects.filter(provider__in=Provider.values, external_id=term.text)[:AT_MOST]:
            why = f"{mirrored.get_provider_display()} {word} {term.text}"
            url = page_url_of(model, mirrored.pk) if has_page else ""
            yield Match(mirrored.organization_id, why, url, "receipt_long")


_MIRRORED: tuple[tuple[type[MirroredObject], str, bool], ...] = (
    (ProviderCustomer, "customer", True),
    (ProviderSubscription, "subscription", False),
    (ProviderInvoice, "invoice", True),
    (ProviderDispute, "dispute", True),
)


def _invoice_numbers(term: Term) -> Iterator[Match]:
    # All numbers of one account of Stripe begin alike.
    if not term.is_one_piece or len(term.text) < SHORTEST_NUMBER:
        return
    for invoice in ProviderInvoice.objects.filter(number__istartswith=term.text)[:AT_MOST]:
        url = page_url_of(ProviderInvoice, invoice.pk)
        yield Match(invoice.organization_id, f"invoice {invoice.number}", url, "receipt_long")


SHORTEST_NUMBER = 4


def _runs(term: Term) -> Iterator[Match]:
    entries = CreditEntry.objects.alias(digest=HashOf("run_id", Value(0))).filter(
        ~Q(run_id=""), digest=HashOf(Value(term.text), Value(0)), run_id=term.text
    )
    for entry in entries[:AT_MOST]:
        url = page_url_of(CreditEntry, entry.pk)
        yield Match(entry.account_id, f"run {term.text}, {entry.get_kind_display().lower()}", url, "receipt_long")


def _changes_of_requests(term: Term) -> Iterator[Match]:
    if not term.is_one_piece:
        return
    for entry in AuditEntry.objects.filter(request_id=term.text)[:AT_MOST]:
        url = page_url_of(AuditEntry, entry.pk)
        yield Match(entry.organization_id, f"request {term.text}: {entry.event}", url, "history_edu")


def _decisions(term: Term) -> Iterator[Match]:
    if not term.is_one_piece:
        return
    asked = Q(request_id=term.text)
    for receipt in DecisionReceipt.objects.filter(asked | Q(pk=term.key) if term.key else asked)[:AT_MOST]:
        url = page_url_of(DecisionReceipt, receipt.pk)
        why = f"decision: {receipt.get_decision_display().lower()}, {receipt.code}"
        yield Match(receipt.organization_id, why, url, "gavel")


def _events(term: Term) -> Iterator[Match]:
    if not term.is_one_piece:
        return
    rows = WebhookEvent.objects.filter(provider__in=Provider.values, event_id=term.text)
    for event in rows.defer("payload", "body")[:AT_MOST]:
        url = page_url_of(WebhookEvent, event.pk)
        yield Match(event.organization_id, f"event {event.type}", url, "inbox")


def _reasons(term: Term) -> Iterator[Match]:
    rows = with_words(AuditEntry.objects.filter(REASONED_BY_PEOPLE), term, "reason")
    for entry in rows[:AT_MOST]:
        url = page_url_of(AuditEntry, entry.pk)
        yield Match(entry.organization_id, f"reason: {entry.reason[:60]}", url, "history_edu")


def _notes(term: Term) -> Iterator[Match]:
    for note in with_words(WorkspaceNote.objects.select_related("workspace"), term, "text")[:AT_MOST]:
        url = page_url_of(Workspace, note.workspace_id)
        yield Match(note.workspace.organization_id, f"note: {note.text[:60]}", url, "sticky_note_2")


SOURCES: tuple[Source, ...] = (
    Source("organizations.read", _organizations),
    Source("workspaces.read", _workspaces),
    Source("users.read", _people),
    Source("provider_objects.read", _at_providers),
    Source("provider_objects.read", _invoice_numbers),
    Source("credits.read", _runs),
    Source("decisions.read", _decisions),
    Source("audit.read", _changes_of_requests),
    Source("webhook_events.read", _events),
    Source("audit.read", _reasons),
    Source("notes.read", _notes),
)
