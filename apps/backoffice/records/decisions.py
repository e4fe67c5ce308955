"""How pages show decisions: one plain sentence with the names of those it is about, and the latest denials."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from apps.backoffice.cells import list_url, moment, record_link
from apps.backoffice.panels import Panel, panel_of
from apps.backoffice.records.credits import format_credits
from apps.subscriptions.enums import Verdict
from apps.subscriptions.models import DecisionReceipt
from apps.tenants.models import Organization, Product, User, Workspace

_KEY = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Names:
    """The names of whoever receipts speak of, by their ids as text; who is unknown has none."""

    of: Mapping[str, str] = field(default_factory=dict)

    def put_into(self, text: str) -> str:
        """The text with names in the place of ids."""
        return _KEY.sub(lambda found: self.of.get(found[0], found[0]), text)


def names_in(receipts: Iterable[DecisionReceipt]) -> Names:
    """Read all names that the receipts need: one query a kind of record, whatever their number."""
    people, products, workspaces, organizations = set(), set(), set(), set()
    for receipt in receipts:
        people |= _keys(receipt.question.get("user_id"), _user_account(receipt.question), *_named_users(receipt))
        products |= _keys(receipt.question.get("product_id"))
        workspaces |= _keys(receipt.workspace_id)
        organizations |= _keys(receipt.organization_id)
    names = _people_names(people)
    for model, keys in ((Product, products), (Workspace, workspaces), (Organization, organizations)):
        names |= _names(model, keys)
    return Names(names)


def names_of(texts: Iterable[str]) -> Names:
    """The names of the people, workspaces and organizations that these texts name by their ids."""
    keys = _keys(*{key for text in texts for key in _KEY.findall(text)})
    return Names({**_names(Workspace, keys), **_names(Organization, keys), **_people_names(keys)} if keys else {})


def _names(model: type[Product | Workspace | Organization], keys: Iterable[UUID]) -> dict[str, str]:
    return {str(pk): name for pk, name in QuerySet(model).filter(pk__in=keys).values_list("pk", "name")}


def _people_names(keys: Iterable[UUID]) -> dict[str, str]:
    people = User.objects.filter(pk__in=keys).only("name", "email")
    return {str(one.pk): f"{one.name} ({one.email})" if one.name else one.email for one in people}


def _user_account(question: Mapping[str, Any]) -> Any:
    return question.get("account_id") if question.get("account_type") == "user" else None


def _named_users(receipt: DecisionReceipt) -> list[str]:
    facts = (str(step.get("fact", "")) for step in receipt.chain)
    return [key for fact in facts if "user " in fact for key in _KEY.findall(fact)]


def _keys(*values: Any) -> set[UUID]:
    found = set()
    for value in values:
        try:
            found.add(UUID(str(value)))
        except ValueError:
            continue
    return found


def who_asked(receipt: DecisionReceipt, names: Names) -> str:
    """The person of the question, or who asked where it names none."""
    person = receipt.question.get("user_id")
    return names.of.get(str(person), str(person)) if person else receipt.actor_label


def what_was_asked(receipt: DecisionReceipt) -> str:
    """The operation, with its quantity where there is one."""
    operation = str(receipt.question.get("operation") or receipt.get_kind_display().lower())
    quantity = receipt.question.get("quantity")
    return f"{operation} ({format_credits(quantity)})" if isinstance(quantity, int) else operation


def why(receipt: DecisionReceipt, names: Names) -> str:
    """The fact that denied it, with names; of an allowed one its code in words."""
    denied = [step for step in receipt.chain if step.get("outcome") == Verdict.DENY.value]
    return names.put_into(str(denied[-1].get("fact", ""))) if denied else receipt.code.replace("_", " ")


def sentence_of(receipt: DecisionReceipt, names: Names) -> str:
    """Who was allowed or denied what, where, through which product, and why."""
    verdict = "may" if receipt.decision == Verdict.ALLOW else "may not"
    places = [names.of.get(str(key), str(key)) for key in (receipt.workspace_id, receipt.organization_id) if key]
    where = f" in {', '.join(places)}" if places else ""
    product = names.of.get(str(receipt.question.get("product_id")), "")
    through = f", through {product}" if product else ""
    because = f": {why(receipt, names)}" if receipt.decision != Verdict.ALLOW else ""
    return f"{who_asked(receipt, names)} {verdict} do {what_was_asked(receipt)}{where}{through}{because}."


def denials_panel(receipts: QuerySet[DecisionReceipt], **filters: object) -> Panel:
    """The latest denials of a customer, workspace or person; `filters` lead to all of them."""
    rows = receipts.filter(decision=Verdict.DENY).order_by("-created_at")
    found = list(rows[:11])
    names = names_in(found)
    by_key = {row.pk: row for row in found}
    return panel_of(
        "Recent denials",
        ("When", "Person", "Wanted", "Why", "Decision"),
        rows,
        lambda row: (
            moment(row.created_at),
            who_asked(row, names),
            what_was_asked(row),
            why(row, names),
            record_link(by_key.get(row.pk, row), "Open"),
        ),
        empty="No request was denied in the last 90 days.",
        link=list_url(DecisionReceipt, decision=Verdict.DENY.value, **filters),
        icon="block",
    )
