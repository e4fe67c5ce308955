"""Free text that people write, kept without what looks like a provider's key (spec 03, History).

The audit log redacts such text, since it can never be cleaned afterwards. A row that kept it would differ from its
audit entry, from its history and from what "as of" rebuilds. So the columns redact it too, by the same rule, before
anything is written: row, row version, audit entry and "as of" agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.db.models import Model

from apps.core.audit.secrecy import REDACTED, redact_text
from apps.core.errors import FieldError, UnprocessableError


class _Redacted:
    """What both columns do. The database knows no difference, so that migrations see Django's own fields."""

    django_name: ClassVar[str]
    max_length: int | None
    attname: str

    def stored(self, text: str) -> str:
        """The text as the column keeps it. A mark may be longer than the key it stands for, by a few letters."""
        kept = redact_text(text)
        return kept if self.max_length is None or kept == text else kept[: self.max_length]

    def get_prep_value(self, value: Any) -> Any:
        prepared = super().get_prep_value(value)  # type: ignore[misc]  # of the field beside it
        return self.stored(prepared) if isinstance(prepared, str) else prepared

    def pre_save(self, record: Model, add: bool) -> Any:
        value = super().pre_save(record, add)  # type: ignore[misc]  # as above
        if isinstance(value, str):
            # The audit entry is made from the record.
            value = self.stored(value)
            setattr(record, self.attname, value)
        return value

    def deconstruct(self) -> Any:
        name, _, args, kwargs = super().deconstruct()  # type: ignore[misc]  # as above
        return name, f"django.db.models.{self.django_name}", args, kwargs


# Django's fields are generic to the type checker alone.
if TYPE_CHECKING:
    _Text = models.TextField[str, str]
    _Char = models.CharField[str, str]
else:
    _Text, _Char = models.TextField, models.CharField


class FreeTextField(_Redacted, _Text):
    """Text of any length."""

    django_name = "TextField"


class FreeCharField(_Redacted, _Char):
    """A name."""

    django_name = "CharField"


def stored_form(record: type[Model] | Model, field: str, value: Any) -> Any:
    """The value as the record's column would keep it, to compare with what is there."""
    column = record._meta.get_field(field)
    return column.stored(value) if isinstance(column, _Redacted) and isinstance(value, str) else value


def refuse_key_like(field: str, text: str) -> None:
    """Raise `UnprocessableError` for an identifier that looks like a key: it can't be kept, and can't be changed."""
    if redact_text(text) != text:
        sentence = (
            "This looks like a provider's secret key, and names are shown and audited. Use another name; if it is a "
            f"real key, replace it at the provider. The audit log would keep it as {REDACTED}."
        )
        raise UnprocessableError(sentence, errors=[FieldError(field, "looks_like_a_key", sentence)])
