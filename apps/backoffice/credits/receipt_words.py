"""What a receipt keeps, as people read it: amounts in credits, products by name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from django.utils.safestring import SafeString

from apps.backoffice.credits.words import spelled
from apps.backoffice.display import NOTHING, code, link, page_url_of, short
from apps.backoffice.panels import Row
from apps.tenants.models import Organization, Product, User, Workspace

# The version of an account is its standing, in micro-credits.
_STANDING = re.compile(r"balance (-?\d+), held (-?\d+)")
_RECORD = re.compile(r"^([a-z_]+):\S+ was ")
_RECORDS = {"product_id": Product, "user_id": User, "workspace_id": Workspace}


def version_words(version: str) -> str:
    """A version; an account's balance and holds in credits."""
    return _STANDING.sub(lambda found: f"balance {spelled(int(found[1]))}, held {spelled(int(found[2]))}", version)


def change_words(change: str) -> str:
    """A change as a sentence; a record by its kind, as its id stands in the table of records below."""
    text = _RECORD.sub(lambda found: f"the {found[1].replace('_', ' ')} was ", version_words(change), count=1)
    return text[:1].upper() + text[1:]


def question_rows(question: Mapping[str, Any]) -> list[Row]:
    """What was asked, name by name."""
    return [(code(name), _value(question, name, value)) for name, value in question.items()]


def _value(question: Mapping[str, Any], name: str, value: Any) -> SafeString | str:
    if value is None:
        return NOTHING
    if name == "quantity" and isinstance(value, int):
        return spelled(value)
    model = _RECORDS.get(name)
    if name == "account_id":
        model = Organization if question.get("account_type") == "organization" else User
    return link(page_url_of(model, value), value) if model is not None else short(str(value))
